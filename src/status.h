/*
 * status.h
 *		What the clock tells of itself, in shared memory.
 */
#ifndef CRM_STATUS_H
#define CRM_STATUS_H

#include "crm.h"

extern void StatusInit(void);
extern void StatusLauncherStarted(void);
extern void StatusRoundEnded(void);
extern void StatusNoteError(const char *table, const ErrorData *error);

#endif							/* CRM_STATUS_H */
