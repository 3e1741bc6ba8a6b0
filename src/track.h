/*
 * track.h
 *		A tracked table of orders: what its triggers are told, and the batch of
 *		customers whose rows are to be brought up to date.
 */
#ifndef CRM_TRACK_H
#define CRM_TRACK_H

#include "crm.h"

#include "executor/spi.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/tuplesort.h"
#include "utils/typcache.h"

#include "track_row.h"

/* The columns of a summary table that crm keeps, by name. */
typedef enum TrackColumn
{
	COLUMN_CUSTOMER,
	COLUMN_PURCHASES,
	COLUMN_STAGE,
	COLUMN_STAGE_SINCE,
	COLUMN_STAGE_UNTIL,
	COLUMN_CHECK_AT,
	COLUMN_REACTIVATED_AT
} TrackColumn;

#define TRACK_COLUMNS	7

/* The columns of a queue, by name. */
typedef enum QueueColumn
{
	QUEUE_CUSTOMER,
	QUEUE_CAUSE,
	QUEUE_QUEUED_AT
} QueueColumn;

#define QUEUE_COLUMNS	3

/* The arguments of the triggers, all of them text. */
typedef enum TrackArgument
{
	ARGUMENT_SUMMARY,			/* its name; in the schema of orders unless qualified */
	ARGUMENT_CUSTOMER,			/* expressions over a row of orders */
	ARGUMENT_ORDERED_AT,
	ARGUMENT_AMOUNT,
	ARGUMENT_COUNTS_IF,
	ARGUMENT_POLICY,
	ARGUMENT_MODE,				/* immediate, queued or refresh */
	ARGUMENT_NOTIFY				/* notify or silent */
} TrackArgument;

#define TRACK_ARGUMENTS	8

/* the names of a partition's triggers are set apart */
#define TRACK_PARTITION_PREFIX	"crm_track_partition_"

/* When the summary is brought up to date. */
typedef enum TrackMode
{
	MODE_IMMEDIATE,				/* by whoever writes orders */
	MODE_QUEUED,				/* by apply_queue(): writers queue the customer */
	MODE_REFRESH				/* by refresh() only: there are no triggers */
} TrackMode;

/*
 * What is known of a table with tracking triggers: the table of orders or one
 * of its partitions.  Kept for the session, rebuilt when a relation changed.
 */
typedef struct Track
{
	Oid			relid;			/* hash key: the table with the triggers */
	bool		valid;
	MemoryContext context;

	Oid			orders;			/* the table of orders: relid or its root */
	Oid			owner;			/* of orders; all work is done as this role */
	Oid			summary;
	Oid			summary_index;
	Oid			history;
	char	   *orders_name;	/* qualified and quoted */
	char	   *orders_from;	/* as it stands in FROM */
	char	   *summary_name;
	char	   *history_name;
	char	   *queue_name;
	char	   *errors_name;
	char	   *arguments[TRACK_ARGUMENTS];
	LifecyclePolicy policy;
	TrackMode	mode;
	bool		notify;

	TypeCacheEntry *key;		/* of the customer */
	Oid			collation;
	char	   *key_type;		/* for casts; qualified and quoted */
	char	   *key_equal;		/* OPERATOR(schema.=) */
	Oid			key_array;
	Oid			purchases_array;
	AttrNumber	columns[TRACK_COLUMNS];

	List	   *targets;		/* customer and counts_if over relid */
	List	   *value_targets;	/* ordered_at and amount */
	Oid			ordered_at_type;
	Oid			amount_type;
	Bitmapset  *attributes;		/* that the expressions read */

	Oid			queue;
	Oid			errors;
	AttrNumber	queue_columns[QUEUE_COLUMNS];
	bool		safe;			/* targets can't raise an error */

	SPIPlanPtr	insert_rows;
	SPIPlanPtr	insert_changes;
	SPIPlanPtr	recompute;
	SPIPlanPtr	select_due;
	SPIPlanPtr	delete_queued;
} Track;

/* A customer in a batch. */
typedef struct TrackEntry
{
	Datum		key;
	uint32		hash;
	char		status;			/* for the hash table */
	StageCause	cause;
	enum
	{
		ENTRY_ADD,				/* purchases are to be added */
		ENTRY_RECOMPUTE,		/* to be read from orders */
		ENTRY_SET,				/* purchases are all there is */
		ENTRY_JUDGE				/* those of the row are; by another policy, perhaps */
	}			action;
	bool		inserted;		/* has one of ours now */
	bool		skipped;		/* somebody else has the row locked */
	Purchases	purchases;
} TrackEntry;

struct TrackTable_hash;

/* The customers that a statement touched. */
typedef struct TrackBatch
{
	Track	   *track;
	MemoryContext whole;
	MemoryContext context;		/* of the customers in memory, and of what is done with them */
	struct TrackTable_hash *table;
	int64		room;			/* for so many */
	Tuplesortstate *sort;		/* of all, when they were more; or NULL */
	TupleTableSlot *to_sort;
	TupleTableSlot *sorted;		/* the last that came out of it */
	bool		pending;		/* he is in no batch yet */
} TrackBatch;

/* A table of ours, open for writing. */
typedef struct TrackTarget
{
	Relation	relation;
	EState	   *estate;
	ResultRelInfo *info;
	bool		triggers;		/* of the user's */
} TrackTarget;

