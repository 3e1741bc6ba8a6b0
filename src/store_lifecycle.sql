/* store, seventh area: stages of customers, the RFM scale and the LTV model of the store */
CREATE FUNCTION crm.store_lifecycle() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN $ddl$

ALTER TABLE @.settings ADD COLUMN IF NOT EXISTS segment_map text NOT NULL DEFAULT 'fm_grid'
	CONSTRAINT settings_segment_map_check CHECK (segment_map IN ('fm_grid', 'rf_grid', 'shopify'));
ALTER TABLE @.settings ADD COLUMN IF NOT EXISTS rfm_bins integer NOT NULL DEFAULT 5
	CONSTRAINT settings_rfm_bins_check CHECK (rfm_bins BETWEEN 2 AND 10);
ALTER TABLE @.settings ADD COLUMN IF NOT EXISTS rfm_thresholds crm.rfm_scale;
ALTER TABLE @.settings ADD COLUMN IF NOT EXISTS own_segments jsonb;
ALTER TABLE @.settings ADD COLUMN IF NOT EXISTS ltv_model text NOT NULL DEFAULT 'mbg_nbd'
	CONSTRAINT settings_ltv_model_check CHECK (ltv_model IN ('bg_nbd', 'mbg_nbd', 'pareto_nbd'));
ALTER TABLE @.settings ADD COLUMN IF NOT EXISTS ltv_horizon interval NOT NULL DEFAULT '1 year'
	CONSTRAINT settings_ltv_horizon_check CHECK (ltv_horizon > interval '0');
ALTER TABLE @.settings ADD COLUMN IF NOT EXISTS margin numeric(6,4) NOT NULL DEFAULT 1
	CONSTRAINT settings_margin_check CHECK (margin > 0 AND margin < 'Infinity');
ALTER TABLE @.settings ADD COLUMN IF NOT EXISTS attribution_model text NOT NULL DEFAULT 'last_non_direct'
	CONSTRAINT settings_attribution_model_check CHECK (attribution_model IN ('first', 'last', 'last_non_direct', 'linear', 'position', 'time_decay', 'markov', 'shapley'));
ALTER TABLE @.settings ADD COLUMN IF NOT EXISTS markov_order integer NOT NULL DEFAULT 1
	CONSTRAINT settings_markov_order_check CHECK (markov_order BETWEEN 1 AND 4);
ALTER TABLE @.settings ADD COLUMN IF NOT EXISTS lookback interval NOT NULL DEFAULT '30 days'
	CONSTRAINT settings_lookback_check CHECK (lookback >= interval '0');
ALTER TABLE @.settings ADD COLUMN IF NOT EXISTS half_life interval NOT NULL DEFAULT '7 days'
	CONSTRAINT settings_half_life_check CHECK (half_life > interval '0');
ALTER TABLE @.settings ADD COLUMN IF NOT EXISTS session_timeout interval NOT NULL DEFAULT '30 minutes'
	CONSTRAINT settings_session_timeout_check CHECK (session_timeout > interval '0');
ALTER TABLE @.settings ADD COLUMN IF NOT EXISTS cart_abandoned_after interval NOT NULL DEFAULT '1 hour'
	CONSTRAINT settings_cart_abandoned_after_check CHECK (cart_abandoned_after >= interval '0');
ALTER TABLE @.settings ADD COLUMN IF NOT EXISTS cart_recovered_within interval NOT NULL DEFAULT '7 days'
	CONSTRAINT settings_cart_recovered_within_check CHECK (cart_recovered_within >= cart_abandoned_after);

-- A map that gives every score one segment, or none at all.
CREATE OR REPLACE FUNCTION @.check_segments() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
	wrong record;
BEGIN
	SELECT * INTO wrong FROM crm.check_segment_map(NEW.own_segments, coalesce(crm.bins(NEW.rfm_thresholds), NEW.rfm_bins)) AS m ORDER BY m.score LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING errcode = 'check_violation', table = TG_TABLE_NAME, column = 'own_segments',
			message = format('the score %s is of %s', wrong.score, coalesce(array_to_string(nullif(wrong.segments, '{}'), ' and of '), 'no segment')),
			hint = 'crm.check_segment_map() lists all such scores.';
	END IF;
	RETURN NULL;
