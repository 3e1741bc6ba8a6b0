/*
 * track.c
 *		A tracked table of orders: what is known of it, and the functions that
 *		start, end, rebuild and verify tracking.
 *
 * All that crm knows of a tracked table stands in the arguments of its
 * triggers, as names and text: pg_dump carries it, and nothing of it is in a
 * table of the extension.
 */
#include "track.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/dependency.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/ruleutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(crm_track);
PG_FUNCTION_INFO_V1(crm_untrack);
PG_FUNCTION_INFO_V1(crm_refresh);
PG_FUNCTION_INFO_V1(crm_verify);
PG_FUNCTION_INFO_V1(crm_stage_history);

/* how many customers refresh() takes at a time */
#define REFRESH_BATCH	10000

/* the names of the triggers */
#define TRIGGER_PREFIX		"crm_track_"
#define REFRESH_TRIGGER		TRIGGER_PREFIX "refresh"
#define UPDATE_ROW_TRIGGER	TRIGGER_PREFIX "update_row"

static const char *const column_names[TRACK_COLUMNS] = {
	"customer", "purchases", "stage", "stage_since", "stage_until", "check_at", "reactivated_at"
};

static const char *const mode_names[] = {"immediate", "queued", "refresh"};

/* What is known of the tables with triggers, by their OID. */
typedef struct TrackSlot
{
	Oid			relid;			/* hash key */
	Track	   *track;
} TrackSlot;

static HTAB *tracks = NULL;

/* how often all of them were forgotten */
static uint64 forgotten = 0;

/*
 * Working as the owner
 */

/* Set a parameter until the scope, or the transaction, ends. */
static void
Set(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Become the owner of the orders, with a search_path of which nobody else has
 * a schema, and so that expressions mean the same in every session.  An error
 * undoes it with the transaction.
 */
void
TrackEnter(Oid owner, TrackScope *scope)
{
	GetUserIdAndSecContext(&scope->user, &scope->security);
	SetUserIdAndSecContext(owner, scope->security | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION | SECURITY_NOFORCE_RLS);
	scope->guc_level = NewGUCNestLevel();
	Set("search_path", "pg_catalog, pg_temp");
	/* what is pasted into a query is printed for these */
	if (strcmp(GetConfigOption("standard_conforming_strings", false, false), "on") != 0)
		Set("standard_conforming_strings", "on");
	if (!Array_nulls)
		Set("array_nulls", "on");
}

void
TrackLeave(const TrackScope *scope)
{
	AtEOXact_GUC(false, scope->guc_level);
	SetUserIdAndSecContext(scope->user, scope->security);
}

const char *
QuoteQualified(Oid schema, const char *name)
{
	return quote_qualified_identifier(get_namespace_name(schema), name);
}

static const char *
QuotedRelation(Relation relation)
{
	return QuoteQualified(RelationGetNamespace(relation), RelationGetRelationName(relation));
}

/*
 * The cache
 */

static void
ForgetRelation(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	TrackSlot  *slot;

	if (relid == InvalidOid)
		forgotten++;
	if (tracks == NULL)
		return;
	hash_seq_init(&status, tracks);
	while ((slot = hash_seq_search(&status)) != NULL)
	{
		Track	   *track = slot->track;

		if (track != NULL &&
			(relid == InvalidOid || relid == track->relid || relid == track->orders ||
			 relid == track->summary || relid == track->history ||
			 relid == track->queue || relid == track->errors))
			track->valid = false;
	}
}

/* A function, type, operator, role, ... changed: expressions may mean others. */
static void
ForgetAll(Datum arg, int cache, uint32 hash)
{
	ForgetRelation(arg, InvalidOid);
}

static void
FreePlans(void *arg)
{
	Track	   *track = arg;
	SPIPlanPtr	plans[] = {track->insert_rows, track->insert_changes, track->recompute,
	track->select_due, track->delete_queued};

	for (int i = 0; i < lengthof(plans); i++)
		if (plans[i] != NULL)
			SPI_freeplan(plans[i]);
}

static void
InitTracks(void)
{
	HASHCTL		control;

	control.keysize = sizeof(Oid);
	control.entrysize = sizeof(TrackSlot);
	tracks = hash_create("crm tracked tables", 16, &control, HASH_ELEM | HASH_BLOBS);
	CacheRegisterRelcacheCallback(ForgetRelation, (Datum) 0);
	CacheRegisterSyscacheCallback(PROCOID, ForgetAll, (Datum) 0);
	CacheRegisterSyscacheCallback(TYPEOID, ForgetAll, (Datum) 0);
	CacheRegisterSyscacheCallback(ENUMOID, ForgetAll, (Datum) 0);
	CacheRegisterSyscacheCallback(OPEROID, ForgetAll, (Datum) 0);
	CacheRegisterSyscacheCallback(CASTSOURCETARGET, ForgetAll, (Datum) 0);
	CacheRegisterSyscacheCallback(COLLOID, ForgetAll, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, ForgetAll, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, ForgetAll, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, ForgetAll, (Datum) 0);
}

/* The trigger function; not LookupFuncName(), as writers need no USAGE on crm. */
Oid
TrackFunction(void)
{
	oidvector  *none = buildoidvector(NULL, 0);

	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum("track_orders"),
						   PointerGetDatum(none), ObjectIdGetDatum(get_namespace_oid("crm", false)));
}

/* The tracking trigger of a relation that has the arguments, or NULL. */
static Trigger *
FindTrigger(Relation relation)
{
	Oid			function;

	if (relation->trigdesc == NULL)
		return NULL;
	function = TrackFunction();
	for (int i = 0; i < relation->trigdesc->numtriggers; i++)
	{
		Trigger    *trigger = &relation->trigdesc->triggers[i];

		if (trigger->tgfoid == function && trigger->tgnargs == TRACK_ARGUMENTS)
			return trigger;
	}
	return NULL;
}

/* The arguments of a trigger of pg_trigger. */
char **
TrackTriggerArguments(HeapTuple tuple, TupleDesc desc)
{
	int			count = ((Form_pg_trigger) GETSTRUCT(tuple))->tgnargs;
	bool		isnull;
	bytea	   *value = DatumGetByteaPP(heap_getattr(tuple, Anum_pg_trigger_tgargs, desc, &isnull));
	char	   *next = memcpy(palloc(VARSIZE_ANY_EXHDR(value) + 1), VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	char	  **arguments = palloc(sizeof(char *) * count);

	/* each ends with a zero */
	for (int i = 0; i < count; i++)
	{
		arguments[i] = next;
		next += strlen(next) + 1;
	}
	return arguments;
}

static Oid
OwnerOf(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
		ReleaseSysCache(tuple);
	}
	return owner;
}

/*
 * The orders, without triggers, that a trigger of a summary names; InvalidOid
 * if there are none.  As the expressions are evaluated as the owner of the
 * orders, the summary must be his: the trigger of a stranger's table is none.
 */
static Oid
RefreshedOrders(Oid summary, char **arguments)
{
	char	   *schema;
	char	   *name;
	Oid			schema_oid;
	Oid			orders;

	DeconstructQualifiedName(crm_name_list(pstrdup(arguments[TRACK_ARGUMENTS])), &schema, &name);
	schema_oid = schema == NULL ? get_rel_namespace(summary) : get_namespace_oid(schema, true);
	orders = OidIsValid(schema_oid) ? get_relname_relid(name, schema_oid) : InvalidOid;
	if (!OidIsValid(orders) || !OidIsValid(OwnerOf(summary)) ||
		!has_privs_of_role(OwnerOf(summary), OwnerOf(orders)))
		return InvalidOid;
	/* an unqualified name is one of the summary's schema */
	arguments[ARGUMENT_SUMMARY] = pstrdup(QuoteQualified(get_rel_namespace(summary), get_rel_name(summary)));
	return orders;
}

/* A tracked table, as a trigger tells. */
typedef struct Tracked
{
	Oid			orders;
	char	  **arguments;
} Tracked;

/* The table of orders that a trigger of ours tells of, into a list. */
static List *
AddTracked(List *list, HeapTuple tuple, TupleDesc desc)
{
	Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);
	Tracked    *tracked;

	/* those of partitions, which may be many, first */
	if (trigger->tgnargs < TRACK_ARGUMENTS ||
		(trigger->tgnargs == TRACK_ARGUMENTS && get_rel_relispartition(trigger->tgrelid)))
		return list;
	tracked = palloc0(sizeof(Tracked));
	tracked->arguments = TrackTriggerArguments(tuple, desc);
	if (trigger->tgnargs == TRACK_ARGUMENTS)
		tracked->orders = trigger->tgrelid;
	else if (trigger->tgnargs == TRACK_ARGUMENTS + 1)
		tracked->orders = RefreshedOrders(trigger->tgrelid, tracked->arguments);
	return OidIsValid(tracked->orders) ? lappend(list, tracked) : list;
}

