/*
 * track_batch.c
 *		The customers that a statement touched, each once, and what is to be done
 *		for each.
 *
 * They are in memory.  When they are more than there is room for, those in
 * memory go to a sort on disk, again and again, and come back in the order of
 * the key, as many at a time as there is room for.  What is done with them is
 * in the same order as with one batch (see track_apply.c), so that two
 * statements never wait for each other: first the new rows of all, then all
 * others.
 */
#include "track.h"

#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "executor/nodeHash.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

static inline uint32 HashKey(const Track *track, Datum key);
static inline bool EqualKey(const Track *track, Datum a, Datum b);

#define SH_PREFIX TrackTable
#define SH_ELEMENT_TYPE TrackEntry
#define SH_KEY_TYPE Datum
#define SH_KEY key
#define SH_HASH_KEY(tb, key) HashKey((tb)->private_data, key)
#define SH_EQUAL(tb, a, b) EqualKey((tb)->private_data, a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, a) (a)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* a customer takes so much while his row is written; there is room for so many in any case */
#define CUSTOMER_SIZE	600
#define CUSTOMERS_ROOM	100000

/* The columns of the sort. */
enum
{
	SORT_KEY,
	SORT_ACTION,
	SORT_CAUSE,
	SORT_PURCHASES,
	SORT_COLUMNS
};

/* What became of a customer of the sort when the new rows were inserted. */
enum
{
	STATE_OLD,					/* he had a row */
	STATE_LEAD,					/* he has a new one, to be recomputed */
	STATE_DONE					/* it is as it is to be */
};

static inline uint32
HashKey(const Track *track, Datum key)
{
	return DatumGetUInt32(FunctionCall1Coll(&track->key->hash_proc_finfo, track->collation, key));
}

static inline bool
EqualKey(const Track *track, Datum a, Datum b)
{
	return DatumGetBool(FunctionCall2Coll(&track->key->eq_opr_finfo, track->collation, a, b));
}

/* Forget the customers in memory, if there are any. */
static void
EmptyBatch(TrackBatch *batch)
{
	if (batch->context != NULL)
		MemoryContextDelete(batch->context);
	batch->context = AllocSetContextCreate(batch->whole, "crm track", ALLOCSET_DEFAULT_SIZES);
	batch->table = TrackTable_create(batch->context, 8, batch->track);
}

TrackBatch *
TrackBatchCreate(Track *track)
{
	MemoryContext whole = AllocSetContextCreate(CurrentMemoryContext, "crm track batch", ALLOCSET_SMALL_SIZES);
	TrackBatch *batch = MemoryContextAllocZero(whole, sizeof(TrackBatch));

	batch->track = track;
	batch->whole = whole;
	batch->room = Max(get_hash_memory_limit() / CUSTOMER_SIZE, CUSTOMERS_ROOM);
	EmptyBatch(batch);
	return batch;
}

void
TrackBatchFree(TrackBatch *batch)
{
	if (batch->sort != NULL)
		tuplesort_end(batch->sort);
	MemoryContextDelete(batch->whole);
}

/* The entry of a customer; a new one adds nothing. */
TrackEntry *
TrackBatchFind(TrackBatch *batch, Datum key, bool *found)
{
	TrackEntry *entry = TrackTable_insert(batch->table, key, found);

	if (!*found)
	{
		MemoryContext previous = MemoryContextSwitchTo(batch->context);

		/* not a reference to where the table keeps a long value: it may go before the customer is dealt with */
		entry->key = batch->track->key->typlen == -1 ? PointerGetDatum(PG_DETOAST_DATUM_COPY(key)) :
			datumCopy(key, batch->track->key->typbyval, batch->track->key->typlen);
		MemoryContextSwitchTo(previous);
		entry->cause = CAUSE_ORDER;
		entry->action = ENTRY_ADD;
		entry->inserted = false;
		entry->skipped = false;
		purchases_init(&entry->purchases);
	}
	return entry;
}

