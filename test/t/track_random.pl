# Thousands of random statements of every kind, by eight sessions at once, in
# every isolation level, with rollbacks and savepoints: whoever looks, at any
# time, finds no difference between the summary and the orders.
#
# CRM_RANDOM_ROUNDS and CRM_RANDOM_SEED make it longer and other; CRM_RANDOM_MODE
# is the mode of tracking (see track_random_queued.pl).
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rounds = $ENV{CRM_RANDOM_ROUNDS} || 1;
my $seed = $ENV{CRM_RANDOM_SEED} || 20250601;
my $mode = $ENV{CRM_RANDOM_MODE} || 'immediate';

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
fsync = off
max_connections = 30
deadlock_timeout = 50ms
log_min_messages = fatal
log_statement = none
timezone = 'UTC'
CONF
$node->start;

my $file = PostgreSQL::Test::Utils::tempdir() . '/orders.csv';
open my $csv, '>', $file or die $!;
print $csv join(',', 1 + $_ * 7 % 40, sprintf('2026-%02d-11', 1 + $_ % 12), $_ * 10, 'paid'), "\n" for 1 .. 60;
close $csv;

# A plain table with a nullable customer by expression, and a partitioned one,
# whose accounts take their orders along when they are deleted.
$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION crm;
CREATE TABLE plain (id bigserial PRIMARY KEY, customer int, email text, at timestamptz, cents bigint, fee int, net bigint GENERATED ALWAYS AS (cents - coalesce(fee, 0)) STORED, status text, note text, external int UNIQUE);
CREATE INDEX ON plain ((coalesce(customer::text, lower(email))));
SELECT crm.track('plain', 'coalesce(customer::text, lower(email))', 'at', 'net / 100.0', \$\$status IN ('paid', 'shipped')\$\$, mode => '$mode');
CREATE TABLE account (id int PRIMARY KEY);
INSERT INTO account SELECT generate_series(1, 40);
-- two sessions may want the same new number
CREATE FUNCTION move_account(c int, d int) RETURNS void LANGUAGE plpgsql AS '
BEGIN
	UPDATE account SET id = d WHERE id = c AND NOT EXISTS (SELECT FROM account WHERE id = d);
EXCEPTION WHEN unique_violation THEN
	NULL;
END';
CREATE TABLE parted (id bigserial, account int REFERENCES account ON DELETE CASCADE ON UPDATE CASCADE, at date NOT NULL, amount numeric, status text) PARTITION BY RANGE (at);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2026-05-01');
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2026-05-01') TO ('2026-09-01');
CREATE TABLE parted_3 (status text, gone int, amount numeric, account int REFERENCES account ON DELETE CASCADE ON UPDATE CASCADE, id bigint NOT NULL DEFAULT 0, at date NOT NULL);
ALTER TABLE parted_3 DROP gone;
ALTER TABLE parted ATTACH PARTITION parted_3 FOR VALUES FROM ('2026-09-01') TO ('2027-01-01');
CREATE INDEX ON parted (account);
SELECT crm.track('parted', 'account', 'at', 'amount', 'status = ''paid''', mode => '$mode');
-- a shop's own trigger that writes to the orders while a statement's triggers are yet to fire
CREATE FUNCTION discount() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
	IF NEW.note = 'discount' THEN UPDATE plain SET cents = cents - 1, note = 'done' WHERE id = NEW.id;
	ELSIF NEW.note = 'fraud' THEN DELETE FROM plain WHERE id = NEW.id;
	ELSIF NEW.note = 'pay' THEN UPDATE plain SET status = 'paid', note = 'done' WHERE id = NEW.id;
	ELSIF NEW.note = 'gift' THEN INSERT INTO plain (customer, at, cents, status) VALUES (NEW.customer, NEW.at, 0, 'paid'); END IF;
	RETURN NULL;
END \$\$;
CREATE TRIGGER discount AFTER INSERT OR UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION discount();
-- and one that changes what an UPDATE does not name, which comes and goes
CREATE FUNCTION surprise() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
	NEW.cents := NEW.cents + 1;
	NEW.customer := CASE WHEN NEW.id % 7 = 0 THEN 40 ELSE NEW.customer END;
	RETURN NEW;
