-- The store's stages, RFM, lifetime value, channels, retention and baskets, each
-- against plain SQL over the sample shop and some odd rows.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\getenv abs_srcdir PG_ABS_SRCDIR
\set sample :abs_srcdir '/seeds/shop.sql'
\set load :abs_srcdir '/seeds/store.sql'
\set customers 300
\set ECHO none
\i :sample
SELECT crm.create_store('shop'), crm.create_store('New York', 'USD', 'America/New_York') \gset ignored_
\set store 'New York'
\i :load
\set store shop
\i :load
\set ECHO all

-- No row may be in one and not in the other.
CREATE FUNCTION pg_temp.differ(a text, b text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM ((%1$s EXCEPT ALL %2$s) UNION ALL (%2$s EXCEPT ALL %1$s)) AS d', '(' || a || ')', '(' || b || ')') INTO n;
	RETURN n;
END $$;

-- What an order counts for and is worth, told anew
CREATE FUNCTION pg_temp.misvalued() RETURNS bigint LANGUAGE sql RETURN (
	SELECT count(*) FROM shop.orders AS o, shop.settings AS s
	WHERE o.counts IS DISTINCT FROM (NOT test AND status <> 'cancelled' AND (s.counts_from = 'placed' OR paid_at IS NOT NULL))
	OR o.net_base IS DISTINCT FROM round((amount - refunded_amount) * CASE WHEN currency = base_currency THEN 1 ELSE (
		SELECT rate FROM shop.rates AS r WHERE r.currency = o.currency AND r.day <= (o.ordered_at AT TIME ZONE s.time_zone)::date ORDER BY r.day DESC LIMIT 1) END, 2));
SELECT pg_temp.misvalued() AS loaded, (SELECT count(*) FROM shop.orders WHERE net_base IS NULL) AS without_rate;
UPDATE shop.rates SET rate = rate + 0.1 WHERE currency = 'USD' AND day = '2024-05-01';
SELECT pg_temp.misvalued() AS rate_changed;
INSERT INTO shop.rates VALUES ('GBP', '2024-05-15', 1.3), ('JPY', '2025-01-01', 0.006);
DELETE FROM shop.rates WHERE currency = 'USD' AND day = '2023-01-01';
SELECT pg_temp.misvalued() AS rates_came_and_went, (SELECT count(*) FROM shop.orders WHERE net_base IS NULL) > 0 AS some_without_rate;
UPDATE shop.rates SET currency = 'GBP', day = '2024-05-16' WHERE (currency, day) = ('JPY', '2025-01-01');
INSERT INTO shop.rates VALUES ('USD', '2023-01-01', 0.91);
UPDATE shop.settings SET counts_from = 'paid', time_zone = 'Asia/Tokyo';
SELECT pg_temp.misvalued() AS settings_changed, count(*) FROM crm.verify('shop.orders');
UPDATE shop.settings SET counts_from = 'placed', time_zone = 'UTC', base_currency = 'GBP';
SELECT pg_temp.misvalued() AS in_pounds;
UPDATE shop.settings SET base_currency = 'EUR';
-- what is written into the two columns by hand does not stay
UPDATE shop.orders SET counts = NOT counts, net_base = 1 WHERE order_id % 10 = 1;
UPDATE shop.orders SET status = 'cancelled' WHERE order_id IN (SELECT order_id FROM shop.orders WHERE status = 'placed' ORDER BY order_id LIMIT 3);
SELECT pg_temp.misvalued() AS by_hand, count(*) FROM crm.verify('shop.orders');

-- Odd rows: orders of nobody, of visitors who stay unknown, without a rate, two first orders at once, tests; customers that are one
INSERT INTO shop.orders (order_id, customer_id, visitor_id, channel, currency, status, ordered_at, items_amount, units, test) VALUES
	(1, NULL, NULL, 'store', 'EUR', 'paid', '2025-03-01 10:00', 20, 1, false), (2, NULL, 'anon', 'email', 'EUR', 'paid', '2025-03-02 10:00', 30, 1, false),
	(3, NULL, 'anon', 'direct', 'GBP', 'paid', '2025-03-20 10:00', 10, 1, false), (4, NULL, 'void', 'direct', 'EUR', 'paid', '2025-03-03 10:00', 40, 1, false),
	(5, 10, NULL, 'direct', 'JPY', 'paid', '2024-09-10 10:00', 5000, 1, false), (6, 11, NULL, 'direct', 'EUR', 'paid', '2025-03-05 10:00', 1000, 1, true);
INSERT INTO shop.customers (customer_id, email, created_at) VALUES (9001, 'twice@example.com', '2025-02-01'), (9002, 'twice.too@example.com', '2025-02-02'), (9003, 'later@example.com', '2025-02-03');
INSERT INTO shop.orders (order_id, customer_id, channel, currency, status, ordered_at, items_amount, units) VALUES
	(7, 9001, 'email', 'EUR', 'paid', '2025-03-06 10:00', 50, 1), (8, 9001, 'direct', 'EUR', 'paid', '2025-03-06 10:00', 60, 1),
	(9, 9002, 'email', 'USD', 'paid', '2025-01-31 23:30', 70, 1), (10, 9003, 'email', 'USD', 'paid', '2025-05-31 23:30', 0, 1);
INSERT INTO shop.touches (touch_id, visitor_id, customer_id, touched_at, kind, channel) VALUES
	(1, 'anon', NULL, '2025-03-02 09:00', 'visit', 'email'), (2, 'anon', NULL, '2025-03-19', 'cart', 'paid_search'), (3, 'anon', NULL, '2025-03-20 10:00', 'checkout', 'direct'),
	(4, NULL, 9001, '2025-03-06 10:00', 'visit', 'social'), (5, NULL, 9002, '2025-01-01 23:30', 'visit', 'social'), (6, NULL, 9002, '2025-01-01 23:29', 'visit', 'referral'),
	(7, 'never', NULL, '2025-03-06 10:00', 'cart', 'affiliate');
SELECT shop.merge_customers(9001, 9003, 'test') AS merge \gset
SELECT pg_temp.misvalued() AS odd, count(*) FROM crm.verify('shop.orders');

-- From here on: orders that count, as plain rows
CREATE TEMP TABLE o AS
SELECT order_id, customer_id, CASE WHEN customer_id IS NULL THEN visitor_id END AS visitor_id, ordered_at, channel, currency, country, region, city, amount - refunded_amount AS net,
	round((amount - refunded_amount) * CASE WHEN currency = 'EUR' THEN 1 ELSE (
		SELECT rate FROM shop.rates AS r WHERE r.currency = o.currency AND r.day <= o.ordered_at::date ORDER BY r.day DESC LIMIT 1) END, 2) AS base
FROM shop.orders AS o WHERE NOT test AND status <> 'cancelled';
CREATE INDEX ON o (customer_id, ordered_at);
CREATE TEMP TABLE t AS SELECT touch_id, customer_id, CASE WHEN customer_id IS NULL THEN visitor_id END AS visitor_id, touched_at, kind, channel FROM shop.customer_touches;
CREATE INDEX ON t (customer_id);
ANALYZE o;
ANALYZE t;
-- the policy in plain SQL: microseconds since the last order, average gap, orders
CREATE FUNCTION pg_temp.stage(n bigint, first timestamptz, last timestamptz, as_of timestamptz) RETURNS text LANGUAGE sql RETURN CASE
	WHEN coalesce(n, 0) = 0 THEN 'lead'
	WHEN as_of - last > greatest(interval '180 days', 4 * (last - first) / nullif(n - 1, 0)) THEN 'lost'
	WHEN as_of - last > greatest(interval '90 days', 2 * (last - first) / nullif(n - 1, 0)) THEN 'at_risk'
	WHEN n >= 5 THEN 'loyal' WHEN n >= 2 THEN 'active' ELSE 'new' END;

-- Stages: of everybody, prospects too, now and at any time
SELECT pg_temp.differ('SELECT customer_id, stage, orders, first_order_at, last_order_at FROM shop.lifecycle', $$
	SELECT c.customer_id, pg_temp.stage(n, first, last, now()), coalesce(n, 0), first, last FROM shop.customers AS c
	LEFT JOIN (SELECT customer_id, count(*) AS n, min(ordered_at) AS first, max(ordered_at) AS last FROM o GROUP BY 1) AS p USING (customer_id) WHERE merged_into IS NULL$$) AS lifecycle;
SELECT at, pg_temp.differ(format('SELECT customer_id, stage, orders, last_order_at FROM shop.lifecycle(%L)', at), format($$
	SELECT c.customer_id, pg_temp.stage(n, first, last, %1$L), coalesce(n, 0), last FROM shop.customers AS c
	LEFT JOIN (SELECT customer_id, count(*) AS n, min(ordered_at) AS first, max(ordered_at) AS last FROM o WHERE ordered_at < %1$L GROUP BY 1) AS p USING (customer_id)
	WHERE merged_into IS NULL AND (created_at < %1$L OR n > 0)$$, at)) AS lifecycle
FROM unnest(ARRAY['2023-06-01', '2024-02-29 12:00', '2025-07-01', '2026-01-01']) AS at;
SELECT stage, phase, count(*) FROM shop.lifecycle('2026-01-01') GROUP BY 1, 2 ORDER BY 1;
-- a customer's changes are a chain that begins with the first contact and ends in the stage of now
SELECT count(*) FILTER (WHERE from_stage IS DISTINCT FROM before) AS broken, count(*) FILTER (WHERE before IS NULL AND to_stage <> 'lead' AND at > created_at) AS without_beginning,
	count(*) FILTER (WHERE n = 1 AND to_stage IS DISTINCT FROM stage) AS wrong_end, count(*) FILTER (WHERE n = 1 AND at IS DISTINCT FROM stage_since AND NOT (stage = 'lead' AND cause <> 'created')) AS wrong_since,
	count(DISTINCT customer_id) = (SELECT count(*) FROM shop.lifecycle) AS all_customers
FROM (SELECT h.*, l.stage, l.stage_since, c.created_at, lag(to_stage) OVER w AS before, row_number() OVER (PARTITION BY h.customer_id ORDER BY h.at DESC, h.noticed_at DESC, array_position(ARRAY['lost', 'at_risk'], to_stage)) AS n
	FROM shop.stage_changes AS h JOIN shop.lifecycle AS l USING (customer_id) JOIN shop.customers AS c USING (customer_id)
	WINDOW w AS (PARTITION BY h.customer_id ORDER BY h.at, h.noticed_at, array_position(ARRAY['at_risk', 'lost'], to_stage) NULLS FIRST)) AS s;
SELECT customer_id, from_stage, to_stage, to_phase, at, cause FROM shop.stage_changes WHERE customer_id IN (9001, 9002, 9003) AND cause <> 'time' ORDER BY customer_id, at, noticed_at;
-- time passes: what the clock has not written yet is in the view
UPDATE shop.orders_lifecycle SET stage = 'new', stage_until = '2025-05-01 23:30', stage_since = '2025-01-31 23:30', check_at = '2025-05-01 23:30' WHERE customer = 9002;
DELETE FROM shop.orders_lifecycle_history WHERE customer = 9002 AND cause = 'time';
SELECT from_stage, to_stage, at, noticed_at IS NULL AS not_written FROM shop.stage_changes WHERE customer_id = 9002 AND cause = 'time' ORDER BY at;
SELECT crm.advance_stages(orders => 'shop.orders');
SELECT from_stage, to_stage, at, noticed_at IS NULL AS not_written FROM shop.stage_changes WHERE customer_id = 9002 AND cause = 'time' ORDER BY at;
-- a prospect, an order, its cancellation
INSERT INTO shop.customers (customer_id, created_at) VALUES (9010, '2025-01-01');
SELECT stage, phase, stage_since, orders FROM shop.lifecycle WHERE customer_id = 9010;
INSERT INTO shop.orders (order_id, customer_id, channel, currency) VALUES (11, 9010, 'direct', 'EUR');
SELECT stage, phase, stage_since = last_order_at AS since_the_order FROM shop.lifecycle WHERE customer_id = 9010;
UPDATE shop.orders SET status = 'cancelled' WHERE order_id = 11;
SELECT stage, orders FROM shop.lifecycle WHERE customer_id = 9010;
SELECT from_stage, to_stage, cause FROM shop.stage_changes WHERE customer_id = 9010 ORDER BY noticed_at, at;
DELETE FROM shop.orders WHERE order_id = 11;
DELETE FROM shop.orders_lifecycle WHERE customer = 9010;
DELETE FROM shop.orders_lifecycle_history WHERE customer = 9010;
DELETE FROM shop.customers WHERE customer_id = 9010;

-- Another policy: everybody by it, from then on, and back; nobody but the owner
SELECT shop.set_lifecycle_policy(crm.lifecycle_policy(at_risk_after => '20 days', lost_after => '40 days', loyal_from => 3, personal => false)) > 0 AS changed;
SELECT shop.policy()::text = crm.lifecycle_policy('20 days', '40 days', 3, 2, 4, false)::text AS policy, (SELECT count(*) FROM crm.verify('shop.orders')) AS wrong;
SELECT at, pg_temp.differ(format('SELECT customer_id, stage FROM shop.lifecycle(%L)', at), format($$
	SELECT c.customer_id, CASE WHEN n IS NULL THEN 'lead' WHEN %1$L - last > interval '40 days' THEN 'lost' WHEN %1$L - last > interval '20 days' THEN 'at_risk' WHEN n >= 3 THEN 'loyal' WHEN n = 2 THEN 'active' ELSE 'new' END
	FROM shop.customers AS c LEFT JOIN (SELECT customer_id, count(*) AS n, max(ordered_at) AS last FROM o WHERE ordered_at < %1$L GROUP BY 1) AS p USING (customer_id)
	WHERE merged_into IS NULL AND (created_at < %1$L OR n > 0)$$, at)) AS lifecycle FROM unnest(ARRAY['2024-02-29 12:00', '2025-07-01']::timestamptz[]) AS at;
BEGIN;
INSERT INTO shop.orders (customer_id, channel, currency, ordered_at) SELECT 9001, 'direct', 'EUR', now() - interval '25 days';
SELECT stage, (SELECT stage FROM shop.orders_lifecycle WHERE customer = 9001) AS stored FROM shop.lifecycle WHERE customer_id = 9001;
ROLLBACK;
CREATE ROLE regress_crm_clerk;
GRANT USAGE ON SCHEMA shop TO regress_crm_clerk;
GRANT EXECUTE ON FUNCTION shop.set_lifecycle_policy TO regress_crm_clerk;
SET ROLE regress_crm_clerk;
SELECT shop.set_lifecycle_policy(crm.lifecycle_policy());
RESET ROLE;
DROP OWNED BY regress_crm_clerk;
DROP ROLE regress_crm_clerk;
SELECT crm.create_store('shop') \gset ignored_
SELECT shop.policy()::text <> crm.lifecycle_policy()::text AS kept_by_an_upgrade;
SELECT shop.set_lifecycle_policy(crm.lifecycle_policy()) > 0 AS back, shop.set_lifecycle_policy(crm.lifecycle_policy()) AS nothing_changes, (SELECT count(*) FROM crm.verify('shop.orders')) AS wrong;
SELECT pg_temp.differ('SELECT customer_id, stage FROM shop.lifecycle', $$
	SELECT c.customer_id, pg_temp.stage(n, first, last, now()) FROM shop.customers AS c
	LEFT JOIN (SELECT customer_id, count(*) AS n, min(ordered_at) AS first, max(ordered_at) AS last FROM o GROUP BY 1) AS p USING (customer_id) WHERE merged_into IS NULL$$) AS lifecycle;

-- Fits: nothing to fit, a good one, a bad one, back to the one before
SELECT crm.create_store('empty') \gset ignored_
SELECT * FROM empty.fit();
SELECT count(*) FROM shop.rfm WHERE rfm IS NOT NULL OR segment IS NOT NULL;
SELECT count(*) FROM shop.segments;
SELECT count(*), count(p_alive), count(predicted), count(total), count(historic) > 0 AS historic FROM shop.ltv;
SELECT kind, customers = (SELECT count(*) FROM (SELECT FROM o WHERE customer_id IS NOT NULL AND ordered_at < '2026-01-01' GROUP BY customer_id HAVING count(*) = count(base)) AS c) AS customers, current, notes
FROM shop.fit('2026-01-01');
SELECT customers, current, notes FROM shop.fit('2023-01-10') WHERE kind = 'ltv';
SELECT kind, as_of, current, rfm_scale IS NOT NULL AS scale, ltv_model IS NOT NULL AS model, has_spend, converged, log_likelihood < 0 AS likelihood FROM shop.fits ORDER BY fit_id;
UPDATE shop.fits SET current = false WHERE kind = 'rfm' AND as_of = '2023-01-10';
UPDATE shop.fits SET current = true WHERE kind = 'rfm' AND as_of = '2026-01-01';
UPDATE shop.fits SET current = true WHERE kind = 'rfm';

-- RFM: scores by quantiles of the values, segments by the grid of (R, (F + M) / 2)
CREATE TEMP TABLE scored AS
WITH c AS (SELECT customer_id, extract(epoch FROM '2026-01-01' - max(ordered_at)) AS r, count(*) AS f, sum(base) AS m FROM o WHERE customer_id IS NOT NULL AND ordered_at < '2026-01-01' GROUP BY 1 HAVING count(*) = count(base)),
q AS (SELECT percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8]) WITHIN GROUP (ORDER BY r) AS r, percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8]) WITHIN GROUP (ORDER BY f) AS f,
	percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8]) WITHIN GROUP (ORDER BY m) AS m FROM c)
