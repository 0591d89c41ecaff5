// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/cli/parked_place.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctrl/unix_path.h"

static int folder_set(struct parked_place *p, const char *state_dir, const char *link,
		      struct failure *f)
{
	int len = snprintf(p->folder, sizeof(p->folder), "%s/links/%s", state_dir, link);
	if (len >= (int)sizeof(p->folder) || strlen(link) >= sizeof(p->link))
		return failure_set(f, ERROR_STATE_DIR, "the path of the state folder is too long");
	strcpy(p->link, link);
	return 0;
}

// The only link of a state folder.
static int single_find(struct parked_place *p, const char *state_dir, struct failure *f)
{
	char path[4096], name[256] = "";
	unsigned n = 0;
	snprintf(path, sizeof(path), "%s/links", state_dir);
	DIR *dir = opendir(path);
	if (!dir)
		return failure_set(f, ERROR_STATE_DIR, "%s is no state folder of Flyover: %s",
				   state_dir, strerror(errno));
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (e->d_name[0] != '.' && n++ == 0)
			snprintf(name, sizeof(name), "%s", e->d_name);
	closedir(dir);
	if (n == 1)
		return folder_set(p, state_dir, name, f);
	return failure_set(f, n ? ERROR_USAGE : ERROR_LINK_UNKNOWN,
			   n ? "%s holds %u links; say which" : "%s holds no link", state_dir, n);
}

static bool folder_has(const char *state_dir, const char *link)
{
	char path[4096];
	return *link && !strchr(link, '/') && link[0] != '.' &&
	       snprintf(path, sizeof(path), "%s/links/%s", state_dir, link) < (int)sizeof(path) &&
	       access(path, F_OK) == 0;
}

static json_t *place_ask(struct parked_place *p, const char *link, struct failure *f)
{
	json_t *answer = NULL;
	session_ask(&p->session, json_pack("{s:s, s:s}", "verb", "link-parked", "name", link),
		    &answer, f);
	return answer;
}

// A flyoverd that runs in the folder, as that of a `flyover sync` does.
static void daemon_look_for(struct parked_place *p, const char *state_dir)
{
	struct failure none;
	char path[4096];
	if (snprintf(path, sizeof(path), "%s/flyoverd.sock", state_dir) >= (int)sizeof(path) ||
	    access(path, F_OK))
		return;
	int fd = unix_connect(path, &none);
	if (fd < 0)
		return;
	session_init(&p->session, fd);
	json_t *answer = place_ask(p, p->link, &none);
	p->has_session = answer != NULL;
	json_decref(answer);
	if (!p->has_session)
		session_close(&p->session);
}

int parked_place_find(struct parked_place *p, const struct options *o, struct failure *f)
{
	*p = (struct parked_place){.session = {.fd = -1}};
	if (o->state_dir) {
		p->args_taken = o->n_args && folder_has(o->state_dir, o->args[0]);
		int rc = p->args_taken ? folder_set(p, o->state_dir, o->args[0], f)
				       : single_find(p, o->state_dir, f);
		if (rc == 0)
			daemon_look_for(p, o->state_dir);
		return rc;
	}
	if (!o->n_args)
		return failure_set(f, ERROR_USAGE, "name a LINK, or a folder by --state-dir");
	if (session_open(&p->session, o->socket, f))
		return -1;
	json_t *answer = place_ask(p, o->args[0], f);
	const char *folder = json_string_value(json_object_get(answer, "folder"));
	int rc = folder ? 0 : -1;
	if (folder) {
		snprintf(p->folder, sizeof(p->folder), "%s", folder);
		snprintf(p->link, sizeof(p->link), "%s", o->args[0]);
		p->has_session = true;
		p->args_taken = 1;
	} else {
		session_close(&p->session);
	}
	json_decref(answer);
	return rc;
}

void parked_place_close(struct parked_place *p)
{
	if (p->has_session)
		session_close(&p->session);
	p->has_session = false;
}
