/*
 * markov_state.c
 *		Paths on their way to a Markov model: states and transitions, counted.
 */
#include "crm.h"

#include "crm_markov.h"

#include "common/int.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* An empty state, all of whose parts are in that context. */
MarkovState *
MarkovStateNew(MemoryContext context, int order)
{
	MarkovState *state;

	if (order < 1 || order > MARKOV_MAX_ORDER)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("markov_order must be from 1 to %d", MARKOV_MAX_ORDER)));
	state = MemoryContextAllocZero(context, sizeof(MarkovState));
	state->context = context;
	state->order = order;
	NamesInit(&state->channels, context);
	return state;
}

static inline uint64
Mix(uint64 hash)
{
	hash ^= hash >> 32;
	hash *= UINT64CONST(0x9E3779B97F4A7C15);
	return hash ^ hash >> 29;
}

static inline uint32
WindowSlot(const MarkovState *state, const uint32 *window)
{
	uint32		mask = 2 * state->room - 1;
	uint64		hash = 0;
	uint32		slot;

	for (int i = 0; i < state->order; i++)
		hash = Mix(hash ^ window[i]);
	for (slot = (uint32) hash & mask; state->slots[slot] != 0; slot = (slot + 1) & mask)
	{
		const uint32 *other = state->windows + (Size) (state->slots[slot] - 1) * state->order;
		int			i = 0;

		while (i < state->order && other[i] == window[i])
			i++;
		if (i == state->order)
			break;
	}
	return slot;
}

static void
MarkovGrow(MarkovState *state)
{
	int32		room = state->room == 0 ? 16 : state->room * 2;

	if (room > PG_INT32_MAX / 4)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many states in a Markov model")));
	if (state->room == 0)
	{
		state->windows = MemoryContextAlloc(state->context, sizeof(uint32) * state->order * room);
		state->sums = MemoryContextAlloc(state->context, sizeof(StateSum) * room);
	}
	else
	{
		state->windows = repalloc_huge(state->windows, sizeof(uint32) * state->order * (Size) room);
		state->sums = repalloc_huge(state->sums, sizeof(StateSum) * (Size) room);
		pfree(state->slots);
	}
	state->slots = MemoryContextAllocHuge(state->context, sizeof(int32) * 2 * (Size) room);
	memset(state->slots, 0, sizeof(int32) * 2 * (Size) room);
	state->room = room;
	for (int32 i = 0; i < state->states; i++)
		state->slots[WindowSlot(state, state->windows + (Size) i * state->order)] = i + 1;
}

/* The number of a state, which is added if it is new. */
int32
MarkovIntern(MarkovState *state, const uint32 *window)
{
	uint32		slot;

	if (unlikely(state->states == state->room))
		MarkovGrow(state);
	slot = WindowSlot(state, window);
	if (likely(state->slots[slot] != 0))
		return state->slots[slot] - 1;
	memcpy(state->windows + (Size) state->states * state->order, window,
		   sizeof(uint32) * state->order);
	memset(&state->sums[state->states], 0, sizeof(StateSum));
	state->slots[slot] = ++state->states;
	return state->states - 1;
}

static inline EdgeSum *
EdgeSlot(const MarkovState *state, uint32 from, uint32 channel)
{
	uint64		mask = state->edge_room - 1;
	uint64		slot = Mix((uint64) from << 32 | channel) & mask;

	while (state->edge[slot].count != 0 &&
		   (state->edge[slot].from != from || state->edge[slot].channel != channel))
		slot = (slot + 1) & mask;
	return &state->edge[slot];
}

/*
 * Add transitions from a state to the one of that window, which is another and
 * ends with that channel; the number of that state.
 */
static inline uint32
MarkovEdge(MarkovState *state, uint32 from, uint32 channel, const uint32 *window, int64 count)
{
	EdgeSum    *edge;

	if (unlikely(state->edges >= state->edge_room / 4 * 3))
	{
		EdgeSum    *old = state->edge;
		int64		old_room = state->edge_room;

		state->edge_room = old_room == 0 ? 16 : old_room * 2;
		state->edge = MemoryContextAllocHuge(state->context, sizeof(EdgeSum) * state->edge_room);
		memset(state->edge, 0, sizeof(EdgeSum) * state->edge_room);
		for (int64 i = 0; i < old_room; i++)
			if (old[i].count != 0)
				*EdgeSlot(state, old[i].from, old[i].channel) = old[i];
		if (old != NULL)
			pfree(old);
	}
	edge = EdgeSlot(state, from, channel);
	if (unlikely(edge->count == 0))
	{
		edge->from = from;
		edge->channel = channel;
		edge->to = MarkovIntern(state, window);
		state->edges++;
	}
	edge->count += count;
	return edge->to;
}

