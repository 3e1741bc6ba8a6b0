# Lifetime value at its limits: a fit finds the parameters that customers were
# simulated with, whatever their number and the units; and Ctrl-C is heard.
#
# CRM_LTV_CUSTOMERS: how many customers at most (100000 unless told; a million
# take some minutes to simulate).
use strict;
use warnings;
use POSIX ();

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $most = $ENV{CRM_LTV_CUSTOMERS} || 100000;
my $node = PostgreSQL::Test::Cluster->new('ltv_limits');
$node->init;
$node->append_conf('postgresql.conf', "max_parallel_workers_per_gather = 0\njit = off\nwork_mem = '256MB'");
$node->start;
# uniform numbers are hashes of hashes, whose streams do not hang together: the same everywhere
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION crm;
CREATE FUNCTION uniform(stream int, id bigint, n bigint) RETURNS float8 LANGUAGE sql IMMUTABLE
RETURN ((hashint8extended(hashint8extended(id * 1000 + n, 77), stream) & 4503599627370495) + 0.5) / 4503599627370496;
CREATE TABLE truth (process, name, value) AS VALUES
	('bg_nbd', 'r', 0.5::float8), ('bg_nbd', 'alpha', 60), ('bg_nbd', 'a', 1), ('bg_nbd', 'b', 2),
	('mbg_nbd', 'r', 0.5), ('mbg_nbd', 'alpha', 60), ('mbg_nbd', 'a', 1), ('mbg_nbd', 'b', 2),
	('pareto_nbd', 'r', 0.5), ('pareto_nbd', 'alpha', 60), ('pareto_nbd', 's', 1), ('pareto_nbd', 'beta', 150);
INSERT INTO truth SELECT process, spend.* FROM (SELECT DISTINCT process FROM truth) p, (VALUES ('p', 2), ('q', 3), ('gamma', 40)) spend;
SQL

# rate ~ gamma(1/2) / 60 days; coins ~ beta(1, 2) or a life ~ 1/(gamma(1) / 150 days); values ~ gamma(2) / (gamma(3) / 40)
for my $customers (1000, 100000, 1000000)
{
	next if $customers > $most;
	$node->safe_psql('postgres', <<SQL);
SET client_min_messages = warning;
DROP TABLE IF EXISTS base;
CREATE TABLE base AS
SELECT process, id, count(*)::float8 AS x, max(at) AS t_x, min(t) AS t, avg(-ln(uniform(8, id, n) * uniform(9, id, n)) / scale) AS mean_value
FROM (
	SELECT id, t, coins, life, scale, n, sum(-ln(uniform(7, id, n)) / rate) OVER (PARTITION BY id ORDER BY n) AS at
	FROM (
		SELECT id, 30 + 700 * uniform(1, id, 0) AS t, -ln(uniform(2, id, 0)) * cos(2 * pi() * uniform(3, id, 0)) ^ 2 / 60 AS rate,
			1 + floor(ln(uniform(4, id, 0)) / ln(sqrt(uniform(5, id, 0)))) AS coins, ln(uniform(4, id, 0)) / ln(uniform(5, id, 0)) * 150 AS life,
			-ln(uniform(6, id, 0) * uniform(6, id, 1) * uniform(6, id, 2)) / 40 AS scale
		FROM generate_series(1, $customers) id) AS people,
		LATERAL generate_series(0, least(999, 8 + 3 * rate * t)::int) n) AS arrivals
JOIN (VALUES ('bg_nbd'), ('mbg_nbd'), ('pareto_nbd')) v (process)
	ON at <= t AND CASE process WHEN 'bg_nbd' THEN n < coins WHEN 'mbg_nbd' THEN n < coins - 1 ELSE at <= life END
GROUP BY process, id;
-- those who did not come
INSERT INTO base SELECT process, id, 0, 0, 30 + 700 * uniform(1, id, 0), 0
FROM generate_series(1, $customers) id, (SELECT DISTINCT process FROM truth) p
WHERE NOT EXISTS (SELECT FROM base b WHERE b.process = p.process AND b.id = id.id);
VACUUM ANALYZE base;
SQL
	for my $unit ([ 'days, euros', 1, 1 ], [ 'hours, yen', 24, 160 ], [ 'years, bitcoins', 1 / 365.25, 1e-5 ])
	{
		my ($units, $time, $money) = @$unit;
		my $found = $node->safe_psql('postgres', <<SQL);
SELECT f.process, max(customers), count(*), max(abs(estimate - value * CASE WHEN name IN ('alpha', 'beta') THEN $time WHEN name = 'gamma' THEN $money ELSE 1 END) / standard_error)::numeric(9, 2)
FROM (SELECT process, crm.ltv_model(x, t_x * $time, t * $time, mean_value * $money, process) AS m FROM base GROUP BY process) f, LATERAL (SELECT crm.customers(m) AS customers, p.* FROM crm.parameters(m) p) p JOIN truth USING (name)
WHERE truth.process = f.process GROUP BY f.process ORDER BY f.process
SQL
		note("$customers customers, $units: the farthest parameter, in standard errors\n$found");
		is(join(' ', map { /^(\w+)\|$customers\|7\|([\d.]+)$/ && $2 < 3 ? $1 : "not $_" } split /\n/, $found), 'bg_nbd mbg_nbd pareto_nbd', "$customers customers, $units: within three standard errors");
	}
}

