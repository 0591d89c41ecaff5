// SPDX-License-Identifier: BSD-3-Clause
// Why TLS does not come about, as the rest of a sentence that begins with the server. Each names
// the field that is wrong and what mends it; the first reason found is kept, as what follows from
// it says less.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "drivers/tls/tls_priv.h"

#define NAME_TEXT_LEN  64
#define NAMES_TEXT_LEN 96

__attribute__((format(printf, 2, 3))) static void tell(struct tls *t, const char *format, ...)
{
	va_list args;
	if (t->reason[0])
		return;
	va_start(args, format);
	vsnprintf(t->reason, sizeof(t->reason), format, args);
	va_end(args);
}

// ---- Fields of a certificate ------------------------------------------------------------------

// What a stranger wrote must not move the terminal that shows it.
static void text_tame(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

// The common name, else all of it.
static const char *name_text(const X509_NAME *name, char out[NAME_TEXT_LEN])
{
	if (X509_NAME_get_text_by_NID((X509_NAME *)name, NID_commonName, out, NAME_TEXT_LEN) <= 0)
		X509_NAME_oneline(name, out, NAME_TEXT_LEN);
	text_tame(out);
	return out;
}

const char *tls_time_text(const ASN1_TIME *at, char out[TLS_TIME_LEN])
{
	struct tm tm;
	if (!ASN1_TIME_to_tm(at, &tm) || !strftime(out, TLS_TIME_LEN, "%Y-%m-%d %H:%M:%S UTC", &tm))
		snprintf(out, TLS_TIME_LEN, "an unreadable time");
	return out;
}

static void general_name_put(const GENERAL_NAME *g, char out[NAME_TEXT_LEN])
{
	out[0] = 0;
	if (g->type == GEN_DNS) {
		snprintf(out, NAME_TEXT_LEN, "%.*s", ASN1_STRING_length(g->d.dNSName),
			 (const char *)ASN1_STRING_get0_data(g->d.dNSName));
	} else if (g->type == GEN_IPADD) {
		char *text = i2s_ASN1_OCTET_STRING(NULL, g->d.iPAddress); // "0A:00:00:01"
		unsigned a, b, c, d;
		if (text && ASN1_STRING_length(g->d.iPAddress) == 4 &&
		    sscanf(text, "%x:%x:%x:%x", &a, &b, &c, &d) == 4)
			snprintf(out, NAME_TEXT_LEN, "%u.%u.%u.%u", a, b, c, d);
		else
			snprintf(out, NAME_TEXT_LEN, "%s", text ? text : "");
		OPENSSL_free(text);
	}
	text_tame(out);
}

// The names that the certificate holds: "a.example, 10.0.0.1 and 3 more".
static void names_put(const X509 *cert, char out[NAMES_TEXT_LEN])
{
	GENERAL_NAMES *list = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int n = list ? sk_GENERAL_NAME_num(list) : 0, left = n;
	size_t at = 0;
	out[0] = 0;
	for (int i = 0; i < n; i++, left--) {
		char one[NAME_TEXT_LEN];
		general_name_put(sk_GENERAL_NAME_value(list, i), one);
		if (at + strlen(one) + 20 >= NAMES_TEXT_LEN)
			break;
		if (one[0])
			at += (size_t)snprintf(out + at, NAMES_TEXT_LEN - at, "%s%s",
					       at ? ", " : "", one);
	}
	if (left)
		snprintf(out + at, NAMES_TEXT_LEN - at, "%s%d more", at ? " and " : "", left);
	if (!n)
		name_text(X509_get_subject_name(cert), out);
	GENERAL_NAMES_free(list);
}

// ---- The server's certificate -----------------------------------------------------------------

// Times of the certificate at hand, which is the server's or one above it.
static void tell_time(struct tls *t, const X509 *cert, int depth, bool over)
{
	char name[NAME_TEXT_LEN], at[TLS_TIME_LEN];
	const ASN1_TIME *end = over ? X509_get0_notAfter(cert) : X509_get0_notBefore(cert);
	name_text(X509_get_subject_name(cert), name);
	tls_time_text(end, at);
	if (over)
		tell(t, "%s ('%s') expired at %s (notAfter); renew it",
		     depth ? "the certificate of its CA" : "its certificate", name, at);
	else
		tell(t, "%s ('%s') is valid from %s on (notBefore); look at the clocks of both",
		     depth ? "the certificate of its CA" : "its certificate", name, at);
}

static void tell_names(struct tls *t, const X509 *cert)
{
	char names[NAMES_TEXT_LEN];
	names_put(cert, names);
	tell(t,
	     "its certificate is for %s and not for '%.60s'; name one of them with tls-server-name",
	     names, t->name);
}

static void tell_issuer(struct tls *t, const X509 *cert)
{
	char issuer[NAME_TEXT_LEN];
	tell(t,
	     "its certificate was issued by '%s', a CA that is not trusted here; give that CA's "
	     "certificate with tls-ca",
	     name_text(X509_get_issuer_name(cert), issuer));
}

static void tell_other(struct tls *t, const X509 *cert, int error)
{
	char name[NAME_TEXT_LEN] = "?";
	if (cert)
		name_text(X509_get_subject_name(cert), name);
	tell(t, "its certificate ('%s') does not do: %s", name,
	     X509_verify_cert_error_string(error));
}

void tls_reason_verify(struct tls *t, X509_STORE_CTX *found)
{
	const X509 *cert = X509_STORE_CTX_get_current_cert(found);
	int error = X509_STORE_CTX_get_error(found), depth = X509_STORE_CTX_get_error_depth(found);
	if (!cert) {
		tell_other(t, cert, error);
		return;
	}
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		tell_time(t, cert, depth, error == X509_V_ERR_CERT_HAS_EXPIRED);
		break;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		tell_names(t, cert);
		break;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		tell_issuer(t, cert);
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		tell(t, "its certificate is signed by itself alone and not trusted here; give it "
			"with tls-ca");
		break;
	case X509_V_ERR_INVALID_PURPOSE:
		tell(t, "its certificate is not for servers (extendedKeyUsage)");
		break;
	default:
		tell_other(t, cert, error);
	}
}

