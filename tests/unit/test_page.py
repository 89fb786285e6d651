"""The page's files: all of them found, light, from nowhere else, and in two languages."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py_mini_racer import MiniRacer

from agent.checks.plan import longest_chain
from api.routes.page import FOLDER, INDEX, TYPES, load_page

BYTES_AT_MOST: Final = 150_000
SOURCES: Final = {path.name: path.read_text() for path in sorted(FOLDER.iterdir())}
SCRIPTS: Final = {name: text for name, text in SOURCES.items() if name.endswith(".js")}
AN_IMPORT: Final = re.compile(r'^(?:import|export) [^"]*?from "([^"]+)";', re.MULTILINE)
AN_ADDRESS: Final = re.compile(r"\b(?:https?|wss?|data|blob|javascript):[^\s\"'`]+|(?<=[\"'`])//")
NAMES: Final = {"http://www.w3.org/2000/svg"}
"""Addresses that nobody calls."""
MARKUP: Final = re.compile(
    r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|new Function|"
    r"DOMParser|setHTMLUnsafe|createContextualFragment|srcdoc)\b"
)
NODES: Final = st.dictionaries(st.integers(0, 9).map(str), st.floats(0, 99), max_size=8)


def test_every_file_is_served_and_every_module_asked_for_in_time() -> None:
    index = SOURCES[INDEX]

    linked = re.findall(r'(?:href|src)="/page/\{version\}/([^"]+)"', index)

    assert sorted(linked) == sorted(load_page(signs_in=True).assets)
    assert {path.suffix for path in FOLDER.iterdir()} <= {*TYPES, ".html"}


def test_every_import_leads_to_a_file_of_the_page() -> None:
    imports = {(name, found) for name, text in SCRIPTS.items() for found in AN_IMPORT.findall(text)}

    missing = {pair for pair in imports if pair[1].removeprefix("./") not in SCRIPTS}

    assert len(imports) > 20
    assert missing == set()
    assert not [name for name, text in SCRIPTS.items() if re.search(r"\bimport\(", text)]


@pytest.mark.parametrize("name", SOURCES)
def test_a_file_names_no_address_elsewhere_and_makes_no_markup(name: str) -> None:
    text = SOURCES[name]

    assert set(AN_ADDRESS.findall(text)) - NAMES == set()
    assert MARKUP.findall(text) == []
    assert "url(" not in re.sub(r"url\(#", "", text)


def test_the_markup_has_nothing_inline() -> None:
    index = SOURCES[INDEX]

    assert re.findall(r"<style|\sstyle=|\son\w+=", index) == []
    assert re.findall(r"<script(?![^>]*\ssrc=)", index) == []


def test_all_of_it_is_light() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < BYTES_AT_MOST


def test_a_changed_file_has_another_address(tmp_path: Path) -> None:
    for name, text in SOURCES.items():
        (tmp_path / name).write_text(text)
    before = load_page(signs_in=True, folder=tmp_path)

    (tmp_path / "style.css").write_text(SOURCES["style.css"] + "\n")
    after = load_page(signs_in=True, folder=tmp_path)

    assert before.version == load_page(signs_in=True).version
    assert after.version != before.version
    assert after.etag != before.etag
    assert after.version.encode() in after.index


def words() -> dict[str, dict[str, str]]:
    """Return the page's words by language, as its own program has them."""
    text = SCRIPTS["words.js"]
    literal = text[text.index("WORDS = ") : text.index("export const LANGUAGES")]
    program = f"var {literal} JSON.stringify(WORDS)"
    found: dict[str, dict[str, str]] = json.loads(str(MiniRacer().eval(program)))
    return found


def test_both_languages_say_the_same_with_the_same_values() -> None:
    english, spanish = words()["en"], words()["es"]

    differing = [
        key
        for key in english
        if set(re.findall(r"\{(\w+)", english[key])) != set(re.findall(r"\{(\w+)", spanish[key]))
    ]

    assert list(english) == list(spanish)
    assert differing == []


def test_every_word_that_is_asked_for_is_there() -> None:
    asked = {
        key for text in SCRIPTS.values() for key in re.findall(r'\bt\(\s*"([^"$]+)"[,)]', text)
    }

    assert len(asked) > 80
    assert asked - set(words()["en"]) == set()


@pytest.fixture(scope="module")
def layout() -> MiniRacer:
    """Return a JavaScript engine with the page's layout of graphs."""
    engine = MiniRacer()
    engine.eval(SCRIPTS["layout.js"].replace("export function", "function"))
    return engine


def asked(engine: MiniRacer, expression: str, value: Any) -> Any:
    return json.loads(str(engine.eval(f"JSON.stringify(({expression})({json.dumps(value)}))")))


@settings(max_examples=40)
@given(hours=NODES, data=st.data())
def test_the_critical_path_is_the_services_own(
    layout: MiniRacer, hours: dict[str, float], data: st.DataObject
) -> None:
    needs = {
        node: data.draw(st.lists(st.sampled_from(["gone", *hours]), max_size=3, unique=True))
        for node in hours
    }
    nodes = [
        {"id": node, "needs": needs[node], "hours": spent, "open": True}
        for node, spent in hours.items()
    ]

    found = asked(layout, "criticalPath", nodes)

    assert found["chain"] == list(longest_chain(hours, needs))


@settings(max_examples=40)
@given(hours=NODES, data=st.data())
def test_each_task_has_a_place_behind_what_it_needs(
    layout: MiniRacer, hours: dict[str, float], data: st.DataObject
) -> None:
    names = list(hours)
    needs = {
        node: data.draw(st.lists(st.sampled_from(names[:at]), max_size=3, unique=True))
        if at
        else []
        for at, node in enumerate(names)
    }
    nodes = [
        {"id": node, "needs": needs[node], "hours": 1, "open": True} for node in reversed(names)
    ]
    places = """(nodes) => {
        const { layers, edges } = layered(nodes);
        return {
            layers: layers.map((layer) => layer.flatMap((cell) => cell.bend ? [] : [cell.id])),
            edges: edges.map((edge) =>
                [edge[0].id, edge.at(-1).id, edge.map((cell) => cell.layer)]),
        };
    }"""

    found = asked(layout, places, nodes)

    layer = {node: at for at, some in enumerate(found["layers"]) for node in some}
    assert sorted(layer) == sorted(names)
    assert all(layer[one] < layer[node] for node in needs for one in needs[node])
    assert {(start, end) for start, end, _ in found["edges"]} == {
        (one, node) for node in needs for one in needs[node]
    }
    assert all(
        passed == list(range(layer[start], layer[end] + 1)) for start, end, passed in found["edges"]
    )


def test_a_circle_of_tasks_is_drawn_without_the_edge_that_closes_it(layout: MiniRacer) -> None:
    circle = [
        {"id": "a", "needs": ["b"], "hours": 1, "open": True},
        {"id": "b", "needs": ["a"], "hours": 2, "open": True},
    ]

    edges = asked(layout, "(nodes) => layered(nodes).edges.map((edge) => edge.length)", circle)

    assert edges == [2]
