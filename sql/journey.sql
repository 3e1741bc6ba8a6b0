-- journey: a customer's touches in the order of time
\pset format unaligned
SET timezone = 'America/Sao_Paulo';

-- the text form: in the order of time, of one moment by the bytes of the name,
-- whatever the order of the rows
SELECT crm.journey(channel, at ORDER BY n) AS journey
FROM (VALUES (1, 'email', timestamptz '2025-01-03 10:00:00Z'),
	(2, 'say "ads" \ more', '2025-01-02 10:00:00.5Z'), (3, 'busca orgânica', '2025-01-03 10:00Z'),
	(4, '', '2025-01-04Z'), (5, 'email', '2025-01-03 10:00Z'), (6, E'tab\there', '2025-01-05Z')) v (n, channel, at) \gset
SELECT :'journey';
SELECT crm.journey(channel, at ORDER BY n DESC)::text = :'journey' AS any_order
FROM (VALUES (1, 'email', timestamptz '2025-01-03 10:00:00Z'),
	(2, 'say "ads" \ more', '2025-01-02 10:00:00.5Z'), (3, 'busca orgânica', '2025-01-03 10:00Z'),
	(4, '', '2025-01-04Z'), (5, 'email', '2025-01-03 10:00Z'), (6, E'tab\there', '2025-01-05Z')) v (n, channel, at);
SELECT :'journey'::crm.journey::text = :'journey' AS round_trip;
SELECT channel, touched_at AT TIME ZONE 'UTC' AS utc FROM crm.touches(:'journey');
SELECT crm.touch_count(j), crm.first_touch(j) AT TIME ZONE 'UTC' AS first, crm.last_touch(j) AT TIME ZONE 'UTC' AS last
FROM (VALUES (:'journey'::crm.journey), ('[]')) v (j);
SELECT crm.path(:'journey'), crm.path('[]'::crm.journey);

-- what is read: spaces, escapes, touches in any order
SELECT crm.journey ' [ [ "b\u0041\n" , "2025-01-02T00:00:00Z" ] ,["\/a","2025-01-01T00:00:00.000001Z"]] ';
-- and what is refused
DO $$
DECLARE
	bad text;
	detail text;
BEGIN
	FOREACH bad IN ARRAY ARRAY['', 'x', '[', '[[]]', '[["a"]]', '[["a", "2025-01-01T00:00:00Z"]', '[["a", "2025-01-01T00:00:00Z"],]',
		'[["a", "2025-02-30T00:00:00Z"]]', '[["a", "2025-01-01 00:00:00Z"]]', '[["a", "infinity"]]', '[["a, "2025-01-01T00:00:00Z"]]',
		'[["\u00e9", "2025-01-01T00:00:00Z"]]', '[["\u0000", "2025-01-01T00:00:00Z"]]', '[["\x", "2025-01-01T00:00:00Z"]]', '[] []',
		'[["a", "294277-01-01T00:00:00Z"]]']
	LOOP
		BEGIN
			PERFORM bad::crm.journey;
			RAISE NOTICE 'accepted: %', bad;
		EXCEPTION WHEN invalid_text_representation THEN
			GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
			RAISE NOTICE '% %', bad, substr(detail, 40);
		END;
	END LOOP;
END $$;

-- a touch without channel or time is skipped; without any the journey is empty
SELECT crm.journey(channel, at)
FROM (VALUES ('a', timestamptz '2025-01-01Z'), (NULL, '2025-01-01Z'), ('b', NULL)) v (channel, at);
SELECT crm.journey(NULL, now()), crm.journey('a', now()) FILTER (WHERE false);
SELECT crm.journey('a', timestamptz 'infinity');
SELECT crm.journey('a', timestamptz '-infinity');
-- a timestamp without time zone is UTC, whatever the session's zone
SELECT crm.journey('a', timestamp '2025-01-01 12:00');

-- which touches count: those not older than the lookback, and not after the order
SELECT lookback, crm.path('[["a", "2025-01-01T00:00:00Z"], ["b", "2025-01-08T00:00:00Z"], ["c", "2025-01-08T00:00:00.000001Z"]]',
	'2025-01-08 00:00Z', lookback::interval)
FROM unnest(ARRAY['7 days', '6 days 23:59:59.999999', '0', '5000000 days', '168 hours',
	-- to before the calendar begins
	'9999 years', '178000000 years', '6737 years', '6738 years 2 months', '6738 years 3 months', '6700 years 100000000 days']) lookback;
