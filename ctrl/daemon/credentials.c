// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/daemon/credentials.h"

#include "ctrl/daemon/daemon.h"
#include "ctrl/tls_settings.h"

static void side_look(struct daemon *d, const char *link, const char *side,
		      const struct endpoint *e)
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

void credentials_look(struct daemon *d)
{
	for (unsigned i = 0; i < LINKS_MAX; i++) {
		const struct link_config *c = &d->supervisor.shared.contract->links[i].config;
		if (!d->links.links[i].used)
			continue;
		side_look(d, c->name, "source", &c->source);
		side_look(d, c->name, "target", &c->target);
	}
}
