/*
 * markov_solve.c
 *		The removal effects of a Markov model: markov_chain.c does the algebra.
 */
#include "crm.h"

#include "crm_markov.h"

#include "miscadmin.h"
#include "utils/memutils.h"

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
	chain->dense.rows = palloc_array_huge0(double, (Size) states * states);
	chain->dense.starts = palloc(sizeof(double) * states * 3);
	chain->dense.conversions = chain->dense.starts + states;
	chain->dense.value = chain->dense.conversions + states;
	chain->state = palloc(sizeof(int32) * states);
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
		int32	   *old = palloc(sizeof(int32) * states);
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
 * A chain whose states are swept: in an order of their own, in which each has a
 * place, and with what markov_sweep() works on.
 */
typedef struct SparseChain
{
	MarkovChain chain;
	int32	   *state;			/* at a place */
	bool	   *reaches;		/* a conversion */
	uint8	   *fixed;
	uint8	   *news;
	double		(*been)[MARKOV_LANES];
	double		(*moved)[MARKOV_LANES];
} SparseChain;

static void
SparseInit(SparseChain *sparse, const MarkovModel *model)
{
	const uint32 *to = markov_to(model);
	const int64 *counts = markov_counts(model);
	int32		states = model->states;
	int32	   *place = palloc_array_huge(int32, states);
	int32	   *state = palloc_array_huge(int32, states);
	int64	   *first = palloc_array_huge(int64, (Size) states + 1);
	double	   *visits = palloc_array_huge(double, states);
	double	   *conversions = palloc_array_huge(double, states);
	uint32	   *from = palloc_array_huge(uint32, model->edges);
	double	   *share = palloc_array_huge(double, model->edges);

	sparse->reaches = palloc_array_huge(bool, states);
	sparse->fixed = palloc_array_huge(uint8, states);
	sparse->news = palloc_array_huge(uint8, states);
	sparse->been = palloc_extended(sizeof(*sparse->been) * states, MCXT_ALLOC_HUGE);
	sparse->moved = palloc_extended(sizeof(*sparse->moved) * states, MCXT_ALLOC_HUGE);

	/*
	 * Where most states follow few others, the order of the paths saves many
	 * sweeps.  Where all mix anyway, the order of the windows is better for the
	 * processor's caches: states side by side are then entered from the same.
	 */
	if (model->edges < (int64) states * 8)
		markov_order_states(model, place, state, first, (int32 *) sparse->moved);
	else
		for (int32 i = 0; i < states; i++)
			place[i] = state[i] = i;

	/* the edges into each state */
	memset(first, 0, sizeof(int64) * ((Size) states + 1));
	for (int64 e = 0; e < model->edges; e++)
		first[place[to[e]] + 1]++;
	for (int32 i = 0; i < states; i++)
		first[i + 1] += first[i];
	for (int32 p = 0; p < states; p++)
	{
		visits[p] = (double) model->node[state[p]].visits;
		conversions[p] = (double) model->node[state[p]].end.conversions;
	}
	for (int32 p = 0; p < states; p++)
	{
		const MarkovNode *node = &model->node[state[p]];

		for (int64 e = node[0].first_edge; e < node[1].first_edge; e++)
		{
			int32		t = place[to[e]];
			int64		into = first[t]++;

			from[into] = p;
			share[into] = (double) counts[e] / visits[t];
		}
	}
	memmove(first + 1, first, sizeof(int64) * states);
	first[0] = 0;

	sparse->state = state;
	sparse->chain.states = states;
	sparse->chain.visits = visits;
	sparse->chain.conversions = conversions;
	sparse->chain.first = first;
	sparse->chain.from = from;
	sparse->chain.share = share;
	markov_reach(&sparse->chain, sparse->reaches, (int32 *) sparse->moved);
	pfree(place);
}

/*
 * Set what is lost without each of MARKOV_LANES channels from one on.  Returns
 * false if the sweeps do not get far and there is a better way.
 */
static bool
SolveLanes(MarkovModel *model, SparseChain *sparse, int32 channel)
{
	int32		states = model->states;
	MarkovSweep sweep;
	double		conversions[MARKOV_LANES] = {0};
	double		value[MARKOV_LANES] = {0};

	for (int32 p = 0; p < states; p++)
	{
		const uint32 *window = markov_windows(model) + (Size) sparse->state[p] * model->order;
		uint8		fixed = 0;

		for (int i = 0; i < model->order; i++)
			if (window[i] >= (uint32) channel && window[i] < (uint32) channel + MARKOV_LANES)
				fixed |= 1 << (window[i] - channel);
		for (int l = 0; l < MARKOV_LANES; l++)
			sparse->been[p][l] = (fixed >> l) & 1;
		sparse->fixed[p] = sparse->reaches[p] ? fixed : (1 << MARKOV_LANES) - 1;
	}
	memset(sparse->news, 0, states);
	memset(&sweep, 0, sizeof(sweep));
	do
	{
		CHECK_FOR_INTERRUPTS();
		if (states <= SOME_STATES && sweep.sweeps == FEW_SWEEPS)
			return false;
	} while (!markov_sweep(&sparse->chain, sparse->fixed, sparse->been, sparse->moved,
						   sparse->news, &sweep));

	for (int32 p = 0; p < states; p++)
		for (int l = 0; l < MARKOV_LANES; l++)
		{
			conversions[l] += sparse->chain.conversions[p] * sparse->been[p][l];
			value[l] += (double) model->node[sparse->state[p]].end.value * sparse->been[p][l];
		}
	for (int l = 0; l < MARKOV_LANES && channel + l < model->channels; l++)
	{
		markov_removal(model)[channel + l] = conversions[l];
		markov_value_removal(model)[channel + l] = value[l];
	}
	return true;
}

/* Set what is lost without each channel by sweeps; false as above. */
static bool
SolveSparse(MarkovModel *model)
{
	SparseChain sparse;

	SparseInit(&sparse, model);
	for (int32 channel = 0; channel < model->channels; channel += MARKOV_LANES)
		if (!SolveLanes(model, &sparse, channel))
			return false;
	return true;
}

/* Solve the chain of a model for all channels: sets the removal effects. */
void
MarkovSolve(MarkovModel *model)
{
	double	   *removal = markov_removal(model);
	double	   *value_removal = markov_value_removal(model);
	MemoryContext of_chain;
	MemoryContext old;

	if (model->channels == 0 || model->total.conversions == 0)
		return;					/* nothing to lose */
	of_chain = AllocSetContextCreate(CurrentMemoryContext, "crm.markov_model chain",
									 ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(of_chain);
	if (model->states <= FEW_STATES || !SolveSparse(model))
		SolveDense(model);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(of_chain);
	for (int32 i = 0; i < model->channels; i++)
	{
		removal[i] = Min(removal[i] / (double) model->total.conversions, 1);
		value_removal[i] = model->total.value == 0 ? 0 :
			Min(value_removal[i] / (double) model->total.value, 1);
	}
}
