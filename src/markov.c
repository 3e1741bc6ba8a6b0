/*
 * markov.c
 *		The type crm.markov_model: which channel won the orders, by a Markov
 *		chain of the paths to them.
 */
#include "crm.h"

#include "crm_amount.h"
#include "crm_attribution.h"
#include "crm_journey.h"
#include "crm_markov.h"

#include <math.h>

#include "funcapi.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

StaticAssertDecl(sizeof(MarkovNode) == 48 && offsetof(MarkovModel, node) == 72,
				 "the layout of crm.markov_model is on disk");
StaticAssertDecl(MARKOV_UNIT == PATH_UNIT, "a model counts paths");

#define DatumGetMarkovModelP(X)		((MarkovModel *) PG_DETOAST_DATUM(X))
#define PG_GETARG_MARKOV_MODEL_P(n) DatumGetMarkovModelP(PG_GETARG_DATUM(n))

PG_FUNCTION_INFO_V1(crm_markov_model_in);
PG_FUNCTION_INFO_V1(crm_markov_model_out);
PG_FUNCTION_INFO_V1(crm_markov_model_recv);
PG_FUNCTION_INFO_V1(crm_markov_model_send);
PG_FUNCTION_INFO_V1(crm_markov_add);
PG_FUNCTION_INFO_V1(crm_markov_add_model);
PG_FUNCTION_INFO_V1(crm_markov_merge);
PG_FUNCTION_INFO_V1(crm_markov_serialize);
PG_FUNCTION_INFO_V1(crm_markov_deserialize);
PG_FUNCTION_INFO_V1(crm_markov_final);
PG_FUNCTION_INFO_V1(crm_markov_channels);
PG_FUNCTION_INFO_V1(crm_transitions);
PG_FUNCTION_INFO_V1(crm_markov_log_likelihood);
PG_FUNCTION_INFO_V1(crm_markov_credit);

/*
 * markov_add(internal, path text[], conversions numeric, value numeric, nulls
 * numeric, markov_order integer) returns internal: so many customers went that
 * path, and so many of them ordered for that value.
 */
Datum
crm_markov_add(PG_FUNCTION_ARGS)
{
	MemoryContext context = AggregateContext(fcinfo);
	MarkovState *state = PG_ARGISNULL(0) ? NULL : (MarkovState *) PG_GETARG_POINTER(0);

	if (PG_ARGISNULL(5))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("markov_order must not be null")));
	if (state == NULL)
		state = MarkovStateNew(context, PG_GETARG_INT32(5));
	else if (state->order != PG_GETARG_INT32(5))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("markov_order must be the same for all paths of a group")));
	PathRowGet(fcinfo, 1, context, &state->row);
	MarkovAddPath(state, &state->row);
	PG_RETURN_POINTER(state);
}

/* markov_add(internal, markov_model) returns internal: rollup()'s transition. */
Datum
crm_markov_add_model(PG_FUNCTION_ARGS)
{
	MemoryContext context = AggregateContext(fcinfo);
	MarkovState *state = PG_ARGISNULL(0) ? NULL : (MarkovState *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		MarkovModel *model = PG_GETARG_MARKOV_MODEL_P(1);

		if (state == NULL)
			state = MarkovStateNew(context, model->order);
		MarkovAddModel(state, model);
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

/* markov_merge(internal, internal) returns internal: the paths of both. */
Datum
crm_markov_merge(PG_FUNCTION_ARGS)
{
	MemoryContext context = AggregateContext(fcinfo);
	MarkovState *state = PG_ARGISNULL(0) ? NULL : (MarkovState *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		MarkovState *other = (MarkovState *) PG_GETARG_POINTER(1);

		if (state == NULL)
			state = MarkovStateNew(context, other->order);
		MarkovAddModel(state, MarkovStateValue(other));
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

/* markov_serialize(internal) returns bytea: the state as a value, unsolved. */
Datum
crm_markov_serialize(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(MarkovStateValue((MarkovState *) PG_GETARG_POINTER(0)));
}

/*
 * markov_deserialize(bytea, internal) returns internal.  What a worker sent may
 * begin at any multiple of 4, and has integers of 8 bytes: hence the copy.
 */
Datum
crm_markov_deserialize(PG_FUNCTION_ARGS)
{
	MarkovModel *model = (MarkovModel *) PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(0));
	MarkovState *state = MarkovStateNew(CurrentMemoryContext, model->order);

	(void) AggregateContext(fcinfo);
	MarkovAddModel(state, model);
	PG_RETURN_POINTER(state);
}

/*
 * markov_final(internal) returns markov_model: NULL for no rows.  May run more
 * than once on a state.
 */
Datum
crm_markov_final(PG_FUNCTION_ARGS)
{
	MarkovModel *model;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	model = MarkovStateValue((MarkovState *) PG_GETARG_POINTER(0));
	MarkovSolve(model);
	PG_RETURN_POINTER(model);
}

/* markov_model_in(cstring) returns markov_model: reads the text form. */
Datum
crm_markov_model_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	MarkovState *state;
	const char *wrong = MarkovParse(text, &state);

	if (wrong != NULL)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "crm.markov_model", text),
				 errdetail("The value is not one that crm printed: %s.", wrong)));
	PG_RETURN_POINTER(MarkovStateValue(state));
}

