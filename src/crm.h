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

#endif							/* CRM_H */
