/*
 * shapley.c
 *		Which channel won the orders, as a cooperative game of the channels.
 *
 * Two games, in which a coalition is a set of channels:
 *
 * shapley: the unique-channel game of Zhao, Mahboobi and Bagheri, "Shapley
 * Value Methods for Attribution Modeling in Online Advertising" (2018).  A
 * coalition is worth the conversions of the paths that need no channel outside
 * of it.  Its Shapley value has a closed form: what each path brought is shared
 * alike by the distinct channels of the path.
 *
 * shapley_rate: a coalition is worth the conversion rate of the paths that have
 * no channel outside of it.  That has no closed form: it takes all 2^n
 * coalitions.  A channel that lowers the rate has a negative value.
 */
#include "crm.h"

#include "attribution.h"
#include "crm_amount.h"
#include "crm_attribution.h"
#include "crm_names.h"
#include "crm_paths.h"

#include <math.h>

#include "common/int.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(crm_shapley_add);
PG_FUNCTION_INFO_V1(crm_shapley_final);
PG_FUNCTION_INFO_V1(crm_shapley_rate_add);
PG_FUNCTION_INFO_V1(crm_shapley_rate_merge);
PG_FUNCTION_INFO_V1(crm_shapley_rate_serialize);
PG_FUNCTION_INFO_V1(crm_shapley_rate_deserialize);
PG_FUNCTION_INFO_V1(crm_shapley_rate_final);
PG_FUNCTION_INFO_V1(crm_shapley_credit);

#define MODEL_SHAPLEY		"shapley"
#define MODEL_SHAPLEY_RATE	"shapley_rate"

/* 2^20 coalitions are 24 MB and a second */
#define RATE_MAX_CHANNELS	20

/*
 * While paths are added, conversions are counted in units of 1/2^SHAPLEY_BITS of
 * 1/PATH_UNIT.  The fractions that a path may have are whole numbers of these,
 * which they are not of units of credit: all channels together lose nothing, and
 * what one gets of a path is off by less than 10^-21.  Value is counted in units
 * of credit, as in the result.
 */
#define SHAPLEY_BITS	40
#define CREDIT_BITS		52

StaticAssertDecl(CREDIT_ONE == INT64CONST(1) << CREDIT_BITS, "a unit of credit is a power of two");

/* A number that is not negative, times 2^bits. */
static inline WideSum
WideShift(int64 number, int bits)
{
	WideSum		sum;

	sum.high = number >> (64 - bits);
	sum.low = (uint64) number << bits;
	return sum;
}

/* A sum that is not negative divided by a number, and what is left. */
static inline WideSum
WideDivide(WideSum sum, uint32 divisor, uint32 *rest)
{
	uint64		high = (uint64) sum.high;
	uint64		middle = high % divisor << 32 | sum.low >> 32;
	uint64		low = middle % divisor << 32 | (sum.low & 0xFFFFFFFF);

	sum.high = (int64) (high / divisor);
	sum.low = (middle / divisor) << 32 | low / divisor;
	*rest = (uint32) (low % divisor);
	return sum;
}

/* Conversions as they are added, in units of credit, rounded half up. */
static WideSum
WideCredit(WideSum sum)
{
	const int	bits = CREDIT_BITS - SHAPLEY_BITS;
	uint32		rest;

	sum.high = (int64) ((uint64) sum.high << bits | sum.low >> (64 - bits));
	sum.low <<= bits;
	(void) wide_add(&sum, WideFromUnits(PATH_UNIT / 2));
	return WideDivide(sum, PATH_UNIT, &rest);
}

/* A count of paths in units of credit. */
static WideSum
WideFromCount(int64 count)
{
	return WideCredit(WideShift(count, SHAPLEY_BITS));
}

static WideSum
WideMinus(WideSum sum, WideSum other)
{
	other.low = -other.low;
	other.high = ~other.high + (other.low == 0);
	(void) wide_add(&sum, other);
	return sum;
}

static AttributionState *
ShapleyStateNew(MemoryContext context, const char *model)
{
	AttributionState *state = AttributionStateNew(context);

	AttributionModel(state, model, strlen(model));
	return state;
}

