// SPDX-License-Identifier: BSD-3-Clause
// credentials_look() -> sides_read() -> password_read(), tls_tell() ; credentials_tick() ->
// sides_read()
#include "ctrl/daemon/credentials.h"

#include <string.h>
#include <sys/stat.h>

#include "ctrl/daemon/daemon.h"
#include "ctrl/secret.h"
#include "ctrl/tls_settings.h"

static void tls_tell(struct daemon *d, const char *link, const char *side, const struct endpoint *e)
{
	char text[TLS_TEXT_LEN];
	struct tls_settings set = endpoint_tls_settings(e);
	if (!e->tls)
		return;
	if (tls_look(&set, text))
		log_put(&d->log, EVENT_ERROR, link,
			"TLS to the %s: %s; new connections fail until that is mended", side, text);
	else
		log_put(&d->log, EVENT_INFO, link, "TLS to the %s: new connections use %s", side,
			text);
}

// One password, and the file that it came from.
struct place {
	const char *link, *side;
	const char *path;
	char *password; // URL_PASSWORD_LEN bytes
	uint32_t *stamp;
};

// What changes when a file does: somebody wrote it, or put another in its place.
static uint32_t file_stamp(const char *path)
{
	struct stat st;
	if (stat(path, &st))
		return 0;
	uint64_t words[] = {(uint64_t)st.st_ino, (uint64_t)st.st_mtim.tv_sec,
			    (uint64_t)st.st_mtim.tv_nsec, (uint64_t)st.st_size};
	uint64_t sum = 1;
	for (unsigned i = 0; i < 4; i++)
		sum = (sum ^ words[i]) * 0x9e3779b97f4a7c15ull;
	return (uint32_t)(sum >> 32) | 1;
}

// @param told  also when nothing is new, or wrong
static void password_read(struct daemon *d, const struct place *p, bool told)
{
	char fresh[URL_PASSWORD_LEN] = "";
	struct failure f;
	uint32_t stamp = p->path[0] ? file_stamp(p->path) : 0;
	if (!p->path[0] || (!told && stamp == *p->stamp))
		return;
	*p->stamp = stamp;
	if (secret_read_file(p->path, fresh, sizeof(fresh), &f)) {
		log_put(&d->log, EVENT_ERROR, p->link, "the password of the %s stays as it was: %s",
			p->side, f.sentence);
		return;
	}
	bool same = !strcmp(fresh, p->password);
	memcpy(p->password, fresh, sizeof(fresh));
	explicit_bzero(fresh, sizeof(fresh));
	if (!same)
		log_put(&d->log, EVENT_INFO, p->link,
			"the password of the %s has changed in %s: new connections use it", p->side,
			p->path);
	else if (told)
		log_put(&d->log, EVENT_INFO, p->link, "the password of the %s is as it was",
			p->side);
}

static void side_read(struct daemon *d, const char *link, const char *side, struct endpoint *e,
		      uint32_t stamps[2], bool told)
{
	char sentinels[32];
	snprintf(sentinels, sizeof(sentinels), "%s's sentinels", side);
	struct place at[] = {
		{link, side, e->password_file, e->password, &stamps[0]},
		{link, sentinels, e->sentinel.file, e->sentinel.password, &stamps[1]},
	};
	password_read(d, &at[0], told);
	password_read(d, &at[1], told);
}

// The shards of a link whose source is a cluster have copies.
static void members_tell(struct contract *c, unsigned link)
{
	const struct link_config *own = &c->links[link].config;
	for (unsigned i = 0; i < MEMBERS_MAX; i++) {
		struct link_config *m = &c->members[i].config;
		if (!m->name[0] || m->of != link + 1)
			continue;
		memcpy(m->source.password, own->source.password, URL_PASSWORD_LEN);
		memcpy(m->target.password, own->target.password, URL_PASSWORD_LEN);
		memcpy(m->target.sentinel.password, own->target.sentinel.password,
		       URL_PASSWORD_LEN);
	}
}

static void passwords_read(struct daemon *d, bool told)
{
	struct contract *c = d->supervisor.shared.contract;
	for (unsigned i = 0; i < LINKS_MAX; i++) {
		struct link_config *own = &c->links[i].config;
		struct link *l = &d->links.links[i];
		if (!l->used)
			continue;
		side_read(d, own->name, "source", &own->source, &l->password_stamps[0], told);
		side_read(d, own->name, "target", &own->target, &l->password_stamps[2], told);
		members_tell(c, i);
	}
}

void credentials_look(struct daemon *d)
{
	const struct contract *c = d->supervisor.shared.contract;
	passwords_read(d, true);
	for (unsigned i = 0; i < LINKS_MAX; i++) {
		const struct link_config *own = &c->links[i].config;
		if (!d->links.links[i].used)
			continue;
		tls_tell(d, own->name, "source", &own->source);
		tls_tell(d, own->name, "target", &own->target);
	}
}

void credentials_tick(struct daemon *d, uint64_t now_ms)
{
	if (now_ms - d->credentials_ms < CREDENTIALS_TICK_MS)
		return;
	d->credentials_ms = now_ms;
	passwords_read(d, false);
}
