"""The main calls by a client that openapi-python-client has made: run by `test_generated.py`.

Arguments: the folder of the generated package, the service's URL. Prints what it saw.
"""

import io
import json
import sys
import zipfile

sys.path.insert(0, sys.argv[1])

from goals_client import AuthenticatedClient, Client
from goals_client.api.agent import suggest_goals
from goals_client.api.auth import create_token, register_user
from goals_client.api.goals import create_goal, get_goal, list_goals, update_goal
from goals_client.api.users import export_everything
from goals_client.models import (
    CreateTokenBody,
    CreateTokenBodyGrantType,
    GoalIn,
    GoalPatch,
    Problem,
    RegisterIn,
    SuggestIn,
)

NAME, PASSWORD = "ana", "cuatro palabras al azar"
stranger = Client(base_url=sys.argv[2], raise_on_unexpected_status=True)
account = RegisterIn(username=NAME, email="ana@example.com", password=PASSWORD)
registered = register_user.sync(client=stranger, body=account)
taken = register_user.sync(client=stranger, body=account)
signing_in = CreateTokenBody(CreateTokenBodyGrantType.PASSWORD, NAME, PASSWORD)
issued = create_token.sync(client=stranger, body=signing_in)
signing_in.password = "another"
wrong = create_token.sync(client=stranger, body=signing_in)
client = AuthenticatedClient(
    base_url=sys.argv[2], token=issued.access_token, raise_on_unexpected_status=True
)
made = create_goal.sync(client=client, body=GoalIn(title="Leer un libro de SQL"))
changed = update_goal.sync(made.id, client=client, body=GoalPatch(title="Leer dos libros de SQL"))
listed = list_goals.sync(client=client, limit=10)
suggested = suggest_goals.sync(
    client=client, body=SuggestIn(wish="probar mi API", count=2), idempotency_key="generated-1"
)
exported = zipfile.ZipFile(io.BytesIO(export_everything.sync(client=client).payload.read()))
missing = get_goal.sync("gol_missing", client=client)
anonymous = AuthenticatedClient(base_url=sys.argv[2], token="nonsense")
refused = list_goals.sync(client=anonymous)
problems = [taken, wrong, missing, refused]
assert all(isinstance(problem, Problem) for problem in problems)
print(
    json.dumps(
        {
            "registered": registered.username,
            "token_type": issued.token_type,
            "made": made.to_dict(),
            "changed": changed.to_dict(),
            "listed": [goal.id for goal in listed.items],
            "suggested": len(suggested.suggestions),
            "exported": exported.read("goals.jsonl").decode().count(made.id),
            "codes": [problem.code for problem in problems],
        }
    )
)
