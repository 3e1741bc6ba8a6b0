/*
 * journey.c
 *		The type crm.journey, its aggregates and what is read from it.
 */
#include "crm.h"

#include "crm_journey.h"
#include "crm_names.h"
#include "crm_time.h"
#include "journey.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

StaticAssertDecl(offsetof(Journey, at) == 16, "the layout of crm.journey is on disk");
StaticAssertDecl(TIME_MIN == MIN_TIMESTAMP && TIME_END == END_TIMESTAMP,
				 "a touch's time is a timestamptz");

PG_FUNCTION_INFO_V1(crm_journey_in);
PG_FUNCTION_INFO_V1(crm_journey_out);
PG_FUNCTION_INFO_V1(crm_journey_recv);
PG_FUNCTION_INFO_V1(crm_journey_send);
PG_FUNCTION_INFO_V1(crm_journey_add);
PG_FUNCTION_INFO_V1(crm_journey_add_journey);
PG_FUNCTION_INFO_V1(crm_journey_merge);
PG_FUNCTION_INFO_V1(crm_journey_serialize);
PG_FUNCTION_INFO_V1(crm_journey_deserialize);
PG_FUNCTION_INFO_V1(crm_journey_final);
PG_FUNCTION_INFO_V1(crm_touch_count);
PG_FUNCTION_INFO_V1(crm_first_touch);
PG_FUNCTION_INFO_V1(crm_last_touch);
PG_FUNCTION_INFO_V1(crm_touches);
PG_FUNCTION_INFO_V1(crm_path);
PG_FUNCTION_INFO_V1(crm_path_of_all);
PG_FUNCTION_INFO_V1(crm_null_path);
PG_FUNCTION_INFO_V1(crm_journey_window);

/*
 * The aggregate's state
 *
 * A shop has millions of customers with a handful of touches each: a state
 * begins with room for six, in one chunk of memory, and the names of the
 * channels are kept once, for all groups.
 */

/* what 128 bytes have room for, and from there to the next power of two */
#define JOURNEY_FIRST_ROOM		((128 - offsetof(JourneyState, touches)) / sizeof(Touch))
#define JOURNEY_STATE_SIZE(room) \
	(offsetof(JourneyState, touches) + sizeof(Touch) * (Size) (room))

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

/* An empty state with room for so many touches. */
JourneyState *
JourneyStateNew(Names *names, int32 room, MemoryContext context)
{
	JourneyState *state = MemoryContextAllocHuge(context, JOURNEY_STATE_SIZE(room));

	state->names = names;
	state->count = 0;
	state->room = room;
	state->sorted = true;
	return state;
}

/* Add a touch; the state may move. */
JourneyState *
JourneyStateAdd(JourneyState *state, int32 channel, TimestampTz at)
{
	if (unlikely(state->count == state->room))
	{
		if (state->room > PG_INT32_MAX / 3)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("too many touches in a journey")));
		state->room = state->room * 2 + offsetof(JourneyState, touches) / sizeof(Touch) + 1;
		state = repalloc_huge(state, JOURNEY_STATE_SIZE(state->room));
	}
	if (state->count > 0 && at <= state->touches[state->count - 1].at)
		state->sorted = false;
	state->touches[state->count].at = at;
	state->touches[state->count].channel = channel;
	state->count++;
	return state;
}

static JourneyState *
JourneyStateAddJourney(JourneyState *state, const Journey *journey)
{
	int32	   *numbers = palloc_extended(sizeof(int32) * Max(journey->channels, 1), MCXT_ALLOC_HUGE);

	for (int32 i = 0; i < journey->channels; i++)
	{
		uint32		length;
		const char *name = journey_name(journey, i, &length);

		numbers[i] = NamesIntern(state->names, name, length);
	}
	for (int32 i = 0; i < journey->touches; i++)
		state = JourneyStateAdd(state, numbers[journey_channel(journey, i)], journey->at[i]);
	pfree(numbers);
	return state;
}

