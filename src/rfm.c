/*
 * rfm.c
 *		The types crm.rfm_scale and crm.rfm, and the segments.
 */
#include "crm.h"

#include "crm_amount.h"
#include "purchases.h"
#include "rfm.h"

#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

StaticAssertDecl(sizeof(RfmScale) == RFM_SCALE_SIZE, "the size of crm.rfm_scale is on disk");

#define PG_GETARG_PURCHASES_P(n)	((Purchases *) PG_GETARG_POINTER(n))
#define PG_GETARG_RFM_SCALE_P(n)	((RfmScale *) PG_GETARG_POINTER(n))

PG_FUNCTION_INFO_V1(crm_rfm_scale_in);
PG_FUNCTION_INFO_V1(crm_rfm_scale_out);
PG_FUNCTION_INFO_V1(crm_rfm_scale_recv);
PG_FUNCTION_INFO_V1(crm_rfm_scale_send);
PG_FUNCTION_INFO_V1(crm_rfm_scale_add);
PG_FUNCTION_INFO_V1(crm_rfm_scale_merge);
PG_FUNCTION_INFO_V1(crm_rfm_scale_serialize);
PG_FUNCTION_INFO_V1(crm_rfm_scale_deserialize);
PG_FUNCTION_INFO_V1(crm_rfm_scale_final);
PG_FUNCTION_INFO_V1(crm_rfm_scale_of_thresholds);
PG_FUNCTION_INFO_V1(crm_rfm_scale_bins);
PG_FUNCTION_INFO_V1(crm_recency_cuts);
PG_FUNCTION_INFO_V1(crm_frequency_cuts);
PG_FUNCTION_INFO_V1(crm_monetary_cuts);
PG_FUNCTION_INFO_V1(crm_rfm_in);
PG_FUNCTION_INFO_V1(crm_rfm_out);
PG_FUNCTION_INFO_V1(crm_rfm_recv);
PG_FUNCTION_INFO_V1(crm_rfm_send);
PG_FUNCTION_INFO_V1(crm_rfm);
PG_FUNCTION_INFO_V1(crm_rfm_of_scores);
PG_FUNCTION_INFO_V1(crm_recency_score);
PG_FUNCTION_INFO_V1(crm_frequency_score);
PG_FUNCTION_INFO_V1(crm_monetary_score);
PG_FUNCTION_INFO_V1(crm_bins);
PG_FUNCTION_INFO_V1(crm_segment);
PG_FUNCTION_INFO_V1(crm_segment_by_map);
PG_FUNCTION_INFO_V1(crm_matching_segments);
PG_FUNCTION_INFO_V1(crm_segment_map_final);

/* rfm_scale_in(cstring) returns rfm_scale: reads the text form. */
Datum
crm_rfm_scale_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	RfmScale   *result = palloc(sizeof(RfmScale));
	const char *wrong = rfm_scale_parse(text, result);

	if (wrong != NULL)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "crm.rfm_scale", text),
				 errdetail("The value is not one that crm printed: %s.", wrong)));
	PG_RETURN_POINTER(result);
}

/* rfm_scale_out(rfm_scale) returns cstring: exact, independent of settings. */
Datum
crm_rfm_scale_out(PG_FUNCTION_ARGS)
{
	char	   *text = palloc(RFM_SCALE_TEXT_SIZE);

	rfm_scale_print(PG_GETARG_RFM_SCALE_P(0), text);
	PG_RETURN_CSTRING(text);
}

/* rfm_scale_recv(internal) returns rfm_scale: reads the binary form. */
Datum
crm_rfm_scale_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	int			length = buffer->len - buffer->cursor;
	RfmScale   *result = palloc(sizeof(RfmScale));
	const char *wrong;

	wrong = rfm_scale_from_wire((const unsigned char *) pq_getmsgbytes(buffer, length),
								length, result);
	if (wrong != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid external \"%s\" value", "crm.rfm_scale"),
				 errdetail("The value is not one that crm sent: %s.", wrong)));
	PG_RETURN_POINTER(result);
}

/* rfm_scale_send(rfm_scale) returns bytea: the binary form. */
Datum
crm_rfm_scale_send(PG_FUNCTION_ARGS)
{
	bytea	   *result = palloc(VARHDRSZ + RFM_SCALE_MAX_WIRE);

	SET_VARSIZE(result, VARHDRSZ + rfm_scale_to_wire(PG_GETARG_RFM_SCALE_P(0),
													 (unsigned char *) VARDATA(result)));
	PG_RETURN_BYTEA_P(result);
}

