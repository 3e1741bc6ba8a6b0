\pset footer off
\pset null ''
\echo
\echo The figures of :name up to :as_of, once by crm and once by plain SQL:
SELECT nullif(currency, '') AS currency, by, customers, orders, round(revenue, 2) AS revenue, round(refunds, 2) AS refunds, round(average_order_value, 2) AS average_order_value,
	(first_order AT TIME ZONE 'UTC')::date AS first_order, (last_order AT TIME ZONE 'UTC')::date AS last_order
FROM (
	SELECT currency, 1 AS n, 'crm' AS by, customers, crm.order_count(bought) AS orders, crm.revenue(bought) AS revenue, crm.refunds(bought) AS refunds,
		crm.average_order_value(bought) AS average_order_value, crm.first_order(bought) AS first_order, crm.last_order(bought) AS last_order
	FROM (
		SELECT currency, count(*) FILTER (WHERE customer IS NOT NULL AND crm.order_count(bought) > 0) AS customers, crm.rollup(bought) AS bought
		FROM demo.customers GROUP BY currency
	) AS c
	UNION ALL
	SELECT currency, 2, 'plain SQL', count(DISTINCT customer) FILTER (WHERE amount >= 0), count(*) FILTER (WHERE amount >= 0),
		sum(amount), coalesce(-sum(amount) FILTER (WHERE amount < 0), 0), sum(amount) / nullif(count(*) FILTER (WHERE amount >= 0), 0),
		min(at) FILTER (WHERE amount >= 0), max(at) FILTER (WHERE amount >= 0)
	FROM demo.sales GROUP BY currency
) AS figures
ORDER BY max(figures.orders) OVER (PARTITION BY currency) DESC, currency, n;

SELECT count(*) FILTER (WHERE customer IS NULL) AS guests, count(*) FILTER (WHERE customer IS NULL) > 0 AS any_guests,
	count(DISTINCT currency) > 1 AS many_currencies FROM demo.sales \gset
SELECT currency AS main, CASE WHEN currency = '' THEN '' ELSE ', in ' || currency END AS in_main
FROM demo.sales GROUP BY currency ORDER BY count(*) DESC, currency LIMIT 1 \gset
\if :any_guests
\echo Rows of guests: :guests (they belong to no customer, so not to what follows)
\endif
\if :many_currencies
\echo Currencies are never added up: what follows is of what was paid in :main
\endif
