-- store_upgrade: create_store of a store that is there.  What is missing comes
-- back, what its owner made otherwise stays, and the doctor tells of the rest.
SET timezone = 'UTC';
SET client_min_messages = warning;
\set SHOW_CONTEXT never
SELECT crm.create_store('whole'), crm.create_store('My "Shop''s"') \gset ignored_
\set store '"My ""Shop\'s"""'
CREATE VIEW pg_temp.differ AS
WITH c AS (
	SELECT s, format('%s %s %s%s', c.relation, c.name, c.definition, CASE WHEN NOT c.valid THEN ' NOT VALID' END) AS fact
	FROM unnest('{whole,"My \"Shop''s\""}'::text[]) AS s, crm.store_constraints(s) AS c
	UNION ALL
	SELECT n.nspname, format('%s %s %s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, concat(a.attidentity, a.attgenerated),
		replace(pg_get_expr(d.adbin, d.adrelid), quote_ident(n.nspname), '@'))
	FROM pg_namespace AS n JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relkind = 'r' JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum WHERE n.nspname IN ('whole', 'My "Shop''s"'))
(SELECT 'missing' AS problem, fact FROM c WHERE s = 'whole' EXCEPT ALL SELECT 'missing', fact FROM c WHERE s <> 'whole')
UNION ALL (SELECT 'too much', fact FROM c WHERE s <> 'whole' EXCEPT ALL SELECT 'too much', fact FROM c WHERE s = 'whole');
SELECT * FROM pg_temp.differ;
-- of each constraint there is a record, but for those of crm.track()
SELECT count(*) FROM crm.store_constraints('whole') AS c WHERE NOT starts_with(c.relation, 'orders_lifecycle')
	AND NOT EXISTS (SELECT FROM whole.crm_constraints AS r WHERE (r.relation, r.name, r.definition) = (c.relation, c.name, c.definition));
-- however the session writes times and names
SET timezone = 'America/New_York';
SET datestyle = 'German';
SET intervalstyle = 'iso_8601';
SET quote_all_identifiers = on;
SELECT crm.create_store('My "Shop''s"') \gset ignored_
RESET quote_all_identifiers;
RESET intervalstyle;
RESET datestyle;
SET timezone = 'UTC';
SELECT count(*) FROM (TABLE :store.crm_constraints EXCEPT TABLE whole.crm_constraints) AS d;

-- A store of before there was a record of constraints, without any, and without the last column of each table
DO $$
DECLARE
	statement text;
BEGIN
	FOR statement IN
		SELECT format('ALTER TABLE %I.%I DROP CONSTRAINT %I', 'My "Shop''s"', relation, name) FROM crm.store_constraints('My "Shop''s"')
		WHERE NOT starts_with(relation, 'orders_lifecycle') ORDER BY type = 'f' DESC
	LOOP
		EXECUTE statement;
	END LOOP;
	FOR statement IN
		SELECT format('ALTER TABLE %s DROP COLUMN %I CASCADE', c.oid::regclass, (SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum DESC LIMIT 1))
		-- net_base is tracked, and the others have rows
		FROM pg_class AS c WHERE relnamespace = '"My ""Shop''s"""'::regnamespace AND relkind = 'r' AND relname NOT IN ('orders', 'orders_lifecycle', 'orders_lifecycle_history', 'credit_tiers', 'personal_data', 'suppression_key')
	LOOP
		EXECUTE statement;
	END LOOP;
END $$;
DROP TABLE :store.crm_constraints, :store.teams, :store.goals CASCADE;
SELECT crm.create_store('My "Shop''s"');
SELECT * FROM pg_temp.differ;
SELECT relname FROM pg_class WHERE relname LIKE 'crm\_new%';

