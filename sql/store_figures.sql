-- Every column of every view and of every function that makes rows, against
-- queries on the bare tables that know nothing of the views.  A store in New
-- York, then in Tokyo, with three currencies, and with one that has no rate;
-- refunds of all kinds, cancelled orders and tests, guests, merged customers,
-- visitors who stay unknown or are known later, orders of one moment and of
-- nobody.  In the end the catalogue is asked what was left out.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET jit = off;
\getenv abs_srcdir PG_ABS_SRCDIR
\set sample :abs_srcdir '/seeds/shop.sql'
\set load :abs_srcdir '/seeds/store.sql'
\set customers 80
\set store shop
\set ECHO none
SELECT crm.create_store('shop', 'EUR', 'America/New_York') \gset
\i :sample
\i :load
SET search_path = shop;

-- What the sample lacks
UPDATE orders SET test = true WHERE order_id % 37 = 0;
UPDATE orders AS o SET ordered_at = (SELECT min(p.ordered_at) FROM orders AS p WHERE p.customer_id = o.customer_id) WHERE order_id % 29 = 0 AND customer_id IS NOT NULL;
UPDATE orders SET customer_id = NULL WHERE order_id % 41 = 0;
UPDATE orders SET customer_id = NULL, visitor_id = NULL WHERE order_id % 43 = 0;
UPDATE orders SET shipping = 4.90, tax = round(items_amount * 0.19, 2), tax_included = order_id % 2 = 0, carrier = CASE order_id % 4 WHEN 1 THEN 'snail' WHEN 2 THEN 'hare' END, tracking_number = 'no. ' || order_id WHERE order_id % 3 = 0;
UPDATE orders SET promised_at = NULL WHERE order_id % 11 = 0;
-- on the edge: of the periods below, of the times to be late, at risk or lost, of 60 days
UPDATE orders SET ordered_at = (ARRAY['2024-03-10 05:00+00', '2025-11-02 05:30+00', '2025-12-01 04:30+00', timestamptz '2025-12-01 04:30+00' - interval '2160 hours', timestamptz '2025-12-01 04:30+00' - interval '4320 hours',
	timestamptz '2025-12-01 04:30+00' - interval '672 hours'])[1 + order_id / 17 % 6]::timestamptz WHERE order_id % 17 = 0;
UPDATE orders SET ordered_at = first + interval '1440 hours' - order_id % 2 * interval '1 microsecond'
FROM (SELECT array_agg(order_id ORDER BY ordered_at, order_id) AS ids, min(ordered_at) AS first FROM orders WHERE customer_id IS NOT NULL GROUP BY customer_id HAVING count(*) = 2) AS c WHERE order_id = ids[2];
UPDATE orders SET promised_at = delivered_at WHERE order_id % 23 = 0;
-- the money is given back, and they stay cancelled
UPDATE orders SET status = 'refunded' WHERE status = 'cancelled' AND order_id % 2 = 0;
UPDATE order_items SET discount = 0.50 WHERE order_id % 5 = 0 AND line = 1 AND order_id IN (SELECT order_id FROM orders WHERE refunded_amount + 1 < amount);
INSERT INTO refunds (order_id, line, quantity, refunded_at, amount, shipping, tax, reason) SELECT order_id, 1, 1, ordered_at + interval '40 days', round(i.amount / 2, 2), 0.10, 0.20, 'late'
FROM orders AS o JOIN order_items AS i USING (order_id) WHERE order_id % 13 < 2 AND line = 1 AND refunded_amount + i.amount / 2 < o.amount - 1;
UPDATE refunds SET line = 1, quantity = 1, reason = 'broken' WHERE order_id % 2 = 0 AND amount <= (SELECT i.amount FROM order_items AS i WHERE i.order_id = refunds.order_id AND i.line = 1);
UPDATE refunds SET shipping = 0.30, tax = 0.20 WHERE refund_id % 3 = 0 AND amount > 1;
INSERT INTO orders (order_id, visitor_id, channel, currency, status, ordered_at, paid_at)
SELECT 1 + row_number() OVER (ORDER BY t.visitor_id), t.visitor_id, min(t.channel), 'GBP', 'paid', max(t.touched_at) + interval '20 minutes', max(t.touched_at) + interval '1 day'
FROM touches AS t WHERE t.customer_id IS NULL AND t.visitor_id::int % 7 = 0 AND NOT EXISTS (SELECT FROM identities AS i WHERE i.kind = 'cookie' AND i.value = t.visitor_id) GROUP BY t.visitor_id;
INSERT INTO order_items (order_id, line, product_id, quantity, unit_price) SELECT order_id, 1, (SELECT min(product_id) + order_id % 20 FROM products), 2, 12.34 FROM orders WHERE items_amount = 0;
SELECT identify(email => 'later' || visitor_id || '@example.com', cookie => visitor_id) FROM (SELECT DISTINCT visitor_id FROM touches WHERE customer_id IS NULL AND visitor_id::int % 11 = 0) AS v \g /dev/null
SELECT merge_customers(3, 5, 'the same') > 0 AS merged, merge_customers(7, 9) AS second \gset
SELECT undo_merge(:second) \g /dev/null
INSERT INTO locations VALUES ('shop');
INSERT INTO stock (product_id, location, on_hand, incoming) SELECT product_id, 'shop', product_id % 9 - 1, product_id % 3 FROM products WHERE product_id % 2 = 0;
UPDATE stock SET reserved = 2 WHERE product_id % 5 = 0 AND location = 'main';
UPDATE products SET category = NULL WHERE product_id % 31 = 0;
UPDATE products SET active = false, low_stock = NULL WHERE product_id % 17 = 0;
UPDATE products SET currency = 'USD' WHERE product_id % 13 = 0;
UPDATE products SET price = NULL WHERE product_id % 19 = 0;
UPDATE products AS p SET price = (SELECT q.price FROM products AS q WHERE q.product_id = p.product_id + 1) WHERE product_id % 12 = 5;
UPDATE touches SET campaign = CASE touch_id % 4 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'No. ' || touch_id % 4 END WHERE channel IN ('email', 'paid_search', 'referral', 'direct');
UPDATE touches SET product_id = (SELECT min(product_id) + touch_id % 24 FROM products) WHERE kind IN ('view', 'cart') AND touch_id % 3 > 0;
UPDATE touches SET kind = CASE touch_id % 4 WHEN 0 THEN 'signup' WHEN 1 THEN 'login' WHEN 2 THEN 'email_opened' ELSE 'other' END WHERE touch_id % 13 = 0;
UPDATE touches AS t SET touched_at = (SELECT o.ordered_at FROM orders AS o WHERE o.visitor_id = t.visitor_id ORDER BY order_id LIMIT 1) WHERE kind = 'checkout' AND touch_id % 19 = 0;
UPDATE touches SET touched_at = date_trunc('day', touched_at) WHERE touch_id % 23 = 0;
-- on the edge of a period, of what is looked back on, of a cart that is ordered or recovered, of a session
UPDATE touches SET touched_at = (ARRAY['2024-03-10 05:00+00', '2025-11-02 05:30+00', '2024-02-09 05:00+00'])[1 + touch_id % 3]::timestamptz WHERE touch_id % 53 = 0;
INSERT INTO touches (customer_id, touched_at, kind, channel) SELECT customer_id, ordered_at - before, kind, 'email' FROM orders JOIN (VALUES (1, interval '720 hours', 'visit'), (2, '720 hours 0.000001 seconds', 'visit'), (3, '168 hours', 'cart'),
	(4, '168 hours 0.000001 seconds', 'cart'), (5, '1 hour', 'cart'), (6, '1 hour 0.000001 seconds', 'checkout'), (7, '30 minutes', 'view'), (8, '30 minutes 0.000001 seconds', 'view')) AS v(n, before, kind) ON order_id % 17 = n WHERE customer_id IS NOT NULL;
INSERT INTO touches (visitor_id, touched_at, kind, channel) SELECT visitor_id, touched_at + interval '168 hours', 'cart', 'social' FROM touches WHERE kind = 'cart' AND visitor_id::int % 5 = 0;
INSERT INTO touches (visitor_id, touched_at, kind, channel) SELECT visitor_id, touched_at + n * interval '30 minutes', 'view', 'social' FROM touches, generate_series(1, 2) AS n WHERE touch_id % 29 = 0 AND visitor_id IS NOT NULL;
INSERT INTO touches (visitor_id, touched_at, kind, channel, product_id) SELECT visitor_id, touched_at + n * interval '25 minutes', CASE n WHEN 2 THEN 'cart' ELSE 'view' END, channel, product_id FROM touches, generate_series(1, 2) AS n WHERE touch_id % 9 = 0 AND visitor_id IS NOT NULL;
INSERT INTO touches (visitor_id, touched_at, kind, channel) VALUES ('900001', '2024-03-10 06:00+00', 'view', 'social'), ('900002', '2025-11-02 05:00+00', 'view', 'social');
INSERT INTO orders (visitor_id, channel, currency, ordered_at) VALUES ('900001', 'social', 'EUR', '2024-03-10 05:00+00'), ('900002', 'social', 'EUR', '2025-11-02 05:30+00');
UPDATE spend SET amount = amount * 100, campaign = CASE extract(day FROM day)::int % 3 WHEN 0 THEN '' ELSE 'No. ' || extract(day FROM day)::int % 3 + 1 END;
INSERT INTO credit_tiers VALUES (0.05, 0.10, 0.07);
UPDATE channels SET type = 'direct' WHERE channel = 'referral';
INSERT INTO accounts (account_id, name) VALUES (1, 'Smith & Co.');
INSERT INTO teams VALUES ('key');
UPDATE customers SET account_id = 1, team = 'key', tags = '{vip,"a, b"}', job_title = 'cook', attributes = '{"size": 4}' WHERE customer_id % 10 = 3;
UPDATE customers SET first_name = ' ', country = 'uk' WHERE customer_id = 11;
UPDATE customers SET birth_date = '1899-12-31', phone = NULL, email = NULL WHERE customer_id = 12;
UPDATE customers AS c SET first_name = upper(o.first_name), last_name = o.last_name, birth_date = '1980-01-01' FROM customers AS o WHERE c.customer_id = 14 AND o.customer_id = 13;
UPDATE customers SET birth_date = '1980-01-01' WHERE customer_id = 13;
UPDATE customers SET created_at = '2025-05-05 03:00+00', birth_date = date '2025-05-04' + customer_id::int % 2 WHERE customer_id IN (15, 16);
INSERT INTO consents (customer_id, channel, granted, at) SELECT customer_id, CASE customer_id % 3 WHEN 0 THEN 'sms' WHEN 1 THEN 'phone' ELSE 'email' END, customer_id % 2 = 0, '2025-01-01' FROM customers WHERE customer_id % 4 < 3;
INSERT INTO consents (customer_id, channel, granted, purpose, at) VALUES (20, 'email', true, 'research', '2025-06-01'), (21, 'email', NOT may_contact(21, 'email'), 'marketing', '9999-01-01');
CREATE TEMP TABLE suppressed AS SELECT channel, lower(a) AS a FROM customers, LATERAL (VALUES ('email', email::text), ('phone', phone::text)) AS v(channel, a) WHERE customer_id % 8 = 2 AND a IS NOT NULL;
SELECT suppress(channel, a) FROM suppressed \g /dev/null
INSERT INTO product_subscriptions (subscription_id, customer_id, kind, product_id, category, channel, created_at, expires_at, ended_at) SELECT n, n + 20, CASE WHEN n % 3 = 0 THEN 'new_product' ELSE 'price_drop' END,
	CASE n % 3 WHEN 1 THEN 5 + n END, CASE n % 3 WHEN 0 THEN 'Coffee' END, CASE n % 2 WHEN 0 THEN 'email' ELSE 'sms' END, '2024-01-01', CASE WHEN n % 5 = 0 THEN timestamptz '2025-01-01' END, CASE WHEN n % 7 = 0 THEN timestamptz '2025-02-01' END FROM generate_series(1, 15) AS n;
