# Every view of a store through psycopg2 and SQLAlchemy.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use StoreClients;

my ($python) = grep { -x $_ } '/usr/bin/python3';
plan skip_all => 'python3-psycopg2 or python3-sqlalchemy is not installed'
  unless $python && system(qq{$python -c "import psycopg2, sqlalchemy" 2>/dev/null}) == 0;

reads_all(sub { "postgresql+psycopg2://$_[1]\@$_[0]/shop" }, $python, 'test/clients/views.py');
done_testing();
