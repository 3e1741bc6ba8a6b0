# ALTER EXTENSION crm UPDATE, from every version that was released: what it
# makes is, object by object, what CREATE EXTENSION makes.
#
# test/old/crm--VERSION.sql is the install script as it was released, and
# crm--A--B.sql beside crm.control leads from A to B.  That the comparison sees
# what an update script forgets is tried with versions that are made up here.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($version) = slurp_file('crm.control') =~ /^default_version = '([^']+)'/m;
my (undef, @released) = slurp_file('CHANGELOG.md') =~ /^## \[?([\d.]+)/mg;
my $node = PostgreSQL::Test::Cluster->new('upgrade');
my $folder = $node->config_data('--sharedir') . '/extension';
plan skip_all => "$folder can't be written to: run it with test/cluster" unless -w $folder;
my $script = slurp_file("$folder/crm--$version.sql");
my @made;

sub file
{
	my ($name, $content) = @_;
	push @made, "$folder/$name";
	open my $out, '>', $made[-1] or die "$made[-1]: $!\n";
	print $out $content;
	close $out;
}
END { unlink @made; }

$node->init(extra => [ '--locale', 'C', '--encoding', 'UTF8' ]);
$node->start;

# Every row of every catalogue that a member of the extension has, with names
# for OIDs; what the server keeps parsed, as it shows it.  One line a fact.
my $facts = <<'SQL';
CREATE FUNCTION name_of(regclass, oid) RETURNS text LANGUAGE sql STABLE RETURN
	CASE WHEN $2 = 0 THEN '-' WHEN $1 = 'pg_authid'::regclass THEN $2::regrole::text ELSE (pg_identify_object($1, $2, 0)).identity END;
CREATE FUNCTION names_of(regclass, jsonb) RETURNS text LANGUAGE sql STABLE RETURN
	CASE WHEN jsonb_typeof($2) = 'array' THEN (SELECT string_agg(name_of($1, v::oid), ', ' ORDER BY n) FROM jsonb_array_elements_text($2) WITH ORDINALITY a (v, n))
		WHEN $2 #>> '{}' ~ '^[0-9 ]*$' THEN (SELECT string_agg(name_of($1, v::oid), ', ' ORDER BY n) FROM regexp_split_to_table($2 #>> '{}', ' ') WITH ORDINALITY a (v, n) WHERE v <> '')
		ELSE $2 #>> '{}' END;
-- who may do what; nothing said is the default
CREATE FUNCTION privileges_of(regclass, acl aclitem[], owner oid) RETURNS text LANGUAGE sql STABLE RETURN
	(SELECT string_agg(format('%s to %s by %s%s', privilege_type, CASE grantee WHEN 0 THEN 'public' ELSE grantee::regrole::text END, grantor::regrole, CASE WHEN is_grantable THEN '*' END), ', '
			ORDER BY privilege_type, grantee, grantor)
		FROM aclexplode(coalesce(acl, acldefault(CASE $1 WHEN 'pg_proc'::regclass THEN 'f' WHEN 'pg_type'::regclass THEN 'T' ELSE 'n' END::"char", owner))));
CREATE FUNCTION facts() RETURNS TABLE (object text, fact text) LANGUAGE plpgsql AS $$
DECLARE
	member record;
	part record;
	columns jsonb;
