/*
 * ltv_rows.c
 *		Equal customers as one row, in an order of the rows' own.
 *
 * A radix sort of (key, index) pairs and one gathering pass.  The key is x in
 * its upper bits, so that rows of equal x stand together, and a hash of the
 * row in its lower ones.  Rows of equal key, few unless they are equal, are
 * sorted by insertion.  Rows that were folded apart are merged in that order.
 * No function here allocates, raises an error or knows the server.
 */
#include "ltv.h"

#include <string.h>

#define DIGIT_BITS		11
#define DIGITS			(1 << DIGIT_BITS)
#define HASH_BITS		22
#define AHEAD			16		/* rows are asked for so many before they are wanted */
#define MERGED_AT_ONCE	65536

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

/*
 * Merge two folded arrays of rows, of which b may be anywhere in memory, into
 * folded, which has room for both; returns how many are left.
 */
static inline size_t
merge(const double *a, size_t a_count, const char *b, size_t b_count, int columns,
	  double *folded, LtvInterrupt interrupt)
{
	const int	width = columns + 1;
	const size_t size = width * sizeof(double);
	const double *a_end = a + a_count * width;
	const char *b_end = b + b_count * size;
	double	   *end = folded;
	double		other[4];
	uint32_t	a_key = 0;
	uint32_t	b_key = 0;

	if (a < a_end)
		a_key = key_of(a, columns);
	if (b < b_end)
	{
		memcpy(other, b, size);
		b_key = key_of(other, columns);
	}
	for (size_t i = 1; a < a_end && b < b_end; i++, end += width)
	{
		int			order = a_key < b_key ? -1 : a_key > b_key ? 1 :
			compare_rows(a, other, columns);

		memcpy(end, order > 0 ? other : a, size);
		if (order == 0)
			end[columns] += other[columns];
		if (order <= 0)
		{
			a += width;
			if (a < a_end)
				a_key = key_of(a, columns);
		}
		if (order >= 0)
		{
			b += size;
			if (b < b_end)
			{
				memcpy(other, b, size);
				b_key = key_of(other, columns);
			}
		}
		if (i % MERGED_AT_ONCE == 0)
			interrupt();
	}
	memcpy(end, a, (a_end - a) * sizeof(double));
	end += a_end - a;
	memcpy(end, b, b_end - b);
	end += (b_end - b) / sizeof(double);
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

/* Merge folded rows of x, t_x, t; those of b need no alignment. */
size_t
ltv_merge_customers(const LtvCustomer *a, size_t a_count, const void *b, size_t b_count,
					LtvCustomer *folded, LtvInterrupt interrupt)
{
	return merge(&a->x, a_count, b, b_count, 3, &folded->x, interrupt);
}

/* Merge folded rows of x and mean value, likewise. */
size_t
ltv_merge_spenders(const LtvSpender *a, size_t a_count, const void *b, size_t b_count,
				   LtvSpender *folded, LtvInterrupt interrupt)
{
	return merge(&a->x, a_count, b, b_count, 2, &folded->x, interrupt);
}
