# What status and doctor tell of a clock that runs, fails, is switched off; and
# of a logical subscriber.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('clocked');
$node->init(allows_streaming => 'logical', extra => [ '--locale', 'C', '--encoding', 'UTF8' ]);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'crm'\ncrm.clock_naptime = 1\n");
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION crm;
CREATE ROLE clerk;
CREATE TABLE orders (customer int, at timestamptz, amount int);
CREATE INDEX ON orders (customer);
INSERT INTO orders VALUES (1, now() - interval '1 day', 1);
SELECT crm.track('orders', 'customer', 'at', 'amount');
SQL

my $doctor = 'SELECT severity, subject, finding FROM crm.doctor()';
sub status
{
	my ($item) = @_;
	return $node->safe_psql('postgres', "SELECT value FROM crm.status() WHERE subject = 'clock' AND item = '$item'");
}

# A clock that runs.
ok($node->poll_query_until('postgres', "SELECT last_round > pg_postmaster_start_time() FROM crm.clock_state()"), 'the clock comes through');
is(status('preloaded'), 'yes', 'preloaded');
is(status('every'), '1s', 'how often');
is(status('process'), $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'crm clock launcher' AND application_name = 'crm clock launcher'"),
	'the process of the launcher, which pg_stat_activity shows under its name');
like(status('last round'), qr/^\d{4}-\d\d-\d\d .*\+00$/, 'the last round');
is(status('last error'), '', 'no error');
is($node->safe_psql('postgres', $doctor), '', 'nothing is wrong');

# One that fails: of this table only, and with the reason.
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not %', repeat('ü', 300) USING errcode = 'XX123'; END $$;
CREATE TRIGGER fail BEFORE UPDATE ON orders_lifecycle FOR EACH ROW EXECUTE FUNCTION fail();
-- the trigger is not to fail here
SET session_replication_role = replica;
UPDATE orders SET at = now() - interval '100 days';
UPDATE orders_lifecycle SET check_at = now() - interval '1 second', stage_until = now() - interval '1 second',
	purchases = (SELECT crm.purchases(at, amount) FROM orders);
SQL
ok($node->poll_query_until('postgres', 'SELECT count(*) > 0 FROM crm.clock_errors()'), 'an error is noted');
is($node->safe_psql('postgres', "SELECT orders, sqlstate, message = left('not ' || repeat('ü', 300), length(message)), octet_length(message) FROM crm.clock_errors() LIMIT 1"),
	'public.orders|XX123|t|254', '... of which table, and as much of the message as there is room for');
like($node->safe_psql('postgres', $doctor), qr/^warning\|orders public\.orders\|the clock failed .* ago: XX123 not üü/m, 'the doctor knows');
is($node->safe_psql('postgres', 'SET ROLE clerk; SELECT count(*) > 0, count(message) FROM crm.clock_errors()'), 't|0', 'the message is not for everybody');
$node->safe_psql('postgres', 'CREATE DATABASE other');
is($node->safe_psql('other', 'CREATE EXTENSION crm; SELECT count(*) FROM crm.clock_errors()'), '0', 'nor for another database');
$node->safe_psql('postgres', 'DROP TRIGGER fail ON orders_lifecycle; SELECT crm.refresh($$orders$$)');
is($node->safe_psql('postgres', q{SELECT count(*) FROM crm.doctor('0 seconds') WHERE finding LIKE 'the clock failed%'}), '0', 'of errors in the past the doctor does not speak');

# One that is off, for this database.
$node->safe_psql('postgres', 'ALTER DATABASE postgres SET crm.clock = off');
like($node->safe_psql('postgres', $doctor), qr/^notice\|clock\|the clock is off/m, 'switched off is a notice');
$node->safe_psql('postgres', "SET session_replication_role = replica; UPDATE orders_lifecycle SET check_at = now() - interval '2 hours'");
like($node->safe_psql('postgres', $doctor), qr/^warning\|orders public\.orders\|stages are late.*^warning\|clock\|the clock is off/ms, '... and a warning when somebody is late');
$node->safe_psql('postgres', (grep { /ALTER DATABASE/ } split /\n/, $node->safe_psql('postgres', "SELECT split_part(remedy, ' --', 1) FROM crm.doctor() WHERE subject = 'clock'"))[0]);
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM crm.doctor() WHERE finding NOT LIKE 'the clock failed%'"), 'and on again it is in time');

# A launcher that ended is noticed, and is there again.
my $launcher = status('process');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher)");
ok($node->poll_query_until('postgres', "SELECT launcher IS DISTINCT FROM $launcher FROM crm.clock_state()"), 'the launcher ended');
ok($node->poll_query_until('postgres', 'SELECT launcher IS NOT NULL FROM crm.clock_state()'), 'the launcher is back');

