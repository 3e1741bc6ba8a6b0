-- The types crm.email and crm.phone. Good and bad inputs are those of the
-- RFCs and of the ITU's recommendation; every outcome is a rule of theirs or of
-- doc/contact.md.

-- What an input becomes: the value, or the whole error (no soft errors in 15).
CREATE FUNCTION try_input(type regtype, input text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	value text;
	detail text;
	hint text;
	message text;
BEGIN
	EXECUTE format('SELECT %L::%s::text', input, type) INTO value;
	RETURN value;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	IF message NOT LIKE format('invalid input syntax for type %s: "%%"', type) THEN
		detail := message;
	END IF;
	RETURN concat_ws(' ', SQLSTATE, detail, nullif('HINT: ' || hint, 'HINT: '));
END $$;

-- Whether the plan of a query has a line with that in it.
CREATE FUNCTION plan_has(query text, what text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF strpos(line, what) > 0 THEN
			RETURN true;
		END IF;
	END LOOP;
	RETURN false;
END $$;

\pset format unaligned
\pset fieldsep ' | '
\pset footer off

-- e-mail: taken, with its parts
SELECT input, crm.local_part(input) AS local, crm.domain(input) AS domain, input::crm.email::text = btrim(input, E' \t\r\n\u00A0\u200B\uFEFF') AS unchanged
FROM (VALUES
	('jane@example.com'),
	('jane.doe+news@example.com'),
	('JANE@Example.COM'),
	('  jane@example.com '),
	(E'\tjane@example.com\r\n'),
	(E'\u00A0jane@example.com\u200B\uFEFF'),
	('o''neil@example.ie'),
	('!#$%&''*+-/=?^_`{|}~@example.com'),
	('1@2.example'),
	('a-@b-c--d.example'),
	('-@example.com'),
	('x@xn--bcher-kva.example'),
	('info@BÜCHER.de'),
	('JÖRG@bücher.DE'),
	('用户@例子.广告'),
	('ΩΔΗ@ΠΑΡΆΔΕΙΓΜΑ.ΕΛ'),
	('ИВАН@ПРИМЕР.РФ'),
	('user@l·l.cat'),
	('💌@example.com')
) AS v(input);

-- e-mail: refused, and why
SELECT input, try_input('crm.email', input)
FROM (VALUES
	(''), ('   '), ('jane'), ('jane@'), ('@example.com'), ('@'),
	('jane@@example.com'), ('jane@doe@example.com'),
	('jane doe@example.com'), ('jane@exa mple.com'), (E'jane\n@example.com'), (E'jane\u200B@example.com'),
	('Jane Doe <jane@example.com>'), ('<jane@example.com>'), ('jane@example.com (Jane)'), ('jane(x)@example.com'),
	('jane@example.com, joe@example.com'), ('jane@example.com;'), ('mailto:jane@example.com'),
	('"jane doe"@example.com'), ('"jane@doe"@example.com'), ('jane\@example.com'),
	('.jane@example.com'), ('jane.@example.com'), ('jane..doe@example.com'),
	('jane@.example.com'), ('jane@example.com.'), ('jane@example..com'),
	('jane@localhost'), ('jane@example.123'), ('jane@127.0.0.1'), ('jane@[127.0.0.1]'), ('jane@[IPv6:::1]'),
	('jane@-example.com'), ('jane@example-.com'), ('jane@exam_ple.com'), ('jane@example.com/x'), ('jane@example,com'),
	('jane@exa💌mple.com'), ('jane@例子。广告'), (E'jane@example\uFF0Ecom'), (E'jane@\uFF45xample.com'), (E'jane\uE000@example.com'), (E'jane@ex\u00ADample.com')
) AS v(input);

-- Lengths: 64 bytes before the @, 63 in a label, 254 in all; 59 characters in
-- a label of another script.
SELECT what, left(try_input('crm.email', input), 60) AS outcome
FROM (VALUES
	('local part of 64', repeat('a', 64) || '@example.com'),
	('local part of 65', repeat('a', 65) || '@example.com'),
	('local part of 32 x 2 bytes', repeat('é', 32) || '@example.com'),
	('local part of 33 x 2 bytes', repeat('é', 33) || '@example.com'),
	('label of 63', 'a@' || repeat('b', 63) || '.com'),
	('label of 64', 'a@' || repeat('b', 64) || '.com'),
	('last label of 64', 'a@b.' || repeat('c', 64)),
	('label of 59 characters', 'a@' || repeat('ü', 59) || '.com'),
	('label of 60 characters', 'a@' || repeat('ü', 60) || '.com'),
	('254 in all', repeat('a', 60) || '@' || repeat('b', 63) || '.' || repeat('c', 63) || '.' || repeat('d', 61) || '.com'),
	('255 in all', repeat('a', 60) || '@' || repeat('b', 63) || '.' || repeat('c', 63) || '.' || repeat('d', 62) || '.com'),
	('a megabyte', repeat('a', 1000000) || '@example.com'),
	('a megabyte of letters to normalise', repeat(E'u\u0308', 500000) || '@example.com'),
	('a megabyte of space around', repeat(' ', 500000) || E'U\u0308@example.com' || repeat(' ', 500000))
) AS v(what, input);
-- a long input is not shown whole
\set VERBOSITY terse
SELECT (repeat('ü', 300) || '@example.com')::crm.email;
\set VERBOSITY default

-- Case: every capital letter of the alphabets that crm folds, and its small one.
SELECT alphabet, (h.upper || '@example.com')::crm.email = (h.lower || '@example.com')::crm.email AS equal,
	crm.domain('x@' || h.upper || '.com') = h.lower || '.com' AS lowered, length(h.upper) AS letters
FROM (VALUES
	('ASCII', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz'),
	('Latin-1', 'ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞ', 'àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþ'),
	('Latin Extended-A', 'ĀĂĄĆĈĊČĎĐĒĔĖĘĚĜĞĠĢĤĦĨĪĬĮIJĴĶ', 'āăąćĉċčďđēĕėęěĝğġģĥħĩīĭįijĵķ'),
	('Latin Extended-A, second half', 'ĹĻĽĿŁŃŅŇŊŌŎŐŒŔŖŘŚŜŞŠŢŤŦŨŪŬŮŰŲŴŶ', 'ĺļľŀłńņňŋōŏőœŕŗřśŝşšţťŧũūŭůűųŵŷ'),
	('Latin Extended-A, the rest', 'ŸŹŻŽ', 'ÿźżž'),
	('Vietnamese', 'ƠƯẠẢẤẦẨẪẬẮẰẲẴẶẸẺẼẾỀỂỄỆ', 'ơưạảấầẩẫậắằẳẵặẹẻẽếềểễệ'),
	('sharp s', 'STRAẞE', 'straße'),
	('Greek', 'ΆΈΉΊΌΎΏΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΪΫ', 'άέήίόύώαβγδεζηθικλμνξοπρστυφχψωϊϋ'),
	('Cyrillic', 'АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ', 'абвгдежзийклмнопрстуфхцчшщъыьэюя'),
	('Cyrillic, others', 'ЀЁЂЃЄЅІЇЈЉЊЋЌЍЎЏҐҒҖҚҢҮҰҲҺӀӁӘӨ', 'ѐёђѓєѕіїјљњћќѝўџґғҗқңүұҳһӏӂәө')
) AS v(alphabet, upper, lower)
-- the local part may be 64 bytes: halves
CROSS JOIN LATERAL (SELECT left(v.upper, 18), left(v.lower, 18) UNION ALL SELECT substr(v.upper, 19), substr(v.lower, 19)) h(upper, lower)
WHERE h.upper <> '';

-- Letters that are one character small, and two as capitals.
SELECT to_hex(ascii(e.small)) AS small, length(normalize(e.capital)) AS letters, c.a = c.b AS equal, crm.email_hash(c.a) = crm.email_hash(c.b) AS hash,
	crm.folded(c.a) = crm.folded(c.b) AS folded, crm.folded(c.a)::crm.email::text = crm.folded(c.a) AS stable,
	-- as the folded text, whatever follows
	bool_and(crm.email_cmp(c.a, o.b) = sign(crm.email_cmp(crm.folded(c.a)::crm.email, o.b))
		AND (c.a < o.b) = (crm.folded(c.a) < crm.folded(o.b) COLLATE "C") AND (c.b < o.b) = (c.a < o.b)) AS sorted
FROM (VALUES
	(E'\u01F0', E'J\u030C'), (E'\u0390', E'\u03AA\u0301'), (E'\u03B0', E'\u03AB\u0301'), (E'\u1E96', E'H\u0331'), (E'\u1E97', E'T\u0308'), (E'\u1E98', E'W\u030A'), (E'\u1E99', E'Y\u030A'),
	(E'\u1F50', E'\u03A5\u0313'), (E'\u1F52', E'\u03A5\u0313\u0300'), (E'\u1FB4', E'\u0386\u0345'), (E'\u1FE7', E'\u03AB\u0342')) AS e(small, capital),
LATERAL (SELECT ('A' || e.capital || 'Z@x.de')::crm.email, ('a' || e.small || 'z@x.de')::crm.email) AS c(a, b),
LATERAL (VALUES ('a' || lower(left(e.capital, 1))), ('a' || left(e.capital, 1) || 'z'), ('a' || lower(left(e.capital, 1)) || E'\u0303'), ('a' || left(e.capital, 1) || E'\u4E2D'), ('azz'), (E'a\u4E2D'), ('a' || e.small)) AS t(local),
LATERAL (SELECT (t.local || '@x.de')::crm.email) AS o(b)
GROUP BY e.small, e.capital, c.a, c.b ORDER BY e.small COLLATE "C";

-- What is not the same: letters that differ in more than case.
SELECT a, b, a::crm.email = b::crm.email AS equal
FROM (VALUES
	('jose@example.com', 'josé@example.com'),
	('x@strasse.de', 'x@straße.de'),
	('x@οδος.gr', 'x@οδοσ.gr'),
	('ı@example.com', 'I@example.com'),
	('x@bücher.de', 'x@xn--bcher-kva.de'),
	('a.b@gmail.com', 'ab@gmail.com'),
	-- what looks the same is the same: a letter with a combining mark
	(E'jose\u0301@example.com', 'josé@example.com'),
	(E'x@bu\u0308cher.de', 'x@bücher.de'),
	-- and where only the small letter exists in one piece (h with a line below)
	(E'x@H\u0331.de', E'x@\u1E96.de'),
	(E'x@H\u0324\u0331.de', E'x@h\u0324\u0331.de'),
	(E'x@J\u0323\u030C.de', E'x@\u01F0\u0323.de'),
	(E'\u1112\u1161\u11AB@example.com', '한@example.com')
) AS v(a, b);
-- printed and read again it stays the same
SELECT encode(convert_to(v::text, 'UTF8'), 'hex') AS bytes, v::text::crm.email::text = v::text AS stable
FROM (VALUES (E'X@H\u0331.de'::crm.email), (E'X@\u03AA\u0301.gr'), (E'\u212Bx@\u212B.se')) AS e(v);

-- comparison: by the characters of the text in lower case
SELECT a, b, a < b AS lt, a <= b AS le, a = b AS eq, a <> b AS ne, a >= b AS ge, a > b AS gt, crm.email_cmp(a, b) AS cmp,
	crm.email_hash(a) = crm.email_hash(b) AS hash, crm.email_hash_extended(a, 7) = crm.email_hash_extended(b, 7) AS seeded,
	crm.email_larger(a, b) AS larger, crm.email_smaller(a, b) AS smaller
FROM (VALUES
	('a@b.de'::crm.email, 'A@B.de'::crm.email),
	('a@b.de', 'B@a.de'),
	('a@b.de', 'a@b.dev'),
	('Z@b.de', 'a@b.de'),
	('z@b.de', 'ä@b.de'),
	('Ä@b.de', 'ä@B.de')
) AS v(a, b);
SELECT min(e), max(e), count(DISTINCT e) FROM (VALUES ('b@x.de'::crm.email), ('A@x.de'), ('B@X.de'), (NULL)) AS v(e);
SELECT min(e) IS NULL AS none FROM (SELECT NULL::crm.email WHERE false) AS v(e);

-- Folded: the same text if and only if equal
SELECT a, b, a = b AS equal, (crm.folded(a) = crm.folded(b)) = (a = b) AS agrees, crm.folded(a)
FROM (VALUES ('Jane.Doe@Example.COM'::crm.email, 'jane.doe@example.com'::crm.email), ('ÄÖÜ@x.de', 'äöü@x.de'), ('ΑΩ@x.gr', 'αω@x.gr'), ('a@x.de', 'á@x.de'), ('straße@x.de', 'STRASSE@x.de')) AS v(a, b);

-- NULL in, NULL out
SELECT crm.folded(NULL) IS NULL AS folded, crm.domain(NULL) IS NULL AS domain, crm.local_part(NULL) IS NULL AS local_part, crm.country_code(NULL) IS NULL AS country_code,
	NULL::crm.email = 'a@b.de' IS NULL AS eq;

-- telephone numbers: taken
SELECT input, input::crm.phone AS phone, crm.country_code(input) AS country
FROM (VALUES
	('+493012345678'),
	('+49 30 12345678'),
	('  +49 (30) 1234-5678 '),
	('+49/30/1234.5678'),
	('+49 (0)30 12345678'),
	('+44 (0) 20 7946 0958'),
	('+39 (0)6 698 12345'),
	('+39 06 698 12345'),
	('+378 (0549) 123456'),
	('+1 (212) 555-0123'),
	('+1-212-555-0123'),
	('+7 495 123-45-67'),
	('+351 210 000 000'),
	('+852 2123 4567'),
	('+883 5100 0000 0000'),
	('+800 1234 5678'),
	('+683 4000'),
	('+123456789012345'),
	('+ 49 30 12345678'),
	(E'+49\u00A030\u202F12345678'),
	(E'+49 30 1234\u20115678'),
	(E'+49\u201330\u221212345678'),
	(E'\uFF0B\uFF18\uFF11\u3000\uFF13 1234 5678'),
	('+٩٦٦ ١١ ١٢٣ ٤٥٦٧'),
	(E'\u202A+49 30 12345678\u202C')
) AS v(input);

-- refused, and why
SELECT input, try_input('crm.phone', input)
FROM (VALUES
	(''), (' '), ('030 123456'), ('0049 30 123456'), ('49 30 123456'), ('(0)30 123456'),
	('+'), ('++49 30 123456'), ('+49 30 +123456'), ('+49'), ('+4'), ('+49 301'), ('+1 23'),
	('+0 30 123456'), ('+(0)49 30 123456'), ('+999 123456'), ('+210 123456'), ('+28 123456'),
	('+1234567890123456'), ('+49 (30 123456'), ('+49 30) 123456'), ('+49 ((30)) 123456'), ('+49 30 (0) 123456'),
	('+1 800 FLOWERS'), ('+49 30 1234x56'), ('+49 30 1234 ext. 56'), ('+49 30 1234 #56'), ('+49 30 1234,,56'), ('+49 30 1234;ext=56'),
	('tel:+4930123456'), ('+49 30 12_34'), ('+49 30 12⁵34')
) AS v(input);

-- Every code of one to three digits is a country's, the beginning of one, or
-- not assigned: the assigned ones are these (ITU-T E.164).
SELECT left(code, 1) AS zone, count(*), string_agg(code, ' ' ORDER BY code) AS codes
FROM (
	SELECT DISTINCT crm.country_code('+' || n || '00000000') AS code
	FROM generate_series(100, 999) AS n
	WHERE try_input('crm.phone', '+' || n || '00000000') LIKE '+%'
) AS c GROUP BY 1 ORDER BY 1;

-- order: that of the text
SELECT p, lag(p::text COLLATE "C") OVER (ORDER BY p) < p::text COLLATE "C" AS after, lag(p) OVER (ORDER BY p) < p AS less
FROM (VALUES ('+4930123'::crm.phone), ('+49301234'), ('+493013'), ('+5012345'), ('+123456789012345'), ('+12345678901234'), ('+12345')) AS v(p)
ORDER BY p;
SELECT a, b, a < b AS lt, a <= b AS le, a = b AS eq, a <> b AS ne, a >= b AS ge, a > b AS gt, crm.phone_cmp(a, b) AS cmp,
	crm.phone_hash(a) = crm.phone_hash(b) AS hash, crm.phone_hash_extended(a, 7) = crm.phone_hash_extended(b, 7) AS seeded,
	crm.phone_larger(a, b) AS larger, crm.phone_smaller(a, b) AS smaller
FROM (VALUES
	('+49 30 123456'::crm.phone, '+49 (0)30/123456'::crm.phone),
	('+49 30 123456', '+49 30 1234560'),
	('+49 30 123456', '+1 212 5550123')
) AS v(a, b);
SELECT min(p), max(p), count(DISTINCT p) FROM (VALUES ('+49 30 123456'::crm.phone), ('+1 212 5550123'), ('+4930123456'), (NULL)) AS v(p);
SELECT typlen, typbyval = (SELECT typbyval FROM pg_type WHERE oid = 'bigint'::regtype) AS like_bigint FROM pg_type WHERE oid = 'crm.phone'::regtype;

-- A table with both as keys.
\pset format aligned
\pset footer on
CREATE TABLE customer (id int PRIMARY KEY, email crm.email UNIQUE, phone crm.phone UNIQUE);
INSERT INTO customer SELECT n, 'customer' || n || '@example.com', '+4930' || 1000000 + n FROM generate_series(1, 2000) AS n;
INSERT INTO customer VALUES (2001, NULL, NULL), (2002, NULL, NULL);
ANALYZE customer;

INSERT INTO customer VALUES (3000, 'Customer7@Example.com', NULL);
INSERT INTO customer VALUES (3000, NULL, '+49 (30) 100-00-07');
INSERT INTO customer VALUES (3000, 'CUSTOMER7@EXAMPLE.COM', '+49 30 999999')
ON CONFLICT (email) DO UPDATE SET phone = excluded.phone RETURNING *;
INSERT INTO customer VALUES (3001, 'new@example.com', '+49 30 999999')
ON CONFLICT (phone) DO UPDATE SET email = excluded.email RETURNING *;
INSERT INTO customer VALUES (3001, 'jane', NULL);

-- The index serves a literal, a parameter of unknown type, and parameters that
-- a driver declares as text or varchar: they become an email, never the reverse.
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET plan_cache_mode = force_generic_plan;
PREPARE by_literal AS SELECT id FROM customer WHERE email = 'CUSTOMER8@example.com';
PREPARE by_unknown AS SELECT id FROM customer WHERE email = $1;
PREPARE by_text(text) AS SELECT id FROM customer WHERE email = $1;
PREPARE by_varchar(varchar) AS SELECT id FROM customer WHERE email = $1;
PREPARE by_array(crm.email[]) AS SELECT id FROM customer WHERE email = ANY ($1);
PREPARE by_list(text, varchar) AS SELECT id FROM customer WHERE email IN ($1, $2);
PREPARE phone_by_text(text) AS SELECT id FROM customer WHERE phone = $1;
SELECT plan_has('EXECUTE by_literal', 'Index Cond: (email = ''CUSTOMER8@example.com''::crm.email)') AS literal,
	plan_has('EXECUTE by_unknown(''x@y.de'')', 'Index Cond: (email = $1)') AS unknown,
	plan_has('EXECUTE by_text(''x@y.de'')', 'Index Cond: (email = ($1)::crm.email)') AS text,
	plan_has('EXECUTE by_varchar(''x@y.de'')', 'Index Cond: (email = ($1)::crm.email)') AS varchar,
	plan_has('EXECUTE by_array(''{}'')', 'Index Cond: (email = ANY ($1))') AS "array",
	plan_has('EXECUTE phone_by_text(''+49 30 123456'')', 'Index Cond: (phone = ($1)::crm.phone)') AS phone;
EXECUTE by_literal;
EXECUTE by_unknown('CUSTOMER8@example.com');
EXECUTE by_text('CUSTOMER8@example.com');
EXECUTE by_varchar('CUSTOMER8@example.com');
EXECUTE by_array('{customer8@example.com,CUSTOMER9@example.com}');
EXECUTE by_list('CUSTOMER8@example.com', 'customer9@example.com');
EXECUTE phone_by_text('+49 30 100 00 08');
PREPARE add_text(int, text, varchar) AS INSERT INTO customer VALUES ($1, $2, $3) RETURNING *;
EXECUTE add_text(3002, 'Text@Example.com', '+49 30 888888');
-- min, max and ranges come from the index as well
SELECT plan_has('SELECT min(email) FROM customer', 'using customer_email_key') AS min,
	plan_has('SELECT max(phone) FROM customer', 'using customer_phone_key') AS max,
	plan_has('SELECT id FROM customer WHERE email >= ''customer7@example.com'' ORDER BY email', 'Index Cond: (email >= ') AS range;
RESET plan_cache_mode;
RESET enable_seqscan;
RESET enable_bitmapscan;
DEALLOCATE ALL;

-- Nothing that worked without crm means something else now: text stays text.
SELECT pg_typeof(max(v::text)) AS text, pg_typeof(max(v)) AS varchar, pg_typeof(max(v::char(3))) AS char, pg_typeof(max(v::name)) AS name,
	pg_typeof(max('x')) AS literal, pg_typeof(min(NULL)) AS nothing
FROM (VALUES ('x'::varchar)) AS t(v);
SELECT 'a' = 'b' AS literals, 'a'::varchar = 'b' AS varchar, 'a'::varchar = 'a'::text AS mixed, 'a'::name = 'a'::varchar AS name,
	'a'::char(2) = 'a' AS char, 'a'::varchar IN ('a', 'b') AS list, 'b'::varchar > 'a'::varchar AS greater;
-- text against an email is an email; what is none is an error, not false
SELECT 'A@b.de'::text = 'a@B.de'::crm.email AS equal;
SELECT 'jane'::text = 'a@b.de'::crm.email;
\set VERBOSITY terse
SELECT 'a@b.de'::crm.email LIKE 'a%';
\set VERBOSITY default
SELECT 'a@b.de'::crm.email::text LIKE 'a%' AS cast_first;
SELECT castsource::regtype, casttarget::regtype, castcontext, castmethod FROM pg_cast
WHERE 'crm.email'::regtype IN (castsource, casttarget) OR 'crm.phone'::regtype IN (castsource, casttarget)
ORDER BY castsource::regtype::text, casttarget::regtype::text;
-- to text and varchar when it is stored there
CREATE TEMP TABLE plain (email text, phone varchar(20), short varchar(5));
INSERT INTO plain (email, phone) SELECT email, phone FROM customer WHERE id = 8;
SELECT * FROM plain;
INSERT INTO plain (short) SELECT phone FROM customer WHERE id = 8;
ALTER TABLE plain ALTER email TYPE crm.email, ALTER phone TYPE crm.phone;
SELECT * FROM plain;

-- Joins, groups, sets: every way to compute them.
CREATE TEMP TABLE visit AS
	SELECT CASE n % 3 WHEN 0 THEN upper(e) ELSE e END::crm.email AS email, ('+49 30 ' || 1000000 + n % 500)::crm.phone AS phone, n
	FROM generate_series(1, 4000) AS n, LATERAL (SELECT 'customer' || n % 1000 || '@example.com') AS l(e);
ANALYZE visit;
-- what text says
SELECT count(*), count(DISTINCT lower(email::text)) AS emails, count(DISTINCT phone::text) AS phones FROM visit;
SET enable_nestloop = off;
SET enable_mergejoin = off;
SELECT plan_has('SELECT count(*) FROM visit JOIN customer USING (email)', 'Hash Cond: (visit.email = customer.email)') AS hash_join;
SELECT count(*) FROM visit JOIN customer USING (email);
SELECT count(*) FROM visit v JOIN customer c ON v.phone = c.phone;
SELECT count(*) FROM visit v JOIN customer c ON lower(v.email::text) = lower(c.email::text);
SELECT count(*) FROM visit v JOIN customer c ON v.phone::text = c.phone::text;
SET enable_hashjoin = off;
SET enable_mergejoin = on;
SELECT plan_has('SELECT count(*) FROM visit JOIN customer USING (email)', 'Merge Cond: (') AS merge_join;
SELECT count(*) FROM visit JOIN customer USING (email);
SELECT count(*) FROM visit v JOIN customer c ON v.phone = c.phone;
RESET enable_hashjoin;
RESET enable_nestloop;
SET enable_sort = off;
SELECT plan_has('SELECT email, count(*) FROM visit GROUP BY email', 'HashAggregate') AS hash_aggregate;
SELECT count(*), sum(visits) FROM (SELECT email, count(*) AS visits FROM visit GROUP BY email) AS g;
SELECT count(*), sum(visits) FROM (SELECT phone, count(*) AS visits FROM visit GROUP BY phone) AS g;
RESET enable_sort;
SET enable_hashagg = off;
SELECT count(*), sum(visits) FROM (SELECT email, count(*) AS visits FROM visit GROUP BY email) AS g;
RESET enable_hashagg;
SELECT count(*) FROM (SELECT email FROM visit EXCEPT SELECT email FROM customer) AS e;
SELECT count(*) FROM (SELECT DISTINCT email, phone FROM visit) AS d;
-- sorted as the lower-case text is, byte by byte
SELECT bool_and(here >= before) FROM (SELECT lower(email::text) COLLATE "C" AS here, lag(lower(email::text) COLLATE "C") OVER (ORDER BY email) AS before FROM visit) AS s;
SELECT bool_and(here >= before) FROM (SELECT phone::text COLLATE "C" AS here, lag(phone::text COLLATE "C") OVER (ORDER BY phone) AS before FROM visit) AS s;
SELECT 'A@b.de'::crm.email IS DISTINCT FROM 'a@b.de' AS differs, nullif('A@b.de'::crm.email, 'a@b.de') IS NULL AS same,
	'A@b.de'::crm.email = ANY ('{x@y.de,a@b.de}'::crm.email[]) AS any_of;

-- Under any search_path, such as the empty one of pg_dump: a view with USING.
SET search_path = '';
SELECT 'A@b.de'::crm.email = 'a@b.de' AS equal, 'A@b.de'::crm.email IN ('a@b.de', 'c@d.de') AS list;
CREATE VIEW public.pairs AS SELECT email FROM public.customer JOIN (SELECT email FROM public.customer) AS other USING (email) WHERE email <> 'a@b.de';
SELECT count(*) FROM public.pairs;
RESET search_path;
DROP VIEW pairs;

-- Partitions by hash: equal addresses belong to one partition.
CREATE TABLE subscriber (email crm.email, phone crm.phone) PARTITION BY HASH (email, phone);
CREATE TABLE subscriber_0 PARTITION OF subscriber FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE subscriber_1 PARTITION OF subscriber FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE subscriber_2 PARTITION OF subscriber FOR VALUES WITH (MODULUS 3, REMAINDER 2);
ALTER TABLE subscriber ADD UNIQUE (email, phone);
INSERT INTO subscriber SELECT email, phone FROM visit ON CONFLICT DO NOTHING;
SELECT count(*), count(DISTINCT tableoid) AS partitions FROM subscriber;
SELECT count(*) FROM subscriber WHERE email = 'CUSTOMER8@EXAMPLE.COM' AND phone = '+49 30 1000008';

-- Hash and unique indexes, and an index of the domain.
CREATE INDEX ON visit USING hash (email);
CREATE INDEX ON visit (crm.domain(email));
SET enable_seqscan = off;
SELECT count(*) FROM visit WHERE email = 'Customer8@example.com';
SELECT plan_has('SELECT count(*) FROM visit WHERE crm.domain(email) = ''example.org''', 'Index Cond: (crm.domain(email) = ') AS domain_index;
RESET enable_seqscan;

-- Stored forms. That binary COPY gives back the same, test/t/080_contact.pl
-- checks: a server file is not at hand under installcheck.
CREATE TEMP TABLE kept (email crm.email, phone crm.phone);
COPY kept FROM STDIN;
 JÖRG@bücher.DE	+49 30 123456
用户@例子.广告	\N
\N	+1 (212) 555-0123
\.
COPY kept TO STDOUT;
COPY kept FROM STDIN;
jane@example.com	+49 30
\.
SELECT encode(crm.email_send('a@b.de'), 'escape') AS email, encode(crm.phone_send('+49 30 123456'), 'escape') AS phone;

-- size on disk: the text and a byte; eight bytes
SELECT pg_column_size(email) - octet_length(email::text) AS email, pg_column_size(phone) AS phone FROM kept WHERE email IS NOT NULL AND phone IS NOT NULL;

DROP TABLE customer, subscriber;
DROP FUNCTION try_input(regtype, text), plan_has(text, text);
