// SPDX-License-Identifier: BSD-3-Clause
#include "tests/tls/certificates.h"

#include <stdio.h>
#include <stdlib.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define MUST(x)                                                                                    \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static FILE *file_open(const char *folder, const char *file, const char *end, const char *mode)
{
	char path[600];
	snprintf(path, sizeof(path), "%s/%s.%s", folder, file, end);
	FILE *f = fopen(path, mode);
	MUST(f);
	return f;
}

// Nobody sees half a file. @param end  "crt" or "key"
static void file_finish(FILE *f, const char *folder, const char *file, const char *end)
{
	char from[600], to[600];
	MUST(!fclose(f));
	snprintf(from, sizeof(from), "%s/%s.%s.new", folder, file, end);
	snprintf(to, sizeof(to), "%s/%s.%s", folder, file, end);
	MUST(!rename(from, to));
}

static EVP_PKEY *key_read(const char *folder, const char *file)
{
	FILE *f = file_open(folder, file, "key", "r");
	EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	MUST(key);
	fclose(f);
	return key;
}

static X509 *cert_read(const char *folder, const char *file)
{
	FILE *f = file_open(folder, file, "crt", "r");
	X509 *cert = PEM_read_X509(f, NULL, NULL, NULL);
	MUST(cert);
	fclose(f);
	return cert;
}

static void extension_add(X509 *cert, X509 *issuer, int nid, const char *text)
{
	X509V3_CTX context;
	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, text);
	MUST(e);
	MUST(X509_add_ext(cert, e, -1));
	X509_EXTENSION_free(e);
}

static void subject_set(X509 *cert, const struct certificate *c)
{
	X509_NAME *name = X509_get_subject_name(cert);
	MUST(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)c->name,
					-1, -1, 0));
	unsigned char serial[8];
	MUST(RAND_bytes(serial, sizeof(serial)) == 1);
	serial[0] &= 0x7f;
	BIGNUM *n = BN_bin2bn(serial, sizeof(serial), NULL);
	MUST(BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)));
	BN_free(n);
	bool usual = !c->from_s && !c->to_s;
	MUST(X509_gmtime_adj(X509_getm_notBefore(cert), usual ? -DAY_S : c->from_s));
	MUST(X509_gmtime_adj(X509_getm_notAfter(cert), usual ? 10 * DAY_S : c->to_s));
}

static void extensions_set(X509 *cert, X509 *issuer, const struct certificate *c)
{
	extension_add(cert, issuer, NID_basic_constraints,
		      c->is_ca ? "critical,CA:TRUE" : "CA:FALSE");
	extension_add(cert, issuer, NID_subject_key_identifier, "hash");
	if (c->alt)
		extension_add(cert, issuer, NID_subject_alt_name, c->alt);
	if (c->for_clients)
		extension_add(cert, issuer, NID_ext_key_usage, "clientAuth");
}

void certificate_make(const char *folder, const struct certificate *c)
{
	EVP_PKEY *key = EVP_EC_gen("P-256"), *ca_key = key;
	X509 *cert = X509_new(), *issuer = cert;
	MUST(key && cert);
	if (c->ca) {
		ca_key = key_read(folder, c->ca);
		issuer = cert_read(folder, c->ca);
	}
	MUST(X509_set_version(cert, X509_VERSION_3));
	subject_set(cert, c);
	MUST(X509_set_issuer_name(cert, X509_get_subject_name(issuer)));
	MUST(X509_set_pubkey(cert, key));
	extensions_set(cert, issuer, c);
	MUST(X509_sign(cert, ca_key, EVP_sha256()));
	FILE *f = file_open(folder, c->file, "key.new", "w");
	MUST(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
	file_finish(f, folder, c->file, "key");
	f = file_open(folder, c->file, "crt.new", "w");
	MUST(PEM_write_X509(f, cert));
	file_finish(f, folder, c->file, "crt");
	if (c->ca) {
		EVP_PKEY_free(ca_key);
		X509_free(issuer);
	}
	EVP_PKEY_free(key);
	X509_free(cert);
}

void key_lock(const char *folder, const char *file, const char *other)
{
	EVP_PKEY *key = key_read(folder, file);
	FILE *f = file_open(folder, other, "key.new", "w");
	MUST(PEM_write_PrivateKey(f, key, EVP_aes_128_cbc(), (const unsigned char *)"secret", 6,
				  NULL, NULL));
	file_finish(f, folder, other, "key");
	EVP_PKEY_free(key);
}
