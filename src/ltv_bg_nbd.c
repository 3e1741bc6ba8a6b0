/*
 * ltv_bg_nbd.c
 *		BG/NBD and MBG/NBD: orders until a coin falls.
 *
 * Orders of rate lambda ~ Gamma(r, alpha); after each repeat purchase, and in
 * MBG/NBD after the first purchase too, the customer is lost with probability
 * p ~ Beta(a, b).  For the papers see ltv_models.h.
 */
#include "ltv_bg_nbd.h"
#include "ltv_special.h"

/*
 * The likelihood (Fader, Hardie & Lee 2005; for MBG/NBD the same
 * with one more coin) is, k being the coins that a customer has survived who
 * is not lost: x, or x + 1 in MBG/NBD,
 *
 *	Gamma(r+x)/Gamma(r) alpha^r (alpha+t)^-(r+x)  B(a, b+k)/B(a, b)  (1 + odds)
 *	odds = a/(b+k-1)  ((alpha+t)/(alpha+t_x))^(r+x),  0 if k = 0
 *
 * odds being those of having been lost at the last purchase.  Below are the
 * logarithm of what depends on x only, and its derivatives.
 */
typedef struct BgTerms
{
	double		value;			/* log (r)_x - x log alpha + log B(a,b+k)/B(a,b) */
	double		by_r;
	double		by_r_r;
	double		by_a;
	double		by_b;
	double		by_a_a;			/* and by_a_b */
	double		by_b_b;
	double		log_odds;		/* log(a / (b+k-1)) */
	double		odds_by_b;		/* of log_odds, by log b: -b / (b+k-1) */
} BgTerms;

/* log of B(a, b+k) / B(a, b) = (b)_k / (a+b)_k */
static double
log_survival(double a, double b, double k)
{
	return ltv_log_gamma_step(b, a) - ltv_log_gamma_step(b + k, a);
}

static double
bg_value(bool modified, const double parameters[4], double x)
{
	return ltv_log_gamma_step(parameters[0], x) - x * log(parameters[1]) +
		log_survival(parameters[2], parameters[3], modified ? x + 1 : x);
}

static void
bg_terms(bool modified, const double parameters[4], double x, BgTerms *terms)
{
	double		r = parameters[0];
	double		a = parameters[2];
	double		b = parameters[3];
	double		k = modified ? x + 1 : x;

	terms->value = bg_value(modified, parameters, x);
	terms->by_r = ltv_digamma_step(r, x);
	terms->by_r_r = ltv_trigamma_step(r, x);
	terms->by_a = -ltv_digamma_step(a + b, k);
	terms->by_a_a = -ltv_trigamma_step(a + b, k);
	terms->by_b = ltv_digamma_step(b, a) - ltv_digamma_step(b + k, a);
	terms->by_b_b = ltv_trigamma_step(b, a) - ltv_trigamma_step(b + k, a);
	/* k - 1 first: b may be tiny, and k is often 1 */
	terms->log_odds = k > 0 ? log(a / (b + (k - 1))) : -INFINITY;
	terms->odds_by_b = k > 0 ? -b / (b + (k - 1)) : 0;
}

/* The terms of x + 1 from those of x, x a small whole number. */
static void
next_bg_terms(bool modified, const double parameters[4], double x,
				 const BgTerms *terms, BgTerms *next)
{
	double		r = parameters[0] + x;
	double		a = parameters[2];
	double		b = parameters[3] + (modified ? x + 1 : x);
	double		r_inverse = 1 / r;
	double		ab_inverse = 1 / (a + b);
	double		b_inverse = 1 / b;

	next->value = terms->value + log(r * b * ab_inverse / parameters[1]);
	next->by_r = terms->by_r + r_inverse;
	next->by_r_r = terms->by_r_r - r_inverse * r_inverse;
	next->by_a = terms->by_a - ab_inverse;
	next->by_a_a = terms->by_a_a + ab_inverse * ab_inverse;
	next->by_b = terms->by_b + a * b_inverse * ab_inverse;
	next->by_b_b = terms->by_b_b - a * (a + 2 * b) * b_inverse * b_inverse * ab_inverse * ab_inverse;
	next->log_odds = log(a * b_inverse);
	next->odds_by_b = -parameters[3] * b_inverse;
}

/* Log-likelihood of one customer, with its gradient if wanted. */
double
bg_nbd_log_likelihood(bool modified, const double parameters[4],
					  const LtvCustomer *customer, double gradient[4])
{
	double		r = parameters[0];
	double		alpha = parameters[1];
	double		a = parameters[2];
	double		b = parameters[3];
	double		x = customer->x;
	double		t = customer->t;
	double		log_time = log1p(t / alpha);
	double		by[4];
	double		z = bg_nbd_log_lost_odds(modified, parameters, x, customer->t_x, t,
										 gradient != NULL ? by : NULL);

	if (gradient != NULL)
	{
		double		lost = ltv_logistic(z);
		BgTerms	terms;

		bg_terms(modified, parameters, x, &terms);
		gradient[0] = r * (terms.by_r - log_time) + lost * by[0];
		gradient[1] = (r * t - x * alpha) / (alpha + t) + lost * by[1];
		gradient[2] = a * terms.by_a + lost * by[2];
		gradient[3] = b * terms.by_b + lost * by[3];
	}
	/* without a coin at once: no order came; with one, or the customer was lost */
	if (x == 0)
		return modified ? log1p(b / (a + b) * expm1(-r * log_time)) : -r * log_time;
	return bg_value(modified, parameters, x) - (r + x) * log_time + ltv_softplus(z);
}

