/*
 * track_expression.c
 *		The expressions over a row of orders: customer, time, amount, whether
 *		it counts.
 *
 * An expression is given as text, when tracking starts and again in the
 * arguments of the triggers.  It is parsed as exactly one expression, never
 * pasted into a statement before that; what is pasted later is its parse tree
 * printed anew, with every name that is not pg_catalog's qualified.
 */
#include "track.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_relation.h"
#include "parser/parse_type.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

const char *const track_argument_names[] = {
	"into_table", "customer", "ordered_at", "amount", "counts_if", "policy", "mode", "notify"
};

typedef struct ParseContext
{
	TrackArgument which;
	const char *expression;
} ParseContext;

/* Say which expression an error is about. */
static void
ParseErrorContext(void *arg)
{
	ParseContext *context = arg;

	/* a position would be one in our own text */
	errposition(0);
	errcontext("expression for %s: %s", track_argument_names[context->which], context->expression);
}

/* The raw form of a text that is one expression and nothing else. */
static Node *
ParseRaw(TrackArgument which, const char *expression)
{
	char	   *query;
	List	   *statements;
	SelectStmt *select;
	ResTarget  *target;

	/* the line feed ends a comment that would swallow the bracket */
	query = psprintf("SELECT (%s\n)", expression);
	statements = raw_parser(query, RAW_PARSE_DEFAULT);
	if (list_length(statements) == 1)
	{
		select = (SelectStmt *) linitial_node(RawStmt, statements)->stmt;
		if (IsA(select, SelectStmt) && select->op == SETOP_NONE &&
			list_length(select->targetList) == 1 &&
			select->distinctClause == NIL && select->intoClause == NULL &&
			select->fromClause == NIL && select->whereClause == NULL &&
			select->groupClause == NIL && select->havingClause == NULL &&
			select->windowClause == NIL && select->valuesLists == NIL &&
			select->sortClause == NIL && select->limitOffset == NULL &&
			select->limitCount == NULL && select->lockingClause == NIL &&
			select->withClause == NULL)
		{
			target = linitial_node(ResTarget, select->targetList);
			if (target->name == NULL && target->indirection == NIL)
				return target->val;
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("%s must be one expression", track_argument_names[which])));
	return NULL;				/* keep compiler quiet */
}

/*
 * Whether a function's result may change between two calls.  The label of an
 * enum value may, in theory, but comparing it as text is too common to refuse.
 */
static bool
IsMutable(Oid function, void *context)
{
	return function != F_ENUM_OUT && func_volatile(function) != PROVOLATILE_IMMUTABLE;
}

/* Whether a function is gone when the session ends that tracks. */
static bool
IsTemporary(Oid function, void *context)
{
	return isAnyTempNamespace(get_func_namespace(function));
}

static bool
CheckWalker(Node *node, TrackArgument *which)
{
	const char *name = track_argument_names[*which];

	if (node == NULL)
		return false;
	if (IsA(node, Var) && ((Var *) node)->varattno <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s must not use whole rows or system columns", name)));
	if (check_functions_in_node(node, IsTemporary, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("%s must not use temporary functions", name)));
	if (check_functions_in_node(node, IsMutable, NULL) ||
		IsA(node, SQLValueFunction) || IsA(node, NextValueExpr))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("%s must use immutable functions only", name),
				 errdetail("The result must not depend on when, by whom or with which settings it is calculated."),
				 errhint("Pass a timestamp without time zone as it is (it is read as UTC) or with AT TIME ZONE; use || rather than concat().")));
	return expression_tree_walker(node, CheckWalker, which);
}

/* A virtual generated column (18) has no value in the rows that triggers see. */
static void
CheckColumns(Relation relation, TrackArgument which, Node *node)
{
	Bitmapset  *attributes = NULL;
	int			offset = -1;

	pull_varattnos(node, 1, &attributes);
	while ((offset = bms_next_member(attributes, offset)) >= 0)
	{
		Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(relation),
													offset + FirstLowInvalidHeapAttributeNumber - 1);

		if (attribute->attgenerated == 'v')
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("%s must not use the virtual generated column \"%s\"",
							track_argument_names[which], NameStr(attribute->attname)),
					 errhint("Use the expression that generates it.")));
	}
}

