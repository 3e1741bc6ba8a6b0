-- What is written into a store, where it goes less smoothly: constraints of the
-- user's own, times that are not told, what is too long, too much or in partitions.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT crm.create_store('shop');
\set VERBOSITY terse
INSERT INTO shop.channels VALUES ('web', 'direct');
INSERT INTO shop.customers (customer_id, email) VALUES (1, 'ada@example.com'), (2, 'bea@example.com'), (3, 'cleo@example.com');
SELECT setval('shop.customers_customer_id_seq', 100);

-- A merge moves what may be moved; what a constraint wants to be unique, or forbids, stays, is told, and is still of the person
CREATE SCHEMA mine;
CREATE TABLE mine.cards (customer_id bigint PRIMARY KEY REFERENCES shop.customers, points integer);
CREATE TABLE mine.wishes (customer_id bigint REFERENCES shop.customers, product text, PRIMARY KEY (customer_id, product));
CREATE TABLE mine.wish_notes (note_id integer PRIMARY KEY, customer_id bigint, product text, FOREIGN KEY (customer_id, product) REFERENCES mine.wishes);
CREATE TABLE mine.friends (one bigint REFERENCES shop.customers, other bigint REFERENCES shop.customers, PRIMARY KEY (one, other), CHECK (one <> other));
CREATE TABLE mine.both (one bigint REFERENCES shop.customers, other bigint REFERENCES shop.customers, PRIMARY KEY (one, other));
INSERT INTO mine.cards VALUES (1, 10), (2, 5);
INSERT INTO mine.wishes SELECT 2, 'p' || n FROM generate_series(1, 20) AS n;
INSERT INTO mine.wishes VALUES (1, 'p7'), (1, 'p13');
INSERT INTO mine.wish_notes VALUES (1, 2, 'p1');
INSERT INTO mine.friends VALUES (1, 2), (2, 3), (2, 1);
INSERT INTO mine.both VALUES (2, 2), (2, 3);
SET client_min_messages = notice;
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT shop.merge_customers(1, 2) AS merge \gset
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT * FROM mine.cards ORDER BY customer_id;
SELECT customer_id, count(*), array_agg(product ORDER BY product) FILTER (WHERE customer_id = 2) AS stay FROM mine.wishes GROUP BY customer_id ORDER BY customer_id;
SELECT * FROM mine.friends ORDER BY one, other;
SELECT * FROM mine.both ORDER BY one, other;
SELECT relation, "column", moved, count(*), array_agg(key ORDER BY key) FILTER (WHERE NOT moved) AS stay FROM shop.merge_rows WHERE relation ~ 'mine' GROUP BY relation, "column", moved ORDER BY relation COLLATE "C", "column" COLLATE "C", moved;
SELECT jsonb_array_length(e -> 'tables' -> 'mine.wishes') AS wishes, e -> 'tables' -> 'mine.cards' AS cards, jsonb_array_length(e -> 'tables' -> 'mine.wish_notes') AS notes FROM shop.export_customer(1) AS e;
-- undone, though 2 has a card, and a wish that came meanwhile
INSERT INTO mine.wishes VALUES (2, 'p3');
SELECT shop.undo_merge(:merge);
SELECT * FROM mine.cards ORDER BY customer_id;
SELECT customer_id, count(*), array_agg(product ORDER BY product) FILTER (WHERE customer_id = 1) AS stay FROM mine.wishes GROUP BY customer_id ORDER BY customer_id;
SELECT * FROM mine.friends ORDER BY one, other;
SELECT * FROM mine.both ORDER BY one, other;
-- a merge that identify makes goes the same way; and he is forgotten with what stayed
UPDATE shop.customers SET created_via = 'guest' WHERE customer_id = 2;
SELECT shop.identify(system => 'web', external_id => '1', email => 'ada@example.com', verified => true) AS she, shop.identify(system => 'web', external_id => '1', email => 'bea@example.com', verified => true) AS still;
SELECT shop.resolve(2), (SELECT points FROM mine.cards WHERE customer_id = 2);
INSERT INTO shop.personal_data SELECT u.relation, u."column", CASE WHEN u."column" = 'points' THEN 'clear' ELSE 'keep' END FROM shop.uncovered_data() AS u;
SELECT shop.forget_customer(1) ->> 'mine.cards' AS cards;
SELECT * FROM mine.cards ORDER BY customer_id;
DROP SCHEMA mine CASCADE;

