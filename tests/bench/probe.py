# SPDX-License-Identifier: BSD-3-Clause
"""How long a write takes from a source to its target."""
import gc
import time

import resp

VALUE = "x" * 64


def probe(source, target, n):
    """n SETs on the source, one at a time, each timed until the target's keyspace event says that
    it is there. @return {"p50_us", "p99_us", "p999_us"}"""
    target.client("CONFIG", "SET", "notify-keyspace-events", "K$")
    ear = resp.Client(target.port)
    ear("SUBSCRIBE", "__keyspace@0__:bench:probe")
    mouth = resp.Client(source.port)
    wire = resp.encode("SET", "bench:probe", VALUE)
    delays = []
    gc.disable()
    for _ in range(n):
        began = time.perf_counter_ns()
        mouth.send(wire)
        ear.read()
        delays.append((time.perf_counter_ns() - began) / 1000)
        mouth.read()
    gc.enable()
    ear.close()
    mouth.close()
    target.client("CONFIG", "SET", "notify-keyspace-events", "")
    delays.sort()
    return {name: delays[min(n - 1, int(n * share))]
            for name, share in (("p50_us", 0.5), ("p99_us", 0.99), ("p999_us", 0.999))}
