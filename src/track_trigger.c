/*
 * track_trigger.c
 *		The trigger function of a tracked table: of which customers a statement
 *		wrote orders, and what they bought.
 */
#include "track.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/tuplestore.h"

#include "crm_amount.h"

PG_FUNCTION_INFO_V1(crm_track_orders);

/* The four values of a row of orders. */
typedef struct OrderRow
{
	bool		known;			/* has a customer */
	bool		counts;
	Datum		key;
	Timestamp	at;
	int64		amount;
	int			scale;
} OrderRow;

/* Evaluates the expressions over rows of a transition table. */
typedef struct RowReader
{
	Track	   *track;
	TupleDesc	desc;
	EState	   *estate;
	ExprContext *context;
	ProjectionInfo *projection;
	ProjectionInfo *values;		/* made when an order counts */
} RowReader;

static ProjectionInfo *
Project(RowReader *reader, List *targets)
{
	TupleTableSlot *result = ExecInitExtraTupleSlot(reader->estate, ExecTypeFromTL(targets), &TTSOpsVirtual);

	return ExecBuildProjectionInfo(targets, reader->context, result, NULL, reader->desc);
}

static void
OpenReader(RowReader *reader, Track *track, List *targets, TupleDesc desc)
{
	reader->track = track;
	reader->desc = desc;
	reader->estate = CreateExecutorState();
	reader->context = GetPerTupleExprContext(reader->estate);
	reader->projection = Project(reader, targets);
	reader->values = NULL;
}

/*
 * Evaluate the expressions; the key lives until the next row of the reader.
 * Time and amount are evaluated of orders that count only, as FILTER has it in
 * what is read again: they need not make sense in others.
 */
static void
ReadOrder(RowReader *reader, TupleTableSlot *slot, OrderRow *order)
{
	Track	   *track = reader->track;
	TupleTableSlot *result;

	reader->context->ecxt_scantuple = slot;
	result = ExecProject(reader->projection);
	order->known = !result->tts_isnull[0];
	order->key = result->tts_values[0];
	order->counts = order->known && !result->tts_isnull[1] && DatumGetBool(result->tts_values[1]);
	/* who queues a customer leaves the time and amount to who applies it */
	if (!order->counts || track->mode == MODE_QUEUED)
		return;
	if (reader->values == NULL)
		reader->values = Project(reader, track->value_targets);
	result = ExecProject(reader->values);
	order->counts = !result->tts_isnull[0] && !result->tts_isnull[1];
	if (!order->counts)
		return;
	if (track->ordered_at_type == DATEOID)
		order->at = crm_date2timestamp(DatumGetDateADT(result->tts_values[0]));
	else
		order->at = DatumGetTimestamp(result->tts_values[0]);
	if (track->amount_type == FLOAT8OID)
		order->amount = AmountFromFloat8(DatumGetFloat8(result->tts_values[1]), &order->scale);
	else
		order->amount = AmountFromNumericDatum(result->tts_values[1], &order->scale);
}

/* An order that now counts: added, or a reason to read the orders again. */
static void
AddOrder(TrackBatch *batch, const OrderRow *order, bool may_add)
{
	bool		found;
	TrackEntry *entry = TrackBatchFind(batch, order->key, &found);
	PurchasesError error;

	if (!may_add)
		entry->action = ENTRY_RECOMPUTE;
	if (entry->action == ENTRY_RECOMPUTE || !order->counts)
		return;
	error = purchases_add(&entry->purchases, order->at, order->amount, order->scale);
	if (error == PURCHASES_TIME_NOT_FINITE)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("time of an order must be finite")));
	if (error != PURCHASES_OK)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("sum of purchases out of range")));
}

