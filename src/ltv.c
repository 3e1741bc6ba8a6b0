/*
 * ltv.c
 *		The type crm.ltv_model, the aggregates that fit one, and predictions.
 */
#include "crm.h"

#include "crm_amount.h"
#include "ltv.h"
#include "ltv_curves.h"
#include "purchases.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

StaticAssertDecl(sizeof(LtvModel) == LTV_MODEL_SIZE, "the size of crm.ltv_model is on disk");

#define PG_GETARG_LTV_MODEL_P(n)	((LtvModel *) PG_GETARG_POINTER(n))
#define PG_RETURN_LTV_MODEL_P(x)	PG_RETURN_POINTER(x)
#define PG_GETARG_PURCHASES_P(n)	((Purchases *) PG_GETARG_POINTER(n))

/*
 * An annual discount of 10 % makes an order in 365.25 days worth 1 / 1.1 of
 * one today, and one in between accordingly: exp(-days ln(1.1) / 365.25).
 */
#define DAYS_PER_DISCOUNT_YEAR	365.25

PG_FUNCTION_INFO_V1(crm_ltv_model_in);
PG_FUNCTION_INFO_V1(crm_ltv_model_out);
PG_FUNCTION_INFO_V1(crm_ltv_model_recv);
PG_FUNCTION_INFO_V1(crm_ltv_model_send);
PG_FUNCTION_INFO_V1(crm_ltv_model);
PG_FUNCTION_INFO_V1(crm_ltv_model_add);
PG_FUNCTION_INFO_V1(crm_ltv_model_add_raw);
PG_FUNCTION_INFO_V1(crm_ltv_model_merge);
PG_FUNCTION_INFO_V1(crm_ltv_model_serialize);
PG_FUNCTION_INFO_V1(crm_ltv_model_deserialize);
PG_FUNCTION_INFO_V1(crm_ltv_model_final);
PG_FUNCTION_INFO_V1(crm_in_days);
PG_FUNCTION_INFO_V1(crm_parameters);
PG_FUNCTION_INFO_V1(crm_log_likelihood);
PG_FUNCTION_INFO_V1(crm_log_likelihood_raw);
PG_FUNCTION_INFO_V1(crm_spend_log_likelihood);
PG_FUNCTION_INFO_V1(crm_spend_log_likelihood_raw);
PG_FUNCTION_INFO_V1(crm_customers);
PG_FUNCTION_INFO_V1(crm_converged);
PG_FUNCTION_INFO_V1(crm_alive);
PG_FUNCTION_INFO_V1(crm_alive_raw);
PG_FUNCTION_INFO_V1(crm_churn_risk);
PG_FUNCTION_INFO_V1(crm_churn_risk_raw);
PG_FUNCTION_INFO_V1(crm_expected_orders);
PG_FUNCTION_INFO_V1(crm_expected_orders_raw);
PG_FUNCTION_INFO_V1(crm_expected_orders_new);
PG_FUNCTION_INFO_V1(crm_expected_orders_error);
PG_FUNCTION_INFO_V1(crm_expected_orders_error_raw);
PG_FUNCTION_INFO_V1(crm_expected_repeat_orders);
PG_FUNCTION_INFO_V1(crm_order_probability);
PG_FUNCTION_INFO_V1(crm_order_probability_raw);
PG_FUNCTION_INFO_V1(crm_order_probability_new);
PG_FUNCTION_INFO_V1(crm_discounted_orders);
PG_FUNCTION_INFO_V1(crm_dect);
PG_FUNCTION_INFO_V1(crm_dert);
PG_FUNCTION_INFO_V1(crm_dert_raw);
PG_FUNCTION_INFO_V1(crm_expected_order_value);
PG_FUNCTION_INFO_V1(crm_expected_order_value_raw);
PG_FUNCTION_INFO_V1(crm_expected_order_value_new);
PG_FUNCTION_INFO_V1(crm_ltv);
PG_FUNCTION_INFO_V1(crm_ltv_raw);
PG_FUNCTION_INFO_V1(crm_ltv_error);
PG_FUNCTION_INFO_V1(crm_ltv_error_raw);
PG_FUNCTION_INFO_V1(crm_next_order);
PG_FUNCTION_INFO_V1(crm_next_order_model);
PG_FUNCTION_INFO_V1(crm_absolute_error_add);

/* ltv_model_in(cstring) returns ltv_model: reads the text form. */
Datum
crm_ltv_model_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	LtvModel   *result = palloc(sizeof(LtvModel));
	const char *wrong = ltv_parse(text, result);

	if (wrong != NULL)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "crm.ltv_model", text),
				 errdetail("The value is not one that crm printed: %s.", wrong)));
	PG_RETURN_LTV_MODEL_P(result);
}

/* ltv_model_out(ltv_model) returns cstring: exact, independent of settings. */
Datum
crm_ltv_model_out(PG_FUNCTION_ARGS)
{
	char	   *text = palloc(LTV_TEXT_SIZE);

	ltv_print(PG_GETARG_LTV_MODEL_P(0), text);
	PG_RETURN_CSTRING(text);
}

/* ltv_model_recv(internal) returns ltv_model: reads the binary form. */
Datum
crm_ltv_model_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	int			length = buffer->len - buffer->cursor;
	LtvModel   *result = palloc(sizeof(LtvModel));
	const char *wrong;

	wrong = ltv_from_wire((const unsigned char *) pq_getmsgbytes(buffer, length),
						  length, result);
	if (wrong != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid external \"%s\" value", "crm.ltv_model"),
				 errdetail("The value is not one that crm sent: %s.", wrong)));
	PG_RETURN_LTV_MODEL_P(result);
}

/* ltv_model_send(ltv_model) returns bytea: the binary form. */
Datum
crm_ltv_model_send(PG_FUNCTION_ARGS)
{
	bytea	   *result = palloc(VARHDRSZ + LTV_WIRE_SIZE);

	SET_VARSIZE(result, VARHDRSZ + LTV_WIRE_SIZE);
	ltv_to_wire(PG_GETARG_LTV_MODEL_P(0), (unsigned char *) VARDATA(result));
	PG_RETURN_BYTEA_P(result);
}

/* The process that a model's name stands for. */
static LtvProcess
ProcessFromText(const text *name)
{
	LtvProcess	process;

	if (!ltv_process_by_name(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), &process))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown model \"%s\"", text_to_cstring(name)),
				 errhint("The models are bg_nbd, mbg_nbd and pareto_nbd.")));
	return process;
}

/* Read so many positive numbers from an array. */
static void
ParametersFromArray(ArrayType *array, double *values, int count, LtvProcess process, int first)
{
	if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != count || array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 first == 0 ? errmsg("parameters must be an array of %d numbers", count) :
				 errmsg("spend must be an array of %d numbers", count),
				 first == 0 ? errdetail("They are r, alpha, %s, %s.", ltv_parameter_name(process, 2),
										ltv_parameter_name(process, 3)) :
				 errdetail("They are p, q, gamma.")));
	memcpy(values, ARR_DATA_PTR(array), count * sizeof(double));
	for (int i = 0; i < count; i++)
		if (!(values[i] > 0) || isinf(values[i]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("parameter %s must be greater than zero, and finite",
							ltv_parameter_name(process, first + i))));
}

/*
 * ltv_model(text, float8[] [, float8[]]) returns ltv_model: a model from
 * parameters that are known, in a unit of time that only the caller knows.
 */
