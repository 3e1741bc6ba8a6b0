-- RFM over the stored summaries of customers, against ntile() over the same
-- in plain columns, which are narrower and need no decoding.  Both read all
-- customers and return a count per segment of fm_grid; the two differ only in
-- that ntile() parts equal customers.

-- setup
CREATE EXTENSION IF NOT EXISTS crm;
DROP SCHEMA IF EXISTS bench CASCADE;
CREATE SCHEMA bench;
SELECT setseed(0.5);
CREATE TABLE bench.orders AS
SELECT c AS customer,
	timestamptz '2026-01-01 00:00Z' - random() * interval '1000 days' AS ordered_at,
	round((exp(3 + random() * 2))::numeric, 2) AS amount
FROM generate_series(1, :rows) AS c, generate_series(1, 1 + least(floor(-2 * ln(1 - random())), 40)::int);
CREATE TABLE bench.summaries AS
SELECT customer, crm.purchases(ordered_at, amount) AS p FROM bench.orders GROUP BY customer;
CREATE TABLE bench.columns AS
SELECT customer, crm.last_order(p) AS last_order, crm.order_count(p) AS orders, crm.revenue(p) AS revenue
FROM bench.summaries;
DROP TABLE bench.orders;
VACUUM ANALYZE bench.summaries, bench.columns;

-- task: scale, score and segment a million customers
-- ours
SELECT crm.segment(crm.rfm(p, scale, '2026-01-01 00:00Z')), count(*)
FROM bench.summaries, (SELECT crm.rfm_scale(p, '2026-01-01 00:00Z') AS scale FROM bench.summaries) AS s
GROUP BY 1;
-- rival: ntile()
SELECT CASE
		WHEN r = 5 AND x >= 4 OR r = 4 AND x = 5 THEN 'Champions'
		WHEN r = 5 AND x = 3 OR r = 4 AND x = 4 OR r = 3 AND x >= 4 THEN 'Loyal Customers'
		WHEN r >= 4 AND x = 2 OR r IN (3, 4) AND x = 3 THEN 'Potential Loyalists'
		WHEN r = 5 THEN 'New Customers'
		WHEN r >= 3 AND x = 1 THEN 'Promising'
		WHEN r = 3 OR r = 2 AND x IN (2, 3) THEN 'Need Attention'
		WHEN r = 2 AND x = 1 THEN 'About To Sleep'
		WHEN r = 2 OR x = 3 THEN 'At Risk'
		WHEN x >= 4 THEN 'Can''t Lose Them'
		WHEN x = 2 THEN 'Hibernating'
		ELSE 'Lost'
	END AS segment, count(*)
FROM (
	SELECT r, (f + m + 1) / 2 AS x
	FROM (
		SELECT ntile(5) OVER (ORDER BY last_order) AS r,
			ntile(5) OVER (ORDER BY orders) AS f,
			ntile(5) OVER (ORDER BY revenue) AS m
		FROM bench.columns
	) AS s
) AS x
GROUP BY 1;
