-- crm.ltv_model: fits, predictions, and what is refused.
CREATE SCHEMA ltv_test;
SET search_path = ltv_test, public;
SET timezone = 'UTC';
\pset format unaligned
-- what a statement gives, or how it fails
CREATE FUNCTION outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	detail text;
	hint text;
BEGIN
	EXECUTE 'SELECT (' || statement || ')::text' INTO result;
	RETURN coalesce(result, 'NULL');
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE || ' ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
-- equal but for rounding
CREATE FUNCTION near(a float8, b float8, tolerance float8 DEFAULT 1e-12) RETURNS boolean LANGUAGE sql IMMUTABLE
RETURN abs(a - b) <= tolerance * greatest(abs(a), abs(b));

-- A model from known parameters: text form, back to the last bit, binary form.
SELECT crm.ltv_model('bg_nbd', ARRAY[0.243, 4.414, 0.793, 2.426], ARRAY[6.25, 3.74, 15.44]) AS bg,
	crm.ltv_model('mbg_nbd', '{0.525, 6.183, 0.891, 1.614}'::float8[]) AS mbg,
	crm.ltv_model('pareto_nbd', ARRAY[0.553, 10.578, 0.606, 11.669]) AS pareto \gset
SELECT :'bg' AS model UNION ALL SELECT :'mbg' UNION ALL SELECT :'pareto';
SELECT encode(crm.ltv_model_send(:'pareto'), 'hex');
SELECT m::text::crm.ltv_model::text = m::text AS text, crm.ltv_model_send(m::text::crm.ltv_model) = crm.ltv_model_send(m) AS "binary", m::text::json ->> 'model' AS model
FROM crm.ltv_model('bg_nbd', ARRAY[1/3::float8, 2/3::float8 * 1e-300, pi() * 1e300, 2.2250738585072014e-308]) m;
-- literals of no type
SELECT crm.ltv_model('pareto_nbd', '{0.553, 10.578, 0.606, 11.669}')::text = :'pareto' AS parameters, crm.ltv_model('bg_nbd', '{0.243, 4.414, 0.793, 2.426}', '{6.25, 3.74, 15.44}')::text = :'bg' AS spend,
	outcome($$crm.ltv_model('bg_nbd', 'four')$$) AS wrong;
SELECT ' { "model":"mbg_nbd" ,"unit" : "days", "parameters":[1,2.50,3e0,4E-1]} '::crm.ltv_model;
SELECT * FROM crm.parameters(:'bg');
SELECT name, estimate FROM crm.parameters(:'pareto');
SELECT crm.log_likelihood(m) IS NULL AS log_likelihood, crm.spend_log_likelihood(m) IS NULL AS spend, crm.customers(m) IS NULL AS customers, crm.converged(m) IS NULL AS converged,
	crm.expected_orders_error(m, 1, 2, 3, 4) IS NULL AS error, crm.ltv_error(m, 1, 2, 3, 4, 5, 0) IS NULL AS ltv_error
FROM (SELECT :'bg'::crm.ltv_model) v (m);
SELECT input, outcome(quote_literal(input) || '::crm.ltv_model') FROM (VALUES
	(''), ('{}'), ('{"model": "bg"}'), ('{"model": "bg_nbd'), ('{"model": "bg_nbd", "parameters": [1, 2, 3]}'), ('{"model": "bg_nbd", "parameters": [1, 2, 3, 4, 5]}'),
	('{"model": "bg_nbd", "parameters": [1, 2, 3, 4]} x'), ('{"model": "bg_nbd", "parameters": [1, 2, 3, 0]}'), ('{"model": "bg_nbd", "parameters": [1, 2, 3, -4]}'),
	('{"model": "bg_nbd", "parameters": [1, 2, 3, nan]}'), ('{"model": "bg_nbd", "parameters": [1, 2, 3, 1e999]}'), ('{"model": "bg_nbd", "parameters": [1, 2, 3, 0x10]}'),
	('{"model": "bg_nbd", "unit": "weeks", "parameters": [1, 2, 3, 4]}'), ('{"model": "bg_nbd", "parameters": [1, 2, 3, 4], "customers": 0, "repeat_purchases": 0, "log_likelihood": 0}'),
	('{"model": "bg_nbd", "parameters": [1, 2, 3, 4], "customers": 1}'), ('{"model": "bg_nbd", "parameters": [1, 2, 3, 4], "covariance": [1, 0, 1, 0, 0, 1, 0, 0, 0, 1]}'),
	('{"model": "bg_nbd", "parameters": [1, 2, 3, 4], "customers": 9, "repeat_purchases": 9, "log_likelihood": -9, "covariance": [1, 0, 1, 0, 0, 0, 0, 0, 0, 1]}'),
	('{"model": "bg_nbd", "parameters": [1, 2, 3, 4], "spend": [1, 2]}'), ('{"model": "bg_nbd", "parameters": [1, 2, 3, 4], "spend": [1, 2, 0]}'),
	('{"model": "bg_nbd", "parameters": [1, 2, 3, 4], "spend": [1, 2, 3], "spend_customers": 1, "spend_log_likelihood": 0}'),
	('{"model": "bg_nbd", "parameters": [1, 2, 3, 4], "customers": 9, "repeat_purchases": 9, "log_likelihood": -9, "spend": [1, 2, 3], "spend_customers": 10, "spend_log_likelihood": 0}')) v (input);
