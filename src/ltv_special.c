/*
 * ltv_special.c
 *		Special functions of the models of lifetime value.
 *
 * No function here allocates, keeps state (lgamma() of the C library sets
 * signgam) or raises an error.
 */
#include "ltv_special.h"

/* ln(2 pi) / 2 */
#define HALF_LOG_TWO_PI		0.91893853320467274178

/* From here on the asymptotic series below are exact to rounding. */
#define ASYMPTOTIC			12.0

/* What Stirling's formula leaves of log Gamma(z): sum of B(2k) / (2k (2k-1) z^(2k-1)). */
static double
stirling_rest(double z)
{
	double		w = 1 / (z * z);

	return (1.0 / 12 + w * (-1.0 / 360 + w * (1.0 / 1260 + w * (-1.0 / 1680 + w *
			(1.0 / 1188 + w * (-691.0 / 360360 + w / 156)))))) / z;
}

/* log Gamma(z), z > 0, to rounding of max(1, result) */
double
ltv_log_gamma(double z)
{
	double		product = 1;

	for (; z < ASYMPTOTIC; z++)
		product *= z;
	return (z - 0.5) * log(z) - z + HALF_LOG_TWO_PI + stirling_rest(z) - log(product);
}

/*
 * log Gamma(z + d) - log Gamma(z), z > 0, d >= 0: for d = x the logarithm of
 * the rising factorial z (z+1) ... (z+x-1).  Exact where d is small or z large
 * too, where the two cancel.
 */
double
ltv_log_gamma_step(double z, double d)
{
	double		above = 1;
	double		below = 1;

	for (; z < ASYMPTOTIC; z++)
	{
		above *= z;
		below *= z + d;
	}
	return (z - 0.5) * log1p(d / z) + d * (log(z + d) - 1) +
		(stirling_rest(z + d) - stirling_rest(z)) + log(above / below);
}

/* log of the beta function, a and b > 0 */
double
ltv_log_beta(double a, double b)
{
	return a < b ? ltv_log_gamma(a) - ltv_log_gamma_step(b, a)
		: ltv_log_gamma(b) - ltv_log_gamma_step(a, b);
}

/* log z - 1/(2z) - digamma(z), of w = 1/z^2 */
static double
digamma_rest(double w)
{
	return w * (1.0 / 12 + w * (-1.0 / 120 + w * (1.0 / 252 + w * (-1.0 / 240 + w *
			(1.0 / 132 + w * (-691.0 / 32760 + w / 12))))));
}

/* digamma(z + d) - digamma(z), likewise */
double
ltv_digamma_step(double z, double d)
{
	double		sum = 0;

	for (; z < ASYMPTOTIC; z++)
		sum += d / (z * (z + d));
	return sum + log1p(d / z) + d / (2 * z * (z + d)) +
		(digamma_rest(1 / (z * z)) - digamma_rest(1 / ((z + d) * (z + d))));
}

/* trigamma(z) - 1/z - 1/(2 z^2) */
static double
trigamma_rest(double z)
{
	double		w = 1 / (z * z);

	return w * (1.0 / 6 + w * (-1.0 / 30 + w * (1.0 / 42 + w * (-1.0 / 30 + w *
			(5.0 / 66 + w * (-691.0 / 2730 + w * 7.0 / 6)))))) / z;
}

/* trigamma(z) */
double
ltv_trigamma(double z)
{
	double		sum = 0;

	for (; z < ASYMPTOTIC; z++)
		sum += 1 / (z * z);
	return sum + 1 / z + 1 / (2 * z * z) + trigamma_rest(z);
}

/* trigamma(z + d) - trigamma(z), not positive */
double
ltv_trigamma_step(double z, double d)
{
	double		sum = 0;
	double		end;

	for (; z < ASYMPTOTIC; z++)
	{
		end = z + d;
		sum += d * (z + end) / (z * z * end * end);
	}
	end = z + d;
	return -(sum + d / (z * end) + d * (z + end) / (2 * z * z * end * end) +
			 (trigamma_rest(z) - trigamma_rest(end)));
}

/*
 * Integrals
 *
 * Every expectation of these models that has no simple closed form is the
 * integral of a positive function with one hump.  The textbook forms (2F1,
 * Tricomi's U, incomplete gamma and beta functions) are differences of large
 * numbers somewhere in the range of parameters that fits come across; the
 * integrals are not.
 */

/* The point on the side of direction where the integrand has become negligible. */
static double
find_edge(const LtvIntegrand *f, double mode, double top, double end, int direction)
{
	double		near = mode;
	double		far;
	double		level = top - LTV_NEGLIGIBLE;

	for (double step = 1;; step *= 2)
	{
		far = mode + direction * step;
		if (direction * (far - end) >= 0)
			far = end;
		if (!(f->log_value(f, far, NULL) > level))
			break;
		if (far == end)
			return end;
		near = far;
	}
	for (int i = 0; i < 60; i++)
	{
		double		middle = near + (far - near) / 2;
		double		value = f->log_value(f, middle, NULL);

		if (value > level)
			near = middle;
		else
			far = middle;
		if (value <= level && value > level - 10)
			break;
	}
	return far;
}