SELECT crm.path('[]', now(), '-1 day');
SELECT crm.path('[]', now(), '-1 month');
SELECT crm.path('[]', now(), '-1000000 years');
SELECT crm.path('[]', now(), '1 month -40 days');
SELECT crm.path('[]', timestamptz 'infinity');
-- months are those of the calendar of UTC: no setting matters
SELECT crm.path('[["a", "2025-02-28T01:00:00Z"], ["b", "2025-02-28T02:00:00Z"]]', '2025-03-28 02:00Z', '1 month');
SET timezone = 'UTC';
SELECT crm.path('[["a", "2025-02-28T01:00:00Z"], ["b", "2025-02-28T02:00:00Z"]]', '2025-03-28 02:00Z', '1 month');
SELECT crm.path('[["a", "2025-01-01T00:00:00Z"]]', '2025-01-08 00:00Z'), crm.path('[["a", "2025-01-01T00:00:00Z"]]', '2025-02-08 00:00Z'),
	crm.path('[["a", "2025-01-01T00:00:00Z"]]', timestamp '2025-01-08 00:00', '7 days');

-- paths to nothing: after the last order, and too old for another
\set j '''[["a", "2025-01-01T00:00:00Z"], ["b", "2025-01-20T00:00:00Z"], ["c", "2025-02-10T00:00:00Z"]]'''
SELECT crm.null_path(:j, NULL, '2025-03-12 00:00:00.000001Z') AS never_ordered, crm.null_path(:j, NULL, '2025-03-12 00:00Z') AS may_order,
	crm.null_path(:j, '2025-01-20 00:00Z', '2025-06-01Z') AS after_order, crm.null_path(:j, '2025-02-10 00:00Z', '2025-06-01Z') AS bought,
	crm.null_path(:j, NULL, '2025-02-01Z', '7 days') AS as_of_then, crm.null_path('[]', NULL, '2025-06-01Z') AS no_touch,
	crm.null_path(:j, NULL) AS now;

-- windows
\set j '''[["a", "2025-01-01T00:00:00Z"], ["a", "2025-01-02T00:00:00Z"], ["b", "2025-01-03T00:00:00Z"], ["a", "2025-01-04T00:00:00Z"], ["a", "2025-01-05T00:00:00Z"], ["c", "2025-01-05T00:00:00Z"]]'''
SELECT crm.path(crm.journey_window(:j, '2025-01-05Z')) AS all,
	crm.path(crm.journey_window(:j, '2025-01-04Z', '2 days')) AS lookback,
	crm.path(crm.journey_window(:j, '2025-01-05Z', previous_order => '2025-01-03Z')) AS after_previous,
	crm.path(crm.journey_window(:j, '2025-01-05Z', previous_order => '2025-01-05Z')) AS same_time,
	crm.path(crm.journey_window(:j, '2025-01-05Z', exclude => '{a,zzz,NULL}')) AS exclude,
	crm.path(crm.journey_window(:j, '2025-01-05Z', max_touches => 2)) AS most_recent;
SELECT fold, crm.journey_window(:j, '2025-01-05Z', fold => fold) FROM unnest('{none,runs,first,last}'::text[]) fold;
SELECT crm.journey_window(:j, '2025-01-05Z', exclude => '{b}', fold => 'runs', max_touches => 2) AS in_that_order;
SELECT crm.journey_window(:j, NULL) IS NULL AS null, crm.journey_window(NULL, '2025-01-05Z') IS NULL AS null_journey;
SELECT crm.journey_window(:j, '2025-01-05Z', fold => 'all');
SELECT crm.journey_window(:j, '2025-01-05Z', max_touches => 0);
SELECT crm.journey_window(:j, '2025-01-05Z', exclude => '{{a},{b}}');

-- rollup of parts is the whole; and a journey is independent of the plan
CREATE TABLE touch AS
SELECT i % 500 AS customer, 'channel ' || hashint4(i) % 40 AS channel,
	timestamptz '2025-01-01 00:00Z' + make_interval(hours => (hashint4(i + 1) & 1023)) AS at
FROM generate_series(1, 20000) i;
CREATE VIEW journeys AS SELECT customer, crm.journey(channel, at) AS journey FROM touch GROUP BY customer;
SELECT count(*) AS customers, sum(crm.touch_count(journey)) AS touches,
	bool_and(crm.path(journey) = (SELECT array_agg(channel ORDER BY at, channel COLLATE "C") FROM touch t WHERE t.customer = journeys.customer)) AS in_order,
	bool_and(journey::text = (SELECT crm.rollup(part)::text FROM (SELECT crm.journey(channel, at) AS part FROM touch t
		WHERE t.customer = journeys.customer GROUP BY hashtext(channel || at) % 3) p)) AS rollup
