/* ltv: what a customer will be worth */

CREATE TYPE crm.ltv_model;

CREATE FUNCTION crm.ltv_model_in(cstring) RETURNS crm.ltv_model
AS 'MODULE_PATHNAME', 'crm_ltv_model_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.ltv_model_in(cstring) IS 'I/O';

CREATE FUNCTION crm.ltv_model_out(crm.ltv_model) RETURNS cstring
AS 'MODULE_PATHNAME', 'crm_ltv_model_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.ltv_model_out(crm.ltv_model) IS 'I/O';

CREATE FUNCTION crm.ltv_model_recv(internal) RETURNS crm.ltv_model
AS 'MODULE_PATHNAME', 'crm_ltv_model_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.ltv_model_recv(internal) IS 'I/O';

CREATE FUNCTION crm.ltv_model_send(crm.ltv_model) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_ltv_model_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.ltv_model_send(crm.ltv_model) IS 'I/O';

CREATE TYPE crm.ltv_model (
	INPUT = crm.ltv_model_in,
	OUTPUT = crm.ltv_model_out,
	RECEIVE = crm.ltv_model_recv,
	SEND = crm.ltv_model_send,
	INTERNALLENGTH = 256,
	ALIGNMENT = double,
	STORAGE = plain
);
COMMENT ON TYPE crm.ltv_model IS 'a model of when customers order and are lost, and of what they spend';

/* A model from known parameters. */

CREATE FUNCTION crm.ltv_model(model text, parameters double precision[]) RETURNS crm.ltv_model
AS 'MODULE_PATHNAME', 'crm_ltv_model' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.ltv_model(text, double precision[]) IS 'a model from known parameters: r, alpha, a, b of bg_nbd and mbg_nbd; r, alpha, s, beta of pareto_nbd';

CREATE FUNCTION crm.ltv_model(model text, parameters double precision[], spend double precision[]) RETURNS crm.ltv_model
AS 'MODULE_PATHNAME', 'crm_ltv_model' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.ltv_model(text, double precision[], double precision[]) IS 'a model from known parameters, with those of Gamma-Gamma: p, q, gamma';

/* The same from literals: without these their types would be ambiguous. */

CREATE FUNCTION crm.ltv_model(model text, parameters text) RETURNS crm.ltv_model
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN crm.ltv_model(model, parameters::pg_catalog.float8[]);
COMMENT ON FUNCTION crm.ltv_model(text, text) IS 'a model from known parameters, in the text form of an array';

CREATE FUNCTION crm.ltv_model(model text, parameters text, spend text) RETURNS crm.ltv_model
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN crm.ltv_model(model, parameters::pg_catalog.float8[], spend::pg_catalog.float8[]);
COMMENT ON FUNCTION crm.ltv_model(text, text, text) IS 'a model from known parameters, with those of Gamma-Gamma, in the text form of arrays';

CREATE FUNCTION crm.in_days(m crm.ltv_model, days double precision) RETURNS crm.ltv_model
AS 'MODULE_PATHNAME', 'crm_in_days' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.in_days(crm.ltv_model, double precision) IS 'the same model in days, its unit of time having been so many days';

/* The aggregates that fit one. */