// ---- What the server says ---------------------------------------------------------------------

static void tell_refusal(struct tls *t)
{
	if (t->was_asked && !t->has_cert)
		tell(t, "it wants a certificate of ours: give one with tls-cert and tls-key");
	else if (t->was_asked)
		tell(t, "it refuses the handshake, and perhaps our certificate (tls-cert); its own "
			"log says more");
	else
		tell(t, "it shares no cipher with us: look at its tls-ciphers and "
			"tls-ciphersuites");
}

static void tell_ours(struct tls *t, const char *what)
{
	const X509 *cert = SSL_get_certificate(t->ssl);
	char issuer[NAME_TEXT_LEN] = "?", at[TLS_TIME_LEN] = "?";
	if (cert) {
		name_text(X509_get_issuer_name(cert), issuer);
		tls_time_text(X509_get0_notAfter(cert), at);
	}
	tell(t, "it refuses our certificate (tls-cert): %s; its issuer is '%s', its notAfter %s",
	     what, issuer, at);
}

// Of alerts, RFC 8446 6.2, and what OpenSSL finds by itself.
static void tell_by_reason(struct tls *t, unsigned long error)
{
	switch (ERR_GET_REASON(error)) {
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_WRONG_SSL_VERSION:
		tell(t, "it speaks neither TLS 1.2 nor 1.3; look at its tls-protocols");
		break;
	case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
		tell_refusal(t);
		break;
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
		tell_ours(t, "it does not trust the CA");
		break;
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
		tell_ours(t, "expired");
		break;
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
	case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
		tell_ours(t, ERR_reason_error_string(error));
		break;
	case SSL_R_TLSV1_UNRECOGNIZED_NAME:
		tell(t, "it knows no server '%.60s'; name another with tls-server-name", t->name);
		break;
	default:
		tell(t, "TLS fails: %s", ERR_reason_error_string(error));
	}
}

// RFC 8446 5.1: what answers in TLS begins with a handshake record or an alert.
static bool speaks_tls(const struct tls *t)
{
	return t->first == SSL3_RT_HANDSHAKE || t->first == SSL3_RT_ALERT;
}

void tls_reason_failure(struct tls *t)
{
	unsigned long error = ERR_peek_last_error();
	bool eof = ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
	if (t->heard && !speaks_tls(t))
		tell(t, "it does not speak TLS on this port: give its TLS port, or redis:// for "
			"plain text");
	else if (error && ERR_GET_LIB(error) == ERR_LIB_SSL && !eof)
		tell_by_reason(t, error);
	else if (t->ended && !t->heard)
		tell(t, "it closed the connection as TLS began: perhaps it does not speak TLS on "
			"this port, or its own log says why");
	else if (t->ended && !t->open)
		tell(t, "it closed the connection within the handshake of TLS; its own log says "
			"why");
	else if (error && !eof && !t->wire_error)
		tell(t, "TLS fails: %s", ERR_reason_error_string(error));
}
