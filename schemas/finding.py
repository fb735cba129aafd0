"""The finding: its model, the recipe of its id, and a check of whole documents.

A document is nested objects throughout (``{"event": {"id": …}}``), ECS names where ECS has them.
Times are ISO 8601 in UTC with ``Z``. ``finding.schema.json`` is the JSON Schema of
:class:`PublishedFinding`, for those who read findings.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, get_args

from pydantic import Field as Member
from pydantic import ValidationError, WithJsonSchema

from schemas.finding_values import Boolean, Float, Integer, Keyword, Kind, Part, Ratio, Text, Time
from schemas.tables.values import WINDOWS

MODULE = "exfilwatch"
TYPES = ("keyword", "date", "float", "integer", "text", "boolean", "nested")
ID = re.compile(r"[0-9a-f]{32}")
SEVERITY_FROM = (0, 22, 48, 74)
"""Least score of severity 1 low, 2 medium, 3 high, 4 critical."""
SEVERITIES = ("low", "medium", "high", "critical")
"""Names of severity 1 to 4."""
KEPT_PER_BUDGET = 10
"""Findings of a day that are kept, as a multiple of the day's alert budget."""


@dataclass(frozen=True)
class Field:
    """One field by its dotted path; ``many``: a list; ``nullable``: may be null (not known)."""

    path: str
    type: str
    meaning: str
    many: bool = False
    nullable: bool = False


class Event(Part):
    """How the finding stands in the queue of an analyst."""

    id: Keyword = Member(json_schema_extra={"pattern": f"^{ID.pattern}$"})
    """deterministic id, see finding_id"""
    kind: Keyword = Member(json_schema_extra={"const": "alert"})
    """always `alert`"""
    category: list[Keyword]
    """ECS categories that fit"""
    module: Keyword = Member(json_schema_extra={"const": MODULE})
    """name of the product"""
    risk_score: Float = Member(json_schema_extra={"minimum": 0, "maximum": 100})
    """0–100, the sum of the contributions' points"""
    severity: Integer = Member(json_schema_extra={"enum": [1, 2, 3, 4]})
    """1 low, 2 medium, 3 high, 4 critical"""
    reason: Text
    """one plain sentence with the figures that matter"""
    start: Time
    """first event of the evidence"""
    end: Time
    """last event of the evidence"""


class User(Part):
    """Whom it is about."""

    id: Keyword
    """user_id of the directory, else the raw principal"""
    name: Keyword
    """display name, else the id"""
    email: Keyword | None
    """of the directory"""


class Related(Part):
    """Identities, addresses and hosts of the evidence."""

    user: list[Keyword]
    """all identities in the evidence"""
    ip: list[Keyword]
    """all addresses in the evidence"""
    hosts: list[Keyword]
    """all hosts and clusters in the evidence"""


class Rule(Part):
    """The leading detector."""

    name: Keyword
    """detector with the most points"""


class Technique(Part):
    """Techniques of ATT&CK and ATLAS."""

    id: list[Keyword]
    """ATT&CK and ATLAS ids"""


class Tactic(Part):
    """Their tactics."""

    name: list[Keyword]
    """names of their tactics"""


class Threat(Part):
    """Techniques and tactics of ATT&CK and ATLAS."""

    technique: Technique
    """techniques"""
    tactic: Tactic
    """their tactics"""


class Asset(Part):
    """One asset of the evidence."""

    id: Keyword
    """asset_id, or the URI of a container that is not listed"""
    kind: Keyword | None
    """kind of asset"""
    owner_team: Keyword | None
    """team that owns it"""
    sensitivity: Integer | None
    """1 public to 5 frontier weights; an unlisted place inherits it from what was copied there"""
    objects: Integer
    """distinct objects touched in the window"""
    objects_total: Integer | None
    """objects of the whole asset"""
    bytes: Integer | None
    """bytes taken in the window"""
    bytes_estimated: Integer | None
    """bytes taken besides, which no log tells, estimated from the asset's size"""
    coverage: Ratio | None
    """share of the asset read, 0–1"""
    first_access: Boolean
    """first touched within the window"""


