"""The context files: versions by day, types, and every problem with its file, line and column."""

from __future__ import annotations

import csv
import os
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.inputs import context as context_module
from jobs.inputs.context import check_context, files_in_force, load_context
from jobs.platform.errors import InputError
from schemas.context import (
    APPROVAL_COLUMNS,
    ASSET_COLUMNS,
    DIRECTORY_COLUMNS,
    NETWORK_COLUMNS,
    Context,
)

DAY = date(2026, 10, 5)
DIRECTORY = ",".join(DIRECTORY_COLUMNS)
ASSETS = ",".join(ASSET_COLUMNS)
APPROVALS = ",".join(APPROVAL_COLUMNS)
NETWORKS = ",".join(NETWORK_COLUMNS)


def person(user_id: str, aliases: str = "", team: str = "evals") -> str:
    """One line of directory.csv."""
    return f"{user_id},{user_id}@example.com,A B,human,{team},,,employee,US,2024-01-08,,,{aliases}"


def asset(asset_id: str, pattern: str) -> str:
    """One line of assets.csv."""
    return f"{asset_id},checkpoint,{asset_id},evals,5,64,1000,US;GB,{pattern}"


def write(folder: Path, name: str, *lines: str) -> Path:
    """A context file of these lines."""
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def problems_of(folder: Path, day: date = DAY) -> list[str]:
    """The problems that load_context finds, without the folder's path."""
    with pytest.raises(InputError) as caught:
        load_context(str(folder), day)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


