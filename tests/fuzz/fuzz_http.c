/*
 * A connection to any server: an answer is counted only for what has left, no limit is passed, and
 * what we say is one request after the other.
 *
 * The input is what the server sends; bytes 0 to 3 in it stand for: all of ours left, one byte of
 * ours left, silence, it closed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "deliver/net/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool good)
{
	if (!good)
		abort();
}

static void
check(const struct http *h)
{
	must(h->status == 0 || (h->status >= 200 && h->status <= 599));
	must(h->status == 0 || h->status >= 300 || h->left > 0);
	must(h->body.len <= HTTP_BODY_KEPT && h->line.len <= HTTP_LINE_MAX);
	must(h->total <= HTTP_ANSWER_MAX || h->state != HTTP_ASKED);
	must(!http_is_free(h) || h->state == HTTP_FREE || (h->state == HTTP_ANSWERED && h->status != 0));
	must(http_output(h).len == 0 || (h->state == HTTP_ASKED && h->status == 0));
	must(http_wait(h, (struct instant){ 0 }).us >= 0 || h->retry_at.us < 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct http_field f = { "Content-Type", "a/b" };
	const struct http_request r = { .method = "POST", .target = "/", .host = "h", .fields = &f,
		.n_fields = 1, .body = { "{}", 2 } };
	struct http h = { 0 };
	size_t from = 0;

	must(http_ask(&h, &r));
	for (size_t i = 0; i <= size; i++) {
		size_t out;

		if (i < size && data[i] > 3)
			continue;
		http_input(&h, (const char *)data + from, i - from);
		check(&h);
		from = i + 1;
		if (i < size && data[i] >= 2) {
			http_cut(&h, data[i] == 2 ? HTTP_SILENCE : HTTP_CUT);
			must(h.state != HTTP_ASKED && !http_is_free(&h));
		}
		out = http_output(&h).len;
		http_sent(&h, i < size && data[i] == 1 && out > 0 ? 1 : out);
		check(&h);
		if (http_is_free(&h))
			must(http_ask(&h, &r));
	}
	http_deinit(&h);
	return 0;
}