class Contribution(Part):
    """Part of the score that one detector gave."""

    detector: Keyword
    """name of the detector"""
    family: Keyword
    """detectors that see the same facts"""
    points: Float = Member(json_schema_extra={"minimum": 0})
    """part of the score"""
    p_value: Ratio
    """calibrated, lower is more unusual"""
    observed: Float
    """the observed amount, in `unit`"""
    expected: Float | None
    """the expected amount, in `unit`"""
    unit: Keyword
    """unit of observed and expected"""
    reason: Text
    """one plain sentence"""


class Exfil(Part):
    """What ECS has no names for."""

    assets: list[Asset]
    """assets of the evidence, the leading one first"""
    contributions: list[Contribution]
    """the parts of the score"""
    queue_rank: Integer = Member(json_schema_extra={"minimum": 1})
    """place in the day's queue, 1 is first"""
    in_budget: Boolean
    """within the day's alert budget"""
    window: Keyword = Member(json_schema_extra={"enum": [*WINDOWS]})
    """1h, 1d, 7d, 30d or 90d"""
    case_id: Keyword = Member(json_schema_extra={"pattern": f"^{ID.pattern}$"})
    """case that the finding belongs to: event.id of the first finding of the story"""


class Finding(Part):
    """One identity in one window, with everything that speaks against it."""

    timestamp: Annotated[Time, Member(alias="@timestamp")]
    """when the window's evidence ends"""
    event: Event
    """how it stands in the queue"""
    user: User
    """the identity that the finding is about"""
    related: Related
    """identities, addresses and hosts of the evidence"""
    rule: Rule
    """the leading detector"""
    threat: Threat
    """techniques and tactics of ATT&CK and ATLAS"""
    exfil: Exfil
    """fields without a name in ECS"""


class PublishedExfil(Exfil):
    """The same with the day of the queue."""

    day: Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]
    """day whose queue it is in; its evidence may end before"""


class PublishedFinding(Finding):
    """A finding as a line of findings.ndjson or a document of Elasticsearch holds it."""

    exfil: PublishedExfil
    """fields without a name in ECS"""


def _fields(model: type[Part], prefix: str = "") -> Iterator[Field]:
    """The fields below ``prefix``; objects that are no list have none of their own."""
    for name, member in model.model_fields.items():
        path, meaning = f"{prefix}{member.alias or name}", member.description or ""
        kinds = [each for each in member.metadata if isinstance(each, Kind)]
        inner, many, nullable = _unpacked(member.annotation)
        if isinstance(inner, type) and issubclass(inner, Part):
            if many:
                yield Field(path, "nested", meaning, many=True)
            yield from _fields(inner, f"{path}.")
        else:
            kinds += [each for each in get_args(inner) if isinstance(each, Kind)]
            yield Field(path, kinds[0].name, meaning, many, nullable)


def _unpacked(annotation: Any) -> tuple[Any, bool, bool]:
    """What a list or an optional value holds, whether it is a list, whether it may be null."""
    inner = get_args(annotation)
    if type(None) in inner:
        return inner[0], False, True
    if getattr(annotation, "__origin__", None) is list:
        return inner[0], True, False
    return annotation, False, False


FIELDS = tuple(_fields(Finding))
"""Every field of a finding; a document has all of them and no other."""