SELECT customer_id, c.r AS seconds, c.f AS orders, c.m AS money, 5 - (SELECT count(*) FROM unnest(q.r) AS x WHERE x < c.r)::int AS r,
	1 + (SELECT count(*) FROM unnest(q.f) AS x WHERE x < c.f)::int AS f, 1 + (SELECT count(*) FROM unnest(q.m) AS x WHERE x < c.m)::int AS m FROM c, q;
CREATE TEMP TABLE grid (segment text, cells text[]);
INSERT INTO grid VALUES ('Champions', '{55,54,45}'), ('Loyal Customers', '{53,44,35,34}'), ('Potential Loyalists', '{52,42,33,43}'), ('New Customers', '{51}'), ('Promising', '{41,31}'),
	('Need Attention', '{32,23,22}'), ('About To Sleep', '{21}'), ('At Risk', '{25,24,13}'), ('Can''t Lose Them', '{15,14}'), ('Hibernating', '{12}'), ('Lost', '{11}');
CREATE TEMP VIEW named AS SELECT s.*, g.segment FROM scored AS s LEFT JOIN grid AS g ON r::text || ((f + m + 1) / 2) = ANY (cells);
SELECT pg_temp.differ($$SELECT customer_id, recency_days, orders, net_base, r, f, m, rfm, segment FROM shop.rfm('2026-01-01') WHERE net_base IS NOT NULL$$,
	$$SELECT customer_id, floor(seconds / 86400)::int, orders, money, r, f, m, r || '-' || f || '-' || m, segment FROM named$$) AS rfm;
