/*
 * stage_value.c
 *		The rules of the life cycle, and the text and binary forms of a policy.
 *
 * No function here allocates, raises an error or knows the server.
 */
#include "stage.h"

#include <stdio.h>
#include <string.h>

#define USECS_OF_SECOND	INT64_C(1000000)
#define USECS_OF_DAY	INT64_C(86400000000)

static const char *const stage_names[STAGE_COUNT] = {
	"lead", "new", "active", "loyal", "at_risk", "lost"
};

static const char *const stage_phases[STAGE_COUNT] = {
	"acquisition", "launch", "development", "development", "separation", "separation"
};

const char *
stage_name(Stage stage)
{
	return stage_names[stage];
}

/* The phase of the life cycle that a stage belongs to. */
const char *
stage_phase(Stage stage)
{
	return stage_phases[stage];
}

bool
stage_of_name(const char *name, size_t length, Stage *stage)
{
	for (int i = 0; i < STAGE_COUNT; i++)
	{
		if (strlen(stage_names[i]) == length && memcmp(stage_names[i], name, length) == 0)
		{
			*stage = (Stage) i;
			return true;
		}
	}
	return false;
}

/*
 * How long after the last order a threshold is reached: the fixed time, or so
 * many of the customer's own average gaps if that is longer.  The average gap
 * is average_gap(): rounded down to the microsecond.
 */
static int64_t
threshold(const Purchases *p, int64_t after, int64_t gaps)
{
	uint64_t	gap;
	int64_t		whole;
	int64_t		personal;

	if (gaps == 0 || p->orders < 2)
		return after;
	gap = purchases_active(p) / purchases_repeats(p);
	if (__builtin_mul_overflow(gap / POLICY_GAP_UNIT, gaps, &whole) ||
		__builtin_add_overflow(whole, gap % POLICY_GAP_UNIT * gaps / POLICY_GAP_UNIT, &personal))
		return STAGE_FOREVER;
	return personal > after ? personal : after;
}

/* The last moment of a threshold, or STAGE_FOREVER if the calendar ends before. */
static int64_t
last_moment(const Purchases *p, int64_t after, int64_t gaps)
{
	int64_t		end;

	if (__builtin_add_overflow(p->last_order, threshold(p, after, gaps), &end) ||
		end >= PURCHASES_END_TIME)
		return STAGE_FOREVER;
	return end;
}

/*
 * The last moment of a stage if nothing is bought, or STAGE_FOREVER.  Of a
 * stage that is not the customer's it is the moment at which it would end.
 */
int64_t
stage_end(const Purchases *p, Stage stage, const LifecyclePolicy *policy)
{
	if (p->orders == 0 || stage == STAGE_LEAD || stage == STAGE_LOST)
		return STAGE_FOREVER;
	if (stage == STAGE_AT_RISK)
		return last_moment(p, policy->lost_after, policy->lost_gaps);
	return last_moment(p, policy->at_risk_after, policy->at_risk_gaps);
}

/*
 * The stage at a moment.  A stage lasts up to and including its last moment:
 * an order that is exactly 90 days old is not yet older than 90 days.
 *
 * The smallest and the greatest int64_t, timestamptz's infinities, work too:
 * before all time nobody is overdue, in the end everybody who can be is lost.
 */
Stage
stage_at(const Purchases *p, int64_t as_of, const LifecyclePolicy *policy)
{
	int64_t		end;

	if (p->orders == 0)
		return STAGE_LEAD;
	end = stage_end(p, STAGE_AT_RISK, policy);
	if (as_of > end)
		return STAGE_LOST;
	end = stage_end(p, STAGE_NEW, policy);
	if (as_of > end)
		return STAGE_AT_RISK;
	if (p->orders == 1)
		return STAGE_NEW;
	return p->orders >= policy->loyal_from ? STAGE_LOYAL : STAGE_ACTIVE;
}

/* The default policy. */
void
policy_init(LifecyclePolicy *policy)
{
	memset(policy, 0, sizeof(*policy));
	policy->version = POLICY_VERSION;
	policy->at_risk_after = 90 * USECS_OF_DAY;
	policy->lost_after = 180 * USECS_OF_DAY;
	policy->at_risk_gaps = 2 * POLICY_GAP_UNIT;
	policy->lost_gaps = 4 * POLICY_GAP_UNIT;
	policy->loyal_from = 5;
}

