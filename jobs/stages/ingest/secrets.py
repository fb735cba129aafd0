"""Patterns of secrets, and their masks: Python masks rejects, SQL masks events.

Both use the same lists of names and prefixes. Python's patterns read a raw record of any format and
may use look-around and back-references. The SQL patterns read the columns of events and must work
in Rust and in Java. So they capture the text before a secret and write it again.
"""

from __future__ import annotations

import re

from jobs.stages.sql import quoted

NAMES = (
    "authorization",
    "secret[_-]?access[_-]?key",
    "(?:session|security|access|refresh|id)?[_-]?token",
    "passw(?:or)?d",
    "pwd",
    "signature",
    "api[_-]?key",
    "client[_-]?secret",
    "secret",
    "(?:account|private|secret)[_-]?key",
    "passphrase",
)
"""Endings of names of secrets, before `=` or `:`."""
NAMES_IN_TEXT = (*NAMES, "credentials?")
"""Endings in raw text. The last one would also match our column `issued_credential`."""
NAMES_IN_RECORDS = (
    *NAMES_IN_TEXT,
    r"access[_-]?key(?:[_-]?id)?(?!\\*[\"']?\s*[:=]\s*\\*[\"']?A(?:KIA|SIA)[A-Z0-9]*\b)",
)
"""Endings in rejected records. A key that somebody typed may be a secret; ids of AWS are none."""
OPTIONS = ("password", "passwd", "token", "secret", "api-key", "access-token", "client-secret")
"""Options of programs, followed by a blank: `--password`."""
TOKENS = ("gh[pousr]_", "github_pat_", "glpat-", "hf_", "sk-", "xox[abpr]-")
"""Prefixes that mark a token in any text."""
TOKENS_IN_NAMES = (
    "(?:gh[pousr]_|github_pat_|glpat-|xox[abpr]-|sk-(?:admin|ant|or|proj|svcacct)-)"
    "[A-Za-z0-9_-]{16,}",
    "(?:hf_|sk-)[A-Za-z0-9]{16,}",
)
"""Prefixes that mark a token in URIs: a bucket may be called `sk-learn-checkpoints`."""
SCHEMES = "(?:bearer|basic|token|digest|negotiate)"

PREFIXED = " | ".join(rf"(?<= --{option}[ ] ) \S+" for option in OPTIONS)
BEFORE = r"(?: (?<! [\w-] ) | (?<= \\[bfnrt] ) )"
NAMED_SECRET = re.compile(
    rf"""(?isx)
    ( {" | ".join(NAMES_IN_RECORDS)} | \bsig )
    ( \\*["']? \s* [:=] \s* )
    (?: (?P<quote> \\*["'] ) (?: (?! (?<!\\) (?P=quote) ) . )*
      | (?: {SCHEMES} \s+ )? [^\s"'&,;{{}}\[\]\\]+ )
    """
)
BARE_SECRET = re.compile(
    rf"""(?sx)
    {PREFIXED}
    | -----BEGIN [^-]* PRIVATE\ KEY----- .*? (?: -----END [^-]* ----- | \Z )
    | {BEFORE} eyJ [\w-]{{8,}} \. [\w-]{{8,}} (?: \. [\w-]* )?
    | {BEFORE} (?: {" | ".join(TOKENS)} ) [\w-]{{16,}}
    | (?<= :// ) [^\s/:@"']* : [^\s/@"']+ (?= @ )
    """
)

EDGE = r"(?:^|[^A-Za-z0-9_-]|\\[bfnrt]|\\u[0-9a-f]{4})"
"""The character before a secret; in JSON text it may be an escape."""
BARE = r"[^\s\"'&,;{}\[\]\\]+"
# Java recurses for each repetition of such a group, so their number is limited.
IN_STRING = r"[^\"\\]*(?:\\.[^\"\\]*){0,200}"
IN_ESCAPED_STRING = r"[^\"\\]*(?:(?:\\[^\"\\]|\\\\(?:\\\")?)[^\"\\]*){0,200}"
"""Text of a JSON string within a JSON string, up to its closing quote."""


def _named(quotes: dict[str, str]) -> list[str]:
    """Patterns of a name and its secret.

    ``quotes``: the ways to write a quotation mark, each with the text allowed between two of them.
    """
    word = "[A-Za-z0-9_-]*"
    name = f"(?:{word}(?:{'|'.join(NAMES_IN_TEXT)})|(?:{word}[_-])?sig)"
    # `arn:aws:secretsmanager:…:secret:name` and `images/token:latest` are names of things.
    quote = "|".join(quotes)
    begins = (
        rf"{EDGE}{name}(?:{quote}|')?\s*=\s*"
        rf"|(?:^|[^A-Za-z0-9_:/-]){name}(?:{quote}|')?\s*:\s*"
    )
    return [
        *(f"((?:{begins}){mark}){inside}" for mark, inside in quotes.items()),
        rf"((?:{begins})')[^'\"\\]*",
        rf"((?:{begins})(?:{SCHEMES}\s+)?){BARE}",
    ]


