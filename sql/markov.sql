-- markov: which channel won the order, by a Markov chain of the paths
\pset format unaligned

-- by hand: paths a>b to 2 orders, b to 1 order and 1 null, a to 2 nulls.
-- start -> a 4/6, b 2/6; a -> b 1/2, null 1/2; b -> conversion 3/4, null 1/4
CREATE TABLE small (path text[], conversions numeric, value numeric, nulls numeric);
INSERT INTO small VALUES ('{a,b}', 2, 30, 0), ('{b,b}', 1, 12.5, 1), ('{a}', 0, 0, 2);
SELECT crm.markov_model(path, conversions, value, nulls, 1) AS model FROM small \gset
SELECT :'model';
SELECT from_state, to_state, round(probability::numeric, 12) AS probability FROM crm.transitions(:'model');
-- P = 4/6 1/2 3/4 + 2/6 3/4 = 1/2; without a 1/4, without b 0.  Value: 4/6 1/2
-- 42.5/4 + 2/6 42.5/4; the same shares, as all value comes from b
SELECT channel, round(removal_effect::numeric, 12) AS removal_effect, conversions, value FROM crm.channels(:'model'::crm.markov_model);
SELECT count(*) AS same FROM (SELECT crm.markov_model '{"order": 1, "none": [0, 0, 0], "channels": [["b", 1, 1], ["a", 0.5, 0.5]], "states": [[[1], 4, 0, 2, 0], [[0], 2, 3.000, 1, 42.5]], "edges": [[0, 1, 2]]}' AS m) x
WHERE m::text = :'model';

-- paths without a touch keep what they have; NULLs; a count in fractions
SELECT channel, round(removal_effect::numeric, 9) AS removal_effect, conversions, value
FROM crm.channels((SELECT crm.markov_model(path, conversions, value, nulls, 2)
	FROM (VALUES ('{x,y}'::text[], 1 / 3.0, 0.01, 0), ('{x,NULL}', 0.123456789, 10, NULL), ('{}', 2, 5.5, 3), (NULL, 1, NULL, 0), ('{y}', NULL, NULL, 0.5), ('{z}', 0, 0, 0)) v (path, conversions, value, nulls)));
SELECT crm.markov_model(path, 1, 1, 0, 1) IS NULL AS no_rows FROM small WHERE false;
SELECT * FROM crm.channels((SELECT crm.markov_model(path, 0, 0, 1, 1) FROM small));
SELECT crm.markov_model(path, 1, 1, 0, 0) FROM small;
SELECT crm.markov_model(path, 1, 1, 0, 5) FROM small;
SELECT crm.markov_model(path, 1, 1, 0, NULL) FROM small;
SELECT crm.markov_model(path, 1, 1, 0, array_length(path, 1)) FROM small;
SELECT crm.markov_model(path, -1, 1, 0, 1) FROM small;
SELECT crm.markov_model(path, 1, -1, 0, 1) FROM small;
SELECT crm.markov_model(path, 1, 1, 'NaN', 1) FROM small;
-- a count that is none says which it is, and its own limits
SELECT crm.markov_model('{a}', 'NaN', 1, 0, 1);
SELECT crm.markov_model('{a}', 1, 1, 'Infinity', 1);
SELECT crm.markov_model('{a}', 99999999999999999, 1, 0, 1);
SELECT crm.markov_model('{a}', 1, 1, 9223372036.8548, 1);
SELECT crm.markov_model('{a}', 1, 1, 9223372036.854775808, 1);
SELECT crm.markov_model('{a}', 0, 0, 99999999999999999.123456789, 1);
SELECT crm.markov_model('{a}', -0.0000000001, 0, 0, 1);
-- counts are exact to nine decimals, and rounded beyond; paths without a touch, as they bound nothing else
SELECT conversions, conversions = round(n, 9) AS exact
FROM (SELECT n, crm.markov_model('{}', n, 0, 0, 1) AS m FROM unnest('{4000000000.123456789,9223372036.854775807,0.0000000005,0.00000000049,1234567.1234567895}'::numeric[]) n GROUP BY n) x, crm.channels(m)
ORDER BY n;
SELECT crm.markov_model(path, 0, 1, 1, 1) FROM small;
SELECT crm.markov_model(path, 10000000000, 1, 1, 1) FROM small;
SELECT crm.markov_model(ARRAY[path], 1, 1, 1, 1) FROM small;

