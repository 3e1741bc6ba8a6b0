/*
 * ltv_special.h
 *		What the models of lifetime value share: differences of gamma
 *		functions without cancellation, and integrals of positive functions.
 */
#ifndef CRM_LTV_SPECIAL_H
#define CRM_LTV_SPECIAL_H

#include <math.h>
#include <stddef.h>

/* Adds up with a running correction (Neumaier 1974). */
typedef struct LtvSum
{
	double		sum;
	double		correction;
} LtvSum;

static inline void
ltv_add(LtvSum *total, double value)
{
	double		sum = total->sum + value;

	if (fabs(total->sum) >= fabs(value))
		total->correction += (total->sum - sum) + value;
	else
		total->correction += (value - sum) + total->sum;
	total->sum = sum;
}

/* Sums over customers are plain for so many rows, and then corrected. */
#define LTV_ADDED_PLAINLY	256

/* What depends on x only is tabulated up to here. */
#define LTV_TABULATED		64

/* log(1 + exp(z)), of which the derivative is the logistic function */
static inline double
ltv_softplus(double z)
{
	return z > 0 ? z + log1p(exp(-z)) : log1p(exp(z));
}

static inline double
ltv_logistic(double z)
{
	double		e = exp(-fabs(z));

	return (z > 0 ? 1 : e) / (1 + e);
}

/* p = 1/(1 + exp(-v)), q = 1 - p, and their logarithms, none by subtraction */
static inline void
ltv_from_logit(double v, double *p, double *q, double *log_p, double *log_q)
{
	double		e = exp(-fabs(v));
	double		share = 1 / (1 + e);
	double		l = log1p(e);

	*p = v > 0 ? share : e * share;
	*q = v > 0 ? e * share : share;
	*log_p = v > 0 ? -l : v - l;
	*log_q = v > 0 ? -v - l : -l;
}

extern double ltv_log_gamma(double z);
extern double ltv_log_beta(double a, double b);
extern double ltv_log_gamma_step(double z, double d);
extern double ltv_digamma_step(double z, double d);
extern double ltv_trigamma(double z);
extern double ltv_trigamma_step(double z, double d);

/*
 * A positive function exp(f(v)), rising and then falling, of which f and its
 * slope are known.  It is analytic but for the neighbourhood, pi off the real
 * line, of one or two centres; the second may be NAN.  If the first is, the
 * centres may be anywhere.  The slope is not wanted where it is NULL.
 */
typedef struct LtvIntegrand
{
	double		(*log_value) (const struct LtvIntegrand *integrand, double v, double *slope);
	double		centre[2];
	double		parameter[6];
} LtvIntegrand;

extern double ltv_log_integral(const LtvIntegrand *integrand, double from, double to);

/*
 * Gauss-Legendre on [-1, 1]: the positive half of the nodes, with weights.
 *
 * For the integrals here, analytic within pi of the real line, a panel is
 * exact to about 1e-13 if it is no longer than length and the integrand's
 * logarithm changes by no more than drop, or if it is longer and that changes
 * less.
 */
#define LTV_MAX_NODES	20
typedef struct LtvRule
{
	int			pairs;
	double		length;
	double		drop;
	double		node[LTV_MAX_NODES / 2];
	double		weight[LTV_MAX_NODES / 2];
} LtvRule;

#define LTV_RULES		6
extern const LtvRule ltv_rules[LTV_RULES];
#define LTV_FINEST		(ltv_rules[LTV_RULES - 1])

static inline const LtvRule *
ltv_rule_for(double length, double drop)
{
	const LtvRule *rule = ltv_rules;

	while (rule < &LTV_FINEST && drop + 12 * fmax(0, length - rule->length) > rule->drop)
		rule++;
	return rule;
}

/* Below the top by this, in logarithms, an integrand is negligible. */
#define LTV_NEGLIGIBLE	40.0

/* Some dozens are many; more is for parameters that no model has. */
#define LTV_MAX_PANELS	300

#endif							/* CRM_LTV_SPECIAL_H */