-- constraints under each other's names; and rows that violate what is new
INSERT INTO :store.channels VALUES ('web', 'direct');
INSERT INTO :store.customers (customer_id, first_name) VALUES (1, 'Ana'), (2, 'Eva');
INSERT INTO :store.orders (order_id, customer_id, channel, currency) SELECT n, 1, 'web', 'EUR' FROM generate_series(1, 3) AS n;
DELETE FROM :store.crm_constraints;
ALTER TABLE :store.orders DROP CONSTRAINT orders_tax_check, DROP CONSTRAINT orders_shipping_check, DROP CONSTRAINT orders_channel_fkey, DROP CONSTRAINT orders_units_check, DROP CONSTRAINT orders_status_check;
ALTER TABLE :store.orders ADD CONSTRAINT orders_tax_check CHECK (shipping >= 0 AND shipping < 'Infinity');
ALTER TABLE :store.orders ADD CONSTRAINT orders_status_check CHECK (status <> 'lost');
ALTER TABLE :store.channels DROP CONSTRAINT channels_pkey CASCADE, DROP CONSTRAINT channels_channel_check;
INSERT INTO :store.channels VALUES ('', 'direct');
UPDATE :store.orders SET tax = -1 WHERE order_id = 1;
UPDATE :store.orders SET channel = 'tv' WHERE order_id < 3;
\set VERBOSITY default
SELECT crm.create_store('My "Shop''s"');
\set VERBOSITY terse
SELECT * FROM pg_temp.differ ORDER BY 1, 2;
UPDATE :store.orders SET tax = -2;
SELECT severity, finding, remedy FROM crm.doctor() WHERE subject LIKE 'store%shop%' OR subject LIKE 'store%Shop%' ORDER BY 1, 2;
-- mended
UPDATE :store.orders SET tax = 0, channel = 'web';
DELETE FROM :store.channels WHERE channel = '';
SELECT crm.create_store('My "Shop''s"');
SELECT * FROM pg_temp.differ ORDER BY 1, 2;
-- what the owner wrote anew or dropped stays so, until he says otherwise
ALTER TABLE :store.refunds DROP CONSTRAINT refunds_order_id_fkey, ADD CONSTRAINT mine FOREIGN KEY (order_id) REFERENCES :store.orders ON DELETE CASCADE;
ALTER TABLE :store.touches DROP CONSTRAINT touches_kind_check, DROP CONSTRAINT touches_channel_fkey;
SELECT crm.create_store('My "Shop''s"');
SELECT * FROM pg_temp.differ ORDER BY 1, 2;
SELECT remedy FROM crm.doctor() WHERE subject LIKE 'store%Shop%' AND finding LIKE 'constraints that were%';
DELETE FROM :store.crm_constraints WHERE relation = 'touches';
SELECT crm.create_store('My "Shop''s"');
SELECT * FROM pg_temp.differ ORDER BY 1, 2;
-- but what went with a column or a table comes back with it
ALTER TABLE :store.touches DROP COLUMN kind CASCADE;
DROP TABLE :store.accounts CASCADE;
SELECT crm.create_store('My "Shop''s"');
SELECT * FROM pg_temp.differ ORDER BY 1, 2;
-- a column that must not be null, of a table that has rows
ALTER TABLE :store.orders DROP COLUMN channel CASCADE;
\set VERBOSITY default
SELECT crm.create_store('My "Shop''s"');
\set VERBOSITY terse
UPDATE :store.orders SET channel = 'web';
ALTER TABLE :store.orders ALTER COLUMN channel SET NOT NULL;
SELECT * FROM pg_temp.differ ORDER BY 1, 2;
-- what is computed comes back with its values
ALTER TABLE :store.orders DROP COLUMN day CASCADE;
SELECT crm.create_store('My "Shop''s"');
SELECT count(*) AS orders, count(*) FILTER (WHERE day = (ordered_at AT TIME ZONE (SELECT time_zone FROM :store.settings))::date) AS with_their_day FROM :store.orders;
-- a later version's definition takes the place of what crm made, not of what its owner did
UPDATE :store.crm_constraints SET definition = 'CHECK ((units >= ''-1''::integer))' WHERE name = 'orders_units_check';
UPDATE :store.crm_constraints SET definition = 'CHECK ((rate > 0.5))' WHERE name = 'rates_rate_check';
ALTER TABLE :store.orders DROP CONSTRAINT orders_units_check, ADD CONSTRAINT orders_units_check CHECK (units >= '-1');
ALTER TABLE :store.rates DROP CONSTRAINT rates_rate_check, ADD CONSTRAINT rates_rate_check CHECK (rate > 0.7);
SELECT crm.create_store('My "Shop''s"');
SELECT * FROM pg_temp.differ WHERE fact LIKE 'orders orders_units%' OR fact LIKE 'rates%' ORDER BY 1, 2;

