/*
 * markov_chain.c
 *		What removing a channel does to a chain of paths, by linear algebra.
 *
 * Let n(s) be the visits of a state and n(s,t) the transitions from s to t.
 * Remove a channel c: every state that contains it leads to nothing.  What is
 * lost are the conversions of those paths that have been in such a state.  Let
 *
 *		g(t) = the share of the visits to t that come after a visit to c
 *			 = 1								if t contains c
 *			 = sum over s of n(s,t)/n(t) g(s)	otherwise
 *
 * since n(s,t)/n(t) is the share of the visits to t that come from s, whatever
 * happened before.  Then the removal effect, 1 - P(conversion without c) /
 * P(conversion), is the sum over t of conversions(t) g(t), divided by all
 * conversions: a sum of positive terms, in which nothing cancels out.  With
 * values in place of conversions it is the effect on value.
 *
 * The equations of all channels differ only in where g is 1, so they share one
 * matrix.  There are two ways to solve them.
 *
 * Few states: eliminate one after the other.  What makes Gaussian elimination
 * inaccurate are its subtractions; in a chain there need be none, since what is
 * on the diagonal is the sum of all else that leads into a state (Grassmann,
 * Taksar and Heyman, Operations Research 33, 1985).  So every digit is good,
 * however long the paths and rare the channel.
 *
 * Many states: the matrix is as sparse as the observed transitions, and the
 * equations are solved MARKOV_LANES channels at a time, by Gauss-Seidel sweeps.  In
 * the order of the paths a chain without cycles is solved by the first one.
 * What a sweep moved, n(t) |change of g(t)| summed over t, flows on from there
 * and converts at most once.  So it is an upper bound of what all later sweeps
 * can still add to the sum, and the iteration ends when that is 2^-53 of it.
 * A sweep passes on what the one before has moved, which has the sign of g:
 * again nothing cancels out.
 *
 * Long paths make the last digits slow.  When the changes shrink at a steady
 * ratio, only the slowest mode is left, and its geometric series is summed up
 * at once (Lyusternik's acceleration).  What is to be passed on is then worked
 * out anew, by a subtraction, whose rounding may convert: so this is done only
 * where the visits are not too many for what converts.  Should it go wrong, the
 * pause before the next attempt doubles, so that the sweeps, which converge, win.
 *
 * No function here allocates, raises an error or knows the server.
 */
#include "markov.h"

#include <math.h>
#include <string.h>

/*
 * Number the states so that those of a path mostly ascend: the reverse of the
 * order in which a depth-first walk leaves them.  place[s] is the place of a
 * state and state[p] the state at a place; next and stack are scratch, with
 * room for an element of each state.
 */
void
markov_order_states(const MarkovModel *model, int32_t *place, int32_t *state,
					int64_t *next, int32_t *stack)
{
	const uint32_t *to = markov_to(model);
	int32_t		left = model->states;

	for (int32_t i = 0; i < model->states; i++)
		next[i] = -1;			/* not seen yet */
	for (int32_t i = 0; i < model->states; i++)
	{
		int32_t		depth = 0;

		if (next[i] >= 0)
			continue;
		next[i] = model->node[i].first_edge;
		stack[depth++] = i;
		while (depth > 0)
		{
			int32_t		s = stack[depth - 1];

			if (next[s] < model->node[s + 1].first_edge)
			{
				int32_t		t = (int32_t) to[next[s]++];

				if (next[t] < 0)
				{
					next[t] = model->node[t].first_edge;
					stack[depth++] = t;
				}
			}
			else
			{
				depth--;
				state[--left] = s;
				place[s] = left;
			}
		}
	}
}

/*
 * Which states lead to a conversion; the others need no answer.  stack is
 * scratch, with room for an element of each state.
 */
