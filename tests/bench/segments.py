# SPDX-License-Identifier: BSD-3-Clause
"""What our own TCP costs a segment at the speed of memory, beside what DPDK itself takes."""
import json
import os
import subprocess

ROWS = (("DPDK alone", "dpdk_ns"), ("through the nic seam, copied in", "seam_ns"),
        ("tcp_write()", "write_ns"), ("send", "send_ns"),
        ("receive: in order, acknowledged", "receive_ns"), ("tcp_read()", "read_ns"))
OURS = ("write_ns", "send_ns", "receive_ns", "read_ns")


def segments(bench):
    """None where there is no DPDK, or no memory for it."""
    program = os.path.join(bench.build, "tests", "bench", "tcp_segment_cost")
    if not os.access(program, os.X_OK):
        return None
    done = subprocess.run([program, "4096", "256", str(bench.sizes["segment_runs"])],
                          stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def print_segments(f):
    if not f:
        print("\nSegments: not measured without DPDK and hugepages")
        return
    print("\nA segment of %d bytes, one flow, one core, ns (medians of %d batches of %d, the best "
          "of %d runs)" % (f["segment"], f["batches"], f["segments"], f["runs"]))
    print("%-32s %12s %12s" % ("checksums by", "software", "device"))
    sides = f["software"], f["device"]
    for label, name in ROWS:
        print("%-32s %12.0f %12.0f" % (label, *(side[name] for side in sides)))
    both = [sum(side[name] for name in OURS) for side in sides]
    print("%-32s %12.0f %12.0f" % ("both ends together", *both))
    print("%-32s %12.1f %12.1f" % ("Gbit/s of payload", *(f["segment"] * 8 / ns for ns in both)))
