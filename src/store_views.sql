/*
 * store, eighth area: what BI tools, agents and reports read
 *
 * A view on a function casts its numerics again: RETURNS TABLE forgets the
 * precision, which some BI tools want to know.
 *
 * A time is moved by days in UTC, or by hours: days of the session's time zone
 * would make a report depend on who asks.
 */
CREATE FUNCTION crm.store_views() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN $ddl$

CREATE OR REPLACE VIEW @.valid_orders AS
SELECT order_id, customer_id, visitor_id, ordered_at, day, channel, currency, units,
	amount AS gross, refunded_amount AS refunded, (amount - refunded_amount)::numeric(18,4) AS net,
	(items_amount - discount - CASE WHEN tax_included THEN tax ELSE 0 END - refunded_sales)::numeric(18,4) AS net_sales,
	net_base, country, region, city
FROM @.orders
WHERE counts;

-- Sales

CREATE OR REPLACE VIEW @.sales AS
SELECT day, pg_catalog.date_trunc('week', day::timestamp)::date AS week, pg_catalog.date_trunc('month', day::timestamp)::date AS month,
	channel, country, region, city, currency,
	pg_catalog.count(*) AS orders, pg_catalog.sum(units)::bigint AS units, pg_catalog.sum(gross)::numeric(20,4) AS gross, pg_catalog.sum(refunded)::numeric(20,4) AS refunded,
	(pg_catalog.sum(gross) - pg_catalog.sum(refunded))::numeric(20,4) AS net, pg_catalog.sum(net_sales)::numeric(20,4) AS net_sales
FROM @.valid_orders
GROUP BY day, channel, country, region, city, currency;

