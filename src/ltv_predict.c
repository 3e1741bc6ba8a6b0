/*
 * ltv_predict.c
 *		Predictions: what a model says of customers.
 */
#include "crm.h"

#include "crm_ltv.h"
#include "ltv_curves.h"

#include "common/int.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/memutils.h"

/*
 * An annual discount of 10 % makes an order in 365.25 days worth 1 / 1.1 of
 * one today, and one in between accordingly: exp(-days ln(1.1) / 365.25).
 */
#define DAYS_PER_DISCOUNT_YEAR	365.25

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

/*
 * Each prediction exists for purchases as of a time, and for raw numbers in the model's
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
	PG_RETURN_RESULT(Alive(fcinfo, model, &c));
}

/* alive(ltv_model, x, t_x, t) returns float8 */
Datum
crm_alive_raw(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	LtvCustomer c = GetCustomerArg(fcinfo, 1);

	PG_RETURN_RESULT(Alive(fcinfo, model, &c));
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
	PG_RETURN_RESULT(ChurnRisk(fcinfo, model, &c));
}

/* churn_risk(ltv_model, x, t_x, t) returns float8 */
Datum
crm_churn_risk_raw(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	LtvCustomer c = GetCustomerArg(fcinfo, 1);

	PG_RETURN_RESULT(ChurnRisk(fcinfo, model, &c));
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
	PG_RETURN_RESULT(DiscountedOrders(fcinfo, model, &c, horizon, 0));
}

/* expected_orders(ltv_model, x, t_x, t, horizon) returns float8 */
Datum
crm_expected_orders_raw(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	LtvCustomer c = GetCustomerArg(fcinfo, 1);

	PG_RETURN_RESULT(DiscountedOrders(fcinfo, model, &c, GetHorizonArg(fcinfo, 4), 0));
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

	PG_RETURN_RESULT(DiscountedOrders(fcinfo, model, &c, GetHorizonArg(fcinfo, 1), 0));
}

/* DiscountedOrders() with the gradient of its logarithm. */
static inline double
OrdersGradient(FunctionCallInfo fcinfo, const LtvModel *model, const LtvCustomer *c,
			   double horizon, double delta, double *gradient)
{
	return ltv_curves_gradient(CurvesOf(fcinfo, model, horizon, delta), c->x, c->t_x, c->t,
							   horizon, gradient);
}

/* Of what is infinite the error is too. */
static Datum
ExpectedOrdersError(FunctionCallInfo fcinfo, const LtvModel *model, const LtvCustomer *c,
					double horizon)
{
	double		gradient[LTV_PARAMETERS];
	double		orders = OrdersGradient(fcinfo, model, c, horizon, 0, gradient);

	if (isinf(orders))
		PG_RETURN_FLOAT8(get_float8_infinity());
	PG_RETURN_RESULT(orders * sqrt(DeltaMethodVariance(gradient, model->covariance, LTV_PARAMETERS)));
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
	return ExpectedOrdersError(fcinfo, model, &c, horizon);
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
	return ExpectedOrdersError(fcinfo, model, &c, horizon);
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
	PG_RETURN_RESULT(DiscountedOrders(fcinfo, model, &c, DaysBetween(first_order, until), 0));
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
	PG_RETURN_RESULT(ltv_order_probability(model->process, model->parameters, n,
										   c.x, c.t_x, c.t, horizon));
}

/* order_probability(ltv_model, integer, x, t_x, t, horizon) returns float8 */
Datum
crm_order_probability_raw(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	int			n = GetOrdersArg(fcinfo);
	LtvCustomer c = GetCustomerArg(fcinfo, 2);

	PG_RETURN_RESULT(ltv_order_probability(model->process, model->parameters, n, c.x, c.t_x, c.t,
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

	PG_RETURN_RESULT(ltv_new_order_probability(model->process, model->parameters, n,
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
	PG_RETURN_RESULT(DiscountedOrders(fcinfo, model, &c, horizon, delta));
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

	PG_RETURN_RESULT(DiscountedOrders(fcinfo, model, &c, horizon, delta));
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
	PG_RETURN_RESULT(DiscountedOrders(fcinfo, model, &c, get_float8_infinity(), delta));
}

/* dert(ltv_model, x, t_x, t, discount) returns float8 */
Datum
crm_dert_raw(PG_FUNCTION_ARGS)
{
	LtvModel   *model = PG_GETARG_LTV_MODEL_P(0);
	LtvCustomer c = GetCustomerArg(fcinfo, 1);
	double		delta = GetDiscountArg(fcinfo, 4);

	PG_RETURN_RESULT(DiscountedOrders(fcinfo, model, &c, get_float8_infinity(), delta));
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
 * the model has no mean (p x + q <= 1).
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
	PG_RETURN_RESULT(value);
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
	PG_RETURN_RESULT(value);
}

/* expected_order_value(ltv_model) returns float8: of a new customer. */
Datum
crm_expected_order_value_new(PG_FUNCTION_ARGS)
{
	double		value;

	if (!ExpectedSpend(PG_GETARG_LTV_MODEL_P(0), 0, 0, &value))
		PG_RETURN_NULL();
	PG_RETURN_RESULT(value);
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
	PG_RETURN_RESULT(value * DiscountedOrders(fcinfo, model, &c, horizon, delta));
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
	PG_RETURN_RESULT(value * DiscountedOrders(fcinfo, model, &c, horizon, delta));
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
	orders = OrdersGradient(fcinfo, model, c, horizon, delta, by_process);
	value = ltv_expected_spend_gradient(model->spend, c->x, mean_value, by_spend);
	if (isinf(value))
		PG_RETURN_NULL();
	if (isinf(orders))
		PG_RETURN_FLOAT8(get_float8_infinity());
	for (int i = 0; i < LTV_SPEND_PARAMETERS; i++)
		by_spend[i] /= value;
	PG_RETURN_RESULT(orders * value *
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

	if (!(usecs < 0x1p63) || pg_add_s64_overflow(p->last_order, (int64) rint(usecs), &at) ||
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
	return TimeAfterLastOrder(fcinfo, p, (double) (purchases_active(p) / purchases_repeats(p)));
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
