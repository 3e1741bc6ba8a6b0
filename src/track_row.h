/*
 * track_row.h
 *		What is kept of a customer, and how orders and time change it.
 *
 * This header and track_row.c know nothing of the server, so that they can be
 * tested and fuzzed alone.
 */
#ifndef CRM_TRACK_ROW_H
#define CRM_TRACK_ROW_H

#include "stage.h"

typedef enum StageCause
{
	CAUSE_ORDER,				/* an order came, or began to count */
	CAUSE_REFUND,				/* an order stopped counting */
	CAUSE_TIME,					/* nothing was bought */
	CAUSE_CORRECTION			/* orders were deleted, moved, reloaded */
} StageCause;

#define TRACK_NEVER		INT64_MIN

/* A row of a summary table. */
typedef struct TrackRow
{
	Purchases	purchases;
	Stage		stage;
	int64_t		stage_since;
	int64_t		stage_until;	/* STAGE_FOREVER if time does not end it */
	int64_t		check_at;		/* the clock looks then: never after stage_until */
	int64_t		reactivated_at; /* or TRACK_NEVER */
} TrackRow;

/* A row of a history table. */
typedef struct StageChange
{
	bool		first;			/* there was no stage before */
	Stage		from;
	Stage		to;
	int64_t		at;				/* when it became true */
	StageCause	cause;
} StageChange;

/* the most changes that one call can find */
#define TRACK_MAX_CHANGES	7

extern int	track_row_pass_time(TrackRow *row, int64_t as_of,
								const LifecyclePolicy *policy, StageChange *changes);
extern int	track_row_set(TrackRow *row, bool known, const Purchases *purchases,
						  StageCause cause, int64_t now,
						  const LifecyclePolicy *policy, StageChange *changes);
extern const char *track_cause_name(StageCause cause);

#endif							/* CRM_TRACK_ROW_H */