static void
OutOfRange(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("sum of paths out of range"),
			 errdetail("Conversions must stay below 37778931862957, and value below 922337203685477.5808.")));
}

static void
ShapleyAdd(AttributionState *state, int32 channel, WideSum conversions, WideSum value)
{
	CreditCell *cell = &state->cells[channel];
	bool		fits = wide_add(&cell->conversions, conversions);

	if (!wide_add(&cell->value, value) || !fits)
		OutOfRange();
}

/*
 * shapley_add(internal, path text[], conversions numeric, value numeric, nulls
 * numeric) returns internal: so many customers went that path, and so many of
 * them ordered for that value.
 *
 * The state is one of crm.attribution, but for the units of its conversions:
 * the functions that merge and send it serve here too.
 */
Datum
crm_shapley_add(PG_FUNCTION_ARGS)
{
	MemoryContext context = AggregateContext(fcinfo);
	AttributionState *state = PG_ARGISNULL(0) ? NULL : (AttributionState *) PG_GETARG_POINTER(0);
	PathRow    *row = (PathRow *) fcinfo->flinfo->fn_extra;
	int			distinct = 0;
	WideSum		conversions;
	WideSum		value;
	uint32		conversions_left;
	uint32		value_left;

	if (state == NULL)
		state = ShapleyStateNew(context, MODEL_SHAPLEY);
	if (row == NULL)
		row = fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(PathRow));
	PathRowGet(fcinfo, 1, fcinfo->flinfo->fn_mcxt, row);
	if (row->conversions == 0 && row->nulls == 0)
		PG_RETURN_POINTER(state);

	conversions = WideShift(row->conversions, SHAPLEY_BITS);
	value = WideShift(row->value, CREDIT_BITS);
	if (row->touches == 0)
	{
		ShapleyAdd(state, AttributionChannel(state, CHANNEL_NONE, strlen(CHANNEL_NONE)), conversions, value);
		PG_RETURN_POINTER(state);
	}

	/* the numbers of the distinct channels: mark each at its first touch */
	if (row->touches > state->number_room)
	{
		if (state->numbers != NULL)
			pfree(state->numbers);
		state->number_room = Max(row->touches, 32);
		state->numbers = MemoryContextAllocHuge(context, sizeof(int32) * state->number_room);
	}
	for (int i = 0; i < row->touches; i++)
		state->numbers[i] = AttributionChannel(state, row->channels[i].text, row->channels[i].length);
	if (state->channels.count > state->share_room)
	{
		if (state->shares != NULL)
			pfree(state->shares);
		state->share_room = state->channels.room;
		state->shares = MemoryContextAllocHuge(context, sizeof(int64) * state->share_room);
		memset(state->shares, 0, sizeof(int64) * state->share_room);
	}
	for (int i = 0; i < row->touches; i++)
	{
		int32		channel = state->numbers[i];

		if (state->shares[channel] == 0)
			state->numbers[distinct++] = channel;
		state->shares[channel] = 1;
	}

	/* alike for each; what is left over goes to the last ones, a unit each */
	conversions = WideDivide(conversions, distinct, &conversions_left);
	value = WideDivide(value, distinct, &value_left);
	for (int i = 0; i < distinct; i++)
	{
		if (i == distinct - (int) conversions_left)
			(void) wide_add(&conversions, WideFromUnits(1));
		if (i == distinct - (int) value_left)
			(void) wide_add(&value, WideFromUnits(1));
		ShapleyAdd(state, state->numbers[i], conversions, value);
		state->shares[state->numbers[i]] = 0;
	}
	PG_RETURN_POINTER(state);
}

/*
 * shapley_final(internal) returns attribution: no channel for no paths.  May run
 * more than once on a state.
 *
 * It is the running sums over the channels, in the order of their names, that
 * are rounded to units of credit, so that all together are off by half of one.
 */
Datum
crm_shapley_final(PG_FUNCTION_ARGS)
{
	Attribution *result = AttributionStateValue(PG_ARGISNULL(0) ?
												ShapleyStateNew(CurrentMemoryContext, MODEL_SHAPLEY) :
												(AttributionState *) PG_GETARG_POINTER(0));
	WideSum		sum = {0, 0};
	WideSum		given = {0, 0};

	for (int32 i = 0; i < result->channels; i++)
	{
		WideSum		until;

		if (!wide_add(&sum, result->cells[i].conversions))
			OutOfRange();
		until = WideCredit(sum);
		result->cells[i].conversions = WideMinus(until, given);
		given = until;
	}
	PG_RETURN_POINTER(result);
}

