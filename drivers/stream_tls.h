// SPDX-License-Identifier: BSD-3-Clause
// TLS over the streams of another loop, whichever that is. A peer that asks for no TLS gets a
// stream of that loop itself, whose calls never come here.
//
// A stream is open once the handshake is done and the server's certificate has been found good;
// until then its `reason` says that it is TLS that is waited for.
#pragma once

#include "drivers/stream.h"

// What loop_new() cannot make: it knows no loop to lie over. See stream_tls_new().
extern const struct stream_ops stream_tls;

// @param inner  the new loop's from now on
// @param out    to free by its loop_free(), which frees the inner one as well
// @return 0, or -ENOMEM; the inner loop is the caller's then
int stream_tls_new(struct stream_loop *inner, struct stream_loop **out);
