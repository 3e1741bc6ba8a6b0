/*
 * crm_names.c
 *		A set of names, numbered in the order in which they came.
 */
#include "crm.h"

#include "crm_names.h"

#include "utils/memutils.h"

#define NAMES_FIRST_ROOM	8

/* Make an empty set, whose parts are allocated in that context. */
void
NamesInit(Names *names, MemoryContext context)
{
	memset(names, 0, sizeof(Names));
	names->context = context;
}

static void
NamesGrow(Names *names)
{
	int32		room = names->room == 0 ? NAMES_FIRST_ROOM : names->room * 2;

	if (room > PG_INT32_MAX / 4)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many channels")));
	if (names->names == NULL)
		names->names = MemoryContextAlloc(names->context, sizeof(KnownName) * room);
	else
	{
		names->names = repalloc_huge(names->names, sizeof(KnownName) * room);
		pfree(names->slots);
	}
	names->slots = MemoryContextAllocHuge(names->context, sizeof(int32) * 2 * room);
	memset(names->slots, 0, sizeof(int32) * 2 * room);
	names->room = room;
	for (int32 i = 0; i < names->count; i++)
	{
		uint32		slot = names->names[i].hash & (2 * room - 1);

		while (names->slots[slot] != 0)
			slot = (slot + 1) & (2 * room - 1);
		names->slots[slot] = i + 1;
	}
}

/*
 * The first eight bytes of a name, and the last eight, which may overlap; of a
 * shorter one half of each, or its bytes.  With its length they are all of a name
 * of up to 16 bytes, as most are: it is known without a look at its text.
 */
static inline void
NameWords(const char *text, uint32 length, uint64 *first, uint64 *last)
{
	if (length >= sizeof(uint64))
	{
		memcpy(first, text, sizeof(uint64));
		memcpy(last, text + length - sizeof(uint64), sizeof(uint64));
	}
	else if (length >= sizeof(uint32))
	{
		uint32		half;

		memcpy(&half, text, sizeof(half));
		*first = half;
		memcpy(&half, text + length - sizeof(half), sizeof(half));
		*last = half;
	}
	else
	{
		*first = length == 0 ? 0 : (unsigned char) text[0];
		*last = length == 0 ? 0 : (unsigned char) text[length / 2] << 8 | (unsigned char) text[length - 1];
	}
}

/* A hash of a name with these words.  It is asked for with every touch. */
static inline uint32
NameHash(const char *text, uint32 length, uint64 first, uint64 last)
{
	uint64		hash = (first + length) * UINT64CONST(0x9E3779B97F4A7C15);

	last *= UINT64CONST(0xC2B2AE3D27D4EB4F);
	hash ^= last << 32 | last >> 32;
	for (uint32 i = sizeof(uint64); i + sizeof(uint64) < length; i += sizeof(uint64))
	{
		uint64		word;

		/* the last of these may overlap the last eight bytes */
		memcpy(&word, text + i, sizeof(word));
		hash = (hash ^ hash >> 32 ^ word) * UINT64CONST(0x9E3779B97F4A7C15);
	}
	hash = (hash ^ hash >> 32) * UINT64CONST(0x9E3779B97F4A7C15);
	return (uint32) (hash ^ hash >> 32);
}

/* The slot that has the name, or the free one where it belongs. */
static inline uint32
NamesSlot(const Names *names, const char *text, uint32 length, uint32 hash,
		  uint64 first, uint64 last)
{
	const uint32 words = 2 * sizeof(uint64);
	uint32		mask = 2 * names->room - 1;
	uint32		slot = hash & mask;

	for (; names->slots[slot] != 0; slot = (slot + 1) & mask)
	{
		const KnownName *name = &names->names[names->slots[slot] - 1];

		if (name->first == first && name->last == last && name->length == length &&
			(length <= words ||
			 memcmp(name->text + sizeof(uint64), text + sizeof(uint64), length - words) == 0))
			break;
	}
	return slot;
}

/* The number of a name, -1 if it is not in the set. */
int32
NamesFind(const Names *names, const char *text, uint32 length)
{
	uint64		first;
	uint64		last;

	if (names->count == 0)
		return -1;
	NameWords(text, length, &first, &last);
	return names->slots[NamesSlot(names, text, length, NameHash(text, length, first, last),
								  first, last)] - 1;
}