/* The top of the hump, or a point that is not much lower. */
static double
find_mode(const LtvIntegrand *f, double from, double to)
{
	double		slope;
	double		low;
	double		high;

	if (isfinite(from))
	{
		f->log_value(f, from, &slope);
		if (slope <= 0)
			return from;
	}
	if (isfinite(to))
	{
		f->log_value(f, to, &slope);
		if (slope >= 0)
			return to;
	}

	low = isfinite(from) ? from : isfinite(to) ? to - 1 : -1;
	high = isfinite(to) ? to : isfinite(from) ? from + 1 : 1;
	for (double step = 1; !isfinite(from) && isfinite(low); step *= 2)
	{
		f->log_value(f, low, &slope);
		if (slope > 0)
			break;
		high = low;
		low -= step;
	}
	for (double step = 1; !isfinite(to) && isfinite(high); step *= 2)
	{
		f->log_value(f, high, &slope);
		if (slope < 0)
			break;
		low = high;
		high += step;
	}
	for (int i = 0; i < 60; i++)
	{
		double		middle = low + (high - low) / 2;

		f->log_value(f, middle, &slope);
		if (slope > 0)
			low = middle;
		else
			high = middle;
		if (fabs(slope) * (high - low) < 0.5)
			return middle;
	}
	return low;
}

/*
 * Integral of exp(f - top) from the mode to the edge, panel by panel; if moment
 * is not NULL, the integrals of its products with the quantities are added to that.
 */
static inline double
integrate_side(const LtvIntegrand *f, double mode, double top, double edge, double *moment)
{
	double		direction = edge > mode ? 1 : -1;
	double		start = mode;
	double		height = top;
	double		sum = 0;

	for (int panels = 0; direction * (edge - start) > 0 && panels < LTV_MAX_PANELS; panels++)
	{
		double		length = isnan(f->centre[0]) ? LTV_FINEST.length : HUGE_VAL;
		double		stop;
		double		height_then;
		double		drop;
		double		middle;
		double		half;
		double		part = 0;
		const LtvRule *rule;

		/* far from a centre, in front or behind, panels may be longer */
		for (int i = 0; i < 2; i++)
			if (!isnan(f->centre[i]))
			{
				double		ahead = direction * (f->centre[i] - start);

				length = fmin(length, fmax(LTV_FINEST.length,
										   ahead > 0 ? ahead / 3 : -ahead / 2));
			}
		for (;;)
		{
			stop = length < fabs(edge - start) ? start + direction * length : edge;
			height_then = f->log_value(f, stop, NULL);
			length = fabs(stop - start);
			/* twice, as near its top the logarithm may be curved */
			drop = 2 * fabs(height_then - height);
			if (isnan(drop))
				return NAN;
			if (drop <= LTV_FINEST.drop || length < 1e-12 * (1 + fabs(start)))
				break;
			length *= 0.5;
		}
		rule = ltv_rule_for(length, drop);
		half = (stop - start) / 2;
		middle = start + half;
		for (int i = 0; i < rule->pairs; i++)
			for (int side = -1; side <= 1; side += 2)
			{
				double		v = middle + side * half * rule->node[i];
				double		mass = rule->weight[i] * exp(f->log_value(f, v, NULL) - top);

				part += mass;
				if (moment != NULL && mass > 0)
				{
					double		quantity[LTV_MAX_MEANS];

					f->quantities(f, v, quantity);
					for (int k = 0; k < f->count; k++)
						moment[k] += fabs(half) * mass * quantity[k];
				}
			}
		sum += part * fabs(half);
		start = stop;
		height = height_then;
	}
	return sum;
}

/*
 * Log of the integral of exp(f(v)) over [from, to], either of which may be
 * infinite: composite Gauss-Legendre with panels as long as the function
 * allows.
 */
double
ltv_log_integral(const LtvIntegrand *f, double from, double to)
{
	double		mode = find_mode(f, from, to);
	double		top = f->log_value(f, mode, NULL);
	double		sum = 0;

	if (mode > from)
		sum += integrate_side(f, mode, top, find_edge(f, mode, top, from, -1), NULL);
	if (mode < to)
		sum += integrate_side(f, mode, top, find_edge(f, mode, top, to, 1), NULL);
	return top + log(sum);
}

/* The same, with the means of the quantities, the function being the density. */
double
ltv_log_integral_means(const LtvIntegrand *f, double from, double to, double *mean)
{
	double		mode = find_mode(f, from, to);
	double		top = f->log_value(f, mode, NULL);
	double		sum = 0;

	for (int k = 0; k < f->count; k++)
		mean[k] = 0;
	if (mode > from)
		sum += integrate_side(f, mode, top, find_edge(f, mode, top, from, -1), mean);
	if (mode < to)
		sum += integrate_side(f, mode, top, find_edge(f, mode, top, to, 1), mean);
	for (int k = 0; k < f->count; k++)
		mean[k] /= sum;
	return top + log(sum);
}