Datum
crm_ltv_model(PG_FUNCTION_ARGS)
{
	LtvProcess	process = ProcessFromText(PG_GETARG_TEXT_PP(0));
	LtvModel   *result = palloc(sizeof(LtvModel));

	ltv_init(result, process);
	ParametersFromArray(PG_GETARG_ARRAYTYPE_P(1), result->parameters, LTV_PARAMETERS, process, 0);
	if (PG_NARGS() > 2)
	{
		ParametersFromArray(PG_GETARG_ARRAYTYPE_P(2), result->spend, LTV_SPEND_PARAMETERS,
							process, LTV_PARAMETERS);
		result->flags |= LTV_SPEND;
	}
	PG_RETURN_LTV_MODEL_P(result);
}

/*
 * Customers
 */

/* Days from one time to a later one, which may be more than an int64 has room for. */
static inline double
DaysBetween(Timestamp from, Timestamp to)
{
	return (double) ((uint64) to - (uint64) from) / USECS_PER_DAY;
}

/*
 * What a customer's purchases were at as_of, in days.  False if there were
 * none yet.
 */
static inline bool
CustomerFromPurchases(const Purchases *p, TimestampTz as_of, LtvCustomer *customer)
{
	if (unlikely(TIMESTAMP_NOT_FINITE(as_of)))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("as_of must be finite")));
	if (p->orders == 0 || purchases_first(p) > as_of)
		return false;
	if (unlikely(purchases_last(p) > as_of))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a customer's last purchase is later than as_of"),
				 errdetail("The purchase is of %s, as_of is %s.",
						   timestamptz_to_str(purchases_last(p)),
						   pstrdup(timestamptz_to_str(as_of))),
				 errhint("Summarise with FILTER (WHERE ordered_at <= as_of), to know no more than was known then.")));
	if (unlikely(p->orders > LTV_MAX_X))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("a customer has too many purchases for a model")));
	customer->x = purchases_repeats(p);
	customer->t_x = customer->x > 0 ? DaysBetween(purchases_first(p), purchases_last(p)) : 0;
	customer->t = DaysBetween(purchases_first(p), as_of);
	customer->weight = 1;
	return true;
}

/* The average value of the purchases after the first, as repeat_value() has it. */
static inline double
RepeatValue(const Purchases *p)
{
	double		repeats = purchases_repeats(p);
	uint64		gross = (uint64) p->revenue + (uint64) p->refunds;	/* never negative */

	/* a difference of whole numbers, so that no digit is lost */
	if (likely(p->first_count == 1))
		return (double) (gross - (uint64) p->first_value) / repeats / AMOUNT_UNIT;
	return ((double) gross - (double) p->first_value / p->first_count) / repeats / AMOUNT_UNIT;
}

/* Refuse what can't be a customer; x of 0 makes t_x mean nothing. */
static inline void
CheckCustomer(LtvCustomer *customer)
{
	double		x = customer->x;
	double		t_x = customer->t_x;
	double		t = customer->t;

	if (unlikely(!(x >= 0 && x <= LTV_MAX_X) || x != floor(x)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("x must be a whole number from 0 to %.0f", LTV_MAX_X),
				 errdetail("It is how many purchases came after the first: %g is not.", x)));
	if (unlikely(!(t >= 0) || isinf(t)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("t must be zero or more, and finite"),
				 errdetail("It is the time since the first purchase: %g is not.", t)));
	if (unlikely(!(t_x >= 0 && t_x <= t) || (x == 0 && t_x > 0)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("t_x must be from 0 to t, and 0 if x is 0"),
				 errdetail("It is the time from the first to the last purchase: with x = %g and t = %g, %g is not.",
						   x, t, t_x)));
	/* -0 to 0 */
	customer->x += 0.0;
	customer->t_x += 0.0;
	customer->t += 0.0;
	customer->weight = 1;
}

/* The customer of the three arguments from n on. */
static inline LtvCustomer
GetCustomerArg(FunctionCallInfo fcinfo, int n)
{
	LtvCustomer customer;

	customer.x = PG_GETARG_FLOAT8(n);
	customer.t_x = PG_GETARG_FLOAT8(n + 1);
	customer.t = PG_GETARG_FLOAT8(n + 2);
	CheckCustomer(&customer);
	return customer;
}

/*
 * The aggregate
 *
 * The state is an array of rows.  When it is full, equal rows are folded into
 * one, and there is room for as many again as are left times 15: so hardly any
 * row is folded twice, and no more memory is used than 16 rows take for each
 * that differs, and while it folds half as much again: 32 bytes for a customer,
 * 24 for the value of the purchases.  Memory that is never touched costs
 * nothing.
 *
 * Each process of a parallel plan folds what it read, which puts the rows into
 * an order of their own; the leader then merges theirs.
 */
typedef struct LtvRows
{
	size_t		count;
	size_t		room;
	size_t		folded;			/* the count that the last fold left */
	void	   *rows;			/* LtvCustomer or LtvSpender */
} LtvRows;

typedef struct LtvState
{
	LtvProcess	process;
	bool		in_days;
	bool		with_spend;
	LtvRows		customers;
	LtvRows		spenders;
	MemoryContext context;
} LtvState;

/* What is serialized: before the packed customers and spenders. */
typedef struct LtvPackedState
{
	LtvProcess	process;
	bool		in_days;
	bool		with_spend;
	uint64		customer_count;
	uint64		spender_count;
	uint64		customers_size;
} LtvPackedState;

/* What is deserialized: the rows stay where they are. */
typedef struct LtvOtherState
{
	LtvPackedState header;
	const char *customers;
	const char *spenders;
} LtvOtherState;

#define LTV_FIRST_ROOM	32
#define LTV_LEAST_ROOM	256		/* after the first: a fold has its price */
#define LTV_ROOM		16		/* times the rows that differ */

static void
CheckInterrupts(void)
{
	CHECK_FOR_INTERRUPTS();
}

/* When the module is loaded. */
void
LtvInit(void)
{
	ltv_interrupt = CheckInterrupts;
}

static LtvState *
StateCreate(MemoryContext context, LtvProcess process, bool in_days, bool with_spend)
{
	LtvState   *state = MemoryContextAllocZero(context, sizeof(LtvState));

	state->process = process;
	state->in_days = in_days;
	state->with_spend = with_spend;
	state->context = context;
	return state;
}

/* How many bytes a row takes. */
static inline size_t
RowWidth(const LtvState *state, const LtvRows *rows)
{
	return rows == &state->spenders ? sizeof(LtvSpender) : sizeof(LtvCustomer);
}

/* How many rows may be. */
static inline size_t
MostRows(size_t width)
{
	return Min(MaxAllocHugeSize / width, LTV_MAX_ROWS);
}

static void
TooManyRows(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("too many customers that differ")));
}

/* Fold rows that are not, into an array of their own. */
static void
StateFold(LtvState *state, LtvRows *rows)
{
	void	   *folded;
	void	   *scratch;

	if (rows->folded == rows->count)
		return;
	folded = MemoryContextAllocHuge(state->context, rows->count * RowWidth(state, rows));
	scratch = MemoryContextAllocHuge(state->context, rows->count * LTV_FOLD_SCRATCH);
	rows->room = rows->count;
	rows->count = rows == &state->spenders ?
		ltv_fold_spenders(rows->rows, rows->count, folded, scratch, CheckInterrupts) :
		ltv_fold_customers(rows->rows, rows->count, folded, scratch, CheckInterrupts);
	rows->folded = rows->count;
	pfree(scratch);
	pfree(rows->rows);
	rows->rows = folded;
}