/*
 * A scale from data
 *
 * Exact quantiles need all values: 24 bytes a customer, in chunks that are
 * never moved or copied.  Each chunk has twice the room of the one before, up
 * to 1.5 MB, so that a group of few customers takes little.
 */
#define CHUNK_MIN_ROOM		16
#define CHUNK_MAX_ROOM		65536

typedef struct ScaleChunk
{
	struct ScaleChunk *before;
	int			used;
	int			room;
	int64		values[FLEXIBLE_ARRAY_MEMBER];	/* room of each measure in turn */
} ScaleChunk;

typedef struct ScaleState
{
	int			bins;
	int			decimals;
	int64		count;
	ScaleChunk *last;
} ScaleState;

#define CHUNK_VALUES(chunk, measure)	((chunk)->values + (measure) * (chunk)->room)

static ScaleState *
ScaleInit(MemoryContext context, int bins, int decimals)
{
	ScaleState *state = MemoryContextAlloc(context, sizeof(ScaleState));

	state->bins = bins;
	state->decimals = decimals;
	state->count = 0;
	state->last = NULL;
	return state;
}

/* The chunk that takes the next values: it has room for at least one. */
static inline ScaleChunk *
ScaleRoom(ScaleState *state, MemoryContext context)
{
	ScaleChunk *last = state->last;

	if (unlikely(last == NULL || last->used == last->room))
	{
		int			room = last == NULL ? CHUNK_MIN_ROOM : Min(last->room * 2, CHUNK_MAX_ROOM);
		ScaleChunk *chunk;

		chunk = MemoryContextAlloc(context, offsetof(ScaleChunk, values) +
								   sizeof(int64) * RFM_MEASURES * room);
		chunk->before = last;
		chunk->used = 0;
		chunk->room = room;
		state->last = last = chunk;
	}
	return last;
}

static void
CheckBins(int32 bins)
{
	if (bins < RFM_MIN_BINS || bins > RFM_MAX_BINS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("bins must be from %d to %d", RFM_MIN_BINS, RFM_MAX_BINS)));
}

static void
CheckSameBins(int bins, int others)
{
	if (bins != others)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("bins must be the same for all customers of a group")));
}

/*
 * Microseconds from the last order to as_of; negative if the order is later.
 */
static inline int64
Recency(const Purchases *p, TimestampTz as_of)
{
	int64		recency;

	if (TIMESTAMP_NOT_FINITE(as_of))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("as_of must be finite")));
	if (pg_sub_s64_overflow(as_of, p->last_order, &recency))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("time since the last order is out of range")));
	return recency;
}

/*
 * rfm_scale_add(internal, purchases [, timestamptz [, int]]) returns internal:
 * takes note of one customer.  The transition function.  Who has no orders,
 * and NULL as purchases or as_of, is left out; as_of is now() unless given.
 */
Datum
crm_rfm_scale_add(PG_FUNCTION_ARGS)
{
	MemoryContext context = AggregateContext(fcinfo);
	ScaleState *state = PG_ARGISNULL(0) ? NULL : (ScaleState *) PG_GETARG_POINTER(0);
	TimestampTz as_of;
	int			bins = RFM_DEFAULT_BINS;
	Purchases  *p;
	ScaleChunk *chunk;

	if (PG_NARGS() > 3)
	{
		if (PG_ARGISNULL(3))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("bins must not be null")));
		bins = PG_GETARG_INT32(3);
	}
	if (state == NULL)
	{
		CheckBins(bins);
		state = ScaleInit(context, bins, 0);
	}
	CheckSameBins(state->bins, bins);

	if (PG_ARGISNULL(1) || (PG_NARGS() > 2 && PG_ARGISNULL(2)))
		PG_RETURN_POINTER(state);
	p = PG_GETARG_PURCHASES_P(1);
	as_of = PG_NARGS() > 2 ? PG_GETARG_TIMESTAMPTZ(2) : GetCurrentTransactionStartTimestamp();
	if (p->orders == 0)
		PG_RETURN_POINTER(state);

	chunk = ScaleRoom(state, context);
	CHUNK_VALUES(chunk, RFM_RECENCY)[chunk->used] = Recency(p, as_of);
	CHUNK_VALUES(chunk, RFM_FREQUENCY)[chunk->used] = p->orders;
	CHUNK_VALUES(chunk, RFM_MONETARY)[chunk->used] = p->revenue;
	chunk->used++;
	state->count++;
	state->decimals = Max(state->decimals, p->scale);
	PG_RETURN_POINTER(state);
}

