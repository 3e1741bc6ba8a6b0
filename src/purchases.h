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

/* What a period is counted in: a month has no fixed length. */
typedef enum PurchasesUnit
{
	PURCHASES_NO_PERIOD = 0,
	PURCHASES_MONTHS,
	PURCHASES_MICROSECONDS
} PurchasesUnit;

/*
 * On disk, in memory and over the wire (there field by field, big-endian).
 * The size never changes after 1.0.
 *
 * A purchase is an order, or all the orders of one period where the caller
 * asked for periods.  A purchase's time is the order's own, or the start of
 * its period: purchases_first() and purchases_last().
 *
 * It is one cache line, and what an order in the middle of a history changes
 * comes first: with millions of customers the time to count an order is the
 * time to fetch its line, and the time to begin a customer that of clearing it.
 *
 * While orders is 0 all but the version, the scale and the money is 0.
 */
typedef struct Purchases
{
	uint8_t		version;		/* PURCHASES_VERSION */
	uint8_t		scale;			/* decimals to show: the most seen, 0 to 4 */
	uint8_t		unit;			/* PurchasesUnit of the period */
	uint8_t		spare;			/* zero */
	uint32_t	first_count;	/* purchases that share the first's moment */
	int64_t		orders;			/* purchases, refunds not counted */
	int64_t		revenue;		/* net of refunds */
	int64_t		first_order;
	int64_t		last_order;
	int64_t		refunds;		/* positive sum of the negative amounts */
	int64_t		first_value;	/* sum of what was bought at the first purchase */
	int64_t		period;			/* so many units; 0 without a period */
} Purchases;

#define PURCHASES_SIZE	64

/* What can be wrong with an order. */
typedef enum PurchasesError
{
	PURCHASES_OK = 0,
	PURCHASES_TIME_NOT_FINITE,
	PURCHASES_PERIOD_OUT_OF_RANGE,
	PURCHASES_PERIODS_DIFFER,
	PURCHASES_SUM_TOO_LARGE
} PurchasesError;

extern void purchases_init(Purchases *p);
extern bool purchases_period_start(PurchasesUnit unit, int64_t period,
								   int64_t at, int64_t *start);
extern int64_t purchases_time(const Purchases *p, int64_t ordered_at);
extern PurchasesError purchases_add_rest(Purchases *p, int64_t ordered_at, int64_t amount);
extern PurchasesError purchases_add_by_period(Purchases *p, PurchasesUnit unit, int64_t period,
											  int64_t ordered_at, int64_t purchase_at,
											  int64_t amount, int scale);
extern PurchasesError purchases_merge(Purchases *p, const Purchases *other);
extern const char *purchases_check(const Purchases *p);

/* the longest text form, with its closing zero */
#define PURCHASES_TEXT_SIZE		512
extern void purchases_print(const Purchases *p, char *text);
extern const char *purchases_parse(const char *text, Purchases *p);

/* the binary form has no spare bytes, and room for more at the first moment */
#define PURCHASES_WIRE_SIZE		(3 + 8 * 8)
extern void purchases_to_wire(const Purchases *p, unsigned char *wire);
extern const char *purchases_from_wire(const unsigned char *wire, size_t length,
									   Purchases *p);

/*
 * Count one order, or one refund (a negative amount), which moves money only.
 *
 * On an error p may be half updated and must not be used again.
 */
static inline PurchasesError
purchases_add(Purchases *p, int64_t ordered_at, int64_t amount, int scale)
{
	if (ordered_at < PURCHASES_MIN_TIME || ordered_at >= PURCHASES_END_TIME)
		return PURCHASES_TIME_NOT_FINITE;
	if (scale > p->scale)
		p->scale = scale;

	if (__builtin_add_overflow(p->revenue, amount, &p->revenue))
		return PURCHASES_SUM_TOO_LARGE;
	if (amount >= 0 && p->orders > 0 && ordered_at > p->first_order && p->unit == PURCHASES_NO_PERIOD)
	{
		if (__builtin_add_overflow(p->orders, 1, &p->orders))
			return PURCHASES_SUM_TOO_LARGE;
		if (ordered_at > p->last_order)
			p->last_order = ordered_at;
		return PURCHASES_OK;
	}
	return purchases_add_rest(p, ordered_at, amount);
}

/* The time of the first and of the last purchase. */
static inline int64_t
purchases_first(const Purchases *p)
{
	return p->unit == PURCHASES_NO_PERIOD ? p->first_order : purchases_time(p, p->first_order);
}

static inline int64_t
purchases_last(const Purchases *p)
{
	return p->unit == PURCHASES_NO_PERIOD ? p->last_order : purchases_time(p, p->last_order);
}

/*
 * Microseconds from the first purchase to the last: unsigned, since all of
 * time is a little longer than an int64_t can tell.
 */
static inline uint64_t
purchases_active(const Purchases *p)
{
	return (uint64_t) purchases_last(p) - (uint64_t) purchases_first(p);
}

/* x of the BTYD literature: purchases after the first */
static inline int64_t
purchases_repeats(const Purchases *p)
{
	return p->orders > 0 ? p->orders - 1 : 0;
}

#endif							/* CRM_PURCHASES_H */
