-- stage: where a customer stands, and when that changes if nothing is bought.
SET timezone = 'Pacific/Auckland';	-- must not matter
SET datestyle = 'German';

-- The text form is printed whole and read in part.
SELECT crm.lifecycle_policy();
SELECT crm.lifecycle_policy(at_risk_after => '30 days', lost_after => '60 days 12:30:00.000001', loyal_from => 3, at_risk_gaps => 1.5, lost_gaps => 2.0001);
SELECT crm.lifecycle_policy(personal => false);
SELECT '{}'::crm.lifecycle_policy::text = crm.lifecycle_policy()::text AS is_default;
SELECT ' { "loyal_from":3 ,"at_risk_after" : "1 day" } '::crm.lifecycle_policy;
SELECT count(*) AS round_trips FROM (VALUES
	(crm.lifecycle_policy()),
	(crm.lifecycle_policy(at_risk_after => '0.000001 s', lost_after => '100000000 days', at_risk_gaps => 0, lost_gaps => 1000000)),
	(crm.lifecycle_policy('1 day 01:02:03.4', '2 days 23:59:59.999999', 9223372036854775807, 0.0001, 0.1))) v (policy)
WHERE policy::text::crm.lifecycle_policy::text = policy::text;
-- the binary form: a version and five numbers
SELECT crm.lifecycle_policy_send(crm.lifecycle_policy());
-- Refused, each with its reason.
\set VERBOSITY terse
SELECT crm.lifecycle_policy(at_risk_after => '3 months');
SELECT crm.lifecycle_policy(at_risk_after => '0');
SELECT crm.lifecycle_policy(at_risk_after => '-1 day');
SELECT crm.lifecycle_policy(lost_after => '200000000 days');
SELECT crm.lifecycle_policy(at_risk_gaps => 'NaN');
SELECT crm.lifecycle_policy(at_risk_gaps => 1.00001);
\set VERBOSITY default
SELECT crm.lifecycle_policy(at_risk_after => '181 days');
SELECT crm.lifecycle_policy(at_risk_gaps => 5);
SELECT crm.lifecycle_policy(at_risk_gaps => -1);
SELECT crm.lifecycle_policy(lost_gaps => 1000000.1);
SELECT crm.lifecycle_policy(loyal_from => 1);
CREATE FUNCTION pg_temp.wrong(text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text;
BEGIN
	RETURN $1::crm.lifecycle_policy::text;
EXCEPTION WHEN invalid_text_representation THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN detail;
END $$;
SELECT input, pg_temp.wrong(input) FROM (VALUES (''), ('{'), ('{}x'), ('[]'), ('{"x": 1}'), ('{"loyal_from": 5,}'), ('{"loyal_from": 5 "lost_gaps": 4}'),
	('{"loyal_from": -5}'), ('{"loyal_from": 99999999999999999999}'), ('{"loyal_from": 1}'), ('{"at_risk_gaps": 2.}'), ('{"at_risk_gaps": 2.00001}'), ('{"lost_gaps": 1e3}'),
	('{"at_risk_after": "90"}'), ('{"at_risk_after": 90}'), ('{"at_risk_after": "1 days 24:00:00"}'), ('{"at_risk_after": "1 days 00:60:00"}'),
	('{"at_risk_after": "1 days 00:00:60"}'), ('{"at_risk_after": "99999999999999999999 days"}'), ('{"at_risk_after": "999999999 days"}'), ('{"lost_after": "3 days"}')) v (input);

-- Customers: so many orders, a gap of so many days, the last on 2025-06-01.
CREATE TEMP TABLE customers AS
SELECT n AS orders, gap, crm.purchases(timestamptz '2025-06-01 12:00Z' - make_interval(hours => 24 * gap * i), 10.00) AS p
FROM unnest(ARRAY[1, 2, 4, 5, 9]) n, unnest(ARRAY[0, 10, 45, 46, 100]) gap, generate_series(0, n - 1) i GROUP BY n, gap;
\set last 'timestamptz ''2025-06-01 12:00Z'''

-- The rules, from the intervals that SQL itself computes: strictly older.
CREATE FUNCTION pg_temp.rule(orders int, gap int, age interval) RETURNS text LANGUAGE sql AS $$
	SELECT CASE
		WHEN age > greatest(interval '4320 hours', make_interval(hours => CASE WHEN orders > 1 THEN 96 * gap ELSE 0 END)) THEN 'lost'
		WHEN age > greatest(interval '2160 hours', make_interval(hours => CASE WHEN orders > 1 THEN 48 * gap ELSE 0 END)) THEN 'at_risk'
		WHEN orders = 1 THEN 'new' WHEN orders >= 5 THEN 'loyal' ELSE 'active' END $$;
SELECT count(*) AS compared,
	count(*) FILTER (WHERE crm.stage(p, :last + age) <> pg_temp.rule(orders, gap, age)) AS wrong
FROM customers, unnest(ARRAY[0, 90, 92, 180, 184, 200, 400]) days, unnest(ARRAY['-1 microsecond', '0', '1 microsecond']::interval[]) more,
	LATERAL (SELECT make_interval(hours => 24 * days) + more AS age) a;
SELECT orders, gap, (crm.stage_until(p) - :last)::text AS at_risk_after, (crm.stage_until(p, as_of => :last + interval '399 days') - :last)::text AS from_399_days
FROM customers WHERE gap IN (10, 46, 100) ORDER BY 1, 2;

-- stage_until is the last moment of the stage: it holds then, and not one microsecond later.
SELECT count(*) AS compared, bool_and(crm.stage(p, until) = crm.stage(p, as_of)) AS holds, bool_and(crm.stage(p, until + interval '1 microsecond') <> crm.stage(p, as_of)) AS ends
FROM customers, unnest(ARRAY[0, 91, 100, 150]) days, LATERAL (SELECT :last + make_interval(days => days) AS as_of) a, LATERAL (SELECT crm.stage_until(p, as_of => as_of) AS until) u
WHERE until IS NOT NULL;
-- lost lasts
SELECT crm.stage_until(p, as_of => :last + interval '999 days') IS NULL AS forever FROM customers LIMIT 1;

-- Without the personal rhythm; with a policy per call.
SELECT orders, gap, crm.stage(p, :last + interval '91 days') AS personal, crm.stage(p, :last + interval '91 days', crm.lifecycle_policy(personal => false)) AS fixed,
	crm.stage(p, :last, crm.lifecycle_policy(loyal_from => 2)) AS loyal_from_2, crm.stage(p, :last + interval '31 days', '{"at_risk_after": "30 days", "lost_after": "30 days", "at_risk_gaps": 0}') AS both_at_30
FROM customers WHERE gap IN (10, 100) ORDER BY 1, 2;
-- A fraction of a gap: 1.5 x 100 days.
SELECT (crm.stage_until(p, crm.lifecycle_policy(at_risk_gaps => 1.5)) - :last)::text AS after FROM customers WHERE orders = 2 AND gap = 100;
-- A gap that is no whole number of microseconds is rounded down, as average_gap() is.
SELECT crm.stage_until(p, crm.lifecycle_policy('1 us', '1 us', at_risk_gaps => 2)) = crm.last_order(p) + 2 * crm.average_gap(p) AS same
FROM (SELECT crm.purchases(timestamptz '2025-01-01Z' + n * interval '1 us', 1) FROM (VALUES (0), (1), (8)) v (n)) o (p);

-- No summary, no order, a refund only: a lead, for ever.
SELECT crm.stage(p, :last), crm.stage_until(p) IS NULL AS forever, crm.phase(crm.stage(p, :last))
FROM (VALUES (NULL::crm.purchases), ((SELECT crm.purchases(now(), 1) WHERE false)), ((SELECT crm.purchases(now(), -1)))) v (p);
-- A refund moves no stage.
SELECT crm.stage(crm.purchases(at, amount), :last), crm.stage_until(crm.purchases(at, amount)) = timestamptz '2025-03-01Z' + interval '2160 hours' AS ninety_days
FROM (VALUES (timestamptz '2025-03-01Z', 10), ('2025-05-01Z', -10)) v (at, amount);

-- An order after as_of is not overdue; the infinities are before and after all; null is null.
SELECT crm.stage(p, :last - interval '1 year'), crm.stage(p, '-infinity'), crm.stage(p, 'infinity'), crm.stage(p, NULL) IS NULL AS null_as_of, crm.stage(p, :last, NULL) IS NULL AS null_policy, crm.stage_until(p, NULL) IS NULL AS null_policy_until
FROM customers WHERE orders = 2 AND gap = 10;
-- What would end after the calendar does not end.
SELECT crm.stage_until(p) IS NULL AS forever, crm.stage(p, 'infinity') FROM (SELECT crm.purchases('294276-12-31Z'::timestamptz, 1)) v (p);
SELECT crm.stage_until(p, crm.lifecycle_policy(at_risk_gaps => 1000000, lost_gaps => 1000000)) IS NULL AS forever, crm.stage(p, '294276-12-31Z', crm.lifecycle_policy(at_risk_gaps => 1000000, lost_gaps => 1000000))
FROM (SELECT crm.purchases(at, 1) FROM (VALUES (timestamptz '4713-01-01 BC'), ('2025-01-01')) v (at)) o (p);
-- A gap from one end of time to the other is more microseconds than a bigint has.
SELECT crm.stage_until(p) IS NULL AS forever, crm.stage(p, '294276-12-31Z') FROM (SELECT crm.purchases(at, 1) FROM (VALUES (date '4714-11-24 BC'), ('4714-11-24 BC'), ('294270-01-01')) v (at)) o (p);

-- As of now unless told, and so not for an index; with as_of it may be.
SELECT crm.stage(crm.purchases(now() - interval '91 days', 1)), crm.stage(crm.purchases(now(), 1));
\set VERBOSITY sqlstate
CREATE INDEX ON customers (crm.stage(p));
\set VERBOSITY default
CREATE INDEX ON customers (crm.stage(p, '2025-09-01Z'));

-- Phases.
SELECT stage, crm.phase(stage) FROM unnest(ARRAY['lead', 'new', 'active', 'loyal', 'at_risk', 'lost', NULL]) stage;
SELECT crm.phase('Lost');
