/* channel: how channels perform, and credit by a rule of thumb */

CREATE FUNCTION crm.channel_tiers() RETURNS TABLE (revenue_share numeric, conversion_rate numeric, credit numeric)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 2
BEGIN ATOMIC
	SELECT * FROM (VALUES (0.50, 0.10, 0.10), (0.75, 0.20, 0.25)) tier (revenue_share, conversion_rate, credit);
END;
COMMENT ON FUNCTION crm.channel_tiers() IS 'the tiers of channel_credit() unless told: minimum revenue share, minimum conversion rate, credit';

CREATE FUNCTION crm.channel_credit(revenue_share numeric, conversion_rate numeric, tiers numeric[]) RETURNS numeric
AS 'MODULE_PATHNAME', 'crm_channel_credit' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.channel_credit(numeric, numeric, numeric[]) IS 'the credit of the highest tier that a channel reaches; the conversion rate if it reaches none';

CREATE FUNCTION crm.channel_credit(revenue_share numeric, conversion_rate numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT crm.channel_credit($1, $2, pg_catalog.array_agg(ARRAY[t.revenue_share, t.conversion_rate, t.credit])) FROM crm.channel_tiers() AS t;
END;
COMMENT ON FUNCTION crm.channel_credit(numeric, numeric) IS 'credit of a channel by its share of the revenue and its conversion rate, by the tiers of channel_tiers()';

CREATE FUNCTION crm.channel_credit_linear(revenue_share numeric, conversion_rate numeric) RETURNS numeric
AS 'MODULE_PATHNAME', 'crm_channel_credit_linear' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.channel_credit_linear(numeric, numeric) IS 'the same without steps: conversion rate times (0.5 + share of the revenue)';
