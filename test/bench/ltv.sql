-- Lifetime value of :rows customers: fits and predictions, scan included.
-- The rivals are the same scan with an aggregate that does nothing: what is
-- more than that is the model's; where the scan is of a model too, count(x + 1)
-- is a function that does next to nothing. And public packages: Python's
-- lifetimes and R's BTYD and BTYDplus, with the numbers in arrays already, and
-- our parameters for lifetimes' predictions; R's CLVTools, which begins with a
-- log of orders by the day, as ours does there, but has made its own object of
-- it already, in weeks: with days its fit of BG/NBD overflows. Its predict() does all that it can at once: P(alive), the orders in
-- a year and their value, and with Pareto/NBD those of all time; so do ours there.

-- setup
CREATE EXTENSION IF NOT EXISTS crm;
CREATE SCHEMA IF NOT EXISTS bench;
SELECT setseed(0.5);
-- BG/NBD: rate ~ gamma(1/2) / 60 days, loss ~ beta(1, 2); value ~ gamma(2) / gamma(3)
CREATE TABLE bench.histories AS
SELECT c AS customer, t, n, sum(-ln(1 - random()) / rate) OVER (PARTITION BY c ORDER BY n) AS at, -ln((1 - random()) * (1 - random())) / scale AS value
FROM (
	SELECT c, 1 + 364 * random() AS t, greatest(-ln(1 - random()) * cos(2 * pi() * random()) ^ 2, 1e-9) / 60 AS rate, 1 + floor(ln(1 - random()) / ln(sqrt(1 - random()))) AS loyal,
		-ln((1 - random()) * (1 - random()) * (1 - random())) / 40 AS scale
	FROM generate_series(1, :rows) c
) AS customers, LATERAL generate_series(1, least(loyal, 100, 2 + ceil(t * rate * 3 + 3))::int) AS n;
CREATE TABLE bench.orders AS
SELECT customer, timestamptz '2026-01-01 00:00Z' - t * interval '1 day' AS at, round((20 + 60 * random())::numeric, 2) AS value FROM bench.histories WHERE n = 1
UNION ALL SELECT customer, timestamptz '2026-01-01 00:00Z' - (t - at) * interval '1 day', round(value::numeric, 2) FROM bench.histories WHERE at <= t;
CREATE TABLE bench.customers AS SELECT crm.purchases(at, value) AS p FROM bench.orders GROUP BY customer;
-- of a tenth: the orders by the day, and the customers by the same day
CREATE TABLE bench.log AS SELECT customer, (at AT TIME ZONE 'UTC')::date AS day, value FROM bench.orders WHERE customer <= :rows / 10;
CREATE TABLE bench.logged AS SELECT crm.purchases(day, value, '1 day') AS p FROM bench.log GROUP BY customer;
DROP TABLE bench.histories, bench.orders;
CREATE TABLE bench.numbers AS
SELECT crm.repeat_purchases(p)::float8 AS x, crm.active_days(p) AS t_x, crm.observed_days(p, '2026-01-01 00:00Z') AS t, coalesce(crm.repeat_value(p), 0)::float8 AS mean_value FROM bench.customers;
CREATE TABLE bench.tenth AS SELECT * FROM bench.numbers LIMIT :rows / 10;
CREATE TABLE bench.days AS SELECT x, ceil(t_x) AS t_x, ceil(t) AS t FROM bench.numbers;
CREATE TABLE bench.models AS
SELECT crm.ltv_model(x, t_x, t, mean_value, 'bg_nbd') AS bg, crm.ltv_model(x, t_x, t, mean_value, 'mbg_nbd') AS mbg, crm.ltv_model(x, t_x, t, mean_value, 'pareto_nbd') AS pareto FROM bench.numbers;
ALTER TABLE bench.models ADD COLUMN days crm.ltv_model;
UPDATE bench.models SET days = crm.in_days(bg, 1), pareto = crm.in_days(pareto, 1);
VACUUM ANALYZE bench.customers, bench.numbers, bench.tenth, bench.days, bench.log, bench.logged;

