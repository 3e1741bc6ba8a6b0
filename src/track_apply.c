/*
 * track_apply.c
 *		Bring the summary rows of a batch of customers up to date.
 *
 * Locking.  The row of a customer in the summary is the lock of the customer:
 * whoever wrote orders of his holds it until commit.  Rows are locked in the
 * order of the key, new ones first, so that two batches never wait for each
 * other.  (Statements of one transaction can't be ordered: two transactions
 * that touch the same customers in opposite orders may still deadlock, as with
 * any two UPDATEs.)
 *
 * Snapshots.  What is added to a row is added to its newest version, whatever
 * the isolation level: additions commute.  What can't be added, because an
 * order went away, is read from the orders again, under a snapshot that is
 * taken after the row was locked: everybody else's orders are then either
 * committed and seen, or will be added by a trigger that waits for the lock.
 *
 * One's own orders are seen at once, even those whose trigger is yet to fire:
 * a statement may fire several triggers, and nested statements fire theirs
 * before.  So what a statement inserted must not be added any more if orders
 * were read again since it began; see TrackMayAdd().
 */
#include "track.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/relscan.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/async.h"
#include "commands/trigger.h"
#include "common/pg_prng.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "parser/parse_relation.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* A change of a stage, to be logged. */
typedef struct ChangeOf
{
	Datum		key;
	StageChange change;
} ChangeOf;

/* The summary table, open for writing. */
typedef struct Summary
{
	Track	   *track;
	TrackTarget target;
	Relation	relation;		/* of target */
	Relation	index;
	EPQState	epqstate;
	TupleTableSlot *old;
	TupleTableSlot *new;

	ChangeOf   *changes;
	int			change_count;
	int			change_room;
	int64		written;
} Summary;

/* how many customers the clock looks for, and how many it moves, at a time */
#define DUE_BATCH		10000
#define ADVANCE_BATCH	1000

/* of those looked for together, so many who fail are found; of more, one in a batch */
#define FAILURES_SOUGHT	500

/* how many rows are inserted at a time; of more, arrays would take memory, and be too long in the end */
#define INSERT_BATCH	10000

/* of how many customers the orders are read at a time: without an index, that means all orders */
#define READ_BATCH		1000000

/* How often rows of summaries were brought up to date, in this session. */
static uint64 applications = 0;

/* The command as of which orders were last read again, and its transaction. */
static CommandId recomputed_command = FirstCommandId;
static TimestampTz recomputed_transaction = DT_NOBEGIN;

uint64
TrackApplications(void)
{
	return applications;
}

/*
 * Whether what a statement inserted, whose trigger is being executed, may be
 * added.  Not if orders were read again after it began: that has seen what was
 * inserted until then.  The snapshot that is active while its triggers are
 * executed is the statement's own, or that of one that it is a part of: no row
 * that it inserted is of an earlier command.  (Two transactions that are taken
 * for one, by their start, only have orders read again.)
 */
bool
TrackMayAdd(void)
{
	return recomputed_transaction != GetCurrentTransactionStartTimestamp() ||
		(ActiveSnapshotSet() && GetActiveSnapshot()->curcid >= recomputed_command);
}

/* Orders were read again: of commands before the current one they were seen. */
void
TrackForbidAdding(void)
{
	recomputed_command = GetCurrentCommandId(false);
	recomputed_transaction = GetCurrentTransactionStartTimestamp();
}

static int
CompareEntries(const void *a, const void *b, void *arg)
{
	const Track *track = arg;
	const TrackEntry *left = *(TrackEntry *const *) a;
	const TrackEntry *right = *(TrackEntry *const *) b;

	return DatumGetInt32(FunctionCall2Coll(&track->key->cmp_proc_finfo, track->collation,
										   left->key, right->key));
}

void
TrackSortEntries(Track *track, TrackEntry **entries, int count)
{
	if (count > 1)
		qsort_arg(entries, count, sizeof(TrackEntry *), CompareEntries, track);
}

void
TrackCheckSpi(int result, const char *what)
{
	if (result < 0)
		elog(ERROR, "%s failed: %s", what, SPI_result_code_string(result));
}