/* markov_model_out(markov_model) returns cstring: exact, independent of settings. */
Datum
crm_markov_model_out(PG_FUNCTION_ARGS)
{
	StringInfoData text;

	initStringInfo(&text);
	MarkovPrint(PG_GETARG_MARKOV_MODEL_P(0), &text);
	PG_RETURN_CSTRING(text.data);
}

/* markov_model_recv(internal) returns markov_model: reads the binary form. */
Datum
crm_markov_model_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgbyte(buffer);
	int			length;
	char	   *text = pq_getmsgtext(buffer, buffer->len - buffer->cursor, &length);
	MarkovState *state;
	const char *wrong = version == MARKOV_VERSION ? MarkovParse(text, &state) :
		"its version is unknown";

	if (wrong != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid external \"%s\" value", "crm.markov_model"),
				 errdetail("The value is not one that crm sent: %s.", wrong)));
	PG_RETURN_POINTER(MarkovStateValue(state));
}

/* markov_model_send(markov_model) returns bytea: version, then the text form. */
Datum
crm_markov_model_send(PG_FUNCTION_ARGS)
{
	StringInfoData text;
	StringInfoData buffer;

	initStringInfo(&text);
	MarkovPrint(PG_GETARG_MARKOV_MODEL_P(0), &text);
	pq_begintypsend(&buffer);
	pq_sendbyte(&buffer, MARKOV_VERSION);
	pq_sendtext(&buffer, text.data, text.len);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

/* What a channel and those before it have of a total. */
typedef struct Until
{
	int64		whole;			/* conversions */
	int64		fraction;		/* in 10^-12 */
	int64		value;
} Until;

/* So much of a total as effects, of which all together are sum, are of that. */
static WideSum
InProportion(int64 total, double effects, double sum)
{
	/* the last channel with an effect has exactly the rest, rounding or not */
	return wide_product(total, effects < sum ? (int64) rint(effects / sum * CREDIT_ONE) : CREDIT_ONE);
}

static void
ChannelRow(ReturnSetInfo *rsinfo, const char *name, uint32 length, double removal,
		   const Until *from, const Until *to)
{
	Datum		values[4];
	bool		nulls[4] = {false, false, false, false};

	values[0] = PointerGetDatum(cstring_to_text_with_len(name, length));
	values[1] = Float8GetDatum(removal);
	values[2] = ConversionsNumeric(to->whole - from->whole, to->fraction - from->fraction);
	values[3] = NumericGetDatum(AmountToNumeric(to->value - from->value, AMOUNT_SCALE));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * channels(markov_model) returns setof (channel text, removal_effect double
 * precision, conversions numeric, value numeric)
 *
 * Conversions and value are shared in proportion to the removal effects on
 * each; paths without a touch keep theirs, as the channel "(none)", which is one
 * with a channel that is called so.  As in the other channels(), running sums are
 * rounded, so that the figures sum exactly.
 */
Datum
crm_markov_channels(PG_FUNCTION_ARGS)
{
	MarkovModel *model = PG_GETARG_MARKOV_MODEL_P(0);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const double *removal = markov_removal(model);
	const double *value_removal = markov_value_removal(model);
	const MarkovEnd *without = &model->none;
	Until		none = {without->conversions / MARKOV_UNIT,
	without->conversions % MARKOV_UNIT * 1000, without->value};
	Until		nothing = {0, 0, 0};
	Until		before = nothing;
	int32		number = markov_find_channel(model, CHANNEL_NONE, strlen(CHANNEL_NONE));
	double		none_removal = model->total.conversions == 0 ? 0 :
		(double) without->conversions / (double) model->total.conversions;
	double		sum = 0;
	double		value_sum = 0;
	double		effects = 0;
	double		value_effects = 0;
	MemoryContext context = CurrentMemoryContext;
	MemoryContext of_row;

	InitMaterializedSRF(fcinfo, 0);
	of_row = AllocSetContextCreate(context, "crm.channels row", ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(of_row);
	for (int32 i = 0; i < model->channels; i++)
	{
		sum += removal[i];
		value_sum += value_removal[i];
	}
	for (int32 i = 0; i < model->channels; i++)
	{
		uint32		length;
		const char *name = markov_name(model, i, &length);
		int64		units;
		int64		rest;
		Until		until;
		Until		from = before;

		CHECK_FOR_INTERRUPTS();
		effects += removal[i];
		value_effects += value_removal[i];
		wide_decimals(InProportion(model->total.conversions - without->conversions, effects, sum),
					  &units, &rest);
		until.whole = units / MARKOV_UNIT;
		until.fraction = units % MARKOV_UNIT * 1000 + (rest + MARKOV_UNIT / 2) / MARKOV_UNIT;
		until.value = wide_round(InProportion(model->total.value - without->value, value_effects, value_sum));
		if (i == number)
		{
			from.whole -= none.whole;
			from.fraction -= none.fraction;
			from.value -= none.value;
		}
		ChannelRow(rsinfo, name, length, i == number ? Min(removal[i] + none_removal, 1) : removal[i],
				   &from, &until);
		MemoryContextReset(of_row);
		before = until;
	}
	if (number < 0 && (without->conversions > 0 || without->nulls > 0))
		ChannelRow(rsinfo, CHANNEL_NONE, strlen(CHANNEL_NONE), none_removal, &nothing, &none);
	MemoryContextSwitchTo(context);
	MemoryContextDelete(of_row);
	return (Datum) 0;
}

#define STATE_START			"(start)"
#define STATE_CONVERSION	"(conversion)"
#define STATE_NULL			"(null)"
#define STATE_SEPARATOR		" > "

/*
 * Write the name of a state: its channels in the order of time.  One that could
 * be taken for something else is put in quotes.
 */
static void
StateName(const MarkovModel *model, int32 state, StringInfo text)
{
	const uint32 *window = markov_windows(model) + (Size) state * model->order;

	resetStringInfo(text);
	for (int i = 0; i < model->order && window[i] != MARKOV_NO_CHANNEL; i++)
	{
		uint32		length;
		const char *name = markov_name(model, window[i], &length);
		char	   *copy = pnstrdup(name, length);

		if (i > 0)
			appendStringInfoString(text, STATE_SEPARATOR);
		if (length == 0 || copy[0] == '"' || strchr(copy, '>') != NULL ||
			strcmp(copy, STATE_START) == 0 || strcmp(copy, STATE_CONVERSION) == 0 ||
			strcmp(copy, STATE_NULL) == 0)
		{
			enlargeStringInfo(text, name_text_size(name, length));
			text->len = name_put(text->data + text->len, name, length) - text->data;
		}
		else
			appendBinaryStringInfo(text, name, length);
		pfree(copy);
	}
}

static void
TransitionRow(FunctionCallInfo fcinfo, Datum from, Datum to, int64 count, int64 visits)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[3] = {from, to, Float8GetDatum((double) count / (double) visits)};
	bool		nulls[3] = {false, false, false};

	if (count > 0)
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* A transition to a state. */
static void
StateRow(FunctionCallInfo fcinfo, const MarkovModel *model, Datum from, int32 state,
		 int64 count, int64 visits, StringInfo text)
{
	Datum		to;

	/* there may be millions: each leaves nothing behind */
	CHECK_FOR_INTERRUPTS();
	StateName(model, state, text);
	to = PointerGetDatum(cstring_to_text_with_len(text->data, text->len));
	TransitionRow(fcinfo, from, to, count, visits);
	pfree(DatumGetPointer(to));
}

/*
 * transitions(markov_model) returns setof (from_state text, to_state text,
 * probability double precision): those that were seen; from each state they sum
 * to 1.
 */
Datum
crm_transitions(PG_FUNCTION_ARGS)
{
	MarkovModel *model = PG_GETARG_MARKOV_MODEL_P(0);
	Datum		start = CStringGetTextDatum(STATE_START);
	Datum		conversion = CStringGetTextDatum(STATE_CONVERSION);
	Datum		null = CStringGetTextDatum(STATE_NULL);
	int64		paths = model->total.conversions + model->total.nulls;
	StringInfoData text;

	InitMaterializedSRF(fcinfo, 0);
	initStringInfo(&text);
	for (int32 i = 0; i < model->states; i++)
		if (model->node[i].starts > 0)
			StateRow(fcinfo, model, start, i, model->node[i].starts, paths, &text);
	TransitionRow(fcinfo, start, conversion, model->none.conversions, paths);
	TransitionRow(fcinfo, start, null, model->none.nulls, paths);
	for (int32 i = 0; i < model->states; i++)
	{
		const MarkovNode *node = &model->node[i];
		Datum		from;

		StateName(model, i, &text);
		from = PointerGetDatum(cstring_to_text_with_len(text.data, text.len));
		for (int64 e = node[0].first_edge; e < node[1].first_edge; e++)
			StateRow(fcinfo, model, from, markov_to(model)[e], markov_counts(model)[e],
					 node->visits, &text);
		TransitionRow(fcinfo, from, conversion, node->end.conversions, node->visits);
		TransitionRow(fcinfo, from, null, node->end.nulls, node->visits);
		pfree(DatumGetPointer(from));
	}
	pfree(text.data);
	return (Datum) 0;
}

/* What fn_extra points to. */
typedef struct ModelCache
{
	MemoryContext context;		/* of what follows, reset before another is unpacked */
	Size		size;
	struct varlena *stored;		/* as it lies in a row, or a pointer to where it does */
	MarkovModel *model;
} ModelCache;

/*
 * The model of an argument.  A table's may be of megabytes, compressed and out of
 * line, and is the same for many paths or orders: it is unpacked once.
 */
static MarkovModel *
CachedModel(FunctionCallInfo fcinfo, int argument)
{
	struct varlena *stored = (struct varlena *) PG_GETARG_POINTER(argument);
	ModelCache *cache = fcinfo->flinfo->fn_extra;
	Size		size = VARSIZE_ANY(stored);
	MemoryContext old;

	if (!VARATT_IS_COMPRESSED(stored) && !VARATT_IS_EXTERNAL_ONDISK(stored))
		return PG_GETARG_MARKOV_MODEL_P(argument);
	if (cache != NULL && cache->size == size && memcmp(cache->stored, stored, size) == 0)
		return cache->model;
	if (cache == NULL)
	{
		cache = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(ModelCache));
		cache->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "crm.markov_model of a table",
											   ALLOCSET_DEFAULT_SIZES);
		fcinfo->flinfo->fn_extra = cache;
	}
	cache->size = 0;
	MemoryContextReset(cache->context);
	old = MemoryContextSwitchTo(cache->context);
	cache->stored = palloc(size);
	memcpy(cache->stored, stored, size);
	cache->model = PG_GETARG_MARKOV_MODEL_P(argument);
	cache->size = size;
	MemoryContextSwitchTo(old);
	return cache->model;
}

/*
 * The logarithm of the probability of one of `choices` that was seen `count`
 * times out of `visits`, if before anything was seen all choices were alike and
 * that counted as much as one visit.
 */
static double
LogChance(int64 count, int64 visits, double choices)
{
	return log(((double) count / MARKOV_UNIT + 1 / choices) / ((double) visits / MARKOV_UNIT + 1));
}

/*
 * log_likelihood(markov_model, path text[], conversions numeric, nulls numeric)
 * returns double precision: of so many paths, given the model.
 *
 * A path of other data may have a transition that the model has not seen: it
 * gets a share of one visit (a Dirichlet prior of weight 1 on all that could
 * follow: any channel of the model or one that is not in it, a conversion, a
 * null).  NULL elements of the path are left out.
 */
Datum
crm_markov_log_likelihood(PG_FUNCTION_ARGS)
{
	MarkovModel *model = CachedModel(fcinfo, 0);
	PathChannel *channels = NULL;
	int			room = 0;
	int			touches = PathChannels(PG_GETARG_VARLENA_PP(1), &channels, &room, CurrentMemoryContext);
	double		conversions = DatumGetFloat8(DirectFunctionCall1(numeric_float8, PG_GETARG_DATUM(2)));
	double		nulls = DatumGetFloat8(DirectFunctionCall1(numeric_float8, PG_GETARG_DATUM(3)));
	int			order = model->order;
	int64		paths = model->total.conversions + model->total.nulls;
	const MarkovEnd *end = &model->none;
	int64		visits = paths;
	double		ends = order + 2;
	double		sum = 0;
	uint32	   *numbers;
	uint32	   *last = NULL;

	if (!(conversions >= 0) || !(nulls >= 0))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("number of paths must not be negative")));

	/* a channel that the model does not know has a number that no state has */
	numbers = palloc_array_huge(uint32, touches + order);
	for (int i = 0; i < touches + order; i++)
	{
		int32		number = i < touches ?
			markov_find_channel(model, channels[i].text, channels[i].length) : -1;

		numbers[i] = i >= touches ? MARKOV_NO_CHANNEL : number < 0 ? MARKOV_NO_CHANNEL - 1 : (uint32) number;
	}
	for (int i = 0; touches > 0 && i < Max(touches - order, 0) + 1; i++)
	{
		uint32	   *window = numbers + i;
		int32		state;
		int64		count = 0;

		if (last != NULL && memcmp(last, window, sizeof(uint32) * order) == 0)
			continue;
		state = markov_find_state(model, window);
		if (last == NULL)
		{
			if (state >= 0)
				count = model->node[state].starts;
			/* any number of touches up to the order, of any channels; or none */
			sum += LogChance(count, paths, (order + 2) * pow(model->channels + 1, Min(touches, order)));
		}
		else
		{
			int32		from = markov_find_state(model, last);

			if (from >= 0 && state >= 0)
				count = markov_transitions(model, from, state);
			sum += LogChance(count, from >= 0 ? model->node[from].visits : 0, model->channels + 3);
		}
		last = window;
	}
	if (last != NULL)
	{
		static const MarkovEnd nothing = {0, 0, 0};
		int32		state = markov_find_state(model, last);

		end = state >= 0 ? &model->node[state].end : &nothing;
		visits = state >= 0 ? model->node[state].visits : 0;
		/* after a path shorter than the order nothing else can follow */
		ends = touches < order ? 2 : model->channels + 3;
	}
	/* 0 times something finite: none of a kind says nothing of it */
	PG_RETURN_FLOAT8((conversions > 0 ? conversions * (sum + LogChance(end->conversions, visits, ends)) : 0) +
					 (nulls > 0 ? nulls * (sum + LogChance(end->nulls, visits, ends)) : 0));
}

