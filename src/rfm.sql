/* rfm: recency, frequency, monetary */

CREATE TYPE crm.rfm_scale;

CREATE FUNCTION crm.rfm_scale_in(cstring) RETURNS crm.rfm_scale
AS 'MODULE_PATHNAME', 'crm_rfm_scale_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_scale_in(cstring) IS 'I/O';

CREATE FUNCTION crm.rfm_scale_out(crm.rfm_scale) RETURNS cstring
AS 'MODULE_PATHNAME', 'crm_rfm_scale_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_scale_out(crm.rfm_scale) IS 'I/O';

CREATE FUNCTION crm.rfm_scale_recv(internal) RETURNS crm.rfm_scale
AS 'MODULE_PATHNAME', 'crm_rfm_scale_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_scale_recv(internal) IS 'I/O';

CREATE FUNCTION crm.rfm_scale_send(crm.rfm_scale) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_rfm_scale_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_scale_send(crm.rfm_scale) IS 'I/O';

CREATE TYPE crm.rfm_scale (
	INPUT = crm.rfm_scale_in,
	OUTPUT = crm.rfm_scale_out,
	RECEIVE = crm.rfm_scale_recv,
	SEND = crm.rfm_scale_send,
	INTERNALLENGTH = 240,
	ALIGNMENT = double,
	STORAGE = plain
);
COMMENT ON TYPE crm.rfm_scale IS 'cut points of recency, frequency and monetary, by which customers are scored';

/* The scale of a group of customers: quantiles by value. */

CREATE FUNCTION crm.rfm_scale_add(internal, crm.purchases, timestamptz, int) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_rfm_scale_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_scale_add(internal, crm.purchases, timestamptz, int) IS 'aggregate transition function';

CREATE FUNCTION crm.rfm_scale_add(internal, crm.purchases, timestamptz) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_rfm_scale_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_scale_add(internal, crm.purchases, timestamptz) IS 'aggregate transition function';

CREATE FUNCTION crm.rfm_scale_add(internal, crm.purchases) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_rfm_scale_add' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_scale_add(internal, crm.purchases) IS 'aggregate transition function';