/* Have room for more rows. */
static pg_noinline void
StateGrow(LtvState *state, LtvRows *rows)
{
	size_t		width = RowWidth(state, rows);
	size_t		most = MostRows(width);

	if (rows->rows == NULL)
	{
		rows->room = LTV_FIRST_ROOM;
		rows->rows = MemoryContextAlloc(state->context, rows->room * width);
		return;
	}
	StateFold(state, rows);
	if (rows->count >= most)
		TooManyRows();
	rows->room = Min(Max(rows->count * LTV_ROOM, LTV_LEAST_ROOM), most);
	rows->rows = repalloc_huge(rows->rows, rows->room * width);
}

static inline void
StateAddCustomer(LtvState *state, const LtvCustomer *customer)
{
	LtvRows    *rows = &state->customers;

	if (unlikely(rows->count == rows->room))
		StateGrow(state, rows);
	((LtvCustomer *) rows->rows)[rows->count++] = *customer;
}

static inline void
StateAddSpender(LtvState *state, double x, double mean_value)
{
	LtvRows    *rows = &state->spenders;
	LtvSpender *spender;

	if (unlikely(rows->count == rows->room))
		StateGrow(state, rows);
	spender = &((LtvSpender *) rows->rows)[rows->count++];
	spender->x = x;
	spender->mean_value = mean_value;
	spender->weight = 1;
}

/* Add so many packed rows. */
static void
StateMerge(LtvState *state, LtvRows *rows, const char *packed, size_t count)
{
	size_t		width = RowWidth(state, rows);
	void	   *merged;

	if (count == 0)
		return;
	StateFold(state, rows);
	if (rows->count + count > MostRows(width))
		TooManyRows();
	merged = MemoryContextAllocHuge(state->context, (rows->count + count) * width);
	rows->room = rows->count + count;
	rows->count = rows == &state->spenders ?
		ltv_merge_spenders(rows->rows, rows->count, packed, count, merged, CheckInterrupts) :
		ltv_merge_customers(rows->rows, rows->count, packed, count, merged, CheckInterrupts);
	rows->folded = rows->count;
	if (rows->rows != NULL)
		pfree(rows->rows);
	rows->rows = merged;
}

/* The state to add to: made for the first row, of the same process after it. */
static inline LtvState *
StateOfCall(FunctionCallInfo fcinfo, int model_argument, bool in_days, bool with_spend)
{
	MemoryContext context = AggregateContext(fcinfo);
	LtvProcess	process = LTV_BG_NBD;
	LtvState   *state;

	if (model_argument < PG_NARGS())
	{
		if (PG_ARGISNULL(model_argument))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("model must not be null")));
		process = ProcessFromText(PG_GETARG_TEXT_PP(model_argument));
	}
	if (PG_ARGISNULL(0))
		return StateCreate(context, process, in_days, with_spend);
	state = (LtvState *) PG_GETARG_POINTER(0);
	if (state->process != process)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model must be the same for all customers of a group")));
	return state;
}

/*
 * ltv_model_add(internal, purchases [, timestamptz [, text]]) returns internal:
 * one customer, as known at as_of (the start of the transaction, unless told).
 * NULL, no orders, or none until as_of: the customer is skipped.
 */
Datum
crm_ltv_model_add(PG_FUNCTION_ARGS)
{
	LtvState   *state = StateOfCall(fcinfo, 3, true, true);
	Purchases  *p;
	LtvCustomer customer;

	if (PG_ARGISNULL(1) || (PG_NARGS() > 2 && PG_ARGISNULL(2)))
		PG_RETURN_POINTER(state);
	p = PG_GETARG_PURCHASES_P(1);
	if (!CustomerFromPurchases(p, PG_NARGS() > 2 ? PG_GETARG_TIMESTAMPTZ(2) :
							   GetCurrentTransactionStartTimestamp(), &customer))
		PG_RETURN_POINTER(state);

	StateAddCustomer(state, &customer);
	if (customer.x > 0)
	{
		double		mean_value = RepeatValue(p);

		if (mean_value > 0)
			StateAddSpender(state, customer.x, mean_value);
	}
	PG_RETURN_POINTER(state);
}

/*
 * ltv_model_add(internal, float8, float8, float8 [, float8], text) returns
 * internal: one customer's x, t_x, t and, if told, the mean value of the x
 * purchases.  NULL in the first three: the customer is skipped; in the mean
 * value: left out of the spend.
 */
Datum
crm_ltv_model_add_raw(PG_FUNCTION_ARGS)
{
	bool		with_spend = PG_NARGS() == 6;
	LtvState   *state = StateOfCall(fcinfo, PG_NARGS() - 1, false, with_spend);
	LtvCustomer customer;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
		PG_RETURN_POINTER(state);
	customer = GetCustomerArg(fcinfo, 1);
	StateAddCustomer(state, &customer);
	if (with_spend && customer.x > 0 && !PG_ARGISNULL(4))
	{
		double		mean_value = PG_GETARG_FLOAT8(4);

		if (!(mean_value >= 0) || isinf(mean_value))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("mean_value must be zero or more, and finite")));
		if (mean_value > 0)
			StateAddSpender(state, customer.x, mean_value);
	}
	PG_RETURN_POINTER(state);
}

/*
 * ltv_model_merge(internal, internal) returns internal: combine, the second
 * being what deserialize made.
 */
Datum
crm_ltv_model_merge(PG_FUNCTION_ARGS)
{
	MemoryContext context = AggregateContext(fcinfo);
	LtvState   *state = PG_ARGISNULL(0) ? NULL : (LtvState *) PG_GETARG_POINTER(0);
	LtvOtherState *other = PG_ARGISNULL(1) ? NULL : (LtvOtherState *) PG_GETARG_POINTER(1);

	if (other == NULL)
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
		state = StateCreate(context, other->header.process, other->header.in_days,
							other->header.with_spend);
	else if (state->process != other->header.process)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model must be the same for all customers of a group")));
	StateMerge(state, &state->customers, other->customers, other->header.customer_count);
	StateMerge(state, &state->spenders, other->spenders, other->header.spender_count);
	PG_RETURN_POINTER(state);
}

/*
 * ltv_model_serialize(internal) returns bytea: the folded state, for another
 * process of the same server.
 */
Datum
crm_ltv_model_serialize(PG_FUNCTION_ARGS)
{
	LtvState   *state = (LtvState *) PG_GETARG_POINTER(0);
	LtvPackedState header = {0};
	size_t		size;
	bytea	   *result;
	char	   *at;

	StateFold(state, &state->customers);
	StateFold(state, &state->spenders);
	header.process = state->process;
	header.in_days = state->in_days;
	header.with_spend = state->with_spend;
	header.customer_count = state->customers.count;
	header.spender_count = state->spenders.count;
	header.customers_size = ltv_pack_customers(state->customers.rows, state->customers.count, NULL);
	size = VARHDRSZ + sizeof(header) + header.customers_size +
		ltv_pack_spenders(state->spenders.rows, state->spenders.count, NULL);
	if (size > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many customers that differ for a parallel plan"),
				 errhint("Set max_parallel_workers_per_gather to 0 for this query.")));
	result = palloc(size);
	SET_VARSIZE(result, size);
	at = VARDATA(result);
	memcpy(at, &header, sizeof(header));
	at += sizeof(header);
	ltv_pack_customers(state->customers.rows, state->customers.count, at);
	ltv_pack_spenders(state->spenders.rows, state->spenders.count, at + header.customers_size);
	PG_RETURN_BYTEA_P(result);
}

