#!/bin/bash
# Every view and every function of a store that gives rows, on a shop of a
# hundred thousand customers and a million orders: seconds of processor time,
# planning included, and how often as long as that is as reading the tables in
# question once, to the last column.  Then what is asked about one customer.
#
#   make bench BENCH=store                  a million orders
#   make bench BENCH="store rows=100000"    fewer
#   only=growth test/bench/store.sh         in a database that has a store "shop"
#
# What there is to measure is read from the catalogue: a new view is in the
# table without being named here.
set -euo pipefail
rows=1000000
for option; do case $option in rows=*) rows=${option#rows=} ;; esac done
only=${only:-.}
export PGOPTIONS='-c client_min_messages=warning -c timezone=UTC -c jit=off -c max_parallel_workers_per_gather=0 -c work_mem=256MB'
ask() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }

if [ "$(ask -c "SELECT to_regnamespace('shop') IS NULL")" = t ]; then
	ask -c 'CREATE EXTENSION IF NOT EXISTS crm' -v customers=$((rows / 10)) -v loyalty=4 -f seeds/shop.sql >/dev/null
	ask -c "SELECT crm.create_store('shop')" -f seeds/store.sql -c "SELECT * FROM shop.fit('2026-01-01')" -c 'VACUUM ANALYZE' >/dev/null
fi

# cost QUERY: seconds of the server's processor time
cost() {
	ask <<-SQL
		SELECT pg_backend_pid() AS pid \gset
		EXPLAIN $1 \g /dev/null
		\set before \`awk '{ print \$14 + \$15 }' /proc/:pid/stat\`
		EXPLAIN (ANALYZE, TIMING OFF) $1 \g /dev/null
		\set after \`awk '{ print \$14 + \$15 }' /proc/:pid/stat\`
		SELECT round((:after - :before) / $(getconf CLK_TCK).0, 2);
	SQL
}

# tables QUERY: those of the store whose rows its plan reads, small ones left out
tables() {
	ask -c "EXPLAIN (FORMAT JSON) $1" | sed -n 's/.*"Relation Name": "\(.*\)".*/\1/p' | sort -u |
		grep -xE "$large" | tr '\n' ' ' || true
}

# whole QUERY: those that the plan reads from end to end, and how often if more than once
whole() {
	ask -c "EXPLAIN $1" | sed -nE 's/.*(Seq|Bitmap Heap) Scan on ([a-z_]+) .*/\2/p' | sort | grep -xE "$large" | uniq -c |
		awk '{ printf "%s%s ", $2, ($1 > 1 ? " (" $1 ")" : "") }' || true
}

large=$(ask -c "SELECT string_agg(relname, '|') FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind = 'r' AND reltuples > 1000")
declare -A scan
for table in ${large//|/ }; do
	column=$(ask -c "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = 'shop.$table'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum DESC LIMIT 1")
	cost "SELECT count($column) FROM shop.$table" >/dev/null
	scan[$table]=$(cost "SELECT count($column) FROM shop.$table")
done
ask -c "SELECT format('%s orders, %s items, %s touches, %s customers', (SELECT count(*) FROM shop.orders), (SELECT count(*) FROM shop.order_items), (SELECT count(*) FROM shop.touches), (SELECT count(*) FROM shop.customers))"
for table in ${large//|/ }; do printf '%-52s %8s\n' "a scan of $table" "${scan[$table]}"; done

printf '\n%-52s %8s %8s %7s  %s\n' 'all of' 'CPU s' 'scan s' 'ratio' 'reads to the end'
ask -F ' ' <<-'SQL' | while read -r what query; do
	SELECT relname, format('SELECT * FROM shop.%I', relname) FROM pg_class
	WHERE relnamespace = 'shop'::regnamespace AND relkind = 'v' ORDER BY relname;
	SELECT name || '(' || array_to_string(ARRAY(SELECT CASE a WHEN '2025-01-01' THEN 'from' WHEN '2026-01-01' THEN CASE WHEN cardinality(given) = 1 THEN 'as_of' ELSE 'to' END ELSE a END FROM unnest(given) AS a), ',') || ')',
		format('SELECT * FROM shop.%I(%s)', name, (SELECT string_agg(quote_literal(a), ', ' ORDER BY n) FROM unnest(given) WITH ORDINALITY AS u(a, n)))
	FROM (
		SELECT p.proname AS name, CASE WHEN pg_get_function_identity_arguments(p.oid) LIKE 'from_at %' THEN ARRAY['2025-01-01', '2026-01-01'] ELSE ARRAY['2026-01-01'] END || b.by AS given
		FROM pg_proc AS p, LATERAL (SELECT ARRAY[x] AS by FROM unnest(ARRAY['day', 'product', 'city']) AS x WHERE p.proname = 'sales' UNION ALL SELECT '{}' WHERE p.proname <> 'sales') AS b
		WHERE p.pronamespace = 'shop'::regnamespace AND p.proretset AND p.provolatile = 's' AND pg_get_function_identity_arguments(p.oid) ~ '^(from_at|as_of) timestamp') AS f
	ORDER BY 1;
SQL
	[[ $what =~ $only ]] || continue
	read_tables=$(tables "$query")
	[[ $what != sales\(* ]] || read_tables='orders '$([[ $what != *product* ]] || echo order_items)
	seconds=$(cost "$query")
	bare=0
	for table in $read_tables; do bare=$(echo "$bare + ${scan[$table]}" | bc); done
	printf '%-52s %8s %8s %7s  %s\n' "$what" "$seconds" "$bare" "$([ "$bare" = 0 ] || echo "scale=1; $seconds / $bare" | bc)" "$(whole "$query")"
done

printf '\n%-52s %8s %8s %8s\n' 'of one customer, by the clock' 'plan ms' 'run ms' 'prepared'
customer=$(ask -c "SELECT customer_id FROM shop.orders WHERE customer_id IS NOT NULL GROUP BY 1 ORDER BY abs(count(*) - 40), 1 LIMIT 1")
for view in $(ask -c "SELECT DISTINCT relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid WHERE relnamespace = 'shop'::regnamespace AND relkind = 'v' AND attname = 'customer_id' ORDER BY 1"); do
	[[ $view =~ $only ]] || continue
	# each once to warm up; then as it is written, and as a prepared statement
	plans=$(ask <<-SQL
		SELECT * FROM shop.$view WHERE customer_id = $customer \g /dev/null
		EXPLAIN ANALYZE SELECT * FROM shop.$view WHERE customer_id = $customer;
		SET plan_cache_mode = force_generic_plan;
		PREPARE q (bigint) AS SELECT * FROM shop.$view WHERE customer_id = \$1;
		EXECUTE q ($customer) \g /dev/null
		EXPLAIN ANALYZE EXECUTE q ($customer);
	SQL
	)
	times=($(sed -n 's/.*\(Planning\|Execution\) Time: \(.*\) ms/\2/p' <<<"$plans"))
	printf '%-52s %8.2f %8.2f %8.2f%s\n' "$view" "${times[0]}" "${times[1]}" "${times[3]}" "$(grep -qE "Seq Scan on ($large)\b" <<<"$plans" && echo '  not by index alone' || true)"
done