/* The paths that have exactly the channels of a set. */
typedef struct Coalition
{
	uint32		channels;		/* a bit each; 0: a free slot */
	int64		conversions;
	int64		nulls;
	int64		value;
} Coalition;

typedef struct RateState
{
	MemoryContext context;
	Names		channels;
	int32		count;
	int32		room;			/* a power of two, or 0; at most half is used */
	Coalition  *coalitions;
	Coalition	none;			/* paths without a touch */
	Coalition	total;
	PathRow		row;
} RateState;

static RateState *
RateStateNew(MemoryContext context)
{
	RateState  *state = MemoryContextAllocZero(context, sizeof(RateState));

	state->context = context;
	NamesInit(&state->channels, context);
	return state;
}

static Coalition *
RateSlot(const RateState *state, uint32 channels)
{
	uint32		mask = state->room - 1;
	uint32		slot = (channels * 0x9E3779B1U) >> 7 & mask;

	while (state->coalitions[slot].channels != 0 && state->coalitions[slot].channels != channels)
		slot = (slot + 1) & mask;
	return &state->coalitions[slot];
}

static void
RateSum(Coalition *sum, const Coalition *other)
{
	int64		paths;

	if (pg_add_s64_overflow(sum->conversions, other->conversions, &sum->conversions) ||
		pg_add_s64_overflow(sum->nulls, other->nulls, &sum->nulls) ||
		pg_add_s64_overflow(sum->conversions, sum->nulls, &paths) ||
		pg_add_s64_overflow(sum->value, other->value, &sum->value))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("sum of paths out of range")));
}

static void
RateAdd(RateState *state, uint32 channels, const Coalition *paths)
{
	Coalition  *coalition = &state->none;

	RateSum(&state->total, paths);
	if (channels != 0)
	{
		if (state->count >= state->room / 2)
		{
			Coalition  *old = state->coalitions;
			int32		old_room = state->room;

			state->room = old_room == 0 ? 16 : old_room * 2;
			state->coalitions = MemoryContextAllocZero(state->context, sizeof(Coalition) * state->room);
			for (int32 i = 0; i < old_room; i++)
				if (old[i].channels != 0)
					*RateSlot(state, old[i].channels) = old[i];
			if (old != NULL)
				pfree(old);
		}
		coalition = RateSlot(state, channels);
		if (coalition->channels == 0)
		{
			coalition->channels = channels;
			state->count++;
		}
	}
	RateSum(coalition, paths);
}

/* The bit of a channel. */
static uint32
RateChannel(RateState *state, const char *name, uint32 length)
{
	int32		number = NamesIntern(&state->channels, name, length);

	if (number >= RATE_MAX_CHANNELS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many channels for the game on conversion rates"),
				 errdetail("Its cost doubles with each channel; it takes at most %d.", RATE_MAX_CHANNELS),
				 errhint("Group rare channels, or use crm.shapley(), which has no such limit.")));
	return (uint32) 1 << number;
}

/* shapley_rate_add(internal, text[], numeric, numeric, numeric) returns internal */
Datum
crm_shapley_rate_add(PG_FUNCTION_ARGS)
{
	MemoryContext context = AggregateContext(fcinfo);
	RateState  *state = PG_ARGISNULL(0) ? NULL : (RateState *) PG_GETARG_POINTER(0);
	Coalition	paths = {0, 0, 0, 0};
	uint32		channels = 0;

	if (state == NULL)
		state = RateStateNew(context);
	PathRowGet(fcinfo, 1, context, &state->row);
	paths.conversions = state->row.conversions;
	paths.nulls = state->row.nulls;
	paths.value = state->row.value;
	if (paths.conversions == 0 && paths.nulls == 0)
		PG_RETURN_POINTER(state);
	for (int i = 0; i < state->row.touches; i++)
		channels |= RateChannel(state, state->row.channels[i].text, state->row.channels[i].length);
	RateAdd(state, channels, &paths);
	PG_RETURN_POINTER(state);
}

