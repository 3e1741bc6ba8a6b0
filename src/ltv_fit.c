/*
 * ltv_fit.c
 *		Maximum likelihood: Newton's method in a trust region.
 *
 * The parameters are positive, so what is varied is their logarithms: a change
 * of the unit of time or money is then a shift, and the fit does the same
 * steps in any unit.  Each step solves the trust-region problem exactly in the
 * eigenbasis of the Hessian (at most 4 by 4), so the likelihood never falls,
 * a saddle is left, and at the end convergence is quadratic (J. Nocedal,
 * S. J. Wright, Numerical Optimization, chapter 4).
 *
 * A parameter may leave its start by a factor of e^12 or so.  One that wants
 * to go farther is at zero or infinity as far as the data can tell.
 *
 * No function here allocates, raises an error or knows the server.
 */
#include "ltv.h"
#include "ltv_special.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define MAX_SIZE		LTV_PARAMETERS
#define BLOCK			2048	/* rows of one call of the arithmetic */
#define MAX_STEPS		200

/* how far the logarithm of a parameter may be from that of its scale */
#define RANGE			12.0
#define AT_BOUND		2.0		/* so near to that it is as good as there */
#define RIDGE_TOLERANCE	1e-10
#define LEAST_RADIUS	1e-10	/* a step that rounding makes meaningless */

/*
 * The least share of the rows that the first steps are done on: below some
 * thousand rows a step costs nothing, above it a first guess from every 16th
 * row saves most steps on all of them.
 */
#define THINNING		16
#define ENOUGH_ROWS		1500
#define MANY_ROWS		100000	/* here a step costs more than it is worth to check it */

/* What is maximised: of a process, or of spend where customers is NULL. */
typedef struct Problem
{
	int			size;
	LtvProcess	process;
	const LtvCustomer *customers;
	const LtvSpender *spenders;
	size_t		rows;
	size_t		stride;			/* every so manyth row is looked at */
	double		lower[MAX_SIZE];
	double		upper[MAX_SIZE];
} Problem;

/* A point, and what is known there. */
typedef struct Point
{
	double		logs[MAX_SIZE];
	double		value;
	double		gradient[MAX_SIZE];
	double		hessian[MAX_SIZE][MAX_SIZE];
} Point;

/* Log-likelihood of the rows from start on, before end, with its derivatives. */
static double
sum_of_customers(const Problem *problem, const double *parameters, size_t start, size_t end,
				 double *gradient, double hessian[MAX_SIZE][MAX_SIZE])
{
	const LtvCustomer *rows = problem->customers + start;
	LtvCustomer some[BLOCK];
	size_t		n = end - start;

	if (problem->stride > 1)
	{
		n = 0;
		for (size_t i = start; i < end; i += problem->stride)
			some[n++] = problem->customers[i];
		rows = some;
	}
	return ltv_log_likelihood_sum(problem->process, parameters, rows, n, gradient, hessian);
}

/* The same of spend. */
static double
sum_of_spenders(const Problem *problem, const double *parameters, size_t start, size_t end,
				double *gradient, double hessian[MAX_SIZE][MAX_SIZE])
{
	const LtvSpender *rows = problem->spenders + start;
	LtvSpender	some[BLOCK];
	size_t		n = end - start;
	double		second[LTV_SPEND_PARAMETERS][LTV_SPEND_PARAMETERS];
	double		value;

	if (problem->stride > 1)
	{
		n = 0;
		for (size_t i = start; i < end; i += problem->stride)
			some[n++] = problem->spenders[i];
		rows = some;
	}
	value = ltv_spend_log_likelihood_sum(parameters, rows, n, gradient, second);
	for (int i = 0; i < LTV_SPEND_PARAMETERS; i++)
		for (int j = 0; j < LTV_SPEND_PARAMETERS; j++)
			hessian[i][j] = second[i][j];
	return value;
}

