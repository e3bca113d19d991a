/*
 * A courier of a few lines around the chat carrier, for tests/system/hooks.py and the bench.
 *
 *   hook_driver FORMAT URL CA PARALLEL [inside] [ROUNDS:N] [EVERY:MS] < LINES
 *
 * The secret stands in $HOOK_SECRET.  @FILE as the URL: it stands in that file, and may change.
 *
 * A line is a delivery: KEY RECIPIENT BODY, the body to the end of the line.  STOP as the body: it is
 * stopped before its first byte leaves; CLOSE: the carrier is closed 300 ms after all were handed
 * out.  Each outcome is a line:
 * NUMBER FATE TROUBLE CODE AFTER RECEIPT REASON | DETAIL.
 * ROUNDS:N hands the lines out again until N are done, prints seconds and the fates only.
 * EVERY:MS hands out one, and the next so much later.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/text.h"
#include "deliver/carriers.h"
#include "deliver/net/transport.h"
#include "loop/wires.h"

enum { PARCELS = 4096 };

struct courier {
	struct parcel parcels[PARCELS];
	bool stopped[PARCELS], told[PARCELS];
	char keys[PARCELS][64], recipients[PARCELS][128];
	size_t n, handed, done, rounds;
	size_t fates[FATES];
	int most; /* connections at once */
	bool closes, over;
	int parallel;
	struct span every;
	bool waits; /* for the next of EVERY */
	const struct wires *wires;
	struct wire *bell;
	struct carrier *hook;
	const char *url, *secret;
};

static struct parcel *
next(struct courier *c, struct carrier *from)
{
	(void)from;
	if (c->waits)
		return NULL;
	if (c->every.us > 0) {
		c->waits = true;
		c->wires->set(c->bell, c->every);
	}
	if (c->rounds > 0)
		return c->handed < c->rounds ? &c->parcels[c->handed++ % c->n] : NULL;
	return c->handed < c->n ? &c->parcels[c->handed++] : NULL;
}

static bool
may_go(struct courier *c, struct parcel *p)
{
	return !c->stopped[p->row];
}

static void
done(struct courier *c, struct carrier *from, struct parcel *p, const struct outcome *o)
{
	c->done++;
	c->fates[o->fate]++;
	if (from->active > c->most)
		c->most = from->active;
	if (c->rounds > 0)
		return;
	if (c->told[p->row])
		printf("TWICE ");
	c->told[p->row] = true;
	printf("%d %s %d %d %" PRId64 " %s %s | %s\n", (int)p->row, fate_names[o->fate], (int)o->trouble,
	    o->code, o->after.us / 1000, o->receipt[0] != '\0' ? o->receipt : "-", o->reason, o->detail);
}

/* Without a connection what waits goes back, one for each that failed. */
static void
connected(struct courier *c, struct carrier *from, const struct outcome *o)
{
	struct parcel *p = o != NULL ? next(c, from) : NULL;

	if (p != NULL)
		done(c, from, p, o);
	from->work(from, c->parallel);
}

static void
on_bell(void *arg)
{
	struct courier *c = arg;

	c->waits = false;
	c->hook->work(c->hook, c->parallel);
}

static int
url(void *arg, struct text *ret)
{
	const struct courier *c = arg;

	if (c->url[0] == '@')
		return file_read(c->url + 1, 4096, ret) == 0 ? 0 : -EIO;
	text_puts(ret, c->url);
	text_puts(ret, "\n"); /* as a file has it */
	return 0;
}

static int
secret(void *arg, struct text *ret)
{
	text_puts(ret, ((struct courier *)arg)->secret);
	return 0;
}

static bool
all_done(void *arg)
{
	struct courier *c = arg;

	return c->done == (c->rounds > 0 ? c->rounds : c->n);
}

static bool
is_over(void *arg)
{
	return ((struct courier *)arg)->over;
}

static void
time_up(void *arg)
{
	((struct courier *)arg)->over = true;
}

static bool
line_take(struct courier *c, char *line)
{
	struct parcel *p = &c->parcels[c->n];
	int at = 0;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%63s %127s %n", c->keys[c->n], c->recipients[c->n], &at) != 2)
		return false;
	if (strcmp(c->recipients[c->n], "-") == 0)
		c->recipients[c->n][0] = '\0';
	*p = (struct parcel){ .row = (int64_t)c->n, .key = c->keys[c->n],
		.recipient = c->recipients[c->n], .receipt = "" };
	c->stopped[c->n] = strcmp(line + at, "STOP") == 0;
	c->closes = c->closes || strcmp(line + at, "CLOSE") == 0;
	text_puts(&p->body, line + at);
	c->n++;
	return true;
}

static void
run(struct courier *c, const struct wires *w)
{
	struct carrier *hook = c->hook;
	struct instant start = clock_monotonic();
	struct wire *alarm = w->alarm(w->loop, time_up, c);

	hook->work(hook, c->parallel);
	if (c->closes) {
		w->set(alarm, (struct span){ 300000 });
		wires_run(w, is_over, c, SPAN_MINUTES(1));
	} else if (wires_run(w, all_done, c, SPAN_MINUTES(3)) != 0)
		printf("not all done\n");
	w->cut(&alarm);
	w->cut(&c->bell);
	if (c->rounds > 0)
		printf("%.6f %zu %zu\n", (double)instant_diff(clock_monotonic(), start).us / 1e6,
		    c->fates[FATE_DELIVERED], c->done);
	hook->close(&hook);
}

int
main(int argc, char **argv)
{
	static struct courier c;
	struct wires wires;
	struct transport *t;
	static char line[1 << 20];
	int64_t parallel, rounds, every;
	int format;

	log_open("hook_driver", LOG_WARNING);
	if (argc < 5 || (format = parse_word(argv[1], chat_format_names, CHAT_FORMATS)) < 0 ||
	    !parse_int(argv[4], 1, 64, &parallel))
		return 2;
	c.parallel = (int)parallel;
	c.url = argv[2];
	c.secret = getenv("HOOK_SECRET") != NULL ? getenv("HOOK_SECRET") : "";
	struct hook_options o = { .format = (enum chat_format)format, .url = url, .secret = secret,
		.secret_arg = &c, .ca_file = argv[3][0] != '\0' ? argv[3] : NULL };

	for (int i = 5; i < argc; i++)
		if (strcmp(argv[i], "inside") == 0)
			o.may_private = true;
		else if (strncmp(argv[i], "ROUNDS:", 7) == 0 && parse_int(argv[i] + 7, 1, 10000000, &rounds))
			c.rounds = (size_t)rounds;
		else if (strncmp(argv[i], "EVERY:", 6) == 0 && parse_int(argv[i] + 6, 1, 60000, &every))
			c.every.us = every * 1000;
		else
			return 2;
	while (c.n < PARCELS && fgets(line, sizeof line, stdin) != NULL)
		if (!line_take(&c, line))
			return 2;
	const struct carrier_host host = { &c, next, may_go, done, connected };

	if (wires_open(&wires) < 0 || transport_new(&wires, &t) < 0)
		return 3;
	if (hook_new(&o, &host, t, &c.hook) < 0)
		return 4;
	c.wires = &wires;
	c.bell = wires.alarm(wires.loop, on_bell, &c);
	run(&c, &wires);
	transport_free(&t);
	wires_close(&wires);
	printf("most %d\n", c.most);
	for (size_t i = 0; i < c.n; i++)
		text_deinit(&c.parcels[i].body);
	return 0;
}
