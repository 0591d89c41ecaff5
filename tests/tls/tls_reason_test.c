// SPDX-License-Identifier: BSD-3-Clause
// Each way in which TLS does not come about, and the sentence that names it.
#include "tests/tls/rig.h"

#include <errno.h>

// Connect, fail, and say this.
static void fails(struct rig *r, const struct tls_settings *set, const char *words)
{
	rig_connect(r, set);
	rig_await(r, STREAM_OPEN | STREAM_FAILED);
	if (r->stream->flags & STREAM_OPEN)
		fail_msg("it opened, and should have said '%s'", words);
	if (!strstr(stream_why(r->stream, r->stream->error), words))
		fail_msg("said '%s', not '%s'", stream_why(r->stream, r->stream->error), words);
	rig_free(r);
}

static void server_fails(const char *certificate, const char *words)
{
	struct tls_settings set = rig_settings();
	fails(rig_new(certificate), &set, words);
}

// ---- The server's certificate -----------------------------------------------------------------

static void an_unknown_ca_is_named(void **state)
{
	server_fails("stranger", "issued by 'Other CA', a CA that is not trusted here; give that "
				 "CA's certificate with tls-ca");
}

static void an_expired_certificate_is_dated(void **state)
{
	char day[16];
	time_t then = time(NULL) - 10 * DAY_S;
	strftime(day, sizeof(day), "%Y-%m-%d", gmtime(&then));
	server_fails("expired", "its certificate ('old') expired at ");
	server_fails("expired", day);
	server_fails("expired", "UTC (notAfter); renew it");
}

static void an_early_certificate_is_dated(void **state)
{
	server_fails("early", "its certificate ('young') is valid from ");
	server_fails("early", "(notBefore); look at the clocks of both");
}

static void an_expired_ca_is_told_from_its_certificates(void **state)
{
	struct tls_settings set = rig_settings();
	set.ca = pem("old-ca.crt");
	fails(rig_new("of-old-ca"), &set, "the certificate of its CA ('Old CA') expired at ");
}

static void names_of_a_wrong_certificate_are_listed(void **state)
{
	struct tls_settings set = rig_settings();
	server_fails("elsewhere", "its certificate is for a.example, 10.1.2.3 and not for "
				  "'localhost'; name one of them with tls-server-name");
	server_fails("many", "the-first-of-many.example, the-second-of-many.example and 2 more and "
			     "not for");
	set.name = "10.9.9.9";
	fails(rig_new("elsewhere"), &set, "and not for '10.9.9.9'");
}

static void a_name_of_a_stranger_does_not_move_the_terminal(void **state)
{
	server_fails("nameless", "its certificate is for only?[31mred and not for");
}

static void a_certificate_by_itself_is_told_so(void **state)
{
	server_fails("alone", "signed by itself alone and not trusted here; give it with tls-ca");
}

static void a_certificate_for_clients_is_no_servers(void **state)
{
	server_fails("client-only", "not for servers (extendedKeyUsage)");
}

static void a_server_without_a_name_is_not_verified(void **state)
{
	struct tls_settings set = rig_settings();
	set.name = "";
	fails(rig_new("server"), &set, "needs tls-server-name");
}

// ---- Our own files ----------------------------------------------------------------------------

static void files_fail(const char *ca, const char *cert, const char *key, const char *words)
{
	struct tls_settings set = rig_settings();
	set.ca = ca;
	set.cert = cert;
	set.key = key;
	fails(rig_new("server"), &set, words);
}

static void files_of_ours_are_named(void **state)
{
	const char *ca = pem("ca.crt"), *cert = pem("client.crt"), *key = pem("client.key");
	files_fail(pem("none"), NULL, NULL, "/none, cannot be read: No such file");
	files_fail(key, NULL, NULL, "client.key, holds no certificate in PEM");
	files_fail(ca, pem("none"), key, "the file of tls-cert, ");
	files_fail(ca, key, key, "the file of tls-cert, ");
	files_fail(ca, cert, pem("none"), "the file of tls-key, ");
	files_fail(ca, cert, NULL, "client.crt, holds no private key in PEM");
	files_fail(ca, cert, pem("server.key"), "server.key does not belong to the certificate ");
	files_fail(ca, cert, pem("locked.key"), "locked.key has a passphrase; ");
	files_fail(ca, NULL, key, "tls-key is set and tls-cert is not; they go together");
}

// ---- What the server says ---------------------------------------------------------------------