/* A plan that is kept for the session. */
SPIPlanPtr
TrackKeepPlan(SPIPlanPtr *plan, const char *query, int nargs, Oid *types)
{
	if (*plan == NULL)
	{
		SPIPlanPtr	prepared = SPI_prepare(query, nargs, types);

		if (prepared == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		TrackCheckSpi(SPI_keepplan(prepared), "SPI_keepplan");
		*plan = prepared;
	}
	return *plan;
}

/*
 * Open a table to write rows to it.  Triggers that the user has made for updates
 * of certain columns know by its range table which are updated.
 */
void
TrackTargetOpen(TrackTarget *target, Oid relid, Bitmapset *updated)
{
	RangeTblEntry *rte = makeNode(RangeTblEntry);

	target->relation = table_open(relid, RowExclusiveLock);
	target->estate = CreateExecutorState();
	rte->rtekind = RTE_RELATION;
	rte->relid = relid;
	rte->relkind = target->relation->rd_rel->relkind;
	rte->rellockmode = RowExclusiveLock;
	CRM_INIT_RANGE_TABLE(target->estate, rte, updated);
	target->info = makeNode(ResultRelInfo);
	InitResultRelInfo(target->info, target->relation, 1, NULL, 0);
	ExecOpenIndices(target->info, false);
	/* where a trigger of the user's looks for it */
	target->estate->es_opened_result_relations =
		lappend(target->estate->es_opened_result_relations, target->info);
	target->triggers = target->info->ri_TrigDesc != NULL;
	if (target->triggers)
		AfterTriggerBeginQuery();
}

void
TrackTargetClose(TrackTarget *target)
{
	if (target->triggers)
		AfterTriggerEndQuery(target->estate);
	ExecResetTupleTable(target->estate->es_tupleTable, false);
	ExecCloseResultRelations(target->estate);
	FreeExecutorState(target->estate);
	/* the lock is kept until the transaction ends */
	table_close(target->relation, NoLock);
}

static void
OpenSummary(Track *track, Summary *summary)
{
	Bitmapset  *updated = NULL;

	memset(summary, 0, sizeof(*summary));
	summary->track = track;
	for (int i = COLUMN_PURCHASES; i < TRACK_COLUMNS; i++)
		updated = bms_add_member(updated, track->columns[i] - FirstLowInvalidHeapAttributeNumber);
	TrackTargetOpen(&summary->target, track->summary, updated);
	summary->relation = summary->target.relation;
	/*
	 * The key may have another index since the statement began, and customers
	 * another policy: it can have taken long, and waited for the lock.
	 */
	if (!track->valid)
		TrackReadPolicy(track);
	summary->index = index_open(track->valid ? track->summary_index :
								TrackSummaryIndex(summary->relation, track->columns[COLUMN_CUSTOMER]),
								RowExclusiveLock);
	summary->old = table_slot_create(summary->relation, NULL);
	summary->new = MakeSingleTupleTableSlot(RelationGetDescr(summary->relation), &TTSOpsVirtual);
	CrmEvalPlanQualInit(&summary->epqstate, summary->target.estate);
}

static void
CloseSummary(Summary *summary)
{
	ExecDropSingleTupleTableSlot(summary->old);
	ExecDropSingleTupleTableSlot(summary->new);
	EvalPlanQualEnd(&summary->epqstate);
	index_close(summary->index, NoLock);
	TrackTargetClose(&summary->target);
}

/* Find a customer's row under a snapshot; it is in summary->old then. */
static bool
FindRow(Summary *summary, Datum key, Snapshot snapshot)
{
	Track	   *track = summary->track;
	IndexScanDesc scan;
	ScanKeyData scankey;
	bool		found;

	ScanKeyEntryInitializeWithInfo(&scankey, 0, 1, BTEqualStrategyNumber, InvalidOid,
								   track->collation, &track->key->eq_opr_finfo, key);
	scan = crm_index_beginscan(summary->relation, summary->index, snapshot, 1);
	index_rescan(scan, &scankey, 1, NULL, 0);
	found = index_getnext_slot(scan, ForwardScanDirection, summary->old);
	if (found)
		ExecMaterializeSlot(summary->old);
	index_endscan(scan);
	return found;
}

/*
 * Lock the newest version of a customer's row; it is in summary->old then.
 * TM_Deleted if there is none, TM_WouldBlock if it is not to be waited for.
 */
static TM_Result
LockRow(Summary *summary, Datum key, LockWaitPolicy policy)
{
	for (;;)
	{
		Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
		TM_FailureData failure;
		TM_Result	result;
		ItemPointerData tid;

		CHECK_FOR_INTERRUPTS();
		if (!FindRow(summary, key, snapshot))
		{
			UnregisterSnapshot(snapshot);
			return TM_Deleted;
		}
		tid = summary->old->tts_tid;
		result = table_tuple_lock(summary->relation, &tid, snapshot, summary->old,
								  GetCurrentCommandId(false), LockTupleNoKeyExclusive,
								  policy, TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure);
		UnregisterSnapshot(snapshot);
		if (result == TM_Ok)
		{
			bool		isnull;
			Datum		value;

			if (!failure.traversed)
				return TM_Ok;
			/* another version: still the same customer? */
			value = slot_getattr(summary->old, summary->track->columns[COLUMN_CUSTOMER], &isnull);
			if (!isnull && DatumGetBool(FunctionCall2Coll(&summary->track->key->eq_opr_finfo, summary->track->collation, value, key)))
				return TM_Ok;
		}
		else if (result == TM_WouldBlock)
			return result;
		else if (result != TM_Deleted && result != TM_Updated)
			elog(ERROR, "unexpected result of locking a row of %s: %d",
				 summary->track->summary_name, (int) result);
		/* it was deleted or has another key: look again */
	}
}

static Datum
GetColumn(Summary *summary, TupleTableSlot *slot, TrackColumn column, bool *isnull)
{
	return slot_getattr(slot, summary->track->columns[column], isnull);
}

/* Read the row in a slot. */
static void
ReadRow(Summary *summary, TupleTableSlot *slot, TrackRow *row)
{
	bool		isnull;
	Datum		value;
	text	   *stage;

	memset(row, 0, sizeof(*row));
	value = GetColumn(summary, slot, COLUMN_PURCHASES, &isnull);
	if (isnull)
		purchases_init(&row->purchases);
	else
		memcpy(&row->purchases, DatumGetPointer(value), sizeof(Purchases));
	value = GetColumn(summary, slot, COLUMN_STAGE, &isnull);
	if (!isnull)
	{
		stage = DatumGetTextPP(value);
		if (!stage_of_name(VARDATA_ANY(stage), VARSIZE_ANY_EXHDR(stage), &row->stage))
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("unknown stage \"%s\" in %s", text_to_cstring(stage), summary->track->summary_name)));
	}
	value = GetColumn(summary, slot, COLUMN_STAGE_SINCE, &isnull);
	row->stage_since = isnull ? TRACK_NEVER : DatumGetTimestampTz(value);
	value = GetColumn(summary, slot, COLUMN_STAGE_UNTIL, &isnull);
	row->stage_until = isnull ? STAGE_FOREVER : DatumGetTimestampTz(value);
	value = GetColumn(summary, slot, COLUMN_CHECK_AT, &isnull);
	row->check_at = isnull ? STAGE_FOREVER : DatumGetTimestampTz(value);
	value = GetColumn(summary, slot, COLUMN_REACTIVATED_AT, &isnull);
	row->reactivated_at = isnull ? TRACK_NEVER : DatumGetTimestampTz(value);
}

