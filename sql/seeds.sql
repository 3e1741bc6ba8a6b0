-- The sample shop: the same on every machine and version, at every size; and
-- what has to be true of a shop.
\getenv abs_srcdir PG_ABS_SRCDIR
\set shop :abs_srcdir '/seeds/shop.sql'
SET client_min_messages = warning;
\set customers 300
\set ECHO none
\i :shop
\set ECHO all

-- chance: mean and variance within 4 standard errors of what the theory says
SELECT abs(avg(u) - 0.5) < 4 * sqrt(1 / 12.0 / 50000) AS mean, abs(var_samp(u) - 1 / 12.0) < 4 * sqrt(1 / 180.0 / 50000) AS variance,
	min(u) > 0 AND max(u) < 1 AS inside, count(DISTINCT u) AS different
FROM (SELECT sample.uniform(9, id, 7) FROM generate_series(1, 50000) AS id) AS t(u);
SELECT shape, abs(avg(g) - shape) < 4 * sqrt(shape / 5000) AS mean,
	abs(var_samp(g) - shape) < 4 * sqrt((2 * shape ^ 2 + 6 * shape) / 5000) AS variance
FROM (VALUES (0.5), (1), (2.5), (4), (6)) AS s(shape),
	LATERAL (SELECT sample.gamma(9, id, 32, shape) FROM generate_series(1, 5000) AS id) AS t(g)
GROUP BY shape ORDER BY shape;
-- neighbours in id, number and stream have nothing to do with each other
SELECT abs(corr(sample.uniform(9, id, 0), sample.uniform(9, id + 1, 0))) < 4 / sqrt(50000) AS id,
	abs(corr(sample.uniform(9, id, 0), sample.uniform(9, id, 1))) < 4 / sqrt(50000) AS number,
	abs(corr(sample.uniform(9, id, 0), sample.uniform(8, id, 0))) < 4 / sqrt(50000) AS stream
FROM generate_series(1, 50000) AS id;

-- what must not happen: all counts are zero
SELECT count(*) FROM (SELECT order_id FROM sample.orders LEFT JOIN sample.order_items USING (order_id)
	GROUP BY order_id HAVING sum(quantity * unit_price) - discount IS DISTINCT FROM amount) AS wrong_amount;
SELECT count(*) AS wrong_price FROM sample.order_items JOIN sample.products USING (product_id) WHERE unit_price <> price;
SELECT count(*) FROM (SELECT order_id FROM sample.refunds AS r JOIN sample.orders AS o USING (order_id)
	GROUP BY order_id, o.amount, status, ordered_at
	HAVING sum(r.amount) > o.amount OR (status = 'refunded') <> (sum(r.amount) = o.amount) OR min(refunded_at) <= ordered_at) AS wrong_refund;
SELECT count(*) AS refunded_without_refund FROM sample.orders WHERE status = 'refunded' AND NOT EXISTS (SELECT FROM sample.refunds AS r WHERE r.order_id = orders.order_id);
SELECT count(*) AS refund_of_cancelled FROM sample.refunds JOIN sample.orders USING (order_id) WHERE status = 'cancelled';
SELECT count(*) AS order_before_account FROM sample.orders JOIN sample.customers USING (customer_id) WHERE ordered_at < created_at;
SELECT count(*) AS outside_of_time FROM (
	SELECT ordered_at FROM sample.orders UNION ALL SELECT refunded_at FROM sample.refunds
	UNION ALL SELECT touched_at FROM sample.touches UNION ALL SELECT created_at FROM sample.customers) AS t(at)
WHERE at < sample.opening() OR at >= sample.today();
SELECT count(*) AS touch_after_order FROM sample.touches JOIN sample.orders ON order_id = touch_id / 10 WHERE touched_at >= ordered_at;
SELECT count(*) AS wrong_last_channel FROM (SELECT DISTINCT ON (order_id) o.channel AS told, t.channel AS last
	FROM sample.orders AS o JOIN sample.touches AS t ON order_id = touch_id / 10 ORDER BY order_id, touched_at DESC) AS o WHERE told <> last;
SELECT count(*) AS two_currencies FROM (SELECT country FROM sample.orders GROUP BY country HAVING count(DISTINCT currency) > 1) AS c;
SELECT count(*) AS twice_in_an_order FROM (SELECT FROM sample.order_items GROUP BY order_id, product_id HAVING count(*) > 1) AS d;
SELECT count(*) FROM (SELECT currency, sum(amount) AS net FROM sample.sales GROUP BY currency) AS a
FULL JOIN (SELECT currency, sum(amount - coalesce(given_back, 0)) AS net FROM sample.orders
	LEFT JOIN (SELECT order_id, sum(amount) AS given_back FROM sample.refunds GROUP BY order_id) AS r USING (order_id)
	WHERE status <> 'cancelled' GROUP BY currency) AS b USING (currency) WHERE a.net IS DISTINCT FROM b.net;

