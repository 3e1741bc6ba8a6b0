/*
 * ltv_value.c
 *		A model as a value: its names, its text and binary forms.
 *
 * No function here allocates, raises an error or knows the server.
 */
#include "ltv.h"

#include "crm_text.h"

#include <math.h>

/* in the order of LtvProcess */
const char *const ltv_process_names[] = {"bg_nbd", "mbg_nbd", "pareto_nbd"};

#define PROCESSES	((int) (sizeof(ltv_process_names) / sizeof(ltv_process_names[0])))

/* The name of a parameter: the four of the process, then those of spend. */
const char *
ltv_parameter_name(LtvProcess process, int i)
{
	static const char *const names[] = {"r", "alpha", "a", "b", "p", "q", "gamma"};

	if (process == LTV_PARETO_NBD && i == 2)
		return "s";
	if (process == LTV_PARETO_NBD && i == 3)
		return "beta";
	return names[i];
}

/* Find a process; false if there is none of that name. */
bool
ltv_process_by_name(const char *name, size_t length, LtvProcess *process)
{
	for (int i = 0; i < PROCESSES; i++)
		if (strlen(ltv_process_names[i]) == length &&
			memcmp(ltv_process_names[i], name, length) == 0)
		{
			*process = (LtvProcess) i;
			return true;
		}
	return false;
}

/* Make model one without parameters. */
void
ltv_init(LtvModel *model, LtvProcess process)
{
	memset(model, 0, sizeof(*model));
	model->version = LTV_VERSION;
	model->process = (uint8_t) process;
}

/* Whether all are finite and greater than zero. */
static bool
all_positive(const double *values, int n)
{
	for (int i = 0; i < n; i++)
		if (!(values[i] > 0) || !isfinite(values[i]))
			return false;
	return true;
}

static bool
all_zero(const double *values, int n)
{
	for (int i = 0; i < n; i++)
		if (values[i] != 0 || signbit(values[i]))
			return false;
	return true;
}

/* The lower triangle of a covariance matrix: finite, and variances positive. */
static bool
is_covariance(const double *triangle, int size)
{
	for (int i = 0, at = 0; i < size; i++)
		for (int j = 0; j <= i; j++, at++)
			if (!isfinite(triangle[at]) || (i == j && !(triangle[at] > 0)))
				return false;
	return true;
}

/* NULL, or what is wrong with a model that came from outside. */
const char *
ltv_check(const LtvModel *model)
{
	bool		fitted = (model->flags & LTV_FITTED) != 0;
	bool		spend = (model->flags & LTV_SPEND) != 0;
	bool		spend_fitted = (model->flags & LTV_SPEND_FITTED) != 0;

	if (model->version != LTV_VERSION)
		return "its version is unknown";
	if (model->process >= PROCESSES || (model->flags & ~LTV_ALL_FLAGS) != 0)
		return "its kind is unknown";
	if (((model->flags & LTV_CONVERGED) && !fitted) ||
		(spend_fitted && !(spend && fitted)) ||
		((model->flags & LTV_SPEND_CONVERGED) && !spend_fitted))
		return "it contradicts itself";
	if (!all_positive(model->parameters, LTV_PARAMETERS) ||
		(spend && !all_positive(model->spend, LTV_SPEND_PARAMETERS)))
		return "its parameters must be greater than zero, and finite";
	if (!spend && !all_zero(model->spend, LTV_SPEND_PARAMETERS))
		return "it contradicts itself";
	if (fitted ? (model->customers < 1 || model->repeat_purchases < 0) :
		(model->customers != 0 || model->repeat_purchases != 0))
		return "\"customers\" or \"repeat_purchases\" is out of range";
	if (spend_fitted ? (model->spend_customers < 1 || model->spend_customers > model->customers) :
		model->spend_customers != 0)
		return "\"spend_customers\" is out of range";
	if (!isfinite(model->log_likelihood) || !isfinite(model->spend_log_likelihood))
		return "its log-likelihood must be finite";
	if ((!fitted && !all_zero(&model->log_likelihood, 1)) ||
		(!spend_fitted && !all_zero(&model->spend_log_likelihood, 1)))
		return "it contradicts itself";
	if ((model->flags & LTV_CONVERGED) ? !is_covariance(model->covariance, LTV_PARAMETERS) :
		!all_zero(model->covariance, 10))
		return "\"covariance\" is not one";
	if ((model->flags & LTV_SPEND_CONVERGED) ?
		!is_covariance(model->spend_covariance, LTV_SPEND_PARAMETERS) :
		!all_zero(model->spend_covariance, 6))
		return "\"spend_covariance\" is not one";
	return NULL;
}

