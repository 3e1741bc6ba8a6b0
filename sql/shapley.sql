-- shapley: which channel won the order, as a game of the channels
\pset format unaligned

CREATE TABLE paths AS
SELECT i, ARRAY(SELECT 'c' || (hashint4(i * 31 + j) & 65535) % 6 FROM generate_series(1, hashint4(i) & 7) j) AS path,
	(hashint4(i + 5) & 3) * 0.5 AS conversions, CASE WHEN hashint4(i + 5) & 3 > 0 THEN (hashint4(i + 9) & 65535) / 100.0 ELSE 0 END AS value,
	hashint4(i + 7) & 3 AS nulls
FROM generate_series(1, 300) i;

-- the definition: over all coalitions, what a channel adds to each of those that
-- lack it, weighted by |S|! (n - |S| - 1)! / n!; coalitions are sets of bits
CREATE TABLE worth AS
WITH p AS (SELECT (SELECT bit_or(1 << substr(c, 2)::int) FROM unnest(path) c) AS bits, conversions, value, nulls FROM paths WHERE path <> '{}')
SELECT s, sum(conversions) AS conversions, sum(value) AS value, sum(conversions) / nullif(sum(conversions + nulls), 0) AS rate, sum(value) / nullif(sum(conversions + nulls), 0) AS value_rate
FROM generate_series(0, 63) s LEFT JOIN p ON bits | s = s GROUP BY s;
CREATE VIEW definition AS
SELECT 'c' || i AS channel, sum(w * (coalesce(b.conversions, 0) - coalesce(a.conversions, 0))) AS conversions, sum(w * (coalesce(b.value, 0) - coalesce(a.value, 0))) AS value,
	sum(w * (coalesce(b.rate, 0) - coalesce(a.rate, 0))) AS rate, sum(w * (coalesce(b.value_rate, 0) - coalesce(a.value_rate, 0))) AS value_rate
FROM generate_series(0, 5) i, worth a JOIN worth b ON true,
	LATERAL (SELECT factorial(length(replace(a.s::bit(6)::text, '0', ''))) * factorial(5 - length(replace(a.s::bit(6)::text, '0', ''))) / factorial(6)::numeric(40, 20) AS w) w
WHERE a.s & (1 << i) = 0 AND b.s = a.s | (1 << i)
GROUP BY i;

SELECT crm.shapley(path, conversions, value, nulls) AS shapley, crm.shapley_rate(path, conversions, value, nulls) AS rate FROM paths \gset
SELECT count(*) AS channels, bool_and(abs(c.conversions - d.conversions) < 1e-9) AS conversions, bool_and(abs(c.value - d.value) < 0.001) AS value
FROM crm.channels(:'shapley'::crm.attribution) c JOIN definition d USING (channel) WHERE model = 'shapley';
SELECT count(*) AS channels, bool_and(abs(c.conversions - d.rate * n) < 1e-9) AS conversions, bool_and(abs(c.value - d.value_rate * n) < 0.001) AS value
FROM crm.channels(:'rate'::crm.attribution) c JOIN definition d USING (channel), (SELECT sum(conversions + nulls) AS n FROM paths WHERE path <> '{}') n WHERE model = 'shapley_rate';
-- sums are exact, and orders without a touch go to (none)
SELECT model, sum(conversions) = (SELECT sum(conversions) FROM paths) AS conversions, sum(value) = (SELECT sum(value) FROM paths) AS value,
	max(conversions) FILTER (WHERE channel = '(none)') = (SELECT sum(conversions) FROM paths WHERE path = '{}') AS none
FROM (SELECT * FROM crm.channels(:'shapley'::crm.attribution) UNION ALL SELECT * FROM crm.channels(:'rate'::crm.attribution)) c GROUP BY model ORDER BY model;
-- credit per order sums to the same
SELECT bool_and(abs(conversions - credit) < 1e-9) AS as_per_order FROM crm.channels(:'shapley'::crm.attribution)
JOIN (SELECT channel, sum(credit * conversions)::numeric AS credit
	FROM (SELECT conversions, (SELECT crm.journey(c, timestamptz '2025-01-01Z' + n * interval '1 hour') FROM unnest(path) WITH ORDINALITY u (c, n)) AS j FROM paths) o,
		crm.credit(j, '2025-01-05Z', 'shapley')
	GROUP BY channel) x USING (channel);

-- a channel that lowers the rate: 0.5 alone, 0.25 with the other
SELECT channel, conversions, value FROM crm.channels((SELECT crm.shapley_rate(path, conversions, 10 * conversions, nulls) FROM (VALUES ('{a}'::text[], 2, 2), ('{a,b}', 0, 4)) v (path, conversions, nulls)));
-- rules, chain and game side by side
SELECT count(DISTINCT model) AS models, sum(conversions) FROM crm.channels((SELECT crm.rollup(a) FROM (VALUES (:'shapley'::crm.attribution), (:'rate')) v (a)));

