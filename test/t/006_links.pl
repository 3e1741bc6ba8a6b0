# Every link of the manual leads to a file that there is, and to a heading in it.
use strict;
use warnings FATAL => 'all';

use File::Basename;
use Test::More;

chdir dirname(__FILE__) . '/../..' or die $!;

# the pages without their code, and what a heading is called in a link
my %text;
my %headings;
for my $page (glob('*.md doc/*.md seeds/*.md'))
{
	open my $file, '<:encoding(UTF-8)', $page or die "$page: $!";
	$text{$page} = do { local $/; <$file> };
	$text{$page} =~ s/^```.*?^```$//gms;
	for ($text{$page} =~ /^#+ (.*)$/gm)
	{
		my $name = lc =~ s/[^\w\- ]//gr =~ tr/ /-/r;
		$headings{$page}{$name} = 1;
	}
}

for my $page (sort keys %text)
{
	my @astray;
	my $links = 0;
	while ($text{$page} =~ /\]\(([^)\s#]*)(?:#([^)\s]*))?\)/g)
	{
		my ($path, $heading) = ($1, $2);
		next if $path =~ /^https?:/;
		$links++;
		# a folder's .. is taken out, as pages are known by their path from here
		my $target = $path eq '' ? $page : dirname($page) . "/$path";
		$target =~ s{^\./|/\K\./}{}g;
		1 while $target =~ s{[^/.]+/\.\./}{};
		push @astray, $path . (defined $heading ? "#$heading" : '')
		  unless -e $target && (!defined $heading || $headings{$target}{$heading});
	}
	is_deeply(\@astray, [], "$page: $links links");
}
done_testing();
