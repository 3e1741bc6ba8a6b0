/*
 * store, eleventh area: who may see what, and the rights of the people in it
 *
 * What a person's data are is not a list that somebody has to remember: it is
 * every table that refers to customers, directly or by way of others, in the
 * store and outside.  personal_data says what to do with each column; where
 * it says nothing, nobody is forgotten by halves: that is an error.
 */
CREATE FUNCTION crm.store_privacy() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN $ddl$

ALTER TABLE @.customers ADD COLUMN IF NOT EXISTS forgotten_at timestamptz;

CREATE TABLE IF NOT EXISTS @.personal_data (
	relation text NOT NULL,
	"column" text NOT NULL,
	on_forget text NOT NULL CHECK (on_forget IN ('keep', 'clear', 'year', 'delete')),
	PRIMARY KEY (relation, "column"),
	CONSTRAINT personal_data_rows_are_deleted CHECK (("column" = '*') = (on_forget = 'delete'))
);
INSERT INTO @.personal_data (relation, "column", on_forget)
SELECT relation, c, on_forget
FROM (VALUES
	('customers', 'clear', 'first_name last_name email email_verified_at phone phone_verified_at job_title city tags attributes account_id'),
	('customers', 'year', 'birth_date'),
	('customers', 'keep', 'customer_id gender language country region created_via source created_at updated_at merged_into forgotten_at team'),
	('identities', 'delete', '*'),
	('consents', 'clear', 'source'),
	('consents', 'keep', 'consent_id customer_id channel purpose granted at basis'),
	('merges', 'clear', 'reason before after'),
	('merges', 'keep', 'merge_id keep absorb merged_at merged_by undone_at'),
	('merge_rows', 'delete', '*'),
	('orders', 'clear', 'visitor_id tracking_number city discount_code'),
	('orders', 'keep', 'order_id customer_id source_system external_id channel currency status test ordered_at paid_at shipped_at promised_at delivered_at cancelled_at refunded_at carrier country region units items_amount discount shipping tax tax_included amount refunded_amount refunded_sales counts net_base day'),
	('order_items', 'keep', 'order_id line product_id quantity unit_price discount amount location'),
	('refunds', 'clear', 'reason'),
	('refunds', 'keep', 'refund_id order_id line quantity refunded_at amount shipping tax'),
	('order_history', 'keep', 'order_id entry_id status at recorded_at recorded_by'),
	('touches', 'clear', 'visitor_id'),
	('touches', 'keep', 'touch_id customer_id touched_at kind channel campaign product_id country'),
	('product_subscriptions', 'clear', 'source'),
	('product_subscriptions', 'keep', 'subscription_id customer_id kind product_id category channel purpose once created_at expires_at ended_at'),
	('outbox', 'clear', 'address payload provider_id error'),
	-- of crm.track
	('orders_lifecycle', 'keep', 'customer purchases stage stage_since stage_until check_at reactivated_at'),
	('orders_lifecycle_history', 'keep', 'id customer from_stage to_stage at noticed_at cause'),
	('outbox', 'keep', 'message_id customer_id subscription_id product_id kind channel purpose status attempts created_at due_at claimed_at claimed_by sent_at delivered_at opened_at clicked_at bounced_at')
) AS d(relation, on_forget, columns), pg_catalog.regexp_split_to_table(columns, ' ') AS c
ON CONFLICT DO NOTHING;

