"""Make text harmless on its way into a prompt: the copy for the model, never what is stored.

llama.cpp reads `<|im_start|>` in a message as the token that begins one, and a chat page loads an
image whose address the model has copied from a note. Neither survives here, nor does what nobody
sees, nor a delimiter that looks like ours. Each rule leaves every line where it was, and what it
left is left again.
"""

import re
from typing import Final

from tools.analysis.facts.unicode import strip_invisible

_SCHEME: Final = r"<?(?:[a-z][a-z0-9+.\-]{1,20}://|//|www\.|data:|mailto:|javascript:)"

_CHAT_TOKEN: Final = re.compile(
    r"(?:<(?=[|｜][^<>|｜\s]{1,60}[|｜]>)"
    r"|<(?=/?(?:s|bos|eos|unk|pad|mask|think|(?:start|end)_of_turn|tool_(?:call|response)s?)>)"
    r"|<(?=/?data-[0-9a-f])|<(?=<?/?SYS>>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]))",
    re.IGNORECASE,
)
_LINK_TARGET: Final = re.compile(r"\]\([ \t]*" + _SCHEME + r"[^)\n]{0,2000}\)?", re.IGNORECASE)
_LINK_DEFINITION: Final = re.compile(
    r"^([ \t>]{0,20}\[[^\[\]\n]{1,300}\]):[ \t]*" + _SCHEME + r"\S*", re.IGNORECASE | re.MULTILINE
)
_LOADING_TAG: Final = re.compile(
    r"<(?=(?:img|iframe|object|embed|link|script|style|svg|video|audio|source|form)\b"
    r"|[a-z][a-z0-9+.\-]{1,20}://)",
    re.IGNORECASE,
)
_LABEL: Final = re.compile(r"\[([ \t]{0,3}S[ \t]{0,3}\d{1,9}[ \t]{0,3})\]", re.IGNORECASE)


def disarm_tokens(text: str) -> str:
    """Return `text` without what a chat template or our fence would take for its own."""
    return _CHAT_TOKEN.sub(lambda found: found[0] + " ", text)


def disarm(text: str) -> str:
    """Return `text` without chat tokens, invisible characters, or links and images that load."""
    visible, _ = strip_invisible(text)
    without_targets = _LINK_DEFINITION.sub(r"\1", _LINK_TARGET.sub("] ", visible))
    return disarm_tokens(_LOADING_TAG.sub("< ", without_targets))


def disarm_quote(text: str) -> str:
    """Return a piece of code without chat tokens and invisible characters, otherwise as it is."""
    return disarm_tokens(strip_invisible(text)[0])


def disarm_source(text: str) -> str:
    """Return a retrieved text disarmed, and without labels of other sources (`[S2]`)."""
    return _LABEL.sub(r"(\1)", disarm(text))
