/*
 * purchases.h
 *		What a customer has bought: a summary of fixed size that can be
 *		updated in place, merged and stored.
 *
 * This header and purchases_value.c know nothing of the server, so that they
 * can be tested and fuzzed alone.
 */
#ifndef CRM_PURCHASES_H
#define CRM_PURCHASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Amounts are counted in units of 1/10000, numeric's own digit after the point. */
#define PURCHASES_MAX_SCALE		4
#define PURCHASES_UNIT			10000

/* Times are microseconds since 2000-01-01 00:00 UTC, as in timestamptz. */
#define PURCHASES_MIN_TIME		INT64_C(-211813488000000000)	/* 4714-11-24 BC */
#define PURCHASES_END_TIME		INT64_C(9223371331200000000)	/* 294277-01-01 */

#define PURCHASES_VERSION		1

/*
 * On disk, in memory and over the wire (there field by field, big-endian).
 * The size never changes after 1.0; what is new goes where the zeroes are.
 *
 * A purchase is an order, or all the orders of one period where the caller
 * asked for periods.  Then a purchase's time is the start of its period, and
 * first_purchase <= first_order; else the two are the same.
 *
 * While orders is 0 the four times are 0 and mean nothing.
 */
typedef struct Purchases
{
	uint8_t		version;		/* PURCHASES_VERSION */
	uint8_t		scale;			/* decimals to show: the most seen, 0 to 4 */
	uint8_t		zeroes[6];
	int64_t		orders;			/* purchases, refunds not counted */
	int64_t		revenue;		/* net of refunds */
	int64_t		refunds;		/* positive sum of the negative amounts */
	int64_t		first_order;
	int64_t		last_order;
	int64_t		first_purchase;
	int64_t		last_purchase;
	int64_t		first_value;	/* sum of what was ordered at first_purchase */
	int64_t		first_count;	/* purchases that share that moment */
	uint8_t		spare[16];		/* zeroed */
} Purchases;

#define PURCHASES_SIZE	96

/* What can be wrong with an order. */
typedef enum PurchasesError
{
	PURCHASES_OK = 0,
	PURCHASES_TIME_NOT_FINITE,
	PURCHASES_SUM_TOO_LARGE
} PurchasesError;

extern void purchases_init(Purchases *p);
extern PurchasesError purchases_add(Purchases *p, int64_t ordered_at,
									int64_t purchase_at, int64_t amount, int scale);
extern PurchasesError purchases_merge(Purchases *p, const Purchases *other);
extern const char *purchases_check(const Purchases *p);

/* the longest text form, with its closing zero */
#define PURCHASES_TEXT_SIZE		512
extern void purchases_print(const Purchases *p, char *text);
extern const char *purchases_parse(const char *text, Purchases *p);

/* the binary form has no padding and no spare bytes */
#define PURCHASES_WIRE_SIZE		(2 + 9 * 8)
extern void purchases_to_wire(const Purchases *p, unsigned char *wire);
extern const char *purchases_from_wire(const unsigned char *wire, size_t length,
									   Purchases *p);

/* x of the BTYD literature: purchases after the first */
static inline int64_t
purchases_repeats(const Purchases *p)
{
	return p->orders > 0 ? p->orders - 1 : 0;
}

#endif							/* CRM_PURCHASES_H */