-- it had three arguments
DROP FUNCTION IF EXISTS @.sales(timestamptz, timestamptz, text);
-- A refund is taken off where its order is, or where it was made itself.
CREATE OR REPLACE FUNCTION @.sales(from_at timestamptz, to_at timestamptz, by text DEFAULT 'day', refund_date text DEFAULT 'order')
RETURNS TABLE (part text, currency text, orders bigint, units bigint, gross numeric(20,4), refunded numeric(20,4), net numeric(20,4), net_sales numeric(20,4))
-- a day is the same text, and comes in its turn, whoever asks
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO' AS $function$
#variable_conflict use_column
BEGIN
	IF refund_date IS NULL OR refund_date NOT IN ('order', 'refund') THEN
		RAISE EXCEPTION USING errcode = 'invalid_parameter_value', message = CASE WHEN refund_date IS NULL THEN 'refund_date must not be null' ELSE format('unknown refund_date "%s"', refund_date) END,
			hint = 'By the date of the "order", or of the "refund".';
	ELSIF by IN ('product', 'category') THEN
		RETURN QUERY
		SELECT CASE by WHEN 'product' THEN p.product_id::text ELSE p.category END AS part, s.currency, count(DISTINCT s.order_id), sum(s.quantity)::bigint,
			sum(s.sold)::numeric(20,4), sum(s.back)::numeric(20,4), (sum(s.sold) - sum(s.back))::numeric(20,4), (sum(s.sold) - sum(s.back))::numeric(20,4)
		FROM (
			-- what an item costs has no shipping in it, nor tax that is added to the price
			SELECT i.product_id, o.currency, o.order_id, i.quantity, i.amount AS sold, coalesce(CASE WHEN o.tax_included THEN f.with_tax ELSE f.without_tax END, 0) AS back
			FROM @.orders AS o JOIN @.order_items AS i USING (order_id)
			LEFT JOIN (
				SELECT r.order_id, r.line, sum(r.amount - r.shipping) AS with_tax, sum(r.amount - r.shipping - r.tax) AS without_tax
				FROM @.refunds AS r WHERE refund_date = 'order' GROUP BY r.order_id, r.line) AS f ON f.order_id = i.order_id AND f.line = i.line
			WHERE o.counts AND o.ordered_at >= from_at AND o.ordered_at < to_at
			UNION ALL
			SELECT i.product_id, o.currency, NULL, 0, 0, f.amount - f.shipping - CASE WHEN o.tax_included THEN 0 ELSE f.tax END
			FROM @.refunds AS f JOIN @.orders AS o USING (order_id) JOIN @.order_items AS i USING (order_id, line)
			WHERE refund_date = 'refund' AND o.counts AND f.refunded_at >= from_at AND f.refunded_at < to_at) AS s
		JOIN @.products AS p USING (product_id)
		GROUP BY 1, s.currency ORDER BY 1, s.currency;
	ELSIF by IN ('day', 'week', 'month', 'weekday', 'hour', 'channel', 'country', 'region', 'city') THEN
		RETURN QUERY
		SELECT CASE by WHEN 'day' THEN s.day::text WHEN 'week' THEN date_trunc('week', s.day::timestamp)::date::text
				WHEN 'month' THEN date_trunc('month', s.day::timestamp)::date::text WHEN 'weekday' THEN extract(isodow FROM s.day)::text
				WHEN 'hour' THEN to_char(s.at, 'HH24') WHEN 'channel' THEN s.channel
				WHEN 'country' THEN s.country WHEN 'region' THEN s.region ELSE s.city END AS part, s.currency,
			count(s.units), coalesce(sum(s.units), 0)::bigint, sum(s.gross)::numeric(20,4), sum(s.refunded)::numeric(20,4), (sum(s.gross) - sum(s.refunded))::numeric(20,4), sum(s.net_sales)::numeric(20,4)
		FROM (
			SELECT o.day, o.ordered_at AT TIME ZONE (SELECT z.time_zone FROM @.settings AS z) AS at, o.channel, o.country, o.region, o.city, o.currency, o.units, o.amount AS gross,
				CASE WHEN refund_date = 'order' THEN o.refunded_amount ELSE 0 END AS refunded,
				o.items_amount - o.discount - CASE WHEN o.tax_included THEN o.tax ELSE 0 END - CASE WHEN refund_date = 'order' THEN o.refunded_sales ELSE 0 END AS net_sales
			FROM @.orders AS o
			WHERE o.counts AND o.ordered_at >= from_at AND o.ordered_at < to_at
			UNION ALL
			SELECT (f.refunded_at AT TIME ZONE (SELECT z.time_zone FROM @.settings AS z))::date, f.refunded_at AT TIME ZONE (SELECT z.time_zone FROM @.settings AS z), o.channel, o.country, o.region, o.city, o.currency, NULL, 0, f.amount, -(f.amount - f.shipping - f.tax)
			FROM @.refunds AS f JOIN @.orders AS o USING (order_id)
			WHERE refund_date = 'refund' AND o.counts AND f.refunded_at >= from_at AND f.refunded_at < to_at) AS s
		GROUP BY 1, s.currency ORDER BY 1, s.currency;
	ELSE
		RAISE EXCEPTION USING errcode = 'invalid_parameter_value', message = format('cannot group sales by "%s"', by),
			hint = 'By day, week, month, weekday (1: Monday), hour, product, category, channel, country, region or city.';
	END IF;
END
$function$;
COMMENT ON FUNCTION @.sales(timestamptz, timestamptz, text, text)
	IS 'orders and revenue of a period by day, week, month, weekday (1: Monday), hour, product, category, channel, country, region or city, and currency; refunds are taken off where the order is, or with refund_date => ''refund'' where they were made';

