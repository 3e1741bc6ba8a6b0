/* status: what a DBA wants to know, and what is to be done about it */

CREATE FUNCTION crm.library_version() RETURNS text
AS 'MODULE_PATHNAME', 'crm_library_version' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.library_version() IS 'version of the library that this session uses';

CREATE FUNCTION crm.trigger_arguments(tgargs bytea) RETURNS text[]
AS 'MODULE_PATHNAME', 'crm_trigger_arguments' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.trigger_arguments(bytea) IS 'arguments of a trigger, from pg_trigger.tgargs';

CREATE FUNCTION crm.clock_state(OUT preloaded boolean, OUT launcher integer, OUT last_round timestamptz)
AS 'MODULE_PATHNAME', 'crm_clock_state' LANGUAGE C VOLATILE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.clock_state() IS 'whether the library is preloaded, the process of the clock''s launcher, and when it last came through all databases';

CREATE FUNCTION crm.clock_errors() RETURNS TABLE (at timestamptz, orders text, sqlstate text, message text)
AS 'MODULE_PATHNAME', 'crm_clock_errors' LANGUAGE C VOLATILE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.clock_errors() IS 'what the clock could not do in this database, newest first; the messages are for pg_read_all_stats';

/*
 * One row a tracked table, as its triggers tell.  The triggers of partitions
 * are for writes straight into them.
 */
