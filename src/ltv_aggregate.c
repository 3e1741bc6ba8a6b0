/*
 * ltv_aggregate.c
 *		The aggregates that fit a model to customers, and the one that tells how
 *		far predictions are off.
 */
#include "crm.h"

#include "crm_ltv.h"

#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(crm_ltv_model_add);
PG_FUNCTION_INFO_V1(crm_ltv_model_add_raw);
PG_FUNCTION_INFO_V1(crm_ltv_model_merge);
PG_FUNCTION_INFO_V1(crm_ltv_model_serialize);
PG_FUNCTION_INFO_V1(crm_ltv_model_deserialize);
PG_FUNCTION_INFO_V1(crm_ltv_model_final);
PG_FUNCTION_INFO_V1(crm_absolute_error_add);

/*
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
		ltv_fold_spenders(rows->rows, rows->count, folded, scratch) :
		ltv_fold_customers(rows->rows, rows->count, folded, scratch);
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
		ltv_merge_spenders(rows->rows, rows->count, packed, count, merged) :
		ltv_merge_customers(rows->rows, rows->count, packed, count, merged);
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
	ltv_fit_spend(spenders, count, &fit);
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

	ltv_fit_process(state->process, rows, count, &fit);
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
 * absolute_error_add(float8[], float8, float8) returns float8[]: the transition
 * of mean_absolute_error: that of avg() over |actual - expected|.
 */
Datum
crm_absolute_error_add(PG_FUNCTION_ARGS)
{
	fcinfo->args[1].value = Float8GetDatum(fabs(PG_GETARG_FLOAT8(1) - PG_GETARG_FLOAT8(2)));
	return float8_accum(fcinfo);
}