/* ltv_model_deserialize(bytea, internal) returns internal, for merge only */
Datum
crm_ltv_model_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *serial = PG_GETARG_BYTEA_PP(0);
	LtvOtherState *result = palloc(sizeof(LtvOtherState));

	(void) AggregateContext(fcinfo);
	memcpy(&result->header, VARDATA_ANY(serial), sizeof(result->header));
	result->customers = VARDATA_ANY(serial) + sizeof(result->header);
	result->spenders = result->customers + result->header.customers_size;
	PG_RETURN_POINTER(result);
}

/* Why a fit has no optimum, as the detail of a message. */
static int
errdetail_of_fit(const LtvFit *fit, LtvProcess process, int first)
{
	const char *name = ltv_parameter_name(process, first + fit->which);

	switch (fit->outcome)
	{
		case LTV_AT_ZERO:
			return errdetail("The likelihood rises for as long as parameter %s goes to zero.", name);
		case LTV_AT_INFINITY:
			return errdetail("The likelihood rises for as long as parameter %s grows.", name);
		case LTV_FLAT:
			return errdetail("Very different parameters are as likely as each other.");
		default:
			return errdetail("No maximum of the likelihood was found.");
	}
}

/* Fit spend to the spenders; warns if there is nothing to fit. */
static void
FitSpend(LtvState *state, LtvModel *model)
{
	const LtvSpender *spenders;
	size_t		count;
	double		customers = 0;
	LtvFit		fit;

	StateFold(state, &state->spenders);
	spenders = state->spenders.rows;
	count = state->spenders.count;
	if (count <= LTV_SPEND_PARAMETERS)
	{
		ereport(WARNING,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the model has no spend part"),
				 errdetail("Too few customers with repeat purchases of a value above zero differ in them.")));
		return;
	}
	ltv_fit_spend(spenders, count, CheckInterrupts, &fit);
	if (fit.outcome == LTV_STOPPED)
	{
		ereport(WARNING,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the model has no spend part"),
				 errdetail_of_fit(&fit, state->process, LTV_PARAMETERS)));
		return;
	}

	for (size_t i = 0; i < count; i++)
		customers += spenders[i].weight;
	memcpy(model->spend, fit.parameters, sizeof(model->spend));
	model->flags |= LTV_SPEND | LTV_SPEND_FITTED;
	model->spend_customers = (int64) customers;
	model->spend_log_likelihood = fit.log_likelihood;
	if (fit.outcome == LTV_OPTIMUM)
	{
		memcpy(model->spend_covariance, fit.covariance, sizeof(model->spend_covariance));
		model->flags |= LTV_SPEND_CONVERGED;
	}
	else
		ereport(WARNING,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the customers' purchases do not identify the spend part of the model"),
				 errdetail_of_fit(&fit, state->process, LTV_PARAMETERS),
				 errhint("The model has no standard errors of spend. More customers with repeat purchases would help.")));
	if (fit.outcome == LTV_OPTIMUM && model->spend[1] <= 1)
		ereport(WARNING,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the model's spend has no mean over all customers"),
				 errdetail("Parameter q is not above 1: a few customers spend without limit."),
				 errhint("The expected order value of a customer without repeat purchases is null.")));
}

/*
 * ltv_model_final(internal) returns ltv_model: the fit; NULL without
 * customers.  May run more than once on a state.
 */
Datum
crm_ltv_model_final(PG_FUNCTION_ARGS)
{
	LtvState   *state = PG_ARGISNULL(0) ? NULL : (LtvState *) PG_GETARG_POINTER(0);
	const LtvCustomer *rows;
	size_t		count;
	LtvModel   *model;
	LtvFit		fit;
	double		customers = 0;
	double		repeats = 0;

	if (state == NULL || state->customers.count == 0)
		PG_RETURN_NULL();

	StateFold(state, &state->customers);
	rows = state->customers.rows;
	count = state->customers.count;
	for (size_t i = 0; i < count; i++)
	{
		customers += rows[i].weight;
		repeats += rows[i].weight * rows[i].x;
	}
	if (repeats == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the customers do not identify a model"),
				 errdetail("None of the %.0f customers has bought a second time.", customers),
				 errhint("Fit a model to all customers, or to more time.")));
	if (count <= LTV_PARAMETERS)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the customers do not identify a model"),
				 errdetail("Among %.0f customers are only %zu different histories.", customers, count),
				 errhint("Fit a model to more customers.")));

	ltv_fit_process(state->process, rows, count, CheckInterrupts, &fit);
	if (fit.outcome == LTV_STOPPED)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the customers do not identify a model"),
				 errdetail_of_fit(&fit, state->process, 0)));

	model = palloc(sizeof(LtvModel));
	ltv_init(model, state->process);
	model->flags = LTV_FITTED | (state->in_days ? LTV_IN_DAYS : 0);
	model->customers = (int64) customers;
	model->repeat_purchases = (int64) repeats;
	memcpy(model->parameters, fit.parameters, sizeof(model->parameters));
	model->log_likelihood = fit.log_likelihood;
	if (fit.outcome == LTV_OPTIMUM)
	{
		memcpy(model->covariance, fit.covariance, sizeof(model->covariance));
		model->flags |= LTV_CONVERGED;
	}
	else
		ereport(WARNING,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the customers do not identify all parameters of the model"),
				 errdetail_of_fit(&fit, state->process, 0),
				 errhint("The model has no standard errors. More customers, a longer time or another model would help.")));
	if (state->with_spend)
		FitSpend(state, model);
	PG_RETURN_LTV_MODEL_P(model);
}

/*
 * in_days(ltv_model, float8) returns ltv_model: the same model with the day as
 * its unit of time, which so far was so many days.
 */
Datum
crm_in_days(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	double		days = PG_GETARG_FLOAT8(1);
	LtvModel   *result = palloc(sizeof(LtvModel));

	if (!(days > 0) || isinf(days))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("days must be greater than zero, and finite")));
	if (model->flags & LTV_IN_DAYS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the model is in days already")));
	memcpy(result, model, sizeof(LtvModel));
	result->flags |= LTV_IN_DAYS;
	result->parameters[1] *= days;
	if (model->process == LTV_PARETO_NBD)
		result->parameters[3] *= days;
	/* a density per day, for each repeat purchase */
	if (model->flags & LTV_FITTED)
		result->log_likelihood -= model->repeat_purchases * log(days);
	if (ltv_check(result) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("model out of range")));
	PG_RETURN_LTV_MODEL_P(result);
}

/*
 * What a model says of itself
 */

/* The variance of the logarithm of parameter i. */
static inline double
Variance(const double *covariance, int i)
{
	return covariance[i * (i + 1) / 2 + i];
}

/*
 * parameters(ltv_model) returns setof (name text, estimate float8,
 * standard_error float8): those of the process, then those of spend if the
 * model has them.  The error is NULL unless the fit converged.
 */
