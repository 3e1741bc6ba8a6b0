-- Three tracked tables (plain, partitioned, queued) as pg_dump of PostgreSQL 15 with crm 0.1.0 wrote them: test/t/track_dump.pl
-- restores them in the server at hand.  Not to be made anew: what was once written must stay readable.
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE SCHEMA crm;
CREATE EXTENSION IF NOT EXISTS crm WITH SCHEMA crm;
COMMENT ON EXTENSION crm IS 'e-commerce CRM: customers, purchases, RFM, lifetime value, attribution, lifecycle';
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.orders (
    id integer NOT NULL,
    customer integer,
    at timestamp with time zone,
    amount numeric,
    status text
);
CREATE TABLE public.orders_lifecycle (
    customer integer NOT NULL,
    purchases crm.purchases NOT NULL,
    stage text NOT NULL,
    stage_since timestamp with time zone NOT NULL,
    stage_until timestamp with time zone,
    check_at timestamp with time zone,
    reactivated_at timestamp with time zone,
    CONSTRAINT orders_lifecycle_stage_check CHECK ((stage = ANY (ARRAY['lead'::text, 'new'::text, 'active'::text, 'loyal'::text, 'at_risk'::text, 'lost'::text])))
)
WITH (fillfactor='80');
CREATE TABLE public.orders_lifecycle_history (
    id bigint NOT NULL,
    customer integer NOT NULL,
    from_stage text,
    to_stage text NOT NULL,
    at timestamp with time zone NOT NULL,
    noticed_at timestamp with time zone NOT NULL,
    cause text NOT NULL,
    CONSTRAINT orders_lifecycle_history_cause_check CHECK ((cause = ANY (ARRAY['order'::text, 'refund'::text, 'time'::text, 'correction'::text]))),
    CONSTRAINT orders_lifecycle_history_from_stage_check CHECK ((from_stage = ANY (ARRAY['lead'::text, 'new'::text, 'active'::text, 'loyal'::text, 'at_risk'::text, 'lost'::text]))),
    CONSTRAINT orders_lifecycle_history_to_stage_check CHECK ((to_stage = ANY (ARRAY['lead'::text, 'new'::text, 'active'::text, 'loyal'::text, 'at_risk'::text, 'lost'::text])))
);
ALTER TABLE public.orders_lifecycle_history ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.orders_lifecycle_history_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE VIEW public.orders_lifecycle_now AS
 SELECT orders_lifecycle.customer,
    crm.stage(orders_lifecycle.purchases, now(), '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}'::crm.lifecycle_policy) AS stage,
    crm.phase(crm.stage(orders_lifecycle.purchases, now(), '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}'::crm.lifecycle_policy)) AS phase,
        CASE
            WHEN (orders_lifecycle.stage = crm.stage(orders_lifecycle.purchases, now(), '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}'::crm.lifecycle_policy)) THEN orders_lifecycle.stage_since
            ELSE crm.stage_until(orders_lifecycle.purchases, '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}'::crm.lifecycle_policy,
            CASE crm.stage(orders_lifecycle.purchases, now(), '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}'::crm.lifecycle_policy)
                WHEN 'lost'::text THEN (crm.stage_until(orders_lifecycle.purchases, '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}'::crm.lifecycle_policy) + '00:00:00.000001'::interval)
                ELSE NULL::timestamp with time zone
            END)
        END AS stage_since,
    crm.stage_until(orders_lifecycle.purchases, '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}'::crm.lifecycle_policy, now()) AS stage_until,
    orders_lifecycle.reactivated_at,
    crm.order_count(orders_lifecycle.purchases) AS orders,
    (crm.revenue(orders_lifecycle.purchases))::numeric(20,4) AS revenue,
    (crm.refunds(orders_lifecycle.purchases))::numeric(20,4) AS refunds,
    crm.first_order(orders_lifecycle.purchases) AS first_order,
    crm.last_order(orders_lifecycle.purchases) AS last_order
   FROM public.orders_lifecycle;
