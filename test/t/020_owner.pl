# The extension in the hands of a database's owner, who is not superuser: he
# installs and uses it, can't drop it by mistake, and takes it along in a dump
# and through pg_upgrade.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @locale = ('--locale', 'C', '--encoding', 'UTF8');
my $old = PostgreSQL::Test::Cluster->new('old');
$old->init(extra => [@locale]);
$old->start;
$old->safe_psql('postgres', 'CREATE ROLE owner LOGIN; CREATE ROLE clerk LOGIN; CREATE DATABASE shop OWNER owner');

my @owner = (extra_params => [ '-U', 'owner' ]);
my @clerk = (extra_params => [ '-U', 'clerk' ]);
$old->safe_psql('shop', 'CREATE EXTENSION crm', @owner);

# Every kind of thing that can hang on a type: columns, keys, indexes,
# partitions, domains, constraints, views, functions, statistics.
$old->safe_psql('shop', <<'SQL', @owner);
CREATE TABLE customer (id int PRIMARY KEY, email crm.email UNIQUE, phone crm.phone UNIQUE,
	bought crm.purchases, scores crm.rfm DEFAULT '1-1-1', scale crm.rfm_scale,
	CHECK (email <> 'nobody@example.com' AND crm.order_count(bought) < 1000),
	EXCLUDE USING hash (phone WITH =));
INSERT INTO customer
SELECT id, 'Customer' || id || '@bücher.example', '+4930' || 1000 + id, s.bought, crm.rfm(1 + id % 5, 1 + id % 3, 2),
	crm.rfm_scale(recency => '{30 days,90 days}', frequency => '{1,4}', monetary => '{10,99.5}')
FROM generate_series(1, 100) id, LATERAL (SELECT crm.purchases('2025-01-01 00:00+00'::timestamptz + n * interval '7 hours', n - 1.5)
	FROM generate_series(1, id % 7) n) s (bought);
CREATE INDEX ON customer USING hash (email);
CREATE INDEX ON customer USING hash (phone);
CREATE INDEX ON customer USING hash (scores);
CREATE INDEX ON customer (scores, email, phone);
CREATE INDEX ON customer (crm.domain(email), crm.revenue(bought) DESC) WHERE email > 'b@example.com' AND scores >= '2-1-1';
CREATE STATISTICS both_contacts ON email, phone FROM customer;
CREATE TABLE by_list (email crm.email) PARTITION BY LIST (email);
CREATE TABLE by_list_1 PARTITION OF by_list FOR VALUES IN ('a@example.com', 'b@example.com');
CREATE TABLE by_range (scores crm.rfm, phone crm.phone) PARTITION BY RANGE (scores, phone);
CREATE TABLE by_range_1 PARTITION OF by_range FOR VALUES FROM ('1-1-1', '+1 2120000') TO ('5-5-5', '+49 300000');
CREATE DOMAIN work_email AS crm.email CHECK (VALUE <> 'a@example.com' AND crm.domain(VALUE) = 'example.com');
CREATE TYPE contacts AS (email work_email, phones crm.phone[]);
CREATE TABLE composite (one contacts);
INSERT INTO composite VALUES (ROW('x@example.com', '{+49 30 123456,+1 212 5550123}'));
CREATE MATERIALIZED VIEW domains AS
	SELECT crm.domain(email) AS domain, crm.rollup(bought) AS bought, max(scores) AS best, min(email) AS first FROM customer GROUP BY 1;
CREATE VIEW chosen AS
	SELECT * FROM customer WHERE email NOT IN ('a@example.com', 'b@example.com') AND scores BETWEEN '1-1-1' AND '4-5-5' ORDER BY scores, email;
CREATE FUNCTION is_known(crm.email) RETURNS boolean LANGUAGE sql RETURN EXISTS (SELECT FROM customer WHERE email = $1);
SQL

# Another role may use it too.
is($old->safe_psql('shop', "SELECT crm.segment('5-5-5')", @clerk), 'Champions', 'a role without any grant may use it');
my ($status, $out, $err);

($status, $out, $err) = $old->psql('shop', 'DROP EXTENSION crm', @owner);
like($err, qr/cannot drop extension crm because other objects depend on it/, 'DROP EXTENSION is refused');
like($err, qr/\b$_\b/, "... because of $_")
  for 'column bought of table customer', 'type work_email', 'function is_known', 'view chosen', 'materialized view domains', 'table by_list', 'table by_range';
($status, $out, $err) = $old->psql('shop', 'DROP FUNCTION crm.domain(crm.email)', @owner);
like($err, qr/because extension crm requires it/, 'nor can a function of it be dropped');

sub dump_of
{
	my ($node, $database, @arguments) = @_;
	my ($text, $errors) = run_command([ 'pg_dump', '-d', $node->connstr($database), @arguments ]);
	is($errors, '', "$database: dumped");
	# a key that newer versions write, different each time
	return $text =~ s/^\\(?:un)?restrict .*\n//gmr;
}

