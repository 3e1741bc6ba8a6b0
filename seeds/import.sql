-- What seeds/csv made of a user's file becomes demo.sales.  A row that can't be
-- used is never dropped silently: it goes to demo.faults with its line and why.

-- Times: one order of day and month for the whole file.
SELECT count(*) FILTER (WHERE d.part[1]::int > 12) AS day_first, count(*) FILTER (WHERE d.part[2]::int > 12) AS month_first,
	count(*) FILTER (WHERE d.part IS NOT NULL) AS either, count(*) FILTER (WHERE r.time ~ '^\s*\d{1,2}\.\d{1,2}\.\d') AS dotted,
	min(r.time) FILTER (WHERE d.part IS NOT NULL) AS example
FROM demo.rows AS r
LEFT JOIN LATERAL (SELECT regexp_match(r.time, '^\s*(\d{1,2})[./-](\d{1,2})[./-]\d{2,4}')) AS d(part) ON true \gset date_
SELECT :date_either > 0 AND :date_day_first = 0 AND :date_month_first = 0 AND :date_dotted = 0 AS unclear,
	CASE WHEN :date_day_first > :date_month_first OR :date_dotted > 0 AND :date_month_first = 0 THEN 'ISO, DMY' ELSE 'ISO, MDY' END AS style \gset date_
\if :date_unclear
\warn crm: a date such as :date_example may mean day/month or month/day, and no row tells. Please write dates as year-month-day.
DO $$ BEGIN RAISE EXCEPTION 'the dates are ambiguous'; END $$;
\endif
SET datestyle = :'date_style';

-- Amounts: what the decimal mark of the file is, by those that leave no doubt.
CREATE TEMP VIEW bare AS
SELECT line, regexp_replace(regexp_replace(amount, '[\s\u00a0\u202f$€£¥]|^\s*[A-Z]{3}|[A-Z]{3}\s*$', '', 'g'), '^\((.*)\)$', '-\1') AS amount,
	btrim(substring(amount FROM '[$€£¥]|^\s*[A-Z]{3}|[A-Z]{3}\s*$')) AS currency
FROM demo.rows WHERE fault IS NULL;
SELECT count(*) FILTER (WHERE amount ~ ',\d{1,2}$|,\d{4,}$|\..*,|\..*\.') AS comma,
	count(*) FILTER (WHERE amount ~ '\.\d{1,2}$|\.\d{4,}$|,.*\.|,.*,') AS point,
	count(*) FILTER (WHERE amount ~ '^[-+]?\d{1,3},\d{3}$') AS unclear,
	min(line) FILTER (WHERE amount ~ '^[-+]?\d{1,3},\d{3}$') AS unclear_line
FROM bare \gset amount_
SELECT :amount_comma = 0 AND :amount_point = 0 AND :amount_unclear > 0 AS unclear,
	:amount_comma > 0 AND :amount_point > 0 AS both, :amount_comma > :amount_point AS decimal_comma \gset amount_
\if :amount_unclear
\warn crm: an amount such as that of line :amount_unclear_line may mean thousands or decimals, and no row tells. Please write 1234.50.
DO $$ BEGIN RAISE EXCEPTION 'the amounts are ambiguous'; END $$;
\endif

CREATE FUNCTION pg_temp.try_time(t text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN CASE WHEN t ~ '^\d{9,10}$' THEN to_timestamp(t::bigint)
		WHEN t ~ '^\d{13}$' THEN to_timestamp(t::bigint / 1000)
		WHEN t ~ '\d' THEN t::timestamptz END;
EXCEPTION WHEN data_exception THEN
	RETURN NULL;
END $$;

CREATE FUNCTION pg_temp.try_amount(t text, decimal_comma boolean) RETURNS numeric LANGUAGE sql IMMUTABLE
RETURN CASE WHEN decimal_comma THEN
	CASE WHEN t ~ '^[-+]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?$' AND length(t) < 40 THEN replace(replace(t, '.', ''), ',', '.')::numeric END
	WHEN t ~ '^[-+]?(\d+|\d{1,3}(,\d{3})+|)(\.\d+)?$' AND t ~ '\d' AND length(t) < 40 THEN replace(t, ',', '')::numeric END;

CREATE TEMP TABLE read AS
SELECT line, nullif(btrim(customer), '') AS customer, pg_temp.try_time(btrim(r.time)) AS at, pg_temp.try_amount(b.amount, :'amount_decimal_comma') AS amount,
	coalesce(nullif(upper(btrim(r.currency)), ''), b.currency, '') AS currency, fault, r.time AS time_text, r.amount AS amount_text
FROM demo.rows AS r LEFT JOIN bare AS b USING (line);

INSERT INTO demo.faults
SELECT line, coalesce(fault,
	CASE WHEN btrim(time_text) = '' THEN 'no time' WHEN at IS NULL THEN 'not a time: ' || left(time_text, 30) END,
	CASE WHEN btrim(amount_text) = '' THEN 'no amount' WHEN amount IS NULL THEN 'not an amount: ' || left(amount_text, 30)
		WHEN abs(amount) >= 1e12 THEN 'an amount beyond all reason: ' || left(amount_text, 30) END)
FROM read
WHERE fault IS NOT NULL OR at IS NULL OR amount IS NULL OR abs(amount) >= 1e12;

INSERT INTO demo.sales
SELECT customer, NULL, at, CASE WHEN scale(amount) > 4 THEN round(amount, 4) ELSE amount END, currency
FROM read
WHERE NOT EXISTS (SELECT FROM demo.faults WHERE faults.line = read.line);

\pset footer off
\echo
SELECT count(*) AS rows, (SELECT count(*) FROM demo.sales WHERE amount >= 0) AS orders, (SELECT count(*) FROM demo.sales WHERE amount < 0) AS refunds,
	(SELECT count(*) FROM demo.sales WHERE customer IS NULL) AS "without a customer", (SELECT count(*) FROM demo.faults) AS "not usable"
FROM demo.rows;
SELECT count(*) > 0 AS rounded_any, count(*) AS rounded_count FROM read WHERE scale(amount) > 4 AND amount <> round(amount, 4) \gset
\if :rounded_any
\echo :rounded_count amounts have more than four decimals and are rounded to four.
\endif
SELECT count(*) > 0 AS any, count(*) AS count, (SELECT count(*) FROM demo.rows) AS of FROM demo.faults \gset faults_
\if :faults_any
\echo
\echo WARNING: :faults_count of :faults_of rows can not be used, and are not in the figures below. The first ten:
SELECT line, fault FROM demo.faults ORDER BY line LIMIT 10;
\endif
SELECT count(*) FILTER (WHERE amount >= 0) = 0 AS none FROM demo.sales \gset sales_
\if :sales_none
DO $$ BEGIN RAISE EXCEPTION 'no order could be read'; END $$;
\endif
