/*
 * clock.c
 *		Time alone moves customers to at_risk and lost.
 */
#include "clock.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(crm_advance_stages);
PG_FUNCTION_INFO_V1(crm_apply_queue);

void		(*clock_failed) (const char *table, const ErrorData *error) = NULL;

/* Tell of customers who could not be moved. */
static void
TellFailures(const Track *track, const TrackFailures *failures)
{
	for (int i = 0; i < Min(failures->count, TRACK_FAILURES_TOLD); i++)
	{
		const TrackFailure *failure = &failures->told[i];
		ErrorData	told = *failure->error;

		told.message = psprintf("customer %s: %s", failure->customer, told.message);
		ereport(WARNING,
				(errcode(told.sqlerrcode),
				 errmsg("crm could not move a customer of %s", track->orders_name),
				 errdetail_internal("%s", told.message)));
		if (clock_failed != NULL)
			clock_failed(track->orders_name, &told);
	}
	if (failures->count > TRACK_FAILURES_TOLD)
		ereport(WARNING,
				(errmsg("crm could not move " INT64_FORMAT " more customers of %s",
						failures->count - TRACK_FAILURES_TOLD, track->orders_name),
				 failures->untried == 0 ? 0 :
				 errdetail("As so many failed, some of those who were due beside them were not tried: the next round tries others.")));
}

/*
 * What is queued, if this table has a queue; then the customers that are due.
 * One who fails does not hold up the others; but if nobody else was moved it is
 * an error.
 */
static int64
AdvanceTable(Track *track, TrackRound *round)
{
	int64		done = TrackApply(track, round->limit);
	bool		at_first = round->passed == 0;
	TrackFailures failures = {CurrentMemoryContext};

	round->limit -= done;
	if (TIMESTAMP_IS_NOBEGIN(round->as_of) || round->limit <= 0)
		return done;
	round->failures = &failures;
	done += TrackAdvance(track, round);
	if (done == 0 && failures.count > 0 && at_first && round->tried < round->tries)
		ReThrowError(failures.told[0].error);
	TellFailures(track, &failures);
	return done;
}

/* The same with a table that the caller owns. */
int64
ClockAdvance(Oid orders_oid, TrackRound *round)
{
	Relation	orders;
	Track	   *track = TrackOpenOrders(orders_oid, AccessShareLock, &orders);
	int64		done = AdvanceTable(track, round);

	table_close(orders, NoLock);
	return done;
}

/* For TrackTry(): a table that is locked. */
typedef struct AdvanceCall
{
	Oid			orders;
	TrackRound	round;
	int64		done;
} AdvanceCall;

static void
CallAdvance(void *argument)
{
	AdvanceCall *call = argument;
	Relation	orders = relation_open(call->orders, NoLock);

	if (!orders->rd_rel->relispartition)
	{
		Track	   *track = TrackOpenIfTracked(orders);

		if (track != NULL)
			call->done = AdvanceTable(track, &call->round);
	}
	relation_close(orders, NoLock);
}

/*
 * The same with one table; or, if orders is null, with all of the caller's.  Of
 * these one that fails is no reason not to do the others.
 */
static int64
AdvanceTables(TimestampTz as_of, NullableDatum orders_oid, NullableDatum max_customers)
{
	TrackRound	round = {0};
	int64		limit = PG_INT64_MAX;
	int64		done = 0;
	List	   *tables;
	ListCell   *cell;

	if (!max_customers.isnull)
	{
		limit = DatumGetInt64(max_customers.value);
		if (limit < 1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("max_customers must be greater than zero")));
	}
	round.as_of = as_of;
	round.limit = limit;
	round.tries = PG_INT64_MAX;
	if (!orders_oid.isnull)
		return ClockAdvance(DatumGetObjectId(orders_oid.value), &round);

	tables = TrackAll();
	foreach(cell, tables)
	{
		AdvanceCall call = {lfirst_oid(cell), round, 0};
		ErrorData  *error;
		char	   *name;

		call.round.limit = limit - done;
		if (call.round.limit <= 0)
			break;
		/* what somebody alters is done next time */
		if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(call.orders)) ||
			!crm_owns_relation(call.orders, GetUserId()) ||
			!ConditionalLockRelationOid(call.orders, AccessShareLock))
			continue;
		name = get_rel_name(call.orders);
		if (name == NULL)
			continue;
		name = pstrdup(QuoteQualified(get_rel_namespace(call.orders), name));
		error = TrackTry(CallAdvance, &call, false);
		if (error == NULL)
			done += call.done;
		else
			ereport(WARNING,
					(errcode(error->sqlerrcode),
					 errmsg("crm could not move customers of %s: %s", name, error->message)));
	}
	return done;
}

/*
 * advance_stages(as_of timestamptz, orders regclass, max_customers bigint)
 * returns bigint: the number of customers whose stage changed by time, or who
 * were queued.
 *
 * Without orders: of all the tracked tables that the caller owns.
 */
Datum
crm_advance_stages(PG_FUNCTION_ARGS)
{
	TimestampTz as_of;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	as_of = PG_GETARG_TIMESTAMPTZ(0);
	if (TIMESTAMP_NOT_FINITE(as_of))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("as_of must be finite")));
	PG_RETURN_INT64(AdvanceTables(as_of, fcinfo->args[1], fcinfo->args[2]));
}

/*
 * apply_queue(orders regclass, max_customers bigint) returns bigint: the number
 * of customers who were queued.
 */
Datum
crm_apply_queue(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(AdvanceTables(DT_NOBEGIN, fcinfo->args[0], fcinfo->args[1]));
}
