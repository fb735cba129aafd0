"""Lines of sshd and its sftp server in a syslog file: RFC 3164, RFC 5424, or with ISO times.

Traps handled here: an RFC 3164 time has neither a year nor a zone, so it is the one nearest to the
day of the run; syslog folds lines (``message repeated 5 times``); names are chosen by strangers and
may be empty or look like the rest of the line, so the last address counts; an account may be
shared, and then the key or the certificate of its sign-in names the person, for the later lines of
that connection too; PAM repeats what sshd says; ``Failed none`` is how clients ask what they may
try. Bytes are known only where the sftp server logs the files it closes.
"""

from __future__ import annotations

from jobs.formats import (
    EMPTY,
    NO_TEXT,
    Link,
    address,
    byte_count,
    details_json,
    iso_time,
    month_number,
    quoted,
    zoned_time,
)
from schemas.config import Source

ENVELOPES: tuple[str, ...] = ()
KEEPS_TEXT = False
HEADERLESS = True

# None of these has two ways to go on from any place, and none reads the message: engines take such
# patterns several times faster.
TAIL = r" ([^ ]+) ([^ \[:]+)(?:\[([0-9]+)\])?: ?"
CLOCK = r"[0-9]{2}:[0-9]{2}:[0-9]{2}"
PRIORITY = "^(?:<[0-9]{1,3}>)?"
RFC3164 = rf"{PRIORITY}([A-Z][a-z][a-z]) +([0-9]{{1,2}}) ({CLOCK})(?:[.][0-9]+)?{TAIL}"
ISO = (
    rf"{PRIORITY}([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]{CLOCK}(?:[.,][0-9]+)?"
    rf"(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})?){TAIL}"
)
PARAMETERS = r'(?:\[[^\]\\"]*(?:"[^"\\]*(?:\\.[^"\\]*)*"[^\]\\"]*)*\])+'
RFC5424 = (
    r"^<[0-9]{1,3}>[0-9]{1,2} ([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+) [^ ]+ "
    rf"(?:-|{PARAMETERS})(?: \x{{FEFF}}?(.*))?$"
)
REPEATED = r"^message repeated ([0-9]+) times: \[ ?(.*)\]$"
BREAK = "\x1f"
"""Stands between parts; where a line itself holds it, it becomes U+FFFD."""


def is_json(head: str, source: Source) -> bool:
    """Lines are text."""
    return False


def header_problem(header: str, source: Source) -> str | None:
    """There is no header."""
    return None


def parts(line: str, header: str, source: Source) -> str:
    """SQL of an array of a line's parts; of another line of the line alone."""
    whole = f"replace({line}, '{BREAK}', '\ufffd')"

    def apart(text: str, pattern: str, *groups: str) -> str:
        replacement = BREAK.join(("", *groups))
        return f"regexp_replace({text}, {quoted(pattern)}, '{replacement}')"

    def iso(text: str) -> str:
        return apart(text, ISO, "$1", "", "", "", "$2", "$3", "$4", "")

    def rfc3164(text: str) -> str:
        return apart(text, RFC3164, "", "$1", "$2", "$3", "$4", "$5", "$6", "")

    rfc5424 = apart(whole, RFC5424, "$1", "", "", "", "$2", "$3", "$4", "$5")
    return (
        f"split(case when {line} like '<%' then {rfc3164(iso(rfc5424))} "
        f"when substring({line}, 1, 1) between '0' and '9' then {iso(whole)} "
        f"else {rfc3164(whole)} end, '{BREAK}')"
    )


def record(line: str, header: str, source: Source) -> str:
    """SQL of the parts of a line."""
    names = ("time", "month", "day", "clock", "host", "program", "pid", "message")
    found = {name: _piece("parts", place) for place, name in enumerate(names, start=1)}
    message = f"get(parts, {len(names)})"
    folded = f"{message} like 'message repeated %'"
    fields = found | {
        "time": f"replace(replace({found['time']}, ' ', 'T'), ',', '.')",
        "pid": f"nullif({found['pid']}, '-')",
        "repeated": f"case when {folded} then {_part(message, REPEATED, 1)} end",
        "message": f"coalesce(case when {folded} then {_part(message, REPEATED, 2)} end, "
        f"{message}, '')",
    }
    members = ", ".join(f"{quoted(name)}, {sql}" for name, sql in fields.items())
    return f"named_struct({members})"


