/*
 * A session with any server: each parcel is told exactly once, delivered or in doubt only when its
 * last bytes left, and what we say is lines that end with CRLF.
 *
 * The input is what the server sends; bytes 0 to 3 in it stand for: all of ours left, one byte of
 * ours left, silence, it closed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "deliver/mail/smtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAILS = 5 };
struct stage {
	struct smtp s;
	struct parcel parcels[MAILS];
	int given, told[MAILS];
	bool went[MAILS];
};

static void
must(bool good)
{
	if (!good)
		abort();
}

static struct parcel *
next(void *arg)
{
	struct stage *st = arg;

	return st->given < MAILS ? &st->parcels[st->given++] : NULL;
}

static bool
may_go(void *arg, struct parcel *p)
{
	struct stage *st = arg;

	st->went[p->row] = p->row != 3;
	return st->went[p->row];
}

static void
done(void *arg, struct parcel *p, const struct outcome *o)
{
	struct stage *st = arg;

	must(st->told[p->row]++ == 0);
	must(o->reason != NULL && strlen(o->detail) < sizeof o->detail);
	if (o->fate == FATE_DELIVERED || o->fate == FATE_UNCERTAIN)
		must(st->went[p->row] && st->s.left_total > st->s.last_bytes_at);
}

/* Our own bytes, n of them: no bare CR or LF, nothing that is not ours to say. */
static void
leave(struct stage *st, size_t n)
{
	struct slice out = smtp_output(&st->s);

	for (size_t i = 0; i < out.len; i++)
		must(out.s[i] != '\0' &&
		    (i == 0 || (out.s[i] == '\n') == (out.s[i - 1] == '\r')));
	smtp_sent(&st->s, n < out.len ? n : out.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const bodies[MAILS] = { "A: b\r\n\r\n.\r\n..x\r\n",
		"A: b\r\n\r\nx", "", "A: b\r\n", "A: \xc3\xa9\r\n" };
	static const char *const recipients[MAILS] = { "a@b.example", "c@d.example",
		"e@f.example", "g@h.example", "\xc3\xa9@j.example" };
	struct stage st = { 0 };
	const struct smtp_host host = { &st, next, may_go, done };
	size_t from = 0;

	for (int i = 0; i < MAILS; i++) {
		st.parcels[i] = (struct parcel){
			.row = i, .sender = "s@t.example", .recipient = recipients[i]
		};
		text_puts(&st.parcels[i].body, bodies[i]);
	}
	smtp_init(&st.s, &host, "me.example", SPAN_OF(600, 1));
	smtp_begin(&st.s);
	for (size_t i = 0; i <= size; i++) {
		if (i < size && data[i] > 3)
			continue;
		smtp_input(&st.s, (const char *)data + from, i - from);
		from = i + 1;
		if (i < size && data[i] >= 2)
			smtp_cut(&st.s, data[i] == 2);
		smtp_turn(&st.s);
		must(smtp_patience(&st.s).us > 0);
		leave(&st, i < size && data[i] == 1 ? 1 : SIZE_MAX);
	}
	smtp_abandon(&st.s);
	for (int i = 0; i < MAILS; i++) {
		must(st.told[i] == (i < st.given));
		text_deinit(&st.parcels[i].body);
	}
	smtp_deinit(&st.s);
	return 0;
}
