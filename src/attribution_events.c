/*
 * attribution_events.c
 *		Attribution from raw rows: touches and orders of all customers in one
 *		pass, without GROUP BY and without a join; the paths that they went,
 *		counted; and who came by which channel.
 *
 * Grouping millions of rows by customer as they come costs a few misses of the
 * processor's caches for each.  Here a row is appended to a list, which costs
 * none; in the end the list is parted by customer, in place, into pieces that
 * fit into the caches, and each piece is sorted.  It takes 24 bytes a row; as a
 * list doubles when it is full, its room may be twice that.
 */
#include "crm.h"

#include "attribution.h"
#include "crm_amount.h"
#include "crm_attribution.h"
#include "crm_journey.h"
#include "crm_names.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "common/int.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(crm_attribution_event);
PG_FUNCTION_INFO_V1(crm_attribution_event_text);
PG_FUNCTION_INFO_V1(crm_channel_analysis_event);
PG_FUNCTION_INFO_V1(crm_channel_analysis_final);
PG_FUNCTION_INFO_V1(crm_attribution_events_merge);
PG_FUNCTION_INFO_V1(crm_attribution_events_serialize);
PG_FUNCTION_INFO_V1(crm_attribution_events_deserialize);
PG_FUNCTION_INFO_V1(crm_attribution_events_final);

typedef struct Event
{
	int64		customer;
	TimestampTz at;
	int64		what;			/* of a touch its channel, of an order its amount */
} Event;

/*
 * Touches and orders are in lists of their own.  Each begins with room for
 * eight, as there may be many groups.
 */
typedef struct EventList
{
	int64		count;
	int64		room;
	Event	   *events;
} EventList;

typedef enum EventKind
{
	TOUCHES,
	ORDERS,
	NEW_ORDERS,					/* those of the orders that are a customer's first */
	EVENT_KINDS
} EventKind;

/* How those are told apart whose events they are. */
typedef enum EventPeople
{
	NUMBERED,					/* by a number */
	NAMED,						/* by a text, which is numbered as it comes */
	NOBODY,						/* not at all: they have no touches */
	EVENT_PEOPLE
} EventPeople;

/* What is the same for all rows of a group. */
typedef struct EventTerms
{
	Interval	lookback;
	bool		rules;			/* whether the rules are asked for */
	Interval	half_life;
	bool		paths;			/* whether the paths are */
	TimestampTz as_of;
	bool		visitors;		/* whether the visitors are */
	TimestampTz visits_from;
} EventTerms;

typedef struct EventState
{
	MemoryContext context;
	EventList	lists[EVENT_PEOPLE][EVENT_KINDS];
	Names		channels;
	Names		people;
	EventTerms	terms;
	CreditTerms credit;
} EventState;

static EventState *
EventStateNew(MemoryContext context, const EventTerms *terms)
{
	EventState *state = MemoryContextAllocZero(context, sizeof(EventState));

	state->context = context;
	NamesInit(&state->channels, context);
	NamesInit(&state->people, context);
	state->terms = *terms;
	TermsInit(&state->credit);
	if (terms->rules)
		TermsHalfLife(&state->credit, &terms->half_life);
	return state;
}

static void
EventAdd(EventState *state, EventList *list, int64 customer, TimestampTz at, int64 what)
{
	Event	   *event;

	if (unlikely(list->count == list->room))
	{
		list->room = list->room == 0 ? 8 : list->room * 2;
		list->events = list->events == NULL ?
			MemoryContextAlloc(state->context, sizeof(Event) * list->room) :
			repalloc_huge(list->events, sizeof(Event) * list->room);
	}
	event = &list->events[list->count++];
	event->customer = customer;
	event->at = at;
	event->what = what;
}

