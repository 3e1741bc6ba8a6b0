/* track: a summary row and a stage per customer, kept current by triggers */

CREATE FUNCTION crm.track_orders() RETURNS trigger
AS 'MODULE_PATHNAME', 'crm_track_orders' LANGUAGE C;
REVOKE EXECUTE ON FUNCTION crm.track_orders() FROM PUBLIC;
COMMENT ON FUNCTION crm.track_orders() IS 'trigger function that crm.track() uses; works as the owner of the orders';

CREATE FUNCTION crm.track(
	orders regclass,
	customer text,
	ordered_at text,
	amount text,
	counts_if text DEFAULT 'true',
	into_table text DEFAULT NULL,
	policy crm.lifecycle_policy DEFAULT crm.lifecycle_policy(),
	mode text DEFAULT 'immediate',
	notify boolean DEFAULT true
) RETURNS regclass
AS 'MODULE_PATHNAME', 'crm_track' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.track(regclass, text, text, text, text, text, crm.lifecycle_policy, text, boolean) IS
	'keep a summary of what each customer has bought, and the stage, current; customer, ordered_at, amount and counts_if are columns of orders or expressions';

CREATE FUNCTION crm.untrack(orders regclass) RETURNS void
AS 'MODULE_PATHNAME', 'crm_untrack' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.untrack(regclass) IS 'end tracking; drops the triggers, the summary and its history';

CREATE FUNCTION crm.refresh(orders regclass) RETURNS bigint
AS 'MODULE_PATHNAME', 'crm_refresh' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.refresh(regclass) IS 'calculate the summary of a tracked table anew; number of rows that changed';

CREATE FUNCTION crm.verify(orders regclass)
RETURNS TABLE (customer text, problem text, stored text, expected text)
AS 'MODULE_PATHNAME', 'crm_verify' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.verify(regclass) IS 'every difference between the summary of a tracked table and its orders';

/* Partitions that come and go bring and take orders without a row trigger. */

CREATE FUNCTION crm.track_ddl() RETURNS event_trigger
AS 'MODULE_PATHNAME', 'crm_track_ddl' LANGUAGE C;
REVOKE EXECUTE ON FUNCTION crm.track_ddl() FROM PUBLIC;
COMMENT ON FUNCTION crm.track_ddl() IS 'event trigger function: follows partitions, names and triggers of tracked tables';

CREATE EVENT TRIGGER crm_track_ddl_start ON ddl_command_start
WHEN TAG IN ('ALTER TABLE', 'DROP TABLE', 'ALTER SCHEMA', 'DROP SCHEMA', 'DROP OWNED', 'ALTER EXTENSION', 'DROP EXTENSION',
	'ALTER TYPE', 'DROP TYPE', 'ALTER DOMAIN', 'DROP DOMAIN', 'CREATE FUNCTION', 'ALTER FUNCTION', 'DROP FUNCTION', 'ALTER ROUTINE', 'DROP ROUTINE',
	'ALTER OPERATOR', 'DROP OPERATOR', 'ALTER COLLATION', 'DROP COLLATION', 'DROP CAST')
EXECUTE FUNCTION crm.track_ddl();
COMMENT ON EVENT TRIGGER crm_track_ddl_start IS 'notes which tracked tables may lose a partition or a name, or change a type';

CREATE EVENT TRIGGER crm_track_ddl_rewrite ON table_rewrite WHEN TAG IN ('ALTER TABLE', 'ALTER TYPE')
EXECUTE FUNCTION crm.track_ddl();
COMMENT ON EVENT TRIGGER crm_track_ddl_rewrite IS 'notes which tracked tables get other values';

CREATE EVENT TRIGGER crm_track_ddl_end ON ddl_command_end
WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE', 'DROP TABLE', 'CREATE FOREIGN TABLE', 'CREATE TRIGGER', 'DROP TRIGGER',
	'CREATE SCHEMA', 'ALTER SCHEMA', 'DROP SCHEMA', 'DROP OWNED', 'ALTER EXTENSION', 'DROP EXTENSION',
	'ALTER TYPE', 'DROP TYPE', 'ALTER DOMAIN', 'DROP DOMAIN', 'CREATE FUNCTION', 'ALTER FUNCTION', 'DROP FUNCTION', 'ALTER ROUTINE', 'DROP ROUTINE',
	'ALTER OPERATOR', 'DROP OPERATOR', 'ALTER COLLATION', 'DROP COLLATION', 'DROP CAST')
EXECUTE FUNCTION crm.track_ddl();
COMMENT ON EVENT TRIGGER crm_track_ddl_end IS 'follows partitions, names and triggers of tracked tables';
