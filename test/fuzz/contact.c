/*
 * contact.c
 *		Fuzz target: e-mail addresses and telephone numbers.
 */
#include "fuzz.h"

#include "../../src/contact_parse.c"

const FuzzSeed fuzz_seeds[] = {
	SEED("jane.doe+news@example.com"),
	SEED(" John.O'Neil@Mail.Example.CO.UK\t"),
	SEED("J\xC3\x96RG@B\xC3\x9C" "CHER.de\nj\xC3\xB6rg@b\xC3\xBC" "cher.DE"),
	SEED("\xCE\xA9\xCE\x94\xCE\x97@\xCE\xA0\xCE\x91\xCE\xA1.\xCE\x95\xCE\x9B"),
	SEED("\xD0\x98\xD0\x92\xD0\x90\xD0\x9D@\xD0\x9F\xD0\xA0\xD0\x98\xD0\x9C\xD0\x95\xD0\xA0.\xD0\xA0\xD0\xA4"),
	SEED("\xE7\x94\xA8\xE6\x88\xB7@\xE4\xBE\x8B\xE5\xAD\x90.\xE5\xB9\xBF\xE5\x91\x8A"),
	SEED("STRA\xE1\xBA\x9E" "E@stra\xC3\x9F" "e.example"),
	SEED("a@b.cd\nA@B.CD\na@b.ce"),
	SEED("x@123.example\n!#$%&'*+-/=?^_`{|}~@xn--bcher-kva.example"),
	SEED("+49 30 123456"),
	SEED("+44 (0)20 7946-0958"),
	SEED("+1 (212) 555.0123\n+12125550123"),
	SEED("+39 (0)6 698 12345"),
	SEED("\xEF\xBC\x8B\xEF\xBC\x98\xEF\xBC\x91 3\xE2\x80\x90" "1234 5678"),
	SEED("\xE2\x80\xAA+351\xC2\xA0" "210/000000\xE2\x80\xAC"),
	SEED("+49 30 1234 ext. 5"),
	SEED("aJ\xCC\x8Cz@x.de\na\xC7\xB0z@x.de"),
	SEED("\xCE\xA5\xCC\x93\xCC\x80@x.de\n\xE1\xBD\x92@x.de"),
	SEED("+999 123456"),
	{NULL, 0}
};

static int
sign(int value)
{
	return (value > 0) - (value < 0);
}

/* memcmp, and the shorter first */
static int
compare_bytes(const char *a, size_t a_size, const char *b, size_t b_size)
{
	int			result = memcmp(a, b, a_size < b_size ? a_size : b_size);

	return result != 0 ? sign(result) : (a_size > b_size) - (a_size < b_size);
}

static void
check_fault(const ContactFault *fault)
{
	char		name[CONTACT_NAME_SIZE];
	char		message[512];
	const char *mark = strchr(fault->detail, '%');

	CHECK(fault->detail[strlen(fault->detail) - 1] == '.');
	CHECK(mark == NULL || (mark[1] == 's' && strchr(mark + 1, '%') == NULL));
	contact_character_name(fault->character, name);
	CHECK(strlen(name) < sizeof(name));
	snprintf(message, sizeof(message), fault->detail, name);
}

/* Whether text is an address; what must hold if so. */
static bool
try_email(const char *text, size_t size, char *email, size_t *email_size)
{
	ContactFault fault;
	char		again[EMAIL_MAX_SIZE];
	char		folded[EMAIL_MAX_SIZE];
	size_t		again_size;
	size_t		folded_size;
	size_t		local_size;

	if (!email_parse(text, size, email, email_size, &fault))
	{
		check_fault(&fault);
		return false;
	}
	CHECK(*email_size <= EMAIL_MAX_SIZE && *email_size <= size);
	local_size = email_local_size(email, *email_size);
	CHECK(local_size >= 1 && local_size <= EMAIL_MAX_LOCAL_SIZE && *email_size - local_size >= 4);

	/* what is stored is read as itself */
	CHECK(email_parse(email, *email_size, again, &again_size, &fault));
	CHECK(again_size == *email_size && memcmp(again, email, again_size) == 0);
	CHECK(email_compare(email, *email_size, again, again_size) == 0);

	/* folded it is an address too, and the same one */
	folded_size = email_fold(email, *email_size, folded);
	CHECK(folded_size <= *email_size);
	CHECK(email_compare(email, *email_size, folded, folded_size) == 0);
	CHECK(email_parse(folded, folded_size, again, &again_size, &fault));
	CHECK(again_size == folded_size && memcmp(again, folded, folded_size) == 0);
	CHECK(email_fold(folded, folded_size, again) == folded_size &&
		  memcmp(again, folded, folded_size) == 0);
	/* the domain is stored folded */
	CHECK(compare_bytes(email + local_size, *email_size - local_size,
						folded + email_local_size(folded, folded_size),
						folded_size - email_local_size(folded, folded_size)) == 0);
	return true;
}

static bool
try_phone(const char *text, size_t size, int64_t *phone)
{
	ContactFault fault;
	char		print[PHONE_TEXT_SIZE];
	int			length;
	int			code;
	int64_t		again;

	if (!phone_parse(text, size, phone, &fault))
	{
		check_fault(&fault);
		return false;
	}
	length = phone_print(*phone, print);
	CHECK(*phone > 0 && length == (int) strlen(print) && length <= 1 + PHONE_MAX_DIGITS);
	code = phone_country_code_size(*phone);
	CHECK(code >= 1 && code <= PHONE_MAX_CODE_SIZE && length - 1 - code >= PHONE_MIN_SUBSCRIBER);
	CHECK(print[0] == '+' && strspn(print + 1, "0123456789") == (size_t) length - 1);
	CHECK(phone_parse(print, length, &again, &fault) && again == *phone);
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *) data;
	const char *line = memchr(text, '\n', size);
	size_t		first_size = line == NULL ? size : (size_t) (line - text);
	const char *second = line == NULL ? text + size : line + 1;
	size_t		second_size = text + size - second;
	char		a[EMAIL_MAX_SIZE];
	char		b[EMAIL_MAX_SIZE];
	size_t		a_size;
	size_t		b_size;
	char		a_folded[EMAIL_MAX_SIZE];
	char		b_folded[EMAIL_MAX_SIZE];
	int64_t		left;
	int64_t		right;

	if (try_email(text, first_size, a, &a_size) && try_email(second, second_size, b, &b_size))
	{
		int			result = sign(email_compare(a, a_size, b, b_size));

		CHECK(result == -sign(email_compare(b, b_size, a, a_size)));
		a_size = email_fold(a, a_size, a_folded);
		b_size = email_fold(b, b_size, b_folded);
		CHECK(result == compare_bytes(a_folded, a_size, b_folded, b_size));
	}

	if (try_phone(text, first_size, &left) && try_phone(second, second_size, &right))
	{
		char		left_text[PHONE_TEXT_SIZE];
		char		right_text[PHONE_TEXT_SIZE];

		phone_print(left, left_text);
		phone_print(right, right_text);
		CHECK((left > right) - (left < right) == sign(strcmp(left_text, right_text)));
	}

	/* what is stored is trusted, but not blindly: any bytes must be safe */
	if (size > 1)
	{
		size_t		half = size / 2;
		char		folded[EMAIL_MAX_SIZE];

		CHECK(email_fold(text, half < sizeof(folded) ? half : sizeof(folded), folded) <= half);
		email_compare(text, half, text + half, size - half);
	}
	return 0;
}
