-- crm.rfm_scale, crm.rfm and segments.
CREATE SCHEMA rfm_test;
SET search_path = rfm_test, public;
SET timezone = 'UTC';
\pset format unaligned
-- what a statement gives, or how it fails
CREATE FUNCTION outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	detail text;
	hint text;
BEGIN
	EXECUTE 'SELECT (' || statement || ')::text' INTO result;
	RETURN coalesce(result, 'NULL');
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE || ' ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
-- a customer with so many orders, the last then, and that revenue in all
CREATE FUNCTION customer(orders int, last_order timestamptz, revenue numeric) RETURNS crm.purchases
LANGUAGE sql IMMUTABLE
RETURN (SELECT crm.purchases(last_order - g * interval '1 day', CASE WHEN g = 0 THEN greatest(revenue, 0) ELSE 0 END)
	FROM generate_series(0, orders - 1) g);
CREATE FUNCTION customer_with_refund(orders int, last_order timestamptz, revenue numeric) RETURNS crm.purchases
LANGUAGE sql IMMUTABLE
RETURN crm.purchases_merge(customer(orders, last_order, revenue),
	(SELECT crm.purchases(last_order, least(revenue, 0)) FROM (VALUES (1)) v WHERE revenue < 0));

-- A scale of one's own: who is exactly on a threshold is in the bin below it,
-- for recency the better one.
SELECT crm.rfm_scale(ARRAY['7 days', '30 days', '90 days', '1 year']::interval[], ARRAY[1, 2, 4, 9], ARRAY[20, 50, 100, 499.95]) AS scale \gset
SELECT :'scale'::crm.rfm_scale;
SELECT orders, age, revenue, crm.rfm(customer(orders, '2026-01-01 00:00Z'::timestamptz - age, revenue), :'scale', '2026-01-01 00:00Z')
FROM (VALUES (1, interval '7 days', 20), (1, '7 days 0.000001 seconds', 20.01), (2, '0 seconds', 499.95), (3, '-1 day', 499.96),
	(4, '30 days', 50), (5, '30 days 1 second', 50.0001), (9, '360 days', 0), (10, '360 days 0.000001 seconds', 100)) v (orders, age, revenue);
-- named arguments, the fewest and the most bins, equal and negative thresholds, amounts with the decimals that they need
SELECT crm.rfm_scale(recency => '{30 days}', frequency => '{1}', monetary => '{100}');
SELECT crm.rfm_scale(recency => '{-2 days -01:00:00.5,-00:00:00.000001,0,1 second,1 day,1 day,2 days,3 days 23:59:59.999999,1 mon}', frequency => '{1,1,1,1,1,2,3,4,5}', monetary => '{-5,-0.5,0,0,1,1.23,1.234,1.2345,2}');
SELECT s, crm.bins(s), crm.recency_cuts(s), crm.frequency_cuts(s), crm.monetary_cuts(s)
FROM crm.rfm_scale('{-2 days -01:00:00.5,1 year 2 mons 3 days 04:05:06}'::interval[], '{1,9223372036854775807}', '{-922337203685477.5807,922337203685477.5807}') s;
SELECT statement, outcome('crm.rfm_scale(' || statement || ')') FROM (VALUES
	('''{1 day}''::interval[], NULL, ''{1}'''), ('''{1 day}''::interval[], ''{1}'', ''{NULL}'''), ('NULL::interval[], ''{1}'', ''{1}'''),
	('''{1 day}''::interval[], ''{1,2}'', ''{1}'''), ('''{1 day}''::interval[], ''{1}'', ''{}'''), ('''{}''::interval[], ''{}'', ''{}'''),
	('ARRAY(SELECT g * interval ''1 day'' FROM generate_series(1, 10) g), ARRAY(SELECT generate_series(1, 10)), ARRAY(SELECT generate_series(1, 10))'),
	('''{{1 day,2 days}}''::interval[], ''{1,2}'', ''{1,2}'''),
	('''{2 days,1 day}''::interval[], ''{1,2}'', ''{1,2}'''), ('''{1 day,2 days}''::interval[], ''{2,1}'', ''{1,2}'''), ('''{1 day,2 days}''::interval[], ''{1,2}'', ''{2,1}'''),
	-- by length, months having 30 days
	('''{1 mon,29 days}''::interval[], ''{1,2}'', ''{1,2}'''),
	('''{178956970 years}''::interval[], ''{1}'', ''{1}'''),
	('''{1 day}''::interval[], ''{1}'', ''{1.00001}'''), ('''{1 day}''::interval[], ''{1}'', ''{NaN}'''), ('''{1 day}''::interval[], ''{1}'', ''{1e15}''')) v (statement);

