/*
 * ltv_pareto_nbd.c
 *		Pareto/NBD: orders until a silent death.
 *
 * Orders of rate lambda ~ Gamma(r, alpha), a lifetime of rate mu ~ Gamma(s,
 * beta), and so Pareto.  For the papers see ltv_models.h.
 */
#include "ltv_pareto_nbd.h"
#include "ltv_special.h"

#include <stdbool.h>

/*
 * The likelihood is that of being alive at t, times 1 + odds, the odds of
 * having been lost at some time y since t_x being (P. S. Fader, B. G. S.
 * Hardie, A note on deriving the Pareto/NBD model and related expressions,
 * 2005, before it is written in terms of 2F1)
 *
 *	Gamma(r+x)/Gamma(r) alpha^r beta^s (alpha+t)^-(r+x) (beta+t)^-s (1 + odds)
 *	odds = integral over y from t_x to t of
 *		s/(beta+y) ((alpha+t)/(alpha+y))^(r+x) ((beta+t)/(beta+y))^s
 *
 * By v = log(1 + (y - t_x) / (least + t_x)), least being the lesser of alpha
 * and beta, the integrand is analytic within pi of the real line, and its
 * logarithm concave: so few nodes of Gauss-Legendre are exact to rounding.
 *
 * The four quantities of which a node's logarithm is linear in parameters, and
 * their means and products over the posterior of y, give every derivative.
 */
enum
{
	LOG_ALPHA,					/* log((alpha+t) / (alpha+y)) */
	LOG_BETA,					/* log((beta+t) / (beta+y)) */
	PER_ALPHA,					/* 1 / (alpha+y) */
	PER_BETA,					/* 1 / (beta+y) */
	PARETO_QUANTITIES
};

typedef struct ParetoOdds
{
	double		mean[PARETO_QUANTITIES];
	double		covariance[PARETO_QUANTITIES][PARETO_QUANTITIES]; /* upper triangle */
} ParetoOdds;

static inline void
node_quantities(bool beta_least, double log_least, double log_most,
				double per_least, double per_most, double q[PARETO_QUANTITIES])
{
	q[LOG_ALPHA] = beta_least ? log_most : log_least;
	q[LOG_BETA] = beta_least ? log_least : log_most;
	q[PER_ALPHA] = beta_least ? per_most : per_least;
	q[PER_BETA] = beta_least ? per_least : per_most;
}

/*
 * Log of the odds of having been lost; -INFINITY if t_x = t.  moments: 1 for
 * the means, 2 for the covariances too.
 */