-- So is what is checked at the end of a transaction only; and what one customer alone can have stays his, in his own row too
CREATE SCHEMA mine;
INSERT INTO shop.customers (customer_id) VALUES (11), (12);
CREATE TABLE mine.seats (seat integer PRIMARY KEY, customer_id bigint REFERENCES shop.customers, UNIQUE (customer_id) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE mine.wishes (customer_id bigint REFERENCES shop.customers, product text, PRIMARY KEY (customer_id, product));
CREATE TABLE mine.wish_notes (note_id integer PRIMARY KEY, customer_id bigint, product text, FOREIGN KEY (customer_id, product) REFERENCES mine.wishes DEFERRABLE INITIALLY DEFERRED);
INSERT INTO mine.seats VALUES (1, 11), (2, 12);
INSERT INTO mine.wishes VALUES (12, 'p1'), (12, 'p2');
INSERT INTO mine.wish_notes VALUES (1, 12, 'p2');
ALTER TABLE shop.customers ADD COLUMN badge text UNIQUE, ADD COLUMN nickname text, ADD COLUMN hat text;
CREATE UNIQUE INDEX ON shop.customers (lower(nickname));
UPDATE shop.customers SET badge = 'b12', nickname = 'Twelve', hat = 'red' WHERE customer_id = 12;
BEGIN;
SET LOCAL client_min_messages = notice;
SELECT shop.merge_customers(11, 12) AS merge \gset
SET LOCAL client_min_messages = warning;
-- and is checked at the end still
UPDATE mine.seats SET customer_id = 3;
COMMIT;
SELECT shop.merge_customers(11, 12) AS merge \gset
SELECT * FROM mine.seats ORDER BY seat;
SELECT * FROM mine.wishes ORDER BY product;
SELECT customer_id, badge, nickname, hat FROM shop.customers WHERE customer_id IN (11, 12) ORDER BY customer_id;
SELECT shop.undo_merge(:merge);
SELECT * FROM mine.wishes ORDER BY product;
SELECT customer_id, badge, nickname, hat FROM shop.customers WHERE customer_id IN (11, 12) ORDER BY customer_id;
ALTER TABLE shop.customers DROP COLUMN badge, DROP COLUMN nickname, DROP COLUMN hat;

-- Rows that were moved are found again by the key that they had; if they can't be, nothing is undone
DROP TABLE mine.wish_notes, mine.wishes;
CREATE TABLE mine.notes (note_id integer PRIMARY KEY, at date, customer_id bigint REFERENCES shop.customers);
INSERT INTO mine.notes VALUES (1, '2025-01-01', 12), (2, '2025-01-01', 12), (3, '2025-01-01', 11);
SELECT shop.merge_customers(11, 12) AS merge \gset
\set VERBOSITY default
\set SHOW_CONTEXT never
ALTER TABLE mine.notes DROP CONSTRAINT notes_pkey;
INSERT INTO mine.notes VALUES (2, '2025-01-02', 11);
SELECT shop.undo_merge(:merge);
DELETE FROM mine.notes WHERE at = '2025-01-02';
ALTER TABLE mine.notes RENAME note_id TO id;
SELECT shop.undo_merge(:merge);
SELECT resolve, (SELECT count(*) FROM mine.notes WHERE customer_id = 11) AS notes FROM shop.resolve(12);
ALTER TABLE mine.notes RENAME id TO note_id;
-- nor is any other table changed, whatever somebody has written of it
CREATE TABLE mine.others (id integer PRIMARY KEY, customer_id bigint);
INSERT INTO mine.others VALUES (1, 11);
INSERT INTO shop.merge_rows (merge_id, relation, "column", key) VALUES (:merge, 'mine.others', 'customer_id', '{"id": 1}');
SELECT shop.undo_merge(:merge);
DELETE FROM shop.merge_rows WHERE relation = 'mine.others';
\set VERBOSITY terse
ALTER TABLE mine.notes ADD PRIMARY KEY (note_id, at);
BEGIN;
SELECT shop.undo_merge(:merge);
SELECT * FROM mine.notes ORDER BY note_id;
ROLLBACK;
-- of a table that is gone there is nothing to undo, and in a store with another name everything
SELECT shop.undo_merge(:merge);
INSERT INTO shop.orders (order_id, customer_id, channel, currency) VALUES (1, 12, 'web', 'EUR');
SELECT shop.merge_customers(11, 12) AS merge \gset
DROP SCHEMA mine CASCADE;
ALTER SCHEMA shop RENAME TO "my shop";
SELECT crm.create_store('my shop');
SELECT "my shop".undo_merge(:merge);
SELECT order_id, customer_id FROM "my shop".orders;
DELETE FROM "my shop".orders;
ALTER SCHEMA "my shop" RENAME TO shop;
SELECT crm.create_store('shop');

-- Orders that come with a status and without its time: what is paid or refunded was paid when it was ordered, and counts;
-- what is shipped may be on invoice. The history ends with the status
UPDATE shop.settings SET counts_from = 'paid';
INSERT INTO shop.orders (order_id, channel, currency, status, ordered_at, paid_at, shipped_at, delivered_at, cancelled_at, refunded_at) VALUES
	(1, 'web', 'EUR', 'placed', '2025-01-01', NULL, NULL, NULL, NULL, NULL), (2, 'web', 'EUR', 'paid', '2025-01-01', NULL, NULL, NULL, NULL, NULL),
	(3, 'web', 'EUR', 'paid', '2025-01-01', '2025-01-02', NULL, NULL, NULL, NULL), (4, 'web', 'EUR', 'shipped', '2025-01-01', NULL, NULL, NULL, NULL, NULL),
	(5, 'web', 'EUR', 'delivered', '2025-01-01', '2025-01-02', '2025-01-03', NULL, NULL, NULL), (6, 'web', 'EUR', 'cancelled', '2025-01-01', NULL, NULL, NULL, NULL, NULL),
	(7, 'web', 'EUR', 'refunded', '2025-01-01', NULL, '2025-01-03', NULL, NULL, NULL), (8, 'web', 'EUR', 'refunded', '2025-01-01', NULL, NULL, NULL, '2025-01-04', '2025-01-05');
SELECT order_id, status, paid_at, shipped_at, delivered_at, cancelled_at, refunded_at, counts FROM shop.orders ORDER BY order_id;
SELECT order_id, string_agg(status || ' ' || at::date, ', ' ORDER BY entry_id) AS history FROM shop.order_history GROUP BY order_id ORDER BY order_id;
SELECT order_id FROM shop.orders AS o WHERE status <> (SELECT h.status FROM shop.order_history AS h WHERE h.order_id = o.order_id ORDER BY entry_id DESC LIMIT 1);
-- what came cancelled stays so when it is refunded; what is refunded was paid; what goes on after all counts
UPDATE shop.orders SET status = 'refunded' WHERE order_id IN (1, 6);
UPDATE shop.orders SET status = 'paid' WHERE order_id = 8;
SELECT order_id, status, paid_at, cancelled_at, refunded_at > '2026-01-01' AS refunded_now, counts FROM shop.orders WHERE order_id IN (1, 6, 8) ORDER BY order_id;
SELECT orders FROM shop.average_order_value('2025-01-01', '2025-01-02');
SELECT order_id, days_to_ship FROM shop.order_tracking WHERE order_id IN (4, 5) ORDER BY order_id;
UPDATE shop.settings SET counts_from = 'placed';

-- Messages that nobody may get are cancelled ten thousand a call, and those behind them are for the next; each once, in turn
SELECT shop.suppress('email', 'nobody@example.com');
INSERT INTO shop.outbox (message_id, kind, channel, address, due_at) SELECT n, 'news', 'email', 'nobody@example.com', '2025-01-01'::timestamptz + n / 100 * interval '1 hour' FROM generate_series(1, 10013) AS n;
INSERT INTO shop.outbox (message_id, kind, channel, address, due_at) VALUES (10014, 'news', 'email', 'somebody@example.com', '2025-12-01'), (10015, 'news', 'email', 'nobody@example.com', '2025-12-01'), (10016, 'news', 'email', 'somebody@example.com', '2025-12-01');
SELECT count(*) FROM shop.claim_messages(10);
SELECT status, count(*), min(message_id), max(message_id) FROM shop.outbox GROUP BY status ORDER BY status;
SELECT message_id, attempt FROM shop.claim_messages(2) ORDER BY message_id;
SELECT status, count(*) FROM shop.outbox GROUP BY status ORDER BY status;
-- who was given up by eight workers is dead, and does not count
UPDATE shop.outbox SET attempts = 8, due_at = '2025-01-01' WHERE message_id = 10014;
UPDATE shop.outbox SET due_at = '2025-01-02' WHERE message_id = 10016;
SELECT message_id, attempt FROM shop.claim_messages(1);
SELECT status, error FROM shop.outbox WHERE message_id = 10014;
TRUNCATE shop.outbox;
-- who sends by one channel does not look at what is due by others before
INSERT INTO shop.outbox (message_id, kind, channel, address, due_at) SELECT n, 'news', 'email', 'somebody@example.com', '2025-01-01' FROM generate_series(1, 3000) AS n;
INSERT INTO shop.outbox (message_id, kind, channel, address, due_at) SELECT n, 'news', 'sms', '+351912345678', '2025-02-01' FROM generate_series(3001, 3002) AS n;
BEGIN;
SELECT seq_tup_read + idx_tup_fetch AS before FROM pg_stat_xact_user_tables WHERE relid = 'shop.outbox'::regclass \gset
SELECT message_id FROM shop.claim_messages(9, only_channel => 'sms') ORDER BY message_id;
SELECT seq_tup_read + idx_tup_fetch - :before < 100 AS few FROM pg_stat_xact_user_tables WHERE relid = 'shop.outbox'::regclass;
ROLLBACK;
TRUNCATE shop.outbox;

-- What a line of one statement gives back, another of it may take, the last pieces too; what moves nothing makes no row of stock
INSERT INTO shop.locations VALUES ('main'), ('annex');
INSERT INTO shop.products (product_id, name) VALUES (1, 'mug'), (2, 'pot');
INSERT INTO shop.stock (product_id, location, on_hand) VALUES (1, 'main', 3);
INSERT INTO shop.orders (order_id, channel, currency, status) VALUES (20, 'web', 'EUR', 'placed'), (21, 'web', 'EUR', 'placed'), (22, 'web', 'EUR', 'cancelled');
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price, location) VALUES (20, 1, 1, 1, 1, 'main'), (20, 2, 1, 2, 1, 'main'), (22, 1, 2, 2, 1, 'annex');
UPDATE shop.order_items SET quantity = 3 - quantity WHERE order_id = 20;
MERGE INTO shop.order_items AS i USING (VALUES (20, 1), (20, 2), (21, 1)) AS v(o, l) ON i.order_id = v.o AND i.line = v.l
WHEN MATCHED AND line = 1 THEN UPDATE SET quantity = 1
WHEN MATCHED THEN DELETE
WHEN NOT MATCHED THEN INSERT (order_id, line, product_id, quantity, unit_price, location) VALUES (v.o, v.l, 1, 2, 1, 'main');
UPDATE shop.orders SET status = CASE order_id WHEN 20 THEN 'placed' ELSE 'cancelled' END WHERE order_id IN (20, 21);
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price, location) VALUES (20, 2, 1, 2, 1, 'main');
UPDATE shop.orders SET status = CASE order_id WHEN 21 THEN 'placed' ELSE 'cancelled' END WHERE order_id IN (20, 21);
UPDATE shop.orders SET status = 'placed' WHERE order_id = 20;
SELECT product_id, location, on_hand, reserved, available FROM shop.stock ORDER BY product_id, location;
-- numbers that nobody has so many of
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price, location) VALUES (21, 2, 1, 2147483647, 1, 'main');
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price, location) VALUES (21, 2, 1, -1, 1, 'main');
UPDATE shop.products SET allow_oversell = true WHERE product_id = 1;
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price, location) VALUES (21, 2, 1, 2147483647, 0, 'main');
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price) VALUES (21, 2, 1, 2147483647, 99999999999999);
SELECT product_id, location, on_hand, reserved, available FROM shop.stock ORDER BY product_id, location;
SELECT order_id, units, items_amount FROM shop.orders WHERE order_id IN (20, 21) ORDER BY order_id;

