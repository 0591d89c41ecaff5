# SPDX-License-Identifier: BSD-3-Clause
"""A dataplane on one core between sources and a target at the speed of memory (tools/pktgen)."""
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time

import processes

MEMIF = "net_memif0,role=%s,socket=%s,socket-abstract=no"
LOADS = (("SET, 64 bytes", ()),
         ("SET, 16 bytes", ("--value=16",)),
         ("SET, 1 KB", ("--value=1024", "--block=16384")),
         ("mixed, 16 to 200 bytes",
          ("--mix=set=4,incr=2,hset=1,rpush=1,mset=1,del=1", "--value=16-200")))


class Url:
    def __init__(self, port):
        self.url = "redis://10.98.0.1:%d" % port


class Generator:
    """tools/pktgen on the last core."""

    def __init__(self, build, socket, words):
        program = os.path.join(build, "tools", "pktgen", "pktgen")
        self.process = subprocess.Popen(
            [program, "--nic=" + MEMIF % ("server", socket), "--addr=10.98.0.1/24", "--idle=spin",
             "--json", *words],
            stdout=subprocess.PIPE, text=True, preexec_fn=self._prepare)
        if not self.process.stdout.readline():
            raise RuntimeError("pktgen ends with %d" % self.process.wait())
        self.objects = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    @staticmethod
    def _prepare():
        processes.die_with_parent()
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    def _read(self):
        for line in self.process.stdout:
            self.objects.put(json.loads(line))

    def next(self):
        """The sums of the next second."""
        return self.objects.get(timeout=30)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)


def load(bench, words):
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        socket = os.path.join(folder, "memif")
        generator = Generator(bench.build, socket, words)
        sync = bench.sync(Url(6379), Url(6400), "--cores=0", "--preflight=no", "--net=dpdk",
                          "--nic=" + MEMIF % ("client", socket), "--addr=10.98.0.2/24",
                          "--idle=spin")
        while not generator.next()["applied"]:
            pass
        sync.find()
        dataplane = sync.pid_of("flyover-dataplane")
        generator.next()  # warm
        first, cpu, began = generator.next(), processes.cpu_seconds(dataplane), time.monotonic()
        for _ in range(bench.sizes["pktgen_s"]):
            last = generator.next()
        cpu, seconds = processes.cpu_seconds(dataplane) - cpu, time.monotonic() - began
        figures = {name: last[name] - value for name, value in first.items()}
        sync.stop()
        generator.stop()
    n = figures["applied"]
    return {"per_s": n / figures["seconds"], "per_cpu_s": n / cpu, "cpu_us": cpu / n * 1e6,
            "cpu_share": cpu / seconds, "stream_mb_s": figures["stream_bytes"] / figures["seconds"] / 1e6,
            "transaction": n / figures["transactions"],
            "frames_per_s": (figures["frames_in"] + figures["frames_out"]) / figures["seconds"],
            "generator_busy": figures["busy_seconds"] / figures["seconds"]}


def pktgen(bench):
    if not os.path.exists(os.path.join(bench.build, "tools", "pktgen", "pktgen")):
        return None
    return {name: load(bench, words) for name, words in LOADS}


def print_pktgen(f):
    print("\nOne core of a dataplane over memif, stream to a target that keeps nothing")
    if f is None:
        print("left out: built without DPDK")
        return
    print("%-32s %s" % ("", " ".join("%22s" % name for name in f)))
    rows = (("commands/s", "per_s", "%22.0f", 1),
            ("commands a CPU second", "per_cpu_s", "%22.0f", 1),
            ("CPU a command, us", "cpu_us", "%22.3f", 1),
            ("its thread had of its core", "cpu_share", "%21.0f%%", 100),
            ("stream, MB/s", "stream_mb_s", "%22.0f", 1),
            ("commands a transaction", "transaction", "%22.0f", 1),
            ("frames/s, both ways", "frames_per_s", "%22.0f", 1),
            ("the generator was busy", "generator_busy", "%21.0f%%", 100))
    for label, field, form, factor in rows:
        print("%-32s %s" % (label, " ".join(form % (side[field] * factor)
                                            for side in f.values())))
