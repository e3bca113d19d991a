/*
 * A rule base is read whole: all files, all errors in one go.
 *
 * Files are opened beneath the root without following a link, regular files only, so a rule base
 * from outside cannot make us read anything else (RELIABILITY.md 5.15).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/beneath.h"
#include "base/fail.h"
#include "base/parse.h"
#include "base/scope.h"
#include "base/text.h"
#include "rules/fields.h"

enum { RULES_MEMORY = 256 << 20, LOGO_BYTES = 256 << 10, NAMES_MAX = 20000,
	MESSAGES_MAX = 10000 };

static void
fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static void
dir_close(DIR **d)
{
	if (*d != NULL)
		closedir(*d);
}

static void
hash_add(struct loading *l, const char *path, const char *bytes, size_t len)
{
	char head[32];
	int n = snprintf(head, sizeof head, "%zu", len);

	/* The NUL ends the name, so that no two rule bases give the same stream. */
	crypto_hash_sha256_update(l->hash, (const unsigned char *)path, strlen(path) + 1);
	crypto_hash_sha256_update(l->hash, (const unsigned char *)head, (unsigned long long)n + 1);
	crypto_hash_sha256_update(l->hash, (const unsigned char *)bytes, len);
}

static size_t folder_list(struct loading *l, const char *path, const char ***ret);

/* A file that is not there, with the nearest one that is. */
static void
missing_tell(struct loading *l, const char *path, struct place from)
{
	const char *slash = strrchr(path, '/'), **names = NULL;
	const char *folder = slash != NULL ? arena_copyn(l->mem, path, (size_t)(slash - path)) : ".";
	size_t n = folder_list(l, folder, &names);

	finding_word(l->f, "E009", from, slash != NULL ? slash + 1 : path, names, n,
	    "the file %s does not exist", path);
}

/* Bytes of a file of the rule base, NUL-terminated, or NULL with a finding at `from`. */
static const char *
slurp(struct loading *l, const char *path, struct place from, size_t limit, size_t *ret_len)
{
	SCOPED(fd_close) int fd = open_beneath(l->root, path, O_RDONLY);
	struct stat st;
	char *bytes;
	size_t len = 0;

	if (fd == -ENOENT || fd == -ENOTDIR) {
		missing_tell(l, path, from);
		return NULL;
	}
	if (fd == -ELOOP || fd == -EXDEV) {
		finding_add(l->f, "E010", from,
		    "%s leads out of the rule base or through a link; put the file itself there", path);
		return NULL;
	}
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		finding_add(l->f, "E010", from, "%s is not a regular file that can be read", path);
		return NULL;
	}
	if (st.st_size > (off_t)limit) {
		finding_add(l->f, "E011", from, "%s is larger than %zu KiB; make it smaller", path, limit >> 10);
		return NULL;
	}
	bytes = arena_alloc(l->mem, (size_t)st.st_size + 1, 1);
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, bytes + len, (size_t)st.st_size - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	hash_add(l, path, bytes, len);
	*ret_len = len;
	return bytes;
}

static int
name_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names in a folder, sorted, without the hidden ones; 0 when it is not there. */
static size_t
folder_list(struct loading *l, const char *path, const char ***ret)
{
	int fd = open_beneath(l->root, path, O_RDONLY | O_DIRECTORY);
	SCOPED(dir_close) DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const char **names;
	size_t n = 0;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	names = arena_alloc(l->mem, NAMES_MAX, sizeof *names);
	for (struct dirent *e; (e = readdir(d)) != NULL && n < NAMES_MAX;)
		if (e->d_name[0] != '.' && e->d_name[strlen(e->d_name) - 1] != '~')
			names[n++] = arena_copy(l->mem, e->d_name);
	qsort(names, n, sizeof *names, name_compare);
	*ret = names;
	return n;
}

static struct place
file_start(const char *file)
{
	return (struct place){ file, 1, 1 };
}

/* ---- the house ---- */