/* rfm_scale_merge(internal, internal) returns internal: combine. */
Datum
crm_rfm_scale_merge(PG_FUNCTION_ARGS)
{
	MemoryContext context = AggregateContext(fcinfo);
	ScaleState *state = PG_ARGISNULL(0) ? NULL : (ScaleState *) PG_GETARG_POINTER(0);
	ScaleState *other = PG_ARGISNULL(1) ? NULL : (ScaleState *) PG_GETARG_POINTER(1);

	if (other == NULL)
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
		state = ScaleInit(context, other->bins, other->decimals);
	CheckSameBins(state->bins, other->bins);
	state->decimals = Max(state->decimals, other->decimals);
	state->count += other->count;

	for (ScaleChunk *from = other->last; from != NULL; from = from->before)
	{
		int			done = 0;

		CHECK_FOR_INTERRUPTS();
		while (done < from->used)
		{
			ScaleChunk *to = ScaleRoom(state, context);
			int			count = Min(to->room - to->used, from->used - done);

			for (int i = 0; i < RFM_MEASURES; i++)
				memcpy(CHUNK_VALUES(to, i) + to->used, CHUNK_VALUES(from, i) + done,
					   count * sizeof(int64));
			to->used += count;
			done += count;
		}
	}
	PG_RETURN_POINTER(state);
}

/*
 * The state for another process of the same server: the head of ScaleState,
 * then of each chunk how many customers and their three times as many values.
 */
typedef struct ScaleHead
{
	int32		bins;
	int32		decimals;
	int64		count;
} ScaleHead;

/* rfm_scale_serialize(internal) returns bytea */
Datum
crm_rfm_scale_serialize(PG_FUNCTION_ARGS)
{
	ScaleState *state = (ScaleState *) PG_GETARG_POINTER(0);
	ScaleHead	head = {state->bins, state->decimals, state->count};
	Size		size = VARHDRSZ + sizeof(head);
	bytea	   *result;
	char	   *at;

	(void) AggregateContext(fcinfo);
	for (ScaleChunk *chunk = state->last; chunk != NULL; chunk = chunk->before)
		size += sizeof(int32) + sizeof(int64) * RFM_MEASURES * chunk->used;
	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many customers for crm.rfm_scale in a parallel plan"),
				 errdetail("A worker can hand over about 44 million customers."),
				 errhint("Set max_parallel_workers_per_gather to 0, or to more workers.")));

	result = palloc(size);
	SET_VARSIZE(result, size);
	at = VARDATA(result);
	memcpy(at, &head, sizeof(head));
	at += sizeof(head);
	for (ScaleChunk *chunk = state->last; chunk != NULL; chunk = chunk->before)
	{
		int32		used = chunk->used;

		memcpy(at, &used, sizeof(used));
		at += sizeof(used);
		for (int i = 0; i < RFM_MEASURES; i++)
		{
			memcpy(at, CHUNK_VALUES(chunk, i), used * sizeof(int64));
			at += used * sizeof(int64);
		}
	}
	PG_RETURN_BYTEA_P(result);
}

/* rfm_scale_deserialize(bytea, internal) returns internal */
Datum
crm_rfm_scale_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *serial = PG_GETARG_BYTEA_PP(0);
	const char *at = VARDATA_ANY(serial);
	const char *end = at + VARSIZE_ANY_EXHDR(serial);
	ScaleHead	head;
	ScaleState *state;

	(void) AggregateContext(fcinfo);
	memcpy(&head, at, sizeof(head));
	at += sizeof(head);
	state = ScaleInit(CurrentMemoryContext, head.bins, head.decimals);
	state->count = head.count;
	while (at < end)
	{
		int32		used;
		ScaleChunk *chunk;

		memcpy(&used, at, sizeof(used));
		at += sizeof(used);
		chunk = palloc(offsetof(ScaleChunk, values) + sizeof(int64) * RFM_MEASURES * used);
		chunk->before = state->last;
		chunk->used = chunk->room = used;
		memcpy(chunk->values, at, sizeof(int64) * RFM_MEASURES * used);
		at += sizeof(int64) * RFM_MEASURES * used;
		state->last = chunk;
	}
	PG_RETURN_POINTER(state);
}

