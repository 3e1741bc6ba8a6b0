/*
 * session.c
 *		Sessions: what one person does without a long pause, told by a window
 *		function that looks ahead from where a session begins.
 *
 * The rows are sorted once; there is no second window and no grouping of them,
 * and what else is to be told of a session's first touch is in its row.
 */
#include "crm.h"

#include "common/int.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "windowapi.h"

PG_FUNCTION_INFO_V1(crm_session);

/* Of a partition: the rows before that one are taken. */
typedef struct SessionPlace
{
	int64		next;
} SessionPlace;

/*
 * Whether what happens at that time belongs to the session of the last touch,
 * by the clock of UTC: no setting must matter.
 */
static inline bool
GoesOn(TimestampTz at, TimestampTz last, Interval *timeout)
{
	TimestampTz from;

	/* the sum of a time and no days and months is told without a calendar */
	if (timeout->month != 0 || timeout->day != 0 || TIMESTAMP_NOT_FINITE(at) ||
		pg_sub_s64_overflow(at, timeout->time, &from))
		from = DatumGetTimestamp(DirectFunctionCall2(timestamp_mi_interval,
													 TimestampGetDatum(at),
													 IntervalPGetDatum(timeout)));
	return last >= from;
}

/*
 * session(happened_at timestamptz, is_order boolean, timeout interval) returns
 * (ended_at timestamptz, touches bigint, ordered_at timestamptz): a window
 * function over one person's touches and orders in the order of time.
 *
 * Where a session begins, it tells of the whole of it; elsewhere it is null.  A
 * touch goes on with the session of the touch before it, if there was one
 * within the timeout.  So does an order, but it keeps no session open for what
 * follows and begins none.  A row without a time is skipped; is_order null is
 * false.
 * Raises an error if the times are not in order, or timeout is null.
 */
Datum
crm_session(PG_FUNCTION_ARGS)
{
	WindowObject window = PG_WINDOW_OBJECT();
	SessionPlace *place = WinGetPartitionLocalMemory(window, sizeof(SessionPlace));
	int64		position = WinGetCurrentPosition(window);
	TupleDesc	tupdesc = fcinfo->flinfo->fn_extra;
	Interval   *timeout;
	Datum		datum;
	TimestampTz last;
	TimestampTz before;
	TimestampTz ended_at;
	TimestampTz ordered_at = 0;
	bool		has_order = false;
	int64		touches = 1;
	bool		isnull;
	bool		is_order;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	WinSetMarkPosition(window, position);
	if (position < place->next)
		PG_RETURN_NULL();
	/* a time is looked at only if there is one: it may be passed by reference */
	datum = WinGetFuncArgCurrent(window, 0, &isnull);
	if (isnull)
		PG_RETURN_NULL();
	last = before = ended_at = DatumGetTimestampTz(datum);
	is_order = DatumGetBool(WinGetFuncArgCurrent(window, 1, &isnull)) && !isnull;
	if (is_order)
		PG_RETURN_NULL();
	timeout = DatumGetIntervalP(WinGetFuncArgCurrent(window, 2, &isnull));
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("timeout must not be null")));

	for (place->next = position + 1;; place->next++)
	{
		bool		isout;
		TimestampTz at;

		CHECK_FOR_INTERRUPTS();
		datum = WinGetFuncArgInPartition(window, 0, place->next, WINDOW_SEEK_HEAD,
										 false, &isnull, &isout);
		if (isout)
			break;
		if (isnull)
			continue;
		at = DatumGetTimestampTz(datum);
		if (at < before)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("rows must be in the order of time"),
					 errhint("ORDER BY of the window begins with the time, ascending.")));
		before = at;
		/* what comes too late, a touch or an order, is of no session that has begun */
		if (!GoesOn(at, last, timeout))
			break;
		is_order = DatumGetBool(WinGetFuncArgInPartition(window, 1, place->next, WINDOW_SEEK_HEAD,
														 false, &isnull, &isout)) && !isnull;
		ended_at = at;
		if (!is_order)
		{
			last = at;
			touches++;
		}
		else if (!has_order)
		{
			ordered_at = at;
			has_order = true;
		}
	}

	if (tupdesc == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "crm.session must return a row");
		tupdesc = BlessTupleDesc(tupdesc);
		fcinfo->flinfo->fn_extra = tupdesc;
		MemoryContextSwitchTo(old);
	}
	values[0] = TimestampTzGetDatum(ended_at);
	values[1] = Int64GetDatum(touches);
	values[2] = TimestampTzGetDatum(ordered_at);
	nulls[2] = !has_order;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls)));
}
