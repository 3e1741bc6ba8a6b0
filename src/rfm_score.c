/*
 * rfm_score.c
 *		The arithmetic of RFM: cut points, scores, segments, and the text and
 *		binary forms of both types.
 *
 * No function here allocates, raises an error or knows the server.
 */
#include "rfm.h"

#include "crm_text.h"

const char *const rfm_measure_names[RFM_MEASURES] = {"recency", "frequency", "monetary"};

/*
 * Scores
 */

/*
 * Pack three scores, 0-0-0 being a prospect whatever bins are.  Returns NULL,
 * or what is wrong with them.
 */
const char *
rfm_make(int64_t recency, int64_t frequency, int64_t monetary, int64_t bins, int32_t *rfm)
{
	if (bins < RFM_MIN_BINS || bins > RFM_MAX_BINS)
		return "there must be from 2 to 10 bins";
	if (recency == 0 && frequency == 0 && monetary == 0)
	{
		*rfm = RFM_PROSPECT;
		return NULL;
	}
	if (recency < 1 || recency > bins || frequency < 1 || frequency > bins ||
		monetary < 1 || monetary > bins)
		return "scores must be from 1 to the number of bins, or all three 0";
	*rfm = rfm_pack((int) recency, (int) frequency, (int) monetary, (int) bins);
	return NULL;
}

/* Write the text form: "5-4-5", and "8-9-10/10" if there aren't 5 bins. */
void
rfm_print(int32_t rfm, char *text)
{
	text += sprintf(text, "%d-%d-%d", rfm_score(rfm, RFM_RECENCY),
					rfm_score(rfm, RFM_FREQUENCY), rfm_score(rfm, RFM_MONETARY));
	if (rfm != RFM_PROSPECT && rfm_bins(rfm) != RFM_DEFAULT_BINS)
		sprintf(text, "/%d", rfm_bins(rfm));
}

/* One or two digits. */
static bool
take_score(const char **s, int64_t *score)
{
	int			digits = 0;

	*score = 0;
	for (; **s >= '0' && **s <= '9'; (*s)++)
	{
		if (++digits > 2)
			return false;
		*score = *score * 10 + (**s - '0');
	}
	return digits > 0;
}

/* Read the text form.  Returns NULL, or what is wrong with it. */
const char *
rfm_parse(const char *text, int32_t *rfm)
{
	static const char *const form = "this is something else";
	const char *s = text_skip_space(text);
	int64_t		scores[RFM_MEASURES];
	int64_t		bins = RFM_DEFAULT_BINS;

	for (int i = 0; i < RFM_MEASURES; i++)
		if ((i > 0 && *s++ != '-') || !take_score(&s, &scores[i]))
			return form;
	if (*s == '/')
	{
		s++;
		if (!take_score(&s, &bins))
			return form;
	}
	if (*text_skip_space(s) != '\0')
		return form;
	return rfm_make(scores[RFM_RECENCY], scores[RFM_FREQUENCY], scores[RFM_MONETARY], bins, rfm);
}

/* Write the binary form, RFM_WIRE_SIZE bytes: the scores and the bins. */
void
rfm_to_wire(int32_t rfm, unsigned char *wire)
{
	for (int i = 0; i < RFM_MEASURES; i++)
		wire[i] = rfm_score(rfm, i);
	wire[RFM_MEASURES] = rfm_bins(rfm);
}

/* Read the binary form.  Returns NULL, or what is wrong with it. */
const char *
rfm_from_wire(const unsigned char *wire, size_t length, int32_t *rfm)
{
	if (length != RFM_WIRE_SIZE)
		return "its length is wrong";
	*rfm = RFM_PROSPECT;
	if ((wire[0] | wire[1] | wire[2] | wire[3]) == 0)
		return NULL;
	return rfm_make(wire[RFM_RECENCY], wire[RFM_FREQUENCY], wire[RFM_MONETARY],
					wire[RFM_MEASURES], rfm);
}

/*
 * Scales
 */