Datum
crm_parameters(PG_FUNCTION_ARGS)
{
	FuncCallContext *context;
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	int			i;
	bool		of_spend;
	double		estimate;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	if (SRF_IS_FIRSTCALL())
	{
		TupleDesc	row;
		MemoryContext old;

		context = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(context->multi_call_memory_ctx);
		if (get_call_result_type(fcinfo, NULL, &row) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		context->tuple_desc = BlessTupleDesc(row);
		context->max_calls = LTV_PARAMETERS +
			(model->flags & LTV_SPEND ? LTV_SPEND_PARAMETERS : 0);
		MemoryContextSwitchTo(old);
	}
	context = SRF_PERCALL_SETUP();
	i = (int) context->call_cntr;
	if (i >= context->max_calls)
		SRF_RETURN_DONE(context);

	of_spend = i >= LTV_PARAMETERS;
	values[0] = CStringGetTextDatum(ltv_parameter_name(model->process, i));
	if (of_spend)
		i -= LTV_PARAMETERS;
	estimate = of_spend ? model->spend[i] : model->parameters[i];
	values[1] = Float8GetDatum(estimate);
	nulls[2] = (model->flags & (of_spend ? LTV_SPEND_CONVERGED : LTV_CONVERGED)) == 0;
	values[2] = nulls[2] ? (Datum) 0 :
		Float8GetDatum(estimate * sqrt(Variance(of_spend ? model->spend_covariance :
												model->covariance, i)));
	SRF_RETURN_NEXT(context, HeapTupleGetDatum(heap_form_tuple(context->tuple_desc, values, nulls)));
}

/* log_likelihood(ltv_model) returns float8: NULL unless it was fitted. */
Datum
crm_log_likelihood(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);

	if ((model->flags & LTV_FITTED) == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(model->log_likelihood);
}

/* log_likelihood(ltv_model, x, t_x, t) returns float8: of one customer. */
Datum
crm_log_likelihood_raw(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	LtvCustomer c = GetCustomerArg(fcinfo, 1);

	PG_RETURN_FLOAT8(ltv_log_likelihood(model->process, model->parameters, c.x, c.t_x, c.t));
}

/* spend_log_likelihood(ltv_model) returns float8: NULL unless spend was fitted. */
Datum
crm_spend_log_likelihood(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);

	if ((model->flags & LTV_SPEND_FITTED) == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(model->spend_log_likelihood);
}

static inline void
CheckSpend(const LtvModel *model)
{
	if ((model->flags & LTV_SPEND) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the model has no spend part"),
				 errhint("Fit it with mean values, or to purchases with amounts.")));
}

/* The mean value of x purchases, from arguments n and n + 1. */
static inline double
GetMeanValueArg(FunctionCallInfo fcinfo, double x, int n)
{
	double		mean_value = PG_GETARG_FLOAT8(n);

	if (!(mean_value >= 0) || isinf(mean_value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("mean_value must be zero or more, and finite")));
	return x > 0 ? mean_value : 0;
}

static inline double
GetCountArg(FunctionCallInfo fcinfo, int n)
{
	double		x = PG_GETARG_FLOAT8(n);

	if (!(x >= 0 && x <= LTV_MAX_X) || x != floor(x))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("x must be a whole number from 0 to %.0f", LTV_MAX_X)));
	return x;
}

/*
 * spend_log_likelihood(ltv_model, x, mean_value) returns float8: of one
 * customer; 0 for one whom the fit leaves out, without repeat purchases or
 * with free ones only.
 */
Datum
crm_spend_log_likelihood_raw(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	double		x = GetCountArg(fcinfo, 1);
	double		mean_value = GetMeanValueArg(fcinfo, x, 2);

	CheckSpend(model);
	if (x == 0 || mean_value == 0)
		PG_RETURN_FLOAT8(0);
	PG_RETURN_FLOAT8(ltv_spend_log_likelihood(model->spend, x, mean_value));
}

/* customers(ltv_model) returns bigint: how many it was fitted to; NULL if not. */
Datum
crm_customers(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);

	if ((model->flags & LTV_FITTED) == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(model->customers);
}

/*
 * converged(ltv_model) returns boolean: whether all its parts are at a maximum
 * of the likelihood; NULL if it was not fitted.
 */
Datum
crm_converged(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);

	if ((model->flags & LTV_FITTED) == 0)
		PG_RETURN_NULL();
	PG_RETURN_BOOL((model->flags & LTV_CONVERGED) != 0 &&
				   ((model->flags & LTV_SPEND_FITTED) == 0 ||
					(model->flags & LTV_SPEND_CONVERGED) != 0));
}

/*
 * Predictions
 *
 * Each exists for purchases as of a time, and for raw numbers in the model's
 * own unit of time.
 */

/* So many models, or horizons of theirs, a call site can keep apart. */
#define LTV_CALL_CURVES		8

/* What a call site remembers from row to row. */
typedef struct LtvCall
{
	bool		warned;			/* that the model's unit is taken to be days */
	bool		horizon_known;
	TimestampTz as_of;
	Interval	horizon;
	double		horizon_days;	/* of that horizon, from as_of on */
	double		annual_discount;
	double		delta;			/* the same, per day */
	int			last_curves;	/* the most recent of these, which are NULL at first */
	LtvCurves  *curves[LTV_CALL_CURVES];
} LtvCall;

static inline LtvCall *
CallOf(FunctionCallInfo fcinfo)
{
	if (unlikely(fcinfo->flinfo->fn_extra == NULL))
		fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(LtvCall));
	return fcinfo->flinfo->fn_extra;
}

/* Memory of the curves whose context that is. */
static void *
AllocateCurve(void *context, size_t size)
{
	return MemoryContextAlloc((MemoryContext) context, size);
}

/* Whether these are the curves of that; a horizon of 0 goes with delta of 0. */
static inline bool
AreCurvesOf(const LtvCurves *curves, const LtvModel *model, double horizon, double delta)
{
	return curves->process == model->process && curves->horizon == horizon &&
		curves->delta == delta &&
		memcmp(curves->parameters, model->parameters, sizeof(curves->parameters)) == 0;
}

/*
 * The curves of a model, and where delta is not 0 of a horizon: those that the
 * call site knows already, or new ones in the place of its oldest.
 */
static LtvCurves *
CurvesOf(FunctionCallInfo fcinfo, const LtvModel *model, double horizon, double delta)
{
	LtvCall    *call = CallOf(fcinfo);
	LtvCurves  *curves;

	if (delta == 0)
		horizon = 0;
	curves = call->curves[call->last_curves];
	if (likely(curves != NULL && AreCurvesOf(curves, model, horizon, delta)))
		return curves;
	for (int i = 0; i < LTV_CALL_CURVES && call->curves[i] != NULL; i++)
		if (AreCurvesOf(call->curves[i], model, horizon, delta))
			return call->curves[call->last_curves = i];

	call->last_curves = (call->last_curves + 1) % LTV_CALL_CURVES;
	curves = call->curves[call->last_curves];
	if (curves == NULL)
	{
		curves = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(LtvCurves));
		curves->allocate = AllocateCurve;
		curves->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt,
												"crm.ltv_model predictions",
												ALLOCSET_DEFAULT_SIZES);
		call->curves[call->last_curves] = curves;
	}
	else
	{
		memset(curves->panels, 0, sizeof(curves->panels));
		MemoryContextReset(curves->context);
	}
	curves->process = model->process;
	memcpy(curves->parameters, model->parameters, sizeof(curves->parameters));
	curves->horizon = horizon;
	curves->delta = delta;
	return curves;
}

/* As of a customer, by the call site's curves. */
static inline double
Alive(FunctionCallInfo fcinfo, const LtvModel *model, const LtvCustomer *c)
{
	if (model->process != LTV_PARETO_NBD)
		return ltv_alive(model->process, model->parameters, c->x, c->t_x, c->t);
	return ltv_curves_alive(CurvesOf(fcinfo, model, 0, 0), c->x, c->t_x, c->t);
}

