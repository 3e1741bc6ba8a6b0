-- Campaigns, teams and a scale of the store's own; against queries that do it by hand
SET client_min_messages = warning;
SET timezone = 'UTC';
\getenv abs_srcdir PG_ABS_SRCDIR
\set sample :abs_srcdir '/seeds/shop.sql'
\set load :abs_srcdir '/seeds/store.sql'
\set customers 200
\set store shop
\set ECHO none
SELECT crm.create_store('shop', 'EUR', 'America/New_York') \gset
\i :sample
\i :load
\set ECHO all
\set VERBOSITY terse
-- mail and advertising belong to campaigns, but for some
UPDATE shop.touches SET campaign = CASE touch_id % 4 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'No. ' || touch_id % 4 END WHERE channel IN ('email', 'paid_search', 'paid_social', 'referral', 'direct');
UPDATE shop.spend SET campaign = CASE extract(day FROM day)::int % 3 WHEN 0 THEN '' ELSE 'No. ' || extract(day FROM day)::int % 3 + 1 END;
SELECT count(*) > 0 AS mixed FROM shop.orders AS o JOIN shop.rates AS r USING (currency) WHERE counts;

-- Each order with the touches before it, of one person
CREATE TEMP TABLE person_touches AS
SELECT coalesce('c' || coalesce(t.customer_id, (SELECT i.customer_id FROM shop.identities AS i WHERE i.kind = 'cookie' AND i.value = t.visitor_id)), 'v' || t.visitor_id) AS who,
	t.touched_at, t.touch_id, t.channel, coalesce(t.campaign, '') AS campaign FROM shop.touches AS t;
CREATE INDEX ON person_touches (who, touched_at);
CREATE TEMP TABLE person_orders AS
SELECT o.order_id, coalesce('c' || o.customer_id, 'v' || o.visitor_id) AS who, o.ordered_at,
	round((o.amount - o.refunded_amount) * CASE o.currency WHEN 'EUR' THEN 1 ELSE (SELECT r.rate FROM shop.rates AS r WHERE r.currency = o.currency
		AND r.day <= (o.ordered_at AT TIME ZONE 'America/New_York')::date ORDER BY r.day DESC LIMIT 1) END, 2) AS value,
	o.customer_id IS NOT NULL AND row_number() OVER (PARTITION BY o.customer_id ORDER BY o.ordered_at, o.order_id) = 1 AS is_first
FROM shop.orders AS o WHERE o.status <> 'cancelled' AND NOT o.test;
-- which channels are direct is told by their types, not by what they are called
UPDATE shop.channels SET type = CASE channel WHEN 'direct' THEN 'other' ELSE 'direct' END WHERE channel IN ('direct', 'organic_search', 'referral');
CREATE TEMP VIEW weights AS
SELECT order_id, value, is_first, ordered_at, m.model, channel, campaign, m.w::numeric / sum(m.w::numeric) OVER (PARTITION BY order_id, m.model) AS credit
FROM (
	SELECT o.*, coalesce(t.channel, '(none)') AS channel, coalesce(t.campaign, '') AS campaign, t.touched_at, count(t.touch_id) OVER w AS n,
		row_number() OVER (PARTITION BY o.order_id ORDER BY t.touched_at, t.touch_id) AS place,
		coalesce(max(CASE WHEN (SELECT k.type FROM shop.channels AS k WHERE k.channel = t.channel) <> 'direct' THEN t.place END) OVER w, count(*) OVER w) AS last_non_direct
	FROM person_orders AS o
	LEFT JOIN LATERAL (SELECT *, row_number() OVER (ORDER BY touched_at, touch_id) AS place FROM person_touches AS t WHERE t.who = o.who AND t.touched_at BETWEEN o.ordered_at - interval '30 days' AND o.ordered_at) AS t ON true
	WINDOW w AS (PARTITION BY o.order_id)) AS x,
	LATERAL (VALUES ('first', (place = 1)::int::float8), ('last', (place = greatest(n, 1))::int), ('last_non_direct', (place = last_non_direct)::int), ('linear', 1),
		('position', CASE WHEN n <= 2 THEN 1 WHEN place IN (1, n) THEN 0.4 ELSE 0.2 / (n - 2) END),
		('time_decay', CASE WHEN n = 0 THEN 1 ELSE 2 ^ (-extract(epoch FROM ordered_at - touched_at) / 604800) END)) AS m(model, w);

