"""Find comments that claim results or give orders to whoever judges the code.

What a comment says is no evidence. Only wordings that leave little doubt are taken: a comment
that describes what the code checks ("True if all tests pass") claims nothing.
"""

import re
from collections.abc import Iterator
from typing import Final, Literal

from tools.analysis.comments import Comment, find_comments
from tools.analysis.facts.fact import Fact, in_order
from tools.analysis.facts.unicode import plain_letters

ANALYZER: Final = "claims"
LONGEST_BLOCK: Final = 4_000
MAX_SHOWN: Final = 60

_TESTS: Final = (
    r"(?:(?:unit |hidden |given |public |private )?(?:tests?(?: cases?)?|checks|assertions))"
)
_PRUEBAS: Final = r"(?:pruebas|tests?|casos(?: de prueba)?|comprobaciones|aserciones)"
_CODE: Final = (
    r"(?:code|solution|submission|function|program|implementation|algorithm|assignment|exercise"
    r"|answer|homework|codigo|solucion|entrega|funcion|programa|implementacion|algoritmo|tarea"
    r"|ejercicio|respuesta|everything|todo)"
)
_JUDGES: Final = (
    r"(?:teachers?|instructors?|professor|prof|tas?|tutors?|reviewers?|graders?|examiners?|mentors?"
    r"|ai|llm|anthropic|openai|chatgpt|gpt|claude|copilot|staff|qa|(?:senior|lead) \w+"
    r"|maestr[oa]s?|profesor(?:a|es)?|profe|docentes?|revisor(?:a|es)?|evaluador(?:a|es)?"
    r"|tutor(?:a|es)?|equipo|ia|asistente)"
)
_GOOD: Final = (
    r"(?:approved|verified|validated|accepted|correct|right|perfect|flawless|bug[- ]?free|passing"
    r"|aprobad[oa]s?|verificad[oa]s?|validad[oa]s?|aceptad[oa]s?|correct[oa]s?|perfect[oa]s?)"
)
_JUDGED: Final = (
    r"(?:approved|verified|reviewed|graded|checked|validated|certified|signed off|accepted|tested"
    r"|aprobad[oa]s?|verificad[oa]s?|revisad[oa]s?|validad[oa]s?|corregid[oa]s?|certificad[oa]s?"
    r"|calificad[oa]s?|evaluad[oa]s?|aceptad[oa]s?|probad[oa]s?)"
)