static double
lost_odds(const double parameters[4], double x, double t_x, double t,
		  int moments, ParetoOdds *odds)
{
	double		alpha = parameters[1];
	double		s = parameters[2];
	double		beta = parameters[3];
	double		rx = parameters[0] + x;
	bool		beta_least = beta < alpha;
	double		least = (beta_least ? beta : alpha) + t_x;
	double		apart = fabs(alpha - beta);
	double		most_inverse = 1 / ((beta_least ? alpha : beta) + t);
	double		length = log1p((t - t_x) / least);

	/* height(v) = first (length - v) + second log((most+t) / (most+y)) */
	double		first = beta_least ? s : rx - 1;
	double		second = beta_least ? rx : s + 1;
	double		base = beta_least ? log(s) : log(s * (alpha + t) / (beta + t));
	double		start_height;
	double		top;
	double		end = length;
	double		height = 0;
	double		start = 0;
	double		centre = log(apart / least);
	double		sum = 0;
	double		origin[PARETO_QUANTITIES];
	double		mean[PARETO_QUANTITIES] = {0};
	double		product[PARETO_QUANTITIES][PARETO_QUANTITIES] = {{0}};

	if (!(length > 0))
		return -INFINITY;

	/* moments are about what is often near the top, lest their differences cancel */
	if (moments > 0)
		node_quantities(beta_least, length, -log((apart + least) * most_inverse),
						1 / least, 1 / (apart + least), origin);

	start_height = first * length - second * log((apart + least) * most_inverse);
	top = start_height;
	if (first < 0)
	{
		/* the top is where the slope, -first - second e^v least/(most+y), is 0 */
		double		share = -first / second;

		if (share * (apart + least) > least)
		{
			double		v = fmin(length, log(share / (1 - share) * apart / least));

			top = first * (length - v) -
				second * log((apart + least * exp(v)) * most_inverse);
		}
	}

	/* Newton's steps on a concave function, from the right, stay on the right. */
	for (int i = 0; i < 1000 && height < top - LTV_NEGLIGIBLE - 2; i++)
	{
		double		e = least * exp(end);
		double		slope = -first - second * e / (apart + e);

		end -= (height - (top - LTV_NEGLIGIBLE)) / slope;
		if (!(end > 0))
		{
			end = length;
			break;
		}
		height = first * (length - end) -
			second * log((apart + least * exp(end)) * most_inverse);
	}

	height = start_height;
	for (int panels = 0; start < end && panels < LTV_MAX_PANELS; panels++)
	{
		const LtvRule *rule;
		double		panel = end - start;
		double		drop;
		double		stop_height;
		double		half;
		double		middle;
		double		least_middle;
		double		times = 1;

		/* far from the centre, in front or behind, panels may be longer */
		if (panel > LTV_FINEST.length)
			panel = fmin(panel, fmax(LTV_FINEST.length, centre > start
									 ? (centre - start) / 3 : (start - centre) / 2));
		for (;;)
		{
			stop_height = first * (length - start - panel) -
				second * log((apart + least * exp(start + panel)) * most_inverse);
			drop = fabs(stop_height - height);
			if (!(drop > LTV_FINEST.drop) || panel < 1e-12 * length)
				break;
			panel /= 2;
		}
		rule = ltv_rule_for(panel, drop);
		half = panel / 2;
		middle = start + half;
		least_middle = least * exp(middle);
		for (int i = 0; i < 2 * rule->pairs; i++)
		{
			double		aside = half * rule->node[i / 2];
			double		e;
			double		log_least;
			double		log_most;
			double		mass;

			/* nodes come in pairs on both sides of the middle */
			if (i & 1)
				e = least_middle / times;
			else
			{
				times = exp(aside);
				e = least_middle * times;
				aside = -aside;
			}
			log_least = length - middle + aside;
			log_most = -log((apart + e) * most_inverse);
			mass = half * rule->weight[i / 2] * exp(first * log_least + second * log_most - top);
			sum += mass;
			if (moments > 0)
			{
				double		q[PARETO_QUANTITIES];

				node_quantities(beta_least, log_least, log_most, 1 / e, 1 / (apart + e), q);
				for (int j = 0; j < PARETO_QUANTITIES; j++)
					q[j] -= origin[j];
				for (int j = 0; j < PARETO_QUANTITIES; j++)
				{
					double		moment = mass * q[j];

					mean[j] += moment;
					if (moments > 1)
						for (int k = j; k < PARETO_QUANTITIES; k++)
							product[j][k] += moment * q[k];
				}
			}
		}
		start += panel;
		height = stop_height;
	}
	if (moments > 0)
		for (int j = 0; j < PARETO_QUANTITIES; j++)
		{
			odds->mean[j] = origin[j] + mean[j] / sum;
			for (int k = j; k < PARETO_QUANTITIES; k++)
				odds->covariance[j][k] = product[j][k] / sum - (mean[j] / sum) * (mean[k] / sum);
		}
	return base + top + log(sum);
}

/* Derivatives of the logarithm of the odds by the logarithms of the parameters. */
static void
odds_gradient(const double parameters[4], double x, double t,
			  const ParetoOdds *odds, double gradient[4])
{
	double		r = parameters[0];
	double		alpha = parameters[1];
	double		s = parameters[2];
	double		beta = parameters[3];

	gradient[0] = r * odds->mean[LOG_ALPHA];
	gradient[1] = alpha * (r + x) * (1 / (alpha + t) - odds->mean[PER_ALPHA]);
	gradient[2] = 1 + s * odds->mean[LOG_BETA];
	gradient[3] = beta * (s / (beta + t) - (s + 1) * odds->mean[PER_BETA]);
}

/* Log of the odds of having been lost by t, with its gradient if wanted. */
double
pareto_nbd_log_lost_odds(const double parameters[4], double x, double t_x, double t,
						 double gradient[4])
{
	ParetoOdds		odds;
	double		logarithm = lost_odds(parameters, x, x > 0 ? t_x : 0, t,
									  gradient != NULL, &odds);

	if (gradient != NULL)
	{
		if (logarithm > -INFINITY)
			odds_gradient(parameters, x, t, &odds, gradient);
		else
			gradient[0] = gradient[1] = gradient[2] = gradient[3] = 0;
	}
	return logarithm;
}

