"""Lines of sshd and its sftp server in a syslog file: RFC 3164, RFC 5424, or with ISO times.

Traps handled here:

- An RFC 3164 time has neither a year nor a zone. It is taken as the time nearest to the day of the
  file, or for a file whose path names no day to the month of the run.
- Syslog folds lines (``message repeated 5 times``).
- Strangers choose user names. A name may be empty or look like the rest of the line, so the last
  address counts.
- Several people may share an account. The key or the certificate of the sign-in then names the
  person, also for the later lines of that connection.
- PAM repeats the messages of sshd.
- ``Failed none`` is a client's question for the allowed methods.
- A session, a request of sftp and a postponed attempt are logged before their result. Other lines
  of the process have the result.
- Bytes are known only if the sftp server logs the files that it closes.
"""

from __future__ import annotations

from jobs.stages.ingest.addresses import address
from jobs.stages.ingest.formats.log_format import Link, LogFormat, TextRows
from jobs.stages.ingest.vendors.sshd_messages import (
    BREAK,
    IS_SSH,
    PREFIX,
    SAYS,
    TEXT_CHARS,
    guess,
    said_commonly,
    said_rarely,
    wording,
)
from jobs.stages.sql import (
    EMPTY,
    NO_TEXT,
    UNKNOWN_ACTION,
    byte_count,
    chosen,
    details_json,
    iso_time,
    month_number,
    quoted,
    zoned_time,
)
from schemas.sources import Source

# These patterns never backtrack and do not read the message: engines match them several times
# faster.
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


def is_json(head: str, source: Source) -> bool:
    """No: lines are text."""
    return False


def header_problem(header: str, source: Source) -> str | None:
    """None: there is no header."""
    return None


def parts(line: str, header: str, source: Source) -> str:
    """SQL of an array of a line's parts; for other text the text alone."""
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
    """SQL of why a line is not a line of syslog; null if it is one."""
    # In a line without a host the program would be taken for the host.
    return (
        "case when size(parts) = 1 or get(parts, 5) like '%:' "
        "then 'not a syslog line: time, host and program expected' end"
    )


def links(line: str, header: str, source: Source) -> str:
    """SQL of whether a line may name the person or the result of a process or a connection."""
    return " or ".join(f"contains({line}, {quoted(text)})" for text in LINKING)


def _piece(array: str, place: int) -> str:
    """SQL of one of the parts; null if it is empty or missing."""
    return f"nullif(get({array}, {place}), {EMPTY})"


def _part(text: str, pattern: str, group: int) -> str:
    """SQL of a group of a pattern; null if it is empty or the pattern does not match."""
    return f"nullif(regexp_extract({text}, {quoted(pattern)}, {group}), {EMPTY})"


# The year is the one that brings the month nearest to that of the file.
MONTH = month_number("r.month")
YEAR = (
    f"(year(near_day) + case when {MONTH} - month(near_day) > 6 then -1 "
    f"when {MONTH} - month(near_day) < -6 then 1 else 0 end)"
)
LOCAL = (
    f"case when r.month is not null then concat_ws('-', cast({YEAR} as string), "
    f"lpad(cast({MONTH} as string), 2, '0'), concat(lpad(r.day, 2, '0'), 'T', r.clock)) end"
)
TIME = (
    f"case when r.month is null then {zoned_time('r.time')} "
    f"else to_utc_timestamp({iso_time(LOCAL)}, timezone) end"
)

# The end of a sign-in: `ED25519 SHA256:…`; for a certificate also `ID name (serial 1) CA …`.
FINGERPRINT = r" port [0-9]+ ssh2: [A-Z0-9-]+ (SHA256:[A-Za-z0-9+/=]+|(?:MD5:)?[0-9a-f:]{47})"
NAMED = r" port [0-9]+ ssh2: .*ID (.+) \(serial [0-9]+\) CA "


def _only(value: str) -> str:
    """SQL of an aggregate: the value if all rows have the same one, else null."""
    return f"if(min({value}) = max({value}), min({value}), null)"


ACCEPTED = "(kind = 'sign-in' and outcome_said = 'success')"
LINKING = (
    # The user, the address and the result of a sign-in.
    "Accepted ",
    "Failed ",
    "Starting session: ",
    "session opened for local user ",
    "Connection from ",
    " by invalid user ",
    " by authenticating user ",
    " not allowed because ",
    "PAM: ",
    # Refusals after an accepted sign-in.
    "Access denied ",
    "PAM session ",
    "subsystem not found",
    # Requests to the sftp server, and its answers.
    "sent status ",
    ' "',
)
SAID = {name: _piece("said", place) for place, name in enumerate(SAYS, start=1)}
RHOST = f"case when r.message like '%rhost=%' then {_part('r.message', 'rhost=([^ ]+)', 1)} end"
KNOWN = f"startswith(commonly, '{BREAK}')"
REFUSED_LATER = "action_said in ('Access denied', 'PAM session')"
LATER_SECONDS = 600
"""Most seconds between a sign-in and its refusal by one process; process ids are used again."""


