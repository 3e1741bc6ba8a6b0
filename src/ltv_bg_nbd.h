/*
 * ltv_bg_nbd.h
 *		BG/NBD and MBG/NBD, as ltv_models.c calls them; ltv_pareto_nbd.h is its
 *		twin.  For what the functions do see ltv_models.h.
 */
#ifndef CRM_LTV_BG_NBD_H
#define CRM_LTV_BG_NBD_H

#include <stdbool.h>

#include "ltv_models.h"

/* modified: MBG/NBD */
extern double bg_nbd_log_likelihood(bool modified, const double parameters[4],
									const LtvCustomer *customer, double gradient[4]);
extern double bg_nbd_sum(bool modified, const double parameters[4],
						 const LtvCustomer *rows, size_t n,
						 double gradient[4], double hessian[4][4]);
extern double bg_nbd_log_lost_odds(bool modified, const double parameters[4],
								   double x, double t_x, double t, double gradient[4]);
extern double bg_nbd_alive(bool modified, const double parameters[4],
						   double x, double t_x, double t);
extern void bg_nbd_survivor(bool modified, const double parameters[4],
							double x, double t, double survivor[4]);
extern double bg_nbd_orders(const double parameters[4], double horizon);
extern double bg_nbd_discounted(const double parameters[4], double horizon, double delta);
/* with the gradient of its logarithm */
extern double bg_nbd_discounted_gradient(const double parameters[4], double horizon, double delta,
										 double gradient[4]);
/* at most LTV_PANEL_NODES, within a factor of two */
extern void bg_nbd_discounted_by_alpha(const double parameters[4], const double *alpha, int alphas,
									   double horizon, double delta, double *orders);
extern double bg_nbd_probability(const double parameters[4], long n, double horizon);

#endif							/* CRM_LTV_BG_NBD_H */