# A logical subscriber, where no statement trigger fires.
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init;
$subscriber->start;
$subscriber->safe_psql('postgres', <<'SQL');
CREATE EXTENSION crm;
CREATE TABLE orders (customer int, at timestamptz, amount int);
CREATE INDEX ON orders (customer);
SELECT crm.track('orders', 'customer', 'at', 'amount');
SQL
$node->safe_psql('postgres', 'ALTER TABLE orders REPLICA IDENTITY FULL; CREATE PUBLICATION all_of_it FOR TABLE orders');
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION one CONNECTION '" . $node->connstr . " dbname=postgres' PUBLICATION all_of_it");
$subscriber->poll_query_until('postgres', "SELECT bool_and(srsubstate IN ('r', 's')) FROM pg_subscription_rel") or die 'no first synchronisation';
$node->safe_psql('postgres', 'INSERT INTO orders SELECT i, now(), 1 FROM generate_series(2, 9) i');
$node->wait_for_catchup('one');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM orders'), '9', 'orders are replicated');
like($subscriber->safe_psql('postgres', $doctor), qr/^warning\|orders public\.orders\|the orders come by logical replication/m, 'the doctor of the subscriber says so');
$subscriber->safe_psql('postgres', "SELECT remedy FROM crm.doctor() WHERE finding LIKE '%logical replication%' \\gexec");
is($subscriber->safe_psql('postgres', "SELECT count(*) FROM crm.verify('orders')"), '0', '... and how it is mended');
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION one');

# A store that is replicated as a whole, summary and all: every figure is the publisher's.
$node->safe_psql('postgres', <<'SQL');
SELECT crm.create_store('shop', 'EUR', 'Europe/Lisbon');
INSERT INTO shop.channels VALUES ('web', 'direct');
INSERT INTO shop.products (product_id, name) VALUES (1, 'tea');
INSERT INTO shop.customers (customer_id, email, country) SELECT n, n || '@example.com', 'PT' FROM generate_series(1, 5) n;
SELECT shop.snapshot('sales');
CREATE PUBLICATION shop FOR TABLES IN SCHEMA shop;
SQL
command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '--schema-only', '-n', 'shop', '-f', $node->basedir . '/shop.sql' ], 'the definition of a store');
$subscriber->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $subscriber->connstr('postgres'), '-f', $node->basedir . '/shop.sql' ], '... restored at the subscriber');
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION shop CONNECTION '" . $node->connstr . " dbname=postgres' PUBLICATION shop");
$subscriber->poll_query_until('postgres', "SELECT bool_and(srsubstate IN ('r', 's')) FROM pg_subscription_rel") or die 'no first synchronisation';
$node->safe_psql('postgres', <<'SQL');
INSERT INTO shop.orders (order_id, customer_id, channel, currency, ordered_at) SELECT n, n, 'web', 'EUR', '2025-01-01' FROM generate_series(1, 4) n;
INSERT INTO shop.order_items (order_id, line, product_id, quantity, unit_price) SELECT n, 1, 1, n, 5 FROM generate_series(1, 4) n;
UPDATE shop.orders SET status = 'cancelled' WHERE order_id = 1;
SELECT shop.merge_customers(2, 5), shop.merge_customers(3, 4);
SELECT shop.undo_merge(2), shop.forget_customer(4), shop.snapshot('sales');
SQL
$node->wait_for_catchup('shop');
sub figures
{
	my ($where) = @_;
	return join "\n", map { $where->safe_psql('postgres', "SELECT '$_', count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM shop.$_ t") }
	  qw(customers identities orders order_items order_history merges merge_rows sales_snapshot orders_lifecycle customer_360 sales lifecycle customer_timeline stage_changes settings);
}
is(figures($subscriber), figures($node), 'the figures of the subscriber are those of the publisher');
is($subscriber->safe_psql('postgres', "SELECT count(*) FROM crm.verify('shop.orders')"), '0', '... and its summary that of its orders');
is($subscriber->safe_psql('postgres', "SELECT * FROM crm.doctor() WHERE subject LIKE '%shop.orders'"), '', 'nothing is wrong with that');
$subscriber->append_conf('postgresql.conf', "shared_preload_libraries = 'crm'");
$subscriber->restart;
$subscriber->safe_psql('postgres', "SELECT remedy FROM crm.doctor() WHERE finding LIKE '%comes by logical replication, and the clock%' \\gexec");
is($subscriber->safe_psql('postgres', 'SHOW crm.clock'), 'off', 'but the clock is not to write there');
is($subscriber->safe_psql('postgres', "SELECT * FROM crm.doctor() WHERE subject LIKE '%shop.orders'"), '', '... and then all is well');
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION shop');

$subscriber->stop;
$node->stop;
done_testing();