static void
house_load(struct loading *l)
{
	struct house *h = &l->rb->house;
	struct node *root;
	size_t len;
	const char *bytes = slurp(l, "house.yaml", file_start("house.yaml"), YAML_BYTES, &len);

	h->smallest_group = 15;
	h->keep_answers = (struct period){ 90, UNIT_DAY };
	h->place = h->zone_place = file_start("house.yaml");
	h->flawed = true;
	if (bytes == NULL)
		return;
	root = yaml_read(l->mem, "house.yaml", 1, bytes, len, l->f);
	if (root == NULL)
		return;
	fields_read(l, house_fields, root, h);
	h->flawed = findings_errors(l->f) > 0;
	if (node_find(root, "time_zone") != NULL)
		h->zone_place = node_find(root, "time_zone")->value->place;
	h->holiday_bytes = arena_alloc(l->mem, h->holidays.n + 1, sizeof *h->holiday_bytes);
	for (size_t i = 0; i < h->holidays.n; i++)
		h->holiday_bytes[i] =
		    slurp(l, h->holidays.v[i], h->holiday_places[i], YAML_BYTES, &len);
}

/* ---- messages ---- */

/* "---\n front matter \n---\n body": where the two parts are; false without front matter. */
static bool
front_matter(const char *s, size_t len, size_t *ret_from, size_t *ret_len, size_t *ret_body,
    int *ret_body_line)
{
	size_t at = len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	const char *line;
	int lines = 1;

	*ret_body = at;
	*ret_body_line = 1;
	if (len - at < 4 || memcmp(s + at, "---", 3) != 0 || (s[at + 3] != '\n' && s[at + 3] != '\r'))
		return false;
	line = strchr(s + at, '\n');
	*ret_from = line == NULL ? len : (size_t)(line + 1 - s);
	while (line != NULL) {
		line++;
		lines++;
		if (strncmp(line, "---", 3) == 0 &&
		    (line[3] == '\n' || line[3] == '\r' || line[3] == '\0')) {
			const char *end = strchr(line, '\n');

			*ret_len = (size_t)(line - s) - *ret_from;
			*ret_body = end == NULL ? len : (size_t)(end + 1 - s);
			*ret_body_line = lines + 1;
			return true;
		}
		line = strchr(line, '\n');
	}
	*ret_len = len - *ret_from;
	*ret_body = len;
	return true;
}

static void
message_init(struct message *m, const char *id)
{
	*m = (struct message){
		.id = id,
		.angle = -1,
		.audience = { .kind = COND_ALL },
		.when = { .first = -1,
		    .repeat_min = -1,
		    .repeat_max = -1,
		    .unanswered_min = -1,
		    .unanswered_max = -1,
		    .answered = -1,
		    .done = -1 },
	};
}

static bool
same_tags(const struct node *a, const struct node *b)
{
	if (a->kind != b->kind || a->n != b->n)
		return false;
	if (a->kind == NODE_TEXT)
		return strcmp(a->text, b->text) == 0;
	for (size_t i = 0; i < a->n; i++) {
		const struct pair *p = &a->pairs[i];
		const struct pair *q = a->kind == NODE_MAP ? node_find(b, p->key) : &b->pairs[i];

		if (q == NULL || !same_tags(p->value, q->value))
			return false;
	}
	return true;
}

/* A key or value that differs, for the finding's place. */
static struct place
differing(const struct node *tags, const struct node *first)
{
	for (size_t i = 0; tags->kind == NODE_MAP && i < tags->n; i++) {
		const struct pair *q = node_find(first, tags->pairs[i].key);

		if (q == NULL || !same_tags(tags->pairs[i].value, q->value))
			return tags->pairs[i].key_place;
	}
	return tags->place;
}

struct message_files {
	struct node *tags; /* of the first file that had some */
	const char *tags_file;
};

