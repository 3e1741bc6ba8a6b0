-- Every object of the extension, so that a change of the surface is seen; and
-- rules that all of them keep.
\pset format unaligned
\pset tuples_only on
SELECT pg_describe_object(classid, objid, objsubid) AS object
FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'crm')
	AND pg_describe_object(classid, objid, objsubid) NOT LIKE 'type %[]'
ORDER BY pg_describe_object(classid, objid, objsubid) COLLATE "C";

\pset tuples_only off
-- without a comment (array types and row types aside)
SELECT pg_describe_object(d.classid, d.objid, d.objsubid) AS object
FROM pg_depend d
LEFT JOIN pg_type t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
	AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'crm')
	AND d.classid NOT IN ('pg_cast'::regclass, 'pg_amop'::regclass, 'pg_amproc'::regclass)
	AND (t.oid IS NULL OR (t.typelem = 0 AND c.relkind IS DISTINCT FROM 'r'))
	AND obj_description(d.objid, d.classid::regclass::name) IS NULL
ORDER BY pg_describe_object(d.classid, d.objid, d.objsubid) COLLATE "C";

-- C functions that are not parallel safe, and why not is in their comment
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = prolang
WHERE pronamespace = 'crm'::regnamespace AND lanname = 'c' AND proparallel <> 's'
	AND prorettype <> 'trigger'::regtype
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- non-C functions that may resolve a name by the caller's search_path
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = prolang
WHERE pronamespace = 'crm'::regnamespace AND lanname NOT IN ('c', 'internal')
	AND prosqlbody IS NULL AND NOT coalesce(array_to_string(proconfig, ','), '') ~ 'search_path='
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- security definer functions
SELECT p.oid::regprocedure, proconfig FROM pg_proc p
WHERE pronamespace = 'crm'::regnamespace AND prosecdef
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- operator classes that are not valid
SELECT opcname FROM pg_opclass WHERE opcnamespace = 'crm'::regnamespace AND NOT amvalidate(oid);