SELECT customer_id, net_base, rfm, segment FROM shop.rfm('2026-01-01') WHERE net_base IS NULL;
-- the view is as of this day's beginning, and has the prospects
SELECT pg_temp.differ($$SELECT * FROM shop.rfm WHERE orders > 0$$, $$SELECT * FROM shop.rfm(date_trunc('day', now(), 'UTC'))$$) AS rfm_today;
SELECT pg_temp.differ($$SELECT customer_id, rfm, segment FROM shop.rfm WHERE orders = 0$$, $$SELECT customer_id, '0-0-0', 'Prospects' FROM shop.customers WHERE merged_into IS NULL AND customer_id NOT IN (SELECT customer_id FROM o WHERE customer_id IS NOT NULL)$$) AS prospects;
SELECT pg_temp.differ($$SELECT segment, customers, customer_share, orders, net_base, revenue_share, average_net_value, average_recency_days FROM shop.segments('2026-01-01')$$,
	$$SELECT segment, count(*), round(count(*)::numeric / (SELECT count(*) FROM scored), 6), sum(orders), sum(money), round(sum(money) / (SELECT sum(money) FROM scored), 6), round(sum(money) / sum(orders), 4),
		round(avg(floor(seconds / 86400)), 1) FROM named GROUP BY 1$$) AS segments;
SELECT pg_temp.differ('SELECT segment, customers, orders, net_base FROM shop.segments', 'SELECT segment, count(*), sum(orders), sum(net_base) FROM shop.rfm WHERE segment IS NOT NULL GROUP BY 1') AS segments_now;

-- Lifetime value: by the forms of the model that take plain numbers
CREATE TEMP TABLE model AS SELECT ltv_model AS m FROM shop.fits WHERE kind = 'ltv' AND current;
SELECT crm.customers(m), crm.converged(m) FROM model;
CREATE TEMP TABLE worth AS
SELECT customer_id, n, money, last, gap, crm.alive(m, n - 1, t_x, t) AS alive, crm.expected_orders(m, n - 1, t_x, t, 365) AS orders, crm.expected_order_value(m, n - 1, mean_value) AS value
FROM model, (
	SELECT customer_id, count(*) AS n, sum(base) AS money, max(ordered_at) AS last, extract(epoch FROM max(ordered_at) - min(ordered_at))::float8 / 86400 AS t_x,
		extract(epoch FROM '2026-01-01' - min(ordered_at))::float8 / 86400 AS t, extract(epoch FROM max(ordered_at) - min(ordered_at)) / 86400 / nullif(count(*) - 1, 0) AS gap,
		coalesce(avg(base) FILTER (WHERE rank > 1), 0)::float8 AS mean_value
	FROM (SELECT *, row_number() OVER (PARTITION BY customer_id ORDER BY ordered_at, base) AS rank FROM o WHERE customer_id IS NOT NULL AND ordered_at < '2026-01-01') AS r
	GROUP BY 1 HAVING count(*) = count(base)) AS c WHERE customer_id <> 9001;
SELECT pg_temp.differ($$SELECT customer_id, orders, historic, days_between_orders FROM shop.ltv('2026-01-01') WHERE historic IS NOT NULL AND customer_id <> 9001$$, 'SELECT customer_id, n, money, round(gap, 2) FROM worth') AS ltv,
	count(*) FILTER (WHERE abs(p_alive - alive) > 1e-6 OR abs(expected_orders - w.orders) > 1e-4 OR abs(expected_order_value - value) > 1e-4 OR abs(predicted - w.orders * value) > 1e-3
		OR abs(total - historic - predicted) > 1e-3 OR next_order_at < last) AS off, count(*) = (SELECT count(*) FROM worth) AS everybody
FROM shop.ltv('2026-01-01') JOIN worth AS w USING (customer_id);
SELECT historic, expected_order_value, predicted, total, p_alive IS NOT NULL AS alive FROM shop.ltv('2026-01-01') WHERE customer_id = 10;
SELECT pg_temp.differ($$SELECT * FROM shop.ltv$$, $$SELECT * FROM shop.ltv(date_trunc('day', now(), 'UTC'))$$) AS ltv_today;
SELECT count(*) FILTER (WHERE abs(p_alive - crm.alive(m, p, '2026-03-01')) > 1e-6 OR abs(expected_orders - crm.expected_orders(m, p, '2026-03-01', '90 days')) > 1e-4) AS another_day
FROM model, shop.ltv('2026-03-01', '90 days') JOIN (SELECT customer_id, crm.purchases(ordered_at, coalesce(base, 0)) AS p FROM o GROUP BY 1) AS p USING (customer_id);
UPDATE shop.settings SET margin = 0.25, ltv_horizon = '30 days';
SELECT count(*) FILTER (WHERE abs(historic - money / 4) > 0.0001 OR abs(predicted - crm.expected_orders(m, p, '2026-01-01', '30 days') * value / 4) > 1e-3) AS margin
FROM model, shop.ltv('2026-01-01') JOIN worth USING (customer_id) JOIN (SELECT customer_id, crm.purchases(ordered_at, base) AS p FROM o WHERE ordered_at < '2026-01-01' GROUP BY 1) AS p USING (customer_id);
UPDATE shop.settings SET margin = 1, ltv_horizon = '1 year';
-- without a model of spend: how often, but not how much
UPDATE shop.fits SET current = false WHERE kind = 'ltv' AND current;
INSERT INTO shop.fits (kind, as_of, customers, current, ltv_model) VALUES ('ltv', '2026-01-01', 0, true, crm.in_days(crm.ltv_model('mbg_nbd', ARRAY[0.5, 30, 1, 3]), 1));
SELECT count(*) = count(expected_orders) AS orders, count(expected_order_value) AS value, count(predicted) AS predicted FROM shop.ltv;
DELETE FROM shop.fits WHERE current AND kind = 'ltv';
UPDATE shop.fits SET current = true WHERE kind = 'ltv' AND as_of = '2026-01-01';

-- Attribution: the touches of the 30 days before each order, by plain SQL
CREATE TEMP TABLE before_order AS
SELECT o.order_id, o.base, o.ordered_at, o.customer_id IS NOT NULL AND NOT EXISTS (SELECT FROM o AS e WHERE e.customer_id = o.customer_id AND (e.ordered_at, e.order_id) < (o.ordered_at, o.order_id)) AS is_first,
	coalesce(t.channel, '(none)') AS channel, row_number() OVER w AS place, count(*) OVER (PARTITION BY o.order_id) AS n,
	row_number() OVER (PARTITION BY o.order_id ORDER BY t.channel = 'direct', t.touched_at DESC, t.touch_id DESC) AS not_direct
FROM o LEFT JOIN t ON (t.customer_id = o.customer_id OR t.customer_id IS NULL AND t.visitor_id = o.visitor_id) AND t.touched_at BETWEEN o.ordered_at - interval '30 days' AND o.ordered_at
WINDOW w AS (PARTITION BY o.order_id ORDER BY t.touched_at, t.touch_id);
CREATE TEMP TABLE credited AS
SELECT order_id, ordered_at, base, is_first, channel, model, credit FROM before_order, LATERAL (VALUES
	('first', (place = 1)::int::numeric), ('last', (place = n)::int), ('last_non_direct', (not_direct = 1)::int), ('linear', 1.0 / n),
	('position', CASE WHEN n = 1 THEN 1 WHEN n = 2 THEN 0.5 WHEN place IN (1, n) THEN 0.4 ELSE 0.2 / (n - 2) END)) AS m(model, credit);
SELECT count(*) FILTER (WHERE abs(a.orders - c.orders) > 0.0001 OR abs(a.revenue - c.revenue) > 0.01 OR abs(a.new_customers - c.new_customers) > 0.0001) AS off,
	count(*) FILTER (WHERE c.channel IS NULL AND a.orders > 0 OR a.channel IS NULL AND c.orders > 0) AS one_sided, count(*) > 40 AS many
FROM (SELECT * FROM shop.channel_attribution('2025-01-01', '2026-01-01') WHERE model NOT IN ('time_decay', 'markov', 'shapley')) AS a
FULL JOIN (SELECT channel, model, sum(credit) AS orders, sum(credit * base) AS revenue, coalesce(sum(credit) FILTER (WHERE is_first), 0) AS new_customers
	FROM credited WHERE ordered_at >= '2025-01-01' AND ordered_at < '2026-01-01' GROUP BY 1, 2) AS c USING (channel, model);
-- whatever the model: all orders, all revenue, all new customers
SELECT count(DISTINCT model) AS models, bool_and(round(orders, 2) = (SELECT count(*) FROM o WHERE ordered_at >= '2025-01-01' AND ordered_at < '2026-01-01') AND revenue = (SELECT sum(base) FROM o WHERE ordered_at >= '2025-01-01' AND ordered_at < '2026-01-01')
	AND round(new_customers, 2) = (SELECT count(*) FROM (SELECT min(ordered_at) AS first FROM o GROUP BY customer_id HAVING customer_id IS NOT NULL) AS f WHERE first >= '2025-01-01' AND first < '2026-01-01')) AS complete
FROM (SELECT model, sum(orders) AS orders, sum(revenue) AS revenue, sum(new_customers) AS new_customers FROM shop.channel_attribution('2025-01-01', '2026-01-01') GROUP BY model) AS s;
-- by a chain and by a game, of paths that are put together here
CREATE TEMP TABLE way AS
SELECT 'order ' || o.order_id AS way, 1 AS won, o.base AS value, (SELECT array_agg(t.channel ORDER BY touched_at, touch_id) FROM t
	WHERE (t.customer_id = o.customer_id OR t.customer_id IS NULL AND t.visitor_id = o.visitor_id) AND t.touched_at BETWEEN o.ordered_at - interval '30 days' AND o.ordered_at) AS path
