/*
 * crm_time.c
 *		Times as text: UTC, ISO 8601, independent of every setting.
 *
 * Nothing here knows the server.
 */
#include "crm_time.h"

#include "crm_text.h"

/* Days since 2000-01-01 to a date of the proleptic Gregorian calendar. */
static void
date_of_days(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t		era;
	int64_t		of_era;
	int64_t		year_of_era;
	int			of_year;
	int			shifted;

	/* count from 0000-03-01, so that the leap day is a year's last */
	days += 730425;
	era = (days >= 0 ? days : days - 146096) / 146097;
	of_era = days - era * 146097;
	year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = (int) (of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100));
	shifted = (5 * of_year + 2) / 153;
	*day = of_year - (153 * shifted + 2) / 5 + 1;
	*month = shifted < 10 ? shifted + 3 : shifted - 9;
	*year = year_of_era + era * 400 + (*month <= 2);
}

static int64_t
days_of_date(int64_t year, int month, int day)
{
	int64_t		era;
	int64_t		year_of_era;
	int			of_year;

	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	year_of_era = year - era * 400;
	of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
		of_year - 730425;
}

#define USECS_OF_DAY	INT64_C(86400000000)

/* Months since 2000-01 to the month of a time. */
int64_t
time_month(int64_t at)
{
	int64_t		days = at / USECS_OF_DAY - (at % USECS_OF_DAY < 0);
	int64_t		year;
	int			month;
	int			day;

	date_of_days(days, &year, &month, &day);
	return (year - 2000) * 12 + month - 1;
}

/* The first moment of a month; false if that is before the first of all times. */
bool
time_of_month(int64_t month, int64_t *at)
{
	int64_t		years = month / 12 - (month % 12 < 0);

	if (month < -81000 || month > 4000000)
		return false;
	*at = days_of_date(2000 + years, (int) (month - years * 12) + 1, 1) * USECS_OF_DAY;
	return *at >= TIME_MIN;
}

/*
 * Write a time as "2025-03-01T09:30:00.000001Z", with quotes, the fraction only
 * if there is one; its end.  Takes TIME_TEXT_SIZE bytes at most.
 */
char *
time_put(char *text, int64_t at)
{
	int64_t		days = at / USECS_OF_DAY;
	int64_t		rest = at % USECS_OF_DAY;
	int64_t		year;
	int			month;
	int			day;
	int			seconds;

	if (rest < 0)
	{
		days--;
		rest += USECS_OF_DAY;
	}
	date_of_days(days, &year, &month, &day);
	seconds = (int) (rest / 1000000);
	text += sprintf(text, "\"%s%04d-%02d-%02dT%02d:%02d:%02d",
					year < 0 ? "-" : "", (int) (year < 0 ? -year : year), month, day,
					seconds / 3600, seconds / 60 % 60, seconds % 60);
	if (rest % 1000000 != 0)
		text += sprintf(text, ".%06d", (int) (rest % 1000000));
	return text + sprintf(text, "Z\"");
}

/* Step over such a time, in the calendar; false if none is there. */
bool
time_take(const char **s, int64_t *at)
{
	const char *here = text_skip_space(*s);
	bool		negative;
	int			year = 0;
	int			digits = 0;
	int			month;
	int			day;
	int			hour;
	int			minute;
	int			second;
	int			fraction = 0;
	int64_t		check_year;
	int			check_month;
	int			check_day;
	int64_t		days;

	if (*here++ != '"')
		return false;
	negative = (*here == '-');
	if (negative)
		here++;
	for (; *here >= '0' && *here <= '9' && digits < 7; here++, digits++)
		year = year * 10 + (*here - '0');
	if (digits < 4 || *here++ != '-' || !text_take_digits(&here, 2, &month) ||
		*here++ != '-' || !text_take_digits(&here, 2, &day) ||
		*here++ != 'T' || !text_take_digits(&here, 2, &hour) ||
		*here++ != ':' || !text_take_digits(&here, 2, &minute) ||
		*here++ != ':' || !text_take_digits(&here, 2, &second))
		return false;
	if (*here == '.')
	{
		here++;
		if (!text_take_digits(&here, 6, &fraction))
			return false;
	}
	if (*here++ != 'Z' || *here++ != '"')
		return false;

	if (month < 1 || month > 12 || day < 1 || day > 31 ||
		hour > 23 || minute > 59 || second > 59)
		return false;
	days = days_of_date(negative ? -year : year, month, day);
	date_of_days(days, &check_year, &check_month, &check_day);
	if (check_day != day)
		return false;
	/* far outside the range first: the multiplication must not overflow */
	if (days < -3000000 || days > 110000000)
		return false;
	if (__builtin_mul_overflow(days, USECS_OF_DAY, at) ||
		__builtin_add_overflow(*at, ((hour * 60 + minute) * 60 + second) * INT64_C(1000000) + fraction, at))
		return false;
	*s = here;
	return true;
}
