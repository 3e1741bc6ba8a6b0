/*
 * test/oracle/ltv.c
 *		The models of lifetime value against arbitrary precision.
 *
 * Reads ltv.tsv (from ltv.py, which says what the columns are) on standard
 * input, prints the worst error of each function, and fails if one is beyond
 * its bound.
 *
 * Errors are relative.  Of log-likelihoods and their derivatives, to 1 where
 * they are less, but for one customer without repeat purchases; of gradients of
 * predictions, to the greatest of the components.  What is below DBL_MIN must come out as no more than that.
 */
#include <float.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/ltv_special.c"
#include "../../src/ltv_bg_nbd.c"
#include "../../src/ltv_pareto_nbd.c"
#include "../../src/ltv_gamma_gamma.c"
#include "../../src/ltv_models.c"
#include "../../src/ltv_curves.c"

typedef struct Row
{
	char		function[64];
	char		process[32];
	double		parameters[4];
	long		n;
	double		x;
	double		t_x;
	double		t;
	double		horizon;
	double		delta;
	int			component;
	double		value;
} Row;

typedef struct Check
{
	const char *function;
	double		bound;
	long		rows;
	double		worst;
	char		where[512];
} Check;

static Check checks[] = {
	{"log_likelihood", 1e-10},
	{"log_likelihood_gradient", 1e-10},
	{"log_likelihood_hessian", 1e-8},
	{"alive", 1e-10},
	{"lost", 1e-10},
	{"expected_orders", 1e-10},
	{"expected_orders_gradient", 1e-10},
	{"discounted_orders", 1e-10},
	{"discounted_orders_gradient", 1e-10},
	{"order_probability", 1e-10},
	{"spend_log_likelihood", 1e-10},
	{"spend_log_likelihood_gradient", 1e-10},
	{"spend_log_likelihood_hessian", 1e-8},
	{"expected_spend", 1e-10},
	{"expected_spend_gradient", 1e-10},
};

#define CHECKS	(sizeof(checks) / sizeof(checks[0]))

static int	failed = 0;

static LtvProcess
process_named(const char *name)
{
	if (strcmp(name, "pareto_nbd") == 0)
		return LTV_PARETO_NBD;
	return strcmp(name, "mbg_nbd") == 0 ? LTV_MBG_NBD : LTV_BG_NBD;
}

static double
error_of(double value, double truth, double least)
{
	if (isinf(truth))
		return value == truth ? 0 : INFINITY;
	if (!isfinite(value))
		return INFINITY;
	if (least == 0 && fabs(truth) < DBL_MIN)
		return fabs(value) <= 2 * DBL_MIN ? 0 : INFINITY;
	if (value == truth)
		return 0;
	return fabs(value - truth) / fmax(fabs(truth), least);
}

/* Of so many customers alike, who are then looked at together. */
#define ALIKE	256

static double
mean_of_alike(LtvProcess process, const double *p, const LtvCustomer *customer,
			  double gradient[4], double hessian[4][4])
{
	LtvCustomer rows[ALIKE];

	for (int i = 0; i < ALIKE; i++)
		rows[i] = *customer;
	return ltv_log_likelihood_sum(process, p, rows, ALIKE, gradient, hessian) / ALIKE;
}

/* Curves of which nothing is known yet. */
static void *
allocate(void *context, size_t size)
{
	static double memory[1024];

	if (context != NULL)
		*(size_t *) context += size;
	return (char *) memory + (context != NULL ? *(size_t *) context - size : 0);
}

static double
by_curves(const char *function, LtvProcess process, const double *p,
		  double x, double t_x, double t, double horizon, double delta)
{
	size_t		used = 0;
	LtvCurves	curves = {.process = process, .allocate = allocate, .context = &used};

	memcpy(curves.parameters, p, sizeof(curves.parameters));
	if (strcmp(function, "alive") == 0)
		return ltv_curves_alive(&curves, x, t_x, t);
	if (delta == 0)
		return ltv_curves_orders(&curves, x, t_x, t, horizon);
	curves.horizon = horizon;
	curves.delta = delta;
	return ltv_curves_discounted(&curves, x, t_x, t);
}

static void
gradient_by_curves(LtvProcess process, const double *p, double x, double t_x, double t,
				   double horizon, double delta, double gradient[4])
{
	size_t		used = 0;
	LtvCurves	curves = {.process = process, .allocate = allocate, .context = &used};

	memcpy(curves.parameters, p, sizeof(curves.parameters));
	curves.horizon = delta == 0 ? 0 : horizon;
	curves.delta = delta;
	ltv_curves_gradient(&curves, x, t_x, t, horizon, gradient);
}

