# seeds/demo on files of other people's making: every delimiter, decimal mark
# and fault.  The sums were added up by hand.
use strict;
use warnings;
use utf8;
use Encode qw(encode);
use File::Temp qw(tempdir);
use Test::More;

system('psql -Xq -d postgres -c "" 2>/dev/null') == 0 or plan skip_all => 'no server to connect to';
my $folder = tempdir(CLEANUP => 1);

# Write the file, run the demo; its status and all that it printed.
sub demo
{
	my ($text, $name) = @_;
	my $file = "$folder/" . ($name // 'some file.csv');
	open my $out, '>:raw', $file or die "$file: $!";
	print $out $text;
	close $out;
	open my $in, '-|', 'sh', '-c', 'exec seeds/demo "$1" 2>&1', 'sh', $file or die $!;
	local $/;
	my $said = <$in>;
	close $in;
	return ($? >> 8, $said);
}

# The two lines of figures must be there and be these.
sub figures_are
{
	my ($said, $figures, $what) = @_;
	my $pattern = join '\s*\|\s*', map { quotemeta } @$figures;
	like($said, qr/\| crm\s*\|\s*$pattern\s*\|/, "$what: crm");
	like($said, qr/\| plain SQL\s*\|\s*$pattern\s*\|/, "$what: plain SQL");
}

for my $case ([',', 'a comma'], [';', 'a semicolon'], ["\t", 'a tab'], ['|', 'a bar'])
{
	my ($d, $what) = @$case;
	my $text = join '', map { join($d, @$_) . "\n" } (
		['Customer_ID', 'note', 'Order Date', 'Total'],
		['7', '"a' . $d . 'b"', '2025-01-31', '10.10'],
		['7', '"two' . "\n" . 'lines ""quoted"""', '2025-02-01 12:30:00', '20.20'],
		['Zoë', '', '2025-03-01T00:00:00Z', '0.03'],
		['7', '', '2025-03-02', '-5.05']);
	my ($status, $said) = demo(encode('UTF-8', $text));
	is($status, 0, "$what: status");
	figures_are($said, [2, 3, '25.28', '5.05'], $what);
	like($said, qr/delimiter is $what/, "$what: told");
	like($said, qr/^ all\s+\|\s+2 \|\s+100\.0 \|\s+25\.28 \|\s+100\.0 /m, "$what: all segments");
	like($said, qr/up to 2025-03-02 00:00:00\+00/, "$what: as of the last time");
	unlike($said, qr/WARNING/, "$what: nothing left out");
}

# the mark at the beginning, CRLF, decimal commas, day before month, a guest
{
	my ($status, $said) = demo("\xEF\xBB\xBFUserID;InvoiceDate;\"Order Value\"\r\n1;31.12.2024;\"1.234,56\"\r\n;01.02.2025;12,50\r\n2;02.02.2025;3\r\n");
	is($status, 0, 'decimal comma: status');
	figures_are($said, [2, 3, '1250.06', '0.00'], 'decimal comma') or diag $said;
	like($said, qr/2024-12-31\s*\|\s*2025-02-02/, 'decimal comma: day before month');
	like($said, qr/^Rows of guests: 1 /m, 'decimal comma: guest told');
}

# Windows-1252
{
	my ($status, $said) = demo(encode('cp1252', "client,date,amount\nJürgen,2025-01-01,€ 5.00\n"));
	is($status, 0, 'Windows-1252: status');
	like($said, qr/read as Windows-1252/, 'Windows-1252: told');
	like($said, qr/^ J\xC3\xBCrgen\s+\|\s+1 \|\s+5\.00/m, 'Windows-1252: name');
}

# two currencies are kept apart
{
	my ($status, $said) = demo("customer,time,amount,currency\na,2025-01-01,5.00,EUR\na,2025-01-02,6.00,EUR\nb,2025-01-01,7.00,usd\n");
	is($status, 0, 'currencies: status');
	like($said, qr/^ EUR\s+\| crm\s+\|\s+1 \|\s+2 \|\s+11\.00 /m, 'currencies: one');
	like($said, qr/^ USD\s+\| crm\s+\|\s+1 \|\s+1 \|\s+7\.00 /m, 'currencies: other');
}

# bad rows: told with line and reason, the rest is used
{
	my ($status, $said) = demo(join "\n",
		'customer,time,amount',
		'a,2025-01-01,1.50',
		'a,2025-02-30,1',
		'a,2025-01-01',
		'a,2025-01-01,1,2',
		'a,yesterday,1',
		'a,,1',
		'a,2025-01-01,many',
		'a,2025-01-01,',
		'a,2025-01-01,NaN',
		'a,2025-01-01,1e5',
		'a,infinity,1',
		"'); DROP TABLE demo.sales; --,2025-01-01,2.25",
		'a,2025-01-05,5" pipe',
		'',
		'b,2025-01-06,3.25');
	is($status, 0, 'bad rows: status');
	figures_are($said, [3, 3, '7.00', '0.00'], 'bad rows') or diag $said;
	like($said, qr/WARNING: 11 of 14 rows can not be used/, 'bad rows: counted');
	like($said, qr/^\s+3 \| not a time: 2025-02-30$/m, 'bad rows: no such day');
	like($said, qr/^\s+4 \| 2 fields where the header has 3$/m, 'bad rows: too few fields');
	like($said, qr/^\s+5 \| 4 fields where the header has 3$/m, 'bad rows: too many fields');
	like($said, qr/^\s+6 \| not a time: yesterday$/m, 'bad rows: no clock');
	like($said, qr/^\s+7 \| no time$/m, 'bad rows: no time');
	like($said, qr/^\s+8 \| not an amount: many$/m, 'bad rows: not an amount');
	like($said, qr/^\s+9 \| no amount$/m, 'bad rows: no amount');
	like($said, qr/^ '\); DROP TABLE demo\.sales; --\s+\|\s+1 \|\s+2\.25 /m, 'bad rows: SQL is only a name');
}

# names: the standard ones win, whatever the order
{
	my ($status, $said) = demo("email,total,created_at,customer,time,amount\nx\@example.com,1,2020-01-01,a,2025-01-01,2.50\n");
	like($said, qr/customer is column customer, time is column time, amount is column amount/, 'names: told');
	figures_are($said, [1, 1, '2.50', '0.00'], 'names');
}

# files that do not do
for my $case (
	['', qr/is empty/, 'empty'],
	["a,b;c\n1,2\n", qr/no column for customer and time and amount.*Its first line names: a, b;c\./s, 'no columns'],
	["customer,amount\n1,2\n", qr/no column for time.*What is the time may be called: time, ordered_at/s, 'no time'],
	["customer,time,amount,amount\n", qr/two columns that are called amount/, 'twice'],
	["customer,time,amount\n", qr/no order could be read/, 'no rows'],
	["customer,time,amount\n1,01/02/2025,5.00\n", qr/day\/month or month\/day/, 'ambiguous dates'],
	["customer;time;amount\n1;2025-01-01;1,500\n", qr/line 2 may mean thousands or decimals/, 'ambiguous amounts'],
	["customer,time,amount\n\0,\0\n", qr/no order could be read/, 'NUL'])
{
	my ($text, $pattern, $what) = @$case;
	my ($status, $said) = demo($text);
	isnt($status, 0, "$what: status");
	like($said, $pattern, "$what: told");
}

# the sample shop: three currencies, each the same twice
{
	my $said = `seeds/demo 2>&1`;
	is($?, 0, 'the sample shop: status');
	my %by;
	push @{$by{$2}}, "$1$3" while $said =~ /^ ([A-Z]{3})\s+\| (crm|plain SQL)\s+\|(.*)$/mg;
	is(scalar @{$by{crm}}, 3, 'the sample shop: currencies');
	is_deeply($by{crm}, $by{'plain SQL'}, 'the sample shop: crm and plain SQL');
	like($said, qr/^ Champions /m, 'the sample shop: segments');

	# channels by model: what is printed sums to the cent, and to the tenth of an order
	my ($in_money, $in_orders) = $said =~ /^Which channel won the orders.*?\n(.*?)^The same in orders.*?\n(.*?)^\s*$/ms;
	for my $case ([$in_money, 'revenue', 0], [$in_orders, 'orders', 1])
	{
		my ($table, $what, $others) = @$case;
		my @sums;
		for my $line ($table =~ /^ (?!\s*channel)(.*\|.*)$/mg)
		{
			my (undef, @figures) = split /\s*\|\s*/, $line;
			pop @figures if $others;
			$sums[$_] += sprintf '%.0f', 100 * $figures[$_] for 0 .. $#figures;
		}
		cmp_ok(scalar @sums, '>=', 7, "the sample shop: channels, $what by model");
		cmp_ok($sums[0], '>', 0, "the sample shop: channels, there are $what");
		is_deeply(\@sums, [($sums[0]) x @sums], "the sample shop: channels, $what sum alike");
	}
}

is(`psql -Xqt -d postgres -c "SELECT count(*) FROM pg_database WHERE datname LIKE 'crm_demo%'"` + 0, 0, 'no database is left behind');
done_testing();
