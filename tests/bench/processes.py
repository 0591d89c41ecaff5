# SPDX-License-Identifier: BSD-3-Clause
"""Servers and our programs as child processes, and what they cost the machine."""
import ctypes
import glob
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import resp

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LIBC = ctypes.CDLL(None)
TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def read_text(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:  # it ended meanwhile
        return ""


def cpu_seconds(pid):
    """User and system time of all threads of a process, to the nanosecond where the kernel tells."""
    total = 0
    for path in glob.glob("/proc/%d/task/*/schedstat" % pid):
        fields = read_text(path).split()
        total += int(fields[0]) if fields else 0
    if total:
        return total / 1e9
    fields = read_text("/proc/%d/stat" % pid).rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def peak_bytes(pid):
    for line in read_text("/proc/%d/status" % pid).splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


def parent_of(pid):
    fields = read_text("/proc/%d/stat" % pid).rpartition(")")[2].split()
    return int(fields[1]) if fields else 0


def descendants():
    """{pid: name of its executable} of everything below this process."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        pid = up = int(entry)
        while up > 1 and up != os.getpid():
            up = parent_of(up)
        if up == os.getpid() and pid != up:
            try:
                found[pid] = os.path.basename(os.readlink("/proc/%d/exe" % pid))
            except OSError:
                pass
    return found


class Server:
    """A redis-server on a free port of the loopback, without persistence.

    @param here  the address at which our programs reach it
    """

    OPTIONS = ["--save", "", "--appendonly", "no", "--enable-debug-command", "yes",
               "--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0",
               "--repl-diskless-load", "disabled", "--repl-backlog-size", "64mb",
               "--client-output-buffer-limit", "replica 0 0 0", "--latency-tracking", "no",
               "--protected-mode", "no"]  # a TAP device is not the loopback

    def __init__(self, folder, name, here="127.0.0.1"):
        self.here = here
        self.dir = os.path.join(folder, name)
        os.makedirs(self.dir)
        self.port = free_port()
        self.log = open(os.path.join(self.dir, "log"), "w")
        self.process = subprocess.Popen(
            ["redis-server", "--bind", *{"127.0.0.1", here}, "--port", str(self.port), "--dir", self.dir]
            + self.OPTIONS, stdout=self.log, stderr=self.log, preexec_fn=die_with_parent)
        self.pid = self.process.pid
        deadline = time.monotonic() + 30
        while True:
            try:
                self.client = resp.Client(self.port)
                self.client("PING")
                break
            except (OSError, resp.Refused):
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise RuntimeError("redis-server does not start, see " + self.log.name)
                time.sleep(0.01)

    @property
    def url(self):
        return "redis://%s:%d" % (self.here, self.port)

    def cpu(self):
        """Its own CPU seconds and those of children that have ended: the writers of snapshots."""
        fields = read_text("/proc/%d/stat" % self.pid).rpartition(")")[2].split()
        ended = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK") if fields else 0.0
        return cpu_seconds(self.pid) + ended

    def offset(self):
        return int(self.client.info("replication")["master_repl_offset"])

    def stop(self):
        self.client.close()
        self.process.kill()
        self.process.wait()
        self.log.close()


class Cost:
    """What the processes of a run have cost: CPU seconds and peak memory by program."""

    def __init__(self):
        self.pids = {}
        self.cpu = {}
        self.peak = {}

    def sample(self):
        for pid in self.pids:
            self.cpu[pid] = max(cpu_seconds(pid), self.cpu.get(pid, 0.0))
            self.peak[pid] = max(peak_bytes(pid), self.peak.get(pid, 0))

    def look(self):
        self.pids.update({p: n for p, n in descendants().items() if n.startswith("flyover")})

    def of(self, name, table):
        return sum(value for pid, value in table.items() if self.pids[pid] == name)


class Sync:
    """`flyover sync SOURCE TARGET --json`, and the cost of its three processes."""

    def __init__(self, build, folder, source, target, *options):
        state = tempfile.mkdtemp(prefix="state-", dir=folder)
        self.errors = open(os.path.join(state, "stderr"), "w+")
        if "--state-dir" not in options:
            options += ("--state-dir", os.path.join(state, "link"))
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [os.path.join(build, "flyover"), "sync", source.url, target.url, "--json",
             *options],
            stdout=subprocess.PIPE, stderr=self.errors, text=True, preexec_fn=die_with_parent)
        self.objects = queue.Queue()
        self.last = {}
        self.cost = Cost()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.objects.put(json.loads(line))
        self.objects.put(None)

    def wait_for(self, likes, deadline_s=300):
        """Wait for a progress object that the function likes."""
        deadline = time.monotonic() + deadline_s
        while True:
            progress = self.objects.get(timeout=max(0.1, deadline - time.monotonic()))
            if progress is None:
                self.errors.seek(0)
                raise RuntimeError("flyover ended early: " + self.errors.read())
            self.last = progress
            if likes(progress):
                return progress

    def wait_applied(self, source):
        """Wait until all that the source has written is in the target."""
        goal = source.offset()
        self.wait_for(lambda p: p["phase"] == "stream" and p["frontier_offset"] >= goal)

    def find(self):
        """Learn the pids; all three programs run once the link streams."""
        self.cost.look()
        self.cost.sample()

    def pid_of(self, name):
        return next(pid for pid, found in self.cost.pids.items() if found == name)

    def run_to_end(self):
        """Wait for the exit, looking at the cost every 10 ms. @return seconds since the start"""
        while self.process.poll() is None:
            if "flyover-dataplane" not in self.cost.pids.values():
                self.cost.look()
            self.cost.sample()
            time.sleep(0.01)
        ended = time.monotonic()
        if self.process.returncode:
            self.errors.seek(0)
            raise RuntimeError("flyover ends with %d: %s" % (self.process.returncode,
                                                             self.errors.read()))
        return ended - self.began

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.errors.close()


class Folder:
    """A temporary folder, and the end of every process that was started meanwhile."""

    def __enter__(self):
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)
        self.path = tempfile.mkdtemp(prefix="flyover-bench-")
        return self.path

    def __exit__(self, *why):
        for pid in descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.path, ignore_errors=True)
