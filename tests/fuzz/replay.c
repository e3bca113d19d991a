/* Feeds every file of the folders named on the command line to a fuzz target. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Also cut off after each third byte: the ends of things are where parsers trip. */
static void
feed(const char *path)
{
	struct text t = { 0 };

	if (file_read(path, 1 << 20, &t) != 0)
		abort();
	LLVMFuzzerTestOneInput((const uint8_t *)text_string(&t), t.len);
	for (size_t n = 0; n < t.len && n < 3000; n += 3)
		LLVMFuzzerTestOneInput((const uint8_t *)text_string(&t), n);
	for (size_t i = 0; i < t.len && i < 1000; i++) { /* and with one byte changed */
		char was = t.s[i];

		t.s[i] = (char)(was ^ (1 << i % 8));
		LLVMFuzzerTestOneInput((const uint8_t *)t.s, t.len);
		t.s[i] = was;
	}
	text_deinit(&t);
}

int
main(void)
{
	const char *src = getenv("SRC");
	char folder[4096], path[8192];
	int fed = 0;
	DIR *d;

	log_open("replay", (enum log_level)0);
	snprintf(folder, sizeof folder, "%s/tests/fuzz/seeds/%s", src != NULL ? src : ".", FUZZ_SEEDS);
	d = opendir(folder);
	if (d == NULL)
		return 2;
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		feed(path);
		fed++;
	}
	closedir(d);
	printf("%d seeds\n", fed);
	return fed > 0 ? 0 : 2;
}
