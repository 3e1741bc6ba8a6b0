-- attribution: which channel won the order, by rules
\pset format unaligned

-- one order: the rules by hand
\set j '''[["email", "2025-01-01T00:00:00Z"], ["ads", "2025-01-08T00:00:00Z"], ["search", "2025-01-09T00:00:00Z"], ["ads", "2025-01-15T00:00:00Z"], ["direct", "2025-01-15T00:00:00Z"]]'''
SELECT model, string_agg(channel || ' ' || round(credit::numeric, 9), ', ' ORDER BY channel) AS credit, sum(credit) = 1 AS whole
FROM unnest('{first,last,last_non_direct,linear,position,time_decay,shapley}'::text[]) WITH ORDINALITY m (model, n),
	crm.credit(:j, '2025-01-15 00:00Z', model)
GROUP BY n, model ORDER BY n;
-- time decay by its definition: 14, 7, 6 and 0 days old
SELECT string_agg(channel || ' ' || (abs(credit - weight / total) < 1e-15)::text, ', ' ORDER BY channel) AS by_definition
FROM crm.credit(:j, '2025-01-15 00:00Z', 'time_decay', '30 days', '7 days')
JOIN (VALUES ('email', 0.25::float8), ('ads', 0.5 + 1), ('search', 2 ^ (-6 / 7.0::float8)), ('direct', 1)) v (channel, weight) USING (channel),
	(SELECT 0.25 + 0.5 + 1 + 2 ^ (-6 / 7.0::float8) + 1) t (total);
-- own weights for position
SELECT weights, string_agg(channel || ' ' || round(credit::numeric, 9), ', ' ORDER BY channel) AS credit
FROM unnest(ARRAY['{0.3,0.4,0.3}', '{1,0,3}', '{0,1,0}', '{2,0,0}', '{0,0,5}']) WITH ORDINALITY w (weights, n),
	crm.credit(:j, '2025-01-15 00:00Z', 'position', '30 days', '7 days', weights::float8[])
GROUP BY n, weights ORDER BY n;
SELECT weights, string_agg(channel || ' ' || round(credit::numeric, 9), ', ' ORDER BY channel) AS two_touches
FROM unnest(ARRAY['{0.3,0.4,0.3}', '{1,0,3}', '{0,1,0}', '{2,0,0}']) WITH ORDINALITY w (weights, n),
	crm.credit('[["a", "2025-01-01T00:00:00Z"], ["b", "2025-01-02T00:00:00Z"]]', '2025-01-15 00:00Z', 'position', '30 days', '7 days', weights::float8[])
GROUP BY n, weights ORDER BY n;
-- all direct; the window's edges; nothing in the window; no journey
SELECT channel, credit FROM crm.credit('[["direct", "2025-01-01T00:00:00Z"], ["direct", "2025-01-02T00:00:00Z"]]', '2025-01-15 00:00Z', 'last_non_direct');
-- several ways to come directly, told apart behind a unit separator; what begins otherwise is none
WITH journeys AS (
	SELECT n, replace(touches, E'\x1F', '/') AS touches, (SELECT crm.journey(u.t, '2025-01-01Z'::timestamptz + u.n * interval '1 day') FROM unnest(touches::text[]) WITH ORDINALITY AS u(t, n)) AS j
	FROM (VALUES (1, E'{email,direct\x1Fapp,direct,direct\x1F}'), (2, E'{direct\x1Fweb,direct\x1Fapp}'), (3, E'{directory,direct\x1Fapp}'), (4, '{Direct,direct}'), (5, E'{direct |app,direct\x1Fapp}'), (6, '{dire,direct}')) AS v(n, touches))
