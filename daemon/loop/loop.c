/*
 * Traps that are minded here, all measured: accuracy 0 means 250 ms; a callback that returns a
 * negative value is silently switched off, so ours return 0 always; the clock can be set, which a
 * timerfd with TFD_TIMER_CANCEL_ON_SET tells.
 */
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "loop/doorbell.h"
#include "loop/wires.h"

enum { ENDING_US = 20000, ENDING_MOST = 1000, ACCURACY_US = 1000000, SETTLE_US = 2000000, RETRY_LEAST = 1, RETRY_MOST = 60,
	WATCH_DEPTH = 4 };

struct loop {
	struct loop_calls calls;
	sd_event *event;
	sd_event_source *due, *settle, *bell, *stepped, *ending;
	int asked_to_end; /* how often it was looked whether it may */
	/* Ours, not floating: libsystemd 252 never lets go of a loop with a floating inotify source. */
	sd_event_source **watches;
	size_t n_watches;
	const char *watch;
	int bell_fd, step_fd;
	char bell_path[4096];
	int64_t retry; /* seconds until a failed tick is tried again; 0: the last one went well */
};

static void status_tell(struct loop *l);

static int
tick(struct loop *l)
{
	struct instant next = INSTANT_NEVER, now = clock_now();
	int rc = l->calls.tick(l->calls.arg, now, &next);

	if (rc < 0) {
		l->retry = l->retry == 0 ? RETRY_LEAST : l->retry * 2;
		if (l->retry > RETRY_MOST)
			l->retry = RETRY_MOST;
		next = instant_add(now, SPAN_OF(l->retry, 1));
	} else
		l->retry = 0;
	status_tell(l);
	if (next.us == INT64_MAX)
		return sd_event_source_set_enabled(l->due, SD_EVENT_OFF);
	sd_event_source_set_time(l->due, next.us < 0 ? 0 : (uint64_t)next.us);
	return sd_event_source_set_enabled(l->due, SD_EVENT_ONESHOT);
}

static void
status_tell(struct loop *l)
{
	char line[256] = "", all[300];

	l->calls.status(l->calls.arg, line, sizeof line);
	snprintf(all, sizeof all, "STATUS=%s", line);
	sd_notify(0, all);
}

static int
on_due(sd_event_source *s, uint64_t at, void *arg)
{
	(void)s;
	(void)at;
	tick(arg);
	return 0;
}

static void
reload(struct loop *l)
{
	sd_notify(0, "RELOADING=1");
	l->calls.reload(l->calls.arg);
	sd_notify(0, "READY=1");
	tick(l);
}

static int
on_settled(sd_event_source *s, uint64_t at, void *arg)
{
	(void)s;
	(void)at;
	reload(arg);
	return 0;
}

static int
on_bell(sd_event_source *s, int fd, uint32_t events, void *arg)
{
	struct loop *l = arg;
	bool again = false;
	char what[32];
	ssize_t n;

	(void)s;
	(void)events;
	while ((n = recv(fd, what, sizeof what - 1, 0)) > 0) {
		what[n] = '\0';
		again |= strcmp(what, "reload") == 0;
	}
	if (again)
		reload(l);
	else
		tick(l);
	return 0;
}

/* What is in hand is finished first: it would be in doubt for ever. */
static int
on_ending(sd_event_source *s, uint64_t at, void *arg)
{
	struct loop *l = arg;

	(void)s;
	(void)at;
	if (l->calls.may_end(l->calls.arg) || ++l->asked_to_end >= ENDING_MOST)
		return sd_event_exit(l->event, 0);
	sd_event_source_set_time_relative(l->ending, ENDING_US);
	sd_event_source_set_enabled(l->ending, SD_EVENT_ONESHOT);
	return 0;
}

static void
end(struct loop *l)
{
	if (l->ending != NULL || l->calls.may_end(l->calls.arg) ||
	    sd_event_add_time_relative(
		l->event, &l->ending, CLOCK_MONOTONIC, ENDING_US, 1000, on_ending, l) < 0)
		sd_event_exit(l->event, 0);
	sd_notify(0, "STOPPING=1");
}

static int
on_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *arg)
{
	struct loop *l = arg;

	(void)s;
	if (si->ssi_signo == SIGHUP)
		reload(l);
	else
		end(l);
	return 0;
}

static int
step_arm(struct loop *l)
{
	/* Never fires by itself: it is only there to be cancelled when the clock is set. */
	struct itimerspec far = { .it_value.tv_sec = INT32_MAX };

	return timerfd_settime(
	    l->step_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL);
}

static int
on_step(sd_event_source *s, int fd, uint32_t events, void *arg)
{
	struct loop *l = arg;
	uint64_t n;

	(void)s;
	(void)events;
	if (read(fd, &n, sizeof n) < 0 && errno == ECANCELED) {
		log_say(LOG_WARNING, "the clock was set");
		l->calls.clock_stepped(l->calls.arg);
		tick(l);
	}
	step_arm(l);
	return 0;
}