/* Whether two rows are the same in all that the expressions read. */
static bool
SameAttributes(Track *track, TupleTableSlot *old, TupleTableSlot *new)
{
	TupleDesc	desc = old->tts_tupleDescriptor;
	int			offset = -1;

	while ((offset = bms_next_member(track->attributes, offset)) >= 0)
	{
		AttrNumber	number = offset + FirstLowInvalidHeapAttributeNumber;
		Form_pg_attribute attribute = TupleDescAttr(desc, number - 1);
		bool		old_null;
		bool		new_null;
		Datum		old_value = slot_getattr(old, number, &old_null);
		Datum		new_value = slot_getattr(new, number, &new_null);

		if (old_null != new_null ||
			(!old_null && !datumIsEqual(old_value, new_value, attribute->attbyval, attribute->attlen)))
			return false;
	}
	return true;
}

/*
 * Read a transition table from its start, with a pointer of our own: another
 * trigger may have read it before.
 */
static void
StartReading(Tuplestorestate *table)
{
	int			pointer = tuplestore_alloc_read_pointer(table, EXEC_FLAG_REWIND);

	tuplestore_select_read_pointer(table, pointer);
	tuplestore_rescan(table);
}

/*
 * Whether an UPDATE with transition tables changed nothing that the
 * expressions read: most do, and for them this is all.
 */
static bool
UpdatedNothing(Track *track, TriggerData *data)
{
	TupleDesc	desc = RelationGetDescr(data->tg_relation);
	TupleTableSlot *old = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	TupleTableSlot *new = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	bool		nothing;

	StartReading(data->tg_oldtable);
	StartReading(data->tg_newtable);
	for (;;)
	{
		bool		has_old = tuplestore_gettupleslot(data->tg_oldtable, true, false, old);
		bool		has_new = tuplestore_gettupleslot(data->tg_newtable, true, false, new);

		CHECK_FOR_INTERRUPTS();
		nothing = has_old == has_new;
		if (!has_old || !has_new)
			break;
		nothing = SameAttributes(track, old, new);
		if (!nothing)
			break;
	}
	ExecDropSingleTupleTableSlot(old);
	ExecDropSingleTupleTableSlot(new);
	return nothing;
}

/*
 * Updates of a plain table.
 *
 * Most change nothing that the expressions read, and must cost next to
 * nothing: transition tables would, and so would any trigger that fires for
 * them.  So a row trigger, which fires for updates of the columns that they
 * read (see TrackFollowUpdates), compares these and keeps the rows that are of
 * interest.  When it keeps the first it has the trigger of TRUNCATE fire after
 * all rows of the statement, which reads them as it would read transition
 * tables.  (A row that moves to another partition fires no such trigger:
 * partitioned tables have transition tables.)
 *
 * What is kept is that of a depth of triggers: those that a trigger of the
 * user's updates meanwhile have a statement, and a queue of triggers, of their
 * own.  It is forgotten when its subtransaction is: the callback of its memory
 * context unlinks it.
 */
typedef struct TrackUpdates
{
	struct TrackUpdates *next;
	Oid			relid;
	SubTransactionId subtransaction;
	int			depth;
	MemoryContext context;
	Tuplestorestate *old;
	Tuplestorestate *new;
	TrackBatch *truncated;		/* of a TRUNCATE: see KeepTruncated() */
	bool		all;			/* of whom more is written meanwhile than can be kept */
} TrackUpdates;

static TrackUpdates *updates = NULL;

/* How many triggers are being executed, one in the other. */
int
TrackTriggerDepth(void)
{
	return DatumGetInt32(DirectFunctionCall1(pg_trigger_depth, (Datum) 0));
}

/* The updates of a table that are kept at this depth, or NULL. */
static TrackUpdates *
FindUpdates(Oid relid)
{
	for (TrackUpdates *kept = updates; kept != NULL; kept = kept->next)
		if (kept->relid == relid && kept->subtransaction == GetCurrentSubTransactionId() &&
			kept->depth == TrackTriggerDepth())
			return kept;
	return NULL;
}

