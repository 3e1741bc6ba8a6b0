-- The store's people when things go less smoothly: ids that were merged and are
-- used all the same, merges over and into each other, people who are forgotten.
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT crm.create_store('shop');
\set VERBOSITY terse
INSERT INTO shop.channels VALUES ('web', 'direct');
INSERT INTO shop.customers (customer_id, first_name, email, tags, attributes, created_via) VALUES
	(1, 'Ada', 'ada@example.com', '{a}', '{"size": 1}', 'account'), (2, NULL, 'bea@example.com', '{b,secret}', '{"likes": "secret"}', 'guest'), (3, NULL, 'cleo@example.com', '{c}', '{"dog": true}', 'guest');

-- A program that has kept the old id goes on to use it: what it writes and asks is the one's whom it resolves to
INSERT INTO shop.consents (customer_id, channel, granted) VALUES (1, 'email', true);
SELECT shop.merge_customers(1, 2, 'one person') AS merge \gset
INSERT INTO shop.consents (customer_id, channel, granted) VALUES (2, 'email', false);
INSERT INTO shop.identities (customer_id, kind, value) VALUES (2, 'cookie', 'c2');
INSERT INTO shop.product_subscriptions (customer_id, kind) VALUES (2, 'new_product'), (3, 'new_product');
INSERT INTO shop.outbox (customer_id, kind, channel) VALUES (2, 'hello', 'email');
INSERT INTO shop.orders (customer_id, channel, currency) VALUES (2, 'web', 'EUR');
INSERT INTO shop.touches (customer_id, kind, channel) VALUES (2, 'visit', 'web');
SELECT shop.may_contact(1, 'email') AS ada, shop.may_contact(2, 'email') AS bea, shop.identify(cookie => 'c2'), (SELECT customer_id FROM shop.customer_360(2)) AS customer_360;
SELECT array_agg(customer_id ORDER BY customer_id) FROM (SELECT customer_id FROM shop.product_subscriptions UNION ALL SELECT customer_id FROM shop.outbox UNION ALL SELECT customer_id FROM shop.orders UNION ALL SELECT customer_id FROM shop.touches) AS r;
-- every table of the store that refers to customers takes an old id, or is of the merges themselves
SELECT conrelid::regclass FROM pg_constraint AS c WHERE contype = 'f' AND confrelid = 'shop.customers'::regclass
AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = conrelid AND tgname = 'resolve_inserted') ORDER BY conrelid::regclass::text;

-- Chains; into one who is merged; circles
SELECT shop.merge_customers(2, 3);
SELECT shop.merge_customers(3, 1) AS second \gset
SELECT shop.resolve(1), shop.resolve(2), shop.resolve(3);
SELECT shop.merge_customers(1, 3);
UPDATE shop.customers SET merged_into = 2 WHERE customer_id = 3;
UPDATE shop.customers SET merged_into = 3 WHERE customer_id = 2;
UPDATE shop.customers SET merged_into = 1 WHERE customer_id = 2;
SELECT shop.undo_merge(:merge);
SELECT shop.undo_merge(:second);
SELECT customer_id, merged_into, first_name, tags, attributes FROM shop.customers ORDER BY customer_id;

-- Undo after another merge and after changes: what the merge brought goes, what came otherwise stays
SELECT shop.merge_customers(1, 3) AS third \gset
UPDATE shop.customers SET tags = tags || '{vip}', attributes = attributes || '{"cat": true, "dog": false}' WHERE customer_id = 1;
SELECT tags, attributes FROM shop.customers WHERE customer_id = 1;
SELECT shop.undo_merge(:merge);
SELECT customer_id, merged_into, email, tags, attributes FROM shop.customers ORDER BY customer_id;
-- consent that was withdrawn while they were one is withdrawn for both
SELECT customer_id, channel, granted FROM shop.consents ORDER BY customer_id, consent_id;
-- a merge keeps what it changed, and no more
SELECT keep, absorb, before, after - 'created_at' AS after FROM shop.merges ORDER BY merge_id;
SELECT * FROM crm.verify('shop.orders');

-- Forgotten: what a merge that was undone had left in a later one is gone too
SELECT shop.forget_customer(2) IS NOT NULL AS forgotten;
SELECT merge_id FROM shop.merges AS m WHERE to_jsonb(m)::text LIKE '%secret%';
SELECT shop.undo_merge(:third);
SELECT customer_id, merged_into, tags FROM shop.customers ORDER BY customer_id;
-- who is forgotten is not made somebody, and a merge with him is not undone
SELECT shop.merge_customers(2, 3);
SELECT shop.merge_customers(3, 2);
SELECT shop.merge_customers(1, 3) AS fourth \gset
SELECT shop.forget_customer(3) IS NOT NULL AS forgotten;
SELECT shop.undo_merge(:fourth);
SELECT customer_id, merged_into, forgotten_at IS NOT NULL AS forgotten FROM shop.customers ORDER BY customer_id;