SELECT touches, replace(c.channel, E'\x1F', '/') AS channel, replace(a.channel, E'\x1F', '/') AS of_an_attribution
FROM journeys, crm.credit(j, '2025-01-15Z'::timestamptz, 'last_non_direct') AS c, crm.channels((SELECT crm.attribution(i.j, '2025-01-15Z'::timestamptz, 1::numeric) FROM journeys AS i WHERE i.n = journeys.n)) AS a
WHERE a.model = 'last_non_direct' AND a.conversions > 0 ORDER BY n;
SELECT string_agg(channel, ' ') AS edges FROM crm.credit('[["before", "2025-01-14T23:59:59.999999Z"], ["start", "2025-01-15T00:00:00Z"], ["end", "2025-01-16T00:00:00Z"], ["after", "2025-01-16T00:00:00.000001Z"]]', '2025-01-16 00:00Z', 'linear', '1 day');
SELECT * FROM crm.credit(:j, '2024-12-31Z', 'linear');
SELECT * FROM crm.credit(NULL, '2024-12-31Z', 'linear');
SELECT count(*) AS null_arguments FROM crm.credit(:j, NULL, 'linear') a, crm.credit(:j, '2025-01-15Z', NULL::text) b;
-- a half-life so short that every weight but the last would be zero, and so long that all are alike
SELECT half_life, string_agg(channel || ' ' || round(credit::numeric, 6), ', ' ORDER BY channel) AS credit
FROM unnest(ARRAY['1 microsecond', '1000 years']) half_life, crm.credit(:j, '2025-01-20 00:00Z', 'time_decay', '30 days', half_life::interval)
GROUP BY half_life ORDER BY half_life;
SELECT crm.credit(:j, '2025-01-15Z', 'best');
SELECT crm.credit(:j, '2025-01-15Z', 'time_decay', '30 days', '0');
SELECT crm.credit(:j, '2025-01-15Z', 'time_decay', '-30 days');
SELECT crm.credit(:j, '2025-01-15Z', 'position', '30 days', '7 days', '{1,2}');
SELECT crm.credit(:j, '2025-01-15Z', 'position', '30 days', '7 days', '{1,-2,3}');
SELECT crm.credit(:j, '2025-01-15Z', 'position', '30 days', '7 days', '{0,0,0}');
SELECT crm.credit(:j, '2025-01-15Z', 'position', '30 days', '7 days', '{1,NaN,0}');
SELECT crm.credit(:j, 'infinity', 'linear');

-- Random journeys against plain SQL: customers with no, one, two and many
-- touches, ties in time, some all direct, and touches exactly on the edges of
-- the window (all times are whole hours, and so is the lookback).
CREATE TABLE touch AS
SELECT customer, CASE WHEN customer % 10 = 0 THEN 'direct' ELSE (ARRAY['email', 'direct', 'ads', 'busca', '', 'ü'])[1 + (hashint4(i * 7 + customer) & 65535) % 6] END AS channel,
	timestamptz '2025-01-01 00:00Z' + make_interval(hours => (hashint4(i * 3 + customer * 1000) & 65535) % 1500) AS at
FROM generate_series(1, 400) customer,
	generate_series(1, CASE WHEN customer = 7 THEN 1000 ELSE (hashint4(customer) & 65535) % 30 - 4 END) i
UNION ALL VALUES (401, 'email', timestamptz '2025-01-10 00:00Z'), (402, 'email', '2025-01-10 00:00Z'), (402, 'ads', '2025-01-10 00:00Z');
CREATE TABLE purchase AS
SELECT i AS id, 1 + (hashint4(i) & 65535) % 410 AS customer,
	timestamptz '2025-01-01 00:00Z' + make_interval(hours => (hashint4(i * 5) & 65535) % 1500) AS at,
	((hashint4(i * 11) & 65535) % 30000 - 200) / 100.0 AS amount
FROM generate_series(1, 3000) i
UNION ALL VALUES (3001, 401, timestamptz '2025-01-10 00:00Z', 10.01), (3002, 402, '2025-02-09 00:00Z', 99.9999), (3003, 402, '2025-02-09 00:00:00.000001Z', 0.01), (3004, 7, '2025-02-09 00:00Z', 12345678.9);

CREATE TABLE by_hand AS
WITH hit AS (
	SELECT p.id, p.customer, p.amount, t.channel,
		row_number() OVER w AS n, count(*) OVER (PARTITION BY p.id) AS touches,
		CASE WHEN t.channel <> 'direct' THEN row_number() OVER w END AS n_not_direct,
		2 ^ (- extract(epoch FROM p.at - t.at)::float8 / (7 * 86400)) AS weight
	FROM purchase p JOIN touch t ON t.customer = p.customer AND t.at <= p.at AND t.at >= p.at - interval '720 hours'
	WINDOW w AS (PARTITION BY p.id ORDER BY t.at, t.channel COLLATE "C")
), credit AS (
	SELECT id, channel, amount, model, credit
	FROM (SELECT *, max(n_not_direct) OVER (PARTITION BY id) AS winner, sum(weight) OVER (PARTITION BY id) AS weights FROM hit) h,
		LATERAL (VALUES ('first', (n = 1)::int::float8), ('last', (n = touches)::int),
			('last_non_direct', (n = coalesce(winner, touches))::int), ('linear', 1.0 / touches),
			('position', CASE WHEN touches = 1 THEN 1 WHEN touches = 2 THEN 0.5 WHEN n IN (1, touches) THEN 0.4 ELSE 0.2 / (touches - 2) END),
			('time_decay', weight / weights)) m (model, credit)
	UNION ALL
	SELECT id, '(none)', amount, model, 1 FROM purchase p, unnest('{first,last,last_non_direct,linear,position,time_decay}'::text[]) model
	WHERE NOT EXISTS (SELECT FROM hit WHERE hit.id = p.id)
)
SELECT * FROM credit;
CREATE INDEX ON by_hand (id);

