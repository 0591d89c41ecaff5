// SPDX-License-Identifier: BSD-3-Clause
// url_parse() -> scheme_parse() -> user_parse() -> nodes_parse() | unix_parse() -> tail_parse()
#include "parsers/url.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

struct scheme {
	const char *text;
	enum url_kind kind;
	bool tls;
};

static const struct scheme schemes[] = {
	{"redis://", URL_STANDALONE, false},
	{"rediss://", URL_STANDALONE, true},
	{"redis+cluster://", URL_CLUSTER, false},
	{"rediss+cluster://", URL_CLUSTER, true},
	{"redis+sentinel://", URL_SENTINEL, false},
	{"rediss+sentinel://", URL_SENTINEL, true},
	{"unix://", URL_UNIX, false},
};
#define N_SCHEMES (sizeof(schemes) / sizeof(schemes[0]))

struct fault {
	char *why;
	size_t why_len;
};

__attribute__((format(printf, 2, 3))) static int refuse(struct fault *f, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(f->why, f->why_len, format, args);
	va_end(args);
	return -EINVAL;
}

static struct span span_from(struct span s, size_t at)
{
	return (struct span){s.p + at, s.len - at};
}

// The part before the first byte of stops; all of s when there is none.
static struct span span_until(struct span s, const char *stops)
{
	size_t len = 0;
	while (len < s.len && !strchr(stops, s.p[len]))
		len++;
	return (struct span){s.p, len};
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Undo %XX. NUL and line ends cannot be part of a name that we pass on as text.
static int percent_decode(struct span in, char *out, size_t out_len)
{
	size_t n = 0;
	for (size_t i = 0; i < in.len; i++) {
		int c = (uint8_t)in.p[i];
		if (c == '%') {
			if (in.len - i < 3)
				return -EINVAL;
			int high = hex_digit(in.p[i + 1]), low = hex_digit(in.p[i + 2]);
			if (high < 0 || low < 0)
				return -EINVAL;
			c = high << 4 | low;
			i += 2;
		}
		if (c == 0 || n + 1 >= out_len)
			return -EINVAL;
		out[n++] = (char)c;
	}
	out[n] = 0;
	return 0;
}

static int number_parse(struct span s, unsigned max, unsigned *v)
{
	*v = 0;
	if (s.len == 0 || s.len > 9)
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -EINVAL;
		*v = *v * 10 + (unsigned)(s.p[i] - '0');
	}
	return *v <= max ? 0 : -EINVAL;
}

static int text_copy(struct span s, char *out, size_t out_len)
{
	if (s.len == 0 || s.len >= out_len)
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++)
		if ((uint8_t)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return -EINVAL;
	memcpy(out, s.p, s.len);
	out[s.len] = 0;
	return 0;
}

static int scheme_parse(struct span *rest, struct url *u, struct fault *f)
{
	for (size_t i = 0; i < N_SCHEMES; i++) {
		size_t len = strlen(schemes[i].text);
		if (rest->len < len || strncasecmp(rest->p, schemes[i].text, len))
			continue;
		u->kind = schemes[i].kind;
		u->tls = schemes[i].tls;
		*rest = span_from(*rest, len);
		return 0;
	}
	return refuse(f, "the URL does not begin with redis://, rediss://, redis+cluster://, "
			 "redis+sentinel:// or unix://");
}

static int user_parse(struct span *rest, struct url *u, struct fault *f)
{
	struct span authority = span_until(*rest, "/");
	const char *at = memrchr(authority.p, '@', authority.len);
	if (!at) {
		if (url_secret((struct span){rest->p - 3, rest->len + 3}).len)
			return refuse(f, "a '/' in the user or password of a URL is written %%2F");
		return 0;
	}
	struct span info = {authority.p, (size_t)(at - authority.p)};
	struct span user = span_until(info, ":");
	if (percent_decode(user, u->user, sizeof(u->user)))
		return refuse(f, "the user name in the URL is too long or has a bad %% in it");
	u->has_password = user.len < info.len;
	if (u->has_password &&
	    percent_decode(span_from(info, user.len + 1), u->password, sizeof(u->password)))
		return refuse(f, "the password in the URL is too long or has a bad %% in it");
	*rest = span_from(*rest, info.len + 1);
	return 0;
}

