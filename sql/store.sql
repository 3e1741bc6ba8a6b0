-- The store: everything a shop's data need, in a schema of the user's own.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- Names: any that a schema can have, but for a dollar sign
SELECT crm.create_store('shop');
SELECT crm.create_store('My "Shop''s" %I @.Λάβκα', 'USD', 'America/New_York');
\set VERBOSITY terse
SELECT crm.create_store('');
SELECT crm.create_store('a$b');
SELECT crm.create_store('pg_shop');
SELECT crm.create_store('crm');
SELECT crm.create_store(repeat('x', 64));
SELECT crm.create_store('bad', 'XYZ');
SELECT crm.create_store('bad', 'EUR', 'Mars/Olympus');
SELECT crm.create_store('bad', 'eur');
SELECT crm.create_store('bad', 'EUR', '+2');
SELECT crm.create_store(NULL);
SELECT crm.create_store('bad', NULL);
SELECT to_regnamespace('bad') IS NULL AS nothing_is_left;
-- a schema that is something else's
CREATE SCHEMA taken;
CREATE TABLE taken.customers (id int);
SELECT crm.create_store('taken');
DROP SCHEMA taken CASCADE;

-- Running it again adds what is missing, and keeps what the user made of it
DROP VIEW shop.repeat_rate;
DROP TRIGGER items_inserted ON shop.order_items;
DROP TABLE shop.spend CASCADE;
-- columns of all kinds, and what goes by them
ALTER TABLE shop.customers DROP COLUMN gender CASCADE, DROP COLUMN tags CASCADE, DROP COLUMN team CASCADE;
ALTER TABLE shop.identities DROP COLUMN email CASCADE;
ALTER TABLE shop.orders DROP COLUMN units CASCADE, DROP COLUMN carrier CASCADE;
ALTER TABLE shop.stock DROP COLUMN on_hand CASCADE;
ALTER TABLE shop.fits DROP COLUMN fit_id CASCADE;
DROP FUNCTION shop.resolve CASCADE;
ALTER TABLE shop.customers ADD COLUMN shoe_size int;
COMMENT ON COLUMN shop.customers.source IS 'of my own';
UPDATE shop.settings SET time_zone = 'Europe/Berlin';
SELECT crm.create_store('shop', 'USD', 'Asia/Tokyo');
SELECT to_regclass('shop.repeat_rate'), to_regclass('shop.spend'), to_regclass('shop.channel_performance'), (SELECT count(*) FROM pg_trigger WHERE tgname = 'items_inserted' AND tgrelid = 'shop.order_items'::regclass);
SELECT base_currency, time_zone, crm_version = (SELECT extversion FROM pg_extension WHERE extname = 'crm') AS version FROM shop.settings;
SELECT col_description('shop.customers'::regclass, attnum) FROM pg_attribute WHERE attrelid = 'shop.customers'::regclass AND attname = 'source';
UPDATE shop.settings SET time_zone = 'UTC';

-- what can't be mended is told
\set VERBOSITY default
\set SHOW_CONTEXT never
BEGIN; DROP TABLE shop.orders CASCADE; SELECT crm.create_store('shop'); ROLLBACK;
BEGIN; SET LOCAL session_replication_role = replica; DROP TABLE shop.orders_lifecycle_history CASCADE; SET LOCAL session_replication_role = origin; SELECT crm.create_store('shop'); ROLLBACK;
BEGIN; DROP VIEW shop.orders_lifecycle_now CASCADE; SELECT crm.create_store('shop'); ROLLBACK;
-- triggers that keep stages current come back, and nothing is forgotten
BEGIN;
INSERT INTO shop.channels VALUES ('web', 'direct');
INSERT INTO shop.customers (customer_id) VALUES (1), (2);
SELECT shop.set_lifecycle_policy(crm.lifecycle_policy(at_risk_after => '30 days', lost_after => '60 days'));
INSERT INTO shop.orders (customer_id, channel, currency, ordered_at) VALUES (1, 'web', 'EUR', '2025-01-01'), (2, 'web', 'EUR', now());
INSERT INTO shop.orders (customer_id, channel, currency, ordered_at) VALUES (1, 'web', 'EUR', now());
CREATE TEMP TABLE was AS SELECT to_jsonb(l) AS row FROM shop.orders_lifecycle AS l UNION ALL SELECT to_jsonb(h) - 'id' FROM shop.orders_lifecycle_history AS h UNION ALL SELECT to_jsonb(shop.policy()::text);
CREATE VIEW shop.mine AS SELECT customer FROM shop.orders_lifecycle;
DROP TRIGGER crm_track_delete ON shop.orders;
SELECT finding, remedy FROM crm.doctor() WHERE subject = 'orders shop.orders';
DROP TRIGGER crm_track_insert ON shop.orders;
SELECT severity, finding, remedy FROM crm.doctor() WHERE subject = 'store shop';
INSERT INTO shop.orders (customer_id, channel, currency, ordered_at) VALUES (2, 'web', 'EUR', now());
SELECT crm.create_store('shop');
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'shop.orders'::regclass AND tgname LIKE 'crm_track%';
SELECT count(*) FILTER (WHERE row ->> 'customer' IS DISTINCT FROM '2') AS lost FROM (TABLE was EXCEPT ALL (SELECT to_jsonb(l) FROM shop.orders_lifecycle AS l UNION ALL SELECT to_jsonb(h) - 'id' FROM shop.orders_lifecycle_history AS h UNION ALL SELECT to_jsonb(shop.policy()::text))) AS d;
SELECT customer, from_stage, to_stage, cause FROM shop.orders_lifecycle_history ORDER BY customer, id;
SELECT * FROM crm.verify('shop.orders');
DROP VIEW shop.mine;
SELECT crm.create_store('shop');
SELECT to_regclass('shop.crm_old_lifecycle') IS NULL AS gone;
-- nor is what is in a column of the user's
ALTER TABLE shop.orders_lifecycle ADD COLUMN note text;
UPDATE shop.orders_lifecycle SET note = 'mine' WHERE customer = 1;
DROP TRIGGER crm_track_delete ON shop.orders;
SELECT crm.create_store('shop');
SELECT note FROM shop.crm_old_lifecycle WHERE customer = 1;
ROLLBACK;
BEGIN; INSERT INTO shop.channels VALUES ('web', 'direct'); ALTER TABLE shop.channels DROP COLUMN type CASCADE; SELECT crm.create_store('shop'); ROLLBACK;
BEGIN; DROP VIEW shop.repeat_rate; CREATE TABLE shop.repeat_rate (mine int); SELECT crm.create_store('shop'); ROLLBACK;
\set VERBOSITY terse
\set SHOW_CONTEXT errors
-- as the hint says
BEGIN;
DROP TRIGGER crm_track_delete ON shop.orders; DROP TRIGGER crm_track_insert ON shop.orders; DROP TRIGGER crm_track_truncate ON shop.orders; DROP TRIGGER crm_track_update_row ON shop.orders;
DROP TABLE IF EXISTS shop.orders_lifecycle, shop.orders_lifecycle_history CASCADE;
SELECT crm.create_store('shop');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'shop.orders'::regclass AND tgname LIKE 'crm_track%';
ROLLBACK;

