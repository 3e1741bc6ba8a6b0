/*
 * attribution.c
 *		Which channel won the order, by rules: credit of one order, and the
 *		type crm.attribution with what many orders sum up to.
 */
#include "crm.h"

#include "attribution.h"
#include "crm_amount.h"
#include "crm_attribution.h"
#include "crm_journey.h"
#include "crm_names.h"
#include "crm_text.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include <math.h>

StaticAssertDecl(sizeof(CreditCell) == 32 && offsetof(Attribution, cells) == 16,
				 "the layout of crm.attribution is on disk");
StaticAssertDecl(TEXT_MAX_DECIMALS == AMOUNT_SCALE, "a value is an amount");

PG_FUNCTION_INFO_V1(crm_attribution_in);
PG_FUNCTION_INFO_V1(crm_attribution_out);
PG_FUNCTION_INFO_V1(crm_attribution_recv);
PG_FUNCTION_INFO_V1(crm_attribution_send);
PG_FUNCTION_INFO_V1(crm_attribution_add);
PG_FUNCTION_INFO_V1(crm_attribution_add_attribution);
PG_FUNCTION_INFO_V1(crm_attribution_merge);
PG_FUNCTION_INFO_V1(crm_attribution_serialize);
PG_FUNCTION_INFO_V1(crm_attribution_deserialize);
PG_FUNCTION_INFO_V1(crm_attribution_final);
PG_FUNCTION_INFO_V1(crm_attribution_channels);
PG_FUNCTION_INFO_V1(crm_credit);

#define DEFAULT_LOOKBACK_DAYS	30
#define DEFAULT_HALF_LIFE_DAYS	7

/* Make an empty one, all of whose parts are allocated in that context. */
AttributionState *
AttributionStateNew(MemoryContext context)
{
	AttributionState *state = MemoryContextAllocZero(context, sizeof(AttributionState));

	state->context = context;
	NamesInit(&state->models, context);
	NamesInit(&state->channels, context);
	return state;
}

static void
AttributionCells(AttributionState *state, int32 channels, int32 old_models)
{
	int32		models = state->models.count;
	CreditCell *cells;

	if (channels > (int32) (MaxAllocSize / sizeof(CreditCell) / Max(models, 1)))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many channels")));
	cells = MemoryContextAllocZero(state->context,
								   sizeof(CreditCell) * Max(models, 1) * Max(channels, 1));
	for (int32 i = 0; i < state->room; i++)
		for (int32 j = 0; j < old_models; j++)
			cells[(Size) i * models + j] = state->cells[(Size) i * old_models + j];
	if (state->cells != NULL)
		pfree(state->cells);
	state->cells = cells;
	state->room = channels;
}

/* The number of a model, which is added if it is new. */
int32
AttributionModel(AttributionState *state, const char *name, uint32 length)
{
	int32		models = state->models.count;
	int32		number = NamesIntern(&state->models, name, length);

	if (number == models && state->room > 0)
		AttributionCells(state, state->room, models);
	return number;
}

/* The number of a channel, which is added if it is new. */
int32
AttributionChannel(AttributionState *state, const char *name, uint32 length)
{
	int32		number = NamesIntern(&state->channels, name, length);

	if (number >= state->room)
		AttributionCells(state, Max(state->room * 2, 8), state->models.count);
	return number;
}

static inline void
CheckRange(bool fits)
{
	if (unlikely(!fits))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("sum of attribution out of range"),
				 errdetail("Conversions must stay below 2^63, and value below 922337203685477.5808.")));
}

void
AttributionAdd(AttributionState *state, int32 channel, int32 model,
			   WideSum conversions, WideSum value)
{
	CreditCell *cell = &state->cells[(Size) channel * state->models.count + model];
	bool		fits = wide_add(&cell->conversions, conversions);

	CheckRange(wide_add(&cell->value, value) && fits);
}

WideSum
WideFromUnits(int64 units)
{
	WideSum		sum;

	sum.low = (uint64) units;
	sum.high = units < 0 ? -1 : 0;
	return sum;
}

