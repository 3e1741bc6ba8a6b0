/*
 * markov.c
 *		The type crm.markov_model: which channel won the orders, by a Markov
 *		chain of the paths to them.
 */
#include "crm.h"

#include "crm_amount.h"
#include "crm_attribution.h"
#include "crm_journey.h"
#include "crm_names.h"
#include "crm_paths.h"
#include "crm_text.h"
#include "markov.h"

#include <math.h>

#include "common/int.h"
#include "common/shortest_dec.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

StaticAssertDecl(sizeof(MarkovNode) == 48 && offsetof(MarkovModel, node) == 72,
				 "the layout of crm.markov_model is on disk");
StaticAssertDecl(MARKOV_UNIT == PATH_UNIT, "a model counts paths");

#define DatumGetMarkovModelP(X)		((MarkovModel *) PG_DETOAST_DATUM(X))
#define PG_GETARG_MARKOV_MODEL_P(n) DatumGetMarkovModelP(PG_GETARG_DATUM(n))

PG_FUNCTION_INFO_V1(crm_markov_model_in);
PG_FUNCTION_INFO_V1(crm_markov_model_out);
PG_FUNCTION_INFO_V1(crm_markov_model_recv);
PG_FUNCTION_INFO_V1(crm_markov_model_send);
PG_FUNCTION_INFO_V1(crm_markov_add);
PG_FUNCTION_INFO_V1(crm_markov_add_model);
PG_FUNCTION_INFO_V1(crm_markov_merge);
PG_FUNCTION_INFO_V1(crm_markov_serialize);
PG_FUNCTION_INFO_V1(crm_markov_deserialize);
PG_FUNCTION_INFO_V1(crm_markov_final);
PG_FUNCTION_INFO_V1(crm_markov_channels);
PG_FUNCTION_INFO_V1(crm_transitions);
PG_FUNCTION_INFO_V1(crm_markov_log_likelihood);
PG_FUNCTION_INFO_V1(crm_markov_credit);

/*
 * The aggregate's state: only states and transitions that a path has are kept,
 * in hash tables, so that memory grows with what was seen, not with a power of
 * the number of channels.
 */
typedef struct StateSum
{
	int64		starts;
	MarkovEnd	end;
} StateSum;

/*
 * A state and the channel that comes next tell the next state: its window is
 * looked up with the first such transition only.
 */
typedef struct EdgeSum
{
	uint32		from;
	uint32		channel;
	uint32		to;
	int64		count;			/* 0: a free slot */
} EdgeSum;

typedef struct MarkovState
{
	MemoryContext context;
	int			order;
	Names		channels;

	int32		states;
	int32		room;			/* a power of two, or 0 */
	uint32	   *windows;		/* order channels each */
	StateSum   *sums;
	int32	   *slots;			/* 2 * room: number + 1, or 0 */

	int64		edges;
	int64		edge_room;		/* a power of two, or 0; at most 3/4 is used */
	EdgeSum    *edge;

	MarkovEnd	none;
	MarkovEnd	total;
	int64		moves;			/* bounds every count */
	double	   *removal;		/* two of each channel, if known */

	PathRow		row;
	uint32	   *numbers;
	int			number_room;
} MarkovState;

static MarkovState *
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
static inline int32
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
static bool
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

static void
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

