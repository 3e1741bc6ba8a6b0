/*
 * ltv.c
 *		The type crm.ltv_model, and what a model says of itself.
 */
#include "crm.h"

#include "crm_ltv.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

StaticAssertDecl(sizeof(LtvModel) == LTV_MODEL_SIZE, "the size of crm.ltv_model is on disk");

PG_FUNCTION_INFO_V1(crm_ltv_model_in);
PG_FUNCTION_INFO_V1(crm_ltv_model_out);
PG_FUNCTION_INFO_V1(crm_ltv_model_recv);
PG_FUNCTION_INFO_V1(crm_ltv_model_send);
PG_FUNCTION_INFO_V1(crm_ltv_model);
PG_FUNCTION_INFO_V1(crm_in_days);
PG_FUNCTION_INFO_V1(crm_parameters);
PG_FUNCTION_INFO_V1(crm_log_likelihood);
PG_FUNCTION_INFO_V1(crm_log_likelihood_raw);
PG_FUNCTION_INFO_V1(crm_spend_log_likelihood);
PG_FUNCTION_INFO_V1(crm_spend_log_likelihood_raw);
PG_FUNCTION_INFO_V1(crm_customers);
PG_FUNCTION_INFO_V1(crm_converged);

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
LtvProcess
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

	PG_RETURN_RESULT(ltv_log_likelihood(model->process, model->parameters, c.x, c.t_x, c.t));
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
	PG_RETURN_RESULT(ltv_spend_log_likelihood(model->spend, x, mean_value));
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
