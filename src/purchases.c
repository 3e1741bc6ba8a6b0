/*
 * purchases.c
 *		The type crm.purchases, its aggregates and accessors.
 */
#include "crm.h"

#include "crm_amount.h"
#include "purchases.h"

#include "common/int.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

StaticAssertDecl(sizeof(Purchases) == PURCHASES_SIZE, "the size of crm.purchases is on disk");
StaticAssertDecl(PURCHASES_MIN_TIME == MIN_TIMESTAMP && PURCHASES_END_TIME == END_TIMESTAMP,
				 "a purchase's time is a timestamptz");
StaticAssertDecl(PURCHASES_UNIT == AMOUNT_UNIT, "a purchase's amount is an amount");

#define DatumGetPurchasesP(X)		((Purchases *) DatumGetPointer(X))
#define PG_GETARG_PURCHASES_P(n)	DatumGetPurchasesP(PG_GETARG_DATUM(n))
#define PG_RETURN_PURCHASES_P(x)	PG_RETURN_POINTER(x)

PG_FUNCTION_INFO_V1(crm_purchases_in);
PG_FUNCTION_INFO_V1(crm_purchases_out);
PG_FUNCTION_INFO_V1(crm_purchases_recv);
PG_FUNCTION_INFO_V1(crm_purchases_send);
PG_FUNCTION_INFO_V1(crm_purchases_add);
PG_FUNCTION_INFO_V1(crm_purchases_add_float8);
PG_FUNCTION_INFO_V1(crm_purchases_add_date);
PG_FUNCTION_INFO_V1(crm_purchases_add_date_float8);
PG_FUNCTION_INFO_V1(crm_purchases_merge);
PG_FUNCTION_INFO_V1(crm_purchases_period_add);
PG_FUNCTION_INFO_V1(crm_purchases_period_add_float8);
PG_FUNCTION_INFO_V1(crm_purchases_period_add_date);
PG_FUNCTION_INFO_V1(crm_purchases_period_add_date_float8);
PG_FUNCTION_INFO_V1(crm_purchases_period_merge);
PG_FUNCTION_INFO_V1(crm_purchases_period_serialize);
PG_FUNCTION_INFO_V1(crm_purchases_period_deserialize);
PG_FUNCTION_INFO_V1(crm_purchases_period_final);
PG_FUNCTION_INFO_V1(crm_order_count);
PG_FUNCTION_INFO_V1(crm_revenue);
PG_FUNCTION_INFO_V1(crm_refunds);
PG_FUNCTION_INFO_V1(crm_first_order);
PG_FUNCTION_INFO_V1(crm_last_order);
PG_FUNCTION_INFO_V1(crm_average_order_value);
PG_FUNCTION_INFO_V1(crm_average_gap);
PG_FUNCTION_INFO_V1(crm_repeat_purchases);
PG_FUNCTION_INFO_V1(crm_repeat_value);
PG_FUNCTION_INFO_V1(crm_active_days);
PG_FUNCTION_INFO_V1(crm_observed_days);

static void
CheckPurchases(PurchasesError error)
{
	switch (error)
	{
		case PURCHASES_OK:
			break;
		case PURCHASES_TIME_NOT_FINITE:
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("time of an order must be finite")));
			break;
		case PURCHASES_PERIOD_OUT_OF_RANGE:
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("start of the period is out of range")));
			break;
		case PURCHASES_PERIODS_DIFFER:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("cannot merge purchases of different periods"),
					 errdetail("One counts the orders of a period as one purchase; the other counts those of another period, or each order."),
					 errhint("Compute both with the same period.")));
			break;
		case PURCHASES_SUM_TOO_LARGE:
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("sum of purchases out of range"),
					 errdetail("Revenue and refunds must each stay below 922337203685477.5808, and purchases at the moment of the first below 4294967296.")));
			break;
	}
}

/*
 * The first argument as a state that may be changed: in place in an
 * aggregate, else a copy.
 */