/*
 * rfm_scale_final(internal) returns rfm_scale: the cut points; NULL if no
 * customer has an order.  May run more than once on a state.
 */
Datum
crm_rfm_scale_final(PG_FUNCTION_ARGS)
{
	ScaleState *state = PG_ARGISNULL(0) ? NULL : (ScaleState *) PG_GETARG_POINTER(0);
	RfmScale   *result;
	RfmSearch  *search;

	if (state == NULL || state->count == 0)
		PG_RETURN_NULL();
	result = palloc(sizeof(RfmScale));
	rfm_scale_init(result, state->bins);
	result->decimals = state->decimals;

	search = palloc(sizeof(RfmSearch));
	for (int i = 0; i < RFM_MEASURES; i++)
	{
		int64		least = PG_INT64_MAX;
		int64		greatest = PG_INT64_MIN;

		for (ScaleChunk *chunk = state->last; chunk != NULL; chunk = chunk->before)
		{
			int64	   *values = CHUNK_VALUES(chunk, i);

			for (int j = 0; j < chunk->used; j++)
			{
				least = Min(least, values[j]);
				greatest = Max(greatest, values[j]);
			}
		}
		rfm_search_begin(search, state->bins, state->count, least, greatest);
		do
		{
			for (ScaleChunk *chunk = state->last; chunk != NULL; chunk = chunk->before)
			{
				CHECK_FOR_INTERRUPTS();
				rfm_search_count(search, CHUNK_VALUES(chunk, i), chunk->used);
			}
		} while (rfm_search_narrow(search));
		for (int k = 0; k < state->bins - 1; k++)
			result->cuts[i][k] = rfm_search_cut(search, k);
	}
	pfree(search);
	PG_RETURN_POINTER(result);
}

/*
 * A scale of one's own
 */

/*
 * The thresholds of one measure, which must be a one-dimensional array
 * without NULLs; *count is how many.
 */
static Datum *
Thresholds(FunctionCallInfo fcinfo, int argument, Oid type, const char *name, int *count)
{
	ArrayType  *array;
	Datum	   *elements;
	int16		length;
	bool		by_value;
	char		alignment;

	if (PG_ARGISNULL(argument) || array_contains_nulls(PG_GETARG_ARRAYTYPE_P(argument)))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s thresholds must not be null", name)));
	array = PG_GETARG_ARRAYTYPE_P(argument);
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s thresholds must be an array of one dimension", name)));
	get_typlenbyvalalign(type, &length, &by_value, &alignment);
	deconstruct_array(array, type, length, by_value, alignment, &elements, NULL, count);
	return elements;
}

/* An interval's length with months of 30 days, as it is compared by. */
static int64
IntervalUsecs(const Interval *interval)
{
	int64		days = interval->month * (int64) DAYS_PER_MONTH + interval->day;
	int64		usecs;

	if (pg_mul_s64_overflow(days, USECS_PER_DAY, &usecs) ||
		pg_add_s64_overflow(usecs, interval->time, &usecs))
		ereport(ERROR,
				(errcode(ERRCODE_INTERVAL_FIELD_OVERFLOW),
				 errmsg("recency threshold out of range")));
	return usecs;
}

/*
 * rfm_scale_of_thresholds(interval[], bigint[], numeric[]) returns rfm_scale:
 * the scale with these cut points, ascending, 1 to 9 and equally many of each
 * measure.
 */
