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

/*
 * Its second derivatives, the upper triangle, from the first: those of the
 * logarithm of an integral are the mean of those of the integrand's logarithm,
 * and the covariance of its first.
 */
static void
odds_hessian(const double parameters[4], double x, double t,
			 const ParetoOdds *odds, const double gradient[4], double hessian[10])
{
	double		r = parameters[0];
	double		alpha = parameters[1];
	double		s = parameters[2];
	double		beta = parameters[3];
	double		alpha_end = 1 / (alpha + t);
	double		beta_end = 1 / (beta + t);
	double		a = alpha * (r + x);
	double		b = beta * (s + 1);
	const double *mean = odds->mean;
	const double (*covariance)[PARETO_QUANTITIES] = odds->covariance;

	hessian[0] = gradient[0] + r * r * covariance[LOG_ALPHA][LOG_ALPHA];
	hessian[1] = alpha * r * (alpha_end - mean[PER_ALPHA]) - r * a * covariance[LOG_ALPHA][PER_ALPHA];
	hessian[2] = r * s * covariance[LOG_ALPHA][LOG_BETA];
	hessian[3] = -r * b * covariance[LOG_ALPHA][PER_BETA];
	hessian[4] = gradient[1] +
		a * alpha * (mean[PER_ALPHA] * mean[PER_ALPHA] - alpha_end * alpha_end) +
		a * (a + alpha) * covariance[PER_ALPHA][PER_ALPHA];
	hessian[5] = -a * s * covariance[LOG_BETA][PER_ALPHA];
	hessian[6] = a * b * covariance[PER_ALPHA][PER_BETA];
	hessian[7] = s * mean[LOG_BETA] + s * s * covariance[LOG_BETA][LOG_BETA];
	hessian[8] = s * beta * (beta_end - mean[PER_BETA]) - s * b * covariance[LOG_BETA][PER_BETA];
	hessian[9] = gradient[3] +
		beta * (b * mean[PER_BETA] * mean[PER_BETA] - beta * s * beta_end * beta_end) +
		b * (b + beta) * covariance[PER_BETA][PER_BETA];
}

/*
 * Tails
 *
 * The odds of having been lost from y on, the customer's silence never ending,
 *
 *	h(y) = integral over u > 0 of
 *		s/(beta+y+u) ((alpha+y)/(alpha+y+u))^(r+x) ((beta+y)/(beta+y+u))^s
 *
 * are less than 1, and one plus the odds of having been lost from t_x to t is
 *
 *	(h(t_x) + e (1 - h(t))) / e,
 *	e = ((alpha+t_x)/(alpha+t))^(r+x) ((beta+t_x)/(beta+t))^s
 *
 * of which no term is negative.  h is a function of one variable for all
 * customers of equal x: with its derivatives it is a polynomial in each panel
 * of 1 + y/least.  Those of the integral are found once a panel, not once a
 * customer.
 */
#define TAIL_FUNCTIONS	16		/* h, gradient, Hessian's upper triangle, 0 */
#define TAIL_PAIRS		(TAIL_FUNCTIONS / 2)

/* Panels of tails: from 1 on, up to the t that is 2^15 times least. */
#define TAIL_FIRST_PANEL	(1023 * 2)
#define TAIL_PANELS			32
#define TAIL_LAST_PLACE		32767.0
#define TAILS_X				1023.0

/* After so many of the slowest decay's e-foldings nothing of a tail is left. */
#define TAIL_FOLDS		45.0

/* Where a tail from y may end, in log((least+end) / (least+y)). */
static double
tail_length(const double parameters[4], double x, double y)
{
	double		least = fmin(parameters[1], parameters[3]) + y;
	double		apart = log1p(fabs(parameters[1] - parameters[3]) / least);

	return (TAIL_FOLDS + apart) / (parameters[0] + x + parameters[2]) + apart;
}

/*
 * Whether the tails of an x are short enough to be had, by tail_length() less
 * than 300: else a customer is looked at alone.
 */
