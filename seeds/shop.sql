-- The sample shop: schema sample, the same on every machine.
--
--   psql -f seeds/shop.sql                          2,000 customers
--   psql -v customers=100000 -f seeds/shop.sql      any number
--   psql -v loyalty=4 ...                           who order that much more often, and leave that much later
--
-- Wants the extension crm.  What is in the shop and which processes make it is
-- told in seeds/README.md.  Nothing here depends on random(), the clock, the
-- TimeZone, a locale, or the order of rows, and what belongs to customer i does
-- not depend on how many customers there are.
\if :{?customers}
\else
\set customers 2000
\endif
\if :{?loyalty}
\else
\set loyalty 1
\endif
SELECT :customers >= 20000 AS large \gset

BEGIN;
SET LOCAL timezone = 'UTC';
SET LOCAL work_mem = '64MB';
SET LOCAL jit = off;

CREATE SCHEMA sample;
COMMENT ON SCHEMA sample IS 'a made-up shop, for trying crm; see seeds/README.md';

-- ---------------------------------------------------------------- chance

CREATE FUNCTION sample.opening() RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN '2023-01-01 00:00:00+00'::timestamptz;
COMMENT ON FUNCTION sample.opening() IS 'when the shop opened';

CREATE FUNCTION sample.today() RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN '2026-01-01 00:00:00+00'::timestamptz;
COMMENT ON FUNCTION sample.today() IS 'the shop''s now: all that is later has not happened yet';

-- The nth number of what is called id, of one of the streams below.  The hash
-- is the one of hash partitioning, which may not change between versions.
CREATE FUNCTION sample.uniform(stream int, id bigint, n int) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (((pg_catalog.hashint8extended(id, (stream::bigint << 32) | n) >> 11) & 9007199254740991) + 0.5::float8) / 9007199254740992::float8;
COMMENT ON FUNCTION sample.uniform(int, bigint, int) IS 'the nth uniform number in (0, 1) of a stream and an id';

CREATE FUNCTION sample.exponential(stream int, id bigint, n int) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN -pg_catalog.ln(sample.uniform(stream, id, n));
COMMENT ON FUNCTION sample.exponential(int, bigint, int) IS 'the nth exponential number of mean 1 of a stream and an id';