/* The list has rows of one lookback, one half-life and one end. */
static void
SameTerms(const EventTerms *terms, const EventTerms *other)
{
	const char *differs = NULL;

	if (memcmp(&terms->lookback, &other->lookback, sizeof(Interval)) != 0)
		differs = "lookback";
	else if (terms->rules != other->rules ||
			 memcmp(&terms->half_life, &other->half_life, sizeof(Interval)) != 0)
		differs = "half-life";
	else if (terms->paths != other->paths || terms->as_of != other->as_of)
		differs = "as_of";
	else if (terms->visitors != other->visitors || terms->visits_from != other->visits_from)
		differs = "visits_from";
	if (differs != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be the same for all rows of a group", differs)));
}

/* The state of an aggregate whose rows have those terms. */
static EventState *
EventGetState(FunctionCallInfo fcinfo, const EventTerms *terms)
{
	MemoryContext context = AggregateContext(fcinfo);
	EventState *state;

	if (PG_ARGISNULL(0))
		return EventStateNew(context, terms);
	state = (EventState *) PG_GETARG_POINTER(0);
	SameTerms(&state->terms, terms);
	return state;
}

/*
 * Take a row, of which arguments channel to channel + 2 are the channel, the
 * time and the value: with a value it is an order, without one a touch.
 */
static void
EventTake(FunctionCallInfo fcinfo, EventState *state, EventPeople people, int64 customer,
		  int channel, bool is_new)
{
	EventList  *lists = state->lists[people];
	bool		is_order = !PG_ARGISNULL(channel + 2);
	TimestampTz at;

	if (PG_ARGISNULL(channel + 1) || (!is_order && (people == NOBODY || PG_ARGISNULL(channel))))
		return;
	at = PG_GETARG_TIMESTAMPTZ(channel + 1);
	if (is_order)
	{
		int			scale;
		int64		amount = AmountFromNumericDatum(PG_GETARG_DATUM(channel + 2), &scale);

		(void) LookbackStart(at, &state->terms.lookback);
		EventAdd(state, &lists[ORDERS], customer, at, amount);
		if (is_new)
			EventAdd(state, &lists[NEW_ORDERS], customer, at, amount);
	}
	else
	{
		struct varlena *name = PG_GETARG_VARLENA_PP(channel);

		CheckTouchTime(at);
		EventAdd(state, &lists[TOUCHES], customer, at,
				 NamesIntern(&state->channels, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)));
	}
}

static inline int64
InternPerson(EventState *state, struct varlena *name)
{
	return NamesIntern(&state->people, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
}

static Datum
EventTransition(FunctionCallInfo fcinfo, bool is_text)
{
	EventTerms	terms = {.rules = true};
	EventState *state;

	NotNull(fcinfo, 5, "lookback");
	NotNull(fcinfo, 6, "half-life");
	terms.lookback = *PG_GETARG_INTERVAL_P(5);
	terms.half_life = *PG_GETARG_INTERVAL_P(6);
	state = EventGetState(fcinfo, &terms);
	if (PG_ARGISNULL(1))
		EventTake(fcinfo, state, NOBODY, 0, 2, false);
	else if (is_text)
		EventTake(fcinfo, state, NAMED, InternPerson(state, PG_GETARG_VARLENA_PP(1)), 2, false);
	else
		EventTake(fcinfo, state, NUMBERED, PG_GETARG_INT64(1), 2, false);
	PG_RETURN_POINTER(state);
}

/*
 * attribution_event(internal, customer bigint, channel text, happened_at
 * timestamptz, value numeric, lookback interval, half_life interval) returns
 * internal: a row with a value is an order, whose channel is not read; one
 * without is a touch.
 *
 * A touch without customer, channel or time and an order without time are
 * skipped; an order without customer has no touches.  Raises an error if
 * lookback or half-life is null or not that of the rows before.
 */
Datum
crm_attribution_event(PG_FUNCTION_ARGS)
{
	return EventTransition(fcinfo, false);
}

/* The same with customers that are told apart by a text. */
Datum
crm_attribution_event_text(PG_FUNCTION_ARGS)
{
	return EventTransition(fcinfo, true);
}

/*
 * channel_analysis_event(internal, customer bigint, visitor text, channel
 * text, happened_at timestamptz, value numeric, is_new boolean, lookback
 * interval, half_life interval, as_of timestamptz, visits_from timestamptz)
 * returns internal: the same of customers, and of visitors whose customer is
 * NULL.
 *
 * is_new says of an order that it is the customer's first.  Without a
 * half_life the rules are not computed, without as_of the paths are not,
 * without visits_from the visitors are not counted.  Raises an error if
 * lookback is null, or one of the last four is not that of the rows before.
 */
Datum
crm_channel_analysis_event(PG_FUNCTION_ARGS)
{
	EventTerms	terms;
	EventState *state;
	bool		is_new = !PG_ARGISNULL(6) && PG_GETARG_BOOL(6);

	NotNull(fcinfo, 7, "lookback");
	memset(&terms, 0, sizeof(terms));
	terms.lookback = *PG_GETARG_INTERVAL_P(7);
	terms.rules = !PG_ARGISNULL(8);
	if (terms.rules)
		terms.half_life = *PG_GETARG_INTERVAL_P(8);
	terms.paths = !PG_ARGISNULL(9);
	if (terms.paths)
	{
		terms.as_of = PG_GETARG_TIMESTAMPTZ(9);
		if (TIMESTAMP_NOT_FINITE(terms.as_of))
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("as_of must be finite")));
	}
	terms.visitors = !PG_ARGISNULL(10);
	if (terms.visitors)
		terms.visits_from = PG_GETARG_TIMESTAMPTZ(10);
	state = EventGetState(fcinfo, &terms);
	if (!PG_ARGISNULL(1))
		EventTake(fcinfo, state, NUMBERED, PG_GETARG_INT64(1), 3, is_new);
	else if (!PG_ARGISNULL(2))
		EventTake(fcinfo, state, NAMED, InternPerson(state, PG_GETARG_VARLENA_PP(2)), 3, is_new);
	else
		EventTake(fcinfo, state, NOBODY, 0, 3, is_new);
	PG_RETURN_POINTER(state);
}