END \$\$;
-- a function that writes in several statements, and between the rows of one
CREATE FUNCTION exchange(c int) RETURNS bigint LANGUAGE plpgsql AS \$\$ BEGIN
	INSERT INTO plain (customer, at, cents, status) VALUES (c, '2026-03-01', 100, 'paid');
	DELETE FROM plain WHERE id = (SELECT min(id) FROM plain WHERE customer = c);
	INSERT INTO plain (customer, at, cents, status) SELECT c + i % 2, '2026-04-01', 200, 'paid' FROM generate_series(1, 3) i;
	RETURN 300;
END \$\$;
-- none is wrong, ever
CREATE FUNCTION right(orders regclass) RETURNS void LANGUAGE plpgsql AS \$\$ DECLARE wrong text; BEGIN
	SELECT string_agg(v::text, ' ') INTO wrong FROM crm.verify(orders) v;
	IF wrong <> '' THEN RAISE 'wrong: %', wrong; END IF;
END \$\$;
SQL

# c: a customer, d: another; t: a time; a: an amount in cents, a refund now and then
my $vars = <<'SQL';
\set c random(1, 40)
\set d random(1, 40)
\set m random(1, 12)
\set n random(1, 28)
\set a random(-500, 5000)
\set x random(1, 300)
SQL
my $day = "'2026-' || :m || '-' || :n";
my @statements = (
	[6, "INSERT INTO plain (customer, at, cents, status) VALUES (:c, ($day)::timestamptz, :a, 'paid')"],
	[2, "INSERT INTO plain (email, at, cents, status) VALUES (CASE WHEN :c % 2 = 0 THEN 'Guest' ELSE 'guest' END || :c, ($day)::timestamptz, :a, 'paid')"],
	[2, "INSERT INTO plain (customer, at, cents, status) VALUES (:c, ($day)::timestamptz, :a, 'pending')"],
	[1, "INSERT INTO plain (at, cents, status) VALUES (($day)::timestamptz, :a, 'paid')"],
	[3, "INSERT INTO plain (customer, at, cents, status) SELECT 1 + (:c + i * :d) % 40, ($day)::timestamptz + i * interval '1 hour', :a + i, 'paid' FROM generate_series(1, 1 + :x % 30) i"],
	[1, "INSERT INTO plain (customer, at, cents, status, note) SELECT 1 + (:c + i) % 40, ($day)::timestamptz, :a, CASE WHEN i % 2 = 0 THEN 'paid' ELSE 'pending' END, (ARRAY['discount', 'fraud', 'pay', 'gift'])[1 + (:x + i) % 4] FROM generate_series(1, 5) i"],
	[2, "INSERT INTO plain (customer, at, cents, status, external) SELECT 1 + (:c + i) % 40, ($day)::timestamptz, :a, 'paid', 1 + (:x + i) % 100 FROM generate_series(1, 6) i ON CONFLICT (external) DO UPDATE SET cents = excluded.cents, customer = excluded.customer"],
	[1, "INSERT INTO plain (customer, at, cents, status, external) VALUES (:c, ($day)::timestamptz, :a, 'paid', :x) ON CONFLICT DO NOTHING"],
	[1, "INSERT INTO plain (customer, at, cents, status, external) VALUES (:c, ($day)::timestamptz, :a, 'paid', :x) ON CONFLICT (external) DO UPDATE SET note = 'seen'"],
	[2, "COPY plain (customer, at, cents, status) FROM '$file' (FORMAT csv)"],
	[3, "UPDATE plain SET status = CASE status WHEN 'paid' THEN 'shipped' ELSE 'paid' END WHERE customer = :c"],
	[2, "UPDATE plain SET status = 'cancelled' WHERE customer = :c AND id % 3 = 0"],
	[2, "UPDATE plain SET note = 'n' || :x WHERE customer IN (:c, :d)"],
	[1, "UPDATE plain SET fee = :x % 9 WHERE customer = :c"],
	[2, "UPDATE plain SET customer = :d WHERE customer = :c AND id % 2 = 0"],
	[1, "UPDATE plain SET customer = CASE customer WHEN :c THEN :d ELSE :c END WHERE customer IN (:c, :d)"],
	[1, "UPDATE plain SET customer = NULL, email = 'anonymous' WHERE customer = :c"],
	[1, "UPDATE plain SET at = at + interval '1 day', cents = cents + 1 WHERE customer = :c"],
	[1, "UPDATE plain SET cents = NULL WHERE customer = :c AND id % 5 = 0"],
	[3, "DELETE FROM plain WHERE customer = :c AND id % 3 = :x % 3"],
	[1, "DELETE FROM plain WHERE id IN (SELECT id FROM plain ORDER BY id LIMIT 20)"],
	[2, "MERGE INTO plain p USING (SELECT 1 + (:x + i) % 100 AS external, 1 + (:c + i) % 40 AS customer FROM generate_series(1, 8) i) n ON p.external = n.external WHEN MATCHED AND n.external % 3 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET cents = p.cents + 1, customer = n.customer WHEN NOT MATCHED THEN INSERT (customer, at, cents, status) VALUES (n.customer, ($day)::timestamptz, :a, 'paid')"],
	[1, "WITH d AS (DELETE FROM plain WHERE customer = :c RETURNING *), i AS (INSERT INTO plain (customer, at, cents, status) VALUES (:c, ($day)::timestamptz, :a, 'paid'), (:d, ($day)::timestamptz, :a, 'paid')) SELECT count(*) FROM d"],
	[1, "WITH i AS (INSERT INTO plain (customer, at, cents, status) VALUES (:c, ($day)::timestamptz, :a, 'paid')), u AS (UPDATE plain SET cents = cents + 1 WHERE customer = :c) SELECT 1"],
	[2, "SELECT exchange(:c), exchange(:d)"],
	[2, "INSERT INTO plain (customer, at, cents, status) SELECT :c, ($day)::timestamptz, CASE WHEN i = 2 THEN exchange(:c) ELSE :a END, 'paid' FROM generate_series(1, 3) i"],
	[4, "INSERT INTO parted (account, at, amount, status) SELECT id, ($day)::date, :a / 100.0, 'paid' FROM account WHERE id = :c FOR KEY SHARE"],
	[2, "INSERT INTO parted (account, at, amount, status) SELECT id, date '2026-01-01' + (:x + id * 17) % 360, :a, CASE WHEN id % 5 = 0 THEN 'open' ELSE 'paid' END FROM account WHERE id % 7 = :x % 7 FOR KEY SHARE"],
	[2, "INSERT INTO parted_1 (account, at, amount, status) SELECT id, '2026-02-01', :a / 100.0, 'paid' FROM account WHERE id = :c FOR KEY SHARE"],
	[2, "INSERT INTO parted_3 (account, at, amount, status) SELECT id, '2026-10-01', :a / 100.0, 'paid' FROM account WHERE id = :c FOR KEY SHARE"],
	[2, "UPDATE parted SET at = date '2026-01-01' + (extract(doy FROM at)::int + 120) % 360 WHERE account = :c"],
	[1, "UPDATE parted SET at = date '2026-01-01' + (extract(doy FROM at)::int + 120) % 360, amount = amount + 1 WHERE account IN (:c, :d)"],
	[1, "UPDATE parted_2 SET status = CASE status WHEN 'paid' THEN 'open' ELSE 'paid' END WHERE account = :c"],
	[1, "DELETE FROM parted_2 WHERE account = :c"],
	[2, "DELETE FROM parted WHERE account = :c AND at < ($day)::date"],
	[1, "DELETE FROM account WHERE id = :c"],
	[2, "INSERT INTO account VALUES (:c) ON CONFLICT DO NOTHING"],
	[1, "SELECT move_account(:c, :d)"],
	[1, "SELECT crm.advance_stages(timestamptz '2026-06-01' + :x * interval '2 days')"],
	[$mode eq 'queued' ? 6 : 1, "SELECT crm.apply_queue(NULL, 20)"],
	[1, "SELECT right('plain'), right('parted')"],
);

