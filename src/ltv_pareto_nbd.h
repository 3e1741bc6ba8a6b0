/*
 * ltv_pareto_nbd.h
 *		Pareto/NBD, as ltv_models.c calls it; the twin of ltv_bg_nbd.h.
 */
#ifndef CRM_LTV_PARETO_NBD_H
#define CRM_LTV_PARETO_NBD_H

#include <stdbool.h>

#include "ltv_models.h"

extern double pareto_nbd_log_likelihood(const double parameters[4],
										const LtvCustomer *customer, double gradient[4]);
extern double pareto_nbd_sum(const double parameters[4],
							 const LtvCustomer *rows, size_t n,
							 double gradient[4], double hessian[4][4]);
extern double pareto_nbd_log_lost_odds(const double parameters[4],
									   double x, double t_x, double t, double gradient[4]);
extern bool pareto_nbd_tails_suit(const double parameters[4], double x);
extern double pareto_nbd_tail(const double parameters[4], double x, double y);
extern void pareto_nbd_survivor(const double parameters[4],
								double x, double t, double survivor[4]);
extern double pareto_nbd_orders(const double parameters[4], double horizon);
extern double pareto_nbd_discounted(const double parameters[4], double horizon, double delta);
/* with the gradient of its logarithm */
extern double pareto_nbd_discounted_gradient(const double parameters[4], double horizon,
											 double delta, double gradient[4]);
extern double pareto_nbd_probability(const double parameters[4], long n, double horizon);

#endif							/* CRM_LTV_PARETO_NBD_H */
