"""The job config: shipped defaults merged with the user's file, checked as a whole.

All checks that need no engine are here. All problems are raised at once, each with its file, line
and key. So a run either starts with a sound config or writes nothing. A message never repeats a
value that may be a secret.
"""

from __future__ import annotations

import difflib
import logging
import re
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from jobs.inputs.yaml_with_lines import Document, Location, dotted, read_yaml
from jobs.platform.errors import InputError
from schemas.config import JobConfig

logger = logging.getLogger(__name__)

DEFAULTS = Path(__file__).parents[1] / "configs" / "default.yml"
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
SERVER_URL = re.compile(r"https?://[^/\s@]+(/[^\s@]*)?")
STORAGE_SCHEMES = ("s3a://", "gs://", "abfss://", "hdfs://")
HDFS_SCHEMES = ("hdfs://", "viewfs://", "webhdfs://")
HDFS_URL = re.compile(r"hdfs://[^/\s@]+(/.*)?")
HDFS_EXPECTED = (
    "on HDFS, hdfs://namenode:port/folder is expected, or the name of a nameservice in place of "
    "namenode:port; its addresses then come from the files in HADOOP_CONF_DIR"
)
SERVER_URL_EXPECTED = (
    "http(s)://host:port without user or password is expected; secrets come from the environment "
    "variables named in `api_key_env` or `password_env`"
)
GLOB_CHARACTERS = re.compile(r"[*?\[{]")
SECRET_KEYS = re.compile(r"(_env|url|key|password|token|secret)$")
SHOWN_CHARS = 80
Problem = tuple[Location, str]


def load_config(path: Path, out: Path | None = None) -> JobConfig:
    """The config at ``path`` over the shipped defaults, with absolute paths.

    ``out`` replaces the key ``output``; it is relative to the working folder. Raises
    :class:`InputError` with every problem. Writes nothing.
    """
    user = read_yaml(path)
    merged = merge(read_yaml(DEFAULTS).values, user.values)
    settings = _anchor_paths(merged, path.absolute().parent)
    if out is not None:
        settings["output"] = str(out.absolute())
    config, problems = _validate(settings)
    problems += _detector_problems(settings.get("detectors"))
    problems += _place_problems(settings, explicit=set(user.values))
    if config is None or problems:
        raise InputError(_render(problems, user))
    if not Path(config.context).exists():
        logger.warning("no context folder %s: far less can be detected", config.context)
    return config


