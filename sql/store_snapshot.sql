-- Views kept as tables, in a store with a name to quote
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\getenv abs_srcdir PG_ABS_SRCDIR
\set sample :abs_srcdir '/seeds/shop.sql'
\set load :abs_srcdir '/seeds/store.sql'
\set customers 300
\set ECHO none
\i :sample
SELECT crm.create_store('My Shop') \gset ignored_
\set store 'My Shop'
\i :load
SELECT FROM "My Shop".fit('2026-01-01') \g /dev/null
\set ECHO all
SET search_path = "My Shop";
CREATE ROLE regress_crm_snapshot;
SELECT grant_access('regress_crm_snapshot', 'reader') \gset ignored_

-- Each is what the view says at that moment, with its types and comments; of persons there is none.
BEGIN;
CREATE TEMP TABLE kept AS
SELECT relname AS view, CASE WHEN tells_of_people(oid) THEN 'persons' ELSE snapshot(relname)::text END AS rows, NULL::bigint AS differ
FROM pg_class WHERE relnamespace = '"My Shop"'::regnamespace AND relkind = 'v' AND relname NOT LIKE '%\_snapshot' ORDER BY relname COLLATE "C";
DO $$
DECLARE r record;
BEGIN
	FOR r IN SELECT view FROM pg_temp.kept WHERE rows <> 'persons' LOOP
		EXECUTE format('UPDATE pg_temp.kept SET differ = (SELECT count(*) FROM ((TABLE %1$I EXCEPT ALL TABLE %2$I) UNION ALL (TABLE %2$I EXCEPT ALL TABLE %1$I)) AS d) WHERE view = %1$L', r.view, r.view || '_snapshot');
	END LOOP;
END $$;
SELECT view, CASE WHEN rows <> 'persons' THEN rows > '0' END AS some, differ FROM pg_temp.kept;
SELECT view, v.attname, format_type(a.atttypid, a.atttypmod) AS is, col_description(a.attrelid, a.attnum) AS told
FROM pg_temp.kept JOIN pg_attribute AS v ON v.attrelid = format('%I', view)::regclass AND v.attnum > 0
LEFT JOIN pg_attribute AS a ON a.attrelid = to_regclass(format('%I', view || '_snapshot')) AND a.attname = v.attname
WHERE rows <> 'persons' AND (format_type(a.atttypid, a.atttypmod) IS DISTINCT FROM format_type(v.atttypid, v.atttypmod)
	OR col_description(a.attrelid, a.attnum) IS DISTINCT FROM col_description(v.attrelid, v.attnum));
SELECT count(*) = (SELECT count(*) FROM pg_temp.kept WHERE rows <> 'persons') AS all_told, bool_and(s.rows::text = k.rows) AS rows, bool_and(s.taken_at BETWEEN now() AND clock_timestamp()) AS taken
FROM snapshots AS s LEFT JOIN pg_temp.kept AS k USING (view);
SELECT obj_description('churn_snapshot'::regclass, 'pg_class');
-- most are kept no more
SELECT count(drop_snapshot(view)) > 15 AS dropped FROM snapshots WHERE view NOT IN ('channel_months', 'regional_sales', 'sales');
COMMIT;
SELECT relname FROM pg_class WHERE relnamespace = '"My Shop"'::regnamespace AND relname LIKE '%\_snapshot' ORDER BY 1;

-- It is of then, and stays so until it is taken again.
INSERT INTO channels VALUES ('fair', 'other');
INSERT INTO orders (channel, currency, ordered_at) VALUES ('fair', 'EUR', '2025-06-01 12:00Z');
SELECT (SELECT count(*) FROM sales WHERE channel = 'fair') AS now, (SELECT count(*) FROM sales_snapshot WHERE channel = 'fair') AS kept;
SET client_min_messages = notice;
\set VERBOSITY terse
SELECT view, rows > 0 AS some FROM refresh_snapshots();
SET client_min_messages = warning;
SELECT (SELECT count(*) FROM sales WHERE channel = 'fair') AS now, (SELECT count(*) FROM sales_snapshot WHERE channel = 'fair') AS kept;

-- Who may read the view reads it, and no more.
SET ROLE regress_crm_snapshot;
SELECT count(*) > 0 AS reads FROM sales_snapshot;
DELETE FROM sales_snapshot;
SELECT snapshot('sales');
SELECT refresh_snapshots();
RESET ROLE;
-- an admin renews it
SELECT grant_access('regress_crm_snapshot', 'admin') \gset ignored_
SET ROLE regress_crm_snapshot;
SELECT snapshot('sales') = (SELECT count(*) FROM sales) AS renewed;
-- what makes or drops a table, or grants, is the owner's
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT snapshot('growth');
\set VERBOSITY terse
SELECT drop_snapshot('sales');
SELECT grant_access('regress_crm_snapshot', 'reader');
SELECT revoke_access('regress_crm_snapshot');
RESET ROLE;
SELECT count(*) FROM snapshots WHERE view = 'sales';

-- What can't be
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT snapshot('customer_360');
SELECT snapshot('data_quality');
ALTER VIEW sales SET (security_invoker = on);
SELECT snapshot('sales');
ALTER VIEW sales SET (security_invoker = off);
SELECT snapshot('sales') > 0 AS again;
SELECT snapshot('nothing');
SELECT snapshot(NULL);
SELECT snapshot('orders');
CREATE TABLE growth_snapshot (mine int);
SELECT snapshot('growth');
DROP TABLE growth_snapshot;
SELECT drop_snapshot('growth');
CREATE VIEW "a view whose name is so long that nothing goes behind it" AS SELECT 1 AS one;
SELECT snapshot('a view whose name is so long that nothing goes behind it');
DROP VIEW "a view whose name is so long that nothing goes behind it";

-- A view of one's own; one that gets another column; one that is there no more
CREATE VIEW "top 3" AS SELECT name, revenue FROM product_sales ORDER BY revenue DESC, name LIMIT 3;
SELECT snapshot('top 3');
CREATE OR REPLACE VIEW "top 3" AS SELECT name, revenue, units, average_price FROM product_sales ORDER BY revenue DESC, name LIMIT 3;
SELECT snapshot('top 3');
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = '"top 3_snapshot"'::regclass AND attnum > 0 ORDER BY attnum;
SELECT count(*) AS same FROM (TABLE "top 3" INTERSECT TABLE "top 3_snapshot") AS s;
DROP TABLE "top 3_snapshot";
SELECT view, rows > 0 AS some FROM refresh_snapshots();
DROP VIEW "top 3";
SELECT refresh_snapshots();
SELECT drop_snapshot('top 3');

-- The store by another name
RESET search_path;
ALTER SCHEMA "My Shop" RENAME TO renamed;
SELECT crm.create_store('renamed');
SELECT view FROM renamed.refresh_snapshots();
SET client_min_messages = warning;
DROP SCHEMA renamed CASCADE;
DROP SCHEMA sample CASCADE;
DROP ROLE regress_crm_snapshot;
