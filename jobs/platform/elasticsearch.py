"""Elasticsearch: connections, privileges, and errors in words.

A document's index and id follow from its own fields (``schemas.elasticsearch.indices``). Sending it
again therefore meets the same document, and a second run finishes a run that was killed half-way.
Two conflicts are expected and ignored: the finding exists already, or a newer document does. Any
other refusal ends the command. Nothing is lost then, because the tables hold everything.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from jobs.platform.errors import RunError
from schemas.config import Elasticsearch as Settings
from schemas.elasticsearch.indices import (
    IDENTITIES,
    INDICES,
    VERDICTS_INDEX,
    index_pattern,
)
from schemas.elasticsearch.roles import role

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch


REQUEST_SECONDS = 60
CONFLICT = 409
NOT_FOUND = 404
DEFAULT_PORT = 9200
BLOCKS = ("read_only", "read_only_allow_delete", "write")
"""Settings ``index.blocks.*`` that forbid writing."""

ADVICE = {
    "cluster_block_exception": (
        "the index is read-only or the server's disk is full: free space, lift the block "
        '(PUT INDEX/_settings {"index.blocks.write": null, '
        '"index.blocks.read_only_allow_delete": null})'
    ),
    "security_exception": "the user or API key lacks a privilege of its role",
    "document_parsing_exception": (
        "the index holds a field with another type than exfilwatch's template gives it: it was "
        "made without the template"
    ),
    "es_rejected_execution_exception": "the server is overloaded: wait",
}
"""The server's error type → the remedy for a refused document."""


@contextmanager
def session(settings: Settings, role_name: str, loss: str) -> Iterator[Elasticsearch]:
    """A client whose errors become a RunError with a remedy.

    ``role_name``: the role in ``schemas/elasticsearch/roles`` that the user needs. ``loss``: words
    about the work that an error leaves undone.
    """
    with connect(settings) as client, _explain(settings, role_name, loss):
        yield client


@contextmanager
def connect(settings: Settings) -> Iterator[Elasticsearch]:
    """A client with the credentials of the environment.

    Raises RunError if the settings cannot be used: credentials inside the URL, credentials that
    would cross a network unencrypted, an unset password, a missing certificate file.
    """
    from elasticsearch import Elasticsearch

    address = _address(settings)
    options: dict[str, Any] = _credentials(settings)
    if options and address.scheme == "http" and not is_loopback(address.hostname or ""):
        raise RunError(
            f"elasticsearch.url {settings.url}: credentials would cross the network unencrypted; "
            "use https"
        )
    if settings.ca_certs is not None:
        if not Path(settings.ca_certs).is_file():
            raise RunError(f"elasticsearch.ca_certs: {settings.ca_certs} is not a file")
        options["ca_certs"] = settings.ca_certs
    port = address.port or (443 if address.scheme == "https" else DEFAULT_PORT)
    host = f"[{address.hostname}]" if ":" in (address.hostname or "") else address.hostname
    client = Elasticsearch(
        f"{address.scheme}://{host}:{port}{address.path}",
        request_timeout=REQUEST_SECONDS,
        max_retries=2,
        retry_on_timeout=True,
        **options,
    )
    try:
        yield client
    finally:
        client.close()


def check_ready(client: Elasticsearch, prefix: str) -> None:
    """Raise a RunError with all obstacles to publishing, before anything is sent.

    Checks the privileges of the role ``pipeline``, and blocks on the indices (read-only, or the
    server's disk is full).
    """
    missing = missing_privileges(client, role("pipeline", prefix))
    if missing:
        raise RunError(
            f"the Elasticsearch user lacks {len(missing)} privileges of "
            "schemas/elasticsearch/roles/pipeline.json:\n"
            + "\n".join(f"  {privilege}" for privilege in missing)
            + "\n  grant them, then "
            "publish again"
        )
    blocked = _blocked_indices(client, prefix)
    if blocked:
        raise RunError(
            "Elasticsearch takes no documents:\n"
            + "\n".join(f"  {index} is blocked by {block}" for index, block in blocked)
            + f"\n  {ADVICE['cluster_block_exception']}, then publish again"
        )


def missing_privileges(client: Elasticsearch, wanted: dict[str, Any]) -> list[str]:
    """Privileges of a role that the current user lacks; none if security is switched off."""
    answer = _has_privileges(client, wanted)
    if answer is None:
        return []
    lacking = [f"cluster: {name}" for name, granted in answer["cluster"].items() if not granted]
    for index, granted_of in answer["index"].items():
        names = [name for name, granted in granted_of.items() if not granted]
        lacking += [f"{index}: {name}" for name in names]
    return sorted(lacking)


