/* purchases: what a customer has bought */

CREATE TYPE crm.purchases;

CREATE FUNCTION crm.purchases_in(cstring) RETURNS crm.purchases
AS 'MODULE_PATHNAME', 'crm_purchases_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases_in(cstring) IS 'I/O';

CREATE FUNCTION crm.purchases_out(crm.purchases) RETURNS cstring
AS 'MODULE_PATHNAME', 'crm_purchases_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases_out(crm.purchases) IS 'I/O';

CREATE FUNCTION crm.purchases_recv(internal) RETURNS crm.purchases
AS 'MODULE_PATHNAME', 'crm_purchases_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases_recv(internal) IS 'I/O';

CREATE FUNCTION crm.purchases_send(crm.purchases) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_purchases_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases_send(crm.purchases) IS 'I/O';

CREATE TYPE crm.purchases (
	INPUT = crm.purchases_in,
	OUTPUT = crm.purchases_out,
	RECEIVE = crm.purchases_recv,
	SEND = crm.purchases_send,
	INTERNALLENGTH = 64,
	ALIGNMENT = double,
	STORAGE = plain
);
COMMENT ON TYPE crm.purchases IS 'what a customer has bought: count, revenue, refunds, first and last order; mergeable';

/* The aggregate over orders. A timestamp without time zone and a date are read as UTC. */

CREATE FUNCTION crm.purchases_merge(crm.purchases, crm.purchases) RETURNS crm.purchases
AS 'MODULE_PATHNAME', 'crm_purchases_merge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases_merge(crm.purchases, crm.purchases) IS 'the summary of both';

CREATE FUNCTION crm.purchases_add(crm.purchases, timestamptz, numeric) RETURNS crm.purchases
AS 'MODULE_PATHNAME', 'crm_purchases_add' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases_add(crm.purchases, timestamptz, numeric) IS 'the summary with one order, or refund, more';