/* of more triggers all are read at once rather than one by one */
#define MANY_TRIGGERS	100

/*
 * The tables of orders that are tracked.  No table is opened, so that none is
 * waited for.  The triggers are those that depend on our function.
 */
static List *
ScanTriggers(void)
{
	List	   *result = NIL;
	List	   *ours = NIL;
	Oid			function = TrackFunction();
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	Relation	triggers = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	ListCell   *cell;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(ProcedureRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(function));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 2, keys);
	while (list_length(ours) <= MANY_TRIGGERS && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend dependency = (Form_pg_depend) GETSTRUCT(tuple);

		if (dependency->classid == TriggerRelationId)
			ours = lappend_oid(ours, dependency->objid);
	}
	systable_endscan(scan);
	if (list_length(ours) > MANY_TRIGGERS)
	{
		ScanKeyInit(&keys[0], Anum_pg_trigger_tgfoid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(function));
		scan = systable_beginscan(triggers, InvalidOid, false, NULL, 1, keys);
		while (HeapTupleIsValid(tuple = systable_getnext(scan)))
			result = AddTracked(result, tuple, RelationGetDescr(triggers));
		systable_endscan(scan);
	}
	else
		foreach(cell, ours)
		{
			ScanKeyInit(&keys[0], Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(lfirst_oid(cell)));
			scan = systable_beginscan(triggers, TriggerOidIndexId, true, NULL, 1, keys);
			tuple = systable_getnext(scan);
			if (HeapTupleIsValid(tuple))
				result = AddTracked(result, tuple, RelationGetDescr(triggers));
			systable_endscan(scan);
		}
	table_close(triggers, AccessShareLock);
	table_close(depend, AccessShareLock);
	return result;
}

/* The name of the summary that a trigger's arguments tell, without its schema. */
static char *
SummaryOf(char **arguments)
{
	char	   *schema;
	char	   *name;

	DeconstructQualifiedName(crm_name_list(pstrdup(arguments[ARGUMENT_SUMMARY])), &schema, &name);
	return name;
}

/*
 * The arguments of tracking a relation: of its own trigger; or of that of a
 * summary, if the relation is without.  NULL if it is not tracked.  What the
 * relation cache has of them is gone with the next look at a catalog: a copy.
 */
static char **
FindArguments(Relation relation)
{
	Trigger    *trigger = FindTrigger(relation);
	ListCell   *cell;

	if (trigger != NULL)
	{
		char	  **arguments = palloc(sizeof(char *) * TRACK_ARGUMENTS);

		for (int i = 0; i < TRACK_ARGUMENTS; i++)
			arguments[i] = pstrdup(trigger->tgargs[i]);
		return arguments;
	}
	foreach(cell, ScanTriggers())
	{
		Tracked    *tracked = lfirst(cell);

		if (tracked->orders == RelationGetRelid(relation))
			return tracked->arguments;
	}
	return NULL;
}

/* Whether a relation has triggers of ours. */
bool
TrackIsTracked(Relation relation)
{
	return FindTrigger(relation) != NULL;
}

/* Whether a tracked relation has the triggers of a partition. */
bool
TrackIsPartition(Relation relation)
{
	Trigger    *trigger = FindTrigger(relation);

	return trigger != NULL && strncmp(trigger->tgname, TRACK_PARTITION_PREFIX, strlen(TRACK_PARTITION_PREFIX)) == 0;
}

/* Whether writers of a table with triggers only queue. */
bool
TrackIsQueued(Relation relation)
{
	Trigger    *trigger = FindTrigger(relation);

	return trigger != NULL && strcmp(trigger->tgargs[ARGUMENT_MODE], mode_names[MODE_QUEUED]) == 0;
}

/* The table of orders that a partition is of, at the top; no table is opened. */
Oid
TrackRoot(Oid relid)
{
	List	   *ancestors;

	if (!get_rel_relispartition(relid))
		return relid;
	ancestors = get_partition_ancestors(relid);
	return ancestors == NIL ? relid : llast_oid(ancestors);
}

/* The schema and name of the summary; InvalidOid if there is no such schema. */
static Oid
SummaryName(Track *track, Oid orders_schema, char **name)
{
	char	   *schema = NULL;

	DeconstructQualifiedName(crm_name_list(pstrdup(track->arguments[ARGUMENT_SUMMARY])), &schema, name);
	return schema == NULL ? orders_schema : get_namespace_oid(schema, true);
}

/* The name of a table beside the summary. */
static char *
Beside(Oid schema, const char *name, const char *suffix)
{
	return pstrdup(QuoteQualified(schema, psprintf("%s%s", name, suffix)));
}

static Oid
CheckExists(Track *track, Oid schema, const char *name, const char *what)
{
	Oid			relid = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("%s %s of %s does not exist", what, quote_identifier(name), track->orders_name),
				 errhint("Name it as before, or call crm.untrack() and crm.track() again.")));
	return relid;
}

/*
 * Check that a table of ours belongs to the owner of the orders, who writes to
 * it.  Somebody with more rights would do; but not somebody with fewer, who
 * could make a trigger of the table's that the owner of the orders executes.
 */
static void
CheckOwner(Track *track, Oid relid, const char *what)
{
	Oid			owner = OwnerOf(relid);

	if (!OidIsValid(owner) ||
		(has_privs_of_role(track->owner, owner) && has_privs_of_role(owner, track->owner)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("%s %s does not belong to the owner of %s",
					what, QuoteQualified(get_rel_namespace(relid), get_rel_name(relid)), track->orders_name),
			 errhint("Give both tables the same owner.")));
}

/*
 * Find a table of ours, and check that it is one that may be written to for
 * these orders: an ordinary one of the same owner.
 */
static Relation
OpenOurs(Track *track, Oid schema, const char *name, const char *what)
{
	/* on a standby verify() only reads */
	Relation	relation = table_open(CheckExists(track, schema, name, what),
									  RecoveryInProgress() ? AccessShareLock : RowExclusiveLock);

	if (relation->rd_rel->relkind != RELKIND_RELATION)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s %s is not an ordinary table", what, QuotedRelation(relation))));
	CheckOwner(track, RelationGetRelid(relation), what);
	return relation;
}

/* The number of a column of a table of ours, which must be of this type and collation. */
static AttrNumber
FindColumn(Relation relation, const char *name, Oid type, Oid collation, const char *what)
{
	AttrNumber	number = get_attnum(RelationGetRelid(relation), name);
	Form_pg_attribute attribute;

	if (number <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of %s %s does not exist",
						name, what, QuotedRelation(relation))));
	attribute = TupleDescAttr(RelationGetDescr(relation), number - 1);
	if (attribute->atttypid != type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of %s %s has another type than what is tracked",
						name, what, QuotedRelation(relation)),
				 errhint("Call crm.untrack() before types are changed, and crm.track() after.")));
	if (OidIsValid(collation) && attribute->attcollation != collation)
		ereport(ERROR,
				(errcode(ERRCODE_COLLATION_MISMATCH),
				 errmsg("column \"%s\" of %s %s has another collation than what is tracked",
						name, what, QuotedRelation(relation)),
				 errhint("Call crm.untrack() before collations are changed, and crm.track() after.")));
	return number;
}

/* The log of errors, which must be one that may be written to. */
Oid
TrackCheckErrors(Track *track)
{
	char	   *name;
	Oid			schema = SummaryName(track, get_rel_namespace(track->orders), &name);
	Oid			errors = CheckExists(track, schema, psprintf("%s_errors", name), "log of errors");

	CheckOwner(track, errors, "log of errors");
	return errors;
}

/* The index of the summary's primary key, which must be on the customer. */
Oid
TrackSummaryIndex(Relation summary, AttrNumber customer)
{
	bool		has_key = false;
	Oid			result;

	list_free(RelationGetIndexList(summary));
	result = summary->rd_pkindex;
	if (OidIsValid(result))
	{
		Relation	index = index_open(result, AccessShareLock);

		has_key = IndexRelationGetNumberOfKeyAttributes(index) == 1 &&
			index->rd_index->indkey.values[0] == customer;
		index_close(index, AccessShareLock);
	}
	if (!has_key)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("summary %s has no primary key on \"customer\"", QuotedRelation(summary))));
	return result;
}