/* Log-likelihood of one customer, with its gradient if wanted. */
double
pareto_nbd_log_likelihood(const double parameters[4],
						  const LtvCustomer *customer, double gradient[4])
{
	double		r = parameters[0];
	double		alpha = parameters[1];
	double		s = parameters[2];
	double		beta = parameters[3];
	double		x = customer->x;
	double		t = customer->t;
	double		log_alpha = log1p(t / alpha);
	double		log_beta = log1p(t / beta);
	double		by[4];
	double		z = pareto_nbd_log_lost_odds(parameters, x, customer->t_x, t,
											 gradient != NULL ? by : NULL);

	if (gradient != NULL)
	{
		double		lost = ltv_logistic(z);

		gradient[0] = r * (ltv_digamma_step(r, x) - log_alpha);
		gradient[1] = (r * t - x * alpha) / (alpha + t);
		gradient[2] = -s * log_beta;
		gradient[3] = s * (t / (beta + t));
		for (int i = 0; i < 4; i++)
			gradient[i] += lost * by[i];
	}
	return ltv_log_gamma_step(r, x) - x * log(alpha) - (r + x) * log_alpha -
		s * log_beta + ltv_softplus(z);
}

/* value, gradient and the Hessian's upper triangle */
#define PARETO_SUMS			(1 + 4 + 10)

/* log (r)_x - x log alpha, and its derivatives by r */
typedef struct ParetoTerms
{
	double		value;
	double		by_r;
	double		by_r_r;
} ParetoTerms;

