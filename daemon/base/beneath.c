#include "base/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PATH_LONGEST = 4095, ALWAYS = O_CLOEXEC | O_NONBLOCK | O_NOCTTY };

/*
 * "a/./b/../c" to "a/c": no link is ever followed, so ".." may be taken by the letter.  ret has
 * room for path.  -EXDEV when it leads above the start.
 */
static int
flatten(const char *path, char *ret)
{
	size_t len = 0;

	if (path[0] == '/')
		return -EXDEV;
	while (*path != '\0') {
		size_t n = strcspn(path, "/");

		if (n == 2 && memcmp(path, "..", 2) == 0) {
			if (len == 0)
				return -EXDEV;
			while (len > 0 && ret[--len] != '/')
				;
		} else if (n > 0 && !(n == 1 && path[0] == '.')) {
			if (len > 0)
				ret[len++] = '/';
			memcpy(ret + len, path, n);
			len += n;
		}
		path += n;
		path += strspn(path, "/");
	}
	if (len == 0)
		ret[len++] = '.';
	ret[len] = '\0';
	return 0;
}

/* One component.  A link where a folder is wanted says ENOTDIR; the caller wants to know better. */
static int
step(int folder, const char *name, int flags)
{
	int fd = openat(folder, name, flags | O_NOFOLLOW | ALWAYS);
	int why = errno;
	struct stat st;

	if (fd >= 0)
		return fd;
	if (why == ENOTDIR && fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode))
		why = ELOOP;
	return -why;
}

int
open_beneath_stepwise(int root, const char *path, int flags)
{
	char flat[PATH_LONGEST + 1], *name = flat, *slash;
	int fd = root, rc;

	if (path[0] == '\0')
		return -ENOENT;
	if (strlen(path) > PATH_LONGEST)
		return -ENAMETOOLONG;
	rc = flatten(path, flat);
	if (rc < 0)
		return rc;
	do {
		int next;

		slash = strchr(name, '/');
		if (slash != NULL)
			*slash = '\0';
		next = step(fd, name, slash != NULL ? O_PATH | O_DIRECTORY : flags);
		if (fd != root)
			close(fd);
		fd = next;
		if (slash != NULL)
			name = slash + 1;
	} while (fd >= 0 && slash != NULL);
	return fd;
}

int
open_beneath(int root, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)(flags | ALWAYS),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	static bool absent; /* the call: asked once */
	long fd = absent ? -1 : syscall(SYS_openat2, root, path, &how, sizeof how);

	if (fd >= 0)
		return (int)fd;
	/* EPERM: a container's filter that does not know the call. */
	absent = absent || errno == ENOSYS || errno == EPERM;
	return absent ? open_beneath_stepwise(root, path, flags) : -errno;
}
