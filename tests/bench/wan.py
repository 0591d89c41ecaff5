# SPDX-License-Identifier: BSD-3-Clause
"""One bulk flow over a long, lossy link in real time: our TCP beside the kernel's.

tools/wan is the link. An end of the kernel's has the link's TAP device in a network namespace of
its own; an end of ours is a process with DPDK's TAP device, which the link takes hold of with a
packet socket. Ours sends to a kernel that knows nothing of it, and to itself.
"""
import collections
import ctypes
import json
import os
import re
import select
import signal
import subprocess
import threading
import time

import processes

CLONE_NEWNET = 0x40000000
ADDRESSES = ("10.97.0.1", "10.97.0.2")
RTT_MS = 100
SEGMENT = 1448  # bytes of payload of a full segment, with timestamps
ON_THE_WIRE = 1538  # what it takes of an Ethernet
TUNED = 256 << 20  # net.ipv4.tcp_[rw]mem, most bytes
TAP_QUEUE = 20000  # frames: the link is to decide what is dropped
DEADLINE_S = 60

# sender, receiver: "ours", "kernel", or "default": the kernel with the buffers it has by itself.
Case = collections.namedtuple("Case", "sender receiver congestion loss")

FREE = [Case("ours", "kernel", "cubic", "0"), Case("ours", "ours", "cubic", "0"),
        Case("kernel", "kernel", "cubic", "0"), Case("default", "default", "cubic", "0"),
        Case("ours", "kernel", "bbr", "0"), Case("ours", "ours", "bbr", "0"),
        Case("kernel", "kernel", "bbr", "0"),
        Case("ours", "kernel", "bbr", "1e-4"), Case("ours", "ours", "bbr", "1e-4"),
        Case("kernel", "kernel", "bbr", "1e-4")]

# Where losses bind the window the rate of the link is of no account, and a mean needs many of them:
# so these run all at once, each over a link of its own. (case, how many)
BOUND_RATE = "100mbit"
BOUND = [(Case(sender, "kernel", "cubic", loss), n) for sender in ("ours", "kernel")
         for loss, n in (("1e-4", 6), ("each 10000th", 2), ("1e-3", 2), ("1e-2", 1))]


class Failed(Exception):
    """A program of the bench ended early, or this host does not let us make networks."""


# -- namespaces -------------------------------------------------------------------------------

class Namespace:
    """A network namespace; it lasts as long as its descriptor is open."""

    def __init__(self):
        self.fd = None
        self._in_thread(self._make)
        if self.fd is None:
            raise Failed("network namespaces cannot be made: run this as root, or by unshare -Urn")
        self.run("ip", "link", "set", "lo", "up")
        self.set("ipv6/conf/all/disable_ipv6", 1)
        self.set("ipv6/conf/default/disable_ipv6", 1)

    def _make(self):
        if processes.LIBC.unshare(CLONE_NEWNET) == 0:
            self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def _in_thread(self, function):
        thread = threading.Thread(target=function)
        thread.start()
        thread.join()

    def enter(self):
        """For the child, between fork and exec."""
        processes.die_with_parent()
        if processes.LIBC.setns(self.fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

    def run(self, *argv):
        subprocess.run(argv, check=True, preexec_fn=self.enter)

    def set(self, name, value):
        def write():
            processes.LIBC.setns(self.fd, CLONE_NEWNET)
            path = "/proc/sys/net/" + name
            if os.path.exists(path):
                with open(path, "w") as f:
                    f.write(str(value))
        self._in_thread(write)

    def dropped(self):
        """@return frames that devices of this namespace had no room for"""
        found = []

        def look():
            processes.LIBC.setns(self.fd, CLONE_NEWNET)
            with open("/proc/thread-self/net/dev") as f:
                found.extend(line.split(":")[1].split() for line in f.readlines()[2:])
        self._in_thread(look)
        return sum(int(fields[3]) + int(fields[11]) for fields in found)

    def close(self):
        os.close(self.fd)


# -- one link and its two ends ----------------------------------------------------------------

class Program:
    """One that says on its output how far it is."""

    def __init__(self, namespace, argv):
        self.argv = argv
        self.lines = []
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        preexec_fn=namespace.enter)

    def wait_line(self, word, deadline_s=DEADLINE_S):
        """@return the first line from now on that has this word"""
        until = time.monotonic() + deadline_s
        while select.select([self.process.stdout], [], [], max(0, until - time.monotonic()))[0]:
            line = self.process.stdout.readline().decode()
            self.lines.append(line)
            if word in line:
                return line
            if not line:
                break
        self.process.kill()
        raise Failed("%s: no '%s': %s" % (" ".join(self.argv), word,
                                          self.process.stderr.read().decode()[-500:]))

    def cpu(self):
        return processes.cpu_seconds(self.process.pid)

    def end(self, with_signal=signal.SIGKILL):
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        rest, _ = self.process.communicate(timeout=DEADLINE_S)
        return rest.decode()