static void
message_file(struct loading *l, struct message *m, struct message_files *files, const char *path,
    int language)
{
	size_t len, from, n, body;
	int body_line;
	const char *bytes = slurp(l, path, file_start(path), YAML_BYTES, &len);
	struct node *tags = NULL;
	size_t bad;

	if (bytes == NULL)
		return;
	if (!utf8_valid(bytes, len, &bad)) {
		yaml_read(l->mem, path, 1, bytes, len, l->f); /* says where */
		return;
	}
	if (front_matter(bytes, len, &from, &n, &body, &body_line))
		tags = yaml_read(l->mem, path, 2, bytes + from, n, l->f);
	m->text[language] = (struct message_text){ bytes + body, path, body_line };
	if (tags == NULL)
		return;
	if (files->tags == NULL) {
		files->tags = tags;
		files->tags_file = path;
		m->place = tags->place;
		fields_read(l, message_fields, tags, m);
	} else if (!same_tags(tags, files->tags))
		finding_add(l->f, "E015", differing(tags, files->tags),
		    "the tags differ from those in %s; write them once, in the first language's file",
		    files->tags_file);
}

/* "lunch-walk.nl.md": id and language; false with a finding. */
static bool
message_name(struct loading *l, const char *path, const char *name, const char **ret_id,
    int *ret_language)
{
	const struct house *h = &l->rb->house;
	size_t len = strlen(name);
	const char *dot;
	char tag[24];

	if (len < 4 || strcmp(name + len - 3, ".md") != 0)
		return false; /* pictures and notes may lie beside the messages */
	dot = memrchr(name, '.', len - 3);
	if (dot == NULL || dot == name || (size_t)(name + len - 3 - dot - 1) >= sizeof tag) {
		finding_add(l->f, "E004", file_start(path),
		    "expected a name like lunch-walk.nl.md, with the language before .md");
		return false;
	}
	memcpy(tag, dot + 1, (size_t)(name + len - 3 - dot - 1));
	tag[name + len - 3 - dot - 1] = '\0';
	*ret_language = -1;
	for (size_t i = 0; i < h->n_languages; i++)
		if (strcmp(h->languages[i], tag) == 0)
			*ret_language = (int)i;
	if (*ret_language < 0) {
		finding_word(l->f, "E004", file_start(path), tag, h->languages, h->n_languages,
		    "'%s' is not a language of house.yaml", tag);
		return false;
	}
	*ret_id = arena_copyn(l->mem, name, (size_t)(dot - name));
	return true;
}

struct found_file {
	const char *id, *path;
	int language;
};

static int
found_compare(const void *a, const void *b)
{
	const struct found_file *x = a, *y = b;
	int c = strcmp(x->id, y->id);

	return c != 0 ? c : x->language - y->language;
}

static void
messages_load(struct loading *l, struct campaign *c)
{
	const char **names = NULL;
	const char *folder = arena_printf(l->mem, "campaigns/%s/messages", c->id);
	size_t n = folder_list(l, folder, &names), found = 0;
	struct found_file *files = arena_alloc(l->mem, n + 1, sizeof *files);
	struct message_files tags = { 0 };

	for (size_t i = 0; i < n; i++) {
		struct found_file *x = &files[found];

		x->path = arena_printf(l->mem, "%s/%s", folder, names[i]);
		found += message_name(l, x->path, names[i], &x->id, &x->language);
	}
	qsort(files, found, sizeof *files, found_compare);
	if (found > MESSAGES_MAX) {
		finding_add(l->f, "E011", c->place, "more than 10,000 messages; make it two campaigns");
		found = MESSAGES_MAX;
	}
	c->messages = arena_alloc(l->mem, found + 1, sizeof *c->messages);
	for (size_t i = 0; i < found; i++) {
		if (c->n_messages == 0 || strcmp(c->messages[c->n_messages - 1].id, files[i].id) != 0) {
			struct message *m = &c->messages[c->n_messages];

			message_init(m, files[i].id);
			m->index = (int)c->n_messages++;
			m->place = file_start(files[i].path);
			tags = (struct message_files){ 0 };
		}
		message_file(
		    l, &c->messages[c->n_messages - 1], &tags, files[i].path, files[i].language);
	}
	if (c->n_messages == 0)
		finding_add(l->f, "E009", c->place, "no messages in %s; put a text there, such as lunch-walk.nl.md", folder);
}

/* ---- campaigns ---- */

