/*
 * What one core does: mails composed, texts filled, next moments of a rhythm against libical.
 *
 *   bench_core [RATE]    RATE: mails a second of the peer (run.sh), for the ratio
 *
 * Times are of the processor, so that a busy machine does not show.  Figures are printed, never
 * judged by a clock in a test.
 */
#include <inttypes.h>
#include <libical/ical.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/parse.h"
#include "base/text.h"
#include "compose/compose.h"
#include "people/person.h"
#include "plan/rhythm.h"
#include "plan/zone.h"
#include "ruleload.h"
#include "rules/findings.h"
#include "settings.h"

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double
compose_rate(const struct compose *c, struct letter *l, int n,
    void (*fn)(const struct compose *, const struct token_key *, const struct letter *,
	struct text *),
    size_t *ret_bytes)
{
	struct token_key key;
	struct text out = { 0 };
	double t = seconds();

	token_key_derive(1, &key);
	for (int i = 0; i < n; i++) {
		text_clear(&out);
		l->delivery = i;
		fn(c, &key, l, &out);
	}
	*ret_bytes = out.len;
	text_deinit(&out);
	return n / (seconds() - t);
}

static void
rhythm_ratio(void)
{
	struct rhythm r = { .kind = RHYTHM_EVERY, .every = { 2, UNIT_WEEK }, .on = 0x0a };
	struct civil anchor = { day_of(2016, 1, 5), 34200 };
	struct series *s = series_new(&r, anchor);
	struct icalrecurrencetype rule =
	    icalrecurrencetype_from_string("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH");
	icalrecur_iterator *it =
	    icalrecur_iterator_new(rule, icaltime_from_string("20160105T093000"));
	double t = seconds();
	enum { OURS = 1000000, THEIRS = 20000 };
	int64_t sum = 0;
	double ours, theirs;

	for (int i = 0; i < OURS; i++)
		sum += series_index_after(s, (struct civil){ day_add(anchor.day, 3650 + i % 700), 0 });
	ours = (seconds() - t) / OURS;
	t = seconds();
	for (int i = 0; i < THEIRS; i++) {
		int year, month, mday;
		struct icaltimetype at = icaltime_from_string("20260105T093000");

		day_split(day_add(anchor.day, 3650 + i % 700), &year, &month, &mday);
		at.year = year;
		at.month = month;
		at.day = mday;
		icalrecur_iterator_set_start(it, at);
		sum += icalrecur_iterator_next(it).day;
	}
	theirs = (seconds() - t) / THEIRS;
	printf("next moment of a rhythm: %.0f ns, libical set_start %.0f ns: %.0f times (at least 20)\n",
	    ours * 1e9, theirs * 1e9, theirs / ours);
	if (sum == 0)
		abort(); /* so that the sums are made */
	icalrecur_iterator_free(it);
	series_free(&s);
}

int
main(int argc, char **argv)
{
	int64_t peer;
	const char *src = getenv("SRC");
	struct person p = { .id = "p", .name = "Fatima van den Berg", .first_name = "Fatima",
		.email = "fatima@zorg.example", .language = "nl", .role = "", .time_zone = "", .team = "noord",
		.manager = "", .stage = "", .chat = "" };
	struct settings settings;
	struct rulebase *rb;
	struct compose *c;
	struct findings *f;
	char rules[4096];
	size_t bytes;
	double rate;

	snprintf(rules, sizeof rules, "%s/rules", src != NULL ? src : ".");
	f = findings_new(rules);
	if (settings_load(NULL, NULL, rules, &settings) != 0 ||
	    rules_open(&settings, rules, f, &rb, &c) < 0 || rb == NULL)
		return 1;
	struct letter l = { .campaign = rulebase_campaign(rb, "bravo-week"),
		.messenger = &rb->house.messengers[0], .messenger_name = "Team HR",
		.messenger_address = "hr@zorg.example", .to = &p, .zone = zone_find("Europe/Amsterdam"),
		.occurrence = "2026-01-06/0", .number = 1, .sent = { INT64_C(1767700000000000) } };

	l.message = campaign_message(l.campaign, "lunch-walk");
	rate = compose_rate(c, &l, 100000, compose_email, &bytes);
	printf("mails composed, all parts, %zu bytes: %.0f a second (aim 60,000)\n", bytes, rate);
	if (argc > 1 && parse_int(argv[1], 1, INT64_MAX, &peer))
		printf("nodemailer, the same mail: %" PRId64 " a second; ours is %.0f times that (at least 6)\n",
		    peer, rate / (double)peer);
	rate = compose_rate(c, &l, 1000000, compose_subject, &bytes);
	printf("subject filled: %.0f a second\n", rate);
	rate = compose_rate(c, &l, 300000, compose_plain, &bytes);
	printf("text filled, %zu bytes with its signed links: %.0f a second (at least 500,000)\n", bytes, rate);
	rhythm_ratio();
	compose_free(&c);
	rulebase_free(&rb);
	findings_free(&f);
	settings_deinit(&settings);
	return 0;
}
