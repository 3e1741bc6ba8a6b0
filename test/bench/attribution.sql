-- Attribution from raw tables: one customer per five orders and 25 touches, all
-- the rules, a lookback of 30 days, a half-life of 7.  The rivals are plain SQL
-- that computes the same in double precision: the join as one would write it,
-- and the same with the touches first sorted into spans of 30 days, so that the
-- join meets far fewer of them; of many ways it was the fastest found. And R's
-- package ChannelAttribution, in C++, which knows three of the rules and wants each
-- order's path as a string: they are in a data frame already, so that it neither
-- joins nor sorts.

-- setup
CREATE EXTENSION IF NOT EXISTS crm;
DROP SCHEMA IF EXISTS bench CASCADE;
CREATE SCHEMA bench;
SET work_mem = '512MB';
CREATE TABLE bench.touches AS
SELECT 1 + (hashint8extended(i, 1) & 2147483647) % (:rows / 5) AS customer_id,
	(ARRAY['organic search', 'paid search', 'email', 'direct', 'facebook', 'instagram', 'affiliate', 'referral', 'display', 'tiktok', 'marketplace', 'sms'])
		[1 + (hashint8extended(i, 2) & 2147483647) % 6 + (hashint8extended(i, 4) & 2147483647) % 7] AS channel,
	timestamptz '2024-01-01 00:00Z' + (i + (hashint8extended(i, 3) & 65535) / 65536.0) * (interval '364 days' / (5.0 * :rows)) AS touched_at
FROM generate_series(1, 5 * :rows) AS i;
CREATE TABLE bench.orders AS
SELECT i AS order_id, 1 + (hashint8extended(i, 5) & 2147483647) % (:rows / 5) AS customer_id,
	timestamptz '2024-01-01 00:00Z' + i * (interval '364 days' / :rows) AS ordered_at,
	(((hashint8extended(i, 6) & 2147483647) % 20000 + 500) / 100.0)::numeric(10,2) AS amount
FROM generate_series(1, :rows) AS i;
VACUUM ANALYZE bench.touches, bench.orders;
CREATE VIEW bench.hits AS
SELECT order_id, amount, ordered_at, channel, touched_at
FROM bench.orders JOIN bench.touches USING (customer_id)
WHERE touched_at <= ordered_at AND touched_at >= ordered_at - interval '720 hours';
CREATE VIEW bench.spans AS
SELECT order_id, amount, ordered_at, channel, touched_at
FROM (
	SELECT order_id, customer_id, amount, ordered_at, date_bin('30 days', ordered_at, '2024-01-01 00:00Z') - back * interval '720 hours' AS span
	FROM bench.orders, generate_series(0, 1) AS back
) AS o
JOIN (SELECT customer_id, channel, touched_at, date_bin('30 days', touched_at, '2024-01-01 00:00Z') AS span FROM bench.touches) AS t USING (customer_id, span)
WHERE touched_at <= ordered_at AND touched_at >= ordered_at - interval '720 hours';
CREATE VIEW bench.by_join AS
WITH hit AS (
	SELECT order_id, amount, channel, n, touches, weight / sum(weight) OVER o AS share, max(not_direct) OVER o AS winner
	FROM (
		SELECT order_id, amount::float8 AS amount, channel, row_number() OVER w AS n, count(*) OVER (PARTITION BY order_id) AS touches,
			CASE WHEN channel <> 'direct' THEN row_number() OVER w END AS not_direct,
			2 ^ (-date_part('epoch', ordered_at - touched_at) / 604800) AS weight
		FROM bench.hits WINDOW w AS (PARTITION BY order_id ORDER BY touched_at, channel COLLATE "C")
	) AS h WINDOW o AS (PARTITION BY order_id)
), credit AS (
	SELECT channel, amount, (n = 1)::int::float8 AS first, (n = touches)::int::float8 AS last, (n = coalesce(winner, touches))::int::float8 AS last_non_direct,
		1 / touches::float8 AS linear, CASE WHEN touches = 1 THEN 1 WHEN touches = 2 THEN 0.5 WHEN n IN (1, touches) THEN 0.4 ELSE 0.2::float8 / (touches - 2) END AS position, share
	FROM hit
)
SELECT channel, sum(first) AS a, sum(first * amount) AS b, sum(last) AS c, sum(last * amount) AS d, sum(last_non_direct) AS e, sum(last_non_direct * amount) AS f,
	sum(linear) AS g, sum(linear * amount) AS h, sum(position) AS i, sum(position * amount) AS j, sum(share) AS k, sum(share * amount) AS l
FROM credit GROUP BY channel;
CREATE VIEW bench.by_spans AS
WITH hit AS (
	SELECT order_id, amount, channel, n, touches, weight / sum(weight) OVER o AS share, max(not_direct) OVER o AS winner
	FROM (
		SELECT order_id, amount::float8 AS amount, channel, row_number() OVER w AS n, count(*) OVER (PARTITION BY order_id) AS touches,
			CASE WHEN channel <> 'direct' THEN row_number() OVER w END AS not_direct,
			2 ^ (-date_part('epoch', ordered_at - touched_at) / 604800) AS weight
		FROM bench.spans WINDOW w AS (PARTITION BY order_id ORDER BY touched_at, channel COLLATE "C")
	) AS h WINDOW o AS (PARTITION BY order_id)
), credit AS (
	SELECT channel, amount, (n = 1)::int::float8 AS first, (n = touches)::int::float8 AS last, (n = coalesce(winner, touches))::int::float8 AS last_non_direct,
		1 / touches::float8 AS linear, CASE WHEN touches = 1 THEN 1 WHEN touches = 2 THEN 0.5 WHEN n IN (1, touches) THEN 0.4 ELSE 0.2::float8 / (touches - 2) END AS position, share
	FROM hit
)
SELECT channel, sum(first) AS a, sum(first * amount) AS b, sum(last) AS c, sum(last * amount) AS d, sum(last_non_direct) AS e, sum(last_non_direct * amount) AS f,
	sum(linear) AS g, sum(linear * amount) AS h, sum(position) AS i, sum(position * amount) AS j, sum(share) AS k, sum(share * amount) AS l
FROM credit GROUP BY channel;

-- R
library(ChannelAttribution)
paths <- table('SELECT string_agg(channel, \'>\' ORDER BY touched_at, channel COLLATE "C"), 1, min(amount) FROM bench.spans GROUP BY order_id')

-- task: all the rules at once, from raw rows
-- ours
SELECT crm.attribution(customer_id, channel, at, value, '30 days', '7 days')
FROM (SELECT customer_id, channel, touched_at AS at, NULL::numeric AS value FROM bench.touches
	UNION ALL SELECT customer_id, NULL, ordered_at, amount FROM bench.orders) AS e;
-- rival: a join
SELECT * FROM bench.by_join;
-- rival: a join by spans of 30 days
SELECT * FROM bench.by_spans;
-- rival in R: ChannelAttribution, 3 rules
heuristic_models(paths, 'V1', 'V2', 'V3', flg_pro = FALSE)

-- task: all the rules at once, by journeys
-- ours
SELECT crm.attribution(journey, ordered_at, amount, '30 days', '7 days')
FROM bench.orders
LEFT JOIN (SELECT customer_id, crm.journey(channel, touched_at) AS journey FROM bench.touches GROUP BY customer_id) AS j USING (customer_id);
-- rival: a join
SELECT * FROM bench.by_join;
-- rival: a join by spans of 30 days
SELECT * FROM bench.by_spans;