static void
campaign_init(struct loading *l, struct campaign *c, const char *id, const char *file)
{
	static const struct period decaying[] = { { 3, UNIT_DAY }, { 7, UNIT_DAY }, { 14, UNIT_DAY },
		{ 28, UNIT_DAY } };

	*c = (struct campaign){
		.id = id,
		.priority = 5,
		.aim = { .target = -1 },
		.audience = { .kind = COND_ALL },
		.rhythm = { .kind = RHYTHM_AFTER,
		    .late = SPAN_DAYS(1),
		    .then = { 1, UNIT_MONTH },
		    .n_after = 4,
		    .place = file_start(file) },
		.place = file_start(file),
	};
	c->rhythm.after = arena_alloc(l->mem, 4, sizeof *c->rhythm.after);
	memcpy(c->rhythm.after, decaying, sizeof decaying);
}

/* What the default rhythm brought must not leak into one that was written. */
static void
rhythm_default_drop(struct campaign *c, const struct node *root)
{
	const struct pair *p = node_find(root, "rhythm");

	if (p == NULL)
		return;
	c->rhythm.n_after = 0;
	c->rhythm.then = (struct period){ 0 };
}

/* The place of a value below keys of the file, as far as they are there. */
static struct place
value_place(const struct node *root, const char *const *keys, size_t n)
{
	struct place place = root->place;

	for (size_t i = 0; i < n && root != NULL; i++) {
		const struct pair *p = node_find(root, keys[i]);

		root = p != NULL ? p->value : NULL;
		place = root != NULL ? root->place : place;
	}
	return place;
}

static void
references_check(struct loading *l, struct campaign *c, const struct node *root)
{
	const char **ids = arena_alloc(l->mem, c->n_messages + 1, sizeof *ids);

	for (size_t i = 0; i < c->n_messages; i++)
		ids[i] = c->messages[i].id;
	for (size_t i = 0; i < c->n_answers; i++) {
		const struct answer *a = &c->answers[i];
		const struct message *m = a->thanks != NULL ? campaign_message(c, a->thanks) : NULL;

		if (a->thanks != NULL && m == NULL)
			finding_word(l->f, "E009",
			    value_place(root, (const char *const[]){ "answers", a->id, "thanks" }, 3),
			    a->thanks, ids, c->n_messages,
			    "answer '%s' thanks with the message '%.60s', which does not exist", a->id,
			    a->thanks);
		else if (m != NULL)
			c->messages[m->index].follow_up = true;
	}
	if (c->unanswered_then == FOLLOW_MESSAGE) {
		const struct message *m = campaign_message(c, c->unanswered_message);

		if (m == NULL)
			finding_word(l->f, "E009",
			    value_place(root, (const char *const[]){ "unanswered", "then" }, 2),
			    c->unanswered_message, ids, c->n_messages,
			    "unanswered leads to the message '%.60s', which does not exist",
			    c->unanswered_message);
		else
			c->messages[m->index].follow_up = true;
	}
}

static void
campaign_load(struct loading *l, struct campaign *c, const char *id)
{
	const char *file = arena_printf(l->mem, "campaigns/%s/campaign.yaml", id);
	struct node *root = NULL;
	size_t len;
	const char *bytes;
	size_t before = findings_errors(l->f);

	campaign_init(l, c, id, file);
	l->campaign = c;
	bytes = slurp(l, file, file_start(file), YAML_BYTES, &len);
	if (bytes != NULL)
		root = yaml_read(l->mem, file, 1, bytes, len, l->f);
	if (root != NULL) {
		rhythm_default_drop(c, root);
		fields_read(l, campaign_fields, root, c);
	}
	c->flawed = root == NULL || findings_errors(l->f) > before;
	if (c->logo != NULL)
		c->logo_bytes = slurp(l, arena_printf(l->mem, "campaigns/%s/%s", id, c->logo),
		    node_find(root, "logo")->value->place, LOGO_BYTES, &c->logo_len);
	if (l->rb->house.n_languages > 0) /* else no file name can be judged */
		messages_load(l, c);
	if (root != NULL && l->rb->house.n_languages > 0)
		references_check(l, c, root);
}