-- One statement that does several things to orders, items and stock does what they come to, and so do triggers of the user's on orders and items.
-- Of each case: the stock as it is, and whether the items say so
CREATE FUNCTION pg_temp.stock_after(statement text, trigger_on text DEFAULT NULL, trigger_does text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	TRUNCATE shop.stock, shop.refunds, shop.order_items, shop.orders CASCADE;
	INSERT INTO shop.stock (product_id, location, on_hand) VALUES (2, 'main', 10);
	INSERT INTO shop.orders (order_id, channel, currency) SELECT n, 'web', 'EUR' FROM generate_series(1, 3) AS n;
	INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price, location) VALUES (1, 1, 2, 2, 5, 'main'), (1, 2, 2, 1, 5, 'main'), (3, 1, 2, 4, 5, 'main');
	IF trigger_on IS NOT NULL THEN
		EXECUTE format('CREATE FUNCTION shop.mine() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN %s; RETURN NULL; END $f$; CREATE TRIGGER mine AFTER %s FOR EACH ROW EXECUTE FUNCTION shop.mine()', trigger_does, trigger_on);
	END IF;
	EXECUTE statement;
	SELECT format('%s in the house, %s reserved', s.on_hand, s.reserved) || CASE WHEN NOT (s.on_hand, s.reserved) = (
		SELECT 10 - coalesce(sum(quantity) FILTER (WHERE h = 'shipped'), 0), coalesce(sum(quantity) FILTER (WHERE h = 'reserved'), 0)
		FROM shop.order_items JOIN shop.orders USING (order_id), shop.holds(status, shipped_at, delivered_at, cancelled_at) AS h) THEN ', but not by the items' ELSE '' END
		|| CASE WHEN EXISTS (SELECT FROM shop.orders AS o WHERE NOT (units, items_amount) = (SELECT coalesce(sum(quantity), 0), coalesce(sum(amount), 0) FROM shop.order_items AS i WHERE i.order_id = o.order_id))
			THEN ', wrong totals' ELSE '' END || CASE WHEN EXISTS (SELECT FROM crm.verify('shop.orders')) THEN ', wrong stages' ELSE '' END
	INTO result FROM shop.stock AS s;
	IF trigger_on IS NOT NULL THEN
		DROP FUNCTION shop.mine CASCADE;
	END IF;
	RETURN result;