CREATE TABLE public.parted (
    id integer,
    customer text,
    at timestamp with time zone,
    amount numeric
)
PARTITION BY RANGE (at);
CREATE TABLE public.parted_1 (
    id integer,
    customer text,
    at timestamp with time zone,
    amount numeric
);
CREATE TABLE public.parted_2 (
    id integer,
    customer text,
    at timestamp with time zone,
    amount numeric
);
CREATE TABLE public.parted_lifecycle (
    customer text NOT NULL,
    purchases crm.purchases NOT NULL,
    stage text NOT NULL,
    stage_since timestamp with time zone NOT NULL,
    stage_until timestamp with time zone,
    check_at timestamp with time zone,
    reactivated_at timestamp with time zone,
    CONSTRAINT parted_lifecycle_stage_check CHECK ((stage = ANY (ARRAY['lead'::text, 'new'::text, 'active'::text, 'loyal'::text, 'at_risk'::text, 'lost'::text])))
)
WITH (fillfactor='80');
CREATE TABLE public.parted_lifecycle_history (
    id bigint NOT NULL,
    customer text NOT NULL,
    from_stage text,
    to_stage text NOT NULL,
    at timestamp with time zone NOT NULL,
    noticed_at timestamp with time zone NOT NULL,
    cause text NOT NULL,
    CONSTRAINT parted_lifecycle_history_cause_check CHECK ((cause = ANY (ARRAY['order'::text, 'refund'::text, 'time'::text, 'correction'::text]))),
    CONSTRAINT parted_lifecycle_history_from_stage_check CHECK ((from_stage = ANY (ARRAY['lead'::text, 'new'::text, 'active'::text, 'loyal'::text, 'at_risk'::text, 'lost'::text]))),
    CONSTRAINT parted_lifecycle_history_to_stage_check CHECK ((to_stage = ANY (ARRAY['lead'::text, 'new'::text, 'active'::text, 'loyal'::text, 'at_risk'::text, 'lost'::text])))
);
ALTER TABLE public.parted_lifecycle_history ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.parted_lifecycle_history_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE VIEW public.parted_lifecycle_now AS
 SELECT parted_lifecycle.customer,
    crm.stage(parted_lifecycle.purchases, now(), '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}'::crm.lifecycle_policy) AS stage,
    crm.phase(crm.stage(parted_lifecycle.purchases, now(), '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}'::crm.lifecycle_policy)) AS phase,
        CASE
            WHEN (parted_lifecycle.stage = crm.stage(parted_lifecycle.purchases, now(), '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}'::crm.lifecycle_policy)) THEN parted_lifecycle.stage_since
            ELSE crm.stage_until(parted_lifecycle.purchases, '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}'::crm.lifecycle_policy,
            CASE crm.stage(parted_lifecycle.purchases, now(), '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}'::crm.lifecycle_policy)
                WHEN 'lost'::text THEN (crm.stage_until(parted_lifecycle.purchases, '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}'::crm.lifecycle_policy) + '00:00:00.000001'::interval)
                ELSE NULL::timestamp with time zone
            END)
        END AS stage_since,
    crm.stage_until(parted_lifecycle.purchases, '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}'::crm.lifecycle_policy, now()) AS stage_until,
    parted_lifecycle.reactivated_at,
    crm.order_count(parted_lifecycle.purchases) AS orders,
    (crm.revenue(parted_lifecycle.purchases))::numeric(20,4) AS revenue,
    (crm.refunds(parted_lifecycle.purchases))::numeric(20,4) AS refunds,
    crm.first_order(parted_lifecycle.purchases) AS first_order,
    crm.last_order(parted_lifecycle.purchases) AS last_order
   FROM public.parted_lifecycle;
CREATE TABLE public.web (
    id integer NOT NULL,
    customer integer,
    at timestamp with time zone,
    amount numeric,
    status text
);
CREATE TABLE public.web_lifecycle (
    customer integer NOT NULL,
    purchases crm.purchases NOT NULL,
    stage text NOT NULL,
    stage_since timestamp with time zone NOT NULL,
    stage_until timestamp with time zone,
    check_at timestamp with time zone,
    reactivated_at timestamp with time zone,
    CONSTRAINT web_lifecycle_stage_check CHECK ((stage = ANY (ARRAY['lead'::text, 'new'::text, 'active'::text, 'loyal'::text, 'at_risk'::text, 'lost'::text])))
)
WITH (fillfactor='80');
CREATE TABLE public.web_lifecycle_errors (
    customer integer,
    failed_at timestamp with time zone NOT NULL,
    sqlstate text NOT NULL,
    message text NOT NULL
);
ALTER TABLE ONLY public.web_lifecycle_errors REPLICA IDENTITY FULL;
CREATE TABLE public.web_lifecycle_history (
    id bigint NOT NULL,
    customer integer NOT NULL,
    from_stage text,
    to_stage text NOT NULL,
    at timestamp with time zone NOT NULL,
    noticed_at timestamp with time zone NOT NULL,
    cause text NOT NULL,
    CONSTRAINT web_lifecycle_history_cause_check CHECK ((cause = ANY (ARRAY['order'::text, 'refund'::text, 'time'::text, 'correction'::text]))),
    CONSTRAINT web_lifecycle_history_from_stage_check CHECK ((from_stage = ANY (ARRAY['lead'::text, 'new'::text, 'active'::text, 'loyal'::text, 'at_risk'::text, 'lost'::text]))),
    CONSTRAINT web_lifecycle_history_to_stage_check CHECK ((to_stage = ANY (ARRAY['lead'::text, 'new'::text, 'active'::text, 'loyal'::text, 'at_risk'::text, 'lost'::text])))
);
ALTER TABLE public.web_lifecycle_history ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.web_lifecycle_history_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE VIEW public.web_lifecycle_now AS
 SELECT web_lifecycle.customer,
    crm.stage(web_lifecycle.purchases, now(), '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}'::crm.lifecycle_policy) AS stage,
    crm.phase(crm.stage(web_lifecycle.purchases, now(), '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}'::crm.lifecycle_policy)) AS phase,
        CASE
            WHEN (web_lifecycle.stage = crm.stage(web_lifecycle.purchases, now(), '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}'::crm.lifecycle_policy)) THEN web_lifecycle.stage_since
            ELSE crm.stage_until(web_lifecycle.purchases, '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}'::crm.lifecycle_policy,
            CASE crm.stage(web_lifecycle.purchases, now(), '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}'::crm.lifecycle_policy)
                WHEN 'lost'::text THEN (crm.stage_until(web_lifecycle.purchases, '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}'::crm.lifecycle_policy) + '00:00:00.000001'::interval)
                ELSE NULL::timestamp with time zone
            END)
        END AS stage_since,
    crm.stage_until(web_lifecycle.purchases, '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}'::crm.lifecycle_policy, now()) AS stage_until,
    web_lifecycle.reactivated_at,
    crm.order_count(web_lifecycle.purchases) AS orders,
    (crm.revenue(web_lifecycle.purchases))::numeric(20,4) AS revenue,
    (crm.refunds(web_lifecycle.purchases))::numeric(20,4) AS refunds,
    crm.first_order(web_lifecycle.purchases) AS first_order,
    crm.last_order(web_lifecycle.purchases) AS last_order
   FROM public.web_lifecycle;
