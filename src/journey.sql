/* journey: a customer's touches in the order of time */

CREATE TYPE crm.journey;

CREATE FUNCTION crm.journey_in(cstring) RETURNS crm.journey
AS 'MODULE_PATHNAME', 'crm_journey_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.journey_in(cstring) IS 'I/O';

CREATE FUNCTION crm.journey_out(crm.journey) RETURNS cstring
AS 'MODULE_PATHNAME', 'crm_journey_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.journey_out(crm.journey) IS 'I/O';

CREATE FUNCTION crm.journey_recv(internal) RETURNS crm.journey
AS 'MODULE_PATHNAME', 'crm_journey_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.journey_recv(internal) IS 'I/O';

CREATE FUNCTION crm.journey_send(crm.journey) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_journey_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.journey_send(crm.journey) IS 'I/O';

CREATE TYPE crm.journey (
	INPUT = crm.journey_in,
	OUTPUT = crm.journey_out,
	RECEIVE = crm.journey_recv,
	SEND = crm.journey_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = double,
	STORAGE = extended
);
COMMENT ON TYPE crm.journey IS 'a customer''s touches, of any number of channels, in the order of time; mergeable';

/* The aggregates. A timestamp without time zone is read as UTC. */

CREATE FUNCTION crm.journey_merge(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_journey_merge' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.journey_merge(internal, internal) IS 'aggregate combine function';

CREATE FUNCTION crm.journey_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_journey_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.journey_serialize(internal) IS 'aggregate serial function';

CREATE FUNCTION crm.journey_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_journey_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.journey_deserialize(bytea, internal) IS 'aggregate deserial function';

CREATE FUNCTION crm.journey_final(internal) RETURNS crm.journey
AS 'MODULE_PATHNAME', 'crm_journey_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.journey_final(internal) IS 'aggregate final function';

CREATE FUNCTION crm.journey_add(internal, text, timestamptz) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_journey_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.journey_add(internal, text, timestamptz) IS 'aggregate transition function';

CREATE AGGREGATE crm.journey(channel text, touched_at timestamptz) (
	SFUNC = crm.journey_add,
	STYPE = internal,
	SSPACE = 144,
	FINALFUNC = crm.journey_final,
	COMBINEFUNC = crm.journey_merge,
	SERIALFUNC = crm.journey_serialize,
	DESERIALFUNC = crm.journey_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.journey(text, timestamptz) IS 'the touches of a customer; one without channel or time is skipped';

CREATE FUNCTION crm.journey_add(internal, text, timestamp) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_journey_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.journey_add(internal, text, timestamp) IS 'aggregate transition function';

CREATE AGGREGATE crm.journey(channel text, touched_at timestamp) (
	SFUNC = crm.journey_add,
	STYPE = internal,
	SSPACE = 144,
	FINALFUNC = crm.journey_final,
	COMBINEFUNC = crm.journey_merge,
	SERIALFUNC = crm.journey_serialize,
	DESERIALFUNC = crm.journey_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.journey(text, timestamp) IS 'the touches of a customer; one without channel or time is skipped';

CREATE FUNCTION crm.journey_add(internal, crm.journey) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_journey_add_journey' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.journey_add(internal, crm.journey) IS 'aggregate transition function';

CREATE AGGREGATE crm.rollup(crm.journey) (
	SFUNC = crm.journey_add,
	STYPE = internal,
	SSPACE = 144,
	FINALFUNC = crm.journey_final,
	COMBINEFUNC = crm.journey_merge,
	SERIALFUNC = crm.journey_serialize,
	DESERIALFUNC = crm.journey_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.rollup(crm.journey) IS 'the touches of several journeys';

/* What a journey says. */

CREATE FUNCTION crm.touch_count(crm.journey) RETURNS bigint
AS 'MODULE_PATHNAME', 'crm_touch_count' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.touch_count(crm.journey) IS 'number of touches';

CREATE FUNCTION crm.first_touch(crm.journey) RETURNS timestamptz
AS 'MODULE_PATHNAME', 'crm_first_touch' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.first_touch(crm.journey) IS 'time of the first touch; null without one';

CREATE FUNCTION crm.last_touch(crm.journey) RETURNS timestamptz
AS 'MODULE_PATHNAME', 'crm_last_touch' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.last_touch(crm.journey) IS 'time of the last touch; null without one';

CREATE FUNCTION crm.touches(journey crm.journey) RETURNS TABLE (channel text, touched_at timestamptz)
AS 'MODULE_PATHNAME', 'crm_touches' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 10;
COMMENT ON FUNCTION crm.touches(crm.journey) IS 'the touches, one row each, in the order of time';

/* Paths: what led to an order, and what led to none. */

CREATE FUNCTION crm.path(crm.journey) RETURNS text[]
AS 'MODULE_PATHNAME', 'crm_path_of_all' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.path(crm.journey) IS 'the channels of all touches, in the order of time';

CREATE FUNCTION crm.path(journey crm.journey, converted_at timestamptz, lookback interval DEFAULT '30 days') RETURNS text[]
AS 'MODULE_PATHNAME', 'crm_path' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.path(crm.journey, timestamptz, interval) IS 'the channels of the touches that count for an order: not older than the lookback, not after it';

CREATE FUNCTION crm.path(journey crm.journey, converted_at timestamp, lookback interval DEFAULT '30 days') RETURNS text[]
AS 'MODULE_PATHNAME', 'crm_path' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.path(crm.journey, timestamp, interval) IS 'the channels of the touches that count for an order: not older than the lookback, not after it';

CREATE FUNCTION crm.null_path(journey crm.journey, last_order timestamptz, as_of timestamptz, lookback interval DEFAULT '30 days') RETURNS text[]
AS 'MODULE_PATHNAME', 'crm_null_path' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.null_path(crm.journey, timestamptz, timestamptz, interval) IS 'the path since the last order that led to none; null while one could still come of it';

CREATE FUNCTION crm.null_path(journey crm.journey, last_order timestamp, as_of timestamp, lookback interval DEFAULT '30 days') RETURNS text[]
AS 'MODULE_PATHNAME', 'crm_null_path' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.null_path(crm.journey, timestamp, timestamp, interval) IS 'the path since the last order that led to none; null while one could still come of it';

CREATE FUNCTION crm.null_path(journey crm.journey, last_order timestamptz) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
RETURN crm.null_path(journey, last_order, pg_catalog.now());
COMMENT ON FUNCTION crm.null_path(crm.journey, timestamptz) IS 'the path since the last order that led to none, as of now with a lookback of 30 days';

CREATE FUNCTION crm.journey_window(journey crm.journey, converted_at timestamptz, lookback interval DEFAULT '30 days',
	previous_order timestamptz DEFAULT NULL, exclude text[] DEFAULT NULL, fold text DEFAULT 'none', max_touches integer DEFAULT NULL) RETURNS crm.journey
AS 'MODULE_PATHNAME', 'crm_journey_window' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.journey_window(crm.journey, timestamptz, interval, timestamptz, text[], text, integer) IS 'the touches that shall count for an order: after the previous one, without some channels, folded, the most recent few';

CREATE FUNCTION crm.journey_window(journey crm.journey, converted_at timestamp, lookback interval DEFAULT '30 days',
	previous_order timestamp DEFAULT NULL, exclude text[] DEFAULT NULL, fold text DEFAULT 'none', max_touches integer DEFAULT NULL) RETURNS crm.journey
AS 'MODULE_PATHNAME', 'crm_journey_window' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.journey_window(crm.journey, timestamp, interval, timestamp, text[], text, integer) IS 'the touches that shall count for an order: after the previous one, without some channels, folded, the most recent few';