/*
 * Add transitions between two states that are there.  False if the windows do
 * not follow each other.
 */
bool
MarkovTransition(MarkovState *state, uint32 from, uint32 to, int64 count)
{
	int			order = state->order;
	const uint32 *before = state->windows + (Size) from * order;
	uint32		window[MARKOV_MAX_ORDER];

	memcpy(window, state->windows + (Size) to * order, sizeof(uint32) * order);
	if (from == to || window[order - 1] == MARKOV_NO_CHANNEL ||
		memcmp(window, before + 1, sizeof(uint32) * (order - 1)) != 0)
		return false;
	(void) MarkovEdge(state, from, window[order - 1], window, count);
	return true;
}

static void
EndAdd(MarkovEnd *end, const MarkovEnd *other)
{
	end->conversions += other->conversions;
	end->nulls += other->nulls;
	end->value += other->value;
}

/*
 * Add to the totals, which bound every other sum: `moves` counts each path once
 * for each of its touches and once more.
 */
static void
MarkovTotal(MarkovState *state, const MarkovEnd *end, int64 touches)
{
	int64		paths;
	int64		moves;

	if (pg_add_s64_overflow(end->conversions, end->nulls, &paths) ||
		pg_mul_s64_overflow(paths, touches + 1, &moves) ||
		pg_add_s64_overflow(state->moves, moves, &state->moves) ||
		pg_add_s64_overflow(state->total.value, end->value, &state->total.value))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("sum of paths out of range"),
				 errdetail("Touches of all paths must stay below %lld, and value below 922337203685477.5808.",
						   (long long) (PG_INT64_MAX / MARKOV_UNIT))));
	state->total.conversions += end->conversions;
	state->total.nulls += end->nulls;
}

/* Add so many customers who went a path; its channels are copied if they are new. */
void
MarkovAddPath(MarkovState *state, const PathRow *row)
{
	MarkovEnd	end = {row->conversions, row->nulls, row->value};
	int64		count = row->conversions + row->nulls;
	int			order = state->order;
	uint32		last;
	uint32	   *numbers;

	if (row->conversions == 0 && row->nulls == 0)
		return;
	MarkovTotal(state, &end, row->touches);
	if (row->touches == 0)
	{
		EndAdd(&state->none, &end);
		return;
	}
	if (row->touches + order > state->number_room)
	{
		if (state->numbers != NULL)
			pfree(state->numbers);
		state->number_room = Max(row->touches + order, 32);
		state->numbers = MemoryContextAllocHuge(state->context, sizeof(uint32) * state->number_room);
	}
	numbers = state->numbers;
	for (int i = 0; i < row->touches; i++)
		numbers[i] = NamesIntern(&state->channels, row->channels[i].text, row->channels[i].length);
	for (int i = row->touches; i < order; i++)
		numbers[i] = MARKOV_NO_CHANNEL;

	last = MarkovIntern(state, numbers);
	state->sums[last].starts += count;
	for (int i = order; i < row->touches; i++)
	{
		const uint32 *window = numbers + i - order + 1;
		int			same = 0;

		/* a window is as the one before it if all of its channels are one */
		while (same < order && window[same] == window[same - 1])
			same++;
		if (same < order)
			last = MarkovEdge(state, last, numbers[i], window, count);
	}
	EndAdd(&state->sums[last].end, &end);
}