FROM o WHERE ordered_at >= '2025-01-01' AND ordered_at < '2026-01-01'
UNION ALL
SELECT 'visit ' || who, 0, 0, path FROM (
	SELECT coalesce(t.customer_id::text, 'v ' || t.visitor_id) AS who, array_agg(channel ORDER BY touched_at, touch_id) FILTER (WHERE touched_at >= last_touch - interval '30 days') AS path
	FROM (SELECT t.*, max(touched_at) OVER (PARTITION BY customer_id, visitor_id) AS last_touch FROM t WHERE touched_at >= timestamptz '2025-01-01' - interval '30 days' AND touched_at < '2026-01-01') AS t
	LEFT JOIN (SELECT customer_id, visitor_id, max(ordered_at) AS last_order FROM o WHERE ordered_at >= '2025-01-01' AND ordered_at < '2026-01-01' GROUP BY 1, 2) AS p
		ON p.customer_id = t.customer_id OR p.customer_id IS NULL AND t.customer_id IS NULL AND p.visitor_id = t.visitor_id
	WHERE last_touch < timestamptz '2026-01-01' - interval '30 days' AND (last_order IS NULL OR touched_at > last_order) GROUP BY 1) AS v;
SELECT count(*) FILTER (WHERE won = 1) > 100 AS orders, count(*) FILTER (WHERE won = 0) > 100 AS others, (SELECT sum(conversions + nulls) FROM shop.paths('2025-01-01', '2026-01-01')) = count(*) AS as_many,
	pg_temp.differ($$SELECT path::text, conversions, value, nulls FROM shop.paths('2025-01-01', '2026-01-01')$$, $$SELECT coalesce(path, '{}')::text, sum(won), sum(value), sum(1 - won) FROM way GROUP BY 1$$) AS paths,
	(SELECT sum(new_customers) FROM shop.paths('2025-01-01', '2026-01-01')) = (SELECT new_customers FROM shop.growth('2025-01-01', '2026-01-01')) AS new_customers FROM way;
SELECT pg_temp.differ($$SELECT channel, orders, revenue FROM shop.channel_attribution('2025-01-01', '2026-01-01') WHERE model = 'markov'$$,
	$$SELECT channel, round(conversions, 4), round(value, 4) FROM (SELECT crm.markov_model(path, won, value, 1 - won, 1) AS m FROM (SELECT coalesce(path, '{}') AS path, won, value FROM way) AS w) AS m, crm.channels(m)$$) AS markov,
	(SELECT max(abs(a.orders - s.orders)) < 0.001 AND max(abs(a.revenue - s.revenue)) < 0.01 FROM shop.channel_attribution('2025-01-01', '2026-01-01') AS a JOIN (
		SELECT c AS channel, sum(1.0 / n) AS orders, sum(value / n) AS revenue FROM (
			SELECT way, value, c, count(*) OVER (PARTITION BY way) AS n FROM (SELECT DISTINCT way, value, unnest(coalesce(path, '{(none)}')) AS c FROM way WHERE won = 1) AS d) AS d GROUP BY 1) AS s USING (channel) WHERE model = 'shapley') AS shapley;
UPDATE shop.settings SET markov_order = 2, attribution_model = 'markov';
SELECT pg_temp.differ($$SELECT channel, orders FROM shop.channel_attribution('2025-01-01', '2026-01-01') WHERE model = 'markov'$$,
	$$SELECT channel, round(conversions, 4) FROM (SELECT crm.markov_model(path, won, value, 1 - won, 2) AS m FROM (SELECT coalesce(path, '{}') AS path, won, value FROM way) AS w) AS m, crm.channels(m)$$) AS second_order,
	pg_temp.differ($$SELECT channel, attributed_orders, attributed_new_customers FROM shop.channel_performance('2025-01-01', '2026-01-01') WHERE attributed_orders > 0$$,
	$$SELECT channel, orders, new_customers FROM shop.channel_attribution('2025-01-01', '2026-01-01') WHERE model = 'markov'$$) AS performance;
UPDATE shop.settings SET markov_order = 1, attribution_model = 'last_non_direct';
UPDATE shop.settings SET attribution_model = 'best';
UPDATE shop.settings SET markov_order = 5;
-- an order that is all discount: the models know no path of less than nothing, and yet tell of all revenue
BEGIN;
INSERT INTO shop.orders (visitor_id, channel, currency, ordered_at, discount) SELECT 'nobody else', channel, currency, '2021-06-01', 5 FROM shop.orders WHERE currency = (SELECT base_currency FROM shop.settings) LIMIT 1;
SELECT model, sum(orders) AS orders, sum(revenue) AS revenue FROM shop.channel_attribution('2021-06-01', '2021-06-02') GROUP BY model ORDER BY model;
SELECT * FROM shop.paths('2021-06-01', '2021-06-02');
INSERT INTO shop.touches (visitor_id, kind, channel, touched_at) VALUES ('somebody', 'visit', 'email', '2021-05-31'), ('somebody', 'visit', 'organic_search', '2021-05-30');
INSERT INTO shop.orders (visitor_id, channel, currency, ordered_at, discount) SELECT 'somebody', channel, currency, '2021-06-01', 7 FROM shop.orders WHERE currency = (SELECT base_currency FROM shop.settings) LIMIT 1;
SELECT channel, model, orders, revenue FROM shop.channel_attribution('2021-06-01', '2021-06-02') WHERE model IN ('linear', 'markov', 'shapley') ORDER BY model, channel;
UPDATE shop.settings SET attribution_model = 'markov';
SELECT sum(revenue) AS revenue, sum(attributed_revenue) AS attributed_revenue FROM shop.channel_performance('2021-06-01', '2021-06-02');
UPDATE shop.orders SET discount = items_amount + shipping + 500 WHERE ordered_at >= '2025-03-01' AND ordered_at < '2025-03-11' AND refunded_amount = 0;
SELECT model, sum(revenue) = (SELECT sum(net_base) FROM shop.orders WHERE counts AND ordered_at >= '2025-01-01' AND ordered_at < '2026-01-01') AS complete
FROM shop.channel_attribution('2025-01-01', '2026-01-01') GROUP BY model ORDER BY model;
SELECT sum(revenue) = sum(attributed_revenue) AS complete, sum(revenue) < (SELECT sum(value) FROM shop.paths('2025-01-01', '2026-01-01')) AS paths_of_less FROM shop.channel_performance('2025-01-01', '2026-01-01');
SELECT count(*) > 0 AS any FROM shop.orders WHERE counts AND net_base < 0 AND ordered_at >= '2025-01-01' AND ordered_at < '2026-01-01';
ROLLBACK;
-- an order without a rate: no revenue is told
SELECT count(*) > 0 AS rows, count(revenue) AS revenue FROM shop.channel_attribution('2024-09-01', '2024-10-01');
SELECT pg_temp.differ('TABLE shop.channel_attribution', $$SELECT * FROM shop.channel_attribution('-infinity', 'infinity')$$) AS ever;
SELECT count(*) FROM shop.channel_attribution('2000-01-01', '2001-01-01');

-- Performance of channels
CREATE FUNCTION pg_temp.performance(from_at timestamptz, to_at timestamptz, rule text) RETURNS TABLE (channel text, visitors bigint, converted bigint, rate numeric, orders bigint, revenue numeric, share numeric,
	won_orders numeric, won_revenue numeric, won_new numeric, spend numeric, cac numeric, roas numeric) LANGUAGE sql AS $$
	SELECT k.channel, v, c, round(c::numeric / nullif(v, 0), 6), n, r, round(r / (SELECT sum(base) FROM o WHERE ordered_at >= from_at AND ordered_at < to_at), 6), round(wo, 4), round(wr, 2), round(wn, 4), s, round(s / nullif(wn, 0), 2), round(wr / nullif(s, 0), 2)
	FROM (SELECT channel FROM shop.channels UNION SELECT '(none)') AS k,
		LATERAL (SELECT count(*) AS v, count(*) FILTER (WHERE EXISTS (SELECT FROM o WHERE (o.customer_id = p.customer_id OR o.customer_id IS NULL AND o.visitor_id = p.visitor_id) AND o.ordered_at >= p.first AND o.ordered_at < to_at)) AS c
			FROM (SELECT customer_id, visitor_id, min(touched_at) AS first FROM t WHERE t.channel = k.channel AND touched_at >= from_at AND touched_at < to_at GROUP BY 1, 2) AS p) AS visits,
		LATERAL (SELECT count(*) AS n, coalesce(sum(base), 0) AS r FROM o WHERE o.channel = k.channel AND ordered_at >= from_at AND ordered_at < to_at) AS sold,
		LATERAL (SELECT coalesce(sum(credit), 0) AS wo, coalesce(sum(credit * base), 0) AS wr, coalesce(sum(credit) FILTER (WHERE is_first), 0) AS wn FROM credited AS d WHERE d.channel = k.channel AND model = rule AND ordered_at >= from_at AND ordered_at < to_at) AS won,
		LATERAL (SELECT sum(round(amount * CASE currency WHEN 'EUR' THEN 1 ELSE (SELECT rate FROM shop.rates AS r WHERE r.currency = p.currency AND r.day <= p.day ORDER BY r.day DESC LIMIT 1) END, 2)) AS s
			FROM shop.spend AS p WHERE p.channel = k.channel AND day >= from_at::date AND day < to_at::date) AS spent $$;
SELECT pg_temp.differ($$SELECT channel, visitors, converted, conversion_rate, orders, revenue, revenue_share, attributed_orders, round(attributed_revenue, 2), attributed_new_customers, spend, round(cac, 2), round(roas, 2) FROM shop.channel_performance('2025-01-01', '2026-01-01')$$,
	$$SELECT * FROM pg_temp.performance('2025-01-01', '2026-01-01', 'last_non_direct')$$) AS channel_performance;
UPDATE shop.settings SET attribution_model = 'position';
SELECT pg_temp.differ($$SELECT channel, visitors, orders, attributed_orders, round(attributed_revenue, 1), attributed_new_customers, spend FROM shop.channel_performance('2025-02-01', '2025-04-01')$$,
	$$SELECT channel, visitors, orders, won_orders, round(won_revenue, 1), won_new, spend FROM pg_temp.performance('2025-02-01', '2025-04-01', 'position')$$) AS by_position;
