# SPDX-License-Identifier: BSD-3-Clause
"""What tools/demo shows, once everything is installed and built."""
import json
import os
import random
import signal
import subprocess
import sys
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), ".."))
sys.path.insert(0, os.path.join(TOP, "tests", "bench"))
sys.dont_write_bytecode = True
import processes  # noqa: E402
import resp  # noqa: E402
from probe import probe  # noqa: E402

BUILD = os.path.join(TOP, "build")
LIVE_S = 15
WRITES_PER_S = 20000

# Data of every type, made inside the server: quick, and the sync does not care.
LOAD = """
for i = 1, 200000 do redis.call('SET', 'user:'..i, 'name-'..i..'-'..redis.sha1hex(i)) end
for i = 1, 20000 do
  redis.call('HSET', 'profile:'..i, 'city', 'c'..i % 97, 'age', i % 90, 'visits', i)
  redis.call('SET', 'session:'..i, redis.sha1hex(i), 'EX', 36000 + i)
  redis.call('SADD', 'tags:'..i % 500, 't'..i, i)
  redis.call('ZADD', 'scores:'..i % 200, i * 1.5, 'player-'..i)
  redis.call('RPUSH', 'queue:'..i % 300, 'job-'..i, i)
  redis.call('XADD', 'events:'..i % 50, i..'-1', 'kind', i % 7, 'who', i)
  redis.call('PFADD', 'visitors:'..i % 20, i)
  redis.call('SETBIT', 'seen:'..i % 30, i, 1)
  redis.call('GEOADD', 'places', i % 180 / 1.5, i % 85, 'place-'..i)
end
for i = 0, 49 do redis.call('XGROUP', 'CREATE', 'events:'..i, 'workers', '0') end
"""
LIBRARY = "#!lua name=demo\nredis.register_function('hello', function() return 'hello' end)\n"


def say(text):
    print("\n== " + text, flush=True)


def load(server):
    server.client("EVAL", LOAD, 0)
    server.client("FUNCTION", "LOAD", LIBRARY)
    for i in range(20):
        server.client("XREADGROUP", "GROUP", "workers", "worker", "COUNT", 30, "STREAMS",
                      "events:%d" % i, ">")
    server.client("SELECT", 5)
    server.client("EVAL", "for i = 1, 5000 do redis.call('SET', 'five:'..i, i) end", 0)
    server.client("SELECT", 0)


def write(i):
    """The i-th live write."""
    key = random.randrange(20000)
    return (("SET", "user:%d" % key, "written-%d" % i), ("INCR", "hits:%d" % (key % 100)),
            ("HINCRBY", "profile:%d" % key, "visits", 1), ("LPUSH", "queue:%d" % (key % 300), i),
            ("LTRIM", "queue:%d" % (key % 300), 0, 200), ("ZINCRBY", "scores:%d" % (key % 200), 1, "p"),
            ("SADD", "tags:%d" % (key % 500), "w%d" % key), ("DEL", "session:%d" % key),
            ("XADD", "events:%d" % (key % 50), "MAXLEN", "~", 1000, "*", "write", i),
            ("SET", "session:%d" % key, i, "EX", 3600))[i % 10]


def live_writer(port):
    """A child process that writes WRITES_PER_S commands a second until SIGTERM. @return its pid"""
    pid = os.fork()
    if pid:
        return pid
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    processes.die_with_parent()
    client = resp.Client(port)
    batch, i, due = WRITES_PER_S // 100, 0, time.monotonic()
    while not stop:
        client.send(b"".join(resp.encode(*write(i + k)) for k in range(batch)))
        for _ in range(batch):
            client.read()
        i += batch
        due += 0.01
        time.sleep(max(0.0, due - time.monotonic()))
    os._exit(0)


