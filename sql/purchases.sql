-- crm.purchases: what a customer has bought.
SET timezone = 'UTC';
-- expanded, so that a summary can be read
\pset format unaligned

-- One order; several; a refund moves money only; a free order is an order.
SELECT crm.purchases(at, amount) FROM (VALUES ('2025-03-01 09:30+00'::timestamptz, 20.00)) o (at, amount);
SELECT crm.purchases(at, amount) FROM (VALUES
	('2025-03-01 09:30+00'::timestamptz, 20.00),
	('2025-02-01 00:00+00', -5.00),
	('2025-11-20 18:05:00.000001+00', 59.5),
	('2025-12-24 00:00+00', -4.5),
	('2025-04-01 12:00+00', 0)) o (at, amount);
-- No order; refunds only; NULL in either argument skips the row.
SELECT crm.purchases(at, amount) FROM (VALUES (now(), 1.0)) o (at, amount) WHERE false;
SELECT crm.purchases(at, amount) FROM (VALUES ('2025-02-01'::timestamptz, -5.00)) o (at, amount);
SELECT crm.purchases(at, amount) FROM (VALUES ('2025-02-01 00:00+00'::timestamptz, NULL::numeric), (NULL, 1.0)) o (at, amount);

-- What a summary says.
CREATE TABLE summary (name text, p crm.purchases);
INSERT INTO summary
SELECT name, crm.purchases(at, amount) FROM (VALUES
	('nobody', NULL::timestamptz, NULL::numeric),
	('refund', '2025-02-01 00:00+00', -5.00),
	('once', '2025-03-01 09:30+00', 20.00),
	('same time', '2025-03-01 09:30+00', 10), ('same time', '2025-03-01 09:30+00', 20), ('same time', '2025-03-11 09:30+00', 30),
	('regular', '2025-01-01 00:00+00', 10), ('regular', '2025-01-02 00:00+00', 11), ('regular', '2025-01-04 12:00+00', 12.5), ('regular', '2025-01-03 00:00+00', -1)) o (name, at, amount)
GROUP BY name;
\x on
SELECT name, crm.order_count(p), crm.revenue(p), crm.refunds(p), crm.first_order(p), crm.last_order(p),
	round(crm.average_order_value(p), 4) AS average_order_value, crm.average_gap(p), crm.repeat_purchases(p),
	round(crm.repeat_value(p), 4) AS repeat_value, crm.active_days(p), round(crm.observed_days(p, '2025-04-01 00:00+00')::numeric, 6) AS observed_days
FROM summary ORDER BY name;
\x off
-- NULL gives NULL
SELECT crm.order_count(NULL) IS NULL, crm.revenue(NULL) IS NULL, crm.observed_days(NULL, now()) IS NULL;
-- without as_of: until now
SELECT crm.observed_days(p) = crm.observed_days(p, now()) AS now, provolatile
FROM summary, pg_proc WHERE name = 'once' AND pg_proc.oid = 'crm.observed_days(crm.purchases)'::regprocedure;
SELECT crm.observed_days(p, '2025-02-01 09:30+00') AS before_the_first FROM summary WHERE name = 'once';

