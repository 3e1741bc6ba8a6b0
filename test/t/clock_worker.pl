# The clock as a background worker: time passes in every database without
# anybody calling, and nobody has to wait for it.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', <<'CONF');
shared_preload_libraries = 'crm'
crm.clock_naptime = 1
autovacuum = off
restart_after_crash = on
CONF
$node->start;

my $launcher = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'crm clock launcher'";
my $one_launcher = "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'crm clock launcher'";
# one second after his last order a customer is at risk, after two he is lost
my $policy = "crm.lifecycle_policy('1 second', '2 seconds', 5, personal => false)";
my $order = 0;

sub make_shop
{
	my ($database) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, <<SQL);
CREATE EXTENSION crm;
CREATE TABLE orders (customer int, at timestamptz, amount int);
CREATE INDEX ON orders (customer);
SELECT crm.track('orders', 'customer', 'at', 'amount', policy => $policy);
SQL
}

# SQL that belongs into the transaction of customers' first orders: they are new
# at its end, however long the machine has taken to write them.
sub as_new
{
	my ($summary, $condition) = @_;
	return <<SQL;
UPDATE $summary SET stage = 'new', stage_since = crm.first_order(purchases), stage_until = crm.stage_until(purchases, $policy), check_at = crm.stage_until(purchases, $policy)
	WHERE stage <> 'new' AND $condition;
UPDATE ${summary}_history SET to_stage = 'new', at = (SELECT s.stage_since FROM $summary AS s WHERE s.customer = ${summary}_history.customer)
	WHERE to_stage <> 'new' AND $condition;
SQL
}

# A new customer's order; he is lost without anybody doing anything.
sub buy
{
	my ($server, $database) = @_;
	$order++;
	$server->safe_psql($database, "BEGIN; INSERT INTO orders VALUES ($order, clock_timestamp(), 1); " . as_new('orders_lifecycle', "customer = $order") . 'COMMIT');
	return $order;
}

sub is_lost
{
	my ($server, $database, $customer, $name) = @_;
	ok($server->poll_query_until($database, "SELECT stage = 'lost' FROM orders_lifecycle WHERE customer = $customer"), $name);
	is($server->safe_psql($database, "SELECT string_agg(to_stage || ' ' || cause, ', ' ORDER BY id) FROM orders_lifecycle_history WHERE customer = $customer"),
		'new order, at_risk time, lost time', "$name: by time, stage after stage");
}

# Two databases with tracked tables, one without crm, one that nobody may enter.
make_shop($_) for qw(shop1 shop2);
$node->safe_psql('postgres', 'CREATE DATABASE other; CREATE DATABASE closed ALLOW_CONNECTIONS false');
my %customer = map { $_ => buy($node, $_) } qw(shop1 shop2);
is_lost($node, $_, $customer{$_}, $_) for qw(shop1 shop2);
is($node->safe_psql('shop1', "SELECT count(*) FROM crm.verify('orders')"), '0', 'nothing is wrong');
is($node->safe_psql('postgres', "SELECT datid, application_name FROM pg_stat_activity WHERE backend_type = 'crm clock launcher'"),
	'|crm clock launcher', 'the launcher is connected to no database');
# It applies what is queued, past an error of one of the customers.
$node->safe_psql('shop2', <<'SQL');
CREATE TABLE web (customer int, at timestamptz, amount int);
CREATE INDEX ON web (customer);
SELECT crm.track('web', 'customer', 'at', '1 / amount', mode => 'queued');
INSERT INTO web VALUES (1, now(), 1), (2, now(), 0), (3, now(), 1);
SQL
ok($node->poll_query_until('shop2', 'SELECT count(*) = 0 FROM web_lifecycle_queue'), 'the queue is applied');
is($node->safe_psql('shop2', "SELECT string_agg(customer || ' ' || stage, ', ' ORDER BY customer) FROM web_lifecycle"), '1 new, 3 new', 'queued customers have a stage');
is($node->safe_psql('shop2', 'SELECT customer, sqlstate FROM web_lifecycle_errors'), '2|22012', 'the error is logged');
is($node->safe_psql('other', "SELECT count(*) FROM pg_namespace WHERE nspname = 'crm'"), '0', 'a database without crm is left alone');