static int watch_tree(struct loop *l, const char *path, int depth);

static int
on_change(sd_event_source *s, const struct inotify_event *e, void *arg)
{
	struct loop *l = arg;

	(void)s;
	if (e->mask & IN_CREATE && e->mask & IN_ISDIR)
		watch_tree(l, l->watch, 0);
	sd_event_source_set_time_relative(l->settle, SETTLE_US);
	sd_event_source_set_enabled(l->settle, SD_EVENT_ONESHOT);
	return 0;
}

static int
watch_add(struct loop *l, const char *path)
{
	sd_event_source *s;
	int rc = sd_event_add_inotify(l->event, &s, path,
	    IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVE | IN_ONLYDIR, on_change, l);

	if (rc < 0)
		return rc;
	l->watches = reallocarray(l->watches, l->n_watches + 1, sizeof *l->watches);
	if (l->watches == NULL)
		abort();
	l->watches[l->n_watches++] = s;
	return 0;
}

/* Folders are few; watching one twice is the same watch. */
static int
watch_tree(struct loop *l, const char *path, int depth)
{
	DIR *d;
	int rc = watch_add(l, path);

	if (rc < 0 || depth >= WATCH_DEPTH || (d = opendir(path)) == NULL)
		return rc;
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		char below[4096];

		if (e->d_name[0] == '.' || e->d_type != DT_DIR)
			continue;
		if (snprintf(below, sizeof below, "%s/%s", path, e->d_name) < (int)sizeof below)
			watch_tree(l, below, depth + 1);
	}
	closedir(d);
	return 0;
}

static int
signals_add(struct loop *l)
{
	static const int wanted[] = { SIGTERM, SIGINT, SIGHUP };
	sigset_t set;
	int rc = 0;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		sigaddset(&set, wanted[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	for (size_t i = 0; rc >= 0 && i < sizeof wanted / sizeof *wanted; i++)
		rc = sd_event_add_signal(l->event, NULL, wanted[i], on_signal, l);
	return rc;
}

static int
sources_add(struct loop *l)
{
	int rc = signals_add(l);

	if (rc >= 0)
		rc = sd_event_add_time(
		    l->event, &l->due, CLOCK_REALTIME, 0, ACCURACY_US, on_due, l);
	if (rc >= 0)
		rc = sd_event_add_time_relative(
		    l->event, &l->settle, CLOCK_MONOTONIC, SETTLE_US, ACCURACY_US, on_settled, l);
	if (rc >= 0)
		rc = sd_event_source_set_enabled(l->settle, SD_EVENT_OFF);
	if (rc >= 0)
		rc = sd_event_add_io(l->event, &l->bell, l->bell_fd, EPOLLIN, on_bell, l);
	l->step_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (rc >= 0 && (l->step_fd < 0 || step_arm(l) < 0))
		rc = -errno;
	if (rc >= 0)
		rc = sd_event_add_io(l->event, &l->stepped, l->step_fd, EPOLLIN, on_step, l);
	if (rc >= 0)
		rc = watch_tree(l, l->watch, 0);
	if (rc >= 0)
		rc = sd_event_set_watchdog(l->event, 1);
	return rc < 0 ? rc : 0;
}

int
loop_new(const struct loop_calls *calls, const char *watch, const char *doorbell,
    struct loop **ret)
{
	struct loop *l = calloc(1, sizeof *l);
	int rc;

	if (l == NULL)
		abort();
	l->calls = *calls;
	l->watch = watch;
	l->step_fd = -1;
	snprintf(l->bell_path, sizeof l->bell_path, "%s", doorbell);
	l->bell_fd = doorbell_hang(doorbell);
	rc = l->bell_fd < 0 ? l->bell_fd : sd_event_new(&l->event);
	if (rc >= 0)
		rc = sources_add(l);
	if (rc < 0) {
		FAIL(rc, "the event loop cannot start: %s", strerror(-rc));
		loop_free(&l);
		return rc;
	}
	*ret = l;
	return 0;
}

void
loop_free(struct loop **lp)
{
	struct loop *l = *lp;

	*lp = NULL;
	if (l == NULL)
		return;
	sd_event_source_disable_unref(l->due);
	sd_event_source_disable_unref(l->settle);
	sd_event_source_disable_unref(l->bell);
	sd_event_source_disable_unref(l->stepped);
	for (size_t i = 0; i < l->n_watches; i++)
		sd_event_source_disable_unref(l->watches[i]);
	free(l->watches);
	sd_event_source_disable_unref(l->ending);
	sd_event_unref(l->event);
	if (l->bell_fd >= 0) {
		close(l->bell_fd);
		unlink(l->bell_path);
	}
	if (l->step_fd >= 0)
		close(l->step_fd);
	free(l);
}

struct wires
loop_wires(const struct loop *l)
{
	return wires_of(l->event);
}

int
loop_run(struct loop *l)
{
	int rc;

	tick(l);
	sd_notify(0, "READY=1");
	rc = sd_event_loop(l->event);
	return rc;
}