-- Two stores are alike, but for the name
SELECT count(*) FROM (
	SELECT relname::text, relkind FROM pg_class WHERE relnamespace = 'shop'::regnamespace
	EXCEPT ALL SELECT relname::text, relkind FROM pg_class WHERE relnamespace = '"My ""Shop''s"" %I @.Λάβκα"'::regnamespace) AS d;
SELECT replace(attrelid::regclass::text, 'shop.', '') AS relation, attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, pg_get_expr(adbin, adrelid)
FROM pg_class AS c JOIN pg_attribute ON attrelid = c.oid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relnamespace = 'shop'::regnamespace AND relkind IN ('r', 'v') AND attnum > 0 AND NOT attisdropped AND attname <> 'shoe_size'
EXCEPT SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, pg_get_expr(adbin, adrelid)
FROM pg_class AS c JOIN pg_attribute ON attrelid = c.oid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relnamespace = '"My ""Shop''s"" %I @.Λάβκα"'::regnamespace AND relkind IN ('r', 'v') AND attnum > 0 AND NOT attisdropped;
SELECT tgname, tgrelid::regclass FROM pg_trigger JOIN pg_class AS c ON c.oid = tgrelid WHERE relnamespace = '"My ""Shop''s"" %I @.Λάβκα"'::regnamespace AND NOT tgisinternal
AND NOT EXISTS (SELECT FROM pg_trigger AS t JOIN pg_class AS r ON r.oid = t.tgrelid WHERE r.relnamespace = 'shop'::regnamespace AND r.relname = c.relname AND t.tgname = pg_trigger.tgname);
SELECT base_currency, time_zone FROM "My ""Shop's"" %I @.Λάβκα".settings;

-- Everything has a comment
SELECT c.oid::regclass AS without_comment, NULL AS "column" FROM pg_class AS c
WHERE relnamespace = 'shop'::regnamespace AND relkind IN ('r', 'v') AND obj_description(oid, 'pg_class') IS NULL
UNION ALL SELECT attrelid::regclass, attname FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid
WHERE relnamespace = 'shop'::regnamespace AND relkind IN ('r', 'v') AND attnum > 0 AND NOT attisdropped AND col_description(attrelid, attnum) IS NULL
UNION ALL SELECT NULL, proname FROM pg_proc AS p WHERE pronamespace = 'shop'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL;
-- and every comment is of something
SELECT d.relation, d."column" FROM crm.store_comments() AS d
WHERE NOT EXISTS (SELECT FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid WHERE relnamespace = 'shop'::regnamespace
	AND relkind IN ('r', 'v') AND relname = coalesce(d.relation, relname) AND attname = coalesce(d."column", attname));
-- views have plain types only
SELECT attrelid::regclass, attname, format_type(atttypid, atttypmod) FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid
WHERE relnamespace = 'shop'::regnamespace AND relkind = 'v' AND NOT (atttypid = ANY ('{text,int,bigint,boolean,date,timestamptz,float8}'::regtype[])
	OR atttypid = 'numeric'::regtype AND atttypmod <> -1);
-- functions: none but triggers that lock rows run with their owner's rights, each has a pinned search_path or a parsed body
SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'shop'::regnamespace
AND (prosecdef OR prosqlbody IS NULL AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)) ORDER BY oid;
SELECT proname FROM pg_proc WHERE pronamespace = 'shop'::regnamespace AND NOT has_function_privilege('public', oid, 'EXECUTE') ORDER BY proname COLLATE "C";
-- nothing of it belongs to the extension
SELECT count(*) FROM pg_depend WHERE deptype = 'e' AND (classid, objid) IN (
	SELECT 'pg_class'::regclass, oid FROM pg_class WHERE relnamespace = 'shop'::regnamespace
	UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE pronamespace = 'shop'::regnamespace
	UNION ALL SELECT 'pg_namespace'::regclass, 'shop'::regnamespace);
-- which can't be dropped under it
DROP EXTENSION crm;

-- A user with no more than CREATE on the database
CREATE ROLE regress_crm_owner;
CREATE ROLE regress_crm_reader;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_crm_owner', current_database()) \gexec
SET ROLE regress_crm_owner;
SELECT crm.create_store('own');
SELECT own.identify(email => 'jane@example.com') IS NOT NULL AS works;
SELECT crm.create_store('shop');
GRANT USAGE ON SCHEMA own TO regress_crm_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA own TO regress_crm_reader;
SET ROLE regress_crm_reader;
SELECT count(*) FROM own.customer_360;
SELECT * FROM own.funnel('-infinity', 'infinity');
SELECT own.identify(email => 'john@example.com');
RESET ROLE;
SET ROLE regress_crm_owner;
DROP SCHEMA own CASCADE;
RESET ROLE;
SELECT format('REVOKE CREATE ON DATABASE %I FROM regress_crm_owner', current_database()) \gexec
DROP ROLE regress_crm_owner, regress_crm_reader;

