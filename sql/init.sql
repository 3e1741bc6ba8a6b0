-- What every other test begins with.
CREATE EXTENSION crm;
SELECT extname, n.nspname AS schema, extrelocatable FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'crm';