-- states of higher order: windows; a shorter path is one; equal ones collapse;
-- channels that look like something else are put in quotes
SELECT from_state, to_state, round(probability::numeric, 12) AS probability
FROM crm.transitions((SELECT crm.markov_model(path, 1, 1, 0, 2)
	FROM (VALUES ('{a,a,a,b}'::text[]), ('{a}'), ('{a > b,(null),"\"x\""}'), ('{"",búsqueda,検索}')) v (path)));

-- random paths: each model against a dense solution in SQL
CREATE TABLE paths AS
SELECT i, ARRAY(SELECT 'c' || (sqrt((hashint4(i * 31 + j) & 65535) / 65536.0 * 25))::int FROM generate_series(1, hashint4(i) & 7) j) AS path,
	(hashint4(i + 5) & 3) * 0.5 AS conversions, CASE WHEN hashint4(i + 5) & 3 > 0 THEN (hashint4(i + 9) & 65535) / 100.0 ELSE 0 END AS value,
	hashint4(i + 7) & 1 AS nulls
FROM generate_series(1, 120) i;
-- a few long ones, that go round and round
INSERT INTO paths SELECT 1000 + n, array_agg('c' || (j % n)), 1, n, 1 FROM generate_series(2, 4) n, generate_series(1, 400) j GROUP BY n;

CREATE FUNCTION states(path text[], k integer) RETURNS TABLE (n bigint, state text[]) LANGUAGE sql IMMUTABLE AS $$
	SELECT row_number() OVER (ORDER BY i), w
	FROM (SELECT i, path[i : i + k - 1] AS w, lag(path[i : i + k - 1]) OVER (ORDER BY i) AS last
		FROM generate_series(1, greatest(cardinality(path) - k, 0) + 1) i WHERE cardinality(path) > 0) x
	WHERE w IS DISTINCT FROM last
$$;
-- P(reward) of the chain without a channel (or with all, NULL): Gaussian
-- elimination with partial pivoting on (I - Q) x = r
CREATE FUNCTION dense(k integer, removed text, of_value boolean) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	a float8[];
	x float8[];
	n integer;
	pivot integer;
	f float8;
	row float8[];
	result float8;