UPDATE shop.settings SET attribution_model = 'last_non_direct';
SELECT pg_temp.differ('TABLE shop.channel_performance', $$SELECT * FROM shop.channel_performance('-infinity', 'infinity')$$) AS ever;
SELECT channel, visitors, converted, conversion_rate, orders, revenue, revenue_share, credit, attributed_revenue, spend, cac, roas FROM shop.channel_performance('2000-01-01', '2001-01-01') WHERE channel IN ('email', 'store') ORDER BY 1;
-- month by month
SELECT count(DISTINCT month) AS months, count(*) FILTER (WHERE (m.visitors, m.converted, m.orders, m.revenue, m.credit, m.attributed_orders, m.spend) IS DISTINCT FROM
	(p.visitors, p.converted, p.orders, p.revenue, p.credit, p.attributed_orders, p.spend)) AS differ
FROM shop.channel_months AS m LEFT JOIN (SELECT d::date AS month, p.* FROM generate_series(date '2024-11-01', '2025-06-01', '1 month') AS d, shop.channel_performance(d, d + interval '1 month') AS p) AS p USING (month, channel)
WHERE m.month BETWEEN '2024-11-01' AND '2025-06-01';
SELECT pg_temp.differ('SELECT channel, sum(orders) FROM shop.channel_months GROUP BY 1 HAVING sum(orders) > 0', 'SELECT channel, count(*) FROM o GROUP BY 1') AS all_orders;
-- the rule of credit: its two published examples, below the lowest tier, a tier of one's own, the method without steps
SELECT shop.credit(0.50, 0.10) = 0.10 AS half, shop.credit(0.75, 0.20) = 0.25 AS three_quarters, shop.credit(0.10, 0.03) = 0.03 AS below, shop.credit(NULL, 0.1) IS NULL AS unknown;
INSERT INTO shop.credit_tiers VALUES (0.9, 0.3, 0.5);
SELECT shop.credit(0.95, 0.31) = 0.5 AS own;
UPDATE shop.settings SET credit_method = 'linear';
SELECT shop.credit(0.50, 0.10) = 0.10 AS half, shop.credit(0.75, 0.20) = 0.25 AS three_quarters, shop.credit(0.10, 0.05) = 0.03 AS below;
UPDATE shop.settings SET credit_method = 'tiers';
-- its history
SELECT shop.record_channel_credit('2024-01-01', '2025-01-01') = 10 AS channels, shop.record_channel_credit('2025-01-01', '2026-01-01') = 10 AS channels, shop.record_channel_credit('2025-01-01', '2026-01-01') = 10 AS again;
INSERT INTO shop.channel_credits (channel, from_at, to_at, revenue_share, conversion_rate) VALUES ('store', '2025-01-01', '2026-01-01', 0.5, 0.1), ('store', '2026-01-01', '2027-01-01', 0.75, 0.2);
SELECT source, from_at, credit, change FROM shop.channel_credit WHERE source = 'research' ORDER BY from_at;
SELECT pg_temp.differ($$SELECT channel, credit, change FROM shop.channel_credit WHERE from_at = '2025-01-01' AND source = 'orders'$$, $$
	SELECT channel, b.credit, b.credit - a.credit FROM shop.channel_performance('2024-01-01', '2025-01-01') AS a JOIN shop.channel_performance('2025-01-01', '2026-01-01') AS b USING (channel) WHERE channel <> '(none)'$$) AS history;

-- Conversion: visitors whose first order lies in the period; months of two time zones
CREATE TEMP VIEW person AS SELECT coalesce(customer_id::text, 'v ' || visitor_id) AS who, touched_at FROM t;
CREATE TEMP VIEW starter AS SELECT coalesce(customer_id::text, 'v ' || visitor_id) AS who, min(ordered_at) AS first FROM o WHERE customer_id IS NOT NULL OR visitor_id IS NOT NULL GROUP BY 1;
SELECT pg_temp.differ($$SELECT * FROM shop.conversion_rate('2025-02-10', '2025-04-01 12:00')$$, $$
	SELECT count(*), count(*) FILTER (WHERE first >= '2025-02-10' AND first < '2025-04-01 12:00'), round(count(*) FILTER (WHERE first >= '2025-02-10' AND first < '2025-04-01 12:00')::numeric / count(*), 6)
	FROM (SELECT DISTINCT who FROM person WHERE touched_at >= '2025-02-10' AND touched_at < '2025-04-01 12:00') AS p LEFT JOIN starter USING (who)$$) AS conversion_rate;
SELECT * FROM shop.conversion_rate('2000-01-01', '2001-01-01');
SELECT pg_temp.differ('TABLE shop.conversion_rate', $$SELECT month, count(*), count(*) FILTER (WHERE date_trunc('month', first) = month), round(count(*) FILTER (WHERE date_trunc('month', first) = month)::numeric / count(*), 6)
	FROM (SELECT DISTINCT date_trunc('month', touched_at)::date AS month, who FROM person) AS p LEFT JOIN starter USING (who) GROUP BY 1$$) AS by_month;
SELECT pg_temp.differ($$SELECT month, visitors FROM "New York".conversion_rate$$, $$SELECT date_trunc('month', touched_at AT TIME ZONE 'America/New_York')::date, count(DISTINCT coalesce(customer_id::text, 'v ' || visitor_id))
	FROM "New York".customer_touches GROUP BY 1$$) AS new_york;

-- Sessions, event by event
CREATE FUNCTION pg_temp.sessions() RETURNS TABLE (who text, started_at timestamptz, ended_at timestamptz, touches bigint, channel text, landing text, ordered_at timestamptz) LANGUAGE plpgsql AS $$
DECLARE e record; last timestamptz;
BEGIN
	FOR e IN SELECT coalesce(t.customer_id::text, 'v ' || t.visitor_id) AS who, t.touched_at AS at, t.touch_id, t.channel, t.kind FROM t WHERE kind NOT LIKE 'email%'
		UNION ALL SELECT coalesce(o.customer_id::text, 'v ' || o.visitor_id), o.ordered_at, NULL, NULL, NULL FROM o WHERE o.customer_id IS NOT NULL OR o.visitor_id IS NOT NULL ORDER BY 1, 2, 3
	LOOP
		IF touches > 0 AND (who <> e.who OR e.touch_id IS NOT NULL AND e.at > last + interval '30 minutes') THEN RETURN NEXT; touches := 0; END IF;
		IF e.touch_id IS NULL THEN
			IF touches > 0 AND e.at <= last + interval '30 minutes' THEN ordered_at := coalesce(ordered_at, e.at); ended_at := e.at; END IF;
			CONTINUE;
		END IF;
		IF coalesce(touches, 0) = 0 THEN
			who := e.who; started_at := e.at; touches := 0; channel := e.channel; landing := e.kind; ordered_at := NULL;
		END IF;
		touches := touches + 1; ended_at := e.at; last := e.at;
	END LOOP;
	IF touches > 0 THEN RETURN NEXT; END IF;
END $$;
INSERT INTO shop.touches (visitor_id, touched_at, kind, channel) SELECT 'surfer', timestamptz '2025-04-01 10:00' + n * interval '25 minutes' + CASE WHEN n > 3 THEN interval '6 minutes' ELSE interval '0' END, 'view', 'social' FROM generate_series(1, 6) AS n;
INSERT INTO shop.touches (visitor_id, touched_at, kind, channel) VALUES ('surfer', '2025-04-01 10:10', 'email_opened', 'email');
INSERT INTO t SELECT touch_id, customer_id, visitor_id, touched_at, kind, channel FROM shop.customer_touches WHERE visitor_id = 'surfer';
CREATE TEMP TABLE visit AS SELECT * FROM pg_temp.sessions();
SELECT pg_temp.differ('SELECT coalesce(customer_id::text, ''v '' || visitor_id), started_at, ended_at, touches, channel, landing, ordered_at FROM shop.sessions', 'TABLE visit') AS sessions,
	count(*) FILTER (WHERE who = 'v surfer') AS of_one, count(*) FILTER (WHERE touches > 1) > 0 AS longer, count(ordered_at) > 100 AS ordered FROM visit;
SELECT pg_temp.differ('SELECT month, channel, sessions, bounces, bounce_rate, converted_sessions, session_conversion_rate FROM shop.bounce_rate', $$
	SELECT date_trunc('month', started_at)::date, channel, count(*), count(*) FILTER (WHERE touches = 1 AND ordered_at IS NULL), round(count(*) FILTER (WHERE touches = 1 AND ordered_at IS NULL)::numeric / count(*), 6), count(ordered_at), round(count(ordered_at)::numeric / count(*), 6)
	FROM visit GROUP BY 1, 2$$) AS bounce_rate,
	pg_temp.differ($$SELECT channel, landing, sessions, bounces, converted_sessions FROM shop.bounce_rate('2025-02-10', '2025-07-01')$$, $$SELECT channel, landing, count(*), count(*) FILTER (WHERE touches = 1 AND ordered_at IS NULL), count(ordered_at)
	FROM visit WHERE started_at >= '2025-02-10' AND started_at < '2025-07-01' GROUP BY 1, 2$$) AS of_a_period;
SELECT * FROM shop.bounce_rate('2000-01-01', '2001-01-01');
DELETE FROM shop.touches WHERE visitor_id = 'surfer';
DELETE FROM t WHERE visitor_id = 'surfer';

-- A visitor who stays unknown can order, too
SELECT attraction_at, decision_at, action_at FROM shop.visitor_funnel WHERE visitor_id IN ('anon', 'never') ORDER BY 1;

