/*
 * purchases_value.c
 *		The arithmetic of a purchases value, and its text and binary forms.
 *
 * No function here allocates, raises an error or knows the server.
 */
#include "purchases.h"

#include "crm_text.h"
#include "crm_time.h"

/* Make p the summary of no order at all. */
void
purchases_init(Purchases *p)
{
	memset(p, 0, sizeof(*p));
	p->version = PURCHASES_VERSION;
}

/*
 * Where periods are counted from.  Months: 2000-01-01, so that months,
 * quarters and years are those of date_trunc().  Days and below: Monday,
 * 2000-01-03, so that a week is ISO's.
 */
#define PERIOD_ORIGIN	(2 * INT64_C(86400000000))

/*
 * The start of the period that a time falls into, by the clock of UTC; false
 * if that is before the first of all times.  The period is greater than zero.
 */
bool
purchases_period_start(PurchasesUnit unit, int64_t period, int64_t at, int64_t *start)
{
	int64_t		past;

	if (unit == PURCHASES_MONTHS)
	{
		int64_t		month = time_month(at);

		past = month % period;
		return time_of_month(month - (past < 0 ? past + period : past), start);
	}
	past = (at - PERIOD_ORIGIN) % period;
	return !__builtin_sub_overflow(at, past < 0 ? past + period : past, start) &&
		*start >= PURCHASES_MIN_TIME;
}

/* When the purchase that an order of p belongs to was made. */
int64_t
purchases_time(const Purchases *p, int64_t ordered_at)
{
	int64_t		start = ordered_at;

	if (p->unit != PURCHASES_NO_PERIOD)
		(void) purchases_period_start(p->unit, p->period, ordered_at, &start);
	return start;
}

/* Count one purchase, once its amount is in the revenue. */
static PurchasesError
add_purchase(Purchases *p, int64_t ordered_at, int64_t purchase_at, int64_t amount)
{
	if (__builtin_add_overflow(p->orders, 1, &p->orders))
		return PURCHASES_SUM_TOO_LARGE;
	if (p->orders == 1)
	{
		p->first_order = p->last_order = ordered_at;
		p->first_value = amount;
		p->first_count = 1;
		return PURCHASES_OK;
	}
	if (purchase_at < purchases_first(p))
	{
		p->first_value = amount;
		p->first_count = 1;
	}
	else if (purchase_at == purchases_first(p) &&
			 (__builtin_add_overflow(p->first_value, amount, &p->first_value) ||
			  __builtin_add_overflow(p->first_count, 1, &p->first_count)))
		return PURCHASES_SUM_TOO_LARGE;
	if (ordered_at < p->first_order)
		p->first_order = ordered_at;
	if (ordered_at > p->last_order)
		p->last_order = ordered_at;
	return PURCHASES_OK;
}

static PurchasesError
add_refund(Purchases *p, int64_t amount)
{
	return __builtin_sub_overflow(p->refunds, amount, &p->refunds) ?
		PURCHASES_SUM_TOO_LARGE : PURCHASES_OK;
}

/*
 * The rare part of counting an order, once its amount is in the revenue: a
 * refund, the first order, one that is not after it, or one more of a value by
 * period, where it is a purchase of its own.
 */
PurchasesError
purchases_add_rest(Purchases *p, int64_t ordered_at, int64_t amount)
{
	int64_t		purchase_at = ordered_at;

	if (amount < 0)
		return add_refund(p, amount);
	if (p->unit != PURCHASES_NO_PERIOD &&
		!purchases_period_start(p->unit, p->period, ordered_at, &purchase_at))
		return PURCHASES_PERIOD_OUT_OF_RANGE;
	return add_purchase(p, ordered_at, purchase_at, amount);
}

/*
 * Count one order as a purchase at the start of its period, which is that of
 * all orders of p.  The caller counts the periods: orders and first_count
 * count orders here.
 */
PurchasesError
purchases_add_by_period(Purchases *p, PurchasesUnit unit, int64_t period,
						int64_t ordered_at, int64_t purchase_at, int64_t amount, int scale)
{
	if (scale > p->scale)
		p->scale = scale;
	if (__builtin_add_overflow(p->revenue, amount, &p->revenue))
		return PURCHASES_SUM_TOO_LARGE;
	if (amount < 0)
		return add_refund(p, amount);
	p->unit = unit;
	p->period = period;
	return add_purchase(p, ordered_at, purchase_at, amount);
}

/*
 * Add other to p: commutative and associative.  Both must have the same
 * period, or none, unless one has no orders.
 */
