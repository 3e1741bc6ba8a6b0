/* contact: e-mail addresses and telephone numbers */

/*
 * The operators and min() and max() live in pg_catalog, as plpgsql's objects
 * do: =, IN, JOIN ... USING, NULLIF and IS DISTINCT FROM then work under every
 * search_path, the empty one of pg_dump and pg_restore included (there is no
 * way to write a schema into the last four).  They take the two types of this
 * file only and shadow nothing.
 */

CREATE TYPE crm.email;

CREATE FUNCTION crm.email_in(cstring) RETURNS crm.email
AS 'MODULE_PATHNAME', 'crm_email_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.email_in(cstring) IS 'I/O';

CREATE FUNCTION crm.email_out(crm.email) RETURNS cstring
AS 'MODULE_PATHNAME', 'crm_email_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.email_out(crm.email) IS 'I/O';

CREATE FUNCTION crm.email_recv(internal) RETURNS crm.email
AS 'MODULE_PATHNAME', 'crm_email_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.email_recv(internal) IS 'I/O';

CREATE FUNCTION crm.email_send(crm.email) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_email_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.email_send(crm.email) IS 'I/O';

CREATE TYPE crm.email (
	INPUT = crm.email_in,
	OUTPUT = crm.email_out,
	RECEIVE = crm.email_recv,
	SEND = crm.email_send,
	INTERNALLENGTH = VARIABLE,
	STORAGE = extended
);

COMMENT ON TYPE crm.email IS 'e-mail address: validated, compared whatever the case of its letters';

/*
 * From text the cast is implicit: drivers that send a parameter as text or
 * varchar can compare with it and use the index.  To text it is not, or =
 * would silently compare texts.
 */
CREATE CAST (text AS crm.email) WITH INOUT AS IMPLICIT;
CREATE CAST (varchar AS crm.email) WITH INOUT AS IMPLICIT;
CREATE CAST (crm.email AS text) WITH INOUT AS ASSIGNMENT;
CREATE CAST (crm.email AS varchar) WITH INOUT AS ASSIGNMENT;

CREATE FUNCTION crm.email_eq(crm.email, crm.email) RETURNS boolean
AS 'MODULE_PATHNAME', 'crm_email_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.email_eq(crm.email, crm.email) IS 'implementation of = operator';

CREATE FUNCTION crm.email_ne(crm.email, crm.email) RETURNS boolean
AS 'MODULE_PATHNAME', 'crm_email_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.email_ne(crm.email, crm.email) IS 'implementation of <> operator';

CREATE FUNCTION crm.email_lt(crm.email, crm.email) RETURNS boolean
AS 'MODULE_PATHNAME', 'crm_email_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.email_lt(crm.email, crm.email) IS 'implementation of < operator';

CREATE FUNCTION crm.email_le(crm.email, crm.email) RETURNS boolean
AS 'MODULE_PATHNAME', 'crm_email_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.email_le(crm.email, crm.email) IS 'implementation of <= operator';

CREATE FUNCTION crm.email_gt(crm.email, crm.email) RETURNS boolean
AS 'MODULE_PATHNAME', 'crm_email_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.email_gt(crm.email, crm.email) IS 'implementation of > operator';

CREATE FUNCTION crm.email_ge(crm.email, crm.email) RETURNS boolean
AS 'MODULE_PATHNAME', 'crm_email_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.email_ge(crm.email, crm.email) IS 'implementation of >= operator';

CREATE OPERATOR pg_catalog.= (
	FUNCTION = crm.email_eq,
	LEFTARG = crm.email,
	RIGHTARG = crm.email,
	COMMUTATOR = OPERATOR(pg_catalog.=),
	NEGATOR = OPERATOR(pg_catalog.<>),
	RESTRICT = eqsel,
	JOIN = eqjoinsel,
	HASHES,
	MERGES
);
COMMENT ON OPERATOR pg_catalog.= (crm.email, crm.email) IS 'equal';