def _has_privileges(client: Elasticsearch, wanted: dict[str, Any]) -> Any:
    """The server's answer; None if security is switched off."""
    from elasticsearch import BadRequestError

    try:
        return client.security.has_privileges(
            cluster=wanted["cluster"],
            index=[
                {"names": grant["names"], "privileges": grant["privileges"]}
                for grant in wanted["indices"]
            ],
        )
    except BadRequestError:
        # This address does not exist on a server without security.
        return None


def _blocked_indices(client: Elasticsearch, prefix: str) -> list[tuple[str, str]]:
    ours = [index for index in (*INDICES, IDENTITIES) if index != VERDICTS_INDEX]
    answer = client.indices.get_settings(
        index=[index_pattern(index, prefix) for index in ours],
        name=[f"index.blocks.{block}" for block in BLOCKS],
        flat_settings=True,
        ignore_unavailable=True,
        allow_no_indices=True,
    )
    return sorted(
        (name, block)
        for name, found in answer.items()
        for block, value in found["settings"].items()
        if str(value) == "true"
    )


def installed_versions(client: Elasticsearch, prefix: str) -> dict[str, int]:
    """Template → its version; 0 if it has none or is not ours."""
    from elasticsearch import NotFoundError

    try:
        found = client.indices.get_index_template(name=f"{prefix}-*")["index_templates"]
    except NotFoundError:
        return {}
    versions = {}
    for each in found:
        meta = each["index_template"].get("_meta") or {}
        version = meta.get("version", 0)
        versions[each["name"]] = version if isinstance(version, int) else 0
    return versions


def arguments(wanted: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a client call from the keys of a request body."""
    return {("meta" if key == "_meta" else key): value for key, value in wanted.items()}


def _address(settings: Settings) -> SplitResult:
    try:
        address = urlsplit(settings.url or "")
        sound = bool(address.hostname) and address.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise RunError(f"elasticsearch.url {settings.url!r}: expected https://host:9200")
    return address


def _credentials(settings: Settings) -> dict[str, Any]:
    if settings.username is not None:
        password = os.environ.get(settings.password_env)
        if not password:
            raise RunError(
                f"elasticsearch.username is set, but no password is: put it into the environment "
                f"variable {settings.password_env}"
            )
        return {"basic_auth": (settings.username, password)}
    api_key = os.environ.get(settings.api_key_env)
    return {"api_key": api_key} if api_key else {}


def is_loopback(host: str) -> bool:
    """True if data for this host stays on this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def _explain(settings: Settings, role_name: str, loss: str) -> Iterator[None]:
    """Turn the client's errors into one sentence with the remedy."""
    import elasticsearch as es

    at = f"Elasticsearch at {settings.url}"
    after = f"; {loss}"
    try:
        yield
    except es.SSLError as error:
        raise RunError(
            f"{at}: no trusted TLS connection ({_cause(error)}); check that the URL's scheme and "
            f"host are right and that elasticsearch.ca_certs ({settings.ca_certs or 'not set'}) "
            f"is the authority of the server's certificate{after}"
        ) from error
    except (es.ConnectionError, es.ConnectionTimeout) as error:
        raise RunError(
            f"{at} cannot be reached ({_cause(error)}); check elasticsearch.url and that the "
            f"server is up{after}"
        ) from error
    except es.UnsupportedProductError as error:
        raise RunError(
            f"{at} does not answer as Elasticsearch does; check elasticsearch.url{after}"
        ) from error
    except es.AuthenticationException as error:
        raise RunError(
            f"{at} does not accept the credentials (401); check "
            + (
                f"elasticsearch.username and the password in {settings.password_env}"
                if settings.username is not None
                else f"the API key in {settings.api_key_env}"
            )
            + after
        ) from error
    except es.AuthorizationException as error:
        raise RunError(
            f"{at} forbids it (403): {_reason(error)}; the user or API key needs what "
            f"schemas/elasticsearch/roles/{role_name}.json lists for indices {settings.prefix}-* "
            "(the first "
            f"publishing after an upgrade of exfilwatch: upgrade.json){after}"
        ) from error
    except es.ApiError as error:
        raise RunError(f"{at} answered {error.status_code}: {_reason(error)}{after}") from error
    except es.TransportError as error:
        raise RunError(f"{at}: {error}{after}") from error


def _cause(error: Any) -> str:
    """The innermost message of a transport error, on one line."""
    inner = error.errors[0] if error.errors else error
    return " ".join(str(inner).split())[:300]


def _reason(error: Any) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    detail = body.get("error")
    if isinstance(detail, dict) and detail.get("reason"):
        return str(detail["reason"])
    return str(detail or error.message)