-- Credit by every rule: a ten-thousandth of an order, a cent for each order at most
SELECT count(*) > 40 AS there_are, max(abs(a.orders - b.orders)) < 0.001 AS orders, max(abs(a.revenue - b.revenue)) < 0.01 * max(b.number) AS revenue, max(abs(a.new_customers - b.new_customers)) < 0.001 AS new_customers,
	count(*) FILTER (WHERE (a.channel IS NULL OR b.channel IS NULL) AND coalesce(a.orders, b.orders) > 0) AS missing
FROM (SELECT * FROM shop.campaign_attribution('2024-01-01', '2025-07-01') WHERE model NOT IN ('markov', 'shapley')) AS a
FULL JOIN (SELECT channel, campaign, model, sum(credit) AS orders, sum(credit * value) AS revenue, coalesce(sum(credit) FILTER (WHERE is_first), 0) AS new_customers, count(*) AS number
	FROM weights WHERE credit > 0 AND ordered_at >= '2024-01-01' AND ordered_at < '2025-07-01' GROUP BY 1, 2, 3) AS b USING (channel, campaign, model);
SELECT model, abs(sum(orders) - (SELECT count(*) FROM person_orders)) < 0.01 AS orders, sum(revenue) = (SELECT sum(value) FROM person_orders) AS revenue FROM shop.campaign_attribution GROUP BY model ORDER BY model;
SELECT count(*) > 8 AS there_are, count(*) FILTER (WHERE a.orders IS DISTINCT FROM b.orders OR a.revenue IS DISTINCT FROM b.revenue OR a.new_customers IS DISTINCT FROM b.firsts) AS differ
FROM (SELECT channel, orders, revenue, new_customers FROM shop.channel_attribution WHERE model = 'last_non_direct') AS a
FULL JOIN (SELECT channel, sum(credit) AS orders, sum(credit * value) AS revenue, count(*) FILTER (WHERE is_first) AS firsts FROM weights WHERE credit = 1 AND model = 'last_non_direct' GROUP BY 1) AS b USING (channel);
-- a channel's campaigns add up to the channel
SELECT count(*) AS differ FROM (SELECT channel, model, sum(orders), sum(revenue), sum(new_customers) FROM shop.campaign_attribution WHERE model IN ('first', 'last', 'last_non_direct') GROUP BY 1, 2
	EXCEPT SELECT channel, model, orders, revenue, new_customers FROM shop.channel_attribution) AS d;

-- the usual way, and two that are direct beside each other
UPDATE shop.channels SET type = 'direct' WHERE channel = 'direct';
SELECT count(*) > 8 AS there_are, count(*) FILTER (WHERE a.orders IS DISTINCT FROM b.orders OR a.revenue IS DISTINCT FROM b.revenue) AS differ, count(*) FILTER (WHERE channel IN ('direct', 'referral')) AS direct
FROM (SELECT channel, orders, revenue FROM shop.channel_attribution WHERE model = 'last_non_direct') AS a
FULL JOIN (SELECT channel, sum(credit) AS orders, sum(credit * value) AS revenue FROM weights WHERE credit = 1 AND model = 'last_non_direct' GROUP BY 1) AS b USING (channel);
SELECT count(*) AS differ FROM (SELECT channel, sum(orders), sum(revenue) FROM shop.campaign_attribution WHERE model = 'last_non_direct' GROUP BY 1
	EXCEPT SELECT channel, orders, revenue FROM shop.channel_attribution WHERE model = 'last_non_direct') AS d;

-- By a chain and by a game, of paths through campaigns that are put together here
CREATE TEMP TABLE way AS
SELECT 'order ' || order_id AS way, 1 AS won, value, is_first::int AS is_first, coalesce((SELECT array_agg(t.channel || '/' || t.campaign ORDER BY touched_at, touch_id) FROM person_touches AS t
	WHERE t.who = o.who AND t.touched_at BETWEEN o.ordered_at - interval '30 days' AND o.ordered_at), '{}') AS path