/* The state as a value.  Sorts the touches, and else leaves the state alone. */
Journey *
JourneyStateValue(JourneyState *state)
{
	Names	   *names = state->names;
	int32		few[64];
	int32	   *order;			/* of a name's number: its place, or -1 */
	int32	   *used;
	int32		channels = 0;
	Size		length = 0;
	Size		size;
	Journey    *journey;
	uint32	   *ends;
	char	   *text;

	/* most shops have few channels: no memory to ask for */
	order = 2 * names->count <= (int32) lengthof(few) ? few :
		palloc_extended(sizeof(int32) * 2 * names->count, MCXT_ALLOC_HUGE);
	used = order + names->count;
	memset(order, -1, sizeof(int32) * names->count);
	for (int32 i = 0; i < state->count; i++)
	{
		int32		channel = state->touches[i].channel;

		if (order[channel] < 0)
		{
			order[channel] = 0;
			used[channels++] = channel;
			length += names->names[channel].length;
		}
	}
	NamesSort(names, used, channels);
	for (int32 i = 0; i < channels; i++)
		order[used[i]] = i;
	if (!state->sorted)
		SortTouches(state->touches, state->count, order);

	size = journey_size(state->count, channels, length);
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
	journey->touches = state->count;
	journey->channels = channels;
	ends = (uint32 *) journey_ends(journey);
	text = (char *) journey_names(journey);
	length = 0;
	for (int32 i = 0; i < channels; i++)
	{
		const KnownName *name = &names->names[used[i]];

		memcpy(text + length, name->text, name->length);
		length += name->length;
		ends[i] = length;
	}
	for (int32 i = 0; i < state->count; i++)
	{
		journey->at[i] = state->touches[i].at;
		journey_set_channel(journey, i, order[state->touches[i].channel]);
	}
	if (order != few)
		pfree(order);
	return journey;
}

static MemoryContext
JourneyContext(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "crm.journey transition function called in non-aggregate context");
	return context;
}

/*
 * The names of all groups.  They live as long as the query's plan, and so at
 * least as long as any state.
 */
static Names *
JourneyNames(FunctionCallInfo fcinfo)
{
	Names	   *names = (Names *) fcinfo->flinfo->fn_extra;

	if (names == NULL)
	{
		names = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(Names));
		NamesInit(names, fcinfo->flinfo->fn_mcxt);
		fcinfo->flinfo->fn_extra = names;
	}
	return names;
}

/* Raise an error if the time of a touch is not finite. */
void
CheckTouchTime(TimestampTz at)
{
	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("time of a touch must be finite")));
}

/*
 * journey_add(internal, text, timestamptz) returns internal: one touch more.
 * A touch without channel or time is skipped.  A timestamp without time zone
 * is passed here as well and so is read as UTC.
 */
Datum
crm_journey_add(PG_FUNCTION_ARGS)
{
	MemoryContext context = JourneyContext(fcinfo);
	JourneyState *state = PG_ARGISNULL(0) ? NULL : (JourneyState *) PG_GETARG_POINTER(0);
	struct varlena *channel;
	TimestampTz at;
	int32		number;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	channel = PG_GETARG_VARLENA_PP(1);
	at = PG_GETARG_TIMESTAMPTZ(2);
	CheckTouchTime(at);
	if (state == NULL)
		state = JourneyStateNew(JourneyNames(fcinfo), JOURNEY_FIRST_ROOM, context);
	number = NamesIntern(state->names, VARDATA_ANY(channel), VARSIZE_ANY_EXHDR(channel));
	PG_RETURN_POINTER(JourneyStateAdd(state, number, at));
}