def merge(defaults: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """``values`` over ``defaults``: mappings key by key, everything else as a whole.

    A section left empty (all its keys commented out) changes nothing.
    """
    merged = dict(defaults)
    for key, value in values.items():
        default = defaults.get(key)
        if isinstance(default, dict) and isinstance(value, dict):
            merged[key] = merge(default, value)
        elif not (isinstance(default, dict) and value is None):
            merged[key] = value
    return merged


def _anchor_paths(settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Make relative paths start at ``folder``. Values of a wrong type stay for the validation."""

    def anchor(value: Any) -> Any:
        if not isinstance(value, str) or not value or URL.match(value):
            return value
        return str(folder / value)

    def anchor_key(section: Any, key: str) -> Any:
        if isinstance(section, dict) and key in section:
            return {**section, key: anchor(section[key])}
        return section

    anchored = dict(settings)
    for key in ("context", "storage", "output"):
        anchored = anchor_key(anchored, key)
    anchored["elasticsearch"] = anchor_key(settings.get("elasticsearch"), "ca_certs")
    anchored["privacy"] = anchor_key(settings.get("privacy"), "identities")
    if isinstance(settings.get("sources"), list):
        anchored["sources"] = [anchor_key(source, "path") for source in settings["sources"]]
    return anchored


def _validate(settings: dict[str, Any]) -> tuple[JobConfig | None, list[Problem]]:
    # Strict: `late_days: yes` and `name: 7` are problems.
    try:
        return JobConfig.model_validate(settings, strict=True), []
    except ValidationError as error:
        return None, [_problem(dict(item)) for item in error.errors(include_url=False)]


def _problem(item: dict[str, Any]) -> Problem:
    location: Location = tuple(part for part in item["loc"] if part != "[key]")
    if item["type"] == "extra_forbidden":
        return location, _unknown_key(location)
    hint = _meaning(location)
    if item["type"] == "missing":
        return location, f"missing{hint}"
    if item["type"] in ("model_type", "dict_type"):
        return location, f"expected a mapping of keys{hint}"
    message = item["msg"].removeprefix("Value error, ").removeprefix("Input ")
    value = item.get("input")
    secret = any(SECRET_KEYS.search(str(part)) for part in location)
    if item["type"] != "value_error" and not secret and not isinstance(value, dict | list):
        message += f", not {_shown(value)}"
    return location, f"{message}{hint}"


def _unknown_key(location: Location) -> str:
    model = _model_at(location[:-1])
    known = list(model.model_fields) if model else []
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    guess = f"; did you mean `{near[0]}`?" if near else ""
    return f"unknown key{guess} (known here: {', '.join(known)})"


def _meaning(location: Location) -> str:
    model = _model_at(location[:-1])
    field = model.model_fields.get(str(location[-1])) if model and location else None
    return f" ({' '.join(field.description.split())})" if field and field.description else ""


def _model_at(location: Location) -> type[BaseModel] | None:
    """The part of the schema that holds the keys under ``location``."""
    model: type[BaseModel] | None = JobConfig
    for part in location:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part) if model else None
        model = _model_in(field.annotation) if field else None
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, BaseModel) else None
    found = (_model_in(inner) for inner in typing.get_args(annotation))
    return next((model for model in found if model), None)


def _detector_problems(overrides: Any) -> list[Problem]:
    if not isinstance(overrides, dict):
        return []  # the schema reports this, and sections that are no mapping
    sections = {name: section for name, section in overrides.items() if isinstance(section, dict)}
    if not sections:
        return []
    from models.detectors import detector_settings

    try:
        detector_settings(sections)
    except ValueError as error:
        return [_detector_problem(line) for line in str(error).splitlines()]
    return []


def _detector_problem(line: str) -> Problem:
    """The place and the text of ``detectors.NAME.KEY: TEXT``."""
    place, _, text = line.partition(": ")
    return tuple(place.split(".")), text


def _place_problems(settings: dict[str, Any], explicit: set[str]) -> list[Problem]:
    problems: list[Problem] = []
    sources = settings.get("sources")
    for place, source in enumerate(sources if isinstance(sources, list) else []):
        value = source.get("path") if isinstance(source, dict) else None
        if isinstance(value, str) and not URL.match(value) and not fixed_folder(value).is_dir():
            problems.append(
                (("sources", place, "path"), f"the folder {fixed_folder(value)} does not exist")
            )
    for key in ("context", "storage", "output"):
        problem = _folder_problem(key, settings.get(key), key in explicit)
        if problem:
            problems.append(((key,), problem))
    problem = _identities_problem(settings.get("privacy"), settings.get("output"))
    if problem:
        problems.append((("privacy", "identities"), problem))
    section = settings.get("elasticsearch")
    url = section.get("url") if isinstance(section, dict) else None
    if isinstance(url, str) and not SERVER_URL.fullmatch(url):
        problems.append((("elasticsearch", "url"), SERVER_URL_EXPECTED))
    return problems


def _folder_problem(key: str, value: Any, explicit: bool) -> str | None:
    if not isinstance(value, str):
        return None  # already a problem of the schema
    if URL.match(value):
        if key == "context":
            return "must be a local folder, not a URL"
        if value.startswith(HDFS_SCHEMES):
            return None if HDFS_URL.fullmatch(value) else HDFS_EXPECTED
        if not value.startswith(STORAGE_SCHEMES):
            return f"must be a local folder or begin with {', '.join(STORAGE_SCHEMES)}"
        return None
    if Path(value).exists() and not Path(value).is_dir():
        return f"{value} is not a folder"
    if key == "context" and explicit and not Path(value).exists():
        return f"the folder {value} does not exist"
    return None


def _identities_problem(section: Any, output: Any) -> str | None:
    value = section.get("identities") if isinstance(section, dict) else None
    if not isinstance(value, str) or not isinstance(output, str):
        return None  # already a problem of the schema
    if URL.match(value):
        return "must be a local folder, not a URL"
    if Path(value).exists() and not Path(value).is_dir():
        return f"{value} is not a folder"
    if section.get("pseudonymize") and Path(value).resolve().is_relative_to(Path(output).resolve()):
        return f"must not lie in `output` ({output}), whose readers may see no identity"
    return None


def fixed_folder(pattern: str) -> Path:
    """The folders of a path pattern before its first `{…}` or glob character."""
    parts = Path(pattern).parts
    fixed = parts[:-1]
    for place, part in enumerate(fixed):
        if GLOB_CHARACTERS.search(part):
            return Path(*parts[:place])
    return Path(*fixed)


def _render(problems: list[Problem], user: Document) -> list[str]:
    lines = [
        (user.line(location), f"{dotted(location)}: " if location else "", text)
        for location, text in problems
    ]
    return [f"{user.path}:{line}: {key}{text}" for line, key, text in sorted(lines)]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…"
