# Every view of a store through the drivers of BI tools and applications: JDBC,
# and psycopg2 with SQLAlchemy.  The list of views is the catalogue's.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($jar) = grep { -e $_ } '/usr/share/java/postgresql.jar';
my $has_java = $jar && system('java --version >/dev/null 2>&1') == 0;
my $has_python = system('/usr/bin/python3 -c "import psycopg2, sqlalchemy" 2>/dev/null') == 0;
plan skip_all => 'neither libpostgresql-jdbc-java with java nor python3-psycopg2 with python3-sqlalchemy is installed' unless $has_java || $has_python;

# JDBC knows no sockets of Unix
my $node = PostgreSQL::Test::Cluster->new('clients', own_host => 1);
$node->init(extra => [ '--locale', 'C', '--encoding', 'UTF8' ]);
$node->append_conf('postgresql.conf', "fsync = off\nclient_min_messages = warning\nlisten_addresses = '127.0.0.1'");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE shop');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('shop'), '-c', 'CREATE EXTENSION crm', '-v', 'customers=150', '-f', 'seeds/shop.sql' ], 'the sample shop');
my $store = 'my shop_1';
$node->safe_psql('shop', "SELECT crm.create_store('$store')");
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('shop'), '-v', "store=$store", '-f', 'seeds/store.sql' ], 'in a store');
# of the tables that the sample leaves empty: something in every view
$node->safe_psql('shop', qq{SET search_path = "$store";
	SELECT subscribe(1, 'price_drop', product_id => 1);
	INSERT INTO consents (customer_id, channel, granted) VALUES (1, 'email', true);
	UPDATE products SET price = price / 2 WHERE product_id = 1;
	SELECT acknowledge(message_id), record_event(message_id, 'opened') FROM claim_messages(1);});
my $views = $node->safe_psql('shop', "SELECT count(*) FROM pg_class WHERE relkind IN ('v', 'm') AND relnamespace = '\"$store\"'::regnamespace");
my $port = $node->port;

sub reads_all
{
	my ($what, @command) = @_;
	my ($out, $err);
	my $result = run_log(\@command, '>', \$out, '2>', \$err);
	ok($result, "$what: types are their own, filters with parameters find") or diag $out, $err;
	like($out, qr/^$views views$/m, "$what: every view");
	like($out, qr/^customer_360: \d+ columns, rows$/m, "$what: with rows");
}

SKIP:
{
	skip 'libpostgresql-jdbc-java, or java, is not installed', 3 unless $has_java;
	reads_all('JDBC', 'java', '-Xmx256m', '-cp', $jar, 'test/clients/Views.java', "jdbc:postgresql://127.0.0.1:$port/shop?user=" . ($ENV{PGUSER} // 'postgres'), $store);
}
SKIP:
{
	skip 'python3-psycopg2 or python3-sqlalchemy is not installed', 3 unless $has_python;
	reads_all('SQLAlchemy', '/usr/bin/python3', 'test/clients/views.py', "postgresql+psycopg2://" . ($ENV{PGUSER} // 'postgres') . "\@127.0.0.1:$port/shop", $store);
}
diag('JDBC was left out: libpostgresql-jdbc-java, or java, is not installed') unless $has_java;
diag('SQLAlchemy was left out: python3-psycopg2 or python3-sqlalchemy is not installed') unless $has_python;

$node->stop;
done_testing();
