/*
 * contact.h
 *		How to reach a customer: e-mail addresses and telephone numbers.
 *
 * This header and contact_parse.c know nothing of the server, so that they can
 * be tested and fuzzed alone.  All text here is UTF-8, whatever the database's
 * encoding is, and not closed by a zero.
 */
#ifndef CRM_CONTACT_H
#define CRM_CONTACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is wrong with a text, for the one who wrote it. */
typedef struct ContactFault
{
	const char *detail;			/* a sentence; %s stands for the character */
	const char *hint;			/* NULL, or what to do */
	uint32_t	character;		/* that is not allowed; 0 if it isn't one */
} ContactFault;

extern bool contact_trim(const char **text, size_t *size, ContactFault *fault);
extern void contact_character_name(uint32_t character, char *name);

/* room for the longest name of a character, with its closing zero */
#define CONTACT_NAME_SIZE		16

/*
 * E-mail
 *
 * On disk: the address as text in UTF-8, as it was entered but for the white
 * space around it, which is gone, and the domain, which is in lower case.
 */
#define EMAIL_MAX_SIZE			254 /* RFC 5321, 4.5.3.1.3: a path is 256, with its < > */
#define EMAIL_MAX_LOCAL_SIZE	64	/* RFC 5321, 4.5.3.1.1 */
#define EMAIL_MAX_LABEL_SIZE	63	/* RFC 1035, 2.3.4, in ASCII */
#define EMAIL_MAX_LABEL_LENGTH	59	/* RFC 5890, 4.2: what fits there with other letters */

extern bool email_parse(const char *text, size_t size, char *email, size_t *email_size,
						ContactFault *fault);
extern size_t email_local_size(const char *email, size_t size);
extern size_t email_fold(const char *email, size_t size, char *folded);
extern int	email_compare(const char *a, size_t a_size, const char *b, size_t b_size);

/*
 * Telephone numbers
 *
 * On disk: an integer, the digits followed by as many zeroes as it takes to
 * make them 15, times 16, plus the number of digits.  Integers then compare
 * as the texts do: +4930 < +49301 < +4931 < +5.
 */
#define PHONE_MAX_DIGITS		15	/* ITU-T E.164, 6.2.1 */
#define PHONE_MIN_SUBSCRIBER	4	/* digits after the country code: Niue has four */
#define PHONE_TEXT_SIZE			(1 + PHONE_MAX_DIGITS + 1)	/* with its closing zero */
#define PHONE_MAX_CODE_SIZE		3

extern bool phone_parse(const char *text, size_t size, int64_t *phone, ContactFault *fault);
extern int	phone_print(int64_t phone, char *text);
extern int	phone_country_code_size(int64_t phone);

#endif							/* CRM_CONTACT_H */