END
$function$;
COMMENT ON FUNCTION @.check_segments() IS 'trigger: own_segments has each score once';
CREATE OR REPLACE TRIGGER check_segments AFTER UPDATE ON @.settings FOR EACH ROW
	WHEN (NEW.own_segments IS NOT NULL AND (OLD.own_segments, OLD.rfm_bins, OLD.rfm_thresholds::text) IS DISTINCT FROM (NEW.own_segments, NEW.rfm_bins, NEW.rfm_thresholds::text))
	EXECUTE FUNCTION @.check_segments();

-- What is tracked of an order is what is left of it after refunds, in the base
-- currency.  One whose currency has no rate is an order all the same, of 0.
-- Where some of the triggers are missing, as after a restore by somebody who may
-- not create them, or the view, the orders are tracked anew, and what was known of
-- stages is taken over.  The old tables go as soon as the store's views read the
-- new ones.
DO $do$
DECLARE
	triggers CONSTANT text[] := ARRAY(SELECT tgname FROM pg_catalog.pg_trigger WHERE tgrelid = $r$@.orders$r$::regclass AND tgfoid = 'crm.track_orders'::regproc ORDER BY tgname);
	summary CONSTANT regclass := pg_catalog.to_regclass($r$@.orders_lifecycle$r$);
	now_view CONSTANT regclass := pg_catalog.to_regclass($r$@.orders_lifecycle_now$r$);
	is_there CONSTANT boolean[] := ARRAY[summary IS NOT NULL, pg_catalog.to_regclass($r$@.orders_lifecycle_history$r$) IS NOT NULL];
	-- what crm.track() was told: policy, mode, notify
	told text[];
	beside text;
	name text;
	last bigint;
