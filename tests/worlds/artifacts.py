"""Servers for the tests: Maven artifacts in the user's cache.

Apache Ivy fetches them. It comes with pyspark, so only Java and the locked packages are needed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OUTPUT = "output.txt"
"""File of a server's output, in its folder."""
IVY_MODULE = """\
<ivy-module version="2.0">
  <info organisation="exfilwatch" module="test-server"/>
  <dependencies>
    {}
  </dependencies>
</ivy-module>
"""
IVY_DEPENDENCY = """\
<dependency org="{0.org}" name="{0.name}" rev="{0.version}" transitive="false">
  <artifact name="{0.name}" type="{0.kind}" ext="{0.kind}"/>
</dependency>
"""
# The server's end and the pipe's end both end the shell and the server.
KEEP_WHILE_PIPE_IS_OPEN = """\
exec 3<&0
"$0" "$@" &
server=$!
{ cat >/dev/null; kill $server; } <&3 &
wait $server
"""


class ServerUnavailableError(Exception):
    """The server is unavailable or did not start; the message gives the reason."""


@dataclass(frozen=True)
class Artifact:
    """One file of a Maven repository, and its checksum."""

    org: str
    name: str
    version: str
    kind: str
    sha512: str


def fetch(artifact: Artifact, file_name: str) -> Path:
    """The artifact's file, from the cache or by Ivy.

    Raises :class:`ServerUnavailableError` if it cannot be fetched or has another checksum.
    """
    return fetch_all({file_name: artifact})[0]


def fetch_all(artifacts: Mapping[str, Artifact]) -> list[Path]:
    """The files of artifacts, by their names in the cache; one run of Ivy fetches the missing ones.

    Raises :class:`ServerUnavailableError` if one cannot be fetched or has another checksum.
    """
    files = {cache_folder() / name: artifact for name, artifact in artifacts.items()}
    missing = {file: artifact for file, artifact in files.items() if not file.exists()}
    if missing:
        _download(missing)
    for file, artifact in files.items():
        with file.open("rb") as content:
            found = hashlib.file_digest(content, "sha512").hexdigest()
        if found != artifact.sha512:
            raise ServerUnavailableError(
                f"{file}: its SHA-512 is {found}, expected {artifact.sha512}; remove the file and "
                "try again"
            )
    return list(files)


def pyspark_jars() -> Path:
    """Folder of the jars that come with pyspark; :class:`ServerUnavailableError` without them."""
    spec = importlib.util.find_spec("pyspark")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if Path(folder, "jars").is_dir():
            return Path(folder, "jars")
    raise ServerUnavailableError("pyspark is not installed with its jars")


def start(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path | None = None,
    **identity: Any,
) -> subprocess.Popen[bytes]:
    """Start a server that ends with this process, or by :func:`stop`.

    It works in ``folder``, and its output goes to :data:`OUTPUT` there; without a folder nowhere.
    ``identity``: another user, as :class:`subprocess.Popen` takes it.
    """
    with Path(os.devnull if folder is None else folder / OUTPUT).open("wb") as output:
        return subprocess.Popen(
            ["bash", "-c", KEEP_WHILE_PIPE_IS_OPEN, *command],
            cwd=folder,
            env={"PATH": os.environ["PATH"], **environment},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **identity,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server that :func:`start` started."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()


def cache_folder() -> Path:
    """Folder of the tests' servers in the user's cache; it is made."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "exfilwatch"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _download(files: Mapping[Path, Artifact]) -> None:
    with tempfile.TemporaryDirectory(dir=cache_folder()) as name:
        folder = Path(name)
        wanted = "".join(IVY_DEPENDENCY.format(artifact) for artifact in files.values())
        (folder / "ivy.xml").write_text(IVY_MODULE.format(wanted))
        command = ["java", "-jar", str(_ivy()), "-cache", str(folder / "cache")]
        command += ["-ivy", str(folder / "ivy.xml")]
        command += ["-types", *sorted({artifact.kind for artifact in files.values()})]
        command += ["-retrieve", str(folder / "[artifact].[ext]")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        fetched = {f: folder / f"{artifact.name}.{artifact.kind}" for f, artifact in files.items()}
        lost = [files[file] for file, source in fetched.items() if not source.exists()]
        if done.returncode or lost:
            lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
            names = ", ".join(f"{each.name} {each.version}" for each in lost or files.values())
            raise ServerUnavailableError(
                f"{names} could not be fetched by Ivy: " + " | ".join(lines[-5:])
            )
        for file, source in fetched.items():
            file.parent.mkdir(exist_ok=True)
            source.replace(file)


def _ivy() -> Path:
    jars = sorted(pyspark_jars().glob("ivy-*.jar"))
    if not jars:
        raise ServerUnavailableError("no ivy-*.jar among pyspark's jars")
    return jars[0]
