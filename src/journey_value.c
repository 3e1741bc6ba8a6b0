/*
 * journey_value.c
 *		What can be asked of a journey, and its text form.
 *
 * No function here allocates, raises an error or knows the server.
 */
#include "journey.h"

#include "crm_text.h"
#include "crm_time.h"

/* How many bytes the number of one of so many channels takes. */
int
journey_width(int32_t channels)
{
	return channels <= UINT8_MAX + 1 ? 1 : channels <= UINT16_MAX + 1 ? 2 : 4;
}

/* The size of a journey, with its header. */
size_t
journey_size(int32_t touches, int32_t channels, size_t names)
{
	return offsetof(Journey, at) +
		(sizeof(int64_t) + journey_width(channels)) * (size_t) touches +
		sizeof(uint32_t) * (size_t) channels + names;
}

/*
 * The first touch at that time or later; touches if there is none.  Which half
 * it is in can't be foreseen, so the bisection has no branch on it.
 */
int32_t
journey_find(const Journey *journey, int64_t at)
{
	const int64_t *low = journey->at;
	int32_t		count = journey->touches;

	if (count == 0)
		return 0;
	while (count > 1)
	{
		int32_t		half = count / 2;

		low += low[half - 1] < at ? half : 0;
		count -= half;
	}
	return (int32_t) (low - journey->at) + (*low < at);
}

/* The number of a channel, -1 if it has no touch. */
int32_t
journey_find_channel(const Journey *journey, const char *name, size_t length)
{
	return name_table_find(journey_ends(journey), journey_names(journey), 0, journey->channels, name, length);
}

/*
 * Fold an ascending list of touches in place; its new length.  seen has room
 * for one bool a channel, all false; it may be NULL where only runs are folded.
 */
int32_t
journey_fold(const Journey *journey, JourneyFold fold, int32_t *touches,
			 int32_t count, bool *seen)
{
	int32_t		kept = 0;

	switch (fold)
	{
		case JOURNEY_FOLD_NONE:
			return count;
		case JOURNEY_FOLD_RUNS:
			for (int32_t i = 0; i < count; i++)
				if (i + 1 == count || journey_channel(journey, touches[i]) !=
					journey_channel(journey, touches[i + 1]))
					touches[kept++] = touches[i];
			return kept;
		case JOURNEY_FOLD_FIRST:
			for (int32_t i = 0; i < count; i++)
			{
				bool	   *mark = &seen[journey_channel(journey, touches[i])];

				if (!*mark)
					touches[kept++] = touches[i];
				*mark = true;
			}
			return kept;
		case JOURNEY_FOLD_LAST:
			/* from the end, to the end of the list; then back to its start */
			for (int32_t i = count - 1; i >= 0; i--)
			{
				bool	   *mark = &seen[journey_channel(journey, touches[i])];

				if (!*mark)
					touches[count - ++kept] = touches[i];
				*mark = true;
			}
			memmove(touches, touches + count - kept, sizeof(int32_t) * kept);
			return kept;
	}
	return count;
}

/*
 * Text form
 *
 * JSON, in the order of time:
 *
 * [["email", "2025-03-01T09:30:00Z"], ["paid search", "2025-03-02T18:05:00.25Z"]]
 *
 * Names are printed as they are; only a quote, a backslash and the control
 * characters are escaped, so that the form does not depend on the encoding.
 */

/* The length of a name as a JSON string, with its quotes. */
size_t
name_text_size(const char *name, size_t length)
{
	size_t		size = length + 2;

	for (size_t i = 0; i < length; i++)
	{
		if (name[i] == '"' || name[i] == '\\')
			size++;
		else if ((unsigned char) name[i] < 0x20)
			size += 5;
	}
	return size;
}

/* Write a name as a JSON string; its end. */
char *
name_put(char *text, const char *name, size_t length)
{
	*text++ = '"';
	for (size_t i = 0; i < length; i++)
	{
		if (name[i] == '"' || name[i] == '\\')
		{
			*text++ = '\\';
			*text++ = name[i];
		}
		else if ((unsigned char) name[i] < 0x20)
			text += sprintf(text, "\\u%04x", (unsigned char) name[i]);
		else
			*text++ = name[i];
	}
	*text++ = '"';
	return text;
}

