/*
 * attribution_events.c
 *		Attribution from raw rows: touches and orders of all customers in one
 *		pass, without GROUP BY and without a join.
 *
 * Grouping millions of rows by customer as they come costs a few misses of the
 * processor's caches for each.  Here a row is appended to a list, which costs
 * none; in the end the list is parted by customer into pieces that fit into the
 * caches, and each piece is sorted.  It takes 24 bytes a row, and once more as
 * much in the end.
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
	Interval	lookback;
	CreditTerms terms;
	AttributionState *guests;	/* orders of no known customer */
} EventState;

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

static Datum
EventTransition(FunctionCallInfo fcinfo, bool is_text)
{
	MemoryContext context;
	EventState *state = PG_ARGISNULL(0) ? NULL : (EventState *) PG_GETARG_POINTER(0);
	bool		is_order = !PG_ARGISNULL(4);
	int64		customer = 0;
	TimestampTz at;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "crm.attribution transition function called in non-aggregate context");
	if (state == NULL)
	{
		NotNull(fcinfo, 5, "lookback");
		NotNull(fcinfo, 6, "half-life");
		state = MemoryContextAllocZero(context, sizeof(EventState));
		state->context = context;
		NamesInit(&state->channels, context);
		NamesInit(&state->customers, context);
		state->lookback = *PG_GETARG_INTERVAL_P(5);
		TermsInit(&state->terms);
		TermsHalfLife(&state->terms, PG_GETARG_INTERVAL_P(6));
	}
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
 * skipped; an order without customer has no touches.  Lookback and half-life
 * are those of the first row.
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

/* A copy of a list, parted by customer, and each part sorted by customer and time. */
static Event *
EventsByPart(const EventList *list, uint32 parts, int64 *ends)
{
	Event	   *sorted = palloc_extended(sizeof(Event) * Max(list->count, 1), MCXT_ALLOC_HUGE);

	memset(ends, 0, sizeof(int64) * parts);
	for (int64 i = 0; i < list->count; i++)
		ends[EventPart(&list->events[i], parts)]++;
	for (uint32 i = 1; i < parts; i++)
		ends[i] += ends[i - 1];
	/* from the end, so that a list in the order of time stays in it */
	for (int64 i = list->count - 1; i >= 0; i--)
		sorted[--ends[EventPart(&list->events[i], parts)]] = list->events[i];
	for (uint32 i = 0; i < parts; i++)
	{
		int64		end = i + 1 < parts ? ends[i + 1] : list->count;

		CHECK_FOR_INTERRUPTS();
		SortEvents(sorted + ends[i], end - ends[i]);
	}

	/* until here they were where the parts begin */
	memmove(ends, ends + 1, sizeof(int64) * (parts - 1));
	ends[parts - 1] = list->count;
	return sorted;
}

/*
 * attribution_events_final(internal) returns attribution: as if every customer
 * had a journey.  May run more than once on a state.
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
	touches = EventsByPart(&state->touches, parts, touch_ends);
	orders = EventsByPart(&state->orders, parts, order_ends);
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
