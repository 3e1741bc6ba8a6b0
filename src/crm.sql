/* crm: what comes before every room */

/*
 * CREATE EXTENSION takes a schema crm that is there already.  What is in it
 * could be taken for what the extension means, and whoever owns it could add to
 * it later.  The latter is a warning only: a dump makes the schema first, as
 * the role that had it, and must always be restored.
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
		RAISE WARNING USING message = pg_catalog.format('schema crm belongs to %s', schema_owner),
			detail = 'Its owner can change what the extension does.',
			hint = 'ALTER SCHEMA crm OWNER TO the owner of the extension.';
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

