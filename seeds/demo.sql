-- What every page of the demo reads.
CREATE SCHEMA demo;

CREATE TABLE demo.sales (
	customer text,
	name text,
	at timestamptz NOT NULL,
	amount numeric NOT NULL,
	currency text NOT NULL
);
COMMENT ON TABLE demo.sales IS 'orders that count, and refunds as negative amounts; no customer: a guest';

CREATE VIEW demo.customers AS
SELECT currency, customer, min(name) AS name, crm.purchases(at, amount) AS bought
FROM demo.sales
GROUP BY currency, customer;
COMMENT ON VIEW demo.customers IS 'what each customer has bought, currencies apart; the guests are one row';

-- of a user's file
CREATE TABLE demo.rows (line bigint, customer text, time text, amount text, currency text, fault text);
CREATE TABLE demo.faults (line bigint, fault text);