bool
pareto_nbd_tails_suit(const double parameters[4], double x)
{
	double		alpha = parameters[1];
	double		beta = parameters[3];

	return x <= TAILS_X && parameters[0] + x + parameters[2] > 0.25 &&
		fmax(alpha, beta) < 1e10 * fmin(alpha, beta);
}

/* h(y), and if wanted its derivatives by the logarithms of the parameters */
static double
tail_at(const double parameters[4], double x, double y, double derivatives[14])
{
	double		r = parameters[0];
	double		alpha = parameters[1];
	double		s = parameters[2];
	double		beta = parameters[3];
	double		least = fmin(alpha, beta) + y;
	double		length = least * expm1(tail_length(parameters, x, y));
	double		end = y + length;
	double		a = alpha + y;
	double		b = beta + y;
	double		log_alpha = log1p(length / a);
	double		log_beta = log1p(length / b);
	double		by_alpha = -alpha * (length / (a * (a + length)));
	double		by_beta = -beta * (length / (b * (b + length)));
	ParetoOdds	odds;
	double		h;
	double		g[4];
	double		second[10];

	h = exp(lost_odds(parameters, x, y, end, derivatives != NULL ? 2 : 0, &odds) -
			(r + x) * log_alpha - s * log_beta);
	if (derivatives == NULL)
		return h;
	odds_gradient(parameters, x, end, &odds, g);
	odds_hessian(parameters, x, end, &odds, g, second);
	g[0] -= r * log_alpha;
	g[1] -= (r + x) * by_alpha;
	g[2] -= s * log_beta;
	g[3] -= s * by_beta;
	second[0] -= r * log_alpha;
	second[1] -= r * by_alpha;
	second[4] -= (r + x) * by_alpha * (1 - alpha / a - alpha / (a + length));
	second[7] -= s * log_beta;
	second[8] -= s * by_beta;
	second[9] -= s * by_beta * (1 - beta / b - beta / (b + length));
	for (int i = 0, k = 0; i < 4; i++)
	{
		derivatives[i] = h * g[i];
		for (int j = i; j < 4; j++, k++)
			derivatives[4 + k] = h * (second[k] + g[i] * g[j]);
	}
	return h;
}

/* h(y) */
double
pareto_nbd_tail(const double parameters[4], double x, double y)
{
	return tail_at(parameters, x, y, NULL);
}

/* The panels of an x, found when they are wanted. */
typedef struct Tails
{
	bool		known[TAIL_PANELS];
	LtvPair		coefficients[TAIL_PANELS][LTV_PANEL_NODES][TAIL_PAIRS];
} Tails;