// A server of TLS 1.3 judges our certificate when we think that all is well: the reason comes with
// the first read.
static void client_fails(int version, const char *cert, const char *key, const char *words)
{
	struct tls_settings set = rig_settings();
	struct rig *r = rig_new("server");
	char buf[16];
	rig_ask(r, "ca.crt");
	SSL_CTX_set_max_proto_version(r->context, version);
	set.cert = cert;
	set.key = key;
	rig_connect(r, &set);
	rig_await(r, STREAM_OPEN | STREAM_FAILED);
	ssize_t n = -EAGAIN;
	for (int i = 0; i < 100 && r->stream->flags & STREAM_OPEN && n == -EAGAIN; i++) {
		rig_turn(r);
		n = stream_read(r->stream, buf, sizeof(buf));
	}
	assert_int_equal(r->stream->flags & STREAM_OPEN ? n : -r->stream->error, -EPROTO);
	assert_non_null(r->stream->reason);
	if (!strstr(r->stream->reason, words))
		fail_msg("said '%s', not '%s'", r->stream->reason, words);
	rig_free(r);
}

static void a_certificate_of_ours_that_is_missing_is_asked_for(void **state)
{
	const char *words = "it wants a certificate of ours: give one with tls-cert and tls-key";
	client_fails(TLS1_2_VERSION, NULL, NULL, words);
	client_fails(TLS1_3_VERSION, NULL, NULL, words);
}

static void a_certificate_of_ours_that_is_refused_is_described(void **state)
{
	const char *unknown =
		"it refuses our certificate (tls-cert): it does not trust the CA; its "
		"issuer is 'Other CA', its notAfter 2";
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		client_fails(version, pem("stranger.crt"), pem("stranger.key"), unknown);
		client_fails(version, pem("client-old.crt"), pem("client-old.key"),
			     "it refuses our certificate (tls-cert): expired; its issuer is 'Test "
			     "CA'");
	}
}

// The connection breaks as we write, and what the server had to say lies there unread.
static void last_words_are_read_when_a_write_breaks(void **state)
{
	struct tls_settings set = rig_settings();
	struct rig *r = rig_new("server");
	struct iovec iov = {"PING\r\n", 6};
	rig_ask(r, "ca.crt");
	rig_connect(r, &set);
	rig_await(r, STREAM_OPEN | STREAM_FAILED);
	assert_true(r->stream->flags & STREAM_OPEN);
	rig_turn(r);
	r->broken = EPIPE;
	assert_int_equal(stream_writev(r->stream, &iov, 1), -EPROTO);
	assert_non_null(strstr(r->stream->reason, "it wants a certificate of ours"));
	rig_free(r);
}