/* The same channels with the numbers of another set of names. */
static uint32
Renumber(uint32 channels, const uint32 *bits)
{
	uint32		result = 0;

	for (; channels != 0; channels &= channels - 1)
		result |= bits[pg_rightmost_one_pos32(channels)];
	return result;
}

/* shapley_rate_merge(internal, internal) returns internal: the paths of both. */
Datum
crm_shapley_rate_merge(PG_FUNCTION_ARGS)
{
	MemoryContext context = AggregateContext(fcinfo);
	RateState  *state = PG_ARGISNULL(0) ? NULL : (RateState *) PG_GETARG_POINTER(0);
	RateState  *other = PG_ARGISNULL(1) ? NULL : (RateState *) PG_GETARG_POINTER(1);
	uint32		bits[RATE_MAX_CHANNELS];

	if (state == NULL)
		state = RateStateNew(context);
	if (other == NULL)
		PG_RETURN_POINTER(state);
	for (int32 i = 0; i < other->channels.count; i++)
		bits[i] = RateChannel(state, other->channels.names[i].text, other->channels.names[i].length);
	RateAdd(state, 0, &other->none);
	for (int32 i = 0; i < other->room; i++)
		if (other->coalitions[i].channels != 0)
			RateAdd(state, Renumber(other->coalitions[i].channels, bits), &other->coalitions[i]);
	PG_RETURN_POINTER(state);
}

static void
SendCoalition(StringInfo buffer, const Coalition *coalition)
{
	pq_sendint32(buffer, coalition->channels);
	pq_sendint64(buffer, coalition->conversions);
	pq_sendint64(buffer, coalition->nulls);
	pq_sendint64(buffer, coalition->value);
}

static Coalition
GetCoalition(StringInfo buffer)
{
	Coalition	coalition;

	coalition.channels = pq_getmsgint(buffer, 4);
	coalition.conversions = pq_getmsgint64(buffer);
	coalition.nulls = pq_getmsgint64(buffer);
	coalition.value = pq_getmsgint64(buffer);
	return coalition;
}

/* shapley_rate_serialize(internal) returns bytea: names, then coalitions. */
Datum
crm_shapley_rate_serialize(PG_FUNCTION_ARGS)
{
	RateState  *state = (RateState *) PG_GETARG_POINTER(0);
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendint32(&buffer, state->channels.count);
	for (int32 i = 0; i < state->channels.count; i++)
	{
		pq_sendint32(&buffer, state->channels.names[i].length);
		pq_sendbytes(&buffer, state->channels.names[i].text, state->channels.names[i].length);
	}
	SendCoalition(&buffer, &state->none);
	pq_sendint32(&buffer, state->count);
	for (int32 i = 0; i < state->room; i++)
		if (state->coalitions[i].channels != 0)
			SendCoalition(&buffer, &state->coalitions[i]);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

/* shapley_rate_deserialize(bytea, internal) returns internal */
Datum
crm_shapley_rate_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *serial = PG_GETARG_BYTEA_PP(0);
	RateState  *state = RateStateNew(CurrentMemoryContext);
	StringInfoData buffer;
	Coalition	coalition;
	int32		count;

	(void) AggregateContext(fcinfo);
	initStringInfo(&buffer);
	appendBinaryStringInfo(&buffer, VARDATA_ANY(serial), VARSIZE_ANY_EXHDR(serial));
	count = pq_getmsgint(&buffer, 4);
	for (int32 i = 0; i < count; i++)
	{
		int			length = pq_getmsgint(&buffer, 4);

		RateChannel(state, pq_getmsgbytes(&buffer, length), length);
	}
	coalition = GetCoalition(&buffer);
	RateAdd(state, 0, &coalition);
	count = pq_getmsgint(&buffer, 4);
	for (int32 i = 0; i < count; i++)
	{
		coalition = GetCoalition(&buffer);
		RateAdd(state, coalition.channels, &coalition);
	}
	pq_getmsgend(&buffer);
	pfree(buffer.data);
	PG_RETURN_POINTER(state);
}

