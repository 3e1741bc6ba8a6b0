/*
 * markov.h
 *		A Markov chain of customers' paths, and what removing a channel does.
 *
 * This header, markov_chain.c and markov_value.c know nothing of the server, so
 * that they can be tested and fuzzed alone.
 */
#ifndef CRM_MARKOV_H
#define CRM_MARKOV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crm_name_table.h"

#define MARKOV_VERSION		1
#define MARKOV_MAX_ORDER	4

/* Counts of paths may be fractions: they are integers of 10^-9. */
#define MARKOV_UNIT			INT64_C(1000000000)

/* in place of a channel, in the window of a path that is shorter than that */
#define MARKOV_NO_CHANNEL	UINT32_MAX

/* What ended in a state, or without any. */
typedef struct MarkovEnd
{
	int64_t		conversions;
	int64_t		nulls;
	int64_t		value;			/* in 1/10000 */
} MarkovEnd;

typedef struct MarkovNode
{
	int64_t		visits;			/* what comes in, which is what goes out */
	int64_t		starts;
	MarkovEnd	end;
	int64_t		first_edge;		/* its edges end where those of the next begin */
} MarkovNode;

/*
 * On disk and in memory.  After this header follow
 *
 *		MarkovNode	node[states + 1]		the last one is only an end
 *		double		removal[channels]		removal effect on conversions
 *		double		value_removal[channels]	and on value
 *		int64_t		count[edges]
 *		uint32_t	to[edges]				ascending within a state
 *		uint32_t	window[states * order]	channels, oldest first
 *		uint32_t	ends[channels]			where each name ends in names
 *		char		names[]
 *
 * Channels ascend by the bytes of their names, states by their windows.
 */
typedef struct MarkovModel
{
	int32_t		vl_len_;		/* of the server */
	uint8_t		version;		/* MARKOV_VERSION */
	uint8_t		order;
	uint8_t		zeroes[2];
	int32_t		channels;
	int32_t		states;
	int64_t		edges;
	MarkovEnd	none;			/* paths without a touch */
	MarkovEnd	total;			/* all paths */
	MarkovNode	node[];
} MarkovModel;

static inline double *
markov_removal(const MarkovModel *model)
{
	return (double *) (model->node + model->states + 1);
}

static inline double *
markov_value_removal(const MarkovModel *model)
{
	return markov_removal(model) + model->channels;
}

static inline int64_t *
markov_counts(const MarkovModel *model)
{
	return (int64_t *) (markov_value_removal(model) + model->channels);
}

static inline uint32_t *
markov_to(const MarkovModel *model)
{
	return (uint32_t *) (markov_counts(model) + model->edges);
}

static inline uint32_t *
markov_windows(const MarkovModel *model)
{
	return markov_to(model) + model->edges;
}

static inline uint32_t *
markov_ends(const MarkovModel *model)
{
	return markov_windows(model) + (size_t) model->states * model->order;
}

static inline char *
markov_names(const MarkovModel *model)
{
	return (char *) (markov_ends(model) + model->channels);
}

/* The name of a channel, not terminated. */
static inline const char *
markov_name(const MarkovModel *model, uint32_t channel, uint32_t *length)
{
	return name_table_get(markov_ends(model), markov_names(model), channel, length);
}

extern size_t markov_size(int order, int32_t channels, int32_t states, int64_t edges, size_t names);
extern int32_t markov_find_channel(const MarkovModel *model, const char *name, size_t length);
extern int32_t markov_find_state(const MarkovModel *model, const uint32_t *window);
extern int64_t markov_transitions(const MarkovModel *model, int32_t from, int32_t to);

/* The chain in the form in which it is solved. */
#define MARKOV_LANES	8

typedef struct MarkovChain
{
	int32_t		states;
	const double *visits;
	const double *conversions;	/* what ends there */
	const int64_t *first;		/* states + 1: where the edges into a state begin */
	const uint32_t *from;
	const double *share;		/* of the visits of the state it leads into */
} MarkovChain;

/* The same in the form in which states are eliminated. */
typedef struct MarkovDense
{
	int32_t		states;
	int32_t		width;			/* of a row */
	double	   *rows;
	double	   *starts;
	double	   *conversions;
	double	   *value;
} MarkovDense;

extern void markov_eliminate(MarkovDense *dense, int32_t keep);

extern void markov_order_states(const MarkovModel *model, int32_t *place, int32_t *state,
								int64_t *next, int32_t *stack);

/* What the iteration remembers from sweep to sweep, of each lane. */
typedef struct MarkovSweep
{
	int			sweeps;
	int			leapt;			/* the last one that was accelerated */
	int			wait;			/* no other one up to this one */
	int			pause;			/* grows with each failure */
	double		mass[MARKOV_LANES]; /* the sum of visits times g */
	double		lost[MARKOV_LANES]; /* the sum of conversions times g */
	double		change[MARKOV_LANES];	/* what the last one moved */
	double		gain[MARKOV_LANES];		/* the same with signs */
	double		ratio[MARKOV_LANES];	/* to the one before it */
} MarkovSweep;

extern void markov_reach(const MarkovChain *chain, bool *reaches, int32_t *stack);
extern bool markov_sweep(const MarkovChain *chain, const uint8_t *fixed,
						 double (*been)[MARKOV_LANES], double (*moved)[MARKOV_LANES],
						 uint8_t *news, MarkovSweep *sweep);

extern char *count_put(char *text, int64_t count);
extern bool count_take(const char **s, int64_t *count);

#endif							/* CRM_MARKOV_H */