def fault(line: str, header: str, source: Source) -> str:
    """SQL of why a line is none of syslog's; null if it is one."""
    return "case when size(parts) = 1 then 'not a syslog line: time, host and program expected' end"


def telling(line: str, header: str, source: Source) -> str:
    """SQL of whether a line may tell who a process or a connection belongs to."""
    return " or ".join(f"contains({line}, {quoted(text)})" for text in SIGNED_IN)


def columns(source: Source) -> dict[str, str]:
    """SQL of every parsed column."""
    return COLUMNS


def _piece(array: str, place: int) -> str:
    """SQL of one of the parts; null where it is empty or missing."""
    return f"nullif(get({array}, {place}), {EMPTY})"


def _part(text: str, pattern: str, group: int) -> str:
    """SQL of a group of a pattern; null where it is empty or nothing fits."""
    return f"nullif(regexp_extract({text}, {quoted(pattern)}, {group}), {EMPTY})"


# The month nearest to the day of the run tells the year: logs are read within days.
MONTH = month_number("r.month")
YEAR = (
    f"(year(run_day) + case when {MONTH} - month(run_day) > 6 then -1 "
    f"when {MONTH} - month(run_day) < -6 then 1 else 0 end)"
)
LOCAL = (
    f"case when r.month is not null then concat_ws('-', cast({YEAR} as string), "
    f"lpad(cast({MONTH} as string), 2, '0'), concat(lpad(r.day, 2, '0'), 'T', r.clock)) end"
)
TIME = (
    f"case when r.month is null then {zoned_time('r.time')} "
    f"else to_utc_timestamp({iso_time(LOCAL)}, timezone) end"
)

SIGN_IN = (
    r"^(Accepted|Failed|Postponed|Partial) ([^ ]+) for ((?:invalid|illegal) user )?(.*)"
    r" from ([^ ]+) port ([0-9]+)"
)
PAM = r"^pam_[a-z_0-9]+\(sshd:([a-z]+)\): .* user[= ]([^ (]+)"
END = (
    r"^(Disconnected from|Connection closed by|Connection reset by|Received disconnect from|"
    r"Disconnecting)(?: authenticating| (invalid))?(?: user (.*))? ([0-9A-Fa-f:.]+) port ([0-9]+)"
)
INVALID = r"^(?:Invalid|Illegal) (user) (.*) from ([^ ]+)(?: port ([0-9]+))?"
SESSION = (
    r"^Starting session: (command|shell|subsystem|forced-command)(?: .*)? for ([^ ]+)"
    r" from ([^ ]+) port ([0-9]+)"
)
SUBSYSTEM = r"^subsystem request for ([^ ]+)(?: by user (.*))?"
SFTP_SESSION = r"^session (opened|closed) for local user ([^ ]+) from \[([^\]]*)\]"
SFTP_CLOSE = r'^(?:forced )?close "(.*)" bytes read ([0-9]+) written ([0-9]+)'
SFTP = r'^(open|opendir|remove|rename|mkdir|rmdir|symlink|stat|lstat|set)(?: name| old)? "([^"]*)"'

# What stands behind a sign-in: `ED25519 SHA256:…`, of a certificate with `ID name (serial 1) CA …`.
FINGERPRINT = r" port [0-9]+ ssh2: [A-Z0-9-]+ (SHA256:[A-Za-z0-9+/=]+|(?:MD5:)?[0-9a-f:]{47})"
NAMED = r" port [0-9]+ ssh2: .*ID (.+) \(serial [0-9]+\) CA "

