"""An answer on code as SARIF 2.1.0, for editors and code hosts, and who asked for it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

Json = dict[str, Any]

MEDIA_TYPE: Final = "application/sarif+json"
SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
TOOL: Final = "ai-goals-tracker"
FINGERPRINT: Final = "goalsFingerprint/v1"
LEVELS: Final[Mapping[str, str]] = {"high": "error", "medium": "warning", "low": "note"}
RUN_RULES: Final[Mapping[str, str]] = {
    "fail": "An example of the task gives another result than expected.",
    "error": "An example of the task raises an error.",
    "timeout": "An example of the task does not end in time.",
}
SOURCES: Final[Mapping[str, str]] = {
    "syntax": "The code cannot be parsed.",
    "ruff": "A rule of ruff, the Python linter: {name}.",
    "oxlint": "A rule of oxlint, the JavaScript and TypeScript linter: {name}.",
    "unicode": "Characters that do not show what the code is: {name}.",
    "claims": "A comment claims a result, and a claim is no evidence: {name}.",
    "secrets": "A secret stands in the code: {name}.",
    "model": "A remark of the review, anchored to a quote of the code: {name}.",
}
_DRIVE: Final = re.compile(r"[A-Za-z]:[\\/]")
_PLACEHOLDER: Final = re.compile(r"\{([0-9]+)\}")


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What becomes one result: a rule and a sentence about it, a level, a text, a place."""

    rule: str
    about: str
    level: str
    text: str
    region: Json | None = None
    fingerprint: str | None = None


def to_sarif(answer: Mapping[str, Any], *, file_path: str, version: str) -> Json:
    """Return an answer of the agent on the code of `file_path` as a SARIF log of one run.

    `version` is this service's. Every issue is a result with its lines, every failed example one
    without lines; analyzers that gave no answer are notifications.
    """
    location = {"uri": _uri(file_path), "index": 0}
    rules: dict[str, Json] = {}
    results = [
        _result(found, location, rules)
        for found in (*map(_issue, answer["issues"]), *_failed_runs(answer["runs"]))
    ]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {"name": TOOL, "version": version, "rules": list(rules.values())}
                },
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "toolExecutionNotifications": [
                            _notification(one) for one in answer["unavailable"]
                        ],
                    }
                ],
                "artifacts": [
                    {"location": {"uri": location["uri"]}, "hashes": {"sha-256": answer["sha256"]}}
                ],
                "results": results,
                "properties": {
                    "passed": answer["passed"],
                    "score": answer["score"],
                    "documentVersion": answer["document_version"],
                    "mode": answer["mode"],
                },
            }
        ],
    }


def prefers_sarif(accept: str | None) -> bool:
    """Tell whether an Accept header asks for SARIF: by its name, and not less than for JSON.

    A wildcard alone means JSON, and so does a header that cannot be read.
    """
    wanted: dict[str, float] = {}
    for part in (accept or "").split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        wanted[name] = _quality(parameters)
    sarif = wanted.get(MEDIA_TYPE, 0.0)
    return sarif > 0 and sarif >= wanted.get("application/json", 0.0)


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _issue(issue: Mapping[str, Any]) -> _Found:
    trigger = issue["trigger"]
    start = max(1, issue["start_line"])
    return _Found(
        rule=issue["rule"],
        about=_about_rule(issue["source"], issue["rule"]),
        level=LEVELS.get(issue["severity"], "warning"),
        text=f"{issue['problem']} ({trigger})" if trigger else issue["problem"],
        region={"startLine": start, "endLine": max(start, issue["end_line"])},
        fingerprint=issue["fingerprint"],
    )


def _failed_runs(runs: Sequence[Mapping[str, Any]]) -> list[_Found]:
    """Return what failed; only a strong run is an error."""
    return [
        _Found(
            rule=f"run/{run['status']}",
            about=RUN_RULES[run["status"]],
            level="error" if run["strength"] == "strong" else "note",
            text=_told(run),
        )
        for run in runs
        if run["status"] in RUN_RULES
    ]


def _told(run: Mapping[str, Any]) -> str:
    if run["status"] == "fail":
        return f"{run['expression']}: expected {run['expected']}, got {run['got']}"
    if run["status"] == "error":
        return f"{run['expression']}: raises an error: {run['detail']}"
    return f"{run['expression']}: does not end in time"


def _result(found: _Found, location: Json, rules: dict[str, Json]) -> Json:
    """Return a result; a rule that is new is added to `rules`, whose order gives its index."""
    rules.setdefault(found.rule, {"id": found.rule, "shortDescription": {"text": found.about}})
    place: Json = {"artifactLocation": dict(location)}
    if found.region is not None:
        place["region"] = found.region
    result: Json = {
        "ruleId": found.rule,
        "ruleIndex": list(rules).index(found.rule),
        "level": found.level,
        "message": _message(found.text),
        "locations": [{"physicalLocation": place}],
    }
    if found.fingerprint is not None:
        result["partialFingerprints"] = {FINGERPRINT: found.fingerprint}
    return result


def _notification(missing: Mapping[str, Any]) -> Json:
    return {
        "level": "warning",
        "message": _message(f"No answer from {missing['analyzer']}: {missing['reason']}"),
        "descriptor": {"id": f"unavailable/{missing['analyzer']}"},
    }


def _about_rule(source: str, rule: str) -> str:
    """Return a sentence on a rule; that of a source which is not known here names the rule."""
    return SOURCES.get(source, "{name}").format(name=rule.partition("/")[2] or rule)


def _message(text: str) -> Json:
    """Return a plain message, in which nothing of the learner's becomes a link or a placeholder."""
    return {"text": _PLACEHOLDER.sub(r"{{\1}}", text).replace("](", "] (")}


def _uri(file_path: str) -> str:
    """Return a path as a URI: an absolute one under `file:`, any other relative."""
    path = file_path.replace("\\", "/") if _DRIVE.match(file_path) else file_path
    if _DRIVE.match(path):
        return f"file:///{path[0]}:{quote(path[2:])}"
    if path.startswith("/"):
        return f"file://{quote(path)}"
    return quote(path)