/* The number of a name, which becomes a member if it is none. */
int32
NamesIntern(Names *names, const char *text, uint32 length)
{
	uint64		first;
	uint64		last;
	uint32		hash;
	uint32		slot;
	KnownName	   *name;
	char	   *copy;

	NameWords(text, length, &first, &last);
	hash = NameHash(text, length, first, last);
	if (names->count > 0)
	{
		slot = NamesSlot(names, text, length, hash, first, last);
		if (likely(names->slots[slot] != 0))
			return names->slots[slot] - 1;
	}
	if (names->count == names->room)
		NamesGrow(names);
	copy = MemoryContextAlloc(names->context, Max(length, 1));
	memcpy(copy, text, length);
	slot = NamesSlot(names, text, length, hash, first, last);
	name = &names->names[names->count];
	name->text = copy;
	name->length = length;
	name->hash = hash;
	name->first = first;
	name->last = last;
	names->slots[slot] = ++names->count;
	return names->count - 1;
}

/* Add the names of another set: of each of its numbers, the number here. */
int32 *
NamesMerge(Names *names, const Names *other)
{
	int32	   *numbers = palloc_array_huge(int32, other->count);

	for (int32 i = 0; i < other->count; i++)
		numbers[i] = NamesIntern(names, other->names[i].text, other->names[i].length);
	return numbers;
}

/* What NamesPut() writes takes so many bytes. */
Size
NamesSize(const Names *names)
{
	Size		size = 0;

	for (int32 i = 0; i < names->count; i++)
		size += sizeof(uint32) + names->names[i].length;
	return size;
}

/* Write all names, in the order of their numbers; the end. */
char *
NamesPut(const Names *names, char *to)
{
	for (int32 i = 0; i < names->count; i++)
	{
		const KnownName *name = &names->names[i];

		memcpy(to, &name->length, sizeof(uint32));
		memcpy(to + sizeof(uint32), name->text, name->length);
		to += sizeof(uint32) + name->length;
	}
	return to;
}

/* Read what NamesPut() wrote into an empty set. */
void
NamesTake(Names *names, const char *from, Size size)
{
	const char *end = from + size;

	while (from < end)
	{
		uint32		length;

		memcpy(&length, from, sizeof(length));
		(void) NamesIntern(names, from + sizeof(length), length);
		from += sizeof(length) + length;
	}
}

/*
 * An integer for each name's number, -1 unless the caller has set it.  A caller
 * who is done sets those that he has set back to -1: so many are his costs,
 * however many names there are.
 */
int32 *
NamesMarks(Names *names)
{
	if (unlikely(names->mark_room < names->count))
	{
		if (names->marks != NULL)
			pfree(names->marks);
		names->marks = MemoryContextAllocHuge(names->context, sizeof(int32) * names->room);
		memset(names->marks, -1, sizeof(int32) * names->room);
		names->mark_room = names->room;
	}
	return names->marks;
}

/* The order of names is that of their bytes: the same on every machine. */
int
NameCompare(const KnownName *a, const KnownName *b)
{
	int			result = memcmp(a->text, b->text, Min(a->length, b->length));

	if (result != 0)
		return result;
	return a->length < b->length ? -1 : a->length > b->length;
}

static int
NumberCompare(const void *a, const void *b, void *arg)
{
	const Names *names = (const Names *) arg;
	int32		left = *(const int32 *) a;
	int32		right = *(const int32 *) b;

	if (left < names->ranked && right < names->ranked)
		return names->rank[left] < names->rank[right] ? -1 : names->rank[left] > names->rank[right];
	return NameCompare(&names->names[left], &names->names[right]);
}

/*
 * Sort distinct numbers by their names.
 *
 * Millions of short lists may be sorted by the same few names, so the order of
 * all of them is worked out once, as soon as as many have been sorted: then it
 * is integers that are compared.
 */
void
NamesSort(Names *names, int32 *numbers, int32 count)
{
	names->unranked_uses += count;
	if (names->ranked < names->count && names->unranked_uses >= names->count)
	{
		int32	   *sorted = MemoryContextAllocHuge(names->context, sizeof(int32) * names->count);

		for (int32 i = 0; i < names->count; i++)
			sorted[i] = i;
		qsort_arg(sorted, names->count, sizeof(int32), NumberCompare, names);
		if (names->rank_room < names->count)
		{
			if (names->rank != NULL)
				pfree(names->rank);
			names->rank_room = names->room;
			names->rank = MemoryContextAllocHuge(names->context, sizeof(int32) * names->rank_room);
		}
		for (int32 i = 0; i < names->count; i++)
			names->rank[sorted[i]] = i;
		names->ranked = names->count;
		pfree(sorted);
	}
	if (names->ranked == names->count)
		names->unranked_uses = 0;

	if (count > 16)
	{
		qsort_arg(numbers, count, sizeof(int32), NumberCompare, names);
		return;
	}
	for (int32 i = 1; i < count; i++)
	{
		int32		number = numbers[i];
		int32		j = i;

		for (; j > 0 && NumberCompare(&numbers[j - 1], &number, names) > 0; j--)
			numbers[j] = numbers[j - 1];
		numbers[j] = number;
	}
}
