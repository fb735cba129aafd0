"""Fingerprints of prompts: equal to a slow version, alike for alike texts, and without the text."""

from __future__ import annotations

import hashlib
import json
import random
import re
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from jobs.platform.errors import InputError
from jobs.stages import aggregate, ingest
from jobs.stages.ingest.prompts import (
    HASHES,
    MOST_BYTES,
    MOST_CHARS,
    MOST_WORDS,
    ORDERS,
    PRIME,
    fingerprints,
)
from schemas.tables import TABLES
from schemas.tables.events import EVENTS
from tests.worlds.masked_people import KEY_VARIABLE
from tests.worlds.raw_logs import DAY, job_config, rows_of, write_file
from tests.worlds.sample_records import NOON, litellm

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

Prints = tuple[str | None, str | None, str | None]
WORDS = (
    "solve the next problem about a red train step by step then check it twice é 中文 don't".split()
)


def slow_words(text: str) -> list[str]:
    """Word for word what the SQL does with patterns."""
    if re.match("[ ]*redacted.by.litellm", text):
        return []
    text = "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text[:MOST_CHARS])
    text = re.sub(r'"[^"]*"|`[^`]*`|“[^”]*”|[a-z][a-z0-9+.-]*://[^ \t\r\n]*', " ~ ", text)
    text = re.sub("[0-9]+", "0", text)
    apart = "".join(f" {c} " if "\u3400" <= c <= "\u9fff" else c for c in text)
    kept = (c if c.islower() or c in "0~" or ord(c) > 127 else " " for c in apart)
    return "".join(kept).split()[:MOST_WORDS]


def slow_hash(words: list[str], most: int, key: str) -> str | None:
    text = key + " ".join(words[:most])
    return hashlib.sha256(text.encode()).hexdigest()[:12] if len(words) >= 8 else None


def slow_prints(system: str, asked: str, key: str = "") -> Prints:
    words = slow_words(asked)
    texts = [" ".join(words[n : n + 3]).encode() for n in range(len(words))]
    if key:
        texts = [
            hashlib.md5(key.encode() + text, usedforsecurity=False).hexdigest().encode()
            for text in texts
        ]
    runs = [zlib.crc32(text) for text in texts]
    least = (min((h * a + b) % PRIME for h in runs) for a, b in ORDERS) if runs else ()
    sketch = "".join(f"{value % 65_536:04x}" for value in least)
    return slow_hash(slow_words(system), 40, key), slow_hash(words, 8, key), sketch or None


def prints(spark: SparkSession, messages: list[Any], key: str = "") -> list[Prints]:
    texts = [None if each is None else each if isinstance(each, str) else json.dumps(each)
             for each in messages]  # fmt: skip
    frame = spark.createDataFrame(list(enumerate(texts)), "number int, messages string")
    frame = frame.selectExpr("*", f"'{key}' as prompt_key")
    for group in fingerprints("messages", "prompt_key"):
        frame = frame.selectExpr("*", *(f"{sql} as {name}" for name, sql in group.items()))
    rows = frame.selectExpr("number", *HASHES).orderBy("number").collect()
    return [(row[1], row[2], row[3]) for row in rows]


def asked(text: str, system: str = "") -> list[dict[str, str]]:
    first = [{"role": "system", "content": system}] if system else []
    return [*first, {"role": "user", "content": text}]


def alike(one: Prints, other: Prints) -> float:
    """The share of equal minima."""
    pairs = [(str(a[2])[n : n + 4], str(b[2])[n : n + 4]) for a, b in [(one, other)]
             for n in range(0, 32, 4)]  # fmt: skip
    return sum(a == b for a, b in pairs) / len(pairs)


def drawn(seed: int) -> tuple[str, str]:
    draw = random.Random(seed)
    text = " ".join(draw.choices(WORDS, k=draw.randrange(0, 120)))
    odd = ['"said so"', "`x = 1`", "see https://example.com/a?b=1", "12.5 %", "A-B_C", "“quote”"]
    for piece in draw.sample(odd, draw.randrange(len(odd))):
        place = draw.randrange(len(text) + 1)
        text = f"{text[:place]} {piece} {text[place:]}"
    return " ".join(draw.choices(WORDS, k=draw.randrange(0, 60))), text.title()


@pytest.mark.parametrize("engine", ["sail", "apache_spark"])
def test_fingerprints_are_those_of_a_slow_version(
    engine: str, request: pytest.FixtureRequest
) -> None:
    spark = request.getfixturevalue(engine)
    texts = [drawn(seed) for seed in range(200)]
    found = prints(spark, [asked(text, system) for system, text in texts])
    assert found == [slow_prints(system, text) for system, text in texts]
    assert sum(None not in each for each in found) > 100
    keyed = prints(spark, [asked(text, system) for system, text in texts], "00ff")
    assert keyed == [slow_prints(system, text, "00ff") for system, text in texts]


def test_the_form_of_a_prompt_changes_nothing(sail: SparkSession) -> None:
    text = "Please solve this problem step by step and check it."
    parts = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": "x"}}]
    forms = [
        asked(text),
        [{"role": "user", "content": parts}],
        text,
        json.dumps(asked(text), indent=1),
        [*asked("an earlier turn"), {"role": "assistant", "content": "yes"}, *asked(text)],
        [*asked(text), {"role": "assistant", "content": "{"}],
    ]
    assert set(prints(sail, forms)) == {slow_prints("", text)}