static inline Purchases *
PurchasesState(FunctionCallInfo fcinfo)
{
	Purchases  *state = PG_GETARG_PURCHASES_P(0);
	Purchases  *copy;

	/* AggCheckCallContext(), without the call in the case that matters */
	if (likely(fcinfo->context && IsA(fcinfo->context, AggState)) ||
		AggCheckCallContext(fcinfo, NULL))
		return state;
	copy = palloc(sizeof(Purchases));
	memcpy(copy, state, sizeof(Purchases));
	return copy;
}

/* purchases_in(cstring) returns purchases: reads the text form. */
Datum
crm_purchases_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	Purchases  *result = palloc(sizeof(Purchases));
	const char *wrong = purchases_parse(text, result);

	if (wrong != NULL)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "crm.purchases", text),
				 errdetail("The value is not one that crm printed: %s.", wrong)));
	PG_RETURN_PURCHASES_P(result);
}

/* purchases_out(purchases) returns cstring: exact, independent of settings. */
Datum
crm_purchases_out(PG_FUNCTION_ARGS)
{
	char	   *text = palloc(PURCHASES_TEXT_SIZE);

	purchases_print(PG_GETARG_PURCHASES_P(0), text);
	PG_RETURN_CSTRING(text);
}

/* purchases_recv(internal) returns purchases: reads the binary form. */
Datum
crm_purchases_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	int			length = buffer->len - buffer->cursor;
	Purchases  *result = palloc(sizeof(Purchases));
	const char *wrong;

	wrong = purchases_from_wire((const unsigned char *) pq_getmsgbytes(buffer, length),
								length, result);
	if (wrong != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid external \"%s\" value", "crm.purchases"),
				 errdetail("The value is not one that crm sent: %s.", wrong)));
	PG_RETURN_PURCHASES_P(result);
}

/* purchases_send(purchases) returns bytea: the binary form. */
Datum
crm_purchases_send(PG_FUNCTION_ARGS)
{
	bytea	   *result = palloc(VARHDRSZ + PURCHASES_WIRE_SIZE);

	SET_VARSIZE(result, VARHDRSZ + PURCHASES_WIRE_SIZE);
	purchases_to_wire(PG_GETARG_PURCHASES_P(0), (unsigned char *) VARDATA(result));
	PG_RETURN_BYTEA_P(result);
}

/*
 * purchases_add(purchases, timestamptz, numeric) returns purchases: counts one
 * order.  The transition function, strict: an order without time or amount is
 * skipped.  A timestamp without time zone is passed here as well and so is
 * read as UTC.
 */
Datum
crm_purchases_add(PG_FUNCTION_ARGS)
{
	Purchases  *state = PurchasesState(fcinfo);
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(1);
	int			scale;
	int64		amount = AmountFromNumericDatum(PG_GETARG_DATUM(2), &scale);

	CheckPurchases(purchases_add(state, at, amount, scale));
	PG_RETURN_PURCHASES_P(state);
}

/* The same for an amount in double precision, rounded to 1/10000. */
Datum
crm_purchases_add_float8(PG_FUNCTION_ARGS)
{
	Purchases  *state = PurchasesState(fcinfo);
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(1);
	int			scale;
	int64		amount = AmountFromFloat8(PG_GETARG_FLOAT8(2), &scale);

	CheckPurchases(purchases_add(state, at, amount, scale));
	PG_RETURN_PURCHASES_P(state);
}

/* The same for a date: midnight UTC. */
Datum
crm_purchases_add_date(PG_FUNCTION_ARGS)
{
	Purchases  *state = PurchasesState(fcinfo);
	Timestamp	at = crm_date2timestamp(PG_GETARG_DATEADT(1));
	int			scale;
	int64		amount = AmountFromNumericDatum(PG_GETARG_DATUM(2), &scale);

	CheckPurchases(purchases_add(state, at, amount, scale));
	PG_RETURN_PURCHASES_P(state);
}

