/* store: the whole CRM as a schema of the user's own */

/*
 * What a store consists of is written in src/store_*.sql as plain DDL, one
 * area a file, in which @ stands for the store's schema.  Each can be run
 * again: it adds what is missing, replaces functions and views, and drops
 * nothing.  The objects belong to the caller; none is a member of crm.
 */
CREATE FUNCTION crm.create_store(store text, base_currency text DEFAULT 'EUR', time_zone text DEFAULT 'UTC') RETURNS regnamespace
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $body$
DECLARE
	ident text := quote_ident(store);
	area text;
	lost record;
	described record;
	options jsonb;
	owner regrole;
	problem text;
	detail text;
	hint text;
BEGIN
	IF store IS NULL OR base_currency IS NULL OR time_zone IS NULL THEN
		RAISE EXCEPTION USING errcode = 'null_value_not_allowed',
			message = CASE WHEN store IS NULL THEN 'the name of a store must not be null' ELSE 'base currency and time zone must not be null' END;
	ELSIF store = '' OR octet_length(store) > 63 OR strpos(store, '$') > 0 OR starts_with(store, 'pg_') OR store IN ('crm', 'information_schema') THEN
		RAISE EXCEPTION USING errcode = 'invalid_schema_name',
			message = format('"%s" can''t be the name of a store', store),
			detail = 'It is a schema''s name of up to 63 bytes, not one of the system''s or of the extension, and without a dollar sign.';
	END IF;

	/* +2 is east of Greenwich for some, and west of it for POSIX, and here */
	IF time_zone !~ '^[[:alpha:]]' THEN
		RAISE EXCEPTION USING errcode = 'invalid_parameter_value', message = format('"%s" can''t be the time zone of a store', time_zone),
			hint = 'Take a name, such as Europe/Lisbon; the view pg_timezone_names has them.';
	END IF;

	/* two sessions that create the same store: one after the other */
	PERFORM pg_advisory_xact_lock(hashtextextended('crm.create_store ' || store, 0));
	IF to_regnamespace(ident) IS NULL THEN
		EXECUTE format('CREATE SCHEMA %I', store);
		EXECUTE format('COMMENT ON SCHEMA %I IS %L', store, 'a store of crm: customers, products, orders, touches and the views on them');
	ELSIF NOT (has_schema_privilege(to_regnamespace(ident), 'USAGE') AND has_schema_privilege(to_regnamespace(ident), 'CREATE')) THEN
		RAISE EXCEPTION USING errcode = 'insufficient_privilege', message = format('permission denied for schema %s', ident),
			hint = 'A store takes a schema of your own, or CREATE on the database.';
	ELSIF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(ident || '.settings') AND attname = 'crm_version')
		AND EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace(ident)) THEN
		RAISE EXCEPTION USING errcode = 'duplicate_schema',
			message = format('schema "%s" exists and is not a store', store),
			hint = 'Choose another name; an empty schema will do.';
	END IF;

	/* what is added would belong to another than the rest of it */
	SELECT relowner INTO owner FROM pg_class WHERE oid = to_regclass(ident || '.settings') AND relowner <> current_user::regrole;
	IF FOUND THEN
		RAISE EXCEPTION USING errcode = 'insufficient_privilege',
			message = format('store "%s" is brought up to date by its owner only', store),
			hint = format('SET ROLE %s.', owner);
	END IF;

	/* CREATE OR REPLACE VIEW would forget what the user has set: security_invoker, say */
	SELECT jsonb_object_agg(relname, reloptions) INTO options FROM pg_class
	WHERE relnamespace = to_regnamespace(ident) AND relkind = 'v' AND reloptions IS NOT NULL;

	FOREACH area IN ARRAY ARRAY[crm.store_money(), crm.store_customers(), crm.store_merge(), crm.store_products(), crm.store_orders(),
		crm.store_touches(), crm.store_lifecycle(), crm.store_views(), crm.store_insight(), crm.store_messages(), crm.store_privacy(),
		crm.store_snapshot(), crm.store_import()]
	LOOP
		BEGIN
			/* a column that there is no more: each is a line of its CREATE TABLE, which finds the table and does nothing */
			FOR lost IN
				SELECT t.relation, d AS definition
				FROM (SELECT to_regclass(format('%s.%I', ident, m[1])) AS relation, m[2] AS body
					FROM regexp_matches(area, E'CREATE TABLE IF NOT EXISTS @\\.(\\w+?) \\((.*?)\\n\\);', 'g') AS m) AS t,
					regexp_split_to_table(t.body, E',?\\n\\t') AS d
				WHERE d ~ '^"?[a-z_]+"? [a-z]' AND t.relation IS NOT NULL
					AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = t.relation AND attnum > 0 AND attname = btrim(split_part(d, ' ', 1), '"'))
			LOOP
				EXECUTE format('ALTER TABLE %s ADD COLUMN %s', lost.relation, replace(lost.definition, '@.', ident || '.'));
			END LOOP;
			EXECUTE replace(area, '@.', ident || '.');
		EXCEPTION WHEN invalid_table_definition OR invalid_function_definition OR wrong_object_type OR undefined_column OR undefined_table OR not_null_violation THEN
			GET STACKED DIAGNOSTICS problem = MESSAGE_TEXT;
			RAISE EXCEPTION USING errcode = 'object_not_in_prerequisite_state',
				message = format('store "%s" can''t be brought up to date', store),
				detail = format('A view, function or table of it is no longer as crm made it: %s.', problem),
				hint = 'Rename what you changed, and mend or drop what is missing; create_store makes its own again.';
		WHEN OTHERS THEN
			/* the same, without pages of statements as its context */
			GET STACKED DIAGNOSTICS problem = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
			IF detail = '' AND hint = '' THEN
				RAISE EXCEPTION USING errcode = SQLSTATE, message = problem;
			ELSIF hint = '' THEN
				RAISE EXCEPTION USING errcode = SQLSTATE, message = problem, detail = detail;
			ELSIF detail = '' THEN
				RAISE EXCEPTION USING errcode = SQLSTATE, message = problem, hint = hint;
			END IF;
			RAISE EXCEPTION USING errcode = SQLSTATE, message = problem, detail = detail, hint = hint;
		END;
	END LOOP;

	/* see store_lifecycle.sql; what somebody has put there is not dropped */
	IF to_regclass(ident || '.crm_old_lifecycle') IS NOT NULL THEN
		BEGIN
			IF EXISTS (SELECT FROM (VALUES ('.crm_old_lifecycle', '.orders_lifecycle'), ('.crm_old_lifecycle_history', '.orders_lifecycle_history')) AS t(old, new)
				JOIN pg_attribute AS o ON o.attrelid = to_regclass(ident || t.old) AND o.attnum > 0 AND NOT o.attisdropped
				WHERE NOT EXISTS (SELECT FROM pg_attribute AS n WHERE n.attrelid = to_regclass(ident || t.new) AND n.attname = o.attname)) THEN
				RAISE dependent_objects_still_exist;
			END IF;
			EXECUTE format('DROP VIEW %1$I.crm_old_lifecycle_now; DROP TABLE %1$I.crm_old_lifecycle, %1$I.crm_old_lifecycle_history', store);
		EXCEPTION WHEN dependent_objects_still_exist THEN
			RAISE WARNING USING message = format('stages of customers in store "%s" are tracked anew', store),
				detail = 'Something of yours is in the tables of before or reads them. They are called crm_old_lifecycle and crm_old_lifecycle_history now.',
				hint = 'Take it over to orders_lifecycle and orders_lifecycle_history, and drop the others.';
		END;
	END IF;

	EXECUTE coalesce((
		SELECT string_agg(format('ALTER VIEW %I.%I SET (%s)', store, key,
			(SELECT string_agg(format('%I = %L', split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)), ', ') FROM jsonb_array_elements_text(value) AS o)), '; ')
		FROM jsonb_each(options)), '');

	EXECUTE format('SELECT $1 WHERE NOT EXISTS (SELECT FROM %1$I.settings) AND NOT EXISTS (SELECT FROM %1$I.currencies WHERE currency = $1)', store)
		INTO problem USING base_currency;
	IF problem IS NOT NULL THEN
		RAISE EXCEPTION USING errcode = 'invalid_parameter_value', message = format('the currency "%s" is not known', base_currency),
			hint = 'It goes by three capital letters, as ISO 4217 has it.';
	END IF;
	EXECUTE format('INSERT INTO %I.settings (base_currency, time_zone) VALUES ($1, $2) ON CONFLICT DO NOTHING', store)
		USING base_currency, time_zone;
	EXECUTE format('UPDATE %I.settings SET crm_version = extversion FROM pg_catalog.pg_extension WHERE extname = ''crm'' AND crm_version IS DISTINCT FROM extversion', store);

	/*
	 * One row, which autovacuum never looks at: a planner that guesses a hundred
	 * multiplies every view's cost with it, and compiles them.
	 */
	EXECUTE format('ANALYZE %I.settings', store);

	/* a comment on every table, view and column that has none yet */
	FOR described IN
		SELECT r.relname, CASE WHEN r.relkind = 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind, t.comment,
			obj_description(r.oid, 'pg_class') IS NULL AS missing, r.oid
		FROM pg_class AS r JOIN crm.store_comments() AS t ON t.relation = r.relname AND t."column" IS NULL
		WHERE r.relnamespace = to_regnamespace(ident) AND r.relkind IN ('r', 'p', 'v')
	LOOP
		IF described.missing THEN
			EXECUTE format('COMMENT ON %s %I.%I IS %L', described.kind, store, described.relname, described.comment);
		END IF;
		EXECUTE coalesce((
			SELECT string_agg(format('COMMENT ON COLUMN %I.%I.%I IS %L', store, described.relname, attname, comment), '; ')
			FROM (
				SELECT DISTINCT ON (attnum) attname, c.comment
				FROM pg_attribute JOIN crm.store_comments() AS c
					ON c."column" = attname AND coalesce(c.relation, described.relname) = described.relname
				WHERE attrelid = described.oid AND attnum > 0 AND NOT attisdropped AND col_description(attrelid, attnum) IS NULL
				ORDER BY attnum, c.relation NULLS LAST) AS d), '');
	END LOOP;

	RETURN to_regnamespace(ident);
END
$body$;
COMMENT ON FUNCTION crm.create_store(text, text, text) IS 'creates a store in a schema of the caller''s own, or brings it up to date';