/* Add what another one has. */
void
AttributionAddValue(AttributionState *state, const Attribution *other)
{
	int32	   *models = palloc(sizeof(int32) * Max(other->models, 1));
	uint32		length;
	const char *name;

	for (int32 i = 0; i < other->models; i++)
	{
		name = attribution_name(other, i, &length);
		models[i] = AttributionModel(state, name, length);
	}
	for (int32 i = 0; i < other->channels; i++)
	{
		int32		channel;

		name = attribution_name(other, other->models + i, &length);
		channel = AttributionChannel(state, name, length);
		for (int32 j = 0; j < other->models; j++)
		{
			const CreditCell *cell = &other->cells[(Size) i * other->models + j];

			AttributionAdd(state, channel, models[j], cell->conversions, cell->value);
		}
	}
	pfree(models);
}

/* The state as a value; the state is left as it is. */
Attribution *
AttributionStateValue(AttributionState *state)
{
	int32		models = state->models.count;
	int32		channels = state->channels.count;
	int32	   *order = palloc_array_huge(int32, channels);
	Size		size = offsetof(Attribution, cells) +
		sizeof(CreditCell) * models * (Size) channels + sizeof(uint32) * (models + (Size) channels);
	Attribution *result;
	uint32	   *ends;
	char	   *text;

	for (int32 i = 0; i < channels; i++)
		order[i] = i;
	NamesSort(&state->channels, order, channels);

	for (int32 i = 0; i < models; i++)
		size += state->models.names[i].length;
	for (int32 i = 0; i < channels; i++)
		size += state->channels.names[i].length;
	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("attribution has too many channels"),
				 errdetail("It takes %zu bytes, and a value has at most %zu.", size, MaxAllocSize)));
	result = palloc0(size);
	SET_VARSIZE(result, size);
	result->version = ATTRIBUTION_VERSION;
	result->models = models;
	result->channels = channels;
	ends = (uint32 *) attribution_ends(result);
	text = (char *) attribution_names(result);
	for (int32 i = 0; i < models + channels; i++)
	{
		const KnownName *name = i < models ? &state->models.names[i] :
			&state->channels.names[order[i - models]];

		name_table_put(ends, text, i, name->text, name->length);
	}
	for (int32 i = 0; i < channels; i++)
		memcpy(&result->cells[(Size) i * models], &state->cells[(Size) order[i] * models],
			   sizeof(CreditCell) * models);
	pfree(order);
	return result;
}

/*
 * What a rule may be told.  A half-life of months counts them as 30 days, as
 * the server does where it needs a length.
 */
void
TermsHalfLife(CreditTerms *terms, const Interval *half_life)
{
	if (INTERVAL_IS_NOEND(half_life))
		terms->half_life = INFINITY;
	else
		terms->half_life = ((double) half_life->month * DAYS_PER_MONTH + half_life->day) *
			USECS_PER_DAY + half_life->time;
	if (INTERVAL_NOT_FINITE(half_life) ? !INTERVAL_IS_NOEND(half_life) : terms->half_life <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("half-life must be greater than zero")));
}

static void
TermsPosition(CreditTerms *terms, ArrayType *weights)
{
	double		sum = 0;
	bool		good = ARR_NDIM(weights) == 1 && ARR_DIMS(weights)[0] == 3 && !ARR_HASNULL(weights);

	if (good)
	{
		memcpy(terms->position, ARR_DATA_PTR(weights), sizeof(terms->position));
		for (int i = 0; i < 3; i++)
		{
			good = good && terms->position[i] >= 0;
			sum += terms->position[i];
		}
	}
	if (!good || !(sum > 0) || isinf(sum))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weights of position must be three numbers, none negative and not all zero"),
				 errdetail("They are those of the first touch, of all between together, and of the last.")));
}

/* What holds unless told. */
void
TermsInit(CreditTerms *terms)
{
	terms->half_life = (double) DEFAULT_HALF_LIFE_DAYS * USECS_PER_DAY;
	terms->position[0] = terms->position[2] = 0.4;
	terms->position[1] = 0.2;
}

void
NotNull(FunctionCallInfo fcinfo, int argument, const char *name)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
}

/* An attribution with all the rules, and no channel yet. */
AttributionState *
RulesState(MemoryContext context)
{
	AttributionState *state = AttributionStateNew(context);

	for (int i = 0; i < RULE_COUNT; i++)
		AttributionModel(state, credit_rule_names[i], strlen(credit_rule_names[i]));
	return state;
}

