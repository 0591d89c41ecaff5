// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/daemon/daemon_config.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/config_file.h"
#include "ctrl/link_config.h"

void daemon_config_init(struct daemon_config *c)
{
	memset(c, 0, sizeof(*c));
	snprintf(c->listen, sizeof(c->listen), "%s", DAEMON_SOCKET_PATH);
	snprintf(c->state_dir, sizeof(c->state_dir), "%s", DAEMON_STATE_DIR);
}

struct field {
	const char *key;
	size_t offset, len;
};

#define FIELD(key, member)                                                                         \
	{                                                                                          \
		key, offsetof(struct daemon_config, member),                                       \
			sizeof(((struct daemon_config *)0)->member)                                \
	}

static const struct field fields[] = {
	FIELD("listen", listen), FIELD("state-dir", state_dir),
	FIELD("cores", cores),   FIELD("io", io),
	FIELD("net", net),
};

int daemon_config_set(struct daemon_config *c, const char *key, const char *text, struct failure *f)
{
	char why[200];
	for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strcmp(key, fields[i].key))
			continue;
		if (!*text || strlen(text) >= fields[i].len)
			return failure_set(f, ERROR_CONFIG, "%s: the value is empty or too long",
					   key);
		if (!strcmp(key, "cores") && strspn(text, "0123456789,-") != strlen(text))
			return failure_set(f, ERROR_CONFIG,
					   "cores: '%s' is not a list such as 0-3 or 1,3", text);
		if (!strcmp(key, "io") && strcmp(text, "auto") && strcmp(text, "epoll") &&
		    strcmp(text, "io_uring"))
			return failure_set(f, ERROR_CONFIG,
					   "io: '%s' is none of auto, epoll, io_uring", text);
		if (!strcmp(key, "net") && strcmp(text, "kernel") && strcmp(text, "dpdk"))
			return failure_set(f, ERROR_CONFIG, "net: '%s' is neither kernel nor dpdk",
					   text);
		strcpy((char *)c + fields[i].offset, text);
		return 0;
	}
	if (network_set(&c->network, key, text, why, sizeof(why)))
		return failure_set(f, ERROR_CONFIG, "%s", why);
	return 0;
}

int daemon_config_check(const struct daemon_config *c, struct failure *f)
{
	struct network n;
	char why[200];
	if (network_read(&c->network, &n, why, sizeof(why)))
		return failure_set(f, ERROR_CONFIG, "%s", why);
	if (!strcmp(c->net, "dpdk") && !n.present)
		return failure_set(f, ERROR_CONFIG,
				   "net: dpdk needs a device and an address: set nic and addr");
	return 0;
}

int daemon_config_net(const struct daemon_config *c, struct link_config *link, struct failure *f)
{
	if (link->settings.net == NET_AUTO)
		link->settings.net = strcmp(c->net, "dpdk") ? NET_KERNEL : NET_DPDK;
	if (link->settings.net == NET_DPDK && !c->network.nic[0])
		return failure_set(f, ERROR_CONFIG,
				   "net: link %s is to use dpdk, and this flyoverd has no device; "
				   "set nic and addr in its configuration file or start it with "
				   "--nic and --addr",
				   link->name);
	link->source.congestion = link->target.congestion = (uint32_t)link->settings.congestion;
	link->source.net = link->source.host[0] ? (uint32_t)link->settings.net : 0;
	link->target.net = link->target.host[0] ? (uint32_t)link->settings.net : 0;
	return 0;
}

static int link_read(struct daemon_config *c, const char *path, const struct config_node *n,
		     const char *site, struct failure *f)
{
	struct failure inner = {0};
	if (c->n_links == LINKS_MAX)
		return config_file_wrong(path, n, f, "one flyoverd holds %d links at most",
					 LINKS_MAX);
	struct link_config *link = &c->links[c->n_links];
	link_config_init(link);
	if (link_config_set(link, "site", site, &inner))
		return config_file_wrong(path, n, f, "%s", inner.sentence);
	if (config_file_link(path, n, link, f))
		return -1;
	if (link_config_check(link, &inner))
		return config_file_wrong(path, n, f, "%s", inner.sentence);
	for (unsigned i = 0; i < c->n_links; i++)
		if (!strcmp(c->links[i].name, link->name))
			return config_file_wrong(path, n, f, "there is a link named %s already",
						 link->name);
	c->n_links++;
	return 0;
}

static int links_read(struct daemon_config *c, const char *path, const struct config_node *list,
		      const char *site, struct failure *f)
{
	if (list->kind == CONFIG_SCALAR && !*list->text)
		return 0;
	if (list->kind != CONFIG_SEQUENCE)
		return config_file_wrong(path, list, f,
					 "'links' is a list: each begins with '- name: ...'");
	for (const struct config_node *n = list->child; n; n = n->next)
		if (link_read(c, path, n, site, f))
			return -1;
	return 0;
}

// One value, or a list of them where a setting takes several.
static int setting_read(struct daemon_config *c, const char *path, const char *key,
			const struct config_node *n, struct failure *f)
{
	struct failure inner = {0};
	if (n->kind == CONFIG_SEQUENCE && (!strcmp(key, "addr") || !strcmp(key, "gw"))) {
		for (const struct config_node *each = n->child; each; each = each->next)
			if (setting_read(c, path, key, each, f))
				return -1;
		return 0;
	}
	const char *text = config_file_text(path, n, f);
	if (!text)
		return -1;
	if (daemon_config_set(c, key, text, &inner))
		return config_file_wrong(path, n, f, "%s", inner.sentence);
	return 0;
}

static int root_read(struct daemon_config *c, const char *path, const struct config_node *root,
		     struct failure *f)
{
	const struct config_node *site_node = config_find(root, "site");
	const char *site = site_node ? config_file_text(path, site_node, f) : "site1";
	if (!site)
		return -1;
	for (const struct config_node *n = root->child; n; n = n->next) {
		if (!strcmp(n->key, "site"))
			continue;
		if (!strcmp(n->key, "links")) {
			if (links_read(c, path, n, site, f))
				return -1;
			continue;
		}
		if (setting_read(c, path, n->key, n, f))
			return -1;
	}
	return 0;
}

int daemon_config_read(struct daemon_config *c, const char *path, struct failure *f)
{
	struct config_node *root;
	if (config_file_read(path, &root, f))
		return -1;
	int rc = root_read(c, path, root, f);
	config_free(root);
	return rc;
}