END
$$;
\set add 'INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price, location)'
BEGIN;
SELECT pg_temp.stock_after($$WITH o AS (INSERT INTO shop.orders (order_id, channel, currency, status) VALUES (10, 'web', 'EUR', 'placed'), (11, 'web', 'EUR', 'shipped') RETURNING order_id) $$
	|| :'add' || $$ SELECT order_id, 1, 2, 1, 5, 'main' FROM o$$) AS a_new_order;
SELECT pg_temp.stock_after($$WITH i AS ($$ || :'add' || $$ VALUES (10, 1, 2, 1, 5, 'main') RETURNING order_id) INSERT INTO shop.orders (order_id, channel, currency) SELECT order_id, 'web', 'EUR' FROM i$$) AS items_first;
SELECT pg_temp.stock_after($$WITH u AS (UPDATE shop.orders SET status = 'shipped' WHERE order_id = 1 RETURNING order_id) $$ || :'add' || $$ SELECT order_id, 3, 2, 1, 5, 'main' FROM u$$) AS shipped_with_another;
SELECT pg_temp.stock_after($$WITH i AS ($$ || :'add' || $$ VALUES (1, 3, 2, 1, 5, 'main') RETURNING order_id) UPDATE shop.orders SET status = 'shipped' WHERE order_id IN (SELECT order_id FROM i)$$) AS another_and_shipped;
SELECT pg_temp.stock_after($$WITH i AS (DELETE FROM shop.order_items WHERE order_id = 1 RETURNING order_id) UPDATE shop.orders SET status = 'cancelled' WHERE order_id IN (SELECT order_id FROM i)$$) AS taken_out_and_cancelled;
SELECT pg_temp.stock_after($$WITH u AS (UPDATE shop.orders SET status = 'cancelled' WHERE order_id = 1 RETURNING order_id) DELETE FROM shop.order_items WHERE order_id IN (SELECT order_id FROM u)$$) AS cancelled_and_taken_out;
SELECT pg_temp.stock_after($$WITH u AS (UPDATE shop.orders SET status = 'shipped' WHERE order_id <= 2 RETURNING order_id), d AS (DELETE FROM shop.order_items WHERE line = 2), n AS ($$ || :'add' || $$ VALUES (2, 1, 2, 3, 5, 'main'))
	UPDATE shop.order_items SET quantity = quantity + 1 WHERE line = 1 AND order_id IN (SELECT order_id FROM u)$$) AS all_at_once;
-- what comes in and what is freed is there to be taken
SELECT split_part(pg_temp.stock_after($$WITH s AS ($$ || :'add' || $$ VALUES (2, 1, 2, 8, 5, 'main')) UPDATE shop.stock SET on_hand = on_hand + 5$$), ', but', 1) AS came_in;
SELECT pg_temp.stock_after($$WITH d AS (DELETE FROM shop.order_items WHERE order_id = 3) $$ || :'add' || $$ VALUES (2, 1, 2, 6, 5, 'main')$$) AS taken_out;
SELECT pg_temp.stock_after($$WITH u AS (UPDATE shop.orders SET status = 'cancelled' WHERE order_id = 3) $$ || :'add' || $$ VALUES (2, 1, 2, 6, 5, 'main')$$) AS cancelled;
SELECT pg_temp.stock_after($$MERGE INTO shop.order_items AS i USING (VALUES (3, 1), (2, 1)) AS v(o, l) ON i.order_id = v.o AND i.line = v.l WHEN MATCHED THEN DELETE
	WHEN NOT MATCHED THEN INSERT (order_id, line, product_id, quantity, unit_price, location) VALUES (2, 1, 2, 7, 5, 'main')$$) AS merged;
SELECT pg_temp.stock_after(:'add' || $$ VALUES (2, 1, 2, 6, 5, 'main'), (3, 1, 2, 1, 5, 'main') ON CONFLICT (order_id, line) DO UPDATE SET quantity = excluded.quantity$$) AS fewer;
SAVEPOINT s;
SELECT pg_temp.stock_after($$WITH u AS (UPDATE shop.orders SET status = 'cancelled' WHERE order_id = 3) $$ || :'add' || $$ VALUES (2, 1, 2, 8, 5, 'main')$$) AS too_many;
ROLLBACK TO s;
-- by triggers: shipped as soon as an item is there; emptied when it is cancelled; with a gift when it is shipped; changed on
SELECT pg_temp.stock_after(:'add' || $$ VALUES (2, 1, 2, 1, 5, 'main'), (1, 3, 2, 1, 5, 'main')$$, 'INSERT ON shop.order_items', $$UPDATE shop.orders SET status = 'shipped' WHERE order_id = NEW.order_id$$) AS shipped;
SELECT pg_temp.stock_after($$UPDATE shop.orders SET status = 'cancelled'$$, 'UPDATE OF status ON shop.orders', $$DELETE FROM shop.order_items WHERE order_id = NEW.order_id$$) AS emptied;
SELECT pg_temp.stock_after($$UPDATE shop.orders SET status = 'shipped'$$, 'UPDATE OF status ON shop.orders', :'add' || $$ VALUES (NEW.order_id, 9, 2, 1, 0, 'main')$$) AS with_a_gift;
SELECT pg_temp.stock_after($$UPDATE shop.orders SET status = 'shipped'$$, 'UPDATE OF status ON shop.orders',
	:'add' || $$ SELECT NEW.order_id, 9, 2, 1, 0, 'main' WHERE NEW.status = 'shipped'; UPDATE shop.orders SET status = 'delivered' WHERE order_id = NEW.order_id AND status = 'shipped' AND order_id > 1;
	UPDATE shop.orders SET status = 'cancelled' WHERE order_id = NEW.order_id AND status = 'delivered' AND order_id > 2$$) AS changed_on;