Datum
crm_rfm_scale_of_thresholds(PG_FUNCTION_ARGS)
{
	static const Oid types[RFM_MEASURES] = {INTERVALOID, INT8OID, NUMERICOID};
	RfmScale   *result = palloc(sizeof(RfmScale));
	Datum	   *elements[RFM_MEASURES];
	int			counts[RFM_MEASURES];

	for (int i = 0; i < RFM_MEASURES; i++)
		elements[i] = Thresholds(fcinfo, i, types[i], rfm_measure_names[i], &counts[i]);
	if (counts[RFM_FREQUENCY] != counts[RFM_RECENCY] || counts[RFM_MONETARY] != counts[RFM_RECENCY] ||
		counts[RFM_RECENCY] < RFM_MIN_BINS - 1 || counts[RFM_RECENCY] > RFM_MAX_CUTS)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("recency, frequency and monetary must have equally many thresholds, from %d to %d",
						RFM_MIN_BINS - 1, RFM_MAX_CUTS),
				 errdetail("They have %d, %d and %d.", counts[RFM_RECENCY],
						   counts[RFM_FREQUENCY], counts[RFM_MONETARY])));

	rfm_scale_init(result, counts[RFM_RECENCY] + 1);
	for (int k = 0; k < counts[RFM_RECENCY]; k++)
	{
		int			decimals;

		result->cuts[RFM_RECENCY][k] = IntervalUsecs(DatumGetIntervalP(elements[RFM_RECENCY][k]));
		result->cuts[RFM_FREQUENCY][k] = DatumGetInt64(elements[RFM_FREQUENCY][k]);
		result->cuts[RFM_MONETARY][k] = AmountFromNumericDatum(elements[RFM_MONETARY][k], &decimals);
		result->decimals = Max(result->decimals, decimals);
		for (int i = 0; i < RFM_MEASURES && k > 0; i++)
			if (result->cuts[i][k] < result->cuts[i][k - 1])
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("%s thresholds must be in ascending order", rfm_measure_names[i])));
	}
	PG_RETURN_POINTER(result);
}

/* rfm_scale_bins(rfm_scale) returns int */
Datum
crm_rfm_scale_bins(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(PG_GETARG_RFM_SCALE_P(0)->bins);
}

/* An array of the cut points of one measure. */
static Datum
CutArray(Datum *cuts, int count, Oid type)
{
	int16		length;
	bool		by_value;
	char		alignment;

	get_typlenbyvalalign(type, &length, &by_value, &alignment);
	return PointerGetDatum(construct_array(cuts, count, type, length, by_value, alignment));
}

/* recency_cuts(rfm_scale) returns interval[]: in days and time. */
Datum
crm_recency_cuts(PG_FUNCTION_ARGS)
{
	RfmScale   *scale = PG_GETARG_RFM_SCALE_P(0);
	Datum		cuts[RFM_MAX_CUTS];

	for (int k = 0; k < scale->bins - 1; k++)
	{
		int64		cut = scale->cuts[RFM_RECENCY][k];
		Interval   *interval = palloc0(sizeof(Interval));

		interval->day = cut / USECS_PER_DAY;
		interval->time = cut % USECS_PER_DAY;
		cuts[k] = IntervalPGetDatum(interval);
	}
	PG_RETURN_DATUM(CutArray(cuts, scale->bins - 1, INTERVALOID));
}

/* frequency_cuts(rfm_scale) returns bigint[] */
Datum
crm_frequency_cuts(PG_FUNCTION_ARGS)
{
	RfmScale   *scale = PG_GETARG_RFM_SCALE_P(0);
	Datum		cuts[RFM_MAX_CUTS];

	for (int k = 0; k < scale->bins - 1; k++)
		cuts[k] = Int64GetDatum(scale->cuts[RFM_FREQUENCY][k]);
	PG_RETURN_DATUM(CutArray(cuts, scale->bins - 1, INT8OID));
}

/* monetary_cuts(rfm_scale) returns numeric[] */
Datum
crm_monetary_cuts(PG_FUNCTION_ARGS)
{
	RfmScale   *scale = PG_GETARG_RFM_SCALE_P(0);
	Datum		cuts[RFM_MAX_CUTS];

	for (int k = 0; k < scale->bins - 1; k++)
		cuts[k] = NumericGetDatum(AmountToNumeric(scale->cuts[RFM_MONETARY][k], scale->decimals));
	PG_RETURN_DATUM(CutArray(cuts, scale->bins - 1, NUMERICOID));
}

/* rfm_in(cstring) returns rfm: reads '5-4-5'. */
Datum
crm_rfm_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	int32		result;
	const char *wrong = rfm_parse(text, &result);

	if (wrong != NULL)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "crm.rfm", text),
				 errdetail("Scores are written like 5-4-5, or 8-9-10/10 if there are 10 bins: %s.", wrong)));
	PG_RETURN_INT32(result);
}

/* rfm_out(rfm) returns cstring */
Datum
crm_rfm_out(PG_FUNCTION_ARGS)
{
	char	   *text = palloc(RFM_TEXT_SIZE);

	rfm_print(PG_GETARG_INT32(0), text);
	PG_RETURN_CSTRING(text);
}