-- Who is behind an interaction.  Ids are named by \gset, as a sequence has gaps.
SELECT shop.identify(cookie => 'c1') AS nobody;
SELECT shop.identify(email => 'Ana@Example.com', cookie => 'c1', source => 'discount form') AS ana \gset
SELECT shop.identify(email => 'ana@example.com') = :ana AS same_address, shop.identify(cookie => 'c1') = :ana AS same_browser;
SELECT email, created_via, source, email_verified_at IS NULL AS not_verified FROM shop.customers WHERE customer_id = :ana;
-- someone registers under her address: without proof that is somebody else
SELECT shop.identify(system => 'web', external_id => '666', email => 'ana@example.com', cookie => 'evil') AS mallory \gset
SELECT :mallory <> :ana AS somebody_else, shop.identify(email => 'ana@example.com') = :ana AS still_hers;
-- she registers in her browser: the same person, with an account now
SELECT shop.identify(system => 'web', external_id => '1', email => 'ana@example.com', cookie => 'c1') = :ana AS promoted;
SELECT created_via FROM shop.customers WHERE customer_id = :ana;
-- the marketplace has proof, but here there is none
SELECT shop.identify(system => 'market', external_id => 'm1', email => 'ana@example.com', verified => true) <> :ana AS not_proved_on_both_sides;
-- now there is
SELECT shop.identify(system => 'web', external_id => '1', email => 'ana@example.com', verified => true) = :ana AS ana;
SELECT shop.identify(system => 'pos', external_id => 'p1', email => 'ana@example.com', verified => true) = :ana AS two_systems;
-- a second account of the same system is another person, even with proof
SELECT shop.identify(system => 'web', external_id => '2', email => 'ana@example.com', verified => true) <> :ana AS two_accounts;
-- a guest's purchases come to the account when the address is proved
SELECT shop.identify(email => 'bob@example.com', phone => '+44 7700 900123') AS guest \gset
SELECT shop.identify(system => 'web', external_id => '3') AS bob \gset
SELECT shop.identify(system => 'web', external_id => '3', email => 'bob@example.com', verified => true) = :bob AS bob;
SELECT shop.resolve(:guest) = :bob AS merged, shop.resolve(:bob) = :bob AS itself, shop.resolve(-1) AS unknown;
SELECT email, phone, email_verified_at IS NOT NULL AS verified FROM shop.customers WHERE customer_id = :bob;
SELECT reason FROM shop.merges WHERE keep = :bob;
-- a telephone number alone; a handle alone; then with an address
SELECT shop.identify(phone => '+44 7700 900555') = shop.identify(phone => '+44/7700/900 555') AS same_number;
SELECT shop.identify(network => 'mastodon', handle => '@carl') AS carl \gset
SELECT shop.identify(network => 'mastodon', handle => '@carl', email => 'carl@example.com', verified => true) = :carl AS same_handle,
	shop.identify(email => 'carl@example.com') = :carl AS by_address;
-- another address in the same browser is another person
SELECT shop.identify(email => 'dora@example.com', cookie => 'c1') <> :ana AS another;
SELECT shop.identify(system => 'web');
SELECT shop.identify(email => 'not an address');
SELECT kind, system, value, verified_at IS NOT NULL AS verified FROM shop.identities WHERE customer_id = :ana ORDER BY kind, system, value;

-- Consent: the last word holds, and a merge brings the words of both
INSERT INTO shop.consents (customer_id, channel, granted, at) VALUES (:bob, 'email', true, '2025-01-01'), (:bob, 'email', false, '2025-02-01'), (:carl, 'sms', true, '2025-01-01');
SELECT shop.may_contact(:bob, 'email'), shop.may_contact(:bob, 'email', as_of => '2025-01-15'), shop.may_contact(:bob, 'sms'), shop.may_contact(:carl, 'sms'), shop.may_contact(:carl, 'sms', 'research');

-- Custom attributes
UPDATE shop.customers SET attributes = '{"size": 43, "since": "2020-02-29"}' WHERE customer_id = :bob;
INSERT INTO shop.attribute_keys (key, type) VALUES ('size', 'text');
INSERT INTO shop.attribute_keys (key, type) VALUES ('size', 'number'), ('since', 'date'), ('vip', 'boolean'), ('likes', 'list'), ('note', 'text');
UPDATE shop.customers SET attributes = '{"size": null, "since": "2020-02-28", "vip": true, "likes": ["tea"], "note": "!", "else": {}}' WHERE customer_id = :bob;
UPDATE shop.customers SET attributes = '{"since": "2020-02-30"}' WHERE customer_id = :bob;
UPDATE shop.customers SET attributes = '{"vip": "yes"}' WHERE customer_id = :bob;
INSERT INTO shop.customers (attributes) VALUES ('{"likes": "tea"}');
INSERT INTO shop.customers (attributes) VALUES ('[]');

-- Orders: totals follow items and refunds; money has the decimals of its currency
INSERT INTO shop.channels VALUES ('web', 'direct'), ('fair', 'physical_shop');
INSERT INTO shop.locations VALUES ('main'), ('annex');
SELECT setval('shop.orders_order_id_seq', 100), setval('shop.touches_touch_id_seq', 100);
INSERT INTO shop.products (product_id, name, category, price) VALUES (1, 'tea', 'food', 5), (2, 'mug', 'kitchen', 9.90), (3, 'pot', 'kitchen', 30);
INSERT INTO shop.stock (product_id, location, on_hand) VALUES (1, 'main', 10), (2, 'main', 3), (2, 'annex', 5);
INSERT INTO shop.orders (order_id, customer_id, channel, currency, ordered_at, shipping, tax, discount) VALUES (1, :bob, 'web', 'EUR', '2025-03-01', 4.90, 2, 1), (2, :guest, 'web', 'JPY', '2025-03-02', 500, 0, 0);
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price, discount, location) VALUES (1, 1, 1, 2, 5, 0.50, 'main'), (1, 2, 2, 1, 9.90, 0, 'main'), (2, 1, 2, 2, 1200, 0, 'annex');
SELECT order_id, customer_id = :bob AS of_bob, units, items_amount, amount FROM shop.orders ORDER BY order_id;
UPDATE shop.order_items SET quantity = 3 WHERE (order_id, line) = (1, 1);
DELETE FROM shop.order_items WHERE (order_id, line) = (1, 2);
SELECT units, items_amount, amount FROM shop.orders WHERE order_id = 1;
SELECT product_id, location, on_hand, reserved, available FROM shop.stock ORDER BY product_id, location;
INSERT INTO shop.order_items VALUES (2, 2, 1, 1, 0.5);
INSERT INTO shop.orders (channel, currency, shipping) VALUES ('web', 'KWD', 0.1234);
INSERT INTO shop.orders (channel, currency, shipping) VALUES ('web', 'XXX', 1);
INSERT INTO shop.refunds (order_id, amount) VALUES (2, 0.5);
INSERT INTO shop.refunds (order_id, amount, shipping) VALUES (2, 1500, 300);
INSERT INTO shop.refunds (order_id, amount) VALUES (2, 1401);
SELECT amount, refunded_amount, refunded_sales FROM shop.orders WHERE order_id = 2;
DELETE FROM shop.orders WHERE order_id = 2;

