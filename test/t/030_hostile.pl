# The extension where somebody else was first: a schema crm that is an
# attacker's, or that holds his objects; and what the install script may not do.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('hostile');
$node->init;
$node->start;
# whoever runs the tests
my $superuser = $node->safe_psql('postgres', 'SELECT current_user');
$node->safe_psql('postgres', 'CREATE ROLE owner LOGIN; CREATE ROLE mallory LOGIN; CREATE DATABASE shop OWNER owner; GRANT CREATE ON DATABASE shop TO mallory');

sub as
{
	my ($role, $sql) = @_;
	my ($status, $out, $err) = $node->psql('shop', $sql, extra_params => [ '-U', $role ]);
	return $err;
}

# A schema of the attacker's: whoever installs is told, and the doctor tells it again.
my $doctor = "SELECT severity, finding, remedy FROM crm.doctor() WHERE subject = 'crm'";
is(as('mallory', 'CREATE SCHEMA crm'), '', 'mallory is first');
for my $role ('owner', $superuser)
{
	like(as($role, 'CREATE EXTENSION crm'), qr/WARNING:  schema crm belongs to mallory/, "$role is warned");
	is($node->safe_psql('shop', $doctor), "error|schema crm belongs to mallory, who can change what the extension does|ALTER SCHEMA crm OWNER TO $role;", 'by the doctor too');
	$node->safe_psql('shop', "SELECT remedy FROM crm.doctor() WHERE subject = 'crm' \\gexec");
	is($node->safe_psql('shop', $doctor), '', 'who mends it');
	is(as($superuser, 'DROP EXTENSION crm; ALTER SCHEMA crm OWNER TO mallory'), '', 'once more');
}
is(as($superuser, 'ALTER SCHEMA crm OWNER TO owner; GRANT ALL ON SCHEMA crm TO mallory'), '', 'the schema is mended');
# ... and one with anything in it.
my %object = (
	function => 'CREATE FUNCTION crm.lower(text) RETURNS text LANGUAGE sql RETURN $1',
	operator => 'CREATE OPERATOR crm.|| (LEFTARG = text, RIGHTARG = int, FUNCTION = repeat)',
	type => 'CREATE DOMAIN crm.text AS pg_catalog.text',
	table => 'CREATE TABLE crm.pg_proc (oid oid)');
for my $kind (sort keys %object)
{
	is(as('mallory', $object{$kind}), '', "mallory makes a $kind");
	like(as('owner', 'CREATE EXTENSION crm'), qr/ERROR:  schema crm is not empty/, 'it is seen');
	is(as($superuser, 'SET client_min_messages = warning; DROP SCHEMA crm CASCADE; CREATE SCHEMA crm; ALTER SCHEMA crm OWNER TO owner; GRANT ALL ON SCHEMA crm TO mallory'), '', 'gone');
}
is(as('owner', 'CREATE EXTENSION crm'), '', 'an empty schema of the owner is taken');
is($node->safe_psql('shop', $doctor), 'error|role mallory may create functions in schema crm, which would be taken for those of the extension|REVOKE CREATE ON SCHEMA crm FROM mallory;', 'the doctor sees who may add to it');
is(as('owner', 'REVOKE CREATE ON SCHEMA crm FROM mallory;'), '', 'and how it is mended');
is($node->safe_psql('shop', $doctor), '', 'nothing is left');
like(as('mallory', 'CREATE FUNCTION crm.lower(text) RETURNS text LANGUAGE sql RETURN $1'), qr/permission denied for schema crm/, 'nobody else may add to it');
is(as('owner', 'DROP EXTENSION crm'), '', 'dropped by its owner');
is(as($superuser, 'CREATE EXTENSION crm'), '', 'a superuser may use a schema of the owner of the database: as a restore does');

# What the script says outside of bodies, which are bound when called: every
# function with its schema.  In parentheses after a name there are lists of
# columns too, whose names are one letter.
my ($version) = slurp_file('crm.control') =~ /^default_version = '([^']+)'/m;
my $sharedir = $node->config_data('--sharedir');
my $script = slurp_file("$sharedir/extension/crm--$version.sql");
$script =~ s{/\*.*?\*/}{}gs;
$script =~ s{--[^\n]*}{}g;
$script =~ s/\$(\w*)\$.*?\$\1\$/''/gs;
$script =~ s/'(?:[^']|'')*'/''/gs;
my %unqualified;
my $known = $node->safe_psql('shop', "SELECT string_agg(DISTINCT proname, ' ') FROM pg_proc");
my %known = map { $_ => 1 } split ' ', $known;
delete $known{extract};			# EXTRACT(... FROM ...) is grammar, and pg_catalog's whatever the path
while ($script =~ /(?<![\w.])([a-z_][a-z_0-9]*)\s*\(/g)
{
	$unqualified{$1} = 1 if $known{$1};
}
is(join(' ', sort keys %unqualified), '', 'every function in the install script is named with its schema');
# ... and every object is made in a schema that is named: in crm, but for operators, min and max, which are found under any search_path
my @made = $script =~ /\bCREATE\s+((?:FUNCTION|PROCEDURE|AGGREGATE|TYPE|DOMAIN|TABLE|VIEW|SEQUENCE|OPERATOR(?:\s+(?:CLASS|FAMILY))?)\s+\S+)/gi;
cmp_ok(scalar(@made), '>', 300, 'what the script makes');
is(join(', ', grep { !/^(?:[A-Z ]+) crm\./i && !/^OPERATOR pg_catalog\.|^AGGREGATE pg_catalog\.(?:min|max)\(crm\./i } @made), '', 'is made in a schema that is named');
unlike($script, qr/\bCREATE\s+OR\s+REPLACE\b/i, 'nothing of somebody else\'s is replaced');
unlike($script, qr/\bIF\s+NOT\s+EXISTS\b/i, 'or taken for ours');
unlike($script, qr/\bSECURITY\s+DEFINER\b/i, 'no function runs as its owner');
unlike($script, qr/\bSET\s+(?:SESSION|search_path\s+TO)\b/i, 'no setting outlives the script');
$node->stop;
done_testing();