-- Which triggers fire for replicated rows stays as it was set, also of those that are off
ALTER TABLE :store.orders ENABLE ALWAYS TRIGGER order_status, ENABLE REPLICA TRIGGER orders_updated, DISABLE TRIGGER orders_inserted, ENABLE ALWAYS TRIGGER crm_track_insert;
SELECT crm.create_store('My "Shop''s"');
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = (:'store' || '.orders')::regclass AND NOT tgisinternal AND tgenabled <> 'O' ORDER BY tgname COLLATE "C";

-- The settings can't be deleted
DELETE FROM :store.settings;
TRUNCATE :store.settings;
TRUNCATE :store.currencies CASCADE;

-- What the doctor says, and what comes of it
CREATE PROCEDURE pg_temp.mend() LANGUAGE plpgsql AS $$
DECLARE
	remedy text;
BEGIN
	FOR remedy IN SELECT d.remedy FROM crm.doctor() AS d WHERE d.subject LIKE 'store%Shop%' AND d.severity <> 'notice' AND d.remedy NOT LIKE 'REINDEX%' LOOP
		EXECUTE remedy;
	END LOOP;
END $$;
\set doctor 'SELECT severity, finding, replace(remedy, current_user, \'me\') AS remedy FROM crm.doctor() WHERE subject LIKE \'store%Shop%\' AND finding NOT LIKE \'no RFM%\';'
\pset format unaligned
:doctor
CALL pg_temp.mend();
DELETE FROM :store.crm_constraints WHERE name = 'refunds_order_id_fkey';
:doctor
DROP TRIGGER order_status ON :store.orders;
DROP TRIGGER items_deleted ON :store.order_items;
ALTER TABLE :store.refunds DISABLE TRIGGER ALL;
DROP VIEW :store.sales CASCADE;
DROP FUNCTION :store.fit;
DROP TABLE :store.goals CASCADE;
CREATE ROLE regress_crm_spender;
ALTER TABLE :store.spend OWNER TO regress_crm_spender;
SET session_replication_role = replica;
DELETE FROM :store.settings;
RESET session_replication_role;
:doctor
CALL pg_temp.mend();
:doctor
-- an index that was left half made
BEGIN;
UPDATE pg_index SET indisvalid = false WHERE indexrelid = (:'store' || '.orders_customer_id_idx')::regclass;
:doctor
ROLLBACK;
-- a function of before
CREATE FUNCTION :store.holds(status text, shipped_at timestamptz) RETURNS text LANGUAGE sql RETURN 'reserved';
:doctor
DROP FUNCTION :store.holds(text, timestamptz);
-- a new name
ALTER SCHEMA :store RENAME TO "Shop: лавка";
:doctor
CALL pg_temp.mend();
:doctor
\pset format aligned
SELECT count(*) FROM crm.verify('"Shop: лавка".orders');
INSERT INTO "Shop: лавка".orders (order_id, customer_id, channel, currency) VALUES (9, 2, 'web', 'EUR');
DROP SCHEMA whole, "Shop: лавка" CASCADE;
DROP ROLE regress_crm_spender;