#define ST_SORT SortEvents
#define ST_ELEMENT_TYPE Event
#define ST_COMPARE(a, b) ((a)->customer != (b)->customer ? ((a)->customer < (b)->customer ? -1 : 1) : \
						  (a)->at < (b)->at ? -1 : (a)->at > (b)->at)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* a part of a few thousand events is sorted within the caches */
#define EVENTS_OF_PART	4096
#define MAX_PARTS		1024

static inline uint32
EventPart(const Event *event, uint32 parts)
{
	uint64		customer = (uint64) event->customer;

	return murmurhash32((uint32) customer ^ murmurhash32((uint32) (customer >> 32))) & (parts - 1);
}

/*
 * Part a list by customer, in place, and sort each part by customer and time.
 * ends[i] is where part i ends.
 */
static void
SortByPart(EventList *list, uint32 parts, int64 *ends)
{
	int64	   *next = palloc0(sizeof(int64) * parts);
	int64		start = 0;

	for (int64 i = 0; i < list->count; i++)
		next[EventPart(&list->events[i], parts)]++;
	for (uint32 i = 0; i < parts; i++)
	{
		int64		count = next[i];

		next[i] = start;
		start += count;
		ends[i] = start;
	}

	/* an event that is in the wrong part changes places with one of its own */
	for (uint32 i = 0; i < parts; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (; next[i] < ends[i]; next[i]++)
		{
			Event		event = list->events[next[i]];
			uint32		part;

			while ((part = EventPart(&event, parts)) != i)
			{
				Event	   *place = &list->events[next[part]++];
				Event		other = *place;

				*place = event;
				event = other;
			}
			list->events[next[i]] = event;
		}
	}
	start = 0;
	for (uint32 i = 0; i < parts; i++)
	{
		CHECK_FOR_INTERRUPTS();
		SortEvents(list->events + start, ends[i] - start);
		start = ends[i];
	}
	pfree(next);
}

/*
 * attribution_events_merge(internal, internal) returns internal: the rows of
 * both.  Raises an error if they differ in lookback, half-life, as_of or
 * visits_from.
 */
Datum
crm_attribution_events_merge(PG_FUNCTION_ARGS)
{
	MemoryContext context = AggregateContext(fcinfo);
	EventState *state = PG_ARGISNULL(0) ? NULL : (EventState *) PG_GETARG_POINTER(0);
	EventState *other = PG_ARGISNULL(1) ? NULL : (EventState *) PG_GETARG_POINTER(1);
	int32	   *channels;
	int32	   *names;

	if (other == NULL)
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
		state = EventStateNew(context, &other->terms);
	else
		SameTerms(&state->terms, &other->terms);
	channels = NamesMerge(&state->channels, &other->channels);
	names = NamesMerge(&state->people, &other->people);
	for (int people = 0; people < EVENT_PEOPLE; people++)
	{
		for (int kind = 0; kind < EVENT_KINDS; kind++)
		{
			const EventList *list = &other->lists[people][kind];

			for (int64 i = 0; i < list->count; i++)
			{
				const Event *event = &list->events[i];

				EventAdd(state, &state->lists[people][kind],
						 people == NAMED ? names[event->customer] : event->customer, event->at,
						 kind == TOUCHES ? channels[event->what] : event->what);
			}
		}
	}
	PG_RETURN_POINTER(state);
}