/* journey_add(internal, journey) returns internal: rollup()'s transition. */
Datum
crm_journey_add_journey(PG_FUNCTION_ARGS)
{
	MemoryContext context = JourneyContext(fcinfo);
	JourneyState *state = PG_ARGISNULL(0) ? NULL : (JourneyState *) PG_GETARG_POINTER(0);

	if (PG_ARGISNULL(1))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
		state = JourneyStateNew(JourneyNames(fcinfo), JOURNEY_FIRST_ROOM, context);
	PG_RETURN_POINTER(JourneyStateAddJourney(state, PG_GETARG_JOURNEY_P(1)));
}

/* journey_merge(internal, internal) returns internal: the touches of both. */
Datum
crm_journey_merge(PG_FUNCTION_ARGS)
{
	MemoryContext context = JourneyContext(fcinfo);
	JourneyState *state = PG_ARGISNULL(0) ? NULL : (JourneyState *) PG_GETARG_POINTER(0);
	JourneyState *other = PG_ARGISNULL(1) ? NULL : (JourneyState *) PG_GETARG_POINTER(1);

	if (other == NULL)
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
		state = JourneyStateNew(JourneyNames(fcinfo), Max(other->count, JOURNEY_FIRST_ROOM), context);
	for (int32 i = 0; i < other->count; i++)
	{
		const KnownName *name = &other->names->names[other->touches[i].channel];

		state = JourneyStateAdd(state, NamesIntern(state->names, name->text, name->length),
								other->touches[i].at);
	}
	PG_RETURN_POINTER(state);
}

/* journey_serialize(internal) returns bytea: the state as a value. */
Datum
crm_journey_serialize(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(JourneyStateValue((JourneyState *) PG_GETARG_POINTER(0)));
}

/* journey_deserialize(bytea, internal) returns internal */
Datum
crm_journey_deserialize(PG_FUNCTION_ARGS)
{
	Journey    *journey = PG_GETARG_JOURNEY_P(0);
	Names	   *names = palloc(sizeof(Names));

	JourneyContext(fcinfo);
	NamesInit(names, CurrentMemoryContext);
	PG_RETURN_POINTER(JourneyStateAddJourney(JourneyStateNew(names, Max(journey->touches, 1),
															 CurrentMemoryContext),
											 journey));
}

/*
 * journey_final(internal) returns journey: an empty one for no touches.  May
 * run more than once on a state.
 */
Datum
crm_journey_final(PG_FUNCTION_ARGS)
{
	JourneyState *state;

	if (PG_ARGISNULL(0))
	{
		Names		names;

		NamesInit(&names, CurrentMemoryContext);
		state = JourneyStateNew(&names, 0, CurrentMemoryContext);
		PG_RETURN_POINTER(JourneyStateValue(state));
	}
	PG_RETURN_POINTER(JourneyStateValue((JourneyState *) PG_GETARG_POINTER(0)));
}

/* journey_in(cstring) returns journey: reads the text form, in any order. */
Datum
crm_journey_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	const char *s = text;
	char	   *name = palloc(strlen(text) + 1);
	Names		names;
	JourneyState *state;
	const char *wrong;
	size_t		length;
	int64		at;
	int			result;

	NamesInit(&names, CurrentMemoryContext);
	state = JourneyStateNew(&names, JOURNEY_FIRST_ROOM, CurrentMemoryContext);
	while ((result = journey_take(&s, state->count == 0, name, &length, &at, &wrong)) > 0)
		state = JourneyStateAdd(state, NamesIntern(&names, name, length), at);
	if (result < 0)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "crm.journey", text),
				 errdetail("The value is not one that crm printed: %s.", wrong)));
	PG_RETURN_POINTER(JourneyStateValue(state));
}

/* journey_out(journey) returns cstring: exact, independent of settings. */
Datum
crm_journey_out(PG_FUNCTION_ARGS)
{
	Journey    *journey = PG_GETARG_JOURNEY_P(0);
	char	   *text = palloc(journey_text_size(journey));

	journey_print(journey, text);
	PG_RETURN_CSTRING(text);
}