-- Shapes are whole numbers or end in one half: a sum of exponentials, and of
-- half the square of a normal number.
CREATE FUNCTION sample.gamma(stream int, id bigint, n int, shape double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN shape >= 1 THEN sample.exponential(stream, id, n) ELSE 0 END
	+ CASE WHEN shape >= 2 THEN sample.exponential(stream, id, n + 1) ELSE 0 END
	+ CASE WHEN shape >= 3 THEN sample.exponential(stream, id, n + 2) ELSE 0 END
	+ CASE WHEN shape >= 4 THEN sample.exponential(stream, id, n + 3) ELSE 0 END
	+ CASE WHEN shape >= 5 THEN sample.exponential(stream, id, n + 4) ELSE 0 END
	+ CASE WHEN shape >= 6 THEN sample.exponential(stream, id, n + 5) ELSE 0 END
	+ CASE WHEN shape > pg_catalog.floor(shape)
		THEN sample.exponential(stream, id, n + 6) * pg_catalog.cos(2 * pg_catalog.pi() * sample.uniform(stream, id, n + 7)) ^ 2
		ELSE 0 END;
COMMENT ON FUNCTION sample.gamma(int, bigint, int, double precision) IS 'a gamma number of that shape (0.5, 1, 1.5 .. 6.5) and scale 1; takes the numbers n to n + 7';

-- streams: 1 accounts, 2 people who buy as guests, 3 visitors who stay unknown

-- ---------------------------------------------------------------- what is given

CREATE TABLE sample.channels (channel text PRIMARY KEY, type text NOT NULL);
COMMENT ON TABLE sample.channels IS 'where orders and visits come from';
COMMENT ON COLUMN sample.channels.type IS 'direct, organic, paid, social, email, partner, marketplace or pos';
INSERT INTO sample.channels VALUES
	('direct', 'direct'), ('organic_search', 'organic'), ('paid_search', 'paid'), ('paid_social', 'paid'),
	('social', 'social'), ('email', 'email'), ('affiliate', 'partner'), ('referral', 'partner'),
	('marketplace', 'marketplace'), ('store', 'pos');

-- Out of 100: the channels of a journey's first visit, of its last, of those
-- between.  The price of a paid visit is in hundredths of a cent.
CREATE TEMP TABLE _mix ON COMMIT DROP AS
SELECT n, channel, at_first, at_last, between_them, price
FROM (VALUES
	(1, 'direct', 8, 27, 14, 0), (2, 'organic_search', 27, 18, 17, 0), (3, 'paid_search', 19, 19, 14, 16000),
	(4, 'paid_social', 22, 7, 17, 11000), (5, 'social', 10, 4, 9, 0), (6, 'email', 2, 17, 20, 100),
	(7, 'affiliate', 7, 5, 5, 12000), (8, 'referral', 5, 3, 4, 0)
) AS v(n, channel, at_first, at_last, between_them, price);

CREATE TEMP TABLE _places ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY n)::int AS n, country, language, currency, region, city, weight
FROM (VALUES
	(1, 'US', 'en', 'USD', 'New York', 'New York', 60), (2, 'US', 'en', 'USD', 'California', 'Los Angeles', 50),
	(3, 'US', 'en', 'USD', 'California', 'San Francisco', 30), (4, 'US', 'en', 'USD', 'Illinois', 'Chicago', 35),
	(5, 'US', 'es', 'USD', 'Texas', 'Houston', 30), (6, 'US', 'es', 'USD', 'Florida', 'Miami', 25),
	(7, 'US', 'en', 'USD', 'Washington', 'Seattle', 20),
	(8, 'GB', 'en', 'GBP', 'England', 'London', 90), (9, 'GB', 'en', 'GBP', 'England', 'Manchester', 35),
	(10, 'GB', 'en', 'GBP', 'Scotland', 'Edinburgh', 25), (11, 'GB', 'en', 'GBP', 'Wales', 'Cardiff', 15),
	(12, 'DE', 'de', 'EUR', 'Berlin', 'Berlin', 50), (13, 'DE', 'de', 'EUR', 'Bayern', 'München', 45),
	(14, 'DE', 'de', 'EUR', 'Hamburg', 'Hamburg', 35), (15, 'DE', 'de', 'EUR', 'Nordrhein-Westfalen', 'Köln', 35),
	(16, 'FR', 'fr', 'EUR', 'Île-de-France', 'Paris', 60), (17, 'FR', 'fr', 'EUR', 'Auvergne-Rhône-Alpes', 'Lyon', 25),
	(18, 'FR', 'fr', 'EUR', 'Provence-Alpes-Côte d''Azur', 'Marseille', 25),
	(19, 'ES', 'es', 'EUR', 'Comunidad de Madrid', 'Madrid', 45), (20, 'ES', 'es', 'EUR', 'Catalunya', 'Barcelona', 40),
	(21, 'ES', 'es', 'EUR', 'Andalucía', 'Sevilla', 15),
	(22, 'PT', 'pt', 'EUR', 'Lisboa', 'Lisboa', 35), (23, 'PT', 'pt', 'EUR', 'Norte', 'Porto', 25),
	(24, 'GR', 'el', 'EUR', 'Αττική', 'Αθήνα', 35), (25, 'GR', 'el', 'EUR', 'Κεντρική Μακεδονία', 'Θεσσαλονίκη', 15),
	(26, 'BG', 'bg', 'EUR', 'София', 'София', 30), (27, 'BG', 'bg', 'EUR', 'Варна', 'Варна', 15),
	(28, 'JP', 'ja', 'USD', '東京都', '東京', 35), (29, 'JP', 'ja', 'USD', '大阪府', '大阪', 20)
) AS v(n, country, language, currency, region, city, weight);

-- Ten of each; first names alternate between women's and men's, and behind
-- each stands how an e-mail address writes it.
CREATE TEMP TABLE _names ON COMMIT DROP AS
SELECT language, string_to_array(first, ' ') AS first, string_to_array(first_ascii, ' ') AS first_ascii,
	string_to_array(last_f, ' ') AS last_f, string_to_array(coalesce(last_m, last_f), ' ') AS last_m,
	string_to_array(last_ascii, ' ') AS last_ascii