def finding_id(
    entity: str,
    day: date,
    window: str,
    start: str,
    end: str,
    assets: Sequence[tuple[str, int, int | None]],
) -> str:
    """Id of a finding: a hash of who, when, and the raw amounts (asset, objects, bytes) touched.

    Scores, p-values and ranks are left out, because they move with the conduct of others: the same
    evidence gives the same id. Changing this recipe is a breaking change.
    """
    evidence = [entity, day.isoformat(), window, start, end, sorted(map(list, assets), key=str)]
    text = json.dumps(evidence, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def severity(score: float) -> int:
    """Severity of a score of 0 to 100: 1 low, 2 medium, 3 high, 4 critical."""
    return sum(score >= least for least in SEVERITY_FROM)


def detectors_of(finding: Mapping[str, Any]) -> list[str]:
    """Detectors that gave points to a finding, in its order."""
    parts = finding["exfil"]["contributions"]
    return list(dict.fromkeys(part["detector"] for part in parts if part["points"] > 0))


def validate_finding(document: Mapping[str, Any]) -> list[str]:
    """Every way in which a document breaks the contract, one sentence each; empty if none."""
    try:
        Finding.model_validate(document)
    except ValidationError as error:
        return sorted({_problem(dict(item)) for item in error.errors(include_url=False)})
    return _score_problems(document) + _field_problems(document) + _range_problems(document)


def _score_problems(document: Mapping[str, Any]) -> list[str]:
    """The score lies in 0 to 100, is the sum of the points, and gives the severity."""
    problems: list[str] = []
    event, exfil = document["event"], document["exfil"]
    score, points = event["risk_score"], [c["points"] for c in exfil["contributions"]]
    if not 0 <= score <= 100:
        problems.append(f"event.risk_score: 0 to 100 expected, not {score}")
    if sum(points) != score:
        problems.append(f"exfil.contributions: points sum to {sum(points)}, not to {score}")
    level = severity(score)
    if event["severity"] != level:
        problems.append(f"event.severity: {level} expected for {score}, not {event['severity']}")
    return problems


def _field_problems(document: Mapping[str, Any]) -> list[str]:
    """Single fields, and fields that must agree with each other."""
    problems: list[str] = []
    event, exfil = document["event"], document["exfil"]
    if not ID.fullmatch(event["id"]):
        problems.append(f"event.id: 32 hexadecimal digits expected, not {event['id']!r}")
    if not ID.fullmatch(exfil["case_id"]):
        problems.append(f"exfil.case_id: 32 hexadecimal digits expected, not {exfil['case_id']!r}")
    if event["kind"] != "alert" or event["module"] != MODULE:
        problems.append(f"event.kind, event.module: `alert`, `{MODULE}` expected")
    if exfil["window"] not in WINDOWS:
        problems.append(f"exfil.window: one of {', '.join(WINDOWS)} expected")
    if exfil["queue_rank"] < 1:
        problems.append(f"exfil.queue_rank: at least 1 expected, not {exfil['queue_rank']}")
    if event["start"] > event["end"] or document["@timestamp"] != event["end"]:
        problems.append("event.start ≤ event.end = @timestamp expected")
    if (
        not exfil["contributions"]
        or exfil["contributions"][0]["detector"] != document["rule"]["name"]
    ):
        problems.append("rule.name: the detector of the first contribution expected")
    return problems


def _range_problems(document: Mapping[str, Any]) -> list[str]:
    """Numbers of contributions and assets lie in their ranges."""
    problems: list[str] = []
    exfil = document["exfil"]
    for place, contribution in enumerate(exfil["contributions"]):
        if not 0 <= contribution["p_value"] <= 1:
            problems.append(f"exfil.contributions[{place}].p_value: 0 to 1 expected")
        if contribution["points"] < 0:
            problems.append(f"exfil.contributions[{place}].points: at least 0 expected")
    for place, asset in enumerate(exfil["assets"]):
        if asset["coverage"] is not None and not 0 <= asset["coverage"] <= 1:
            problems.append(f"exfil.assets[{place}].coverage: 0 to 1 expected")
    return problems


def _problem(item: dict[str, Any]) -> str:
    """One problem that pydantic found, by the field's path."""
    path = ".".join(str(part) for part in item["loc"] if not isinstance(part, int))
    match item["type"]:
        case "missing":
            return f"{path}: missing"
        case "extra_forbidden":
            return f"{path}: no such field"
        case "model_type" | "dict_type":
            return f"{path}: an object expected"
        case "list_type":
            return f"{path}: a list expected"
        case _:
            return f"{path}: {item['msg'].removeprefix('Value error, ')}, not {item['input']!r}"