FROM person_orders AS o WHERE ordered_at >= '2024-01-01' AND ordered_at < '2025-07-01'
UNION ALL
SELECT 'visit ' || who, 0, 0, 0, array_agg(channel || '/' || campaign ORDER BY touched_at, touch_id) FILTER (WHERE touched_at >= last_touch - interval '30 days')
FROM (SELECT t.*, max(touched_at) OVER (PARTITION BY who) AS last_touch FROM person_touches AS t WHERE touched_at >= timestamptz '2024-01-01' - interval '30 days' AND touched_at < '2025-07-01') AS t
LEFT JOIN (SELECT who, max(ordered_at) AS last_order FROM person_orders WHERE ordered_at >= '2024-01-01' AND ordered_at < '2025-07-01' GROUP BY 1) AS p USING (who)
WHERE last_touch < timestamptz '2025-07-01' - interval '30 days' AND (last_order IS NULL OR touched_at > last_order) GROUP BY who;
CREATE FUNCTION pg_temp.off(m text, VARIADIC expected text[]) RETURNS TABLE (campaigns boolean, orders boolean, revenue boolean, new_customers boolean, missing bigint) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT count(*) > 15, max(abs(coalesce(a.orders, 0) - coalesce(e.orders, 0))) < 0.001, max(abs(coalesce(a.revenue, 0) - coalesce(e.revenue, 0))) < 0.001, max(abs(coalesce(a.new_customers, 0) - coalesce(n.orders, 0))) < 0.001,
			count(*) FILTER (WHERE a.orders IS NULL)
		FROM (SELECT *, CASE channel WHEN ''(none)'' THEN channel ELSE channel || ''/'' || campaign END AS name FROM shop.campaign_attribution(''2024-01-01'', ''2025-07-01'') WHERE model = %L) AS a
		FULL JOIN (%s) AS e(name, orders, revenue) USING (name) LEFT JOIN (%s) AS n(name, orders) USING (name)', m, expected[1], expected[2]);
END
$$;
SELECT * FROM pg_temp.off('markov', 'SELECT channel, conversions, value FROM crm.channels((SELECT crm.markov_model(path, won, value, 1 - won, 1) FROM way))',
	'SELECT channel, conversions FROM crm.channels((SELECT crm.markov_model(path, is_first, 0, 1 - won, 1) FROM way WHERE is_first = 1 OR won = 0))');
SELECT * FROM pg_temp.off('shapley', $$SELECT c, sum(1.0 / n), sum(value / n) FROM (SELECT value, c, count(*) OVER (PARTITION BY way) AS n FROM (SELECT DISTINCT way, value, unnest(CASE WHEN path = '{}' THEN '{(none)}' ELSE path END) AS c FROM way WHERE won = 1) AS d) AS d GROUP BY 1$$,
	$$SELECT c, sum(1.0 / n) FROM (SELECT c, count(*) OVER (PARTITION BY way) AS n FROM (SELECT DISTINCT way, unnest(CASE WHEN path = '{}' THEN '{(none)}' ELSE path END) AS c FROM way WHERE is_first = 1) AS d) AS d GROUP BY 1$$);
UPDATE shop.settings SET attribution_model = 'markov';
SELECT count(*) AS differ FROM ((SELECT channel, campaign, attributed_orders, attributed_revenue, attributed_new_customers FROM shop.campaign_performance('2024-01-01', '2025-07-01') WHERE attributed_orders > 0)
	EXCEPT SELECT channel, campaign, orders, revenue, new_customers FROM shop.campaign_attribution('2024-01-01', '2025-07-01') WHERE model = 'markov') AS d;
-- without a campaign they are the channels
BEGIN;
UPDATE shop.touches SET campaign = NULL;
SELECT model, max(abs(a.orders - b.orders)) < 0.001 AS orders, max(abs(a.revenue - b.revenue)) < 0.001 AS revenue, count(*) FILTER (WHERE a.orders IS NULL OR b.orders IS NULL) AS missing
FROM shop.campaign_attribution AS a FULL JOIN shop.channel_attribution AS b USING (channel, model) GROUP BY model ORDER BY model COLLATE "C";
ROLLBACK;

