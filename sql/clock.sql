-- clock: time alone moves customers to at_risk and lost.
SET timezone = 'UTC';
CREATE TABLE orders (customer int, at timestamptz, amount int);
CREATE INDEX ON orders (customer);
-- the last order so many days ago
INSERT INTO orders SELECT d, now() - make_interval(hours => 24 * d), 1 FROM unnest(ARRAY[1, 50, 89, 91, 179, 181]) d;
SELECT crm.track('orders', 'customer', 'at', 'amount');
SELECT customer, stage FROM orders_lifecycle ORDER BY 1;
-- nobody is due now; in two days some are, once; at last all are lost
SELECT crm.advance_stages();
SELECT crm.advance_stages(now() + interval '48 hours');
SELECT crm.advance_stages(now() + interval '48 hours');
SELECT customer, stage, stage_since - crm.last_order(purchases) AS after, stage_until - crm.last_order(purchases) AS until FROM orders_lifecycle ORDER BY 1;
-- the view is of now, whatever the clock did
SELECT customer, stage, stage_until - last_order AS until FROM orders_lifecycle_now ORDER BY 1;
SELECT crm.advance_stages(now() + interval '400 days');
SELECT stage, count(*) FROM orders_lifecycle GROUP BY 1;
SELECT count(*) FROM crm.verify('orders');
-- who was at risk and then lost was both, at the time when it became true
SELECT h.customer, from_stage, to_stage, h.at - (SELECT min(at) FROM orders o WHERE o.customer = h.customer) AS after, cause FROM orders_lifecycle_history h WHERE customer IN (1, 181) ORDER BY id;
-- a lost one comes back
INSERT INTO orders VALUES (181, now(), 1);
SELECT stage, reactivated_at IS NOT NULL AS reactivated FROM orders_lifecycle WHERE customer = 181;
-- an order told late: it was never at risk
TRUNCATE orders_lifecycle_history;
INSERT INTO orders VALUES (1000, now() - interval '1000 days', 1), (1001, now() - interval '100 days', 1);
UPDATE orders_lifecycle SET stage = 'new', stage_since = now() - interval '100 days', stage_until = now() - interval '10 days', check_at = now() - interval '10 days' WHERE customer = 1001;
TRUNCATE orders_lifecycle_history;
INSERT INTO orders VALUES (1001, now() - interval '15 days', 1);
SELECT from_stage, to_stage, cause FROM orders_lifecycle_history ORDER BY id;

