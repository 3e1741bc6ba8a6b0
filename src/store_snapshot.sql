/*
 * store, twelfth area: views kept as tables
 *
 * A view says what is true now, and reads for it what there is. Whoever looks at
 * the same figures all day reads a table that has them as of this morning.
 * It is an ordinary table, not a materialized view: BI tools see it, and it is
 * read while it is filled.
 */
CREATE FUNCTION crm.store_snapshot() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN $ddl$

CREATE TABLE IF NOT EXISTS @.snapshots (
	view text PRIMARY KEY,
	taken_at timestamptz NOT NULL,
	rows bigint NOT NULL
);

CREATE OR REPLACE FUNCTION @.snapshot(view text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
	store CONSTANT oid := (SELECT relnamespace FROM pg_class WHERE oid = $r$@.customers$r$::regclass);
	source CONSTANT oid := (SELECT r.oid FROM pg_class AS r WHERE r.relnamespace = store AND r.relname = snapshot.view AND r.relkind = 'v');
	target CONSTANT text := format('%s.%I', store::regnamespace, coalesce(view, '') || '_snapshot');
	begun CONSTANT timestamptz := clock_timestamp();
	columns text;
	statement text;
	taken bigint;
BEGIN
	IF view IS NULL THEN
		RAISE EXCEPTION USING errcode = 'null_value_not_allowed', message = 'the name of the view must not be null';
	ELSIF source IS NULL AND EXISTS (SELECT FROM @.snapshots AS s WHERE s.view = snapshot.view) THEN
		RAISE EXCEPTION USING errcode = 'undefined_table', message = format('view "%s" of a snapshot no longer exists', view),
			hint = format('SELECT %s.drop_snapshot(%L) drops its snapshot, too.', store::regnamespace, view);
	ELSIF source IS NULL THEN
		RAISE EXCEPTION USING errcode = 'undefined_table', message = format('view "%s" does not exist in the store', view);
	ELSIF @.tells_of_people(source) THEN
		RAISE EXCEPTION USING errcode = 'feature_not_supported', message = format('cannot take a snapshot of view "%s"', view),
			detail = 'It tells about persons, and a copy would go on doing so after one is forgotten.',
			hint = 'For one customer it is answered by indexes. A table of your own with its rows is found by forget_customer if it has a column customer_id.';
	ELSIF EXISTS (SELECT FROM pg_class AS r, pg_options_to_table(r.reloptions) AS o WHERE r.oid = source AND o.option_name = 'security_invoker' AND o.option_value::boolean) THEN
		RAISE EXCEPTION USING errcode = 'feature_not_supported', message = format('cannot take a snapshot of view "%s"', view),
			detail = 'It shows each role what that role may see (security_invoker), and a copy would show the same to all.';
	ELSIF octet_length(view || '_snapshot') > 63 THEN
		RAISE EXCEPTION USING errcode = 'name_too_long', message = format('name of view "%s" is too long for a snapshot', view);
	END IF;

	-- one at a time
	LOCK TABLE @.snapshots IN SHARE ROW EXCLUSIVE MODE;
	SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute WHERE attrelid = source AND attnum > 0;
	IF to_regclass(target) IS NULL AND NOT has_schema_privilege(store, 'CREATE') THEN
		RAISE EXCEPTION USING errcode = 'insufficient_privilege', message = format('permission denied for schema %s', store::regnamespace),
			detail = format('There is no snapshot of "%s" yet, and the first one makes a table.', view),
			hint = 'Only the owner of the store can take the first snapshot of a view; an admin can refresh it.';
	ELSIF to_regclass(target) IS NULL THEN
		EXECUTE format('CREATE TABLE %s AS SELECT * FROM %s WITH NO DATA', target, source::regclass);
		-- no key: where it is published rows could not be deleted
		EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', target);
		EXECUTE format('COMMENT ON TABLE %s IS %L', target, format('snapshot of %s: %s', view, obj_description(source, 'pg_class')));
		-- its columns' comments, and who may read the view may read this
		FOR statement IN
			SELECT format('COMMENT ON COLUMN %s.%I IS %L', target, attname, col_description(source, attnum)) FROM pg_attribute
			WHERE attrelid = source AND attnum > 0 AND col_description(source, attnum) IS NOT NULL
			UNION ALL
			SELECT format('GRANT %s ON %s TO %s', a.privilege_type, target, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
			FROM pg_class AS r, aclexplode(r.relacl) AS a WHERE r.oid = source AND a.grantee <> r.relowner
		LOOP
			EXECUTE statement;
		END LOOP;
	ELSIF NOT EXISTS (SELECT FROM @.snapshots AS s WHERE s.view = snapshot.view) THEN
		RAISE EXCEPTION USING errcode = 'duplicate_table', message = format('%s exists and is not a snapshot', target);
	ELSE
		-- a later version's view may have more of them
		EXECUTE coalesce((
			SELECT format('ALTER TABLE %s %s', target, string_agg(format('ADD COLUMN %I %s', v.attname, format_type(v.atttypid, v.atttypmod)), ', ' ORDER BY v.attnum))
			FROM pg_attribute AS v WHERE v.attrelid = source AND v.attnum > 0
				AND NOT EXISTS (SELECT FROM pg_attribute AS t WHERE t.attrelid = target::regclass AND t.attname = v.attname)
			HAVING count(*) > 0), '');
	END IF;
	EXECUTE format('DELETE FROM %s', target);
	EXECUTE format('INSERT INTO %s (%s) SELECT %2$s FROM %3$s', target, columns, source::regclass);
	GET DIAGNOSTICS taken = ROW_COUNT;
	INSERT INTO @.snapshots AS s (view, taken_at, rows) VALUES (snapshot.view, begun, taken)
	ON CONFLICT ON CONSTRAINT snapshots_pkey DO UPDATE SET taken_at = excluded.taken_at, rows = excluded.rows;
	RETURN taken;
END
$function$;
COMMENT ON FUNCTION @.snapshot(text) IS 'keeps what that view says now in a table of its name and _snapshot, in place of what it said last time; gives the number of rows';

CREATE OR REPLACE FUNCTION @.refresh_snapshots() RETURNS TABLE (view text, rows bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
	FOR refresh_snapshots.view IN SELECT s.view FROM @.snapshots AS s ORDER BY s.view LOOP
		refresh_snapshots.rows := @.snapshot(refresh_snapshots.view);
		RAISE NOTICE USING message = format('snapshot of %s: %s rows', refresh_snapshots.view, refresh_snapshots.rows);
		RETURN NEXT;
	END LOOP;
END
$function$;
COMMENT ON FUNCTION @.refresh_snapshots() IS 'takes all snapshots again; a row for each';

CREATE OR REPLACE FUNCTION @.drop_snapshot(view text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
	store CONSTANT text := (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = $r$@.customers$r$::regclass);
BEGIN
	DELETE FROM @.snapshots AS s WHERE s.view = drop_snapshot.view;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING errcode = 'undefined_object', message = format('snapshot of "%s" does not exist', view);
	END IF;
	EXECUTE format('DROP TABLE IF EXISTS %s.%I', store, view || '_snapshot');
END
$function$;
COMMENT ON FUNCTION @.drop_snapshot(text) IS 'the view is kept no more';

REVOKE EXECUTE ON FUNCTION @.snapshot(text), @.refresh_snapshots(), @.drop_snapshot(text) FROM PUBLIC;

$ddl$;
COMMENT ON FUNCTION crm.store_snapshot() IS 'DDL of a store: views kept as tables';