# A customer for whom a trigger raises an error is reported; the others of the
# table go on.
$node->safe_psql('shop1', <<SQL . as_new('partly_lifecycle', 'true') . <<'SQL');
BEGIN;
CREATE TABLE partly (customer int PRIMARY KEY, at timestamptz, amount int);
SELECT crm.track('partly', 'customer', 'at', 'amount', policy => $policy);
INSERT INTO partly SELECT i, now(), 1 FROM generate_series(1, 10) i;
SQL
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''not this one''; END';
CREATE TRIGGER refuse BEFORE UPDATE ON partly_lifecycle FOR EACH ROW WHEN (OLD.customer = 7) EXECUTE FUNCTION refuse();
COMMIT;
SQL
ok($node->poll_query_until('shop1', "SELECT count(*) = 9 FROM partly_lifecycle WHERE stage = 'lost'"), 'the others are moved');
$node->wait_for_log(qr/WARNING: .* could not move a customer of public\.partly\n.*customer 7: not this one/);
is($node->safe_psql('shop1', "SELECT count(*) > 0 FROM crm.clock_errors() WHERE orders = 'public.partly' AND sqlstate = 'P0001' AND message = 'customer 7: not this one'"), 't', 'and is in the list of errors');
$node->safe_psql('shop1', 'DROP TRIGGER refuse ON partly_lifecycle');
ok($node->poll_query_until('shop1', "SELECT count(*) = 10 FROM partly_lifecycle WHERE stage = 'lost'"), 'mended, he is moved');
$node->safe_psql('shop1', "SELECT crm.untrack('partly')");

# More of them than are looked at in a transaction, who are due before all others:
# rows that a trigger keeps, and such as it raises an error for.
$node->safe_psql('shop1', <<SQL . as_new('stuck_lifecycle', 'true') . <<'SQL');
BEGIN;
CREATE TABLE stuck (customer int PRIMARY KEY, at timestamptz, amount int);
SELECT crm.track('stuck', 'customer', 'at', 'amount', policy => $policy);
INSERT INTO stuck SELECT i, now() - interval '1 s' + i * interval '1 microsecond', 1 FROM generate_series(1, 12500) i;
SQL
CREATE FUNCTION stick() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
	IF NEW.customer > 12000 THEN RETURN NEW; END IF;
	IF NEW.customer <= 1000 THEN RAISE ''not these''; END IF;
	RETURN CASE WHEN NEW.customer % 2 = 0 THEN OLD END; END';
CREATE TRIGGER stick BEFORE UPDATE ON stuck_lifecycle FOR EACH ROW EXECUTE FUNCTION stick();
COMMIT;
SQL
ok($node->poll_query_until('shop1', "SELECT count(*) = 500 FROM stuck_lifecycle WHERE stage = 'lost'"), 'those who are due after them are moved');
is($node->safe_psql('shop1', "SELECT min(customer) FROM stuck_lifecycle_history WHERE to_stage = 'lost'"), '12001', 'and only these');
is_lost($node, 'shop2', buy($node, 'shop2'), 'the round has an end');
$node->safe_psql('shop1', "DROP TRIGGER stick ON stuck_lifecycle; DROP FUNCTION stick");
ok($node->poll_query_until('shop1', "SELECT count(*) = 12500 FROM stuck_lifecycle WHERE stage = 'lost'"), 'mended, they all are');
$node->safe_psql('shop1', "SELECT crm.untrack('stuck')");

# It works as the owner of the orders.  A table that fails, or whose owner tries
# to have something done as superuser at the commit, is reported; the others go on.
$node->safe_psql('shop1', <<SQL);
CREATE ROLE shopkeeper;
GRANT USAGE ON SCHEMA crm TO shopkeeper;
CREATE SCHEMA mine AUTHORIZATION shopkeeper;
SET ROLE shopkeeper;
CREATE TABLE mine.broken (customer int PRIMARY KEY, at timestamptz, amount int);
CREATE TABLE mine.sly (LIKE mine.broken INCLUDING ALL);
CREATE TABLE mine.good (LIKE mine.broken INCLUDING ALL);
SELECT crm.track(t::regclass, 'customer', 'at', 'amount', policy => $policy) FROM unnest(ARRAY['mine.broken', 'mine.sly', 'mine.good']) t;
CREATE TABLE mine.workers (orders text, who text);
CREATE FUNCTION mine.fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''out of order''; END';
CREATE FUNCTION mine.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO mine.workers VALUES (TG_TABLE_NAME, current_user); RETURN NEW; END';
BEGIN;
INSERT INTO mine.broken VALUES (1, now(), 1);
INSERT INTO mine.sly VALUES (1, now(), 1);
INSERT INTO mine.good VALUES (1, now(), 1);
@{[map { as_new("mine.${_}_lifecycle", 'true') } qw(broken sly good)]}
CREATE TRIGGER fail BEFORE UPDATE ON mine.broken_lifecycle FOR EACH ROW EXECUTE FUNCTION mine.fail();
CREATE TRIGGER note BEFORE UPDATE ON mine.good_lifecycle FOR EACH ROW EXECUTE FUNCTION mine.note();
CREATE CONSTRAINT TRIGGER note AFTER UPDATE ON mine.sly_lifecycle DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mine.note();
COMMIT;
SQL
ok($node->poll_query_until('shop1', "SELECT stage = 'lost' FROM mine.good_lifecycle"), 'a table after a broken one is done');
$node->wait_for_log(qr/ERROR: .* out of order\n(.*\n)*?.*crm clock moving customers of mine\.broken/);
$node->wait_for_log(qr/cannot fire deferred trigger .*\n.*crm clock moving customers of mine\.sly/);
ok(1, 'both are reported');
is($node->safe_psql('shop1', 'SELECT stage FROM mine.broken_lifecycle'), 'new', 'what is broken stays');
is($node->safe_psql('shop1', "SELECT DISTINCT who FROM mine.workers"), 'shopkeeper', 'whatever runs, runs as the owner');
$node->safe_psql('shop1', 'DROP TRIGGER fail ON mine.broken_lifecycle');
ok($node->poll_query_until('shop1', "SELECT stage = 'lost' FROM mine.broken_lifecycle"), 'mended, it is done');
$node->safe_psql('shop1', 'DROP SCHEMA mine CASCADE');

