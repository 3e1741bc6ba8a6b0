\echo The segments:in_main (from how recently, how often and for how much a customer bought)
WITH buyers AS (
	SELECT bought FROM demo.customers
	WHERE currency = :'main' AND customer IS NOT NULL AND crm.order_count(bought) > 0
), segments AS (
	SELECT crm.segment(crm.rfm(bought, scale, :'as_of')) AS segment, count(*) AS customers, crm.rollup(bought) AS bought
	FROM buyers, (SELECT crm.rfm_scale(bought, :'as_of') AS scale FROM buyers) AS s
	GROUP BY ROLLUP (1)
)
SELECT coalesce(s.segment, 'all') AS segment, s.customers, round(100.0 * s.customers / al.customers, 1) AS "% of customers",
	round(crm.revenue(s.bought), 2) AS revenue, round(100 * crm.revenue(s.bought) / nullif(crm.revenue(al.bought), 0), 1) AS "% of revenue",
	round(crm.average_order_value(s.bought), 2) AS average_order_value
FROM segments AS s, segments AS al
WHERE al.segment IS NULL
ORDER BY s.segment IS NULL, crm.revenue(s.bought) DESC, s.segment;
