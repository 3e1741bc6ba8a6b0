/* shapley: which channel won the order, as a game of the channels */

CREATE FUNCTION crm.shapley_add(internal, text[], numeric, numeric, numeric) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_shapley_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.shapley_add(internal, text[], numeric, numeric, numeric) IS 'aggregate transition function';

CREATE FUNCTION crm.shapley_final(internal) RETURNS crm.attribution
AS 'MODULE_PATHNAME', 'crm_shapley_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.shapley_final(internal) IS 'aggregate final function';

CREATE AGGREGATE crm.shapley(path text[], conversions numeric, value numeric, nulls numeric) (
	SFUNC = crm.shapley_add,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = crm.shapley_final,
	COMBINEFUNC = crm.attribution_merge,
	SERIALFUNC = crm.attribution_serialize,
	DESERIALFUNC = crm.attribution_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.shapley(text[], numeric, numeric, numeric) IS 'Shapley values of the unique-channel game: each path''s conversions and value shared alike by its distinct channels';

CREATE FUNCTION crm.shapley_rate_add(internal, text[], numeric, numeric, numeric) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_shapley_rate_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.shapley_rate_add(internal, text[], numeric, numeric, numeric) IS 'aggregate transition function';

CREATE FUNCTION crm.shapley_rate_merge(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_shapley_rate_merge' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.shapley_rate_merge(internal, internal) IS 'aggregate combine function';

CREATE FUNCTION crm.shapley_rate_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_shapley_rate_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.shapley_rate_serialize(internal) IS 'aggregate serial function';

CREATE FUNCTION crm.shapley_rate_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_shapley_rate_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.shapley_rate_deserialize(bytea, internal) IS 'aggregate deserial function';

CREATE FUNCTION crm.shapley_rate_final(internal) RETURNS crm.attribution
AS 'MODULE_PATHNAME', 'crm_shapley_rate_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.shapley_rate_final(internal) IS 'aggregate final function';

CREATE AGGREGATE crm.shapley_rate(path text[], conversions numeric, value numeric, nulls numeric) (
	SFUNC = crm.shapley_rate_add,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = crm.shapley_rate_final,
	COMBINEFUNC = crm.shapley_rate_merge,
	SERIALFUNC = crm.shapley_rate_serialize,
	DESERIALFUNC = crm.shapley_rate_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.shapley_rate(text[], numeric, numeric, numeric) IS 'Shapley values of the game on conversion rates, exact, of up to 20 channels';

/* What it says of one order. */

CREATE FUNCTION crm.credit(journey crm.journey, converted_at timestamptz, model crm.attribution, lookback interval DEFAULT '30 days') RETURNS TABLE (channel text, credit double precision)
AS 'MODULE_PATHNAME', 'crm_shapley_credit' LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 5;
COMMENT ON FUNCTION crm.credit(crm.journey, timestamptz, crm.attribution, interval) IS 'how an order is shared by shapley_rate: each distinct channel has its share of the Shapley values within the path; sums to 1';

CREATE FUNCTION crm.credit(journey crm.journey, converted_at timestamp, model crm.attribution, lookback interval DEFAULT '30 days') RETURNS TABLE (channel text, credit double precision)
AS 'MODULE_PATHNAME', 'crm_shapley_credit' LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 5;
COMMENT ON FUNCTION crm.credit(crm.journey, timestamp, crm.attribution, interval) IS 'how an order is shared by shapley_rate: each distinct channel has its share of the Shapley values within the path; sums to 1';
