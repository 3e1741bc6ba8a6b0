/*
 * attribution_credit.c
 *		The rules, exact sums of what they give, and the text form of those.
 *
 * No function here allocates, raises an error or knows the server.
 */
#include "attribution.h"

#include <math.h>

#include "crm_text.h"

const char *const credit_rule_names[RULE_COUNT] = {
	"first", "last", "last_non_direct", "linear", "position", "time_decay"
};

/*
 * Share an order in proportion to weights that are not negative, and not all
 * zero.  What a touch gets is the difference between two rounded running sums,
 * and so off by less than a unit, and nothing is lost in between.
 */
void
credit_by_weight(const double *weights, int32_t count, int64_t *shares)
{
	double		total = 0;
	double		sum = 0;
	int64_t		given = 0;

	for (int32_t i = 0; i < count; i++)
		total += weights[i];
	for (int32_t i = 0; i < count; i++)
	{
		int64_t		until;

		sum += weights[i];
		until = i + 1 == count ? CREDIT_ONE : (int64_t) (sum / total * CREDIT_ONE);
		if (until > CREDIT_ONE)
			until = CREDIT_ONE;
		shares[i] = until - given;
		given = until;
	}
}

/* The same units for each, the last ones one more where it does not divide. */
static void
share_evenly(int64_t amount, int32_t count, int64_t *shares)
{
	int64_t		each = amount / count;
	int64_t		rest = amount % count;

	for (int32_t i = 0; i < count; i++)
		shares[i] = each + (i >= count - rest);
}

static void
share_by_position(const double *weights, int32_t count, int64_t *shares)
{
	double		ends = weights[0] + weights[2];
	double		total = ends + (count > 2 ? weights[1] : 0);

	if (count == 1)
		shares[0] = CREDIT_ONE;
	else if (total <= 0)
	{
		/* two touches, and all weight on what lies between */
		shares[0] = CREDIT_ONE / 2;
		shares[1] = CREDIT_ONE - shares[0];
	}
	else
	{
		shares[0] = (int64_t) (weights[0] / total * CREDIT_ONE);
		shares[count - 1] = count == 2 ? CREDIT_ONE - shares[0] :
			(int64_t) (weights[2] / total * CREDIT_ONE);
		if (count > 2)
		{
			int64_t		middle = CREDIT_ONE - shares[0] - shares[count - 1];

			/* no weight in the middle: what rounding left goes to the end that has some */
			if (weights[1] <= 0)
			{
				shares[weights[2] > 0 ? count - 1 : 0] += middle;
				middle = 0;
			}
			share_evenly(middle, count - 2, shares + 1);
		}
	}
}

static void
share_by_age(double half_life, const int64_t *at, int32_t count, int64_t *shares)
{
	double		total = 0;
	double		sum = 0;
	double		weight;
	int64_t		given = 0;

	/* counted from the last touch, which has weight 1, so that none overflows */
	for (int32_t i = 0; i < count - 1; i++)
	{
		weight = exp2(((double) at[i] - (double) at[count - 1]) / half_life);
		total += weight;
		memcpy(&shares[i], &weight, sizeof(weight));
	}
	total += 1;
	for (int32_t i = 0; i < count - 1; i++)
	{
		int64_t		until;

		memcpy(&weight, &shares[i], sizeof(weight));
		sum += weight;
		until = (int64_t) (sum / total * CREDIT_ONE);
		shares[i] = until - given;
		given = until;
	}
	shares[count - 1] = CREDIT_ONE - given;
}

/*
 * Whether a name is that of a direct visit: "direct", or that and a unit
 * separator, after which follows what tells one from another.
 */
bool
credit_is_direct(const char *name, uint32_t length)
{
	static const char direct[] = "direct\x1F";
	const uint32_t size = sizeof(direct) - 2;

	return (length == size || (length > size && name[size] == direct[size])) &&
		memcmp(name, direct, size) == 0;
}

/*
 * The touch that gets all of the order by a rule that does not share it, -1 by
 * the others.  Arguments are as below; counted from `first` on.
 */
int32_t
credit_winner(CreditRule rule, const Journey *journey, int32_t first, int32_t count,
			  const bool *direct)
{
	switch (rule)
	{
		case RULE_FIRST:
			return 0;
		case RULE_LAST:
			return count - 1;
		case RULE_LAST_NON_DIRECT:
			for (int32_t i = count - 1; i >= 0; i--)
				if (!direct[journey_channel(journey, first + i)])
					return i;
			return count - 1;
		default:
			return -1;
	}
}

/*
 * Share an order among `count` touches of a journey, at least one, from `first`
 * on.  direct tells of each of its channels whether it is one that
 * last_non_direct passes over.  The shares sum to CREDIT_ONE.
 */
void
credit_share(CreditRule rule, const CreditTerms *terms, const Journey *journey,
			 int32_t first, int32_t count, const bool *direct, int64_t *shares)
{
	int32_t		winner;

	switch (rule)
	{
		case RULE_LINEAR:
			share_evenly(CREDIT_ONE, count, shares);
			return;
		case RULE_POSITION:
			share_by_position(terms->position, count, shares);
			return;
		case RULE_TIME_DECAY:
			share_by_age(terms->half_life, journey->at + first, count, shares);
			return;
		default:
			winner = credit_winner(rule, journey, first, count, direct);
			memset(shares, 0, sizeof(int64_t) * (size_t) count);
			shares[winner] = CREDIT_ONE;
	}
}

