-- A store in New York with three currencies, test orders, orders of one moment
-- and of nobody: figures against queries on the bare tables
SET client_min_messages = warning;
SET timezone = 'UTC';
\getenv abs_srcdir PG_ABS_SRCDIR
\set sample :abs_srcdir '/seeds/shop.sql'
\set load :abs_srcdir '/seeds/store.sql'
\set customers 150
\set store shop
\set ECHO none
SELECT crm.create_store('shop', 'EUR', 'America/New_York') \gset
\i :sample
\i :load
\set ECHO all
UPDATE shop.orders SET test = true WHERE order_id % 37 = 0;
UPDATE shop.orders AS o SET ordered_at = (SELECT min(p.ordered_at) FROM shop.orders AS p WHERE p.customer_id = o.customer_id) WHERE order_id % 29 = 0 AND customer_id IS NOT NULL;
UPDATE shop.orders SET customer_id = NULL WHERE order_id % 41 = 0;
CREATE TEMP TABLE o AS
SELECT o.*, o.ordered_at AT TIME ZONE 'America/New_York' AS local, coalesce((SELECT sum(f.amount) FROM shop.refunds AS f WHERE f.order_id = o.order_id), 0) AS back,
	round((o.amount - coalesce((SELECT sum(f.amount) FROM shop.refunds AS f WHERE f.order_id = o.order_id), 0)) * CASE o.currency WHEN 'EUR' THEN 1 ELSE (
		SELECT r.rate FROM shop.rates AS r WHERE r.currency = o.currency AND r.day <= (o.ordered_at AT TIME ZONE 'America/New_York')::date ORDER BY r.day DESC LIMIT 1) END, 2) AS value
FROM shop.orders AS o WHERE NOT o.test AND o.status <> 'cancelled';
CREATE TEMP TABLE t AS
SELECT t.*, t.touched_at AT TIME ZONE 'America/New_York' AS local, coalesce('c' || coalesce(t.customer_id, i.customer_id), 'v' || t.visitor_id) AS who
FROM shop.touches AS t LEFT JOIN shop.identities AS i ON i.kind = 'cookie' AND i.value = t.visitor_id;
SELECT count(*) > 300 AS orders, count(DISTINCT currency) AS currencies, count(*) FILTER (WHERE customer_id IS NULL) > 5 AS of_nobody, count(*) FILTER (WHERE local::date <> ordered_at::date) > 5 AS other_day,
	count(*) FILTER (WHERE back > 0) > 10 AS refunded, (SELECT count(*) > 5 FROM shop.orders WHERE test) AS tests FROM o;
