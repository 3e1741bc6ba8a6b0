/*
 * clock.c
 *		Time alone moves customers to at_risk and lost.
 */
#include "clock.h"
#include "track.h"

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

/* so many customers who could not be moved are named, of the others is said how many they are */
#define FAILURES_TOLD	10

void		(*clock_failed) (const char *table, const ErrorData *error) = NULL;

/* Tell of customers who could not be moved. */
static void
TellFailures(const Track *track, const TrackFailures *failures)
{
	for (int i = 0; i < Min(failures->count, FAILURES_TOLD); i++)
	{
		const TrackFailure *failure = &failures->failure[i];
		ErrorData	told = *failure->error;

		told.message = psprintf("customer %s: %s", failure->customer, told.message);
		ereport(WARNING,
				(errcode(told.sqlerrcode),
				 errmsg("crm could not move a customer of %s", track->orders_name),
				 errdetail_internal("%s", told.message)));
		if (clock_failed != NULL)
			clock_failed(track->orders_name, &told);
	}
	if (failures->count > FAILURES_TOLD)
		ereport(WARNING,
				(errcode(failures->failure[FAILURES_TOLD].error->sqlerrcode),
				 errmsg("crm could not move %d more customers of %s", failures->count - FAILURES_TOLD, track->orders_name),
				 failures->count < TRACK_MAX_FAILURES ? 0 :
				 errdetail("As so many failed, those who are due later were not tried.")));
}

/*
 * What is queued, if this table has a queue; then, unless as_of is null, the
 * customers that are due.  One who fails does not hold up the others; but if
 * nobody else was moved it is an error.
 */
static int64
AdvanceTable(Track *track, const TimestampTz *as_of, int64 limit)
{
	int64		done = TrackApply(track, limit);

	if (as_of != NULL && done < limit)
	{
		TrackFailures *failures = palloc(sizeof(TrackFailures));

		done += TrackAdvance(track, *as_of, limit - done, failures);
		if (done == 0 && failures->count > 0)
			ReThrowError(failures->failure[0].error);
		TellFailures(track, failures);
		pfree(failures);
	}
	return done;
}

/* For TrackTry(): a table that is locked. */
typedef struct AdvanceCall
{
	Oid			orders;
	const TimestampTz *as_of;
	int64		limit;
	int64		changed;
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
			call->changed = AdvanceTable(track, call->as_of, call->limit);
	}
	relation_close(orders, NoLock);
}

/*
 * The same with one table; or, if orders is null, with all of the caller's.  Of
 * these one that fails is no reason not to do the others.
 */
static int64
AdvanceTables(const TimestampTz *as_of, NullableDatum orders_oid, NullableDatum max_customers)
{
	int64		limit = PG_INT64_MAX;
	int64		changed = 0;
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

	if (!orders_oid.isnull)
	{
		Relation	orders;
		Track	   *track = TrackOpenOrders(DatumGetObjectId(orders_oid.value), AccessShareLock, &orders);

		changed = AdvanceTable(track, as_of, limit);
		table_close(orders, NoLock);
		return changed;
	}

	tables = TrackAll();
	foreach(cell, tables)
	{
		AdvanceCall call = {lfirst_oid(cell), as_of, limit - changed, 0};
		ErrorData  *error;
		char	   *name;

		if (changed >= limit)
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
			changed += call.changed;
		else
			ereport(WARNING,
					(errcode(error->sqlerrcode),
					 errmsg("crm could not move customers of %s: %s", name, error->message)));
	}
	return changed;
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
	PG_RETURN_INT64(AdvanceTables(&as_of, fcinfo->args[1], fcinfo->args[2]));
}

/*
 * apply_queue(orders regclass, max_customers bigint) returns bigint: the number
 * of customers who were queued.
 */
Datum
crm_apply_queue(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(AdvanceTables(NULL, fcinfo->args[0], fcinfo->args[1]));
}