CREATE FUNCTION crm.tracked() RETURNS TABLE (
	orders regclass,
	owner name,
	summary_name text,
	summary regclass,
	arguments text[],
	missing_triggers text[],
	disabled_triggers text[]
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH triggers AS (
		SELECT t.tgrelid, t.tgname, t.tgtype, t.tgenabled, t.tgnargs, crm.trigger_arguments(t.tgargs) AS arguments
		FROM pg_catalog.pg_trigger AS t
		WHERE t.tgfoid = 'crm.track_orders'::pg_catalog.regproc),
	-- one trigger of the orders has the arguments; or, of orders without triggers, one of the summary
	roots AS (
		SELECT c.oid, c.relkind, c.relnamespace, c.relowner, t.arguments, pg_catalog.parse_ident(t.arguments[1]) AS summary, true AS has_triggers
		FROM triggers AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
		WHERE t.tgnargs = 8 AND NOT c.relispartition AND NOT pg_catalog.starts_with(t.tgname, 'crm_track_partition_')
		UNION ALL
		SELECT c.oid, c.relkind, s.relnamespace, c.relowner, t.arguments[1:8], ARRAY[s.relname::text], false
		FROM triggers AS t
		JOIN pg_catalog.pg_class AS s ON s.oid = t.tgrelid
		CROSS JOIN LATERAL pg_catalog.parse_ident(t.arguments[9]) AS o (name)
		JOIN pg_catalog.pg_namespace AS n ON CASE WHEN pg_catalog.cardinality(o.name) = 1 THEN n.oid = s.relnamespace ELSE n.nspname = o.name[1] END
		JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = o.name[pg_catalog.cardinality(o.name)]
		WHERE t.tgnargs = 9 AND pg_catalog.pg_has_role(s.relowner, c.relowner, 'USAGE')),
	tables AS (
		SELECT r.oid AS root, r.oid AS relid, r.relkind = 'r' AS plain FROM roots AS r WHERE r.has_triggers
		UNION
		SELECT r.oid, p.relid, false FROM roots AS r, pg_catalog.pg_partition_tree(r.oid) AS p WHERE r.has_triggers AND r.relkind = 'p'),
	-- updates of a plain table have a trigger of the rows instead; one before TRUNCATE of a partition only saves time
	wanted AS (
		SELECT b.root, b.relid, e.event, t.tgname, t.tgenabled
		FROM tables AS b
		JOIN (VALUES ('insert', 4, 0), ('delete', 8, 0), ('update', 16, 0), ('truncate', 32, 0), ('update of a row', 16, 1)) AS e (event, bit, each_row)
			ON CASE WHEN b.plain THEN e.event <> 'update' ELSE e.each_row = 0 END
		LEFT JOIN triggers AS t ON t.tgrelid = b.relid AND t.tgtype & e.bit <> 0 AND t.tgtype & 1 = e.each_row AND t.tgtype & 2 = 0),
	problems AS (
		SELECT w.root,
			pg_catalog.array_agg(pg_catalog.format('%s on %s', w.event, w.relid::pg_catalog.regclass) ORDER BY w.relid, w.event)
				FILTER (WHERE w.tgname IS NULL) AS missing,
			pg_catalog.array_agg(DISTINCT pg_catalog.format('%I on %s', w.tgname, w.relid::pg_catalog.regclass) COLLATE "C")
				FILTER (WHERE w.tgenabled NOT IN ('O', 'A')) AS disabled
		FROM wanted AS w GROUP BY w.root)
	SELECT r.oid::pg_catalog.regclass, a.rolname, r.arguments[1], s.oid::pg_catalog.regclass, r.arguments,
		coalesce(p.missing, '{}'), coalesce(p.disabled, '{}')
	FROM roots AS r
	LEFT JOIN problems AS p ON p.root = r.oid
	JOIN pg_catalog.pg_roles AS a ON a.oid = r.relowner
	LEFT JOIN pg_catalog.pg_namespace AS n ON CASE WHEN pg_catalog.cardinality(r.summary) = 1 THEN n.oid = r.relnamespace ELSE n.nspname = r.summary[1] END
	LEFT JOIN pg_catalog.pg_class AS s ON s.relnamespace = n.oid AND s.relkind = 'r'
		AND s.relname = r.summary[pg_catalog.cardinality(r.summary)]
	ORDER BY r.oid::pg_catalog.regclass::text COLLATE "C";
END;
COMMENT ON FUNCTION crm.tracked() IS
	'tables of orders that are tracked: summary, arguments of crm.track() (summary, customer, ordered_at, amount, counts_if, policy, mode, notify), and triggers that are not as they should be';

/*
 * Whoever asks for the state of the database reads tables that others made, a
 * superuser too.  A type of theirs could bring a cast of theirs, and a policy
 * a function, which would run with the rights of who asks: only columns of the
 * types that crm gave them are read, and nothing under policies.  The planner
 * executes functions, too, of indexes, constraints and statistics: there they
 * must be the server's or crm's, unless the table's owner has the rights of who
 * asks anyway.
 */
CREATE FUNCTION crm.may_read(relation regclass, columns name[], types regtype[]) RETURNS boolean
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT c.relkind = 'r' AND NOT pg_catalog.row_security_active(c.oid) AND pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE')
		AND pg_catalog.cardinality(columns) = (
			SELECT pg_catalog.count(*) FROM ROWS FROM (pg_catalog.unnest(columns), pg_catalog.unnest(types)) AS w (name, type)
			JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = w.name AND a.atttypid = w.type
			WHERE a.attnum > 0 AND pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT'))
		AND (pg_catalog.pg_has_role(c.relowner, current_user, 'USAGE') OR NOT c.relispartition AND NOT EXISTS (
			SELECT FROM pg_catalog.pg_depend AS d
			WHERE (d.classid, d.objid) IN (
					SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, indexrelid FROM pg_catalog.pg_index WHERE indrelid = c.oid
					UNION ALL SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, oid FROM pg_catalog.pg_constraint WHERE conrelid = c.oid
					UNION ALL SELECT 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass, oid FROM pg_catalog.pg_statistic_ext WHERE stxrelid = c.oid)
				-- (those of the server are not there)
				AND d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_operator'::pg_catalog.regclass, 'pg_catalog.pg_type'::pg_catalog.regclass)
				AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS e JOIN pg_catalog.pg_extension AS x ON x.oid = e.refobjid
					WHERE e.classid = d.refclassid AND e.objid = d.refobjid AND e.deptype = 'e'
						AND e.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND x.extname = 'crm')))
	FROM pg_catalog.pg_class AS c WHERE c.oid = relation;
END;
COMMENT ON FUNCTION crm.may_read(regclass, name[], regtype[]) IS
	'whether the caller may read columns of a table, and nothing of somebody else''s would run if he did: they are of these types, under no policy, and no function of his is in an index, constraint or statistics';

CREATE FUNCTION crm.oldest_due(orders regclass) RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
	found regclass := (SELECT t.summary FROM crm.tracked() AS t WHERE t.orders = oldest_due.orders);
	oldest timestamptz;
BEGIN
	IF crm.may_read(found, '{check_at}', '{timestamptz}') THEN
		EXECUTE format('SELECT min(check_at) FROM ONLY %s', found) INTO oldest;
	END IF;
	RETURN oldest;
END
$body$;
COMMENT ON FUNCTION crm.oldest_due(regclass) IS
	'when the customer of a tracked table was, or will be, due who is due first; NULL for who may not read the summary';

CREATE FUNCTION crm.queue_state(orders regclass, OUT waiting bigint, OUT oldest timestamptz, OUT failed bigint, OUT last_error text)
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
	schema oid;
	name text;
	queue regclass;
	errors regclass;
BEGIN
	SELECT c.relnamespace, c.relname INTO schema, name FROM crm.tracked() AS t JOIN pg_class AS c ON c.oid = t.summary
	WHERE t.orders = queue_state.orders AND t.arguments[7] = 'queued';
	SELECT oid INTO queue FROM pg_class WHERE relnamespace = schema AND relname = name || '_queue' AND relkind = 'r';
	SELECT oid INTO errors FROM pg_class WHERE relnamespace = schema AND relname = name || '_errors' AND relkind = 'r';
	IF crm.may_read(queue, '{queued_at}', '{timestamptz}') THEN
		EXECUTE format('SELECT count(*), min(queued_at) FROM ONLY %s', queue) INTO waiting, oldest;
	END IF;
	IF crm.may_read(errors, '{failed_at,sqlstate,message}', '{timestamptz,text,text}') THEN
		EXECUTE format('SELECT count(*), (SELECT concat_ws('' '', sqlstate, message) FROM ONLY %1$s ORDER BY failed_at DESC LIMIT 1) FROM ONLY %1$s', errors)
			INTO failed, last_error;
	END IF;
END
$body$;
COMMENT ON FUNCTION crm.queue_state(regclass) IS
	'of a table that is tracked in mode queued: changes that wait, since when, and customers that could not be counted; NULL for who may not read the queue';

CREATE FUNCTION crm.stores() RETURNS TABLE (store name, version text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
	settings oid;
BEGIN
	FOR store, settings IN
		SELECT n.nspname, c.oid FROM pg_namespace AS n
		JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = 'settings' AND c.relkind = 'r'
		JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'crm_version' AND NOT a.attisdropped
		ORDER BY n.nspname COLLATE "C"
	LOOP
		version := NULL;
		IF crm.may_read(settings, '{crm_version}', '{text}') THEN
			EXECUTE format('SELECT crm_version FROM ONLY %I.settings LIMIT 1', store) INTO version;
		END IF;
		RETURN NEXT;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION crm.stores() IS
	'stores of this database, and the version of crm that made them; NULL for who may not read their settings';

/*
 * RFM scale and LTV model of each store whose fits the caller may read: the one
 * in use, and what the last try came to.
 */
CREATE FUNCTION crm.store_models() RETURNS TABLE (store name, kind text, as_of timestamptz, fitted_at timestamptz, tried_at timestamptz, notes text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
	FOR store IN
		SELECT s.store FROM crm.stores() AS s
		JOIN pg_namespace AS n ON n.nspname = s.store JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = 'fits'
		WHERE crm.may_read(c.oid, '{fit_id,kind,as_of,fitted_at,current,notes}', '{bigint,text,timestamptz,timestamptz,boolean,text}')
	LOOP
		RETURN QUERY EXECUTE format(
			'SELECT $1, k.kind, u.as_of, u.fitted_at, t.fitted_at, t.notes FROM (VALUES (''rfm''), (''ltv'')) AS k (kind)
			 LEFT JOIN ONLY %1$I.fits AS u ON u.kind = k.kind AND u.current
			 LEFT JOIN LATERAL (SELECT f.fitted_at, f.notes FROM ONLY %1$I.fits AS f WHERE f.kind = k.kind ORDER BY f.fit_id DESC LIMIT 1) AS t ON true',
			store) USING store;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION crm.store_models() IS
	'RFM scale and LTV model that each store uses: which orders they know, when they were fitted, and when and how the last try went; stores whose fits the caller may read';

/*
 * Of a tracked table: what the tables beside it lack of what crm.track() made,
 * and what mends it.  Whatever of it is gone, a refresh fills it, so that it
 * comes last, and once.
 */
CREATE FUNCTION crm.summary_findings(orders regclass) RETURNS TABLE (severity text, finding text, remedy text)
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
	tracked record;
	refresh CONSTANT text := format('SELECT crm.refresh(%L);', orders);
	effect text;
BEGIN
	SELECT t.summary, t.arguments[6] AS policy, t.arguments[7] AS mode, c.relnamespace, c.relname INTO tracked FROM crm.tracked() AS t JOIN pg_class AS c ON c.oid = t.summary
	WHERE t.orders = summary_findings.orders;
	effect := CASE tracked.mode WHEN 'immediate' THEN 'nothing can be written to the orders' WHEN 'queued' THEN 'nothing that is written to the orders is counted'
		ELSE 'it cannot be refreshed' END;
	severity := 'error';
	FOR finding, remedy IN
		WITH columns (suffix, number, name, type, definition) AS (VALUES
			('', 1, 'customer', NULL, NULL),
			('', 2, 'purchases', 'crm.purchases', 'NOT NULL DEFAULT ''{"orders": 0, "revenue": 0, "refunds": 0}'''),
			('', 3, 'stage', 'text', 'NOT NULL DEFAULT ''lead'' CHECK (stage IN (''lead'', ''new'', ''active'', ''loyal'', ''at_risk'', ''lost''))'),
			('', 4, 'stage_since', 'timestamptz', 'NOT NULL DEFAULT now()'),
			('', 5, 'stage_until', 'timestamptz', ''),
			('', 6, 'check_at', 'timestamptz', ''),
			('', 7, 'reactivated_at', 'timestamptz', ''),
			('_history', 1, 'customer', NULL, NULL),
			('_history', 2, 'from_stage', 'text', ''),
			('_history', 3, 'to_stage', 'text', 'NOT NULL DEFAULT ''lead'''),
			('_history', 4, 'at', 'timestamptz', 'NOT NULL DEFAULT now()'),
			('_history', 5, 'noticed_at', 'timestamptz', 'NOT NULL DEFAULT now()'),
			('_history', 6, 'cause', 'text', 'NOT NULL DEFAULT ''correction'''),
			('_queue', 1, 'customer', NULL, NULL),
			('_queue', 2, 'cause', 'text', 'NOT NULL DEFAULT ''correction'''),
			('_queue', 3, 'queued_at', 'timestamptz', 'NOT NULL DEFAULT now()'),
			('_errors', 1, 'customer', NULL, NULL),
			('_errors', 2, 'failed_at', 'timestamptz', 'NOT NULL DEFAULT now()'),
			('_errors', 3, 'sqlstate', 'text', 'NOT NULL DEFAULT '''''),
			('_errors', 4, 'message', 'text', 'NOT NULL DEFAULT ''''')),
		missing AS (
			SELECT b.oid::regclass AS beside, b.relname, c.*, a.attnum IS NULL AND c.type IS NOT NULL AS can_be_added
			FROM columns AS c
			JOIN pg_class AS b ON b.relnamespace = tracked.relnamespace AND b.relname = tracked.relname || c.suffix AND b.relkind = 'r'
			LEFT JOIN pg_attribute AS a ON a.attrelid = b.oid AND a.attname = c.name AND NOT a.attisdropped
			WHERE (a.attnum IS NULL OR a.atttypid <> c.type::regtype) AND (c.suffix IN ('', '_history') OR tracked.mode = 'queued'))
		SELECT format('columns that are missing, or of another type: %s. %s', string_agg(format('%I of %s', name, beside), ', ' ORDER BY relname COLLATE "C", number), upper(left(effect, 1)) || substr(effect, 2)),
			CASE WHEN bool_and(can_be_added) THEN
				string_agg(format('ALTER TABLE %s ADD COLUMN %I %s;', beside, name, concat_ws(' ', type, nullif(definition, ''))), ' ' ORDER BY relname COLLATE "C", number) || ' '
				|| coalesce(string_agg(format('CREATE INDEX ON %s (check_at); ', beside), '') FILTER (WHERE name = 'check_at'), '') || refresh
				ELSE '-- give them the type that they had, or call crm.untrack() and crm.track() again' END
		FROM missing HAVING count(*) > 0
	LOOP
		RETURN NEXT;
	END LOOP;
	-- with a column that is missing it comes back; it is gone with the column, too, if that was dropped and made again
	IF NOT FOUND AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = tracked.summary AND a.attname = 'check_at'
			AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = a.attrelid AND i.indkey[0] = a.attnum)) THEN
		severity := 'warning';
		finding := format('summary %s has no index on check_at: the clock reads all of it, and moves nobody if the column was made anew', tracked.summary);
		remedy := format('CREATE INDEX ON %s (check_at); ', tracked.summary) || refresh;
		RETURN NEXT;
	END IF;
	IF tracked.summary IS NOT NULL AND NOT EXISTS (SELECT FROM pg_class AS v WHERE v.relnamespace = tracked.relnamespace AND v.relname = tracked.relname || '_now') THEN
		severity := 'warning';
		finding := format('view %I, the stages as of now, does not exist', tracked.relname || '_now');
		remedy := format('SELECT crm.set_policy(%L, %L);', orders, tracked.policy);
		RETURN NEXT;
	END IF;
END
$body$;
COMMENT ON FUNCTION crm.summary_findings(regclass) IS 'part of doctor: what the tables beside a tracked table lack';

CREATE FUNCTION crm.status() RETURNS TABLE (subject text, item text, value text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' AS $body$
DECLARE
	clock record;
	tracked record;
	queue record;
BEGIN
	subject := 'crm';
	item := 'library version'; value := crm.library_version(); RETURN NEXT;
	item := 'extension version'; value := (SELECT extversion FROM pg_extension WHERE extname = 'crm'); RETURN NEXT;
	item := 'server version'; value := current_setting('server_version'); RETURN NEXT;

	subject := 'clock';
	SELECT * INTO clock FROM crm.clock_state();
	item := 'preloaded'; value := CASE WHEN clock.preloaded THEN 'yes' ELSE 'no' END; RETURN NEXT;
	item := 'on'; value := CASE WHEN current_setting('crm.clock')::boolean THEN 'yes' ELSE 'no' END; RETURN NEXT;
	item := 'every'; value := current_setting('crm.clock_naptime'); RETURN NEXT;
	item := 'process'; value := clock.launcher; RETURN NEXT;
	item := 'last round'; value := clock.last_round; RETURN NEXT;
	item := 'last error';
	value := (SELECT concat_ws(' ', date_trunc('second', e.at), e.orders, e.sqlstate, e.message) FROM crm.clock_errors() AS e LIMIT 1);
	RETURN NEXT;

	FOR tracked IN SELECT * FROM crm.tracked()
	LOOP
		subject := format('orders %s', tracked.orders);
		item := 'summary'; value := coalesce(tracked.summary::text, tracked.summary_name || ' is missing'); RETURN NEXT;
		item := 'mode'; value := tracked.arguments[7]; RETURN NEXT;
		item := 'triggers missing'; value := cardinality(tracked.missing_triggers); RETURN NEXT;
		item := 'triggers disabled'; value := cardinality(tracked.disabled_triggers); RETURN NEXT;
		item := 'lacks'; value := (SELECT string_agg(f.finding, '; ') FROM crm.summary_findings(tracked.orders) AS f); RETURN NEXT;
		item := 'oldest due'; value := crm.oldest_due(tracked.orders); RETURN NEXT;
		IF tracked.arguments[7] = 'queued' THEN
			SELECT * INTO queue FROM crm.queue_state(tracked.orders);
			item := 'queue length'; value := queue.waiting; RETURN NEXT;
			item := 'oldest queued'; value := queue.oldest; RETURN NEXT;
			item := 'failed'; value := queue.failed; RETURN NEXT;
			item := 'last error'; value := queue.last_error; RETURN NEXT;
		END IF;
	END LOOP;

	FOR tracked IN SELECT * FROM crm.stores()
	LOOP
		subject := format('store %I', tracked.store);
		item := 'version'; value := tracked.version; RETURN NEXT;
		FOR item, value IN
			SELECT format('%s as of', CASE m.kind WHEN 'rfm' THEN 'RFM scale' ELSE 'LTV model' END), coalesce(m.as_of::text, 'none: ' || m.notes, 'never fitted')
			FROM crm.store_models() AS m WHERE m.store = tracked.store ORDER BY 1 DESC
		LOOP
			RETURN NEXT;
		END LOOP;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION crm.status() IS 'versions, clock, tracked tables and stores of this database, as one list; times are UTC';

/*
 * Of a store: what is missing of what create_store makes, and what is not as it
 * has to be.  What it makes is read in its DDL.
 */
CREATE FUNCTION crm.store_findings(store name) RETURNS TABLE (severity text, finding text, remedy text)
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
	ident CONSTANT text := quote_ident(store);
	schema CONSTANT oid := to_regnamespace(ident);
	areas CONSTANT text := array_to_string(crm.store_areas(), E'\n');
	again CONSTANT text := format('SELECT crm.create_store(%L);', store);
	settings CONSTANT regclass := to_regclass(ident || '.settings');
	owner regrole;
	is_there boolean;
BEGIN
	severity := 'error';
	IF crm.may_read(settings, '{base_currency}', '{text}') THEN
		EXECUTE format('SELECT EXISTS (SELECT FROM ONLY %s)', settings) INTO is_there;
		IF NOT is_there THEN
			finding := 'it has no settings: figures are empty, and no order can be written';
			remedy := again || ' -- and, after its name, the base currency and the time zone if they were not EUR and UTC';
			RETURN NEXT;
		END IF;
	END IF;
	remedy := again;
	IF EXISTS (SELECT FROM pg_proc WHERE pronamespace = schema AND proname = 'order_value' AND pronargs = 0 AND strpos(prosrc, ident || '.settings') = 0) THEN
		finding := 'its functions look for a schema of another name, as it was renamed: nothing can be written';
		RETURN NEXT;
	END IF;
	FOR finding IN
		SELECT 'without a trigger: ' || string_agg(format('%s on %s', w.m[1], r.oid::regclass), ', ' ORDER BY r.relname COLLATE "C", w.m[1] COLLATE "C")
		FROM regexp_matches(areas, 'CREATE OR REPLACE TRIGGER (\w+) [^;]* ON @\.(\w+)', 'g') AS w(m) JOIN pg_class AS r ON r.relnamespace = schema AND r.relname = w.m[2]
		WHERE NOT EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = r.oid AND t.tgname = w.m[1]) HAVING count(*) > 0
	LOOP
		RETURN NEXT;
	END LOOP;
	-- those of crm.track() are the matter of the orders
	FOR finding, remedy IN
		SELECT format('disabled triggers: %s. Totals, stock, identities or messages may lack what was written meanwhile', string_agg(format('%I on %s', t.tgname, r.oid::regclass), ', ' ORDER BY r.relname COLLATE "C", t.tgname)),
			string_agg(format('ALTER TABLE %s ENABLE TRIGGER %I;', r.oid::regclass, t.tgname), ' ' ORDER BY r.relname COLLATE "C", t.tgname)
		FROM pg_class AS r JOIN pg_trigger AS t ON t.tgrelid = r.oid
		WHERE r.relnamespace = schema AND t.tgenabled NOT IN ('O', 'A') AND NOT t.tgisinternal AND t.tgfoid <> 'crm.track_orders'::regproc
			AND (r.relname, t.tgname) IN (SELECT m[2], m[1] FROM regexp_matches(areas, 'CREATE OR REPLACE TRIGGER (\w+) [^;]* ON @\.(\w+)', 'g') AS w(m))
		HAVING count(*) > 0
	LOOP
		RETURN NEXT;
	END LOOP;
	FOR finding, remedy IN
		SELECT format('foreign keys that are not checked: those of %s', string_agg(DISTINCT t.tgrelid::regclass::text COLLATE "C", ', ')),
			string_agg(DISTINCT format('ALTER TABLE %s ENABLE TRIGGER ALL;', t.tgrelid::regclass) COLLATE "C", ' ')
		FROM pg_class AS r JOIN pg_trigger AS t ON t.tgrelid = r.oid
		WHERE r.relnamespace = schema AND t.tgenabled NOT IN ('O', 'A') AND t.tgisinternal AND t.tgconstraint <> 0 HAVING count(*) > 0
	LOOP
		RETURN NEXT;
	END LOOP;

	severity := 'warning';
	remedy := again;
	FOR finding IN
		SELECT 'it lacks ' || string_agg(name, ', ' ORDER BY name COLLATE "C")
		FROM (
			SELECT format('%I.%I', store, c.relation) AS name FROM (SELECT DISTINCT relation FROM crm.store_comments() WHERE relation IS NOT NULL) AS c
			WHERE to_regclass(format('%I.%I', store, c.relation)) IS NULL
			UNION ALL
			SELECT format('%s.%s', ident, f.m[1]) FROM regexp_matches(areas, 'COMMENT ON FUNCTION @\.(\w+\([^)]*\))', 'g') AS f(m)
			WHERE to_regprocedure(format('%s.%s', ident, f.m[1])) IS NULL) AS l
		HAVING count(*) > 0
	LOOP
		RETURN NEXT;
	END LOOP;
	SELECT relowner INTO owner FROM pg_class WHERE oid = settings;
	FOR finding, remedy IN
		SELECT format('of other owners than its settings: %s', string_agg(o.name, ', ' ORDER BY o.name COLLATE "C")), string_agg(format('ALTER %s OWNER TO %s;', o.name, owner), ' ' ORDER BY o.name COLLATE "C")
		FROM (
			SELECT format('%s %s', CASE r.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, r.oid::regclass) AS name
			FROM pg_class AS r WHERE r.relnamespace = schema AND r.relkind IN ('r', 'p', 'v') AND r.relowner <> owner AND r.relname IN (SELECT relation FROM crm.store_comments())
			UNION ALL
			SELECT format('SCHEMA %s', ident) WHERE NOT (has_schema_privilege(owner, schema, 'USAGE') AND has_schema_privilege(owner, schema, 'CREATE'))) AS o
		HAVING count(*) > 0
	LOOP
		RETURN NEXT;
	END LOOP;
	FOR finding, remedy IN
		SELECT format('index %s is invalid, and of no use', i.indexrelid::regclass), format('REINDEX INDEX CONCURRENTLY %s;', i.indexrelid::regclass)
		FROM pg_class AS r JOIN pg_index AS i ON i.indrelid = r.oid JOIN pg_class AS x ON x.oid = i.indexrelid
		WHERE r.relnamespace = schema AND x.relkind = 'i' AND NOT i.indisvalid ORDER BY x.relname COLLATE "C"
	LOOP
		RETURN NEXT;
	END LOOP;

	severity := 'notice';
	FOR finding, remedy IN
		SELECT format('functions of an earlier version, or yours: %s', string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid::regprocedure::text COLLATE "C")),
			format('-- if they are not yours: DROP FUNCTION %s;', string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid::regprocedure::text COLLATE "C"))
		FROM pg_proc AS p
		WHERE p.pronamespace = schema AND p.prokind = 'f' AND p.proname IN (SELECT f.m[1] FROM regexp_matches(areas, 'COMMENT ON FUNCTION @\.(\w+)', 'g') AS f(m))
			AND p.oid NOT IN (SELECT to_regprocedure(format('%s.%s', ident, f.m[1])) FROM regexp_matches(areas, 'COMMENT ON FUNCTION @\.(\w+\([^)]*\))', 'g') AS f(m)
				WHERE to_regprocedure(format('%s.%s', ident, f.m[1])) IS NOT NULL)
		HAVING count(*) > 0
	LOOP
		RETURN NEXT;
	END LOOP;
	-- what create_store has made of constraints
	IF crm.may_read(to_regclass(ident || '.crm_constraints'), '{relation,name,definition}', '{text,text,text}') THEN
		FOR severity, finding, remedy IN EXECUTE format(
			'SELECT CASE WHEN k.valid IS NULL THEN ''notice'' ELSE ''warning'' END,
				CASE WHEN k.valid IS NULL THEN ''constraints that were dropped: '' ELSE ''constraints that hold for new rows only: '' END
					|| string_agg(format(''%%I of %%s'', coalesce(k.name, c.name), r.oid::regclass), '', '' ORDER BY c.relation COLLATE "C", c.name COLLATE "C"),
				CASE WHEN k.valid IS NULL THEN
					format(''DELETE FROM %%s.crm_constraints WHERE (relation, name) IN (%%s); %%s'', $1, string_agg(format(''(%%L, %%L)'', c.relation, c.name), '', '' ORDER BY c.relation COLLATE "C", c.name COLLATE "C"), $2)
					ELSE $2 || '' -- tells which rows violate them'' END
			FROM ONLY %1$s.crm_constraints AS c JOIN pg_class AS r ON r.relnamespace = $3 AND r.relname = c.relation
			LEFT JOIN crm.store_constraints($4) AS k ON k.relation = c.relation AND k.definition = c.definition
			WHERE NOT k.valid OR k.valid IS NULL AND NOT EXISTS (SELECT FROM crm.store_constraints($4) AS n WHERE n.relation = c.relation AND n.name = c.name)
			GROUP BY k.valid ORDER BY 1 DESC', ident) USING ident, again, schema, store
		LOOP
			RETURN NEXT;
		END LOOP;
	END IF;
END
$body$;
COMMENT ON FUNCTION crm.store_findings(name) IS 'part of doctor: what is wrong with a store';

/*
 * What is wrong, and the SQL that mends it.  error: something that crm shows is
 * or will be wrong; warning: it will be late, or is in danger; notice: it is
 * meant, perhaps.
 */
CREATE FUNCTION crm.doctor(late interval DEFAULT '1 hour', stale interval DEFAULT '30 days') RETURNS TABLE (severity text, subject text, finding text, remedy text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET intervalstyle = postgres AS $body$
DECLARE
	clock record;
	tracked record;
	queue record;
	a text[];
	extension text := (SELECT extversion FROM pg_extension WHERE extname = 'crm');
	again text;
	due timestamptz;
	clock_is_on boolean;
	beside regclass;
	somebody_is_tracked boolean := false;
	somebody_is_late boolean := false;
BEGIN
	/* versions */
	subject := 'crm';
	IF crm.library_version() <> extension THEN
		severity := 'error';
		finding := format('the library is of version %s, its SQL of version %s', crm.library_version(), extension);
		remedy := CASE WHEN EXISTS (SELECT FROM pg_extension_update_paths('crm')
				WHERE source = extension AND target = crm.library_version() AND path IS NOT NULL)
			THEN format('ALTER EXTENSION crm UPDATE TO %L;', crm.library_version())
			ELSE '-- restart the server: it has another version loaded than is installed' END;
		RETURN NEXT;
	END IF;
	FOR finding, remedy IN
		SELECT format('schema crm belongs to %I, who can change what the extension does', r.rolname),
			format('ALTER SCHEMA crm OWNER TO %s;', e.extowner::regrole)
		FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace JOIN pg_roles AS r ON r.oid = n.nspowner
		WHERE e.extname = 'crm' AND NOT r.rolsuper AND n.nspowner <> e.extowner
			AND n.nspowner <> (SELECT datdba FROM pg_database WHERE datname = current_database())
	LOOP
		severity := 'error'; RETURN NEXT;
	END LOOP;
	FOR finding, remedy IN
		SELECT format('%s may create functions in schema crm, which would be taken for those of the extension', coalesce('role ' || r.rolname, 'everybody')),
			format('REVOKE CREATE ON SCHEMA crm FROM %s;', coalesce(quote_ident(r.rolname), 'PUBLIC'))
		FROM pg_namespace AS n, aclexplode(n.nspacl) AS p LEFT JOIN pg_roles AS r ON r.oid = p.grantee
		WHERE n.nspname = 'crm' AND p.privilege_type = 'CREATE' AND p.grantee <> n.nspowner AND r.rolsuper IS NOT TRUE ORDER BY 1
	LOOP
		severity := 'error'; RETURN NEXT;
	END LOOP;
	FOR finding, remedy IN
		SELECT format('event trigger %I is disabled: partitions that come and go are not followed', evtname),
			format('ALTER EVENT TRIGGER %I ENABLE;', evtname)
		FROM pg_event_trigger WHERE evtfoid = 'crm.track_ddl'::regproc AND evtenabled NOT IN ('O', 'A') ORDER BY 1
	LOOP
		severity := 'error'; RETURN NEXT;
	END LOOP;
	IF current_setting('event_triggers', true) = 'off' THEN
		severity := 'error';
		finding := 'event triggers are off: partitions that come and go are not followed';
		remedy := 'ALTER SYSTEM RESET event_triggers; SELECT pg_reload_conf();';
		RETURN NEXT;
	END IF;
	IF current_setting('session_replication_role') = 'replica' THEN
		severity := 'warning';
		finding := 'no trigger fires for what this session writes';
		remedy := 'RESET session_replication_role;';
		RETURN NEXT;
	END IF;

	/* tracked tables */
	FOR tracked IN SELECT t.*, c.relowner, s.relname, s.relnamespace
		FROM crm.tracked() AS t JOIN pg_class AS c ON c.oid = t.orders LEFT JOIN pg_class AS s ON s.oid = t.summary
		ORDER BY t.orders::text COLLATE "C"
	LOOP
		somebody_is_tracked := true;
		subject := format('orders %s', tracked.orders);
		a := tracked.arguments;
		again := format('SELECT crm.untrack(%L); SELECT crm.track(%1$L, %L, %L, %L, %L, %L, %L, %L, %L);',
			tracked.orders, a[2], a[3], a[4], a[5], a[1], a[6], a[7], (a[8] = 'notify')::text);

		severity := 'error';
		IF tracked.summary IS NULL THEN
			finding := format('summary %s does not exist: nothing can be written to the orders', tracked.summary_name);
			remedy := '-- rename it back, or begin anew: ' || again;
			RETURN NEXT;
		END IF;
		FOR beside IN SELECT b.oid::regclass FROM pg_class AS b
			WHERE b.relnamespace = tracked.relnamespace AND b.relkind = 'r'
				AND (b.oid = tracked.summary OR b.relname = tracked.relname || '_history'
					OR a[7] = 'queued' AND b.relname IN (tracked.relname || '_queue', tracked.relname || '_errors'))
				AND NOT (pg_has_role(tracked.relowner, b.relowner, 'USAGE') AND pg_has_role(b.relowner, tracked.relowner, 'USAGE'))
			ORDER BY b.relname
		LOOP
			finding := format('%s belongs to another role than the orders: nothing can be written to the orders', beside);
			remedy := format('ALTER TABLE %s OWNER TO %I;', beside, tracked.owner);
			RETURN NEXT;
		END LOOP;
		IF tracked.summary IS NOT NULL AND NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = tracked.relnamespace AND relname = tracked.relname || '_history' AND relkind = 'r') THEN
			finding := format('history %I does not exist: nothing can be written to the orders', tracked.relname || '_history');
			remedy := '-- rename it back, or begin anew: ' || again;
			RETURN NEXT;
		END IF;
		FOR severity, finding, remedy IN SELECT * FROM crm.summary_findings(tracked.orders)
		LOOP
			RETURN NEXT;
		END LOOP;
		severity := 'error';
		IF EXISTS (SELECT FROM pg_attribute AS c WHERE c.attrelid = tracked.summary AND c.attname = 'customer' AND NOT EXISTS (
				SELECT FROM pg_index WHERE indrelid = tracked.summary AND indisprimary AND indisvalid AND indnkeyatts = 1 AND indkey[0] = c.attnum)) THEN
			finding := format('summary %s has no primary key on customer: nothing can be written to the orders', tracked.summary);
			remedy := format('ALTER TABLE %s %sADD PRIMARY KEY (customer);', tracked.summary,
				(SELECT format('DROP CONSTRAINT %I, ', conname) FROM pg_constraint WHERE conrelid = tracked.summary AND contype = 'p'));
			RETURN NEXT;
		END IF;
		IF NOT has_schema_privilege(tracked.owner, 'crm', 'USAGE') THEN
			finding := format('%I, the owner, may not use schema crm: nothing can be written to the orders', tracked.owner);
			remedy := format('GRANT USAGE ON SCHEMA crm TO %I;', tracked.owner);
			RETURN NEXT;
		END IF;
		IF a[7] = 'queued' AND tracked.summary IS NOT NULL AND (SELECT count(*) FROM pg_class AS s JOIN pg_class AS q
				ON q.relnamespace = s.relnamespace AND q.relkind = 'r' AND q.relname IN (s.relname || '_queue', s.relname || '_errors')
				WHERE s.oid = tracked.summary) < 2 THEN
			finding := 'the queue, or the log of its errors, does not exist: nothing that is written to the orders is counted';
			remedy := '-- rename it back, or begin anew: ' || again;
			RETURN NEXT;
		END IF;
		IF a[7] = 'refresh' THEN
			NULL;
		ELSIF EXISTS (SELECT FROM unnest(tracked.missing_triggers) AS m WHERE right(m, length(' on ' || tracked.orders)) = ' on ' || tracked.orders) THEN
			finding := format('without a trigger: %s. The summary does not know of what was written meanwhile',
				array_to_string(tracked.missing_triggers, ', '));
			-- of a store, whose views read the summary
			remedy := coalesce((SELECT format('SELECT crm.create_store(%L);', t.store)
				FROM crm.stores() AS t JOIN pg_namespace AS n ON n.nspname = t.store JOIN pg_class AS o ON o.relnamespace = n.oid AND o.relname = 'orders'
				WHERE o.oid = tracked.orders), '-- the history begins anew: ' || again);
			RETURN NEXT;
		ELSIF cardinality(tracked.missing_triggers) > 0 THEN
			finding := format('without a trigger: %s. The summary does not know of what was written straight into the partition',
				array_to_string(tracked.missing_triggers, ', '));
			remedy := format('SELECT crm.refresh(%L);', tracked.orders);
			RETURN NEXT;
		END IF;
		IF cardinality(tracked.disabled_triggers) > 0 THEN
			finding := format('disabled triggers: %s. The summary does not know of what was written meanwhile',
				array_to_string(tracked.disabled_triggers, ', '));
			remedy := (SELECT string_agg(format('ALTER TABLE %s ENABLE TRIGGER %I;', tgrelid::regclass, tgname), ' ' ORDER BY tgrelid, tgname)
				FROM pg_trigger WHERE tgfoid = 'crm.track_orders'::regproc AND tgenabled NOT IN ('O', 'A')
					AND (tgrelid = tracked.orders OR tgrelid IN (SELECT relid FROM pg_partition_tree(tracked.orders))))
				|| format(' SELECT crm.refresh(%L);', tracked.orders);
			RETURN NEXT;
		END IF;

		severity := 'warning';
		IF EXISTS (SELECT FROM pg_class AS s JOIN pg_class AS o ON o.oid = tracked.orders WHERE s.oid = tracked.summary AND s.relpersistence = 'u' AND o.relpersistence <> 'u') THEN
			finding := format('summary %s is unlogged: after a crash of the server it is empty', tracked.summary);
			remedy := format('ALTER TABLE %s SET LOGGED; SELECT crm.refresh(%L);', tracked.summary, tracked.orders);
			RETURN NEXT;
		END IF;
		FOR finding, remedy IN
			SELECT format('index %s is invalid, and of no use', i.indexrelid::regclass), format('REINDEX INDEX CONCURRENTLY %s;', i.indexrelid::regclass)
			FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_class AS r ON r.oid = i.indrelid
			WHERE i.indrelid IN (tracked.orders, tracked.summary) AND x.relkind = 'i' AND NOT i.indisvalid
				AND NOT EXISTS (SELECT FROM crm.stores() AS s JOIN pg_namespace AS n ON n.nspname = s.store WHERE n.oid = r.relnamespace)
			ORDER BY x.relname COLLATE "C"
		LOOP
			RETURN NEXT;
		END LOOP;
		IF EXISTS (SELECT FROM pg_subscription_rel WHERE srrelid = tracked.summary) THEN
			-- the publisher's, who keeps it
			IF current_setting('crm.clock')::boolean AND (SELECT s.preloaded FROM crm.clock_state() AS s) THEN
				finding := format('summary %s comes by logical replication, and the clock writes to it here, too', tracked.summary);
				remedy := format('ALTER DATABASE %I SET crm.clock = off;', current_database());
				RETURN NEXT;
			END IF;
			CONTINUE;
		ELSIF EXISTS (SELECT FROM pg_subscription_rel WHERE srrelid IN (SELECT relid FROM pg_partition_tree(tracked.orders)) OR srrelid = tracked.orders) THEN
			finding := 'the orders come by logical replication, for which no statement trigger fires';
			remedy := format('SELECT crm.refresh(%L); -- again and again: by cron, say', tracked.orders);
			RETURN NEXT;
		END IF;
		SELECT * INTO queue FROM crm.queue_state(tracked.orders);
		IF queue.failed > 0 THEN
			severity := 'error';
			finding := format('customers that could not be counted: %s; the last error: %s', queue.failed, queue.last_error);
			remedy := format('-- mend the cause, and then: SELECT crm.refresh(%L);', tracked.orders);
			RETURN NEXT;
			severity := 'warning';
		END IF;
		IF queue.oldest < now() - late THEN
			finding := format('changes that are not counted yet: %s, the first for %s', queue.waiting, date_trunc('second', now() - queue.oldest));
			remedy := format('SELECT crm.apply_queue(%L);', tracked.orders);
			RETURN NEXT;
		END IF;
		due := crm.oldest_due(tracked.orders);
		IF due < now() - late THEN
			somebody_is_late := true;
			finding := format('stages are late: a customer is due since %s', date_trunc('second', now() - due));
			remedy := format('SELECT crm.advance_stages(now(), %L);', tracked.orders);
			RETURN NEXT;
		END IF;
	END LOOP;

	/* what crm.track() made of orders that nobody tracks: a dump that was restored by who may not create the triggers */
	FOR severity, subject, finding, remedy IN
		-- (where they are by their name)
		SELECT CASE WHEN EXISTS (SELECT FROM pg_class AS o WHERE o.relnamespace = s.relnamespace AND o.oid <> s.oid AND o.relname = regexp_replace(s.relname, '_lifecycle$', ''))
				THEN 'error' ELSE 'warning' END,
			format('summary %s', s.oid::regclass), 'no trigger keeps it: its orders are not tracked',
			format('-- DROP TABLE %s, %I.%I CASCADE; and call crm.track() again, or restore them again after: GRANT EXECUTE ON FUNCTION crm.track_orders() TO %s;',
				s.oid::regclass, n.nspname, s.relname || '_history', s.relowner::regrole)
		FROM pg_class AS s JOIN pg_namespace AS n ON n.oid = s.relnamespace
		JOIN pg_class AS h ON h.relnamespace = s.relnamespace AND h.relname = s.relname || '_history' AND h.relkind = 'r'
		WHERE s.relkind = 'r'
			AND (SELECT count(*) FROM pg_attribute AS a WHERE a.attrelid = s.oid AND (a.attname, a.atttypid)
				IN (('purchases', 'crm.purchases'::regtype), ('stage', 'text'::regtype), ('stage_until', 'timestamptz'::regtype), ('check_at', 'timestamptz'::regtype))) = 4
			AND (SELECT count(*) FROM pg_attribute AS a WHERE a.attrelid = h.oid AND a.attname IN ('customer', 'from_stage', 'to_stage', 'noticed_at', 'cause')) = 5
			AND NOT EXISTS (SELECT FROM crm.tracked() AS t WHERE t.summary = s.oid)
			-- of a store it is said below
			AND NOT EXISTS (SELECT FROM crm.stores() AS t WHERE t.store = n.nspname)
		ORDER BY s.oid::regclass::text COLLATE "C"
	LOOP
		RETURN NEXT;
	END LOOP;

	/* the clock */
	subject := 'clock';
	SELECT * INTO clock FROM crm.clock_state();
	clock_is_on := current_setting('crm.clock')::boolean;
	IF NOT somebody_is_tracked OR pg_is_in_recovery() THEN
		NULL;
	ELSIF NOT clock.preloaded THEN
		severity := CASE WHEN somebody_is_late THEN 'warning' ELSE 'notice' END;
		finding := 'time moves no customer by itself: the library is not preloaded';
		remedy := format('ALTER SYSTEM SET shared_preload_libraries = %s; -- and restart; or call crm.advance_stages() from cron',
			concat_ws(', ', CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') THEN nullif(current_setting('shared_preload_libraries'), '')
				ELSE '...' END, 'crm'));
		RETURN NEXT;
	ELSIF NOT clock_is_on THEN
		severity := CASE WHEN somebody_is_late THEN 'warning' ELSE 'notice' END;
		finding := 'the clock is off for this session, and perhaps for this database or the server';
		remedy := format('ALTER DATABASE %I RESET crm.clock; -- or: ALTER SYSTEM RESET crm.clock; SELECT pg_reload_conf();', current_database());
		RETURN NEXT;
	ELSIF clock.launcher IS NULL THEN
		severity := 'warning';
		finding := 'the clock''s launcher is not running';
		remedy := '-- the server starts it again within seconds; if not, the reason is in the server''s log';
		RETURN NEXT;
	ELSIF clock.last_round < now() - late - current_setting('crm.clock_naptime')::interval THEN
		severity := 'warning';
		finding := format('the clock has not come through all databases since %s', date_trunc('second', now() - clock.last_round));
		remedy := '-- is a process to be had? SHOW max_worker_processes; what does it wait for? SELECT * FROM pg_stat_activity WHERE backend_type LIKE ''crm clock%'';';
		RETURN NEXT;
	END IF;
	FOR subject, finding, remedy IN
		SELECT DISTINCT ON (e.orders) 'orders ' || e.orders,
			format('the clock failed %s ago: %s %s', date_trunc('second', now() - e.at), e.sqlstate, e.message),
			format('SELECT crm.advance_stages(now(), %L); -- shows whether it still does', e.orders)
		FROM crm.clock_errors() AS e WHERE e.at > now() - late AND to_regclass(e.orders) IS NOT NULL
		ORDER BY e.orders, e.at DESC
	LOOP
		severity := 'warning'; RETURN NEXT;
	END LOOP;

	/* stores */
	FOR subject, finding, remedy IN
		SELECT format('store %I', s.store), format('it was made by version %s', s.version), format('SELECT crm.create_store(%L);', s.store)
		FROM crm.stores() AS s WHERE s.version <> extension
	LOOP
		severity := 'warning'; RETURN NEXT;
	END LOOP;
	FOR severity, subject, finding, remedy IN
		SELECT f.severity, format('store %I', s.store), f.finding, f.remedy FROM crm.stores() AS s, crm.store_findings(s.store) AS f
		WHERE has_schema_privilege(s.store, 'USAGE')
	LOOP
		RETURN NEXT;
	END LOOP;
	-- one that was restored by somebody who may not create the triggers, say
	FOR subject, finding, remedy IN
		SELECT format('store %I', s.store), 'its orders are not tracked: stages are those of a time before', format('SELECT crm.create_store(%L);', s.store)
		FROM crm.stores() AS s JOIN pg_namespace AS n ON n.nspname = s.store JOIN pg_class AS o ON o.relnamespace = n.oid AND o.relname = 'orders'
		WHERE NOT EXISTS (SELECT FROM crm.tracked() AS t WHERE t.orders = o.oid)
	LOOP
		severity := 'error'; RETURN NEXT;
	END LOOP;
	-- models that know nothing of the last orders, or none where a customer has something to lose
	FOR severity, subject, finding, remedy IN
		SELECT CASE WHEN count(m.as_of) > 0 THEN 'warning' ELSE 'notice' END, format('store %I', m.store),
			string_agg(CASE WHEN m.as_of IS NULL THEN format('no %s is in use%s', k.name, ': ' || m.notes)
				ELSE format('%s knows no orders of the last %s%s', k.name, date_trunc('day', now() - m.as_of), '; the last try: ' || m.notes) END, '; ' ORDER BY k.name DESC),
			format('SELECT * FROM %I.fit();', m.store)
		FROM crm.store_models() AS m JOIN (VALUES ('rfm', 'RFM scale'), ('ltv', 'LTV model')) AS k (kind, name) USING (kind)
		WHERE m.as_of < now() - stale OR m.as_of IS NULL AND EXISTS (
			SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
			WHERE n.nspname = m.store AND c.relname = 'orders' AND crm.oldest_due(c.oid) IS NOT NULL)
		GROUP BY m.store ORDER BY m.store COLLATE "C"
	LOOP
		RETURN NEXT;
	END LOOP;
END
$body$;
COMMENT ON FUNCTION crm.doctor(interval, interval) IS
	'what is wrong with the tracked tables, stores and the clock of this database, and the SQL that mends it; late: how late a stage may be before it is a finding; stale: how old the models of a store may be';
