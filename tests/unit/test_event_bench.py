"""The parts of `goals bench events` that measure nothing: goals, report, wire, events."""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import mean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import frame, spec

from db.events import CATALOGUE
from events.bench.amqp import Confirms, encode_publish
from events.bench.drain import Drain, Sample
from events.bench.figures import (
    GOALS,
    BenchFailed,
    Figure,
    Goal,
    assess,
    make_report,
    percentile,
)
from events.bench.messages import make_message, make_rows
from events.bench.plan import SECTIONS, read_sections
from events.bench.run import memory_figures
from events.envelope import decode
from events.publisher import Message

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def figure(name: str, *values: float) -> Figure:
    return Figure(name=name, what=f"what {name} is", unit="events/s", values=values)


def acks(confirmed: Sequence[tuple[int, bool]]) -> bytes:
    methods = (spec.Basic.Ack(tag, multiple) for tag, multiple in confirmed)
    return b"".join(frame.Method(1, method).marshal() for method in methods)


def frames_of(encoded: bytes) -> list[Any]:
    found = []
    while encoded:
        consumed, each = frame.decode_frame(encoded)
        found.append(each)
        encoded = encoded[consumed:]
    return found


@pytest.mark.parametrize(
    ("sense", "value", "met"),
    [
        ("at least", 0.6, True),
        ("at least", 0.59, False),
        ("at most", 0.6, True),
        ("at most", 0.61, False),
    ],
)
def test_a_goal_is_met_at_its_bound_and_on_one_side_of_it(
    *, sense: Any, value: float, met: bool
) -> None:
    goal = Goal(figure="ours", sense=sense, bound=0.6)

    assert [each.met for each in assess([figure("ours", value)], [goal])] == [met]


def test_a_ratio_is_of_the_rounds_that_met_the_same_machine() -> None:
    figures = [figure("ours", 10, 60, 30), figure("limit", 20, 80, 40)]

    [assessment] = assess(figures, [Goal(figure="ours", over="limit", bound=0.7)])

    assert assessment.values == (0.5, 0.75, 0.75)
    assert (assessment.value, assessment.met) == (0.75, True)


def test_a_ratio_to_a_figure_of_other_rounds_is_that_of_the_medians() -> None:
    figures = [figure("drain", 9), figure("limit", 20, 80, 30)]

    [assessment] = assess(figures, [Goal(figure="drain", over="limit")])

    assert (assessment.value, assessment.met) == (0.3, None)


def test_a_goal_whose_figures_were_not_measured_is_left_out() -> None:
    goals = [Goal(figure="drain", bound=5_000), Goal(figure="ours", over="limit", bound=0.6)]

    assert assess([figure("ours", 1)], goals) == []


def test_a_figure_of_nothing_gives_a_ratio_without_an_end_that_json_leaves_out() -> None:
    figures = [figure("ours", 1), figure("limit", 0)]
    goals = [Goal(figure="ours", over="limit", sense="at most", bound=1.1)]

    [assessment] = assess(figures, goals)
    report = make_report(figures, environment={}, parameters={}, goals=goals)

    assert (assessment.value, assessment.met) == (math.inf, False)
    assert (report["goals"][0]["value"], report["goals"][0]["values"]) == (None, [None])
    json.dumps(report, allow_nan=False)


def test_the_report_says_what_was_measured_and_how_it_compares() -> None:
    figures = [figure("publish.ours", 6, 8, 7), figure("publish.socket", 10, 10, 10)]

    report = make_report(figures, environment={"cpus": 2}, parameters={"rounds": 3})

    assert report == {
        "environment": {"cpus": 2},
        "parameters": {"rounds": 3},
        "figures": [
            {
                "name": "publish.ours",
                "what": "what publish.ours is",
                "unit": "events/s",
                "median": 7,
                "min": 6,
                "max": 8,
                "values": [6, 8, 7],
            },
            {
                "name": "publish.socket",
                "what": "what publish.socket is",
                "unit": "events/s",
                "median": 10,
                "min": 10,
                "max": 10,
                "values": [10, 10, 10],
            },
        ],
        "goals": [
            {
                "figure": "publish.ours",
                "over": "publish.socket",
                "value": 0.7,
                "values": [0.6, 0.8, 0.7],
                "sense": "at least",
                "bound": 0.6,
                "met": True,
            }
        ],
    }


def test_no_goal_is_held_against_the_same_figures_twice() -> None:
    compared = [(goal.figure, goal.over) for goal in GOALS]

    assert len(set(compared)) == len(compared)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)

    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) <= share * len(values)