def _at(unit_seconds: int, what: str, ago: int = 0) -> str:
    """SQL of a key of a process in an interval of ``unit_seconds``, ``ago`` intervals before."""
    number = f"unix_micros(time) div {unit_seconds * 1_000_000} - {ago}"
    return f"case when r.pid is not null then xxhash64('{what}', r.host, r.pid, {number}) end"


DERIVED = (
    {"time": TIME, "commonly": said_commonly()},
    {
        # The message without its prefix, only for messages that no common pattern matched.
        "plain": f"case when not coalesce({KNOWN}, false) and {IS_SSH} and r.message <> {EMPTY} "
        f"then regexp_replace(r.message, {quoted(PREFIX)}, {EMPTY}) end"
    },
    # In a lambda, because Spark would otherwise generate a method larger than Java allows.
    {
        "rarely": "case when plain is not null "
        f"then get(transform(array(plain), text -> {said_rarely('text')}), 0) end"
    },
    {
        "said": f"split(case when {KNOWN} then commonly when rarely is not null then rarely "
        "when plain is not null "
        f"then get(transform(array(plain), text -> {guess('text')}), 0) end, '{BREAK}')"
    },
    SAID | {"caller": f"coalesce({SAID['caller']}, {RHOST})"},
    {
        "key": f"case when kind = 'sign-in' and r.message like '% ssh2: %' "
        f"then {_part('r.message', FINGERPRINT, 1)} end",
        "certificate": f"case when kind = 'sign-in' and r.message like '% ssh2: % CA %' "
        f"then {_part('r.message', NAMED, 1)} end",
        # 64 bits are faster to compare than texts.
        "connection": "case when port is not null then xxhash64(r.host, user, caller, port) end",
        "process": "case when r.pid is not null then xxhash64(r.host, r.pid) end",
        "attempt": "case when r.pid is not null and port is not null "
        "then xxhash64('attempt', r.host, r.pid, caller, port) end",
        "left_early": "kind = 'end' and user is not null and r.message like '%[preauth]'",
    },
    {
        "key_names": "nullif(concat_ws('\\n', certificate, key), '')",
        "pending": "kind = 'connect' or (kind = 'sign-in' and outcome_said is null)",
    },
    Link(
        tells=f"case when {ACCEPTED} then array(connection, process, attempt) "
        f"when {REFUSED_LATER} then array(process, {_at(LATER_SECONDS, 'refused')}, "
        f"{_at(LATER_SECONDS, 'refused', 1)}) "
        "when kind in ('session', 'sftp') then array(process) "
        "when kind in ('sign-in', 'connect') or left_early then array(process, attempt) end",
        values={
            "names_known": _only(f"case when {ACCEPTED} then key_names end"),
            # A mere attempt says nothing about the process.
            "user_known": _only(
                f"case when {ACCEPTED} or kind in ('session', 'sftp') then user end"
            ),
            "user_tried": _only("case when kind = 'sign-in' or left_early then user end"),
            "caller_known": _only("caller"),
            # An attempt may fail before it succeeds.
            "result": "max(case when kind = 'sign-in' then outcome_said "
            "when left_early then 'failure' end)",
            "session_result": _only("case when kind = 'session' then outcome_said end"),
            "refused": f"max(case when {REFUSED_LATER} then 'true' end)",
        },
        asks=f"case when {ACCEPTED} then {_at(LATER_SECONDS, 'refused')} "
        "when pending then attempt when user is null or kind in ('session', 'sign-in', 'odd') "
        "then coalesce(if(user is null, null, connection), process) "
        "else coalesce(connection, process) end",
    ),
    # The sftp server logs an answer right after the request, unless the answer is yes.
    Link(
        tells=f"case when kind in ('request', 'status') then array({_at(1, 'asked')}) end",
        values={
            "requests": "cast(sum(if(kind = 'request', 1, 0)) as string)",
            "refusals": "cast(sum(if(kind = 'status' and outcome_said = 'failure', 1, 0)) "
            "as string)",
            "grants": "cast(sum(if(kind = 'status' and outcome_said = 'success', 1, 0)) as string)",
            "answered": "cast(max(case when kind = 'status' then unix_micros(time) end) as string)",
        },
        asks=f"case when kind = 'request' then {_at(1, 'asked')} end",
    ),
    {
        # A name that was only tried does not own the process.
        "who": "coalesce(user, case when kind = 'sign-in' then user_tried else user_known end)",
        "behind": f"coalesce(key_names, case when not coalesce({ACCEPTED}, false) "
        "then names_known end)",
        "answer": "case when kind = 'request' and unix_micros(time) <= try_cast(answered as bigint)"
        " then case requests when refusals then 'failure' when grants then 'success' end end",
        "is_sshd": "r.program like 'sshd%' and kind is distinct from 'daemon'",
    },
)
# These programs act for themselves, whatever they write.
DAEMONS = "cron crond dbus-daemon kernel rsyslogd systemd systemd-logind systemd-resolved"
IS_DAEMON = f"lower(r.program) in ({', '.join(map(quoted, DAEMONS.split()))})"
ACTS_ITSELF = f"(coalesce(kind = 'daemon', false) or {IS_DAEMON})"
# Whoever tries to sign in types any name.
TYPED = (
    "coalesce(left_early or (kind = 'sign-in' and coalesce(outcome_said, result) = 'failure'), "
    "false)"
)
PAM_OUTCOME = (
    "case when r.message like '%: session opened%' then 'success' "
    "when r.message like '%: session closed%' then 'unknown' "
    "when r.message like '%authentication failure%' then 'failure' "
    "when r.message rlike '(?i)denied|failed|failure|refused|expired|locked|unknown|not met by|"
    "bad username|could not identify' then 'failure' "
    "when r.message rlike '(?i)authentication success|authenticated as|granted access' "
    "then 'success' else 'unknown' end"
)
OUTCOME = (
    "case when refused is not null then 'failure' when outcome_said is not null then outcome_said "
    f"when kind = 'pam' then {PAM_OUTCOME} when left_early then 'failure' "
    "when pending and method is distinct from 'none' then coalesce(result, 'unknown') "
    "when kind = 'session' then coalesce(session_result, 'unknown') "
    "when kind = 'request' then coalesce(answer, 'unknown') else 'unknown' end"
)