BEGIN
	CREATE TEMP TABLE visit ON COMMIT DROP AS SELECT i, s.n, state, conversions + nulls AS w, lead(state) OVER (PARTITION BY i ORDER BY s.n) AS next,
		conversions, nulls, value FROM paths, states(path, k) s WHERE conversions + nulls > 0;
	CREATE TEMP TABLE state ON COMMIT DROP AS SELECT state, row_number() OVER (ORDER BY state) AS id, sum(w)::float8 AS visits,
		sum(CASE WHEN visit.n = 1 THEN w ELSE 0 END)::float8 AS starts, coalesce(sum(CASE WHEN of_value THEN value ELSE conversions END) FILTER (WHERE next IS NULL), 0)::float8 AS ends,
		coalesce(removed = ANY (state), false) AS gone FROM visit GROUP BY state;
	n := (SELECT count(*) FROM state);
	-- augmented rows, flat
	SELECT array_agg(CASE WHEN c.id = n + 1 THEN CASE WHEN s.gone THEN 0 ELSE s.ends / s.visits END
			ELSE (s.id = c.id)::int - CASE WHEN s.gone OR c.gone THEN 0 ELSE coalesce(e.w, 0) / s.visits END END ORDER BY s.id, c.id)
	INTO a
	FROM state s CROSS JOIN (SELECT id, state, gone FROM state UNION ALL SELECT n + 1, NULL, false) c
	LEFT JOIN (SELECT state, next, sum(w)::float8 AS w FROM visit GROUP BY 1, 2) e ON e.state = s.state AND e.next = c.state;
	FOR c IN 1 .. n LOOP
		SELECT r INTO pivot FROM generate_series(c, n) r ORDER BY abs(a[(r - 1) * (n + 1) + c]) DESC, r LIMIT 1;
		IF pivot <> c THEN
			row := a[(c - 1) * (n + 1) + 1 : c * (n + 1)];
			a[(c - 1) * (n + 1) + 1 : c * (n + 1)] := a[(pivot - 1) * (n + 1) + 1 : pivot * (n + 1)];
			a[(pivot - 1) * (n + 1) + 1 : pivot * (n + 1)] := row;
		END IF;
		FOR r IN c + 1 .. n LOOP
			f := a[(r - 1) * (n + 1) + c] / a[(c - 1) * (n + 1) + c];
			CONTINUE WHEN f = 0;
			FOR j IN c .. n + 1 LOOP
				a[(r - 1) * (n + 1) + j] := a[(r - 1) * (n + 1) + j] - f * a[(c - 1) * (n + 1) + j];
			END LOOP;
		END LOOP;
	END LOOP;
	x := array_fill(0::float8, ARRAY[n]);
	FOR r IN REVERSE n .. 1 LOOP
		f := a[r * (n + 1)];
		FOR j IN r + 1 .. n LOOP
			f := f - a[(r - 1) * (n + 1) + j] * x[j];
		END LOOP;
		x[r] := f / a[(r - 1) * (n + 1) + r];
	END LOOP;
	SELECT sum(starts * x[id]) FILTER (WHERE NOT gone) INTO result FROM state;
	DROP TABLE visit, state;
	RETURN coalesce(result, 0);
END $$;
CREATE TABLE models AS SELECT k, crm.markov_model(path, conversions, value, nulls, k) AS model FROM paths, generate_series(1, 4) k GROUP BY k;
CREATE TABLE totals AS SELECT sum(conversions) AS conversions, sum(value) AS value, sum(nulls) AS nulls,
	sum(conversions) FILTER (WHERE path = '{}') AS none, sum(value) FILTER (WHERE path = '{}') AS none_value FROM paths;
-- the chain without a channel removed: P(conversion) is the share of the conversions
SELECT k, abs(dense(k, NULL, false) - (SELECT conversions - none FROM totals)) < 1e-9 AS conversions, abs(dense(k, NULL, true) - (SELECT value - none_value FROM totals)) < 1e-7 AS value
FROM generate_series(1, 2) k;
-- removal effects on both, and the shares in proportion to them
CREATE TABLE effects AS
SELECT k, channel, removal_effect, c.conversions, c.value,
	((SELECT conversions - none FROM totals)::float8 - dense(k, channel, false)) / (SELECT conversions FROM totals)::float8 AS dense_effect,
	((SELECT value - none_value FROM totals)::float8 - dense(k, channel, true)) / (SELECT value FROM totals)::float8 AS dense_value_effect
FROM models, crm.channels(model) c WHERE k <= 2 AND channel <> '(none)';
SELECT k, count(*) AS channels, max(abs(removal_effect - dense_effect)) < 1e-12 AS removal_effects,
	max(abs(conversions - share)) < 1e-9 AS conversions, max(abs(value - value_share)) < 0.0001 AS value
FROM (SELECT *, dense_effect / sum(dense_effect) OVER (PARTITION BY k) * (SELECT conversions - none FROM totals)::float8 AS share,
		dense_value_effect / sum(dense_value_effect) OVER (PARTITION BY k) * (SELECT value - none_value FROM totals)::float8 AS value_share FROM effects) x