my $dir = PostgreSQL::Test::Utils::tempdir();
my @scripts;
my $number = 0;
sub script
{
	my ($weight, $text) = @_;
	my $name = "$dir/" . $number++ . '.sql';
	open my $fh, '>', $name or die $!;
	print $fh $vars, $text;
	close $fh;
	push @scripts, '-f', "$name\@$weight";
}
my @levels = ('READ COMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE');
srand $seed;
script($_->[0] * 3, "$_->[1];\n") for @statements;
# transactions of a few statements, half of them with a savepoint that is rolled back
my @pick = map { ($_->[1]) x $_->[0] } @statements;
for my $i (1 .. 60)
{
	my $text = "BEGIN ISOLATION LEVEL $levels[$i % 4];\n";
	for my $j (1 .. 2 + rand 3)
	{
		my $statement = $pick[rand @pick];
		$text .= rand() < 0.3 ? "SAVEPOINT s;\n$statement;\n$pick[rand @pick];\nROLLBACK TO s;\n" : "$statement;\n";
	}
	$text .= "SELECT right('plain'), right('parted');\n" if $i % 3 == 0;
	$text .= (rand() < 0.25 ? 'ROLLBACK' : 'COMMIT') . ";\n";
	script(4, $text);
}
script(3, "CREATE OR REPLACE TRIGGER surprise BEFORE UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION surprise();\n");
# the table first: else DROP may find a trigger that CREATE OR REPLACE is about to replace, and fails
script(3, "BEGIN;\nLOCK TABLE plain;\nDROP TRIGGER IF EXISTS surprise ON plain;\nCOMMIT;\n");
script(2, "SELECT crm.refresh('plain');\n");
script(1, "SELECT crm.refresh('parted');\n");
script(1, "TRUNCATE plain;\n");
script(1, "TRUNCATE parted_1;\n");
script(1, "BEGIN;\nALTER TABLE parted DETACH PARTITION parted_2;\nINSERT INTO parted_2 (account, at, amount, status) SELECT id, '2026-06-06', 1, 'paid' FROM account WHERE id < 10 FOR KEY SHARE;\nSELECT right('parted');\nALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM ('2026-05-01') TO ('2026-09-01');\nCOMMIT;\n");