/* The columns of a row but the customer. */
static void
RowValues(TrackRow *row, Datum *values, bool *nulls)
{
	values[COLUMN_PURCHASES] = PointerGetDatum(&row->purchases);
	nulls[COLUMN_PURCHASES] = false;
	values[COLUMN_STAGE] = CStringGetTextDatum(stage_name(row->stage));
	nulls[COLUMN_STAGE] = false;
	values[COLUMN_STAGE_SINCE] = TimestampTzGetDatum(row->stage_since);
	nulls[COLUMN_STAGE_SINCE] = false;
	values[COLUMN_STAGE_UNTIL] = TimestampTzGetDatum(row->stage_until);
	nulls[COLUMN_STAGE_UNTIL] = row->stage_until == STAGE_FOREVER;
	values[COLUMN_CHECK_AT] = TimestampTzGetDatum(row->check_at);
	nulls[COLUMN_CHECK_AT] = row->check_at == STAGE_FOREVER;
	values[COLUMN_REACTIVATED_AT] = TimestampTzGetDatum(row->reactivated_at);
	nulls[COLUMN_REACTIVATED_AT] = row->reactivated_at == TRACK_NEVER;
}

/*
 * Replace the locked row in summary->old.  False if a BEFORE trigger of the
 * user's would not have it: there is no new version of the row, or it is no
 * other than the old one.
 */
static bool
WriteRow(Summary *summary, TrackRow *row)
{
	TupleTableSlot *new = summary->new;
	TrackRow	stored;
	Datum		values[TRACK_COLUMNS];
	bool		nulls[TRACK_COLUMNS];

	ExecClearTuple(new);
	slot_getallattrs(summary->old);
	memcpy(new->tts_values, summary->old->tts_values,
		   sizeof(Datum) * RelationGetDescr(summary->relation)->natts);
	memcpy(new->tts_isnull, summary->old->tts_isnull,
		   sizeof(bool) * RelationGetDescr(summary->relation)->natts);
	RowValues(row, values, nulls);
	for (int i = COLUMN_PURCHASES; i < TRACK_COLUMNS; i++)
	{
		new->tts_values[summary->track->columns[i] - 1] = values[i];
		new->tts_isnull[summary->track->columns[i] - 1] = nulls[i];
	}
	ExecStoreVirtualTuple(new);
	/* what a BEFORE trigger of the user's is to see: rows of this transaction too */
	summary->target.estate->es_output_cid = GetCurrentCommandId(true);
	ExecSimpleRelationUpdate(summary->target.info, summary->target.estate, &summary->epqstate,
							 summary->old, new);
	ResetPerTupleExprContext(summary->target.estate);
	/* where the new version is */
	if (!ItemPointerIsValid(&new->tts_tid))
		return false;
	summary->written++;
	if (!summary->target.triggers)
		return true;
	ReadRow(summary, new, &stored);
	return stored.stage == row->stage && stored.check_at == row->check_at;
}

static void
LogChanges(Summary *summary, Datum key, const StageChange *changes, int count)
{
	if (summary->change_count + count > summary->change_room)
	{
		summary->change_room = Max(16, summary->change_room * 2);
		if (summary->changes == NULL)
			summary->changes = palloc(sizeof(ChangeOf) * summary->change_room);
		else
			summary->changes = repalloc_huge(summary->changes,
											 sizeof(ChangeOf) * summary->change_room);
	}
	for (int i = 0; i < count; i++)
	{
		summary->changes[summary->change_count].key = key;
		summary->changes[summary->change_count++].change = changes[i];
	}
}

