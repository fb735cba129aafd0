"""Patterns of the messages of sshd and of its sftp server, and the values that they give.

``COMMON`` has the messages of nearly every connection, by their beginnings. ``RARE`` has the other
known messages; it is tried only for messages that match none of ``COMMON``. For all other messages
:func:`guess` takes a user, an address and a refusal from their usual places in a message, and
:func:`wording` names the message.

Strangers choose user names. A name may look like the rest of a message, so the last address counts.
"""

from __future__ import annotations

from jobs.stages.sql import EMPTY, quoted

BREAK = "\x1f"
"""Separator of parts. In a line itself it becomes U+FFFD."""
IS_SSH = "(r.program like 'sshd%' or r.program in ('sftp-server', 'internal-sftp'))"

ADDRESS = r"([0-9A-Fa-f:.]+(?:%[^ ]+)?|UNKNOWN)"
PLAIN_ADDRESS = (
    r"((?:::[fF]{4}:)?[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f:]*::[0-9A-Fa-f:]*|"
    r"(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4})(?:[^0-9A-Fa-f:]|:[0-9]|:$|: |$)"
)
"""An address anywhere in a message, and the character after it."""
TRIED_NAME = "((?:invalid|illegal) user )?"
SIGN_IN = (
    r"^(Accepted|Failed|Postponed|Partial) ([^ ]+) for ((?:invalid|illegal) user )?(.*)"
    r" from ([^ ]+) port ([0-9]+)"
)
SHORT_SIGN_IN = (
    r"^(Accepted|Failed|Postponed|Partial) ([^ ]+) for ((?:invalid|illegal) user |<invalid "
    r"username>)?(.*) from ([^ ]+)(?: port ([0-9]+))?(?: ssh[0-9].*)?(?: \[preauth\])?$"
)
PAM = (
    r"^pam_[a-z_0-9]+\(sshd:([a-z]+)\):"
    r"(?: account ([^ ]+) has |.* user[= ][\"'`\[]?([^ (\"'`\]:,;]*))?"
)
END = (
    r"^(Disconnected from|Connection closed by|Connection reset by|Received disconnect from|"
    r"Disconnecting)(?: authenticating| (invalid))?(?: user (.*))? "
    rf"{ADDRESS} port ([0-9]+)"
)
SHORT_END = (
    r"^(Disconnected from|Connection closed by|Connection reset by|Received disconnect from|"
    rf"Closing connection to) {ADDRESS}(?: port ([0-9]+))?(?::|$| \[preauth\])"
)
INVALID = r"^(?:Invalid|Illegal) (user) (.*) from ([^ ]+)(?: port ([0-9]+))?"
SESSION = (
    r"^Starting session: (command|shell|subsystem|forced-command)(?: .*)? for ([^ ]+)"
    r" from ([^ ]+) port ([0-9]+)"
)
SUBSYSTEM = r"^subsystem request for ([^ ]+)(?: by user ([^ ,]+))?$"
SFTP_SESSION = r"^session (opened|closed) for local user ([^ ]+) from \[([^\]]*)\]"
SFTP_CLOSE = r'^(?:forced )?close "(.*)" bytes read ([0-9]+) written ([0-9]+)'
SFTP = r'^(open|opendir|remove|rename|mkdir|rmdir|symlink|stat|lstat|set)(?: name| old)? "([^"]*)"'
SAYS = (
    "kind action_said class_said outcome_said user caller port tried method session object_said "
    "read written"
).split()
"""Values of a message, in this order.

Kinds: ``sign-in`` (an attempt; the user may not exist), ``end`` (of a connection), ``connect`` (its
beginning), ``pam``, ``session``, ``sftp``, ``request`` and ``status`` (a request to the sftp
server, and its answer), ``close`` (of a file), ``note`` (a detail that other messages explain),
``daemon`` (sshd itself acts), ``odd`` (an unknown wording).
"""
Says = dict[str, str]
TRIED = {"user": "$4", "caller": "$5", "port": "$6", "tried": "$3", "method": "$2"}
METHOD = TRIED | {"kind": "sign-in", "action_said": "$1 $2"}
SUCCEEDED = METHOD | {"class_said": "sign_in", "outcome_said": "success"}
FAILED = METHOD | {"class_said": "sign_in", "outcome_said": "failure"}
SESSION_SAYS = {"kind": "session", "class_said": "execute"}
END_SAYS = {
    "kind": "end",
    "action_said": "$1",
    "tried": "$2",
    "user": "$3",
    "caller": "$4",
    "port": "$5",
}
INVALID_SAYS = {
    "kind": "sign-in",
    "action_said": "Invalid user",
    "class_said": "sign_in",
    "outcome_said": "failure",
    "tried": "$1",
    "user": "$2",
    "caller": "$3",
    "port": "$4",
}