/* What a state becomes on its way from a worker, which the parts follow. */
typedef struct EventsHead
{
	EventTerms	terms;
	int64		counts[EVENT_PEOPLE][EVENT_KINDS];
	Size		channels;		/* bytes */
	Size		people;
} EventsHead;

/* attribution_events_serialize(internal) returns bytea */
Datum
crm_attribution_events_serialize(PG_FUNCTION_ARGS)
{
	EventState *state = (EventState *) PG_GETARG_POINTER(0);
	const EventList *lists = &state->lists[0][0];
	EventsHead	head;
	Size		size;
	bytea	   *result;
	char	   *to;

	memset(&head, 0, sizeof(head));
	head.terms = state->terms;
	head.channels = NamesSize(&state->channels);
	head.people = NamesSize(&state->people);
	size = VARHDRSZ + sizeof(head) + head.channels + head.people;
	for (int i = 0; i < EVENT_PEOPLE * EVENT_KINDS; i++)
	{
		(&head.counts[0][0])[i] = lists[i].count;
		size += sizeof(Event) * lists[i].count;
	}
	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many rows for a parallel plan"),
				 errdetail("A worker's rows take %zu bytes, and a value has at most %zu.", size, MaxAllocSize),
				 errhint("Set max_parallel_workers_per_gather to 0, or take the customers in parts.")));
	result = palloc(size);
	SET_VARSIZE(result, size);
	to = VARDATA(result);
	memcpy(to, &head, sizeof(head));
	to += sizeof(head);
	for (int i = 0; i < EVENT_PEOPLE * EVENT_KINDS; i++)
	{
		if (lists[i].count > 0)
			memcpy(to, lists[i].events, sizeof(Event) * lists[i].count);
		to += sizeof(Event) * lists[i].count;
	}
	to = NamesPut(&state->channels, to);
	(void) NamesPut(&state->people, to);
	PG_RETURN_BYTEA_P(result);
}

/* attribution_events_deserialize(bytea, internal) returns internal */
Datum
crm_attribution_events_deserialize(PG_FUNCTION_ARGS)
{
	const char *from = VARDATA_ANY(PG_GETARG_BYTEA_PP(0));
	EventsHead	head;
	EventState *state;

	(void) AggregateContext(fcinfo);
	memcpy(&head, from, sizeof(head));
	from += sizeof(head);
	state = EventStateNew(CurrentMemoryContext, &head.terms);
	for (int i = 0; i < EVENT_PEOPLE * EVENT_KINDS; i++)
	{
		EventList  *list = &(&state->lists[0][0])[i];
		int64		count = (&head.counts[0][0])[i];

		if (count > 0)
		{
			list->events = palloc_array_huge(Event, count);
			memcpy(list->events, from, sizeof(Event) * count);
		}
		list->count = list->room = count;
		from += sizeof(Event) * count;
	}
	NamesTake(&state->channels, from, head.channels);
	NamesTake(&state->people, from + head.channels, head.people);
	PG_RETURN_POINTER(state);
}

/* A path, and how many went it. */
typedef struct PathSum
{
	int64		first;			/* of its touches */
	int32		length;
	uint32		hash;
	int64		conversions;
	int64		value;			/* in 1/10000 */
	int64		nulls;
	int64		new_customers;
} PathSum;

/* The paths that were gone, each once: a hash table. */
typedef struct PathTable
{
	int32	   *numbers;		/* of the channels: in the order of their names */
	int32	   *places;			/* of a channel by its number: the place of it there */

	uint32		count;
	uint32		room;			/* a power of two */
	PathSum    *sums;
	uint32	   *slots;			/* 2 * room: number + 1, or 0 */

	int64		touch_count;
	int64		touch_room;
	int32	   *touches;		/* channels by their places, path by path */
} PathTable;

static PathTable *
PathTableNew(Names *channels)
{
	PathTable  *table = palloc0(sizeof(PathTable));

	table->numbers = palloc_array_huge(int32, channels->count);
	table->places = palloc_array_huge(int32, channels->count);
	for (int32 i = 0; i < channels->count; i++)
		table->numbers[i] = i;
	NamesSort(channels, table->numbers, channels->count);
	for (int32 i = 0; i < channels->count; i++)
		table->places[table->numbers[i]] = i;
	table->room = 256;
	table->sums = palloc(sizeof(PathSum) * table->room);
	table->slots = palloc0(sizeof(uint32) * 2 * table->room);
	table->touch_room = 1024;
	table->touches = palloc(sizeof(int32) * table->touch_room);
	return table;
}

