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
-- empty and Unicode names; NULL elements, paths and numbers
SELECT channel, model, conversions, value FROM crm.channels((SELECT crm.rollup(a) FROM
	(SELECT unnest(ARRAY[crm.shapley(path, c, v, n), crm.shapley_rate(path, c, v, n)]) AS a
	FROM (VALUES ('{"",検索,NULL}'::text[], 3, 1.5, NULL), ('{検索}', NULL, NULL, 1), (NULL, 1, 2, 0), ('{NULL}', 1, NULL, NULL)) v (path, c, v, n)) x)) ORDER BY model, channel COLLATE "C";

-- the plan does not matter
ALTER TABLE paths SET (parallel_workers = 2);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS off) SELECT crm.shapley(path, conversions, value, nulls), crm.shapley_rate(path, conversions, value, nulls) FROM paths;
SELECT crm.shapley(path, conversions, value, nulls)::text = :'shapley' AS shapley, crm.shapley_rate(path, conversions, value, nulls)::text = :'rate' AS rate FROM paths;
RESET ALL;

DROP TABLE paths, worth CASCADE;
