/*
 * ltv_models.c
 *		Fuzz target: the models of lifetime value, for any valid customer.
 */
#include "fuzz.h"

#include "../../src/ltv_special.c"
#include "../../src/ltv_bg_nbd.c"
#include "../../src/ltv_pareto_nbd.c"
#include "../../src/ltv_gamma_gamma.c"
#include "../../src/ltv_models.c"
#include "../../src/ltv_curves.c"

const FuzzSeed fuzz_seeds[] = {
	SEED("\0\x80\x80\x80\x80\x80\x80\x80\x80\x02\0\x80\x80\x80\x80\x80\x80\x01\0"),
	SEED("\1\xFF\xFF\0\0\xFF\xFF\0\0\x13\x88\xFF\xFF\xFF\xFF\xFF\xFF\x13\x88"),
	SEED("\2\0\0\xFF\xFF\x80\0\0\0\0\0\0\0\x80\0\xFF\xFF\0\0"),
	{NULL, 0}
};

/* Two bytes as a share of 1. */
static double
share_of(const uint8_t *data)
{
	return (data[0] * 256 + data[1]) / 65535.0;
}

/* Memory of curves, until it is all wanted anew. */
static void *
allocate(void *context, size_t size)
{
	static double memory[4096];
	size_t	   *used = context;

	*used += size;
	CHECK(*used <= sizeof(memory));
	return (char *) memory + *used - size;
}

static bool
near(double a, double b)
{
	return fabs(a - b) <= 1e-10 * b + 1e-290;
}

/* Those of the logarithm of the same. */
static bool
near_gradient(const double a[4], const double b[4])
{
	double		most = 1e-2;

	for (int i = 0; i < 4; i++)
		most = fmax(most, fabs(b[i]));
	for (int i = 0; i < 4; i++)
		if (!(fabs(a[i] - b[i]) <= 1e-9 * most))
			return false;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	LtvProcess	process;
	double		p[4];
	double		gradient[4];
	double		again[4];
	double		hessian[4][4];
	double		spend_hessian[3][3];
	double		x;
	double		t;
	double		t_x;
	double		horizon;
	double		delta;
	long		n;
	double		value;
	double		alive;
	double		expected;
	LtvCustomer customer;
	LtvSpender	spender;
	size_t		used = 0;
	LtvCurves	curves = {.allocate = allocate, .context = &used};

	if (size < 21)
		return 0;
	process = data[0] % 3;
	for (int i = 0; i < 4; i++)
		p[i] = pow(10, 6 * share_of(data + 1 + 2 * i) - 3);
	x = (data[9] * 256 + data[10]) % 5001;
	t = 18262.5 * pow(share_of(data + 11), 4);
	t_x = x > 0 ? t * share_of(data + 13) : 0;
	horizon = 36525 * pow(share_of(data + 15), 4);
	n = data[17] * 256 + data[18];
	delta = pow(share_of(data + 19), 4);

	customer = (LtvCustomer) {x, t_x, t, 1};
	value = ltv_log_likelihood_gradient(process, p, x, t_x, t, again);
	CHECK(isfinite(value));
	CHECK(fabs(ltv_log_likelihood_sum(process, p, &customer, 1, gradient, hessian) - value) <=
		  1e-11 * fmax(1, fabs(value)));
	for (int i = 0; i < 4; i++)
	{
		CHECK(fabs(gradient[i] - again[i]) <= 1e-10 * fmax(1, fabs(gradient[i])));
		for (int j = 0; j < 4; j++)
			CHECK(isfinite(hessian[i][j]) && hessian[i][j] == hessian[j][i]);
	}

	alive = ltv_alive(process, p, x, t_x, t);
	CHECK(alive >= 0 && alive <= 1);
	value = ltv_lost(process, p, x, t_x, t);
	CHECK(value >= 0 && value <= 1 && fabs(value + alive - 1) < 1e-10);
	expected = ltv_expected_orders_gradient(process, p, x, t_x, t, horizon, gradient);
	CHECK(expected >= 0 && expected <= alive * (p[0] + x) / (p[1] + t) * horizon * (1 + 1e-10) + 1e-300);
	CHECK(expected == ltv_expected_orders(process, p, x, t_x, t, horizon));
	for (int i = 0; i < 4; i++)
		CHECK(isfinite(gradient[i]));
	curves.process = process;
	memcpy(curves.parameters, p, sizeof(p));
	CHECK(near(ltv_curves_alive(&curves, x, t_x, t), alive));
	CHECK(near(ltv_curves_orders(&curves, x, t_x, t, horizon), expected));
	CHECK(near(ltv_curves_gradient(&curves, x, t_x, t, horizon, again), expected));
	CHECK(expected < 1e-290 || near_gradient(again, gradient));
	if (data[0] % 8 == 0)
	{
		/* the slowest */
		value = ltv_discounted_orders(process, p, x, t_x, t, horizon, delta);
		CHECK(value <= expected * (1 + 1e-10) + 1e-300 &&
			  value >= expected * exp(-delta * horizon) * (1 - 1e-10) - 1e-300);
		CHECK(ltv_discounted_orders_gradient(process, p, x, t_x, t, horizon, delta, gradient) == value);
		for (int i = 0; i < 4; i++)
			CHECK(isfinite(gradient[i]));
		if (delta > 0)
		{
			double		all = ltv_discounted_orders(process, p, x, t_x, t, INFINITY, delta);

			ltv_discounted_orders_gradient(process, p, x, t_x, t, INFINITY, delta, gradient);
			for (int i = 0; i < 4; i++)
				CHECK(isfinite(gradient[i]));
			CHECK(isfinite(all) && all >= value * (1 - 1e-10) - 1e-300);
			CHECK(all <= alive * (p[0] + x) / (p[1] + t) / delta * (1 + 1e-10) + 1e-300);
			used = 0;
			memset(curves.panels, 0, sizeof(curves.panels));
			curves.horizon = INFINITY;
			curves.delta = delta;
			CHECK(near(ltv_curves_discounted(&curves, x, t_x, t), all));
			CHECK(near(ltv_curves_gradient(&curves, x, t_x, t, INFINITY, again), all));
			CHECK(all < 1e-290 || near_gradient(again, gradient));
		}
	}

	value = ltv_order_probability(process, p, n, x, t_x, t, horizon);
	CHECK(value >= 0 && value <= 1);
	CHECK(n == 0 || value * n <= expected * (1 + 1e-10) + 1e-300);
	CHECK(ltv_next_order_within(process, p, x, t, 0.5) >= 0);

	spender = (LtvSpender) {x + 1, t + 1e-3, 1};
	value = ltv_spend_log_likelihood_gradient(p, x + 1, t + 1e-3, again);
	CHECK(isfinite(value));
	CHECK(fabs(ltv_spend_log_likelihood_sum(p, &spender, 1, gradient, spend_hessian) - value) <=
		  1e-10 * fmax(1, fabs(value)));
	for (int i = 0; i < 3; i++)
		CHECK(fabs(gradient[i] - again[i]) <= 1e-9 * fmax(1, fabs(gradient[i])));
	CHECK(ltv_expected_spend(p, x, t) > 0);
	return 0;
}
