// SPDX-License-Identifier: BSD-3-Clause
// The only file that knows hiredis (0.14). Its reader calls back for each item with a pointer into
// its own buffer; for commands we only note where the item lies, so nothing is allocated or copied
// per command; for replies the texts are copied, since that buffer moves.
#include "parsers/resp.h"

#include <errno.h>
#include <hiredis/read.h>
#include <stdio.h>
#include <stdlib.h>

#define ARGS_FIRST 256
#define ITEM_OK    ((void *)1) // hiredis wants something that is not NULL

struct resp_stream {
	redisReader *reader;
	uint64_t fed;       // position after the last byte fed
	uint64_t frame;     // position of the frame at hand
	struct resp_arg *args;
	unsigned n_args, args_max;
	bool wrong_item;    // something that is not a bulk string
	bool no_memory;
	char error[160];
};

static struct resp_stream *stream_of(const redisReadTask *task)
{
	return task->privdata;
}

static void *command_string(const redisReadTask *task, char *p, size_t len)
{
	struct resp_stream *s = stream_of(task);
	if (!task->parent || task->type != REDIS_REPLY_STRING) {
		s->wrong_item = true;
		return ITEM_OK;
	}
	if (s->n_args == s->args_max) {
		struct resp_arg *more = realloc(s->args, 2ull * s->args_max * sizeof(*more));
		s->no_memory = !more;
		if (!more)
			return NULL;
		s->args = more;
		s->args_max *= 2;
	}
	const redisReader *r = s->reader;
	uint64_t position = s->fed - r->len + (uint64_t)(p - r->buf);
	s->args[s->n_args++] = (struct resp_arg){.at = position - s->frame, .len = len};
	return ITEM_OK;
}

static void *command_array(const redisReadTask *task, int elements)
{
	if (task->parent || elements < 1)
		stream_of(task)->wrong_item = true;
	return ITEM_OK;
}

static void *command_integer(const redisReadTask *task, long long v)
{
	stream_of(task)->wrong_item = true;
	return ITEM_OK;
}

static void *command_nil(const redisReadTask *task)
{
	stream_of(task)->wrong_item = true;
	return ITEM_OK;
}

static void item_free(void *item)
{
}

static redisReplyObjectFunctions command_functions = {
	.createString = command_string,
	.createArray = command_array,
	.createInteger = command_integer,
	.createNil = command_nil,
	.freeObject = item_free,
};

int resp_stream_reset(struct resp_stream *s, uint64_t position)
{
	if (s->reader)
		redisReaderFree(s->reader);
	s->reader = redisReaderCreateWithFunctions(&command_functions);
	if (!s->reader)
		return -ENOMEM;
	s->reader->privdata = s;
	s->fed = s->frame = position;
	s->n_args = 0;
	s->wrong_item = s->no_memory = false;
	s->error[0] = 0;
	return 0;
}

struct resp_stream *resp_stream_new(uint64_t position)
{
	struct resp_stream *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->args_max = ARGS_FIRST;
	s->args = malloc(s->args_max * sizeof(*s->args));
	if (!s->args || resp_stream_reset(s, position)) {
		resp_stream_free(s);
		return NULL;
	}
	return s;
}

void resp_stream_free(struct resp_stream *s)
{
	if (!s)
		return;
	if (s->reader)
		redisReaderFree(s->reader);
	free(s->args);
	free(s);
}

int resp_stream_feed(struct resp_stream *s, const char *p, size_t len)
{
	if (redisReaderFeed(s->reader, p, len) != REDIS_OK)
		return -ENOMEM;
	s->fed += len;
	return 0;
}

// Between two items: also when the reader has looked for the next one and found no byte of it.
static bool reader_is_between(const redisReader *r)
{
	return r->ridx == -1 || (r->ridx == 0 && r->rstack[0].type == -1);
}

// A bare newline between frames counts as a byte of the stream and says nothing.
static bool newline_take(struct resp_stream *s, struct resp_frame *f)
{
	redisReader *r = s->reader;
	if (!reader_is_between(r) || r->pos == r->len || r->buf[r->pos] != '\n')
		return false;
	r->pos++;
	*f = (struct resp_frame){.begin = s->frame, .end = s->frame + 1};
	s->frame++;
	return true;
}

static enum resp_verdict stream_bad(struct resp_stream *s, const char *what)
{
	snprintf(s->error, sizeof(s->error), "%s", what);
	return RESP_BAD;
}

enum resp_verdict resp_stream_next(struct resp_stream *s, struct resp_frame *f)
{
	if (newline_take(s, f))
		return RESP_OK;
	redisReader *r = s->reader;
	if (r->ridx == -1)
		s->n_args = 0;
	void *item = NULL;
	if (redisReaderGetReply(r, &item) != REDIS_OK)
		return stream_bad(s, s->no_memory ? "out of memory" : r->errstr);
	if (s->wrong_item)
		return stream_bad(s, "a frame is not an array of bulk strings");
	if (!item)
		return RESP_MORE;
	uint64_t end = s->fed - (r->len - r->pos);
	*f = (struct resp_frame){
		.begin = s->frame, .end = end, .argc = s->n_args, .argv = s->args};
	s->frame = end;
	return RESP_OK;
}