CREATE OR REPLACE FUNCTION @.average_order_value(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (currency text, orders bigint, gross numeric(20,4), net numeric(20,4), average_order_value numeric(18,4), average_net_value numeric(18,4))
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT o.currency, pg_catalog.count(*), pg_catalog.sum(o.gross)::numeric(20,4), pg_catalog.sum(o.net)::numeric(20,4),
		pg_catalog.avg(o.gross)::numeric(18,4), pg_catalog.avg(o.net)::numeric(18,4)
	FROM @.valid_orders AS o WHERE o.ordered_at >= from_at AND o.ordered_at < to_at GROUP BY o.currency;
END;
COMMENT ON FUNCTION @.average_order_value(timestamptz, timestamptz) IS 'revenue / orders of a period, for each currency';

CREATE OR REPLACE VIEW @.average_order_value AS
SELECT pg_catalog.date_trunc('month', day::timestamp)::date AS month, channel, currency, pg_catalog.count(*) AS orders,
	pg_catalog.sum(gross)::numeric(20,4) AS gross, pg_catalog.sum(net)::numeric(20,4) AS net,
	pg_catalog.avg(gross)::numeric(18,4) AS average_order_value, pg_catalog.avg(net)::numeric(18,4) AS average_net_value
FROM @.valid_orders GROUP BY 1, channel, currency;

CREATE OR REPLACE FUNCTION @.purchase_frequency(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (orders bigint, customers bigint, purchase_frequency numeric(18,4))
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.count(*), pg_catalog.count(DISTINCT o.customer_id), (pg_catalog.count(*)::numeric / nullif(pg_catalog.count(DISTINCT o.customer_id), 0))::numeric(18,4)
	FROM @.valid_orders AS o WHERE o.customer_id IS NOT NULL AND o.ordered_at >= from_at AND o.ordered_at < to_at;
END;
COMMENT ON FUNCTION @.purchase_frequency(timestamptz, timestamptz) IS 'orders / customers who ordered in a period';

CREATE OR REPLACE VIEW @.purchase_frequency AS
SELECT pg_catalog.date_trunc('month', day::timestamp)::date AS month, pg_catalog.count(*) AS orders, pg_catalog.count(DISTINCT customer_id) AS customers,
	(pg_catalog.count(*)::numeric / pg_catalog.count(DISTINCT customer_id))::numeric(18,4) AS purchase_frequency
FROM @.valid_orders WHERE customer_id IS NOT NULL GROUP BY 1;

CREATE OR REPLACE FUNCTION @.repeat_rate(from_at timestamptz, to_at timestamptz, within interval DEFAULT NULL)
RETURNS TABLE (customers bigint, repeat_customers bigint, repeat_rate numeric(9,6))
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE c.again), (pg_catalog.count(*) FILTER (WHERE c.again)::numeric / nullif(pg_catalog.count(*), 0))::numeric(9,6)
	FROM (
		SELECT pg_catalog.min(o.ordered_at) AS first, pg_catalog.count(*) >= 2
			AND (within IS NULL OR (pg_catalog.array_agg(o.ordered_at ORDER BY o.ordered_at))[2] < (pg_catalog.min(o.ordered_at) AT TIME ZONE 'UTC' + within) AT TIME ZONE 'UTC') AS again
		FROM @.valid_orders AS o WHERE o.customer_id IS NOT NULL GROUP BY o.customer_id) AS c
	WHERE c.first >= from_at AND c.first < to_at;
END;
COMMENT ON FUNCTION @.repeat_rate(timestamptz, timestamptz, interval)
	IS 'of the customers whose first order lies in a period, the part that has ordered again (within that time of the first order, if one is given)';

CREATE OR REPLACE VIEW @.repeat_rate AS
SELECT customers, repeat_customers, repeat_rate::numeric(9,6) AS repeat_rate FROM @.repeat_rate('-infinity', 'infinity');

-- Orders and products

CREATE OR REPLACE VIEW @.order_tracking AS
SELECT order_id, customer_id, source_system, external_id, status, ordered_at, paid_at, shipped_at, promised_at, delivered_at, cancelled_at, refunded_at,
	carrier, tracking_number, country, region, city,
	(extract(epoch FROM shipped_at - ordered_at) / 86400)::numeric(12,2) AS days_to_ship,
	(extract(epoch FROM delivered_at - shipped_at) / 86400)::numeric(12,2) AS days_in_transit,
	(extract(epoch FROM delivered_at - ordered_at) / 86400)::numeric(12,2) AS days_to_deliver,
	CASE WHEN status NOT IN ('cancelled', 'refunded') OR delivered_at IS NOT NULL THEN coalesce(delivered_at, pg_catalog.now()) > promised_at END AS late
FROM @.orders WHERE NOT test;

CREATE OR REPLACE FUNCTION @.shipping_statistics(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (carrier text, country text, orders bigint, shipped bigint, delivered bigint, average_days_to_ship numeric(12,2), average_days_to_deliver numeric(12,2),
	promised bigint, late bigint, late_rate numeric(9,6))
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT t.carrier, t.country, pg_catalog.count(*), pg_catalog.count(t.shipped_at), pg_catalog.count(t.delivered_at),
		pg_catalog.avg(extract(epoch FROM t.shipped_at - t.ordered_at) / 86400)::numeric(12,2), pg_catalog.avg(extract(epoch FROM t.delivered_at - t.ordered_at) / 86400)::numeric(12,2),
		pg_catalog.count(t.late), pg_catalog.count(*) FILTER (WHERE t.late), (pg_catalog.count(*) FILTER (WHERE t.late)::numeric / nullif(pg_catalog.count(t.late), 0))::numeric(9,6)
	FROM @.order_tracking AS t
	WHERE t.ordered_at >= from_at AND t.ordered_at < to_at AND NOT @.is_cancelled(t.status, t.cancelled_at)
	GROUP BY t.carrier, t.country;
END;
COMMENT ON FUNCTION @.shipping_statistics(timestamptz, timestamptz) IS 'time to ship and to deliver and the part that was late, of the orders of a period, by carrier and country';

CREATE OR REPLACE FUNCTION @.product_sales(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (product_id bigint, sku text, name text, category text, currency text, orders bigint, buyers bigint, units bigint, revenue numeric(20,4), average_price numeric(18,4))
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT p.product_id, p.sku, p.name, p.category, s.currency, s.orders, s.buyers, s.units, s.revenue, (s.revenue / s.units)::numeric(18,4)
	FROM (
		SELECT i.product_id, o.currency, pg_catalog.count(DISTINCT o.order_id) AS orders, pg_catalog.count(DISTINCT o.customer_id) AS buyers,
			pg_catalog.sum(i.quantity)::bigint AS units, pg_catalog.sum(i.amount)::numeric(20,4) AS revenue
		FROM @.valid_orders AS o JOIN @.order_items AS i USING (order_id)
		WHERE o.ordered_at >= from_at AND o.ordered_at < to_at
		GROUP BY i.product_id, o.currency) AS s
	JOIN @.products AS p USING (product_id);
END;
COMMENT ON FUNCTION @.product_sales(timestamptz, timestamptz) IS 'what was sold of each product in a period, for each currency';

CREATE OR REPLACE VIEW @.product_sales AS
SELECT product_id, sku, name, category, currency, orders, buyers, units, revenue::numeric(20,4) AS revenue, average_price::numeric(18,4) AS average_price
FROM @.product_sales('-infinity', 'infinity');

CREATE OR REPLACE FUNCTION @.inventory(as_of timestamptz)
RETURNS TABLE (product_id bigint, sku text, name text, category text, on_hand bigint, reserved bigint, incoming bigint, available bigint, low boolean,
	units_sold bigint, units_sold_28_days bigint, days_of_cover numeric(12,1), sell_through numeric(9,6))
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT p.product_id, p.sku, p.name, p.category, s.on_hand, s.reserved, s.incoming, s.available, s.available <= p.low_stock,
		coalesce(u.units, 0), coalesce(u.lately, 0), (greatest(s.available, 0) / nullif(u.lately / 28.0, 0))::numeric(12,1),
		(coalesce(u.units, 0)::numeric / nullif(coalesce(u.units, 0) + greatest(s.on_hand, 0), 0))::numeric(9,6)
	FROM @.products AS p
	JOIN (
		SELECT k.product_id, pg_catalog.sum(k.on_hand) AS on_hand, pg_catalog.sum(k.reserved) AS reserved, pg_catalog.sum(k.incoming) AS incoming, pg_catalog.sum(k.available) AS available
		FROM @.stock AS k GROUP BY k.product_id) AS s USING (product_id)
	LEFT JOIN (
		SELECT i.product_id, pg_catalog.sum(i.quantity)::bigint AS units, pg_catalog.sum(i.quantity) FILTER (WHERE o.ordered_at >= as_of - interval '672 hours')::bigint AS lately
		FROM @.valid_orders AS o JOIN @.order_items AS i USING (order_id)
		WHERE o.ordered_at < as_of GROUP BY i.product_id) AS u USING (product_id);
END;
COMMENT ON FUNCTION @.inventory(timestamptz) IS 'stock of each product over all locations as it is, with the sales up to a time: how long it will last';

CREATE OR REPLACE VIEW @.inventory AS
SELECT product_id, sku, name, category, on_hand, reserved, incoming, available, low, units_sold, units_sold_28_days,
	days_of_cover::numeric(12,1) AS days_of_cover, sell_through::numeric(9,6) AS sell_through
FROM @.inventory(pg_catalog.now());

-- Visitors

-- Who came first in a period touched something in it: of the others nothing is
-- grouped.
CREATE OR REPLACE FUNCTION @.visitor_funnel(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (customer_id bigint, visitor_id text, attraction_at timestamptz, interest_at timestamptz, decision_at timestamptz, action_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT v.customer_id, v.visitor_id, v.attraction_at, least(v.interest_at, v.decision_at, o.action_at), least(v.decision_at, o.action_at), o.action_at
	FROM (
		SELECT t.customer_id, CASE WHEN t.customer_id IS NULL THEN t.visitor_id END AS visitor_id, pg_catalog.min(t.touched_at) AS attraction_at,
			pg_catalog.min(t.touched_at) FILTER (WHERE t.kind IN ('view', 'signup', 'login')) AS interest_at,
			pg_catalog.min(t.touched_at) FILTER (WHERE t.kind IN ('cart', 'checkout')) AS decision_at
		FROM @.customer_touches AS t
		WHERE visitor_funnel.from_at = '-infinity' AND visitor_funnel.to_at = 'infinity' OR coalesce(t.customer_id, pg_catalog.hashtextextended(t.visitor_id, 0)) IN (
			SELECT coalesce(p.customer_id, pg_catalog.hashtextextended(p.visitor_id, 0)) FROM @.all_touches AS p
			WHERE p.touched_at >= visitor_funnel.from_at AND p.touched_at < visitor_funnel.to_at)
		GROUP BY 1, 2) AS v
	LEFT JOIN @.orders_lifecycle AS l ON l.customer = v.customer_id
	LEFT JOIN (
		SELECT u.visitor_id, pg_catalog.array_agg(u.ordered_at) AS times FROM @.orders AS u
		WHERE u.counts AND u.customer_id IS NULL AND u.visitor_id IS NOT NULL GROUP BY u.visitor_id) AS g ON g.visitor_id = v.visitor_id
	-- most have ordered first after they came, which the summary tells
	CROSS JOIN LATERAL (
		SELECT CASE WHEN crm.first_order(l.purchases) >= v.attraction_at THEN crm.first_order(l.purchases)
			WHEN crm.last_order(l.purchases) >= v.attraction_at
			THEN (SELECT pg_catalog.min(o.ordered_at) FROM @.orders AS o WHERE o.counts AND o.customer_id = v.customer_id AND o.ordered_at >= v.attraction_at)
			WHEN g.times IS NOT NULL THEN (SELECT pg_catalog.min(a) FROM pg_catalog.unnest(g.times) AS a WHERE a >= v.attraction_at) END AS action_at
		OFFSET 0) AS o
	WHERE v.attraction_at >= visitor_funnel.from_at AND v.attraction_at < visitor_funnel.to_at;
END;
COMMENT ON FUNCTION @.visitor_funnel(timestamptz, timestamptz) IS 'who came first in a period, and when he reached each stage';

CREATE OR REPLACE VIEW @.visitor_funnel AS
SELECT customer_id, visitor_id, attraction_at, interest_at, decision_at, action_at FROM @.visitor_funnel('-infinity', 'infinity');

CREATE OR REPLACE FUNCTION @.funnel(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (place integer, stage text, visitors bigint, lost bigint, rate numeric(9,6), rate_of_all numeric(9,6), median_hours double precision)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH v AS MATERIALIZED (
		SELECT f.attraction_at, f.interest_at, f.decision_at, f.action_at FROM @.visitor_funnel(funnel.from_at, funnel.to_at) AS f),
	s AS (
		SELECT 1 AS place, 'attraction' AS stage, pg_catalog.count(*) AS visitors, NULL::double precision AS median_hours FROM v
		UNION ALL
		SELECT 2, 'interest', pg_catalog.count(interest_at),
			pg_catalog.percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM interest_at - attraction_at)::double precision / 3600) FROM v
		UNION ALL
		SELECT 3, 'decision', pg_catalog.count(decision_at),
			pg_catalog.percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM decision_at - interest_at)::double precision / 3600) FROM v
		UNION ALL
		SELECT 4, 'action', pg_catalog.count(action_at),
			pg_catalog.percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM action_at - decision_at)::double precision / 3600) FROM v)
	SELECT s.place, s.stage, s.visitors, pg_catalog.lag(s.visitors) OVER w - s.visitors, (s.visitors::numeric / nullif(pg_catalog.lag(s.visitors) OVER w, 0))::numeric(9,6),
		(s.visitors::numeric / nullif(pg_catalog.first_value(s.visitors) OVER w, 0))::numeric(9,6), s.median_hours
	FROM s WINDOW w AS (ORDER BY s.place);
