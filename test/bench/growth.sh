#!/bin/bash
# How cost grows with the shop: from ten thousand to ten million orders of a
# tenth as many customers, on one core and on two.  Medians of three runs, in
# seconds by the clock; in work_mem, so that it is the work that is seen.
set -euo pipefail
sizes=${sizes:-10000 100000 1000000 10000000}
export PGOPTIONS='-c client_min_messages=warning -c jit=off -c work_mem=4GB -c min_parallel_table_scan_size=0 -c parallel_setup_cost=0'

# measure WORKERS QUERY: seconds, and kilobytes of memory in its hash tables
measure() {
	for ((run = 0; run < 3; run++)); do
		psql -XAtq -c "SET max_parallel_workers_per_gather = $1" -c "EXPLAIN (ANALYZE, TIMING OFF) $2" |
			perl -ne '$kB += $1 while /(?:Peak Memory Usage|Memory Usage): (\d+)kB/g; $s = $1 / 1000 if /^Execution Time: (\S+)/; END { printf "%.3f %d\n", $s, $kB }'
	done | sort -n | sed -n 2p
}

psql -Xqc 'CREATE EXTENSION IF NOT EXISTS crm' -c 'DROP SCHEMA IF EXISTS bench CASCADE' -c 'CREATE SCHEMA bench'
printf '%-10s %-34s %9s %9s %11s %9s\n' orders 'what' 'one core' 'two cores' 'ns an order' 'kB'
for rows in $sizes; do
	# buyers of a BG/NBD kind, spending of a Gamma-Gamma kind; orders lie in the order in which they came
	psql -Xqv rows="$rows" <<-'SQL'
		DROP TABLE IF EXISTS bench.orders, bench.summaries;
		SELECT setseed(0.5) \g /dev/null
		CREATE TABLE bench.orders AS
		SELECT customer, timestamptz '2026-01-01 00:00Z' - (t - at) * interval '1 day' AS at, round(value::numeric, 2) AS amount
		FROM (
			SELECT customer, t, n, -ln((1 - random()) * (1 - random())) / scale AS value,
				CASE WHEN n = 1 THEN 0 ELSE sum(-ln(1 - random()) / rate) OVER (PARTITION BY customer ORDER BY n) END AS at
			FROM (
				SELECT customer, 1 + 729 * random() AS t, greatest(-ln(1 - random()) * cos(2 * pi() * random()) ^ 2, 1e-9) / 30 AS rate,
					1 + floor(ln(1 - random()) / ln(sqrt(1 - random()))) AS loyal, -ln((1 - random()) * (1 - random()) * (1 - random())) / 40 AS scale
				FROM generate_series(1, :rows * 0.36) AS customer
			) AS customers, LATERAL generate_series(1, 1 + least(loyal, 100)::int) AS n
		) AS histories
		WHERE at <= t ORDER BY 2;
		CREATE TABLE bench.summaries AS SELECT customer, crm.purchases(at, amount) AS p FROM bench.orders GROUP BY customer;
		VACUUM ANALYZE bench.orders, bench.summaries;
	SQL
	orders=$(psql -XAtqc 'SELECT count(*) FROM bench.orders')
	while IFS='|' read -r what query; do
		read -r one memory <<<"$(measure 0 "$query")"
		read -r two _ <<<"$(measure 1 "$query")"
		printf '%-10s %-34s %9s %9s %11.0f %9s\n' "$orders" "$what" "$one" "$two" "$(echo "$one * 1000000000 / $orders" | bc -l)" "${memory/#0/}"
	done <<-'QUERIES'
		a bare scan of the orders|SELECT count(*) FROM bench.orders
		count, sum, min, max by customer|SELECT customer, count(*), sum(amount), min(at), max(at) FROM bench.orders GROUP BY customer
		crm.purchases by customer|SELECT customer, crm.purchases(at, amount) FROM bench.orders GROUP BY customer
		a bare scan of the summaries|SELECT count(p) FROM bench.summaries
		crm.rfm_scale of the summaries|SELECT crm.rfm_scale(p, '2026-01-01 00:00Z') FROM bench.summaries
		crm.rfm and its segments|SELECT crm.segment(crm.rfm(p, scale, '2026-01-01 00:00Z')), count(*) FROM bench.summaries, (SELECT crm.rfm_scale(p, '2026-01-01 00:00Z') AS scale FROM bench.summaries) AS s GROUP BY 1
		crm.ltv_model, BG/NBD|SELECT crm.ltv_model(p, '2026-01-01 00:00Z') FROM bench.summaries
		crm.ltv of a year|SELECT sum(crm.ltv(model, p, '2026-01-01 00:00Z', '1 year', 0.1)) FROM bench.summaries, (SELECT crm.in_days(crm.ltv_model('bg_nbd', '{0.8, 60, 0.8, 2.4}'::float8[], '{6, 4, 15}'::float8[]), 1) AS model) AS m
	QUERIES
done
psql -Xqc 'DROP SCHEMA bench CASCADE'