INSERT INTO outbox (customer_id, subscription_id, product_id, kind, channel, status, sent_at, opened_at, clicked_at)
SELECT s.customer_id, s.subscription_id, i.product_id, s.kind, s.channel, 'sent', o.ordered_at - (order_id % 4) * interval '10 days', CASE WHEN order_id % 2 = 0 THEN o.ordered_at END, CASE WHEN order_id % 6 = 0 THEN o.ordered_at END
FROM product_subscriptions AS s JOIN orders AS o USING (customer_id) JOIN order_items AS i USING (order_id);
INSERT INTO outbox (customer_id, subscription_id, product_id, kind, channel, status, sent_at) SELECT customer_id, subscription_id, 1, kind, channel, CASE WHEN subscription_id % 2 = 0 THEN 'pending' ELSE 'sent' END, CASE WHEN subscription_id % 2 = 1 THEN timestamptz '2025-03-01' END FROM product_subscriptions;
SELECT record_channel_credit('2024-01-01', '2025-01-01'), record_channel_credit('2025-01-01', '2026-01-01') \g /dev/null
INSERT INTO channel_credits (channel, from_at, to_at, revenue_share, conversion_rate, credit) VALUES ('store', '2025-01-01', '2026-01-01', 0.5, 0.1, NULL), ('store', '2026-01-01', '2027-01-01', 0.75, 0.2, NULL), ('store', '2027-01-01', '2028-01-01', 0.8, 0.3, 0.4);
INSERT INTO goals (metric, from_at, to_at, baseline, target, note) SELECT m, '2025-01-01', '2025-07-01', b, t, 'n' FROM (VALUES ('revenue', 1, 2000), ('orders', NULL, 5000), ('new_customers', 10, 12), ('visitors', 10, 8),
	('average_order_value', 50, 40), ('purchase_frequency', 2, 1.5), ('conversion_rate', 0.1, 0.2), ('churn_rate', 0.3, 0.1)) AS v(m, b, t);
INSERT INTO goals (metric, from_at, to_at, target) VALUES ('orders', now() + interval '1 year', now() + interval '2 years', 10), ('revenue', '2025-07-01', '2026-07-01', 20000);
SELECT fit('2026-01-01') \g /dev/null

-- Orders that count and touches as plain rows: the one place where settings are
-- looked at.  Days before or after are 24 hours each, whoever asks.
CREATE TEMP TABLE o (order_id bigint, customer_id bigint, visitor_id text, who text, ordered_at timestamptz, local timestamp, day date, month date, channel text, currency text, status text, units bigint,
	gross numeric, refunded numeric, net numeric, net_sales numeric, value numeric, country text, region text, city text, n bigint);
CREATE TEMP TABLE t (touch_id bigint, customer_id bigint, visitor_id text, who text, touched_at timestamptz, local timestamp, month date, kind text, channel text, campaign text, product_id bigint, direct boolean);
CREATE INDEX ON o (who, ordered_at);
CREATE INDEX ON t (who, touched_at);
CREATE FUNCTION pg_temp.look() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	TRUNCATE o, t;
	INSERT INTO o SELECT order_id, customer_id, visitor_id, CASE WHEN customer_id IS NULL THEN 'v' || visitor_id ELSE 'c' || customer_id END, ordered_at, local, local::date, date_trunc('month', local), channel, currency, status,
		units, gross, refunded, gross - refunded, net_sales, round((gross - refunded) * CASE WHEN currency = base_currency THEN 1 ELSE (
			SELECT rate FROM rates AS r WHERE r.currency = d.currency AND r.day <= local::date ORDER BY r.day DESC LIMIT 1) END, (SELECT decimals FROM currencies AS c WHERE c.currency = base_currency)),
		country, region, city, row_number() OVER (PARTITION BY customer_id ORDER BY ordered_at, order_id)
	FROM (SELECT o.*, ordered_at AT TIME ZONE time_zone AS local, i.pieces AS units, i.paid - o.discount + shipping + CASE WHEN tax_included THEN 0 ELSE tax END AS gross,
			i.paid - o.discount - CASE WHEN tax_included THEN tax ELSE 0 END - f.goods AS net_sales, f.back AS refunded, base_currency
		FROM settings, (SELECT order_id, customer_id, visitor_id, ordered_at, channel, currency, status, discount, shipping, tax, tax_included, country, region, city, test, paid_at, cancelled_at FROM orders) AS o,
			LATERAL (SELECT coalesce(sum(quantity), 0) AS pieces, coalesce(sum(quantity * unit_price - i.discount), 0) AS paid FROM order_items AS i WHERE i.order_id = o.order_id) AS i,
			LATERAL (SELECT coalesce(sum(amount), 0) AS back, coalesce(sum(f.amount - f.shipping - f.tax), 0) AS goods FROM refunds AS f WHERE f.order_id = o.order_id) AS f
		WHERE NOT test AND status <> 'cancelled' AND (status <> 'refunded' OR cancelled_at IS NULL) AND (counts_from = 'placed' OR paid_at IS NOT NULL)) AS d;
	INSERT INTO t SELECT touch_id, who, CASE WHEN who IS NULL THEN visitor_id END, coalesce('c' || who, 'v' || visitor_id), touched_at, local, date_trunc('month', local), kind, t.channel, campaign, product_id, k.type = 'direct'
	FROM (SELECT t.*, touched_at AT TIME ZONE time_zone AS local, coalesce(customer_id, (SELECT i.customer_id FROM identities AS i WHERE kind = 'cookie' AND value = visitor_id)) AS who FROM touches AS t, settings) AS t JOIN channels AS k USING (channel);
	ANALYZE o, t;
END $$;
SELECT pg_temp.look() \g /dev/null
\set ECHO all
SELECT count(*) > 300 AS orders, count(DISTINCT currency) AS currencies, count(*) FILTER (WHERE customer_id IS NULL) > 10 AS of_nobody, count(*) FILTER (WHERE local::date <> ordered_at::date) > 10 AS other_day,
	count(*) FILTER (WHERE refunded > 0) > 20 AS refunded, count(*) FILTER (WHERE net_sales < net - 1) > 20 AS taxed, (SELECT count(*) > 5 FROM orders WHERE test) AS tests, (SELECT count(*) > 5 FROM orders WHERE status = 'cancelled') AS cancelled, (SELECT count(*) > 5 FROM orders WHERE status = 'refunded' AND cancelled_at IS NOT NULL) AS and_refunded,
	(SELECT count(*) > 5 FROM o AS a JOIN o AS b USING (customer_id, ordered_at) WHERE a.order_id < b.order_id) AS at_once, (SELECT count(*) > 5 FROM o JOIN t ON t.visitor_id = o.visitor_id AND o.customer_id IS NULL) AS unknown,
	(SELECT count(*) > 5 FROM o JOIN customers USING (customer_id) WHERE created_via = 'guest') AS guests, (SELECT count(*) > 5 FROM t JOIN customers USING (customer_id) WHERE email::text ~ '^later') AS known_later FROM o;
\set ECHO none

-- A relation is a view, or a function of a period from $1 to $2 or of a time $3; to views these are all times and now.  Equal row by row; where a key is
-- given, numbers may be off by half a thousandth: floating point, or shares of an order that were rounded.
CREATE TEMP TABLE checks (relation text, query text, key text);
CREATE FUNCTION pg_temp.differences(empty boolean DEFAULT false) RETURNS TABLE (relation text, rows bigint, differ bigint) LANGUAGE plpgsql AS $$
DECLARE c record; f timestamptz; u timestamptz; at timestamptz;
BEGIN
	PERFORM pg_temp.look();
	FOR c IN SELECT * FROM checks LOOP
		relation := c.relation;
		f := CASE WHEN relation ~ '\(' THEN timestamptz '2024-03-10 05:00+00' ELSE '-infinity' END;
		u := CASE WHEN relation ~ '\(' THEN timestamptz '2025-11-02 05:30+00' ELSE 'infinity' END;
		at := CASE WHEN relation ~ '\(' THEN timestamptz '2025-12-01 04:30+00' ELSE now() END;
		IF c.key IS NULL THEN
			EXECUTE format('WITH a AS MATERIALIZED (SELECT * FROM %s), b AS MATERIALIZED (%s) SELECT (SELECT count(*) FROM a), count(*) FROM ((TABLE a EXCEPT ALL TABLE b) UNION ALL (TABLE b EXCEPT ALL TABLE a)) AS d', relation, c.query)
			INTO rows, differ USING f, u, at;
		ELSE
			EXECUTE format('SELECT count(a), count(*) FILTER (WHERE a IS NULL OR b IS NULL OR EXISTS (
					SELECT FROM jsonb_each(a) AS x FULL JOIN jsonb_each(b) AS y USING (key) WHERE x.value IS DISTINCT FROM y.value
					AND CASE WHEN jsonb_typeof(x.value) = ''number'' AND jsonb_typeof(y.value) = ''number'' THEN abs(x.value::numeric - y.value::numeric) > 0.0005 ELSE true END))
				FROM (SELECT %1$s, to_jsonb(r) AS a FROM %2$s AS r) AS a FULL JOIN (SELECT %1$s, to_jsonb(r) AS b FROM (%3$s) AS r) AS b USING (%1$s)', c.key, relation, c.query)
			INTO rows, differ USING f, u, at;
		END IF;
		IF differ > 0 OR rows = 0 AND NOT empty THEN RETURN NEXT; END IF;
	END LOOP;
END $$;

-- Orders
INSERT INTO checks VALUES
('valid_orders', 'SELECT order_id, customer_id, visitor_id, ordered_at, day, channel, currency, units, gross, refunded, net, net_sales, value, country, region, city FROM o'),
('sales', 'SELECT day, day - (extract(isodow FROM day)::int - 1), month, channel, country, region, city, currency, count(*), sum(units), sum(gross), sum(refunded), sum(net), sum(net_sales) FROM o GROUP BY day, month, channel, country, region, city, currency'),
('average_order_value', 'SELECT month, channel, currency, count(*), sum(gross), sum(net), round(sum(gross) / count(*), 4), round(sum(net) / count(*), 4) FROM o GROUP BY 1, 2, 3'),
('average_order_value($1, $2)', 'SELECT currency, count(*), sum(gross), sum(net), round(sum(gross) / count(*), 4), round(sum(net) / count(*), 4) FROM o WHERE ordered_at >= $1 AND ordered_at < $2 GROUP BY 1'),
('purchase_frequency', 'SELECT month, count(*), count(DISTINCT customer_id), round(count(*)::numeric / count(DISTINCT customer_id), 4) FROM o WHERE customer_id IS NOT NULL GROUP BY 1'),
('purchase_frequency($1, $2)', 'SELECT count(*), count(DISTINCT customer_id), round(count(*)::numeric / nullif(count(DISTINCT customer_id), 0), 4) FROM o WHERE customer_id IS NOT NULL AND ordered_at >= $1 AND ordered_at < $2'),
('order_tracking', $$SELECT order_id, customer_id, source_system, external_id, status, ordered_at, paid_at, shipped_at, promised_at, delivered_at, cancelled_at, refunded_at, carrier, tracking_number, country, region, city,
	round(extract(epoch FROM shipped_at - ordered_at) / 86400, 2), round(extract(epoch FROM delivered_at - shipped_at) / 86400, 2), round(extract(epoch FROM delivered_at - ordered_at) / 86400, 2),
	CASE WHEN delivered_at IS NOT NULL THEN delivered_at > promised_at WHEN status <> 'cancelled' AND status <> 'refunded' THEN now() > promised_at END FROM orders WHERE NOT test$$),