void
rfm_scale_init(RfmScale *scale, int bins)
{
	memset(scale, 0, sizeof(*scale));
	scale->version = RFM_SCALE_VERSION;
	scale->bins = bins;
}

/* NULL, or what is wrong with a scale that came from outside. */
const char *
rfm_scale_check(const RfmScale *scale)
{
	int64_t		grain;

	if (scale->version != RFM_SCALE_VERSION)
		return "its version is unknown";
	if (scale->bins < RFM_MIN_BINS || scale->bins > RFM_MAX_BINS)
		return "there must be from 2 to 10 bins";
	if (scale->decimals > TEXT_MAX_DECIMALS)
		return "it has more than four decimals";
	grain = text_power_of_ten(TEXT_MAX_DECIMALS - scale->decimals);
	for (int k = 0; k < scale->bins - 1; k++)
	{
		for (int i = 0; i < RFM_MEASURES; i++)
			if (k > 0 && scale->cuts[i][k] < scale->cuts[i][k - 1])
				return "its cut points are not in ascending order";
		if (scale->cuts[RFM_MONETARY][k] % grain != 0)
			return "its amounts have more decimals than it says";
	}
	return NULL;
}

/* How many of the cut points are below the value: its bin, from 0. */
static inline int
cuts_below(const int64_t *cuts, int count, int64_t value)
{
	int			below = 0;

	/* without a branch on what can't be foreseen */
	for (int k = 0; k < count; k++)
		below += cuts[k] < value;
	return below;
}

/*
 * The scores of a customer.  More orders and more money are better, fewer
 * microseconds are.
 */
int32_t
rfm_scale_apply(const RfmScale *scale, int64_t recency, int64_t frequency, int64_t monetary)
{
	int			cuts = scale->bins - 1;

	return rfm_pack(scale->bins - cuts_below(scale->cuts[RFM_RECENCY], cuts, recency),
					1 + cuts_below(scale->cuts[RFM_FREQUENCY], cuts, frequency),
					1 + cuts_below(scale->cuts[RFM_MONETARY], cuts, monetary),
					scale->bins);
}

/*
 * Text form of a scale
 *
 * JSON with fixed keys in a fixed order, independent of every setting:
 *
 * {"bins": 3, "recency": ["30 days 00:00:00", "365 days 06:00:00"],
 *  "frequency": [1, 4], "monetary": [19.90, 100.00]}
 *
 * A recency is in days of 24 hours and a time of day, which may have six
 * decimals; each of the two has its sign, so that interval reads it too.
 */
#define USECS_PER_SECOND	INT64_C(1000000)
#define USECS_PER_DAY		(86400 * USECS_PER_SECOND)

