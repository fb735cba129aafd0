"""Builds the Kibana objects and installs them by Kibana's HTTP interface.

Kibana answers 200 even if it imported only a part, so the body is read. Redirects are not followed,
so credentials go to the given address only.
"""

from __future__ import annotations

import base64
import json
import os
import re
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from jobs.platform.elasticsearch import is_loopback
from jobs.platform.errors import InputError, RunError
from jobs.platform.errors_in_words import chain, one_line
from schemas.kibana import as_ndjson, saved_objects
from schemas.kibana.rule import detection_rule
from schemas.kibana.site import DEFAULT_SPACE, Runbook, Site
from schemas.techniques import Claim

KEY_VARIABLE = "EXFILWATCH_KIBANA_API_KEY"
PASSWORD_VARIABLE = "EXFILWATCH_KIBANA_PASSWORD"  # noqa: S105  a name
LEAST_VERSION = "8.19"
REQUEST_SECONDS = 120
MAX_ANSWER_BYTES = 16 * 1024 * 1024
SHOWN_ERRORS = 10
PREFIX = re.compile(r"[a-z][a-z0-9_-]{0,60}")
SPACE = re.compile(r"[a-z0-9_-]+")


@dataclass(frozen=True)
class Kibana:
    """Kibana's address and our user. ``username`` None: the API key of the environment, if any."""

    url: str
    username: str | None = None
    ca_certs: Path | None = None


def site(prefix: str, space: str) -> Site:
    """The site. Raises InputError for an invalid prefix or space."""
    problems = []
    if not PREFIX.fullmatch(prefix):
        problems.append(f"--prefix {prefix!r}: a lower-case word expected, as elasticsearch.prefix")
    if not SPACE.fullmatch(space):
        problems.append(
            f"--space {space!r}: the identifier of a space expected: lower-case letters, "
            "digits, _ and - (it follows /s/ in Kibana's address)"
        )
    if problems:
        raise InputError(problems)
    return Site(prefix, space)


def build_objects(at: Site) -> str:
    """The saved objects as NDJSON."""
    return as_ndjson(saved_objects(at, _runbooks()))


def build_rule(at: Site, url: str) -> str:
    """The detection rule as NDJSON. Its links begin with ``url``, Kibana's address."""
    page = url.rstrip("/") + _space_path(at)
    return as_ndjson([detection_rule(at, _runbooks(), _claims(), page)])


def install_objects(kibana: Kibana, at: Site) -> int:
    """Import the saved objects in place of earlier ones, and return their number.

    Raises InputError for an unusable address or unusable credentials. Raises RunError if Kibana
    cannot be reached or refuses an object.
    """
    answer = _post(kibana, at, "/api/saved_objects/_import", build_objects(at))
    if answer.get("success") is not True:
        raise RunError(_describe(kibana, "objects", map(_object_error, _errors(answer))))
    return int(answer.get("successCount", 0))


def install_rule(kibana: Kibana, at: Site) -> None:
    """Import the detection rule in place of an earlier one; raises as :func:`install_objects`."""
    text = build_rule(at, kibana.url)
    answer = _post(kibana, at, "/api/detection_engine/rules/_import", text)
    if answer.get("success") is not True:
        raise RunError(_describe(kibana, "the detection rule", map(_rule_error, _errors(answer))))


def _runbooks() -> dict[str, Runbook]:
    from models.detectors import describe, detector_names

    described = map(describe, detector_names())
    return {each.name: Runbook(each.title, each.runbook) for each in described}


def _claims() -> list[Claim]:
    from models.detectors import describe, detector_names

    described = map(describe, detector_names())
    return [Claim(tuple(t.id for t in each.techniques), each.tactics) for each in described]


def _post(kibana: Kibana, at: Site, path: str, ndjson: str) -> dict[str, Any]:
    """Send a file as a form does, and return Kibana's answer."""
    headers = {**_headers(kibana), "kbn-xsrf": "true", "Accept-Encoding": "identity"}
    try:
        # The environment's proxies and netrc would send the credentials elsewhere.
        with (
            httpx.Client(
                verify=_trust(kibana),
                trust_env=False,
                follow_redirects=False,
                timeout=REQUEST_SECONDS,
            ) as client,
            client.stream(
                "POST",
                f"{kibana.url.rstrip('/')}{_space_path(at)}{path}?overwrite=true",
                headers=headers,
                files={"file": ("exfilwatch.ndjson", ndjson, "application/ndjson")},
            ) as reply,
        ):
            text = _body(reply)
    except httpx.HTTPError as error:
        raise RunError(_unreachable(kibana, error)) from error
    if not reply.is_success:
        raise RunError(_refusal(kibana, at, reply, _said(text)))
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or "success" not in answer:
        raise RunError(f"{kibana.url} does not answer as Kibana does; check --url")
    return answer


def _body(reply: httpx.Response) -> bytes:
    """The answer's body. Raises if it exceeds the limits of size and time."""
    end = time.monotonic() + REQUEST_SECONDS
    body = b""
    for part in reply.iter_raw():
        body += part
        if len(body) > MAX_ANSWER_BYTES or time.monotonic() > end:
            raise httpx.ReadError(
                f"the answer is larger than {MAX_ANSWER_BYTES:,} bytes or takes longer than "
                f"{REQUEST_SECONDS} s"
            )
    return body


