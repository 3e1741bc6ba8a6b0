/*
 * track_policy.c
 *		Another policy for a tracked table.
 *
 * The policy is an argument of triggers.  It is written where it stands in
 * pg_trigger, as ALTER TRIGGER ... RENAME writes a name there: the triggers
 * stay as they are, enabled or not, and what depends on the summary too.
 */
#include "track.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(crm_set_policy);

/* Write the policy into the arguments of the triggers of a relation. */
static void
WritePolicy(Oid relid, const char *policy)
{
	Relation	triggers = table_open(TriggerRelationId, RowExclusiveLock);
	Oid			function = TrackFunction();
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		written = false;

	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(triggers, TriggerRelidNameIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);
		char	  **arguments;
		StringInfoData list;
		Datum		values[Natts_pg_trigger] = {0};
		bool		nulls[Natts_pg_trigger] = {0};
		bool		replace[Natts_pg_trigger] = {0};
		HeapTuple	changed;

		if (trigger->tgfoid != function || trigger->tgnargs < TRACK_ARGUMENTS)
			continue;
		arguments = TrackTriggerArguments(tuple, RelationGetDescr(triggers));
		initStringInfo(&list);
		for (int i = 0; i < trigger->tgnargs; i++)
		{
			const char *argument = i == ARGUMENT_POLICY ? policy : arguments[i];

			appendBinaryStringInfo(&list, argument, strlen(argument) + 1);
		}
		values[Anum_pg_trigger_tgargs - 1] = PointerGetDatum(cstring_to_text_with_len(list.data, list.len));
		replace[Anum_pg_trigger_tgargs - 1] = true;
		changed = heap_modify_tuple(tuple, RelationGetDescr(triggers), values, nulls, replace);
		CatalogTupleUpdate(triggers, &tuple->t_self, changed);
		heap_freetuple(changed);
		written = true;
	}
	systable_endscan(scan);
	table_close(triggers, RowExclusiveLock);
	if (written)
		CacheInvalidateRelcacheByRelid(relid);
}

/*
 * set_policy(orders regclass, policy lifecycle_policy) returns bigint: from now
 * on that is the policy.  What time has changed until now is judged by the old
 * one, every customer by the new one; those whose stage it changes get a
 * correction in the history.  The view of the stages of now, which has the
 * policy too, is made if it is gone.  Returns the number of rows of the summary
 * that were written.
 */
Datum
crm_set_policy(PG_FUNCTION_ARGS)
{
	char		policy[POLICY_TEXT_SIZE];
	Relation	orders;
	Track	   *track;
	List	   *relations;
	ListCell   *cell;
	TrackRound	round = {0};
	int64		written;

	policy_print((LifecyclePolicy *) PG_GETARG_POINTER(1), policy);
	track = TrackOpenOrders(PG_GETARG_OID(0), ShareRowExclusiveLock, &orders);
	relations = find_all_inheritors(track->orders, ShareRowExclusiveLock, NULL);
	if (strcmp(track->arguments[ARGUMENT_POLICY], policy) == 0)
	{
		TrackCreateView(track, policy, false);
		table_close(orders, NoLock);
		PG_RETURN_INT64(0);
	}
	/* nobody judges by the old one from now on: see OpenSummary() */
	LockRelationOid(track->summary, ShareRowExclusiveLock);
	round.as_of = GetCurrentTransactionStartTimestamp();
	round.limit = round.tries = PG_INT64_MAX;
	TrackAdvance(track, &round);

	foreach(cell, relations)
		WritePolicy(lfirst_oid(cell), policy);
	/* of orders without triggers, the summary has the arguments */
	WritePolicy(track->summary, policy);
	TrackCreateView(track, policy, true);
	CommandCounterIncrement();

	track = TrackOpen(orders);
	written = TrackJudge(track);
	table_close(orders, NoLock);
	PG_RETURN_INT64(written);
}
