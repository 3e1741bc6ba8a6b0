# A tracked table through what happens to a server: kill -9, a standby that is
# promoted, a logical subscriber, dump and restore.  Nothing is ever wrong, and
# the triggers still fire.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 'logical');
$node->append_conf('postgresql.conf', "autovacuum = off\nmax_prepared_transactions = 5\n");
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION crm;
CREATE ROLE shopkeeper;
CREATE SCHEMA shop AUTHORIZATION shopkeeper;
SET ROLE shopkeeper;
CREATE TABLE shop.orders (id serial PRIMARY KEY, customer text, at timestamptz, amount numeric);
CREATE INDEX ON shop.orders (lower(customer));
CREATE TABLE shop.parted (id int, customer int, at date NOT NULL, amount numeric) PARTITION BY RANGE (at);
CREATE TABLE shop.parted_1 PARTITION OF shop.parted FOR VALUES FROM ('2025-01-01') TO ('2025-07-01');
CREATE TABLE shop.parted_2 PARTITION OF shop.parted FOR VALUES FROM ('2025-07-01') TO ('2026-01-01');
INSERT INTO shop.orders (customer, at, amount) SELECT 'C' || i % 10, now() - i * interval '3 days', i FROM generate_series(1, 100) i;
INSERT INTO shop.parted SELECT i, i % 10, date '2025-01-01' + i, i FROM generate_series(1, 300) i;
SELECT crm.track('shop.orders', 'lower(customer)', 'at', 'amount', policy => crm.lifecycle_policy('30 days', '60 days', 3), notify => false);
SELECT crm.track('shop.parted', 'customer', 'at', 'amount');
-- a queue, with a trigger that changes what an UPDATE does not name and is
-- restored after ours; and a view, which has no triggers
CREATE TABLE shop.queued (id serial PRIMARY KEY, customer int, at timestamptz, amount numeric, note text);
CREATE INDEX ON shop.queued (customer);
CREATE FUNCTION shop.surprise() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.amount := NEW.amount + 1; RETURN NEW; END';
CREATE TRIGGER zz BEFORE UPDATE ON shop.queued FOR EACH ROW EXECUTE FUNCTION shop.surprise();
SELECT crm.track('shop.queued', 'customer', 'at', 'amount', mode => 'queued');
CREATE VIEW shop.seldom AS SELECT customer, at, amount FROM shop.queued;
SELECT crm.track('shop.seldom', 'customer', 'at', 'amount', mode => 'refresh');
INSERT INTO shop.queued (customer, at, amount) SELECT i, now(), i FROM generate_series(1, 5) i;
SQL

my $wrong = "SELECT * FROM crm.verify('shop.orders') UNION ALL SELECT * FROM crm.verify('shop.parted') UNION ALL SELECT * FROM crm.verify('shop.queued')";
my $write = <<'SQL';
INSERT INTO shop.orders (customer, at, amount) VALUES ('c1', now(), 5), ('fresh', now(), 7);
DELETE FROM shop.orders WHERE customer = 'C2';
UPDATE shop.orders SET amount = amount + 1 WHERE customer = 'C3';
INSERT INTO shop.parted_2 VALUES (1000, 1, '2025-10-10', 3);
UPDATE shop.parted SET at = date '2025-01-01' + (at - date '2025-01-01' + 180) % 360, amount = amount + 1 WHERE id < 20;
INSERT INTO shop.queued (customer, at, amount) SELECT i, now(), i FROM generate_series(1, 5) i;
UPDATE shop.queued SET note = 'seen' WHERE customer IN (2, 3);
SQL
my $state = "SELECT md5(string_agg(s::text, '|' ORDER BY customer)) FROM (SELECT customer, purchases, stage FROM shop.orders_lifecycle UNION ALL SELECT customer::text, purchases, stage FROM shop.parted_lifecycle) s";

sub right_and_alive
{
	my ($server, $db, $name) = @_;
	is($server->safe_psql($db, $wrong), '', "$name: nothing is wrong");
	my $before = $server->safe_psql($db, $state);
	$server->safe_psql($db, $write);
	isnt($server->safe_psql($db, $state), $before, "$name: the triggers fire");
	is($server->safe_psql($db, $wrong), '', "$name: nothing is wrong after writing");
	cmp_ok($server->safe_psql($db, 'SELECT count(*) FROM shop.queued_lifecycle_queue'), '>=', 5, "$name: customers are queued");
	$server->safe_psql($db, 'SELECT crm.advance_stages()');
	is($server->safe_psql($db, 'SELECT count(*) FROM shop.queued_lifecycle_queue'), '0', "$name: the queue is applied");
	is($server->safe_psql($db, $wrong), '', "$name: nothing is wrong after applying");
	$server->safe_psql($db, "SELECT crm.refresh('shop.seldom')");
	is($server->safe_psql($db, "SELECT * FROM crm.verify('shop.seldom')"), '', "$name: nothing is wrong after a refresh without triggers");
}

# a physical standby that follows from here on
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;

