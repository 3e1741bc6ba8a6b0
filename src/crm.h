/*
 * crm.h
 *		What every room of crm includes: the server, and its differences.
 */
#ifndef CRM_H
#define CRM_H

#include "postgres.h"

#include "fmgr.h"

#include "compat.h"

/* Room for so many of a type, which may be more than a gigabyte; for none it is a pointer too. */
#define palloc_array_huge(type, count) \
	((type *) palloc_extended(sizeof(type) * (Size) (count), MCXT_ALLOC_HUGE))
#define palloc_array_huge0(type, count) \
	((type *) palloc_extended(sizeof(type) * (Size) (count), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO))

/* The memory context of the aggregate that calls one of its support functions. */
static inline MemoryContext
AggregateContext(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}

#endif							/* CRM_H */
