/* attribution: which channel won the order, by rules */

CREATE TYPE crm.attribution;

CREATE FUNCTION crm.attribution_in(cstring) RETURNS crm.attribution
AS 'MODULE_PATHNAME', 'crm_attribution_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_in(cstring) IS 'I/O';

CREATE FUNCTION crm.attribution_out(crm.attribution) RETURNS cstring
AS 'MODULE_PATHNAME', 'crm_attribution_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_out(crm.attribution) IS 'I/O';

CREATE FUNCTION crm.attribution_recv(internal) RETURNS crm.attribution
AS 'MODULE_PATHNAME', 'crm_attribution_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_recv(internal) IS 'I/O';

CREATE FUNCTION crm.attribution_send(crm.attribution) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_attribution_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_send(crm.attribution) IS 'I/O';

CREATE TYPE crm.attribution (
	INPUT = crm.attribution_in,
	OUTPUT = crm.attribution_out,
	RECEIVE = crm.attribution_recv,
	SEND = crm.attribution_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = double,
	STORAGE = extended
);
COMMENT ON TYPE crm.attribution IS 'conversions and value by channel and model, exact; mergeable';

/* One order: who gets how much of it. */

CREATE FUNCTION crm.credit(journey crm.journey, converted_at timestamptz, model text, lookback interval DEFAULT '30 days',
	half_life interval DEFAULT '7 days', position_weights double precision[] DEFAULT '{0.4,0.2,0.4}') RETURNS TABLE (channel text, credit double precision)
AS 'MODULE_PATHNAME', 'crm_credit' LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 5;
COMMENT ON FUNCTION crm.credit(crm.journey, timestamptz, text, interval, interval, double precision[]) IS 'how a rule shares an order among the channels: first, last, last_non_direct, linear, position, time_decay, shapley; sums to 1';

CREATE FUNCTION crm.credit(journey crm.journey, converted_at timestamp, model text, lookback interval DEFAULT '30 days',
	half_life interval DEFAULT '7 days', position_weights double precision[] DEFAULT '{0.4,0.2,0.4}') RETURNS TABLE (channel text, credit double precision)
AS 'MODULE_PATHNAME', 'crm_credit' LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 5;
COMMENT ON FUNCTION crm.credit(crm.journey, timestamp, text, interval, interval, double precision[]) IS 'how a rule shares an order among the channels: first, last, last_non_direct, linear, position, time_decay, shapley; sums to 1';

/*
 * Many orders. Left out from the right, the lookback is 30 days, the half-life
 * 7 days and the weights of position are 0.4, 0.2 and 0.4. A timestamp without
 * time zone is read as UTC.
 */

