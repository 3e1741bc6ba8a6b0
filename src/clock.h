/*
 * clock.h
 *		The clock's background worker.
 */
#ifndef CRM_CLOCK_H
#define CRM_CLOCK_H

#include "track.h"

/* If set, is told of what failed for one customer of a table, by its name. */
extern void (*clock_failed) (const char *table, const ErrorData *error);

extern void ClockInit(void);
extern int64 ClockAdvance(Oid orders_oid, TrackRound *round);

#endif							/* CRM_CLOCK_H */