CREATE FUNCTION crm.ltv_model_merge(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_ltv_model_merge' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.ltv_model_merge(internal, internal) IS 'aggregate combine function';

CREATE FUNCTION crm.ltv_model_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_ltv_model_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.ltv_model_serialize(internal) IS 'aggregate serial function';

CREATE FUNCTION crm.ltv_model_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_ltv_model_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.ltv_model_deserialize(bytea, internal) IS 'aggregate deserial function';

CREATE FUNCTION crm.ltv_model_final(internal) RETURNS crm.ltv_model
AS 'MODULE_PATHNAME', 'crm_ltv_model_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.ltv_model_final(internal) IS 'aggregate final function';

CREATE FUNCTION crm.ltv_model_add(internal, crm.purchases, timestamptz) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_ltv_model_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.ltv_model_add(internal, crm.purchases, timestamptz) IS 'aggregate transition function';

CREATE AGGREGATE crm.ltv_model(p crm.purchases, as_of timestamptz) (
	SFUNC = crm.ltv_model_add,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = crm.ltv_model_final,
	COMBINEFUNC = crm.ltv_model_merge,
	SERIALFUNC = crm.ltv_model_serialize,
	DESERIALFUNC = crm.ltv_model_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.ltv_model(crm.purchases, timestamptz) IS 'fits bg_nbd, and Gamma-Gamma, to customers as they were at as_of';

CREATE FUNCTION crm.ltv_model_add(internal, crm.purchases, timestamptz, text) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_ltv_model_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.ltv_model_add(internal, crm.purchases, timestamptz, text) IS 'aggregate transition function';

CREATE AGGREGATE crm.ltv_model(p crm.purchases, as_of timestamptz, model text) (
	SFUNC = crm.ltv_model_add,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = crm.ltv_model_final,
	COMBINEFUNC = crm.ltv_model_merge,
	SERIALFUNC = crm.ltv_model_serialize,
	DESERIALFUNC = crm.ltv_model_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.ltv_model(crm.purchases, timestamptz, text) IS 'fits bg_nbd, mbg_nbd or pareto_nbd, and Gamma-Gamma, to customers as they were at as_of';

CREATE FUNCTION crm.ltv_model_add(internal, crm.purchases) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_ltv_model_add' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.ltv_model_add(internal, crm.purchases) IS 'aggregate transition function';

CREATE AGGREGATE crm.ltv_model(p crm.purchases) (
	SFUNC = crm.ltv_model_add,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = crm.ltv_model_final,
	COMBINEFUNC = crm.ltv_model_merge,
	SERIALFUNC = crm.ltv_model_serialize,
	DESERIALFUNC = crm.ltv_model_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.ltv_model(crm.purchases) IS 'fits bg_nbd, and Gamma-Gamma, to customers as they are now';

CREATE FUNCTION crm.ltv_model_add(internal, double precision, double precision, double precision, text) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_ltv_model_add_raw' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.ltv_model_add(internal, double precision, double precision, double precision, text) IS 'aggregate transition function';

CREATE AGGREGATE crm.ltv_model(x double precision, t_x double precision, t double precision, model text) (
	SFUNC = crm.ltv_model_add,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = crm.ltv_model_final,
	COMBINEFUNC = crm.ltv_model_merge,
	SERIALFUNC = crm.ltv_model_serialize,
	DESERIALFUNC = crm.ltv_model_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.ltv_model(double precision, double precision, double precision, text) IS 'fits a model to repeat purchases, time of the last, time seen; in any unit of time';

CREATE FUNCTION crm.ltv_model_add(internal, double precision, double precision, double precision, double precision, text) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_ltv_model_add_raw' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.ltv_model_add(internal, double precision, double precision, double precision, double precision, text) IS 'aggregate transition function';

CREATE AGGREGATE crm.ltv_model(x double precision, t_x double precision, t double precision, mean_value double precision, model text) (
	SFUNC = crm.ltv_model_add,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = crm.ltv_model_final,
	COMBINEFUNC = crm.ltv_model_merge,
	SERIALFUNC = crm.ltv_model_serialize,
	DESERIALFUNC = crm.ltv_model_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.ltv_model(double precision, double precision, double precision, double precision, text) IS 'fits a model, and Gamma-Gamma, to repeat purchases, time of the last, time seen, mean value';

/* What a model says of itself. */

CREATE FUNCTION crm.parameters(m crm.ltv_model, OUT name text, OUT estimate double precision, OUT standard_error double precision) RETURNS SETOF record
AS 'MODULE_PATHNAME', 'crm_parameters' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 7;
COMMENT ON FUNCTION crm.parameters(crm.ltv_model) IS 'the parameters with their standard errors; those of spend are p, q, gamma';

CREATE FUNCTION crm.log_likelihood(m crm.ltv_model) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_log_likelihood' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.log_likelihood(crm.ltv_model) IS 'log-likelihood of the orders the model was fitted to; null if it was not';

CREATE FUNCTION crm.log_likelihood(m crm.ltv_model, x double precision, t_x double precision, t double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_log_likelihood_raw' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION crm.log_likelihood(crm.ltv_model, double precision, double precision, double precision) IS 'log-likelihood of one customer';

CREATE FUNCTION crm.spend_log_likelihood(m crm.ltv_model) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_spend_log_likelihood' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.spend_log_likelihood(crm.ltv_model) IS 'log-likelihood of the spend the model was fitted to; null if it was not';

CREATE FUNCTION crm.spend_log_likelihood(m crm.ltv_model, x double precision, mean_value double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_spend_log_likelihood_raw' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION crm.spend_log_likelihood(crm.ltv_model, double precision, double precision) IS 'log-likelihood of the mean value of x purchases';

CREATE FUNCTION crm.customers(m crm.ltv_model) RETURNS bigint
AS 'MODULE_PATHNAME', 'crm_customers' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.customers(crm.ltv_model) IS 'how many customers the model was fitted to; null if it was not';

CREATE FUNCTION crm.converged(m crm.ltv_model) RETURNS boolean
AS 'MODULE_PATHNAME', 'crm_converged' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.converged(crm.ltv_model) IS 'whether the fit found the maximum of the likelihood; null if there was none';

/* Predictions: for purchases as of a time, and for raw numbers in the unit of the model. */

CREATE FUNCTION crm.alive(m crm.ltv_model, p crm.purchases, as_of timestamptz) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_alive' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION crm.alive(crm.ltv_model, crm.purchases, timestamptz) IS 'probability that the customer still is one';

CREATE FUNCTION crm.alive(m crm.ltv_model, p crm.purchases) RETURNS double precision
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN crm.alive(m, p, pg_catalog.now());
COMMENT ON FUNCTION crm.alive(crm.ltv_model, crm.purchases) IS 'probability that the customer still is one, as of now';

CREATE FUNCTION crm.alive(m crm.ltv_model, x double precision, t_x double precision, t double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_alive_raw' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION crm.alive(crm.ltv_model, double precision, double precision, double precision) IS 'probability that the customer still is one';

CREATE FUNCTION crm.churn_risk(m crm.ltv_model, p crm.purchases, as_of timestamptz) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_churn_risk' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION crm.churn_risk(crm.ltv_model, crm.purchases, timestamptz) IS 'probability that the customer is lost';

CREATE FUNCTION crm.churn_risk(m crm.ltv_model, p crm.purchases) RETURNS double precision
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN crm.churn_risk(m, p, pg_catalog.now());
COMMENT ON FUNCTION crm.churn_risk(crm.ltv_model, crm.purchases) IS 'probability that the customer is lost, as of now';

CREATE FUNCTION crm.churn_risk(m crm.ltv_model, x double precision, t_x double precision, t double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_churn_risk_raw' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION crm.churn_risk(crm.ltv_model, double precision, double precision, double precision) IS 'probability that the customer is lost';

CREATE FUNCTION crm.expected_orders(m crm.ltv_model, p crm.purchases, as_of timestamptz, horizon interval) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_expected_orders' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION crm.expected_orders(crm.ltv_model, crm.purchases, timestamptz, interval) IS 'orders to expect within the horizon';

CREATE FUNCTION crm.expected_orders(m crm.ltv_model, p crm.purchases, horizon interval) RETURNS double precision
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN crm.expected_orders(m, p, pg_catalog.now(), horizon);
COMMENT ON FUNCTION crm.expected_orders(crm.ltv_model, crm.purchases, interval) IS 'orders to expect within the horizon, as of now';

CREATE FUNCTION crm.expected_orders(m crm.ltv_model, x double precision, t_x double precision, t double precision, horizon double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_expected_orders_raw' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION crm.expected_orders(crm.ltv_model, double precision, double precision, double precision, double precision) IS 'orders to expect within the horizon';

CREATE FUNCTION crm.expected_orders(m crm.ltv_model, horizon double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_expected_orders_new' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION crm.expected_orders(crm.ltv_model, double precision) IS 'orders to expect of a new customer after the first, within the horizon';

CREATE FUNCTION crm.expected_orders_error(m crm.ltv_model, p crm.purchases, as_of timestamptz, horizon interval) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_expected_orders_error' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION crm.expected_orders_error(crm.ltv_model, crm.purchases, timestamptz, interval) IS 'standard error of the orders to expect, from that of the parameters';

CREATE FUNCTION crm.expected_orders_error(m crm.ltv_model, p crm.purchases, horizon interval) RETURNS double precision
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN crm.expected_orders_error(m, p, pg_catalog.now(), horizon);
COMMENT ON FUNCTION crm.expected_orders_error(crm.ltv_model, crm.purchases, interval) IS 'standard error of the orders to expect, from that of the parameters, as of now';

CREATE FUNCTION crm.expected_orders_error(m crm.ltv_model, x double precision, t_x double precision, t double precision, horizon double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_expected_orders_error_raw' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION crm.expected_orders_error(crm.ltv_model, double precision, double precision, double precision, double precision) IS 'standard error of the orders to expect, from that of the parameters';

CREATE FUNCTION crm.expected_repeat_orders(m crm.ltv_model, first_order timestamptz, until timestamptz) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_expected_repeat_orders' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION crm.expected_repeat_orders(crm.ltv_model, timestamptz, timestamptz) IS 'orders to expect after the first, until a time, knowing no more than when that was: sum it over a base to compare with what came';

CREATE FUNCTION crm.order_probability(m crm.ltv_model, n integer, p crm.purchases, as_of timestamptz, horizon interval) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_order_probability' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION crm.order_probability(crm.ltv_model, integer, crm.purchases, timestamptz, interval) IS 'probability of exactly n orders within the horizon';

CREATE FUNCTION crm.order_probability(m crm.ltv_model, n integer, p crm.purchases, horizon interval) RETURNS double precision
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN crm.order_probability(m, n, p, pg_catalog.now(), horizon);
COMMENT ON FUNCTION crm.order_probability(crm.ltv_model, integer, crm.purchases, interval) IS 'probability of exactly n orders within the horizon, as of now';

CREATE FUNCTION crm.order_probability(m crm.ltv_model, n integer, x double precision, t_x double precision, t double precision, horizon double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_order_probability_raw' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION crm.order_probability(crm.ltv_model, integer, double precision, double precision, double precision, double precision) IS 'probability of exactly n orders within the horizon';

CREATE FUNCTION crm.order_probability(m crm.ltv_model, n integer, horizon double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_order_probability_new' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION crm.order_probability(crm.ltv_model, integer, double precision) IS 'probability that a new customer orders exactly n times after the first, within the horizon';

CREATE FUNCTION crm.discounted_orders(m crm.ltv_model, p crm.purchases, as_of timestamptz, horizon interval, annual_discount double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_discounted_orders' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION crm.discounted_orders(crm.ltv_model, crm.purchases, timestamptz, interval, double precision) IS 'orders to expect within the horizon, discounted to as_of';

CREATE FUNCTION crm.discounted_orders(m crm.ltv_model, p crm.purchases, horizon interval, annual_discount double precision) RETURNS double precision
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN crm.discounted_orders(m, p, pg_catalog.now(), horizon, annual_discount);
COMMENT ON FUNCTION crm.discounted_orders(crm.ltv_model, crm.purchases, interval, double precision) IS 'orders to expect within the horizon, discounted to as_of, as of now';

CREATE FUNCTION crm.dect(m crm.ltv_model, x double precision, t_x double precision, t double precision, horizon double precision, discount double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_dect' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION crm.dect(crm.ltv_model, double precision, double precision, double precision, double precision, double precision) IS 'discounted expected orders within the horizon; continuously compounded per unit of time';

CREATE FUNCTION crm.dert(m crm.ltv_model, p crm.purchases, as_of timestamptz, annual_discount double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_dert' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION crm.dert(crm.ltv_model, crm.purchases, timestamptz, double precision) IS 'orders to expect for all the time to come, discounted to as_of';

CREATE FUNCTION crm.dert(m crm.ltv_model, p crm.purchases, annual_discount double precision) RETURNS double precision
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN crm.dert(m, p, pg_catalog.now(), annual_discount);
COMMENT ON FUNCTION crm.dert(crm.ltv_model, crm.purchases, double precision) IS 'orders to expect for all the time to come, discounted to as_of, as of now';

CREATE FUNCTION crm.dert(m crm.ltv_model, x double precision, t_x double precision, t double precision, discount double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_dert_raw' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION crm.dert(crm.ltv_model, double precision, double precision, double precision, double precision) IS 'discounted expected orders for all the time to come; continuously compounded per unit of time';

CREATE FUNCTION crm.expected_order_value(m crm.ltv_model, p crm.purchases) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_expected_order_value' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION crm.expected_order_value(crm.ltv_model, crm.purchases) IS 'value to expect of an order of the customer; null where the model has no mean';

CREATE FUNCTION crm.expected_order_value(m crm.ltv_model, x double precision, mean_value double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_expected_order_value_raw' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION crm.expected_order_value(crm.ltv_model, double precision, double precision) IS 'value to expect of an order of the customer; null where the model has no mean';

CREATE FUNCTION crm.expected_order_value(m crm.ltv_model) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_expected_order_value_new' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION crm.expected_order_value(crm.ltv_model) IS 'value to expect of an order of a new customer; null where the model has no mean';

CREATE FUNCTION crm.ltv(m crm.ltv_model, p crm.purchases, as_of timestamptz, horizon interval, annual_discount double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_ltv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION crm.ltv(crm.ltv_model, crm.purchases, timestamptz, interval, double precision) IS 'revenue to expect within the horizon, discounted to as_of';

CREATE FUNCTION crm.ltv(m crm.ltv_model, p crm.purchases, horizon interval, annual_discount double precision) RETURNS double precision
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN crm.ltv(m, p, pg_catalog.now(), horizon, annual_discount);
COMMENT ON FUNCTION crm.ltv(crm.ltv_model, crm.purchases, interval, double precision) IS 'revenue to expect within the horizon, discounted to as_of, as of now';

CREATE FUNCTION crm.ltv(m crm.ltv_model, x double precision, t_x double precision, t double precision, mean_value double precision, horizon double precision, discount double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_ltv_raw' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION crm.ltv(crm.ltv_model, double precision, double precision, double precision, double precision, double precision, double precision) IS 'revenue to expect within the horizon, discounted; continuously compounded per unit of time';

CREATE FUNCTION crm.ltv_error(m crm.ltv_model, p crm.purchases, as_of timestamptz, horizon interval, annual_discount double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_ltv_error' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION crm.ltv_error(crm.ltv_model, crm.purchases, timestamptz, interval, double precision) IS 'standard error of ltv, from that of the parameters';

CREATE FUNCTION crm.ltv_error(m crm.ltv_model, p crm.purchases, horizon interval, annual_discount double precision) RETURNS double precision
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN crm.ltv_error(m, p, pg_catalog.now(), horizon, annual_discount);
COMMENT ON FUNCTION crm.ltv_error(crm.ltv_model, crm.purchases, interval, double precision) IS 'standard error of ltv, from that of the parameters, as of now';

CREATE FUNCTION crm.ltv_error(m crm.ltv_model, x double precision, t_x double precision, t double precision, mean_value double precision, horizon double precision, discount double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'crm_ltv_error_raw' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION crm.ltv_error(crm.ltv_model, double precision, double precision, double precision, double precision, double precision, double precision) IS 'standard error of ltv, from that of the parameters';

CREATE FUNCTION crm.residual_ltv(m crm.ltv_model, p crm.purchases, as_of timestamptz, annual_discount double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN crm.dert(m, p, as_of, annual_discount) * crm.expected_order_value(m, p);
COMMENT ON FUNCTION crm.residual_ltv(crm.ltv_model, crm.purchases, timestamptz, double precision) IS 'revenue to expect for all the time to come, discounted to as_of';

CREATE FUNCTION crm.residual_ltv(m crm.ltv_model, p crm.purchases, annual_discount double precision) RETURNS double precision
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN crm.residual_ltv(m, p, pg_catalog.now(), annual_discount);
COMMENT ON FUNCTION crm.residual_ltv(crm.ltv_model, crm.purchases, double precision) IS 'revenue to expect for all the time to come, discounted to now';

CREATE FUNCTION crm.historic_value(p crm.purchases) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN crm.revenue(p);
COMMENT ON FUNCTION crm.historic_value(crm.purchases) IS 'revenue so far, net of refunds';

CREATE FUNCTION crm.predicted_value(m crm.ltv_model, p crm.purchases, as_of timestamptz, horizon interval) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN crm.expected_orders(m, p, as_of, horizon) * crm.expected_order_value(m, p);
COMMENT ON FUNCTION crm.predicted_value(crm.ltv_model, crm.purchases, timestamptz, interval) IS 'revenue to expect within the horizon, not discounted';

CREATE FUNCTION crm.predicted_value(m crm.ltv_model, p crm.purchases, horizon interval) RETURNS double precision
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN crm.predicted_value(m, p, pg_catalog.now(), horizon);
COMMENT ON FUNCTION crm.predicted_value(crm.ltv_model, crm.purchases, interval) IS 'revenue to expect within the horizon, not discounted, as of now';

CREATE FUNCTION crm.total_value(m crm.ltv_model, p crm.purchases, as_of timestamptz, horizon interval) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CAST(crm.historic_value(p) AS double precision) + crm.predicted_value(m, p, as_of, horizon);
COMMENT ON FUNCTION crm.total_value(crm.ltv_model, crm.purchases, timestamptz, interval) IS 'revenue so far and to expect within the horizon';

CREATE FUNCTION crm.total_value(m crm.ltv_model, p crm.purchases, horizon interval) RETURNS double precision
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN crm.total_value(m, p, pg_catalog.now(), horizon);
COMMENT ON FUNCTION crm.total_value(crm.ltv_model, crm.purchases, interval) IS 'revenue so far and to expect within the horizon, as of now';

CREATE FUNCTION crm.next_order(p crm.purchases) RETURNS timestamptz
AS 'MODULE_PATHNAME', 'crm_next_order' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.next_order(crm.purchases) IS 'when to expect the next order: the last and once more the average gap; null with fewer than two, or after the last of all times';

CREATE FUNCTION crm.next_order(m crm.ltv_model, p crm.purchases) RETURNS timestamptz
AS 'MODULE_PATHNAME', 'crm_next_order_model' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION crm.next_order(crm.ltv_model, crm.purchases) IS 'when the next order will have come as likely as not, as seen from the last one, if the customer stays; null after the last of all times';

/* How good a prediction was. */

CREATE FUNCTION crm.absolute_error_add(double precision[], double precision, double precision) RETURNS double precision[]
AS 'MODULE_PATHNAME', 'crm_absolute_error_add' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.absolute_error_add(double precision[], double precision, double precision) IS 'aggregate transition function';

CREATE AGGREGATE crm.mean_absolute_error(actual double precision, expected double precision) (
	SFUNC = crm.absolute_error_add,
	STYPE = double precision[],
	INITCOND = '{0,0,0}',
	FINALFUNC = pg_catalog.float8_avg,
	COMBINEFUNC = pg_catalog.float8_combine,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.mean_absolute_error(double precision, double precision) IS 'average of |actual - expected|; null without rows';

/* The simplest formula of all, without a model. */

CREATE FUNCTION crm.simple_ltv(average_order_value numeric, purchase_frequency numeric, lifespan numeric, margin numeric DEFAULT 1) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN average_order_value * purchase_frequency * lifespan * margin;
COMMENT ON FUNCTION crm.simple_ltv(numeric, numeric, numeric, numeric) IS 'average order value x orders a year x years x margin';

CREATE FUNCTION crm.simple_ltv(average_order_value double precision, purchase_frequency double precision, lifespan double precision, margin double precision DEFAULT 1) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN average_order_value * purchase_frequency * lifespan * margin;
COMMENT ON FUNCTION crm.simple_ltv(double precision, double precision, double precision, double precision) IS 'average order value x orders a year x years x margin';