static void
MarkovAddModel(MarkovState *state, const MarkovModel *model)
{
	uint32	   *channels = palloc_extended(sizeof(uint32) * Max(model->channels, 1), MCXT_ALLOC_HUGE);
	uint32	   *states = palloc_extended(sizeof(uint32) * Max(model->states, 1), MCXT_ALLOC_HUGE);
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

/* A model of so few states is solved by elimination at once: that is quick. */
#define FEW_STATES		256

/* One of up to so many if sweeps, of which it got so many, do not get far. */
#define SOME_STATES		2048
#define FEW_SWEEPS		2000

/* A chain whose states are eliminated, and their numbers in the model. */
typedef struct DenseChain
{
	MarkovDense dense;
	int32	   *state;
} DenseChain;

static void
DenseInit(DenseChain *chain, int32 states)
{
	chain->dense.states = states;
	chain->dense.width = states;
	chain->dense.rows = palloc_extended(sizeof(double) * Max((Size) states * states, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	chain->dense.starts = palloc(sizeof(double) * Max(states, 1) * 3);
	chain->dense.conversions = chain->dense.starts + states;
	chain->dense.value = chain->dense.conversions + states;
	chain->state = palloc(sizeof(int32) * Max(states, 1));
}

static void
DenseFree(DenseChain *chain)
{
	pfree(chain->dense.rows);
	pfree(chain->dense.starts);
	pfree(chain->state);
}

/* Whether a state contains one of the channels first to end - 1. */
static inline bool
StateContains(const MarkovModel *model, int32 state, int32 first, int32 end)
{
	const uint32 *window = markov_windows(model) + (Size) state * model->order;

	for (int i = 0; i < model->order; i++)
		if (window[i] >= (uint32) first && window[i] < (uint32) end)
			return true;
	return false;
}

/*
 * Set what is lost without each of the channels first to end - 1, from a chain
 * that has all states that contain one of them.
 *
 * What is eliminated for a channel are the states without it.  Those that half
 * of the channels have in common are eliminated for all of them at once, and
 * the same of the halves: all channels take about as long as one.
 */
static void
Eliminate(MarkovModel *model, const DenseChain *chain, int32 first, int32 end)
{
	int32		middle = first + (end - first) / 2;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (end - first == 1)
	{
		double		conversions = 0;
		double		value = 0;

		for (int32 i = 0; i < chain->dense.states; i++)
		{
			conversions += chain->dense.conversions[i];
			value += chain->dense.value[i];
		}
		markov_removal(model)[first] = conversions;
		markov_value_removal(model)[first] = value;
		return;
	}
	for (int half = 0; half < 2; half++)
	{
		int32		from = half == 0 ? first : middle;
		int32		to = half == 0 ? middle : end;
		int32		states = chain->dense.states;
		int32	   *old = palloc(sizeof(int32) * Max(states, 1));
		int32		keep = 0;
		int32		drop = states;
		DenseChain	copy;

		for (int32 i = 0; i < states; i++)
			if (StateContains(model, chain->state[i], from, to))
				old[keep++] = i;
			else
				old[--drop] = i;
		DenseInit(&copy, states);
		for (int32 i = 0; i < states; i++)
		{
			const double *row = chain->dense.rows + (Size) old[i] * chain->dense.width;

			for (int32 j = 0; j < states; j++)
				copy.dense.rows[(Size) i * states + j] = row[old[j]];
			copy.dense.starts[i] = chain->dense.starts[old[i]];
			copy.dense.conversions[i] = chain->dense.conversions[old[i]];
			copy.dense.value[i] = chain->dense.value[old[i]];
			copy.state[i] = chain->state[old[i]];
		}
		pfree(old);
		while (copy.dense.states > keep)
		{
			CHECK_FOR_INTERRUPTS();
			markov_eliminate(&copy.dense, Max(keep, copy.dense.states - 16));
		}
		Eliminate(model, &copy, from, to);
		DenseFree(&copy);
	}
}

/* Set what is lost without each channel by elimination. */
static void
SolveDense(MarkovModel *model)
{
	const uint32 *to = markov_to(model);
	const int64 *counts = markov_counts(model);
	DenseChain	chain;

	DenseInit(&chain, model->states);
	for (int32 s = 0; s < model->states; s++)
	{
		const MarkovNode *node = &model->node[s];

		for (int64 e = node[0].first_edge; e < node[1].first_edge; e++)
			chain.dense.rows[(Size) to[e] * model->states + s] = (double) counts[e];
		chain.dense.starts[s] = (double) node->starts;
		chain.dense.conversions[s] = (double) node->end.conversions;
		chain.dense.value[s] = (double) node->end.value;
		chain.state[s] = s;
	}
	Eliminate(model, &chain, 0, model->channels);
	DenseFree(&chain);
}

/*
 * Set what is lost without each channel by sweeps.  Returns false if they do not
 * get far and there is a better way.
 */
static bool
SolveSparse(MarkovModel *model)
{
	int32		states = model->states;
	Size		room = Max(states, 1);
	MarkovChain chain;
	int32	   *place = palloc_extended(sizeof(int32) * room, MCXT_ALLOC_HUGE);
	int32	   *state = palloc_extended(sizeof(int32) * room, MCXT_ALLOC_HUGE);
	int64	   *first = palloc_extended(sizeof(int64) * (room + 1), MCXT_ALLOC_HUGE);
	double	   *visits = palloc_extended(sizeof(double) * room, MCXT_ALLOC_HUGE);
	double	   *ends = palloc_extended(sizeof(double) * room, MCXT_ALLOC_HUGE);
	uint32	   *from = palloc_extended(sizeof(uint32) * Max(model->edges, 1), MCXT_ALLOC_HUGE);
	double	   *share = palloc_extended(sizeof(double) * Max(model->edges, 1), MCXT_ALLOC_HUGE);
	uint8	   *fixed = palloc_extended(room, MCXT_ALLOC_HUGE);
	bool	   *reaches = palloc_extended(room, MCXT_ALLOC_HUGE);
	double		(*been)[MARKOV_LANES] = palloc_extended(sizeof(*been) * room, MCXT_ALLOC_HUGE);
	double		(*moved)[MARKOV_LANES] = palloc_extended(sizeof(*moved) * room, MCXT_ALLOC_HUGE);
	uint8	   *news = palloc_extended(room, MCXT_ALLOC_HUGE);
	const uint32 *to = markov_to(model);
	const int64 *counts = markov_counts(model);
	bool		solved = true;

	/*
	 * Where most states follow few others, the order of the paths saves many
	 * sweeps.  Where all mix anyway, the order of the windows is better for the
	 * processor's caches: states side by side are then entered from the same.
	 */
	if (model->edges < (int64) states * 8)
		markov_order_states(model, place, state, first, (int32 *) moved);
	else
		for (int32 i = 0; i < states; i++)
			place[i] = state[i] = i;

	/*
	 * The edges into each state.  One from itself says nothing: what is there
	 * again was there before.
	 */
	memset(first, 0, sizeof(int64) * (room + 1));
	for (int32 s = 0; s < states; s++)
		for (int64 e = model->node[s].first_edge; e < model->node[s + 1].first_edge; e++)
			if (to[e] != (uint32) s)
				first[place[to[e]] + 1]++;
	for (int32 i = 0; i < states; i++)
		first[i + 1] += first[i];
	for (int32 p = 0; p < states; p++)
		visits[p] = (double) (model->node[state[p]].visits -
							  markov_transitions(model, state[p], state[p]));
	for (int32 p = 0; p < states; p++)
	{
		const MarkovNode *node = &model->node[state[p]];

		ends[p] = (double) node->end.conversions;
		for (int64 e = node[0].first_edge; e < node[1].first_edge; e++)
			if (to[e] != (uint32) state[p])
			{
				int32		t = place[to[e]];
				int64		into = first[t]++;

				from[into] = p;
				share[into] = (double) counts[e] / visits[t];
			}
	}
	memmove(first + 1, first, sizeof(int64) * states);
	first[0] = 0;
	chain.states = states;
	chain.visits = visits;
	chain.conversions = ends;
	chain.first = first;
	chain.from = from;
	chain.share = share;
	markov_reach(&chain, reaches, (int32 *) moved);

	for (int32 channel = 0; channel < model->channels && solved; channel += MARKOV_LANES)
	{
		MarkovSweep sweep;
		double		conversions[MARKOV_LANES] = {0};
		double		value[MARKOV_LANES] = {0};

		for (int32 p = 0; p < states; p++)
		{
			const uint32 *window = markov_windows(model) + (Size) state[p] * model->order;

			fixed[p] = 0;
			for (int i = 0; i < model->order; i++)
				if (window[i] >= (uint32) channel && window[i] < (uint32) channel + MARKOV_LANES)
					fixed[p] |= 1 << (window[i] - channel);
			for (int l = 0; l < MARKOV_LANES; l++)
				been[p][l] = (fixed[p] >> l) & 1;
			if (!reaches[p])
				fixed[p] = (1 << MARKOV_LANES) - 1;
		}
		memset(news, 0, states);
		memset(&sweep, 0, sizeof(sweep));
		do
			CHECK_FOR_INTERRUPTS();
		while (!markov_sweep(&chain, fixed, been, moved, news, &sweep) &&
			   (states > SOME_STATES || sweep.sweeps < FEW_SWEEPS));
		solved = states > SOME_STATES || sweep.sweeps < FEW_SWEEPS;

		for (int32 p = 0; p < states; p++)
			for (int l = 0; l < MARKOV_LANES; l++)
			{
				conversions[l] += ends[p] * been[p][l];
				value[l] += (double) model->node[state[p]].end.value * been[p][l];
			}
		for (int l = 0; l < MARKOV_LANES && channel + l < model->channels; l++)
		{
			markov_removal(model)[channel + l] = conversions[l];
			markov_value_removal(model)[channel + l] = value[l];
		}
	}
	pfree(place);
	pfree(state);
	pfree(first);
	pfree(visits);
	pfree(ends);
	pfree(from);
	pfree(share);
	pfree(fixed);
	pfree(reaches);
	pfree(been);
	pfree(moved);
	pfree(news);
	return solved;
}

/* Solve the chain for all channels: the removal effects. */
static void
MarkovSolve(MarkovModel *model)
{
	double	   *removal = markov_removal(model);
	double	   *value_removal = markov_value_removal(model);

	if (model->channels == 0 || model->total.conversions == 0)
		return;					/* nothing to lose */
	if (model->states <= FEW_STATES || !SolveSparse(model))
		SolveDense(model);
	for (int32 i = 0; i < model->channels; i++)
	{
		removal[i] = Min(removal[i] / (double) model->total.conversions, 1);
		value_removal[i] = model->total.value == 0 ? 0 :
			Min(value_removal[i] / (double) model->total.value, 1);
	}
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

/* The state as a value, with removal effects that are known, or zeroes. */
static MarkovModel *
MarkovStateValue(MarkovState *state)
{
	int			order = state->order;
	int32		channels = state->channels.count;
	int32		states = state->states;
	int32	   *sorted = palloc_extended(sizeof(int32) * Max(channels, 1), MCXT_ALLOC_HUGE);
	uint32	   *number = palloc_extended(sizeof(uint32) * Max(channels, 1), MCXT_ALLOC_HUGE);
	uint32	   *windows = palloc_extended(sizeof(uint32) * Max((Size) states * order, 1), MCXT_ALLOC_HUGE);
	int32	   *which = palloc_extended(sizeof(int32) * Max(states, 1), MCXT_ALLOC_HUGE);
	uint32	   *place = palloc_extended(sizeof(uint32) * Max(states, 1), MCXT_ALLOC_HUGE);
	Edge	   *edges = palloc_extended(sizeof(Edge) * Max(state->edges, 1), MCXT_ALLOC_HUGE);
	WindowOrder by_window;
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
	by_window.windows = windows;
	by_window.order = order;
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

	for (int64 i = 0; i < state->edge_room; i++)
		if (state->edge[i].count != 0)
			model->node[place[state->edge[i].from] + 1].first_edge++;
	for (int32 i = 0; i < states; i++)
	{
		MarkovNode *node = &model->node[i];
		const StateSum *sum = &state->sums[which[i]];

		node[1].first_edge += node[0].first_edge;
		node->starts = sum->starts;
		node->visits = sum->starts;
		node->end = sum->end;
		memcpy(markov_windows(model) + (Size) i * order, windows + (Size) which[i] * order,
			   sizeof(uint32) * order);
	}
	for (int64 i = 0; i < state->edge_room; i++)
	{
		const EdgeSum *edge = &state->edge[i];

		if (edge->count != 0)
		{
			int64		at = model->node[place[edge->from]].first_edge++;

			edges[at].to = place[edge->to];
			edges[at].count = edge->count;
			model->node[place[edge->to]].visits += edge->count;
		}
	}
	for (int32 i = states; i > 0; i--)
		model->node[i].first_edge = model->node[i - 1].first_edge;
	model->node[0].first_edge = 0;
	for (int32 i = 0; i < states; i++)
	{
		int64		first = model->node[i].first_edge;
		int64		end = model->node[i + 1].first_edge;

		SortEdges(edges + first, end - first);
		for (int64 e = first; e < end; e++)
		{
			markov_to(model)[e] = edges[e].to;
			markov_counts(model)[e] = edges[e].count;
		}
	}

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
	pfree(edges);
	return model;
}

static MemoryContext
MarkovContext(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "crm.markov_model transition function called in non-aggregate context");
	return context;
}

/*
 * markov_add(internal, path text[], conversions numeric, value numeric, nulls
 * numeric, markov_order integer) returns internal: so many customers went that
 * path, and so many of them ordered for that value.
 */
Datum
crm_markov_add(PG_FUNCTION_ARGS)
{
	MemoryContext context = MarkovContext(fcinfo);
	MarkovState *state = PG_ARGISNULL(0) ? NULL : (MarkovState *) PG_GETARG_POINTER(0);

	if (PG_ARGISNULL(5))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("markov_order must not be null")));
	if (state == NULL)
		state = MarkovStateNew(context, PG_GETARG_INT32(5));
	else if (state->order != PG_GETARG_INT32(5))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("markov_order must be the same for all paths of a group")));
	PathRowGet(fcinfo, 1, context, &state->row);
	MarkovAddPath(state, &state->row);
	PG_RETURN_POINTER(state);
}