-- python
import pandas
from lifetimes import BetaGeoFitter, GammaGammaFitter, ParetoNBDFitter
x, t_x, t, mean_value = table('SELECT x, t_x, t, mean_value FROM bench.numbers').T
few = table('SELECT x, t_x, t FROM bench.tenth').T
bg, pareto = BetaGeoFitter(), ParetoNBDFitter()
bg.params_ = pandas.Series(table('SELECT estimate FROM bench.models, crm.parameters(bg) LIMIT 4')[:, 0], ['r', 'alpha', 'a', 'b'])
pareto.params_ = pandas.Series(table('SELECT estimate FROM bench.models, crm.parameters(pareto) LIMIT 4')[:, 0], ['r', 'alpha', 's', 'beta'])
spend = GammaGammaFitter()
spend.params_ = pandas.Series(table('SELECT estimate FROM bench.models, crm.parameters(bg) WITH ORDINALITY AS p(name, estimate, error, n) WHERE n BETWEEN 5 AND 7')[:, 0], ['p', 'q', 'v'])
bg.predict = bg.conditional_expected_number_of_purchases_up_to_time

-- R
library(BTYD)
library(BTYDplus)
library(CLVTools)
few <- table('SELECT x, t_x, t FROM bench.tenth')
names(few) <- c('x', 't.x', 'T.cal')
orders <- clvdata(table('SELECT * FROM bench.log'), 'ymd', 'weeks', data.end = '2026-01-01', name.id = 'V1', name.date = 'V2', name.price = 'V3')
bg <- bgnbd(orders)
pareto <- pnbd(orders)
spend <- gg(orders)

-- task: fit BG/NBD to numbers that all differ
-- ours
SELECT crm.ltv_model(x, t_x, t, 'bg_nbd') FROM bench.numbers;
-- rival: the scan
SELECT sum(x), sum(t_x), sum(t) FROM bench.numbers;
-- rival in python: lifetimes
BetaGeoFitter().fit(x, t_x, t)
-- task: fit MBG/NBD to numbers that all differ
-- ours
SELECT crm.ltv_model(x, t_x, t, 'mbg_nbd') FROM bench.numbers;
-- rival: the scan
SELECT sum(x), sum(t_x), sum(t) FROM bench.numbers;
-- task: fit Pareto/NBD to numbers that all differ
-- ours
SELECT crm.ltv_model(x, t_x, t, 'pareto_nbd') FROM bench.numbers;
-- rival: the scan
SELECT sum(x), sum(t_x), sum(t) FROM bench.numbers;
-- task: fit BG/NBD to a tenth of them
-- ours
SELECT crm.ltv_model(x, t_x, t, 'bg_nbd') FROM bench.tenth;
-- rival in R: BTYD
bgnbd.EstimateParameters(as.matrix(few))
-- task: fit MBG/NBD to a tenth of them
-- ours
SELECT crm.ltv_model(x, t_x, t, 'mbg_nbd') FROM bench.tenth;
-- rival in R: BTYDplus
mbgnbd.EstimateParameters(few)
-- task: fit Pareto/NBD to a tenth of them
-- ours
SELECT crm.ltv_model(x, t_x, t, 'pareto_nbd') FROM bench.tenth;
-- rival in python: lifetimes
ParetoNBDFitter().fit(*few)
-- task: fit BG/NBD to whole days
-- ours
SELECT crm.ltv_model(x, t_x, t, 'bg_nbd') FROM bench.days;
-- rival: the scan
SELECT sum(x), sum(t_x), sum(t) FROM bench.days;
-- task: fit BG/NBD and Gamma-Gamma to numbers
-- ours
SELECT crm.ltv_model(x, t_x, t, mean_value, 'bg_nbd') FROM bench.numbers;
-- rival: BG/NBD alone
SELECT crm.ltv_model(x, t_x, t, 'bg_nbd') FROM bench.numbers;
-- rival in python: lifetimes
BetaGeoFitter().fit(x, t_x, t)
GammaGammaFitter().fit(x[x > 0], mean_value[x > 0])
-- task: fit BG/NBD and Gamma-Gamma to stored purchases
-- ours
SELECT crm.ltv_model(p, '2026-01-01 00:00Z') FROM bench.customers;
-- rival: the scan
SELECT sum(crm.order_count(p)) FROM bench.customers;
-- task: fit BG/NBD and Gamma-Gamma to the orders of a tenth
-- ours
SELECT crm.ltv_model(p, '2026-01-01 00:00Z', 'bg_nbd') FROM (SELECT crm.purchases(day, value, '1 day') AS p FROM bench.log GROUP BY customer) AS c;
-- rival in R: CLVTools
bgnbd(orders)
gg(orders)
-- task: fit Pareto/NBD and Gamma-Gamma to the orders of a tenth
-- ours
SELECT crm.ltv_model(p, '2026-01-01 00:00Z', 'pareto_nbd') FROM (SELECT crm.purchases(day, value, '1 day') AS p FROM bench.log GROUP BY customer) AS c;
-- rival in R: CLVTools
pnbd(orders)
gg(orders)
-- task: predictions for a tenth, BG/NBD
-- ours
SELECT crm.alive(days, p, '2026-01-01 00:00Z'), crm.expected_orders(days, p, '2026-01-01 00:00Z', '52 weeks'), crm.expected_order_value(days, p) FROM bench.logged, bench.models;
-- rival in R: CLVTools
predict(bg, prediction.end = 52, predict.spending = spend)
-- task: predictions for a tenth, Pareto/NBD
-- ours
SELECT crm.alive(pareto, p, '2026-01-01 00:00Z'), crm.expected_orders(pareto, p, '2026-01-01 00:00Z', '52 weeks'), crm.expected_order_value(pareto, p),
	crm.dert(pareto, crm.repeat_purchases(p)::float8, crm.active_days(p), crm.observed_days(p, '2026-01-01 00:00Z'), 0.00026) FROM bench.logged, bench.models;
