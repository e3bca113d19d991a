#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/scope.h"
#include "base/text.h"

static void
fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int
file_read(const char *path, size_t limit, struct text *ret)
{
	SCOPED(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : FAIL(-errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return FAIL(-EINVAL, "%s: not a regular file", path);
	text_clear(ret);
	do {
		if (ret->len > limit)
			return FILE_TOO_LARGE;
		text_grow(ret, 65536);
		n = read(fd, ret->s + ret->len, 65536);
		if (n < 0 && errno != EINTR)
			return FAIL(-errno, "%s: %s", path, strerror(errno));
		ret->len += n > 0 ? (size_t)n : 0;
		ret->s[ret->len] = '\0';
	} while (n != 0);
	return 0;
}

int
file_read_quiet(const char *path, size_t limit, struct text *ret)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? file_read(path, limit, ret) : -ENOENT;
}

static int
write_all(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static int
folder_sync(const char *path)
{
	char folder[4096];
	const char *slash = strrchr(path, '/');
	int len = slash == NULL ? 0 : (int)(slash - path);

	snprintf(folder, sizeof folder, "%.*s", len == 0 ? 1 : len, slash == NULL ? "." : path);
	SCOPED(fd_close) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* Into a neighbour, then into place: by rename, or by a link that refuses what is there. */
static int
write_draft(const char *path, const char *draft, const void *data, size_t len, bool durable,
    bool only_new)
{
	SCOPED(fd_close) int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int rc;

	if (fd < 0)
		return -errno;
	rc = write_all(fd, data, len);
	if (rc == 0 && (fchmod(fd, 0600) < 0 || (durable && fsync(fd) < 0)))
		rc = -errno;
	if (rc == 0 && (only_new ? link(draft, path) : rename(draft, path)) < 0)
		rc = -errno;
	if (rc != 0 || only_new)
		unlink(draft);
	return rc == 0 && durable ? folder_sync(path) : rc;
}

static int
write_whole(const char *path, const void *data, size_t len, bool durable, bool only_new)
{
	char draft[4096];
	int rc;

	/* A process's own, since another may write the same file at the same time. */
	if (snprintf(draft, sizeof draft, "%s.%d.new", path, (int)getpid()) >= (int)sizeof draft)
		return FAIL(-ENAMETOOLONG, "%s: path too long", path);
	unlink(draft); /* left by a crash; ours, since the folder is ours */
	rc = write_draft(path, draft, data, len, durable, only_new);
	if (rc == -EEXIST && only_new)
		return FILE_THERE;
	return rc < 0 ? FAIL(rc, "%s: %s", path, strerror(-rc)) : 0;
}

int
file_write(const char *path, const void *data, size_t len, int durable)
{
	return write_whole(path, data, len, durable, false);
}

int
file_make(const char *path, const void *data, size_t len)
{
	return write_whole(path, data, len, true, true);
}

int
file_rename(const char *from, const char *to, int durable)
{
	int rc = rename(from, to) < 0 ? -errno : 0;

	if (rc == 0 && durable)
		rc = folder_sync(to);
	return rc == 0 || rc == -ENOENT ? rc : FAIL(rc, "%s: %s", to, strerror(-rc));
}

int
folder_make(const char *path)
{
	char part[4096];
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof part)
		return FAIL(-ENAMETOOLONG, "folder name of %zu bytes", len);
	memcpy(part, path, len + 1);
	for (char *p = part + 1;; p++) {
		if (*p != '/' && *p != '\0')
			continue;
		char was = *p;

		*p = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return FAIL(-errno, "%s: %s", part, strerror(errno));
		if (was == '\0')
			return 0;
		*p = was;
	}
}
