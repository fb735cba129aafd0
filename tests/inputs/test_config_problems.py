"""Every problem of a job config, with its file, line and key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.inputs.config import load_config
from tests.worlds.job_configs import SOURCE, problems_of


def test_every_problem_is_listed_with_line_key_and_allowed_values(job: Path) -> None:
    found = problems_of(
        job,
        """\
sources:
  - name: a
    format: aws_cloudtrial
    path: raw/*.json
    timezone: Mars/Olympus
  - name: b
    format: aws_cloudtrail
    path: nowhere/{yyyy}/*.json
    maping: {}
  - name: 7
    format: github_audit
    path: raw/{hh}/*.json
context: ctx
storage: ftp://host/x
late_days: yes
alert_buget: 4
quality:
  max_reject_share: 2
  min_volume: 1
scoring:
  half_life_days: .nan
  sensitivity_weights: {9: 1.0}
engine: sparkle
""",
    )
    expected = [
        ("job.yml:3: sources[0].format: ", "one of aws_cloudtrail, "),
        ("job.yml:5: sources[0].timezone: ", "'Mars/Olympus'"),
        ("job.yml:8: sources[1].path: ", "folder nowhere does not exist"),
        ("job.yml:9: sources[1].maping: ", "did you mean `mapping`?"),
        ("job.yml:10: sources[2].name: ", "valid string, not 7"),
        ("job.yml:12: sources[2].path: ", "only {yyyy}, {mm}, {dd}"),
        ("job.yml:13: context: ", "folder ctx does not exist"),
        ("job.yml:14: storage: ", "s3a://, gs://, abfss://"),
        ("job.yml:15: late_days: ", "valid integer, not True"),
        ("job.yml:16: alert_buget: ", "did you mean `alert_budget`?"),
        ("job.yml:18: quality.max_reject_share: ", "less than or equal to 1, not 2"),
        ("job.yml:19: quality.min_volume: ", "did you mean `min_volume_ratio`?"),
        ("job.yml:21: scoring.half_life_days: ", "finite number"),
        ("job.yml:22: scoring.sensitivity_weights: ", "keys must be 1, 2, 3, 4, 5"),
        ("job.yml:23: engine: ", "one of sail, local[N]"),
    ]
    assert len(found) == len(expected), "\n".join(found)
    for problem, (start, part) in zip(found, expected, strict=True):
        assert problem.startswith(start)
        assert part in problem


@pytest.mark.parametrize(
    "storage",
    ["hdfs:///warehouse", "hdfs://ana@namenode:8020/w", "viewfs://cluster/w", "webhdfs://n:9870/w"],
)
def test_storage_on_hdfs_without_its_namenode_is_refused(storage: str, tmp_path: Path) -> None:
    text = f"sources: []\nengine: yarn\nstorage: {storage}\n"
    (problem,) = [line for line in problems_of(tmp_path / "job.yml", text) if "storage" in line]
    assert "job.yml:3: storage: on HDFS, hdfs://namenode:port/folder is expected" in problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "job.yml:1: expected a mapping"),
        ("- a\n", "job.yml:1: expected a mapping"),
        ("a: [\n", "job.yml:2: not valid YAML"),
        ("a: !!python/object:os.system x\n", "job.yml:1: not valid YAML"),
        ("a: 2026-13-45\n", "job.yml: not valid YAML"),
        ("a: " + "[" * 5000, "job.yml: nested too deeply"),
        ("a: &a [*a]\n", "job.yml: nested too deeply"),
        ("a: '" + "x" * 1_000_001 + "'\n", "job.yml: larger than 1,000,000 bytes"),
        ("late_days: 1\n", "job.yml:1: sources: missing"),
        ("sources: []\n", "job.yml:1: sources: "),
    ],
)
def test_invalid_config_files(job: Path, text: str, problem: str) -> None:
    assert problems_of(job, text)[0].startswith(problem)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("format: slurm_sacct, fields: 'JobIDRaw,User%20,Submit,Brand%-5'", None),
        ("format: sshd, fields: 'JobID,Submit'", "only for format `slurm_sacct`"),
        ("format: slurm_sacct, fields: [JobID]", "valid string (Only for `slurm_sacct`: the"),
        ("format: slurm_sacct, fields: 'User,Start'", "JobID or JobIDRaw must be among them"),
        ("format: slurm_sacct, fields: 'JobID,User'", "Submit, Start or End must be among them"),
        (
            "format: slurm_sacct, fields: 'job id,User%x,,State,state%20'",
            "no columns of sacct: 'job id', 'User%x', ''; given twice: state; JobID or JobIDRaw "
            "must be among them; Submit, Start or End must be among them",
        ),
    ],
)
def test_fields_of_sacct(job: Path, source: str, problem: str | None) -> None:
    text = f"sources:\n  - {{name: jobs, {source}, path: raw/jobs.txt}}\n"
    if problem is None:
        job.write_text(text)
        assert load_config(job).sources[0].fields == "JobIDRaw,User%20,Submit,Brand%-5"
        return
    (found,) = problems_of(job, text)
    assert found.startswith("job.yml:2: sources[0]")
    assert problem in found


def test_keys_given_twice_are_named_with_both_lines(job: Path) -> None:
    text = (
        SOURCE
        + "late_days: 1\nquality:\n  max_silent_hours: 3\n  max_silent_hours: 4\nlate_days: 2\n"
    )
    assert problems_of(job, text) == [
        "job.yml:6: quality.max_silent_hours: given twice, first in line 5",
        "job.yml:7: late_days: given twice, first in line 3",
    ]


def test_a_mapped_log_cannot_set_details_of_ingest(job: Path) -> None:
    text = """sources:
  - name: wiki
    format: mapped
    path: raw/*.csv
    mapping:
      {time: t, principal: u, action: a, resource: r, details: {identity_rule: x, page: p}}
"""
    [problem] = problems_of(job, text)
    assert problem.startswith("job.yml:6: sources[0].mapping.details: ")
    assert "identity_rule: only `ingest` writes this" in problem


@pytest.mark.parametrize(
    ("time_format", "problem"),
    [
        ("dd.MM.yyyy HH:mm:ss zzz", None),
        ("epoch_ms", None),
        ("dd.MM.yyyy HH:mm QQ", "'QQ' cannot be read from a text"),
        ("YYYY-MM-dd", "'YYYY' cannot be read from a text"),
        ("HH:mm:ss", "a time needs a year, a month and a day"),
        ("yyyy-MM-dd HH:mm VVV", "'VVV' cannot be read from a text"),
        ("yyyy-MM-dd[ HH:mm", "a [ without its ]"),
        ("yyyy-MM-dd] HH:mm", "a ] without its ["),
        ("yyyy-MM-dd'T'HH:mm'", "a quote ' without its second"),
        ("{yyyy}", "'{' is reserved"),
    ],
)
def test_patterns_of_times(job: Path, time_format: str, problem: str | None) -> None:
    mapping = {
        "time": "t",
        "time_format": time_format,
        **dict.fromkeys(("principal", "action", "resource"), "a"),
    }
    source = {"name": "wiki", "format": "mapped", "path": "raw/*.csv", "mapping": mapping}
    text = json.dumps({"sources": [source]})
    if problem is None:
        job.write_text(text)
        assert load_config(job).sources[0].mapping is not None
        return
    (found,) = problems_of(job, text)
    assert found.startswith("job.yml:1: sources[0].mapping.time_format: ")
    assert problem in found


def test_aliases_of_aliases_do_not_fill_the_memory(job: Path) -> None:
    layers = [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)]
    text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(layers)
    assert problems_of(job, text) == ["job.yml: more than 100,000 values (aliases?)"]


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    assert problems_of(tmp_path / "no.yml") == ["no.yml: cannot be read: No such file or directory"]
    (tmp_path / "folder.yml").mkdir()
    assert problems_of(tmp_path / "folder.yml") == ["folder.yml: cannot be read: Is a directory"]
    (tmp_path / "latin.yml").write_bytes(b"a: 1\nb: \xe9\n")
    assert problems_of(tmp_path / "latin.yml") == ["latin.yml:2: not UTF-8"]


def test_secrets_are_not_repeated(job: Path) -> None:
    found = problems_of(
        job,
        SOURCE + "elasticsearch:\n"
        "  url: https://user:hunter2@host:9200\n"
        "  api_key_env: hunter2==\n"
        "  password: hunter2\n",
    )
    assert [problem.split(": ")[1] for problem in found] == [
        "elasticsearch.url",
        "elasticsearch.api_key_env",
        "elasticsearch.password",
    ]
    assert "hunter2" not in "".join(found)


def test_context_folder_may_be_absent_only_by_default(
    job: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load_config(job)
    assert "no context folder" in caplog.text
    assert problems_of(job, SOURCE + "context: context/\n") == [
        "job.yml:3: context: the folder context does not exist"
    ]


def test_folders_that_are_files(job: Path, tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    found = problems_of(job, SOURCE + "storage: a-file\noutput: a-file\ncontext: a-file\n")
    assert found == [
        "job.yml:3: storage: a-file is not a folder",
        "job.yml:4: output: a-file is not a folder",
        "job.yml:5: context: a-file is not a folder",
    ]


def test_detectors_are_checked_with_their_own_settings(job: Path) -> None:
    found = problems_of(
        job,
        SOURCE + "detectors:\n"
        "  first_acces: {weight: 1}\n"
        "  first_access:\n"
        "    weight: loud\n"
        "    wieght: 2\n"
        "  mass_clone: 3\n",
    )
    assert [problem[: problem.index(": ", 12)] for problem in found] == [
        "job.yml:4: detectors.first_acces",
        "job.yml:6: detectors.first_access.weight",
        "job.yml:7: detectors.first_access.wieght",
        "job.yml:8: detectors.mass_clone",
    ]
