/*
 * track_queue.c
 *		The queue of a tracked table, for tables where a checkout must never
 *		wait.
 *
 * A writer only appends the customers whose orders it wrote, to a table without
 * any index: nobody waits there for anybody.  What was queued is committed
 * together with the orders, so whoever sees the one sees the other.
 *
 * Whoever applies the queue, one at a time per table, reads the orders of the
 * queued customers under a snapshot that is newer than the one that found them
 * in the queue, and takes exactly those rows out of it: orders that are not seen
 * yet have rows that were not seen either.  A customer whose summary row
 * somebody else has locked stays in the queue.
 */
#include "track.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

/* how many rows of the queue are applied at a time */
#define APPLY_BATCH		1000

/* What is tried: whether an error was raised by a trigger that it fired. */
typedef struct Trial
{
	int			depth;			/* of triggers, where it began */
	bool		in_trigger;
} Trial;

/* Called for each message, while what raised it is still being executed. */
static void
NoteTrigger(void *arg)
{
	Trial	   *trial = arg;

	trial->in_trigger = TrackTriggerDepth() > trial->depth;
}

/*
 * Whether an error is to be blamed on a function's data.  The server, a
 * deadlock or a user who cancels are not; and of an apply neither a lock nor a
 * definition, which would be so for every customer.  A trigger of the user's
 * may raise what it likes for one customer; but where one waits for a lock in
 * vain, so would all.
 */
static bool
IsOfData(const ErrorData *error, bool applying, const Trial *trial)
{
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_SYSTEM_ERROR:
			return false;
		case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:
		case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE:
			return !applying || (trial->in_trigger && error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE);
		default:
			return true;
	}
}

/*
 * Call a function in a subtransaction of its own, which has no transaction ID,
 * and costs next to nothing, if the function writes nothing.  Returns the error
 * that undid it, or NULL.  An error that its data is not to blame for is raised
 * again.
 */
ErrorData *
TrackTry(void (*function) (void *), void *argument, bool applying)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;
	Trial		trial = {TrackTriggerDepth(), false};
	ErrorContextCallback callback;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	callback.callback = NoteTrigger;
	callback.arg = &trial;
	callback.previous = error_context_stack;
	PG_TRY();
	{
		/* an error takes it off again */
		error_context_stack = &callback;
		function(argument);
		error_context_stack = callback.previous;
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (error != NULL && !IsOfData(error, applying, &trial))
		ReThrowError(error);
	return error;
}

/*
 * Lock the queue of a table against others who apply or empty it, until the
 * end of the transaction.  No writer ever takes this lock, nor does a vacuum.
 * False if it would have to wait and is not to.
 */
bool
TrackLockQueue(Track *track, bool wait)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, RelationRelationId, track->queue, 1);
	return LockAcquire(&tag, ExclusiveLock, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

/* Insert a row into a table of ours; its other columns are null. */
static void
InsertRow(TrackTarget *target, TupleTableSlot *slot, const AttrNumber *columns,
		  const Datum *values, const bool *nulls, int count)
{
	int			natts = RelationGetDescr(target->relation)->natts;

	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, sizeof(bool) * natts);
	for (int i = 0; i < count; i++)
	{
		slot->tts_values[columns[i] - 1] = values[i];
		slot->tts_isnull[columns[i] - 1] = nulls[i];
	}
	ExecStoreVirtualTuple(slot);
	ExecSimpleRelationInsert(target->info, target->estate, slot);
	ResetPerTupleExprContext(target->estate);
}

/* Append the customers of a batch to the queue. */
void
TrackEnqueue(TrackBatch *batch)
{
	Track	   *track = batch->track;
	MemoryContext previous;
	TrackTarget target;
	TupleTableSlot *slot;
	TrackEntry **entries;
	int			count;
	TrackScope	scope;
	static const bool nulls[QUEUE_COLUMNS] = {0};

	entries = TrackBatchEntries(batch, &count);
	if (count == 0)
		return;
	previous = MemoryContextSwitchTo(batch->context);
	TrackEnter(track->owner, &scope);
	TrackTargetOpen(&target, track->queue, NULL);
	slot = MakeSingleTupleTableSlot(RelationGetDescr(target.relation), &TTSOpsVirtual);
	for (int i = 0; i < count; i++)
	{
		Datum		values[QUEUE_COLUMNS];

		CHECK_FOR_INTERRUPTS();
		values[QUEUE_CUSTOMER] = entries[i]->key;
		values[QUEUE_CAUSE] = CStringGetTextDatum(track_cause_name(entries[i]->cause));
		values[QUEUE_QUEUED_AT] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
		InsertRow(&target, slot, track->queue_columns, values, nulls, QUEUE_COLUMNS);
	}
	ExecDropSingleTupleTableSlot(slot);
	TrackTargetClose(&target);
	TrackLeave(&scope);
	CommandCounterIncrement();
	MemoryContextSwitchTo(previous);
}

