/*
 * markov_text.c
 *		The text form of a Markov model.
 *
 * {"order": 1, "none": [2, 0, 19.9000],
 *  "channels": [["ads", 0.5, 0.25], ["email", 1, 1]],
 *  "states": [[[0], 1, 0, 1, 0.0000], [[1], 3, 2, 1, 59.8000]],
 *  "edges": [[0, 1, 2]]}
 *
 * Paths without a touch: conversions, nulls, value.  A channel: name, removal
 * effect on conversions and on value.  A state: the numbers of its channels,
 * how many paths begin there, conversions, nulls, value.  A transition: from
 * which state to which, and how often.
 */
#include "crm.h"

#include "crm_amount.h"
#include "crm_markov.h"
#include "crm_text.h"
#include "journey.h"

#include "common/shortest_dec.h"
#include "miscadmin.h"

#include <math.h>

static void
AppendCount(StringInfo text, int64 count)
{
	char		buffer[32];

	appendBinaryStringInfo(text, buffer, count_put(buffer, count) - buffer);
}

static void
AppendEnd(StringInfo text, const MarkovEnd *end)
{
	char		buffer[32];

	AppendCount(text, end->conversions);
	appendStringInfoString(text, ", ");
	AppendCount(text, end->nulls);
	appendStringInfoString(text, ", ");
	appendBinaryStringInfo(text, buffer, text_put_amount(buffer, end->value, AMOUNT_SCALE) - buffer);
}

/* Append the text form. */
void
MarkovPrint(const MarkovModel *model, StringInfo text)
{
	char		number[DOUBLE_SHORTEST_DECIMAL_LEN];

	appendStringInfo(text, "{\"order\": %d, \"none\": [", model->order);
	AppendEnd(text, &model->none);
	appendStringInfoString(text, "], \"channels\": [");
	for (int32 i = 0; i < model->channels; i++)
	{
		uint32		length;
		const char *name = markov_name(model, i, &length);

		appendStringInfoString(text, i > 0 ? ", [" : "[");
		enlargeStringInfo(text, name_text_size(name, length));
		text->len = name_put(text->data + text->len, name, length) - text->data;
		double_to_shortest_decimal_buf(markov_removal(model)[i], number);
		appendStringInfo(text, ", %s", number);
		double_to_shortest_decimal_buf(markov_value_removal(model)[i], number);
		appendStringInfo(text, ", %s]", number);
	}
	appendStringInfoString(text, "], \"states\": [");
	for (int32 i = 0; i < model->states; i++)
	{
		const uint32 *window = markov_windows(model) + (Size) i * model->order;

		CHECK_FOR_INTERRUPTS();
		appendStringInfoString(text, i > 0 ? ", [[" : "[[");
		for (int j = 0; j < model->order && window[j] != MARKOV_NO_CHANNEL; j++)
			appendStringInfo(text, "%s%u", j > 0 ? ", " : "", window[j]);
		appendStringInfoString(text, "], ");
		AppendCount(text, model->node[i].starts);
		appendStringInfoString(text, ", ");
		AppendEnd(text, &model->node[i].end);
		appendStringInfoChar(text, ']');
	}
	appendStringInfoString(text, "], \"edges\": [");
	for (int32 i = 0; i < model->states; i++)
		for (int64 e = model->node[i].first_edge; e < model->node[i + 1].first_edge; e++)
		{
			CHECK_FOR_INTERRUPTS();
			appendStringInfo(text, "%s[%d, %u, ", e > 0 ? ", " : "", i, markov_to(model)[e]);
			AppendCount(text, markov_counts(model)[e]);
			appendStringInfoChar(text, ']');
		}
	appendStringInfoString(text, "]}");
}

static bool
TakeIndex(const char **s, int32 limit, uint32 *index)
{
	int64		number;
	int			none;

	if (!text_take_number(s, 0, &number, &none) || number < 0 || number >= limit)
		return false;
	*index = (uint32) number;
	return true;
}

static bool
TakeEnd(const char **s, MarkovEnd *end)
{
	int			none;

	return count_take(s, &end->conversions) && text_take(s, ",") && count_take(s, &end->nulls) &&
		text_take(s, ",") && text_take_number(s, AMOUNT_SCALE, &end->value, &none) &&
		end->value >= 0 && (end->value == 0 || end->conversions > 0);
}

static bool
TakeShare(const char **s, double *share)
{
	return text_take_double(s, share) && *share >= 0 && *share <= 1 && !signbit(*share);
}