/* Fill in a point whose logs are set. */
static void
evaluate(const Problem *problem, Point *point)
{
	const int	size = problem->size;
	double		parameters[MAX_SIZE];
	LtvSum		total[1 + MAX_SIZE + MAX_SIZE * MAX_SIZE] = {{0}};
	LtvSum	   *next;
	size_t		step = BLOCK * problem->stride;

	for (int i = 0; i < size; i++)
		parameters[i] = exp(point->logs[i]);

	for (size_t start = 0; start < problem->rows; start += step)
	{
		size_t		end = problem->rows - start < step ? problem->rows : start + step;
		double		gradient[MAX_SIZE];
		double		hessian[MAX_SIZE][MAX_SIZE];

		ltv_interrupt();
		next = total;
		ltv_add(next++, (problem->customers != NULL ? sum_of_customers : sum_of_spenders)
				(problem, parameters, start, end, gradient, hessian));
		for (int i = 0; i < size; i++)
			ltv_add(next++, gradient[i]);
		for (int i = 0; i < size; i++)
			for (int j = 0; j < size; j++)
				ltv_add(next++, hessian[i][j]);
	}

	next = total;
	point->value = ltv_total(next++);
	for (int i = 0; i < size; i++)
		point->gradient[i] = ltv_total(next++);
	for (int i = 0; i < size; i++)
		for (int j = 0; j < size; j++)
			point->hessian[i][j] = ltv_total(next++);
}

static bool
is_finite(const Problem *problem, const Point *point)
{
	double		sum = point->value;

	for (int i = 0; i < problem->size; i++)
	{
		sum += point->gradient[i];
		for (int j = 0; j < problem->size; j++)
			sum += point->hessian[i][j];
	}
	return isfinite(sum);
}

/* -1 if a parameter is as good as zero, 1 as infinity, else 0. */
static int
side_of(const Problem *problem, const Point *point, int i)
{
	if (point->logs[i] < problem->lower[i] + AT_BOUND)
		return -1;
	return point->logs[i] > problem->upper[i] - AT_BOUND;
}

/*
 * Eigenvalues, and eigenvectors as columns, of a symmetric matrix: cyclic
 * Jacobi rotations.  The matrix is destroyed.
 */
static void
eigen(double a[MAX_SIZE][MAX_SIZE], int n, double values[MAX_SIZE],
	  double vectors[MAX_SIZE][MAX_SIZE])
{
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
			vectors[i][j] = i == j;

	for (int sweep = 0; sweep < 50; sweep++)
	{
		bool		done = true;

		for (int p = 0; p < n - 1; p++)
			for (int q = p + 1; q < n; q++)
			{
				double		theta;
				double		t;
				double		c;
				double		s;

				if (fabs(a[p][q]) <= DBL_EPSILON * 0.01 * sqrt(fabs(a[p][p] * a[q][q])) ||
					fabs(a[p][q]) < DBL_MIN)
					continue;
				done = false;
				theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
				t = (theta < 0 ? -1 : 1) / (fabs(theta) + hypot(theta, 1));
				c = 1 / hypot(t, 1);
				s = t * c;
				for (int k = 0; k < n; k++)
				{
					double		kp = a[k][p];
					double		kq = a[k][q];

					a[k][p] = c * kp - s * kq;
					a[k][q] = s * kp + c * kq;
				}
				for (int k = 0; k < n; k++)
				{
					double		pk = a[p][k];
					double		qk = a[q][k];

					a[p][k] = c * pk - s * qk;
					a[q][k] = s * pk + c * qk;
				}
				for (int k = 0; k < n; k++)
				{
					double		kp = vectors[k][p];
					double		kq = vectors[k][q];

					vectors[k][p] = c * kp - s * kq;
					vectors[k][q] = s * kp + c * kq;
				}
				a[p][q] = a[q][p] = 0;
			}
		if (done)
			break;
	}
	for (int i = 0; i < n; i++)
		values[i] = a[i][i];
}

/*
 * The step, in the eigenbasis, that gains most within the radius: the
 * quadratic model's gain is slope'step - step'diag(curve)step / 2.
 */
