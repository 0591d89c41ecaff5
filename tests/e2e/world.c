// SPDX-License-Identifier: BSD-3-Clause
#include "tests/e2e/harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <libgen.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PORT_FIRST 10240
#define PORT_END   32000

long long now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

void nap_ms(int ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000l};
	nanosleep(&t, NULL);
}

void wait_until(bool (*ready)(void *arg), void *arg, const char *what)
{
	long long deadline = now_ms() + DEADLINE_MS, looked;

	while (looked = now_ms(), !ready(arg)) {
		long long end = now_ms(), took = end - looked;
		if (end > deadline)
			fail_msg("waited %d s for: %s", DEADLINE_MS / 1000, what);
		// A look that compares all data takes what it waits for the time to get there.
		nap_ms(took < 2 ? 5 : took < 100 ? 3 * (int)took : 300);
	}
}

// A name of the network namespace that no other test program can have: what it stands for is ours
// until this program ends, also while the server on that port is away.
static bool port_is_claimed(int port)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int len = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "flyover-test-port-%d", port);
	socklen_t a_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);

	assert_true(fd >= 0);
	if (!bind(fd, (struct sockaddr *)&a, a_len))
		return true; // and stays open
	close(fd);
	return false;
}

static bool port_is_free(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((uint16_t)port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)); // TIME-WAIT does no harm
	bool is_free = !bind(fd, (struct sockaddr *)&a, sizeof(a)) && !listen(fd, 1);
	close(fd);
	return is_free;
}

// Below the ports that the kernel gives to those who connect: one of these could be taken while a
// server is being started again.
int free_port(void)
{
	for (int tries = 0; tries < 10000; tries++) {
		uint16_t random;
		assert_int_equal(getrandom(&random, sizeof(random), 0), sizeof(random));
		int port = PORT_FIRST + random % (PORT_END - PORT_FIRST);
		if (port_is_free(port) && port_is_claimed(port))
			return port;
	}
	fail_msg("no port of the loopback is free");
	return -1;
}

int loopback_connect(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((uint16_t)port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		close(fd);
		return -1;
	}
	return fd;
}

const char *text(const char *format, ...)
{
	// A chain, so that the leak checker still finds every text.
	static struct text_link {
		struct text_link *next;
		char *text;
	} * texts;
	struct text_link *t = calloc(1, sizeof(*t));
	va_list args;

	assert_non_null(t);
	va_start(args, format);
	assert_true(vasprintf(&t->text, format, args) >= 0);
	va_end(args);
	t->next = texts;
	texts = t;
	return t->text;
}

char *file_read(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return NULL;
	assert_int_equal(fstat(fd, &st), 0);
	char *bytes = malloc((size_t)st.st_size + 1);
	assert_non_null(bytes);
	ssize_t n = read(fd, bytes, (size_t)st.st_size);
	close(fd);
	assert_true(n >= 0);
	bytes[n] = 0;
	if (len)
		*len = (size_t)n;
	return bytes;
}

void file_write(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

void e2e_filter(void)
{
	if (getenv("FLYOVER_TEST"))
		cmocka_set_test_filter(getenv("FLYOVER_TEST"));
}

const char *build_dir(void)
{
	static char dir[4096];
	const char *given = getenv("FLYOVER_BUILD");

	if (given)
		return given;
	// The test program lies in BUILD/tests/e2e.
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	assert_true(n > 0);
	dir[n] = 0;
	return dirname(dirname(dirname(dir)));
}

// The test program adopts what its children leave behind, so that it can end that too.
static void end_everything(int signal_number)
{
	processes_end_descendants();
	_exit(128 + signal_number);
}

int world_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	const char *tmp = getenv("TMPDIR");

	if (!w)
		return -1;
	w->test = (e2e_test *)*state;
	snprintf(w->dir, sizeof(w->dir), "%.150s/flyover-e2e-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(w->dir)) {
		fprintf(stderr, "cannot make a folder like %s: %s\n", w->dir, strerror(errno));
		return -1;
	}
	w->skip = net_enter();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, end_everything);
	signal(SIGINT, end_everything);
	*state = w;
	return 0;
}

unsigned sanitizer_reports(struct world *w)
{
	glob_t found;
	unsigned n = 0;

	if (glob(text("%s/sanitizer.*", w->dir), 0, NULL, &found))
		return 0;
	for (; n < found.gl_pathc; n++) {
		char *report = file_read(found.gl_pathv[n], NULL);
		fprintf(stderr, "---- %s\n%.20000s\n", found.gl_pathv[n], report ? report : "");
		free(report);
	}
	globfree(&found);
	return n;
}

void world_run(void **state)
{
	struct world *w = *state;

	if (w->skip) {
		w->passed = true;
		print_message("skipped: %s\n", w->skip);
		skip();
	}
	w->test(w);
	for (struct server *s = server_has_user() ? w->servers : NULL; s; s = s->next)
		server_user_judge(s);
	w->passed = true;
	if (sanitizer_reports(w))
		fail_msg("a sanitizer found something, see above");
}

static int entry_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

int world_teardown(void **state)
{
	struct world *w = *state;

	if (!w->passed) {
		sanitizer_reports(w);
		processes_show(w);
	}
	proxies_free(w);
	fakes_free(w);
	elders_free(w);
	jobs_free(w);
	clusters_free(w);
	servers_free(w);
	processes_free(w);
	processes_end_descendants();
	net_leave(w);
	if (getenv("FLYOVER_TEST_KEEP"))
		fprintf(stderr, "kept %s\n", w->dir);
	else
		nftw(w->dir, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}
