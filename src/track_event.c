/*
 * track_event.c
 *		Follow the changes of a tracked table: partitions that come and go,
 *		names that the triggers know, and what an UPDATE may change.
 *
 * Statement triggers do not fire for what is written straight into a
 * partition, so each partition has triggers of its own.  And what a partition
 * brings, or takes along, no trigger sees.  An event trigger sees both.
 */
#include "track.h"

#include "access/relation.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parse_type.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(crm_track_ddl);

/*
 * A tracked table that a command may change behind the triggers' back, from its
 * start to its end.  Commands nest, as an event trigger may run others, and end
 * without notice, in an error: the callback of its memory context, that of the
 * subtransaction, forgets what was begun there.
 */
typedef struct Followed
{
	struct Followed *next;
	MemoryContextCallback callback;
	const Node *command;
	Oid			orders;
	bool		changed;		/* its orders are to be read again */
	TrackBatch *dropped;		/* with orders in partitions that are dropped */
	bool		names;			/* the names are to be checked */
	List	   *partitions;		/* of a command that may drop some */
} Followed;

static Followed *all_followed = NULL;

static void
Unfollow(void *arg)
{
	Followed  **link = &all_followed;

	while (*link != NULL && *link != arg)
		link = &(*link)->next;
	if (*link != NULL)
		*link = (*link)->next;
}

/* Follow a tracked table until a command ends. */
static Followed *
Follow(const Node *command, Oid orders)
{
	Followed   *followed;

	for (followed = all_followed; followed != NULL; followed = followed->next)
		if (followed->command == command && followed->orders == orders)
			return followed;
	followed = MemoryContextAllocZero(CurTransactionContext, sizeof(Followed));
	followed->command = command;
	followed->orders = orders;
	followed->callback.func = Unfollow;
	followed->callback.arg = followed;
	MemoryContextRegisterResetCallback(CurTransactionContext, &followed->callback);
	followed->next = all_followed;
	all_followed = followed;
	return followed;
}

/*
 * The tracked table of orders that a relation is or is a partition of.  A
 * partition itself is not locked: it must not be before its parents are.
 */
static Relation
OpenTrackedRoot(Oid relid, LOCKMODE lockmode)
{
	Relation	root = try_relation_open(TrackRoot(relid), lockmode);

	if (root != NULL && !TrackIsTracked(root))
	{
		relation_close(root, NoLock);
		root = NULL;
	}
	return root;
}

/* Add the customers with orders in a table. */
static void
CollectCustomers(TrackBatch *customers, Relation relation)
{
	const char *customer = customers->track->arguments[ARGUMENT_CUSTOMER];
	EState	   *estate = CreateExecutorState();
	ExprContext *context = GetPerTupleExprContext(estate);
	ExprState  *state = ExecPrepareExpr((Expr *) TrackParse(relation, ARGUMENT_CUSTOMER, customer), estate);
	TupleTableSlot *slot = table_slot_create(relation, NULL);
	TableScanDesc scan = crm_table_beginscan(relation, GetActiveSnapshot());

	context->ecxt_scantuple = slot;
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		Datum		key;

		CHECK_FOR_INTERRUPTS();
		ResetExprContext(context);
		key = ExecEvalExprSwitchContext(state, context, &isnull);
		if (isnull)
			continue;
		TrackBatchRecompute(customers, key, CAUSE_CORRECTION);
		TrackBatchMakeRoom(customers);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
}

/*
 * Add the customers with orders in a table that comes or goes.  It
 * is read here, and not by a query: the owner of the orders may read all
 * partitions through these, but one that belongs to somebody else, or has
 * policies, not by its own name.
 */
void
TrackCollectOrders(TrackBatch *customers, Oid relid, LOCKMODE lockmode)
{
	TrackScope	scope;
	ListCell   *cell;

	TrackEnter(customers->track->owner, &scope);
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	foreach(cell, find_all_inheritors(relid, lockmode, NULL))
	{
		Relation	relation = table_open(lfirst_oid(cell), NoLock);

		if (relation->rd_rel->relkind == RELKIND_RELATION)
			CollectCustomers(customers, relation);
		table_close(relation, NoLock);
	}
	PopActiveSnapshot();
	TrackLeave(&scope);
}

