/*
 * stage.c
 *		The type crm.lifecycle_policy, and the stage and phase of a customer.
 */
#include "crm.h"

#include "crm_amount.h"
#include "stage.h"

#include "common/int.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

StaticAssertDecl(sizeof(LifecyclePolicy) == POLICY_SIZE, "the size of crm.lifecycle_policy is on disk");
StaticAssertDecl(POLICY_GAP_UNIT == AMOUNT_UNIT, "gaps are read as amounts are");
StaticAssertDecl(STAGE_FOREVER == DT_NOEND, "what never ends is infinity");

#define PG_GETARG_POLICY_P(n)	((LifecyclePolicy *) PG_GETARG_POINTER(n))

PG_FUNCTION_INFO_V1(crm_lifecycle_policy_in);
PG_FUNCTION_INFO_V1(crm_lifecycle_policy_out);
PG_FUNCTION_INFO_V1(crm_lifecycle_policy_recv);
PG_FUNCTION_INFO_V1(crm_lifecycle_policy_send);
PG_FUNCTION_INFO_V1(crm_lifecycle_policy);
PG_FUNCTION_INFO_V1(crm_stage);
PG_FUNCTION_INFO_V1(crm_stage_until);
PG_FUNCTION_INFO_V1(crm_phase);

/* lifecycle_policy_in(cstring) returns lifecycle_policy: reads the text form. */
Datum
crm_lifecycle_policy_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	LifecyclePolicy *result = palloc(sizeof(LifecyclePolicy));
	const char *wrong = policy_parse(text, result);

	if (wrong != NULL)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "crm.lifecycle_policy", text),
				 errdetail("The value is not a policy: %s.", wrong)));
	PG_RETURN_POINTER(result);
}

/* lifecycle_policy_out(lifecycle_policy) returns cstring: exact, independent of settings. */
Datum
crm_lifecycle_policy_out(PG_FUNCTION_ARGS)
{
	char	   *text = palloc(POLICY_TEXT_SIZE);

	policy_print(PG_GETARG_POLICY_P(0), text);
	PG_RETURN_CSTRING(text);
}

/* lifecycle_policy_recv(internal) returns lifecycle_policy: reads the binary form. */
Datum
crm_lifecycle_policy_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	int			length = buffer->len - buffer->cursor;
	LifecyclePolicy *result = palloc(sizeof(LifecyclePolicy));
	const char *wrong;

	wrong = policy_from_wire((const unsigned char *) pq_getmsgbytes(buffer, length),
							 length, result);
	if (wrong != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid external \"%s\" value", "crm.lifecycle_policy"),
				 errdetail("The value is not one that crm sent: %s.", wrong)));
	PG_RETURN_POINTER(result);
}

/* lifecycle_policy_send(lifecycle_policy) returns bytea: the binary form. */
Datum
crm_lifecycle_policy_send(PG_FUNCTION_ARGS)
{
	bytea	   *result = palloc(VARHDRSZ + POLICY_WIRE_SIZE);

	SET_VARSIZE(result, VARHDRSZ + POLICY_WIRE_SIZE);
	policy_to_wire(PG_GETARG_POLICY_P(0), (unsigned char *) VARDATA(result));
	PG_RETURN_BYTEA_P(result);
}

/* The length of an interval of days (of 24 hours) and time. */
static int64
SpanOfInterval(const Interval *interval, const char *name)
{
	int64		span;

	if (interval->month != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be an interval of days and time", name),
				 errdetail("A month has no fixed length.")));
	if (pg_mul_s64_overflow(interval->day, USECS_PER_DAY, &span) ||
		pg_add_s64_overflow(span, interval->time, &span))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("%s is out of range", name)));
	return span;
}

/*
 * lifecycle_policy(at_risk_after interval, lost_after interval, loyal_from
 * bigint, at_risk_gaps numeric, lost_gaps numeric, personal boolean) returns
 * lifecycle_policy
 *
 * Without the personal rhythm the gaps are not used, as if they were 0.
 */
Datum
crm_lifecycle_policy(PG_FUNCTION_ARGS)
{
	LifecyclePolicy *result = palloc(sizeof(LifecyclePolicy));
	const char *wrong;
	int			scale;

	policy_init(result);
	result->at_risk_after = SpanOfInterval(PG_GETARG_INTERVAL_P(0), "at_risk_after");
	result->lost_after = SpanOfInterval(PG_GETARG_INTERVAL_P(1), "lost_after");
	result->loyal_from = PG_GETARG_INT64(2);
	result->at_risk_gaps = AmountFromNumericDatum(PG_GETARG_DATUM(3), &scale);
	result->lost_gaps = AmountFromNumericDatum(PG_GETARG_DATUM(4), &scale);
	wrong = policy_check(result);
	if (wrong != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid life cycle policy"),
				 errdetail("The policy cannot be: %s.", wrong)));
	if (!PG_GETARG_BOOL(5))
		result->at_risk_gaps = result->lost_gaps = 0;
	PG_RETURN_POINTER(result);
}

/*
 * stage(purchases, as_of timestamptz, lifecycle_policy) returns text
 *
 * A customer without a summary (NULL) is a lead.  NULL if as_of or the policy
 * is.
 */
Datum
crm_stage(PG_FUNCTION_ARGS)
{
	Stage		stage = STAGE_LEAD;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(0))
		stage = stage_at((Purchases *) PG_GETARG_POINTER(0), PG_GETARG_TIMESTAMPTZ(1),
						 PG_GETARG_POLICY_P(2));
	PG_RETURN_TEXT_P(cstring_to_text(stage_name(stage)));
}

/*
 * stage_until(purchases, lifecycle_policy, as_of timestamptz) returns
 * timestamptz
 *
 * The last moment of the stage that the customer is in at as_of, if nothing is
 * bought; of the stage at the last order if as_of is NULL.  NULL for what
 * time alone does not end: a lead, a lost customer.
 */
Datum
crm_stage_until(PG_FUNCTION_ARGS)
{
	Purchases  *p;
	LifecyclePolicy *policy;
	int64		end;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	p = (Purchases *) PG_GETARG_POINTER(0);
	policy = PG_GETARG_POLICY_P(1);
	end = stage_end(p, stage_at(p, PG_ARGISNULL(2) ? p->last_order : PG_GETARG_TIMESTAMPTZ(2), policy),
					policy);
	if (end == STAGE_FOREVER)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(end);
}

/* phase(stage text) returns text: the phase of the life cycle. */
Datum
crm_phase(PG_FUNCTION_ARGS)
{
	text	   *name = PG_GETARG_TEXT_PP(0);
	Stage		stage;

	if (!stage_of_name(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), &stage))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown stage \"%s\"", text_to_cstring(name)),
				 errhint("The stages are lead, new, active, loyal, at_risk and lost.")));
	PG_RETURN_TEXT_P(cstring_to_text(stage_phase(stage)));
}
