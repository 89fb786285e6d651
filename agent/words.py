"""The few sentences that code itself says to a learner, and which language a text is in."""

import re
from collections.abc import Mapping
from typing import Final, Literal

Language = Literal["es", "en"]

_SPANISH_WORDS: Final = """
de la el los las una un que para con por mi en y como quiero aprender crear hacer al del se es lo su
más sobre desde hasta esta este código prueba pruebas meta tarea devuelve
"""
_ENGLISH_WORDS: Final = """
the a an of to for with and my in on how want learn create make is it its more about from this that
code test tests goal task returns build write use
"""
_SPANISH: Final = frozenset(_SPANISH_WORDS.split())
_ENGLISH: Final = frozenset(_ENGLISH_WORDS.split())

WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "es": {
        "syntax_ok": "Sintaxis: correcta.",
        "syntax_unchecked": "Sintaxis: no comprobada ({reason}).",
        "syntax_problem": "Sintaxis: error en la línea {line}: {message}",
        "runs": "Ejemplos ejecutados: pasan {passed} de {ran}.",
        "no_runs": "Ejemplos ejecutados: ninguno ({reason}).",
        "no_examples": "la tarea no trae ejemplos que se puedan ejecutar",
        "pass": "- {expression}: pasa",
        "fail": "- {expression}: se esperaba {expected}, dio {got}",
        "error": "- {expression}: lanza un error: {detail}",
        "timeout": "- {expression}: no termina a tiempo",
        "not_runnable": "- {expression}: no se pudo ejecutar: {detail}",
        "runs_proposed": "La tarea no trae ejemplos: estos salen de varias soluciones propias del "
        "modelo, que están de acuerdo.",
        "weak": "(indicio débil: no decide)",
        "fact": "Línea {line}: {message}",
        "unavailable": "Sin respuesta de: {names}.",
        "invisible": "Se quitaron caracteres invisibles: {names}.",
        "secrets": "El código contiene {count} secreto(s); no se enviaron al modelo.",
        "cut": "Solo se revisaron las primeras {lines} líneas.",
        "whole_task": "Hace lo que pide la tarea",
        "told_passed": "Veredicto: todos los ejemplos pasan; la entrega está bien. Di qué hace "
        "bien y, como mucho, una mejora. No señales errores.",
        "told_failed": "Veredicto: la entrega NO pasa. Explica la causa de cada ejemplo que falla, "
        "sin escribir la solución.",
        "told_syntax": "Veredicto: la entrega NO pasa, porque no se puede leer. Explica el error "
        "de sintaxis.",
        "told_open": "No se ejecutó ningún ejemplo. Razona con una entrada concreta antes de "
        "decidir.",
        "hint_nudge": "Feedback: di dónde mirar y haz una pregunta; no nombres la causa.",
        "hint_concept": "Feedback: explica la causa y la idea que hay detrás; nada de código.",
        "hint_pseudocode": "Feedback: explica la causa y después el camino en pasos numerados, con "
        "palabras; nada de código.",
        "hint_analogue": "Feedback: explica la causa y después un ejemplo resuelto de otro "
        "problema parecido, nunca de este.",
        "verdict_passed": "La entrega pasa.",
        "verdict_failed": "La entrega todavía no pasa.",
        "verdict_open": "No hay evidencia suficiente para un veredicto.",
    },
    "en": {
        "syntax_ok": "Syntax: sound.",
        "syntax_unchecked": "Syntax: not checked ({reason}).",
        "syntax_problem": "Syntax: error on line {line}: {message}",
        "runs": "Examples run: {passed} of {ran} pass.",
        "no_runs": "Examples run: none ({reason}).",
        "no_examples": "the task has no examples that can be run",
        "pass": "- {expression}: passes",
        "fail": "- {expression}: expected {expected}, got {got}",
        "error": "- {expression}: raises an error: {detail}",
        "timeout": "- {expression}: does not end in time",
        "not_runnable": "- {expression}: could not be run: {detail}",
        "runs_proposed": "The task has no examples: these come from several solutions of the "
        "model's own that agree.",
        "weak": "(weak evidence: it decides nothing)",
        "fact": "Line {line}: {message}",
        "unavailable": "No answer from: {names}.",
        "invisible": "Invisible characters were removed: {names}.",
        "secrets": "The code holds {count} secret(s); they were not sent to the model.",
        "cut": "Only the first {lines} lines were reviewed.",
        "whole_task": "It does what the task asks",
        "told_passed": "Verdict: every example passes; the submission is right. Say what it does "
        "well and at most one improvement. Point out no errors.",
        "told_failed": "Verdict: the submission does NOT pass. Explain the cause of each example "
        "that fails, without writing the solution.",
        "told_syntax": "Verdict: the submission does NOT pass, because it cannot be read. Explain "
        "the syntax error.",
        "told_open": "No example was run. Reason with a concrete input before you decide.",
        "hint_nudge": "Feedback: say where to look and ask a question; do not name the cause.",
        "hint_concept": "Feedback: explain the cause and the idea behind it; no code.",
        "hint_pseudocode": "Feedback: explain the cause, then the way in numbered steps, in words; "
        "no code.",
        "hint_analogue": "Feedback: explain the cause, then a worked example of another problem "
        "that is alike, never of this one.",
        "verdict_passed": "The submission passes.",
        "verdict_failed": "The submission does not pass yet.",
        "verdict_open": "There is not enough evidence for a verdict.",
    },
}


WORD: Final = re.compile(r"(?<!\w)[a-záéíóúüñ]+(?!\w)")
"""A whole word in small letters: an `a` in an id, or the `is` of `is_valid`, is of no language."""


def say(language: Language, key: str, **values: object) -> str:
    """Return one of our own sentences in `language`, with its values filled in."""
    return WORDS[language][key].format(**values)


def language_of(text: str) -> Language:
    """Guess whether a text is Spanish or English, by its common words; Spanish where it is even."""
    words = WORD.findall(text.lower())
    spanish = sum(word in _SPANISH for word in words) + len(re.findall(r"[ñ¿¡áéíóú]", text.lower()))
    english = sum(word in _ENGLISH for word in words)
    return "en" if english > spanish else "es"
