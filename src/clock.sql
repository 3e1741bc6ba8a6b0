/* clock: time alone moves customers to at_risk and lost */

CREATE FUNCTION crm.advance_stages(
	as_of timestamptz DEFAULT pg_catalog.now(),
	orders regclass DEFAULT NULL,
	max_customers bigint DEFAULT NULL
) RETURNS bigint
AS 'MODULE_PATHNAME', 'crm_advance_stages' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.advance_stages(timestamptz, regclass, bigint) IS
	'apply what is queued, then move the customers that are due by as_of to at_risk and lost, in one or all tracked tables; number of customers';

CREATE FUNCTION crm.apply_queue(
	orders regclass DEFAULT NULL,
	max_customers bigint DEFAULT NULL
) RETURNS bigint
AS 'MODULE_PATHNAME', 'crm_apply_queue' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.apply_queue(regclass, bigint) IS
	'bring the customers in the queue of one or all tracked tables up to date; number of customers';
