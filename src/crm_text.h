/*
 * crm_text.h
 *		What the text and binary forms of crm's values have in common.
 *
 * A text form is JSON with fixed keys in a fixed order, and so needs no JSON
 * parser: each function here steps over one thing that is expected, and
 * leaves *s alone if it is not there.  Nothing here knows the server.
 */
#ifndef CRM_TEXT_H
#define CRM_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX_DECIMALS	4

static inline int64_t
text_power_of_ten(int exponent)
{
	static const int64_t powers[TEXT_MAX_DECIMALS + 1] = {1, 10, 100, 1000, 10000};

	return powers[exponent];
}

static inline const char *
text_skip_space(const char *s)
{
	while (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\r')
		s++;
	return s;
}

/* Step over one token. */
static inline bool
text_take(const char **s, const char *token)
{
	size_t		length = strlen(token);
	const char *here = text_skip_space(*s);

	if (strncmp(here, token, length) != 0)
		return false;
	*s = here + length;
	return true;
}

/* Step over `, "key":` or, for the first key, `"key":` */
static inline bool
text_take_key(const char **s, const char *key, bool first)
{
	const char *here = *s;
	size_t		length = strlen(key);

	if (!first && !text_take(&here, ","))
		return false;
	if (!text_take(&here, "\""))
		return false;
	if (strncmp(here, key, length) != 0 || here[length] != '"')
		return false;
	here += length + 1;
	if (!text_take(&here, ":"))
		return false;
	*s = here;
	return true;
}

/*
 * A decimal number as a count of 10^-decimals, of which there are at most
 * TEXT_MAX_DECIMALS; *scale is how many decimals stand there.
 */
static inline bool
text_take_number(const char **s, int decimals, int64_t *value, int *scale)
{
	const char *here = text_skip_space(*s);
	bool		negative = (*here == '-');
	int64_t		sum = 0;
	int			digits = 0;

	*scale = 0;
	if (negative)
		here++;
	for (; *here >= '0' && *here <= '9'; here++, digits++)
		if (__builtin_mul_overflow(sum, 10, &sum) ||
			__builtin_sub_overflow(sum, *here - '0', &sum))
			return false;
	if (digits == 0)
		return false;
	if (decimals > 0 && *here == '.')
	{
		here++;
		for (; *here >= '0' && *here <= '9'; here++, (*scale)++)
			if (*scale >= decimals || __builtin_mul_overflow(sum, 10, &sum) ||
				__builtin_sub_overflow(sum, *here - '0', &sum))
				return false;
		if (*scale == 0)
			return false;
	}
	if (__builtin_mul_overflow(sum, text_power_of_ten(decimals - *scale), &sum))
		return false;
	/* summed up below zero, where there is one more value */
	if (!negative && __builtin_sub_overflow(0, sum, &sum))
		return false;
	*value = sum;
	*s = here;
	return true;
}

static inline const char *
text_skip_digits(const char *s)
{
	while (*s >= '0' && *s <= '9')
		s++;
	return s;
}

/* A number as JSON has it; strtod alone would take nan, hexadecimal and more. */
static inline bool
text_take_double(const char **s, double *value)
{
	const char *start = text_skip_space(*s);
	const char *here = start;
	const char *digits;
	char	   *end;

	if (*here == '-')
		here++;
	digits = here;
	here = text_skip_digits(here);
	if (here == digits)
		return false;
	if (*here == '.')
	{
		digits = ++here;
		here = text_skip_digits(here);
		if (here == digits)
			return false;
	}
	if (*here == 'e' || *here == 'E')
	{
		here++;
		if (*here == '+' || *here == '-')
			here++;
		digits = here;
		here = text_skip_digits(here);
		if (here == digits)
			return false;
	}
	*value = strtod(start, &end);
	if (end != here)
		return false;
	*s = here;
	return true;
}

/* Exactly as many digits as asked for. */
static inline bool
text_take_digits(const char **s, int digits, int *value)
{
	*value = 0;
	for (; digits > 0; digits--, (*s)++)
	{
		if (**s < '0' || **s > '9')
			return false;
		*value = *value * 10 + (**s - '0');
	}
	return true;
}

/* Write an amount, a count of 1/10000, with that many decimals; its end. */
static inline char *
text_put_amount(char *text, int64_t amount, int scale)
{
	/* as unsigned, the smallest int64_t has a positive counterpart too */
	uint64_t	size = amount < 0 ? -(uint64_t) amount : (uint64_t) amount;
	const char *sign = amount < 0 ? "-" : "";

	size /= text_power_of_ten(TEXT_MAX_DECIMALS - scale);
	if (scale == 0)
		return text + sprintf(text, "%s%llu", sign, (unsigned long long) size);
	return text + sprintf(text, "%s%llu.%0*llu", sign,
						  (unsigned long long) (size / text_power_of_ten(scale)), scale,
						  (unsigned long long) (size % text_power_of_ten(scale)));
}

/* The binary forms are big-endian. */
static inline unsigned char *
wire_put_int64(unsigned char *wire, int64_t value)
{
	uint64_t	bits = (uint64_t) value;

	for (int i = 7; i >= 0; i--, bits >>= 8)
		wire[i] = bits & 0xFF;
	return wire + 8;
}

static inline const unsigned char *
wire_get_int64(const unsigned char *wire, int64_t *value)
{
	uint64_t	bits = 0;

	for (int i = 0; i < 8; i++)
		bits = bits << 8 | wire[i];
	*value = (int64_t) bits;
	return wire + 8;
}

#endif							/* CRM_TEXT_H */
