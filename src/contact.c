/*
 * contact.c
 *		The types crm.email and crm.phone.
 *
 * An email is stored in UTF-8 in a database of any encoding, so that equal
 * ones compare and hash alike everywhere, and without conversion.  A phone is
 * an integer whose order is that of its text: its comparison functions are
 * those of bigint.
 */
#include "crm.h"

#include "contact.h"

#include "common/hashfn.h"
#include "common/unicode_norm.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/sortsupport.h"

PG_FUNCTION_INFO_V1(crm_email_in);
PG_FUNCTION_INFO_V1(crm_email_out);
PG_FUNCTION_INFO_V1(crm_email_recv);
PG_FUNCTION_INFO_V1(crm_email_send);
PG_FUNCTION_INFO_V1(crm_email_eq);
PG_FUNCTION_INFO_V1(crm_email_ne);
PG_FUNCTION_INFO_V1(crm_email_lt);
PG_FUNCTION_INFO_V1(crm_email_le);
PG_FUNCTION_INFO_V1(crm_email_gt);
PG_FUNCTION_INFO_V1(crm_email_ge);
PG_FUNCTION_INFO_V1(crm_email_cmp);
PG_FUNCTION_INFO_V1(crm_email_sortsupport);
PG_FUNCTION_INFO_V1(crm_email_hash);
PG_FUNCTION_INFO_V1(crm_email_hash_extended);
PG_FUNCTION_INFO_V1(crm_email_larger);
PG_FUNCTION_INFO_V1(crm_email_smaller);
PG_FUNCTION_INFO_V1(crm_domain);
PG_FUNCTION_INFO_V1(crm_folded);
PG_FUNCTION_INFO_V1(crm_local_part);
PG_FUNCTION_INFO_V1(crm_phone_in);
PG_FUNCTION_INFO_V1(crm_phone_out);
PG_FUNCTION_INFO_V1(crm_phone_recv);
PG_FUNCTION_INFO_V1(crm_phone_send);
PG_FUNCTION_INFO_V1(crm_country_code);

/* how much of a wrong text an error message shows, in bytes */
#define SHOWN_SIZE		200

/*
 * No address that is longer than this can become short enough by
 * normalisation, which makes at most three characters one, or three bytes two.
 */
#define NORMALISED_SIZE (4 * EMAIL_MAX_SIZE)

static bool
IsAscii(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (IS_HIGHBIT_SET(text[i]))
			return false;
	return true;
}

/*
 * Text of the database as UTF-8.  In SQL_ASCII, text that is not ASCII is
 * taken for UTF-8, and the parser refuses what is not.
 */
static const char *
ToUtf8(const char *text, size_t *size)
{
	char	   *utf8;

	if (GetDatabaseEncoding() == PG_UTF8 || GetDatabaseEncoding() == PG_SQL_ASCII ||
		IsAscii(text, *size))
		return text;
	utf8 = (char *) pg_do_encoding_conversion((unsigned char *) unconstify(char *, text), (int) *size,
											  GetDatabaseEncoding(), PG_UTF8);
	*size = strlen(utf8);
	return utf8;
}

/*
 * UTF-8 as text of the database, which closes with a zero only if it was
 * converted: *size is its length.
 */
static const char *
FromUtf8(const char *utf8, size_t *size)
{
	char	   *text;

	if (GetDatabaseEncoding() == PG_UTF8 || GetDatabaseEncoding() == PG_SQL_ASCII ||
		IsAscii(utf8, *size))
		return utf8;
	text = (char *) pg_do_encoding_conversion((unsigned char *) unconstify(char *, utf8), (int) *size,
											  PG_UTF8, GetDatabaseEncoding());
	*size = strlen(text);
	return text;
}

static text *
TextFromUtf8(const char *utf8, size_t size)
{
	const char *text = FromUtf8(utf8, &size);

	return cstring_to_text_with_len(text, (int) size);
}

/*
 * Unicode's normal form C, in which what looks alike for being written with
 * combining marks or without is the same.  Text must be valid UTF-8.
 */
static const char *
Normalise(const char *text, size_t *size)
{
	pg_wchar   *wide;
	pg_wchar   *normal;
	unsigned char *result;
	unsigned char *out;
	int			length = 0;

	if (IsAscii(text, *size))
		return text;
	wide = palloc((*size + 1) * sizeof(pg_wchar));
	for (const char *in = text; in < text + *size; in += pg_utf_mblen((const unsigned char *) in))
		wide[length++] = utf8_to_unicode((const unsigned char *) in);
	wide[length] = 0;
	normal = unicode_normalize(UNICODE_NFC, wide);
	for (length = 0; normal[length] != 0; length++)
		 /* count */ ;
	result = out = palloc(length * MAX_MULTIBYTE_CHAR_LEN + 1);
	for (int i = 0; i < length; i++)
	{
		unicode_to_utf8(normal[i], out);
		out += pg_utf_mblen(out);
	}
	*out = '\0';
	*size = out - result;
	return (char *) result;
}

