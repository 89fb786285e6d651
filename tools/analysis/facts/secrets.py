"""Take secrets out of text before anybody else reads it.

The rules are our own and ignore every "allow" or "ignore" pragma: those belong to the author of
the text, who may be careless with a real key.
"""

import base64
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from tools.analysis.facts.fact import Fact, in_order
from tools.analysis.facts.unicode import INVISIBLE

ANALYZER: Final = "secrets"
PIECE: Final = 8


@dataclass(frozen=True)
class Secret:
    """What was hidden, never its value; lines are 1-based and inclusive."""

    kind: str
    placeholder: str
    line: int
    end_line: int


@dataclass(frozen=True)
class Redacted:
    """The text with placeholders, line for line as long as before, and what they stand for."""

    text: str
    found: tuple[Secret, ...]
    _values: Mapping[str, str] = field(repr=False, default_factory=dict)

    def hide_in(self, text: str) -> str:
        """Return another text, as what the code has printed, without pieces of these secrets.

        Eight of their characters in a row are a piece. Other secrets are hidden too.
        """
        for value, placeholder in self._values.items():
            for shown in {value, repr(value)[1:-1]}:
                text = _without_pieces(text, shown, placeholder)
        return redact(text).text


def _without_pieces(text: str, value: str, placeholder: str) -> str:
    pieces = {value[at : at + PIECE] for at in range(max(len(value) - PIECE, 0) + 1)}
    size = min(PIECE, len(value))
    hidden = bytearray(len(text))
    for at in range(len(text) - size + 1):
        if text[at : at + size] in pieces:
            hidden[at : at + size] = b"\1" * size
    runs = groupby(zip(text, hidden, strict=True), key=lambda one: one[1])
    return "".join(
        placeholder if is_hidden else "".join(letter for letter, _ in run)
        for is_hidden, run in runs
    )


def redact(text: str) -> Redacted:
    """Replace secrets by `<secret:1:aws-key>` and the like; equal secrets share a placeholder."""
    pieces: list[str] = []
    found: list[Secret] = []
    placeholders: dict[str, str] = {}
    position, line = 0, 1
    for start, end, kind in _spans(text):
        value = text[start:end]
        seen = INVISIBLE.sub("", value)
        placeholder = placeholders.setdefault(seen, f"<secret:{len(placeholders) + 1}:{kind}>")
        breaks = _BREAK.findall(value)
        line += len(_BREAK.findall(text, position, start))
        found.append(Secret(kind, placeholder, line, line + len(breaks)))
        pieces += [text[position:start], placeholder, *breaks]
        position, line = end, line + len(breaks)
    return Redacted("".join([*pieces, text[position:]]), tuple(found), placeholders)


def find_secrets(code: str) -> tuple[Fact, ...]:
    """List secrets as facts of the rules `secrets/<kind>`; a message never holds the value."""
    return in_order(
        Fact(
            analyzer=ANALYZER,
            rule=f"{ANALYZER}/{secret.kind}",
            line=secret.line,
            end_line=secret.end_line,
            message=f"looks like a secret ({secret.kind}); hidden as {secret.placeholder}",
            severity="high",
        )
        for secret in redact(code).found
    )


def _spans(text: str) -> list[tuple[int, int, str]]:
    """Find secrets in the text as it is after its invisible characters have been dropped."""
    if not INVISIBLE.search(text):
        return _without_overlaps(text)
    places = [place for place, letter in enumerate(text) if not INVISIBLE.match(letter)]
    visible = INVISIBLE.sub("", text)
    return [
        (places[start], places[end - 1] + 1, kind)
        for start, end, kind in _without_overlaps(visible)
    ]


_BREAK = re.compile(r"\r\n|\n|\r")

_PEM_BEGIN = r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"

