"""What the stub model says: an answer in the shape that was asked, none like the one before."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

CRITERIA: Final = 3
TASKS: Final = 3
_WORDS: Final = """
archivo base botón cadena carpeta clase clave código columna consola consulta contrato copia datos
dominio error evento fecha fila filtro firma formato función grafo hilo imagen índice lista llave
mapa método módulo muestra nodo nombre número objeto página panel paquete patrón prueba puerto
punto raíz rama red regla reloj rol ruta serie servicio sesión sistema tabla tarea texto tipo token
traza usuario valor versión vista
"""
_NOUNS: Final = _WORDS.split()


def answer_as(shape: str | None, number: int) -> Any:
    """Return answer `number` in the shape of this name, as JSON values; without one, a sentence.

    Words differ from number to number: a goal that repeats another would not be stored.
    """
    made = ANSWERS.get(shape or "")
    return _sentence(number, words=8) if made is None else made(number)


def _suggest(number: int) -> dict[str, Any]:
    return {
        "goals": [
            {
                "title": _sentence(number, part, words=6),
                "description": _sentence(number, part, 1, words=18),
                "why": _sentence(number, part, 2, words=12),
                "priority": "medium",
                "criteria": [_sentence(number, part, 3, each, words=9) for each in range(CRITERIA)],
                "based_on": ["S1"],
            }
            for part in range(3)
        ]
    }


def _break_down(number: int) -> dict[str, Any]:
    return {
        "tasks": [
            {
                "key": f"t{part}",
                "serves": [part],
                "title": _sentence(number, part, words=6),
                "description": _sentence(number, part, 1, words=18),
                "task_type": "code",
                "acceptance": [_sentence(number, part, 2, each, words=9) for each in range(2)],
                "depends_on": [f"t{part - 1}"] if part > 1 else [],
                "hours_low": 1.0,
                "hours_likely": 2.0,
                "hours_high": 4.0,
                "complexity": 3,
                "reason": _sentence(number, part, 3, words=10),
            }
            for part in range(1, TASKS + 1)
        ]
    }


def _review(number: int) -> dict[str, Any]:
    return {
        "criteria": [{"number": 1, "verdict": "met", "why": _sentence(number, words=10)}],
        "findings": [],
        "feedback": _sentence(number, 1, words=60),
        "next_step": _sentence(number, 2, words=14),
    }


ANSWERS: Final[Mapping[str, Callable[[int], Any]]] = {
    "SuggestedGoals": _suggest,
    "PlannedTasks": _break_down,
    "Review": _review,
}


def _sentence(*seed: int, words: int) -> str:
    """Return a sentence of so many Spanish nouns, the same for the same seed."""
    chosen = hashlib.shake_128(repr(seed).encode()).digest(words)
    return " de ".join(_NOUNS[byte % len(_NOUNS)] for byte in chosen).capitalize()