CREATE TABLE public.web_lifecycle_queue (
    customer integer NOT NULL,
    cause text DEFAULT 'correction'::text NOT NULL,
    queued_at timestamp with time zone DEFAULT now() NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='10000');
ALTER TABLE ONLY public.web_lifecycle_queue REPLICA IDENTITY FULL;
ALTER TABLE ONLY public.parted ATTACH PARTITION public.parted_1 FOR VALUES FROM ('2020-01-01 00:00:00+00') TO ('2025-06-01 00:00:00+00');
ALTER TABLE ONLY public.parted ATTACH PARTITION public.parted_2 DEFAULT;
COPY public.orders (id, customer, at, amount, status) FROM stdin;
1	1	2025-01-10 00:00:00+00	1	paid
2	2	2025-01-19 00:00:00+00	2	paid
3	3	2025-01-28 00:00:00+00	3	paid
4	4	2025-02-06 00:00:00+00	4	open
5	5	2025-02-15 00:00:00+00	0	paid
6	6	2025-02-24 00:00:00+00	1	paid
7	0	2025-03-05 00:00:00+00	2	paid
8	1	2025-03-14 00:00:00+00	3	open
9	2	2025-03-23 00:00:00+00	4	paid
10	3	2025-04-01 00:00:00+00	0	paid
11	4	2025-04-10 00:00:00+00	1	paid
12	5	2025-04-19 00:00:00+00	2	open
13	6	2025-04-28 00:00:00+00	3	paid
14	0	2025-05-07 00:00:00+00	4	paid
15	1	2025-05-16 00:00:00+00	0	paid
16	2	2025-05-25 00:00:00+00	1	open
17	3	2025-06-03 00:00:00+00	2	paid
18	4	2025-06-12 00:00:00+00	3	paid
19	5	2025-06-21 00:00:00+00	4	paid
20	6	2025-06-30 00:00:00+00	0	open
21	0	2025-07-09 00:00:00+00	1	paid
22	1	2025-07-18 00:00:00+00	2	paid
23	2	2025-07-27 00:00:00+00	3	paid
24	3	2025-08-05 00:00:00+00	4	open
25	4	2025-08-14 00:00:00+00	0	paid
26	5	2025-08-23 00:00:00+00	1	paid
27	6	2025-09-01 00:00:00+00	2	paid
28	0	2025-09-10 00:00:00+00	3	open
29	1	2025-09-19 00:00:00+00	4	paid
30	2	2025-09-28 00:00:00+00	0	paid
31	3	2025-10-07 00:00:00+00	1	paid
32	4	2025-10-16 00:00:00+00	2	open
33	5	2025-10-25 00:00:00+00	3	paid
34	6	2025-11-03 00:00:00+00	4	paid
35	0	2025-11-12 00:00:00+00	0	paid
36	1	2025-11-21 00:00:00+00	1	open
37	2	2025-11-30 00:00:00+00	2	paid
38	3	2025-12-09 00:00:00+00	3	paid
39	4	2025-12-18 00:00:00+00	4	paid
40	5	2025-12-27 00:00:00+00	0	open
\.
COPY public.orders_lifecycle (customer, purchases, stage, stage_since, stage_until, check_at, reactivated_at) FROM stdin;
0	{"orders": 4, "revenue": 7, "refunds": 0, "first_order": "2025-03-05T00:00:00Z", "last_order": "2025-11-12T00:00:00Z", "first_value": 2, "first_count": 1}	lost	2026-10-14 00:00:00+00	\N	\N	\N
1	{"orders": 4, "revenue": 7, "refunds": 0, "first_order": "2025-01-10T00:00:00Z", "last_order": "2025-09-19T00:00:00Z", "first_value": 1, "first_count": 1}	lost	2026-08-21 00:00:00+00	\N	\N	\N
2	{"orders": 5, "revenue": 11, "refunds": 0, "first_order": "2025-01-19T00:00:00Z", "last_order": "2025-11-30T00:00:00Z", "first_value": 2, "first_count": 1}	lost	2026-10-11 00:00:00+00	\N	\N	\N
3	{"orders": 5, "revenue": 9, "refunds": 0, "first_order": "2025-01-28T00:00:00Z", "last_order": "2025-12-09T00:00:00Z", "first_value": 3, "first_count": 1}	lost	2026-10-20 00:00:00+00	\N	\N	\N
4	{"orders": 4, "revenue": 8, "refunds": 0, "first_order": "2025-04-10T00:00:00Z", "last_order": "2025-12-18T00:00:00Z", "first_value": 1, "first_count": 1}	lost	2026-11-19 00:00:00+00	\N	\N	\N
5	{"orders": 4, "revenue": 8, "refunds": 0, "first_order": "2025-02-15T00:00:00Z", "last_order": "2025-10-25T00:00:00Z", "first_value": 0, "first_count": 1}	lost	2026-09-26 00:00:00+00	\N	\N	\N
6	{"orders": 4, "revenue": 10, "refunds": 0, "first_order": "2025-02-24T00:00:00Z", "last_order": "2025-11-03T00:00:00Z", "first_value": 1, "first_count": 1}	lost	2026-10-05 00:00:00+00	\N	\N	\N
\.
COPY public.orders_lifecycle_history (id, customer, from_stage, to_stage, at, noticed_at, cause) FROM stdin;
1	0	\N	active	2025-03-05 00:00:00+00	2026-11-22 08:06:27.132469+00	order
2	0	active	at_risk	2026-04-29 00:00:00+00	2026-11-22 08:06:27.132469+00	time
3	0	at_risk	lost	2026-10-14 00:00:00+00	2026-11-22 08:06:27.132469+00	time
4	1	\N	active	2025-01-10 00:00:00+00	2026-11-22 08:06:27.132469+00	order
5	1	active	at_risk	2026-03-06 00:00:00+00	2026-11-22 08:06:27.132469+00	time
6	1	at_risk	lost	2026-08-21 00:00:00+00	2026-11-22 08:06:27.132469+00	time
7	2	\N	loyal	2025-01-19 00:00:00+00	2026-11-22 08:06:27.132469+00	order
8	2	loyal	at_risk	2026-05-06 12:00:00+00	2026-11-22 08:06:27.132469+00	time
9	2	at_risk	lost	2026-10-11 00:00:00+00	2026-11-22 08:06:27.132469+00	time
10	3	\N	loyal	2025-01-28 00:00:00+00	2026-11-22 08:06:27.132469+00	order
11	3	loyal	at_risk	2026-05-15 12:00:00+00	2026-11-22 08:06:27.132469+00	time
12	3	at_risk	lost	2026-10-20 00:00:00+00	2026-11-22 08:06:27.132469+00	time
13	4	\N	active	2025-04-10 00:00:00+00	2026-11-22 08:06:27.132469+00	order
14	4	active	at_risk	2026-06-04 00:00:00+00	2026-11-22 08:06:27.132469+00	time
15	4	at_risk	lost	2026-11-19 00:00:00+00	2026-11-22 08:06:27.132469+00	time
16	5	\N	active	2025-02-15 00:00:00+00	2026-11-22 08:06:27.132469+00	order
17	5	active	at_risk	2026-04-11 00:00:00+00	2026-11-22 08:06:27.132469+00	time
18	5	at_risk	lost	2026-09-26 00:00:00+00	2026-11-22 08:06:27.132469+00	time
19	6	\N	active	2025-02-24 00:00:00+00	2026-11-22 08:06:27.132469+00	order
20	6	active	at_risk	2026-04-20 00:00:00+00	2026-11-22 08:06:27.132469+00	time
21	6	at_risk	lost	2026-10-05 00:00:00+00	2026-11-22 08:06:27.132469+00	time
\.
COPY public.parted_1 (id, customer, at, amount) FROM stdin;
1	A1	2025-01-10 00:00:00+00	1
2	A2	2025-01-19 00:00:00+00	2
3	A3	2025-01-28 00:00:00+00	3
4	A4	2025-02-06 00:00:00+00	4
5	A5	2025-02-15 00:00:00+00	0
6	A6	2025-02-24 00:00:00+00	1
7	A0	2025-03-05 00:00:00+00	2
8	A1	2025-03-14 00:00:00+00	3
9	A2	2025-03-23 00:00:00+00	4
10	A3	2025-04-01 00:00:00+00	0
11	A4	2025-04-10 00:00:00+00	1
12	A5	2025-04-19 00:00:00+00	2
13	A6	2025-04-28 00:00:00+00	3
14	A0	2025-05-07 00:00:00+00	4
15	A1	2025-05-16 00:00:00+00	0
16	A2	2025-05-25 00:00:00+00	1
\.
COPY public.parted_2 (id, customer, at, amount) FROM stdin;
17	A3	2025-06-03 00:00:00+00	2
18	A4	2025-06-12 00:00:00+00	3
19	A5	2025-06-21 00:00:00+00	4
20	A6	2025-06-30 00:00:00+00	0
21	A0	2025-07-09 00:00:00+00	1
22	A1	2025-07-18 00:00:00+00	2
23	A2	2025-07-27 00:00:00+00	3
24	A3	2025-08-05 00:00:00+00	4
25	A4	2025-08-14 00:00:00+00	0
26	A5	2025-08-23 00:00:00+00	1
27	A6	2025-09-01 00:00:00+00	2
28	A0	2025-09-10 00:00:00+00	3
29	A1	2025-09-19 00:00:00+00	4
30	A2	2025-09-28 00:00:00+00	0
31	A3	2025-10-07 00:00:00+00	1
32	A4	2025-10-16 00:00:00+00	2
33	A5	2025-10-25 00:00:00+00	3
34	A6	2025-11-03 00:00:00+00	4
35	A0	2025-11-12 00:00:00+00	0
36	A1	2025-11-21 00:00:00+00	1
37	A2	2025-11-30 00:00:00+00	2
38	A3	2025-12-09 00:00:00+00	3
39	A4	2025-12-18 00:00:00+00	4
40	A5	2025-12-27 00:00:00+00	0
\.
COPY public.parted_lifecycle (customer, purchases, stage, stage_since, stage_until, check_at, reactivated_at) FROM stdin;
a0	{"orders": 5, "revenue": 10, "refunds": 0, "first_order": "2025-03-05T00:00:00Z", "last_order": "2025-11-12T00:00:00Z", "first_value": 2, "first_count": 1}	lost	2026-07-22 00:00:00+00	\N	\N	\N
a1	{"orders": 6, "revenue": 11, "refunds": 0, "first_order": "2025-01-10T00:00:00Z", "last_order": "2025-11-21T00:00:00Z", "first_value": 1, "first_count": 1}	lost	2026-07-31 00:00:00+00	\N	\N	\N
a2	{"orders": 6, "revenue": 12, "refunds": 0, "first_order": "2025-01-19T00:00:00Z", "last_order": "2025-11-30T00:00:00Z", "first_value": 2, "first_count": 1}	lost	2026-08-09 00:00:00+00	\N	\N	\N
a3	{"orders": 6, "revenue": 13, "refunds": 0, "first_order": "2025-01-28T00:00:00Z", "last_order": "2025-12-09T00:00:00Z", "first_value": 3, "first_count": 1}	lost	2026-08-18 00:00:00+00	\N	\N	\N
a4	{"orders": 6, "revenue": 14, "refunds": 0, "first_order": "2025-02-06T00:00:00Z", "last_order": "2025-12-18T00:00:00Z", "first_value": 4, "first_count": 1}	lost	2026-08-27 00:00:00+00	\N	\N	\N
a5	{"orders": 6, "revenue": 10, "refunds": 0, "first_order": "2025-02-15T00:00:00Z", "last_order": "2025-12-27T00:00:00Z", "first_value": 0, "first_count": 1}	lost	2026-09-05 00:00:00+00	\N	\N	\N
a6	{"orders": 5, "revenue": 10, "refunds": 0, "first_order": "2025-02-24T00:00:00Z", "last_order": "2025-11-03T00:00:00Z", "first_value": 1, "first_count": 1}	lost	2026-07-13 00:00:00+00	\N	\N	\N
\.
COPY public.parted_lifecycle_history (id, customer, from_stage, to_stage, at, noticed_at, cause) FROM stdin;
1	a0	\N	loyal	2025-03-05 00:00:00+00	2026-11-22 08:06:27.134855+00	order
2	a0	loyal	at_risk	2026-03-18 00:00:00+00	2026-11-22 08:06:27.134855+00	time
3	a0	at_risk	lost	2026-07-22 00:00:00+00	2026-11-22 08:06:27.134855+00	time
4	a1	\N	loyal	2025-01-10 00:00:00+00	2026-11-22 08:06:27.134855+00	order
5	a1	loyal	at_risk	2026-03-27 00:00:00+00	2026-11-22 08:06:27.134855+00	time
6	a1	at_risk	lost	2026-07-31 00:00:00+00	2026-11-22 08:06:27.134855+00	time
7	a2	\N	loyal	2025-01-19 00:00:00+00	2026-11-22 08:06:27.134855+00	order
8	a2	loyal	at_risk	2026-04-05 00:00:00+00	2026-11-22 08:06:27.134855+00	time
9	a2	at_risk	lost	2026-08-09 00:00:00+00	2026-11-22 08:06:27.134855+00	time
10	a3	\N	loyal	2025-01-28 00:00:00+00	2026-11-22 08:06:27.134855+00	order
11	a3	loyal	at_risk	2026-04-14 00:00:00+00	2026-11-22 08:06:27.134855+00	time
12	a3	at_risk	lost	2026-08-18 00:00:00+00	2026-11-22 08:06:27.134855+00	time
13	a4	\N	loyal	2025-02-06 00:00:00+00	2026-11-22 08:06:27.134855+00	order
14	a4	loyal	at_risk	2026-04-23 00:00:00+00	2026-11-22 08:06:27.134855+00	time
15	a4	at_risk	lost	2026-08-27 00:00:00+00	2026-11-22 08:06:27.134855+00	time
16	a5	\N	loyal	2025-02-15 00:00:00+00	2026-11-22 08:06:27.134855+00	order
17	a5	loyal	at_risk	2026-05-02 00:00:00+00	2026-11-22 08:06:27.134855+00	time
18	a5	at_risk	lost	2026-09-05 00:00:00+00	2026-11-22 08:06:27.134855+00	time
19	a6	\N	loyal	2025-02-24 00:00:00+00	2026-11-22 08:06:27.134855+00	order
20	a6	loyal	at_risk	2026-03-09 00:00:00+00	2026-11-22 08:06:27.134855+00	time
21	a6	at_risk	lost	2026-07-13 00:00:00+00	2026-11-22 08:06:27.134855+00	time
\.
COPY public.web (id, customer, at, amount, status) FROM stdin;
1	1	2025-01-10 00:00:00+00	1	paid
2	2	2025-01-19 00:00:00+00	2	paid
3	3	2025-01-28 00:00:00+00	3	paid
4	4	2025-02-06 00:00:00+00	4	open
5	5	2025-02-15 00:00:00+00	0	paid
6	6	2025-02-24 00:00:00+00	1	paid
7	0	2025-03-05 00:00:00+00	2	paid
8	1	2025-03-14 00:00:00+00	3	open
9	2	2025-03-23 00:00:00+00	4	paid
10	3	2025-04-01 00:00:00+00	0	paid
11	4	2025-04-10 00:00:00+00	1	paid
12	5	2025-04-19 00:00:00+00	2	open
13	6	2025-04-28 00:00:00+00	3	paid
14	0	2025-05-07 00:00:00+00	4	paid
15	1	2025-05-16 00:00:00+00	0	paid
16	2	2025-05-25 00:00:00+00	1	open
17	3	2025-06-03 00:00:00+00	2	paid
18	4	2025-06-12 00:00:00+00	3	paid
19	5	2025-06-21 00:00:00+00	4	paid
20	6	2025-06-30 00:00:00+00	0	open
21	0	2025-07-09 00:00:00+00	1	paid
22	1	2025-07-18 00:00:00+00	2	paid
23	2	2025-07-27 00:00:00+00	3	paid
24	3	2025-08-05 00:00:00+00	4	open
25	4	2025-08-14 00:00:00+00	0	paid
26	5	2025-08-23 00:00:00+00	1	paid
27	6	2025-09-01 00:00:00+00	2	paid
28	0	2025-09-10 00:00:00+00	3	open
29	1	2025-09-19 00:00:00+00	4	paid
30	2	2025-09-28 00:00:00+00	0	paid
31	3	2025-10-07 00:00:00+00	1	paid
32	4	2025-10-16 00:00:00+00	2	open
33	5	2025-10-25 00:00:00+00	3	paid
34	6	2025-11-03 00:00:00+00	4	paid
35	0	2025-11-12 00:00:00+00	0	paid
36	1	2025-11-21 00:00:00+00	1	open
37	2	2025-11-30 00:00:00+00	2	paid
38	3	2025-12-09 00:00:00+00	3	paid
39	4	2025-12-18 00:00:00+00	4	paid
40	5	2025-12-27 00:00:00+00	0	open
\.
COPY public.web_lifecycle (customer, purchases, stage, stage_since, stage_until, check_at, reactivated_at) FROM stdin;
0	{"orders": 2, "revenue": 6, "refunds": 0, "first_order": "2025-03-05T00:00:00Z", "last_order": "2025-05-07T00:00:00Z", "first_value": 2, "first_count": 1}	lost	2026-01-14 00:00:00+00	\N	\N	\N
1	{"orders": 3, "revenue": 4, "refunds": 0, "first_order": "2025-01-10T00:00:00Z", "last_order": "2025-05-16T00:00:00Z", "first_value": 1, "first_count": 1}	lost	2026-01-23 00:00:00+00	\N	\N	\N
2	{"orders": 3, "revenue": 7, "refunds": 0, "first_order": "2025-01-19T00:00:00Z", "last_order": "2025-05-25T00:00:00Z", "first_value": 2, "first_count": 1}	lost	2026-02-01 00:00:00+00	\N	\N	\N
3	{"orders": 3, "revenue": 5, "refunds": 0, "first_order": "2025-01-28T00:00:00Z", "last_order": "2025-06-03T00:00:00Z", "first_value": 3, "first_count": 1}	lost	2026-02-10 00:00:00+00	\N	\N	\N
4	{"orders": 3, "revenue": 8, "refunds": 0, "first_order": "2025-02-06T00:00:00Z", "last_order": "2025-06-12T00:00:00Z", "first_value": 4, "first_count": 1}	lost	2026-02-19 00:00:00+00	\N	\N	\N
5	{"orders": 3, "revenue": 6, "refunds": 0, "first_order": "2025-02-15T00:00:00Z", "last_order": "2025-06-21T00:00:00Z", "first_value": 0, "first_count": 1}	lost	2026-02-28 00:00:00+00	\N	\N	\N
6	{"orders": 2, "revenue": 4, "refunds": 0, "first_order": "2025-02-24T00:00:00Z", "last_order": "2025-04-28T00:00:00Z", "first_value": 1, "first_count": 1}	lost	2026-01-05 00:00:00+00	\N	\N	\N
\.
COPY public.web_lifecycle_errors (customer, failed_at, sqlstate, message) FROM stdin;
\.
COPY public.web_lifecycle_history (id, customer, from_stage, to_stage, at, noticed_at, cause) FROM stdin;
1	0	\N	active	2025-03-05 00:00:00+00	2026-11-22 08:06:27.137817+00	order
2	0	active	at_risk	2025-09-10 00:00:00+00	2026-11-22 08:06:27.137817+00	time
3	0	at_risk	lost	2026-01-14 00:00:00+00	2026-11-22 08:06:27.137817+00	time
4	1	\N	active	2025-01-10 00:00:00+00	2026-11-22 08:06:27.137817+00	order
5	1	active	at_risk	2025-09-19 00:00:00+00	2026-11-22 08:06:27.137817+00	time
6	1	at_risk	lost	2026-01-23 00:00:00+00	2026-11-22 08:06:27.137817+00	time
7	2	\N	active	2025-01-19 00:00:00+00	2026-11-22 08:06:27.137817+00	order
8	2	active	at_risk	2025-09-28 00:00:00+00	2026-11-22 08:06:27.137817+00	time
9	2	at_risk	lost	2026-02-01 00:00:00+00	2026-11-22 08:06:27.137817+00	time
10	3	\N	active	2025-01-28 00:00:00+00	2026-11-22 08:06:27.137817+00	order
11	3	active	at_risk	2025-10-07 00:00:00+00	2026-11-22 08:06:27.137817+00	time
12	3	at_risk	lost	2026-02-10 00:00:00+00	2026-11-22 08:06:27.137817+00	time
13	4	\N	active	2025-02-06 00:00:00+00	2026-11-22 08:06:27.137817+00	order
14	4	active	at_risk	2025-10-16 00:00:00+00	2026-11-22 08:06:27.137817+00	time
15	4	at_risk	lost	2026-02-19 00:00:00+00	2026-11-22 08:06:27.137817+00	time
16	5	\N	active	2025-02-15 00:00:00+00	2026-11-22 08:06:27.137817+00	order
17	5	active	at_risk	2025-10-25 00:00:00+00	2026-11-22 08:06:27.137817+00	time
18	5	at_risk	lost	2026-02-28 00:00:00+00	2026-11-22 08:06:27.137817+00	time
19	6	\N	active	2025-02-24 00:00:00+00	2026-11-22 08:06:27.137817+00	order
20	6	active	at_risk	2025-09-01 00:00:00+00	2026-11-22 08:06:27.137817+00	time
21	6	at_risk	lost	2026-01-05 00:00:00+00	2026-11-22 08:06:27.137817+00	time
\.
COPY public.web_lifecycle_queue (customer, cause, queued_at) FROM stdin;
6	order	2026-11-22 08:06:27.138944+00
0	order	2026-11-22 08:06:27.138944+00
5	order	2026-11-22 08:06:27.138944+00
4	order	2026-11-22 08:06:27.138944+00
3	order	2026-11-22 08:06:27.138944+00
2	order	2026-11-22 08:06:27.138944+00
1	order	2026-11-22 08:06:27.138944+00
\.
SELECT pg_catalog.setval('public.orders_lifecycle_history_id_seq', 21, true);
SELECT pg_catalog.setval('public.parted_lifecycle_history_id_seq', 21, true);
SELECT pg_catalog.setval('public.web_lifecycle_history_id_seq', 21, true);
ALTER TABLE ONLY public.orders_lifecycle_history
    ADD CONSTRAINT orders_lifecycle_history_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.orders_lifecycle
    ADD CONSTRAINT orders_lifecycle_pkey PRIMARY KEY (customer);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.parted_lifecycle_history
    ADD CONSTRAINT parted_lifecycle_history_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.parted_lifecycle
    ADD CONSTRAINT parted_lifecycle_pkey PRIMARY KEY (customer);
