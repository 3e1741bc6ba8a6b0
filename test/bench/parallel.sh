#!/bin/bash
# What parallel workers gain a fit: seconds by the clock without, with one and
# with two, in turn; medians, and the medians of the ratios of a round.
set -euo pipefail
rows=1000000 pairs=7
for option; do
	case $option in rows=*) rows=${option#*=} ;; pairs=*) pairs=${option#*=} ;; esac
done
export PGOPTIONS='-c client_min_messages=error -c jit=off -c work_mem=1GB'

# customers of a BG/NBD kind; days are of the calendar, so that many are alike
psql -Xqv rows="$rows" <<-'SQL'
	CREATE EXTENSION IF NOT EXISTS crm;
	DROP SCHEMA IF EXISTS bench CASCADE;
	CREATE SCHEMA bench;
	SELECT setseed(0.5) \g /dev/null
	CREATE TABLE bench.orders AS
	SELECT customer, timestamptz '2026-01-01 00:00Z' - (t - at) * interval '1 day' AS at, round(value::numeric, 2) AS amount
	FROM (
		SELECT customer, t, n, -ln((1 - random()) * (1 - random())) / scale AS value,
			CASE WHEN n = 1 THEN 0 ELSE sum(-ln(1 - random()) / rate) OVER (PARTITION BY customer ORDER BY n) END AS at
		FROM (
			SELECT customer, 1 + 364 * random() AS t, greatest(-ln(1 - random()) * cos(2 * pi() * random()) ^ 2, 1e-9) / 60 AS rate,
				1 + floor(ln(1 - random()) / ln(sqrt(1 - random()))) AS loyal, -ln((1 - random()) * (1 - random()) * (1 - random())) / 40 AS scale
			FROM generate_series(1, :rows) AS customer
		) AS customers, LATERAL generate_series(1, least(1 + loyal, 100, 3 + ceil(t * rate * 3 + 3))::int) AS n
	) AS histories
	WHERE at <= t;
	CREATE TABLE bench.distinct_purchases AS SELECT crm.purchases(at, amount) AS p FROM bench.orders GROUP BY customer;
	CREATE TABLE bench.alike_purchases AS SELECT crm.purchases(date_trunc('day', at, 'UTC'), round(amount, -1), '1 day') AS p FROM bench.orders GROUP BY customer;
	CREATE TABLE bench.distinct_numbers AS
	SELECT crm.repeat_purchases(p)::float8 AS x, crm.active_days(p) AS t_x, crm.observed_days(p, '2026-01-01 00:00Z') AS t FROM bench.distinct_purchases;
	CREATE TABLE bench.alike_numbers AS
	SELECT crm.repeat_purchases(p)::float8 AS x, crm.active_days(p) AS t_x, crm.observed_days(p, '2026-01-01 00:00Z') AS t FROM bench.alike_purchases;
	DROP TABLE bench.orders;
	VACUUM ANALYZE;
SQL

# the seconds of QUERY with 0, 1, 2 workers, so many times
measure() {
	for ((pair = 0; pair <= pairs; pair++)); do
		for workers in 0 1 2; do
			echo "SET max_parallel_workers_per_gather = $workers; EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) $1;"
		done
	done | psql -XAtq | sed -n 's/^Execution Time: \(.*\) ms/\1/p'
}

printf '%-46s %9s %9s %9s %9s %9s\n' 'fit, scan included' 'none s' 'one s' 'two s' 'one/none' 'two/none'
while IFS='|' read -r what query; do
	# the first round warms up
	printf '%-46s ' "$what"
	measure "$query" | perl -e '
		my @s = map { $_ / 1000 } <STDIN>;
		splice @s, 0, 3;
		sub median { my @v = sort { $a <=> $b } @_; ($v[$#v / 2] + $v[@v / 2]) / 2 }
		my @w = map { my $w = $_; [map { $s[3 * $_ + $w] } 0 .. $#s / 3] } 0 .. 2;
		printf "%9.3f %9.3f %9.3f %9.2f %9.2f\n", (map { median(@$_) } @w), map { my $w = $_; median(map { $w[$w][$_] / $w[0][$_] } 0 .. $#{$w[0]}) } 1, 2;'
done <<-'QUERIES'
	BG/NBD and spend, purchases, mostly distinct|SELECT crm.ltv_model(p, '2026-01-01 00:00Z') FROM bench.distinct_purchases
	BG/NBD and spend, purchases, mostly alike|SELECT crm.ltv_model(p, '2026-01-01 00:00Z') FROM bench.alike_purchases
	BG/NBD, raw numbers, mostly distinct|SELECT crm.ltv_model(x, t_x, t, 'bg_nbd') FROM bench.distinct_numbers
	BG/NBD, raw numbers, mostly alike|SELECT crm.ltv_model(x, t_x, t, 'bg_nbd') FROM bench.alike_numbers
	Pareto/NBD, raw numbers, mostly distinct|SELECT crm.ltv_model(x, t_x, t, 'pareto_nbd') FROM bench.distinct_numbers
	the scan alone, purchases|SELECT sum(crm.order_count(p)) FROM bench.distinct_purchases
QUERIES
psql -Xqc 'DROP SCHEMA bench CASCADE'