SELECT arguments, outcome('crm.ltv_model(' || arguments || ')') FROM (VALUES
	('''gg'', ''{1,2,3,4}''::float8[]'), ('''bg_nbd'', ''{1,2,3}''::float8[]'), ('''pareto_nbd'', ''{1,2,3,NULL}''::float8[]'), ('''bg_nbd'', ''{{1,2},{3,4}}''::float8[]'), ('''bg_nbd'', ''{}''::float8[]'), ('''pareto_nbd'', ''{1,2,0,4}''::float8[]'),
	('''mbg_nbd'', ''{1,2,-3,4}''::float8[]'), ('''mbg_nbd'', ''{1,2,3,NaN}''::float8[]'), ('''mbg_nbd'', ''{1,Infinity,3,4}''::float8[]'), ('''bg_nbd'', ''{1,2,3,4}''::float8[], ''{1,2}''::float8[]'), ('''bg_nbd'', ''{1,2,3,4}''::float8[], ''{1,2,-3}''::float8[]'), ('NULL, ''{1,2,3,4}''::float8[]')) v (arguments);

-- Published: Fader, Hardie & Lee 2005, table 2, and its customer of two repeat
-- purchases, the last at 30.43 of 38.86 weeks; E(X(39)) of a new customer.
SELECT round(crm.expected_orders(:'bg', 2, 30.43, 38.86, 39)::numeric, 3) AS expected_orders, round(crm.alive(:'bg', 2, 30.43, 38.86)::numeric, 3) AS alive,
	round(crm.churn_risk(:'bg', 2, 30.43, 38.86)::numeric, 3) AS churn_risk, round(crm.alive(:'bg', 0, 0, 38.86)::numeric, 3) AS one_time_buyer;
-- Fader & Hardie, note 018: the mean of spend p gamma / (q - 1), and of one repeat purchase of 30
SELECT near(crm.expected_order_value(:'bg'), 6.25 * 15.44 / 2.74) AS mean, near(crm.expected_order_value(:'bg', 1, 30), 6.25 * (15.44 + 30) / (6.25 + 3.74 - 1)) AS one;
-- spend of no mean (q <= 1): none for whom nothing is known, and never negative
SELECT crm.expected_order_value(m) IS NULL AS new, crm.expected_order_value(m, 0, 0) IS NULL AS once, near(crm.expected_order_value(m, 1, 30), 2 * (10 + 30) / (2 + 0.5 - 1)) AS twice, crm.expected_order_value(m, 1, 0) > 0 AS free,
	crm.ltv(m, 0, 0, 5, 0, 10, 0) IS NULL AS ltv, crm.ltv(m, 1, 2, 5, 30, 10, 0) > 0 AS ltv_twice, crm.expected_order_value(n, 1, 30) IS NULL AS less
FROM crm.ltv_model('bg_nbd', ARRAY[1,2,3,4], ARRAY[2,0.5,10]) m, crm.ltv_model('bg_nbd', ARRAY[1,2,3,4], ARRAY[0.5,0.5,10]) n;

-- Numbers that hang together, for each process: probabilities are those of a
-- distribution with the expected mean; discounting by 0 is none, by much is
-- less; all the time to come is a long horizon; none is nothing.
CREATE TABLE known AS SELECT crm.ltv_model(name, parameters, ARRAY[6,4,30]) AS m, name
FROM (VALUES ('bg_nbd', '{0.9,30,0.8,2.5}'::float8[]), ('mbg_nbd', '{0.9,30,0.8,2.5}'), ('pareto_nbd', '{0.9,30,1.6,200}')) v (name, parameters);
CREATE TABLE someone (x, t_x, t) AS VALUES (0, 0, 0), (0, 0, 300), (1, 0, 100), (3, 250, 300), (3, 300, 300), (40, 100, 110);
SELECT name, count(*),
	bool_and(near((SELECT sum(crm.order_probability(m, n, x, t_x, t, 30)) FROM generate_series(0, 120) n), 1, 1e-9)) AS sum,
	bool_and(near((SELECT sum(n * crm.order_probability(m, n, x, t_x, t, 30)) FROM generate_series(0, 200) n), crm.expected_orders(m, x, t_x, t, 30), 1e-8)) AS mean,
	bool_and(near(crm.order_probability(m, 0, x, t_x, t, 0), 1, 1e-14) AND crm.expected_orders(m, x, t_x, t, 0) = 0 AND crm.dect(m, x, t_x, t, 0, 0.1) = 0) AS no_horizon,
	bool_and(near(crm.dect(m, x, t_x, t, 30, 0), crm.expected_orders(m, x, t_x, t, 30), 1e-10)) AS no_discount,
	bool_and(crm.dect(m, x, t_x, t, 30, 0.01) < crm.expected_orders(m, x, t_x, t, 30)) AS discount,
	bool_and(near(crm.dert(m, x, t_x, t, 0.01), crm.dect(m, x, t_x, t, 5000, 0.01), 1e-10)) AS residual,
	bool_and(crm.ltv(m, x, t_x, t, 30, 30, 0.01) = crm.dect(m, x, t_x, t, 30, 0.01) * crm.expected_order_value(m, x, 30)) AS ltv,
	bool_and(crm.alive(m, x, t_x, t) BETWEEN 0 AND 1) AS alive
FROM known, someone GROUP BY name ORDER BY name;
SELECT name, near((SELECT sum(crm.order_probability(m, n, 300)) FROM generate_series(0, 600) n), 1, 1e-6) AS sum,
	near((SELECT sum(n * crm.order_probability(m, n, 300)) FROM generate_series(0, 600) n), crm.expected_orders(m, 300), 1e-4) AS mean, crm.expected_orders(m, 0) AS none
FROM known ORDER BY name;
-- the integral of the discounted rate, by the midpoint rule over differences
SELECT name, near(crm.dect(m, 3, 250, 300, 60, 0.01), (
		SELECT sum((crm.expected_orders(m, 3, 250, 300, k * 0.1) - crm.expected_orders(m, 3, 250, 300, (k - 1) * 0.1)) * exp(-0.01 * (k - 0.5) * 0.1)) FROM generate_series(1, 600) k), 1e-6) AS discounted
FROM known ORDER BY name;

-- Calls share what they found for a model: the values are those of a call alone,
-- to the last bit, with more models and horizons in turn than are kept apart.
CREATE FUNCTION alone(query text, m crm.ltv_model, x float8, t_x float8, t float8, horizon float8) RETURNS float8 LANGUAGE plpgsql SET max_parallel_workers_per_gather = 0 SET jit = off AS $$
DECLARE result float8;
BEGIN
	EXECUTE query INTO result USING m, x, t_x, t, horizon;
	RETURN result;
END $$;
SELECT name, count(*), bool_and(orders = alone('SELECT crm.expected_orders($1, $2, $3, $4, $5)', m, x, t_x, t, horizon)) AS orders,
	bool_and(discounted = alone('SELECT crm.dect($1, $2, $3, $4, $5, 0.01)', m, x, t_x, t, horizon)) AS discounted, bool_and(alive = alone('SELECT crm.alive($1, $2, $3, $4)', m, x, t_x, t, horizon)) AS alive
FROM (SELECT name, m, x, t_x, t, horizon, crm.expected_orders(m, x, t_x, t, horizon) AS orders, crm.dect(m, x, t_x, t, horizon, 0.01) AS discounted, crm.alive(m, x, t_x, t) AS alive
	FROM (SELECT name, crm.ltv_model(name, ARRAY[0.9, 20 + alpha, 1.6, 200]) AS m FROM known, generate_series(1, 10) alpha OFFSET 0) models,
		(SELECT * FROM someone UNION ALL VALUES (300, 250, 300) OFFSET 0) customers, (VALUES (0), (1e-9), (30), (365), (1e9)) h (horizon)
	ORDER BY x, t, horizon, m::text) v
GROUP BY name ORDER BY name;

-- Any discount: more of it is less, and as much as there are orders between none
-- of it (infinitely many for ever, where a or s is at most 1) and all of it.
SELECT name, a, bool_and(dert > 0 AND dert < 'Infinity' OR discount = 0) AS sound, bool_and(dert <= before * (1 + 1e-12)) AS falls, bool_and(dert >= crm.dect(m, 3, 250, 300, 365, discount) * (1 - 1e-12)) AS no_horizon,
	bool_and(discount < 1e9 OR near(dert * discount, crm.alive(m, 3, 250, 300) * 3.9 / 330, 1e-6)) AS all_of_it, bool_or(dert = 'Infinity') AS endless
FROM (SELECT name, a, m, discount, dert, coalesce(lag(dert) OVER (PARTITION BY name, a ORDER BY discount), dert) AS before
	FROM (SELECT name, a, m, discount, crm.dert(m, 3, 250, 300, discount) AS dert
		FROM (VALUES ('bg_nbd'), ('mbg_nbd'), ('pareto_nbd')) n (name), (VALUES (0.8::float8), (1), (1 + 1e-12), (2.5)) v (a), LATERAL crm.ltv_model(name, ARRAY[0.9, 30, a, 200]) m,
			unnest('{0, 5e-324, 1e-300, 1e-100, 1e-20, 1e-9, 1e-4, 0.01, 1, 1e3, 1e9, 1e15, 1e17, 1e30, 1e100}'::float8[]) discount) d) w
GROUP BY name, a ORDER BY name, a;
-- what is infinite has an infinite error
SELECT crm.expected_orders(m, 3, 250, 300, 'Infinity') AS orders, crm.expected_orders_error(m, 3, 250, 300, 'Infinity') AS error, crm.ltv_error(m, 3, 250, 300, 20, 'Infinity', 0) AS ltv_error
FROM (SELECT '{"model": "bg_nbd", "parameters": [0.9, 30, 0.8, 2.5], "customers": 99, "repeat_purchases": 99, "log_likelihood": -99, "covariance": [1, 0, 1, 0, 0, 1, 0, 0, 0, 1],
	"spend": [6, 4, 15], "spend_customers": 50, "spend_log_likelihood": -99, "spend_covariance": [1, 0, 1, 0, 0, 1]}'::crm.ltv_model) v (m);

-- Where one customer's numbers are tiny, or close to where they end: the formulas
-- of the papers, in forms that lose no digit.  A covariance of 1 makes an error
-- the length of the gradient by the logarithms of the parameters.
CREATE FUNCTION known(model text, parameters float8[]) RETURNS crm.ltv_model LANGUAGE sql IMMUTABLE
RETURN format('{"model": "%s", "parameters": [%s], "customers": 9, "repeat_purchases": 9, "log_likelihood": -9, "covariance": [1, 0, 1, 0, 0, 1, 0, 0, 0, 1], "spend": [1, 3, 2], "spend_customers": 9, "spend_log_likelihood": -9, "spend_covariance": [1, 0, 1, 0, 0, 1]}',
	model, array_to_string(parameters, ', '))::crm.ltv_model;
-- errors share what they found too: those of a call alone, to the last bit
SELECT name, count(*), bool_and(of_orders = alone('SELECT crm.expected_orders_error($1, $2, $3, $4, $5)', m, x, t_x, t, horizon)) AS of_orders,
	bool_and(of_ltv = alone('SELECT crm.ltv_error($1, $2, $3, $4, 20, $5, 0.01)', m, x, t_x, t, horizon)) AS of_ltv
FROM (SELECT name, m, x, t_x, t, horizon, crm.expected_orders_error(m, x, t_x, t, horizon) AS of_orders, crm.ltv_error(m, x, t_x, t, 20, horizon, 0.01) AS of_ltv
	FROM (SELECT name, known(name, ARRAY[0.9, 20 + alpha, 1.6, 200]) AS m FROM (VALUES ('bg_nbd'), ('mbg_nbd'), ('pareto_nbd')) n (name), generate_series(1, 10) alpha OFFSET 0) models,
		(VALUES (0::float8, 0::float8, 90::float8), (3, 50, 90), (3, 50, 91), (40, 250, 300), (300, 250, 300)) customers (x, t_x, t), (VALUES (0), (1e-9), (30), (365), (1e9)) h (horizon)
	ORDER BY x, t, horizon, m::text) v
GROUP BY name ORDER BY name;
-- lost with odds of a / b, which is less than a digit of 1
SELECT near(crm.churn_risk(crm.ltv_model('bg_nbd', ARRAY[1, 2, 1e-20, 0.5]), 1, 3, 3), 2e-20) AS churn_risk,
-- silent until t: ever since the first order (b / (a + b) of a coin, and a rate), or lost before a chance to order
	near(crm.log_likelihood(crm.ltv_model('mbg_nbd', ARRAY[1e-14, 2, 1000, 0.001]), 0, 0, 2), -1e-14 * ln(2) * 0.001 / 1000.001) AS silent,
	near(crm.log_likelihood(crm.ltv_model('pareto_nbd', ARRAY[1, 1e9, 2, 1]), 0, 0, 1), -1e-9 * (1 - 1 / 2.0), 1e-8) AS lost;
-- a pole of the orders for all the time to come, (a + b - 1) / (a - 1) and beta / (s - 1): the gradient by log a is -a b / ((a - 1) (a + b - 1)), by log s -s / (s - 1)
SELECT a, near(crm.expected_orders_error(known('bg_nbd', ARRAY[0.5, 10, a, 2]), 0, 0, 0, 'Infinity'), (a + 1) / (a - 1) * sqrt((a * 2 / ((a - 1) * (a + 1))) ^ 2 + (2 / (a + 1)) ^ 2)) AS bg_nbd,
	near(crm.expected_orders_error(known('pareto_nbd', ARRAY[0.5, 10, a, 2]), 0, 0, 0, 'Infinity'), 0.5 * 2 / (10 * (a - 1)) * sqrt(3 + (a / (a - 1)) ^ 2)) AS pareto_nbd
FROM (VALUES (1.0005::float8), (1.002), (1.5), (30)) v (a);
-- who is all but surely lost: P(alive) is 1e-261, its gradient by log a -1 as by log b b / (b + x - 1), by log r and alpha large; orders of a moment
SELECT near(crm.expected_orders_error(m, 1000, 1, 2.25, 1e-9) / orders, length, 1e-6) AS orders, near(crm.ltv_error(m, 1000, 1, 2.25, 5, 1e-9, 0.1) / (orders * 1 * (2 + 1000 * 5) / 1002), sqrt(length ^ 2 + (2 / 1002.0) ^ 2 + (3 / 1002.0) ^ 2 + (2 / 5002.0) ^ 2), 1e-6) AS ltv
FROM known('bg_nbd', ARRAY[2, 0.5, 0.8, 3]) AS m, crm.expected_orders(m, 1000, 1, 2.25, 1e-9) AS orders,
	LATERAL (SELECT sqrt((2 / 1002.0 - 2 * ln(2.75 / 1.5)) ^ 2 + (1002 * 0.5 * 1.25 / 1.5 / 2.75 - 0.5 / 2.75) ^ 2 + 1 + (3 / 1002.0) ^ 2) AS length) l;

-- no probability is above 1, where there is next to no time to be lost in either
SELECT crm.alive(crm.ltv_model('pareto_nbd', '{1, 0.001, 1e-8, 1000}'), 0, 0, 1e-6) AS alive;
-- all the time to come, infinitely many orders, of one whose P(alive) is too small for a number
SELECT model, crm.alive(known(model, parameters), 3910, 1, 365) AS alive, crm.expected_orders(known(model, parameters), 3910, 1, 365, 'Infinity') AS orders, crm.dert(known(model, parameters), 3910, 1, 365, 0) AS dert,
	crm.expected_orders_error(known(model, parameters), 3910, 1, 365, 'Infinity') AS error, crm.expected_orders(known(model, parameters), 3910, 1, 365, 30) AS month
FROM unnest('{bg_nbd, mbg_nbd, pareto_nbd}'::text[]) model, (VALUES ('{0.8, 0.002, 0.6, 500}'::float8[])) v (parameters);

-- With purchases, in days: the same as their numbers, whatever the calendar.
CREATE TABLE bought (name text, p crm.purchases);
INSERT INTO bought VALUES
	('once', (SELECT crm.purchases(timestamptz '2025-03-01 12:00Z', 10))),
	('often', (SELECT crm.purchases(timestamptz '2025-01-01 00:00Z' + g * interval '36 hours', 10 * g) FROM generate_series(0, 40) g)),
	('free', (SELECT crm.purchases(at, 0) FROM (VALUES (timestamptz '2025-01-01Z'), ('2025-02-01Z')) v (at))),
	('refunded', (SELECT crm.purchases(at, amount) FROM (VALUES (timestamptz '2025-01-01Z', 20), ('2025-02-01Z', 30), ('2025-02-02Z', -30)) v (at, amount))),
	('by the day', (SELECT crm.purchases(timestamptz '2025-01-01 09:00Z' + g * interval '12 hours', 10, '1 day') FROM generate_series(0, 9) g)),
	('two at first', (SELECT crm.purchases(at, amount) FROM (VALUES (timestamptz '2025-01-01Z', 20), ('2025-01-01Z', 30), ('2025-02-02Z', 60)) v (at, amount))),
	('refund only', (SELECT crm.purchases(timestamptz '2025-01-01Z', -5))),
	('later', (SELECT crm.purchases(timestamptz '2025-07-02Z', 5)));
\set as_of '2025-07-01Z'
SELECT name, count(*),
	bool_and(crm.alive(d, p, :'as_of') = crm.alive(d, x, t_x, t) AND crm.churn_risk(d, p, :'as_of') = crm.churn_risk(d, x, t_x, t) AND near(crm.churn_risk(d, x, t_x, t), 1 - crm.alive(d, x, t_x, t))) AS alive,
	bool_and(crm.expected_orders(d, p, :'as_of', '90 days') = crm.expected_orders(d, x, t_x, t, 90)) AS orders,
	bool_and(crm.expected_orders(d, p, :'as_of', '1 mon 2 days 12:00') = crm.expected_orders(d, x, t_x, t, 33.5)) AS months,
	bool_and(crm.order_probability(d, 2, p, :'as_of', '90 days') = crm.order_probability(d, 2, x, t_x, t, 90)) AS probability,
	bool_and(near(crm.discounted_orders(d, p, :'as_of', '1 year', 0.1), crm.dect(d, x, t_x, t, 365, ln(1.1) / 365.25))) AS discounted,
	bool_and(near(crm.dert(d, p, :'as_of', 0.1), crm.dert(d, x, t_x, t, ln(1.1) / 365.25))) AS residual,
	bool_and(near(crm.expected_order_value(d, p), crm.expected_order_value(d, x, v))) AS order_value,
	bool_and(near(crm.ltv(d, p, :'as_of', '1 year', 0.1), crm.discounted_orders(d, p, :'as_of', '1 year', 0.1) * crm.expected_order_value(d, p))) AS ltv,
	bool_and(near(crm.residual_ltv(d, p, :'as_of', 0.1), crm.dert(d, p, :'as_of', 0.1) * crm.expected_order_value(d, p))) AS residual_ltv,
	bool_and(near(crm.total_value(d, p, :'as_of', '1 year'), crm.revenue(p)::float8 + crm.predicted_value(d, p, :'as_of', '1 year'))
		AND crm.historic_value(p) = crm.revenue(p) AND near(crm.predicted_value(d, p, :'as_of', '1 year'), crm.expected_orders(d, p, :'as_of', '365 days') * crm.expected_order_value(d, p))) AS value
FROM (SELECT kind, crm.in_days(m, 1) FROM (SELECT name, m FROM known) k (kind, m)) k (kind, d), LATERAL (
	SELECT name, p, crm.repeat_purchases(p)::float8, crm.active_days(p), crm.observed_days(p, :'as_of'), coalesce(crm.repeat_value(p), 0)::float8
	FROM bought WHERE name NOT IN ('refund only', 'later')) b (name, p, x, t_x, t, v)
GROUP BY name ORDER BY name;
-- who has not bought until then: nothing to say
SELECT name, crm.alive(m, p, :'as_of') IS NULL AS alive, crm.expected_orders(m, p, :'as_of', '1 year') IS NULL AS orders, crm.ltv(m, p, :'as_of', '1 year', 0) IS NULL AS ltv, crm.expected_order_value(m, p) IS NULL AS order_value
FROM bought, (SELECT crm.in_days(m, 1) AS m FROM known WHERE name = 'bg_nbd') k WHERE bought.name IN ('refund only', 'later') ORDER BY name;
-- as of now, which a day's orders of long ago don't mind
BEGIN;
SELECT bool_and(crm.alive(m, p) = crm.alive(m, p, now()) AND crm.churn_risk(m, p) = crm.churn_risk(m, p, now()) AND crm.expected_orders(m, p, '1 year') = crm.expected_orders(m, p, now(), '1 year')
	AND crm.order_probability(m, 0, p, '1 year') = crm.order_probability(m, 0, p, now(), '1 year') AND crm.discounted_orders(m, p, '1 year', 0.1) = crm.discounted_orders(m, p, now(), '1 year', 0.1)
	AND crm.dert(m, p, 0.1) = crm.dert(m, p, now(), 0.1) AND crm.ltv(m, p, '1 year', 0.1) = crm.ltv(m, p, now(), '1 year', 0.1) AND crm.residual_ltv(m, p, 0.1) = crm.residual_ltv(m, p, now(), 0.1)
	AND crm.predicted_value(m, p, '1 year') = crm.predicted_value(m, p, now(), '1 year') AND crm.total_value(m, p, '1 year') = crm.total_value(m, p, now(), '1 year')) AS now
FROM bought, (SELECT crm.in_days(m, 1) AS m FROM known WHERE name = 'bg_nbd') k WHERE name = 'often';
COMMIT;
-- the next order: a gap more, or the median of the model's (Lomax) time
SELECT name, crm.next_order(p), date_trunc('second', crm.next_order(m, p)) AS by_model,
	near(extract(epoch FROM crm.next_order(m, p) - crm.last_order(p))::float8 / 86400, (30 + crm.active_days(p)) * (2 ^ (1 / (0.9 + crm.repeat_purchases(p))) - 1), 1e-9) AS median
FROM bought, (SELECT crm.in_days(m, 1) AS m FROM known WHERE name = 'bg_nbd') k ORDER BY name;
-- none where no timestamp is so late: one customer must not stop a report
SELECT crm.next_order(crm.in_days(crm.ltv_model('bg_nbd', ARRAY[r, 60, 1, 1]), 1), p) > '2190-01-01Z' AS by_model
FROM (SELECT crm.purchases('2025-01-01'::date, 1)) b (p), unnest('{0.1, 0.02, 1e-300}'::float8[]) r;
SELECT crm.next_order(p) IS NULL AS too_late FROM (SELECT crm.purchases(at, 1) FROM unnest(ARRAY['4714-11-24 BC', '294276-12-31']::date[]) at) b (p);
-- of a new customer
SELECT near(crm.expected_repeat_orders(m, '2025-01-01Z', '2025-03-02 12:00Z'), crm.expected_orders(m, 60.5)) AS expected, crm.expected_repeat_orders(m, '2025-01-01Z', '2025-01-01Z') AS none, crm.expected_repeat_orders(m, '2025-01-01Z', '2024-01-01Z') AS before
FROM (SELECT crm.in_days(m, 1) AS m FROM known WHERE name = 'bg_nbd') k;

-- what was bought, refunds put back, can be more than a bigint counts
SELECT crm.repeat_value(p), near(crm.expected_order_value(:'bg', p), crm.expected_order_value(:'bg', crm.repeat_purchases(p), crm.repeat_value(p)::float8)) AS order_value
FROM (SELECT crm.purchases(at, amount) FROM (VALUES ('2025-01-01'::date, 100.0), ('2025-01-02', 900000000000000), ('2025-01-03', -900000000000000), ('2025-01-04', 900000000000000)) o (at, amount)
	UNION ALL SELECT crm.purchases(at, amount) FROM (VALUES ('2025-01-01'::date, 100.0), ('2025-01-01', 900000000000000), ('2025-01-03', -900000000000000), ('2025-01-04', 900000000000000)) o (at, amount)) b (p);

-- as far as time goes: more microseconds than a bigint counts
SELECT name, near(crm.expected_repeat_orders(m, '4713-01-01Z BC', '294276-01-01Z'), crm.expected_orders(m, days)) AS expected, near(crm.alive(m, p, '294276-01-01Z'), crm.alive(m, 0, 0, days)) AS alive,
	near(crm.expected_orders(m, p, '4713-01-01Z BC', '298000 years'), crm.expected_orders(m, 0, 0, 0, date '293288-01-01' - date '4713-01-01 BC')) AS horizon
FROM (SELECT crm.in_days(m, 1), name FROM known) k (m, name), (SELECT crm.purchases(timestamptz '4713-01-01Z BC', 1), date '294276-01-01' - date '4713-01-01 BC') b (p, days) ORDER BY name;

-- A model that does not say its unit is taken to be in days, once told.
SELECT name, crm.alive(:'bg', p, :'as_of') > 0 AS alive FROM bought WHERE name IN ('once', 'often') ORDER BY name;
SELECT crm.in_days(:'bg', 7);
SELECT near(crm.expected_orders(crm.in_days(m, 7), 3, 7 * 250, 7 * 300, 7 * 60), crm.expected_orders(m, 3, 250, 300, 60)) AS same, crm.in_days(m, 7)::text::json -> 'parameters' AS parameters FROM known ORDER BY name;

-- What is refused.
SELECT call, outcome('crm.' || replace(replace(replace(replace(call, '@M', quote_literal(:'bg')), '@N', quote_literal(:'mbg')), '@D', quote_literal(crm.in_days(:'bg', 1))), '@P', quote_literal(p)))
FROM bought, (VALUES
	('alive(@M, -1, 0, 1)'), ('alive(@M, 1.5, 0, 1)'), ('alive(@M, ''NaN'', 0, 1)'), ('alive(@M, 1e10, 0, 1)'), ('alive(@M, 1, 2, 1)'), ('alive(@M, 1, -1, 1)'), ('alive(@M, 1, ''NaN'', 1)'), ('alive(@M, 0, 1, 1)'),
	('alive(@M, 1, 1, ''Infinity'')'), ('alive(@M, 1, 1, ''NaN'')'), ('alive(@M, 0, 0, -1)'), ('alive(@M, 1, NULL, 1)'), ('expected_orders(@M, 1, 1, 1, -1)'), ('expected_orders(@M, 1, 1, 1, ''NaN'')'), ('expected_orders(@M, -1)'),
	('order_probability(@M, -1, 1, 1, 1, 1)'), ('order_probability(@M, 1, 1, 1, 1, ''Infinity'')'), ('dert(@M, 1, 1, 1, -0.1)'), ('dect(@M, 1, 1, 1, 1, ''NaN'')'), ('dect(@M, 1, 1, 1, 1, ''Infinity'')'),
	('ltv(@M, 1, 1, 1, -1, 1, 0)'), ('ltv(@N, 1, 1, 1, 1, 1, 0)'), ('expected_order_value(@N, 1, 1)'), ('expected_order_value(@M, 1, ''NaN'')'), ('expected_order_value(@M, 0.5, 1)'), ('spend_log_likelihood(@N, 1, 1)'),
	('expected_orders(@D, @P, ''infinity'', ''1 year'')'), ('expected_orders(@D, @P, ''2025-02-01Z'', ''1 year'')'), ('expected_orders(@D, @P, ''2025-07-01Z'', ''-1 day'')'), ('ltv(@D, @P, ''2025-07-01Z'', ''1 year'', -0.1)'),
	('ltv(@D, @P, ''2025-07-01Z'', ''1 year'', ''NaN'')'), ('expected_repeat_orders(@D, ''-infinity'', ''2025-01-01Z'')'), ('in_days(@M, 0)'), ('in_days(@M, ''Infinity'')'), ('in_days(@D, 1)')) v (call)
WHERE name = 'often';
-- parameters that no customers have: an error, not NaN
SELECT call, outcome('crm.' || replace(replace(call, '@P', 'crm.ltv_model(''pareto_nbd'', ''{1e-300, 1, 1e-300, 1e-300}'')'), '@B', 'crm.ltv_model(''bg_nbd'', ''{1, 1, 1e-300, 1e-300}'', ''{1e-300, 2, 1e-300}'')')) FROM (VALUES
	('alive(@P, 0, 0, 1e300)'), ('churn_risk(@P, 0, 0, 1e300)'), ('expected_orders(@P, 0, 0, 1e300, 10)'), ('log_likelihood(@P, 0, 0, 1e300)'), ('ltv(@B, 0, 0, 0, 0, ''Infinity'', 0)')) v (call);

-- Simulated bases (inverse transform of hashes: the same everywhere).
CREATE FUNCTION uniform(stream int, id bigint, n bigint) RETURNS float8 LANGUAGE sql IMMUTABLE
RETURN ((hashint8extended(id * 1000 + n, stream) & 4503599627370495) + 0.5) / 4503599627370496;
-- rate ~ gamma(1) / 30, p ~ beta(1, 3), death ~ gamma(1) / 150; value of a purchase ~ gamma(2) / scale, scale ~ gamma(3) / 40
CREATE TABLE people AS
SELECT id, 100 + 300 * uniform(1, id, 0) AS t, -ln(uniform(2, id, 0)) / 30 AS rate, 1 - uniform(3, id, 0) ^ (1 / 3.0) AS p,
	ln(uniform(4, id, 0)) / ln(uniform(5, id, 0)) * 150 AS life, -ln(uniform(6, id, 0) * uniform(6, id, 1) * uniform(6, id, 2)) / 40 AS scale, uniform(7, id, 0) AS luck
FROM generate_series(1, 500) id;
CREATE TABLE arrivals AS
SELECT id, n, sum(-ln(uniform(8, id, n)) / rate) OVER (PARTITION BY id ORDER BY n) AS at, -ln(uniform(9, id, n) * uniform(10, id, n)) / scale AS value
FROM people, generate_series(1, 160) n;
CREATE TABLE base AS
SELECT name, id, count(at) AS x, coalesce(max(at), 0) AS t_x, t, avg(value) AS mean_value
FROM people CROSS JOIN (VALUES ('bg_nbd'), ('mbg_nbd'), ('pareto_nbd')) v (name)
LEFT JOIN LATERAL (
	SELECT at, value FROM arrivals
	WHERE arrivals.id = people.id AND at <= t AND CASE name
		WHEN 'bg_nbd' THEN n <= 1 + floor(ln(luck) / ln(1 - p))
		WHEN 'mbg_nbd' THEN n <= floor(ln(luck) / ln(1 - p))
		ELSE at <= life END) a ON true
GROUP BY name, id, t;
SELECT name, count(*), sum(x) > 500 AS repeats, max(x) < 160 AS all_arrivals FROM base GROUP BY name ORDER BY name;
CREATE TABLE fitted AS SELECT name, crm.ltv_model(x, t_x, t, mean_value, name) AS m FROM base GROUP BY name;
-- within three standard errors of the truth, which are there and not wide
CREATE TABLE truth (name, parameter, value) AS VALUES
	('bg_nbd', 'r', 1.0), ('bg_nbd', 'alpha', 30), ('bg_nbd', 'a', 1), ('bg_nbd', 'b', 3), ('mbg_nbd', 'r', 1), ('mbg_nbd', 'alpha', 30), ('mbg_nbd', 'a', 1), ('mbg_nbd', 'b', 3),
	('pareto_nbd', 'r', 1), ('pareto_nbd', 'alpha', 30), ('pareto_nbd', 's', 1), ('pareto_nbd', 'beta', 150),
	('', 'p', 2), ('', 'q', 3), ('', 'gamma', 40);
SELECT f.name, parameter, round(value, 0) AS truth, abs(estimate - value) < 3 * standard_error AS within, standard_error < estimate AS known
FROM fitted f, crm.parameters(m) p, truth t WHERE t.parameter = p.name AND t.name IN (f.name, '') ORDER BY f.name, t.name DESC, parameter COLLATE "C";
-- the log-likelihood is that of the customers, at its maximum
SELECT name, crm.customers(m), crm.converged(m), near(crm.log_likelihood(m), (SELECT sum(crm.log_likelihood(m, x, t_x, t)) FROM base WHERE base.name = fitted.name)) AS log_likelihood,
	near(crm.spend_log_likelihood(m), (SELECT sum(crm.spend_log_likelihood(m, x, coalesce(mean_value, 0))) FROM base WHERE base.name = fitted.name)) AS spend,
	(m::text::json ->> 'repeat_purchases')::bigint = (SELECT sum(x) FROM base WHERE base.name = fitted.name) AS repeats, (m::text::json ->> 'spend_customers')::bigint = (SELECT count(*) FILTER (WHERE x > 0) FROM base WHERE base.name = fitted.name) AS spend_customers
FROM fitted ORDER BY name;
-- a parameter 1e-3 more or less is less likely, and equally so to first order
CREATE FUNCTION moved(m crm.ltv_model, which int, by float8) RETURNS crm.ltv_model LANGUAGE sql IMMUTABLE
RETURN crm.ltv_model(m::text::json ->> 'model', (SELECT array_agg(estimate * CASE WHEN n = which THEN exp(by) ELSE 1 END ORDER BY n) FROM crm.parameters(m) WITH ORDINALITY p (name, estimate, error, n) WHERE n <= 4),
	(SELECT array_agg(estimate * CASE WHEN n = which THEN exp(by) ELSE 1 END ORDER BY n) FROM crm.parameters(m) WITH ORDINALITY p (name, estimate, error, n) WHERE n > 4));
SELECT name, which, up < here AND down < here AS maximum, abs(up - down) < 0.01 * (2 * here - up - down) AS level
FROM fitted, generate_series(1, 7) which, LATERAL (SELECT
		sum(crm.log_likelihood(m, x, t_x, t) + crm.spend_log_likelihood(m, x, coalesce(mean_value, 0))),
		sum(crm.log_likelihood(u, x, t_x, t) + crm.spend_log_likelihood(u, x, coalesce(mean_value, 0))),
		sum(crm.log_likelihood(d, x, t_x, t) + crm.spend_log_likelihood(d, x, coalesce(mean_value, 0)))
	FROM base, moved(m, which, 1e-3) u, moved(m, which, -1e-3) d WHERE base.name = fitted.name) s (here, up, down)
ORDER BY name, which;
-- standard errors of predictions: the delta method, with derivatives by differences
CREATE FUNCTION covariance(m crm.ltv_model, i int, j int) RETURNS float8 LANGUAGE sql IMMUTABLE
RETURN CASE WHEN least(i, j) > 4 THEN (m::text::json -> 'spend_covariance' ->> ((greatest(i, j) - 5) * (greatest(i, j) - 4) / 2 + least(i, j) - 5))::float8
	WHEN greatest(i, j) < 5 THEN (m::text::json -> 'covariance' ->> (greatest(i, j) * (greatest(i, j) - 1) / 2 + least(i, j) - 1))::float8 ELSE 0 END;
SELECT name, near(crm.expected_orders_error(m, 3, 50, 90, 365), sqrt(orders), 1e-5) AS orders, near(crm.ltv_error(m, 3, 50, 90, 40, 365, 0.001), sqrt(ltv), 1e-5) AS ltv, near(crm.ltv_error(m, 0, 0, 90, 0, 365, 0.001), sqrt(once), 1e-5) AS once
FROM fitted, LATERAL (SELECT sum(covariance(m, a.i, b.i) * a.orders * b.orders) / 4e-8, sum(covariance(m, a.i, b.i) * a.ltv * b.ltv) / 4e-8, sum(covariance(m, a.i, b.i) * a.once * b.once) / 4e-8
	FROM (SELECT i, crm.expected_orders(moved(m, i, 1e-4), 3, 50, 90, 365) - crm.expected_orders(moved(m, i, -1e-4), 3, 50, 90, 365) AS orders,
			crm.ltv(moved(m, i, 1e-4), 3, 50, 90, 40, 365, 0.001) - crm.ltv(moved(m, i, -1e-4), 3, 50, 90, 40, 365, 0.001) AS ltv,
			crm.ltv(moved(m, i, 1e-4), 0, 0, 90, 0, 365, 0.001) - crm.ltv(moved(m, i, -1e-4), 0, 0, 90, 0, 365, 0.001) AS once FROM generate_series(1, 7) i) a,
		(SELECT i, crm.expected_orders(moved(m, i, 1e-4), 3, 50, 90, 365) - crm.expected_orders(moved(m, i, -1e-4), 3, 50, 90, 365) AS orders,
			crm.ltv(moved(m, i, 1e-4), 3, 50, 90, 40, 365, 0.001) - crm.ltv(moved(m, i, -1e-4), 3, 50, 90, 40, 365, 0.001) AS ltv,
			crm.ltv(moved(m, i, 1e-4), 0, 0, 90, 0, 365, 0.001) - crm.ltv(moved(m, i, -1e-4), 0, 0, 90, 0, 365, 0.001) AS once FROM generate_series(1, 7) i) b) s (orders, ltv, once)
ORDER BY name;

-- Any unit of time and money: hours, weeks, years; yen, bitcoin.
SELECT f.name, unit, money, bool_and(near(s.estimate, f2.estimate * CASE WHEN f2.name IN ('alpha', 'beta') THEN unit WHEN f2.name = 'gamma' THEN money ELSE 1 END, 1e-9)
	AND near(s.standard_error / s.estimate, f2.standard_error / f2.estimate, 1e-6)) AS same
FROM fitted f, (VALUES (24, 100.0), (1 / 7.0, 1e-6), (1 / 365.25, 1e6)) v (unit, money),
	LATERAL (SELECT crm.ltv_model(x * 1.0, t_x * unit::float8, t * unit::float8, mean_value * money::float8, f.name) FROM base WHERE base.name = f.name) g (m),
	LATERAL crm.parameters(g.m) WITH ORDINALITY s (name, estimate, standard_error, n), LATERAL crm.parameters(f.m) WITH ORDINALITY f2 (name, estimate, standard_error, n)
WHERE s.n = f2.n GROUP BY f.name, unit, money ORDER BY f.name, unit;

-- Folded, in any order, in parallel: the same to the last bit.
CREATE TABLE repeated AS SELECT name, floor(x) AS x, ceil(t_x) AS t_x, ceil(t) AS t, round(mean_value) AS mean_value FROM base, generate_series(1, 20);
ANALYZE repeated;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE folded AS SELECT name, crm.ltv_model(x, t_x, t, mean_value, name) AS m FROM repeated GROUP BY name;
SELECT name, crm.customers(f.m), near(crm.log_likelihood(f.m), 20 * crm.log_likelihood(g.m), 1e-9) AS log_likelihood, f.m::text = o.m::text AS any_order
FROM folded f, LATERAL (SELECT crm.ltv_model(floor(x), ceil(t_x), ceil(t), round(mean_value), f.name) FROM base WHERE base.name = f.name) g (m),
	LATERAL (SELECT crm.ltv_model(x, t_x, t, mean_value, f.name ORDER BY t DESC, x) FROM repeated WHERE repeated.name = f.name) o (m) ORDER BY name;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT crm.ltv_model(x, t_x, t, mean_value, 'bg_nbd') FROM repeated WHERE name = 'bg_nbd';
EXPLAIN (COSTS OFF) SELECT sum(crm.ltv(crm.ltv_model('bg_nbd', ARRAY[0.2, 4, 0.8, 2.4], ARRAY[6, 4, 15]), x, t_x, t, coalesce(mean_value, 0), 365, 0.001)) FROM repeated;
SELECT name, crm.ltv_model(x, t_x, t, mean_value, name)::text = (SELECT m::text FROM folded WHERE folded.name = repeated.name) AS parallel FROM repeated GROUP BY name ORDER BY name;
SELECT crm.ltv_model(x, t_x, t, mean_value, 'pareto_nbd')::text = (SELECT m::text FROM folded WHERE name = 'pareto_nbd') AS parallel FROM repeated WHERE name = 'pareto_nbd';
SELECT crm.ltv_model(x, t_x, t, mean_value, 'bg_nbd') IS NULL AS none FROM repeated WHERE name = '';
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- The same from purchases: days, seconds exactly, and amounts.
CREATE TABLE shop AS
SELECT id, crm.purchases(at, amount) AS p FROM (
	SELECT id, timestamptz '2025-12-31Z' - t * interval '1 day' AS at, 10 AS amount FROM base WHERE name = 'mbg_nbd'
	UNION ALL SELECT base.id, timestamptz '2025-12-31Z' - base.t * interval '1 day' + at * interval '1 day', round(value::numeric, 2)
	FROM base JOIN people USING (id) JOIN arrivals USING (id) WHERE name = 'mbg_nbd' AND at <= base.t_x) o
GROUP BY id;
SELECT crm.ltv_model(p, '2025-12-31Z', 'mbg_nbd') AS mbg, crm.ltv_model(p, '2025-12-31Z') AS bg FROM shop \gset
SELECT :'mbg'::json ->> 'unit' AS unit, :'bg'::json ->> 'model' AS "default", crm.customers(:'mbg'), near(crm.log_likelihood(:'mbg'), crm.log_likelihood(m), 1e-9) AS log_likelihood, near(crm.spend_log_likelihood(:'mbg'), crm.spend_log_likelihood(m), 1e-9) AS spend
FROM (SELECT crm.ltv_model(crm.repeat_purchases(p), crm.active_days(p), crm.observed_days(p, '2025-12-31Z'), crm.repeat_value(p)::float8, 'mbg_nbd') FROM shop) s (m);
-- skipped: NULL, no orders, first seen later; a refund and a free order change no count
SELECT crm.ltv_model(p, '2025-12-31Z')::text = :'bg' AS skipped FROM (SELECT p FROM shop UNION ALL SELECT NULL UNION ALL SELECT crm.purchases(NULL::timestamptz, 1)
	UNION ALL SELECT crm.purchases(timestamptz '2025-01-01Z', -1) UNION ALL SELECT crm.purchases(timestamptz '2026-01-01Z', 1)) v;
SELECT crm.ltv_model(crm.purchases_add(p, '2025-12-31Z', -1), '2025-12-31Z')::text = :'bg' AS refunds FROM shop;
-- calibration and holdout: the last purchase must not be later than as_of
SELECT crm.ltv_model(p, '2025-06-30Z') FROM (SELECT crm.purchases(at, 1) AS p FROM (VALUES (timestamptz '2025-01-01Z'), ('2025-12-29 14:20:01.441059Z')) o (at)) s;
-- as of now
BEGIN;
SELECT crm.ltv_model(p)::text = crm.ltv_model(p, now())::text AS now FROM shop;
COMMIT;
-- free orders only: a model of orders, without spend
SELECT m::text::json ->> 'spend' IS NULL AS no_spend, crm.log_likelihood(m) = crm.log_likelihood(:'bg') AS orders FROM (SELECT crm.ltv_model(p, '2025-12-31Z') AS m FROM
	(SELECT crm.purchases(at, 0) AS p FROM (SELECT id, crm.first_order(p) AS at FROM shop UNION ALL SELECT base.id, timestamptz '2025-12-31Z' - base.t * interval '1 day' + at * interval '1 day' FROM base JOIN arrivals USING (id) WHERE name = 'mbg_nbd' AND at <= base.t_x) o GROUP BY id) f) m;

-- No customers, one, all alike, none with a second purchase, an endless slope.
SELECT crm.ltv_model(x, t_x, t, 'bg_nbd') IS NULL AS none FROM base WHERE false;
SELECT crm.ltv_model(x, t_x, NULL, 'bg_nbd') IS NULL AS nulls FROM base;
SELECT crm.ltv_model(3, 2, 5, 'bg_nbd');
SELECT crm.ltv_model(3, 2, 5, 20, 'pareto_nbd') FROM generate_series(1, 1000000);
SELECT crm.ltv_model(0, 0, g, 'mbg_nbd') FROM generate_series(1, 1000) g;
SELECT crm.ltv_model(x, t_x, t, CASE WHEN id = 7 THEN 'bg_nbd' ELSE 'mbg_nbd' END) FROM base;
SELECT crm.ltv_model(x, t_x, t, NULL) FROM base;
SELECT crm.ltv_model(x, t_x, t, 'gg') FROM base;
SELECT crm.ltv_model(x, t, t_x - 1, 'bg_nbd') FROM base WHERE t_x = 0;
SELECT crm.ltv_model(x, t_x, t, -1, 'bg_nbd') FROM base;
-- everyone alike but for the time seen, and nobody lost
SELECT crm.converged(m), crm.expected_orders(m, 10) BETWEEN 0.9 AND 1.1 AS rate, (SELECT bool_and(standard_error IS NULL) FROM crm.parameters(m)) AS no_errors
FROM (SELECT crm.ltv_model(g, 10 * g, 10 * g + 5, 'bg_nbd') AS m FROM generate_series(1, 40) g) s;
-- spend: too few who differ, all alike, and scale ~ gamma(1/2) / 40: no mean
SELECT (SELECT count(*) FROM crm.parameters(m)) AS parameters FROM (SELECT crm.ltv_model(x, t_x, t, 20, 'bg_nbd') AS m FROM base WHERE name = 'bg_nbd' AND x < 3) s;
SELECT (SELECT count(*) FROM crm.parameters(m)) AS parameters, crm.converged(m), round(crm.expected_order_value(m)::numeric, 3) AS mean FROM (SELECT crm.ltv_model(x, t_x, t, 20, 'bg_nbd') AS m FROM base WHERE name = 'bg_nbd') s;
SELECT crm.converged(m), crm.expected_order_value(m) IS NULL AS no_mean, crm.expected_order_value(m, 1, 10) > 0 AS mean
FROM (SELECT crm.ltv_model(x, t_x, base.t, mean_value * scale * 40 / (-ln(uniform(11, id, 0)) * cos(2 * pi() * uniform(12, id, 0)) ^ 2), 'bg_nbd') AS m FROM base JOIN people USING (id) WHERE name = 'bg_nbd') s;

-- How far off: mean absolute error; and the simplest formula.
SELECT crm.mean_absolute_error(actual, expected), crm.mean_absolute_error(actual, expected) FILTER (WHERE false) IS NULL AS none FROM (VALUES (1.0, 2.0), (3, 1), (5, 5), (NULL, 1)) v (actual, expected);
SELECT crm.simple_ltv(50.00, 4, 2.5) AS "numeric", crm.simple_ltv(50.00, 4, 2.5, margin => 0.3) AS margin, crm.simple_ltv(50::float8, 4, 2.5) AS float8, crm.simple_ltv(50, 4, NULL) IS NULL AS "null";

SET client_min_messages = warning;
DROP SCHEMA ltv_test CASCADE;