('shipping_statistics($1, $2)', $$SELECT carrier, country, count(*), count(shipped_at), count(delivered_at), round(avg(extract(epoch FROM shipped_at - ordered_at) / 86400), 2), round(avg(extract(epoch FROM delivered_at - ordered_at) / 86400), 2),
	count(late), count(nullif(late, false)), round(avg(late::int), 6)
	FROM (SELECT *, CASE WHEN delivered_at IS NOT NULL THEN delivered_at > promised_at WHEN status <> 'refunded' THEN now() > promised_at END AS late FROM orders) AS o
	WHERE NOT test AND status <> 'cancelled' AND (status <> 'refunded' OR cancelled_at IS NULL) AND ordered_at >= $1 AND ordered_at < $2 GROUP BY 1, 2$$),
('customer_orders', $$SELECT customer_id, order_id, ordered_at, channel, currency, units, gross, refunded, net, value, n, CASE n WHEN 1 THEN 'new' ELSE 'repeat' END,
	round(extract(epoch FROM ordered_at - (SELECT ordered_at FROM o AS p WHERE p.customer_id = o.customer_id AND p.n = o.n - 1)) / 86400, 2),
	(SELECT CASE WHEN bool_and(value IS NOT NULL) THEN sum(value) END FROM o AS p WHERE p.customer_id = o.customer_id AND p.n <= o.n) FROM o WHERE customer_id IS NOT NULL$$);
INSERT INTO checks SELECT format('sales($1, $2, %L)', by), format('SELECT %s, currency, count(*), sum(units), sum(gross), sum(refunded), sum(net), sum(net_sales) FROM o WHERE ordered_at >= $1 AND ordered_at < $2 GROUP BY 1, 2', part)
FROM (VALUES ('day', 'to_char(day, ''YYYY-MM-DD'')'), ('week', 'to_char(day - (extract(isodow FROM day)::int - 1), ''YYYY-MM-DD'')'), ('month', 'to_char(month, ''YYYY-MM-DD'')'), ('weekday', 'to_char(day, ''ID'')'), ('hour', 'lpad(extract(hour FROM local)::text, 2, ''0'')'),
	('channel', 'channel'), ('country', 'country'), ('region', 'region'), ('city', 'city')) AS v(by, part);
-- what is given back, when it is
INSERT INTO checks SELECT format('sales($1, $2, %L, ''refund'')', by), format('SELECT %s, currency, count(order_id), sum(units), sum(gross), sum(back), sum(gross - back), sum(goods) FROM (
	SELECT local, day, month, channel, country, region, city, currency, order_id, units, gross, 0 AS back, net_sales + (SELECT coalesce(sum(amount - shipping - tax), 0) FROM refunds AS f WHERE f.order_id = o.order_id) AS goods
	FROM o WHERE ordered_at >= $1 AND ordered_at < $2
	UNION ALL SELECT at, at::date, date_trunc(''month'', at)::date, channel, country, region, city, currency, NULL, 0, 0, amount, shipping + tax - amount
	FROM (SELECT *, refunded_at AT TIME ZONE (SELECT time_zone FROM settings) AS at FROM refunds) AS f JOIN o USING (order_id) WHERE refunded_at >= $1 AND refunded_at < $2) AS s GROUP BY 1, 2', part)
FROM (VALUES ('day', 'to_char(day, ''YYYY-MM-DD'')'), ('week', 'to_char(day - (extract(isodow FROM day)::int - 1), ''YYYY-MM-DD'')'), ('month', 'to_char(month, ''YYYY-MM-DD'')'), ('weekday', 'to_char(day, ''ID'')'), ('hour', 'lpad(extract(hour FROM local)::text, 2, ''0'')'),
	('channel', 'channel'), ('country', 'country'), ('region', 'region'), ('city', 'city')) AS v(by, part);
INSERT INTO checks SELECT v.relation, replace('SELECT count(*), count(*) FILTER (WHERE again), round(count(*) FILTER (WHERE again)::numeric / nullif(count(*), 0), 6)
	FROM (SELECT ordered_at, EXISTS (SELECT FROM o AS p WHERE p.customer_id = o.customer_id AND p.n = 2 AND (p.ordered_at < o.ordered_at + INTERVAL)) AS again FROM o WHERE customer_id IS NOT NULL AND n = 1 AND ordered_at >= $1 AND ordered_at < $2) AS c', 'INTERVAL', within)
FROM (VALUES ('repeat_rate', 'interval ''1000 years'''), ('repeat_rate($1, $2)', 'interval ''1000 years'''), ('repeat_rate($1, $2, ''60 days'')', 'interval ''1440 hours''')) AS v(relation, within);

-- Products.  Of refunds only those that name the item; of prices with tax what is refunded has it too
INSERT INTO checks SELECT format('sales($1, $2, %L)', by), format('SELECT %s, currency, count(DISTINCT order_id), sum(quantity), sum(sold), sum(back), sum(sold - back), sum(sold - back)
	FROM (SELECT o.*, p.product_id, category, quantity, quantity * unit_price - i.discount AS sold,
			(SELECT coalesce(sum(f.amount - f.shipping - CASE WHEN tax_included THEN 0 ELSE f.tax END), 0) FROM refunds AS f WHERE (f.order_id, f.line) = (i.order_id, i.line)) AS back
		FROM o JOIN order_items AS i USING (order_id) JOIN products AS p USING (product_id) JOIN (SELECT order_id, tax_included FROM orders) AS x USING (order_id)) AS l
	WHERE ordered_at >= $1 AND ordered_at < $2 GROUP BY 1, 2', part) FROM (VALUES ('product', 'product_id::text'), ('category', 'category')) AS v(by, part);
INSERT INTO checks SELECT format('sales($1, $2, %L, ''refund'')', by), format('SELECT %s, currency, count(DISTINCT order_id), sum(quantity), sum(sold), sum(back), sum(sold - back), sum(sold - back) FROM (
	SELECT o.currency, order_id, p.product_id, category, quantity, quantity * unit_price - i.discount AS sold, 0 AS back FROM o JOIN order_items AS i USING (order_id) JOIN products AS p USING (product_id) WHERE ordered_at >= $1 AND ordered_at < $2
	UNION ALL SELECT o.currency, NULL, p.product_id, category, 0, 0, f.amount - f.shipping - CASE WHEN tax_included THEN 0 ELSE f.tax END FROM o JOIN refunds AS f USING (order_id) JOIN order_items AS i USING (order_id, line) JOIN products AS p USING (product_id)
		JOIN (SELECT order_id, tax_included FROM orders) AS x USING (order_id) WHERE refunded_at >= $1 AND refunded_at < $2) AS l GROUP BY 1, 2', part) FROM (VALUES ('product', 'product_id::text'), ('category', 'category')) AS v(by, part);
INSERT INTO checks SELECT relation, $$SELECT p.product_id, sku, name, category, o.currency, count(DISTINCT order_id), count(DISTINCT customer_id), sum(quantity), sum(quantity * unit_price - i.discount), round(sum(quantity * unit_price - i.discount) / sum(quantity), 4)
	FROM o JOIN order_items AS i USING (order_id) JOIN products AS p USING (product_id) WHERE ordered_at >= $1 AND ordered_at < $2 GROUP BY 1, 2, 3, 4, 5$$ FROM unnest('{product_sales,"product_sales($1, $2)"}'::text[]) AS relation
UNION ALL SELECT relation, $$SELECT o.country, o.region, o.city, p.product_id, name, category, o.currency, count(DISTINCT order_id), count(DISTINCT customer_id), sum(quantity), sum(quantity * unit_price - i.discount)
	FROM o JOIN order_items AS i USING (order_id) JOIN products AS p USING (product_id) WHERE ordered_at >= $1 AND ordered_at < $2 GROUP BY 1, 2, 3, 4, 5, 6, 7$$ FROM unnest('{regional_sales,"regional_sales($1, $2)"}'::text[]) AS relation
UNION ALL SELECT relation, $$SELECT product_id, sku, name, category, h, r, i, h - r, h - r <= low_stock, s, l, round(greatest(h - r, 0) / (nullif(l, 0) / 28.0), 1), round(s::numeric / nullif(s + greatest(h, 0), 0), 6)
	FROM products AS p, LATERAL (SELECT sum(on_hand) AS h, sum(reserved) AS r, sum(incoming) AS i FROM stock AS k WHERE k.product_id = p.product_id) AS k,
		LATERAL (SELECT coalesce(sum(quantity), 0) AS s, coalesce(sum(quantity) FILTER (WHERE ordered_at >= $3 - interval '672 hours'), 0) AS l FROM o JOIN order_items AS i USING (order_id) WHERE i.product_id = p.product_id AND ordered_at < $3) AS u
	WHERE h IS NOT NULL$$ FROM unnest('{inventory,"inventory($3)"}'::text[]) AS relation
UNION ALL SELECT relation, format($$WITH l AS (SELECT DISTINCT order_id, product_id FROM o JOIN order_items USING (order_id) WHERE ordered_at >= $1 AND ordered_at < $2), n AS (SELECT count(DISTINCT order_id)::numeric AS n FROM l)
	SELECT a.product_id, p.name, b.product_id, q.name, count(*), round(count(*) / n, 6), round(count(*)::numeric / a.c, 6), round(count(*) * n / (a.c * b.c), 4)
	FROM (SELECT *, (SELECT count(*) FROM l AS x WHERE x.product_id = l.product_id) AS c FROM l) AS a JOIN (SELECT *, (SELECT count(*) FROM l AS x WHERE x.product_id = l.product_id) AS c FROM l) AS b ON a.order_id = b.order_id AND a.product_id <> b.product_id
	JOIN products AS p ON p.product_id = a.product_id JOIN products AS q ON q.product_id = b.product_id, n GROUP BY 1, 2, 3, 4, n, a.c, b.c HAVING count(*) >= %s$$, least)
FROM (VALUES ('cross_sell', 1), ('cross_sell($1, $2)', 1), ('cross_sell($1, $2, 2)', 2)) AS v(relation, least);
INSERT INTO checks VALUES ('up_sell', $$WITH p AS (SELECT product_id, name, category, price, active, coalesce(currency, base_currency) AS currency FROM products, settings WHERE category IS NOT NULL AND price IS NOT NULL),
	b AS (SELECT product_id, customer_id, min(ordered_at) AS first FROM o JOIN order_items USING (order_id) WHERE customer_id IS NOT NULL GROUP BY 1, 2)
	SELECT x.product_id, x.name, x.category, x.currency, x.price, y.product_id, y.name, y.price, y.price - x.price, n, m, round(m::numeric / nullif(n, 0), 6), nearest
	FROM p AS x JOIN p AS y ON (x.category, x.currency) = (y.category, y.currency) AND y.price > x.price AND y.active,
		LATERAL (SELECT count(*) AS n FROM b WHERE b.product_id = x.product_id) AS n,
		LATERAL (SELECT count(*) AS m FROM b JOIN b AS c USING (customer_id) WHERE b.product_id = x.product_id AND c.product_id = y.product_id AND c.first > b.first) AS m,
		LATERAL (SELECT NOT EXISTS (SELECT FROM p AS z WHERE (x.category, x.currency) = (z.category, z.currency) AND z.active AND z.price > x.price AND (z.price, z.product_id) < (y.price, y.product_id)) AS nearest) AS z
	WHERE x.active AND (nearest OR m > 0)$$);

-- Visitors
CREATE FUNCTION pg_temp.may(id bigint, by text, address text) RETURNS boolean LANGUAGE sql AS $$SELECT coalesce((SELECT granted FROM consents AS s WHERE s.customer_id = id AND channel = by AND purpose = 'marketing' AND at <= now()
	ORDER BY at DESC, consent_id DESC LIMIT 1), false) AND NOT coalesce(address IN (SELECT a FROM suppressed WHERE channel = by), false)$$;
CREATE TEMP VIEW first_order AS SELECT who, min(ordered_at) AS at FROM o WHERE who IS NOT NULL GROUP BY 1;
CREATE TEMP VIEW steps AS SELECT customer_id, visitor_id, came AS a, least(looked, chose, bought) AS i, least(chose, bought) AS d, bought AS o
FROM (SELECT customer_id, visitor_id, who, min(touched_at) AS came, min(touched_at) FILTER (WHERE kind IN ('view', 'signup', 'login')) AS looked, min(touched_at) FILTER (WHERE kind IN ('cart', 'checkout')) AS chose FROM t GROUP BY 1, 2, 3) AS v,
	LATERAL (SELECT min(ordered_at) AS bought FROM o WHERE o.who = v.who AND ordered_at >= came) AS b;
INSERT INTO checks SELECT relation, 'SELECT touch_id, t.customer_id, r.visitor_id, touched_at, kind, channel, campaign, product_id, country FROM t JOIN (SELECT touch_id, visitor_id, country FROM touches) AS r USING (touch_id)'
FROM unnest('{customer_touches,all_touches}'::text[]) AS relation;
INSERT INTO checks VALUES ('visitor_funnel', 'TABLE steps'), ('visitor_funnel($1, $2)', 'SELECT * FROM steps WHERE a >= $1 AND a < $2');
INSERT INTO checks SELECT relation, $$WITH s AS (SELECT * FROM steps WHERE a >= $1 AND a < $2), n AS (SELECT count(*) AS a, count(i) AS i, count(d) AS d, count(o) AS o FROM s),
	v(place, stage, visitors, before, median_hours) AS (SELECT 1, 'attraction', a, NULL::bigint, NULL::float8 FROM n
		UNION ALL SELECT 2, 'interest', i, a, (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM i - a)) FROM s) / 3600 FROM n
		UNION ALL SELECT 3, 'decision', d, i, (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM d - i)) FROM s) / 3600 FROM n
		UNION ALL SELECT 4, 'action', o, d, (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM o - d)) FROM s) / 3600 FROM n)
	SELECT place, stage, visitors, before - visitors AS lost, round(visitors::numeric / nullif(before, 0), 6) AS rate, round(visitors::numeric / nullif((SELECT a FROM n), 0), 6) AS rate_of_all, median_hours FROM v$$, 'place'
