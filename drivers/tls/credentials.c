// SPDX-License-Identifier: BSD-3-Clause
// tls_credentials() -> trust_load(), identity_load()
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/err.h>

#include "drivers/tls/tls_priv.h"

static bool is_set(const char *text)
{
	return text && *text;
}

// @return 0, or -1 with why
static int file_check(const char *what, const char *path, bool *folder, char *why)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = fd < 0 || fstat(fd, &st) ? errno : 0;
	if (fd >= 0)
		close(fd);
	*folder = !error && S_ISDIR(st.st_mode);
	if (error)
		snprintf(why, TLS_TEXT_LEN, "the file of %s, %s, cannot be read: %s", what, path,
			 strerror(error));
	return error ? -1 : 0;
}

static int trust_load(SSL_CTX *c, const char *ca, char *why)
{
	bool folder;
	if (!is_set(ca)) {
		SSL_CTX_set_default_verify_paths(c);
		return 0;
	}
	if (file_check("tls-ca", ca, &folder, why))
		return -1;
	if (!(folder ? SSL_CTX_load_verify_dir(c, ca) : SSL_CTX_load_verify_file(c, ca))) {
		snprintf(why, TLS_TEXT_LEN, "the file of tls-ca, %s, holds no certificate in PEM",
			 ca);
		return -1;
	}
	// Who names an intermediate CA, or the server's own certificate, means that one.
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(c), X509_V_FLAG_PARTIAL_CHAIN);
	return 0;
}

// Nobody is there to type it.
static int passphrase_refuse(char *buf, int size, int writes, void *asked)
{
	*(bool *)asked = true;
	return 0;
}

static int key_load(SSL_CTX *c, const char *key, const char *cert, char *why)
{
	bool asked = false;
	SSL_CTX_set_default_passwd_cb(c, passphrase_refuse);
	SSL_CTX_set_default_passwd_cb_userdata(c, &asked);
	int loaded = SSL_CTX_use_PrivateKey_file(c, key, SSL_FILETYPE_PEM);
	SSL_CTX_set_default_passwd_cb_userdata(c, NULL);
	int reason = ERR_GET_REASON(ERR_peek_last_error());
	if (loaded == 1 && SSL_CTX_check_private_key(c) == 1)
		return 0;
	if (asked)
		snprintf(why, TLS_TEXT_LEN,
			 "the key %s has a passphrase; `openssl pkey -in KEY -out NEW` writes it "
			 "without, keep that at mode 0600",
			 key);
	else if (loaded == 1 || reason == X509_R_KEY_VALUES_MISMATCH)
		snprintf(why, TLS_TEXT_LEN, "the key %s does not belong to the certificate %s", key,
			 cert);
	else
		snprintf(why, TLS_TEXT_LEN, "the file of tls-key, %s, holds no private key in PEM",
			 key);
	return -1;
}

static int identity_load(SSL_CTX *c, const char *cert, const char *key, char *why)
{
	bool folder;
	if (!is_set(cert) && !is_set(key))
		return 0;
	if (!is_set(cert)) {
		snprintf(why, TLS_TEXT_LEN, "tls-key is set and tls-cert is not; they go together");
		return -1;
	}
	if (file_check("tls-cert", cert, &folder, why))
		return -1;
	if (SSL_CTX_use_certificate_chain_file(c, cert) != 1) {
		snprintf(why, TLS_TEXT_LEN, "the file of tls-cert, %s, holds no certificate in PEM",
			 cert);
		return -1;
	}
	if (!is_set(key))
		key = cert;
	if (file_check("tls-key", key, &folder, why))
		return -1;
	return key_load(c, key, cert, why);
}

SSL_CTX *tls_credentials(const struct tls_settings *set, char *why)
{
	ERR_clear_error();
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());
	if (!c) {
		snprintf(why, TLS_TEXT_LEN, "OpenSSL cannot begin: %s",
			 ERR_reason_error_string(ERR_peek_last_error()));
		return NULL;
	}
	SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
	SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(c, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	int rc = set->verify ? trust_load(c, set->ca, why) : 0;
	rc = rc ? rc : identity_load(c, set->cert, set->key, why);
	ERR_clear_error();
	if (!rc)
		return c;
	SSL_CTX_free(c);
	return NULL;
}

int tls_look(const struct tls_settings *set, char *text)
{
	SSL_CTX *c = tls_credentials(set, text);
	if (!c)
		return -1;
	const char *trust = !set->verify       ? "no verification"
			    : !is_set(set->ca) ? "the system's CA certificates"
					       : set->ca;
	char until[TLS_TIME_LEN];
	const X509 *cert = SSL_CTX_get0_certificate(c);
	if (cert)
		snprintf(text, TLS_TEXT_LEN, "%s, and our certificate %s, notAfter %s", trust,
			 set->cert, tls_time_text(X509_get0_notAfter(cert), until));
	else
		snprintf(text, TLS_TEXT_LEN, "%s, and no certificate of ours", trust);
	bool over = cert && X509_cmp_current_time(X509_get0_notAfter(cert)) < 0;
	if (over)
		snprintf(text, TLS_TEXT_LEN, "our certificate %s expired at %s (notAfter)",
			 set->cert, until);
	SSL_CTX_free(c);
	return over ? -1 : 0;
}
