\if :sample
\echo Which channel won the orders:in_main (revenue by channel and model; each column sums to the revenue of these orders)
CREATE TEMP TABLE journeys AS
SELECT visitor_id, crm.journey(channel, touched_at) AS journey FROM sample.touches GROUP BY visitor_id;
CREATE TEMP TABLE orders AS
SELECT visitor_id, ordered_at, amount, crm.path(journey, ordered_at, '30 days') AS path, journey
FROM sample.orders LEFT JOIN journeys USING (visitor_id)
WHERE status <> 'cancelled' AND currency = :'main' AND amount >= 0;
CREATE TEMP TABLE paths AS
SELECT path, 1 AS conversions, amount AS value, 0 AS nulls FROM orders
UNION ALL
SELECT path, 0, 0, 1
FROM journeys LEFT JOIN (SELECT visitor_id, max(ordered_at) AS last_order FROM orders GROUP BY visitor_id) AS o USING (visitor_id),
	crm.null_path(journey, last_order, :'as_of', '30 days') AS path
WHERE path IS NOT NULL;
-- rounded so that a column, as it is printed, sums to the total: running sums are rounded
CREATE TEMP TABLE credit AS
SELECT channel, model, round(sum(conversions) OVER w, 1) - round(sum(conversions) OVER w - conversions, 1) AS conversions,
	round(sum(value) OVER w, 2) - round(sum(value) OVER w - value, 2) AS value
FROM (
	SELECT c.* FROM (SELECT crm.attribution(journey, ordered_at, amount) AS a FROM orders) AS x, crm.channels(a) AS c
	UNION ALL
	SELECT c.* FROM (SELECT crm.shapley(path, conversions, value, nulls) AS a FROM paths) AS x, crm.channels(a) AS c
	UNION ALL
	SELECT channel, 'markov', conversions, value FROM (SELECT crm.markov_model(path, conversions, value, nulls, 1) AS m FROM paths) AS x, crm.channels(m)
) AS c WINDOW w AS (PARTITION BY model ORDER BY channel COLLATE "C");
SELECT channel, sum(value) FILTER (WHERE model = 'first') AS first, sum(value) FILTER (WHERE model = 'last') AS last,
	sum(value) FILTER (WHERE model = 'last_non_direct') AS last_non_direct, sum(value) FILTER (WHERE model = 'linear') AS linear,
	sum(value) FILTER (WHERE model = 'position') AS position, sum(value) FILTER (WHERE model = 'time_decay') AS time_decay,
	sum(value) FILTER (WHERE model = 'shapley') AS shapley, sum(value) FILTER (WHERE model = 'markov') AS markov
FROM credit GROUP BY channel ORDER BY sum(value) FILTER (WHERE model = 'linear') DESC, channel;
\echo The same in orders, and what would be lost without a channel
SELECT channel, sum(conversions) FILTER (WHERE model = 'first') AS first, sum(conversions) FILTER (WHERE model = 'last') AS last,
	sum(conversions) FILTER (WHERE model = 'last_non_direct') AS last_non_direct, sum(conversions) FILTER (WHERE model = 'linear') AS linear,
	sum(conversions) FILTER (WHERE model = 'position') AS position, sum(conversions) FILTER (WHERE model = 'time_decay') AS time_decay, sum(conversions) FILTER (WHERE model = 'shapley') AS shapley,
	sum(conversions) FILTER (WHERE model = 'markov') AS markov, max(round(100 * m.removal_effect::numeric, 1)) AS "% of orders lost without"
FROM credit JOIN (SELECT c.channel, c.removal_effect FROM (SELECT crm.markov_model(path, conversions, value, nulls, 1) AS m FROM paths) AS x, crm.channels(m) AS c) AS m USING (channel)
GROUP BY channel ORDER BY sum(value) FILTER (WHERE model = 'linear') DESC, channel;
\endif
