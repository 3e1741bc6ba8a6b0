-- The store's personal data: whatever table it is in, it is exported and
-- forgotten; and what the levels of access let a role do.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT crm.create_store('shop');
\set VERBOSITY terse

-- Every column of every table that tells of a customer is covered: a new one
-- is listed here until store_privacy.sql says what is to be done with it
SELECT * FROM shop.uncovered_data();
-- found by the catalogue: by foreign keys, over any number of tables, and by the name of the column
SELECT relation, steps FROM shop.personal_tables() ORDER BY steps, relation;
CREATE SCHEMA helpdesk;
CREATE TABLE helpdesk."the Cases" (a int, b int, about bigint REFERENCES shop.customers, text text NOT NULL, "on" date, PRIMARY KEY (a, b));
CREATE TABLE helpdesk.calls (case_a int, case_b int, minutes int, notes text, words text[] NOT NULL, more jsonb NOT NULL, FOREIGN KEY (case_a, case_b) REFERENCES helpdesk."the Cases");
CREATE TABLE shop.scores (customer bigint, score int) PARTITION BY LIST (score);
CREATE TABLE shop.scores_1 PARTITION OF shop.scores DEFAULT;
ALTER TABLE shop.customers ADD COLUMN shoe_size int;
SELECT * FROM shop.uncovered_data();
SELECT relation, steps, predicate FROM shop.personal_tables() WHERE relation ~ 'helpdesk|scores' ORDER BY relation;
INSERT INTO shop.customers (customer_id) VALUES (0);
SELECT shop.forget_customer(0);
INSERT INTO shop.personal_data VALUES ('customers', 'shoe_size', 'clear'), ('scores', 'customer', 'keep'), ('scores', 'score', 'keep'),
	('helpdesk."the Cases"', 'a', 'keep'), ('helpdesk."the Cases"', 'b', 'keep'), ('helpdesk."the Cases"', 'about', 'keep'), ('helpdesk."the Cases"', 'text', 'clear'), ('helpdesk."the Cases"', 'on', 'year'),
	('helpdesk.calls', 'case_a', 'keep'), ('helpdesk.calls', 'case_b', 'keep'), ('helpdesk.calls', 'minutes', 'keep'), ('helpdesk.calls', 'notes', 'clear'), ('helpdesk.calls', 'words', 'clear'), ('helpdesk.calls', 'more', 'clear');
INSERT INTO shop.personal_data VALUES ('customers', 'nothing', 'delete');
SELECT * FROM shop.uncovered_data();
SELECT shop.forget_customer(0) AS rows;

-- A person with data everywhere, each with a mark of its own; 3 is somebody else with as much
INSERT INTO shop.channels VALUES ('web', 'direct');
INSERT INTO shop.products (product_id, name, price) VALUES (1, 'tea', 5);
CREATE PROCEDURE pg_temp.person(id bigint, mark text) LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO shop.accounts (account_id, name, kind, city, attributes) VALUES (id, mark || ' family', 'household', mark || ' city', jsonb_build_object('a', mark));
	INSERT INTO shop.customers (customer_id, first_name, last_name, email, email_verified_at, phone, phone_verified_at, job_title, birth_date, gender, language, country, region, city,
		tags, attributes, account_id, created_via, source, shoe_size, created_at)
	VALUES (id, mark || ' first', mark || ' last', mark || '@example.com', '2025-01-01', '+44770090010' || id, '2025-01-01', mark || ' job', ('1980-07-0' || id)::date, 'f', 'pt', 'PT', 'Norte', mark || ' city',
		ARRAY[mark], jsonb_build_object('a', mark), id, 'account', 'newsletter', 40 + id, '2024-01-01');
	INSERT INTO shop.identities (customer_id, kind, system, value) VALUES (id, 'cookie', '', mark || ' cookie'), (id, 'external', 'web', mark || ' id'), (id, 'social', 'mastodon', mark || ' handle'),
		(id, 'email', '', mark || '2@example.com');
	INSERT INTO shop.consents (customer_id, channel, granted, at, source) VALUES (id, 'email', true, '2025-01-01', mark || ' form'), (id, 'sms', false, '2025-01-01', NULL);
	INSERT INTO shop.orders (order_id, customer_id, visitor_id, channel, currency, ordered_at, tracking_number, country, region, city, discount_code)
	VALUES (id, id, mark || ' cookie', 'web', 'EUR', '2025-02-01', mark || ' parcel', 'PT', 'Norte', mark || ' city', mark || ' code');
	INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price) VALUES (id, 1, 1, 2, 5);
	INSERT INTO shop.refunds (order_id, amount, reason, refunded_at) VALUES (id, 1, mark || ' reason', '2025-02-02');
	INSERT INTO shop.touches (visitor_id, customer_id, touched_at, kind, channel) VALUES (mark || ' cookie', NULL, '2025-01-01', 'visit', 'web'), (mark || ' cookie', id, '2025-01-02', 'login', 'web');
	PERFORM shop.subscribe(id, 'price_drop', product_id => 1, source => mark || ' form');
	INSERT INTO shop.outbox (customer_id, kind, channel, purpose, address, payload, status, provider_id, error)
	VALUES (id, 'old', 'email', 'marketing', mark || '3@example.com', jsonb_build_object('to', mark), 'sent', mark || ' id', mark || ' refused'), (id, 'new', 'email', 'marketing', mark || '@example.com', '{}', 'pending', NULL, NULL);
	INSERT INTO helpdesk."the Cases" VALUES (id, id, id, mark || ' asks', '2025-03-03');
	INSERT INTO helpdesk.calls VALUES (id, id, 5, mark || ' says', ARRAY[mark], jsonb_build_object('a', mark));
	INSERT INTO shop.scores VALUES (id, 7);
