# The version stands in crm.control; what has to repeat it says the same.
use strict;
use warnings;

use JSON::PP;
use Test::More;

sub content
{
	my ($file) = @_;
	open my $in, '<', $file or die "$file: $!\n";
	local $/;
	return scalar <$in>;
}

my ($version) = content('crm.control') =~ /^default_version = '([^']+)'/m;
like($version, qr/^\d+\.\d+\.\d+$/, 'crm.control');
my @told = content('META.json') =~ /"version": "([^"]+)"/g;
is_deeply([ @told[ 0 .. $#told - 1 ] ], [ $version, $version ], 'META.json (its last version is that of its format)');
my $meta = decode_json(content('META.json'));
ok(exists $meta->{$_}, "META.json has what PGXN requires: $_") for qw(name version abstract maintainer license provides meta-spec);
ok(-e $_->{file} && -e $_->{docfile}, 'META.json names files that are there') for values %{ $meta->{provides} };
my ($latest) = content('CHANGELOG.md') =~ /^## \[?(\S+?)\]?(?:\s|$)/m;
is($latest, $version, 'CHANGELOG.md');
my ($debian) = content('debian/changelog') =~ /^pg-crm \(([^)]+)\)/;
is($debian, $version, 'debian/changelog');
done_testing();