/* Recompute the customers with orders in a table that came or went. */
static void
RecomputeOrdersOf(Track *track, Oid relid)
{
	TrackBatch *customers = TrackBatchCreate(track);

	TrackCollectOrders(customers, relid, AccessShareLock);
	TrackBatchFinish(customers);
	TrackBatchFree(customers);
}

/*
 * A table with a summary of its own is no partition, and no child: statement
 * triggers do not fire for what is written through a parent.
 */
static void
CheckUntracked(Oid relid)
{
	Relation	relation = try_relation_open(relid, AccessShareLock);

	if (relation == NULL)
		return;
	if (TrackIsTracked(relation) && !TrackIsPartition(relation))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("\"%s\" is tracked", RelationGetRelationName(relation)),
				 errhint("Call crm.untrack() before it becomes a partition or child.")));
	relation_close(relation, NoLock);
}

/* Make the triggers of a partition, or of all partitions of a table. */
static void
MakeTriggers(Track *track, Oid relid)
{
	TrackScope	scope;

	TrackEnter(track->owner, &scope);
	SPI_connect();
	TrackPartitions(relid, (const char *const *) track->arguments, ShareRowExclusiveLock);
	SPI_finish();
	TrackLeave(&scope);
}

/* A table is a partition now: its triggers, and its orders. */
static void
PartitionCame(RangeVar *name)
{
	Oid			relid = RangeVarGetRelid(name, NoLock, true);
	Relation	root;
	Track	   *track;

	if (!OidIsValid(relid) || !get_rel_relispartition(relid))
		return;
	CheckUntracked(relid);
	root = OpenTrackedRoot(relid, AccessShareLock);
	if (root == NULL)
		return;
	track = TrackOpen(root);
	MakeTriggers(track, relid);
	RecomputeOrdersOf(track, relid);
	relation_close(root, NoLock);
}

/* A table is no partition of a table any more. */
static void
PartitionWent(RangeVar *parent, RangeVar *name)
{
	Oid			relid = RangeVarGetRelid(name, NoLock, true);
	Oid			parent_oid = RangeVarGetRelid(parent, NoLock, true);
	Relation	root;
	Track	   *track;
	TrackScope	scope;

	if (!OidIsValid(relid) || !OidIsValid(parent_oid) || get_rel_relispartition(relid))
		return;
	root = OpenTrackedRoot(parent_oid, AccessShareLock);
	if (root == NULL)
		return;
	track = TrackOpen(root);
	TrackEnter(track->owner, &scope);
	SPI_connect();
	TrackDropTriggers(relid);
	SPI_finish();
	TrackLeave(&scope);
	RecomputeOrdersOf(track, relid);
	relation_close(root, NoLock);
}

/*
 * Partitions were made of others, which PostgreSQL 19 can: they need triggers.
 * No order came or went.
 */
static void
PartitionsRemade(Oid relid)
{
	Relation	root = OpenTrackedRoot(relid, AccessShareLock);
	Track	   *track;

	if (root == NULL)
		return;
	track = TrackOpen(root);
	MakeTriggers(track, relid);
	relation_close(root, NoLock);
}

/* Say whose tracking an error is about: the command may be about something else. */
static void
CheckErrorContext(void *arg)
{
	errcontext("tracking of \"%s\", see crm.untrack()", RelationGetRelationName((Relation) arg));
}

/* Whether the triggers of a tracked table still know all the names: an error if not. */
static void
CheckNames(Relation orders)
{
	ErrorContextCallback callback = {error_context_stack, CheckErrorContext, orders};

	error_context_stack = &callback;
	TrackCheckNames(orders);
	error_context_stack = callback.previous;
}

static void
CheckTracked(Oid relid)
{
	Relation	root = OpenTrackedRoot(relid, AccessShareLock);

	if (root == NULL)
		return;
	CheckNames(root);
	if (!TrackIsUnfinished(root))
		TrackOpen(root);
	relation_close(root, NoLock);
}