# Ctrl-C: each part of the work hears of it within a second, which is counted in
# the server's own time on the processor, whatever else the machine does.
$node->safe_psql('postgres', 'CREATE TABLE raw AS SELECT g % 40 AS x, g % 40 * 2 + (g % 40 > 0)::int * sqrt(g::float8) / 1000 AS t_x, 100 + sqrt(g::float8) AS t, 1 + g % 1000 AS mean_value FROM generate_series(1, 1000000) g');
for my $query (
	"SELECT crm.ltv_model(x, t_x, t, mean_value, 'pareto_nbd') FROM raw",
	"SELECT crm.ltv_model(x, t_x, t, mean_value, 'bg_nbd') FROM raw, generate_series(1, 10)",
	"SELECT sum(crm.dert(crm.ltv_model('bg_nbd', ARRAY[x + 0.5, 60, 1, 2]), x, t_x, t, 1e-5)) FROM raw",
	"SELECT sum(crm.dect(crm.ltv_model('mbg_nbd', ARRAY[x + 0.5, 60, 1, 2]), x, t_x, t, 3650, 1e-5)) FROM raw",
	"SELECT sum(crm.order_probability(crm.ltv_model('pareto_nbd', '{0.5, 60, 1, 150}'), (x * 10)::int, x, t_x, t, 3650)) FROM raw")
{
	my $cancelled = 0;
	for my $after (0.1, 0.4, 1.2)
	{
		my ($out, $err) = ('', '');
		$node->psql('postgres', <<SQL, stdout => \$out, stderr => \$err, on_error_stop => 0);
SET statement_timeout = '${\ ($after * 1000)}ms';
SELECT clock_timestamp();
$query;
SET statement_timeout = 0;
SELECT pg_read_file('/proc/self/stat');
SQL
		$err =~ s/^.*(?:WARNING|DETAIL|HINT): .*\n?//mg;
		like($err, qr/^$|canceling statement due to statement timeout/, "$query: nothing is wrong but its time");
		$cancelled += $err ne '';
		my @stat = split ' ', $out =~ s/^.*\) //sr;
		my $ticks = POSIX::sysconf(POSIX::_SC_CLK_TCK());
		cmp_ok(($stat[11] + $stat[12]) / $ticks - $after, '<', 1, "after $after s it is cancelled within a second")
			if $err ne '';
	}
	# how many depends on the machine
	cmp_ok($cancelled, '>', 0, "$query: is cancelled");
}

done_testing();
