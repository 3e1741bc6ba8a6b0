/* stage: where a customer stands, and when that changes if nothing is bought */

CREATE TYPE crm.lifecycle_policy;

CREATE FUNCTION crm.lifecycle_policy_in(cstring) RETURNS crm.lifecycle_policy
AS 'MODULE_PATHNAME', 'crm_lifecycle_policy_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.lifecycle_policy_in(cstring) IS 'I/O';

CREATE FUNCTION crm.lifecycle_policy_out(crm.lifecycle_policy) RETURNS cstring
AS 'MODULE_PATHNAME', 'crm_lifecycle_policy_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.lifecycle_policy_out(crm.lifecycle_policy) IS 'I/O';

CREATE FUNCTION crm.lifecycle_policy_recv(internal) RETURNS crm.lifecycle_policy
AS 'MODULE_PATHNAME', 'crm_lifecycle_policy_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.lifecycle_policy_recv(internal) IS 'I/O';

CREATE FUNCTION crm.lifecycle_policy_send(crm.lifecycle_policy) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_lifecycle_policy_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.lifecycle_policy_send(crm.lifecycle_policy) IS 'I/O';

CREATE TYPE crm.lifecycle_policy (
	INPUT = crm.lifecycle_policy_in,
	OUTPUT = crm.lifecycle_policy_out,
	RECEIVE = crm.lifecycle_policy_recv,
	SEND = crm.lifecycle_policy_send,
	INTERNALLENGTH = 64,
	ALIGNMENT = double,
	STORAGE = plain
);
COMMENT ON TYPE crm.lifecycle_policy IS 'when a customer is loyal, at risk and lost';

CREATE FUNCTION crm.lifecycle_policy(
	at_risk_after interval DEFAULT '90 days',
	lost_after interval DEFAULT '180 days',
	loyal_from bigint DEFAULT 5,
	at_risk_gaps numeric DEFAULT 2,
	lost_gaps numeric DEFAULT 4,
	personal boolean DEFAULT true
) RETURNS crm.lifecycle_policy
AS 'MODULE_PATHNAME', 'crm_lifecycle_policy' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.lifecycle_policy(interval, interval, bigint, numeric, numeric, boolean) IS
	'a policy: overdue after a fixed time, or after so many of the customer''s own average gaps if that is longer (unless personal is false)';

CREATE FUNCTION crm.stage(
	p crm.purchases,
	as_of timestamptz DEFAULT pg_catalog.now(),
	policy crm.lifecycle_policy DEFAULT crm.lifecycle_policy()
) RETURNS text
AS 'MODULE_PATHNAME', 'crm_stage' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.stage(crm.purchases, timestamptz, crm.lifecycle_policy) IS
	'where a customer stands at as_of: lead, new, active, loyal, at_risk or lost';

CREATE FUNCTION crm.stage_until(
	p crm.purchases,
	policy crm.lifecycle_policy DEFAULT crm.lifecycle_policy(),
	as_of timestamptz DEFAULT NULL
) RETURNS timestamptz
AS 'MODULE_PATHNAME', 'crm_stage_until' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.stage_until(crm.purchases, crm.lifecycle_policy, timestamptz) IS
	'last moment of the stage at as_of (at the last order unless told) if nothing is bought; null if time does not end it';

CREATE FUNCTION crm.phase(stage text) RETURNS text
AS 'MODULE_PATHNAME', 'crm_phase' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.phase(text) IS 'phase of the life cycle that a stage belongs to: acquisition, launch, development or separation';