/*
 * A table, or something of it, has another name or schema, or is gone: check
 * the tracked tables that this may be about.  All others are left alone: what is
 * wrong with them is no reason to refuse this.
 */
static void
CheckNamed(const char *old_name, const char *new_name)
{
	ListCell   *cell;

	foreach(cell, TrackNamed(new_name, old_name))
		CheckTracked(lfirst_oid(cell));
}

/*
 * The orders that are in this table, or were, are to be read again.  Nothing is
 * locked, as the command is yet to lock it, and more than that.
 */
static void
FollowChanged(const Node *command, Oid relid)
{
	Oid			root = TrackRoot(relid);

	if (list_member_oid(TrackAll(), root))
		Follow(command, root)->changed = true;
}

/*
 * A partition is dropped: note whose orders it has, as later nobody can tell,
 * and to read all orders again would lock everybody out for as long.  It is
 * locked as DROP TABLE will, after its parent.
 */
static void
FollowDropped(const Node *command, Oid relid)
{
	Oid			root_oid = TrackRoot(relid);
	Oid			parent = get_partition_parent(relid, true);
	Followed   *followed;
	Relation	root;
	MemoryContext previous;

	if (!list_member_oid(TrackAll(), root_oid))
		return;
	followed = Follow(command, root_oid);
	/* what is not his the owner of the schema may drop; a stranger must not lock it */
	if (!crm_owns_relation(relid, GetUserId()))
	{
		followed->changed = true;
		return;
	}
	if (parent != root_oid)
		LockRelationOid(root_oid, AccessShareLock);
	LockRelationOid(parent, AccessExclusiveLock);
	LockRelationOid(relid, AccessExclusiveLock);
	/* while that was waited for, it can have become another's, or nobody's */
	if (!get_rel_relispartition(relid) || get_partition_parent(relid, true) != parent || TrackRoot(relid) != root_oid)
	{
		followed->changed = true;
		return;
	}
	root = try_relation_open(root_oid, NoLock);
	if (root == NULL)
		return;
	if (TrackIsTracked(root))
	{
		Track	   *track = TrackOpen(root);

		if (followed->dropped == NULL)
		{
			previous = MemoryContextSwitchTo(CurTransactionContext);
			followed->dropped = TrackBatchCreate(track);
			MemoryContextSwitchTo(previous);
		}
		TrackCollectOrders(followed->dropped, relid, AccessExclusiveLock);
	}
	relation_close(root, NoLock);
}

/* The partitions are gone: recompute those who had orders there. */
static void
RecomputeDropped(Relation orders, TrackBatch *dropped)
{
	/* what was known of the orders before may be so no more */
	dropped->track = TrackOpen(orders);
	TrackBatchFinish(dropped);
	TrackBatchFree(dropped);
}

/* Whether a column that the expressions read may have values of an enum. */
static bool
ReadsEnum(const Track *track, Relation orders, Oid type)
{
	int			offset = -1;

	while ((offset = bms_next_member(track->attributes, offset)) >= 0)
	{
		AttrNumber	number = offset + FirstLowInvalidHeapAttributeNumber;
		Oid			of = getBaseType(TupleDescAttr(RelationGetDescr(orders), number - 1)->atttypid);

		if (OidIsValid(get_element_type(of)))
			of = getBaseType(get_element_type(of));
		if (of == type || get_typtype(of) == TYPTYPE_COMPOSITE)
			return true;
	}
	return false;
}

/* For TrackTry() */
static void
CallCheckNames(void *argument)
{
	TrackCheckNames(argument);
}

/*
 * A command that may drop or rename anything: partitions, and whatever the
 * expressions use.  For a table that somebody else has locked it does not wait,
 * unless it would have to anyway, to drop a partition.
 */