def test_no_files_and_no_folder_are_an_empty_context(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        context = load_context(str(folder), DAY)
        assert list(context.directory.columns) == list(DIRECTORY_COLUMNS)
        assert list(context.assets.columns) == list(ASSET_COLUMNS)
        assert list(context.approvals.columns) == list(APPROVAL_COLUMNS)
        assert list(context.networks.columns) == list(NETWORK_COLUMNS)
        assert len(context.directory) == len(context.assets) == len(context.networks) == 0
        assert str(context.assets["bytes"].dtype) == "Int64"


def test_types(tmp_path: Path) -> None:
    write(tmp_path, "directory.csv", DIRECTORY, person("u1", "ana; arn:aws:iam::1:user/ana;;ana"))
    write(
        tmp_path,
        "assets.csv",
        ASSETS,
        asset("ckpt", "s3://lab/ckpt/[ab]-?/*"),
        "repo,repo,r,,,,,,github://lab/r",
    )
    write(
        tmp_path,
        "approvals.csv",
        APPROVALS,
        "T1,u1,s3://lab/*,2026-10-01,2026-10-05,u2,eval",
        'T2,u1,s3://lab/*,2026-10-01T09:00:00+02:00,,u2,"two\nlines"',
        "T3,u1,s3://lab/*,,2026-10-01T09:00:00.5Z,,",
    )
    write(tmp_path, "networks.csv", NETWORKS, "10.0.0.0/8,corp,US,", "2001:db8::/32,cloud,,64500")
    context = load_context(str(tmp_path), DAY)

    row = context.directory.iloc[0]
    assert row["aliases"] == ("ana", "arn:aws:iam::1:user/ana")
    assert row["start_date"] == date(2024, 1, 8)
    assert row["notice_date"] is None
    assert row["title"] == ""
    assert context.assets["sensitivity"].tolist() == [5, pd.NA]
    assert context.assets["bytes"].tolist() == [1000, pd.NA]
    assert str(context.assets["objects"].dtype) == "Int64"
    assert context.assets["allowed_countries"].tolist() == [("US", "GB"), ()]
    assert context.approvals["start"].tolist() == [
        datetime(2026, 10, 1),  # noqa: DTZ001  # naive UTC is the contract
        datetime(2026, 10, 1, 7),  # noqa: DTZ001
        None,
    ]
    ends = context.approvals["end"].tolist()
    assert ends[0] == datetime(2026, 10, 5, 23, 59, 59, 999999)  # noqa: DTZ001
    assert ends[1] is None
    assert ends[2] == datetime(2026, 10, 1, 9, 0, 0, 500000)  # noqa: DTZ001
    assert context.approvals["reason"].tolist() == ["eval", "two lines", ""]
    assert context.networks["asn"].tolist() == ["", "64500"]


def test_columns_in_any_order_and_a_byte_order_mark(tmp_path: Path) -> None:
    write(
        tmp_path, "networks.csv", "\ufeffzone,asn,cidr,country", "vpn,, 192.0.2.0/24 ,DE", "", ",,,"
    )
    networks = load_context(str(tmp_path), DAY).networks
    assert networks.to_dict("records") == [
        {"cidr": "192.0.2.0/24", "zone": "vpn", "country": "DE", "asn": ""}
    ]


def test_dated_files_replace_from_their_day_on(tmp_path: Path) -> None:
    write(tmp_path, "directory.csv", DIRECTORY, person("u1", team="old"))
    write(tmp_path, "directory.2026-10-05.csv", DIRECTORY, person("u1", team="new"))
    write(tmp_path, "directory.2026-10-09.csv", DIRECTORY, person("u1", team="newest"))
    write(tmp_path, "assets.2026-10-05.csv", ASSETS, asset("a", "s3://a/*"))

    def teams(day: int) -> list[str]:
        return load_context(str(tmp_path), date(2026, 10, day)).directory["team"].tolist()

    assert [teams(day) for day in (4, 5, 8, 9, 30)] == [
        ["old"],
        ["new"],
        ["new"],
        ["newest"],
        ["newest"],
    ]
    assert load_context(str(tmp_path), date(2026, 10, 4)).assets.empty
    assert len(load_context(str(tmp_path), DAY).assets) == 1
    assert files_in_force(tmp_path, DAY)["assets"] == tmp_path / "assets.2026-10-05.csv"


def test_every_wrong_cell_of_directory_and_assets_is_named(tmp_path: Path) -> None:
    write(
        tmp_path,
        "directory.csv",
        DIRECTORY,
        "u1,,,robot,,,,boss,,2024-13-01,08/01/2024,,",
        ",,,human,,,,,,,,,",
        person("u2", "a\x1b[2J"),
    )
    write(
        tmp_path,
        "assets.csv",
        ASSETS,
        "a,checkpoint,,,6,-1,1.5,,s3://lab/*",
        "b,bucket,,,1,99999999999999999999,,,no-scheme/*",
        "c,dataset,,,,,,,s3://lab/[ab/*",
        "d,dataset,,,,,,,",
        "e,dataset,,,,,,,s3://",
        "f,dataset,,,,,,,s3://lab/[]ab]/[!]]*",
    )
    assert problems_of(tmp_path) == [
        "directory.csv:2: kind: one of human, service is expected, not 'robot'",
        "directory.csv:2: employment: one of employee, contractor, vendor, empty is expected, "
        "not 'boss'",
        "directory.csv:2: start_date: a day, YYYY-MM-DD, is expected, not '2024-13-01'",
        "directory.csv:2: notice_date: a day, YYYY-MM-DD, is expected, not '08/01/2024'",
        "directory.csv:3: user_id: must not be empty",
        "directory.csv:4: aliases: holds a control character: 'a\\x1b[2J'",
        "assets.csv:2: sensitivity: a whole number, 1 to 5, is expected, not '6'",
        "assets.csv:2: objects: a whole number, 0 or more, is expected, not '-1'",
        "assets.csv:2: bytes: a whole number, 0 or more, is expected, not '1.5'",
        "assets.csv:3: kind: one of checkpoint, dataset, repo, cluster, namespace, model is "
        "expected, not 'bucket'",
        "assets.csv:3: objects: a whole number, 0 or more, is expected, not '99999999999999999999'",
        "assets.csv:3: pattern: a glob over resource URIs is expected (such as "
        "s3://bucket/prefix/*), not 'no-scheme/*'",
        "assets.csv:4: pattern: `[` without `]` in the glob 's3://lab/[ab/*'",
        "assets.csv:5: pattern: a glob over resource URIs is expected (such as "
        "s3://bucket/prefix/*), not ''",
        "assets.csv:6: pattern: a glob over resource URIs is expected (such as "
        "s3://bucket/prefix/*), not 's3://'",
    ]


def test_every_wrong_cell_of_approvals_and_networks_is_named(tmp_path: Path) -> None:
    write(
        tmp_path,
        "approvals.csv",
        APPROVALS,
        "T1,u1,s3://lab/*,2026-10-05,2026-10-04,u2,",
        "T2,u1,lab,yesterday,2026-10-04T25:00,u2,",
        ",,s3://lab/*,,,,",
    )
    write(
        tmp_path, "networks.csv", NETWORKS, "10.0.0.1/8,corp,,", "example.com,corp,,", "::/0,home,,"
    )
    assert problems_of(tmp_path) == [
        "approvals.csv:2: end: 2026-10-04 23:59:59.999999, before the start 2026-10-05 00:00:00",
        "approvals.csv:3: pattern: a glob over resource URIs is expected (such as "
        "s3://bucket/prefix/*), not 'lab'",
        "approvals.csv:3: start: an ISO 8601 time is expected, not 'yesterday'",
        "approvals.csv:3: end: an ISO 8601 time is expected, not '2026-10-04T25:00'",
        "approvals.csv:4: ticket_id: must not be empty",
        "approvals.csv:4: user_id: must not be empty",
        "networks.csv:2: cidr: a network such as 10.0.0.0/8 is expected, not '10.0.0.1/8' "
        "(its network is 10.0.0.0/8)",
        "networks.csv:3: cidr: a network such as 10.0.0.0/8 is expected, not 'example.com'",
        "networks.csv:4: zone: one of corp, vpn, datacenter, cloud, external is expected, "
        "not 'home'",
    ]


def test_duplicates_name_both_places(tmp_path: Path) -> None:
    write(
        tmp_path,
        "directory.csv",
        DIRECTORY,
        person("u1", "ana;Bo"),
        person("u2", "bo;chen"),
        person("u3", "ana;chen"),
        person("u1"),
        person("u4", "u2"),
        person("u5", "same;same"),
    )
    write(tmp_path, "assets.csv", ASSETS, asset("a", "s3://a/*"), asset("a", "s3://b/*"))
    write(tmp_path, "networks.csv", NETWORKS, "10.0.0.0/8,corp,,", "10.0.0.0/8,vpn,,")
    assert problems_of(tmp_path) == [
        "directory.csv:4: aliases: 'ana' belongs to 'u1' (line 2) and 'u3' (line 4)",
        "directory.csv:4: aliases: 'chen' belongs to 'u2' (line 3) and 'u3' (line 4)",
        "directory.csv:5: user_id: 'u1' is already in line 2",
        "directory.csv:6: aliases: 'u2' belongs to 'u2' (line 3) and 'u4' (line 6)",
        "assets.csv:3: asset_id: 'a' is already in line 2",
        "networks.csv:3: cidr: '10.0.0.0/8' is already in line 2",
    ]


def test_headers(tmp_path: Path) -> None:
    write(tmp_path, "directory.csv", DIRECTORY.replace("aliases", "alias,kind"), "x")
    write(tmp_path, "assets.csv", ASSETS.replace(",", ";"), "x")
    write(tmp_path, "approvals.csv")
    write(tmp_path, "networks.csv", NETWORKS, "10.0.0.0/8,corp", '"10.0.0.0/8,corp,,')
    columns = ", ".join(ASSET_COLUMNS)
    assert problems_of(tmp_path) == [
        "directory.csv:1: 'kind': column given twice",
        "directory.csv:1: 'alias': unknown column; did you mean `aliases`?",
        "directory.csv:1: missing columns: aliases (separated by commas, in any order)",
        f"assets.csv:1: '{ASSETS.replace(',', ';')[:60]}…': unknown column",
        f"assets.csv:1: missing columns: {columns} (separated by commas, in any order)",
        f"approvals.csv:1: no header; expected {APPROVALS}",
        "networks.csv:2: 2 cells, where the header has 4",
        "networks.csv:3: not valid CSV: unexpected end of data",
    ]


def test_lines_are_counted_through_quoted_line_breaks(tmp_path: Path) -> None:
    write(
        tmp_path,
        "approvals.csv",
        APPROVALS,
        'T1,u1,s3://lab/*,,,u2,"a\nb\nc"',
        "T2,u1,nothing,,,u2,",
    )
    assert problems_of(tmp_path)[0].startswith("approvals.csv:5: pattern: ")


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "directory.csv").mkdir()
    (tmp_path / "assets.csv").write_bytes(ASSETS.encode() + b"\na,repo,caf\xe9,,,,,,github://l/r\n")
    (tmp_path / "approvals.csv").symlink_to(tmp_path / "gone.csv")
    monkeypatch.setattr(context_module, "MAX_FILE_BYTES", 10_000)
    write(tmp_path, "networks.csv", NETWORKS, "x" * 10_000)
    assert problems_of(tmp_path) == [
        "directory.csv: cannot be read: Is a directory",
        "assets.csv:2: not UTF-8; save it as CSV UTF-8",
        "approvals.csv: cannot be read: No such file or directory",
        "networks.csv: 10,023 bytes; at most 10,000",
    ]