CREATE TABLE journeys AS SELECT customer, crm.journey(channel, at) AS journey FROM touch GROUP BY customer;
SELECT count(*) AS orders, sum(amount) AS revenue, count(*) FILTER (WHERE amount < 0) AS refunds,
	count(*) FILTER (WHERE NOT EXISTS (SELECT FROM by_hand b WHERE b.id = p.id AND channel <> '(none)')) AS without_touch,
	count(*) FILTER (WHERE (SELECT count(*) FROM by_hand b WHERE b.id = p.id AND model = 'first') = 1) AS one_touch,
	max((SELECT count(*) FROM by_hand b WHERE b.id = p.id AND model = 'first')) AS most_touches
FROM purchase p;

-- each order: the same channels with the same credit, which sums to exactly 1
SELECT model, count(DISTINCT id) AS orders, count(*) AS rows, count(*) FILTER (WHERE abs(coalesce(ours, 0) - coalesce(theirs, 0)) > 1e-12) AS wrong
FROM (SELECT id, model, channel, credit AS ours FROM purchase LEFT JOIN journeys USING (customer),
		unnest('{first,last,last_non_direct,linear,position,time_decay}'::text[]) model, crm.credit(journey, at, model, '720 hours', '7 days')) o
FULL JOIN (SELECT id, model, channel, sum(credit) AS theirs FROM by_hand GROUP BY id, model, channel HAVING sum(credit) > 0) t USING (id, model, channel)
GROUP BY model ORDER BY model;
SELECT bool_and(sum = 1) AS sums_to_one FROM (SELECT sum(credit ORDER BY random()) FROM purchase LEFT JOIN journeys USING (customer),
	unnest('{first,last,last_non_direct,linear,position,time_decay,shapley}'::text[]) model, crm.credit(journey, at, model, '720 hours', '7 days')
	GROUP BY id, model) s;

-- the totals: a refund takes from the value and is no conversion
SELECT crm.attribution(journey, at, amount, '720 hours', '7 days') AS result FROM purchase LEFT JOIN journeys USING (customer) \gset
SELECT model, count(*) AS channels, bool_and(coalesce(abs(conversions - their_conversions) < 1e-9, false)) AS conversions, bool_and(coalesce(abs(value - their_value) < 0.0002, false)) AS value,
	sum(conversions) = (SELECT count(*) FROM purchase WHERE amount >= 0) AS orders, sum(value) = (SELECT sum(amount) FROM purchase) AS revenue
FROM crm.channels(:'result'::crm.attribution)
FULL JOIN (SELECT model, channel, sum(credit) FILTER (WHERE amount >= 0) AS their_conversions, sum(credit * amount) AS their_value
	FROM by_hand GROUP BY model, channel) t USING (model, channel)
GROUP BY model ORDER BY model;

-- from raw rows, without journeys: exactly the same; customers as text too; and
-- more rows than one part of the list
SELECT crm.attribution(customer, channel, at, value, '720 hours', '7 days')::text = :'result' AS bigint,
	crm.attribution('customer ' || customer, channel, at AT TIME ZONE 'UTC', value, '720 hours', '7 days')::text = :'result' AS text
FROM (SELECT customer, channel, at, NULL::numeric AS value FROM touch UNION ALL SELECT customer, NULL, at, amount FROM purchase) e;
SELECT channel, model, conversions, value FROM crm.channels((SELECT crm.attribution(customer, channel, at, value, '30 days', '7 days')
	FROM (VALUES (1::bigint, 'a', timestamptz '2025-01-01Z', NULL::numeric), (NULL, 'a', '2025-01-01Z', NULL), (1, NULL, '2025-01-01Z', NULL), (1, 'b', NULL, NULL),
		(1, 'x', '2025-01-02Z', 10), (NULL, NULL, '2025-01-02Z', 20), (1, NULL, NULL, 30), (2, NULL, '2025-01-02Z', 40)) e (customer, channel, at, value))) WHERE model = 'linear';