-- Text form: whatever the settings, and back to the last bit; interval and numeric read its parts.
SET intervalstyle = 'iso_8601';
SELECT s AS scale, s::text::crm.rfm_scale::text = s::text AS same FROM crm.rfm_scale('{-00:00:00.000001,1 mon 04:05:06}'::interval[], '{-1,2}', '{1,2.50}') s;
RESET intervalstyle;
SELECT (s::text::jsonb -> 'recency' ->> 1)::interval = (crm.recency_cuts(s))[2] AS interval, (s::text::jsonb -> 'monetary' ->> 1)::numeric = (crm.monetary_cuts(s))[2] AS "numeric"
FROM crm.rfm_scale('{-00:00:00.000001,1 mon 04:05:06}'::interval[], '{-1,2}', '{1,2.50}') s;
SELECT ' { "bins":2 , "recency": [ "1 days 00:00:00" ],"frequency":[ 1 ], "monetary" : [2] } '::crm.rfm_scale;
SELECT input, outcome(quote_literal(input) || '::crm.rfm_scale') FROM (VALUES
	(''), ('{"bins": 1, "recency": [], "frequency": [], "monetary": []}'), ('{"bins": 11'), ('{"bins": 99999999999999999999'),
	('{"bins": 2, "frequency": [1]'), ('{"bins": 2, "recency": []'), ('{"bins": 2, "recency": ["1 day"]'), ('{"bins": 2, "recency": ["1 days 24:00:00"]'),
	('{"bins": 2, "recency": ["1 days 00:00:00.5"]'), ('{"bins": 2, "recency": ["106751992 days 00:00:00"]'),
	('{"bins": 3, "recency": ["1 days 00:00:00"], "frequency": [1], "monetary": [1]}'),
	('{"bins": 2, "recency": ["1 days 00:00:00", "1 days 00:00:00"], "frequency": [1], "monetary": [1]}'),
	('{"bins": 2, "recency": ["1 days 00:00:00"], "frequency": [1.5], "monetary": [1]}'),
	('{"bins": 2, "recency": ["1 days 00:00:00"], "frequency": [1], "monetary": [1.00001]}'),
	('{"bins": 3, "recency": ["1 days 00:00:00", "1 days 00:00:00"], "frequency": [1, 1], "monetary": [1, 1.0]}'),
	('{"bins": 3, "recency": ["1 days 00:00:00", "0 days 00:00:00"], "frequency": [1, 1], "monetary": [1, 1]}'),
	('{"bins": 3, "recency": ["1 days 00:00:00", "1 days 00:00:00"], "frequency": [2, 1], "monetary": [1, 1]}'),
	('{"bins": 2, "recency": ["1 days 00:00:00"], "frequency": [1], "monetary": [1]} x')) v (input);

-- Quantiles. Customers of every kind, some of them without orders.
CREATE TABLE customers AS
SELECT kind, orders, last_order, revenue, customer_with_refund(orders, last_order, revenue) AS p
FROM (
	-- hardly a tie but in the number of orders
	SELECT 'random' AS kind, (h1 % 7)::int AS orders, '2025-12-31 00:00Z'::timestamptz - h2 * interval '1 millisecond' AS last_order, ((h3 % 1000000) / 100.0)::numeric(12, 2) AS revenue
	FROM generate_series(1, 2011) g, LATERAL (SELECT hashint8extended(g, 1) & 2147483647, hashint8extended(g, 2) & 2147483647, hashint8extended(g, 3) & 2147483647) h (h1, h2, h3)
	UNION ALL
	-- nothing but ties, one customer in eight with the greatest value
	SELECT 'tied', 1 + (g % 8 = 0)::int + (g % 3 = 0)::int, '2025-12-31 00:00Z'::timestamptz - (g % 4) * interval '30 days', 10 * (g % 2) FROM generate_series(1, 1000) g
	UNION ALL
	SELECT 'alike', 2, '2025-12-01 00:00Z', 9.99 FROM generate_series(1, 50)
	UNION ALL
	SELECT 'one', 3, '2025-12-01 12:34:56.789012Z', 0.0001
	UNION ALL
	-- fewer customers than bins
	SELECT 'few', g, '2025-12-01 00:00Z'::timestamptz + g * interval '1 day', g FROM generate_series(1, 3) g
	UNION ALL
	SELECT 'thirteen', g, '2025-12-01 00:00Z'::timestamptz + g * g * interval '1 hour', g * g FROM generate_series(1, 13) g
	UNION ALL
	-- the whole width of the measures, and a customer who orders after as_of
	SELECT 'extreme', 1, '4714-11-24 00:00Z BC', -922337203685477.5807 UNION ALL SELECT 'extreme', 1, '2025-01-01 00:00Z', 922337203685477.5807
	UNION ALL SELECT 'extreme', 1, '290000-01-01 00:00Z', -922337203685477.5806 UNION ALL SELECT 'extreme', 1, '2027-01-01 00:00Z', 922337203685477.5806
	UNION ALL SELECT 'extreme', 2, '1999-12-31 23:59:59.999999Z', 0
	UNION ALL
	SELECT 'prospects', 0, '2025-12-01 00:00Z', 0 FROM generate_series(1, 3)
) s;
UPDATE customers SET last_order = NULL WHERE orders = 0;
SELECT kind, count(*), count(*) FILTER (WHERE orders > 0) AS with_orders FROM customers GROUP BY kind ORDER BY kind;