static void
LoadSummary(Track *track)
{
	Relation	orders = table_open(track->orders, AccessShareLock);
	char	   *name;
	Oid			schema = SummaryName(track, RelationGetNamespace(orders), &name);
	Relation	summary = OpenOurs(track, schema, name, "summary");

	table_close(orders, NoLock);
	for (int i = 0; i < TRACK_COLUMNS; i++)
		track->columns[i] = FindColumn(summary, column_names[i],
									   i == COLUMN_CUSTOMER ? track->key->type_id :
									   i == COLUMN_PURCHASES ? get_element_type(track->purchases_array) :
									   i == COLUMN_STAGE ? TEXTOID : TIMESTAMPTZOID,
									   i == COLUMN_CUSTOMER ? track->collation : InvalidOid, "summary");
	track->summary_index = TrackSummaryIndex(summary, track->columns[COLUMN_CUSTOMER]);
	track->history = CheckExists(track, schema, psprintf("%s_history", name), "history");
	CheckOwner(track, track->history, "history");
	if (track->mode == MODE_QUEUED)
		track->errors = TrackCheckErrors(track);
	track->summary = RelationGetRelid(summary);
	table_close(summary, NoLock);
}

/* Whether an expression may raise an error: only what is known not to does not. */
static bool
IsUnsafe(Oid function, void *context)
{
	return !get_func_leakproof(function);
}

static bool
MayFail(Node *node, void *context)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_Var:
		case T_Const:
		case T_List:
		case T_TargetEntry:
		case T_BoolExpr:
		case T_NullTest:
		case T_BooleanTest:
		case T_CaseExpr:
		case T_CaseWhen:
		case T_CaseTestExpr:
		case T_CoalesceExpr:
		case T_RelabelType:
		case T_ArrayExpr:
			break;
		case T_FuncExpr:
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
		case T_ScalarArrayOpExpr:
			if (check_functions_in_node(node, IsUnsafe, NULL))
				return true;
			break;
		default:
			return true;
	}
	return expression_tree_walker(node, MayFail, context);
}

/* What a writer needs who only queues customers. */
static void
LoadQueue(Track *track, Oid orders_schema)
{
	char	   *name;
	Oid			schema = SummaryName(track, orders_schema, &name);
	Relation	queue = OpenOurs(track, schema, psprintf("%s_queue", name), "queue");

	track->queue_columns[QUEUE_CUSTOMER] = FindColumn(queue, "customer", track->key->type_id, track->collation, "queue");
	track->queue_columns[QUEUE_CAUSE] = FindColumn(queue, "cause", TEXTOID, InvalidOid, "queue");
	track->queue_columns[QUEUE_QUEUED_AT] = FindColumn(queue, "queued_at", TIMESTAMPTZOID, InvalidOid, "queue");
	track->queue = RelationGetRelid(queue);
	table_close(queue, NoLock);
	track->safe = !MayFail((Node *) track->targets, NULL);
}

static Oid
PurchasesType(void)
{
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("purchases"),
						   ObjectIdGetDatum(get_namespace_oid("crm", false)));
}

/* OPERATOR(schema.=) */
static char *
QualifiedOperator(Oid operator)
{
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form;
	char	   *result;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", operator);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	result = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)),
					  NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return result;
}

/*
 * A row that is inserted through a partitioned table may have nulls in the
 * transition table where the partition has generated columns: PostgreSQL keeps
 * it as it was before these were calculated, if it is laid out otherwise in the
 * partition.  Where an expression reads null there, it reads what generates
 * the column.
 */
static Node *
FillGenerated(Node *node, void *context)
{
	Relation	relation = context;

	if (node != NULL && IsA(node, Var))
	{
		Var		   *var = (Var *) node;
		Bitmapset  *reads = NULL;
		CoalesceExpr *filled;
		Node	   *generated;

		if (TupleDescAttr(RelationGetDescr(relation), var->varattno - 1)->attgenerated == '\0')
			return node;
		generated = build_column_default(relation, var->varattno);
		pull_varattnos(generated, 1, &reads);
		/* the table that a row is in, which a transition table does not know */
		if (bms_next_member(reads, -1) + FirstLowInvalidHeapAttributeNumber < 0)
			return node;
		filled = makeNode(CoalesceExpr);
		filled->coalescetype = var->vartype;
		filled->coalescecollid = var->varcollid;
		filled->args = list_make2(var, generated);
		filled->location = -1;
		return (Node *) filled;
	}
	return expression_tree_mutator(node, FillGenerated, context);
}

/* Prepare the expressions over a row of the relation. */
static void
LoadExpressions(Track *track, Relation relation)
{
	Oid			type;

	for (int i = ARGUMENT_CUSTOMER; i <= ARGUMENT_COUNTS_IF; i++)
	{
		Node	   *node = TrackParse(relation, i, track->arguments[i]);
		List	  **targets = i == ARGUMENT_ORDERED_AT || i == ARGUMENT_AMOUNT ? &track->value_targets : &track->targets;

		type = getBaseType(exprType(node));
		if (i == ARGUMENT_CUSTOMER)
		{
			track->collation = exprCollation(node);
			track->key = lookup_type_cache(type, TYPECACHE_CMP_PROC_FINFO | TYPECACHE_HASH_PROC_FINFO |
										   TYPECACHE_EQ_OPR_FINFO | TYPECACHE_EQ_OPR);
			track->key_type = format_type_be_qualified(type);
			track->key_array = get_array_type(type);
			if (!OidIsValid(track->key_array))
				ereport(ERROR,
						(errcode(ERRCODE_DATATYPE_MISMATCH),
						 errmsg("customer cannot be of type %s", format_type_be(type)),
						 errdetail("The type has no array type.")));
			track->key_equal = QualifiedOperator(track->key->eq_opr);
		}
		else if (i == ARGUMENT_ORDERED_AT)
			track->ordered_at_type = type;
		else if (i == ARGUMENT_AMOUNT)
			track->amount_type = type;
		pull_varattnos(node, 1, &track->attributes);
		if (relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
			node = FillGenerated(node, relation);
		*targets = lappend(*targets, makeTargetEntry(expression_planner((Expr *) node),
													 list_length(*targets) + 1, NULL, false));
	}
}

static void
ParsePolicy(Track *track, const char *policy)
{
	const char *wrong = policy_parse(policy, &track->policy);

	if (wrong != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid life cycle policy in a trigger of %s", track->orders_name),
				 errdetail("The policy cannot be: %s.", wrong)));
}

/*
 * The policy may be another one than when this was looked up: whoever sets one
 * locks the summary against those who write to it.
 */
void
TrackReadPolicy(Track *track)
{
	Relation	relation = table_open(track->relid, AccessShareLock);
	char	  **arguments = FindArguments(relation);

	if (arguments != NULL)
		ParsePolicy(track, arguments[ARGUMENT_POLICY]);
	table_close(relation, NoLock);
}

/* What is known of a table already, and still true; or NULL. */
Track *
TrackCached(Relation relation)
{
	Oid			relid = RelationGetRelid(relation);
	TrackSlot  *slot = tracks == NULL ? NULL : hash_search(tracks, &relid, HASH_FIND, NULL);

	return slot != NULL && slot->track != NULL && slot->track->valid ? slot->track : NULL;
}

/*
 * What is known of a table of orders or a partition; NULL if it is not tracked.
 * The summary is not looked at, and not locked, by a writer who only queues.
 */
