/*
 * ltv_special.h
 *		What the models of lifetime value share: differences of gamma
 *		functions without cancellation, integrals of positive functions, and
 *		polynomials instead of functions that are often called.
 */
#ifndef CRM_LTV_SPECIAL_H
#define CRM_LTV_SPECIAL_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Two numbers that are calculated in step. */
typedef double LtvPair __attribute__((vector_size(16)));

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

static inline double
ltv_total(const LtvSum *total)
{
	return total->sum + total->correction;
}

/*
 * A sum of logarithms of numbers above 1 as the logarithm of a product: a
 * multiplication each, and a logarithm when the product becomes too large.
 */
typedef struct LtvLogSum
{
	double		product;		/* 1 at first */
	double		sum;
} LtvLogSum;

static inline void
ltv_add_log(LtvLogSum *logs, double value)
{
	double		product = logs->product * value;

	if (product > 1e300)
	{
		logs->sum += log(logs->product);
		product = value;
	}
	logs->product = product;
}

/* What was added so far; it starts anew. */
static inline double
ltv_take_logs(LtvLogSum *logs)
{
	double		sum = logs->sum + log(logs->product);

	logs->product = 1;
	logs->sum = 0;
	return sum;
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

/*
 * Orders of one who may be lost.  Infinitely many are that however unlikely:
 * an alive of 0 is a probability too small for a number.
 */
static inline double
ltv_orders_if_alive(double alive, double orders)
{
	return isinf(orders) ? orders : alive * orders;
}

/*
 * Where the logarithm of a probability is closer to 0, that of what it lacks of
 * 1 is the better way to it.
 */
#define LTV_NEARLY_CERTAIN	(-0.1)

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

	/* what the means are wanted of, if they are: as analytic as the function */
	void		(*quantities) (const struct LtvIntegrand *integrand, double v, double *quantity);
	int			count;
} LtvIntegrand;

#define LTV_MAX_MEANS	4

extern double ltv_log_integral(const LtvIntegrand *integrand, double from, double to);
extern double ltv_log_integral_means(const LtvIntegrand *integrand, double from, double to,
									 double *mean);

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

/*
 * A function of v > 0 that is analytic and bounded where the real part of v is
 * positive, with no more than a modest factor between its values there and on
 * the real line, is a polynomial of degree 13 to about 1e-14 on [1, 1.5] and
 * on [1.5, 2], times any power of 2: the ellipse on which the error is
 * estimated may be stretched until it meets the imaginary axis, and is then
 * 9.9 times as wide as the panel (L. N. Trefethen, Approximation theory and
 * approximation practice, chapter 8).
 *
 * A panel is the upper bits of v; where in it v is, from -1 to 1, the others.
 */
#define LTV_PANEL_NODES	14
#define LTV_PANEL_BITS	51

static inline int
ltv_panel_of(double v, double *place)
{
	uint64_t	bits;

	memcpy(&bits, &v, sizeof(bits));
	*place = (double) (int64_t) (bits & ((UINT64_C(1) << LTV_PANEL_BITS) - 1)) * 0x1p-50 - 1;
	return (int) (bits >> LTV_PANEL_BITS);
}

extern void ltv_panel_nodes(int panel, double v[LTV_PANEL_NODES]);
extern void ltv_panel_fit(int functions, double *values);

/* The value at a place, by the coefficients of one function. */
static inline double
ltv_panel_value(const double c[LTV_PANEL_NODES], double place)
{
	double		p2 = place * place;
	double		p4 = p2 * p2;
	double		p8 = p4 * p4;

	/* in the order that has the processor wait least */
	return ((c[0] + c[1] * place) + (c[2] + c[3] * place) * p2) +
		((c[4] + c[5] * place) + (c[6] + c[7] * place) * p2) * p4 +
		(((c[8] + c[9] * place) + (c[10] + c[11] * place) * p2) +
		 (c[12] + c[13] * place) * p4) * p8;
}

/* Below the top by this, in logarithms, an integrand is negligible. */
#define LTV_NEGLIGIBLE	40.0

/* What is discounted by more than that, in logarithms, does not count. */
#define LTV_NO_END		45.0

/* Some dozens are many; more is for parameters that no model has. */
#define LTV_MAX_PANELS	300

#endif							/* CRM_LTV_SPECIAL_H */