-- Cut points are percentile_disc(), to the last microsecond and decimal, for 2 to 10 bins.
CREATE TABLE scales AS
SELECT kind, bins, crm.rfm_scale(p, '2026-01-01 00:00Z', bins) AS scale FROM customers, generate_series(2, 10) bins GROUP BY kind, bins;
CREATE TABLE truth AS
SELECT kind, bins,
	percentile_disc(fractions) WITHIN GROUP (ORDER BY '2026-01-01 00:00Z'::timestamptz - last_order) AS recency,
	percentile_disc(fractions) WITHIN GROUP (ORDER BY orders::bigint) AS frequency,
	percentile_disc(fractions) WITHIN GROUP (ORDER BY CASE WHEN orders > 0 THEN revenue END) AS monetary
FROM customers, generate_series(2, 10) bins, LATERAL (SELECT ARRAY(SELECT k::float8 / bins FROM generate_series(1, bins - 1) k)) f (fractions)
WHERE orders > 0
GROUP BY kind, bins, fractions;
SELECT kind, count(*) AS scales, count(scale) AS with_orders,
	count(*) FILTER (WHERE crm.bins(scale) = bins AND crm.recency_cuts(scale) = recency AND crm.frequency_cuts(scale) = frequency AND crm.monetary_cuts(scale) = monetary) AS equal_percentile_disc
FROM scales LEFT JOIN truth USING (kind, bins) GROUP BY kind ORDER BY kind;
-- what that means: the least value that at least k/n of the customers don't pass
SELECT count(*) AS cut_points, count(*) FILTER (WHERE cut = least) AS equal_definition
FROM scales, unnest(crm.frequency_cuts(scale)) WITH ORDINALITY c (cut, k),
	LATERAL (SELECT min(orders) AS least FROM (
		SELECT orders, count(*) OVER (ORDER BY orders) AS not_above, count(*) OVER () AS n FROM customers c WHERE c.kind = scales.kind AND orders > 0) s
		WHERE not_above * bins >= k * n) l;
SELECT crm.rfm_scale(p, '2026-01-01 00:00Z')::text = crm.rfm_scale(p, '2026-01-01 00:00Z', 5)::text AS five_unless_told FROM customers WHERE kind <> 'extreme';
SELECT scale FROM scales WHERE kind = 'thirteen' AND bins = 5;

-- Scores: the bin by those cut points, counted in SQL.
SELECT kind, count(*) AS scored, count(*) FILTER (WHERE crm.bins(rfm) = bins
		AND crm.recency_score(rfm) = bins - (SELECT count(*) FROM unnest(recency) cut WHERE cut < '2026-01-01 00:00Z'::timestamptz - last_order)
		AND crm.frequency_score(rfm) = 1 + (SELECT count(*) FROM unnest(frequency) cut WHERE cut < orders)
		AND crm.monetary_score(rfm) = 1 + (SELECT count(*) FROM unnest(monetary) cut WHERE cut < revenue)) AS equal_sql