-- no rows; twenty channels, and one too many
SELECT crm.shapley(path, conversions, value, nulls), crm.shapley_rate(path, conversions, value, nulls) FROM paths WHERE false;
SELECT count(*) AS channels, sum(conversions), max(conversions) - min(conversions) < 0.000001 AS alike FROM crm.channels((SELECT crm.shapley_rate(ARRAY['c' || i], 1, 0, 1) FROM generate_series(1, 20) i));
SELECT crm.shapley_rate(ARRAY['c' || i], 1, 0, 1) FROM generate_series(1, 21) i;
SELECT count(*) AS channels, sum(conversions), sum(value) FROM crm.channels((SELECT crm.shapley(path, 1, 99.99, 1) FROM (SELECT array_agg('c' || i % 10000) AS path FROM generate_series(1, 100000) i) p));
SELECT crm.shapley(path, -1, 0, 0) FROM paths;
-- a refund is no path; counts are checked as those of Markov models
SELECT crm.shapley('{a}', 1, -5, 0);
SELECT crm.shapley_rate('{a}', 1, -5, 0);
SELECT crm.shapley('{a}', 'NaN', 1, 0);
SELECT crm.shapley_rate('{a}', 0, 0, 99999999999999999);
-- nothing is lost in fractions, however many rows: 0.1 of one channel, of three and of seven; a third is shown to 12 decimals
SELECT conversions = 100000 AS exact FROM crm.channels((SELECT crm.shapley('{a}', 0.1, 1, 0) FROM generate_series(1, 1000000)));
SELECT sum(conversions) = 20000 AS exact, sum(value) = 66.6667 * 200000 AS value, bool_and(abs(conversions - 20000 / 3.0) < 1e-12) AS each
FROM crm.channels((SELECT crm.shapley('{a,b,c}', 0.1, 66.6667, 0) FROM generate_series(1, 200000)));
SELECT sum(conversions) = 0.123456789 * 100000 AS exact, sum(value) = 0.0001 * 100000 AS value, bool_and(abs(conversions - 0.123456789 * 100000 / 7) < 1e-12) AS each, max(value) - min(value) <= 0.0001 AS value_each
FROM crm.channels((SELECT crm.shapley('{a,b,c,d,e,f,g}', 0.123456789, 0.0001, 0) FROM generate_series(1, 100000)));
-- a conversion shared by three, three times, is one each
SELECT DISTINCT conversions = 1 AS conversions, value = 0.01 AS value FROM crm.channels((SELECT crm.shapley('{a,b,c}', 1, 0.01, 0) FROM generate_series(1, 3)));
-- the game of all paths from those of parts: what each channel has is as in one pass, but for the rounding of thirds
WITH rows AS (SELECT n, ARRAY(SELECT 'c' || (1 + n * k * 7 % 11) FROM generate_series(1, 1 + n % 5) k) AS path, 1 + n % 4 AS c, n::numeric / 8 AS v, n % 3 AS nulls FROM generate_series(1, 2000) n),
	one AS (SELECT crm.channels(crm.shapley(path, c, v, nulls)) AS c FROM rows),
	parts AS (SELECT crm.channels(crm.rollup(a)) AS c FROM (SELECT crm.shapley(path, c, v, nulls) AS a FROM rows GROUP BY n % 37) p)
SELECT count(*) AS channels, max(abs((o.c).conversions - (p.c).conversions)) <= 1e-12 AS conversions, bool_and((o.c).value = (p.c).value) AS value,
	sum((o.c).conversions) = sum((p.c).conversions) AS sum FROM one o JOIN parts p ON (o.c).channel = (p.c).channel;
-- as many as there may be: each row's 9223372036.854775807
SELECT sum(conversions) = 4000 * 9223372036.854775807 AS exact FROM crm.channels((SELECT crm.shapley('{a,b,c}', 9223372036.854775807, 0, 0) FROM generate_series(1, 4000)));
SELECT crm.shapley('{a}', 9223372036.854775807, 0, 0) FROM generate_series(1, 5000);
SELECT crm.shapley(ARRAY['c' || i], 9223372036.854775807, 0, 0) FROM generate_series(1, 5000) i;
-- a channel whose value cannot be counted: all value is of one path in 10^9, and another channel comes with many more
SELECT crm.shapley_rate(path, c, v, n) FROM (VALUES ('{a}'::text[], 0.000000001, 900000000000000, 0), ('{a,b}', 0, 0, 9000000000)) v (path, c, v, n);
-- empty and Unicode names; NULL elements, paths and numbers
SELECT channel, model, conversions, value FROM crm.channels((SELECT crm.rollup(a) FROM
	(SELECT unnest(ARRAY[crm.shapley(path, c, v, n), crm.shapley_rate(path, c, v, n)]) AS a
	FROM (VALUES ('{"",検索,NULL}'::text[], 3, 1.5, NULL), ('{検索}', NULL, NULL, 1), (NULL, 1, 2, 0), ('{NULL}', 1, NULL, NULL)) v (path, c, v, n)) x)) ORDER BY model, channel COLLATE "C";