-- What is left of tracking, with the view of stages gone, or triggers: the orders are tracked anew as they were, and stages go on
SELECT crm.create_store('kept %I') \gset ignored_
INSERT INTO "kept %I".channels VALUES ('web', 'direct');
INSERT INTO "kept %I".customers (customer_id) VALUES (1), (2);
SELECT "kept %I".set_lifecycle_policy(crm.lifecycle_policy(at_risk_after => '30 days', lost_after => '60 days'));
INSERT INTO "kept %I".orders (customer_id, channel, currency, ordered_at) VALUES (1, 'web', 'EUR', now() - interval '40 days'), (2, 'web', 'EUR', now());
\set facts 'SELECT jsonb_agg(to_jsonb(l) ORDER BY l.customer) AS facts FROM "kept %I".orders_lifecycle AS l UNION ALL SELECT jsonb_agg(to_jsonb(h) - \'id\' ORDER BY h.customer, h.id) FROM "kept %I".orders_lifecycle_history AS h UNION ALL SELECT to_jsonb("kept %I".policy()::text)'
CREATE TEMP TABLE was AS :facts;
CREATE PROCEDURE pg_temp.without_triggers() LANGUAGE plpgsql AS $$
DECLARE
	trigger text;
BEGIN
	FOR trigger IN SELECT tgname FROM pg_trigger WHERE tgrelid = '"kept %I".orders'::regclass AND tgfoid = 'crm.track_orders'::regproc LOOP
		EXECUTE format('DROP TRIGGER %I ON "kept %%I".orders', trigger);
	END LOOP;
END $$;
\set tracked 'SELECT arguments[7] AS mode, arguments[8] AS notify, "kept %I".policy()::text = arguments[6] AS policy, (SELECT count(*) FROM crm.verify(orders)) AS wrong, (SELECT count(*) FROM pg_class WHERE relname LIKE \'crm\\\\_old%\') AS old FROM crm.tracked() WHERE orders = \'"kept %I".orders\'::regclass;'
DROP VIEW "kept %I".orders_lifecycle_now CASCADE;
SELECT finding FROM crm.doctor() WHERE subject LIKE '%kept%' AND severity <> 'notice';
SELECT crm.create_store('kept %I') \gset ignored_
SELECT count(*) AS changed FROM (TABLE was EXCEPT (:facts)) AS d;
:tracked
CALL pg_temp.without_triggers();
DROP TABLE "kept %I".orders_lifecycle, "kept %I".orders_lifecycle_history CASCADE;
SELECT crm.track('"kept %I".orders', customer => 'customer_id', ordered_at => 'ordered_at', amount => 'coalesce(net_base, 0)', counts_if => 'counts', policy => crm.lifecycle_policy('1 day', '2 days'), mode => 'queued', notify => false);
SELECT crm.create_store('kept %I') \gset ignored_
INSERT INTO "kept %I".orders (customer_id, channel, currency, ordered_at) VALUES (1, 'web', 'EUR', now());
DROP TRIGGER crm_track_delete ON "kept %I".orders;
SELECT crm.create_store('kept %I') \gset ignored_
:tracked
-- whether it notifies is in the triggers only
CALL pg_temp.without_triggers();
SELECT crm.create_store('kept %I') \gset ignored_
:tracked
CALL pg_temp.without_triggers();
DROP TABLE "kept %I".orders_lifecycle, "kept %I".orders_lifecycle_history, "kept %I".orders_lifecycle_queue, "kept %I".orders_lifecycle_errors CASCADE;
SELECT crm.track('"kept %I".orders', customer => 'customer_id', ordered_at => 'ordered_at', amount => 'coalesce(net_base, 0)', counts_if => 'counts', policy => crm.lifecycle_policy('1 day', '2 days'), mode => 'refresh', notify => false);
SELECT crm.create_store('kept %I') \gset ignored_
:tracked
DROP VIEW "kept %I".orders_lifecycle_now CASCADE;
SELECT crm.create_store('kept %I') \gset ignored_
:tracked
SELECT finding FROM crm.doctor() WHERE subject LIKE '%kept%' AND severity <> 'notice';
DROP SCHEMA "kept %I" CASCADE;
