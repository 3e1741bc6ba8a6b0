/*
 * purchases.c
 *		Fuzz target: the purchases value, its text and binary forms.
 */
#include "fuzz.h"

#include "../../src/crm_time.c"
#include "../../src/purchases_value.c"

#define SEVEN	"\0\0\0\0\0\0\0"
#define ZERO	SEVEN "\0"

const FuzzSeed fuzz_seeds[] = {
	SEED("t{\"orders\": 0, \"revenue\": 0, \"refunds\": 0}"),
	SEED("t{\"orders\": 3, \"revenue\": 79.50, \"refunds\": 10.00, "
		 "\"first_order\": \"2025-03-01T09:30:00Z\", \"last_order\": \"2025-11-20T18:05:00.000001Z\", "
		 "\"first_value\": 20.00, \"first_count\": 1}"),
	SEED("t{\"orders\": 2, \"revenue\": -1.0000, \"refunds\": 3.0000, "
		 "\"first_order\": \"-4713-11-24T00:00:00Z\", \"last_order\": \"294276-12-31T23:59:59.999999Z\", "
		 "\"period_microseconds\": 86400000000, "
		 "\"first_value\": 2.0000, \"first_count\": 1}"),
	SEED("t{\"orders\": 1, \"revenue\": 922337203685477.5807, \"refunds\": 0.0000, "
		 "\"first_order\": \"2000-02-29T00:00:00Z\", \"last_order\": \"2000-02-29T00:00:00Z\", "
		 "\"first_value\": 922337203685477.5807, \"first_count\": 1}"),
	SEED("t{\"orders\": 2, \"revenue\": 4.5, \"refunds\": 0.0, "
		 "\"first_order\": \"-4713-12-24T00:00:00Z\", \"last_order\": \"2025-12-31T23:59:59Z\", "
		 "\"period_months\": 3, \"first_value\": 2.0, \"first_count\": 1}"),
	/* version, scale, unit; orders, revenue, refunds, first and last order, period, first value and count */
	SEED("b\1\0\0" ZERO ZERO ZERO ZERO ZERO ZERO ZERO ZERO),
	SEED("b\1\4\0" SEVEN "\2" SEVEN "\5" SEVEN "\1" SEVEN "\7" SEVEN "\x9" ZERO SEVEN "\3" SEVEN "\1"),
	SEED("b\1\4\2" SEVEN "\2" SEVEN "\5" SEVEN "\1" SEVEN "\7" SEVEN "\x9" SEVEN "\1" SEVEN "\3" SEVEN "\1"),
	SEED("o\2\0\0\0\0\1\0\0\0\1\3\0\0\0\0\2\0\0\0\2\4\xFF\xFF\xFF\xFF\x80\x80\0\0\3"),
	{NULL, 0}
};

static bool
same(const Purchases *a, const Purchases *b)
{
	return memcmp(a, b, sizeof(Purchases)) == 0;
}

/* What must hold of every good value. */
static void
check_value(const Purchases *p)
{
	char		text[PURCHASES_TEXT_SIZE];
	unsigned char wire[PURCHASES_WIRE_SIZE];
	Purchases	again;

	CHECK(purchases_check(p) == NULL);
	purchases_print(p, text);
	CHECK(strlen(text) < sizeof(text));
	CHECK(purchases_parse(text, &again) == NULL);
	CHECK(same(p, &again));
	purchases_to_wire(p, wire);
	CHECK(purchases_from_wire(wire, sizeof(wire), &again) == NULL);
	CHECK(same(p, &again));
}

/* p and an empty value are p, both ways; p and p, if that fits, is good. */
static void
check_merge(const Purchases *p)
{
	Purchases	sum;

	purchases_init(&sum);
	CHECK(purchases_merge(&sum, p) == PURCHASES_OK && same(&sum, p));
	purchases_init(&sum);
	{
		Purchases	left = *p;

		CHECK(purchases_merge(&left, &sum) == PURCHASES_OK && same(&left, p));
	}
	sum = *p;
	if (purchases_merge(&sum, p) == PURCHASES_OK)
		check_value(&sum);
}

/* An order as the aggregates count it; false if it does not fit. */
static bool
count_order(Purchases *p, PurchasesUnit unit, int64_t period, int64_t at, int64_t start, int64_t amount, int scale)
{
	return (unit == PURCHASES_NO_PERIOD ? purchases_add(p, at, amount, scale) :
			purchases_add_by_period(p, unit, period, at, start, amount, scale)) == PURCHASES_OK;
}