FROM (VALUES
	('en', 'Olivia Liam Emma Noah Ava James Grace Henry Zoë Jack', 'olivia liam emma noah ava james grace henry zoe jack',
		'Smith Johnson Brown Taylor Wilson O''Neill Davies Evans Clark Wright', NULL,
		'smith johnson brown taylor wilson oneill davies evans clark wright'),
	('de', 'Anna Jürgen Sophie Björn Käthe Lukas Mia Jonas Lena Felix', 'anna juergen sophie bjoern kaethe lukas mia jonas lena felix',
		'Müller Schmidt Schäfer Weber Groß Wagner Becker Krüger Koch Jäger', NULL,
		'mueller schmidt schaefer weber gross wagner becker krueger koch jaeger'),
	('fr', 'Zoé Hugo Chloé Théo Inès Jules Léa Noël Camille René', 'zoe hugo chloe theo ines jules lea noel camille rene',
		'Martin Bernard Lefèvre Petit Moreau Garçon Dubois Fournier Mercier Bélanger', NULL,
		'martin bernard lefevre petit moreau garcon dubois fournier mercier belanger'),
	('es', 'Lucía Hugo Sofía Martín María José Begoña Íñigo Paula Andrés', 'lucia hugo sofia martin maria jose begona inigo paula andres',
		'García Muñoz Núñez López Pérez Ibáñez Ruiz Peña Gómez Ordóñez', NULL,
		'garcia munoz nunez lopez perez ibanez ruiz pena gomez ordonez'),
	('pt', 'Inês João Conceição Simão Beatriz Gonçalo Marta Tomás Sofia Rui', 'ines joao conceicao simao beatriz goncalo marta tomas sofia rui',
		'Silva Gonçalves Araújo Ferreira Conceição Magalhães Sousa Brandão Costa Pinto', NULL,
		'silva goncalves araujo ferreira conceicao magalhaes sousa brandao costa pinto'),
	('el', 'Μαρία Γιώργος Ελένη Νίκος Σοφία Δημήτρης Κατερίνα Γιάννης Άννα Κώστας', 'maria giorgos eleni nikos sofia dimitris katerina giannis anna kostas',
		'Παπαδοπούλου Βλάχου Αγγελοπούλου Νικολαΐδου Γεωργίου Δημητρίου Οικονόμου Καραγιάννη Ιωάννου Μακρή',
		'Παπαδόπουλος Βλάχος Αγγελόπουλος Νικολαΐδης Γεωργίου Δημητρίου Οικονόμου Καραγιάννης Ιωάννου Μακρής',
		'papadopoulos vlachos angelopoulos nikolaidis georgiou dimitriou oikonomou karagiannis ioannou makris'),
	('bg', 'Мария Георги Елена Иван Десислава Димитър Радка Николай Йоана Стоян', 'maria georgi elena ivan desislava dimitar radka nikolay yoana stoyan',
		'Иванова Петрова Георгиева Димитрова Стоянова Илиева Тодорова Христова Ангелова Маринова',
		'Иванов Петров Георгиев Димитров Стоянов Илиев Тодоров Христов Ангелов Маринов',
		'ivanov petrov georgiev dimitrov stoyanov iliev todorov hristov angelov marinov'),
	('ja', '花子 太郎 美咲 健太 さくら 翔太 陽子 一郎 由美 大輔', 'hanako taro misaki kenta sakura shota yoko ichiro yumi daisuke',
		'佐藤 鈴木 高橋 田中 渡辺 伊藤 山本 中村 小林 加藤', NULL,
		'sato suzuki takahashi tanaka watanabe ito yamamoto nakamura kobayashi kato')
) AS v(language, first, first_ascii, last_f, last_m, last_ascii);

-- Products: 8 categories, each with the same 24 rungs of price but its own
-- cents.  Category c ^ 1 (exclusive or) is what goes with category c.
CREATE TABLE sample.products (
	product_id int PRIMARY KEY,
	name text NOT NULL,
	category text NOT NULL,
	price numeric(12,2) NOT NULL CHECK (price > 0),
	on_hand int NOT NULL CHECK (on_hand >= 0),
	created_at timestamptz NOT NULL
);
COMMENT ON TABLE sample.products IS 'what is sold';
COMMENT ON COLUMN sample.products.price IS 'the same figure in every currency';
COMMENT ON COLUMN sample.products.on_hand IS 'pieces in stock today';

CREATE TEMP TABLE _rungs ON COMMIT DROP AS
SELECT ARRAY[4, 5, 6, 7, 8, 10, 12, 14, 17, 20, 24, 29, 35, 42, 50, 59, 69, 84, 99, 119, 149, 189, 239, 299]::float8[] AS price;

INSERT INTO sample.products
SELECT c * 100 + r, (ARRAY['Pocket', 'Basic', 'Light', 'Mini', 'Daily', 'Classic', 'Original', 'Urban', 'Nordic', 'Fresh', 'Solid', 'Smart',
		'Select', 'Comfort', 'Pure', 'Studio', 'Prime', 'Expert', 'Atelier', 'Master', 'Grand', 'Signature', 'Heritage', 'Royal'])[r] || ' ' || noun,
	category, price[r]::int + cents,
	CASE WHEN (c * 7 + r) % 13 = 0 THEN 0 ELSE 3 + (c * 31 + r * 17) % 90 END,
	sample.opening() - interval '1 day' * (1 + (c * 5 + r * 3) % 60)
FROM _rungs, generate_series(1, 24) AS r,
	(VALUES (0, 'Coffee', 'beans', 0.99), (1, 'Kitchen', 'mug', 0.90), (2, 'Books', 'novel', 0.95), (3, 'Stationery', 'notebook', 0.50),
		(4, 'Running', 'shoe', 0.95), (5, 'Nutrition', 'bar', 0.49), (6, 'Garden', 'planter', 0.00), (7, 'Tools', 'shears', 0.99)
	) AS v(c, category, noun, cents);

-- ---------------------------------------------------------------- time