/* How many customers whom the clock could not move are named; of the others is said how many they are. */
#define TRACK_FAILURES_TOLD	10

typedef struct TrackFailure
{
	char	   *customer;
	ErrorData  *error;
} TrackFailure;

typedef struct TrackFailures
{
	MemoryContext context;		/* of those that are told */
	int64		count;
	int64		untried;		/* when many have failed, some are left for the next round */
	TrackFailure told[TRACK_FAILURES_TOLD];
} TrackFailures;

/* Time passes for the customers of a table. */
typedef struct TrackRound
{
	TimestampTz as_of;			/* DT_NOBEGIN: only what is queued is applied */
	int64		limit;			/* so many may change */
	int64		tries;			/* so many are looked at, about */
	int64		tried;
	int64		passed;			/* of those due first so many stay due, and are not looked at again */
	TrackFailures *failures;	/* without it, one who fails is an error */
} TrackRound;

/* Working as the owner of the orders. */
typedef struct TrackScope
{
	Oid			user;
	int			security;
	int			guc_level;
} TrackScope;

extern bool TrackIsUnfinished(Relation orders);
extern Track *TrackCheckNames(Relation orders);
extern Oid	TrackCheckErrors(Track *track);
extern Oid	TrackSummaryIndex(Relation summary, AttrNumber customer);
extern void TrackReadPolicy(Track *track);
extern Track *TrackCached(Relation relation);
extern Track *TrackLookUp(Relation relation);
extern Track *TrackOpen(Relation relation);
extern Track *TrackOpenOrders(Oid orders, LOCKMODE lockmode, Relation *relation);
extern Track *TrackOpenIfTracked(Relation relation);
extern bool TrackIsTracked(Relation relation);
extern bool TrackIsPartition(Relation relation);
extern bool TrackIsQueued(Relation relation);
extern Oid	TrackRoot(Oid relid);
extern int64 TrackRefresh(Track *track, Relation orders);
extern int64 TrackJudge(Track *track);
extern void TrackPartitions(Oid relid, const char *const *arguments, LOCKMODE lockmode);
extern const char *TrackTruth(Track *track, const char *condition);
extern void TrackDropTriggers(Oid relid);
extern void TrackFollowUpdates(Oid relid, bool all_columns, bool make);
extern void TrackCreateView(Track *track, const char *policy, bool replace);
extern Oid	TrackFunction(void);
extern char **TrackTriggerArguments(HeapTuple tuple, TupleDesc desc);
extern List *TrackAll(void);
extern List *TrackNamed(const char *orders, const char *beside);
extern void TrackEnter(Oid owner, TrackScope *scope);
extern void TrackLeave(const TrackScope *scope);
extern const char *QuoteQualified(Oid schema, const char *name);

/* track_expression.c */
extern Node *TrackParse(Relation relation, TrackArgument which, const char *expression);
extern char *TrackDeparse(Relation relation, Node *expression);
extern const char *const track_argument_names[];

/* track_event.c */
extern void TrackCollectOrders(TrackBatch *customers, Oid relid, LOCKMODE lockmode);

/* track_batch.c */
extern TrackBatch *TrackBatchCreate(Track *track);
extern void TrackBatchFree(TrackBatch *batch);
extern TrackEntry *TrackBatchFind(TrackBatch *batch, Datum key, bool *found);
extern TrackEntry *TrackBatchLookUp(TrackBatch *batch, Datum key);
extern void TrackBatchRecompute(TrackBatch *batch, Datum key, StageCause cause);
extern TrackEntry **TrackBatchEntries(TrackBatch *batch, int *count);
extern void TrackBatchMakeRoom(TrackBatch *batch);
extern void TrackBatchFinish(TrackBatch *batch);

/* track_apply.c */
extern void TrackSortEntries(Track *track, TrackEntry **entries, int count);
extern void TrackBatchInsert(TrackBatch *batch);
extern int64 TrackBatchApply(TrackBatch *batch, bool skip_locked);
extern void TrackTargetOpen(TrackTarget *target, Oid relid, Bitmapset *updated);
extern void TrackTargetClose(TrackTarget *target);
extern SPIPlanPtr TrackKeepPlan(SPIPlanPtr *plan, const char *query, int nargs, Oid *types);
extern void TrackCheckSpi(int result, const char *what);
extern Datum TrackKeyArray(const Track *track, Datum *keys, int count);
extern int64 TrackAdvance(Track *track, TrackRound *round);
extern uint64 TrackApplications(void);
extern bool TrackMayAdd(void);
extern void TrackForbidAdding(void);

/* track_trigger.c */
extern int	TrackTriggerDepth(void);

/* track_queue.c */
extern ErrorData *TrackTry(void (*function) (void *), void *argument, bool applying);
extern bool TrackLockQueue(Track *track, bool wait);
extern void TrackEnqueue(TrackBatch *batch);
extern void TrackEnqueueAll(Track *track, bool orders);
extern void TrackEmptyQueue(Track *track, Snapshot snapshot);
extern void TrackLogError(Track *track, Datum key, bool isnull, const ErrorData *error);
extern int64 TrackApply(Track *track, int64 limit);

#endif							/* CRM_TRACK_H */