PurchasesError
purchases_merge(Purchases *p, const Purchases *other)
{
	int64_t		first;

	if (p->orders > 0 && other->orders > 0 &&
		(p->unit != other->unit || p->period != other->period))
		return PURCHASES_PERIODS_DIFFER;
	if (__builtin_add_overflow(p->revenue, other->revenue, &p->revenue) ||
		__builtin_add_overflow(p->refunds, other->refunds, &p->refunds))
		return PURCHASES_SUM_TOO_LARGE;
	if (other->scale > p->scale)
		p->scale = other->scale;
	if (other->orders == 0)
		return PURCHASES_OK;
	if (p->orders == 0)
	{
		p->unit = other->unit;
		p->period = other->period;
		p->orders = other->orders;
		p->first_order = other->first_order;
		p->last_order = other->last_order;
		p->first_value = other->first_value;
		p->first_count = other->first_count;
		return PURCHASES_OK;
	}

	first = purchases_first(other);
	if (first < purchases_first(p))
	{
		p->first_value = other->first_value;
		p->first_count = other->first_count;
	}
	else if (first == purchases_first(p) &&
			 (__builtin_add_overflow(p->first_value, other->first_value, &p->first_value) ||
			  __builtin_add_overflow(p->first_count, other->first_count, &p->first_count)))
		return PURCHASES_SUM_TOO_LARGE;
	if (other->first_order < p->first_order)
		p->first_order = other->first_order;
	if (other->last_order > p->last_order)
		p->last_order = other->last_order;
	return __builtin_add_overflow(p->orders, other->orders, &p->orders) ?
		PURCHASES_SUM_TOO_LARGE : PURCHASES_OK;
}

/* NULL, or what is wrong with a value that came from outside. */
const char *
purchases_check(const Purchases *p)
{
	uint64_t	gross;
	int64_t		grain;
	int64_t		start;

	if (p->version != PURCHASES_VERSION)
		return "its version is unknown";
	if (p->scale > PURCHASES_MAX_SCALE)
		return "it has more than four decimals";
	grain = text_power_of_ten(PURCHASES_MAX_SCALE - p->scale);
	if (p->revenue % grain != 0 || p->refunds % grain != 0 || p->first_value % grain != 0)
		return "its amounts have more decimals than it says";
	if (p->unit == PURCHASES_NO_PERIOD ? p->period != 0 :
		p->unit == PURCHASES_MONTHS ? p->period < 1 || p->period > INT32_MAX :
		p->unit != PURCHASES_MICROSECONDS || p->period < 1)
		return "its period is unknown";
	if (p->orders < 0)
		return "\"orders\" is negative";
	if (p->refunds < 0)
		return "\"refunds\" is negative";
	if (p->revenue < -p->refunds)
		return "\"revenue\" and \"refunds\" contradict each other";
	/* what was ordered; the sum of two int64_t that is not negative fits */
	gross = (uint64_t) p->revenue + (uint64_t) p->refunds;

	if (p->orders == 0)
	{
		if (gross != 0 || p->unit != PURCHASES_NO_PERIOD ||
			p->first_order != 0 || p->last_order != 0 ||
			p->first_value != 0 || p->first_count != 0)
			return "it has no orders, but what comes with orders";
		return NULL;
	}

	if (p->first_order < PURCHASES_MIN_TIME || p->last_order >= PURCHASES_END_TIME ||
		(p->unit != PURCHASES_NO_PERIOD && (p->first_order >= PURCHASES_END_TIME ||
											!purchases_period_start(p->unit, p->period, p->first_order, &start))))
		return "a time is out of range";
	if (p->last_order < p->first_order)
		return "\"last_order\" is before \"first_order\"";
	if (p->first_count < 1 || p->first_count > p->orders)
		return "\"first_count\" must be from 1 to \"orders\"";
	if (p->first_value < 0 || (uint64_t) p->first_value > gross)
		return "\"first_value\" must be from 0 to what was ordered";
	if ((p->first_count == p->orders) != (purchases_first(p) == purchases_last(p)))
		return "\"first_count\" and the times contradict each other";
	if (p->first_count == p->orders && (uint64_t) p->first_value != gross)
		return "\"first_value\" must be all that was ordered if nothing was bought later";
	return NULL;
}

/*
 * Text form
 *
 * JSON with fixed keys in a fixed order, independent of every setting:
 *
 * {"orders": 3, "revenue": 79.50, "refunds": 10.00,
 *  "first_order": "2025-03-01T09:30:00Z", "last_order": "2025-11-20T18:05:00Z",
 *  "first_value": 20.00, "first_count": 1}
 *
 * "period_months" or "period_microseconds" follows "last_order" if orders were
 * counted by period; without orders there are only the first three keys.
 */

static const char *const period_keys[] = {
	[PURCHASES_MONTHS] = "period_months",
	[PURCHASES_MICROSECONDS] = "period_microseconds"
};

/* Set what has fewer bits here than in the text and binary forms; false if that is too few. */
static bool
set_first_count(Purchases *p, int64_t count)
{
	p->first_count = (uint32_t) count;
	return p->first_count == count;
}

static char *
print_time(char *text, const char *key, int64_t at)
{
	return time_put(text + sprintf(text, ", \"%s\": ", key), at);
}

static char *
print_amount(char *text, const char *key, int64_t amount, int scale)
{
	text += sprintf(text, ", \"%s\": ", key);
	return text_put_amount(text, amount, scale);
}

