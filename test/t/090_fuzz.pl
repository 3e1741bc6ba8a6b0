# The input and receive functions of every type of crm take random and mutated
# bytes: each is either refused with an error of class 22 (data exception) or
# 08P01 (protocol violation), or becomes a value that prints and reads, sends
# and receives as itself.  The server does not crash.
#
# The bytes are always the same.  A new type is found by itself, but needs good
# examples here to start from.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $runs = $ENV{FUZZ_RUNS} || 1500;

my %examples = (
	attribution => [
		'{"models": [], "channels": []}',
		'{"models": ["first", "linear"], "channels": [["", [1, 0, 199000, 0], [0, 2251799813685248, 99500, 0]],'
		  . ' ["e-mail \\"neu\\"", [0, 0, -5, 1], [0, 2251799813685248, 99500, 7]]]}' ],
	email => [ 'jane.doe+news@example.com', ' JÖRG@bücher.DE ', '用户@例子.广告', "o'neil\@mail.example.co.uk" ],
	lifecycle_policy => [
		'{}',
		'{"at_risk_after": "90 days", "lost_after": "180 days 12:30:00.000001", "at_risk_gaps": 2, "lost_gaps": 4.25, "loyal_from": 5}',
		'{"loyal_from": 2, "at_risk_gaps": 0, "at_risk_after": "1 day"}' ],
	journey => [
		'[]',
		'[["email", "2025-03-01T09:30:00Z"], ["paid search", "2025-03-02T18:05:00.250000Z"], ["email", "2025-03-02T18:05:00.250000Z"]]',
		'[["", "-4713-11-24T00:00:00Z"], ["a\\u0009\\"\\\\\\u0041", "294276-12-31T23:59:59.999999Z"]]' ],
	markov_model => [
		'{"order": 1, "none": [0, 1.5, 0.0000], "channels": [["a", 0.5, 0.5], ["b", 1, 1]],'
		  . ' "states": [[[0], 4, 0, 2, 0.0000], [[1], 2, 3, 1, 42.5000]], "edges": [[0, 1, 2]]}',
		'{"order": 2, "none": [2, 3, 5.5000], "channels": [["x", 0.1, 0.2], ["y", 1e-5, 0]],'
		  . ' "states": [[[0, 1], 0.5, 0.25, 0.25, 0.0100], [[1], 0.5, 0, 0.5, 0.0000]], "edges": []}' ],
	phone => [ '+49 (0)30 123-456', '+12125550123', '+351 210/000.000', '+39 (0)6 698 12345' ],
	purchases => [
		'{"orders": 0, "revenue": 0, "refunds": 0}',
		'{"orders": 3, "revenue": 79.50, "refunds": 10.00, "first_order": "2025-03-01T09:30:00Z",'
		  . ' "last_order": "2025-11-20T18:05:00.000001Z", "first_value": 20.00, "first_count": 1}',
		'{"orders": 2, "revenue": -1.0000, "refunds": 3.0000, "first_order": "-4713-11-24T00:00:00Z",'
		  . ' "last_order": "294276-12-31T23:59:59.999999Z", "period_microseconds": 86400000000,'
		  . ' "first_value": 2.0000, "first_count": 1}' ],
	ltv_model => [
		'{"model": "bg_nbd", "parameters": [0.243, 4.414, 0.793, 2.426], "spend": [6.25, 3.74, 15.44]}',
		'{"model": "pareto_nbd", "unit": "days", "parameters": [1e-300, 1e+300, 5.5e-320, 0.1]}',
		'{"model": "mbg_nbd", "parameters": [0.5, 6, 0.9, 1.6], "customers": 2357, "repeat_purchases": 2457, "log_likelihood": -9582.4,'
		  . ' "covariance": [1, 0, 1, 0, -0.5, 1, 0, 0, 0, 1e-05], "spend": [6, 4, 15], "spend_customers": 946,'
		  . ' "spend_log_likelihood": -4055.9, "spend_covariance": [1, 0, 1, 0, 0, 1]}' ],
	rfm => [ '5-4-5', '8-9-10/10', '0-0-0' ],
	rfm_scale => [
		'{"bins": 2, "recency": ["30 days 00:00:00"], "frequency": [1], "monetary": [19.90]}',
		'{"bins": 3, "recency": ["0 days -00:00:00.000001", "2 days 23:59:59"], "frequency": [1, 1], "monetary": [-5.00, 499.95]}' ]);

# A generator of our own, so that every Perl makes the same bytes.
my $state = 20250301;