-- Amounts: exact to four decimals, shown with as many as came in.
SELECT crm.revenue(crm.purchases('2025-01-01 00:00+00', a)) = sum(a) AS exact, crm.revenue(crm.purchases('2025-01-01 00:00+00', a)), sum(a)
FROM (VALUES (1::numeric), (0.1), (0.0001), (922337203685000), (12.340000), (-922337203685476.5)) v (a);
SELECT a, crm.revenue(crm.purchases('2025-01-01 00:00+00', a)) FROM unnest(ARRAY[0, 0.00, 7, 70000, 700000000, 0.7, 0.0007, 1.0700, 12.3400000000, 10000.0001, 99999999.9999, 922337203685477.5807, -922337203685477.5807]::numeric[]) a GROUP BY a ORDER BY a;
-- of a stored numeric, whose header is another
CREATE TEMP TABLE stored (a numeric, b numeric(20, 10));
INSERT INTO stored VALUES (922337203685477.5807, 1234.5678), (-0.0001, 0), (1e-200::numeric * 0, -7);
SELECT a, crm.revenue(crm.purchases('2025-01-01 00:00+00', a)) AS ra, crm.revenue(crm.purchases('2025-01-01 00:00+00', b)) AS rb FROM stored GROUP BY a, b ORDER BY a;
-- double precision: the nearest 1/10000; integers and real come here too
SELECT crm.revenue(crm.purchases('2025-01-01 00:00+00', a)) FROM unnest(ARRAY[12.34, 0.1 + 0.2, 1.0 / 3, -0.00004, 1e14, 100, 'NaN']::float8[]) a WHERE a < 'NaN' GROUP BY a ORDER BY a;
SELECT crm.revenue(crm.purchases('2025-01-01 00:00+00', 12.3::real)) AS r, crm.revenue(crm.purchases('2025-01-01 00:00+00', 12)) AS i, crm.revenue(crm.purchases('2025-01-01 00:00+00', 12::bigint)) AS b;
-- the largest integers, exactly
SELECT crm.revenue(crm.purchases('2025-01-01 00:00+00', a)) FROM unnest(ARRAY[900000000000001, 922337203685477, -922337203685477, 123456789012345]::bigint[]) a GROUP BY a ORDER BY a;
SELECT crm.purchases('2025-01-01 00:00+00', 922337203685478::bigint);
SELECT crm.purchases('2025-01-01 00:00+00', -922337203685477.625::float8);
SELECT crm.revenue(crm.purchases('2025-01-01 00:00+00', 0.1::float8)) AS ten_times FROM generate_series(1, 10);

-- What is refused.
SELECT crm.purchases(now(), 0.00001);
SELECT crm.purchases(now(), 123456789.12345);
SELECT crm.purchases(now(), 'NaN'::numeric);
SELECT crm.purchases(now(), 'Infinity'::numeric);
SELECT crm.purchases(now(), '-Infinity'::float8);
SELECT crm.purchases(now(), 'NaN'::float8);
SELECT crm.purchases(now(), 922337203685477.5808);
SELECT crm.purchases(now(), -1e15);
SELECT crm.purchases(now(), 1e30::float8);
SELECT crm.purchases(now(), 1e300::numeric);
-- also where what is stored is out of line (as nine such in a row are)
CREATE TEMP TABLE out_of_line (a numeric, b numeric, c numeric, d numeric, e numeric, f numeric, g numeric, h numeric, i numeric);
ALTER TABLE out_of_line ALTER a SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL, ALTER c SET STORAGE EXTERNAL, ALTER d SET STORAGE EXTERNAL,
	ALTER e SET STORAGE EXTERNAL, ALTER f SET STORAGE EXTERNAL, ALTER g SET STORAGE EXTERNAL, ALTER h SET STORAGE EXTERNAL, ALTER i SET STORAGE EXTERNAL;