/* Log-likelihood of n customers, gradient and Hessian if wanted. */
double
pareto_nbd_sum(const double parameters[4], const LtvCustomer *rows, size_t n,
			   double gradient[4], double hessian[4][4])
{
	double		r = parameters[0];
	double		alpha = parameters[1];
	double		s = parameters[2];
	double		beta = parameters[3];
	LtvSum		total[PARETO_SUMS] = {{0}};
	int			moments = hessian != NULL ? 2 : gradient != NULL ? 1 : 0;
	ParetoTerms	table[LTV_TABULATED];
	int			tabulated = 1;
	ParetoTerms	other;
	double		other_x = -1;

	table[0].value = table[0].by_r = table[0].by_r_r = 0;
	for (size_t begin = 0; begin < n; begin += LTV_ADDED_PLAINLY)
	{
		size_t		end = n - begin < LTV_ADDED_PLAINLY ? n : begin + LTV_ADDED_PLAINLY;
		double		sum[PARETO_SUMS] = {0};

		for (const LtvCustomer *row = rows + begin; row < rows + end; row++)
		{
			double		x = row->x;
			double		t = row->t;
			double		weight = row->weight;
			double		rx = r + x;
			double		log_alpha = log1p(t / alpha);
			double		log_beta = log1p(t / beta);
			double		alpha_share = t / (alpha + t);
			double		beta_share = t / (beta + t);
			const ParetoTerms *terms;
			double		by[4];
			ParetoOdds		odds;
			double		z;

			if (x < LTV_TABULATED && x == (int) x)
			{
				for (; tabulated <= (int) x; tabulated++)
				{
					double		next = r + (tabulated - 1);

					table[tabulated] = table[tabulated - 1];
					table[tabulated].value += log(next / alpha);
					table[tabulated].by_r += 1 / next;
					table[tabulated].by_r_r -= 1 / (next * next);
				}
				terms = &table[(int) x];
			}
			else
			{
				if (x != other_x)
				{
					other_x = x;
					other.value = ltv_log_gamma_step(r, x) - x * log(alpha);
					other.by_r = ltv_digamma_step(r, x);
					other.by_r_r = ltv_trigamma_step(r, x);
				}
				terms = &other;
			}
			z = lost_odds(parameters, x, x > 0 ? row->t_x : 0, t, moments, &odds);
			sum[0] += weight * (terms->value - rx * log_alpha - s * log_beta + ltv_softplus(z));
			if (moments == 0)
				continue;
			sum[1] += weight * r * (terms->by_r - log_alpha);
			sum[2] += weight * (r * t - x * alpha) / (alpha + t);
			sum[3] -= weight * s * log_beta;
			sum[4] += weight * s * beta_share;
			if (moments > 1)
			{
				sum[5] += weight * r * (terms->by_r - log_alpha + r * terms->by_r_r);
				sum[6] += weight * r * alpha_share;
				sum[9] -= weight * rx * alpha_share * (alpha / (alpha + t));
				sum[12] -= weight * s * log_beta;
				sum[13] += weight * s * beta_share;
				sum[14] -= weight * s * beta_share * (beta / (beta + t));
			}
			if (!(z > -INFINITY))
				continue;
			odds_gradient(parameters, x, t, &odds, by);
			{
				double		e = exp(-fabs(z));
				double		share = 1 / (1 + e);
				double		lost = weight * (z > 0 ? share : e * share);
				double		spread = weight * e * share * share;
				double		alpha_end = 1 / (alpha + t);
				double		beta_end = 1 / (beta + t);
				double		a = alpha * rx;
				double		b = beta * (s + 1);
				double	   *mean = odds.mean;
				double		(*covariance)[PARETO_QUANTITIES] = odds.covariance;

				for (int i = 0; i < 4; i++)
					sum[1 + i] += lost * by[i];
				if (moments < 2)
					continue;

				/*
				 * The second derivatives of the logarithm of an integral: the
				 * mean of those of the integrand's logarithm, and the
				 * covariance of its first.
				 */
				sum[5] += lost * (by[0] + r * r * covariance[LOG_ALPHA][LOG_ALPHA]) +
					spread * by[0] * by[0];
				sum[6] += lost * (alpha * r * (alpha_end - mean[PER_ALPHA]) -
								  r * a * covariance[LOG_ALPHA][PER_ALPHA]) +
					spread * by[0] * by[1];
				sum[7] += lost * r * s * covariance[LOG_ALPHA][LOG_BETA] + spread * by[0] * by[2];
				sum[8] += -lost * r * b * covariance[LOG_ALPHA][PER_BETA] + spread * by[0] * by[3];
				sum[9] += lost * (by[1] +
								  a * alpha * (mean[PER_ALPHA] * mean[PER_ALPHA] - alpha_end * alpha_end) +
								  a * (a + alpha) * covariance[PER_ALPHA][PER_ALPHA]) +
					spread * by[1] * by[1];
				sum[10] += -lost * a * s * covariance[LOG_BETA][PER_ALPHA] + spread * by[1] * by[2];
				sum[11] += lost * a * b * covariance[PER_ALPHA][PER_BETA] + spread * by[1] * by[3];
				sum[12] += lost * (s * mean[LOG_BETA] + s * s * covariance[LOG_BETA][LOG_BETA]) +
					spread * by[2] * by[2];
				sum[13] += lost * (s * beta * (beta_end - mean[PER_BETA]) -
								   s * b * covariance[LOG_BETA][PER_BETA]) +
					spread * by[2] * by[3];
				sum[14] += lost * (by[3] +
								   beta * (b * mean[PER_BETA] * mean[PER_BETA] - beta * s * beta_end * beta_end) +
								   b * (b + beta) * covariance[PER_BETA][PER_BETA]) +
					spread * by[3] * by[3];
			}
		}
		for (int i = 0; i < PARETO_SUMS; i++)
			ltv_add(&total[i], sum[i]);
	}

	if (gradient != NULL)
		for (int i = 0; i < 4; i++)
			gradient[i] = total[1 + i].sum + total[1 + i].correction;
	if (hessian != NULL)
	{
		const LtvSum *next = &total[5];

		for (int i = 0; i < 4; i++)
			for (int j = i; j < 4; j++, next++)
				hessian[i][j] = hessian[j][i] = next->sum + next->correction;
	}
	return total[0].sum + total[0].correction;
}

/* Parameters of a customer who is not lost at t: those of a new one. */
void
pareto_nbd_survivor(const double parameters[4], double x, double t, double survivor[4])
{
	survivor[0] = parameters[0] + x;
	survivor[1] = parameters[1] + t;
	survivor[2] = parameters[2];
	survivor[3] = parameters[3] + t;
}

/*
 * Expected orders of a customer within horizon: r/alpha times the integral of
 * (1 + u/beta)^-s, as Schmittlein, Morrison & Colombo 1987 have it but without
 * the pole at s = 1.
 */
