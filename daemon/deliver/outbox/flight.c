#include "deliver/outbox/flight.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fail.h"

enum { MAGIC_ROOM = 16, PAGE = 4096 };

struct entry {
	_Atomic int64_t row;
	_Atomic int64_t mark;
};
struct record {
	char magic[MAGIC_ROOM];
	char lease[LEASE_TEXT];
	char rest[PAGE - MAGIC_ROOM - LEASE_TEXT];
	struct entry entries[FLIGHT_SLOTS];
};
struct flight {
	struct record *r;
};
static const char magic[MAGIC_ROOM] = "nudged flight 1";

const char *
lease_make(char buf[static LEASE_TEXT])
{
	char boot[BOOT_TEXT];

	clock_boot(boot);
	/* All of one length, so that what is written to the database does not hang on the time. */
	snprintf(buf, LEASE_TEXT, "%s/%07d.%016" PRId64, boot, (int)getpid(), clock_monotonic().us);
	return buf;
}

static int
map(const char *dir, int flags, int protection, struct record **ret)
{
	char path[4096];
	struct stat st;
	void *p;
	int fd, rc = 0;

	if (snprintf(path, sizeof path, "%s/flight", dir) >= (int)sizeof path)
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	/* With its room on the disk: a page that cannot be had later would be the end of us. */
	if (flags & O_CREAT && ftruncate(fd, sizeof **ret) < 0)
		rc = -errno;
	if (rc == 0 && flags & O_CREAT && (rc = -posix_fallocate(fd, 0, sizeof **ret)) < 0 &&
	    ftruncate(fd, 0) < 0)
		rc = -errno;
	if (rc == 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
			   (size_t)st.st_size != sizeof **ret))
		rc = -EINVAL;
	p = rc == 0 ? mmap(NULL, sizeof **ret, protection, MAP_SHARED, fd, 0) : MAP_FAILED;
	if (rc == 0 && p == MAP_FAILED)
		rc = -errno;
	close(fd);
	if (rc == 0)
		*ret = p;
	return rc;
}

static struct flight *
flight_make(struct record *r)
{
	struct flight *f = calloc(1, sizeof *f);

	if (f == NULL)
		abort();
	f->r = r;
	return f;
}

int
flight_open(const char *dir, const char *lease, struct flight **ret)
{
	struct record *r;
	int rc = map(dir, O_RDWR | O_CREAT, PROT_READ | PROT_WRITE, &r);

	if (rc < 0)
		return FAIL(rc, "the flight recorder in %s: %s", dir, strerror(-rc));
	memset(r, 0, sizeof *r);
	memcpy(r->magic, magic, sizeof magic);
	snprintf(r->lease, sizeof r->lease, "%s", lease);
	*ret = flight_make(r);
	return 0;
}

int
flight_before(const char *dir, struct flight **ret)
{
	char boot[BOOT_TEXT];
	struct record *r;
	int rc = map(dir, O_RDONLY, PROT_READ, &r);

	*ret = NULL;
	if (rc < 0)
		return rc == -ENOENT || rc == -EINVAL ? 0 : rc;
	clock_boot(boot);
	if (memcmp(r->magic, magic, sizeof magic) != 0 || boot[0] == '\0' ||
	    memchr(r->lease, '\0', sizeof r->lease) == NULL ||
	    strncmp(r->lease, boot, strlen(boot)) != 0) {
		munmap(r, sizeof *r);
		return 0;
	}
	*ret = flight_make(r);
	return 0;
}

void
flight_free(struct flight **fp)
{
	struct flight *f = *fp;

	*fp = NULL;
	if (f == NULL)
		return;
	munmap(f->r, sizeof *f->r);
	free(f);
}

const char *
flight_lease(const struct flight *f)
{
	return f->r->lease;
}

void
flight_put(struct flight *f, size_t slot, int64_t row, enum flight_mark mark)
{
	struct entry *e = &f->r->entries[slot];

	if (atomic_load_explicit(&e->row, memory_order_relaxed) != row) {
		atomic_store_explicit(&e->mark, FLIGHT_NONE, memory_order_release);
		atomic_store_explicit(&e->row, row, memory_order_release);
	}
	atomic_store_explicit(&e->mark, (int64_t)mark, memory_order_release);
}

enum flight_mark
flight_find(const struct flight *f, int64_t row)
{
	for (size_t i = 0; i < FLIGHT_SLOTS; i++)
		if (f->r->entries[i].row == row && f->r->entries[i].mark != FLIGHT_NONE)
			return (enum flight_mark)f->r->entries[i].mark;
	return FLIGHT_NONE;
}