-- What customers like, and when
SELECT pg_temp.differ('SELECT customer_id, orders, channel, weekday, hour FROM shop.customer_preferences', $$
	SELECT customer_id, count(*), (SELECT channel FROM o AS b WHERE b.customer_id = o.customer_id GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1),
		(SELECT extract(isodow FROM ordered_at)::int FROM o AS b WHERE b.customer_id = o.customer_id GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1),
		(SELECT extract(hour FROM ordered_at)::int FROM o AS b WHERE b.customer_id = o.customer_id GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1) FROM o WHERE customer_id IS NOT NULL GROUP BY 1$$) AS preferences,
	pg_temp.differ('SELECT customer_id, category FROM shop.customer_preferences', 'SELECT customer_id, favourite_category FROM shop.customer_360 WHERE orders > 0') AS category,
	pg_temp.differ('SELECT customer_id, price_band FROM shop.customer_preferences WHERE price_band IS NOT NULL', $$
	SELECT customer_id, CASE width_bucket(avg(r.below / (r.n - 1.0)), ARRAY[1.0 / 3, 2.0 / 3]) WHEN 0 THEN 'low' WHEN 1 THEN 'middle' ELSE 'high' END
	FROM o JOIN shop.order_items AS i USING (order_id) JOIN shop.products AS p USING (product_id), generate_series(1, i.quantity),
		LATERAL (SELECT count(*) FILTER (WHERE q.price < p.price) AS below, count(*) AS n FROM shop.products AS q WHERE q.category = p.category) AS r WHERE customer_id IS NOT NULL GROUP BY 1$$) AS price_band;
SELECT pg_temp.differ($$SELECT part, currency, orders, net FROM "New York".sales('2024-06-01', '2025-06-01', 'hour')$$, $$SELECT to_char(ordered_at AT TIME ZONE 'America/New_York', 'HH24'), currency, count(*), sum(net) FROM "New York".valid_orders
		WHERE ordered_at >= '2024-06-01' AND ordered_at < '2025-06-01' GROUP BY 1, 2$$) AS hours,
	pg_temp.differ($$SELECT part, currency, orders FROM shop.sales('2024-06-01', '2025-06-01', 'weekday')$$, $$SELECT CASE to_char(ordered_at, 'Dy') WHEN 'Mon' THEN '1' WHEN 'Tue' THEN '2' WHEN 'Wed' THEN '3' WHEN 'Thu' THEN '4' WHEN 'Fri' THEN '5' WHEN 'Sat' THEN '6' ELSE '7' END, currency, count(*)
		FROM o WHERE ordered_at >= '2024-06-01' AND ordered_at < '2025-06-01' GROUP BY 1, 2$$) AS weekdays;

-- Goals: a fifth more revenue, a tenth less churn, against the period before
SELECT shop.set_goal('revenue', 0.2, '2025-04-01', '2025-07-01', 'spring') > 0 AS revenue, shop.set_goal('churn_rate', -0.1, '2025-04-01', '2025-07-01') > 0 AS churn, shop.set_goal('visitors', 0.3, '2025-04-01', '2025-07-01') > 0 AS visitors,
	shop.set_goal('new_customers', 0.1, now() + interval '1 year', now() + interval '2 years') > 0 AS to_come;
INSERT INTO shop.goals (metric, from_at, to_at, target) VALUES ('orders', now() - interval '10 days', now() + interval '30 days', 1000);
SELECT metric, round(baseline, 2) = round(b, 2) AS baseline, round(target, 2) = round(b * f, 2) AS target, round(value, 2) = round(v, 2) AS value, elapsed, projected = value AS at_its_end, on_track = CASE WHEN f > 1 THEN v >= b * f ELSE v <= b * f END AS on_track
FROM shop.goal_progress JOIN (VALUES
	('revenue', (SELECT sum(base) FROM o WHERE ordered_at >= '2024-12-31' AND ordered_at < '2025-04-01'), (SELECT sum(base) FROM o WHERE ordered_at >= '2025-04-01' AND ordered_at < '2025-07-01'), 1.2),
	('churn_rate', (SELECT churn_rate FROM shop.churn('2024-12-31', '2025-04-01')), (SELECT churn_rate FROM shop.churn('2025-04-01', '2025-07-01')), 0.9),
	('visitors', (SELECT count(DISTINCT who) FROM person WHERE touched_at >= '2024-12-31' AND touched_at < '2025-04-01'), (SELECT count(DISTINCT who) FROM person WHERE touched_at >= '2025-04-01' AND touched_at < '2025-07-01'), 1.3)) AS e(metric, b, v, f) USING (metric) ORDER BY 1;
SELECT metric, value, round(elapsed, 3) AS elapsed, projected, on_track FROM shop.goal_progress WHERE to_at > now() ORDER BY 1;
-- from midnight to midnight of the store, over a night when its clocks change, whoever asks
SET timezone = 'Asia/Tokyo';
BEGIN;
INSERT INTO "New York".orders (channel, currency, ordered_at) SELECT min(channel), 'USD', '2025-02-14 23:30 America/New_York' FROM "New York".channels;
SELECT "New York".set_goal('orders', 0, '2025-03-15 00:00 America/New_York', '2025-04-12 00:00 America/New_York') AS id \gset goal_
SELECT baseline = "New York".metric('orders', '2025-02-15 00:00 America/New_York', '2025-03-15 00:00 America/New_York') AS from_midnight,
	baseline = "New York".metric('orders', '2025-02-14 23:00 America/New_York', '2025-03-15 00:00 America/New_York') AS an_hour_before
FROM "New York".goals WHERE goal_id = :goal_id;
ROLLBACK;
SET timezone = 'UTC';
SELECT name, shop.metric(name, '2025-01-01', '2025-04-01') IS NOT NULL AS known, shop.metric(name, '2000-01-01', '2000-04-01') AS of_nothing
FROM unnest(ARRAY['revenue', 'orders', 'new_customers', 'visitors', 'average_order_value', 'purchase_frequency', 'conversion_rate', 'churn_rate']) AS name;
-- one that there is not is told as such
\set SHOW_CONTEXT never
SELECT shop.metric('happiness', '2025-01-01', '2025-04-01');
SELECT shop.metric(NULL, '2025-01-01', '2025-04-01');
SELECT shop.set_goal('happiness', 1, '2025-01-01', '2026-01-01');
SELECT shop.set_goal('churn_rate', 1, '2001-01-01', '2002-01-01');

-- Cohorts
CREATE FUNCTION pg_temp.cohorts(store text, zone text, as_of timestamptz) RETURNS TABLE (cohort date, month_number int, customers bigint, retained bigint, retention numeric) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($q$
		WITH p AS (SELECT customer_id, date_trunc('month', ordered_at AT TIME ZONE $1) AS month FROM %I.valid_orders WHERE customer_id IS NOT NULL AND ordered_at < $2),
		f AS (SELECT customer_id, min(month) AS cohort FROM p GROUP BY 1)
		SELECT c.cohort::date, k, count(*), CASE WHEN c.cohort + k * interval '1 month' <= $2 AT TIME ZONE $1 THEN sum(r::int) END, CASE WHEN c.cohort + k * interval '1 month' <= $2 AT TIME ZONE $1 THEN round(avg(r::int), 6) END
		FROM f AS c, generate_series(0, (SELECT (extract(year FROM a) * 12 + extract(month FROM a))::int - 1 FROM age(date_trunc('month', $2 AT TIME ZONE $1) + interval '1 month', (SELECT min(cohort) FROM f)) AS a)) AS k,
			LATERAL (SELECT EXISTS (SELECT FROM p WHERE p.customer_id = c.customer_id AND p.month = c.cohort + k * interval '1 month')) AS e(r)
		GROUP BY c.cohort, k$q$, store) USING zone, as_of;
END $$;
SELECT pg_temp.differ($$SELECT cohort, month_number, customers, retained, retention FROM shop.cohort_retention('-infinity', 'infinity', '2025-12-31 22:00')$$, $$SELECT * FROM pg_temp.cohorts('shop', 'UTC', '2025-12-31 22:00')$$) AS cohorts,
	pg_temp.differ($$SELECT cohort, month_number, customers, retained, retention FROM "New York".cohort_retention('-infinity', 'infinity', '2025-12-01 03:00')$$, $$SELECT * FROM pg_temp.cohorts('New York', 'America/New_York', '2025-12-01 03:00')$$) AS new_york;
SELECT pg_temp.differ('TABLE shop.cohort_retention', $$SELECT * FROM shop.cohort_retention('-infinity', 'infinity')$$) AS now,
	pg_temp.differ($$SELECT cohort, retained FROM shop.cohort_retention('2025-02-01', '2025-05-01', '2026-01-01') WHERE month_number <= 10$$, $$SELECT cohort, retained FROM shop.cohort_retention('-infinity', 'infinity', '2026-01-01') WHERE cohort BETWEEN '2025-02-01' AND '2025-04-01' AND month_number <= 10$$) AS some;
SELECT count(*) FILTER (WHERE month_number = 0 AND retention <> 1) AS beginning, count(*) FILTER (WHERE month > '2025-12-01' AND retained IS NOT NULL) AS future, count(*) FILTER (WHERE month <= '2025-12-01' AND retained IS NULL) AS past
FROM shop.cohort_retention('-infinity', 'infinity', '2025-12-31 22:00');

-- Growth and churn: stages at the two ends of each month, of each customer
CREATE FUNCTION pg_temp.moves(zone text) RETURNS TABLE (month date, at_start text, at_end text, ordered boolean) LANGUAGE sql AS $$
	SELECT g::date, CASE pg_temp.stage(a.n, a.first, a.last, s.a) WHEN 'lead' THEN 'none' WHEN 'lost' THEN 'lost' ELSE 'active' END,
		CASE pg_temp.stage(b.n, b.first, b.last, s.b) WHEN 'lead' THEN 'none' WHEN 'lost' THEN 'lost' ELSE 'active' END, b.n > coalesce(a.n, 0)
	FROM generate_series(date_trunc('month', (SELECT min(ordered_at) FROM o WHERE customer_id IS NOT NULL) AT TIME ZONE zone), now() AT TIME ZONE zone, interval '1 month') AS g,
		LATERAL (SELECT g AT TIME ZONE zone AS a, least((g + interval '1 month') AT TIME ZONE zone, now()) AS b) AS s,
		(SELECT DISTINCT customer_id FROM o WHERE customer_id IS NOT NULL) AS c,
		LATERAL (SELECT count(*) AS n, min(ordered_at) AS first, max(ordered_at) AS last FROM o WHERE o.customer_id = c.customer_id AND ordered_at < s.a) AS a,
		LATERAL (SELECT count(*) AS n, min(ordered_at) AS first, max(ordered_at) AS last FROM o WHERE o.customer_id = c.customer_id AND ordered_at < s.b) AS b $$;
