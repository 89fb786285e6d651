"""Which texts are not in the learner's language: words of grammar, counted.

It shares nothing with the agent's own check, which is what it judges. Programming speaks English in
every language, so names, paths, code and quoted titles do not count, nor do words that both have; a
text without any word of grammar says nothing and is not held against anybody.
"""

import re
from collections.abc import Iterable
from typing import Final

from evals.suite import Language

_SPANISH: Final = frozenset(
    """
    el la los las un una unos unas lo al del de en con por para desde hasta entre sobre bajo según
    hacia mediante durante tras ante contra y e ni que quien quienes cual cuales cuyo donde cuando
    como si porque aunque mientras pero sino pues también además más menos muy mucho mucha muchos
    muchas poco pocos cada toda todas otro otra otros otras mismo misma varios varias
    algún alguna algunos ningún ninguna nada nadie algo este esta estos estas ese esa esos esas
    aquel eso esto ello él ella ellos ellas nosotros usted tú yo te se le les nos su sus mi mis tu
    tus nuestro es está están ser estar fue eran sido hay haber han debe deben puede pueden poder
    hacer hace tiene tienen tener así ya aún antes después luego ahora siempre nunca bien mejor cómo
    qué cuál cuánto sin ello usando usar utilizar utilizando correctamente aprender crear escribir
    """.split()  # noqa: SIM905 - a list of a hundred quoted words cannot be read
)
_ENGLISH: Final = frozenset(
    """
    the an of to in on at by for from with without into onto over under between about through
    during against within and or but nor so if then than because although while when where which
    who whom whose what why how that this these those there here it its itself they them their
    theirs you your yours we our ours he she his him her i my mine is are was were be been being am
    do does did done doing have having had can could will would shall should may might must not
    all any each every both few many much more most other another some such only own same very
    too also just ever never always often again once as up down out off after before since until
    using uses used make makes making get gets learn learning create write build ensure correctly
    """.split()  # noqa: SIM905 - the same
) - {"me", "no", "a", "once", "he", "has", "as"}
_ENGLISH_FIRST: Final = frozenset(
    """
    add allow apply ask automate calculate check choose clean clone configure connect convert
    create define delete deploy describe design develop display document draw enable ensure
    explain explore fetch find fix generate get handle identify implement improve include
    install integrate introduce learn load log make manage measure monitor move normalize open
    optimize organize plan practice practise prepare print provide publish read refactor remove
    render research review run save schedule secure select send separate serve set setup show
    sort split start store study sync test train understand update use validate verify visualize
    write
    """.split()  # noqa: SIM905 - the same
)
_INFINITIVE: Final = re.compile(r"[a-záéíóúñ]{2,}(?:ar|er|ir|arse|erse|irse)")
_NOT_INFINITIVES: Final = frozenset(
    """
    docker server user router filter render order number parser compiler container controller
    browser header footer sidebar navbar calendar loader player timer counter folder buffer
    tracker manager helper writer reader worker power over under after either other per her ever
    never together whether better faster similar grammar solar pair air their chair flutter jupyter
    """.split()  # noqa: SIM905 - the same
)
_NO_WORDS: Final = re.compile(
    r"`[^`]*`|«[^»]*»|“[^”]*”|\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)|https?://\S+|[/\\]\S+"
    r"|\S*[_()\[\]{}<>=@#]\S*|\b\w+\.\w+\b|\b[A-ZÁÉÍÓÚÑ]{2,}\b|\b[a-z]+[A-Z]\w*"
)
_WORD: Final = re.compile(r"[a-záéíóúüñ]+")
_ONLY_SPANISH: Final = re.compile(r"[ñáéíóúü¿¡]")
_OTHER_SCRIPT: Final = re.compile(
    "[\u0370-\u03ff\u0400-\u04ff\u0590-\u06ff\u0900-\u097f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
)


def language_of_grammar(text: str) -> Language | None:
    """Return the language that a text's words of grammar have, None where they do not tell."""
    spanish, english = _counts(text)
    if spanish == english:
        return None
    return "es" if spanish > english else "en"


def foreign_texts(texts: Iterable[str], language: Language) -> list[str]:
    """Return those of `texts` that are in another language, or have letters of another script."""
    return [
        text
        for text in texts
        if _OTHER_SCRIPT.search(text) or language_of_grammar(text) not in {language, None}
    ]


def _counts(text: str) -> tuple[int, int]:
    words = _WORD.findall(_NO_WORDS.sub(" ", text).lower())
    spanish = sum(word in _SPANISH or bool(_ONLY_SPANISH.search(word)) for word in words)
    english = sum(word in _ENGLISH for word in words)
    if words:
        first = words[0]
        spanish += (
            first not in _SPANISH
            and first not in _NOT_INFINITIVES
            and _INFINITIVE.fullmatch(first) is not None
        )
        english += first in _ENGLISH_FIRST and first not in _ENGLISH
    return spanish, english