# Somebody who alters a table for long holds up that one only.
my $altering = $node->background_psql('shop1');
$altering->query_safe('BEGIN; LOCK TABLE orders');
$customer{shop2} = buy($node, 'shop2');
is_lost($node, 'shop2', $customer{shop2}, 'while a table of another database is locked');
$altering->quit;

# DROP DATABASE and CREATE DATABASE ... TEMPLATE, again and again
for my $n (1 .. 4)
{
	$node->safe_psql('postgres', "CREATE DATABASE copy TEMPLATE shop2");
	my $copied = buy($node, 'copy');
	is_lost($node, 'copy', $copied, "copy $n") if $n == 1;
	$node->safe_psql('postgres', "DROP DATABASE copy");
}
ok(1, 'databases are copied and dropped while the clock runs');

# ... even of a database where a batch takes longer than they wait for a session
make_shop('slow');
$node->safe_psql('slow', <<'SQL' . as_new('orders_lifecycle', 'true') . <<'SQL');
CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(7); RETURN NEW; END';
ALTER TABLE orders_lifecycle DISABLE TRIGGER USER;
BEGIN;
INSERT INTO orders SELECT i, clock_timestamp(), 1 FROM generate_series(1, 10500) i;
SQL
CREATE TRIGGER sleep BEFORE UPDATE ON orders_lifecycle FOR EACH ROW WHEN (OLD.customer = 1) EXECUTE FUNCTION sleep();
COMMIT;
SQL
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'crm clock' AND datname = 'slow' AND wait_event = 'PgSleep'"), 'a worker is at work');
like($node->safe_psql('postgres', "SELECT query FROM pg_stat_activity WHERE backend_type = 'crm clock'"), qr/^(crm clock: public\.orders)?$/, 'and tells at what');
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE slow');
$node->safe_psql('postgres', 'DROP DATABASE slow');
ok(1, 'copied and dropped while a batch was being written');
ok($node->poll_query_until('copy', "SELECT count(*) = 10500 FROM orders_lifecycle WHERE stage = 'lost'"), 'the copy has a clock too');
is($node->safe_psql('copy', "SELECT count(*) FROM crm.verify('orders')"), '0', 'nothing is wrong in the copy');
$node->safe_psql('postgres', 'DROP DATABASE copy');

# Off for one database.  That what is bought later is lost in shop1, twice, tells
# that the launcher has been round.
$node->safe_psql('postgres', 'ALTER DATABASE shop2 SET crm.clock = off');
$customer{shop2} = buy($node, 'shop2');
is_lost($node, 'shop1', buy($node, 'shop1'), "another database's clock is off ($_)") for 1, 2;
is($node->safe_psql('shop2', "SELECT stage FROM orders_lifecycle WHERE customer = $customer{shop2}"), 'new', 'no clock where it is off');
$node->safe_psql('postgres', 'ALTER DATABASE shop2 RESET crm.clock');
is_lost($node, 'shop2', $customer{shop2}, 'on again');

# Settings of a database, or of the superuser's in it, that are meant for clients.
my @meant = ("statement_timeout = '1ms'", "idle_in_transaction_session_timeout = '1ms'", "lock_timeout = '1ms'",
	"default_transaction_isolation = serializable", "search_path = nowhere", "datestyle = 'German'", "role = nobody");
