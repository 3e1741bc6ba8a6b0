/*
 * fuzz.h
 *		What a fuzz target includes.
 *
 * A target is one file, test/fuzz/NAME.c: it includes the sources of ring 1
 * that it tests (#include "../../src/NAME_value.c"), so that nothing needs to
 * be linked (or says what: " * Links: FILE ..." in its first comment), and
 * defines LLVMFuzzerTestOneInput(), which gets any bytes and
 * must return 0.  What must hold is checked with CHECK(); out-of-range reads,
 * overflows and the like are found by the sanitizers.
 *
 * It should also define fuzz_seeds: good examples to begin with.  They are
 * mutated, and joined to each other.
 *
 *		const FuzzSeed fuzz_seeds[] = {SEED("5-4-5"), SEED("1-1-1"), {NULL, 0}};
 */
#ifndef CRM_FUZZ_H
#define CRM_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct FuzzSeed
{
	const char *data;
	size_t		size;
} FuzzSeed;

#define SEED(text) {text, sizeof(text) - 1}

/* the list ends with {NULL, 0}; a target may have none */
extern const FuzzSeed fuzz_seeds[] __attribute__((weak));

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

#endif							/* CRM_FUZZ_H */
