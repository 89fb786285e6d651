"""Which proposals repeat what exists, or each other."""

import numpy as np

from agent.checks.overlap import Named, cosine, find_overlaps


def vector(*numbers: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.array(numbers, dtype=np.float32)


def test_a_proposal_close_to_an_existing_goal_is_left_out_and_names_it() -> None:
    existing = [Named("gol_1", "Probar la API", vector(1, 0))]

    overlaps = find_overlaps([("Escribir pruebas", vector(1, 0.1))], existing, threshold=0.9)

    assert [(one.index, one.repeats.id) for one in overlaps] == [(0, "gol_1")]
    assert overlaps[0].similarity > 0.9


def test_a_proposal_far_from_everything_stays() -> None:
    existing = [Named("gol_1", "Probar la API", vector(1, 0))]

    assert find_overlaps([("Desplegar", vector(0, 1))], existing, threshold=0.9) == []


def test_the_second_of_two_like_siblings_is_left_out() -> None:
    proposals = [("Uno", vector(1, 0)), ("Otro", vector(0, 1)), ("Uno más", vector(1, 0))]

    overlaps = find_overlaps(proposals, [], threshold=0.9)

    assert [(one.index, one.repeats.id) for one in overlaps] == [(2, None)]


def test_equal_titles_repeat_each_other_whatever_their_vectors() -> None:
    existing = [Named("gol_1", "Probar  la API", vector(1, 0))]

    overlaps = find_overlaps([("probar la api", vector(0, 1))], existing, threshold=0.9)

    assert [one.similarity for one in overlaps] == [1.0]


def test_what_was_left_out_does_not_count_as_a_sibling() -> None:
    existing = [Named("gol_1", "A", vector(1, 0))]
    proposals = [("B", vector(0.99, 0.14)), ("C", vector(0.90, 0.44))]

    overlaps = find_overlaps(proposals, existing, threshold=0.95)

    assert [one.index for one in overlaps] == [0]


def test_the_cosine_of_nothing_is_zero() -> None:
    assert cosine(vector(0, 0), vector(1, 0)) == 0.0
