"""Publishing to Elasticsearch: findings are created once and never changed.

A document's id is the finding's own and its index follows from its own date, so that sending it
again can only meet what is there (409), and a run that was killed half-way is finished by running
it again. Nothing but such a 409 is passed over: whatever else is refused ends the stage, which
loses nothing, because the findings stay in the warehouse.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from jobs.errors import RunError
from schemas.config import Elasticsearch as Settings
from schemas.elastic import TEMPLATE_VERSION, findings_alias, findings_index, findings_template

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

REQUEST_SECONDS = 60
CHUNK_DOCUMENTS = 500
CHUNK_BYTES = 10 * 1024 * 1024
RETRIES = 4
FIRST_BACKOFF_SECONDS = 1.0
"""Doubles with every retry: 15 seconds in all for a server that is busy (429)."""
SHOWN_FAILURES = 3
ALREADY_THERE = 409
DEFAULT_PORT = 9200

ADVICE = {
    "cluster_block_exception": (
        "the index is read-only or the server's disk is full: free space, lift the block "
        '(PUT INDEX/_settings {"index.blocks.write": null, '
        '"index.blocks.read_only_allow_delete": null})'
    ),
    "security_exception": (
        "the user or API key needs the index privileges create_doc and auto_configure"
    ),
    "document_parsing_exception": (
        "the index holds a field with another type than exfilwatch's template gives it: it was "
        "made without the template"
    ),
    "es_rejected_execution_exception": "the server is overloaded: wait",
}
"""What to do about a refused document, by the server's error type."""


@dataclass(frozen=True)
class Sent:
    """How many documents were new, and how many were there from an earlier run."""

    created: int
    present: int


def publish_findings(settings: Settings, documents: Iterable[dict[str, Any]]) -> Sent:
    """Install the template where it is missing or old, and create what is not there yet.

    Raises RunError if the server cannot be reached, does not let us, or refuses a document.
    """
    with connect(settings) as client, _explain(settings):
        install_template(client, settings.prefix)
        return send_findings(client, settings.prefix, documents)


@contextmanager
def connect(settings: Settings) -> Iterator[Elasticsearch]:
    """A client with the credentials of the environment.

    Raises RunError where the settings cannot be used: credentials within the URL or about to cross
    a network in the clear, an unset password, a certificate file that is not there.
    """
    from elasticsearch import Elasticsearch

    address = _address(settings)
    options: dict[str, Any] = _credentials(settings)
    if options and address.scheme == "http" and not _is_loopback(address.hostname or ""):
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


def install_template(client: Elasticsearch, prefix: str) -> None:
    """Put the findings' template unless this version stands; add new fields to what exists.

    A newer version is left as it is: an older exfilwatch beside a newer one must not undo it.
    """
    name = findings_alias(prefix)
    if _installed_version(client, name) >= TEMPLATE_VERSION:
        return
    template = findings_template(prefix)
    client.indices.put_index_template(name=name, create=False, **_template_arguments(template))
    client.indices.put_mapping(
        index=f"{name}-*",
        allow_no_indices=True,
        properties=template["template"]["mappings"]["properties"],
    )


def send_findings(client: Elasticsearch, prefix: str, documents: Iterable[dict[str, Any]]) -> Sent:
    """Create the documents in bulk; RunError with the first few reasons if any is refused."""
    from elasticsearch.helpers import streaming_bulk

    actions = (
        {
            "_op_type": "create",
            "_index": findings_index(prefix, document["@timestamp"]),
            "_id": document["event"]["id"],
            "_source": document,
        }
        for document in documents
    )
    created = present = 0
    refused: list[dict[str, Any]] = []
    for accepted, answer in streaming_bulk(
        client,
        actions,
        chunk_size=CHUNK_DOCUMENTS,
        max_chunk_bytes=CHUNK_BYTES,
        raise_on_error=False,
        max_retries=RETRIES,
        initial_backoff=FIRST_BACKOFF_SECONDS,
    ):
        item = answer["create"]
        if accepted:
            created += 1
        elif item["status"] == ALREADY_THERE:
            present += 1
        else:
            refused.append(item)
    if refused:
        raise RunError(_describe_refusals(refused, created, present))
    return Sent(created, present)


def _installed_version(client: Elasticsearch, name: str) -> int:
    from elasticsearch import NotFoundError

    try:
        found = client.indices.get_index_template(name=name)["index_templates"]
    except NotFoundError:
        return 0
    meta = found[0]["index_template"].get("_meta") or {}
    version = meta.get("version", 0)
    return version if isinstance(version, int) else 0


def _template_arguments(template: dict[str, Any]) -> dict[str, Any]:
    return {("meta" if key == "_meta" else key): value for key, value in template.items()}


def _describe_refusals(refused: list[dict[str, Any]], created: int, present: int) -> str:
    lines = [
        f"Elasticsearch refused {len(refused)} of {len(refused) + created + present} findings; "
        "they stay in the findings table and are sent by the next run of the day"
    ]
    for item in refused[:SHOWN_FAILURES]:
        error = item["error"]
        cause = (error.get("caused_by") or {}).get("reason")
        reason = f"{error['reason']}: {cause}" if cause else error["reason"]
        lines.append(f"  {item['_index']}/{item['_id']}: {reason} ({item['status']})")
    if len(refused) > SHOWN_FAILURES:
        lines.append(f"  … and {len(refused) - SHOWN_FAILURES} more")
    kinds = sorted({item["error"]["type"] for item in refused} & set(ADVICE))
    lines += [f"  {ADVICE[kind]}, then run the day again" for kind in kinds]
    return "\n".join(lines)


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


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def _explain(settings: Settings) -> Iterator[None]:
    """Turn the client's errors into one sentence with what to do."""
    import elasticsearch as es

    at = f"Elasticsearch at {settings.url}"
    after = "; findings.ndjson and the report are written, run the day again to send the rest"
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
            f"{at} forbids it (403): {_reason(error)}; the user or API key needs the cluster "
            "privilege manage_index_templates and, on the indices "
            f"{findings_alias(settings.prefix)}-*, create_doc and auto_configure (the first run "
            f"after an upgrade of exfilwatch also manage){after}"
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