END;
COMMENT ON FUNCTION @.funnel(timestamptz, timestamptz) IS 'how many of the visitors who came in a period have reached each stage, and how long it took';

CREATE OR REPLACE VIEW @.funnel AS
SELECT place, stage, visitors, lost, rate::numeric(9,6) AS rate, rate_of_all::numeric(9,6) AS rate_of_all, median_hours FROM @.funnel('-infinity', 'infinity');

-- Customers

-- Each part is a subquery of its own, by the customer: for one of them indexes
-- are all that is read, and there is no order of joins for the planner to find.
CREATE OR REPLACE VIEW @.customer_360 AS
SELECT c.customer_id, c.first_name, c.last_name, nullif(pg_catalog.concat_ws(' ', c.first_name, c.last_name), '') AS name, c.email::text AS email, c.phone::text AS phone,
	c.job_title, c.birth_date, c.gender, c.language, c.country, c.region, c.city, nullif(pg_catalog.array_to_string(c.tags, ', '), '') AS tags, c.attributes::text AS attributes,
	(SELECT a.name FROM @.accounts AS a WHERE a.account_id = c.account_id) AS account, c.created_via, c.source, c.created_at,
	o.orders > 0 AS is_customer, o.orders, o.first_order_at, o.last_order_at, o.open_orders, o.currency, o.gross, o.refunded, o.net, o.average_order_value, o.net_base,
	f.category AS favourite_category,
	t.touches, t.first_channel, t.last_touch_at,
	coalesce(n.email, false) AND 'email' <> ALL (x.channels) AS may_email,
	coalesce(n.sms, false) AND 'sms' <> ALL (x.channels) AS may_sms,
	coalesce(n.phone, false) AND 'phone' <> ALL (x.channels) AS may_phone,
	y.stage, y.phase, y.stage_since, y.stage_until, r.rfm, r.segment, v.p_alive, v.predicted, v.total, v.next_order_at, t.last_channel, c.team