/*
 * The Shapley value of every player: worth[S] of all 2^players coalitions, of
 * which that of nobody is 0.
 *
 * value(i) = sum over S without i of |S|! (n - |S| - 1)! / n! (worth(S + i) -
 * worth(S)), so worth(S) counts with a weight that depends on |S| and on
 * whether i is in S.
 */
static void
ShapleyValue(const double *worth, int players, double *value)
{
	double		weight[RATE_MAX_CHANNELS];

	weight[0] = 1.0 / players;
	for (int size = 1; size < players; size++)
		weight[size] = weight[size - 1] * size / (players - size);
	for (int i = 0; i < players; i++)
		value[i] = 0;
	for (uint32 set = 1; set < (uint32) 1 << players; set++)
	{
		int			size = pg_popcount32(set);

		if ((set & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < players; i++)
			value[i] += set >> i & 1 ? weight[size - 1] * worth[set] : -weight[size] * worth[set];
	}
}

/*
 * A number in units of 1/CREDIT_ONE.  Where few paths have most of the value,
 * the game may give a channel many times the value of all paths.
 */
static WideSum
WideFromDouble(double number)
{
	double		whole = floor(number);
	WideSum		sum;

	if (!(fabs(whole) < (double) PG_INT64_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("Shapley value of the game on conversion rates out of range"),
				 errdetail("The value of the channels must stay between -922337203685477.5808 and 922337203685477.5808."),
				 errhint("Leave out paths that have very much value for their number of customers.")));
	sum = wide_product((int64) whole, CREDIT_ONE);
	(void) wide_add(&sum, WideFromUnits((int64) rint((number - whole) * CREDIT_ONE)));
	return sum;
}

/*
 * shapley_rate_final(internal) returns attribution
 *
 * A channel's conversions are its value in the game times the number of paths,
 * so that all channels together have all conversions; likewise with the value
 * of a path in place of its conversion.
 */
Datum
crm_shapley_rate_final(PG_FUNCTION_ARGS)
{
	RateState  *state = PG_ARGISNULL(0) ? RateStateNew(CurrentMemoryContext) :
		(RateState *) PG_GETARG_POINTER(0);
	AttributionState *result = ShapleyStateNew(CurrentMemoryContext, MODEL_SHAPLEY_RATE);
	int			players = state->channels.count;
	Size		sets = (Size) 1 << players;
	double	   *conversions = palloc0(sizeof(double) * sets);
	double	   *value = palloc0(sizeof(double) * sets);
	double	   *paths = palloc0(sizeof(double) * sets);
	int32		order[RATE_MAX_CHANNELS];
	uint32		bits[RATE_MAX_CHANNELS];
	double		of_conversions[RATE_MAX_CHANNELS];
	double		of_value[RATE_MAX_CHANNELS];
	double		all_conversions = 0;
	double		all_value = 0;
	double		all_paths;
	WideSum		conversions_given = {0, 0};
	WideSum		value_given = {0, 0};

	/* the order of names, so that nothing depends on that of the rows */
	for (int i = 0; i < players; i++)
		order[i] = i;
	NamesSort(&state->channels, order, players);
	for (int i = 0; i < players; i++)
		bits[order[i]] = (uint32) 1 << i;
	for (int32 i = 0; i < state->room; i++)
	{
		const Coalition *coalition = &state->coalitions[i];
		uint32		set = Renumber(coalition->channels, bits);

		if (set == 0)
			continue;
		conversions[set] = (double) coalition->conversions / PATH_UNIT;
		paths[set] = ((double) coalition->conversions + (double) coalition->nulls) / PATH_UNIT;
		value[set] = (double) coalition->value;
	}
	/* from those who have exactly these channels to those who need no other */
	for (int i = 0; i < players; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (Size set = 0; set < sets; set++)
			if (set >> i & 1)
			{
				Size		without = set & ~((Size) 1 << i);

				conversions[set] += conversions[without];
				paths[set] += paths[without];
				value[set] += value[without];
			}
	}
	all_paths = paths[sets - 1];
	for (Size set = 0; set < sets; set++)
	{
		conversions[set] = paths[set] > 0 ? conversions[set] / paths[set] : 0;
		value[set] = paths[set] > 0 ? value[set] / paths[set] : 0;
	}
	ShapleyValue(conversions, players, of_conversions);
	ShapleyValue(value, players, of_value);

	for (int i = 0; i < players; i++)
	{
		const KnownName *name = &state->channels.names[order[i]];
		bool		last = i == players - 1;
		WideSum		conversions_until;
		WideSum		value_until;

		all_conversions += of_conversions[i] * all_paths;
		all_value += of_value[i] * all_paths;
		conversions_until = last ? WideFromCount(state->total.conversions - state->none.conversions) :
			WideFromDouble(all_conversions);
		value_until = last ? wide_product(state->total.value - state->none.value, CREDIT_ONE) :
			WideFromDouble(all_value);
		AttributionAdd(result, AttributionChannel(result, name->text, name->length), 0,
					   WideMinus(conversions_until, conversions_given),
					   WideMinus(value_until, value_given));
		conversions_given = conversions_until;
		value_given = value_until;
	}
	if (state->none.conversions > 0 || state->none.nulls > 0)
		AttributionAdd(result, AttributionChannel(result, CHANNEL_NONE, strlen(CHANNEL_NONE)), 0,
					   WideFromCount(state->none.conversions),
					   wide_product(state->none.value, CREDIT_ONE));
	PG_RETURN_POINTER(AttributionStateValue(result));
}

/* The number of a model in an attribution, -1 if it is not in it. */
static int32
FindModel(const Attribution *a, const char *model)
{
	for (int32 i = 0; i < a->models; i++)
	{
		uint32		length;
		const char *name = attribution_name(a, i, &length);

		if (length == strlen(model) && memcmp(name, model, length) == 0)
			return i;
	}
	return -1;
}

/*
 * What a model gives a channel, as a weight: 0 if that is negative, or if the
 * attribution has no such channel.
 */
static double
ChannelWeight(const Attribution *a, int32 model, const char *name, uint32 length)
{
	int32		channel = attribution_find_channel(a, name, length);
	WideSum		sum;

	if (channel < 0)
		return 0;
	sum = a->cells[(Size) channel * a->models + model].conversions;
	return sum.high < 0 ? 0 : (double) sum.high * 0x1p64 + (double) sum.low;
}

/*
 * credit(journey, converted_at timestamptz, attribution, lookback interval)
 * returns setof (channel text, credit double precision): each distinct channel's
 * share of the Shapley values, by shapley_rate, of those in the path; sums to
 * exactly 1.
 *
 * A negative value counts as 0, as does that of a channel which the attribution
 * has not.  Where all are 0 the channels share alike, as by the rule "shapley".
 * A NULL journey is one without touches; any other NULL gives no row.
 */
Datum
crm_shapley_credit(PG_FUNCTION_ARGS)
{
	Attribution *a;
	Journey    *journey;
	TouchRange	range;
	int64	   *shares = NULL;
	int32		model;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
	{
		InitMaterializedSRF(fcinfo, 0);
		return (Datum) 0;
	}
	a = PG_GETARG_ATTRIBUTION_P(2);
	model = FindModel(a, MODEL_SHAPLEY_RATE);
	if (model < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("attribution does not have the model \"%s\"", MODEL_SHAPLEY_RATE),
				 errhint("It is in the result of crm.shapley_rate(). Credit by crm.shapley() takes the name \"shapley\" in place of an attribution.")));
	journey = CreditJourney(fcinfo, &range);
	if (range.count > 0)
	{
		/* of each channel's first touch: as for all, and as for its value */
		double	   *alike = palloc_array_huge0(double, range.count);
		double	   *weights = palloc_array_huge0(double, range.count);
		bool	   *seen = palloc_array_huge0(bool, journey->channels);
		double		sum = 0;

		for (int32 i = 0; i < range.count; i++)
		{
			uint32		channel = journey_channel(journey, range.first + i);
			uint32		length;
			const char *name;

			if (seen[channel])
				continue;
			seen[channel] = true;
			name = journey_name(journey, channel, &length);
			alike[i] = 1;
			weights[i] = ChannelWeight(a, model, name, length);
			sum += weights[i];
		}
		shares = palloc_array_huge(int64, range.count);
		credit_by_weight(sum > 0 ? weights : alike, range.count, shares);
	}
	CreditRows(fcinfo, journey, range, shares);
	return (Datum) 0;
}