/* The same for a date and an amount in double precision. */
Datum
crm_purchases_add_date_float8(PG_FUNCTION_ARGS)
{
	Purchases  *state = PurchasesState(fcinfo);
	Timestamp	at = crm_date2timestamp(PG_GETARG_DATEADT(1));
	int			scale;
	int64		amount = AmountFromFloat8(PG_GETARG_FLOAT8(2), &scale);

	CheckPurchases(purchases_add(state, at, amount, scale));
	PG_RETURN_PURCHASES_P(state);
}

/*
 * purchases_merge(purchases, purchases) returns purchases: the summary of
 * both.  The combine function of the aggregate and the transition function of
 * rollup().
 */
Datum
crm_purchases_merge(PG_FUNCTION_ARGS)
{
	Purchases  *state = PurchasesState(fcinfo);

	CheckPurchases(purchases_merge(state, PG_GETARG_PURCHASES_P(1)));
	PG_RETURN_PURCHASES_P(state);
}

/*
 * Orders of one period as one purchase
 *
 * The state needs the set of periods with an order, and so is not of fixed
 * size.  Most customers have a handful: the set is an array that is sorted
 * and made unique whenever it is full, and grows only if that freed less than
 * half of it.  The cost of an order is then O(log n) amortised, in any order.
 */
typedef struct PeriodState
{
	Purchases	total;			/* its orders and first_count count orders */
	int64		period;			/* so many units */
	PurchasesUnit unit;
	int32		count;			/* starts in use */
	int32		room;
	int32		sorted;			/* the first so many are sorted and unique */
	Timestamp  *starts;
	Timestamp	few[4];			/* the array until it grows */
} PeriodState;

/* An interval as a period. */
static inline PurchasesUnit
PeriodFromInterval(const Interval *interval, int64 *period)
{
	if (interval->month != 0)
	{
		if (interval->month < 0 || interval->day != 0 || interval->time != 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("period must be a positive number of months, or of days and time"),
					 errdetail("A month has no fixed length: the two cannot be mixed.")));
		*period = interval->month;
		return PURCHASES_MONTHS;
	}
	if (pg_mul_s64_overflow(interval->day, USECS_PER_DAY, period) ||
		pg_add_s64_overflow(*period, interval->time, period) || *period <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("period must be greater than zero")));
	return PURCHASES_MICROSECONDS;
}

static void
PeriodInit(PeriodState *state, PurchasesUnit unit, int64 period)
{
	purchases_init(&state->total);
	state->unit = unit;
	state->period = period;
	state->count = 0;
	state->sorted = 0;
	state->room = lengthof(state->few);
	state->starts = state->few;
}

#define ST_SORT SortStarts
#define ST_ELEMENT_TYPE Timestamp
#define ST_COMPARE(a, b) (*(a) < *(b) ? -1 : *(a) > *(b))
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* Sort the starts and leave one of each. */
static void
PeriodSort(PeriodState *state)
{
	int			kept = 0;

	if (state->sorted == state->count)
		return;
	SortStarts(state->starts, state->count);
	for (int i = 0; i < state->count; i++)
		if (kept == 0 || state->starts[kept - 1] != state->starts[i])
			state->starts[kept++] = state->starts[i];
	state->count = kept;
	state->sorted = kept;
}

