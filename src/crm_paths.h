/*
 * crm_paths.h
 *		What the aggregates over paths have in common: path, conversions, value
 *		and nulls of one row.
 */
#ifndef CRM_PATHS_H
#define CRM_PATHS_H

#include "crm.h"
#include "crm_journey.h"

/* Counts of paths may be fractions: they are integers of 10^-9. */
#define PATH_UNIT	INT64CONST(1000000000)

typedef struct PathRow
{
	int			touches;
	PathChannel *channels;
	int			room;			/* of channels */
	int64		conversions;
	int64		nulls;
	int64		value;			/* in 1/10000 */
} PathRow;

extern void PathRowGet(FunctionCallInfo fcinfo, int argument, MemoryContext context, PathRow *row);

#endif							/* CRM_PATHS_H */
