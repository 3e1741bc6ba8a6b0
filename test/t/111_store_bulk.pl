# What a statement of many rows makes the store's triggers do is in proportion to
# them: whether the tables are new and were never analyzed, and whether the plans
# that the session keeps were made for one row.
#
# auto_explain tells of each statement in a trigger how many rows each part of
# its plan has looked at.  A part that reads all rows again for each row has
# looked at their square.
use strict;
use warnings;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = 300;
my $most = 30 * $rows;

my $node = PostgreSQL::Test::Cluster->new('bulk');
$node->init(extra => [ '--locale', 'C', '--encoding', 'UTF8' ]);
$node->append_conf('postgresql.conf', "fsync = off\nautovacuum = off\nclient_min_messages = warning\nmax_parallel_workers_per_gather = 0\njit = off");
$node->start;
plan skip_all => 'auto_explain is not installed' if ($node->psql('postgres', 'LOAD $$auto_explain$$'))[0] != 0;
$node->safe_psql('postgres', "CREATE EXTENSION crm");

my $explain = "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on; SET auto_explain.log_analyze = on;
	SET auto_explain.log_timing = off; SET auto_explain.log_format = json; SET auto_explain.log_level = notice; SET client_min_messages = notice;\n";

# parts of a plan that have looked at more rows than they may, as text
sub too_much
{
	my ($node, $context) = @_;
	my @found;
	# a part's own rows, those it passed over, and those that it joined and threw away
	my $seen = ($node->{'Actual Loops'} // 0) * (($node->{'Actual Rows'} // 0) + ($node->{'Rows Removed by Filter'} // 0) + ($node->{'Rows Removed by Join Filter'} // 0)
		+ ($node->{'Rows Removed by Index Recheck'} // 0));
	# an array that a plan gets is gone through for each of them
	$seen *= $rows if ($node->{Filter} // '') =~ /\bANY \(\$\d/;
	push @found, join(' ', grep { defined } $node->{'Node Type'}, $node->{'Relation Name'} // $node->{'Tuplestore Name'}, "$seen rows, loops $node->{'Actual Loops'}:", $context) if $seen > $most;
	push @found, too_much($_, $context) for @{ $node->{Plans} // [] };
	return @found;
}

# runs a statement, and looks at the plans of all that it calls
my $statements = 0;
sub in_proportion
{
	my ($what, $sql) = @_;
	my ($stdout, $stderr);
	my $ok = $node->psql('postgres', $explain . $sql, stdout => \$stdout, stderr => \$stderr, on_error_stop => 1) == 0;
	my @found;
	while ($stderr =~ /duration: [0-9.]+ ms  plan:\n(\{.*?^\})/msg)
	{
		my $json = $1;
		# of foreign keys, one for each row
		next if $json =~ /"Query Text": "SELECT 1 FROM ONLY /;
		my $told = decode_json($json);
		my $text = $told->{'Query Text'} =~ s/\s+/ /gr;
		push @found, too_much($told->{Plan}, $text);
		$statements++;
	}
	ok($ok, $what) or diag $stderr =~ /(ERROR:.*)/s;
	is(join("\n", @found), '', "$what: in proportion to the rows");
}

# each table's rows, from the n of generate_series
my @inserts = (
	[ customers => '(customer_id, first_name, email, country)', q{n, 'Zoë', format('c%s@example.com', n)::crm.email, 'DE'} ],
	[ identities => '(customer_id, kind, value)', q{n, 'cookie', 'k' || n} ],
	[ consents => '(customer_id, channel, purpose, granted, basis, source)', q{n, 'email', 'marketing', true, 'consent', 'form'} ],
	[ products => '(product_id, sku, name, category, price, active)', q{n, 'P' || n, 'Product ' || n, 'c' || n % 10, 5, true} ],
	[ stock => '(product_id, location, on_hand)', q{n, 'main', 0} ],
	[ product_subscriptions => '(customer_id, kind, product_id)', q{n, 'back_in_stock', n} ],
	[ touches => '(visitor_id, customer_id, touched_at, kind, channel)', q{'a' || n, n, timestamptz '2026-01-01Z' + n * interval '1 minute', 'visit', 'direct'} ],
	[ touches => '(visitor_id, touched_at, kind, channel)', q{'a' || n, timestamptz '2026-01-02Z' + n * interval '1 minute', 'view', 'direct'} ],
	[ touches => '(visitor_id, touched_at, kind, channel)', q{'u' || n, timestamptz '2026-01-02Z' + n * interval '1 minute', 'view', 'direct'} ],
	[ orders => '(order_id, customer_id, ordered_at, channel, currency, items_amount, visitor_id)', q{n, n, timestamptz '2026-02-01Z' + n * interval '1 minute', 'direct', 'EUR', 0, 'b' || n} ],
	[ orders => '(order_id, ordered_at, channel, currency, items_amount, visitor_id)', q{10000 + n, timestamptz '2026-02-01Z' + n * interval '1 minute', 'direct', 'EUR', 10, 'u' || n} ],
	[ order_items => '(order_id, line, product_id, quantity, unit_price)', q{n, 1, n, 2, 5} ],
	[ refunds => '(order_id, line, refunded_at, amount)', q{n, 1, timestamptz '2026-03-01Z', 1} ]);
my @updates = (
	[ 'addresses', q{UPDATE customers SET email = ('d' || customer_id || '@example.com')::crm.email WHERE customer_id BETWEEN :first AND :last} ],
	[ 'verified', q{UPDATE customers SET email_verified_at = now() WHERE customer_id BETWEEN :first AND :last} ],
	[ 'stock', q{UPDATE stock SET on_hand = 1000 WHERE product_id BETWEEN :first AND :last} ],
	[ 'prices', q{UPDATE products SET price = price - 1 WHERE product_id BETWEEN :first AND :last} ],
	[ 'quantities', q{UPDATE order_items SET quantity = 3 WHERE order_id BETWEEN :first AND :last} ],
	[ 'shipped', q{UPDATE orders SET status = 'shipped' WHERE order_id BETWEEN :first AND :last} ],
	[ 'discounts', q{UPDATE orders SET discount = 1 WHERE order_id BETWEEN :first AND :last} ],
	[ 'another customer', q{UPDATE orders SET customer_id = customer_id + (order_id < :last)::integer WHERE order_id BETWEEN :first AND :last} ],
	[ 'cancelled', q{UPDATE orders SET status = 'cancelled' WHERE order_id BETWEEN :first AND :last} ],
	[ 'refunds taken back', q{DELETE FROM refunds WHERE order_id BETWEEN :first AND :last} ],
	[ 'items deleted', q{DELETE FROM order_items WHERE order_id BETWEEN :first AND :last} ],
	[ 'orders deleted', q{DELETE FROM orders WHERE order_id BETWEEN :first AND :last} ]);

# an update of the rows from one to another
sub of
{
	my ($update, $from, $to) = @_;
	return $update =~ s{:first}{$from}gr =~ s{:last}{$to}gr;
}

# New tables, of which the planner knows nothing; then analyzed ones that have
# rows; each with plans of its own, and with those that a session keeps after
# some statements of one row.  Every fifth customer is merged into another, every
# seventh forgotten.
my $first = 1;
for my $state ('new', 'new, after one row', 'analyzed', 'analyzed, after one row')
{
	my $store = $state =~ /after/ ? 'after' : 'bulk';
	my ($last, $settings) = ($first + $rows - 1, "SET search_path = $store, crm, public;\n");
	my @ones = $state =~ /after/ ? ($last + 1 .. $last + 6) : ();
	if ($state =~ /^new/)
	{
		$node->safe_psql('postgres', "SELECT crm.create_store('$store'); SET search_path = $store; INSERT INTO channels VALUES ('direct', 'direct');
			INSERT INTO locations VALUES ('main', 'main'); UPDATE settings SET allow_oversell = true");
	}
	else
	{
		$node->safe_psql('postgres', 'ANALYZE');
	}
	for (@inserts)
	{
		my ($table, $columns, $values) = @$_;
		my $sql = "INSERT INTO $table $columns SELECT $values FROM generate_series(:first, :last) AS n";
		in_proportion("$state: $table", join(";\n", $settings, (map { of($sql, $_, $_) } @ones), of($sql, $first, $last)));
		$node->safe_psql('postgres', "$settings SET session_replication_role = replica; UPDATE customers SET merged_into = customer_id - 1 WHERE customer_id % 5 = 2 AND merged_into IS NULL;
			UPDATE customers SET forgotten_at = now() WHERE customer_id % 7 = 0 AND forgotten_at IS NULL") if $table eq 'customers';
	}
	for (@updates)
	{
		my ($what, $sql) = @$_;
		in_proportion("$state: $what", join(";\n", $settings, (map { of($sql, $_, $_) } @ones), of($sql, $first, $last)));
	}
	$first = $last + 100;
}
cmp_ok($statements, '>', 500, 'plans were looked at');
done_testing();