double
pareto_nbd_orders(const double parameters[4], double horizon)
{
	double		r = parameters[0];
	double		alpha = parameters[1];
	double		s = parameters[2];
	double		beta = parameters[3];
	double		v = log1p(horizon / beta);
	double		w = (1 - s) * v;

	if (isinf(horizon))
		return s > 1 ? r * beta / (alpha * (s - 1)) : INFINITY;
	return r * beta / alpha * v * (w == 0 ? 1 : expm1(w) / w);
}

/*
 * parameter: s, delta beta.  exp(-delta u) (1 + u/beta)^-s by v = log(1 + u/beta)
 */
static double
pareto_discounted_integrand(const LtvIntegrand *f, double v, double *slope)
{
	double		s = f->parameter[0];
	double		scale = f->parameter[1];

	if (slope != NULL)
		*slope = 1 - s - scale * exp(v);
	return (1 - s) * v - scale * expm1(v);
}

/*
 * Discounted orders of a customer within horizon: r/alpha times the integral
 * of exp(-delta u) (1 + u/beta)^-s; for an infinite horizon that is Tricomi's
 * U, as in Fader, Hardie & Lee, RFM and CLV, 2005.
 */
double
pareto_nbd_discounted(const double parameters[4], double horizon, double delta)
{
	double		beta = parameters[3];
	LtvIntegrand f = {.log_value = pareto_discounted_integrand, .centre = {0, NAN}};

	if (delta == 0 || horizon == 0)
		return pareto_nbd_orders(parameters, horizon);
	f.centre[0] = -log(delta * beta);
	f.parameter[0] = parameters[2];
	f.parameter[1] = delta * beta;
	return parameters[0] * beta / parameters[1] *
		exp(ltv_log_integral(&f, 0, log1p(horizon / beta)));
}

/*
 * parameter: r, log alpha, s, log beta, n.  The probability that n orders
 * fall before y, but for its constant, times the density of being lost at y,
 * but for s, by v = log y.
 */
static double
pareto_probability_integrand(const LtvIntegrand *f, double v, double *slope)
{
	double		r = f->parameter[0];
	double		s = f->parameter[2];
	double		n = f->parameter[4];
	double		p;
	double		q;
	double		log_p;
	double		log_q;
	double		slope_alpha;
	double		value;

	/* p = y / (alpha + y), and then y / (beta + y) */
	ltv_from_logit(v - f->parameter[1], &p, &q, &log_p, &log_q);
	slope_alpha = n * q - r * p;
	value = n * log_p + r * log_q;
	ltv_from_logit(v - f->parameter[3], &p, &q, &log_p, &log_q);
	if (slope != NULL)
		*slope = slope_alpha + q - s * p;
	return value + log_p + s * log_q;
}

/*
 * Probability of n orders within horizon: n before the horizon and not lost by
 * then, or n before being lost; none is like the likelihood of x = 0 (P. S. Fader, B. G. S. Hardie, Deriving an
 * expression for P(X(t) = n) under the Pareto/NBD model, 2006, as an
 * integral).
 */
double
pareto_nbd_probability(const double parameters[4], long n, double horizon)
{
	double		r = parameters[0];
	double		alpha = parameters[1];
	double		s = parameters[2];
	double		beta = parameters[3];
	double		log_count;		/* of Gamma(r+n) / (Gamma(r) n!) */
	LtvIntegrand f = {.log_value = pareto_probability_integrand};
	double		alive;
	double		lost;

	if (horizon == 0)
		return n == 0;
	alive = -r * log1p(horizon / alpha) - s * log1p(horizon / beta);
	if (n == 0)
		return fmin(1, exp(alive + ltv_softplus(lost_odds(parameters, 0, 0, horizon, 0, NULL))));
	log_count = -log(n) - ltv_log_beta(n, r);
	alive += log_count - n * log1p(alpha / horizon);
	f.parameter[0] = r;
	f.parameter[1] = f.centre[0] = log(alpha);
	f.parameter[2] = s;
	f.parameter[3] = f.centre[1] = log(beta);
	f.parameter[4] = n;
	lost = log_count + log(s) + ltv_log_integral(&f, -INFINITY, log(horizon));
	return fmin(1, exp(alive) + exp(lost));
}
