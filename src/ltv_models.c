/*
 * ltv_models.c
 *		The functions of ltv_models.h that the processes have in common.
 *
 * A customer is lost by t with some probability, and if not is like a new one
 * of other parameters: so every prediction is one of a new customer times the
 * probability of not being lost.
 */
#include "ltv_models.h"
#include "ltv_bg_nbd.h"
#include "ltv_pareto_nbd.h"
#include "ltv_special.h"

static void
no_interrupt(void)
{
}

void		(*ltv_interrupt) (void) = no_interrupt;

/* Log-likelihood of one customer. */
double
ltv_log_likelihood(LtvProcess process, const double parameters[4],
				   double x, double t_x, double t)
{
	return ltv_log_likelihood_gradient(process, parameters, x, t_x, t, NULL);
}

/* The same, with its gradient by the logarithms of the parameters. */
double
ltv_log_likelihood_gradient(LtvProcess process, const double parameters[4],
							double x, double t_x, double t, double gradient[4])
{
	LtvCustomer customer = {x, t_x, t, 1};

	return process == LTV_PARETO_NBD
		? pareto_nbd_log_likelihood(parameters, &customer, gradient)
		: bg_nbd_log_likelihood(process == LTV_MBG_NBD, parameters, &customer, gradient);
}

/* Weighted sum over customers, with gradient and Hessian if wanted. */
double
ltv_log_likelihood_sum(LtvProcess process, const double parameters[4],
					   const LtvCustomer *rows, size_t n,
					   double gradient[4], double hessian[4][4])
{
	return process == LTV_PARETO_NBD
		? pareto_nbd_sum(parameters, rows, n, gradient, hessian)
		: bg_nbd_sum(process == LTV_MBG_NBD, parameters, rows, n, gradient, hessian);
}

/* Log of the odds of the customer having been lost by t, with its gradient if wanted. */
static double
log_lost_odds(LtvProcess process, const double parameters[4],
			  double x, double t_x, double t, double gradient[4])
{
	return process == LTV_PARETO_NBD
		? pareto_nbd_log_lost_odds(parameters, x, t_x, t, gradient)
		: bg_nbd_log_lost_odds(process == LTV_MBG_NBD, parameters, x, t_x, t, gradient);
}

/* Parameters of a customer who is not lost at t. */
static void
survivor_of(LtvProcess process, const double parameters[4],
			double x, double t, double survivor[4])
{
	if (process == LTV_PARETO_NBD)
		pareto_nbd_survivor(parameters, x, t, survivor);
	else
		bg_nbd_survivor(process == LTV_MBG_NBD, parameters, x, t, survivor);
}

/*
 * Discounted orders of a survivor.  As in BG/NBD a coin is thrown after each
 * order only; of MBG/NBD the survivor has one more behind.
 */
static double
survivor_orders(LtvProcess process, const double survivor[4],
				double horizon, double delta)
{
	return process == LTV_PARETO_NBD
		? pareto_nbd_discounted(survivor, horizon, delta)
		: bg_nbd_discounted(survivor, horizon, delta);
}

/* Probability of not being lost at t. */
double
ltv_alive(LtvProcess process, const double parameters[4],
		  double x, double t_x, double t)
{
	return process == LTV_PARETO_NBD
		? ltv_logistic(-pareto_nbd_log_lost_odds(parameters, x, t_x, t, NULL))
		: bg_nbd_alive(process == LTV_MBG_NBD, parameters, x, t_x, t);
}

/* Probability of having been lost by t. */
double
ltv_lost(LtvProcess process, const double parameters[4], double x, double t_x, double t)
{
	return ltv_logistic(log_lost_odds(process, parameters, x, t_x, t, NULL));
}

/* Expected orders in (t, t + horizon]. */
double
ltv_expected_orders(LtvProcess process, const double parameters[4],
					double x, double t_x, double t, double horizon)
{
	return ltv_discounted_orders(process, parameters, x, t_x, t, horizon, 0);
}

double
ltv_expected_orders_gradient(LtvProcess process, const double parameters[4],
							 double x, double t_x, double t, double horizon,
							 double gradient[4])
{
	return ltv_discounted_orders_gradient(process, parameters, x, t_x, t, horizon, 0,
										  gradient);
}

/* Discounted expected orders in (t, t + horizon]. */
double
ltv_discounted_orders(LtvProcess process, const double parameters[4],
					  double x, double t_x, double t, double horizon, double delta)
{
	double		survivor[4];

	survivor_of(process, parameters, x, t, survivor);
	return ltv_orders_if_alive(ltv_alive(process, parameters, x, t_x, t),
							   survivor_orders(process, survivor, horizon, delta));
}

/*
 * The same with the gradient of its logarithm, which is 0 where the value is 0
 * or infinite.
 */
double
ltv_discounted_orders_gradient(LtvProcess process, const double parameters[4],
							   double x, double t_x, double t,
							   double horizon, double delta, double gradient[4])
{
	double		survivor[4];
	double		by[4];
	double		of_orders[4];
	double		lost = ltv_logistic(log_lost_odds(process, parameters, x, t_x, t, by));
	double		value = ltv_discounted_orders(process, parameters, x, t_x, t, horizon, delta);

	gradient[0] = gradient[1] = gradient[2] = gradient[3] = 0;
	if (value == 0 || isinf(value))
		return value;
	survivor_of(process, parameters, x, t, survivor);
	if (process == LTV_PARETO_NBD)
		pareto_nbd_discounted_gradient(survivor, horizon, delta, of_orders);
	else
		bg_nbd_discounted_gradient(survivor, horizon, delta, of_orders);
	for (int i = 0; i < 4; i++)
		gradient[i] = of_orders[i] * (parameters[i] / survivor[i]) - lost * by[i];
	return value;
}

/* Expected repeat orders of a new customer. */
double
ltv_new_expected_orders(LtvProcess process, const double parameters[4], double horizon)
{
	return ltv_expected_orders(process, parameters, 0, 0, 0, horizon);
}

/* Probability of n orders in (t, t + horizon]. */
double
ltv_order_probability(LtvProcess process, const double parameters[4], long n,
					  double x, double t_x, double t, double horizon)
{
	double		odds = log_lost_odds(process, parameters, x, t_x, t, NULL);
	double		survivor[4];
	double		probability;

	survivor_of(process, parameters, x, t, survivor);
	probability = ltv_logistic(-odds) *
		(process == LTV_PARETO_NBD ? pareto_nbd_probability(survivor, n, horizon)
		 : bg_nbd_probability(survivor, n, horizon));
	return n > 0 ? probability : fmin(1, probability + ltv_logistic(odds));
}

/* Probability of n repeat orders of a new customer. */
double
ltv_new_order_probability(LtvProcess process, const double parameters[4],
						  long n, double horizon)
{
	return ltv_order_probability(process, parameters, n, 0, 0, 0, horizon);
}

/* Time until the next order of one who stays: the rate ~ Gamma(r + x, alpha + t). */
double
ltv_next_order_within(LtvProcess process, const double parameters[4],
					  double x, double t, double probability)
{
	double		survivor[4];

	survivor_of(process, parameters, x, t, survivor);
	return survivor[1] * expm1(-log1p(-probability) / survivor[0]);
}
