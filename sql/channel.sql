-- channel: credit by a rule of thumb
\pset format unaligned

-- the two worked examples, exactly
SELECT crm.channel_credit(0.50, 0.10) = 0.10 AS ten_percent, crm.channel_credit(0.75, 0.20) = 0.25 AS twenty_five,
	crm.channel_credit_linear(0.50, 0.10) = 0.10 AS linear_ten, crm.channel_credit_linear(0.75, 0.20) = 0.25 AS linear_twenty_five;
-- edges of the tiers; none reached: the conversion rate
SELECT share, rate, crm.channel_credit(share, rate) AS credit
FROM (VALUES (0.4999, 0.99), (0.50, 0.0999), (0.50, 0.1), (0.7499, 0.99), (0.75, 0.1999), (0.75, 0.2), (1, 1), (0, 0), (0.2, 0.03)) v (share, rate);
-- a table of one's own, in any order
CREATE TABLE tier AS SELECT * FROM crm.channel_tiers();
SELECT * FROM tier;
INSERT INTO tier VALUES (0.9, 0.05, 0.4), (0.5, 0.5, 0.3);
SELECT share, rate, crm.channel_credit(share, rate, (SELECT array_agg(ARRAY[revenue_share, conversion_rate, credit] ORDER BY credit DESC) FROM tier)) AS credit
FROM (VALUES (0.50, 0.10), (0.75, 0.20), (0.9, 0.05), (0.95, 0.6), (0.6, 0.5), (0.4, 0.01)) v (share, rate);
SELECT crm.channel_credit(0.9, 0.9, '{}') AS no_tiers, crm.channel_credit(NULL, 0.1) IS NULL AS unknown;
SELECT crm.channel_credit(1.01, 0.1);
SELECT crm.channel_credit(0.5, -0.1);
SELECT crm.channel_credit('NaN', 0.1);
SELECT crm.channel_credit(0.5, 0.1, '{0.5,0.1,0.1}');
SELECT crm.channel_credit(0.5, 0.1, '{{0.5,NULL,0.1}}');
-- of two tiers with the same minima the higher credit wins, in any order
SELECT crm.channel_credit(0.6, 0.3, '{{0.5,0.1,0.2},{0.5,0.1,0.3}}') AS higher_last, crm.channel_credit(0.6, 0.3, '{{0.5,0.1,0.3},{0.5,0.1,0.2}}') AS higher_first;
-- tiers are parts of a whole, also those that are not reached
SELECT crm.channel_credit(0.5, 0.1, '{{0.5,0.1,5}}');
SELECT crm.channel_credit(0.5, 0.1, '{{0.5,0.1,NaN}}');
SELECT crm.channel_credit(0.5, 0.1, '{{0.5,0.1,-0.1}}');
SELECT crm.channel_credit(0.5, 0.1, '{{0.5,0.1,0.1},{NaN,0.1,0.1}}');
SELECT crm.channel_credit(0.5, 0.1, '{{0.5,0.1,0.1},{0.9,Infinity,0.1}}');
SELECT crm.channel_credit(0.5, 0.1, '{{-0.5,0.1,0.1}}');
SELECT crm.channel_credit(0.5, 0.1, '{{0,0,0}}') AS least, crm.channel_credit(1, 1, '{{1,1,1}}') AS most;
-- so are the numbers without steps: rate (0.5 + share)
SELECT crm.channel_credit_linear(0, 0.3) = 0.15 AS none, crm.channel_credit_linear(0.2, 0.03) = 0.021 AS some, crm.channel_credit_linear(1, 0) = 0 AS no_rate, crm.channel_credit_linear(NULL, 0.1) IS NULL AS unknown;
SELECT crm.channel_credit_linear(2, 0.3);
SELECT crm.channel_credit_linear(-1, 0.3);
SELECT crm.channel_credit_linear('NaN', 0.3);
SELECT crm.channel_credit_linear(0.3, 1.1);
SELECT crm.channel_credit_linear(0.3, '-Infinity');
-- the tiers that are listed are the ones that are used
SELECT bool_and(crm.channel_credit(revenue_share, conversion_rate) = credit) AS same FROM crm.channel_tiers();
DROP TABLE tier;