/* What can be counted, as a type that crm.purchases takes. */
static Node *
CheckType(ParseState *pstate, TrackArgument which, Node *node)
{
	Oid			type = getBaseType(exprType(node));
	TypeCacheEntry *entry;

	switch (which)
	{
		case ARGUMENT_CUSTOMER:
			if (type == UNKNOWNOID || type_is_rowtype(type))
				break;
			entry = lookup_type_cache(type, TYPECACHE_CMP_PROC | TYPECACHE_HASH_PROC | TYPECACHE_EQ_OPR);
			if (!OidIsValid(entry->cmp_proc) || !OidIsValid(entry->hash_proc) || !OidIsValid(entry->eq_opr))
				break;
			if (type_is_collatable(type) && !OidIsValid(exprCollation(node)))
				ereport(ERROR,
						(errcode(ERRCODE_INDETERMINATE_COLLATION),
						 errmsg("could not determine which collation to use for customer"),
						 errhint("Use the COLLATE clause to set it explicitly.")));
			return node;
		case ARGUMENT_ORDERED_AT:
			if (type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID)
				return node;
			break;
		case ARGUMENT_AMOUNT:
			if (type == NUMERICOID || type == FLOAT8OID)
				return node;
			if (type == INT2OID || type == INT4OID || type == INT8OID)
				return coerce_to_target_type(pstate, node, exprType(node), NUMERICOID, -1,
											 COERCION_EXPLICIT, COERCE_EXPLICIT_CAST, -1);
			if (type == FLOAT4OID)
				return coerce_to_target_type(pstate, node, exprType(node), FLOAT8OID, -1,
											 COERCION_EXPLICIT, COERCE_EXPLICIT_CAST, -1);
			break;
		default:
			if (type == BOOLOID)
				return node;
			break;
	}
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("%s cannot be of type %s", track_argument_names[which], format_type_be(exprType(node))),
			 which == ARGUMENT_CUSTOMER ? errdetail("A customer is known by a value that can be sorted and hashed.") :
			 which == ARGUMENT_ORDERED_AT ? errdetail("A time is a timestamp with time zone, a timestamp (read as UTC) or a date (midnight UTC).") :
			 which == ARGUMENT_AMOUNT ? errdetail("An amount is numeric, an integer or in floating point.") :
			 errdetail("Whether an order counts is boolean.")));
	return NULL;				/* keep compiler quiet */
}

/*
 * Parse and check one expression over a row of the relation.  Names are found
 * by the search_path of the caller.
 */
Node *
TrackParse(Relation relation, TrackArgument which, const char *expression)
{
	ParseState *pstate = make_parsestate(NULL);
	ParseNamespaceItem *item;
	ParseContext context = {which, expression};
	ErrorContextCallback callback;
	Node	   *node;

	callback.callback = ParseErrorContext;
	callback.arg = &context;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	item = addRangeTableEntryForRelation(pstate, relation, AccessShareLock, NULL, false, true);
	addNSItemToQuery(pstate, item, false, true, true);
	node = transformExpr(pstate, ParseRaw(which, expression), EXPR_KIND_SELECT_TARGET);
	if (pstate->p_hasSubLinks)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s must not use a subquery", track_argument_names[which])));
	if (pstate->p_hasAggs || pstate->p_hasWindowFuncs)
		ereport(ERROR,
				(errcode(ERRCODE_GROUPING_ERROR),
				 errmsg("%s must not use an aggregate or window function", track_argument_names[which])));
	if (pstate->p_hasTargetSRFs)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s must not return a set", track_argument_names[which])));
	assign_expr_collations(pstate, node);
	node = CheckType(pstate, which, node);
	/* a coercion may be stable: check what will be executed */
	CheckWalker(node, &which);
	CheckColumns(relation, which, node);

	error_context_stack = callback.previous;
	free_parsestate(pstate);
	return node;
}

/*
 * Print an expression, with names qualified unless search_path has them, and
 * with constants that every session reads as what they are: as pg_dump does.
 */
char *
TrackDeparse(Relation relation, Node *expression)
{
	static const char *const settings[][2] = {
		{"datestyle", "ISO"}, {"intervalstyle", "postgres"}, {"extra_float_digits", "3"}
	};
	int			level = NewGUCNestLevel();
	char	   *result;

	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1], PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	result = deparse_expression(expression,
								deparse_context_for(RelationGetRelationName(relation),
													RelationGetRelid(relation)),
								false, false);
	AtEOXact_GUC(false, level);
	return result;
}
