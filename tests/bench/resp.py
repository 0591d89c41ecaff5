# SPDX-License-Identifier: BSD-3-Clause
"""A client of just enough RESP for the benchmarks; nothing but the standard library."""
import socket


class Refused(Exception):
    """The server answered with an error."""


def encode(*args):
    """One command as it goes over the wire."""
    parts = [a if isinstance(a, bytes) else str(a).encode() for a in args]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


class Client:
    """A blocking connection to a server of the loopback."""

    def __init__(self, port, timeout=120):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")

    def send(self, wire):
        self.socket.sendall(wire)

    def read(self):
        """The next reply: bytes, int, None or a list."""
        line = self.reader.readline()
        if not line:
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            raise Refused(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.reader.read(int(rest) + 2)[:-2]
        return [self.read() for _ in range(int(rest))]

    def __call__(self, *args):
        self.send(encode(*args))
        return self.read()

    def info(self, section):
        text = self("INFO", section).decode()
        return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)

    def close(self):
        self.reader.close()
        self.socket.close()
