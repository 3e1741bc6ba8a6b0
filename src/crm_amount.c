/*
 * crm_amount.c
 *		Money: decoded once at the door, summed as integers, never as floats.
 */
#include "crm_amount.h"

#include <math.h>

#include "common/int.h"
#include "utils/builtins.h"

static int64
AmountTooLarge(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("amount out of range"),
			 errdetail("An amount must be between -922337203685477.5807 and 922337203685477.5807.")));
	return 0;					/* keep compiler quiet */
}

/* AmountDecodeNumericDatum() of one that is not as short as they are in a row. */
AmountDecoded
AmountDecodeLongDatum(Datum value, int64 *result, int *scale)
{
	struct varlena *packed = PG_DETOAST_DATUM_PACKED(value);
	AmountDecoded decoded = AmountDecode(VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed), result, scale);

	if ((Pointer) packed != DatumGetPointer(value))
		pfree(packed);
	return decoded;
}

/* The error of a numeric that is no amount. */
void
AmountRefuse(AmountDecoded decoded)
{
	switch (decoded)
	{
		case AMOUNT_EXACT:
			break;
		case AMOUNT_TOO_FINE:
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("amount has more than four decimals"),
					 errdetail("Amounts are summed exactly, in units of 1/10000."),
					 errhint("Round the amount, or count it in a smaller unit.")));
			break;
		case AMOUNT_OUT_OF_RANGE:
			(void) AmountTooLarge();
			break;
		case AMOUNT_NOT_FINITE:
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("amount must be a finite number")));
			break;
	}
}

/*
 * The amount nearest to a double, ties to even, and the decimals that it takes
 * to show it.  Raises an error for NaN, an infinity or a value out of range.
 *
 * Whole units and the rest apart: the product of all of it could lose digits,
 * and integers, which come here too, have to be exact.
 */
int64
AmountFromFloat8(double value, int *scale)
{
	double		whole = trunc(value);
	int64		amount;
	int64		grain = 10;

	if (isnan(value) || isinf(value))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("amount must be a finite number")));
	if (fabs(whole) > (double) (PG_INT64_MAX / AMOUNT_UNIT) ||
		pg_add_s64_overflow((int64) whole * AMOUNT_UNIT,
							(int64) rint((value - whole) * AMOUNT_UNIT), &amount))
		return AmountTooLarge();
	for (*scale = AMOUNT_SCALE; *scale > 0 && amount % grain == 0; (*scale)--)
		grain *= 10;
	return amount;
}

/* An amount as a numeric with that many decimals (which must lose nothing). */
Numeric
AmountToNumeric(int64 amount, int scale)
{
	for (int i = scale; i < AMOUNT_SCALE; i++)
		amount /= 10;
	return int64_div_fast_to_numeric(amount, scale);
}