FROM @.customers AS c
LEFT JOIN LATERAL (SELECT * FROM @.lifecycle AS l WHERE l.customer_id = c.customer_id OFFSET 0) AS y ON true
LEFT JOIN LATERAL (SELECT * FROM @.rfm AS l WHERE l.customer_id = c.customer_id OFFSET 0) AS r ON true
LEFT JOIN LATERAL (SELECT * FROM @.ltv AS l WHERE l.customer_id = c.customer_id OFFSET 0) AS v ON true
CROSS JOIN LATERAL (
	SELECT b.orders, b.first_order_at, b.last_order_at, b.open_orders, b.currency,
		CASE WHEN b.currency IS NOT NULL THEN b.gross END::numeric(20,4) AS gross,
		CASE WHEN b.currency IS NOT NULL THEN b.refunded END::numeric(20,4) AS refunded,
		CASE WHEN b.currency IS NOT NULL THEN b.gross - b.refunded END::numeric(20,4) AS net,
		CASE WHEN b.currency IS NOT NULL THEN b.gross / b.orders END::numeric(18,4) AS average_order_value,
		b.net_base::numeric(20,4) AS net_base
	FROM (
		SELECT pg_catalog.count(*) FILTER (WHERE p.counts) AS orders, pg_catalog.min(p.ordered_at) FILTER (WHERE p.counts) AS first_order_at,
			pg_catalog.max(p.ordered_at) FILTER (WHERE p.counts) AS last_order_at,
			pg_catalog.count(*) FILTER (WHERE NOT p.test AND p.status IN ('placed', 'paid', 'shipped')) AS open_orders,
			CASE WHEN pg_catalog.min(p.currency) FILTER (WHERE p.counts) = pg_catalog.max(p.currency) FILTER (WHERE p.counts)
				THEN pg_catalog.min(p.currency) FILTER (WHERE p.counts) END AS currency,
			pg_catalog.sum(p.amount) FILTER (WHERE p.counts) AS gross, pg_catalog.sum(p.refunded_amount) FILTER (WHERE p.counts) AS refunded,
			CASE WHEN pg_catalog.bool_and(p.net_base IS NOT NULL) FILTER (WHERE p.counts) IS NOT FALSE
				THEN coalesce(pg_catalog.sum(p.net_base) FILTER (WHERE p.counts), 0) END AS net_base
		FROM @.orders AS p WHERE p.customer_id = c.customer_id) AS b) AS o