def test_file_names_without_a_valid_day_are_named(tmp_path: Path) -> None:
    write(tmp_path, "directory.2026-10-32.csv", DIRECTORY)
    write(tmp_path, "assets.05.10.2026.csv", ASSETS)
    write(tmp_path, "notes.csv", "anything")
    assert problems_of(tmp_path) == [
        "assets.05.10.2026.csv: `05.10.2026` is not a day; name it assets.YYYY-MM-DD.csv or "
        "move it",
        "directory.2026-10-32.csv: `2026-10-32` is not a day; name it directory.YYYY-MM-DD.csv or "
        "move it",
    ]


def test_a_wrong_file_gets_a_short_list_of_problems(tmp_path: Path) -> None:
    write(tmp_path, "networks.csv", NETWORKS, *["x,corp,,"] * 500)
    found = problems_of(tmp_path)
    assert len(found) == context_module.MAX_PROBLEMS + 1
    assert found[-1] == "networks.csv: and 300 more"


def test_check_context_covers_the_days_of_the_run(tmp_path: Path) -> None:
    write(tmp_path, "networks.csv", NETWORKS)
    write(tmp_path, "networks.2026-10-07.csv", NETWORKS, "x,corp,,")
    check_context(str(tmp_path), [date(2026, 10, 5), date(2026, 10, 6)])
    with pytest.raises(InputError, match=r"networks\.2026-10-07\.csv:2"):
        check_context(str(tmp_path), [date(2026, 10, 6), date(2026, 10, 7)])
    with pytest.raises(InputError, match=r"networks\.2026-10-07\.csv:2"):
        check_context(str(tmp_path))