/* Make room for one more start. */
static void
PeriodGrow(PeriodState *state, MemoryContext context)
{
	PeriodSort(state);
	if (state->count <= state->room / 2)
		return;
	if ((Size) state->room * 2 > MaxAllocHugeSize / sizeof(Timestamp) || state->room > PG_INT32_MAX / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many periods with an order")));
	if (state->starts == state->few)
	{
		state->starts = MemoryContextAlloc(context, sizeof(Timestamp) * state->room * 2);
		memcpy(state->starts, state->few, sizeof(Timestamp) * state->count);
	}
	else
		state->starts = repalloc_huge(state->starts, sizeof(Timestamp) * state->room * 2);
	state->room *= 2;
}

/* Add one start to the set. */
static inline void
PeriodInsert(PeriodState *state, Timestamp start, MemoryContext context)
{
	/* most often the latest period once more, or a later one */
	if (state->count > 0 && state->starts[state->count - 1] == start)
		return;
	if (state->count == state->room)
		PeriodGrow(state, context);
	if (state->sorted == state->count &&
		(state->count == 0 || state->starts[state->count - 1] < start))
		state->sorted++;
	state->starts[state->count++] = start;
}

/* The transition functions' common part; NULL in either argument skips. */
static Datum
PeriodAdd(FunctionCallInfo fcinfo, bool is_date, bool is_float)
{
	MemoryContext context = AggregateContext(fcinfo);
	PeriodState *state = PG_ARGISNULL(0) ? NULL : (PeriodState *) PG_GETARG_POINTER(0);
	PurchasesUnit unit;
	int64		period;
	Timestamp	at;
	Timestamp	start;
	int64		amount;
	int			scale;

	if (PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("period must not be null")));
	unit = PeriodFromInterval(PG_GETARG_INTERVAL_P(3), &period);
	if (state == NULL)
	{
		state = MemoryContextAlloc(context, sizeof(PeriodState));
		PeriodInit(state, unit, period);
	}
	else if (unit != state->unit || period != state->period)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("period must be the same for all orders of a group")));

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_POINTER(state);

	at = is_date ? crm_date2timestamp(PG_GETARG_DATEADT(1)) : PG_GETARG_TIMESTAMP(1);
	amount = is_float ? AmountFromFloat8(PG_GETARG_FLOAT8(2), &scale) :
		AmountFromNumericDatum(PG_GETARG_DATUM(2), &scale);
	if (TIMESTAMP_NOT_FINITE(at))
		CheckPurchases(PURCHASES_TIME_NOT_FINITE);
	if (!purchases_period_start(unit, period, at, &start))
		CheckPurchases(PURCHASES_PERIOD_OUT_OF_RANGE);
	CheckPurchases(purchases_add_by_period(&state->total, unit, period, at, start, amount, scale));
	if (amount >= 0)
		PeriodInsert(state, start, context);
	PG_RETURN_POINTER(state);
}

/*
 * purchases_period_add(internal, timestamptz, numeric, interval) returns
 * internal: counts one order, and its period once.
 */
Datum
crm_purchases_period_add(PG_FUNCTION_ARGS)
{
	return PeriodAdd(fcinfo, false, false);
}

/* The same for an amount in double precision. */
Datum
crm_purchases_period_add_float8(PG_FUNCTION_ARGS)
{
	return PeriodAdd(fcinfo, false, true);
}

/* The same for a date. */
Datum
crm_purchases_period_add_date(PG_FUNCTION_ARGS)
{
	return PeriodAdd(fcinfo, true, false);
}

/* The same for a date and an amount in double precision. */
Datum
crm_purchases_period_add_date_float8(PG_FUNCTION_ARGS)
{
	return PeriodAdd(fcinfo, true, true);
}

/* purchases_period_merge(internal, internal) returns internal: combine. */
Datum
crm_purchases_period_merge(PG_FUNCTION_ARGS)
{
	MemoryContext context = AggregateContext(fcinfo);
	PeriodState *state = PG_ARGISNULL(0) ? NULL : (PeriodState *) PG_GETARG_POINTER(0);
	PeriodState *other = PG_ARGISNULL(1) ? NULL : (PeriodState *) PG_GETARG_POINTER(1);

	if (other == NULL)
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
	{
		state = MemoryContextAlloc(context, sizeof(PeriodState));
		PeriodInit(state, other->unit, other->period);
	}
	else if (state->unit != other->unit || state->period != other->period)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("period must be the same for all orders of a group")));
	CheckPurchases(purchases_merge(&state->total, &other->total));
	for (int i = 0; i < other->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		PeriodInsert(state, other->starts[i], context);
	}
	PG_RETURN_POINTER(state);
}

/*
 * purchases_period_serialize(internal) returns bytea: the state as it is, for
 * another process of the same server.
 */