// Names of hosts, also in UTF-8; in brackets, addresses of IPv6 with a scope at most.
static bool host_legal(struct span host, bool bracket)
{
	for (size_t i = 0; i < host.len; i++) {
		uint8_t c = (uint8_t)host.p[i], lower = c | 0x20;
		bool word = (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z');
		if (!word && !strchr(bracket ? ":.%-_" : ".-_", c) && (bracket || c < 0x80))
			return false;
	}
	return !bracket || memchr(host.p, ':', host.len);
}

static int node_parse(struct span s, enum url_kind kind, struct url_node *node, struct fault *f)
{
	struct span host = span_until(s, ":"), port = {NULL, 0};
	bool has_port = host.len < s.len, bracket = s.len && s.p[0] == '[';
	if (bracket) {
		host = span_until(span_from(s, 1), "]");
		if (host.len + 2 > s.len)
			return refuse(f, "an address in the URL lacks its ']'");
		port = span_from(s, host.len + 2);
		has_port = port.len > 0;
		if (has_port && port.p[0] != ':')
			return refuse(f, "after the ']' of an address comes ':' and the port");
		port = has_port ? span_from(port, 1) : port;
	} else if (has_port) {
		port = span_from(s, host.len + 1);
	}
	if (!host_legal(host, bracket) || text_copy(host, node->host, sizeof(node->host)))
		return refuse(f, "the host in the URL is empty, too long or no name or address");
	unsigned v = kind == URL_SENTINEL ? URL_PORT_SENTINEL : URL_PORT;
	if (has_port && (number_parse(port, UINT16_MAX, &v) || v == 0))
		return refuse(f, "the port in the URL is not a number between 1 and 65535");
	node->port = (uint16_t)v;
	return 0;
}

static int nodes_parse(struct span *rest, struct url *u, struct fault *f)
{
	struct span all = span_until(*rest, "/");
	*rest = span_from(*rest, all.len);
	for (;;) {
		struct span one = span_until(all, ",");
		if (u->n_nodes == URL_NODES_MAX)
			return refuse(f, "the URL names more than %d servers", URL_NODES_MAX);
		if (node_parse(one, u->kind, &u->nodes[u->n_nodes++], f))
			return -EINVAL;
		if (one.len == all.len)
			break;
		all = span_from(all, one.len + 1);
	}
	if (u->n_nodes > 1 && u->kind == URL_STANDALONE)
		return refuse(f, "a redis:// URL names one server; several belong to "
				 "redis+cluster:// or redis+sentinel://");
	return 0;
}

static int db_parse(struct span s, struct url *u, struct fault *f)
{
	unsigned db;
	if (number_parse(s, INT32_MAX, &db))
		return refuse(f, "the database in the URL is not a number");
	if (u->kind == URL_CLUSTER && db)
		return refuse(f, "a cluster has only database 0");
	u->db = (int)db;
	return 0;
}

// What stands after the servers: [/master][/db]
static int tail_parse(struct span rest, struct url *u, struct fault *f)
{
	if (u->kind == URL_SENTINEL) {
		struct span name = rest.len ? span_until(span_from(rest, 1), "/") : rest;
		// A '@' behind the servers would make what stands before it look like a password.
		if (text_copy(name, u->master, sizeof(u->master)) || strchr(u->master, '@'))
			return refuse(f, "a redis+sentinel:// URL ends in /master-name");
		rest = span_from(rest, name.len + 1);
	}
	if (rest.len <= 1)
		return 0;
	return db_parse(span_from(rest, 1), u, f);
}

static int unix_parse(struct span rest, struct url *u, struct fault *f)
{
	struct span path = span_until(rest, "?"), query = span_from(rest, path.len);
	if (path.len == 0 || path.p[0] != '/')
		return refuse(f, "a unix:// URL names the socket by its whole path: unix:///path");
	if (text_copy(path, u->path, sizeof(u->path)))
		return refuse(f, "the path in the URL is longer than %d bytes or has blanks in it",
			      URL_PATH_LEN - 1);
	if (query.len == 0)
		return 0;
	if (query.len < 4 || memcmp(query.p, "?db=", 4))
		return refuse(f, "after the path of a unix:// URL only ?db=N may follow");
	return db_parse(span_from(query, 4), u, f);
}

int url_parse(struct span text, struct url *out, char *why, size_t why_len)
{
	struct fault f = {why, why_len};
	memset(out, 0, sizeof(*out));
	out->db = -1;
	if (memchr(text.p, 0, text.len))
		return refuse(&f, "the URL has a zero byte in it");
	if (scheme_parse(&text, out, &f) || user_parse(&text, out, &f))
		return -EINVAL;
	if (out->kind == URL_UNIX)
		return unix_parse(text, out, &f);
	if (nodes_parse(&text, out, &f))
		return -EINVAL;
	return tail_parse(text, out, &f);
}

static const char *scheme_text(const struct url *u)
{
	for (size_t i = 0; i < N_SCHEMES; i++)
		if (schemes[i].kind == u->kind && schemes[i].tls == u->tls)
			return schemes[i].text;
	return "redis://";
}

struct out {
	char *p;
	size_t room, len;
};

__attribute__((format(printf, 2, 3))) static void put(struct out *o, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	size_t at = o->len < o->room ? o->len : o->room;
	o->len += (size_t)vsnprintf(o->p + at, o->room - at, format, args);
	va_end(args);
}

// Everything that would be read differently, or break a line, becomes %XX.
static void put_encoded(struct out *o, const char *text)
{
	for (; *text; text++)
		if ((uint8_t)*text <= ' ' || (uint8_t)*text >= 0x7f || strchr(":@/%?,", *text))
			put(o, "%%%02X", (uint8_t)*text);
		else
			put(o, "%c", *text);
}

int url_print(const struct url *u, char *out, size_t out_len)
{
	struct out o = {out, out_len, 0};
	put(&o, "%s", scheme_text(u));
	if (u->user[0]) {
		put_encoded(&o, u->user);
		put(&o, "@");
	}
	for (unsigned i = 0; i < u->n_nodes; i++)
		put(&o, strchr(u->nodes[i].host, ':') ? "%s[%s]:%u" : "%s%s:%u", i ? "," : "",
		    u->nodes[i].host, u->nodes[i].port);
	if (u->kind == URL_UNIX)
		put(&o, u->db >= 0 ? "%s?db=%d" : "%s", u->path, u->db);
	if (u->kind == URL_SENTINEL)
		put(&o, "/%s", u->master);
	if (u->db >= 0 && u->kind != URL_UNIX)
		put(&o, "/%d", u->db);
	return (int)o.len;
}

struct span url_secret(struct span text)
{
	const char *sep = memmem(text.p, text.len, "://", 3);
	if (!sep)
		return (struct span){text.p, 0};
	struct span rest = span_from(text, (size_t)(sep + 3 - text.p));
	const char *at = memrchr(rest.p, '@', rest.len);
	struct span user = span_until(rest, ":/@");
	const char *colon = rest.p + user.len;
	if (!at || user.len == rest.len || *colon != ':' || colon >= at)
		return (struct span){text.p, 0};
	return (struct span){colon + 1, (size_t)(at - colon - 1)};
}
