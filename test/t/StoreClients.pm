# A store with something in every view, and a client that is to read them all:
# used by the tests of JDBC and of SQLAlchemy.
package StoreClients;
use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(reads_all);

# The command is given the address of the database, made by the function from
# host and port, and the name of the store.  The list of views is the catalogue's.
sub reads_all
{
	my ($address, @command) = @_;

	# JDBC knows no sockets of Unix
	my $node = PostgreSQL::Test::Cluster->new('clients', own_host => 1);
	$node->init(extra => [ '--locale', 'C', '--encoding', 'UTF8' ]);
	$node->append_conf('postgresql.conf', "fsync = off\nclient_min_messages = warning\nlisten_addresses = '127.0.0.1'");
	$node->start;
	$node->safe_psql('postgres', 'CREATE DATABASE shop');
	my @psql = ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('shop'));
	$node->command_ok([ @psql, '-c', 'CREATE EXTENSION crm', '-v', 'customers=150', '-f', 'seeds/shop.sql' ], 'the sample shop');
	my $store = 'my shop_1';
	$node->safe_psql('shop', "SELECT crm.create_store('$store')");
	$node->command_ok([ @psql, '-v', "store=$store", '-f', 'seeds/store.sql' ], 'in a store');
	# of the tables that the sample leaves empty
	$node->safe_psql('shop', qq{SET search_path = "$store";
		SELECT subscribe(1, 'price_drop', product_id => 1);
		INSERT INTO consents (customer_id, channel, granted) VALUES (1, 'email', true);
		UPDATE products SET price = price / 2 WHERE product_id = 1;
		SELECT acknowledge(message_id), record_event(message_id, 'opened') FROM claim_messages(1);});
	my $views = $node->safe_psql('shop', "SELECT count(*) FROM pg_class WHERE relkind IN ('v', 'm') AND relnamespace = '\"$store\"'::regnamespace");

	my ($out, $err);
	my $result = run_log([ @command, $address->('127.0.0.1:' . $node->port, $ENV{PGUSER} // 'postgres'), $store ], '>', \$out, '2>', \$err);
	ok($result, 'types are their own, filters with parameters find') or diag $out, $err;
	like($out, qr/^$views views$/m, 'every view');
	like($out, qr/^customer_360: \d+ columns, rows$/m, 'with rows');
	$node->stop;
}

1;