class Path:
    """tools/wan between two ends of one flow."""

    def __init__(self, bench, case, rate, seed, times):
        self.bench, self.case, self.times = bench, case, times
        self.programs, self.namespaces = [], []
        self.middle = self.namespace()
        kinds = (case.sender, case.receiver)
        places = [self.middle if kind == "ours" else self.kernels(kind) for kind in kinds]
        # Who listens comes first, and a socket can connect only once its device is there.
        self.ends = [None, None]
        for i in (1, 0):
            if i == 1 or kinds[i] == "ours":
                self.ends[i] = self.end(i, kinds[i], places[i])
        ports = [("dev:fly%d" if kind == "ours" else "tap:wan%d") % i
                 for i, kind in enumerate(kinds)]
        self.link = self.program(self.middle, self.link_argv(ports, rate, seed))
        self.link.wait_line("are joined")
        for i, port in enumerate(ports):
            self.attach(port[4:], places[i], ADDRESSES[i])
        if not self.ends[0]:
            self.ends[0] = self.end(0, kinds[0], places[0])

    def namespace(self):
        self.namespaces.append(Namespace())
        return self.namespaces[-1]

    def kernels(self, kind):
        n = self.namespace()
        if kind == "kernel":
            n.set("ipv4/tcp_rmem", "4096 131072 %d" % TUNED)
            n.set("ipv4/tcp_wmem", "4096 16384 %d" % TUNED)
        return n

    def program(self, namespace, argv):
        self.programs.append(Program(namespace, argv))
        return self.programs[-1]

    def end(self, i, kind, place):
        warm_s, for_s = self.times
        argv = [self.bench.built("tests", "bench", "tcp_bulk"), "--congestion",
                self.case.congestion, "--warm", str(warm_s), "--seconds", str(for_s)]
        if i == 0:
            argv += ["--to", ADDRESSES[1]]
        if kind == "ours":
            argv += ["--device", "net_tap%d,iface=fly%d" % (i, i), "--addr", ADDRESSES[i] + "/24"]
        else:
            argv.append("--kernel")
        found = self.program(place, argv)
        found.wait_line("ready")
        return found

    def link_argv(self, ports, rate, seed):
        loss = self.case.loss
        lose = ["--lose-every", loss.split()[1][:-2]] if "each" in loss else ["--loss", loss]
        queue = int(bits(rate) / 8 * RTT_MS / 1000)
        return [self.bench.built("tools", "wan", "wan"), "--a", ports[0], "--b", ports[1],
                "--seed", str(seed), "--delay", "%dms" % (RTT_MS // 2),
                "--a-to-b", "--rate", rate, "--queue", str(queue)] + lose

    def attach(self, device, place, address):
        self.middle.run("ip", "link", "set", device, "txqueuelen", str(TAP_QUEUE))
        if place is not self.middle:
            self.middle.run("ip", "link", "set", device, "netns",
                            "/proc/%d/fd/%d" % (os.getpid(), place.fd))
            place.run("ip", "addr", "add", address + "/24", "dev", device)
            place.run("ip", "link", "set", device, "up")

    # -- measuring

    def wait_joined(self):
        for e in self.ends:
            e.wait_line("joined")

    def cpu(self):
        return self.link.cpu()

    def finish(self):
        """@return figures, once both ends have said theirs"""
        sender, receiver = [json.loads(e.wait_line("{", sum(self.times) + DEADLINE_S))
                            for e in self.ends]
        for e in self.ends:
            e.process.wait(DEADLINE_S)
        dropped = sum(n.dropped() for n in self.namespaces)
        lines = self.link.end(signal.SIGINT).splitlines()
        truth = link_truth(lines)
        self.close()
        return dict(self.case._asdict(), sender_says=sender, receiver_says=receiver,
                    goodput=receiver["bytes"] * 8 / receiver["seconds"], device_drops=dropped,
                    **truth)

    def close(self):
        for p in self.programs:
            p.end()
        for n in self.namespaces:
            n.close()


def bits(rate):
    number, unit = re.fullmatch(r"([0-9.]+)([mg])bit", rate).groups()
    return float(number) * {"m": 1e6, "g": 1e9}[unit]


def link_truth(lines):
    """What the link did with frames from a to b, by its own count."""
    summed = next(line for line in lines if line.startswith("sum  a>b"))
    passed = int(re.search(r" ([0-9]+) frames", summed).group(1))
    fated = summed.split(", most queued")[0]
    fates = {name: int(n) for name, n in re.findall(r", ([a-z_]+) ([0-9]+)", fated)}
    lost = fates.get("loss", 0) + fates.get("period", 0)
    most = max([float(m) for line in lines
                for m in re.findall(r"s  a>b in [0-9.]+ out ([0-9.]+)", line)], default=0.0)
    return {"frames": passed, "fates": fates, "lost": lost, "best_second_mbit": most,
            "loss_real": lost / (passed + sum(fates.values()))}


# -- the measure ------------------------------------------------------------------------------

def machine_cpu():
    """Seconds that all processors were busy, whatever with."""
    with open("/proc/stat") as f:
        fields = [int(n) for n in f.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def one_flow(bench, case, rate, times):
    """One flow that has the machine to itself. @return figures, with what it cost"""
    path = Path(bench, case, rate, 1, times)
    path.wait_joined()
    time.sleep(times[0])
    began, machine, link = time.monotonic(), machine_cpu(), path.cpu()
    time.sleep(times[1])
    seconds = time.monotonic() - began
    machine, link = machine_cpu() - machine, path.cpu() - link
    figures = path.finish()
    gb = figures["goodput"] * seconds / 8 / 1e9
    figures.update(rate=bits(rate), cpu_per_gb={
        "sender": figures["sender_says"]["cpu_s"] / gb,
        "receiver": figures["receiver_says"]["cpu_s"] / gb, "link": link / gb,
        "machine": machine / gb}, machine_busy=machine / seconds / os.cpu_count())
    return figures


def many_flows(bench, cases, rate, times):
    """Each flow on a link of its own, all at once. @return figures, one a case"""
    paths = [(i, Path(bench, case, rate, 1 + seed, times))
             for i, (case, n) in enumerate(cases) for seed in range(n)]
    for _, path in paths:
        path.wait_joined()
    found = [(i, path.finish()) for i, path in paths]
    figures = []
    for i, (case, n) in enumerate(cases):
        mine = [f for k, f in found if k == i]
        figures.append(dict(
            case._asdict(), n=n, goodputs=[f["goodput"] for f in mine],
            goodput=sum(f["goodput"] for f in mine) / n,
            lost=sum(f["lost"] for f in mine), flows=mine,
            loss_real=sum(f["lost"] for f in mine)
            / sum(f["frames"] + sum(f["fates"].values()) for f in mine),
            response=response(loss_of(case))))
    return figures


def loss_of(case):
    return 1 / float(case.loss.split()[1][:-2]) if "each" in case.loss else float(case.loss)


def response(p):
    """RFC 9438, 5, formula 6, and Reno's mean window where that is the larger one (4.3).

    @return bits of payload a second
    """
    rtt = RTT_MS / 1000
    cubic = (0.4 * 3.7 / 1.2) ** 0.25 * (rtt / p) ** 0.75
    return max(cubic, (1.5 / p) ** 0.5) * SEGMENT * 8 / rtt


def wan(bench):
    sizes = bench.sizes
    times, bound_times = (sizes["wan_warm_s"], sizes["wan_s"]), (sizes["bound_warm_s"],
                                                                  sizes["bound_s"])
    return {"rate": sizes["wan_rate"], "seconds": times[1], "bound_seconds": bound_times[1],
            "free": [one_flow(bench, case, sizes["wan_rate"], times) for case in FREE],
            "bound": many_flows(bench, BOUND, BOUND_RATE, bound_times)}


def goodput(bench):
    """The same in virtual time, over many paths: tests/sim/goodput."""
    argv = [bench.built("tests", "sim", "goodput"), "--seconds", str(bench.sizes["virtual_s"])]
    return {"table": subprocess.run(argv, check=True, stdout=subprocess.PIPE,
                                    text=True).stdout}


# -- what is printed --------------------------------------------------------------------------

NAMES = {"ours": "ours", "kernel": "kernel, tuned", "default": "kernel, as it comes"}


def print_free(f):
    rate = bits(f["rate"])
    payload = rate * SEGMENT / ON_THE_WIRE
    print("\nOne flow in real time: bottleneck %s (%.0f Mbit/s of payload), RTT %d ms, queue 1 BDP;"
          "\nmean of %d s at the receiver\n" % (f["rate"], payload / 1e6, RTT_MS, f["seconds"]))
    print("| sender | receiver | congestion | loss | Mbit/s | of the bottleneck | resent | srtt ms "
          "| CPU s/GB: sender | receiver | link | machine | machine busy |")
    print("|---|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for one in f["free"]:
        says, cpu = one["sender_says"], one["cpu_per_gb"]
        print("| %s | %s | %s | %s | %.0f | %.1f %% | %.3f %% | %.1f | %.2f | %.2f | %.2f | %.2f "
              "| %.0f %% |" % (
                  NAMES[one["sender"]], NAMES[one["receiver"]], one["congestion"], one["loss"],
                  one["goodput"] / 1e6, 100 * one["goodput"] / payload,
                  100 * says["segments_resent"] * SEGMENT / max(1, says["bytes"]),
                  says["srtt_ms"], cpu["sender"], cpu["receiver"], cpu["link"], cpu["machine"],
                  100 * one["machine_busy"]))
    print("\nWhat the link itself says of them, from the first byte on\n")
    print("| run | frames passed | lost at random | share | dropped by its queue | devices had no "
          "room | best second, Mbit/s | least RTT ms |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for one in f["free"]:
        print("| %s > %s %s %s | %d | %d | %.2g | %d | %d | %.0f | %.1f |" % (
            one["sender"], one["receiver"], one["congestion"], one["loss"], one["frames"],
            one["lost"], one["loss_real"], one["fates"].get("tail", 0), one["device_drops"],
            one["best_second_mbit"], one["sender_says"]["min_rtt_ms"]))


def print_bound(f):
    print("\nCUBIC where losses bind its window, beside RFC 9438's response function; RTT %d ms,"
          "\nmean of %d s of all flows\n" % (RTT_MS, f["bound_seconds"]))
    print("| sender | loss | happened | losses | flows | Mbit/s | least - most | RFC 9438 "
          "| of it |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    for one in f["bound"]:
        print("| %s | %s | %.2g | %d | %d | %.2f | %.1f - %.1f | %.2f | %.0f %% |" % (
            NAMES[one["sender"]], one["loss"], one["loss_real"], one["lost"], one["n"],
            one["goodput"] / 1e6, min(one["goodputs"]) / 1e6, max(one["goodputs"]) / 1e6,
            one["response"] / 1e6, 100 * one["goodput"] / one["response"]))


def print_wan(f):
    print_free(f)
    print_bound(f)


def print_goodput(f):
    print("\nOne flow in virtual time\n\n" + f["table"], end="")
