/*
 * attribution_events.c
 *		Attribution from raw rows: touches and orders of all customers in one
 *		pass, without GROUP BY and without a join.
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

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(crm_attribution_event);
PG_FUNCTION_INFO_V1(crm_attribution_event_text);
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

typedef struct EventState
{
	MemoryContext context;
	EventList	touches;
	EventList	orders;
	Names		channels;
	Names		customers;		/* where a customer is a text */
	Interval	lookback;		/* of all rows */
	Interval	half_life;
	CreditTerms terms;
	AttributionState *guests;	/* orders of no known customer */
} EventState;

static EventState *
EventStateNew(MemoryContext context)
{
	EventState *state = MemoryContextAllocZero(context, sizeof(EventState));

	state->context = context;
	NamesInit(&state->channels, context);
	NamesInit(&state->customers, context);
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

/* The list has rows of one lookback and one half-life. */
static void
SameTerms(const EventState *state, const Interval *lookback, const Interval *half_life)
{
	if (memcmp(&state->lookback, lookback, sizeof(Interval)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("lookback must be the same for all rows of a group")));
	if (memcmp(&state->half_life, half_life, sizeof(Interval)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("half-life must be the same for all rows of a group")));
}

static MemoryContext
EventContext(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "crm.attribution transition function called in non-aggregate context");
	return context;
}