FROM unnest('{funnel,"funnel($1, $2)"}'::text[]) AS relation;
INSERT INTO checks VALUES
('conversion_rate', $$SELECT month, count(*), count(*) FILTER (WHERE month = date_trunc('month', at AT TIME ZONE time_zone)), round(count(*) FILTER (WHERE month = date_trunc('month', at AT TIME ZONE time_zone))::numeric / count(*), 6)
	FROM (SELECT DISTINCT month, who FROM t) AS v LEFT JOIN first_order USING (who), settings GROUP BY 1$$),
('conversion_rate($1, $2)', $$SELECT count(*), count(*) FILTER (WHERE at >= $1 AND at < $2), round(count(*) FILTER (WHERE at >= $1 AND at < $2)::numeric / nullif(count(*), 0), 6)
	FROM (SELECT DISTINCT who FROM t WHERE touched_at >= $1 AND touched_at < $2) AS v LEFT JOIN first_order USING (who)$$);
-- sessions and carts, event by event
CREATE FUNCTION pg_temp.sessions(u timestamptz) RETURNS TABLE (customer_id bigint, visitor_id text, started_at timestamptz, ended_at timestamptz, touches bigint, channel text, landing text, product_id bigint, ordered_at timestamptz) LANGUAGE plpgsql AS $$
DECLARE e record; who text; last timestamptz;
BEGIN
	touches := 0;
	FOR e IN SELECT t.who, t.touched_at AS at, t.touch_id, t.customer_id AS c, t.visitor_id AS v, t.channel AS k, t.kind, t.product_id AS p FROM t WHERE kind NOT LIKE 'email%'
		UNION ALL SELECT o.who, o.ordered_at, NULL, NULL, NULL, NULL, NULL, NULL FROM o WHERE o.who IS NOT NULL ORDER BY 1, 2, 3
	LOOP
		CONTINUE WHEN e.at >= u;
		IF touches > 0 AND (who <> e.who OR e.touch_id IS NOT NULL AND e.at > last + interval '30 minutes') THEN RETURN NEXT; touches := 0; END IF;
		IF e.touch_id IS NULL AND touches > 0 AND e.at <= last + interval '30 minutes' THEN ordered_at := coalesce(ordered_at, e.at); ended_at := e.at; END IF;
		CONTINUE WHEN e.touch_id IS NULL;
		IF touches = 0 THEN
			who := e.who; customer_id := e.c; visitor_id := e.v; started_at := e.at; channel := e.k; landing := e.kind; product_id := e.p; ordered_at := NULL;
		END IF;
		touches := touches + 1; ended_at := e.at; last := e.at;
	END LOOP;
	IF touches > 0 THEN RETURN NEXT; END IF;
END $$;
CREATE FUNCTION pg_temp.carts() RETURNS TABLE (customer_id bigint, visitor_id text, started_at timestamptz, last_at timestamptz, touches bigint, channel text, product_id bigint, ordered_at timestamptz, status text) LANGUAGE plpgsql AS $$
DECLARE e record; who text;
BEGIN
	touches := 0;
	FOR e IN SELECT t.who, t.touched_at AS at, 0 AS is_order, t.touch_id, t.customer_id AS c, t.visitor_id AS v, t.channel AS k, t.product_id AS p FROM t WHERE kind IN ('cart', 'checkout')
		UNION ALL SELECT o.who, o.ordered_at, 1, NULL, NULL, NULL, NULL, NULL FROM o WHERE o.who IS NOT NULL ORDER BY 1, 2, 3, 4
	LOOP
		IF touches > 0 AND (who <> e.who OR e.is_order = 1 OR e.at > last_at + interval '168 hours') THEN
			IF e.is_order = 1 AND who = e.who AND e.at <= last_at + interval '168 hours' THEN
				ordered_at := e.at;
				status := CASE WHEN e.at <= last_at + interval '1 hour' THEN 'ordered' ELSE 'recovered' END;
			END IF;
			RETURN NEXT;
			touches := 0;
		END IF;
		CONTINUE WHEN e.is_order = 1;
		IF touches = 0 THEN
			who := e.who; customer_id := e.c; visitor_id := e.v; started_at := e.at; product_id := NULL; ordered_at := NULL;
		END IF;
		status := CASE WHEN e.at > now() - interval '1 hour' THEN 'open' ELSE 'abandoned' END;
		last_at := e.at; touches := touches + 1; channel := e.k; product_id := coalesce(e.p, product_id);
	END LOOP;
	IF touches > 0 THEN RETURN NEXT; END IF;
END $$;
INSERT INTO touches (visitor_id, touched_at, kind, channel) VALUES ('now', now(), 'cart', 'direct');
INSERT INTO checks SELECT relation, 'SELECT * FROM pg_temp.sessions($2) WHERE started_at >= $1' FROM unnest('{sessions,"sessions($1, $2)"}'::text[]) AS relation;
INSERT INTO checks SELECT relation, format('SELECT %s, count(*), sum(b), round(avg(b), 6), sum(c), round(avg(c), 6) FROM (SELECT s.*, p.category, date_trunc(''month'', started_at AT TIME ZONE time_zone)::date AS month, (touches = 1 AND ordered_at IS NULL)::int AS b,
	(ordered_at IS NOT NULL)::int AS c FROM settings, pg_temp.sessions($2) AS s LEFT JOIN products AS p USING (product_id) WHERE started_at >= $1) AS s GROUP BY %1$s', parts)
FROM (VALUES ('bounce_rate', 'month, channel'), ('bounce_rate($1, $2)', 'channel, landing, category')) AS v(relation, parts);
INSERT INTO checks VALUES ('carts', 'SELECT * FROM pg_temp.carts()'), ('carts($1, $2)', 'SELECT * FROM pg_temp.carts() WHERE started_at >= $1 AND started_at < $2'),
('abandoned_carts', $$SELECT k.customer_id, visitor_id, nullif(concat_ws(' ', first_name, last_name), ''), email::text, phone::text, CASE WHEN k.customer_id IS NOT NULL THEN pg_temp.may(k.customer_id, 'email', email::text) END,
	started_at, last_at, touches, channel, product_id, ordered_at, status FROM pg_temp.carts() AS k LEFT JOIN customers USING (customer_id) WHERE status IN ('abandoned', 'recovered')$$),
('abandoned_carts($1, $2)', $$SELECT count(*), count(*) FILTER (WHERE status = 'ordered'), count(*) FILTER (WHERE status <> 'ordered'), count(*) FILTER (WHERE status = 'recovered'),
	round(count(*) FILTER (WHERE status <> 'ordered')::numeric / nullif(count(*), 0), 6), round(count(*) FILTER (WHERE status = 'recovered')::numeric / nullif(count(*) FILTER (WHERE status <> 'ordered'), 0), 6)
	FROM pg_temp.carts() WHERE status <> 'open' AND started_at >= $1 AND started_at < $2$$);

-- Customers
CREATE TEMP VIEW bought AS SELECT customer_id, count(*) AS n, min(ordered_at) AS first, max(ordered_at) AS last, CASE WHEN count(*) = count(value) THEN sum(value) END AS money FROM o WHERE customer_id IS NOT NULL GROUP BY 1;
-- until when a customer is neither at risk (90 days, 2 gaps) nor lost (180 days, 4 gaps)
CREATE FUNCTION pg_temp.until(days int, gaps int, n bigint, first timestamptz, last timestamptz) RETURNS timestamptz LANGUAGE sql RETURN
	last + make_interval(secs => greatest(86400 * days, gaps * trunc(extract(epoch FROM last - first) / nullif(n - 1, 0), 6))::float8);
CREATE FUNCTION pg_temp.stage(n bigint, first timestamptz, last timestamptz, at timestamptz) RETURNS text LANGUAGE sql RETURN CASE WHEN coalesce(n, 0) = 0 THEN 'lead'
	WHEN at > pg_temp.until(180, 4, n, first, last) THEN 'lost' WHEN at > pg_temp.until(90, 2, n, first, last) THEN 'at_risk' WHEN n >= 5 THEN 'loyal' WHEN n >= 2 THEN 'active' ELSE 'new' END;
CREATE TEMP TABLE phases (stage text, phase text);
INSERT INTO phases VALUES ('lead', 'acquisition'), ('new', 'launch'), ('active', 'development'), ('loyal', 'development'), ('at_risk', 'separation'), ('lost', 'separation');
INSERT INTO checks VALUES ('lifecycle($3)', $$SELECT customer_id, s.stage, phase, CASE stage WHEN 'at_risk' THEN pg_temp.until(180, 4, n, first, last) WHEN 'lead' THEN NULL WHEN 'lost' THEN NULL ELSE pg_temp.until(90, 2, n, first, last) END, coalesce(n, 0), first, last
	FROM customers LEFT JOIN (SELECT customer_id, count(*) AS n, min(ordered_at) AS first, max(ordered_at) AS last FROM o WHERE customer_id IS NOT NULL AND ordered_at < $3 GROUP BY 1) AS b USING (customer_id), LATERAL pg_temp.stage(n, first, last, $3) AS s(stage) JOIN phases USING (stage)
	WHERE merged_into IS NULL AND (created_at < $3 OR n > 0)$$);
