-- The store's product subscriptions, and the outbox that workers empty.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
SELECT crm.create_store('shop');
\set VERBOSITY terse
INSERT INTO shop.channels VALUES ('web', 'direct'), ('newsletter', 'email');
INSERT INTO shop.locations VALUES ('main'), ('annex');
-- 1 to 3 say yes; 4 has said no since; 5 says nothing; 6 has no address; 7's address bounces; 8 wants text messages
INSERT INTO shop.customers (customer_id, first_name, last_name, email, phone, language, created_via)
SELECT n, 'First' || n, 'Last' || n, CASE WHEN n <> 6 THEN 'c' || n || '@Example.com' END::crm.email, '+4477009001' || lpad(n::text, 2, '0'), 'pt', 'lead' FROM generate_series(1, 8) AS n;
INSERT INTO shop.consents (customer_id, channel, granted, at) SELECT n, CASE n WHEN 8 THEN 'sms' ELSE 'email' END, true, '2025-01-01' FROM unnest('{1,2,3,4,6,7,8}'::int[]) AS n;
INSERT INTO shop.consents (customer_id, channel, granted, at) VALUES (4, 'email', false, '2025-01-02');
SELECT shop.suppress('email', 'C7@EXAMPLE.COM', 'bounced');
SELECT n, shop.may_contact(n, 'email') AS email, shop.may_contact(n, 'sms') AS sms, shop.may_contact(n, 'email', as_of => '2025-01-01 12:00') AS then FROM generate_series(1, 8) AS n;
-- an address is known again however it is written, and does not stand there
SELECT shop.is_suppressed('email', 'c7@example.com'), shop.is_suppressed('email', 'c1@example.com'), shop.is_suppressed('sms', '+4477009001'), shop.is_suppressed('email', NULL);
SELECT channel, octet_length(hash) AS bytes, reason, hash = sha256(key || sha256(key || 'c7@example.com'::bytea)) AS as_told, octet_length(key) AS key FROM shop.suppressions, shop.suppression_key;

-- Subscribe: all new products, a category, a product
SELECT shop.subscribe(n, 'new_product') > 0 AS subscribed FROM generate_series(1, 7) AS n;
SELECT shop.subscribe(8, 'new_product', channel => 'sms') > 0 AS subscribed;
SELECT shop.subscribe(1, 'new_product', category => 'food') > 0 AS subscribed;
SELECT shop.subscribe(1, 'new_product') = (SELECT subscription_id FROM shop.product_subscriptions WHERE customer_id = 1 AND category IS NULL) AS the_same;
SELECT count(*) FROM shop.product_subscriptions;
SELECT shop.subscribe(99, 'new_product');
SELECT shop.subscribe(1, 'old_product');
SELECT shop.subscribe(1, 'new_product', product_id => 1);
INSERT INTO shop.product_subscriptions (customer_id, kind, category, once) VALUES (1, 'price_drop', 'food', true);

-- A product is added: one message to each who may be contacted, none to others
BEGIN;
INSERT INTO shop.products (product_id, sku, name, category, price) VALUES (1, 'T1', 'tea', 'food', 5);
SELECT count(*) AS in_the_same_transaction FROM shop.outbox;
ROLLBACK;
SELECT count(*) AS with_it FROM shop.outbox;
INSERT INTO shop.products (product_id, sku, name, category, price) VALUES (1, 'T1', 'tea', 'food', 5);
SELECT customer_id, kind, channel, address, status, product_id FROM shop.outbox ORDER BY customer_id;
SELECT jsonb_pretty(payload) FROM shop.outbox WHERE customer_id = 1;
SELECT payload FROM shop.outbox WHERE customer_id = 8;
-- the more particular of two subscriptions has it
SELECT category FROM shop.outbox JOIN shop.product_subscriptions USING (subscription_id) WHERE outbox.customer_id = 1;
-- many at once; what is not sold yet; what is no news; and the same again
TRUNCATE shop.outbox;
INSERT INTO shop.products (product_id, name, category, active, announced_at) VALUES (2, 'mug', 'kitchen', true, now()), (3, 'pot', 'kitchen', true, now()),
	(4, 'cup', 'kitchen', false, now()), (5, 'old cup', 'kitchen', true, '2020-01-01');