FROM customers JOIN scales USING (kind) JOIN truth USING (kind, bins), LATERAL crm.rfm(p, scale, '2026-01-01 00:00Z') rfm
WHERE orders > 0 GROUP BY kind ORDER BY kind;
-- equal values have equal scores, greater ones no lower
SELECT count(*) FILTER (WHERE a.orders = b.orders AND crm.frequency_score(a.rfm) <> crm.frequency_score(b.rfm)) AS ties_parted,
	count(*) FILTER (WHERE a.orders < b.orders AND crm.frequency_score(a.rfm) > crm.frequency_score(b.rfm)) AS wrong_order,
	count(*) FILTER (WHERE a.last_order < b.last_order AND crm.recency_score(a.rfm) > crm.recency_score(b.rfm)) AS wrong_recency
FROM (SELECT DISTINCT orders, last_order, crm.rfm(p, scale, '2026-01-01 00:00Z') AS rfm FROM customers JOIN scales USING (kind) WHERE kind = 'tied' AND bins = 5) a,
	(SELECT DISTINCT orders, last_order, crm.rfm(p, scale, '2026-01-01 00:00Z') AS rfm FROM customers JOIN scales USING (kind) WHERE kind = 'tied' AND bins = 5) b;
-- all alike: no one is above a cut point, and so all have the best recency and the lowest of the others
SELECT kind, crm.rfm(p, scale, '2026-01-01 00:00Z'), count(*) FROM customers JOIN scales USING (kind) WHERE kind IN ('alike', 'few', 'one') AND bins = 5 GROUP BY 1, 2 ORDER BY 1, 2;

-- Who has no orders: left out of a scale, a prospect on it.
SELECT scale IS NULL AS no_scale FROM scales WHERE kind = 'prospects' AND bins = 5;
SELECT rfm, crm.recency_score(rfm), crm.frequency_score(rfm), crm.monetary_score(rfm), crm.bins(rfm), crm.segment(rfm), crm.segment(rfm, 'rf_grid'), crm.segment(rfm, 'shopify'), crm.segment(rfm, '[]'::jsonb)
FROM crm.rfm((SELECT crm.purchases('2025-01-01'::date, -5)), :'scale', '2026-01-01 00:00Z') rfm;
-- NULLs: a customer or a moment that isn't known is left out; no rows, no scale
SELECT crm.rfm_scale(p, as_of, 5) AS one, crm.rfm_scale(p, as_of, 5) FILTER (WHERE as_of IS NULL) IS NULL AS none
FROM (VALUES (NULL::crm.purchases, '2026-01-01 00:00Z'::timestamptz), (customer(1, '2025-12-31 00:00Z', 5), '2026-01-01 00:00Z'), (customer(9, '2025-12-31 00:00Z', 9), NULL)) v (p, as_of);
SELECT crm.rfm_scale(p, now()) IS NULL AS none FROM customers WHERE false;
SELECT crm.rfm(NULL, :'scale', now()) IS NULL AND crm.rfm(p, NULL, now()) IS NULL AND crm.rfm(p, :'scale', NULL) IS NULL AS "null" FROM customers WHERE kind = 'one';
-- without as_of: now()
SELECT crm.rfm_scale(p)::text = crm.rfm_scale(p, now())::text AS scale FROM customers WHERE kind = 'random';
SELECT DISTINCT crm.rfm(p, scale) = crm.rfm(p, scale, now()) AS rfm FROM customers JOIN scales USING (kind) WHERE kind = 'random';
SELECT oid::regprocedure, provolatile FROM pg_proc WHERE oid IN ('crm.rfm(crm.purchases, crm.rfm_scale)'::regprocedure, 'crm.rfm_scale_add(internal, crm.purchases)'::regprocedure);
-- what is refused
SELECT crm.rfm_scale(p, '2026-01-01 00:00Z', 1) FROM customers;
SELECT crm.rfm_scale(p, '2026-01-01 00:00Z', 11) FROM customers;
SELECT crm.rfm_scale(p, '2026-01-01 00:00Z', NULL) FROM customers;
SELECT crm.rfm_scale(p, '2026-01-01 00:00Z', orders + 2) FROM customers WHERE kind = 'few';
SELECT crm.rfm_scale(p, 'infinity') FROM customers;
SELECT crm.rfm(p, :'scale', '-infinity') FROM customers WHERE kind = 'one';
SELECT crm.rfm_scale(p, '294276-01-01 00:00Z') FROM customers WHERE kind = 'extreme';
SELECT crm.rfm(p, :'scale', '294276-01-01 00:00Z') FROM customers WHERE kind = 'extreme';