CREATE OPERATOR pg_catalog.<> (
	FUNCTION = crm.email_ne,
	LEFTARG = crm.email,
	RIGHTARG = crm.email,
	COMMUTATOR = OPERATOR(pg_catalog.<>),
	NEGATOR = OPERATOR(pg_catalog.=),
	RESTRICT = neqsel,
	JOIN = neqjoinsel
);
COMMENT ON OPERATOR pg_catalog.<> (crm.email, crm.email) IS 'not equal';

CREATE OPERATOR pg_catalog.< (
	FUNCTION = crm.email_lt,
	LEFTARG = crm.email,
	RIGHTARG = crm.email,
	COMMUTATOR = OPERATOR(pg_catalog.>),
	NEGATOR = OPERATOR(pg_catalog.>=),
	RESTRICT = scalarltsel,
	JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR pg_catalog.< (crm.email, crm.email) IS 'less than';

CREATE OPERATOR pg_catalog.<= (
	FUNCTION = crm.email_le,
	LEFTARG = crm.email,
	RIGHTARG = crm.email,
	COMMUTATOR = OPERATOR(pg_catalog.>=),
	NEGATOR = OPERATOR(pg_catalog.>),
	RESTRICT = scalarlesel,
	JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR pg_catalog.<= (crm.email, crm.email) IS 'less than or equal';

CREATE OPERATOR pg_catalog.> (
	FUNCTION = crm.email_gt,
	LEFTARG = crm.email,
	RIGHTARG = crm.email,
	COMMUTATOR = OPERATOR(pg_catalog.<),
	NEGATOR = OPERATOR(pg_catalog.<=),
	RESTRICT = scalargtsel,
	JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR pg_catalog.> (crm.email, crm.email) IS 'greater than';

CREATE OPERATOR pg_catalog.>= (
	FUNCTION = crm.email_ge,
	LEFTARG = crm.email,
	RIGHTARG = crm.email,
	COMMUTATOR = OPERATOR(pg_catalog.<=),
	NEGATOR = OPERATOR(pg_catalog.<),
	RESTRICT = scalargesel,
	JOIN = scalargejoinsel
);
COMMENT ON OPERATOR pg_catalog.>= (crm.email, crm.email) IS 'greater than or equal';

CREATE FUNCTION crm.email_cmp(crm.email, crm.email) RETURNS integer
AS 'MODULE_PATHNAME', 'crm_email_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.email_cmp(crm.email, crm.email) IS 'less-equal-greater';

CREATE FUNCTION crm.email_sortsupport(internal) RETURNS void
AS 'MODULE_PATHNAME', 'crm_email_sortsupport' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.email_sortsupport(internal) IS 'sort support';

CREATE FUNCTION crm.email_hash(crm.email) RETURNS integer
AS 'MODULE_PATHNAME', 'crm_email_hash' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.email_hash(crm.email) IS 'hash';

CREATE FUNCTION crm.email_hash_extended(crm.email, bigint) RETURNS bigint
AS 'MODULE_PATHNAME', 'crm_email_hash_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.email_hash_extended(crm.email, bigint) IS 'hash with a seed';

CREATE OPERATOR FAMILY crm.email_ops USING btree;
COMMENT ON OPERATOR FAMILY crm.email_ops USING btree IS 'the order of e-mail addresses';
CREATE OPERATOR CLASS crm.email_ops DEFAULT FOR TYPE crm.email USING btree FAMILY crm.email_ops AS
	OPERATOR 1 pg_catalog.<,
	OPERATOR 2 pg_catalog.<=,
	OPERATOR 3 pg_catalog.=,
	OPERATOR 4 pg_catalog.>=,
	OPERATOR 5 pg_catalog.>,
	FUNCTION 1 crm.email_cmp(crm.email, crm.email),
	FUNCTION 2 crm.email_sortsupport(internal);
COMMENT ON OPERATOR CLASS crm.email_ops USING btree IS 'the order of e-mail addresses';

CREATE OPERATOR FAMILY crm.email_ops USING hash;
COMMENT ON OPERATOR FAMILY crm.email_ops USING hash IS 'the equality of e-mail addresses';
CREATE OPERATOR CLASS crm.email_ops DEFAULT FOR TYPE crm.email USING hash FAMILY crm.email_ops AS
	OPERATOR 1 pg_catalog.=,
	FUNCTION 1 crm.email_hash(crm.email),
	FUNCTION 2 crm.email_hash_extended(crm.email, bigint);
COMMENT ON OPERATOR CLASS crm.email_ops USING hash IS 'the equality of e-mail addresses';

CREATE FUNCTION crm.email_larger(crm.email, crm.email) RETURNS crm.email
AS 'MODULE_PATHNAME', 'crm_email_larger' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.email_larger(crm.email, crm.email) IS 'larger of two';

CREATE FUNCTION crm.email_smaller(crm.email, crm.email) RETURNS crm.email
AS 'MODULE_PATHNAME', 'crm_email_smaller' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.email_smaller(crm.email, crm.email) IS 'smaller of two';

CREATE AGGREGATE pg_catalog.max(crm.email) (
	SFUNC = crm.email_larger,
	STYPE = crm.email,
	COMBINEFUNC = crm.email_larger,
	SORTOP = OPERATOR(pg_catalog.>),
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE pg_catalog.max(crm.email) IS 'last of all in the order of e-mail addresses';

CREATE AGGREGATE pg_catalog.min(crm.email) (
	SFUNC = crm.email_smaller,
	STYPE = crm.email,
	COMBINEFUNC = crm.email_smaller,
	SORTOP = OPERATOR(pg_catalog.<),
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE pg_catalog.min(crm.email) IS 'first of all in the order of e-mail addresses';

CREATE FUNCTION crm.domain(crm.email) RETURNS text
AS 'MODULE_PATHNAME', 'crm_domain' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.domain(crm.email) IS 'what stands behind the @, in lower case';

CREATE FUNCTION crm.folded(crm.email) RETURNS text
AS 'MODULE_PATHNAME', 'crm_folded' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.folded(crm.email) IS 'the address in lower case: two are equal if and only if these are';

CREATE FUNCTION crm.local_part(crm.email) RETURNS text
AS 'MODULE_PATHNAME', 'crm_local_part' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.local_part(crm.email) IS 'what stands before the @, as it was entered';

CREATE TYPE crm.phone;

CREATE FUNCTION crm.phone_in(cstring) RETURNS crm.phone
AS 'MODULE_PATHNAME', 'crm_phone_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.phone_in(cstring) IS 'I/O';

CREATE FUNCTION crm.phone_out(crm.phone) RETURNS cstring
AS 'MODULE_PATHNAME', 'crm_phone_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.phone_out(crm.phone) IS 'I/O';

CREATE FUNCTION crm.phone_recv(internal) RETURNS crm.phone
AS 'MODULE_PATHNAME', 'crm_phone_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.phone_recv(internal) IS 'I/O';

CREATE FUNCTION crm.phone_send(crm.phone) RETURNS bytea
AS 'MODULE_PATHNAME', 'crm_phone_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.phone_send(crm.phone) IS 'I/O';

CREATE TYPE crm.phone (
	INPUT = crm.phone_in,
	OUTPUT = crm.phone_out,
	RECEIVE = crm.phone_recv,
	SEND = crm.phone_send,
	LIKE = pg_catalog.int8,
	CATEGORY = 'U'
);

COMMENT ON TYPE crm.phone IS 'international telephone number (E.164)';

/*
 * From text the cast is implicit: drivers that send a parameter as text or
 * varchar can compare with it and use the index.  To text it is not, or =
 * would silently compare texts.
 */
CREATE CAST (text AS crm.phone) WITH INOUT AS IMPLICIT;
CREATE CAST (varchar AS crm.phone) WITH INOUT AS IMPLICIT;
CREATE CAST (crm.phone AS text) WITH INOUT AS ASSIGNMENT;
CREATE CAST (crm.phone AS varchar) WITH INOUT AS ASSIGNMENT;

CREATE FUNCTION crm.phone_eq(crm.phone, crm.phone) RETURNS boolean
AS 'int8eq' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.phone_eq(crm.phone, crm.phone) IS 'implementation of = operator';

CREATE FUNCTION crm.phone_ne(crm.phone, crm.phone) RETURNS boolean
AS 'int8ne' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.phone_ne(crm.phone, crm.phone) IS 'implementation of <> operator';

CREATE FUNCTION crm.phone_lt(crm.phone, crm.phone) RETURNS boolean
AS 'int8lt' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.phone_lt(crm.phone, crm.phone) IS 'implementation of < operator';

CREATE FUNCTION crm.phone_le(crm.phone, crm.phone) RETURNS boolean
AS 'int8le' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.phone_le(crm.phone, crm.phone) IS 'implementation of <= operator';

CREATE FUNCTION crm.phone_gt(crm.phone, crm.phone) RETURNS boolean
AS 'int8gt' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.phone_gt(crm.phone, crm.phone) IS 'implementation of > operator';

CREATE FUNCTION crm.phone_ge(crm.phone, crm.phone) RETURNS boolean
AS 'int8ge' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.phone_ge(crm.phone, crm.phone) IS 'implementation of >= operator';

CREATE OPERATOR pg_catalog.= (
	FUNCTION = crm.phone_eq,
	LEFTARG = crm.phone,
	RIGHTARG = crm.phone,
	COMMUTATOR = OPERATOR(pg_catalog.=),
	NEGATOR = OPERATOR(pg_catalog.<>),
	RESTRICT = eqsel,
	JOIN = eqjoinsel,
	HASHES,
	MERGES
);
COMMENT ON OPERATOR pg_catalog.= (crm.phone, crm.phone) IS 'equal';

CREATE OPERATOR pg_catalog.<> (
	FUNCTION = crm.phone_ne,
	LEFTARG = crm.phone,
	RIGHTARG = crm.phone,
	COMMUTATOR = OPERATOR(pg_catalog.<>),
	NEGATOR = OPERATOR(pg_catalog.=),
	RESTRICT = neqsel,
	JOIN = neqjoinsel
);
COMMENT ON OPERATOR pg_catalog.<> (crm.phone, crm.phone) IS 'not equal';

CREATE OPERATOR pg_catalog.< (
	FUNCTION = crm.phone_lt,
	LEFTARG = crm.phone,
	RIGHTARG = crm.phone,
	COMMUTATOR = OPERATOR(pg_catalog.>),
	NEGATOR = OPERATOR(pg_catalog.>=),
	RESTRICT = scalarltsel,
	JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR pg_catalog.< (crm.phone, crm.phone) IS 'less than';

CREATE OPERATOR pg_catalog.<= (
	FUNCTION = crm.phone_le,
	LEFTARG = crm.phone,
	RIGHTARG = crm.phone,
	COMMUTATOR = OPERATOR(pg_catalog.>=),
	NEGATOR = OPERATOR(pg_catalog.>),
	RESTRICT = scalarlesel,
	JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR pg_catalog.<= (crm.phone, crm.phone) IS 'less than or equal';

CREATE OPERATOR pg_catalog.> (
	FUNCTION = crm.phone_gt,
	LEFTARG = crm.phone,
	RIGHTARG = crm.phone,
	COMMUTATOR = OPERATOR(pg_catalog.<),
	NEGATOR = OPERATOR(pg_catalog.<=),
	RESTRICT = scalargtsel,
	JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR pg_catalog.> (crm.phone, crm.phone) IS 'greater than';

CREATE OPERATOR pg_catalog.>= (
	FUNCTION = crm.phone_ge,
	LEFTARG = crm.phone,
	RIGHTARG = crm.phone,
	COMMUTATOR = OPERATOR(pg_catalog.<=),
	NEGATOR = OPERATOR(pg_catalog.<),
	RESTRICT = scalargesel,
	JOIN = scalargejoinsel
);
COMMENT ON OPERATOR pg_catalog.>= (crm.phone, crm.phone) IS 'greater than or equal';

CREATE FUNCTION crm.phone_cmp(crm.phone, crm.phone) RETURNS integer
AS 'btint8cmp' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.phone_cmp(crm.phone, crm.phone) IS 'less-equal-greater';

CREATE FUNCTION crm.phone_sortsupport(internal) RETURNS void
AS 'btint8sortsupport' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.phone_sortsupport(internal) IS 'sort support';

/* equal numbers are the same bytes: their index entries can be merged */
CREATE FUNCTION crm.phone_equalimage(oid) RETURNS boolean
AS 'btequalimage' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.phone_equalimage(oid) IS 'equal image';

CREATE FUNCTION crm.phone_hash(crm.phone) RETURNS integer
AS 'hashint8' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.phone_hash(crm.phone) IS 'hash';

CREATE FUNCTION crm.phone_hash_extended(crm.phone, bigint) RETURNS bigint
AS 'hashint8extended' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.phone_hash_extended(crm.phone, bigint) IS 'hash with a seed';

CREATE OPERATOR FAMILY crm.phone_ops USING btree;
COMMENT ON OPERATOR FAMILY crm.phone_ops USING btree IS 'the order of telephone numbers, that of their text';
CREATE OPERATOR CLASS crm.phone_ops DEFAULT FOR TYPE crm.phone USING btree FAMILY crm.phone_ops AS
	OPERATOR 1 pg_catalog.<,
	OPERATOR 2 pg_catalog.<=,
	OPERATOR 3 pg_catalog.=,
	OPERATOR 4 pg_catalog.>=,
	OPERATOR 5 pg_catalog.>,
	FUNCTION 1 crm.phone_cmp(crm.phone, crm.phone),
	FUNCTION 2 crm.phone_sortsupport(internal),
	FUNCTION 4 crm.phone_equalimage(oid);
COMMENT ON OPERATOR CLASS crm.phone_ops USING btree IS 'the order of telephone numbers, that of their text';

CREATE OPERATOR FAMILY crm.phone_ops USING hash;
COMMENT ON OPERATOR FAMILY crm.phone_ops USING hash IS 'the equality of telephone numbers, that of their text';
CREATE OPERATOR CLASS crm.phone_ops DEFAULT FOR TYPE crm.phone USING hash FAMILY crm.phone_ops AS
	OPERATOR 1 pg_catalog.=,
	FUNCTION 1 crm.phone_hash(crm.phone),
	FUNCTION 2 crm.phone_hash_extended(crm.phone, bigint);
COMMENT ON OPERATOR CLASS crm.phone_ops USING hash IS 'the equality of telephone numbers, that of their text';

CREATE FUNCTION crm.phone_larger(crm.phone, crm.phone) RETURNS crm.phone
AS 'int8larger' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.phone_larger(crm.phone, crm.phone) IS 'larger of two';

CREATE FUNCTION crm.phone_smaller(crm.phone, crm.phone) RETURNS crm.phone
AS 'int8smaller' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.phone_smaller(crm.phone, crm.phone) IS 'smaller of two';

CREATE AGGREGATE pg_catalog.max(crm.phone) (
	SFUNC = crm.phone_larger,
	STYPE = crm.phone,
	COMBINEFUNC = crm.phone_larger,
	SORTOP = OPERATOR(pg_catalog.>),
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE pg_catalog.max(crm.phone) IS 'last of all in the order of telephone numbers, that of their text';

CREATE AGGREGATE pg_catalog.min(crm.phone) (
	SFUNC = crm.phone_smaller,
	STYPE = crm.phone,
	COMBINEFUNC = crm.phone_smaller,
	SORTOP = OPERATOR(pg_catalog.<),
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE pg_catalog.min(crm.phone) IS 'first of all in the order of telephone numbers, that of their text';

CREATE FUNCTION crm.country_code(crm.phone) RETURNS text
AS 'MODULE_PATHNAME', 'crm_country_code' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.country_code(crm.phone) IS 'the calling code of the country, like 49';