def _headers(kibana: Kibana) -> dict[str, str]:
    """The environment's credentials, if any. Raises InputError if they cannot be used."""
    try:
        address = urlsplit(kibana.url)
        host = address.hostname if address.port != 0 else None
    except ValueError:
        host = None
    if not host or address.scheme not in ("http", "https") or address.query or address.fragment:
        raise InputError([f"--url {kibana.url!r}: expected https://host:5601"])
    if address.username is not None or address.password is not None:
        raise InputError(
            [f"--url: holds credentials; use {KEY_VARIABLE} or --username and {PASSWORD_VARIABLE}"]
        )
    if kibana.username is not None:
        password = os.environ.get(PASSWORD_VARIABLE)
        if not password:
            raise InputError([f"--username is given, but {PASSWORD_VARIABLE} is not set"])
        pair = base64.b64encode(f"{kibana.username}:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}"}
    else:
        api_key = os.environ.get(KEY_VARIABLE, "")
        if not (api_key.isascii() and api_key.isprintable()):
            raise InputError([f"{KEY_VARIABLE} holds a line break or another odd character"])
        headers = {"Authorization": f"ApiKey {api_key}"} if api_key else {}
    if headers and address.scheme == "http" and not is_loopback(host):
        raise InputError(
            [f"--url {kibana.url}: credentials would cross the network unencrypted; use https"]
        )
    return headers


def _trust(kibana: Kibana) -> ssl.SSLContext:
    if kibana.ca_certs is None:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cafile=kibana.ca_certs)
    except OSError as error:  # ssl.SSLError is one
        raise InputError(
            [f"--ca-certs {kibana.ca_certs}: no PEM file of certificates ({error})"]
        ) from error


def _space_path(at: Site) -> str:
    return "" if at.space == DEFAULT_SPACE else f"/s/{at.space}"


def _said(body: bytes) -> str:
    """Kibana's message in an error's body, on one line."""
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    message = answer.get("message") if isinstance(answer, Mapping) else None
    return " ".join(str(message).split())[:500] if message else ""


def _refusal(kibana: Kibana, at: Site, reply: httpx.Response, said: str) -> str:
    who = (
        f"--username and {PASSWORD_VARIABLE}"
        if kibana.username is not None
        else f"the API key in {KEY_VARIABLE}"
    )
    where = "the default space" if at.space == DEFAULT_SPACE else f"the space {at.space}"
    advice = {
        401: f"the credentials are not accepted; check {who}",
        403: (
            f"not allowed; in {where} the user or API key needs the Kibana privileges Saved "
            "Objects Management: All, and for the detection rule Security: All with read on the "
            "findings' indices"
        ),
        404: (
            f"not found; check --url (with its base path, if any), that {where} exists, and for "
            "the detection rule that Security is on there"
        ),
        409: "a conflict: somebody else is changing the same objects; try again",
        413: "the file is too large for this Kibana; raise savedObjects.maxImportPayloadBytes",
        422: f"the file does not fit this Kibana; {LEAST_VERSION} or later is needed",
    }
    status = reply.status_code
    if status in (301, 302, 303, 307, 308):
        to = " ".join((reply.headers.get("Location") or "elsewhere").split())[:200]
        meant = f"it sends us to {to}; give the final address as --url"
    else:
        meant = advice.get(status, "try again; Kibana's own log says more")
    return f"Kibana at {kibana.url} answered {status}: {meant}" + (f" ({said})" if said else "")


def _unreachable(kibana: Kibana, error: httpx.HTTPError) -> str:
    cause = one_line(error)[:300]
    if any(isinstance(cause, ssl.SSLError) for cause in chain(error)):
        return (
            f"Kibana at {kibana.url}: no trusted TLS connection ({cause}); check that the address "
            f"is right and that --ca-certs ({kibana.ca_certs or 'not given'}) is the authority of "
            "the server's certificate"
        )
    return f"Kibana at {kibana.url} cannot be reached ({cause}); check --url and that it is up"


def _errors(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    errors = answer.get("errors")
    return [each for each in errors if isinstance(each, Mapping)] if errors else []


def _object_error(error: Mapping[str, Any]) -> str:
    detail = error.get("error") or {}
    missing = ", ".join(f"{each['type']} {each['id']}" for each in detail.get("references") or [])
    said = detail.get("message") or (f"needs {missing}" if missing else "")
    return f"{error.get('type')} {error.get('id')}: {detail.get('type')}" + (
        f" ({said})" if said else ""
    )


def _rule_error(error: Mapping[str, Any]) -> str:
    detail = error.get("error") or {}
    return f"{error.get('rule_id')}: {detail.get('message')} ({detail.get('status_code')})"


def _describe(kibana: Kibana, what: str, errors: Iterable[str]) -> str:
    refused = [" ".join(each.split()) for each in errors]
    lines = [f"Kibana at {kibana.url} did not accept all of {what}; correct this and install again"]
    lines += [f"  {each}" for each in refused[:SHOWN_ERRORS]]
    if len(refused) > SHOWN_ERRORS:
        lines.append(f"  … and {len(refused) - SHOWN_ERRORS} more")
    return "\n".join(lines)
