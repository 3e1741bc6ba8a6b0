/*
 * crm_ltv.h
 *		What the parts of the room have in common inside the server: models and
 *		customers as arguments.
 */
#ifndef CRM_LTV_SERVER_H
#define CRM_LTV_SERVER_H

#include "crm.h"
#include "crm_amount.h"
#include "ltv.h"
#include "purchases.h"

#include <math.h>

#include "utils/timestamp.h"

#define PG_GETARG_LTV_MODEL_P(n)	((LtvModel *) PG_GETARG_POINTER(n))
#define PG_RETURN_LTV_MODEL_P(x)	PG_RETURN_POINTER(x)
#define PG_GETARG_PURCHASES_P(n)	((Purchases *) PG_GETARG_POINTER(n))

extern void LtvInit(void);
extern LtvProcess ProcessFromText(const text *name);

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
						   pstrdup(timestamptz_to_str(purchases_last(p))),
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

/* Parameters far from any that customers have overflow: an error, in place of NaN. */
static inline double
CheckResult(double result)
{
	if (unlikely(isnan(result)))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("result of the model is out of range"),
				 errdetail("Its parameters, or the numbers that it is asked about, are too large or too small.")));
	return result;
}

#define PG_RETURN_RESULT(x)	PG_RETURN_FLOAT8(CheckResult(x))

#endif							/* CRM_LTV_SERVER_H */
