/* crm: what comes before every room */

/*
 * CREATE EXTENSION takes a schema crm that is there already.  Whoever owns it
 * could put functions into it that those of the extension would be taken for,
 * now and later.  (A dump makes the schema first: as the role that had it.)
 */
DO $do$
DECLARE
	schema_owner pg_catalog.text;
BEGIN
	SELECT n.nspowner::pg_catalog.regrole::pg_catalog.text INTO schema_owner
	FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace
	JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) n.nspowner
	WHERE e.extname OPERATOR(pg_catalog.=) 'crm'::pg_catalog.name
		AND n.nspowner OPERATOR(pg_catalog.<>) e.extowner AND NOT r.rolsuper
		AND n.nspowner OPERATOR(pg_catalog.<>) (SELECT d.datdba FROM pg_catalog.pg_database AS d WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database());
	IF FOUND THEN
		RAISE EXCEPTION USING errcode = 'insufficient_privilege', message = pg_catalog.format('schema crm belongs to %s', schema_owner),
			detail = 'Its owner could change what the extension does.',
			hint = 'Drop or rename the schema, or give it to the owner of the database.';
	END IF;
	IF EXISTS (SELECT FROM pg_catalog.pg_depend AS d
			WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass::pg_catalog.oid
				AND d.refobjid OPERATOR(pg_catalog.=) (SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname OPERATOR(pg_catalog.=) 'crm'::pg_catalog.name)
				AND d.deptype OPERATOR(pg_catalog.=) 'n'::pg_catalog."char"
				AND d.classid OPERATOR(pg_catalog.<>) 'pg_catalog.pg_extension'::pg_catalog.regclass::pg_catalog.oid) THEN
		RAISE EXCEPTION USING errcode = 'duplicate_schema', message = 'schema crm is not empty',
			hint = 'Drop or rename what is in it.';
	END IF;
END
$do$;

/*
 * Whoever may connect may call: no function here reads a table but with the
 * caller's rights, or as the owner of a table that he had tracked.
 */
GRANT USAGE ON SCHEMA crm TO PUBLIC;

