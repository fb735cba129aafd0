"""SQL of fingerprints of a prompt: hashes of its fixed parts, and a MinHash sketch.

No text of a prompt is kept. With a key nobody can check a guess who does not have the key. Without
one, somebody who guesses the whole text of an opening or of a system message can. A sketch holds 16
bits of each minimum, which many texts share (Li & König 2010, b-Bit Minwise Hashing).

A hostile prompt costs little. Of a prompt's JSON at most MOST_BYTES are parsed, of its messages
the first and the last LAST_MESSAGES, of a message MOST_CHARS, of these MOST_WORDS.
"""

from __future__ import annotations

from jobs.stages.ingest.formats.log_format import Columns
from jobs.stages.sql import EMPTY, NO_TEXT, quoted

MOST_BYTES = 200_000
"""Longest JSON of messages that is read; longer prompts have no fingerprint."""
LAST_MESSAGES = 8
MOST_CHARS = 800
MOST_WORDS = 48
SHINGLE_WORDS = 3
OPENING_WORDS = 8
"""Words of the last message that count as its template; a shorter message has none."""
SYSTEM_WORDS = 40
HASH_DIGITS = 12
SKETCH_DIGITS = 4
"""Hexadecimal digits of each minimum of a sketch."""
PRIME = 4_294_967_311
"""The least prime above 2^32."""
ORDERS = (
    (1_640_531_527, 97), (1_103_515_245, 12_345), (1_664_525, 1_013_904_223), (22_695_477, 1),
    (1_566_083_941, 69_069), (1_181_783_497, 524_287), (747_796_405, 279_470_273),
    (1_812_433_253, 48_271),
)  # fmt: skip
"""Factor and summand of each order of the shingles; a product stays below 2^63."""
NO_KEY = EMPTY
"""SQL of the key where none is configured."""
OURS = "'assistant', 'developer', 'model', 'system'"
"""Roles of messages that are no question."""
REDACTED = "^[ ]*redacted.by.litellm"
STRICT = "map('allowSingleQuotes', 'false', 'allowNonNumericNumbers', 'false')"
"""Options with which Spark reads JSON as strictly as Sail does."""
CUT_OUT = '"[^"]*"|`[^`]*`|\u201c[^\u201d]*\u201d|[a-z][a-z0-9+.-]*://[^ \\t\\r\\n]*'
"""Quoted stretches and addresses, which change from prompt to prompt."""
BETWEEN_WORDS = r"[\x00-\x2f\x3a-\x60\x7b-\x7d\x7f]+"
"""Runs of ASCII characters that are no lower-case letter, no digit and no ``~``."""
LETTERS_ALONE = "([\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])"
"""Characters of languages without spaces between words; each counts as a word."""
UPPER, LOWER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"


def fingerprints(messages: str, key: str = NO_KEY) -> tuple[Columns, ...]:
    """Groups for ``derived`` of a log format, which end with the texts that :data:`HASHES` names.

    ``messages``: SQL of the JSON text of a list of messages (``role``, ``content``: a text or a
    list of parts with ``text``), or of a prompt's plain text. ``key``: SQL of a secret
    text; empty: none. A prompt that the gateway redacted has null fingerprints.
    """
    read = f"case when octet_length({messages}) <= {MOST_BYTES} then {messages} end"
    as_list = f"from_json(concat('[', prompt_json, ']'), 'array<array<string>>', {STRICT})"
    few = f"size(all_messages) <= {LAST_MESSAGES}"
    last = f"slice(all_messages, size(all_messages) - {LAST_MESSAGES - 1}, {LAST_MESSAGES})"
    return (
        {"prompt_json": read},
        {"all_messages": f"get(filter(array({as_list}), one -> size(one) = 1), 0)[0]"},
        {
            "first_message": _message("get(all_messages, 0)"),
            "last_messages": f"transform(if({few}, all_messages, {last}), "
            f"one -> {_message('one')})",
        },
        {
            "system_said": f"case when first_message.role in ('developer', 'system') "
            f"then {_text('first_message.content')} end",
            "asked": _text(
                f"get(reverse(filter(last_messages, one -> one.content is not null "
                f"and coalesce(one.role, 'user') not in ({OURS}))), 0).content"
            ),
        },
        {
            "system_words": _words("system_said"),
            "asked_words": _words(
                "case when all_messages is not null then asked "
                f"when prompt_json not like '{{%' then substring(prompt_json, 1, {MOST_CHARS}) end"
            ),
        },
        {"shingles": _shingles("asked_words", key)},
        {
            "system_hash": _hash("system_words", SYSTEM_WORDS, key),
            "opening_hash": _hash("asked_words", OPENING_WORDS, key),
            "prompt_sketch": _sketch("shingles"),
        },
    )


