# SPDX-License-Identifier: BSD-3-Clause
"""What it costs to lose nothing: markers, a target that stands still, a restart, the disk."""
import json
import os
import signal
import statistics
import subprocess
import time

import processes
import resp

STALLED_PER_S = 100000
VALUE_LEN = 64
PACED_TURN_S = 0.005


def paced_load(port, per_s):
    """A child process that writes so many small SETs a second, until it is ended. @return pid"""
    pid = os.fork()
    if pid:
        return pid
    processes.die_with_parent()
    client = resp.Client(port)
    batch = int(per_s * PACED_TURN_S)
    wires = [b"".join(resp.encode("SET", "paced:%d" % (i * batch + k), "x" * VALUE_LEN)
                      for k in range(batch)) for i in range(100)]
    due = time.monotonic()
    for turn in range(1 << 62):
        client.send(wires[turn % 100])
        client.reader.read(5 * batch)  # +OK each
        due += PACED_TURN_S
        time.sleep(max(0.0, due - time.monotonic()))
    os._exit(0)


def end_load(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


# -- markers ----------------------------------------------------------------------------------

def markers_once(bench, delivery):
    """CPU a command and rate of a link that empties a backlog."""
    source, target = bench.server(), bench.server()
    sync = bench.sync(source, target, "--delivery=" + delivery)
    source.client("SET", "bench:start", "1")
    sync.wait_applied(source)
    sync.find()
    pid, n = sync.pid_of("flyover-dataplane"), bench.sizes["stream"] // 4
    cpu, target_cpu = processes.cpu_seconds(pid), target.cpu()
    per_s = bench.backlog_of(source, target, pid, n)
    figures = {"per_s": per_s, "dataplane_us": (processes.cpu_seconds(pid) - cpu) / n * 1e6,
               "target_us": (target.cpu() - target_cpu) / n * 1e6}
    sync.stop()
    target.stop()
    source.stop()
    return figures


def markers(bench):
    """With markers and without, in pairs, so that a drift of the machine meets both."""
    runs = {"exactly-once": [], "at-least-once": []}
    turns = bench.sizes["pairs"]
    for turn in range(turns):
        for delivery in sorted(runs, reverse=turn % 2 == 1):
            runs[delivery].append(markers_once(bench, delivery))
    figures = {delivery: {name: statistics.median(run[name] for run in found)
                          for name in found[0]} for delivery, found in runs.items()}
    figures["ratio"] = {name: statistics.median(
        ours[name] / plain[name] for ours, plain in zip(*runs.values()))
        for name in figures["exactly-once"]}
    figures["pairs"] = turns
    return figures


def print_markers(f):
    ours, plain = f["exactly-once"], f["at-least-once"]
    print("\nMarkers: a backlog of pipelined SETs, medians of %d pairs" % f["pairs"])
    print("%-32s %12s %12s %12s" % ("", "with", "without", "ratio"))
    for label, name, form in (("commands/s", "per_s", "%12.0f"),
                              ("dataplane CPU a command, us", "dataplane_us", "%12.3f"),
                              ("target CPU a command, us", "target_us", "%12.3f")):
        print("%-32s %s %s %12.3f" % (label, form % ours[name], form % plain[name],
                                      f["ratio"][name]))


# -- a target that stands still ---------------------------------------------------------------

def memory_bytes(pid, field):
    for line in processes.read_text("/proc/%d/status" % pid).splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def stall(bench):
    """Stop the target under load; what becomes of the source, of memory, and how long it takes."""
    source, target = bench.server(), bench.server()
    sync = bench.sync(source, target)
    sync.wait_applied(source)
    sync.find()
    pid = sync.pid_of("flyover-dataplane")
    loader = paced_load(source.port, STALLED_PER_S)
    try:
        begin = source.offset()
        before = sync.wait_for(lambda p: p["frontier_offset"] >= begin)
        peak, links, written = 0, 1, source.client.info("stats")["total_commands_processed"]
        os.kill(target.pid, signal.SIGSTOP)
        stopped = time.monotonic()
        try:
            while time.monotonic() < stopped + bench.sizes["stall_s"]:
                peak = max(peak, memory_bytes(pid, "VmRSS"))
                links = min(links, int(source.client.info("replication")["connected_slaves"]))
                time.sleep(0.2)
        finally:
            os.kill(target.pid, signal.SIGCONT)
        resumed = time.monotonic()
        goal = source.offset()
        took = int(source.client.info("stats")["total_commands_processed"]) - int(written)
        received = sync.wait_for(lambda p: p["received_offset"] >= goal)["received_offset"]
        after = sync.wait_for(lambda p: p["frontier_offset"] >= goal)
        caught_up = time.monotonic()
    finally:
        end_load(loader)
    figures = {"stopped_s": resumed - stopped, "source_per_s": took / (resumed - stopped),
               "source_stayed_connected": links == 1, "peak_mb": max(peak, memory_bytes(
                   pid, "VmRSS")) / 2**20, "behind_mb": (goal - before["frontier_offset"]) / 2**20,
               "catch_up_s": caught_up - resumed, "parked": after["parked"],
               "received_mb": (received - begin) / 2**20}
    sync.stop()
    target.stop()
    source.stop()
    return figures


def print_stall(f):
    print("\nA target stopped for %.0f s under %d SET/s, the load going on" %
          (f["stopped_s"], STALLED_PER_S))
    print("%-32s %12.0f" % ("commands/s that the source took", f["source_per_s"]))
    print("%-32s %12s" % ("source stayed connected",
                          "yes" if f["source_stayed_connected"] else "NO"))
    print("%-32s %12.1f" % ("behind at the end, MB", f["behind_mb"]))
    print("%-32s %12.1f" % ("dataplane peak memory, MB", f["peak_mb"]))
    print("%-32s %12.1f" % ("time to catch up, s", f["catch_up_s"]))


# -- restart ----------------------------------------------------------------------------------

def restart(bench):
    """kill -9 of all three programs, and the time from the next start to the first command."""
    source, target = bench.server(), bench.server()
    state = os.path.join(bench.folder, "state-restart")
    sync = bench.sync(source, target, "--state-dir", state)
    source.client("SET", "bench:start", "1")
    sync.wait_applied(source)
    taken = []
    for turn in range(bench.sizes["restarts"]):
        sync.find()
        for pid in list(sync.cost.pids):
            os.kill(pid, signal.SIGKILL)
        sync.process.wait()
        source.client("SET", "bench:restart", "%d" % turn)
        began = time.monotonic()
        sync = bench.sync(source, target, "--state-dir", state)
        while target.client("GET", "bench:restart") != b"%d" % turn:
            time.sleep(0.0005)
        taken.append(time.monotonic() - began)
        sync.wait_applied(source)
    full = int(source.client.info("stats")["sync_full"])
    sync.stop()
    target.stop()
    source.stop()
    return {"restarts": len(taken), "median_s": statistics.median(taken), "worst_s": max(taken),
            "full_syncs": full - 1}


def print_restart(f):
    print("\nRestart after kill -9 of all three programs, %d times (%d full syncs)" %
          (f["restarts"], f["full_syncs"]))
    print("%-32s %10.3f s" % ("start to first command, median", f["median_s"]))
    print("%-32s %10.3f s" % ("worst", f["worst_s"]))


# -- disk -------------------------------------------------------------------------------------

def spill(bench):
    """The log on disk beside plain O_DIRECT writes and reads of the same size, by turns."""
    program = os.path.join(bench.build, "tests", "bench", "spill")
    said = subprocess.run([program, "-g", str(bench.sizes["spill_mb"] / 1e3),
                           "-n", str(bench.sizes["turns"]), os.path.join(bench.folder, "spill")],
                          check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(said)


def print_spill(f):
    print("\nSpill of %d MB past a window of %d MB: the log beside plain writes and reads\n(%s; "
          "medians of %d turns, with sync)" % (f["mb"], f["window_mb"], f["disk"], f["turns"]))
    print("%-32s %12s %12s %12s" % ("", "plain", "log", "log / plain"))
    for label, name in (("write", "write"), ("read back", "read")):
        plain, ours = f["plain_%s_mb_s" % name], f["log_%s_mb_s" % name]
        print("%-32s %12.0f %12.0f %12.2f" % (label + ", MB/s", plain, ours, f[name + "_ratio"]))
        print("%-32s %12.0f %12.0f" % (label + ", CPU us a MB",
                                       f["plain_%s_cpu_us_per_mb" % name],
                                       f["log_%s_cpu_us_per_mb" % name]))
    print("%-32s %12s %12.0f    (the source gave %.0f of %.0f MB/s)" %
          ("both at once, read back, MB/s", "-", f["both_read_mb_s"], f["both_source_mb_s"],
           f["both_asked_mb_s"]))
    print("%-32s %12s %12.0f" % ("both at once, CPU us a MB", "-", f["both_cpu_us_per_mb"]))