/*
 * NULL, or what is wrong with a policy.  That lost never comes before at_risk,
 * whatever the customer's rhythm, is what stage_at() relies on.
 */
const char *
policy_check(const LifecyclePolicy *policy)
{
	if (policy->version != POLICY_VERSION)
		return "its version is unknown";
	if (policy->at_risk_after <= 0)
		return "\"at_risk_after\" must be greater than zero";
	if (policy->lost_after < policy->at_risk_after)
		return "\"lost_after\" must not be less than \"at_risk_after\"";
	if (policy->lost_after >= PURCHASES_END_TIME)
		return "\"lost_after\" is too long";
	if (policy->at_risk_gaps < 0 || policy->lost_gaps > POLICY_MAX_GAPS)
		return "\"at_risk_gaps\" and \"lost_gaps\" must be from 0 to 1000000";
	if (policy->lost_gaps < policy->at_risk_gaps)
		return "\"lost_gaps\" must not be less than \"at_risk_gaps\"";
	if (policy->loyal_from < 2)
		return "\"loyal_from\" must be at least 2";
	return NULL;
}

/*
 * Text form
 *
 * JSON, printed with all keys in a fixed order, independent of every setting:
 *
 * {"at_risk_after": "90 days", "lost_after": "180 days", "at_risk_gaps": 2,
 *  "lost_gaps": 4, "loyal_from": 5}
 *
 * What is read may leave out keys, for the default, and may order them anew.
 */