sub below
{
	my ($limit) = @_;
	$state = ($state * 1103515245 + 12345) % 2147483648;
	return int($state / 2147483648 * $limit);
}

my @pieces = (
	'0', '9', '-', '.', '@', '+', ':', ',', '{', '}', '"', ' ', "\n", '(0)', '..', 'NaN', 'infinity', '1e308',
	'9223372036854775807', '-9223372036854775808', '99999999999999999999', "\xC3\x84", "\xE1\xBA\x9E",
	"\xC2\xA0", "u\xCC\x88", "\xE2\x80\x8B", "\xF0\x9F\x92\x8C");
my @bytes = (0, 1, 0x7F, 0x80, 0xFE, 0xFF);

# One of the examples changed here and there, or bytes of any kind.
sub mutate
{
	my ($binary, @from) = @_;
	my $value = $from[ below(scalar @from) ];
	if (below(12) == 0)
	{
		$value = join '', map { chr(below(256)) } 1 .. below(120);
	}
	for (1 .. below(4))
	{
		my $at = below(length($value) + 1);
		my $change = below(8);
		if ($change == 0 && $at < length $value)
		{
			substr($value, $at, 1) = chr(ord(substr($value, $at, 1)) ^ (1 << below(8)));
		}
		elsif ($change == 1 && $at < length $value)
		{
			substr($value, $at, 1) = chr($binary ? $bytes[ below(scalar @bytes) ] : 32 + below(95));
		}
		elsif ($change == 2)
		{
			substr($value, $at, 1 + below(8)) = '' if $at < length $value;
		}
		elsif ($change == 3)
		{
			$value .= substr($value, $at, 1 + below(40)) if $at < length $value;
		}
		elsif ($change == 4)
		{
			$value = substr($value, 0, $at);
		}
		elsif ($change == 5)
		{
			$value = substr($value, 0, $at) . substr($from[ below(scalar @from) ], $at) if $at < length $from[0];
		}
		elsif ($change == 6 && $at < length $value)
		{
			substr($value, $at, 1) = chr(below(256));
		}
		else
		{
			substr($value, $at, 0) = $pieces[ below(scalar @pieces) ];
		}
	}
	return $value;
}

my $node = PostgreSQL::Test::Cluster->new('fuzz');
$node->init(extra => [ '--locale', 'C', '--encoding', 'UTF8' ]);
$node->start;
my $folder = $node->basedir . '/fuzz';
mkdir $folder or die "$folder: $!";

# Takes each input in turn: a refusal is counted by its SQLSTATE, a value must
# come back as itself.
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION crm;
CREATE TABLE outcome (type text, way text, sqlstate text, message text, inputs bigint, PRIMARY KEY (type, way, sqlstate));
CREATE FUNCTION note(type text, way text, sqlstate text, message text) RETURNS void LANGUAGE sql AS $$
	INSERT INTO outcome VALUES ($1, $2, $3, $4, 1)
	ON CONFLICT (type, way, sqlstate) DO UPDATE SET inputs = outcome.inputs + 1
$$;
-- whether a value that was taken is stable
CREATE FUNCTION check_value(type regtype, value anyelement) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	send regproc := (SELECT typsend FROM pg_type WHERE oid = type);
	same boolean;
BEGIN
	EXECUTE format('SELECT %s($1) = %s($1::text::%s) AND $1::text = $1::text::%s::text', send, send, type, type) INTO same USING value;
	RETURN CASE WHEN same THEN 'taken' ELSE 'changed' END;
END $$;
SQL

my @types = split /\n/, $node->safe_psql('postgres', <<'SQL');
SELECT typname FROM pg_type
WHERE typnamespace = 'crm'::regnamespace AND typtype = 'b' AND typelem = 0 AND typreceive <> 0
ORDER BY typname COLLATE "C"
SQL
ok(@types >= 3, 'there are types');

