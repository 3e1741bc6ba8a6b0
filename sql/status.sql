-- status: what crm.status() shows, and what crm.doctor() finds.  Other tests
-- leave tables behind, and a server may have the clock: only what is made here
-- is printed.
SET timezone = 'UTC';
SET client_min_messages = warning;
CREATE SCHEMA status;
CREATE FUNCTION status.doctor() RETURNS TABLE (severity text, subject text, finding text, remedy text) LANGUAGE sql AS
	$$ SELECT * FROM crm.doctor() d WHERE d.subject LIKE '% status.%' OR d.subject = 'crm' OR d.subject = 'store "status store"' $$;
\pset format unaligned
\pset null '(null)'

-- versions are those of the control file, all of them
SELECT count(*) AS versions, count(DISTINCT value) AS distinct_versions FROM crm.status() WHERE item IN ('library version', 'extension version');
SELECT value = current_setting('server_version') AS server FROM crm.status() WHERE item = 'server version';
SELECT item FROM crm.status() WHERE subject = 'clock';
SELECT value = current_setting('crm.clock_naptime') AS naptime FROM crm.status() WHERE item = 'every';

-- a table, and a partitioned one with a hostile name and a summary elsewhere
CREATE TABLE status.orders (customer int, at timestamptz, total numeric);
CREATE INDEX ON status.orders (customer);
CREATE TABLE status."o'n on \ ""x" (customer text, at timestamptz, total numeric) PARTITION BY LIST (customer);
CREATE TABLE status."p1 on ;" PARTITION OF status."o'n on \ ""x" FOR VALUES IN ('a');
CREATE TABLE status.p2 PARTITION OF status."o'n on \ ""x" DEFAULT;
CREATE INDEX ON status."o'n on \ ""x" (customer);
CREATE SCHEMA "status of ""it";
INSERT INTO status.orders SELECT i, now() - interval '1 day', 10 FROM generate_series(1, 3) i;
SELECT crm.track('status.orders', 'customer', 'at', 'total');
SELECT crm.track('status."o''n on \ ""x"', 'customer', 'at', 'total', counts_if => $$customer <> 'it''s \ '$$, into_table => '"status of ""it"."s.t"', notify => false);
SELECT orders, owner = current_user AS mine, summary, arguments, missing_triggers, disabled_triggers FROM crm.tracked() WHERE orders::text LIKE 'status.%';
SELECT item, CASE item WHEN 'oldest due' THEN (value::timestamptz = (SELECT min(check_at) FROM status.orders_lifecycle))::text ELSE value END AS value
FROM crm.status() WHERE subject = 'orders status.orders';
SELECT crm.oldest_due('status.orders') - now() BETWEEN interval '88 days' AND interval '90 days' AS in_89_days;
-- nothing is wrong
SELECT * FROM status.doctor();

-- What is mended by the SQL that is shown: the findings, and what is left.
CREATE PROCEDURE status.mend() LANGUAGE plpgsql AS $$
DECLARE
	remedies text[] := ARRAY(SELECT remedy FROM status.doctor());
	remedy text;
BEGIN
	FOREACH remedy IN ARRAY remedies LOOP
		EXECUTE remedy;
	END LOOP;