/* An array of a column, for unnest(). */
static Datum
ColumnArray(Datum *values, bool *nulls, int count, Oid type, int16 length, bool byval, char align)
{
	int			lower = 1;

	return PointerGetDatum(construct_md_array(values, nulls, 1, &count, &lower,
											  type, length, byval, align));
}

Datum
TrackKeyArray(const Track *track, Datum *keys, int count)
{
	return ColumnArray(keys, NULL, count, track->key->type_id, track->key->typlen,
					   track->key->typbyval, track->key->typalign);
}

/*
 * Insert rows for the entries that are missing: what is added as it is, a lead
 * for what is to be recomputed.  Of those that another transaction inserted
 * meanwhile none is: they are there now.
 */
static void
InsertRows(Summary *summary, TrackBatch *batch, TrackEntry **entries, int count, TimestampTz now)
{
	Track	   *track = summary->track;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "crm rows", ALLOCSET_DEFAULT_SIZES);
	MemoryContext previous = MemoryContextSwitchTo(context);
	Datum	   *values[TRACK_COLUMNS];
	bool	   *nulls[TRACK_COLUMNS];
	TrackRow   *rows = palloc(sizeof(TrackRow) * count);
	StageChange (*changes)[TRACK_MAX_CHANGES] = palloc(sizeof(*changes) * count);
	int		   *change_counts = palloc(sizeof(int) * count);
	Datum		arguments[TRACK_COLUMNS];
	static const Oid types[TRACK_COLUMNS] = {0, 0, TEXTARRAYOID, TIMESTAMPTZARRAYOID,
		TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID};
	Oid			argument_types[TRACK_COLUMNS];

	for (int c = 0; c < TRACK_COLUMNS; c++)
	{
		values[c] = palloc(sizeof(Datum) * count);
		nulls[c] = palloc0(sizeof(bool) * count);
	}
	for (int i = 0; i < count; i++)
	{
		Datum		row_values[TRACK_COLUMNS];
		bool		row_nulls[TRACK_COLUMNS];

		change_counts[i] = 0;
		if (entries[i]->action == ENTRY_RECOMPUTE)
		{
			memset(&rows[i], 0, sizeof(TrackRow));
			purchases_init(&rows[i].purchases);
			rows[i].stage_since = now;
			rows[i].stage_until = rows[i].check_at = STAGE_FOREVER;
			rows[i].reactivated_at = TRACK_NEVER;
		}
		else
			change_counts[i] = track_row_set(&rows[i], false, &entries[i]->purchases, entries[i]->cause,
											 now, &track->policy, changes[i]);
		RowValues(&rows[i], row_values, row_nulls);
		row_values[COLUMN_CUSTOMER] = entries[i]->key;
		row_nulls[COLUMN_CUSTOMER] = false;
		for (int c = 0; c < TRACK_COLUMNS; c++)
		{
			values[c][i] = row_values[c];
			nulls[c][i] = row_nulls[c];
		}
	}

	memcpy(argument_types, types, sizeof(types));
	argument_types[COLUMN_CUSTOMER] = track->key_array;
	argument_types[COLUMN_PURCHASES] = track->purchases_array;
	arguments[COLUMN_CUSTOMER] = TrackKeyArray(track, values[COLUMN_CUSTOMER], count);
	arguments[COLUMN_PURCHASES] = ColumnArray(values[COLUMN_PURCHASES], NULL, count,
											  get_element_type(track->purchases_array),
											  PURCHASES_SIZE, false, TYPALIGN_DOUBLE);
	arguments[COLUMN_STAGE] = ColumnArray(values[COLUMN_STAGE], NULL, count,
										  TEXTOID, -1, false, TYPALIGN_INT);
	for (int c = COLUMN_STAGE_SINCE; c < TRACK_COLUMNS; c++)
		arguments[c] = ColumnArray(values[c], nulls[c], count, TIMESTAMPTZOID,
								   sizeof(TimestampTz), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);

	SPI_connect();
	if (track->insert_rows == NULL)
		TrackKeepPlan(&track->insert_rows,
				 psprintf("INSERT INTO %s (customer, purchases, stage, stage_since, stage_until, check_at, reactivated_at) "
						  "SELECT * FROM ROWS FROM (unnest($1), unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7)) "
						  "ON CONFLICT (customer) DO NOTHING RETURNING customer",
						  track->summary_name),
				 TRACK_COLUMNS, argument_types);
	TrackCheckSpi(SPI_execute_snapshot(track->insert_rows, arguments, NULL, GetLatestSnapshot(),
								  InvalidSnapshot, false, true, 0), "insert of summary rows");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		key = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);
		TrackEntry *entry = TrackBatchLookUp(batch, key);

		if (entry != NULL)
			entry->inserted = true;
	}
	SPI_finish();

	MemoryContextSwitchTo(previous);
	for (int i = 0; i < count; i++)
	{
		if (!entries[i]->inserted)
			continue;
		LogChanges(summary, entries[i]->key, changes[i], change_counts[i]);
		summary->written++;
	}
	MemoryContextDelete(context);
}