-- of many rows, too, what waits is right, and none of it is written anew for each of them
CREATE FUNCTION pg_temp.longest() RETURNS integer LANGUAGE sql AS $$
	SELECT max(octet_length(current_setting(format('crm_store.waiting_%s_%s', 'shop.orders'::regclass::oid, n), true))) FROM generate_series(1, 100) AS n
$$;
SELECT pg_temp.stock_after($$INSERT INTO shop.orders (order_id, channel, currency) SELECT n, 'web', 'EUR' FROM generate_series(101, 700) AS n; UPDATE shop.stock SET on_hand = on_hand + 1000; $$
	|| :'add' || $$ SELECT n, 1, 2, 1, 5, 'main' FROM generate_series(101, 700) AS n; UPDATE shop.stock SET on_hand = on_hand - 1000$$, 'INSERT ON shop.order_items',
	$$UPDATE shop.orders SET status = 'shipped' WHERE order_id = NEW.order_id; PERFORM set_config('mine.longest', greatest(pg_temp.longest(), nullif(current_setting('mine.longest', true), '')::integer)::text, true)$$) AS many;
SELECT current_setting('mine.longest')::integer BETWEEN 10000 AND 21000 AS in_pieces;
-- an error leaves nothing waiting
SELECT pg_temp.stock_after('SELECT 1') AS as_ever;
DO $$ BEGIN UPDATE shop.orders SET status = CASE order_id WHEN 1 THEN 'cancelled' ELSE 'lost' END; EXCEPTION WHEN check_violation THEN NULL; END $$;
UPDATE shop.orders SET status = 'cancelled' WHERE order_id = 3;
SELECT on_hand, reserved FROM shop.stock;
ROLLBACK;

-- Refunds that are deleted with the items that they were of, in one statement, in either order and by a foreign key, are no more than what is left
CREATE FUNCTION pg_temp.totals_after(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	TRUNCATE shop.refunds, shop.order_items, shop.orders CASCADE;
	INSERT INTO shop.orders (order_id, channel, currency, shipping) VALUES (1, 'web', 'EUR', 1);
	INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price) VALUES (1, 1, 2, 2, 5), (1, 2, 2, 1, 5);
	INSERT INTO shop.refunds (order_id, line, quantity, amount) VALUES (1, 1, 2, 10), (1, 2, 1, 4), (1, NULL, NULL, 1);
	EXECUTE statement;
	RETURN (SELECT format('%s, of it %s refunded%s', o.amount, o.refunded_amount,
			CASE WHEN NOT (o.items_amount, o.refunded_amount) = (SELECT coalesce(sum(i.amount), 0), (SELECT coalesce(sum(r.amount), 0) FROM shop.refunds AS r) FROM shop.order_items AS i) THEN ', wrong totals' ELSE '' END)
		FROM shop.orders AS o);
EXCEPTION WHEN check_violation THEN
	RETURN SQLERRM;
END
$$;
BEGIN;
SELECT pg_temp.totals_after('WITH r AS (DELETE FROM shop.refunds WHERE line = 1) DELETE FROM shop.order_items WHERE line = 1') AS a_line,
	pg_temp.totals_after('WITH i AS (DELETE FROM shop.order_items WHERE line = 1) DELETE FROM shop.refunds WHERE line = 1') AS the_other_way;
SELECT pg_temp.totals_after('WITH r AS (DELETE FROM shop.refunds) DELETE FROM shop.order_items') AS all_of_it,
	pg_temp.totals_after('WITH i AS (DELETE FROM shop.order_items) DELETE FROM shop.refunds') AS the_other_way;
SELECT pg_temp.totals_after('WITH i AS (UPDATE shop.order_items SET unit_price = 0 RETURNING order_id) DELETE FROM shop.refunds WHERE order_id IN (SELECT order_id FROM i)') AS made_a_gift;
SELECT pg_temp.totals_after('WITH r AS (DELETE FROM shop.refunds WHERE line = 1) UPDATE shop.order_items SET unit_price = 1') AS too_little_left;
SELECT pg_temp.totals_after('WITH r AS (DELETE FROM shop.refunds), i AS (DELETE FROM shop.order_items) DELETE FROM shop.orders') AS without_locations;
ALTER TABLE shop.refunds DROP CONSTRAINT refunds_order_id_line_fkey, ADD FOREIGN KEY (order_id, line) REFERENCES shop.order_items ON DELETE CASCADE;
SELECT pg_temp.totals_after('DELETE FROM shop.order_items') AS all_items, pg_temp.totals_after('DELETE FROM shop.order_items WHERE line = 1') AS one;
ALTER TABLE shop.order_items DROP CONSTRAINT order_items_order_id_fkey, ADD FOREIGN KEY (order_id) REFERENCES shop.orders ON DELETE CASCADE;
ALTER TABLE shop.refunds DROP CONSTRAINT refunds_order_id_fkey, ADD FOREIGN KEY (order_id) REFERENCES shop.orders ON DELETE CASCADE;
SELECT pg_temp.totals_after('DELETE FROM shop.orders') AS the_order;
SELECT count(*) FROM shop.order_items;
ROLLBACK;