SAYS = (
    "kind action_said class_said outcome_said user caller port tried method session object_said "
    "read written"
).split()
"""What messages say, in this order."""
TRIED = {"user": "$4", "caller": "$5", "port": "$6", "tried": "$3", "method": "$2"}
STARTED = {"class_said": "execute", "outcome_said": "success"}


def _sftp(action_class: str) -> dict[str, str]:
    return {
        "kind": "sftp",
        "action_said": "sftp $1",
        "class_said": action_class,
        "outcome_said": "success",
        "object_said": "$2",
    }


# How messages begin, their pattern, and what they say, of which `$1` is the pattern's first group.
MESSAGES = (
    (
        ("Accepted ",),
        SIGN_IN,
        TRIED
        | {
            "kind": "sign-in",
            "action_said": "$1 $2",
            "class_said": "sign_in",
            "outcome_said": "success",
        },
    ),
    (
        ("pam_",),
        PAM,
        {"kind": "pam", "action_said": "pam $1", "user": "$2"},
    ),
    (
        ("Connection ", "Received ", "Disconnect"),
        END,
        {
            "kind": "end",
            "action_said": "$1",
            "tried": "$2",
            "user": "$3",
            "caller": "$4",
            "port": "$5",
        },
    ),
    # This is how clients ask what they may try.
    (("Failed none ",), SIGN_IN, TRIED | {"kind": "sign-in", "action_said": "$1 $2"}),
    (
        ("Failed ",),
        SIGN_IN,
        TRIED
        | {
            "kind": "sign-in",
            "action_said": "$1 $2",
            "class_said": "sign_in",
            "outcome_said": "failure",
        },
    ),
    (
        ("Invalid user ", "Illegal user "),
        INVALID,
        {
            "kind": "sign-in",
            "action_said": "Invalid user",
            "class_said": "sign_in",
            "outcome_said": "failure",
            "tried": "$1",
            "user": "$2",
            "caller": "$3",
            "port": "$4",
        },
    ),
    (
        ("Starting session: ",),
        SESSION,
        STARTED
        | {
            "kind": "session",
            "action_said": "Starting session",
            "session": "$1",
            "user": "$2",
            "caller": "$3",
            "port": "$4",
        },
    ),
    (("Postponed ", "Partial "), SIGN_IN, TRIED | {"kind": "sign-in", "action_said": "$1 $2"}),
    (
        ("subsystem request for ",),
        SUBSYSTEM,
        STARTED
        | {"kind": "session", "action_said": "subsystem request", "session": "$1", "user": "$2"},
    ),
    (
        ("session ",),
        SFTP_SESSION,
        {
            "kind": "sftp",
            "action_said": "sftp session $1",
            "outcome_said": "success",
            "user": "$2",
            "caller": "$3",
        },
    ),
    (
        ('close "', 'forced close "'),
        SFTP_CLOSE,
        {
            "kind": "close",
            "action_said": "sftp close",
            "outcome_said": "success",
            "object_said": "$1",
            "read": "$2",
            "written": "$3",
        },
    ),
    (("opendir ",), SFTP, _sftp("list")),
    (("open ", "stat ", "lstat "), SFTP, _sftp("inspect")),
    (("remove ", "rmdir "), SFTP, _sftp("delete")),
    (("rename ", "mkdir ", "symlink ", "set "), SFTP, _sftp("write")),
)
IS_SSH = "(r.program like 'sshd%' or r.program in ('sftp-server', 'internal-sftp'))"


def _said() -> str:
    """SQL of an array of what a message says; of another message of the message alone."""
    cases = []
    for texts, pattern, says in MESSAGES:
        begins = " or ".join(f"startswith(r.message, {quoted(text)})" for text in texts)
        # Other programs also open and remove.
        ours = f" and {IS_SSH}" if pattern == SFTP else ""
        # What follows behind the pattern is a piece of its own.
        replacement = BREAK.join(("", *(says.get(name, "") for name in SAYS), ""))
        cases.append(
            f"when ({begins}){ours} "
            f"then regexp_replace(r.message, {quoted(pattern)}, '{replacement}')"
        )
    return f"split(case {' '.join(cases)} end, '{BREAK}')"


