"""Sentences with typed parts: rendered, stored, and refused where a part does not fit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from models.reasons import parts
from models.reasons.finding import REASON_CHARACTERS, plain_reasons, say_finding, with_reasons
from models.reasons.parts import Amount, Assets, Count, Days, Person, Times, Word
from models.reasons.reason import (
    PLAIN_PARTS,
    Part,
    Reason,
    Series,
    dump_reasons,
    load_reasons,
    parts_of,
)
from models.reasons.sentences import SENTENCES
from tests.worlds.sample_findings import make_finding

EXAMPLES: dict[str, Part] = {
    "amount": Amount(3, "objects"),
    "count": Count(12345.6),
    "share": parts.Share(0.29),
    "likelihood": parts.Likelihood(0.0042),
    "times": Times(90, 2),
    "days": Days(7),
    "day": parts.Day("2026-10-05"),
    "clock": parts.Clock((8, 23)),
    "word": Word("feature", "bytes"),
    "actions": parts.Actions(("read", "copy")),
    "networks": parts.Networks(("external/RO/64800",)),
    "programs": parts.Programs(("curl/8",)),
    "assets": Assets(("s3://a {b} [c]", "b", "c", "d")),
    "destinations": parts.Destinations(("s3://elsewhere#999988887777",)),
    "identities": parts.Identities(("u1", "u2")),
    "person": Person("u1", "Ada"),
    "team": parts.Team("evals"),
    "tickets": parts.Tickets(("T-1", "T-2")),
    "text": parts.FreeText("weekly test"),
    "reason": Reason("began_lately"),
    "series": Series(", ", (Reason("began_lately"), Reason("refused_nothing"))),
}
"""A part of each kind."""


def example(sentence: str, **instead: Part | None) -> Reason:
    """The sentence with an example of each of its parts."""
    wanted, _ = parts_of(sentence)
    return Reason(sentence, **({name: EXAMPLES[kind] for name, kind in wanted.items()} | instead))


def test_every_kind_of_part_has_an_example() -> None:
    assert EXAMPLES.keys() - {"reason", "series"} == PLAIN_PARTS.keys()
    used = {kind for sentence in SENTENCES for kind in parts_of(sentence)[0].values()}
    assert used == EXAMPLES.keys()


@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_sentence_is_said_and_stored(sentence: str) -> None:
    reason = example(sentence)
    stored = dump_reasons([reason, reason])
    assert stored.isascii()
    assert load_reasons(stored) == [reason, reason]
    said = reason.say()
    assert not {"{", "["} & set(said.replace("s3://a {b} [c]", ""))
    for kind in parts_of(sentence)[0].values():
        assert EXAMPLES[kind].say() in said


def test_brackets_are_left_out_with_their_parts() -> None:
    assert example("clones", archived=None).say() == (
        "cloned or fetched 3 objects in 7 days, 12,346 never touched before "
        "(s3://a {b} [c], b, c and 1 more)"
    )
    # Less than the expected amount is no multiple of it.
    assert example("takes_more_than_usual", times=Times(1, 2), span=Word("span", "1d")).say() == (
        "took 3 objects in one day, compared with 3 objects usually"
    )


def test_a_name_is_no_place_of_the_sentence() -> None:
    assert Reason("nobody_completes", asset=Assets(("{asset:assets}[ x]",))).say() == (
        "read a part of {asset:assets}[ x], not complemented by other readers"
    )


@pytest.mark.parametrize(
    ("sentence", "given"),
    [
        ("no_such_sentence", {}),
        ("nobody_completes", {}),
        ("nobody_completes", {"asset": None}),
        ("nobody_completes", {"asset": Count(1)}),
        ("nobody_completes", {"asset": EXAMPLES["assets"], "more": Count(1)}),
        ("began_lately", {"day": EXAMPLES["day"]}),
    ],
)
def test_parts_that_do_not_fit_are_refused(sentence: str, given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="sentence"):
        Reason(sentence, **given)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Amount(1, "Zara"),
        lambda: Word("feature", "Zara"),
        lambda: Word("Zara", "bytes"),
        lambda: parts.Actions(("read", "Zara")),
        lambda: Series(" Zara ", ()),
    ],
)
def test_closed_sets_hold_our_own_words_only(make: Any) -> None:
    with pytest.raises(ValueError, match="Zara"):
        make()


@pytest.mark.parametrize(
    "text",
    [
        None,
        float("nan"),
        "",
        "{",
        "3",
        "[3]",
        '[["reason","gone",{}]]',
        '[["reason","began_lately"]]',
        '[["reason","gave_notice",{"day":["weekday",1]}]]',
        '[["reason","gave_notice",{"day":["day",1,2,3]}]]',
        '[["series",", ",[]]]',
    ],
)
def test_what_this_version_does_not_know_is_not_loaded(text: Any) -> None:
    assert load_reasons(text) is None


def test_a_finding_is_one_sentence_of_limited_length() -> None:
    long = Person("u1", "A" * REASON_CHARACTERS)
    told = Series("; also ", (Reason("began_lately"),))
    said = say_finding(Reason("finding", who=long, told=told))
    assert len(said) == REASON_CHARACTERS + 1
    assert said.endswith("A….")
    short = Reason("finding", kind=Word("kind", "service"), who=Person("s", "loader"), told=told)
    assert say_finding(short) == "service loader began recently."


def test_figures_alone_make_sentences_too() -> None:
    document = make_finding("u1", name="Ada")
    document["exfil"]["contributions"][1]["unit"] = "unit of another version"
    told = with_reasons(document, plain_reasons(document))
    assert [part["reason"] for part in told["exfil"]["contributions"]] == [
        "observed 71 %, expected 4 %",
        "observed 412,000,000,000",
    ]
    assert told["event"]["reason"] == (
        "Ada observed 71 %, expected 4 %; also observed 412,000,000,000."
    )
    assert json.dumps(document) != json.dumps(told)
