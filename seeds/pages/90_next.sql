\echo What next:
\if :sample
\echo '  make demo DATA=file.csv   the same for orders of your own: any CSV file with a customer, a time and an amount'
\else
\echo '  make demo                 the same for a sample shop, with refunds, guests and three currencies'
\endif
\echo '  doc/tutorial.md           how to get there in SQL, step by step'
\echo '  make test                 everything that is promised, tried on this machine'
\echo '  sudo make install         for real; then, in your database: CREATE EXTENSION crm'