INSERT INTO shop.products (product_id, name) VALUES (2, 'mug'), (9, 'can') ON CONFLICT (product_id) DO UPDATE SET name = excluded.name;
SELECT product_id, count(*), count(DISTINCT customer_id) FROM shop.outbox GROUP BY product_id ORDER BY product_id;
UPDATE shop.products SET active = true WHERE product_id IN (3, 4, 5);
UPDATE shop.products SET active = false WHERE product_id = 4;
UPDATE shop.products SET active = true WHERE product_id = 4;
SELECT product_id, count(*), count(DISTINCT customer_id) FROM shop.outbox GROUP BY product_id ORDER BY product_id;
-- ended, expired
SELECT shop.unsubscribe((SELECT subscription_id FROM shop.product_subscriptions WHERE customer_id = 2)), shop.unsubscribe(-1);
UPDATE shop.product_subscriptions SET expires_at = '2025-06-01' WHERE customer_id = 3;
TRUNCATE shop.outbox;
INSERT INTO shop.products (product_id, name) VALUES (6, 'lid');
SELECT customer_id FROM shop.outbox ORDER BY customer_id;
-- merged: one customer, one message
SELECT shop.subscribe(2, 'new_product'), shop.merge_customers(2, 1) AS merge \gset
INSERT INTO shop.products (product_id, name, category) VALUES (7, 'rusk', 'food');
SELECT customer_id, product_id FROM shop.outbox WHERE product_id = 7 ORDER BY customer_id;
SELECT shop.subscribe(1, 'price_drop') AS late \gset
SELECT customer_id AS whose FROM shop.product_subscriptions WHERE subscription_id = :late;
-- and what both had asked for is one subscription, to ask for again and to end
SELECT shop.subscribe(1, 'new_product') = (SELECT min(subscription_id) FROM shop.product_subscriptions WHERE customer_id = 2 AND kind = 'new_product' AND category IS NULL AND ended_at IS NULL) AS the_same,
	count(*) AS has FROM shop.product_subscriptions WHERE customer_id = 2 AND kind = 'new_product' AND category IS NULL AND ended_at IS NULL;
BEGIN;
SELECT shop.unsubscribe(max(subscription_id)) FROM shop.product_subscriptions WHERE customer_id = 2 AND kind = 'new_product' AND category IS NULL AND ended_at IS NULL;
SELECT kind, category FROM shop.product_subscriptions WHERE customer_id = 2 AND ended_at IS NULL ORDER BY 1, 2;
ROLLBACK;
DELETE FROM shop.outbox;
SELECT shop.undo_merge(:merge);

-- Prices: down, not up, not in another currency, not of what is not sold
DELETE FROM shop.product_subscriptions WHERE kind = 'price_drop';
SELECT shop.subscribe(1, 'price_drop', product_id => 1) > 0, shop.subscribe(2, 'price_drop', category => 'kitchen') > 0, shop.subscribe(8, 'price_drop', channel => 'sms') > 0;
UPDATE shop.products SET price = 10 WHERE product_id <= 5;
SELECT count(*) AS up FROM shop.outbox;
UPDATE shop.products SET active = false WHERE product_id = 5;
UPDATE shop.products SET price = CASE product_id WHEN 1 THEN 9.5 WHEN 2 THEN 10 WHEN 3 THEN 11 WHEN 4 THEN 8 ELSE 1 END WHERE product_id <= 5;
SELECT product_id, customer_id, channel, payload #>> '{merge_fields,PRICE}' AS price, payload #>> '{merge_fields,OLDPRICE}' AS was, payload #>> '{merge_fields,CURRENCY}' AS currency
FROM shop.outbox ORDER BY product_id, customer_id;
TRUNCATE shop.outbox;
UPDATE shop.products SET price = 5, currency = 'USD' WHERE product_id = 1;
UPDATE shop.products SET name = 'Tea' WHERE product_id = 1;
UPDATE shop.products SET price = 500, currency = 'JPY' WHERE product_id = 1;
UPDATE shop.products SET price = 400 WHERE product_id = 1;
SELECT product_id, customer_id, payload #>> '{merge_fields,PRICE}' AS price, payload #>> '{merge_fields,OLDPRICE}' AS was FROM shop.outbox ORDER BY customer_id;
TRUNCATE shop.outbox;
-- a price without a currency is in the base currency
UPDATE shop.products SET price = 3, currency = 'EUR' WHERE product_id = 1;
UPDATE shop.products SET price = 2, currency = NULL WHERE product_id = 1;
SELECT count(*) AS messages FROM shop.outbox;
UPDATE shop.products SET price = 400, currency = 'JPY' WHERE product_id = 1;
TRUNCATE shop.outbox;