def test_sections_are_read_from_a_list_and_an_unknown_one_is_named() -> None:
    assert read_sections(None) == set(SECTIONS)
    assert read_sections("drain, publish") == {"drain", "publish"}
    with pytest.raises(ValueError, match="no section speed: there are publish"):
        read_sections("publish,speed")


@given(st.permutations(range(1, 31)), st.data())
def test_confirms_are_counted_once_however_the_bytes_are_cut(tags: list[int], data: Any) -> None:
    confirmed = [(tag, data.draw(st.booleans())) for tag in tags]
    stream = frame.Heartbeat().marshal() + acks(confirmed)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)))))

    confirms = Confirms()
    counts = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        confirms.feed(stream[begin:end])
        counts.append(confirms.count)

    assert counts == sorted(counts)
    assert confirms.count == 30


@given(st.lists(st.tuples(st.integers(1, 50), st.booleans())))
def test_a_confirm_of_several_counts_all_up_to_it(confirmed: list[tuple[int, bool]]) -> None:
    expected: set[int] = set()
    for tag, multiple in confirmed:
        expected |= set(range(1, tag + 1)) if multiple else {tag}

    confirms = Confirms()
    confirms.feed(acks(confirmed))

    assert confirms.count == len(expected)


@pytest.mark.parametrize(
    ("method", "says"),
    [
        (spec.Basic.Nack(1), "did not take"),
        (spec.Basic.Return(312, "NO_ROUTE", "goals.events", "task.created"), "did not take"),
        (spec.Channel.Close(404, "NOT_FOUND - no exchange", 60, 40), "404 NOT_FOUND"),
        (spec.Connection.Close(320, "CONNECTION_FORCED", 0, 0), "320 CONNECTION_FORCED"),
    ],
    ids=["refused", "unroutable", "channel", "connection"],
)
def test_what_is_no_confirm_ends_the_measurement(method: Any, says: str) -> None:
    with pytest.raises(BenchFailed, match=says):
        Confirms().feed(frame.Method(1, method).marshal())


@given(st.binary(min_size=1, max_size=2_000))
def test_encoded_frames_say_what_our_publisher_says(body: bytes) -> None:
    message = Message(id="evt_1", type="task.created", body=body)

    method, header, content = frames_of(encode_publish(message))

    assert (method.method.exchange, method.method.routing_key) == ("goals.events", "task.created")
    assert method.method.mandatory
    assert header.body_size == len(body)
    assert (header.properties.delivery_mode, header.properties.message_id) == (2, "evt_1")
    assert content.fragment == body


def test_the_events_are_of_the_catalogue_and_of_a_few_hundred_bytes() -> None:
    rows = list(make_rows(2_700, at=NOON))
    envelopes = [decode(make_message(row).body) for row in rows]

    assert {envelope.type for envelope in envelopes} == {each.value for each in CATALOGUE}
    assert [envelope.id for envelope in envelopes] == sorted({row.id for row in rows})
    assert 200 <= mean(len(row.payload.encode()) for row in rows) <= 400
    assert len({(row.entity_type, row.entity_id) for row in rows}) > 1_000
    for row, envelope in zip(rows, envelopes, strict=True):
        about = envelope.data.get(f"{row.entity_type}_id", envelope.data.get("subject_id"))
        assert row.entity_id in (None, about)


def test_two_runs_have_the_same_mix() -> None:
    first, second = (list(make_rows(300, at=NOON)) for _ in range(2))

    assert [row.payload for row in first] == [row.payload for row in second]
    assert not {row.id for row in first} & {row.id for row in second}


def test_memory_is_compared_after_a_quarter_and_at_the_end() -> None:
    weights = [(0, 40.0, 80.0), (240, 50.0, 100.0), (250, 60.0, 110.0), (1_000, 63.0, 105.0)]
    samples = tuple(Sample(done=done, relay=relay, sink=sink) for done, relay, sink in weights)
    done = Drain(events=1_000, arrived=1_000, seconds=1, relay_cpu=1, sink_cpu=1, samples=samples)

    found = memory_figures(done)

    assert {figure.name: figure.median for figure in found} == {
        "memory.relay.peak": 63.0,
        "memory.relay.quarter": 60.0,
        "memory.relay.end": 63.0,
        "memory.sink.peak": 110.0,
        "memory.sink.quarter": 110.0,
        "memory.sink.end": 105.0,
    }
    assert [each.met for each in assess(found)] == [True, True, True, True]
