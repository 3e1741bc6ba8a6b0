/* policy: another one for a tracked table */
CREATE FUNCTION crm.set_policy(orders regclass, policy crm.lifecycle_policy) RETURNS bigint
AS 'MODULE_PATHNAME', 'crm_set_policy' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.set_policy(regclass, crm.lifecycle_policy) IS
	'from now on customers of a tracked table are new, at risk, lost by that policy; number of rows of the summary that changed';