static void
UnlinkUpdates(void *arg)
{
	TrackUpdates **link = &updates;

	while (*link != NULL && *link != arg)
		link = &(*link)->next;
	if (*link != NULL)
		*link = (*link)->next;
}

static TrackUpdates *
CreateUpdates(Oid relid)
{
	MemoryContext context = AllocSetContextCreate(CurTransactionContext, "crm track updates",
												  ALLOCSET_SMALL_SIZES);
	MemoryContextCallback *callback = MemoryContextAlloc(context, sizeof(MemoryContextCallback));
	TrackUpdates *kept = MemoryContextAllocZero(context, sizeof(TrackUpdates));

	kept->relid = relid;
	kept->subtransaction = GetCurrentSubTransactionId();
	kept->depth = TrackTriggerDepth();
	kept->context = context;

	callback->func = UnlinkUpdates;
	callback->arg = kept;
	MemoryContextRegisterResetCallback(context, callback);
	kept->next = updates;
	updates = kept;
	return kept;
}

/*
 * Have our trigger of TRUNCATE fire at the end of the statement, of which a row
 * trigger is being executed: what is queued now is executed when all that was
 * queued before has been, as are the events that an action of a foreign key
 * brings.  It can't be taken for a TRUNCATE, which is refused while a statement
 * uses the table.  False if it is not there, or disabled: crm.doctor() tells.
 */
static bool
FireAfterRows(Relation relation)
{
	Oid			function = TrackFunction();
	char		not_now = SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA ?
		TRIGGER_FIRES_ON_ORIGIN : TRIGGER_FIRES_ON_REPLICA;
	TriggerDesc one = {0};
	ResultRelInfo *info;
	EState	   *estate;

	for (int i = 0; i < relation->trigdesc->numtriggers; i++)
	{
		Trigger    *trigger = &relation->trigdesc->triggers[i];

		if (trigger->tgfoid == function && TRIGGER_FOR_TRUNCATE(trigger->tgtype) &&
			trigger->tgenabled != not_now && trigger->tgenabled != TRIGGER_DISABLED)
			one.triggers = trigger;
	}
	if (one.triggers == NULL)
		return false;
	one.numtriggers = 1;
	one.trig_truncate_after_statement = true;
	estate = CreateExecutorState();
	info = makeNode(ResultRelInfo);
	info->ri_RelationDesc = relation;
	info->ri_TrigDesc = &one;
	info->ri_TrigWhenExprs = palloc0(sizeof(ExprState *));
	ExecASTruncateTriggers(estate, info);
	FreeExecutorState(estate);
	return true;
}

/* AFTER UPDATE of a row: keep it if it may be of interest. */
static void
TrackUpdatedRow(Track *track, TriggerData *data)
{
	TrackUpdates *kept;
	ResourceOwner owner = CurrentResourceOwner;

	if (SameAttributes(track, data->tg_trigslot, data->tg_newslot))
		return;
	kept = FindUpdates(track->relid);
	if (kept == NULL && !FireAfterRows(data->tg_relation))
		return;
	/* their files live as long as the memory */
	CurrentResourceOwner = CurTransactionResourceOwner;
	if (kept == NULL)
	{
		MemoryContext previous;

		kept = CreateUpdates(track->relid);
		previous = MemoryContextSwitchTo(kept->context);
		kept->old = tuplestore_begin_heap(false, false, work_mem);
		kept->new = tuplestore_begin_heap(false, false, work_mem);
		MemoryContextSwitchTo(previous);
	}
	tuplestore_puttupleslot(kept->old, data->tg_trigslot);
	tuplestore_puttupleslot(kept->new, data->tg_newslot);
	CurrentResourceOwner = owner;
}

/*
 * BEFORE TRUNCATE of a partition: keep whose orders it has, as later nobody can
 * tell.  Nobody else can write to it any more.  Not if all orders go; nor if who
 * queues might find an expression that fails.
 */
