/*
 * crm_name_table.h
 *		Names within a value: where each ends in the bytes of all of them.
 *
 * Nothing here knows the server.
 */
#ifndef CRM_NAME_TABLE_H
#define CRM_NAME_TABLE_H

#include <stdint.h>
#include <string.h>

/* A name, not terminated. */
static inline const char *
name_table_get(const uint32_t *ends, const char *bytes, int32_t number, uint32_t *length)
{
	uint32_t	start = number == 0 ? 0 : ends[number - 1];

	*length = ends[number] - start;
	return bytes + start;
}

/* Write the next name of a table. */
static inline void
name_table_put(uint32_t *ends, char *bytes, int32_t number, const char *name, uint32_t length)
{
	uint32_t	start = number == 0 ? 0 : ends[number - 1];

	memcpy(bytes + start, name, length);
	ends[number] = start + length;
}

/* The number of a name, -1 if it has none, among names that ascend by their bytes. */
static inline int32_t
name_table_find(const uint32_t *ends, const char *bytes, int32_t first, int32_t count,
				const char *name, size_t length)
{
	int32_t		low = first;
	int32_t		high = first + count;

	while (low < high)
	{
		int32_t		middle = low + (high - low) / 2;
		uint32_t	size;
		const char *other = name_table_get(ends, bytes, middle, &size);
		int			order = memcmp(other, name, size < length ? size : length);

		if (order == 0)
		{
			if (size == length)
				return middle;
			order = size < length ? -1 : 1;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

#endif							/* CRM_NAME_TABLE_H */
