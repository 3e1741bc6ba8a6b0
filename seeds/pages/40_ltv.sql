-- a base too small for a model must not end the report
CREATE FUNCTION demo.fit(currency text, as_of timestamptz) RETURNS crm.ltv_model
LANGUAGE plpgsql STABLE SET client_min_messages = error SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN (SELECT crm.ltv_model(bought, fit.as_of, 'mbg_nbd') FROM demo.customers AS c WHERE c.currency = fit.currency AND customer IS NOT NULL);
EXCEPTION WHEN data_exception THEN
	RETURN NULL;
END $$;
CREATE TABLE demo.model AS SELECT demo.fit(:'main', :'as_of') AS m;
SELECT EXISTS (SELECT FROM demo.model, crm.parameters(m) WHERE name = 'gamma') AS any_model \gset
\if :any_model
\echo What customers will be worth:in_main (a model of when they order and when they stop, MBG/NBD, and of what they spend, Gamma-Gamma)
SELECT name AS parameter, round(estimate::numeric, 4) AS estimate, round(standard_error::numeric, 4) AS standard_error,
	CASE name WHEN 'r' THEN 'orders a day: gamma(r, alpha)' WHEN 'a' THEN 'lost after an order: beta(a, b)'
		WHEN 'p' THEN 'value of an order: gamma(p, n)' WHEN 'q' THEN 'n of a customer: gamma(q, gamma)' ELSE '' END AS meaning
FROM demo.model, crm.parameters(m);

\echo The ten customers worth most in the next year:in_main (10 % discount a year; error: of the expectation)
SELECT coalesce(name || ' (' || customer || ')', customer) AS customer, crm.order_count(bought) AS orders, (crm.last_order(bought) AT TIME ZONE 'UTC')::date AS last_order,
	round(crm.alive(m, bought, :'as_of')::numeric, 2) AS "P(alive)", round(crm.expected_orders(m, bought, :'as_of', '1 year')::numeric, 1) AS orders_to_come,
	round(crm.ltv(m, bought, :'as_of', '1 year', 0.1)::numeric, 2) AS ltv, round(crm.ltv_error(m, bought, :'as_of', '1 year', 0.1)::numeric, 2) AS error
FROM demo.customers, demo.model
WHERE currency = :'main' AND customer IS NOT NULL AND crm.order_count(bought) > 0
ORDER BY crm.ltv(m, bought, :'as_of', '1 year', 0.1) DESC NULLS LAST, customers.customer COLLATE "C" LIMIT 10;

\echo The value of each segment:in_main
WITH buyers AS (
	SELECT bought FROM demo.customers
	WHERE currency = :'main' AND customer IS NOT NULL AND crm.order_count(bought) > 0
)
SELECT coalesce(segment, 'all') AS segment, count(*) AS customers, round(avg(alive)::numeric, 2) AS "P(alive)", round(sum(orders)::numeric, 1) AS orders_to_come,
	sum(so_far) AS revenue, round(sum(ltv)::numeric, 2) AS ltv_next_year, round(avg(ltv)::numeric, 2) AS "of a customer"
FROM (
	SELECT crm.segment(crm.rfm(bought, scale, :'as_of')) AS segment, crm.alive(m, bought, :'as_of') AS alive, crm.expected_orders(m, bought, :'as_of', '1 year') AS orders,
		round(crm.historic_value(bought), 2) AS so_far, crm.ltv(m, bought, :'as_of', '1 year', 0.1) AS ltv
	FROM buyers, demo.model, (SELECT crm.rfm_scale(bought, :'as_of') AS scale FROM buyers) AS s
) AS c
GROUP BY ROLLUP (segment)
ORDER BY c.segment IS NULL, sum(ltv) DESC NULLS LAST, c.segment;

\else
\echo The customers are too few, or too much alike, for a model of what they will be worth.
\endif
