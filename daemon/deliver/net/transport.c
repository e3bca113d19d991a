/*
 * libcurl's multi socket interface on struct wires.
 *
 * curl's callbacks only note what it wants: a wire per socket, one alarm.  What finished is
 * collected after curl_multi_socket_action() has returned, so an owner may start and drop
 * transfers in its callback.
 */
#include "deliver/net/transport.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fail.h"

enum { CONNECT_SECONDS = 30 };

struct transfer {
	struct transfer *next, *prev; /* circle through transport.all */
	CURL *easy;
	transfer_fn *done; /* NULL once it was called */
	void *arg;
};

struct transport {
	const struct wires *wires;
	CURLM *multi;
	struct wire *alarm;
	struct transfer all; /* head */
};

/* Call the owners of what finished.  The message dies with the handle: take out of it first. */
static void
transport_reap(struct transport *t)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(t->multi, &left)) != NULL) {
		struct transfer *x = NULL;
		CURLcode result = m->data.result;
		transfer_fn *done;

		if (m->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&x) !=
			CURLE_OK ||
		    x == NULL || x->done == NULL)
			continue;
		done = x->done;
		x->done = NULL;
		done(x->arg, x->easy, result);
	}
}

static void
transport_act(struct transport *t, curl_socket_t fd, int events)
{
	int running;

	curl_multi_socket_action(t->multi, fd, events, &running);
	transport_reap(t);
}

static void
on_socket(void *arg, int fd, unsigned events)
{
	int mask = 0;

	if (events & WIRE_READ)
		mask |= CURL_CSELECT_IN;
	if (events & WIRE_WRITE)
		mask |= CURL_CSELECT_OUT;
	transport_act(arg, fd, mask);
}

static void
on_alarm(void *arg)
{
	transport_act(arg, CURL_SOCKET_TIMEOUT, 0);
}

/* curl: watch this socket so. */
static int
want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *per_socket)
{
	struct transport *t = arg;
	struct wire *w = per_socket;
	unsigned events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL)
			t->wires->cut(&w);
		curl_multi_assign(t->multi, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= WIRE_READ;
	if (what & CURL_POLL_OUT)
		events |= WIRE_WRITE;
	if (w != NULL) {
		t->wires->change(w, events);
		return 0;
	}
	w = t->wires->watch(t->wires->loop, fd, events, on_socket, t);
	if (w == NULL)
		return -1;
	curl_multi_assign(t->multi, fd, w);
	return 0;
}

/* curl: call me after so many milliseconds, -1: not at all. */
static int
want_alarm(CURLM *multi, long ms, void *arg)
{
	struct transport *t = arg;

	(void)multi;
	t->wires->set(t->alarm, (struct span){ ms < 0 ? -1 : INT64_C(1000) * ms });
	return 0;
}

int
transport_new(const struct wires *w, struct transport **ret)
{
	struct transport *t;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return FAIL(-EIO, "libcurl does not start");
	t = calloc(1, sizeof *t);
	if (t == NULL)
		abort();
	t->wires = w;
	t->all.next = t->all.prev = &t->all;
	t->multi = curl_multi_init();
	t->alarm = w->alarm(w->loop, on_alarm, t);
	if (t->multi == NULL || t->alarm == NULL) {
		transport_free(&t);
		return FAIL(-ENOMEM, "no memory for connections");
	}
	curl_multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
	curl_multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, want_alarm);
	curl_multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
	*ret = t;
	return 0;
}

void
transport_free(struct transport **p)
{
	struct transport *t = *p;

	*p = NULL;
	if (t == NULL)
		return;
	while (t->all.next != &t->all)
		transport_drop(t, t->all.next->easy);
	if (t->multi != NULL)
		curl_multi_cleanup(
		    t->multi); /* closes idle connections: their wires end here */
	if (t->alarm != NULL)
		t->wires->cut(&t->alarm);
	free(t);
	curl_global_cleanup();
}

const struct wires *
transport_wires(const struct transport *t)
{
	return t->wires;
}

int
transport_start(struct transport *t, CURL *easy, transfer_fn *done, void *arg)
{
	struct transfer *x = calloc(1, sizeof *x);
	CURLMcode rc;

	if (x == NULL)
		abort();
	x->easy = easy;
	x->done = done;
	x->arg = arg;
	curl_easy_setopt(easy, CURLOPT_PRIVATE, x);
	rc = curl_multi_add_handle(t->multi, easy);
	if (rc != CURLM_OK) {
		curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL);
		free(x);
		return FAIL(
		    -EINVAL, "libcurl takes no transfer: %s", curl_multi_strerror(rc));
	}
	x->next = &t->all;
	x->prev = t->all.prev;
	x->prev->next = x->next->prev = x;
	return 0;
}

void
transport_drop(struct transport *t, CURL *easy)
{
	struct transfer *x = NULL;
	CURLMcode rc;

	if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&x) != CURLE_OK || x == NULL)
		return;
	rc = curl_multi_remove_handle(t->multi, easy);
	assert(
	    rc == CURLM_OK); /* else: called from inside a callback of curl, our own bug */
	curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL);
	x->prev->next = x->next;
	x->next->prev = x->prev;
	free(x);
}

/* The guard. */