Track *
TrackLookUp(Relation relation)
{
	Oid			relid = RelationGetRelid(relation);
	char	  **arguments;
	TrackSlot  *slot;
	Track	   *track;
	MemoryContext context;
	MemoryContext previous;
	Relation	orders;
	TrackScope	scope;
	bool		found;
	MemoryContextCallback *callback;
	uint64		before = forgotten;

	if (tracks == NULL)
		InitTracks();
	slot = hash_search(tracks, &relid, HASH_ENTER, &found);
	if (!found)
		slot->track = NULL;
	if (slot->track != NULL)
	{
		if (slot->track->valid)
			return slot->track;
		/* an outer trigger may still use it */
		MemoryContextSetParent(slot->track->context, TopTransactionContext);
		slot->track = NULL;
	}
	arguments = FindArguments(relation);
	if (arguments == NULL)
		return NULL;

	context = AllocSetContextCreate(CurrentMemoryContext, "crm tracked table", ALLOCSET_SMALL_SIZES);
	previous = MemoryContextSwitchTo(context);
	track = palloc0(sizeof(Track));
	track->relid = relid;
	track->context = context;
	for (int i = 0; i < TRACK_ARGUMENTS; i++)
		track->arguments[i] = pstrdup(arguments[i]);
	for (int i = 0; i < lengthof(mode_names); i++)
		if (strcmp(track->arguments[ARGUMENT_MODE], mode_names[i]) == 0)
			track->mode = (TrackMode) i;
	track->orders = TrackRoot(relid);
	orders = table_open(track->orders, AccessShareLock);
	track->owner = orders->rd_rel->relowner;
	track->orders_name = pstrdup(QuotedRelation(orders));
	track->orders_from = orders->rd_rel->relkind == RELKIND_RELATION && track->mode != MODE_REFRESH ?
		psprintf("ONLY %s", track->orders_name) : track->orders_name;

	TrackEnter(track->owner, &scope);
	ParsePolicy(track, track->arguments[ARGUMENT_POLICY]);
	track->notify = strcmp(track->arguments[ARGUMENT_NOTIFY], "notify") == 0;
	track->purchases_array = get_array_type(PurchasesType());
	{
		char	   *name;
		Oid			schema = SummaryName(track, RelationGetNamespace(orders), &name);

		if (!OidIsValid(schema))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_SCHEMA),
					 errmsg("schema of summary %s of %s does not exist",
							track->arguments[ARGUMENT_SUMMARY], track->orders_name)));
		track->summary_name = Beside(schema, name, "");
		track->history_name = Beside(schema, name, "_history");
		track->queue_name = Beside(schema, name, "_queue");
		track->errors_name = Beside(schema, name, "_errors");
	}
	LoadExpressions(track, relation);
	if (track->mode == MODE_QUEUED)
		LoadQueue(track, RelationGetNamespace(orders));
	TrackLeave(&scope);
	table_close(orders, NoLock);
	MemoryContextSwitchTo(previous);

	callback = MemoryContextAlloc(context, sizeof(MemoryContextCallback));
	callback->func = FreePlans;
	callback->arg = track;
	MemoryContextRegisterResetCallback(context, callback);
	MemoryContextSetParent(context, CacheMemoryContext);
	/* what was changed while it was made may be in it as it was before */
	track->valid = before == forgotten;
	/* what was opened above may have moved it */
	slot = hash_search(tracks, &relid, HASH_ENTER, &found);
	slot->track = track;
	return track;
}

/* The same, and its summary. */
Track *
TrackOpenIfTracked(Relation relation)
{
	Track	   *track = TrackLookUp(relation);
	MemoryContext previous;
	TrackScope	scope;

	if (track == NULL || OidIsValid(track->summary))
		return track;
	previous = MemoryContextSwitchTo(track->context);
	TrackEnter(track->owner, &scope);
	LoadSummary(track);
	TrackLeave(&scope);
	MemoryContextSwitchTo(previous);
	return track;
}

/*
 * Whether the summary of a tracked table is without a primary key, as while a
 * dump is restored: several processes make constraints and triggers in any
 * order, and what alters the orders then is not to fail for it.
 */
bool
TrackIsUnfinished(Relation orders)
{
	Track	   *track = TrackLookUp(orders);
	char	   *name;
	Oid			schema;
	Relation	summary;
	bool		result;

	if (track == NULL || OidIsValid(track->summary))
		return false;
	schema = SummaryName(track, RelationGetNamespace(orders), &name);
	summary = OidIsValid(schema) && OidIsValid(get_relname_relid(name, schema)) ?
		try_relation_open(get_relname_relid(name, schema), AccessShareLock) : NULL;
	if (summary == NULL)
		return false;
	RelationGetIndexList(summary);
	result = !OidIsValid(summary->rd_pkindex);
	relation_close(summary, NoLock);
	return result;
}

/*
 * Check that the expressions of a tracked table still mean something, and that
 * the tables beside it are there: an error if not.  Of these none is locked but
 * the queue.
 */
Track *
TrackCheckNames(Relation orders)
{
	Track	   *track = TrackLookUp(orders);
	char	   *name;
	Oid			schema;

	if (track == NULL)
		return NULL;
	schema = SummaryName(track, RelationGetNamespace(orders), &name);
	CheckExists(track, schema, name, "summary");
	CheckExists(track, schema, psprintf("%s_history", name), "history");
	if (track->mode == MODE_QUEUED)
	{
		CheckExists(track, schema, psprintf("%s_queue", name), "queue");
		CheckExists(track, schema, psprintf("%s_errors", name), "log of errors");
	}
	return track;
}

/* What is known of a table that must be tracked, and its summary. */
Track *
TrackOpen(Relation relation)
{
	Track	   *track = TrackOpenIfTracked(relation);

	if (track == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s is not tracked", RelationGetRelationName(relation)),
				 errhint("Start with crm.track().")));
	return track;
}

/* Open a table of orders whose owner the caller is. */
static Relation
OpenOrders(Oid orders, LOCKMODE lockmode)
{
	Relation	relation;

	/* before the lock, which a stranger is not to take */
	if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(orders)) && !crm_owns_relation(orders, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(orders));
	relation = table_open(orders, lockmode);
	if (!crm_owns_relation(orders, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, RelationGetRelationName(relation));
	return relation;
}

Track *
TrackOpenOrders(Oid orders, LOCKMODE lockmode, Relation *relation)
{
	*relation = OpenOrders(orders, lockmode);
	if ((*relation)->rd_rel->relispartition)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a partition", RelationGetRelationName(*relation)),
				 errhint("Name the partitioned table.")));
	return TrackOpen(*relation);
}

/* The tables of orders that are tracked, by OID. */
List *
TrackAll(void)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, ScanTriggers())
		result = list_append_unique_oid(result, ((Tracked *) lfirst(cell))->orders);
	list_sort(result, list_oid_cmp);
	return result;
}

/*
 * The tracked tables of this name; and those of whose tables beside the orders
 * one may have this name, whatever its schema.
 */
List *
TrackNamed(const char *orders, const char *beside)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, ScanTriggers())
	{
		Tracked    *tracked = lfirst(cell);
		const char *name = get_rel_name(tracked->orders);
		const char *summary = SummaryOf(tracked->arguments);

		/* their names begin with that of the summary */
		if ((name != NULL && strcmp(name, orders) == 0) || strncmp(beside, summary, strlen(summary)) == 0)
			result = list_append_unique_oid(result, tracked->orders);
	}
	return result;
}

/*
 * track() and what it makes
 */

static void
Execute(const char *command)
{
	int			result = SPI_execute(command, false, 0);

	if (result < 0)
		elog(ERROR, "SPI_execute failed: %s: %s", SPI_result_code_string(result), command);
}

/*
 * The triggers are made by the bootstrap superuser: nobody else may execute the
 * trigger function, and so use it in a trigger.  He drops them too: a partition
 * may belong to somebody else than the orders.
 */
static void
ExecuteAsSuperuser(const char *command)
{
	Oid			user;
	int			security;

	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, security | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	Execute(command);
	SetUserIdAndSecContext(user, security);
}

/*
 * The columns of which an UPDATE must fire the triggers: those that the
 * expressions read, and those that these are generated from.
 */
static Bitmapset *
UpdateColumns(Relation relation, const Bitmapset *attributes)
{
	TupleConstr *constraints = RelationGetDescr(relation)->constr;
	Bitmapset  *result = bms_copy(attributes);

	for (int i = 0; constraints != NULL && i < constraints->num_defval; i++)
	{
		AttrNumber	number = constraints->defval[i].adnum;

		if (TupleDescAttr(RelationGetDescr(relation), number - 1)->attgenerated != '\0' &&
			bms_is_member(number - FirstLowInvalidHeapAttributeNumber, attributes))
			pull_varattnos(stringToNode(constraints->defval[i].adbin), 1, &result);
	}
	return result;
}

/*
 * Make the trigger of updated rows of a plain table, or make it anew: of these
 * columns, as other updates then cost next to nothing; or of all columns, if
 * there are none.
 */
static void
CreateRowTrigger(const char *table, TupleDesc desc, const Bitmapset *columns, const char *trigger)
{
	StringInfoData list;
	int			offset = -1;

	initStringInfo(&list);
	while ((offset = bms_next_member(columns, offset)) >= 0)
		appendStringInfo(&list, "%s %s", list.len == 0 ? " OF" : ",",
						 quote_identifier(NameStr(TupleDescAttr(desc, offset + FirstLowInvalidHeapAttributeNumber - 1)->attname)));
	ExecuteAsSuperuser(psprintf("CREATE OR REPLACE TRIGGER %s AFTER UPDATE%s ON %s "
								"FOR EACH ROW EXECUTE FUNCTION crm.track_orders()",
								quote_identifier(trigger), list.data, table));
}