INSERT INTO out_of_line SELECT n, n, n, n, n, n, n, n, n FROM (SELECT ('0.' || repeat('123456789', 70))::numeric) s (n);
SELECT pg_relation_size(reltoastrelid) > 0 AS out_of_line FROM pg_class WHERE oid = 'out_of_line'::regclass;
SELECT crm.purchases(now(), a) FROM out_of_line;
SELECT crm.purchases('infinity'::timestamptz, 1.0);
SELECT crm.purchases('-infinity'::timestamp, -1.0);
SELECT crm.purchases('infinity'::date, 1.0);
SELECT crm.purchases(now(), 922337203685477) FROM generate_series(1, 2);
SELECT crm.purchases(now(), a) FROM (VALUES (922337203685477.0), (-922337203685477), (922337203685477)) v (a);
SELECT crm.rollup(p) FROM (SELECT crm.purchases(now(), 922337203685477) FROM generate_series(1, 2) g GROUP BY g) s (p);
SELECT crm.observed_days(p, 'infinity') FROM summary;
-- from one end of time to the other is more microseconds than a bigint has
SELECT crm.active_days(p) = extract(julian FROM date '294276-12-31') AS active_days, crm.average_gap(p)
FROM (SELECT crm.purchases(at, 1) FROM unnest(ARRAY['4714-11-24 BC', '294276-12-31']::date[]) at) s (p);
SELECT crm.observed_days(p, '294276-12-31 00:00+00') FROM (SELECT crm.purchases('4714-11-24 BC'::date, 1)) s (p);
-- more orders than a bigint has; more at the first moment than are counted
SELECT crm.purchases_add('{"orders": 9223372036854775807, "revenue": 0, "refunds": 0, "first_order": "2025-03-01T00:00:00Z", "last_order": "2025-03-02T00:00:00Z", "first_value": 0, "first_count": 1}', at, 0)
FROM unnest(ARRAY['2025-03-02']::date[]) at;
SELECT crm.purchases_add('{"orders": 4294967295, "revenue": 0, "refunds": 0, "first_order": "2025-03-01T00:00:00Z", "last_order": "2025-03-01T00:00:00Z", "first_value": 0, "first_count": 4294967295}', at, 0)
FROM unnest(ARRAY['2025-03-01']::date[]) at;

-- Times: timestamp and date are read as UTC, whatever the TimeZone.
SET timezone = 'America/Los_Angeles';
SELECT crm.first_order(crm.purchases('2025-03-01 09:30'::timestamp, 1.0)) AT TIME ZONE 'UTC' AS "timestamp",
	crm.first_order(crm.purchases('2025-03-01'::date, 1.0)) AT TIME ZONE 'UTC' AS "date",
	crm.first_order(crm.purchases('2025-03-01 09:30'::timestamptz, 1.0)) AT TIME ZONE 'UTC' AS "timestamptz";
SELECT crm.purchases('2025-03-01 09:30'::timestamp, 1.0)::text = crm.purchases('2025-03-01 09:30+00'::timestamptz, 1.0)::text AS same,
	crm.purchases('2025-03-01'::date, 1::float8)::text = crm.purchases('2025-03-01 00:00+00'::timestamptz, 1::float8)::text AS same_date;
-- a shop's own day: AT TIME ZONE gives a timestamp without zone
SELECT crm.order_count(crm.purchases(at, 1.0, '1 day')) AS utc_days, crm.order_count(crm.purchases(at AT TIME ZONE 'Asia/Tokyo', 1.0, '1 day')) AS tokyo_days
FROM (VALUES ('2025-03-01 14:00+00'::timestamptz), ('2025-03-01 16:00+00')) o (at);
SET timezone = 'UTC';

