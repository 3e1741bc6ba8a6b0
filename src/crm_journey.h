/*
 * crm_journey.h
 *		What other rooms want of a journey inside the server.
 */
#ifndef CRM_JOURNEY_SERVER_H
#define CRM_JOURNEY_SERVER_H

#include "crm.h"
#include "crm_names.h"
#include "journey.h"

#include "utils/array.h"
#include "utils/timestamp.h"

#define DatumGetJourneyP(X)		((Journey *) PG_DETOAST_DATUM(X))
#define PG_GETARG_JOURNEY_P(n)	DatumGetJourneyP(PG_GETARG_DATUM(n))

typedef struct Touch
{
	TimestampTz at;
	int32		channel;		/* in the names */
} Touch;

extern Journey *JourneyFromTouches(Names *names, Touch *touches, int32 count);

/* A journey that grows. */
typedef struct JourneyState
{
	Names	   *names;
	int32		count;
	int32		room;
	Touch		touches[FLEXIBLE_ARRAY_MEMBER];
} JourneyState;

extern JourneyState *JourneyStateNew(Names *names, int32 room, MemoryContext context);
extern JourneyState *JourneyStateAdd(JourneyState *state, int32 channel, TimestampTz at);
extern Journey *JourneyStateValue(JourneyState *state);

/* The journeys of an aggregate's groups, which grow side by side. */
typedef struct JourneyPool JourneyPool;

typedef struct JourneyGroup
{
	JourneyPool *pool;
	struct JourneyGroup *next;
	int64		first;			/* of the pool's touches by group */
	int64		count;
} JourneyGroup;

typedef struct GroupTouch
{
	JourneyGroup *group;
	Touch		touch;
} GroupTouch;

struct JourneyPool
{
	MemoryContext context;
	Names	   *names;
	JourneyPool *next;			/* of the same function, in another context */
	JourneyPool **head;			/* where that list begins */
	MemoryContextCallback forget;
	JourneyGroup *groups;
	JourneyGroup *spare;		/* of a block of groups, those not given out yet */
	int32		spares;
	int32		block;			/* the size of that block */
	int64		count;
	int64		room;
	GroupTouch *list;			/* as they came */
	int64		parted;			/* so many of them are in */
	Touch	   *touches;		/* by group */
};

extern JourneyPool *JourneyPoolNew(Names *names, MemoryContext context);
extern JourneyPool *JourneyPoolGet(FmgrInfo *flinfo, MemoryContext context);
extern JourneyGroup *JourneyPoolGroup(JourneyPool *pool);
extern void JourneyPoolGrow(JourneyPool *pool);
extern Journey *JourneyGroupValue(JourneyGroup *group);

/* One touch more of a group. */
static inline void
JourneyPoolAdd(JourneyPool *pool, JourneyGroup *group, TimestampTz at, int32 channel)
{
	GroupTouch *touch;

	Assert(group->pool == pool);
	if (unlikely(pool->count == pool->room))
		JourneyPoolGrow(pool);
	touch = &pool->list[pool->count++];
	touch->group = group;
	touch->touch.at = at;
	touch->touch.channel = channel;
}

/* Consecutive touches of a journey. */
typedef struct TouchRange
{
	int32		first;
	int32		count;
} TouchRange;

extern void CheckTouchTime(TimestampTz at);
extern TimestampTz LookbackStart(TimestampTz at, const Interval *lookback);
extern TouchRange JourneyRange(const Journey *journey, TimestampTz converted_at,
							   const Interval *lookback);

/* A text of a text[], where it lies. */
typedef struct PathChannel
{
	const char *text;
	uint32		length;
} PathChannel;

extern ArrayType *PathArrayNew(Size size, int32 channels);
extern int	PathChannels(struct varlena *path, PathChannel **channels, int *room,
						 MemoryContext context);

#endif							/* CRM_JOURNEY_SERVER_H */