Datum
crm_purchases_period_serialize(PG_FUNCTION_ARGS)
{
	PeriodState *state = (PeriodState *) PG_GETARG_POINTER(0);
	StringInfoData buffer;

	PeriodSort(state);
	if (!AllocSizeIsValid(sizeof(PeriodState) + sizeof(Timestamp) * state->count))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many periods with an order for a parallel plan"),
				 errhint("Set max_parallel_workers_per_gather to 0.")));
	pq_begintypsend(&buffer);
	pq_sendbytes(&buffer, (char *) &state->total, sizeof(Purchases));
	pq_sendint32(&buffer, state->unit);
	pq_sendint64(&buffer, state->period);
	pq_sendint32(&buffer, state->count);
	pq_sendbytes(&buffer, (char *) state->starts, state->count * (int) sizeof(Timestamp));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

/* purchases_period_deserialize(bytea, internal) returns internal */
Datum
crm_purchases_period_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *serial = PG_GETARG_BYTEA_PP(0);
	PeriodState *state = palloc(sizeof(PeriodState));
	StringInfoData buffer;

	(void) AggregateContext(fcinfo);
	initStringInfo(&buffer);
	appendBinaryStringInfo(&buffer, VARDATA_ANY(serial), VARSIZE_ANY_EXHDR(serial));
	memcpy(&state->total, pq_getmsgbytes(&buffer, sizeof(Purchases)), sizeof(Purchases));
	state->unit = pq_getmsgint(&buffer, 4);
	state->period = pq_getmsgint64(&buffer);
	state->count = pq_getmsgint(&buffer, 4);
	state->sorted = state->room = state->count;
	state->starts = palloc_array_huge(Timestamp, state->count);
	memcpy(state->starts, pq_getmsgbytes(&buffer, state->count * (int) sizeof(Timestamp)),
		   state->count * sizeof(Timestamp));
	pq_getmsgend(&buffer);
	pfree(buffer.data);
	PG_RETURN_POINTER(state);
}

/*
 * purchases_period_final(internal) returns purchases: empty for no rows.
 * May run more than once on a state.
 */
Datum
crm_purchases_period_final(PG_FUNCTION_ARGS)
{
	PeriodState *state = PG_ARGISNULL(0) ? NULL : (PeriodState *) PG_GETARG_POINTER(0);
	Purchases  *result = palloc(sizeof(Purchases));

	if (state == NULL)
	{
		purchases_init(result);
		PG_RETURN_PURCHASES_P(result);
	}
	PeriodSort(state);
	memcpy(result, &state->total, sizeof(Purchases));
	result->orders = state->count;
	result->first_count = state->count > 0 ? 1 : 0;
	PG_RETURN_PURCHASES_P(result);
}

/* order_count(purchases) returns bigint: orders, or periods with an order. */
Datum
crm_order_count(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(PG_GETARG_PURCHASES_P(0)->orders);
}

/* revenue(purchases) returns numeric: net of refunds, exact. */
Datum
crm_revenue(PG_FUNCTION_ARGS)
{
	Purchases  *p = PG_GETARG_PURCHASES_P(0);

	PG_RETURN_NUMERIC(AmountToNumeric(p->revenue, p->scale));
}

/* refunds(purchases) returns numeric: the sum of the refunds, positive. */
Datum
crm_refunds(PG_FUNCTION_ARGS)
{
	Purchases  *p = PG_GETARG_PURCHASES_P(0);

	PG_RETURN_NUMERIC(AmountToNumeric(p->refunds, p->scale));
}

/* first_order(purchases) returns timestamptz: NULL without an order. */
Datum
crm_first_order(PG_FUNCTION_ARGS)
{
	Purchases  *p = PG_GETARG_PURCHASES_P(0);

	if (p->orders == 0)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(p->first_order);
}

/* last_order(purchases) returns timestamptz: NULL without an order. */
Datum
crm_last_order(PG_FUNCTION_ARGS)
{
	Purchases  *p = PG_GETARG_PURCHASES_P(0);

	if (p->orders == 0)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(p->last_order);
}

