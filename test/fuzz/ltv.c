/*
 * ltv.c
 *		Fuzz target: models' text and binary forms, the folding of customers,
 *		and fits.
 *
 * Links: ../../src/ltv_models.c ../../src/ltv_special.c ../../src/ltv_bg_nbd.c ../../src/ltv_pareto_nbd.c ../../src/ltv_gamma_gamma.c
 */
#include "fuzz.h"

#include "../../src/ltv_value.c"
#include "../../src/ltv_rows.c"
#include "../../src/ltv_fit.c"

#define MAX_ROWS	40

const FuzzSeed fuzz_seeds[] = {
	SEED("t{\"model\": \"bg_nbd\", \"parameters\": [0.243, 4.414, 0.793, 2.426], \"spend\": [6.25, 3.74, 15.44]}"),
	SEED("t{\"model\": \"pareto_nbd\", \"unit\": \"days\", \"parameters\": [1e-300, 1e300, 5e-324, 1.7976931348623157e308]}"),
	SEED("t{\"model\": \"mbg_nbd\", \"parameters\": [0.5, 6, 0.9, 1.6], \"customers\": 2357, \"repeat_purchases\": 2457, "
		 "\"log_likelihood\": -9582.4, \"covariance\": [1, 0, 1, 0, -0.5, 1, 0, 0, 0, 1e-5], \"spend\": [6, 4, 15], "
		 "\"spend_customers\": 946, \"spend_log_likelihood\": -4055.9, \"spend_covariance\": [1, 0, 1, 0, 0, 1]}"),
	SEED("r\0\0\0\0\1\1\1\1\2\2\2\2\3\3\3\3\1\1\1\1\0\0\0\0"),
	SEED("f0\0\0\x10\1\5\x10\1\5\x11\2\5\x19\3\4\x20\4\x30\x33\0\0\x40\7\x10\x30\0\0\x21\1\1\x50"),
	SEED("f1\0\0\x10\1\5\x10\1\5\x11\2\5\x19\3\4\x20\4\x30\x33\0\0\x40\7\x10\x30\0\0\x21\1\1\x50"),
	SEED("f2\0\0\x10\1\5\x10\1\5\x11\2\5\x19\3\4\x20\4\x30\x33\0\0\x40\7\x10\x30\0\0\x21\1\1\x50"),
	SEED("f3\1\5\x10\1\5\x11\2\5\x19\3\4\x20\4\x30\x33\1\x10\x40\7\x10\x30\1\x10\x21\1\1\x50"),
	{NULL, 0}
};

/* What must hold of every good model. */
static void
check_model(const LtvModel *model)
{
	char		text[LTV_TEXT_SIZE];
	unsigned char wire[LTV_WIRE_SIZE];
	LtvModel	again;

	CHECK(ltv_check(model) == NULL);
	ltv_print(model, text);
	CHECK(strlen(text) < sizeof(text));
	CHECK(ltv_parse(text, &again) == NULL);
	CHECK(memcmp(model, &again, sizeof(LtvModel)) == 0);
	ltv_to_wire(model, wire);
	CHECK(ltv_from_wire(wire, sizeof(wire), &again) == NULL);
	CHECK(memcmp(model, &again, sizeof(LtvModel)) == 0);
}

/* Rows that are folded in two parts and merged are as those folded at once. */
static void
check_merge(const LtvCustomer *rows, size_t count, size_t split, const LtvCustomer *folded, size_t left)
{
	LtvCustomer a[MAX_ROWS];
	LtvCustomer b[MAX_ROWS];
	LtvCustomer merged[2 * MAX_ROWS];
	char		packed[sizeof(b) + MAX_ROWS];
	size_t		size;
	char		scratch[MAX_ROWS * LTV_FOLD_SCRATCH] __attribute__((aligned(8)));
	size_t		a_count = ltv_fold_customers(rows, split, a, scratch);
	size_t		b_count = ltv_fold_customers(rows + split, count - split, b, scratch);

	size = ltv_pack_customers(b, b_count, NULL);
	CHECK(size <= sizeof(packed) && ltv_pack_customers(b, b_count, packed) == size);
	CHECK(ltv_merge_customers(a, a_count, packed, b_count, merged) == left);
	CHECK(memcmp(folded, merged, left * sizeof(LtvCustomer)) == 0);
}