void
markov_reach(const MarkovChain *chain, bool *reaches, int32_t *stack)
{
	int32_t		depth = 0;

	for (int32_t t = 0; t < chain->states; t++)
	{
		reaches[t] = chain->conversions[t] > 0;
		if (reaches[t])
			stack[depth++] = t;
	}
	while (depth > 0)
	{
		int32_t		t = stack[--depth];

		for (int64_t e = chain->first[t]; e < chain->first[t + 1]; e++)
		{
			int32_t		s = (int32_t) chain->from[e];

			if (!reaches[s])
			{
				reaches[s] = true;
				stack[depth++] = s;
			}
		}
	}
}

/* accurate enough, relative to the sum */
#define ACCURATE	(1.0 / (INT64_C(1) << 53))

/* what is passed on ends here, before it takes longer to reckon with */
#define NOTHING		1e-200

/* no leap where there are more visits for each conversion */
#define MOST_VISITS	1000

/*
 * Eliminate the states from `keep` on from a dense chain: what ends in one of
 * them is put down to the others that its visits come from.  Row t of rows is
 * how many visits to t come from each state, and starts how many from none; the
 * diagonal is not read.  Conversions and value stand for themselves.
 */
void
markov_eliminate(MarkovDense *dense, int32_t keep)
{
	int32_t		width = dense->width;

	for (int32_t t = dense->states - 1; t >= keep; t--)
	{
		double	   *row = dense->rows + (size_t) t * width;
		double		visits = dense->starts[t];
		double		starts;

		for (int32_t s = 0; s < t; s++)
			visits += row[s];
		if (visits <= 0)
			continue;
		for (int32_t s = 0; s < t; s++)
		{
			row[s] /= visits;
			dense->conversions[s] += dense->conversions[t] * row[s];
			dense->value[s] += dense->value[t] * row[s];
		}
		starts = dense->starts[t] / visits;
		for (int32_t u = 0; u < t; u++)
		{
			double	   *other = dense->rows + (size_t) u * width;
			double		through = other[t];

			if (through == 0)
				continue;
			for (int32_t s = 0; s < t; s++)
				other[s] += through * row[s];
			dense->starts[u] += through * starts;
		}
	}
	dense->states = keep;
}

/* Whether a sum over the edges into a state may differ from the one before. */
static inline bool
markov_stale(const MarkovChain *chain, int32_t t, const uint8_t *news, uint8_t news_kinds)
{
	for (int64_t e = chain->first[t]; e < chain->first[t + 1]; e++)
		if (news[chain->from[e]] & news_kinds)
			return true;
	return false;
}

#define NEWS_REACHED	1		/* g is not zero */
#define NEWS_MOVED		2		/* g is another than before the state's last turn */

/*
 * One sweep.  Bit l of fixed[t] says that g(t) is known in lane l: t contains the
 * lane's channel, or leads to no conversion.
 * been is g, which the caller has set to 1 or 0 there and else to 0; moved, what was
 * added to it last, and news are scratch, with an element of each state.  news
 * and sweep begin as zeroes.  Returns whether it is done.
 *
 * A state whose sum cannot have changed is passed over.  Where most states
 * follow few others, that leaves those that a channel leads to.
 */