static void
best_step(const double *slope, const double *curve, int n, double radius, double *step)
{
	double		least = INFINITY;
	double		slope_length = 0;
	double		low;
	double		high;
	double		length = 0;
	int			flattest = 0;

	for (int i = 0; i < n; i++)
	{
		slope_length += slope[i] * slope[i];
		if (curve[i] < least)
		{
			least = curve[i];
			flattest = i;
		}
	}
	slope_length = sqrt(slope_length);

	if (least > 0)
	{
		for (int i = 0; i < n; i++)
		{
			step[i] = slope[i] / curve[i];
			length += step[i] * step[i];
		}
		if (sqrt(length) <= radius)
			return;
	}

	/* the shift of the curvatures that makes the step as long as the radius */
	low = fmax(0, -least);
	high = low + slope_length / radius;
	for (int round = 0; round < 100; round++)
	{
		double		shift = low + (high - low) / 2;

		length = 0;
		for (int i = 0; i < n; i++)
		{
			step[i] = curve[i] + shift > 0 ? slope[i] / (curve[i] + shift) : 0;
			length += step[i] * step[i];
		}
		length = sqrt(length);
		if (fabs(length - radius) < 1e-3 * radius)
			return;
		if (length > radius)
			low = shift;
		else
			high = shift;
	}
	/* no slope where it curves up: any way along it is uphill */
	if (length < radius)
		step[flattest] += sqrt(radius * radius - length * length);
}

/*
 * The step to take from a point, in the parameters that a bound doesn't stop:
 * its Newton decrement, and whether the likelihood curves down there.
 */
typedef struct Step
{
	double		step[MAX_SIZE];
	double		length;
	double		expected;		/* the gain by the quadratic model */
	double		decrement;
	bool		definite;
} Step;

static void
choose_step(const Problem *problem, const Point *point, double radius, Step *result)
{
	const int	size = problem->size;
	bool		stopped[MAX_SIZE];
	bool		again;
	double		part = 1;

	for (int i = 0; i < size; i++)
		stopped[i] = (point->logs[i] <= problem->lower[i] && point->gradient[i] <= 0) ||
			(point->logs[i] >= problem->upper[i] && point->gradient[i] >= 0);

	do
	{
		int			of[MAX_SIZE];
		int			n = 0;
		double		matrix[MAX_SIZE][MAX_SIZE];
		double		curve[MAX_SIZE];
		double		vectors[MAX_SIZE][MAX_SIZE];
		double		slope[MAX_SIZE];
		double		along[MAX_SIZE];

		for (int i = 0; i < size; i++)
			if (!stopped[i])
				of[n++] = i;
		for (int i = 0; i < n; i++)
			for (int j = 0; j < n; j++)
				matrix[i][j] = -point->hessian[of[i]][of[j]];
		eigen(matrix, n, curve, vectors);

		result->definite = true;
		result->decrement = 0;
		for (int i = 0; i < n; i++)
		{
			slope[i] = 0;
			for (int j = 0; j < n; j++)
				slope[i] += vectors[j][i] * point->gradient[of[j]];
			if (curve[i] <= 0)
				result->definite = false;
			result->decrement += slope[i] * slope[i] / fabs(curve[i]);
		}
		best_step(slope, curve, n, radius, along);
		memset(result->step, 0, sizeof(result->step));
		for (int i = 0; i < n; i++)
			for (int j = 0; j < n; j++)
				result->step[of[i]] += vectors[i][j] * along[j];

		/* one at its bound that the others would drag over it stays */
		again = false;
		for (int i = 0; i < size; i++)
			if (!stopped[i] &&
				((point->logs[i] <= problem->lower[i] && result->step[i] < 0) ||
				 (point->logs[i] >= problem->upper[i] && result->step[i] > 0)))
				stopped[i] = again = true;
	} while (again);

	/* the first that meets its bound ends the step */
	for (int i = 0; i < size; i++)
	{
		double		room = (result->step[i] < 0 ? problem->lower[i] : problem->upper[i]) -
			point->logs[i];

		if (fabs(result->step[i]) > fabs(room))
			part = fmin(part, room / result->step[i]);
	}
	result->length = 0;
	result->expected = 0;
	for (int i = 0; i < size; i++)
	{
		result->step[i] *= part;
		result->length += result->step[i] * result->step[i];
	}
	result->length = sqrt(result->length);
	for (int i = 0; i < size; i++)
	{
		result->expected += result->step[i] * point->gradient[i];
		for (int j = 0; j < size; j++)
			result->expected += result->step[i] * point->hessian[i][j] * result->step[j] / 2;
	}
}

/*
 * Climb from point, which is evaluated, until another Newton step would gain
 * less than half of tolerance x (1 + |value|).
 */
