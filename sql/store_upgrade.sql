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

-- as some constraints were at first, and in another order; and rows that violate what is new
INSERT INTO :store.channels VALUES ('web', 'direct');
INSERT INTO :store.customers (customer_id, first_name) VALUES (1, 'Ana'), (2, 'Eva');
INSERT INTO :store.orders (order_id, customer_id, channel, currency) SELECT n, 1, 'web', 'EUR' FROM generate_series(1, 3) AS n;
DELETE FROM :store.crm_constraints;
ALTER TABLE :store.orders DROP CONSTRAINT orders_tax_check, DROP CONSTRAINT orders_shipping_check, DROP CONSTRAINT orders_channel_fkey, DROP CONSTRAINT orders_units_check, DROP CONSTRAINT orders_status_check, DROP CONSTRAINT orders_discount_check;
ALTER TABLE :store.orders ADD CONSTRAINT orders_tax_check CHECK (shipping >= 0 AND shipping < 'Infinity'), ADD CONSTRAINT orders_discount_check CHECK (discount >= 0);
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
DROP SCHEMA whole, :store CASCADE;
