# SPDX-License-Identifier: BSD-3-Clause
"""How our programs reach the servers of a run: kernel sockets over the loopback, or our own TCP
through TAP devices. Those stand in a network namespace of this process, which ends with it."""
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000


class Kernel:
    here = "127.0.0.1"

    def options(self):
        """For a `flyover sync`."""
        return ()


class Dpdk:
    here = "10.98.0.1"  # the loopback would be the kernel's

    def __init__(self):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET):
            raise PermissionError("a network namespace is not permitted: %s; run it as root"
                                  % os.strerror(ctypes.get_errno()))
        self.n_taps = 0
        self.ip("link", "set", "lo", "up")
        self.ip("address", "add", self.here + "/32", "dev", "lo")

    def ip(self, *arguments):
        subprocess.run(("ip",) + arguments, check=True)

    def options(self):
        """For a `flyover sync`, with a device that nobody else has."""
        self.n_taps += 1
        name, net = "fly%d" % self.n_taps, "10.99.%d." % self.n_taps
        self.ip("tuntap", "add", "dev", name, "mode", "tap", "multi_queue")
        self.ip("address", "add", net + "1/24", "dev", name)
        self.ip("link", "set", name, "up")
        return ("--net=dpdk", "--nic=net_tap0,iface=" + name, "--addr=" + net + "2/24",
                "--gw=" + net + "1")


KINDS = {"kernel": Kernel, "dpdk": Dpdk}