/* Add the paths of a model, which must be of the same order. */
void
MarkovAddModel(MarkovState *state, const MarkovModel *model)
{
	uint32	   *channels = palloc_array_huge(uint32, model->channels);
	uint32	   *states = palloc_array_huge(uint32, model->states);
	int64		moves = 0;

	if (model->order != state->order)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("Markov models of order %d and %d cannot be merged", state->order, model->order)));
	for (int32 i = 0; i < model->channels; i++)
	{
		uint32		length;
		const char *name = markov_name(model, i, &length);

		channels[i] = NamesIntern(&state->channels, name, length);
	}
	for (int32 i = 0; i < model->states; i++)
		moves += model->node[i].visits;
	/* the touches that were folded into one state are not known any more */
	MarkovTotal(state, &model->total, 0);
	if (pg_add_s64_overflow(state->moves, moves, &state->moves))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("sum of paths out of range")));
	EndAdd(&state->none, &model->none);
	for (int32 i = 0; i < model->states; i++)
	{
		const uint32 *from = markov_windows(model) + (Size) i * model->order;
		uint32		window[MARKOV_MAX_ORDER];

		for (int j = 0; j < model->order; j++)
			window[j] = from[j] == MARKOV_NO_CHANNEL ? MARKOV_NO_CHANNEL : channels[from[j]];
		states[i] = MarkovIntern(state, window);
		state->sums[states[i]].starts += model->node[i].starts;
		EndAdd(&state->sums[states[i]].end, &model->node[i].end);
	}
	for (int32 i = 0; i < model->states; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int64 e = model->node[i].first_edge; e < model->node[i + 1].first_edge; e++)
			(void) MarkovTransition(state, states[i], states[markov_to(model)[e]], markov_counts(model)[e]);
	}
	pfree(channels);
	pfree(states);
}

/*
 * Whether what comes into each state goes out of it, and the parts make up the
 * totals, in numbers that the bounds of an aggregate allow.
 */
bool
MarkovAddsUp(MarkovState *state)
{
	int64	   *flow = palloc_array_huge(int64, 2 * (Size) state->states);
	MarkovEnd	none = state->none;

	memset(&state->total, 0, sizeof(MarkovEnd));
	state->moves = 0;
	if (pg_add_s64_overflow(none.conversions, none.nulls, &state->moves))
		return false;
	state->total = none;
	for (int32 i = 0; i < state->states; i++)
	{
		const StateSum *sum = &state->sums[i];

		flow[2 * i] = sum->starts;
		if (pg_add_s64_overflow(sum->end.conversions, sum->end.nulls, &flow[2 * i + 1]) ||
			pg_add_s64_overflow(state->total.conversions, sum->end.conversions, &state->total.conversions) ||
			pg_add_s64_overflow(state->total.nulls, sum->end.nulls, &state->total.nulls) ||
			pg_add_s64_overflow(state->total.value, sum->end.value, &state->total.value))
			return false;
	}
	for (int64 i = 0; i < state->edge_room; i++)
	{
		const EdgeSum *edge = &state->edge[i];

		if (edge->count != 0 &&
			(pg_add_s64_overflow(flow[2 * edge->to], edge->count, &flow[2 * edge->to]) ||
			 pg_add_s64_overflow(flow[2 * edge->from + 1], edge->count, &flow[2 * edge->from + 1])))
			return false;
	}
	for (int32 i = 0; i < state->states; i++)
		if (flow[2 * i] != flow[2 * i + 1] || flow[2 * i] <= 0 ||
			pg_add_s64_overflow(state->moves, flow[2 * i], &state->moves))
			return false;
	return true;
}

typedef struct Edge
{
	uint32		to;
	int64		count;
} Edge;

#define ST_SORT SortEdges
#define ST_ELEMENT_TYPE Edge
#define ST_COMPARE(a, b) ((a)->to < (b)->to ? -1 : (a)->to > (b)->to)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

typedef struct WindowOrder
{
	const uint32 *windows;
	int			order;
} WindowOrder;

static inline int
WindowCompare(const int32 *a, const int32 *b, const WindowOrder *arg)
{
	const uint32 *left = arg->windows + (Size) *a * arg->order;
	const uint32 *right = arg->windows + (Size) *b * arg->order;

	for (int i = 0; i < arg->order; i++)
		if (left[i] != right[i])
			return left[i] < right[i] ? -1 : 1;
	return 0;
}

#define ST_SORT SortWindows
#define ST_ELEMENT_TYPE int32
#define ST_COMPARE_ARG_TYPE const WindowOrder
#define ST_COMPARE(a, b, arg) WindowCompare(a, b, arg)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * Write the transitions into a model, of which place[i] is the place of a state
 * and whose states know their starts: by the states that they lead from, and
 * within those by where to.  The visits of those are complete after that.
 */