/*
 * Text form
 *
 * JSON with fixed keys in a fixed order, independent of every setting; numbers
 * have as many digits as it takes to read the same ones back:
 *
 * {"model": "bg_nbd", "unit": "days", "parameters": [0.24, 30.9, 0.79, 2.43],
 *  "customers": 2357, "repeat_purchases": 2457, "log_likelihood": -9582.4,
 *  "covariance": [10 numbers], "spend": [6.25, 3.74, 15.44],
 *  "spend_customers": 946, "spend_log_likelihood": -4055.9,
 *  "spend_covariance": [6 numbers]}
 *
 * What a model doesn't have is left out: "unit" if it is not known to be the
 * day, "covariance" if the fit did not converge, "spend" and what follows if
 * spend is not known, and all but "model", "unit", "parameters" and "spend"
 * if it was not fitted.
 */
static char *
print_number(char *text, double value)
{
	for (int digits = 15; digits < 18; digits++)
	{
		sprintf(text, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	return text + strlen(text);
}

static char *
print_numbers(char *text, const char *key, const double *values, int n)
{
	text += sprintf(text, ", \"%s\": [", key);
	for (int i = 0; i < n; i++)
	{
		if (i > 0)
			text += sprintf(text, ", ");
		text = print_number(text, values[i]);
	}
	return text + sprintf(text, "]");
}

/* Write the text form; text has room for LTV_TEXT_SIZE bytes. */
void
ltv_print(const LtvModel *model, char *text)
{
	text += sprintf(text, "{\"model\": \"%s\"", ltv_process_names[model->process]);
	if (model->flags & LTV_IN_DAYS)
		text += sprintf(text, ", \"unit\": \"days\"");
	text = print_numbers(text, "parameters", model->parameters, LTV_PARAMETERS);
	if (model->flags & LTV_FITTED)
	{
		text += sprintf(text, ", \"customers\": %lld, \"repeat_purchases\": %lld, \"log_likelihood\": ",
						(long long) model->customers, (long long) model->repeat_purchases);
		text = print_number(text, model->log_likelihood);
	}
	if (model->flags & LTV_CONVERGED)
		text = print_numbers(text, "covariance", model->covariance, 10);
	if (model->flags & LTV_SPEND)
		text = print_numbers(text, "spend", model->spend, LTV_SPEND_PARAMETERS);
	if (model->flags & LTV_SPEND_FITTED)
	{
		text += sprintf(text, ", \"spend_customers\": %lld, \"spend_log_likelihood\": ",
						(long long) model->spend_customers);
		text = print_number(text, model->spend_log_likelihood);
	}
	if (model->flags & LTV_SPEND_CONVERGED)
		text = print_numbers(text, "spend_covariance", model->spend_covariance, 6);
	strcpy(text, "}");
}

static bool
take_numbers(const char **s, double *values, int n)
{
	if (!text_take(s, "["))
		return false;
	for (int i = 0; i < n; i++)
		if ((i > 0 && !text_take(s, ",")) || !text_take_double(s, &values[i]))
			return false;
	return text_take(s, "]");
}

static bool
take_count(const char **s, int64_t *count)
{
	int			scale;

	return text_take_number(s, 0, count, &scale);
}

/*
 * Read the text form.  Returns NULL, or what is wrong with it, as the detail
 * of an error message.
 */
const char *
ltv_parse(const char *text, LtvModel *model)
{
	const char *s = text;
	const char *end;
	LtvProcess	process;

	ltv_init(model, LTV_BG_NBD);
	if (!text_take(&s, "{") || !text_take_key(&s, "model", true) || !text_take(&s, "\"") ||
		(end = strchr(s, '"')) == NULL)
		return "it must begin with {\"model\": and its name";
	if (!ltv_process_by_name(s, end - s, &process))
		return "its kind is unknown";
	model->process = (uint8_t) process;
	s = end + 1;
	if (text_take_key(&s, "unit", false))
	{
		if (!text_take(&s, "\"days\""))
			return "\"unit\" must be \"days\"";
		model->flags |= LTV_IN_DAYS;
	}
	if (!text_take_key(&s, "parameters", false) ||
		!take_numbers(&s, model->parameters, LTV_PARAMETERS))
		return "\"parameters\", four numbers, must follow";
	if (text_take_key(&s, "customers", false))
	{
		model->flags |= LTV_FITTED;
		if (!take_count(&s, &model->customers) ||
			!text_take_key(&s, "repeat_purchases", false) || !take_count(&s, &model->repeat_purchases) ||
			!text_take_key(&s, "log_likelihood", false) || !text_take_double(&s, &model->log_likelihood))
			return "\"customers\", \"repeat_purchases\" and \"log_likelihood\" must follow";
	}
	if (text_take_key(&s, "covariance", false))
	{
		model->flags |= LTV_CONVERGED;
		if (!take_numbers(&s, model->covariance, 10))
			return "\"covariance\" must be ten numbers";
	}
	if (text_take_key(&s, "spend", false))
	{
		model->flags |= LTV_SPEND;
		if (!take_numbers(&s, model->spend, LTV_SPEND_PARAMETERS))
			return "\"spend\" must be three numbers";
	}
	if (text_take_key(&s, "spend_customers", false))
	{
		model->flags |= LTV_SPEND_FITTED;
		if (!take_count(&s, &model->spend_customers) ||
			!text_take_key(&s, "spend_log_likelihood", false) ||
			!text_take_double(&s, &model->spend_log_likelihood))
			return "\"spend_customers\" and \"spend_log_likelihood\" must follow";
	}
	if (text_take_key(&s, "spend_covariance", false))
	{
		model->flags |= LTV_SPEND_CONVERGED;
		if (!take_numbers(&s, model->spend_covariance, 6))
			return "\"spend_covariance\" must be six numbers";
	}
	if (!text_take(&s, "}") || *text_skip_space(s) != '\0')
		return "it must end with }";
	return ltv_check(model);
}

static unsigned char *
put_doubles(unsigned char *wire, const double *values, int n)
{
	for (int i = 0; i < n; i++)
	{
		int64_t		bits;

		memcpy(&bits, &values[i], sizeof(bits));
		wire = wire_put_int64(wire, bits);
	}
	return wire;
}

static const unsigned char *
get_doubles(const unsigned char *wire, double *values, int n)
{
	for (int i = 0; i < n; i++)
	{
		int64_t		bits;

		wire = wire_get_int64(wire, &bits);
		memcpy(&values[i], &bits, sizeof(bits));
	}
	return wire;
}

/* Write the binary form, LTV_WIRE_SIZE bytes. */
void
ltv_to_wire(const LtvModel *model, unsigned char *wire)
{
	*wire++ = model->version;
	*wire++ = model->process;
	*wire++ = model->flags;
	wire = wire_put_int64(wire, model->customers);
	wire = wire_put_int64(wire, model->repeat_purchases);
	wire = wire_put_int64(wire, model->spend_customers);
	wire = put_doubles(wire, model->parameters, LTV_PARAMETERS);
	wire = put_doubles(wire, model->spend, LTV_SPEND_PARAMETERS);
	wire = put_doubles(wire, &model->log_likelihood, 1);
	wire = put_doubles(wire, &model->spend_log_likelihood, 1);
	wire = put_doubles(wire, model->covariance, 10);
	put_doubles(wire, model->spend_covariance, 6);
}

/* Read the binary form.  Returns NULL, or what is wrong with it. */
const char *
ltv_from_wire(const unsigned char *wire, size_t length, LtvModel *model)
{
	if (length != LTV_WIRE_SIZE)
		return "its length is wrong";
	ltv_init(model, LTV_BG_NBD);
	model->version = *wire++;
	model->process = *wire++;
	model->flags = *wire++;
	wire = wire_get_int64(wire, &model->customers);
	wire = wire_get_int64(wire, &model->repeat_purchases);
	wire = wire_get_int64(wire, &model->spend_customers);
	wire = get_doubles(wire, model->parameters, LTV_PARAMETERS);
	wire = get_doubles(wire, model->spend, LTV_SPEND_PARAMETERS);
	wire = get_doubles(wire, &model->log_likelihood, 1);
	wire = get_doubles(wire, &model->spend_log_likelihood, 1);
	wire = get_doubles(wire, model->covariance, 10);
	get_doubles(wire, model->spend_covariance, 6);
	return ltv_check(model);
}
