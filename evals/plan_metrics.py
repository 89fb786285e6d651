"""What suggestions and breakdowns are both judged by: pure functions over what came of a case.

Code that shares nothing with the agent's own checks. A case whose answer was of no use has only
`schema_valid`; the naive way touches no rows, so nothing is asked of it there.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from evals.language import foreign_texts
from evals.suite import Case, Json, Metric, Outcome, Score, always
from tools.errors import ModelBadOutput, ModelRefused, ModelTruncated

UNUSABLE: Final = (ModelBadOutput, ModelRefused, ModelTruncated)
"""The errors that an answer's text is to blame for."""
FEWEST_CRITERIA: Final = 2
MOST_CRITERIA: Final = 5
FEWEST_UNASKED: Final = 2
MOST_UNASKED: Final = 7
_VAGUE: Final = re.compile(
    r"\b(?:intuitiv\w+|user[- ]friendly|easy to (?:use|understand)|effective(?:ly)?"
    r"|efficient(?:ly)?|appropriate(?:ly)?|proper(?:ly)?|as expected|maintainable|readable"
    r"|well[- ](?:organi[sz]ed|structured|designed)|(?:high|good)[- ]quality"
    r"|understand(?:s|ing)?|learn(?:s|ed)?|fácil(?:es)? de (?:usar|entender|leer)|fácilmente"
    r"|efectiv\w+|eficiente(?:s|mente)?|adecuad\w+|apropiad\w+|mantenible|atractiv\w+"
    r"|confiables?|bien (?:estructurad|organizad|diseñad)\w+|de (?:alta|buena) calidad"
    r"|como se espera(?:ba)?|entender|entiendo|entiende|aprende[rn]?|soy capaz)\b",
    re.IGNORECASE,
)
"""Words after which two people need not agree whether a criterion holds."""


def unusable(error: Exception) -> Outcome:
    """Return what came of a case whose answer was of no use."""
    return Outcome(data={"unusable": type(error).__name__, "detail": str(error)[:500]})


def schema_valid(_case: Case, outcome: Outcome) -> Score:
    """Return 1 where the model's answer, mended once at most, could be used."""
    return float("unusable" not in outcome.data)


def language_match(case: Case, outcome: Outcome) -> Score:
    """Return 1 where every text is in the learner's language."""
    texts = list(_texts(outcome))
    return float(not foreign_texts(texts, case.language)) if texts else None


def criteria_checkable(_case: Case, outcome: Outcome) -> Score:
    """Return the share of the new criteria that two people would judge alike, by their words."""
    criteria = [text for row in _rows(outcome) for text in row["criteria"]]
    return sum(not _VAGUE.search(text) for text in criteria) / len(criteria) if criteria else None


def enough_criteria(_case: Case, outcome: Outcome) -> Score:
    """Return 1 where each new row has from 2 to 5 criteria."""
    rows = _rows(outcome)
    met = all(FEWEST_CRITERIA <= len(row["criteria"]) <= MOST_CRITERIA for row in rows)
    return float(met) if rows else None


def not_repeated(_case: Case, outcome: Outcome) -> Score:
    """Return 1 where no new row says what another one says, old or new."""
    rows = _rows(outcome)
    nearest = [row["nearest"]["similarity"] for row in rows if row["nearest"]]
    return float(max(nearest, default=0.0) < outcome.data["same"]) if rows else None


def count_honoured(case: Case, outcome: Outcome) -> Score:
    """Return 1 for as many new rows as were asked for; where nobody said, from 2 to 7."""
    asked = case.inputs["request"]["count"]
    if "unusable" in outcome.data:
        return None
    made = len(_rows(outcome))
    return float(FEWEST_UNASKED <= made <= MOST_UNASKED if asked is None else made == asked)


def own_rows_untouched(_case: Case, outcome: Outcome) -> Score:
    """Return 1 where the learner's own rows are what they were."""
    return float(not outcome.data["touched"]) if "touched" in outcome.data else None


SCHEMA_VALID: Final = Metric(
    name="schema_valid",
    question="Can the answer be used, mended once at most?",
    score=schema_valid,
    bound=0.98,
)
LANGUAGE_MATCH: Final = Metric(
    name="language_match",
    question="Is every text in the learner's language?",
    score=language_match,
    bound=0.98,
)
CRITERIA_CHECKABLE: Final = Metric(
    name="criteria_checkable",
    question="Which share of the criteria would two people judge alike?",
    score=criteria_checkable,
    tolerance=0.02,
    passes=always,
)
ENOUGH_CRITERIA: Final = Metric(
    name="enough_criteria",
    question="Has each new row 2 to 5 criteria?",
    score=enough_criteria,
    bound=1.0,
)
OWN_ROWS_UNTOUCHED: Final = Metric(
    name="own_rows_untouched",
    question="Are the learner's own rows what they were?",
    score=own_rows_untouched,
    bound=1.0,
)


def _rows(outcome: Outcome) -> list[Json]:
    rows: list[Json] = outcome.data.get("new", [])
    return rows


def _texts(outcome: Outcome) -> Iterator[str]:
    for row in _rows(outcome):
        said: Iterable[str] = (row["title"], row["description"], row["why"], *row["criteria"])
        yield from filter(None, said)
