// SPDX-License-Identifier: BSD-3-Clause
// flyoverd, the control process: main() -> options_read() -> daemon_init() -> daemon_run()
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctrl/clock.h"
#include "ctrl/daemon/credentials.h"
#include "ctrl/daemon/daemon.h"
#include "ctrl/secret.h"

#define PRIVATE_LOCK_WAIT_MS 5000

// 's' a setting of the daemon, 'n' one of its network.
static const struct option options[] = {
	{"config", required_argument, NULL, 'f'},
	{"listen", required_argument, NULL, 's'},
	{"state-dir", required_argument, NULL, 's'},
	{"cores", required_argument, NULL, 's'},
	{"io", required_argument, NULL, 's'},
	{"net", required_argument, NULL, 's'},
	{"private", no_argument, NULL, 'p'},
	{"verbose", no_argument, NULL, 'v'},
#define X(field, name, room, arg, list, help) {name, required_argument, NULL, 'n'},
	NETWORK_SETTINGS(X)
#undef X
		{0},
};

static int usage_print(void)
{
	unsigned n;
	const struct network_row *rows = network_rows(&n);
	fputs("usage: flyoverd [OPTION]...\n"
	      "\n"
	      "  --config FILE            links and settings; default " DAEMON_CONFIG_PATH "\n"
	      "  --listen SOCKET          where `flyover` finds us; default " DAEMON_SOCKET_PATH
	      "\n"
	      "  --state-dir FOLDER       what must outlive us; default " DAEMON_STATE_DIR "\n"
	      "  --cores LIST             cores for the dataplane, such as 0-3\n"
	      "  --io WORD                how it waits for sockets: auto, epoll or io_uring\n"
	      "  --net kernel|dpdk        network of the links that name none; default: kernel\n",
	      stdout);
	for (unsigned i = 0; i < n; i++)
		printf("  --%s %-*s %s\n", rows[i].name, 21 - (int)strlen(rows[i].name),
		       rows[i].arg, rows[i].help);
	return fputs("  --private                serve the one command connected to stdin, end "
		     "with "
		     "it\n"
		     "  --verbose                log to stderr in spite of --private\n"
		     "  --version, --help\n",
		     stdout) < 0;
}

void daemon_end(struct daemon *d, bool now)
{
	if (d->stage == DAEMON_RUNS && !now) {
		log_put(&d->log, EVENT_INFO, NULL, "draining all links, then leaving");
		d->stage = DAEMON_DRAINS;
		links_drain(d);
		return;
	}
	log_put(&d->log, EVENT_INFO, NULL, "leaving at once");
	d->stage = DAEMON_LEAVES;
	dataplane_leave(d, true);
}

static void signal_ready(struct watch *w, uint32_t events)
{
	struct daemon *d = container_of(w, struct daemon, signals);
	struct signalfd_siginfo info;
	if (read(w->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP)
		credentials_look(d);
	else
		daemon_end(d, false);
}

static int signals_watch(struct daemon *d)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_DFL); // one that is ignored is never read
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	d->signals = (struct watch){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
				    .ready = signal_ready};
	return d->signals.fd < 0 ? -errno : loop_add(&d->loop, &d->signals, EPOLLIN);
}

// Descriptors 0 to 3 stay taken, so that none of ours gets a number with a meaning.
static int low_descriptors_hold(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= CONTRACT_FD);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

// Where the API listens: a private flyoverd in its state folder, where its log goes as well.
static int places_prepare(struct daemon *d)
{
	if (d->config.private_job) {
		snprintf(d->config.listen, sizeof(d->config.listen), "%s/flyoverd.sock",
			 d->state.path);
		return d->config.verbose ? 0 : log_to_file(d->state.fd, "flyoverd.log");
	}
	char folder[sizeof(d->config.listen)];
	strcpy(folder, d->config.listen);
	char *slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return 0;
	*slash = 0;
	return folder_make(folder, 0755);
}

// Links of the configuration; one that a running dataplane has already stays as it is, unless its
// configuration has changed.
static void links_configured(struct daemon *d)
{
	struct failure f;
	for (unsigned i = 0; i < d->config.n_links; i++) {
		struct link_config *c = &d->config.links[i];
		if (link_create(d, c, true, &f) < 0)
			log_put(&d->log, EVENT_ERROR, c->name, "%s", f.sentence);
		explicit_bzero(c, sizeof(*c));
	}
}

static int daemon_init(struct daemon *d, struct failure *f)
{
	bool job = d->config.private_job;
	int rc = low_descriptors_hold();
	d->parked = parked_desk_new();
	rc = rc || d->parked ? rc : -ENOMEM;
	rc = rc ? rc : loop_init(&d->loop);
	rc = rc ? rc : signals_watch(d);
	if (rc)
		return failure_set(f, ERROR_INTERNAL, "flyoverd cannot set itself up: %s",
				   strerror(-rc));
	if (state_dir_open(&d->state, d->config.state_dir, job ? PRIVATE_LOCK_WAIT_MS : 0, f))
		return -1;
	rc = places_prepare(d);
	if (rc)
		return failure_set(f, ERROR_STATE_DIR, "the folder of the log or the socket %s: %s",
				   d->config.listen, strerror(-rc));
	rc = supervisor_init(d);
	if (rc < 0)
		return failure_set(f, ERROR_MEMORY, "no shared memory for the dataplane: %s",
				   strerror(-rc));
	if (api_listen(d, d->config.listen, f))
		return -1;
	if (job && api_own(d, STDIN_FILENO))
		return failure_set(f, ERROR_USAGE, "--private needs a socket as stdin");
	links_configured(d);
	return 0;
}

