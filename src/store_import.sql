/*
 * store, thirteenth area: rows from files of other people's making
 *
 * They come as text into a temporary table and go from there into the store in
 * batches.  A batch that fails is divided until the bad rows are alone, so a
 * good row costs what it costs in a plain INSERT ... SELECT, and whatever
 * refuses a row, be it its type, a constraint or a trigger, is its reason.
 */
CREATE FUNCTION crm.store_import() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN $ddl$

CREATE OR REPLACE FUNCTION @.start_import(target text, VARIADIC columns text[]) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $function$
DECLARE
	store CONSTANT text := (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = $r$@.customers$r$::regclass);
	relation CONSTANT regclass := to_regclass(format('%s.%I', store, target));
	wrong text;
BEGIN
	IF relation IS NULL THEN
		RAISE EXCEPTION USING errcode = 'undefined_table', message = format('table "%s" does not exist in the store', target);
	END IF;
	SELECT c INTO wrong FROM unnest(columns) AS c
	WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = relation AND attname = c AND attnum > 0 AND NOT attisdropped AND attgenerated = '');
	IF FOUND THEN
		RAISE EXCEPTION USING errcode = 'undefined_column', message = format('table "%s" has no column "%s" that can be written', target, wrong);
	END IF;
	EXECUTE format('DROP TABLE IF EXISTS pg_temp.%I', 'import_' || target);
	EXECUTE format('CREATE TEMPORARY TABLE %I (import_line bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, import_fault text, %s)', 'import_' || target,
		(SELECT string_agg(format('%I text', c), ', ' ORDER BY n) FROM unnest(columns) WITH ORDINALITY AS u(c, n)));
	RETURN format('COPY pg_temp.%I (%s) FROM STDIN (FORMAT csv, HEADER)', 'import_' || target, (SELECT string_agg(quote_ident(c), ', ' ORDER BY n) FROM unnest(columns) WITH ORDINALITY AS u(c, n)));
END
$function$;
COMMENT ON FUNCTION @.start_import(text, text[])
	IS 'makes the temporary table import_..., which takes a file for that table as it is; the columns in the order of the file; gives the COPY that fills it';

