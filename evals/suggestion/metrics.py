"""What suggested goals are judged by, beside what all plans are."""

from evals.suite import Case, Outcome, Score


def grounded(case: Case, outcome: Outcome) -> Score:
    """Return 1 where some goal rests on a row that a tutor would name, among those at hand."""
    at_hand = set(case.expected["relevant"]) & set(outcome.data.get("found", ()))
    if not at_hand:
        return None
    return float(any(at_hand & set(goal["based_on"]) for goal in outcome.data["new"]))


def found_relevant(case: Case, outcome: Outcome) -> Score:
    """Return 1 where a row that a tutor would name was retrieved."""
    relevant = set(case.expected["relevant"])
    if not relevant or "found" not in outcome.data:
        return None
    return float(bool(relevant & set(outcome.data["found"])))


def never_too_many(case: Case, outcome: Outcome) -> Score:
    """Return 1 where there are no more goals than were asked for."""
    if "new" not in outcome.data:
        return None
    return float(len(outcome.data["new"]) <= case.inputs["request"]["count"])