GROUP BY k ORDER BY k;
-- for all orders: sums are exact, and probability is conserved
SELECT k, sum(c.conversions) = (SELECT conversions FROM totals) AS conversions, sum(c.value) = (SELECT value FROM totals) AS value
FROM models, crm.channels(model) c GROUP BY k ORDER BY k;
SELECT k, count(DISTINCT from_state) AS states, bool_and(abs(sum - 1) < 1e-12) AS conserved
FROM (SELECT k, from_state, sum(probability) FROM models, crm.transitions(model) GROUP BY k, from_state) s GROUP BY k ORDER BY k;

-- a chain without a cycle against all of its paths, one by one
CREATE TABLE acyclic AS SELECT path, 1 + n % 3 AS conversions, (1 + n % 3) * (n % 7) AS value, n % 4 AS nulls
FROM (SELECT row_number() OVER () AS n, p.path FROM (VALUES ('{a,b,c,d}'::text[]), ('{a,c,d}'), ('{b,d}'), ('{b,c}'), ('{a}'), ('{d}'), ('{c,d}'), ('{a,b}'), ('{a,d}')) p (path)) x;
WITH RECURSIVE t AS (SELECT t.* FROM (SELECT crm.markov_model(path, conversions, value, nulls, 1) AS m FROM acyclic) m, crm.transitions(m) t),
walk AS (
	SELECT ARRAY[to_state] AS path, probability FROM t WHERE from_state = '(start)'
	UNION ALL
	SELECT path || to_state, walk.probability * t.probability FROM walk JOIN t ON t.from_state = path[cardinality(path)]
)
SELECT channel, abs(removal_effect - (SELECT 1 - sum(probability) FILTER (WHERE channel <> ALL (path)) / sum(probability) FROM walk WHERE path[cardinality(path)] = '(conversion)')) < 1e-14 AS as_enumerated
FROM crm.channels((SELECT crm.markov_model(path, conversions, value, nulls, 1) FROM acyclic)) ORDER BY channel;

-- long paths that go round and round: by hand (exact fractions), in
-- a model of few states, of some (which is solved otherwise) and of many
CREATE TABLE long AS
SELECT ARRAY['c'] || array(SELECT CASE WHEN i <= 1000 THEN CASE i % 2 WHEN 1 THEN 'a' ELSE 'b' END ELSE CASE i % 2 WHEN 1 THEN 'd' ELSE 'e' END END FROM generate_series(1, 2000) i) || ARRAY['f'] AS path, 1 AS conversions, 0 AS nulls
UNION ALL VALUES ('{d}'::text[], 0, 1), ('{g,d,e,a}', 1, 3);
SELECT more, max(abs(removal_effect * (2 + more) - lost)) < 1e-12 AS lost
FROM (SELECT more, crm.markov_model(path, conversions, 0, nulls, 1) AS model
	FROM (SELECT more, path, conversions, nulls FROM long, unnest(ARRAY[0, 300, 3000]) more
		UNION ALL SELECT more, ARRAY['x' || i], 1, 0 FROM unnest(ARRAY[300, 3000]) more, generate_series(1, more) i) paths
	GROUP BY more) models, crm.channels(model)
JOIN (VALUES ('a', 7 / 6.0::float8), ('b', 1751 / 1512.0), ('c', 7 / 26.0), ('d', 9 / 5.0), ('e', 9 / 5.0), ('f', 1), ('g', 18 / 13.0)) v (channel, lost) USING (channel)
GROUP BY more ORDER BY more;
DROP TABLE long;