bool
markov_sweep(const MarkovChain *chain, const uint8_t *fixed,
			 double (*been)[MARKOV_LANES], double (*moved)[MARKOV_LANES],
			 uint8_t *news, MarkovSweep *sweep)
{
	bool		first = sweep->sweeps == 0;
	/* after a leap, all that is reached has moved, but nobody knows how far */
	bool		anew = sweep->leapt == sweep->sweeps;
	uint8_t		kinds = anew ? NEWS_REACHED : NEWS_MOVED;
	double		(*add)[MARKOV_LANES] = anew ? been : moved;
	double		change[MARKOV_LANES] = {0};
	double		gain[MARKOV_LANES] = {0};
	double		leap[MARKOV_LANES];
	bool		leaps = false;
	bool		failed = false;
	bool		done = true;

	if (first)
	{
		sweep->pause = 1;
		memset(moved, 0, sizeof(*moved) * chain->states);
		for (int32_t t = 0; t < chain->states; t++)
			if (fixed[t] != 0)
			{
				news[t] = NEWS_REACHED;
				for (int l = 0; l < MARKOV_LANES; l++)
				{
					sweep->mass[l] += chain->visits[t] * been[t][l];
					sweep->lost[l] += chain->conversions[t] * been[t][l];
				}
			}
	}
	for (int32_t t = 0; t < chain->states; t++)
	{
		double		sum[MARKOV_LANES] = {0};
		double		visits = chain->visits[t];
		int64_t		end = chain->first[t + 1];
		bool		any = false;

		if (fixed[t] == (1 << MARKOV_LANES) - 1)
			continue;
		if (!markov_stale(chain, t, news, kinds))
		{
			if (news[t] & NEWS_MOVED)
			{
				memset(moved[t], 0, sizeof(moved[t]));
				news[t] &= ~NEWS_MOVED;
			}
			continue;
		}
		for (int64_t e = chain->first[t]; e < end; e++)
		{
			const double *from = add[chain->from[e]];
			double		share = chain->share[e];

			for (int l = 0; l < MARKOV_LANES; l++)
				sum[l] += share * from[l];
		}
		if (fixed[t] != 0)
			for (int l = 0; l < MARKOV_LANES; l++)
				if (fixed[t] & (1 << l))
					sum[l] = anew ? been[t][l] : 0;
		for (int l = 0; l < MARKOV_LANES; l++)
		{
			double		move = anew ? sum[l] - been[t][l] : sum[l];

			if (fabs(move) < NOTHING)
				move = 0;
			any |= move != 0;
			moved[t][l] = move;
			been[t][l] = anew ? sum[l] : been[t][l] + move;
			change[l] += visits * fabs(move);
			gain[l] += visits * move;
			sweep->mass[l] += visits * move;
			sweep->lost[l] += chain->conversions[t] * move;
		}
		news[t] = any ? NEWS_REACHED | NEWS_MOVED : news[t] & ~NEWS_MOVED;
	}

	sweep->sweeps++;
	for (int l = 0; l < MARKOV_LANES; l++)
	{
		double		last = sweep->change[l];
		double		ratio = last > 0 ? change[l] / last : 0;
		double		steady = 0.1 * (1 - ratio);

		leap[l] = 0;

		if (change[l] > ACCURATE * sweep->lost[l])
		{
			done = false;
			if (sweep->sweeps > sweep->wait && ratio > 0.3 && ratio < 1 &&
				sweep->mass[l] < MOST_VISITS * sweep->lost[l] &&
				fabs(ratio - sweep->ratio[l]) < steady &&
				fabs(gain[l] - ratio * sweep->gain[l]) < steady * fabs(sweep->gain[l]))
			{
				leap[l] = ratio / (1 - ratio);
				leaps = true;
			}
		}
		/* a leap that made it worse: more sweeps before the next one */
		if (sweep->sweeps == sweep->leapt + 1 && change[l] > last && last > 0)
			failed = true;
		sweep->change[l] = change[l];
		sweep->gain[l] = gain[l];
		sweep->ratio[l] = ratio;
	}
	if (failed)
		sweep->pause *= 2;
	if (!done && leaps)
	{
		for (int32_t t = 0; t < chain->states; t++)
			if (news[t] & NEWS_MOVED)
				for (int l = 0; l < MARKOV_LANES; l++)
				{
					double		move = leap[l] * moved[t][l];

					been[t][l] += move;
					sweep->mass[l] += chain->visits[t] * move;
					sweep->lost[l] += chain->conversions[t] * move;
				}
		/* some sweeps for the slowest mode to stand out again */
		sweep->leapt = sweep->sweeps;
		sweep->wait = sweep->sweeps + 3 + sweep->pause;
		memset(sweep->ratio, 0, sizeof(sweep->ratio));
	}
	return done;
}
