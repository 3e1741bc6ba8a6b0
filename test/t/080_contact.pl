# The contact types in databases of other encodings, and in a dump.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('contact');
$node->init(extra => [ '--locale', 'C', '--encoding', 'UTF8' ]);
$node->start;

# a database's encoding, and a domain in capital and in
# small letters (this file is UTF-8)
my @cases = (
	[ 'LATIN1', 'BÜCHER.DE', 'bücher.de' ],
	[ 'WIN1251', 'ПРИМЕР.РФ', 'пример.рф' ],
	[ 'EUC_JP', '例え.テスト', '例え.テスト' ],
	[ 'SQL_ASCII', 'BÜCHER.DE', 'bücher.de' ],
	[ 'UTF8', 'BÜCHER.DE', 'bücher.de' ]);
my %hash;
for my $case (@cases)
{
	my ($encoding, $upper, $lower) = @$case;
	my $db = 'db_' . lc $encoding;
	$node->safe_psql('postgres',
		"CREATE DATABASE $db TEMPLATE template0 ENCODING '$encoding' LOCALE 'C'");
	$node->safe_psql($db, 'CREATE EXTENSION crm');
	local $ENV{PGCLIENTENCODING} = $encoding eq 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8';

	is($node->safe_psql($db, "SELECT ' Info\@$upper '::crm.email"), "Info\@$lower", "$encoding: read and printed");
	is($node->safe_psql($db, "SELECT crm.domain('x\@$upper'), crm.local_part('$upper\@example.com')"),
		"$lower|$upper", "$encoding: its parts");
	is($node->safe_psql($db, "SELECT 'x\@$upper'::crm.email = 'X\@$lower'::crm.email, crm.email_hash('x\@$upper') = crm.email_hash('X\@$lower')"),
		't|t', "$encoding: equal whatever the case");
	is($node->safe_psql($db, "SELECT '+49\xC2\xA030 123456'::crm.phone"), '+4930123456', "$encoding: telephone number")
	  unless $encoding eq 'EUC_JP' || $encoding eq 'WIN1251';
	$hash{$upper}{$encoding} = $node->safe_psql($db, "SELECT crm.email_hash('x\@$upper')");

	# binary and text out and in again
	my $file = $node->basedir . "/$db";
	$node->safe_psql($db, <<SQL);
CREATE TABLE t AS SELECT 'Info\@$upper'::crm.email AS e, '+49 30 123456'::crm.phone AS p;
COPY t TO '$file.bin' (FORMAT binary);
COPY t TO '$file.txt';
COPY t FROM '$file.bin' (FORMAT binary);
COPY t FROM '$file.txt';
SQL
	is($node->safe_psql($db, 'SELECT e, p, count(*) FROM t GROUP BY e, p'), "Info\@$lower|+4930123456|3", "$encoding: COPY");
}
is($hash{'BÜCHER.DE'}{LATIN1}, $hash{'BÜCHER.DE'}{UTF8}, 'stored alike in every encoding');
is($hash{'BÜCHER.DE'}{SQL_ASCII}, $hash{'BÜCHER.DE'}{UTF8}, 'SQL_ASCII: as UTF-8');

{
	local $ENV{PGCLIENTENCODING} = 'SQL_ASCII';
	my ($status, $out, $err) = $node->psql('db_sql_ascii', "SELECT 'x\@b\xFCcher.de'::crm.email");
	like($err, qr/It is not valid UTF-8\./, 'SQL_ASCII: bytes that are not UTF-8 are refused');
}

# A dump restores keys, partitions and views, under the empty search_path that
# it sets.
$node->safe_psql('db_utf8', <<'SQL');
CREATE TABLE customer (email crm.email PRIMARY KEY, phone crm.phone UNIQUE CHECK (phone <> '+49 30 0000'));
INSERT INTO customer VALUES ('Jane@Example.com', '+49 30 123456'), ('JÖRG@BÜCHER.de', '+1 212 5550123');
CREATE TABLE part (email crm.email, n int) PARTITION BY HASH (email);
CREATE TABLE part_0 PARTITION OF part FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO part SELECT 'c' || n || '@example.com', n FROM generate_series(1, 100) AS n;
CREATE VIEW both_of AS SELECT email, n FROM customer LEFT JOIN part USING (email)
	WHERE email IN ('jane@example.com', 'jörg@bücher.de') AND nullif(email, 'x@y.de') IS DISTINCT FROM 'z@y.de';
CREATE MATERIALIZED VIEW domains AS SELECT crm.domain(email) AS domain, max(email) AS last FROM customer GROUP BY 1;
SQL
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-d', $node->connstr('db_utf8'), '-f', $dump ], 'dumped');
$node->safe_psql('postgres', "CREATE DATABASE restored TEMPLATE template0");
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $dump ], 'restored');
for my $query ('SELECT * FROM both_of ORDER BY email', 'SELECT * FROM domains ORDER BY domain',
	'SELECT tableoid::regclass, count(*), sum(n) FROM part GROUP BY 1 ORDER BY tableoid::regclass::text')
{
	is($node->safe_psql('restored', $query), $node->safe_psql('db_utf8', $query), $query);
}

$node->stop;
done_testing();