/* The entry of a customer, or NULL. */
TrackEntry *
TrackBatchLookUp(TrackBatch *batch, Datum key)
{
	return TrackTable_lookup(batch->table, key);
}

/* A customer whose orders are to be read again. */
void
TrackBatchRecompute(TrackBatch *batch, Datum key, StageCause cause)
{
	bool		found;
	TrackEntry *entry = TrackBatchFind(batch, key, &found);

	entry->action = ENTRY_RECOMPUTE;
	if (!found || cause > entry->cause)
		entry->cause = cause;
}

/* All entries of a batch, in no particular order. */
TrackEntry **
TrackBatchEntries(TrackBatch *batch, int *count)
{
	TrackEntry **entries = MemoryContextAllocHuge(batch->context, sizeof(TrackEntry *) * Max(batch->table->members, 1));
	TrackEntry *entry;
	TrackTable_iterator iterator;

	*count = 0;
	TrackTable_start_iterate(batch->table, &iterator);
	while ((entry = TrackTable_iterate(batch->table, &iterator)) != NULL)
		entries[(*count)++] = entry;
	return entries;
}

static void
BeginSort(TrackBatch *batch)
{
	const Track *track = batch->track;
	MemoryContext previous = MemoryContextSwitchTo(batch->whole);
	TupleDesc	desc = CreateTemplateTupleDesc(SORT_COLUMNS);
	AttrNumber	column = SORT_KEY + 1;
	Oid			less = lookup_type_cache(track->key->type_id, TYPECACHE_LT_OPR)->lt_opr;
	Oid			collation = track->collation;
	bool		nulls_first = false;

	TupleDescInitEntry(desc, SORT_KEY + 1, "key", track->key->type_id, -1, 0);
	TupleDescInitEntryCollation(desc, SORT_KEY + 1, collation);
	TupleDescInitEntry(desc, SORT_ACTION + 1, "action", INT4OID, -1, 0);
	TupleDescInitEntry(desc, SORT_CAUSE + 1, "cause", INT4OID, -1, 0);
	TupleDescInitEntry(desc, SORT_PURCHASES + 1, "purchases", get_element_type(track->purchases_array), -1, 0);
	TupleDescFinalize(desc);
	batch->sort = tuplesort_begin_heap(desc, 1, &column, &less, &collation, &nulls_first,
									   work_mem, NULL, TUPLESORT_RANDOMACCESS);
	batch->sorted = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	batch->to_sort = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	MemoryContextSwitchTo(previous);
}

/* Move the customers in memory to the sort, in which some may be more than once. */
static void
SortCustomers(TrackBatch *batch)
{
	TupleTableSlot *slot;
	TrackEntry *entry;
	TrackTable_iterator iterator;

	if (batch->sort == NULL)
		BeginSort(batch);
	slot = batch->to_sort;
	TrackTable_start_iterate(batch->table, &iterator);
	while ((entry = TrackTable_iterate(batch->table, &iterator)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		ExecClearTuple(slot);
		memset(slot->tts_isnull, false, sizeof(bool) * SORT_COLUMNS);
		slot->tts_values[SORT_KEY] = entry->key;
		slot->tts_values[SORT_ACTION] = Int32GetDatum(entry->action);
		slot->tts_values[SORT_CAUSE] = Int32GetDatum(entry->cause);
		slot->tts_values[SORT_PURCHASES] = PointerGetDatum(&entry->purchases);
		ExecStoreVirtualTuple(slot);
		tuplesort_puttupleslot(batch->sort, slot);
	}
	EmptyBatch(batch);
}

/*
 * Make room if there is none for another customer.  In the queue they may be as
 * they come.
 */
void
TrackBatchMakeRoom(TrackBatch *batch)
{
	if (batch->table->members < batch->room)
		return;
	if (batch->track->mode == MODE_QUEUED)
	{
		TrackEnqueue(batch);
		EmptyBatch(batch);
	}
	else
		SortCustomers(batch);
}

/* Put what the sort has of a customer into his entry. */
static void
MergeSorted(TrackBatch *batch, TrackEntry *entry, bool found, bool may_add)
{
	TupleTableSlot *slot = batch->sorted;
	StageCause	cause = (StageCause) DatumGetInt32(slot->tts_values[SORT_CAUSE]);

	if (!found || cause > entry->cause)
		entry->cause = cause;
	if (!may_add || DatumGetInt32(slot->tts_values[SORT_ACTION]) == ENTRY_RECOMPUTE)
		entry->action = ENTRY_RECOMPUTE;
	else if (purchases_merge(&entry->purchases, (Purchases *) DatumGetPointer(slot->tts_values[SORT_PURCHASES])) != PURCHASES_OK)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("sum of purchases out of range")));
}