-- Status: history, times, and what is held in stock
UPDATE shop.orders SET status = 'paid', paid_at = '2025-03-02 10:00' WHERE order_id = 1;
UPDATE shop.orders SET status = 'shipped', shipped_at = '2025-03-03 12:00', carrier = 'snail' WHERE order_id = 1;
UPDATE shop.orders SET city = 'Porto' WHERE order_id = 1;
UPDATE shop.orders SET status = 'cancelled' WHERE order_id = 2;
SELECT status, at FROM shop.order_history WHERE order_id = 1 ORDER BY entry_id;
SELECT status, cancelled_at > now() - interval '1 hour' AS now FROM shop.orders WHERE order_id = 2;
SELECT product_id, location, on_hand, reserved, available FROM shop.stock ORDER BY product_id, location;
-- shipped by mistake, cancelled by mistake
UPDATE shop.orders SET status = 'paid', shipped_at = NULL WHERE order_id = 1;
UPDATE shop.orders SET status = 'placed' WHERE order_id = 2;
SELECT product_id, location, on_hand, reserved, available FROM shop.stock ORDER BY product_id, location;
-- sent back: cancelled, then refunded, is in the house and no order; delivered, then refunded, is out of it and one; so is what was cancelled by mistake
BEGIN;
CREATE TEMP TABLE steps (product int, step int, status text);
INSERT INTO steps SELECT p, n, s FROM (VALUES (11, '{shipped,cancelled,refunded}'), (12, '{cancelled,refunded}'), (13, '{refunded}'), (14, '{delivered,refunded}'), (15, '{cancelled,refunded,placed,refunded}'),
	(16, '{shipped,cancelled,shipped,refunded}'), (17, '{refunded,placed,shipped,refunded,cancelled}')) AS v(p, list), unnest(list::text[]) WITH ORDINALITY AS u(s, n);
INSERT INTO shop.products (product_id, name) SELECT n, 'thing' FROM generate_series(11, 17) AS n;
INSERT INTO shop.stock (product_id, location, on_hand) SELECT n, 'main', 10 FROM generate_series(11, 17) AS n;
INSERT INTO shop.orders (order_id, channel, currency) SELECT n, 'web', 'EUR' FROM generate_series(11, 17) AS n;
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price, location) SELECT n, 1, n, 3, 5, 'main' FROM generate_series(11, 17) AS n;
CREATE FUNCTION pg_temp.walk() RETURNS TABLE (product int, step int, status text, on_hand int, reserved int, counts boolean) LANGUAGE plpgsql AS $$
DECLARE s steps;
BEGIN
	FOR s IN SELECT * FROM steps ORDER BY 1, 2 LOOP
		UPDATE shop.orders AS o SET status = s.status WHERE o.order_id = s.product;
		RETURN QUERY SELECT s.product, s.step, s.status, t.on_hand, t.reserved, o.counts FROM shop.stock AS t JOIN shop.orders AS o ON o.order_id = t.product_id WHERE t.product_id = s.product;
	END LOOP;
END $$;
SELECT * FROM pg_temp.walk();
SELECT count(*) AS changed FROM shop.value_orders() AS v WHERE v > 0;
ROLLBACK;
-- an order that goes before its items, or is hidden: nothing is lost without a word
BEGIN;
INSERT INTO shop.orders (order_id, channel, currency) VALUES (11, 'web', 'EUR');
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price, location) VALUES (11, 1, 1, 1, 5, 'main'), (11, 2, 1, 1, 5, NULL);
SAVEPOINT s;
WITH items AS (DELETE FROM shop.order_items WHERE order_id = 11) DELETE FROM shop.orders WHERE order_id = 11;
ROLLBACK TO s;
ALTER TABLE shop.order_items DROP CONSTRAINT order_items_order_id_fkey, ADD FOREIGN KEY (order_id) REFERENCES shop.orders ON DELETE CASCADE ON UPDATE CASCADE;
DELETE FROM shop.order_history WHERE order_id = 11;
SAVEPOINT s;
DELETE FROM shop.orders WHERE order_id = 11;
ROLLBACK TO s;
UPDATE shop.orders SET order_id = 12 WHERE order_id = 11;
ROLLBACK TO s;
DELETE FROM shop.order_items WHERE order_id = 11 AND location IS NOT NULL;
UPDATE shop.orders SET order_id = 12 WHERE order_id = 11;
SELECT order_id, units, items_amount FROM shop.orders WHERE order_id IN (11, 12);
DELETE FROM shop.orders WHERE order_id = 12;
SELECT count(*) FROM shop.order_items WHERE order_id IN (11, 12);
CREATE ROLE regress_crm_clerk;
SELECT shop.grant_access('regress_crm_clerk', 'agent');
INSERT INTO shop.orders (order_id, channel, currency, country, shipping) VALUES (13, 'web', 'EUR', 'ES', 1), (14, 'web', 'EUR', 'PT', 1);
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price) VALUES (13, 1, 1, 1, 5);
ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_portugal ON shop.orders TO regress_crm_clerk USING (country = 'PT');
SET ROLE regress_crm_clerk;
SAVEPOINT s;
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price) VALUES (13, 2, 1, 1, 5);
ROLLBACK TO s;
INSERT INTO shop.refunds (order_id, amount) VALUES (13, 1);
ROLLBACK TO s;
DELETE FROM shop.order_items WHERE order_id = 13;
ROLLBACK TO s;
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price, location) VALUES (14, 1, 1, 1, 5, 'main');
INSERT INTO shop.refunds (order_id, amount) VALUES (14, 1);
SELECT order_id, amount, refunded_amount FROM shop.orders ORDER BY order_id;
-- refunds that he does not see are not taken for none
RESET ROLE;
ALTER TABLE shop.refunds ENABLE ROW LEVEL SECURITY;
SET ROLE regress_crm_clerk;
UPDATE shop.order_items SET unit_price = 6 WHERE order_id = 14;
SELECT order_id, amount, refunded_amount FROM shop.orders WHERE order_id = 14;
ROLLBACK;
-- one pot too many, of a product that has no stock yet and of one that has
INSERT INTO shop.orders (order_id, channel, currency) VALUES (3, 'web', 'EUR');
\set VERBOSITY default
INSERT INTO shop.order_items VALUES (3, 1, 3, 1, 30, 0, DEFAULT, 'main');
\set VERBOSITY terse
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price, location) VALUES (3, 1, 2, 2, 9, 'annex'), (3, 2, 2, 2, 9, 'annex');
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price, location) VALUES (3, 1, 2, 2, 9, 'annex'), (3, 2, 2, 1, 9, 'annex');
UPDATE shop.products SET allow_oversell = true WHERE product_id = 3;
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price, location) VALUES (3, 3, 3, 4, 30, 'main');
UPDATE shop.settings SET allow_oversell = true;
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price, location) VALUES (3, 4, 1, 50, 5, 'main');
SELECT product_id, location, on_hand, reserved, available FROM shop.stock ORDER BY product_id, location;
UPDATE shop.settings SET allow_oversell = false;
-- less of what is oversold is always allowed
UPDATE shop.order_items SET quantity = 49 WHERE (order_id, line) = (3, 4);
UPDATE shop.order_items SET quantity = 51 WHERE (order_id, line) = (3, 4);
-- stock is what the items say, whatever happened
SELECT s.product_id, s.location FROM shop.stock AS s LEFT JOIN (
	SELECT product_id, location, sum(quantity) AS held FROM shop.order_items JOIN shop.orders USING (order_id)
	WHERE status IN ('placed', 'paid') AND shipped_at IS NULL GROUP BY product_id, location) AS h USING (product_id, location)
