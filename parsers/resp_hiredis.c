// SPDX-License-Identifier: BSD-3-Clause
// The only file that knows hiredis (0.14). Its reader calls back for each item with a pointer into
// its own buffer; the texts are copied, since that buffer moves.
#include "parsers/resp.h"

#include <errno.h>
#include <hiredis/read.h>
#include <stdlib.h>

#define ITEM_OK ((void *)1) // hiredis wants something that is not NULL

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

static void item_free(void *item)
{
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
