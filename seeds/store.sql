-- Fills a store from the sample shop:
--
--   psql -f seeds/shop.sql -c "SELECT crm.create_store('shop')" -f seeds/store.sql
--   psql -v store=other -f seeds/store.sql
--
-- Plain INSERT ... SELECT, a table at a time, as one would load one's own data.
-- Foreign keys are checked once in the end and not row by row: half of the time.
\if :{?store}
\else
\set store shop
\endif
BEGIN;
SET LOCAL timezone = 'UTC';

CREATE TEMP TABLE foreign_keys ON COMMIT DROP AS
SELECT conrelid::regclass AS relation, conname AS name, pg_get_constraintdef(oid) AS definition
FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND connamespace = to_regnamespace(quote_ident(:'store'));
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', relation, name) FROM foreign_keys \gexec

INSERT INTO :"store".channels (channel, type)
SELECT channel, CASE channel WHEN 'organic_search' THEN 'organic_search' WHEN 'affiliate' THEN 'affiliate' WHEN 'referral' THEN 'referral'
	ELSE CASE type WHEN 'pos' THEN 'physical_shop' ELSE type END END
FROM sample.channels;

-- what a currency is worth, in the euros of the first of each month: made up
INSERT INTO :"store".rates (currency, day, rate)
SELECT currency, (sample.opening() AT TIME ZONE 'UTC' + n * interval '1 month')::date, rate + 0.001 * (n % 7)
FROM generate_series(0, 36) AS n, (VALUES ('USD', 0.91), ('GBP', 1.16)) AS r(currency, rate);

INSERT INTO :"store".locations (location, name) VALUES ('main', 'the warehouse');
INSERT INTO :"store".products (product_id, sku, name, category, price, low_stock, created_at)
SELECT product_id, 'P' || product_id, name, category, price, 5, created_at FROM sample.products;
INSERT INTO :"store".stock (product_id, location, on_hand) SELECT product_id, 'main', on_hand FROM sample.products;

-- Accounts keep their numbers; their addresses have been verified.  Guests
-- come after them, one for each address that is not that of an account.
INSERT INTO :"store".customers (customer_id, first_name, last_name, email, email_verified_at, phone, country, region, city, language,
	birth_date, gender, created_via, source, created_at)
SELECT customer_id, first_name, last_name, email, CASE WHEN email IS NOT NULL THEN created_at END, phone, country, region, city, language,
	birth_date, gender, 'account', source, created_at
FROM sample.customers ORDER BY customer_id;
INSERT INTO :"store".identities (customer_id, kind, system, value)
SELECT customer_id, 'external', 'sample', customer_id FROM sample.customers;
SELECT setval(pg_get_serial_sequence(format('%I.customers', :'store'), 'customer_id'), max(customer_id)) AS accounts FROM sample.customers \gset
INSERT INTO :"store".customers (email, country, region, city, created_via, source, created_at)
SELECT DISTINCT ON (o.guest_email) o.guest_email, o.country, o.region, o.city, 'guest', o.channel, o.ordered_at
FROM sample.orders AS o
WHERE o.guest_email IS NOT NULL AND NOT EXISTS (SELECT FROM :"store".identities AS i WHERE i.email = o.guest_email)
ORDER BY o.guest_email, o.ordered_at;
INSERT INTO :"store".consents (customer_id, channel, granted, at, source)
SELECT customer_id, 'email', marketing_consent, created_at, 'registration' FROM sample.customers;

-- Orders: of history, so their items name no location and leave stock alone.
INSERT INTO :"store".orders (order_id, customer_id, visitor_id, source_system, external_id, channel, currency, status, ordered_at,
	paid_at, shipped_at, promised_at, delivered_at, cancelled_at, refunded_at, country, region, city, units, items_amount, discount)
SELECT o.order_id, coalesce(o.customer_id, i.customer_id), o.visitor_id, 'sample', o.order_id, o.channel, o.currency, o.status, o.ordered_at,
	CASE WHEN o.status NOT IN ('placed', 'cancelled') THEN o.ordered_at + interval '12 hours' END,
	CASE WHEN o.status IN ('shipped', 'delivered', 'refunded') THEN o.ordered_at + interval '36 hours' END,
	o.ordered_at + interval '5 days',
	CASE WHEN o.status IN ('delivered', 'refunded') THEN o.ordered_at + interval '60 hours' + o.order_id % 80 * interval '1 hour' END,
	CASE WHEN o.status = 'cancelled' THEN o.ordered_at + interval '1 hour' END,
	CASE WHEN o.status = 'refunded' THEN r.refunded_at END,
	o.country, o.region, o.city, s.units, o.amount + o.discount, o.discount
FROM sample.orders AS o
JOIN (SELECT order_id, sum(quantity) AS units FROM sample.order_items GROUP BY order_id) AS s USING (order_id)
LEFT JOIN :"store".identities AS i ON i.email = o.guest_email
LEFT JOIN (SELECT order_id, max(refunded_at) AS refunded_at FROM sample.refunds GROUP BY order_id) AS r USING (order_id)
ORDER BY o.ordered_at, o.order_id;
INSERT INTO :"store".order_items (order_id, line, product_id, quantity, unit_price)
SELECT order_id, line, product_id, quantity, unit_price FROM sample.order_items ORDER BY order_id, line;
INSERT INTO :"store".refunds (refund_id, order_id, refunded_at, amount)
SELECT refund_id, order_id, refunded_at, amount FROM sample.refunds ORDER BY refunded_at, refund_id;

INSERT INTO :"store".touches (touch_id, visitor_id, customer_id, touched_at, kind, channel, country)
SELECT touch_id, visitor_id, customer_id, touched_at, kind, channel, country FROM sample.touches ORDER BY touched_at, touch_id;
INSERT INTO :"store".spend (channel, day, currency, amount)
SELECT channel, day, currency, amount FROM sample.spend;

SELECT setval(pg_get_serial_sequence(format('%I.products', :'store'), 'product_id'), max(product_id)) FROM sample.products \gset ignored_
SELECT setval(pg_get_serial_sequence(format('%I.orders', :'store'), 'order_id'), max(order_id)) FROM sample.orders \gset ignored_
SELECT setval(pg_get_serial_sequence(format('%I.refunds', :'store'), 'refund_id'), max(refund_id)) FROM sample.refunds \gset ignored_
SELECT setval(pg_get_serial_sequence(format('%I.touches', :'store'), 'touch_id'), max(touch_id)) FROM sample.touches \gset ignored_
SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s', relation, name, definition) FROM foreign_keys ORDER BY relation::text, name \gexec
COMMIT;

SELECT format('ANALYZE %I.%I', nspname, relname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = :'store' AND relkind = 'r' ORDER BY relname \gexec