/*
 * Whether an UPDATE may change other columns than it names.  (Generated columns
 * it names as well, if it names what they are generated from.)
 */
static bool
HasBeforeUpdate(Relation relation)
{
	return relation->trigdesc != NULL && relation->trigdesc->trig_update_before_row;
}

/*
 * The view of the stages as of now, or the same by another policy: what depends
 * on it stays, and its options too.
 */
static void
CreateView(const char *create, const char *view, const char *summary, const char *policy, const char *options)
{
	const char *literal = quote_literal_cstr(policy);

	Execute(psprintf("%s %s%s AS SELECT customer, "
					 "crm.stage(purchases, now(), %s::crm.lifecycle_policy) AS stage, "
					 "crm.phase(crm.stage(purchases, now(), %s::crm.lifecycle_policy)) AS phase, "
					 "CASE WHEN stage = crm.stage(purchases, now(), %s::crm.lifecycle_policy) THEN stage_since "
					 "ELSE crm.stage_until(purchases, %s::crm.lifecycle_policy, "
					 "CASE crm.stage(purchases, now(), %s::crm.lifecycle_policy) WHEN 'lost' "
					 "THEN crm.stage_until(purchases, %s::crm.lifecycle_policy) + interval '1 microsecond' END) END AS stage_since, "
					 "crm.stage_until(purchases, %s::crm.lifecycle_policy, now()) AS stage_until, "
					 "reactivated_at, "
					 "crm.order_count(purchases) AS orders, "
					 "crm.revenue(purchases)::numeric(20,4) AS revenue, "
					 "crm.refunds(purchases)::numeric(20,4) AS refunds, "
					 "crm.first_order(purchases) AS first_order, "
					 "crm.last_order(purchases) AS last_order FROM %s",
					 create, view, options == NULL ? "" : psprintf(" WITH (%s)", options),
					 literal, literal, literal, literal, literal, literal, literal, summary));
}

/*
 * Make the view of a tracked table if it is gone; and, if replace is told, anew
 * by another policy.
 */
void
TrackCreateView(Track *track, const char *policy, bool replace)
{
	char	   *name;
	Oid			schema = SummaryName(track, get_rel_namespace(track->orders), &name);
	const char *view = Beside(schema, name, "_now");
	Oid			relid = get_relname_relid(psprintf("%s_now", name), schema);
	TrackScope	scope;

	if (OidIsValid(relid) && !replace)
		return;
	TrackEnter(track->owner, &scope);
	SPI_connect();
	if (OidIsValid(relid))
	{
		Execute(psprintf("SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = %u", relid));
		CreateView("CREATE OR REPLACE VIEW", view, track->summary_name, policy,
				   SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
	}
	else
		CreateView("CREATE VIEW", view, track->summary_name, policy, NULL);
	SPI_finish();
	TrackLeave(&scope);
}

/* The arguments of a trigger, as SQL. */
static const char *
ArgumentList(const char *const *arguments)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < TRACK_ARGUMENTS; i++)
		appendStringInfo(&list, "%s%s", i > 0 ? ", " : "", quote_literal_cstr(arguments[i]));
	return list.data;
}

/*
 * Of orders without triggers, a trigger of the summary that does nothing keeps
 * the arguments: a dump carries it.
 */
static void
CreateRefreshTrigger(const char *summary, const char *const *arguments, const char *orders)
{
	ExecuteAsSuperuser(psprintf("CREATE TRIGGER " REFRESH_TRIGGER " AFTER TRUNCATE ON %s FOR EACH STATEMENT "
								"EXECUTE FUNCTION crm.track_orders(%s, %s)",
								summary, ArgumentList(arguments), quote_literal_cstr(orders)));
}

/*
 * The queue, and the log of errors.  Writers append to both and must never
 * wait: nothing in them is unique.  The replica identity is for those who
 * publish all their tables.
 */
static void
CreateQueue(Oid schema, const char *name, const char *key_type)
{
	const char *queue = Beside(schema, name, "_queue");
	const char *errors = Beside(schema, name, "_errors");

	Execute(psprintf("CREATE TABLE %s ("
					 "customer %s NOT NULL, "
					 "cause text NOT NULL DEFAULT 'correction', "
					 "queued_at timestamptz NOT NULL DEFAULT now()) "
					 "WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000)",
					 queue, key_type));
	Execute(psprintf("CREATE TABLE %s ("
					 "customer %s, "
					 "failed_at timestamptz NOT NULL, "
					 "sqlstate text NOT NULL, "
					 "message text NOT NULL)", errors, key_type));
	Execute(psprintf("ALTER TABLE %s REPLICA IDENTITY FULL", queue));
	Execute(psprintf("ALTER TABLE %s REPLICA IDENTITY FULL", errors));
}

/* Whether a relation has a trigger of ours of this event and timing, for statements. */
static bool
HasTrigger(Relation relation, int16 type)
{
	Oid			function = TrackFunction();

	for (int i = 0; relation->trigdesc != NULL && i < relation->trigdesc->numtriggers; i++)
		if (relation->trigdesc->triggers[i].tgfoid == function && relation->trigdesc->triggers[i].tgtype == type)
			return true;
	return false;
}

/*
 * Make the triggers of a table or partition that are not there.  One of them has
 * the arguments: each statement copies those of all triggers.
 */
static void
CreateTriggers(Relation relation, bool partition, const char *const *arguments,
			   const Bitmapset *attributes)
{
	static const struct
	{
		const char *name;
		int16		type;
		const char *event;
		const char *tables;
		bool		plain;			/* of tables without partitions too */
		bool		root;			/* of tables that are no partitions */
	}			triggers[] = {
		{"insert", TRIGGER_TYPE_INSERT, "AFTER INSERT", "REFERENCING NEW TABLE AS new_orders ", true, true},
		{"update", TRIGGER_TYPE_UPDATE, "AFTER UPDATE", "REFERENCING OLD TABLE AS old_orders NEW TABLE AS new_orders ", false, true},
		{"delete", TRIGGER_TYPE_DELETE, "AFTER DELETE", "REFERENCING OLD TABLE AS old_orders ", true, true},
		{"truncate", TRIGGER_TYPE_TRUNCATE, "AFTER TRUNCATE", "", true, true},
		{"before_truncate", TRIGGER_TYPE_TRUNCATE | TRIGGER_TYPE_BEFORE, "BEFORE TRUNCATE", "", false, false}
	};
	bool		plain = !partition && relation->rd_rel->relkind == RELKIND_RELATION;
	const char *name = QuotedRelation(relation);
	const char *list = ArgumentList(arguments);

	for (int i = 0; i < lengthof(triggers); i++)
		if ((triggers[i].plain || !plain) && (triggers[i].root || partition) && !HasTrigger(relation, triggers[i].type))
			ExecuteAsSuperuser(psprintf("CREATE TRIGGER %s%s %s ON %s %sFOR EACH STATEMENT "
										"EXECUTE FUNCTION crm.track_orders(%s)",
										partition ? TRACK_PARTITION_PREFIX : TRIGGER_PREFIX, triggers[i].name,
										triggers[i].event, name, triggers[i].tables, i == 0 ? list : ""));
	if (plain)
		CreateRowTrigger(name, RelationGetDescr(relation),
						 HasBeforeUpdate(relation) ? NULL : UpdateColumns(relation, attributes),
						 UPDATE_ROW_TRIGGER);
}