BEGIN
	IF true = ALL (is_there) AND now_view IS NOT NULL AND EXISTS (SELECT FROM crm.tracked() AS t WHERE t.orders = $r$@.orders$r$::regclass AND t.missing_triggers = '{}') THEN
		RETURN;
	ELSIF (pg_catalog.cardinality(triggers) > 0 OR true = ANY (is_there) OR now_view IS NOT NULL) AND NOT true = ALL (is_there) THEN
		RAISE EXCEPTION USING errcode = 'object_not_in_prerequisite_state', message = 'some of the objects that crm.track() made for the orders are missing',
			detail = 'orders_lifecycle and orders_lifecycle_history belong together, and to the table orders.',
			hint = 'To start again without the former stages: ' || coalesce((SELECT pg_catalog.string_agg(pg_catalog.format('DROP TRIGGER %I ON %s; ', t, $r$@.orders$r$::regclass), '')
				FROM pg_catalog.unnest(triggers) AS t), '') || $r$DROP TABLE IF EXISTS @.orders_lifecycle, @.orders_lifecycle_history CASCADE; and crm.create_store() again.$r$;
	END IF;
	IF true = ALL (is_there) THEN
		told := (SELECT (crm.trigger_arguments(tgargs))[6:8] FROM pg_catalog.pg_trigger WHERE tgrelid IN ($r$@.orders$r$::regclass, summary) AND tgfoid = 'crm.track_orders'::regproc AND tgnargs >= 8 LIMIT 1);
		told := coalesce(told, ARRAY[pg_catalog.substring(pg_catalog.pg_get_viewdef(now_view), '''({[^'']*})''::crm.lifecycle_policy'),
			CASE WHEN pg_catalog.to_regclass($r$@.orders_lifecycle_queue$r$) IS NOT NULL THEN 'queued' END, 'notify']);
		FOR name, beside IN SELECT tgname, tgrelid::regclass FROM pg_catalog.pg_trigger WHERE tgrelid IN ($r$@.orders$r$::regclass, summary) AND tgfoid = 'crm.track_orders'::regproc LOOP
			EXECUTE pg_catalog.format('DROP TRIGGER %I ON %s', name, beside);
		END LOOP;
		IF now_view IS NOT NULL THEN
			ALTER VIEW @.orders_lifecycle_now RENAME TO crm_old_lifecycle_now;
		END IF;
		-- the orders are counted anew: nothing waits any more
		FOREACH beside IN ARRAY ARRAY['_history', '_queue', '_errors', ''] LOOP
			EXECUTE pg_catalog.format('ALTER TABLE IF EXISTS %s RENAME TO %I', $r$@.orders_lifecycle$r$ || beside, 'crm_old_lifecycle' || beside);
		END LOOP;
	END IF;
	PERFORM crm.track($r$@.orders$r$, customer => 'customer_id', ordered_at => 'ordered_at', amount => 'coalesce(net_base, 0)', counts_if => 'counts',
		policy => coalesce(told[1]::crm.lifecycle_policy, crm.lifecycle_policy()), mode => coalesce(told[2], 'immediate'), notify => coalesce(told[3], 'notify') = 'notify');
	IF NOT true = ALL (is_there) THEN
		RETURN;
	END IF;
	UPDATE @.orders_lifecycle AS l SET stage_since = o.stage_since, reactivated_at = o.reactivated_at
	FROM @.crm_old_lifecycle AS o WHERE o.customer = l.customer AND o.stage = l.stage;
	-- the log goes on with what has changed meanwhile
	last := (SELECT pg_catalog.max(id) FROM @.orders_lifecycle_history);
	INSERT INTO @.orders_lifecycle_history (customer, from_stage, to_stage, at, noticed_at, cause)
	SELECT customer, from_stage, to_stage, at, noticed_at, cause FROM @.crm_old_lifecycle_history ORDER BY id;
	INSERT INTO @.orders_lifecycle_history (customer, from_stage, to_stage, at, noticed_at, cause)
	SELECT n.customer, o.stage, n.to_stage, n.at, n.noticed_at, n.cause
	FROM (SELECT DISTINCT ON (h.customer) h.* FROM @.orders_lifecycle_history AS h WHERE h.id <= last ORDER BY h.customer, h.id DESC) AS n
	JOIN @.crm_old_lifecycle AS o USING (customer) WHERE n.to_stage <> o.stage ORDER BY n.id;
	DELETE FROM @.orders_lifecycle_history AS h USING @.crm_old_lifecycle AS o WHERE h.customer = o.customer AND h.id <= last;
END
$do$;

-- An order that comes in locks its customer's summary, then stock.  One that is
-- cancelled would have stock first, by the order of triggers, and the two could
-- wait for each other.  Who writes orders need not be allowed to lock summaries.
CREATE OR REPLACE FUNCTION @.lock_summaries() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $function$
BEGIN
	-- they may be dropped, to be made anew by create_store
	IF to_regclass($r$@.orders_lifecycle$r$) IS NULL THEN
		RETURN NULL;
	END IF;
	PERFORM FROM (
		SELECT DISTINCT customer
		FROM (SELECT array_agg(customer_id) AS customers FROM (TABLE changed UNION ALL TABLE old_rows) AS b GROUP BY order_id HAVING bool_or(counts) AND NOT bool_and(counts)) AS o,
			unnest(o.customers) AS u(customer)
		ORDER BY customer) AS o
	CROSS JOIN LATERAL (SELECT FROM @.orders_lifecycle AS l WHERE l.customer = o.customer FOR NO KEY UPDATE) AS l;
	RETURN NULL;
END
$function$;
REVOKE EXECUTE ON FUNCTION @.lock_summaries() FROM PUBLIC;
COMMENT ON FUNCTION @.lock_summaries() IS 'trigger: of orders that count from now on, or no more, the customers'' summaries are locked before stock';
-- before orders_updated
CREATE OR REPLACE TRIGGER lock_summaries AFTER UPDATE ON @.orders REFERENCING OLD TABLE AS old_rows NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION @.lock_summaries();

CREATE OR REPLACE FUNCTION @.policy() RETURNS crm.lifecycle_policy
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	-- the sixth of what crm.track() has the triggers told
	SELECT (crm.trigger_arguments(t.tgargs))[6]::crm.lifecycle_policy
	FROM pg_catalog.pg_trigger AS t
	-- of orders that are tracked without triggers the summary has one
	WHERE t.tgrelid IN ($r$@.orders$r$::regclass, $r$@.orders_lifecycle$r$::regclass) AND t.tgfoid = 'crm.track_orders'::regproc AND t.tgnargs >= 8 LIMIT 1;
END;
COMMENT ON FUNCTION @.policy() IS 'when a customer is loyal, at risk and lost: what crm.track was told';

CREATE OR REPLACE FUNCTION @.set_lifecycle_policy(policy crm.lifecycle_policy) RETURNS bigint
LANGUAGE sql STRICT
BEGIN ATOMIC
	SELECT crm.set_policy($r$@.orders$r$::regclass, set_lifecycle_policy.policy);
END;
COMMENT ON FUNCTION @.set_lifecycle_policy(crm.lifecycle_policy)
	IS 'from now on customers are loyal, at risk and lost by that policy; number of customers of whom something changed. For the owner of the store';
REVOKE EXECUTE ON FUNCTION @.set_lifecycle_policy(crm.lifecycle_policy) FROM PUBLIC;

-- Whose stage is not stored has no order: a lead since it is known.
CREATE OR REPLACE VIEW @.lifecycle AS
SELECT c.customer_id, coalesce(l.stage, 'lead') AS stage, coalesce(l.phase, 'acquisition') AS phase,
	CASE WHEN l.stage <> 'lead' THEN l.stage_since
		ELSE coalesce((SELECT pg_catalog.max(h.at) FROM @.orders_lifecycle_history AS h
			WHERE h.customer = l.customer AND h.to_stage = 'lead' AND h.from_stage IS NOT NULL), c.created_at) END AS stage_since,
	l.stage_until, l.reactivated_at,
	coalesce(l.orders, 0) AS orders, l.first_order AS first_order_at, l.last_order AS last_order_at
FROM @.customers AS c LEFT JOIN @.orders_lifecycle_now AS l ON l.customer = c.customer_id
WHERE c.merged_into IS NULL;

-- As of any time, from the orders: what they were worth is not asked.
CREATE OR REPLACE FUNCTION @.lifecycle(as_of timestamptz)
RETURNS TABLE (customer_id bigint, stage text, phase text, stage_until timestamptz, orders bigint, first_order_at timestamptz, last_order_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT c.customer_id, crm.stage(o.p, as_of, y.policy), crm.phase(crm.stage(o.p, as_of, y.policy)), crm.stage_until(o.p, y.policy, as_of),
		coalesce(crm.order_count(o.p), 0), crm.first_order(o.p), crm.last_order(o.p)
	FROM (SELECT @.policy() AS policy OFFSET 0) AS y, @.customers AS c
	LEFT JOIN (
		SELECT v.customer_id, crm.purchases(v.ordered_at, 0::numeric) AS p FROM @.orders AS v
		WHERE v.counts AND v.customer_id IS NOT NULL AND v.ordered_at < lifecycle.as_of GROUP BY v.customer_id) AS o USING (customer_id)
	WHERE c.merged_into IS NULL AND (c.created_at < as_of OR o.customer_id IS NOT NULL);
END;
COMMENT ON FUNCTION @.lifecycle(timestamptz) IS 'the stage of each customer who was known at a time, by the orders before it';

-- What the clock has not written yet is here already.
CREATE OR REPLACE VIEW @.stage_changes AS
SELECT c.customer_id, NULL::text AS from_stage, 'lead' AS to_stage, NULL::text AS from_phase, 'acquisition' AS to_phase,
	c.created_at AS at, c.created_at AS noticed_at, 'created' AS cause
FROM @.customers AS c
WHERE c.merged_into IS NULL AND NOT EXISTS (SELECT FROM @.orders_lifecycle_history AS h
	WHERE h.customer = c.customer_id AND h.from_stage IS NULL AND h.to_stage <> 'lead' AND h.at <= c.created_at)
UNION ALL
SELECT s.customer_id, s.from_stage, s.to_stage, crm.phase(s.from_stage), crm.phase(s.to_stage), s.at, s.noticed_at, s.cause
FROM (
	SELECT c.customer_id, CASE WHEN h.from_stage IS NULL AND h.at > c.created_at THEN 'lead' ELSE h.from_stage END AS from_stage,
		h.to_stage, h.at, h.noticed_at, h.cause
	FROM @.orders_lifecycle_history AS h JOIN @.customers AS c ON c.customer_id = h.customer
	WHERE c.merged_into IS NULL AND (h.from_stage IS NOT NULL OR h.to_stage <> 'lead')
	UNION ALL
	SELECT d.customer_id, d.stage, crm.stage(d.purchases, d.stage_until + interval '1 microsecond', d.policy), d.stage_until, NULL, 'time'
	FROM (
		SELECT l.customer AS customer_id, l.stage, l.purchases, l.stage_until, y.policy
		FROM @.orders_lifecycle AS l, (SELECT @.policy() AS policy OFFSET 0) AS y WHERE l.stage_until < pg_catalog.now()
		UNION ALL
		SELECT l.customer, 'at_risk', l.purchases, crm.stage_until(l.purchases, y.policy, l.stage_until + interval '1 microsecond'), y.policy
		FROM @.orders_lifecycle AS l, (SELECT @.policy() AS policy OFFSET 0) AS y
		WHERE l.stage_until < pg_catalog.now() AND l.stage <> 'at_risk'
			AND crm.stage_until(l.purchases, y.policy, l.stage_until + interval '1 microsecond') < pg_catalog.now()) AS d) AS s;

-- The scale and the model in use, and those that were.
CREATE TABLE IF NOT EXISTS @.fits (
	fit_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	kind text NOT NULL CHECK (kind IN ('rfm', 'ltv')),
	fitted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	fitted_by text NOT NULL DEFAULT CURRENT_USER,
	as_of timestamptz NOT NULL,
	customers bigint NOT NULL,
	current boolean NOT NULL DEFAULT false,
	rfm_scale crm.rfm_scale CHECK (kind = 'rfm' OR rfm_scale IS NULL),
	ltv_model crm.ltv_model CHECK (kind = 'ltv' OR ltv_model IS NULL),
	has_spend boolean GENERATED ALWAYS AS (pg_catalog.jsonb_exists(ltv_model::text::jsonb, 'spend')) STORED,
	converged boolean,
	log_likelihood double precision,
	notes text,
	CHECK (NOT current OR rfm_scale IS NOT NULL OR ltv_model IS NOT NULL)
);
CREATE UNIQUE INDEX IF NOT EXISTS fits_current_key ON @.fits (kind) WHERE current;

CREATE OR REPLACE FUNCTION @.fit(as_of timestamptz DEFAULT pg_catalog.now())
RETURNS TABLE (fit_id bigint, kind text, customers bigint, current boolean, notes text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
#variable_conflict use_column
DECLARE
	scale crm.rfm_scale;
	model crm.ltv_model;
	number bigint;
	problem text;
	good boolean;
BEGIN
	-- one after the other
	LOCK TABLE @.fits IN SHARE ROW EXCLUSIVE MODE;
	SELECT crm.rfm_scale(p, fit.as_of, (SELECT rfm_bins FROM @.settings)), count(*) INTO scale, number
	FROM (SELECT crm.purchases(ordered_at, net_base) AS p FROM @.orders
		WHERE counts AND customer_id IS NOT NULL AND ordered_at < fit.as_of GROUP BY customer_id HAVING count(*) = count(net_base)) AS c;
	scale := coalesce((SELECT rfm_thresholds FROM @.settings), scale);
	IF scale IS NOT NULL THEN
		UPDATE @.fits SET current = false WHERE kind = 'rfm' AND current;
	END IF;
	RETURN QUERY INSERT INTO @.fits AS f (kind, as_of, customers, current, rfm_scale, notes)
	VALUES ('rfm', fit.as_of, number, scale IS NOT NULL, scale, CASE WHEN scale IS NULL THEN 'there are no customers with orders' END)
	RETURNING f.fit_id, f.kind, f.customers, f.current, f.notes;

	BEGIN
		SELECT crm.ltv_model(p, fit.as_of, (SELECT ltv_model FROM @.settings)) INTO model
		FROM (SELECT crm.purchases(ordered_at, net_base) AS p FROM @.orders
			WHERE counts AND customer_id IS NOT NULL AND ordered_at < fit.as_of GROUP BY customer_id HAVING count(*) = count(net_base)) AS c;
		IF model IS NULL THEN
			problem := 'there are no customers with orders';
		ELSIF NOT crm.converged(model) THEN
			problem := 'did not converge';
		ELSIF NOT jsonb_exists(model::text::jsonb, 'spend') THEN
			problem := 'too few different repeat purchases: no expected order value';
		END IF;
	EXCEPTION WHEN data_exception THEN
		GET STACKED DIAGNOSTICS problem = MESSAGE_TEXT;
	END;
	-- one that is no good comes into use only if there is none
	good := model IS NOT NULL AND (problem IS NULL OR NOT EXISTS (SELECT FROM @.fits WHERE kind = 'ltv' AND current));
	IF good THEN
		UPDATE @.fits SET current = false WHERE kind = 'ltv' AND current;
	END IF;
	RETURN QUERY INSERT INTO @.fits AS f (kind, as_of, customers, current, ltv_model, converged, log_likelihood, notes)
	VALUES ('ltv', fit.as_of, coalesce(crm.customers(model), number), good, model, crm.converged(model), crm.log_likelihood(model), problem)
	RETURNING f.fit_id, f.kind, f.customers, f.current, f.notes;
END
$function$;
COMMENT ON FUNCTION @.fit(timestamptz) IS 'fits the RFM scale and the LTV model to the orders before a time, and takes them into use; the old ones stay in fits';
REVOKE EXECUTE ON FUNCTION @.fit(timestamptz) FROM PUBLIC;

-- Scores and values of each customer.  Today begins at the store's midnight, so
-- that a report is the same all day; an order of today is seen at its own time.
CREATE OR REPLACE VIEW @.rfm AS
SELECT c.customer_id, pg_catalog.floor(extract(epoch FROM c.as_of - crm.last_order(c.p)) / 86400)::integer AS recency_days,
	crm.order_count(c.p) AS orders, CASE WHEN c.known THEN crm.revenue(c.p) END::numeric(20,4) AS net_base,
	crm.recency_score(c.score) AS r, crm.frequency_score(c.score) AS f, crm.monetary_score(c.score) AS m,
	c.score::text AS rfm, CASE WHEN c.own_segments IS NULL THEN crm.segment(c.score, c.segment_map) ELSE crm.segment(c.score, c.own_segments) END AS segment
FROM (
	SELECT b.customer_id, b.p, b.as_of, b.known, b.segment_map, b.own_segments, CASE WHEN b.known THEN crm.rfm(b.p, b.rfm_scale, b.as_of) END AS score
	FROM (
		SELECT c.customer_id, coalesce(l.purchases, '{"orders": 0, "revenue": 0, "refunds": 0}'::crm.purchases) AS p,
			greatest(s.today, crm.last_order(l.purchases)) AS as_of,
			c.customer_id NOT IN (SELECT o.customer_id FROM @.orders AS o WHERE o.counts AND o.net_base IS NULL AND o.customer_id IS NOT NULL) AS known,
			f.rfm_scale, s.segment_map, s.own_segments
		FROM (SELECT pg_catalog.date_trunc('day', pg_catalog.now(), time_zone) AS today, segment_map, own_segments FROM @.settings OFFSET 0) AS s
		CROSS JOIN @.customers AS c
		LEFT JOIN @.orders_lifecycle AS l ON l.customer = c.customer_id
		LEFT JOIN @.fits AS f ON f.kind = 'rfm' AND f.current
		WHERE c.merged_into IS NULL) AS b) AS c;

CREATE OR REPLACE FUNCTION @.rfm(as_of timestamptz)
RETURNS TABLE (customer_id bigint, recency_days integer, orders bigint, net_base numeric(20,4), r integer, f integer, m integer, rfm text, segment text)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT b.customer_id, pg_catalog.floor(extract(epoch FROM rfm.as_of - crm.last_order(b.p)) / 86400)::integer, crm.order_count(b.p),
		CASE WHEN b.known THEN crm.revenue(b.p) END::numeric(20,4),
		crm.recency_score(b.score), crm.frequency_score(b.score), crm.monetary_score(b.score), b.score::text, CASE WHEN b.own_segments IS NULL THEN crm.segment(b.score, b.segment_map) ELSE crm.segment(b.score, b.own_segments) END
	FROM (
		SELECT c.customer_id, c.p, c.known, s.segment_map, s.own_segments,
			CASE WHEN c.known THEN crm.rfm(c.p, (SELECT f.rfm_scale FROM @.fits AS f WHERE f.kind = 'rfm' AND f.current), rfm.as_of) END AS score
		FROM (
			SELECT o.customer_id, crm.purchases(o.ordered_at, coalesce(o.net_base, 0)) AS p, pg_catalog.count(*) = pg_catalog.count(o.net_base) AS known
			FROM @.orders AS o WHERE o.counts AND o.customer_id IS NOT NULL AND o.ordered_at < rfm.as_of GROUP BY o.customer_id) AS c,
			@.settings AS s) AS b;
END;
COMMENT ON FUNCTION @.rfm(timestamptz) IS 'scores on the current scale of the customers with orders before a time, as of that time';

CREATE OR REPLACE VIEW @.segments AS
SELECT segment, pg_catalog.count(*) AS customers, (pg_catalog.count(*) / pg_catalog.sum(pg_catalog.count(*)) OVER ())::numeric(9,6) AS customer_share,
	pg_catalog.sum(orders)::bigint AS orders, pg_catalog.sum(net_base)::numeric(20,4) AS net_base,
	(pg_catalog.sum(net_base) / nullif(pg_catalog.sum(pg_catalog.sum(net_base)) OVER (), 0))::numeric(9,6) AS revenue_share,
	(pg_catalog.sum(net_base) / nullif(pg_catalog.sum(orders), 0))::numeric(18,4) AS average_net_value,
	pg_catalog.avg(recency_days)::numeric(12,1) AS average_recency_days
FROM @.rfm WHERE segment IS NOT NULL GROUP BY segment;

CREATE OR REPLACE FUNCTION @.segments(as_of timestamptz)
RETURNS TABLE (segment text, customers bigint, customer_share numeric(9,6), orders bigint, net_base numeric(20,4), revenue_share numeric(9,6),
	average_net_value numeric(18,4), average_recency_days numeric(12,1))
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT r.segment, pg_catalog.count(*), (pg_catalog.count(*) / pg_catalog.sum(pg_catalog.count(*)) OVER ())::numeric(9,6),
		pg_catalog.sum(r.orders)::bigint, pg_catalog.sum(r.net_base)::numeric(20,4),
		(pg_catalog.sum(r.net_base) / nullif(pg_catalog.sum(pg_catalog.sum(r.net_base)) OVER (), 0))::numeric(9,6),
		(pg_catalog.sum(r.net_base) / nullif(pg_catalog.sum(r.orders), 0))::numeric(18,4), pg_catalog.avg(r.recency_days)::numeric(12,1)
	FROM @.rfm(segments.as_of) AS r WHERE r.segment IS NOT NULL GROUP BY r.segment;
END;
COMMENT ON FUNCTION @.segments(timestamptz) IS 'customers and revenue by segment, of the customers with orders before a time';

-- A customer whose next order is as far away as ten years will not come.
CREATE OR REPLACE VIEW @.ltv AS
SELECT d.customer_id, d.orders, d.historic, d.p_alive::numeric(9,6) AS p_alive, d.expected_orders::numeric(14,4) AS expected_orders,
	d.expected_order_value::numeric(18,4) AS expected_order_value, (d.expected_orders * d.expected_order_value * d.margin)::numeric(20,4) AS predicted,
	(d.historic + (d.expected_orders * d.expected_order_value * d.margin)::numeric)::numeric(20,4) AS total,
	CASE WHEN d.next_order_at < d.last_order_at + interval '10 years' THEN d.next_order_at END AS next_order_at, d.days_between_orders
FROM (
	SELECT l.customer AS customer_id, crm.order_count(l.purchases) AS orders, s.margin, crm.last_order(l.purchases) AS last_order_at,
		CASE WHEN u.customer_id IS NULL THEN crm.revenue(l.purchases) * s.margin END::numeric(20,4) AS historic,
		crm.alive(f.ltv_model, l.purchases, greatest(s.today, crm.last_order(l.purchases))) AS p_alive,
		crm.expected_orders(f.ltv_model, l.purchases, greatest(s.today, crm.last_order(l.purchases)), s.ltv_horizon) AS expected_orders,
		CASE WHEN f.has_spend AND u.customer_id IS NULL THEN crm.expected_order_value(f.ltv_model, l.purchases) END AS expected_order_value,
		crm.next_order(f.ltv_model, l.purchases) AS next_order_at,
		(extract(epoch FROM crm.average_gap(l.purchases)) / 86400)::numeric(12,2) AS days_between_orders
	FROM (SELECT pg_catalog.date_trunc('day', pg_catalog.now(), time_zone) AS today, ltv_horizon, margin FROM @.settings OFFSET 0) AS s
	CROSS JOIN @.orders_lifecycle AS l
	LEFT JOIN @.fits AS f ON f.kind = 'ltv' AND f.current
	LEFT JOIN (SELECT DISTINCT o.customer_id FROM @.orders AS o WHERE o.counts AND o.net_base IS NULL) AS u ON u.customer_id = l.customer
	WHERE crm.order_count(l.purchases) > 0) AS d;

CREATE OR REPLACE FUNCTION @.ltv(as_of timestamptz, horizon interval DEFAULT NULL)
RETURNS TABLE (customer_id bigint, orders bigint, historic numeric(20,4), p_alive numeric(9,6), expected_orders numeric(14,4), expected_order_value numeric(18,4),
	predicted numeric(20,4), total numeric(20,4), next_order_at timestamptz, days_between_orders numeric(12,2))
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT d.customer_id, crm.order_count(d.p), d.historic, d.p_alive::numeric(9,6), d.expected_orders::numeric(14,4), d.expected_order_value::numeric(18,4),
		(d.expected_orders * d.expected_order_value * d.margin)::numeric(20,4), (d.historic + (d.expected_orders * d.expected_order_value * d.margin)::numeric)::numeric(20,4),
		CASE WHEN d.next_order_at < crm.last_order(d.p) + interval '10 years' THEN d.next_order_at END,
		(extract(epoch FROM crm.average_gap(d.p)) / 86400)::numeric(12,2)
	FROM (
		SELECT c.customer_id, c.p, s.margin, CASE WHEN c.known THEN crm.revenue(c.p) * s.margin END::numeric(20,4) AS historic,
			crm.alive(f.ltv_model, c.p, ltv.as_of) AS p_alive, crm.expected_orders(f.ltv_model, c.p, ltv.as_of, coalesce(ltv.horizon, s.ltv_horizon)) AS expected_orders,
			CASE WHEN f.has_spend AND c.known THEN crm.expected_order_value(f.ltv_model, c.p) END AS expected_order_value,
			crm.next_order(f.ltv_model, c.p) AS next_order_at
		FROM @.settings AS s CROSS JOIN (
			SELECT o.customer_id, crm.purchases(o.ordered_at, coalesce(o.net_base, 0)) AS p, pg_catalog.count(*) = pg_catalog.count(o.net_base) AS known
			FROM @.orders AS o WHERE o.counts AND o.customer_id IS NOT NULL AND o.ordered_at < ltv.as_of GROUP BY o.customer_id) AS c
		LEFT JOIN @.fits AS f ON f.kind = 'ltv' AND f.current) AS d;
END;
COMMENT ON FUNCTION @.ltv(timestamptz, interval) IS 'what the customers with orders before a time were worth, and will be, as of that time';

$ddl$;
COMMENT ON FUNCTION crm.store_lifecycle() IS 'DDL of a store: stages, RFM, lifetime value';