static void
PathTableGrow(PathTable *table)
{
	if (table->room > PG_UINT32_MAX / 8)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many paths")));
	table->room *= 2;
	table->sums = repalloc_huge(table->sums, sizeof(PathSum) * table->room);
	pfree(table->slots);
	table->slots = palloc_array_huge0(uint32, 2 * table->room);
	for (uint32 i = 0; i < table->count; i++)
	{
		uint32		slot = table->sums[i].hash & (2 * table->room - 1);

		while (table->slots[slot] != 0)
			slot = (slot + 1) & (2 * table->room - 1);
		table->slots[slot] = i + 1;
	}
}

/* The path of so many touches, whose channels are given by their places. */
static PathSum *
PathIntern(PathTable *table, const int32 *touches, int32 length)
{
	uint32		hash = hash_bytes((const unsigned char *) touches, sizeof(int32) * length);
	uint32		slot;
	PathSum    *sum;

	if (unlikely(table->count == table->room))
		PathTableGrow(table);
	for (slot = hash & (2 * table->room - 1); table->slots[slot] != 0; slot = (slot + 1) & (2 * table->room - 1))
	{
		sum = &table->sums[table->slots[slot] - 1];
		if (sum->hash == hash && sum->length == length &&
			memcmp(table->touches + sum->first, touches, sizeof(int32) * length) == 0)
			return sum;
	}
	if (table->touch_count + length > table->touch_room)
	{
		table->touch_room = Max(table->touch_room * 2, table->touch_count + length);
		table->touches = repalloc_huge(table->touches, sizeof(int32) * table->touch_room);
	}
	sum = &table->sums[table->count++];
	table->slots[slot] = table->count;
	memset(sum, 0, sizeof(PathSum));
	sum->first = table->touch_count;
	sum->length = length;
	sum->hash = hash;
	memcpy(table->touches + sum->first, touches, sizeof(int32) * length);
	table->touch_count += length;
	return sum;
}

/* Touches of one moment are in the order of their channels' names. */
#define ST_SORT SortMoment
#define ST_ELEMENT_TYPE Event
#define ST_COMPARE_ARG_TYPE const int32
#define ST_COMPARE(a, b, places) \
	(places[(a)->what] < places[(b)->what] ? -1 : places[(a)->what] > places[(b)->what])
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* One person's events of a kind, in the order of time. */
typedef struct EventRun
{
	Event	   *events;
	int64		count;
} EventRun;

/* The last of some orders, NULL if there is none: a negative value is a refund. */
static const Event *
LastOrder(const EventRun *orders)
{
	for (int64 i = orders->count - 1; i >= 0; i--)
		if (orders->events[i].what >= 0)
			return &orders->events[i];
	return NULL;
}