-- Back in stock: from none at all to some, by whatever brings it
SELECT shop.subscribe(1, 'back_in_stock', product_id => 1) > 0, shop.subscribe(2, 'back_in_stock') > 0;
SELECT kind, product_id, once, expires_at - created_at AS ends FROM shop.product_subscriptions WHERE kind = 'back_in_stock' ORDER BY customer_id;
INSERT INTO shop.stock (product_id, location, on_hand) VALUES (1, 'main', 0), (1, 'annex', 0), (2, 'main', 2);
SELECT product_id, customer_id FROM shop.outbox ORDER BY product_id, customer_id;
UPDATE shop.stock SET on_hand = 3 WHERE product_id = 1;
SELECT product_id, customer_id FROM shop.outbox ORDER BY product_id, customer_id;
-- more of it, and elsewhere: no news.  The one who asked for once has it.
UPDATE shop.stock SET on_hand = 4 WHERE product_id = 1 AND location = 'main';
UPDATE shop.stock SET on_hand = 0 WHERE product_id = 1 AND location = 'annex';
UPDATE shop.stock SET on_hand = 1 WHERE product_id = 1 AND location = 'annex';
INSERT INTO shop.stock (product_id, location, on_hand) VALUES (2, 'annex', 2);
SELECT count(*) FROM shop.outbox;
SELECT customer_id, once, ended_at IS NOT NULL AS ended FROM shop.product_subscriptions WHERE kind = 'back_in_stock' ORDER BY customer_id;
-- the last ones are ordered; the order is cancelled
INSERT INTO shop.orders (order_id, channel, currency) VALUES (1, 'web', 'EUR');
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price, location) VALUES (1, 1, 1, 4, 5, 'main'), (1, 2, 1, 1, 5, 'annex'), (1, 3, 2, 1, 5, 'main');
SELECT count(*) FROM shop.outbox;
UPDATE shop.orders SET status = 'cancelled' WHERE order_id = 1;
SELECT product_id, customer_id, count(*) FROM shop.outbox GROUP BY 1, 2 ORDER BY 1, 2;
-- oversold, and less so
UPDATE shop.stock SET on_hand = -3 WHERE product_id = 1;
UPDATE shop.stock SET on_hand = 0 WHERE product_id = 1;
SELECT count(*) FROM shop.outbox;
-- twice in a transaction: once
BEGIN;
UPDATE shop.stock SET on_hand = 1 WHERE product_id = 1;
UPDATE shop.stock SET on_hand = 0 WHERE product_id = 1;
UPDATE shop.stock SET on_hand = 1 WHERE product_id = 1;
COMMIT;
SELECT product_id, customer_id, count(*) FROM shop.outbox GROUP BY 1, 2 ORDER BY 1, 2;
UPDATE shop.products SET active = false WHERE product_id = 1;
UPDATE shop.stock SET on_hand = 0 WHERE product_id = 1;
UPDATE shop.stock SET on_hand = 1 WHERE product_id = 1;
SELECT count(*) FROM shop.outbox;

-- Workers
TRUNCATE shop.outbox;
INSERT INTO shop.outbox (message_id, customer_id, kind, channel, purpose, address, due_at)
SELECT n, n, 'hello', 'email', 'marketing', 'c' || n || '@example.com', '2025-01-01'::timestamptz + n * interval '1 minute' FROM generate_series(1, 3) AS n;
INSERT INTO shop.outbox (message_id, kind, channel, address, due_at) VALUES (10, 'confirmation', 'email', 'guest@example.com', '2025-01-02'), (11, 'later', 'email', 'guest@example.com', 'infinity'),
	(12, 'confirmation', 'email', 'C7@example.com', '2025-01-03');