def _alone(inside: str, tokens: tuple[str, ...]) -> list[str]:
    """Patterns of secrets that need no name; ``inside``: pattern of the lines of a private key."""
    return [
        rf"({EDGE}--(?:{'|'.join(OPTIONS)})(?:\s+|=)(?:\\*[\"'])?)[^\s\"'\\]+",
        rf"-----BEGIN [^-\"]*PRIVATE KEY-----{inside}(?:-----END [^-\"]*-----)?",
        rf"({EDGE})eyJ[A-Za-z0-9_-]{{8,}}\.[A-Za-z0-9_-]{{8,}}(?:\.[A-Za-z0-9_-]*)?",
        f"({EDGE})(?:{'|'.join(tokens)})",
        r"(://[^\s/:@\"'\\]*:)[^\s/@\"'\\]+(@)",
    ]


LOOSE_TOKENS = (f"(?:{'|'.join(TOKENS)})[A-Za-z0-9_-]{{16,}}",)
QUOTES = {'"': IN_STRING, r"\\+\"": IN_ESCAPED_STRING}
TEXT = [*_named(QUOTES), *_alone(r"[^-]*", LOOSE_TOKENS)]
URI = [*_named(QUOTES), *_alone(r"[^-]*", TOKENS_IN_NAMES)]
JSON = [
    # First a member with such a name, then secrets within the texts of members.
    rf"(\"[A-Za-z0-9_-]*(?:{'|'.join(NAMES)})\":\"){IN_STRING}",
    *_named({r"\\+\"": IN_ESCAPED_STRING}),
    *_alone(r"[^\"\\-]*(?:\\.[^\"\\-]*){0,200}", LOOSE_TOKENS),
]
MASKED_COLUMNS = {
    "user_agent": TEXT,
    "details": JSON,
    "resource": URI,
    "object": URI,
    "destination": URI,
}
"""Patterns by the column of events in which they are used."""
SIGNS = (
    rf"(?:{'|'.join(NAMES_IN_TEXT)}|sig)\\*[\"']?\s*[:=]|--(?:{'|'.join(OPTIONS)})|PRIVATE KEY|eyJ"
    rf"|{'|'.join(TOKENS)}|://[^/]*@"
)
"""Signs of a possible secret. Most texts have none of them and skip the long patterns, which take
an engine longer to prepare than to apply.
"""


TYPED_COLUMNS = ("principal", "acting_as", "credential")
"""Columns that hold what a caller typed, if the caller was refused."""
TYPED_TOKEN = "|".join(
    (*TOKENS_IN_NAMES, r"eyJ[A-Za-z0-9_-]{8,}[.][A-Za-z0-9_-]{8,}(?:[.][A-Za-z0-9_-]*)?")
)
TYPED_KEY = "^(?:[A-Za-z0-9+/]{40}|[A-Za-z0-9+/]{86}==)$"
"""A secret key of S3 or of Azure Storage; ids have another length or no capital letters."""


def masked_typing(column: str) -> str:
    """SQL of a column of ``TYPED_COLUMNS`` without a secret that somebody typed as a name.

    Only of failures: where a server took the text, it is a name.
    """
    signs = (TYPED_KEY, "[A-Z]", "[a-z]", "[0-9]")
    key = " and ".join(f"{column} rlike {quoted(sign)}" for sign in signs)
    token = quoted(TYPED_TOKEN)
    return (
        f"case when outcome <> 'failure' or octet_length({column}) < 20 then {column} "
        f"when {key} then '***' "
        f"when {column} rlike {token} then regexp_replace({column}, {token}, '***') "
        f"else {column} end"
    )


def masked(column: str) -> str:
    """SQL of a column of ``MASKED_COLUMNS`` with its secrets masked; JSON stays JSON."""
    every = "|".join(f"(?:{pattern})" for pattern in MASKED_COLUMNS[column])
    groups = re.compile(every).groups
    # Groups of the other alternatives are empty. The last group is the `@` after a password.
    kept = "".join(f"${number}" for number in range(1, groups))
    return (
        f"if({column} rlike {quoted(f'(?i){SIGNS}')}, "
        f"regexp_replace({column}, {quoted(f'(?is){every}')}, '{kept}***${groups}'), {column})"
    )
