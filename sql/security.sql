-- security: what the extension may do for whom, under hostile names and among
-- hostile objects.
SET client_min_messages = warning;
SET timezone = 'UTC';

-- Who may execute each function, with whose rights it runs, and what it promises.
\pset format unaligned
SELECT p.oid::regprocedure AS function, (SELECT coalesce(string_agg(DISTINCT CASE WHEN a.grantee = 0 THEN 'public' WHEN a.grantee = p.proowner THEN 'owner' ELSE a.grantee::regrole::text END
			|| CASE WHEN a.is_grantable THEN ' with grant option' ELSE '' END, ' '), 'nobody')
		FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) a WHERE a.privilege_type = 'EXECUTE') AS executable_by,
	CASE WHEN prosecdef THEN 'owner' ELSE 'caller' END AS runs_as, lanname AS language,
	CASE provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END AS volatility,
	CASE proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' ELSE 'unsafe' END AS parallel
FROM pg_proc p JOIN pg_language l ON l.oid = prolang JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'crm'
ORDER BY p.oid::regprocedure::text COLLATE "C";
\pset format aligned
SELECT has_schema_privilege('public', 'crm', 'USAGE') AS usage, has_schema_privilege('public', 'crm', 'CREATE') AS create;
-- No table, sequence or view is the extension's; no type or operator of it is somebody's.
SELECT c.oid::regclass FROM pg_depend d JOIN pg_class c ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'crm' WHERE d.deptype = 'e' AND c.relkind NOT IN ('c');
-- Pinned functions are pinned to the same path.
SELECT DISTINCT setting FROM pg_proc p, unnest(proconfig) setting WHERE pronamespace = 'crm'::regnamespace AND setting LIKE 'search_path%';
-- Nothing that it is made of is somebody else's.
WITH members AS (SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid WHERE extname = 'crm' AND deptype = 'e')
SELECT pg_describe_object(d.classid, d.objid, 0) AS member, pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) AS depends_on
FROM pg_depend d JOIN members m USING (classid, objid)
WHERE d.refobjid >= 16384 AND d.deptype IN ('n', 'a') AND (d.refclassid, d.refobjid) NOT IN (SELECT classid, objid FROM members)
	AND NOT (d.refclassid = 'pg_namespace'::regclass AND d.refobjid = 'crm'::regnamespace)
ORDER BY 1, 2;

-- Hostile objects: in a schema that is before pg_catalog there is a trap for
-- every operator and every function of a few arguments over common types.
CREATE SCHEMA hostile;
DO $do$
DECLARE
	types oid[] := '{text,name,int4,int8,int2,numeric,float8,bool,timestamptz,timestamp,date,interval,bytea,jsonb,regclass,oid,text[],anyarray,anyelement,anynonarray,anycompatible,anycompatiblearray}'::regtype[]::oid[];
	trap record;
BEGIN
	FOR trap IN
		SELECT format('CREATE FUNCTION hostile.%I(%s) RETURNS %s LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION %L; END $$',
			proname, array_to_string(proargtypes::regtype[], ', '), prorettype::regtype, 'trapped in ' || p.oid::regprocedure) AS command
		FROM pg_proc p WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND NOT proretset AND pronargs <= 3 AND provariadic = 0
			AND proargtypes::oid[] <@ types AND prorettype = ANY (types)
	LOOP
		EXECUTE trap.command;
	END LOOP;
	FOR trap IN
		SELECT format('CREATE OPERATOR hostile.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = hostile.%I)',
			oprname, oprleft::regtype, oprright::regtype, proname) AS command
		FROM pg_operator o JOIN pg_proc p ON p.oid = oprcode
		WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprkind = 'b' AND ARRAY[oprleft, oprright] <@ types
			AND to_regprocedure(format('hostile.%I(%s, %s)', proname, oprleft::regtype, oprright::regtype)) IS NOT NULL
	LOOP
		EXECUTE trap.command;
	END LOOP;
	CREATE TABLE hostile.pg_proc (); CREATE TABLE hostile.pg_class (); CREATE TABLE hostile.pg_trigger (); CREATE TABLE hostile.pg_extension (); CREATE TABLE hostile.customers (); CREATE TABLE hostile.orders ();
	CREATE DOMAIN hostile.text AS pg_catalog.text CHECK (pg_catalog.length(VALUE) < 0);
