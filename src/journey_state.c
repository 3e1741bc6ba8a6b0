/*
 * journey_state.c
 *		Touches on their way to a journey: of one journey, and of all the groups
 *		of an aggregate.
 */
#include "crm.h"

#include "crm_journey.h"
#include "crm_names.h"
#include "journey.h"

#include "miscadmin.h"
#include "utils/memutils.h"

static inline int
TouchCompare(const Touch *a, const Touch *b, const int32 *order)
{
	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return order[a->channel] < order[b->channel] ? -1 : order[a->channel] > order[b->channel];
}

#define ST_SORT SortTouches
#define ST_ELEMENT_TYPE Touch
#define ST_COMPARE_ARG_TYPE const int32
#define ST_COMPARE(a, b, order) TouchCompare(a, b, order)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* The journey of some touches, which it sorts. */
Journey *
JourneyFromTouches(Names *names, Touch *touches, int32 count)
{
	int32	   *order = NamesMarks(names);	/* of a name's number: its place, or -1 */
	int32		few[64];
	int32	   *used = few;
	int32		most = Min(count, names->count);
	int32		channels = 0;
	bool		sorted = true;
	Size		length = 0;
	Size		size;
	Journey    *journey;
	uint32	   *ends;
	char	   *text;

	/* most journeys have few channels: no memory to ask for */
	if (most > (int32) lengthof(few))
		used = palloc_array_huge(int32, most);
	for (int32 i = 0; i < count; i++)
	{
		int32		channel = touches[i].channel;

		if (order[channel] < 0)
		{
			order[channel] = 0;
			used[channels++] = channel;
			length += names->names[channel].length;
		}
		if (i > 0 && touches[i].at <= touches[i - 1].at)
			sorted = false;
	}
	NamesSort(names, used, channels);
	for (int32 i = 0; i < channels; i++)
		order[used[i]] = i;
	if (!sorted)
		SortTouches(touches, count, order);

	size = journey_size(count, channels, length);
	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("journey is too long"),
				 errdetail("It takes %zu bytes, and a value has at most %zu.", size, MaxAllocSize)));
	journey = palloc(size);
	memset(journey, 0, offsetof(Journey, at));
	SET_VARSIZE(journey, size);
	journey->version = JOURNEY_VERSION;
	journey->width = journey_width(channels);
	journey->touches = count;
	journey->channels = channels;
	ends = (uint32 *) journey_ends(journey);
	text = (char *) journey_names(journey);
	for (int32 i = 0; i < channels; i++)
	{
		const KnownName *name = &names->names[used[i]];

		name_table_put(ends, text, i, name->text, name->length);
	}
	for (int32 i = 0; i < count; i++)
	{
		journey->at[i] = touches[i].at;
		journey_set_channel(journey, i, order[touches[i].channel]);
	}
	for (int32 i = 0; i < channels; i++)
		order[used[i]] = -1;
	if (used != few)
		pfree(used);
	return journey;
}

/* An empty journey that grows, with room for so many touches, at least one. */
JourneyState *
JourneyStateNew(Names *names, int32 room, MemoryContext context)
{
	JourneyState *state = MemoryContextAllocHuge(context, offsetof(JourneyState, touches) +
												 sizeof(Touch) * (Size) room);

	state->names = names;
	state->count = 0;
	state->room = room;
	return state;
}

static void
TooManyTouches(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("too many touches in a journey")));
}

/* Add a touch; the state may move. */
JourneyState *
JourneyStateAdd(JourneyState *state, int32 channel, TimestampTz at)
{
	if (unlikely(state->count == state->room))
	{
		if (state->room > PG_INT32_MAX / 2)
			TooManyTouches();
		state->room *= 2;
		state = repalloc_huge(state, offsetof(JourneyState, touches) + sizeof(Touch) * (Size) state->room);
	}
	state->touches[state->count].at = at;
	state->touches[state->count].channel = channel;
	state->count++;
	return state;
}

/* The state as a value.  Sorts the touches, and else leaves the state alone. */
Journey *
JourneyStateValue(JourneyState *state)
{
	return JourneyFromTouches(state->names, state->touches, state->count);
}

/*
 * The groups of an aggregate
 *
 * A shop has hundreds of thousands of customers with a handful of touches each.
 * If each group had memory of its own, every touch would cost a few misses of
 * the processor's caches.  So a touch is appended to one list for all groups of
 * a memory context, and when the first group is asked for, the list is parted by
 * group.  It takes 24 bytes a touch, and then 16 more; a list has room for up to
 * twice as much.
 */

/* An empty pool, all of whose parts are in that context. */
JourneyPool *
JourneyPoolNew(Names *names, MemoryContext context)
{
	JourneyPool *pool = MemoryContextAllocZero(context, sizeof(JourneyPool));

	pool->context = context;
	pool->names = names;
	return pool;
}

