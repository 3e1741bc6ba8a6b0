# Tracked tables in a dump that PostgreSQL 15 wrote, restored in this server:
# nothing is wrong, and the triggers fire.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('newer');
$node->init(extra => [ '--locale', 'C', '--encoding', 'UTF8' ]);
$node->start;
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', 'test/old/track-15.sql' ], 'restored');

sub wrong
{
	return $node->safe_psql('postgres', "SELECT t, v FROM unnest('{orders,parted,web}'::regclass[]) t, crm.verify(t) v");
}
my $summary = "SELECT string_agg(format('%s %s %s', customer, crm.order_count(purchases), crm.revenue(purchases)), ', ' ORDER BY customer COLLATE \"C\") FROM";

is(wrong(), '', 'nothing is wrong');
is($node->safe_psql('postgres', "$summary (SELECT customer::text, purchases FROM orders_lifecycle) s"),
	$node->safe_psql('postgres', "$summary (SELECT customer::text, crm.purchases(at, amount) AS purchases FROM orders WHERE status = 'paid' GROUP BY 1) s"),
	'the summary is that of the orders');
is($node->safe_psql('postgres', 'SELECT count(*) FROM web_lifecycle_queue'), '7', 'what was queued still is');
$node->safe_psql('postgres', <<'SQL');
INSERT INTO orders VALUES (100, 1, '2025-02-01 00:00Z', 10, 'paid');
UPDATE orders SET status = 'paid' WHERE id = 4;
DELETE FROM orders WHERE id = 5;
INSERT INTO parted_1 VALUES (100, 'a1', '2025-02-01 00:00Z', 10);
UPDATE parted SET at = at + interval '200 days' WHERE id < 10;
ALTER TABLE parted DETACH PARTITION parted_2;
INSERT INTO web VALUES (100, 50, '2025-02-01 00:00Z', 10, 'paid');
SQL
is($node->safe_psql('postgres', 'SELECT count(*) FROM web_lifecycle_queue'), '8', 'writers queue');
is($node->safe_psql('postgres', 'SELECT crm.apply_queue()'), '8', 'and the queue is applied');
is(wrong(), '', 'nothing is wrong after that');
is($node->safe_psql('postgres', "$summary (SELECT customer::text, purchases FROM orders_lifecycle) s"),
	$node->safe_psql('postgres', "$summary (SELECT customer::text, crm.purchases(at, amount) AS purchases FROM orders WHERE status = 'paid' GROUP BY 1) s"),
	'the triggers have fired');
is($node->safe_psql('postgres', "SELECT severity, finding FROM crm.doctor() WHERE severity = 'error'"), '', 'the doctor finds no error');
$node->stop;
done_testing();