/* Give a whole order to one channel, by all the rules. */
static void
AddWhole(AttributionState *state, int32 channel, WideSum conversion, WideSum value)
{
	for (int i = 0; i < RULE_COUNT; i++)
		AttributionAdd(state, channel, i, conversion, value);
}

/* Share an order among the touches of a range, by all the rules. */
void
AddOrder(AttributionState *state, const Journey *journey, TouchRange range,
		 const CreditTerms *terms, int64 amount)
{
	bool		counts = amount >= 0;
	WideSum		conversion = WideFromUnits(counts ? CREDIT_ONE : 0);
	WideSum		value = wide_product(amount, CREDIT_ONE);
	int32	   *channels;

	if (range.count == 0)
	{
		AddWhole(state, AttributionChannel(state, CHANNEL_NONE, strlen(CHANNEL_NONE)), conversion, value);
		return;
	}
	if (range.count == 1)
	{
		uint32		length;
		const char *name = journey_name(journey, journey_channel(journey, range.first), &length);

		AddWhole(state, AttributionChannel(state, name, length), conversion, value);
		return;
	}

	if (range.count > state->share_room)
	{
		if (state->shares != NULL)
		{
			pfree(state->shares);
			pfree(state->touch_channels);
		}
		state->share_room = Max(range.count, 16);
		state->shares = MemoryContextAllocHuge(state->context, sizeof(int64) * state->share_room);
		state->touch_channels = MemoryContextAllocHuge(state->context, sizeof(int32) * state->share_room);
	}
	if (journey->channels > state->number_room)
	{
		if (state->numbers != NULL)
		{
			pfree(state->numbers);
			pfree(state->direct);
		}
		state->number_room = Max(journey->channels, 16);
		state->numbers = MemoryContextAllocHuge(state->context, sizeof(int32) * state->number_room);
		state->direct = MemoryContextAllocHuge(state->context, sizeof(bool) * state->number_room);
	}

	/* each touch's channel, with its name looked up once */
	channels = state->touch_channels;
	for (int32 i = 0; i < range.count; i++)
		state->numbers[journey_channel(journey, range.first + i)] = -1;
	for (int32 i = 0; i < range.count; i++)
	{
		uint32		channel = journey_channel(journey, range.first + i);

		if (state->numbers[channel] < 0)
		{
			uint32		length;
			const char *name = journey_name(journey, channel, &length);

			state->numbers[channel] = AttributionChannel(state, name, length);
			state->direct[channel] = credit_is_direct(name, length);
		}
		channels[i] = state->numbers[channel];
	}

	for (int rule = 0; rule < RULE_COUNT; rule++)
	{
		int32		winner = credit_winner((CreditRule) rule, journey, range.first, range.count, state->direct);

		if (winner >= 0)
		{
			AttributionAdd(state, channels[winner], rule, conversion, value);
			continue;
		}
		credit_share((CreditRule) rule, terms, journey, range.first, range.count, state->direct, state->shares);
		for (int32 i = 0; i < range.count; i++)
		{
			int64		share = state->shares[i];

			if (share != 0)
				AttributionAdd(state, channels[i], rule, WideFromUnits(counts ? share : 0),
							   wide_product(amount, share));
		}
	}
}

/*
 * attribution_add(internal, journey, converted_at timestamptz, value numeric
 * [, lookback interval [, half_life interval [, position double precision[]]]])
 * returns internal: one order more.
 *
 * An order without time or value is skipped.  One without a journey, or with no
 * touch that counts, goes to the channel "(none)".  A negative value is a
 * refund: it takes from the channels' value and is not a conversion.
 */
