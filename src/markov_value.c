/*
 * markov_value.c
 *		What can be asked of a Markov model, and the numbers of its text form.
 *
 * No function here allocates, raises an error or knows the server.
 */
#include "markov.h"

#include "crm_text.h"

/* The size of a model, with its header. */
size_t
markov_size(int order, int32_t channels, int32_t states, int64_t edges, size_t names)
{
	return offsetof(MarkovModel, node) +
		sizeof(MarkovNode) * ((size_t) states + 1) +
		2 * sizeof(double) * (size_t) channels +
		(sizeof(int64_t) + sizeof(uint32_t)) * (size_t) edges +
		sizeof(uint32_t) * ((size_t) states * order + (size_t) channels) + names;
}

/* The number of a channel, -1 if no path has it. */
int32_t
markov_find_channel(const MarkovModel *model, const char *name, size_t length)
{
	return name_table_find(markov_ends(model), markov_names(model), 0, model->channels, name, length);
}

/* The number of a state, -1 if no path has that window. */
int32_t
markov_find_state(const MarkovModel *model, const uint32_t *window)
{
	int32_t		low = 0;
	int32_t		high = model->states;

	while (low < high)
	{
		int32_t		middle = low + (high - low) / 2;
		const uint32_t *other = markov_windows(model) + (size_t) middle * model->order;
		int			i = 0;

		while (i < model->order && other[i] == window[i])
			i++;
		if (i == model->order)
			return middle;
		if (other[i] < window[i])
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

/* How often a state followed another. */
int64_t
markov_transitions(const MarkovModel *model, int32_t from, int32_t to)
{
	const uint32_t *all = markov_to(model);
	int64_t		low = model->node[from].first_edge;
	int64_t		end = model->node[from + 1].first_edge;
	int64_t		high = end;

	while (low < high)
	{
		int64_t		middle = low + (high - low) / 2;

		if (all[middle] < (uint32_t) to)
			low = middle + 1;
		else
			high = middle;
	}
	return low < end && all[low] == (uint32_t) to ? markov_counts(model)[low] : 0;
}

/* Write a count, which is not negative, as a decimal number; its end. */
char *
count_put(char *text, int64_t count)
{
	int64_t		rest = count % MARKOV_UNIT;

	text += sprintf(text, "%lld", (long long) (count / MARKOV_UNIT));
	if (rest != 0)
	{
		text += sprintf(text, ".%09lld", (long long) rest);
		while (text[-1] == '0')
			text--;
	}
	return text;
}

/* Step over a count: digits, with up to nine decimals. */
bool
count_take(const char **s, int64_t *count)
{
	const char *here = text_skip_space(*s);
	int64_t		sum = 0;
	int			decimals = 0;

	if (*here < '0' || *here > '9')
		return false;
	for (; *here >= '0' && *here <= '9'; here++)
		if (__builtin_mul_overflow(sum, 10, &sum) ||
			__builtin_add_overflow(sum, *here - '0', &sum))
			return false;
	if (*here == '.')
		for (here++; *here >= '0' && *here <= '9'; here++, decimals++)
			if (decimals >= 9 || __builtin_mul_overflow(sum, 10, &sum) ||
				__builtin_add_overflow(sum, *here - '0', &sum))
				return false;
	for (; decimals < 9; decimals++)
		if (__builtin_mul_overflow(sum, 10, &sum))
			return false;
	*count = sum;
	*s = here;
	return true;
}