-- a channel that is called as paths without a touch are is one with them: by hand,
-- half of what converts met x, a quarter nobody, a quarter "(none)"
SELECT * FROM crm.channels((SELECT crm.markov_model(path, 1, 10, 0, 1) FROM (VALUES ('{x}'::text[]), ('{x}'), (NULL), ('{(none)}')) v (path)));
-- a channel that converts nearly nobody, beside one that converts billions, has no less than nothing
SELECT channel, conversions >= 0 AS conversions, value >= 0 AS value, sum(conversions) OVER () = 4000000000.123456790 AS all_conversions, sum(value) OVER () = 900000000000000.0001 AS all_value
FROM crm.channels((SELECT crm.markov_model(path, c, v, 0, 1) FROM (VALUES ('{a}'::text[], 4000000000.123456789, 900000000000000), ('{b}', 0.000000001, 0.0001)) p (path, c, v)));
-- states are told apart whatever the channels are called
SELECT from_state, to_state FROM crm.transitions((SELECT crm.markov_model(path, 1, 1, 0, 2) FROM (VALUES ('{a >,b,x}'::text[]), ('{a,> b,y}')) v (path))) WHERE from_state LIKE '%b%';

-- All orders on random small chains with null paths, values and fractional counts,
-- by brute force: every walk from the start, step by step, by the definition of the
-- window, until what has not ended yet is less than 1e-18 of all.  It shares nothing
-- with the linear algebra: neither its states nor its equations.
CREATE TABLE chain AS
SELECT chain, 1 + chain % 4 AS k, ARRAY(SELECT chr(97 + (hashint4(chain * 1009 + i * 31 + j) & 65535) % (2 + chain % 3)) FROM generate_series(1, (hashint4(chain * 77 + i) & 65535) % 8) j) AS path,
	(hashint4(chain + i * 5) & 7) / 8.0 AS conversions, CASE WHEN hashint4(chain + i * 5) & 7 > 0 THEN (hashint4(i + 9) & 65535) / 100.0 ELSE 0 END AS value,
	(hashint4(chain + i * 7) & 3) / 4.0 AS nulls
FROM generate_series(1, 16) chain, generate_series(1, 12) i;
CREATE TABLE step AS
SELECT chain, state, next, reward, sum(w)::float8 AS w, sum(v)::float8 AS v
FROM (SELECT chain, path, n, coalesce(lag(path[n : n + k - 1]) OVER p, '{(start)}') AS state, path[n : n + k - 1] AS next, NULL::text AS reward, conversions + nulls AS w, 0 AS v
		FROM chain, generate_series(1, greatest(cardinality(path) - k, 0) + 1) n WHERE path <> '{}' WINDOW p AS (PARTITION BY chain, chain.ctid ORDER BY n)
	UNION ALL
	SELECT chain, path, NULL, path[greatest(cardinality(path) - k, 0) + 1 :], NULL, reward, w, v
		FROM chain, LATERAL (VALUES ('conversion', conversions, value), ('null', nulls, 0)) e (reward, w, v) WHERE path <> '{}') s
WHERE state IS DISTINCT FROM next AND w > 0 GROUP BY 1, 2, 3, 4;
CREATE TABLE share AS SELECT *, w / sum(w) OVER (PARTITION BY chain, state) AS p FROM step;
CREATE TABLE walker (step integer, state text[], m float8);
CREATE FUNCTION walk(of_chain integer, removed text, OUT conversions float8, OUT value float8) LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM walker;
	INSERT INTO walker VALUES (0, '{(start)}', 1);
	FOR i IN 1 .. 2000 LOOP
		INSERT INTO walker SELECT i, next, sum(m * p) FROM walker JOIN share USING (state)
			WHERE step = i - 1 AND chain = of_chain AND next IS NOT NULL AND (removed IS NULL OR removed <> ALL (next)) GROUP BY next;
		EXIT WHEN coalesce((SELECT sum(m) FROM walker WHERE step = i), 0) < 1e-18;
	END LOOP;
	-- the value of a conversion is the mean of those that end in the same state
	SELECT coalesce(sum(m * p), 0), coalesce(sum(m * p * v / w), 0) INTO conversions, value
	FROM walker JOIN share USING (state) WHERE chain = of_chain AND reward = 'conversion';
