/*
 * clock_worker.c
 *		The clock that runs by itself, when shared_preload_libraries names crm.
 *
 * A session that stays connected to a database holds up DROP DATABASE and
 * CREATE DATABASE ... TEMPLATE.  So the launcher is connected to none: it sees
 * the shared catalogs only.  Every crm.clock_naptime it goes through the
 * databases and starts a worker for each, one after the other, that moves the
 * customers who are due and ends.
 *
 * While a worker writes it holds the lock on its database that every session
 * takes when it connects, and it takes it anew, without waiting, for each
 * transaction.  Who wants to drop or copy the database thus waits for a batch
 * at most, and then the worker leaves.
 *
 * Both are the bootstrap superuser; what belongs to a tracked table is done as
 * its owner, in a security-restricted operation (see TrackEnter).
 */
#include "clock.h"
#include "status.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

PGDLLEXPORT void crm_clock_launcher(Datum argument);
PGDLLEXPORT void crm_clock_worker(Datum argument);

/* customers that are looked at in one transaction, at most */
#define CLOCK_BATCH			10000

/* a launcher that failed is started again after so many seconds */
#define CLOCK_RESTART		5

static bool clock_on = true;
static int	clock_naptime = 60;

static void
ReloadWhenAsked(void)
{
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

/* What both processes begin with; without a database, the launcher. */
static void
Connect(Oid database)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	if (OidIsValid(database))
		BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	else
		BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	SetConfigOption("application_name", MyBgworkerEntry->bgw_type, PGC_USERSET, PGC_S_OVERRIDE);
}

/*
 * Lock a database, until the end of the transaction, as a session does that
 * connects to it.  False if that would wait: somebody drops it, moves it or
 * copies it.
 */
static bool
TryLockDatabase(Oid database)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, database, 0);
	return LockAcquire(&tag, RowExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

/*
 * The launcher
 */

/*
 * The next database by OID where a worker can connect to do something: no
 * template, open to connections, and not being dropped or copied now.
 * InvalidOid if there is none.
 */
static Oid
NextDatabase(Oid after, NameData *name)
{
	Oid			next;

	do
	{
		Relation	databases;
		TableScanDesc scan;
		HeapTuple	tuple;

		CHECK_FOR_INTERRUPTS();
		next = InvalidOid;
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		databases = table_open(DatabaseRelationId, AccessShareLock);
		scan = table_beginscan_catalog(databases, 0, NULL);
		while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
		{
			Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

			if (form->oid <= after || (OidIsValid(next) && form->oid >= next) ||
				form->datistemplate || !form->datallowconn || database_is_invalid_form(form))
				continue;
			next = form->oid;
			*name = form->datname;
		}
		table_endscan(scan);
		table_close(databases, AccessShareLock);
		after = next;
		if (OidIsValid(next) && TryLockDatabase(next))
		{
			CommitTransactionCommand();
			break;
		}
		CommitTransactionCommand();
	} while (OidIsValid(next));
	return next;
}

/*
 * Start a worker for a database and wait until it has ended.  False if the
 * server has no process to spare.
 */
static bool
RunWorker(Oid database, const NameData *name)
{
	BackgroundWorker worker = {0};
	BackgroundWorkerHandle *handle;

	snprintf(worker.bgw_name, sizeof(worker.bgw_name), "crm clock in database \"%s\"", NameStr(*name));
	strlcpy(worker.bgw_type, "crm clock", sizeof(worker.bgw_type));
	strlcpy(worker.bgw_library_name, "crm", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "crm_clock_worker", sizeof(worker.bgw_function_name));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = ObjectIdGetDatum(database);
	worker.bgw_notify_pid = MyProcPid;
	if (!RegisterDynamicBackgroundWorker(&worker, &handle))
		return false;
	if (WaitForBackgroundWorkerShutdown(handle) == BGWH_POSTMASTER_DIED)
		proc_exit(1);
	pfree(handle);
	return true;
}

/* Once through the databases. */
static void
RunWorkers(void)
{
	static bool told = false;
	Oid			database = InvalidOid;
	NameData	name;

	while (OidIsValid(database = NextDatabase(database, &name)))
	{
		ReloadWhenAsked();
		if (!clock_on)
			break;
		if (RunWorker(database, &name))
			told = false;
		else
		{
			/* once, until it works again */
			if (!told)
				ereport(LOG,
						(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
						 errmsg("crm clock could not start a background worker"),
						 errdetail("All of them are in use; it is tried again every crm.clock_naptime."),
						 errhint("Consider increasing the configuration parameter \"max_worker_processes\".")));
			told = true;
			break;
		}
	}
}

void
crm_clock_launcher(Datum argument)
{
	uint32		sleeping;

	Connect(InvalidOid);
	StatusLauncherStarted();
	sleeping = crm_wait_event("CrmClockMain");
	for (;;)
	{
		TimestampTz began = GetCurrentTimestamp();

		if (clock_on)
		{
			pgstat_report_activity(STATE_RUNNING, NULL);
			RunWorkers();
			StatusRoundEnded();
			pgstat_report_activity(STATE_IDLE, NULL);
		}
		for (;;)
		{
			int64		nap;

			CHECK_FOR_INTERRUPTS();
			ReloadWhenAsked();
			/* a system clock that is set back must not let it sleep for longer */
			nap = Min(clock_naptime * INT64CONST(1000),
					  (began - GetCurrentTimestamp()) / 1000 + clock_naptime * INT64CONST(1000));
			if (nap <= 0)
				break;
			(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, nap, sleeping);
			ResetLatch(MyLatch);
		}
	}
}

/*
 * The worker
 */

/*
 * Begin a transaction.  False, and none is begun, if nothing may be written to
 * this database now.
 */
static bool
Begin(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	if (clock_on && !XactReadOnly && TryLockDatabase(MyDatabaseId))
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		return true;
	}
	CommitTransactionCommand();
	return false;
}