static void
KeepTruncated(Track *track, Relation relation)
{
	TrackUpdates *kept = FindUpdates(RelationGetRelid(relation));
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext previous;

	if (CheckRelationOidLockedByMe(track->orders, AccessExclusiveLock, false) ||
		(track->mode == MODE_QUEUED && !track->safe))
		return;
	if (kept == NULL)
		kept = CreateUpdates(RelationGetRelid(relation));
	previous = MemoryContextSwitchTo(kept->context);
	CurrentResourceOwner = CurTransactionResourceOwner;
	if (kept->truncated == NULL)
		kept->truncated = TrackBatchCreate(track);
	MemoryContextSwitchTo(previous);
	/* the partitions of a partition have triggers of their own */
	if (relation->rd_rel->relkind == RELKIND_RELATION)
		TrackCollectOrders(kept->truncated, RelationGetRelid(relation), NoLock);
	CurrentResourceOwner = owner;
}

/*
 * AFTER TRUNCATE: read the orders of these again, or else of everybody.  Of
 * everybody once a statement, however many partitions it empties, unless
 * something is written between.
 */
static void
TrackTruncated(Track *track, Relation relation, TrackUpdates *kept)
{
	static Oid	read_orders = InvalidOid;
	static TransactionId read_transaction = InvalidTransactionId;
	static CommandId read_command = FirstCommandId;
	bool		queued = track->mode == MODE_QUEUED;
	Relation	orders;

	if (kept != NULL)
	{
		bool		all = kept->all;

		kept->truncated->track = track;
		if (!all)
			TrackBatchFinish(kept->truncated);
		TrackBatchFree(kept->truncated);
		MemoryContextDelete(kept->context);
		if (!all)
			return;
	}
	if (read_orders == track->orders && read_transaction == GetTopTransactionId() &&
		read_command == GetCurrentCommandId(false))
		return;
	orders = table_open(track->orders, queued ? AccessShareLock : ShareRowExclusiveLock);
	track = TrackOpen(orders);
	if (queued)
		TrackEnqueueAll(track, false);
	else
		TrackRefresh(track, orders);
	table_close(orders, NoLock);
	read_orders = track->orders;
	read_transaction = GetTopTransactionId();
	read_command = GetCurrentCommandId(false);
}

/*
 * What a statement did: the rows before and after it, either of which may be
 * none.  An UPDATE has both tables.  These have the rows in the order in which
 * they were updated.  Nothing depends on it: a row that is equal to the one it
 * is compared with neither adds nor takes away, whichever it came from.
 */
typedef struct Statement
{
	Track	   *track;
	TrackBatch *batch;
	TupleDesc	desc;
	Tuplestorestate *old_table;
	Tuplestorestate *new_table;
	TupleTableSlot *old;		/* the rows that are looked at, or empty */
	TupleTableSlot *new;
	bool		may_add;

	TupleTableSlot *row;		/* for CollectCustomer() */
} Statement;

/* Go to the first row. */
static void
Rewind(Statement *statement)
{
	if (statement->old_table != NULL)
		StartReading(statement->old_table);
	if (statement->new_table != NULL)
		StartReading(statement->new_table);
}

/* Read the next row, and what became of it. */
static bool
NextRow(Statement *statement)
{
	bool		has_old = statement->old_table != NULL &&
		tuplestore_gettupleslot(statement->old_table, true, false, statement->old);
	bool		has_new = statement->new_table != NULL &&
		tuplestore_gettupleslot(statement->new_table, true, false, statement->new);

	CHECK_FOR_INTERRUPTS();
	return has_old || has_new;
}