/* rfm_recv(internal) returns rfm: reads the binary form. */
Datum
crm_rfm_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	int			length = buffer->len - buffer->cursor;
	int32		result;
	const char *wrong;

	wrong = rfm_from_wire((const unsigned char *) pq_getmsgbytes(buffer, length), length, &result);
	if (wrong != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid external \"%s\" value", "crm.rfm"),
				 errdetail("The value is not one that crm sent: %s.", wrong)));
	PG_RETURN_INT32(result);
}

/* rfm_send(rfm) returns bytea: the binary form. */
Datum
crm_rfm_send(PG_FUNCTION_ARGS)
{
	bytea	   *result = palloc(VARHDRSZ + RFM_WIRE_SIZE);

	SET_VARSIZE(result, VARHDRSZ + RFM_WIRE_SIZE);
	rfm_to_wire(PG_GETARG_INT32(0), (unsigned char *) VARDATA(result));
	PG_RETURN_BYTEA_P(result);
}

/*
 * rfm(purchases, rfm_scale, timestamptz) returns rfm: the customer's scores on
 * the scale; 0-0-0 without orders.
 */
Datum
crm_rfm(PG_FUNCTION_ARGS)
{
	Purchases  *p = PG_GETARG_PURCHASES_P(0);
	RfmScale   *scale = PG_GETARG_RFM_SCALE_P(1);
	int64		recency = Recency(p, PG_GETARG_TIMESTAMPTZ(2));

	if (p->orders == 0)
		PG_RETURN_INT32(RFM_PROSPECT);
	PG_RETURN_INT32(rfm_scale_apply(scale, recency, p->orders, p->revenue));
}

/* rfm_of_scores(int, int, int, int) returns rfm: the fourth is the bins. */
Datum
crm_rfm_of_scores(PG_FUNCTION_ARGS)
{
	int32		result;
	const char *wrong = rfm_make(PG_GETARG_INT32(0), PG_GETARG_INT32(1),
								 PG_GETARG_INT32(2), PG_GETARG_INT32(3), &result);

	if (wrong != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s", wrong)));
	PG_RETURN_INT32(result);
}

/* recency_score(rfm) returns int: NULL without orders. */
Datum
crm_recency_score(PG_FUNCTION_ARGS)
{
	int32		rfm = PG_GETARG_INT32(0);

	if (rfm == RFM_PROSPECT)
		PG_RETURN_NULL();
	PG_RETURN_INT32(rfm_score(rfm, RFM_RECENCY));
}

/* frequency_score(rfm) returns int: NULL without orders. */
Datum
crm_frequency_score(PG_FUNCTION_ARGS)
{
	int32		rfm = PG_GETARG_INT32(0);

	if (rfm == RFM_PROSPECT)
		PG_RETURN_NULL();
	PG_RETURN_INT32(rfm_score(rfm, RFM_FREQUENCY));
}

/* monetary_score(rfm) returns int: NULL without orders. */
Datum
crm_monetary_score(PG_FUNCTION_ARGS)
{
	int32		rfm = PG_GETARG_INT32(0);

	if (rfm == RFM_PROSPECT)
		PG_RETURN_NULL();
	PG_RETURN_INT32(rfm_score(rfm, RFM_MONETARY));
}

/* bins(rfm) returns int: NULL without orders. */
Datum
crm_bins(PG_FUNCTION_ARGS)
{
	int32		rfm = PG_GETARG_INT32(0);

	if (rfm == RFM_PROSPECT)
		PG_RETURN_NULL();
	PG_RETURN_INT32(rfm_bins(rfm));
}

/*
 * segment(rfm [, text]) returns text: the segment by a standard map, fm_grid
 * unless told.
 */
Datum
crm_segment(PG_FUNCTION_ARGS)
{
	RfmMap		map = RFM_MAP_FM_GRID;

	if (PG_NARGS() > 1)
	{
		text	   *name = PG_GETARG_TEXT_PP(1);

		map = rfm_map(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
		if (map == RFM_MAP_UNKNOWN)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("unknown segment map \"%s\"", text_to_cstring(name)),
					 errhint("The maps are fm_grid, rf_grid and shopify; a map of your own is of type jsonb.")));
	}
	PG_RETURN_TEXT_P(cstring_to_text(rfm_segment(PG_GETARG_INT32(0), map)));
}