SELECT a.events::text = b.journeys::text AS many_parts
FROM (SELECT crm.attribution(customer, channel, at, value, '30 days', '7 days') AS events FROM (
	SELECT i % 3000 AS customer, 'c' || i % 7 AS channel, timestamptz '2025-01-01Z' + i * interval '1 minute' AS at, NULL::numeric AS value FROM generate_series(1::bigint, 20000) i
	UNION ALL SELECT i * 7 % 3001, NULL, timestamptz '2025-01-01Z' + i * interval '5 minutes', 1.01 FROM generate_series(1::bigint, 4000) i) e) a,
	(SELECT crm.attribution(journey, timestamptz '2025-01-01Z' + i * interval '5 minutes', 1.01, '30 days', '7 days') AS journeys
		FROM generate_series(1::bigint, 4000) i LEFT JOIN (SELECT i % 3000 AS customer, crm.journey('c' || i % 7, timestamptz '2025-01-01Z' + i * interval '1 minute') AS journey
			FROM generate_series(1::bigint, 20000) i GROUP BY 1) j ON j.customer = i * 7 % 3001) b;

-- With the paths and the visitors, in the same pass: every third customer as a visitor who is
-- none, and some orders of nobody.  The first order of each is new; of two at
-- one moment, the one of the lower number.  And visitors who never order.
CREATE TABLE visit AS
TABLE touch UNION ALL
SELECT 1002 + 3 * (i % 60), (ARRAY['email', 'direct', 'ads', ''])[1 + (hashint4(i) & 65535) % 4], timestamptz '2025-01-01 00:00Z' + make_interval(hours => (hashint4(i * 3) & 65535) % 1500)
FROM generate_series(1, 250) i;
CREATE VIEW person_event AS
SELECT CASE WHEN customer % 3 > 0 THEN customer END::bigint AS customer, CASE WHEN customer % 3 = 0 THEN 'visitor ' || customer END AS visitor, channel, at, NULL::numeric AS value, NULL::boolean AS is_new, customer AS who FROM visit
UNION ALL
SELECT CASE WHEN customer % 3 > 0 THEN customer END, CASE WHEN customer % 3 = 0 THEN 'visitor ' || customer END, 'not read', at, amount, row_number() OVER (PARTITION BY customer ORDER BY at, id) = 1, customer FROM purchase
UNION ALL
SELECT NULL, NULL, NULL, at, amount, id < 90, NULL FROM purchase WHERE id < 100
UNION ALL VALUES (1, NULL, NULL, timestamptz '2025-01-01Z', NULL::numeric, NULL::boolean, NULL::int), (NULL, NULL, 'ads', '2025-01-01Z', NULL, NULL, NULL), (1, NULL, 'ads', NULL, NULL, NULL, NULL), (1, NULL, NULL, NULL, 5, NULL, NULL);
SELECT a.orders AS and_orders, a.new_customers AS and_new_customers, a.paths AS and_paths, a.visits AS and_visitors
FROM (SELECT (crm.channel_analysis(customer, visitor, channel, at, value, is_new, '720 hours', '7 days', '2025-03-25 00:00Z', '2025-01-20 00:00Z')).* FROM person_event) a \gset
SELECT crm.attribution(who, channel, at, value, '720 hours', '7 days')::text = :'and_orders' AS orders,
	crm.attribution(who, channel, at, value, '720 hours', '7 days') FILTER (WHERE value IS NULL OR is_new)::text = :'and_new_customers' AS new_customers
FROM person_event;
CREATE TABLE paths_by_hand AS
SELECT path, sum(conversions) AS conversions, sum(value) AS value, sum(nulls) AS nulls, sum(new_customers) AS new_customers
FROM (
	SELECT coalesce((SELECT array_agg(t.channel ORDER BY t.at, t.channel COLLATE "C") FROM visit t WHERE t.customer = o.who AND t.at <= o.at AND t.at >= o.at - interval '720 hours'), '{}') AS path,
		(value >= 0)::int AS conversions, value, 0 AS nulls, (is_new AND value >= 0)::int AS new_customers
	FROM person_event o WHERE value IS NOT NULL AND at IS NOT NULL
	UNION ALL
	SELECT array_agg(channel ORDER BY at, channel COLLATE "C"), 0, 0, 1, 0
	FROM (SELECT t.*, max(at) OVER (PARTITION BY customer) AS last_touch FROM visit t WHERE at <= '2025-03-25 00:00Z') t
	WHERE last_touch < timestamptz '2025-03-25 00:00Z' - interval '720 hours' AND at >= last_touch - interval '720 hours' AND at > coalesce((SELECT max(at) FROM purchase p WHERE p.customer = t.customer AND p.amount >= 0), '-infinity')
	GROUP BY customer) p