uint64_t resp_stream_position(const struct resp_stream *s)
{
	return s->frame;
}

// hiredis stays behind the '$' of an argument until all of it is there.
uint64_t resp_stream_frame_least(const struct resp_stream *s)
{
	const redisReader *r = s->reader;
	uint64_t so_far = s->fed - (r->len - r->pos) - s->frame;
	if (r->ridx < 0 || r->rstack[r->ridx].type != REDIS_REPLY_STRING)
		return so_far;
	const char *line = r->buf + r->pos, *end = memchr(line, '\r', r->len - r->pos);
	if (!end)
		return so_far;
	return so_far + (uint64_t)(end - line) + 2 +
	       span_digits((struct span){line, (size_t)(end - line)}) + 2;
}

uint64_t resp_stream_frame_argc(const struct resp_stream *s)
{
	const redisReader *r = s->reader;
	return r->ridx > 0 && r->rstack[0].elements > 0 ? (uint64_t)r->rstack[0].elements : 0;
}

uint64_t resp_stream_fed(const struct resp_stream *s)
{
	return s->fed;
}

const char *resp_stream_error(const struct resp_stream *s)
{
	return s->error;
}

// ---- Replies

struct resp_replies {
	redisReader *reader;
	struct resp_value *values; // text.p holds an offset into texts until the reply is whole
	unsigned n_values, values_max;
	char *texts;
	size_t n_texts, texts_max;
};

static struct resp_value *value_add(const redisReadTask *task)
{
	struct resp_replies *r = task->privdata;
	if (r->n_values == r->values_max) {
		unsigned max = r->values_max ? 2 * r->values_max : 64;
		struct resp_value *more = realloc(r->values, max * sizeof(*more));
		if (!more)
			return NULL;
		r->values = more;
		r->values_max = max;
	}
	struct resp_value *v = &r->values[r->n_values++];
	*v = (struct resp_value){.type = (enum resp_type)task->type};
	return v;
}

static void *reply_string(const redisReadTask *task, char *p, size_t len)
{
	struct resp_replies *r = task->privdata;
	struct resp_value *v = value_add(task);
	if (!v)
		return NULL;
	if (r->n_texts + len + 1 > r->texts_max) {
		size_t max = 2 * (r->n_texts + len + 1) + 256;
		char *more = realloc(r->texts, max);
		if (!more)
			return NULL;
		r->texts = more;
		r->texts_max = max;
	}
	if (len)
		memcpy(r->texts + r->n_texts, p, len);
	r->texts[r->n_texts + len] = 0;
	v->text = (struct span){(const char *)r->n_texts, len};
	r->n_texts += len + 1;
	return ITEM_OK;
}

static void *reply_array(const redisReadTask *task, int elements)
{
	struct resp_value *v = value_add(task);
	if (!v)
		return NULL;
	v->elements = (unsigned)elements;
	return ITEM_OK;
}

static void *reply_integer(const redisReadTask *task, long long integer)
{
	struct resp_value *v = value_add(task);
	if (!v)
		return NULL;
	v->integer = integer;
	return ITEM_OK;
}

static void *reply_nil(const redisReadTask *task)
{
	struct resp_value *v = value_add(task);
	if (!v)
		return NULL;
	v->type = RESP_NIL;
	return ITEM_OK;
}

static redisReplyObjectFunctions reply_functions = {
	.createString = reply_string,
	.createArray = reply_array,
	.createInteger = reply_integer,
	.createNil = reply_nil,
	.freeObject = item_free,
};

struct resp_replies *resp_replies_new(void)
{
	struct resp_replies *r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->reader = redisReaderCreateWithFunctions(&reply_functions);
	if (!r->reader) {
		free(r);
		return NULL;
	}
	r->reader->privdata = r;
	return r;
}

void resp_replies_free(struct resp_replies *r)
{
	if (!r)
		return;
	redisReaderFree(r->reader);
	free(r->values);
	free(r->texts);
	free(r);
}

int resp_replies_feed(struct resp_replies *r, const char *p, size_t len)
{
	return redisReaderFeed(r->reader, p, len) == REDIS_OK ? 0 : -ENOMEM;
}

enum resp_verdict resp_replies_next(struct resp_replies *r, const struct resp_value **v,
				    unsigned *n)
{
	if (r->reader->ridx == -1) {
		r->n_values = 0;
		r->n_texts = 0;
	}
	void *item = NULL;
	if (redisReaderGetReply(r->reader, &item) != REDIS_OK)
		return RESP_BAD;
	if (!item)
		return RESP_MORE;
	for (unsigned i = 0; i < r->n_values; i++)
		if (r->texts) // there may be no text at all
			r->values[i].text.p = r->texts + (size_t)r->values[i].text.p;
	*v = r->values;
	*n = r->n_values;
	return RESP_OK;
}
