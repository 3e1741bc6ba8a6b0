#!/bin/bash
# What tracking costs, against no triggers and against the same in PL/pgSQL:
# CPU time of the backend per statement (it depends least on the machine's
# other work), medians of interleaved runs; and COPY, by the clock.
set -euo pipefail
dir=$(dirname "${BASH_SOURCE[0]}")
statements=${statements:-10000} rounds=${rounds:-5} customers=20000
export PGOPTIONS='-c client_min_messages=warning'
psql -Xqd postgres -c 'DROP DATABASE IF EXISTS crm_bench_track' -c 'CREATE DATABASE crm_bench_track'
export PGDATABASE=crm_bench_track
psql -Xq -c 'CREATE EXTENSION crm' -f "$dir/track.setup" >/dev/null
temp=$(mktemp -d)
trap 'rm -rf "$temp"; psql -Xqd postgres -c "DROP DATABASE crm_bench_track"' EXIT

cpu="SELECT 'CPU', split_part(pg_read_file('/proc/self/stat'), ' ', 14)::int + split_part(pg_read_file('/proc/self/stat'), ' ', 15)::int;"
for table in none crm queued rival; do
	psql -Xqc "INSERT INTO bench.$table (customer_id, ordered_at, total, status)
		SELECT 1 + i % $customers, now() - (i % 80) * interval '1 day', 10, 'paid' FROM generate_series(1, 200000) i" -c 'VACUUM ANALYZE'
	{
		echo "PREPARE p(int) AS INSERT INTO bench.$table (customer_id, ordered_at, total, status) VALUES (\$1, now(), 12.34, 'paid');"
		perl -e 'srand 1; print "EXECUTE p(", 1 + int(rand $ARGV[1]), ");\n" for 1 .. $ARGV[0]' "$statements" $customers
		echo "$cpu"
	} >"$temp/insert.$table"
	{
		echo "PREPARE p(int) AS UPDATE bench.$table SET note = 'x' WHERE id = \$1;"
		perl -e 'srand 1; print "EXECUTE p(", 1 + int(rand 200000), ");\n" for 1 .. $ARGV[0]' "$statements"
		echo "$cpu"
	} >"$temp/update.$table"
	{
		echo "PREPARE p(int) AS INSERT INTO bench.$table (customer_id, ordered_at, total, status) VALUES (\$1, now(), 12.34, 'paid');"
		perl -e 'srand 1; print "BEGIN;\n", (map { "EXECUTE p(" . (1 + int(rand $ARGV[1])) . ");\n" } 1 .. 10), "COMMIT;\n" for 1 .. $ARGV[0] / 10' "$statements" $customers
		echo "$cpu"
	} >"$temp/transaction.$table"
done
for what in insert update transaction; do
	for ((round = 0; round < rounds; round++)); do
		for table in none crm queued rival; do
			echo "$what $table $(psql -XAtq -f "$temp/$what.$table" | sed -n 's/CPU|//p')"
		done
	done
done >"$temp/cpu"
perl -ane '
	push @{ $t{$F[0]}{$F[1]} }, $F[2] * 10000 / '"$statements"';
	END {
		for my $what (qw(insert update transaction)) {
			my %m = map { my @s = sort { $a <=> $b } @{ $t{$what}{$_} }; ($_ => $s[@s / 2]) } qw(none crm queued rival);
			printf "%-12s %6.1f us without, %6.1f with crm, %6.1f queued, %6.1f with PL/pgSQL: adds %.2f of what PL/pgSQL adds, takes %.2f of without\n",
				$what, @m{qw(none crm queued rival)}, ($m{crm} - $m{none}) / ($m{rival} - $m{none} || 1), $m{crm} / $m{none};
		}
	}' "$temp/cpu"

# COPY of a million orders of a hundred thousand customers, into empty tables
psql -Xqc "COPY (SELECT 1 + i * 7919 % 100000, timestamptz '2026-01-01' + (i % 300) * interval '1 day', (i % 10000) / 100.0, 'paid' FROM generate_series(1::bigint, ${rows:-1000000}) i) TO STDOUT (FORMAT csv)" >"$temp/orders.csv"
for ((round = 0; round < 3; round++)); do
	for table in none crm; do
		psql -Xqc "ALTER TABLE bench.$table DISABLE TRIGGER USER" \
			-c "TRUNCATE bench.$table, bench.crm_lifecycle, bench.crm_lifecycle_history" \
			-c "ALTER TABLE bench.$table ENABLE TRIGGER USER" -c 'CHECKPOINT'
		start=$(date +%s%N)
		psql -Xqc "\\copy bench.$table (customer_id, ordered_at, total, status) FROM '$temp/orders.csv' (FORMAT csv)"
		echo "$table $((($(date +%s%N) - start) / 1000000))"
	done
done | perl -ane 'push @{ $t{$F[0]} }, $F[1]; END { my %m = map { (($_) => (sort { $a <=> $b } @{ $t{$_} })[1]) } qw(none crm); printf "COPY         %d ms without, %d with crm: %.2f\n", @m{qw(none crm)}, $m{crm} / $m{none} }'

# a hot customer; and the clock on a million customers of whom one in a hundred is due
echo 'INSERT INTO bench.crm (customer_id, ordered_at, total, status) VALUES (1, now(), 1, '"'paid'"');' >"$temp/hot.sql"
psql -Xqc 'SELECT crm.refresh($$bench.crm$$)' >/dev/null
for table in none crm queued; do
	sed "s/bench.crm/bench.$table/" "$temp/hot.sql" >"$temp/hot.$table.sql"
	pgbench -n -c 16 -j 2 -T 5 -f "$temp/hot.$table.sql" 2>&1 | perl -ne 'print "hot customer, 16 sessions, '$table': $1 orders a second\n" if /tps = (\d+)/; print if /deadlock/'
done
start=$(date +%s%N)
applied=$(psql -XAtqc "SELECT count(*), crm.apply_queue('bench.queued') FROM bench.queued_lifecycle_queue" | tr '|' ' ')
echo "queue: $applied rows and customers applied in $((($(date +%s%N) - start) / 1000000)) ms"
for n in 100000 ${clock:-1000000}; do
	psql -Xq -c 'TRUNCATE bench.crm' -c 'TRUNCATE bench.crm_lifecycle, bench.crm_lifecycle_history' \
		-c 'ALTER TABLE bench.crm DISABLE TRIGGER USER' \
		-c "INSERT INTO bench.crm (customer_id, ordered_at, total, status) SELECT i, now() - CASE WHEN i % ($n / 10000) = 0 THEN interval '89 days' ELSE interval '1 day' END, 1, 'paid' FROM generate_series(1, $n) i" \
		-c 'ALTER TABLE bench.crm ENABLE TRIGGER USER' -c 'SELECT crm.refresh($$bench.crm$$)' -c 'VACUUM ANALYZE' >/dev/null
	start=$(date +%s%N)
	moved=$(psql -XAtqc "SELECT crm.advance_stages(now() + interval '2 days', 'bench.crm')")
	echo "clock: $moved of $n customers were due, $((($(date +%s%N) - start) / 1000000)) ms"
done