-- An hour of the shop weighs month x weekday x hour.  Processes run in a time
-- in which every unit weighs the same (a day has the mean weight of a day); the
-- running sums of the weights take them to the clock, so seasons bend what
-- people do, but not how often they do it over the years.
CREATE TEMP TABLE _hours ON COMMIT DROP AS
SELECT h, weight, (sum(weight) OVER (ORDER BY h) - weight)::float8 AS before
FROM (
	SELECT h, (ARRAY[88, 84, 90, 92, 95, 90, 82, 80, 94, 102, 142, 161])[extract(month FROM at)::int]
		* (ARRAY[108, 104, 102, 100, 92, 88, 106])[extract(isodow FROM at)::int]
		* (ARRAY[9, 5, 3, 2, 2, 4, 10, 20, 32, 42, 50, 54, 56, 54, 52, 50, 50, 52, 58, 70, 82, 78, 52, 24])[h % 24 + 1] AS weight
	FROM generate_series(0, 1096 * 24 - 1) AS h, LATERAL (SELECT sample.opening() + h * interval '1 hour') AS t(at)
) AS hours;
ANALYZE _hours;

-- ---------------------------------------------------------------- people

-- Accounts (stream 1), and beside every ninth or so someone who buys as a
-- guest and has no account (stream 2).
--   rate     orders per day of someone who has not dropped out: gamma(1/2)
--   leaves   chance to be gone after an order: beta(1, 3)
--   spends   scale of an order's value: 6 / this is its mean: gamma(4)
--   start    day of the first order: three times as many a day at the end as at the start
--   buys     some accounts never do
\if :large
\echo crm sample shop: people
\endif
CREATE TEMP TABLE _people ON COMMIT DROP AS
SELECT s, id, rate, (1 - p ^ (1 / 3.0::float8)) / :loyalty AS leaves, spends, start, buys, favourite,
	place.n AS place, country, currency, language, region, city, channel AS source
FROM (
	SELECT s, id,
		sample.gamma(s, id, 0, 0.5) / 30 * :loyalty AS rate,
		sample.uniform(s, id, 10) AS p,
		sample.gamma(s, id, 16, 4) / 36 AS spends,
		1096 * (sqrt(1 + 8 * sample.uniform(s, id, 11)) - 1) / 2 AS start,
		s = 2 OR sample.uniform(s, id, 12) < 0.85 AS buys,
		floor(8 * sample.uniform(s, id, 13) * sample.uniform(s, id, 14))::int AS favourite,
		width_bucket(1000 * sample.uniform(s, id, 15), (SELECT array_agg(below ORDER BY n) FROM (
			SELECT n, (sum(weight) OVER (ORDER BY n) - weight)::float8 AS below FROM _places) AS w)) AS place_n,
		width_bucket(100 * sample.uniform(s, id, 24), (SELECT array_agg(below ORDER BY n) FROM (
			SELECT n, (sum(at_first) OVER (ORDER BY n) - at_first)::float8 AS below FROM _mix) AS w)) AS source_n
	FROM generate_series(1, :customers::bigint) AS id, generate_series(1, 2) AS s
	WHERE s = 1 OR sample.uniform(2, id, 25) < 0.11
) AS drawn
JOIN _places AS place ON place.n = place_n
JOIN _mix AS mix ON mix.n = source_n;
ANALYZE _people;

-- ---------------------------------------------------------------- orders

-- How many orders until the customer is gone is geometric; those that the rate
-- cannot reach before today are not drawn.  Numbers of order k: 64 k ..
\if :large
\echo crm sample shop: orders
\endif
CREATE TEMP TABLE _orders ON COMMIT DROP AS
SELECT s, id, k, order_id, number, rate, spends, favourite, country, currency, region, city, source,
	sec, status_u, discounted, guest, sold_in, touches, first_touch_source