END $$;
-- disabled triggers, and what was written meanwhile
ALTER TABLE status.orders DISABLE TRIGGER crm_track_insert;
ALTER TABLE status.orders ENABLE REPLICA TRIGGER crm_track_truncate;
ALTER TABLE status."p1 on ;" DISABLE TRIGGER ALL;
INSERT INTO status.orders VALUES (4, now(), 1);
INSERT INTO status."p1 on ;" VALUES ('a', now(), 1);
SELECT severity, subject, finding, remedy FROM status.doctor();
CALL status.mend();
SELECT * FROM status.doctor();
SELECT (SELECT count(*) FROM crm.verify('status.orders')) AS plain, (SELECT count(*) FROM crm.verify('status."o''n on \ ""x"')) AS parted;
-- a partition without triggers
DROP TRIGGER crm_track_partition_insert ON status.p2;
DROP TRIGGER crm_track_partition_update ON status.p2;
DROP TRIGGER crm_track_partition_delete ON status.p2;
DROP TRIGGER crm_track_partition_truncate ON status.p2;
INSERT INTO status.p2 VALUES ('b', now(), 1);
SELECT severity, subject, finding, remedy FROM status.doctor();
CALL status.mend();
SELECT * FROM status.doctor();
SELECT count(*) FROM crm.verify('status."o''n on \ ""x"');
-- ... or without some of them
DROP TRIGGER crm_track_partition_delete ON status.p2;
DROP TRIGGER crm_track_partition_before_truncate ON status.p2;
DELETE FROM status.p2;
INSERT INTO status.p2 VALUES ('b', now(), 1);
CALL status.mend();
SELECT * FROM status.doctor();
SELECT tgname FROM pg_trigger WHERE tgrelid = 'status.p2'::regclass ORDER BY 1;
SELECT count(*) FROM crm.verify('status."o''n on \ ""x"');
-- the table's own trigger is gone: tracking begins anew, as it was
CREATE TEMP TABLE before AS SELECT arguments FROM crm.tracked() WHERE orders::text LIKE 'status.%';
DROP TRIGGER crm_track_delete ON status."o'n on \ ""x";
DELETE FROM status."o'n on \ ""x" WHERE customer = 'b';
SELECT severity, subject, finding, regexp_replace(remedy, '''\{.*\}''', '''policy''') AS remedy FROM status.doctor();
DO $$ BEGIN EXECUTE (SELECT substr(remedy, length('-- the history begins anew: ') + 1) FROM status.doctor()); END $$;
SELECT * FROM status.doctor();
SELECT count(*) FROM crm.verify('status."o''n on \ ""x"');
SELECT count(*) AS as_before FROM before JOIN crm.tracked() t USING (arguments) WHERE t.orders::text LIKE 'status.%';
-- a summary of another name, which is refused but to who turns that off; without a key; of another owner
SET session_replication_role = replica;
ALTER TABLE "status of ""it"."s.t" RENAME TO other;
SELECT severity, subject, finding FROM status.doctor() WHERE subject <> 'crm';
SELECT value FROM crm.status() WHERE subject LIKE '%o''n on%' AND item = 'summary';
SELECT crm.oldest_due('status."o''n on \ ""x"');
ALTER TABLE "status of ""it".other RENAME TO "s.t";
RESET session_replication_role;
ALTER TABLE status.orders_lifecycle DROP CONSTRAINT orders_lifecycle_pkey;
SELECT severity, subject, finding, remedy FROM status.doctor();
CALL status.mend();
ALTER TABLE status.orders_lifecycle DROP CONSTRAINT orders_lifecycle_pkey, ADD PRIMARY KEY (customer, stage_since);
SELECT severity, subject, finding, remedy FROM status.doctor();
CALL status.mend();
CREATE ROLE regress_status;
CREATE ROLE "regress ""status";
GRANT "regress ""status" TO regress_status;
SET session_replication_role = replica;
ALTER TABLE status.orders OWNER TO regress_status;
RESET session_replication_role;
GRANT USAGE, CREATE ON SCHEMA status TO regress_status;
SELECT severity, subject, replace(finding, current_user, 'me') AS finding, remedy FROM status.doctor();
CALL status.mend();
SELECT * FROM status.doctor();
-- what the tables beside the orders lack: a column that was made anew, and took its index along; columns that are gone
CREATE TABLE status.cut (customer int, at timestamptz, total numeric);
CREATE INDEX ON status.cut (customer);
INSERT INTO status.cut SELECT i, now() - interval '80 days', 10 FROM generate_series(1, 3) i;
SELECT crm.track('status.cut', 'customer', 'at', 'total', mode => 'queued');
ALTER TABLE status.cut_lifecycle DROP COLUMN check_at, ADD COLUMN check_at timestamptz;
SELECT crm.advance_stages(now() + interval '20 days', 'status.cut');
SELECT * FROM status.doctor();
SELECT value FROM crm.status() WHERE subject = 'orders status.cut' AND item = 'lacks';
CALL status.mend();
SELECT * FROM status.doctor();
SELECT * FROM crm.verify('status.cut');
SELECT crm.advance_stages(now() + interval '20 days', 'status.cut');
BEGIN;
SET LOCAL session_replication_role = replica;
DROP VIEW status.cut_lifecycle_now;
ALTER TABLE status.cut_lifecycle DROP COLUMN check_at, DROP COLUMN stage, DROP COLUMN stage_since, DROP COLUMN stage_until, DROP COLUMN purchases, DROP COLUMN reactivated_at;
ALTER TABLE status.cut_lifecycle_history DROP COLUMN at, DROP COLUMN noticed_at, DROP COLUMN from_stage, DROP COLUMN to_stage, DROP COLUMN cause;
ALTER TABLE status.cut_lifecycle_queue DROP COLUMN cause, DROP COLUMN queued_at;
ALTER TABLE status.cut_lifecycle_errors DROP COLUMN failed_at, DROP COLUMN sqlstate, DROP COLUMN message;
SET LOCAL session_replication_role = origin;
SELECT * FROM status.doctor();
CALL status.mend();
SELECT * FROM status.doctor();
INSERT INTO status.cut VALUES (4, now(), 1);
SELECT crm.apply_queue('status.cut');
SELECT * FROM crm.verify('status.cut');
SELECT customer, stage, crm.revenue(purchases) FROM status.cut_lifecycle ORDER BY 1;
SELECT customer, stage, revenue FROM status.cut_lifecycle_now ORDER BY 1;
SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'status' AND table_name = 'cut_lifecycle_history' ORDER BY 1;
ROLLBACK;
-- of another type, and a history of another name, it is not for SQL to mend
BEGIN;
SET LOCAL session_replication_role = replica;
ALTER TABLE status.cut_lifecycle_queue ALTER cause TYPE varchar;
SELECT * FROM status.doctor();
ALTER TABLE status.cut_lifecycle_history RENAME TO cut_before;
SELECT severity, finding FROM status.doctor();
ROLLBACK;
-- the view
DROP VIEW status.cut_lifecycle_now;
SELECT * FROM status.doctor();
SELECT value FROM crm.status() WHERE subject = 'orders status.cut' AND item = 'lacks';
CALL status.mend();
SELECT * FROM status.doctor();
SELECT customer, stage, orders FROM status.cut_lifecycle_now ORDER BY 1;
-- which another policy makes, too
DROP VIEW status.cut_lifecycle_now;
SELECT crm.set_policy('status.cut', crm.lifecycle_policy('10 days', '20 days', personal => false));
SELECT * FROM status.doctor();
SELECT customer, stage FROM status.cut_lifecycle_now ORDER BY 1;
SELECT crm.untrack('status.cut');
DROP TABLE status.cut;
-- who is late
UPDATE status.orders_lifecycle SET check_at = now() - interval '1 day' WHERE customer = 1;
SELECT severity, subject, finding, remedy FROM status.doctor();
SELECT count(*) FROM crm.doctor('2 days') WHERE subject LIKE '% status.%';
CALL status.mend();
SELECT * FROM status.doctor();
-- a summary that a crash would empty, an index that was left half made
BEGIN;
ALTER TABLE status.orders_lifecycle SET UNLOGGED;
UPDATE pg_index SET indisvalid = false WHERE indrelid = 'status.orders'::regclass;
SELECT severity, subject, finding, remedy FROM status.doctor();
ALTER TABLE status.orders_lifecycle SET LOGGED;
SELECT severity, subject, finding FROM status.doctor();
ROLLBACK;
-- as it is after a restore by somebody who may not create the triggers
BEGIN;
DROP TRIGGER crm_track_insert ON status.orders; DROP TRIGGER crm_track_update_row ON status.orders; DROP TRIGGER crm_track_delete ON status.orders; DROP TRIGGER crm_track_truncate ON status.orders;
SELECT severity, subject, finding, replace(remedy, current_user, 'me') AS remedy FROM crm.doctor() WHERE subject LIKE 'summary status.%';
SAVEPOINT orders;
DROP TABLE status.orders CASCADE;
SELECT severity, subject, finding FROM crm.doctor() WHERE subject LIKE 'summary status.%';
ROLLBACK TO orders;
DROP TABLE status.orders_lifecycle, status.orders_lifecycle_history CASCADE;
SELECT crm.track('status.orders', 'customer', 'at', 'total');
SELECT * FROM status.doctor();
ROLLBACK;
-- the event triggers
ALTER EVENT TRIGGER crm_track_ddl_end DISABLE;
SET session_replication_role = replica;
SELECT severity, subject, finding, remedy FROM status.doctor();
RESET session_replication_role;
CALL status.mend();
SELECT * FROM status.doctor();
-- a queue, and orders without triggers
CREATE TABLE status.web (customer int, at timestamptz, total numeric, rate numeric DEFAULT 1);
CREATE INDEX ON status.web (customer);
CREATE VIEW status.old_orders AS SELECT 7 AS customer, timestamptz '2026-01-01 00:00Z' AS at, 5.00 AS total;
SELECT crm.track('status.web', 'customer', 'at', 'total / rate', mode => 'queued'), crm.track('status.old_orders', 'customer', 'at', 'total', mode => 'refresh');
INSERT INTO status.web VALUES (1, now(), 1, 1), (2, now(), 1, 0);
SELECT subject, item, CASE item WHEN 'oldest queued' THEN (value::timestamptz <= now())::text ELSE value END AS value
FROM crm.status() WHERE subject IN ('orders status.web', 'orders status.old_orders') AND item <> 'oldest due';
SELECT * FROM status.doctor();
UPDATE status.web_lifecycle_queue SET queued_at = now() - interval '1 day';
SELECT * FROM status.doctor();
CALL status.mend();
SELECT * FROM status.doctor();
SELECT waiting, oldest, failed, last_error FROM crm.queue_state('status.web');
SELECT * FROM crm.queue_state('status.orders');
UPDATE status.web SET rate = 1;
SELECT crm.refresh('status.web');
SELECT * FROM status.doctor();
SET session_replication_role = replica;
ALTER TABLE status.web_lifecycle_queue RENAME TO gone;
RESET session_replication_role;
SELECT severity, subject, finding FROM status.doctor();
ALTER TABLE status.gone RENAME TO web_lifecycle_queue;
-- a store of an older version
SELECT crm.create_store('status store');
SELECT count(*) FROM crm.stores() JOIN pg_extension e ON extversion = version WHERE store = 'status store' AND extname = 'crm';
UPDATE "status store".settings SET crm_version = '0.0.1';
SELECT severity, subject, finding, remedy FROM status.doctor();
CALL status.mend();
SELECT * FROM status.doctor();
-- its models: missed only where there are customers
SELECT item, value FROM crm.status() WHERE subject = 'store "status store"' AND item <> 'version';
INSERT INTO "status store".channels VALUES ('web', 'direct');
INSERT INTO "status store".customers (customer_id) SELECT generate_series(1, 4);
INSERT INTO "status store".orders (customer_id, channel, currency, ordered_at, shipping) SELECT c, 'web', 'EUR', now() - make_interval(days => 10 + d * c), 10 + d FROM generate_series(1, 4) c, generate_series(0, c) d;
SELECT severity, subject, finding, remedy FROM status.doctor();
SELECT kind, current FROM "status store".fit(now() - interval '8 years');
SELECT severity, finding FROM status.doctor();
CALL status.mend();
SELECT item, value::timestamptz <= now() AS fitted FROM crm.status() WHERE subject = 'store "status store"' AND item LIKE 'RFM%';
-- whether so few customers have a model is not for this test
UPDATE "status store".fits SET current = false, notes = 'no more of it' WHERE kind = 'ltv';
UPDATE "status store".fits SET as_of = now() - interval '31 days', fitted_at = now() - interval '1 hour' WHERE current;
SELECT store, kind, now() - as_of BETWEEN interval '31 days' AND interval '32 days' AS as_of, fitted_at < now() AS fitted, tried_at < now() AS tried, notes FROM crm.store_models() WHERE store = 'status store' ORDER BY kind;
SELECT severity, finding FROM status.doctor();
SELECT severity, finding FROM crm.doctor(stale => '32 days') WHERE subject = 'store "status store"';
DELETE FROM "status store".fits WHERE kind = 'ltv';
INSERT INTO "status store".fits (kind, as_of, customers, current, ltv_model) VALUES ('ltv', now() - interval '1 day', 0, true, crm.ltv_model('bg_nbd', '{1,1,1,1}'));
SELECT severity, finding FROM status.doctor();
TRUNCATE "status store".fits;