/*
 * Add to a sum; false if it is then out of range, which is that of a product
 * of an int64 and CREDIT_ONE.
 */
bool
wide_add(WideSum *sum, WideSum other)
{
	sum->low += other.low;
	sum->high += other.high + (sum->low < other.low);
	return sum->high >= -(INT64_C(1) << 51) && sum->high < INT64_C(1) << 51;
}

/* The product of any amount and a share, from 0 to CREDIT_ONE. */
WideSum
wide_product(int64_t amount, int64_t share)
{
	uint64_t	size = amount < 0 ? -(uint64_t) amount : (uint64_t) amount;
	uint64_t	low = (size & 0xFFFFFFFF) * ((uint64_t) share & 0xFFFFFFFF);
	uint64_t	cross = (size >> 32) * ((uint64_t) share & 0xFFFFFFFF) + (low >> 32);
	uint64_t	other = (size & 0xFFFFFFFF) * ((uint64_t) share >> 32) + (cross & 0xFFFFFFFF);
	WideSum		product;

	product.low = other << 32 | (low & 0xFFFFFFFF);
	product.high = (int64_t) ((size >> 32) * ((uint64_t) share >> 32) + (cross >> 32) + (other >> 32));
	if (amount < 0)
	{
		product.low = -product.low;
		product.high = ~product.high + (product.low == 0);
	}
	return product;
}

/* The sum divided by CREDIT_ONE, rounded down, and what is left. */
static int64_t
wide_split(WideSum sum, int64_t *rest)
{
	*rest = (int64_t) (sum.low & (uint64_t) (CREDIT_ONE - 1));
	return (int64_t) ((uint64_t) sum.high << 12 | sum.low >> 52);
}

/* The sum divided by CREDIT_ONE, rounded half up, but for the end of the range. */
int64_t
wide_round(WideSum sum)
{
	int64_t		rest;
	int64_t		whole = wide_split(sum, &rest);

	return whole + (rest >= CREDIT_ONE / 2 && whole < INT64_MAX);
}

/* The sum divided by CREDIT_ONE: its whole part, and 10^12 times the rest, rounded: up to 10^12. */
void
wide_decimals(WideSum sum, int64_t *whole, int64_t *fraction)
{
	int64_t		rest;

	*whole = wide_split(sum, &rest);
	*fraction = wide_round(wide_product(INT64_C(1000000000000), rest));
}

/*
 * Text form
 *
 * {"models": ["first", "last"],
 *  "channels": [["email", [3, 0, 597000, 0], [2, 2251799813685248, 398000, 0]]]}
 *
 * A channel has four whole numbers for each model: orders and value, each as
 * its whole part (of value, in 1/10000) and the rest, in units of 2^-52.
 */

/* Enough for the text form, with its closing zero. */
size_t
attribution_text_size(const Attribution *a)
{
	size_t		size = 64;

	for (int32_t i = 0; i < a->models + a->channels; i++)
	{
		uint32_t	length;
		const char *name = attribution_name(a, i, &length);

		size += name_text_size(name, length) + 6;
	}
	return size + (size_t) a->models * a->channels * (4 * 22 + 4);
}

static char *
sum_put(char *text, WideSum sum)
{
	int64_t		rest;
	int64_t		whole = wide_split(sum, &rest);

	return text + sprintf(text, "%lld, %lld", (long long) whole, (long long) rest);
}

/* Write the text form, terminated; its end. */
char *
attribution_print(const Attribution *a, char *text)
{
	uint32_t	length;
	const char *name;

	text += sprintf(text, "{\"models\": [");
	for (int32_t i = 0; i < a->models; i++)
	{
		name = attribution_name(a, i, &length);
		if (i > 0)
			text += sprintf(text, ", ");
		text = name_put(text, name, length);
	}
	text += sprintf(text, "], \"channels\": [");
	for (int32_t i = 0; i < a->channels; i++)
	{
		name = attribution_name(a, a->models + i, &length);
		text += sprintf(text, i > 0 ? ", [" : "[");
		text = name_put(text, name, length);
		for (int32_t j = 0; j < a->models; j++)
		{
			const CreditCell *cell = &a->cells[(size_t) i * a->models + j];

			text += sprintf(text, ", [");
			text = sum_put(text, cell->conversions);
			text += sprintf(text, ", ");
			text = sum_put(text, cell->value);
			*text++ = ']';
		}
		*text++ = ']';
	}
	return text + sprintf(text, "]}");
}

static bool
sum_take(const char **s, WideSum *sum)
{
	int64_t		whole;
	int64_t		rest;
	int			none;

	if (!text_take_number(s, 0, &whole, &none) || !text_take(s, ",") ||
		!text_take_number(s, 0, &rest, &none) || rest < 0 || rest >= CREDIT_ONE)
		return false;
	sum->high = whole >> 12;
	sum->low = (uint64_t) whole << 52 | (uint64_t) rest;
	return true;
}

/* Step over `, [3, 0, 597000, 0]` */
bool
cell_take(const char **s, CreditCell *cell)
{
	return text_take(s, ",") && text_take(s, "[") && sum_take(s, &cell->conversions) &&
		text_take(s, ",") && sum_take(s, &cell->value) && text_take(s, "]");
}
