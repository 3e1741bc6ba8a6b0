/* growth: what follows from the history of a tracked table */

CREATE FUNCTION crm.stage_history(orders regclass)
RETURNS TABLE (id bigint, customer text, from_stage text, to_stage text, at timestamptz, noticed_at timestamptz, cause text)
AS 'MODULE_PATHNAME', 'crm_stage_history' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED ROWS 10000;
COMMENT ON FUNCTION crm.stage_history(regclass) IS 'the history of a tracked table, with the customer as text';

/*
 * A customer is here while new, active or loyal.  What happened to one in a
 * period is told by the first and the last of the changes in it, and by whether
 * there was a time before when the customer was here.  Who is here at the start
 * of the first period is counted in period 0; the other starts follow.
 */
CREATE FUNCTION crm.growth(
	orders regclass,
	from_day date,
	to_day date,
	period interval DEFAULT '1 month',
	time_zone text DEFAULT 'UTC'
) RETURNS TABLE (
	period_start timestamptz, period_end timestamptz, customers_before bigint,
	new_customers bigint, returning_customers bigint, reactivated_customers bigint, leaving_customers bigint,
	customers_after bigint
)
LANGUAGE sql STABLE STRICT PARALLEL RESTRICTED ROWS 100 BEGIN ATOMIC
	WITH starts AS (
		SELECT n, s.local, least(from_day + n * period, to_day::timestamp) AS local_end
		FROM pg_catalog.generate_series(CASE WHEN pg_catalog.isfinite(from_day) THEN from_day::timestamp END,
							 CASE WHEN pg_catalog.isfinite(to_day) THEN to_day::timestamp END, period) WITH ORDINALITY g (step, n),
			LATERAL (SELECT from_day + (n - 1) * period AS local) s
		WHERE s.local < to_day
	), periods AS (
		SELECT n, local AT TIME ZONE time_zone AS start, local_end AT TIME ZONE time_zone AS ends FROM starts
	), bounds AS (
		SELECT pg_catalog.array_agg(start ORDER BY n) AS list, pg_catalog.max(ends) AS ends FROM periods
	), changes AS (
		SELECT h.customer, h.id, pg_catalog.width_bucket(h.at, b.list) AS n,
			coalesce(h.from_stage IN ('new', 'active', 'loyal'), false) AS was_here,
			h.to_stage IN ('new', 'active', 'loyal') AS is_here,
			coalesce(pg_catalog.bool_or(h.to_stage IN ('new', 'active', 'loyal')) OVER (
				PARTITION BY h.customer ORDER BY h.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), false) AS known
		FROM crm.stage_history(orders) h CROSS JOIN bounds b
		WHERE h.at < b.ends
	), customers AS (
		SELECT customer, n,
			(pg_catalog.array_agg(was_here ORDER BY id))[1] AS was_here,
			(pg_catalog.array_agg(is_here ORDER BY id DESC))[1] AS is_here,
			(pg_catalog.array_agg(known ORDER BY id))[1] AS known,
			pg_catalog.bool_or(is_here) AS came
		FROM changes GROUP BY customer, n
	), counts AS (
		SELECT n,
			pg_catalog.count(*) FILTER (WHERE is_here) AS here,
			pg_catalog.count(*) FILTER (WHERE came AND NOT known) AS came_new,
			pg_catalog.count(*) FILTER (WHERE came AND known AND NOT was_here) AS reactivated,
			pg_catalog.count(*) FILTER (WHERE (came OR was_here) AND NOT is_here) AS leaving,
			pg_catalog.count(*) FILTER (WHERE was_here AND NOT is_here) AS left_of_before
		FROM customers GROUP BY n
	), rows AS (
		SELECT p.n, p.start, p.ends, coalesce(c.came_new, 0) AS came_new, coalesce(c.reactivated, 0) AS reactivated,
			coalesce(c.leaving, 0) AS leaving, coalesce(c.left_of_before, 0) AS left_of_before,
			coalesce((SELECT z.here FROM counts z WHERE z.n = 0), 0)
				+ coalesce(pg_catalog.sum(c.came_new + c.reactivated - c.leaving) OVER (ORDER BY p.n), 0)::bigint AS customers_after
		FROM periods p LEFT JOIN counts c ON c.n = p.n
	)
	SELECT start, ends, customers_after - r.came_new - r.reactivated + r.leaving, r.came_new,
		customers_after - r.came_new - r.reactivated + r.leaving - left_of_before,
		r.reactivated, r.leaving, customers_after
	FROM rows r ORDER BY start;
