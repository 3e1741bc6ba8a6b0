/*
 * ltv_rows.c
 *		Equal customers as one row, in an order of the rows' own.
 *
 * A radix sort of (key, index) pairs and one gathering pass.  The key is x in
 * its upper bits, so that rows of equal x stand together, and a hash of the
 * row in its lower ones.  Rows of equal key, few unless they are equal, are
 * sorted by insertion.  No function here allocates, raises an error or knows
 * the server.
 */
#include "ltv.h"

#include <string.h>

#define DIGIT_BITS		11
#define DIGITS			(1 << DIGIT_BITS)
#define HASH_BITS		22
#define AHEAD			16		/* rows are asked for so many before they are wanted */

typedef struct Pair
{
	uint32_t	key;
	uint32_t	index;
} Pair;

static inline uint64_t
bits_of(double value)
{
	uint64_t	bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

/* The key of a row of x and one or two more columns. */
static inline uint32_t
key_of(const double *row, int columns)
{
	uint64_t	hash = bits_of(row[0]) * UINT64_C(0x9E3779B97F4A7C15);

	for (int i = 1; i < columns; i++)
	{
		hash = (hash ^ (hash >> 32)) + bits_of(row[i]);
		hash *= UINT64_C(0xD6E8FEB86659FD93);
	}
	return (uint32_t) (row[0] < LTV_SORTED_X ? row[0] : LTV_SORTED_X) << HASH_BITS |
		(uint32_t) (hash >> (64 - HASH_BITS));
}

static inline int
compare_rows(const double *a, const double *b, int columns)
{
	for (int i = 0; i < columns; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

/*
 * Sort and fold n rows into folded, which has room for n; returns how many are
 * left.  A row is so many columns and a weight.  scratch has LTV_FOLD_SCRATCH
 * bytes a row.
 */
static inline size_t
fold(const double *rows, size_t n, int columns, double *folded, void *scratch,
	 LtvInterrupt interrupt)
{
	const int	width = columns + 1;
	Pair	   *from = scratch;
	Pair	   *to = from + n;
	double	   *group = folded;	/* the first row of the current key */
	double	   *end = folded;
	uint32_t	counts[3][DIGITS];

	memset(counts, 0, sizeof(counts));
	for (size_t i = 0; i < n; i++)
	{
		uint32_t	key = key_of(rows + i * width, columns);

		from[i].key = key;
		from[i].index = (uint32_t) i;
		counts[0][key % DIGITS]++;
		counts[1][(key >> DIGIT_BITS) % DIGITS]++;
		counts[2][key >> (2 * DIGIT_BITS)]++;
	}
	for (int pass = 0; pass < 3; pass++)
	{
		int			shift = pass * DIGIT_BITS;
		uint32_t	start = 0;
		Pair	   *swap = from;

		interrupt();
		for (int digit = 0; digit < DIGITS; digit++)
		{
			uint32_t	count = counts[pass][digit];

			counts[pass][digit] = start;
			start += count;
		}
		for (size_t i = 0; i < n; i++)
			to[counts[pass][(from[i].key >> shift) % DIGITS]++] = from[i];
		from = to;
		to = swap;
	}

	interrupt();
	for (size_t i = 0; i < n; i++)
	{
		const double *row = rows + (size_t) from[i].index * width;
		double	   *place = end;
		int			order = 1;

		if (i + AHEAD < n)
			__builtin_prefetch(rows + (size_t) from[i + AHEAD].index * width);
		if (i > 0 && from[i].key != from[i - 1].key)
			group = end;
		while (place > group && (order = compare_rows(row, place - width, columns)) < 0)
			place -= width;
		if (place > group && order == 0)
		{
			place[-1] += row[columns];
			continue;
		}
		memmove(place + width, place, (char *) end - (char *) place);
		memcpy(place, row, width * sizeof(double));
		end += width;
	}
	return (end - folded) / width;
}

/* Fold rows of x, t_x, t; folded may not overlap them. */
size_t
ltv_fold_customers(const LtvCustomer *rows, size_t n, LtvCustomer *folded,
				   void *scratch, LtvInterrupt interrupt)
{
	return fold(&rows->x, n, 3, &folded->x, scratch, interrupt);
}

/* Fold rows of x and mean value. */
size_t
ltv_fold_spenders(const LtvSpender *rows, size_t n, LtvSpender *folded,
				  void *scratch, LtvInterrupt interrupt)
{
	return fold(&rows->x, n, 2, &folded->x, scratch, interrupt);
}