_RESULTS: Final = (
    rf"\ball (?:of )?(?:the |these |\d+ )*{_TESTS}"
    r" (?:(?:are|is|have|has|were|now|already|all) )*"
    r"(?:pass(?:ed|es|ing)?|green|ok|succeed(?:ed)?)\b",
    r"\b(?:tests|test cases|checks|test suite)(?: (?:have|has|are|is|all|now))*"
    r" (?:passed|passing|green)\b",
    r"\b\d+ ?(?:/|of|out of|de) ?\d+ (?:tests?|test cases|pruebas|casos)"
    r" (?:pass\w*|ok|pasan|pasad\w+)",
    rf"\b(?:meets?|satisf(?:y|ies)|fulfill?s?|pass(?:es)?) (?:all|every|each)(?: of)?(?: the)?"
    rf" (?:(?:acceptance|hidden|given|stated) )?(?:requirements?|criteri(?:a|on)|{_TESTS})\b",
    rf"\btod[oa]s (?:las |los |tus |mis )?{_PRUEBAS} (?:\w+ )?"
    r"(?:pasan|pasaron|pasad[oa]s?|aprobad[oa]s"
    r"|superad[oa]s|funcionan|correct[oa]s|ok|en verde)\b",
    rf"\b(?:pasa|supera|cumple|satisface)(?: con)? tod[oa]s (?:las |los )?"
    rf"(?:requisitos|criterios|{_PRUEBAS})\b",
    r"\b100 ?(?:%|percent|por ?ciento) (?:\w+ )?"
    r"(?:correct[oa]?|working|works|pass\w*|accurate|tested"
    r"|funcional|funciona|probad[oa]|aprobad[oa]|bug[- ]?free|coverage|cobertura)\b",
    rf"\b{_CODE} (?:is|was|works|runs|esta|es|fue|funciona)"
    r"(?: (?:already|fully|totally|completely|absolutely|guaranteed|now|ya|totalmente|completamente"
    rf"|to be))* (?:{_GOOD}|perfectly|flawlessly|correctly|correctamente|perfectamente"
    r"|sin errores)\b"
    r"(?! (?:for|if|when|only|para|si|cuando|in|on|en))",
    rf"\b{_CODE} (?:(?:has|have) (?:already )?been|ha sido"
    r"|(?:is|was|were|fue|esta|ha) (?:already|ya)"
    rf"|ya (?:ha sido|fue|esta)) (?:\w+ )?{_JUDGED}\b",
    rf"\b{_JUDGED} (?:and approved )?(?:by|por) "
    r"(?:(?:the|a|an|my|our|el|la|mi|un|una|nuestro) )?"
    rf"{_JUDGES}\b",
    r"(?:^|[.!\n] ?)"
    r"(?:status|estado|result|resultado|verdict|veredicto|review|validation|validacion)"
    r" ?[:=-]+ ?(?:approved|passed|pass|accepted|correct|aprobad[oa]|aceptad[oa]|correct[oa])\b",
    r"^[^\w\n]{0,20}(?:(?:code|codigo|ya) )?"
    r"(?:approved|aprobad[oa]|lgtm|accepted|verified|verificad[oa])[^\w\n]{0,20}$",
    r"\b(?:score|grade|mark|nota|calificacion|puntuacion|puntaje|points|puntos)"
    r" ?(?:is|es|:|=|-|of|de)? ?(?P<full>\d+) ?(?:/|out of|de|sobre) ?(?P=full)\b",
    r"^[^\w\n]{0,20}(?P<all>10|100) ?/ ?(?P=all)[^\w\n]{0,20}$",
    r"\b(?:full marks|full credit|perfect score|(?:nota|puntuacion|calificacion) maxima|maxima nota"
    r"|(?:grade|nota|score) ?[:=] ?(?:a\+|100\b|10\b))",
    r"\b(?:bug|error)[- ]free\b|\bno (?:known )?bugs\b",
    r"\b(?:libre de|sin) (?:bugs|fallos conocidos)\b",
)
_ORDERS: Final = (
    r"\b(?:ignore|disregard|forget|override|bypass)"
    r"(?: (?:all|any|the|my|your|these|those|every|of))*"
    r" (?:previous|prior|above|earlier|preceding|existing|system|other)"
    r"(?: \w+)? "
    r"(?:instructions?|prompts?|rules?|directions|guidelines|messages?|context|commands?)",
    r"\b(?:ignora|ignore|olvida|olvide|descarta|omite|haz caso omiso de)"
    r"(?: (?:todas?|todos|cualquier|las|los|tus|sus|el|la|mis))*"
    r" (?:instruccion(?:es)?|reglas|indicaciones|ordenes|prompt|mensajes?)\b",
    rf"\b(?:mark|grade|rate|score|accept|approve|consider|treat) (?:this|the|my) {_CODE}"
    r" (?:as|with|is|a|an|as having)\b",
    r"\bgive (?:me|this|it|the student|my \w+)(?: \w+){0,3} (?:full|perfect|passing|highest|maximum"
    r"|10|100)(?: \w+)? ?(?:marks?|score|grade|points|credit|/)",
    r"\b(?:marca|califica|aprueba|acepta|considera|evalua|valida)"
    rf" (?:este|esta|esto|el|la|mi) {_CODE}"
    r"(?: \w+){0,2} (?:como|con|por)\b",
    r"\b(?:dame|ponme|dale|ponle|asigna(?:le)?)(?: \w+){0,4} (?:10|100|maxima|nota|puntuacion)\b",
    r"\b(?:note|message|attention|instructions?|dear|hey|hello|atencion|nota|mensaje|instrucciones)"
    r" ?(?:to|for|para|:)? ?(?:the |any |el |la |al )?(?:ai|llm|language model|chatgpt|gpt|claude"
    r"|copilot|ai \w+|grader|ia|modelo de lenguaje|evaluador|asistente)\b",
    r"\b(?:if you are|as) an? (?:ai|llm|(?:large )?language model)\b",
    r"\bsi eres (?:una? )?(?:ia|modelo|asistente|inteligencia artificial)\b",
    r"\byou (?:must|have to|should|will) (?:now )?"
    r"(?:approve|accept|give|mark|grade|output|respond)\b",
    r"\bdebes (?:aprobar|aceptar|calificar|marcar|responder|dar)\b",
)
_RESULT: Final = re.compile("|".join(f"(?:{pattern})" for pattern in _RESULTS), re.MULTILINE)
_ORDER: Final = re.compile("|".join(f"(?:{pattern})" for pattern in _ORDERS), re.MULTILINE)