/* The work of TrackFollowUpdates(). */
static void
FollowUpdates(Oid relid, bool all_columns, bool make)
{
	Relation	relation = table_open(relid, AccessShareLock);
	TupleDesc	desc = CreateTupleDescCopy(RelationGetDescr(relation));
	const char *name = QuotedRelation(relation);
	Bitmapset  *columns = NULL;
	const char *row_trigger = NULL;
	char		enabled = TRIGGER_FIRES_ON_ORIGIN;
	Bitmapset  *named = NULL;
	Oid			function = TrackFunction();
	TrackScope	scope;

	for (int i = 0; relation->trigdesc != NULL && i < relation->trigdesc->numtriggers; i++)
	{
		Trigger    *trigger = &relation->trigdesc->triggers[i];

		if (trigger->tgfoid != function || !TRIGGER_FOR_UPDATE(trigger->tgtype) || !TRIGGER_FOR_ROW(trigger->tgtype))
			continue;
		row_trigger = pstrdup(trigger->tgname);
		enabled = trigger->tgenabled;
		for (int c = 0; c < trigger->tgnattr; c++)
			named = bms_add_member(named, trigger->tgattr[c] - FirstLowInvalidHeapAttributeNumber);
	}
	make &= row_trigger == NULL && relation->rd_rel->relkind == RELKIND_RELATION && TrackIsTracked(relation) &&
		!TrackIsPartition(relation);
	if (make)
		row_trigger = UPDATE_ROW_TRIGGER;
	if (row_trigger == NULL)
	{
		table_close(relation, NoLock);
		return;
	}
	if (!all_columns && !HasBeforeUpdate(relation))
	{
		/* the summary need not be there yet */
		Track	   *track = TrackLookUp(relation);

		if (track == NULL)
		{
			table_close(relation, NoLock);
			return;
		}
		columns = UpdateColumns(relation, track->attributes);
	}
	TrackEnter(relation->rd_rel->relowner, &scope);
	table_close(relation, NoLock);
	if (make || !bms_equal(named, columns))
	{
		SPI_connect();
		CreateRowTrigger(name, desc, columns, row_trigger);
		if (enabled != TRIGGER_FIRES_ON_ORIGIN)
			Execute(psprintf("ALTER TABLE %s %s TRIGGER %s", name,
							 enabled == TRIGGER_DISABLED ? "DISABLE" :
							 enabled == TRIGGER_FIRES_ALWAYS ? "ENABLE ALWAYS" : "ENABLE REPLICA",
							 quote_identifier(row_trigger)));
		SPI_finish();
	}
	TrackLeave(&scope);
}

/*
 * See that the UPDATE trigger of a plain table fires for all that may matter:
 * a BEFORE trigger came or went.  With all_columns it does whatever is there.
 * Only triggers that are there are changed, so that nothing is in the way of
 * a dump that is being restored, unless told to make it, because a column took
 * it along; and only if they must be the table is locked against writers.
 *
 * What is executed for this fires the event trigger, which calls this again:
 * that is not to undo it.
 */
void
TrackFollowUpdates(Oid relid, bool all_columns, bool make)
{
	static Oid	following = InvalidOid;
	Oid			outer = following;

	if (following == relid)
		return;
	following = relid;
	PG_TRY();
	{
		FollowUpdates(relid, all_columns, make);
	}
	PG_FINALLY();
	{
		following = outer;
	}
	PG_END_TRY();
}

/*
 * Lock all partitions below a table, itself if it is one, and make what triggers
 * they lack.
 */
void
TrackPartitions(Oid relid, const char *const *arguments, LOCKMODE lockmode)
{
	List	   *partitions = find_all_inheritors(relid, lockmode, NULL);
	ListCell   *cell;

	foreach(cell, partitions)
	{
		Relation	partition;

		if (!get_rel_relispartition(lfirst_oid(cell)))
			continue;
		partition = table_open(lfirst_oid(cell), NoLock);
		if (partition->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("partition \"%s\" is a foreign table", RelationGetRelationName(partition)),
					 errdetail("Foreign tables have no transition tables.")));
		CreateTriggers(partition, true, arguments, NULL);
		table_close(partition, NoLock);
	}
}

/* Drop the triggers of a table and its partitions, whoever these belong to. */
void
TrackDropTriggers(Oid relid)
{
	Oid			function = TrackFunction();
	List	   *relations = find_all_inheritors(relid, AccessExclusiveLock, NULL);
	ListCell   *cell;

	foreach(cell, relations)
	{
		Relation	relation = table_open(lfirst_oid(cell), NoLock);
		const char *name = QuoteQualified(RelationGetNamespace(relation), RelationGetRelationName(relation));
		List	   *triggers = NIL;
		ListCell   *trigger;

		for (int i = 0; relation->trigdesc != NULL && i < relation->trigdesc->numtriggers; i++)
			if (relation->trigdesc->triggers[i].tgfoid == function)
				triggers = lappend(triggers, pstrdup(relation->trigdesc->triggers[i].tgname));
		table_close(relation, NoLock);
		foreach(trigger, triggers)
			ExecuteAsSuperuser(psprintf("DROP TRIGGER %s ON %s", quote_identifier(lfirst(trigger)), name));
	}
}

/* Warn if reading one customer's orders means reading all of them. */
static void
CheckIndex(Relation orders, Node *customer)
{
	List	   *indexes = RelationGetIndexList(orders);
	ListCell   *cell;
	bool		found = false;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);
		AttrNumber	first = index->rd_index->indkey.values[0];

		if (first == 0)
			found |= equal(customer, linitial(RelationGetIndexExpressions(index)));
		else
			found |= IsA(customer, Var) && ((Var *) customer)->varattno == first;
		index_close(index, AccessShareLock);
	}
	if (!found)
		ereport(NOTICE,
				(errmsg("%s has no index on the customer", RelationGetRelationName(orders)),
				 errdetail("Deleting or correcting an order reads all orders of its customer."),
				 errhint("CREATE INDEX ON %s ((%s))",
						 QuoteQualified(RelationGetNamespace(orders), RelationGetRelationName(orders)),
						 TrackDeparse(orders, customer))));
}

static TrackMode
ReadMode(const char *name)
{
	for (int i = 0; i < lengthof(mode_names); i++)
		if (strcmp(name, mode_names[i]) == 0)
			return (TrackMode) i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown mode \"%s\"", name),
			 errhint("The modes are immediate, queued and refresh.")));
	return MODE_IMMEDIATE;		/* keep compiler quiet */
}

/*
 * track(orders regclass, customer text, ordered_at text, amount text,
 * counts_if text, into_table text, policy lifecycle_policy, mode text, notify
 * boolean) returns regclass, the summary table
 */
