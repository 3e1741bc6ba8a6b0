/*
 * crm_names.h
 *		A set of names, numbered in the order in which they came.
 */
#ifndef CRM_NAMES_H
#define CRM_NAMES_H

#include "crm.h"

typedef struct KnownName
{
	const char *text;			/* not terminated */
	uint32		length;
	uint32		hash;
	uint64		first;			/* see NameWords() */
	uint64		last;
} KnownName;

/*
 * A hash table of names in a memory context of the caller's choice.  It begins
 * with a few hundred bytes, so that many small ones can live side by side.
 */
typedef struct Names
{
	MemoryContext context;
	int32		count;
	int32		room;			/* of names; a power of two */
	KnownName	   *names;
	int32	   *slots;			/* 2 * room: number + 1, or 0 */

	/* the order of the first `ranked` names: see NamesCompare() */
	int32		ranked;
	int32		rank_room;
	int32	   *rank;
	int64		unranked_uses;

	/* room for a caller's marks: see NamesMarks() */
	int32		mark_room;
	int32	   *marks;
} Names;

extern void NamesInit(Names *names, MemoryContext context);
extern int32 NamesIntern(Names *names, const char *text, uint32 length);
extern int32 NamesFind(const Names *names, const char *text, uint32 length);
extern int	NameCompare(const KnownName *a, const KnownName *b);
extern int32 *NamesMerge(Names *names, const Names *other);
extern Size NamesSize(const Names *names);
extern char *NamesPut(const Names *names, char *to);
extern void NamesTake(Names *names, const char *from, Size size);
extern int32 *NamesMarks(Names *names);
extern void NamesSort(Names *names, int32 *numbers, int32 count);

#endif							/* CRM_NAMES_H */