-- Who names somebody's address, or number, in a browser of his own and registers there then is somebody else
SELECT setval('shop.customers_customer_id_seq', 5000) > 0 AS apart;
SELECT shop.identify(email => 'una@example.com', cookie => 'una') AS una, shop.identify(phone => '+351 912 345 678', cookie => 'vic') AS vic \gset
SELECT shop.identify(email => 'una@example.com', cookie => 'thief') = :una AS named, shop.identify(phone => '+351 912 345 678', cookie => 'thief 2') = :vic AS named_2;
SELECT shop.identify(system => 'web', external_id => 'thief', email => 'una@example.com', cookie => 'thief') <> :una AS somebody_else,
	shop.identify(system => 'web', external_id => 'thief 2', email => 'thief@example.com', cookie => 'thief 2') <> :vic AS somebody_else_2;
-- nor does it help to be there before them
SELECT shop.identify(email => 'xia@example.com', cookie => 'thief 3') AS xia, shop.identify(phone => '+351 912 345 679', cookie => 'thief 4') AS yan \gset
SELECT shop.identify(email => 'xia@example.com', cookie => 'xia') = :xia AS herself, shop.identify(phone => '+351 912 345 679', cookie => 'yan') = :yan AS himself;
SELECT shop.identify(system => 'web', external_id => 'thief 3', email => 'xia@example.com', cookie => 'thief 3') <> :xia AS somebody_else,
	shop.identify(system => 'web', external_id => 'thief 4', email => 'thief4@example.com', cookie => 'thief 4') <> :yan AS somebody_else_2;
-- she has her own as soon as the address is proved
SELECT shop.identify(system => 'web', external_id => 'xia', email => 'xia@example.com', cookie => 'xia') AS new, shop.identify(system => 'web', external_id => 'xia', email => 'xia@example.com', verified => true) AS proved \gset
SELECT :new = :proved AS the_same, shop.resolve(:xia) = :proved AS her_own;
-- who was seen in one browser only, since the first time or since he proved his address there, is himself in it
SELECT shop.identify(email => 'zoe@example.com', cookie => 'zoe') AS zoe, shop.identify(phone => '+351 912 345 680', cookie => 'abe') AS abe \gset
SELECT shop.identify(system => 'web', external_id => 'zoe', email => 'zoe@example.com', cookie => 'zoe') = :zoe AS herself,
	shop.identify(system => 'web', external_id => 'abe', email => 'abe@example.com', cookie => 'abe') = :abe AS himself;
SELECT shop.identify(email => 'wim@example.com') AS wim \gset
SELECT shop.identify(email => 'wim@example.com', cookie => 'wim') = :wim AS named, shop.identify(email => 'wim@example.com', cookie => 'wim', verified => true) = :wim AS proved;
SELECT shop.identify(system => 'web', external_id => 'wim', email => 'wim@example.com', cookie => 'wim') = :wim AS himself;

-- Who names the address of one who has an account, or has proved it, adds no number to him; of a guest the first that comes is taken, as the address was
SELECT shop.identify(system => 'web', external_id => 'kim', email => 'kim@example.com', verified => true) AS kim, shop.identify(email => 'lea@example.com', verified => true, cookie => 'lea') AS lea, shop.identify(email => 'max@example.com') AS max \gset
SELECT shop.identify(email => 'kim@example.com', phone => '+351 912 345 681', cookie => 'thief 5') = :kim AS kim, shop.identify(email => 'lea@example.com', phone => '+351 912 345 681') = :lea AS lea, shop.identify(email => 'max@example.com', phone => '+351 912 345 682') = :max AS max;
SELECT phone FROM shop.customers WHERE customer_id IN (:kim, :lea, :max) ORDER BY customer_id;
-- with the next call from her one browser, her login or a proof it is taken
SELECT shop.identify(email => 'lea@example.com', phone => '+351 912 345 683', cookie => 'lea') = :lea AS lea, shop.identify(system => 'web', external_id => 'kim', phone => '+351 912 345 684') = :kim AS kim;
SELECT phone, phone_verified_at FROM shop.customers WHERE customer_id IN (:kim, :lea, :max) ORDER BY customer_id;
SELECT shop.identify(system => 'web', external_id => 'noa', email => 'noa@example.com', verified => true) = shop.identify(email => 'noa@example.com', phone => '+351 912 345 685', verified => true) AS noa;
SELECT phone, phone_verified_at IS NOT NULL AS verified FROM shop.customers WHERE email = 'noa@example.com';

-- Messages to his address and orders in his browser that no customer is named in are his as well
SELECT setval('shop.customers_customer_id_seq', 10);
SELECT shop.identify(email => 'Zed@example.com', phone => '+44 7700 900123', cookie => 'zed') AS zed \gset
INSERT INTO shop.outbox (kind, channel, address, payload, status) VALUES ('confirmation', 'email', 'zed@example.com', '{"to": "zed"}', 'pending'), ('code', 'sms', '+447700900123', '{"to": "zed"}', 'sent'),
	('confirmation', 'email', 'somebody@example.com', '{"to": "somebody"}', 'pending'), ('letter', 'post', 'somewhere', '{}', 'pending');
