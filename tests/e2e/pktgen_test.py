#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# `flyover sync` over our own TCP between the sources and the target of tools/pktgen, joined by
# memory that two processes share: it needs no right, no server and no network.
#
#   pktgen_test.py BUILD PKTGEN

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback

SKIPPED = 77
BUILD = PKTGEN = None
PATIENCE_S = 120
MIX = '--mix=set=4,incr=2,hset=1,rpush=1,mset=1,del=1'


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def device(role, folder):
    return f'--nic=net_memif0,role={role},socket={folder}/memif,socket-abstract=no'


# A virtual machine's device and the switch that it is plugged into, joined as those two are.
def vhost_device(role, folder):
    kind = 'net_vhost0,iface' if role == 'server' else 'net_virtio_user0,path'
    return f'--nic={kind}={folder}/vhost'


class Generator:
    def __init__(self, folder, *words, join=device):
        self.process = subprocess.Popen(
            [PKTGEN, join('server', folder), '--addr=10.98.0.1/24', '--check', '--json',
             '--interval=20ms', *words],
            stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        assert 'is ready' in self.process.stdout.readline()

    # The next object that is liked.
    def wait_for(self, likes):
        deadline = time.monotonic() + PATIENCE_S
        for line in self.process.stdout:
            o = json.loads(line)
            if likes(o):
                return o
            assert time.monotonic() < deadline, o
        raise AssertionError('pktgen ended early')

    # @return its exit code, the sum
    def end(self):
        self.process.send_signal(signal.SIGINT)
        lines = self.process.stdout.read().splitlines()
        return self.process.wait(PATIENCE_S), json.loads(lines[-1])


class Sync:
    def __init__(self, folder, name='s', source=6379, address='10.98.0.2',
                 join=device):
        self.state = f'{folder}/{name}'
        self.process = subprocess.Popen(
            [f'{BUILD}/flyover', 'sync', f'redis://10.98.0.1:{source}', 'redis://10.98.0.1:6400',
             '--preflight=no', '--state-dir', self.state, '--net=dpdk', join('client', folder),
             f'--addr={address}/24', '--json'],
            stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)

    # SIGINT drains. @return the last object
    def end(self):
        self.process.send_signal(signal.SIGINT)
        lines = self.process.stdout.read().splitlines()
        assert self.process.wait(PATIENCE_S) == 0, lines[-1]
        return json.loads(lines[-1])

    # The process that is to be killed: of our own children's children, none else.
    def dataplane(self):
        parents = {}
        for pid in filter(str.isdigit, os.listdir('/proc')):
            with contextlib.suppress(OSError):
                stat = open(f'/proc/{pid}/stat').read()
                parents[int(pid)] = int(stat.rpartition(')')[2].split()[1])
        for pid in parents:
            up = pid
            while up > 1 and up != self.process.pid:
                up = parents.get(up, 0)
            with contextlib.suppress(OSError):
                if up and up != 1 and os.readlink(f'/proc/{pid}/exe').endswith('-dataplane'):
                    return pid
        return None


def each_command_arrives_once_and_unchanged(folder, join=device):
    n = 20000
    generator = Generator(folder, f'--commands={n}', '--block=3000', MIX, '--value=1-300',
                          join=join)
    sync = Sync(folder, join=join)
    generator.wait_for(lambda o: o['applied'] >= n)
    ended = sync.end()
    code, total = generator.end()
    assert (code, total['result']) == (0, 'ok'), total
    assert total['sent'] == total['applied'] == ended['applied'] == n, (total, ended)
    assert total['markers'] >= total['transactions'] > 0, total
    assert ended['received_offset'] == ended['frontier_offset'], ended


def each_command_arrives_over_vhost_user(folder):
    each_command_arrives_once_and_unchanged(folder, vhost_device)


def large_values_arrive(folder):
    n = 300
    generator = Generator(folder, f'--commands={n}', '--block=100', '--value=100KB-300KB')
    sync = Sync(folder)
    generator.wait_for(lambda o: o['applied'] >= n)
    assert sync.end()['applied'] == n
    code, total = generator.end()
    assert (code, total['result']) == (0, 'ok'), total


def a_killed_dataplane_repeats_and_loses_nothing(folder):
    n = 300000
    generator = Generator(folder, f'--commands={n}', '--ahead=1000', MIX)
    sync = Sync(folder)
    before = generator.wait_for(lambda o: o['applied'])
    pid = sync.dataplane()
    os.kill(pid, signal.SIGKILL)
    assert before['applied'] < n, before
    generator.wait_for(lambda o: o['applied'] >= n)
    assert sync.dataplane() not in (None, pid)
    sync.end()
    code, total = generator.end()
    assert (code, total['result']) == (0, 'ok'), total


def what_is_missing_is_found(folder):
    generator = Generator(folder, '--commands=10')
    code, total = generator.end()
    assert (code, total['applied']) == (1, 0), total
    assert total['result'] == 'a stream was not sent to its end', total


def wrong_words_are_refused(folder):
    good = [device('server', folder), '--addr=10.98.0.1/24']
    for words in (['--nosuch=1'], ['--mix=set=0'], ['--mix=get=1'], ['--value=9-3'], ['--flows=16'],
                  ['--target-port=6379'], ['--commands=-1'], ['--json=1'], ['--block=4000000000']):
        ended = subprocess.run([PKTGEN, *good, *words], capture_output=True, text=True)
        assert ended.returncode == 2, (words, ended)
        assert ended.stderr.startswith('pktgen: ') and ended.stderr.count('\n') == 1, ended.stderr
    ended = subprocess.run([PKTGEN, '--nic=net_memif0,role=client,socket=/nowhere/s',
                            '--addr=10.98.0.1/24'], capture_output=True, text=True)
    assert ended.returncode == 4, ended


TESTS = (each_command_arrives_once_and_unchanged, each_command_arrives_over_vhost_user,
         large_values_arrive,
         a_killed_dataplane_repeats_and_loses_nothing, what_is_missing_is_found,
         wrong_words_are_refused)


def main():
    global BUILD, PKTGEN
    BUILD, PKTGEN = sys.argv[1:]
    if PKTGEN == 'none':
        print('skipped: built without DPDK')
        return SKIPPED
    failed = 0
    for test in TESTS:
        with tempfile.TemporaryDirectory(prefix='flyover-') as folder:
            try:
                test(folder)
                print('ok', test.__name__, flush=True)
            except Exception:
                traceback.print_exc()
                print('FAILED', test.__name__, flush=True)
                failed += 1
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
