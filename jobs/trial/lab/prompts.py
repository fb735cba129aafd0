"""Prompts of the gateway's records: short invented texts that follow from ids, without any draw."""

from __future__ import annotations

import random

WORDS = (
    "model data training loss batch gradient token shard table figure paper result memory cluster "
    "kernel script error column customer invoice email meeting draft report summary contract list "
    "market price season recipe garden travel train ticket city river music lesson school story "
    "letter title chapter formula matrix vector curve sample budget quarter team plan week "
    "release branch merge review comment function class test log query index cache queue server"
).split()
VERBS = (
    "explain compare rewrite shorten translate check plan extend sort draft debug improve describe "
    "test estimate list rank question simplify format"
).split()
LINKS = "of for with in about between after before without near against under from".split()
PRODUCTS = ("the help desk of a shop", "a tutor for school children", "a writing aid for offices")
"""Well-known products, whose customers all send the product's system message."""
REDACTED = [{"role": "user", "content": "redacted-by-litellm"}]
REDACTED_SHARE = 0.3
"""Share of keys for which the gateway logs no messages."""
Messages = list[dict[str, str]]


def messages_of(says: str, seed: str, secret: str, name: str) -> Messages:
    """The messages of the request called ``name``, by a key's way to ask.

    ``says``: ``chat`` and ``product`` (free questions below a system message that many keys
    share), ``own`` (below one of the key's own), ``template`` (one wording with slots), ``sweep``
    (one wording of which a word differs), ``same`` (always the same text). ``seed``: keys with one
    seed have one wording.
    """
    if random.Random(f"logged {secret}").random() < REDACTED_SHARE:
        return REDACTED
    wording, draw = random.Random(f"wording {says} {seed}"), random.Random(name)
    if says == "same":
        return _asked(_sentence(wording, 14))
    if says == "sweep":
        return _asked(f"{_sentence(wording, 9)} {draw.choice(WORDS)} {draw.randrange(100_000)}")
    if says == "template":
        slots = f"{_sentence(wording, 12)}: {_sentence(draw, 20)}"
        return _asked(slots, _sentence(wording, 16))
    system = {
        "chat": "You are the assistant of our lab. Answer briefly and name the files you mean.",
        "product": f"You are {wording.choice(PRODUCTS)}. Be friendly, and never speak of prices.",
    }.get(says, _sentence(wording, 18))
    return _asked(_sentence(draw, draw.randrange(8, 30)), system)


def _asked(text: str, system: str = "") -> Messages:
    first = [{"role": "system", "content": system}] if system else []
    return [*first, {"role": "user", "content": text}]


def _sentence(draw: random.Random, words: int) -> str:
    """Words in the order of a request: a verb, then nouns and links in turn."""
    said = [draw.choice(VERBS).capitalize()]
    while len(said) < words:
        said += ["the", draw.choice(WORDS), draw.choice(LINKS)]
    return " ".join(said[:words])
