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

/* From here on p keeps the times of its purchases. */
static void
keep_periods(Purchases *p)
{
	p->first_purchase = p->first_order;
	p->last_purchase = p->last_order;
	p->by_period = 1;
}

/*
 * The rare part of counting an order, once its amount is in the revenue: a
 * refund, the first order, one that is not after it, or one with a period.
 */
PurchasesError
purchases_add_rest(Purchases *p, int64_t ordered_at, int64_t purchase_at, int64_t amount)
{
	if (amount < 0)
		return __builtin_sub_overflow(p->refunds, amount, &p->refunds) ?
			PURCHASES_SUM_TOO_LARGE : PURCHASES_OK;

	if (__builtin_add_overflow(p->orders, 1, &p->orders))
		return PURCHASES_SUM_TOO_LARGE;
	if (p->orders == 1)
	{
		p->first_order = p->last_order = ordered_at;
		if (p->by_period)
			p->first_purchase = p->last_purchase = purchase_at;
		p->first_value = amount;
		p->first_count = 1;
		return PURCHASES_OK;
	}
	if (purchase_at < purchases_first(p))
	{
		p->first_value = amount;
		p->first_count = 1;
	}
	else if (purchase_at == purchases_first(p))
	{
		if (__builtin_add_overflow(p->first_value, amount, &p->first_value))
			return PURCHASES_SUM_TOO_LARGE;
		p->first_count++;
	}
	if (ordered_at < p->first_order)
		p->first_order = ordered_at;
	if (ordered_at > p->last_order)
		p->last_order = ordered_at;
	if (p->by_period)
	{
		if (purchase_at < p->first_purchase)
			p->first_purchase = purchase_at;
		if (purchase_at > p->last_purchase)
			p->last_purchase = purchase_at;
	}
	return PURCHASES_OK;
}

/*
 * Count one order as a purchase at the start of its period.  The caller counts
 * the periods: orders and first_count count orders here.
 */
PurchasesError
purchases_add_by_period(Purchases *p, int64_t ordered_at, int64_t purchase_at,
						int64_t amount, int scale)
{
	if (ordered_at < PURCHASES_MIN_TIME || ordered_at >= PURCHASES_END_TIME)
		return PURCHASES_TIME_NOT_FINITE;
	if (scale > p->scale)
		p->scale = scale;
	if (__builtin_add_overflow(p->revenue, amount, &p->revenue))
		return PURCHASES_SUM_TOO_LARGE;
	if (amount >= 0 && !p->by_period)
		keep_periods(p);
	return purchases_add_rest(p, ordered_at, purchase_at, amount);
}

/*
 * Add other to p: commutative and associative.
 */
PurchasesError
purchases_merge(Purchases *p, const Purchases *other)
{
	int64_t		first;
	int64_t		last;

	if (__builtin_add_overflow(p->revenue, other->revenue, &p->revenue) ||
		__builtin_add_overflow(p->refunds, other->refunds, &p->refunds))
		return PURCHASES_SUM_TOO_LARGE;
	if (other->scale > p->scale)
		p->scale = other->scale;
	if (other->by_period && !p->by_period)
		keep_periods(p);
	if (other->orders == 0)
		return PURCHASES_OK;

	first = purchases_first(other);
	last = purchases_last(other);
	if (p->orders == 0)
	{
		p->first_order = other->first_order;
		p->last_order = other->last_order;
		p->first_value = other->first_value;
		p->first_count = other->first_count;
		p->orders = other->orders;
		if (p->by_period)
		{
			p->first_purchase = first;
			p->last_purchase = last;
		}
		return PURCHASES_OK;
	}

	if (first < purchases_first(p))
	{
		p->first_value = other->first_value;
		p->first_count = other->first_count;
	}
	else if (first == purchases_first(p))
	{
		if (__builtin_add_overflow(p->first_value, other->first_value, &p->first_value) ||
			__builtin_add_overflow(p->first_count, other->first_count, &p->first_count))
			return PURCHASES_SUM_TOO_LARGE;
	}
	if (other->first_order < p->first_order)
		p->first_order = other->first_order;
	if (other->last_order > p->last_order)
		p->last_order = other->last_order;
	if (p->by_period)
	{
		if (first < p->first_purchase)
			p->first_purchase = first;
		if (last > p->last_purchase)
			p->last_purchase = last;
	}
	return __builtin_add_overflow(p->orders, other->orders, &p->orders) ?
		PURCHASES_SUM_TOO_LARGE : PURCHASES_OK;
}

