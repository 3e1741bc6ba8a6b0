/*
 * attribution.h
 *		Credit: the rules that share an order among its touches, and the sums
 *		of such shares.
 *
 * This header and attribution_credit.c know nothing of the server, so that
 * they can be tested and fuzzed alone.
 */
#ifndef CRM_ATTRIBUTION_H
#define CRM_ATTRIBUTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crm_name_table.h"
#include "journey.h"

/*
 * An order is CREDIT_ONE units of credit, which the rules share out to the last
 * unit.  It is a power of two, and small enough for the units to be exact as
 * double precision: credits sum to 1 in any order of summation.
 */
#define CREDIT_ONE		(INT64_C(1) << 52)

/* in the order in which channels() lists them */
typedef enum CreditRule
{
	RULE_FIRST,
	RULE_LAST,
	RULE_LAST_NON_DIRECT,
	RULE_LINEAR,
	RULE_POSITION,
	RULE_TIME_DECAY,
	RULE_COUNT
} CreditRule;

extern const char *const credit_rule_names[RULE_COUNT];

typedef struct CreditTerms
{
	double		half_life;		/* microseconds, more than 0 */
	double		position[3];	/* first, middle together, last; not negative */
} CreditTerms;

extern bool credit_is_direct(const char *name, uint32_t length);
extern int32_t credit_winner(CreditRule rule, const Journey *journey, int32_t first,
							 int32_t count, const bool *direct);
extern void credit_share(CreditRule rule, const CreditTerms *terms, const Journey *journey,
						 int32_t first, int32_t count, const bool *direct, int64_t *shares);
extern void credit_by_weight(const double *weights, int32_t count, int64_t *shares);

/* A sum of products of two int64: 128 bits, two's complement. */
typedef struct WideSum
{
	int64_t		high;
	uint64_t	low;
} WideSum;

extern bool wide_add(WideSum *sum, WideSum other);
extern WideSum wide_product(int64_t amount, int64_t share);
extern int64_t wide_round(WideSum sum);
extern void wide_decimals(WideSum sum, int64_t *whole, int64_t *fraction);

/* What one channel has by one model. */
typedef struct CreditCell
{
	WideSum		conversions;	/* in units of 1/CREDIT_ONE orders */
	WideSum		value;			/* in units of 1/CREDIT_ONE of 1/10000 */
} CreditCell;

#define ATTRIBUTION_VERSION		1

/*
 * On disk and in memory.  After the cells, channel by channel, follow
 *
 *		uint32_t	ends[models + channels]		where each name ends in names
 *		char		names[]						of the models, then of the channels
 *
 * The channels ascend by their bytes.
 */
typedef struct Attribution
{
	int32_t		vl_len_;		/* of the server */
	uint8_t		version;		/* ATTRIBUTION_VERSION */
	uint8_t		zeroes[3];
	int32_t		models;
	int32_t		channels;
	CreditCell	cells[];
} Attribution;

static inline const uint32_t *
attribution_ends(const Attribution *a)
{
	return (const uint32_t *) (a->cells + (size_t) a->models * a->channels);
}

static inline const char *
attribution_names(const Attribution *a)
{
	return (const char *) (attribution_ends(a) + a->models + a->channels);
}

/* The name of a model, or of channel number - models. */
static inline const char *
attribution_name(const Attribution *a, int32_t number, uint32_t *length)
{
	return name_table_get(attribution_ends(a), attribution_names(a), number, length);
}

/* The number of a channel, -1 if it is not there. */
static inline int32_t
attribution_find_channel(const Attribution *a, const char *name, size_t length)
{
	int32_t		number = name_table_find(attribution_ends(a), attribution_names(a), a->models,
										 a->channels, name, length);

	return number < 0 ? -1 : number - a->models;
}

extern size_t attribution_text_size(const Attribution *a);
extern char *attribution_print(const Attribution *a, char *text);
extern bool cell_take(const char **s, CreditCell *cell);

#endif							/* CRM_ATTRIBUTION_H */