/* Insert rows for all customers of a batch who have none. */
static void
InsertMissing(Summary *summary, TrackBatch *batch, TrackEntry **entries, int count)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TrackEntry **new = palloc_extended(sizeof(TrackEntry *) * count, MCXT_ALLOC_HUGE);
	int			missing = 0;

	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!FindRow(summary, entries[i]->key, snapshot))
			new[missing++] = entries[i];
	}
	UnregisterSnapshot(snapshot);
	for (int i = 0; i < missing; i += INSERT_BATCH)
		InsertRows(summary, batch, new + i, Min(INSERT_BATCH, missing - i), GetCurrentTimestamp());
	if (missing > 0)
		CommandCounterIncrement();
	pfree(new);
}

/* Read the purchases of these customers into their entries. */
static void
ReadOrdersOf(Track *track, TrackBatch *batch, Datum *keys, int count)
{
	Datum		argument = TrackKeyArray(track, keys, count);

	SPI_connect();
	if (track->recompute == NULL)
		TrackKeepPlan(&track->recompute,
				 psprintf("SELECT (%s), crm.purchases(%s, %s) FILTER (WHERE %s) FROM %s "
						  "WHERE (%s) %s ANY ($1) GROUP BY 1",
						  track->arguments[ARGUMENT_CUSTOMER], track->arguments[ARGUMENT_ORDERED_AT],
						  track->arguments[ARGUMENT_AMOUNT], track->arguments[ARGUMENT_COUNTS_IF],
						  track->orders_from, track->arguments[ARGUMENT_CUSTOMER], track->key_equal),
				 1, &track->key_array);
	TrackCheckSpi(SPI_execute_snapshot(track->recompute, &argument, NULL, GetLatestSnapshot(),
								  InvalidSnapshot, false, true, 0), "recompute of summary rows");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		key = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);
		Datum		value = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &isnull);
		TrackEntry *entry = TrackBatchLookUp(batch, key);

		if (entry != NULL && !isnull)
			memcpy(&entry->purchases, DatumGetPointer(value), sizeof(Purchases));
	}
	SPI_finish();
}

/* Read the purchases of the customers to recompute, whose rows are locked. */
static void
ReadOrders(Track *track, TrackBatch *batch, TrackEntry **entries, int count)
{
	Datum	   *keys = palloc(sizeof(Datum) * Min(count, READ_BATCH));
	int			key_count = 0;
	int			next = 0;

	/* a partition may have come while a row was waited for */
	AcceptInvalidationMessages();
	while (next < count)
	{
		for (key_count = 0; next < count && key_count < READ_BATCH; next++)
		{
			if (entries[next]->action == ENTRY_RECOMPUTE)
			{
				keys[key_count++] = entries[next]->key;
				purchases_init(&entries[next]->purchases);
			}
		}
		if (key_count > 0)
			ReadOrdersOf(track, batch, keys, key_count);
	}
	pfree(keys);
}

/*
 * Read the orders of a customer again, whose row is to be written next, if a
 * trigger of the user's on a row that was written before has brought something
 * up to date: it may have written orders of this customer since they were read,
 * or have had those read that are to be added.  Returns whether they were read.
 */
static bool
ReadDisturbed(Track *track, TrackBatch *batch, TrackEntry *entry, uint64 application)
{
	if (application == applications)
		return false;
	if (entry->action == ENTRY_SET || (entry->action == ENTRY_ADD && !TrackMayAdd()))
		entry->action = ENTRY_RECOMPUTE;
	if (entry->action != ENTRY_RECOMPUTE)
		return false;
	ReadOrders(track, batch, &entry, 1);
	return true;
}

/* Write the row of an entry, if that is there; it must be locked before. */
static void
UpdateEntry(Summary *summary, TrackEntry *entry, TimestampTz now)
{
	TrackRow	row;
	TrackRow	before;
	Purchases	purchases;
	StageChange changes[TRACK_MAX_CHANGES];
	int			count;

	ReadRow(summary, summary->old, &row);
	before = row;
	if (entry->action == ENTRY_ADD)
	{
		purchases = row.purchases;
		if (purchases_merge(&purchases, &entry->purchases) != PURCHASES_OK)
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("sum of purchases out of range")));
	}
	else
		purchases = entry->action == ENTRY_JUDGE ? row.purchases : entry->purchases;
	count = track_row_set(&row, !entry->inserted, &purchases, entry->cause, now,
						  &summary->track->policy, changes);
	if (memcmp(&row, &before, sizeof(row)) == 0 || WriteRow(summary, &row))
		LogChanges(summary, entry->key, changes, count);
}

