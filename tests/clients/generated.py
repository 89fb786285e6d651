"""The main calls by a client that openapi-python-client has made: run by `test_generated.py`.

Arguments: the folder of the generated package, the service's URL, a token. Prints what it saw.
"""

import json
import sys

sys.path.insert(0, sys.argv[1])

from goals_client import AuthenticatedClient
from goals_client.api.agent import suggest_goals
from goals_client.api.goals import create_goal, get_goal, list_goals, update_goal
from goals_client.models import GoalIn, GoalPatch, Problem, SuggestIn

client = AuthenticatedClient(
    base_url=sys.argv[2], token=sys.argv[3], raise_on_unexpected_status=True
)
made = create_goal.sync(client=client, body=GoalIn(title="Leer un libro de SQL"))
changed = update_goal.sync(made.id, client=client, body=GoalPatch(title="Leer dos libros de SQL"))
listed = list_goals.sync(client=client, limit=10)
suggested = suggest_goals.sync(
    client=client, body=SuggestIn(wish="probar mi API", count=2), idempotency_key="generated-1"
)
missing = get_goal.sync("gol_missing", client=client)
anonymous = AuthenticatedClient(base_url=sys.argv[2], token="nonsense")
refused = list_goals.sync(client=anonymous)
assert isinstance(missing, Problem)
assert isinstance(refused, Problem)
print(
    json.dumps(
        {
            "made": made.to_dict(),
            "changed": changed.to_dict(),
            "listed": [goal.id for goal in listed.items],
            "suggested": len(suggested.suggestions),
            "codes": [missing.code, refused.code],
        }
    )
)
