"""Masks: a name is found however it is spelled, and what names nobody stays."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from models.privacy.masks import (
    COLUMN_MASKS,
    KEPT_COLUMNS,
    KEPT_FIELDS,
    SENTENCE_FIELDS,
    mask_address,
    mask_finding,
    mask_table,
)
from models.privacy.names import known_people
from models.privacy.pseudonyms import identity_part, is_pseudonym, mask_text, pseudonym
from schemas.finding import FIELDS, validate_finding
from schemas.tables import TABLES
from tests.worlds.masked_people import KEY, as_, known, of, people
from tests.worlds.sample_findings import make_finding


def test_a_pseudonym_is_keyed_and_always_the_same() -> None:
    assert pseudonym(b"k" * 32, "u0017") == "user-NKWY5QHZR6ZJBG6T"
    assert is_pseudonym(of("u1"))
    assert not is_pseudonym("user-7")
    others = {of("u1"), of("u2"), of("u1", "name"), pseudonym(b"other" * 9, "u1")}
    assert len(others) == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://home/zara.quillfeather/x", f"s3://home/{as_('zara.quillfeather')}/x"),
        ("github://zquill/fork", f"github://{as_('zquill')}/fork"),
        ("s3://zara_quillfeather-tmp", f"s3://{as_('zara_quillfeather')}-tmp"),
        ("s3://ZaraQuillfeatherBackup", f"s3://{as_('ZaraQuillfeather')}Backup"),
        (
            "s3://x/zara.quillfeather%40lab.example",
            f"s3://x/{as_('zara.quillfeather%40lab.example')}",
        ),
        ("arn:aws:iam::111122223333:user/zara.q", as_("arn:aws:iam::111122223333:user/zara.q")),
        ("s3://x/zara.q/y", f"s3://x/{as_('zara.q')}/y"),
        ("s3://quillfeather-notes", f"s3://{of('quillfeather', 'name')}-notes"),
        ("s3://strohmeyer", f"s3://{of('strohmeyer', 'name')}"),
        ("k8s://prod/default", "k8s://prod/default"),
        ("s3://maximum/zaragoza", "s3://maximum/zaragoza"),
        ("k8s://prod/read", f"k8s://prod/{as_('read', 'u2')}"),
        ("mallory/guest", of("mallory/guest")),
        ("host://10.1.2.3", f"host://{of('10.1.2.3', 'address')}"),
        ("someone@else.example", of("someone@else.example")),
        ("AKIAEXAMPLE0000000", of("AKIAEXAMPLE0000000", "credential")),
        ("orion-7001", "orion-7001"),
    ],
)
def test_names_of_resources(text: str, expected: str) -> None:
    assert mask_text(known(), text) == expected
    # Masked text holds nobody any more.
    assert mask_text(known(), expected) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("took 7001 of 9000 objects, no maximum", "took 7001 of 9000 objects, no maximum"),
        ("with u1, u2 and 3 more", f"with {of('u1')}, {of('u2')} and 3 more"),
        ("Read by Max", f"{as_('Read', 'u2')} by {as_('Max', 'max', 'name')}"),
        ("for ZARA QUILLFEATHER's thesis", f"for {as_('ZARA QUILLFEATHER')}'s thesis"),
        ("from 10.1.2.3 at 09:00:12.", f"from {of('10.1.2.3', 'address')} at 09:00:12."),
        ("from 2001:DB8:0::1", f"from {as_('2001:DB8:0::1', '2001:db8::1', 'address')}"),
    ],
)
def test_free_text(text: str, expected: str) -> None:
    assert mask_text(known(), text) == expected


def test_accents_and_their_spellings_are_one() -> None:
    spelled = ("Max Ströhmeyer-Read", "Max Stro\u0308hmeyer Read", "MAX STROHMEYER READ")
    assert {identity_part(mask_text(known(), text)) for text in spelled} == {of("u2")}


def test_what_two_people_share_names_neither() -> None:
    twin = people(user_id="u9", email="z@lab.example", aliases=("zz9",))
    names = known_people(KEY, [people(), twin], [], [])
    shared = mask_text(names, "s3://zara.quillfeather")
    assert of("u1") not in shared
    assert of("u9") not in shared
    assert "quillfeather" not in shared
    assert mask_text(names, "s3://zz9") == f"s3://{as_('zz9', 'u9')}"


def test_different_names_stay_different() -> None:
    texts = ["max", "zara", "u1", "u2", "strohmeyer", "zquill", "zara.quillfeather", "ZQuill"]
    assert len({mask_text(known(), text) for text in texts}) == len(texts)


def test_addresses_keep_their_network() -> None:
    names = known(network_of=lambda address: "vpn/US/64512" if address == "10.1.2.3" else "")
    assert mask_address(names, "10.1.2.3") == f"{of('10.1.2.3', 'address')} (vpn/US/64512)"
    assert mask_address(names, "10.1.2.4") == of("10.1.2.4", "address")
    assert mask_address(names, "cloudformation.amazonaws.com") == "cloudformation.amazonaws.com"


def finding() -> dict[str, Any]:
    document = make_finding("u1", name="Zara Quillfeather", assets=("s3://home/zquill",))
    document["user"]["email"] = "zara.quillfeather@lab.example"
    document["related"]["user"] = ["u1", "u2"]
    return document


def test_a_finding_tells_all_but_who() -> None:
    document = finding()
    masked = mask_finding(known(), document)
    assert "quill" not in json.dumps(masked).lower()
    assert masked["exfil"]["assets"][0]["id"] == f"s3://home/{as_('zquill')}"
    assert masked["user"] == {"id": of("u1"), "name": of("u1"), "email": None}
    assert masked["related"]["user"] == sorted([of("u1"), of("u2")])
    assert masked["related"]["ip"] == [of("10.1.2.3", "address")]
    assert validate_finding(masked) == []
    same = {"threat", "rule", "@timestamp"}
    assert {key: masked[key] for key in same} == {key: document[key] for key in same}
    assert masked["event"]["id"] != document["event"]["id"]
    again = mask_finding(known(), finding())
    assert again["event"]["id"] == masked["event"]["id"]
    other = mask_finding(known(b"another key, also of 32 bytes or more"), document)
    assert other["event"]["id"] != masked["event"]["id"]


def test_sentences_without_parts_give_way_to_the_figures() -> None:
    masked = mask_finding(known(), finding())
    assert masked["event"]["reason"] == (
        f"{of('u1')} observed 71 %, expected 4 %; also observed 412 GB."
    )
    told = [part["reason"] for part in masked["exfil"]["contributions"]]
    assert told == ["observed 71 %, expected 4 %", "observed 412 GB"]


def test_a_field_of_a_later_version_is_no_leak() -> None:
    document = finding()
    document["exfil"]["new"] = {"notes": ["asked zquill"]}
    masked = mask_finding(known(), document)
    assert masked["exfil"]["new"] == {"notes": [f"asked {as_('zquill')}"]}


def test_what_is_kept_is_named_once() -> None:
    """A new column or field is masked unless it is put into the lists of what names nobody."""
    columns = {column.name for table in TABLES for column in table.columns}
    paths = {field.path for field in FIELDS} | {"exfil.day"}
    assert columns >= KEPT_COLUMNS
    assert columns >= set(COLUMN_MASKS)
    assert not KEPT_COLUMNS & set(COLUMN_MASKS)
    assert paths >= KEPT_FIELDS | SENTENCE_FIELDS


@pytest.mark.parametrize("kind", [object, "string", pd.ArrowDtype(pa.string())])
def test_tables_of_whatever_types(kind: Any) -> None:
    rows = pd.DataFrame({"user_id": ["u1", "mallory/guest"], "asset_id": ["s3://zquill", "orion"]})
    rows = rows.astype(kind).assign(events=[1, 2], node_id=["u1", "zquill"])
    rows["node_type"] = ["user", "asset"]
    rows["peers"] = pd.Series([["u2", "9"], []], dtype=pd.ArrowDtype(pa.list_(pa.string())))
    masked = mask_table(known(), rows)
    assert masked.to_dict("list") == {
        "user_id": [of("u1"), of("mallory/guest")],
        "asset_id": [f"s3://{as_('zquill')}", "orion"],
        "events": [1, 2],
        "node_id": [of("u1"), as_("zquill")],
        "node_type": ["user", "asset"],
        "peers": [[of("u2"), of("9")], []],
    }
    assert rows["user_id"].tolist() == ["u1", "mallory/guest"]


def test_messages_lose_the_samples_that_they_quote() -> None:
    names = json.dumps('Zara "Quill"\n')
    rows = pd.DataFrame(
        {
            "message": [f"s3: read 3 rows, such as {names}, read"],
            "observed": [f"3, such as {names[:6]}"],
        }
    )
    masked = mask_table(known(), rows)
    assert masked["message"].tolist() == ['s3: read 3 rows, such as "…", read']
    assert masked["observed"].tolist() == ['3, such as "…"']
