-- What comes into a store that should not: refused where it comes in, so that
-- no view stops at it later; and what is odd but may be, which all views bear.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY terse
-- a name of 63 bytes, some of them of two
SELECT 'Ä shop''s "ж" ' || repeat('x', 63 - octet_length('Ä shop''s "ж" ')) AS store \gset
SELECT crm.create_store(:'store', 'EUR', 'Europe/Lisbon') IS NOT NULL AS created, octet_length(:'store');
SET search_path = :"store", public;
INSERT INTO channels VALUES ('web', 'direct'), ('Anzeigen €', 'paid');
INSERT INTO locations VALUES ('main');
INSERT INTO rates VALUES ('USD', '2025-01-01', 0.9);
INSERT INTO customers (customer_id, email, created_via) VALUES (1, 'Ana@Example.com', 'guest'), (2, 'ANA@example.COM', 'guest'), (3, NULL, 'lead');
SELECT setval('customers_customer_id_seq', 10);
INSERT INTO products (product_id, name, category, price) VALUES (1, 'Tasse ☕', 'kitchen', 10), (2, 'free', NULL, 0), (3, 'no price', 'kitchen', NULL);
INSERT INTO stock (product_id, location, on_hand) VALUES (1, 'main', 5);

-- No number, and no time
INSERT INTO rates VALUES ('USD', '2025-01-02', 'NaN');
INSERT INTO products (name, price) VALUES ('bad', 'NaN');
INSERT INTO spend (channel, day, currency, amount) VALUES ('web', '2025-01-01', 'EUR', 'NaN');
INSERT INTO spend (channel, day, currency, amount) VALUES ('web', 'infinity', 'EUR', 1);
INSERT INTO orders (channel, currency, items_amount) VALUES ('web', 'EUR', 'NaN');
INSERT INTO orders (channel, currency, items_amount) VALUES ('web', 'EUR', -5);
INSERT INTO orders (channel, currency, shipping) VALUES ('web', 'EUR', 'NaN');
INSERT INTO orders (channel, currency, tax) VALUES ('web', 'EUR', 'NaN');
INSERT INTO orders (channel, currency, discount) VALUES ('web', 'EUR', 'NaN');
INSERT INTO orders (channel, currency, ordered_at) VALUES ('web', 'EUR', 'infinity');
INSERT INTO orders (channel, currency, status, shipped_at) VALUES ('web', 'EUR', 'shipped', '-infinity');
INSERT INTO touches (visitor_id, kind, channel, touched_at) VALUES ('v', 'visit', 'web', '-infinity');
INSERT INTO customers (created_at) VALUES ('infinity');
INSERT INTO customers (birth_date) VALUES ('infinity');
INSERT INTO goals (metric, from_at, to_at, target) VALUES ('orders', '2025-01-01', '2026-01-01', 'NaN');
INSERT INTO goals (metric, from_at, to_at, target) VALUES ('orders', '2025-01-01', 'infinity', 1);
INSERT INTO channel_credits (channel, from_at, to_at, credit) VALUES ('web', '2025-01-01', '2026-01-01', 'NaN');
UPDATE settings SET margin = 'NaN';
INSERT INTO orders (order_id, customer_id, channel, currency) VALUES (1, 1, 'web', 'EUR');
INSERT INTO order_items (order_id, line, product_id, quantity, unit_price) VALUES (1, 1, 1, 1, 'NaN');
INSERT INTO order_items (order_id, line, product_id, quantity, unit_price) VALUES (1, 1, 1, -1, 5);
INSERT INTO order_items (order_id, line, product_id, quantity, unit_price, discount) VALUES (1, 1, 1, 1, 5, 6);
INSERT INTO order_items (order_id, line, product_id, quantity, unit_price, location) VALUES (1, 1, 1, 6, 5, 'main');
INSERT INTO order_items (order_id, line, product_id, quantity, unit_price) VALUES (1, 1, 1, 2, 5);
INSERT INTO refunds (order_id, amount) VALUES (1, 'NaN');
INSERT INTO refunds (order_id, amount, refunded_at) VALUES (1, 1, 'infinity');

-- No name
INSERT INTO channels VALUES ('', 'paid'), ('(none)', 'paid');
INSERT INTO channels VALUES (E'a\x1Fb', 'paid');
INSERT INTO channels VALUES ('tv', 'tv');
INSERT INTO orders (channel, currency) VALUES ('tv', 'EUR');
INSERT INTO orders (channel, currency) VALUES ('web', 'eur');
INSERT INTO orders (channel, currency, visitor_id) VALUES ('web', 'EUR', '');
INSERT INTO touches (visitor_id, kind, channel) VALUES ('', 'visit', 'web');
INSERT INTO touches (kind, channel) VALUES ('visit', 'web');