/* What the library says, how far it may be off, and the same by its other ways. */
static double
error_of_row(const Row *row)
{
	LtvProcess	process = process_named(row->process);
	const double *p = row->parameters;
	double		gradient[4];
	double		hessian[4][4];
	double		spend_hessian[3][3];
	LtvCustomer customer = {row->x, row->t_x, row->t, 1};
	LtvSpender	spender = {row->x, row->t_x, 1};
	int			i = row->component / 4;
	int			j = row->component % 4;
	double		value;
	double		most = 0;

	if (strcmp(row->function, "log_likelihood") == 0)
	{
		double		error = fmax(error_of(ltv_log_likelihood(process, p, row->x, row->t_x, row->t), row->value, row->x > 0),
								 error_of(ltv_log_likelihood_sum(process, p, &customer, 1, NULL, NULL), row->value, 1));

		return fmax(error, error_of(mean_of_alike(process, p, &customer, gradient, hessian), row->value, 1));
	}
	if (strcmp(row->function, "log_likelihood_gradient") == 0)
	{
		double		error;

		ltv_log_likelihood_gradient(process, p, row->x, row->t_x, row->t, gradient);
		error = error_of(gradient[row->component], row->value, 1);
		ltv_log_likelihood_sum(process, p, &customer, 1, gradient, NULL);
		error = fmax(error, error_of(gradient[row->component], row->value, 1));
		mean_of_alike(process, p, &customer, gradient, hessian);
		return fmax(error, error_of(gradient[row->component] / ALIKE, row->value, 1));
	}
	if (strcmp(row->function, "log_likelihood_hessian") == 0)
	{
		double		error;

		ltv_log_likelihood_sum(process, p, &customer, 1, gradient, hessian);
		error = fmax(error_of(hessian[i][j], row->value, 1), error_of(hessian[j][i], row->value, 1));
		mean_of_alike(process, p, &customer, gradient, hessian);
		return fmax(error, error_of(hessian[i][j] / ALIKE, row->value, 1));
	}
	if (strcmp(row->function, "alive") == 0)
		return fmax(error_of(ltv_alive(process, p, row->x, row->t_x, row->t), row->value, 0),
					error_of(by_curves(row->function, process, p, row->x, row->t_x, row->t, 0, 0),
							 row->value, 0));
	if (strcmp(row->function, "lost") == 0)
		return error_of(ltv_lost(process, p, row->x, row->t_x, row->t), row->value, 0);
	if (strcmp(row->function, "expected_orders") == 0)
	{
		double		error = error_of(by_curves(row->function, process, p, row->x, row->t_x, row->t,
											   row->horizon, 0), row->value, 0);

		if (row->x == 0 && row->t == 0)
			error = fmax(error, error_of(ltv_new_expected_orders(process, p, row->horizon), row->value, 0));
		return fmax(error, error_of(ltv_expected_orders(process, p, row->x, row->t_x, row->t,
														row->horizon), row->value, 0));
	}
	if (strcmp(row->function, "expected_orders_gradient") == 0 ||
		strcmp(row->function, "discounted_orders_gradient") == 0)
	{
		double		again[4];

		value = ltv_discounted_orders_gradient(process, p, row->x, row->t_x, row->t,
											   row->horizon, row->delta, gradient);
		/* 0 or infinite, or else the gradient is that of the logarithm */
		if (value < 1e-290 || isinf(value))
			return 0;
		for (int k = 0; k < 4; k++)
			most = fmax(most, fabs(gradient[k]));
		gradient_by_curves(process, p, row->x, row->t_x, row->t, row->horizon, row->delta, again);
		return fmax(error_of(value * gradient[row->component], row->value, value * most),
					error_of(value * again[row->component], row->value, value * most));
	}
	if (strcmp(row->function, "discounted_orders") == 0)
		return fmax(error_of(ltv_discounted_orders(process, p, row->x, row->t_x, row->t,
												   row->horizon, row->delta), row->value, 0),
					error_of(by_curves(row->function, process, p, row->x, row->t_x, row->t,
									   row->horizon, row->delta), row->value, 0));
	if (strcmp(row->function, "order_probability") == 0)
	{
		value = ltv_order_probability(process, p, row->n, row->x, row->t_x, row->t, row->horizon);
		return value < 0 || value > 1 ? INFINITY : error_of(value, row->value, 0);
	}
	if (strcmp(row->function, "spend_log_likelihood") == 0)
		return fmax(error_of(ltv_spend_log_likelihood(p, row->x, row->t_x), row->value, 1),
					error_of(ltv_spend_log_likelihood_sum(p, &spender, 1, NULL, NULL), row->value, 1));
	if (strcmp(row->function, "spend_log_likelihood_gradient") == 0)
	{
		double		error;

		ltv_spend_log_likelihood_gradient(p, row->x, row->t_x, gradient);
		error = error_of(gradient[row->component], row->value, 1);
		ltv_spend_log_likelihood_sum(p, &spender, 1, gradient, NULL);
		return fmax(error, error_of(gradient[row->component], row->value, 1));
	}
	if (strcmp(row->function, "spend_log_likelihood_hessian") == 0)
	{
		ltv_spend_log_likelihood_sum(p, &spender, 1, gradient, spend_hessian);
		return fmax(error_of(spend_hessian[i][j], row->value, 1),
					error_of(spend_hessian[j][i], row->value, 1));
	}
	if (strcmp(row->function, "expected_spend") == 0)
		return error_of(ltv_expected_spend(p, row->x, row->t_x), row->value, 0);
	if (strcmp(row->function, "expected_spend_gradient") == 0)
	{
		value = ltv_expected_spend_gradient(p, row->x, row->t_x, gradient);
		return error_of(gradient[row->component], row->value, value);
	}
	fprintf(stderr, "unknown function: %s\n", row->function);
	exit(2);
}

