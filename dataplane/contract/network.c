// SPDX-License-Identifier: BSD-3-Clause
// network_read() -> word_read(), vlan_read(), window_read(), address_add(), gateway_add()
#include "dataplane/contract/network.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/contract/settings.h"

const struct network_row *network_rows(unsigned *n)
{
	static const struct network_row rows[] = {
#define X(field, name, room, arg, list, help)                                                      \
	{name, arg, list, help, offsetof(struct network_texts, field), room},
		NETWORK_SETTINGS(X)
#undef X
	};
	*n = sizeof(rows) / sizeof(rows[0]);
	return rows;
}

const char *network_text(const struct network_texts *t, const struct network_row *row)
{
	return (const char *)t + row->field;
}

int network_set(struct network_texts *t, const char *name, const char *text, char *why,
		unsigned why_len)
{
	unsigned n;
	const struct network_row *row = network_rows(&n), *end = row + n;
	while (row < end && strcmp(row->name, name))
		row++;
	if (row == end) {
		snprintf(why, why_len, "there is no setting '%s'", name);
		return -ENOENT;
	}
	char *field = (char *)t + row->field;
	size_t used = row->list ? strlen(field) : 0;
	if (!*text || used + 1 + strlen(text) >= row->room) {
		snprintf(why, why_len, "%s: the value is empty or too long", name);
		return -EINVAL;
	}
	snprintf(field + used, row->room - used, "%s%s", used ? "," : "", text);
	return 0;
}

void network_override(struct network_texts *t, const struct network_texts *over)
{
	unsigned n;
	const struct network_row *rows = network_rows(&n);
	for (unsigned i = 0; i < n; i++)
		if (*network_text(over, &rows[i]))
			snprintf((char *)t + rows[i].field, rows[i].room, "%s",
				 network_text(over, &rows[i]));
}

bool network_is_given(const struct network_texts *t)
{
	unsigned n;
	const struct network_row *rows = network_rows(&n);
	for (unsigned i = 0; i < n; i++)
		if (*network_text(t, &rows[i]))
			return true;
	return false;
}

// ---- Taking apart

struct reading {
	const struct network_texts *texts;
	struct network *out;
	char *why;
	unsigned why_len;
};

__attribute__((format(printf, 2, 3))) static int refuse(struct reading *r, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(r->why, r->why_len, format, args);
	va_end(args);
	return -EINVAL;
}

static int address_add(struct reading *r, const char *text)
{
	struct network *n = r->out;
	struct ip_prefix p;
	if (ip_prefix_parse(text, &p))
		return refuse(r,
			      "addr: '%s' is not an address with the length of its prefix, such "
			      "as 10.99.0.2/24 or fd00::2/64",
			      text);
	if (!ip_prefix_is_host(&p))
		return refuse(r, "addr: '%s' is not an address that one host can have", text);
	for (unsigned i = 0; i < n->n_addresses; i++)
		if (ip_equal(&n->addresses[i].address, &p.address))
			return refuse(r, "addr: '%s' is there twice", text);
	if (n->n_addresses == NETWORK_ADDRESSES_MAX)
		return refuse(r, "addr: more than %d addresses", NETWORK_ADDRESSES_MAX);
	n->addresses[n->n_addresses++] = p;
	return 0;
}

static int gateway_add(struct reading *r, const char *text)
{
	struct network *n = r->out;
	struct ip gateway;
	bool reached = false;
	if (ip_parse(text, &gateway))
		return refuse(r, "gw: '%s' is not an IP address, such as 10.99.0.1", text);
	for (unsigned i = 0; i < n->n_addresses; i++) {
		if (ip_equal(&n->addresses[i].address, &gateway))
			return refuse(r, "gw: '%s' is our own address", text);
		reached |= ip_prefix_has(&n->addresses[i], &gateway);
	}
	if (!reached || !ip_is_host(&gateway))
		return refuse(r, "gw: '%s' lies in no network of addr (%s)", text, r->texts->addr);
	for (unsigned i = 0; i < n->n_gateways; i++)
		if (n->gateways[i].family == gateway.family)
			return refuse(r, "gw: '%s' is the second one of IPv%u", text,
				      gateway.family);
	n->gateways[n->n_gateways++] = gateway;
	return 0;
}

static int each(struct reading *r, const char *list, int (*take)(struct reading *, const char *))
{
	char copy[sizeof(r->texts->addr)];
	snprintf(copy, sizeof(copy), "%s", list);
	char *rest = copy;
	for (char *word; *list && (word = strsep(&rest, ","));) {
		int rc = take(r, word + strspn(word, " "));
		if (rc)
			return rc;
	}
	return 0;
}

static int vlan_read(struct reading *r)
{
	const char *text = r->texts->vlan;
	unsigned long id = strtoul(text, NULL, 10);
	if (!*text)
		return 0;
	if (strspn(text, "0123456789") != strlen(text) || id < 1 || id > 4094)
		return refuse(r, "vlan: '%s' is not between 1 and 4094", text);
	r->out->vlan = (uint16_t)id;
	return 0;
}

static int window_read(struct reading *r)
{
	const char *text = r->texts->tcp_window;
	uint64_t bytes = NETWORK_WINDOW;
	int rc = *text ? setting_bytes(text, &bytes) : 0;
	if (rc == -EINVAL)
		return refuse(r, "tcp-window: '%s' is not a size such as 256MB", text);
	if (rc || bytes < NETWORK_WINDOW_MIN || bytes > NETWORK_WINDOW_MAX)
		return refuse(r, "tcp-window: '%s' is not between 64KB and 1GB", text);
	r->out->tcp_window = bytes;
	return 0;
}

// @param first  what "" and the value 0 stand for
// @return 0 or 1, or -EINVAL
static int word_read(struct reading *r, const char *name, const char *text, const char *first,
		     const char *second)
{
	if (!*text || !strcmp(text, first))
		return 0;
	if (!strcmp(text, second))
		return 1;
	return refuse(r, "%s: '%s' is neither %s nor %s", name, text, first, second);
}

int network_read(const struct network_texts *t, struct network *out, char *why, unsigned why_len)
{
	struct reading r = {t, out, why, why_len};
	memset(out, 0, sizeof(*out));
	if (!network_is_given(t))
		return 0;
	if (!*t->nic)
		return refuse(&r, "nic: missing; name the device that the other settings are for, "
				  "such as net_tap0,iface=fly0");
	if (!*t->addr)
		return refuse(&r, "addr: missing; give our address on the device, such as "
				  "10.99.0.2/24");
	snprintf(out->nic, sizeof(out->nic), "%s", t->nic);
	int idle = word_read(&r, "idle", t->idle, "adaptive", "spin");
	int congestion =
		idle < 0 ? idle : word_read(&r, "congestion", t->congestion, "cubic", "bbr");
	if (congestion < 0 || vlan_read(&r) || window_read(&r) ||
	    each(&r, t->addr, address_add) || each(&r, t->gw, gateway_add))
		return -EINVAL;
	out->idle = idle ? NETWORK_SPIN : NETWORK_ADAPTIVE;
	out->congestion = congestion ? NETWORK_BBR : NETWORK_CUBIC;
	out->present = true;
	return 0;
}