static void
Execute(const char *query, Snapshot snapshot, int nargs, Oid *types, Datum *values, const char *nulls)
{
	SPIPlanPtr	plan = SPI_prepare(query, nargs, types);

	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	TrackCheckSpi(SPI_execute_snapshot(plan, values, nulls, snapshot, InvalidSnapshot, false, true, 0), query);
	SPI_freeplan(plan);
}

/*
 * Append all customers that there are: of the summary and, if the orders are
 * others now, of these.
 */
void
TrackEnqueueAll(Track *track, bool orders)
{
	TrackScope	scope;
	const char *customer = track->arguments[ARGUMENT_CUSTOMER];

	TrackEnter(track->owner, &scope);
	SPI_connect();
	CommandCounterIncrement();
	Execute(psprintf("INSERT INTO %s (customer, cause) SELECT customer, 'correction' FROM %s%s",
					 track->queue_name, track->summary_name,
					 orders ? psprintf(" UNION SELECT (%s), 'correction' FROM %s WHERE (%s) IS NOT NULL",
									   customer, track->orders_from, customer) : ""),
			GetLatestSnapshot(), 0, NULL, NULL, NULL);
	SPI_finish();
	TrackLeave(&scope);
}

/* All that a snapshot sees in the queue, and in the log of errors, is done. */
void
TrackEmptyQueue(Track *track, Snapshot snapshot)
{
	Execute(psprintf("DELETE FROM %s", track->queue_name), snapshot, 0, NULL, NULL, NULL);
	Execute(psprintf("DELETE FROM %s", track->errors_name), snapshot, 0, NULL, NULL, NULL);
}

/* Log an error, of a customer unless isnull. */
void
TrackLogError(Track *track, Datum key, bool isnull, const ErrorData *error)
{
	Oid			types[] = {track->key->type_id, TIMESTAMPTZOID, TEXTOID, TEXTOID};
	Datum		values[4];
	const char	nulls[] = {isnull ? 'n' : ' ', ' ', ' ', ' ', '\0'};
	TrackScope	scope;

	values[0] = key;
	values[1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[2] = CStringGetTextDatum(unpack_sql_state(error->sqlerrcode));
	values[3] = CStringGetTextDatum(error->message);
	TrackEnter(track->owner, &scope);
	TrackCheckErrors(track);
	SPI_connect();
	Execute(psprintf("INSERT INTO %s (customer, failed_at, sqlstate, message) VALUES ($1, $2, $3, $4)",
					 track->errors_name),
			GetLatestSnapshot(), lengthof(types), types, values, nulls);
	SPI_finish();
	TrackLeave(&scope);
}

/*
 * Applying
 */

/* A row of the queue. */
typedef struct QueueRow
{
	ItemPointerData tid;
	Datum		key;
	StageCause	cause;
	bool		skipped;		/* to be left in the queue */
} QueueRow;

/* Rows of the queue, for TrackTry(). */
typedef struct ApplyCall
{
	Track	   *track;
	QueueRow   *rows;
	int			count;
	int			applied;		/* customers */
} ApplyCall;

static void
CallApply(void *argument)
{
	ApplyCall  *call = argument;
	TrackBatch *batch = TrackBatchCreate(call->track);
	TrackEntry **entries;
	bool		found;
	int			count;

	for (int i = 0; i < call->count; i++)
	{
		TrackEntry *entry = TrackBatchFind(batch, call->rows[i].key, &found);

		entry->action = ENTRY_RECOMPUTE;
		if (!found || call->rows[i].cause > entry->cause)
			entry->cause = call->rows[i].cause;
	}
	TrackBatchApply(batch, true);
	for (int i = 0; i < call->count; i++)
		call->rows[i].skipped = TrackBatchFind(batch, call->rows[i].key, &found)->skipped;
	entries = TrackBatchEntries(batch, &count);
	call->applied = 0;
	for (int i = 0; i < count; i++)
		call->applied += !entries[i]->skipped;
	TrackBatchFree(batch);
}

/*
 * Apply rows of the queue.  If that fails, each half of them, down to the one
 * whose fault it is: his error is logged.  Returns the number of customers.
 */
static int
ApplyRows(Track *track, QueueRow *rows, int count)
{
	ApplyCall	call = {track, rows, count, 0};
	/* what fails leaves all that it allocated */
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "crm apply", ALLOCSET_DEFAULT_SIZES);
	MemoryContext previous = MemoryContextSwitchTo(context);
	ErrorData  *error;

	CHECK_FOR_INTERRUPTS();
	error = TrackTry(CallApply, &call, true);
	MemoryContextSwitchTo(previous);
	if (error != NULL && count == 1)
	{
		rows->skipped = false;
		TrackLogError(track, rows->key, false, error);
		call.applied = 1;
	}
	MemoryContextDelete(context);
	if (error != NULL && count > 1)
		return ApplyRows(track, rows, count / 2) +
			ApplyRows(track, rows + count / 2, count - count / 2);
	return call.applied;
}

