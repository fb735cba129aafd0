"""The job config: defaults, merging, paths and secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jobs.inputs.config import DEFAULTS, fixed_folder, load_config, merge
from schemas.config import JobConfig, Scoring
from schemas.settings import Settings
from tests.worlds.job_configs import SOURCE, problems_of


def test_defaults_hold_every_setting_but_the_sources() -> None:
    defaults = yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))

    def missing(model: type[Settings], values: dict[str, Any], at: str) -> list[str]:
        found = []
        for name, field in model.model_fields.items():
            if name not in values:
                found.append(at + name)
            elif isinstance(field.annotation, type) and issubclass(field.annotation, Settings):
                found += missing(field.annotation, values[name], f"{at}{name}.")
        return found

    assert missing(JobConfig, defaults, "") == ["sources"]


def test_schema_and_default_file_agree() -> None:
    defaults = yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))
    assert {
        name: (field.default, defaults["scoring"][name])
        for name, field in Scoring.model_fields.items()
        if not field.is_required() and field.default != defaults["scoring"][name]
    } == {}


def test_every_default_has_a_comment() -> None:
    lines = DEFAULTS.read_text(encoding="utf-8").splitlines()
    settings = [line for line in lines if ":" in line.split("#")[0]]
    bare = [
        line
        for line in settings
        if "#" not in line and not line.endswith(":") and not line.strip()[0].isdigit()
    ]
    assert bare == []


def test_smallest_job_gets_the_defaults_and_absolute_paths(job: Path) -> None:
    config = load_config(job)
    assert config.late_days == 2
    assert config.alert_budget == 10
    assert config.engine == "sail"
    assert config.quality.max_reject_share == 0.5
    assert config.scoring.sensitivity_weights == {1: 0.3, 2: 0.6, 3: 1.0, 4: 1.4, 5: 1.8}
    assert config.sources[0].path == f"{job.parent}/raw/{{yyyy}}/{{mm}}/{{dd}}/*.json"
    assert config.context == str(job.parent / "context")
    assert config.storage == str(job.parent / "warehouse")
    assert config.output == str(job.parent / "out")
    assert config.elasticsearch.ca_certs is None


def test_a_job_changes_only_its_own_keys(job: Path) -> None:
    job.write_text(
        SOURCE + "alert_budget: 3\n"
        "quality: {warn_reject_share: 0.25}\n"
        "scoring: {sensitivity_weights: {5: 3}}\n"
        "graph:\n"  # all its keys commented out
        "own_accounts: ['111122223333']\n"
    )
    config = load_config(job)
    assert config.alert_budget == 3
    assert config.quality.warn_reject_share == 0.25
    assert config.quality.max_silent_hours == 12
    assert config.scoring.sensitivity_weights == {1: 0.3, 2: 0.6, 3: 1.0, 4: 1.4, 5: 3.0}
    assert config.graph.window_days == 30
    assert config.own_accounts == ["111122223333"]


def test_sources_have_the_jobs_proxies_or_their_own(job: Path) -> None:
    job.write_text(
        "sources:\n- {name: a, format: github_audit, path: 'a'}\n"
        "- {name: b, format: github_audit, path: 'b', trusted_proxies: []}\n"
        "trusted_proxies: [10.0.0.0/8, '2001:DB8::/32', 192.0.2.1]\n"
    )
    one, other = load_config(job).sources
    assert one.trusted_proxies == ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1/32"]
    assert other.trusted_proxies == []


def test_networks_of_proxies_are_checked_once_each(job: Path) -> None:
    first, second = problems_of(job, SOURCE + "trusted_proxies: [10.0.0.0/8, 10.1.1.1/8, edge]\n")
    assert first.startswith("job.yml:3: trusted_proxies[1]: 10.1.1.1/8 has host bits set")
    assert second.startswith("job.yml:3: trusted_proxies[2]: 'edge' does not appear to be an IPv4")


def test_urls_stay_and_absolute_paths_stay(job: Path, tmp_path: Path) -> None:
    (tmp_path / "ctx").mkdir()
    job.write_text(
        "sources: [{name: a, format: github_audit, path: 's3a://logs/{yyyy}/*.json'}]\n"
        f"storage: s3a://lake/warehouse\ncontext: {tmp_path}/ctx\n"
    )
    config = load_config(job)
    assert config.sources[0].path == "s3a://logs/{yyyy}/*.json"
    assert config.storage == "s3a://lake/warehouse"
    assert config.context == f"{tmp_path}/ctx"


def test_out_replaces_the_output(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_config(job, Path("results")).output == str(tmp_path / "results")


def test_relative_config_path(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(job.parent)
    assert load_config(Path("job.yml")) == load_config(job)


@pytest.mark.parametrize("engine", ["sail", "local[2]", "yarn"])
@pytest.mark.parametrize("storage", ["hdfs://namenode:8020/warehouse", "hdfs://nameservice/w"])
def test_storage_on_hdfs_is_accepted_with_every_engine(
    engine: str, storage: str, tmp_path: Path
) -> None:
    job = tmp_path / "job.yml"
    (tmp_path / "raw").mkdir()
    job.write_text(f"{SOURCE}engine: {engine}\nstorage: {storage}\n")
    assert load_config(job).storage == storage


def test_byte_order_mark_is_tolerated(job: Path) -> None:
    job.write_text("\ufeff" + SOURCE)
    assert load_config(job).sources[0].name == "logs"


def test_unquoted_days_of_suppressions_are_days(job: Path) -> None:
    job.write_text(SOURCE + "suppressions: [{until: 2026-10-05, reason: load test}]\n")
    assert load_config(job).suppressions[0].until == "2026-10-05"
    found = problems_of(job, SOURCE + "suppressions: [{until: soon, reason: load test}]\n")
    assert found[0].startswith("job.yml:3: suppressions[0].until: must be a day")


@pytest.mark.parametrize(
    ("pattern", "folder"),
    [
        ("/logs/{yyyy}/{mm}/*.json", "/logs"),
        ("/logs/a/b.json", "/logs/a"),
        ("/logs/a*/b/c.json", "/logs"),
        ("/logs/[ab]/c.json", "/logs"),
        ("/*.json", "/"),
    ],
)
def test_fixed_folder(pattern: str, folder: str) -> None:
    assert fixed_folder(pattern) == Path(folder)


trees = st.recursive(
    st.integers(),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
).filter(lambda tree: isinstance(tree, dict))


@given(defaults=trees, values=trees)
def test_users_settings_replace_the_defaults(
    defaults: dict[str, Any], values: dict[str, Any]
) -> None:
    def leaves(tree: Any, at: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
        if not isinstance(tree, dict) or not tree:
            return {at: tree}
        return {k: v for key, sub in tree.items() for k, v in leaves(sub, (*at, key)).items()}

    merged = merge(defaults, values)
    assert merge(merged, values) == merged
    assert set(merged) == set(defaults) | set(values)
    for place, value in leaves(values).items():
        if value != {}:
            found: Any = merged
            for key in place:
                found = found[key]
            assert found == value
