/*
 * crm_markov.h
 *		What the parts of the room have in common inside the server: the state
 *		of an aggregate over paths, its solution and its text form.
 */
#ifndef CRM_MARKOV_SERVER_H
#define CRM_MARKOV_SERVER_H

#include "crm.h"
#include "crm_names.h"
#include "crm_paths.h"
#include "markov.h"

#include "lib/stringinfo.h"

/* What began and ended in a state. */
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

/*
 * The aggregate's state: only states and transitions that a path has are kept,
 * in hash tables, so that memory grows with what was seen, not with a power of
 * the number of channels.
 */
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

extern MarkovState *MarkovStateNew(MemoryContext context, int order);
extern int32 MarkovIntern(MarkovState *state, const uint32 *window);
extern bool MarkovTransition(MarkovState *state, uint32 from, uint32 to, int64 count);
extern void MarkovAddPath(MarkovState *state, const PathRow *row);
extern void MarkovAddModel(MarkovState *state, const MarkovModel *model);
extern bool MarkovAddsUp(MarkovState *state);
extern MarkovModel *MarkovStateValue(MarkovState *state);

extern void MarkovSolve(MarkovModel *model);

extern void MarkovPrint(const MarkovModel *model, StringInfo text);
extern const char *MarkovParse(const char *s, MarkovState **result);

#endif							/* CRM_MARKOV_SERVER_H */
