/*
 * crm_amount.h
 *		Money: decoded once at the door, summed as integers, never as floats.
 */
#ifndef CRM_AMOUNT_H
#define CRM_AMOUNT_H

#include "crm.h"

#include "utils/numeric.h"

/*
 * An amount is a count of 1/10000: numeric's own base, so that decoding one is
 * a few multiplications.  Four decimals are enough for every currency of ISO
 * 4217 (the finest, CLF and UYW, have four).
 */
#define AMOUNT_SCALE	4
#define AMOUNT_UNIT		10000

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

/* What a numeric is as an amount. */
typedef enum AmountDecoded
{
	AMOUNT_EXACT,
	AMOUNT_TOO_FINE,			/* more than four decimals */
	AMOUNT_OUT_OF_RANGE,
	AMOUNT_NOT_FINITE
} AmountDecoded;

extern AmountDecoded AmountDecodeLongDatum(Datum value, int64 *result, int *scale);
extern void AmountRefuse(AmountDecoded decoded);
extern int64 AmountFromFloat8(double value, int *scale);
extern Numeric AmountToNumeric(int64 amount, int scale);

/*
 * Decode the bytes of a numeric, which need not be aligned, or say what keeps
 * it from being an amount.  One with more than four decimals that are not zero
 * may be out of range too.
 *
 * *scale becomes the number of decimals to show, at most AMOUNT_SCALE.
 */
static inline AmountDecoded
AmountDecode(const char *data, int size, int64 *result, int *scale)
{
	uint16		header;
	bool		negative;
	int			weight;
	int			places;
	uint64		amount = 0;

	memcpy(&header, data, sizeof(header));
	data += sizeof(header);
	size -= sizeof(header);

	if (likely((header & NUMERIC_KIND) == NUMERIC_IS_SHORT))
	{
		negative = (header & NUMERIC_SHORT_NEGATIVE) != 0;
		*scale = NUMERIC_SHORT_SCALE(header);
		weight = NUMERIC_SHORT_WEIGHT(header);
	}
	else if ((header & NUMERIC_KIND) == NUMERIC_IS_SPECIAL)
		return AMOUNT_NOT_FINITE;
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
	*result = negative ? -(int64) amount : (int64) amount;
	return AMOUNT_EXACT;
}

/*
 * The same for a datum, without detoasting it into a copy where it is short.
 * The pointer to one that is stored out of line has a header of one byte too.
 */
static inline AmountDecoded
AmountDecodeNumericDatum(Datum value, int64 *result, int *scale)
{
	Pointer		datum = DatumGetPointer(value);

	if (likely(VARATT_IS_SHORT(datum) && !VARATT_IS_EXTERNAL(datum)))
		return AmountDecode(VARDATA_SHORT(datum), VARSIZE_SHORT(datum) - VARHDRSZ_SHORT, result, scale);
	return AmountDecodeLongDatum(value, result, scale);
}

/* The same where all but an amount is an error. */
static inline int64
AmountFromNumericDatum(Datum value, int *scale)
{
	int64		amount = 0;
	AmountDecoded decoded = AmountDecodeNumericDatum(value, &amount, scale);

	if (unlikely(decoded != AMOUNT_EXACT))
		AmountRefuse(decoded);
	return amount;
}

#endif							/* CRM_AMOUNT_H */