FROM (
	SELECT o.*, h * 3600 + floor(3600 * (unit - before) / weight)::bigint AS sec
	FROM (
		SELECT o.*, width_bucket(unit, (SELECT array_agg(before ORDER BY h) FROM _hours)) - 1 AS h
		FROM (
			SELECT p.*, k, k * 64 AS number, id * 1000 + k + CASE WHEN s = 2 THEN 900 ELSE 0 END AS order_id,
				(SELECT sum(weight) FROM _hours) / 1096::float8 * (start + sum(CASE WHEN k = 1 THEN 0 ELSE sample.exponential(s, id, k * 64) / rate END)
					OVER (PARTITION BY s, id ORDER BY k ROWS UNBOUNDED PRECEDING)) AS unit,
				sample.uniform(s, id, k * 64 + 1) AS status_u,
				sample.uniform(s, id, k * 64 + 2) < 0.14 AS discounted,
				s = 2 OR sample.uniform(s, id, k * 64 + 3) < 0.03 AS guest,
				CASE WHEN sample.uniform(s, id, k * 64 + 4) < 0.07 THEN 'marketplace'
					WHEN sample.uniform(s, id, k * 64 + 4) < 0.12 THEN 'store' END AS sold_in,
				width_bucket(100 * sample.uniform(s, id, k * 64 + 5), CASE WHEN k = 1
					THEN ARRAY[6, 30, 52, 68, 80, 89, 95, 98]::float8[]
					ELSE ARRAY[14, 52, 75, 87, 93, 97, 99, 99.5]::float8[] END) AS touches,
				sample.uniform(s, id, k * 64 + 6) < 0.85 AS first_touch_source
			FROM _people AS p,
				generate_series(1, least(
					CASE WHEN s = 1 THEN 850 ELSE 49 END,
					1 + floor(ln(sample.uniform(s, id, 26)) / ln(1 - leaves)),
					8 + 8 * ceil((1096 - start) * rate))::int) AS k
			WHERE buys
		) AS o
		WHERE unit < (SELECT sum(weight) FROM _hours)
	) AS o
	JOIN _hours USING (h)
) AS o;
ANALYZE _orders;

-- The lines of an order: what is to be spent, in shares, each going to the
-- product of a category whose price is nearest below; the second line is of
-- the category that goes with the first, half the time the very product.
\if :large
\echo crm sample shop: what was ordered
\endif
CREATE TEMP TABLE _items ON COMMIT DROP AS
SELECT order_id, line, product_id, quantity, price AS unit_price
FROM (
	SELECT order_id, line, quantity, category * 100 + greatest(1, CASE
		WHEN line = 2 AND companion THEN first_value(rung) OVER lines - 4
		ELSE rung END) AS product_id
	FROM (
		SELECT order_id, line, quantity, companion, category_1 # (CASE line WHEN 1 THEN 0 WHEN 2 THEN 1 WHEN 3 THEN 2 + bit WHEN 4 THEN 4 + bit ELSE 6 + bit END) AS category,
			width_bucket(spend * share / sum(share) OVER (PARTITION BY order_id ORDER BY line ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) / quantity, (SELECT price FROM _rungs)) AS rung
		FROM (
			SELECT order_id, line,
				sample.gamma(s, id, number + 16, 6) / spends AS spend,
				0.4 + sample.uniform(s, id, number + 24 + line) AS share,
				CASE WHEN sample.uniform(s, id, number + 32 + line) < 0.86 THEN 1
					WHEN sample.uniform(s, id, number + 32 + line) < 0.96 THEN 2 ELSE 3 END AS quantity,
				(sample.uniform(s, id, number + 40 + line) < 0.5)::int AS bit,
				sample.uniform(s, id, number + 9) < 0.5 AS companion,
				CASE WHEN sample.uniform(s, id, number + 10) < 0.6 THEN favourite
					ELSE floor(8 * sample.uniform(s, id, number + 11))::int END AS category_1
			FROM _orders, generate_series(1, 1 + width_bucket(sample.uniform(s, id, number + 8), ARRAY[0.44, 0.72, 0.88, 0.96]::float8[])) AS line
		) AS drawn
	) AS placed
	WINDOW lines AS (PARTITION BY order_id ORDER BY line)
) AS chosen
JOIN sample.products USING (product_id);
ANALYZE _items;

-- An account is made at the first order or up to weeks before; one that never
-- buys, some day.
\if :large
\echo crm sample shop: customers
\endif
CREATE TABLE sample.customers (
	customer_id bigint NOT NULL,
	first_name text NOT NULL,
	last_name text NOT NULL,
	email crm.email,
	phone crm.phone,
	country text NOT NULL,
	region text NOT NULL,
	city text NOT NULL,
	language text NOT NULL,
	birth_date date,
	gender text CHECK (gender IN ('f', 'm', 'x')),
	created_at timestamptz NOT NULL,
	source text NOT NULL,
	marketing_consent boolean NOT NULL
);
INSERT INTO sample.customers
SELECT p.id,
	first[f], CASE WHEN f % 2 = 1 THEN last_f[l] ELSE last_m[l] END,
	(CASE WHEN sample.uniform(1, p.id, 40) < 0.97 THEN
		first_ascii[f] || '.' || last_ascii[l] || '.' || p.id || '@example.' || (ARRAY['com', 'org', 'net'])[1 + floor(3 * sample.uniform(1, p.id, 41))::int] END)::crm.email,
	(CASE WHEN sample.uniform(1, p.id, 42) < 0.7 THEN CASE country
		WHEN 'US' THEN '+1' || (ARRAY['212', '213', '312', '415', '713', '206', '305'])[1 + floor(7 * sample.uniform(1, p.id, 43))::int]
			|| '55501' || lpad(digits % 100 || '', 2, '0')
		WHEN 'GB' THEN '+447700900' || lpad(digits % 1000 || '', 3, '0')
		WHEN 'DE' THEN '+493023125' || lpad(digits % 1000 || '', 3, '0')
		WHEN 'FR' THEN '+3363998' || lpad(digits % 10000 || '', 4, '0') END END)::crm.phone,
	country, region, city, p.language,
	CASE WHEN sample.uniform(1, p.id, 44) < 0.8 THEN (sample.today() AT TIME ZONE 'UTC')::date - (6600 + floor(22000 * sample.uniform(1, p.id, 45) * (0.3 + 0.7 * sample.uniform(1, p.id, 46)))::int) END,
	CASE WHEN sample.uniform(1, p.id, 47) < 0.02 THEN 'x' WHEN sample.uniform(1, p.id, 47) < 0.9 THEN CASE WHEN f % 2 = 1 THEN 'f' ELSE 'm' END END,
	sample.opening() + interval '1 second' * coalesce(
		greatest(0, first_sec - 60 - CASE WHEN sample.uniform(1, p.id, 48) < 0.6 THEN 0
			ELSE floor(1000000 * sample.exponential(1, p.id, 49))::bigint END),
		floor(p.start * 86400)::bigint),
	source, sample.uniform(1, p.id, 50) < CASE WHEN country IN ('DE', 'FR') THEN 0.45 ELSE 0.65 END