/*
 * The next customers of the sort, as the batch; false if there are none.  With
 * the states that those have whose rows were inserted.
 *
 * Since the last of them were dealt with, triggers of the user's may have had
 * orders read again: then nothing is added any more.
 */
static bool
NextBatch(TrackBatch *batch, const char *states)
{
	bool		may_add = TrackMayAdd();

	EmptyBatch(batch);
	for (;;)
	{
		TrackEntry *entry;
		Datum		key;
		bool		found = true;

		CHECK_FOR_INTERRUPTS();
		if (!batch->pending && !tuplesort_gettupleslot(batch->sort, true, false, batch->sorted, NULL))
			break;
		batch->pending = true;
		slot_getallattrs(batch->sorted);
		key = batch->sorted->tts_values[SORT_KEY];
		if (batch->table->members < batch->room)
			entry = TrackBatchFind(batch, key, &found);
		else
			entry = TrackBatchLookUp(batch, key);
		/* one more, who is the first of the next */
		if (entry == NULL)
			break;
		MergeSorted(batch, entry, found, may_add);
		if (states != NULL)
		{
			char		state = states[batch->table->members - 1];

			entry->inserted = state != STATE_OLD;
			if (entry->inserted)
				entry->action = state == STATE_LEAD ? ENTRY_RECOMPUTE : ENTRY_ADD;
		}
		batch->pending = false;
	}
	return batch->table->members > 0;
}

/* What became of those of a batch, in the order of the key. */
static void
NoteStates(TrackBatch *batch, char *states)
{
	int			count;
	TrackEntry **entries = TrackBatchEntries(batch, &count);

	TrackSortEntries(batch->track, entries, count);
	for (int i = 0; i < count; i++)
		states[i] = !entries[i]->inserted ? STATE_OLD :
			entries[i]->action == ENTRY_RECOMPUTE ? STATE_LEAD : STATE_DONE;
}

/* Apply what is in the sort. */
static void
ApplySorted(TrackBatch *batch)
{
	int64		room = batch->room;
	char	   *states = MemoryContextAllocHuge(batch->whole, room);
	int64		done = 0;

	SortCustomers(batch);
	tuplesort_performsort(batch->sort);
	while (NextBatch(batch, NULL))
	{
		if (done + batch->room > room)
			states = repalloc_huge(states, room *= 2);
		TrackBatchInsert(batch);
		NoteStates(batch, states + done);
		done += batch->table->members;
	}
	tuplesort_rescan(batch->sort);
	done = 0;
	while (NextBatch(batch, states + done))
	{
		int64		members = batch->table->members;

		TrackBatchApply(batch, false);
		done += members;
	}
}

/* Do for the customers of a statement what is to be done, or have it done. */
void
TrackBatchFinish(TrackBatch *batch)
{
	if (batch->track->mode == MODE_QUEUED)
		TrackEnqueue(batch);
	else if (batch->sort == NULL)
		TrackBatchApply(batch, false);
	else
		ApplySorted(batch);
}
