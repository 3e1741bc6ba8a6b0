-- The entity diagram of a store, in Mermaid's words, from the catalogue:
--
--   psql -XAtq -v store=shop -f doc/diagram.sql
--
-- Tables with their keys; a line for each foreign key, named after its column.
\if :{?store}
\else
\set store shop
\endif
SELECT line FROM (
	SELECT 1 AS part, '' AS name, 0 AS n, 'erDiagram' AS line
	UNION ALL
	SELECT 2, c.relname, a.n, format('    %s%s', c.relname, CASE WHEN a.n = 0 THEN ' {' END) FROM pg_class AS c, (VALUES (0)) AS a(n)
	WHERE c.relnamespace = to_regnamespace(quote_ident(:'store')) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
	UNION ALL
	SELECT 2, c.relname, a.attnum, format('        %s %s %s', replace(format_type(a.atttypid, NULL), ' ', '_'), a.attname, CASE WHEN k.key THEN 'PK' ELSE 'FK' END)
	FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid,
		LATERAL (SELECT bool_or(o.contype = 'p') AS key FROM pg_constraint AS o WHERE o.conrelid = c.oid AND o.contype IN ('p', 'f') AND a.attnum = ANY (o.conkey)) AS k
	WHERE c.relnamespace = to_regnamespace(quote_ident(:'store')) AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND k.key IS NOT NULL
	UNION ALL
	SELECT 2, c.relname, 10000, '    }' FROM pg_class AS c
	WHERE c.relnamespace = to_regnamespace(quote_ident(:'store')) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
	UNION ALL
	SELECT 3, p.relname || ' ' || c.relname, o.conkey[1], format('    %s %s--o{ %s : %s', p.relname, CASE WHEN bool_and(a.attnotnull) THEN '||' ELSE '|o' END, c.relname,
		string_agg(a.attname, '_' ORDER BY array_position(o.conkey, a.attnum)))
	FROM pg_constraint AS o JOIN pg_class AS c ON c.oid = o.conrelid JOIN pg_class AS p ON p.oid = o.confrelid JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = ANY (o.conkey)
	WHERE c.relnamespace = to_regnamespace(quote_ident(:'store')) AND o.contype = 'f' AND o.conparentid = 0
	GROUP BY o.oid, o.conkey, c.relname, p.relname) AS d
ORDER BY part, name COLLATE "C", n;