/* Write the text form; text has room for PURCHASES_TEXT_SIZE bytes. */
void
purchases_print(const Purchases *p, char *text)
{
	text += sprintf(text, "{\"orders\": %lld", (long long) p->orders);
	text = print_amount(text, "revenue", p->revenue, p->scale);
	text = print_amount(text, "refunds", p->refunds, p->scale);
	if (p->orders > 0)
	{
		text = print_time(text, "first_order", p->first_order);
		text = print_time(text, "last_order", p->last_order);
		if (p->unit != PURCHASES_NO_PERIOD)
			text += sprintf(text, ", \"%s\": %lld", period_keys[p->unit], (long long) p->period);
		text = print_amount(text, "first_value", p->first_value, p->scale);
		text += sprintf(text, ", \"first_count\": %lld", (long long) p->first_count);
	}
	strcpy(text, "}");
}

/*
 * Read the text form.  Returns NULL, or what is wrong with it, as the detail
 * of an error message.
 */
const char *
purchases_parse(const char *text, Purchases *p)
{
	const char *s = text;
	int			scales[3] = {0, 0, 0};
	int			none;
	int64_t		first_count;

	purchases_init(p);
	if (!text_take(&s, "{") || !text_take_key(&s, "orders", true) ||
		!text_take_number(&s, 0, &p->orders, &none))
		return "it must begin with {\"orders\": and a whole number";
	if (!text_take_key(&s, "revenue", false) ||
		!text_take_number(&s, PURCHASES_MAX_SCALE, &p->revenue, &scales[0]))
		return "\"revenue\", a number of up to four decimals, must follow";
	if (!text_take_key(&s, "refunds", false) ||
		!text_take_number(&s, PURCHASES_MAX_SCALE, &p->refunds, &scales[1]))
		return "\"refunds\", a number of up to four decimals, must follow";
	scales[2] = scales[0];
	if (p->orders > 0)
	{
		if (!text_take_key(&s, "first_order", false) || !time_take(&s, &p->first_order))
			return "\"first_order\", a time like \"2025-03-01T09:30:00Z\", must follow";
		if (!text_take_key(&s, "last_order", false) || !time_take(&s, &p->last_order))
			return "\"last_order\", a time like \"2025-03-01T09:30:00Z\", must follow";
		for (int unit = PURCHASES_MONTHS; unit <= PURCHASES_MICROSECONDS; unit++)
			if (p->unit == PURCHASES_NO_PERIOD && text_take_key(&s, period_keys[unit], false))
			{
				p->unit = unit;
				if (!text_take_number(&s, 0, &p->period, &none))
					return "a period must be a whole number";
			}
		if (!text_take_key(&s, "first_value", false) ||
			!text_take_number(&s, PURCHASES_MAX_SCALE, &p->first_value, &scales[2]))
			return "\"first_value\", a number of up to four decimals, must follow";
		if (!text_take_key(&s, "first_count", false) ||
			!text_take_number(&s, 0, &first_count, &none) || !set_first_count(p, first_count))
			return "\"first_count\", a whole number below 4294967296, must follow";
	}
	if (!text_take(&s, "}") || *text_skip_space(s) != '\0')
		return "it must end with }";
	if (scales[1] != scales[0] || scales[2] != scales[0])
		return "its amounts must have the same number of decimals";
	p->scale = scales[0];
	return purchases_check(p);
}

/* Write the binary form, PURCHASES_WIRE_SIZE bytes. */
void
purchases_to_wire(const Purchases *p, unsigned char *wire)
{
	*wire++ = p->version;
	*wire++ = p->scale;
	*wire++ = p->unit;
	wire = wire_put_int64(wire, p->orders);
	wire = wire_put_int64(wire, p->revenue);
	wire = wire_put_int64(wire, p->refunds);
	wire = wire_put_int64(wire, p->first_order);
	wire = wire_put_int64(wire, p->last_order);
	wire = wire_put_int64(wire, p->period);
	wire = wire_put_int64(wire, p->first_value);
	wire_put_int64(wire, p->first_count);
}

/* Read the binary form.  Returns NULL, or what is wrong with it. */
const char *
purchases_from_wire(const unsigned char *wire, size_t length, Purchases *p)
{
	int64_t		first_count;

	if (length != PURCHASES_WIRE_SIZE)
		return "its length is wrong";
	purchases_init(p);
	p->version = *wire++;
	p->scale = *wire++;
	p->unit = *wire++;
	wire = wire_get_int64(wire, &p->orders);
	wire = wire_get_int64(wire, &p->revenue);
	wire = wire_get_int64(wire, &p->refunds);
	wire = wire_get_int64(wire, &p->first_order);
	wire = wire_get_int64(wire, &p->last_order);
	wire = wire_get_int64(wire, &p->period);
	wire = wire_get_int64(wire, &p->first_value);
	wire_get_int64(wire, &first_count);
	if (!set_first_count(p, first_count))
		return "\"first_count\" is out of range";
	return purchases_check(p);
}
