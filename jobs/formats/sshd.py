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
    ADDRESS,
    EMPTY,
    NO_TEXT,
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
    """SQL of a line's parts with a break before each; of another line the line itself."""
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
        f"case when {line} like '<%' then {rfc3164(iso(rfc5424))} "
        f"when substring({line}, 1, 1) between '0' and '9' then {iso(whole)} "
        f"else {rfc3164(whole)} end"
    )


def record(line: str, header: str, source: Source) -> str:
    """SQL of the parts of a line."""
    names = ("time", "month", "day", "clock", "host", "program", "pid", "message")
    found = {name: _piece("parts", place) for place, name in enumerate(names, start=2)}
    message = found["message"]
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
    return (
        f"case when parts not like '{BREAK}%' "
        "then 'not a syslog line: time, host and program expected' end"
    )


def columns(source: Source) -> dict[str, str]:
    """SQL of every parsed column."""
    return COLUMNS


def _piece(text: str, place: int) -> str:
    """SQL of one of the parts between breaks; null where it is empty."""
    return f"nullif(split_part({text}, '{BREAK}', {place}), {EMPTY})"


def _part(text: str, pattern: str, group: int) -> str:
    """SQL of a group of a pattern; null where it is empty or nothing fits."""
    return f"nullif(regexp_extract({text}, {quoted(pattern)}, {group}), {EMPTY})"


def _begins(*texts: str) -> str:
    """SQL of whether a message begins with one of the texts."""
    return f"({' or '.join(f'startswith(r.message, {quoted(text)})' for text in texts)})"


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
INVALID = r"^(?:Invalid|Illegal) user (.*) from ([^ ]+)(?: port ([0-9]+))?"
END = (
    r"^(Disconnected from|Connection closed by|Connection reset by|Received disconnect from|"
    r"Disconnecting)(?: (?:authenticating|invalid))?(?: user (.*))? ([0-9A-Fa-f:.]+) port ([0-9]+)"
)
SESSION = (
    r"^Starting session: (command|shell|subsystem|forced-command)(?: .*)? for ([^ ]+)"
    r" from ([^ ]+) port ([0-9]+)"
)
SUBSYSTEM = r"^subsystem request for ([^ ]+)(?: by user (.*))?"
SFTP_SESSION = r"^session (opened|closed) for local user ([^ ]+) from \[([^\]]*)\]"
SFTP_CLOSE = r'^(?:forced )?close "(.*)" bytes read ([0-9]+) written ([0-9]+)'
SFTP = r'^(open|opendir|remove|rename|mkdir|rmdir|symlink|stat|lstat|set)(?: name| old)? "([^"]*)"'
PAM = r"^pam_[a-z_0-9]+\(sshd:([a-z]+)\): .* user[= ]([^ (]+)"

# What stands behind a sign-in: `ED25519 SHA256:…`, of a certificate with `ID name (serial 1) CA …`.
FINGERPRINT = r" port [0-9]+ ssh2: [A-Z0-9-]+ (SHA256:[A-Za-z0-9+/=]+|(?:MD5:)?[0-9a-f:]{47})"
NAMED = r" port [0-9]+ ssh2: .*ID (.+) \(serial [0-9]+\) CA "

KINDS = (
    # How messages begin, their pattern, and its groups for user, caller, port and three details.
    (("Accepted ", "Failed ", "Postponed ", "Partial "), SIGN_IN, (4, 5, 6, 1, 2, 3)),
    (("pam_",), PAM, (2, 0, 0, 1, 0, 0)),
    (("Connection ", "Received ", "Disconnect"), END, (2, 3, 4, 1, 0, 0)),
    (("Invalid user ", "Illegal user "), INVALID, (1, 2, 3, 0, 0, 0)),
    (("Starting session: ",), SESSION, (2, 3, 4, 1, 0, 0)),
    (("subsystem request for ",), SUBSYSTEM, (2, 0, 0, 1, 0, 0)),
    (("session ",), SFTP_SESSION, (2, 3, 0, 1, 0, 0)),
    (('close "', 'forced close "'), SFTP_CLOSE, (0, 0, 0, 1, 2, 3)),
    (("open", "re", "mk", "rm", "symlink", "stat", "lstat", "set"), SFTP, (0, 0, 0, 1, 2, 0)),
)
SAID = "case {} else '' end".format(
    " ".join(
        f"when {_begins(*texts)} then regexp_replace(r.message, {quoted(pattern)}, '"
        + BREAK.join([str(kind), *(f"${group}" if group else "" for group in groups), ""])
        + "')"
        for kind, (texts, pattern, groups) in enumerate(KINDS)
    )
)


def _is(pattern: str) -> str:
    """SQL of whether a pattern of :data:`KINDS` fits the message."""
    return f"kind = '{next(n for n, kind in enumerate(KINDS) if kind[1] == pattern)}'"


def _only(value: str, keys: str) -> str:
    """SQL of a value of the rows with the same keys if they have just one."""
    over = f"over (partition by {keys})"
    return f"case when min({value}) {over} = max({value}) {over} then min({value}) {over} end"