Datum
crm_track(PG_FUNCTION_ARGS)
{
	static const char *const required[] = {"orders", "customer", "ordered_at", "amount", "counts_if"};
	Oid			orders_oid;
	Relation	orders;
	TrackScope	scope;
	const char *arguments[TRACK_ARGUMENTS];
	Node	   *nodes[ARGUMENT_COUNTS_IF + 1];
	Bitmapset  *attributes = NULL;
	char	   *schema = NULL;
	char	   *name;
	Oid			schema_oid;
	char	   *policy = palloc(POLICY_TEXT_SIZE);
	const char *key_type;
	const char *summary_name;
	Oid			collation;
	TrackMode	mode;
	Track	   *track;

	for (int i = 0; i < lengthof(required); i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be null", required[i])));
	if (PG_ARGISNULL(6) || PG_ARGISNULL(7) || PG_ARGISNULL(8))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("policy, mode and notify must not be null")));
	mode = ReadMode(text_to_cstring(PG_GETARG_TEXT_PP(7)));
	orders_oid = PG_GETARG_OID(0);
	orders = OpenOrders(orders_oid, mode == MODE_REFRESH ? ShareUpdateExclusiveLock : ShareRowExclusiveLock);
	if (orders->rd_rel->relispartition)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a partition", RelationGetRelationName(orders)),
				 errhint("Track the partitioned table.")));
	if (mode != MODE_REFRESH &&
		orders->rd_rel->relkind != RELKIND_RELATION && orders->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", RelationGetRelationName(orders)),
				 errhint("With mode => 'refresh' views and foreign tables can be tracked.")));
	if (orders->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a temporary table", RelationGetRelationName(orders))));
	/* (relhassubclass stays until a vacuum when the last child is gone) */
	if (mode != MODE_REFRESH && orders->rd_rel->relkind == RELKIND_RELATION &&
		(find_inheritance_children(orders_oid, NoLock) != NIL || has_superclass(orders_oid)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("\"%s\" takes part in inheritance", RelationGetRelationName(orders)),
				 errhint("Partitioned tables can be tracked.")));
	if (FindArguments(orders) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("\"%s\" is tracked already", RelationGetRelationName(orders)),
				 errhint("Call crm.untrack() first.")));

	/* the expressions, by the caller's search_path */
	for (int i = ARGUMENT_CUSTOMER; i <= ARGUMENT_COUNTS_IF; i++)
		nodes[i] = TrackParse(orders, i, text_to_cstring(PG_GETARG_TEXT_PP(i)));

	/* the names */
	if (PG_ARGISNULL(5))
		name = psprintf("%s_lifecycle", RelationGetRelationName(orders));
	else
		DeconstructQualifiedName(crm_name_list(text_to_cstring(PG_GETARG_TEXT_PP(5))), &schema, &name);
	if (strlen(name) + strlen("_history") >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("name \"%s\" of the summary is too long", name),
				 errhint("Pass a shorter one as into_table.")));
	schema_oid = schema == NULL ? RelationGetNamespace(orders) : get_namespace_oid(schema, false);
	summary_name = QuoteQualified(schema_oid, name);
	/* in the schema of the orders only the name, so that a schema may be renamed */
	arguments[ARGUMENT_SUMMARY] = schema_oid == RelationGetNamespace(orders) ?
		quote_identifier(name) : summary_name;

	policy_print((LifecyclePolicy *) PG_GETARG_POINTER(6), policy);
	arguments[ARGUMENT_POLICY] = policy;
	arguments[ARGUMENT_MODE] = mode_names[mode];
	arguments[ARGUMENT_NOTIFY] = PG_GETARG_BOOL(8) ? "notify" : "silent";

	TrackEnter(orders->rd_rel->relowner, &scope);
	for (int i = ARGUMENT_CUSTOMER; i <= ARGUMENT_COUNTS_IF; i++)
		arguments[i] = TrackDeparse(orders, nodes[i]);

	/* of any length, as that of the column may change */
	key_type = format_type_extended(getBaseType(exprType(nodes[ARGUMENT_CUSTOMER])), -1,
									FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
	collation = exprCollation(nodes[ARGUMENT_CUSTOMER]);
	if (OidIsValid(collation))
		key_type = psprintf("%s COLLATE %s", key_type, generate_collation_name(collation));

	SPI_connect();
	Execute(psprintf("CREATE TABLE %s ("
					 "customer %s PRIMARY KEY, "
					 "purchases crm.purchases NOT NULL, "
					 "stage text NOT NULL CHECK (stage IN ('lead', 'new', 'active', 'loyal', 'at_risk', 'lost')), "
					 "stage_since timestamptz NOT NULL, "
					 "stage_until timestamptz, "
					 "check_at timestamptz, "
					 "reactivated_at timestamptz) WITH (fillfactor = 80)",
					 summary_name, key_type));
	Execute(psprintf("CREATE INDEX ON %s (check_at)", summary_name));
	Execute(psprintf("CREATE TABLE %s ("
					 "id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
					 "customer %s NOT NULL, "
					 "from_stage text CHECK (from_stage IN ('lead', 'new', 'active', 'loyal', 'at_risk', 'lost')), "
					 "to_stage text NOT NULL CHECK (to_stage IN ('lead', 'new', 'active', 'loyal', 'at_risk', 'lost')), "
					 "at timestamptz NOT NULL, "
					 "noticed_at timestamptz NOT NULL, "
					 "cause text NOT NULL CHECK (cause IN ('order', 'refund', 'time', 'correction')))",
					 QuoteQualified(schema_oid, psprintf("%s_history", name)), key_type));
	Execute(psprintf("CREATE INDEX ON %s (customer, at)",
					 QuoteQualified(schema_oid, psprintf("%s_history", name))));
	CreateView("CREATE VIEW", Beside(schema_oid, name, "_now"), summary_name, policy, NULL);
	for (int i = ARGUMENT_CUSTOMER; i <= ARGUMENT_COUNTS_IF; i++)
		pull_varattnos(nodes[i], 1, &attributes);
	if (mode == MODE_QUEUED)
		CreateQueue(schema_oid, name, key_type);
	if (mode == MODE_REFRESH)
		CreateRefreshTrigger(summary_name, arguments,
							 schema_oid == RelationGetNamespace(orders) ?
							 quote_identifier(RelationGetRelationName(orders)) : QuotedRelation(orders));
	else
	{
		CreateTriggers(orders, false, arguments, attributes);
		if (orders->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
			TrackPartitions(orders_oid, arguments, ShareRowExclusiveLock);
	}
	SPI_finish();
	CommandCounterIncrement();

	if (mode != MODE_REFRESH)
		CheckIndex(orders, nodes[ARGUMENT_CUSTOMER]);
	track = TrackOpen(orders);
	TrackRefresh(track, orders);
	TrackLeave(&scope);
	table_close(orders, NoLock);
	PG_RETURN_OID(track->summary);
}

/*
 * untrack(orders regclass) returns void: drops the triggers, the summary, its
 * history and its views.
 */
Datum
crm_untrack(PG_FUNCTION_ARGS)
{
	/* as DROP TRIGGER does: a weaker lock first would deadlock with who reads and then writes */
	Relation	orders = OpenOrders(PG_GETARG_OID(0), AccessExclusiveLock);
	char	  **arguments = FindArguments(orders);
	TrackScope	scope;
	char	   *schema = NULL;
	char	   *name;
	Oid			schema_oid;
	bool		queued;

	if (arguments == NULL || orders->rd_rel->relispartition)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s is not tracked", RelationGetRelationName(orders))));
	DeconstructQualifiedName(crm_name_list(pstrdup(arguments[ARGUMENT_SUMMARY])), &schema, &name);
	schema_oid = schema == NULL ? RelationGetNamespace(orders) : get_namespace_oid(schema, true);

	TrackEnter(orders->rd_rel->relowner, &scope);
	SPI_connect();
	queued = strcmp(arguments[ARGUMENT_MODE], mode_names[MODE_QUEUED]) == 0;
	TrackDropTriggers(RelationGetRelid(orders));
	if (OidIsValid(schema_oid))
	{
		Execute(psprintf("DROP VIEW IF EXISTS %s", Beside(schema_oid, name, "_now")));
		Execute(psprintf("DROP TABLE IF EXISTS %s, %s", Beside(schema_oid, name, "_history"),
						 Beside(schema_oid, name, "")));
		if (queued)
			Execute(psprintf("DROP TABLE IF EXISTS %s, %s", Beside(schema_oid, name, "_queue"),
							 Beside(schema_oid, name, "_errors")));
	}
	SPI_finish();
	TrackLeave(&scope);
	table_close(orders, NoLock);
	PG_RETURN_VOID();
}

/*
 * refresh() and verify()
 */

/*
 * What is true, by customer: one statement over the orders.  The condition, if
 * there is one, leaves out customers.
 */
const char *
TrackTruth(Track *track, const char *condition)
{
	const char *customer = track->arguments[ARGUMENT_CUSTOMER];

	return psprintf("SELECT (%s) AS customer, crm.purchases(%s, %s) FILTER (WHERE %s) AS purchases "
					"FROM %s WHERE (%s) IS NOT NULL%s GROUP BY 1",
					customer, track->arguments[ARGUMENT_ORDERED_AT],
					track->arguments[ARGUMENT_AMOUNT], track->arguments[ARGUMENT_COUNTS_IF],
					track->orders_from, customer, condition);
}

/* Why a refresh found other purchases than are stored. */
static StageCause
RefreshCause(Track *track, const Purchases *stored, const Purchases *found)
{
	/* with triggers, it mends; without, it is how orders are noticed */
	if (track->mode != MODE_REFRESH || found->orders == stored->orders)
		return CAUSE_CORRECTION;
	return found->orders > stored->orders ? CAUSE_ORDER : CAUSE_REFUND;
}

/*
 * Write the rows of the customers that a query tells, in the order of the key,
 * with what purchases they have and what is stored of them.  Returns how many
 * were written.
 */
static int64
WriteRows(Track *track, const char *query, bool judge)
{
	SPIPlanPtr	plan = SPI_prepare(query, 0, NULL);
	Portal		portal;
	int64		written = 0;
	uint64		fetched;
	uint64		applications = TrackApplications();

	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	do
	{
		TrackBatch *batch;

		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, REFRESH_BATCH);
		fetched = SPI_processed;
		batch = TrackBatchCreate(track);
		for (uint64 i = 0; i < fetched; i++)
		{
			bool		isnull;
			bool		found;
			Datum		value = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);
			TrackEntry *entry = TrackBatchFind(batch, value, &found);

			/* what was found may be so no more: triggers of the user's on rows of the summary wrote orders */
			entry->action = judge ? ENTRY_JUDGE : TrackApplications() == applications ? ENTRY_SET : ENTRY_RECOMPUTE;
			value = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &isnull);
			if (!isnull)
				memcpy(&entry->purchases, DatumGetPointer(value), sizeof(Purchases));
			entry->cause = CAUSE_CORRECTION;
			value = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 3, &isnull);
			if (!isnull)
				entry->cause = RefreshCause(track, (Purchases *) DatumGetPointer(value), &entry->purchases);
		}
		SPI_freetuptable(SPI_tuptable);
		written += TrackBatchApply(batch, false);
		applications++;
		TrackBatchFree(batch);
	} while (fetched == REFRESH_BATCH);
	SPI_cursor_close(portal);
	SPI_freeplan(plan);
	return written;
}

