/*
 * ltv_models.h
 *		The arithmetic of lifetime value: buy-till-you-die models of orders,
 *		and the Gamma-Gamma model of their values.
 *
 * Pure functions of doubles: nothing here allocates, raises an error, keeps
 * state or knows the server, but for ltv_interrupt.
 *
 * A customer is x repeat purchases (a whole number, 0 or more) of which the
 * last was t_x after the first purchase, seen until t after the first
 * purchase: 0 <= t_x <= t, all finite, in one unit of time.  t_x means nothing
 * where x is 0.  x > 0 with t_x = 0 is allowed: all purchases at one moment.
 * A horizon is 0 or more.  Parameters are positive and finite.  Callers check
 * that: for other input the results mean nothing.
 *
 * Results are good to 1e-10 or better, relative, for parameters from 1e-3 to
 * 1e3, x to 5000, and times from an hour to decades in any unit (see
 * test/oracle); far beyond, less so.
 *
 * Gradients and Hessians are by the natural logarithms of the parameters.
 *
 * Processes and their parameters:
 *
 * LTV_BG_NBD: r, alpha, a, b.  Orders come at a rate ~ Gamma(r, alpha); after
 * each repeat purchase the customer is lost with probability ~ Beta(a, b).
 *		P. S. Fader, B. G. S. Hardie, K. L. Lee, "Counting Your Customers" the
 *		Easy Way, Marketing Science 24(2), 2005.
 * LTV_MBG_NBD: the same, but the customer can be lost after the first
 * purchase too.
 *		E. P. Batislam, M. Denizel, A. Filiztekin, Empirical validation and
 *		comparison of models for customer base analysis, International Journal
 *		of Research in Marketing 24(3), 2007.
 * LTV_PARETO_NBD: r, alpha, s, beta.  Orders come at a rate ~ Gamma(r, alpha);
 * the customer is lost at any time, at a rate ~ Gamma(s, beta).
 *		D. C. Schmittlein, D. G. Morrison, R. Colombo, Counting your customers:
 *		who are they and what will they do next?, Management Science 33(1),
 *		1987.
 */
#ifndef CRM_LTV_MODELS_H
#define CRM_LTV_MODELS_H

#include <stddef.h>

typedef enum LtvProcess
{
	LTV_BG_NBD,
	LTV_MBG_NBD,
	LTV_PARETO_NBD
} LtvProcess;

#define LTV_PARAMETERS			4
#define LTV_SPEND_PARAMETERS	3	/* p, q, gamma */

/*
 * Called every some milliseconds by what takes longer; does nothing unless set,
 * and need not return.
 */
extern void (*ltv_interrupt) (void);

/* Customers alike, and how many: weight > 0, whole or not. */
typedef struct LtvCustomer
{
	double		x;
	double		t_x;
	double		t;
	double		weight;
} LtvCustomer;

/* The same for spend: the mean value of x purchases, x > 0, mean_value > 0. */
typedef struct LtvSpender
{
	double		x;
	double		mean_value;
	double		weight;
} LtvSpender;

/* Log-likelihood of one customer's x, t_x, t; the second writes its gradient. */
extern double ltv_log_likelihood(LtvProcess process, const double parameters[4],
								 double x, double t_x, double t);
extern double ltv_log_likelihood_gradient(LtvProcess process, const double parameters[4],
										  double x, double t_x, double t,
										  double gradient[4]);

/*
 * Weighted sum over n customers, with its gradient and Hessian (each NULL if
 * not wanted; overwritten, not added to).  What depends on x only is computed
 * once a call: some thousands of rows a call is best, and lets the caller
 * check for interrupts in between.
 */
extern double ltv_log_likelihood_sum(LtvProcess process, const double parameters[4],
									 const LtvCustomer *rows, size_t n,
									 double gradient[4], double hessian[4][4]);

/* Probability that the customer is not lost at t. */
extern double ltv_alive(LtvProcess process, const double parameters[4],
						double x, double t_x, double t);

/* That he is lost; good where that is tiny, and 1 less the other is not. */
extern double ltv_lost(LtvProcess process, const double parameters[4],
					   double x, double t_x, double t);

/*
 * Expected orders in (t, t + horizon]; horizon may be INFINITY, and so the
 * result.  The second writes the gradient of its logarithm, as the value may be
 * too small for a gradient's square to be a number.
 */
extern double ltv_expected_orders(LtvProcess process, const double parameters[4],
								  double x, double t_x, double t, double horizon);
extern double ltv_expected_orders_gradient(LtvProcess process, const double parameters[4],
										   double x, double t_x, double t, double horizon,
										   double gradient[4]);

/*
 * The same, an order u after t counting exp(-delta u): delta >= 0 is
 * continuously compounded, per unit of time.  An infinite horizon gives the
 * discounted expected residual transactions (DERT), finite if delta > 0.  The
 * gradient is again that of the logarithm.
 */
extern double ltv_discounted_orders(LtvProcess process, const double parameters[4],
									double x, double t_x, double t,
									double horizon, double delta);
extern double ltv_discounted_orders_gradient(LtvProcess process, const double parameters[4],
											 double x, double t_x, double t,
											 double horizon, double delta,
											 double gradient[4]);

/* Expected repeat orders of a new customer within horizon of the first purchase. */
extern double ltv_new_expected_orders(LtvProcess process, const double parameters[4],
									  double horizon);

/* Probability of exactly n (>= 0) orders in (t, t + horizon]. */
extern double ltv_order_probability(LtvProcess process, const double parameters[4], long n,
									double x, double t_x, double t, double horizon);

/* The same of a new customer: n repeat orders within horizon of the first purchase. */
extern double ltv_new_order_probability(LtvProcess process, const double parameters[4],
										long n, double horizon);

/*
 * Time from t within which the next order comes with the given probability
 * (0 <= probability < 1), if the customer is not lost: the quantile of a
 * Lomax distribution.  0.5 gives the median; the mean is infinite if r + x <= 1.
 */
extern double ltv_next_order_within(LtvProcess process, const double parameters[4],
									double x, double t, double probability);

/*
 * Gamma-Gamma: the value of a purchase ~ Gamma(p, nu), nu ~ Gamma(q, gamma)
 * over customers; log-likelihood of the mean value of x > 0 purchases.
 *		P. S. Fader, B. G. S. Hardie, K. L. Lee, RFM and CLV: using iso-value
 *		curves for customer base analysis, Journal of Marketing Research 42(4),
 *		2005.
 */
extern double ltv_spend_log_likelihood(const double spend[3], double x, double mean_value);
extern double ltv_spend_log_likelihood_gradient(const double spend[3], double x,
												double mean_value, double gradient[3]);
extern double ltv_spend_log_likelihood_sum(const double spend[3],
										   const LtvSpender *rows, size_t n,
										   double gradient[3], double hessian[3][3]);

/*
 * Expected value of the customer's purchases, known by x purchases of that
 * mean value: INFINITY where p x + q <= 1, as the expectation does not exist
 * (for x = 0: the population has no mean if q <= 1).
 */
extern double ltv_expected_spend(const double spend[3], double x, double mean_value);
extern double ltv_expected_spend_gradient(const double spend[3], double x,
										  double mean_value, double gradient[3]);

#endif							/* CRM_LTV_MODELS_H */