-- The tables that hold data of customers, and how their rows are found when $1
-- is the array of the customers' ids: by foreign keys from table to table, or
-- by a column customer_id or, as crm.track names it, customer without one.
-- Tables of the store go by their bare names, so that it can be renamed.
CREATE OR REPLACE FUNCTION @.personal_tables() RETURNS TABLE (relation text, id oid, steps integer, predicate text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $function$
#variable_conflict use_column
DECLARE
	customers CONSTANT oid := $r$@.customers$r$::regclass;
	store CONSTANT oid := (SELECT relnamespace FROM pg_class WHERE oid = customers);
	found oid[] := ARRAY[customers];
	predicates text[] := ARRAY['customer_id = ANY ($1)'];
	depths integer[] := ARRAY[0];
	next record;
BEGIN
	FOR depth IN 1 .. 100 LOOP
		SELECT array_agg(f.id ORDER BY f.id) AS ids, array_agg(f.predicate ORDER BY f.id) AS predicates INTO next
		FROM (
			SELECT l.id, string_agg(l.predicate, ' OR ' ORDER BY l.predicate) AS predicate
			FROM (
				-- what refers to customers by the id itself is found by an index
				SELECT c.conrelid AS id, CASE WHEN c.confrelid = customers AND c.confkey[1] = (SELECT attnum FROM pg_attribute WHERE attrelid = customers AND attname = 'customer_id')
					THEN format('%I = ANY ($1)', (SELECT attname FROM pg_attribute WHERE attrelid = c.conrelid AND attnum = c.conkey[1]))
				ELSE format('(%s) IN (SELECT %s FROM %s WHERE %s)',
					(SELECT string_agg(quote_ident(attname), ', ' ORDER BY n) FROM unnest(c.conkey) WITH ORDINALITY AS k(k, n) JOIN pg_attribute ON attrelid = c.conrelid AND attnum = k),
					(SELECT string_agg(quote_ident(attname), ', ' ORDER BY n) FROM unnest(c.confkey) WITH ORDINALITY AS k(k, n) JOIN pg_attribute ON attrelid = c.confrelid AND attnum = k),
					c.confrelid::regclass, predicates[array_position(found, c.confrelid)]) END AS predicate
				FROM pg_constraint AS c WHERE c.contype = 'f' AND c.conparentid = 0 AND c.confrelid = ANY (found)
				UNION ALL
				SELECT attrelid, format('%I = ANY ($1)', attname) FROM pg_attribute JOIN pg_class AS r ON r.oid = attrelid
				WHERE depth = 1 AND relnamespace = store AND attname IN ('customer_id', 'customer') AND atttypid = 'bigint'::regtype
					AND NOT EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND conrelid = attrelid AND attnum = ANY (conkey) AND confrelid = customers)
				UNION ALL
				-- of nobody, and yet his: what was done in his browsers, and what was sent to his addresses
				SELECT v.id, v.predicate FROM (VALUES
					($r$@.touches$r$::regclass, $p$customer_id IS NULL AND visitor_id = ANY (ARRAY(SELECT value FROM @.identities WHERE kind = 'cookie' AND customer_id = ANY ($1)))$p$),
					($r$@.orders$r$::regclass, $p$customer_id IS NULL AND visitor_id = ANY (ARRAY(SELECT value FROM @.identities WHERE kind = 'cookie' AND customer_id = ANY ($1)))$p$),
					($r$@.outbox$r$::regclass, $p$customer_id IS NULL AND CASE WHEN channel = 'email' THEN address::crm.email = ANY (ARRAY(
							SELECT email FROM @.customers WHERE customer_id = ANY ($1) UNION ALL SELECT email FROM @.identities WHERE customer_id = ANY ($1)))
						WHEN channel IN ('sms', 'phone') THEN address::crm.phone = ANY (ARRAY(
							SELECT phone FROM @.customers WHERE customer_id = ANY ($1) UNION ALL SELECT phone FROM @.identities WHERE customer_id = ANY ($1))) END$p$)) AS v(id, predicate)
				WHERE depth = 1) AS l
			JOIN pg_class AS r ON r.oid = l.id
			WHERE l.id <> ALL (found) AND r.relkind IN ('r', 'p') AND NOT r.relispartition AND r.relpersistence <> 't'
			GROUP BY l.id) AS f;
		EXIT WHEN next.ids IS NULL;
		found := found || next.ids;
		predicates := predicates || next.predicates;
		depths := depths || array_fill(depth, ARRAY[cardinality(next.ids)]);
	END LOOP;
	RETURN QUERY
	SELECT CASE WHEN r.relnamespace = store THEN r.relname::text ELSE r.oid::regclass::text END, f.id, f.depth, f.predicate
	FROM unnest(found, depths, predicates) AS f(id, depth, predicate) JOIN pg_class AS r ON r.oid = f.id
	ORDER BY f.depth DESC, 1;