# kill -9 in the middle of writing, twice; a prepared transaction survives
for my $crash (1, 2)
{
	my $file = PostgreSQL::Test::Utils::tempdir() . '/write.sql';
	append_to_file($file, "\\set c random(1, 12)\n$_\n") for
		"INSERT INTO shop.orders (customer, at, amount) VALUES ('c' || :c, now(), :c);",
		"UPDATE shop.orders SET customer = 'c' || (1 + :c % 12) WHERE customer = 'c' || :c AND id % 3 = 0;",
		"DELETE FROM shop.orders WHERE customer = 'c' || :c AND id % 7 = 0;",
		"INSERT INTO shop.queued (customer, at, amount) VALUES (:c, now(), :c);",
		"SELECT crm.apply_queue();";
	my $bench = IPC::Run::start([ 'pgbench', '-n', '-c', '4', '-T', '30', '--max-tries', '100', '-f', $file,
			'-h', $node->host, '-p', $node->port, 'postgres' ], '>', \my $out, '2>', \my $err);
	if ($crash == 1)
	{
		$node->psql('postgres', "BEGIN; INSERT INTO shop.orders (customer, at, amount) VALUES ('prepared', now(), 1); PREPARE TRANSACTION 'p';");
	}
	my $last = $node->safe_psql('postgres', 'SELECT last_value FROM shop.orders_id_seq');
	$node->poll_query_until('postgres', "SELECT last_value > $last + 100 FROM shop.orders_id_seq");
	$node->stop('immediate') if $crash == 2;
	$node->kill9 if $crash == 1;
	$bench->kill_kill;
	# the children take a moment to notice that the postmaster is gone
	for (1 .. 60)
	{
		last if $node->start(fail_ok => 1);
		undef $node->{_pid};
		sleep 1;
	}
	is($node->safe_psql('postgres', $wrong), '', "crash $crash: nothing is wrong");
	if ($crash == 1)
	{
		$node->safe_psql('postgres', "COMMIT PREPARED 'p'");
		is($node->safe_psql('postgres', "SELECT stage FROM shop.orders_lifecycle WHERE customer = 'prepared'"), 'new', 'the prepared transaction is there with its stage');
	}
	right_and_alive($node, 'postgres', "crash $crash");
}

# promotion
$node->wait_for_catchup($standby);
my $primary_state = $node->safe_psql('postgres', $state);
is($standby->safe_psql('postgres', $state), $primary_state, 'the standby has the same summary');
is($standby->safe_psql('postgres', $wrong), '', 'verify works on a standby: nothing is wrong');
$standby->promote;
right_and_alive($standby, 'postgres', 'promoted standby');
$standby->stop;

# dump and restore: all at once, in parallel, schema and data apart
my $dir = PostgreSQL::Test::Utils::tempdir();
my @to = ('-h', $node->host, '-p', $node->port);
system_or_bail('pg_dump', @to, '-Fd', '-f', "$dir/dump", 'postgres');
my $made = $node->safe_psql('postgres', $state);
my %restore = (
	all => [[]],
	parallel => [['-j', '4']],
	'schema then data' => [['-s'], ['-a', '--disable-triggers']],
	'by sections' => [['--section=pre-data'], ['--section=data'], ['--section=post-data']],
	clean => [[], ['-c', '--if-exists']]);
for my $how (sort keys %restore)
{
	(my $db = "restored_$how") =~ s/ /_/g;
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	for my $options (@{ $restore{$how} })
	{
		my ($out, $err);
		IPC::Run::run([ 'pg_restore', @to, '-d', $db, @$options, "$dir/dump" ], '>', \$out, '2>', \$err);
		unlike($err, qr/error/, "restored ($how): no error");
	}
	is($node->safe_psql($db, $state), $made, "restored ($how): the same summary");
	right_and_alive($node, $db, "restored ($how)");
}
# plain data restored into a live schema, through the triggers
$node->safe_psql('postgres', 'CREATE DATABASE through');
system_or_bail('pg_restore', @to, '-d', 'through', '-s', "$dir/dump");
IPC::Run::run([ 'pg_restore', @to, '-d', 'through', '-a', '-t', 'orders', '-t', 'orders_id_seq', '-t', 'parted_1', '-t', 'parted_2', "$dir/dump" ], '2>', \my $through);
right_and_alive($node, 'through', 'data through the triggers');

# a logical subscriber: apply fires no statement triggers; refresh does it
$node->safe_psql('postgres', 'CREATE DATABASE subscriber');
system_or_bail('pg_restore', @to, '-d', 'subscriber', '-s', "$dir/dump");
$node->safe_psql('postgres', "CREATE PUBLICATION p FOR TABLE shop.orders; SELECT pg_create_logical_replication_slot('s', 'pgoutput')");
$node->safe_psql('subscriber', "CREATE SUBSCRIPTION s CONNECTION 'host=" . $node->host . " port=" . $node->port . " dbname=postgres' PUBLICATION p WITH (create_slot = false)");
$node->wait_for_subscription_sync($node, 's', 'subscriber') if $node->can('wait_for_subscription_sync');
$node->safe_psql('postgres', $write);
$node->poll_query_until('subscriber', 'SELECT count(*) = ' . $node->safe_psql('postgres', 'SELECT count(*) FROM shop.orders') . ' FROM shop.orders');
isnt($node->safe_psql('subscriber', $wrong), '', 'on a subscriber verify tells what replication brought');
cmp_ok($node->safe_psql('subscriber', "SELECT crm.refresh('shop.orders')"), '>', 0, 'and refresh mends it');
is($node->safe_psql('subscriber', $wrong), '', 'on a subscriber nothing is wrong after refresh');
$node->safe_psql('subscriber', 'DROP SUBSCRIPTION s');
$node->stop;
done_testing();