-- rival in R: CLVTools
predict(pareto, prediction.end = 52, predict.spending = spend, continuous.discount.factor = 0.00182)
-- task: P(alive), BG/NBD
-- ours
SELECT crm.alive(bg, x, t_x, t) FROM bench.numbers, bench.models;
-- rival: the scan
SELECT x, t_x, t FROM bench.numbers, bench.models;
-- rival in python: lifetimes
bg.conditional_probability_alive(x, t_x, t)
-- task: expected orders in a year, BG/NBD
-- ours
SELECT crm.expected_orders(bg, x, t_x, t, 365) FROM bench.numbers, bench.models;
-- rival: the scan
SELECT x, t_x, t FROM bench.numbers, bench.models;
-- rival: count(x + 1)
SELECT count(x + 1) FROM bench.numbers, bench.models;
-- rival in python: lifetimes
bg.conditional_expected_number_of_purchases_up_to_time(365, x, t_x, t)
-- task: expected orders in a year, Pareto/NBD
-- ours
SELECT crm.expected_orders(pareto, x, t_x, t, 365) FROM bench.numbers, bench.models;
-- rival: the scan
SELECT x, t_x, t FROM bench.numbers, bench.models;
-- rival in python: lifetimes
pareto.conditional_expected_number_of_purchases_up_to_time(365, x, t_x, t)
-- task: expected orders in a year of stored purchases, BG/NBD
-- ours
SELECT crm.expected_orders(days, p, '2026-01-01 00:00Z', '1 year') FROM bench.customers, bench.models;
-- rival: the scan
SELECT crm.order_count(p) FROM bench.customers, bench.models;
-- task: twelve months' value, BG/NBD
-- ours
SELECT crm.ltv(bg, x, t_x, t, mean_value, 365, 0.00026) FROM bench.numbers, bench.models;
-- rival: the scan
SELECT x, t_x, t FROM bench.numbers, bench.models;
-- rival in python: lifetimes
spend.customer_lifetime_value(bg, x, t_x, t, mean_value, 12, 0.0079)
-- task: value of all time to come, BG/NBD
-- ours
SELECT crm.dert(bg, x, t_x, t, 0.00026) FROM bench.numbers, bench.models;
-- rival: the scan
SELECT x, t_x, t FROM bench.numbers, bench.models;
-- task: twelve months' value, Pareto/NBD
-- ours
SELECT crm.ltv(pareto, x, t_x, t, mean_value, 365, 0.00026) FROM bench.numbers, bench.models;
-- rival: the scan
SELECT x, t_x, t FROM bench.numbers, bench.models;
-- task: value of all time to come, BG/NBD, a thousand calls that share nothing
-- ours
SELECT crm.dert(crm.ltv_model('bg_nbd', ARRAY[0.5 + n / 1e6, 60, 1, 2]), 3, 200, 300, 0.00026) FROM generate_series(1, 1000) AS n;
