/*
 * stage.c
 *		Fuzz target: the policy of the life cycle, and what orders and time do
 *		to a customer's row.
 */
#include "fuzz.h"

#include "../../src/crm_time.c"
#include "../../src/purchases_value.c"
#include "../../src/stage_value.c"
#include "../../src/track_row.c"

const FuzzSeed fuzz_seeds[] = {
	SEED("t{}"),
	SEED("t{\"at_risk_after\": \"90 days\", \"lost_after\": \"180 days 12:30:00.000001\", "
		 "\"at_risk_gaps\": 2, \"lost_gaps\": 4.25, \"loyal_from\": 5}"),
	SEED("b\1\0\0\x07\x12\x7d\xb7\xc0\0\0\0\x0e\x24\xfb\x6f\x80\0\0\0\0\0\0\0\x4e\x20\0\0\0\0\0\0\x9c\x40\0\0\0\0\0\0\0\5"),
	SEED("r\0\1\5\0\1\2\2\3\1\1\4\0\3\6\1\1\7\7\3\0\2\5"),
	{NULL, 0}
};

static void
check_policy(const LifecyclePolicy *policy)
{
	char		text[POLICY_TEXT_SIZE];
	unsigned char wire[POLICY_WIRE_SIZE];
	LifecyclePolicy again;

	CHECK(policy_check(policy) == NULL);
	policy_print(policy, text);
	CHECK(strlen(text) < sizeof(text));
	CHECK(policy_parse(text, &again) == NULL);
	CHECK(memcmp(policy, &again, sizeof(again)) == 0);
	policy_to_wire(policy, wire);
	CHECK(policy_from_wire(wire, sizeof(wire), &again) == NULL);
	CHECK(memcmp(policy, &again, sizeof(again)) == 0);
}

/* The changes follow from one another and end where the row stands. */
static void
check_changes(const TrackRow *row, const StageChange *changes, int count, Stage from, int64_t since)
{
	CHECK(count >= 0 && count <= TRACK_MAX_CHANGES);
	for (int i = 0; i < count; i++)
	{
		if (!changes[i].first)
		{
			CHECK(changes[i].from == from && changes[i].to != from);
			CHECK(changes[i].at >= since);
		}
		from = changes[i].to;
		since = changes[i].at;
	}
	CHECK(row->stage == from);
	CHECK(count == 0 || row->stage_since == since);
}

/* Orders, corrections and time, in steps of three bytes. */
static void
check_life(const uint8_t *data, size_t size)
{
	LifecyclePolicy policy;
	Purchases	p;
	TrackRow	row;
	StageChange changes[TRACK_MAX_CHANGES];
	int64_t		now = 0;
	Stage		from = STAGE_LEAD;
	int64_t		since = 0;
	bool		known = false;

	policy_init(&policy);
	purchases_init(&p);
	for (; size >= 3; data += 3, size -= 3)
	{
		int64_t		step = data[1] * INT64_C(86400000000);
		int			count;

		now += step;
		if (known && data[0] % 4 == 0)
			count = track_row_pass_time(&row, now + data[2] * INT64_C(864000000000), &policy, changes);
		else
		{
			StageCause	cause = data[0] % 4 == 1 ? CAUSE_CORRECTION : CAUSE_ORDER;

			if (cause == CAUSE_CORRECTION)
				purchases_init(&p);
			CHECK(purchases_add(&p, now - data[2] * INT64_C(86400000000), data[0] % 4 == 2 ? -1 : 10, 0) == PURCHASES_OK);
			if (!known)
				memset(&row, 0, sizeof(row));
			count = track_row_set(&row, known, &p, cause, now, &policy, changes);
			CHECK(memcmp(&row.purchases, &p, sizeof(p)) == 0);
			CHECK(row.stage_until >= now);
		}
		check_changes(&row, changes, count, from, since);
		/* the stage is the one that lasts until stage_until */
		CHECK(row.stage == stage_at(&p, row.stage_until, &policy));
		CHECK(row.check_at <= row.stage_until);
		known = true;
		from = row.stage;
		since = row.stage_since;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	LifecyclePolicy policy;

	if (size == 0)
		return 0;
	if (data[0] == 't')
	{
		char		text[512];

		size = size - 1 < sizeof(text) - 1 ? size - 1 : sizeof(text) - 1;
		memcpy(text, data + 1, size);
		text[size] = '\0';
		if (policy_parse(text, &policy) == NULL)
			check_policy(&policy);
	}
	else if (data[0] == 'b')
	{
		if (policy_from_wire(data + 1, size - 1, &policy) == NULL)
			check_policy(&policy);
	}
	else
		check_life(data + 1, size - 1);
	return 0;
}