END
$$;
CALL pg_temp.person(1, 'Zoraide');
CALL pg_temp.person(2, 'Yolanda');
CALL pg_temp.person(3, 'Xaver');
UPDATE shop.customers SET account_id = 3 WHERE customer_id = 2;
-- 1 and 2 were taken for one, which was wrong; 1 and 4, a guest, are one
INSERT INTO shop.customers (customer_id, first_name, email, created_via, created_at) VALUES (4, 'Zoraide guest', 'Zoraide4@example.com', 'guest', '2025-01-01');
SELECT setval('shop.customers_customer_id_seq', 10);
SELECT shop.merge_customers(1, 2, 'Yolanda is Zoraide?') AS wrong \gset
SELECT shop.undo_merge(:wrong);
SELECT shop.merge_customers(1, 4, 'Zoraide says so') > 0 AS merged;

-- Everything there is of her: no row that has her mark is missing, none of another's is there
CREATE FUNCTION pg_temp.marked(mark text) RETURNS TABLE (relation text, rows bigint) LANGUAGE plpgsql AS $$
DECLARE r record;
BEGIN
	FOR r IN SELECT oid::regclass AS id FROM pg_class WHERE relnamespace IN ('shop'::regnamespace, 'helpdesk'::regnamespace) AND relkind IN ('r', 'v') ORDER BY oid::regclass::text COLLATE "C" LOOP
		RETURN QUERY EXECUTE format('SELECT %L, count(*) FROM %s AS t WHERE to_jsonb(t)::text LIKE %L HAVING count(*) > 0', r.id, r.id, '%' || mark || '%');
	END LOOP;
END
$$;
SELECT * FROM pg_temp.marked('Zoraide');
CREATE TEMP TABLE export AS SELECT shop.export_customer(1) AS all;
SELECT relation, jsonb_array_length("all" -> 'tables' -> relation) AS rows, ("all" -> 'tables' -> relation)::text LIKE '%Zoraide%' AS her_mark
FROM export, jsonb_object_keys("all" -> 'tables') AS relation ORDER BY relation COLLATE "C";
SELECT "all" -> 'customer_id' AS customer, "all" -> 'suppressed' AS suppressed, "all"::text LIKE '%Yolanda family%' OR "all"::text LIKE '%Xaver%' AS of_others, shop.export_customer(4) - 'exported_at' = "all" - 'exported_at' AS by_old_id FROM export;
-- tables of which rows with her mark are not in the export
SELECT m.relation FROM pg_temp.marked('Zoraide') AS m JOIN pg_class AS c ON c.oid = m.relation::regclass AND relkind = 'r'
WHERE m.rows > coalesce((SELECT count(*) FROM export, jsonb_array_elements("all" -> 'tables' -> regexp_replace(m.relation, '^shop\.', '')) AS e WHERE e::text LIKE '%Zoraide%'), 0);
SELECT e -> 'keep' AS keep, e -> 'absorb' AS absorb, e ? 'before' AS before, e ? 'after' AS after, e::text LIKE '%Yolanda %' AS of_another
FROM export, jsonb_array_elements("all" -> 'tables' -> 'merges') AS e ORDER BY e -> 'absorb';
SELECT e ? 'before' AS before, e ? 'after' AS after FROM jsonb_array_elements(shop.export_customer(2) -> 'tables' -> 'merges') AS e;
SELECT shop.export_customer(99);