FROM (
	SELECT *, 1 + floor(10 * sample.uniform(1, id, 51))::int AS f, 1 + floor(10 * sample.uniform(1, id, 52))::int AS l,
		floor(10000 * sample.uniform(1, id, 53))::int AS digits
	FROM _people WHERE s = 1
) AS p
JOIN _names USING (language)
LEFT JOIN (SELECT id, min(sec) AS first_sec FROM _orders WHERE s = 1 GROUP BY id) AS o USING (id);

CREATE TABLE sample.orders (
	order_id bigint NOT NULL,
	customer_id bigint,
	guest_email crm.email,
	visitor_id bigint,
	ordered_at timestamptz NOT NULL,
	status text NOT NULL CHECK (status IN ('placed', 'paid', 'shipped', 'delivered', 'cancelled', 'refunded')),
	currency text NOT NULL CHECK (currency IN ('EUR', 'GBP', 'USD')),
	amount numeric(12,2) NOT NULL CHECK (amount >= 0),
	discount numeric(12,2) NOT NULL CHECK (discount >= 0),
	channel text NOT NULL,
	country text NOT NULL,
	region text NOT NULL,
	city text NOT NULL,
	CHECK ((customer_id IS NULL) = (guest_email IS NOT NULL))
);
CREATE TABLE sample.order_items (
	order_id bigint NOT NULL,
	line int NOT NULL,
	product_id int NOT NULL,
	quantity int NOT NULL CHECK (quantity > 0),
	unit_price numeric(12,2) NOT NULL,
	PRIMARY KEY (order_id, line)
);
CREATE TABLE sample.refunds (
	refund_id bigint NOT NULL,
	order_id bigint NOT NULL,
	refunded_at timestamptz NOT NULL,
	amount numeric(12,2) NOT NULL CHECK (amount > 0)
);
CREATE TABLE sample.touches (
	touch_id bigint NOT NULL,
	visitor_id bigint NOT NULL,
	customer_id bigint,
	touched_at timestamptz NOT NULL,
	channel text NOT NULL,
	kind text NOT NULL CHECK (kind IN ('visit', 'view', 'cart', 'checkout')),
	country text NOT NULL
);

-- Journeys: the touches before an order; those of accounts that never buy; and
-- of visitors who stay unknown, twelve per account (stream 3).  Touch 1 is the
-- last; the times between are exponential, of 25 minutes to the order and of
-- 2.2 days before.
\if :large
\echo crm sample shop: touches
\endif
CREATE TEMP TABLE _touches ON COMMIT DROP AS
WITH journeys AS (
	SELECT s, id, k, touches, sec AS ends, true AS buys, source, k = 1 AND first_touch_source AS from_source,
		country, order_id, id * 100 + CASE WHEN s = 2 THEN 50 ELSE (sample.uniform(s, id, number + 7) < 0.25)::int END AS visitor_id,
		CASE WHEN s = 1 THEN id END AS customer_id
	FROM _orders WHERE sold_in IS NULL AND touches > 0
	UNION ALL
	SELECT s, id, 0, 1 + floor(1.5 * sample.exponential(s, id, 30))::int, floor(86400 * (start + 9 * sample.exponential(s, id, 31)))::bigint,
		false, source, true, country, id * 1000, id * 100, id
	FROM _people WHERE NOT buys
	UNION ALL
	SELECT 3, id, k, 1 + floor(0.9 * sample.exponential(3, id, k * 64))::int,
		floor(86400 * 1096 * (sqrt(1 + 8 * sample.uniform(3, id, k * 64 + 1)) - 1) / 2)::bigint,
		false, NULL, false, p.country, id * 1000 + 950 + k, id * 100 + 60 + k, NULL
	FROM _people AS p, generate_series(1, 12) AS k WHERE s = 1
)
SELECT order_id * 10 + t AS touch_id, visitor_id, customer_id, CASE WHEN buys THEN order_id END AS order_id, sec, t,
	CASE WHEN from_source AND t = touches THEN source ELSE channel END AS channel,
	CASE WHEN buys AND t = 1 THEN 'checkout'
		WHEN kind < CASE WHEN buys THEN 0.35 ELSE 0.06 END THEN 'cart'
		WHEN kind < CASE WHEN buys THEN 0.75 ELSE 0.35 END THEN 'view'
		ELSE 'visit' END AS kind,
	country
