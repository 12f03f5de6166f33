"""A slow wire: frames of one network namespace to a bridge and back, late, and some lost.

`python -m tests.cluster.wire BRIDGE NAMESPACE ADDRESS DELAY_S LOSS` makes a TAP device on each side
and carries every frame between them. A kernel may lack netem, which would do the same.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
FRAME_BYTES = 2048


def open_tap(name: str) -> int:
    """Make a TAP device in this process's network namespace."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
    return descriptor


def carry(one: int, other: int, delay_s: float, loss: float) -> None:
    """Carry frames both ways until the process is stopped."""
    lots = random.Random(1)
    late: list[tuple[float, int, int, bytes]] = []
    number = 0
    while True:
        wait_s = max(0.0, late[0][0] - time.monotonic()) if late else None
        ready, _, _ = select.select([one, other], [], [], wait_s)
        for source in ready:
            frame = os.read(source, FRAME_BYTES)
            if lots.random() >= loss:
                number += 1
                target = other if source == one else one
                heapq.heappush(late, (time.monotonic() + delay_s, number, target, frame))
        while late and late[0][0] <= time.monotonic():
            _, _, target, frame = heapq.heappop(late)
            os.write(target, frame)


def main() -> None:
    """Set the devices up and carry."""
    bridge, namespace, address, delay_s, loss = sys.argv[1:]
    near, far = f"{bridge}t0", f"{bridge}t1"
    one, other = open_tap(near), open_tap(far)
    for command in (
        ["ip", "link", "set", near, "master", bridge, "up"],
        ["ip", "link", "set", far, "netns", namespace],
        ["ip", "-n", namespace, "addr", "add", address, "dev", far],
        ["ip", "-n", namespace, "link", "set", far, "up"],
    ):
        subprocess.run(command, check=True)
    sys.stdout.write("carries\n")
    sys.stdout.flush()
    carry(one, other, float(delay_s), float(loss))


if __name__ == "__main__":
    main()
