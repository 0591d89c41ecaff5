// SPDX-License-Identifier: BSD-3-Clause
// What a socket of the kernel gets beyond its address.
#include "drivers/socket.h"

#include <netinet/tcp.h>

#include "tests/unit/peer.h"

// What a kernel lacks keeps nobody from connecting.
static void socket_has_what_the_kernel_gives(void **state)
{
	static const char *const names[] = {[STREAM_CUBIC] = "cubic", [STREAM_BBR] = "bbr"};
	struct peer_listener l = peer_listen(true);
	assert_int_equal(socket_congestion_try(STREAM_CONGESTION_HOST), 0);
	for (enum stream_congestion c = STREAM_CONGESTION_HOST; c <= STREAM_BBR; c++) {
		struct stream_peer at = {.host = "127.0.0.1", .port = l.port, .congestion = c};
		char name[16] = "";
		socklen_t len = sizeof(name);
		int fd;
		assert_int_equal(socket_connect(&at, &fd), 0);
		assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
		if (c != STREAM_CONGESTION_HOST && !socket_congestion_try(c))
			assert_string_equal(name, names[c]);
		close(fd);
	}
	close(l.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(socket_has_what_the_kernel_gives),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
