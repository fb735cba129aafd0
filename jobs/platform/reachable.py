"""Checks that the server of an engine answers, and names the engine without secrets."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from jobs.platform.errors import RunError

CONNECT_PORT = 15002
SERVER_SECONDS = 10


def engine_name(engine: str) -> str:
    """The engine without its parameters, one of which may be a token."""
    return engine.split(";")[0].rstrip("/")


def reach_server(engine: str) -> None:
    """Raise :class:`RunError` if the server of an ``sc://`` engine does not accept connections.

    The Connect client itself would retry for a quarter of an hour before it fails.
    """
    if not engine.startswith("sc://"):
        return
    address = urlsplit(engine_name(engine))
    try:
        where = (address.hostname or "", address.port or CONNECT_PORT)
        socket.create_connection(where, SERVER_SECONDS).close()
    except (OSError, ValueError) as error:
        raise RunError(
            f"the engine {engine_name(engine)} cannot be reached: {error}; check `engine` and "
            "that the Spark Connect server runs"
        ) from error
