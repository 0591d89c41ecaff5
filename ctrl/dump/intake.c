// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/dump/intake.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

#include "ctrl/clock.h"

static ssize_t bytes_take(void *client, void *buf, size_t len)
{
	return client_recv(client, buf, len);
}

int intake_init(struct intake *in, struct client *c, uint64_t bytes_per_s)
{
	assert(c->in_fed == c->in_len); // else bytes would be lost
	*in = (struct intake){.client = c};
	pace_init(&in->pace, bytes_per_s, mono_ms());
	intake_awaits(in);
	int rc = input_take(&in->input, c->fd);
	in->input.take = bytes_take;
	in->input.take_arg = c;
	return rc;
}

void intake_fini(struct intake *in)
{
	in->input.fd = -1;
	input_close(&in->input);
}

void intake_awaits(struct intake *in)
{
	in->heard_ms = mono_ms();
}

static int lost(const struct intake *in, const char *why, struct failure *f)
{
	return failure_set(f, ERROR_CONNECT, "the connection to %s %s was lost: %s",
			   in->client->who, in->client->url, why);
}

// @return 1 it is not time yet, and some of it has passed
static int pace_keep(struct intake *in, unsigned ms)
{
	unsigned wait_ms = pace_wait_ms(&in->pace, mono_ms());
	if (wait_ms == 0)
		return 0;
	wait_ms = wait_ms < ms ? wait_ms : ms;
	nanosleep(&(struct timespec){0, wait_ms * 1000000l}, NULL);
	intake_awaits(in); // it is we who are silent
	return 1;
}

int intake_turn(struct intake *in, unsigned ms, struct failure *f)
{
	struct client *c = in->client;
	uint64_t before = in->input.n_read;
	client_flush(c);
	if (c->failure.id) {
		*f = c->failure;
		return -1;
	}
	if (pace_keep(in, ms))
		return 0;
	int rc = input_fill(&in->input, in->input.len + 1);
	if (in->input.n_read > before) {
		pace_pay(&in->pace, in->input.n_read - before);
		intake_awaits(in);
		return 1;
	}
	if (rc == -ENOMEM)
		return failure_set(f, ERROR_MEMORY, "no memory for what %s sends", c->who);
	if (rc != -EAGAIN)
		return lost(in, client_why(c, -rc), f);
	if (mono_ms() - in->heard_ms >= CLIENT_SILENCE_MS)
		return failure_set(f, ERROR_DEADLINE, "%s %s has not said anything for %d s",
				   c->who, c->url, CLIENT_SILENCE_MS / 1000);
	if (ms)
		clients_wait(&c, 1, ms);
	return 0;
}