/* journey_recv(internal) returns journey: reads the binary form. */
Datum
crm_journey_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	Names		names;
	JourneyState *state;
	int32	   *numbers;
	int			version = pq_getmsgbyte(buffer);
	int32		channels = pq_getmsgint(buffer, 4);
	int32		touches;

	if (version != JOURNEY_VERSION || channels < 0 || channels > (buffer->len - buffer->cursor) / 4)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid external \"%s\" value", "crm.journey")));
	NamesInit(&names, CurrentMemoryContext);
	numbers = palloc(sizeof(int32) * Max(channels, 1));
	for (int32 i = 0; i < channels; i++)
	{
		int			length;
		char	   *name = pq_getmsgtext(buffer, pq_getmsgint(buffer, 4), &length);

		numbers[i] = NamesIntern(&names, name, length);
	}
	touches = pq_getmsgint(buffer, 4);
	if (touches < 0 || touches != (buffer->len - buffer->cursor) / 12)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid external \"%s\" value", "crm.journey"),
				 errdetail("Its length is wrong.")));
	state = JourneyStateNew(&names, Max(touches, 1), CurrentMemoryContext);
	for (int32 i = 0; i < touches; i++)
	{
		TimestampTz at = pq_getmsgint64(buffer);
		int32		channel = pq_getmsgint(buffer, 4);

		if (!IS_VALID_TIMESTAMP(at) || channel < 0 || channel >= channels)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					 errmsg("invalid external \"%s\" value", "crm.journey"),
					 errdetail("A touch has a time or a channel that is out of range.")));
		state = JourneyStateAdd(state, numbers[channel], at);
	}
	PG_RETURN_POINTER(JourneyStateValue(state));
}

/*
 * journey_send(journey) returns bytea: version, the channels (a count, and of
 * each its length and name), the touches (a count, and of each its time and the
 * number of its channel).
 */
Datum
crm_journey_send(PG_FUNCTION_ARGS)
{
	Journey    *journey = PG_GETARG_JOURNEY_P(0);
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendbyte(&buffer, journey->version);
	pq_sendint32(&buffer, journey->channels);
	for (int32 i = 0; i < journey->channels; i++)
	{
		uint32		length;
		const char *name = journey_name(journey, i, &length);

		crm_sendcountedtext(&buffer, name, length);
	}
	pq_sendint32(&buffer, journey->touches);
	for (int32 i = 0; i < journey->touches; i++)
	{
		pq_sendint64(&buffer, journey->at[i]);
		pq_sendint32(&buffer, journey_channel(journey, i));
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

/* touch_count(journey) returns bigint */
Datum
crm_touch_count(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(PG_GETARG_JOURNEY_P(0)->touches);
}

/* first_touch(journey) returns timestamptz: NULL without a touch. */
Datum
crm_first_touch(PG_FUNCTION_ARGS)
{
	Journey    *journey = PG_GETARG_JOURNEY_P(0);

	if (journey->touches == 0)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(journey->at[0]);
}

/* last_touch(journey) returns timestamptz: NULL without a touch. */
Datum
crm_last_touch(PG_FUNCTION_ARGS)
{
	Journey    *journey = PG_GETARG_JOURNEY_P(0);

	if (journey->touches == 0)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(journey->at[journey->touches - 1]);
}

/* touches(journey) returns setof (channel text, touched_at timestamptz) */
Datum
crm_touches(PG_FUNCTION_ARGS)
{
	Journey    *journey = PG_GETARG_JOURNEY_P(0);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int32 i = 0; i < journey->touches; i++)
	{
		uint32		length;
		const char *name = journey_name(journey, journey_channel(journey, i), &length);
		Datum		values[2];
		bool		nulls[2] = {false, false};

		CHECK_FOR_INTERRUPTS();
		values[0] = PointerGetDatum(cstring_to_text_with_len(name, length));
		values[1] = TimestampTzGetDatum(journey->at[i]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		pfree(DatumGetPointer(values[0]));
	}
	return (Datum) 0;
}

/*
 * The first moment that a lookback reaches, by the clock of UTC: no setting
 * must matter.  Raises an error if the lookback is negative or the time is not
 * finite; a lookback to before all time is one without a limit.
 */
TimestampTz
LookbackStart(TimestampTz at, const Interval *lookback)
{
	int64		usecs;
	TimestampTz start;

	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("time of an order must be finite")));
	if (INTERVAL_IS_NOEND(lookback))
		return MIN_TIMESTAMP;
	if (INTERVAL_NOT_FINITE(lookback))
		start = DT_NOEND;
	else if (lookback->month != 0)
		start = DatumGetTimestamp(DirectFunctionCall2(timestamp_mi_interval,
													  TimestampGetDatum(at),
													  IntervalPGetDatum(lookback)));
	else if (pg_mul_s64_overflow(lookback->day, USECS_PER_DAY, &usecs) ||
			 pg_add_s64_overflow(usecs, lookback->time, &usecs) ||
			 pg_sub_s64_overflow(at, usecs, &start))
		start = lookback->day < 0 || lookback->time < 0 ? DT_NOEND : MIN_TIMESTAMP;
	if (start > at)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("lookback must not be negative")));
	return start;
}

