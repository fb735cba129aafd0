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
    month_number,
    quoted,
    zoned_time,
)
from schemas.config import Source

ENVELOPES: tuple[str, ...] = ()
KEEPS_TEXT = False
HEADERLESS = True

TAIL = r" ([^ ]+) ([^ \[:]+)(?:\[([0-9]+)\])?: ?(.*)$"
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


def is_json(head: str, source: Source) -> bool:
    """Lines are text."""
    return False


def header_problem(header: str, source: Source) -> str | None:
    """There is no header."""
    return None


def record(line: str, header: str, source: Source) -> str:
    """SQL of the parts of a line."""
    message = (
        f"coalesce({_part(line, RFC5424, 5)}, {_part(line, ISO, 5)}, {_part(line, RFC3164, 7)})"
    )
    text = f"coalesce({_part(message, REPEATED, 2)}, {message}, '')"
    fields = {
        "time": f"coalesce({_part(line, RFC5424, 1)}, "
        f"replace(replace({_part(line, ISO, 1)}, ' ', 'T'), ',', '.'))",
        "month": _part(line, RFC3164, 1),
        "day": _part(line, RFC3164, 2),
        "clock": _part(line, RFC3164, 3),
        "host": f"coalesce({_part(line, RFC5424, 2)}, {_part(line, ISO, 2)}, "
        f"{_part(line, RFC3164, 4)})",
        "program": f"coalesce({_part(line, RFC5424, 3)}, {_part(line, ISO, 3)}, "
        f"{_part(line, RFC3164, 5)})",
        "pid": f"nullif(coalesce({_part(line, RFC5424, 4)}, {_part(line, ISO, 4)}, "
        f"{_part(line, RFC3164, 6)}), '-')",
        "repeated": _part(message, REPEATED, 1),
        "message": text,
        # What the later lines of a connection are matched by, taken out of the text only once.
        "said": f"get(transform(array({text}), m -> {_struct(SAID)}), 0)",
    }
    return _struct(fields)


def fault(line: str, header: str, source: Source) -> str:
    """SQL of why a line is none of syslog's; null if it is one."""
    known = " or ".join(f"{line} rlike {quoted(form)}" for form in (RFC5424, ISO, RFC3164))
    return f"case when not ({known}) then 'not a syslog line: time, host and program expected' end"


def columns(source: Source) -> dict[str, str]:
    """SQL of every parsed column."""
    return COLUMNS


def _struct(fields: dict[str, str]) -> str:
    return f"named_struct({', '.join(f'{quoted(name)}, {sql}' for name, sql in fields.items())})"


def _part(text: str, pattern: str, group: int) -> str:
    """SQL of a group of a pattern; null where it is empty or nothing fits."""
    return f"nullif(regexp_extract({text}, {quoted(pattern)}, {group}), {EMPTY})"


def _fits(pattern: str) -> str:
    return f"r.message rlike {quoted(pattern)}"


def _of(pattern: str, group: int) -> str:
    return _part("r.message", pattern, group)


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
TIME = f"coalesce({zoned_time('r.time')}, {zoned_time(LOCAL)})"

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


def _first(*places: tuple[str, int]) -> str:
    """SQL of the first group of a message ``m`` that is there."""
    return f"coalesce({', '.join(_part('m', pattern, group) for pattern, group in places)})"


SAID = {
    "user": _first(
        (SIGN_IN, 4),
        (INVALID, 1),
        (END, 2),
        (SESSION, 2),
        (SUBSYSTEM, 2),
        (SFTP_SESSION, 2),
        (PAM, 2),
    ),
    "caller": _first(
        (SIGN_IN, 5), (INVALID, 2), (END, 3), (SESSION, 3), (SFTP_SESSION, 3), ("rhost=([^ ]+)", 1)
    ),
    "port": _first((SIGN_IN, 6), (INVALID, 3), (END, 4), (SESSION, 4)),
    "key": f"case when m rlike {quoted(SIGN_IN)} then {_part('m', FINGERPRINT, 1)} end",
    "certificate": f"case when m rlike {quoted(SIGN_IN)} then {_part('m', NAMED, 1)} end",
}
USER, CALLER, PORT = "r.said.user", "r.said.caller", "r.said.port"
KEY, CERTIFICATE = "r.said.key", "r.said.certificate"
KEY_NAMES = f"nullif(concat_ws('\\n', {CERTIFICATE}, {KEY}), '')"
ACCEPTED = f"case when r.message like 'Accepted %' then {KEY_NAMES} end"


def _only(value: str, keys: str) -> str:
    """SQL of a value of the rows with the same keys if they have just one."""
    over = f"over (partition by {keys})"
    return f"case when min({value}) {over} = max({value}) {over} then min({value}) {over} end"


