"""The solution in a tutor's words: what is one, what is none, and what is left without it."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agent.checks.leak import OMITTED, find_leak, without_leak

PYTHON = """\
def suma_hasta(n):
    # suma los números de 1 a n
    total = 1
    i = 1
    while i <= n:
        total += i
        if i == 1:
            print(total)
        i += 1
        return total


def media(xs):
    return suma(xs) / len(xs)


for k in range(1, 10):
    print(suma_hasta(k))
"""
JAVASCRIPT = """\
function maximo(xs) {
  let mayor = 0;
  for (let i = 0; i <= xs.length; i++) {
    if (xs[i] > mayor) {
      mayor = xs[i];
    }
  }
  return mayor;
}
"""

LEAKS_ES = [
    "La línea correcta es `for i in range(n):`.",
    "Escribe `while i < n:` y listo.",
    "Basta con `i < n`.",
    "El acumulador empieza en `total = 0`.",
    "Te falta `return total // 2`.",
    "Usa `return sum(range(n + 1))`.",
    "Prueba con:\n```python\ndef suma_hasta(n):\n    return n * (n + 1) // 2\n```",
    "Prueba con:\n\n    total = suma_hasta(n) + 3\n    return total\n",
    "Así:\n~~~\nfor x in xs:\n    total += x\n~~~\n",
    "Con ```python\nif not xs:\n    return 0",
    "La fórmula es `n * (n + 1) // 2`.",
    "Mira `sum(xs) / len(xs)`.",
    "Una comprensión: `[x for x in xs if x > 0]`.",
    "Cambia `<=` por `<`.",
    "Reemplaza el operador por `<`.",
    "Sustituye `1` por `0` en la segunda línea.",
    "Cambia `range(1, 10)` por `range(1, 11)`.",
    "Usa `<` en lugar de `<=`.",
    "En vez de `i <= n` usa `i < n`.",
    "`i <= n` debería ser `i < n + 1`.",
    "Haz `i += 2` al final.",
    "Añade `if n == 0: return 0` al principio.",
    "Con `lambda x: x + 1` sale.",
    "El intercambio es `a, b = b, a`.",
    "La cabecera `def suma_hasta(n, inicio):` lo arregla.",
    "El `return` va fuera:\n```python\n    while i <= n:\n        total += i\n        i += 1\n"
    "    return total\n```",
    "Ordena las líneas:\n```\ni += 1\ntotal += i\n```",
    "Devuelve `xs[::-1]`.",
]
LEAKS_EN = [
    "The line you need is ``for i in range(n):``.",
    "Write `while i < n:` instead.",
    "The bound is `i < n`.",
    "Start with `total = 0`.",
    "You miss `return total * 2`.",
    "Return it: `return sum(xs)`.",
    "Here is the function:\n```py\ndef media(xs):\n    return sum(xs) / max(len(xs), 1)\n```",
    "Do this:\n\n\tif not xs:\n\t\treturn None or 0\n",
    "Like ```for x in xs:\n    total += x``` does.",
    "Guard it: ```python\nif not xs:\n    return 0\n",
    "The formula is `n * (n + 1) / 2`.",
    "It is `len(xs) - 1`.",
    "A generator: `sum(x for x in xs)`.",
    "Replace `<=` with `<`.",
    "Change the operator to `<`.",
    "Change `1` to `0`.",
    "Swap `range(1, 10)` for `range(1, 11)`.",
    "Use `<` instead of `<=`.",
    "Instead of `suma(xs)`, use `sum(xs)`.",
    "`i <= n` should be `i < n + 1`.",
    "Add `import math` and `math.fsum(xs) / n`.",
    "You could write `total = total + i`.",
    "A ternary: `a if a > b else b`.",
    "Catch it:\n```\ntry:\n    x = int(s)\nexcept ValueError:\n    x = -1\n```",
    "Try `raise ValueError(n)` here.",
    "Use `print(total + 1)`.",
]
LEAKS_JAVASCRIPT = [
    "Usa `i < xs.length` como límite.",
    "El bucle es `for (let i = 0; i < xs.length; i++)`.",
    "Write `let mayor = -Infinity;`.",
    "Try `const mayor = Math.max(...xs);`.",
    "Return `xs.reduce((a, b) => a > b ? a : b)`.",
    "```js\nif (xs.length === 0) {\n  return null;\n}\n```",
    "Add `if (xs[i] === undefined) continue;`.",
    "`mayor++` al final.",
    "The query: `SELECT nombre FROM alumnos WHERE edad > 3`.",
    "Cambia `<=` por `<`.",
]
NONE_ES = [
    "Revisa la condición del bucle: ¿cuántas veces da la vuelta?",
    "Mira la línea `while i <= n:` y cuenta.",
    "Mira `while   i<=n :` otra vez.",
    "En `total += i` sumas bien.",
    "La variable `total` empieza mal.",
    "Piensa en `i`, `n` y `xs`.",
    "La función `sorted()` ordena.",
    "Puedes usar `xs.sort()` o `len(xs)`.",
    "El operador `<=` incluye el final; `<` no.",
    "Aparece `IndexError: list index out of range`.",
    "Sale `TypeError: unsupported operand type(s) for +: 'int' and 'str'`.",
    "`suma_hasta(3)` debería dar `6`.",
    "`suma_hasta(0) == 0` no se cumple.",
    "Prueba `suma_hasta(3)` → `6`, y `suma_hasta(-1) → 0`.",
    "¿Qué pasa si `xs = []`?",
    "¿Y cuando `n == 0`?",
    "Devuelve `None` en lugar de `0`.",
    "Devuelve `[1, 2, 3]` y no `[3, 2, 1]`.",
    "Una lista vacía (`[]`) rompe `media`.",
    "Fíjate en `return`: está dentro del `while`.",
    "Un bucle `for ... in ...:` sirve.",
    "Tu código:\n```python\nwhile i <= n:\n    total += i\n```",
    "Así:\n```python\ndef suma_hasta(n):\n    ...\n    while i <= n:\n        total += i\n```",
    "Ejemplo:\n```\n>>> suma_hasta(3)\n6\n```",
    'Lee el mensaje:\n```\nTraceback (most recent call last):\n  File "a.py", line 3, in media\n'
    "    return suma(xs) / len(xs)\nZeroDivisionError: division by zero\n```",
    "Cambia el nombre `k` por `numero`.",
    "1. Primero:\n    - mira la primera vuelta\n    - mira la última\n",
    "Usa `reverse=True` si hace falta.",
    "",
]
NONE_EN = [
    "Look at the bound of the loop and count by hand.",
    "Your line `return suma(xs) / len(xs)` divides by zero.",
    "`total = 1` counts one too many.",
    "The name `i` says little.",
    "`self.total` and `math.pi` are attributes.",
    "`range()` leaves its end out.",
    "The operators `and`, `or` and `not in` matter.",
    "It raises `ZeroDivisionError`.",
    "It says `KeyError: 'a'`.",
    "`media([1, 2])` gives `1.5`.",
    "`assert suma_hasta(1) == 1` holds.",
    "`print(suma_hasta(3))` shows `7`.",
    "Try it with `[]`, `-1` and `'a'`.",
    "What if `len(xs) == 0`?",
    "It returns `None` instead of `0`.",
    "The result should be `6`.",
    "The type is `dict[str, int]`.",
    "Where does `break` belong?",
    "The `else:` branch is never reached.",
    "Think of `if ...:` before the loop.",
    "An `except ValueError:` clause would say so.",
    "Run `python suma.py` or `pytest -q`.",
    "The file `suma.py` is fine.",
    "Expected:\n```\n1\n3\n6\n```",
    'Input and output:\n```json\n{"n": 3, "out": [1, 3, 6]}\n```',
    "Rename `k` to `number`: change `k` to `number`.",
    "Replace the loop with something from the library.",
    "Use a dictionary instead of a list.",
    "Do not write return total * 2 without thinking.",
]
NONE_JAVASCRIPT = [
    "Tu línea `for (let i = 0; i <= xs.length; i++) {` da una vuelta de más.",
    "`mayor = xs[i];` está bien.",
    "`xs[i]` es `undefined` al final.",
    "`maximo([-1, -2])` debería dar `-1`.",
    "`maximo([]) === 0` is what you get.",
    "Use `===` with care; `null` is a value.",
    "`TypeError: Cannot read properties of undefined (reading 'length')`",
    "```js\nfor (let i = 0; i <= xs.length; i++) {\n  if (xs[i] > mayor) {\n```",
    "`console.log()` helps.",
    "A `for (...)` loop is enough.",
]


@pytest.mark.parametrize("feedback", [*LEAKS_ES, *LEAKS_EN])
def test_solution_code_is_a_leak(feedback: str) -> None:
    assert find_leak(feedback, code=PYTHON) is not None


@pytest.mark.parametrize("feedback", LEAKS_JAVASCRIPT)
def test_solution_code_in_another_language_is_a_leak(feedback: str) -> None:
    assert find_leak(feedback, code=JAVASCRIPT) is not None


@pytest.mark.parametrize("feedback", [*NONE_ES, *NONE_EN])
def test_what_a_learner_wrote_names_values_and_examples_are_none(feedback: str) -> None:
    assert find_leak(feedback, code=PYTHON) is None
    assert without_leak(feedback, code=PYTHON, language="es") == (feedback, False)


@pytest.mark.parametrize("feedback", NONE_JAVASCRIPT)
def test_the_same_in_another_language_are_none(feedback: str) -> None:
    assert find_leak(feedback, code=JAVASCRIPT) is None


def test_the_leak_is_named_as_it_stands() -> None:
    assert find_leak("Mira `i <= n`: es `i < n`.", code=PYTHON) == "i < n"


def test_what_leaks_is_taken_out_and_the_rest_stays() -> None:
    feedback = "Mira `i <= n`.\n```python\nreturn n * 2\n```\nEs `i < n`, o `xs`."

    kept, leaked = without_leak(feedback, code=PYTHON, language="es")

    assert leaked
    assert kept == "Mira `i <= n`.\n[código omitido]\nEs [código omitido], o `xs`."


def test_the_head_of_an_indented_block_goes_with_it() -> None:
    feedback = "Do:\n\nfor x in xs:\n    total += x * 2\n\nThen look again."

    kept, leaked = without_leak(feedback, code=PYTHON, language="en")

    assert (kept, leaked) == ("Do:\n\n[code left out]\n\nThen look again.", True)


@pytest.mark.parametrize("feedback", [*LEAKS_ES, *LEAKS_EN])
def test_nothing_leaks_from_what_is_left(feedback: str) -> None:
    kept, leaked = without_leak(feedback, code=PYTHON, language="en")

    assert leaked
    assert OMITTED["en"] in kept
    assert find_leak(kept, code=PYTHON) is None


PIECES = st.sampled_from(
    [
        *("`", "``", "```", "~~~", "\n", "\n\n", "    ", "\t", " ", "```python\n", "\n```\n"),
        *("return n * 2", "i < n", "total", "def f(x):", "cambia ", " por ", "use ", "((((", "\\"),
        *("mira", "if x:", "{", "}", ";", "x = y", "'", '"', "#", "…", "=>"),
    ]
)


@given(st.lists(PIECES, max_size=25).map("".join))
def test_nothing_leaks_from_what_is_left_of_any_markdown(feedback: str) -> None:
    kept, leaked = without_leak(feedback, code=PYTHON, language="es")

    assert find_leak(kept, code=PYTHON) is None
    assert leaked == (find_leak(feedback, code=PYTHON) is not None)


@given(
    st.lists(
        st.one_of(
            st.text(st.characters(exclude_characters="`~\t", codec="utf-8"), max_size=20),
            st.sampled_from(["devuelve n * 2", "for x in xs:", "cambia <= por <", "total = 0"]),
        ),
        max_size=8,
    )
)
def test_text_without_any_code_span_never_leaks(pieces: list[str]) -> None:
    text = "\n".join(" ".join(piece.split()) for piece in pieces)
    assume(not re.search(r"return|def|function", text))

    assert find_leak(text, code=PYTHON) is None


@pytest.mark.parametrize(
    "code", ["not " * 900 + "1", "(" * 900 + "1" + ")" * 900, "-" * 3_900 + "1"]
)
def test_code_that_is_nested_beyond_reading_does_not_raise(code: str) -> None:
    kept, _ = without_leak(f"```\n{code}\n```", code=PYTHON, language="es")

    assert find_leak(kept, code=PYTHON) is None


@pytest.mark.parametrize(
    ("code", "feedback"),
    [
        ('return texto[:3] + "…"\n', 'Mira `return texto[:3] + "…"`.'),
        (
            "class Caja:\n    def llegar(self, nombre):\n        pass\n",
            "`llegar(nombre)` y `Caja(3)`",
        ),
        ("function slug(title) {\n  return title;\n}\n", "`slug(title)` y `slug('A b')`"),
    ],
)
def test_signatures_and_odd_characters_of_the_learner_are_none(code: str, feedback: str) -> None:
    assert find_leak(feedback, code=code) is None


@pytest.mark.parametrize(
    "solution",
    [
        "SELECT nombre,\n       count(*)\nFROM pedidos\nGROUP BY nombre;",
        "def f(xs)\n  xs.map { |x| x * 2 }\nend",
        "total = (\n    precio\n    + iva\n)",
        "while read -r linea; do\n  echo $linea\ndone",
    ],
)
def test_a_solution_over_several_lines_is_a_leak(solution: str) -> None:
    assert find_leak(f"Así:\n```\n{solution}\n```", code=PYTHON) is not None


@pytest.mark.parametrize(
    "words",
    [
        "La solución es def suma_hasta(n): return sum(range(n + 1))",
        "Solución:\ndef suma_hasta(n):\n  return sum(range(n + 1))\n",
        "Piensa.\nreturn total // 2\n",
        "Basta function suma(n) { return n * (n + 1) / 2; }",
    ],
)
def test_code_that_nobody_has_marked_is_taken_out(words: str) -> None:
    kept, found = without_leak(words, code=PYTHON, language="es")

    assert found
    assert OMITTED["es"] in kept
    assert "return" not in kept


@pytest.mark.parametrize(
    "words",
    [
        "Mira qué hace return en la última línea (está dentro del bucle).",
        "the function must\nreturn the sum of all numbers (not the first)\n",
        "Define una función (def) que reciba n: después, el bucle.",
        "def suma_hasta(n):",
    ],
)
def test_words_about_code_stay(words: str) -> None:
    assert without_leak(words, code=PYTHON, language="es") == (words, False)


def test_an_analogue_may_solve_another_problem_and_not_this_one() -> None:
    other = "Un caso parecido:\n```python\ndef producto(xs):\n    return reduce(mul, xs)\n```"
    this = "Un caso parecido:\n```python\ndef suma_hasta(n):\n    return sum(range(n + 1))\n```"

    def kept(words: str) -> str:
        return without_leak(words, code=PYTHON, language="es", is_analogue=True)[0]

    assert kept(other) == other
    assert kept(this) == f"Un caso parecido:\n{OMITTED['es']}"