static Datum
EventTransition(FunctionCallInfo fcinfo, bool is_text)
{
	MemoryContext context = EventContext(fcinfo);
	EventState *state = PG_ARGISNULL(0) ? NULL : (EventState *) PG_GETARG_POINTER(0);
	bool		is_order = !PG_ARGISNULL(4);
	int64		customer = 0;
	TimestampTz at;

	NotNull(fcinfo, 5, "lookback");
	NotNull(fcinfo, 6, "half-life");
	if (state == NULL)
	{
		state = EventStateNew(context);
		state->lookback = *PG_GETARG_INTERVAL_P(5);
		state->half_life = *PG_GETARG_INTERVAL_P(6);
		TermsInit(&state->terms);
		TermsHalfLife(&state->terms, &state->half_life);
	}
	else
		SameTerms(state, PG_GETARG_INTERVAL_P(5), PG_GETARG_INTERVAL_P(6));
	if (PG_ARGISNULL(3) || (!is_order && (PG_ARGISNULL(1) || PG_ARGISNULL(2))))
		PG_RETURN_POINTER(state);

	at = PG_GETARG_TIMESTAMPTZ(3);
	if (!PG_ARGISNULL(1))
	{
		if (is_text)
		{
			struct varlena *name = PG_GETARG_VARLENA_PP(1);

			customer = NamesIntern(&state->customers, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
		}
		else
			customer = PG_GETARG_INT64(1);
	}
	if (is_order)
	{
		int			scale;
		int64		amount = AmountFromNumericDatum(PG_GETARG_DATUM(4), &scale);

		(void) LookbackStart(at, &state->lookback);
		if (PG_ARGISNULL(1))
		{
			TouchRange	none = {0, 0};

			if (state->guests == NULL)
				state->guests = RulesState(context);
			AddOrder(state->guests, NULL, none, &state->terms, amount);
		}
		else
			EventAdd(state, &state->orders, customer, at, amount);
	}
	else
	{
		struct varlena *channel = PG_GETARG_VARLENA_PP(2);

		CheckTouchTime(at);
		EventAdd(state, &state->touches, customer, at,
				 NamesIntern(&state->channels, VARDATA_ANY(channel), VARSIZE_ANY_EXHDR(channel)));
	}
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
 * both.  Raises an error if they differ in lookback or half-life.
 */
Datum
crm_attribution_events_merge(PG_FUNCTION_ARGS)
{
	MemoryContext context = EventContext(fcinfo);
	EventState *state = PG_ARGISNULL(0) ? NULL : (EventState *) PG_GETARG_POINTER(0);
	EventState *other = PG_ARGISNULL(1) ? NULL : (EventState *) PG_GETARG_POINTER(1);
	int32	   *channels;
	int32	   *customers = NULL;

	if (other == NULL)
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
	{
		state = EventStateNew(context);
		state->lookback = other->lookback;
		state->half_life = other->half_life;
		state->terms = other->terms;
	}
	else
		SameTerms(state, &other->lookback, &other->half_life);
	channels = NamesMerge(&state->channels, &other->channels);
	if (other->customers.count > 0)
		customers = NamesMerge(&state->customers, &other->customers);
	for (int64 i = 0; i < other->touches.count; i++)
	{
		const Event *event = &other->touches.events[i];

		EventAdd(state, &state->touches, customers == NULL ? event->customer : customers[event->customer],
				 event->at, channels[event->what]);
	}
	for (int64 i = 0; i < other->orders.count; i++)
	{
		const Event *event = &other->orders.events[i];

		EventAdd(state, &state->orders, customers == NULL ? event->customer : customers[event->customer],
				 event->at, event->what);
	}
	if (other->guests != NULL)
	{
		if (state->guests == NULL)
			state->guests = RulesState(context);
		AttributionAddValue(state->guests, AttributionStateValue(other->guests));
	}
	PG_RETURN_POINTER(state);
}

/* What a state becomes on its way from a worker, which the parts follow. */
typedef struct EventsHead
{
	Interval	lookback;
	Interval	half_life;
	CreditTerms terms;
	int64		touches;
	int64		orders;
	Size		channels;		/* bytes */
	Size		customers;
	Size		guests;
} EventsHead;

/* attribution_events_serialize(internal) returns bytea */
Datum
crm_attribution_events_serialize(PG_FUNCTION_ARGS)
{
	EventState *state = (EventState *) PG_GETARG_POINTER(0);
	Attribution *guests = state->guests == NULL ? NULL : AttributionStateValue(state->guests);
	EventsHead	head;
	Size		size;
	bytea	   *result;
	char	   *to;

	memset(&head, 0, sizeof(head));
	head.lookback = state->lookback;
	head.half_life = state->half_life;
	head.terms = state->terms;
	head.touches = state->touches.count;
	head.orders = state->orders.count;
	head.channels = NamesSize(&state->channels);
	head.customers = NamesSize(&state->customers);
	head.guests = guests == NULL ? 0 : VARSIZE(guests);
	size = VARHDRSZ + sizeof(head) + sizeof(Event) * (head.touches + head.orders) +
		head.channels + head.customers + head.guests;
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
	if (head.touches > 0)
		memcpy(to, state->touches.events, sizeof(Event) * head.touches);
	to += sizeof(Event) * head.touches;
	if (head.orders > 0)
		memcpy(to, state->orders.events, sizeof(Event) * head.orders);
	to += sizeof(Event) * head.orders;
	to = NamesPut(&state->channels, to);
	to = NamesPut(&state->customers, to);
	if (guests != NULL)
		memcpy(to, guests, head.guests);
	PG_RETURN_BYTEA_P(result);
}

static const char *
TakeEvents(EventList *list, const char *from, int64 count)
{
	if (count > 0)
	{
		list->events = palloc_extended(sizeof(Event) * count, MCXT_ALLOC_HUGE);
		memcpy(list->events, from, sizeof(Event) * count);
	}
	list->count = list->room = count;
	return from + sizeof(Event) * count;
}

/* attribution_events_deserialize(bytea, internal) returns internal */
Datum
crm_attribution_events_deserialize(PG_FUNCTION_ARGS)
{
	const char *from = VARDATA_ANY(PG_GETARG_BYTEA_PP(0));
	EventState *state = EventStateNew(CurrentMemoryContext);
	EventsHead	head;

	(void) EventContext(fcinfo);
	memcpy(&head, from, sizeof(head));
	state->lookback = head.lookback;
	state->half_life = head.half_life;
	state->terms = head.terms;
	from = TakeEvents(&state->touches, from + sizeof(head), head.touches);
	from = TakeEvents(&state->orders, from, head.orders);
	NamesTake(&state->channels, from, head.channels);
	from += head.channels;
	NamesTake(&state->customers, from, head.customers);
	from += head.customers;
	if (head.guests > 0)
	{
		Attribution *guests = palloc(head.guests);

		memcpy(guests, from, head.guests);
		state->guests = AttributionStateNew(CurrentMemoryContext);
		AttributionAddValue(state->guests, guests);
	}
	PG_RETURN_POINTER(state);
}

/*
 * attribution_events_final(internal) returns attribution: as if every customer
 * had a journey.  May run more than once on a state, whose rows it sorts.
 */
Datum
crm_attribution_events_final(PG_FUNCTION_ARGS)
{
	EventState *state = PG_ARGISNULL(0) ? NULL : (EventState *) PG_GETARG_POINTER(0);
	AttributionState *result = RulesState(CurrentMemoryContext);
	uint32		parts = 1;
	int64	   *touch_ends;
	int64	   *order_ends;
	Event	   *touches;
	Event	   *orders;
	int64		touch = 0;
	int64		order = 0;
	JourneyState *journeys;

	if (state == NULL)
		PG_RETURN_POINTER(AttributionStateValue(result));
	while (parts < MAX_PARTS && state->touches.count + state->orders.count > (int64) parts * EVENTS_OF_PART)
		parts *= 2;
	touch_ends = palloc(sizeof(int64) * parts);
	order_ends = palloc(sizeof(int64) * parts);
	SortByPart(&state->touches, parts, touch_ends);
	SortByPart(&state->orders, parts, order_ends);
	touches = state->touches.events;
	orders = state->orders.events;
	journeys = JourneyStateNew(&state->channels, 64, CurrentMemoryContext);
	for (uint32 part = 0; part < parts; part++)
	{
		while (order < order_ends[part])
		{
			int64		customer = orders[order].customer;
			Journey    *journey = NULL;

			CHECK_FOR_INTERRUPTS();
			journeys->count = 0;
			while (touch < touch_ends[part] && touches[touch].customer < customer)
				touch++;
			for (; touch < touch_ends[part] && touches[touch].customer == customer; touch++)
				journeys = JourneyStateAdd(journeys, (int32) touches[touch].what, touches[touch].at);
			if (journeys->count > 0)
				journey = JourneyStateValue(journeys);
			for (; order < order_ends[part] && orders[order].customer == customer; order++)
			{
				TouchRange	range = {0, 0};

				if (journey != NULL)
					range = JourneyRange(journey, orders[order].at, &state->lookback);
				AddOrder(result, journey, range, &state->terms, orders[order].what);
			}
			if (journey != NULL)
				pfree(journey);
		}
		touch = touch_ends[part];
	}
	if (state->guests != NULL)
		AttributionAddValue(result, AttributionStateValue(state->guests));
	PG_RETURN_POINTER(AttributionStateValue(result));
}
