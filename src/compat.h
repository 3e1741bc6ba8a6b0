/*
 * compat.h
 *		Differences between the server versions that crm supports (15 to 19).
 *
 * Every test of PG_VERSION_NUM lives here, so that no function body has one.
 */
#ifndef CRM_COMPAT_H
#define CRM_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "crm needs PostgreSQL 15 or newer"
#endif

#include "utils/date.h"
#include "utils/timestamp.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#include "nodes/miscnodes.h"
#else
/* before 16 there are no soft errors: a bad input is always an ERROR */
#define ereturn(context, dummy_value, ...) ereport(ERROR, __VA_ARGS__)
#endif

/* 16 tells EvalPlanQualInit() which relations are written */
#if PG_VERSION_NUM >= 160000
#define CrmEvalPlanQualInit(epqstate, estate)	EvalPlanQualInit(epqstate, estate, NULL, NIL, -1, NIL)
#else
#define CrmEvalPlanQualInit(epqstate, estate)	EvalPlanQualInit(epqstate, estate, NULL, NIL, -1)
#endif

/* 16 keeps the columns that are written apart from the range table; 18 wants to know what is not pruned */
#if PG_VERSION_NUM >= 180000
#define CRM_INIT_RANGE_TABLE(estate, rte, updated) \
	do { \
		List	   *perminfos_ = NIL; \
		addRTEPermissionInfo(&perminfos_, rte)->updatedCols = (updated); \
		ExecInitRangeTable(estate, list_make1(rte), perminfos_, bms_make_singleton(1)); \
	} while (0)
#elif PG_VERSION_NUM >= 160000
#define CRM_INIT_RANGE_TABLE(estate, rte, updated) \
	do { \
		List	   *perminfos_ = NIL; \
		addRTEPermissionInfo(&perminfos_, rte)->updatedCols = (updated); \
		ExecInitRangeTable(estate, list_make1(rte), perminfos_); \
	} while (0)
#else
#define CRM_INIT_RANGE_TABLE(estate, rte, updated) \
	do { \
		(rte)->updatedCols = (updated); \
		ExecInitRangeTable(estate, list_make1(rte)); \
	} while (0)
#endif

/* 19 wants to be told that a description of rows is complete */
#if PG_VERSION_NUM < 190000
#define TupleDescFinalize(desc)	((void) 0)
#endif

/* 19's headers include fewer others */
#if PG_VERSION_NUM >= 190000
#include "access/htup_details.h"
#include "utils/tuplestore.h"
#include "utils/wait_event.h"

typedef uint8 bits8;
#endif

/* 18 counts what an index scan does; 19 wants to know what it is for */
#if PG_VERSION_NUM >= 190000
#define crm_index_beginscan(heap, index, snapshot, keys)	index_beginscan(heap, index, snapshot, NULL, keys, 0, 0)
#elif PG_VERSION_NUM >= 180000
#define crm_index_beginscan(heap, index, snapshot, keys)	index_beginscan(heap, index, snapshot, NULL, keys, 0)
#else
#define crm_index_beginscan(heap, index, snapshot, keys)	index_beginscan(heap, index, snapshot, keys, 0)
#endif

/* 19 wants to know what the scan of a table is for, too */
#if PG_VERSION_NUM >= 190000
#define crm_table_beginscan(relation, snapshot)	table_beginscan(relation, snapshot, 0, NULL, 0)
#else
#define crm_table_beginscan(relation, snapshot)	table_beginscan(relation, snapshot, 0, NULL)
#endif

/* 16 has one function that tells who owns what */
#if PG_VERSION_NUM >= 160000
#define crm_owns_relation(relid, role)	object_ownercheck(RelationRelationId, relid, role)
#else
#define crm_owns_relation(relid, role)	pg_class_ownercheck(relid, role)
#endif

/* 16 can report a malformed name without an error */
#if PG_VERSION_NUM >= 160000
#define crm_name_list(name)		stringToQualifiedNameList(name, NULL)
#else
#define crm_name_list(name)		stringToQualifiedNameList(name)
#endif

/* before 17 the count could include itself */
#if PG_VERSION_NUM >= 170000
#define crm_sendcountedtext(buffer, text, length)	pq_sendcountedtext(buffer, text, length)
#else
#define crm_sendcountedtext(buffer, text, length)	pq_sendcountedtext(buffer, text, length, false)
#endif

/* 16 asks whether the datum is to be a copy, which before it is */
#if PG_VERSION_NUM >= 160000
#define crm_tuplesort_getdatum(sort, value, isnull)	tuplesort_getdatum(sort, true, true, value, isnull, NULL)
#else
#define crm_tuplesort_getdatum(sort, value, isnull)	tuplesort_getdatum(sort, true, value, isnull, NULL)
#endif

/* 17 lets extensions name what they wait for */
#if PG_VERSION_NUM >= 170000
#define crm_wait_event(name)	WaitEventExtensionNew(name)
#else
#define crm_wait_event(name)	PG_WAIT_EXTENSION
#endif

/* Midnight UTC of a date; infinity for an infinite date and one after all times. */
static inline Timestamp
crm_date2timestamp(DateADT date)
{
#if PG_VERSION_NUM >= 190000
	ErrorSaveContext overflow = {T_ErrorSaveContext};
	Timestamp	result = date2timestamp_safe(date, (Node *) &overflow);

	return overflow.error_occurred ? DT_NOEND : result;
#else
	int			overflow;

	return date2timestamp_opt_overflow(date, &overflow);
#endif
}

#if PG_VERSION_NUM < 170000
/* before 17 every interval is finite */
#define INTERVAL_NOT_FINITE(interval)	((void) (interval), false)
#define INTERVAL_IS_NOEND(interval)		((void) (interval), false)
#endif

#endif							/* CRM_COMPAT_H */