CREATE TEMP TABLE moved AS SELECT * FROM pg_temp.moves('UTC');
SELECT pg_temp.differ('TABLE shop.growth', $$SELECT month, count(*) FILTER (WHERE at_start = 'active'), count(*) FILTER (WHERE at_start = 'none' AND at_end <> 'none'), count(*) FILTER (WHERE ordered AND at_start = 'active' AND at_end = 'active'),
	count(*) FILTER (WHERE at_start = 'lost' AND at_end = 'active'), count(*) FILTER (WHERE at_start <> 'lost' AND at_end = 'lost'), count(*) FILTER (WHERE at_end = 'active'), count(*) FILTER (WHERE at_start = 'active' AND at_end = 'lost') FROM moved GROUP BY 1$$) AS growth,
	pg_temp.differ('TABLE shop.churn', $$SELECT month, count(*) FILTER (WHERE at_start = 'active'), count(*) FILTER (WHERE at_start = 'active' AND at_end = 'lost'),
	round(count(*) FILTER (WHERE at_start = 'active' AND at_end = 'lost')::numeric / nullif(count(*) FILTER (WHERE at_start = 'active'), 0), 6) FROM moved GROUP BY 1$$) AS churn,
	(SELECT bool_and(active_at_end = active_at_start + new_customers + reactivated_customers - leaving_customers) FROM shop.growth) AS adds_up,
	(SELECT sum(reactivated_customers) > 0 FROM shop.growth) AS some_came_back;
SELECT count(*) AS months, count(*) FILTER (WHERE (g.active_at_start, g.new_customers, g.returning_customers, g.reactivated_customers, g.leaving_customers, g.active_at_end) IS DISTINCT FROM
		(f.active_at_start, f.new_customers, f.returning_customers, f.reactivated_customers, f.leaving_customers, f.active_at_end)) AS growth,
	count(*) FILTER (WHERE (c.customers, c.churned, c.churn_rate) IS DISTINCT FROM (d.customers, d.churned, d.churn_rate)) AS churn
FROM shop.growth AS g JOIN shop.churn AS c USING (month), shop.growth(g.month, g.month + interval '1 month') AS f, shop.churn(g.month, g.month + interval '1 month') AS d
WHERE extract(month FROM g.month) IN (1, 6, 11) AND g.month < '2026-01-01';
-- New York's months: the same orders, but for those that were added above
SELECT count(*) FILTER (WHERE (g.active_at_start, g.new_customers, g.returning_customers, g.reactivated_customers, g.leaving_customers) IS DISTINCT FROM
	(f.active_at_start, f.new_customers, f.returning_customers, f.reactivated_customers, f.leaving_customers)) AS new_york
FROM "New York".growth AS g, "New York".growth(g.month::timestamp AT TIME ZONE 'America/New_York', (g.month + interval '1 month') AT TIME ZONE 'America/New_York') AS f WHERE extract(month FROM g.month) IN (3, 7);
SELECT * FROM shop.churn('2000-01-01', '2001-01-01');
-- in a period whose bounds are not known, or the wrong way round, there is nothing
SELECT g.*, c.* FROM (VALUES (NULL::timestamptz, timestamptz '2026-01-01'), ('2025-01-01', NULL), ('2025-07-01', '2025-01-01')) AS p(from_at, to_at), shop.growth(p.from_at, p.to_at) AS g, shop.churn(p.from_at, p.to_at) AS c;
-- of time to come nothing is known but what there is
BEGIN;
INSERT INTO shop.orders (customer_id, channel, currency, ordered_at) SELECT 9001, 'direct', 'EUR', now() - interval '1 hour';
SELECT active_at_start > 0 AS customers, active_at_end - active_at_start AS more, new_customers, returning_customers, reactivated_customers, leaving_customers,
	(SELECT customers FROM shop.churn(now() + interval '1 year', 'infinity')) - active_at_start AS otherwise
FROM shop.growth(now() + interval '1 year', 'infinity');
ROLLBACK;
SELECT * FROM empty.growth;

-- Baskets
CREATE TEMP TABLE line AS SELECT DISTINCT order_id, product_id, customer_id, ordered_at FROM o JOIN shop.order_items USING (order_id);
SELECT pg_temp.differ($$SELECT product_id, other_product_id, orders, support, confidence, lift FROM shop.cross_sell('2024-01-01', '2026-01-01', 2)$$, $$
	SELECT a.product_id, b.product_id, count(*), round(count(*)::numeric / total, 6), round(count(*)::numeric / na.n, 6), round(count(*)::numeric * total / (na.n * nb.n), 4)
	FROM line AS a JOIN line AS b USING (order_id), (SELECT count(DISTINCT order_id) AS total FROM line WHERE ordered_at >= '2024-01-01' AND ordered_at < '2026-01-01') AS t,
		LATERAL (SELECT count(*) AS n FROM line AS x WHERE x.product_id = a.product_id AND ordered_at >= '2024-01-01' AND ordered_at < '2026-01-01') AS na,
		LATERAL (SELECT count(*) AS n FROM line AS x WHERE x.product_id = b.product_id AND ordered_at >= '2024-01-01' AND ordered_at < '2026-01-01') AS nb
	WHERE a.product_id <> b.product_id AND a.ordered_at >= '2024-01-01' AND a.ordered_at < '2026-01-01' GROUP BY 1, 2, total, na.n, nb.n HAVING count(*) >= 2$$) AS cross_sell,
	pg_temp.differ('SELECT product_id, other_product_id, orders FROM shop.cross_sell', 'SELECT a.product_id, b.product_id, count(*) FROM line AS a JOIN line AS b USING (order_id) WHERE a.product_id <> b.product_id GROUP BY 1, 2') AS ever;
SELECT pg_temp.differ('SELECT product_id, up_product_id, buyers, moved_up, moved_up_rate FROM shop.up_sell WHERE moved_up > 0', $$
	SELECT a.product_id, b.product_id, n, count(DISTINCT x.customer_id), round(count(DISTINCT x.customer_id)::numeric / n, 6)
	FROM shop.products AS a JOIN shop.products AS b USING (category), LATERAL (SELECT count(DISTINCT customer_id) AS n FROM line WHERE line.product_id = a.product_id) AS n, line AS x
	WHERE b.price > a.price AND x.product_id = a.product_id AND x.ordered_at < (SELECT min(ordered_at) FROM line AS y WHERE y.product_id = b.product_id AND y.customer_id = x.customer_id) GROUP BY 1, 2, n$$) AS up_sell,
	pg_temp.differ('SELECT product_id, up_price, price_difference FROM shop.up_sell WHERE next_price', $$
	SELECT product_id, p, p - price FROM shop.products AS a, LATERAL (SELECT min(price) AS p FROM shop.products AS b WHERE b.category = a.category AND b.price > a.price) AS b WHERE p IS NOT NULL$$) AS next_price;
SELECT pg_temp.differ($$SELECT country, region, city, product_id, currency, orders, buyers, units, revenue FROM shop.regional_sales('2025-01-01', '2026-01-01')$$, $$
	SELECT country, region, city, product_id, currency, count(DISTINCT order_id), count(DISTINCT customer_id), sum(quantity), sum(quantity * unit_price) FROM o JOIN shop.order_items USING (order_id)
	WHERE ordered_at >= '2025-01-01' AND ordered_at < '2026-01-01' GROUP BY country, region, city, product_id, currency$$) AS regional_sales,
	(SELECT sum(units) FROM shop.regional_sales) = (SELECT sum(units) FROM shop.product_sales) AS all_units;

-- a period without a cart
SELECT * FROM shop.abandoned_carts('2000-01-01', '2001-01-01');

-- What is wrong is found, and only that
SELECT crm.create_store('bad') \gset ignored_
INSERT INTO bad.channels VALUES ('web', 'direct');
INSERT INTO bad.locations VALUES ('main');
INSERT INTO bad.customers (customer_id, email, phone, first_name, last_name, birth_date, country, created_via, created_at) VALUES
	(1, 'a@example.com', '+44 7700 900123', 'Ann', 'Lee', '1990-01-01', 'GB', 'account', '2025-01-01'), (2, 'A@example.com', NULL, 'ann', 'LEE', '1990-01-01', 'uk', 'account', '2025-01-01'),
	(3, NULL, '+44 7700 900123', ' ', 'Roe', '2030-01-01', 'GB', 'account', '2025-01-01'), (4, NULL, NULL, NULL, NULL, NULL, NULL, 'lead', '2025-01-01'), (5, 'b@example.com', NULL, 'Bo', 'Ek', '1980-02-02', 'SE', 'account', '2025-01-01');
