/* session: what one person does without a long pause */

CREATE TYPE crm.session AS (ended_at timestamptz, touches bigint, ordered_at timestamptz);
COMMENT ON TYPE crm.session IS 'a session: when the last of it happened, its touches, and its first order';

CREATE FUNCTION crm.session(happened_at timestamptz, is_order boolean, timeout interval) RETURNS crm.session
AS 'MODULE_PATHNAME', 'crm_session' LANGUAGE C WINDOW IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.session(timestamptz, boolean, interval)
	IS 'window function over one person''s touches and orders by time: at the touch with which a session begins, the whole of it; elsewhere NULL';
