/*
 * channel.c
 *		How channels perform: credit by a rule of thumb.
 */
#include "crm.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

PG_FUNCTION_INFO_V1(crm_channel_credit);
PG_FUNCTION_INFO_V1(crm_channel_credit_linear);

static int
Compare(Datum a, Datum b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, a, b));
}

/* Everything here is a part of a whole. */
static void
CheckShare(Datum share, const char *name)
{
	Datum		zero = NumericGetDatum(int64_to_numeric(0));
	Datum		one = NumericGetDatum(int64_to_numeric(1));

	/* NaN is greater than 1 */
	if (Compare(share, zero) < 0 || Compare(share, one) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("%s must be from 0 to 1", name)));
}

/*
 * channel_credit(revenue_share numeric, conversion_rate numeric, tiers
 * numeric[]) returns numeric
 *
 * A tier is {minimum revenue share, minimum conversion rate, credit}.  The
 * credit is that of the highest tier whose two minima are reached, or, if none
 * is, the conversion rate itself.  The higher of two tiers is that with the
 * higher minimum share, then that with the higher minimum rate, then that with
 * the higher credit: the order of the tiers does not matter.
 *
 * An error if any of the numbers is not from 0 to 1, or a tier has a NULL.
 */
Datum
crm_channel_credit(PG_FUNCTION_ARGS)
{
	Datum		share = PG_GETARG_DATUM(0);
	Datum		rate = PG_GETARG_DATUM(1);
	ArrayType  *tiers = PG_GETARG_ARRAYTYPE_P(2);
	Datum	   *number;
	bool	   *nulls;
	int			count;
	int			best = -1;

	CheckShare(share, "revenue share");
	CheckShare(rate, "conversion rate");
	if (ARR_NDIM(tiers) != 0 && (ARR_NDIM(tiers) != 2 || ARR_DIMS(tiers)[1] != 3))
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("tiers must be rows of minimum revenue share, minimum conversion rate and credit")));
	deconstruct_array(tiers, NUMERICOID, -1, false, TYPALIGN_INT, &number, &nulls, &count);
	for (int i = 0; i < count; i++)
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("tiers must not contain nulls")));
	for (int i = 0; i < count; i += 3)
	{
		int			higher;

		CheckShare(number[i], "minimum revenue share of a tier");
		CheckShare(number[i + 1], "minimum conversion rate of a tier");
		CheckShare(number[i + 2], "credit of a tier");
		if (Compare(share, number[i]) < 0 || Compare(rate, number[i + 1]) < 0)
			continue;
		higher = best < 0 ? 1 : Compare(number[i], number[best]);
		if (higher == 0)
			higher = Compare(number[i + 1], number[best + 1]);
		if (higher == 0)
			higher = Compare(number[i + 2], number[best + 2]);
		if (higher > 0)
			best = i;
	}
	PG_RETURN_DATUM(best < 0 ? rate : number[best + 2]);
}

/*
 * channel_credit_linear(revenue_share numeric, conversion_rate numeric) returns
 * numeric: the conversion rate times (0.5 + revenue share).  An error if one is
 * not from 0 to 1.
 */
Datum
crm_channel_credit_linear(PG_FUNCTION_ARGS)
{
	Datum		share = PG_GETARG_DATUM(0);
	Datum		rate = PG_GETARG_DATUM(1);
	Datum		half = NumericGetDatum(int64_div_fast_to_numeric(5, 1));

	CheckShare(share, "revenue share");
	CheckShare(rate, "conversion rate");
	PG_RETURN_DATUM(DirectFunctionCall2(numeric_mul, rate, DirectFunctionCall2(numeric_add, half, share)));
}