FROM (
	SELECT j.*, sample.uniform(s, id, number + 3) AS kind,
		ends - floor(sum(CASE WHEN t = 1 THEN 20 + 1500 * sample.exponential(s, id, number) ELSE 190000 * sample.exponential(s, id, number) END)
			OVER (PARTITION BY s, id, k ORDER BY t ROWS UNBOUNDED PRECEDING))::bigint AS sec,
		width_bucket(100 * sample.uniform(s, id, number + 1), CASE
			WHEN t = touches AND (k <= 1 OR s = 3) THEN (SELECT array_agg(below ORDER BY n) FROM (
				SELECT n, (sum(at_first) OVER (ORDER BY n) - at_first)::float8 AS below FROM _mix) AS w)
			WHEN t = 1 THEN (SELECT array_agg(below ORDER BY n) FROM (
				SELECT n, (sum(at_last) OVER (ORDER BY n) - at_last)::float8 AS below FROM _mix) AS w)
			ELSE (SELECT array_agg(below ORDER BY n) FROM (
				SELECT n, (sum(between_them) OVER (ORDER BY n) - between_them)::float8 AS below FROM _mix) AS w) END) AS channel_n
	FROM (
		SELECT journeys.*, t, 1048576 + (k * 8 + t) * 8 AS number
		FROM journeys, generate_series(1, least(touches, 8)) AS t
	) AS j
) AS j
JOIN _mix ON n = channel_n
WHERE sec BETWEEN 0 AND 1096 * 86400 - 1;
ANALYZE _touches;

INSERT INTO sample.touches
SELECT touch_id, visitor_id, customer_id, sample.opening() + sec * interval '1 second', channel, kind, country FROM _touches;

-- What became of an order depends on its age too.
\if :large
\echo crm sample shop: amounts
\endif
CREATE TEMP TABLE _sold ON COMMIT DROP AS
SELECT o.*, items, line_1, CASE WHEN discounted THEN round(items * 0.10, 2) ELSE 0 END AS discount,
	1096 * 86400 - sec AS age, sec + floor(86400 * (3 + 6 * sample.exponential(s, id, number + 12)))::bigint AS refund_sec
FROM _orders AS o
JOIN (SELECT order_id, sum(quantity * unit_price) AS items, sum(quantity * unit_price) FILTER (WHERE line = 1) AS line_1
	FROM _items GROUP BY order_id) AS i USING (order_id);
ANALYZE _sold;

INSERT INTO sample.orders
SELECT order_id, CASE WHEN NOT guest THEN o.id END,
	CASE WHEN guest THEN coalesce(c.email, ('guest.' || order_id / 1000 || '@example.net')::crm.email) END,
	t.visitor_id, sample.opening() + sec_of * interval '1 second',
	CASE WHEN status_u < 0.03 THEN 'cancelled'
		WHEN status_u < 0.055 AND refund_sec < 1096 * 86400 THEN 'refunded'
		WHEN age < 43200 THEN 'placed' WHEN age < 129600 THEN 'paid' WHEN age < 432000 THEN 'shipped'
		ELSE 'delivered' END,
	o.currency, items - discount, discount,
	coalesce(sold_in, t.channel, 'direct'), o.country, o.region, o.city
FROM (SELECT *, sec AS sec_of FROM _sold) AS o
LEFT JOIN (SELECT order_id, visitor_id, channel FROM _touches WHERE t = 1) AS t USING (order_id)
LEFT JOIN sample.customers AS c ON c.customer_id = o.id AND o.s = 1
ORDER BY sec_of, order_id;

INSERT INTO sample.order_items SELECT order_id, line, product_id, quantity, unit_price FROM _items ORDER BY order_id, line;

-- Refunds: all of a refunded order; of others now and then the first line, or
-- a fifth where there is only one, and later sometimes 5 more per cent.
INSERT INTO sample.refunds
SELECT order_id * 10 + 1, order_id, sample.opening() + refund_sec * interval '1 second',
	CASE WHEN status_u < 0.055 THEN items - discount
		WHEN line_1 < items THEN round(0.9 * line_1, 2) ELSE round(0.2 * items, 2) END
