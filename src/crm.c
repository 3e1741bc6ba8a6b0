/*
 * crm.c
 *		The module: its magic block and what is done when it is loaded.
 */
#include "clock.h"
#include "crm_ltv.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	ClockInit();
	LtvInit();
}