push @meant, "transaction_timeout = '1ms'" if $node->safe_psql('postgres', "SELECT count(*) FROM pg_settings WHERE name = 'transaction_timeout'");
$node->safe_psql('postgres', 'CREATE ROLE nobody');
$node->safe_psql('postgres', "ALTER DATABASE shop2 SET $_") for @meant;
$node->safe_psql('postgres', "ALTER ROLE CURRENT_USER IN DATABASE shop2 SET $_") for @meant;
{
	local $ENV{PGOPTIONS} = '-c role=none -c statement_timeout=0 -c search_path=public -c datestyle=ISO -c idle_in_transaction_session_timeout=0 -c lock_timeout=0'
		. (@meant > 7 ? ' -c transaction_timeout=0' : '');
	is_lost($node, 'shop2', buy($node, 'shop2'), 'in a database with settings for clients');
}
$node->safe_psql('postgres', 'ALTER DATABASE shop2 RESET ALL; ALTER ROLE CURRENT_USER IN DATABASE shop2 RESET ALL; DROP ROLE nobody');

# A database that may not be written to is not.
$node->safe_psql('postgres', 'ALTER DATABASE shop2 SET default_transaction_read_only = on');
is_lost($node, 'shop1', buy($node, 'shop1'), 'another database is read-only');
$node->safe_psql('postgres', 'ALTER DATABASE shop2 RESET default_transaction_read_only');
unlike(slurp_file($node->logfile), qr/read-only transaction/, 'a read-only database is no error');

# It comes back: restarted, terminated, killed.
$node->restart;
is_lost($node, 'shop1', buy($node, 'shop1'), 'after a restart');
for my $how ('TERM', 'KILL')
{
	$node->poll_query_until('postgres', $one_launcher);
	my $pid = $node->safe_psql('postgres', $launcher);
	kill $how, $pid;
	ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'crm clock launcher' AND pid <> $pid"), "after SIG$how there is a new launcher");
}
is_lost($node, 'shop2', buy($node, 'shop2'), 'and it works');

# No process to spare: told once, and tried again.
$node->append_conf('postgresql.conf', "max_worker_processes = 2\n");
$node->restart;
$node->wait_for_log(qr/crm clock could not start a background worker/);
$customer{shop1} = buy($node, 'shop1');
sleep 3;
my @told = slurp_file($node->logfile) =~ /crm clock could not start a background worker/g;
is(scalar(@told), 1, 'no worker to be had is told once');
$node->append_conf('postgresql.conf', "max_worker_processes = 8\n");
$node->restart;
is_lost($node, 'shop1', $customer{shop1}, 'with more workers');

# A shorter nap wakes it.
$node->append_conf('postgresql.conf', "crm.clock_naptime = '1 d'\n");
$node->restart;
$customer{shop1} = buy($node, 'shop1');
$node->append_conf('postgresql.conf', "crm.clock_naptime = 1\n");
$node->reload;
is_lost($node, 'shop1', $customer{shop1}, 'after a reload');

# A standby has no clock until it is promoted.
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
is_lost($node, 'shop1', buy($node, 'shop1'), 'primary with a standby');
$node->wait_for_catchup($standby);
is($standby->safe_psql('shop1', "SELECT stage FROM orders_lifecycle WHERE customer = $order"), 'lost', 'the standby follows');
is($standby->safe_psql('postgres', $launcher), '', 'without a clock');
$node->safe_psql('postgres', "ALTER SYSTEM SET crm.clock = off");
$node->restart;
$customer{shop2} = buy($node, 'shop2');
$node->wait_for_catchup($standby);
$node->stop;
$standby->promote;
is_lost($standby, 'shop2', $customer{shop2}, 'promoted');
is_lost($standby, 'shop2', buy($standby, 'shop2'), 'bought after that');

# Not preloaded there is no process; the settings are known all the same.
$standby->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
$standby->restart;
is($standby->safe_psql('postgres', "LOAD 'crm'; SHOW crm.clock_naptime; SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ 'crm'"),
	"1s\n0", 'not preloaded');
my (undef, undef, $error) = $standby->psql('postgres', "LOAD 'crm'; SET crm.clok = off");
like($error, qr/invalid configuration parameter name "crm\.clok"/, 'a misspelt setting is refused');
$standby->stop;

unlike(slurp_file($_->logfile), qr/PANIC|TRAP|signal 11|signal 6/, 'no crash') for $node, $standby;
unlike(slurp_file($_->logfile), qr/accessed by other users/, 'nobody was held up') for $node, $standby;
done_testing();