LEFT JOIN LATERAL (
	SELECT p.category FROM @.orders AS b JOIN @.order_items AS i USING (order_id) JOIN @.products AS p USING (product_id)
	WHERE b.customer_id = c.customer_id AND b.counts AND p.category IS NOT NULL
	GROUP BY p.category ORDER BY pg_catalog.sum(i.quantity) DESC, p.category LIMIT 1) AS f ON true
CROSS JOIN LATERAL (
	SELECT pg_catalog.count(*) AS touches, pg_catalog.max(u.touched_at) AS last_touch_at, (pg_catalog.array_agg(u.channel ORDER BY u.touched_at, u.touch_id))[1] AS first_channel,
		(pg_catalog.array_agg(u.channel ORDER BY u.touched_at DESC, u.touch_id DESC))[1] AS last_channel
	FROM (
		SELECT touch_id, touched_at, channel FROM @.touches WHERE customer_id = c.customer_id
		UNION ALL
		SELECT w.touch_id, w.touched_at, w.channel FROM @.identities AS i JOIN @.touches AS w ON w.visitor_id = i.value
		WHERE i.customer_id = c.customer_id AND i.kind = 'cookie' AND w.customer_id IS NULL) AS u) AS t
CROSS JOIN LATERAL (
	SELECT pg_catalog.bool_or(l.granted) FILTER (WHERE l.channel = 'email') AS email, pg_catalog.bool_or(l.granted) FILTER (WHERE l.channel = 'sms') AS sms,
		pg_catalog.bool_or(l.granted) FILTER (WHERE l.channel = 'phone') AS phone
	FROM (SELECT DISTINCT ON (s.channel) s.channel, s.granted FROM @.consents AS s
		WHERE s.customer_id = c.customer_id AND s.purpose = 'marketing' AND s.at <= pg_catalog.now()
		ORDER BY s.channel, s.at DESC, s.consent_id DESC) AS l) AS n
