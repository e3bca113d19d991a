#include "commands/decision_json.h"

#include <string.h>

#include "base/scope.h"
#include "base/text.h"
#include "plan/decide.h"

static void
put_string(FILE *out, const char *s)
{
	putc('"', out);
	for (const unsigned char *p = (const unsigned char *)s; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(out, "\\%c", *p);
		else if (*p < 0x20)
			fprintf(out, "\\u%04x", *p);
		else
			putc(*p, out);
	}
	putc('"', out);
}

static void
put_field(FILE *out, const char *name, const char *value)
{
	if (value == NULL)
		return;
	fprintf(out, ",\"%s\":", name);
	put_string(out, value);
}

void
decision_print_json(FILE *out, const struct decision_line *l)
{
	char time[INSTANT_TEXT];

	fprintf(out, "{\"time\":\"%s\"", instant_format(l->time, l->offset, time));
	put_field(out, "person", l->person);
	put_field(out, "run", l->run);
	put_field(out, "campaign", l->campaign);
	put_field(out, "occurrence", l->occurrence);
	put_field(out, "verdict", verdict_names[l->verdict]);
	put_field(out, "message", l->message);
	put_field(out, "angle", l->angle);
	put_field(out, "frame", l->frame);
	put_field(out, "channel", l->channel);
	put_field(out, "messenger", l->messenger);
	put_field(out, "language", l->language);
	put_field(out, "subject", l->subject);
	fputs(",\"reasons\":[", out);
	for (int i = 0; i < l->n_reasons; i++) {
		if (i > 0)
			putc(',', out);
		put_string(out, l->reasons[i]);
	}
	fprintf(out, "],\"probability\":%.6g}\n", l->probability);
}

void
decision_print_text(FILE *out, const struct decision_line *l)
{
	char time[INSTANT_TEXT];

	fprintf(out, "%.16s  %-5s %-8s %-14s", instant_format(l->time, l->offset, time),
	    verdict_names[l->verdict], l->person, l->campaign);
	if (l->message != NULL)
		fprintf(out, " %-8s %-16s %s: %s", l->channel, l->message, l->messenger, l->subject);
	for (int i = 0; i < l->n_reasons; i++)
		fprintf(out, "%s%s", i == 0 ? "  [" : ", ", l->reasons[i]);
	fputs(l->n_reasons > 0 ? "]\n" : "\n", out);
}
