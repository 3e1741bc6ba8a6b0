/*
 * crm_amount.c
 *		Money: decoded once at the door, summed as integers, never as floats.
 */
#include "crm_amount.h"

#include <math.h>

#include "common/int.h"
#include "utils/builtins.h"

/*
 * The header of a numeric, as on disk since 9.1 (see the head of numeric.c:
 * its layout is not in a public header, but it can't change either, since
 * pg_upgrade keeps the files).
 */
#define NUMERIC_KIND			0xC000
#define NUMERIC_LONG_NEGATIVE	0x4000
#define NUMERIC_IS_SHORT		0x8000
#define NUMERIC_IS_SPECIAL		0xC000	/* NaN and the infinities */
#define NUMERIC_SHORT_NEGATIVE	0x2000
#define NUMERIC_SHORT_SCALE(h)	(((h) & 0x1F80) >> 7)
#define NUMERIC_SHORT_WEIGHT(h) ((int) ((h) & 0x003F) - (int) (((h) & 0x0040) ? 0x40 : 0))
#define NUMERIC_LONG_SCALE(h)	((h) & 0x3FFF)

static int64
AmountTooLarge(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("amount out of range"),
			 errdetail("An amount must be between -922337203685477.5807 and 922337203685477.5807.")));
	return 0;					/* keep compiler quiet */
}

/*
 * Decode a numeric without detoasting it into a copy, or say what keeps it from
 * being an amount.  One with more than four decimals that are not zero may be
 * out of range too.
 *
 * *scale becomes the number of decimals to show, at most AMOUNT_SCALE.
 */
AmountDecoded
AmountDecodeNumericDatum(Datum value, int64 *result, int *scale)
{
	struct varlena *packed = PG_DETOAST_DATUM_PACKED(value);
	const char *data = VARDATA_ANY(packed);
	int			size = VARSIZE_ANY_EXHDR(packed);
	uint16		header;
	bool		negative;
	int			weight;
	int			places;
	uint64		amount = 0;

	/* a packed datum is not aligned */
	memcpy(&header, data, sizeof(header));
	data += sizeof(header);
	size -= sizeof(header);

	if ((header & NUMERIC_KIND) == NUMERIC_IS_SPECIAL)
		return AMOUNT_NOT_FINITE;
	if ((header & NUMERIC_KIND) == NUMERIC_IS_SHORT)
	{
		negative = (header & NUMERIC_SHORT_NEGATIVE) != 0;
		*scale = NUMERIC_SHORT_SCALE(header);
		weight = NUMERIC_SHORT_WEIGHT(header);
	}
	else
	{
		int16		long_weight;

		negative = (header & NUMERIC_KIND) == NUMERIC_LONG_NEGATIVE;
		*scale = NUMERIC_LONG_SCALE(header);
		memcpy(&long_weight, data, sizeof(long_weight));
		weight = long_weight;
		data += sizeof(long_weight);
		size -= sizeof(long_weight);
	}
	*scale = Min(*scale, AMOUNT_SCALE);
	*result = 0;
	if (size == 0)
		return AMOUNT_EXACT;

	/*
	 * The first digit counts 10000^weight, and trailing zero digits are never
	 * stored.  places is how many digits an amount has from the first on; 10
	 * to the 16 times 9999 already is out of range, so there are at most five.
	 */
	places = weight + 2;
	if (size / (int) sizeof(int16) > Max(places, 0))
		return AMOUNT_TOO_FINE;
	if (places > 5)
		return AMOUNT_OUT_OF_RANGE;
	for (; places > 0; places--)
	{
		int16		digit = 0;

		if (size > 0)
		{
			memcpy(&digit, data, sizeof(digit));
			data += sizeof(digit);
			size -= sizeof(digit);
		}
		/* the last of five digits could pass 2^64, but not the first four */
		if (amount > PG_INT64_MAX / AMOUNT_UNIT)
			return AMOUNT_OUT_OF_RANGE;
		amount = amount * AMOUNT_UNIT + digit;
	}
	if (amount > PG_INT64_MAX)
		return AMOUNT_OUT_OF_RANGE;

	if ((Pointer) packed != DatumGetPointer(value))
		pfree(packed);
	*result = negative ? -(int64) amount : (int64) amount;
	return AMOUNT_EXACT;
}

/* The same where all but an amount is an error. */
int64
AmountFromNumericDatum(Datum value, int *scale)
{
	int64		amount = 0;

	switch (AmountDecodeNumericDatum(value, &amount, scale))
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
			return AmountTooLarge();
		case AMOUNT_NOT_FINITE:
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("amount must be a finite number")));
			break;
	}
	return amount;
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