-- scores by the quantiles of those who had bought as the scale was made, names by the grid of (R, (F + M) / 2)
CREATE TEMP TABLE grid (segment text, cells text[]);
INSERT INTO grid VALUES ('Champions', '{55,54,45}'), ('Loyal Customers', '{53,44,35,34}'), ('Potential Loyalists', '{52,42,33,43}'), ('New Customers', '{51}'), ('Promising', '{41,31}'),
	('Need Attention', '{32,23,22}'), ('About To Sleep', '{21}'), ('At Risk', '{25,24,13}'), ('Can''t Lose Them', '{15,14}'), ('Hibernating', '{12}'), ('Lost', '{11}');
CREATE TABLE pg_temp.cuts AS SELECT percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8]) WITHIN GROUP (ORDER BY '2026-01-01' - last) AS r, percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8]) WITHIN GROUP (ORDER BY n) AS f,
	percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8]) WITHIN GROUP (ORDER BY money) AS m
FROM (SELECT count(*) AS n, max(ordered_at) AS last, sum(value) AS money FROM o WHERE customer_id IS NOT NULL AND ordered_at < '2026-01-01' GROUP BY customer_id) AS b;
CREATE FUNCTION pg_temp.scores(at timestamptz) RETURNS TABLE (customer_id bigint, recency_days int, orders bigint, net_base numeric, r int, f int, m int, rfm text, segment text) LANGUAGE sql AS $$
	SELECT s.*, r || '-' || f || '-' || m, segment FROM (
		SELECT customer_id, floor(extract(epoch FROM greatest(at, last) - last) / 86400)::int AS days, n, money, CASE WHEN money IS NOT NULL THEN 5 - (SELECT count(*) FROM unnest(c.r) AS x WHERE x < greatest(at, last) - last) END::int AS r,
			CASE WHEN money IS NOT NULL THEN 1 + (SELECT count(*) FROM unnest(c.f) AS x WHERE x < n) END::int AS f, 1 + CASE WHEN money IS NOT NULL THEN (SELECT count(*) FROM unnest(c.m) AS x WHERE x < money) END::int AS m
		FROM (SELECT customer_id, count(*) AS n, max(ordered_at) AS last, CASE WHEN count(*) = count(value) THEN sum(value) END AS money FROM o WHERE o.customer_id IS NOT NULL AND (at > now() - interval '2 days' OR ordered_at < at) GROUP BY 1) AS b, pg_temp.cuts AS c) AS s
	LEFT JOIN grid ON r::text || ((f + m + 1) / 2) = ANY (cells) $$;
CREATE FUNCTION pg_temp.today() RETURNS timestamptz LANGUAGE sql RETURN (SELECT date_trunc('day', now() AT TIME ZONE time_zone) AT TIME ZONE time_zone FROM settings);
CREATE FUNCTION pg_temp.all_scores(at timestamptz) RETURNS TABLE (customer_id bigint, recency_days int, orders bigint, net_base numeric, r int, f int, m int, rfm text, segment text) LANGUAGE sql AS $$
	SELECT * FROM pg_temp.scores(at) UNION ALL SELECT customer_id, NULL, 0, 0, NULL, NULL, NULL, '0-0-0', 'Prospects' FROM customers WHERE merged_into IS NULL AND customer_id NOT IN (SELECT b.customer_id FROM bought AS b)$$;
