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
	MemoryContext context = AggregateContext(fcinfo);
	JourneyGroup *group = PG_ARGISNULL(0) ? NULL : (JourneyGroup *) PG_GETARG_POINTER(0);
	struct varlena *channel;
	TimestampTz at;
	JourneyPool *pool;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
	{
		if (group == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(group);
	}
	channel = PG_GETARG_VARLENA_PP(1);
	at = PG_GETARG_TIMESTAMPTZ(2);
	CheckTouchTime(at);
	pool = JourneyPoolGet(fcinfo->flinfo, context);
	if (group == NULL)
		group = JourneyPoolGroup(pool);
	JourneyPoolAdd(pool, group, at,
				   NamesIntern(pool->names, VARDATA_ANY(channel), VARSIZE_ANY_EXHDR(channel)));
	PG_RETURN_POINTER(group);
}

/* Add the touches of a journey to a group. */
static void
AddJourney(JourneyPool *pool, JourneyGroup *group, const Journey *journey)
{
	int32	   *numbers = palloc_array_huge(int32, journey->channels);

	for (int32 i = 0; i < journey->channels; i++)
	{
		uint32		length;
		const char *name = journey_name(journey, i, &length);

		numbers[i] = NamesIntern(pool->names, name, length);
	}
	for (int32 i = 0; i < journey->touches; i++)
		JourneyPoolAdd(pool, group, journey->at[i], numbers[journey_channel(journey, i)]);
	pfree(numbers);
}

/* journey_add(internal, journey) returns internal: rollup()'s transition. */
Datum
crm_journey_add_journey(PG_FUNCTION_ARGS)
{
	MemoryContext context = AggregateContext(fcinfo);
	JourneyGroup *group = PG_ARGISNULL(0) ? NULL : (JourneyGroup *) PG_GETARG_POINTER(0);
	JourneyPool *pool;

	if (PG_ARGISNULL(1))
	{
		if (group == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(group);
	}
	pool = JourneyPoolGet(fcinfo->flinfo, context);
	if (group == NULL)
		group = JourneyPoolGroup(pool);
	AddJourney(pool, group, PG_GETARG_JOURNEY_P(1));
	PG_RETURN_POINTER(group);
}

/* journey_merge(internal, internal) returns internal: the touches of both. */
Datum
crm_journey_merge(PG_FUNCTION_ARGS)
{
	MemoryContext context = AggregateContext(fcinfo);
	JourneyGroup *group = PG_ARGISNULL(0) ? NULL : (JourneyGroup *) PG_GETARG_POINTER(0);
	JourneyPool *pool;

	if (PG_ARGISNULL(1))
	{
		if (group == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(group);
	}
	pool = JourneyPoolGet(fcinfo->flinfo, context);
	if (group == NULL)
		group = JourneyPoolGroup(pool);
	AddJourney(pool, group, JourneyGroupValue((JourneyGroup *) PG_GETARG_POINTER(1)));
	PG_RETURN_POINTER(group);
}

/* journey_serialize(internal) returns bytea: the state as a value. */
Datum
crm_journey_serialize(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(JourneyGroupValue((JourneyGroup *) PG_GETARG_POINTER(0)));
}

/*
 * journey_deserialize(bytea, internal) returns internal.  What a worker sent may
 * begin at any multiple of 4, and has integers of 8 bytes: hence the copy.
 */
Datum
crm_journey_deserialize(PG_FUNCTION_ARGS)
{
	Names	   *names = palloc(sizeof(Names));
	JourneyPool *pool;
	JourneyGroup *group;

	(void) AggregateContext(fcinfo);
	NamesInit(names, CurrentMemoryContext);
	pool = JourneyPoolNew(names, CurrentMemoryContext);
	group = JourneyPoolGroup(pool);
	AddJourney(pool, group, (Journey *) PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(0)));
	PG_RETURN_POINTER(group);
}

/*
 * journey_final(internal) returns journey: an empty one for no touches.  May
 * run more than once on a state.
 */
Datum
crm_journey_final(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
	{
		Names		names;

		NamesInit(&names, CurrentMemoryContext);
		PG_RETURN_POINTER(JourneyFromTouches(&names, NULL, 0));
	}
	PG_RETURN_POINTER(JourneyGroupValue((JourneyGroup *) PG_GETARG_POINTER(0)));
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
	state = JourneyStateNew(&names, 8, CurrentMemoryContext);
	while ((result = journey_take(&s, state->count == 0, name, &length, &at, &wrong)) > 0)
	{
		CHECK_FOR_INTERRUPTS();
		state = JourneyStateAdd(state, NamesIntern(&names, name, length), at);
	}
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

#define END_YEAR	294277		/* the first that no timestamp reaches */

/* A time less so many months of the calendar of UTC. */
static TimestampTz
MonthsBefore(TimestampTz at, int32 months)
{
	Interval	interval = {.month = months};
	struct pg_tm tm;
	fsec_t		fsec;
	int64		month;			/* since that of the year 1 BC */

	if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) != 0)
		elog(ERROR, "timestamp out of range");
	month = (int64) tm.tm_year * MONTHS_PER_YEAR + tm.tm_mon - months;
	if (month <= JULIAN_MINYEAR * MONTHS_PER_YEAR + JULIAN_MINMONTH)
		return MIN_TIMESTAMP;
	if (month >= END_YEAR * MONTHS_PER_YEAR)
		return DT_NOEND;
	return DatumGetTimestamp(DirectFunctionCall2(timestamp_mi_interval,
												 TimestampGetDatum(at),
												 IntervalPGetDatum(&interval)));
}