def _only(value: str) -> str:
    """SQL of an aggregate: the value if there is just one."""
    return f"if(min({value}) = max({value}), min({value}), null)"


ACCEPTED = "(kind = 'sign-in' and outcome_said = 'success')"
SIGNED_IN = ("Accepted ", "Starting session: ", "session opened for local user ")
SAID = {name: _piece("said", place) for place, name in enumerate(SAYS, start=1)}
RHOST = f"case when r.message like '%rhost=%' then {_part('r.message', 'rhost=([^ ]+)', 1)} end"

DERIVED = (
    {"time": TIME, "said": _said()},
    SAID | {"caller": f"coalesce({SAID['caller']}, {RHOST})"},
    {
        "key": f"case when kind = 'sign-in' and r.message like '% ssh2: %' "
        f"then {_part('r.message', FINGERPRINT, 1)} end",
        "certificate": f"case when kind = 'sign-in' and r.message like '% ssh2: % CA %' "
        f"then {_part('r.message', NAMED, 1)} end",
        # 64 bits are faster to compare than texts.
        "connection": "case when port is not null then xxhash64(r.host, user, caller, port) end",
        "process": "case when r.pid is not null then xxhash64(r.host, r.pid) end",
    },
    {"key_names": "nullif(concat_ws('\\n', certificate, key), '')"},
    Link(
        # What was only tried tells nothing about the process.
        tells=f"case when {ACCEPTED} then array(connection, process) "
        "when kind in ('session', 'sftp') then array(process) end",
        values={
            "names_known": _only(f"case when {ACCEPTED} then key_names end"),
            "user_known": _only("user"),
        },
        asks="if(user is null, process, coalesce(connection, process))",
    ),
    {
        # A name that was tried is nobody's process.
        "who": "coalesce(user, case when kind is distinct from 'sign-in' then user_known end)",
        "behind": "coalesce(key_names, names_known)",
    },
)
STRANGER = "coalesce(kind in ('sign-in', 'end'), false)"

COLUMNS = {
    "event_id": "md5(concat_ws('|', r.host, r.program, r.pid, cast(unix_micros(time) as string),"
    " r.repeated, r.message))",
    "event_time": "time",
    "principal": f"coalesce(who, case when {STRANGER} then 'unknown' end, "
    "concat(r.program, '@', r.host))",
    "names": "concat_ws('\\n', behind, who)",
    "kind_hint": f"case when who is null and not {STRANGER} then 'service' end",
    # Whoever holds the key acts as the account.
    "acting_as": "case when behind is not null then who end",
    "credential": "coalesce(key, nullif(substring_index(behind, '\\n', -1), ''))",
    "issued_credential": NO_TEXT,
    "action": "coalesce(action_said, r.program)",
    "action_class": "case when kind = 'close' then case when read <> '0' then 'read' "
    "when written <> '0' then 'write' else 'inspect' end else coalesce(class_said, 'other') end",
    "resource": "concat('host://', r.host)",
    "object": "object_said",
    "destination": NO_TEXT,
    "bytes_out": byte_count("read"),
    "source_ip": address("caller"),
    "user_agent": NO_TEXT,
    "outcome": "case when outcome_said is not null then outcome_said "
    "when r.message like '%authentication failure%' "
    "or (kind = 'end' and user is not null and r.message like '%[preauth]') then 'failure' "
    "else 'unknown' end",
    "details": details_json(
        {
            "bytes_in": f"cast({byte_count('written')} as string)",
            "certificate": "certificate",
            "invalid_user": "case when tried is not null then 'true' end",
            "method": "method",
            "pid": "r.pid",
            "port": "port",
            "program": "r.program",
            "repeated": "r.repeated",
            "session": "session",
        }
    ),
    "precedence": "0",
    "problem": NO_TEXT,
}