/* An amount divided by a count, as numeric's own division does it. */
static Datum
AmountPerCount(int64 amount, int scale, int64 count)
{
	return DirectFunctionCall2(numeric_div,
							   NumericGetDatum(AmountToNumeric(amount, scale)),
							   NumericGetDatum(int64_to_numeric(count)));
}

/*
 * average_order_value(purchases) returns numeric: revenue (net of refunds) per
 * order; NULL without an order.
 */
Datum
crm_average_order_value(PG_FUNCTION_ARGS)
{
	Purchases  *p = PG_GETARG_PURCHASES_P(0);

	if (p->orders == 0)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(AmountPerCount(p->revenue, p->scale, p->orders));
}

/*
 * average_gap(purchases) returns interval: (last - first) / (purchases - 1),
 * in days and time, rounded down to the microsecond; NULL with fewer than two.
 */
Datum
crm_average_gap(PG_FUNCTION_ARGS)
{
	Purchases  *p = PG_GETARG_PURCHASES_P(0);
	Interval   *result;
	uint64		gap;

	if (p->orders < 2)
		PG_RETURN_NULL();
	gap = purchases_active(p) / purchases_repeats(p);
	result = palloc0(sizeof(Interval));
	result->day = gap / USECS_PER_DAY;
	result->time = gap % USECS_PER_DAY;
	PG_RETURN_INTERVAL_P(result);
}

/* repeat_purchases(purchases) returns bigint: x, purchases after the first. */
Datum
crm_repeat_purchases(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(purchases_repeats(PG_GETARG_PURCHASES_P(0)));
}

/*
 * repeat_value(purchases) returns numeric: the average value of the purchases
 * after the first, before refunds: what the Gamma-Gamma model reads (Fader,
 * Hardie & Lee 2005, "RFM and CLV").  NULL with fewer than two purchases.
 * Where several share the first moment, the first is worth their average.
 */
Datum
crm_repeat_value(PG_FUNCTION_ARGS)
{
	Purchases  *p = PG_GETARG_PURCHASES_P(0);
	Datum		gross;
	Datum		first;

	if (p->orders < 2)
		PG_RETURN_NULL();
	/* in numeric: revenue and refunds may add up to more than an int64 */
	gross = DirectFunctionCall2(numeric_add,
								NumericGetDatum(AmountToNumeric(p->revenue, p->scale)),
								NumericGetDatum(AmountToNumeric(p->refunds, p->scale)));
	if (p->first_count == 1)
		first = NumericGetDatum(AmountToNumeric(p->first_value, p->scale));
	else
		first = AmountPerCount(p->first_value, p->scale, p->first_count);
	PG_RETURN_DATUM(DirectFunctionCall2(numeric_div,
										DirectFunctionCall2(numeric_sub, gross, first),
										NumericGetDatum(int64_to_numeric(p->orders - 1))));
}

/*
 * active_days(purchases) returns double precision: t_x, the last purchase less
 * the first, in days of 24 hours; NULL without an order.
 */
Datum
crm_active_days(PG_FUNCTION_ARGS)
{
	Purchases  *p = PG_GETARG_PURCHASES_P(0);

	if (p->orders == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8((double) purchases_active(p) / USECS_PER_DAY);
}

/*
 * observed_days(purchases, timestamptz) returns double precision: T, as_of
 * less the first purchase, in days of 24 hours: negative if as_of is earlier;
 * NULL without an order.
 */
Datum
crm_observed_days(PG_FUNCTION_ARGS)
{
	Purchases  *p = PG_GETARG_PURCHASES_P(0);
	TimestampTz as_of = PG_GETARG_TIMESTAMPTZ(1);
	int64		observed;

	if (TIMESTAMP_NOT_FINITE(as_of))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("as_of must be finite")));
	if (p->orders == 0)
		PG_RETURN_NULL();
	/* only from one end of time to the other it does not fit */
	if (pg_sub_s64_overflow(as_of, purchases_first(p), &observed))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("time since the first order is out of range")));
	PG_RETURN_FLOAT8((double) observed / USECS_PER_DAY);
}
