/*
 * clock.h
 *		The clock's background worker.
 */
#ifndef CRM_CLOCK_H
#define CRM_CLOCK_H

#include "crm.h"

extern void ClockInit(void);
extern PGDLLEXPORT Datum crm_advance_stages(PG_FUNCTION_ARGS);

#endif							/* CRM_CLOCK_H */