/*
 * Step over a part of the text form and add it to the state: NULL, or what is
 * wrong.
 */
static const char *
TakeChannels(const char **s, MarkovState *state)
{
	char	   *name = palloc(strlen(*s) + 1);
	size_t		length;
	int			room = 0;

	if (!text_take_key(s, "channels", false) || !text_take(s, "["))
		return "\"channels\" must follow";
	for (int32 i = 0; !text_take(s, "]"); i++)
	{
		if (i == room)
		{
			room = Max(2 * room, 16);
			state->removal = state->removal == NULL ? palloc(2 * sizeof(double) * room) :
				repalloc_huge(state->removal, 2 * sizeof(double) * room);
		}
		if ((i > 0 && !text_take(s, ",")) || !text_take(s, "[") ||
			!name_take(s, name, &length) || !text_take(s, ",") ||
			!TakeShare(s, &state->removal[2 * i]) || !text_take(s, ",") ||
			!TakeShare(s, &state->removal[2 * i + 1]) || !text_take(s, "]"))
			return "a channel must be a name and two numbers from 0 to 1";
		if (NamesIntern(&state->channels, name, length) != i)
			return "a channel is there twice";
	}
	pfree(name);
	return NULL;
}

static const char *
TakeStates(const char **s, MarkovState *state)
{
	if (!text_take_key(s, "states", false) || !text_take(s, "["))
		return "\"states\" must follow";
	for (int32 i = 0; !text_take(s, "]"); i++)
	{
		uint32		window[MARKOV_MAX_ORDER];
		StateSum	sum;

		CHECK_FOR_INTERRUPTS();
		if ((i > 0 && !text_take(s, ",")) || !text_take(s, "[") || !text_take(s, "["))
			return "a state must begin with a list of channels";
		for (int j = 0; j < state->order; j++)
		{
			window[j] = MARKOV_NO_CHANNEL;
			if (j > 0 && !text_take(s, ","))
				continue;
			if (!TakeIndex(s, state->channels.count, &window[j]))
				return "a state must begin with a list of channels";
		}
		if (!text_take(s, "]") || !text_take(s, ",") || !count_take(s, &sum.starts) ||
			!text_take(s, ",") || !TakeEnd(s, &sum.end) || !text_take(s, "]"))
			return "a state must end with four numbers";
		if (MarkovIntern(state, window) != i)
			return "a state is there twice";
		state->sums[i] = sum;
	}
	return NULL;
}

static const char *
TakeEdges(const char **s, MarkovState *state)
{
	if (!text_take_key(s, "edges", false) || !text_take(s, "["))
		return "\"edges\" must follow";
	for (int64 i = 0; !text_take(s, "]"); i++)
	{
		uint32		from;
		uint32		to;
		int64		count;

		CHECK_FOR_INTERRUPTS();
		if ((i > 0 && !text_take(s, ",")) || !text_take(s, "[") ||
			!TakeIndex(s, state->states, &from) || !text_take(s, ",") ||
			!TakeIndex(s, state->states, &to) || !text_take(s, ",") ||
			!count_take(s, &count) || !text_take(s, "]") || count == 0)
			return "a transition must be two states and a count";
		if (!MarkovTransition(state, from, to, count))
			return "a transition leads to a state that cannot follow";
		if (state->edges != i + 1)
			return "a transition is there twice";
	}
	return NULL;
}

/*
 * Read the text form into a new state.  Returns NULL, or what is wrong with it, as
 * the detail of an error message.
 */
const char *
MarkovParse(const char *s, MarkovState **result)
{
	MarkovState *state;
	const char *wrong;
	int64		order;
	int			none;

	if (!text_take(&s, "{") || !text_take_key(&s, "order", true) ||
		!text_take_number(&s, 0, &order, &none) || order < 1 || order > MARKOV_MAX_ORDER)
		return "it must begin with {\"order\": and a number from 1 to 4";
	*result = state = MarkovStateNew(CurrentMemoryContext, (int) order);
	if (!text_take_key(&s, "none", false) || !text_take(&s, "[") || !TakeEnd(&s, &state->none) ||
		!text_take(&s, "]"))
		return "\"none\", three numbers, must follow";
	if ((wrong = TakeChannels(&s, state)) != NULL || (wrong = TakeStates(&s, state)) != NULL ||
		(wrong = TakeEdges(&s, state)) != NULL)
		return wrong;
	if (!text_take(&s, "}") || *text_skip_space(s) != '\0')
		return "it must end with }";
	if (!MarkovAddsUp(state))
		return "its counts do not add up";
	return NULL;
}