// Done draining: let the dataplane go, and wait for its end.
static bool daemon_left(struct daemon *d)
{
	if (d->stage == DAEMON_DRAINS && links_all_ended(d)) {
		d->stage = DAEMON_LEAVES;
		dataplane_leave(d, false);
	}
	return d->stage == DAEMON_LEAVES && d->supervisor.stage == DATAPLANE_DOWN;
}

static int daemon_run(struct daemon *d)
{
	uint64_t next_ms = mono_ms();
	while (!daemon_left(d)) {
		uint64_t now = mono_ms();
		if (now >= next_ms) {
			supervisor_tick(d, now);
			credentials_tick(d, now);
			next_ms = now + (supervisor_starting(d) ? TICK_START_MS : TICK_MS);
		}
		links_tick(d);
		int rc = loop_turn(&d->loop, (int)(next_ms > now ? next_ms - now : 0));
		if (rc)
			return rc;
	}
	return 0;
}

static void daemon_fini(struct daemon *d)
{
	if (d->config.listen[0] && d->api.listener.fd >= 0)
		unlink(d->config.listen);
	d->stage = DAEMON_LEAVES;
	api_fini(d);
	parked_desk_free(d->parked);
	links_fini(d);
	supervisor_fini(d);
	loop_close(&d->loop, &d->signals);
	loop_fini(&d->loop);
	state_dir_close(&d->state);
}

// Settings of the command line. What they say of the network takes the place of what the file says.
static int settings_read(struct daemon *d, int argc, char **argv, struct failure *f)
{
	struct network_texts said = {0};
	char why[200];
	int letter, at;
	optind = 1;
	while ((letter = getopt_long(argc, argv, "", options, &at)) != -1) {
		const char *name = options[at].name;
		if (letter == 's' && daemon_config_set(&d->config, name, optarg, f))
			return -1;
		if (letter == 'n' && network_set(&said, name, optarg, why, sizeof(why)))
			return failure_set(f, ERROR_CONFIG, "%s", why);
	}
	network_override(&d->config.network, &said);
	return daemon_config_check(&d->config, f);
}

// Later words win over the file, so the file is read first.
static int config_read(struct daemon *d, int argc, char **argv, struct failure *f)
{
	const char *path = NULL;
	int letter;
	bool job = false, verbose = false;
	while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (letter == '?')
			return failure_set(f, ERROR_USAGE, "flyoverd does not know that option");
		path = letter == 'f' ? optarg : path;
		job |= letter == 'p';
		verbose |= letter == 'v';
	}
	if (optind < argc)
		return failure_set(f, ERROR_USAGE, "flyoverd does not take '%s'", argv[optind]);
	daemon_config_init(&d->config);
	d->config.private_job = job;
	d->config.verbose = verbose;
	if (!path && !job && access(DAEMON_CONFIG_PATH, F_OK) == 0)
		path = DAEMON_CONFIG_PATH;
	if (path && daemon_config_read(&d->config, path, f))
		return -1;
	return settings_read(d, argc, argv, f);
}

// The command that started us hears it over the socket that it gave us, and tells the user.
static bool owner_told(const struct failure *f)
{
	char *line = api_failure_line(f);
	ssize_t len = line ? (ssize_t)strlen(line) : 0;
	bool told =
		len && send(STDIN_FILENO, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) == len;
	free(line);
	return told;
}

static int failure_print(const struct failure *f, bool job)
{
	const struct error_row *row = error_row(f->id);
	if (!job || !owner_told(f))
		fprintf(stderr, "flyoverd: %s%s%s\n", f->sentence, row->advice[0] ? "; " : "",
			row->advice);
	return row->exit_code;
}

static bool asked_for(int argc, char **argv, const char *word)
{
	return argc == 2 && !strcmp(argv[1], word);
}

int main(int argc, char **argv)
{
	struct failure f = {0};
	if (asked_for(argc, argv, "--help"))
		return usage_print();
	if (asked_for(argc, argv, "--version"))
		return puts("flyoverd " FLYOVER_VERSION) < 0;
	struct daemon *d = calloc(1, sizeof(*d));
	if (!d)
		return 1;
	secret_forbid_core();
	secret_wipe_json();
	d->loop.epoll_fd = -1;
	d->api.listener.fd = d->signals.fd = d->supervisor.process.fd = d->supervisor.shared.fd =
		-1;
	d->state.fd = d->state.lock_fd = -1;
	d->started_ms = wall_ms();
	umask(077);
	setvbuf(stderr, NULL, _IOLBF, 0);
	int rc = config_read(d, argc, argv, &f);
	rc = rc ? rc : daemon_init(d, &f);
	if (rc == 0) {
		rc = daemon_run(d);
		if (rc)
			failure_set(&f, ERROR_INTERNAL, "the event loop ended: %s", strerror(-rc));
	}
	daemon_fini(d);
	rc = rc ? failure_print(&f, d->config.private_job) : 0;
	explicit_bzero(&d->config, sizeof(d->config));
	free(d);
	return rc;
}
