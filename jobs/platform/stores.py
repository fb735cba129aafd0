"""Files at a path or a URL: in local folders, on object stores and on HDFS.

The client of Delta tables also reads and writes these files. So they need the same variables in the
environment as the tables.
"""

from __future__ import annotations

import io
import re
import shutil
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from jobs.platform.terminal_text import one_line_of

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

READ_BYTES = 1 << 18
"""Bytes of an object that one request reads."""
WRITE_BYTES = 1 << 22
"""Bytes that are collected for one request."""
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def is_url(place: str) -> bool:
    """Whether a place is a URL, not a local path."""
    return URL.match(place) is not None


def store_of(url: str) -> tuple[FileSystem, str]:
    """The store of a URL, and the path within the store. OSError if it cannot be addressed."""
    parts = urlsplit(client_url(url), allow_fragments=False)
    root = f"{parts.scheme}://{parts.netloc}"
    return _store(root), client_url(url)[len(root) :].strip("/")


@cache
def _store(root: str) -> FileSystem:
    from deltalake.fs import DeltaStorageHandler
    from pyarrow import fs

    return fs.PyFileSystem(DeltaStorageHandler(root))


def client_url(place: str) -> str:
    """The place in the spelling of deltalake."""
    return place.replace("s3a://", "s3://", 1)


def reason(error: OSError) -> str:
    """The reason of an error in one line, without the colours of a store's client."""
    return error.strerror or one_line_of(str(error).replace("↳", ""))


def list_folder(url: str, *, recursive: bool = False) -> list[FileInfo]:
    """Files and folders below a folder; none if it does not exist. OSError if it cannot be listed.

    Their paths start at the root of the store.
    """
    from pyarrow import fs

    store, path = store_of(url)
    found: list[FileInfo] = store.get_file_info(
        fs.FileSelector(path, allow_not_found=True, recursive=recursive)
    )
    return found


def file_names(folder: str) -> list[str]:
    """Names of the files in a folder, in no order; none if there is no folder."""
    if is_url(folder):
        return [info.base_name for info in list_folder(folder) if info.is_file]
    return [path.name for path in Path(folder).glob("*") if path.is_file()]


def file_size(place: str) -> int:
    """Bytes of a file; OSError (such as FileNotFoundError) if it cannot be read."""
    return file_state(place)[0]


def file_state(place: str) -> tuple[int, int | None]:
    """Bytes of a file, and the time of its last change in nanoseconds (None: not known).

    OSError (such as FileNotFoundError) if it cannot be read.
    """
    if not is_url(place):
        found = Path(place).stat()
        return found.st_size, found.st_mtime_ns
    store, path = store_of(place)
    (info,) = store.get_file_info([path])
    if not info.is_file:
        raise FileNotFoundError(2, "No such file", place)
    return int(info.size), info.mtime_ns


def open_file(place: str) -> IO[bytes]:
    """A file to read; OSError if it cannot be opened."""
    if not is_url(place):
        return Path(place).open("rb")
    store, path = store_of(place)
    return io.BufferedReader(store.open_input_file(path), READ_BYTES)


def create_file(place: str) -> IO[bytes]:
    """A new file to write; missing folders are made. It is complete when it is closed."""
    if not is_url(place):
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        return Path(place).open("wb")
    store, path = store_of(place)
    # The client takes bytes, which it gets from a stream with a buffer.
    stream = store.open_output_stream(path, compression=None, buffer_size=WRITE_BYTES)
    return io.BufferedWriter(stream, READ_BYTES)


def remove_folder(place: str) -> None:
    """Remove a folder and everything in it, if it exists; a local one as far as possible."""
    if not is_url(place):
        shutil.rmtree(place, ignore_errors=True)
        return
    store, path = store_of(place)
    store.delete_dir(path)
