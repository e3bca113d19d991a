/*
 * Traps that are minded here: a callback that returns a negative value is silently switched off, so
 * ours return 0 always; accuracy 0 would mean 250 ms.
 */
#include "loop/wires.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "base/clock.h"
#include "base/fail.h"

enum { ALARM_ACCURACY_US = 1000 };

struct wire {
	sd_event_source *source;
	wire_fn *on_ready;
	alarm_fn *on_alarm;
	void *arg;
};

static int
ready(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
	struct wire *w = arg;
	unsigned events = 0;

	(void)s;
	/* A hang-up or an error is found by reading. */
	if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP))
		events |= WIRE_READ;
	if (revents & (EPOLLOUT | EPOLLERR))
		events |= WIRE_WRITE;
	w->on_ready(w->arg, fd, events);
	return 0;
}

static int
rang(sd_event_source *s, uint64_t at, void *arg)
{
	struct wire *w = arg;

	(void)s;
	(void)at;
	w->on_alarm(w->arg);
	return 0;
}

static int
rested(sd_event_source *s, void *arg)
{
	struct wire *w = arg;

	(void)s;
	w->on_alarm(w->arg);
	return 0;
}

static uint32_t
epoll_of(unsigned events)
{
	return (events & WIRE_READ ? EPOLLIN : 0u) | (events & WIRE_WRITE ? EPOLLOUT : 0u) |
	    (events & WIRE_EDGE ? EPOLLET : 0u);
}

static struct wire *
wire_make(wire_fn *on_ready, alarm_fn *on_alarm, void *arg)
{
	struct wire *w = calloc(1, sizeof *w);

	if (w == NULL)
		abort();
	*w = (struct wire){ .on_ready = on_ready, .on_alarm = on_alarm, .arg = arg };
	return w;
}

static struct wire *
wire_check(struct wire *w, int rc)
{
	if (rc >= 0)
		return w;
	FAIL(rc, "the loop cannot watch: %s", strerror(-rc));
	free(w);
	return NULL;
}

static struct wire *
watch(void *loop, int fd, unsigned events, wire_fn *fn, void *arg)
{
	struct wire *w = wire_make(fn, NULL, arg);

	return wire_check(w, sd_event_add_io(loop, &w->source, fd, epoll_of(events), ready, w));
}

static void
change(struct wire *w, unsigned events)
{
	sd_event_source_set_io_events(w->source, epoll_of(events));
}

static struct wire *
alarm_add(void *loop, alarm_fn *fn, void *arg)
{
	struct wire *w = wire_make(NULL, fn, arg);
	int rc = sd_event_add_time(
	    loop, &w->source, CLOCK_MONOTONIC, 0, ALARM_ACCURACY_US, rang, w);

	if (rc >= 0)
		rc = sd_event_source_set_enabled(w->source, SD_EVENT_OFF);
	return wire_check(w, rc);
}

static void
alarm_set(struct wire *w, struct span from_now)
{
	if (from_now.us < 0) {
		sd_event_source_set_enabled(w->source, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time_relative(w->source, (uint64_t)from_now.us);
	sd_event_source_set_enabled(w->source, SD_EVENT_ONESHOT);
}

static struct wire *
rest_add(void *loop, alarm_fn *fn, void *arg)
{
	struct wire *w = wire_make(NULL, fn, arg);
	int rc = sd_event_add_defer(loop, &w->source, rested, w);

	if (rc >= 0)
		rc = sd_event_source_set_enabled(w->source, SD_EVENT_OFF);
	if (rc >= 0)
		rc = sd_event_source_set_priority(w->source, SD_EVENT_PRIORITY_IDLE);
	return wire_check(w, rc);
}

static void
arm(struct wire *w)
{
	sd_event_source_set_enabled(w->source, SD_EVENT_ONESHOT);
}

static void
cut(struct wire **wp)
{
	struct wire *w = *wp;

	*wp = NULL;
	if (w == NULL)
		return;
	sd_event_source_disable_unref(w->source);
	free(w);
}

struct wires
wires_of(sd_event *event)
{
	return (struct wires){ event, watch, change, alarm_add, alarm_set, rest_add, arm, cut };
}

int
wires_open(struct wires *ret)
{
	sd_event *event;
	int rc = sd_event_new(&event);

	if (rc < 0)
		return FAIL(rc, "the event loop cannot start: %s", strerror(-rc));
	*ret = wires_of(event);
	return 0;
}

int
wires_run(const struct wires *w, bool (*done)(void *arg), void *arg, struct span limit)
{
	struct instant end = instant_add(clock_monotonic(), limit);

	while (!done(arg)) {
		int64_t left = instant_diff(end, clock_monotonic()).us;
		int rc;

		if (left <= 0)
			return 1;
		rc = sd_event_run(w->loop, (uint64_t)left);
		if (rc < 0)
			return FAIL(rc, "the event loop broke: %s", strerror(-rc));
	}
	return 0;
}

void
wires_close(struct wires *w)
{
	sd_event_unref(w->loop);
	w->loop = NULL;
}