INSERT INTO shop.orders (order_id, visitor_id, channel, currency, tracking_number, city) VALUES (90, 'zed', 'web', 'EUR', 'zed''s parcel', 'zed''s city'), (91, 'other', 'web', 'EUR', 'parcel', 'city');
SELECT relation, jsonb_array_length(shop.export_customer(:zed) -> 'tables' -> relation) AS rows FROM jsonb_object_keys(shop.export_customer(:zed) -> 'tables') AS relation ORDER BY relation COLLATE "C";
SELECT relation, rows FROM jsonb_each(shop.forget_customer(:zed)) AS f(relation, rows) ORDER BY relation COLLATE "C";
SELECT kind, address, payload, status FROM shop.outbox ORDER BY message_id;
SELECT order_id, visitor_id, tracking_number, city FROM shop.orders WHERE order_id >= 90 ORDER BY order_id;

-- A list is identified in one transaction, however long
SELECT count(DISTINCT shop.identify(email => ('list' || n || '@example.com')::crm.email)) AS people, (SELECT count(*) <= 500 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS few_locks
FROM generate_series(1, 700) AS n;

-- A discount is written before its items; refunds are of what was sold
INSERT INTO shop.products (product_id, name) VALUES (1, 'tea');
INSERT INTO shop.orders (order_id, channel, currency, discount) VALUES (100, 'web', 'EUR', 5);
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price) VALUES (100, 1, 1, 2, 10);
INSERT INTO shop.refunds (order_id, line, quantity, amount) VALUES (100, 1, 3, 5);
INSERT INTO shop.refunds (order_id, quantity, amount) VALUES (100, 1, 5);
INSERT INTO shop.refunds (order_id, line, quantity, amount) VALUES (100, 1, 1, 7), (100, 1, 1, 7);
INSERT INTO shop.refunds (order_id, line, quantity, amount) VALUES (100, 1, 1, 1);
-- of what was refunded no piece can be taken out of the order any more, whatever it cost
\set VERBOSITY default
\set SHOW_CONTEXT never
UPDATE shop.order_items SET quantity = 1, unit_price = 20 WHERE order_id = 100;
\set VERBOSITY terse
UPDATE shop.order_items SET line = 2 WHERE order_id = 100;
DELETE FROM shop.order_items WHERE order_id = 100;
UPDATE shop.order_items SET quantity = 3 WHERE order_id = 100;
UPDATE shop.order_items SET quantity = 2 WHERE order_id = 100;
INSERT INTO shop.refunds (order_id, amount) VALUES (100, 1.01);
SELECT amount, refunded_amount FROM shop.orders WHERE order_id = 100;
-- a constraint that was dropped stays away
ALTER TABLE shop.orders DROP CONSTRAINT orders_refunded_at_most_paid;
SELECT crm.create_store('shop');
SELECT count(*) FROM pg_constraint WHERE conrelid = 'shop.orders'::regclass AND conname = 'orders_refunded_at_most_paid';

-- A rate of a day whose midnight comes twice: in Havana clocks went from one back to midnight
SELECT crm.create_store('havana', 'USD', 'America/Havana');
INSERT INTO havana.channels VALUES ('web', 'direct');
INSERT INTO havana.orders (order_id, channel, currency, items_amount, ordered_at) VALUES (1, 'web', 'EUR', 1, '2024-11-03 03:59+00'), (2, 'web', 'EUR', 1, '2024-11-03 04:00+00'), (3, 'web', 'EUR', 1, '2024-11-03 05:30+00'), (4, 'web', 'EUR', 1, '2024-11-04 05:00+00');
INSERT INTO havana.rates VALUES ('EUR', '2024-11-01', 2);
INSERT INTO havana.rates VALUES ('EUR', '2024-11-03', 3);
SELECT o.order_id, v.day, o.net_base, o.net_base = havana.to_base(o.amount, o.currency, v.day) AS of_the_day FROM havana.orders AS o JOIN havana.valid_orders AS v USING (order_id) ORDER BY 1;
DELETE FROM havana.rates WHERE day = '2024-11-03';
SELECT array_agg(DISTINCT net_base) FROM havana.orders;
DROP SCHEMA havana CASCADE;

-- Brought up to date by its owner; a view that was changed is told
\set VERBOSITY default
\set SHOW_CONTEXT never
CREATE ROLE regress_crm_other;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_crm_other', current_database()) \gexec
SET ROLE regress_crm_other;
SELECT crm.create_store('theirs');
RESET ROLE;
SELECT crm.create_store('theirs');
DROP SCHEMA theirs CASCADE;
SELECT format('REVOKE CREATE ON DATABASE %I FROM regress_crm_other', current_database()) \gexec
DROP ROLE regress_crm_other;
CREATE OR REPLACE VIEW shop.repeat_rate AS SELECT customers, repeat_customers, repeat_rate::numeric(9,6) AS repeat_rate, 'mine' AS mine FROM shop.repeat_rate('-infinity', 'infinity');
SELECT crm.create_store('shop');
ALTER VIEW shop.repeat_rate RENAME TO my_repeat_rate;
SELECT crm.create_store('shop');
SELECT mine FROM shop.my_repeat_rate;
DROP SCHEMA shop CASCADE;