-- rows that are in the one and not in the other, both ways
CREATE FUNCTION pg_temp.differ(a text, b text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM ((%1$s EXCEPT ALL %2$s) UNION ALL (%2$s EXCEPT ALL %1$s)) AS d', '(' || a || ')', '(' || b || ')') INTO n;
	RETURN n;
END
$$;
SELECT pg_temp.differ('SELECT day, channel, currency, sum(orders), sum(gross), sum(refunded), sum(net) FROM shop.sales GROUP BY 1, 2, 3',
	'SELECT local::date, channel, currency, count(*), sum(amount), sum(back), sum(amount - back) FROM o GROUP BY 1, 2, 3') AS sales;
SELECT pg_temp.differ('SELECT part, currency, orders, net FROM shop.sales(''2024-03-09 05:00+00'', ''2024-11-04 05:00+00'', ''hour'')',
	'SELECT to_char(local, ''HH24''), currency, count(*), sum(amount - back) FROM o WHERE local >= ''2024-03-09'' AND local < ''2024-11-04'' GROUP BY 1, 2') AS hours;
SELECT pg_temp.differ('SELECT month, channel, currency, orders, average_order_value, average_net_value FROM shop.average_order_value',
	'SELECT date_trunc(''month'', local)::date, channel, currency, count(*), round(avg(amount), 4), round(avg(amount - back), 4) FROM o GROUP BY 1, 2, 3') AS average_order_value;
SELECT pg_temp.differ('SELECT month, orders, customers, purchase_frequency FROM shop.purchase_frequency',
	'SELECT date_trunc(''month'', local)::date, count(*), count(DISTINCT customer_id), round(count(*)::numeric / count(DISTINCT customer_id), 4) FROM o WHERE customer_id IS NOT NULL GROUP BY 1') AS purchase_frequency;
SELECT pg_temp.differ('SELECT * FROM shop.repeat_rate(''2024-01-01'', ''2025-01-01'', ''60 days'')', $$
	SELECT count(*), count(*) FILTER (WHERE second < first + interval '60 days'), round(count(*) FILTER (WHERE second < first + interval '60 days')::numeric / count(*), 6)
	FROM (SELECT min(ordered_at) AS first, (array_agg(ordered_at ORDER BY ordered_at))[2] AS second FROM o WHERE customer_id IS NOT NULL GROUP BY customer_id) AS c WHERE first >= '2024-01-01' AND first < '2025-01-01'$$) AS repeat_rate;
SELECT pg_temp.differ('SELECT cohort, month_number, customers, retained, retention FROM shop.cohort_retention(''-infinity'', ''infinity'', ''2025-07-01 03:59+00'')', $$
	SELECT c, k, count(*), CASE WHEN c + k * interval '1 month' <= '2025-06-01' THEN count(*) FILTER (WHERE back) END, CASE WHEN c + k * interval '1 month' <= '2025-06-01' THEN round(count(*) FILTER (WHERE back)::numeric / count(*), 6) END
	FROM (SELECT customer_id, date_trunc('month', min(local))::date AS c FROM o WHERE customer_id IS NOT NULL AND local < '2025-06-30 23:59' GROUP BY 1) AS f,
		generate_series(0, (SELECT 12 * (2025 - extract(year FROM min(local))) + 6 - extract(month FROM min(local)) FROM o WHERE customer_id IS NOT NULL)::int) AS k,
		LATERAL (SELECT EXISTS (SELECT FROM o WHERE o.customer_id = f.customer_id AND local < '2025-06-30 23:59' AND date_trunc('month', local) = c + k * interval '1 month') AS back) AS b
	GROUP BY c, k$$) AS cohort_retention;
SELECT pg_temp.differ('SELECT month, visitors, new_customers, conversion_rate FROM shop.conversion_rate', $$
	SELECT month, count(*), count(*) FILTER (WHERE first = month), round(count(*) FILTER (WHERE first = month)::numeric / count(*), 6)
	FROM (SELECT DISTINCT date_trunc('month', local)::date AS month, who FROM t) AS v
	LEFT JOIN (SELECT coalesce('c' || customer_id, 'v' || visitor_id) AS who, date_trunc('month', min(local))::date AS first FROM o GROUP BY 1) AS f USING (who) GROUP BY month$$) AS conversion_rate;
SELECT pg_temp.differ('SELECT customer_id, stage FROM shop.lifecycle(''2025-06-15'') WHERE orders > 0', $$
	SELECT customer_id, CASE WHEN age > greatest(interval '180 days', 4 * gap) THEN 'lost' WHEN age > greatest(interval '90 days', 2 * gap) THEN 'at_risk' WHEN n >= 5 THEN 'loyal' WHEN n >= 2 THEN 'active' ELSE 'new' END
	FROM (SELECT customer_id, count(*) AS n, '2025-06-15' - max(ordered_at) AS age, (max(ordered_at) - min(ordered_at)) / nullif(count(*) - 1, 0) AS gap FROM o
		WHERE customer_id IS NOT NULL AND ordered_at < '2025-06-15' GROUP BY 1) AS c$$) AS lifecycle;
SELECT pg_temp.differ('SELECT customer_id, orders, net_base, first_order_at, last_order_at FROM shop.customer_360 WHERE orders > 0',
	'SELECT customer_id, count(*), sum(value), min(ordered_at), max(ordered_at) FROM o WHERE customer_id IS NOT NULL GROUP BY 1') AS customer_360;
SELECT pg_temp.differ('SELECT order_id, number, net_base_so_far FROM shop.customer_orders', $$
	SELECT order_id, n, s FROM o, LATERAL (SELECT count(*) AS n, sum(value) AS s FROM o AS p WHERE p.customer_id = o.customer_id AND (p.ordered_at, p.order_id) <= (o.ordered_at, o.order_id)) AS b WHERE customer_id IS NOT NULL$$) AS customer_orders;
SELECT pg_temp.differ('SELECT product_id, currency, orders, buyers, units, revenue FROM shop.product_sales',
	'SELECT product_id, currency, count(DISTINCT order_id), count(DISTINCT customer_id), sum(quantity), sum(i.quantity * i.unit_price - i.discount) FROM o JOIN shop.order_items AS i USING (order_id) GROUP BY 1, 2') AS product_sales;
SELECT pg_temp.differ('SELECT product_id, other_product_id, orders, support, confidence, lift FROM shop.cross_sell', $$
	SELECT x.product_id, y.product_id, count(*), round(count(*) / n, 6), round(count(*)::numeric / x.c, 6), round(count(*) * n / x.c / y.c, 4)
	FROM (SELECT DISTINCT order_id, product_id, (SELECT count(DISTINCT order_id) FROM o JOIN shop.order_items AS j USING (order_id) WHERE j.product_id = i.product_id) AS c FROM o JOIN shop.order_items AS i USING (order_id)) AS x
	JOIN (SELECT DISTINCT order_id, product_id, (SELECT count(DISTINCT order_id) FROM o JOIN shop.order_items AS j USING (order_id) WHERE j.product_id = i.product_id) AS c FROM o JOIN shop.order_items AS i USING (order_id)) AS y
		ON y.order_id = x.order_id AND y.product_id <> x.product_id,
	(SELECT count(DISTINCT order_id)::numeric AS n FROM o JOIN shop.order_items USING (order_id)) AS n GROUP BY 1, 2, n, x.c, y.c$$) AS cross_sell;
-- each month of the view is the period of the function, over both changes of the clock; what ends one begins the next
SELECT count(*) > 24 AS months, count(*) FILTER (WHERE (g.active_at_start, g.new_customers, g.returning_customers, g.reactivated_customers, g.leaving_customers, g.active_at_end)
	IS DISTINCT FROM (f.active_at_start, f.new_customers, f.returning_customers, f.reactivated_customers, f.leaving_customers, f.active_at_end)) AS differ, count(*) FILTER (WHERE g.active_at_end <> g.next) AS gaps
FROM (SELECT *, lead(active_at_start, 1, active_at_end) OVER (ORDER BY month) AS next FROM shop.growth) AS g, LATERAL shop.growth(month::timestamp AT TIME ZONE 'America/New_York', (month + interval '1 month') AT TIME ZONE 'America/New_York') AS f;
SELECT * FROM crm.verify('shop.orders');
DROP SCHEMA shop, sample CASCADE;
