/*
 * crm_paths.c
 *		What the aggregates over paths have in common: path, conversions, value
 *		and nulls of one row.
 */
#include "crm.h"

#include "crm_amount.h"
#include "crm_paths.h"

#include <math.h>

#include "common/int.h"
#include "utils/builtins.h"

/*
 * A count of paths: NULL is 0, and more than nine decimals are rounded.  Counts
 * are kept as integers so that the sum does not depend on the order of rows.
 */
static int64
PathCount(FunctionCallInfo fcinfo, int argument, const char *name)
{
	int64		count;
	int			scale;

	if (PG_ARGISNULL(argument))
		return 0;
	if (AmountTryNumericDatum(PG_GETARG_DATUM(argument), &count, &scale))
	{
		if (pg_mul_s64_overflow(count, PATH_UNIT / AMOUNT_UNIT, &count))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("%s out of range", name)));
	}
	else
	{
		double		number = DatumGetFloat8(DirectFunctionCall1(numeric_float8,
																PG_GETARG_DATUM(argument)));

		if (!(fabs(number) < (double) (PG_INT64_MAX / PATH_UNIT)))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("%s out of range", name)));
		count = (int64) rint(number * PATH_UNIT);
	}
	if (count < 0)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("%s must not be negative", name)));
	return count;
}

/*
 * Read path text[], conversions numeric, value numeric and nulls numeric from
 * that argument on.  A NULL path is one without touches, NULL elements of a path
 * are left out, a NULL number is 0.  The list of channels is kept in that
 * context, and points into the path, which may be a copy.
 */
void
PathRowGet(FunctionCallInfo fcinfo, int argument, MemoryContext context, PathRow *row)
{
	int			scale;

	row->touches = 0;
	if (!PG_ARGISNULL(argument))
		row->touches = PathChannels(PG_GETARG_VARLENA_PP(argument), &row->channels, &row->room,
									context);
	row->conversions = PathCount(fcinfo, argument + 1, "number of conversions");
	row->nulls = PathCount(fcinfo, argument + 3, "number of nulls");
	row->value = PG_ARGISNULL(argument + 2) ? 0 :
		AmountFromNumericDatum(PG_GETARG_DATUM(argument + 2), &scale);
	if (row->value < 0)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("value of a path must not be negative")));
	if (row->value > 0 && row->conversions == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("path has a value, but no conversions")));
}
