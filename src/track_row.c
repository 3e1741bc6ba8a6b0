/*
 * track_row.c
 *		What is kept of a customer, and how orders and time change it.
 *
 * No function here allocates, raises an error or knows the server.
 */
#include "track_row.h"

static inline int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static inline int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

const char *
track_cause_name(StageCause cause)
{
	static const char *const names[] = {"order", "refund", "time", "correction"};

	return names[cause];
}

/* Enter a stage; returns how many changes that were, 0 or 1. */
static int
enter(TrackRow *row, Stage to, int64_t at, StageCause cause, StageChange *change)
{
	if (row->stage == to)
		return 0;
	change->first = false;
	change->from = row->stage;
	change->to = to;
	change->at = at;
	change->cause = cause;
	if (cause == CAUSE_ORDER && stage_is_overdue(row->stage) && !stage_is_overdue(to))
		row->reactivated_at = at;
	row->stage = to;
	row->stage_since = at;
	return 1;
}

/*
 * What time alone has changed up to as_of: at_risk when the stage's last
 * moment has passed, then lost.  Each stage is entered, so that the history
 * has them all, however late the clock runs.  Returns the number of changes.
 */
int
track_row_pass_time(TrackRow *row, int64_t as_of, const LifecyclePolicy *policy,
					StageChange *changes)
{
	int			count = 0;

	for (int i = 0; i < 2 && row->stage_until < as_of; i++)
	{
		int64_t		end = row->stage_until;

		/* a clock that was set ahead may have been there before */
		count += enter(row, stage_at(&row->purchases, end + 1, policy),
					   later(end, row->stage_since), CAUSE_TIME, &changes[count]);
		row->stage_until = stage_end(&row->purchases, row->stage, policy);
	}
	/* a row that was not ours: what is true counts */
	if (row->stage_until < as_of)
	{
		count += enter(row, stage_at(&row->purchases, as_of, policy),
					   later(as_of, row->stage_since), CAUSE_CORRECTION, &changes[count]);
		row->stage_until = stage_end(&row->purchases, row->stage, policy);
	}
	row->check_at = row->stage_until;
	return count;
}

/*
 * The customer's purchases are others now.  known is false if there was no row
 * before.  Returns the number of changes of the stage.
 *
 * An order is judged at its own time and time passes after it: a customer
 * whose order is told late was never at risk if it came in time.  Of what was
 * bought before the customer was known the stage after the last order is
 * told, as of the first.  check_at moves only when it must: an index has it.
 */
int
track_row_set(TrackRow *row, bool known, const Purchases *purchases, StageCause cause,
			  int64_t now, const LifecyclePolicy *policy, StageChange *changes)
{
	int64_t		check_at = row->check_at;
	int64_t		moment = now;
	int			count = 0;

	if (known)
	{
		if (cause == CAUSE_ORDER && purchases->orders > 0)
			moment = earlier(now, purchases->last_order);
		count = track_row_pass_time(row, moment, policy, changes);
		moment = later(moment, row->stage_since);
		row->purchases = *purchases;
		count += enter(row, stage_at(purchases, earlier(moment, now), policy),
					   moment, cause, &changes[count]);
	}
	else
	{
		row->purchases = *purchases;
		row->reactivated_at = TRACK_NEVER;
		if (purchases->orders > 0)
			moment = earlier(now, purchases->last_order);
		row->stage = stage_at(purchases, moment, policy);
		row->stage_since = purchases->orders > 0 ? earlier(now, purchases->first_order) : now;
		changes[0].first = true;
		changes[0].to = row->stage;
		changes[0].at = row->stage_since;
		changes[0].cause = CAUSE_ORDER;
		count = 1;
	}
	row->stage_until = stage_end(purchases, row->stage, policy);
	count += track_row_pass_time(row, now, policy, &changes[count]);
	if (known && check_at <= row->stage_until && check_at >= now)
		row->check_at = check_at;
	return count;
}