END
$function$;
COMMENT ON FUNCTION @.personal_tables() IS 'the tables that hold data of customers, in the store and outside';

CREATE OR REPLACE FUNCTION @.uncovered_data() RETURNS TABLE (relation text, "column" text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT t.relation, a.attname::text
	FROM @.personal_tables() AS t JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.id JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid
	WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
		AND NOT EXISTS (SELECT FROM @.personal_data AS d WHERE d.relation = t.relation AND d."column" IN (a.attname, '*')
			-- what can't be NULL is emptied, if it can be
			AND (d.on_forget IN ('keep', 'delete') OR d.on_forget = 'year' AND y.typcategory = 'D' OR d.on_forget = 'clear' AND (NOT a.attnotnull OR y.typcategory IN ('A', 'S') OR y.typname = 'jsonb')))
	ORDER BY t.relation, a.attnum;
END;
COMMENT ON FUNCTION @.uncovered_data() IS 'columns of tables that hold data of customers, of which personal_data does not say what to do when one is to be forgotten, or what can''t be done';

-- The ids of one person: his own, and those that were merged into it.
CREATE OR REPLACE FUNCTION @.ids_of(customer_id bigint) RETURNS bigint[]
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	WITH RECURSIVE ids AS (
		SELECT @.resolve(ids_of.customer_id) AS id
		UNION
		SELECT c.customer_id FROM ids JOIN @.customers AS c ON c.merged_into = ids.id)
	SELECT pg_catalog.array_agg(ids.id ORDER BY ids.id) FROM ids WHERE ids.id IS NOT NULL;
END;
COMMENT ON FUNCTION @.ids_of(bigint) IS 'the ids of the person whose id this is: his own, and those that were merged into it';

-- With row_security off, rows that a policy hides are an error and not missing.
CREATE OR REPLACE FUNCTION @.export_customer(customer_id bigint) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = off AS $function$
#variable_conflict use_column
DECLARE
	ids CONSTANT bigint[] := @.ids_of(export_customer.customer_id);
	merges CONSTANT oid := $r$@.merges$r$::regclass;
	held record;
	found jsonb;
	tables jsonb := '{}';
BEGIN
	IF ids IS NULL THEN
		RAISE EXCEPTION USING errcode = 'no_data_found', message = format('customer %s does not exist', coalesce(export_customer.customer_id::text, 'NULL'));
	END IF;
	FOR held IN SELECT * FROM @.personal_tables() ORDER BY steps, relation LOOP
		-- a merge that was undone was of two people: what the other had is not his
		EXECUTE format('SELECT pg_catalog.jsonb_agg(%s ORDER BY pg_catalog.to_jsonb(t)) FROM %s AS t WHERE %s',
			CASE WHEN held.id = merges THEN $e$CASE WHEN t.undone_at IS NULL THEN pg_catalog.to_jsonb(t) ELSE pg_catalog.to_jsonb(t) - 'after' - 'reason'
				- CASE WHEN t.keep = ANY ($1) THEN '' ELSE 'before' END END$e$ ELSE 'pg_catalog.to_jsonb(t)' END,
			held.id::regclass, held.predicate)
			INTO found USING ids;
		IF found IS NOT NULL THEN
			tables := tables || jsonb_build_object(held.relation, found);
		END IF;
	END LOOP;
	SELECT tables || jsonb_build_object('accounts', jsonb_agg(to_jsonb(a) ORDER BY a.account_id)) INTO found
	FROM @.accounts AS a WHERE a.account_id IN (SELECT c.account_id FROM @.customers AS c WHERE c.customer_id = ANY (ids)) HAVING count(*) > 0;
	RETURN jsonb_build_object('customer_id', @.resolve(export_customer.customer_id), 'exported_at', now(),
		'suppressed', (
			SELECT coalesce(jsonb_agg(DISTINCT a.channel ORDER BY a.channel), '[]')
			FROM @.customers AS c CROSS JOIN LATERAL (VALUES ('email', c.email::text), ('sms', c.phone::text), ('phone', c.phone::text)) AS a(channel, address)
			WHERE c.customer_id = ANY (ids) AND @.is_suppressed(a.channel, a.address)),
		'tables', coalesce(found, tables));
END
$function$;
COMMENT ON FUNCTION @.export_customer(bigint) IS 'all that is stored of a person, by table; what an undone merge holds of somebody else is left out';

CREATE OR REPLACE FUNCTION @.forget_customer(customer_id bigint) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET row_security = off AS $function$
#variable_conflict use_column
DECLARE
	ids bigint[];
	missing text;
	held record;
	list text;
	changed bigint;
	result jsonb := '{}';
BEGIN
	-- In an older snapshot rows that others have just added would stay as they are.
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		RAISE EXCEPTION USING errcode = 'invalid_transaction_state', message = 'customers can be forgotten in READ COMMITTED transactions only';
	END IF;
	SELECT string_agg(format('%s."%s"', relation, "column"), ', ') INTO missing FROM @.uncovered_data();
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION USING errcode = 'object_not_in_prerequisite_state',
			message = 'personal_data does not say how to forget some of the columns',
			detail = format('These: %s.', missing),
			hint = 'Say so in the store''s table personal_data.';
	END IF;

	-- As in a merge, whoever is adding a row of his is waited for; one that was
	-- merged into him meanwhile is his as well.
	LOOP
		ids := @.ids_of(forget_customer.customer_id);
		IF ids IS NULL THEN
			RAISE EXCEPTION USING errcode = 'no_data_found', message = format('customer %s does not exist', coalesce(forget_customer.customer_id::text, 'NULL'));
		END IF;
		PERFORM FROM @.customers WHERE customer_id = ANY (ids) ORDER BY customer_id FOR UPDATE;
		EXIT WHEN ids = @.ids_of(forget_customer.customer_id);
	END LOOP;
	-- and who is adding something that names his browser only
	PERFORM FROM @.identities AS i WHERE i.customer_id = ANY (ids) AND i.kind = 'cookie' ORDER BY i.value FOR UPDATE;

	-- Nobody is to write to his addresses again: all that were known.
	INSERT INTO @.suppressions (channel, hash, reason)
	SELECT DISTINCT a.channel, @.suppression_hash(k.key, a.channel, a.address), 'forgotten'
	FROM @.suppression_key AS k, (
		SELECT v.* FROM @.customers AS c CROSS JOIN LATERAL (VALUES ('email', c.email::text), ('sms', c.phone::text), ('phone', c.phone::text)) AS v(channel, address)
		WHERE c.customer_id = ANY (ids)
		UNION ALL
		SELECT v.* FROM @.identities AS i CROSS JOIN LATERAL (VALUES ('email', i.email::text), ('sms', i.phone::text), ('phone', i.phone::text),
			('social', CASE WHEN i.kind = 'social' THEN i.value END)) AS v(channel, address)
		WHERE i.customer_id = ANY (ids)
		UNION ALL
		SELECT o.channel, o.address FROM @.outbox AS o WHERE o.customer_id = ANY (ids)) AS a(channel, address)
	WHERE a.address IS NOT NULL
	ON CONFLICT DO NOTHING;
	INSERT INTO @.consents (customer_id, channel, purpose, granted)
	SELECT l.customer_id, l.channel, l.purpose, false
	FROM (SELECT DISTINCT ON (s.customer_id, s.channel, s.purpose) s.* FROM @.consents AS s WHERE s.customer_id = ANY (ids)
		ORDER BY s.customer_id, s.channel, s.purpose, s.at DESC, s.consent_id DESC) AS l
	WHERE l.granted;
	SELECT t.predicate INTO list FROM @.personal_tables() AS t WHERE t.relation = 'outbox';
	EXECUTE format('UPDATE %s SET status = ''cancelled'' WHERE status = ''pending'' AND (%s)', $r$@.outbox$r$::regclass, list) USING ids;
	UPDATE @.product_subscriptions SET ended_at = now() WHERE customer_id = ANY (ids) AND ended_at IS NULL;

	-- What was done in his browsers stays his doing, without the cookie; so a
	-- visitor remains a visitor.  A name that only his household has goes too.
	UPDATE @.touches AS t SET customer_id = i.customer_id FROM @.identities AS i
	WHERE i.customer_id = ANY (ids) AND i.kind = 'cookie' AND t.visitor_id = i.value AND t.customer_id IS NULL;
	-- of two of its members who are forgotten at once, the second finds that
	PERFORM FROM @.accounts WHERE kind = 'household' AND account_id IN (SELECT c.account_id FROM @.customers AS c WHERE c.customer_id = ANY (ids)) ORDER BY account_id FOR UPDATE;
	UPDATE @.accounts AS a SET name = 'forgotten', city = NULL, attributes = '{}'
	WHERE a.kind = 'household' AND a.account_id IN (SELECT c.account_id FROM @.customers AS c WHERE c.customer_id = ANY (ids))
		AND NOT EXISTS (SELECT FROM @.customers AS c WHERE c.account_id = a.account_id AND c.customer_id <> ALL (ids));

	-- A merge that was undone may have left something of his in what later merges
	-- of the other keep, and so on.
	WITH RECURSIVE kin AS (
		SELECT unnest(ids) AS id
		UNION
		SELECT CASE WHEN m.keep = kin.id THEN m.absorb ELSE m.keep END FROM kin JOIN @.merges AS m ON kin.id IN (m.keep, m.absorb))
	UPDATE @.merges AS m SET before = '{}', after = '{}'
	FROM kin WHERE m.keep = kin.id AND (m.before, m.after) <> ('{}'::jsonb, '{}'::jsonb);

	-- The rows furthest from customers first: those nearer lead to them, and
	-- identities to what was done in his browsers.
	FOR held IN SELECT t.*, d.on_forget FROM @.personal_tables() AS t LEFT JOIN @.personal_data AS d ON d.relation = t.relation AND d."column" = '*'
		ORDER BY t.steps DESC, t.relation = 'identities', t.relation
	LOOP
		IF held.on_forget = 'delete' THEN
			EXECUTE format('DELETE FROM %s WHERE %s', held.id::regclass, held.predicate) USING ids;
		ELSE
			SELECT string_agg(format('%I = %s', a.attname, CASE
					WHEN d.on_forget = 'year' THEN format('pg_catalog.date_trunc(''year'', %I::timestamp)', a.attname)
					WHEN NOT a.attnotnull THEN 'NULL'
					WHEN a.atttypid = 'jsonb'::regtype OR y.typcategory = 'A' THEN '''{}'''
					ELSE '''''' END), ', ') INTO list
			FROM @.personal_data AS d JOIN pg_attribute AS a ON a.attrelid = held.id AND a.attname = d."column" JOIN pg_type AS y ON y.oid = a.atttypid
			WHERE d.relation = held.relation AND d.on_forget IN ('clear', 'year') AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
			CONTINUE WHEN list IS NULL;
			EXECUTE format('UPDATE %s SET %s WHERE %s', held.id::regclass, list, held.predicate) USING ids;
		END IF;
		GET DIAGNOSTICS changed = ROW_COUNT;
		IF changed > 0 THEN
			result := result || jsonb_build_object(held.relation, changed);
		END IF;
	END LOOP;
	UPDATE @.customers SET forgotten_at = coalesce(forgotten_at, now()) WHERE customer_id = ANY (ids);
	RETURN result;
END
$function$;
COMMENT ON FUNCTION @.forget_customer(bigint)
	IS 'makes a person unknown: what tells who he is goes, by personal_data, what was bought stays; nobody writes to him again; gives the number of rows of each table';

-- Roles

CREATE OR REPLACE FUNCTION @.revoke_access(from_role text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
	store CONSTANT text := (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = $r$@.customers$r$::regclass);
	owner CONSTANT regrole := (SELECT relowner FROM pg_class WHERE oid = $r$@.customers$r$::regclass);
BEGIN
	-- or each right would be a warning that it was not granted
	IF NOT pg_has_role(owner, 'USAGE') THEN
		RAISE EXCEPTION USING errcode = 'insufficient_privilege', message = format('must be owner of store %s to grant or revoke access', store),
			hint = format('SET ROLE %s.', owner);
	ELSIF quote_ident(from_role) = owner::text THEN
		RAISE EXCEPTION USING errcode = 'invalid_parameter_value', message = format('the owner of store %s has access to it anyway', store);
	END IF;
	EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %1$s FROM %2$I; REVOKE ALL ON ALL SEQUENCES IN SCHEMA %1$s FROM %2$I;
		REVOKE ALL ON ALL FUNCTIONS IN SCHEMA %1$s FROM %2$I; REVOKE ALL ON SCHEMA %1$s FROM %2$I', store, from_role);
END
$function$;
COMMENT ON FUNCTION @.revoke_access(text) IS 'takes back all that grant_access granted to that role';

-- What data_quality finds is an address or a name, too.
CREATE OR REPLACE FUNCTION @.tells_of_people(relation regclass) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS r WHERE r.oid = relation AND r.relnamespace = (SELECT c.relnamespace FROM pg_catalog.pg_class AS c WHERE c.oid = $r$@.customers$r$::pg_catalog.regclass)
			AND r.relname = 'data_quality')
		OR EXISTS (SELECT FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
			AND a.attname IN ('customer_id', 'customer', 'visitor_id', 'first_name', 'last_name', 'email', 'phone', 'birth_date', 'address'));
END;
COMMENT ON FUNCTION @.tells_of_people(regclass) IS 'part of grant_access: whether a view has rows of persons, or what tells who they are';

CREATE OR REPLACE FUNCTION @.grant_access(to_role text, level text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
	store CONSTANT oid := (SELECT relnamespace FROM pg_class WHERE oid = $r$@.customers$r$::regclass);
	-- a view's column is as private as the most private of that name
	private CONSTANT text[] := ARRAY(SELECT d."column" FROM @.personal_data AS d WHERE d.on_forget <> 'keep') || ARRAY['name', 'account', 'what', 'detail'];
	statement text;
BEGIN
	IF level NOT IN ('reader', 'analyst', 'agent', 'sender', 'admin') OR level IS NULL THEN
		RAISE EXCEPTION USING errcode = 'invalid_parameter_value', message = format('unknown level of access "%s"', level),
			hint = 'reader, analyst, agent, sender or admin.';
	END IF;
	PERFORM @.revoke_access(to_role);
	EXECUTE format('GRANT USAGE ON SCHEMA %s TO %I', store::regnamespace, to_role);
	IF level = 'admin' THEN
		-- not TRIGGER and REFERENCES, by which code of his would run as whoever writes
		-- a table, nor functions that work with the owner's rights
		EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA %1$s TO %2$I; GRANT ALL ON ALL SEQUENCES IN SCHEMA %1$s TO %2$I; GRANT EXECUTE ON FUNCTION %3$s TO %2$I',
			store::regnamespace, to_role, (SELECT string_agg(oid::regprocedure::text, ', ') FROM pg_proc WHERE pronamespace = store AND prokind <> 'p' AND NOT prosecdef));
	ELSIF level IN ('agent', 'sender') THEN
		FOR statement IN
			SELECT format('GRANT %s ON %s %s TO %I', g.privileges, g.kind, (SELECT string_agg(format('%s.%I', store::regnamespace, n), ', ') FROM regexp_split_to_table(g.names, ' ') AS n), to_role)
			FROM (VALUES
				('agent', 'INSERT, UPDATE', 'TABLE', 'accounts customers identities consents merges merge_rows touches orders order_items order_history refunds stock restocks product_subscriptions outbox'),
				('agent', 'DELETE', 'TABLE', 'order_items'),
				('agent', 'INSERT', 'TABLE', 'suppressions'),
				('agent', 'EXECUTE', 'FUNCTION', 'identify merge_customers undo_merge set_customer move_rows subscribe unsubscribe announce suppress'),
				('sender', 'SELECT', 'TABLE', 'outbox settings consents suppressions suppression_key product_subscriptions identities touches'),
				('sender', 'SELECT (customer_id, merged_into, forgotten_at, email, phone)', 'TABLE', 'customers'),
				-- who may change something of a customer may lock him
				('sender', 'UPDATE (updated_at)', 'TABLE', 'customers'),
				('sender', 'UPDATE', 'TABLE', 'outbox'),
				('sender', 'UPDATE (ended_at)', 'TABLE', 'product_subscriptions'),
				-- of a customer who is merged or forgotten at that moment
				('sender', 'UPDATE (customer_id)', 'TABLE', 'touches consents'),
				('sender', 'UPDATE (visitor_id)', 'TABLE', 'touches'),
				('sender', 'INSERT', 'TABLE', 'touches identities consents suppressions'),
				('sender', 'EXECUTE', 'FUNCTION', 'claim_messages acknowledge fail record_event suppress unsubscribe')) AS g(level, privileges, kind, names)
			WHERE g.level = grant_access.level
		LOOP
			EXECUTE statement;
		END LOOP;
		IF level = 'agent' THEN
			EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %s TO %I', store::regnamespace, to_role);
		END IF;
	ELSE
		-- Columns that tell who somebody is are for neither, but that journeys go by
		-- cookies, and regions have cities.  A function in a view works with the
		-- rights of who reads the view: those of figures have to do for a reader.
		FOR statement IN
			SELECT CASE WHEN about_people THEN format('GRANT SELECT (%s) ON %s TO %I', columns, oid::regclass, to_role) ELSE format('GRANT SELECT ON %s TO %I', oid::regclass, to_role) END
			FROM (
				SELECT r.oid, r.relkind, r.relname, t.id IS NOT NULL OR r.relkind IN ('v', 'm') AND @.tells_of_people(r.oid) AS about_people,
					string_agg(quote_ident(a.attname), ', ' ORDER BY attnum) FILTER (WHERE CASE WHEN a.attname IN ('visitor_id', 'city') AND (level = 'analyst' OR r.relname IN ('orders', 'valid_orders', 'customer_touches', 'all_touches')) THEN true
						WHEN t.id IS NULL THEN a.attname <> ALL (private) ELSE d.on_forget = 'keep' END) AS columns
				FROM pg_class AS r JOIN pg_attribute AS a ON a.attrelid = r.oid
				LEFT JOIN @.personal_tables() AS t ON t.id = r.oid LEFT JOIN @.personal_data AS d ON d.relation = t.relation AND d."column" = a.attname
				WHERE r.relnamespace = store AND r.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
				GROUP BY r.oid, t.id) AS r
			WHERE relname NOT IN ('suppression_key', 'suppressions', 'accounts') AND columns IS NOT NULL
				AND (NOT about_people OR relkind = 'v' OR level = 'analyst' OR relname IN ('orders', 'order_items', 'refunds', 'orders_lifecycle'))
		LOOP
			EXECUTE statement;
		END LOOP;
	END IF;
END
$function$;
COMMENT ON FUNCTION @.grant_access(text, text)
	IS 'lets a role do what a reader, analyst, agent, sender or admin does, and no more; again after an upgrade, for what is new';

REVOKE EXECUTE ON FUNCTION @.export_customer(bigint), @.forget_customer(bigint), @.grant_access(text, text), @.revoke_access(text) FROM PUBLIC;

$ddl$;
COMMENT ON FUNCTION crm.store_privacy() IS 'DDL of a store: personal data, roles';