CREATE AGGREGATE crm.purchases(ordered_at timestamptz, amount numeric) (
	SFUNC = crm.purchases_add,
	STYPE = crm.purchases,
	INITCOND = '{"orders": 0, "revenue": 0, "refunds": 0}',
	COMBINEFUNC = crm.purchases_merge,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.purchases(timestamptz, numeric) IS 'what was bought: orders and their amounts, refunds as negative amounts';

CREATE FUNCTION crm.purchases_add(crm.purchases, timestamptz, double precision) RETURNS crm.purchases
AS 'MODULE_PATHNAME', 'crm_purchases_add_float8' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases_add(crm.purchases, timestamptz, double precision) IS 'the summary with one order, or refund, more';

CREATE AGGREGATE crm.purchases(ordered_at timestamptz, amount double precision) (
	SFUNC = crm.purchases_add,
	STYPE = crm.purchases,
	INITCOND = '{"orders": 0, "revenue": 0, "refunds": 0}',
	COMBINEFUNC = crm.purchases_merge,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.purchases(timestamptz, double precision) IS 'what was bought: orders and their amounts, refunds as negative amounts';

CREATE FUNCTION crm.purchases_add(crm.purchases, timestamp, numeric) RETURNS crm.purchases
AS 'MODULE_PATHNAME', 'crm_purchases_add' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases_add(crm.purchases, timestamp, numeric) IS 'the summary with one order, or refund, more';

CREATE AGGREGATE crm.purchases(ordered_at timestamp, amount numeric) (
	SFUNC = crm.purchases_add,
	STYPE = crm.purchases,
	INITCOND = '{"orders": 0, "revenue": 0, "refunds": 0}',
	COMBINEFUNC = crm.purchases_merge,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.purchases(timestamp, numeric) IS 'what was bought: orders and their amounts, refunds as negative amounts';

CREATE FUNCTION crm.purchases_add(crm.purchases, timestamp, double precision) RETURNS crm.purchases
AS 'MODULE_PATHNAME', 'crm_purchases_add_float8' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases_add(crm.purchases, timestamp, double precision) IS 'the summary with one order, or refund, more';

CREATE AGGREGATE crm.purchases(ordered_at timestamp, amount double precision) (
	SFUNC = crm.purchases_add,
	STYPE = crm.purchases,
	INITCOND = '{"orders": 0, "revenue": 0, "refunds": 0}',
	COMBINEFUNC = crm.purchases_merge,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.purchases(timestamp, double precision) IS 'what was bought: orders and their amounts, refunds as negative amounts';

CREATE FUNCTION crm.purchases_add(crm.purchases, date, numeric) RETURNS crm.purchases
AS 'MODULE_PATHNAME', 'crm_purchases_add_date' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases_add(crm.purchases, date, numeric) IS 'the summary with one order, or refund, more';

CREATE AGGREGATE crm.purchases(ordered_at date, amount numeric) (
	SFUNC = crm.purchases_add,
	STYPE = crm.purchases,
	INITCOND = '{"orders": 0, "revenue": 0, "refunds": 0}',
	COMBINEFUNC = crm.purchases_merge,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.purchases(date, numeric) IS 'what was bought: orders and their amounts, refunds as negative amounts';

CREATE FUNCTION crm.purchases_add(crm.purchases, date, double precision) RETURNS crm.purchases
AS 'MODULE_PATHNAME', 'crm_purchases_add_date_float8' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases_add(crm.purchases, date, double precision) IS 'the summary with one order, or refund, more';

CREATE AGGREGATE crm.purchases(ordered_at date, amount double precision) (
	SFUNC = crm.purchases_add,
	STYPE = crm.purchases,
	INITCOND = '{"orders": 0, "revenue": 0, "refunds": 0}',
	COMBINEFUNC = crm.purchases_merge,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.purchases(date, double precision) IS 'what was bought: orders and their amounts, refunds as negative amounts';

/* The same with the orders of one period counted as one purchase. */

CREATE FUNCTION crm.purchases_period_merge(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_purchases_period_merge' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases_period_merge(internal, internal) IS 'aggregate combine function';

CREATE FUNCTION crm.purchases_period_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_purchases_period_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases_period_serialize(internal) IS 'aggregate serial function';

CREATE FUNCTION crm.purchases_period_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_purchases_period_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases_period_deserialize(bytea, internal) IS 'aggregate deserial function';

CREATE FUNCTION crm.purchases_period_final(internal) RETURNS crm.purchases
AS 'MODULE_PATHNAME', 'crm_purchases_period_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases_period_final(internal) IS 'aggregate final function';

CREATE FUNCTION crm.purchases_period_add(internal, timestamptz, numeric, interval) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_purchases_period_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases_period_add(internal, timestamptz, numeric, interval) IS 'aggregate transition function';

CREATE AGGREGATE crm.purchases(ordered_at timestamptz, amount numeric, period interval) (
	SFUNC = crm.purchases_period_add,
	STYPE = internal,
	SSPACE = 192,
	FINALFUNC = crm.purchases_period_final,
	COMBINEFUNC = crm.purchases_period_merge,
	SERIALFUNC = crm.purchases_period_serialize,
	DESERIALFUNC = crm.purchases_period_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.purchases(timestamptz, numeric, interval) IS 'what was bought, the orders of one period counted as one purchase';

CREATE FUNCTION crm.purchases_period_add(internal, timestamptz, double precision, interval) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_purchases_period_add_float8' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases_period_add(internal, timestamptz, double precision, interval) IS 'aggregate transition function';

CREATE AGGREGATE crm.purchases(ordered_at timestamptz, amount double precision, period interval) (
	SFUNC = crm.purchases_period_add,
	STYPE = internal,
	SSPACE = 192,
	FINALFUNC = crm.purchases_period_final,
	COMBINEFUNC = crm.purchases_period_merge,
	SERIALFUNC = crm.purchases_period_serialize,
	DESERIALFUNC = crm.purchases_period_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.purchases(timestamptz, double precision, interval) IS 'what was bought, the orders of one period counted as one purchase';

CREATE FUNCTION crm.purchases_period_add(internal, timestamp, numeric, interval) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_purchases_period_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases_period_add(internal, timestamp, numeric, interval) IS 'aggregate transition function';

CREATE AGGREGATE crm.purchases(ordered_at timestamp, amount numeric, period interval) (
	SFUNC = crm.purchases_period_add,
	STYPE = internal,
	SSPACE = 192,
	FINALFUNC = crm.purchases_period_final,
	COMBINEFUNC = crm.purchases_period_merge,
	SERIALFUNC = crm.purchases_period_serialize,
	DESERIALFUNC = crm.purchases_period_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.purchases(timestamp, numeric, interval) IS 'what was bought, the orders of one period counted as one purchase';

CREATE FUNCTION crm.purchases_period_add(internal, timestamp, double precision, interval) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_purchases_period_add_float8' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases_period_add(internal, timestamp, double precision, interval) IS 'aggregate transition function';

CREATE AGGREGATE crm.purchases(ordered_at timestamp, amount double precision, period interval) (
	SFUNC = crm.purchases_period_add,
	STYPE = internal,
	SSPACE = 192,
	FINALFUNC = crm.purchases_period_final,
	COMBINEFUNC = crm.purchases_period_merge,
	SERIALFUNC = crm.purchases_period_serialize,
	DESERIALFUNC = crm.purchases_period_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.purchases(timestamp, double precision, interval) IS 'what was bought, the orders of one period counted as one purchase';

CREATE FUNCTION crm.purchases_period_add(internal, date, numeric, interval) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_purchases_period_add_date' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases_period_add(internal, date, numeric, interval) IS 'aggregate transition function';

CREATE AGGREGATE crm.purchases(ordered_at date, amount numeric, period interval) (
	SFUNC = crm.purchases_period_add,
	STYPE = internal,
	SSPACE = 192,
	FINALFUNC = crm.purchases_period_final,
	COMBINEFUNC = crm.purchases_period_merge,
	SERIALFUNC = crm.purchases_period_serialize,
	DESERIALFUNC = crm.purchases_period_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.purchases(date, numeric, interval) IS 'what was bought, the orders of one period counted as one purchase';

CREATE FUNCTION crm.purchases_period_add(internal, date, double precision, interval) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_purchases_period_add_date_float8' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.purchases_period_add(internal, date, double precision, interval) IS 'aggregate transition function';

CREATE AGGREGATE crm.purchases(ordered_at date, amount double precision, period interval) (
	SFUNC = crm.purchases_period_add,
	STYPE = internal,
	SSPACE = 192,
	FINALFUNC = crm.purchases_period_final,
	COMBINEFUNC = crm.purchases_period_merge,
	SERIALFUNC = crm.purchases_period_serialize,
	DESERIALFUNC = crm.purchases_period_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.purchases(date, double precision, interval) IS 'what was bought, the orders of one period counted as one purchase';

CREATE AGGREGATE crm.rollup(crm.purchases) (
	SFUNC = crm.purchases_merge,
	STYPE = crm.purchases,
	INITCOND = '{"orders": 0, "revenue": 0, "refunds": 0}',
	COMBINEFUNC = crm.purchases_merge,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.rollup(crm.purchases) IS 'the summary of several summaries';

/* What a summary says. */

CREATE FUNCTION crm.order_count(crm.purchases) RETURNS bigint
AS 'MODULE_PATHNAME', 'crm_order_count' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.order_count(crm.purchases) IS 'number of orders (of periods with an order, if orders were counted by period)';

CREATE FUNCTION crm.revenue(crm.purchases) RETURNS numeric
AS 'MODULE_PATHNAME', 'crm_revenue' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.revenue(crm.purchases) IS 'sum of all amounts, net of refunds; exact';

CREATE FUNCTION crm.refunds(crm.purchases) RETURNS numeric
AS 'MODULE_PATHNAME', 'crm_refunds' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.refunds(crm.purchases) IS 'positive sum of the refunds';

CREATE FUNCTION crm.first_order(crm.purchases) RETURNS timestamptz
AS 'MODULE_PATHNAME', 'crm_first_order' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.first_order(crm.purchases) IS 'time of the first order; null without one';

CREATE FUNCTION crm.last_order(crm.purchases) RETURNS timestamptz
AS 'MODULE_PATHNAME', 'crm_last_order' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.last_order(crm.purchases) IS 'time of the last order; null without one';

CREATE FUNCTION crm.average_order_value(crm.purchases) RETURNS numeric
AS 'MODULE_PATHNAME', 'crm_average_order_value' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.average_order_value(crm.purchases) IS 'revenue, net of refunds, per order; null without an order';

CREATE FUNCTION crm.average_gap(crm.purchases) RETURNS interval
AS 'MODULE_PATHNAME', 'crm_average_gap' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.average_gap(crm.purchases) IS 'average time from one purchase to the next; null with fewer than two';

CREATE FUNCTION crm.repeat_purchases(crm.purchases) RETURNS bigint
AS 'MODULE_PATHNAME', 'crm_repeat_purchases' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.repeat_purchases(crm.purchases) IS 'x: purchases after the first';

CREATE FUNCTION crm.repeat_value(crm.purchases) RETURNS numeric
AS 'MODULE_PATHNAME', 'crm_repeat_value' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.repeat_value(crm.purchases) IS 'average value of the purchases after the first, before refunds; null with fewer than two';

CREATE FUNCTION crm.active_days(crm.purchases) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_active_days' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.active_days(crm.purchases) IS 't_x: days from the first to the last purchase; null without an order';

CREATE FUNCTION crm.observed_days(p crm.purchases, as_of timestamptz) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_observed_days' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.observed_days(crm.purchases, timestamptz) IS 'T: days from the first purchase to as_of; null without an order';

CREATE FUNCTION crm.observed_days(p crm.purchases) RETURNS double precision
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN crm.observed_days(p, pg_catalog.now());
COMMENT ON FUNCTION crm.observed_days(crm.purchases) IS 'T: days from the first purchase until now; null without an order';