for my $round (1 .. $rounds)
{
	my ($stdout, $stderr);
	my $ok = IPC::Run::run(
		[ 'pgbench', '-n', '-c', '8', '-j', '2', '-t', '150', '--random-seed', $seed + $round,
			'--max-tries', '50', '-h', $node->host, '-p', $node->port, @scripts, 'postgres' ],
		'>', \$stdout, '2>', \$stderr);
	my @aborted = grep { /aborted|ERROR/ && !/could not serialize|deadlock/ } split /\n/, $stderr;
	is(join("\n", @aborted), '', "round $round: no other error than a serialization failure or a deadlock");
	my ($done) = $stdout =~ /number of transactions actually processed: (\d+)/;
	cmp_ok($done // 0, '>', 1000, "round $round: transactions were made");
	note(join ', ', ($stdout =~ /(number of [^\n]*)/g)[3 .. 6]);
	if ($mode eq 'queued')
	{
		isnt($node->safe_psql('postgres', 'SELECT count(*) FROM plain_lifecycle_history'), '0', "round $round: the queue was applied meanwhile");
		$node->safe_psql('postgres', 'SELECT crm.apply_queue()');
		is($node->safe_psql('postgres', "SELECT count(*) FROM (TABLE plain_lifecycle_queue UNION ALL SELECT customer::text, cause, queued_at FROM parted_lifecycle_queue UNION ALL SELECT customer, message, failed_at FROM plain_lifecycle_errors) q"), '0',
			"round $round: nobody waits, and nothing failed");
	}
	is($node->safe_psql('postgres', "SELECT 'plain', * FROM crm.verify('plain') UNION ALL SELECT 'parted', * FROM crm.verify('parted')"), '',
		"round $round: nothing is wrong");
	for my $table (qw(plain parted))
	{
		is($node->safe_psql('postgres', <<"SQL"), '', "round $round: the history of $table is a chain that ends where the customer stands");
WITH h AS (SELECT *, lag(to_stage) OVER w AS before, lag(at) OVER w AS at_before, lead(id) OVER w IS NULL AS last
	FROM ${table}_lifecycle_history WINDOW w AS (PARTITION BY customer ORDER BY id))
SELECT h.*, s.stage FROM h LEFT JOIN ${table}_lifecycle s USING (customer)
WHERE before IS DISTINCT FROM from_stage OR at < at_before OR from_stage = to_stage OR last AND (stage IS DISTINCT FROM to_stage OR stage_since <> at)
SQL
	}
}
# Which of them a round has depends on who comes first; that it has most does not.
cmp_ok($node->safe_psql('postgres', "SELECT count(DISTINCT to_stage) FROM plain_lifecycle_history"), '>=', 4, 'most stages were seen');
cmp_ok($node->safe_psql('postgres', "SELECT count(DISTINCT cause) FROM plain_lifecycle_history"), '>=', 2, 'several causes were seen');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'the server did not crash');
$node->stop;
done_testing();
