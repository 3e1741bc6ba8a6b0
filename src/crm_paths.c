/*
 * crm_paths.c
 *		What the aggregates over paths have in common: path, conversions, value
 *		and nulls of one row.
 */
#include "crm.h"

#include "crm_amount.h"
#include "crm_paths.h"

#include "common/int.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

static int64
CountOutOfRange(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("%s out of range", name),
			 errdetail("The counts of a row must be from 0 to 9223372036.854775807.")));
	return 0;					/* keep compiler quiet */
}

/*
 * A count with more than four decimals, rounded to nine.  One that is less than
 * zero stays so.
 */
static int64
CountFromNumeric(Datum number, const char *name)
{
	Datum		units = DirectFunctionCall2(numeric_mul, number,
											NumericGetDatum(int64_to_numeric(PATH_UNIT)));

	units = DirectFunctionCall2(numeric_round, units, Int32GetDatum(0));
	if (DatumGetBool(DirectFunctionCall2(numeric_lt, number, NumericGetDatum(int64_to_numeric(0)))))
		return -1;
	if (DatumGetBool(DirectFunctionCall2(numeric_gt, units,
										 NumericGetDatum(int64_to_numeric(PG_INT64_MAX)))))
		return CountOutOfRange(name);
	return DatumGetInt64(DirectFunctionCall1(numeric_int8, units));
}

/*
 * A count of paths: NULL is 0, and more than nine decimals are rounded.  Counts
 * are kept as integers so that the sum does not depend on the order of rows.
 */
static int64
PathCount(FunctionCallInfo fcinfo, int argument, const char *name)
{
	int64		count = 0;
	int			scale;

	if (PG_ARGISNULL(argument))
		return 0;
	switch (AmountDecodeNumericDatum(PG_GETARG_DATUM(argument), &count, &scale))
	{
		case AMOUNT_EXACT:
			if (pg_mul_s64_overflow(count, PATH_UNIT / AMOUNT_UNIT, &count))
				return CountOutOfRange(name);
			break;
		case AMOUNT_TOO_FINE:
			count = CountFromNumeric(PG_GETARG_DATUM(argument), name);
			break;
		case AMOUNT_OUT_OF_RANGE:
			return CountOutOfRange(name);
		case AMOUNT_NOT_FINITE:
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("%s must be a finite number", name)));
			break;
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
				 errmsg("value of a path must not be negative"),
				 errdetail("A refund is not a path to an order."),
				 errhint("Leave refunds out, or subtract each from the value of its order.")));
	if (row->value > 0 && row->conversions == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("path has a value, but no conversions")));
}