/* markov_add(internal, markov_model) returns internal: rollup()'s transition. */
Datum
crm_markov_add_model(PG_FUNCTION_ARGS)
{
	MemoryContext context = MarkovContext(fcinfo);
	MarkovState *state = PG_ARGISNULL(0) ? NULL : (MarkovState *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		MarkovModel *model = PG_GETARG_MARKOV_MODEL_P(1);

		if (state == NULL)
			state = MarkovStateNew(context, model->order);
		MarkovAddModel(state, model);
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

/* markov_merge(internal, internal) returns internal: the paths of both. */
Datum
crm_markov_merge(PG_FUNCTION_ARGS)
{
	MemoryContext context = MarkovContext(fcinfo);
	MarkovState *state = PG_ARGISNULL(0) ? NULL : (MarkovState *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		MarkovState *other = (MarkovState *) PG_GETARG_POINTER(1);

		if (state == NULL)
			state = MarkovStateNew(context, other->order);
		MarkovAddModel(state, MarkovStateValue(other));
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

/* markov_serialize(internal) returns bytea: the state as a value, unsolved. */
Datum
crm_markov_serialize(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(MarkovStateValue((MarkovState *) PG_GETARG_POINTER(0)));
}

/*
 * markov_deserialize(bytea, internal) returns internal.  What a worker sent may
 * begin at any multiple of 4, and has integers of 8 bytes: hence the copy.
 */
Datum
crm_markov_deserialize(PG_FUNCTION_ARGS)
{
	MarkovModel *model = (MarkovModel *) PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(0));
	MarkovState *state = MarkovStateNew(CurrentMemoryContext, model->order);

	MarkovContext(fcinfo);
	MarkovAddModel(state, model);
	PG_RETURN_POINTER(state);
}

/*
 * markov_final(internal) returns markov_model: NULL for no rows.  May run more
 * than once on a state.
 */
Datum
crm_markov_final(PG_FUNCTION_ARGS)
{
	MarkovModel *model;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	model = MarkovStateValue((MarkovState *) PG_GETARG_POINTER(0));
	MarkovSolve(model);
	PG_RETURN_POINTER(model);
}

/*
 * Text form
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

static void
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
 * Whether what comes into each state goes out of it, and the parts make up the
 * totals, in numbers that the bounds of an aggregate allow.
 */
static bool
MarkovAddsUp(MarkovState *state)
{
	int64	   *flow = palloc_extended(sizeof(int64) * Max(state->states, 1) * 2, MCXT_ALLOC_HUGE);
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

/* Read the text form.  Returns NULL, or what is wrong with it. */
static const char *
MarkovParse(const char *s, MarkovState **result)
{
	char	   *name = palloc(strlen(s) + 1);
	MarkovState *state;
	size_t		length;
	int64		number;
	int			none;
	int			room = 0;

	if (!text_take(&s, "{") || !text_take_key(&s, "order", true) ||
		!text_take_number(&s, 0, &number, &none) || number < 1 || number > MARKOV_MAX_ORDER)
		return "it must begin with {\"order\": and a number from 1 to 4";
	*result = state = MarkovStateNew(CurrentMemoryContext, (int) number);
	if (!text_take_key(&s, "none", false) || !text_take(&s, "[") || !TakeEnd(&s, &state->none) ||
		!text_take(&s, "]"))
		return "\"none\", three numbers, must follow";
	if (!text_take_key(&s, "channels", false) || !text_take(&s, "["))
		return "\"channels\" must follow";
	for (int32 i = 0; !text_take(&s, "]"); i++)
	{
		if (i == room)
		{
			room = Max(2 * room, 16);
			state->removal = state->removal == NULL ? palloc(2 * sizeof(double) * room) :
				repalloc_huge(state->removal, 2 * sizeof(double) * room);
		}
		if ((i > 0 && !text_take(&s, ",")) || !text_take(&s, "[") ||
			!name_take(&s, name, &length) || !text_take(&s, ",") ||
			!TakeShare(&s, &state->removal[2 * i]) || !text_take(&s, ",") ||
			!TakeShare(&s, &state->removal[2 * i + 1]) || !text_take(&s, "]"))
			return "a channel must be a name and two numbers from 0 to 1";
		if (NamesIntern(&state->channels, name, length) != i)
			return "a channel is there twice";
	}
	if (!text_take_key(&s, "states", false) || !text_take(&s, "["))
		return "\"states\" must follow";
	for (int32 i = 0; !text_take(&s, "]"); i++)
	{
		uint32		window[MARKOV_MAX_ORDER];
		StateSum	sum;

		CHECK_FOR_INTERRUPTS();
		if ((i > 0 && !text_take(&s, ",")) || !text_take(&s, "[") || !text_take(&s, "["))
			return "a state must begin with a list of channels";
		for (int j = 0; j < state->order; j++)
		{
			window[j] = MARKOV_NO_CHANNEL;
			if (j > 0 && !text_take(&s, ","))
				continue;
			if (!TakeIndex(&s, state->channels.count, &window[j]))
				return "a state must begin with a list of channels";
		}
		if (!text_take(&s, "]") || !text_take(&s, ",") || !count_take(&s, &sum.starts) ||
			!text_take(&s, ",") || !TakeEnd(&s, &sum.end) || !text_take(&s, "]"))
			return "a state must end with four numbers";
		if (MarkovIntern(state, window) != i)
			return "a state is there twice";
		state->sums[i] = sum;
	}
	if (!text_take_key(&s, "edges", false) || !text_take(&s, "["))
		return "\"edges\" must follow";
	for (int64 i = 0; !text_take(&s, "]"); i++)
	{
		uint32		from;
		uint32		to;

		CHECK_FOR_INTERRUPTS();
		if ((i > 0 && !text_take(&s, ",")) || !text_take(&s, "[") ||
			!TakeIndex(&s, state->states, &from) || !text_take(&s, ",") ||
			!TakeIndex(&s, state->states, &to) || !text_take(&s, ",") ||
			!count_take(&s, &number) || !text_take(&s, "]") || number == 0)
			return "a transition must be two states and a count";
		if (!MarkovTransition(state, from, to, number))
			return "a transition leads to a state that cannot follow";
		if (state->edges != i + 1)
			return "a transition is there twice";
	}
	if (!text_take(&s, "}") || *text_skip_space(s) != '\0')
		return "it must end with }";
	if (!MarkovAddsUp(state))
		return "its counts do not add up";
	pfree(name);
	return NULL;
}

/* markov_model_in(cstring) returns markov_model: reads the text form. */
Datum
crm_markov_model_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	MarkovState *state;
	const char *wrong = MarkovParse(text, &state);

	if (wrong != NULL)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "crm.markov_model", text),
				 errdetail("The value is not one that crm printed: %s.", wrong)));
	PG_RETURN_POINTER(MarkovStateValue(state));
}