/* Put into the batch what the rows in the slots are a reason for. */
static void
CollectRow(Statement *statement, RowReader *old_reader, RowReader *new_reader)
{
	Track	   *track = statement->track;
	bool		has_old = !TupIsNull(statement->old);
	bool		has_new = !TupIsNull(statement->new);
	OrderRow	old = {0};
	OrderRow	new = {0};

	if (has_old && has_new && SameAttributes(track, statement->old, statement->new))
		return;
	if (has_old)
		ReadOrder(old_reader, statement->old, &old);
	if (has_new)
		ReadOrder(new_reader, statement->new, &new);
	if (old.counts)
	{
		bool		same_key = new.known &&
			DatumGetBool(FunctionCall2Coll(&track->key->eq_opr_finfo, track->collation, old.key, new.key));

		/* without times and amounts, any change may be one of them */
		if (!same_key || !new.counts || track->mode == MODE_QUEUED ||
			old.at != new.at || old.amount != new.amount || old.scale != new.scale)
		{
			TrackBatchRecompute(statement->batch, old.key, same_key && !new.counts ? CAUSE_REFUND : CAUSE_CORRECTION);
			if (new.known && !same_key)
				TrackBatchRecompute(statement->batch, new.key, CAUSE_CORRECTION);
		}
	}
	else if (new.known)
		AddOrder(statement->batch, &new, statement->may_add);
	ResetExprContext(old_reader->context);
	ResetExprContext(new_reader->context);
}

static void
OpenReaders(Statement *statement, RowReader *old_reader, RowReader *new_reader)
{
	Track	   *track = statement->track;

	OpenReader(old_reader, track, track->targets, statement->desc);
	OpenReader(new_reader, track, track->targets, statement->desc);
}

/* Collect the customers of a statement, from where it is read. */
static void
Collect(void *argument)
{
	Statement  *statement = argument;
	RowReader	old_reader;
	RowReader	new_reader;

	OpenReaders(statement, &old_reader, &new_reader);
	while (NextRow(statement))
	{
		CollectRow(statement, &old_reader, &new_reader);
		TrackBatchMakeRoom(statement->batch);
	}
	FreeExecutorState(old_reader.estate);
	FreeExecutorState(new_reader.estate);
}

/* Of the row in the slots only. */
static void
CollectOne(void *argument)
{
	Statement  *statement = argument;
	RowReader	old_reader;
	RowReader	new_reader;

	OpenReaders(statement, &old_reader, &new_reader);
	CollectRow(statement, &old_reader, &new_reader);
	FreeExecutorState(old_reader.estate);
	FreeExecutorState(new_reader.estate);
}

/*
 * Orders were written.  If it is by a trigger BEFORE TRUNCATE, after
 * KeepTruncated(), they may go with the others: keep whose they are, too.
 */
static void
KeepWritten(TrackBatch *batch)
{
	int			count;
	TrackEntry **entries;

	for (TrackUpdates *kept = updates; kept != NULL; kept = kept->next)
	{
		if (kept->truncated == NULL || kept->truncated->track->orders != batch->track->orders)
			continue;
		/* of those on disk too many; who queued them has them read anyway */
		kept->all |= batch->sort != NULL;
		entries = TrackBatchEntries(batch, &count);
		for (int i = 0; i < count; i++)
			TrackBatchRecompute(kept->truncated, entries[i]->key, CAUSE_CORRECTION);
	}
}

/* The customer of statement->row, whether the order counts or not. */
static void
CollectCustomer(void *argument)
{
	Statement  *statement = argument;
	RowReader	reader;
	TupleTableSlot *result;

	OpenReader(&reader, statement->track, list_make1(linitial(statement->track->targets)), statement->desc);
	reader.context->ecxt_scantuple = statement->row;
	result = ExecProject(reader.projection);
	if (!result->tts_isnull[0])
		TrackBatchRecompute(statement->batch, result->tts_values[0], CAUSE_CORRECTION);
	FreeExecutorState(reader.estate);
}

typedef struct LogCall
{
	Track	   *track;
	ErrorData  *error;
} LogCall;

