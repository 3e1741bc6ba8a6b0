/*
 * ltv.h
 *		What a customer will be worth: a fitted model as a value, the rows it is
 *		fitted to, and the fit.
 *
 * This header, ltv_models.c (the arithmetic of the models), ltv_rows.c,
 * ltv_fit.c and ltv_value.c know nothing of the server, so that they can be
 * tested and fuzzed alone.
 */
#ifndef CRM_LTV_H
#define CRM_LTV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ltv_models.h"

#define LTV_VERSION		1

/* What a model's flags say. */
#define LTV_IN_DAYS			0x01	/* its unit of time is the day; else unknown */
#define LTV_FITTED			0x02	/* from data: has customers and log-likelihood */
#define LTV_CONVERGED		0x04	/* at the maximum: has a covariance */
#define LTV_SPEND			0x08	/* has spend parameters */
#define LTV_SPEND_FITTED	0x10	/* as above, for spend */
#define LTV_SPEND_CONVERGED	0x20
#define LTV_ALL_FLAGS		0x3F

/*
 * On disk, in memory and over the wire (there field by field, big-endian).
 * The size never changes after 1.0; what is new goes where the zeroes are.
 *
 * Covariances are of the logarithms of the parameters, the lower triangle row
 * by row.  A field that the flags say is not there is zero.
 */
typedef struct LtvModel
{
	uint8_t		version;		/* LTV_VERSION */
	uint8_t		process;		/* LtvProcess */
	uint8_t		flags;
	uint8_t		zeroes[5];
	int64_t		customers;
	int64_t		repeat_purchases;	/* their sum of x */
	int64_t		spend_customers;	/* those of them that spend was fitted to */
	double		parameters[LTV_PARAMETERS];
	double		spend[LTV_SPEND_PARAMETERS];
	double		log_likelihood;
	double		spend_log_likelihood;
	double		covariance[10];
	double		spend_covariance[6];
	uint8_t		spare[24];		/* zeroed */
} LtvModel;

#define LTV_MODEL_SIZE		256

/* more repeat purchases than this are a mistake */
#define LTV_MAX_X			1e9

extern const char *const ltv_process_names[];
extern const char *ltv_parameter_name(LtvProcess process, int i);
extern bool ltv_process_by_name(const char *name, size_t length, LtvProcess *process);

extern void ltv_init(LtvModel *model, LtvProcess process);
extern const char *ltv_check(const LtvModel *model);

/* the longest text form, with its closing zero */
#define LTV_TEXT_SIZE		1280
extern void ltv_print(const LtvModel *model, char *text);
extern const char *ltv_parse(const char *text, LtvModel *model);

/* the binary form has no padding and no spare bytes */
#define LTV_WIRE_SIZE		(3 + 28 * 8)
extern void ltv_to_wire(const LtvModel *model, unsigned char *wire);
extern const char *ltv_from_wire(const unsigned char *wire, size_t length, LtvModel *model);

/*
 * Rows
 *
 * Equal rows become one with the sum of the weights, and the rest is put into
 * an order that depends on nothing but the rows: so a fit is the same to the
 * last bit whatever order they came in, and however many processes read them.
 * Rows of equal x up to LTV_SORTED_X stand together.
 */
#define LTV_SORTED_X		1023
#define LTV_MAX_ROWS		UINT32_MAX

/* scratch space of a row, in bytes */
#define LTV_FOLD_SCRATCH	16
extern size_t ltv_fold_customers(const LtvCustomer *rows, size_t n, LtvCustomer *folded,
								 void *scratch);
extern size_t ltv_fold_spenders(const LtvSpender *rows, size_t n, LtvSpender *folded,
								void *scratch);
/* folded rows on their way from one process to another */
extern size_t ltv_pack_customers(const LtvCustomer *rows, size_t n, char *packed);
extern size_t ltv_pack_spenders(const LtvSpender *rows, size_t n, char *packed);
extern size_t ltv_merge_customers(const LtvCustomer *rows, size_t n,
								  const char *packed, size_t packed_count,
								  LtvCustomer *folded);
extern size_t ltv_merge_spenders(const LtvSpender *rows, size_t n,
								 const char *packed, size_t packed_count,
								 LtvSpender *folded);

/* What came of a fit. */
typedef enum LtvOutcome
{
	LTV_OPTIMUM,				/* the gradient is zero to rounding */
	LTV_AT_ZERO,				/* a parameter wants to be 0 */
	LTV_AT_INFINITY,			/* a parameter wants to be infinite */
	LTV_FLAT,					/* no single best value */
	LTV_STOPPED					/* too many steps */
} LtvOutcome;

typedef struct LtvFit
{
	LtvOutcome	outcome;
	int			which;			/* the parameter at zero or infinity */
	double		parameters[LTV_PARAMETERS];
	double		log_likelihood;
	double		covariance[10]; /* zero unless LTV_OPTIMUM */
	double		decrement;		/* Newton's: twice what another step would gain */
	int			steps;			/* on all rows */
} LtvFit;

extern void ltv_fit_process(LtvProcess process, const LtvCustomer *rows, size_t n, LtvFit *fit);
extern void ltv_fit_spend(const LtvSpender *rows, size_t n, LtvFit *fit);

#endif							/* CRM_LTV_H */
