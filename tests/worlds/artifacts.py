"""Servers for the tests: Maven artifacts in the user's cache.

Apache Ivy fetches them. It comes with pyspark, so only Java and the locked packages are needed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

IVY_MODULE = """\
<ivy-module version="2.0">
  <info organisation="exfilwatch" module="test-server"/>
  <dependencies>
    <dependency org="{0.org}" name="{0.name}" rev="{0.version}" transitive="false">
      <artifact name="{0.name}" type="{0.kind}" ext="{0.kind}"/>
    </dependency>
  </dependencies>
</ivy-module>
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
    file = cache_folder() / file_name
    if not file.exists():
        _download(artifact, file)
    with file.open("rb") as content:
        found = hashlib.file_digest(content, "sha512").hexdigest()
    if found != artifact.sha512:
        raise ServerUnavailableError(
            f"{file}: its SHA-512 is {found}, expected {artifact.sha512}; remove the file and "
            "try again"
        )
    return file


def pyspark_jars() -> Path:
    """Folder of the jars that come with pyspark; :class:`ServerUnavailableError` without them."""
    spec = importlib.util.find_spec("pyspark")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if Path(folder, "jars").is_dir():
            return Path(folder, "jars")
    raise ServerUnavailableError("pyspark is not installed with its jars")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server that :data:`KEEP_WHILE_PIPE_IS_OPEN` started in its own session."""
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


def _download(artifact: Artifact, file: Path) -> None:
    with tempfile.TemporaryDirectory(dir=file.parent) as name:
        folder = Path(name)
        (folder / "ivy.xml").write_text(IVY_MODULE.format(artifact))
        command = ["java", "-jar", str(_ivy()), "-cache", str(folder / "cache")]
        command += ["-ivy", str(folder / "ivy.xml"), "-types", artifact.kind]
        command += ["-retrieve", str(folder / "[artifact].[ext]")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        fetched = folder / f"{artifact.name}.{artifact.kind}"
        if done.returncode or not fetched.exists():
            lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
            raise ServerUnavailableError(
                f"{artifact.name} {artifact.version} could not be fetched by Ivy: "
                + " | ".join(lines[-5:])
            )
        fetched.replace(file)


def _ivy() -> Path:
    jars = sorted(pyspark_jars().glob("ivy-*.jar"))
    if not jars:
        raise ServerUnavailableError("no ivy-*.jar among pyspark's jars")
    return jars[0]
