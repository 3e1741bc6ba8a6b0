/* store, first area: settings, currencies and their rates */
CREATE FUNCTION crm.store_money() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN $ddl$

CREATE TABLE IF NOT EXISTS @.currencies (
	currency text PRIMARY KEY CHECK (currency ~ '^[A-Z]{3}$'),
	decimals smallint NOT NULL DEFAULT 2 CHECK (decimals BETWEEN 0 AND 4)
);

-- ISO 4217
INSERT INTO @.currencies (currency, decimals)
SELECT c, CASE WHEN c IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') THEN 0
	WHEN c IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 3 ELSE 2 END
FROM pg_catalog.regexp_split_to_table('AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG', ' ') AS c
ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS @.settings (
	one boolean PRIMARY KEY DEFAULT true CHECK (one),
	base_currency text NOT NULL REFERENCES @.currencies,
	-- not +2, which POSIX counts westward
	time_zone text NOT NULL CHECK ((timestamptz '2000-01-01 00:00:00+00' AT TIME ZONE time_zone) IS NOT NULL AND time_zone ~ '^[[:alpha:]]'),
	counts_from text NOT NULL DEFAULT 'placed' CHECK (counts_from IN ('placed', 'paid')),
	allow_oversell boolean NOT NULL DEFAULT false,
	crm_version text
);

-- What crm.create_store() has made: a constraint that is not there any more was dropped by its owner.
CREATE TABLE IF NOT EXISTS @.crm_constraints (
	relation text NOT NULL,
	name text NOT NULL,
	definition text NOT NULL,
	PRIMARY KEY (relation, name)
);

CREATE TABLE IF NOT EXISTS @.rates (
	currency text NOT NULL REFERENCES @.currencies,
	day date NOT NULL,
	rate numeric(20,10) NOT NULL CHECK (rate > 0 AND rate < 'Infinity'),
	PRIMARY KEY (currency, day)
);

-- Every figure asks for them.
CREATE OR REPLACE FUNCTION @.keep_settings() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
	RAISE EXCEPTION USING errcode = 'object_not_in_prerequisite_state', table = TG_TABLE_NAME, message = 'cannot delete the settings of a store',
		hint = 'Change them by UPDATE; DROP SCHEMA ... CASCADE drops the store.';
END
$function$;
COMMENT ON FUNCTION @.keep_settings() IS 'trigger: the settings stay';
CREATE OR REPLACE TRIGGER keep_settings BEFORE DELETE ON @.settings FOR EACH ROW EXECUTE FUNCTION @.keep_settings();
CREATE OR REPLACE TRIGGER keep_settings_truncate BEFORE TRUNCATE ON @.settings FOR EACH STATEMENT EXECUTE FUNCTION @.keep_settings();

-- The rate of the day, or of the last day before it that has one.
CREATE OR REPLACE FUNCTION @.to_base(amount numeric, currency text, day date) RETURNS numeric
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.round(to_base.amount * CASE WHEN to_base.currency = s.base_currency THEN 1 ELSE (
			SELECT r.rate FROM @.rates AS r WHERE r.currency = to_base.currency AND r.day <= to_base.day ORDER BY r.day DESC LIMIT 1) END,
		c.decimals)
	FROM @.settings AS s JOIN @.currencies AS c ON c.currency = s.base_currency;
END;
COMMENT ON FUNCTION @.to_base(numeric, text, date) IS 'the amount in the store''s base currency, at the rate of the day or the last before it; NULL if there is none';

$ddl$;
COMMENT ON FUNCTION crm.store_money() IS 'DDL of a store: settings, currencies, rates';
