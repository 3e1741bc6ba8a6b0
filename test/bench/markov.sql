-- Markov models of :rows paths, each converting or not, of five touches on
-- average; 12 channels and 200, some met far more often than others. The rivals
-- are the same scan with an aggregate that does nothing, and public packages with
-- the paths in data frames already. R's ChannelAttribution, in C++, has the same
-- transition matrix, but where ours solves, it simulates: by default until ten
-- repetitions differ by less than 5 %, which is all that it is asked for here.
-- Python's MAM (marketing_attribution_models) knows order 1 and solves, once for
-- each channel; and it shares each path's conversion among its channels, too.
-- Python's pychattr simulates 10,000 paths, and no more.

-- setup
CREATE EXTENSION IF NOT EXISTS crm;
CREATE SCHEMA IF NOT EXISTS bench;
SELECT setseed(0.5);
CREATE TABLE bench.paths AS
SELECT many, array_agg('channel ' || floor(many * chance ^ 2)) AS path, (id % 10 < 2)::int AS conversions, CASE WHEN id % 10 < 2 THEN id % 100 + 0.5 ELSE 0 END AS value, (id % 10 >= 2)::int AS nulls
FROM (
	SELECT id, many, random() AS chance
	FROM (SELECT id, floor(1 - ln(1 - random()) * 4.5)::int AS touches FROM generate_series(1, :rows) id) lengths, generate_series(1, touches), unnest(ARRAY[12, 200]) many
) touches
GROUP BY id, many;
CREATE TABLE bench.paths_12 AS SELECT path, conversions, value, nulls FROM bench.paths WHERE many = 12;
CREATE TABLE bench.paths_200 AS SELECT path, conversions, value, nulls FROM bench.paths WHERE many = 200;
DROP TABLE bench.paths;
VACUUM ANALYZE bench.paths_12, bench.paths_200;

-- python
import pandas
from marketing_attribution_models import MAM
from pychattr.channel_attribution import MarkovModel
def journeys(rows):
    paths = pandas.DataFrame(rows, columns=['path', 'converted']).astype({'converted': bool}).reset_index(names='id')
    return MAM(paths, channels_colname='path', journey_with_conv_colname='converted', group_channels_by_id_list=['id'], time_till_conv_colname='skip_column')
journeys_12 = journeys(table("SELECT array_to_string(path, ' > '), conversions FROM bench.paths_12"))
journeys_200 = journeys(table("SELECT array_to_string(path, ' > '), conversions FROM bench.paths_200"))
strings = pandas.DataFrame(table("SELECT array_to_string(path, '>'), conversions, value, nulls FROM bench.paths_12"), columns=['path', 'orders', 'value', 'nulls']).infer_objects()
def few(order):
    MarkovModel('path', 'orders', null_feature='nulls', revenue_feature='value', separator='>', k_order=order).fit(strings)

-- R
library(ChannelAttribution)
paths_12 <- table("SELECT array_to_string(path, '>'), conversions, value, nulls FROM bench.paths_12")
paths_200 <- table("SELECT array_to_string(path, '>'), conversions, value, nulls FROM bench.paths_200")
simulated <- function(paths, order) markov_model(paths, 'V1', 'V2', 'V3', 'V4', order, flg_pro = FALSE)

-- task: 12 channels, order 1
-- ours
SELECT crm.markov_model(path, conversions, value, nulls, 1) FROM bench.paths_12;
-- rival: the scan
SELECT count(path) FROM bench.paths_12;
-- rival in R: ChannelAttribution
simulated(paths_12, 1)
-- rival in python: MAM
journeys_12.attribution_markov(conversion_value_as_frequency=False)
-- rival in python: pychattr
few(1)

-- task: 12 channels, order 2
-- ours
SELECT crm.markov_model(path, conversions, value, nulls, 2) FROM bench.paths_12;
-- rival in R: ChannelAttribution
simulated(paths_12, 2)
-- rival in python: pychattr
few(2)

-- task: 200 channels, order 1
-- ours
SELECT crm.markov_model(path, conversions, value, nulls, 1) FROM bench.paths_200;
-- rival: the scan
SELECT count(path) FROM bench.paths_200;
-- rival in R: ChannelAttribution
simulated(paths_200, 1)
-- rival in python: MAM
journeys_200.attribution_markov(conversion_value_as_frequency=False)

-- task: 200 channels, order 2
-- ours
SELECT crm.markov_model(path, conversions, value, nulls, 2) FROM bench.paths_200;
-- rival in R: ChannelAttribution
simulated(paths_200, 2)

-- task: 200 channels, order 3
-- ours
SELECT crm.markov_model(path, conversions, value, nulls, 3) FROM bench.paths_200;