-- names go into journeys and come back, whatever is in them
SELECT bool_and((n.channel, n.campaign) = (c, coalesce(k, ''))) AS come_back
FROM (VALUES ('web', 'spring'), ('web', ''), ('web', NULL), ('direct', E'a\x1Fb\x1F'), ('ü', '(none)')) AS v(c, k), unnest(ARRAY['{web}', '{}', NULL]::text[]) AS direct, shop.journey_campaign(shop.campaign_name(c, k, direct::text[])) AS n;
SELECT * FROM shop.journey_campaign('(none)');
-- What they cost and brought
UPDATE shop.settings SET margin = 0.4, attribution_model = 'last';
SELECT count(*) > 8 AS there_are, count(*) FILTER (WHERE (a.visitors, a.converted, a.conversion_rate, a.attributed_orders, a.attributed_revenue, a.attributed_new_customers, a.spend, a.cac, a.roas, a.roi)
	IS DISTINCT FROM (coalesce(v.visitors, 0), coalesce(v.converted, 0), round(v.converted::numeric / v.visitors, 6), coalesce(w.orders, 0), coalesce(w.revenue, 0), coalesce(w.firsts, 0),
		s.spend, round(s.spend / nullif(w.firsts, 0), 4), round(coalesce(w.revenue, 0) / s.spend, 4), round((coalesce(w.revenue, 0) * 0.4 - s.spend) / s.spend, 4))) AS differ
FROM shop.campaign_performance('2025-01-01 05:00+00', '2025-06-01 04:00+00') AS a
FULL JOIN (SELECT channel, campaign, count(*) AS visitors, count(*) FILTER (WHERE EXISTS (SELECT FROM person_orders AS o WHERE o.who = t.who AND o.ordered_at >= t.first AND o.ordered_at < '2025-06-01 04:00+00')) AS converted
	FROM (SELECT who, channel, campaign, min(touched_at) AS first FROM person_touches WHERE touched_at >= '2025-01-01 05:00+00' AND touched_at < '2025-06-01 04:00+00' GROUP BY 1, 2, 3) AS t GROUP BY 1, 2) AS v USING (channel, campaign)
FULL JOIN (SELECT channel, campaign, sum(credit) AS orders, sum(value * credit) AS revenue, count(*) FILTER (WHERE is_first) AS firsts
	FROM weights WHERE model = 'last' AND credit > 0 AND ordered_at >= '2025-01-01 05:00+00' AND ordered_at < '2025-06-01 04:00+00' GROUP BY 1, 2) AS w USING (channel, campaign)
FULL JOIN (SELECT channel, campaign, sum(round(amount * CASE currency WHEN 'EUR' THEN 1 ELSE (SELECT rate FROM shop.rates AS r WHERE r.currency = p.currency AND r.day <= p.day ORDER BY r.day DESC LIMIT 1) END, 2)) AS spend
	FROM shop.spend AS p WHERE day >= '2025-01-01' AND day < '2025-06-01' GROUP BY 1, 2) AS s USING (channel, campaign);
-- nothing is known of what one cost, of another the rate
INSERT INTO shop.spend VALUES ('affiliate', 'lost', '2020-01-01', 'GBP', 5), ('affiliate', 'free', '2020-01-01', 'EUR', 0);
SELECT campaign, visitors, conversion_rate, spend, cac, roas, roi FROM shop.campaign_performance('2020-01-01', '2020-02-01') ORDER BY campaign;
SELECT campaign, spend, roi FROM shop.campaign_performance WHERE campaign IN ('lost', 'free') ORDER BY campaign;