-- What is too long for an index is told by its column, where it comes in. A store that has such rows keeps them, as they are small when compressed
SELECT repeat('x', 2001) AS long \gset
INSERT INTO shop.touches (visitor_id, kind, channel) VALUES (:'long', 'visit', 'web');
SELECT shop.identify(cookie => :'long', email => 'long@example.com');
SELECT shop.identify(system => 'web', external_id => :'long');
INSERT INTO shop.customers (tags) VALUES ('{short}'), (ARRAY['short', :'long']);
INSERT INTO shop.customers (tags) SELECT ARRAY(SELECT 'tag ' || n FROM generate_series(1, 1000) AS n);
INSERT INTO shop.orders (channel, currency, external_id) VALUES ('web', 'EUR', :'long');
INSERT INTO shop.products (sku, name) VALUES (:'long', 'x');
INSERT INTO shop.products (category, name) VALUES (:'long', 'x');
-- every text that an index of the store has is told, or has values that are given, or is of the extension's types
SELECT DISTINCT attrelid::regclass::text COLLATE "C" AS relation, attname
FROM pg_index AS i JOIN pg_class AS r ON r.oid = i.indrelid JOIN pg_attribute AS a ON attrelid = i.indrelid AND attnum > 0
	AND (attnum = ANY (i.indkey) OR strpos(pg_get_indexdef(i.indexrelid), 'lower(' || attname || ')') > 0)
WHERE relnamespace = 'shop'::regnamespace AND atttypid IN ('text'::regtype, 'text[]'::regtype)
	AND NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conrelid = i.indrelid AND attnum = ANY (c.conkey) AND (c.contype = 'f' OR c.contype = 'c' AND pg_get_constraintdef(c.oid) ~ 'length|ANY|\^|fit'))
ORDER BY 1, 2;
-- the longest of them fit
SELECT left(string_agg(md5(n::text), '' ORDER BY n), 2000) AS noise FROM generate_series(1, 63) AS n \gset
INSERT INTO shop.identities (customer_id, kind, system, value) VALUES (3, 'external', left(:'noise', 500), :'noise');
INSERT INTO shop.customers (first_name, last_name, tags) VALUES (left(:'noise', 1000), right(:'noise', 1000), ARRAY[:'noise']);
INSERT INTO shop.channels VALUES (left(:'noise', 500), 'other');
INSERT INTO shop.spend (channel, campaign, day, currency, amount) VALUES (left(:'noise', 500), :'noise', '2025-01-01', 'EUR', 1);
INSERT INTO shop.orders (order_id, channel, currency, source_system, external_id, visitor_id) VALUES (30, 'web', 'EUR', left(:'noise', 500), :'noise', :'noise');
-- a store of before has it for what is new
ALTER TABLE shop.touches DROP CONSTRAINT touches_visitor_id_length;
DELETE FROM shop.crm_constraints WHERE name = 'touches_visitor_id_length';
INSERT INTO shop.touches (visitor_id, kind, channel) VALUES (:'long', 'visit', 'web');
SELECT crm.create_store('shop');
SELECT conname, convalidated FROM pg_constraint WHERE conname IN ('touches_visitor_id_length', 'orders_visitor_id_length') AND connamespace = 'shop'::regnamespace ORDER BY conname;
INSERT INTO shop.touches (visitor_id, kind, channel) VALUES (:'long', 'visit', 'web');
DELETE FROM shop.touches;

-- Merges into one customer that are undone in whatever order: he is as if those that are undone had never been made
CREATE FUNCTION pg_temp.people(base bigint) RETURNS void LANGUAGE sql AS $$
	DELETE FROM shop.identities WHERE customer_id >= 1000;
	INSERT INTO shop.customers (customer_id, created_at, first_name, city, email, email_verified_at, tags, attributes, created_via) VALUES
		(base + 1, '2025-01-01', NULL, NULL, NULL, NULL, '{a}', '{"w": 1}', 'lead'),
		(base + 2, '2024-01-01', 'Two', 'Porto', 'two@example.com', '2024-01-01', '{b,s}', '{"x": 2, "y": 2}', 'account'),
		(base + 3, '2023-01-01', 'Three', NULL, NULL, NULL, '{c,s}', '{"x": 3, "z": 3}', 'guest'),
		(base + 4, '2024-06-01', 'Four', 'Faro', 'four@example.com', '2024-06-01', '{b,d}', '{"y": 4}', 'account');
	DELETE FROM shop.identities WHERE customer_id >= 1000
$$;
CREATE FUNCTION pg_temp.person(id bigint) RETURNS text LANGUAGE sql AS $$
	SELECT row(created_at, first_name, city, email, email_verified_at, ARRAY(SELECT unnest(tags) ORDER BY 1), attributes, created_via)::text FROM shop.customers WHERE customer_id = id
$$;
CREATE TEMPORARY TABLE undone (orders int, differ int);
DO $$
DECLARE
	base bigint := 1000;
	way int[];
	ids bigint[];
	gone int[];
	is_now text;
	tried int := 0;
	differ int := 0;
BEGIN
	FOR way IN SELECT ARRAY[a, b, c] FROM generate_series(2, 4) AS a, generate_series(2, 4) AS b, generate_series(2, 4) AS c WHERE a <> b AND b <> c AND a <> c LOOP
		base := base + 10;
		PERFORM pg_temp.people(base);
		ids := ARRAY(SELECT shop.merge_customers(base + 1, base + n) FROM generate_series(2, 4) AS n);
		gone := '{}';
		FOR i IN 1 .. 3 LOOP
			PERFORM shop.undo_merge(ids[way[i] - 1]);
			gone := gone || way[i];
			is_now := pg_temp.person(base + 1);
			PERFORM pg_temp.people(base + 100000 + i * 1000);
			PERFORM shop.merge_customers(base + 100000 + i * 1000 + 1, base + 100000 + i * 1000 + n) FROM generate_series(2, 4) AS n WHERE n <> ALL (gone);
			tried := tried + 1;
			differ := differ + (is_now IS DISTINCT FROM pg_temp.person(base + 100000 + i * 1000 + 1))::int;
		END LOOP;
	END LOOP;
	INSERT INTO undone VALUES (tried, differ);