WHERE s.reserved <> coalesce(h.held, 0);

-- Merge: all that is the one's becomes the other's, in tables of the user too; undo
CREATE TABLE shop.notes (note_id int PRIMARY KEY, about bigint REFERENCES shop.customers, text text);
INSERT INTO shop.notes VALUES (1, :carl, 'likes mugs'), (2, :bob, 'likes tea');
INSERT INTO shop.touches (touch_id, customer_id, touched_at, kind, channel) VALUES (1, :carl, '2025-01-01', 'visit', 'web');
UPDATE shop.customers SET tags = '{a,c}', shoe_size = 44, first_name = 'Carl', job_title = 'cook' WHERE customer_id = :carl;
UPDATE shop.customers SET tags = '{b,a}', first_name = 'Bob' WHERE customer_id = :bob;
CREATE TEMP TABLE before_merge AS
SELECT 'customers' AS of, to_jsonb(c) - 'updated_at' AS data FROM shop.customers AS c WHERE customer_id IN (:bob, :carl, :guest)
UNION ALL SELECT 'orders', to_jsonb(o) FROM shop.orders AS o UNION ALL SELECT 'touches', to_jsonb(t) FROM shop.touches AS t
UNION ALL SELECT 'consents', to_jsonb(s) FROM shop.consents AS s UNION ALL SELECT 'identities', to_jsonb(i) FROM shop.identities AS i
UNION ALL SELECT 'notes', to_jsonb(n) FROM shop.notes AS n;
SELECT shop.merge_customers(:carl, :bob, 'he says so') AS merge \gset
SELECT first_name, job_title, tags, shoe_size, email, attributes ->> 'vip' AS vip FROM shop.customers WHERE customer_id = :carl;
SELECT count(*) FILTER (WHERE customer_id = :carl) AS moved, count(*) FILTER (WHERE customer_id = :bob) AS left_behind FROM shop.orders;
SELECT count(*) AS notes FROM shop.notes WHERE about = :carl;
SELECT shop.may_contact(:carl, 'sms') AS sms, shop.may_contact(:carl, 'email') AS email, shop.identify(email => 'bob@example.com') = :carl AS address_moved, shop.resolve(:guest) = :carl AS old_ids;
SELECT count(*) FROM shop.customer_360 WHERE customer_id IN (:bob, :guest);
SELECT shop.merge_customers(:carl, :bob) = 0;
SELECT shop.merge_customers(:bob, :bob);
SELECT shop.merge_customers(:bob, -1);
-- what comes later stays: a new order, a new name
INSERT INTO shop.orders (order_id, customer_id, channel, currency) VALUES (4, :bob, 'fair', 'EUR');
UPDATE shop.customers SET job_title = 'chef' WHERE customer_id = :carl;
SELECT shop.undo_merge(:merge);
SELECT customer_id = :carl AS with_carl FROM shop.orders WHERE order_id = 4;
DELETE FROM shop.orders WHERE order_id = 4;
SELECT job_title FROM shop.customers WHERE customer_id = :carl;
UPDATE shop.customers SET job_title = 'cook' WHERE customer_id = :carl;
CREATE TEMP VIEW after_undo AS
SELECT 'customers' AS of, to_jsonb(c) - 'updated_at' AS data FROM shop.customers AS c WHERE customer_id IN (:bob, :carl, :guest)
UNION ALL SELECT 'orders', to_jsonb(o) FROM shop.orders AS o UNION ALL SELECT 'touches', to_jsonb(t) FROM shop.touches AS t
UNION ALL SELECT 'consents', to_jsonb(s) FROM shop.consents AS s UNION ALL SELECT 'identities', to_jsonb(i) FROM shop.identities AS i
UNION ALL SELECT 'notes', to_jsonb(n) FROM shop.notes AS n;
(TABLE before_merge EXCEPT ALL TABLE after_undo) UNION ALL (TABLE after_undo EXCEPT ALL TABLE before_merge);
SELECT shop.undo_merge(:merge);
SELECT shop.undo_merge(-1);
-- a table without a primary key could not be undone; the catalogue knows every table
CREATE TABLE shop.loose (customer_id bigint REFERENCES shop.customers);
SELECT shop.merge_customers(:carl, :bob);
DROP TABLE shop.loose;