/* The touches in [converted_at - lookback, converted_at]. */
TouchRange
JourneyRange(const Journey *journey, TimestampTz converted_at, const Interval *lookback)
{
	TouchRange	range;

	range.first = journey_find(journey, LookbackStart(converted_at, lookback));
	range.count = journey_find(journey, converted_at + 1) - range.first;
	return range;
}

/* The channels of a range as text[]. */
static ArrayType *
RangePath(const Journey *journey, TouchRange range)
{
	Size		size = ARR_OVERHEAD_NONULLS(1);
	ArrayType  *path;
	char	   *to;

	if (range.count == 0)
		return construct_empty_array(TEXTOID);
	for (int32 i = 0; i < range.count; i++)
	{
		uint32		length;

		journey_name(journey, journey_channel(journey, range.first + i), &length);
		size += INTALIGN(VARHDRSZ + length);
	}
	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("path is too long")));

	/* as construct_array() does it, but in one piece */
	path = palloc0(size);
	SET_VARSIZE(path, size);
	path->ndim = 1;
	path->dataoffset = 0;
	path->elemtype = TEXTOID;
	ARR_DIMS(path)[0] = range.count;
	ARR_LBOUND(path)[0] = 1;
	to = ARR_DATA_PTR(path);
	for (int32 i = 0; i < range.count; i++)
	{
		uint32		length;
		const char *name = journey_name(journey, journey_channel(journey, range.first + i), &length);

		SET_VARSIZE(to, VARHDRSZ + length);
		memcpy(VARDATA(to), name, length);
		to += INTALIGN(VARHDRSZ + length);
	}
	return path;
}

/*
 * path(journey, timestamptz, interval) returns text[]: the channels of the
 * touches that count for an order, in the order of time.
 */
Datum
crm_path(PG_FUNCTION_ARGS)
{
	Journey    *journey = PG_GETARG_JOURNEY_P(0);

	PG_RETURN_ARRAYTYPE_P(RangePath(journey, JourneyRange(journey, PG_GETARG_TIMESTAMPTZ(1),
														  PG_GETARG_INTERVAL_P(2))));
}

/* path(journey) returns text[]: the channels of all touches. */
Datum
crm_path_of_all(PG_FUNCTION_ARGS)
{
	Journey    *journey = PG_GETARG_JOURNEY_P(0);
	TouchRange	all = {0, journey->touches};

	PG_RETURN_ARRAYTYPE_P(RangePath(journey, all));
}