static void
FollowAll(const Node *command)
{
	List	   *tables = TrackAll();
	ListCell   *cell;
	bool		drops = IsA(command, DropOwnedStmt) ||
		(IsA(command, DropStmt) && ((const DropStmt *) command)->removeType == OBJECT_SCHEMA);
	bool		may_drop = IsA(command, DropOwnedStmt) || IsA(command, DropStmt);

	foreach(cell, tables)
	{
		Relation	orders;
		Followed   *followed;
		MemoryContext previous;

		if (drops && get_rel_relkind(lfirst_oid(cell)) == RELKIND_PARTITIONED_TABLE)
			LockRelationOid(lfirst_oid(cell), AccessShareLock);
		else if (!ConditionalLockRelationOid(lfirst_oid(cell), AccessShareLock))
			continue;
		orders = try_relation_open(lfirst_oid(cell), NoLock);
		if (orders == NULL)
			continue;
		/* what is wrong already is no reason to refuse the command */
		if (TrackIsTracked(orders) && TrackTry(CallCheckNames, orders, false) == NULL)
		{
			followed = Follow(command, RelationGetRelid(orders));
			followed->names = true;
			if (may_drop)
			{
				previous = MemoryContextSwitchTo(CurTransactionContext);
				followed->partitions = find_all_inheritors(RelationGetRelid(orders), NoLock, NULL);
				MemoryContextSwitchTo(previous);
			}
			/* the name of an enum's value is one that expressions may read */
			if (IsA(command, AlterEnumStmt))
				followed->changed = ReadsEnum(TrackCheckNames(orders), orders,
											  LookupTypeNameOid(NULL, makeTypeNameFromNameList(((AlterEnumStmt *) command)->typeName), true));
		}
		relation_close(orders, NoLock);
	}
}

/* Read the orders of a tracked table again; at once, if writers do not queue. */
static void
ReadAgain(Relation orders)
{
	Track	   *track = TrackOpen(orders);

	if (track->mode == MODE_QUEUED)
		TrackEnqueueAll(track, true);
	else
	{
		LockRelationOid(RelationGetRelid(orders), ShareRowExclusiveLock);
		TrackRefresh(TrackOpen(orders), orders);
	}
}

/*
 * Whether a command may put another function in the place of one: what is not
 * immutable any more can't be in an expression.
 */
static bool
ReplacesFunction(const CreateFunctionStmt *create)
{
	CatCList   *functions;
	bool		result;

	if (!create->replace || create->is_procedure)
		return false;
	functions = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(strVal(llast(create->funcname))));
	result = functions->n_members > 0;
	ReleaseSysCacheList(functions);
	return result;
}

/* At the end of a command: see what it did to the tables that are followed. */
static void
CommandEnds(const Node *command)
{
	Followed   *followed = all_followed;

	while (followed != NULL)
	{
		Relation	orders;

		if (followed->command != command)
		{
			followed = followed->next;
			continue;
		}
		Unfollow(followed);
		orders = try_relation_open(followed->orders, AccessShareLock);
		if (orders != NULL && TrackIsTracked(orders))
		{
			if (followed->names)
				CheckNames(orders);
			if (followed->changed ||
				(followed->partitions != NIL &&
				 !equal(followed->partitions, find_all_inheritors(followed->orders, NoLock, NULL))))
				ReadAgain(orders);
			else if (followed->dropped != NULL)
				RecomputeDropped(orders, followed->dropped);
		}
		if (orders != NULL)
			relation_close(orders, NoLock);
		/* what was done may have followed others */
		followed = all_followed;
	}
}

/* BEFORE triggers, or columns, of a table changed; some of these are gone perhaps. */
static void
FollowUpdates(Oid relid, bool dropped)
{
	Relation	root = OidIsValid(relid) ? OpenTrackedRoot(relid, AccessShareLock) : NULL;

	if (root == NULL)
		return;
	relation_close(root, NoLock);
	TrackFollowUpdates(relid, false, dropped);
}

/*
 * The type of a column that a trigger names can't be changed: ours must not.
 * The table is locked as ALTER TABLE will: a weaker lock first would deadlock
 * with who reads and then writes.
 */
static void
BeforeTypeChanges(Oid relid)
{
	/* of others no lock is taken: they will be refused */
	if (!crm_owns_relation(relid, GetUserId()) || get_rel_relkind(relid) != RELKIND_RELATION ||
		!list_member_oid(TrackAll(), relid))
		return;
	LockRelationOid(relid, AccessExclusiveLock);
	if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
		TrackFollowUpdates(relid, true, false);
}

