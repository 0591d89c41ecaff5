// SPDX-License-Identifier: BSD-3-Clause
// Certificates for tests, made on the spot: PEM files in a folder of the test.
#pragma once

#include <stdbool.h>

#define DAY_S 86400

struct certificate {
	const char *file; // FOLDER/FILE.crt and FOLDER/FILE.key
	const char *name; // common name
	const char *alt;  // "DNS:localhost,IP:127.0.0.1"; NULL: none
	const char *ca;   // FILE of who signs it; NULL: itself
	bool is_ca;
	bool for_clients;  // extendedKeyUsage names clients alone
	long from_s, to_s; // from now on; both 0: since yesterday, for ten days
};

// Make one, on P-256; files that are there are replaced at once, as a renewal does. Aborts on
// error.
void certificate_make(const char *folder, const struct certificate *c);

// The key of FILE once more, behind a passphrase, as OTHER.key.
void key_lock(const char *folder, const char *file, const char *other);