-- Forgotten: no mark of hers is left; of the others' only what the wrong merge held of both; what was sold is the same
CREATE TEMP TABLE of_others AS SELECT 'Yolanda' AS mark, * FROM pg_temp.marked('Yolanda') UNION ALL SELECT 'Xaver', * FROM pg_temp.marked('Xaver');
CREATE TEMP TABLE figures AS
SELECT 'sales' AS of, to_jsonb(s) - 'city' AS row FROM shop.sales AS s UNION ALL SELECT 'repeat_rate', to_jsonb(s) FROM shop.repeat_rate AS s UNION ALL SELECT 'product_sales', to_jsonb(s) FROM shop.product_sales AS s
UNION ALL SELECT 'funnel', to_jsonb(s) FROM shop.funnel AS s UNION ALL SELECT 'average_order_value', to_jsonb(s) FROM shop.average_order_value AS s
UNION ALL SELECT 'customers', to_jsonb(s) FROM (SELECT customer_id, country, orders, net, touches, first_channel, first_order_at FROM shop.customer_360) AS s
UNION ALL SELECT 'subscriptions', to_jsonb(s) FROM (SELECT subscription_id, messages, sent FROM shop.subscriptions) AS s;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT shop.forget_customer(1);
ROLLBACK;
SELECT shop.forget_customer(99);
SELECT relation, rows FROM jsonb_each(shop.forget_customer(4)) AS f(relation, rows) ORDER BY relation COLLATE "C";
SELECT * FROM pg_temp.marked('Zoraide');
SELECT count(*) AS telephone_numbers FROM pg_temp.marked('+447700900101');
(TABLE of_others EXCEPT (SELECT 'Yolanda', * FROM pg_temp.marked('Yolanda') UNION ALL SELECT 'Xaver', * FROM pg_temp.marked('Xaver')));
SELECT before FROM shop.merges WHERE merge_id = :wrong;
(TABLE figures EXCEPT (
	SELECT 'sales', to_jsonb(s) - 'city' FROM shop.sales AS s UNION ALL SELECT 'repeat_rate', to_jsonb(s) FROM shop.repeat_rate AS s UNION ALL SELECT 'product_sales', to_jsonb(s) FROM shop.product_sales AS s
	UNION ALL SELECT 'funnel', to_jsonb(s) FROM shop.funnel AS s UNION ALL SELECT 'average_order_value', to_jsonb(s) FROM shop.average_order_value AS s
	UNION ALL SELECT 'customers', to_jsonb(s) FROM (SELECT customer_id, country, orders, net, touches, first_channel, first_order_at FROM shop.customer_360) AS s
	UNION ALL SELECT 'subscriptions', to_jsonb(s) FROM (SELECT subscription_id, messages, sent FROM shop.subscriptions) AS s));