static jmp_buf out_of_it;
static int	interrupts;

static void
interrupt(void)
{
	if (++interrupts == 3)
		longjmp(out_of_it, 1);
}

/* What would take a minute for parameters that no model has can be left. */
static int
can_be_left(void)
{
	const double parameters[4] = {1e300, 3.7, 1e-300, 2};

	ltv_interrupt = interrupt;
	if (setjmp(out_of_it) == 0)
		ltv_discounted_orders(LTV_BG_NBD, parameters, 1, 400, 1400, 4, 0.0756);
	ltv_interrupt = no_interrupt;
	if (interrupts != 3)
		printf("the sum of discounted orders cannot be interrupted\n");
	return interrupts == 3;
}

static void
count(void)
{
	interrupts++;
}

/*
 * Nor does it take that long where no gradient is wanted: so many steps at the
 * most, each of so many sums, whatever the parameters.
 */
static int
is_bounded(void)
{
	static const double extremes[] = {1e-300, 0.5, 1e300};

	ltv_interrupt = count;
	for (int i = 0; i < 3 * 3 * 3 * 3 * 2; i++)
	{
		const double parameters[4] = {extremes[i % 3], extremes[i / 3 % 3],
		extremes[i / 9 % 3], extremes[i / 27 % 3]};
		double		horizon = i < 81 ? 1e-20 : 1e20;
		double		orders;

		interrupts = 0;
		orders = ltv_discounted_orders(LTV_BG_NBD, parameters, 0, 0, 0, horizon, 1 / horizon);
		if (interrupts > PLACES_MOST || isnan(orders))
		{
			printf("discounted orders by %g, %g, %g, %g within %g: %g in %d steps\n", parameters[0],
				   parameters[1], parameters[2], parameters[3], horizon, orders, interrupts);
			return 0;
		}
	}
	ltv_interrupt = no_interrupt;
	return 1;
}

int
main(int argc, char **argv)
{
	char		line[512];
	long		rows = 0;
	double		tell = argc > 1 ? atof(argv[1]) : INFINITY;

	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		Row			row;
		double		error;
		size_t		i = 0;

		if (sscanf(line, "%63s %31s %lf %lf %lf %lf %ld %lf %lf %lf %lf %lf %d %lf",
				   row.function, row.process, &row.parameters[0], &row.parameters[1],
				   &row.parameters[2], &row.parameters[3], &row.n, &row.x, &row.t_x,
				   &row.t, &row.horizon, &row.delta, &row.component, &row.value) != 14)
		{
			fprintf(stderr, "cannot read: %s", line);
			return 2;
		}
		error = error_of_row(&row);
		rows++;
		while (strcmp(checks[i].function, row.function) != 0)
			i++;
		checks[i].rows++;
		if (error > tell)
			printf("%.1e %s", error, line);
		if (!(error <= checks[i].worst))
		{
			checks[i].worst = error;
			strcpy(checks[i].where, line);
		}
	}
	for (size_t i = 0; i < CHECKS; i++)
	{
		if (checks[i].rows == 0)
			continue;
		printf("%-30s %5ld rows, worst error %.1e\n", checks[i].function, checks[i].rows, checks[i].worst);
		if (!(checks[i].worst <= checks[i].bound))
		{
			failed = 1;
			printf("more than %.0e: %s", checks[i].bound, checks[i].where);
		}
	}
	return failed || !can_be_left() || !is_bounded() || rows == 0;
}
