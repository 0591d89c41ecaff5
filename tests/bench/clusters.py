# SPDX-License-Identifier: BSD-3-Clause
"""A cluster into another one: rate and cost beside what the targets take by themselves, and how long
a failover on either side keeps writes from coming through.

SETs may be repeated, so they go as they are; INCRs may not, so each has a transaction with a marker
around it.
"""
import os
import signal
import subprocess
import time

import processes
import resp

SLOTS = 16384
MASTERS = 3
NODE_TIMEOUT_MS = 2000
KINDS = ("set", "incr")


class Node(processes.Server):
    def __init__(self, folder, name, here):
        self.OPTIONS = processes.Server.OPTIONS + [
            "--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS),
            "--cluster-port", str(processes.free_port()), "--cluster-replica-validity-factor", "0",
            "--cluster-announce-ip", here]
        self.bus_port = int(self.OPTIONS[self.OPTIONS.index("--cluster-port") + 1])
        super().__init__(folder, name, here)


class Cluster:
    """Masters with equal shares of the slots, each with so many replicas."""

    def __init__(self, bench, replicas=0):
        self.here = bench.net.here
        self.nodes = []
        for _ in range(MASTERS * (1 + replicas)):
            bench.n_servers += 1
            self.nodes.append(Node(bench.folder, "server-%d" % bench.n_servers, self.here))
        self.masters = self.nodes[:MASTERS]
        for i, node in enumerate(self.masters):
            node.client("CLUSTER", "ADDSLOTSRANGE", SLOTS * i // MASTERS,
                        SLOTS * (i + 1) // MASTERS - 1)
        for i, node in enumerate(self.nodes):
            node.client("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
            if i:
                self.nodes[0].client("CLUSTER", "MEET", self.here, node.port, node.bus_port)
        for i, node in enumerate(self.nodes[MASTERS:]):
            self.until(lambda: self.follows(node, self.masters[i % MASTERS]))
        self.until(lambda: all(self.is_well(node) for node in self.nodes))

    @staticmethod
    def until(ready, deadline_s=60):
        deadline = time.monotonic() + deadline_s
        while not ready():
            if time.monotonic() > deadline:
                raise RuntimeError("the cluster does not get ready")
            time.sleep(0.002)

    @staticmethod
    def follows(replica, master):
        try:
            replica.client("CLUSTER", "REPLICATE", master.client("CLUSTER", "MYID"))
            return True
        except resp.Refused:  # it has not heard of its master yet
            return False

    def is_well(self, node):
        info = node.client("CLUSTER", "INFO").decode()
        up = node.client.info("replication").get("master_link_status", "up") == "up"
        return up and "cluster_state:ok" in info and \
            "cluster_known_nodes:%d" % len(self.nodes) in info

    @property
    def url(self):
        return "redis+cluster://" + ",".join("%s:%d" % (self.here, n.port) for n in self.nodes)

    def offset(self):
        return sum(node.offset() for node in self.masters)

    def cpu(self):
        return sum(processes.cpu_seconds(node.pid) for node in self.nodes)

    def stop(self):
        for node in self.nodes:
            node.stop()


def slot_of(key):
    crc = 0
    for byte in key:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xffff
    return crc % SLOTS


def key_of(master):
    """A key whose slot is the share of master number so and so."""
    i = 0
    while slot_of(b"bench:%d" % i) * MASTERS // SLOTS != master:
        i += 1
    return b"bench:%d" % i


def blast(cluster, kind, n):
    """Pipelined commands to all masters. @return seconds of wall clock"""
    began = time.monotonic()
    subprocess.run(["redis-benchmark", "--cluster", "-h", "127.0.0.1", "-p",
                    str(cluster.nodes[0].port), "-P", "128", "-c", "6", "-n", str(n), "-r",
                    "1000000", "-d", "64", "-t", kind, "-q"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - began


def limit(bench, kind):
    target = Cluster(bench)
    n, cpu = bench.sizes["stream"] // 2, target.cpu()
    seconds = blast(target, kind, n)
    figures = {"per_s": n / seconds, "target_us_per_command": (target.cpu() - cpu) / n * 1e6}
    target.stop()
    return figures


# -- rate ---------------------------------------------------------------------------------------

def streaming(bench, source, target):
    sync = bench.sync(source, target)
    sync.wait_for(lambda p: p["phase"] == "stream")
    sync.find()
    return sync


def wait_all(source, target, word):
    """Wait until the end of what each master has written is at the target."""
    for i, master in enumerate(source.masters):
        master.client("SET", key_of(i), word)
    for i, master in enumerate(target.masters):
        Cluster.until(lambda: master.client("GET", key_of(i)) == word, 300)


def backlog(bench, kind):
    """What piles up while the dataplane stands still, and how fast it goes."""
    source, target = Cluster(bench), Cluster(bench)
    sync = streaming(bench, source, target)
    dataplane, n = sync.pid_of("flyover-dataplane"), bench.sizes["stream"] // 2
    os.kill(dataplane, signal.SIGSTOP)
    blast(source, kind, n)
    cpu, target_cpu = processes.cpu_seconds(dataplane), target.cpu()
    began = time.monotonic()
    os.kill(dataplane, signal.SIGCONT)
    wait_all(source, target, b"end")
    seconds = time.monotonic() - began
    figures = {"per_s": n / seconds,
               "dataplane_us_per_command": (processes.cpu_seconds(dataplane) - cpu) / n * 1e6,
               "target_us_per_command": (target.cpu() - target_cpu) / n * 1e6}
    sync.stop()
    source.stop()
    target.stop()
    return figures


# -- failovers ----------------------------------------------------------------------------------

def set_at_successor(cluster, former, key, word):
    """Write through whoever has taken over; refused or unreachable: not yet."""
    for node in cluster.nodes:
        if node is former:
            continue
        try:
            node.client("SET", key, word)
            return True
        except resp.Refused:
            pass
    return False


def failover(bench, of_source):
    """@return seconds until the servers took a write again, and until one came through"""
    source, target = Cluster(bench, 1), Cluster(bench, 1)
    sync = streaming(bench, source, target)
    wait_all(source, target, b"begun")
    side = source if of_source else target
    former, key = side.masters[0], key_of(0)
    began = time.monotonic()
    former.process.kill()
    if of_source:
        Cluster.until(lambda: set_at_successor(source, former, key, b"after"))
        up_s = time.monotonic() - began
        Cluster.until(lambda: target.masters[0].client("GET", key) == b"after")
    else:
        source.masters[0].client("SET", key, b"after")
        Cluster.until(lambda: set_at_successor(target, former, b"own:{" + key + b"}", b"x"))
        up_s = time.monotonic() - began
        successor = next(n for n in target.nodes[MASTERS:]
                         if n.client.info("replication")["role"] == "master")
        Cluster.until(lambda: successor.client("GET", key) == b"after")
    through_s = time.monotonic() - began
    sync.stop()
    source.stop()
    target.stop()
    return {"up_s": up_s, "through_s": through_s}


def clusters(bench):
    figures = {"commands": bench.sizes["stream"] // 2}
    for kind in KINDS:
        figures[kind] = {"limit": limit(bench, kind), "flyover": backlog(bench, kind)}
    figures["source_lost"] = failover(bench, True)
    figures["target_lost"] = failover(bench, False)
    return figures


def print_clusters(f):
    print("\nA cluster of %d masters into another, %d commands, emptying a backlog"
          % (MASTERS, f["commands"]))
    print("%-40s %14s %14s" % ("", "target alone", "flyover"))
    for kind, words in (("set", "SET: unfenced"), ("incr", "INCR: fenced")):
        alone, ours = f[kind]["limit"], f[kind]["flyover"]
        print("%-40s %14.0f %14.0f" % (words + ", commands/s", alone["per_s"], ours["per_s"]))
        print("%-40s %14s %13.0f%%" % ("  of the target alone", "",
                                       100 * ours["per_s"] / alone["per_s"]))
        print("%-40s %14s %14.3f" % ("  dataplane CPU a command, us", "",
                                     ours["dataplane_us_per_command"]))
        print("%-40s %14.3f %14.3f" % ("  targets' CPU a command, us",
                                       alone["target_us_per_command"],
                                       ours["target_us_per_command"]))
    for side in ("source", "target"):
        lost = f[side + "_lost"]
        print("A master of the %s is killed: writes are taken again after %.2f s, one comes through "
              "%.2f s later" % (side, lost["up_s"], lost["through_s"] - lost["up_s"]))