GROUP BY path;
SELECT count(*) AS paths, sum(conversions) AS conversions, sum(value) AS value, sum(nulls) AS nulls, sum(new_customers) AS new_customers, max(cardinality(path)) AS longest,
	count(*) FILTER (WHERE nulls > 0) AS to_nothing, count(*) FILTER (WHERE conversions > 1) AS more_than_once FROM paths_by_hand;
SELECT count(*) AS wrong FROM (
	(SELECT * FROM unnest(:'and_paths'::crm.path_count[]) EXCEPT ALL TABLE paths_by_hand)
	UNION ALL (TABLE paths_by_hand EXCEPT ALL SELECT * FROM unnest(:'and_paths'::crm.path_count[]))) d;
SELECT bool_and(path > before) AS ascending FROM (SELECT path COLLATE "C" AS path, lag(path COLLATE "C") OVER (ORDER BY n) AS before
	FROM unnest(:'and_paths'::crm.path_count[]) WITH ORDINALITY u (path, conversions, value, nulls, new_customers, n)) p;
-- visitors of a channel, from a time on, and those who ordered no earlier than they came by it
CREATE TABLE visitors_by_hand AS
SELECT t.channel, count(*) AS visitors, count(*) FILTER (WHERE EXISTS (SELECT FROM person_event o WHERE o.who = t.who AND o.value >= 0 AND o.at >= t.first_at)) AS converted
FROM (SELECT who, channel, min(at) AS first_at FROM person_event
	WHERE value IS NULL AND who IS NOT NULL AND channel IS NOT NULL AND at >= '2025-01-20 00:00Z' GROUP BY 1, 2) t
GROUP BY t.channel;
SELECT * FROM visitors_by_hand ORDER BY channel COLLATE "C";
SELECT array_agg((channel, visitors, converted)::crm.channel_visitors ORDER BY channel COLLATE "C") = :'and_visitors'::crm.channel_visitors[] AS visitors FROM visitors_by_hand;
SELECT visits_from, a.visits FROM unnest('{-infinity,2025-01-02 00:00Z,2025-01-03 00:00Z,infinity}'::timestamptz[]) AS visits_from,
	LATERAL (SELECT (crm.channel_analysis(1, NULL, channel, at, value, NULL, '30 days', NULL, NULL, visits_from)).*
		FROM (VALUES ('b', timestamptz '2025-01-02Z', NULL), ('a', '2025-01-01Z', NULL), ('b', '2025-01-03Z', NULL), (NULL, '2025-01-02Z', 0)) t (channel, at, value)) a;
-- a refund is no order: nobody has converted, and the path led to nothing
SELECT a.visits, a.paths FROM (SELECT (crm.channel_analysis(1, NULL, channel, at, value, true, '30 days', NULL, '2025-03-01Z', '-infinity'::timestamptz)).*
	FROM (VALUES ('a', timestamptz '2025-01-02Z', NULL), (NULL, '2025-01-03Z', -5)) t (channel, at, value)) a;
SELECT a.visits, a.paths FROM (SELECT (crm.channel_analysis(1, NULL, channel, at, value, true, '30 days', NULL, '2025-03-01Z', '-infinity'::timestamptz)).*
	FROM (VALUES ('a', timestamptz '2025-01-02Z', NULL), (NULL, '2025-01-02Z', 5), ('b', '2025-01-03Z', NULL), (NULL, '2025-01-04Z', -5), (NULL, '2025-01-05Z', -1)) t (channel, at, value)) a;
-- what is not asked for is not there; of nothing there is nothing; as_of when an order could still come
SELECT a.orders IS NULL AS no_orders, a.new_customers IS NULL AS no_new_customers, a.paths = :'and_paths'::crm.path_count[] AS paths, a.visits IS NULL AS no_visitors
FROM (SELECT (crm.channel_analysis(customer, visitor, channel, at, value, is_new, '720 hours', NULL, '2025-03-25 00:00Z', NULL)).* FROM person_event) a;
SELECT a.orders::text = :'and_orders' AS orders, a.new_customers::text = :'and_new_customers' AS new_customers, a.paths IS NULL AS no_paths, a.visits = :'and_visitors'::crm.channel_visitors[] AS visitors
FROM (SELECT (crm.channel_analysis(customer, visitor, channel, at AT TIME ZONE 'UTC', value, is_new, '720 hours', '7 days', NULL::timestamp, '2025-01-20 00:00')).* FROM person_event) a;
SELECT * FROM (SELECT (crm.channel_analysis(customer, visitor, channel, at, value, is_new, '720 hours', '7 days', now(), NULL)).* FROM person_event WHERE false) a;
SELECT as_of, a.paths FROM unnest('{2025-01-31 00:00Z,2025-01-31 00:00:00.000001Z,2025-02-05Z}'::timestamptz[]) AS as_of,
	LATERAL (SELECT (crm.channel_analysis(1, NULL, channel, at, NULL, NULL, '30 days', NULL, as_of, NULL)).* FROM (VALUES ('b', timestamptz '2025-01-01Z'), ('a', '2025-01-01Z'), ('c', '2025-02-01Z')) t (channel, at)) a;