END
$do$;
SELECT count(*) > 500 AS functions FROM pg_proc WHERE pronamespace = 'hostile'::regnamespace;
SELECT count(*) > 100 AS operators FROM pg_operator WHERE oprnamespace = 'hostile'::regnamespace;

-- Hostile names: quotes, backslashes, dollars, semicolons, 63 bytes, of any script.
CREATE SCHEMA "s'c""h\e$m$a; --";
CREATE TABLE "s'c""h\e$m$a; --"."ordrés""'\注文 $1 ;-- xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" ("c'u""s\t" pg_catalog.text, "ät" timestamptz, "to""tal" numeric, "sta'tus" pg_catalog.text DEFAULT 'it''s \paid');
CREATE INDEX ON "s'c""h\e$m$a; --"."ordrés""'\注文 $1 ;-- xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" ("c'u""s\t");
SELECT pg_catalog.octet_length(relname::pg_catalog.text) FROM pg_catalog.pg_class WHERE relname LIKE 'ordrés%' AND relkind = 'r';
CREATE ROLE "regress_r'o""l\e";
GRANT ALL ON SCHEMA "s'c""h\e$m$a; --" TO "regress_r'o""l\e";
ALTER TABLE "s'c""h\e$m$a; --"."ordrés""'\注文 $1 ;-- xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" OWNER TO "regress_r'o""l\e";
\set orders '\'"s\'\'c""h\\e$m$a; --"."ordrés""\'\'\\注文 $1 ;-- xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"\''
\set table '"s\'c""h\\e$m$a; --"."ordrés""\'\\注文 $1 ;-- xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"'
SET search_path = hostile, pg_catalog;
SET ROLE "regress_r'o""l\e";
-- too long with what is added to it: said, and mended with a shorter one
SELECT crm.track(:orders, '"c''u""s\t"', '"ät"', '"to""tal"', $$"sta'tus" OPERATOR(pg_catalog.=) 'it''s \paid'$$);
SELECT crm.track(:orders, '"c''u""s\t"', '"ät"', '"to""tal"', $$"sta'tus" OPERATOR(pg_catalog.=) 'it''s \paid'$$, '"sùm""m''ary\ xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"');
INSERT INTO :table VALUES ('a''b"c\', '2025-01-01', 10), ('a''b"c\', '2025-01-02', 11), (E'\t\n', '2025-01-03', 1), ('漢字', '2025-01-03', -1);
UPDATE :table SET "sta'tus" = 'no' WHERE "to""tal" OPERATOR(pg_catalog.=) 11;
DELETE FROM :table WHERE "to""tal" OPERATOR(pg_catalog.=) 1;
SELECT * FROM crm.verify(:orders);
SELECT crm.refresh(:orders);
SELECT crm.advance_stages() OPERATOR(pg_catalog.>=) 0 AS advanced;
SELECT "c'u""s\t", crm.revenue(crm.purchases("ät", "to""tal")) FROM :table GROUP BY 1 ORDER BY 1 USING OPERATOR(pg_catalog.<);
SELECT item, value FROM crm.status() WHERE subject OPERATOR(pg_catalog.=) pg_catalog.concat('orders ', :orders) AND item OPERATOR(pg_catalog.<>) 'oldest due'::pg_catalog.text;
SELECT severity, finding FROM crm.doctor() WHERE subject OPERATOR(pg_catalog.=) pg_catalog.concat('orders ', :orders);
TRUNCATE :table;
SELECT crm.untrack(:orders);
RESET ROLE;
-- a store among them
SELECT crm.create_store('s''t"o\re 店');
SELECT "s't""o\re 店".identify(email => 'Ann@example.com', cookie => 'a''b"c\') AS ann, "s't""o\re 店".identify(email => 'ann@EXAMPLE.com') AS again;
SELECT crm.create_store('s''t"o\re 店');
-- values
SELECT crm.segment(crm.rfm(5, 4, 5)), crm.domain('ann@example.com'), crm.stage(crm.purchases('2025-01-01 00:00Z'::timestamptz, 1.0), '2026-01-01 00:00Z');
SELECT channel, pg_catalog.round(credit::numeric, 2) AS credit FROM crm.credit((SELECT crm.journey('a', '2025-01-01 00:00Z'::timestamptz)), '2025-01-02 00:00Z'::timestamptz, 'linear');
RESET search_path;
DROP SCHEMA "s't""o\re 店", "s'c""h\e$m$a; --" CASCADE;
DROP SCHEMA hostile CASCADE;
DROP ROLE "regress_r'o""l\e";