END $$;
CREATE TABLE walked AS
SELECT chain, k, channel, removal_effect, c.conversions, c.value, w.conversions AS p, w.value AS r, p_all, r_all, total, with_touch, with_touch_value
FROM (SELECT *, crm.channels(model) AS c FROM (SELECT chain, min(k) AS k, crm.markov_model(path, conversions, value, nulls, k) AS model, sum(conversions)::float8 AS total,
		sum(conversions) FILTER (WHERE path <> '{}')::float8 AS with_touch, sum(value) FILTER (WHERE path <> '{}')::float8 AS with_touch_value FROM chain GROUP BY chain) m,
	LATERAL (SELECT conversions AS p_all, value AS r_all FROM walk(chain, NULL)) a) x,
	LATERAL (SELECT (c).*) c, LATERAL walk(chain, channel) w WHERE channel <> '(none)';
SELECT k, count(DISTINCT chain) AS chains, count(*) AS effects, count(DISTINCT round(removal_effect::numeric, 9)) > 8 AS many_values,
	max(abs(removal_effect - (1 - p / p_all) * with_touch / total)) < 1e-12 AS removal_effects
FROM walked GROUP BY k ORDER BY k;
-- conversions and value in proportion to what each removal costs of them, to the 12th decimal and the cent's hundredth
SELECT k, max(abs(conversions - share * with_touch)) < 2e-12 * max(with_touch) AS conversions, max(abs(value - value_share * with_touch_value)) < 0.0001 AS value
FROM (SELECT *, (p_all - p) / sum(p_all - p) OVER (PARTITION BY chain) AS share, (r_all - r) / sum(r_all - r) OVER (PARTITION BY chain) AS value_share FROM walked) x
GROUP BY k ORDER BY k;
-- the chain converts as often as its paths, and what does not convert is null
SELECT max(abs(p_all - conversions / paths)) < 1e-12 AS converts
FROM (SELECT DISTINCT chain, p_all FROM walked) w JOIN (SELECT chain, sum(conversions)::float8 AS conversions, sum(conversions + nulls)::float8 AS paths FROM chain WHERE path <> '{}' GROUP BY chain) c USING (chain);

-- text and binary form, rollup, and the plan does not matter
SELECT bool_and(model::text::crm.markov_model::text = model::text) AS round_trip FROM models;
SELECT bool_and((SELECT crm.rollup(part)::text FROM (SELECT crm.markov_model(path, conversions, value, nulls, k) AS part FROM paths GROUP BY i % 3) p) = model::text) AS rollup FROM models;
SELECT crm.rollup(model) FROM models;
ALTER TABLE paths SET (parallel_workers = 2);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS off) SELECT crm.markov_model(path, conversions, value, nulls, 3) FROM paths;
SELECT crm.markov_model(path, conversions, value, nulls, 3)::text = (SELECT model::text FROM models WHERE k = 3) AS as_in_parallel FROM paths;
-- behind a key of four bytes, a worker's state is aligned as that
CREATE TEMP TABLE thirds AS SELECT i % 3 AS third, crm.markov_model(path, conversions, value, nulls, 3)::text AS model FROM paths GROUP BY 1;
SET max_parallel_workers_per_gather = 0;
SELECT count(*), bool_and(model = (SELECT crm.markov_model(path, conversions, value, nulls, 3)::text FROM paths WHERE i % 3 = third)) AS as_in_parallel FROM thirds;
RESET ALL;
DO $$
DECLARE
	bad text;
	detail text;
