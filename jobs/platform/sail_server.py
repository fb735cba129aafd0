"""Sail in a process of its own, which :mod:`jobs.platform.engine` starts.

Sail 0.7 never frees what it needed to parse an expression: tens of kilobytes for each, hundreds of
megabytes for a day. A process that ends gives everything back. If the engine breaks down, our
process goes on.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

END_SECONDS = 5


@contextmanager
def sail_server() -> Iterator[int]:
    """Start a server on the loopback address, and end it with the block; gives its port.

    Raises RuntimeError if it does not start. It says the reason on standard error.
    """
    # A session of its own: Ctrl-C reaches us alone, and we then end the server.
    with subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as server:
        try:
            port = server.stdout.readline() if server.stdout else ""
            if not port.strip().isdigit():
                raise RuntimeError("Sail's process ended before it served")
            yield int(port)
        finally:
            with suppress(OSError):
                if server.stdin:
                    server.stdin.close()
            try:
                server.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()


def main() -> None:
    """Serve until standard input ends, also because the parent was killed."""
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    print(server.listening_address[1], flush=True)
    sys.stdin.read()
    # All answers have been sent. Stopping the threads would take a while.
    os._exit(0)


if __name__ == "__main__":
    main()