class Link:
    """`flyover sync` on our terminal, asked by `flyover status` how it goes."""

    def __init__(self, folder, source, target):
        self.state = os.path.join(folder, "link")
        self.source = source
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "flyover"), "sync", source.url, target.url, "--state-dir",
             self.state], preexec_fn=processes.die_with_parent)

    def status(self):
        """The link's figures, or {} while there are none."""
        if self.process.poll() is not None:
            raise RuntimeError("flyover sync ended with %d" % self.process.returncode)
        asked = subprocess.run(
            [os.path.join(BUILD, "flyover"), "status", "--json", "--socket",
             os.path.join(self.state, "flyoverd.sock")], capture_output=True, text=True)
        links = json.loads(asked.stdout).get("links") if asked.returncode == 0 else None
        return links[0] if links else {}

    def wait_applied(self, deadline_s=60):
        """Until all that the source has written is in the target. @return the figures then"""
        goal, deadline = self.source.offset(), time.monotonic() + deadline_s
        while time.monotonic() < deadline:
            status = self.status()
            if status.get("phase") == "stream" and status["frontier_offset"] >= goal:
                return status
            time.sleep(0.1)
        raise RuntimeError("the link does not catch up")

    def drain(self):
        self.process.send_signal(signal.SIGINT)
        if self.process.wait(60):
            raise RuntimeError("flyover sync ended with %d" % self.process.returncode)


def dataplane_pid():
    return next(p for p, name in processes.descendants().items() if name == "flyover-dataplane")


def watch(link, source, target):
    """Let the link stream under the live writes. @return its figures over that time"""
    first = link.wait_applied()
    pid = dataplane_pid()
    cpu, began = processes.cpu_seconds(pid), time.monotonic()
    time.sleep(LIVE_S)
    last = link.status()
    seconds, cpu = time.monotonic() - began, processes.cpu_seconds(pid) - cpu
    n = last["commands"] - first["commands"]
    return {"per_s": n / seconds, "us": cpu / max(1, n) * 1e6, "delay": probe(source, target, 2000),
            "peak_mb": processes.peak_bytes(pid) / 2**20}


def check(source, target):
    """`flyover check --mode=full`. @return True when both hold the same"""
    return subprocess.run([os.path.join(BUILD, "flyover"), "check", source.url, target.url,
                           "--mode=full"]).returncode == 0


def demo(folder):
    say("two redis-servers, data of every type in the first")
    source, target = processes.Server(folder, "source"), processes.Server(folder, "target")
    load(source)
    print("source %s, target %s, %d keys" % (source.url, target.url, source.client("DBSIZE")))

    say("flyover sync, under %d writes a second" % WRITES_PER_S)
    writer = live_writer(source.port)
    began = time.monotonic()
    link = Link(folder, source, target)
    link.wait_applied()
    caught_up_s = time.monotonic() - began
    figures = watch(link, source, target)
    os.kill(writer, signal.SIGTERM)
    os.waitpid(writer, 0)
    status = link.wait_applied()
    link.drain()

    say("flyover check --mode=full")
    equal = check(source, target)

    say("summary")
    delay = figures["delay"]
    for label, value in (
            ("keys of the snapshot", "%d" % status["keys"]),
            ("start to caught up", "%.2f s" % caught_up_s),
            ("commands of the stream", "%d, all of them applied" % status["commands"]
             if status["parked"] == 0 else "%d, %d parked" % (status["commands"], status["parked"])),
            ("commands a second", "%.0f" % figures["per_s"]),
            ("delay of a SET", "p50 %d us, p99 %d us" % (delay["p50_us"], delay["p99_us"])),
            ("CPU of the dataplane", "%.2f us a command" % figures["us"]),
            ("memory of the dataplane", "%.1f MB at most" % figures["peak_mb"]),
            ("source and target", "equal" if equal else "DIFFERENT")):
        print("%-26s %s" % (label, value))
    return 0 if equal else 1


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        with processes.Folder() as folder:
            return demo(folder)
    except KeyboardInterrupt:
        return 130
    except RuntimeError as why:
        print("tools/demo: %s" % why, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