/* 1 less that, but where it would lose digits. */
static inline double
ChurnRisk(FunctionCallInfo fcinfo, const LtvModel *model, const LtvCustomer *c)
{
	double		alive = Alive(fcinfo, model, c);

	if (alive < 0.99)
		return 1 - alive;
	return ltv_lost(model->process, model->parameters, c->x, c->t_x, c->t);
}

static inline double
DiscountedOrders(FunctionCallInfo fcinfo, const LtvModel *model, const LtvCustomer *c,
				 double horizon, double delta)
{
	LtvCurves  *curves = CurvesOf(fcinfo, model, horizon, delta);

	return delta == 0 ? ltv_curves_orders(curves, c->x, c->t_x, c->t, horizon)
		: ltv_curves_discounted(curves, c->x, c->t_x, c->t);
}

/* The model of argument 0, where days are what it is asked about. */
static inline LtvModel *
GetModelInDaysArg(FunctionCallInfo fcinfo)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);

	if (unlikely((model->flags & LTV_IN_DAYS) == 0))
	{
		LtvCall    *call = CallOf(fcinfo);

		if (!call->warned)
			ereport(WARNING,
					(errcode(ERRCODE_WARNING),
					 errmsg("the model's unit of time is not known, and taken to be the day"),
					 errdetail("It was not fitted to purchases, whose unit is the day."),
					 errhint("Say it once: crm.in_days(model, 7) for a model in weeks, crm.in_days(model, 1) for one in days.")));
		call->warned = true;
	}
	return model;
}

/* Raw horizon of argument n. */
static inline double
GetHorizonArg(FunctionCallInfo fcinfo, int n)
{
	double		horizon = PG_GETARG_FLOAT8(n);

	if (unlikely(!(horizon >= 0)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("horizon must be zero or more")));
	return horizon;
}

/* Days from as_of to as_of + horizon, by the calendar of UTC. */
static double
HorizonDays(TimestampTz as_of, Interval *horizon)
{
	/* without time zone: a day is then 24 hours, and no setting matters */
	Timestamp	end = DatumGetTimestamp(DirectFunctionCall2(timestamp_pl_interval,
															TimestampGetDatum(as_of),
															IntervalPGetDatum(horizon)));

	if (end < as_of)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("horizon must be zero or more")));
	if (TIMESTAMP_IS_NOEND(end))
		return get_float8_infinity();
	return DaysBetween(as_of, end);
}

/* The same for arguments n and n + 1, once for rows alike. */
static inline double
GetHorizonDaysArg(FunctionCallInfo fcinfo, int n)
{
	TimestampTz as_of = PG_GETARG_TIMESTAMPTZ(n);
	Interval   *horizon = PG_GETARG_INTERVAL_P(n + 1);
	LtvCall    *call = CallOf(fcinfo);

	if (unlikely(!call->horizon_known || call->as_of != as_of ||
				 call->horizon.time != horizon->time || call->horizon.day != horizon->day ||
				 call->horizon.month != horizon->month))
	{
		call->horizon_days = HorizonDays(as_of, horizon);
		call->as_of = as_of;
		call->horizon = *horizon;
		call->horizon_known = true;
	}
	return call->horizon_days;
}

/* The discount per unit of time of argument n. */
static inline double
GetDiscountArg(FunctionCallInfo fcinfo, int n)
{
	double		discount = PG_GETARG_FLOAT8(n);

	if (unlikely(!(discount >= 0) || isinf(discount)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("discount must be zero or more, and finite")));
	return discount;
}

/* The discount per day of an annual discount, argument n. */
static inline double
GetAnnualDiscountArg(FunctionCallInfo fcinfo, int n)
{
	double		annual = PG_GETARG_FLOAT8(n);
	LtvCall    *call = CallOf(fcinfo);

	if (unlikely(annual != call->annual_discount))
	{
		if (!(annual >= 0) || isinf(annual))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("annual_discount must be zero or more, and finite"),
					 errdetail("A discount of 10 %% is 0.1.")));
		call->delta = log1p(annual) / DAYS_PER_DISCOUNT_YEAR;
		call->annual_discount = annual;
	}
	return call->delta;
}

/* The variance of a quantity of that gradient, by the delta method. */
static double
DeltaMethodVariance(const double *gradient, const double *covariance, int size)
{
	double		sum = 0;

	for (int i = 0, at = 0; i < size; i++)
		for (int j = 0; j <= i; j++, at++)
			sum += (i == j ? 1 : 2) * gradient[i] * gradient[j] * covariance[at];
	/* rounding may bring it below zero */
	return sum < 0 ? 0 : sum;
}

/*
 * alive(ltv_model, purchases, timestamptz) returns float8: the probability
 * that the customer still is one at as_of.  NULL for a customer without
 * purchases until as_of, as with all predictions.
 */
Datum
crm_alive(PG_FUNCTION_ARGS)
{
	LtvModel   *model = GetModelInDaysArg(fcinfo);
	LtvCustomer c;

	if (!CustomerFromPurchases(PG_GETARG_PURCHASES_P(1), PG_GETARG_TIMESTAMPTZ(2), &c))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(Alive(fcinfo, model, &c));
}

/* alive(ltv_model, x, t_x, t) returns float8 */
Datum
crm_alive_raw(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	LtvCustomer c = GetCustomerArg(fcinfo, 1);

	PG_RETURN_FLOAT8(Alive(fcinfo, model, &c));
}

/*
 * churn_risk(ltv_model, purchases, timestamptz) returns float8: the probability
 * that the customer is lost at as_of.
 */
Datum
crm_churn_risk(PG_FUNCTION_ARGS)
{
	LtvModel   *model = GetModelInDaysArg(fcinfo);
	LtvCustomer c;

	if (!CustomerFromPurchases(PG_GETARG_PURCHASES_P(1), PG_GETARG_TIMESTAMPTZ(2), &c))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(ChurnRisk(fcinfo, model, &c));
}

/* churn_risk(ltv_model, x, t_x, t) returns float8 */
Datum
crm_churn_risk_raw(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	LtvCustomer c = GetCustomerArg(fcinfo, 1);

	PG_RETURN_FLOAT8(ChurnRisk(fcinfo, model, &c));
}

/*
 * expected_orders(ltv_model, purchases, timestamptz, interval) returns float8:
 * how many orders to expect from as_of until the horizon has passed.
 */
Datum
crm_expected_orders(PG_FUNCTION_ARGS)
{
	LtvModel   *model = GetModelInDaysArg(fcinfo);
	double		horizon = GetHorizonDaysArg(fcinfo, 2);
	LtvCustomer c;

	if (!CustomerFromPurchases(PG_GETARG_PURCHASES_P(1), PG_GETARG_TIMESTAMPTZ(2), &c))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(DiscountedOrders(fcinfo, model, &c, horizon, 0));
}

/* expected_orders(ltv_model, x, t_x, t, horizon) returns float8 */
Datum
crm_expected_orders_raw(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	LtvCustomer c = GetCustomerArg(fcinfo, 1);

	PG_RETURN_FLOAT8(DiscountedOrders(fcinfo, model, &c, GetHorizonArg(fcinfo, 4), 0));
}

/*
 * expected_orders(ltv_model, horizon) returns float8: how many orders to expect
 * of a new customer after the first, until the horizon has passed since then.
 */
