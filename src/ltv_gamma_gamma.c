/*
 * ltv_gamma_gamma.c
 *		Gamma-Gamma: what a purchase is worth.
 *
 * The value of a purchase ~ Gamma(p, nu), and nu ~ Gamma(q, gamma) over
 * customers.  For the paper see ltv_models.h; the equations are numbered as in
 * P. S. Fader, B. G. S. Hardie, The Gamma-Gamma model of monetary value, 2013.
 */
#include "ltv_models.h"
#include "ltv_special.h"

/*
 * The log-likelihood of the mean value m of x purchases, equation 1a, is with
 * u = x m / gamma
 *
 *	-log B(px, q) + px log(u/(1+u)) - q log(1+u) - log m
 *
 * Of its first term, which depends on x only, the derivatives by p and q:
 */
typedef struct SpendTerms
{
	double		log_beta;		/* log B(px, q) */
	double		by_p;			/* of -log B */
	double		by_q;
	double		by_p_p;
	double		by_p_q;
	double		by_q_q;
} SpendTerms;

static void
spend_terms(double p, double q, double x, SpendTerms *terms)
{
	double		px = p * x;

	terms->log_beta = ltv_log_beta(px, q);
	terms->by_p = x * ltv_digamma_step(px, q);
	terms->by_q = ltv_digamma_step(q, px);
	terms->by_p_p = x * x * ltv_trigamma_step(px, q);
	terms->by_p_q = x * ltv_trigamma(px + q);
	terms->by_q_q = ltv_trigamma_step(q, px);
}

/* Log-likelihood of one customer's mean value. */
double
ltv_spend_log_likelihood(const double spend[3], double x, double mean_value)
{
	double		u = x * mean_value / spend[2];

	return -ltv_log_beta(spend[0] * x, spend[1]) - spend[0] * x * log1p(1 / u) -
		spend[1] * log1p(u) - log(mean_value);
}

/* The same, with its gradient by the logarithms of p, q and gamma. */
double
ltv_spend_log_likelihood_gradient(const double spend[3], double x, double mean_value,
								  double gradient[3])
{
	double		px = spend[0] * x;
	double		q = spend[1];
	double		u = x * mean_value / spend[2];

	gradient[0] = px * (ltv_digamma_step(px, q) - log1p(1 / u));
	gradient[1] = q * (ltv_digamma_step(q, px) - log1p(u));
	gradient[2] = (q * u - px) / (1 + u);
	return ltv_spend_log_likelihood(spend, x, mean_value);
}

/* Sums over customers; end is 1/(1+u), of u/(1+u) what is left of 1 */
enum
{
	SPEND_VALUE,
	SPEND_WEIGHT,
	SPEND_LOG_SHARE_X,				/* x log(u/(1+u)) */
	SPEND_LOG_END,					/* log(1+u) */
	SPEND_END,
	SPEND_X_END,
	SPEND_END_START,					/* u/(1+u)^2 */
	SPEND_X_END_START,
	SPEND_BY_P,						/* of -log B, as in SpendTerms */
	SPEND_BY_Q,
	SPEND_BY_P_P,
	SPEND_BY_P_Q,
	SPEND_BY_Q_Q,
	SPEND_SUMS
};

