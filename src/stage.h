/*
 * stage.h
 *		Where a customer stands: the stages of the life cycle and the policy
 *		that says when one ends.
 *
 * This header and stage_value.c know nothing of the server, so that they can
 * be tested and fuzzed alone.
 */
#ifndef CRM_STAGE_H
#define CRM_STAGE_H

#include "purchases.h"

/* In the order of the life cycle. */
typedef enum Stage
{
	STAGE_LEAD,
	STAGE_NEW,
	STAGE_ACTIVE,
	STAGE_LOYAL,
	STAGE_AT_RISK,
	STAGE_LOST
} Stage;

#define STAGE_COUNT		6

/* A stage that time alone does not end. */
#define STAGE_FOREVER	INT64_MAX

#define POLICY_VERSION	1

/* Gaps are counted in units of 1/10000, as amounts are. */
#define POLICY_GAP_UNIT	10000
#define POLICY_MAX_GAPS	(INT64_C(1000000) * POLICY_GAP_UNIT)

/*
 * On disk, in memory and over the wire (there field by field, big-endian).
 * The size never changes after 1.0; what is new goes where the zeroes are.
 */
typedef struct LifecyclePolicy
{
	uint8_t		version;		/* POLICY_VERSION */
	uint8_t		zeroes[7];
	int64_t		at_risk_after;	/* microseconds after the last order */
	int64_t		lost_after;
	int64_t		at_risk_gaps;	/* own average gaps, 1/10000; 0: not used */
	int64_t		lost_gaps;
	int64_t		loyal_from;		/* orders */
	uint8_t		spare[16];		/* zeroed */
} LifecyclePolicy;

#define POLICY_SIZE		64

extern void policy_init(LifecyclePolicy *policy);
extern const char *policy_check(const LifecyclePolicy *policy);

/* the longest text form, with its closing zero */
#define POLICY_TEXT_SIZE	320
extern void policy_print(const LifecyclePolicy *policy, char *text);
extern const char *policy_parse(const char *text, LifecyclePolicy *policy);

#define POLICY_WIRE_SIZE	(1 + 5 * 8)
extern void policy_to_wire(const LifecyclePolicy *policy, unsigned char *wire);
extern const char *policy_from_wire(const unsigned char *wire, size_t length,
									LifecyclePolicy *policy);

extern Stage stage_at(const Purchases *p, int64_t as_of, const LifecyclePolicy *policy);
extern int64_t stage_end(const Purchases *p, Stage stage, const LifecyclePolicy *policy);
extern const char *stage_name(Stage stage);
extern bool stage_of_name(const char *name, size_t length, Stage *stage);
extern const char *stage_phase(Stage stage);

/* Whether nothing was bought for too long. */
static inline bool
stage_is_overdue(Stage stage)
{
	return stage == STAGE_AT_RISK || stage == STAGE_LOST;
}

#endif							/* CRM_STAGE_H */
