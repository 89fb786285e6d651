import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bounds import thinking_at_most
from tests.secret_samples import CANARY, FORMATS, HEX, TOKENS
from tools.analysis.facts.secrets import Secret, find_secrets, redact

PRAGMAS = "  # nosec  # noqa: S105  # pragma: allowlist secret  gitleaks:allow  NOSONAR"


@pytest.mark.parametrize("kind", TOKENS)
def test_a_known_token_is_hidden_by_its_form_alone(kind: str) -> None:
    redacted = redact(f"x = f({TOKENS[kind]!r})  # nosec, gitleaks:allow\n")

    assert redacted.text == f"x = f('<secret:1:{kind}>')  # nosec, gitleaks:allow\n"
    assert redacted.found == (Secret(kind, f"<secret:1:{kind}>", 1, 1),)


@pytest.mark.parametrize("form", FORMATS)
def test_a_random_value_is_hidden_wherever_it_is_given_to_a_secret_name(form: str) -> None:
    redacted = redact(form.format(CANARY))

    assert CANARY not in redacted.text
    assert len(redacted.found) == 1


@pytest.mark.parametrize("form", FORMATS)
def test_no_pragma_switches_redaction_off(form: str) -> None:
    text = f"x = 1\n{form.format(CANARY)}\n{PRAGMAS}\n"

    redacted = redact(text)

    assert CANARY not in redacted.text
    assert redacted.text.count("\n") == text.count("\n")


def test_a_token_inside_of_base64_is_hidden() -> None:
    encoded = base64.b64encode(f"token: {TOKENS['github-token']}\n".encode()).decode()

    assert encoded not in redact(f"data: {encoded}\n").text


def test_an_invisible_character_does_not_save_a_key() -> None:
    redacted = redact("x = 'AKIA\u200bIOSFODNN7EXAMPLE'")

    assert redacted.text == "x = '<secret:1:aws-key>'"


def test_a_fact_names_the_kind_and_the_line_and_never_the_value() -> None:
    (fact,) = find_secrets(f"x = 1\npassword = '{CANARY}'\n")

    assert (fact.rule, fact.line, fact.severity) == ("secrets/password", 2, "high")
    assert CANARY not in repr(fact)


@pytest.mark.parametrize(
    "code",
    [
        'password = input("Password: ")',
        "password = get_password()",
        "token = tokens[0]",
        "secret = random.randint(1, 10)",
        'if password == "secret": pass',
        'password = os.environ["PASSWORD"]',
        "PASSWORD=${PASSWORD}",
        "def check_password(password: str) -> bool:",
        'assert check_password("abc") is False',
        'api_key = "your-api-key-here"',
        "secret_number = 12345678",
        "http://localhost:8000/a@b",
        f'digest = "{HEX}"',
        "password_hash = hashlib.sha256(password.encode()).hexdigest()",
        "task-management-system-with-tokens",
        "for token in tokenize(text): pass",
    ],
)
def test_ordinary_code_is_left_as_it_is(code: str) -> None:
    assert redact(code).text == code


def test_a_private_key_keeps_its_line_count() -> None:
    body = "\n".join(["MIIEowIBAAKCAQEA" + "x" * 48] * 3)
    text = f"a = 1\n-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----\nb = 2\n"

    redacted = redact(text)

    assert redacted.text == "a = 1\n<secret:1:private-key>\n\n\n\n\nb = 2\n"
    assert redacted.found == (Secret("private-key", "<secret:1:private-key>", 2, 6),)


def test_a_private_key_without_an_end_does_not_swallow_the_code() -> None:
    text = "-----BEGIN PRIVATE KEY-----\n" + "A" * 64 + "\ndef f(): pass\n"

    assert redact(text).text == "<secret:1:private-key>\n\ndef f(): pass\n"


def test_equal_secrets_share_a_placeholder_and_others_do_not() -> None:
    a, b = TOKENS["aws-key"], TOKENS["github-token"]

    assert redact(f"{a} {b} {a}").text == (
        "<secret:1:aws-key> <secret:2:github-token> <secret:1:aws-key>"
    )


def test_no_field_of_the_answer_holds_the_value() -> None:
    assert CANARY not in repr(redact(f'password = "{CANARY}"'))


@pytest.mark.parametrize(
    "text",
    [
        "a" * 300_000, "eyJ" * 60_000, "password" * 25_000, "password=a1" * 15_000,
        "-----BEGIN PRIVATE KEY-----" * 6_000, "a://" * 50_000, "curl " * 30_000,
        'token("' * 25_000, "a.b_c-" * 30_000, 'token="' + "\\\\" * 60_000,
    ],
    ids=range(10),
)  # fmt: skip
def test_no_text_makes_the_rules_slow(text: str) -> None:
    with thinking_at_most(5):
        redact(text)


_PIECES = st.one_of(
    st.text(max_size=20),
    st.sampled_from([*TOKENS.values(), *(form.format(CANARY) for form in FORMATS), "\n", "\r\n"]),
)


@settings(max_examples=200)
@given(st.lists(_PIECES, max_size=8).map(" ".join))
def test_lines_stay_and_a_second_pass_finds_nothing(text: str) -> None:
    redacted = redact(text)

    assert redacted.text.count("\n") == text.count("\n")
    assert redact(redacted.text).text == redacted.text


@settings(max_examples=200)
@given(st.lists(st.sampled_from(FORMATS), min_size=1, max_size=6))
def test_no_neighbour_brings_a_secret_back(forms: list[str]) -> None:
    text = "\n".join(form.format(CANARY) for form in forms)

    assert CANARY not in redact(text).text


@pytest.mark.parametrize("value", ["$ecr3t-Pa55word", "%7Bq9zL2#", "p@ss:w0rd!", "{x}q7Z2-V9s"])
def test_a_value_of_unusual_form_is_hidden(value: str) -> None:
    assert value not in redact(f"DB_PASSWORD = '{value}'").text


@pytest.mark.parametrize(
    "printed",
    [f"'{CANARY}'", f"{CANARY[:12]}", f"KeyError: {CANARY[4:]} is not there", f"{CANARY}{CANARY}"],
)
def test_what_code_prints_has_none_of_its_secrets(printed: str) -> None:
    redacted = redact(f"API_TOKEN = '{CANARY}'\n")

    hidden = redacted.hide_in(printed)

    assert "<secret:1:token>" in hidden
    assert not [at for at in range(len(CANARY) - 8) if CANARY[at : at + 8] in hidden]


def test_what_code_without_secrets_prints_is_unchanged() -> None:
    assert redact("x = 1\n").hide_in("[1, 2, 'hola']") == "[1, 2, 'hola']"


def test_a_secret_that_only_a_run_puts_together_is_hidden() -> None:
    key = TOKENS["aws-key"]

    assert key not in redact("a, b = 'AKIA', 'IOSFODNN7EXAMPLE'\n").hide_in(repr(key))