/* Log-likelihood of n customers' mean values, gradient and Hessian if wanted. */
double
ltv_spend_log_likelihood_sum(const double spend[3], const LtvSpender *rows, size_t n,
							 double gradient[3], double hessian[3][3])
{
	double		p = spend[0];
	double		q = spend[1];
	double		scale = 1 / spend[2];
	SpendTerms	table[LTV_TABULATED];
	double		weight_of[LTV_TABULATED] = {0};
	SpendTerms	other;
	double		other_x = -1;
	LtvSum		total[SPEND_SUMS] = {{0}};
	double		s[SPEND_SUMS];

	for (size_t begin = 0; begin < n; begin += LTV_ADDED_PLAINLY)
	{
		size_t		end = n - begin < LTV_ADDED_PLAINLY ? n : begin + LTV_ADDED_PLAINLY;

		for (int i = 0; i < SPEND_SUMS; i++)
			s[i] = 0;
		for (const LtvSpender *row = rows + begin; row < rows + end; row++)
		{
			double		x = row->x;
			double		weight = row->weight;
			double		u = x * row->mean_value * scale;
			double		per_end = 1 / (1 + u);
			double		log_end = log(1 + u);
			/* near 0 it is multiplied by p x, which may be large */
			double		log_share = u > 2 ? log1p(-per_end) : log(u * per_end);
			const SpendTerms *terms;

			if (x < LTV_TABULATED && x == (int) x)
			{
				terms = &table[(int) x];
				if (weight_of[(int) x] == 0)
					spend_terms(p, q, x, &table[(int) x]);
				weight_of[(int) x] += weight;
			}
			else
			{
				if (x != other_x)
					spend_terms(p, q, other_x = x, &other);
				terms = &other;
				s[SPEND_BY_P] += weight * terms->by_p;
				s[SPEND_BY_Q] += weight * terms->by_q;
				s[SPEND_BY_P_P] += weight * terms->by_p_p;
				s[SPEND_BY_P_Q] += weight * terms->by_p_q;
				s[SPEND_BY_Q_Q] += weight * terms->by_q_q;
			}
			s[SPEND_VALUE] += weight * (p * x * log_share - q * log_end -
								  log(row->mean_value) - terms->log_beta);
			s[SPEND_WEIGHT] += weight;
			s[SPEND_LOG_SHARE_X] += weight * x * log_share;
			s[SPEND_LOG_END] += weight * log_end;
			weight *= per_end;
			s[SPEND_END] += weight;
			s[SPEND_X_END] += weight * x;
			weight *= u * per_end;
			s[SPEND_END_START] += weight;
			s[SPEND_X_END_START] += weight * x;
		}
		for (int i = 0; i < SPEND_SUMS; i++)
			ltv_add(&total[i], s[i]);
	}
	for (int i = 0; i < LTV_TABULATED; i++)
		if (weight_of[i] > 0)
		{
			ltv_add(&total[SPEND_BY_P], weight_of[i] * table[i].by_p);
			ltv_add(&total[SPEND_BY_Q], weight_of[i] * table[i].by_q);
			ltv_add(&total[SPEND_BY_P_P], weight_of[i] * table[i].by_p_p);
			ltv_add(&total[SPEND_BY_P_Q], weight_of[i] * table[i].by_p_q);
			ltv_add(&total[SPEND_BY_Q_Q], weight_of[i] * table[i].by_q_q);
		}
	for (int i = 0; i < SPEND_SUMS; i++)
		s[i] = ltv_total(&total[i]);

	if (gradient != NULL)
	{
		gradient[0] = p * (s[SPEND_BY_P] + s[SPEND_LOG_SHARE_X]);
		gradient[1] = q * (s[SPEND_BY_Q] - s[SPEND_LOG_END]);
		gradient[2] = q * (s[SPEND_WEIGHT] - s[SPEND_END]) - p * s[SPEND_X_END];
	}
	if (hessian != NULL)
	{
		hessian[0][0] = p * (s[SPEND_BY_P] + s[SPEND_LOG_SHARE_X] + p * s[SPEND_BY_P_P]);
		hessian[0][1] = hessian[1][0] = p * q * s[SPEND_BY_P_Q];
		hessian[0][2] = hessian[2][0] = -p * s[SPEND_X_END];
		hessian[1][1] = q * (s[SPEND_BY_Q] - s[SPEND_LOG_END] + q * s[SPEND_BY_Q_Q]);
		hessian[1][2] = hessian[2][1] = q * (s[SPEND_WEIGHT] - s[SPEND_END]);
		hessian[2][2] = -q * s[SPEND_END_START] - p * s[SPEND_X_END_START];
	}
	return s[SPEND_VALUE];
}

/*
 * p x + q - 1, more than 0 where the expected value is finite: nu given the
 * customer's purchases ~ Gamma(p x + q, gamma + x m), and a purchase is p / nu.
 */
static double
spend_excess(const double spend[3], double x)
{
	return fma(spend[0], x, spend[1] - 1);
}

/* Expected value of a purchase, equation 5. */
double
ltv_expected_spend(const double spend[3], double x, double mean_value)
{
	double		excess = spend_excess(spend, x);

	if (!(excess > 0))
		return INFINITY;
	/* shares first: neither product may overflow */
	return spend[0] / excess * spend[2] + (x > 0 ? spend[0] * x / excess * mean_value : 0);
}

/* The same, with its gradient by logarithms; 0 where the value is infinite. */
double
ltv_expected_spend_gradient(const double spend[3], double x, double mean_value,
							double gradient[3])
{
	double		value = ltv_expected_spend(spend, x, mean_value);
	double		excess = spend_excess(spend, x);

	gradient[0] = gradient[1] = gradient[2] = 0;
	if (isfinite(value))
	{
		gradient[0] = value * ((spend[1] - 1) / excess);
		gradient[1] = -value * (spend[1] / excess);
		gradient[2] = spend[0] * spend[2] / excess;
	}
	return value;
}