def test_only_a_changed_file_is_parsed_again(tmp_path: Path) -> None:
    path = write(tmp_path, "networks.csv", NETWORKS, "10.0.0.0/8,corp,,")
    context_module._read_version.cache_clear()
    for day in range(1, 20):
        load_context(str(tmp_path), date(2026, 10, day))
    assert context_module._read_version.cache_info().misses == 1
    write(tmp_path, "networks.csv", NETWORKS, "10.0.0.0/8,corp,,", "192.0.2.0/24,vpn,,")
    os.utime(path, ns=(1, 1))
    assert len(load_context(str(tmp_path), DAY).networks) == 2


def test_callers_cannot_change_the_cache(tmp_path: Path) -> None:
    write(tmp_path, "networks.csv", NETWORKS, "10.0.0.0/8,corp,,")
    first = load_context(str(tmp_path), DAY)
    first.networks["zone"] = "spoilt"
    assert load_context(str(tmp_path), DAY).networks["zone"].tolist() == ["corp"]


names = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters=";"),
    min_size=1,
    max_size=12,
).filter(lambda text: text.strip() == text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(rows=st.dictionaries(names, names, max_size=6))
def test_written_csv_reads_back(tmp_path: Path, rows: dict[str, str]) -> None:
    path = tmp_path / "directory.csv"
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(DIRECTORY_COLUMNS)
        for user_id, name in rows.items():
            writer.writerow([user_id, "", name, "human", *[""] * 9])
    context_module._read_version.cache_clear()
    context: Context = load_context(str(tmp_path), DAY)
    read = dict(zip(context.directory["user_id"], context.directory["display_name"], strict=True))
    assert read == rows
