/* crm: what comes before every room */

/*
 * Whoever may connect may call: no function here reads a table but with the
 * caller's rights, or as the owner of a table that he had tracked.
 */
GRANT USAGE ON SCHEMA crm TO PUBLIC;