FROM journeys;
ALTER TABLE touch SET (parallel_workers = 2);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS off) SELECT crm.journey(channel, at) FROM touch;
SELECT md5(crm.journey(channel, at)::text) AS parallel FROM touch \gset
SET max_parallel_workers_per_gather = 0;
SELECT md5(crm.journey(channel, at)::text) = :'parallel' AS as_in_parallel FROM touch;
RESET ALL;
-- nor do grouping sets, hashed in parts, sorted, or both at once; and a state may be
-- asked more than once, while it grows
CREATE TABLE by_hand AS SELECT (grouping(customer, channel), customer, channel)::text AS set, array_agg(channel || at ORDER BY at, channel COLLATE "C") AS touches
FROM touch WHERE customer < 100 GROUP BY GROUPING SETS (ROLLUP (customer, channel), channel);
CREATE FUNCTION wrong(plan text) RETURNS TABLE (sets text, wrong bigint) LANGUAGE sql AS $$
	WITH j AS (SELECT (grouping(customer, channel), customer, channel)::text AS set, crm.journey(channel, at) AS journey FROM touch WHERE customer < 100 GROUP BY GROUPING SETS (ROLLUP (customer, channel), channel))
	SELECT plan || ': ' || count(*), count(*) FILTER (WHERE touches IS DISTINCT FROM (SELECT array_agg(t.channel || touched_at ORDER BY n) FROM crm.touches(journey) WITH ORDINALITY t (channel, touched_at, n)))
	FROM by_hand JOIN j USING (set)
$$;
SELECT * FROM wrong('mixed');
SET enable_hashagg = off;
SELECT * FROM wrong('sorted');
RESET enable_hashagg;
SET enable_sort = off;
SET work_mem = '64kB';
SELECT * FROM wrong('in parts');
RESET ALL;
SELECT count(*) AS windows, bool_and(crm.path(running) = (SELECT array_agg(channel ORDER BY at, channel COLLATE "C") FROM touch t WHERE t.customer = r.customer AND t.at <= r.at)) AS as_by_hand
FROM (SELECT customer, at, crm.journey(channel, at) OVER (PARTITION BY customer ORDER BY at) AS running FROM touch WHERE customer < 20) r;

-- binary form (that it is read back, in bulk and at random, is tested by TAP)
SELECT encode(crm.journey_send('[["é", "2000-01-01T00:00:01Z"]]'), 'hex');

-- a hundred thousand touches, ten thousand channels
SELECT crm.journey('channel ' || i % 10000, timestamptz '2025-01-01 00:00Z' + i * interval '1 second') AS journey
INTO large FROM generate_series(1, 100000) i;
SELECT crm.touch_count(journey), (SELECT count(DISTINCT channel) FROM crm.touches(journey)) AS channels,
	array_length(crm.path(journey, '2025-01-01 12:00Z', '1 hour'), 1) AS in_window,
	pg_column_size(journey) < 1200000 AS small, journey::text::crm.journey::text = journey::text AS round_trip
FROM large;
SELECT crm.touch_count(crm.journey('c' || i, timestamptz '2025-01-01Z')) AS channels_of_four_bytes FROM generate_series(1, 70000) i;

-- names of up to 40 bytes that differ in one only are told apart; each is met twice
CREATE TABLE alike AS
SELECT row_number() OVER () AS i, CASE WHEN place = 0 THEN repeat('a', length) ELSE overlay(repeat('a', length) PLACING 'b' FROM place FOR 1) END AS name
FROM generate_series(0, 40) AS length, generate_series(0, length) AS place;
SELECT count(*) AS names, count(DISTINCT name) AS differ FROM alike;
SELECT count(*) AS touches, count(DISTINCT channel) AS channels, count(*) FILTER (WHERE channel <> name) AS wrong
FROM crm.touches((SELECT crm.journey(name, timestamptz '2025-01-01Z' + (i + again * 1000) * interval '1 second') FROM alike, generate_series(0, 1) AS again)) AS t
JOIN alike ON extract(epoch FROM touched_at - timestamptz '2025-01-01Z')::bigint % 1000 = i;

DROP TABLE touch, by_hand, large, alike CASCADE;
DROP FUNCTION wrong;