static void
campaigns_load(struct loading *l)
{
	const char **names = NULL;
	size_t n = folder_list(l, "campaigns", &names);

	l->rb->campaigns = arena_alloc(l->mem, n + 1, sizeof *l->rb->campaigns);
	for (size_t i = 0; i < n; i++) {
		int fd = open_beneath(
		    l->root, arena_printf(l->mem, "campaigns/%s", names[i]), O_RDONLY | O_DIRECTORY);

		if (fd == -ELOOP || fd == -EXDEV)
			finding_add(l->f, "E010", file_start(arena_printf(l->mem, "campaigns/%s", names[i])),
			    "a link; put the folder itself there");
		if (fd < 0)
			continue;
		close(fd);
		struct campaign *c = &l->rb->campaigns[l->rb->n_campaigns];

		c->index = (int)l->rb->n_campaigns++;
		campaign_load(l, c, names[i]);
		c->index = (int)(c - l->rb->campaigns);
	}
}

/* Conditions on `done` name campaigns. */
static void
done_check(struct loading *l, const struct cond *c, const char **ids)
{
	for (size_t i = 0; i < c->n_kids; i++)
		done_check(l, &c->kids[i], ids);
	if (c->kind != COND_ANY_OF || strcmp(c->field, "done") != 0)
		return;
	for (size_t i = 0; i < c->values.n; i++)
		if (rulebase_campaign(l->rb, c->values.v[i]) == NULL)
			finding_word(l->f, "E009", c->place, c->values.v[i], ids, l->rb->n_campaigns,
			    "'%.60s' is not a campaign of this rule base", c->values.v[i]);
}

/* ---- E014 ---- */

/* May the condition hold for somebody with this value of the field? */
static bool
cond_admits(const struct cond *c, const char *field, const char *value)
{
	if (c->kind == COND_ALL) {
		for (size_t i = 0; i < c->n_kids; i++)
			if (!cond_admits(&c->kids[i], field, value))
				return false;
		return true;
	}
	if (c->kind == COND_NOT) {
		for (size_t i = 0; i < c->n_kids; i++)
			if (c->kids[i].kind == COND_ANY_OF && strcmp(c->kids[i].field, field) == 0 &&
			    parse_word(value, c->kids[i].values.v, c->kids[i].values.n) >= 0)
				return false;
		return true;
	}
	return c->kind != COND_ANY_OF || strcmp(c->field, field) != 0 ||
	       parse_word(value, c->values.v, c->values.n) >= 0;
}

static bool
reaches(const struct rulebase *rb, const struct campaign *c, const char *role, int language)
{
	for (size_t i = 0; i < c->n_messages; i++) {
		const struct message *m = &c->messages[i];

		if (!m->follow_up && (m->text[language].body != NULL || m->text[0].body != NULL) &&
		    (role == NULL || cond_admits(&m->audience, "role", role)) &&
		    cond_admits(&m->audience, "language", rb->house.languages[language]))
			return true;
	}
	return false;
}

static void
reach_check(struct loading *l, const struct campaign *c)
{
	const struct cond *roles = NULL;

	for (size_t i = 0; i < c->audience.n_kids; i++)
		if (c->audience.kids[i].kind == COND_ANY_OF &&
		    strcmp(c->audience.kids[i].field, "role") == 0)
			roles = &c->audience.kids[i];
	for (size_t i = 0; c->n_messages > 0 && i < l->rb->house.n_languages; i++) {
		const char *language = l->rb->house.languages[i];

		if (!cond_admits(&c->audience, "language", language))
			continue;
		for (size_t r = 0; r < (roles != NULL ? roles->values.n : 1); r++) {
			const char *role = roles != NULL ? roles->values.v[r] : NULL;

			if (!reaches(l->rb, c, role, (int)i))
				finding_add(l->f, "E014", c->audience.place.file != NULL ? c->audience.place : c->place,
				    "no message can ever reach language '%s'%s%s: add a text, or narrow the"
				    " audience",
				    language, role != NULL ? " and role " : "", role != NULL ? role : "");
		}
	}
}