BEGIN
	FOREACH bad IN ARRAY ARRAY['', '{"order": 5}', '{"order": 1, "none": [0, 0, 1], "channels": [], "states": [], "edges": []}',
		'{"order": 1, "none": [0, 0, 0], "channels": [["a", 2, 0]], "states": [], "edges": []}',
		'{"order": 1, "none": [0, 0, 0], "channels": [["a", 0, 0], ["a", 0, 0]], "states": [], "edges": []}',
		'{"order": 1, "none": [0, 0, 0], "channels": [["a", nan, 0]], "states": [], "edges": []}',
		'{"order": 1, "none": [0, 0, 0], "channels": [["a", 0x1p-1, 0]], "states": [], "edges": []}',
		'{"order": 1, "none": [0, 0, 0], "channels": [["a", -0, 0]], "states": [], "edges": []}',
		'{"order": 1, "none": [0, 0, 0], "channels": [["a", 1, 0]], "states": [[[1], 1, 1, 0, 0]], "edges": []}',
		'{"order": 1, "none": [0, 0, 0], "channels": [["a", 1, 0]], "states": [[[0], 2, 1, 0, 0]], "edges": []}',
		'{"order": 1, "none": [0, 0, 0], "channels": [["a", 1, 0]], "states": [[[0], 1, 1, 0, 0], [[0], 1, 1, 0, 0]], "edges": []}',
		'{"order": 1, "none": [0, 0, 0], "channels": [["a", 1, 0]], "states": [[[0], 1, 1, 0, 0]], "edges": [[0, 0, 1]]}',
		'{"order": 1, "none": [0, 0, 0], "channels": [["a", 1, 0]], "states": [[[0], 9999999999, 1, 0, 0]], "edges": []}',
		'{"order": 1, "none": [0, 0, 0], "channels": [["a", 1, 0]], "states": [[[0], 1, 1, 0, 0]], "edges": []} x']
	LOOP
		BEGIN
			PERFORM bad::crm.markov_model;
			RAISE NOTICE 'accepted: %', bad;
		EXCEPTION WHEN invalid_text_representation THEN
			GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
			RAISE NOTICE '%', substr(detail, 40);
		END;
	END LOOP;
END $$;

-- credit of one order: each touch's share of the removal effects (1 of b, 0.5 of a)
SELECT channel, round(credit::numeric, 12) AS credit FROM crm.credit('[["a", "2025-01-01T00:00:00Z"], ["b", "2025-01-02T00:00:00Z"], ["a", "2025-01-03T00:00:00Z"], ["new", "2025-01-04T00:00:00Z"]]', '2025-01-05Z', :'model'::crm.markov_model);
SELECT channel, credit FROM crm.credit('[["x", "2025-01-01T00:00:00Z"], ["y", "2025-01-02T00:00:00Z"]]', '2025-01-05Z', :'model'::crm.markov_model, '30 days');
SELECT channel, credit FROM crm.credit(NULL, '2025-01-05Z', :'model'::crm.markov_model);

-- a model of a table is unpacked once, and not taken for another where some take turns
SELECT count(*) FILTER (WHERE pg_column_size(model) < pg_column_size(model::text::crm.markov_model)) >= 2 AS compressed FROM models;
SELECT count(*), bool_and(of_table = fresh) AS same
FROM (SELECT crm.log_likelihood(model, path, conversions, nulls) AS of_table, crm.log_likelihood(model::text::crm.markov_model, path, conversions, nulls) AS fresh
	FROM (SELECT * FROM paths, models ORDER BY i, k OFFSET 0) p) l;
SELECT count(*), bool_and(of_table = fresh) AS same
FROM (SELECT (SELECT string_agg(channel || credit, ' ') FROM crm.credit(j, timestamptz '2025-02-01Z', model)) AS of_table,
		(SELECT string_agg(channel || credit, ' ') FROM crm.credit(j, timestamptz '2025-02-01Z', model::text::crm.markov_model)) AS fresh
	FROM (SELECT j, model FROM models, (SELECT i, crm.journey(c, timestamptz '2025-01-20Z' + n * interval '1 hour') AS j FROM paths, unnest(path) WITH ORDINALITY u (c, n) WHERE i <= 120 GROUP BY i) j ORDER BY i, k OFFSET 0) o) c;