-- A state goes on after a result was taken from it.
SELECT orders, crm.frequency_cuts(crm.rfm_scale(p, '2026-01-01 00:00Z', 3) OVER (ORDER BY orders)) AS so_far FROM customers WHERE kind = 'thirteen' AND orders <= 6;

-- In parallel, partition by partition, in any order and in groups: the same scale.
CREATE TABLE many (region int, p crm.purchases) PARTITION BY LIST (region);
CREATE TABLE many_0 PARTITION OF many FOR VALUES IN (0);
CREATE TABLE many_1 PARTITION OF many FOR VALUES IN (1);
CREATE TABLE many_2 PARTITION OF many FOR VALUES IN (2);
INSERT INTO many
SELECT g % 3, crm.purchases('2025-12-31 00:00Z'::timestamptz - (h1 % 31536000) * interval '1 second', (h2 % 100000) / 100.0)
FROM generate_series(1, 200000) g, LATERAL (SELECT hashint8extended(g, 1) & 2147483647, hashint8extended(g, 2) & 2147483647) h (h1, h2)
GROUP BY g % 3, g / 5;
ANALYZE many;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE serial AS SELECT region, crm.rfm_scale(p, '2026-01-01 00:00Z', 10) AS scale FROM many GROUP BY GROUPING SETS (region, ());
SELECT bool_and(scale::text = (SELECT scale::text FROM serial WHERE region IS NULL)) AS any_order
FROM (SELECT crm.rfm_scale(p, '2026-01-01 00:00Z', 10 ORDER BY crm.revenue(p)) AS scale FROM many
	UNION ALL SELECT crm.rfm_scale(p, '2026-01-01 00:00Z', 10 ORDER BY crm.last_order(p) DESC) FROM many) s;
SELECT crm.recency_cuts(scale) = r AND crm.frequency_cuts(scale) = f AND crm.monetary_cuts(scale) = m AS equal_percentile_disc
FROM serial, LATERAL (SELECT percentile_disc(k) WITHIN GROUP (ORDER BY '2026-01-01 00:00Z'::timestamptz - crm.last_order(p)) AS r,
	percentile_disc(k) WITHIN GROUP (ORDER BY crm.order_count(p)) AS f, percentile_disc(k) WITHIN GROUP (ORDER BY crm.revenue(p)) AS m
	FROM many, (SELECT ARRAY[.1, .2, .3, .4, .5, .6, .7, .8, .9]::float8[]) x (k) WHERE many.region = serial.region OR serial.region IS NULL GROUP BY k) t;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT crm.rfm_scale(p, '2026-01-01 00:00Z', 10) FROM many_0;
EXPLAIN (COSTS OFF) SELECT crm.segment(crm.rfm(p, '{"bins": 2, "recency": ["90 days 00:00:00"], "frequency": [1], "monetary": [100]}', '2026-01-01 00:00Z')), count(*) FROM many_0 GROUP BY 1;
SELECT crm.rfm_scale(p, '2026-01-01 00:00Z', 10)::text = (SELECT scale::text FROM serial WHERE region IS NULL) AS parallel FROM many;
SET enable_partitionwise_aggregate = on;
SELECT region, crm.rfm_scale(p, '2026-01-01 00:00Z', 10)::text = (SELECT scale::text FROM serial WHERE serial.region = many.region) AS parallel FROM many GROUP BY region ORDER BY region;
RESET enable_partitionwise_aggregate;
-- bins of workers that differ; no row for any worker
SELECT outcome('(SELECT crm.rfm_scale(p, ''2026-01-01 00:00Z'', 2 + region) FROM many)');
SELECT crm.rfm_scale(p, '2026-01-01 00:00Z') IS NULL AS none FROM many WHERE region > 5;
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- Scores: text, binary, order.
SELECT rfm, crm.recency_score(rfm), crm.frequency_score(rfm), crm.monetary_score(rfm), crm.bins(rfm), encode(crm.rfm_send(rfm), 'hex')
FROM (VALUES ('5-4-3'::crm.rfm), (' 1-1-1 '), ('8-9-10/10'), ('2-1-2/2'), ('5-4-3/5'), ('0-0-0'), ('0-0-0/7'), (crm.rfm(5, 4, 3)), (crm.rfm(5, 4, 3, 6)), (crm.rfm(0, 0, 0))) v (rfm);
SELECT input, outcome(quote_literal(input) || '::crm.rfm') FROM (VALUES
	(''), ('5'), ('5-4'), ('5-4-'), ('5--4-3'), ('-5-4-3'), ('5-4-3-2'), ('5-4-3/'), ('5-4-3x'), ('5 - 4 - 3'), ('6-1-1'), ('1-0-1'), ('0-0-1'), ('3-1-1/2'), ('1-1-1/1'), ('1-1-1/11'), ('111-1-1'), ('99999999999-1-1')) v (input);