CREATE FUNCTION crm.attribution_merge(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_attribution_merge' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_merge(internal, internal) IS 'aggregate combine function';

CREATE FUNCTION crm.attribution_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_attribution_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_serialize(internal) IS 'aggregate serial function';

CREATE FUNCTION crm.attribution_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_attribution_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_deserialize(bytea, internal) IS 'aggregate deserial function';

CREATE FUNCTION crm.attribution_final(internal) RETURNS crm.attribution
AS 'MODULE_PATHNAME', 'crm_attribution_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_final(internal) IS 'aggregate final function';

CREATE FUNCTION crm.attribution_add(internal, crm.journey, timestamptz, numeric, interval, interval, double precision[]) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_attribution_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_add(internal, crm.journey, timestamptz, numeric, interval, interval, double precision[]) IS 'aggregate transition function';

CREATE AGGREGATE crm.attribution(journey crm.journey, converted_at timestamptz, value numeric, lookback interval, half_life interval, position_weights double precision[]) (
	SFUNC = crm.attribution_add,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = crm.attribution_final,
	COMBINEFUNC = crm.attribution_merge,
	SERIALFUNC = crm.attribution_serialize,
	DESERIALFUNC = crm.attribution_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.attribution(crm.journey, timestamptz, numeric, interval, interval, double precision[]) IS 'orders and their value, shared among the channels by all the rules in one pass';

CREATE FUNCTION crm.attribution_add(internal, crm.journey, timestamptz, numeric, interval, interval) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_attribution_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_add(internal, crm.journey, timestamptz, numeric, interval, interval) IS 'aggregate transition function';

CREATE AGGREGATE crm.attribution(journey crm.journey, converted_at timestamptz, value numeric, lookback interval, half_life interval) (
	SFUNC = crm.attribution_add,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = crm.attribution_final,
	COMBINEFUNC = crm.attribution_merge,
	SERIALFUNC = crm.attribution_serialize,
	DESERIALFUNC = crm.attribution_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.attribution(crm.journey, timestamptz, numeric, interval, interval) IS 'orders and their value, shared among the channels by all the rules in one pass';

CREATE FUNCTION crm.attribution_add(internal, crm.journey, timestamptz, numeric, interval) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_attribution_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_add(internal, crm.journey, timestamptz, numeric, interval) IS 'aggregate transition function';

CREATE AGGREGATE crm.attribution(journey crm.journey, converted_at timestamptz, value numeric, lookback interval) (
	SFUNC = crm.attribution_add,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = crm.attribution_final,
	COMBINEFUNC = crm.attribution_merge,
	SERIALFUNC = crm.attribution_serialize,
	DESERIALFUNC = crm.attribution_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.attribution(crm.journey, timestamptz, numeric, interval) IS 'orders and their value, shared among the channels by all the rules in one pass';

CREATE FUNCTION crm.attribution_add(internal, crm.journey, timestamptz, numeric) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_attribution_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_add(internal, crm.journey, timestamptz, numeric) IS 'aggregate transition function';

CREATE AGGREGATE crm.attribution(journey crm.journey, converted_at timestamptz, value numeric) (
	SFUNC = crm.attribution_add,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = crm.attribution_final,
	COMBINEFUNC = crm.attribution_merge,
	SERIALFUNC = crm.attribution_serialize,
	DESERIALFUNC = crm.attribution_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.attribution(crm.journey, timestamptz, numeric) IS 'orders and their value, shared among the channels by all the rules in one pass';

CREATE FUNCTION crm.attribution_add(internal, crm.journey, timestamp, numeric, interval, interval, double precision[]) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_attribution_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_add(internal, crm.journey, timestamp, numeric, interval, interval, double precision[]) IS 'aggregate transition function';

CREATE AGGREGATE crm.attribution(journey crm.journey, converted_at timestamp, value numeric, lookback interval, half_life interval, position_weights double precision[]) (
	SFUNC = crm.attribution_add,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = crm.attribution_final,
	COMBINEFUNC = crm.attribution_merge,
	SERIALFUNC = crm.attribution_serialize,
	DESERIALFUNC = crm.attribution_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.attribution(crm.journey, timestamp, numeric, interval, interval, double precision[]) IS 'orders and their value, shared among the channels by all the rules in one pass';

CREATE FUNCTION crm.attribution_add(internal, crm.journey, timestamp, numeric, interval, interval) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_attribution_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_add(internal, crm.journey, timestamp, numeric, interval, interval) IS 'aggregate transition function';

CREATE AGGREGATE crm.attribution(journey crm.journey, converted_at timestamp, value numeric, lookback interval, half_life interval) (
	SFUNC = crm.attribution_add,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = crm.attribution_final,
	COMBINEFUNC = crm.attribution_merge,
	SERIALFUNC = crm.attribution_serialize,
	DESERIALFUNC = crm.attribution_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.attribution(crm.journey, timestamp, numeric, interval, interval) IS 'orders and their value, shared among the channels by all the rules in one pass';

CREATE FUNCTION crm.attribution_add(internal, crm.journey, timestamp, numeric, interval) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_attribution_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_add(internal, crm.journey, timestamp, numeric, interval) IS 'aggregate transition function';

CREATE AGGREGATE crm.attribution(journey crm.journey, converted_at timestamp, value numeric, lookback interval) (
	SFUNC = crm.attribution_add,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = crm.attribution_final,
	COMBINEFUNC = crm.attribution_merge,
	SERIALFUNC = crm.attribution_serialize,
	DESERIALFUNC = crm.attribution_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.attribution(crm.journey, timestamp, numeric, interval) IS 'orders and their value, shared among the channels by all the rules in one pass';

CREATE FUNCTION crm.attribution_add(internal, crm.journey, timestamp, numeric) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_attribution_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_add(internal, crm.journey, timestamp, numeric) IS 'aggregate transition function';

CREATE AGGREGATE crm.attribution(journey crm.journey, converted_at timestamp, value numeric) (
	SFUNC = crm.attribution_add,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = crm.attribution_final,
	COMBINEFUNC = crm.attribution_merge,
	SERIALFUNC = crm.attribution_serialize,
	DESERIALFUNC = crm.attribution_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.attribution(crm.journey, timestamp, numeric) IS 'orders and their value, shared among the channels by all the rules in one pass';

CREATE FUNCTION crm.attribution_add(internal, crm.attribution) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_attribution_add_attribution' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_add(internal, crm.attribution) IS 'aggregate transition function';

CREATE AGGREGATE crm.rollup(crm.attribution) (
	SFUNC = crm.attribution_add,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = crm.attribution_final,
	COMBINEFUNC = crm.attribution_merge,
	SERIALFUNC = crm.attribution_serialize,
	DESERIALFUNC = crm.attribution_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.rollup(crm.attribution) IS 'the sum of several attributions, the models of all of them side by side';

/*
 * From raw rows, the touches and orders of all customers in one list: a row
 * with a value is an order, one without is a touch. Faster than a journey for
 * each customer, and it takes 24 bytes of memory a row, up to twice that while
 * the list grows.
 */

CREATE FUNCTION crm.attribution_event(internal, bigint, text, timestamptz, numeric, interval, interval) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_attribution_event' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_event(internal, bigint, text, timestamptz, numeric, interval, interval) IS 'aggregate transition function';

CREATE FUNCTION crm.attribution_event(internal, bigint, text, timestamp, numeric, interval, interval) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_attribution_event' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_event(internal, bigint, text, timestamp, numeric, interval, interval) IS 'aggregate transition function';

CREATE FUNCTION crm.attribution_events_merge(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_attribution_events_merge' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_events_merge(internal, internal) IS 'aggregate combine function';

CREATE FUNCTION crm.attribution_events_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_attribution_events_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_events_serialize(internal) IS 'aggregate serial function';

CREATE FUNCTION crm.attribution_events_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_attribution_events_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_events_deserialize(bytea, internal) IS 'aggregate deserial function';

CREATE FUNCTION crm.attribution_events_final(internal) RETURNS crm.attribution
AS 'MODULE_PATHNAME', 'crm_attribution_events_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_events_final(internal) IS 'aggregate final function';

CREATE AGGREGATE crm.attribution(customer bigint, channel text, happened_at timestamptz, value numeric, lookback interval, half_life interval) (
	SFUNC = crm.attribution_event,
	STYPE = internal,
	SSPACE = 1024,
	FINALFUNC = crm.attribution_events_final,
	COMBINEFUNC = crm.attribution_events_merge,
	SERIALFUNC = crm.attribution_events_serialize,
	DESERIALFUNC = crm.attribution_events_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.attribution(bigint, text, timestamptz, numeric, interval, interval) IS 'touches (rows without a value) and orders (rows with one) of all customers, shared among the channels by all the rules in one pass';

CREATE AGGREGATE crm.attribution(customer bigint, channel text, happened_at timestamp, value numeric, lookback interval, half_life interval) (
	SFUNC = crm.attribution_event,
	STYPE = internal,
	SSPACE = 1024,
	FINALFUNC = crm.attribution_events_final,
	COMBINEFUNC = crm.attribution_events_merge,
	SERIALFUNC = crm.attribution_events_serialize,
	DESERIALFUNC = crm.attribution_events_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.attribution(bigint, text, timestamp, numeric, interval, interval) IS 'touches (rows without a value) and orders (rows with one) of all customers, shared among the channels by all the rules in one pass';

CREATE FUNCTION crm.attribution_event(internal, text, text, timestamptz, numeric, interval, interval) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_attribution_event_text' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_event(internal, text, text, timestamptz, numeric, interval, interval) IS 'aggregate transition function';

CREATE FUNCTION crm.attribution_event(internal, text, text, timestamp, numeric, interval, interval) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_attribution_event_text' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.attribution_event(internal, text, text, timestamp, numeric, interval, interval) IS 'aggregate transition function';

CREATE AGGREGATE crm.attribution(customer text, channel text, happened_at timestamptz, value numeric, lookback interval, half_life interval) (
	SFUNC = crm.attribution_event,
	STYPE = internal,
	SSPACE = 1024,
	FINALFUNC = crm.attribution_events_final,
	COMBINEFUNC = crm.attribution_events_merge,
	SERIALFUNC = crm.attribution_events_serialize,
	DESERIALFUNC = crm.attribution_events_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.attribution(text, text, timestamptz, numeric, interval, interval) IS 'touches (rows without a value) and orders (rows with one) of all customers, shared among the channels by all the rules in one pass';

CREATE AGGREGATE crm.attribution(customer text, channel text, happened_at timestamp, value numeric, lookback interval, half_life interval) (
	SFUNC = crm.attribution_event,
	STYPE = internal,
	SSPACE = 1024,
	FINALFUNC = crm.attribution_events_final,
	COMBINEFUNC = crm.attribution_events_merge,
	SERIALFUNC = crm.attribution_events_serialize,
	DESERIALFUNC = crm.attribution_events_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.attribution(text, text, timestamp, numeric, interval, interval) IS 'touches (rows without a value) and orders (rows with one) of all customers, shared among the channels by all the rules in one pass';

/*
 * The same with what else an analysis of channels asks, in the same pass: the
 * orders that were customers' first, the paths, which the models learn from,
 * and the visitors of each channel.
 */

CREATE TYPE crm.path_count AS (path text[], conversions numeric, value numeric, nulls numeric, new_customers numeric);
COMMENT ON TYPE crm.path_count IS 'a path of channels, how many orders it led to, for what, how many times to none, and how many of the orders were a customer''s first';

CREATE TYPE crm.channel_visitors AS (channel text, visitors bigint, converted bigint);
COMMENT ON TYPE crm.channel_visitors IS 'how many came by a channel, and how many of them ordered after that';

CREATE TYPE crm.channel_analysis AS (orders crm.attribution, new_customers crm.attribution, paths crm.path_count[], visits crm.channel_visitors[]);
COMMENT ON TYPE crm.channel_analysis IS 'what the rules give for all orders and for those that were a customer''s first, the paths, and the visitors of each channel';

CREATE FUNCTION crm.channel_analysis_event(internal, bigint, text, text, timestamptz, numeric, boolean, interval, interval, timestamptz, timestamptz) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_channel_analysis_event' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.channel_analysis_event(internal, bigint, text, text, timestamptz, numeric, boolean, interval, interval, timestamptz, timestamptz) IS 'aggregate transition function';

CREATE FUNCTION crm.channel_analysis_event(internal, bigint, text, text, timestamp, numeric, boolean, interval, interval, timestamp, timestamp) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_channel_analysis_event' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.channel_analysis_event(internal, bigint, text, text, timestamp, numeric, boolean, interval, interval, timestamp, timestamp) IS 'aggregate transition function';

CREATE FUNCTION crm.channel_analysis_final(internal) RETURNS crm.channel_analysis
AS 'MODULE_PATHNAME', 'crm_channel_analysis_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.channel_analysis_final(internal) IS 'aggregate final function';

CREATE AGGREGATE crm.channel_analysis(customer bigint, visitor text, channel text, happened_at timestamptz, value numeric, is_new boolean, lookback interval, half_life interval, as_of timestamptz, visits_from timestamptz) (
	SFUNC = crm.channel_analysis_event,
	STYPE = internal,
	SSPACE = 1024,
	FINALFUNC = crm.channel_analysis_final,
	COMBINEFUNC = crm.attribution_events_merge,
	SERIALFUNC = crm.attribution_events_serialize,
	DESERIALFUNC = crm.attribution_events_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.channel_analysis(bigint, text, text, timestamptz, numeric, boolean, interval, interval, timestamptz, timestamptz) IS 'touches (rows without a value) and orders (rows with one) of customers, and of visitors who are none: credit by all the rules unless half_life is NULL, paths up to as_of unless that is, visitors of each channel unless visits_from is';

CREATE AGGREGATE crm.channel_analysis(customer bigint, visitor text, channel text, happened_at timestamp, value numeric, is_new boolean, lookback interval, half_life interval, as_of timestamp, visits_from timestamp) (
	SFUNC = crm.channel_analysis_event,
	STYPE = internal,
	SSPACE = 1024,
	FINALFUNC = crm.channel_analysis_final,
	COMBINEFUNC = crm.attribution_events_merge,
	SERIALFUNC = crm.attribution_events_serialize,
	DESERIALFUNC = crm.attribution_events_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.channel_analysis(bigint, text, text, timestamp, numeric, boolean, interval, interval, timestamp, timestamp) IS 'touches (rows without a value) and orders (rows with one) of customers, and of visitors who are none: credit by all the rules unless half_life is NULL, paths up to as_of unless that is, visitors of each channel unless visits_from is';

/* What it says. */

CREATE FUNCTION crm.channels(attribution crm.attribution) RETURNS TABLE (channel text, model text, conversions numeric, value numeric)
AS 'MODULE_PATHNAME', 'crm_attribution_channels' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 60;
COMMENT ON FUNCTION crm.channels(crm.attribution) IS 'conversions and value of every channel by every model';
