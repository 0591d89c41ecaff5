# SPDX-License-Identifier: BSD-3-Clause
"""What TLS costs a link: the stream of the part `stream` in plain text, and in TLS 1.3 on either side.

The load always comes in plain text, so that all that differs is the link's own connections.
"""
import os
import subprocess

import processes

SIDES = (("plain", False, False), ("source", True, False), ("target", False, True),
         ("both", True, True))


class TlsServer(processes.Server):
    """A server with a port for TLS beside the plain one, which `url` names."""

    def __init__(self, folder, name, here, certificates):
        self.tls_port = processes.free_port()
        self.OPTIONS = processes.Server.OPTIONS + [
            "--tls-port", str(self.tls_port), "--tls-auth-clients", "no",
            "--tls-cert-file", os.path.join(certificates, "server.crt"),
            "--tls-key-file", os.path.join(certificates, "server.key"),
            "--tls-ca-cert-file", os.path.join(certificates, "server.crt")]
        super().__init__(folder, name, here)

    @property
    def url(self):
        return "rediss://%s:%d" % (self.here, self.tls_port)


def certificates_make(folder, here):
    """A certificate that is its own CA. @return the folder it lies in"""
    place = os.path.join(folder, "certificates")
    os.makedirs(place, exist_ok=True)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=bench", "-addext", "subjectAltName=IP:" + here,
         "-keyout", os.path.join(place, "server.key"), "-out", os.path.join(place, "server.crt")],
        check=True, stderr=subprocess.DEVNULL)
    return place


def server(bench, encrypted, certificates):
    if not encrypted:
        return bench.server()
    bench.n_servers += 1
    return TlsServer(bench.folder, "server-%d" % bench.n_servers, bench.net.here, certificates)


def stream_in(bench, source_tls, target_tls, certificates):
    source = server(bench, source_tls, certificates)
    target = server(bench, target_tls, certificates)
    ca = os.path.join(certificates, "server.crt")
    trust = [option + ca for option, on in (("--source-tls-ca=", source_tls),
                                            ("--target-tls-ca=", target_tls)) if on]
    sync = bench.sync(source, target, *trust)
    source.client("SET", "bench:start", "1")
    sync.wait_applied(source)
    sync.find()
    dataplane = sync.pid_of("flyover-dataplane")
    figures = bench.stream_of(source, target, {"dataplane": dataplane})
    figures["backlog_per_s"] = bench.backlog_of(source, target, dataplane)
    figures["peak_mb"] = processes.peak_bytes(dataplane) / 2**20
    sync.stop()
    target.stop()
    source.stop()
    return figures


def tls(bench):
    certificates = certificates_make(bench.folder, bench.net.here)
    figures = {"commands": bench.sizes["stream"]}
    for name, source_tls, target_tls in SIDES:
        figures[name] = stream_in(bench, source_tls, target_tls, certificates)
    return figures


def print_tls(f):
    print("\nStream of %d pipelined SETs, TLS 1.3 on these sides" % f["commands"])
    print("%-32s %s" % ("", " ".join("%12s" % name for name, _, _ in SIDES)))
    rows = (("commands/s, load running", "per_s", "%12.0f"),
            ("commands/s, emptying a backlog", "backlog_per_s", "%12.0f"),
            ("dataplane CPU a command, us", "dataplane_us_per_command", "%12.3f"),
            ("target CPU a command, us", "target_us_per_command", "%12.3f"),
            ("source CPU a command, us", "source_us_per_command", "%12.3f"),
            ("dataplane peak memory, MB", "peak_mb", "%12.1f"))
    for label, field, form in rows:
        print("%-32s %s" % (label, " ".join(form % f[name][field] for name, _, _ in SIDES)))