static void
climb(const Problem *problem, Point *point, double tolerance, LtvFit *fit)
{
	double		radius = 1;
	double		last_decrement = INFINITY;
	double		before = 0;		/* the decrement before a Newton step, else 0 */
	double		rate;

	fit->outcome = LTV_STOPPED;
	for (fit->steps = 0; fit->steps < MAX_STEPS; fit->steps++)
	{
		double		noise = 1e-13 * (1 + fabs(point->value));
		double		enough = tolerance;
		Step		step;
		Point		trial;
		double		gain;

		/* on the way to a bound what is left to gain halves and halves */
		for (int i = 0; i < problem->size; i++)
			if (side_of(problem, point, i) != 0)
				enough = fmax(tolerance, RIDGE_TOLERANCE);

		choose_step(problem, point, radius, &step);
		fit->decrement = step.decrement;
		rate = before > 0 ? step.decrement / (before * before) : INFINITY;
		before = 0;

		/*
		 * zero, or what is left goes with the square of what is left now, or
		 * as small as rounding lets it become
		 */
		if ((step.definite && step.decrement <= enough * (1 + fabs(point->value))) ||
			(problem->rows > MANY_ROWS && step.definite &&
			 rate * step.decrement * step.decrement <= tolerance * 1e-5 * (1 + fabs(point->value))) ||
			step.decrement > last_decrement / 4 || radius < LEAST_RADIUS)
		{
			fit->outcome = step.definite ? LTV_OPTIMUM : LTV_FLAT;
			return;
		}

		for (int i = 0; i < problem->size; i++)
		{
			trial.logs[i] = point->logs[i] + step.step[i];
			if (trial.logs[i] < problem->lower[i] + LEAST_RADIUS)
				trial.logs[i] = problem->lower[i];
			if (trial.logs[i] > problem->upper[i] - LEAST_RADIUS)
				trial.logs[i] = problem->upper[i];
		}
		evaluate(problem, &trial);
		gain = trial.value - point->value;

		/* where rounding hides the gain, the decrement tells when to end */
		if (!is_finite(problem, &trial) ||
			(gain < 1e-4 * step.expected && step.expected > noise))
		{
			radius = step.length / 4;
			continue;
		}
		if (step.decrement <= noise)
			last_decrement = step.decrement;
		before = step.length < radius ? step.decrement : 0;
		if (gain < 0.25 * step.expected)
			radius = step.length / 2;
		else if (step.length > 0.9 * radius)
			radius = fmin(2 * radius, 4);
		*point = trial;
	}
}

/* What was found at the end of a climb, and how sure it is. */
static void
conclude(const Problem *problem, const Point *point, LtvFit *fit)
{
	double		matrix[MAX_SIZE][MAX_SIZE];
	double		curve[MAX_SIZE];
	double		vectors[MAX_SIZE][MAX_SIZE];
	double		steepest = 0;
	double		flattest = INFINITY;
	int			at = 0;

	fit->log_likelihood = point->value;
	memset(fit->covariance, 0, sizeof(fit->covariance));
	memset(fit->parameters, 0, sizeof(fit->parameters));
	for (int i = problem->size - 1; i >= 0; i--)
	{
		int			side = side_of(problem, point, i);

		fit->parameters[i] = exp(point->logs[i]);
		if (side != 0)
		{
			fit->outcome = side < 0 ? LTV_AT_ZERO : LTV_AT_INFINITY;
			fit->which = i;
		}
	}
	if (fit->outcome != LTV_OPTIMUM)
		return;

	for (int i = 0; i < problem->size; i++)
		for (int j = 0; j < problem->size; j++)
			matrix[i][j] = -point->hessian[i][j];
	eigen(matrix, problem->size, curve, vectors);
	for (int k = 0; k < problem->size; k++)
	{
		steepest = fmax(steepest, curve[k]);
		flattest = fmin(flattest, curve[k]);
	}
	if (flattest <= 1e-13 * steepest)
	{
		fit->outcome = LTV_FLAT;
		return;
	}
	for (int i = 0; i < problem->size; i++)
		for (int j = 0; j <= i; j++)
		{
			double		sum = 0;

			for (int k = 0; k < problem->size; k++)
				sum += vectors[i][k] * vectors[j][k] / curve[k];
			fit->covariance[at++] = sum;
		}
}

/*
 * Maximise from the best of several starts, on few rows first.
 */