Datum
crm_expected_orders_new(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	LtvCustomer c = {0};

	PG_RETURN_FLOAT8(DiscountedOrders(fcinfo, model, &c, GetHorizonArg(fcinfo, 1), 0));
}

/* Of what is infinite the error is too. */
static Datum
ExpectedOrdersError(const LtvModel *model, const LtvCustomer *c, double horizon)
{
	double		gradient[LTV_PARAMETERS];
	double		orders = ltv_expected_orders_gradient(model->process, model->parameters,
													  c->x, c->t_x, c->t, horizon, gradient);

	if (isinf(orders))
		return Float8GetDatum(get_float8_infinity());
	return Float8GetDatum(orders * sqrt(DeltaMethodVariance(gradient, model->covariance,
															LTV_PARAMETERS)));
}

/*
 * expected_orders_error(ltv_model, purchases, timestamptz, interval) returns
 * float8: the standard error of expected_orders, by the delta method: what the
 * uncertainty of the model's parameters makes of it.  NULL if the model has no
 * standard errors.
 */
Datum
crm_expected_orders_error(PG_FUNCTION_ARGS)
{
	LtvModel   *model = GetModelInDaysArg(fcinfo);
	double		horizon = GetHorizonDaysArg(fcinfo, 2);
	LtvCustomer c;

	if (!CustomerFromPurchases(PG_GETARG_PURCHASES_P(1), PG_GETARG_TIMESTAMPTZ(2), &c) ||
		(model->flags & LTV_CONVERGED) == 0)
		PG_RETURN_NULL();
	return ExpectedOrdersError(model, &c, horizon);
}

/* expected_orders_error(ltv_model, x, t_x, t, horizon) returns float8 */
Datum
crm_expected_orders_error_raw(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	LtvCustomer c = GetCustomerArg(fcinfo, 1);
	double		horizon = GetHorizonArg(fcinfo, 4);

	if ((model->flags & LTV_CONVERGED) == 0)
		PG_RETURN_NULL();
	return ExpectedOrdersError(model, &c, horizon);
}

/*
 * expected_repeat_orders(ltv_model, timestamptz, timestamptz) returns float8:
 * how many orders to expect, until a time, of a customer of whom no more is
 * known than the time of the first.  0 before it.
 */
Datum
crm_expected_repeat_orders(PG_FUNCTION_ARGS)
{
	LtvModel   *model = GetModelInDaysArg(fcinfo);
	TimestampTz first_order = PG_GETARG_TIMESTAMPTZ(1);
	TimestampTz until = PG_GETARG_TIMESTAMPTZ(2);
	LtvCustomer c = {0};

	if (TIMESTAMP_NOT_FINITE(first_order) || TIMESTAMP_NOT_FINITE(until))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("times must be finite")));
	if (until <= first_order)
		PG_RETURN_FLOAT8(0);
	PG_RETURN_FLOAT8(DiscountedOrders(fcinfo, model, &c, DaysBetween(first_order, until), 0));
}

/* A number of orders, argument 1. */
static inline int
GetOrdersArg(FunctionCallInfo fcinfo)
{
	int			n = PG_GETARG_INT32(1);

	if (n < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of orders must not be negative")));
	return n;
}

static inline double
CheckFiniteHorizon(double horizon)
{
	if (isinf(horizon))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("horizon must be finite")));
	return horizon;
}

/*
 * order_probability(ltv_model, integer, purchases, timestamptz, interval)
 * returns float8: the probability of exactly n orders from as_of until the
 * horizon has passed.
 */
Datum
crm_order_probability(PG_FUNCTION_ARGS)
{
	LtvModel   *model = GetModelInDaysArg(fcinfo);
	int			n = GetOrdersArg(fcinfo);
	double		horizon = CheckFiniteHorizon(GetHorizonDaysArg(fcinfo, 3));
	LtvCustomer c;

	if (!CustomerFromPurchases(PG_GETARG_PURCHASES_P(2), PG_GETARG_TIMESTAMPTZ(3), &c))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(ltv_order_probability(model->process, model->parameters, n,
										   c.x, c.t_x, c.t, horizon));
}

/* order_probability(ltv_model, integer, x, t_x, t, horizon) returns float8 */
Datum
crm_order_probability_raw(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	int			n = GetOrdersArg(fcinfo);
	LtvCustomer c = GetCustomerArg(fcinfo, 2);

	PG_RETURN_FLOAT8(ltv_order_probability(model->process, model->parameters, n, c.x, c.t_x, c.t,
										   CheckFiniteHorizon(GetHorizonArg(fcinfo, 5))));
}

/*
 * order_probability(ltv_model, integer, horizon) returns float8: the
 * probability that a new customer orders exactly n times after the first,
 * until the horizon has passed since then.
 */
Datum
crm_order_probability_new(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	int			n = GetOrdersArg(fcinfo);

	PG_RETURN_FLOAT8(ltv_new_order_probability(model->process, model->parameters, n,
											   CheckFiniteHorizon(GetHorizonArg(fcinfo, 2))));
}

/*
 * discounted_orders(ltv_model, purchases, timestamptz, interval, float8)
 * returns float8: expected_orders, each order worth the less the later it is.
 */
Datum
crm_discounted_orders(PG_FUNCTION_ARGS)
{
	LtvModel   *model = GetModelInDaysArg(fcinfo);
	double		horizon = GetHorizonDaysArg(fcinfo, 2);
	double		delta = GetAnnualDiscountArg(fcinfo, 4);
	LtvCustomer c;

	if (!CustomerFromPurchases(PG_GETARG_PURCHASES_P(1), PG_GETARG_TIMESTAMPTZ(2), &c))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(DiscountedOrders(fcinfo, model, &c, horizon, delta));
}

/*
 * dect(ltv_model, x, t_x, t, horizon, discount) returns float8: discounted
 * expected conditional transactions; the discount is continuously compounded,
 * per unit of time.
 */
Datum
crm_dect(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	LtvCustomer c = GetCustomerArg(fcinfo, 1);
	double		horizon = GetHorizonArg(fcinfo, 4);
	double		delta = GetDiscountArg(fcinfo, 5);

	PG_RETURN_FLOAT8(DiscountedOrders(fcinfo, model, &c, horizon, delta));
}

/*
 * dert(ltv_model, purchases, timestamptz, float8) returns float8: discounted
 * expected residual transactions: discounted_orders without a horizon.
 */
Datum
crm_dert(PG_FUNCTION_ARGS)
{
	LtvModel   *model = GetModelInDaysArg(fcinfo);
	double		delta = GetAnnualDiscountArg(fcinfo, 3);
	LtvCustomer c;

	if (!CustomerFromPurchases(PG_GETARG_PURCHASES_P(1), PG_GETARG_TIMESTAMPTZ(2), &c))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(DiscountedOrders(fcinfo, model, &c, get_float8_infinity(), delta));
}

/* dert(ltv_model, x, t_x, t, discount) returns float8 */
Datum
crm_dert_raw(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	LtvCustomer c = GetCustomerArg(fcinfo, 1);
	double		delta = GetDiscountArg(fcinfo, 4);

	PG_RETURN_FLOAT8(DiscountedOrders(fcinfo, model, &c, get_float8_infinity(), delta));
}

/* The expected value of a customer's purchases; false if there is no mean. */
static inline bool
ExpectedSpend(const LtvModel *model, double x, double mean_value, double *value)
{
	CheckSpend(model);
	*value = ltv_expected_spend(model->spend, x, mean_value);
	return !isinf(*value);
}