/*
 * null_path(journey, last_order timestamptz, as_of timestamptz, lookback
 * interval) returns text[]: the path that led to nothing.
 *
 * Its touches are those after the last order (all of them, if that is NULL)
 * and up to as_of; NULL if there is none, or if the last of them is not older
 * than the lookback, so that an order could still come of it.  As for an order,
 * the path goes back by the lookback from its end.
 */
Datum
crm_null_path(PG_FUNCTION_ARGS)
{
	Journey    *journey;
	Interval   *lookback;
	TimestampTz as_of;
	TouchRange	range;
	int32		after = 0;
	int32		end;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
		PG_RETURN_NULL();
	journey = PG_GETARG_JOURNEY_P(0);
	as_of = PG_GETARG_TIMESTAMPTZ(2);
	lookback = PG_GETARG_INTERVAL_P(3);
	if (TIMESTAMP_NOT_FINITE(as_of))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("as_of must be finite")));

	if (!PG_ARGISNULL(1))
	{
		TimestampTz last_order = PG_GETARG_TIMESTAMPTZ(1);

		if (TIMESTAMP_NOT_FINITE(last_order))
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("time of an order must be finite")));
		after = journey_find(journey, last_order + 1);
	}
	end = journey_find(journey, as_of + 1);
	if (end <= after || journey->at[end - 1] >= LookbackStart(as_of, lookback))
		PG_RETURN_NULL();
	range = JourneyRange(journey, journey->at[end - 1], lookback);
	range.first = Max(range.first, after);
	range.count = end - range.first;
	PG_RETURN_ARRAYTYPE_P(RangePath(journey, range));
}

/* A journey of some touches of another, which are listed in ascending order. */
static Journey *
JourneySelect(const Journey *from, const int32 *touches, int32 count)
{
	int32	   *number = palloc_extended(sizeof(int32) * Max(from->channels, 1),
										 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	int32		channels = 0;
	Size		length = 0;
	Size		size;
	Journey    *journey;
	uint32	   *ends;
	char	   *text;

	for (int32 i = 0; i < count; i++)
		number[journey_channel(from, touches[i])] = 1;
	for (int32 i = 0; i < from->channels; i++)
	{
		uint32		bytes;

		if (number[i] == 0)
			continue;
		journey_name(from, i, &bytes);
		length += bytes;
		channels++;
	}
	size = journey_size(count, channels, length);
	journey = palloc(size);
	memset(journey, 0, offsetof(Journey, at));
	SET_VARSIZE(journey, size);
	journey->version = JOURNEY_VERSION;
	journey->width = journey_width(channels);
	journey->touches = count;
	journey->channels = channels;
	ends = (uint32 *) journey_ends(journey);
	text = (char *) journey_names(journey);
	length = 0;
	channels = 0;
	for (int32 i = 0; i < from->channels; i++)
	{
		uint32		bytes;
		const char *name;

		if (number[i] == 0)
			continue;
		name = journey_name(from, i, &bytes);
		memcpy(text + length, name, bytes);
		length += bytes;
		ends[channels] = length;
		number[i] = channels++;
	}
	for (int32 i = 0; i < count; i++)
	{
		journey->at[i] = from->at[touches[i]];
		journey_set_channel(journey, i, number[journey_channel(from, touches[i])]);
	}
	pfree(number);
	return journey;
}

static JourneyFold
FoldFromText(text *fold)
{
	static const char *const names[] = {"none", "runs", "first", "last"};

	for (int i = 0; i < (int) lengthof(names); i++)
		if (VARSIZE_ANY_EXHDR(fold) == strlen(names[i]) &&
			memcmp(VARDATA_ANY(fold), names[i], strlen(names[i])) == 0)
			return (JourneyFold) i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown fold \"%s\"", text_to_cstring(fold)),
			 errhint("It is one of \"none\", \"runs\", \"first\" and \"last\".")));
	return JOURNEY_FOLD_NONE;	/* keep compiler quiet */
}