/*
 * Sums over customers, weighted.  Of the lost, the sums are over the
 * probability of having been lost; "spread" is lost (1 - lost), the second
 * derivative of log(1 + odds) by the logarithm of the odds.
 */
enum
{
	/* of every customer */
	BG_VALUE,
	BG_LOG_TIME,
	BG_BY_ALPHA,
	BG_BY_R_ALPHA,
	BG_BY_ALPHA_ALPHA,
	/* of the lost: derivatives of the logarithm of the odds */
	BG_LOST,
	BG_LOST_BY_R,
	BG_LOST_BY_ALPHA,
	BG_LOST_BY_B,
	BG_LOST_BY_ALPHA_ALPHA,
	BG_LOST_BY_R_ALPHA,
	BG_LOST_BY_B_B,
	/* of the spread: their products; by log a the derivative is 1 */
	BG_SPREAD,
	BG_SPREAD_R,
	BG_SPREAD_ALPHA,
	BG_SPREAD_B,
	BG_SPREAD_R_R,
	BG_SPREAD_R_ALPHA,
	BG_SPREAD_R_B,
	BG_SPREAD_ALPHA_ALPHA,
	BG_SPREAD_ALPHA_B,
	BG_SPREAD_B_B,
	BG_SUMS
};

/* Add weight times the terms of x to the sums over customers. */
static void
add_bg_terms(LtvSum total[7], const BgTerms *terms, double weight)
{
	ltv_add(&total[0], weight * terms->value);
	ltv_add(&total[1], weight * terms->by_r);
	ltv_add(&total[2], weight * terms->by_a);
	ltv_add(&total[3], weight * terms->by_b);
	ltv_add(&total[4], weight * terms->by_r_r);
	ltv_add(&total[5], weight * terms->by_a_a);
	ltv_add(&total[6], weight * terms->by_b_b);
}