-- The scale: as many parts as the store wants
UPDATE shop.settings SET rfm_bins = 3;
SELECT fit_id, notes FROM shop.fit('2026-01-01') WHERE kind = 'rfm';
CREATE TEMP TABLE bought AS SELECT customer_id, max(o.ordered_at) AS last, count(*) AS n, sum(value) AS value FROM person_orders JOIN shop.orders AS o USING (order_id) WHERE customer_id IS NOT NULL GROUP BY 1;
SELECT count(*) AS differ FROM shop.rfm('2026-01-01') FULL JOIN (
	SELECT customer_id, 1 + (age <= c.a[2])::int + (age <= c.a[1])::int AS r, 1 + (b.n > c.n[1])::int + (b.n > c.n[2])::int AS f, 1 + (value > c.v[1])::int + (value > c.v[2])::int AS m
	FROM (SELECT *, timestamptz '2026-01-01' - last AS age FROM bought) AS b, (
		SELECT percentile_disc('{0.333333333333333333,0.666666666666666667}'::float8[]) WITHIN GROUP (ORDER BY timestamptz '2026-01-01' - last) AS a,
			percentile_disc('{0.333333333333333333,0.666666666666666667}'::float8[]) WITHIN GROUP (ORDER BY n) AS n,
			percentile_disc('{0.333333333333333333,0.666666666666666667}'::float8[]) WITHIN GROUP (ORDER BY value) AS v FROM bought) AS c) AS b USING (customer_id)
WHERE (rfm.r, rfm.f, rfm.m) IS DISTINCT FROM (b.r, b.f, b.m);
-- thresholds of its own: a threshold is the largest value of its part
UPDATE shop.settings SET rfm_thresholds = crm.rfm_scale(recency => '{90 days}', frequency => '{1}', monetary => '{100}');
SELECT kind, customers, current FROM shop.fit('2026-01-01') WHERE kind = 'rfm';
SELECT count(*) AS differ FROM shop.rfm('2026-01-01') JOIN bought USING (customer_id)
WHERE (r, f, m) IS DISTINCT FROM (1 + (timestamptz '2026-01-01' - last <= interval '90 days')::int, 1 + (n > 1)::int, 1 + (value > 100)::int);
-- names of its own: each score has one
UPDATE shop.settings SET own_segments = (SELECT crm.segment_map(s, r, '[1,2]'::int4range, m) FROM (VALUES ('sleeping', '[1,1]'::int4range, '[1,2]'::int4range), ('rich', '[2,2]', '[2,2]')) AS v(s, r, m));
UPDATE shop.settings SET own_segments = (SELECT crm.segment_map(s, r, '[1,2]'::int4range, m) FROM (VALUES ('sleeping', '[1,1]'::int4range, '[1,2]'::int4range), ('rich', '[1,2]', '[2,2]'), ('poor', '[2,2]', '[1,1]')) AS v(s, r, m));
UPDATE shop.settings SET own_segments = (SELECT crm.segment_map(s, r, '[1,2]'::int4range, m) FROM (VALUES ('sleeping', '[1,1]'::int4range, '[1,2]'::int4range), ('rich', '[2,2]', '[2,2]'), ('poor', '[2,2]', '[1,1]')) AS v(s, r, m));
UPDATE shop.settings SET rfm_thresholds = NULL;
SELECT count(*) AS differ FROM shop.rfm('2026-01-01') WHERE segment IS DISTINCT FROM CASE WHEN r = 1 THEN 'sleeping' WHEN m = 2 THEN 'rich' ELSE 'poor' END;
SELECT segment, customers = (SELECT count(*) FROM shop.rfm('2026-01-01') AS r WHERE r.segment = s.segment) AS counted FROM shop.segments('2026-01-01') AS s ORDER BY segment;
SELECT segment, customers = (SELECT count(*) FROM shop.rfm AS r WHERE r.segment = s.segment) AS counted FROM shop.segments AS s ORDER BY segment;
UPDATE shop.settings SET own_segments = NULL, rfm_bins = 11;

-- Teams: whose a channel and a customer is
INSERT INTO shop.teams VALUES ('web'), ('key accounts');
UPDATE shop.channels SET team = 'web' WHERE type IN ('organic_search', 'paid');
UPDATE shop.customers SET team = 'key accounts' WHERE customer_id = 34;
SELECT team FROM shop.customer_360 WHERE customer_id = 34;
UPDATE shop.customers SET team = 'nobody' WHERE customer_id = 34;
SELECT sum(orders) = (SELECT count(*) FROM shop.orders WHERE counts AND channel IN (SELECT channel FROM shop.channels WHERE team = 'web')) AS orders_of_a_team
FROM shop.channel_performance JOIN shop.channels USING (channel) WHERE team = 'web';
SELECT * FROM shop.uncovered_data();
DROP SCHEMA shop, sample CASCADE;