-- Visitors who become known: what they did before is theirs
INSERT INTO shop.touches (visitor_id, touched_at, kind, channel) VALUES ('v1', '2025-01-01', 'visit', 'web'), ('v1', '2025-01-02', 'view', 'fair'), ('v2', '2025-01-01', 'visit', 'web');
SELECT shop.identify(email => 'eve@example.com', cookie => 'v1') AS eve \gset
INSERT INTO shop.touches (visitor_id, touched_at, kind, channel) VALUES ('v1', '2025-01-03', 'cart', 'web');
SELECT customer_id = :eve AS eve, kind FROM shop.customer_touches WHERE visitor_id = 'v1' ORDER BY touched_at;
SELECT touches, first_channel, last_touch_at FROM shop.customer_360 WHERE customer_id = :eve;
SELECT at, kind, what, channel FROM shop.customer_timeline WHERE customer_id = :eve AND kind = 'touch' ORDER BY at;
INSERT INTO shop.touches (kind, channel) VALUES ('visit', 'web');
-- nobody has come, nothing was sold: NULL and not 0
SELECT * FROM shop.funnel('2000-01-01', '2001-01-01');
SELECT * FROM shop.repeat_rate('2000-01-01', '2001-01-01');
SELECT * FROM shop.purchase_frequency('2000-01-01', '2001-01-01');
SELECT * FROM shop.average_order_value('2000-01-01', '2001-01-01');
SELECT shop.to_base(10, 'EUR', '2025-01-01'), shop.to_base(10, 'USD', '2025-01-01');
SELECT * FROM shop.sales('2000-01-01', '2001-01-01', 'moon');
DROP SCHEMA shop CASCADE;

-- The sample shop in a store, by plain INSERT ... SELECT
\getenv abs_srcdir PG_ABS_SRCDIR
\set sample :abs_srcdir '/seeds/shop.sql'
\set load :abs_srcdir '/seeds/store.sql'
\set customers 300
\set store 'My "Shop\'s" %I @.Λάβκα'
\set ECHO none
\i :sample
\i :load
SELECT crm.create_store('shop') \gset ignored_
\set store shop
\i :load
\set ECHO all
-- The same by other means: who ordered, from the sample alone
CREATE TEMP TABLE person AS
SELECT o.*, coalesce('account ' || coalesce(o.customer_id, a.customer_id), 'guest ' || lower(guest_email::text)) AS person,
	status <> 'cancelled' AS valid, coalesce(r.refunded, 0) AS refunded, i.units,
	round((o.amount - coalesce(r.refunded, 0)) * CASE currency WHEN 'EUR' THEN 1 ELSE (
		SELECT rate FROM shop.rates AS x WHERE x.currency = o.currency AND x.day = date_trunc('month', o.ordered_at)::date) END, 2) AS net_base
FROM sample.orders AS o
LEFT JOIN sample.customers AS a ON a.email = o.guest_email
LEFT JOIN (SELECT order_id, sum(amount) AS refunded FROM sample.refunds GROUP BY order_id) AS r USING (order_id)
JOIN (SELECT order_id, sum(quantity) AS units FROM sample.order_items GROUP BY order_id) AS i USING (order_id);
ALTER TABLE person ADD day date;
UPDATE person SET day = ordered_at::date;
-- every row was loaded, and amounts are to the cent
SELECT (SELECT count(*) FROM shop.orders) = (SELECT count(*) FROM sample.orders) AS orders, (SELECT count(*) FROM shop.order_items) = (SELECT count(*) FROM sample.order_items) AS items,
	(SELECT count(*) FROM shop.touches) = (SELECT count(*) FROM sample.touches) AS touches,
	(SELECT count(*) FROM shop.customers) = (SELECT count(DISTINCT person) FROM (SELECT person FROM person UNION SELECT 'account ' || customer_id FROM sample.customers) AS p) AS customers;
SELECT count(*) FROM shop.orders AS o JOIN person AS p USING (order_id) WHERE o.amount <> p.amount OR o.refunded_amount <> p.refunded OR o.units <> p.units;
SELECT count(*) FROM shop.orders AS o JOIN person AS p USING (order_id) JOIN shop.customers AS c ON c.customer_id = o.customer_id
WHERE p.person <> CASE WHEN c.created_via = 'account' THEN 'account ' || c.customer_id ELSE 'guest ' || c.email::text END;
-- stock was left alone
SELECT count(*) FROM shop.stock JOIN sample.products USING (product_id) WHERE stock.on_hand <> products.on_hand OR reserved <> 0;

