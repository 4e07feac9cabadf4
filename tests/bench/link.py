"""Two networks joined by a link with a round trip, for kernels without netem; needs root.

Each end is a network namespace with one TUN device. Every IP packet is held for half of the round
trip on its way, in order and at any rate, so that the kernel's own TCP meets the delay: from the
handshake on, slow start and delayed ACKs included.

The link also counts. Round trips by what waits for what, whatever the clock says: a packet that
leaves an end is one step further than the furthest that had come there before, and two steps are a
round trip; of all connections, so with more than one it may be too many. And connections: a port of
the client's has one from its SYN to its FIN, or to anybody's RST (RFC 9293, section 3.1).
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import deque

CLIENT, SERVER = "10.203.0.1", "10.203.0.2"
PACKET = 64 * 1024
ASK_ROUND_TRIPS, ASK_CONNECTIONS = b"r", b"c"
FIN, SYN, RST = 0x01, 0x02, 0x04

# linux/if_tun.h
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000

UP = 'ip link set lo up; ip addr add "$0" peer "$1" dev lane; ip link set lane txqueuelen 10000 up'


def why_not() -> str:
    """Return why there can be no link here, "" when there can."""
    if os.geteuid() != 0:
        return "namespaces are made by root only"
    return "" if os.path.exists("/dev/net/tun") else "/dev/net/tun is missing"


class Link:
    """The link, for as long as it is open. `client` and `server` begin a command that runs there
    (see nsenter(1)).
    """

    def __init__(self, round_trip: float) -> None:
        self.round_trip = round_trip
        self._bridge = subprocess.Popen(
            [sys.executable, __file__, "bridge", str(round_trip / 2)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._bridge.stdout is not None
        client, server = self._bridge.stdout.readline().split()
        self.client = ["nsenter", f"--net=/proc/{int(client)}/ns/net", "--"]
        self.server = ["nsenter", f"--net=/proc/{int(server)}/ns/net", "--"]

    def round_trips(self) -> int:
        """Return how many round trips, one after the other, brought the client what it has; only
        what left an end since this was asked last is counted.
        """
        return self._ask(ASK_ROUND_TRIPS)

    def connections(self) -> int:
        """Return how many were open at the same time, at the most, since this was asked last."""
        return self._ask(ASK_CONNECTIONS)

    def _ask(self, question: bytes) -> int:
        assert self._bridge.stdin is not None and self._bridge.stdout is not None
        self._bridge.stdin.write(question)
        self._bridge.stdin.flush()
        return int(self._bridge.stdout.readline())

    def close(self) -> None:
        """Take it away; what runs at its ends goes on without a network."""
        self._bridge.communicate()


def bridge(delay: float) -> None:
    """Make both ends, print their process ids, carry packets until standard input ends."""
    ends = [start_end(CLIENT, SERVER), start_end(SERVER, CLIENT)]
    try:
        print(*(process.pid for process, _ in ends), flush=True)
        (_, left), (_, right) = ends
        carry(left, right, delay)
    finally:
        for process, _ in ends:
            process.kill()
            process.wait()


def start_end(own: str, other: str) -> tuple[subprocess.Popen[bytes], int]:
    """Return the process that keeps a namespace, and the descriptor of its TUN device."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", sys.executable, __file__, "end",
         own, other, str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    theirs.close()
    _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    return process, descriptors[0]


def keep_end(own: str, other: str, descriptor: int) -> None:
    """In the new namespace: make the device, hand it over, stay."""
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"lane", IFF_TUN | IFF_NO_PI))
    subprocess.run(["/bin/sh", "-ec", UP, own, other], check=True)
    socket.send_fds(socket.socket(fileno=descriptor), [b"."], [tun])
    os.close(tun)
    signal.pause()


def carry(client: int, server: int, delay: float) -> None:
    """Carry every packet to the other end, `delay` seconds after it came; tell who asks what was
    counted.
    """
    other = {client: server, server: client}
    steps = {client: 0, server: 0}
    connected: set[bytes] = set()  # the client's ports
    most = 0
    held: deque[tuple[float, int, int, bytes]] = deque()
    while True:
        pause = max(0.0, held[0][0] - time.monotonic()) if held else None
        ready = select.select([0, *other], [], [], pause)[0]
        if 0 in ready:
            question = os.read(0, 1)
            if question == ASK_ROUND_TRIPS:
                print(steps[client] // 2, flush=True)
                steps = dict.fromkeys(steps, 0)
                held = deque((due, 0, tun, packet) for due, _, tun, packet in held)
            elif question == ASK_CONNECTIONS:
                print(most, flush=True)
                most = len(connected)
            else:
                return
        for tun in other.keys() & ready:
            try:
                while True:
                    packet = os.read(tun, PACKET)
                    source, destination, flags = segment_of(packet)
                    step = steps[tun] + 1 if source else 0
                    held.append((time.monotonic() + delay, step, other[tun], packet))
                    if tun == client and flags & SYN:
                        connected.add(source)
                        most = max(most, len(connected))
                    elif (tun == client and flags & FIN) or flags & RST:
                        connected.discard(source if tun == client else destination)
            except BlockingIOError:
                pass  # that was all
        while held and held[0][0] <= time.monotonic():
            _, step, tun, packet = held.popleft()
            steps[tun] = max(steps[tun], step)
            try:
                os.write(tun, packet)
            except OSError:
                pass  # IP may lose a packet: its sender sends it again


def segment_of(packet: bytes) -> tuple[bytes, bytes, int]:
    """Return both ports, source first, and the flags of a TCP segment in IPv4; else nothing."""
    if packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
        return b"", b"", 0
    begin = (packet[0] & 0x0F) * 4
    return packet[begin : begin + 2], packet[begin + 2 : begin + 4], packet[begin + 13]


if __name__ == "__main__":
    if sys.argv[1] == "bridge":
        bridge(float(sys.argv[2]))
    else:
        keep_end(sys.argv[2], sys.argv[3], int(sys.argv[4]))