def _sftp(action_class: str) -> Says:
    """A request to the sftp server, logged before the answer."""
    return {
        "kind": "request",
        "action_said": "sftp $1",
        "class_said": action_class,
        "object_said": "$2",
    }


def _refused(action: str, **says: str) -> Says:
    """An attempt to sign in that sshd or PAM refuses."""
    refused = {"kind": "sign-in", "class_said": "sign_in", "outcome_said": "failure"}
    return refused | {"action_said": action} | says


def _lost(action: str, **says: str) -> Says:
    """A connection that ended before anybody signed in."""
    return {"kind": "end", "action_said": action, "outcome_said": "failure"} | says


# Beginning of a message, its pattern, and its values; `$1` is the pattern's first group.
COMMON: tuple[tuple[tuple[str, ...], str, Says], ...] = (
    (("Accepted ",), SIGN_IN, SUCCEEDED),
    (("pam_",), PAM, {"kind": "pam", "action_said": "pam $1", "user": "$2$3"}),
    (("Connection ", "Received ", "Disconnect"), END, END_SAYS),
    # The client asks for the allowed methods.
    (("Failed none ",), SIGN_IN, METHOD),
    (("Failed ",), SIGN_IN, FAILED),
    (("Invalid user ", "Illegal user "), INVALID, INVALID_SAYS),
    (
        ("Starting session: ",),
        SESSION,
        SESSION_SAYS
        | {
            "outcome_said": "success",
            "action_said": "Starting session",
            "session": "$1",
            "user": "$2",
            "caller": "$3",
            "port": "$4",
        },
    ),
    # The result follows in another line.
    (("Postponed ", "Partial "), SIGN_IN, METHOD),
    (
        ("subsystem request for ",),
        SUBSYSTEM,
        SESSION_SAYS | {"action_said": "subsystem request", "session": "$1", "user": "$2"},
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
SFTP_PATTERNS = (SFTP, SFTP_CLOSE)

PREFIX = r"^(?:\[ID [0-9]+ [a-z0-9.]+\] )?(?:(?:error|fatal|debug[0-9]|info|verbose): )*"
"""Prefix that a log level or Solaris puts before a message."""
RARE: tuple[tuple[str, Says], ...] = (
    (
        r"^User (.*?)(?: from ([^ ]+))? not allowed because ",
        _refused("User not allowed", user="$1", caller="$2"),
    ),
    (
        r"^PAM: (?:Have exhausted maximum number of retries for service|[A-Za-z][^:]*?) for "
        rf"{TRIED_NAME}(.*) from ([^ ]+)",
        _refused("PAM", tried="$1", user="$2", caller="$3"),
    ),
    (
        r"^[Aa]uthentication (?:failure|error|failed) for ((?:invalid|illegal) user )?(.*) from "
        r"([^ ]+)",
        _refused("PAM", tried="$1", user="$2", caller="$3"),
    ),
    (
        r"^PAM(?:: pam_open_session\(\):| session not opened)",
        {"kind": "note", "action_said": "PAM session", "outcome_said": "failure"},
    ),
    (
        r"^PAM: (pam_[a-z_]+)\(\): ",
        {"kind": "note", "action_said": "PAM $1", "outcome_said": "failure"},
    ),
    (
        r"^PAM [0-9]+ more authentication failures?;(?:.* user=([^ ]+))?",
        {"kind": "pam", "action_said": "pam auth", "outcome_said": "failure", "user": "$1"},
    ),
    (
        r"^[Mm]aximum authentication attempts exceeded for ((?:invalid|illegal) user )?(.*) from "
        r"([^ ]+) port ([0-9]+)",
        _refused("Too many attempts", tried="$1", user="$2", caller="$3", port="$4"),
    ),
    (
        r"^Disconnecting: Too many authentication failures"
        rf"(?: for {TRIED_NAME}(.*?))?(?: \[preauth\])?$",
        _refused("Too many attempts", tried="$1", user="$2"),
    ),
    (
        r"^ROOT LOGIN REFUSED FROM ([^ ]+)(?: port ([0-9]+))?",
        _refused("ROOT LOGIN REFUSED", user="root", caller="$1", port="$2"),
    ),
    (r"^Login restricted for ([^:]*)", _refused("Login restricted", user="$1")),
    (
        r"^Access denied(?: for user (.*?))?(?: by .*)?(?: \[preauth\])?$",
        _refused("Access denied", user="$1"),
    ),
    (
        r"^input_userauth_request: (?:invalid|illegal) (user) (.*?)(?: \[preauth\])?$",
        _refused("Invalid user", tried="$1", user="$2"),
    ),
    (r"^Account (.*) has expired", _refused("Account expired", user="$1")),
    (
        r"^Authentication tried for (.*) with [a-z ]+ but not from a permitted [a-z ]+ "
        r"\((?:host=[^,]*, ip=)?([^,)]+)",
        _refused("Not from a permitted host", user="$1", caller="$2"),
    ),
    (r"^Authentication refused(?: for ([^:]*))?: ", _refused("Authentication refused", user="$1")),
    (r"^(Certificate invalid|Refusing certificate|Authentication key)\b", _refused("$1")),
    # Another message has the result of the attempt.
    (
        r"^(User (.*) password has expired|Could not get shadow information for (.*))",
        {"kind": "sign-in", "action_said": "sshd", "user": "$2$3"},
    ),
    (
        SHORT_SIGN_IN.replace("Accepted|Failed|Postponed|Partial", "Accepted"),
        SUCCEEDED,
    ),
    (SHORT_SIGN_IN.replace("([^ ]+) for", "(none) for"), METHOD),
    (SHORT_SIGN_IN.replace("Accepted|Failed|Postponed|Partial", "Failed"), FAILED),
    (SHORT_SIGN_IN, METHOD),
    (INVALID, INVALID_SAYS),
    (END, END_SAYS),
    (SHORT_END, {"kind": "end", "action_said": "$1", "caller": "$2", "port": "$3"}),
    (
        r"^(Connection from) ([^ ]+)(?: port ([0-9]+))?(?: on .*)?$",
        {"kind": "connect", "action_said": "$1", "caller": "$2", "port": "$3"},
    ),
    (
        rf"^SSH: Server;Ltype: [A-Za-z]+;Remote: {ADDRESS}-([0-9]+);",
        {"kind": "connect", "action_said": "Connection from", "caller": "$1", "port": "$2"},
    ),
    (
        r"^(Unable to negotiate with|Did not receive identification string from|Timeout before "
        r"authentication for|Protocol major versions differ for)(?: connection from)? "
        rf"{ADDRESS}(?: port ([0-9]+))?",
        _lost("$1", caller="$2", port="$3"),
    ),
    (
        rf"^(Bad protocol version identification) .* from {ADDRESS}(?: port ([0-9]+))?",
        _lost("$1", caller="$2", port="$3"),
    ),
    (
        r"^([a-z_]+(?: exchange)?): Connection (?:from|to|closed by|reset by) "
        rf"(?:authenticating |(invalid) )?(?:user (.*) )?{ADDRESS} port ([0-9]+)",
        _lost("$1", tried="$2", user="$3", caller="$4", port="$5"),
    ),
    (r"^(kex_[a-z_]+|banner exchange|ssh_dispatch_run_fatal)(?::|$)", _lost("$1")),
    (rf"^(refused connect) from .*\({ADDRESS}\)", _lost("$1", caller="$2")),
    (rf"^(refused connect) from {ADDRESS}", _lost("$1", caller="$2")),
    (
        rf"^(drop connection) #[0-9]+ from \[{ADDRESS}\]:([0-9]+)",
        _lost("$1", caller="$2", port="$3"),
    ),
    (
        rf"^(Timeout, client not responding|Read error) from(?: remote host)?(?: user (.*))? "
        rf"{ADDRESS} port ([0-9]+)",
        {"kind": "end", "action_said": "$1", "user": "$2", "caller": "$3", "port": "$4"},
    ),
    (
        rf"^(reverse mapping) checking getaddrinfo for .* \[{ADDRESS}\]",
        {"kind": "note", "action_said": "$1", "caller": "$2"},
    ),
    (
        rf"^(Address) {ADDRESS} maps to ",
        {"kind": "note", "action_said": "reverse mapping", "caller": "$2"},
    ),
    (
        r"^(Close session): user (.*) from ([^ ]+) port ([0-9]+)",
        {"kind": "end", "action_said": "$1", "user": "$2", "caller": "$3", "port": "$4"},
    ),
    (
        r"^subsystem request for ([^ ]+)(?: by user (.*?))? failed, subsystem not found",
        SESSION_SAYS
        | {
            "action_said": "subsystem request",
            "outcome_said": "failure",
            "session": "$1",
            "user": "$2",
        },
    ),
    (
        r"^subsystem request for ([^ ]+) by user (.*)$",
        SESSION_SAYS | {"action_said": "subsystem request", "session": "$1", "user": "$2"},
    ),
    (
        r"^(Transferred|User child|Found matching|Accepted key|Accepted certificate|Root login "
        r"accepted|Attempt to write login records)\b",
        {"kind": "note", "action_said": "$1"},
    ),
    (
        r"^(?:Server listening|Received (?:signal|SIG)|Exiting on signal|RESTARTING|Bind to port|"
        r"Cannot bind|Could not load host key|Unable to load host key|Missing privilege separation|"
        r"rexec line|reprocess config line|/etc/ssh/|Unsupported option|Deprecated option|"
        r"beginning MaxStartups|exited MaxStartups|srclimit_|no hostkeys|sshd: no hostkeys)",
        {"kind": "daemon"},
    ),
    (
        r"^sent status Success",
        {"kind": "status", "action_said": "sftp status", "outcome_said": "success"},
    ),
    (r"^sent status End of file", {"kind": "sftp", "action_said": "sftp status"}),
    (
        r"^sent status ",
        {"kind": "status", "action_said": "sftp status", "outcome_said": "failure"},
    ),
    (r"^received client version ", {"kind": "sftp", "action_said": "sftp version"}),
    (r'^(posix-rename|hardlink|lsetstat)(?: old| name)? "([^"]*)"', _sftp("write")),
    (r'^(statvfs|readlink|realpath|fsync) "([^"]*)"', _sftp("inspect")),
    (
        r'^(?:forced )?(closedir) "(.*)"',
        {"kind": "sftp", "action_said": "sftp $1", "object_said": "$2"},
    ),
)

# Places of a user in messages of unknown wording, the best place first.
USER_PLACES = (
    r" for (?:invalid |illegal )?(?:user )?[\"'`]?([^ \"'`]+)[\"'`]? from [^ ]+",
    r"(?:^|[ (,;])(?:[Uu]ser|USER)(?:=|: ?| )[\"'`\[]?([^ (\"'`\],;:]+)",
    r"(?:[Aa]uth|[Ll]ogin|[Pp]assword|[Aa]ccount|[Kk]ey|[Aa]ccess).* for [\"'`]?([^ (\"'`,;:]+)"
    r"[\"'`]?(?: \[preauth\])?$",
)
NO_USERS = (
    "a account an and authentication by certificate child could does for from has id in is key "
    "name not on the this to unknown was with"
).split()
ADDRESS_PLACES = (
    rf"^.*(?:[Ff]rom|FROM|by|with|rhost|host|ip|addr|address)[ =]\[?{PLAIN_ADDRESS}",
    rf"(?:^|[ =\[(,]){PLAIN_ADDRESS}",
)
REFUSALS = (
    "(?i)refus|den(?:y|ied)|fail|not allowed|not permitted|invalid|illegal|reject|expired|locked|"
    "disallow|exceeded|forbidden|revoked|unauthori"
)
ABOUT_SIGN_IN = "(?i)auth|log ?[io]n|password|account|access|user|publickey|certificate|permi"
WORDING = (
    ("\"[^\"]*\"|`[^']*'|'[^']*'", "<text>"),
    ("((?:^|[ (])(?:[Uu]ser|USER|for)(?:=|: ?| )(?:user )?)[^ ,;:()<]+", "$1<name>"),
    ("((?:from|FROM|host)[ =])[^ ,;]+", "$1<address>"),
    ("/[^ ,;]+", "<path>"),
    ("[^ (]*[0-9][^ ,;)]*", "<number>"),
)
"""Parts that differ between messages of one wording, and their replacements."""
WORDING_CHARS = 80
TEXT_CHARS = 400


def said_commonly() -> str:
    """SQL of the values of a message of ``COMMON``, between breaks; the text or null for others."""
    cases = []
    for texts, pattern, says in COMMON:
        begins = " or ".join(f"startswith(r.message, {quoted(text)})" for text in texts)
        # Other programs also write messages with `open` and `remove`.
        ours = f" and {IS_SSH}" if pattern in SFTP_PATTERNS else ""
        cases.append(f"when ({begins}){ours} then {_replaced('r.message', pattern, says)}")
    return f"case {' '.join(cases)} end"


def said_rarely(text: str) -> str:
    """SQL of the values of a message of ``RARE``, between breaks; null for others."""
    cases = (
        f"when {text} rlike {quoted(pattern)} then {_replaced(text, pattern, says)}"
        for pattern, says in RARE
    )
    return f"case {' '.join(cases)} end"


def _replaced(text: str, pattern: str, says: Says) -> str:
    """SQL of the values of a message, each after a break.

    The text after the pattern is one more value.
    """
    replacement = BREAK.join(("", *(says.get(name, "") for name in SAYS), ""))
    return f"regexp_replace({text}, {quoted(pattern)}, '{replacement}')"


def guess(text: str) -> str:
    """SQL of the values of a message of unknown wording, each after a break."""
    users = [f"nullif(regexp_extract({text}, {quoted(place)}, 1), '')" for place in USER_PLACES]
    others = ", ".join(map(quoted, NO_USERS))
    users = [f"case when {user} not in ({others}) then {user} end" for user in users]
    callers = [
        f"nullif(regexp_extract({text}, {quoted(place)}, 1), '')" for place in ADDRESS_PLACES
    ]
    user, refused = f"coalesce({', '.join(users)}, '')", f"{text} rlike {quoted(REFUSALS)}"
    about_sign_in = f"{text} rlike {quoted(ABOUT_SIGN_IN)}"
    pieces = {
        "kind": "'odd'",
        "class_said": f"if({refused} and {about_sign_in} and {user} <> '', 'sign_in', '')",
        "outcome_said": f"if({refused}, 'failure', '')",
        "user": user,
        "caller": f"coalesce({', '.join(callers)}, '')",
        "port": f"regexp_extract({text}, ' port ([0-9]+)', 1)",
    }
    said = ", ".join(pieces.get(name, "''") for name in SAYS)
    return f"concat_ws('{BREAK}', '', {said}, '')"


def wording(text: str) -> str:
    """SQL of a message without its variable parts, at most 80 characters."""
    for pattern, replacement in WORDING:
        text = f"regexp_replace({text}, {quoted(pattern)}, '{replacement}')"
    return f"nullif(substring({text}, 1, {WORDING_CHARS}), {EMPTY})"