my $members = q{SELECT pg_describe_object(classid, objid, objsubid) FROM pg_depend
	WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' ORDER BY 1};
my $before = dump_of($old, 'shop');
my $members_before = $old->safe_psql('shop', $members);

my $file = $old->basedir . '/shop.dump';
$old->safe_psql('postgres', 'CREATE DATABASE restored OWNER owner');
$old->command_ok([ 'pg_dump', '-Fc', '-U', 'owner', '-d', $old->connstr('shop'), '-f', $file ], 'the owner dumps');
$old->command_ok([ 'pg_restore', '--exit-on-error', '-U', 'owner', '-d', $old->connstr('restored'), $file ], 'and restores');
is(dump_of($old, 'restored'), $before, 'the same as before');
$old->safe_psql('postgres', 'DROP DATABASE restored');

# Another database: orders that are tracked in every mode, and a store.
$old->safe_psql('postgres', 'CREATE DATABASE busy');
my @busy = ('-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $old->connstr('busy'));
my $store = '"My ""Shop"""';
$old->command_ok([ 'psql', @busy, '-c', 'CREATE EXTENSION crm', '-v', 'customers=50', '-f', 'seeds/shop.sql', '-c', q{SELECT crm.create_store('My "Shop"')} ], 'a store');
$old->command_ok([ 'psql', @busy, '-v', 'store=My "Shop"', '-f', 'seeds/store.sql' ], '... with the sample shop');
$old->safe_psql('busy', <<SQL);
SELECT $store.fit('2026-01-01'), $store.snapshot('sales');
ALTER TABLE $store.orders ENABLE ALWAYS TRIGGER order_status;
CREATE TABLE plain (customer int, at timestamptz, total numeric);
CREATE TABLE parted (LIKE plain) PARTITION BY RANGE (at);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
CREATE TABLE parted_2 PARTITION OF parted DEFAULT;
CREATE TABLE web (LIKE plain);
CREATE INDEX ON plain (customer);
CREATE INDEX ON parted (customer);
CREATE INDEX ON web (customer);
INSERT INTO plain SELECT i % 7, '2025-01-01 00:00Z'::timestamptz + i * interval '1 day', i FROM generate_series(1, 50) i;
INSERT INTO parted TABLE plain;
CREATE VIEW seen AS TABLE plain;
SELECT crm.track('plain', 'customer', 'at', 'total'), crm.track('parted', 'customer', 'at', 'total'), crm.track('web', 'customer', 'at', 'total', mode => 'queued'), crm.track('seen', 'customer', 'at', 'total', mode => 'refresh');
INSERT INTO web TABLE plain;
SQL

# What is tracked and how, and what every table and view says
sub says
{
	my ($node) = @_;
	return join "\n", $node->safe_psql('busy', 'SELECT * FROM crm.tracked()'),
	  map { $node->safe_psql('busy', "SELECT \$\$$_\$\$, count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM $_ t") }
	  split /\n/, $node->safe_psql('busy', q{SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname IN ('public', 'My "Shop"') AND relkind IN ('r', 'v') ORDER BY 1});
}
my $said = says($old);

# pg_upgrade dumps the extension's objects one by one, and creates them in an
# order that only their dependencies decide.
$old->stop;
my $new = PostgreSQL::Test::Cluster->new('new');
$new->init(extra => [@locale]);
my $bindir = $new->config_data('--bindir');
chdir $PostgreSQL::Test::Utils::tmp_check or die;
command_ok([ 'pg_upgrade', '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir, '-b', $bindir, '-B', $bindir,
		'-s', $new->host, '-p', $old->port, '-P', $new->port ], 'pg_upgrade');
$new->start;
is(dump_of($new, 'shop'), $before, 'the same data after pg_upgrade');
is($new->safe_psql('shop', $members), $members_before, 'the same members of the extension');
is($new->safe_psql('shop', <<'SQL', @owner), '7', 'the indexes work on');
SET enable_seqscan = off;
SELECT id FROM customer WHERE email = 'CUSTOMER7@bücher.example' AND phone = '+49 30 1007';
SQL
is(says($new), $said, 'what is tracked and a store say what they said');
is($new->safe_psql('busy', "SELECT * FROM crm.doctor() WHERE severity = 'error'"), '', 'the doctor finds no error');
$new->safe_psql('busy', <<SQL);
INSERT INTO plain VALUES (3, '2025-03-01 00:00Z', 7), (100, '2025-03-01 00:00Z', 1);
DELETE FROM plain WHERE customer = 2;
UPDATE parted SET total = total + 1;
INSERT INTO web VALUES (50, '2025-03-01 00:00Z', 7);
SELECT crm.apply_queue();
INSERT INTO $store.orders (order_id, customer_id, channel, currency) SELECT 1000000, min(customer_id), 'direct', 'EUR' FROM $store.customers WHERE merged_into IS NULL;
INSERT INTO $store.order_items (order_id, line, product_id, quantity, unit_price) VALUES (1000000, 1, 1, 2, 5);
SELECT crm.create_store('My "Shop"');
SQL
is($new->safe_psql('busy', "SELECT v.* FROM unnest(ARRAY['plain', 'parted', 'web', \$\$$store.orders\$\$]::regclass[]) t, crm.verify(t) v"), '', 'and go on');
is($new->safe_psql('busy', "SELECT amount FROM $store.orders WHERE order_id = 1000000"), '10.0000', '... with totals');
is($new->safe_psql('busy', "SELECT tgenabled FROM pg_trigger WHERE tgname = 'order_status'"), 'A', '... and triggers that fire as they did');
# (pg_upgrade has made the extension the superuser's)
$new->safe_psql('shop', 'DROP TABLE customer, by_list, by_range, composite CASCADE; DROP TYPE contacts; DROP DOMAIN work_email; DROP EXTENSION crm');
is($new->safe_psql('shop', "SELECT count(*) FROM pg_operator o JOIN pg_type t ON t.oid = oprleft WHERE oprnamespace = 'pg_catalog'::regnamespace AND o.oid >= 16384"),
	'0', 'nothing is left after DROP EXTENSION');
$new->stop;
done_testing();
