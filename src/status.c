/*
 * status.c
 *		What the clock tells of itself: is there a launcher, when did it last
 *		come through, and what failed lately.
 *
 * It is in shared memory, and so there only if shared_preload_libraries names
 * crm; a restart forgets it.  The server's log has every error in full.
 *
 * Here too: the version of the library, and the arguments of a trigger as an
 * array, both for crm.status() and crm.doctor().
 */
#include "status.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(crm_library_version);
PG_FUNCTION_INFO_V1(crm_trigger_arguments);
PG_FUNCTION_INFO_V1(crm_clock_state);
PG_FUNCTION_INFO_V1(crm_clock_errors);

/* how many errors are remembered, of all databases together */
#define STATUS_ERRORS	64

typedef struct StatusError
{
	TimestampTz at;
	Oid			database;
	int			sqlstate;
	char		table[4 * NAMEDATALEN + 8]; /* two names, quoted */
	char		message[256];	/* in the encoding of its database */
} StatusError;

typedef struct StatusShared
{
	LWLock	   *lock;
	int			launcher;		/* process, or 0 */
	TimestampTz round_ended;	/* 0: none yet */
	uint64		errors;			/* since the start; the next goes to errors % STATUS_ERRORS */
	StatusError error[STATUS_ERRORS];
} StatusShared;

static StatusShared *shared = NULL;
static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

static void
RequestShared(void)
{
	if (previous_request_hook != NULL)
		previous_request_hook();
	RequestAddinShmemSpace(MAXALIGN(sizeof(StatusShared)));
	RequestNamedLWLockTranche("crm", 1);
}

static void
StartShared(void)
{
	bool		found;

	if (previous_startup_hook != NULL)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("crm", sizeof(StatusShared), &found);
	if (!found)
	{
		memset(shared, 0, sizeof(StatusShared));
		shared->lock = &(GetNamedLWLockTranche("crm"))->lock;
	}
	LWLockRelease(AddinShmemInitLock);
}

/* Ask for the shared memory, while the postmaster loads the library. */
void
StatusInit(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = RequestShared;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = StartShared;
}

static void
SetLauncher(int pid)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->launcher = pid;
	LWLockRelease(shared->lock);
}

static void
LauncherEnded(int code, Datum argument)
{
	SetLauncher(0);
}

/* Called by the launcher; that it ended is noted by itself. */
void
StatusLauncherStarted(void)
{
	SetLauncher(MyProcPid);
	before_shmem_exit(LauncherEnded, (Datum) 0);
}

/* Called by the launcher when it has been through all databases. */
void
StatusRoundEnded(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->round_ended = GetCurrentTimestamp();
	LWLockRelease(shared->lock);
}

/* Called by a worker; table is qualified and quoted. */
void
StatusNoteError(const char *table, const ErrorData *error)
{
	const char *message = error->message != NULL ? error->message : "";
	StatusError note = {0};

	note.at = GetCurrentTimestamp();
	note.database = MyDatabaseId;
	note.sqlstate = error->sqlerrcode;
	strlcpy(note.table, table, sizeof(note.table));
	memcpy(note.message, message, pg_mbcliplen(message, strlen(message), sizeof(note.message) - 1));

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->error[shared->errors % STATUS_ERRORS] = note;
	shared->errors++;
	LWLockRelease(shared->lock);
}

/*
 * library_version() returns text: of the library that this session has loaded,
 * which the extension's own version should be.
 */
Datum
crm_library_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(CRM_VERSION));
}

/*
 * trigger_arguments(tgargs bytea) returns text[]: the arguments of a trigger,
 * each of which a zero byte ends.
 */
Datum
crm_trigger_arguments(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	const char *at = VARDATA_ANY(bytes);
	const char *end = at + VARSIZE_ANY_EXHDR(bytes);
	ArrayBuildState *result = initArrayResult(TEXTOID, CurrentMemoryContext, false);

	while (at < end)
	{
		const char *zero = memchr(at, '\0', end - at);

		if (zero == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("arguments of a trigger end with a zero byte")));
		(void) pg_verifymbstr(at, zero - at, false);
		accumArrayResult(result, PointerGetDatum(cstring_to_text_with_len(at, zero - at)), false, TEXTOID, CurrentMemoryContext);
		at = zero + 1;
	}
	PG_RETURN_DATUM(makeArrayResult(result, CurrentMemoryContext));
}

/*
 * clock_state() returns (preloaded boolean, launcher integer, last_round
 * timestamptz): launcher is a process, or NULL if there is none.
 */
Datum
crm_clock_state(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[3] = {0};
	bool		nulls[3] = {false, true, true};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = BoolGetDatum(shared != NULL);
	if (shared != NULL)
	{
		LWLockAcquire(shared->lock, LW_SHARED);
		values[1] = Int32GetDatum(shared->launcher);
		nulls[1] = shared->launcher == 0;
		values[2] = TimestampTzGetDatum(shared->round_ended);
		nulls[2] = shared->round_ended == 0;
		LWLockRelease(shared->lock);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/*
 * clock_errors() returns setof (at timestamptz, orders text, sqlstate text,
 * message text): of this database, newest first.  A message can quote values
 * that not everybody may read: it is NULL but for pg_read_all_stats.
 */
Datum
crm_clock_errors(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bool		may_read = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	StatusError *errors;
	uint64		count;

	InitMaterializedSRF(fcinfo, 0);
	if (shared == NULL)
		return (Datum) 0;
	errors = palloc(sizeof(shared->error));
	LWLockAcquire(shared->lock, LW_SHARED);
	memcpy(errors, shared->error, sizeof(shared->error));
	count = shared->errors;
	LWLockRelease(shared->lock);

	for (uint64 i = 1; i <= Min(count, STATUS_ERRORS); i++)
	{
		StatusError *error = &errors[(count - i) % STATUS_ERRORS];
		Datum		values[4];
		bool		nulls[4] = {false, false, false, !may_read};

		if (error->database != MyDatabaseId)
			continue;
		values[0] = TimestampTzGetDatum(error->at);
		values[1] = CStringGetTextDatum(error->table);
		values[2] = CStringGetTextDatum(unpack_sql_state(error->sqlstate));
		values[3] = CStringGetTextDatum(error->message);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