def test_prompts_that_are_not_logged_have_no_fingerprint(sail: SparkSession) -> None:
    nothing = [
        None, "", [], [1, 2, 3], ["a", "b"], {"role": "user"}, asked("redacted-by-litellm"),
        "redacted-by-litellm", [{"role": "user", "content": None}], asked("x " * MOST_BYTES),
    ]  # fmt: skip
    assert set(prints(sail, nothing)) == {(None, None, None)}


def test_few_other_words_leave_most_of_a_sketch(sail: SparkSession) -> None:
    draw = random.Random(5)
    words = [draw.choice(WORDS) + str(draw.choice(WORDS)) for _ in range(40)]
    changed = [*words[:20], "another", *words[21:]]
    others = [draw.choice(WORDS) + str(draw.choice(WORDS)) for _ in range(40)]
    one, near, far = prints(sail, [asked(" ".join(each)) for each in (words, changed, others)])
    assert alike(one, near) >= 0.5
    assert alike(one, far) <= 0.25


def test_a_template_has_one_hash_for_all_slots(sail: SparkSession) -> None:
    texts = [f'Translate the "{word}" of {n} pages into plain English: {word}' for n, word in
             enumerate(WORDS)]  # fmt: skip
    assert len({each[1] for each in prints(sail, [asked(text) for text in texts])}) == 1


MARKER = "zebra-crossing of the Lighthouse"


def marked(number: int) -> dict[str, Any]:
    """A record of the gateway with the marker in every field that may hold a text."""
    said = f"{MARKER} {MARKER} {number} and some more words that nobody may read"
    answer = {"choices": [{"message": {"content": said}}]}
    return litellm(number, NOON) | {
        "messages": asked(said, said), "response": answer, "error_str": said,
        "error_information": {"error_message": said, "traceback": said},
        "proxy_server_request": {"body": {"messages": asked(said)}},
    }  # fmt: skip


def test_no_text_of_a_prompt_reaches_a_table(sail: SparkSession, tmp_path: Path) -> None:
    """Neither of good records nor of rejects: without a time, without a call, cut, not JSON."""
    records = [marked(number) for number in range(1, 7)]
    records[1]["startTime"] = f"after {MARKER}"
    del records[2]["call_type"]
    records[3]["messages"] = records[3]["messages"][1]["content"]
    records[4]["messages"] = {"odd": MARKER, MARKER: [MARKER]}
    lines = [json.dumps(record) for record in records]
    lines += [lines[0][: lines[0].index(MARKER) + 60], f"no JSON but {MARKER}", f'"{MARKER}": 1}}',
              lines[0].replace('"messages"', "messages"), f'["{MARKER}"]']  # fmt: skip
    write_file(tmp_path / "raw/gateway.ndjson", "\n".join(lines) + "\n")
    write_file(tmp_path / "raw/cut.ndjson.gz", b"\x1f\x8b" + lines[0].encode(), pack=False)
    config = job_config(tmp_path, [{"format": "litellm_gateway", "path": "raw/*"}], late_days=0)
    said = [str(stage.STAGE.run(sail, config, DAY)) for stage in (ingest, aggregate)]
    tables = [each for each in TABLES if each.stage in ("ingest", "aggregate")]
    found = {each.name: rows_of(sail, config, each) for each in tables}
    assert (len(found["events"]), len(found["rejects"])) == (4, 8)
    assert sum("prompt_sketch" in row["details"] for row in found["events"]) == 3
    assert found["api_days"][0]["prompts"] == 3
    text = json.dumps([said, found], default=str).lower()
    assert not [word for word in ("zebra", "lighthouse") if word in text]


SYSTEM = "You are a careful tutor of the evening class."


def prints_of_day(spark: SparkSession, folder: Path, **settings: Any) -> list[Prints]:
    record = litellm(1, NOON) | {
        "messages": asked("Solve this one step by step and check it.", SYSTEM)
    }
    write_file(folder / "raw/gateway.ndjson", json.dumps(record) + "\n")
    sources = [{"format": "litellm_gateway", "path": "raw/*"}]
    config = job_config(folder, sources, late_days=0, **settings)
    ingest.STAGE.run(spark, config, DAY)
    found = [row["details"] for row in rows_of(spark, config, EVENTS)]
    return [tuple(row[name] for name in HASHES) for row in found]


def test_nobody_checks_a_guess_of_a_prompt_without_the_key(
    sail: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who reads the tables tries a dictionary; the same key makes the same rows."""
    guess = slow_prints(SYSTEM, "Solve this one step by step and check it.")
    plain = prints_of_day(sail, tmp_path / "plain")
    assert plain == [guess]
    found = {}
    for key in ("a" * 32, "b" * 32):
        monkeypatch.setenv(KEY_VARIABLE, key)
        runs = [prints_of_day(sail, tmp_path / key, privacy={"pseudonymize": True}) for _ in "12"]
        assert runs[0] == runs[1]
        found[key] = runs[0][0]
        assert key not in json.dumps(runs)
    assert all(len({*each}) == 3 for each in zip(guess, *found.values(), strict=True))


def test_a_run_without_the_key_stops_before_it_reads_prompts(
    sail: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with pytest.raises(InputError, match=KEY_VARIABLE):
        prints_of_day(sail, tmp_path, privacy={"pseudonymize": True})