/* Log-likelihood of n customers, gradient and Hessian if wanted. */
double
bg_nbd_sum(bool modified, const double parameters[4],
		   const LtvCustomer *rows, size_t n,
		   double gradient[4], double hessian[4][4])
{
	double		r = parameters[0];
	double		alpha = parameters[1];
	double		a = parameters[2];
	double		b = parameters[3];
	double		alpha_inverse = 1 / alpha;
	BgTerms	table[LTV_TABULATED];
	double		weight_of[LTV_TABULATED];
	int			tabulated = 1;
	BgTerms	other;
	double		other_x = -1;
	LtvSum		count_total[7] = {{0}};
	LtvSum		total[BG_SUMS] = {{0}};
	double		c[7];
	double		s[BG_SUMS];

	bg_terms(modified, parameters, 0, &table[0]);
	weight_of[0] = 0;
	for (size_t begin = 0; begin < n; begin += LTV_ADDED_PLAINLY)
	{
		size_t		end = n - begin < LTV_ADDED_PLAINLY ? n : begin + LTV_ADDED_PLAINLY;

		LtvLogSum	times = {1, 0};		/* of rows of equal x and weight */
		LtvLogSum	odds = {1, 0};

		for (int i = 0; i < BG_SUMS; i++)
			s[i] = 0;
		for (const LtvCustomer *row = rows + begin; row < rows + end; row++)
		{
			double		x = row->x;
			double		weight = row->weight;
			double		t = row->t;
			double		rx = r + x;
			double		end_inverse = 1 / (alpha + t);
			double		time_share = t * end_inverse;
			const BgTerms *terms;

			if (x < LTV_TABULATED && x == (int) x)
			{
				int			i = (int) x;

				for (; tabulated <= i; tabulated++)
				{
					next_bg_terms(modified, parameters, tabulated - 1,
									 &table[tabulated - 1], &table[tabulated]);
					weight_of[tabulated] = 0;
				}
				terms = &table[i];
				weight_of[i] += weight;
			}
			else
			{
				if (x != other_x)
					bg_terms(modified, parameters, other_x = x, &other);
				terms = &other;
				add_bg_terms(count_total, &other, weight);
			}

			ltv_add_log(&times, 1 + t * alpha_inverse);
			s[BG_BY_ALPHA] += weight * (r * t - x * alpha) * end_inverse;
			s[BG_BY_R_ALPHA] += weight * time_share;
			s[BG_BY_ALPHA_ALPHA] += weight * rx * time_share * end_inverse;

			if (x > 0 || modified)
			{
				double		t_x = x > 0 ? row->t_x : 0;
				double		last_inverse = 1 / (alpha + t_x);
				double		gap = (t - t_x) * last_inverse;
				double		by_r = log(1 + gap);
				double		by_r_alpha = -gap * end_inverse;
				double		by_alpha = rx * by_r_alpha;
				double		by_b = terms->odds_by_b;
				double		z = terms->log_odds + rx * by_r;
				double		e = exp(-fabs(z));
				double		share = 1 / (1 + e);
				double		lost = weight * (z > 0 ? share : e * share);
				double		spread = weight * e * share * share;

				s[BG_VALUE] += weight * (z > 0 ? z : 0);
				ltv_add_log(&odds, 1 + e);
				s[BG_LOST] += lost;
				s[BG_LOST_BY_R] += lost * by_r;
				s[BG_LOST_BY_ALPHA] += lost * by_alpha;
				s[BG_LOST_BY_B] += lost * by_b;
				s[BG_LOST_BY_R_ALPHA] += lost * by_r_alpha;
				s[BG_LOST_BY_ALPHA_ALPHA] += lost * rx *
					(time_share * end_inverse - t_x * last_inverse * last_inverse);
				s[BG_LOST_BY_B_B] += lost * by_b * by_b;
				s[BG_SPREAD] += spread;
				s[BG_SPREAD_R] += spread * by_r;
				s[BG_SPREAD_ALPHA] += spread * by_alpha;
				s[BG_SPREAD_B] += spread * by_b;
				s[BG_SPREAD_R_R] += spread * by_r * by_r;
				s[BG_SPREAD_R_ALPHA] += spread * by_r * by_alpha;
				s[BG_SPREAD_R_B] += spread * by_r * by_b;
				s[BG_SPREAD_ALPHA_ALPHA] += spread * by_alpha * by_alpha;
				s[BG_SPREAD_ALPHA_B] += spread * by_alpha * by_b;
				s[BG_SPREAD_B_B] += spread * by_b * by_b;
			}
			if (row + 1 == rows + end || row[1].x != x || row[1].weight != weight)
			{
				double		log_times = weight * ltv_take_logs(&times);

				s[BG_LOG_TIME] += log_times;
				s[BG_VALUE] += weight * ltv_take_logs(&odds) - rx * log_times;
			}
		}
		for (int i = 0; i < BG_SUMS; i++)
			ltv_add(&total[i], s[i]);
	}
	for (int i = 0; i < tabulated; i++)
		add_bg_terms(count_total, &table[i], weight_of[i]);
	for (int i = 0; i < 7; i++)
		c[i] = ltv_total(&count_total[i]);
	for (int i = 0; i < BG_SUMS; i++)
		s[i] = ltv_total(&total[i]);

	/* the chain rule to logarithms: by_alpha above lacks its alpha, by_r its r */
	if (gradient != NULL)
	{
		gradient[0] = r * (c[1] - s[BG_LOG_TIME] + s[BG_LOST_BY_R]);
		gradient[1] = s[BG_BY_ALPHA] + alpha * s[BG_LOST_BY_ALPHA];
		gradient[2] = a * c[2] + s[BG_LOST];
		gradient[3] = b * c[3] + s[BG_LOST_BY_B];
	}
	if (hessian != NULL)
	{
		hessian[0][0] = r * (c[1] - s[BG_LOG_TIME] + s[BG_LOST_BY_R]) + r * r * (c[4] + s[BG_SPREAD_R_R]);
		hessian[0][1] = r * (s[BG_BY_R_ALPHA] + alpha * (s[BG_LOST_BY_R_ALPHA] + s[BG_SPREAD_R_ALPHA]));
		hessian[0][2] = r * s[BG_SPREAD_R];
		hessian[0][3] = r * s[BG_SPREAD_R_B];
		hessian[1][1] = alpha * (s[BG_LOST_BY_ALPHA_ALPHA] - s[BG_BY_ALPHA_ALPHA] +
								 alpha * s[BG_SPREAD_ALPHA_ALPHA]);
		hessian[1][2] = alpha * s[BG_SPREAD_ALPHA];
		hessian[1][3] = alpha * s[BG_SPREAD_ALPHA_B];
		hessian[2][2] = a * (c[2] + a * c[5]) + s[BG_SPREAD];
		hessian[2][3] = a * b * c[5] + s[BG_SPREAD_B];
		hessian[3][3] = b * (c[3] + b * c[6]) + s[BG_LOST_BY_B] + s[BG_LOST_BY_B_B] + s[BG_SPREAD_B_B];
		for (int i = 1; i < 4; i++)
			for (int j = 0; j < i; j++)
				hessian[i][j] = hessian[j][i];
	}
	return c[0] + s[BG_VALUE];
}

/*
 * Log of the odds of having been lost by t, with its gradient if wanted.  The
 * survivor's posterior and what follows are as in equation 10 of Fader, Hardie
 * & Lee 2005.
 */
double
bg_nbd_log_lost_odds(bool modified, const double parameters[4],
					 double x, double t_x, double t, double gradient[4])
{
	double		alpha = parameters[1];
	double		rx = parameters[0] + x;
	double		coins = parameters[3] + (modified ? x : x - 1);
	double		gap;

	if (gradient != NULL)
		gradient[0] = gradient[1] = gradient[2] = gradient[3] = 0;
	if (!(x > 0))
	{
		if (!modified)
			return -INFINITY;
		t_x = 0;
	}
	gap = (t - t_x) / (alpha + t_x);
	if (gradient != NULL)
	{
		gradient[0] = parameters[0] * log1p(gap);
		gradient[1] = -alpha * rx * (gap / (alpha + t));
		gradient[2] = 1;
		gradient[3] = -parameters[3] / coins;
	}
	return log(parameters[2] / coins) + rx * log1p(gap);
}

/* Probability of not being lost at t. */
double
bg_nbd_alive(bool modified, const double parameters[4], double x, double t_x, double t)
{
	double		log_odds;

	if (!(x > 0))
	{
		if (!modified)
			return 1;
		t_x = 0;
	}
	log_odds = (parameters[0] + x) * log1p((t - t_x) / (parameters[1] + t_x));
	if (log_odds < 600)
		return 1 / (1 + parameters[2] / (parameters[3] + (modified ? x : x - 1)) * exp(log_odds));
	return ltv_logistic(-bg_nbd_log_lost_odds(modified, parameters, x, t_x, t, NULL));
}