ALTER TABLE ONLY public.web_lifecycle_history
    ADD CONSTRAINT web_lifecycle_history_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.web_lifecycle
    ADD CONSTRAINT web_lifecycle_pkey PRIMARY KEY (customer);
ALTER TABLE ONLY public.web
    ADD CONSTRAINT web_pkey PRIMARY KEY (id);
CREATE INDEX orders_customer_idx ON public.orders USING btree (customer);
CREATE INDEX orders_lifecycle_check_at_idx ON public.orders_lifecycle USING btree (check_at);
CREATE INDEX orders_lifecycle_history_customer_at_idx ON public.orders_lifecycle_history USING btree (customer, at);
CREATE INDEX parted_lower_idx ON ONLY public.parted USING btree (lower(customer));
CREATE INDEX parted_1_lower_idx ON public.parted_1 USING btree (lower(customer));
CREATE INDEX parted_2_lower_idx ON public.parted_2 USING btree (lower(customer));
CREATE INDEX parted_lifecycle_check_at_idx ON public.parted_lifecycle USING btree (check_at);
CREATE INDEX parted_lifecycle_history_customer_at_idx ON public.parted_lifecycle_history USING btree (customer, at);
CREATE INDEX web_customer_idx ON public.web USING btree (customer);
CREATE INDEX web_lifecycle_check_at_idx ON public.web_lifecycle USING btree (check_at);
CREATE INDEX web_lifecycle_history_customer_at_idx ON public.web_lifecycle_history USING btree (customer, at);
ALTER INDEX public.parted_lower_idx ATTACH PARTITION public.parted_1_lower_idx;
ALTER INDEX public.parted_lower_idx ATTACH PARTITION public.parted_2_lower_idx;
CREATE TRIGGER crm_track_delete AFTER DELETE ON public.orders REFERENCING OLD TABLE AS old_orders FOR EACH STATEMENT EXECUTE FUNCTION crm.track_orders();
CREATE TRIGGER crm_track_delete AFTER DELETE ON public.parted REFERENCING OLD TABLE AS old_orders FOR EACH STATEMENT EXECUTE FUNCTION crm.track_orders();
CREATE TRIGGER crm_track_delete AFTER DELETE ON public.web REFERENCING OLD TABLE AS old_orders FOR EACH STATEMENT EXECUTE FUNCTION crm.track_orders();
CREATE TRIGGER crm_track_insert AFTER INSERT ON public.orders REFERENCING NEW TABLE AS new_orders FOR EACH STATEMENT EXECUTE FUNCTION crm.track_orders('orders_lifecycle', 'customer', 'at', 'amount', '(status = ''paid''::text)', '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}', 'immediate', 'notify');
CREATE TRIGGER crm_track_insert AFTER INSERT ON public.parted REFERENCING NEW TABLE AS new_orders FOR EACH STATEMENT EXECUTE FUNCTION crm.track_orders('parted_lifecycle', 'lower(customer)', 'at', 'amount', 'true', '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}', 'immediate', 'notify');
CREATE TRIGGER crm_track_insert AFTER INSERT ON public.web REFERENCING NEW TABLE AS new_orders FOR EACH STATEMENT EXECUTE FUNCTION crm.track_orders('web_lifecycle', 'customer', 'at', 'amount', 'true', '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}', 'queued', 'notify');
CREATE TRIGGER crm_track_partition_delete AFTER DELETE ON public.parted_1 REFERENCING OLD TABLE AS old_orders FOR EACH STATEMENT EXECUTE FUNCTION crm.track_orders();
CREATE TRIGGER crm_track_partition_delete AFTER DELETE ON public.parted_2 REFERENCING OLD TABLE AS old_orders FOR EACH STATEMENT EXECUTE FUNCTION crm.track_orders();
CREATE TRIGGER crm_track_partition_insert AFTER INSERT ON public.parted_1 REFERENCING NEW TABLE AS new_orders FOR EACH STATEMENT EXECUTE FUNCTION crm.track_orders('parted_lifecycle', 'lower(customer)', 'at', 'amount', 'true', '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}', 'immediate', 'notify');
CREATE TRIGGER crm_track_partition_insert AFTER INSERT ON public.parted_2 REFERENCING NEW TABLE AS new_orders FOR EACH STATEMENT EXECUTE FUNCTION crm.track_orders('parted_lifecycle', 'lower(customer)', 'at', 'amount', 'true', '{"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2, "lost_gaps": 4, "loyal_from": 5}', 'immediate', 'notify');
CREATE TRIGGER crm_track_partition_truncate AFTER TRUNCATE ON public.parted_1 FOR EACH STATEMENT EXECUTE FUNCTION crm.track_orders();
CREATE TRIGGER crm_track_partition_truncate AFTER TRUNCATE ON public.parted_2 FOR EACH STATEMENT EXECUTE FUNCTION crm.track_orders();
CREATE TRIGGER crm_track_partition_update AFTER UPDATE ON public.parted_1 REFERENCING OLD TABLE AS old_orders NEW TABLE AS new_orders FOR EACH STATEMENT EXECUTE FUNCTION crm.track_orders();
CREATE TRIGGER crm_track_partition_update AFTER UPDATE ON public.parted_2 REFERENCING OLD TABLE AS old_orders NEW TABLE AS new_orders FOR EACH STATEMENT EXECUTE FUNCTION crm.track_orders();
CREATE TRIGGER crm_track_truncate AFTER TRUNCATE ON public.parted FOR EACH STATEMENT EXECUTE FUNCTION crm.track_orders();
CREATE TRIGGER crm_track_update AFTER UPDATE OR TRUNCATE ON public.orders FOR EACH STATEMENT EXECUTE FUNCTION crm.track_orders();
CREATE TRIGGER crm_track_update AFTER UPDATE ON public.parted REFERENCING OLD TABLE AS old_orders NEW TABLE AS new_orders FOR EACH STATEMENT EXECUTE FUNCTION crm.track_orders();
CREATE TRIGGER crm_track_update AFTER UPDATE OR TRUNCATE ON public.web FOR EACH STATEMENT EXECUTE FUNCTION crm.track_orders();
CREATE TRIGGER crm_track_update_row AFTER UPDATE OF customer, at, amount, status ON public.orders FOR EACH ROW EXECUTE FUNCTION crm.track_orders();
CREATE TRIGGER crm_track_update_row AFTER UPDATE OF customer, at, amount ON public.web FOR EACH ROW EXECUTE FUNCTION crm.track_orders();