SELECT to_jsonb(c) - 'updated_at' - 'forgotten_at' AS what_is_left, forgotten_at IS NOT NULL AS forgotten FROM shop.customers AS c WHERE customer_id IN (1, 4) ORDER BY customer_id;
SELECT account_id, name, city, attributes FROM shop.accounts ORDER BY account_id;
SELECT a, b, about, text, "on" FROM helpdesk."the Cases" ORDER BY a;
SELECT * FROM helpdesk.calls ORDER BY case_a;
SELECT kind, status FROM shop.outbox WHERE customer_id = 1 ORDER BY kind;
-- again, and nothing of it harms
SELECT shop.forget_customer(1) ->> 'customers' AS again;
-- a shop that still has her number: what comes is hers, but not her browser, and it leads to nobody
BEGIN;
INSERT INTO shop.touches (customer_id, visitor_id, kind, channel) SELECT 4, 'browser ' || n, 'visit', min(channel) FROM shop.channels, generate_series(1, 2) AS n GROUP BY n;
INSERT INTO shop.orders (order_id, customer_id, visitor_id, channel, currency) SELECT 1000000, 1, 'browser 3', min(channel), 'EUR' FROM shop.channels;
SELECT count(*) AS touches, count(visitor_id) AS cookies FROM shop.touches WHERE touched_at = now();
SELECT count(*) AS orders, count(visitor_id) AS cookies FROM shop.orders WHERE ordered_at = now();
SELECT count(*) AS identities, shop.identify(cookie => 'browser 1') AS who FROM shop.identities WHERE value LIKE 'browser%';
-- nor by an update: of one who saves what he had read before, or moves an order
UPDATE shop.orders SET visitor_id = 'browser 3' WHERE order_id = 1000000;
INSERT INTO shop.orders (order_id, customer_id, visitor_id, channel, currency) SELECT 1000001, 2, 'browser 4', min(channel), 'EUR' FROM shop.channels;
SELECT order_id, customer_id, visitor_id FROM shop.orders WHERE ordered_at = now() ORDER BY order_id;
UPDATE shop.orders SET customer_id = 1 WHERE order_id = 1000001;
SELECT order_id, customer_id, visitor_id FROM shop.orders WHERE ordered_at = now() ORDER BY order_id;
ROLLBACK;
-- nobody writes to her again, under whatever number she comes, unless she wants it
SELECT channel, address, shop.is_suppressed(channel, address) FROM (VALUES ('email', 'ZORAIDE@example.com'), ('email', 'Zoraide2@example.com'), ('email', 'Zoraide3@example.com'), ('email', 'Zoraide4@example.com'),
	('sms', '+44 7700 900101'), ('phone', '+447700900101'), ('social', 'Zoraide handle'), ('email', 'Yolanda@example.com')) AS v(channel, address);
SELECT string_agg(DISTINCT reason, ',') AS reasons, bool_or(to_jsonb(s)::text ~* 'zoraide') AS in_clear FROM shop.suppressions AS s;
SELECT shop.identify(email => 'zoraide@example.com') AS anew \gset
INSERT INTO shop.consents (customer_id, channel, granted) VALUES (:anew, 'email', true);
SELECT shop.subscribe(:anew, 'price_drop') > 0 AS subscribed, :anew > 4 AS somebody_new;
UPDATE shop.products SET price = 4;
SELECT customer_id FROM shop.outbox WHERE kind = 'price_drop' ORDER BY customer_id;
SELECT may_email, shop.may_contact(customer_id, 'email') FROM shop.customer_360 WHERE customer_id = :anew;
SELECT shop.lift_suppression('email', 'Zoraide@example.com');
SELECT may_email, shop.may_contact(customer_id, 'email') FROM shop.customer_360 WHERE customer_id = :anew;
-- a column that cannot be emptied is an error, and nothing is forgotten by halves
UPDATE shop.personal_data SET on_forget = 'clear' WHERE relation = 'order_items' AND "column" = 'quantity';
SELECT shop.forget_customer(3);
SELECT first_name FROM shop.customers WHERE customer_id = 3;
UPDATE shop.personal_data SET on_forget = 'keep' WHERE relation = 'order_items' AND "column" = 'quantity';
-- another's name for the store
ALTER SCHEMA shop RENAME TO "It's 100 %I";
SELECT crm.create_store('It''s 100 %I') IS NOT NULL AS renamed;
SELECT "It's 100 %I".forget_customer(3) ->> 'helpdesk.calls' AS rows;
ALTER SCHEMA "It's 100 %I" RENAME TO shop;
SELECT crm.create_store('shop') IS NOT NULL AS renamed;
DROP SCHEMA helpdesk CASCADE;
DROP TABLE shop.scores;