/* markov_model_out(markov_model) returns cstring: exact, independent of settings. */
Datum
crm_markov_model_out(PG_FUNCTION_ARGS)
{
	StringInfoData text;

	initStringInfo(&text);
	MarkovPrint(PG_GETARG_MARKOV_MODEL_P(0), &text);
	PG_RETURN_CSTRING(text.data);
}

/* markov_model_recv(internal) returns markov_model: reads the binary form. */
Datum
crm_markov_model_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgbyte(buffer);
	int			length;
	char	   *text = pq_getmsgtext(buffer, buffer->len - buffer->cursor, &length);
	MarkovState *state;
	const char *wrong = version == MARKOV_VERSION ? MarkovParse(text, &state) :
		"its version is unknown";

	if (wrong != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid external \"%s\" value", "crm.markov_model"),
				 errdetail("The value is not one that crm sent: %s.", wrong)));
	PG_RETURN_POINTER(MarkovStateValue(state));
}

/* markov_model_send(markov_model) returns bytea: version, then the text form. */
Datum
crm_markov_model_send(PG_FUNCTION_ARGS)
{
	StringInfoData text;
	StringInfoData buffer;

	initStringInfo(&text);
	MarkovPrint(PG_GETARG_MARKOV_MODEL_P(0), &text);
	pq_begintypsend(&buffer);
	pq_sendbyte(&buffer, MARKOV_VERSION);
	pq_sendtext(&buffer, text.data, text.len);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

/* What a channel and those before it have of a total. */
typedef struct Until
{
	int64		whole;			/* conversions */
	int64		fraction;		/* in 10^-12 */
	int64		value;
} Until;

/* So much of a total as effects, of which all together are sum, are of that. */
static WideSum
InProportion(int64 total, double effects, double sum)
{
	/* the last channel with an effect has exactly the rest, rounding or not */
	return wide_product(total, effects < sum ? (int64) rint(effects / sum * CREDIT_ONE) : CREDIT_ONE);
}

static void
ChannelRow(ReturnSetInfo *rsinfo, const char *name, uint32 length, double removal,
		   const Until *from, const Until *to)
{
	Datum		values[4];
	bool		nulls[4] = {false, false, false, false};

	values[0] = PointerGetDatum(cstring_to_text_with_len(name, length));
	values[1] = Float8GetDatum(removal);
	values[2] = ConversionsNumeric(to->whole - from->whole, to->fraction - from->fraction);
	values[3] = NumericGetDatum(AmountToNumeric(to->value - from->value, AMOUNT_SCALE));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * channels(markov_model) returns setof (channel text, removal_effect double
 * precision, conversions numeric, value numeric)
 *
 * Conversions and value are shared in proportion to the removal effects on
 * each; paths without a touch keep theirs, as the channel "(none)", which is one
 * with a channel that is called so.  As in the other channels(), running sums are
 * rounded, so that the figures sum exactly.
 */
Datum
crm_markov_channels(PG_FUNCTION_ARGS)
{
	MarkovModel *model = PG_GETARG_MARKOV_MODEL_P(0);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const double *removal = markov_removal(model);
	const double *value_removal = markov_value_removal(model);
	const MarkovEnd *without = &model->none;
	Until		none = {without->conversions / MARKOV_UNIT,
	without->conversions % MARKOV_UNIT * 1000, without->value};
	Until		nothing = {0, 0, 0};
	Until		before = nothing;
	int32		number = markov_find_channel(model, CHANNEL_NONE, strlen(CHANNEL_NONE));
	double		none_removal = model->total.conversions == 0 ? 0 :
		(double) without->conversions / (double) model->total.conversions;
	double		sum = 0;
	double		value_sum = 0;
	double		effects = 0;
	double		value_effects = 0;
	MemoryContext context = CurrentMemoryContext;
	MemoryContext of_row;

	InitMaterializedSRF(fcinfo, 0);
	of_row = AllocSetContextCreate(context, "crm.channels row", ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(of_row);
	for (int32 i = 0; i < model->channels; i++)
	{
		sum += removal[i];
		value_sum += value_removal[i];
	}
	for (int32 i = 0; i < model->channels; i++)
	{
		uint32		length;
		const char *name = markov_name(model, i, &length);
		int64		units;
		int64		rest;
		Until		until;
		Until		from = before;

		CHECK_FOR_INTERRUPTS();
		effects += removal[i];
		value_effects += value_removal[i];
		wide_decimals(InProportion(model->total.conversions - without->conversions, effects, sum),
					  &units, &rest);
		until.whole = units / MARKOV_UNIT;
		until.fraction = units % MARKOV_UNIT * 1000 + (rest + MARKOV_UNIT / 2) / MARKOV_UNIT;
		until.value = wide_round(InProportion(model->total.value - without->value, value_effects, value_sum));
		if (i == number)
		{
			from.whole -= none.whole;
			from.fraction -= none.fraction;
			from.value -= none.value;
		}
		ChannelRow(rsinfo, name, length, i == number ? Min(removal[i] + none_removal, 1) : removal[i],
				   &from, &until);
		MemoryContextReset(of_row);
		before = until;
	}
	if (number < 0 && (without->conversions > 0 || without->nulls > 0))
		ChannelRow(rsinfo, CHANNEL_NONE, strlen(CHANNEL_NONE), none_removal, &nothing, &none);
	MemoryContextSwitchTo(context);
	MemoryContextDelete(of_row);
	return (Datum) 0;
}

#define STATE_START			"(start)"
#define STATE_CONVERSION	"(conversion)"
#define STATE_NULL			"(null)"
#define STATE_SEPARATOR		" > "

/*
 * Write the name of a state: its channels in the order of time.  One that could
 * be taken for something else is put in quotes.
 */
static void
StateName(const MarkovModel *model, int32 state, StringInfo text)
{
	const uint32 *window = markov_windows(model) + (Size) state * model->order;

	resetStringInfo(text);
	for (int i = 0; i < model->order && window[i] != MARKOV_NO_CHANNEL; i++)
	{
		uint32		length;
		const char *name = markov_name(model, window[i], &length);
		char	   *copy = pnstrdup(name, length);

		if (i > 0)
			appendStringInfoString(text, STATE_SEPARATOR);
		if (length == 0 || copy[0] == '"' || strchr(copy, '>') != NULL ||
			strcmp(copy, STATE_START) == 0 || strcmp(copy, STATE_CONVERSION) == 0 ||
			strcmp(copy, STATE_NULL) == 0)
		{
			enlargeStringInfo(text, name_text_size(name, length));
			text->len = name_put(text->data + text->len, name, length) - text->data;
		}
		else
			appendBinaryStringInfo(text, name, length);
		pfree(copy);
	}
}

static void
TransitionRow(FunctionCallInfo fcinfo, Datum from, Datum to, int64 count, int64 visits)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[3] = {from, to, Float8GetDatum((double) count / (double) visits)};
	bool		nulls[3] = {false, false, false};

	if (count > 0)
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* A transition to a state. */
static void
StateRow(FunctionCallInfo fcinfo, const MarkovModel *model, Datum from, int32 state,
		 int64 count, int64 visits, StringInfo text)
{
	Datum		to;

	/* there may be millions: each leaves nothing behind */
	CHECK_FOR_INTERRUPTS();
	StateName(model, state, text);
	to = PointerGetDatum(cstring_to_text_with_len(text->data, text->len));
	TransitionRow(fcinfo, from, to, count, visits);
	pfree(DatumGetPointer(to));
}

/*
 * transitions(markov_model) returns setof (from_state text, to_state text,
 * probability double precision): those that were seen; from each state they sum
 * to 1.
 */
Datum
crm_transitions(PG_FUNCTION_ARGS)
{
	MarkovModel *model = PG_GETARG_MARKOV_MODEL_P(0);
	Datum		start = CStringGetTextDatum(STATE_START);
	Datum		conversion = CStringGetTextDatum(STATE_CONVERSION);
	Datum		null = CStringGetTextDatum(STATE_NULL);
	int64		paths = model->total.conversions + model->total.nulls;
	StringInfoData text;

	InitMaterializedSRF(fcinfo, 0);
	initStringInfo(&text);
	for (int32 i = 0; i < model->states; i++)
		if (model->node[i].starts > 0)
			StateRow(fcinfo, model, start, i, model->node[i].starts, paths, &text);
	TransitionRow(fcinfo, start, conversion, model->none.conversions, paths);
	TransitionRow(fcinfo, start, null, model->none.nulls, paths);
	for (int32 i = 0; i < model->states; i++)
	{
		const MarkovNode *node = &model->node[i];
		Datum		from;

		StateName(model, i, &text);
		from = PointerGetDatum(cstring_to_text_with_len(text.data, text.len));
		for (int64 e = node[0].first_edge; e < node[1].first_edge; e++)
			StateRow(fcinfo, model, from, markov_to(model)[e], markov_counts(model)[e],
					 node->visits, &text);
		TransitionRow(fcinfo, from, conversion, node->end.conversions, node->visits);
		TransitionRow(fcinfo, from, null, node->end.nulls, node->visits);
		pfree(DatumGetPointer(from));
	}
	pfree(text.data);
	return (Datum) 0;
}

/*
 * The logarithm of the probability of one of `choices` that was seen `count`
 * times out of `visits`, if before anything was seen all choices were alike and
 * that counted as much as one visit.
 */
static double
LogChance(int64 count, int64 visits, double choices)
{
	return log(((double) count / MARKOV_UNIT + 1 / choices) / ((double) visits / MARKOV_UNIT + 1));
}

/*
 * log_likelihood(markov_model, path text[], conversions numeric, nulls numeric)
 * returns double precision: of so many paths, given the model.
 *
 * A path of other data may have a transition that the model has not seen: it
 * gets a share of one visit (a Dirichlet prior of weight 1 on all that could
 * follow: any channel of the model or one that is not in it, a conversion, a
 * null).  NULL elements of the path are left out.
 */
Datum
crm_markov_log_likelihood(PG_FUNCTION_ARGS)
{
	MarkovModel *model = PG_GETARG_MARKOV_MODEL_P(0);
	PathChannel *channels = NULL;
	int			room = 0;
	int			touches = PathChannels(PG_GETARG_VARLENA_PP(1), &channels, &room, CurrentMemoryContext);
	double		conversions = DatumGetFloat8(DirectFunctionCall1(numeric_float8, PG_GETARG_DATUM(2)));
	double		nulls = DatumGetFloat8(DirectFunctionCall1(numeric_float8, PG_GETARG_DATUM(3)));
	int			order = model->order;
	int64		paths = model->total.conversions + model->total.nulls;
	const MarkovEnd *end = &model->none;
	int64		visits = paths;
	double		ends = order + 2;
	double		sum = 0;
	uint32	   *numbers;
	uint32	   *last = NULL;

	if (!(conversions >= 0) || !(nulls >= 0))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("number of paths must not be negative")));

	/* a channel that the model does not know has a number that no state has */
	numbers = palloc_extended(sizeof(uint32) * (touches + order), MCXT_ALLOC_HUGE);
	for (int i = 0; i < touches + order; i++)
	{
		int32		number = i < touches ?
			markov_find_channel(model, channels[i].text, channels[i].length) : -1;

		numbers[i] = i >= touches ? MARKOV_NO_CHANNEL : number < 0 ? MARKOV_NO_CHANNEL - 1 : (uint32) number;
	}
	for (int i = 0; touches > 0 && i < Max(touches - order, 0) + 1; i++)
	{
		uint32	   *window = numbers + i;
		int32		state;
		int64		count = 0;

		if (last != NULL && memcmp(last, window, sizeof(uint32) * order) == 0)
			continue;
		state = markov_find_state(model, window);
		if (last == NULL)
		{
			if (state >= 0)
				count = model->node[state].starts;
			/* any number of touches up to the order, of any channels; or none */
			sum += LogChance(count, paths, (order + 2) * pow(model->channels + 1, Min(touches, order)));
		}
		else
		{
			int32		from = markov_find_state(model, last);

			if (from >= 0 && state >= 0)
				count = markov_transitions(model, from, state);
			sum += LogChance(count, from >= 0 ? model->node[from].visits : 0, model->channels + 3);
		}
		last = window;
	}
	if (last != NULL)
	{
		static const MarkovEnd nothing = {0, 0, 0};
		int32		state = markov_find_state(model, last);

		end = state >= 0 ? &model->node[state].end : &nothing;
		visits = state >= 0 ? model->node[state].visits : 0;
		/* after a path shorter than the order nothing else can follow */
		ends = touches < order ? 2 : model->channels + 3;
	}
	/* 0 times something finite: none of a kind says nothing of it */
	PG_RETURN_FLOAT8((conversions > 0 ? conversions * (sum + LogChance(end->conversions, visits, ends)) : 0) +
					 (nulls > 0 ? nulls * (sum + LogChance(end->nulls, visits, ends)) : 0));
}

/*
 * credit(journey, converted_at timestamptz, markov_model, lookback interval)
 * returns setof (channel text, credit double precision): each touch's share of
 * the removal effects within its path; sums to exactly 1.
 *
 * Where all of them are 0, because the model has none of the channels in a path
 * to an order, the touches share alike.
 */
Datum
crm_markov_credit(PG_FUNCTION_ARGS)
{
	MarkovModel *model;
	Journey    *journey;
	TouchRange	range;
	int64	   *shares = NULL;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
	{
		InitMaterializedSRF(fcinfo, 0);
		return (Datum) 0;
	}
	model = PG_GETARG_MARKOV_MODEL_P(2);
	journey = CreditJourney(fcinfo, &range);
	if (range.count > 0)
	{
		double	   *of_channel = palloc_extended(sizeof(double) * journey->channels, MCXT_ALLOC_HUGE);
		double	   *weights = palloc_extended(sizeof(double) * range.count, MCXT_ALLOC_HUGE);
		double		sum = 0;

		for (int32 i = 0; i < journey->channels; i++)
		{
			uint32		length;
			const char *name = journey_name(journey, i, &length);
			int32		channel = markov_find_channel(model, name, length);

			of_channel[i] = channel < 0 ? 0 : markov_removal(model)[channel];
		}
		for (int32 i = 0; i < range.count; i++)
		{
			weights[i] = of_channel[journey_channel(journey, range.first + i)];
			sum += weights[i];
		}
		if (sum <= 0)
			for (int32 i = 0; i < range.count; i++)
				weights[i] = 1;
		shares = palloc_extended(sizeof(int64) * range.count, MCXT_ALLOC_HUGE);
		credit_by_weight(weights, range.count, shares);
	}
	CreditRows(fcinfo, journey, range, shares);
	return (Datum) 0;
}