static void
whole_check(struct loading *l)
{
	struct rulebase *rb = l->rb;
	const char **ids = arena_alloc(l->mem, rb->n_campaigns + 1, sizeof *ids);

	for (size_t i = 0; i < rb->n_campaigns; i++)
		ids[i] = rb->campaigns[i].id;
	for (size_t i = 0; i < rb->n_campaigns; i++) {
		done_check(l, &rb->campaigns[i].audience, ids);
		for (size_t j = 0; j < rb->campaigns[i].n_messages; j++)
			done_check(l, &rb->campaigns[i].messages[j].audience, ids);
		if (!rb->house.flawed && !rb->campaigns[i].flawed)
			reach_check(l, &rb->campaigns[i]);
	}
}

/* ---- the whole ---- */

static void
rulebase_fill(struct loading *l)
{
	unsigned char digest[crypto_hash_sha256_BYTES];

	house_load(l);
	campaigns_load(l);
	whole_check(l);
	crypto_hash_sha256_final(l->hash, digest);
	sodium_bin2hex(l->rb->hash, sizeof l->rb->hash, digest, sizeof digest);
}

int
rulebase_load(const char *dir, struct findings *findings, struct rulebase **ret)
{
	size_t before = findings_errors(findings);
	int rc = rulebase_read(dir, findings, ret);

	if (rc == 0 && findings_errors(findings) > before)
		rulebase_free(ret);
	return rc;
}

int
rulebase_read(const char *dir, struct findings *findings, struct rulebase **ret)
{
	crypto_hash_sha256_state hash;
	SCOPED(fd_close) int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct arena *mem;
	struct loading l = { .f = findings, .root = root, .hash = &hash };

	if (root < 0)
		return FAIL(-errno, "the rule base %s cannot be opened: %s", dir, strerror(errno));
	if (sodium_init() < 0)
		return FAIL(-EIO, "libsodium cannot start");
	crypto_hash_sha256_init(&hash);
	mem = arena_new("rules", RULES_MEMORY);
	l.mem = mem;
	l.rb = ARENA_NEW(mem, struct rulebase);
	l.rb->mem = mem;
	rulebase_fill(&l);
	*ret = l.rb;
	return 0;
}

void
rulebase_free(struct rulebase **rb)
{
	struct arena *mem = *rb != NULL ? (*rb)->mem : NULL;

	*rb = NULL;
	arena_free(&mem);
}

const struct campaign *
rulebase_campaign(const struct rulebase *rb, const char *id)
{
	for (size_t i = 0; i < rb->n_campaigns; i++)
		if (strcmp(rb->campaigns[i].id, id) == 0)
			return &rb->campaigns[i];
	return NULL;
}

const struct message *
campaign_message(const struct campaign *c, const char *id)
{
	size_t low = 0, high = c->n_messages;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int order = strcmp(c->messages[mid].id, id);

		if (order == 0)
			return &c->messages[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

const struct answer *
campaign_answer(const struct campaign *c, const char *id)
{
	for (size_t i = 0; i < c->n_answers; i++)
		if (strcmp(c->answers[i].id, id) == 0)
			return &c->answers[i];
	return NULL;
}

int
house_messenger(const struct house *h, const char *id)
{
	for (size_t i = 0; i < h->n_messengers; i++)
		if (strcmp(h->messengers[i].id, id) == 0)
			return (int)i;
	return -1;
}

int
house_language(const struct house *h, const char *tag)
{
	size_t base = strcspn(tag, "-_");

	for (size_t i = 0; i < h->n_languages; i++)
		if (strcmp(h->languages[i], tag) == 0)
			return (int)i;
	for (size_t i = 0; i < h->n_languages; i++)
		if (strlen(h->languages[i]) == base && strncmp(h->languages[i], tag, base) == 0)
			return (int)i;
	return -1;
}

const char *
wording_in(const struct wording *w, int language)
{
	if (language >= 0 && language < LANGUAGES_MAX && w->text[language] != NULL)
		return w->text[language];
	for (size_t i = 0; i < LANGUAGES_MAX; i++)
		if (w->text[i] != NULL)
			return w->text[i];
	return NULL;
}
