"""`goals validate`: ask for a verdict on a file, in this process or of a running service."""

import asyncio
import base64
import json
import uuid
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

import typer

from api.sarif import MEDIA_TYPE
from api.service_client import Service, open_client
from api.settings import Settings
from tools.code_files import as_text
from tools.errors import GoalsError, InputError
from tools.texts import MAX_CODE

Form = Literal["text", "json", "sarif"]
Json = dict[str, Any]

PASSED, NOT_PASSED = 0, 1
ACCEPTED: Final = {"text": "application/json", "json": "application/json", "sarif": MEDIA_TYPE}
VERDICTS: Final = {True: "passed", False: "failed", None: "no verdict: too little could be checked"}


def run_validate(
    settings: Settings,
    file: Path,
    *,
    task_id: str | None,
    language: str | None,
    facts: bool,
    hint: str | None,
    form: Form,
    service: Service,
) -> int:
    """Print the answer on `file` and return the exit code.

    With a task it is 0 where the code passed, 1 where it failed or nothing could be judged; without
    one, 1 where the code cannot be parsed or an analyzer found something grave. Raises InputError
    for a file or a request that cannot be used, and the service's errors.
    """
    body = {
        **_read(file, language),
        "mode": "facts" if facts else "full",
        "hint": hint,
    }
    path = "/v1/feedback" if task_id is None else f"/v1/tasks/{quote(task_id, safe='')}/validate"
    answer = asyncio.run(_ask(settings, service, path=path, body=body, accept=ACCEPTED[form]))
    if form == "text":
        _print(answer, file, with_task=task_id is not None)
    else:
        typer.echo(json.dumps(answer, indent=2))
    passed, grave = _sarif_verdict(answer) if form == "sarif" else _verdict(answer)
    if task_id is not None:
        return PASSED if passed else NOT_PASSED
    return NOT_PASSED if grave else PASSED


def _read(file: Path, language: str | None) -> Json:
    """Return the file as a request's fields. Raises InputError."""
    from tools.analysis.syntax import normalise_language

    label = language or normalise_language(file.suffix)
    if label is None:
        raise InputError(f"the language of {file} is not known by its name: say --language")
    try:
        if file.stat().st_size > 4 * MAX_CODE:
            raise InputError(f"{file} is too large: at most {MAX_CODE:,} characters are taken")
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from error
    code = as_text(content)
    if len(code) > MAX_CODE:
        raise InputError(f"{file} is too large: at most {MAX_CODE:,} characters are taken")
    if not code:
        raise InputError(f"{file} is empty")
    known = {"file_path": file.as_posix(), "programming_language": label}
    if code.encode() != content:
        return {**known, "code_base64": base64.b64encode(content).decode()}
    return {**known, "code": code}


async def _ask(settings: Settings, service: Service, *, path: str, body: Json, accept: str) -> Json:
    """Return the service's answer. Raises GoalsError with what it refuses."""
    import httpx2

    opened = open_client(settings, service, with_agent=body["mode"] != "facts")
    try:
        async with opened as client:
            headers = {"Accept": accept, "Idempotency-Key": str(uuid.uuid4())}
            response = await client.post(path, json=body, headers=headers)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise InputError(f"{service.url} does not answer: {error}") from error
    try:
        answer = response.json()
    except ValueError:
        answer = {}
    if not response.is_success or not isinstance(answer, dict) or not answer:
        raise _refusal(response.status_code, answer if isinstance(answer, dict) else {})
    return answer


def _refusal(status: int, problem: Json) -> GoalsError:
    """Return a problem of the service as an error of one line."""
    told = str(problem.get("detail") or f"the service answered {status}")
    fields = [f"{one.get('field')}: {one.get('detail')}" for one in problem.get("errors") or []]
    code = problem.get("code")
    return InputError("; ".join([told, *fields]) + (f" ({code})" if code else ""))


def _verdict(answer: Json) -> tuple[bool | None, bool]:
    """Return whether the code passed, and whether an analyzer found something grave."""
    found = answer["issues"]
    return answer["passed"], any(
        issue["severity"] == "high" and issue["source"] != "model" for issue in found
    )


def _sarif_verdict(log: Json) -> tuple[bool | None, bool]:
    run = log["runs"][0]
    return run["properties"]["passed"], any(
        result["level"] == "error" and not result["ruleId"].startswith(("review/", "run/"))
        for result in run["results"]
    )


def _print(answer: Json, file: Path, *, with_task: bool) -> None:
    verdict, score = VERDICTS[answer["passed"]], answer["score"]
    if not with_task:
        verdict = "no task, no verdict"
    _say(f"{file}: {verdict}" + ("" if score is None else f" (score {score:g})"))
    for run in answer["runs"]:
        _say(f"  {_run_line(run)}")
    for issue in answer["issues"]:
        _say(f"{file}:{issue['start_line']}: {issue['severity']} {issue['problem']}", issue["rule"])
    for missing in answer["unavailable"]:
        _say(f"  no answer from {missing['analyzer']}: {missing['reason']}")
    words = answer["feedback"].partition(answer["evidence"])[2].strip()
    for paragraph in (words, answer["next_step"]):
        if paragraph:
            _say(f"\n{paragraph}")


def _run_line(run: Json) -> str:
    told = {
        "fail": f": expected {run['expected']}, got {run['got']}",
        "error": f": {run['detail']}",
        "not_runnable": f": {run['detail']}",
    }.get(run["status"], "")
    weak = "" if run["strength"] == "strong" else " (weak: it decides nothing)"
    return f"{run['status']} {run['expression']}{told}{weak}"


def _say(text: str, rule: str | None = None) -> None:
    """Print a line; nothing in it can steer the terminal."""
    line = text if rule is None else f"{text} [{rule}]"
    typer.echo("".join(one if one.isprintable() or one in "\n\t" else "\ufffd" for one in line))
