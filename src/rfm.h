/*
 * rfm.h
 *		Recency, frequency, monetary: where a customer stands among the others.
 *
 * This header and rfm_score.c know nothing of the server, so that they can be
 * tested and fuzzed alone.
 *
 * The three measures are 64-bit integers and compared exactly: the
 * microseconds from the last order to a moment (fewer are better), the number
 * of orders, and the revenue in units of 1/10000, net of refunds.
 */
#ifndef CRM_RFM_H
#define CRM_RFM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RFM_RECENCY			0
#define RFM_FREQUENCY		1
#define RFM_MONETARY		2
#define RFM_MEASURES		3

extern const char *const rfm_measure_names[RFM_MEASURES];

#define RFM_MIN_BINS		2
#define RFM_MAX_BINS		10
#define RFM_MAX_CUTS		(RFM_MAX_BINS - 1)
#define RFM_DEFAULT_BINS	5

/*
 * Scores
 *
 * Three scores from 1 to bins in one int32_t, so that comparing two of them is
 * comparing integers: by recency, frequency, monetary and then bins.  A
 * prospect, who has no orders, has no scores and is 0.  Stored as such.
 */
static inline int32_t
rfm_pack(int recency, int frequency, int monetary, int bins)
{
	return recency << 24 | frequency << 16 | monetary << 8 | bins;
}

#define RFM_PROSPECT		0

static inline int
rfm_score(int32_t rfm, int measure)
{
	return rfm >> (24 - 8 * measure) & 0xFF;
}

static inline int
rfm_bins(int32_t rfm)
{
	return rfm & 0xFF;
}

extern const char *rfm_make(int64_t recency, int64_t frequency, int64_t monetary,
							int64_t bins, int32_t *rfm);

/* the longest text form, "10-10-10/10", with its closing zero */
#define RFM_TEXT_SIZE		12
extern void rfm_print(int32_t rfm, char *text);
extern const char *rfm_parse(const char *text, int32_t *rfm);

#define RFM_WIRE_SIZE		4
extern void rfm_to_wire(int32_t rfm, unsigned char *wire);
extern const char *rfm_from_wire(const unsigned char *wire, size_t length, int32_t *rfm);

/*
 * A scale: bins - 1 cut points for each measure, ascending.  A cut point is
 * the largest value of its bin: who is exactly on it is still in that bin.
 *
 * On disk, in memory and over the wire (there field by field, big-endian).
 * The size never changes after 1.0; what is new goes where the zeroes are.
 */
#define RFM_SCALE_VERSION	1

typedef struct RfmScale
{
	uint8_t		version;		/* RFM_SCALE_VERSION */
	uint8_t		bins;
	uint8_t		decimals;		/* of the monetary cut points, to show: 0 to 4 */
	uint8_t		zeroes[5];
	int64_t		cuts[RFM_MEASURES][RFM_MAX_CUTS];	/* zero from bins - 1 on */
	uint8_t		spare[16];		/* zeroed */
} RfmScale;

#define RFM_SCALE_SIZE		240

extern void rfm_scale_init(RfmScale *scale, int bins);
extern const char *rfm_scale_check(const RfmScale *scale);
extern int32_t rfm_scale_apply(const RfmScale *scale, int64_t recency,
							   int64_t frequency, int64_t monetary);

/* the longest text form, with its closing zero */
#define RFM_SCALE_TEXT_SIZE	1024
extern void rfm_scale_print(const RfmScale *scale, char *text);
extern const char *rfm_scale_parse(const char *text, RfmScale *scale);

#define RFM_SCALE_MAX_WIRE	(3 + RFM_MEASURES * RFM_MAX_CUTS * 8)
extern size_t rfm_scale_to_wire(const RfmScale *scale, unsigned char *wire);
extern const char *rfm_scale_from_wire(const unsigned char *wire, size_t length,
									   RfmScale *scale);

/*
 * Cut points of a multitude: a search by digits, from the highest down.
 *
 * Each round reads all values once and counts, by their next digit, those
 * that still can be a cut point.  There are at most RFM_MAX_ROUNDS rounds,
 * whatever the values are, and nothing is moved or copied.
 */
#define RFM_DIGIT_BITS		10
#define RFM_DIGITS			(1 << RFM_DIGIT_BITS)
#define RFM_MAX_ROUNDS		7	/* of 10 bits, in 64 */

typedef struct RfmSearch
{
	int			cuts;			/* how many cut points are searched for */
	int			shift;			/* of this round's digit */
	uint64_t	least;			/* what the values are counted from */
	uint64_t	prefix[RFM_MAX_CUTS];	/* digits found of each cut point */
	uint64_t	rank[RFM_MAX_CUTS]; /* values before it, among those of its
									 * prefix */
	int			groups;			/* different prefixes, and which each has */
	uint64_t	group_prefix[RFM_MAX_CUTS];
	int			group[RFM_MAX_CUTS];
	uint64_t	counts[RFM_MAX_CUTS][RFM_DIGITS];	/* of each group */
} RfmSearch;

extern void rfm_search_begin(RfmSearch *search, int bins, uint64_t count,
							 int64_t least, int64_t greatest);
extern void rfm_search_count(RfmSearch *search, const int64_t *values, size_t count);
extern bool rfm_search_narrow(RfmSearch *search);
extern int64_t rfm_search_cut(const RfmSearch *search, int cut);

/*
 * Segments
 */
typedef enum RfmMap
{
	RFM_MAP_UNKNOWN = -1,
	RFM_MAP_FM_GRID,
	RFM_MAP_RF_GRID,
	RFM_MAP_SHOPIFY
} RfmMap;

extern RfmMap rfm_map(const char *name, size_t length);
extern const char *rfm_segment(int32_t rfm, RfmMap map);

/* One line of a map of the user's own: a box of scores, bounds included. */
typedef struct RfmBox
{
	uint8_t		low[RFM_MEASURES];
	uint8_t		high[RFM_MEASURES];
} RfmBox;

extern bool rfm_in_box(int32_t rfm, const RfmBox *box);

#define RFM_SEGMENT_PROSPECTS	"Prospects"
#define RFM_SEGMENT_OTHERS		"Others"

#endif							/* CRM_RFM_H */