-- Text form: exact, whatever the settings; the first and last times that are.
SET datestyle = 'SQL, DMY';
SET timezone = 'Asia/Kathmandu';
SELECT p FROM summary WHERE name = 'regular';
SELECT crm.purchases(at, 1) FROM unnest(ARRAY['4714-11-24 00:00:00+00 BC', '294276-12-31 23:59:59.999999+00']::timestamptz[]) at;
SELECT crm.purchases(at, 1) FROM unnest(ARRAY['0044-03-15 12:00:00+00 BC', '0001-12-31 23:59:59.5+00 BC', '0001-01-01 00:00:00+00', '1999-12-31 23:59:59.999999+00']::timestamptz[]) at GROUP BY at ORDER BY at;
RESET datestyle;
SET timezone = 'UTC';
-- every day from 1896 to 2105, and a sample of all days, as PostgreSQL prints it
SELECT count(*), count(*) FILTER (WHERE s.purchases::text::jsonb ->> 'first_order' <> to_char(d, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) AS differ
FROM (SELECT d, crm.purchases(d, 1) FROM generate_series('1896-01-01'::timestamptz, '2105-12-31', '1 day') d GROUP BY d) s;
SELECT count(*), count(*) FILTER (WHERE crm.first_order(p::text::crm.purchases) <> d) AS differ
FROM (SELECT d, crm.purchases(d, 1) AS p FROM generate_series('4714-11-24 BC'::timestamptz, '294270-12-01', '999 days 7:11:13.123457') d GROUP BY d) s;
-- It is JSON, so that any client can read it.
SELECT p::text::jsonb -> 'revenue' AS revenue, jsonb_object_keys(p::text::jsonb) FROM summary WHERE name = 'once';
-- Back to the last bit, spaces where JSON allows them.
SELECT count(*) AS all_of_them, count(*) FILTER (WHERE p::text::crm.purchases::text = p::text) AS same FROM summary;
SELECT ' { "orders" :0,"revenue": 0.00 , "refunds":0.00 } '::crm.purchases;

-- What is no summary is refused.
CREATE FUNCTION refusal(input text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	PERFORM input::crm.purchases;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || ' ' || detail;
END $$;
SELECT input, refusal(input) FROM (VALUES
	(''), ('{}'), ('{"orders": x}'), ('{"orders": 99999999999999999999, "revenue": 0, "refunds": 0}'),
	('{"orders": -1, "revenue": 0, "refunds": 0}'),
	('{"orders": 0, "revenue": 1, "refunds": 0}'),
	('{"orders": 0, "revenue": 0, "refunds": -1}'),
	('{"orders": 0, "revenue": 0.00001, "refunds": 0}'),
	('{"orders": 0, "revenue": 0., "refunds": 0}'),
	('{"orders": 0, "revenue": 0.0, "refunds": 0.00}'),
	('{"orders": 0, "revenue": 0, "refunds": 0} x'),
	('{"orders": 0, "revenue": 0, "refunds": 0, "first_count": 1}'),
	('{"orders": 1, "revenue": 1, "refunds": 0}'),
	('{"orders": 1, "revenue": 1, "refunds": 0, "first_order": "2025-02-29T00:00:00Z", "last_order": "2025-03-01T00:00:00Z", "first_value": 1, "first_count": 1}'),
	('{"orders": 1, "revenue": 1, "refunds": 0, "first_order": "2025-02-28T24:00:00Z", "last_order": "2025-03-01T00:00:00Z", "first_value": 1, "first_count": 1}'),
	('{"orders": 2, "revenue": 1, "refunds": 0, "first_order": "2025-03-02T00:00:00Z", "last_order": "2025-03-01T00:00:00Z", "first_value": 1, "first_count": 1}'),
	('{"orders": 1, "revenue": 1, "refunds": 0, "first_order": "2025-03-01T00:00:00Z", "last_order": "2025-03-01T00:00:00Z", "first_value": 2, "first_count": 1}'),
	('{"orders": 1, "revenue": 1, "refunds": 0, "first_order": "2025-03-01T00:00:00Z", "last_order": "2025-03-01T00:00:00Z", "first_value": 1, "first_count": 2}'),
	('{"orders": 2, "revenue": 2, "refunds": 0, "first_order": "2025-03-01T00:00:00Z", "last_order": "2025-03-01T00:00:00Z", "first_value": 1, "first_count": 1}'),
	('{"orders": 1, "revenue": 1, "refunds": 0, "first_order": "2025-03-01T00:00:00Z", "last_order": "2025-03-01T00:00:00Z", "period_months": 0, "first_value": 1, "first_count": 1}'),
	('{"orders": 1, "revenue": 1, "refunds": 0, "first_order": "2025-03-01T00:00:00Z", "last_order": "2025-03-01T00:00:00Z", "period_months": 2147483648, "first_value": 1, "first_count": 1}'),
	('{"orders": 1, "revenue": 1, "refunds": 0, "first_order": "2025-03-01T00:00:00Z", "last_order": "2025-03-01T00:00:00Z", "period_microseconds": 1.5, "first_value": 1, "first_count": 1}'),
	('{"orders": 1, "revenue": 1, "refunds": 0, "first_order": "2025-03-01T00:00:00Z", "last_order": "2025-03-01T00:00:00Z", "period_months": 1, "period_microseconds": 1, "first_value": 1, "first_count": 1}'),
	('{"orders": 1, "revenue": 1, "refunds": 0, "first_order": "-4713-11-25T00:00:00Z", "last_order": "2025-03-01T00:00:00Z", "period_months": 1, "first_value": 1, "first_count": 1}'),
	('{"orders": 2, "revenue": 2, "refunds": 0, "first_order": "2025-03-01T00:00:00Z", "last_order": "2025-03-02T00:00:00Z", "period_months": 1, "first_value": 1, "first_count": 1}'),
	('{"orders": 4294967297, "revenue": 1, "refunds": 0, "first_order": "2025-03-01T00:00:00Z", "last_order": "2025-03-02T00:00:00Z", "first_value": 1, "first_count": 4294967296}'),
	('{"orders": 1, "revenue": 1, "refunds": 0, "first_order": "300000-03-01T00:00:00Z", "last_order": "300000-03-01T00:00:00Z", "first_value": 1, "first_count": 1}'),
	('{"orders": 1, "revenue": 9223372036854775807, "refunds": 0, "first_order": "2025-03-01T00:00:00Z", "last_order": "2025-03-01T00:00:00Z", "first_value": 1, "first_count": 1}')
	) v (input);
SELECT '{"orders": 1}'::crm.purchases;

-- Binary form (that it is read back, in bulk and at random, is tested by TAP).
SELECT encode(crm.purchases_send(p), 'hex') FROM summary WHERE name = 'once';

-- The transition function leaves a stored value alone if called by itself.
SELECT crm.order_count(crm.purchases_add(p, now(), 1.0)) AS one_more, crm.order_count(p) AS as_before FROM summary WHERE name = 'once';
SELECT crm.order_count(crm.purchases_merge(p, p)) AS twice, crm.order_count(p) AS as_before FROM summary WHERE name = 'once';
-- Over a window, the state goes on after a result was taken from it.
SELECT at, crm.order_count(crm.purchases(at, 1.0) OVER (ORDER BY at)) AS so_far,
	crm.order_count(crm.purchases(at, 1.0) OVER (ORDER BY at ROWS 1 PRECEDING)) AS last_two,
	crm.order_count(crm.purchases(at, 1.0, '1 month') OVER (ORDER BY at)) AS months
FROM unnest(ARRAY['2025-01-01', '2025-01-15', '2025-02-01', '2025-04-01']::date[]) at;

-- Periods: as date_trunc() has them.
SELECT period, crm.order_count(crm.purchases(at, 1.0, period)) AS purchases, count(DISTINCT date_trunc(unit, at)) AS date_trunc
FROM (SELECT '1999-12-27'::timestamptz + g * interval '7 hours 13 minutes 11 seconds' AS at FROM generate_series(0, 3000) g) o,
	(VALUES (interval '1 hour', 'hour'), ('1 day', 'day'), ('1 week', 'week'), ('1 month', 'month'), ('3 months', 'quarter'), ('1 year', 'year')) v (period, unit)
GROUP BY period, unit ORDER BY period;
-- before 2000 and before Christ too
SELECT period, crm.order_count(crm.purchases(at, 1.0, period)) AS purchases, count(DISTINCT date_trunc(unit, at)) AS date_trunc
FROM (SELECT '0003-11-01 BC'::timestamptz + g * interval '7 hours 13 minutes 11 seconds' AS at FROM generate_series(0, 3000) g) o,
	(VALUES (interval '1 day', 'day'), ('1 week', 'week'), ('1 month', 'month'), ('3 months', 'quarter')) v (period, unit)
GROUP BY period, unit ORDER BY period;
-- A purchase is made at the start of its period; the orders' times stay their own; what is bought in the first period is the first purchase.
SELECT crm.purchases(at, amount, '1 day') FROM (VALUES
	('2025-03-01 09:30+00'::timestamptz, 10.00), ('2025-03-01 21:30+00', 20.00), ('2025-03-05 12:00+00', 30.00), ('2025-03-05 13:00+00', -1.00), ('2025-03-09 13:00+00', -1.00)) o (at, amount);
\x on
SELECT crm.order_count(p), crm.revenue(p), crm.first_order(p), crm.last_order(p), crm.average_gap(p), crm.repeat_purchases(p), round(crm.repeat_value(p), 2) AS repeat_value, crm.active_days(p), crm.observed_days(p, '2025-03-11 00:00+00')
FROM (SELECT crm.purchases(at, amount, '1 day') FROM (VALUES
	('2025-03-01 09:30+00'::timestamptz, 10.00), ('2025-03-01 21:30+00', 20.00), ('2025-03-05 12:00+00', 30.00), ('2025-03-05 13:00+00', -1.00)) o (at, amount)) s (p);
\x off
-- Merged: purchases of the same period add up, also with what has refunds only;
-- one more order is a purchase at the start of its period.
SELECT crm.rollup(p) FROM (VALUES
	((SELECT crm.purchases(at, 10.00, '1 month') FROM unnest(ARRAY['2025-01-31', '2025-02-01']::date[]) at)),
	((SELECT crm.purchases(at, 20.00, '1 month') FROM unnest(ARRAY['2025-04-30', '2024-12-15']::date[]) at)),
	((SELECT crm.purchases('2025-05-01'::date, -1)))) v (p);
SELECT crm.purchases_add(p, at, 5.00), crm.active_days(crm.purchases_add(p, at, 5.00))
FROM (SELECT crm.purchases('2025-01-31'::date, 10.00, '1 month')) s (p), unnest(ARRAY['2025-01-01 00:00+00', '2024-12-31 23:59+00', '2025-03-15 12:00+00']::timestamptz[]) at;
SELECT crm.purchases_add(p, '4714-11-24 00:00+00 BC', 5.00) FROM (SELECT crm.purchases('2025-01-31'::date, 10.00, '1 month')) s (p);
-- those of different periods do not
SELECT crm.rollup(p) FROM (SELECT crm.purchases('2025-01-31'::date, 10, '1 month') UNION ALL SELECT crm.purchases('2025-01-31'::date, 10, '3 months')) v (p);
SELECT crm.purchases_merge(crm.purchases('2025-01-31'::date, 10, '1 day'), crm.purchases('2025-01-31'::date, 10));
-- no row, NULLs, refunds only
SELECT crm.purchases(at, 1.0, '1 day') FROM (VALUES (now())) o (at) WHERE false;
SELECT crm.purchases(NULL::timestamptz, 1.0, '1 day'), crm.purchases(now(), NULL::numeric, '1 day');
SELECT crm.purchases('2025-01-01'::date, -2::float8, '1 day');
-- what is refused
SELECT crm.purchases(now(), 1.0, NULL);
SELECT crm.purchases(now(), 1.0, '0 days');
SELECT crm.purchases(now(), 1.0, '-1 day');
SELECT crm.purchases(now(), 1.0, '-1 month');
SELECT crm.purchases(now(), 1.0, '1 month 1 day');
SELECT crm.purchases(now(), 1.0, '2147483647 days'::interval * 1000);
SELECT crm.purchases('infinity'::timestamptz, 1.0, '1 day');
SELECT crm.purchases('infinity'::date, 1.0, '1 month');
SELECT crm.purchases('4714-11-24 BC'::timestamp, 1.0, '1 month');
SELECT crm.purchases(now(), 1.0, g * interval '1 day') FROM generate_series(1, 2) g;

-- A million random orders: equal to plain SQL, however they are read.
-- Times and amounts tie, a tenth are refunds, a hundredth lack time or amount.
CREATE TABLE orders (customer int, at timestamptz, amount numeric) PARTITION BY HASH (customer);
CREATE TABLE orders_0 PARTITION OF orders FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE orders_1 PARTITION OF orders FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO orders
SELECT (h1 % 50000)::int,
	CASE WHEN g % 100 <> 0 THEN '2020-01-01 00:00+00'::timestamptz + (h2 % 2000000) * interval '1 minute' END,
	CASE WHEN g % 101 = 0 THEN NULL WHEN g % 10 = 0 THEN -1 ELSE 1 END * round((h3 % 1000000) / CASE g % 3 WHEN 0 THEN 1.0 WHEN 1 THEN 100 ELSE 10000 END, g % 3 * 2)
FROM generate_series(1, 1000000) g,
	LATERAL (SELECT hashint8extended(g, 1) & 2147483647, hashint8extended(g, 2) & 2147483647, hashint8extended(g, 3) & 2147483647) h (h1, h2, h3);
ANALYZE orders;
-- The variants that need not take a million are tried on a tenth of the customers.
CREATE VIEW some_orders AS SELECT * FROM orders WHERE customer < 5000;
CREATE TABLE truth AS
SELECT customer, count(*) FILTER (WHERE amount >= 0) AS orders, coalesce(sum(amount), 0) AS revenue, coalesce(-sum(amount) FILTER (WHERE amount < 0), 0) AS refunds,
	min(at) FILTER (WHERE amount >= 0) AS first_order, max(at) FILTER (WHERE amount >= 0) AS last_order,
	count(DISTINCT date_trunc('day', at)) FILTER (WHERE amount >= 0) AS days,
	extract(epoch FROM max(date_trunc('day', at)) FILTER (WHERE amount >= 0) - min(date_trunc('day', at)) FILTER (WHERE amount >= 0)) / 86400 AS days_between
FROM orders WHERE at IS NOT NULL AND amount IS NOT NULL GROUP BY customer;
CREATE TABLE first_values AS
SELECT customer, avg(amount) AS first_value
FROM (SELECT customer, amount, rank() OVER (PARTITION BY customer ORDER BY at) AS r FROM orders WHERE at IS NOT NULL AND amount >= 0) s WHERE r = 1 GROUP BY customer;
CREATE FUNCTION differences(query text, below int DEFAULT 50000) RETURNS TABLE (customers bigint, differ bigint) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT count(*), count(*) FILTER (WHERE
		(crm.order_count(p), crm.revenue(p), crm.refunds(p), crm.first_order(p), crm.last_order(p))
		IS DISTINCT FROM (orders, revenue, refunds, first_order, last_order)
		OR crm.revenue(p)::text <> revenue::text
		OR crm.average_order_value(p) IS DISTINCT FROM revenue / nullif(orders, 0)
		OR abs(crm.repeat_value(p) - (revenue + refunds - first_value) / nullif(orders - 1, 0)) > 1e-9)
		FROM (%s) s FULL JOIN (SELECT * FROM truth WHERE customer < %s) t USING (customer) LEFT JOIN first_values USING (customer)', query, below);
END $$;
SET max_parallel_workers_per_gather = 0;
SELECT * FROM differences('SELECT customer, crm.purchases(at, amount) AS p FROM orders GROUP BY customer');
-- any order of input; sorted groups instead of hashed ones
SELECT * FROM differences('SELECT customer, crm.purchases(at, amount ORDER BY at DESC) AS p FROM some_orders GROUP BY customer', 5000);
SELECT * FROM differences('SELECT customer, crm.purchases(at, amount ORDER BY hashint8(customer) + amount) AS p FROM orders GROUP BY customer');
-- merged from splits: by hash, by time; a merge of merges; and empty ones among them
SELECT * FROM differences('SELECT customer, crm.rollup(p) AS p FROM (SELECT customer, crm.purchases(at, amount) AS p FROM orders GROUP BY customer, hash_numeric(amount) % 7) s GROUP BY customer');
SELECT * FROM differences('SELECT customer, crm.rollup(p) AS p FROM (SELECT customer, crm.rollup(p) AS p FROM (SELECT customer, date_trunc(''month'', at) AS month, crm.purchases(at, amount) AS p FROM some_orders GROUP BY 1, 2) s GROUP BY customer, month < ''2021-06-01'' UNION ALL SELECT customer, ''{"orders": 0, "revenue": 0, "refunds": 0}'' FROM truth WHERE customer < 5000) s GROUP BY customer', 5000);
-- small work_mem: groups go to disk
SET work_mem = '64kB';
SELECT * FROM differences('SELECT customer, crm.purchases(at, amount) AS p FROM some_orders GROUP BY customer', 5000);
RESET work_mem;
-- partition by partition
SET enable_partitionwise_aggregate = on;
EXPLAIN (COSTS OFF) SELECT customer, crm.purchases(at, amount) FROM orders GROUP BY customer;
SELECT * FROM differences('SELECT customer, crm.purchases(at, amount) AS p FROM orders GROUP BY customer');
RESET enable_partitionwise_aggregate;
-- in parallel
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT customer, crm.purchases(at, amount) FROM orders_0 GROUP BY customer;
EXPLAIN (COSTS OFF) SELECT crm.order_count(crm.rollup(p)) FROM (SELECT crm.purchases(at, amount, '1 day') AS p FROM orders_0) s;
SELECT * FROM differences('SELECT customer, crm.purchases(at, amount) AS p FROM orders GROUP BY customer');
SELECT crm.order_count(p) = (SELECT sum(orders) FROM truth) AS orders, crm.revenue(p) = (SELECT sum(revenue) FROM truth) AS revenue
FROM (SELECT crm.purchases(at, amount) AS p FROM orders) s;
-- a day's orders as one purchase, in parallel and not
CREATE FUNCTION day_differences(input text, below int DEFAULT 50000) RETURNS TABLE (customers bigint, differ bigint) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT count(*), count(*) FILTER (WHERE
		(crm.order_count(p), crm.revenue(p), crm.refunds(p), crm.first_order(p), crm.last_order(p), crm.active_days(p)::numeric)
		IS DISTINCT FROM (days, revenue, refunds, first_order, last_order, days_between))
		FROM (SELECT customer, crm.purchases(at, amount, ''1 day''%s) AS p FROM orders WHERE customer < %s GROUP BY customer) s FULL JOIN (SELECT * FROM truth WHERE customer < %s) t USING (customer)', input, below, below);
END $$;
SELECT * FROM day_differences('');
SELECT crm.order_count(crm.purchases(at, amount, '1 day')) = count(DISTINCT date_trunc('day', at)) FILTER (WHERE amount >= 0) AS days,
	crm.order_count(crm.purchases(at, amount, '1 minute')) = count(DISTINCT date_trunc('minute', at)) FILTER (WHERE amount >= 0) AS minutes
FROM some_orders;
-- the same without count(DISTINCT), which forbids a parallel plan
SELECT crm.order_count(crm.purchases(at, amount, '1 day')) = (SELECT count(DISTINCT date_trunc('day', at)) FILTER (WHERE amount >= 0) FROM orders) AS days FROM orders;
SELECT * FROM day_differences(' ORDER BY at DESC', 5000);
SELECT * FROM day_differences(' ORDER BY hashint8(customer) + amount', 5000);
SET max_parallel_workers_per_gather = 0;
SELECT * FROM day_differences('');
-- as timestamp, as date and in double precision
SELECT * FROM differences('SELECT customer, crm.purchases(at AT TIME ZONE ''UTC'', amount) AS p FROM some_orders GROUP BY customer', 5000);
SELECT count(*), count(*) FILTER (WHERE crm.revenue(f) <> revenue OR crm.order_count(d) <> orders OR crm.revenue(d) <> revenue OR crm.order_count(e) <> days) AS differ
FROM (SELECT customer, crm.purchases(at, amount::float8) AS f, crm.purchases(at::date, amount) AS d, crm.purchases(at::date, amount::float8, '1 day') AS e FROM some_orders GROUP BY customer) s JOIN truth USING (customer);

DROP VIEW some_orders;
DROP TABLE orders, truth, first_values, summary;
DROP FUNCTION differences(text, int), day_differences(text, int), refusal(text);
