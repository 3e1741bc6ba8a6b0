-- crm.purchases against PostgreSQL's own aggregates.
-- setup
CREATE EXTENSION IF NOT EXISTS crm;
CREATE SCHEMA IF NOT EXISTS bench;
-- a shop's orders as they came: most customers bought once or twice, some for years
SELECT setseed(0.5);
DROP TABLE IF EXISTS bench.orders;
CREATE TABLE bench.orders AS
SELECT customer, timestamptz '2026-01-01 00:00Z' - (t - at) * interval '1 day' AS at, round(value::numeric, 2)::numeric(12, 2) AS amount
FROM (
	SELECT customer, t, n, -ln((1 - random()) * (1 - random())) / scale AS value,
		CASE WHEN n = 1 THEN 0 ELSE sum(-ln(1 - random()) / rate) OVER (PARTITION BY customer ORDER BY n) END AS at
	FROM (
		SELECT customer, 1 + 729 * random() AS t, greatest(-ln(1 - random()) * cos(2 * pi() * random()) ^ 2, 1e-9) / 30 AS rate,
			1 + floor(ln(1 - random()) / ln(sqrt(1 - random()))) AS loyal, -ln((1 - random()) * (1 - random()) * (1 - random())) / 40 AS scale
		FROM generate_series(1, (:rows * 0.36)::int) AS customer
	) AS customers, LATERAL generate_series(1, 1 + least(loyal, 100)::int) AS n
) AS histories
WHERE at <= t ORDER BY 2;
-- ten orders of everybody, in random order
DROP TABLE IF EXISTS bench.even_orders;
CREATE TABLE bench.even_orders AS
SELECT (hashint8extended(g, 1) & 2147483647) % (:rows / 10) AS customer,
	'2023-01-01 00:00+00'::timestamptz + (hashint8extended(g, 2) & 2147483647) % 94608000 * interval '1 second' AS at,
	((hashint8extended(g, 3) & 2147483647) % 50000 / 100.0)::numeric(12, 2) AS amount
FROM generate_series(1, :rows) g;
VACUUM ANALYZE bench.even_orders;
VACUUM ANALYZE bench.orders;
DROP TABLE IF EXISTS bench.parts;
CREATE TABLE bench.parts AS
SELECT customer, date_trunc('month', at) AS month, crm.purchases(at, amount) AS p, count(*) AS orders, sum(amount) AS revenue, min(at) AS first_order, max(at) AS last_order
FROM bench.orders GROUP BY 1, 2;
VACUUM ANALYZE bench.parts;
-- task: a bare scan of the orders
-- ours
SELECT 1 FROM bench.orders
-- task: one pass over orders
-- ours
SELECT customer, crm.purchases(at, amount) FROM bench.orders GROUP BY customer
-- rival: count, sum, min, max
SELECT customer, count(*), sum(amount), min(at), max(at) FROM bench.orders GROUP BY customer
-- task: one pass over ten orders of everybody
-- ours
SELECT customer, crm.purchases(at, amount) FROM bench.even_orders GROUP BY customer
-- rival: count, sum, min, max
SELECT customer, count(*), sum(amount), min(at), max(at) FROM bench.even_orders GROUP BY customer
-- task: the same, with refunds
-- ours
SELECT customer, crm.purchases(at, amount) FROM bench.orders GROUP BY customer
-- rival: the same with FILTER
SELECT customer, count(*) FILTER (WHERE amount >= 0), sum(amount), sum(amount) FILTER (WHERE amount < 0), min(at) FILTER (WHERE amount >= 0), max(at) FILTER (WHERE amount >= 0) FROM bench.orders GROUP BY customer
-- task: a day's orders as one
-- ours
SELECT customer, crm.purchases(at, amount, '1 day') FROM bench.orders GROUP BY customer
-- rival: two GROUP BYs
SELECT customer, count(*), sum(amount), min(at), max(at) FROM (SELECT customer, date_bin('1 day', at, '2000-01-03 00:00+00') AS at, sum(amount) AS amount FROM bench.orders GROUP BY 1, 2) d GROUP BY customer
-- task: all orders, no groups
-- ours
SELECT crm.purchases(at, amount) FROM bench.orders
-- rival: count, sum, min, max
SELECT count(*), sum(amount), min(at), max(at) FROM bench.orders
-- task: merge stored summaries
-- ours
SELECT customer, crm.rollup(p) FROM bench.parts GROUP BY customer
-- rival: sum, sum, min, max of stored columns
SELECT customer, sum(orders), sum(revenue), min(first_order), max(last_order) FROM bench.parts GROUP BY customer
