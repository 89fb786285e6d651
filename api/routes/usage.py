"""`/v1/usage`: what the models may still take today, and what they took."""

from typing import Annotated

from fastapi import Depends, Query, Request

from api.deps import Tools, find_services, make_router
from tools import usage
from tools.usage import Budget, UsageOut

router = make_router("/v1/usage", tag="usage")

Days = Annotated[int, Query(ge=1, le=366, description="UTC days, today among them")]


def find_budget(request: Request) -> Budget:
    """Return the limits and prices that the service was made with."""
    return find_services(request).budget


@router.get("")
async def read_usage(
    tools: Tools, budget: Annotated[Budget, Depends(find_budget)], days: Days = 30
) -> UsageOut:
    """Read today's budget, and what the models did for you in the last days.

    Costs are in USD. One is null as soon as a price or a count in it is not known.
    """
    return await usage.read_usage(tools, budget, days=days)
