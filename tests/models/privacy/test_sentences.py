"""No sentence tells a name: every one is said with hostile names in each of its parts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import pandas as pd
import pytest

from models.privacy.names import known_people
from models.privacy.pseudonyms import Pseudonyms
from models.privacy.reasons import mask_reason
from models.reasons import parts
from models.reasons.finding import REASON_CHARACTERS, say_finding
from models.reasons.parts import Assets, Count, Person, Share, Team
from models.reasons.reason import PLAIN_PARTS, Part, PlainPart, Reason, Series, parts_of
from models.reasons.sentences import SENTENCES
from schemas.context import DIRECTORY_COLUMNS
from tests.models.reasons.test_reasons import EXAMPLES, example
from tests.worlds.masked_people import KEY, as_, known, of

NAMES = (
    "read",
    "objects",
    "Read Only",
    "for the first time",
    "in one day",
    "<script>alert(1)</script>",
    "Zara\nQuillfeather",
    "Zara\u2028Quillfeather\u202e",
    "{asset:assets}[ x]",
    "Ünïcöde Straße",
    "u1",
)
"""Names that are words of our own, or would break a sentence, a page or a line."""
NEUTRAL = "Qwzxy"
PSEUDONYM = re.compile(r"(?:user|name|credential|address)-[A-Z2-7]{16}(?:~[A-Z2-7]{4})?")
NAMING: Mapping[str, Callable[[str], PlainPart]] = {
    "programs": lambda name: parts.Programs((f"curl/8 ({name})",)),
    "assets": lambda name: Assets((name, f"s3://home/{name}/x")),
    "destinations": lambda name: parts.Destinations((f"s3://{name}#1", name)),
    "identities": lambda name: parts.Identities((name,)),
    "person": lambda name: Person(name, name),
    "team": lambda name: Team(name),
    "tickets": lambda name: parts.Tickets((f"T-1 {name}",)),
    "text": lambda name: parts.FreeText(f"asked by {name}, twice"),
}
"""Parts that may name somebody, made of a name."""
NAMELESS = {
    "amount", "count", "share", "likelihood", "times", "days", "day", "clock", "word", "actions",
    "networks",
}  # fmt: skip
"""Parts that name nobody: numbers, closed sets, networks of our own file."""


def named(name: str) -> Pseudonyms:
    """Knows one person, who bears the name everywhere."""
    row = dict.fromkeys(DIRECTORY_COLUMNS, "") | {
        "user_id": name, "kind": "human", "display_name": name, "aliases": (name,),
    }  # fmt: skip
    return known_people(KEY, [pd.DataFrame([row])], [], [])


def of_name(sentence: str, name: str) -> Reason:
    """The sentence with the name in each part that may name somebody."""

    def part(kind: str) -> Part:
        if kind == "reason":
            return Reason("nobody_completes", asset=Assets((name,)))
        if kind == "series":
            return Series("; ", (Reason("new_assets", values=Assets((name,))),))
        return NAMING[kind](name) if kind in NAMING else EXAMPLES[kind]

    wanted, _ = parts_of(sentence)
    return Reason(sentence, **{place: part(kind) for place, kind in wanted.items()})


def outline(sentence: str, name: str) -> str:
    """What is published, with @ for each pseudonym and without the signs between words."""
    said = mask_reason(named(name), of_name(sentence, name)).say()
    return re.sub(r"[^\w@]+", " ", PSEUDONYM.sub("@", said)).strip()


def test_every_part_is_known_to_name_somebody_or_nobody() -> None:
    assert NAMING.keys() | NAMELESS == PLAIN_PARTS.keys()
    assert not NAMING.keys() & NAMELESS


@pytest.mark.parametrize("sentence", SENTENCES)
def test_no_sentence_tells_a_name(sentence: str) -> None:
    """Whatever the name is, the same is published but for the pseudonym."""
    neutral = outline(sentence, NEUTRAL)
    assert NEUTRAL.lower() not in neutral.lower()
    told = {name: outline(sentence, name) for name in NAMES}
    assert {name: text for name, text in told.items() if text != neutral} == {}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_same_search_finds_names_where_they_are_not_masked(sentence: str) -> None:
    kinds = set(parts_of(sentence)[0].values())
    told = NEUTRAL in of_name(sentence, NEUTRAL).say()
    assert told == bool(kinds & (NAMING.keys() | {"reason", "series"}))


@pytest.mark.parametrize("sentence", SENTENCES)
def test_what_names_nobody_stays(sentence: str) -> None:
    wanted, _ = parts_of(sentence)
    if set(wanted.values()) <= NAMELESS:
        assert mask_reason(known(), example(sentence)) == example(sentence)


def test_own_words_stay_and_names_go() -> None:
    """``read`` is a word of the sentence, a folder, and somebody's login."""
    read = Reason(
        "leaver_read",
        share=Share(0.5),
        asset=Assets(("k8s://prod/read",)),
        days=Count(7),
        objects=Count(7001),
        total=Count(9000),
    )
    assert mask_reason(known(), read).say() == (
        f"read 50 % of k8s://prod/{as_('read', 'u2')} in 7 days (7,001 of 9,000 objects)"
    )


def of_zara(team: str = "evals (east)", asset: str = "s3://home/zquill") -> Reason:
    told = Series("; also ", (Reason("nobody_completes", asset=Assets((asset,))),))
    who = Person("u1", "Zara Quillfeather")
    return Reason("finding", who=who, team=Team(team), told=told, notes=Series(", ", (lately(),)))


def lately() -> Reason:
    return Reason("began_lately")


def test_a_hidden_team_is_left_out() -> None:
    asset = f"s3://home/{as_('zquill')}"
    said = f"read a part of {asset}, not complemented by other readers; began recently."
    hidden, shown = known(hidden=["team"]), known()
    assert say_finding(mask_reason(hidden, of_zara())) == f"{of('u1')} {said}"
    assert say_finding(mask_reason(shown, of_zara())) == f"{of('u1')} (evals (east)) {said}"


def test_a_sentence_is_cut_off_after_it_is_masked() -> None:
    for length in range(REASON_CHARACTERS - 120, REASON_CHARACTERS, 7):
        asset = f"s3://{'x' * (length - 60)}/zara.quillfeather"
        said = say_finding(mask_reason(known(), of_zara(asset=asset)))
        assert "quill" not in said.lower()
        assert "zara" not in said.lower()