/*
 * Whether values are normalised: other encodings have one way to write a
 * letter, or could not print the other.
 */
static bool
NormalisesInput(void)
{
	return GetDatabaseEncoding() == PG_UTF8 || GetDatabaseEncoding() == PG_SQL_ASCII;
}

/* Report why a text is no value of the type; a soft error where asked for. */
static Datum
RefuseContact(Node *context, const char *type, const char *text, size_t size,
			  const ContactFault *fault)
{
	char		name[CONTACT_NAME_SIZE];
	int			shown = (int) size;

	if (size > SHOWN_SIZE)
		shown = pg_mbcliplen(text, (int) Min(size, 2 * SHOWN_SIZE), SHOWN_SIZE);
	contact_character_name(fault->character, name);
	ereturn(context, (Datum) 0,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s: \"%.*s%s\"", type, shown, text,
					size > SHOWN_SIZE ? "..." : ""),
			 errdetail(fault->detail, name),
			 fault->hint != NULL ? errhint("%s", fault->hint) : 0));
}

/* An address from text of the database; the result is new. */
static Datum
EmailFromText(const char *text, size_t size, Node *context)
{
	const char *input = text;
	size_t		input_size = size;
	char		email[EMAIL_MAX_SIZE];
	size_t		email_size;
	ContactFault fault;

	text = ToUtf8(text, &size);
	if (!contact_trim(&text, &size, &fault))
		return RefuseContact(context, "crm.email", input, input_size, &fault);
	if (NormalisesInput() && size <= NORMALISED_SIZE)
		text = Normalise(text, &size);
	if (!email_parse(text, size, email, &email_size, &fault))
		return RefuseContact(context, "crm.email", input, input_size, &fault);

	/*
	 * The domain is in lower case now, where some letter can be in one piece
	 * with a mark that does not follow it at once, which email_fold doesn't
	 * look for.  What has been normalised does not grow.
	 */
	text = email;
	if (NormalisesInput())
		text = Normalise(email, &email_size);
	return PointerGetDatum(cstring_to_text_with_len(text, (int) email_size));
}

/* email_in(cstring) returns email: reads an address and tidies it up. */
Datum
crm_email_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);

	return EmailFromText(text, strlen(text), fcinfo->context);
}

/* email_out(email) returns cstring */
Datum
crm_email_out(PG_FUNCTION_ARGS)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);
	size_t		size = VARSIZE_ANY_EXHDR(email);
	const char *text = FromUtf8(VARDATA_ANY(email), &size);

	PG_RETURN_CSTRING(pnstrdup(text, size));
}

/* email_recv(internal) returns email: the binary form is the text form. */
Datum
crm_email_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	int			size;
	char	   *text = pq_getmsgtext(buffer, buffer->len - buffer->cursor, &size);

	return EmailFromText(text, size, NULL);
}

/* email_send(email) returns bytea: the binary form is the text form. */
Datum
crm_email_send(PG_FUNCTION_ARGS)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);
	size_t		size = VARSIZE_ANY_EXHDR(email);
	const char *text = FromUtf8(VARDATA_ANY(email), &size);
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendtext(&buffer, text, (int) size);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

static inline int
EmailCompare(struct varlena *a, struct varlena *b)
{
	return email_compare(VARDATA_ANY(a), VARSIZE_ANY_EXHDR(a),
						 VARDATA_ANY(b), VARSIZE_ANY_EXHDR(b));
}

/*
 * The first two arguments compared; frees what had to be unpacked, since an
 * index calls this very often in one memory context.
 */
static int
CompareArguments(FunctionCallInfo fcinfo)
{
	struct varlena *a = PG_GETARG_VARLENA_PP(0);
	struct varlena *b = PG_GETARG_VARLENA_PP(1);
	int			result = EmailCompare(a, b);

	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return result;
}

/* email = email: whatever the case of the letters */
Datum
crm_email_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(CompareArguments(fcinfo) == 0);
}

/* email <> email */
Datum
crm_email_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(CompareArguments(fcinfo) != 0);
}

/* email < email: by the characters of the lower-case text, from the left */
Datum
crm_email_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(CompareArguments(fcinfo) < 0);
}

/* email <= email */
Datum
crm_email_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(CompareArguments(fcinfo) <= 0);
}

/* email > email */
Datum
crm_email_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(CompareArguments(fcinfo) > 0);
}

/* email >= email */
Datum
crm_email_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(CompareArguments(fcinfo) >= 0);
}

/* email_cmp(email, email) returns integer: less than, equal to, more than 0 */
Datum
crm_email_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(CompareArguments(fcinfo));
}

static int
EmailSortCompare(Datum x, Datum y, SortSupport ssup)
{
	struct varlena *a = PG_DETOAST_DATUM_PACKED(x);
	struct varlena *b = PG_DETOAST_DATUM_PACKED(y);
	int			result = EmailCompare(a, b);

	if ((Pointer) a != DatumGetPointer(x))
		pfree(a);
	if ((Pointer) b != DatumGetPointer(y))
		pfree(b);
	return result;
}