SELECT outcome('crm.rfm(6, 1, 1)') AS six, outcome('crm.rfm(1, 1, -1)') AS negative, outcome('crm.rfm(1, 1, 1, 11)') AS bins, outcome('crm.rfm(257, 1, 1, 5)') AS wrapped, outcome('crm.rfm(1, NULL, 1)') AS "null";
CREATE TABLE cube AS
SELECT crm.rfm(r, f, m, bins) AS rfm, r, f, m, bins FROM generate_series(2, 10) bins, generate_series(1, bins) r, generate_series(1, bins) f, generate_series(1, bins) m;
SELECT count(*), count(DISTINCT rfm), count(*) FILTER (WHERE rfm::text::crm.rfm = rfm) AS text_back,
	count(*) FILTER (WHERE (crm.recency_score(rfm), crm.frequency_score(rfm), crm.monetary_score(rfm), crm.bins(rfm)) = (r, f, m, bins)) AS scores_back FROM cube;
SELECT count(*) AS neighbours, count(*) FILTER (WHERE rfm > before AND rfm >= before AND rfm <> before AND NOT rfm < before AND NOT rfm <= before AND NOT rfm = before) AS ascending
FROM (SELECT rfm, lag(rfm) OVER (ORDER BY r, f, m, bins) AS before FROM cube) s WHERE before IS NOT NULL;
CREATE INDEX ON cube (rfm);
CREATE INDEX ON cube USING hash (rfm);
ANALYZE cube;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM cube WHERE rfm >= '5-5-1' AND rfm < '5-5-5';
SELECT count(*) FROM cube WHERE rfm >= '5-5-1' AND rfm < '5-5-5';
SELECT r, f, m, bins FROM cube WHERE rfm = '5-5-5/9';
RESET enable_seqscan;
SET enable_mergejoin = off;
SET enable_nestloop = off;
SELECT count(*) AS hash_join FROM cube a JOIN cube b USING (rfm);
SET enable_hashjoin = off;
RESET enable_mergejoin;
SELECT count(*) AS merge_join FROM cube a JOIN cube b USING (rfm);
RESET enable_hashjoin;
RESET enable_nestloop;

-- Read back from its text; the binary form (that it is read back, in bulk and at random, is tested by TAP).
CREATE TABLE stored AS SELECT kind, bins, scale, (SELECT rfm FROM cube c WHERE c.bins = scales.bins ORDER BY hashint4(r * f + m) LIMIT 1) FROM scales;
INSERT INTO stored VALUES ('prospect', 5, :'scale', '0-0-0');
SELECT count(*), count(*) FILTER (WHERE scale::text::crm.rfm_scale::text IS NOT DISTINCT FROM scale::text AND rfm::text::crm.rfm IS NOT DISTINCT FROM rfm) AS same FROM stored;
SELECT encode(crm.rfm_scale_send(s), 'hex') FROM crm.rfm_scale('{1 day}'::interval[], '{2}', '{-0.5}') s;