CREATE OR REPLACE FUNCTION @.finish_import(target text, skip_bad boolean DEFAULT false, batch integer DEFAULT 10000) RETURNS TABLE (line bigint, reason text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
	store CONSTANT text := (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = $r$@.customers$r$::regclass);
	relation CONSTANT regclass := to_regclass(format('%s.%I', store, target));
	source CONSTANT regclass := to_regclass(format('pg_temp.%I', 'import_' || target));
	insert_them text;
	check_now text;
	lows bigint[];
	highs bigint[];
	low bigint;
	high bigint;
	middle bigint;
	last integer;
	said text;
	more text;
	good bigint := 0;
	bad bigint;
	number bigint;
	sequence record;
BEGIN
	IF relation IS NULL OR source IS NULL THEN
		RAISE EXCEPTION USING errcode = 'undefined_table', message = format('no import into "%s" was started in this session', target);
	END IF;
	IF batch IS NULL OR batch < 1 THEN
		RAISE EXCEPTION USING errcode = 'invalid_parameter_value', message = 'batch must be at least 1';
	END IF;
	-- what is empty gets the column's default, if it has one
	SELECT format('INSERT INTO %s (%s) SELECT %s FROM %s AS i WHERE i.import_line BETWEEN $1 AND $2 ORDER BY i.import_line', relation,
		string_agg(quote_ident(c.attname), ', ' ORDER BY s.attnum),
		string_agg(CASE WHEN c.attidentity <> '' THEN format('coalesce(i.%I::%s, nextval(%L))', c.attname, format_type(c.atttypid, c.atttypmod), pg_get_serial_sequence(relation::text, c.attname))
			WHEN c.atthasdef THEN format('coalesce(i.%I::%s, %s)', c.attname, format_type(c.atttypid, c.atttypmod), pg_get_expr(d.adbin, d.adrelid))
			ELSE format('i.%I::%s', c.attname, format_type(c.atttypid, c.atttypmod)) END, ', ' ORDER BY s.attnum), source) INTO insert_them
	FROM pg_attribute AS s JOIN pg_attribute AS c ON c.attrelid = relation AND c.attname = s.attname AND c.attnum > 0
	LEFT JOIN pg_attrdef AS d ON d.adrelid = c.attrelid AND d.adnum = c.attnum
	WHERE s.attrelid = source AND s.attnum > 2 AND NOT s.attisdropped;

	check_now := @.check_deferred(relation);
	EXECUTE format('UPDATE %s SET import_fault = NULL WHERE import_fault IS NOT NULL', source);
	EXECUTE format('SELECT array_agg(l ORDER BY l DESC), array_agg(l + $1 - 1 ORDER BY l DESC)
		FROM (SELECT min(import_line) AS low, max(import_line) AS high FROM %s) AS e, generate_series(low, high, $1) AS l', source) INTO lows, highs USING batch::bigint;
	WHILE cardinality(lows) > 0 LOOP
		last := cardinality(lows);
		low := lows[last];
		high := highs[last];
		lows := lows[:last - 1];
		highs := highs[:last - 1];
		BEGIN
			EXECUTE insert_them USING low, high;
			GET DIAGNOSTICS number = ROW_COUNT;
			IF check_now IS NOT NULL THEN
				EXECUTE check_now;
			END IF;
			EXECUTE format('DELETE FROM %s WHERE import_line BETWEEN $1 AND $2', source) USING low, high;
			good := good + number;
		EXCEPTION WHEN OTHERS THEN
			-- not the rows' fault: a deadlock, no space, a lock that was not to be had
			IF SQLSTATE ~ '^(40|53|55P03|57|58|XX)' THEN
				RAISE;
			END IF;
			GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, more = PG_EXCEPTION_DETAIL;
			-- the right half later: a row that is there twice is good the first time
			IF low < high THEN
				middle := (low + high) / 2;
				lows := lows || (middle + 1) || low;
				highs := highs || high || middle;
			ELSE
				EXECUTE format('UPDATE %s SET import_fault = $1 WHERE import_line = $2', source)
					USING said || CASE WHEN more <> '' AND NOT starts_with(more, 'Failing row') THEN '. ' || more ELSE '' END, low;
			END IF;
		END;
	END LOOP;

	EXECUTE format('SELECT count(*), string_agg(format(''line %%s: %%s'', import_line, import_fault), e''\n'' ORDER BY import_line) FILTER (WHERE place <= 20)
		FROM (SELECT *, row_number() OVER (ORDER BY import_line) AS place FROM %s) AS i', source) INTO bad, more;
	IF bad > 0 AND NOT coalesce(skip_bad, false) THEN
		RAISE EXCEPTION USING errcode = 'data_exception', message = format('cannot import %s of %s rows into "%s"', bad, good + bad, target), detail = more,
			hint = 'No row was imported. With skip_bad => true the others are.';
	END IF;
	FOR sequence IN
		SELECT pg_get_serial_sequence(relation::text, c.attname)::regclass AS id, c.attname FROM pg_attribute AS s JOIN pg_attribute AS c ON c.attrelid = relation AND c.attname = s.attname
		WHERE s.attrelid = source AND s.attnum > 2 AND c.attidentity <> ''
	LOOP
		EXECUTE format('SELECT setval(%L, m) FROM (SELECT max(%I) AS m FROM %s) AS t, %s WHERE m > last_value OR m = last_value AND NOT is_called', sequence.id, sequence.attname, relation, sequence.id);
	END LOOP;
	RAISE NOTICE '% rows imported into "%", % refused', good, target, bad;
	RETURN QUERY EXECUTE format('SELECT import_line, import_fault FROM %s ORDER BY import_line', source);
END
$function$;
COMMENT ON FUNCTION @.finish_import(text, boolean, integer)
	IS 'writes the rows of import_... into the table: all, or an error that tells lines and reasons; with skip_bad all that are good, and gives the others, which stay in import_...';

REVOKE EXECUTE ON FUNCTION @.start_import(text, text[]), @.finish_import(text, boolean, integer) FROM PUBLIC;

$ddl$;
COMMENT ON FUNCTION crm.store_import() IS 'DDL of a store: import';