static void old_protocols_are_refused(void **state)
{
	struct tls_settings set = rig_settings();
	struct rig *r = rig_new("server");
	SSL_CTX_set_security_level(r->context, 0);
	SSL_CTX_set_min_proto_version(r->context, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(r->context, TLS1_1_VERSION);
	fails(r, &set, "it speaks neither TLS 1.2 nor 1.3; look at its tls-protocols");
}

static void no_common_cipher_is_told_so(void **state)
{
	struct tls_settings set = rig_settings();
	struct rig *r = rig_new("server");
	SSL_CTX_set_max_proto_version(r->context, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(r->context, "ECDHE-RSA-AES128-GCM-SHA256"); // its key is no RSA key
	fails(r, &set, "it shares no cipher with us");
}

static void a_plain_server_is_told_so(void **state)
{
	static const char *const greetings[] = {"-ERR unknown command\r\n",
						"HTTP/1.1 400 Bad Request\r\n", "+PONG\r\n", "\n"};
	for (unsigned i = 0; i < sizeof(greetings) / sizeof(greetings[0]); i++) {
		struct tls_settings set = rig_settings();
		struct rig *r = rig_new(NULL);
		r->greeting = greetings[i];
		r->cut = true;
		fails(r, &set,
		      "it does not speak TLS on this port: give its TLS port, or redis://");
	}
}

static void a_server_that_hangs_up_is_told_so(void **state)
{
	struct tls_settings set = rig_settings();
	struct rig *r = rig_new(NULL);
	r->cut = true;
	fails(r, &set, "it closed the connection as TLS began");
	r = rig_new(NULL);
	r->greeting = "\x16\x03\x03\x10";
	r->cut = true;
	fails(r, &set, "it closed the connection within the handshake of TLS");
}

// For whoever gives up waiting.
static void silence_has_a_reason(void **state)
{
	struct tls_settings set = rig_settings();
	struct rig *r = rig_new(NULL);
	rig_connect(r, &set);
	for (int i = 0; i < 100; i++)
		rig_turn(r);
	assert_int_equal(r->stream->flags, 0);
	assert_non_null(strstr(r->stream->reason, "it has not answered in TLS; "));
	rig_free(r);
}

static void what_the_inner_stream_says_is_passed_on(void **state)
{
	struct tls_settings set = rig_settings();
	struct rig *r = rig_new(NULL);
	r->refuses = true;
	fails(r, &set, "Connection refused");
}

// ---- And what does work -----------------------------------------------------------------------

static void opens(struct rig *r, const struct tls_settings *set)
{
	rig_connect(r, set);
	rig_await(r, STREAM_OPEN | STREAM_FAILED);
	if (r->stream->flags & STREAM_FAILED)
		fail_msg("%s", stream_why(r->stream, r->stream->error));
	assert_null(r->stream->reason);
	rig_free(r);
}

static void what_is_well_opens(void **state)
{
	struct tls_settings set = rig_settings();
	opens(rig_new("server"), &set);
	set.name = "127.0.0.1";
	opens(rig_new("server"), &set);
	set.name = "10.1.2.3";
	opens(rig_new("elsewhere"), &set);
	set.name = "a.example";
	opens(rig_new("elsewhere"), &set);
}

static void a_certificate_can_be_trusted_by_itself(void **state)
{
	struct tls_settings set = rig_settings();
	set.ca = pem("alone.crt");
	opens(rig_new("alone"), &set);
	set.ca = pem("stranger.crt"); // whose CA nobody knows
	opens(rig_new("stranger"), &set);
}

static void nothing_is_verified_where_the_user_says_so(void **state)
{
	struct tls_settings set = {.verify = false};
	opens(rig_new("expired"), &set);
	opens(rig_new("stranger"), &set);
	set.name = "elsewhere.example";
	opens(rig_new("server"), &set);
}

static void a_certificate_of_ours_is_taken(void **state)
{
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct tls_settings set = rig_settings();
		struct rig *r = rig_new("server");
		rig_ask(r, "ca.crt");
		SSL_CTX_set_min_proto_version(r->context, version);
		SSL_CTX_set_max_proto_version(r->context, version);
		set.cert = pem("client.crt");
		set.key = pem("client.key");
		rig_connect(r, &set);
		rig_await(r, STREAM_OPEN | STREAM_FAILED);
		while (!SSL_is_init_finished(r->server))
			rig_turn(r);
		assert_int_equal(SSL_version(r->server), version);
		X509 *ours = SSL_get1_peer_certificate(r->server);
		assert_non_null(ours);
		X509_free(ours);
		rig_free(r);
	}
}

// RFC 6066 3: a name is sent, an address is not.
static void names_are_sent_and_addresses_are_not(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct tls_settings set = rig_settings();
		struct rig *r = rig_new("server");
		set.name = i ? "127.0.0.1" : "localhost";
		rig_connect(r, &set);
		rig_await(r, STREAM_OPEN | STREAM_FAILED);
		const char *sent = SSL_get_servername(r->server, TLSEXT_NAMETYPE_host_name);
		if (i)
			assert_null(sent);
		else
			assert_string_equal(sent, "localhost");
		rig_free(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unknown_ca_is_named),
		cmocka_unit_test(an_expired_certificate_is_dated),
		cmocka_unit_test(an_early_certificate_is_dated),
		cmocka_unit_test(an_expired_ca_is_told_from_its_certificates),
		cmocka_unit_test(names_of_a_wrong_certificate_are_listed),
		cmocka_unit_test(a_name_of_a_stranger_does_not_move_the_terminal),
		cmocka_unit_test(a_certificate_by_itself_is_told_so),
		cmocka_unit_test(a_certificate_for_clients_is_no_servers),
		cmocka_unit_test(a_server_without_a_name_is_not_verified),
		cmocka_unit_test(files_of_ours_are_named),
		cmocka_unit_test(a_certificate_of_ours_that_is_missing_is_asked_for),
		cmocka_unit_test(a_certificate_of_ours_that_is_refused_is_described),
		cmocka_unit_test(last_words_are_read_when_a_write_breaks),
		cmocka_unit_test(old_protocols_are_refused),
		cmocka_unit_test(no_common_cipher_is_told_so),
		cmocka_unit_test(a_plain_server_is_told_so),
		cmocka_unit_test(a_server_that_hangs_up_is_told_so),
		cmocka_unit_test(silence_has_a_reason),
		cmocka_unit_test(what_the_inner_stream_says_is_passed_on),
		cmocka_unit_test(what_is_well_opens),
		cmocka_unit_test(a_certificate_can_be_trusted_by_itself),
		cmocka_unit_test(nothing_is_verified_where_the_user_says_so),
		cmocka_unit_test(a_certificate_of_ours_is_taken),
		cmocka_unit_test(names_are_sent_and_addresses_are_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
