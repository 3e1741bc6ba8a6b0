/*
 * contact_parse.c
 *		Reads, prints and compares e-mail addresses and telephone numbers.
 *
 * No function here allocates, raises an error or knows the server.
 */
#include "contact.h"

#include <stdio.h>
#include <string.h>

/* A range of characters, both ends included. */
typedef struct Range
{
	uint32_t	first;
	uint32_t	last;
} Range;

static bool
in_ranges(uint32_t character, const Range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (character >= ranges[i].first && character <= ranges[i].last)
			return true;
	return false;
}

#define IN_RANGES(character, ranges) \
	in_ranges(character, ranges, sizeof(ranges) / sizeof((ranges)[0]))

/*
 * Neither seen nor safe: controls, spaces, what steers the direction or the
 * shape of its neighbours, private use and what is no character at all.  Two
 * addresses that differ in one of these would look the same.
 */
static const Range invisible[] = {
	{0x00, 0x20}, {0x7F, 0xA0}, {0xAD, 0xAD}, {0x034F, 0x034F}, {0x061C, 0x061C},
	{0x115F, 0x1160}, {0x1680, 0x1680}, {0x17B4, 0x17B5}, {0x180B, 0x180F},
	{0x2000, 0x200F}, {0x2028, 0x202F}, {0x205F, 0x206F}, {0x2800, 0x2800},
	{0x3000, 0x3000}, {0x3164, 0x3164}, {0xE000, 0xF8FF}, {0xFDD0, 0xFDEF},
	{0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFF},
	{0x1FFFE, 0x1FFFF}, {0x2FFFE, 0x2FFFF}, {0x3FFFE, 0x3FFFF}, {0xE0000, 0x10FFFF}
};

/*
 * Not in a domain: blocks of punctuation, symbols and look-alikes in which no
 * letter or digit of RFC 5892 (IDNA2008) stands.  Coarse, but the registries
 * decide what is registered; this finds slips of the pen.  U+00B7 is a letter
 * of Catalan domains.
 */
static const Range symbols[] = {
	{0x80, 0xB6}, {0xB8, 0xBF}, {0xD7, 0xD7}, {0xF7, 0xF7}, {0x02C2, 0x02C5},
	{0x2000, 0x2BFF}, {0x2E00, 0x2E2E}, {0x2E30, 0x3004}, {0x3008, 0x3029},
	{0x3030, 0x303B}, {0x303D, 0x3040}, {0x309B, 0x309C}, {0x3200, 0x33FF},
	{0xFB00, 0xFB06}, {0xFE10, 0xFE1F}, {0xFE30, 0xFE6F}, {0xFF00, 0xFFFF},
	{0x1F000, 0x1FAFF}
};

/* What text around a value is trimmed of. */
static const Range spaces[] = {
	{'\t', '\r'}, {' ', ' '}, {0xA0, 0xA0}, {0x1680, 0x1680}, {0x2000, 0x200B},
	{0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x2060}, {0x3000, 0x3000},
	{0xFEFF, 0xFEFF}
};

/*
 * Step over one character.  Returns the next one's place, or NULL if this is
 * not valid UTF-8 (RFC 3629); text must not be at its end.
 */
static const char *
take_character(const char *text, const char *end, uint32_t *character)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	unsigned char first = (unsigned char) *text++;
	int			more;

	if (first < 0x80)
	{
		*character = first;
		return text;
	}
	if (first >= 0xC2 && first <= 0xDF)
		more = 1;
	else if (first >= 0xE0 && first <= 0xEF)
		more = 2;
	else if (first >= 0xF0 && first <= 0xF4)
		more = 3;
	else
		return NULL;
	if (end - text < more)
		return NULL;
	*character = first & (0x3F >> more);
	for (int i = 0; i < more; i++, text++)
	{
		if (((unsigned char) *text & 0xC0) != 0x80)
			return NULL;
		*character = *character << 6 | ((unsigned char) *text & 0x3F);
	}
	if (*character < least[more] || *character > 0x10FFFF ||
		(*character >= 0xD800 && *character <= 0xDFFF))
		return NULL;
	return text;
}