-- A few at a time, until there are none: what a job that commits between does.
INSERT INTO orders SELECT 2000 + i, now() - make_interval(hours => i), 1 FROM generate_series(1, 2500) i;
SELECT crm.advance_stages(now() + interval '91 days', 'orders', 1000) AS first, crm.advance_stages(now() + interval '91 days', 'orders', 1000) AS second, crm.advance_stages(now() + interval '91 days', 'orders') AS third, crm.advance_stages(now() + interval '91 days', 'orders', 1000) AS fourth;
SELECT stage, count(*) FROM orders_lifecycle WHERE customer > 2000 GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM crm.verify('orders');
-- An order moves check_at only when it must: the row's index entries stay, and the clock looks again later.
TRUNCATE orders;
INSERT INTO orders VALUES (1, now() - interval '80 days', 1);
SELECT crm.refresh('orders') IS NOT NULL AS refreshed;
INSERT INTO orders VALUES (1, now(), 1);
SELECT check_at < stage_until AS looks_early FROM orders_lifecycle WHERE customer = 1;
SELECT crm.advance_stages(now() + interval '20 days');
SELECT check_at = stage_until AS looks_then, stage FROM orders_lifecycle WHERE customer = 1;
-- it is found by the index
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT customer FROM orders_lifecycle WHERE check_at < now() ORDER BY check_at LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED;
RESET enable_seqscan;
RESET enable_bitmapscan;
-- a trigger of the user's that keeps a row as it is: it is no change, is not logged, and holds up nobody who is due before
TRUNCATE orders;
INSERT INTO orders SELECT i, now() - interval '80 days' + i * interval '1 second', 1 FROM generate_series(1, 3000) i;
TRUNCATE orders_lifecycle_history;
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN NEW.customer > 500 THEN NULL ELSE NEW END; END $$;
CREATE TRIGGER keep BEFORE UPDATE ON orders_lifecycle FOR EACH ROW EXECUTE FUNCTION keep();
UPDATE orders SET at = at + interval '1 day' WHERE customer <= 250;
SELECT crm.advance_stages(now() + interval '15 days');
SELECT stage, count(*), min(customer), max(customer) FROM orders_lifecycle WHERE crm.order_count(purchases) > 0 GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM orders_lifecycle_history WHERE customer <= 3000;
SELECT crm.advance_stages(now() + interval '15 days');
DELETE FROM orders WHERE customer BETWEEN 501 AND 510;
SELECT customer, problem FROM crm.verify('orders') ORDER BY customer::int;
DROP TRIGGER keep ON orders_lifecycle;
SELECT crm.refresh('orders');
SELECT crm.advance_stages(now() + interval '15 days');
DROP FUNCTION keep;
-- one that keeps those who are due first, by returning nothing or what was there: those who are due later have their turn, and the round its end
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN NEW.customer > 12000 THEN NEW WHEN NEW.customer % 2 = 0 THEN OLD END; END $$;
TRUNCATE orders;
INSERT INTO orders SELECT i, now() - interval '80 days' + i * interval '1 second', 1 FROM generate_series(1, 12500) i;
TRUNCATE orders_lifecycle_history;
CREATE TRIGGER keep BEFORE UPDATE ON orders_lifecycle FOR EACH ROW EXECUTE FUNCTION keep();
SELECT crm.advance_stages(now() + interval '15 days', 'orders', 300);
SELECT crm.advance_stages(now() + interval '15 days');
SELECT crm.advance_stages(now() + interval '15 days', 'orders', 300);
SELECT stage, count(*), min(customer), max(customer) FROM orders_lifecycle WHERE crm.order_count(purchases) > 0 GROUP BY 1 ORDER BY 1;
SELECT count(*), min(customer) FROM orders_lifecycle_history;
DROP TRIGGER keep ON orders_lifecycle;
DROP FUNCTION keep;
-- one that raises an error holds up those customers only
TRUNCATE orders;
INSERT INTO orders SELECT i, now() - interval '81 days' - i * interval '1 second', 1 FROM generate_series(1, 3000) i;
TRUNCATE orders_lifecycle_history;
CREATE TABLE bad (customer int PRIMARY KEY);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF EXISTS (SELECT FROM public.bad b WHERE b.customer = NEW.customer) THEN RAISE 'not this one' USING ERRCODE = 'XX123'; END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER refuse AFTER UPDATE ON orders_lifecycle FOR EACH ROW EXECUTE FUNCTION refuse();
INSERT INTO bad VALUES (1), (1500), (1501), (2999);
-- (in which order they are found is left to chance)
\set VERBOSITY terse
SELECT crm.advance_stages(now() + interval '15 days', 'orders');
\set VERBOSITY default
SELECT customer, stage FROM orders_lifecycle WHERE stage = 'new' ORDER BY 1;
SELECT count(*), count(DISTINCT customer) FROM orders_lifecycle_history;
SELECT crm.advance_stages(now() + interval '15 days', 'orders');
SELECT crm.advance_stages(now() + interval '15 days');
DELETE FROM bad WHERE customer <> 1501;
SELECT crm.advance_stages(now() + interval '15 days');
-- of very many of them some are tried each time; who is due later has his turn at once, who is due between them soon
TRUNCATE bad;
INSERT INTO bad SELECT i FROM generate_series(1001, 3000) i WHERE i % 2 = 0;
SET client_min_messages = error;
SELECT crm.advance_stages(now() + interval '200 days') > 500 AS some;
SELECT stage, count(*) FROM orders_lifecycle WHERE customer <= 1000 GROUP BY 1;
DO $$ BEGIN
	FOR round IN 1 .. 1000 LOOP
		PERFORM crm.advance_stages(now() + interval '200 days');
		EXIT WHEN NOT EXISTS (SELECT FROM orders_lifecycle WHERE customer % 2 = 1 AND stage NOT IN ('lost', 'lead'));
	END LOOP;
