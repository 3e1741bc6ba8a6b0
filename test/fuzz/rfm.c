/*
 * rfm.c
 *		Fuzz target: scores and scales, their text and binary forms, and the
 *		search for cut points.
 */
#include "fuzz.h"

#include "../../src/rfm_score.c"

const FuzzSeed fuzz_seeds[] = {
	SEED("s5-4-5"),
	SEED("s 8-9-10/10 "),
	SEED("s0-0-0"),
	SEED("w\5\4\5\5"),
	SEED("w\x8\x9\xA\xA"),
	SEED("w\0\0\0\0"),
	SEED("t{\"bins\": 2, \"recency\": [\"30 days 00:00:00\"], \"frequency\": [1], \"monetary\": [19.90]}"),
	SEED("t{\"bins\": 3, \"recency\": [\"-106751991 days -04:00:54.775808\", \"106751991 days 04:00:54.775807\"], "
		 "\"frequency\": [-9223372036854775808, 9223372036854775807], "
		 "\"monetary\": [-922337203685477.5808, 922337203685477.5807]}"),
	SEED("t{\"bins\": 5, \"recency\": [\"0 days -00:00:00.000001\", \"0 days 00:00:00\", \"1 days 23:59:59\", \"2 days 00:00:00\"], "
		 "\"frequency\": [1, 1, 2, 3], \"monetary\": [1, 2, 3, 4]}"),
	SEED("b\1\2\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\x64"),
	SEED("b\1\3\4\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2"),
	SEED("c\5\0\1\2\3\4\5\6\7\1\1\1\1\1\1\1\1\2\2"),
	SEED("c\xA\7\0\0\0\0\0\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x80\0\0\0\0\0\0\0\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"),
	{NULL, 0}
};

/* What must hold of every good score. */
static void
check_score(int32_t rfm)
{
	char		text[RFM_TEXT_SIZE];
	unsigned char wire[RFM_WIRE_SIZE];
	int32_t		again;

	rfm_print(rfm, text);
	CHECK(strlen(text) < sizeof(text));
	CHECK(rfm_parse(text, &again) == NULL && again == rfm);
	rfm_to_wire(rfm, wire);
	CHECK(rfm_from_wire(wire, sizeof(wire), &again) == NULL && again == rfm);
	for (int map = RFM_MAP_FM_GRID; map <= RFM_MAP_SHOPIFY; map++)
	{
		const char *segment = rfm_segment(rfm, (RfmMap) map);

		CHECK((strcmp(segment, RFM_SEGMENT_PROSPECTS) == 0) == (rfm == RFM_PROSPECT));
	}
}

/* What must hold of every good scale. */
static void
check_scale(const RfmScale *scale)
{
	char		text[RFM_SCALE_TEXT_SIZE];
	unsigned char wire[RFM_SCALE_MAX_WIRE];
	RfmScale	again;
	int32_t		before = 0;

	CHECK(rfm_scale_check(scale) == NULL);
	rfm_scale_print(scale, text);
	CHECK(strlen(text) < sizeof(text));
	CHECK(rfm_scale_parse(text, &again) == NULL);
	CHECK(memcmp(scale, &again, sizeof(RfmScale)) == 0);
	CHECK(rfm_scale_from_wire(wire, rfm_scale_to_wire(scale, wire), &again) == NULL);
	CHECK(memcmp(scale, &again, sizeof(RfmScale)) == 0);

	/* who is on a later cut point is no worse, and never the best */
	for (int k = 0; k < scale->bins - 1; k++)
	{
		int32_t		rfm = rfm_scale_apply(scale, scale->cuts[RFM_RECENCY][k],
										  scale->cuts[RFM_FREQUENCY][k],
										  scale->cuts[RFM_MONETARY][k]);

		check_score(rfm);
		CHECK(rfm_score(rfm, RFM_RECENCY) > 1);
		CHECK(rfm_score(rfm, RFM_FREQUENCY) < scale->bins);
		CHECK(rfm_score(rfm, RFM_MONETARY) < scale->bins);
		if (k > 0)
		{
			CHECK(rfm_score(rfm, RFM_RECENCY) <= rfm_score(before, RFM_RECENCY));
			CHECK(rfm_score(rfm, RFM_FREQUENCY) >= rfm_score(before, RFM_FREQUENCY));
			CHECK(rfm_score(rfm, RFM_MONETARY) >= rfm_score(before, RFM_MONETARY));
		}
		before = rfm;
	}
}

static int
compare(const void *a, const void *b)
{
	int64_t		left = *(const int64_t *) a;
	int64_t		right = *(const int64_t *) b;

	return left < right ? -1 : left > right;
}

/*
 * The bytes as values of one to eight bytes: the cut points are what sorting
 * finds, the search ends, and it is the same in parts.
 */
static void
try_search(const uint8_t *data, size_t size)
{
	static RfmSearch search;
	int64_t		values[256];
	size_t		count = 0;
	size_t		part;
	size_t		width;
	int			bins;
	int			rounds = 0;

	if (size < 3)
		return;
	bins = RFM_MIN_BINS + data[0] % (RFM_MAX_BINS - RFM_MIN_BINS + 1);
	width = 1 + data[1] % 8;
	for (data += 2, size -= 2; size >= width && count < 256; data += width, size -= width)
	{
		uint64_t	value = 0;

		for (size_t i = 0; i < width; i++)
			value = value << 8 | data[i];
		values[count++] = (int64_t) value;
	}
	if (count == 0)
		return;
	part = values[0] & 255;
	if (part > count)
		part = count;

	{
		int64_t		sorted[256];

		memcpy(sorted, values, count * sizeof(int64_t));
		qsort(sorted, count, sizeof(int64_t), compare);
		rfm_search_begin(&search, bins, count, sorted[0], sorted[count - 1]);
		do
		{
			CHECK(++rounds <= RFM_MAX_ROUNDS);
			rfm_search_count(&search, values, part);
			rfm_search_count(&search, values + part, count - part);
		} while (rfm_search_narrow(&search));
		for (int k = 1; k < bins; k++)
		{
			/* the first whose place, times bins, reaches k times count */
			size_t		place = 0;

			while ((place + 1) * bins < k * count)
				place++;
			CHECK(rfm_search_cut(&search, k - 1) == sorted[place]);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RfmScale	scale;
	int32_t		rfm;
	char	   *text;

	if (size == 0)
		return 0;
	switch (*data)
	{
		case 'c':
			try_search(data + 1, size - 1);
			return 0;
		case 'w':
			if (rfm_from_wire(data + 1, size - 1, &rfm) == NULL)
				check_score(rfm);
			return 0;
		case 'b':
			if (rfm_scale_from_wire(data + 1, size - 1, &scale) == NULL)
				check_scale(&scale);
			return 0;
	}
	text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (*data == 's')
	{
		if (rfm_parse(text, &rfm) == NULL)
			check_score(rfm);
	}
	else if (rfm_scale_parse(text, &scale) == NULL)
		check_scale(&scale);
	(void) rfm_map(text, strlen(text));
	free(text);
	return 0;
}
