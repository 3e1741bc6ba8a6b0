# The same random statements as in track_random.pl, by writers who only queue:
# who is not in the queue is right, and nobody is once it has been applied.
use strict;
use warnings;
use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

$ENV{CRM_RANDOM_MODE} = 'queued';
do "$FindBin::RealBin/track_random.pl" or die $@ || $!;
