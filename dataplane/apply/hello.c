// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/apply/hello.h"

#include <stdio.h>
#include <string.h>

#include "parsers/info.h"
#include "parsers/resp_write.h"

#define PUT(...) (n += RESP_WRITE(out + n, out_len - n, __VA_ARGS__))

void hello_name(char name[CLIENT_NAME_LEN], const char *link, uint64_t run, unsigned index,
		unsigned count)
{
	snprintf(name, CLIENT_NAME_LEN, "flyover:%s:%llx:%u.%u", link, (unsigned long long)run,
		 index, count);
}

size_t hello_compose(char *out, size_t out_len, const struct endpoint *e, const char *name)
{
	size_t n = 0;
	if (e->has_password && e->user[0])
		PUT("AUTH", e->user, e->password);
	else if (e->has_password)
		PUT("AUTH", e->password);
	PUT("CLIENT", "SETNAME", name);
	PUT("CLIENT", "ID");
	PUT("INFO");
	PUT("MULTI");
	PUT("EXEC");
	return n;
}

// "id=7 addr=.. name=.. .." a line.
uint64_t hello_own_id(struct span list, const char *name)
{
	char ours[CLIENT_NAME_LEN + 8];
	snprintf(ours, sizeof(ours), " name=%s ", name);
	const char *at = memmem(list.p, list.len, ours, strlen(ours));
	while (at && at > list.p && at[-1] != '\n')
		at--;
	return at && !strncmp(at, "id=", 3) ? span_digits((struct span){at + 3, 20}) : 0;
}

unsigned hello_strangers(struct span list, const char *link, uint64_t run,
			 void (*each)(void *of, uint64_t id), void *of)
{
	char ours[NAME_LEN + 16], ours_run[24];
	int ours_len = snprintf(ours, sizeof(ours), " name=flyover:%s:", link);
	unsigned found = 0;
	snprintf(ours_run, sizeof(ours_run), "%llx:", (unsigned long long)run);
	for (const char *p = list.p, *end = list.p + list.len, *next; p < end; p = next) {
		next = memchr(p, '\n', (size_t)(end - p));
		next = next ? next + 1 : end;
		const char *name = memmem(p, (size_t)(next - p), ours, (size_t)ours_len);
		if (!name || !strncmp(name + ours_len, ours_run, strlen(ours_run)) ||
		    strncmp(p, "id=", 3))
			continue;
		found++;
		if (each)
			each(of, span_digits((struct span){p + 3, (size_t)(next - p) - 3}));
	}
	return found;
}

uint64_t hello_keys(struct span info, const struct link_config *config)
{
	uint64_t keys = 0;
	char name[16], value[96];
	struct db_map dbs;
	link_databases(config, &dbs);
	for (int db = 0; db < 64; db++) {
		unsigned long long n;
		if (!db_map_reaches(&dbs, db))
			continue;
		snprintf(name, sizeof(name), "db%d", db);
		if (info_field(info, name, value, sizeof(value)) &&
		    sscanf(value, "keys=%llu", &n) == 1)
			keys += n;
	}
	return keys;
}