-- one order, by the game on conversion rates: a 3, b 1, c -2 of 2 orders; each distinct channel once, however many touches
SELECT crm.attribution '{"models": ["linear", "shapley_rate"], "channels": [["a", [0, 0, 0, 0], [3, 0, 0, 0]], ["b", [5, 0, 0, 0], [1, 0, 0, 0]], ["c", [1, 0, 0, 0], [-2, 0, 0, 0]]]}' AS game \gset
SELECT path, string_agg(channel || ' ' || round(credit::numeric, 12), ', ' ORDER BY channel) AS credit, sum(credit) = 1 AS whole
FROM unnest('{"a b","b a b b","a b c","c","c d c","b c new","","c a"}'::text[]) path,
	LATERAL (SELECT crm.journey(c, timestamptz '2025-01-01Z' + n * interval '1 hour') AS j FROM unnest(string_to_array(path, ' ')) WITH ORDINALITY u (c, n)) j,
	crm.credit(j, '2025-01-05Z'::timestamptz, :'game'::crm.attribution)
GROUP BY path ORDER BY path COLLATE "C";
-- by the definition, on all paths: rates by brute force
SELECT count(*) AS credits, bool_and(abs(coalesce(ours, 0) - theirs) < 1e-12) AS by_definition
FROM (SELECT i, channel, weight / sum(weight) OVER (PARTITION BY i) AS theirs
	FROM (SELECT DISTINCT i, c AS channel, greatest(rate, 0) AS weight FROM paths, unnest(path) c JOIN definition ON channel = c) x
	WHERE i IN (SELECT i FROM paths, unnest(path) c JOIN definition ON channel = c GROUP BY i HAVING max(rate) > 0)) t
LEFT JOIN (SELECT i, channel, credit AS ours FROM (SELECT i, (SELECT crm.journey(c, timestamp '2025-01-01' + n * interval '1 hour') FROM unnest(path) WITH ORDINALITY u (c, n)) AS j FROM paths) o,
	crm.credit(j, timestamp '2025-01-05', :'rate'::crm.attribution, '30 days')) o USING (i, channel);
SELECT bool_and(sum = 1) AS sums_to_one FROM (SELECT sum(credit) FROM (SELECT i, (SELECT crm.journey(c, timestamptz '2025-01-01Z' + n * interval '1 hour') FROM unnest(path) WITH ORDINALITY u (c, n)) AS j FROM paths) o,
	crm.credit(j, '2025-01-05Z', :'rate'::crm.attribution) GROUP BY i) s;
-- the lookback; no journey, NULLs; an attribution without that model, or without channels
SELECT * FROM crm.credit('[["a", "2025-01-01T00:00:00Z"], ["b", "2025-01-03T00:00:00Z"]]', '2025-01-04Z', :'game'::crm.attribution, '2 days');
SELECT * FROM crm.credit(NULL, '2025-01-04Z', :'game'::crm.attribution);
SELECT count(*) AS nulls FROM (SELECT crm.credit(NULL, NULL, :'game'::crm.attribution) UNION ALL SELECT crm.credit(NULL, '2025-01-04Z', NULL::crm.attribution) UNION ALL SELECT crm.credit(NULL, '2025-01-04Z', :'game'::crm.attribution, NULL)) n;
SELECT crm.credit(NULL, '2025-01-04Z', :'shapley'::crm.attribution);
SELECT * FROM crm.credit('[["a", "2025-01-01T00:00:00Z"], ["b", "2025-01-03T00:00:00Z"]]', '2025-01-04Z', (SELECT crm.shapley_rate(path, 1, 1, 1) FROM paths WHERE false));

-- the plan does not matter
ALTER TABLE paths SET (parallel_workers = 2);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS off) SELECT crm.shapley(path, conversions, value, nulls), crm.shapley_rate(path, conversions, value, nulls) FROM paths;
SELECT crm.shapley(path, conversions, value, nulls)::text = :'shapley' AS shapley, crm.shapley_rate(path, conversions, value, nulls)::text = :'rate' AS rate FROM paths;
SELECT crm.shapley(path, conversions / 3, value, nulls) AS fractions FROM paths \gset
SET max_parallel_workers_per_gather = 0;
SELECT crm.shapley(path, conversions / 3, value, nulls ORDER BY i DESC)::text = :'fractions' AS fractions, crm.shapley(path, conversions / 3, value, nulls ORDER BY value, i)::text = :'fractions' AS by_value FROM paths;
RESET ALL;

DROP TABLE paths, worth CASCADE;
