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
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "commands/event_trigger.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(crm_track_ddl);

/* Tables of orders that the command changes behind the triggers' back. */
static List *changed_tables = NIL;

/* The tracked table of orders that a relation is or is a partition of. */
static Relation
OpenTrackedRoot(Oid relid, LOCKMODE lockmode)
{
	Relation	relation;
	Relation	root;
	Oid			root_oid;

	relation = try_relation_open(relid, AccessShareLock);
	if (relation == NULL)
		return NULL;
	root_oid = TrackRoot(relation);
	relation_close(relation, NoLock);
	root = try_relation_open(root_oid, lockmode);
	if (root != NULL && !TrackIsTracked(root))
	{
		relation_close(root, NoLock);
		root = NULL;
	}
	return root;
}

/* Recompute the customers with orders in a table that came or went. */
static void
RecomputeOrdersOf(Track *track, Oid relid)
{
	TrackScope	scope;
	TrackBatch *batch;
	SPIPlanPtr	plan;

	TrackEnter(track->owner, &scope);
	SPI_connect();
	CommandCounterIncrement();
	batch = TrackBatchCreate(track);
	PushActiveSnapshot(GetLatestSnapshot());
	plan = SPI_prepare(psprintf("SELECT DISTINCT (%s) FROM %s WHERE (%s) IS NOT NULL",
								track->arguments[ARGUMENT_CUSTOMER],
								QuoteQualified(get_rel_namespace(relid), get_rel_name(relid)),
								track->arguments[ARGUMENT_CUSTOMER]), 0, NULL);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	SPI_execute_plan(plan, NULL, NULL, true, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		bool		found;
		Datum		key = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);
		TrackEntry *entry = TrackBatchFind(batch, key, &found);

		entry->action = ENTRY_RECOMPUTE;
		entry->cause = CAUSE_CORRECTION;
	}
	PopActiveSnapshot();
	if (track->mode == MODE_QUEUED)
		TrackEnqueue(batch);
	else
		TrackBatchApply(batch, false);
	SPI_finish();
	TrackLeave(&scope);
}

/* A table with a summary of its own is no partition. */
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
				 errhint("Call crm.untrack() before it becomes a partition.")));
	relation_close(relation, NoLock);
}