CREATE FUNCTION crm.rfm_scale_merge(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_rfm_scale_merge' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_scale_merge(internal, internal) IS 'aggregate combine function';

CREATE FUNCTION crm.rfm_scale_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_rfm_scale_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_scale_serialize(internal) IS 'aggregate serial function';

CREATE FUNCTION crm.rfm_scale_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_rfm_scale_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_scale_deserialize(bytea, internal) IS 'aggregate deserial function';

CREATE FUNCTION crm.rfm_scale_final(internal) RETURNS crm.rfm_scale
AS 'MODULE_PATHNAME', 'crm_rfm_scale_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_scale_final(internal) IS 'aggregate final function';

CREATE AGGREGATE crm.rfm_scale(p crm.purchases, as_of timestamptz, bins int) (
	SFUNC = crm.rfm_scale_add,
	STYPE = internal,
	SSPACE = 1024,
	FINALFUNC = crm.rfm_scale_final,
	COMBINEFUNC = crm.rfm_scale_merge,
	SERIALFUNC = crm.rfm_scale_serialize,
	DESERIALFUNC = crm.rfm_scale_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.rfm_scale(crm.purchases, timestamptz, int) IS 'cut points that part the customers into that many bins, 2 to 10; null if none has an order';

CREATE AGGREGATE crm.rfm_scale(p crm.purchases, as_of timestamptz) (
	SFUNC = crm.rfm_scale_add,
	STYPE = internal,
	SSPACE = 1024,
	FINALFUNC = crm.rfm_scale_final,
	COMBINEFUNC = crm.rfm_scale_merge,
	SERIALFUNC = crm.rfm_scale_serialize,
	DESERIALFUNC = crm.rfm_scale_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.rfm_scale(crm.purchases, timestamptz) IS 'cut points that part the customers into five bins; null if none has an order';

CREATE AGGREGATE crm.rfm_scale(p crm.purchases) (
	SFUNC = crm.rfm_scale_add,
	STYPE = internal,
	SSPACE = 1024,
	FINALFUNC = crm.rfm_scale_final,
	COMBINEFUNC = crm.rfm_scale_merge,
	SERIALFUNC = crm.rfm_scale_serialize,
	DESERIALFUNC = crm.rfm_scale_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.rfm_scale(crm.purchases) IS 'cut points that part the customers, as of now, into five bins; null if none has an order';

/* A scale of one's own, and what a scale says. */

CREATE FUNCTION crm.rfm_scale(recency interval[], frequency bigint[], monetary numeric[]) RETURNS crm.rfm_scale
AS 'MODULE_PATHNAME', 'crm_rfm_scale_of_thresholds' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_scale(interval[], bigint[], numeric[]) IS 'scale with these thresholds: each is the largest value of its bin';

CREATE FUNCTION crm.bins(crm.rfm_scale) RETURNS int
AS 'MODULE_PATHNAME', 'crm_rfm_scale_bins' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.bins(crm.rfm_scale) IS 'number of bins: scores are from 1 to this';

CREATE FUNCTION crm.recency_cuts(crm.rfm_scale) RETURNS interval[]
AS 'MODULE_PATHNAME', 'crm_recency_cuts' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.recency_cuts(crm.rfm_scale) IS 'cut points of the time since the last order';

CREATE FUNCTION crm.frequency_cuts(crm.rfm_scale) RETURNS bigint[]
AS 'MODULE_PATHNAME', 'crm_frequency_cuts' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.frequency_cuts(crm.rfm_scale) IS 'cut points of the number of orders';

CREATE FUNCTION crm.monetary_cuts(crm.rfm_scale) RETURNS numeric[]
AS 'MODULE_PATHNAME', 'crm_monetary_cuts' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.monetary_cuts(crm.rfm_scale) IS 'cut points of the revenue';

/* Scores. Stored as an integer whose order is that of the scores. */

CREATE TYPE crm.rfm;

CREATE FUNCTION crm.rfm_in(cstring) RETURNS crm.rfm
AS 'MODULE_PATHNAME', 'crm_rfm_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_in(cstring) IS 'I/O';

CREATE FUNCTION crm.rfm_out(crm.rfm) RETURNS cstring
AS 'MODULE_PATHNAME', 'crm_rfm_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_out(crm.rfm) IS 'I/O';

CREATE FUNCTION crm.rfm_recv(internal) RETURNS crm.rfm
AS 'MODULE_PATHNAME', 'crm_rfm_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_recv(internal) IS 'I/O';

CREATE FUNCTION crm.rfm_send(crm.rfm) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_rfm_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_send(crm.rfm) IS 'I/O';

CREATE TYPE crm.rfm (
	INPUT = crm.rfm_in,
	OUTPUT = crm.rfm_out,
	RECEIVE = crm.rfm_recv,
	SEND = crm.rfm_send,
	LIKE = pg_catalog.int4
);
COMMENT ON TYPE crm.rfm IS 'scores of a customer''s recency, frequency and monetary, the best is the highest: 5-4-5';

CREATE FUNCTION crm.rfm(p crm.purchases, scale crm.rfm_scale, as_of timestamptz) RETURNS crm.rfm
AS 'MODULE_PATHNAME', 'crm_rfm' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm(crm.purchases, crm.rfm_scale, timestamptz) IS 'the customer''s scores on the scale; 0-0-0 without an order';

CREATE FUNCTION crm.rfm(p crm.purchases, scale crm.rfm_scale) RETURNS crm.rfm
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN crm.rfm(p, scale, pg_catalog.now());
COMMENT ON FUNCTION crm.rfm(crm.purchases, crm.rfm_scale) IS 'the customer''s scores on the scale as of now; 0-0-0 without an order';

CREATE FUNCTION crm.rfm(recency int, frequency int, monetary int, bins int DEFAULT 5) RETURNS crm.rfm
AS 'MODULE_PATHNAME', 'crm_rfm_of_scores' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm(int, int, int, int) IS 'these scores, of that many bins';

CREATE FUNCTION crm.recency_score(crm.rfm) RETURNS int
AS 'MODULE_PATHNAME', 'crm_recency_score' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.recency_score(crm.rfm) IS 'from 1 to bins, who ordered last is best; null without an order';

CREATE FUNCTION crm.frequency_score(crm.rfm) RETURNS int
AS 'MODULE_PATHNAME', 'crm_frequency_score' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.frequency_score(crm.rfm) IS 'from 1 to bins, who ordered most often is best; null without an order';

CREATE FUNCTION crm.monetary_score(crm.rfm) RETURNS int
AS 'MODULE_PATHNAME', 'crm_monetary_score' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.monetary_score(crm.rfm) IS 'from 1 to bins, who spent most is best; null without an order';

CREATE FUNCTION crm.bins(crm.rfm) RETURNS int
AS 'MODULE_PATHNAME', 'crm_bins' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.bins(crm.rfm) IS 'number of bins: scores are from 1 to this; null without an order';

/*
 * Comparing scores is comparing integers.  As those of the contact types, the
 * operators and min() and max() live in pg_catalog.
 */

CREATE FUNCTION crm.rfm_lt(crm.rfm, crm.rfm) RETURNS boolean
AS 'int4lt' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_lt(crm.rfm, crm.rfm) IS 'implementation of < operator';

CREATE FUNCTION crm.rfm_le(crm.rfm, crm.rfm) RETURNS boolean
AS 'int4le' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_le(crm.rfm, crm.rfm) IS 'implementation of <= operator';

CREATE FUNCTION crm.rfm_eq(crm.rfm, crm.rfm) RETURNS boolean
AS 'int4eq' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_eq(crm.rfm, crm.rfm) IS 'implementation of = operator';

CREATE FUNCTION crm.rfm_ge(crm.rfm, crm.rfm) RETURNS boolean
AS 'int4ge' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_ge(crm.rfm, crm.rfm) IS 'implementation of >= operator';

CREATE FUNCTION crm.rfm_gt(crm.rfm, crm.rfm) RETURNS boolean
AS 'int4gt' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_gt(crm.rfm, crm.rfm) IS 'implementation of > operator';

CREATE FUNCTION crm.rfm_ne(crm.rfm, crm.rfm) RETURNS boolean
AS 'int4ne' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_ne(crm.rfm, crm.rfm) IS 'implementation of <> operator';

CREATE FUNCTION crm.rfm_cmp(crm.rfm, crm.rfm) RETURNS int
AS 'btint4cmp' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_cmp(crm.rfm, crm.rfm) IS 'less-equal-greater';

CREATE FUNCTION crm.rfm_larger(crm.rfm, crm.rfm) RETURNS crm.rfm
AS 'int4larger' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_larger(crm.rfm, crm.rfm) IS 'larger of two';

CREATE FUNCTION crm.rfm_smaller(crm.rfm, crm.rfm) RETURNS crm.rfm
AS 'int4smaller' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_smaller(crm.rfm, crm.rfm) IS 'smaller of two';

CREATE FUNCTION crm.rfm_hash(crm.rfm) RETURNS int
AS 'hashint4' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_hash(crm.rfm) IS 'hash';

CREATE FUNCTION crm.rfm_hash_extended(crm.rfm, bigint) RETURNS bigint
AS 'hashint4extended' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rfm_hash_extended(crm.rfm, bigint) IS 'hash';

CREATE OPERATOR pg_catalog.< (
	FUNCTION = crm.rfm_lt, LEFTARG = crm.rfm, RIGHTARG = crm.rfm,
	COMMUTATOR = OPERATOR(pg_catalog.>), NEGATOR = OPERATOR(pg_catalog.>=),
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR pg_catalog.< (crm.rfm, crm.rfm) IS 'less than: by recency, then frequency, then monetary';

CREATE OPERATOR pg_catalog.<= (
	FUNCTION = crm.rfm_le, LEFTARG = crm.rfm, RIGHTARG = crm.rfm,
	COMMUTATOR = OPERATOR(pg_catalog.>=), NEGATOR = OPERATOR(pg_catalog.>),
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR pg_catalog.<= (crm.rfm, crm.rfm) IS 'less than or equal: by recency, then frequency, then monetary';

CREATE OPERATOR pg_catalog.= (
	FUNCTION = crm.rfm_eq, LEFTARG = crm.rfm, RIGHTARG = crm.rfm,
	COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>),
	RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
COMMENT ON OPERATOR pg_catalog.= (crm.rfm, crm.rfm) IS 'equal, the number of bins too';

CREATE OPERATOR pg_catalog.>= (
	FUNCTION = crm.rfm_ge, LEFTARG = crm.rfm, RIGHTARG = crm.rfm,
	COMMUTATOR = OPERATOR(pg_catalog.<=), NEGATOR = OPERATOR(pg_catalog.<),
	RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR pg_catalog.>= (crm.rfm, crm.rfm) IS 'greater than or equal: by recency, then frequency, then monetary';

CREATE OPERATOR pg_catalog.> (
	FUNCTION = crm.rfm_gt, LEFTARG = crm.rfm, RIGHTARG = crm.rfm,
	COMMUTATOR = OPERATOR(pg_catalog.<), NEGATOR = OPERATOR(pg_catalog.<=),
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR pg_catalog.> (crm.rfm, crm.rfm) IS 'greater than: by recency, then frequency, then monetary';

CREATE OPERATOR pg_catalog.<> (
	FUNCTION = crm.rfm_ne, LEFTARG = crm.rfm, RIGHTARG = crm.rfm,
	COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=),
	RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR pg_catalog.<> (crm.rfm, crm.rfm) IS 'not equal';

CREATE OPERATOR FAMILY crm.rfm_ops USING btree;
COMMENT ON OPERATOR FAMILY crm.rfm_ops USING btree IS 'by recency, then frequency, then monetary';
CREATE OPERATOR CLASS crm.rfm_ops DEFAULT FOR TYPE crm.rfm USING btree FAMILY crm.rfm_ops AS
	OPERATOR 1 pg_catalog.<,
	OPERATOR 2 pg_catalog.<=,
	OPERATOR 3 pg_catalog.=,
	OPERATOR 4 pg_catalog.>=,
	OPERATOR 5 pg_catalog.>,
	FUNCTION 1 crm.rfm_cmp(crm.rfm, crm.rfm),
	FUNCTION 2 pg_catalog.btint4sortsupport(internal),
	FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS crm.rfm_ops USING btree IS 'by recency, then frequency, then monetary';

CREATE OPERATOR FAMILY crm.rfm_ops USING hash;
COMMENT ON OPERATOR FAMILY crm.rfm_ops USING hash IS 'equality of scores';
CREATE OPERATOR CLASS crm.rfm_ops DEFAULT FOR TYPE crm.rfm USING hash FAMILY crm.rfm_ops AS
	OPERATOR 1 pg_catalog.=,
	FUNCTION 1 crm.rfm_hash(crm.rfm),
	FUNCTION 2 crm.rfm_hash_extended(crm.rfm, bigint);
COMMENT ON OPERATOR CLASS crm.rfm_ops USING hash IS 'equality of scores';

CREATE AGGREGATE pg_catalog.max(crm.rfm) (
	SFUNC = crm.rfm_larger,
	STYPE = crm.rfm,
	COMBINEFUNC = crm.rfm_larger,
	SORTOP = OPERATOR(pg_catalog.>),
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE pg_catalog.max(crm.rfm) IS 'best scores';

CREATE AGGREGATE pg_catalog.min(crm.rfm) (
	SFUNC = crm.rfm_smaller,
	STYPE = crm.rfm,
	COMBINEFUNC = crm.rfm_smaller,
	SORTOP = OPERATOR(pg_catalog.<),
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE pg_catalog.min(crm.rfm) IS 'worst scores';

/* Segments by a standard map. */

CREATE FUNCTION crm.segment(crm.rfm) RETURNS text
AS 'MODULE_PATHNAME', 'crm_segment' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.segment(crm.rfm) IS 'segment by the map fm_grid';

CREATE FUNCTION crm.segment(rfm crm.rfm, map text) RETURNS text
AS 'MODULE_PATHNAME', 'crm_segment' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.segment(crm.rfm, text) IS 'segment by a standard map: fm_grid, rf_grid or shopify';

/* Segments by a map of one's own. */

CREATE FUNCTION crm.segment(rfm crm.rfm, map jsonb) RETURNS text
AS 'MODULE_PATHNAME', 'crm_segment_by_map' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.segment(crm.rfm, jsonb) IS 'segment by a map: the first that holds the scores, Others if none';

CREATE FUNCTION crm.matching_segments(rfm crm.rfm, map jsonb) RETURNS text[]
AS 'MODULE_PATHNAME', 'crm_matching_segments' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.matching_segments(crm.rfm, jsonb) IS 'all segments of a map that hold the scores';

CREATE FUNCTION crm.check_segment_map(map jsonb, bins int DEFAULT 5)
RETURNS TABLE (score crm.rfm, segments text[])
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT s.score, crm.matching_segments(s.score, map)
	FROM pg_catalog.generate_series(1, bins) AS r (r),
		pg_catalog.generate_series(1, bins) AS f (f),
		pg_catalog.generate_series(1, bins) AS m (m),
		LATERAL (SELECT crm.rfm(r.r, f.f, m.m, bins)) AS s (score)
	WHERE pg_catalog.cardinality(crm.matching_segments(s.score, map)) OPERATOR(pg_catalog.<>) 1
	ORDER BY r.r, f.f, m.m;
END;
COMMENT ON FUNCTION crm.check_segment_map(jsonb, int) IS 'scores that no segment of a map holds, or several do';

CREATE FUNCTION crm.segment_map_add(map jsonb, segment text, recency int4range, frequency int4range, monetary int4range) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT map OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_array(
		pg_catalog.jsonb_build_object('segment', segment)
		OPERATOR(pg_catalog.||) coalesce(pg_catalog.jsonb_object_agg(b.measure,
			CASE WHEN pg_catalog.isempty(b.range) THEN '[]'::pg_catalog.jsonb
				ELSE pg_catalog.jsonb_build_array(
					coalesce(pg_catalog.lower(b.range), 1),
					coalesce(pg_catalog.upper(b.range) OPERATOR(pg_catalog.-) 1, 10))
			END), '{}'))
	FROM (VALUES ('recency', recency), ('frequency', frequency), ('monetary', monetary)) AS b (measure, range)
	WHERE b.range IS NOT NULL;
END;
COMMENT ON FUNCTION crm.segment_map_add(jsonb, text, int4range, int4range, int4range) IS 'aggregate transition function';

CREATE FUNCTION crm.segment_map_final(jsonb) RETURNS jsonb
AS 'MODULE_PATHNAME', 'crm_segment_map_final' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.segment_map_final(jsonb) IS 'aggregate final function: the map, if it is valid';

CREATE AGGREGATE crm.segment_map(segment text, recency int4range, frequency int4range, monetary int4range) (
	SFUNC = crm.segment_map_add,
	STYPE = jsonb,
	INITCOND = '[]',
	FINALFUNC = crm.segment_map_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.segment_map(text, int4range, int4range, int4range) IS 'a map from rows of a table; ORDER BY in the call makes the order';