END
$$;
TABLE undone;
-- what somebody has written or taken away since stays so, whatever is undone
SELECT pg_temp.people(2000);
SELECT shop.merge_customers(2001, 2002) AS second, shop.merge_customers(2001, 2003) AS third \gset
UPDATE shop.customers SET city = NULL, tags = '{a,b,c,new}', attributes = attributes - 'z' || '{"y": 9}', first_name = 'Own' WHERE customer_id = 2001;
SELECT shop.undo_merge(:second);
SELECT created_at, first_name, city, email, tags, attributes, created_via FROM shop.customers WHERE customer_id = 2001;
SELECT shop.undo_merge(:third);
SELECT created_at, first_name, city, email, tags, attributes, created_via FROM shop.customers WHERE customer_id = 2001;

-- Currencies of no decimals, and of three: orders, refunds, prices, messages, what was spent
SELECT crm.create_store('tokyo', 'JPY', 'Asia/Tokyo');
INSERT INTO tokyo.channels VALUES ('web', 'direct');
INSERT INTO tokyo.rates VALUES ('EUR', '2025-01-01', 160.1234), ('KWD', '2025-01-01', 480.55);
INSERT INTO tokyo.products (product_id, name, price, currency) VALUES (1, 'a yen''s', 1500, NULL), (2, 'a dinar''s', 1.255, 'KWD');
INSERT INTO tokyo.spend VALUES ('web', '', '2025-02-01', 'JPY', 10), ('web', '', '2025-02-01', 'KWD', 1.125);
INSERT INTO tokyo.orders (order_id, channel, currency, ordered_at, shipping) VALUES (1, 'web', 'JPY', '2025-02-01', 300), (2, 'web', 'KWD', '2025-02-01', 0.001), (3, 'web', 'EUR', '2025-02-01', 9.99);
INSERT INTO tokyo.orders (order_id, channel, currency, shipping) VALUES (4, 'web', 'JPY', 0.5);
INSERT INTO tokyo.order_items (order_id, line, product_id, quantity, unit_price, discount) VALUES (1, 1, 1, 3, 1500, 1), (2, 1, 2, 3, 1.255, 0.005);
INSERT INTO tokyo.order_items (order_id, line, product_id, quantity, unit_price) VALUES (1, 2, 1, 1, 0.5);
INSERT INTO tokyo.refunds (order_id, amount) VALUES (1, 0.5);
INSERT INTO tokyo.refunds (order_id, amount) VALUES (1, 99), (2, 0.760);
-- 1: 3 * 1500 - 1 + 300 - 99; 2: (3 * 1.255 - 0.005 + 0.001 - 0.760) * 480.55 = 3.001 * 480.55 = 1442.13; 3: 9.99 * 160.1234 = 1599.63
SELECT order_id, amount, refunded_amount, net_base FROM tokyo.orders ORDER BY order_id;
INSERT INTO tokyo.customers (customer_id, email) VALUES (1, 'ada@example.com');
INSERT INTO tokyo.consents (customer_id, channel, granted) VALUES (1, 'email', true);
SELECT tokyo.subscribe(1, 'price_drop') > 0 AS subscribed;
UPDATE tokyo.products SET price = CASE product_id WHEN 1 THEN 1400 ELSE 1.1 END;
SELECT payload #>> '{merge_fields,PRICE}' AS price, payload #>> '{merge_fields,OLDPRICE}' AS was, payload #>> '{merge_fields,CURRENCY}' AS currency FROM tokyo.outbox ORDER BY product_id;
DROP SCHEMA tokyo CASCADE;

-- A checkout with savepoints: what was rolled back holds nothing
UPDATE shop.products SET allow_oversell = false WHERE product_id = 1;
UPDATE shop.stock SET on_hand = 5 WHERE product_id = 1;
BEGIN;
INSERT INTO shop.orders (order_id, customer_id, channel, currency) VALUES (40, 3, 'web', 'EUR');
SAVEPOINT items;
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price, location) VALUES (40, 1, 1, 3, 5, 'main');
ROLLBACK TO items;
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price, location) VALUES (40, 1, 1, 4, 5, 'main');
ROLLBACK TO items;
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price, location) VALUES (40, 1, 1, 2, 5, 'main');
SAVEPOINT shipped;
UPDATE shop.orders SET status = 'shipped' WHERE order_id = 40;
ROLLBACK TO shipped;
UPDATE shop.orders SET status = 'paid' WHERE order_id = 40;
COMMIT;
SELECT o.status, o.units, o.amount, s.on_hand, s.reserved, (SELECT array_agg(h.status ORDER BY entry_id) FROM shop.order_history AS h WHERE h.order_id = 40) AS history,
	(SELECT crm.order_count(l.purchases) FROM shop.orders_lifecycle AS l WHERE customer = 3) AS counted
FROM shop.orders AS o, shop.stock AS s WHERE order_id = 40 AND s.product_id = 1;

-- Written while no trigger fires, and mended: totals, worth, stages; stock is nobody's but who counts it
SET session_replication_role = replica;
INSERT INTO shop.orders (order_id, customer_id, channel, currency) VALUES (41, 3, 'web', 'EUR');
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price, location) VALUES (41, 1, 1, 2, 5, 'main');
INSERT INTO shop.refunds (order_id, amount) VALUES (41, 4);
RESET session_replication_role;
SELECT units, amount, refunded_amount, net_base FROM shop.orders WHERE order_id = 41;
UPDATE shop.order_items SET quantity = quantity WHERE order_id = 41;
UPDATE shop.refunds SET amount = amount WHERE order_id = 41;
SELECT shop.value_orders() AS changed, crm.refresh('shop.orders') AS refreshed;
SELECT units, amount, refunded_amount, net_base FROM shop.orders WHERE order_id = 41;
SELECT * FROM crm.verify('shop.orders');

