/*
 * crm_time.h
 *		Times as text: UTC, ISO 8601, independent of every setting.
 */
#ifndef CRM_TIME_H
#define CRM_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* Times are microseconds since 2000-01-01 00:00 UTC, as in timestamptz. */
#define TIME_MIN		INT64_C(-211813488000000000)	/* 4714-11-24 BC */
#define TIME_END		INT64_C(9223371331200000000)	/* 294277-01-01 */

/* "-290000-03-01T09:30:00.000001Z" and more */
#define TIME_TEXT_SIZE	40

extern char *time_put(char *text, int64_t at);
extern bool time_take(const char **s, int64_t *at);
extern int64_t time_month(int64_t at);
extern bool time_of_month(int64_t month, int64_t *at);

#endif							/* CRM_TIME_H */