END;
COMMENT ON FUNCTION crm.growth(regclass, date, date, interval, text) IS
	'growth accounting of a tracked table: customers who are new, returning, reactivated and leaving, per period of from_day <= time < to_day';

CREATE FUNCTION crm.stage_durations(
	orders regclass,
	from_day date,
	to_day date,
	time_zone text DEFAULT 'UTC'
) RETURNS TABLE (stage text, customers bigint, days numeric, ended bigint, average_days numeric)
LANGUAGE sql STABLE STRICT PARALLEL RESTRICTED ROWS 6 BEGIN ATOMIC
	WITH bounds AS (
		SELECT from_day::timestamp AT TIME ZONE time_zone AS start, to_day::timestamp AT TIME ZONE time_zone AS ends
	), stays AS (
		SELECT h.customer, h.to_stage AS stage, h.at AS began,
			pg_catalog.lead(h.at) OVER (PARTITION BY h.customer ORDER BY h.id) AS ended
		FROM crm.stage_history(orders) h
	), seconds AS (
		SELECT s.*, b.*,
			extract(epoch FROM least(s.ended, b.ends) - greatest(s.began, b.start)) AS within,
			CASE WHEN s.ended < b.ends THEN extract(epoch FROM s.ended - s.began) END AS whole
		FROM stays s CROSS JOIN bounds b
		WHERE s.began < b.ends AND (s.ended IS NULL OR s.ended >= b.start)
	)
	SELECT s.stage, pg_catalog.count(DISTINCT s.customer), pg_catalog.round(pg_catalog.sum(within) / 86400, 6),
		pg_catalog.count(whole), pg_catalog.round(pg_catalog.avg(whole) / 86400, 6)
	FROM seconds s
	GROUP BY s.stage
	ORDER BY pg_catalog.array_position(ARRAY['lead', 'new', 'active', 'loyal', 'at_risk', 'lost'], s.stage);
END;
COMMENT ON FUNCTION crm.stage_durations(regclass, date, date, text) IS
	'time that the customers of a tracked table spent in each stage in from_day <= time < to_day, and how long the stays took that ended then';

CREATE FUNCTION crm.stage_transitions(
	orders regclass,
	from_day date,
	to_day date,
	time_zone text DEFAULT 'UTC'
) RETURNS TABLE (from_stage text, to_stage text, transitions bigint, customers bigint, share numeric)
LANGUAGE sql STABLE STRICT PARALLEL RESTRICTED ROWS 30 BEGIN ATOMIC
	SELECT h.from_stage, h.to_stage, pg_catalog.count(*), pg_catalog.count(DISTINCT h.customer),
		pg_catalog.round(pg_catalog.count(*) / pg_catalog.sum(pg_catalog.count(*)) OVER (PARTITION BY h.from_stage), 6)
	FROM crm.stage_history(orders) h
	WHERE h.at >= from_day::timestamp AT TIME ZONE time_zone AND h.at < to_day::timestamp AT TIME ZONE time_zone
	GROUP BY h.from_stage, h.to_stage
	ORDER BY pg_catalog.array_position(ARRAY['lead', 'new', 'active', 'loyal', 'at_risk', 'lost'], h.from_stage) NULLS FIRST,
		pg_catalog.array_position(ARRAY['lead', 'new', 'active', 'loyal', 'at_risk', 'lost'], h.to_stage);
END;
COMMENT ON FUNCTION crm.stage_transitions(regclass, date, date, text) IS
	'transition matrix of a tracked table: how often customers went from stage to stage in from_day <= time < to_day; share of all that left from_stage, which is null for the first stage of a customer';