/* How many of them are before that time. */
static int32
RunFind(const EventRun *run, TimestampTz at)
{
	int32		low = 0;
	int32		high = (int32) run->count;

	while (low < high)
	{
		int32		middle = low + (high - low) / 2;

		if (run->events[middle].at < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Who came by a channel. */
typedef struct VisitorCount
{
	int64		visitors;
	int64		converted;
	int64		last_person;	/* who was counted last: the how manieth */
} VisitorCount;

/* What the finals compute. */
typedef struct EventResult
{
	AttributionState *orders;	/* NULL if the rules are not asked for */
	AttributionState *new_orders;
	PathTable  *paths;			/* NULL if they are not */
	TimestampTz too_old;		/* for another order to come of a touch */
	JourneyState *journeys;
	int32	   *places;			/* room for the touches of one person */
	int32		room;
	VisitorCount *visitors;		/* by the channels' numbers; NULL if they are not asked for */
	int64		people;			/* how many have been counted so far */
} EventResult;

/* The rules share a person's orders. */
static void
CreditRun(EventState *state, const Journey *journey, const EventRun *orders, AttributionState *to)
{
	for (int64 i = 0; i < orders->count; i++)
	{
		TouchRange	range = {0, 0};

		CHECK_FOR_INTERRUPTS();
		if (journey != NULL)
			range = JourneyRange(journey, orders->events[i].at, &state->terms.lookback);
		AddOrder(to, journey, range, &state->credit, orders->events[i].what);
	}
}

/* The path to an order. */
static PathSum *
PathTo(EventState *state, EventResult *result, const EventRun *touches, TimestampTz at)
{
	int32		first = RunFind(touches, LookbackStart(at, &state->terms.lookback));

	CHECK_FOR_INTERRUPTS();
	return PathIntern(result->paths, result->places + first, RunFind(touches, at + 1) - first);
}

/* The paths that a person went: see crm_null_path() for the one that led to nothing. */
static void
PathsOfRuns(EventState *state, EventResult *result, EventRun runs[EVENT_KINDS])
{
	EventRun   *touches = &runs[TOUCHES];
	EventRun   *orders = &runs[ORDERS];
	const Event *last = LastOrder(orders);
	int32		after = 0;
	int32		end;

	if (touches->count > PG_INT32_MAX / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many touches of one customer")));
	if (touches->count > result->room)
	{
		result->room = Max((int32) touches->count, 64);
		pfree(result->places);
		result->places = palloc_array_huge(int32, result->room);
	}
	for (int64 i = 0; i < touches->count;)
	{
		int64		next = i + 1;

		while (next < touches->count && touches->events[next].at == touches->events[i].at)
			next++;
		if (next > i + 1)
			SortMoment(touches->events + i, next - i, result->paths->places);
		for (; i < next; i++)
			result->places[i] = result->paths->places[touches->events[i].what];
	}
	for (int64 i = 0; i < orders->count; i++)
	{
		const Event *order = &orders->events[i];
		PathSum    *path = PathTo(state, result, touches, order->at);

		path->conversions += order->what >= 0;
		if (pg_add_s64_overflow(path->value, order->what, &path->value))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("sum of values out of range")));
	}
	for (int64 i = 0; i < runs[NEW_ORDERS].count; i++)
	{
		const Event *order = &runs[NEW_ORDERS].events[i];

		PathTo(state, result, touches, order->at)->new_customers += order->what >= 0;
	}

	if (touches->count == 0)
		return;
	if (last != NULL)
		after = RunFind(touches, last->at + 1);
	end = RunFind(touches, state->terms.as_of + 1);
	if (end > after && touches->events[end - 1].at < result->too_old)
	{
		int32		first = RunFind(touches, LookbackStart(touches->events[end - 1].at, &state->terms.lookback));

		first = Max(first, after);
		PathIntern(result->paths, result->places + first, end - first)->nulls++;
	}
}

/* By which channels a person came, and whether he ordered after that. */
static void
VisitsOfRuns(EventState *state, EventResult *result, EventRun runs[EVENT_KINDS])
{
	const EventRun *touches = &runs[TOUCHES];
	const Event *last = LastOrder(&runs[ORDERS]);

	result->people++;
	for (int64 i = 0; i < touches->count; i++)
	{
		const Event *touch = &touches->events[i];
		VisitorCount *count = &result->visitors[touch->what];

		if (touch->at < state->terms.visits_from || count->last_person == result->people)
			continue;
		count->last_person = result->people;
		count->visitors++;
		count->converted += last != NULL && last->at >= touch->at;
	}
}

/* Of the events of a list from *at on, before end, those of one person. */
static EventRun
TakeRun(const EventList *list, int64 *at, int64 end, int64 customer)
{
	EventRun	run = {list->events + *at, 0};

	while (*at + run.count < end && run.events[run.count].customer == customer)
		run.count++;
	*at += run.count;
	return run;
}

/* All that some people did. */
static void
FinishPeople(EventState *state, EventList lists[EVENT_KINDS], EventResult *result)
{
	uint32		parts = 1;
	int64	   *ends[EVENT_KINDS];
	int64		at[EVENT_KINDS] = {0, 0, 0};

	while (parts < MAX_PARTS && lists[TOUCHES].count + lists[ORDERS].count > (int64) parts * EVENTS_OF_PART)
		parts *= 2;
	for (int kind = 0; kind < EVENT_KINDS; kind++)
	{
		ends[kind] = palloc(sizeof(int64) * parts);
		SortByPart(&lists[kind], parts, ends[kind]);
	}
	for (uint32 part = 0; part < parts; part++)
	{
		for (;;)
		{
			const Event *touch = at[TOUCHES] < ends[TOUCHES][part] ? &lists[TOUCHES].events[at[TOUCHES]] : NULL;
			const Event *order = at[ORDERS] < ends[ORDERS][part] ? &lists[ORDERS].events[at[ORDERS]] : NULL;
			Journey    *journey = NULL;
			EventRun	runs[EVENT_KINDS];
			int64		customer;

			CHECK_FOR_INTERRUPTS();
			if (touch == NULL && order == NULL)
				break;
			customer = touch == NULL || (order != NULL && order->customer < touch->customer) ?
				order->customer : touch->customer;
			for (int kind = 0; kind < EVENT_KINDS; kind++)
				runs[kind] = TakeRun(&lists[kind], &at[kind], ends[kind][part], customer);
			if (result->orders != NULL && runs[ORDERS].count > 0)
			{
				result->journeys->count = 0;
				for (int64 i = 0; i < runs[TOUCHES].count; i++)
					result->journeys = JourneyStateAdd(result->journeys, (int32) runs[TOUCHES].events[i].what,
													   runs[TOUCHES].events[i].at);
				if (result->journeys->count > 0)
					journey = JourneyStateValue(result->journeys);
				CreditRun(state, journey, &runs[ORDERS], result->orders);
				CreditRun(state, journey, &runs[NEW_ORDERS], result->new_orders);
				if (journey != NULL)
					pfree(journey);
			}
			if (result->paths != NULL)
				PathsOfRuns(state, result, runs);
			if (result->visitors != NULL)
				VisitsOfRuns(state, result, runs);
		}
	}
	for (int kind = 0; kind < EVENT_KINDS; kind++)
		pfree(ends[kind]);
}

/* What is asked for of a state, whose rows it sorts. */
static void
EventsFinish(EventState *state, EventResult *result)
{
	memset(result, 0, sizeof(EventResult));
	if (state == NULL || state->terms.rules)
	{
		result->orders = RulesState(CurrentMemoryContext);
		result->new_orders = RulesState(CurrentMemoryContext);
	}
	if (state == NULL)
		return;
	if (state->terms.rules)
		result->journeys = JourneyStateNew(&state->channels, 64, CurrentMemoryContext);
	if (state->terms.paths)
	{
		result->paths = PathTableNew(&state->channels);
		result->too_old = LookbackStart(state->terms.as_of, &state->terms.lookback);
		result->room = 64;
		result->places = palloc(sizeof(int32) * result->room);
	}
	if (state->terms.visitors)
		result->visitors = palloc_array_huge0(VisitorCount, state->channels.count);
	for (int people = 0; people < EVENT_PEOPLE; people++)
		FinishPeople(state, state->lists[people], result);
}

/*
 * attribution_events_final(internal) returns attribution: as if every customer
 * had a journey.  May run more than once on a state.
 */
Datum
crm_attribution_events_final(PG_FUNCTION_ARGS)
{
	EventResult result;

	EventsFinish(PG_ARGISNULL(0) ? NULL : (EventState *) PG_GETARG_POINTER(0), &result);
	PG_RETURN_POINTER(AttributionStateValue(result.orders));
}

/* Paths that begin alike are in the order of the touches that follow. */
static int
PathCompare(const PathSum *a, const PathSum *b, const int32 *touches)
{
	const int32 *x = touches + a->first;
	const int32 *y = touches + b->first;

	for (int32 i = 0; i < a->length && i < b->length; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return a->length < b->length ? -1 : a->length > b->length;
}

#define ST_SORT SortPaths
#define ST_ELEMENT_TYPE PathSum
#define ST_COMPARE_ARG_TYPE const int32
#define ST_COMPARE(a, b, touches) PathCompare(a, b, touches)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* A path as text[]. */
static ArrayType *
PathText(const PathTable *table, const Names *channels, const PathSum *path)
{
	const int32 *touches = table->touches + path->first;
	Size		size = ARR_OVERHEAD_NONULLS(1);
	ArrayType  *array;
	char	   *to;

	if (path->length == 0)
		return construct_empty_array(TEXTOID);
	for (int32 i = 0; i < path->length; i++)
		size += INTALIGN(VARHDRSZ + channels->names[table->numbers[touches[i]]].length);
	array = PathArrayNew(size, path->length);
	to = ARR_DATA_PTR(array);
	for (int32 i = 0; i < path->length; i++)
	{
		const KnownName *name = &channels->names[table->numbers[touches[i]]];

		SET_VARSIZE(to, VARHDRSZ + name->length);
		memcpy(VARDATA(to), name->text, name->length);
		to += INTALIGN(VARHDRSZ + name->length);
	}
	return array;
}

/* The paths as path_count[], ascending by the names of their channels. */
static ArrayType *
PathCounts(PathTable *table, const Names *channels, Oid type)
{
	TupleDesc	tupdesc = lookup_rowtype_tupdesc(type, -1);
	Datum	   *elements = palloc_array_huge(Datum, table->count);
	ArrayType  *result;

	SortPaths(table->sums, table->count, table->touches);
	for (uint32 i = 0; i < table->count; i++)
	{
		const PathSum *path = &table->sums[i];
		bool		nulls[5] = {false, false, false, false, false};
		Datum		values[5];

		CHECK_FOR_INTERRUPTS();
		values[0] = PointerGetDatum(PathText(table, channels, path));
		values[1] = NumericGetDatum(int64_to_numeric(path->conversions));
		values[2] = NumericGetDatum(AmountToNumeric(path->value, AMOUNT_SCALE));
		values[3] = NumericGetDatum(int64_to_numeric(path->nulls));
		values[4] = NumericGetDatum(int64_to_numeric(path->new_customers));
		elements[i] = HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls));
		for (int j = 0; j < 5; j++)
			pfree(DatumGetPointer(values[j]));
	}
	ReleaseTupleDesc(tupdesc);
	result = construct_array(elements, table->count, type, -1, false, TYPALIGN_DOUBLE);
	pfree(elements);
	return result;
}

/* Who came by each channel as channel_visitors[], ascending by the channels' names. */
static ArrayType *
VisitorCounts(const VisitorCount *counts, Names *channels, Oid type)
{
	TupleDesc	tupdesc = lookup_rowtype_tupdesc(type, -1);
	int32	   *numbers = palloc_array_huge(int32, channels->count);
	Datum	   *elements = palloc_array_huge(Datum, channels->count);
	int32		count = 0;
	ArrayType  *result;

	for (int32 i = 0; i < channels->count; i++)
		if (counts[i].visitors > 0)
			numbers[count++] = i;
	NamesSort(channels, numbers, count);
	for (int32 i = 0; i < count; i++)
	{
		const KnownName *name = &channels->names[numbers[i]];
		bool		nulls[3] = {false, false, false};
		Datum		values[3];

		CHECK_FOR_INTERRUPTS();
		values[0] = PointerGetDatum(cstring_to_text_with_len(name->text, name->length));
		values[1] = Int64GetDatum(counts[numbers[i]].visitors);
		values[2] = Int64GetDatum(counts[numbers[i]].converted);
		elements[i] = HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls));
		pfree(DatumGetPointer(values[0]));
	}
	ReleaseTupleDesc(tupdesc);
	result = construct_array(elements, count, type, -1, false, TYPALIGN_DOUBLE);
	pfree(elements);
	pfree(numbers);
	return result;
}