/* Parameters of a customer who is not lost at t: BG/NBD with no coin at once. */
void
bg_nbd_survivor(bool modified, const double parameters[4],
				double x, double t, double survivor[4])
{
	survivor[0] = parameters[0] + x;
	survivor[1] = parameters[1] + t;
	survivor[2] = parameters[2];
	survivor[3] = parameters[3] + (modified ? x + 1 : x);
}

/*
 * Expected orders
 *
 * Given p the process of orders is thinned to the rate lambda p; the rate of
 * orders at time u is E[lambda exp(-lambda p u)], and with z = u / alpha
 *
 *	rate(u) = r/alpha E[(1 + p z)^-(r+1)]
 *	orders up to u = E[(1 - (1 + p z)^-r) / p],   p ~ Beta(a, b)
 *
 * Equation 9 of the paper is the same in terms of 2F1, but for a = 1, where
 * it is 0/0, and where its terms cancel.
 */

/*
 * Sums by counting orders: fast, and of positive terms only.  Of n orders that
 * fall before z, negative binomial, as many are made as coins are survived.
 *
 * More terms than that are slower than the integral.
 */
#define SERIES_TERMS	4000

/*
 * Whether the series below do with so many, and their first term, of which the
 * logarithm is -first, does not underflow: 1/log(1 + 1/z) < z + 1/2.
 */
static inline bool
series_suits(double r, double z, double first, double terms)
{
	return 40 * (z + 0.5) + 2 * r * z < terms && first < 600;
}

/*
 * Whether what follows the n-th term is negligible: the ratio of two terms is
 * no more than z/(1+z) (r+n+1)/(n+1).
 */
static inline bool
series_done(double r, double z, double n, double term, double sum)
{
	return term * (1 + z) * (n + 1) < 1e-16 * sum * (n + 1 - r * z);
}

/* E[(1 - (1+pz)^-r)/p] */
static double
orders_by_count(double r, double a, double b, double z, double first)
{
	/* probability that n fall before z, and that n coins are survived */
	LtvPair		both = {exp(-first), 1};
	LtvPair		share = {z / (1 + z), 1};
	LtvPair		above = {r, b};
	LtvPair		below = {1, a + b};
	double		made = 0;		/* of n orders that would fall before z */
	double		sum = 0;
	int			n = 0;

	do
	{
		for (int i = 0; i < 4; i++)
		{
			made += both[1];
			both *= share * above / below;
			sum += both[0] * made;
			above += 1;
			below += 1;
		}
		n += 4;
	} while (!series_done(r, z, n, both[0] * made, sum) && n < 10 * SERIES_TERMS);
	return sum;
}

/*
 * Of E[(1+pz)^-(r+1)] = (1+z)^-(r+1) 2F1(r+1, b; a+b; z/(1+z)) the series, for
 * several z at once, as its coefficients are the same.  Their z/(1+z) are share
 * times most, share <= 1.
 */
static void
rates_by_count(double r, double a, double b, double most,
			   int points, const double *share, double *sum)
{
	double		z = most / (1 - most);
	double		term = 1;		/* of the greatest */
	double		total = 1;
	double		power[LTV_MAX_NODES];
	double		n = 0;

	for (int i = 0; i < points; i++)
		power[i] = sum[i] = 1;
	do
	{
		term *= most * (r + 1 + n) * (b + n) / ((n + 1) * (a + b + n));
		total += term;
		for (int i = 0; i < points; i++)
		{
			power[i] *= share[i];
			sum[i] += term * power[i];
		}
		n++;
	} while (!series_done(r + 1, z, n, term, total) && n < 10 * SERIES_TERMS);
}

/* P(at least n fall before z) / P(n fall before z) */
static double
at_least_by_count(double r, double z, double n)
{
	double		share = z / (1 + z);
	double		term = 1;
	double		sum = 1;

	for (int i = 0; i < SERIES_TERMS && term > 1e-17 * sum * (1 - share); i++, n++)
	{
		term *= share * (r + n) / (n + 1);
		sum += term;
	}
	return sum;
}

/* parameter: a, b, r, z.  p^a (1-p)^b (1 - (1+pz)^-r) / p, by the logit of p */
static double
orders_integrand(const LtvIntegrand *f, double v, double *slope)
{
	double		a = f->parameter[0];
	double		b = f->parameter[1];
	double		r = f->parameter[2];
	double		z = f->parameter[3];
	double		p;
	double		q;
	double		log_p;
	double		log_q;
	double		w;

	ltv_from_logit(v, &p, &q, &log_p, &log_q);
	w = r * log1p(p * z);
	if (w < 1e-17)
	{
		if (slope != NULL)
			*slope = a * q - b * p;
		return a * log_p + b * log_q + log(r * z);
	}
	if (slope != NULL)
		*slope = a * q - b * p - q + r * q * (p * z / (1 + p * z)) / expm1(w);
	return (a - 1) * log_p + b * log_q + log(-expm1(-w));
}