/* NULL, or what is wrong with a value that came from outside. */
const char *
purchases_check(const Purchases *p)
{
	uint64_t	gross;
	int64_t		grain;

	if (p->version != PURCHASES_VERSION)
		return "its version is unknown";
	if (p->scale > PURCHASES_MAX_SCALE)
		return "it has more than four decimals";
	grain = text_power_of_ten(PURCHASES_MAX_SCALE - p->scale);
	if (p->revenue % grain != 0 || p->refunds % grain != 0 || p->first_value % grain != 0)
		return "its amounts have more decimals than it says";
	if (p->by_period > 1)
		return "its periods are unknown";
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
		if (gross != 0 || p->by_period ||
			p->first_order != 0 || p->last_order != 0 ||
			p->first_purchase != 0 || p->last_purchase != 0 ||
			p->first_value != 0 || p->first_count != 0)
			return "it has no orders, but what comes with orders";
		return NULL;
	}

	if (p->first_order < PURCHASES_MIN_TIME || p->last_order >= PURCHASES_END_TIME ||
		purchases_first(p) < PURCHASES_MIN_TIME)
		return "a time is out of range";
	if (p->last_order < p->first_order)
		return "\"last_order\" is before \"first_order\"";
	if (!p->by_period && (p->first_purchase != 0 || p->last_purchase != 0))
		return "it has times of purchases, but no periods";
	if (purchases_last(p) < purchases_first(p) ||
		purchases_first(p) > p->first_order || purchases_last(p) > p->last_order)
		return "\"first_purchase\" or \"last_purchase\" is out of order";
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
 * "first_purchase" and "last_purchase" follow "last_order" if orders were
 * counted by period; without orders there are only the first three keys.
 */

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
		if (p->by_period)
		{
			text = print_time(text, "first_purchase", p->first_purchase);
			text = print_time(text, "last_purchase", p->last_purchase);
		}
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
		if (text_take_key(&s, "first_purchase", false))
		{
			p->by_period = 1;
			if (!time_take(&s, &p->first_purchase))
				return "\"first_purchase\" must be a time like \"2025-03-01T09:30:00Z\"";
			if (!text_take_key(&s, "last_purchase", false) || !time_take(&s, &p->last_purchase))
				return "\"last_purchase\", a time like \"2025-03-01T09:30:00Z\", must follow";
		}
		if (!text_take_key(&s, "first_value", false) ||
			!text_take_number(&s, PURCHASES_MAX_SCALE, &p->first_value, &scales[2]))
			return "\"first_value\", a number of up to four decimals, must follow";
		if (!text_take_key(&s, "first_count", false) ||
			!text_take_number(&s, 0, &p->first_count, &none))
			return "\"first_count\", a whole number, must follow";
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
	*wire++ = p->by_period;
	wire = wire_put_int64(wire, p->orders);
	wire = wire_put_int64(wire, p->revenue);
	wire = wire_put_int64(wire, p->refunds);
	wire = wire_put_int64(wire, p->first_order);
	wire = wire_put_int64(wire, p->last_order);
	wire = wire_put_int64(wire, p->first_purchase);
	wire = wire_put_int64(wire, p->last_purchase);
	wire = wire_put_int64(wire, p->first_value);
	wire_put_int64(wire, p->first_count);
}

/* Read the binary form.  Returns NULL, or what is wrong with it. */
const char *
purchases_from_wire(const unsigned char *wire, size_t length, Purchases *p)
{
	if (length != PURCHASES_WIRE_SIZE)
		return "its length is wrong";
	purchases_init(p);
	p->version = *wire++;
	p->scale = *wire++;
	p->by_period = *wire++;
	wire = wire_get_int64(wire, &p->orders);
	wire = wire_get_int64(wire, &p->revenue);
	wire = wire_get_int64(wire, &p->refunds);
	wire = wire_get_int64(wire, &p->first_order);
	wire = wire_get_int64(wire, &p->last_order);
	wire = wire_get_int64(wire, &p->first_purchase);
	wire = wire_get_int64(wire, &p->last_purchase);
	wire = wire_get_int64(wire, &p->first_value);
	wire_get_int64(wire, &p->first_count);
	return purchases_check(p);
}
