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
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(crm_advance_stages);

/*
 * advance_stages(as_of timestamptz, orders regclass, max_customers bigint)
 * returns bigint: the number of customers whose stage changed.
 *
 * Without orders: of all the tracked tables that the caller owns.
 */
Datum
crm_advance_stages(PG_FUNCTION_ARGS)
{
	TimestampTz as_of;
	int64		limit = PG_INT64_MAX;
	int64		changed = 0;
	List	   *tables;
	ListCell   *cell;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	as_of = PG_GETARG_TIMESTAMPTZ(0);
	if (TIMESTAMP_NOT_FINITE(as_of))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("as_of must be finite")));
	if (!PG_ARGISNULL(2))
	{
		limit = PG_GETARG_INT64(2);
		if (limit < 1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("max_customers must be greater than zero")));
	}

	if (!PG_ARGISNULL(1))
	{
		Relation	orders;
		Track	   *track = TrackOpenOrders(PG_GETARG_OID(1), AccessShareLock, &orders);

		changed = TrackAdvance(track, as_of, limit);
		table_close(orders, NoLock);
		PG_RETURN_INT64(changed);
	}

	tables = TrackAll();
	foreach(cell, tables)
	{
		Relation	orders;

		if (changed >= limit)
			break;
		if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(lfirst_oid(cell))) ||
			!crm_owns_relation(lfirst_oid(cell), GetUserId()))
			continue;
		orders = try_relation_open(lfirst_oid(cell), AccessShareLock);
		if (orders == NULL)
			continue;
		if (TrackIsTracked(orders) && !orders->rd_rel->relispartition)
			changed += TrackAdvance(TrackOpen(orders), as_of, limit - changed);
		relation_close(orders, NoLock);
	}
	PG_RETURN_INT64(changed);
}
