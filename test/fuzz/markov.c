/*
 * markov.c: the chain and its solution
 *
 * The input is a sequence of paths over a few channels.  The states of order 1
 * are counted, the chain is solved, and the removal effects must be shares.
 */
#include "fuzz.h"

#include "../../src/markov_chain.c"
#include "../../src/markov_value.c"

const FuzzSeed fuzz_seeds[] = {
	SEED("\0\1\2\1\300\3\1\200\2\4\300\1\0\6\5\7\200"),
	SEED("\0\12\1\4\13\75\1\0\0\12\1\4\0"),
	{NULL, 0}
};

#define CHANNELS	MARKOV_LANES

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t		count[CHANNELS][CHANNELS] = {{0}};
	double		visits[CHANNELS] = {0};
	double		ends[CHANNELS] = {0};
	int64_t		first[CHANNELS + 1] = {0};
	uint32_t	from[CHANNELS * CHANNELS];
	double		share[CHANNELS * CHANNELS];
	uint8_t		fixed[CHANNELS];
	double		been[CHANNELS][MARKOV_LANES];
	double		moved[CHANNELS][MARKOV_LANES];
	uint8_t		news[CHANNELS];
	MarkovChain chain = {CHANNELS, visits, ends, first, from, share};
	MarkovSweep sweep;
	int			last = -1;
	double		conversions = 0;
	int64_t		edges = 0;
	int64_t		number;
	char		text[64];
	char	   *end;
	const char *s = text;

	for (size_t i = 0; i < size; i++)
	{
		int			channel = data[i] % CHANNELS;

		if (channel != last)
		{
			visits[channel]++;
			if (last >= 0)
				count[last][channel]++;
			last = channel;
		}
		if (data[i] & 0x80)
		{
			if (data[i] & 0x40)
			{
				ends[channel]++;
				conversions++;
			}
			last = -1;
		}
	}
	for (int t = 0; t < CHANNELS; t++)
	{
		first[t] = edges;
		for (int f = 0; f < CHANNELS; f++)
			if (count[f][t] > 0)
			{
				from[edges] = f;
				share[edges++] = (double) count[f][t] / visits[t];
			}
		fixed[t] = 1 << t;
		for (int l = 0; l < MARKOV_LANES; l++)
			been[t][l] = l == t;
	}
	first[CHANNELS] = edges;
	memset(news, 0, sizeof(news));
	memset(&sweep, 0, sizeof(sweep));
	while (!markov_sweep(&chain, fixed, been, moved, news, &sweep))
		if (sweep.sweeps > 100000)
			abort();
	for (int l = 0; l < MARKOV_LANES; l++)
	{
		double		lost = 0;

		for (int t = 0; t < CHANNELS; t++)
			lost += ends[t] * been[t][l];
		if (!(lost >= ends[l] && lost <= conversions * (1 + 1e-12)))
			abort();
	}

	if (size >= 8)
	{
		memcpy(&number, data, 8);
		number &= INT64_MAX;
		end = count_put(text, number);
		*end = '\0';
		if (!count_take(&s, &number) || s != end)
			abort();
	}
	return 0;
}