/* Write one character.  Returns the place behind it. */
static char *
put_character(char *text, uint32_t character)
{
	if (character < 0x80)
		*text++ = (char) character;
	else if (character < 0x800)
	{
		*text++ = (char) (0xC0 | character >> 6);
		*text++ = (char) (0x80 | (character & 0x3F));
	}
	else if (character < 0x10000)
	{
		*text++ = (char) (0xE0 | character >> 12);
		*text++ = (char) (0x80 | (character >> 6 & 0x3F));
		*text++ = (char) (0x80 | (character & 0x3F));
	}
	else
	{
		*text++ = (char) (0xF0 | character >> 18);
		*text++ = (char) (0x80 | (character >> 12 & 0x3F));
		*text++ = (char) (0x80 | (character >> 6 & 0x3F));
		*text++ = (char) (0x80 | (character & 0x3F));
	}
	return text;
}

/*
 * The lower-case letter of an upper-case one; others as they are.  The same on
 * every machine and in every locale: Latin (ASCII, Latin-1, Extended-A and
 * Additional, and the two letters of Vietnamese in Extended-B), Greek and
 * Cyrillic, one to one as in Unicode's UnicodeData.txt.  U+0130, whose
 * lower-case form is i in Turkish only, stays.  No result takes more bytes.
 */
static uint32_t
lower(uint32_t c)
{
	if (c < 0x80)
		return c >= 'A' && c <= 'Z' ? c + 32 : c;
	if (c < 0x0180)
	{
		if (c < 0x0100)
			return c >= 0xC0 && c <= 0xDE && c != 0xD7 ? c + 32 : c;
		if (c == 0x0130 || c == 0x0138 || c == 0x0149 || c == 0x017F)
			return c;
		if (c == 0x0178)
			return 0xFF;
		/* in pairs, the upper-case letter even, but odd in two stretches */
		if ((c > 0x0138 && c < 0x0149) || c > 0x0178)
			return c + (c & 1);
		return c | 1;
	}
	if (c < 0x0370)
		return c == 0x01A0 || c == 0x01AF ? c + 1 : c;
	if (c < 0x0400)
	{
		if (c == 0x0386)
			return 0x03AC;
		if (c >= 0x0388 && c <= 0x038A)
			return c + 37;
		if (c == 0x038C)
			return 0x03CC;
		if (c == 0x038E || c == 0x038F)
			return c + 63;
		return c >= 0x0391 && c <= 0x03AB && c != 0x03A2 ? c + 32 : c;
	}
	if (c < 0x0530)
	{
		if (c < 0x0410)
			return c + 80;
		if (c < 0x0430)
			return c + 32;
		if (c < 0x0460 || (c > 0x0481 && c < 0x048A))
			return c;
		if (c == 0x04C0)
			return 0x04CF;
		if (c > 0x04C0 && c < 0x04CF)
			return c + (c & 1);
		return c | 1;
	}
	if (c == 0x1E9E)
		return 0xDF;
	if ((c >= 0x1E00 && c < 0x1E96) || (c >= 0x1EA0 && c <= 0x1EFF))
		return c | 1;
	return c;
}

/*
 * Small letters that Unicode has in one piece, and their capitals only as a
 * letter with a mark: what normal form C makes of the one and of the other
 * differs.  All whose first part, or that one's, is a result of lower().  None
 * takes more bytes than its two parts.
 */
static const struct
{
	uint16_t	letter;
	uint16_t	mark;
	uint16_t	whole;
}			small_only[] = {
	{'j', 0x030C, 0x01F0}, {0x03CA, 0x0301, 0x0390}, {0x03CB, 0x0301, 0x03B0},
	{'h', 0x0331, 0x1E96}, {'t', 0x0308, 0x1E97}, {'w', 0x030A, 0x1E98},
	{'y', 0x030A, 0x1E99}, {0x03C5, 0x0313, 0x1F50}, {0x1F50, 0x0300, 0x1F52},
	{0x1F50, 0x0301, 0x1F54}, {0x1F50, 0x0342, 0x1F56}, {0x03AC, 0x0345, 0x1FB4},
	{0x03B1, 0x0342, 0x1FB6}, {0x1FB6, 0x0345, 0x1FB7}, {0x03AE, 0x0345, 0x1FC4},
	{0x03B7, 0x0342, 0x1FC6}, {0x1FC6, 0x0345, 0x1FC7}, {0x03CA, 0x0300, 0x1FD2},
	{0x03B9, 0x0342, 0x1FD6}, {0x03CA, 0x0342, 0x1FD7}, {0x03CB, 0x0300, 0x1FE2},
	{0x03C1, 0x0313, 0x1FE4}, {0x03C5, 0x0342, 0x1FE6}, {0x03CB, 0x0342, 0x1FE7},
	{0x03CE, 0x0345, 0x1FF4}, {0x03C9, 0x0342, 0x1FF6}, {0x1FF6, 0x0345, 0x1FF7}
};

