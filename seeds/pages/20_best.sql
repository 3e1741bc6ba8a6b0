\echo
\echo The best customers:in_main (what they spent, less refunds)
SELECT coalesce(name || ' (' || customer || ')', customer) AS customer, crm.order_count(bought) AS orders, round(crm.revenue(bought), 2) AS revenue,
	round(crm.average_order_value(bought), 2) AS average_order_value, (crm.last_order(bought) AT TIME ZONE 'UTC')::date AS last_order
FROM demo.customers
WHERE currency = :'main' AND customer IS NOT NULL AND crm.order_count(bought) > 0
ORDER BY crm.revenue(bought) DESC, customers.customer COLLATE "C" LIMIT 10;