struct range {
	const char *net;
	int bits;
};
/* IANA's special-purpose registries: what is not a host of the open internet. */
static const struct range inside4[] = {
	{ "0.0.0.0", 8 },      /* this network; 0.0.0.0 reaches the own machine */
	{ "10.0.0.0", 8 },     /* private */
	{ "100.64.0.0", 10 },  /* shared, carrier NAT */
	{ "127.0.0.0", 8 },    /* loopback */
	{ "169.254.0.0", 16 }, /* link-local; metadata of clouds */
	{ "172.16.0.0", 12 },  /* private */
	{ "192.0.0.0", 24 },   /* protocol assignments */
	{ "192.168.0.0", 16 }, /* private */
	{ "198.18.0.0", 15 },  /* benchmarks */
	{ "224.0.0.0", 4 },    /* multicast */
	{ "240.0.0.0", 4 },    /* reserved, broadcast */
};
static const struct range inside6[] = {
	{ "::", 128 },    /* unspecified */
	{ "::1", 128 },   /* loopback */
	{ "100::", 64 },  /* discard */
	{ "2001::", 23 }, /* protocol assignments, Teredo: an IPv4 address in disguise */
	{ "fc00::", 7 },  /* unique local */
	{ "fe80::", 10 }, /* link-local */
	{ "fec0::", 10 }, /* site-local, of old */
	{ "ff00::", 8 },  /* multicast */
};
/* IPv6 addresses that carry an IPv4 one, and where in them. */
static const struct {
	struct range range;
	int at;
} carries4[] = {
	{ { "::", 96 }, 12 },           /* IPv4-compatible */
	{ { "::ffff:0:0", 96 }, 12 },   /* IPv4-mapped */
	{ { "::ffff:0:0:0", 96 }, 12 }, /* IPv4-translated */
	{ { "64:ff9b::", 96 }, 12 },    /* NAT64 */
	{ { "64:ff9b:1::", 48 }, 12 },  /* local NAT64 */
	{ { "2002::", 16 }, 2 },        /* 6to4 */
};

static bool
range_has(const struct range *r, int family, const unsigned char *address)
{
	unsigned char net[16];
	int whole = r->bits / 8, rest = r->bits % 8;

	if (inet_pton(family, r->net, net) != 1)
		abort();
	if (memcmp(net, address, (size_t)whole) != 0)
		return false;
	return rest == 0 || ((net[whole] ^ address[whole]) >> (8 - rest)) == 0;
}

static bool
inside_v4(const unsigned char *a)
{
	for (size_t i = 0; i < sizeof inside4 / sizeof *inside4; i++)
		if (range_has(&inside4[i], AF_INET, a))
			return true;
	return false;
}

static bool
inside_v6(const unsigned char *a)
{
	for (size_t i = 0; i < sizeof inside6 / sizeof *inside6; i++)
		if (range_has(&inside6[i], AF_INET6, a))
			return true;
	for (size_t i = 0; i < sizeof carries4 / sizeof *carries4; i++)
		if (range_has(&carries4[i].range, AF_INET6, a) &&
		    inside_v4(a + carries4[i].at))
			return true;
	return false;
}

bool
transport_is_inside(const char *address)
{
	char bare[INET6_ADDRSTRLEN];
	unsigned char a[16];
	size_t len = strcspn(address, "%"); /* the zone says nothing new */

	if (len >= sizeof bare)
		return true;
	memcpy(bare, address, len);
	bare[len] = '\0';
	if (inet_pton(AF_INET, bare, a) == 1)
		return inside_v4(a);
	if (inet_pton(AF_INET6, bare, a) == 1)
		return inside_v6(a);
	return true; /* not an address at all: nothing to trust */
}

static bool
sockaddr_is_inside(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return inside_v4(
		    (const unsigned char *)&((const struct sockaddr_in *)(const void *)sa)
			->sin_addr);
	if (sa->sa_family == AF_INET6)
		return inside_v6(
		    (const unsigned char *)&((const struct sockaddr_in6 *)(const void *)sa)
			->sin6_addr);
	return true;
}

/* A new connection: curl knows the resolved address, so no second look-up can cheat. */
static curl_socket_t
guard_open(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct transport_guard *guard = arg;

	(void)purpose;
	if (!guard->may_private && sockaddr_is_inside(&a->addr)) {
		guard->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* Right before a request, also on a connection that another handle opened. */
static int
guard_request(void *arg, char *peer, char *own, int peer_port, int own_port)
{
	struct transport_guard *guard = arg;

	(void)own;
	(void)peer_port;
	(void)own_port;
	if (guard->may_private || (peer != NULL && !transport_is_inside(peer)))
		return CURL_PREREQFUNC_OK;
	guard->refused = true;
	return CURL_PREREQFUNC_ABORT;
}

void
transport_prepare(CURL *easy, struct transport_guard *guard, const char *ca_file)
{
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
	/* Else giving up on a name waits for the resolver's thread, and everybody with it: 60 s were seen. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	/*
	 * A precaution: curl closes what it believes idle for 118 s whenever it opens another
	 * connection, and sees no traffic on a CONNECT_ONLY one.  7.88 spares those (a reply to the
	 * dot after 125 s, with 269 connections opened meanwhile, came through either way).
	 */
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, 7L * 86400);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (ca_file != NULL) { /* this file and nothing else */
		curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, guard_open);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, guard);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, guard_request);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, guard);
}
