-- Sessions, in one pass of a window; and row by row
CREATE FUNCTION pg_temp.visits(timeout interval) RETURNS TABLE (who int, started_at timestamptz, landing text, ended_at timestamptz, touches bigint, ordered_at timestamptz) LANGUAGE plpgsql AS $$
DECLARE
	e record;
	last timestamptz;
BEGIN
	FOR e IN SELECT * FROM events WHERE at IS NOT NULL ORDER BY events.who, at, is_order, what LOOP
		IF e.who IS DISTINCT FROM visits.who THEN
			IF visits.started_at IS NOT NULL THEN
				RETURN NEXT;
			END IF;
			visits.who := e.who;
			visits.started_at := NULL;
			last := NULL;
		END IF;
		IF last >= e.at - timeout THEN
			visits.ended_at := e.at;
			IF e.is_order THEN
				visits.ordered_at := coalesce(visits.ordered_at, e.at);
			ELSE
				visits.touches := visits.touches + 1;
				last := e.at;
			END IF;
		ELSIF NOT e.is_order THEN
			IF visits.started_at IS NOT NULL THEN
				RETURN NEXT;
			END IF;
			visits.started_at := e.at;
			visits.landing := e.what;
			visits.ended_at := e.at;
			visits.touches := 1;
			visits.ordered_at := NULL;
			last := e.at;
		END IF;
	END LOOP;
	IF visits.started_at IS NOT NULL THEN
		RETURN NEXT;
	END IF;
END
$$;
CREATE TEMP TABLE events AS
SELECT h % 40 AS who, timestamptz '2025-01-01 00:00+00' + (h / 40 % 3000) * interval '1 minute' AS at, h / 120000 % 5 = 0 AS is_order, 'e' || n AS what
FROM (SELECT n, hashint8(n)::bigint & 2147483647 AS h FROM generate_series(1, 4000) AS n) AS r;
INSERT INTO events VALUES (41, NULL, false, 'no time'), (41, '2025-01-01 00:00+00', true, 'order alone'), (42, '-infinity', false, 'x'), (42, 'infinity', false, 'y'), (42, 'infinity', true, 'z');

CREATE FUNCTION pg_temp.differ(timeout interval) RETURNS bigint LANGUAGE sql AS $$
	WITH ours AS (
		SELECT who, at, what, (session).ended_at, (session).touches, (session).ordered_at
		FROM (SELECT *, crm.session(at, is_order, timeout) OVER (PARTITION BY who ORDER BY at, is_order, what) AS session FROM events) AS s
		WHERE session IS DISTINCT FROM NULL),
	theirs AS (SELECT * FROM pg_temp.visits(timeout))
	SELECT count(*) FROM ((TABLE ours EXCEPT ALL TABLE theirs) UNION ALL (TABLE theirs EXCEPT ALL TABLE ours)) AS d
$$;
SELECT timeout, pg_temp.differ(timeout), (SELECT count(*) FROM pg_temp.visits(timeout)) AS sessions, (SELECT sum(touches) FROM pg_temp.visits(timeout)) AS touches,
	(SELECT count(ordered_at) FROM pg_temp.visits(timeout)) AS ordered
FROM unnest('{0, 1 minute, 30 minutes, 3 hours, 1 day, 1 month}'::interval[]) AS timeout;

-- a touch and an order that are as late as may be, and later
SELECT at, is_order, (crm.session(at, is_order, '30 minutes') OVER (ORDER BY at, is_order)).*
FROM (VALUES (timestamptz '2025-01-01 10:00+00', false), ('2025-01-01 10:30+00', false), ('2025-01-01 11:00+00', true), ('2025-01-01 11:00:00.000001+00', true),
	('2025-01-01 11:10+00', false), (NULL, false), ('2025-01-01 11:20+00', NULL)) AS v(at, is_order);
SELECT (crm.session(at, false, '30 minutes') OVER (ORDER BY at DESC)).* FROM (VALUES (timestamptz '2025-01-01 10:00+00'), ('2025-01-01 09:59+00')) AS v(at);
SELECT (crm.session('2025-01-01 10:00+00', false, NULL) OVER ()).*;
SELECT crm.session('2025-01-01 10:00+00', false, '1 hour');
-- a day has 24 hours, where clocks change too
SET timezone = 'America/New_York';
SELECT (crm.session(at, false, '1 day') OVER (ORDER BY at)).touches FROM (VALUES (timestamptz '2025-03-08 16:00+00'), ('2025-03-09 15:30+00')) AS v(at);
RESET timezone;
-- a frame makes no difference
SELECT (crm.session(at, false, '30 minutes') OVER (ORDER BY at ROWS CURRENT ROW)).touches FROM (VALUES (timestamptz '2025-01-01 10:00+00'), ('2025-01-01 10:10+00')) AS v(at);