END $$;
RESET client_min_messages;
SELECT stage, count(*), min(customer) FROM orders_lifecycle WHERE stage <> 'lead' GROUP BY 1 ORDER BY 1;
SELECT count(*), count(DISTINCT customer) FROM orders_lifecycle_history WHERE to_stage = 'lost';
SELECT crm.set_policy('orders', '{"at_risk_after": "300 days", "lost_after": "400 days"}');
TRUNCATE bad;
SELECT crm.advance_stages(now() + interval '200 days');
SELECT stage, count(*) FROM orders_lifecycle WHERE stage <> 'lead' GROUP BY 1 ORDER BY 1;
DROP TRIGGER refuse ON orders_lifecycle;
-- who failed is left as if nothing had been tried: no lock that a row on a full page could not be written with (a server with assertions tells)
CREATE TABLE full_page (customer int PRIMARY KEY, at timestamptz, amount int);
SELECT crm.track('full_page', 'customer', 'at', 'amount');
ALTER TABLE full_page_lifecycle ADD COLUMN filler text, SET (fillfactor = 100);
INSERT INTO full_page SELECT i, now() - interval '80 days', 1 FROM generate_series(1, 40) i;
UPDATE full_page_lifecycle SET filler = repeat('x', 100);
VACUUM FULL full_page_lifecycle;
INSERT INTO bad VALUES (7);
CREATE TRIGGER refuse AFTER UPDATE OF stage ON full_page_lifecycle FOR EACH ROW WHEN (OLD.stage <> NEW.stage) EXECUTE FUNCTION refuse();
BEGIN;
SELECT crm.advance_stages(now() + interval '15 days', 'full_page');
UPDATE full_page_lifecycle SET filler = repeat('y', 150) WHERE customer = 7;
SELECT stage, left(filler, 1) AS filler FROM full_page_lifecycle WHERE customer = 7;
COMMIT;
SELECT crm.untrack('full_page');
DROP TABLE full_page;
DROP FUNCTION refuse;
DROP TABLE bad;
-- whatever a trigger says, be it what else would be so for all customers: it is for this one only; of a queue as well
CREATE TABLE few (customer int, at timestamptz, amount int);
CREATE INDEX ON few (customer);
INSERT INTO few SELECT i, now() - interval '80 days', 1 FROM generate_series(1, 5) i;
CREATE TABLE few_queued (LIKE few INCLUDING ALL);
SELECT crm.track('few', 'customer', 'at', 'amount'), crm.track('few_queued', 'customer', 'at', 'amount', mode => 'queued');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF NEW.customer = 3 THEN PERFORM FROM public.nowhere; END IF;
	RAISE 'not this one' USING ERRCODE = CASE NEW.customer WHEN 2 THEN '42501' WHEN 4 THEN '55006' ELSE TG_ARGV[0] END;
END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON few_lifecycle FOR EACH ROW WHEN (OLD.customer BETWEEN 2 AND 4) EXECUTE FUNCTION refuse();
CREATE TRIGGER refuse AFTER UPDATE ON few_queued_lifecycle FOR EACH ROW WHEN (OLD.customer BETWEEN 2 AND 4) EXECUTE FUNCTION refuse();
INSERT INTO few_queued SELECT i, now(), 1 FROM generate_series(1, 5) i;
\set VERBOSITY terse
SELECT crm.advance_stages(now() + interval '15 days', 'few'), crm.apply_queue('few_queued');
\set VERBOSITY default
SELECT customer, stage FROM few_lifecycle ORDER BY 1;
SELECT customer, sqlstate, message FROM few_queued_lifecycle_errors ORDER BY 1;
SELECT customer, crm.order_count(purchases) FROM few_queued_lifecycle ORDER BY 1;
-- but a lock that it does not get nobody will, and a table that is not as it was made is so for all
CREATE TRIGGER refuse_lock BEFORE UPDATE ON few_queued_lifecycle FOR EACH ROW WHEN (OLD.customer = 5) EXECUTE FUNCTION refuse('55P03');
INSERT INTO few_queued SELECT i, now(), 1 FROM generate_series(4, 5) i;
\set VERBOSITY terse
SELECT crm.apply_queue('few_queued');
DROP TRIGGER refuse_lock ON few_queued_lifecycle;
BEGIN;
SET LOCAL session_replication_role = replica;
ALTER TABLE few_queued_lifecycle_history DROP COLUMN cause;
SET LOCAL session_replication_role = origin;
INSERT INTO few_queued VALUES (6, now(), 1);
SELECT crm.apply_queue('few_queued');
ROLLBACK;
\set VERBOSITY default
SELECT customer FROM few_queued_lifecycle_queue ORDER BY 1;
SELECT crm.untrack('few'), crm.untrack('few_queued');
DROP TABLE few, few_queued;
DROP FUNCTION refuse;
-- wrong arguments
SELECT crm.advance_stages('infinity');
SELECT crm.advance_stages(NULL) IS NULL AS nothing;
SELECT crm.advance_stages(now(), 'orders', 0);
SELECT crm.advance_stages(now(), 'pg_class');
-- a table that fails is told, and holds up no other; of one that is named it is an error
CREATE TABLE web (customer int, at timestamptz, amount int);
CREATE INDEX ON web (customer);
INSERT INTO web VALUES (1, now() - interval '80 days', 1);
SELECT crm.track('web', 'customer', 'at', 'amount');
ALTER TABLE orders_lifecycle DROP CONSTRAINT orders_lifecycle_pkey;
SELECT crm.advance_stages(now() + interval '15 days');
SELECT stage FROM web_lifecycle;
SELECT crm.advance_stages(now() + interval '15 days', 'orders');
SELECT crm.untrack('orders'), crm.untrack('web');
SELECT crm.advance_stages(now());
DROP TABLE orders, web;
