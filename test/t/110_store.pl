# A store is dumped and restored with all that is in it; many sessions sell,
# cancel, identify and merge at once, and every sum still agrees.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('store');
$node->init(extra => [ '--locale', 'C', '--encoding', 'UTF8' ]);
$node->append_conf('postgresql.conf', "fsync = off\nclient_min_messages = warning");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE shop');

my $name = q{My "Shop's" Лавка};
my $ident = q{"My ""Shop's"" Лавка"};
my @connect = ('-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('shop'));
$node->command_ok([ 'psql', @connect, '-c', 'CREATE EXTENSION crm', '-v', 'customers=200', '-f', 'seeds/shop.sql' ], 'the sample shop');
my $literal = $name =~ s/'/''/gr;
$node->safe_psql('shop', "SELECT crm.create_store('$literal'), crm.create_store('other', 'USD', 'America/New_York')");
for my $store ($name, 'other')
{
	$node->command_ok([ 'psql', @connect, '-v', "store=$store", '-f', 'seeds/store.sql' ], "loaded into $store");
}
$node->safe_psql('shop', "SELECT $ident.merge_customers(1, 2, 'test'); CREATE TABLE other.notes (id int PRIMARY KEY, customer_id bigint REFERENCES other.customers);
	UPDATE $ident.settings SET allow_oversell = true; SELECT $ident.fit('2026-01-01'), other.fit()");

# What every table and view of a store holds, in a line each.  Of views that
# tell what is late as of now, a test in one second reads the same.
sub contents
{
	my ($db, $ident) = @_;
	my $relations = $node->safe_psql($db, "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relkind IN ('r', 'v') AND relnamespace = \$\$$ident\$\$::regnamespace");
	return join "\n", map {
		"$_ " . $node->safe_psql($db, "SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM $ident.\"$_\" AS t") } split / /, $relations;
}
my %before = map { $_ => contents('shop', $_) } $ident, 'other';
like($before{$ident}, qr/^customer_360 2\d\d/m, 'there is something in it');

my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-d', $node->connstr('shop'), '-f', $dump ], 'dumped');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $dump ], 'restored');
is(contents('restored', $_), $before{$_}, "the same in $_") for $ident, 'other';

# the summary that is tracked came along, and its triggers fire
is($node->safe_psql('restored', "SELECT * FROM crm.verify(\$\$$ident.orders\$\$) UNION ALL SELECT * FROM crm.verify('other.orders')"), '', 'stages are those of the orders');
is($node->safe_psql('restored', "BEGIN; INSERT INTO other.orders (customer_id, channel, currency, items_amount) SELECT min(customer_id), 'direct', 'USD', 5 FROM other.lifecycle WHERE stage = 'lead' RETURNING customer_id \\gset
	SELECT stage FROM other.lifecycle WHERE customer_id = :customer_id; ROLLBACK") =~ s/^(\d+\n)?//r, 'new', 'a lead who orders is new');

# create_store on what was restored: nothing is lost, and it works
$node->safe_psql('restored', "SELECT crm.create_store('$literal'), crm.create_store('other')");
is(contents('restored', $_), $before{$_}, "the same after an upgrade of $_") for $ident, 'other';
is($node->safe_psql('restored', 'SELECT base_currency, time_zone FROM other.settings'), 'USD|America/New_York', 'settings are kept');
$node->safe_psql('restored', "SELECT $ident.undo_merge(1)");
is($node->safe_psql('restored', "SELECT count(*) FROM $ident.customers WHERE merged_into IS NOT NULL"), '0', 'a merge of before the dump is undone');
is($node->safe_psql('restored', "SELECT $ident.identify(system => 'sample', external_id => '2')"), '2', 'and its id is found');
my ($status, $out, $err) = $node->psql('restored', 'DROP EXTENSION crm');
like($err, qr/cannot drop extension crm because other objects depend on it/, 'the extension stays while there is a store');
$node->safe_psql('restored', "DROP SCHEMA $ident, other, sample CASCADE; DROP EXTENSION crm");

# Its owner, who is no superuser, restores his store: he may not create the
# triggers of crm.track, but create_store does
$node->safe_psql('postgres', "CREATE ROLE store_owner LOGIN; CREATE DATABASE theirs; GRANT CREATE ON DATABASE shop, theirs TO store_owner");
$node->safe_psql('theirs', 'CREATE EXTENSION crm');
my @owner = (extra_params => [ '-U', 'store_owner' ]);
$node->safe_psql('shop', <<'SQL', @owner);
SELECT crm.create_store('owned');
INSERT INTO owned.channels VALUES ('web', 'direct');
INSERT INTO owned.customers (customer_id) SELECT generate_series(1, 4);
SELECT owned.set_lifecycle_policy(crm.lifecycle_policy(at_risk_after => '40 days'));
INSERT INTO owned.orders (customer_id, channel, currency, items_amount, ordered_at) SELECT n % 3 + 1, 'web', 'EUR', n, '2025-01-01'::timestamptz + n * interval '35 days' FROM generate_series(1, 9) AS n;
SELECT owned.merge_customers(1, 4);
SQL
my $of_owner = contents('shop', 'owned');
my $history = $node->safe_psql('shop', 'SELECT customer, from_stage, to_stage, at, cause FROM owned.orders_lifecycle_history ORDER BY customer, id');
my $owned = $node->basedir . '/owned.sql';
$node->command_ok([ 'pg_dump', '-U', 'store_owner', '-d', $node->connstr('shop'), '-n', 'owned', '-f', $owned ], 'dumped by its owner');
($status, $out, $err) = $node->psql('theirs', '', @owner, extra_params => [ '-U', 'store_owner', '-f', $owned ], on_error_stop => 0);
is(join("\n", grep { /ERROR/ && !/permission denied for function crm.track_orders/ } split /\n/, $err), '', 'restored by its owner, but for triggers');
$node->safe_psql('theirs', "SELECT crm.create_store('owned')", @owner);
# a column of the log is the number of its row
my $but_numbers = sub { join "\n", grep { !/^orders_lifecycle_history / } split /\n/, $_[0] };
is($but_numbers->(contents('theirs', 'owned')), $but_numbers->($of_owner), 'and the same after create_store');
is($node->safe_psql('theirs', 'SELECT customer, from_stage, to_stage, at, cause FROM owned.orders_lifecycle_history ORDER BY customer, id'), $history, 'with the log of stages');
is($node->safe_psql('theirs', "SELECT * FROM crm.verify('owned.orders')", @owner), '', 'stages are those of the orders');
is($node->safe_psql('theirs', "INSERT INTO owned.orders (customer_id, channel, currency) VALUES (4, 'web', 'EUR'); SELECT stage FROM owned.lifecycle WHERE customer_id = 1", @owner), 'active', 'and go on');
$node->safe_psql('shop', 'DROP SCHEMA owned CASCADE');

# A schema that was renamed is mended by creating it under its new name
$node->safe_psql('shop', "ALTER SCHEMA other RENAME TO renamed; SELECT crm.create_store('renamed')");
is(contents('shop', 'renamed'), $before{other}, 'renamed');
$node->safe_psql('shop', "UPDATE renamed.orders SET status = 'cancelled' WHERE order_id = (SELECT min(order_id) FROM renamed.orders)");

# Many at once
$node->safe_psql('shop', <<'SQL');
SELECT crm.create_store('busy');
INSERT INTO busy.channels VALUES ('web', 'direct');
INSERT INTO busy.locations VALUES ('main');
INSERT INTO busy.products (name) SELECT 'p' || n FROM generate_series(1, 5) AS n;
INSERT INTO busy.stock (product_id, location, on_hand) SELECT n, 'main', 300 FROM generate_series(1, 5) AS n;
SQL
my $script = $node->basedir . '/busy.sql';
open my $fh, '>', $script or die "$script: $!";
print $fh <<'SQL';
\set who random(1, 30)
\set cookie random(1, 20)
\set a random(1, 5)
\set b random(1, 5)
\set n random(1, 3)
\set what random(1, 10)
BEGIN;
SELECT busy.identify(email => 'p' || :who || '@example.com', cookie => 'c' || :cookie) AS customer \gset
\if :what <= 5
INSERT INTO busy.orders (customer_id, channel, currency) VALUES (:customer, 'web', 'EUR') RETURNING order_id \gset
INSERT INTO busy.order_items (order_id, line, product_id, quantity, unit_price, location) VALUES (:order_id, 1, :a, :n, 5, 'main'), (:order_id, 2, :b, 1, 7, 'main');
\elif :what = 6
WITH d AS (DELETE FROM busy.order_items WHERE line = 2 AND order_id = (SELECT max(order_id) - :who FROM busy.orders) RETURNING order_id)
UPDATE busy.orders SET status = CASE status WHEN 'placed' THEN 'shipped' ELSE 'cancelled' END WHERE order_id IN (SELECT order_id FROM d);
\elif :what = 7
UPDATE busy.orders SET status = CASE status WHEN 'placed' THEN 'shipped' WHEN 'shipped' THEN 'cancelled' ELSE 'placed' END
WHERE order_id = (SELECT max(order_id) - :who FROM busy.orders);
\elif :what = 8
DELETE FROM busy.order_items WHERE line = 2 AND order_id = (SELECT max(order_id) - :who FROM busy.orders);
\elif :what = 9
INSERT INTO busy.refunds (order_id, amount) SELECT order_id, 1 FROM busy.orders WHERE amount - refunded_amount >= 1 AND order_id > (SELECT max(order_id) - :who FROM busy.orders) LIMIT 1;
\else
SELECT busy.identify(system => 'web', external_id => 'p' || :who, email => 'p' || :who || '@example.com', verified => true);
\endif
COMMIT;
SQL
close $fh;
# ... and people: each of these a transaction of its own
my $people = $node->basedir . '/people.sql';
open $fh, '>', $people or die "$people: $!";
print $fh <<'SQL';
\set a random(1, 30)
\set b random(1, 30)
\set what random(1, 100)
\if :what <= 25
INSERT INTO busy.touches (visitor_id, customer_id, kind, channel) SELECT 'c' || :b, customer_id, 'view', 'web' FROM busy.customers WHERE customer_id = :a;
\elif :what <= 40
SELECT busy.subscribe(customer_id, 'new_product') FROM busy.customers WHERE customer_id = :a;
\elif :what <= 55
INSERT INTO busy.consents (customer_id, channel, granted) SELECT customer_id, 'email', true FROM busy.customers WHERE customer_id = :a;
\elif :what <= 75
SELECT busy.merge_customers(a.customer_id, b.customer_id) FROM busy.customers AS a, busy.customers AS b
WHERE a.customer_id = :a AND b.customer_id = :b AND a.customer_id <> b.customer_id AND a.merged_into IS NULL AND b.merged_into IS NULL AND a.forgotten_at IS NULL AND b.forgotten_at IS NULL;
\elif :what <= 90
SELECT busy.undo_merge(merge_id) FROM busy.merges AS m JOIN busy.customers AS c ON c.customer_id = m.keep
WHERE undone_at IS NULL AND c.merged_into IS NULL AND c.forgotten_at IS NULL ORDER BY merge_id DESC LIMIT 1;
\elif :what <= 92
SELECT busy.forget_customer(customer_id) FROM busy.customers WHERE customer_id = :a;
\else
INSERT INTO busy.products (name) VALUES ('news');
\endif
SQL
close $fh;
# what is sold out, or was refunded by another meanwhile, is an error that ends
# a transaction, not the run
my @command = ('pgbench', '-n', '-c', '6', '-j', '2', '-t', '150', '-d', $node->connstr('shop'));
for my $run (1 .. 3)
{
	# a client whose statement fails leaves: the next run has all of them again
	run_log([ @command, '-f', $script ], '>', \my $stdout, '2>', \my $stderr);
	unlike($stderr, qr/deadlock|could not serialize|duplicate key/, "run $run: no failure but for lack of stock and money");
	$node->safe_psql('shop', 'UPDATE busy.stock SET on_hand = on_hand + 200');
}
is($node->safe_psql('shop', 'SELECT count(*) FROM (SELECT email FROM busy.customers WHERE merged_into IS NULL GROUP BY email HAVING count(*) > 1) AS d'), '0', 'each person once');
for my $run (1 .. 3)
{
	# two merges are not in one order with whatever else: who is in the way tries again
	run_log([ @command, '--max-tries', '20', '-f', "$script\@3", '-f', "$people\@2" ], '>', \my $stdout, '2>', \my $stderr);
	# meanwhile a customer may have been merged or forgotten, or his merge undone
	is(join("\n", grep { /ERROR/ && !/customer \d+ (was merged into|is merged into|was forgotten)|merge \d+ is undone|not enough of product|orders_refunded_at_most_paid/ } split /\n/, $stderr),
		'', "run $run, with merges: no failure but such as they tell of");
	$node->safe_psql('shop', 'UPDATE busy.stock SET on_hand = on_hand + 200');
}
cmp_ok($node->safe_psql('shop', 'SELECT count(*) FROM busy.orders'), '>', 50, 'orders came');
is($node->safe_psql('shop', <<'SQL'), '', 'stock is what the orders say, and not oversold');
SELECT s.product_id, s.on_hand, s.reserved, h.* FROM busy.stock AS s LEFT JOIN (
	SELECT product_id, coalesce(sum(quantity) FILTER (WHERE status = 'placed' AND shipped_at IS NULL), 0) AS reserved,
		coalesce(sum(quantity) FILTER (WHERE status = 'shipped' OR status = 'placed' AND shipped_at IS NOT NULL), 0) AS gone
	FROM busy.order_items JOIN busy.orders USING (order_id) GROUP BY product_id) AS h USING (product_id)
WHERE s.reserved <> coalesce(h.reserved, 0) OR s.on_hand <> 1500 - coalesce(h.gone, 0) OR s.available < 0
SQL
is($node->safe_psql('shop', <<'SQL'), '0', 'totals are the sums of items and refunds');
SELECT count(*) FROM busy.orders AS o
LEFT JOIN (SELECT order_id, sum(quantity * unit_price) AS amount, sum(quantity) AS units FROM busy.order_items GROUP BY order_id) AS i USING (order_id)
LEFT JOIN (SELECT order_id, sum(amount) AS amount FROM busy.refunds GROUP BY order_id) AS r USING (order_id)
WHERE o.items_amount <> coalesce(i.amount, 0) OR o.units <> coalesce(i.units, 0) OR o.refunded_amount <> coalesce(r.amount, 0) OR o.refunded_amount > o.amount
SQL
is($node->safe_psql('shop', "SELECT * FROM crm.verify('busy.orders')"), '', 'stages are those of the orders');
is($node->safe_psql('shop', 'SELECT count(*) FROM busy.orders WHERE counts <> (status <> \'cancelled\') OR net_base <> amount - refunded_amount OR net_base IS NULL'), '0', 'what orders are worth is kept');
cmp_ok($node->safe_psql('shop', "SELECT count(*) FROM busy.$_"), '>', 0, "there are $_") for 'merges', 'merges WHERE undone_at IS NOT NULL', 'customers WHERE forgotten_at IS NOT NULL', 'outbox';
is($node->safe_psql('shop', "SELECT count(*) FROM busy.$_ JOIN busy.customers USING (customer_id) WHERE merged_into IS NOT NULL"), '0', "$_: nothing is left with an id that was merged")
	for 'orders', 'touches', 'identities', 'consents', 'product_subscriptions', 'outbox';
is($node->safe_psql('shop', "SELECT count(*) FROM busy.$_"), '0', "of who is forgotten: no $_") for
	'customers WHERE forgotten_at IS NOT NULL AND (email IS NOT NULL OR phone IS NOT NULL)', 'identities JOIN busy.customers USING (customer_id) WHERE forgotten_at IS NOT NULL',
	'touches JOIN busy.customers USING (customer_id) WHERE forgotten_at IS NOT NULL AND visitor_id IS NOT NULL',
	"outbox JOIN busy.customers USING (customer_id) WHERE forgotten_at IS NOT NULL AND (status = 'pending' OR address IS NOT NULL)";

$node->stop;
done_testing();
