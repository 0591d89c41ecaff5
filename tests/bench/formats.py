# SPDX-License-Identifier: BSD-3-Clause
"""Files and copies: decode, dump, scan and restore, each beside what servers and redis-cli do."""
import os
import statistics
import subprocess
import time

import processes
import resp

MB = 1e6
POLL_S = 0.005


class Failed(Exception):
    """A program of the bench ended with an error."""


def run(argv, folder, stdin=None, stdout=None):
    """Run a program to its end. @return {seconds, cpu_s with its children's, peak_mb of itself}"""
    with open(os.path.join(folder, "stderr"), "w+") as errors, \
            open(stdin or os.devnull, "rb") as given, open(stdout or os.devnull, "wb") as taken:
        began = time.monotonic()
        process = subprocess.Popen(argv, stdin=given, stdout=taken, stderr=errors)
        peak = 0
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            peak = max(peak, processes.peak_bytes(process.pid))
            time.sleep(POLL_S)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise Failed("%s ends with %d: %s" % (" ".join(argv), process.returncode,
                                                  errors.read()[-500:]))
    return {"seconds": seconds, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mb": peak / 2**20}


def median(runs):
    return {name: statistics.median(one[name] for one in runs) for name in runs[0]}


# -- files ------------------------------------------------------------------------------------

def pipeline(client, wires):
    """Send commands that each have one reply, some at a time."""
    batch = []
    for wire in wires:
        batch.append(wire)
        if len(batch) == 500:
            send_batch(client, batch)
            batch = []
    send_batch(client, batch)


def send_batch(client, batch):
    client.send(b"".join(batch))
    for _ in batch:
        client.read()


def small_wires(n):
    noise = os.urandom(16 * n).hex()
    return (resp.encode("SET", "key:%d" % i, noise[32 * i:32 * i + 32]) for i in range(n))


def packed_wires(n):
    """Hashes, sorted sets and lists of 50 to 100 small elements."""
    for i in range(n):
        size, noise = 50 + i % 51, os.urandom(500).hex()
        items = [noise[10 * k:10 * k + 8 + k % 3] for k in range(size)]
        if i % 3 == 0:
            words = [w for k, item in enumerate(items) for w in ("field:%d" % k, item)]
            yield resp.encode("HSET", "hash:%d" % i, *words)
        elif i % 3 == 1:
            words = [w for k, item in enumerate(items) for w in (k * 7 + i % 1000, item)]
            yield resp.encode("ZADD", "zset:%d" % i, *words)
        else:
            yield resp.encode("RPUSH", "list:%d" % i, *items)


def lzf_wires(n):
    """JSON-like text of 1 to 4 KB."""
    for i in range(n):
        rows = "".join('{"id":%d,"name":"user %d","active":true,"score":%d},' % (
            i + k, i * 7 + k, i * k % 997) for k in range(80))
        yield resp.encode("SET", "json:%d" % i, rows[:1024 + i * 37 % 3072])


def make_file(bench, name, wires, *config):
    """Let a server write an RDB. @return the file's path"""
    server = bench.server()
    server.client("CONFIG", "SET", "hash-max-listpack-entries", 128, *config)
    pipeline(server.client, wires)
    server.client("SAVE")
    path = os.path.join(bench.folder, name + ".rdb")
    os.rename(os.path.join(server.dir, "dump.rdb"), path)
    server.stop()
    return path


# -- decode -----------------------------------------------------------------------------------

def decoders(bench, path):
    flyover = [os.path.join(bench.build, "flyover"), "decode", path]
    reader = os.path.join(bench.build, "tests", "bench", "rdb_read")
    return {"redis-check-rdb": ["redis-check-rdb", path], "reader": [reader, path],
            "reader, elements": [reader, "-e", path],
            "decode keys": flyover + ["--format=keys", "-o", "/dev/null"],
            "decode jsonl": flyover + ["--format=jsonl", "-o", "/dev/null"],
            "decode --report": flyover + ["--report"]}


def decode_one(bench, path):
    """By turns, so that a drift of the machine meets all."""
    runs = {name: [] for name in decoders(bench, path)}
    for _ in range(min(3, bench.sizes["turns"])):
        for name, argv in decoders(bench, path).items():
            runs[name].append(run(argv, bench.folder))
    size = os.path.getsize(path)
    figures = {name: median(found) for name, found in runs.items()}
    for f in figures.values():
        f["mb_per_s"] = size / MB / f["seconds"]
        f["mb_per_cpu_s"] = size / MB / f["cpu_s"]
    return {"file_mb": size / MB, "programs": figures}


def decode(bench):
    n = bench.sizes["file_mb"] * 1000
    files = {"small strings": ("small", small_wires(bench.sizes["keys"])),
             "listpacks": ("packed", packed_wires(n * 4 // 5), "rdbcompression", "no"),
             "LZF": ("lzf", lzf_wires(n), "rdbcompression", "yes")}
    return {label: decode_one(bench, make_file(bench, *made)) for label, made in files.items()}


# -- dump, scan, restore ----------------------------------------------------------------------

def copied(bench, argv, target, n, **where):
    """A program that fills a target, which must then hold n keys. @return figures"""
    cpu = target.cpu()
    figures = run(argv, bench.folder, **where)
    figures["target_cpu_s"] = target.cpu() - cpu
    arrived = target.client("DBSIZE")
    if arrived != n:
        raise Failed("%s brought %d keys of %d" % (" ".join(argv[:2]), arrived, n))
    figures["keys_per_s"] = n / figures["seconds"]
    target.client("FLUSHALL")
    return figures


def wait_reaped(server):
    """The child that wrote a snapshot counts once the server has noticed its end."""
    while server.client.info("persistence")["rdb_bgsave_in_progress"] != "0":
        time.sleep(POLL_S)


def dump(bench, source, path):
    flyover = os.path.join(bench.build, "flyover")
    runs = {"redis-cli --rdb": ["redis-cli", "-p", str(source.port), "--rdb", path],
            "flyover dump": [flyover, "dump", source.url, "-o", path]}
    figures = {}
    for name, argv in runs.items():
        cpu = source.cpu()
        figures[name] = run(argv, bench.folder)
        wait_reaped(source)
        figures[name]["source_cpu_s"] = source.cpu() - cpu
        figures[name]["file_mb"] = os.path.getsize(path) / MB
        if name != "flyover dump":
            os.unlink(path)
    return figures


def server_loads(path, target, n):
    """A server reading the file itself, without what its start takes."""
    inside = os.path.join(target.dir, "dump.rdb")
    os.link(path, inside)
    cpu, began = target.cpu(), time.monotonic()
    target.client("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH")
    seconds, spent = time.monotonic() - began, target.cpu() - cpu
    arrived = target.client("DBSIZE")
    if arrived != n:
        raise Failed("the server loaded %d keys of %d" % (arrived, n))
    os.unlink(inside)
    return {"seconds": seconds, "cpu_s": 0.0, "target_cpu_s": spent, "peak_mb": 0.0,
            "keys_per_s": n / seconds}


def checks(bench, source, target, n):
    """Two servers that hold the same."""
    figures = {}
    for mode in ("full", "length", "keys"):
        cpu = source.cpu()
        figures[mode] = run([os.path.join(bench.build, "flyover"), "check", source.url, target.url,
                             "--mode=" + mode], bench.folder)
        figures[mode]["source_cpu_s"] = source.cpu() - cpu
        figures[mode]["keys_per_s"] = n / figures[mode]["seconds"]
    return figures


def copies(bench):
    """The same keys by every way into the same target."""
    flyover, n = os.path.join(bench.build, "flyover"), bench.sizes["keys"]
    source, target = bench.server(), bench.server()
    pipeline(source.client, small_wires(n))
    path, words = (os.path.join(bench.folder, name) for name in ("copy.rdb", "copy.resp"))
    figures = {"keys": n, "dump": dump(bench, source, path)}
    made = run([flyover, "decode", path, "--format=resp", "-o", words], bench.folder)
    piped = copied(bench, ["redis-cli", "-p", str(target.port), "--pipe"], target, n, stdin=words)
    os.unlink(words)
    state = os.path.join(bench.folder, "state-copies")
    cpu = source.cpu()
    figures["scan"] = copied(bench, [flyover, "scan", source.url, target.url, "--state-dir", state],
                             target, n)
    figures["scan"]["source_cpu_s"] = source.cpu() - cpu
    figures["restore"] = copied(bench, [flyover, "restore", path, target.url], target, n)
    figures["server"] = server_loads(path, target, n)
    figures["check"] = checks(bench, source, target, n)
    figures["pipe"] = dict(piped, made_s=made["seconds"], made_cpu_s=made["cpu_s"])
    source.stop()
    target.stop()
    return figures


# -- memory -----------------------------------------------------------------------------------

def memory(bench):
    """One sorted set, bigger than anybody wants to hold."""
    path = os.path.join(bench.folder, "zset.rdb")
    flyover = os.path.join(bench.build, "flyover")
    run([os.path.join(bench.build, "tests", "bench", "formats_zset"), str(bench.sizes["members"]),
         path], bench.folder)
    figures = {"members": bench.sizes["members"], "file_mb": os.path.getsize(path) / MB}
    for form in ("keys", "jsonl"):
        figures[form] = run([flyover, "decode", path, "--format=" + form, "-o", "/dev/null"],
                            bench.folder)
    os.unlink(path)
    return figures


def formats(bench):
    return {"decode": decode(bench), "copies": copies(bench), "memory": memory(bench)}


# -- what is printed --------------------------------------------------------------------------

def print_decode(files):
    for label, f in files.items():
        check = f["programs"]["redis-check-rdb"]
        print("\nDecode, %s: a file of %.0f MB" % (label, f["file_mb"]))
        print("%-24s %12s %12s %12s %10s %8s" % ("", "MB/s", "MB/CPU s", "x check-rdb", "CPU s",
                                                 "peak MB"))
        for name, one in f["programs"].items():
            print("%-24s %12.0f %12.0f %12.2f %10.3f %8.1f" % (
                name, one["mb_per_s"], one["mb_per_cpu_s"], check["cpu_s"] / one["cpu_s"],
                one["cpu_s"], one["peak_mb"]))


def print_copies(f):
    print("\nDump of %d keys" % f["keys"])
    print("%-32s %10s %10s %12s" % ("", "seconds", "CPU s", "source CPU s"))
    for name, one in f["dump"].items():
        print("%-32s %10.2f %10.3f %12.2f" % (name, one["seconds"], one["cpu_s"],
                                              one["source_cpu_s"]))
    print("\nThe same keys into an empty target")
    print("%-32s %10s %10s %10s %10s %12s %12s" % ("", "keys/s", "of pipe", "seconds", "CPU s",
                                                   "target CPU s", "source CPU s"))
    rows = (("redis-cli --pipe of SETs", "pipe"), ("flyover scan", "scan"),
            ("flyover restore", "restore"), ("the server loads the file", "server"))
    for label, name in rows:
        one = f[name]
        print("%-32s %10.0f %9.0f%% %10.2f %10.2f %12.2f %12s" % (
            label, one["keys_per_s"], 100 * one["keys_per_s"] / f["pipe"]["keys_per_s"],
            one["seconds"], one["cpu_s"], one["target_cpu_s"],
            "%.2f" % one["source_cpu_s"] if "source_cpu_s" in one else "-"))
    print("(flyover decode --format=resp took %.2f s before the pipe)" % f["pipe"]["made_s"])


def print_checks(f, n):
    print("\nCheck of %d keys that are equal on both sides" % n)
    print("%-32s %10s %10s %10s %12s" % ("", "keys/s", "seconds", "CPU s", "source CPU s"))
    for mode, one in f.items():
        print("%-32s %10.0f %10.2f %10.2f %12.2f" % ("--mode=" + mode, one["keys_per_s"],
                                                    one["seconds"], one["cpu_s"],
                                                    one["source_cpu_s"]))


def print_memory(f):
    print("\nDecode of one sorted set of %d members, %.0f MB" % (f["members"], f["file_mb"]))
    for form in ("keys", "jsonl"):
        one = f[form]
        print("%-24s %10.1f MB peak %10.2f s %10.2f CPU s" % (form, one["peak_mb"], one["seconds"],
                                                              one["cpu_s"]))


def print_formats(f):
    print_decode(f["decode"])
    print_copies(f["copies"])
    print_checks(f["copies"]["check"], f["copies"]["keys"])
    print_memory(f["memory"])