/* The same for p^a (1-p)^b (1+pz)^-(r+1). */
static double
rate_integrand(const LtvIntegrand *f, double v, double *slope)
{
	double		a = f->parameter[0];
	double		b = f->parameter[1];
	double		r = f->parameter[2];
	double		z = f->parameter[3];
	double		p;
	double		q;
	double		log_p;
	double		log_q;

	ltv_from_logit(v, &p, &q, &log_p, &log_q);
	if (slope != NULL)
		*slope = a * q - b * p - (r + 1) * q * (p * z / (1 + p * z));
	return a * log_p + b * log_q - (r + 1) * log1p(p * z);
}

/* parameter: a, b.  p^a (1-p)^b */
static double
beta_integrand(const LtvIntegrand *f, double v, double *slope)
{
	double		p;
	double		q;
	double		log_p;
	double		log_q;

	ltv_from_logit(v, &p, &q, &log_p, &log_q);
	if (slope != NULL)
		*slope = f->parameter[0] * q - f->parameter[1] * p;
	return f->parameter[0] * log_p + f->parameter[1] * log_q;
}

/* The parameters of an integral over p, and where it may have a mode. */
static void
set_up(LtvIntegrand *f, double r, double a, double b, double z)
{
	f->centre[0] = 0;
	f->centre[1] = -log(z);
	f->parameter[0] = a;
	f->parameter[1] = b;
	f->parameter[2] = r;
	f->parameter[3] = z;
}

/* Expected orders within horizon of one who throws no coin at once. */
double
bg_nbd_orders(const double parameters[4], double horizon)
{
	double		r = parameters[0];
	double		z = horizon / parameters[1];
	double		a = parameters[2];
	double		b = parameters[3];
	double		first;
	LtvIntegrand f = {.log_value = orders_integrand};

	if (z == 0)
		return 0;
	if (isinf(z))
		/* E[1/p]: a coin is thrown at each order */
		return a > 1 ? (a + b - 1) / (a - 1) : INFINITY;
	first = r * log1p(z);
	if (series_suits(r, z, first, SERIES_TERMS))
		return orders_by_count(r, a, b, z, first);
	set_up(&f, r, a, b, z);
	return exp(ltv_log_integral(&f, -INFINITY, INFINITY) - ltv_log_beta(a, b));
}

/*
 * Quantities of which the means give derivatives.  By a and b those are of the
 * logarithms of p and 1 - p, less their means over Beta(a, b): what is small
 * is so before it is added up.  parameter[4] and [5] have those means.
 */
enum
{
	BG_LOG_P,
	BG_LOG_Q,
	BG_MEAN_BY_R,
	BG_MEAN_BY_Z,
	BG_MEANS
};

static void
set_beta_means(LtvIntegrand *f, double a, double b)
{
	f->parameter[4] = -ltv_digamma_step(a, b);
	f->parameter[5] = -ltv_digamma_step(b, a);
	f->count = BG_MEANS;
}

/* Those by a and b; p. */
static double
beta_quantities(const LtvIntegrand *f, double v, double *quantity)
{
	double		p;
	double		q;
	double		log_p;
	double		log_q;

	ltv_from_logit(v, &p, &q, &log_p, &log_q);
	quantity[BG_LOG_P] = log_p - f->parameter[4];
	quantity[BG_LOG_Q] = log_q - f->parameter[5];
	return p;
}

/* Of the logarithm of 1 - (1+pz)^-r, derivatives by r and log z. */
static void
orders_quantities(const LtvIntegrand *f, double v, double *quantity)
{
	double		r = f->parameter[2];
	double		z = f->parameter[3];
	double		p = beta_quantities(f, v, quantity);
	double		w = r * log1p(p * z);

	quantity[BG_MEAN_BY_R] = w < 1e-17 ? 1 / r : w / r / expm1(w);
	quantity[BG_MEAN_BY_Z] = w < 1e-17 ? 1 : r * (p * z / (1 + p * z)) / expm1(w);
}

/* The same of that of (1+pz)^-(r+1). */
static void
rate_quantities(const LtvIntegrand *f, double v, double *quantity)
{
	double		r = f->parameter[2];
	double		z = f->parameter[3];
	double		p = beta_quantities(f, v, quantity);

	quantity[BG_MEAN_BY_R] = -log1p(p * z);
	quantity[BG_MEAN_BY_Z] = -(r + 1) * (p * z / (1 + p * z));
}

/* bg_nbd_orders() with the gradient of its logarithm. */
static double
orders_gradient(const double parameters[4], double horizon, double gradient[4])
{
	double		r = parameters[0];
	double		z = horizon / parameters[1];
	double		a = parameters[2];
	double		b = parameters[3];
	double		mean[BG_MEANS];
	LtvIntegrand f = {.log_value = orders_integrand, .quantities = orders_quantities};

	if (isinf(z))
	{
		gradient[0] = gradient[1] = 0;
		gradient[2] = -a / (a - 1) * (b / (a + b - 1));
		gradient[3] = b / (a + b - 1);
		return bg_nbd_orders(parameters, horizon);
	}
	set_up(&f, r, a, b, z);
	set_beta_means(&f, a, b);
	ltv_log_integral_means(&f, -INFINITY, INFINITY, mean);
	gradient[0] = r * mean[BG_MEAN_BY_R];
	gradient[1] = -mean[BG_MEAN_BY_Z];
	gradient[2] = a * mean[BG_LOG_P];
	gradient[3] = b * mean[BG_LOG_Q];
	return bg_nbd_orders(parameters, horizon);
}