static void
Commit(void)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
}

static void
ContextOfTable(void *orders)
{
	errcontext("crm clock moving customers of %s", (char *) orders);
}

/*
 * A batch of a table, and the end of the transaction.  False if that was all for
 * this round; an error is logged, and is the end for this table only.
 */
static bool
AdvanceTable(Oid orders, TrackRound *round)
{
	volatile bool more = false;
	char	   *relation = get_rel_name(orders);
	char		name[4 * NAMEDATALEN + 8];	/* outlives the transaction; two names, quoted */
	ErrorContextCallback context;

	if (relation == NULL)
	{
		Commit();
		return false;
	}
	strlcpy(name, QuoteQualified(get_rel_namespace(orders), relation), sizeof(name));
	pgstat_report_activity(STATE_RUNNING, psprintf("crm clock: %s", name));
	context.callback = ContextOfTable;
	context.arg = name;
	context.previous = error_context_stack;
	error_context_stack = &context;
	PG_TRY();
	{
		round->as_of = GetCurrentTransactionStartTimestamp();
		round->limit = round->tries = CLOCK_BATCH;
		round->tried = 0;
		more = ClockAdvance(orders, round) >= CLOCK_BATCH || round->tried >= CLOCK_BATCH;
		Commit();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		HOLD_INTERRUPTS();
		EmitErrorReport();
		/* before the transaction's memory goes, where an error raised again has names */
		MemoryContextSwitchTo(TopMemoryContext);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(TopMemoryContext);
		StatusNoteError(name, error);
		FreeErrorData(error);
		RESUME_INTERRUPTS();
		more = false;
	}
	PG_END_TRY();
	error_context_stack = context.previous;
	pgstat_report_stat(true);
	return more;
}

void
crm_clock_worker(Datum argument)
{
	List	   *tables = NIL;
	ListCell   *cell;

	Connect(DatumGetObjectId(argument));
	/* whatever the database's own settings are */
	SetConfigOption("default_transaction_isolation", "read committed", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("role", "none", PGC_SUSET, PGC_S_OVERRIDE);
	/* which would end a worker again and again (17) */
	if (GetConfigOption("transaction_timeout", true, false) != NULL)
		SetConfigOption("transaction_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
	/* a table that somebody alters is done next time: others wait for this one */
	SetConfigOption("lock_timeout", "1s", PGC_SUSET, PGC_S_OVERRIDE);

	clock_failed = StatusNoteError;
	if (!Begin())
		return;
	if (OidIsValid(get_extension_oid("crm", true)))
	{
		List	   *found = TrackAll();
		MemoryContext previous = MemoryContextSwitchTo(TopMemoryContext);

		tables = list_copy(found);
		MemoryContextSwitchTo(previous);
	}
	Commit();
	foreach(cell, tables)
	{
		TrackRound	round = {0};

		do
		{
			CHECK_FOR_INTERRUPTS();
			ReloadWhenAsked();
			if (!Begin())
				return;
		} while (AdvanceTable(lfirst_oid(cell), &round));
	}
}

/*
 * Define the settings; and register the launcher, if this is the postmaster's
 * loading of the library.
 */
void
ClockInit(void)
{
	BackgroundWorker launcher = {0};

	DefineCustomBoolVariable("crm.clock",
							 "Moves customers to at_risk and lost in the background.",
							 "Needs crm in shared_preload_libraries.",
							 &clock_on, true, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("crm.clock_naptime",
							"Time between two runs of the clock.",
							NULL,
							&clock_naptime, 60, 1, 86400, PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	MarkGUCPrefixReserved("crm");

	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	StatusInit();
	strlcpy(launcher.bgw_name, "crm clock launcher", sizeof(launcher.bgw_name));
	strlcpy(launcher.bgw_type, "crm clock launcher", sizeof(launcher.bgw_type));
	strlcpy(launcher.bgw_library_name, "crm", sizeof(launcher.bgw_library_name));
	strlcpy(launcher.bgw_function_name, "crm_clock_launcher", sizeof(launcher.bgw_function_name));
	launcher.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	launcher.bgw_start_time = BgWorkerStart_RecoveryFinished;
	launcher.bgw_restart_time = CLOCK_RESTART;
	RegisterBackgroundWorker(&launcher);
}