/*
 * channel_analysis_final(internal) returns channel_analysis: what the rules
 * give for all orders and for those that are new, the paths, and the visitors.
 * Of the paths each is there once, with the orders that it led to (a negative
 * value is a refund, and none), their value, those among them that are new, and
 * how many went it to no order.  A visitor of a channel is who has a touch of
 * it from visits_from on; if an order follows the first of those, he has
 * converted.
 */
Datum
crm_channel_analysis_final(PG_FUNCTION_ARGS)
{
	EventState *state = PG_ARGISNULL(0) ? NULL : (EventState *) PG_GETARG_POINTER(0);
	EventResult result;
	TupleDesc	tupdesc;
	Datum		values[4] = {0, 0, 0, 0};
	bool		nulls[4];

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "crm.channel_analysis must return a row");
	tupdesc = BlessTupleDesc(tupdesc);
	EventsFinish(state, &result);
	nulls[0] = nulls[1] = result.orders == NULL;
	if (result.orders != NULL)
	{
		values[0] = PointerGetDatum(AttributionStateValue(result.orders));
		values[1] = PointerGetDatum(AttributionStateValue(result.new_orders));
	}
	nulls[2] = state != NULL && result.paths == NULL;
	nulls[3] = state != NULL && result.visitors == NULL;
	for (int i = 2; i < 4; i++)
	{
		Oid			type = get_element_type(TupleDescAttr(tupdesc, i)->atttypid);

		if (state == NULL)
			values[i] = PointerGetDatum(construct_empty_array(type));
		else if (!nulls[i])
			values[i] = PointerGetDatum(i == 2 ? PathCounts(result.paths, &state->channels, type) :
										VisitorCounts(result.visitors, &state->channels, type));
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls)));
}
