"""The scripted tutor: a chat model without a model, deterministic, for tests and for trying out.

It reads what the job puts beside the prompt (`additional_kwargs["scripted"]`, which never leaves
the process) and answers in the asked shape. What it says is plain on purpose: it is never chosen
unless somebody names it.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from agent.scripted_talk import talk_by_rule

FEWEST_TASKS: Final = 3
MOST_TASKS: Final = 7
TOPICS = {
    "es": [
        (
            "Escribir pruebas automáticas de",
            "Comprobar con pytest los casos normales y los límites.",
        ),
        ("Documentar con ejemplos", "Escribir una guía breve con ejemplos que se puedan ejecutar."),
        ("Medir y mejorar la velocidad de", "Encontrar la parte más lenta y hacerla más rápida."),
        ("Manejar los errores de", "Responder a cada entrada mala con un mensaje claro."),
        ("Publicar en producción", "Poner el resultado donde otras personas lo usen."),
        ("Explicar a otra persona", "Preparar una demostración de diez minutos."),
        ("Revisar la seguridad de", "Buscar entradas peligrosas y cerrarlas."),
    ],
    "en": [
        ("Write automated tests for", "Check normal cases and limits with pytest."),
        ("Document with examples", "Write a short guide with examples that run."),
        ("Measure and improve the speed of", "Find the slowest part and make it faster."),
        ("Handle the errors of", "Answer each bad input with a clear message."),
        ("Publish to production", "Put the result where other people use it."),
        ("Explain to somebody else", "Prepare a demonstration of ten minutes."),
        ("Review the security of", "Look for dangerous input and close the way."),
    ],
}
_PHRASES: dict[str, dict[str, Any]] = {
    "es": {
        "subject": "mi proyecto",
        "why": "Es el paso siguiente para: {subject}",
        "criterion": "Se puede comprobar: {text}",
        "works": "Otra persona lo repite con las instrucciones escritas",
        "task": "Paso {number}: {text}",
        "more": ["Revisar el resultado con otra persona", "Escribir lo aprendido"],
        "reason": "Estimación fija del modelo de ejemplo",
        "judged": "El modelo de ejemplo no juzga; manda la evidencia",
        "feedback": "El modelo de ejemplo no explica el código. Mira la evidencia de arriba.",
        "next": "Revisa el primer ejemplo que falla y sigue su valor paso a paso",
    },
    "en": {
        "subject": "my project",
        "why": "It is the next step for: {subject}",
        "criterion": "It can be checked: {text}",
        "works": "Somebody else repeats it from the written instructions",
        "task": "Step {number}: {text}",
        "more": ["Review the result with somebody else", "Write down what was learnt"],
        "reason": "A fixed estimate of the scripted model",
        "judged": "The scripted model does not judge; the evidence rules",
        "feedback": "The scripted model does not explain code. See the evidence above.",
        "next": "Look at the first example that fails and follow its value step by step",
    },
}


class ScriptedTutor(BaseChatModel):
    """Answers each job by rule; the same request gets the same words."""

    @property
    def _llm_type(self) -> str:
        return "scripted-tutor"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        shape = kwargs["extra_body"]["response_format"]["json_schema"]["name"]
        given = messages[-1].additional_kwargs.get("scripted", {})
        value = _ANSWERS[shape](given)
        text = json.dumps(value, ensure_ascii=False)
        read = sum(len(str(message.content).split()) for message in messages)
        written = len(text.split())
        return as_chat_result(text, input_tokens=read, output_tokens=written)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        yield from talk_by_rule(messages)


def as_chat_result(
    text: str, *, input_tokens: int, output_tokens: int, finish_reason: str | None = "stop"
) -> ChatResult:
    """Return `text` as what a chat model of langchain gives back."""
    message = AIMessage(
        text,
        response_metadata={"finish_reason": finish_reason},
        usage_metadata={
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "total_tokens": input_tokens + output_tokens,
        },
    )
    return ChatResult(generations=[ChatGeneration(message=message)])


def _goals(given: dict[str, Any]) -> dict[str, Any]:
    language = given["language"]
    say = _PHRASES[language]
    subject = (given["request"].get("wish") or say["subject"])[:50]
    every = [(f"{topic} {subject}", text) for topic, text in TOPICS[language]]
    topics = [topic for topic in every if topic[0] not in given.get("titles", ())]
    return {
        "goals": [
            {
                "based_on": ["S1"],
                "title": title,
                "description": text,
                "why": say["why"].format(subject=subject),
                "priority": "medium",
                "criteria": [say["criterion"].format(text=text), say["works"]],
            }
            for title, text in (topics or every)[: given["request"]["count"]]
        ]
    }


def _tasks(given: dict[str, Any]) -> dict[str, Any]:
    say = _PHRASES[given["language"]]
    criteria = given["criteria"] or [given["goal"]]
    wanted = given["count"] or max(len(criteria), FEWEST_TASKS)
    texts = [*criteria, *say["more"]][:wanted]
    return {
        "tasks": [
            {
                "key": f"t{number}",
                "title": say["task"].format(number=number, text=text)[:100],
                "description": _in_words(f"{given['goal']}: {text}"[:400], say["works"]),
                "task_type": "code",
                "serves": [number] if number <= len(criteria) else [],
                "acceptance": [say["criterion"].format(text=text)[:160], say["works"]],
                "depends_on": [f"t{number - 1}"] if number > 1 else [],
                "hours_low": 1.0,
                "hours_likely": 2.0,
                "hours_high": 4.0,
                "complexity": 3,
                "reason": say["reason"],
            }
            for number, text in enumerate(texts[:MOST_TASKS], start=1)
        ]
    }


def _in_words(text: str, otherwise: str) -> str:
    """Return `text`, or `otherwise` where nothing in it is a letter or a digit."""
    return text if any(character.isalnum() for character in text) else otherwise


def _review(given: dict[str, Any]) -> dict[str, Any]:
    say = _PHRASES[given["language"]]
    return {
        "criteria": [
            {"number": number, "verdict": "cannot_judge", "why": say["judged"]}
            for number in range(1, given["criteria"] + 1)
        ],
        "findings": [],
        "feedback": say["feedback"],
        "next_step": say["next"],
    }


def _nothing_to_propose(_given: dict[str, Any]) -> dict[str, Any]:
    return {"code": "pass"}


def _calls(_given: dict[str, Any]) -> dict[str, Any]:
    return {"calls": [f"solve({number})" for number in range(4)]}


def _unsure(_given: dict[str, Any]) -> dict[str, Any]:
    return {"trace": "The scripted model follows no code.", "is_mistake": "unsure"}


_ANSWERS: Final = {
    "SuggestedGoals": _goals,
    "PlannedTasks": _tasks,
    "Review": _review,
    "Solution": _nothing_to_propose,
    "ProposedCalls": _calls,
    "SecondLook": _unsure,
}
