\echo The life cycle:in_main (the last day is moved to today, and the orders are tracked)
BEGIN;
CREATE TABLE demo.orders (customer text, at timestamptz, amount numeric);
INSERT INTO demo.orders SELECT customer, at + (now() - timestamptz :'as_of'), round(amount, 2) FROM demo.sales WHERE currency = :'main' AND customer IS NOT NULL;
CREATE INDEX ON demo.orders (customer);
SELECT crm.track('demo.orders', 'customer', 'at', 'amount') \g /dev/null
SELECT coalesce(min(customer), 'a newcomer') AS back FROM (SELECT customer FROM demo.orders_lifecycle WHERE stage = 'lost' ORDER BY crm.revenue(purchases) DESC, customer COLLATE "C" LIMIT 1) s \gset
CREATE TEMP TABLE days AS SELECT 'today' AS day, 1 AS n, stage FROM demo.orders_lifecycle;
INSERT INTO demo.orders VALUES (:'back', now(), 49.90);
SELECT customer, coalesce(from_stage || ' -> ', '') || to_stage AS "an order arrives", cause FROM demo.orders_lifecycle_history WHERE customer = :'back' ORDER BY id DESC LIMIT 1;
INSERT INTO days SELECT 'and an order', 2, stage FROM demo.orders_lifecycle;
SELECT crm.advance_stages(now() + interval '30 days', 'demo.orders') AS moved \gset
INSERT INTO days SELECT '30 days later', 3, stage FROM demo.orders_lifecycle;
SELECT crm.advance_stages(now() + interval '90 days', 'demo.orders') AS moved \gset
INSERT INTO days SELECT '90 days later', 4, stage FROM demo.orders_lifecycle;
\echo If nobody bought any more, time alone would move them:
SELECT day, count(*) FILTER (WHERE stage = 'new') AS new, count(*) FILTER (WHERE stage = 'active') AS active, count(*) FILTER (WHERE stage = 'loyal') AS loyal,
	count(*) FILTER (WHERE stage = 'at_risk') AS at_risk, count(*) FILTER (WHERE stage = 'lost') AS lost
FROM days GROUP BY n, day ORDER BY n;
ROLLBACK;