/*
 * Maps of the user's own
 *
 * A jsonb array of boxes; the first that holds the scores gives the segment:
 *
 * [{"segment": "Champions", "recency": [4, 5], "frequency": 5}, ...]
 *
 * A measure is a score or the lowest and the highest, and any if left out.
 */
typedef struct SegmentMap
{
	Jsonb	   *source;			/* what it was read from */
	int			count;
	RfmBox	   *boxes;
	text	  **names;
} SegmentMap;

static void
BadMap(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid segment map"),
			 errdetail("%s", detail),
			 errhint("A map is an array of objects like {\"segment\": \"Champions\", \"recency\": [4, 5], \"frequency\": 5}.")));
}

/* A jsonb scalar as a score from 1 to 10; 0 if it isn't one. */
static int
MapScore(const JsonbValue *value)
{
	char	   *number;

	if (value->type != jbvNumeric)
		return 0;
	number = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	if (strlen(number) > 2 || strspn(number, "0123456789") != strlen(number) ||
		atoi(number) > RFM_MAX_BINS)
		return 0;
	return atoi(number);
}

/* Read the bounds of one measure, after its key. */
static void
MapBounds(JsonbIterator **at, const char *segment, int measure, RfmBox *box)
{
	int			bounds[2] = {0, 0};
	int			count = 0;
	JsonbValue	value;

	if (JsonbIteratorNext(at, &value, true) == WJB_VALUE && value.type != jbvBinary)
		bounds[0] = bounds[1] = MapScore(&value);
	else if (value.type == jbvBinary && JsonContainerIsArray(value.val.binary.data) &&
			 JsonContainerSize(value.val.binary.data) == 2)
	{
		JsonbIterator *inner = JsonbIteratorInit(value.val.binary.data);
		JsonbIteratorToken token;

		while ((token = JsonbIteratorNext(&inner, &value, true)) != WJB_DONE)
			if (token == WJB_ELEM)
				bounds[count++] = MapScore(&value);
	}
	if (bounds[0] == 0 || bounds[1] == 0 || bounds[0] > bounds[1])
		BadMap(psprintf("\"%s\" of segment \"%s\" must be a whole number from 1 to 10, or two of them, the lowest and the highest.",
						rfm_measure_names[measure], segment));
	box->low[measure] = bounds[0];
	box->high[measure] = bounds[1];
}

static bool
IsKey(const JsonbValue *key, const char *name)
{
	return key->val.string.len == strlen(name) &&
		memcmp(key->val.string.val, name, key->val.string.len) == 0;
}

/* Read one object of a map into its place. */
static void
MapBox(JsonbContainer *object, SegmentMap *map)
{
	JsonbIterator *at = JsonbIteratorInit(object);
	RfmBox	   *box = &map->boxes[map->count];
	JsonbValue	name;
	JsonbValue	key;
	char	   *segment;

	if (getKeyJsonValueFromContainer(object, "segment", strlen("segment"), &name) == NULL ||
		name.type != jbvString || name.val.string.len == 0)
		BadMap("\"segment\" must be there and be a string that is not empty.");
	map->names[map->count] = cstring_to_text_with_len(name.val.string.val, name.val.string.len);
	segment = text_to_cstring(map->names[map->count]);
	for (int i = 0; i < RFM_MEASURES; i++)
	{
		box->low[i] = 1;
		box->high[i] = RFM_MAX_BINS;
	}

	JsonbIteratorNext(&at, &key, true);
	while (JsonbIteratorNext(&at, &key, true) == WJB_KEY)
	{
		JsonbValue	skipped;
		int			measure = 0;

		if (IsKey(&key, "segment"))
		{
			JsonbIteratorNext(&at, &skipped, true);
			continue;
		}
		while (measure < RFM_MEASURES && !IsKey(&key, rfm_measure_names[measure]))
			measure++;
		if (measure == RFM_MEASURES)
			BadMap(psprintf("\"%s\" of segment \"%s\" is not known.",
							pnstrdup(key.val.string.val, key.val.string.len), segment));
		MapBounds(&at, segment, measure, box);
	}
	map->count++;
}

