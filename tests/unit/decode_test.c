// SPDX-License-Identifier: BSD-3-Clause
// What `flyover decode` prints: strings of every kind, and every type that no server at hand
// writes.
#include "tests/unit/decode_rig.h"

// ---- Strings

static void string_shows(struct span value, const char *expected)
{
	char line[512];
	file_begin("REDIS0009");
	key(0, "k");
	rdb_write_plain(&w, value);
	snprintf(line, sizeof(line),
		 "{\"db\":0,\"key\":\"k\",\"type\":\"string\",\"value\":%s}\n", expected);
	shows(file_end(), "jsonl", line);
}

#define STRING_SHOWS(value, expected) string_shows(SPAN_LIT(value), expected)

static void strings_are_json_or_base64(void **state)
{
	STRING_SHOWS("", "\"\"");
	STRING_SHOWS("plain", "\"plain\"");
	STRING_SHOWS("eight by", "\"eight by\"");
	STRING_SHOWS("quote \" and \\ here", "\"quote \\\" and \\\\ here\"");
	STRING_SHOWS("\n\r\t\b\f\x01\x1f\x7f", "\"\\n\\r\\t\\b\\f\\u0001\\u001f\x7f\"");
	STRING_SHOWS("a\0b", "\"a\\u0000b\"");
	STRING_SHOWS("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
		     "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"");
	STRING_SHOWS("\xff", "{\"base64\":\"/w==\"}");
	STRING_SHOWS("ab\xff", "{\"base64\":\"YWL/\"}");
	STRING_SHOWS("abc\xff", "{\"base64\":\"YWJj/w==\"}");
	STRING_SHOWS("long enough, then \xc3", "{\"base64\":\"bG9uZyBlbm91Z2gsIHRoZW4gww==\"}");
	STRING_SHOWS("\xed\xa0\x80", "{\"base64\":\"7aCA\"}"); // a surrogate
	STRING_SHOWS("\xc0\x80", "{\"base64\":\"wIA=\"}");     // not the shortest form
	STRING_SHOWS("\xf4\x90\x80\x80", "{\"base64\":\"9JCAgA==\"}");
	STRING_SHOWS("\xf0\x8f\xbf\xbf", "{\"base64\":\"8I+/vw==\"}");
	STRING_SHOWS("\xe0\x9f\xbf", "{\"base64\":\"4J+/\"}");
}

// Every byte in every place of a string that is taken eight at a time.
static void every_byte_is_escaped_in_every_place(void **state)
{
	for (unsigned c = 0; c < 256; c++) {
		for (size_t at = 0; at < 17; at++) {
			char text[17];
			memset(text, 'x', sizeof(text));
			text[at] = (char)c;
			file_begin("REDIS0009");
			key(0, "k");
			rdb_write_plain(&w, (struct span){text, sizeof(text)});
			struct shown s = decode(file_end(), "jsonl", NULL);
			assert_int_equal(s.rc, 0);
			json_t *o = json_loads(s.text, JSON_ALLOW_NUL, NULL);
			json_t *value = json_object_get(o, "value");
			assert_int_equal(json_is_string(value), c < 0x80);
			if (c < 0x80) {
				assert_int_equal(json_string_length(value), sizeof(text));
				assert_memory_equal(json_string_value(value), text, sizeof(text));
			}
			json_decref(o);
			free(s.text);
		}
	}
}

// Longer than the reader gives in one piece: text or not, it is base64.
static void long_strings_come_in_parts(void **state)
{
	size_t len = 9 * 1024 * 1024 + 1;
	char *text = malloc(len);
	memset(text, 'a', len);
	file_begin("REDIS0009");
	key(0, "big");
	rdb_write_plain(&w, (struct span){text, len});
	key(0, "after");
	STR("it");
	struct span file = file_end();
	struct shown s = decode(file, "jsonl", NULL);
	assert_int_equal(s.rc, 0);
	const char *head = "{\"db\":0,\"key\":\"big\",\"type\":\"string\",\"value\":{\"base64\":\"";
	assert_memory_equal(s.text, head, strlen(head));
	const char *at = s.text + strlen(head);
	for (size_t i = 0; i < len / 3; i++, at += 4)
		assert_memory_equal(at, "YWFh", 4);
	assert_string_equal(at, "YQ==\"}}\n{\"db\":0,\"key\":\"after\",\"type\":\"string\","
				"\"value\":\"it\"}\n");
	assert_true(len % 3 == 1);
	free(s.text);
	s = decode(file, "resp", NULL);
	const char *set = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n"
			  "$8388608\r\naaa";
	assert_memory_equal(s.text, set, strlen(set));
	assert_true(holds(&s, SPAN_LIT("a\r\n*3\r\n$6\r\nAPPEND\r\n$3\r\nbig\r\n$1048577\r\na")));
	free(s.text);
	free(text);
}

// ---- Values

static void keys_show_their_attributes(void **state)
{
	const struct rdb_write_attrs attrs[] = {{1700000000123, -1, -1}, {-1, 77, -1},
						{-1, -1, 200}, {0, -1, -1}};
	file_begin("REDIS0009");
	rdb_write_selectdb(&w, 3);
	for (size_t i = 0; i < 4; i++) {
		rdb_write_key(&w, 0, SPAN_LIT("k"), &attrs[i]);
		STR("1");
	}
	shows(file_end(), "jsonl",
	      "{\"db\":3,\"key\":\"k\",\"type\":\"string\",\"expire_at_ms\":1700000000123,"
	      "\"value\":\"1\"}\n"
	      "{\"db\":3,\"key\":\"k\",\"type\":\"string\",\"idle_s\":77,\"value\":\"1\"}\n"
	      "{\"db\":3,\"key\":\"k\",\"type\":\"string\",\"freq\":200,\"value\":\"1\"}\n"
	      "{\"db\":3,\"key\":\"k\",\"type\":\"string\",\"expire_at_ms\":0,\"value\":\"1\"}\n");
}

static void collections_show_as_arrays(void **state)
{
	collections();
	shows(file_end(), "json",
	      "[\n{\"db\":0,\"key\":\"l\",\"type\":\"list\",\"value\":[\"a\",\"-5\"]},\n"
	      "{\"db\":0,\"key\":\"z\",\"type\":\"zset\",\"value\":[[\"tenth\","
	      "\"0.10000000000000001\"],[\"inf\",\"inf\"],[\"minus\",\"-inf\"],"
	      "[\"whole\",\"12\"],[\"least\",\"-0\"]]},\n"
	      "{\"db\":0,\"key\":\"h\",\"type\":\"hash\",\"value\":[[\"f\",\"v\"],"
	      "[\"g\",\"x\",1005]]},\n"
	      "{\"db\":0,\"key\":\"s\",\"type\":\"set\",\"value\":[]}\n]\n");
	file_begin("REDIS0012");
	shows(file_end(), "json", "[\n]\n");
}

static void collections_become_commands(void **state)
{
	collections();
	shows(file_end(), "resp",
	      "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
	      "*4\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n$1\r\na\r\n$2\r\n-5\r\n"
	      "*12\r\n$4\r\nZADD\r\n$1\r\nz\r\n$19\r\n0.10000000000000001\r\n$5\r\ntenth\r\n"
	      "$3\r\ninf\r\n$3\r\ninf\r\n$4\r\n-inf\r\n$5\r\nminus\r\n$2\r\n12\r\n$5\r\nwhole\r\n"
	      "$2\r\n-0\r\n$5\r\nleast\r\n"
	      "*6\r\n$4\r\nHSET\r\n$1\r\nh\r\n$1\r\nf\r\n$1\r\nv\r\n$1\r\ng\r\n$1\r\nx\r\n"
	      "*6\r\n$10\r\nHPEXPIREAT\r\n$1\r\nh\r\n$4\r\n1005\r\n$6\r\nFIELDS\r\n$1\r\n1\r\n"
	      "$1\r\ng\r\n");
	collections();
	shows(file_end(), "keys", "l\nz\nh\ns\n");
}

static void field_expiries_of_valkey_show(void **state)
{
	file_begin("VALKEY080");
	key(22, "h");
	rdb_write_len(&w, 2);
	STR("f");
	STR("v");
	rdb_write_le64(&w, (uint64_t)-1);
	STR("g");
	STR("x");
	rdb_write_le64(&w, 1234567890123);
	shows(file_end(), "jsonl",
	      "{\"db\":0,\"key\":\"h\",\"type\":\"hash\",\"value\":[[\"f\",\"v\"],"
	      "[\"g\",\"x\",1234567890123]]}\n");
}

static void other_records_show(void **state)
{
	file_begin("REDIS0011");
	rdb_write_aux(&w, SPAN_LIT("redis-ver"), SPAN_LIT("7.2.4"));
	rdb_write_aux(&w, SPAN_LIT("lua"), SPAN_LIT("return 1"));
	rdb_write_function(&w, SPAN_LIT("#!lua name=lib\ncode"));
	BYTES("\xf6\x03lib\x03LUA\x01\x04text\x04" "code");
	rdb_write_resizedb(&w, 1, 0);
	struct span file = file_end();
	shows(file, "jsonl",
	      "{\"type\":\"aux\",\"key\":\"redis-ver\",\"value\":\"7.2.4\"}\n"
	      "{\"type\":\"aux\",\"key\":\"lua\",\"value\":\"return 1\"}\n"
	      "{\"type\":\"function\",\"name\":\"lib\",\"engine\":\"lua\","
	      "\"code\":\"#!lua name=lib\\ncode\"}\n"
	      "{\"type\":\"function\",\"name\":\"lib\",\"engine\":\"LUA\",\"code\":\"code\"}\n");
	shows(file, "resp",
	      "*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$8\r\nreturn 1\r\n"
	      "*4\r\n$8\r\nFUNCTION\r\n$4\r\nLOAD\r\n$7\r\nREPLACE\r\n$19\r\n#!lua "
	      "name=lib\ncode\r\n"
	      "*4\r\n$8\r\nFUNCTION\r\n$4\r\nLOAD\r\n$7\r\nREPLACE\r\n$19\r\n#!LUA "
	      "name=lib\ncode\r\n");
}

// ---- What Redis 8.6 and later write

static void new_streams_show(void **state)
{
	const char *head =
		"{\"db\":0,\"key\":\"s\",\"type\":\"stream\",\"value\":{\"entries\":"
		"[[\"5-1\",[\"n\",\"v\"]]],\"last_id\":\"5-1\",\"first_id\":\"5-1\","
		"\"max_deleted_id\":\"0-0\",\"entries_added\":1,\"groups\":[{\"name\":\"g\","
		"\"last_id\":\"5-1\",\"entries_read\":1,\"pending\":[[\"5-1\",\"c\",3]";
	const char *idmp = "],\"idmp\":{\"duration_s\":60,\"max_entries\":100,\"entries\":"
			   "[[\"prod\",\"iid\",\"5-1\"]]}}}\n";
	char line[1024];
	file_begin("REDIS0013");
	stream(26, "s", 4);
	snprintf(line, sizeof(line), "%s],\"consumers\":[[\"c\",16,17]]}%s", head, idmp);
	shows(file_end(), "jsonl", line);
	file_begin("REDIS0014");
	stream(27, "s", 5);
	snprintf(line, sizeof(line),
		 "%s],\"nacked\":[[\"5-2\",4]],\"consumers\":[[\"c\",16,17]]}%s", head, idmp);
	shows(file_end(), "jsonl", line);
	file_begin("REDIS0014");
	stream(27, "s", 5);
	struct shown s = decode(file_end(), "resp", NULL);
	assert_non_null(strstr(s.text,
			       "*10\r\n$5\r\nXNACK\r\n$1\r\ns\r\n$1\r\ng\r\n$6\r\nSILENT\r\n"
			       "$3\r\nIDS\r\n$1\r\n1\r\n$3\r\n5-2\r\n$10\r\nRETRYCOUNT\r\n"
			       "$1\r\n4\r\n$5\r\nFORCE\r\n"));
	assert_non_null(strstr(s.text, "*5\r\n$11\r\nXIDMPRECORD\r\n$1\r\ns\r\n$4\r\nprod\r\n"
				       "$3\r\niid\r\n$3\r\n5-1\r\n"));
	free(s.text);
}

static void arrays(void)
{
	double half = 0.5;
	file_begin("REDIS0014");
	key(28, "a");
	BYTES("\x04\x01\x07"); // count, cursor
	BYTES("\x00\x01\xfe\xff\xff\xff\xff\xff\xff\xff");
	BYTES("\x05\x02");
	rdb_write_bytes(&w, (struct span){(char *)&half, 8});
	BYTES("\x06\x03\x02hi\x40\x64\x00\x05other");
	key(28, "b");
	BYTES("\x00\x00");
}

static void arrays_show(void **state)
{
	arrays();
	shows(file_end(), "jsonl",
	      "{\"db\":0,\"key\":\"a\",\"type\":\"array\",\"value\":[[0,\"-2\"],[5,\"0.5\"],"
	      "[6,\"hi\"],[100,\"other\"]],\"last_insert\":7}\n"
	      "{\"db\":0,\"key\":\"b\",\"type\":\"array\",\"value\":[]}\n");
	arrays();
	struct shown s = decode(file_end(), "resp", NULL);
	assert_non_null(
		strstr(s.text, "*10\r\n$6\r\nARMSET\r\n$1\r\na\r\n$1\r\n0\r\n$2\r\n-2\r\n"));
	free(s.text);
	file_begin("REDIS0014");
	key(28, "a");
	BYTES("\x01\x00\x00\x09x");
	refuses(file_end(), "unknown tag 9");
}

static void templates(void)
{
	file_begin("REDIS0015");
	BYTES("\xf2\x00\x02\x03" "age\x04name");
	BYTES("\xf2\x07\x01\x01x");
	key(30, "packed");
	BYTES("\x11\x11\0\0\0\x03\0\x00\x01\x2a\x01\x84" "Edij\x05\xff");
	key(32, "table");
	BYTES("\x07\x05value");
	key(32, "again");
	BYTES("\x00\xc0\x05\x03" "Ann");
}

static void hashes_by_template_show(void **state)
{
	templates();
	shows(file_end(), "jsonl",
	      "{\"db\":0,\"key\":\"packed\",\"type\":\"hash\",\"value\":[[\"age\",\"42\"],"
	      "[\"name\",\"Edij\"]]}\n"
	      "{\"db\":0,\"key\":\"table\",\"type\":\"hash\",\"value\":[[\"x\",\"value\"]]}\n"
	      "{\"db\":0,\"key\":\"again\",\"type\":\"hash\",\"value\":[[\"age\",\"5\"],"
	      "[\"name\",\"Ann\"]]}\n");
	templates();
	key(32, "lost");
	BYTES("\x05\x01x");
	refuses(file_end(), "no template has the id 5");
	templates();
	key(30, "short");
	BYTES("\x0b\x0b\0\0\0\x02\0\x00\x01\x2a\x01\xff");
	refuses(file_end(), "fewer values than its template has names");
	templates();
	key(30, "long");
	BYTES("\x0d\x0d\0\0\0\x03\0\x07\x01\x2a\x01\x2b\x01\xff");
	refuses(file_end(), "more values than its template has names");
}

static void modules_and_metadata_are_passed_over(void **state)
{
	file_begin("REDIS0013");
	BYTES("\xf7\x81\xb5\xeb-\xff\xfa\xddl\x01\x02\x01\x02\x01\x05\x03" "aux\x00");
	BYTES("\xf3\x02" "SPEC\x02\x05\x00" "TYPE\x05\x03" "abc\x00"); // KEY_META
	rdb_write_key(&w, 0, SPAN_LIT("k"), &(struct rdb_write_attrs){77, -1, -1});
	STR("v");
	rdb_write_key(&w, 7, SPAN_LIT("m"), &(struct rdb_write_attrs){99, -1, -1});
	BYTES("\x81\xb5\xeb-\xff\xfa\xddl\x01\x02\x05\x03\x00\x00\x80\x3f\x00");
	BYTES("\xf4\x05\x01\x00");
	key(0, "after");
	STR("it");
	struct span file = file_end();
	shows(file, "jsonl",
	      "{\"type\":\"module_aux\",\"module\":\"test__rdb\",\"module_version\":1}\n"
	      "{\"db\":0,\"key\":\"k\",\"type\":\"string\",\"expire_at_ms\":77,\"value\":\"v\"}\n"
	      "{\"db\":0,\"key\":\"m\",\"type\":\"test__rdb\",\"expire_at_ms\":99,"
	      "\"module_version\":1,\"value\":null}\n"
	      "{\"db\":0,\"key\":\"after\",\"type\":\"string\",\"value\":\"it\"}\n");
	shows(file, "keys", "k\nm\nafter\n");
	struct shown s = decode(file, "resp", NULL);
	assert_true(holds(&s, SPAN_LIT("*4\r\n$7\r\nRESTORE\r\n$1\r\nm\r\n$1\r\n0\r\n"
				       "$28\r\n\x07\x81")));
	assert_true(holds(&s, SPAN_LIT("PEXPIREAT\r\n$1\r\nm\r\n$2\r\n99\r\n")));
	free(s.text);
}

static void commands_between_keys_show(void **state)
{
	file_begin("VALKEY081");
	BYTES("\xf2*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\r\n\r\n");
	rdb_write_selectdb(&w, 2);
	BYTES("\xf2*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n");
	struct span file = file_end();
	shows(file, "jsonl",
	      "{\"type\":\"command\",\"db\":0,\"offset\":10,\"args\":[\"SET\",\"k\",\"\\r\\n\"]}\n"
	      "{\"type\":\"command\",\"db\":2,\"offset\":41,\"args\":[\"DEL\",\"k\"]}\n");
	shows(file, "resp",
	      "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\r\n\r\n"
	      "*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n");
	file_begin("VALKEY081");
	BYTES("\xf2*1\r\nx3\r\nSET\r\n");
	refuses(file_end(), "command: impossible encoding");
}

static void newer_versions_are_read_as_far_as_they_are_known(void **state)
{
	file_begin("REDIS0099");
	key(0, "k");
	STR("v");
	struct shown s = decode(file_end(), "jsonl", NULL);
	assert_int_equal(s.rc, 0);
	assert_true(s.d.newer);
	free(s.text);
	file_begin("REDIS0099");
	key(0, "k");
	STR("v");
	key(50, "from\ntomorrow");
	STR("?");
	refuses(file_end(), "key \"from?tomorrow\": unknown value type 50 in an RDB of version 99 "
			    "(at byte 14 of the RDB)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_json_or_base64),
		cmocka_unit_test(every_byte_is_escaped_in_every_place),
		cmocka_unit_test(long_strings_come_in_parts),
		cmocka_unit_test(keys_show_their_attributes),
		cmocka_unit_test(collections_show_as_arrays),
		cmocka_unit_test(collections_become_commands),
		cmocka_unit_test(field_expiries_of_valkey_show),
		cmocka_unit_test(other_records_show),
		cmocka_unit_test(new_streams_show),
		cmocka_unit_test(arrays_show),
		cmocka_unit_test(hashes_by_template_show),
		cmocka_unit_test(modules_and_metadata_are_passed_over),
		cmocka_unit_test(commands_between_keys_show),
		cmocka_unit_test(newer_versions_are_read_as_far_as_they_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