/*
 * journey_window(journey, converted_at timestamptz, lookback interval,
 * previous_order timestamptz, exclude text[], fold text, max_touches int)
 * returns journey: the touches that shall count for an order.
 *
 * Of those in the lookback: after the previous order, not of an excluded
 * channel, folded, and of what is then left the most recent ones.  NULL stands
 * for no limit in all but the first three, of which each makes the result NULL.
 */
Datum
crm_journey_window(PG_FUNCTION_ARGS)
{
	Journey    *journey;
	TouchRange	range;
	int32	   *touches;
	int32		count = 0;
	int32		skip = 0;
	bool	   *mark;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	journey = PG_GETARG_JOURNEY_P(0);
	range = JourneyRange(journey, PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_INTERVAL_P(2));
	if (!PG_ARGISNULL(3))
	{
		TimestampTz previous = PG_GETARG_TIMESTAMPTZ(3);
		int32		after;

		if (TIMESTAMP_NOT_FINITE(previous))
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("time of an order must be finite")));
		after = journey_find(journey, previous + 1);
		if (after > range.first)
		{
			range.count = Max(range.count - (after - range.first), 0);
			range.first = after;
		}
	}

	touches = palloc_extended(sizeof(int32) * Max(range.count, 1), MCXT_ALLOC_HUGE);
	mark = palloc_extended(sizeof(bool) * Max(journey->channels, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	if (!PG_ARGISNULL(4))
	{
		PathChannel *excluded = NULL;
		int			room = 0;
		int			number = PathChannels(PG_GETARG_ARRAYTYPE_P(4), &excluded, &room,
										  CurrentMemoryContext);

		for (int i = 0; i < number; i++)
		{
			int32		channel = journey_find_channel(journey, excluded[i].text, excluded[i].length);

			if (channel >= 0)
				mark[channel] = true;
		}
	}
	for (int32 i = range.first; i < range.first + range.count; i++)
		if (!mark[journey_channel(journey, i)])
			touches[count++] = i;

	if (!PG_ARGISNULL(5))
	{
		memset(mark, 0, sizeof(bool) * journey->channels);
		count = journey_fold(journey, FoldFromText(PG_GETARG_TEXT_PP(5)), touches, count, mark);
	}
	if (!PG_ARGISNULL(6))
	{
		int32		most = PG_GETARG_INT32(6);

		if (most < 1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("max_touches must be at least 1")));
		if (count > most)
		{
			skip = count - most;
			count = most;
		}
	}
	PG_RETURN_POINTER(JourneySelect(journey, touches + skip, count));
}

/*
 * The elements of a text[] of at most one dimension, without a copy of them;
 * NULL elements are left out.  The list is kept in *channels, which grows in
 * that context; returns their number.
 */
int
PathChannels(ArrayType *path, PathChannel **channels, int *room, MemoryContext context)
{
	int			count;
	int			kept = 0;
	const bits8 *nulls = ARR_NULLBITMAP(path);
	char	   *element = ARR_DATA_PTR(path);

	if (ARR_ELEMTYPE(path) != TEXTOID)
		elog(ERROR, "array is not a text[]");
	if (ARR_NDIM(path) == 0)
		return 0;
	if (ARR_NDIM(path) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("array of channels must be one-dimensional")));
	count = ARR_DIMS(path)[0];
	if (count > *room)
	{
		if (*channels != NULL)
			pfree(*channels);
		*room = Max(count, 16);
		*channels = MemoryContextAllocHuge(context, sizeof(PathChannel) * *room);
	}
	for (int i = 0; i < count; i++)
	{
		if (nulls != NULL && (nulls[i / 8] & (1 << (i % 8))) == 0)
			continue;
		element = (char *) att_align_pointer(element, TYPALIGN_INT, -1, element);
		(*channels)[kept].text = VARDATA_ANY(element);
		(*channels)[kept].length = VARSIZE_ANY_EXHDR(element);
		kept++;
		element = (char *) att_addlength_pointer(element, -1, element);
	}
	return kept;
}