-- Levels of access
CREATE ROLE "regress_crm 1";
CREATE ROLE regress_crm_2;
SELECT shop.grant_access('regress_crm 1', 'owner');
SELECT shop.grant_access('regress_crm nobody', 'reader');
CREATE FUNCTION pg_temp.may(who text) RETURNS TABLE (what text) LANGUAGE sql AS $$
	SELECT 'sees all of ' || string_agg(relname, ' ' ORDER BY relname COLLATE "C") FROM pg_class AS r WHERE relnamespace = 'shop'::regnamespace AND relkind IN ('r', 'v') AND has_table_privilege(who, oid, 'SELECT')
	UNION ALL (SELECT 'of ' || relname || ' not ' || string_agg(attname, ' ' ORDER BY attnum) FROM pg_class AS r JOIN pg_attribute ON attrelid = r.oid WHERE relnamespace = 'shop'::regnamespace AND relkind IN ('r', 'v') AND attnum > 0
		AND has_any_column_privilege(who, r.oid, 'SELECT') AND NOT has_column_privilege(who, r.oid, attnum, 'SELECT') GROUP BY relname ORDER BY relname COLLATE "C")
	UNION ALL SELECT 'writes ' || string_agg(relname, ' ' ORDER BY relname COLLATE "C") FROM pg_class AS r WHERE relnamespace = 'shop'::regnamespace AND relkind IN ('r', 'v') AND has_any_column_privilege(who, oid, 'INSERT, UPDATE')
	UNION ALL SELECT 'calls ' || string_agg(DISTINCT proname, ' ' ORDER BY proname) FROM pg_proc WHERE pronamespace = 'shop'::regnamespace AND has_function_privilege(who, oid, 'EXECUTE') AND NOT has_function_privilege('public', oid, 'EXECUTE');
$$;
\pset format unaligned
\pset tuples_only on
SELECT shop.grant_access('regress_crm 1', 'agent');
SELECT * FROM pg_temp.may('regress_crm 1');
SELECT shop.grant_access('regress_crm 1', 'sender');
SELECT * FROM pg_temp.may('regress_crm 1');
SELECT shop.grant_access('regress_crm 1', 'analyst');
SELECT * FROM pg_temp.may('regress_crm 1');
SELECT shop.grant_access('regress_crm 1', 'reader');
SELECT * FROM pg_temp.may('regress_crm 1');
\pset format aligned
\pset tuples_only off
-- an analyst can call whatever tells of a period or a day, with no right of the owner's
SELECT shop.grant_access('regress_crm 1', 'analyst') \gset ignored_
CREATE FUNCTION pg_temp.refused() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE f record;
BEGIN
	FOR f IN SELECT p.oid::regprocedure AS name, format('SELECT count(*) FROM shop.%I(%s)', proname, CASE WHEN pg_get_function_identity_arguments(p.oid) LIKE 'from_at%' THEN '''2025-01-01'', ''2026-01-01''' ELSE '''2026-01-01''' END) AS query
		FROM pg_proc AS p WHERE pronamespace = 'shop'::regnamespace AND proretset AND provolatile = 's' AND pg_get_function_identity_arguments(p.oid) ~ '^(from_at|as_of) timestamp' ORDER BY 1
	LOOP
		BEGIN
			EXECUTE f.query;
		EXCEPTION WHEN insufficient_privilege THEN
			RETURN NEXT f.name || ': ' || SQLERRM;
		END;
	END LOOP;
END $$;
-- and read each view, as far as he may see it: a function in a view works with the reader's rights
CREATE FUNCTION pg_temp.unreadable() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE v record;
BEGIN
	FOR v IN SELECT r.oid::regclass AS name, string_agg(quote_ident(attname), ', ') AS columns FROM pg_class AS r JOIN pg_attribute ON attrelid = r.oid
		WHERE relnamespace = 'shop'::regnamespace AND relkind = 'v' AND attnum > 0 AND has_column_privilege(attrelid, attnum, 'SELECT') GROUP BY 1 ORDER BY r.oid::regclass::text COLLATE "C"
	LOOP
		BEGIN
			EXECUTE format('SELECT count(v::text) FROM (SELECT %s FROM %s) AS v', v.columns, v.name);
		EXCEPTION WHEN insufficient_privilege THEN
			RETURN NEXT v.name || ': ' || SQLERRM;
		END;
	END LOOP;
