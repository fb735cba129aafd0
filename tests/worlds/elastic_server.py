"""A real Elasticsearch server on loopback, for the tests and for developers.

Elastic builds this server for integration tests: a Maven artifact without a JDK and with core
modules only. :mod:`tests.worlds.artifacts` fetches it and compares its checksum at every start.

The server refuses to run as root. If this process is root, the server runs as ``nobody``, from an
unpacked copy in a temporary folder. It lives as long as a pipe from this process is open, so it
ends with this process, even after a kill.

``python -m tests.worlds.elastic_server`` (``make elastic``) starts one and stops it at Ctrl-C.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from schemas.elasticsearch.roles import ROLES, role
from tests.conftest import skip_unless
from tests.worlds.artifacts import (
    OUTPUT,
    Artifact,
    ServerUnavailableError,
    fetch,
    start,
    stop,
)


@dataclass(frozen=True)
class Release:
    """A server's version, its archive's checksum, and the oldest Java that runs it."""

    version: str
    sha512: str
    java: int


# The locked client speaks to both majors.
ELASTIC_8 = Release(
    "8.19.9",
    "378f193fe5091f118df68dc476f0c1cdecd7bcd68fdb433fa440499f230e3926"
    "e4d40614221c72ff86401e1cefc0d0cb1957f93a7c5f28472032f422f2531e6b",
    17,
)
ELASTIC_9 = Release(
    "9.5.4",
    "a75df614854ace52dd0bce977662b3792873ac077ec0af9026cd0b2a0eb119e4"
    "49910f8eb8ed577d1a83c51c6ee6af71bf5004c3cf5b418c979186de8b5dd9e6",
    21,
)
ORGANISATION = "org.elasticsearch.distribution.integ-test-zip"
JAVA_FOLDERS = ("/usr/lib/jvm", "/opt/java", "/Library/Java/JavaVirtualMachines")
PREFIX = "exfilwatch"
"""Prefix of the indices that the secured server's users may see."""
START_SECONDS = 120
JAVA_OPTIONS = "-Xms512m -Xmx512m -XX:TieredStopAtLevel=1 -XX:-UseG1GC -XX:+UseSerialGC"
"""A small heap, and the compiler and collector with the fastest start."""


@dataclass(frozen=True)
class SecureServer:
    """A server with TLS. For each role it has a user of the same name with only that role."""

    url: str
    ca_certs: str
    other_ca_certs: str
    password: str


def fetch_server(release: Release = ELASTIC_8) -> Path:
    """The server's archive, from the cache or by Ivy. The checksum is verified."""
    artifact = Artifact(ORGANISATION, "elasticsearch", release.version, "zip", release.sha512)
    return fetch(artifact, f"elasticsearch-integ-test-{release.version}.zip")


@contextmanager
def run_server(
    settings: dict[str, str] | None = None,
    files: dict[str, str] | None = None,
    release: Release = ELASTIC_8,
) -> Iterator[str]:
    """Start a server and yield ``host:port``; stop it and remove its folder at the end.

    ``settings`` go to its command line; ``files`` are written into its config folder.
    """
    java = java_home(release.java)
    if java is None:
        raise ServerUnavailableError(
            f"Elasticsearch {release.version} needs Java {release.java} or later: none on the "
            f"path, in JAVA_HOME or in {', '.join(JAVA_FOLDERS)}"
        )
    archive = fetch_server(release)
    with tempfile.TemporaryDirectory(prefix="exfilwatch-elastic-") as name:
        folder = Path(name)
        home = _unpack(archive, folder, release)
        for path, text in (files or {}).items():
            (home / "config" / path).write_text(text)
        http, transport = _free_ports(2)
        options = {
            "discovery.type": "single-node",
            "network.host": "127.0.0.1",
            "http.port": str(http),
            "transport.port": str(transport),
            "path.data": str(folder / "data"),
            "path.logs": str(folder / "logs"),
            "xpack.security.enabled": "false",
            # A developer's disk may be nearly full. The server's behaviour then has its own test.
            "cluster.routing.allocation.disk.threshold_enabled": "false",
            **(settings or {}),
        }
        process = _start(home, folder, java, options)
        try:
            scheme = "https" if "xpack.security.http.ssl.enabled" in options else "http"
            _wait_until_it_answers(process, f"{scheme}://127.0.0.1:{http}", folder)
            yield f"127.0.0.1:{http}"
        finally:
            stop(process)


@pytest.fixture(scope="session")
def elasticsearch_url(requires_java: None) -> Iterator[str]:
    """Address of a plain server: no TLS, no users."""
    _skip_where_unavailable(ELASTIC_8)
    with run_server() as address:
        yield f"http://{address}"


@pytest.fixture(scope="session")
def elasticsearch_9_url(requires_java: None) -> Iterator[str]:
    """Address of a plain server of the next major version."""
    _skip_where_unavailable(ELASTIC_9)
    with run_server(release=ELASTIC_9) as address:
        yield f"http://{address}"