for my $type (@types)
{
	ok($examples{$type}, "crm.$type has examples in test/t/090_fuzz.pl") or next;

	# the examples as text and, as the server sends them, in binary
	my @text = @{ $examples{$type} };
	my @binary;
	for my $text (@text)
	{
		(my $quoted = $text) =~ s/'/''/g;
		push @binary, pack 'H*', $node->safe_psql('postgres',
			"SELECT encode(" . $node->safe_psql('postgres', "SELECT typsend::regproc FROM pg_type WHERE oid = 'crm.$type'::regtype")
			  . "('$quoted'::crm.$type), 'hex')");
	}

	# Text: a table of valid UTF-8 without zero bytes, one input a row.
	open my $out, '>:raw', "$folder/$type.text" or die "$folder/$type.text: $!";
	for (1 .. $runs)
	{
		my $input = mutate(0, @text);
		$input =~ s/\0/0/g;
		my $copy = $input;
		$input =~ s/[\x80-\xFF]/?/g unless utf8::decode($copy) && $copy !~ /[\x{D800}-\x{DFFF}\x{110000}-\x{7FFFFFFF}]/;
		print $out unpack('H*', $input), "\n";
	}
	close $out;
	$node->safe_psql('postgres', <<SQL);
CREATE TABLE input_$type (hex text);
COPY input_$type FROM '$folder/$type.text';
DO \$\$
DECLARE
	input text;
	value crm.$type;
	result text;
BEGIN
	FOR input IN SELECT convert_from(decode(hex, 'hex'), 'UTF8') FROM input_$type LOOP
		BEGIN
			EXECUTE format('SELECT %L::crm.$type', input) INTO value;
			result := check_value('crm.$type', value);
			PERFORM note('$type', 'text', result, input);
		EXCEPTION WHEN OTHERS THEN
			PERFORM note('$type', 'text', SQLSTATE, SQLERRM);
		END;
	END LOOP;
END \$\$;
SQL

	# Binary: files as COPY reads them, of one row and one column each.
	mkdir "$folder/$type" or die "$folder/$type: $!";
	for my $i (1 .. $runs)
	{
		my $input = mutate(1, @binary);
		open my $file, '>:raw', "$folder/$type/$i" or die "$folder/$type/$i: $!";
		print $file "PGCOPY\n\xFF\r\n\0", pack('NN', 0, 0), pack('nN', 1, length $input), $input, pack('n', 0xFFFF);
		close $file;
	}
	$node->safe_psql('postgres', <<SQL);
CREATE TABLE received_$type (v crm.$type);
DO \$\$
DECLARE
	value crm.$type;
	result text;
BEGIN
	FOR i IN 1 .. $runs LOOP
		BEGIN
			EXECUTE format('COPY received_$type FROM %L (FORMAT binary)', '$folder/$type/' || i);
			SELECT v INTO STRICT value FROM received_$type;
			result := check_value('crm.$type', value);
			PERFORM note('$type', 'binary', result, i::text);
			DELETE FROM received_$type;
		EXCEPTION WHEN OTHERS THEN
			PERFORM note('$type', 'binary', SQLSTATE, SQLERRM);
		END;
	END LOOP;
END \$\$;
SQL

	for my $way ('text', 'binary')
	{
		is($node->safe_psql('postgres', "SELECT sum(inputs) FROM outcome WHERE type = '$type' AND way = '$way'"),
			$runs, "crm.$type, $way: every input has an outcome");
		is( $node->safe_psql('postgres',
				"SELECT sqlstate, inputs, message FROM outcome WHERE type = '$type' AND way = '$way'"
				  . " AND sqlstate !~ '^(taken|22...|08P01)\$'"),
			'', "crm.$type, $way: taken unchanged, or refused in the right way");
		cmp_ok($node->safe_psql('postgres',
				"SELECT coalesce(sum(inputs), 0) FROM outcome WHERE type = '$type' AND way = '$way' AND sqlstate = 'taken'"),
			'>', 0, "crm.$type, $way: some are taken");
		note($node->safe_psql('postgres',
				"SELECT '$type $way: ' || string_agg(sqlstate || ' ' || inputs, ', ' ORDER BY sqlstate) FROM outcome WHERE type = '$type' AND way = '$way'"));
	}
}
# What is received must be as long as its counts say before there is room made
# for what it counts: here 32 MB for 15 kB.
my $names = join '', map { pack 'N/a*', $_ } 1 .. 2000;
my %few = (
	'many channels and models without their cells' => pack('C N N', 1, 1000, 1000) . $names,
	# what these take, reckoned in 64 bits, is 156 bytes
	'counts whose product overflows' => pack('C N N', 1, 2114522680, 1908338607) . "\0" x 200);
for my $what (sort keys %few)
{
	open my $few, '>:raw', "$folder/few" or die $!;
	print $few "PGCOPY\n\xff\r\n\0", pack('N N n N/a* n', 0, 0, 1, $few{$what}, 0xFFFF);
	close $few;
	my ($status, $stdout, $stderr) = $node->psql('postgres', "COPY received_attribution FROM '$folder/few' (FORMAT binary)");
	like($stderr, qr/invalid external "crm\.attribution" value\nDETAIL:  Its length is wrong\./, "$what are refused at once");
}

unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'no crash');

$node->stop;
done_testing();