-- a window of ours, and the plan, do not matter
SELECT count(*) AS windows, bool_and(r.running = (SELECT (crm.channel_analysis(customer, visitor, channel, at, value, is_new, '720 hours', NULL, '2025-03-25 00:00Z', NULL)).paths FROM person_event e WHERE e.who <= r.who)) AS as_at_once
FROM (SELECT DISTINCT ON (who) who, (crm.channel_analysis(customer, visitor, channel, at, value, is_new, '720 hours', NULL, '2025-03-25 00:00Z', NULL) OVER (ORDER BY who)).paths AS running FROM person_event WHERE who <= 9) r;
SELECT crm.channel_analysis(customer, visitor, channel, at, value, is_new, '1 day', '7 days', CASE WHEN value IS NULL THEN timestamptz '2025-03-15Z' END, NULL) FROM person_event;
SELECT crm.channel_analysis(customer, visitor, channel, at, value, is_new, '1 day', '7 days', NULL, CASE WHEN value IS NULL THEN timestamptz '2025-03-15Z' END) FROM person_event;
SELECT crm.channel_analysis(customer, visitor, channel, at, value, is_new, '1 day', '7 days', 'infinity'::timestamptz, NULL) FROM person_event;
SELECT crm.channel_analysis(customer, visitor, channel, at, value, is_new, NULL, '7 days', '2025-03-15Z'::timestamptz, NULL) FROM person_event;
SELECT crm.channel_analysis(1, NULL, NULL, '2025-01-01Z', 922337203685477, false, '1 day', NULL, '2025-03-15Z'::timestamptz, NULL) FROM generate_series(1, 2);

-- with the arguments left out; own weights for position
SELECT crm.attribution(journey, at, amount)::text = :'result' AS default_terms,
	crm.attribution(journey, at, amount, '720 hours')::text = :'result' AS default_half_life,
	crm.attribution(journey, at, amount, '720 hours', '7 days', '{4,2,4}')::text = :'result' AS default_weights,
	crm.attribution(journey, at AT TIME ZONE 'UTC', amount)::text = :'result' AS utc
FROM purchase LEFT JOIN journeys USING (customer);
SELECT count(*) AS all_first_and_last FROM
	(SELECT * FROM crm.channels((SELECT crm.attribution(journey, at, amount, '30 days', '7 days', '{1,0,0}') FROM purchase LEFT JOIN journeys USING (customer)))) a
JOIN (SELECT channel, conversions, value FROM crm.channels(:'result'::crm.attribution) WHERE model = 'first') b USING (channel)
WHERE a.model = 'position' AND (a.conversions, a.value) = (b.conversions, b.value);

-- text and binary form; rollup of parts; models of another kind side by side
SELECT :'result'::crm.attribution::text = :'result' AS round_trip;
SELECT crm.rollup(part)::text = :'result' AS rollup
FROM (SELECT crm.attribution(journey, at, amount) AS part FROM purchase LEFT JOIN journeys USING (customer) GROUP BY id % 5) p;
SELECT channel, model, conversions, value FROM crm.channels((SELECT crm.rollup(a) FROM (VALUES
	('{"models": ["x"], "channels": [["b", [2, 0, 20000, 0]], ["a", [1, 2251799813685248, 10000, 0]]]}'::crm.attribution),
	('{"models": ["y", "x"], "channels": [["c", [1, 0, -30000, 0], [0, 0, 5, 0]]]}')) v (a)));
-- at the end of the range
SELECT channel, conversions, value FROM crm.channels('{"models": ["x"], "channels": [["a", [9223372036854775807, 4503599627370495, 9223372036854775807, 4503599627370495]]]}'::crm.attribution);
SELECT channel, conversions, value FROM crm.channels('{"models": ["x"], "channels": [["a", [1, 0, -9223372036854775808, 0]], ["b", [1, 0, 9223372036854775807, 4503599627370495]]]}'::crm.attribution);
SELECT crm.attribution(NULL, NULL, NULL) AS of_no_orders;
DO $$
DECLARE
	bad text;
	detail text;