/* Folding: nothing is lost, nothing stands twice, and the order is the rows' own. */
static size_t
check_fold(const LtvCustomer *rows, size_t count, LtvCustomer *folded)
{
	LtvCustomer backwards[MAX_ROWS];
	LtvCustomer again[MAX_ROWS];
	char		scratch[MAX_ROWS * LTV_FOLD_SCRATCH] __attribute__((aligned(8)));
	size_t		left = ltv_fold_customers(rows, count, folded, scratch);

	for (size_t i = 0; i < left; i++)
	{
		double		weight = 0;

		for (size_t k = 0; k < count; k++)
			if (memcmp(&rows[k], &folded[i], 3 * sizeof(double)) == 0)
				weight += rows[k].weight;
		CHECK(weight == folded[i].weight);
		for (size_t k = 0; k < i; k++)
			CHECK(memcmp(&folded[k], &folded[i], 3 * sizeof(double)) != 0);
		CHECK(i == 0 || folded[i].x > LTV_SORTED_X || folded[i - 1].x <= folded[i].x);
	}
	for (size_t i = 0; i < count; i++)
	{
		bool		found = false;

		for (size_t k = 0; k < left; k++)
			found |= memcmp(&rows[i], &folded[k], 3 * sizeof(double)) == 0;
		CHECK(found);
		backwards[i] = rows[count - 1 - i];
	}
	CHECK(ltv_fold_customers(backwards, count, again, scratch) == left);
	CHECK(memcmp(folded, again, left * sizeof(LtvCustomer)) == 0);
	for (size_t split = 0; split <= count; split += 1 + count / 3)
		check_merge(rows, count, split, folded, left);
	return left;
}

/* What must hold of every fit that does not give up. */
static void
check_fit(const LtvFit *fit, int size)
{
	CHECK(isfinite(fit->log_likelihood));
	for (int i = 0; i < size; i++)
		CHECK(fit->parameters[i] > 0 && isfinite(fit->parameters[i]));
	if (fit->outcome == LTV_OPTIMUM)
		CHECK(is_covariance(fit->covariance, size));
}

/* Three bytes are a customer, in units that the first of them sets. */
static void
try_fit(const uint8_t *data, size_t size)
{
	LtvCustomer rows[MAX_ROWS];
	LtvCustomer folded[MAX_ROWS];
	LtvSpender	spenders[MAX_ROWS];
	LtvSpender	folded_spenders[MAX_ROWS];
	char		scratch[MAX_ROWS * LTV_FOLD_SCRATCH] __attribute__((aligned(8)));
	size_t		count = 0;
	double		orders = 0;
	double		time = 0;
	LtvFit		fit;
	int			kind;

	if (size < 1)
		return;
	kind = data[0] % 4;
	for (data++, size--; size >= 3 && count < MAX_ROWS; data += 3, size -= 3)
	{
		LtvCustomer *row = &rows[count];

		row->x = data[0];
		row->t = data[2] / 7.0;
		row->t_x = row->x > 0 ? row->t * data[1] / 255.0 : 0;
		row->weight = 1;
		spenders[count].x = row->x + 1;
		spenders[count].mean_value = data[1] * 0.25 + 0.01;
		spenders[count].weight = 1;
		orders += row->x;
		time += row->t;
		count++;
	}
	if (count == 0)
		return;
	if (kind == 3)
	{
		count = ltv_fold_spenders(spenders, count, folded_spenders, scratch);
		ltv_fit_spend(folded_spenders, count, &fit);
		check_fit(&fit, LTV_SPEND_PARAMETERS);
		return;
	}
	count = check_fold(rows, count, folded);
	if (orders == 0 || time == 0)
		return;
	ltv_fit_process((LtvProcess) kind, folded, count, &fit);
	check_fit(&fit, LTV_PARAMETERS);
	for (size_t i = 0; i < count; i++)
	{
		const LtvCustomer *c = &folded[i];
		double		alive = ltv_alive((LtvProcess) kind, fit.parameters, c->x, c->t_x, c->t);
		double		expected = ltv_expected_orders((LtvProcess) kind, fit.parameters,
												   c->x, c->t_x, c->t, 30);

		CHECK(alive >= 0 && alive <= 1);
		CHECK(expected >= 0 && isfinite(expected));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	LtvModel	model;

	if (size < 1)
		return 0;
	if (data[0] == 'b')
	{
		if (ltv_from_wire(data + 1, size - 1, &model) == NULL)
			check_model(&model);
	}
	else if (data[0] == 'f')
		try_fit(data + 1, size - 1);
	else if (data[0] == 'r')
	{
		LtvCustomer rows[MAX_ROWS];
		LtvCustomer folded[MAX_ROWS];
		size_t		count = 0;

		for (data++, size--; size >= 2 && count < MAX_ROWS; data += 2, size -= 2, count++)
		{
			rows[count].x = data[0] * 8;
			rows[count].t_x = data[1] >> 4;
			rows[count].t = data[1] & 15;
			rows[count].weight = 1;
		}
		if (count > 0)
			check_fold(rows, count, folded);
	}
	else if (data[0] == 't')
	{
		char	   *text = malloc(size);

		memcpy(text, data + 1, size - 1);
		text[size - 1] = '\0';
		if (ltv_parse(text, &model) == NULL)
			check_model(&model);
		free(text);
	}
	return 0;
}