/* The table that a list of names, as DROP has it, is of; or InvalidOid. */
static Oid
NamedTable(List *name)
{
	return RangeVarGetRelid(makeRangeVarFromNameList(name), NoLock, true);
}

static void
CommandStarts(const Node *command)
{
	ListCell   *cell;

	if (IsA(command, DropStmt) && ((const DropStmt *) command)->removeType == OBJECT_TABLE)
	{
		/* what the partitions are of, and have, is known only before they are gone */
		foreach(cell, ((const DropStmt *) command)->objects)
		{
			Oid			relid = NamedTable(lfirst(cell));

			if (OidIsValid(relid) && get_rel_relispartition(relid))
				FollowDropped(command, relid);
		}
	}
	else if (IsA(command, AlterTableStmt) && ((const AlterTableStmt *) command)->objtype == OBJECT_TABLE)
	{
		const AlterTableStmt *alter = (const AlterTableStmt *) command;
		Oid			relid = RangeVarGetRelid(alter->relation, NoLock, true);

		foreach(cell, alter->cmds)
			if (lfirst_node(AlterTableCmd, cell)->subtype == AT_AlterColumnType && OidIsValid(relid))
			{
				BeforeTypeChanges(relid);
				break;
			}
	}
	else if (IsA(command, RenameStmt) || IsA(command, AlterObjectSchemaStmt))
	{
		/* those of tables are checked by name */
		const RangeVar *relation = IsA(command, RenameStmt) ? ((const RenameStmt *) command)->relation :
			((const AlterObjectSchemaStmt *) command)->relation;

		if (relation == NULL || (IsA(command, RenameStmt) && ((const RenameStmt *) command)->renameType == OBJECT_ATTRIBUTE))
			FollowAll(command);
	}
	else if (IsA(command, DropStmt) || IsA(command, DropOwnedStmt) || IsA(command, AlterTableStmt) ||
			 IsA(command, AlterFunctionStmt) ||
			 (IsA(command, CreateFunctionStmt) && ReplacesFunction((const CreateFunctionStmt *) command)) ||
			 (IsA(command, AlterEnumStmt) && ((const AlterEnumStmt *) command)->oldVal != NULL))
		FollowAll(command);
}

/*
 * A column was dropped.  If there is another of its name, and the expressions
 * read it, the orders have other values: that rewrites no table, if it has a
 * default or none.
 */
static void
ColumnDropped(const Node *command, Oid relid, const char *name)
{
	Relation	root = OpenTrackedRoot(relid, AccessShareLock);
	AttrNumber	number;

	if (root == NULL)
		return;
	number = get_attnum(RelationGetRelid(root), name);
	if (number > 0 &&
		bms_is_member(number - FirstLowInvalidHeapAttributeNumber, TrackCheckNames(root)->attributes))
		FollowChanged(command, RelationGetRelid(root));
	relation_close(root, NoLock);
}

/* ALTER TABLE has ended. */
static void
TableAltered(AlterTableStmt *alter)
{
	Oid			relid = RangeVarGetRelid(alter->relation, NoLock, true);
	bool		columns = false;
	bool		dropped = false;
	ListCell   *cell;

	foreach(cell, alter->cmds)
	{
		AlterTableCmd *command = lfirst_node(AlterTableCmd, cell);

		if (command->subtype == AT_AttachPartition)
			PartitionCame(((PartitionCmd *) command->def)->name);
		else if (command->subtype == AT_DetachPartition ||
				 command->subtype == AT_DetachPartitionFinalize)
			PartitionWent(alter->relation, ((PartitionCmd *) command->def)->name);
		else if (OidIsValid(relid) && command->def != NULL && IsA(command->def, PartitionCmd))
			PartitionsRemade(relid);
		else if (command->subtype == AT_AddInherit && OidIsValid(relid))
			CheckUntracked(relid);
		else if (command->subtype == AT_DropColumn || command->subtype == AT_AlterColumnType)
			columns = true;
		dropped |= command->subtype == AT_DropColumn;
	}
	if (!OidIsValid(relid))
		return;
	CheckTracked(relid);
	FollowUpdates(relid, dropped);
	foreach(cell, alter->cmds)
		if (lfirst_node(AlterTableCmd, cell)->subtype == AT_DropColumn)
			ColumnDropped((const Node *) alter, relid, lfirst_node(AlterTableCmd, cell)->name);
	/* of a summary */
	if (columns)
		CheckNamed(alter->relation->relname, alter->relation->relname);
}