static void
CallLog(void *argument)
{
	LogCall    *call = argument;

	TrackLogError(call->track, (Datum) 0, true, call->error);
}

/* Log the error of a row of which not even the customer is known. */
static void
LogRow(Track *track, ErrorData *error)
{
	LogCall		call = {track, error};
	ErrorData  *other = TrackTry(CallLog, &call, false);

	if (other != NULL)
		ereport(WARNING,
				(errcode(other->sqlerrcode),
				 errmsg("crm could not log an error to %s: %s", track->errors_name, other->message),
				 errdetail("The error was: %s", error->message)));
}

/*
 * Queue the customers of a statement.  No expression may abort the statement:
 * a subtransaction takes their errors.  It is one per statement, writes
 * nothing and so needs no transaction ID; expressions that can't fail need
 * none.  Only if there is an error the rows are looked at one by one.  Of a
 * row whose customer is known the error will be found again, and logged, by
 * who applies the queue.
 */
static void
CollectForQueue(Statement *statement)
{
	Track	   *track = statement->track;
	MemoryContext outer = CurrentMemoryContext;
	MemoryContext row_context;

	if (track->safe)
	{
		Collect(statement);
		return;
	}
	if (TrackTry(Collect, statement, false) == NULL)
		return;
	TrackBatchFree(statement->batch);
	statement->batch = TrackBatchCreate(track);
	Rewind(statement);
	/* an expression that fails leaves all that it allocated */
	row_context = AllocSetContextCreate(outer, "crm row", ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		TupleTableSlot *rows[2];

		MemoryContextSwitchTo(outer);
		MemoryContextReset(row_context);
		TrackBatchMakeRoom(statement->batch);
		if (!NextRow(statement))
			break;
		rows[0] = statement->old;
		rows[1] = statement->new;
		MemoryContextSwitchTo(row_context);
		if (TrackTry(CollectOne, statement, false) == NULL)
			continue;
		for (int i = 0; i < lengthof(rows); i++)
		{
			ErrorData  *error;

			statement->row = rows[i];
			if (TupIsNull(statement->row))
				continue;
			error = TrackTry(CollectCustomer, statement, false);
			if (error != NULL)
				LogRow(track, error);
		}
	}
}

/* For TrackTry() */
typedef struct LookUpCall
{
	Relation	relation;
	Track	   *track;
} LookUpCall;

static void
CallLookUp(void *argument)
{
	LookUpCall *call = argument;

	call->track = TrackLookUp(call->relation);
}

/*
 * What a writer who only queues needs to know; NULL, with a warning, if that
 * can't be found out: the statement must not fail for it.
 */
static Track *
LookUpForQueue(Relation relation)
{
	LookUpCall	call = {relation, NULL};
	ErrorData  *error = TrackTry(CallLookUp, &call, false);

	if (error != NULL)
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("crm does not queue what was written to \"%s\": %s",
						RelationGetRelationName(relation), error->message),
				 errhint("Call crm.refresh() when this is mended.")));
	return call.track;
}

/*
 * track_orders() returns trigger: AFTER each STATEMENT, with both transition
 * tables as there are; of updates of a plain table AFTER UPDATE of each ROW
 * instead; of a partition BEFORE TRUNCATE too.  Works as the owner of the orders.
 */