OF_CONNECTION = (
    f"case when {PORT} is not null then {_only(ACCEPTED, f'r.host, {USER}, {CALLER}, {PORT}')} end"
)
OF_PROCESS = f"case when r.pid is not null then {_only(ACCEPTED, 'r.host, r.pid')} end"
USER_OF_PROCESS = f"case when r.pid is not null then {_only(USER, 'r.host, r.pid')} end"
# A name that was tried is nobody's process.
NOT_IN = f"{_fits(INVALID)} or {_fits(SIGN_IN)}"
WHO = f"coalesce({USER}, case when not ({NOT_IN}) then {USER_OF_PROCESS} end)"
BEHIND = f"coalesce({KEY_NAMES}, {OF_CONNECTION}, {OF_PROCESS})"
IS_SSH = "(r.program like 'sshd%' or r.program in ('sftp-server', 'internal-sftp'))"
NONE = _fits("^Failed none ")
READ, WRITTEN = _of(SFTP_CLOSE, 2), _of(SFTP_CLOSE, 3)
PREAUTH = r"\[preauth\]$"
STRANGER = f"{_fits(SIGN_IN)} or {_fits(INVALID)} or {_fits(END)}"

COLUMNS = {
    "event_id": f"md5(concat_ws('|', r.host, r.program, r.pid, cast(unix_micros({TIME}) as string),"
    " r.repeated, r.message))",
    "event_time": TIME,
    "principal": f"coalesce({WHO}, case when {STRANGER} then 'unknown' end, "
    "concat(r.program, '@', r.host))",
    "names": f"concat_ws('\\n', {BEHIND}, {WHO})",
    "kind_hint": f"case when {WHO} is null and not ({STRANGER}) then 'service' end",
    # Whoever holds the key acts as the account.
    "acting_as": f"case when {BEHIND} is not null then {WHO} end",
    "credential": f"coalesce({KEY}, nullif(substring_index({BEHIND}, '\\n', -1), ''))",
    "issued_credential": NO_TEXT,
    "action": f"case when {_fits(SIGN_IN)} then concat_ws(' ', {_of(SIGN_IN, 1)}, "
    f"{_of(SIGN_IN, 2)}) when {_fits(INVALID)} then 'Invalid user' "
    f"when {_fits(END)} then {_of(END, 1)} when {_fits(SESSION)} then 'Starting session' "
    f"when {_fits(SUBSYSTEM)} then 'subsystem request' "
    f"when {_fits(SFTP_SESSION)} then concat('sftp session ', {_of(SFTP_SESSION, 1)}) "
    f"when {_fits(SFTP_CLOSE)} then 'sftp close' "
    f"when {IS_SSH} and {_fits(SFTP)} then concat('sftp ', {_of(SFTP, 1)}) "
    f"when {_fits(PAM)} then concat('pam ', {_of(PAM, 1)}) else r.program end",
    "action_class": f"case when {NONE} then 'other' "
    f"when {_fits('^(Accepted|Failed) ')} and {_fits(SIGN_IN)} then 'sign_in' "
    f"when {_fits(INVALID)} then 'sign_in' "
    f"when {_fits(SESSION)} or {_fits(SUBSYSTEM)} then 'execute' "
    f"when {_fits(SFTP_CLOSE)} then case when {READ} <> '0' then 'read' "
    f"when {WRITTEN} <> '0' then 'write' else 'inspect' end "
    f"when not {IS_SSH} then 'other' when {_fits('^opendir ')} then 'list' "
    f"when {_fits('^(remove|rmdir) ')} then 'delete' "
    f"when {_fits('^(rename|mkdir|symlink|set) ')} then 'write' "
    f"when {_fits('^(open|stat|lstat) ')} then 'inspect' else 'other' end",
    "resource": "concat('host://', r.host)",
    "object": f"coalesce({_of(SFTP_CLOSE, 1)}, case when {IS_SSH} then {_of(SFTP, 2)} end)",
    "destination": NO_TEXT,
    "bytes_out": byte_count(READ),
    "source_ip": f"case when {CALLER} rlike '{ADDRESS}' then {CALLER} end",
    "user_agent": NO_TEXT,
    "outcome": f"case when {NONE} then 'unknown' "
    f"when {_fits('^(Failed|Invalid user|Illegal user) ')} "
    f"or {_fits('authentication failure')} "
    f"or ({_fits(END)} and {_fits(PREAUTH)} and {USER} is not null) then 'failure' "
    f"when r.message like 'Accepted %' or {_fits(SESSION)} or {_fits(SUBSYSTEM)} "
    f"or {_fits(SFTP_SESSION)} or {_fits(SFTP_CLOSE)} or ({IS_SSH} and {_fits(SFTP)}) "
    "then 'success' else 'unknown' end",
    "details": details_json(
        {
            "bytes_in": f"cast({byte_count(WRITTEN)} as string)",
            "certificate": CERTIFICATE,
            "invalid_user": f"case when {_fits(INVALID)} or {_of(SIGN_IN, 3)} is not null "
            f"or {_fits('^[A-Z][a-z ]+ invalid user ')} then 'true' end",
            "method": _of(SIGN_IN, 2),
            "pid": "r.pid",
            "port": PORT,
            "program": "r.program",
            "repeated": "r.repeated",
            "session": f"coalesce({_of(SESSION, 1)}, {_of(SUBSYSTEM, 1)})",
        }
    ),
    "precedence": "0",
    "problem": NO_TEXT,
}