static char *
print_span(char *text, const char *key, int64_t span)
{
	int64_t		rest = span % USECS_OF_DAY;
	int			seconds = (int) (rest / USECS_OF_SECOND);

	text += sprintf(text, "\"%s\": \"%lld days", key, (long long) (span / USECS_OF_DAY));
	if (rest != 0)
		text += sprintf(text, " %02d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);
	if (rest % USECS_OF_SECOND != 0)
		text += sprintf(text, ".%06d", (int) (rest % USECS_OF_SECOND));
	return text + sprintf(text, "\", ");
}

static char *
print_gaps(char *text, const char *key, int64_t gaps)
{
	int			rest = (int) (gaps % POLICY_GAP_UNIT);
	int			digits = 4;

	text += sprintf(text, "\"%s\": %lld", key, (long long) (gaps / POLICY_GAP_UNIT));
	if (rest != 0)
	{
		for (; rest % 10 == 0; rest /= 10)
			digits--;
		text += sprintf(text, ".%0*d", digits, rest);
	}
	return text + sprintf(text, ", ");
}

/* Write the text form; text has room for POLICY_TEXT_SIZE bytes. */
void
policy_print(const LifecyclePolicy *policy, char *text)
{
	*text++ = '{';
	text = print_span(text, "at_risk_after", policy->at_risk_after);
	text = print_span(text, "lost_after", policy->lost_after);
	text = print_gaps(text, "at_risk_gaps", policy->at_risk_gaps);
	text = print_gaps(text, "lost_gaps", policy->lost_gaps);
	sprintf(text, "\"loyal_from\": %lld}", (long long) policy->loyal_from);
}

/* Step over one token, and the space before it, if it is there. */
static bool
skip(const char **s, const char *token)
{
	const char *here = *s;
	size_t		length = strlen(token);

	while (*here == ' ' || *here == '\t' || *here == '\n' || *here == '\r')
		here++;
	if (strncmp(here, token, length) != 0)
		return false;
	*s = here + length;
	return true;
}

/* A number without sign as a count of 10^-decimals. */
static bool
read_number(const char **s, int decimals, int64_t *value)
{
	int			digits = 0;
	int64_t		sum = 0;

	skip(s, "");
	for (; **s >= '0' && **s <= '9'; (*s)++, digits++)
		if (__builtin_mul_overflow(sum, 10, &sum) ||
			__builtin_add_overflow(sum, **s - '0', &sum))
			return false;
	if (digits == 0)
		return false;
	if (decimals > 0 && **s == '.')
	{
		(*s)++;
		if (**s < '0' || **s > '9')
			return false;
		for (; **s >= '0' && **s <= '9'; (*s)++, decimals--)
			if (decimals == 0 || __builtin_mul_overflow(sum, 10, &sum) ||
				__builtin_add_overflow(sum, **s - '0', &sum))
				return false;
	}
	for (; decimals > 0; decimals--)
		if (__builtin_mul_overflow(sum, 10, &sum))
			return false;
	*value = sum;
	return true;
}

/* "90 days" or "90 days 01:30:00.000001", with quotes */
static bool
read_span(const char **s, int64_t *span)
{
	int64_t		days;
	int64_t		hours;
	int64_t		minutes;
	int64_t		usecs;

	if (!skip(s, "\"") || !read_number(s, 0, &days) || !(skip(s, "days") || skip(s, "day")) ||
		__builtin_mul_overflow(days, USECS_OF_DAY, span))
		return false;
	if (skip(s, "\""))
		return true;
	return read_number(s, 0, &hours) && hours < 24 && skip(s, ":") &&
		read_number(s, 0, &minutes) && minutes < 60 && skip(s, ":") &&
		read_number(s, 6, &usecs) && usecs < 60 * USECS_OF_SECOND &&
		!__builtin_add_overflow(*span, (hours * 60 + minutes) * 60 * USECS_OF_SECOND + usecs, span) &&
		skip(s, "\"");
}

/*
 * Read the text form.  Returns NULL, or what is wrong with it, as the detail
 * of an error message.
 */
const char *
policy_parse(const char *text, LifecyclePolicy *policy)
{
	const char *s = text;
	bool		first = true;

	policy_init(policy);
	if (!skip(&s, "{"))
		return "it must begin with {";
	while (!skip(&s, "}"))
	{
		if (!first && !skip(&s, ","))
			return "a comma or } must follow each value";
		first = false;
		if (skip(&s, "\"at_risk_after\""))
		{
			if (!skip(&s, ":") || !read_span(&s, &policy->at_risk_after))
				return "\"at_risk_after\" must be like \"90 days\" or \"90 days 12:00:00\"";
		}
		else if (skip(&s, "\"lost_after\""))
		{
			if (!skip(&s, ":") || !read_span(&s, &policy->lost_after))
				return "\"lost_after\" must be like \"180 days\" or \"180 days 12:00:00\"";
		}
		else if (skip(&s, "\"at_risk_gaps\""))
		{
			if (!skip(&s, ":") || !read_number(&s, 4, &policy->at_risk_gaps))
				return "\"at_risk_gaps\" must be a number of up to four decimals";
		}
		else if (skip(&s, "\"lost_gaps\""))
		{
			if (!skip(&s, ":") || !read_number(&s, 4, &policy->lost_gaps))
				return "\"lost_gaps\" must be a number of up to four decimals";
		}
		else if (skip(&s, "\"loyal_from\""))
		{
			if (!skip(&s, ":") || !read_number(&s, 0, &policy->loyal_from))
				return "\"loyal_from\" must be a whole number";
		}
		else
			return "its keys are \"at_risk_after\", \"lost_after\", \"at_risk_gaps\", \"lost_gaps\" and \"loyal_from\"";
	}
	skip(&s, "");
	if (*s != '\0')
		return "it must end with }";
	return policy_check(policy);
}

/* Write the binary form, POLICY_WIRE_SIZE bytes. */
void
policy_to_wire(const LifecyclePolicy *policy, unsigned char *wire)
{
	const int64_t fields[5] = {
		policy->at_risk_after, policy->lost_after, policy->at_risk_gaps,
		policy->lost_gaps, policy->loyal_from
	};

	*wire++ = policy->version;
	for (int i = 0; i < 5; i++)
		for (int shift = 56; shift >= 0; shift -= 8)
			*wire++ = (unsigned char) ((uint64_t) fields[i] >> shift);
}

/* Read the binary form.  Returns NULL, or what is wrong with it. */
const char *
policy_from_wire(const unsigned char *wire, size_t length, LifecyclePolicy *policy)
{
	int64_t    *const fields[5] = {
		&policy->at_risk_after, &policy->lost_after, &policy->at_risk_gaps,
		&policy->lost_gaps, &policy->loyal_from
	};

	if (length != POLICY_WIRE_SIZE)
		return "its length is wrong";
	policy_init(policy);
	policy->version = *wire++;
	for (int i = 0; i < 5; i++)
	{
		uint64_t	bits = 0;

		for (int byte = 0; byte < 8; byte++)
			bits = bits << 8 | *wire++;
		*fields[i] = (int64_t) bits;
	}
	return policy_check(policy);
}