/* Insert changes of stages into the history. */
static void
InsertChanges(Track *track, const ChangeOf *logged, int count, TimestampTz now)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "crm changes", ALLOCSET_DEFAULT_SIZES);
	MemoryContext previous = MemoryContextSwitchTo(context);
	Datum	   *values[5];
	bool	   *first;
	Datum		arguments[6];
	Oid			types[6] = {0, TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID, TIMESTAMPTZOID};
	Datum		names[STAGE_COUNT];
	Datum		causes[4];

	for (int i = 0; i < STAGE_COUNT; i++)
		names[i] = CStringGetTextDatum(stage_name((Stage) i));
	for (int i = 0; i < 4; i++)
		causes[i] = CStringGetTextDatum(track_cause_name((StageCause) i));
	for (int c = 0; c < 5; c++)
		values[c] = palloc(sizeof(Datum) * count);
	first = palloc(sizeof(bool) * count);
	for (int i = 0; i < count; i++)
	{
		const StageChange *change = &logged[i].change;

		values[0][i] = logged[i].key;
		first[i] = change->first;
		values[1][i] = change->first ? (Datum) 0 : names[change->from];
		values[2][i] = names[change->to];
		values[3][i] = TimestampTzGetDatum(change->at);
		values[4][i] = causes[change->cause];
	}
	types[0] = track->key_array;
	arguments[0] = TrackKeyArray(track, values[0], count);
	arguments[1] = ColumnArray(values[1], first, count, TEXTOID, -1, false, TYPALIGN_INT);
	arguments[2] = ColumnArray(values[2], NULL, count, TEXTOID, -1, false, TYPALIGN_INT);
	arguments[3] = ColumnArray(values[3], NULL, count, TIMESTAMPTZOID, sizeof(TimestampTz),
							   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
	arguments[4] = ColumnArray(values[4], NULL, count, TEXTOID, -1, false, TYPALIGN_INT);
	arguments[5] = TimestampTzGetDatum(now);

	SPI_connect();
	if (track->insert_changes == NULL)
		TrackKeepPlan(&track->insert_changes,
				 psprintf("INSERT INTO %s (customer, from_stage, to_stage, at, cause, noticed_at) "
						  "SELECT c.*, $6 FROM ROWS FROM (unnest($1), unnest($2), unnest($3), unnest($4), unnest($5)) c",
						  track->history_name),
				 6, types);
	TrackCheckSpi(SPI_execute_snapshot(track->insert_changes, arguments, NULL, GetLatestSnapshot(),
								  InvalidSnapshot, false, true, 0), "insert of stage changes");
	SPI_finish();
	MemoryContextSwitchTo(previous);
	MemoryContextDelete(context);
}

/* Write what was logged into the history, and announce it. */
static void
WriteChanges(Summary *summary, TimestampTz now)
{
	Track	   *track = summary->track;
	int			count = summary->change_count;

	if (count == 0)
		return;
	for (int i = 0; i < count; i += INSERT_BATCH)
		InsertChanges(track, summary->changes + i, Min(INSERT_BATCH, count - i), now);
	/* the same text again is not sent again: one per table and transaction */
	if (track->notify)
		Async_Notify("crm_stage", track->summary_name);
}

/*
 * Bring the rows of a batch up to date, and log the changes of stages.
 * Returns the number of rows written.  With skip_locked no row is waited for
 * that another transaction has locked: its entry is marked.
 */
int64
TrackBatchApply(TrackBatch *batch, bool skip_locked)
{
	Track	   *track = batch->track;
	MemoryContext previous = MemoryContextSwitchTo(batch->context);
	int			count;
	TrackEntry **entries = TrackBatchEntries(batch, &count);
	TrackEntry *entry;
	TrackScope	scope;
	Summary		summary;
	bool		recompute = false;
	bool		read;
	uint64		application = ++applications;
	int			n = 0;
	TimestampTz now;

	if (count == 0)
	{
		MemoryContextSwitchTo(previous);
		return 0;
	}
	for (int i = 0; i < count; i++)
		if (entries[i]->action == ENTRY_RECOMPUTE)
			recompute = true;
	read = recompute;
	TrackSortEntries(track, entries, count);

	TrackEnter(track->owner, &scope);
	/* what the statement did must be seen */
	CommandCounterIncrement();
	OpenSummary(track, &summary);

	/* New rows first. */
	InsertMissing(&summary, batch, entries, count);

	/* Lock the others, and those to recompute; then all is as it will be. */
	n = 0;
	for (int i = 0; i < count; i++)
	{
		bool		adds_nothing;
		TM_Result	locked;

		entry = entries[i];
		if (entry->inserted && entry->action != ENTRY_RECOMPUTE)
			continue;
		/* an order that does not count only makes a lead */
		adds_nothing = entry->action == ENTRY_ADD && entry->purchases.orders == 0 &&
			entry->purchases.revenue == 0 && entry->purchases.refunds == 0;
		if (adds_nothing)
			continue;
		locked = LockRow(&summary, entry->key, skip_locked ? LockWaitSkip : LockWaitBlock);
		/* somebody has deleted it meanwhile: then it is new (unless a trigger of the user's has something against it) */
		for (int tries = 0; locked == TM_Deleted && tries < 3; tries++)
		{
			InsertRows(&summary, batch, &entry, 1, GetCurrentTimestamp());
			CommandCounterIncrement();
			locked = LockRow(&summary, entry->key, skip_locked ? LockWaitSkip : LockWaitBlock);
		}
		if (entry->inserted && entry->action != ENTRY_RECOMPUTE)
			continue;
		entry->skipped = locked == TM_WouldBlock;
		if (entry->skipped)
			continue;
		if (locked != TM_Ok)
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("could not keep %s current because of a concurrent change", track->summary_name),
					 errdetail("A row was deleted from it at the same time."),
					 errhint("The transaction might succeed if retried.")));
		entries[n++] = entry;
		if (recompute)
			continue;
		if (ReadDisturbed(track, batch, entry, application))
			read = true;
		UpdateEntry(&summary, entry, GetCurrentTimestamp());
	}
	if (recompute)
	{
		/* a trigger of the user's on a new row may have had those read that are to be added */
		for (int i = 0; i < n; i++)
			if (entries[i]->action == ENTRY_ADD && !TrackMayAdd())
				entries[i]->action = ENTRY_RECOMPUTE;
		ReadOrders(track, batch, entries, n);
		application = applications;
		for (int i = 0; i < n; i++)
		{
			/* a trigger of the user's on one row may have updated another */
			Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
			bool		found;

			CHECK_FOR_INTERRUPTS();
			found = FindRow(&summary, entries[i]->key, snapshot);
			UnregisterSnapshot(snapshot);
			if (!found)
				elog(ERROR, "a locked row of %s is gone", track->summary_name);
			ReadDisturbed(track, batch, entries[i], application);
			UpdateEntry(&summary, entries[i], GetCurrentTimestamp());
		}
	}

	now = GetCurrentTimestamp();
	WriteChanges(&summary, now);
	CloseSummary(&summary);
	TrackLeave(&scope);
	CommandCounterIncrement();
	if (read)
		TrackForbidAdding();
	MemoryContextSwitchTo(previous);
	return summary.written;
}

