/*
 * journey.c: the text form of a journey
 *
 * What is read must be what is printed again: each touch of an input that is
 * accepted is printed and read once more.
 */
#include "fuzz.h"

#include "../../src/crm_time.c"
#include "../../src/journey_value.c"

const FuzzSeed fuzz_seeds[] = {
	SEED("[[\"email\", \"2025-03-01T09:30:00Z\"], [\"paid search\", \"2025-03-02T18:05:00.250000Z\"]]"),
	SEED("[[\"\", \"-4713-11-24T00:00:00Z\"], [\"a\\u0009\\\"\\\\\", \"294276-12-31T23:59:59.999999Z\"]]"),
	{NULL, 0}
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *text = malloc(size + 1);
	char	   *name = malloc(size + 1);
	char	   *again = malloc(size + 1);
	const char *s = text;
	const char *wrong;
	size_t		length;
	int64_t		at;

	memcpy(text, data, size);
	text[size] = '\0';
	for (bool first = true; journey_take(&s, first, name, &length, &at, &wrong) > 0; first = false)
	{
		char	   *printed = malloc(name_text_size(name, length) + TIME_TEXT_SIZE + 1);
		char	   *end = name_put(printed, name, length);
		const char *back = printed;
		size_t		length_again;
		int64_t		at_again;

		if (end != printed + name_text_size(name, length))
			abort();
		end = time_put(end, at);
		*end = '\0';
		if (!name_take(&back, again, &length_again) || length_again != length ||
			memcmp(again, name, length) != 0 || !time_take(&back, &at_again) || at_again != at ||
			back != end)
			abort();
		free(printed);
	}
	free(text);
	free(name);
	free(again);
	return 0;
}