# In order of precedence; the group `secret`, or else the whole match, is hidden.
_TOKENS = [
    (kind, re.compile(pattern))
    for kind, pattern in (
        (
            "private-key",
            _PEM_BEGIN + r"(?:(?!-----)[\s\S]){0,16000}-----END [A-Z0-9 ]{0,30}KEY(?: BLOCK)?-----"
            r"|" + _PEM_BEGIN + r"(?:[\s\"'+\\nr,]{0,12}[A-Za-z0-9+/=]{30,80}){0,200}",
        ),
        ("aws-key", r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
        ("github-token", r"\b(?:gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{22,255})"),
        ("gitlab-token", r"\bgl(?:pat|ptt|dt|rt|cbt|ft|soat|agent|imt)-[A-Za-z0-9_\-.]{20,255}"),
        ("slack-token", r"\b(?:xox[abeoprs]|xapp)-[A-Za-z0-9\-]{10,255}"),
        ("slack-webhook", r"https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9+/]{20,99}"),
        (
            "stripe-key",
            r"\b(?:[srp]k_(?:live|test)_[A-Za-z0-9]{10,255}|whsec_[A-Za-z0-9+/=]{20,99})",
        ),
        ("anthropic-key", r"\bsk-ant-[A-Za-z0-9_\-]{20,255}"),
        ("openai-key", r"\bsk-(?:(?:proj|svcacct|admin|None)-)?[A-Za-z0-9_\-]{20,255}"),
        ("google-key", r"\bAIza[A-Za-z0-9_\-]{35}"),
        ("google-token", r"\b(?:ya29\.[A-Za-z0-9_\-]{20,500}|GOCSPX-[A-Za-z0-9_\-]{20,99})"),
        ("npm-token", r"\bnpm_[A-Za-z0-9]{36}"),
        ("pypi-token", r"\bpypi-[A-Za-z0-9_\-]{50,500}"),
        ("huggingface-token", r"\bhf_[A-Za-z0-9]{30,99}"),
        ("sendgrid-key", r"\bSG\.[A-Za-z0-9_\-]{16,64}\.[A-Za-z0-9_\-]{16,64}"),
        ("telegram-token", r"\b\d{8,10}:AA[A-Za-z0-9_\-]{30,36}"),
        (
            "discord-token",
            r"\b[MNO][A-Za-z0-9_\-]{22,27}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{26,40}",
        ),
        (
            "webhook",
            r"https://(?:\w{1,20}\.)?discord(?:app)?\.com/api/webhooks/\d{1,25}/[A-Za-z0-9_\-]{40,99}",
        ),
        ("twilio-key", r"\bSK[0-9a-f]{32}\b"),
        ("twilio-key", r"\bAC[0-9a-f]{32}['\"]\s{0,9},\s{0,9}['\"](?P<secret>[0-9a-f]{32})\b"),
        ("mailgun-key", r"\bkey-[0-9a-f]{32}\b"),
        ("firebase-key", r"\bAAAA[A-Za-z0-9_\-]{7}:APA91b[A-Za-z0-9_\-]{60,200}"),
        ("twitter-token", r"\bA{18,24}[A-Za-z0-9%]{40,120}"),
        (
            "api-token",
            r"\b(?:hv[sb]\.|lin_api_|gsk_|xai-|r8_|PMAK-|ntn_|sbp_|pscale_(?:tkn|oauth|pw)_|ATATT3|nvapi-"
            r"|dckr_(?:pat|oat)_|sq0(?:csp|atp)-|EAAC|glsa_|figd_|pplx-|tvly-|dp\.pt\.|rnd_|fo1_|dsk-)"
            r"[A-Za-z0-9_\-.=]{20,255}",
        ),
        ("signature", r"[?&](?:sig|X-Amz-Signature)=(?P<secret>[A-Za-z0-9%+/=]{30,200})"),
        ("npm-token", r"(?m)^[ \t]*(?://\S{1,200}:)?_auth[ \t]*=[ \t]*(?P<secret>\S{8,500})"),
        (
            "private-key",
            r"\bPrivate-Lines: \d{1,4}\r?\n(?P<secret>(?:[A-Za-z0-9+/=]{10,80}(?:\r?\n)?){1,200})",
        ),
        ("digitalocean-token", r"\bdo[opr]_v1_[a-f0-9]{64}"),
        ("shopify-token", r"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
        ("databricks-token", r"\bdapi[a-f0-9]{32}"),
        ("age-key", r"\bAGE-SECRET-KEY-1[A-Z0-9]{58}"),
        (
            "azure-key",
            r"(?i)\b(?:AccountKey|SharedAccessKey)=(?P<secret>[A-Za-z0-9+/]{40,90}={0,2})",
        ),
        (
            "jwt",
            r"\beyJ[A-Za-z0-9_\-]{8,4000}\.eyJ[A-Za-z0-9_\-]{8,8000}(?:\.[A-Za-z0-9_\-]{0,4000})?",
        ),
        (
            "url-password",
            r"\b[A-Za-z][A-Za-z0-9+.\-]{1,30}://[^\s:/@'\"<>]{0,100}:(?P<secret>[^\s/'\"<>]{1,200})@",
        ),
        (
            "authorization",
            r"(?i)\b(?:authorization|auth)['\"]?\]?\s{0,4}[:=,]\s{0,4}[rbf]?['\"]?"
            r"(?:bearer|basic|token)\s{1,4}(?P<secret>[A-Za-z0-9._~+/=\-]{12,4000})",
        ),
        ("authorization", r"(?i)\b[bB]earer\s(?P<secret>[A-Za-z0-9._~+/=\-]{20,4000})"),
        (
            "password",
            r"\bcurl\b[^\n]{0,200}?\s(?:-u|--user)[ =]['\"]?[^\s:'\"]{1,60}:"
            r"(?P<secret>[^\s'\"]{3,200})",
        ),
        (
            "password",
            r"\bmachine\s\S{1,100}\s+login\s\S{1,100}\s+password\s(?P<secret>\S{3,200})",
        ),
        (
            "password",
            r"(?m)^[\w.*\-]{1,100}:(?:\d{2,5}|\*):[^:\s]{1,60}:[^:\s]{1,60}:"
            r"(?P<secret>\S{3,200})(?=[ \t]*(?:#.*)?$)",
        ),
        (
            "password",
            r"\b(?:mysql|mysqldump|mysqladmin|mariadb)\b[^\n]{0,200}?\s-p(?P<secret>[^\s'\"]{4,100})",
        ),
        (
            "password",
            r"\b(?:sshpass\s{1,4}-p|redis-cli\b[^\n]{0,100}?\s-a)\s{0,4}['\"]?(?P<secret>[^\s'\"]{4,100})",
        ),
        ("password", r"(?i)\bIDENTIFIED\s{1,4}BY\s{1,4}['\"](?P<secret>[^'\"\n]{4,100})['\"]"),
        (
            "password",
            r"--(?:password|passwd|token|api-key|secret)[ =]['\"]?(?P<secret>[^\s'\"]{6,200})",
        ),
    )
]

_PASSWORDS = r"(?:pass(?:word|wd|phrase|code)?|pwd|contrase(?:ñ|n)a|clave|credential)s?"
_KEYS = (
    r"(?:secret|token|api[_\-]?key|access[_\-]?key|auth[_\-]?key|private[_\-]?key"
    r"|signing[_\-]?key|encryption[_\-]?key)s?"
)
_NAME = re.compile(
    r"(?:(?P<password>" + _PASSWORDS + r")|" + _KEYS + r")[A-Za-z0-9_\-]{0,30}", re.IGNORECASE
)
_VALUE = (
    r"[ \t]{0,8}(?:\(?[ \t]{0,4}\\?\r?\n[ \t]{0,40}(?=[rRbBfFuU@$]{0,2}['\"]))?"
    r"(?:(?:[rRbBfFuU]{1,2}|[@$]{1,2})(?=['\"]))?"
    r"(?:(?P<quote>\\{0,3}(?:\"\"\"|'''|['\"`]))"
    r"(?P<quoted>(?:(?!(?P=quote))(?:\\.|[^\\\n])){4,500})(?P=quote)"
    r"|(?P<bare>[^\s'\"`,;(){}\[\]<>#&\\]{8,500}))"
)
# All are tried at every name: what looks like an annotation may itself be the value.
_ASSIGNMENTS = tuple(
    re.compile(between + _VALUE)
    for between in (
        r"[\\'\"\])]{0,5}[ \t]{0,4}(?::=|=>|={1,3}|!=|:|,|>|\|\||\?\?|\bor\b)",
        r"(?:[ \t]{0,2}[({]|[ \t]{1,3}(?=['\"]))",
        r"[ \t]{0,4}:[ \t]{0,4}[A-Za-z_&][\w.\[\]|&' ]{0,40}?[ \t]{0,4}=",
        r"[ \t]{1,4}[*\[\]]{0,3}[A-Za-z_][\w.]{0,40}[ \t]{1,4}=",
        r"['\"][ \t]{1,4}value[ \t]{0,2}=",
    )
)
# The group `secret` is hidden where it looks random enough.
_SUSPECTS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?i)\b\w{0,20}(?:auth|login|credentials?)\w{0,20}[ \t]{0,2}=?[ \t]{0,2}\("
        r"\s{0,9}['\"][^'\"\n]{1,60}['\"]\s{0,9},\s{0,9}['\"](?P<secret>[^'\"\n]{6,200})['\"]",
        r"(?im)^[ \t]{0,20}(?:ENV|setx?)[ \t]{1,4}\w{0,40}(?:pass|secret|token|key)\w{0,20}"
        r"[ \t=]{1,4}['\"]?(?P<secret>[^\s'\"]{8,200})",
        r"(?i)\b(?:key|iv|salt)[ \t]{0,4}=[ \t]{0,4}b['\"](?P<secret>[^'\"\n]{16,200})['\"]",
        r"(?i)\b(?:b64decode|atob|decode_?base64|base64\.decode\w{0,10}|base64_decode"
        r"|fromBase64String"
        r"|Buffer\.from)\(\s{0,9}b?['\"](?P<secret>[A-Za-z0-9+/_\-=]{32,4000})['\"]",
    )
)
_ENCODED = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{20,4000}={0,2}(?![A-Za-z0-9+/=])")
_MAX_ENCODED = 200
_KINDS = {kind for kind, _ in _TOKENS} | {"password", "token"}
_PLACEHOLDER = re.compile(rf"<secret:\d{{1,6}}:(?:{'|'.join(sorted(_KINDS))})>")
_CODE_AFTER = re.compile(r"[ \t]*[(\[]")
_NOT_A_VALUE = re.compile(
    r"(?:<.*>|\$\{.*\}|\$[A-Z_][A-Z0-9_]*|\{.*\}|%\(?\w*\)?[sd]|%[A-Z_]+%"
    r"|[^\W\d_]+: ?|\w+=(?:True|False|None)|\*+|[xX]{4,}|\.{3,}|<+)$"
)