Datum
crm_track_orders(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	Relation	relation;
	Trigger    *trigger;
	Track	   *track;
	Statement	statement = {0};
	TrackScope	scope;
	TrackUpdates *kept = NULL;
	bool		complete;
	bool		before;
	bool		queued;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("crm.track_orders() must be called as a trigger")));
	relation = data->tg_relation;
	trigger = data->tg_trigger;
	before = TRIGGER_FIRED_BEFORE(data->tg_event);
	if (!(before ? TRIGGER_FIRED_BY_TRUNCATE(data->tg_event) : TRIGGER_FIRED_AFTER(data->tg_event)) ||
		(TRIGGER_FIRED_FOR_ROW(data->tg_event) && !TRIGGER_FIRED_BY_UPDATE(data->tg_event)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" was not made by crm.track()", trigger->tgname)));
	complete = TRIGGER_FIRED_BY_INSERT(data->tg_event) ? data->tg_newtable != NULL :
		TRIGGER_FIRED_BY_DELETE(data->tg_event) ? data->tg_oldtable != NULL :
		TRIGGER_FIRED_BY_UPDATE(data->tg_event) ? (data->tg_oldtable != NULL) == (data->tg_newtable != NULL) :
		true;
	if (!complete)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" has no transition tables", trigger->tgname)));
	/* of a version before: what was kept is read after this */
	if (TRIGGER_FIRED_BY_UPDATE(data->tg_event) && TRIGGER_FIRED_FOR_STATEMENT(data->tg_event) &&
		data->tg_oldtable == NULL)
		return PointerGetDatum(NULL);

	/* what triggers update meanwhile is kept anew */
	if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event) && !before)
	{
		kept = FindUpdates(RelationGetRelid(relation));
		if (kept != NULL)
			UnlinkUpdates(kept);
	}

	/* a partition that was detached is no part of the orders any more */
	if (!relation->rd_rel->relispartition &&
		strncmp(trigger->tgname, TRACK_PARTITION_PREFIX, strlen(TRACK_PARTITION_PREFIX)) == 0)
		return PointerGetDatum(NULL);
	/* of a summary: its arguments are all there is to it */
	if (trigger->tgnargs == TRACK_ARGUMENTS + 1)
		return PointerGetDatum(NULL);

	track = TrackCached(relation);
	if (track == NULL || track->mode == MODE_IMMEDIATE)
		track = track == NULL && TrackIsQueued(relation) ? LookUpForQueue(relation) : TrackOpen(relation);
	if (track == NULL)
		return PointerGetDatum(NULL);
	queued = track->mode == MODE_QUEUED;
	if (before)
	{
		KeepTruncated(track, relation);
		return PointerGetDatum(NULL);
	}
	if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event) && (kept == NULL || kept->truncated != NULL))
	{
		TrackTruncated(track, relation, kept);
		return PointerGetDatum(NULL);
	}

	if (TRIGGER_FIRED_FOR_ROW(data->tg_event))
	{
		TrackUpdatedRow(track, data);
		return PointerGetDatum(NULL);
	}
	statement.track = track;
	statement.desc = RelationGetDescr(relation);
	if (kept != NULL)
	{
		statement.old_table = kept->old;
		statement.new_table = kept->new;
	}
	else
	{
		if (TRIGGER_FIRED_BY_UPDATE(data->tg_event) && UpdatedNothing(track, data))
			return PointerGetDatum(NULL);
		statement.old_table = data->tg_oldtable;
		statement.new_table = data->tg_newtable;
	}

	/* expressions may call functions: of the owner's, as the owner */
	TrackEnter(track->owner, &scope);
	statement.batch = TrackBatchCreate(track);
	statement.old = MakeSingleTupleTableSlot(statement.desc, &TTSOpsMinimalTuple);
	statement.new = MakeSingleTupleTableSlot(statement.desc, &TTSOpsMinimalTuple);
	statement.may_add = !queued && TrackMayAdd();
	Rewind(&statement);
	if (queued)
		CollectForQueue(&statement);
	else
		Collect(&statement);
	KeepWritten(statement.batch);
	ExecDropSingleTupleTableSlot(statement.old);
	ExecDropSingleTupleTableSlot(statement.new);
	if (kept != NULL)
	{
		tuplestore_end(kept->old);
		tuplestore_end(kept->new);
		MemoryContextDelete(kept->context);
	}
	TrackBatchFinish(statement.batch);
	TrackBatchFree(statement.batch);
	TrackLeave(&scope);
	return PointerGetDatum(NULL);
}