/* A table is a partition now: its triggers, and its orders. */
static void
PartitionCame(RangeVar *name)
{
	Oid			relid = RangeVarGetRelid(name, NoLock, true);
	Relation	root;
	Track	   *track;
	TrackScope	scope;

	if (!OidIsValid(relid) || !get_rel_relispartition(relid))
		return;
	CheckUntracked(relid);
	root = OpenTrackedRoot(relid, AccessShareLock);
	if (root == NULL)
		return;
	track = TrackOpen(root);
	TrackEnter(track->owner, &scope);
	SPI_connect();
	TrackPartitions(relid, (const char *const *) track->arguments, ShareRowExclusiveLock);
	SPI_finish();
	TrackLeave(&scope);
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

/* Whether the triggers still know all the names: an error if not. */
static void
CheckTracked(Oid relid)
{
	Relation	root = OpenTrackedRoot(relid, AccessShareLock);

	if (root == NULL)
		return;
	if (!TrackIsUnfinished(root))
		TrackOpen(root);
	relation_close(root, NoLock);
}

/*
 * A table, or something of it, has another name or schema: check the tracked
 * tables that this may be about.  All others are left alone: what is wrong
 * with them is no reason to refuse this.
 */
static void
CheckRenamed(const char *old_name, const char *new_name)
{
	List	   *tables = TrackAll();
	ListCell   *cell;

	foreach(cell, tables)
	{
		Relation	orders = try_relation_open(lfirst_oid(cell), AccessShareLock);
		const char *orders_name;

		if (orders == NULL)
			continue;
		orders_name = pstrdup(RelationGetRelationName(orders));
		/* the names of the tables beside the summary begin with its name */
		if (strcmp(orders_name, new_name) == 0 ||
			(TrackIsTracked(orders) && strncmp(old_name, TrackSummaryName(orders), strlen(TrackSummaryName(orders))) == 0))
			CheckTracked(lfirst_oid(cell));
		relation_close(orders, NoLock);
	}
}

/* The orders that are in this table, or were, are to be read again. */
static void
RememberChanged(Oid relid)
{
	Relation	root = OpenTrackedRoot(relid, AccessShareLock);
	MemoryContext previous;

	if (root == NULL)
		return;
	previous = MemoryContextSwitchTo(TopTransactionContext);
	changed_tables = list_append_unique_oid(changed_tables, RelationGetRelid(root));
	MemoryContextSwitchTo(previous);
	relation_close(root, NoLock);
}

/* Do so, at the end of the command. */
static void
RefreshChanged(void)
{
	List	   *tables = changed_tables;
	ListCell   *cell;

	changed_tables = NIL;
	foreach(cell, tables)
	{
		Relation	root = try_relation_open(lfirst_oid(cell), ShareRowExclusiveLock);

		if (root == NULL)
			continue;
		if (TrackIsTracked(root))
		{
			Track	   *track = TrackOpen(root);

			if (track->mode == MODE_QUEUED)
				TrackEnqueueAll(track, true);
			else
				TrackRefresh(track, root);
		}
		relation_close(root, NoLock);
	}
}

/* BEFORE triggers, or columns, of a table changed. */
static void
FollowUpdates(Oid relid)
{
	Relation	root = OidIsValid(relid) ? OpenTrackedRoot(relid, AccessShareLock) : NULL;

	if (root == NULL)
		return;
	relation_close(root, NoLock);
	TrackFollowUpdates(relid, false);
}

/* The type of a column that a trigger names can't be changed: ours must not. */
static void
BeforeTypeChanges(Oid relid)
{
	Relation	root;

	/* of others no lock is taken: they will be refused */
	if (!crm_owns_relation(relid, GetUserId()))
		return;
	root = OpenTrackedRoot(relid, AccessShareLock);
	if (root == NULL)
		return;
	relation_close(root, NoLock);
	TrackFollowUpdates(relid, true);
}

/*
 * track_ddl() returns event_trigger: ddl_command_start of ALTER and DROP TABLE,
 * table_rewrite, ddl_command_end of CREATE, ALTER and DROP TABLE and of CREATE
 * and DROP TRIGGER.
 */
Datum
crm_track_ddl(PG_FUNCTION_ARGS)
{
	EventTriggerData *data = (EventTriggerData *) fcinfo->context;
	ListCell   *cell;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("crm.track_ddl() must be called as an event trigger")));

	if (strcmp(data->event, "ddl_command_start") == 0)
	{
		changed_tables = NIL;
		if (IsA(data->parsetree, DropStmt))
		{
			/* where the partitions are of is known only before they are gone */
			foreach(cell, ((DropStmt *) data->parsetree)->objects)
			{
				Oid			relid = RangeVarGetRelid(makeRangeVarFromNameList(lfirst(cell)), NoLock, true);

				if (OidIsValid(relid) && get_rel_relispartition(relid))
					RememberChanged(relid);
			}
		}
		else if (IsA(data->parsetree, AlterTableStmt))
		{
			AlterTableStmt *alter = (AlterTableStmt *) data->parsetree;
			Oid			relid = RangeVarGetRelid(alter->relation, NoLock, true);

			foreach(cell, alter->cmds)
				if (lfirst_node(AlterTableCmd, cell)->subtype == AT_AlterColumnType && OidIsValid(relid))
				{
					BeforeTypeChanges(relid);
					break;
				}
		}
		return (Datum) 0;
	}
	if (strcmp(data->event, "table_rewrite") == 0)
	{
		RememberChanged(DatumGetObjectId(DirectFunctionCall1(pg_event_trigger_table_rewrite_oid, (Datum) 0)));
		return (Datum) 0;
	}

	if (IsA(data->parsetree, CreateStmt))
	{
		CreateStmt *create = (CreateStmt *) data->parsetree;

		if (create->partbound != NULL)
			PartitionCame(create->relation);
	}
	else if (IsA(data->parsetree, AlterTableStmt))
	{
		AlterTableStmt *alter = (AlterTableStmt *) data->parsetree;
		Oid			relid = RangeVarGetRelid(alter->relation, NoLock, true);

		foreach(cell, alter->cmds)
		{
			AlterTableCmd *command = lfirst_node(AlterTableCmd, cell);

			if (command->subtype == AT_AttachPartition)
				PartitionCame(((PartitionCmd *) command->def)->name);
			else if (command->subtype == AT_DetachPartition ||
					 command->subtype == AT_DetachPartitionFinalize)
				PartitionWent(alter->relation, ((PartitionCmd *) command->def)->name);
		}
		if (OidIsValid(relid))
			CheckTracked(relid);
		if (OidIsValid(relid))
			FollowUpdates(relid);
		RefreshChanged();
	}
	else if (IsA(data->parsetree, CreateTrigStmt))
	{
		CreateTrigStmt *create = (CreateTrigStmt *) data->parsetree;

		if (create->row && create->timing == TRIGGER_TYPE_BEFORE && (create->events & TRIGGER_TYPE_UPDATE))
			FollowUpdates(RangeVarGetRelid(create->relation, NoLock, true));
	}
	else if (IsA(data->parsetree, DropStmt) && ((DropStmt *) data->parsetree)->removeType == OBJECT_TRIGGER)
	{
		foreach(cell, ((DropStmt *) data->parsetree)->objects)
		{
			List	   *name = lfirst(cell);

			/* the last of the names is the trigger's; ours are dropped together */
			if (strncmp(strVal(llast(name)), "crm_track_", strlen("crm_track_")) == 0)
				continue;
			FollowUpdates(RangeVarGetRelid(makeRangeVarFromNameList(list_copy_head(name, list_length(name) - 1)), NoLock, true));
		}
	}
	else if (IsA(data->parsetree, RenameStmt))
	{
		RenameStmt *rename = (RenameStmt *) data->parsetree;

		if (rename->relation != NULL)
			CheckRenamed(rename->relation->relname,
						 rename->renameType == OBJECT_TABLE ? rename->newname : rename->relation->relname);
	}
	else if (IsA(data->parsetree, AlterObjectSchemaStmt))
	{
		AlterObjectSchemaStmt *move = (AlterObjectSchemaStmt *) data->parsetree;

		if (move->relation != NULL)
			CheckRenamed(move->relation->relname, move->relation->relname);
	}
	else if (IsA(data->parsetree, DropStmt))
		RefreshChanged();
	return (Datum) 0;
}