/* The start of a period, by its definition: none is later, and none nearer. */
static void
check_start(PurchasesUnit unit, int64_t period, int64_t at, int64_t start)
{
	int64_t		again;

	CHECK(start <= at);
	CHECK(purchases_period_start(unit, period, start, &again) && again == start);
	if (unit == PURCHASES_MICROSECONDS)
		CHECK((uint64_t) at - (uint64_t) start < (uint64_t) period &&
			  (start - INT64_C(172800000000)) % period == 0);
	else
		CHECK(time_month(start) % period == 0 && time_month(at) - time_month(start) < period &&
			  time_of_month(time_month(start), &again) && again == start);
}

/*
 * The bytes as a list of orders: counted one by one, and in two parts that are
 * merged either way round.
 */
static void
try_orders(const uint8_t *data, size_t size)
{
	Purchases	all;
	Purchases	parts[2];
	Purchases	merged;
	PurchasesUnit unit;
	int64_t		period;
	bool		fits = true;

	if (size < 1)
		return;
	/* the orders' own time, or the start of a period */
	unit = data[0] % 4 == 0 ? PURCHASES_NO_PERIOD : data[0] % 4 == 1 ? PURCHASES_MONTHS : PURCHASES_MICROSECONDS;
	period = unit == PURCHASES_MONTHS ? 1 + data[0] / 4 : 1 + (int64_t) data[0] * data[0] * 1000003;
	data++;
	size--;

	purchases_init(&all);
	purchases_init(&parts[0]);
	purchases_init(&parts[1]);
	for (; size >= 10; data += 10, size -= 10)
	{
		int64_t		at = 0;
		int64_t		amount = 0;
		int64_t		start;
		int			scale = data[0] % 5;
		int64_t		grain = text_power_of_ten(PURCHASES_MAX_SCALE - scale);
		int			part = data[0] / 5 % 2;

		for (int i = 1; i < 5; i++)
			at = at * 256 + data[i];
		for (int i = 5; i < 10; i++)
			amount = amount * 256 + data[i];
		/* near each other, or anywhere */
		at = data[0] & 0x80 ? at % 16 : (at - INT64_C(0x80000000)) * INT64_C(4294967296);
		amount -= INT64_C(0x8000000000);
		if (data[0] & 0x40)
			amount *= 8388608;
		amount = amount / grain * grain;

		if (at < PURCHASES_MIN_TIME || at >= PURCHASES_END_TIME)
		{
			merged = all;
			CHECK(purchases_add(&merged, at, amount, scale) == PURCHASES_TIME_NOT_FINITE);
			continue;
		}
		start = at;
		if (unit != PURCHASES_NO_PERIOD)
		{
			if (!purchases_period_start(unit, period, at, &start))
				continue;
			check_start(unit, period, at, start);
		}
		if (!count_order(&parts[part], unit, period, at, start, amount, scale))
			return;
		if (fits)
			fits = count_order(&all, unit, period, at, start, amount, scale);
	}
	check_value(&parts[0]);
	check_value(&parts[1]);
	if (!fits)
		return;
	check_value(&all);
	merged = parts[0];
	if (purchases_merge(&merged, &parts[1]) == PURCHASES_OK)
		CHECK(same(&merged, &all));
	merged = parts[1];
	if (purchases_merge(&merged, &parts[0]) == PURCHASES_OK)
		CHECK(same(&merged, &all));
	check_merge(&all);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Purchases	p;

	if (size == 0)
		return 0;
	if (*data == 'o')
		try_orders(data + 1, size - 1);
	else if (*data == 'b')
	{
		const char *wrong = purchases_from_wire(data + 1, size - 1, &p);

		if (wrong == NULL)
		{
			check_value(&p);
			check_merge(&p);
		}
		else
			CHECK(strlen(wrong) > 0);
	}
	else
	{
		char	   *text = malloc(size);

		memcpy(text, data + 1, size - 1);
		text[size - 1] = '\0';
		if (purchases_parse(text, &p) == NULL)
		{
			check_value(&p);
			check_merge(&p);
		}
		free(text);
	}
	return 0;
}
