/*
 * ltv_curves.c
 *		Predictions of many customers by one model.
 *
 * The functions of one variable, of a customer of x and t:
 *
 * LTV_ORDERS_CURVE without a discount: orders to expect of a survivor, of the
 * horizon over alpha + t (BG/NBD and MBG/NBD only: Pareto/NBD's are a simple
 * formula).
 *
 * LTV_ORDERS_CURVE with a discount: discounted orders to expect of a survivor,
 * of 1 + t/alpha.  Those of Pareto/NBD are proportional to (r + x)/(alpha + t),
 * and but for that of 1 + t/beta only.
 *
 * LTV_DERIVATIVES_CURVE: the four derivatives of either of these by the logarithms
 * of a survivor's parameters (BG/NBD and MBG/NBD only).
 *
 * LTV_TAIL_CURVE: the odds of having been lost from y on (Pareto/NBD), of
 * 1 + y/least, least being the lesser of alpha and beta.
 *
 * All of them are bounded where the real part of their variable is positive,
 * as each is an integral of terms like (1 + pu/v)^-(r+x), whose modulus is no
 * more than 1 there, or of those and logarithms; and so they are what a panel
 * asks for.
 */
#include "ltv_curves.h"
#include "ltv_bg_nbd.h"
#include "ltv_pareto_nbd.h"
#include "ltv_special.h"

#include <stdbool.h>

/* the panel of 2^-16, the first */
#define FIRST_PANEL			((1023 - 16) * 2)

/* A curve's value at v, found the long way. */
static double
curve_at(const LtvCurves *curves, LtvCurve curve, double x, double v)
{
	const double *parameters = curves->parameters;
	double		survivor[LTV_PARAMETERS];

	if (curve == LTV_TAIL_CURVE)
		return pareto_nbd_tail(parameters, x, fmin(parameters[1], parameters[3]) * (v - 1));
	if (curves->process == LTV_PARETO_NBD)
	{
		/* of one order per unit of time, were nobody lost */
		survivor[0] = survivor[1] = 1;
		survivor[2] = parameters[2];
		survivor[3] = parameters[3] * v;
		return pareto_nbd_discounted(survivor, curves->horizon, curves->delta);
	}
	bg_nbd_survivor(curves->process == LTV_MBG_NBD, parameters, x, 0, survivor);
	return bg_nbd_orders(survivor, parameters[1] * v);
}

/* The same for all nodes of a panel. */
static void
curve_at_nodes(const LtvCurves *curves, LtvCurve curve, double x, const double *v, double *values)
{
	double		survivor[LTV_PARAMETERS];
	double		alpha[LTV_PANEL_NODES];

	if (curves->process == LTV_PARETO_NBD || curves->delta == 0)
	{
		for (int i = 0; i < LTV_PANEL_NODES; i++)
			values[i] = curve_at(curves, curve, x, v[i]);
		return;
	}
	bg_nbd_survivor(curves->process == LTV_MBG_NBD, curves->parameters, x, 0, survivor);
	for (int i = 0; i < LTV_PANEL_NODES; i++)
		alpha[i] = survivor[1] * v[i];
	bg_nbd_discounted_by_alpha(survivor, alpha, LTV_PANEL_NODES, curves->horizon, curves->delta,
							   values);
}

/* The four derivatives of LTV_ORDERS_CURVE at v. */
static void
derivatives_at(const LtvCurves *curves, double x, double v, double *values)
{
	bool		discounted = curves->delta != 0;
	double		horizon = discounted ? curves->horizon : curves->parameters[1] * v;
	double		survivor[LTV_PARAMETERS];
	double		orders;

	bg_nbd_survivor(curves->process == LTV_MBG_NBD, curves->parameters, x, 0, survivor);
	if (discounted)
		survivor[1] *= v;
	orders = bg_nbd_discounted_gradient(survivor, horizon, curves->delta, values);
	for (int i = 0; i < LTV_PARAMETERS; i++)
		values[i] *= orders;
}

/* How many functions a curve is of. */
static inline int
functions_of(LtvCurve curve)
{
	return curve == LTV_DERIVATIVES_CURVE ? LTV_PARAMETERS : 1;
}

/* A panel that is met for the first time. */
static double *
new_panel(LtvCurves *curves, LtvCurve curve, int x, int panel)
{
	int			functions = functions_of(curve);
	double		v[LTV_PANEL_NODES];
	double	   *values;

	if (curves->panels[curve][x] == NULL)
	{
		curves->panels[curve][x] =
			curves->allocate(curves->context, LTV_CURVE_PANELS * sizeof(double *));
		for (int i = 0; i < LTV_CURVE_PANELS; i++)
			curves->panels[curve][x][i] = NULL;
	}
	values = curves->allocate(curves->context, LTV_PANEL_NODES * functions * sizeof(double));
	ltv_panel_nodes(panel, v);
	if (curve == LTV_DERIVATIVES_CURVE)
		for (int i = 0; i < LTV_PANEL_NODES; i++)
			derivatives_at(curves, x, v[i], values + i * functions);
	else
		curve_at_nodes(curves, curve, x, v, values);
	ltv_panel_fit(functions, values);
	curves->panels[curve][x][panel - FIRST_PANEL] = values;
	return values;
}

/* Whether the curve of x has a panel for v. */
static inline bool
curve_suits(double x, double v)
{
	return x < LTV_CURVES_X && v >= 0x1p-16 && v < 0x1p16;
}