INSERT INTO shop.outbox (kind, channel, address) VALUES ('hello', 'email', 'nobody');
INSERT INTO shop.outbox (kind, channel, purpose, address) VALUES ('hello', 'email', 'marketing', 'a@example.com');
SELECT message_id, attempt, kind, address, customer_id, claimed_until > now() + interval '4 minutes' AS for_some_time FROM shop.claim_messages(2) ORDER BY message_id;
SELECT claimed_by = 'process ' || pg_backend_pid() AS mine FROM shop.outbox WHERE message_id = 1;
SELECT message_id FROM shop.claim_messages(1, only_channel => 'sms');
SELECT message_id FROM shop.claim_messages(100, worker => 'w2') ORDER BY message_id;
SELECT count(*) AS nothing_more FROM shop.claim_messages(100);
SELECT message_id, status, error FROM shop.outbox ORDER BY message_id;
SELECT * FROM shop.claim_messages(0);
SELECT * FROM shop.claim_messages(1, '-1 second');
-- sent; said twice; unknown
SELECT shop.acknowledge(1, 'id at the provider'), shop.acknowledge(1), shop.acknowledge(-1), shop.acknowledge(NULL);
SELECT status, sent_at > now() - interval '1 minute' AS now, provider_id FROM shop.outbox WHERE message_id = 1;
-- not sent: later, at other times; half a minute doubled, a quarter more or less
SELECT clock_timestamp() AS before \gset
SELECT shop.fail(2, 'try later'), shop.fail(3, 'no such template', retry => false), shop.fail(1, 'sent already'), shop.fail(11, 'not claimed'), shop.fail(-1, '');
SELECT message_id, status, attempts, error, due_at BETWEEN :'before'::timestamptz + interval '22.5 seconds' AND clock_timestamp() + interval '37.5 seconds' AS delayed FROM shop.outbox WHERE message_id IN (2, 3) ORDER BY message_id;
UPDATE shop.outbox SET due_at = now(), attempts = 3 WHERE message_id = 2;
SELECT attempt FROM shop.claim_messages(1);
SELECT clock_timestamp() AS before \gset
SELECT shop.fail(2, 'again', attempt => 3) AS of_another_claim, shop.fail(2, 'again', attempt => 4) AS of_this;
SELECT due_at BETWEEN :'before'::timestamptz + interval '180 seconds' AND clock_timestamp() + interval '300 seconds' AS delayed FROM shop.outbox WHERE message_id = 2;
SELECT clock_timestamp() AS before \gset
SELECT shop.fail(10, 'busy', retry_after => '1 hour');
SELECT due_at BETWEEN :'before'::timestamptz + interval '1 hour' AND clock_timestamp() + interval '1 hour' AS as_told FROM shop.outbox WHERE message_id = 10;
-- the last attempt
UPDATE shop.outbox SET due_at = now(), attempts = 7 WHERE message_id = 2;
SELECT attempt FROM shop.claim_messages(1);
SELECT shop.fail(2, 'given up');
-- a worker that died: the message is due again when the lease is over, and dead after so many
UPDATE shop.outbox SET due_at = now() - interval '1 second', attempts = 7 WHERE message_id = 10;
SELECT message_id, attempt FROM shop.claim_messages(1, lease => '1 microsecond');
SELECT pg_sleep(0.01);
SELECT message_id, attempt FROM shop.claim_messages(1);
SELECT message_id, status, attempts, error FROM shop.outbox WHERE message_id IN (2, 10) ORDER BY message_id;
-- who says no between writing and sending gets none
INSERT INTO shop.outbox (message_id, customer_id, kind, channel, purpose, address, due_at) VALUES (20, 1, 'hello', 'email', 'marketing', 'c1@example.com', '2025-01-01'), (21, 3, 'hello', 'email', 'marketing', 'c3@example.com', '2025-01-02');
INSERT INTO shop.consents (customer_id, channel, granted) VALUES (1, 'email', false);
SELECT message_id FROM shop.claim_messages(1);
SELECT status, error FROM shop.outbox WHERE message_id = 20;

-- What the provider reports, in whatever order and however often
SELECT shop.acknowledge(21);
SELECT shop.record_event(21, 'clicked', '2025-03-02'), shop.record_event(21, 'opened', '2025-03-01', 'newsletter'), shop.record_event(21, 'opened', '2025-03-05'), shop.record_event(-1, 'opened');
SELECT delivered_at, opened_at, clicked_at FROM shop.outbox WHERE message_id = 21;
SELECT customer_id, kind, channel, campaign, touched_at FROM shop.touches;
SELECT shop.record_event(21, 'eaten');
SELECT shop.subscribe(3, 'new_product') AS s \gset
UPDATE shop.outbox SET subscription_id = :s WHERE message_id = 21;
SELECT shop.may_contact(3, 'email') AS before;
SELECT shop.record_event(21, 'unsubscribed', now()), shop.record_event(21, 'unsubscribed', now());
SELECT shop.may_contact(3, 'email') AS after, count(*) FILTER (WHERE source = 'unsubscribed') AS said FROM shop.consents WHERE customer_id = 3;
SELECT ended_at IS NOT NULL AS ended FROM shop.product_subscriptions WHERE subscription_id = :s;
SELECT shop.record_event(1, 'bounced'), shop.record_event(10, 'complained');
SELECT shop.is_suppressed('email', 'c1@example.com'), shop.is_suppressed('email', 'guest@example.com');
-- nor is a guest written to again who doesn't want it
INSERT INTO shop.outbox (message_id, kind, channel, address, status) VALUES (30, 'news', 'email', 'visitor@example.com', 'sent');
SELECT shop.record_event(30, 'unsubscribed');
SELECT shop.is_suppressed('email', 'visitor@example.com');
-- and wants to be written to again
SELECT shop.lift_suppression('email', 'GUEST@example.com'), shop.lift_suppression('email', 'GUEST@example.com');
SELECT shop.is_suppressed('email', 'guest@example.com');