Datum
crm_attribution_add(PG_FUNCTION_ARGS)
{
	MemoryContext context = AggregateContext(fcinfo);
	AttributionState *state = PG_ARGISNULL(0) ? NULL : (AttributionState *) PG_GETARG_POINTER(0);
	CreditTerms terms;
	Interval	lookback = {0, DEFAULT_LOOKBACK_DAYS, 0};
	Journey    *journey = NULL;
	TimestampTz converted_at;
	TouchRange	range = {0, 0};
	int64		amount;
	int			scale;

	/* the journeys of a million customers are in no cache: all lines at once */
	if (!PG_ARGISNULL(1))
		for (int i = 0; i < 384; i += 64)
			__builtin_prefetch((char *) DatumGetPointer(PG_GETARG_DATUM(1)) + i);
	if (PG_ARGISNULL(2) || PG_ARGISNULL(3))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
		state = RulesState(context);
	TermsInit(&terms);
	if (PG_NARGS() > 4)
	{
		NotNull(fcinfo, 4, "lookback");
		lookback = *PG_GETARG_INTERVAL_P(4);
	}
	if (PG_NARGS() > 5)
	{
		NotNull(fcinfo, 5, "half-life");
		TermsHalfLife(&terms, PG_GETARG_INTERVAL_P(5));
	}
	if (PG_NARGS() > 6)
	{
		NotNull(fcinfo, 6, "weights of position");
		TermsPosition(&terms, PG_GETARG_ARRAYTYPE_P(6));
	}

	converted_at = PG_GETARG_TIMESTAMPTZ(2);
	amount = AmountFromNumericDatum(PG_GETARG_DATUM(3), &scale);
	if (!PG_ARGISNULL(1))
	{
		journey = PG_GETARG_JOURNEY_P(1);
		range = JourneyRange(journey, converted_at, &lookback);
	}
	else
		(void) LookbackStart(converted_at, &lookback);
	AddOrder(state, journey, range, &terms, amount);
	PG_RETURN_POINTER(state);
}

/*
 * attribution_add(internal, attribution) returns internal: rollup()'s
 * transition.  The models of all are side by side in the result.
 */
Datum
crm_attribution_add_attribution(PG_FUNCTION_ARGS)
{
	MemoryContext context = AggregateContext(fcinfo);
	AttributionState *state = PG_ARGISNULL(0) ? NULL : (AttributionState *) PG_GETARG_POINTER(0);

	if (state == NULL)
		state = AttributionStateNew(context);
	if (!PG_ARGISNULL(1))
		AttributionAddValue(state, PG_GETARG_ATTRIBUTION_P(1));
	PG_RETURN_POINTER(state);
}

/* attribution_merge(internal, internal) returns internal: the sum of both. */
Datum
crm_attribution_merge(PG_FUNCTION_ARGS)
{
	MemoryContext context = AggregateContext(fcinfo);
	AttributionState *state = PG_ARGISNULL(0) ? NULL : (AttributionState *) PG_GETARG_POINTER(0);

	if (PG_ARGISNULL(1))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
		state = AttributionStateNew(context);
	AttributionAddValue(state, AttributionStateValue((AttributionState *) PG_GETARG_POINTER(1)));
	PG_RETURN_POINTER(state);
}

/* attribution_serialize(internal) returns bytea: the state as a value. */
Datum
crm_attribution_serialize(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(AttributionStateValue((AttributionState *) PG_GETARG_POINTER(0)));
}

/*
 * attribution_deserialize(bytea, internal) returns internal.  What a worker sent may
 * begin at any multiple of 4, and has integers of 8 bytes: hence the copy.
 */
Datum
crm_attribution_deserialize(PG_FUNCTION_ARGS)
{
	AttributionState *state = AttributionStateNew(CurrentMemoryContext);

	(void) AggregateContext(fcinfo);
	AttributionAddValue(state, (Attribution *) PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(0)));
	PG_RETURN_POINTER(state);
}

/*
 * attribution_final(internal) returns attribution: the rules with no channel
 * for no orders.  May run more than once on a state.
 */
Datum
crm_attribution_final(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(AttributionStateValue(PG_ARGISNULL(0) ? RulesState(CurrentMemoryContext) :
											(AttributionState *) PG_GETARG_POINTER(0)));
}

/*
 * Read the text form into the state.  name has room for as many bytes as the
 * text.  Returns NULL, or what is wrong with it.
 */
