/*
 * attribution.c: the rules and the exact sums
 *
 * A journey is made of the input; by every rule its shares must sum to a whole
 * order, none of them negative.  A cell of the text form must come back.
 */
#include "fuzz.h"

#include "../../src/attribution_credit.c"
#include "../../src/crm_time.c"
#include "../../src/journey_value.c"

const FuzzSeed fuzz_seeds[] = {
	SEED("\1\2\3\4\5direct email email ads"),
	SEED("\1\2\3\4\5direct"),
	SEED("\1\2\3\4\5direct\x1F" "app"),
	SEED(", [0, 2251799813685248, 99500, 0]"),
	{NULL, 0}
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CreditTerms terms = {1, {0, 0, 0}};
	Journey    *journey;
	int64_t    *shares;
	int32_t		touches;
	int32_t		channels = 256;
	bool		direct[256];
	char	   *text;
	const char *s;
	CreditCell	cell;
	WideSum		sum = {0, 0};

	if (size < 8)
		return 0;
	terms.half_life = 1 + data[0] * 1e6 * data[1] * data[1];
	for (int i = 0; i < 3; i++)
		terms.position[i] = data[2 + i];
	if (data[2] + data[3] + data[4] == 0)
		terms.position[1] = 1;
	data += 5;
	size -= 5;

	touches = (int32_t) size;
	journey = calloc(1, journey_size(touches, channels, 0));
	shares = malloc(sizeof(int64_t) * touches);
	journey->width = journey_width(channels);
	journey->touches = touches;
	journey->channels = channels;
	for (int32_t i = 0; i < touches; i++)
	{
		journey->at[i] = (i > 0 ? journey->at[i - 1] : 0) + ((int64_t) data[i] << (data[i] & 31));
		journey_set_channel(journey, i, data[i]);
		if (journey_channel(journey, i) != data[i])
			abort();
	}
	/* none of the channels is direct, one, or many */
	for (int32_t i = 0; i < channels; i++)
		direct[i] = (i & data[0]) == data[touches - 1];
	for (int rule = 0; rule < RULE_COUNT; rule++)
	{
		int64_t		total = 0;

		credit_share((CreditRule) rule, &terms, journey, 0, touches, direct, shares);
		for (int32_t i = 0; i < touches; i++)
		{
			if (shares[i] < 0)
				abort();
			/* who is direct wins only where all are */
			if (rule == RULE_LAST_NON_DIRECT && shares[i] > 0 && direct[data[i]])
				for (int32_t j = 0; j < touches; j++)
					if (!direct[data[j]])
						abort();
			total += shares[i];
			if (!wide_add(&sum, wide_product(-1 - journey->at[i], shares[i])))
				abort();
		}
		if (total != CREDIT_ONE)
			abort();
	}
	free(journey);
	free(shares);
	if (credit_is_direct((const char *) data, size) !=
		((size == 6 || (size > 6 && data[6] == 0x1F)) && memcmp(data, "direct", 6) == 0))
		abort();

	text = malloc(size + 1);
	memcpy(text, data, size);
	text[size] = '\0';
	s = text;
	(void) cell_take(&s, &cell);
	free(text);
	return 0;
}
