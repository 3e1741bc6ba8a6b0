/* markov: which channel won the order, by a Markov chain of the paths */

CREATE TYPE crm.markov_model;

CREATE FUNCTION crm.markov_model_in(cstring) RETURNS crm.markov_model
AS 'MODULE_PATHNAME', 'crm_markov_model_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.markov_model_in(cstring) IS 'I/O';

CREATE FUNCTION crm.markov_model_out(crm.markov_model) RETURNS cstring
AS 'MODULE_PATHNAME', 'crm_markov_model_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.markov_model_out(crm.markov_model) IS 'I/O';

CREATE FUNCTION crm.markov_model_recv(internal) RETURNS crm.markov_model
AS 'MODULE_PATHNAME', 'crm_markov_model_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.markov_model_recv(internal) IS 'I/O';

CREATE FUNCTION crm.markov_model_send(crm.markov_model) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_markov_model_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.markov_model_send(crm.markov_model) IS 'I/O';

CREATE TYPE crm.markov_model (
	INPUT = crm.markov_model_in,
	OUTPUT = crm.markov_model_out,
	RECEIVE = crm.markov_model_recv,
	SEND = crm.markov_model_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = double,
	STORAGE = extended
);
COMMENT ON TYPE crm.markov_model IS 'a Markov chain of customers'' paths, with the removal effects of the channels; mergeable';

/* The aggregate over paths. */

CREATE FUNCTION crm.markov_merge(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_markov_merge' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.markov_merge(internal, internal) IS 'aggregate combine function';

CREATE FUNCTION crm.markov_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_markov_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.markov_serialize(internal) IS 'aggregate serial function';

CREATE FUNCTION crm.markov_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_markov_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.markov_deserialize(bytea, internal) IS 'aggregate deserial function';

CREATE FUNCTION crm.markov_final(internal) RETURNS crm.markov_model
AS 'MODULE_PATHNAME', 'crm_markov_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.markov_final(internal) IS 'aggregate final function';

CREATE FUNCTION crm.markov_add(internal, text[], numeric, numeric, numeric, integer) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_markov_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.markov_add(internal, text[], numeric, numeric, numeric, integer) IS 'aggregate transition function';

CREATE AGGREGATE crm.markov_model(path text[], conversions numeric, value numeric, nulls numeric, markov_order integer) (
	SFUNC = crm.markov_add,
	STYPE = internal,
	SSPACE = 16384,
	FINALFUNC = crm.markov_final,
	COMBINEFUNC = crm.markov_merge,
	SERIALFUNC = crm.markov_serialize,
	DESERIALFUNC = crm.markov_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.markov_model(text[], numeric, numeric, numeric, integer) IS 'the chain of order 1 to 4 of these paths: how many customers went each, how many of them ordered, and for what';

CREATE FUNCTION crm.markov_add(internal, crm.markov_model) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_markov_add_model' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.markov_add(internal, crm.markov_model) IS 'aggregate transition function';

CREATE AGGREGATE crm.rollup(crm.markov_model) (
	SFUNC = crm.markov_add,
	STYPE = internal,
	SSPACE = 16384,
	FINALFUNC = crm.markov_final,
	COMBINEFUNC = crm.markov_merge,
	SERIALFUNC = crm.markov_serialize,
	DESERIALFUNC = crm.markov_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.rollup(crm.markov_model) IS 'the chain of the paths of several, which must be of one order';

/* What it says. */

CREATE FUNCTION crm.channels(model crm.markov_model) RETURNS TABLE (channel text, removal_effect double precision, conversions numeric, value numeric)
AS 'MODULE_PATHNAME', 'crm_markov_channels' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 10;
COMMENT ON FUNCTION crm.channels(crm.markov_model) IS 'removal effects, and conversions and value shared in proportion to them';

CREATE FUNCTION crm.transitions(model crm.markov_model) RETURNS TABLE (from_state text, to_state text, probability double precision)
AS 'MODULE_PATHNAME', 'crm_transitions' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 100;
COMMENT ON FUNCTION crm.transitions(crm.markov_model) IS 'the transitions that were seen, with their probabilities';

CREATE FUNCTION crm.log_likelihood(model crm.markov_model, path text[], conversions numeric, nulls numeric) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_markov_log_likelihood' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.log_likelihood(crm.markov_model, text[], numeric, numeric) IS 'log-likelihood of paths, of other data too';

CREATE FUNCTION crm.credit(journey crm.journey, converted_at timestamptz, model crm.markov_model, lookback interval DEFAULT '30 days') RETURNS TABLE (channel text, credit double precision)
AS 'MODULE_PATHNAME', 'crm_markov_credit' LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 5;
COMMENT ON FUNCTION crm.credit(crm.journey, timestamptz, crm.markov_model, interval) IS 'how an order is shared: each touch has its share of the removal effects within its path; sums to 1';

CREATE FUNCTION crm.credit(journey crm.journey, converted_at timestamp, model crm.markov_model, lookback interval DEFAULT '30 days') RETURNS TABLE (channel text, credit double precision)
AS 'MODULE_PATHNAME', 'crm_markov_credit' LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 5;
COMMENT ON FUNCTION crm.credit(crm.journey, timestamp, crm.markov_model, interval) IS 'how an order is shared: each touch has its share of the removal effects within its path; sums to 1';