/* The coefficients of the panel that v is in, and its place there. */
static inline const double *
panel_for(LtvCurves *curves, LtvCurve curve, double x, double v, double *place)
{
	int			panel = ltv_panel_of(v, place);
	double	  **panels = curves->panels[curve][(int) x];
	double	   *found = panels != NULL ? panels[panel - FIRST_PANEL] : NULL;

	return found != NULL ? found : new_panel(curves, curve, (int) x, panel);
}

static inline double
curve_value(LtvCurves *curves, LtvCurve curve, double x, double v)
{
	double		place;
	const double *c = panel_for(curves, curve, x, v, &place);

	return ltv_panel_value(c, place);
}

/* Probability of not being lost at t. */
double
ltv_curves_alive(LtvCurves *curves, double x, double t_x, double t)
{
	const double *p = curves->parameters;

	if (curves->process == LTV_PARETO_NBD)
	{
		double		rx = p[0] + x;
		double		least = fmin(p[1], p[3]);
		double		log_e;

		if (!(x > 0))
			t_x = 0;
		log_e = -rx * log1p((t - t_x) / (p[1] + t_x)) - p[2] * log1p((t - t_x) / (p[3] + t_x));
		if (curve_suits(x, 1 + t / least) && log_e > -650 && pareto_nbd_tails_suit(p, x))
		{
			double		e = exp(log_e);

			/* where there is next to no time to be lost in, rounding passes 1 */
			return fmin(1, e / (curve_value(curves, LTV_TAIL_CURVE, x, 1 + t_x / least) +
							   e * (1 - curve_value(curves, LTV_TAIL_CURVE, x, 1 + t / least))));
		}
	}
	return ltv_alive(curves->process, p, x, t_x, t);
}

/* Expected orders in (t, t + horizon]. */
double
ltv_curves_orders(LtvCurves *curves, double x, double t_x, double t, double horizon)
{
	const double *p = curves->parameters;

	if (curves->process == LTV_PARETO_NBD)
	{
		double		survivor[LTV_PARAMETERS];

		pareto_nbd_survivor(p, x, t, survivor);
		return ltv_orders_if_alive(ltv_curves_alive(curves, x, t_x, t),
								   pareto_nbd_orders(survivor, horizon));
	}
	if (!curve_suits(x, horizon / (p[1] + t)))
		return ltv_expected_orders(curves->process, p, x, t_x, t, horizon);
	return ltv_curves_alive(curves, x, t_x, t) *
		curve_value(curves, LTV_ORDERS_CURVE, x, horizon / (p[1] + t));
}

/* Discounted expected orders in (t, t + the curves' horizon]. */
double
ltv_curves_discounted(LtvCurves *curves, double x, double t_x, double t)
{
	const double *p = curves->parameters;
	bool		pareto = curves->process == LTV_PARETO_NBD;
	double		v = 1 + t / p[pareto ? 3 : 1];
	double		orders;

	if (!curve_suits(x, v))
		return ltv_discounted_orders(curves->process, p, x, t_x, t,
									 curves->horizon, curves->delta);
	/* Pareto/NBD's is the same for all x */
	orders = curve_value(curves, LTV_ORDERS_CURVE, pareto ? 0 : x, v);
	if (pareto)
		orders *= (p[0] + x) / (p[1] + t);
	return ltv_curves_alive(curves, x, t_x, t) * orders;
}

/*
 * Whether a parameter is one that models have: for others a derivative may take
 * long, and a panel fourteen times that, perhaps for a single customer.
 */
static inline bool
is_usual(double parameter)
{
	return parameter >= 1e-3 && parameter <= 1e3;
}

/*
 * The orders of ltv_curves_orders(), or where there is a discount of
 * ltv_curves_discounted(), with the gradient of their logarithm; 0 where they are 0
 * or infinite.
 */
double
ltv_curves_gradient(LtvCurves *curves, double x, double t_x, double t, double horizon,
					double gradient[4])
{
	const double *p = curves->parameters;
	bool		modified = curves->process == LTV_MBG_NBD;
	double		v = curves->delta == 0 ? horizon / (p[1] + t) : 1 + t / p[1];
	double		survivor[LTV_PARAMETERS];
	double		by[LTV_PARAMETERS];
	double		sum[LTV_PARAMETERS] = {0};
	double		place;
	double		orders;
	double		value;
	double		lost;
	const double *c;

	/* Pareto/NBD's are quick */
	if (curves->process == LTV_PARETO_NBD || !curve_suits(x, v) ||
		!is_usual(p[0]) || !is_usual(p[2]) || !is_usual(p[3]))
		return ltv_discounted_orders_gradient(curves->process, p, x, t_x, t, horizon,
											  curves->delta, gradient);
	gradient[0] = gradient[1] = gradient[2] = gradient[3] = 0;
	orders = curve_value(curves, LTV_ORDERS_CURVE, x, v);
	value = ltv_curves_alive(curves, x, t_x, t) * orders;
	if (value == 0 || isinf(value))
		return value;
	c = panel_for(curves, LTV_DERIVATIVES_CURVE, x, v, &place);
	for (int i = LTV_PANEL_NODES - 1; i >= 0; i--)
		for (int k = 0; k < LTV_PARAMETERS; k++)
			sum[k] = sum[k] * place + c[i * LTV_PARAMETERS + k];
	lost = ltv_logistic(bg_nbd_log_lost_odds(modified, p, x, t_x, t, by));
	bg_nbd_survivor(modified, p, x, t, survivor);
	for (int k = 0; k < LTV_PARAMETERS; k++)
		gradient[k] = sum[k] / orders * (p[k] / survivor[k]) - lost * by[k];
	return value;
}
