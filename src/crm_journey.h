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

/* A journey that grows. */
typedef struct JourneyState
{
	Names	   *names;
	int32		count;
	int32		room;
	bool		sorted;			/* strictly ascending, so far */
	Touch		touches[FLEXIBLE_ARRAY_MEMBER];
} JourneyState;

extern JourneyState *JourneyStateNew(Names *names, int32 room, MemoryContext context);
extern JourneyState *JourneyStateAdd(JourneyState *state, int32 channel, TimestampTz at);
extern Journey *JourneyStateValue(JourneyState *state);

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

extern int	PathChannels(ArrayType *path, PathChannel **channels, int *room,
						 MemoryContext context);

#endif							/* CRM_JOURNEY_SERVER_H */