static void
PutEdges(const MarkovState *state, const uint32 *place, MarkovModel *model)
{
	Edge	   *edges = palloc_array_huge(Edge, state->edges);
	MarkovNode *node = model->node;

	for (int64 i = 0; i < state->edge_room; i++)
		if (state->edge[i].count != 0)
			node[place[state->edge[i].from] + 1].first_edge++;
	for (int32 i = 0; i < model->states; i++)
		node[i + 1].first_edge += node[i].first_edge;
	for (int64 i = 0; i < state->edge_room; i++)
	{
		const EdgeSum *edge = &state->edge[i];

		if (edge->count != 0)
		{
			int64		at = node[place[edge->from]].first_edge++;

			edges[at].to = place[edge->to];
			edges[at].count = edge->count;
			node[place[edge->to]].visits += edge->count;
		}
	}
	for (int32 i = model->states; i > 0; i--)
		node[i].first_edge = node[i - 1].first_edge;
	node[0].first_edge = 0;
	for (int32 i = 0; i < model->states; i++)
	{
		CHECK_FOR_INTERRUPTS();
		SortEdges(edges + node[i].first_edge, node[i + 1].first_edge - node[i].first_edge);
		for (int64 e = node[i].first_edge; e < node[i + 1].first_edge; e++)
		{
			markov_to(model)[e] = edges[e].to;
			markov_counts(model)[e] = edges[e].count;
		}
	}
	pfree(edges);
}

/* The state as a value, with removal effects that are known, or zeroes. */
MarkovModel *
MarkovStateValue(MarkovState *state)
{
	int			order = state->order;
	int32		channels = state->channels.count;
	int32		states = state->states;
	int32	   *sorted = palloc_array_huge(int32, channels);
	uint32	   *number = palloc_array_huge(uint32, channels);
	uint32	   *windows = palloc_array_huge(uint32, (Size) states * order);
	int32	   *which = palloc_array_huge(int32, states);
	uint32	   *place = palloc_array_huge(uint32, states);
	WindowOrder by_window = {windows, order};
	Size		names = 0;
	Size		size;
	MarkovModel *model;

	/* channels by their names, states by their windows of those */
	for (int32 i = 0; i < channels; i++)
	{
		sorted[i] = i;
		names += state->channels.names[i].length;
	}
	NamesSort(&state->channels, sorted, channels);
	for (int32 i = 0; i < channels; i++)
		number[sorted[i]] = i;
	for (Size i = 0; i < (Size) states * order; i++)
		windows[i] = state->windows[i] == MARKOV_NO_CHANNEL ? MARKOV_NO_CHANNEL : number[state->windows[i]];
	for (int32 i = 0; i < states; i++)
		which[i] = i;
	SortWindows(which, states, &by_window);
	for (int32 i = 0; i < states; i++)
		place[which[i]] = i;

	size = markov_size(order, channels, states, state->edges, names);
	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("Markov model is too large"),
				 errdetail("It has %d states and %lld transitions, and takes %zu bytes; a value has at most %zu.",
						   states, (long long) state->edges, size, MaxAllocSize),
				 errhint("Use a lower order, or fewer channels.")));
	model = palloc0(size);
	SET_VARSIZE(model, size);
	model->version = MARKOV_VERSION;
	model->order = order;
	model->channels = channels;
	model->states = states;
	model->edges = state->edges;
	model->none = state->none;
	model->total = state->total;

	for (int32 i = 0; i < states; i++)
	{
		MarkovNode *node = &model->node[i];
		const StateSum *sum = &state->sums[which[i]];

		node->starts = node->visits = sum->starts;
		node->end = sum->end;
		memcpy(markov_windows(model) + (Size) i * order, windows + (Size) which[i] * order,
			   sizeof(uint32) * order);
	}
	PutEdges(state, place, model);
	for (int32 i = 0; i < channels; i++)
	{
		const KnownName *name = &state->channels.names[sorted[i]];

		name_table_put(markov_ends(model), markov_names(model), i, name->text, name->length);
		if (state->removal != NULL)
		{
			markov_removal(model)[i] = state->removal[2 * sorted[i]];
			markov_value_removal(model)[i] = state->removal[2 * sorted[i] + 1];
		}
	}
	pfree(sorted);
	pfree(number);
	pfree(windows);
	pfree(which);
	pfree(place);
	return model;
}
