/*
 * ltv_rows.c
 *		Equal customers as one row, in an order of the rows' own.
 *
 * A radix sort of (key, index) pairs and one gathering pass.  The key is x in
 * its upper bits, so that rows of equal x stand together, and a hash of the
 * row in its lower ones.  Rows of equal key, few unless they are equal, are
 * sorted by insertion.  Rows that were folded apart are packed, and
 * merged in that order.
 * No function here allocates, raises an error or knows the server.
 */
#include "ltv.h"

#include <string.h>

#define DIGIT_BITS		11
#define DIGITS			(1 << DIGIT_BITS)
#define HASH_BITS		22
#define AHEAD			16		/* rows are asked for so many before they are wanted */
#define AT_ONCE			65536	/* rows between two interrupts */

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
fold(const double *rows, size_t n, int columns, double *folded, void *scratch)
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

		if (i % AT_ONCE == 0)
			ltv_interrupt();
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

		for (int digit = 0; digit < DIGITS; digit++)
		{
			uint32_t	count = counts[pass][digit];

			counts[pass][digit] = start;
			start += count;
		}
		for (size_t i = 0; i < n; i++)
		{
			if (i % AT_ONCE == 0)
				ltv_interrupt();
			to[counts[pass][(from[i].key >> shift) % DIGITS]++] = from[i];
		}
		from = to;
		to = swap;
	}

	for (size_t i = 0; i < n; i++)
	{
		const double *row = rows + (size_t) from[i].index * width;
		double	   *place = end;
		int			order = 1;

		if (i % AT_ONCE == 0)
			ltv_interrupt();
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

/*
 * Packed rows
 *
 * Of a row after another x and the weight are mostly those before, and t_x is
 * often 0: a byte says which of them are there, and then come those, the second
 * column and the third.  So a customer mostly takes 9 or 17 bytes, not 32.
 */
#define OTHER_X			1
#define OTHER_WEIGHT	2
#define NOT_ZERO		4

/* Write a row, of which last is the one before; nothing is written to NULL.  How many bytes. */
static inline size_t
pack_row(const double *row, const double *last, int columns, char *to)
{
	double		values[4];
	int			count = 0;
	char		what = 0;

	if (row[0] != last[0])
	{
		what |= OTHER_X;
		values[count++] = row[0];
	}
	if (row[columns] != last[columns])
	{
		what |= OTHER_WEIGHT;
		values[count++] = row[columns];
	}
	if (row[1] != 0)
	{
		what |= NOT_ZERO;
		values[count++] = row[1];
	}
	if (columns > 2)
		values[count++] = row[2];
	if (to != NULL)
	{
		*to = what;
		memcpy(to + 1, values, count * sizeof(double));
	}
	return 1 + count * sizeof(double);
}

/* Read a row, which was the one before; where the next one is. */
static inline const char *
unpack_row(const char *from, double *row, int columns)
{
	char		what = *from++;

	if (what & OTHER_X)
	{
		memcpy(&row[0], from, sizeof(double));
		from += sizeof(double);
	}
	if (what & OTHER_WEIGHT)
	{
		memcpy(&row[columns], from, sizeof(double));
		from += sizeof(double);
	}
	row[1] = 0;
	if (what & NOT_ZERO)
	{
		memcpy(&row[1], from, sizeof(double));
		from += sizeof(double);
	}
	if (columns > 2)
	{
		memcpy(&row[2], from, sizeof(double));
		from += sizeof(double);
	}
	return from;
}

/* Pack n rows, or where packed is NULL only say how many bytes they take. */
static inline size_t
pack(const double *rows, size_t n, int columns, char *packed)
{
	const int	width = columns + 1;
	const double none[4] = {0};
	const double *last = none;
	size_t		size = 0;

	for (size_t i = 0; i < n; i++)
	{
		const double *row = rows + i * width;

		size += pack_row(row, last, columns, packed != NULL ? packed + size : NULL);
		last = row;
	}
	return size;
}

/*
 * Merge folded rows with folded and packed ones into folded, which has room
 * for both; returns how many are left.  rows may be NULL if there are none.
 */
static inline size_t
merge(const double *rows, size_t n, const char *packed, size_t packed_count, int columns,
	  double *folded)
{
	const int	width = columns + 1;
	const double *rows_end = n > 0 ? rows + n * width : rows;
	double	   *end = folded;
	double		other[4] = {0};
	uint32_t	key = n > 0 ? key_of(rows, columns) : 0;
	uint32_t	other_key;

	for (size_t i = 0; i < packed_count; i++)
	{
		int			order = -1;

		packed = unpack_row(packed, other, columns);
		other_key = key_of(other, columns);
		while (rows < rows_end &&
			   (order = key < other_key ? -1 : key > other_key ? 1 :
				compare_rows(rows, other, columns)) <= 0)
		{
			memcpy(end, rows, width * sizeof(double));
			end += width;
			rows += width;
			if (rows < rows_end)
				key = key_of(rows, columns);
			if (order == 0)
				break;
		}
		if (order == 0)
			end[-1] += other[columns];
		else
		{
			memcpy(end, other, width * sizeof(double));
			end += width;
		}
		if (i % AT_ONCE == 0)
			ltv_interrupt();
	}
	if (rows < rows_end)
	{
		memcpy(end, rows, (rows_end - rows) * sizeof(double));
		end += rows_end - rows;
	}
	return (end - folded) / width;
}

/* Fold rows of x, t_x, t; folded may not overlap them. */
size_t
ltv_fold_customers(const LtvCustomer *rows, size_t n, LtvCustomer *folded,
				   void *scratch)
{
	return fold(&rows->x, n, 3, &folded->x, scratch);
}

/* Fold rows of x and mean value. */
size_t
ltv_fold_spenders(const LtvSpender *rows, size_t n, LtvSpender *folded,
				  void *scratch)
{
	return fold(&rows->x, n, 2, &folded->x, scratch);
}

/* Pack folded rows; where packed is NULL, say how many bytes that takes. */
size_t
ltv_pack_customers(const LtvCustomer *rows, size_t n, char *packed)
{
	return pack((const double *) rows, n, 3, packed);
}

size_t
ltv_pack_spenders(const LtvSpender *rows, size_t n, char *packed)
{
	return pack((const double *) rows, n, 2, packed);
}

/* Merge folded rows with packed ones; rows and folded may not overlap. */
size_t
ltv_merge_customers(const LtvCustomer *rows, size_t n, const char *packed, size_t packed_count,
					LtvCustomer *folded)
{
	return merge((const double *) rows, n, packed, packed_count, 3, &folded->x);
}

size_t
ltv_merge_spenders(const LtvSpender *rows, size_t n, const char *packed, size_t packed_count,
				   LtvSpender *folded)
{
	return merge((const double *) rows, n, packed, packed_count, 2, &folded->x);
}