-- A program that saves a whole row, as it was when it began, changes no total of what has items or refunds; of what has none it does
UPDATE shop.orders SET units = 0, items_amount = 0, refunded_amount = 0, refunded_sales = 0, counts = true, net_base = 0, day = NULL, city = 'Porto' WHERE order_id IN (40, 41);
UPDATE shop.orders SET units = 2, items_amount = 12 WHERE order_id = 30;
INSERT INTO shop.orders (order_id, channel, currency, units, items_amount, refunded_amount) VALUES (42, 'web', 'EUR', 1, 5, 4);
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price) VALUES (42, 1, 1, 1, 5);
UPDATE shop.order_items SET unit_price = 6 WHERE order_id = 42;
SELECT order_id, units, amount, refunded_amount, refunded_sales, net_base, day = (ordered_at AT TIME ZONE 'UTC')::date AS day, city FROM shop.orders WHERE order_id IN (30, 40, 41, 42) ORDER BY order_id;
SELECT * FROM crm.verify('shop.orders');

DROP SCHEMA shop CASCADE;

-- Customers, orders and touches in partitions: all that writes writes them, from COPY to forgetting
SELECT crm.create_store('shop');
CREATE PROCEDURE pg_temp.part(relation text, how text, keys text) LANGUAGE plpgsql AS $$
DECLARE
	foreign_keys text;
	id oid := format('shop.%I', relation)::regclass;
BEGIN
	SELECT string_agg(format('ALTER TABLE %s ADD %s', CASE WHEN conrelid = id THEN format('shop.%I', relation) ELSE conrelid::regclass::text END, pg_get_constraintdef(oid)), '; ' ORDER BY conrelid <> id)
	INTO foreign_keys FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND id IN (conrelid, confrelid);
	EXECUTE format('ALTER TABLE shop.%1$I RENAME TO whole; CREATE TABLE shop.%1$I (LIKE shop.whole INCLUDING ALL EXCLUDING INDEXES) PARTITION BY %2$s', relation, how);
	IF how LIKE 'HASH%' THEN
		EXECUTE format('CREATE TABLE shop.%1$I PARTITION OF shop.%2$I FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE shop.%3$I PARTITION OF shop.%2$I FOR VALUES WITH (MODULUS 2, REMAINDER 1)',
			relation || '_0', relation, relation || '_1');
	ELSE
		EXECUTE format('CREATE TABLE shop.%1$I PARTITION OF shop.%2$I DEFAULT; CREATE TABLE shop.%3$I PARTITION OF shop.%2$I FOR VALUES FROM (''2025-01-01'') TO (''2026-01-01'')', relation || '_0', relation, relation || '_1');
	END IF;
	DROP TABLE shop.whole CASCADE;
	EXECUTE format('ALTER TABLE shop.%I ADD PRIMARY KEY (%s)', relation, keys);
	EXECUTE foreign_keys;
END
$$;
CALL pg_temp.part('customers', 'HASH (customer_id)', 'customer_id');
CALL pg_temp.part('orders', 'HASH (order_id)', 'order_id');
CALL pg_temp.part('touches', 'RANGE (touched_at)', 'touch_id, touched_at');
SELECT crm.create_store('shop');
SELECT * FROM shop.uncovered_data();
INSERT INTO shop.channels VALUES ('web', 'direct');
INSERT INTO shop.locations VALUES ('main');
INSERT INTO shop.products (product_id, name, price) VALUES (1, 'mug', 5), (2, 'pot', 7);
INSERT INTO shop.stock (product_id, location, on_hand) VALUES (1, 'main', 10), (2, 'main', 10);
SELECT shop.identify(email => 'ada@example.com', cookie => 'v1') AS ada, shop.identify(email => 'bea@example.com', cookie => 'v2') AS bea, shop.identify(system => 'web', external_id => '3') AS cleo;
COPY shop.touches (visitor_id, customer_id, kind, channel, touched_at) FROM STDIN;
v1	\N	visit	web	2025-01-01
v2	\N	view	web	2024-01-01
v5	1	login	web	2025-02-01
v6	2	login	web	2024-02-01
\.
COPY shop.orders (order_id, customer_id, visitor_id, channel, currency, status, ordered_at) FROM STDIN;
1	1	v1	web	EUR	paid	2025-01-01
2	2	v2	web	EUR	placed	2025-01-02
3	\N	v2	web	EUR	placed	2025-01-03
4	3	\N	web	EUR	delivered	2025-01-04
\.
COPY shop.order_items (order_id, line, product_id, quantity, unit_price, location) FROM STDIN;
1	1	1	2	5	main
2	1	2	1	7	main
2	2	1	1	5	\N
4	1	1	1	5	main
\.
SELECT count(DISTINCT tableoid) AS partitions FROM (SELECT tableoid FROM shop.customers UNION ALL SELECT tableoid FROM shop.orders UNION ALL SELECT tableoid FROM shop.touches) AS t;
SELECT order_id, units, amount, net_base, counts, paid_at FROM shop.orders ORDER BY order_id;
SELECT product_id, on_hand, reserved FROM shop.stock ORDER BY product_id;
INSERT INTO shop.refunds (order_id, amount) VALUES (1, 3);
UPDATE shop.orders SET status = 'shipped';
SELECT shop.merge_customers(1, 2) AS merge \gset
SELECT order_id, customer_id, status FROM shop.orders ORDER BY order_id;
SELECT * FROM crm.verify('shop.orders');
SELECT shop.undo_merge(:merge);
SELECT 'order' AS what, order_id AS id, customer_id FROM shop.orders UNION ALL SELECT 'touch', touch_id, customer_id FROM shop.touches ORDER BY 1, 2;
SELECT shop.merge_customers(1, 2) > 0 AS merged;
SELECT shop.forget_customer(2) - 'merge_rows' AS rows;
SELECT customer_id, email, merged_into, forgotten_at IS NOT NULL AS forgotten FROM shop.customers ORDER BY customer_id;
SELECT touch_id, customer_id, visitor_id FROM shop.touches ORDER BY touch_id;
SELECT product_id, on_hand, reserved FROM shop.stock ORDER BY product_id;
SELECT * FROM crm.verify('shop.orders');

DROP SCHEMA shop CASCADE;