/* Logarithm of the rate of orders at time u, but for r/alpha. */
static double
log_rate(double r, double a, double b, double z)
{
	LtvIntegrand f = {.log_value = rate_integrand};

	if (z == 0)
		return 0;
	if (series_suits(r + 1, z, (r + 1) * log1p(z), SERIES_TERMS))
	{
		double		share = 1;
		double		sum;

		rates_by_count(r, a, b, z / (1 + z), 1, &share, &sum);
		return log(sum) - (r + 1) * log1p(z);
	}
	set_up(&f, r, a, b, z);
	return ltv_log_integral(&f, -INFINITY, INFINITY) - ltv_log_beta(a, b);
}

/* The same with the means of rate_quantities(); z > 0 */
static double
log_rate_means(double r, double a, double b, double z, double mean[BG_MEANS])
{
	LtvIntegrand f = {.log_value = rate_integrand, .quantities = rate_quantities};

	set_up(&f, r, a, b, z);
	set_beta_means(&f, a, b);
	return ltv_log_integral_means(&f, -INFINITY, INFINITY, mean) - ltv_log_beta(a, b);
}

/*
 * By how much, at most, the logarithm of the rate falls between log(1+z) =
 * start and start + length.  Of the p that matter at start the greatest is p*:
 * beyond, their density, or (1+pz)^-(r+1), is negligible.
 */
static double
rate_drop(double r, double a, double b, double start, double length)
{
	double		most = a + 8 * sqrt(a) + LTV_NEGLIGIBLE;
	double		p = fmin(1, most / (a + b));
	double		grown;

	if (start > 0)
		p = fmin(p, expm1(most / (r + 1)) / expm1(start));
	grown = p * exp(start + length);
	return (r + 1) * length * (grown / (1 - p + grown));
}

/*
 * Discounted orders, by places
 *
 * Given the rate and p they are lambda/(delta + lambda p) for all the time to
 * come, so with g = alpha lambda ~ Gamma(r, 1) and scale = alpha delta
 *
 *	orders = E[g / (scale + g p)]
 *
 * and within a horizon of time times alpha
 *
 *	orders = E[g / (scale + g p) (1 - exp(-(scale + g p) time))]
 *
 * Both means are sums at equal steps of log g and of the logit of p, which for
 * functions analytic near the real line, falling to both sides, are as good as
 * exact (L. N. Trefethen, J. A. C. Weideman, The exponentially convergent
 * trapezoidal rule, SIAM Review 56(3), 2014).  They are steps to right and
 * left of the top; what is beyond a point from where on the summand goes with
 * a power of g, of p or of 1 - p, and is nearly linear in that besides, is a
 * geometric series, and counts as one place, the mean of those.
 */
#define PLACES_MOST		4096
#define PLACES_STEP		0.22	/* of log g, whatever its distribution */
#define PLACES_SPREAD		0.55	/* a step, in standard deviations */
#define PLACES_LINEAR		1e-8	/* whose square is nothing */
#define PLACES_ALPHAS		LTV_PANEL_NODES

/* Up to so many panels the integral of the rate takes no longer than that. */
#define QUICK_PANELS		2

typedef struct Places
{
	int			count;
	double		total;			/* of the weights */
	double		place[PLACES_MOST];
	double		weight[PLACES_MOST];
} Places;

/* False if there is no room. */
static bool
add_place(Places *places, double place, double weight)
{
	if (places->count == PLACES_MOST)
		return false;
	places->place[places->count] = place;
	places->weight[places->count] = weight;
	places->total += weight;
	places->count++;
	return true;
}

/*
 * Beyond a place near 0 of that weight the weights go with place^power
 * (1 - slope place).
 */
static bool
add_rest(Places *places, double place, double weight, double power, double slope,
		 double step, bool from_one)
{
	double		none = weight / (1 - slope * place) / expm1(power * step);
	double		first = weight / (1 - slope * place) * place / expm1((power + 1) * step);
	double		rest = none - slope * first;

	place = first / rest;
	return add_place(places, from_one ? 1 - place : place, rest);
}

/* exp(u) - 1 - u */
static double
exp_less_line(double u)
{
	if (fabs(u) < 1e-2)
		return u * u / 2 * (1 + u / 3 * (1 + u / 4 * (1 + u / 5 * (1 + u / 6 * (1 + u / 7)))));
	return expm1(u) - u;
}

/* g ~ Gamma(r, 1), for scales no less than that */
static bool
gamma_places(double r, double scale, Places *places)
{
	double		step = fmin(PLACES_STEP, PLACES_SPREAD / sqrt(r));
	double		linear = PLACES_LINEAR * fmin(1, scale);

	places->count = 0;
	places->total = 0;
	for (int direction = -1; direction <= 1; direction += 2)
		for (int i = direction < 0 ? 0 : 1;; i++)
		{
			double		u = direction * i * step;
			double		g = r * exp(u);
			double		log_weight = -r * exp_less_line(u);

			if (!add_place(places, g, exp(log_weight)))
				return false;
			if (log_weight + fmax(u, 0) < -LTV_NEGLIGIBLE)
				break;
			if (direction < 0 && g < linear)
			{
				if (!add_rest(places, g, exp(log_weight), r, 1, step, false))
					return false;
				break;
			}
		}
	return true;
}

/*
 * p ~ Beta(a, b), for scale/g no less than scale, which counts as 1e-290 if it
 * is less, so that there is room
 */