-- log-likelihood, smoothed by one visit spread over all that could follow: any of
-- 3 channels (one that is not known) or none, twice; later any channel or an end
SELECT abs(crm.log_likelihood(:'model'::crm.markov_model, '{a,b}', 1, 0) - (ln((4 + 1 / 9.0) / 7) + ln((2 + 1 / 5.0) / 5) + ln((3 + 1 / 5.0) / 5))) < 1e-12 AS by_hand,
	abs(crm.log_likelihood(:'model'::crm.markov_model, '{a,a,b,b}', 2, 3) - 2 * crm.log_likelihood(:'model'::crm.markov_model, '{a,b}', 1, 0) - 3 * crm.log_likelihood(:'model'::crm.markov_model, '{a,b}', 0, 1)) < 1e-12 AS weighted,
	abs(crm.log_likelihood(:'model'::crm.markov_model, '{zzz,b}', 1, 0) - (ln((0 + 1 / 9.0) / 7) + ln((0 + 1 / 5.0) / 1) + ln((3 + 1 / 5.0) / 5))) < 1e-12 AS unseen,
	abs(crm.log_likelihood(:'model'::crm.markov_model, '{}', 0, 1) - ln((0 + 1 / 3.0) / 7)) < 1e-12 AS no_touch;
-- of other paths it tells the order: where the first of three touches decides,
-- three; where nothing does, one
CREATE TABLE train AS
SELECT memory, i, path, CASE WHEN memory AND path[1] = 'a' OR NOT memory AND hashint4(i + 3) & 1 = 0 THEN 1 ELSE 0 END AS conversions
FROM (SELECT i, ARRAY[chr(97 + (hashint4(i) & 3)), chr(101 + (hashint4(i + 1) & 3)), chr(105 + (hashint4(i + 2) & 3))] AS path FROM generate_series(1, 400) i) p, unnest('{t,f}'::bool[]) memory;
SELECT memory, k AS best
FROM (SELECT DISTINCT ON (memory) memory, k, sum(crm.log_likelihood(model, path, conversions, 1 - conversions)) AS likelihood
	FROM (SELECT memory, k, crm.markov_model(path, conversions, 0, 1 - conversions, k) AS model FROM train, generate_series(1, 4) k WHERE i <= 300 GROUP BY memory, k) m
	JOIN train USING (memory) WHERE i > 300
	GROUP BY memory, k ORDER BY memory, likelihood DESC) b
ORDER BY memory;

-- ten thousand channels; order 3 with 200 channels
SELECT count(*) AS channels, sum(conversions) FROM crm.channels((SELECT crm.markov_model(ARRAY['c' || i, 'c' || i * 7 % 10000, 'hub'], 1, 0, 1, 1) FROM generate_series(1, 10000) i));
SELECT count(*) AS channels, sum(conversions), sum(value) FROM crm.channels((SELECT crm.markov_model(ARRAY(SELECT 'c' || (hashint4(i * 10 + j) & 65535) % 200 FROM generate_series(1, 6) j), 1, 0.01, 1, 3)
	FROM generate_series(1, 20000) i));

-- ninety thousand transitions leave nothing behind: a new backend's memory does
-- not grow by a kilobyte with each
CREATE TABLE wide AS SELECT crm.markov_model(ARRAY['c' || i, 'c' || j], 1, 0, 0, 1) AS model FROM generate_series(1, 300) i, generate_series(1, 300) j;
\c -
SELECT substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s*(\d+) kB')::int AS before \gset
SELECT count(*), substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s*(\d+) kB')::int - :before < 60000 AS within_60_mb FROM wide, crm.transitions(model);

DROP TABLE small, paths, models, train, totals, effects, acyclic, chain, step, share, walker, walked, wide;
DROP FUNCTION dense, states, walk;
