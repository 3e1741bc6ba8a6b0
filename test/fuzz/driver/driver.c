/*
 * driver.c
 *		Runs a fuzz target without libFuzzer: random and mutated bytes, always
 *		the same ones.
 *
 *		PROGRAM RUNS [SECONDS]		that many inputs, or until time is up
 *		PROGRAM --seeds FOLDER		writes the target's seeds there
 *		PROGRAM FILE				that input only
 *
 * When a run ends badly, the input is in the file crash, if that can be
 * written.
 */
#include "fuzz.h"

#include <signal.h>
#include <time.h>

#define MAX_SIZE	4096

static uint64_t random_state = 20250301;
static uint8_t input[MAX_SIZE];
static size_t input_size;

/* splitmix64 */
static uint64_t
next_random(void)
{
	uint64_t	z = (random_state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

/* from 0 to limit - 1 */
static size_t
below(size_t limit)
{
	return next_random() % limit;
}

static void
save_input(int signal_number)
{
	FILE	   *file = fopen("crash", "wb");

	if (file != NULL)
	{
		fwrite(input, 1, input_size, file);
		fclose(file);
	}
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

static size_t
count_seeds(void)
{
	size_t		count = 0;

	if (fuzz_seeds != NULL)
		while (fuzz_seeds[count].data != NULL)
			count++;
	return count;
}

static void
insert(size_t at, const void *bytes, size_t size)
{
	if (input_size + size > MAX_SIZE)
		return;
	memmove(input + at + size, input + at, input_size - at);
	memcpy(input + at, bytes, size);
	input_size += size;
}

/* Change something at a random place. */
static void
mutate(size_t seeds)
{
	static const char *const pieces[] = {
		"0", "9", "-", ".", "@", "+", ":", ",", "{", "}", "\"", " ", "\n", "(0)", "..",
		"9223372036854775807", "-9223372036854775808", "99999999999999999999", "NaN", "inf",
		"1e308", "\xC3\x84", "\xCF\x82", "\xE1\xBA\x9E", "\xC2\xA0", "\xE2\x80\x8B",
		"\xF0\x9F\x92\x8C", "\xC0\x80", "\xED\xA0\x80", "\xFF"
	};
	static const uint8_t edges[] = {0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF, '0', '9', 'A', 'z'};
	size_t		at = below(input_size + 1);
	size_t		left = input_size - at;
	size_t		size;

	switch (below(9))
	{
		case 0:					/* a bit */
			if (left > 0)
				input[at] ^= 1 << below(8);
			break;
		case 1:					/* a byte */
			if (left > 0)
				input[at] = (uint8_t) next_random();
			break;
		case 2:					/* a byte of the edge of a range */
			if (left > 0)
				input[at] = edges[below(sizeof(edges))];
			break;
		case 3:					/* one up or down */
			if (left > 0)
				input[at] += below(2) ? 1 : -1;
			break;
		case 4:					/* without some bytes */
			if (left > 0)
			{
				size = below(left < 16 ? left : 16) + 1;
				memmove(input + at, input + at + size, left - size);
				input_size -= size;
			}
			break;
		case 5:					/* some bytes twice */
			if (left > 0)
			{
				uint8_t		copy[64];

				size = below(left < sizeof(copy) ? left : sizeof(copy)) + 1;
				memcpy(copy, input + at, size);
				insert(below(input_size + 1), copy, size);
			}
			break;
		case 6:					/* something that often matters */
			{
				const char *piece = pieces[below(sizeof(pieces) / sizeof(pieces[0]))];

				insert(at, piece, strlen(piece));
				break;
			}
		case 7:					/* the end cut off */
			input_size = at;
			break;
		case 8:					/* the end of another seed */
			if (seeds > 0)
			{
				const FuzzSeed *seed = &fuzz_seeds[below(seeds)];
				size_t		from = below(seed->size + 1);

				input_size = at;
				insert(at, seed->data + from, seed->size - from);
			}
			break;
	}
}

static void
make_input(size_t seeds)
{
	const FuzzSeed *seed;

	input_size = 0;
	if (seeds == 0 || below(16) == 0)
	{
		input_size = below(below(4) == 0 ? 512 : 32);
		for (size_t i = 0; i < input_size; i++)
			input[i] = (uint8_t) next_random();
		return;
	}
	seed = &fuzz_seeds[below(seeds)];
	insert(0, seed->data, seed->size);
	for (size_t changes = below(below(4) == 0 ? 16 : 4); changes > 0; changes--)
		mutate(seeds);
}

static void
run_input(void)
{
	/* a block of just that size, so that a read behind it is seen */
	uint8_t    *block = malloc(input_size > 0 ? input_size : 1);

	memcpy(block, input, input_size);
	LLVMFuzzerTestOneInput(block, input_size);
	free(block);
}

static int
write_seeds(const char *folder)
{
	char		name[4096];

	for (size_t i = 0; i < count_seeds(); i++)
	{
		FILE	   *file;

		snprintf(name, sizeof(name), "%s/seed%zu", folder, i);
		file = fopen(name, "wb");
		if (file == NULL || fwrite(fuzz_seeds[i].data, 1, fuzz_seeds[i].size, file) != fuzz_seeds[i].size ||
			fclose(file) != 0)
		{
			perror(name);
			return 1;
		}
	}
	return 0;
}

int
main(int argc, char **argv)
{
	size_t		seeds = count_seeds();
	long		runs;
	long		done = 0;
	time_t		end = 0;

	if (argc == 3 && strcmp(argv[1], "--seeds") == 0)
		return write_seeds(argv[2]);
	signal(SIGABRT, save_input);
	if (argc < 2)
	{
		fprintf(stderr, "usage: %s RUNS [SECONDS] | --seeds FOLDER | FILE\n", argv[0]);
		return 2;
	}
	runs = strtol(argv[1], NULL, 10);
	if (runs <= 0)
	{
		FILE	   *file = fopen(argv[1], "rb");

		if (file == NULL)
		{
			perror(argv[1]);
			return 2;
		}
		input_size = fread(input, 1, MAX_SIZE, file);
		fclose(file);
		run_input();
		return 0;
	}
	if (argc > 2)
		end = time(NULL) + strtol(argv[2], NULL, 10);

	/* the seeds as they are, nothing, and then what comes of them */
	for (size_t i = 0; i < seeds; i++)
	{
		input_size = 0;
		insert(0, fuzz_seeds[i].data, fuzz_seeds[i].size);
		run_input();
	}
	input_size = 0;
	run_input();
	for (; done < runs && (end == 0 || done % 64 != 0 || time(NULL) < end); done++)
	{
		make_input(seeds);
		run_input();
	}
	printf("%ld inputs\n", done);
	return 0;
}
