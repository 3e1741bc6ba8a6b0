-- Markov models of :rows paths, each converting or not, of five touches on
-- average; 12 channels and 200, some met far more often than others. The rivals
-- are the same scan with an aggregate that does nothing. A public package in C++
-- that simulates, on a million paths, in seconds of CPU: 2 to 3 with 12 channels;
-- 23 with 200 channels at order 1, 123 at order 2.

-- setup
CREATE EXTENSION IF NOT EXISTS crm;
CREATE SCHEMA IF NOT EXISTS bench;
SELECT setseed(0.5);
CREATE TABLE bench.paths AS
SELECT many, array_agg('channel ' || floor(many * chance ^ 2)) AS path, (id % 10 < 2)::int AS conversions, CASE WHEN id % 10 < 2 THEN id % 100 + 0.5 ELSE 0 END AS value, (id % 10 >= 2)::int AS nulls
FROM (
	SELECT id, many, random() AS chance
	FROM (SELECT id, floor(1 - ln(1 - random()) * 4.5)::int AS touches FROM generate_series(1, :rows) id) lengths, generate_series(1, touches), unnest(ARRAY[12, 200]) many
) touches
GROUP BY id, many;
CREATE TABLE bench.paths_12 AS SELECT path, conversions, value, nulls FROM bench.paths WHERE many = 12;
CREATE TABLE bench.paths_200 AS SELECT path, conversions, value, nulls FROM bench.paths WHERE many = 200;
DROP TABLE bench.paths;
VACUUM ANALYZE bench.paths_12, bench.paths_200;

-- task: 12 channels, order 1
-- ours
SELECT crm.markov_model(path, conversions, value, nulls, 1) FROM bench.paths_12;
-- rival: the scan
SELECT count(path) FROM bench.paths_12;

-- task: 12 channels, order 2
-- ours
SELECT crm.markov_model(path, conversions, value, nulls, 2) FROM bench.paths_12;

-- task: 200 channels, order 1
-- ours
SELECT crm.markov_model(path, conversions, value, nulls, 1) FROM bench.paths_200;
-- rival: the scan
SELECT count(path) FROM bench.paths_200;

-- task: 200 channels, order 2
-- ours
SELECT crm.markov_model(path, conversions, value, nulls, 2) FROM bench.paths_200;

-- task: 200 channels, order 3
-- ours
SELECT crm.markov_model(path, conversions, value, nulls, 3) FROM bench.paths_200;