-- Functions
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT identify(cookie => '');
SELECT identify(system => 'web', external_id => '');
SELECT identify(network => 'x');
\set VERBOSITY terse
SELECT identify() AS nobody, identify(email => 'bob@example.com', seen_at => NULL, verified => NULL) > 10 AS somebody;
SELECT merge_customers(1, NULL);
SELECT merge_customers(1, 1);
SELECT merge_customers(1, 99);
SELECT undo_merge(NULL);
SELECT resolve(NULL) AS resolve, may_contact(NULL, 'email') AS of_nobody, may_contact(1, 'fax') AS by_fax, to_base(1, 'GBP', '2025-01-01') AS no_rate, to_base(1, 'USD', '2024-12-31') AS before_the_first;
SELECT suppress('email', 'nobody');
SELECT subscribe(99, 'new_product');
SELECT subscribe(1, 'nothing');
SELECT claim_messages(0);
SELECT acknowledge(99) AS acknowledge, fail(99, 'why') AS fail, record_event(99, 'opened') AS record_event, unsubscribe(99) AS unsubscribe;
SELECT record_event(99, 'read');
SELECT sales('2025-01-01', '2026-01-01', 'moon');
SELECT sales('2025-01-01', '2026-01-01', 'month', 'birth');
SELECT sales('2025-01-01', '2026-01-01', 'product', NULL);
SELECT count(*) AS sold_backwards FROM sales('2026-01-01', '2025-01-01');
SELECT fit('infinity');
SELECT export_customer(NULL);
SELECT forget_customer(NULL);

-- Odd, but it may be: in the future, free, of nobody, without a rate, of no items, of a merged id, paid before it was ordered
INSERT INTO orders (order_id, customer_id, channel, currency, ordered_at, shipping) VALUES (2, 1, 'web', 'EUR', now() + interval '1 year', 1), (3, NULL, 'web', 'GBP', '2025-03-30 00:30+00', 7), (4, 3, 'Anzeigen €', 'USD', '2025-03-30 01:30+00', 0),
	(5, 2, 'web', 'JPY', '2024-12-31 23:59:59.999999+00', 100), (6, NULL, 'web', 'EUR', '1970-01-01', 1);
INSERT INTO order_items (order_id, line, product_id, quantity, unit_price) VALUES (4, 1, 2, 3, 0);
UPDATE orders SET status = 'paid', paid_at = ordered_at - interval '1 day', visitor_id = 'v' WHERE order_id = 3;
INSERT INTO touches (visitor_id, customer_id, kind, channel, touched_at, campaign) VALUES ('v', NULL, 'cart', 'web', '2025-03-30 00:00+00', 'März'), ('w', 3, 'visit', 'Anzeigen €', '2025-03-30 01:00+00', ''), ('w', NULL, 'view', 'Anzeigen €', now() + interval '1 year', 'x'), ('u', NULL, 'visit', 'web', '0001-01-01', NULL);
SELECT merge_customers(1, 2) > 0 AS merged;
UPDATE orders SET customer_id = 2 WHERE order_id = 6;
SELECT order_id, customer_id, net_base FROM orders ORDER BY order_id;
-- a day of 23 hours: the clock goes from one to two
SELECT part, orders, net FROM sales('2025-03-30 00:00+00', '2025-03-31 00:00 Europe/Lisbon', 'hour');
SELECT day, currency, orders FROM sales WHERE day BETWEEN '2024-12-31' AND '2025-12-31' ORDER BY day, currency;
-- sums that have one without a rate in them are not known
SELECT channel, orders, revenue FROM channel_performance('2025-01-01', '2026-01-01') ORDER BY channel COLLATE "C";
CREATE FUNCTION pg_temp.refuses() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	q record;
	n bigint;
BEGIN
	FOR q IN SELECT relname AS name, format('SELECT count(t::text) FROM %s AS t', oid::regclass) AS query FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND relkind = 'v'
		UNION ALL SELECT proname, format('SELECT count(t::text) FROM %I.%I(%s) AS t', current_schema(), proname, a) FROM pg_proc AS p,
			unnest(CASE WHEN pg_get_function_identity_arguments(oid) LIKE 'from_at%' THEN ARRAY['''2025-01-01'', ''2026-01-01''', '''-infinity'', ''infinity''', '''2026-01-01'', ''2025-01-01''', 'NULL, NULL'] ELSE ARRAY['''2025-06-01''', 'NULL'] END) AS a
		WHERE pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND proretset AND provolatile = 's' AND pg_get_function_identity_arguments(oid) ~ '^(from_at|as_of) timestamp' ORDER BY 1, 2
	LOOP
		BEGIN
			EXECUTE q.query INTO n;
		EXCEPTION WHEN OTHERS THEN
			RETURN NEXT q.query || ': ' || SQLERRM;
		END;
	END LOOP;
END
$$;
SELECT * FROM pg_temp.refuses();
SELECT kind, current FROM fit();
SELECT * FROM pg_temp.refuses();
SELECT problem, count(*) FROM data_quality GROUP BY 1 ORDER BY problem COLLATE "C";
SELECT export_customer(2) ->> 'customer_id' AS exported, forget_customer(2) ->> 'orders' AS orders;
SELECT * FROM pg_temp.refuses();
SELECT * FROM crm.verify('orders');
-- everything is gone with its schema
SELECT format('DROP SCHEMA %I CASCADE', :'store') \gexec