/*
 * Calculate all rows of the summary from the orders.  If their writers bring
 * the summary up to date, they must be locked out; if they queue, who is in the
 * queue of the same snapshot is done with, and who comes later stays there.
 * Returns the number of rows that were written.
 */
int64
TrackRefresh(Track *track, Relation orders)
{
	TrackScope	scope;
	int64		written;

	/* partitions that came without our notice, and writers into partitions */
	TrackEnter(track->owner, &scope);
	SPI_connect();
	if (orders->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		if (track->mode == MODE_REFRESH)
			find_all_inheritors(track->orders, AccessShareLock, NULL);
		else
			TrackPartitions(track->orders, (const char *const *) track->arguments,
							track->mode == MODE_QUEUED ? AccessShareLock : ShareRowExclusiveLock);
		CommandCounterIncrement();
	}
	if (track->mode == MODE_QUEUED)
		TrackLockQueue(track, true);
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	if (track->mode == MODE_QUEUED)
		TrackEmptyQueue(track, GetActiveSnapshot());
	written = WriteRows(track,
						psprintf("SELECT coalesce(o.customer, s.customer), o.purchases, s.purchases "
								 "FROM (%s) o FULL JOIN %s s ON o.customer %s s.customer ORDER BY 1",
								 TrackTruth(track, ""), track->summary_name, track->key_equal), false);
	PopActiveSnapshot();
	TrackForbidAdding();
	SPI_finish();
	TrackLeave(&scope);
	return written;
}

/*
 * Judge all rows of the summary anew, by the policy that is in force now; the
 * orders are not read.  Returns the number of rows that were written.
 */
int64
TrackJudge(Track *track)
{
	TrackScope	scope;
	int64		written;

	TrackEnter(track->owner, &scope);
	SPI_connect();
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	written = WriteRows(track, psprintf("SELECT customer, purchases, purchases FROM %s ORDER BY 1", track->summary_name), true);
	PopActiveSnapshot();
	SPI_finish();
	TrackLeave(&scope);
	return written;
}

/*
 * refresh(orders regclass) returns bigint: rebuilds the summary from the
 * orders, which nobody can write to meanwhile unless writers queue.  Returns
 * the number of rows that were not as they should be.
 */
Datum
crm_refresh(PG_FUNCTION_ARGS)
{
	Relation	orders;
	Track	   *track = TrackOpenOrders(PG_GETARG_OID(0), ShareUpdateExclusiveLock, &orders);
	int64		written;

	/* nobody else can change the mode now */
	if (track->mode == MODE_IMMEDIATE)
	{
		LockRelationOid(track->orders, ShareRowExclusiveLock);
		track = TrackOpen(orders);
	}
	/* BEFORE triggers that came without our notice */
	if (track->mode != MODE_REFRESH)
	{
		TrackFollowUpdates(track->orders, false, false);
		track = TrackOpen(orders);
	}
	written = TrackRefresh(track, orders);

	table_close(orders, NoLock);
	PG_RETURN_INT64(written);
}

/* The rows of a plan, which may be as many as there are customers: a thousand at a time. */
static void
ReturnRows(SPIPlanPtr plan, ReturnSetInfo *result)
{
	Portal		portal;

	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	do
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, 1000);
		for (uint64 i = 0; i < SPI_processed; i++)
			tuplestore_puttuple(result->setResult, SPI_tuptable->vals[i]);
		SPI_freetuptable(SPI_tuptable);
	} while (SPI_processed > 0);
	SPI_cursor_close(portal);
}

/*
 * verify(orders regclass) returns setof (customer text, problem text, stored
 * text, expected text): every difference between the summary and the orders.
 *
 * A stage that time has ended since it was stored is not one: the clock will
 * see it.
 */
Datum
crm_verify(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Relation	orders;
	Track	   *track;
	TrackScope	scope;
	SPIPlanPtr	plan;
	char		policy[POLICY_TEXT_SIZE];
	const char *literal;
	const char *pending = "";
	const char *errors = "";
	const char *customer;

	InitMaterializedSRF(fcinfo, 0);
	track = TrackOpenOrders(PG_GETARG_OID(0), AccessShareLock, &orders);
	/* before the snapshot: TRUNCATE does not respect one */
	find_all_inheritors(track->orders, AccessShareLock, NULL);
	policy_print(&track->policy, policy);
	literal = quote_literal_cstr(policy);
	customer = track->arguments[ARGUMENT_CUSTOMER];
	if (track->mode == MODE_QUEUED)
	{
		/* of who waits, or can't be applied, it is known that the row is old */
		pending = psprintf("pending AS (SELECT customer FROM %s UNION SELECT customer FROM %s WHERE customer IS NOT NULL), ",
						   track->queue_name, track->errors_name);
		errors = psprintf("UNION ALL SELECT e.customer::text, 'error', e.message, NULL FROM %s e "
						  "WHERE NOT EXISTS (SELECT FROM %s q WHERE q.customer %s e.customer) ",
						  track->errors_name, track->queue_name, track->key_equal);
	}

	TrackEnter(track->owner, &scope);
	SPI_connect();
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	plan = SPI_prepare(psprintf("WITH %srows AS (SELECT coalesce(o.customer, s.customer)::text AS customer, "
								"coalesce(o.purchases, e.purchases) AS truth, coalesce(s.purchases, e.purchases) AS purchases, "
								"s.customer IS NOT NULL AS stored, s.stage, s.stage_since, s.stage_until, s.check_at, "
								"coalesce(s.stage_until, 'infinity') AS until "
								"FROM (%s) o FULL JOIN (SELECT * FROM %s s%s) s ON o.customer %s s.customer "
								"CROSS JOIN (SELECT '{\"orders\": 0, \"revenue\": 0, \"refunds\": 0}'::crm.purchases) e (purchases)) "
								"SELECT r.customer, d.problem, d.stored, d.expected FROM rows r, LATERAL (VALUES "
								"('purchases', r.purchases::text, r.truth::text), "
								"('stage', r.stage, CASE WHEN r.stored THEN crm.stage(r.purchases, r.until, %s::crm.lifecycle_policy) END), "
								"('stage_until', r.stage_until::text, CASE WHEN r.stored THEN crm.stage_until(r.purchases, %s::crm.lifecycle_policy, r.until)::text END), "
								"('check_at', r.check_at::text, CASE WHEN r.stage_until < coalesce(r.check_at, 'infinity') THEN r.stage_until ELSE r.check_at END::text)) "
								"d (problem, stored, expected) "
								"WHERE d.stored IS DISTINCT FROM d.expected %sORDER BY 1, 2",
								pending,
								TrackTruth(track, *pending == '\0' ? "" :
										   psprintf(" AND NOT (%s) %s ANY (SELECT customer FROM pending)",
													customer, track->key_equal)),
								track->summary_name,
								*pending == '\0' ? "" :
								psprintf(" WHERE NOT EXISTS (SELECT FROM pending p WHERE p.customer %s s.customer)",
										 track->key_equal),
								track->key_equal, literal, literal, errors), 0, NULL);
	ReturnRows(plan, result);
	PopActiveSnapshot();
	SPI_finish();
	TrackLeave(&scope);
	table_close(orders, NoLock);
	return (Datum) 0;
}

/*
 * stage_history(orders regclass) returns setof (id, customer, from_stage,
 * to_stage, at, noticed_at, cause): the history, as the caller may see it.
 *
 * Nothing is locked that a standby could not lock.
 */
Datum
crm_stage_history(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Relation	orders = table_open(PG_GETARG_OID(0), AccessShareLock);
	char	  **arguments = FindArguments(orders);
	char	   *schema;
	char	   *name;
	Oid			schema_oid;
	SPIPlanPtr	plan;

	if (arguments == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s is not tracked", RelationGetRelationName(orders)),
				 errhint("Start with crm.track().")));
	InitMaterializedSRF(fcinfo, 0);
	DeconstructQualifiedName(crm_name_list(pstrdup(arguments[ARGUMENT_SUMMARY])), &schema, &name);
	schema_oid = schema == NULL ? get_rel_namespace(TrackRoot(RelationGetRelid(orders))) : get_namespace_oid(schema, false);
	table_close(orders, NoLock);

	SPI_connect();
	plan = SPI_prepare(psprintf("SELECT id, customer::pg_catalog.text, from_stage, to_stage, at, noticed_at, cause FROM %s",
								Beside(schema_oid, name, "_history")), 0, NULL);
	ReturnRows(plan, result);
	SPI_finish();
	return (Datum) 0;
}