/*
 * credit(journey, converted_at timestamptz, markov_model, lookback interval)
 * returns setof (channel text, credit double precision): each touch's share of
 * the removal effects within its path; sums to exactly 1.
 *
 * Where all of them are 0, because the model has none of the channels in a path
 * to an order, the touches share alike.
 */
Datum
crm_markov_credit(PG_FUNCTION_ARGS)
{
	MarkovModel *model;
	Journey    *journey;
	TouchRange	range;
	int64	   *shares = NULL;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
	{
		InitMaterializedSRF(fcinfo, 0);
		return (Datum) 0;
	}
	model = CachedModel(fcinfo, 2);
	journey = CreditJourney(fcinfo, &range);
	if (range.count > 0)
	{
		double	   *of_channel = palloc_array_huge(double, journey->channels);
		double	   *weights = palloc_array_huge(double, range.count);
		double		sum = 0;

		for (int32 i = 0; i < journey->channels; i++)
		{
			uint32		length;
			const char *name = journey_name(journey, i, &length);
			int32		channel = markov_find_channel(model, name, length);

			of_channel[i] = channel < 0 ? 0 : markov_removal(model)[channel];
		}
		for (int32 i = 0; i < range.count; i++)
		{
			weights[i] = of_channel[journey_channel(journey, range.first + i)];
			sum += weights[i];
		}
		if (sum <= 0)
			for (int32 i = 0; i < range.count; i++)
				weights[i] = 1;
		shares = palloc_array_huge(int64, range.count);
		credit_by_weight(weights, range.count, shares);
	}
	CreditRows(fcinfo, journey, range, shares);
	return (Datum) 0;
}