-- What came of it: opened, clicked, bought within 30 days; NULL where none was sent
TRUNCATE shop.outbox;
SELECT shop.subscribe(8, 'price_drop', channel => 'sms') AS s \gset
INSERT INTO shop.outbox (message_id, customer_id, subscription_id, product_id, kind, channel, status, created_at, sent_at, opened_at, clicked_at) VALUES
	(1, 8, :s, 1, 'price_drop', 'sms', 'sent', '2025-03-01', '2025-03-01', '2025-03-01', '2025-03-01'),
	(2, 8, :s, 2, 'price_drop', 'sms', 'sent', '2025-03-01', '2025-03-01', '2025-03-02', NULL),
	(3, 8, :s, 2, 'price_drop', 'sms', 'sent', '2025-05-01', '2025-05-01', NULL, NULL),
	(4, 8, :s, 1, 'price_drop', 'sms', 'pending', '2025-05-01', NULL, NULL, NULL);
-- of product 1 within the time; of product 2 before, too late, and cancelled
INSERT INTO shop.orders (order_id, customer_id, channel, currency, ordered_at, status) VALUES (2, 8, 'web', 'EUR', '2025-03-20', 'placed'), (3, 8, 'web', 'EUR', '2025-02-28', 'placed'),
	(4, 8, 'web', 'EUR', '2025-04-01', 'placed'), (5, 8, 'web', 'EUR', '2025-05-02', 'cancelled');
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price) VALUES (2, 1, 1, 1, 5), (3, 1, 2, 1, 5), (4, 1, 2, 1, 5), (5, 1, 2, 1, 5);
SELECT messages, sent, opened, clicked, bought, last_sent_at, open_rate, click_rate, buy_rate, active FROM shop.subscriptions WHERE subscription_id = :s;
SELECT customer_id, kind, product, category, sent, open_rate FROM shop.subscriptions WHERE customer_id = 1 ORDER BY subscription_id;
SELECT * FROM shop.subscriptions('2025-03-01', '2025-04-01');
SELECT bought FROM shop.subscriptions('2025-03-01', '2025-04-01', within => '60 days');
SELECT * FROM shop.subscriptions('2020-01-01', '2021-01-01');

-- Thousands: as many as a plain query says, in a statement
TRUNCATE shop.outbox;
INSERT INTO shop.customers (customer_id, email, created_via) SELECT n, 'c' || n || '@example.com', 'lead' FROM generate_series(1001, 3000) AS n;
INSERT INTO shop.consents (customer_id, channel, granted) SELECT n, 'email', n % 3 > 0 FROM generate_series(1001, 3000) AS n;
INSERT INTO shop.product_subscriptions (customer_id, kind, category) SELECT n, 'new_product', CASE n % 4 WHEN 0 THEN NULL ELSE 'c' || n % 4 END FROM generate_series(1001, 3000) AS n;
INSERT INTO shop.product_subscriptions (customer_id, kind) SELECT n, 'new_product' FROM generate_series(1001, 3000, 5) AS n;
SELECT shop.suppress('email', 'c' || n || '@example.com') FROM generate_series(1001, 3000, 7) AS n \g /dev/null
INSERT INTO shop.products (product_id, name, category) SELECT n, 'p' || n, 'c' || n % 6 FROM generate_series(1001, 1020) AS n;
SELECT count(*) > 10000 AS many, count(*) = count(DISTINCT (product_id, customer_id)) AS one_each, count(*) = (
	SELECT count(*) FROM generate_series(1001, 3000) AS c, generate_series(1001, 1020) AS p
	WHERE c % 3 > 0 AND (c - 1001) % 7 > 0 AND (c % 4 = 0 OR (c - 1001) % 5 = 0 OR c % 4 = p % 6)) AS as_many
FROM shop.outbox WHERE customer_id > 1000;
DROP SCHEMA shop CASCADE;