-- Segments: the three maps, written as they are published, (R, X) as a pattern.
CREATE TABLE published (map text, segment text, pairs text);
INSERT INTO published VALUES
	('fm_grid', 'Champions', '55|54|45'), ('fm_grid', 'Loyal Customers', '53|44|35|34'), ('fm_grid', 'Potential Loyalists', '52|42|33|43'),
	('fm_grid', 'New Customers', '51'), ('fm_grid', 'Promising', '41|31'), ('fm_grid', 'Need Attention', '32|23|22'), ('fm_grid', 'About To Sleep', '21'),
	('fm_grid', 'At Risk', '25|24|13'), ('fm_grid', 'Can''t Lose Them', '15|14'), ('fm_grid', 'Hibernating', '12'), ('fm_grid', 'Lost', '11'),
	('rf_grid', 'Hibernating', '[12][12]'), ('rf_grid', 'At Risk', '[12][34]'), ('rf_grid', 'Can''t Lose Them', '[12]5'), ('rf_grid', 'About To Sleep', '3[12]'),
	('rf_grid', 'Need Attention', '33'), ('rf_grid', 'Loyal Customers', '[34][45]'), ('rf_grid', 'Promising', '41'), ('rf_grid', 'New Customers', '51'),
	('rf_grid', 'Potential Loyalists', '[45][23]'), ('rf_grid', 'Champions', '5[45]'),
	('shopify', 'Champions', '5[45]'), ('shopify', 'Loyal', '[34][45]'), ('shopify', 'Active', '[45][23]'), ('shopify', 'New', '51'), ('shopify', 'Promising', '41'),
	('shopify', 'Needs Attention', '33'), ('shopify', 'Almost Lost', '3[12]'), ('shopify', 'At Risk', '[12][34]'), ('shopify', 'Previously Loyal', '[12]5'), ('shopify', 'Dormant', '[12][12]');
-- each of the 125 has exactly one, and it is ours; X is rounded half up
SELECT map, count(*) AS triples, count(*) FILTER (WHERE cardinality(segments) = 1) AS one_segment, count(*) FILTER (WHERE segments = ARRAY[crm.segment(rfm, map)]) AS ours
FROM (SELECT DISTINCT map FROM published) maps, cube,
	LATERAL (SELECT CASE map WHEN 'rf_grid' THEN f ELSE round((f + m) / 2.0) END AS x) x,
	LATERAL (SELECT ARRAY(SELECT segment FROM published p WHERE p.map = maps.map AND concat(r, x) ~ ('^(' || pairs || ')$')) AS segments) s
WHERE bins = 5 GROUP BY map ORDER BY map;
SELECT count(*) FILTER (WHERE crm.segment(rfm) = crm.segment(rfm, 'fm_grid')) AS default_is_fm_grid FROM cube;
-- other bins: each score is brought to 1 to 5 first, rounded half up
SELECT map, count(*) AS triples, count(*) FILTER (WHERE crm.segment(rfm, map) = crm.segment(crm.rfm(fives[1], fives[2], fives[3]), map)) AS as_of_five
FROM (VALUES ('fm_grid'), ('rf_grid'), ('shopify')) maps (map), cube,
	LATERAL (SELECT array_agg((1 + round((score - 1) * 4.0 / (bins - 1)))::int ORDER BY measure) AS fives FROM unnest(ARRAY[r, f, m]) WITH ORDINALITY s (score, measure)) s
GROUP BY map ORDER BY map;
SELECT crm.segment('5-4-5', 'FM_GRID');
SELECT crm.segment('5-4-5', '');
SELECT crm.segment(NULL) IS NULL AND crm.segment('5-4-5', NULL::text) IS NULL AND crm.segment('5-4-5', NULL::jsonb) IS NULL AS "null";
-- a literal of no type is a name, not jsonb
SELECT pg_typeof(crm.segment('5-4-5', 'rf_grid')), crm.segment('5-4-5', 'rf_grid');
SELECT crm.segment('5-4-5', '[]');

-- A map of one's own: that of the R package rfm, which has overlaps and holes; the first match counts.
CREATE TABLE my_map (place int, segment text, recency int4range, frequency int4range, monetary int4range);
INSERT INTO my_map VALUES
	(1, 'Champions', '[5,5]', '[5,5]', '[5,5]'), (2, 'Potential Loyalist', '[3,5]', '[3,5]', '[2,5]'), (3, 'Loyal', '[2,4]', '[2,4]', '[2,4]'),
	(4, 'Promising', '[3,4]', '[1,3]', '[3,5]'), (5, 'New', '[4,5]', '[1,3]', '[1,5]'), (6, 'Can''t Lose', '[1,2]', '[3,4]', '[4,5]'),
	(7, 'At Risk', '[1,2]', '[2,5]', '[4,5]'), (8, 'Need Attention', '[1,3]', '[3,5]', '[3,5]'), (9, 'About To Sleep', '[2,3]', '[1,3]', '[1,4]'), (10, 'Lost', '[1,1]', '[1,5]', '[1,5]');