-- what must happen
SELECT count(*) FILTER (WHERE n = 1) BETWEEN 0.4 * count(*) AND 0.6 * count(*) AS many_buy_once,
	count(*) FILTER (WHERE n >= 10) > 0 AS some_are_loyal, count(*) < 0.95 * 300 AS some_never_buy
FROM (SELECT count(*) AS n FROM sample.sales WHERE amount > 0 AND customer_id IS NOT NULL GROUP BY customer_id) AS c;
SELECT count(*) FILTER (WHERE extract(month FROM ordered_at AT TIME ZONE 'UTC') IN (11, 12)) > 0.22 * count(*) AS season,
	count(*) FILTER (WHERE ordered_at >= '2025-01-01 UTC') > 1.5 * count(*) FILTER (WHERE ordered_at < '2024-01-01 UTC') AS growth,
	count(*) FILTER (WHERE customer_id IS NULL) BETWEEN 1 AND 0.3 * count(*) AS guests,
	count(DISTINCT status) AS states, count(DISTINCT currency) AS currencies
FROM sample.orders;
SELECT count(*) > 0 AS guests_with_an_account FROM sample.orders JOIN sample.customers ON guest_email = email;
-- the best pair of products is bought together far more often than by chance
SELECT max(n * orders / (a.sold * b.sold)) > 10 AS cross_sell
FROM (SELECT i.product_id AS a, j.product_id AS b, count(*)::numeric AS n FROM sample.order_items AS i JOIN sample.order_items AS j USING (order_id)
	WHERE i.product_id < j.product_id GROUP BY 1, 2 HAVING count(*) >= 5) AS pairs
JOIN (SELECT product_id AS a, count(*) AS sold FROM sample.order_items GROUP BY 1) AS a USING (a)
JOIN (SELECT product_id AS b, count(*) AS sold FROM sample.order_items GROUP BY 1) AS b USING (b),
	(SELECT count(*) AS orders FROM sample.orders) AS o;
-- everything has a comment
SELECT c.oid::regclass::text AS without_comment FROM pg_class AS c WHERE relnamespace = 'sample'::regnamespace AND relkind IN ('r', 'v') AND obj_description(oid, 'pg_class') IS NULL
UNION ALL
SELECT p.oid::regprocedure::text FROM pg_proc AS p WHERE pronamespace = 'sample'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL;

-- The rows, in numbers and text that neither TimeZone nor DateStyle touch.
CREATE FUNCTION pg_temp.rows() RETURNS TABLE (n int, of text, owner bigint, id bigint, data text) LANGUAGE sql AS $$
SELECT 1 AS n, 'customers' AS of, customer_id AS owner, customer_id AS id, concat_ws('|', first_name, last_name, email, phone, country, region, city, language,
	birth_date - date '2000-01-01', gender, extract(epoch FROM created_at)::bigint, source, marketing_consent::int) AS data FROM sample.customers
UNION ALL
SELECT 2, 'orders', order_id / 1000, order_id, concat_ws('|', customer_id, guest_email, visitor_id, extract(epoch FROM ordered_at)::bigint, status, currency, amount, discount, channel, country, region, city) FROM sample.orders
UNION ALL
SELECT 3, 'order_items', order_id / 1000, order_id * 10 + line, concat_ws('|', product_id, quantity, unit_price) FROM sample.order_items
UNION ALL
SELECT 4, 'refunds', order_id / 1000, refund_id, concat_ws('|', extract(epoch FROM refunded_at)::bigint, amount) FROM sample.refunds
UNION ALL
SELECT 5, 'touches', touch_id / 10000, touch_id, concat_ws('|', visitor_id, customer_id, extract(epoch FROM touched_at)::bigint, channel, kind, country) FROM sample.touches
UNION ALL
SELECT 6, 'products', 0, product_id, concat_ws('|', name, category, price, on_hand, extract(epoch FROM created_at)::bigint) FROM sample.products
$$;
CREATE TEMP TABLE at_300 AS SELECT * FROM pg_temp.rows();
-- a change here is a change of everyone's examples
SELECT of, count(*), md5(string_agg(id || ':' || data, E'\n' ORDER BY id)) FROM at_300 GROUP BY n, of ORDER BY n;
SELECT count(*), sum(amount), md5(string_agg(concat_ws('|', channel, day - date '2000-01-01', amount, currency), E'\n' ORDER BY day, currency, channel COLLATE "C")) FROM sample.spend;

-- a shop of another size has the same customers, under any settings
DROP SCHEMA sample CASCADE;
SET timezone = 'Pacific/Kiritimati';
SET datestyle = 'SQL, DMY';
SET extra_float_digits = 0;
SET enable_mergejoin = off;
SET enable_hashagg = off;
\set customers 450
\set ECHO none
\i :shop
\set ECHO all
SHOW timezone;
SELECT count(*) AS rows_that_differ FROM (
	(SELECT * FROM pg_temp.rows() WHERE owner <= 300 EXCEPT ALL SELECT * FROM at_300)
	UNION ALL
	(SELECT * FROM at_300 EXCEPT ALL SELECT * FROM pg_temp.rows() WHERE owner <= 300)) AS d;
DROP SCHEMA sample CASCADE;