CROSS JOIN LATERAL (
	SELECT ARRAY(
		SELECT s.channel FROM @.suppression_key AS k, LATERAL (VALUES ('email', c.email::text), ('sms', c.phone::text), ('phone', c.phone::text)) AS a(channel, address), @.suppressions AS s
		WHERE s.channel = a.channel AND s.hash = @.suppression_hash(k.key, a.channel, a.address)) AS channels OFFSET 0) AS x
WHERE c.merged_into IS NULL;

CREATE OR REPLACE FUNCTION @.customer_360(customer_id bigint) RETURNS SETOF @.customer_360
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
	id CONSTANT bigint := @.resolve(customer_360.customer_id);
BEGIN
	RETURN QUERY SELECT * FROM @.customer_360 AS c WHERE c.customer_id = id;
END
$function$;
COMMENT ON FUNCTION @.customer_360(bigint) IS 'a customer in a row, as the view has it, by a plan that the session keeps; of an id that was merged the one it resolves to';

-- What is most of a customer: of equal ones the first.  A mean of thirds may be
-- a little less in floating point.  Prices are compared in one currency; what
-- has none has no place among them.
CREATE OR REPLACE VIEW @.customer_preferences AS
SELECT o.customer_id, o.orders, i.category, o.channel, o.weekday, o.hour, CASE WHEN i.price_rank < 0.333333333 THEN 'low' WHEN i.price_rank < 0.666666666 THEN 'middle' WHEN i.price_rank >= 0 THEN 'high' END AS price_band
FROM (
	SELECT l.customer_id, pg_catalog.count(*) AS orders, pg_catalog.mode() WITHIN GROUP (ORDER BY l.channel) AS channel,
		pg_catalog.mode() WITHIN GROUP (ORDER BY extract(isodow FROM l.at)::integer) AS weekday, pg_catalog.mode() WITHIN GROUP (ORDER BY extract(hour FROM l.at)::integer) AS hour
	FROM (SELECT b.customer_id, b.channel, b.ordered_at AT TIME ZONE (SELECT time_zone FROM @.settings) AS at FROM @.orders AS b WHERE b.counts AND b.customer_id IS NOT NULL) AS l
	GROUP BY l.customer_id) AS o