/*
 * Step over a JSON string.  name has room for as many bytes as are left of *s.
 * An escape of a character that is not ASCII is refused: what it would be
 * depends on the encoding.
 */
bool
name_take(const char **s, char *name, size_t *length)
{
	const char *here = text_skip_space(*s);
	char	   *to = name;

	if (*here++ != '"')
		return false;
	for (; *here != '"'; here++)
	{
		if ((unsigned char) *here < 0x20)
			return false;		/* the end of the text, too */
		if (*here != '\\')
		{
			*to++ = *here;
			continue;
		}
		switch (*++here)
		{
			case '"':
			case '\\':
			case '/':
				*to++ = *here;
				break;
			case 'b':
				*to++ = '\b';
				break;
			case 'f':
				*to++ = '\f';
				break;
			case 'n':
				*to++ = '\n';
				break;
			case 'r':
				*to++ = '\r';
				break;
			case 't':
				*to++ = '\t';
				break;
			case 'u':
				{
					int			code = 0;

					for (int i = 0; i < 4; i++)
					{
						char		digit = *++here;

						if (digit >= '0' && digit <= '9')
							code = code * 16 + digit - '0';
						else if (digit >= 'a' && digit <= 'f')
							code = code * 16 + digit - 'a' + 10;
						else if (digit >= 'A' && digit <= 'F')
							code = code * 16 + digit - 'A' + 10;
						else
							return false;
					}
					if (code == 0 || code > 0x7F)
						return false;
					*to++ = (char) code;
					break;
				}
			default:
				return false;
		}
	}
	*length = to - name;
	*s = here + 1;
	return true;
}

/* Enough for the text form, with its closing zero. */
size_t
journey_text_size(const Journey *journey)
{
	size_t		size = 3;

	for (int32_t i = 0; i < journey->touches; i++)
	{
		uint32_t	length;
		const char *name = journey_name(journey, journey_channel(journey, i), &length);

		size += name_text_size(name, length) + TIME_TEXT_SIZE + 6;
	}
	return size;
}

/* Write the text form, terminated; its end. */
char *
journey_print(const Journey *journey, char *text)
{
	*text++ = '[';
	for (int32_t i = 0; i < journey->touches; i++)
	{
		uint32_t	length;
		const char *name = journey_name(journey, journey_channel(journey, i), &length);

		if (i > 0)
		{
			*text++ = ',';
			*text++ = ' ';
		}
		*text++ = '[';
		text = name_put(text, name, length);
		*text++ = ',';
		*text++ = ' ';
		text = time_put(text, journey->at[i]);
		*text++ = ']';
	}
	*text++ = ']';
	*text = '\0';
	return text;
}

/*
 * Read the text form, touch by touch: 1 and a touch, 0 at its end, or -1 and
 * what is wrong with it, as the detail of an error message.  name has room for
 * as many bytes as are left of *s.
 */
int
journey_take(const char **s, bool first, char *name, size_t *length, int64_t *at,
			 const char **wrong)
{
	if (first && !text_take(s, "["))
	{
		*wrong = "it must begin with [";
		return -1;
	}
	if (text_take(s, "]"))
	{
		if (*text_skip_space(*s) == '\0')
			return 0;
		*wrong = "nothing may follow the last ]";
		return -1;
	}
	if (!first && !text_take(s, ","))
	{
		*wrong = "a comma must stand between two touches";
		return -1;
	}
	if (!text_take(s, "[") || !name_take(s, name, length) || !text_take(s, ",") ||
		!time_take(s, at) || !text_take(s, "]"))
	{
		*wrong = "a touch must look like [\"email\", \"2025-03-01T09:30:00Z\"]";
		return -1;
	}
	if (*at < TIME_MIN || *at >= TIME_END)
	{
		*wrong = "a time is out of range";
		return -1;
	}
	return 1;
}