BEGIN
	FOREACH bad IN ARRAY ARRAY['', '{"models": [}', '{"models": ["a", "a"], "channels": []}', '{"models": ["a"], "channels": [["x"]]}',
		'{"models": ["a"], "channels": [["x", [1, 0, 0, 0]], ["x", [1, 0, 0, 0]]]}', '{"models": ["a"], "channels": [["x", [1, -1, 0, 0]]]}',
		'{"models": ["a"], "channels": [["x", [1, 4503599627370496, 0, 0]]]}', '{"models": ["a"], "channels": []} x',
		'{"models": ["a"], "channels": [["x", [1, 0, 9223372036854775808, 0]]]}']
	LOOP
		BEGIN
			PERFORM bad::crm.attribution;
			RAISE NOTICE 'accepted: %', bad;
		EXCEPTION WHEN invalid_text_representation THEN
			GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
			RAISE NOTICE '% %', bad, substr(detail, 40);
		END;
	END LOOP;
END $$;

-- the plan does not matter
ALTER TABLE purchase SET (parallel_workers = 2);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS off) SELECT crm.attribution(NULL, at, amount) FROM purchase;
SELECT crm.attribution(journey, at, amount)::text = :'result' AS as_in_parallel FROM purchase LEFT JOIN journeys USING (customer);
ALTER TABLE touch SET (parallel_workers = 2);
CREATE VIEW event AS SELECT customer, channel, at, NULL::numeric AS value FROM touch UNION ALL SELECT customer, NULL, at, amount FROM purchase
	UNION ALL SELECT NULL, NULL, at, amount FROM purchase WHERE id < 100;
EXPLAIN (COSTS off) SELECT crm.attribution(customer, channel, at, NULL, '720 hours', '7 days') FROM touch;
SELECT crm.attribution(customer, channel, at, value, '720 hours', '7 days') AS events,
	crm.attribution('customer ' || customer, channel, at AT TIME ZONE 'UTC', value, '720 hours', '7 days') AS of_text FROM event \gset
SET max_parallel_workers_per_gather = 0;
SELECT crm.attribution(customer, channel, at, value, '720 hours', '7 days')::text = :'events' AS as_in_parallel,
	crm.attribution('customer ' || customer, channel, at AT TIME ZONE 'UTC', value, '720 hours', '7 days')::text = :'of_text' AS of_text FROM event;
SET max_parallel_workers_per_gather = 2;
ALTER TABLE visit SET (parallel_workers = 2);
EXPLAIN (COSTS off) SELECT crm.channel_analysis(customer, NULL, channel, at, NULL, NULL, '720 hours', '7 days', '2025-03-25 00:00Z'::timestamptz, '-infinity') FROM touch;
SELECT a.orders::text = :'and_orders' AS orders, a.new_customers::text = :'and_new_customers' AS new_customers, a.paths = :'and_paths'::crm.path_count[] AS paths, a.visits = :'and_visitors'::crm.channel_visitors[] AS visitors
FROM (SELECT (crm.channel_analysis(customer, visitor, channel, at, value, is_new, '720 hours', '7 days', '2025-03-25 00:00Z', '2025-01-20 00:00Z')).*
	FROM (SELECT CASE WHEN customer % 3 > 0 THEN customer END::bigint AS customer, CASE WHEN customer % 3 = 0 THEN 'visitor ' || customer END AS visitor, channel, at, NULL::numeric AS value, NULL::boolean AS is_new FROM visit
		UNION ALL SELECT CASE WHEN customer % 3 > 0 THEN customer END, CASE WHEN customer % 3 = 0 THEN 'visitor ' || customer END, NULL, at, amount, NOT EXISTS (SELECT FROM purchase e WHERE e.customer = p.customer AND (e.at, e.id) < (p.at, p.id)) FROM purchase p
		UNION ALL SELECT NULL, NULL, NULL, at, amount, id < 90 FROM purchase WHERE id < 100) e) a;
SET max_parallel_workers_per_gather = 0;
-- and a state may be asked more than once, while it grows
SELECT count(*) AS windows, bool_and(running::text = (SELECT crm.attribution(customer, channel, at, value, '720 hours', '7 days')::text FROM event e WHERE e.customer <= r.customer)) AS as_at_once
FROM (SELECT DISTINCT ON (customer) customer, crm.attribution(customer, channel, at, value, '720 hours', '7 days') OVER (ORDER BY customer) AS running FROM event WHERE customer <= 8) r;
RESET ALL;