/*
 * track_ddl() returns event_trigger: ddl_command_start and ddl_command_end of
 * what may drop or rename something that a tracked table or its expressions
 * use, or change its partitions or BEFORE triggers; table_rewrite.
 */
Datum
crm_track_ddl(PG_FUNCTION_ARGS)
{
	EventTriggerData *data = (EventTriggerData *) fcinfo->context;
	Node	   *command;
	ListCell   *cell;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("crm.track_ddl() must be called as an event trigger")));
	command = data->parsetree;

	if (strcmp(data->event, "ddl_command_start") == 0)
	{
		CommandStarts(command);
		return (Datum) 0;
	}
	if (strcmp(data->event, "table_rewrite") == 0)
	{
		FollowChanged(command, DatumGetObjectId(DirectFunctionCall1(pg_event_trigger_table_rewrite_oid, (Datum) 0)));
		return (Datum) 0;
	}

	if (IsA(command, CreateStmt))
	{
		CreateStmt *create = (CreateStmt *) command;

		if (create->partbound != NULL)
			PartitionCame(create->relation);
	}
	else if (IsA(command, CreateForeignTableStmt))
	{
		CreateForeignTableStmt *create = (CreateForeignTableStmt *) command;

		if (create->base.partbound != NULL)
			PartitionCame(create->base.relation);
	}
	else if (IsA(command, CreateSchemaStmt))
	{
		foreach(cell, ((CreateSchemaStmt *) command)->schemaElts)
			if (IsA(lfirst(cell), CreateStmt) && ((CreateStmt *) lfirst(cell))->partbound != NULL)
				PartitionCame(((CreateStmt *) lfirst(cell))->relation);
	}
	else if (IsA(command, AlterTableStmt) && ((AlterTableStmt *) command)->objtype == OBJECT_TABLE)
		TableAltered((AlterTableStmt *) command);
	else if (IsA(command, CreateTrigStmt))
	{
		CreateTrigStmt *create = (CreateTrigStmt *) command;

		if (create->row && create->timing == TRIGGER_TYPE_BEFORE && (create->events & TRIGGER_TYPE_UPDATE))
			FollowUpdates(RangeVarGetRelid(create->relation, NoLock, true), false);
	}
	else if (IsA(command, DropStmt) && ((DropStmt *) command)->removeType == OBJECT_TRIGGER)
	{
		foreach(cell, ((DropStmt *) command)->objects)
		{
			List	   *name = lfirst(cell);

			/* the last of the names is the trigger's; ours are dropped together */
			if (strncmp(strVal(llast(name)), "crm_track_", strlen("crm_track_")) == 0)
				continue;
			FollowUpdates(NamedTable(list_copy_head(name, list_length(name) - 1)), false);
		}
	}
	else if (IsA(command, DropStmt) && ((DropStmt *) command)->removeType == OBJECT_TABLE)
	{
		foreach(cell, ((DropStmt *) command)->objects)
			CheckNamed(strVal(llast((List *) lfirst(cell))), "");
	}
	else if (IsA(command, RenameStmt))
	{
		RenameStmt *rename = (RenameStmt *) command;

		if (rename->relation != NULL)
			CheckNamed(rename->relation->relname,
					   rename->renameType == OBJECT_TABLE ? rename->newname : rename->relation->relname);
	}
	else if (IsA(command, AlterObjectSchemaStmt))
	{
		AlterObjectSchemaStmt *move = (AlterObjectSchemaStmt *) command;

		if (move->relation != NULL)
			CheckNamed(move->relation->relname, move->relation->relname);
	}
	CommandEnds(command);
	return (Datum) 0;
}