def _without_overlaps(text: str) -> list[tuple[int, int, str]]:
    taken: list[tuple[int, int, str]] = []
    covered = bytearray(len(text))
    for earlier in _PLACEHOLDER.finditer(text):
        covered[earlier.start() : earlier.end()] = b"\1" * len(earlier[0])
    text = _PLACEHOLDER.sub(lambda earlier: "<" * len(earlier[0]), text)
    found = (*_tokens(text), *_assignments(text), *_suspects(text), *_encoded(text))
    for start, end, kind in found:
        if start < end and not any(covered[start:end]):
            covered[start:end] = b"\1" * (end - start)
            taken.append((start, end, kind))
    return sorted(taken)


def _tokens(text: str) -> Iterator[tuple[int, int, str]]:
    for kind, pattern in _TOKENS:
        for match in pattern.finditer(text):
            start, end = match.span("secret" if "secret" in pattern.groupindex else 0)
            if not _NOT_A_VALUE.match(match[0][start - match.start() : end - match.start()]):
                yield start, end, kind


def _assignments(text: str) -> Iterator[tuple[int, int, str]]:
    """Find values given to names such as `db_password`, where they look random enough."""
    for name in _NAME.finditer(text):
        kind = "password" if name["password"] else "token"
        least = 2.75 if kind == "password" else 3.0
        for pattern in _ASSIGNMENTS:
            match = pattern.match(text, name.end())
            if match is None:
                continue
            group = "quoted" if match["quoted"] is not None else "bare"
            value = match[group]
            code = group == "bare" and (
                _CODE_AFTER.match(text, match.end()) or not _is_bare_value(value)
            )
            if not code and not _NOT_A_VALUE.match(value) and _is_random(value, least=least):
                yield *match.span(group), kind