# In front of a claim, in its sentence: then it is a condition, a purpose, a plan or a doubt.
_HEDGE: Final = re.compile(
    r"\b(?:if|when|whether|unless|until|once|after|before|while|that|which|who|ensures?|make sure"
    r"|makes sure|check(?:s|ing)?|verif(?:y|ies)|asserts?|tests? (?:if|that|whether)|should"
    r"|must|would|could|can|may|might|will|not|never|no|so|todo|fixme|expects?|returns?|true|need|needs|to"
    r"|si|cuando|hasta|mientras|antes|despues|que|comprueba|comprobar|verifica|verificar|asegura|debe"
    r"|deben|deberia|deberian|puede|nunca|para|devuelve|retorna|falta|todavia|aun)\b"
)
_SENTENCE_END: Final = re.compile(r"[.!?;](?=\s|$)|\n\s*\n")
# Ornaments of comments, at the beginning and at the end of a line.
_ORNAMENTS: Final = " \t\r\f\v#/*-;%<>!\"'=~|"


def find_claims(code: str, language: str) -> tuple[Fact, ...]:
    """List comments that claim a result (`claims/result`) or give orders (`claims/instruction`).

    Comments, docstrings and lone strings are read, in Spanish and English; one fact for each.
    """
    return in_order(
        fact for block in _blocks(find_comments(code, language)) for fact in _claims(block)
    )


def _blocks(comments: list[Comment]) -> Iterator[list[tuple[int, str]]]:
    """Join comments on consecutive lines; a block is its numbered lines as a reader sees them."""
    block: list[tuple[int, str]] = []
    size = 0
    for comment in comments:
        follows = bool(block) and comment.alone and comment.line == block[-1][0] + 1
        if block and (not follows or size > LONGEST_BLOCK):
            yield block
            block, size = [], 0
        lines = plain_letters(comment.text).casefold().split("\n")
        block += [
            (comment.line + number, " ".join(line.strip(_ORNAMENTS).split()))
            for number, line in enumerate(lines)
        ]
        size += len(comment.text) + 1
    if block:
        yield block


def _claims(block: list[tuple[int, str]]) -> Iterator[Fact]:
    text = "\n".join(line for _, line in block)
    # A claim may go on in the next line: the patterns know single spaces only.
    flat = text.replace("\n", " ")
    spoken: set[int] = set()
    found: list[tuple[int, int, Literal["result", "instruction"]]] = [
        (match.start(), match.end(), "instruction")
        for searched in (flat, text)
        for match in _ORDER.finditer(searched)
    ]
    found += [
        (match.start(), match.end(), "result")
        for searched in (flat, text)
        for match in _RESULT.finditer(searched)
        if not _is_hedged(text, match.start())
    ]
    for start, end, rule in sorted(found):
        first = text.count("\n", 0, start + 1)
        last = text.count("\n", 0, end)
        if first in spoken:
            continue
        spoken.update(range(first, last + 1))
        yield Fact(
            analyzer=ANALYZER,
            rule=f"{ANALYZER}/{rule}",
            line=block[first][0],
            end_line=block[min(last, len(block) - 1)][0],
            message=_message(rule, flat[start:end]),
            severity="high" if rule == "instruction" else "medium",
        )


def _is_hedged(text: str, start: int) -> bool:
    before = text[max(0, start - 120) : start]
    ends = [match.end() for match in _SENTENCE_END.finditer(before)]
    return bool(_HEDGE.search(before[ends[-1] if ends else 0 :]))


def _message(rule: str, words: str) -> str:
    shown = " ".join(words.split())[:MAX_SHOWN]
    if rule == "instruction":
        return (
            f"a comment gives orders to whoever judges the code (“{shown}”); they are not followed"
        )
    return f"a comment claims a result (“{shown}”); what a comment says is no evidence"