/* Only insert the rows that are missing; their entries are marked. */
void
TrackBatchInsert(TrackBatch *batch)
{
	Track	   *track = batch->track;
	MemoryContext previous = MemoryContextSwitchTo(batch->context);
	int			count;
	TrackEntry **entries = TrackBatchEntries(batch, &count);
	TrackScope	scope;
	Summary		summary;

	TrackSortEntries(track, entries, count);
	TrackEnter(track->owner, &scope);
	CommandCounterIncrement();
	OpenSummary(track, &summary);
	InsertMissing(&summary, batch, entries, count);
	WriteChanges(&summary, GetCurrentTimestamp());
	CloseSummary(&summary);
	TrackLeave(&scope);
	CommandCounterIncrement();
	MemoryContextSwitchTo(previous);
}

/* Customers that are due; for TrackTry(). */
typedef struct AdvanceCall
{
	Track	   *track;
	TimestampTz as_of;
	Datum	   *keys;
	int			count;
	int			changed;
	int			passed;			/* who are still due after it */
} AdvanceCall;

static void
CallAdvance(void *argument)
{
	AdvanceCall *call = argument;
	Track	   *track = call->track;
	Summary		summary;

	call->changed = call->passed = 0;
	OpenSummary(track, &summary);
	CommandCounterIncrement();
	for (int i = 0; i < call->count; i++)
	{
		TrackRow	row;
		StageChange changes[TRACK_MAX_CHANGES];
		int			count;
		TM_Result	locked = LockRow(&summary, call->keys[i], LockWaitSkip);

		/* who has it locked tells the time himself, or the next call does */
		if (locked == TM_WouldBlock)
			call->passed++;
		if (locked != TM_Ok)
			continue;
		ReadRow(&summary, summary.old, &row);
		/* somebody did */
		if (row.check_at >= call->as_of)
			continue;
		count = track_row_pass_time(&row, call->as_of, &track->policy, changes);
		if (!WriteRow(&summary, &row))
		{
			call->passed++;
			continue;
		}
		LogChanges(&summary, call->keys[i], changes, count);
		if (count > 0)
			call->changed++;
	}
	WriteChanges(&summary, GetCurrentTimestamp());
	CloseSummary(&summary);
}

/* Print a customer, for a message. */
static char *
KeyText(const Track *track, Datum key)
{
	Oid			output;
	bool		varlena;

	getTypeOutputInfo(track->key->type_id, &output, &varlena);
	return OidOutputFunctionCall(output, key);
}

/*
 * Let time pass for customers, in a subtransaction.  False if that failed, and
 * nothing was done: for one of them, one does not know whom.  If there is but
 * one, it is noted.
 */
static bool
TryRows(AdvanceCall *call, TrackFailures *failures)
{
	/* what fails leaves all that it allocated */
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "crm clock", ALLOCSET_DEFAULT_SIZES);
	MemoryContext previous = MemoryContextSwitchTo(context);
	ErrorData  *error;
	bool		known;

	CHECK_FOR_INTERRUPTS();
	error = TrackTry(CallAdvance, call, true);
	known = error != NULL && call->count == 1;
	if (known && failures->count < TRACK_FAILURES_TOLD)
	{
		failures->told[failures->count].customer = KeyText(call->track, call->keys[0]);
		failures->told[failures->count].error = error;
		MemoryContextSetParent(context, failures->context);
		context = NULL;
	}
	MemoryContextSwitchTo(previous);
	if (context != NULL)
		MemoryContextDelete(context);
	if (error != NULL)
	{
		call->changed = 0;
		call->passed = call->count;
	}
	if (known)
		failures->count++;
	return error == NULL || known;
}