LEFT JOIN (
	SELECT c.customer_id, (pg_catalog.array_agg(c.category ORDER BY c.units DESC, c.category))[1] AS category, pg_catalog.sum(c.ranks) / pg_catalog.sum(c.ranked) AS price_rank
	FROM (
		SELECT b.customer_id, p.category, pg_catalog.sum(i.quantity) AS units, pg_catalog.sum(i.quantity) FILTER (WHERE p.rank IS NOT NULL) AS ranked, pg_catalog.sum(i.quantity * p.rank) AS ranks
		FROM @.orders AS b JOIN @.order_items AS i USING (order_id)
		JOIN (SELECT product_id, category, CASE WHEN price IS NOT NULL THEN
				pg_catalog.percent_rank() OVER (PARTITION BY category, coalesce(currency, (SELECT base_currency FROM @.settings)), price IS NULL ORDER BY price) END AS rank
			FROM @.products WHERE category IS NOT NULL) AS p USING (product_id)
		WHERE b.counts AND b.customer_id IS NOT NULL GROUP BY b.customer_id, p.category) AS c
	GROUP BY c.customer_id) AS i ON i.customer_id = o.customer_id;

-- What a customer has ordered, one after the other.
CREATE OR REPLACE VIEW @.customer_orders AS
SELECT customer_id, order_id, ordered_at, channel, currency, units, gross, refunded, net, net_base, pg_catalog.row_number() OVER w AS number,
	CASE WHEN pg_catalog.row_number() OVER w = 1 THEN 'new' ELSE 'repeat' END AS new_or_repeat,
	(extract(epoch FROM ordered_at - pg_catalog.lag(ordered_at) OVER w) / 86400)::numeric(12,2) AS days_since_last,
	CASE WHEN pg_catalog.count(*) OVER w = pg_catalog.count(net_base) OVER w THEN pg_catalog.sum(net_base) OVER w END::numeric(20,4) AS net_base_so_far
FROM @.valid_orders WHERE customer_id IS NOT NULL
WINDOW w AS (PARTITION BY customer_id ORDER BY ordered_at, order_id ROWS UNBOUNDED PRECEDING);

CREATE OR REPLACE VIEW @.customer_timeline AS
SELECT o.customer_id, h.at, 'order' AS kind, h.status AS what, h.order_id, CASE WHEN h.status = 'placed' THEN o.amount END::numeric(18,4) AS amount, o.currency, o.channel
FROM @.orders AS o JOIN @.order_history AS h USING (order_id)
WHERE o.customer_id IS NOT NULL
UNION ALL
SELECT o.customer_id, r.refunded_at, 'refund', r.reason, r.order_id, (-r.amount)::numeric(18,4), o.currency, o.channel
FROM @.orders AS o JOIN @.refunds AS r USING (order_id)
WHERE o.customer_id IS NOT NULL
UNION ALL
SELECT customer_id, touched_at, 'touch', kind, NULL::bigint, NULL::numeric(18,4), NULL::text, channel
FROM @.touches WHERE customer_id IS NOT NULL
UNION ALL
SELECT i.customer_id, t.touched_at, 'touch', t.kind, NULL::bigint, NULL::numeric(18,4), NULL::text, t.channel
FROM @.identities AS i JOIN @.touches AS t ON t.visitor_id = i.value
WHERE i.kind = 'cookie' AND i.system = '' AND t.customer_id IS NULL
UNION ALL
SELECT customer_id, at, 'consent', channel || ' ' || purpose || CASE WHEN granted THEN ' granted' ELSE ' withdrawn' END, NULL::bigint, NULL::numeric(18,4), NULL::text, source
FROM @.consents
UNION ALL
SELECT keep, merged_at, 'merge', 'customer ' || absorb || coalesce(': ' || reason, ''), NULL::bigint, NULL::numeric(18,4), NULL::text, NULL::text
FROM @.merges WHERE undone_at IS NULL
UNION ALL
SELECT customer_id, created_at, 'customer', created_via, NULL::bigint, NULL::numeric(18,4), NULL::text, source
FROM @.customers WHERE merged_into IS NULL;

$ddl$;
COMMENT ON FUNCTION crm.store_views() IS 'DDL of a store: views';