-- repeat orders: a touch goes to its next order only, once even if two orders share a moment
SELECT crm.path(crm.journey_window(journey, at, '30 days', lag(at) OVER (ORDER BY at, n)))
FROM (VALUES (1, timestamptz '2025-01-03Z'), (2, '2025-01-05Z'), (3, '2025-01-05Z'), (4, '2025-01-09Z')) o (n, at),
	(SELECT '[["a", "2025-01-01T00:00:00Z"], ["b", "2025-01-03T00:00:00Z"], ["c", "2025-01-04T00:00:00Z"], ["d", "2025-01-05T00:00:00Z"], ["e", "2025-01-06T00:00:00Z"]]'::crm.journey) j (journey);

-- what is skipped and what is refused
SELECT sum(conversions) AS conversions, sum(value) AS value FROM crm.channels((SELECT crm.attribution(NULL, at, amount)
	FROM (VALUES (timestamptz '2025-01-01Z', 1.5), (NULL, 2), ('2025-01-01Z', NULL)) v (at, amount))) WHERE model = 'first';
SELECT crm.attribution(NULL, '2025-01-01Z', 'NaN');
SELECT crm.attribution(NULL, '2025-01-01Z', 0.00001);
SELECT crm.attribution(NULL, 'infinity', 1);
SELECT crm.attribution(NULL, '2025-01-01Z', 1, NULL);
SELECT crm.attribution(NULL, '2025-01-01Z', 1, '1 day', NULL);
SELECT crm.attribution(NULL, '2025-01-01Z', 922337203685477) FROM generate_series(1, 2);
-- from raw rows, lookback and half-life are those of the group, and never null
SELECT crm.attribution(1::bigint, 'a', '2025-01-01Z', 1, i * interval '1 day', '7 days') FROM generate_series(1, 2) i;
SELECT crm.attribution(1::bigint, 'a', '2025-01-01Z', 1, '30 days', i * interval '1 day') FROM generate_series(1, 2) i;
SELECT crm.attribution(1::bigint, 'a', '2025-01-01Z', 1, NULLIF(interval '1 day', i * interval '1 day'), '7 days') FROM generate_series(0, 1) i;
SELECT crm.attribution('x'::text, 'a', '2025-01-01Z', 1, '1 day', NULLIF(interval '1 day', i * interval '1 day')) FROM generate_series(0, 1) i;
SELECT i, (SELECT sum(conversions) FROM crm.channels(a) WHERE model = 'first') AS orders
FROM (SELECT i, crm.attribution(1::bigint, 'a', '2025-01-01Z', 1, i * interval '1 day', '7 days') AS a FROM generate_series(1, 2) i GROUP BY i) x ORDER BY i;
SELECT conversions, value FROM crm.channels((SELECT crm.attribution(NULL, '2025-01-01Z', a) FROM (VALUES (922337203685477), (-922337203685477), (1)) v (a))) LIMIT 1;

-- a journey of a hundred thousand touches of ten thousand channels, three orders; the
-- same from raw rows; a few short journeys with other ones of all of these channels
CREATE TABLE many AS SELECT i, CASE i % 10000 WHEN 0 THEN '' WHEN 1 THEN '検索' ELSE 'c' || i % 10000 END AS channel, timestamptz '2025-01-01Z' + i * interval '0.1 s' AS at FROM generate_series(1, 100000) i;
SELECT crm.attribution(j, '2025-01-02Z', 100.01) AS result FROM (SELECT crm.journey(channel, at) AS j FROM many) x, generate_series(1, 3) \gset
SELECT model, count(*) AS channels, count(*) FILTER (WHERE conversions > 0) AS with_credit, sum(conversions), sum(value), max(conversions) FILTER (WHERE channel = '検索') > 0 AS unicode, max(conversions) FILTER (WHERE channel = '') > 0 AS empty
FROM crm.channels(:'result'::crm.attribution) GROUP BY model ORDER BY model;
SELECT crm.attribution(1::bigint, channel, at, value, '30 days', '7 days')::text = :'result' AS as_from_journeys
FROM (SELECT channel, at, NULL::numeric AS value FROM many UNION ALL SELECT NULL, '2025-01-02Z', 100.01 FROM generate_series(1, 3)) e;
SELECT a.j::text = b.e::text AS as_from_journeys
FROM (SELECT crm.attribution(journey, '2025-01-02Z', 1) AS j FROM (SELECT i % 1000, crm.journey(channel, at) AS journey FROM many GROUP BY 1) x) a,
	(SELECT crm.attribution(i % 1000::bigint, channel, at, value, '30 days', '7 days') AS e
		FROM (SELECT i, channel, at, NULL::numeric AS value FROM many UNION ALL SELECT i, NULL, '2025-01-02Z', 1 FROM generate_series(0, 999) i) e) b;

DROP VIEW event, person_event;
DROP TABLE touch, purchase, journeys, many, by_hand, visit, paths_by_hand;