END $$;
INSERT INTO shop.goals (metric, from_at, to_at, target) SELECT m, '2025-01-01', '2026-01-01', 1 FROM unnest(ARRAY['revenue', 'new_customers', 'visitors', 'churn_rate']) AS m;
SET ROLE "regress_crm 1";
SELECT * FROM pg_temp.refused();
SELECT * FROM pg_temp.unreadable();
RESET ROLE;
SELECT shop.grant_access('regress_crm 1', 'reader') \gset ignored_
SET ROLE "regress_crm 1";
SELECT * FROM pg_temp.refused();
SELECT * FROM pg_temp.unreadable();
RESET ROLE;
-- a reader's views all work, what tells who somebody is does not
SET ROLE "regress_crm 1";
SELECT count(*) > 0 AS rows FROM shop.sales;
SELECT count(*) AS rows FROM shop.sales('-infinity', 'infinity', 'category');
SELECT count(*) AS rows FROM shop.shipping_statistics('-infinity', 'infinity');
SELECT count(*) >= 0 AS works FROM shop.repeat_rate, shop.inventory, shop.funnel, shop.product_sales, shop.average_order_value, shop.purchase_frequency;
SELECT customer_id, country, orders FROM shop.customer_360 WHERE customer_id = 1;
SELECT name FROM shop.customer_360;
SELECT * FROM shop.customer_360;
SELECT email FROM shop.customers;
SELECT payload FROM shop.outbox;
SELECT key FROM shop.suppression_key;
SELECT shop.export_customer(1);
UPDATE shop.products SET price = 1;
RESET ROLE;
-- an agent's day
SELECT shop.grant_access('regress_crm 1', 'agent');
SET ROLE "regress_crm 1";
SELECT shop.identify(system => 'web', external_id => 'new', email => 'zoraide@example.com', verified => true) = :anew AS her;
SELECT shop.merge_customers(2, :anew) AS merge \gset
SELECT shop.undo_merge(:merge);
INSERT INTO shop.consents (customer_id, channel, granted) VALUES (2, 'email', true);
SELECT shop.subscribe(2, 'back_in_stock') > 0 AS subscribed, shop.may_contact(2, 'email');
INSERT INTO shop.orders (order_id, customer_id, channel, currency) VALUES (50, 2, 'web', 'EUR');
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price) VALUES (50, 1, 1, 1, 5);
UPDATE shop.orders SET status = 'cancelled' WHERE order_id = 50;
SELECT shop.suppress('email', 'no@example.com');
SELECT shop.forget_customer(2);
SELECT shop.lift_suppression('email', 'no@example.com');
DELETE FROM shop.customers;
SELECT count(*) FROM shop.claim_messages(1);
RESET ROLE;
-- a worker's
SELECT shop.grant_access('regress_crm 1', 'sender');
SET ROLE "regress_crm 1";
SELECT message_id AS m FROM shop.claim_messages(1) \gset
SELECT shop.acknowledge(:m), shop.record_event(:m, 'opened', now(), 'web'), shop.record_event(:m, 'unsubscribed');
SELECT shop.record_event(:m, 'bounced');
SELECT first_name FROM shop.customers;
RESET ROLE;
-- an administrator's, and no other role's
SELECT shop.grant_access('regress_crm 1', 'admin');
SET ROLE "regress_crm 1";
SELECT shop.forget_customer(2) ->> 'customers' AS forgotten;
RESET ROLE;
-- but by nobody is code made to run as somebody else who writes a table, or as the owner
SELECT count(*) AS tables FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind IN ('r', 'v') AND has_table_privilege('regress_crm 1', oid, 'TRIGGER, REFERENCES');
SELECT count(*) AS functions FROM pg_proc WHERE pronamespace = 'shop'::regnamespace AND prosecdef AND has_function_privilege('regress_crm 1', oid, 'EXECUTE');
SELECT shop.revoke_access('regress_crm 1');
SELECT shop.revoke_access(current_user), shop.grant_access(current_user, 'reader');
SELECT * FROM pg_temp.may('regress_crm 1') WHERE what IS NOT NULL;
SELECT has_schema_privilege('regress_crm 1', 'shop', 'USAGE') AS in_the_schema;

