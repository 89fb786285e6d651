"""What a plan is judged by, beside what suggestions are too: pure functions over its steps."""

from graphlib import CycleError, TopologicalSorter

from evals.breakdown.steps import goal_of
from evals.suite import Case, Outcome, Score


def dag_valid(_case: Case, outcome: Outcome) -> Score:
    """Return 1 where there is a step, and every edge leads to a step, never in a circle."""
    if "plan" not in outcome.data:
        return None
    edges = {step["key"]: set(step["depends_on"]) for step in outcome.data["plan"]}
    if not edges or not all(needed <= edges.keys() for needed in edges.values()):
        return 0.0
    try:
        TopologicalSorter(edges).prepare()
    except CycleError:
        return 0.0
    return 1.0


def criteria_covered(case: Case, outcome: Outcome) -> Score:
    """Return 1 where each criterion of the goal is served, and nothing that is none."""
    if "plan" not in outcome.data:
        return None
    served = {number for step in outcome.data["plan"] for number in step["serves"]}
    return float(served == set(range(1, len(goal_of(case)["criteria"]) + 1)))