-- Each view against plain SQL over the sample: no row may be in one and not in the other.
CREATE FUNCTION pg_temp.differ(a text, b text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM ((%1$s EXCEPT ALL %2$s) UNION ALL (%2$s EXCEPT ALL %1$s)) AS d', '(' || a || ')', '(' || b || ')') INTO n;
	RETURN n;
END $$;
SELECT pg_temp.differ('SELECT day, channel, country, city, currency, orders, units, gross, refunded, net, net_sales FROM shop.sales',
	'SELECT day, channel, country, city, currency, count(*), sum(units), sum(amount), sum(refunded), sum(amount - refunded), sum(amount - refunded) FROM person WHERE valid GROUP BY day, channel, country, region, city, currency') AS sales;
SELECT pg_temp.differ('SELECT week, month, currency, sum(net) FROM shop.sales GROUP BY week, month, currency',
	$$SELECT day - (extract(isodow FROM day)::int - 1), make_date(extract(year FROM day)::int, extract(month FROM day)::int, 1), currency, sum(amount - refunded) FROM person WHERE valid GROUP BY 1, 2, 3$$) AS weeks;
SELECT part_by, pg_temp.differ(format($$SELECT part, currency, orders, units, net FROM shop.sales('2024-02-10', '2025-06-01', %L)$$, part_by),
	format($$SELECT %s::text, currency, count(*), sum(units), sum(amount - refunded) FROM person WHERE valid AND ordered_at >= '2024-02-10' AND ordered_at < '2025-06-01' GROUP BY 1, 2$$,
		CASE part_by WHEN 'week' THEN 'date_trunc(''week'', day)::date' WHEN 'month' THEN 'date_trunc(''month'', day)::date' ELSE part_by END))
FROM unnest(ARRAY['day', 'week', 'month', 'channel', 'country', 'region', 'city']) AS part_by;
SELECT part_by, pg_temp.differ(format($$SELECT part, currency, orders, units, gross FROM shop.sales('2024-02-10', '2025-06-01', %L)$$, part_by),
	format($$SELECT %s::text, o.currency, count(DISTINCT order_id), sum(quantity), sum(quantity * unit_price) FROM sample.orders AS o JOIN sample.order_items USING (order_id)
		JOIN sample.products USING (product_id) WHERE status <> 'cancelled' AND ordered_at >= '2024-02-10' AND ordered_at < '2025-06-01' GROUP BY 1, 2$$,
		CASE part_by WHEN 'product' THEN 'product_id' ELSE part_by END))
FROM unnest(ARRAY['product', 'category']) AS part_by;
SELECT pg_temp.differ('SELECT month, channel, currency, orders, gross, net, average_order_value FROM shop.average_order_value',
	'SELECT date_trunc(''month'', day)::date, channel, currency, count(*), sum(amount), sum(amount - refunded), round(sum(amount) / count(*), 4) FROM person WHERE valid GROUP BY 1, 2, 3') AS average_order_value;
SELECT pg_temp.differ('SELECT currency, orders, average_order_value, average_net_value FROM shop.average_order_value(''2025-01-01'', ''2025-02-01'')',
	'SELECT currency, count(*), round(sum(amount) / count(*), 4), round(sum(amount - refunded) / count(*), 4) FROM person WHERE valid AND ordered_at >= ''2025-01-01'' AND ordered_at < ''2025-02-01'' GROUP BY 1') AS of_a_period;
SELECT pg_temp.differ('TABLE shop.purchase_frequency', 'SELECT date_trunc(''month'', day)::date, count(*), count(DISTINCT person), round(count(*)::numeric / count(DISTINCT person), 4) FROM person WHERE valid GROUP BY 1') AS purchase_frequency;
SELECT pg_temp.differ('SELECT * FROM shop.purchase_frequency(''2025-01-01'', ''2025-03-01'')', 'SELECT count(*), count(DISTINCT person), round(count(*)::numeric / count(DISTINCT person), 4) FROM person WHERE valid AND ordered_at >= ''2025-01-01'' AND ordered_at < ''2025-03-01''') AS of_a_period;
SELECT pg_temp.differ('TABLE shop.repeat_rate', 'SELECT count(*), count(*) FILTER (WHERE n > 1), round(count(*) FILTER (WHERE n > 1)::numeric / count(*), 6) FROM (SELECT count(*) AS n FROM person WHERE valid GROUP BY person) AS c') AS repeat_rate;
SELECT pg_temp.differ('SELECT customers, repeat_customers FROM shop.repeat_rate(''2024-01-01'', ''2025-01-01'', ''60 days'')', $$
	SELECT count(*), count(*) FILTER (WHERE EXISTS (SELECT FROM person AS b WHERE b.valid AND b.person = a.person AND b.order_id <> a.order_id AND b.ordered_at >= a.ordered_at AND b.ordered_at < a.ordered_at + interval '60 days'))
	FROM person AS a WHERE valid AND ordered_at >= '2024-01-01' AND ordered_at < '2025-01-01' AND NOT EXISTS (SELECT FROM person AS b WHERE b.valid AND b.person = a.person AND (b.ordered_at, b.order_id) < (a.ordered_at, a.order_id))$$) AS of_a_period;
SELECT pg_temp.differ('SELECT product_id, currency, orders, buyers, units, revenue FROM shop.product_sales',
	'SELECT product_id, o.currency, count(DISTINCT order_id), count(DISTINCT person), sum(quantity), sum(quantity * unit_price) FROM person AS o JOIN sample.order_items USING (order_id) WHERE valid GROUP BY 1, 2') AS product_sales;
SELECT pg_temp.differ('SELECT product_id, on_hand, available, low, units_sold, units_sold_28_days, days_of_cover, sell_through FROM shop.inventory(''2025-12-15'')', $$
	SELECT product_id, on_hand, on_hand, on_hand <= 5, s, l, CASE WHEN l > 0 THEN round(on_hand * 28.0 / l, 1) END, CASE WHEN s + on_hand > 0 THEN round(s::numeric / (s + on_hand), 6) END
	FROM (SELECT product_id, on_hand, (SELECT coalesce(sum(quantity), 0) FROM sample.order_items AS i JOIN person USING (order_id) WHERE valid AND i.product_id = p.product_id AND ordered_at < '2025-12-15') AS s,
		(SELECT coalesce(sum(quantity), 0) FROM sample.order_items AS i JOIN person USING (order_id) WHERE valid AND i.product_id = p.product_id AND ordered_at < '2025-12-15' AND ordered_at >= '2025-11-17') AS l FROM sample.products AS p) AS p$$) AS inventory;
SELECT pg_temp.differ('SELECT order_id, status, days_to_ship, days_to_deliver, late FROM shop.order_tracking', $$
	SELECT order_id, status, CASE WHEN status IN ('shipped', 'delivered', 'refunded') THEN 1.50 END, CASE WHEN status IN ('delivered', 'refunded') THEN round((60 + order_id % 80) / 24.0, 2) END,
		CASE status WHEN 'cancelled' THEN NULL WHEN 'delivered' THEN 60 + order_id % 80 > 120 WHEN 'refunded' THEN 60 + order_id % 80 > 120 ELSE now() > ordered_at + interval '5 days' END FROM sample.orders$$) AS order_tracking;
SELECT pg_temp.differ('SELECT country, orders, shipped, delivered, average_days_to_deliver, promised, late FROM shop.shipping_statistics(''2024-01-01'', ''2025-01-01'')', $$
	SELECT country, count(*), count(*) FILTER (WHERE status <> 'paid' AND status <> 'placed'), count(*) FILTER (WHERE status IN ('delivered', 'refunded')),
		round(avg((60 + order_id % 80) / 24.0) FILTER (WHERE status IN ('delivered', 'refunded')), 2), count(*), count(*) FILTER (WHERE CASE WHEN status IN ('delivered', 'refunded') THEN 60 + order_id % 80 > 120 ELSE now() > ordered_at + interval '5 days' END)
	FROM person WHERE valid AND ordered_at >= '2024-01-01' AND ordered_at < '2025-01-01' GROUP BY country$$) AS shipping_statistics;

-- Customers: in one row, and line by line
SELECT pg_temp.differ('SELECT CASE WHEN created_via = ''account'' THEN ''account '' || customer_id ELSE ''guest '' || email END, orders, first_order_at, last_order_at, gross, refunded, net, average_order_value, net_base, open_orders FROM shop.customer_360 WHERE is_customer', $$
	SELECT person, count(*) FILTER (WHERE valid), min(ordered_at) FILTER (WHERE valid), max(ordered_at) FILTER (WHERE valid), CASE WHEN c = 1 THEN sum(amount) FILTER (WHERE valid) END,
		CASE WHEN c = 1 THEN sum(refunded) FILTER (WHERE valid) END, CASE WHEN c = 1 THEN sum(amount - refunded) FILTER (WHERE valid) END,
		CASE WHEN c = 1 THEN round(sum(amount) FILTER (WHERE valid) / count(*) FILTER (WHERE valid), 4) END, sum(net_base) FILTER (WHERE valid), count(*) FILTER (WHERE status IN ('placed', 'paid', 'shipped'))
	FROM person JOIN (SELECT person, count(DISTINCT currency) AS c FROM person WHERE valid GROUP BY person) AS cur USING (person) GROUP BY person, c$$) AS customer_360;
SELECT pg_temp.differ('SELECT customer_id, first_name, last_name, email, phone, country, may_email, is_customer FROM shop.customer_360 WHERE created_via = ''account''',
	'SELECT customer_id, first_name, last_name, email::text, phone::text, country, marketing_consent, EXISTS (SELECT FROM person WHERE valid AND person = ''account '' || c.customer_id) FROM sample.customers AS c') AS accounts;
SELECT pg_temp.differ('SELECT customer_id, favourite_category FROM shop.customer_360 WHERE created_via = ''account'' AND is_customer', $$
	SELECT DISTINCT ON (id) id, category FROM (SELECT substr(person, 9)::bigint AS id, category, sum(quantity) AS n FROM person JOIN sample.order_items USING (order_id) JOIN sample.products USING (product_id)
		WHERE valid AND person LIKE 'account %' GROUP BY 1, 2) AS c ORDER BY id, n DESC, category$$) AS favourite;
CREATE TEMP TABLE seen AS
SELECT t.*, coalesce('account ' || coalesce(t.customer_id, v.customer_id), p.person) AS person FROM sample.touches AS t
LEFT JOIN (SELECT DISTINCT visitor_id, customer_id FROM sample.touches WHERE customer_id IS NOT NULL) AS v USING (visitor_id)
LEFT JOIN (SELECT DISTINCT ON (visitor_id) visitor_id, person FROM person ORDER BY visitor_id, ordered_at) AS p USING (visitor_id);
SELECT pg_temp.differ('SELECT CASE WHEN c.created_via = ''account'' THEN ''account '' || customer_id ELSE ''guest '' || c.email::text END, touch_id FROM shop.customer_touches LEFT JOIN shop.customers AS c USING (customer_id)',
	'SELECT person, touch_id FROM seen') AS customer_touches;
SELECT pg_temp.differ('SELECT customer_id, touches, last_touch_at FROM shop.customer_360 WHERE created_via = ''account'' AND touches > 0',
	'SELECT substr(person, 9)::bigint, count(*), max(touched_at) FROM seen WHERE person LIKE ''account %'' GROUP BY 1') AS touches;
SELECT pg_temp.differ('SELECT at, kind, order_id, amount FROM shop.customer_timeline WHERE kind IN (''touch'', ''refund'') OR what = ''placed''', $$
	SELECT touched_at, 'touch', NULL::bigint, NULL::numeric FROM seen WHERE person IS NOT NULL UNION ALL SELECT refunded_at, 'refund', order_id, -amount FROM sample.refunds
	UNION ALL SELECT ordered_at, 'order', order_id, amount FROM sample.orders$$) AS customer_timeline;

-- The funnel: each visitor's time of reaching a stage; later stages imply those before
CREATE TEMP TABLE steps AS
SELECT v.who, v.a, (SELECT min(ordered_at) FROM person AS p WHERE p.person = v.who AND valid AND ordered_at >= v.a) AS o, v.i, v.d
FROM (SELECT coalesce(person, 'visitor ' || visitor_id) AS who, min(touched_at) AS a, min(touched_at) FILTER (WHERE kind = 'view') AS i,
	min(touched_at) FILTER (WHERE kind IN ('cart', 'checkout')) AS d FROM seen GROUP BY 1) AS v;
SELECT pg_temp.differ('SELECT attraction_at, interest_at, decision_at, action_at FROM shop.visitor_funnel', 'SELECT a, least(i, d, o), least(d, o), o FROM steps') AS visitor_funnel;
SELECT pg_temp.differ('SELECT place, visitors, lost, rate, rate_of_all FROM shop.funnel(''2025-01-01'', ''2025-07-01'')', $$
	WITH n AS (SELECT count(*) AS a, count(least(i, d, o)) AS i, count(least(d, o)) AS d, count(o) AS o FROM steps WHERE a >= '2025-01-01' AND a < '2025-07-01')
	SELECT 1, a, NULL::bigint, NULL::numeric, 1::numeric FROM n UNION ALL SELECT 2, i, a - i, round(i::numeric / a, 6), round(i::numeric / a, 6) FROM n
	UNION ALL SELECT 3, d, i - d, round(d::numeric / i, 6), round(d::numeric / a, 6) FROM n UNION ALL SELECT 4, o, d - o, round(o::numeric / d, 6), round(o::numeric / a, 6) FROM n$$) AS funnel;
SELECT place, abs(median_hours - CASE place WHEN 2 THEN (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM least(i, d, o) - a)) / 3600 FROM steps)
		WHEN 3 THEN (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM least(d, o) - least(i, d, o))) / 3600 FROM steps)
		WHEN 4 THEN (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM o - least(d, o))) / 3600 FROM steps) END) < 1e-9 AS median
FROM shop.funnel ORDER BY place;

-- The other store's days are those of New York, its base currency has no rate
SELECT pg_temp.differ('SELECT day, currency, sum(net) FROM "My ""Shop''s"" %I @.Λάβκα".sales GROUP BY 1, 2',
	'SELECT (ordered_at AT TIME ZONE ''America/New_York'')::date, currency, sum(amount - refunded) FROM person WHERE valid GROUP BY 1, 2') AS new_york;
SELECT count(*) FILTER (WHERE net_base IS NOT NULL AND currency IS DISTINCT FROM 'USD') AS converted_without_rate
FROM "My ""Shop's"" %I @.Λάβκα".valid_orders WHERE currency = 'EUR';
-- an order may count from its payment on
UPDATE shop.settings SET counts_from = 'paid';
SELECT pg_temp.differ('SELECT currency, sum(orders), sum(net) FROM shop.sales GROUP BY 1', 'SELECT currency, count(*), sum(amount - refunded) FROM person WHERE valid AND status <> ''placed'' GROUP BY 1') AS paid;
DROP SCHEMA shop, sample, "My ""Shop's"" %I @.Λάβκα" CASCADE;