def _suspects(text: str) -> Iterator[tuple[int, int, str]]:
    for pattern in _SUSPECTS:
        for match in pattern.finditer(text):
            value = match["secret"]
            if not _NOT_A_VALUE.match(value) and _is_random(value, least=2.75):
                yield *match.span("secret"), "password"


def _encoded(text: str) -> Iterator[tuple[int, int, str]]:
    """Find base64 that hides one of the tokens above."""
    for match, _ in zip(_ENCODED.finditer(text), range(_MAX_ENCODED), strict=False):
        try:
            inside = base64.b64decode(match[0] + "=" * (-len(match[0]) % 4)).decode("ascii")
        except ValueError:
            continue
        if inside.isprintable() or "\n" in inside:
            kind = next((kind for _, _, kind in _tokens(inside)), None)
            if kind is not None:
                yield *match.span(), kind


def _is_bare_value(value: str) -> bool:
    """Tell a value of an `.env` or YAML file from a name or an attribute in code."""
    return any(letter.isdigit() for letter in value) and not re.fullmatch(
        r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+|[a-z]+(?:_[a-z0-9]+)*|[\d.\-+*/=]+|[A-Za-z_]\w*=-?\d+",
        value,
    )


def _is_random(value: str, *, least: float) -> bool:
    """Tell whether a value mixes kinds of characters and carries `least` bits for each of them."""
    if len(value) < 8 or " " in value.strip():
        return False
    kinds = (
        any(letter.isalpha() for letter in value),
        any(letter.isdigit() for letter in value),
        any(not letter.isalnum() for letter in value),
    )
    if sum(kinds) < 2 or not any(kinds[:2]) or re.fullmatch(r"[a-z]+([_\-. ][a-z]+)*", value):
        return False
    counts = Counter(value).values()
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts)
    return entropy >= least