/* 6, 8, 10, 12, 16 and 20 points */
const LtvRule ltv_rules[LTV_RULES] = {
	{3, 0.5, 1.5,
		{2.38619186083196909e-1, 6.61209386466264514e-1, 9.32469514203152028e-1},
		{4.67913934572691047e-1, 3.60761573048138608e-1, 1.71324492379170345e-1}},
	{4, 1, 4,
		{1.83434642495649805e-1, 5.25532409916328986e-1, 7.96666477413626740e-1,
		9.60289856497536232e-1},
		{3.62683783378361983e-1, 3.13706645877887287e-1, 2.22381034453374471e-1,
		1.01228536290376259e-1}},
	{5, 1.5, 8,
		{1.48874338981631211e-1, 4.33395394129247191e-1, 6.79409568299024406e-1,
		8.65063366688984511e-1, 9.73906528517171720e-1},
		{2.95524224714752870e-1, 2.69266719309996355e-1, 2.19086362515982044e-1,
		1.49451349150580593e-1, 6.66713443086881376e-2}},
	{6, 2, 12,
		{1.25233408511468915e-1, 3.67831498998180194e-1, 5.87317954286617447e-1,
		7.69902674194304687e-1, 9.04117256370474857e-1, 9.81560634246719251e-1},
		{2.49147045813402785e-1, 2.33492536538354809e-1, 2.03167426723065922e-1,
		1.60078328543346226e-1, 1.06939325995318431e-1, 4.71753363865118272e-2}},
	{8, 3, 20,
		{9.50125098376374402e-2, 2.81603550779258913e-1, 4.58016777657227386e-1,
		6.17876244402643748e-1, 7.55404408355003034e-1, 8.65631202387831744e-1,
		9.44575023073232576e-1, 9.89400934991649933e-1},
		{1.89450610455068496e-1, 1.82603415044923589e-1, 1.69156519395002538e-1,
		1.49595988816576732e-1, 1.24628971255533872e-1, 9.51585116824927848e-2,
		6.22535239386478929e-2, 2.71524594117540949e-2}},
	{10, 3.5, 24,
		{7.65265211334973338e-2, 2.27785851141645078e-1, 3.73706088715419561e-1,
		5.10867001950827098e-1, 6.36053680726515025e-1, 7.46331906460150793e-1,
		8.39116971822218823e-1, 9.12234428251325906e-1, 9.63971927277913791e-1,
		9.93128599185094925e-1},
		{1.52753387130725851e-1, 1.49172986472603747e-1, 1.42096109318382051e-1,
		1.31688638449176627e-1, 1.18194531961518417e-1, 1.01930119817240435e-1,
		8.32767415767047487e-2, 6.26720483341090636e-2, 4.06014298003869413e-2,
		1.76140071391521183e-2}}
};

/*
 * Panels
 */

/* The i-th zero of the Chebyshev polynomial of as many zeros as a panel has nodes. */
static double
panel_place(int i)
{
	return cos(3.14159265358979323846 * (2 * i + 1) / (2 * LTV_PANEL_NODES));
}

/* Where in a panel a function must be known. */
void
ltv_panel_nodes(int panel, double v[LTV_PANEL_NODES])
{
	uint64_t	bits = (uint64_t) panel << LTV_PANEL_BITS;
	double		start;
	double		end;

	memcpy(&start, &bits, sizeof(start));
	bits = (uint64_t) (panel + 1) << LTV_PANEL_BITS;
	memcpy(&end, &bits, sizeof(end));
	for (int i = 0; i < LTV_PANEL_NODES; i++)
		v[i] = start + (end - start) * (1 + panel_place(i)) / 2;
}

/*
 * From the values of so many functions at each node to the coefficients, from
 * the constant one up, of the polynomials through them; in place.
 */
void
ltv_panel_fit(int functions, double *values)
{
	double		chebyshev[LTV_PANEL_NODES][LTV_PANEL_NODES];	/* by node */

	for (int i = 0; i < LTV_PANEL_NODES; i++)
	{
		double		place = panel_place(i);

		chebyshev[i][0] = 1;
		chebyshev[i][1] = place;
		for (int k = 2; k < LTV_PANEL_NODES; k++)
			chebyshev[i][k] = 2 * place * chebyshev[i][k - 1] - chebyshev[i][k - 2];
	}
	for (int f = 0; f < functions; f++)
	{
		/* polynomials b of Clenshaw's recurrence: b_k = c_k + 2 place b_k+1 - b_k+2 */
		double		b[LTV_PANEL_NODES + 2][LTV_PANEL_NODES] = {{0}};

		for (int k = LTV_PANEL_NODES - 1; k >= 0; k--)
		{
			double		c = 0;

			for (int i = 0; i < LTV_PANEL_NODES; i++)
				c += chebyshev[i][k] * values[i * functions + f];
			b[k][0] = (k > 0 ? 2 : 1) * c / LTV_PANEL_NODES - b[k + 2][0];
			for (int d = 1; d < LTV_PANEL_NODES - k; d++)
				b[k][d] = (k > 0 ? 2 : 1) * b[k + 1][d - 1] - b[k + 2][d];
		}
		for (int d = 0; d < LTV_PANEL_NODES; d++)
			values[d * functions + f] = b[0][d];
	}
}
