# Every view of a store through JDBC.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use StoreClients;

my $jar = '/usr/share/java/postgresql.jar';
plan skip_all => 'libpostgresql-jdbc-java is not installed' unless -e $jar;
plan skip_all => 'java is not installed' unless system('java --version >/dev/null 2>&1') == 0;

reads_all(sub { "jdbc:postgresql://$_[0]/shop?user=$_[1]" }, 'java', '-Xmx256m', '-cp', $jar, 'test/clients/Views.java');
done_testing();
