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

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#include "nodes/miscnodes.h"
#else
/* before 16 there are no soft errors: a bad input is always an ERROR */
#define ereturn(context, dummy_value, ...) ereport(ERROR, __VA_ARGS__)
#endif

#endif							/* CRM_COMPAT_H */