HASHES = ("system_hash", "opening_hash", "prompt_sketch")
"""Names of the fingerprints; keys of ``details`` as well."""


def _message(text: str) -> str:
    return f"from_json({text}, 'struct<role:string,content:string>', {STRICT})"


def _text(content: str) -> str:
    """SQL of the beginning of a message's text; null where it has none or is redacted."""
    parts = (
        f"transform(from_json(whole, 'array<string>', {STRICT}), "
        f"part -> from_json(part, 'struct<text:string>', {STRICT}).text)"
    )
    text = (
        f"case when whole rlike '^[ ]*[\\\\[][ ]*[{{]' then array_join({parts}, ' ') else whole end"
    )
    return f"get(transform(array({content}), whole -> substring({text}, 1, {MOST_CHARS})), 0)"


def _words(text: str) -> str:
    """SQL of the first words of a text, without what changes from prompt to prompt.

    Letters outside ASCII keep their case, because engines change it in different ways.
    """
    said = f"case when {text} not rlike {quoted(REDACTED)} then {text} end"
    lower = f"translate({said}, '{UPPER}', '{LOWER}')"
    plain = f"regexp_replace({lower}, {quoted(CUT_OUT)}, ' ~ ')"
    numbers = f"regexp_replace({plain}, '[0-9]+', '0')"
    apart = f"regexp_replace({numbers}, '{LETTERS_ALONE}', ' $1 ')"
    words = f"filter(split({apart}, {quoted(BETWEEN_WORDS)}), word -> word <> {EMPTY})"
    return f"slice({words}, 1, {MOST_WORDS})"


def _shingles(words: str, key: str) -> str:
    """SQL of the hashes of all runs of SHINGLE_WORDS words; those at the end are shorter."""
    following = ", ".join(f"get({words}, cast(n as int) + {k})" for k in range(1, SHINGLE_WORDS))
    text = f"concat_ws(' ', word, {following})"
    # The same bits of every CRC change with a key, so another hash has to come before it.
    plain, keyed = f"crc32({text})", f"crc32(md5(concat({key}, {text})))"
    return f"transform({words}, (word, n) -> if({key} = {NO_KEY}, {plain}, {keyed}))"


def _hash(words: str, most: int, key: str) -> str:
    start = f"array_join(slice({words}, 1, {most}), ' ')"
    digest = f"substring(sha2(concat({key}, {start}), 256), 1, {HASH_DIGITS})"
    return f"case when size({words}) >= {OPENING_WORDS} then {digest} end"


def _sketch(shingles: str) -> str:
    """SQL of the last bits of the least hash in each order (Broder 1997)."""
    bits = 16**SKETCH_DIGITS
    least = (
        f"array_min(transform({shingles}, h -> (h * {a} + {b}) % {PRIME})) % {bits}"
        for a, b in ORDERS
    )
    digits = ", ".join(f"lpad(lower(hex({each})), {SKETCH_DIGITS}, '0')" for each in least)
    return f"case when size({shingles}) > 0 then concat({digits}) else {NO_TEXT} end"