static void
maximise(Problem *problem, int starts, const double start[][MAX_SIZE], LtvFit *fit)
{
	/* half of this is the gain that is given up, of 1 + |value| */
	const double loose = 1e-7;
	const double tight = 1e-16;
	Point		best;
	bool		any = false;

	problem->stride = 1;
	while (problem->rows / (problem->stride * THINNING) >= ENOUGH_ROWS)
		problem->stride *= THINNING;

	for (int i = 0; i < starts; i++)
	{
		Point		point;

		for (int j = 0; j < problem->size; j++)
			point.logs[j] = log(start[i][j]);
		evaluate(problem, &point);
		if (!is_finite(problem, &point))
			continue;
		climb(problem, &point, loose, fit);
		if (!any || point.value > best.value)
			best = point;
		any = true;
	}
	if (!any)
	{
		memset(fit, 0, sizeof(*fit));
		fit->outcome = LTV_STOPPED;
		return;
	}
	while (problem->stride > 1)
	{
		problem->stride /= THINNING;
		evaluate(problem, &best);
		if (problem->stride > 1)
			climb(problem, &best, loose, fit);
	}
	climb(problem, &best, tight, fit);
	if (fit->outcome == LTV_OPTIMUM)
	{
		/* so near, the last step is exact, and needs no look at all rows */
		Step		last;

		choose_step(problem, &best, 1, &last);
		for (int i = 0; i < problem->size; i++)
			best.logs[i] += last.step[i];
		best.value += last.expected;
	}
	conclude(problem, &best, fit);
}

/*
 * Fit a process to n folded rows, of which one at least has x > 0 and t > 0.
 */
void
ltv_fit_process(LtvProcess process, const LtvCustomer *rows, size_t n, LtvFit *fit)
{
	Problem		problem = {0};
	double		customers = 0;
	double		orders = 0;
	double		time = 0;
	double		span;
	double		gap;

	for (size_t i = 0; i < n; i++)
	{
		customers += rows[i].weight;
		orders += rows[i].weight * rows[i].x;
		time += rows[i].weight * rows[i].t;
	}
	span = time / customers;	/* how long the average customer was seen */
	gap = time / orders;		/* time between purchases if nobody is lost */

	problem.size = LTV_PARAMETERS;
	problem.process = process;
	problem.customers = rows;
	problem.rows = n;
	for (int i = 0; i < LTV_PARAMETERS; i++)
	{
		/* alpha, and the beta of Pareto/NBD, are times */
		problem.lower[i] = -RANGE;
		problem.upper[i] = RANGE;
		if (i == 1 || (i == 3 && process == LTV_PARETO_NBD))
		{
			problem.lower[i] += log(fmin(span, gap));
			problem.upper[i] += log(fmax(span, gap));
		}
	}
	if (process == LTV_PARETO_NBD)
	{
		const double starts[][MAX_SIZE] = {
			{0.6, 0.4 * gap, 0.6, 0.5 * span},
			{2, 1.5 * gap, 0.3, 2 * span},
			{2, gap, 3, 5 * span},
		};

		maximise(&problem, 3, starts, fit);
	}
	else
	{
		const double starts[][MAX_SIZE] = {
			{0.4, 0.3 * gap, 0.8, 2},
			{2, 1.5 * gap, 0.2, 2},
			{2, gap, 5, 10},
		};

		maximise(&problem, 3, starts, fit);
	}
}

/* Fit Gamma-Gamma to n folded rows. */
void
ltv_fit_spend(const LtvSpender *rows, size_t n, LtvFit *fit)
{
	Problem		problem = {0};
	double		purchases = 0;
	double		value = 0;
	double		mean;

	for (size_t i = 0; i < n; i++)
	{
		purchases += rows[i].weight * rows[i].x;
		value += rows[i].weight * rows[i].x * rows[i].mean_value;
	}
	mean = value / purchases;

	problem.size = LTV_SPEND_PARAMETERS;
	problem.spenders = rows;
	problem.rows = n;
	for (int i = 0; i < LTV_SPEND_PARAMETERS; i++)
	{
		double		middle = i == 2 ? log(mean) : 0;

		problem.lower[i] = middle - RANGE;
		problem.upper[i] = middle + RANGE;
	}
	{
		/* gamma so that the population's mean, p gamma / (q - 1), is right */
		const double starts[][MAX_SIZE] = {
			{5, 4, 3 * mean / 5},
			{1, 2, mean},
			{20, 10, 9 * mean / 20},
		};

		maximise(&problem, 3, starts, fit);
	}
}