/* email_sortsupport(internal): sort without a function call per comparison */
Datum
crm_email_sortsupport(PG_FUNCTION_ARGS)
{
	SortSupport ssup = (SortSupport) PG_GETARG_POINTER(0);

	ssup->comparator = EmailSortCompare;
	PG_RETURN_VOID();
}

/*
 * The first argument in lower case, in a buffer of EMAIL_MAX_SIZE bytes.
 * Returns its length.
 */
static int
FoldArgument(FunctionCallInfo fcinfo, char *folded)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);
	size_t		size = email_fold(VARDATA_ANY(email),
								  Min(VARSIZE_ANY_EXHDR(email), EMAIL_MAX_SIZE), folded);

	PG_FREE_IF_COPY(email, 0);
	return (int) size;
}

/* email_hash(email) returns integer: equal for equal addresses */
Datum
crm_email_hash(PG_FUNCTION_ARGS)
{
	char		folded[EMAIL_MAX_SIZE];
	int			size = FoldArgument(fcinfo, folded);

	return hash_any((unsigned char *) folded, size);
}

/* email_hash_extended(email, bigint) returns bigint: the same with a seed */
Datum
crm_email_hash_extended(PG_FUNCTION_ARGS)
{
	char		folded[EMAIL_MAX_SIZE];
	int			size = FoldArgument(fcinfo, folded);

	return hash_any_extended((unsigned char *) folded, size, PG_GETARG_INT64(1));
}

/* email_larger(email, email) returns email: for max() */
Datum
crm_email_larger(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(PG_GETARG_DATUM(CompareArguments(fcinfo) >= 0 ? 0 : 1));
}

/* email_smaller(email, email) returns email: for min() */
Datum
crm_email_smaller(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(PG_GETARG_DATUM(CompareArguments(fcinfo) <= 0 ? 0 : 1));
}

/* domain(email) returns text: what stands behind the @, in lower case */
Datum
crm_domain(PG_FUNCTION_ARGS)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);
	size_t		size = VARSIZE_ANY_EXHDR(email);
	size_t		local_size = email_local_size(VARDATA_ANY(email), size);

	PG_RETURN_TEXT_P(TextFromUtf8(VARDATA_ANY(email) + local_size + 1, size - local_size - 1));
}

/* folded(email) returns text: in lower case; addresses are equal if these are */
Datum
crm_folded(PG_FUNCTION_ARGS)
{
	char		folded[EMAIL_MAX_SIZE];
	int			size = FoldArgument(fcinfo, folded);

	PG_RETURN_TEXT_P(TextFromUtf8(folded, size));
}

/* local_part(email) returns text: what stands before the @, as entered */
Datum
crm_local_part(PG_FUNCTION_ARGS)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);

	PG_RETURN_TEXT_P(TextFromUtf8(VARDATA_ANY(email),
								  email_local_size(VARDATA_ANY(email), VARSIZE_ANY_EXHDR(email))));
}

/* A number from text of the database. */
static Datum
PhoneFromText(const char *text, size_t size, Node *context)
{
	const char *input = text;
	size_t		input_size = size;
	int64		phone;
	ContactFault fault;

	text = ToUtf8(text, &size);
	if (!phone_parse(text, size, &phone, &fault))
		return RefuseContact(context, "crm.phone", input, input_size, &fault);
	return Int64GetDatum(phone);
}

/* phone_in(cstring) returns phone: reads a number, however it is spaced. */
Datum
crm_phone_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);

	return PhoneFromText(text, strlen(text), fcinfo->context);
}

/* phone_out(phone) returns cstring: like +493012345678 */
Datum
crm_phone_out(PG_FUNCTION_ARGS)
{
	char	   *text = palloc(PHONE_TEXT_SIZE);

	phone_print(PG_GETARG_INT64(0), text);
	PG_RETURN_CSTRING(text);
}

/* phone_recv(internal) returns phone: the binary form is the text form. */
Datum
crm_phone_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	int			size;
	char	   *text = pq_getmsgtext(buffer, buffer->len - buffer->cursor, &size);

	return PhoneFromText(text, size, NULL);
}

/* phone_send(phone) returns bytea: the binary form is the text form. */
Datum
crm_phone_send(PG_FUNCTION_ARGS)
{
	char		text[PHONE_TEXT_SIZE];
	int			size = phone_print(PG_GETARG_INT64(0), text);
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendtext(&buffer, text, size);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

/* country_code(phone) returns text: the calling code, like 49, without + */
Datum
crm_country_code(PG_FUNCTION_ARGS)
{
	int64		phone = PG_GETARG_INT64(0);
	char		text[PHONE_TEXT_SIZE];

	phone_print(phone, text);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(text + 1, phone_country_code_size(phone)));
}