static void
JourneyPoolForget(void *arg)
{
	JourneyPool *pool = (JourneyPool *) arg;
	JourneyPool **link = pool->head;

	while (*link != pool)
		link = &(*link)->next;
	*link = pool->next;
}

/*
 * What a transition function keeps: the names of the channels, once for all
 * groups, as long as the query's plan, and the pools, each as long as its
 * context.  There is one pool but where there are grouping sets.
 */
typedef struct JourneyPools
{
	Names		names;
	JourneyPool *first;
} JourneyPools;

/* The pool of the aggregate's groups in that context. */
JourneyPool *
JourneyPoolGet(FmgrInfo *flinfo, MemoryContext context)
{
	JourneyPools *pools = (JourneyPools *) flinfo->fn_extra;
	JourneyPool *pool;

	if (unlikely(pools == NULL))
	{
		pools = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(JourneyPools));
		NamesInit(&pools->names, flinfo->fn_mcxt);
		flinfo->fn_extra = pools;
	}
	for (pool = pools->first; pool != NULL; pool = pool->next)
		if (pool->context == context)
			return pool;

	pool = JourneyPoolNew(&pools->names, context);
	pool->head = &pools->first;
	pool->next = pools->first;
	pools->first = pool;
	pool->forget.func = JourneyPoolForget;
	pool->forget.arg = pool;
	MemoryContextRegisterResetCallback(context, &pool->forget);
	return pool;
}

/* as many groups as a block has at most */
#define MANY_GROUPS	1024

/*
 * A new group, without a touch yet.
 *
 * Groups come from blocks, apart from what the server allocates for each: its
 * lookup of a group, which is what most of the time goes into, and the parting
 * below then have less memory each to find in the caches.
 */
JourneyGroup *
JourneyPoolGroup(JourneyPool *pool)
{
	JourneyGroup *group;

	if (pool->spares == 0)
	{
		pool->block = pool->block == 0 ? 1 : Min(pool->block * 2, MANY_GROUPS);
		pool->spare = MemoryContextAlloc(pool->context, sizeof(JourneyGroup) * pool->block);
		pool->spares = pool->block;
	}
	group = pool->spare++;
	pool->spares--;
	group->pool = pool;
	group->next = pool->groups;
	group->first = 0;
	group->count = 0;
	pool->groups = group;
	return group;
}

/* Make room for touches. */
void
JourneyPoolGrow(JourneyPool *pool)
{
	pool->room = pool->room == 0 ? 8 : pool->room * 2;
	pool->list = pool->list == NULL ?
		MemoryContextAlloc(pool->context, sizeof(GroupTouch) * pool->room) :
		repalloc_huge(pool->list, sizeof(GroupTouch) * pool->room);
}

/* how many touches ahead memory is asked for */
#define AHEAD	16

/* and after how many it is asked whether to go on */
#define MANY	65536

/* Part the list by group. */
static void
JourneyPoolPart(JourneyPool *pool)
{
	int64		first = 0;

	if (pool->touches != NULL)
		pfree(pool->touches);
	pool->touches = MemoryContextAllocHuge(pool->context, sizeof(Touch) * Max(pool->count, 1));
	for (JourneyGroup *group = pool->groups; group != NULL; group = group->next)
		group->count = 0;
	for (int64 i = 0; i < pool->count; i++)
	{
		if (i % MANY == 0)
			CHECK_FOR_INTERRUPTS();
		if (i + AHEAD < pool->count)
			__builtin_prefetch(pool->list[i + AHEAD].group, 1);
		pool->list[i].group->count++;
	}
	for (JourneyGroup *group = pool->groups; group != NULL; group = group->next)
	{
		group->first = first;
		first += group->count;
		group->count = 0;
	}
	for (int64 i = 0; i < pool->count; i++)
	{
		JourneyGroup *group = pool->list[i].group;

		if (i % MANY == 0)
			CHECK_FOR_INTERRUPTS();
		/* what is written is in the caches when its turn comes */
		if (i + 2 * AHEAD < pool->count)
		{
			JourneyGroup *soon = pool->list[i + AHEAD].group;

			__builtin_prefetch(pool->list[i + 2 * AHEAD].group, 1);
			__builtin_prefetch(&pool->touches[soon->first + soon->count], 1);
		}
		pool->touches[group->first + group->count++] = pool->list[i].touch;
	}
	pool->parted = pool->count;
}

/* The touches of a group as a value.  More may be added to it later. */
Journey *
JourneyGroupValue(JourneyGroup *group)
{
	JourneyPool *pool = group->pool;

	if (pool->touches == NULL || pool->parted < pool->count)
		JourneyPoolPart(pool);
	if (group->count > PG_INT32_MAX / 2)
		TooManyTouches();
	return JourneyFromTouches(pool->names, pool->touches + group->first, (int32) group->count);
}