/*
 * The same for each half of customers for whom it failed, down to those whose
 * fault it is.  When as many failures are known as are looked for, to find each
 * would take too long, and too many subtransactions: then for one half only.
 * Which half is first is left to chance, or it were always the same customers
 * whose turn does not come.
 */
static void
TryHalves(AdvanceCall *call, TrackFailures *failures, int64 sought)
{
	bool		all = failures->count < sought;
	bool		second = pg_prng_bool(&pg_global_prng_state);

	for (int i = 0; i < 2; i++, second = !second)
	{
		AdvanceCall half = *call;

		half.count = second ? call->count - call->count / 2 : call->count / 2;
		if (second)
			half.keys += call->count / 2;
		if (i == 1 && !all)
		{
			failures->untried += half.count;
			break;
		}
		if (!TryRows(&half, failures))
			TryHalves(&half, failures, sought);
		call->changed += half.changed;
		call->passed -= half.count - half.passed;
	}
}

/* Let time pass for customers; it sets what became of them. */
static void
AdvanceRows(AdvanceCall *all, TrackFailures *failures)
{
	AdvanceCall batches[DUE_BATCH / ADVANCE_BATCH];
	int			failed[DUE_BATCH / ADVANCE_BATCH];
	int			count = 0;
	int			failed_count = 0;

	for (int i = 0; i < all->count; i += ADVANCE_BATCH)
	{
		AdvanceCall *batch = &batches[count];

		CHECK_FOR_INTERRUPTS();
		*batch = *all;
		batch->keys = all->keys + i;
		batch->count = Min(ADVANCE_BATCH, all->count - i);
		if (failures == NULL)
			CallAdvance(batch);
		else if (!TryRows(batch, failures))
			failed[failed_count++] = count;
		count++;
	}
	if (failed_count > 0)
	{
		int64		sought = failures->count + FAILURES_SOUGHT;
		int			first = pg_prng_uint64_range(&pg_global_prng_state, 0, failed_count - 1);
		for (int i = 0; i < failed_count; i++)
			TryHalves(&batches[failed[(first + i) % failed_count]], failures, sought);
	}
	all->changed = all->passed = 0;
	for (int i = 0; i < count; i++)
	{
		all->changed += batches[i].changed;
		all->passed += batches[i].passed;
	}
}

/* The customers who are due first: those whose check_at is before as_of, found by its index. */
static Datum *
SelectDue(Track *track, const TrackRound *round, int64 room, int *count)
{
	MemoryContext context = CurrentMemoryContext;	/* SPI leaves another */
	Oid			types[3] = {TIMESTAMPTZOID, INT8OID, INT8OID};
	Datum		arguments[3];
	Datum	   *keys;

	CommandCounterIncrement();
	arguments[0] = TimestampTzGetDatum(round->as_of);
	arguments[1] = Int64GetDatum(room);
	arguments[2] = Int64GetDatum(round->passed);
	SPI_connect();
	if (track->select_due == NULL)
		TrackKeepPlan(&track->select_due,
					  psprintf("SELECT customer FROM %s WHERE check_at < $1 ORDER BY check_at LIMIT $2 OFFSET $3",
							   track->summary_name), 3, types);
	TrackCheckSpi(SPI_execute_snapshot(track->select_due, arguments, NULL, GetLatestSnapshot(),
									   InvalidSnapshot, true, true, 0), "search for due customers");
	MemoryContextSwitchTo(context);
	*count = (int) SPI_processed;
	keys = palloc(sizeof(Datum) * Max(*count, 1));
	for (int i = 0; i < *count; i++)
	{
		bool		isnull;

		keys[i] = datumCopy(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull),
							track->key->typbyval, track->key->typlen);
	}
	SPI_finish();
	MemoryContextSwitchTo(context);
	return keys;
}

/*
 * Let time pass for the customers that are due.  Rows that a transaction is
 * writing are passed over.  Nothing is waited for, so that any number may run at
 * once.  Who stays due, because a trigger of the user's keeps the row or raises
 * an error, is passed over too: those who are due later have their turn.
 * Returns how many changed their stage.
 */
int64
TrackAdvance(Track *track, TrackRound *round)
{
	int64		changed = 0;
	int64		room;
	int			found;
	TrackScope	scope;

	TrackEnter(track->owner, &scope);
	do
	{
		MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "crm clock",
													  ALLOCSET_DEFAULT_SIZES);
		MemoryContext previous = MemoryContextSwitchTo(context);
		AdvanceCall call = {track, round->as_of};

		room = Min(Min(round->limit - changed, round->tries - round->tried), DUE_BATCH);
		call.keys = SelectDue(track, round, room, &call.count);
		AdvanceRows(&call, round->failures);
		found = call.count;
		changed += call.changed;
		round->passed += call.passed;
		round->tried += found;
		MemoryContextSwitchTo(previous);
		MemoryContextDelete(context);
	} while (found == room && changed < round->limit && round->tried < round->tries);
	TrackLeave(&scope);
	CommandCounterIncrement();
	return changed;
}