/*
 * expected_order_value(ltv_model, purchases) returns float8: the expected value
 * of a customer's next orders.  NULL for a customer without orders, and where
 * the model has no mean (q <= 1 and no repeat purchases).
 */
Datum
crm_expected_order_value(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	Purchases  *p = PG_GETARG_PURCHASES_P(1);
	double		x = purchases_repeats(p);
	double		value;

	if (!ExpectedSpend(model, x, x > 0 ? RepeatValue(p) : 0, &value) || p->orders == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(value);
}

/* expected_order_value(ltv_model, x, mean_value) returns float8 */
Datum
crm_expected_order_value_raw(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	double		x = GetCountArg(fcinfo, 1);
	double		value;

	if (!ExpectedSpend(model, x, GetMeanValueArg(fcinfo, x, 2), &value))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(value);
}

/* expected_order_value(ltv_model) returns float8: of a new customer. */
Datum
crm_expected_order_value_new(PG_FUNCTION_ARGS)
{
	double		value;

	if (!ExpectedSpend(PG_GETARG_LTV_MODEL_P(0), 0, 0, &value))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(value);
}

/*
 * ltv(ltv_model, purchases, timestamptz, interval, float8) returns float8: what
 * a customer will be worth: discounted_orders x expected_order_value.
 */
Datum
crm_ltv(PG_FUNCTION_ARGS)
{
	LtvModel   *model = GetModelInDaysArg(fcinfo);
	Purchases  *p = PG_GETARG_PURCHASES_P(1);
	double		horizon = GetHorizonDaysArg(fcinfo, 2);
	double		delta = GetAnnualDiscountArg(fcinfo, 4);
	LtvCustomer c;
	double		value;

	if (!CustomerFromPurchases(p, PG_GETARG_TIMESTAMPTZ(2), &c) ||
		!ExpectedSpend(model, c.x, c.x > 0 ? RepeatValue(p) : 0, &value))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(value * DiscountedOrders(fcinfo, model, &c, horizon, delta));
}

/* ltv(ltv_model, x, t_x, t, mean_value, horizon, discount) returns float8 */
Datum
crm_ltv_raw(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	LtvCustomer c = GetCustomerArg(fcinfo, 1);
	double		mean_value = GetMeanValueArg(fcinfo, c.x, 4);
	double		horizon = GetHorizonArg(fcinfo, 5);
	double		delta = GetDiscountArg(fcinfo, 6);
	double		value;

	if (!ExpectedSpend(model, c.x, mean_value, &value))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(value * DiscountedOrders(fcinfo, model, &c, horizon, delta));
}

/* Process and spend are fitted apart: their errors are independent. */
static Datum
LtvError(FunctionCallInfo fcinfo, const LtvModel *model, const LtvCustomer *c,
		 double mean_value, double horizon, double delta)
{
	double		by_process[LTV_PARAMETERS];
	double		by_spend[LTV_SPEND_PARAMETERS];
	double		orders;
	double		value;

	CheckSpend(model);
	if ((model->flags & LTV_CONVERGED) == 0 || (model->flags & LTV_SPEND_CONVERGED) == 0)
		PG_RETURN_NULL();
	orders = ltv_discounted_orders_gradient(model->process, model->parameters,
											c->x, c->t_x, c->t, horizon, delta, by_process);
	value = ltv_expected_spend_gradient(model->spend, c->x, mean_value, by_spend);
	if (isinf(value))
		PG_RETURN_NULL();
	if (isinf(orders))
		PG_RETURN_FLOAT8(get_float8_infinity());
	for (int i = 0; i < LTV_SPEND_PARAMETERS; i++)
		by_spend[i] /= value;
	PG_RETURN_FLOAT8(orders * value *
					 sqrt(DeltaMethodVariance(by_process, model->covariance, LTV_PARAMETERS) +
						  DeltaMethodVariance(by_spend, model->spend_covariance,
											  LTV_SPEND_PARAMETERS)));
}

/*
 * ltv_error(ltv_model, purchases, timestamptz, interval, float8) returns
 * float8: the standard error of ltv, as of expected_orders_error.
 */
Datum
crm_ltv_error(PG_FUNCTION_ARGS)
{
	LtvModel   *model = GetModelInDaysArg(fcinfo);
	Purchases  *p = PG_GETARG_PURCHASES_P(1);
	double		horizon = GetHorizonDaysArg(fcinfo, 2);
	double		delta = GetAnnualDiscountArg(fcinfo, 4);
	LtvCustomer c;

	if (!CustomerFromPurchases(p, PG_GETARG_TIMESTAMPTZ(2), &c))
		PG_RETURN_NULL();
	return LtvError(fcinfo, model, &c, c.x > 0 ? RepeatValue(p) : 0, horizon, delta);
}

/* ltv_error(ltv_model, x, t_x, t, mean_value, horizon, discount) returns float8 */
Datum
crm_ltv_error_raw(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	LtvCustomer c = GetCustomerArg(fcinfo, 1);
	double		mean_value = GetMeanValueArg(fcinfo, c.x, 4);

	return LtvError(fcinfo, model, &c, mean_value, GetHorizonArg(fcinfo, 5),
					GetDiscountArg(fcinfo, 6));
}

/* A time so many microseconds after the last order; NULL after the last of all. */
static Datum
TimeAfterLastOrder(FunctionCallInfo fcinfo, const Purchases *p, double usecs)
{
	TimestampTz at;

	if (usecs >= 0x1p63 || pg_add_s64_overflow(p->last_order, (int64) rint(usecs), &at) ||
		at >= END_TIMESTAMP)
		PG_RETURN_NULL();
	return TimestampTzGetDatum(at);
}

/*
 * next_order(purchases) returns timestamptz: the last order and once more the
 * average gap; NULL with fewer than two purchases, or if no timestamp is so late.
 */
Datum
crm_next_order(PG_FUNCTION_ARGS)
{
	Purchases  *p = PG_GETARG_PURCHASES_P(0);

	if (p->orders < 2)
		PG_RETURN_NULL();
	return TimeAfterLastOrder(fcinfo, p, (double) (((uint64) purchases_last(p) - (uint64) purchases_first(p)) /
												   purchases_repeats(p)));
}

/*
 * next_order(ltv_model, purchases) returns timestamptz: when the next order
 * will have come with probability 1/2, as seen from the last one, if the
 * customer stays one.  (The mean of that time is infinite if r + x <= 1.)
 * NULL without an order, or if no timestamp is so late: with a small r the
 * median of those who have ordered once can be millions of years.
 */
Datum
crm_next_order_model(PG_FUNCTION_ARGS)
{
	LtvModel   *model = GetModelInDaysArg(fcinfo);
	Purchases  *p = PG_GETARG_PURCHASES_P(1);
	LtvCustomer c;

	if (!CustomerFromPurchases(p, purchases_last(p), &c))
		PG_RETURN_NULL();
	return TimeAfterLastOrder(fcinfo, p, USECS_PER_DAY *
							  ltv_next_order_within(model->process, model->parameters,
													c.x, c.t, 0.5));
}

/*
 * absolute_error_add(float8[], float8, float8) returns float8[]: the transition
 * of mean_absolute_error: that of avg() over |actual - expected|.
 */
Datum
crm_absolute_error_add(PG_FUNCTION_ARGS)
{
	fcinfo->args[1].value = Float8GetDatum(fabs(PG_GETARG_FLOAT8(1) - PG_GETARG_FLOAT8(2)));
	return float8_accum(fcinfo);
}
