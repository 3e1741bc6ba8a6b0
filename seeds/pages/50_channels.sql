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
CREATE TEMP TABLE credit AS
SELECT c.* FROM (SELECT crm.attribution(journey, ordered_at, amount) AS a FROM orders) AS x, crm.channels(a) AS c
UNION ALL
SELECT c.* FROM (SELECT crm.shapley(path, conversions, value, nulls) AS a FROM paths) AS x, crm.channels(a) AS c
UNION ALL
SELECT channel, 'markov', conversions, value FROM (SELECT crm.markov_model(path, conversions, value, nulls, 1) AS m FROM paths) AS x, crm.channels(m);
SELECT channel, round(sum(value) FILTER (WHERE model = 'first'), 2) AS first, round(sum(value) FILTER (WHERE model = 'last'), 2) AS last,
	round(sum(value) FILTER (WHERE model = 'last_non_direct'), 2) AS last_non_direct, round(sum(value) FILTER (WHERE model = 'linear'), 2) AS linear,
	round(sum(value) FILTER (WHERE model = 'position'), 2) AS position, round(sum(value) FILTER (WHERE model = 'time_decay'), 2) AS time_decay,
	round(sum(value) FILTER (WHERE model = 'shapley'), 2) AS shapley, round(sum(value) FILTER (WHERE model = 'markov'), 2) AS markov
FROM credit GROUP BY channel ORDER BY sum(value) FILTER (WHERE model = 'linear') DESC, channel;
\echo The same in orders, and what would be lost without a channel
SELECT channel, round(sum(conversions) FILTER (WHERE model = 'first'), 1) AS first, round(sum(conversions) FILTER (WHERE model = 'last'), 1) AS last,
	round(sum(conversions) FILTER (WHERE model = 'linear'), 1) AS linear, round(sum(conversions) FILTER (WHERE model = 'position'), 1) AS position,
	round(sum(conversions) FILTER (WHERE model = 'time_decay'), 1) AS time_decay, round(sum(conversions) FILTER (WHERE model = 'shapley'), 1) AS shapley,
	round(sum(conversions) FILTER (WHERE model = 'markov'), 1) AS markov, max(round(100 * m.removal_effect::numeric, 1)) AS "% of orders lost without"
FROM credit JOIN (SELECT c.channel, c.removal_effect FROM (SELECT crm.markov_model(path, conversions, value, nulls, 1) AS m FROM paths) AS x, crm.channels(m) AS c) AS m USING (channel)
GROUP BY channel ORDER BY sum(value) FILTER (WHERE model = 'linear') DESC, channel;
\endif