-- Agents by country, as the manual shows it
SELECT shop.grant_access('regress_crm 1', 'agent'), shop.grant_access('regress_crm_2', 'agent');
CREATE TABLE shop.agents (agent text, country text, PRIMARY KEY (agent, country));
INSERT INTO shop.agents VALUES ('regress_crm 1', 'PT'), ('regress_crm_2', 'ES');
GRANT SELECT ON shop.agents TO "regress_crm 1", regress_crm_2;
ALTER TABLE shop.customers ENABLE ROW LEVEL SECURITY;
CREATE POLICY by_country ON shop.customers TO "regress_crm 1", regress_crm_2 USING (country IN (SELECT a.country FROM shop.agents AS a WHERE a.agent = current_user));
SELECT format('ALTER TABLE shop.%1$I ENABLE ROW LEVEL SECURITY; CREATE POLICY by_customer ON shop.%1$I TO "regress_crm 1", regress_crm_2 USING (%2$s)', relation,
	CASE relation WHEN 'order_items' THEN 'order_id IN (SELECT o.order_id FROM shop.orders AS o)' WHEN 'order_history' THEN 'order_id IN (SELECT o.order_id FROM shop.orders AS o)'
		WHEN 'refunds' THEN 'order_id IN (SELECT o.order_id FROM shop.orders AS o)' WHEN 'merges' THEN 'keep IN (SELECT c.customer_id FROM shop.customers AS c) AND absorb IN (SELECT c.customer_id FROM shop.customers AS c)'
		WHEN 'merge_rows' THEN 'merge_id IN (SELECT m.merge_id FROM shop.merges AS m)' WHEN 'accounts' THEN 'account_id IN (SELECT c.account_id FROM shop.customers AS c)'
		ELSE 'customer_id IN (SELECT c.customer_id FROM shop.customers AS c)' END)
FROM unnest('{accounts,merges,merge_rows,identities,consents,orders,order_items,order_history,refunds,touches,product_subscriptions,outbox}'::text[]) AS relation \gexec
SELECT format('ALTER VIEW shop.%I SET (security_invoker = true)', relname) FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind = 'v' ORDER BY relname COLLATE "C" \gexec
INSERT INTO shop.customers (customer_id, first_name, email, country, created_via) VALUES (60, 'Pia', 'pia@example.com', 'PT', 'guest'), (61, 'Eva', 'eva@example.com', 'ES', 'guest');
INSERT INTO shop.orders (order_id, customer_id, channel, currency) VALUES (60, 60, 'web', 'EUR'), (61, 61, 'web', 'EUR');
SELECT count(*) AS merges, (SELECT count(*) FROM shop.accounts) AS accounts FROM shop.merges;
SELECT crm.create_store('shop') IS NOT NULL AS upgraded;
SET ROLE "regress_crm 1";
SELECT customer_id FROM shop.customers WHERE customer_id >= 60;
SELECT customer_id, name, orders FROM shop.customer_360 WHERE customer_id >= 60;
SELECT customer_id, kind, what FROM shop.customer_timeline WHERE customer_id >= 60 ORDER BY kind;
SELECT count(*) AS orders FROM shop.valid_orders WHERE customer_id >= 60;
UPDATE shop.customers SET first_name = 'Pia Maria' WHERE customer_id >= 60;
INSERT INTO shop.customers (country) VALUES ('ES');
INSERT INTO shop.orders (order_id, customer_id, channel, currency) VALUES (62, 61, 'web', 'EUR');
SELECT count(*) AS merges, (SELECT count(*) FROM shop.accounts) AS accounts FROM shop.merges;
-- what is hidden of stock is not passed over
RESET ROLE;
INSERT INTO shop.locations VALUES ('hidden');
INSERT INTO shop.products (product_id, name) VALUES (60, 'pen');
INSERT INTO shop.stock (product_id, location, on_hand) VALUES (60, 'hidden', 5);
ALTER TABLE shop.stock ENABLE ROW LEVEL SECURITY;
CREATE POLICY more ON shop.stock FOR INSERT TO "regress_crm 1" WITH CHECK (true);
SET ROLE "regress_crm 1";
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price, location) VALUES (60, 1, 60, 1, 5, 'hidden');
RESET ROLE;
ALTER TABLE shop.stock DISABLE ROW LEVEL SECURITY;
SET ROLE regress_crm_2;
SELECT customer_id, name, orders FROM shop.customer_360;
-- whom rows are hidden from can't forget by halves
RESET ROLE;
SELECT shop.grant_access('regress_crm_2', 'admin');
SET ROLE regress_crm_2;
SELECT shop.forget_customer(61);
SELECT shop.export_customer(61);
RESET ROLE;
DROP SCHEMA shop CASCADE;
DROP ROLE "regress_crm 1", regress_crm_2;