INSERT INTO bad.products (product_id, name, category, price, active) VALUES (1, 'tea', 'food', 5, true), (2, 'mug', NULL, NULL, true), (3, 'old', NULL, NULL, false);
INSERT INTO bad.stock (product_id, location, on_hand) VALUES (1, 'main', -2);
INSERT INTO bad.orders (order_id, customer_id, channel, currency, ordered_at, shipped_at, units, items_amount, test) VALUES
	(1, 1, 'web', 'EUR', '2025-01-01', '2025-01-02', 1, 5, false), (2, NULL, 'web', 'EUR', '2025-01-01', NULL, 1, 5, false), (3, 1, 'web', 'EUR', '2025-01-01', NULL, 0, 0, false),
	(4, 1, 'web', 'EUR', '2025-01-01', NULL, 1, 0, false), (5, 1, 'web', 'CHF', '2025-01-01', NULL, 1, 5, false), (6, 1, 'web', 'EUR', now() + interval '1 day', NULL, 1, 5, false),
	(7, 1, 'web', 'EUR', '2025-01-03', '2025-01-02', 1, 5, false), (8, NULL, 'web', 'EUR', '2025-01-03', NULL, 0, 0, true), (9, 1, 'web', 'EUR', '2025-01-03', NULL, 1, 100000, false);
INSERT INTO bad.orders (order_id, customer_id, channel, currency, ordered_at, units, items_amount) SELECT n, 5, 'web', 'EUR', '2025-01-04', 1, 1 FROM generate_series(100, 400) AS n;
SELECT problem, relation, id, CASE WHEN problem = 'ordered in the future' THEN '...' ELSE detail END AS detail FROM bad.data_quality ORDER BY relation, id, problem;
-- an order of tomorrow breaks nothing
SELECT kind, current FROM bad.fit(now() + interval '2 days');
SELECT count(*) FROM bad.rfm;
SELECT count(*) FROM bad.ltv;
SELECT sum(new_customers) FROM bad.growth;
SELECT stage FROM bad.lifecycle WHERE customer_id = 1;

-- A customer in a row: what the views say, and by indexes alone
SELECT pg_temp.differ('SELECT customer_id, stage, stage_since, stage_until, rfm, segment, p_alive, predicted, total, next_order_at, first_channel, last_channel FROM shop.customer_360', $$
	SELECT customer_id, stage, stage_since, stage_until, rfm, segment, p_alive, predicted, total, next_order_at, (SELECT channel FROM t WHERE t.customer_id = l.customer_id ORDER BY touched_at, touch_id LIMIT 1), (SELECT channel FROM t WHERE t.customer_id = l.customer_id ORDER BY touched_at DESC, touch_id DESC LIMIT 1)
	FROM shop.lifecycle AS l LEFT JOIN shop.rfm USING (customer_id) LEFT JOIN shop.ltv USING (customer_id)$$) AS customer_360;
SELECT count(*) AS rows, bool_and(f = c) AS same FROM shop.customer_360 AS c, shop.customer_360(c.customer_id) AS f WHERE c.customer_id IN (10, 17, 9001);
SELECT count(*) FROM shop.customer_360(-1);
SELECT pg_temp.differ('SELECT customer_id, order_id, number, new_or_repeat, days_since_last, net_base_so_far FROM shop.customer_orders', $$
	SELECT customer_id, order_id, before + 1, CASE WHEN before = 0 THEN 'new' ELSE 'repeat' END, round(extract(epoch FROM ordered_at - last) / 86400, 2), so_far
	FROM o, LATERAL (SELECT count(*) AS before, max(ordered_at) AS last FROM o AS b WHERE b.customer_id = o.customer_id AND (b.ordered_at, b.order_id) < (o.ordered_at, o.order_id)) AS b,
		LATERAL (SELECT CASE WHEN count(*) = count(base) THEN sum(base) END AS so_far FROM o AS b WHERE b.customer_id = o.customer_id AND (b.ordered_at, b.order_id) <= (o.ordered_at, o.order_id)) AS s
	WHERE customer_id IS NOT NULL$$) AS customer_orders;
CREATE FUNCTION pg_temp.scanned(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	-- tables of the shop that are read from one end to the other, as they would be if they were large
	SET LOCAL enable_seqscan = off;
	FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
		IF line ~ 'Seq Scan' THEN RETURN NEXT substring(line FROM 'Seq Scan on (\w+)'); END IF;
	END LOOP;
END $$;
SELECT DISTINCT * FROM pg_temp.scanned('SELECT * FROM shop.customer_360 WHERE customer_id = 17') AS s(relation) WHERE relation NOT IN ('settings', 'fits', 'suppression_key') ORDER BY 1;
-- what touches, carts and sessions of one customer are found by
CREATE FUNCTION pg_temp.indexes(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	SET LOCAL enable_seqscan = off;
	FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
		IF line ~ 'Index (Only )?Scan' THEN RETURN NEXT substring(line FROM '(?:using|Index Scan on) (\w+)'); END IF;
		IF line ~ 'Seq Scan' THEN RETURN NEXT 'Seq Scan on ' || substring(line FROM 'Seq Scan on (\w+)'); END IF;
	END LOOP;
END $$;
SELECT v AS view, '{touches_customer_id_idx, touches_visitor_id_idx}' <@ array_agg(i) AS by_index, bool_or(i ~ 'Seq Scan on (touches|orders)') AS reads_all
FROM unnest('{customer_touches, visitor_funnel, sessions, carts}'::text[]) AS v, LATERAL pg_temp.indexes(format('SELECT * FROM shop.%I WHERE customer_id = 17', v)) AS i
GROUP BY v ORDER BY v;
-- no function of the store is called for each touch or order: all but these, of a campaign, of a day's spend, and once, are part of the query
CREATE FUNCTION pg_temp.called(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (VERBOSE) ' || query LOOP
		RETURN QUERY SELECT m[1] FROM regexp_matches(line, 'shop\.(\w+)\(', 'g') AS m;
	END LOOP;
END $$;
SELECT DISTINCT v AS view, f AS calls FROM unnest('{channel_attribution, campaign_performance, campaign_attribution, sessions, carts, visitor_funnel, bounce_rate, sales, customer_moves, rfm, ltv}'::text[]) AS v, LATERAL pg_temp.called('SELECT * FROM shop.' || v) AS f ORDER BY 1, 2;
-- and who a customer is whose address or number an agent has, as the view shows them
SELECT k, i LIKE 'customers_%_text_idx' AS found_by_it FROM unnest('{email, phone}'::text[]) AS k, LATERAL (
	SELECT i FROM pg_temp.indexes(format('SELECT * FROM shop.customer_360 WHERE %I = ''none''', k)) AS i WHERE i ~ 'customers_.*text|Seq Scan on customers') AS i;
-- and orders by what he is told of them, once there are many
CREATE FUNCTION pg_temp.read_by(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
		IF line ~ 'Scan' THEN
			RETURN substring(line FROM '(?:using|Index Scan on|Seq Scan on) (\w+)') || CASE WHEN substring(line FROM '\.\.([0-9.]+)')::numeric > 20 THEN ', all of it' ELSE '' END;
		END IF;
	END LOOP;
END $$;
ANALYZE shop.orders;
SELECT k, pg_temp.read_by(format('SELECT * FROM shop.order_tracking WHERE %I = ''1''', k)) FROM unnest('{order_id, external_id, tracking_number}'::text[]) AS k;
SELECT v AS view, pg_temp.differ(format('SELECT t.touch_id, t.customer_id, t.visitor_id, t.touched_at, t.kind, t.channel, t.campaign, t.product_id, t.country FROM shop.%I AS t', v), $$SELECT t.touch_id,
	coalesce(t.customer_id, (SELECT i.customer_id FROM shop.identities AS i WHERE i.kind = 'cookie' AND i.value = t.visitor_id)), t.visitor_id, t.touched_at, t.kind, t.channel, t.campaign, t.product_id, t.country
	FROM shop.touches AS t$$) AS whose
FROM unnest('{customer_touches, all_touches}'::text[]) AS v;
-- A store of an older version, without all this
SELECT crm.create_store('older') \gset ignored_
\set store older
\set ECHO none
\i :load
\set ECHO all
DO $$
DECLARE v record;
BEGIN
	FOR v IN SELECT format('older.%I', relname) AS name FROM pg_class WHERE relnamespace = 'older'::regnamespace AND relkind = 'v' LOOP
		IF to_regclass(v.name) IS NOT NULL THEN EXECUTE format('DROP VIEW %s CASCADE', v.name); END IF;
	END LOOP;
END $$;
DROP FUNCTION older.policy CASCADE;
SELECT crm.untrack('older.orders');
DROP TABLE older.fits, older.credit_tiers, older.channel_credits CASCADE;
DROP FUNCTION older.order_value, older.value_orders, older.settings_changed, older.rates_changed CASCADE;
ALTER TABLE older.orders DROP COLUMN counts CASCADE, DROP COLUMN net_base CASCADE;
ALTER TABLE older.settings DROP COLUMN margin CASCADE, DROP COLUMN lookback CASCADE, DROP COLUMN ltv_model CASCADE, DROP COLUMN segment_map CASCADE, DROP COLUMN credit_method;
SELECT crm.create_store('older') \gset ignored_
SELECT pg_temp.differ('SELECT relname::text, relkind::text FROM pg_class WHERE relnamespace = ''older''::regnamespace', 'SELECT relname::text, relkind::text FROM pg_class WHERE relnamespace = ''"New York"''::regnamespace') AS relations,
	pg_temp.differ('SELECT proname::text, pg_get_function_identity_arguments(oid) FROM pg_proc WHERE pronamespace = ''older''::regnamespace', 'SELECT proname::text, pg_get_function_identity_arguments(oid) FROM pg_proc WHERE pronamespace = ''"New York"''::regnamespace') AS functions,
	pg_temp.differ('SELECT tgname::text, tgrelid::regclass::name::text FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = ''older.orders''::regclass', 'SELECT tgname::text, ''older.orders'' FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = ''"New York".orders''::regclass') AS triggers,
	(SELECT count(*) FROM crm.verify('older.orders')) AS stages, (SELECT count(*) FROM older.orders WHERE net_base IS NULL OR counts <> (status <> 'cancelled')) AS misvalued,
	(SELECT count(*) FROM older.lifecycle WHERE stage <> 'lead') > 0 AS has_stages;
DROP SCHEMA shop, sample, "New York", empty, bad, older CASCADE;