/* Read and check a map; it is allocated in the current context. */
static SegmentMap *
ParseMap(Jsonb *source)
{
	SegmentMap *map = palloc(sizeof(SegmentMap));
	JsonbContainer *root = &source->root;
	JsonbIterator *at;
	JsonbValue	element;

	if (!JsonContainerIsArray(root) || JsonContainerIsScalar(root))
		BadMap("It must be an array.");
	map->source = palloc(VARSIZE(source));
	memcpy(map->source, source, VARSIZE(source));
	map->count = 0;
	map->boxes = palloc(sizeof(RfmBox) * Max(JsonContainerSize(root), 1));
	map->names = palloc(sizeof(text *) * Max(JsonContainerSize(root), 1));

	at = JsonbIteratorInit(root);
	JsonbIteratorNext(&at, &element, true);
	while (JsonbIteratorNext(&at, &element, true) == WJB_ELEM)
	{
		if (element.type != jbvBinary || !JsonContainerIsObject(element.val.binary.data))
			BadMap("Each element must be an object.");
		MapBox(element.val.binary.data, map);
	}
	return map;
}

/* What fn_extra points to. */
typedef struct MapCache
{
	MemoryContext context;		/* of the map, reset before another is read */
	SegmentMap *map;
} MapCache;

/*
 * The map of an argument.  Most often it is the same throughout a query, and
 * then it is read once.
 */
static SegmentMap *
CachedMap(FunctionCallInfo fcinfo, Jsonb *source)
{
	MapCache   *cache = fcinfo->flinfo->fn_extra;
	MemoryContext old;

	if (cache == NULL)
	{
		cache = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(MapCache));
		cache->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "crm segment map",
											   ALLOCSET_SMALL_SIZES);
		cache->map = NULL;
		fcinfo->flinfo->fn_extra = cache;
	}
	if (cache->map != NULL && VARSIZE(cache->map->source) == VARSIZE(source) &&
		memcmp(cache->map->source, source, VARSIZE(source)) == 0)
		return cache->map;

	cache->map = NULL;
	MemoryContextReset(cache->context);
	old = MemoryContextSwitchTo(cache->context);
	cache->map = ParseMap(source);
	MemoryContextSwitchTo(old);
	return cache->map;
}

/* Segments without scores: of a prospect, and of who is in no box. */
static Datum
NamedSegment(const char *name)
{
	return PointerGetDatum(cstring_to_text(name));
}

/* A copy, since the map may be gone before the result is. */
static Datum
MapSegment(const text *name)
{
	return PointerGetDatum(cstring_to_text_with_len(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)));
}

/*
 * segment(rfm, jsonb) returns text: the segment by the user's map, 'Others' if
 * no box holds the scores.
 */
Datum
crm_segment_by_map(PG_FUNCTION_ARGS)
{
	int32		rfm = PG_GETARG_INT32(0);
	SegmentMap *map = CachedMap(fcinfo, PG_GETARG_JSONB_P(1));

	if (rfm == RFM_PROSPECT)
		return NamedSegment(RFM_SEGMENT_PROSPECTS);
	for (int i = 0; i < map->count; i++)
		if (rfm_in_box(rfm, &map->boxes[i]))
			return MapSegment(map->names[i]);
	return NamedSegment(RFM_SEGMENT_OTHERS);
}

/*
 * matching_segments(rfm, jsonb) returns text[]: all segments of the map with a
 * box that holds the scores, each once, in the map's order.
 */
Datum
crm_matching_segments(PG_FUNCTION_ARGS)
{
	int32		rfm = PG_GETARG_INT32(0);
	SegmentMap *map = CachedMap(fcinfo, PG_GETARG_JSONB_P(1));
	Datum	   *names = palloc(sizeof(Datum) * Max(map->count, 1));
	int			count = 0;

	if (rfm == RFM_PROSPECT)
		names[count++] = NamedSegment(RFM_SEGMENT_PROSPECTS);
	else
		for (int i = 0; i < map->count; i++)
		{
			bool		known = false;

			CHECK_FOR_INTERRUPTS();
			if (!rfm_in_box(rfm, &map->boxes[i]))
				continue;
			for (int j = 0; j < count && !known; j++)
				known = DatumGetBool(DirectFunctionCall2Coll(texteq, C_COLLATION_OID, names[j],
															 PointerGetDatum(map->names[i])));
			if (!known)
				names[count++] = PointerGetDatum(map->names[i]);
		}
	PG_RETURN_ARRAYTYPE_P(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/*
 * segment_map_final(jsonb) returns jsonb: the map as it is, if it is valid.
 */
Datum
crm_segment_map_final(PG_FUNCTION_ARGS)
{
	ParseMap(PG_GETARG_JSONB_P(0));
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}