static bool
beta_places(double a, double b, double scale, Places *places)
{
	double		sum = a + b;
	double		step = fmin(sum < 8 ? 0.4 : PLACES_STEP, PLACES_SPREAD * sqrt(1 / a + 1 / b));
	double		top = log(a) - log(b);
	double		top_p;
	double		top_q;
	double		top_log_p;
	double		top_log_q;
	double		linear_p = PLACES_LINEAR * fmin(fmax(scale, 1e-290), fmin(1, 1 / sum));
	double		linear_q = PLACES_LINEAR * fmin(1, 1 / sum);

	ltv_from_logit(top, &top_p, &top_q, &top_log_p, &top_log_q);
	places->count = 0;
	places->total = 0;
	/* all alike: steps that short would be lost in the logarithms' rounding */
	if (1 / a + 1 / b < 1e-16)
		return add_place(places, top_p, 1);
	for (int direction = -1; direction <= 1; direction += 2)
		for (int i = direction < 0 ? 0 : 1;; i++)
		{
			double		u = direction * i * step;
			double		p;
			double		q;
			double		log_p;
			double		log_q;
			double		log_weight;
			double		gain;

			ltv_from_logit(top + u, &p, &q, &log_p, &log_q);
			/* near the top the logarithms' differences would lose digits */
			log_weight = fabs(u) > 1 ? a * (log_p - top_log_p) + b * (log_q - top_log_q)
				: -a * log1p(top_q * expm1(-u)) - b * log1p(top_p * expm1(u));
			gain = direction < 0 ? log((scale + top_p) / (scale + p)) : 0;
			if (!add_place(places, p, exp(log_weight)))
				return false;
			if (log_weight + gain < -LTV_NEGLIGIBLE)
				break;
			if (direction < 0 && p < linear_p)
			{
				if (!add_rest(places, p, exp(log_weight), a, sum, step, false))
					return false;
				break;
			}
			if (direction > 0 && q < linear_q)
			{
				if (!add_rest(places, q, exp(log_weight), b, sum, step, true))
					return false;
				break;
			}
		}
	return true;
}

/*
 * The discounted orders within horizon of one who throws no coin at once, for
 * so many alphas, which are not far from each other.  False if more places were
 * needed than there are.  A scale of less than 1e-300 counts as that.
 */
static bool
orders_by_places(const double parameters[4], const double *alpha, int alphas,
				 double horizon, double delta, double *orders)
{
	bool		ends = horizon * delta <= LTV_NO_END;
	Places		g;
	Places		p;
	LtvPair		scale[PLACES_ALPHAS / 2];
	LtvPair		time[PLACES_ALPHAS / 2];
	LtvPair		sum[PLACES_ALPHAS / 2] = {{0}};
	double		least = 1e300;
	double		most = 0;
	int			pairs = (alphas + 1) / 2;

	for (int i = 0; i < 2 * pairs; i++)
	{
		double		one_alpha = alpha[i < alphas ? i : alphas - 1];

		scale[i / 2][i % 2] = fmax(1e-300, delta * one_alpha);
		time[i / 2][i % 2] = horizon / one_alpha;
		/* the summand is linear where scale + g p changes little of that */
		least = fmin(least, scale[i / 2][i % 2] + (ends ? 1 / time[i / 2][i % 2] : 0));
	}
	if (!gamma_places(parameters[0], least, &g))
		return false;
	for (int i = 0; i < g.count; i++)
		most = fmax(most, g.place[i]);
	if (!beta_places(parameters[2], parameters[3], least / most, &p))
		return false;

	for (int i = 0; i < g.count; i++)
	{
		ltv_interrupt();
		for (int j = 0; j < p.count; j++)
		{
			double		weight = g.weight[i] / g.total * g.place[i] * (p.weight[j] / p.total);
			double		rate = g.place[i] * p.place[j];

			/* pairs, as a scalar may be a long double where doubles are computed as such */
			LtvPair		weights = {weight, weight};
			LtvPair		rates = {rate, rate};

			for (int k = 0; k < pairs; k++)
			{
				LtvPair		falling = scale[k] + rates;
				LtvPair		part = weights / falling;

				if (ends)
				{
					LtvPair		passed = falling * time[k];

					part *= (LtvPair) {-expm1(-passed[0]), -expm1(-passed[1])};
				}
				sum[k] += part;
			}
		}
	}
	for (int i = 0; i < alphas; i++)
		orders[i] = sum[i / 2][i % 2];
	return true;
}

/*
 * Discounted orders within horizon of one who throws no coin at once: the
 * integral of exp(-delta u) times the rate at u, by v = log(1 + u/alpha).
 * Series are long, but shared by the points of a panel.  Without them each
 * point takes an integral of its own, as it does where the gradient of the
 * logarithm is wanted.  NAN if it takes more panels, or those, and is to be
 * quick.
 */