BEGIN
	FOR member IN
		SELECT d.classid::regclass AS class, d.objid, d.objsubid, format('%s %s', i.type, i.identity) AS object
		FROM pg_extension e JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e',
			pg_identify_object(d.classid, d.objid, d.objsubid) i
		WHERE e.extname = 'crm'
	LOOP
		object := member.object;
		fact := 'comment ' || coalesce(obj_description(member.objid, member.class::name), 'none');
		RETURN NEXT;
		RETURN QUERY SELECT member.object, format('depends on %s (%s)', pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid), d.deptype)
			FROM pg_depend d WHERE d.classid = member.class AND d.objid = member.objid AND d.objsubid = member.objsubid;
		-- those of the extension, which pg_dump leaves out
		IF member.class IN ('pg_proc'::regclass, 'pg_type'::regclass, 'pg_namespace'::regclass) THEN
			fact := 'initial privileges ' || privileges_of(member.class, (SELECT i.initprivs FROM pg_init_privs i WHERE i.classoid = member.class AND i.objoid = member.objid), 10);
			RETURN NEXT;
		END IF;
		FOR part IN
			SELECT catalog::regclass, key FROM (VALUES (member.class::text, 'oid'), ('pg_aggregate', 'aggfnoid'), ('pg_enum', 'enumtypid'), ('pg_range', 'rngtypid'),
				('pg_constraint', 'contypid'), ('pg_amop', 'amopfamily'), ('pg_amproc', 'amprocfamily')) v (catalog, key)
			WHERE key = 'oid' OR member.class = CASE WHEN key LIKE 'agg%' THEN 'pg_proc' WHEN key LIKE 'am%' THEN 'pg_opfamily' ELSE 'pg_type' END::regclass
		LOOP
			FOR columns IN EXECUTE format('SELECT to_jsonb(c) - %L FROM %s c WHERE %I = %s', 'oid', part.catalog, part.key, member.objid)
			LOOP
				RETURN QUERY SELECT member.object, format('%s: %s', part.catalog, string_agg(format('%s=%s', key,
					CASE WHEN key ~ 'acl$' THEN privileges_of(part.catalog, (SELECT array_agg(a::aclitem) FROM jsonb_array_elements_text(nullif(value, 'null')) a), 10)
						WHEN f.pktable IS NULL THEN value #>> '{}' ELSE names_of(f.pktable, value) END), '; ' ORDER BY key))
					FROM jsonb_each(columns)
					LEFT JOIN pg_get_catalog_foreign_keys() f ON f.fktable = part.catalog AND f.fkcols = ARRAY[key]
					WHERE key NOT IN ('prosqlbody', 'proargdefaults', 'typdefaultbin', 'conbin', 'relfilenode');
			END LOOP;
		END LOOP;
		IF member.class = 'pg_proc'::regclass THEN
			fact := format('%s returns %s, body %s', pg_get_function_arguments(member.objid), pg_get_function_result(member.objid), pg_get_function_sqlbody(member.objid));
			RETURN NEXT;
		ELSIF member.class = 'pg_type'::regclass THEN
			RETURN QUERY SELECT member.object, format('column %s %s %s %s', attnum, attname, format_type(atttypid, atttypmod), attnotnull)
				FROM pg_attribute a JOIN pg_type t ON a.attrelid = t.typrelid WHERE t.oid = member.objid;
			RETURN QUERY SELECT member.object, pg_get_constraintdef(oid) FROM pg_constraint WHERE contypid = member.objid;
		END IF;
	END LOOP;
END $$;
SQL

sub facts_of
{
	my ($database) = @_;
	$node->safe_psql($database, $facts . 'SELECT object, fact FROM facts() ORDER BY object COLLATE "C", fact COLLATE "C"') =~ s/\A\s+//r;
}

# What is in one and not in the other, a line a fact.
sub difference
{
	my ($is, $should) = map { { map { $_ => 1 } split /\n/, $_ } } @_;
	return join "\n", (map { "not: $_" } grep { !$is->{$_} } sort keys %$should), map { "but: $_" } grep { !$should->{$_} } sort keys %$is;
}

$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', 'CREATE EXTENSION crm');
my $fresh = facts_of('fresh');
cmp_ok(scalar(split /\n/, $fresh), '>', 2000, 'facts are told');
$node->safe_psql('postgres', 'CREATE DATABASE again');
$node->safe_psql('again', 'CREATE EXTENSION crm');
is(difference(facts_of('again'), $fresh), '', 'and the same ones of every fresh extension');
$node->safe_psql('postgres', 'DROP DATABASE again');

# Data that is there while the extension is updated.
my $data = <<'SQL';
CREATE TABLE orders (customer int, at timestamptz, amount numeric);
CREATE INDEX ON orders (customer);
INSERT INTO orders SELECT i % 7, timestamptz '2025-01-01 00:00Z' + i * interval '1 day', i FROM generate_series(1, 50) i;
SELECT crm.track('orders', 'customer', 'at', 'amount');
SELECT crm.create_store('shop');
SELECT shop.identify(email => 'Ann@example.com');
CREATE TABLE kept AS SELECT crm.purchases(at, amount) AS bought, crm.journey('c' || customer, at) AS way, 'Ann@example.com'::crm.email AS email FROM orders;
SQL
my $shown = 'TABLE kept; SELECT customer, purchases, stage FROM orders_lifecycle ORDER BY 1; SELECT email FROM shop.customers; SELECT crm.verify($$orders$$)';
my $remedy = "SELECT remedy FROM crm.doctor() WHERE remedy LIKE 'ALTER EXTENSION crm UPDATE%'";

sub updated
{
	my ($from) = @_;
	$node->safe_psql('postgres', 'CREATE DATABASE updated');
	$node->safe_psql('updated', "SET client_min_messages = error; CREATE EXTENSION crm VERSION '$from'; $data");
	my $before = $node->safe_psql('updated', $shown);
	my ($status, $out, $err) = $node->psql('updated', "$remedy \\gexec");
	is($err, '', "from $from: updated as the doctor says");
	my $difference = difference(facts_of('updated'), $fresh);
	$node->safe_psql('updated', "SET client_min_messages = error; SELECT crm.create_store('shop')");
	is($node->safe_psql('updated', $shown), $before, "from $from: data is what it was");
	is($node->safe_psql('updated', "SELECT severity, subject, finding FROM crm.doctor() WHERE severity <> 'notice' AND subject <> 'clock'"), '', "from $from: the doctor is content");
	$node->safe_psql('updated', 'DROP SCHEMA shop CASCADE; DROP TABLE kept; SELECT crm.untrack($$orders$$); DROP EXTENSION crm');
	is($node->safe_psql('updated', q{SELECT count(*) FROM pg_proc WHERE probin ~ $$crm$$}), '0', "from $from: dropped, nothing is left");
	$node->safe_psql('postgres', 'DROP DATABASE updated');
	return $difference;
}

# Versions that were released.
for my $old (@released)
{
	ok(-e "test/old/crm--$old.sql", "test/old has the install script of $old") or next;
	file("crm--$old.sql", slurp_file("test/old/crm--$old.sql"));
	is(updated($old), '', "from $old: what CREATE EXTENSION makes");
}

# Two that were not: what was in them is not what is in this one.  The update
# from the first mends all of it, the one from the second forgets it.
my ($local_part) = $script =~ /^(CREATE FUNCTION crm\.local_part\(.*?;\nCOMMENT ON FUNCTION crm\.local_part\(.*?;\n)/ms;
my ($stores) = $script =~ /^CREATE (FUNCTION crm\.stores\(.*?\$body\$;\n)/ms;
my ($comment) = $script =~ /^(COMMENT ON TYPE crm\.rfm IS .*?';\n)/ms;
my @changes = (
	# then, since, what it shows in
	[ 'DROP FUNCTION crm.local_part(crm.email);', $local_part, 'function crm.local_part(crm.email)' ],
	[ 'CREATE FUNCTION crm.gone(crm.email) RETURNS int LANGUAGE sql RETURN 1;', 'DROP FUNCTION crm.gone(crm.email);', 'function crm.gone(crm.email)' ],
	[ 'ALTER FUNCTION crm.domain(crm.email) VOLATILE;', 'ALTER FUNCTION crm.domain(crm.email) IMMUTABLE;', 'function crm.domain(crm.email)' ],
	[ 'REVOKE EXECUTE ON FUNCTION crm.status() FROM PUBLIC;', 'GRANT EXECUTE ON FUNCTION crm.status() TO PUBLIC;', 'function crm.status()' ],
	[ "COMMENT ON TYPE crm.rfm IS 'scores';", $comment, 'type crm.rfm' ],
	[ 'CREATE OR REPLACE FUNCTION crm.stores() RETURNS TABLE (store name, version text) LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT NULL::name, NULL::text LIMIT 0 $$;',
		"CREATE OR REPLACE $stores", 'function crm.stores()' ],
	[ 'CREATE OPERATOR crm.<<< (LEFTARG = crm.email, RIGHTARG = crm.email, FUNCTION = crm.email_lt);', 'DROP OPERATOR crm.<<< (crm.email, crm.email);', 'operator crm.<<<(crm.email,crm.email)' ],
	[ 'ALTER OPERATOR FAMILY crm.rfm_ops USING btree DROP FUNCTION 4 (crm.rfm, crm.rfm);', 'ALTER OPERATOR FAMILY crm.rfm_ops USING btree ADD FUNCTION 4 (crm.rfm, crm.rfm) btequalimage(oid);', 'operator family crm.rfm_ops USING btree' ]);
for my $made_up (grep { $_ ne $version } '0.0.1', '0.0.2')
{
	file("crm--$made_up.sql", join "\n", $script, map { $_->[0] } @changes);
	file("crm--$made_up--$version.sql", join "\n", '-- nothing', $made_up eq '0.0.1' ? map { $_->[1] } @changes : ());
}
is(updated('0.0.1'), '', 'from 0.0.1: what CREATE EXTENSION makes');
my $forgotten = updated('0.0.2');
my %seen = map { /^(?:not|but): (.*?)\|/ ? ($1 => 1) : () } split /\n/, $forgotten;
is_deeply([ sort keys %seen ], [ sort map { $_->[2] } @changes ], 'from 0.0.2: what was forgotten is seen, and nothing else') or diag($forgotten);
$node->stop;
done_testing();