INSERT INTO checks VALUES ('rfm($3)', 'SELECT * FROM pg_temp.scores($3)'), ('rfm', 'SELECT * FROM pg_temp.all_scores(pg_temp.today())');
INSERT INTO checks SELECT relation, format('SELECT segment, count(*), round(count(*)::numeric / sum(count(*)) OVER (), 6), sum(orders), sum(net_base), round(sum(net_base) / nullif(sum(sum(net_base)) OVER (), 0), 6),
	round(sum(net_base) / nullif(sum(orders), 0), 4), round(avg(recency_days), 1) FROM %s WHERE segment IS NOT NULL GROUP BY 1', scores)
FROM (VALUES ('segments', 'pg_temp.all_scores(pg_temp.today())'), ('segments($3)', 'pg_temp.scores($3)')) AS v(relation, scores);
-- the model's own functions on plain numbers are compared with others in ltv
CREATE FUNCTION pg_temp.worth(at timestamptz, days int) RETURNS TABLE (customer_id bigint, orders bigint, historic numeric, p_alive numeric, expected_orders numeric, expected_order_value numeric, predicted numeric, total numeric, next_order_at timestamptz, days_between_orders numeric) LANGUAGE sql AS $$
	SELECT customer_id, n, round(money * margin, 4), alive::numeric, times::numeric, value::numeric, (times * value)::numeric * margin, (money + (times * value)::numeric) * margin, CASE WHEN next < last + interval '87600 hours' THEN next END, round((gap / 86400)::numeric, 2)
	FROM (SELECT customer_id, count(*) AS n, CASE WHEN count(*) = count(value) THEN sum(value) END AS money, max(ordered_at) AS last, extract(epoch FROM max(ordered_at) - min(ordered_at)) / nullif(count(*) - 1, 0) AS gap,
			(extract(epoch FROM max(ordered_at) - min(ordered_at)) / 86400)::float8 AS t_x, (extract(epoch FROM greatest(at, max(ordered_at)) - min(ordered_at)) / 86400)::float8 AS t,
			-- several at the first moment: the first one is worth their average
			coalesce((sum(value) - avg(value) FILTER (WHERE ordered_at = first)) / nullif(count(*) - 1, 0), 0)::float8 AS repeat, crm.purchases(ordered_at, 0) AS p
		FROM (SELECT *, min(ordered_at) OVER (PARTITION BY customer_id) AS first FROM o WHERE customer_id IS NOT NULL AND (at > now() - interval '2 days' OR ordered_at < at)) AS o GROUP BY 1) AS c,
		(SELECT f.ltv_model AS m, margin FROM fits AS f, settings WHERE kind = 'ltv' AND current) AS f,
		LATERAL (SELECT crm.alive(m, n - 1, t_x, t) AS alive, crm.expected_orders(m, n - 1, t_x, t, days::float8) AS times, CASE WHEN money IS NOT NULL THEN crm.expected_order_value(m, n - 1, repeat) END AS value, crm.next_order(m, p) AS next) AS v $$;
INSERT INTO checks VALUES ('ltv($3)', 'SELECT * FROM pg_temp.worth($3, 365)', 'customer_id'), ('ltv($3, ''90 days'')', 'SELECT * FROM pg_temp.worth($3, 90)', 'customer_id'), ('ltv', 'SELECT * FROM pg_temp.worth(pg_temp.today(), 365)', 'customer_id'),
('customer_360', $$SELECT c.customer_id, first_name, last_name, nullif(concat_ws(' ', first_name, last_name), '') AS name, email::text, phone::text, job_title, birth_date, gender, language, country, region, city, array_to_string(nullif(tags, '{}'), ', ') AS tags, attributes::text,
		(SELECT name FROM accounts AS a WHERE a.account_id = c.account_id) AS account, created_via, source, created_at, b.n IS NOT NULL AS is_customer, coalesce(b.n, 0) AS orders, first AS first_order_at, last AS last_order_at,
		(SELECT count(*) FROM orders AS x WHERE x.customer_id = c.customer_id AND status IN ('placed', 'paid', 'shipped') AND NOT test) AS open_orders,
		m.currency, m.gross, m.refunded, m.gross - m.refunded AS net, round(m.gross / b.n, 4) AS average_order_value, CASE WHEN b.n IS NULL THEN 0 ELSE b.money END AS net_base,
		(SELECT category FROM o JOIN order_items USING (order_id) JOIN products USING (product_id) WHERE o.customer_id = c.customer_id AND category IS NOT NULL GROUP BY 1 ORDER BY sum(quantity) DESC, 1 LIMIT 1) AS favourite_category,
		(SELECT count(*) FROM t WHERE t.customer_id = c.customer_id) AS touches, (SELECT channel FROM t WHERE t.customer_id = c.customer_id ORDER BY touched_at, touch_id LIMIT 1) AS first_channel,
		(SELECT max(touched_at) FROM t WHERE t.customer_id = c.customer_id) AS last_touch_at, pg_temp.may(c.customer_id, 'email', email::text) AS may_email, pg_temp.may(c.customer_id, 'sms', phone::text) AS may_sms, pg_temp.may(c.customer_id, 'phone', phone::text) AS may_phone,
		s.stage, phase, l.stage_since, CASE s.stage WHEN 'at_risk' THEN pg_temp.until(180, 4, b.n, first, last) WHEN 'lead' THEN NULL WHEN 'lost' THEN NULL ELSE pg_temp.until(90, 2, b.n, first, last) END AS stage_until,
		rfm, segment, p_alive, predicted, total, next_order_at, (SELECT channel FROM t WHERE t.customer_id = c.customer_id ORDER BY touched_at DESC, touch_id DESC LIMIT 1) AS last_channel, team
	FROM customers AS c LEFT JOIN bought AS b USING (customer_id) LEFT JOIN (SELECT customer_id, min(currency) AS currency, sum(gross) AS gross, sum(refunded) AS refunded FROM o GROUP BY 1 HAVING count(DISTINCT currency) = 1) AS m USING (customer_id)
	LEFT JOIN pg_temp.all_scores(pg_temp.today()) AS r USING (customer_id) LEFT JOIN pg_temp.worth(pg_temp.today(), 365) AS w USING (customer_id) JOIN (SELECT customer_id, stage_since FROM lifecycle) AS l USING (customer_id),
	LATERAL pg_temp.stage(b.n, first, last, now()) AS s(stage) JOIN phases USING (stage) WHERE merged_into IS NULL$$, 'customer_id');
INSERT INTO checks SELECT '(SELECT f.* FROM customers AS c, customer_360(c.customer_id) AS f WHERE merged_into IS NULL)', query, key FROM checks WHERE relation = 'customer_360';
INSERT INTO checks VALUES
('customer_preferences', $$SELECT customer_id, count(*), (SELECT category FROM o AS b JOIN order_items USING (order_id) JOIN products USING (product_id) WHERE b.customer_id = o.customer_id AND category IS NOT NULL GROUP BY 1 ORDER BY sum(quantity) DESC, 1 LIMIT 1),
	(SELECT channel FROM o AS b WHERE b.customer_id = o.customer_id GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1), (SELECT to_char(day, 'ID')::int FROM o AS b WHERE b.customer_id = o.customer_id GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1),
	(SELECT extract(hour FROM local)::int FROM o AS b WHERE b.customer_id = o.customer_id GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1),
	(SELECT CASE WHEN round(avg(place), 9) < round(1 / 3.0, 9) THEN 'low' WHEN round(avg(place), 9) < round(2 / 3.0, 9) THEN 'middle' WHEN avg(place) IS NOT NULL THEN 'high' END FROM o AS b JOIN order_items USING (order_id) JOIN products AS p USING (product_id), generate_series(1, quantity),
		LATERAL (SELECT CASE WHEN p.price IS NOT NULL THEN coalesce(count(*) FILTER (WHERE q.price < p.price) / nullif(count(q.price) - 1.0, 0), 0) END AS place FROM products AS q, settings
			WHERE q.category = p.category AND coalesce(q.currency, base_currency) = coalesce(p.currency, base_currency)) AS r WHERE b.customer_id = o.customer_id AND p.category IS NOT NULL)
	FROM o WHERE customer_id IS NOT NULL GROUP BY 1$$),
('customer_timeline', $$SELECT customer_id, at, 'order', h.status, order_id, CASE h.status WHEN 'placed' THEN amount END, currency, channel FROM orders AS o JOIN order_history AS h USING (order_id) WHERE customer_id IS NOT NULL
	UNION ALL SELECT customer_id, r.refunded_at, 'refund', reason, order_id, -r.amount, currency, channel FROM orders AS o JOIN refunds AS r USING (order_id) WHERE customer_id IS NOT NULL
	UNION ALL SELECT customer_id, touched_at, 'touch', kind, NULL, NULL, NULL, channel FROM t WHERE customer_id IS NOT NULL
	UNION ALL SELECT customer_id, at, 'consent', concat(channel, ' ', purpose, CASE granted WHEN true THEN ' granted' ELSE ' withdrawn' END), NULL, NULL, NULL, source FROM consents
	UNION ALL SELECT 3, merged_at, 'merge', 'customer 5: the same', NULL, NULL, NULL, NULL FROM merges WHERE absorb = 5
	UNION ALL SELECT customer_id, created_at, 'customer', created_via, NULL, NULL, NULL, source FROM customers WHERE merged_into IS NULL$$);

-- Channels.  Each order with the touches of the 30 days before it; what leads there, and what leads nowhere, as paths of names.  Touches of one moment are in the order of channels' names, direct ones as if all were called so.
CREATE FUNCTION pg_temp.ways(f timestamptz, u timestamptz, campaigns boolean) RETURNS TABLE (won int, value numeric, is_first int, path text[]) LANGUAGE sql AS $$
	WITH t AS (SELECT t.*, channel || CASE WHEN campaigns THEN '/' || coalesce(campaign, '') ELSE '' END AS name, CASE WHEN direct THEN 'direct' ELSE channel END AS title FROM t)
	SELECT 1, value, (customer_id IS NOT NULL AND n = 1)::int, coalesce((SELECT array_agg(name ORDER BY touched_at, title COLLATE "C", name COLLATE "C") FROM t WHERE t.who = o.who AND touched_at BETWEEN ordered_at - interval '720 hours' AND ordered_at), '{}')
	FROM o WHERE ordered_at >= f AND ordered_at < u
	UNION ALL SELECT 0, 0, 0, array_agg(name ORDER BY touched_at, title COLLATE "C", name COLLATE "C") FILTER (WHERE touched_at >= last - interval '720 hours')
	FROM (SELECT t.*, max(touched_at) OVER (PARTITION BY who) AS last FROM t WHERE touched_at >= f - interval '720 hours' AND touched_at < u) AS t
	LEFT JOIN (SELECT who, max(ordered_at) AS ordered FROM o WHERE ordered_at >= f AND ordered_at < u GROUP BY 1) AS p USING (who)
	WHERE last < least(u, now()) - interval '720 hours' AND (ordered IS NULL OR touched_at > ordered) GROUP BY who $$;
CREATE FUNCTION pg_temp.credits(f timestamptz, u timestamptz, campaigns boolean) RETURNS TABLE (channel text, campaign text, model text, orders numeric, revenue numeric, new_customers numeric) LANGUAGE sql AS $$
	WITH b AS (SELECT order_id, ordered_at, value, o.customer_id IS NOT NULL AND o.n = 1 AS is_first, coalesce(channel || CASE WHEN campaigns THEN '/' || coalesce(campaign, '') ELSE '' END, '(none)') AS name, touched_at, count(touch_id) OVER (PARTITION BY order_id) AS n,
			row_number() OVER (PARTITION BY order_id ORDER BY touched_at, title COLLATE "C", channel COLLATE "C", campaign COLLATE "C" NULLS FIRST) AS place, row_number() OVER (PARTITION BY order_id ORDER BY direct, touched_at DESC, title COLLATE "C" DESC, channel COLLATE "C" DESC, campaign COLLATE "C" DESC NULLS LAST) AS liked
		FROM (SELECT order_id, ordered_at, value, customer_id, n, who FROM o WHERE ordered_at >= f AND ordered_at < u) AS o LEFT JOIN (SELECT who, touch_id, touched_at, channel, campaign, direct, CASE WHEN direct THEN 'direct' ELSE channel END AS title FROM t) AS t ON t.who = o.who AND touched_at BETWEEN ordered_at - interval '720 hours' AND ordered_at),
	w AS (SELECT b.*, model, weight::numeric / sum(weight::numeric) OVER (PARTITION BY order_id, model) AS credit FROM b, LATERAL (VALUES ('first', (place = 1)::int::float8), ('last', (place = greatest(n, 1))::int), ('last_non_direct', (liked = 1)::int), ('linear', 1),
		('position', CASE WHEN n <= 2 THEN 1 WHEN place IN (1, n) THEN 0.4 ELSE 0.2 / (n - 2) END), ('time_decay', CASE WHEN n = 0 THEN 1 ELSE 2 ^ (-extract(epoch FROM ordered_at - touched_at)::float8 / 604800) END)) AS m(model, weight)),
	p AS MATERIALIZED (SELECT row_number() OVER () AS way, y.* FROM pg_temp.ways(f, u, campaigns) AS y),
	s AS (SELECT *, count(*) OVER (PARTITION BY way) AS n FROM (SELECT DISTINCT way, value, is_first, unnest(CASE path WHEN '{}' THEN '{(none)}' ELSE path END) AS name FROM p WHERE won = 1) AS d),
	k AS (SELECT crm.markov_model(path, won, coalesce(value, 0), 1 - won, 1) AS m FROM p), l AS (SELECT crm.markov_model(path, is_first, 0, 1 - won, 1) AS m FROM p WHERE is_first = 1 OR won = 0)
	SELECT split_part(name, '/', 1), CASE WHEN campaigns THEN split_part(name, '/', 2) ELSE '' END, model, round(orders, 4), CASE WHEN NOT EXISTS (SELECT FROM p WHERE value IS NULL) THEN round(revenue, 4) END, round(coalesce(news, 0), 4) FROM (
		SELECT name, model, sum(credit) AS orders, sum(credit * value) AS revenue, sum(credit) FILTER (WHERE is_first) AS news FROM w GROUP BY 1, 2
		UNION ALL SELECT name, 'shapley', sum(1.0 / n), sum(value / n), sum(is_first::numeric / n) FROM s GROUP BY 1
		UNION ALL SELECT a.channel, 'markov', a.conversions, a.value, b.conversions FROM k, crm.channels(k.m) AS a LEFT JOIN (SELECT c.* FROM l, crm.channels(l.m) AS c) AS b USING (channel)) AS c $$;
CREATE FUNCTION pg_temp.spent(f timestamptz, u timestamptz) RETURNS TABLE (channel text, campaign text, amount numeric) LANGUAGE sql AS $$
	SELECT channel, campaign, round(amount * CASE WHEN currency = base_currency THEN 1 ELSE (SELECT rate FROM rates AS r WHERE r.currency = p.currency AND r.day <= p.day ORDER BY r.day DESC LIMIT 1) END, (SELECT decimals FROM currencies AS c WHERE c.currency = base_currency))
	FROM spend AS p, settings WHERE day::timestamp AT TIME ZONE time_zone >= f AND day::timestamp AT TIME ZONE time_zone < u $$;
CREATE FUNCTION pg_temp.performance(f timestamptz, u timestamptz, rule text) RETURNS TABLE (channel text, type text, visitors bigint, converted bigint, conversion_rate numeric, orders bigint, revenue numeric, revenue_share numeric, credit numeric,
	attributed_orders numeric, attributed_revenue numeric, attributed_new_customers numeric, spend numeric, cac numeric, roas numeric) LANGUAGE sql AS $$
	WITH c AS MATERIALIZED (SELECT * FROM pg_temp.credits(f, u, false) AS x WHERE model = rule)
	SELECT k.channel, k.type, v, c, round(c::numeric / nullif(v, 0), 6), n, r, round(share, 6), CASE WHEN share NOT BETWEEN 0 AND 1 THEN NULL WHEN v > 0 THEN round(coalesce((SELECT max(x.credit) FROM credit_tiers AS x WHERE x.revenue_share <= share AND x.conversion_rate <= c::numeric / v), c::numeric / v + 0 * share), 6) END,
		coalesce(w.orders, 0), CASE WHEN w.channel IS NULL THEN 0 ELSE w.revenue END, coalesce(w.new_customers, 0), s, round(s / nullif(w.new_customers, 0), 4), round(CASE WHEN w.channel IS NULL THEN 0 ELSE w.revenue END / nullif(s, 0), 4)
	FROM (SELECT channel, type FROM channels UNION ALL SELECT channel, NULL FROM c WHERE channel = '(none)') AS k LEFT JOIN c AS w USING (channel),
		LATERAL (SELECT count(*) AS v, count(*) FILTER (WHERE EXISTS (SELECT FROM o WHERE o.who = p.who AND o.ordered_at >= p.first AND o.ordered_at < u)) AS c
			FROM (SELECT who, min(touched_at) AS first FROM t WHERE t.channel = k.channel AND touched_at >= f AND touched_at < u GROUP BY 1) AS p) AS visits,
		LATERAL (SELECT count(*) AS n, CASE WHEN count(*) = count(value) THEN coalesce(sum(value), 0) END AS r FROM o WHERE o.channel = k.channel AND ordered_at >= f AND ordered_at < u) AS sold,
		LATERAL (SELECT r / nullif(CASE WHEN count(*) = count(value) THEN sum(value) END, 0) AS share FROM o WHERE ordered_at >= f AND ordered_at < u) AS part,
		LATERAL (SELECT CASE WHEN count(*) = count(amount) THEN sum(amount) END AS s FROM pg_temp.spent(f, u) AS p WHERE p.channel = k.channel) AS cost $$;
INSERT INTO checks SELECT relation, 'SELECT channel, model, orders, revenue, new_customers FROM pg_temp.credits($1, $2, false)', 'channel, model' FROM unnest('{channel_attribution,"channel_attribution($1, $2)"}'::text[]) AS relation
UNION ALL SELECT relation, 'SELECT * FROM pg_temp.credits($1, $2, true)', 'channel, campaign, model' FROM unnest('{campaign_attribution,"campaign_attribution($1, $2)"}'::text[]) AS relation
UNION ALL SELECT relation, $$SELECT p.* FROM settings, pg_temp.performance($1, $2, attribution_model) AS p$$, 'channel' FROM unnest('{channel_performance,"channel_performance($1, $2)"}'::text[]) AS relation
UNION ALL SELECT 'channel_months', $$SELECT month::date, p.* FROM settings, generate_series(timestamp '2022-11-01', now() AT TIME ZONE time_zone, '1 month') AS month, pg_temp.performance(month AT TIME ZONE time_zone, (month + interval '1 month') AT TIME ZONE time_zone, attribution_model) AS p
	WHERE visitors > 0 OR orders > 0 OR attributed_orders > 0 OR EXISTS (SELECT FROM pg_temp.spent(month AT TIME ZONE time_zone, (month + interval '1 month') AT TIME ZONE time_zone) AS s WHERE s.channel = p.channel AND amount IS DISTINCT FROM 0)$$, 'month, channel'
UNION ALL SELECT relation, $$SELECT channel, campaign, coalesce(v, 0) AS visitors, coalesce(c, 0) AS converted, round(c::numeric / v, 6) AS conversion_rate, coalesce(orders, 0) AS attributed_orders, CASE WHEN orders IS NULL THEN 0 ELSE revenue END AS attributed_revenue, coalesce(new_customers, 0) AS attributed_new_customers,
		s AS spend, round(s / nullif(new_customers, 0), 4) AS cac, round(CASE WHEN orders IS NULL THEN 0 ELSE revenue END / nullif(s, 0), 4) AS roas, round((CASE WHEN orders IS NULL THEN 0 ELSE revenue END * margin - s) / nullif(s, 0), 4) AS roi
	FROM (SELECT channel, campaign, count(*) AS v, count(*) FILTER (WHERE EXISTS (SELECT FROM o WHERE o.who = p.who AND o.ordered_at >= p.first AND o.ordered_at < $2)) AS c
		FROM (SELECT who, channel, coalesce(campaign, '') AS campaign, min(touched_at) AS first FROM t WHERE touched_at >= $1 AND touched_at < $2 GROUP BY 1, 2, 3) AS p GROUP BY 1, 2) AS v
	FULL JOIN (SELECT c.* FROM settings, pg_temp.credits($1, $2, true) AS c WHERE model = attribution_model AND orders > 0) AS w USING (channel, campaign)
	FULL JOIN (SELECT channel, campaign, count(*) AS lines, CASE WHEN count(*) = count(amount) THEN sum(amount) END AS s FROM pg_temp.spent($1, $2) GROUP BY 1, 2) AS p USING (channel, campaign), settings$$, 'channel, campaign'
	FROM unnest('{campaign_performance,"campaign_performance($1, $2)"}'::text[]) AS relation;
INSERT INTO checks VALUES ('(SELECT journey_channel(o.channel) AS channel, model, o.conversions AS orders, coalesce(n.conversions, 0) AS new_customers FROM attribution($1, $2), crm.channels(orders) AS o LEFT JOIN LATERAL crm.channels(new_customers) AS n USING (channel, model))',
	'SELECT channel, model, orders, new_customers FROM pg_temp.credits($1, $2, false) AS c WHERE model NOT IN (''markov'', ''shapley'')', 'channel, model');
INSERT INTO checks VALUES ('paths($1, $2)', 'SELECT path, sum(won), CASE WHEN NOT EXISTS (SELECT FROM o WHERE ordered_at >= $1 AND ordered_at < $2 AND value IS NULL) THEN sum(value) END, sum(1 - won), sum(is_first) FROM pg_temp.ways($1, $2, false) GROUP BY 1'),
('channel_credit', $$WITH v AS (SELECT *, coalesce(credit, (SELECT max(x.credit) FROM credit_tiers AS x WHERE x.revenue_share <= c.revenue_share AND x.conversion_rate <= c.conversion_rate), conversion_rate + 0 * revenue_share) AS told FROM channel_credits AS c)
	SELECT channel, from_at, to_at, source, revenue_share, conversion_rate, told, told - (SELECT told FROM v AS b WHERE (b.channel, b.source) = (c.channel, c.source) AND b.from_at < c.from_at ORDER BY from_at DESC LIMIT 1), recorded_at FROM v AS c$$);

-- Retention: what each customer was as a period began and as it ended
CREATE FUNCTION pg_temp.moves(f timestamptz, u timestamptz) RETURNS TABLE (customer_id bigint, ordered boolean, at_start text, at_end text) LANGUAGE sql AS $$
	SELECT customer_id, b > a, CASE pg_temp.stage(a, first, last_a, f) WHEN 'lead' THEN 'none' WHEN 'lost' THEN 'lost' ELSE 'active' END, CASE pg_temp.stage(b, first, last_b, least(u, now())) WHEN 'lost' THEN 'lost' ELSE 'active' END
	FROM (SELECT customer_id, count(*) FILTER (WHERE ordered_at < f) AS a, max(ordered_at) FILTER (WHERE ordered_at < f) AS last_a, count(*) AS b, min(ordered_at) AS first, max(ordered_at) AS last_b
		FROM o WHERE customer_id IS NOT NULL AND ordered_at < least(u, now()) GROUP BY 1) AS c $$;
CREATE TEMP VIEW moves AS SELECT month::date, m.* FROM settings, (SELECT min(month)::timestamp AS since FROM o WHERE customer_id IS NOT NULL) AS s, generate_series(since, now() AT TIME ZONE time_zone, '1 month') AS month, pg_temp.moves(month AT TIME ZONE time_zone, (month + interval '1 month') AT TIME ZONE time_zone) AS m;
INSERT INTO checks SELECT relation, format($$SELECT %scount(*) FILTER (WHERE at_start = 'active'), count(*) FILTER (WHERE at_start = 'none'), count(*) FILTER (WHERE ordered AND at_start = 'active' AND at_end = 'active'), count(*) FILTER (WHERE at_start = 'lost' AND at_end = 'active'),
	count(*) FILTER (WHERE at_start <> 'lost' AND at_end = 'lost'), count(*) FILTER (WHERE at_end = 'active')%s$$, a, b)
FROM (VALUES ('growth', 'month, ', ', count(*) FILTER (WHERE at_start = ''active'' AND at_end = ''lost'') FROM moves GROUP BY 1'), ('growth($1, $2)', '', ' FROM pg_temp.moves($1, $2)')) AS v(relation, a, b)
UNION ALL SELECT relation, format($$SELECT %s count(*) FILTER (WHERE at_start = 'active'), count(*) FILTER (WHERE at_start = 'active' AND at_end = 'lost'), round(count(*) FILTER (WHERE at_start = 'active' AND at_end = 'lost')::numeric / nullif(count(*) FILTER (WHERE at_start = 'active'), 0), 6) %s$$, a, b)
FROM (VALUES ('churn', 'month, ', ' FROM moves GROUP BY 1'), ('churn($1, $2)', '', ' FROM pg_temp.moves($1, $2)')) AS v(relation, a, b)
UNION ALL SELECT 'customer_moves', $$SELECT customer_id, month, ordered, at_start, at_end FROM moves WHERE ordered OR at_start = 'active' AND at_end = 'lost'$$
UNION ALL SELECT relation, $$SELECT cohort::date, k, (cohort + k * interval '1 month')::date, count(*), CASE WHEN cohort + k * interval '1 month' <= until THEN sum(r) END, CASE WHEN cohort + k * interval '1 month' <= until THEN round(avg(r), 6) END
	FROM (SELECT *, min(cohort) OVER () AS oldest FROM (SELECT customer_id, min(month)::timestamp AS cohort FROM o WHERE customer_id IS NOT NULL AND ordered_at < $3 GROUP BY 1) AS f, settings WHERE cohort AT TIME ZONE time_zone >= $1 AND cohort AT TIME ZONE time_zone < $2) AS f,
		LATERAL (SELECT $3 AT TIME ZONE time_zone AS until) AS u, generate_series(0, 12 * (extract(year FROM until) - extract(year FROM oldest))::int + (extract(month FROM until) - extract(month FROM oldest))::int) AS k,
		LATERAL (SELECT EXISTS (SELECT FROM o WHERE o.customer_id = f.customer_id AND ordered_at < $3 AND o.month = cohort + k * interval '1 month')::int AS r) AS b
	GROUP BY cohort, k, until$$ FROM unnest('{cohort_retention,"cohort_retention($1, $2, $3)"}'::text[]) AS relation;

-- Subscriptions, goals, what is wrong
CREATE FUNCTION pg_temp.sent(within interval) RETURNS TABLE (subscription_id bigint, customer_id bigint, kind text, channel text, sent_at timestamptz, opened int, clicked int, bought int) LANGUAGE sql AS $$
	SELECT subscription_id, m.customer_id, kind, m.channel, sent_at, (opened_at IS NOT NULL)::int, (clicked_at IS NOT NULL)::int,
		EXISTS (SELECT FROM o JOIN order_items AS i USING (order_id) WHERE o.customer_id = m.customer_id AND i.product_id = m.product_id AND ordered_at >= sent_at AND ordered_at < sent_at + within)::int
	FROM (SELECT subscription_id, customer_id, kind, channel, product_id, sent_at, opened_at, clicked_at FROM outbox) AS m WHERE sent_at IS NOT NULL AND subscription_id IS NOT NULL $$;
INSERT INTO checks VALUES ('subscriptions', $$SELECT s.subscription_id, s.customer_id, s.kind, s.product_id, (SELECT name FROM products AS p WHERE p.product_id = s.product_id), s.category, s.channel, purpose, created_at, expires_at, ended_at, coalesce(expires_at > now(), true) AND ended_at IS NULL,
	(SELECT count(*) FROM outbox AS b WHERE b.subscription_id = s.subscription_id), n, coalesce(o, 0), coalesce(c, 0), coalesce(b, 0), last, round(o::numeric / n, 6), round(c::numeric / n, 6), round(b::numeric / n, 6)
	FROM product_subscriptions AS s, LATERAL (SELECT count(*), sum(opened), sum(clicked), sum(bought), max(sent_at) FROM pg_temp.sent('720 hours') AS m WHERE m.subscription_id = s.subscription_id) AS m(n, o, c, b, last)$$);
INSERT INTO checks SELECT relation, format('SELECT kind, channel, count(DISTINCT subscription_id), count(DISTINCT customer_id), count(*), sum(opened), sum(clicked), sum(bought), round(avg(opened), 6), round(avg(clicked), 6), round(avg(bought), 6)
	FROM pg_temp.sent(%L) WHERE sent_at >= $1 AND sent_at < $2 GROUP BY 1, 2', within) FROM (VALUES ('subscriptions($1, $2)', '720 hours'), ('subscriptions($1, $2, ''60 days'')', '1440 hours')) AS v(relation, within);
INSERT INTO checks VALUES ('goal_progress', $$SELECT goal_id, metric, from_at, to_at, baseline, target, round(v, 4), round(e, 6), round(p, 4), CASE WHEN target < baseline THEN p <= target ELSE p >= target END, note
	FROM (SELECT *, CASE WHEN metric IN ('revenue', 'orders', 'new_customers') THEN v / nullif(e, 0) ELSE v END AS p FROM (SELECT *, greatest(0, least(1, extract(epoch FROM now() - from_at) / extract(epoch FROM to_at - from_at))) AS e,
		CASE WHEN from_at < now() THEN CASE metric
			WHEN 'revenue' THEN (SELECT CASE WHEN count(*) = count(value) THEN coalesce(sum(value), 0) END FROM o WHERE ordered_at >= from_at AND ordered_at < least(to_at, now()))
			WHEN 'orders' THEN (SELECT count(*) FROM o WHERE ordered_at >= from_at AND ordered_at < least(to_at, now()))
			WHEN 'new_customers' THEN (SELECT count(*) FROM bought WHERE first >= from_at AND first < least(to_at, now()))
			WHEN 'visitors' THEN (SELECT count(DISTINCT who) FROM t WHERE touched_at >= from_at AND touched_at < least(to_at, now()))
			WHEN 'average_order_value' THEN (SELECT CASE WHEN count(*) = count(value) THEN sum(value) / nullif(count(*), 0) END FROM o WHERE ordered_at >= from_at AND ordered_at < least(to_at, now()))
			WHEN 'purchase_frequency' THEN (SELECT round(count(*)::numeric / nullif(count(DISTINCT customer_id), 0), 4) FROM o WHERE customer_id IS NOT NULL AND ordered_at >= from_at AND ordered_at < least(to_at, now()))
			WHEN 'conversion_rate' THEN (SELECT round(count(*) FILTER (WHERE at >= from_at AND at < to_at)::numeric / nullif(count(*), 0), 6) FROM (SELECT DISTINCT who FROM t WHERE touched_at >= from_at AND touched_at < to_at) AS w LEFT JOIN first_order USING (who))
			ELSE (SELECT round(count(*) FILTER (WHERE at_end = 'lost')::numeric / nullif(count(*), 0), 6) FROM pg_temp.moves(from_at, to_at) WHERE at_start = 'active') END END AS v FROM goals) AS g) AS g$$),
('data_quality', $$WITH c AS (SELECT * FROM customers WHERE merged_into IS NULL), x AS (SELECT * FROM orders WHERE NOT test)
	SELECT 'duplicate e-mail address', 'customers', customer_id, email::text FROM c WHERE EXISTS (SELECT FROM c AS d WHERE d.email = c.email AND d.customer_id <> c.customer_id)
	UNION ALL SELECT 'duplicate telephone number', 'customers', customer_id, phone::text FROM c WHERE EXISTS (SELECT FROM c AS d WHERE d.phone = c.phone AND d.customer_id <> c.customer_id)
	UNION ALL SELECT 'duplicate name and birth date', 'customers', customer_id, first_name || ' ' || last_name || ' ' || birth_date FROM c WHERE EXISTS (SELECT FROM c AS d WHERE (lower(d.first_name), lower(d.last_name), d.birth_date) = (lower(c.first_name), lower(c.last_name), c.birth_date) AND d.customer_id <> c.customer_id)
	UNION ALL SELECT 'neither e-mail address nor telephone number', 'customers', customer_id, NULL FROM c WHERE coalesce(email::text, phone::text) IS NULL
	UNION ALL SELECT 'country is not two capital letters', 'customers', customer_id, country FROM c WHERE country NOT SIMILAR TO '[A-Z]{2}' UNION ALL SELECT 'birth date is odd', 'customers', customer_id, birth_date::text FROM c WHERE birth_date NOT BETWEEN '1900-01-01' AND (created_at AT TIME ZONE (SELECT time_zone FROM settings))::date
	UNION ALL SELECT 'name is blank', 'customers', customer_id, NULL FROM c WHERE trim(first_name) = '' OR trim(last_name) = ''
	UNION ALL SELECT 'no customer', 'orders', order_id, channel FROM x WHERE customer_id IS NULL UNION ALL SELECT 'no items', 'orders', order_id, NULL FROM x WHERE NOT EXISTS (SELECT FROM order_items AS i WHERE i.order_id = x.order_id)
	UNION ALL SELECT 'amount is zero', 'orders', order_id, NULL FROM x WHERE amount = 0 AND EXISTS (SELECT FROM order_items AS i WHERE i.order_id = x.order_id)
	UNION ALL SELECT 'amount is negative', 'orders', order_id, amount || ' ' || currency FROM x WHERE items_amount - discount + shipping + CASE WHEN tax_included THEN 0 ELSE tax END < 0
	UNION ALL SELECT 'amount is a hundred times the average', 'orders', order_id, amount || ' ' || currency FROM x WHERE amount > 100 * (SELECT avg(gross) FROM o WHERE o.currency = x.currency)
	UNION ALL SELECT 'no rate for the currency', 'orders', order_id, currency FROM x WHERE currency <> (SELECT base_currency FROM settings) AND NOT EXISTS (SELECT FROM rates AS r WHERE r.currency = x.currency AND day <= (ordered_at AT TIME ZONE (SELECT time_zone FROM settings))::date)
	UNION ALL SELECT 'ordered in the future', 'orders', order_id, ordered_at::text FROM x WHERE ordered_at > now()
	UNION ALL SELECT 'times out of order', 'orders', order_id, NULL FROM x WHERE least(shipped_at, paid_at, ordered_at) < ordered_at OR shipped_at > delivered_at
	UNION ALL SELECT 'no price', 'products', product_id, name FROM products WHERE active AND price IS NULL UNION ALL SELECT 'no category', 'products', product_id, name FROM products WHERE active AND category IS NULL
	UNION ALL SELECT 'oversold', 'stock', product_id, location || ': ' || on_hand - reserved FROM stock WHERE on_hand < reserved$$);
\set ECHO all

SELECT * FROM pg_temp.differences();
-- of a period, which reads what it needs, wherever that begins: what has begun in it
-- in how many of them there are carts depends on a microsecond, which differs where doubles are computed otherwise
SELECT count(DISTINCT f) AS periods, count(k) > 100 AS carts, count(v) AS visitors, count(*) FILTER (WHERE kw IS DISTINCT FROM k OR vw IS DISTINCT FROM v) AS differ
FROM generate_series(timestamptz '2023-01-01', '2026-01-01', '7 days 5 hours') AS f,
	LATERAL (SELECT (SELECT string_agg(c::text, ' ' ORDER BY c::text) FROM carts(f, f + interval '7 days 5 hours') AS c) AS k, (SELECT string_agg(c::text, ' ' ORDER BY c::text) FROM carts AS c WHERE started_at >= f AND started_at < f + interval '7 days 5 hours') AS kw,
		(SELECT string_agg(c::text, ' ' ORDER BY c::text) FROM visitor_funnel(f, f + interval '7 days 5 hours') AS c) AS v, (SELECT string_agg(c::text, ' ' ORDER BY c::text) FROM visitor_funnel AS c WHERE attraction_at >= f AND attraction_at < f + interval '7 days 5 hours') AS vw) AS s;
-- in Tokyo, in whole yen, orders count when they are paid, and who asks lives where clocks change at other times and dates are written in another way
UPDATE rates SET rate = rate * 160;
INSERT INTO rates VALUES ('EUR', '2022-01-01', 160), ('EUR', '2024-05-15', 171.23);
UPDATE settings SET base_currency = 'JPY', time_zone = 'Asia/Tokyo', counts_from = 'paid', attribution_model = 'markov', margin = 0.4;
SET timezone = 'Pacific/Chatham';
SET datestyle = 'SQL, DMY';
SELECT * FROM pg_temp.differences();
RESET datestyle;
SET timezone = 'UTC';
UPDATE settings SET base_currency = 'EUR', time_zone = 'America/New_York', counts_from = 'placed', attribution_model = 'shapley';
-- what nobody knows the rate of: orders, and what was spent
INSERT INTO orders (order_id, customer_id, channel, currency, ordered_at, items_amount, units) SELECT 900 + n, 20 + n, 'direct', 'JPY', timestamptz '2025-03-01' + n * interval '1 hour', 5000, 1 FROM generate_series(0, 4) AS n;
INSERT INTO order_items (order_id, line, product_id, quantity, unit_price) SELECT order_id, 1, (SELECT min(product_id) FROM products), 1, 5000 FROM orders WHERE currency = 'JPY';
INSERT INTO spend VALUES ('affiliate', 'No. 2', '2025-03-10', 'JPY', 100), ('store', 'leaflets', '2024-02-10', 'JPY', 100);
SELECT count(*) AS without_rate FROM valid_orders WHERE net_base IS NULL;
SELECT * FROM pg_temp.differences();
SELECT * FROM crm.verify('shop.orders');

-- Of nothing there is nothing, and no ratio
SELECT crm.create_store('nothing', 'USD', 'Asia/Tokyo');
SET search_path = nothing;
SELECT * FROM pg_temp.differences(true);

-- Stages: of orders that were there first one step, as of the first of them, then those that time made, then an order of today
SELECT crm.create_store('steps');
SET search_path = steps;
CREATE TEMP TABLE done AS SELECT relation FROM checks;
TRUNCATE checks;
INSERT INTO channels SELECT channel, type FROM shop.channels;
INSERT INTO customers (customer_id, created_at) SELECT customer_id, created_at FROM shop.customers WHERE merged_into IS NULL;
BEGIN;
INSERT INTO orders (order_id, customer_id, channel, currency, ordered_at, shipping) SELECT order_id, customer_id, channel, 'EUR', ordered_at, items_amount FROM shop.orders WHERE counts AND customer_id IS NOT NULL;
INSERT INTO refunds (order_id, amount) SELECT order_id, round(amount / 3, 2) FROM orders WHERE order_id % 7 = 0 AND amount > 1;
CREATE TEMP TABLE before AS SELECT customer_id, count(o.order_id) AS n, min(ordered_at) AS first, max(ordered_at) AS last, pg_temp.until(90, 2, count(o.order_id), min(ordered_at), max(ordered_at)) AS risk, pg_temp.until(180, 4, count(o.order_id), min(ordered_at), max(ordered_at)) AS lost, created_at
FROM customers LEFT JOIN orders AS o USING (customer_id) GROUP BY customer_id;
INSERT INTO orders (order_id, customer_id, channel, currency, ordered_at, shipping) SELECT customer_id, customer_id, 'direct', 'EUR', now(), 5 FROM customers WHERE customer_id % 3 = 0;
CREATE TEMP VIEW changed AS SELECT * FROM (
	SELECT *, lag(stage) OVER w AS was FROM (
		SELECT customer_id, 0 AS place, created_at AS at, 'lead' AS stage, 'created' AS cause FROM before WHERE first IS NULL OR created_at < first
		UNION ALL SELECT customer_id, 1, first, CASE WHEN n >= 5 THEN 'loyal' WHEN n >= 2 THEN 'active' ELSE 'new' END, 'order' FROM before WHERE n > 0
		UNION ALL SELECT customer_id, 2, risk, 'at_risk', 'time' FROM before WHERE risk < now() UNION ALL SELECT customer_id, 3, lost, 'lost', 'time' FROM before WHERE lost < now()
		UNION ALL SELECT customer_id, 4, now(), CASE WHEN n >= 4 THEN 'loyal' WHEN n >= 1 THEN 'active' ELSE 'new' END, 'order' FROM before WHERE customer_id % 3 = 0) AS s
	WINDOW w AS (PARTITION BY customer_id ORDER BY place)) AS s WHERE stage IS DISTINCT FROM was;
INSERT INTO checks VALUES ('(SELECT customer_id, from_stage, to_stage, from_phase, to_phase, at, CASE cause WHEN ''created'' THEN noticed_at = at ELSE noticed_at BETWEEN now() AND clock_timestamp() END, cause FROM stage_changes) AS s',
	'SELECT customer_id, was, c.stage, b.phase, p.phase, at, true, cause FROM changed AS c JOIN phases AS p USING (stage) LEFT JOIN phases AS b ON b.stage = was'),
('lifecycle', $$SELECT customer_id, c.stage, phase, at, CASE c.stage WHEN 'lead' THEN NULL WHEN 'lost' THEN NULL WHEN 'at_risk' THEN pg_temp.until(180, 4, b.n, first, last) ELSE pg_temp.until(90, 2, b.n, first, last) END,
	CASE WHEN place = 4 AND was IN ('at_risk', 'lost') THEN at END, coalesce(b.n, 0), first, last
	FROM (SELECT DISTINCT ON (customer_id) * FROM changed ORDER BY customer_id, place DESC) AS c JOIN phases USING (stage) LEFT JOIN (SELECT customer_id, count(*) AS n, min(ordered_at) AS first, max(ordered_at) AS last FROM o GROUP BY 1) AS b USING (customer_id)$$);
INSERT INTO checks SELECT 'orders_lifecycle_now', replace(replace(replace(query, 'c.stage, phase', 'stage, phase'), 'coalesce(b.n, 0), first', 'b.n, money, 0, first'), 'min(ordered_at) AS first', 'sum(value) AS money, min(ordered_at) AS first') || ' WHERE n > 0' FROM checks WHERE relation = 'lifecycle';
SELECT * FROM pg_temp.differences();
COMMIT;

-- Is there a view, or a function of rows for reports, that was left out?  Those with a comment "part of ..." are
INSERT INTO done SELECT relation FROM checks;
SELECT relname FROM pg_class AS c WHERE relnamespace = 'shop'::regnamespace AND relkind = 'v' AND NOT EXISTS (SELECT FROM done WHERE relation ~ ('(^|FROM )' || relname || '($|\))'));
SELECT oid::regprocedure FROM pg_proc AS p WHERE pronamespace = 'shop'::regnamespace AND proretset AND provolatile = 's' AND obj_description(oid) NOT LIKE 'part of %' AND proname NOT IN ('personal_tables', 'uncovered_data')
	AND NOT EXISTS (SELECT FROM done WHERE relation ~ ('(^|[ (])' || proname || '\('));
DROP SCHEMA shop, nothing, steps, sample CASCADE;
