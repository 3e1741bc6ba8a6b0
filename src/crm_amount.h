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

/* What a numeric is as an amount. */
typedef enum AmountDecoded
{
	AMOUNT_EXACT,
	AMOUNT_TOO_FINE,			/* more than four decimals */
	AMOUNT_OUT_OF_RANGE,
	AMOUNT_NOT_FINITE
} AmountDecoded;

extern AmountDecoded AmountDecodeNumericDatum(Datum value, int64 *result, int *scale);
extern int64 AmountFromNumericDatum(Datum value, int *scale);
extern int64 AmountFromFloat8(double value, int *scale);
extern Numeric AmountToNumeric(int64 amount, int scale);

#endif							/* CRM_AMOUNT_H */