/*
 * The first moment that a lookback reaches, by the clock of UTC: no setting
 * must matter.  Raises an error if the lookback is negative or the time is not
 * finite; a lookback to before all time, or to before the calendar begins, is
 * one without a limit.
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
	else
	{
		start = lookback->month == 0 ? at : MonthsBefore(at, lookback->month);
		if (!TIMESTAMP_NOT_FINITE(start) &&
			(pg_mul_s64_overflow(lookback->day, USECS_PER_DAY, &usecs) ||
			 pg_add_s64_overflow(usecs, lookback->time, &usecs) ||
			 pg_sub_s64_overflow(start, usecs, &start)))
			start = lookback->day < 0 || lookback->time < 0 ? DT_NOEND : MIN_TIMESTAMP;
	}
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

/*
 * A text[] of so many channels, at least one, to be filled in: as
 * construct_array() does it, but in one piece.
 */
ArrayType *
PathArrayNew(Size size, int32 channels)
{
	ArrayType  *path;

	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("path is too long")));
	path = palloc0(size);
	SET_VARSIZE(path, size);
	path->ndim = 1;
	path->dataoffset = 0;
	path->elemtype = TEXTOID;
	ARR_DIMS(path)[0] = channels;
	ARR_LBOUND(path)[0] = 1;
	return path;
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
	path = PathArrayNew(size, range.count);
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
	int32	   *number = palloc_array_huge0(int32, from->channels);
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
	channels = 0;
	for (int32 i = 0; i < from->channels; i++)
	{
		uint32		bytes;
		const char *name;

		if (number[i] == 0)
			continue;
		name = journey_name(from, i, &bytes);
		name_table_put(ends, text, channels, name, bytes);
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

	touches = palloc_array_huge(int32, range.count);
	mark = palloc_array_huge0(bool, journey->channels);
	if (!PG_ARGISNULL(4))
	{
		PathChannel *excluded = NULL;
		int			room = 0;
		int			number = PathChannels(PG_GETARG_VARLENA_PP(4), &excluded, &room,
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
 *
 * Most paths are short, and a short value lies in its row packed: with a header
 * of one byte, and so not aligned.  It is read as it lies.
 */
int
PathChannels(struct varlena *path, PathChannel **channels, int *room, MemoryContext context)
{
	ArrayType	head;
	const char *start = VARDATA_ANY(path) - VARHDRSZ;	/* where it would begin unpacked */
	const bits8 *nulls = NULL;
	int			count;
	int			kept = 0;
	Size		at;

	memcpy((char *) &head + VARHDRSZ, start + VARHDRSZ, sizeof(ArrayType) - VARHDRSZ);
	if (head.elemtype != TEXTOID)
		elog(ERROR, "array is not a text[]");
	if (head.ndim == 0)
		return 0;
	if (head.ndim > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("array of channels must be one-dimensional")));
	memcpy(&count, start + sizeof(ArrayType), sizeof(int));
	if (count > *room)
	{
		if (*channels != NULL)
			pfree(*channels);
		*room = Max(count, 16);
		*channels = MemoryContextAllocHuge(context, sizeof(PathChannel) * *room);
	}
	if (head.dataoffset != 0)
		nulls = (const bits8 *) start + sizeof(ArrayType) + 2 * sizeof(int);
	at = head.dataoffset != 0 ? head.dataoffset : ARR_OVERHEAD_NONULLS(1);
	for (int i = 0; i < count; i++)
	{
		PathChannel *channel = &(*channels)[kept];

		if (nulls != NULL && (nulls[i / 8] & (1 << (i % 8))) == 0)
			continue;
		if (VARATT_NOT_PAD_BYTE(start + at) && VARATT_IS_1B(start + at))
		{
			channel->text = start + at + VARHDRSZ_SHORT;
			channel->length = VARSIZE_1B(start + at) - VARHDRSZ_SHORT;
			at += VARSIZE_1B(start + at);
		}
		else
		{
			uint32		header;

			at = INTALIGN(at);
			memcpy(&header, start + at, sizeof(header));
			channel->text = start + at + VARHDRSZ;
			channel->length = VARSIZE_4B(&header) - VARHDRSZ;
			at += VARSIZE_4B(&header);
		}
		kept++;
	}
	return kept;
}