COLUMNS = {
    "event_id": "md5(concat_ws('|', r.host, r.program, r.pid, cast(unix_micros(time) as string),"
    " r.repeated, r.message))",
    "event_time": "time",
    "principal": "coalesce(who, case when is_sshd then 'unknown' end, "
    "concat(r.program, '@', r.host))",
    "names": f"concat_ws('\\n', behind, case when {TYPED} then {chosen('who')} else who end)",
    "kind_hint": f"case when who is null and {ACTS_ITSELF} then 'service' end",
    # The holder of the key acts as the account.
    "acting_as": "case when behind is not null then who end",
    "credential": "coalesce(key, nullif(substring_index(behind, '\\n', -1), ''))",
    "issued_credential": NO_TEXT,
    "action": "coalesce(action_said, r.program)",
    "action_class": "case when kind = 'close' then case when read <> '0' then 'read' "
    "when written <> '0' then 'write' else 'inspect' end "
    "when class_said is not null then class_said when left_early then 'sign_in' else 'other' end",
    "resource": "concat('host://', r.host)",
    "object": "object_said",
    "destination": NO_TEXT,
    "bytes_out": byte_count("read"),
    "source_ip": address("coalesce(caller, caller_known)"),
    "user_agent": NO_TEXT,
    "outcome": OUTCOME,
    "details": details_json(
        {
            "bytes_in": f"cast({byte_count('written')} as string)",
            "certificate": "certificate",
            "invalid_user": "case when tried is not null then 'true' end",
            # The wording of a message that no pattern matches.
            "message": f"substring(plain, 1, {TEXT_CHARS})",
            "method": "method",
            "pid": "r.pid",
            "port": "port",
            "program": "r.program",
            "repeated": "r.repeated",
            "session": "session",
            UNKNOWN_ACTION: f"case when kind = 'odd' then {wording('plain')} "
            f"when not {IS_SSH} and not coalesce({KNOWN}, false) and not {ACTS_ITSELF} "
            "then concat('a line of ', substring(r.program, 1, 60)) end",
        }
    ),
    "precedence": "0",
    "problem": NO_TEXT,
}

LOG_FORMAT = LogFormat(
    columns=lambda _: COLUMNS,
    text=TextRows(
        record=record,
        fault=fault,
        is_json=is_json,
        header_problem=header_problem,
        headerless=True,
        parts=parts,
        links=links,
    ),
    derived=DERIVED,
)
