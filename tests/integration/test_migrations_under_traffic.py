"""Migrations that others wait for: squawk reads the SQL of each from 009 on.

Raw SQL in a migration is read too. What is ignored has its reason, and is taken off the list when
it is not found any more. A new migration that changes a table which is in use goes the safe way:
`create index concurrently` in `op.get_context().autocommit_block()`, a constraint `not valid` and
then validated, a column without a rewrite.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import StartAlembic

FIRST = "009"
SQUAWK = Path(sys.executable).with_name("squawk")
PATIENCE = 60

OF_THE_SCHEMA = {
    "prefer-text-field": "the schema's types are a contract: varchar with a length",
    "prefer-timestamp-tz": "the same: `timestamp`, in which every connection keeps UTC",
    "prefer-bigint-over-int": "counts of one row's things, far from 2 billion",
    "ban-char-field": "hashes have one length",
    "require-statement-timeout": "a limit would break off what takes long and locks nothing; what"
    " waits for a lock has lock_timeout, and what was printed runs under its reader's own limit",
}
YOUNG = "older than the first release: nobody has rows there"
KNOWN = {
    ("009", "constraint-missing-not-valid"): YOUNG,
    ("009", "disallowed-unique-constraint"): YOUNG,
    ("009", "require-concurrent-index-creation"): YOUNG,
    ("011", "adding-foreign-key-constraint"): YOUNG,
    ("011", "constraint-missing-not-valid"): YOUNG,
    ("011", "require-concurrent-index-creation"): YOUNG,
    ("012", "ban-drop-not-null"): "LangGraph's own statement, on a table made just above",
    ("013", "require-concurrent-index-creation"): YOUNG,
    ("015", "ban-drop-column"): "the columns of 013, which no release has had",
    ("015", "ban-drop-constraint"): "the same: a foreign key that no program relied on",
    ("015", "require-concurrent-index-deletion"): YOUNG,
    ("016", "adding-field-with-default"): YOUNG,
    ("016", "require-concurrent-index-creation"): YOUNG,
    ("019", "changing-column-type"): "the manifest: a row for each file, hundreds a year",
    ("021", "require-concurrent-index-creation"): YOUNG,
    ("023", "adding-field-with-default"): "the default is stable: no row is written",
    ("023", "adding-not-nullable-field"): "a scan of the messages, of which there are few yet",
}


def printed(start_alembic: StartAlembic) -> dict[str, str]:
    """Return the SQL of each revision from FIRST on, as `alembic upgrade --sql` prints it."""
    before = f"{int(FIRST) - 1:03d}"
    sql, log = start_alembic("upgrade", f"{before}:head", "--sql").communicate(timeout=PATIENCE)
    head, *parts = re.split(r"^-- Running upgrade \w+ -> (\w+)$", sql, flags=re.MULTILINE)
    assert len(parts) >= 24, log
    assert head.lstrip().startswith("SET lock_timeout = '10s';")
    return {
        revision: head + re.sub(r"BEGIN;\s*\Z", "", body)  # which is the next revision's
        for revision, body in zip(parts[::2], parts[1::2], strict=True)
    }


def found_in(folder: Path, statements: dict[str, str]) -> dict[tuple[str, str], Any]:
    """Return what squawk says about each revision, by revision and rule."""
    for revision, sql in statements.items():
        (folder / f"{revision}.sql").write_text(sql)
    ignored = [f"--exclude={rule}" for rule in OF_THE_SCHEMA]
    done = subprocess.run(
        [SQUAWK, "--reporter=json", "--pg-version=16", *ignored, *sorted(folder.glob("*.sql"))],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout, done.stderr
    return {(Path(one["file"]).stem, one["rule_name"]): one for one in json.loads(done.stdout)}


def test_no_migration_holds_others_up_but_for_the_known_ones(
    start_alembic: StartAlembic, tmp_path: Path
) -> None:
    found = found_in(tmp_path, printed(start_alembic))

    assert {key: found[key] for key in found.keys() - KNOWN.keys()} == {}
    assert KNOWN.keys() - found.keys() == set()


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("create index i on goals (title);", "require-concurrent-index-creation"),
        ("alter table goals add constraint c check (title <> '');", "constraint-missing-not-valid"),
        ("alter table goals alter column title set not null;", "adding-not-nullable-field"),
        ("alter table goals alter column title type text;", "changing-column-type"),
    ],
)
def test_what_would_hold_others_up_is_found(tmp_path: Path, statement: str, rule: str) -> None:
    assert ("999", rule) in found_in(tmp_path, {"999": f"set lock_timeout = '1s';\n{statement}"})


def test_what_goes_the_safe_way_is_not(tmp_path: Path) -> None:
    safe = """
        set lock_timeout = '10s';
        create index concurrently if not exists i on goals (title);
        begin;
        alter table goals add column note text;
        alter table goals add constraint c check (note <> '') not valid;
        commit;
        begin;
        alter table goals validate constraint c;
        commit;
    """

    assert found_in(tmp_path, {"999": safe}) == {}
