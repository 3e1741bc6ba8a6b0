/*
 * journey.h
 *		A customer's touches in the order of time: a value of variable size.
 *
 * This header and journey_value.c know nothing of the server, so that they can
 * be tested and fuzzed alone.
 */
#ifndef CRM_JOURNEY_H
#define CRM_JOURNEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crm_name_table.h"

#define JOURNEY_VERSION		1

/*
 * On disk and in memory.  The times are of fixed size, so that the touches of
 * an order are found by bisection, whatever the length of the journey.  After
 * this header follow
 *
 *		int64_t		at[touches]			ascending; microseconds, as in timestamptz
 *		uint32_t	ends[channels]		where each name ends in names
 *		uintN_t		channel[touches]	N is 8 * width, as narrow as will do
 *		char		names[]				ascending by their bytes, no two alike
 *
 * Touches of the same moment are ordered by channel.  Every channel has a touch.
 */
typedef struct Journey
{
	int32_t		vl_len_;		/* of the server */
	uint8_t		version;		/* JOURNEY_VERSION */
	uint8_t		width;			/* 1, 2 or 4 */
	uint8_t		zeroes[2];
	int32_t		touches;
	int32_t		channels;
	int64_t		at[];
} Journey;

static inline const uint32_t *
journey_ends(const Journey *journey)
{
	return (const uint32_t *) (journey->at + journey->touches);
}

static inline const void *
journey_numbers(const Journey *journey)
{
	return journey_ends(journey) + journey->channels;
}

static inline const char *
journey_names(const Journey *journey)
{
	return (const char *) journey_numbers(journey) + (size_t) journey->touches * journey->width;
}

/* The channel of a touch: 0 to channels - 1. */
static inline uint32_t
journey_channel(const Journey *journey, int32_t touch)
{
	const void *numbers = journey_numbers(journey);

	switch (journey->width)
	{
		case 1:
			return ((const uint8_t *) numbers)[touch];
		case 2:
			return ((const uint16_t *) numbers)[touch];
		default:
			return ((const uint32_t *) numbers)[touch];
	}
}

static inline void
journey_set_channel(Journey *journey, int32_t touch, uint32_t channel)
{
	void	   *numbers = (void *) journey_numbers(journey);

	switch (journey->width)
	{
		case 1:
			((uint8_t *) numbers)[touch] = (uint8_t) channel;
			break;
		case 2:
			((uint16_t *) numbers)[touch] = (uint16_t) channel;
			break;
		default:
			((uint32_t *) numbers)[touch] = channel;
	}
}

/* The name of a channel, not terminated. */
static inline const char *
journey_name(const Journey *journey, uint32_t channel, uint32_t *length)
{
	return name_table_get(journey_ends(journey), journey_names(journey), channel, length);
}

extern int	journey_width(int32_t channels);
extern size_t journey_size(int32_t touches, int32_t channels, size_t names);
extern int32_t journey_find(const Journey *journey, int64_t at);
extern int32_t journey_find_channel(const Journey *journey, const char *name, size_t length);

/* How touches of the same channel are folded into one. */
typedef enum JourneyFold
{
	JOURNEY_FOLD_NONE,
	JOURNEY_FOLD_RUNS,			/* one after the other: the last stays */
	JOURNEY_FOLD_FIRST,			/* anywhere: the first stays */
	JOURNEY_FOLD_LAST			/* anywhere: the last stays */
} JourneyFold;

extern int32_t journey_fold(const Journey *journey, JourneyFold fold, int32_t *touches,
							int32_t count, bool *seen);

extern size_t journey_text_size(const Journey *journey);
extern char *journey_print(const Journey *journey, char *text);
extern size_t name_text_size(const char *name, size_t length);
extern char *name_put(char *text, const char *name, size_t length);
extern bool name_take(const char **s, char *name, size_t *length);
extern int	journey_take(const char **s, bool first, char *name, size_t *length,
						 int64_t *at, const char **wrong);

#endif							/* CRM_JOURNEY_H */