@pytest.fixture(scope="session")
def secure_elasticsearch(
    requires_java: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SecureServer]:
    """A server with TLS and users."""
    _skip_where_unavailable(ELASTIC_8)
    folder = tmp_path_factory.mktemp("certificates")
    authority, certificate, key = certificates()
    other_authority, _, _ = certificates()
    (folder / "ca.pem").write_text(authority)
    (folder / "other-ca.pem").write_text(other_authority)
    password = base64.urlsafe_b64encode(os.urandom(18)).decode()
    settings = {
        "xpack.security.enabled": "true",
        "xpack.security.http.ssl.enabled": "true",
        "xpack.security.http.ssl.certificate": "http.crt",
        "xpack.security.http.ssl.key": "http.key",
        "xpack.security.transport.ssl.enabled": "false",
        "xpack.license.self_generated.type": "basic",
    }
    hashed = _pbkdf2(password)
    files = {
        "http.crt": certificate,
        "http.key": key,
        "users": "".join(f"{name}:{hashed}\n" for name in ROLES),
        "users_roles": "".join(f"{name}:{name}\n" for name in ROLES),
        # One role a line, because the server splits the file into lines before it reads their YAML.
        "roles.yml": "".join(f"{name}: {json.dumps(role(name, PREFIX))}\n" for name in ROLES),
    }
    with run_server(settings, files) as address:
        yield SecureServer(
            f"https://{address}",
            str(folder / "ca.pem"),
            str(folder / "other-ca.pem"),
            password,
        )


def _skip_where_unavailable(release: Release) -> None:
    found = java_home(release.java)
    if found is None and java_home(ELASTIC_8.java) is not None:
        # Debian's Java is too old for this version, but new enough for everything else.
        pytest.skip(f"no Java {release.java} or later for {release.version}")
    skip_unless(found is not None, f"no Java {release.java} or later for {release.version}")
    try:
        fetch_server(release)
    except ServerUnavailableError as error:
        skip_unless(False, str(error))


def java_home(oldest: int) -> Path | None:
    """Folder of a Java of at least that major: on the path, in JAVA_HOME or installed."""
    on_path = shutil.which("java")
    homes = [Path(on_path).resolve().parent.parent] if on_path else []
    if os.environ.get("JAVA_HOME"):
        homes.append(Path(os.environ["JAVA_HOME"]))
    homes += [home for folder in JAVA_FOLDERS for home in sorted(Path(folder).glob("*"))]
    fit = (home for home in homes if _java_major(home) >= oldest)
    return next(fit, None)


def _java_major(home: Path) -> int:
    """Major version of a JDK, from its file `release`; 0 without that file."""
    for home_within in (home, home / "Contents" / "Home"):
        file = home_within / "release"
        if file.is_file() and (home_within / "bin" / "java").exists():
            found = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', file.read_text("utf-8"), re.M)
            return int(found[1]) if found else 0
    return 0


def _unpack(archive: Path, folder: Path, release: Release) -> Path:
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    home = folder / f"elasticsearch-{release.version}"
    (folder / "data").mkdir()
    (folder / "logs").mkdir()
    return home


def _start(
    home: Path, folder: Path, java: Path, options: dict[str, str]
) -> subprocess.Popen[bytes]:
    identity: dict[str, Any] = {}
    if os.geteuid() == 0:
        for path in [folder, *folder.rglob("*")]:
            shutil.chown(path, "nobody")
        identity = {"user": "nobody", "extra_groups": []}
    environment = {
        "ES_JAVA_HOME": str(java),
        "ES_JAVA_OPTS": JAVA_OPTIONS,
        "ES_TMPDIR": str(folder / "logs"),
        "CLI_JAVA_OPTS": f"-Djava.io.tmpdir={folder / 'logs'} -XX:TieredStopAtLevel=1",
        "HOME": str(folder),
    }
    command = ["bash", str(home / "bin" / "elasticsearch")]
    command += [f"-E{key}={value}" for key, value in options.items()]
    return start(command, environment, folder, **identity)


def _wait_until_it_answers(process: subprocess.Popen[bytes], url: str, folder: Path) -> None:
    # A secured server answers 401, so it is up.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            opener.open(f"{url}/_cluster/health?wait_for_status=yellow", timeout=30).close()
            return
        except urllib.error.HTTPError as error:
            if error.code == 401:
                return
        except OSError:
            pass
        time.sleep(0.2)
    lines = (folder / OUTPUT).read_text(errors="replace").splitlines()
    last = [line for line in lines if "INFO" not in line][-15:]
    raise RuntimeError("Elasticsearch did not start:\n" + "\n".join(last))


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _pbkdf2(password: str) -> str:
    """The password's hash in the form of the server's file of users."""
    salt = os.urandom(32)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 10_000, 32)
    return f"{{PBKDF2}}10000${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def certificates() -> tuple[str, str, str]:
    """PEM of an authority, of its certificate for 127.0.0.1, and of that certificate's key."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = datetime.datetime.now(datetime.UTC)

    def sign(name: str, key: ec.EllipticCurvePrivateKey, authority: bool) -> x509.Certificate:
        names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(authority_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(authority_key, hashes.SHA256())
        )

    common_name = f"exfilwatch test authority {os.urandom(4).hex()}"
    authority_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    authority_key = ec.generate_private_key(ec.SECP256R1())
    server_key = ec.generate_private_key(ec.SECP256R1())
    pem = serialization.Encoding.PEM
    return (
        sign(common_name, authority_key, True).public_bytes(pem).decode(),
        sign("127.0.0.1", server_key, False).public_bytes(pem).decode(),
        server_key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    )


def main() -> None:
    """Start a server, print its address, and stop it at Ctrl-C."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--major", choices=("8", "9"), default="8")
    release = {"8": ELASTIC_8, "9": ELASTIC_9}[parser.parse_args().major]
    with run_server(release=release) as address:
        print(
            f"Elasticsearch {release.version} answers on http://{address} (Ctrl-C stops it)",
            flush=True,
        )
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            print("stopping")


if __name__ == "__main__":
    main()
