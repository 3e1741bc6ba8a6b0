/*
 * crm.c
 *		The module: its magic block and what is done when it is loaded.
 */
#include "crm.h"

PG_MODULE_MAGIC;