/* Take rows out of the queue. */
static void
DeleteRows(Track *track, QueueRow *rows, int count)
{
	Datum	   *tids = palloc(sizeof(Datum) * count);
	int			deleted = 0;
	Oid			types[] = {TIDARRAYOID};
	Datum		argument;

	for (int i = 0; i < count; i++)
		if (!rows[i].skipped)
			tids[deleted++] = PointerGetDatum(&rows[i].tid);
	argument = PointerGetDatum(construct_array(tids, deleted, TIDOID, sizeof(ItemPointerData), false, TYPALIGN_SHORT));
	TrackKeepPlan(&track->delete_queued,
				  psprintf("DELETE FROM %s WHERE ctid = ANY ($1)", track->queue_name), 1, types);
	TrackCheckSpi(SPI_execute_snapshot(track->delete_queued, &argument, NULL, GetLatestSnapshot(),
									   InvalidSnapshot, false, true, 0), "delete from the queue");
}

/* Forget what is logged of the customers of these rows: they are tried again. */
static void
ForgetErrors(Track *track, QueueRow *rows, int count)
{
	Datum	   *keys = palloc(sizeof(Datum) * count);
	Datum		argument;

	for (int i = 0; i < count; i++)
		keys[i] = rows[i].key;
	argument = TrackKeyArray(track, keys, count);
	Execute(psprintf("DELETE FROM %s e WHERE EXISTS (SELECT FROM unnest($1) u (customer) WHERE u.customer %s e.customer)",
					 track->errors_name, track->key_equal),
			GetLatestSnapshot(), 1, &track->key_array, &argument, NULL);
}

static int
CompareRows(const void *a, const void *b, void *arg)
{
	const Track *track = arg;
	const QueueRow *left = a;
	const QueueRow *right = b;

	return DatumGetInt32(FunctionCall2Coll(&track->key->cmp_proc_finfo, track->collation,
										   left->key, right->key));
}

/* Read rows of the queue from a cursor, sorted by customer. */
static QueueRow *
FetchRows(Track *track, Portal portal, int64 limit, int *count)
{
	MemoryContext context = CurrentMemoryContext;	/* SPI leaves another */
	QueueRow   *rows;

	SPI_cursor_fetch(portal, true, limit);
	MemoryContextSwitchTo(context);
	*count = SPI_processed;
	rows = palloc(sizeof(QueueRow) * Max(*count, 1));
	for (int i = 0; i < *count; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		bool		isnull;
		Datum		value = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &isnull);
		char	   *cause;

		rows[i].tid = *(ItemPointer) DatumGetPointer(value);
		value = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &isnull);
		rows[i].key = datumCopy(value, track->key->typbyval, track->key->typlen);
		cause = SPI_getvalue(tuple, SPI_tuptable->tupdesc, 3);
		rows[i].cause = strcmp(cause, track_cause_name(CAUSE_ORDER)) == 0 ? CAUSE_ORDER :
			strcmp(cause, track_cause_name(CAUSE_REFUND)) == 0 ? CAUSE_REFUND : CAUSE_CORRECTION;
		rows[i].skipped = false;
	}
	SPI_freetuptable(SPI_tuptable);
	/* so that a half of them has few customers in common with the other */
	qsort_arg(rows, *count, sizeof(QueueRow), CompareRows, track);
	return rows;
}

/*
 * Apply what is in the queue of a table, if it has one: limit customers at most.
 * Nothing is waited for: if somebody else is at it, or empties the queue,
 * nothing is done.  Returns how many customers were done with.
 */
int64
TrackApply(Track *track, int64 limit)
{
	int64		applied = 0;
	TrackScope	scope;
	Portal		portal;
	SPIPlanPtr	plan;
	int64		room;
	int			count;

	if (track->mode != MODE_QUEUED || !TrackLockQueue(track, false))
		return 0;
	TrackEnter(track->owner, &scope);
	SPI_connect();
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	plan = SPI_prepare(psprintf("SELECT ctid, customer, cause FROM %s", track->queue_name), 0, NULL);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	PopActiveSnapshot();
	do
	{
		MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "crm queue",
													  ALLOCSET_DEFAULT_SIZES);
		MemoryContext previous = MemoryContextSwitchTo(context);
		QueueRow   *rows;

		CHECK_FOR_INTERRUPTS();
		room = Min(limit - applied, APPLY_BATCH);
		rows = FetchRows(track, portal, room, &count);
		if (count > 0)
		{
			ForgetErrors(track, rows, count);
			MemoryContextSwitchTo(context);
			applied += ApplyRows(track, rows, count);
			DeleteRows(track, rows, count);
		}
		MemoryContextSwitchTo(previous);
		MemoryContextDelete(context);
	} while (count == room && applied < limit);
	SPI_cursor_close(portal);
	SPI_freeplan(plan);
	SPI_finish();
	TrackLeave(&scope);
	CommandCounterIncrement();
	return applied;
}
