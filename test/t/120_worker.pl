# The example worker empties an outbox into a service: several at once, one of
# them killed while it sends.  Each message is sent, none is sent by two at once,
# and only the one that the killed worker was sending is sent twice.
use strict;
use warnings;

use IPC::Run qw(start pump finish timeout);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

system('/usr/bin/python3 -c "import psycopg2" 2>/dev/null') == 0
  or plan skip_all => 'python3-psycopg2 is not installed';

my $node = PostgreSQL::Test::Cluster->new('worker');
$node->init(extra => [ '--locale', 'C', '--encoding', 'UTF8' ]);
$node->append_conf('postgresql.conf', "fsync = off\nclient_min_messages = warning");
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION crm;
SELECT crm.create_store('shop');
INSERT INTO shop.customers (customer_id, first_name, last_name, email, created_via)
SELECT n, 'Ana', 'Nº ' || n, CASE n WHEN 7 THEN 'refused' WHEN 8 THEN 'busy' WHEN 9 THEN 'slow' ELSE 'c' || n END || '@example.com', 'lead' FROM generate_series(1, 60) AS n;
INSERT INTO shop.consents (customer_id, channel, granted) SELECT n, 'email', n <= 50 FROM generate_series(1, 60) AS n;
SELECT shop.subscribe(n, 'new_product') FROM generate_series(1, 60) AS n;
SQL

my $sent = $node->basedir . '/sent';
sub wait_for_file
{
	my ($name, $pattern) = @_;
	for (1 .. 1800)
	{
		return 1 if -e $name && slurp_file($name) =~ $pattern;
		select undef, undef, undef, 0.1;
	}
	return 0;
}

my ($out, $err) = ('', '');
my $sink = start([ '/usr/bin/python3', 'test/clients/sink.py', $sent, '0.02' ], '>', \$out, '2>', \$err, timeout(180));
pump $sink until $out =~ /\n/;
my ($port) = $out =~ /(\d+)/;
ok($port, 'the service listens');

# The worker that is to die claims ten, and is killed while it sends them; the
# others have nothing to do until something is added.
my @worker = ('/usr/bin/python3', 'test/clients/worker.py', $node->connstr('postgres'), 'shop', "http://127.0.0.1:$port/v3/mail/send");
my $victim = start([ @worker, '--name', 'victim', '--lease', '3 seconds' ], '>', \my $victim_out, '2>', \my $victim_err, timeout(180));
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'SELECT * FROM "shop"."claim_messages"%'}) or die;
$node->safe_psql('postgres', q{INSERT INTO shop.products (product_id, name, price) VALUES (1, 'tea', 5)});
# it hangs at the ninth, which the service has by then
ok($node->poll_query_until('postgres', q{SELECT count(*) = 7 FROM shop.outbox WHERE customer_id <= 8 AND status IN ('sent', 'dead') AND claimed_by = 'victim'}), 'NOTIFY wakes the worker');
ok(wait_for_file($sent, qr/slow\@example/), 'it is sending');
$victim->kill_kill(grace => 0);
my $in_hand = $node->safe_psql('postgres', q{SELECT count(*) FROM shop.outbox WHERE status = 'pending' AND claimed_by = 'victim'});
cmp_ok($in_hand, '>=', 2, 'killed with messages in its hands');

my @workers = map { my $n = $_; my ($o, $e); start([ @worker, '--poll', '0.2', '--idle', '5', '--name', "worker $n" ], '>', \$o, '2>', \$e, timeout(180)) } 1 .. 3;
$node->poll_query_until('postgres', q{SELECT count(*) = 3 FROM pg_stat_activity WHERE query LIKE 'SELECT * FROM "shop".%'}) or die;
$node->safe_psql('postgres', q{INSERT INTO shop.products (product_id, name, price) SELECT n, 'tea ' || n, 5 FROM generate_series(2, 6) AS n});
is(scalar(grep { !finish $_ } @workers), 0, 'the others find nothing more to do, and end');
$sink->kill_kill(grace => 0);

is($node->safe_psql('postgres', q{SELECT status, count(*), count(DISTINCT (customer_id, product_id)) FROM shop.outbox GROUP BY status ORDER BY status}),
	"dead|6|6\nsent|294|294", 'one message for each who may be written to, on each product: sent, but for what was refused');
is($node->safe_psql('postgres', q{SELECT DISTINCT customer_id, error FROM shop.outbox WHERE status = 'dead' AND attempts <= CASE product_id WHEN 1 THEN 2 ELSE 1 END}), '7|HTTP status 400', 'the refused are not tried again');
is($node->safe_psql('postgres', q{SELECT DISTINCT attempts >= 2 FROM shop.outbox WHERE customer_id = 8 AND product_id > 1}), 't', 'the busy one was tried again');
is($node->safe_psql('postgres', q{SELECT count(*) FROM shop.outbox WHERE status = 'sent' AND provider_id <> 'id-of-shop-' || message_id}), '0', 'the service\'s ids are kept');
is($node->safe_psql('postgres', q{SELECT count(DISTINCT claimed_by) FROM shop.outbox WHERE claimed_by <> 'victim'}), '3', 'all three have worked');

my %times;
open my $file, '<', $sent or die "$sent: $!";
while (<$file>)
{
	/"key": "(shop-\d+)"/ or die $_;
	$times{$1}++;
	is($_ =~ /"dynamic_template_data": \{[^}]*"FNAME": "Ana"/ && /"to": \[\{"name": "Ana N\\u00ba \d+", "email": "[a-z0-9]+\@example.com"\}\]/, 1, 'merge fields') if $. == 1;
}
is(scalar(keys %times), 294, 'the service has them all');
is_deeply([ grep { $times{$_} > 1 } keys %times ], [ 'shop-' . $node->safe_psql('postgres', 'SELECT message_id FROM shop.outbox WHERE product_id = 1 AND customer_id = 9') ],
	'only the one that was being sent when its worker was killed was sent again');

$node->stop;
done_testing();