static double
integral_of_rate(const double parameters[4], double horizon, double delta, bool quick,
				 double gradient[4])
{
	double		r = parameters[0];
	double		alpha = parameters[1];
	double		a = parameters[2];
	double		b = parameters[3];
	double		scale = delta * alpha;
	double		start = 0;
	double		end;
	double		sum = 0;
	double		moment[BG_MEANS] = {0};

	end = log1p(fmin(horizon, LTV_NO_END / delta) / alpha);
	for (int panels = 0; start < end && panels < LTV_MAX_PANELS; panels++)
	{
		double		length = fmin(end - start, LTV_FINEST.length);
		double		drop;
		double		most;
		double		last = 0;
		bool		by_count;
		double		v[LTV_MAX_NODES];
		double		share[LTV_MAX_NODES];
		double		rate[LTV_MAX_NODES];
		const LtvRule *rule;
		int			points;

		/* each panel takes an integral for each of its points */
		ltv_interrupt();
		for (;;)
		{
			drop = rate_drop(r, a, b, start, length) + scale * exp(start) * expm1(length);
			if (!(drop > LTV_FINEST.drop))
				break;
			length /= 2;
		}
		rule = ltv_rule_for(length, drop);
		points = 2 * rule->pairs;
		most = -expm1(-start - length);
		by_count = gradient == NULL &&
			series_suits(r + 1, expm1(start + length), (r + 1) * (start + length),
						 5 * SERIES_TERMS);
		if (quick && (panels == QUICK_PANELS || !by_count))
			return NAN;
		for (int i = 0; i < points; i++)
		{
			v[i] = start + length / 2 * (1 + (i & 1 ? 1 : -1) * rule->node[i / 2]);
			share[i] = -expm1(-v[i]) / most;
		}
		if (by_count)
			rates_by_count(r, a, b, most, points, share, rate);
		for (int i = 0; i < points; i++)
		{
			double		mean[BG_MEANS];
			double		mass;
			double		log_value = by_count ? log(rate[i]) - (r + 1) * v[i]
				: gradient != NULL ? log_rate_means(r, a, b, expm1(v[i]), mean)
				: log_rate(r, a, b, expm1(v[i]));

			last = exp(log_value - scale * expm1(v[i]));
			mass = length / 2 * rule->weight[i / 2] * last * exp(v[i]);
			sum += mass;
			if (gradient != NULL)
				for (int k = 0; k < BG_MEANS; k++)
					moment[k] += mass * mean[k];
		}

		/* the last point is the panel's latest; the rate does not rise */
		if (last * (exp(end) - exp(start)) < 1e-16 * sum)
			break;
		start = length < end - start ? start + length : end;
	}
	if (gradient != NULL)
	{
		gradient[0] = 1 + r * (moment[BG_MEAN_BY_R] / sum);
		gradient[1] = -1 - moment[BG_MEAN_BY_Z] / sum;
		gradient[2] = a * (moment[BG_LOG_P] / sum);
		gradient[3] = b * (moment[BG_LOG_Q] / sum);
	}
	return r * sum;
}

/*
 * Discounted orders within horizon of one who throws no coin at once, for so
 * many alphas in place of that of the parameters.
 */
void
bg_nbd_discounted_by_alpha(const double parameters[4], const double *alpha, int alphas,
						   double horizon, double delta, double *orders)
{
	if (horizon * delta > LTV_NO_END &&
		orders_by_places(parameters, alpha, alphas, horizon, delta, orders))
		return;
	for (int i = 0; i < alphas; i++)
	{
		const double with_alpha[4] = {parameters[0], alpha[i], parameters[2], parameters[3]};

		if (delta == 0 || horizon == 0)
		{
			orders[i] = bg_nbd_orders(with_alpha, horizon);
			continue;
		}
		orders[i] = integral_of_rate(with_alpha, horizon, delta, true, NULL);
		if (isnan(orders[i]) &&
			!orders_by_places(with_alpha, &alpha[i], 1, horizon, delta, &orders[i]))
			orders[i] = integral_of_rate(with_alpha, horizon, delta, false, NULL);
	}
}

/* The same for that of the parameters. */
double
bg_nbd_discounted(const double parameters[4], double horizon, double delta)
{
	double		orders;

	bg_nbd_discounted_by_alpha(parameters, &parameters[1], 1, horizon, delta, &orders);
	return orders;
}

/* The same with the gradient of its logarithm; horizon > 0. */
double
bg_nbd_discounted_gradient(const double parameters[4], double horizon, double delta,
						   double gradient[4])
{
	if (delta == 0)
		return orders_gradient(parameters, horizon, gradient);
	return integral_of_rate(parameters, horizon, delta, false, gradient);
}

/*
 * Probability of n orders within horizon of one who throws no coin at once:
 * equation 8 of Fader, Hardie & Lee 2005, of which the bracket, the
 * probability of n or more orders if there were no coins, is an incomplete
 * beta function.
 */
double
bg_nbd_probability(const double parameters[4], long n, double horizon)
{
	double		r = parameters[0];
	double		alpha = parameters[1];
	double		a = parameters[2];
	double		b = parameters[3];
	double		z = horizon / alpha;
	double		log_norm;
	double		exactly;
	double		at_least;

	if (n == 0)
		return exp(-r * log1p(z));
	if (horizon == 0)
		return 0;
	log_norm = ltv_log_beta(n, r);
	exactly = -n * log1p(alpha / horizon) - r * log1p(z) - log(n) - log_norm;
	if (series_suits(r, z, r * log1p(z), SERIES_TERMS))
		at_least = exactly + log(at_least_by_count(r, z, n));
	else
	{
		LtvIntegrand f = {.log_value = beta_integrand, .centre = {0, NAN}};

		f.parameter[0] = n;
		f.parameter[1] = r;
		at_least = ltv_log_integral(&f, -INFINITY, log(z)) - log_norm;
	}
	return fmin(1, exp(exactly + log_survival(a, b, n)) +
				exp(at_least + log_survival(a, b, n - 1)) * (a / (a + b + (n - 1))));
}