FROM _sold WHERE status_u >= 0.03 AND status_u < 0.1 AND refund_sec < 1096 * 86400;

INSERT INTO sample.refunds
SELECT order_id * 10 + 2, order_id, refunded_at + interval '5 days', round(0.05 * o.amount, 2)
FROM sample.refunds AS r JOIN sample.orders AS o USING (order_id)
WHERE order_id % 7 = 0 AND r.amount + round(0.05 * o.amount, 2) <= o.amount AND refunded_at < sample.today() - interval '5 days';

-- What the paid visits of a day cost.
CREATE TABLE sample.spend (
	channel text NOT NULL REFERENCES sample.channels,
	day date NOT NULL,
	amount numeric(12,2) NOT NULL CHECK (amount >= 0),
	currency text NOT NULL,
	PRIMARY KEY (channel, day, currency)
);
INSERT INTO sample.spend
SELECT channel, (sample.opening() AT TIME ZONE 'UTC')::date + (sec / 86400)::int, round(count(*) * price / 10000.0, 2), currency
FROM _touches
JOIN _mix AS m USING (channel)
JOIN (SELECT DISTINCT country, currency FROM _places) AS p USING (country)
WHERE price > 0
GROUP BY channel, sec / 86400, price, currency;

-- ---------------------------------------------------------------- keys, comments, views

\if :large
\echo crm sample shop: keys
\endif
ALTER TABLE sample.customers ADD PRIMARY KEY (customer_id),
	ADD FOREIGN KEY (source) REFERENCES sample.channels;
ALTER TABLE sample.orders ADD PRIMARY KEY (order_id),
	ADD FOREIGN KEY (customer_id) REFERENCES sample.customers,
	ADD FOREIGN KEY (channel) REFERENCES sample.channels;
ALTER TABLE sample.order_items ADD FOREIGN KEY (order_id) REFERENCES sample.orders,
	ADD FOREIGN KEY (product_id) REFERENCES sample.products;
ALTER TABLE sample.refunds ADD PRIMARY KEY (refund_id),
	ADD FOREIGN KEY (order_id) REFERENCES sample.orders;
ALTER TABLE sample.touches ADD PRIMARY KEY (touch_id),
	ADD FOREIGN KEY (customer_id) REFERENCES sample.customers,
	ADD FOREIGN KEY (channel) REFERENCES sample.channels;
CREATE INDEX ON sample.orders (customer_id);
CREATE INDEX ON sample.refunds (order_id);
CREATE INDEX ON sample.touches (customer_id);

COMMENT ON TABLE sample.customers IS 'accounts, with and without orders';
COMMENT ON COLUMN sample.customers.phone IS 'of the numbers that are set aside for fiction, in countries that have such';
COMMENT ON COLUMN sample.customers.source IS 'the channel that brought the customer';
COMMENT ON COLUMN sample.customers.created_at IS 'when the account was made: never after the first order';
COMMENT ON TABLE sample.orders IS 'orders of all states; sample.sales has those that count';
COMMENT ON COLUMN sample.orders.customer_id IS 'NULL: ordered as a guest';
COMMENT ON COLUMN sample.orders.guest_email IS 'of a guest; may be that of an account';
COMMENT ON COLUMN sample.orders.visitor_id IS 'whose touches led to it; NULL: none are known';
COMMENT ON COLUMN sample.orders.amount IS 'what is paid: the sum of the items less the discount';
COMMENT ON COLUMN sample.orders.channel IS 'of the last touch, or where it was sold: marketplace, store';
COMMENT ON TABLE sample.order_items IS 'what was ordered, at what price';
COMMENT ON TABLE sample.refunds IS 'money given back, in the currency of the order';
COMMENT ON TABLE sample.touches IS 'visits, of customers and of visitors who stay unknown';
COMMENT ON COLUMN sample.touches.visitor_id IS 'a browser; a customer may have two';
COMMENT ON COLUMN sample.touches.kind IS 'visit, view (of a product), cart or checkout';
COMMENT ON TABLE sample.spend IS 'what a channel cost on a day (UTC)';

CREATE VIEW sample.sales AS
SELECT customer_id, ordered_at AS at, amount, currency, order_id, channel, country, region, city
FROM sample.orders WHERE status <> 'cancelled'
UNION ALL
SELECT customer_id, refunded_at, -r.amount, currency, order_id, channel, country, region, city
FROM sample.refunds AS r JOIN sample.orders AS o USING (order_id) WHERE status <> 'cancelled';
COMMENT ON VIEW sample.sales IS 'orders that count (not cancelled), and refunds as negative amounts';

COMMIT;
ANALYZE sample.customers, sample.products, sample.orders, sample.order_items, sample.refunds, sample.touches, sample.spend;