-- Anybody may look, and sees no more than he may read.
SET ROLE regress_status;
SELECT subject, item, value FROM crm.status() WHERE subject LIKE '%o''n on%' OR subject = 'store "status store"';
SELECT count(*) AS found FROM crm.doctor() WHERE subject <> 'clock' AND subject LIKE '%status%';
SELECT count(*) FROM crm.clock_errors() WHERE message IS NOT NULL;
SELECT count(*) FROM crm.store_models() WHERE store = 'status store';
RESET ROLE;

-- What is taken for a store has a cast, or a policy, that would run as who asks.
CREATE SCHEMA "status cast" AUTHORIZATION regress_status;
CREATE SCHEMA "status policy" AUTHORIZATION regress_status;
SET ROLE regress_status;
CREATE TYPE "status cast".version AS (version text);
CREATE FUNCTION "status cast".run("status cast".version) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'runs as somebody else'; RETURN '1'; END $$;
CREATE CAST ("status cast".version AS text) WITH FUNCTION "status cast".run AS IMPLICIT;
CREATE TABLE "status cast".settings (crm_version "status cast".version);
INSERT INTO "status cast".settings VALUES (ROW('2'));
CREATE FUNCTION "status policy".run() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'runs as somebody else'; RETURN true; END $$;
CREATE TABLE "status policy".settings (crm_version text);
INSERT INTO "status policy".settings VALUES ('2');
ALTER TABLE "status policy".settings ENABLE ROW LEVEL SECURITY;
CREATE POLICY run ON "status policy".settings USING ("status policy".run());
GRANT USAGE ON SCHEMA "status policy", "status cast" TO "regress ""status";
GRANT SELECT ON "status policy".settings, "status cast".settings TO "regress ""status";
RESET ROLE;
SELECT * FROM crm.stores() WHERE store LIKE 'status %y' OR store LIKE 'status %t';
SET ROLE "regress ""status";
SELECT * FROM crm.stores() WHERE store LIKE 'status %y' OR store LIKE 'status %t';
RESET ROLE;
-- Or a function in an index, a constraint or statistics, which the planner executes; the owner may read them, and anybody what has those of the server only.
SET client_min_messages = error;
CREATE SCHEMA "status index" AUTHORIZATION regress_status;
CREATE SCHEMA "status constraint" AUTHORIZATION regress_status;
CREATE SCHEMA "status statistics" AUTHORIZATION regress_status;
CREATE SCHEMA "status harmless" AUTHORIZATION regress_status;
SET ROLE regress_status;
CREATE FUNCTION "status index".run() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'runs as somebody else'; RETURN true; END $$;
CREATE TABLE "status index".settings (crm_version text);
CREATE INDEX ON "status index".settings (crm_version) WHERE "status index".run();
CREATE TABLE "status constraint".settings (crm_version text CHECK ("status index".run()));
CREATE TABLE "status statistics".settings (crm_version text);
CREATE STATISTICS "status statistics".settings ON crm_version, ("status index".run()) FROM "status statistics".settings;
CREATE TABLE "status harmless".settings (crm_version text CHECK (length(crm_version) < 10), policy crm.lifecycle_policy CHECK (policy::text <> crm.lifecycle_policy('1 day', '2 days')::text));
CREATE INDEX ON "status harmless".settings (lower(crm_version)) WHERE crm_version > '1';
INSERT INTO "status index".settings VALUES ('2');
INSERT INTO "status constraint".settings VALUES ('2');
INSERT INTO "status statistics".settings VALUES ('2');
INSERT INTO "status harmless".settings VALUES ('2');
SELECT store, version FROM crm.stores() WHERE version = '2' ORDER BY 1;
RESET ROLE;
SET client_min_messages = warning;
SET constraint_exclusion = on;
SELECT store, version FROM crm.stores() WHERE store IN ('status index', 'status constraint', 'status statistics', 'status harmless') ORDER BY 1;
RESET constraint_exclusion;
SET client_min_messages = error;
DROP SCHEMA "status index", "status constraint", "status statistics", "status harmless" CASCADE;
SET client_min_messages = warning;

-- arguments of triggers
SELECT crm.trigger_arguments('\x6100620000'), crm.trigger_arguments('\x00'), crm.trigger_arguments('');
SELECT crm.trigger_arguments('\x61');
SELECT crm.trigger_arguments('\xff00');

\pset format aligned
DROP SCHEMA "status store", "status cast", "status policy", status, "status of ""it" CASCADE;
DROP ROLE regress_status, "regress ""status";