/* Of h and its derivatives the values at y, of which place is 1 + y/least. */
static inline void
tail_values(Tails *tails, const double parameters[4], double x, double place,
			double values[TAIL_FUNCTIONS])
{
	int			panel = ltv_panel_of(place, &place);
	int			at = panel - TAIL_FIRST_PANEL;
	LtvPair		sum[TAIL_PAIRS];
	LtvPair		argument = {place, place};

	if (!tails->known[at])
	{
		double		v[LTV_PANEL_NODES];
		double		all[LTV_PANEL_NODES][TAIL_FUNCTIONS];
		double		least = fmin(parameters[1], parameters[3]);

		ltv_panel_nodes(panel, v);
		for (int i = 0; i < LTV_PANEL_NODES; i++)
		{
			all[i][0] = tail_at(parameters, x, least * (v[i] - 1), &all[i][1]);
			all[i][TAIL_FUNCTIONS - 1] = 0;
		}
		ltv_panel_fit(TAIL_FUNCTIONS, &all[0][0]);
		memcpy(tails->coefficients[at], all, sizeof(all));
		tails->known[at] = true;
	}
	for (int k = 0; k < TAIL_PAIRS; k++)
		sum[k] = tails->coefficients[at][LTV_PANEL_NODES - 1][k];
	for (int i = LTV_PANEL_NODES - 2; i >= 0; i--)
		for (int k = 0; k < TAIL_PAIRS; k++)
			sum[k] = sum[k] * argument + tails->coefficients[at][i][k];
	memcpy(values, sum, sizeof(sum));
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

/*
 * Probability of a first order by t, the density of which at y is that of not
 * having been lost times r/(alpha+y) (alpha/(alpha+y))^r: like the odds of
 * having been lost, rates of orders and of loss in each other's place.
 */
static double
pareto_nbd_some_order(const double parameters[4], double t)
{
	const double swapped[4] = {parameters[2], parameters[3], parameters[0], parameters[1]};

	return exp(lost_odds(swapped, 0, 0, t, 0, NULL) -
			   parameters[0] * log1p(t / parameters[1]) - parameters[2] * log1p(t / parameters[3]));
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
	double		value = ltv_log_gamma_step(r, x) - x * log(alpha) - (r + x) * log_alpha -
		s * log_beta + ltv_softplus(z);

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
	if (x == 0 && value > LTV_NEARLY_CERTAIN)
		return log1p(-pareto_nbd_some_order(parameters, t));
	return value;
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

/*
 * The likelihood but for the terms of x is that of being alive at some time
 * times the rest: of which, the time being t, the logarithm and its derivatives.
 */
static inline void
rest_alone(const double parameters[4], const LtvCustomer *row, int moments,
		   double rest[PARETO_SUMS])
{
	ParetoOdds	odds;
	double		z = lost_odds(parameters, row->x, row->x > 0 ? row->t_x : 0, row->t,
							  moments, &odds);
	double		e = exp(-fabs(z));
	double		share = 1 / (1 + e);
	double		lost = z > 0 ? share : e * share;
	double		spread = e * share * share;
	double		by[4];
	double		second[10];

	memset(rest, 0, PARETO_SUMS * sizeof(double));
	if (!(z > -INFINITY))
		return;
	rest[0] = ltv_softplus(z);
	if (moments > 0)
		odds_gradient(parameters, row->x, row->t, &odds, by);
	if (moments > 1)
		odds_hessian(parameters, row->x, row->t, &odds, by, second);
	for (int i = 0, k = 0; i < 4 && moments > 0; i++)
	{
		rest[1 + i] = lost * by[i];
		for (int j = i; j < 4 && moments > 1; j++, k++)
			rest[5 + k] = lost * second[k] + spread * by[i] * by[j];
	}
}

/* The same, the time being t_x, which is the last call's if start is known. */
static inline void
rest_by_tails(const double parameters[4], const LtvCustomer *row, double t_x,
			  Tails *tails, bool start_known, double start[TAIL_FUNCTIONS],
			  double rest[PARETO_SUMS])
{
	double		r = parameters[0];
	double		alpha = parameters[1];
	double		s = parameters[2];
	double		beta = parameters[3];
	double		rx = r + row->x;
	double		t = row->t;
	double		least_inverse = 1 / fmin(alpha, beta);
	double		alpha_start = 1 / (alpha + t_x);
	double		beta_start = 1 / (beta + t_x);
	double		alpha_end = 1 / (alpha + t);
	double		beta_end = 1 / (beta + t);
	double		log_alpha = log(1 + (t - t_x) * alpha_start);
	double		log_beta = log(1 + (t - t_x) * beta_start);
	double		e = exp(-rx * log_alpha - s * log_beta);

	/* derivatives of log e */
	double		by_alpha = alpha * (t - t_x) * alpha_start * alpha_end;
	double		by_beta = beta * (t - t_x) * beta_start * beta_end;
	double		by[4] = {-r * log_alpha, rx * by_alpha, -s * log_beta, s * by_beta};
	double		second[10] = {-r * log_alpha, r * by_alpha, 0, 0,
		rx * by_alpha * (1 - alpha * (alpha_start + alpha_end)), 0, 0,
	-s * log_beta, s * by_beta, s * by_beta * (1 - beta * (beta_start + beta_end))};
	double		end[TAIL_FUNCTIONS];
	double		still;
	double		whole;
	double		inverse;

	if (!start_known)
		tail_values(tails, parameters, row->x, 1 + t_x * least_inverse, start);
	tail_values(tails, parameters, row->x, 1 + t * least_inverse, end);
	still = 1 - end[0];
	whole = start[0] + e * still;
	inverse = 1 / whole;
	rest[0] = log(whole);
	for (int i = 0; i < 4; i++)
		rest[1 + i] = (start[1 + i] + e * (by[i] * still - end[1 + i])) * inverse;
	for (int i = 0, k = 0; i < 4; i++)
		for (int j = i; j < 4; j++, k++)
			rest[5 + k] = (start[5 + k] +
						   e * ((second[k] + by[i] * by[j]) * still -
								by[i] * end[1 + j] - by[j] * end[1 + i] - end[5 + k])) * inverse -
				rest[1 + i] * rest[1 + j];
}

/* So many rows of equal x are worth their tails. */
#define TAIL_ROWS		200

/* Log-likelihood of n customers, gradient and Hessian if wanted. */
double
pareto_nbd_sum(const double parameters[4], const LtvCustomer *rows, size_t n,
			   double gradient[4], double hessian[4][4])
{
	double		r = parameters[0];
	double		alpha = parameters[1];
	double		s = parameters[2];
	double		beta = parameters[3];
	double		alpha_inverse = 1 / alpha;
	double		beta_inverse = 1 / beta;
	double		last_place = TAIL_LAST_PLACE * fmin(alpha, beta);
	LtvSum		total[PARETO_SUMS] = {{0}};
	int			moments = hessian != NULL ? 2 : gradient != NULL ? 1 : 0;
	ParetoTerms	table[LTV_TABULATED];
	int			tabulated = 1;
	ParetoTerms	other;
	double		other_x = -1;
	double		run_x = -1;		/* the x of the rows from here on */
	bool		by_tails = false;
	double		start_t_x = -1;
	double		start[TAIL_FUNCTIONS];
	Tails		tails;

	table[0].value = table[0].by_r = table[0].by_r_r = 0;
	for (size_t begin = 0; begin < n; begin += LTV_ADDED_PLAINLY)
	{
		size_t		end = n - begin < LTV_ADDED_PLAINLY ? n : begin + LTV_ADDED_PLAINLY;
		double		sum[PARETO_SUMS] = {0};

		for (const LtvCustomer *row = rows + begin; row < rows + end; row++)
		{
			double		x = row->x;
			double		t_x = x > 0 ? row->t_x : 0;
			double		weight = row->weight;
			double		rx = r + x;
			double		at;
			double		log_alpha;
			double		log_beta;
			double		alpha_end;
			double		beta_end;
			double		alpha_share;
			double		beta_share;
			const ParetoTerms *terms;
			double		rest[PARETO_SUMS];

			if (x != run_x)
			{
				run_x = x;
				start_t_x = -1;
				by_tails = moments == 2 && rows + n - row >= TAIL_ROWS &&
					row[TAIL_ROWS - 1].x == x && pareto_nbd_tails_suit(parameters, x);
				if (by_tails)
					memset(tails.known, 0, sizeof(tails.known));
			}
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

			if (by_tails && row->t < last_place)
			{
				at = t_x;
				rest_by_tails(parameters, row, t_x, &tails, t_x == start_t_x, start, rest);
				start_t_x = t_x;
			}
			else
			{
				at = row->t;
				rest_alone(parameters, row, moments, rest);
			}
			log_alpha = at > 0 ? log(1 + at * alpha_inverse) : 0;
			log_beta = at > 0 ? log(1 + at * beta_inverse) : 0;
			sum[0] += weight * (terms->value - rx * log_alpha - s * log_beta + rest[0]);
			if (moments == 0)
				continue;
			alpha_end = 1 / (alpha + at);
			beta_end = 1 / (beta + at);
			alpha_share = at * alpha_end;
			beta_share = at * beta_end;
			sum[1] += weight * (r * (terms->by_r - log_alpha) + rest[1]);
			sum[2] += weight * ((r * at - x * alpha) * alpha_end + rest[2]);
			sum[3] += weight * (rest[3] - s * log_beta);
			sum[4] += weight * (s * beta_share + rest[4]);
			if (moments == 1)
				continue;
			sum[5] += weight * (r * (terms->by_r - log_alpha + r * terms->by_r_r) + rest[5]);
			sum[6] += weight * (r * alpha_share + rest[6]);
			sum[7] += weight * rest[7];
			sum[8] += weight * rest[8];
			sum[9] += weight * (rest[9] - rx * alpha_share * (alpha * alpha_end));
			sum[10] += weight * rest[10];
			sum[11] += weight * rest[11];
			sum[12] += weight * (rest[12] - s * log_beta);
			sum[13] += weight * (s * beta_share + rest[13]);
			sum[14] += weight * (rest[14] - s * beta_share * (beta * beta_end));
		}
		for (int i = 0; i < PARETO_SUMS; i++)
			ltv_add(&total[i], sum[i]);
	}

	if (gradient != NULL)
		for (int i = 0; i < 4; i++)
			gradient[i] = ltv_total(&total[1 + i]);
	if (hessian != NULL)
	{
		const LtvSum *next = &total[5];

		for (int i = 0; i < 4; i++)
			for (int j = i; j < 4; j++, next++)
				hessian[i][j] = hessian[j][i] = ltv_total(next);
	}
	return ltv_total(&total[0]);
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
		return s > 1 ? r * (beta / alpha) / (s - 1) : INFINITY;
	return r * (beta / alpha) * v * (w == 0 ? 1 : expm1(w) / w);
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
	double		scale;
	LtvIntegrand f = {.log_value = pareto_discounted_integrand, .centre = {0, NAN}};

	if (delta == 0 || horizon == 0)
		return pareto_nbd_orders(parameters, horizon);
	/* before anyone is lost nothing counts any more */
	if (delta * beta > 1e16)
		return parameters[0] / parameters[1] / delta * -expm1(-delta * horizon);
	scale = fmax(1e-300, delta * beta);
	f.centre[0] = -log(scale);
	f.parameter[0] = parameters[2];
	f.parameter[1] = scale;
	return parameters[0] * (beta / parameters[1]) *
		exp(ltv_log_integral(&f, 0, log1p(horizon / beta)));
}

/* By s and log beta the derivatives of the integrand's logarithm are -v and s (1 - e^-v). */
static void
pareto_discounted_quantities(const LtvIntegrand *f, double v, double *quantity)
{
	(void) f;
	quantity[0] = v;
	quantity[1] = -expm1(-v);
}

/* The same with the gradient of its logarithm; horizon > 0. */
double
pareto_nbd_discounted_gradient(const double parameters[4], double horizon, double delta,
							   double gradient[4])
{
	double		s = parameters[2];
	double		scale = delta * parameters[3];
	double		mean[2] = {0, 0};
	LtvIntegrand f = {
		.log_value = pareto_discounted_integrand,
		.centre = {NAN, NAN},
		.quantities = pareto_discounted_quantities,
		.count = 2
	};

	gradient[0] = 1;
	gradient[1] = -1;
	if (delta == 0 && isinf(horizon))
	{
		gradient[2] = -s / (s - 1);
		gradient[3] = 1;
		return pareto_nbd_orders(parameters, horizon);
	}
	if (scale <= 1e16)
	{
		if (delta > 0)
			f.centre[0] = -log(scale = fmax(1e-300, scale));
		f.parameter[0] = s;
		f.parameter[1] = scale;
		ltv_log_integral_means(&f, 0, log1p(horizon / parameters[3]), mean);
	}
	gradient[2] = -s * mean[0];
	gradient[3] = s * mean[1];
	return pareto_nbd_discounted(parameters, horizon, delta);
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