/* Whether a mark of small_only can stand here: U+0300 to U+037F. */
static inline bool
at_mark(const char *text, const char *end)
{
	return text < end && ((unsigned char) *text & 0xFE) == 0xCC;
}

/*
 * Step over one character as it compares: in lower case, and in one piece with
 * the mark behind it if both make a letter of small_only.  A mark that stands
 * behind another one is not looked for.  Returns NULL as take_character does.
 */
static const char *
take_folded(const char *text, const char *end, uint32_t *character)
{
	text = take_character(text, end, character);
	if (text == NULL)
		return NULL;
	*character = lower(*character);
	while (at_mark(text, end))
	{
		uint32_t	letter = *character;
		uint32_t	mark;
		const char *next = take_character(text, end, &mark);

		if (next == NULL)
			break;
		for (size_t i = 0; i < sizeof(small_only) / sizeof(small_only[0]); i++)
			if (small_only[i].letter == letter && small_only[i].mark == mark)
				*character = small_only[i].whole;
		if (*character == letter)
			break;
		text = next;
	}
	return text;
}

static bool
is_digit(uint32_t c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(uint32_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* atext of RFC 5322, 3.2.3, and the dot */
static bool
is_atom(uint32_t c)
{
	return is_letter(c) || is_digit(c) ||
		(c != 0 && strchr(".!#$%&'*+-/=?^_`{|}~", (int) c) != NULL);
}

static bool
refuse(ContactFault *fault, const char *detail, const char *hint)
{
	fault->detail = detail;
	fault->hint = hint;
	fault->character = 0;
	return false;
}

static bool
refuse_character(ContactFault *fault, uint32_t character, const char *detail)
{
	refuse(fault, detail, NULL);
	fault->character = character;
	return false;
}

/* How to name a character in a message: itself, or like U+00A0. */
void
contact_character_name(uint32_t character, char *name)
{
	if (character > 0x20 && character < 0x7F)
		sprintf(name, "\"%c\"", (char) character);
	else if (character == ' ')
		strcpy(name, "A space");
	else
		sprintf(name, "U+%04X", (unsigned int) character);
}

/*
 * Make text and size those of what stands between leading and trailing white
 * space.  Refuses what is not UTF-8, or nothing.
 */
bool
contact_trim(const char **text, size_t *size, ContactFault *fault)
{
	const char *here = *text;
	const char *end = here + *size;
	const char *first = NULL;
	const char *last = NULL;

	while (here < end)
	{
		uint32_t	character;
		const char *next = take_character(here, end, &character);

		if (next == NULL)
			return refuse(fault, "It is not valid UTF-8.", NULL);
		if ((character > ' ' && character < 0x80) || !IN_RANGES(character, spaces))
		{
			if (first == NULL)
				first = here;
			last = next;
		}
		here = next;
	}
	if (first == NULL)
		return refuse(fault, "It is empty.", NULL);
	*text = first;
	*size = last - first;
	return true;
}

/* The part before the @: a dot-atom of RFC 5322, 3.2.3, widened by RFC 6532. */
static bool
check_local(const char *here, const char *end, ContactFault *fault)
{
	if (here == end)
		return refuse(fault, "There is nothing before the @.", NULL);
	if (*here == '"')
		return refuse(fault, "The part before the @ is quoted.",
					  "Quoted addresses are valid, but shops and mail providers don't take them.");
	if (end - here > EMAIL_MAX_LOCAL_SIZE)
		return refuse(fault, "The part before the @ is longer than 64 bytes.", NULL);
	if (*here == '.')
		return refuse(fault, "The part before the @ begins with a dot.", NULL);
	if (end[-1] == '.')
		return refuse(fault, "The part before the @ ends with a dot.", NULL);
	while (here < end)
	{
		uint32_t	c;

		here = take_character(here, end, &c);
		if (c == '.' && *here == '.')
			return refuse(fault, "The part before the @ has two dots in a row.", NULL);
		if (c < 0x80 ? !is_atom(c) : IN_RANGES(c, invisible))
			return refuse_character(fault, c, "%s must not stand before the @.");
	}
	return true;
}

/*
 * The part behind the @: a host name of RFC 1123, 2.1, with the letters of
 * other scripts, of two labels or more.
 */
static bool
check_domain(const char *here, const char *end, ContactFault *fault)
{
	bool		all_digits = true;
	bool		dotted = false;

	if (here == end)
		return refuse(fault, "There is nothing behind the @.", NULL);
	if (*here == '[')
		return refuse(fault, "The domain is an IP address.", "Write the name of a domain.");
	if (*here == '.')
		return refuse(fault, "The domain begins with a dot.", NULL);
	if (end[-1] == '.')
		return refuse(fault, "The domain ends with a dot.", NULL);
	for (;;)
	{
		const char *label = here;
		int			length = 0;
		bool		ascii = true;

		all_digits = true;
		while (here < end && *here != '.')
		{
			uint32_t	c;

			here = take_character(here, end, &c);
			if (c < 0x80 ? !is_letter(c) && !is_digit(c) && c != '-' :
				IN_RANGES(c, invisible) || IN_RANGES(c, symbols))
				return refuse_character(fault, c, "%s must not stand in the domain.");
			if (!is_digit(c))
				all_digits = false;
			if (c >= 0x80)
				ascii = false;
			length++;
		}
		if (here == label)
			return refuse(fault, "The domain has two dots in a row.", NULL);
		if (*label == '-' || here[-1] == '-')
			return refuse(fault, "A part of the domain begins or ends with a hyphen.", NULL);
		if (ascii && length > EMAIL_MAX_LABEL_SIZE)
			return refuse(fault, "A part of the domain is longer than 63 bytes.", NULL);
		if (!ascii && length > EMAIL_MAX_LABEL_LENGTH)
			return refuse(fault, "A part of the domain is longer than 59 characters.", NULL);
		if (here == end)
			break;
		here++;
		dotted = true;
	}
	if (!dotted)
		return refuse(fault, "The domain has no dot.",
					  "Write the whole domain, like example.com.");
	if (all_digits)
		return refuse(fault, "The last part of the domain is a number.", NULL);
	return true;
}

/*
 * Read an address.  email has room for EMAIL_MAX_SIZE bytes.  Returns false
 * and what is wrong, or true and the address.
 */
bool
email_parse(const char *text, size_t size, char *email, size_t *email_size,
			ContactFault *fault)
{
	const char *end;
	const char *at;
	char	   *out;

	if (!contact_trim(&text, &size, fault))
		return false;
	end = text + size;
	if (memchr(text, '<', size) != NULL || end[-1] == '>')
		return refuse(fault, "It has a name or angle brackets.",
					  "Write only what stands between < and >.");
	at = memchr(text, '@', size);
	if (at == NULL)
		return refuse(fault, "There is no @ in it.", NULL);
	if (!check_local(text, at, fault))
		return false;
	if (memchr(at + 1, '@', end - at - 1) != NULL)
		return refuse(fault, "There is more than one @ in it.", NULL);
	if (size > EMAIL_MAX_SIZE)
		return refuse(fault, "It is longer than 254 bytes.", NULL);
	if (!check_domain(at + 1, end, fault))
		return false;

	at++;
	memcpy(email, text, at - text);
	out = email + (at - text);
	out += email_fold(at, end - at, out);
	*email_size = out - email;
	return true;
}

/* The bytes before the @ of an address. */
size_t
email_local_size(const char *email, size_t size)
{
	const char *at = memchr(email, '@', size);

	return at == NULL ? size : (size_t) (at - email);
}

/*
 * Write an address in lower case: equal addresses become the same bytes.
 * folded has room for size bytes.  Returns how many were written.
 */
size_t
email_fold(const char *email, size_t size, char *folded)
{
	const char *end = email + size;
	char	   *out = folded;

	while (email < end)
	{
		uint32_t	c;
		const char *next = take_folded(email, end, &c);

		/* can't be, but what is stored must not lead us astray */
		if (next == NULL)
			*out++ = *email++;
		else
		{
			out = put_character(out, c);
			email = next;
		}
	}
	return out - folded;
}

/*
 * Less than, equal to or greater than zero, as a compares with b when both
 * are folded: by character.
 */
int
email_compare(const char *a, size_t a_size, const char *b, size_t b_size)
{
	const char *a_end = a + a_size;
	const char *b_end = b + b_size;

	while (a < a_end && b < b_end)
	{
		uint32_t	left = (unsigned char) *a;
		uint32_t	right = (unsigned char) *b;

		if (left < 0x80 && right < 0x80 && !at_mark(a + 1, a_end) && !at_mark(b + 1, b_end))
		{
			a++;
			b++;
			if (left == right)
				continue;
			left = lower(left);
			right = lower(right);
		}
		else
		{
			a = take_folded(a, a_end, &left);
			b = take_folded(b, b_end, &right);
			/* can't be, as above */
			if (a == NULL || b == NULL)
				return (a != NULL) - (b != NULL);
		}
		if (left != right)
			return left < right ? -1 : 1;
	}
	return (a < a_end) - (b < b_end);
}

/*
 * The country codes of ITU-T E.164, by their first two digits: "" is a code of
 * two digits, else each character is the third digit of one.  1 and 7 are
 * codes of their own.  The list of assigned codes of the ITU (Annex to
 * Operational Bulletin 1114, 15 December 2016) and its amendments; codes that
 * are reserved or were given back are not in it.
 */
static const char *const country_codes[100] = {
	[20] = "", [21] = "12368", [22] = "0123456789", [23] = "0123456789",
	[24] = "0123456789", [25] = "012345678", [26] = "0123456789", [27] = "",
	[29] = "01789",
	[30] = "", [31] = "", [32] = "", [33] = "", [34] = "",
	[35] = "0123456789", [36] = "", [37] = "0123456789", [38] = "01235679",
	[39] = "",
	[40] = "", [41] = "", [42] = "013", [43] = "", [44] = "", [45] = "", [46] = "",
	[47] = "", [48] = "", [49] = "",
	[50] = "0123456789", [51] = "", [52] = "", [53] = "", [54] = "", [55] = "",
	[56] = "", [57] = "", [58] = "", [59] = "0123456789",
	[60] = "", [61] = "", [62] = "", [63] = "", [64] = "", [65] = "", [66] = "",
	[67] = "023456789", [68] = "012356789", [69] = "012",
	[80] = "08", [81] = "", [82] = "", [84] = "", [85] = "02356", [86] = "",
	[87] = "08", [88] = "01236",
	[90] = "", [91] = "", [92] = "", [93] = "", [94] = "", [95] = "",
	[96] = "012345678", [97] = "012345679", [98] = "", [99] = "234568"
};

/*
 * How many of the digits are the country code; 0 if there is none such.
 */
static int
country_code_size(const char *digits, int count)
{
	const char *thirds;

	if (count >= 1 && (digits[0] == '1' || digits[0] == '7'))
		return 1;
	if (count < 2)
		return 0;
	thirds = country_codes[(digits[0] - '0') * 10 + digits[1] - '0'];
	if (thirds == NULL)
		return 0;
	if (*thirds == '\0')
		return 2;
	return count >= 3 && strchr(thirds, digits[2]) != NULL ? 3 : 0;
}

/*
 * Between the digits of a number: white space, hyphens and dashes, dots,
 * slashes, and the invisible marks of direction that telephones copy along.
 */
static const Range separators[] = {
	{'\t', '\r'}, {' ', ' '}, {'-', '/'}, {0xA0, 0xA0}, {0xAD, 0xAD},
	{0x1680, 0x1680}, {0x2000, 0x2015}, {0x2024, 0x2024}, {0x2028, 0x202F},
	{0x205F, 0x2064}, {0x2066, 0x2069}, {0x2212, 0x2212}, {0x3000, 0x3000},
	{0xFEFF, 0xFEFF}, {0xFF0D, 0xFF0F}
};

/* The value of a digit, Arabic (of Europe, Arabia or Persia) or full-width; or -1. */
static int
digit_value(uint32_t c)
{
	static const uint32_t zeroes[] = {'0', 0x0660, 0x06F0, 0xFF10};

	for (size_t i = 0; i < sizeof(zeroes) / sizeof(zeroes[0]); i++)
		if (c >= zeroes[i] && c < zeroes[i] + 10)
			return (int) (c - zeroes[i]);
	return -1;
}

/* What begins an extension: x, ext, #, and the pauses of telephones. */
static bool
is_extension(const char *here, const char *end)
{
	size_t		size = end - here;

	if (*here == 'x' || *here == 'X' || *here == '#' || *here == ';' || *here == ',')
		return true;
	return size >= 3 && (here[0] | 32) == 'e' && (here[1] | 32) == 'x' && (here[2] | 32) == 't';
}

#define PHONE_HINT	"Write it with its country code, like +49 30 123456."

/*
 * Read a number.  Returns false and what is wrong, or true and the number.
 *
 * A zero in brackets behind the country code, as in +44 (0)20, is the one that
 * is dialled within the country only, and is left out; but in Italy, San Marino
 * and the Vatican, where it is part of the number, it stays.
 */
bool
phone_parse(const char *text, size_t size, int64_t *phone, ContactFault *fault)
{
	const char *here;
	const char *end;
	char		digits[PHONE_MAX_DIGITS];
	int			count = 0;
	int			code;
	int			bracket = -1;	/* digits before the open bracket */
	int64_t		sum = 0;
	uint32_t	c;

	if (!contact_trim(&text, &size, fault))
		return false;
	here = text;
	end = text + size;

	/* the marks of direction can stand before the + */
	do
	{
		const char *next = take_character(here, end, &c);

		if (c == '+' || c == 0xFF0B || !IN_RANGES(c, separators) || c < 0x80)
			break;
		here = next;
	} while (here < end);
	if (here == end || (c != '+' && c != 0xFF0B))
	{
		if (size >= 2 && text[0] == '0' && text[1] == '0')
			return refuse(fault, "It does not begin with +.",
						  "Write + in place of the leading 00.");
		return refuse(fault, "It does not begin with +.", PHONE_HINT);
	}
	here = take_character(here, end, &c);

	while (here < end)
	{
		const char *next = take_character(here, end, &c);
		int			digit = digit_value(c);

		if (digit >= 0)
		{
			if (count == PHONE_MAX_DIGITS)
				return refuse(fault, "It has more than 15 digits.", NULL);
			digits[count++] = (char) ('0' + digit);
		}
		else if (c == '(' || c == 0xFF08)
		{
			if (bracket >= 0)
				return refuse(fault, "A bracket stands within brackets.", NULL);
			bracket = count;
		}
		else if (c == ')' || c == 0xFF09)
		{
			if (bracket < 0)
				return refuse(fault, "A bracket is closed that was not opened.", NULL);
			if (count - bracket == 1 && digits[bracket] == '0')
			{
				code = country_code_size(digits, bracket);
				if (code == 0 || code != bracket)
					return refuse(fault, "A zero in brackets stands elsewhere than behind the country code.",
								  PHONE_HINT);
				if (!(code == 2 && memcmp(digits, "39", 2) == 0) &&
					!(code == 3 && (memcmp(digits, "378", 3) == 0 ||
									memcmp(digits, "379", 3) == 0)))
					count--;
			}
			bracket = -1;
		}
		else if (c == '+' || c == 0xFF0B)
			return refuse(fault, "There is more than one + in it.", NULL);
		else if (is_extension(here, end))
			return refuse(fault, "It has an extension, which is no part of an international number.",
						  "Keep the extension in a column of its own.");
		else if (!IN_RANGES(c, separators))
			return refuse_character(fault, c, "%s must not stand in a telephone number.");
		here = next;
	}
	if (bracket >= 0)
		return refuse(fault, "A bracket is not closed.", NULL);
	if (count == 0)
		return refuse(fault, "There is no digit in it.", PHONE_HINT);
	if (digits[0] == '0')
		return refuse(fault, "No country code begins with 0.", PHONE_HINT);
	code = country_code_size(digits, count);
	if (code == 0 && count >= PHONE_MAX_CODE_SIZE)
		return refuse(fault, "It does not begin with the code of a country.", PHONE_HINT);
	if (code == 0 || count < code + PHONE_MIN_SUBSCRIBER)
		return refuse(fault, "It is too short: behind the country code it must have four digits or more.", NULL);

	for (int i = 0; i < PHONE_MAX_DIGITS; i++)
		sum = sum * 10 + (i < count ? digits[i] - '0' : 0);
	*phone = sum * 16 + count;
	return true;
}

/*
 * Write a number like +493012345678, with a closing zero; text has room for
 * PHONE_TEXT_SIZE bytes.  Returns its length.
 */
int
phone_print(int64_t phone, char *text)
{
	int64_t		digits = phone / 16;

	for (int i = (int) (phone % 16); i < PHONE_MAX_DIGITS; i++)
		digits /= 10;
	return snprintf(text, PHONE_TEXT_SIZE, "+%lld", (long long) digits);
}

/* How many of the digits behind the + are the country code. */
int
phone_country_code_size(int64_t phone)
{
	char		text[PHONE_TEXT_SIZE];
	int			size = phone_print(phone, text);

	return country_code_size(text + 1, size - 1);
}
