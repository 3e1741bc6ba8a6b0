/*
 * ltv_curves.h
 *		Predictions of many customers by one model.
 *
 * Given the model and x, what is costly in a prediction is a function of one
 * variable: it is found once for a panel of that (see ltv_special.h), and is a
 * polynomial from then on.  A value depends on nothing but what it is asked
 * of: not on the calls before.  It agrees with that of ltv_models.h to 1e-12
 * or so.
 */
#ifndef CRM_LTV_CURVES_H
#define CRM_LTV_CURVES_H

#include "ltv_models.h"

/* Customers of more repeat purchases, and those far off, are looked at alone. */
#define LTV_CURVES_X		256
#define LTV_CURVE_PANELS	64

typedef enum LtvCurve
{
	LTV_ORDERS_CURVE,
	LTV_TAIL_CURVE,
	LTV_DERIVATIVES_CURVE,		/* of the orders, by the logarithms of the parameters */
	LTV_CURVES
} LtvCurve;

/*
 * Zeroed, but for the first fields, which say what the curves are of, and where
 * memory comes from.  Without a discount the horizon is not of the curves.
 * They take 512 bytes for each x, twice that for Pareto/NBD, and 112 for each
 * panel: some dozens of kilobytes for a shop, and at most 2 megabytes.  With
 * derivatives it is another 512 and 448.
 */
typedef struct LtvCurves
{
	LtvProcess	process;
	double		parameters[LTV_PARAMETERS];
	double		horizon;		/* 0 if delta is */
	double		delta;
	void	   *(*allocate) (void *context, size_t size);
	void	   *context;

	double	  **panels[LTV_CURVES][LTV_CURVES_X];
} LtvCurves;

/* As the functions of ltv_models.h; the third has the curves' horizon and delta. */
extern double ltv_curves_alive(LtvCurves *curves, double x, double t_x, double t);
extern double ltv_curves_orders(LtvCurves *curves, double x, double t_x, double t,
								double horizon);
extern double ltv_curves_discounted(LtvCurves *curves, double x, double t_x, double t);
/* with the curves' delta and, unless that is 0, their horizon */
extern double ltv_curves_gradient(LtvCurves *curves, double x, double t_x, double t,
								  double horizon, double gradient[4]);

#endif							/* CRM_LTV_CURVES_H */