static const char *
AttributionParse(const char *s, char *name, AttributionState *state)
{
	size_t		length;

	if (!text_take(&s, "{") || !text_take_key(&s, "models", true) || !text_take(&s, "["))
		return "it must begin with {\"models\": [";
	for (int32 i = 0; !text_take(&s, "]"); i++)
	{
		if ((i > 0 && !text_take(&s, ",")) || !name_take(&s, name, &length))
			return "\"models\" must be a list of names";
		if (AttributionModel(state, name, length) != i)
			return "a model is there twice";
	}
	if (!text_take_key(&s, "channels", false) || !text_take(&s, "["))
		return "\"channels\" must follow";
	for (int32 i = 0; !text_take(&s, "]"); i++)
	{
		CHECK_FOR_INTERRUPTS();
		if ((i > 0 && !text_take(&s, ",")) || !text_take(&s, "[") || !name_take(&s, name, &length))
			return "a channel must begin with its name";
		if (AttributionChannel(state, name, length) != i)
			return "a channel is there twice";
		for (int32 j = 0; j < state->models.count; j++)
			if (!cell_take(&s, &state->cells[(Size) i * state->models.count + j]))
				return "a channel must have four whole numbers for each model";
		if (!text_take(&s, "]"))
			return "a channel must have four whole numbers for each model";
	}
	if (!text_take(&s, "}") || *text_skip_space(s) != '\0')
		return "it must end with }";
	return NULL;
}

/* attribution_in(cstring) returns attribution: reads the text form. */
Datum
crm_attribution_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	AttributionState *state = AttributionStateNew(CurrentMemoryContext);
	const char *wrong = AttributionParse(text, palloc(strlen(text) + 1), state);

	if (wrong != NULL)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "crm.attribution", text),
				 errdetail("The value is not one that crm printed: %s.", wrong)));
	PG_RETURN_POINTER(AttributionStateValue(state));
}

/* attribution_out(attribution) returns cstring: exact, independent of settings. */
Datum
crm_attribution_out(PG_FUNCTION_ARGS)
{
	Attribution *a = PG_GETARG_ATTRIBUTION_P(0);
	char	   *text = palloc(attribution_text_size(a));

	attribution_print(a, text);
	PG_RETURN_CSTRING(text);
}

/* attribution_recv(internal) returns attribution: reads the binary form. */
Datum
crm_attribution_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	AttributionState *state = AttributionStateNew(CurrentMemoryContext);
	int			version = pq_getmsgbyte(buffer);
	int32		models = pq_getmsgint(buffer, 4);
	int32		channels = pq_getmsgint(buffer, 4);
	int32		rest = buffer->len - buffer->cursor;
	int			length;
	char	   *name;

	if (version != ATTRIBUTION_VERSION || models < 0 || channels < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid external \"%s\" value", "crm.attribution")));

	/*
	 * A few names of models and channels could ask for any room for their
	 * cells.  Each count alone first, lest the sum overflow.
	 */
	if (models > rest / 4 || channels > rest / 4 ||
		((uint64) models + channels) * 4 + (uint64) models * channels * sizeof(CreditCell) >
		(uint64) rest)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid external \"%s\" value", "crm.attribution"),
				 errdetail("Its length is wrong.")));
	for (int32 i = 0; i < models + channels; i++)
	{
		name = pq_getmsgtext(buffer, pq_getmsgint(buffer, 4), &length);
		if (i < models ? AttributionModel(state, name, length) != i :
			AttributionChannel(state, name, length) != i - models)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					 errmsg("invalid external \"%s\" value", "crm.attribution"),
					 errdetail("A name is there twice.")));
	}
	for (Size i = 0; i < (Size) models * channels; i++)
	{
		CreditCell	cell;
		CreditCell	sum = {{0, 0}, {0, 0}};

		cell.conversions.high = pq_getmsgint64(buffer);
		cell.conversions.low = pq_getmsgint64(buffer);
		cell.value.high = pq_getmsgint64(buffer);
		cell.value.low = pq_getmsgint64(buffer);
		if (!wide_add(&sum.conversions, cell.conversions) || !wide_add(&sum.value, cell.value))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					 errmsg("invalid external \"%s\" value", "crm.attribution"),
					 errdetail("A sum is out of range.")));
		state->cells[i] = cell;
	}
	PG_RETURN_POINTER(AttributionStateValue(state));
}

/*
 * attribution_send(attribution) returns bytea: version, the counts of models
 * and channels, of each its length and name, then the cells.
 */