static char *
print_recency(char *text, int64_t usecs)
{
	int64_t		days = usecs / USECS_PER_DAY;
	int64_t		rest = usecs % USECS_PER_DAY;
	int			seconds;

	text += sprintf(text, "\"%lld days %s", (long long) days, rest < 0 ? "-" : "");
	if (rest < 0)
		rest = -rest;
	seconds = (int) (rest / USECS_PER_SECOND);
	text += sprintf(text, "%02d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);
	if (rest % USECS_PER_SECOND != 0)
		text += sprintf(text, ".%06d", (int) (rest % USECS_PER_SECOND));
	return text + sprintf(text, "\"");
}

/* Write the text form; text has room for RFM_SCALE_TEXT_SIZE bytes. */
void
rfm_scale_print(const RfmScale *scale, char *text)
{
	text += sprintf(text, "{\"bins\": %d", scale->bins);
	for (int i = 0; i < RFM_MEASURES; i++)
	{
		text += sprintf(text, ", \"%s\": [", rfm_measure_names[i]);
		for (int k = 0; k < scale->bins - 1; k++)
		{
			if (k > 0)
				text += sprintf(text, ", ");
			if (i == RFM_RECENCY)
				text = print_recency(text, scale->cuts[i][k]);
			else if (i == RFM_FREQUENCY)
				text += sprintf(text, "%lld", (long long) scale->cuts[i][k]);
			else
				text = text_put_amount(text, scale->cuts[i][k], scale->decimals);
		}
		text += sprintf(text, "]");
	}
	strcpy(text, "}");
}

/* "30 days 00:00:00.000001", with quotes */
static bool
take_recency(const char **s, int64_t *usecs)
{
	const char *here = text_skip_space(*s);
	int64_t		days;
	int64_t		rest;
	bool		negative;
	int			hour;
	int			minute;
	int			second;
	int			fraction = 0;
	int			none;

	if (*here++ != '"' || !text_take_number(&here, 0, &days, &none) ||
		!text_take(&here, "days"))
		return false;
	here = text_skip_space(here);
	negative = (*here == '-');
	if (negative)
		here++;
	if (!text_take_digits(&here, 2, &hour) || *here++ != ':' ||
		!text_take_digits(&here, 2, &minute) || *here++ != ':' ||
		!text_take_digits(&here, 2, &second))
		return false;
	if (*here == '.')
	{
		here++;
		if (!text_take_digits(&here, 6, &fraction))
			return false;
	}
	if (*here++ != '"' || hour > 23 || minute > 59 || second > 59)
		return false;

	rest = ((hour * 60 + minute) * 60 + second) * USECS_PER_SECOND + fraction;
	if (__builtin_mul_overflow(days, USECS_PER_DAY, usecs) ||
		__builtin_add_overflow(*usecs, negative ? -rest : rest, usecs))
		return false;
	*s = here;
	return true;
}

/*
 * Read the text form.  Returns NULL, or what is wrong with it, as the detail
 * of an error message.
 */
const char *
rfm_scale_parse(const char *text, RfmScale *scale)
{
	const char *s = text;
	int64_t		bins;
	int			none;

	rfm_scale_init(scale, 0);
	if (!text_take(&s, "{") || !text_take_key(&s, "bins", true) ||
		!text_take_number(&s, 0, &bins, &none) ||
		bins < RFM_MIN_BINS || bins > RFM_MAX_BINS)
		return "it must begin with {\"bins\": and a number from 2 to 10";
	scale->bins = (uint8_t) bins;
	for (int i = 0; i < RFM_MEASURES; i++)
	{
		if (!text_take_key(&s, rfm_measure_names[i], false) || !text_take(&s, "["))
			return "arrays \"recency\", \"frequency\" and \"monetary\" must follow, in this order";
		for (int k = 0; k < bins - 1; k++)
		{
			int64_t    *cut = &scale->cuts[i][k];
			int			decimals;

			if (k > 0 && !text_take(&s, ","))
				return "an array must have one cut point fewer than there are bins";
			if (i == RFM_RECENCY)
			{
				if (!take_recency(&s, cut))
					return "\"recency\" must have cut points like \"30 days 00:00:00\"";
			}
			else if (i == RFM_FREQUENCY)
			{
				if (!text_take_number(&s, 0, cut, &none))
					return "\"frequency\" must have whole numbers as cut points";
			}
			else
			{
				if (!text_take_number(&s, TEXT_MAX_DECIMALS, cut, &decimals))
					return "\"monetary\" must have numbers of up to four decimals as cut points";
				if (k > 0 && decimals != scale->decimals)
					return "its amounts must have the same number of decimals";
				scale->decimals = (uint8_t) decimals;
			}
		}
		if (!text_take(&s, "]"))
			return "an array must have one cut point fewer than there are bins";
	}
	if (!text_take(&s, "}") || *text_skip_space(s) != '\0')
		return "it must end with }";
	return rfm_scale_check(scale);
}

/*
 * Write the binary form and return its length: the three bytes that are in
 * use, and the cut points that are.
 */
size_t
rfm_scale_to_wire(const RfmScale *scale, unsigned char *wire)
{
	unsigned char *end = wire;

	*end++ = scale->version;
	*end++ = scale->bins;
	*end++ = scale->decimals;
	for (int i = 0; i < RFM_MEASURES; i++)
		for (int k = 0; k < scale->bins - 1; k++)
			end = wire_put_int64(end, scale->cuts[i][k]);
	return end - wire;
}

/* Read the binary form.  Returns NULL, or what is wrong with it. */
const char *
rfm_scale_from_wire(const unsigned char *wire, size_t length, RfmScale *scale)
{
	int			bins;

	if (length < 3)
		return "its length is wrong";
	bins = wire[1];
	if (bins < RFM_MIN_BINS || bins > RFM_MAX_BINS)
		return "there must be from 2 to 10 bins";
	if (length != 3 + (size_t) RFM_MEASURES * (bins - 1) * 8)
		return "its length is wrong";
	rfm_scale_init(scale, bins);
	scale->version = wire[0];
	scale->decimals = wire[2];
	wire += 3;
	for (int i = 0; i < RFM_MEASURES; i++)
		for (int k = 0; k < bins - 1; k++)
			wire = wire_get_int64(wire, &scale->cuts[i][k]);
	return rfm_scale_check(scale);
}

/*
 * The search for cut points
 */

/* Give cut points whose digits so far are the same one group. */
static void
search_group(RfmSearch *search)
{
	search->groups = 0;
	/* the cut points ascend, and so do their prefixes */
	for (int k = 0; k < search->cuts; k++)
	{
		if (k == 0 || search->prefix[k] != search->prefix[k - 1])
			search->group_prefix[search->groups++] = search->prefix[k];
		search->group[k] = search->groups - 1;
	}
	memset(search->counts, 0, search->groups * sizeof(search->counts[0]));
}

/*
 * Search for the cut points of count (at least one) values from least to
 * greatest.  Cut point k of n bins is percentile_disc(k/n): the smallest value
 * such that at least k/n of all values are not above it.  That is the
 * ceil(k * count / n)th in ascending order, computed here in integers.
 */
void
rfm_search_begin(RfmSearch *search, int bins, uint64_t count, int64_t least, int64_t greatest)
{
	uint64_t	width = (uint64_t) greatest - (uint64_t) least;

	search->cuts = bins - 1;
	search->least = (uint64_t) least;
	for (int k = 0; k < search->cuts; k++)
	{
		search->prefix[k] = 0;
		search->rank[k] = ((k + 1) * count + bins - 1) / bins - 1;
	}
	for (search->shift = 0; width >> search->shift >= RFM_DIGITS;)
		search->shift += RFM_DIGIT_BITS;
	search_group(search);
}

/* Count some of the values; each round needs all of them. */
void
rfm_search_count(RfmSearch *search, const int64_t *values, size_t count)
{
	uint64_t	least = search->least;
	int			shift = search->shift;
	int			groups = search->groups;

	for (size_t i = 0; i < count; i++)
	{
		uint64_t	digits = ((uint64_t) values[i] - least) >> shift;
		uint64_t	prefix = digits >> RFM_DIGIT_BITS;
		int			group = 0;

		for (int g = 0; g < groups; g++)
			group += search->group_prefix[g] < prefix;
		if (group < groups && search->group_prefix[group] == prefix)
			search->counts[group][digits & (RFM_DIGITS - 1)]++;
	}
}

/*
 * End a round: find the next digit of each cut point.  Returns whether there
 * is another round.
 */
bool
rfm_search_narrow(RfmSearch *search)
{
	for (int k = 0; k < search->cuts; k++)
	{
		const uint64_t *counts = search->counts[search->group[k]];
		uint64_t	digit = 0;

		for (; digit < RFM_DIGITS - 1 && search->rank[k] >= counts[digit]; digit++)
			search->rank[k] -= counts[digit];
		search->prefix[k] = search->prefix[k] << RFM_DIGIT_BITS | digit;
	}
	if (search->shift == 0)
		return false;
	search->shift -= RFM_DIGIT_BITS;
	search_group(search);
	return true;
}

/* A cut point, from 0, after the last round. */
int64_t
rfm_search_cut(const RfmSearch *search, int cut)
{
	return (int64_t) (search->least + search->prefix[cut]);
}

/*
 * Segments
 */

/* Map names, in the order of RfmMap. */
static const char *const map_names[] = {"fm_grid", "rf_grid", "shopify"};

/* [map][recency - 1][X - 1] */
static const char *const map_segments[][RFM_DEFAULT_BINS][RFM_DEFAULT_BINS] = {
	/* fm_grid: X is the mean of frequency and monetary */
	{
		{"Lost", "Hibernating", "At Risk", "Can't Lose Them", "Can't Lose Them"},
		{"About To Sleep", "Need Attention", "Need Attention", "At Risk", "At Risk"},
		{"Promising", "Need Attention", "Potential Loyalists", "Loyal Customers", "Loyal Customers"},
		{"Promising", "Potential Loyalists", "Potential Loyalists", "Loyal Customers", "Champions"},
		{"New Customers", "Potential Loyalists", "Loyal Customers", "Champions", "Champions"},
	},
	/* rf_grid: X is frequency */
	{
		{"Hibernating", "Hibernating", "At Risk", "At Risk", "Can't Lose Them"},
		{"Hibernating", "Hibernating", "At Risk", "At Risk", "Can't Lose Them"},
		{"About To Sleep", "About To Sleep", "Need Attention", "Loyal Customers", "Loyal Customers"},
		{"Promising", "Potential Loyalists", "Potential Loyalists", "Loyal Customers", "Loyal Customers"},
		{"New Customers", "Potential Loyalists", "Potential Loyalists", "Champions", "Champions"},
	},
	/* shopify: X is the mean of frequency and monetary */
	{
		{"Dormant", "Dormant", "At Risk", "At Risk", "Previously Loyal"},
		{"Dormant", "Dormant", "At Risk", "At Risk", "Previously Loyal"},
		{"Almost Lost", "Almost Lost", "Needs Attention", "Loyal", "Loyal"},
		{"Promising", "Active", "Active", "Loyal", "Loyal"},
		{"New", "Active", "Active", "Champions", "Champions"},
	},
};

/* The map of that name. */
RfmMap
rfm_map(const char *name, size_t length)
{
	for (int map = 0; map < (int) (sizeof(map_names) / sizeof(map_names[0])); map++)
		if (length == strlen(map_names[map]) && memcmp(name, map_names[map], length) == 0)
			return (RfmMap) map;
	return RFM_MAP_UNKNOWN;
}

/*
 * A score of any number of bins brought to 1 to 5: 1 + (score - 1) * 4 / (bins
 * - 1), rounded to the nearest, half up.
 */
static inline int
score_of_five(int32_t rfm, int measure)
{
	int			steps = rfm_bins(rfm) - 1;

	return 1 + (2 * (rfm_score(rfm, measure) - 1) * (RFM_DEFAULT_BINS - 1) + steps) / (2 * steps);
}

/*
 * The segment by one of the standard maps.  The mean of frequency and monetary
 * is rounded half up.
 */
const char *
rfm_segment(int32_t rfm, RfmMap map)
{
	int			recency;
	int			x;

	if (rfm == RFM_PROSPECT)
		return RFM_SEGMENT_PROSPECTS;
	recency = score_of_five(rfm, RFM_RECENCY);
	x = score_of_five(rfm, RFM_FREQUENCY);
	if (map != RFM_MAP_RF_GRID)
		x = (x + score_of_five(rfm, RFM_MONETARY) + 1) / 2;
	return map_segments[map][recency - 1][x - 1];
}

/* Whether the scores are in the box. */
bool
rfm_in_box(int32_t rfm, const RfmBox *box)
{
	for (int i = 0; i < RFM_MEASURES; i++)
		if (rfm_score(rfm, i) < box->low[i] || rfm_score(rfm, i) > box->high[i])
			return false;
	return true;
}
