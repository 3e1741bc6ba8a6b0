-- Rows from files: good ones are taken, bad ones told with line and reason.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT crm.create_store('shop');
\set VERBOSITY terse
INSERT INTO shop.channels VALUES ('web', 'direct');
INSERT INTO shop.attribute_keys VALUES ('size', 'number');
SELECT shop.start_import('customers', 'customer_id', 'email', 'first_name', 'birth_date', 'tags', 'attributes', 'created_via', 'created_at');
COPY pg_temp.import_customers (customer_id, email, first_name, birth_date, tags, attributes, created_via, created_at) FROM STDIN (FORMAT csv, HEADER);
id,mail,name,born,tags,more,via,since
10,ana@example.com,"Ana, ""the""
second",1980-02-29,"{a,b}","{""size"": 43}",guest,2025-01-01
11,bob@example,Bob,,,,guest,2025-01-01
12,cleo@example.com,Cleo,1980-02-30,,,guest,2025-01-01
,dora@example.com,Dora,,,,,
10,eve@example.com,Eve,,,,guest,2025-01-01
13,fay@example.com,Fay,,,"{""size"": ""large""}",guest,2025-01-01
14,gus@example.com,Gus,,,,shop,2025-01-01
15,hal@example.com,Hal,,{x,,guest,2025-01-01
16,ida@example.com,Ida,,,,guest,2025-01-01
\.
-- all or nothing, unless told
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT * FROM shop.finish_import('customers');
\set VERBOSITY terse
SELECT count(*) AS nothing FROM shop.customers;
SET client_min_messages = notice;
SELECT * FROM shop.finish_import('customers', skip_bad => true);
SET client_min_messages = warning;
-- what is empty has its default; ids go on behind the last
SELECT nullif(customer_id, least(customer_id, 9)) AS customer_id, email, first_name, birth_date, tags, attributes, created_via, created_at > now() - interval '1 hour' AS lately FROM shop.customers ORDER BY email;
INSERT INTO shop.customers (email) VALUES ('jo@example.com') RETURNING customer_id;
-- the bad ones are still there: mend them, and try again
UPDATE pg_temp.import_customers SET email = email || '.org' WHERE first_name = 'Bob';
UPDATE pg_temp.import_customers SET customer_id = '20' WHERE first_name = 'Eve';
DELETE FROM pg_temp.import_customers WHERE first_name = 'Hal';
SELECT * FROM shop.finish_import('customers', skip_bad => true);
SELECT email FROM shop.customers WHERE customer_id IN (11, 20) ORDER BY customer_id;

-- Foreign keys, triggers, constraints of others; a batch of any size gives the same
INSERT INTO shop.locations VALUES ('main');
INSERT INTO shop.products (product_id, name) VALUES (1, 'tea');
INSERT INTO shop.stock (product_id, location, on_hand) VALUES (1, 'main', 5);
INSERT INTO shop.orders (order_id, channel, currency) SELECT n, 'web', 'EUR' FROM generate_series(1, 300) AS n;
BEGIN;
CREATE TEMP TABLE result (batch int, line bigint, reason text);
SELECT shop.start_import('order_items', 'order_id', 'line', 'product_id', 'quantity', 'unit_price', 'location');
CREATE PROCEDURE pg_temp.try(batch int) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM shop.start_import('order_items', 'order_id', 'line', 'product_id', 'quantity', 'unit_price', 'location');
	INSERT INTO pg_temp.import_order_items (order_id, line, product_id, quantity, unit_price, location)
	SELECT CASE n WHEN 77 THEN 999 ELSE n END, 1, 1, CASE n WHEN 200 THEN 0 ELSE 1 END, CASE n WHEN 150 THEN 0.001 ELSE 5 END, CASE WHEN n IN (3, 30, 290) THEN 'main' END FROM generate_series(1, 300) AS n;
	UPDATE pg_temp.import_order_items SET quantity = 4 WHERE order_id = '290';
	INSERT INTO result SELECT batch, * FROM shop.finish_import('order_items', true, batch);
	ASSERT (SELECT count(*) = 296 AND sum(quantity) = 296 FROM shop.order_items);
	DELETE FROM shop.order_items;
END
$$;
CALL pg_temp.try(1);
CALL pg_temp.try(7);
CALL pg_temp.try(10000);
SELECT line, reason, count(*) FROM result GROUP BY line, reason ORDER BY line;
ROLLBACK;
-- what is checked at the end of a transaction only is told with its line, too
ALTER TABLE shop.products ADD UNIQUE (name) DEFERRABLE INITIALLY DEFERRED;
SELECT shop.start_import('products', 'name');
INSERT INTO pg_temp.import_products (name) VALUES ('cup'), ('tea'), ('pot'), ('cup');
SELECT * FROM shop.finish_import('products', skip_bad => true);
SELECT name FROM shop.products ORDER BY name;
-- faults of whoever calls
SELECT shop.start_import('nothing', 'x');
SELECT shop.start_import('customers', 'x');
SELECT shop.start_import('orders', 'amount');
SELECT shop.finish_import('orders');
SELECT shop.start_import('spend', 'channel');
SELECT shop.finish_import('spend', batch => 0);
SELECT shop.finish_import('spend') IS NULL AS nothing_to_do;
DROP SCHEMA shop CASCADE;