Datum
crm_attribution_send(PG_FUNCTION_ARGS)
{
	Attribution *a = PG_GETARG_ATTRIBUTION_P(0);
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendbyte(&buffer, a->version);
	pq_sendint32(&buffer, a->models);
	pq_sendint32(&buffer, a->channels);
	for (int32 i = 0; i < a->models + a->channels; i++)
	{
		uint32		length;
		const char *name = attribution_name(a, i, &length);

		crm_sendcountedtext(&buffer, name, length);
	}
	for (Size i = 0; i < (Size) a->models * a->channels; i++)
	{
		pq_sendint64(&buffer, a->cells[i].conversions.high);
		pq_sendint64(&buffer, a->cells[i].conversions.low);
		pq_sendint64(&buffer, a->cells[i].value.high);
		pq_sendint64(&buffer, a->cells[i].value.low);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

/* A number of conversions: whole + fraction / 10^12, without needless zeroes. */
Datum
ConversionsNumeric(int64 whole, int64 fraction)
{
	Datum		sum = NumericGetDatum(int64_to_numeric(whole));

	if (fraction != 0)
		sum = DirectFunctionCall2(numeric_add, sum,
								  NumericGetDatum(int64_div_fast_to_numeric(fraction, 12)));
	return DirectFunctionCall1(numeric_trim_scale, sum);
}

/*
 * channels(attribution) returns setof (channel text, model text, conversions
 * numeric, value numeric): every channel by every model, by model and channel.
 *
 * What is shown is rounded: conversions to 12 decimals, value to 4.  It is the
 * running sums over the channels of a model that are rounded, so that the
 * figures sum exactly to the number of orders, and to the revenue.
 */
Datum
crm_attribution_channels(PG_FUNCTION_ARGS)
{
	Attribution *a = PG_GETARG_ATTRIBUTION_P(0);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext context = CurrentMemoryContext;
	MemoryContext of_row;

	InitMaterializedSRF(fcinfo, 0);
	of_row = AllocSetContextCreate(context, "crm.channels row", ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(of_row);
	for (int32 i = 0; i < a->models; i++)
	{
		uint32		model_length;
		const char *model = attribution_name(a, i, &model_length);
		CreditCell	sum = {{0, 0}, {0, 0}};
		int64		whole = 0;
		int64		fraction = 0;
		int64		value = 0;

		for (int32 j = 0; j < a->channels; j++)
		{
			const CreditCell *cell = &a->cells[(Size) j * a->models + i];
			uint32		length;
			const char *name = attribution_name(a, a->models + j, &length);
			int64		next_whole;
			int64		next_fraction;
			int64		next_value;
			Datum		values[4];
			bool		nulls[4] = {false, false, false, false};

			CHECK_FOR_INTERRUPTS();
			CheckRange(wide_add(&sum.conversions, cell->conversions));
			CheckRange(wide_add(&sum.value, cell->value));
			wide_decimals(sum.conversions, &next_whole, &next_fraction);
			next_value = wide_round(sum.value);
			CheckRange(!pg_sub_s64_overflow(next_whole, whole, &whole) &&
					   !pg_sub_s64_overflow(next_value, value, &value));
			values[0] = PointerGetDatum(cstring_to_text_with_len(name, length));
			values[1] = PointerGetDatum(cstring_to_text_with_len(model, model_length));
			values[2] = ConversionsNumeric(whole, next_fraction - fraction);
			values[3] = NumericGetDatum(AmountToNumeric(value, AMOUNT_SCALE));
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
			MemoryContextReset(of_row);
			whole = next_whole;
			fraction = next_fraction;
			value = next_value;
		}
	}
	MemoryContextSwitchTo(context);
	MemoryContextDelete(of_row);
	return (Datum) 0;
}

/*
 * Arguments 0, 1 and 3 of credit(): a journey, the time of the order and the
 * lookback, of which only the first may be NULL.  Returns the journey, or NULL,
 * and the touches that count, of which there are none if it is NULL.
 */
Journey *
CreditJourney(FunctionCallInfo fcinfo, TouchRange *range)
{
	TimestampTz converted_at = PG_GETARG_TIMESTAMPTZ(1);
	const Interval *lookback = PG_GETARG_INTERVAL_P(3);
	Journey    *journey;

	if (PG_ARGISNULL(0))
	{
		/* a lookback that is wrong is refused */
		(void) LookbackStart(converted_at, lookback);
		range->first = range->count = 0;
		return NULL;
	}
	journey = PG_GETARG_JOURNEY_P(0);
	*range = JourneyRange(journey, converted_at, lookback);
	return journey;
}

/*
 * Return the credit of one order, one row for each channel that has some, in
 * the order of their first touches; the shares are those of the range.
 */
void
CreditRows(FunctionCallInfo fcinfo, const Journey *journey, TouchRange range,
		   const int64 *shares)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[2];
	bool		nulls[2] = {false, false};
	int64	   *sums;

	InitMaterializedSRF(fcinfo, 0);
	if (range.count == 0)
	{
		values[0] = CStringGetTextDatum(CHANNEL_NONE);
		values[1] = Float8GetDatum(1);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		return;
	}
	sums = palloc_array_huge0(int64, journey->channels);
	for (int32 i = 0; i < range.count; i++)
		sums[journey_channel(journey, range.first + i)] += shares[i];
	for (int32 i = 0; i < range.count; i++)
	{
		uint32		channel = journey_channel(journey, range.first + i);
		uint32		length;
		const char *name;

		CHECK_FOR_INTERRUPTS();
		if (sums[channel] == 0)
			continue;
		name = journey_name(journey, channel, &length);
		values[0] = PointerGetDatum(cstring_to_text_with_len(name, length));
		values[1] = Float8GetDatum((double) sums[channel] / CREDIT_ONE);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		pfree(DatumGetPointer(values[0]));
		sums[channel] = 0;
	}
	pfree(sums);
}

/* The shares of Shapley's unique-channel game: alike for each distinct channel. */
static void
ShareByChannel(const Journey *journey, TouchRange range, int64 *shares)
{
	double	   *weights = palloc_array_huge(double, range.count);
	bool	   *seen = palloc_array_huge0(bool, journey->channels);

	for (int32 i = 0; i < range.count; i++)
	{
		uint32		channel = journey_channel(journey, range.first + i);

		weights[i] = seen[channel] ? 0 : 1;
		seen[channel] = true;
	}
	credit_by_weight(weights, range.count, shares);
	pfree(weights);
	pfree(seen);
}

/*
 * credit(journey, converted_at timestamptz, model text, lookback interval,
 * half_life interval, position double precision[]) returns setof (channel text,
 * credit double precision): how a rule shares one order; sums to exactly 1.
 *
 * A NULL journey is one without touches; any other NULL gives no row.
 */
Datum
crm_credit(PG_FUNCTION_ARGS)
{
	CreditTerms terms;
	Journey    *journey;
	TouchRange	range;
	text	   *model;
	int64	   *shares = NULL;
	int			rule;

	for (int i = 1; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i))
		{
			InitMaterializedSRF(fcinfo, 0);
			return (Datum) 0;
		}
	model = PG_GETARG_TEXT_PP(2);
	TermsHalfLife(&terms, PG_GETARG_INTERVAL_P(4));
	TermsPosition(&terms, PG_GETARG_ARRAYTYPE_P(5));
	for (rule = 0; rule < RULE_COUNT; rule++)
		if (VARSIZE_ANY_EXHDR(model) == strlen(credit_rule_names[rule]) &&
			memcmp(VARDATA_ANY(model), credit_rule_names[rule], VARSIZE_ANY_EXHDR(model)) == 0)
			break;
	if (rule == RULE_COUNT &&
		(VARSIZE_ANY_EXHDR(model) != strlen("shapley") ||
		 memcmp(VARDATA_ANY(model), "shapley", strlen("shapley")) != 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown attribution model \"%s\"", text_to_cstring(model)),
				 errhint("It is one of \"first\", \"last\", \"last_non_direct\", \"linear\", \"position\", \"time_decay\" and \"shapley\".")));

	journey = CreditJourney(fcinfo, &range);
	if (range.count > 0)
	{
		shares = palloc_array_huge(int64, range.count);
		if (rule == RULE_COUNT)
			ShareByChannel(journey, range, shares);
		else
		{
			bool	   *direct = palloc_array_huge(bool, journey->channels);

			for (int32 i = 0; i < journey->channels; i++)
			{
				uint32		length;
				const char *name = journey_name(journey, i, &length);

				direct[i] = credit_is_direct(name, length);
			}
			credit_share((CreditRule) rule, &terms, journey, range.first, range.count, direct, shares);
			pfree(direct);
		}
	}
	CreditRows(fcinfo, journey, range, shares);
	return (Datum) 0;
}