DERIVED = (
    {"time": TIME, "said": SAID},
    {
        # Where nothing fits, the message has stayed as it was.
        "kind": f"split_part(said, '{BREAK}', 1)",
        "user": _piece("said", 2),
        "caller": f"coalesce({_piece('said', 3)}, case when r.message like '%rhost=%' "
        f"then {_part('r.message', 'rhost=([^ ]+)', 1)} end)",
        "port": _piece("said", 4),
        "first": _piece("said", 5),
        "second": _piece("said", 6),
        "third": _piece("said", 7),
    },
    {
        "key": f"case when {_is(SIGN_IN)} and r.message like '% ssh2: %' "
        f"then {_part('r.message', FINGERPRINT, 1)} end",
        "certificate": f"case when {_is(SIGN_IN)} and r.message like '% ssh2: % CA %' "
        f"then {_part('r.message', NAMED, 1)} end",
        # 64 bits are faster to sort by than texts.
        "connection": "xxhash64(r.host, user, caller, port)",
        "process": "xxhash64(r.host, r.pid)",
    },
    {"key_names": "nullif(concat_ws('\\n', certificate, key), '')"},
    {"accepted": "case when first = 'Accepted' then key_names end"},
    {
        "of_connection": f"case when port is not null then {_only('accepted', 'connection')} end",
        "of_process": f"case when r.pid is not null then {_only('accepted', 'process')} end",
        "user_of_process": f"case when r.pid is not null then {_only('user', 'process')} end",
    },
    {
        # A name that was tried is nobody's process.
        "who": f"coalesce(user, case when not ({_is(INVALID)} or {_is(SIGN_IN)}) "
        "then user_of_process end)",
        "behind": "coalesce(key_names, of_connection, of_process)",
    },
)
IS_SSH = "(r.program like 'sshd%' or r.program in ('sftp-server', 'internal-sftp'))"
NONE = _begins("Failed none ")
READ, WRITTEN = (f"case when {_is(SFTP_CLOSE)} then {name} end" for name in ("second", "third"))
STRANGER = f"({_is(SIGN_IN)} or {_is(INVALID)} or {_is(END)})"

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
    "action": f"case when {_is(SIGN_IN)} then concat_ws(' ', first, second) "
    f"when {_is(INVALID)} then 'Invalid user' when {_is(END)} then first "
    f"when {_is(SESSION)} then 'Starting session' when {_is(SUBSYSTEM)} then 'subsystem request' "
    f"when {_is(SFTP_SESSION)} then concat('sftp session ', first) "
    f"when {_is(SFTP_CLOSE)} then 'sftp close' "
    f"when {IS_SSH} and {_is(SFTP)} then concat('sftp ', first) "
    f"when {_is(PAM)} then concat('pam ', first) else r.program end",
    "action_class": f"case when {NONE} then 'other' "
    f"when {_is(SIGN_IN)} and first in ('Accepted', 'Failed') then 'sign_in' "
    f"when {_is(INVALID)} then 'sign_in' "
    f"when {_is(SESSION)} or {_is(SUBSYSTEM)} then 'execute' "
    f"when {_is(SFTP_CLOSE)} then case when second <> '0' then 'read' "
    "when third <> '0' then 'write' else 'inspect' end "
    f"when not {IS_SSH} then 'other' when {_begins('opendir ')} then 'list' "
    f"when {_begins('remove ', 'rmdir ')} then 'delete' "
    f"when {_begins('rename ', 'mkdir ', 'symlink ', 'set ')} then 'write' "
    f"when {_begins('open ', 'stat ', 'lstat ')} then 'inspect' else 'other' end",
    "resource": "concat('host://', r.host)",
    "object": f"case when {_is(SFTP_CLOSE)} then first when {IS_SSH} and {_is(SFTP)} "
    "then second end",
    "destination": NO_TEXT,
    "bytes_out": byte_count(READ),
    "source_ip": f"case when caller rlike '{ADDRESS}' then caller end",
    "user_agent": NO_TEXT,
    "outcome": f"case when {NONE} then 'unknown' "
    f"when {_begins('Failed ', 'Invalid user ', 'Illegal user ')} "
    "or r.message like '%authentication failure%' "
    f"or ({_is(END)} and r.message like '%[preauth]' and user is not null) then 'failure' "
    f"when {_begins('Accepted ')} or {_is(SESSION)} or {_is(SUBSYSTEM)} "
    f"or {_is(SFTP_SESSION)} or {_is(SFTP_CLOSE)} or ({IS_SSH} and {_is(SFTP)}) "
    "then 'success' else 'unknown' end",
    "details": details_json(
        {
            "bytes_in": f"cast({byte_count(WRITTEN)} as string)",
            "certificate": "certificate",
            "invalid_user": f"case when {_is(INVALID)} or ({_is(SIGN_IN)} and third is not null) "
            "or r.message rlike '^[A-Z][a-z ]+ invalid user ' then 'true' end",
            "method": f"case when {_is(SIGN_IN)} then second end",
            "pid": "r.pid",
            "port": "port",
            "program": "r.program",
            "repeated": "r.repeated",
            "session": f"case when {_is(SESSION)} or {_is(SUBSYSTEM)} then first end",
        }
    ),
    "precedence": "0",
    "problem": NO_TEXT,
}
