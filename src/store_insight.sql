/* store, ninth area: what marketing and management ask */
CREATE FUNCTION crm.store_insight() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN $ddl$

-- Nothing is earlier than the beginning: so the planner is told that all rows
-- are wanted, where a bound that it does not know would be few to it.
CREATE OR REPLACE FUNCTION @.earlier(at timestamptz, span interval) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN at = '-infinity' THEN at ELSE (at AT TIME ZONE 'UTC' - span) AT TIME ZONE 'UTC' END;
COMMENT ON FUNCTION @.earlier(timestamptz, interval) IS 'a time before another, whose days have 24 hours';

-- Channels.  Who is behind a touch is a customer, or a visitor who stays unknown.

-- The rule last_non_direct goes by names, a store by types: in a journey each
-- channel of type direct goes by a name that the rule passes over.
CREATE OR REPLACE FUNCTION @.journey_name(channel text, direct text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN channel = ANY (direct) THEN CASE channel WHEN 'direct' THEN channel ELSE 'direct' || pg_catalog.chr(31) || channel END
	WHEN channel = 'direct' THEN pg_catalog.chr(31) || channel ELSE channel END;
COMMENT ON FUNCTION @.journey_name(text, text[]) IS 'the name by which a channel goes in a journey, where these are the channels of type direct: crm''s rules know it by that';

CREATE OR REPLACE FUNCTION @.journey_channel(name text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN pg_catalog.substr(name, pg_catalog.strpos(name, pg_catalog.chr(31)) + 1);
COMMENT ON FUNCTION @.journey_channel(text) IS 'the channel that goes by that name in a journey';

-- Where campaigns are told apart, one goes by the name of its channel and its
-- own: touches of one moment are in the order of names, here as there.  (What is
-- passed as direct is a query, and a function that names it twice is not inlined.)
CREATE OR REPLACE FUNCTION @.campaign_name(channel text, campaign text, direct text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(nullif(@.journey_name(channel, direct), 'direct'), 'direct' || pg_catalog.chr(31)) || pg_catalog.chr(31) || coalesce(campaign, '');
COMMENT ON FUNCTION @.campaign_name(text, text, text[]) IS 'the name by which a channel''s campaign goes in a journey, where these are the channels of type direct';

-- All that is asked of the touches and orders of a period, in one pass over
-- both.  What the rules, the models or the visitors take is left out if it is
-- not wanted.  known: of all orders what they are worth in the base currency.
CREATE OR REPLACE FUNCTION @.channel_analysis(campaigns boolean, from_at timestamptz, to_at timestamptz, rules boolean, models boolean, visitors boolean)
RETURNS TABLE (orders crm.attribution, new_customers crm.attribution, paths crm.path_count[], visits crm.channel_visitors[], known boolean)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
	SELECT (a.a).orders, (a.a).new_customers, (a.a).paths, (a.a).visits,
		NOT EXISTS (SELECT FROM @.orders AS u WHERE u.counts AND u.net_base IS NULL AND u.ordered_at >= channel_analysis.from_at AND u.ordered_at < channel_analysis.to_at)
	FROM (
		SELECT crm.channel_analysis(e.customer_id, e.visitor_id, e.channel, e.at, e.value, e.is_new, s.lookback, s.half_life, s.as_of, s.visits_from) AS a
		FROM (
			SELECT t.lookback, CASE WHEN rules THEN t.half_life END AS half_life, CASE WHEN models THEN least(to_at, pg_catalog.now()) END AS as_of,
				CASE WHEN visitors THEN from_at END AS visits_from
			FROM @.settings AS t OFFSET 0) AS s
		CROSS JOIN (
			SELECT t.customer_id, t.visitor_id, CASE WHEN campaigns THEN @.campaign_name(t.channel, t.campaign, (SELECT pg_catalog.array_agg(k.channel) FROM @.channels AS k WHERE k.type = 'direct'))
					ELSE @.journey_name(t.channel, (SELECT pg_catalog.array_agg(k.channel) FROM @.channels AS k WHERE k.type = 'direct')) END AS channel,
				t.touched_at AS at, NULL::numeric AS value, false AS is_new
			FROM @.all_touches AS t
			WHERE t.touched_at >= @.earlier(channel_analysis.from_at, (SELECT l.lookback FROM @.settings AS l)) AND t.touched_at < channel_analysis.to_at
			UNION ALL
			SELECT o.customer_id, o.visitor_id, NULL, o.ordered_at, coalesce(o.net_base, 0),
				CASE WHEN o.ordered_at = crm.first_order(l.purchases) THEN NOT EXISTS (SELECT FROM @.orders AS e
					WHERE e.customer_id = o.customer_id AND e.ordered_at = o.ordered_at AND e.counts AND e.order_id < o.order_id) END
			FROM @.orders AS o LEFT JOIN @.orders_lifecycle AS l ON l.customer = o.customer_id
			WHERE o.counts AND o.ordered_at >= channel_analysis.from_at AND o.ordered_at < channel_analysis.to_at) AS e
		OFFSET 0) AS a;
END;
COMMENT ON FUNCTION @.channel_analysis(boolean, timestamptz, timestamptz, boolean, boolean, boolean)
	IS 'part of what is told of channels and campaigns: what the touches before the orders of a period have won, the paths, and the visitors, by the names that go in journeys';

CREATE OR REPLACE FUNCTION @.attribution(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (orders crm.attribution, new_customers crm.attribution)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT a.orders, a.new_customers FROM @.channel_analysis(false, attribution.from_at, attribution.to_at, true, false, false) AS a;
END;
COMMENT ON FUNCTION @.attribution(timestamptz, timestamptz) IS 'what the touches before the orders of a period have won, and those before first orders: values for crm.channels(), whose channels journey_channel() names';

CREATE OR REPLACE FUNCTION @.paths(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (path text[], conversions integer, value numeric, nulls integer, new_customers integer)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ARRAY(SELECT @.journey_channel(u.name) FROM pg_catalog.unnest(p.path) WITH ORDINALITY AS u(name, place) ORDER BY u.place), p.conversions::integer, CASE WHEN a.known THEN greatest(p.value, 0) END, p.nulls::integer, p.new_customers::integer
	FROM @.channel_analysis(false, paths.from_at, paths.to_at, false, true, false) AS a CROSS JOIN LATERAL pg_catalog.unnest(a.paths) AS p;
END;
COMMENT ON FUNCTION @.paths(timestamptz, timestamptz) IS 'the paths of channels to the orders of a period, and of the visits that came to none, each with how many went it: what crm.markov_model() and crm.shapley() take';

CREATE OR REPLACE FUNCTION @.attributed(orders crm.attribution, new_customers crm.attribution, paths crm.path_count[], known boolean)
RETURNS TABLE (name text, model text, orders numeric(18,4), revenue numeric(20,4), new_customers numeric(18,4))
LANGUAGE sql STABLE PARALLEL SAFE ROWS 80
BEGIN ATOMIC
	-- The models refuse a path of less than nothing, as an order that is all
	-- discount can make it: to them it is worth nothing, and what it lacks is
	-- taken from its channels alike, so that all revenue is told.
	WITH p AS MATERIALIZED (SELECT u.path, u.conversions, greatest(u.value, 0) AS value, greatest(-u.value, 0) AS lack, u.nulls, u.new_customers FROM pg_catalog.unnest(attributed.paths) AS u)
	SELECT w.name, w.model, pg_catalog.sum(w.orders)::numeric(18,4), CASE WHEN attributed.known THEN pg_catalog.sum(w.revenue) END::numeric(20,4), coalesce(pg_catalog.sum(w.new_customers), 0)::numeric(18,4)
	FROM (
		SELECT o.channel AS name, o.model, o.conversions AS orders, o.value AS revenue, n.conversions AS new_customers
		FROM crm.channels(attributed.orders) AS o
		LEFT JOIN crm.channels(attributed.new_customers) AS n ON n.channel = o.channel AND n.model = o.model
		UNION ALL
		SELECT o.channel, 'markov', o.conversions, o.value, n.conversions
		FROM (SELECT crm.markov_model(p.path, p.conversions, p.value, p.nulls, s.markov_order) AS orders,
				crm.markov_model(p.path, p.new_customers, 0, p.nulls, s.markov_order) FILTER (WHERE p.new_customers + p.nulls > 0) AS new_customers
			FROM @.settings AS s, p) AS a
		CROSS JOIN LATERAL crm.channels(a.orders) AS o
		LEFT JOIN LATERAL crm.channels(a.new_customers) AS n ON n.channel = o.channel
		UNION ALL
		SELECT o.channel, 'shapley', o.conversions, o.value, n.conversions
		FROM (SELECT crm.shapley(p.path, p.conversions, p.value, p.nulls) AS orders, crm.shapley(p.path, p.new_customers, 0, 0) FILTER (WHERE p.new_customers > 0) AS new_customers
			FROM p) AS a
		CROSS JOIN LATERAL crm.channels(a.orders) AS o
		LEFT JOIN LATERAL crm.channels(a.new_customers) AS n ON n.channel = o.channel
		UNION ALL
		SELECT o.channel, m.model, 0, -o.value, 0
		FROM (SELECT crm.shapley(p.path, 1, p.lack, 0) FILTER (WHERE p.lack > 0) AS lack FROM p) AS a
		CROSS JOIN LATERAL crm.channels(a.lack) AS o CROSS JOIN (VALUES ('markov'), ('shapley')) AS m(model)) AS w
	GROUP BY w.name, w.model;
END;
COMMENT ON FUNCTION @.attributed(crm.attribution, crm.attribution, crm.path_count[], boolean)
	IS 'part of what is told of channels and campaigns: orders, revenue and new customers by what won them, as it goes in journeys, for the rules, the models, or both';

CREATE OR REPLACE FUNCTION @.channel_attribution(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (channel text, model text, orders numeric(18,4), revenue numeric(20,4), new_customers numeric(18,4))
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @.journey_channel(a.name), a.model, a.orders, a.revenue, a.new_customers
	FROM @.channel_analysis(false, channel_attribution.from_at, channel_attribution.to_at, true, true, false) AS n
	CROSS JOIN LATERAL @.attributed(n.orders, n.new_customers, n.paths, n.known) AS a;
END;
COMMENT ON FUNCTION @.channel_attribution(timestamptz, timestamptz) IS 'orders, revenue and new customers of a period by the channel that won them, for each model of attribution';

CREATE OR REPLACE VIEW @.channel_attribution AS
SELECT channel, model, orders::numeric(18,4) AS orders, revenue::numeric(20,4) AS revenue, new_customers::numeric(18,4) AS new_customers
FROM @.channel_attribution('-infinity', 'infinity');

ALTER TABLE @.settings ADD COLUMN IF NOT EXISTS credit_method text NOT NULL DEFAULT 'tiers'
	CONSTRAINT settings_credit_method_check CHECK (credit_method IN ('tiers', 'linear'));
CREATE TABLE IF NOT EXISTS @.credit_tiers (
	revenue_share numeric(9,6) NOT NULL CHECK (revenue_share BETWEEN 0 AND 1),
	conversion_rate numeric(9,6) NOT NULL CHECK (conversion_rate BETWEEN 0 AND 1),
	credit numeric(9,6) NOT NULL CHECK (credit BETWEEN 0 AND 1),
	PRIMARY KEY (revenue_share, conversion_rate)
);
INSERT INTO @.credit_tiers (revenue_share, conversion_rate, credit)
SELECT t.revenue_share, t.conversion_rate, t.credit FROM crm.channel_tiers() AS t WHERE NOT EXISTS (SELECT FROM @.credit_tiers);

-- Where refunds are more than sales there is no share of the revenue, and no credit by it.
CREATE OR REPLACE FUNCTION @.credit(revenue_share numeric, conversion_rate numeric) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN credit.revenue_share NOT BETWEEN 0 AND 1 OR credit.conversion_rate NOT BETWEEN 0 AND 1 THEN NULL
		WHEN (SELECT s.credit_method FROM @.settings AS s) = 'linear' THEN crm.channel_credit_linear(credit.revenue_share, credit.conversion_rate)
		ELSE crm.channel_credit(credit.revenue_share, credit.conversion_rate,
			coalesce((SELECT pg_catalog.array_agg(ARRAY[t.revenue_share, t.conversion_rate, t.credit]) FROM @.credit_tiers AS t), '{}'::numeric[])) END;
END;
COMMENT ON FUNCTION @.credit(numeric, numeric) IS 'the credit of a channel by its share of the revenue and its conversion rate, by the store''s rule';

CREATE OR REPLACE FUNCTION @.channel_performance(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (channel text, type text, visitors bigint, converted bigint, conversion_rate numeric(9,6), orders bigint, revenue numeric(20,4), revenue_share numeric(9,6),
	credit numeric(9,6), attributed_orders numeric(18,4), attributed_revenue numeric(20,4), attributed_new_customers numeric(18,4),
	spend numeric(20,4), cac numeric(18,4), roas numeric(18,4))
-- not a part of the query that asks for each month: the planner would think it
-- worth seconds of compilation, for a shop without a single order
LANGUAGE sql STABLE PARALLEL SAFE ROWS 20 SET jit = off
BEGIN ATOMIC
	WITH analysis AS MATERIALIZED (
		SELECT a.orders, a.new_customers, a.paths, a.visits, a.known, s.attribution_model
		FROM @.settings AS s CROSS JOIN LATERAL @.channel_analysis(false, channel_performance.from_at, channel_performance.to_at,
			s.attribution_model NOT IN ('markov', 'shapley'), s.attribution_model IN ('markov', 'shapley'), true) AS a),
	visited AS (
		SELECT @.journey_channel(v.channel) AS channel, v.visitors, v.converted
		FROM analysis AS n CROSS JOIN LATERAL pg_catalog.unnest(n.visits) AS v),
	sold AS (
		SELECT o.channel, pg_catalog.count(*) AS orders, CASE WHEN pg_catalog.count(*) = pg_catalog.count(o.net_base) THEN pg_catalog.sum(o.net_base) END AS revenue
		FROM @.orders AS o WHERE o.counts AND o.ordered_at >= from_at AND o.ordered_at < to_at GROUP BY o.channel),
	total AS (SELECT CASE WHEN pg_catalog.count(*) = pg_catalog.count(revenue) THEN pg_catalog.sum(revenue) END AS revenue FROM sold),
	spent AS (
		SELECT m.channel, CASE WHEN pg_catalog.count(*) = pg_catalog.count(m.amount) THEN pg_catalog.sum(m.amount) END AS spend
		-- to_base(), at less cost
		FROM (SELECT p.channel, pg_catalog.round(p.amount * CASE WHEN p.currency = s.base_currency THEN 1 ELSE (
					SELECT r.rate FROM @.rates AS r WHERE r.currency = p.currency AND r.day <= p.day ORDER BY r.day DESC LIMIT 1) END, c.decimals) AS amount
			FROM @.spend AS p, @.settings AS s JOIN @.currencies AS c ON c.currency = s.base_currency
			WHERE p.day::timestamp AT TIME ZONE s.time_zone >= from_at AND p.day::timestamp AT TIME ZONE s.time_zone < to_at) AS m
		GROUP BY m.channel),
	won AS MATERIALIZED (
		SELECT @.journey_channel(a.name) AS channel, a.orders, a.revenue, a.new_customers
		FROM analysis AS n CROSS JOIN LATERAL @.attributed(n.orders, n.new_customers, n.paths, n.known) AS a
		WHERE a.model = n.attribution_model),
	figures AS (
		SELECT c.channel, c.type, coalesce(v.visitors, 0) AS visitors, coalesce(v.converted, 0) AS converted, v.converted::numeric / v.visitors AS rate,
			coalesce(s.orders, 0) AS orders, CASE WHEN s.channel IS NULL THEN 0 ELSE s.revenue END AS revenue,
			CASE WHEN s.channel IS NULL THEN 0 ELSE s.revenue END / nullif(total.revenue, 0) AS share,
			coalesce(w.orders, 0) AS attributed_orders, CASE WHEN w.orders > 0 THEN w.revenue ELSE coalesce(w.revenue, 0) END AS attributed_revenue,
			coalesce(w.new_customers, 0) AS attributed_new_customers, m.spend
		FROM (SELECT k.channel, k.type FROM @.channels AS k UNION ALL SELECT n.channel, NULL FROM won AS n WHERE n.channel = '(none)') AS c
		CROSS JOIN total
		LEFT JOIN visited AS v ON v.channel = c.channel
		LEFT JOIN sold AS s ON s.channel = c.channel
		LEFT JOIN won AS w ON w.channel = c.channel
		LEFT JOIN spent AS m ON m.channel = c.channel)
	SELECT f.channel, f.type, f.visitors, f.converted, f.rate::numeric(9,6), f.orders, f.revenue::numeric(20,4), f.share::numeric(9,6),
		@.credit(f.share, f.rate)::numeric(9,6), f.attributed_orders::numeric(18,4), f.attributed_revenue::numeric(20,4), f.attributed_new_customers::numeric(18,4),
		f.spend::numeric(20,4), (f.spend / nullif(f.attributed_new_customers, 0))::numeric(18,4), (f.attributed_revenue / nullif(f.spend, 0))::numeric(18,4)
	FROM figures AS f;
END;
COMMENT ON FUNCTION @.channel_performance(timestamptz, timestamptz) IS 'visitors, revenue, credit and cost of each channel in a period, in the base currency';

CREATE OR REPLACE VIEW @.channel_performance AS
SELECT channel, type, visitors, converted, conversion_rate::numeric(9,6) AS conversion_rate, orders, revenue::numeric(20,4) AS revenue,
	revenue_share::numeric(9,6) AS revenue_share, credit::numeric(9,6) AS credit, attributed_orders::numeric(18,4) AS attributed_orders,
	attributed_revenue::numeric(20,4) AS attributed_revenue, attributed_new_customers::numeric(18,4) AS attributed_new_customers,
	spend::numeric(20,4) AS spend, cac::numeric(18,4) AS cac, roas::numeric(18,4) AS roas
FROM @.channel_performance('-infinity', 'infinity');

CREATE OR REPLACE VIEW @.channel_months AS
SELECT m.month::date AS month, p.channel, p.type, p.visitors, p.converted, p.conversion_rate::numeric(9,6) AS conversion_rate, p.orders, p.revenue::numeric(20,4) AS revenue,
	p.revenue_share::numeric(9,6) AS revenue_share, p.credit::numeric(9,6) AS credit, p.attributed_orders::numeric(18,4) AS attributed_orders,
	p.attributed_revenue::numeric(20,4) AS attributed_revenue, p.attributed_new_customers::numeric(18,4) AS attributed_new_customers,
	p.spend::numeric(20,4) AS spend, p.cac::numeric(18,4) AS cac, p.roas::numeric(18,4) AS roas
FROM @.settings AS s
CROSS JOIN LATERAL (
	-- where there is something: one wrong year would be thousands of months
	SELECT DISTINCT pg_catalog.date_trunc('month', d.day) AS month
	FROM (SELECT o.day::timestamp AS day FROM @.orders AS o WHERE o.counts
		UNION ALL SELECT t.touched_at AT TIME ZONE s.time_zone FROM @.touches AS t UNION ALL SELECT p.day::timestamp FROM @.spend AS p) AS d
	WHERE d.day <= pg_catalog.now() AT TIME ZONE s.time_zone) AS m
CROSS JOIN LATERAL @.channel_performance(m.month AT TIME ZONE s.time_zone, (m.month + interval '1 month') AT TIME ZONE s.time_zone) AS p
WHERE p.visitors > 0 OR p.orders > 0 OR p.attributed_orders > 0 OR p.spend > 0
	-- what was spent is not known
	OR p.spend IS NULL AND EXISTS (SELECT FROM @.spend AS e WHERE e.channel = p.channel AND e.day >= m.month AND e.day < m.month + interval '1 month');

-- Campaigns: the same of each channel's campaigns.
CREATE OR REPLACE FUNCTION @.journey_campaign(name text, OUT channel text, OUT campaign text)
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE p.first WHEN 'direct' THEN coalesce(nullif(p.second, ''), 'direct') WHEN '' THEN p.second ELSE p.first END,
		pg_catalog.substr(name, pg_catalog.length(p.first) + CASE WHEN p.first IN ('direct', '') THEN pg_catalog.length(p.second) + 3 ELSE 2 END)
	FROM (SELECT pg_catalog.split_part(name, pg_catalog.chr(31), 1) AS first, pg_catalog.split_part(name, pg_catalog.chr(31), 2) AS second) AS p;
END;
COMMENT ON FUNCTION @.journey_campaign(text) IS 'the channel and the campaign that go by that name in a journey';

CREATE OR REPLACE FUNCTION @.campaign_attribution(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (channel text, campaign text, model text, orders numeric(18,4), revenue numeric(20,4), new_customers numeric(18,4))
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT n.channel, n.campaign, a.model, a.orders, a.revenue, a.new_customers
	FROM @.channel_analysis(true, campaign_attribution.from_at, campaign_attribution.to_at, true, true, false) AS y
	CROSS JOIN LATERAL @.attributed(y.orders, y.new_customers, y.paths, y.known) AS a CROSS JOIN LATERAL @.journey_campaign(a.name) AS n;
END;
COMMENT ON FUNCTION @.campaign_attribution(timestamptz, timestamptz) IS 'orders, revenue and new customers of a period by the channel and campaign that won them, for each model of attribution';

CREATE OR REPLACE VIEW @.campaign_attribution AS
SELECT channel, campaign, model, orders::numeric(18,4) AS orders, revenue::numeric(20,4) AS revenue, new_customers::numeric(18,4) AS new_customers
FROM @.campaign_attribution('-infinity', 'infinity');

CREATE OR REPLACE FUNCTION @.campaign_performance(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (channel text, campaign text, visitors bigint, converted bigint, conversion_rate numeric(9,6), attributed_orders numeric(18,4), attributed_revenue numeric(20,4),
	attributed_new_customers numeric(18,4), spend numeric(20,4), cac numeric(18,4), roas numeric(18,4), roi numeric(18,4))
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH analysis AS MATERIALIZED (
		SELECT a.orders, a.new_customers, a.paths, a.visits, a.known, s.attribution_model
		FROM @.settings AS s CROSS JOIN LATERAL @.channel_analysis(true, campaign_performance.from_at, campaign_performance.to_at,
			s.attribution_model NOT IN ('markov', 'shapley'), s.attribution_model IN ('markov', 'shapley'), true) AS a),
	visited AS (
		SELECT n.channel, n.campaign, v.visitors, v.converted
		FROM analysis AS y CROSS JOIN LATERAL pg_catalog.unnest(y.visits) AS v CROSS JOIN LATERAL @.journey_campaign(v.channel) AS n),
	spent AS (
		SELECT p.channel, p.campaign, CASE WHEN pg_catalog.count(*) = pg_catalog.count(b.amount) THEN pg_catalog.sum(b.amount) END AS spend, pg_catalog.count(*) AS days
		FROM @.settings AS s, @.spend AS p, LATERAL (SELECT @.to_base(p.amount, p.currency, p.day) AS amount OFFSET 0) AS b
		WHERE p.day::timestamp AT TIME ZONE s.time_zone >= from_at AND p.day::timestamp AT TIME ZONE s.time_zone < to_at
		GROUP BY p.channel, p.campaign),
	won AS (
		SELECT n.channel, n.campaign, a.orders, a.revenue, a.new_customers
		FROM analysis AS y CROSS JOIN LATERAL @.attributed(y.orders, y.new_customers, y.paths, y.known) AS a CROSS JOIN LATERAL @.journey_campaign(a.name) AS n
		WHERE a.model = y.attribution_model),
	figures AS (
		SELECT channel, campaign, coalesce(v.visitors, 0) AS visitors, coalesce(v.converted, 0) AS converted, v.converted::numeric / v.visitors AS rate,
			coalesce(w.orders, 0) AS orders, CASE WHEN w.orders > 0 THEN w.revenue ELSE coalesce(w.revenue, 0) END AS revenue, coalesce(w.new_customers, 0) AS new_customers, m.spend, m.days
		FROM visited AS v FULL JOIN won AS w USING (channel, campaign) FULL JOIN spent AS m USING (channel, campaign))
	SELECT f.channel, f.campaign, f.visitors, f.converted, f.rate::numeric(9,6), f.orders::numeric(18,4), f.revenue::numeric(20,4), f.new_customers::numeric(18,4), f.spend::numeric(20,4),
		(f.spend / nullif(f.new_customers, 0))::numeric(18,4), (f.revenue / nullif(f.spend, 0))::numeric(18,4), ((f.revenue * s.margin - f.spend) / nullif(f.spend, 0))::numeric(18,4)
	FROM figures AS f, @.settings AS s WHERE f.visitors > 0 OR f.orders > 0 OR f.days > 0;
END;
COMMENT ON FUNCTION @.campaign_performance(timestamptz, timestamptz) IS 'what campaigns cost and brought in a period: visitors, orders won, cost of a new customer, return on what was spent; in the base currency';

CREATE OR REPLACE VIEW @.campaign_performance AS
SELECT channel, campaign, visitors, converted, conversion_rate::numeric(9,6) AS conversion_rate, attributed_orders::numeric(18,4) AS attributed_orders,
	attributed_revenue::numeric(20,4) AS attributed_revenue, attributed_new_customers::numeric(18,4) AS attributed_new_customers, spend::numeric(20,4) AS spend,
	cac::numeric(18,4) AS cac, roas::numeric(18,4) AS roas, roi::numeric(18,4) AS roi
FROM @.campaign_performance('-infinity', 'infinity');

-- Credit is kept by period, from the orders or from market research.
CREATE TABLE IF NOT EXISTS @.channel_credits (
	channel text NOT NULL REFERENCES @.channels,
	from_at timestamptz NOT NULL,
	to_at timestamptz NOT NULL,
	source text NOT NULL DEFAULT 'research' CHECK (source IN ('orders', 'research')),
	revenue_share numeric(9,6) CHECK (revenue_share BETWEEN 0 AND 1),
	conversion_rate numeric(9,6) CHECK (conversion_rate BETWEEN 0 AND 1),
	credit numeric(9,6) CHECK (credit >= 0 AND credit < 'Infinity'),
	recorded_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	PRIMARY KEY (channel, from_at, to_at, source),
	CHECK (from_at < to_at)
);

CREATE OR REPLACE FUNCTION @.record_channel_credit(from_at timestamptz, to_at timestamptz) RETURNS bigint
LANGUAGE sql
BEGIN ATOMIC
	WITH written AS (
		INSERT INTO @.channel_credits AS c (channel, from_at, to_at, source, revenue_share, conversion_rate, credit)
		SELECT p.channel, record_channel_credit.from_at, record_channel_credit.to_at, 'orders',
			CASE WHEN p.revenue_share BETWEEN 0 AND 1 THEN p.revenue_share END, CASE WHEN p.conversion_rate BETWEEN 0 AND 1 THEN p.conversion_rate END, p.credit
		FROM @.channel_performance(record_channel_credit.from_at, record_channel_credit.to_at) AS p WHERE p.channel <> '(none)'
		ON CONFLICT (channel, from_at, to_at, source) DO UPDATE
			SET revenue_share = excluded.revenue_share, conversion_rate = excluded.conversion_rate, credit = excluded.credit, recorded_at = pg_catalog.now()
		RETURNING c.channel)
	SELECT pg_catalog.count(*) FROM written;
END;
COMMENT ON FUNCTION @.record_channel_credit(timestamptz, timestamptz) IS 'writes the credit of each channel in a period into channel_credits; number of channels';
REVOKE EXECUTE ON FUNCTION @.record_channel_credit(timestamptz, timestamptz) FROM PUBLIC;

CREATE OR REPLACE VIEW @.channel_credit AS
SELECT channel, from_at, to_at, source, revenue_share, conversion_rate, credit::numeric(9,6) AS credit,
	(credit - pg_catalog.lag(credit) OVER (PARTITION BY channel, source ORDER BY from_at, to_at))::numeric(9,6) AS change, recorded_at
FROM (SELECT channel, from_at, to_at, source, revenue_share, conversion_rate, recorded_at,
		coalesce(credit, @.credit(revenue_share, conversion_rate)) AS credit FROM @.channel_credits) AS c;

CREATE OR REPLACE FUNCTION @.conversion_rate(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (visitors bigint, new_customers bigint, conversion_rate numeric(9,6))
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE f.first_at >= from_at AND f.first_at < to_at),
		(pg_catalog.count(*) FILTER (WHERE f.first_at >= from_at AND f.first_at < to_at)::numeric / nullif(pg_catalog.count(*), 0))::numeric(9,6)
	FROM (
		SELECT coalesce(crm.first_order(l.purchases), g.first_at) AS first_at
		FROM (SELECT DISTINCT t.customer_id, CASE WHEN t.customer_id IS NULL THEN t.visitor_id END AS visitor_id
			FROM @.all_touches AS t WHERE t.touched_at >= conversion_rate.from_at AND t.touched_at < conversion_rate.to_at) AS p
		LEFT JOIN @.orders_lifecycle AS l ON l.customer = p.customer_id
		LEFT JOIN (SELECT o.visitor_id, pg_catalog.min(o.ordered_at) AS first_at FROM @.orders AS o
			WHERE o.counts AND o.customer_id IS NULL AND o.visitor_id IS NOT NULL GROUP BY o.visitor_id) AS g ON g.visitor_id = p.visitor_id) AS f;
END;
COMMENT ON FUNCTION @.conversion_rate(timestamptz, timestamptz) IS 'of the visitors of a period, the part whose first order lies in it';

CREATE OR REPLACE VIEW @.conversion_rate AS
SELECT p.month, pg_catalog.count(*) AS visitors, pg_catalog.count(*) FILTER (WHERE f.month = p.month) AS new_customers,
	(pg_catalog.count(*) FILTER (WHERE f.month = p.month)::numeric / pg_catalog.count(*))::numeric(9,6) AS conversion_rate
FROM (SELECT time_zone FROM @.settings) AS s
CROSS JOIN LATERAL (
	SELECT DISTINCT pg_catalog.date_trunc('month', t.touched_at AT TIME ZONE s.time_zone)::date AS month, t.customer_id,
		CASE WHEN t.customer_id IS NULL THEN t.visitor_id END AS visitor_id FROM @.all_touches AS t) AS p
LEFT JOIN @.orders_lifecycle AS l ON l.customer = p.customer_id
LEFT JOIN (SELECT o.visitor_id, pg_catalog.min(o.ordered_at) AS first_at FROM @.orders AS o
	WHERE o.counts AND o.customer_id IS NULL AND o.visitor_id IS NOT NULL GROUP BY o.visitor_id) AS g ON g.visitor_id = p.visitor_id
CROSS JOIN LATERAL (SELECT pg_catalog.date_trunc('month', coalesce(crm.first_order(l.purchases), g.first_at) AT TIME ZONE s.time_zone)::date AS month) AS f
GROUP BY p.month;

-- Sessions: what one person does on the site without a long pause.  Mail that is
-- opened is no visit.  A session begins in the period, and is told by what
-- happened before its end.
CREATE OR REPLACE FUNCTION @.sessions(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (customer_id bigint, visitor_id text, started_at timestamptz, ended_at timestamptz, touches bigint, channel text, landing text, product_id bigint, ordered_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH e AS (
		SELECT t.customer_id, CASE WHEN t.customer_id IS NULL THEN t.visitor_id END AS visitor_id, t.touched_at AS at, t.touch_id, t.channel, t.kind, t.product_id
		FROM @.customer_touches AS t
		WHERE t.touched_at >= @.earlier(sessions.from_at, (SELECT l.session_timeout FROM @.settings AS l)) AND t.touched_at < sessions.to_at AND t.kind NOT IN ('email_opened', 'email_clicked')
		UNION ALL
		SELECT o.customer_id, CASE WHEN o.customer_id IS NULL THEN o.visitor_id END, o.ordered_at, NULL, NULL, NULL, NULL
		FROM @.orders AS o
		WHERE o.counts AND (o.customer_id IS NOT NULL OR o.visitor_id IS NOT NULL)
			AND o.ordered_at >= @.earlier(from_at, (SELECT l.session_timeout FROM @.settings AS l)) AND o.ordered_at < to_at),
	-- by a number first: cookies are slow to sort
	n AS (
		SELECT e.*, crm.session(e.at, e.touch_id IS NULL, (SELECT l.session_timeout FROM @.settings AS l)) OVER w AS session FROM e
		WINDOW w AS (PARTITION BY coalesce(e.customer_id, pg_catalog.hashtextextended(e.visitor_id, 0)), e.customer_id, e.visitor_id ORDER BY e.at, e.touch_id))
	SELECT n.customer_id, n.visitor_id, n.at, (n.session).ended_at, (n.session).touches, n.channel, n.kind, n.product_id, (n.session).ordered_at
	FROM n WHERE n.session IS DISTINCT FROM NULL AND n.at >= from_at;
END;
COMMENT ON FUNCTION @.sessions(timestamptz, timestamptz) IS 'visits of a period: touches of one person with no long pause between them, where they began and whether they led to an order';

CREATE OR REPLACE VIEW @.sessions AS
SELECT customer_id, visitor_id, started_at, ended_at, touches, channel, landing, product_id, ordered_at FROM @.sessions('-infinity', 'infinity');

CREATE OR REPLACE FUNCTION @.bounce_rate(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (channel text, landing text, category text, sessions bigint, bounces bigint, bounce_rate numeric(9,6), converted_sessions bigint, session_conversion_rate numeric(9,6))
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT n.channel, n.landing, p.category, pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE n.touches = 1 AND n.ordered_at IS NULL),
		(pg_catalog.count(*) FILTER (WHERE n.touches = 1 AND n.ordered_at IS NULL)::numeric / pg_catalog.count(*))::numeric(9,6),
		pg_catalog.count(n.ordered_at), (pg_catalog.count(n.ordered_at)::numeric / pg_catalog.count(*))::numeric(9,6)
	FROM @.sessions(bounce_rate.from_at, bounce_rate.to_at) AS n LEFT JOIN @.products AS p USING (product_id)
	GROUP BY n.channel, n.landing, p.category;
END;
COMMENT ON FUNCTION @.bounce_rate(timestamptz, timestamptz) IS 'of the sessions of a period, the part that ended where it began, and that led to an order; by channel and landing';

CREATE OR REPLACE VIEW @.bounce_rate AS
SELECT n.month, n.channel, pg_catalog.count(*) AS sessions, pg_catalog.count(*) FILTER (WHERE n.touches = 1 AND n.ordered_at IS NULL) AS bounces,
	(pg_catalog.count(*) FILTER (WHERE n.touches = 1 AND n.ordered_at IS NULL)::numeric / pg_catalog.count(*))::numeric(9,6) AS bounce_rate,
	pg_catalog.count(n.ordered_at) AS converted_sessions, (pg_catalog.count(n.ordered_at)::numeric / pg_catalog.count(*))::numeric(9,6) AS session_conversion_rate
FROM (SELECT pg_catalog.date_trunc('month', s.started_at AT TIME ZONE (SELECT time_zone FROM @.settings))::date AS month, s.channel, s.touches, s.ordered_at FROM @.sessions AS s) AS n
GROUP BY n.month, n.channel;

-- Retention

CREATE OR REPLACE FUNCTION @.cohort_retention(from_at timestamptz, to_at timestamptz, as_of timestamptz DEFAULT pg_catalog.now())
RETURNS TABLE (cohort date, month_number integer, month date, customers bigint, retained bigint, retention numeric(9,6))
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH s AS (SELECT t.time_zone, pg_catalog.date_trunc('month', as_of AT TIME ZONE t.time_zone)::date AS this_month FROM @.settings AS t),
	months AS (
		SELECT m.month, pg_catalog.min(m.month) OVER (PARTITION BY m.customer_id) AS cohort
		FROM (
			SELECT DISTINCT o.customer_id, pg_catalog.date_trunc('month', o.day::timestamp)::date AS month
			FROM @.orders AS o WHERE o.counts AND o.customer_id IS NOT NULL AND o.ordered_at < as_of) AS m),
	cells AS MATERIALIZED (
		SELECT m.cohort, m.month, pg_catalog.count(*) AS n FROM months AS m, s
		WHERE m.cohort::timestamp AT TIME ZONE s.time_zone >= from_at AND m.cohort::timestamp AT TIME ZONE s.time_zone < to_at GROUP BY 1, 2),
	-- every cohort has as many cells as the oldest one
	grid AS (
		SELECT c.cohort, c.n AS customers, k.month_number, (c.cohort + k.month_number * interval '1 month')::date AS month, s.this_month
		FROM s, cells AS c, LATERAL (
			SELECT pg_catalog.generate_series(0, pg_catalog.max(12 * (extract(year FROM s.this_month) - extract(year FROM d.cohort))
				+ extract(month FROM s.this_month) - extract(month FROM d.cohort))::integer) AS month_number FROM cells AS d) AS k
		WHERE c.month = c.cohort)
	SELECT g.cohort, g.month_number, g.month, g.customers, CASE WHEN g.month <= g.this_month THEN coalesce(c.n, 0) END,
		CASE WHEN g.month <= g.this_month THEN (coalesce(c.n, 0)::numeric / g.customers)::numeric(9,6) END
	FROM grid AS g LEFT JOIN cells AS c ON c.cohort = g.cohort AND c.month = g.month;
END;
COMMENT ON FUNCTION @.cohort_retention(timestamptz, timestamptz, timestamptz)
	IS 'of the customers whose first order was in a month (that begins in the period), the part that ordered in each month after; NULL in the future';

CREATE OR REPLACE VIEW @.cohort_retention AS
SELECT cohort, month_number, month, customers, retained, retention::numeric(9,6) AS retention FROM @.cohort_retention('-infinity', 'infinity', pg_catalog.now());

-- A customer in a month in which he ordered, or was lost: what he was as it
-- began, and is as it ends.  Who is lost is told by the policy of the stages.
CREATE OR REPLACE VIEW @.customer_moves AS
WITH s AS MATERIALIZED (SELECT time_zone, @.policy() AS policy, pg_catalog.now() AS as_of FROM @.settings),
o AS (
	SELECT o.customer_id, o.ordered_at, o.order_id, o.month, crm.purchases(o.ordered_at, 0::numeric) OVER w AS p, pg_catalog.lead(o.month) OVER w AS next_month
	FROM (
		SELECT o.customer_id, o.ordered_at, o.order_id, pg_catalog.date_trunc('month', o.day::timestamp)::date AS month
		FROM s, @.orders AS o WHERE o.counts AND o.customer_id IS NOT NULL AND o.ordered_at < s.as_of) AS o
	WINDOW w AS (PARTITION BY o.customer_id ORDER BY o.ordered_at, o.order_id)),
-- the last order of each month, and until when it keeps the customer from being lost
l AS (
	SELECT o.customer_id, o.ordered_at, o.order_id, o.month, o.next_month,
		coalesce(crm.stage_until(o.p, s.policy, crm.stage_until(o.p, s.policy) + interval '1 microsecond'), crm.stage_until(o.p, s.policy)) AS until
	FROM o, s WHERE o.next_month IS DISTINCT FROM o.month),
m AS (
	SELECT l.customer_id, l.month, l.next_month, l.until, pg_catalog.lag(l.until) OVER (PARTITION BY l.customer_id ORDER BY l.ordered_at, l.order_id) AS until_before,
		pg_catalog.date_trunc('month', l.until AT TIME ZONE s.time_zone)::date AS lost_month
	FROM l, s)
-- m is read once, so that one customer's orders are found by an index
SELECT m.customer_id, e.month, e.ordered, e.at_start, e.at_end
FROM s, m CROSS JOIN LATERAL (
	SELECT m.month, true AS ordered,
		CASE WHEN m.until_before IS NULL THEN 'none' WHEN m.until_before >= m.month::timestamp AT TIME ZONE s.time_zone THEN 'active' ELSE 'lost' END AS at_start,
		CASE WHEN m.until >= least((m.month + interval '1 month') AT TIME ZONE s.time_zone, s.as_of) THEN 'active' ELSE 'lost' END AS at_end
	UNION ALL
	SELECT m.lost_month, false, 'active', 'lost'
	WHERE m.lost_month > m.month AND m.until < s.as_of AND (m.next_month IS NULL OR m.next_month > m.lost_month)) AS e;

CREATE OR REPLACE VIEW @.growth AS
SELECT month, (pg_catalog.sum(change) OVER w - change)::bigint AS active_at_start, new_customers, returning_customers, reactivated_customers, leaving_customers,
	pg_catalog.sum(change) OVER w::bigint AS active_at_end, churned_customers
FROM (
	SELECT g.month, pg_catalog.count(*) FILTER (WHERE m.at_start = 'active' AND m.at_end = 'lost') AS churned_customers, pg_catalog.count(*) FILTER (WHERE m.at_start = 'none') AS new_customers,
		pg_catalog.count(*) FILTER (WHERE m.ordered AND m.at_start = 'active' AND m.at_end = 'active') AS returning_customers,
		pg_catalog.count(*) FILTER (WHERE m.at_start = 'lost' AND m.at_end = 'active') AS reactivated_customers,
		pg_catalog.count(*) FILTER (WHERE m.at_start <> 'lost' AND m.at_end = 'lost') AS leaving_customers,
		pg_catalog.count(*) FILTER (WHERE m.at_start <> 'active' AND m.at_end = 'active') - pg_catalog.count(*) FILTER (WHERE m.at_start = 'active' AND m.at_end = 'lost') AS change
	FROM (
		SELECT pg_catalog.generate_series(
			pg_catalog.date_trunc('month', (SELECT pg_catalog.min(o.ordered_at) FROM @.orders AS o WHERE o.counts AND o.customer_id IS NOT NULL) AT TIME ZONE s.time_zone),
			pg_catalog.date_trunc('month', pg_catalog.now() AT TIME ZONE s.time_zone), interval '1 month')::date AS month
		FROM @.settings AS s) AS g
	LEFT JOIN @.customer_moves AS m USING (month)
	GROUP BY g.month) AS n
WINDOW w AS (ORDER BY month);

-- What is asked of the time to come is told as of now.  least() alone would take
-- a bound that is NULL for none.
CREATE OR REPLACE FUNCTION @.growth(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (active_at_start bigint, new_customers bigint, returning_customers bigint, reactivated_customers bigint, leaving_customers bigint, active_at_end bigint)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.count(*) FILTER (WHERE c.at_start = 'active'), pg_catalog.count(*) FILTER (WHERE c.at_start = 'none'),
		pg_catalog.count(*) FILTER (WHERE c.ordered AND c.at_start = 'active' AND c.at_end = 'active'),
		pg_catalog.count(*) FILTER (WHERE c.at_start = 'lost' AND c.at_end = 'active'),
		pg_catalog.count(*) FILTER (WHERE c.at_start <> 'lost' AND c.at_end = 'lost'), pg_catalog.count(*) FILTER (WHERE c.at_end = 'active')
	FROM (
		SELECT b.ordered, CASE crm.stage(b.before, least(from_at, pg_catalog.now()), y.policy) WHEN 'lead' THEN 'none' WHEN 'lost' THEN 'lost' ELSE 'active' END AS at_start,
			CASE crm.stage(b.p, least(to_at, pg_catalog.now()), y.policy) WHEN 'lost' THEN 'lost' ELSE 'active' END AS at_end
		FROM (SELECT @.policy() AS policy OFFSET 0) AS y, (
			SELECT crm.purchases(o.ordered_at, 0::numeric) FILTER (WHERE o.ordered_at < from_at) AS before, crm.purchases(o.ordered_at, 0::numeric) AS p,
				pg_catalog.bool_or(o.ordered_at >= from_at) AS ordered
			FROM @.orders AS o WHERE o.counts AND o.customer_id IS NOT NULL AND o.ordered_at < least(to_at, pg_catalog.now()) AND from_at <= to_at GROUP BY o.customer_id) AS b) AS c;
END;
COMMENT ON FUNCTION @.growth(timestamptz, timestamptz) IS 'customers who came, stayed, came back and left in a period';

CREATE OR REPLACE VIEW @.churn AS
SELECT month, active_at_start AS customers, churned_customers AS churned, (churned_customers::numeric / nullif(active_at_start, 0))::numeric(9,6) AS churn_rate
FROM @.growth;

CREATE OR REPLACE FUNCTION @.churn(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (customers bigint, churned bigint, churn_rate numeric(9,6))
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE c.lost), (pg_catalog.count(*) FILTER (WHERE c.lost)::numeric / nullif(pg_catalog.count(*), 0))::numeric(9,6)
	FROM (
		SELECT crm.stage(b.p, least(to_at, pg_catalog.now()), y.policy) = 'lost' AS lost
		FROM (SELECT @.policy() AS policy OFFSET 0) AS y, (
			SELECT crm.purchases(o.ordered_at, 0::numeric) FILTER (WHERE o.ordered_at < from_at) AS before, crm.purchases(o.ordered_at, 0::numeric) AS p
			FROM @.orders AS o WHERE o.counts AND o.customer_id IS NOT NULL AND o.ordered_at < least(to_at, pg_catalog.now()) AND from_at <= to_at GROUP BY o.customer_id) AS b
		WHERE crm.stage(b.before, least(from_at, pg_catalog.now()), y.policy) NOT IN ('lead', 'lost')) AS c;
END;
COMMENT ON FUNCTION @.churn(timestamptz, timestamptz) IS 'of the customers who were not lost as a period began, the part that is as it ends';

-- What goes with what, and where

CREATE OR REPLACE FUNCTION @.cross_sell(from_at timestamptz, to_at timestamptz, min_orders bigint DEFAULT 1)
RETURNS TABLE (product_id bigint, name text, other_product_id bigint, other_name text, orders bigint, support numeric(9,6), confidence numeric(9,6), lift numeric(12,4))
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	-- each product of an order with those before it: one sort, and no join of the items with themselves
	WITH b AS MATERIALIZED (
		SELECT l.product_id, pg_catalog.array_agg(l.product_id) OVER (PARTITION BY l.order_id ORDER BY l.product_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS others
		FROM (SELECT DISTINCT i.order_id, i.product_id FROM @.orders AS o JOIN @.order_items AS i USING (order_id)
			WHERE o.counts AND o.ordered_at >= from_at AND o.ordered_at < to_at) AS l),
	s AS MATERIALIZED (SELECT b.product_id, pg_catalog.count(*) AS n, pg_catalog.count(*) FILTER (WHERE b.others IS NULL) AS first FROM b GROUP BY b.product_id),
	n AS (SELECT pg_catalog.sum(s.first) AS n FROM s),
	pairs AS MATERIALIZED (
		SELECT u.a, u.b, pg_catalog.count(*) AS n FROM (SELECT pg_catalog.unnest(b.others) AS a, b.product_id AS b FROM b) AS u
		GROUP BY 1, 2 HAVING pg_catalog.count(*) >= min_orders)
	SELECT d.a, p.name, d.b, q.name, d.n, (d.n::numeric / n.n)::numeric(9,6), (d.n::numeric / sa.n)::numeric(9,6), (d.n::numeric * n.n / sa.n / sb.n)::numeric(12,4)
	FROM (SELECT pairs.a, pairs.b, pairs.n FROM pairs UNION ALL SELECT pairs.b, pairs.a, pairs.n FROM pairs) AS d
	JOIN s AS sa ON sa.product_id = d.a JOIN s AS sb ON sb.product_id = d.b
	JOIN @.products AS p ON p.product_id = d.a JOIN @.products AS q ON q.product_id = d.b, n;
END;
COMMENT ON FUNCTION @.cross_sell(timestamptz, timestamptz, bigint) IS 'products that are bought in one order, in a period and in no less than so many orders';

CREATE OR REPLACE VIEW @.cross_sell AS
SELECT product_id, name, other_product_id, other_name, orders, support::numeric(9,6) AS support, confidence::numeric(9,6) AS confidence, lift::numeric(12,4) AS lift
FROM @.cross_sell('-infinity', 'infinity');

-- Of the same category, in the same currency, dearer: what buyers of the one
-- went on to, and the one with the next price.
CREATE OR REPLACE VIEW @.up_sell AS
WITH p AS MATERIALIZED (
	SELECT product_id, name, category, price, currency, active, pg_catalog.dense_rank() OVER (ORDER BY category, currency) AS shelf
	FROM (SELECT product_id, name, category, price, coalesce(currency, (SELECT base_currency FROM @.settings)) AS currency, active FROM @.products
		WHERE category IS NOT NULL AND price IS NOT NULL) AS q),
-- what a customer bought, with what he had bought of the same shelf before
f AS MATERIALIZED (
	SELECT b.product_id, pg_catalog.array_agg(b.product_id) OVER (PARTITION BY b.customer_id, p.shelf ORDER BY b.first_at GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
	FROM (
		SELECT o.customer_id, i.product_id, pg_catalog.min(o.ordered_at) AS first_at FROM @.orders AS o JOIN @.order_items AS i USING (order_id)
		WHERE o.counts AND o.customer_id IS NOT NULL GROUP BY 1, 2) AS b
	JOIN p USING (product_id)),
buyers AS (SELECT product_id, pg_catalog.count(*) AS n FROM f GROUP BY product_id),
d AS (
	SELECT a.product_id AS a, b.product_id AS b, pg_catalog.row_number() OVER (PARTITION BY a.product_id ORDER BY b.price, b.product_id) = 1 AS next
	FROM p AS a JOIN p AS b ON b.shelf = a.shelf AND b.price > a.price AND b.active),
moved AS MATERIALIZED (
	SELECT u.a, u.b, pg_catalog.count(*) AS n FROM (SELECT pg_catalog.unnest(f.before) AS a, f.product_id AS b FROM f) AS u GROUP BY 1, 2)
SELECT a.product_id, a.name, a.category, a.currency, a.price, b.product_id AS up_product_id, b.name AS up_name, b.price AS up_price,
	(b.price - a.price)::numeric(18,4) AS price_difference, coalesce(n.n, 0) AS buyers, coalesce(m.n, 0) AS moved_up,
	(coalesce(m.n, 0)::numeric / n.n)::numeric(9,6) AS moved_up_rate, d.next AS next_price
FROM d JOIN p AS a ON a.product_id = d.a JOIN p AS b ON b.product_id = d.b
LEFT JOIN buyers AS n ON n.product_id = d.a LEFT JOIN moved AS m ON m.a = d.a AND m.b = d.b
WHERE a.active AND (d.next OR m.n > 0);

CREATE OR REPLACE FUNCTION @.regional_sales(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (country text, region text, city text, product_id bigint, name text, category text, currency text, orders bigint, buyers bigint, units bigint, revenue numeric(20,4))
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT s.country, s.region, s.city, s.product_id, p.name, p.category, s.currency, s.orders, s.buyers, s.units, s.revenue
	FROM (
		SELECT o.country, o.region, o.city, i.product_id, o.currency, pg_catalog.count(DISTINCT o.order_id) AS orders, pg_catalog.count(DISTINCT o.customer_id) AS buyers,
			pg_catalog.sum(i.quantity)::bigint AS units, pg_catalog.sum(i.amount)::numeric(20,4) AS revenue
		FROM @.orders AS o JOIN @.order_items AS i USING (order_id)
		WHERE o.counts AND o.ordered_at >= from_at AND o.ordered_at < to_at
		GROUP BY i.product_id, o.city, o.region, o.country, o.currency) AS s
	JOIN @.products AS p USING (product_id);
END;
COMMENT ON FUNCTION @.regional_sales(timestamptz, timestamptz) IS 'what was sold where in a period, for each currency';

CREATE OR REPLACE VIEW @.regional_sales AS
SELECT country, region, city, product_id, name, category, currency, orders, buyers, units, revenue::numeric(20,4) AS revenue
FROM @.regional_sales('-infinity', 'infinity');

-- Carts: what one person puts into a cart until he orders, or for long does not
-- come back.  Of one customer, all of it is found by indexes; of a period, only
-- what those did who put something into a cart then, from when a cart of before
-- could go on.
CREATE OR REPLACE FUNCTION @.carts(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (customer_id bigint, visitor_id text, started_at timestamptz, last_at timestamptz, touches bigint, channel text, product_id bigint, ordered_at timestamptz, status text)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	-- a day has 24 hours, whoever asks
	WITH s AS MATERIALIZED (
		SELECT pg_catalog.make_interval(secs => extract(epoch FROM t.cart_abandoned_after)::double precision) AS cart_abandoned_after,
			pg_catalog.make_interval(secs => extract(epoch FROM t.cart_recovered_within)::double precision) AS cart_recovered_within, pg_catalog.now() AS as_of
		FROM @.settings AS t),
	-- by a number first: cookies are slow to sort
	e AS (
		SELECT u.*, coalesce(u.customer_id, pg_catalog.hashtextextended(u.visitor_id, 0)) AS person
		FROM (
			SELECT t.customer_id, CASE WHEN t.customer_id IS NULL THEN t.visitor_id END AS visitor_id, t.touched_at AS at, t.touch_id, t.channel, t.product_id, NULL::timestamptz AS ordered_at
			FROM @.customer_touches AS t WHERE t.kind IN ('cart', 'checkout') AND t.touched_at >= @.earlier(carts.from_at, (SELECT s.cart_recovered_within FROM s))
			UNION ALL
			SELECT o.customer_id, CASE WHEN o.customer_id IS NULL THEN o.visitor_id END, o.ordered_at, NULL, NULL, NULL, o.ordered_at FROM @.orders AS o
			WHERE o.counts AND (o.customer_id IS NOT NULL OR o.visitor_id IS NOT NULL) AND o.ordered_at >= @.earlier(carts.from_at, (SELECT s.cart_recovered_within FROM s))) AS u
		WHERE carts.from_at = '-infinity' AND carts.to_at = 'infinity' OR coalesce(u.customer_id, pg_catalog.hashtextextended(u.visitor_id, 0)) IN (
			SELECT coalesce(t.customer_id, pg_catalog.hashtextextended(t.visitor_id, 0)) FROM @.all_touches AS t
			WHERE t.kind IN ('cart', 'checkout') AND t.touched_at >= carts.from_at AND t.touched_at < carts.to_at)),
	-- Of one moment: the cart comes before the order.  One order of the rows serves
	-- all that is asked of them; what follows the last touch of a cart is an order,
	-- or comes too late for it.
	n AS (
		SELECT e.*, pg_catalog.row_number() OVER w AS place, pg_catalog.lag(e.at) OVER w AS before, pg_catalog.lag(e.touch_id) OVER w IS NOT NULL AS after_cart,
			pg_catalog.lead(e.at) OVER w AS after, pg_catalog.lead(e.touch_id) OVER w IS NOT NULL AS before_cart, pg_catalog.lead(e.ordered_at) OVER w AS next_order_at
		FROM e WINDOW w AS (PARTITION BY e.person, e.customer_id, e.visitor_id ORDER BY e.at, e.touch_id)),
	g AS (
		SELECT n.customer_id, n.visitor_id, n.place, n.at, n.channel, n.product_id, n.next_order_at,
			n.before_cart AND n.after <= n.at + (SELECT s.cart_recovered_within FROM s) AS goes_on,
			pg_catalog.count(*) FILTER (WHERE NOT (n.after_cart AND n.at <= n.before + (SELECT s.cart_recovered_within FROM s)))
				OVER (PARTITION BY n.person, n.customer_id, n.visitor_id ORDER BY n.at, n.touch_id) AS number
		FROM n WHERE n.touch_id IS NOT NULL),
	k AS (
		SELECT g.customer_id, g.visitor_id, g.number, pg_catalog.min(g.at) AS started_at, pg_catalog.max(g.at) AS last_at, pg_catalog.count(*) AS touches,
			pg_catalog.max(g.channel) FILTER (WHERE NOT g.goes_on) AS channel,
			(pg_catalog.max(ARRAY[g.place, g.product_id]) FILTER (WHERE g.product_id IS NOT NULL))[2] AS product_id,
			pg_catalog.min(g.next_order_at) AS next_order_at
		FROM g GROUP BY g.customer_id, g.visitor_id, g.number)
	SELECT k.customer_id, k.visitor_id, k.started_at, k.last_at, k.touches, k.channel, k.product_id,
		CASE WHEN k.next_order_at <= k.last_at + s.cart_recovered_within THEN k.next_order_at END,
		CASE WHEN k.next_order_at <= k.last_at + s.cart_abandoned_after THEN 'ordered'
			WHEN k.next_order_at <= k.last_at + s.cart_recovered_within THEN 'recovered'
			WHEN s.as_of < k.last_at + s.cart_abandoned_after THEN 'open' ELSE 'abandoned' END
	FROM k, s WHERE k.started_at >= carts.from_at AND k.started_at < carts.to_at;
END;
COMMENT ON FUNCTION @.carts(timestamptz, timestamptz) IS 'carts that were begun in a period, and what became of them by now';

CREATE OR REPLACE VIEW @.carts AS
SELECT customer_id, visitor_id, started_at, last_at, touches, channel, product_id, ordered_at, status FROM @.carts('-infinity', 'infinity');

CREATE OR REPLACE VIEW @.abandoned_carts AS
SELECT k.customer_id, k.visitor_id, nullif(pg_catalog.concat_ws(' ', c.first_name, c.last_name), '') AS name, c.email::text AS email, c.phone::text AS phone,
	CASE WHEN c.customer_id IS NOT NULL THEN coalesce(n.granted, false) AND NOT EXISTS (SELECT FROM @.suppressions AS s
		WHERE s.channel = 'email' AND s.hash = (SELECT @.suppression_hash(y.key, 'email', c.email::text) FROM @.suppression_key AS y)) END AS may_email,
	k.started_at, k.last_at, k.touches, k.channel, k.product_id, k.ordered_at, k.status
FROM @.carts AS k LEFT JOIN @.customers AS c USING (customer_id)
LEFT JOIN (SELECT DISTINCT ON (s.customer_id) s.customer_id, s.granted FROM @.consents AS s
	WHERE s.channel = 'email' AND s.purpose = 'marketing' AND s.at <= pg_catalog.now()
	ORDER BY s.customer_id, s.at DESC, s.consent_id DESC) AS n ON n.customer_id = k.customer_id
WHERE k.status IN ('abandoned', 'recovered');

CREATE OR REPLACE FUNCTION @.abandoned_carts(from_at timestamptz, to_at timestamptz)
RETURNS TABLE (carts bigint, ordered bigint, abandoned bigint, recovered bigint, abandoned_rate numeric(9,6), recovered_rate numeric(9,6))
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT n.carts, n.ordered, n.abandoned, n.recovered, (n.abandoned::numeric / nullif(n.carts, 0))::numeric(9,6), (n.recovered::numeric / nullif(n.abandoned, 0))::numeric(9,6)
	FROM (
		SELECT pg_catalog.count(*) AS carts, pg_catalog.count(*) FILTER (WHERE k.status = 'ordered') AS ordered,
			pg_catalog.count(*) FILTER (WHERE k.status <> 'ordered') AS abandoned, pg_catalog.count(*) FILTER (WHERE k.status = 'recovered') AS recovered
		FROM @.carts(abandoned_carts.from_at, abandoned_carts.to_at) AS k WHERE k.status <> 'open') AS n;
END;
COMMENT ON FUNCTION @.abandoned_carts(timestamptz, timestamptz) IS 'how many of the carts of a period were abandoned, and how many of those recovered';

-- Goals: a figure of a period, from what it was before to what it shall be

CREATE TABLE IF NOT EXISTS @.goals (
	goal_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	metric text NOT NULL CHECK (metric IN ('revenue', 'orders', 'new_customers', 'visitors', 'average_order_value', 'purchase_frequency', 'conversion_rate', 'churn_rate')),
	from_at timestamptz NOT NULL,
	to_at timestamptz NOT NULL,
	baseline numeric CHECK (baseline < 'Infinity'),
	target numeric NOT NULL CHECK (target < 'Infinity'),
	note text,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	CHECK (from_at < to_at),
	-- of all time no part has passed
	CONSTRAINT goals_times_are_finite CHECK (pg_catalog.isfinite(from_at) AND pg_catalog.isfinite(to_at))
);

CREATE OR REPLACE FUNCTION @.unknown_metric(name text) RETURNS numeric
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
	RAISE EXCEPTION USING errcode = 'invalid_parameter_value', message = CASE WHEN name IS NULL THEN 'the name of the figure must not be null' ELSE format('unknown figure "%s"', name) END,
		hint = 'It is one of revenue, orders, new_customers, visitors, average_order_value, purchase_frequency, conversion_rate and churn_rate.';
END
$function$;
COMMENT ON FUNCTION @.unknown_metric(text) IS 'part of metric: an error, with the names that there are';

CREATE OR REPLACE FUNCTION @.metric(name text, from_at timestamptz, to_at timestamptz) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE metric.name
		WHEN 'revenue' THEN (SELECT CASE WHEN pg_catalog.count(*) = pg_catalog.count(o.net_base) THEN coalesce(pg_catalog.sum(o.net_base), 0) END FROM @.orders AS o WHERE o.counts AND o.ordered_at >= from_at AND o.ordered_at < to_at)
		WHEN 'orders' THEN (SELECT pg_catalog.count(*) FROM @.orders AS o WHERE o.counts AND o.ordered_at >= from_at AND o.ordered_at < to_at)
		WHEN 'new_customers' THEN (SELECT pg_catalog.count(*) FROM @.orders_lifecycle AS l WHERE crm.first_order(l.purchases) >= from_at AND crm.first_order(l.purchases) < to_at)
		WHEN 'visitors' THEN (SELECT c.visitors FROM @.conversion_rate(metric.from_at, metric.to_at) AS c)
		WHEN 'average_order_value' THEN (SELECT CASE WHEN pg_catalog.count(*) = pg_catalog.count(o.net_base) THEN pg_catalog.avg(o.net_base) END FROM @.orders AS o WHERE o.counts AND o.ordered_at >= from_at AND o.ordered_at < to_at)
		WHEN 'purchase_frequency' THEN (SELECT p.purchase_frequency FROM @.purchase_frequency(metric.from_at, metric.to_at) AS p)
		WHEN 'conversion_rate' THEN (SELECT c.conversion_rate FROM @.conversion_rate(metric.from_at, metric.to_at) AS c)
		WHEN 'churn_rate' THEN (SELECT c.churn_rate FROM @.churn(metric.from_at, metric.to_at) AS c)
		ELSE @.unknown_metric(metric.name) END;
END;
COMMENT ON FUNCTION @.metric(text, timestamptz, timestamptz) IS 'a figure of a period, by name, in the base currency; NULL if what it is made of is not known, or there is no denominator';

CREATE OR REPLACE FUNCTION @.set_goal(metric text, change numeric, from_at timestamptz, to_at timestamptz, note text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
	-- by the store's calendar: what begins at midnight is compared with what did
	before CONSTANT numeric := (
		SELECT @.metric(set_goal.metric, (p.start - (to_at AT TIME ZONE p.time_zone - p.start)) AT TIME ZONE p.time_zone, from_at)
		FROM (SELECT s.time_zone, from_at AT TIME ZONE s.time_zone AS start FROM @.settings AS s) AS p);
	id bigint;
BEGIN
	IF before IS NULL THEN
		RAISE EXCEPTION USING errcode = 'no_data_found', message = format('the figure "%s" of the preceding period is unknown', metric),
			hint = 'Insert a row with a target into the table goals.';
	END IF;
	INSERT INTO @.goals AS g (metric, from_at, to_at, baseline, target, note)
	VALUES (set_goal.metric, set_goal.from_at, set_goal.to_at, before, before * (1 + change), set_goal.note) RETURNING g.goal_id INTO id;
	RETURN id;
END
$function$;
COMMENT ON FUNCTION @.set_goal(text, numeric, timestamptz, timestamptz, text) IS 'a goal: 0.2 is a fifth more than in the period of the same length before, -0.1 a tenth less; gives its number';
REVOKE EXECUTE ON FUNCTION @.set_goal(text, numeric, timestamptz, timestamptz, text) FROM PUBLIC;

-- What adds up is projected to the end at the pace so far; a ratio is what it is.
CREATE OR REPLACE VIEW @.goal_progress AS
SELECT g.goal_id, g.metric, g.from_at, g.to_at, g.baseline::numeric(20,4) AS baseline, g.target::numeric(20,4) AS target, g.value::numeric(20,4) AS value, g.elapsed::numeric(9,6) AS elapsed,
	g.projected::numeric(20,4) AS projected, CASE WHEN g.target >= g.baseline OR g.baseline IS NULL THEN g.projected >= g.target ELSE g.projected <= g.target END AS on_track, g.note
FROM (
	SELECT v.*, CASE WHEN v.metric IN ('revenue', 'orders', 'new_customers') THEN v.value / nullif(v.elapsed, 0) ELSE v.value END AS projected
	FROM (SELECT b.*, least(greatest(extract(epoch FROM pg_catalog.now() - b.from_at) / extract(epoch FROM b.to_at - b.from_at), 0), 1) AS elapsed,
			CASE WHEN b.from_at < pg_catalog.now() THEN @.metric(b.metric, b.from_at, least(b.to_at, pg_catalog.now())) END AS value FROM @.goals AS b OFFSET 0) AS v) AS g;

-- What is wrong with the data

CREATE OR REPLACE VIEW @.data_quality AS
SELECT 'duplicate e-mail address' AS problem, 'customers' AS relation, customer_id AS id, email::text AS detail
FROM (SELECT customer_id, email, pg_catalog.count(*) OVER (PARTITION BY email) AS n FROM @.customers WHERE email IS NOT NULL AND merged_into IS NULL) AS c WHERE n > 1
UNION ALL
SELECT 'duplicate telephone number', 'customers', customer_id, phone::text
FROM (SELECT customer_id, phone, pg_catalog.count(*) OVER (PARTITION BY phone) AS n FROM @.customers WHERE phone IS NOT NULL AND merged_into IS NULL) AS c WHERE n > 1
UNION ALL
SELECT 'duplicate name and birth date', 'customers', customer_id, pg_catalog.concat_ws(' ', first_name, last_name, birth_date)
FROM (SELECT customer_id, first_name, last_name, birth_date,
		pg_catalog.count(*) OVER (PARTITION BY pg_catalog.lower(first_name), pg_catalog.lower(last_name), birth_date) AS n
	FROM @.customers WHERE first_name IS NOT NULL AND last_name IS NOT NULL AND birth_date IS NOT NULL AND merged_into IS NULL) AS c WHERE n > 1
UNION ALL
SELECT p.problem, 'customers', c.customer_id, p.detail
FROM @.settings AS s, @.customers AS c CROSS JOIN LATERAL (VALUES
	('neither e-mail address nor telephone number', c.email IS NULL AND c.phone IS NULL, NULL),
	('country is not two capital letters', c.country !~ '^[A-Z]{2}$', c.country),
	('birth date is odd', c.birth_date > (c.created_at AT TIME ZONE s.time_zone)::date OR c.birth_date < date '1900-01-01', c.birth_date::text),
	('name is blank', pg_catalog.btrim(c.first_name) = '' OR pg_catalog.btrim(c.last_name) = '', NULL)) AS p(problem, holds, detail)
-- most rows have none of them, which is told without making rows of it
WHERE c.merged_into IS NULL AND (c.email IS NULL AND c.phone IS NULL OR c.country !~ '^[A-Z]{2}$' OR c.birth_date > (c.created_at AT TIME ZONE s.time_zone)::date
	OR c.birth_date < date '1900-01-01' OR pg_catalog.btrim(c.first_name) = '' OR pg_catalog.btrim(c.last_name) = '') AND p.holds
UNION ALL
SELECT p.problem, 'orders', o.order_id, p.detail
FROM @.orders AS o
LEFT JOIN (SELECT currency, 100 * pg_catalog.avg(amount) AS much FROM @.orders WHERE counts GROUP BY currency) AS a ON a.currency = o.currency
CROSS JOIN LATERAL (VALUES
	('no customer', o.customer_id IS NULL, o.channel),
	('no items', o.units = 0, NULL),
	('amount is zero', o.amount = 0 AND o.units > 0, NULL),
	('amount is negative', o.amount < 0, o.amount || ' ' || o.currency),
	('amount is a hundred times the average', o.amount > a.much, o.amount || ' ' || o.currency),
	('no rate for the currency', o.net_base IS NULL, o.currency),
	('ordered in the future', o.ordered_at > pg_catalog.now(), o.ordered_at::text),
	('times out of order', o.shipped_at < o.ordered_at OR o.delivered_at < o.shipped_at OR o.paid_at < o.ordered_at, NULL)) AS p(problem, holds, detail)
WHERE NOT o.test AND (o.customer_id IS NULL OR o.units = 0 OR o.amount <= 0 OR o.amount > a.much OR o.net_base IS NULL OR o.ordered_at > pg_catalog.now()
	OR o.shipped_at < o.ordered_at OR o.delivered_at < o.shipped_at OR o.paid_at < o.ordered_at) AND p.holds
UNION ALL
SELECT p.problem, 'products', r.product_id, r.name
FROM @.products AS r CROSS JOIN LATERAL (VALUES ('no price', r.price IS NULL), ('no category', r.category IS NULL)) AS p(problem, holds)
WHERE r.active AND p.holds
UNION ALL
SELECT 'oversold', 'stock', product_id, location || ': ' || available FROM @.stock WHERE available < 0;

$ddl$;
COMMENT ON FUNCTION crm.store_insight() IS 'DDL of a store: channels, retention, growth, baskets, carts, quality of the data';