SELECT crm.segment_map(segment, recency, frequency, monetary ORDER BY place) AS map FROM my_map \gset
SELECT jsonb_array_length(:'map') AS segments, :'map'::jsonb -> 1 AS second;
SELECT count(*) AS triples, count(*) FILTER (WHERE crm.segment(rfm, :'map'::jsonb) = coalesce(first, 'Others')) AS first_match, count(*) FILTER (WHERE crm.matching_segments(rfm, :'map') = matches) AS matches
FROM cube, LATERAL (SELECT min(segment) FILTER (WHERE place = least) AS first, coalesce(array_agg(segment ORDER BY place) FILTER (WHERE segment IS NOT NULL), '{}') AS matches
	FROM (SELECT *, min(place) OVER () AS least FROM my_map WHERE r <@ recency AND f <@ frequency AND m <@ monetary) s) t;
SELECT crm.segment(rfm, :'map'::jsonb), count(*) FROM cube WHERE bins = 5 GROUP BY 1 ORDER BY 2 DESC, 1;
-- its overlaps and holes
SELECT cardinality(segments) AS segments, count(*), min(score), max(score) FROM crm.check_segment_map(:'map') GROUP BY 1 ORDER BY 1;
SELECT * FROM crm.check_segment_map('[{"segment": "good", "recency": [2, 3]}, {"segment": "bad", "recency": 1, "frequency": [1, 2]}, {"segment": "bad", "recency": [1, 2], "frequency": 1}]', 3);
SELECT count(*) AS partition FROM crm.check_segment_map('[{"segment": "good", "recency": [4, 10]}, {"segment": "bad", "recency": [1, 3]}]', 10);
SELECT outcome('(SELECT count(*) FROM crm.check_segment_map(''[]'', 11))');
-- a measure left out is any; a range without bound too; a segment may have several boxes; prospects are in none
SELECT crm.segment_map(segment, recency, frequency, NULL) FROM (VALUES ('a', '[3,]'::int4range, NULL::int4range), ('b', '(,3)', '[2,2]'), ('a', '(,)', '[1,4)')) v (segment, recency, frequency);
SELECT rfm, crm.segment(rfm, '[{"segment": "a", "recency": [3, 10]}, {"segment": "b", "frequency": 2}, {"segment": "a", "monetary": [1, 1]}]'::jsonb)
FROM (VALUES ('3-1-1'::crm.rfm), ('10-2-2/10'), ('2-2-2'), ('2-3-1'), ('2-3-2'), ('0-0-0')) v (rfm);
-- maps that change from row to row
SELECT g, crm.segment('3-3-3', jsonb_build_array(jsonb_build_object('segment', 'map ' || g % 3, 'recency', jsonb_build_array(g, 3)))) FROM generate_series(1, 3) g;
SELECT crm.segment_map(NULL, NULL, NULL, NULL) FROM my_map WHERE false;
SELECT statement, outcome('crm.segment(''3-3-3'', ' || quote_literal(statement) || '::jsonb)') FROM (VALUES
	('1'), ('{"segment": "x"}'), ('[1]'), ('[[]]'), ('[{}]'), ('[{"segment": ""}]'), ('[{"segment": 1}]'), ('[{"segment": null}]'),
	('[{"segment": "x", "recency": 0}]'), ('[{"segment": "x", "frequency": 11}]'), ('[{"segment": "x", "monetary": 1.5}]'), ('[{"segment": "x", "monetary": -1}]'), ('[{"segment": "x", "monetary": 1e100}]'),
	('[{"segment": "x", "recency": [4, 3]}]'), ('[{"segment": "x", "recency": []}]'), ('[{"segment": "x", "recency": [1, 2, 3]}]'), ('[{"segment": "x", "recency": [1, [2]]}]'), ('[{"segment": "x", "recency": {"a": 1, "b": 2}}]'), ('[{"segment": "x", "recency": "5"}]'), ('[{"segment": "x", "recency": null}]'),
	('[{"segment": "x", "Recency": 5}]'), ('[]'), ('[{"segment": "x"}]')) v (statement);
SELECT statement, outcome('crm.segment_map(' || statement || ')') FROM (VALUES
	('NULL, ''[1,2]'', NULL, NULL'), (''''', NULL, NULL, NULL'), ('''x'', ''empty'', NULL, NULL'), ('''x'', NULL, ''[0,2]'', NULL'), ('''x'', NULL, NULL, ''[11,)'''), ('''x'', NULL, NULL, ''(,2147483647)''')) v (statement);
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA rfm_test CASCADE;
RESET client_min_messages;
