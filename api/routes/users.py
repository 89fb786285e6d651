"""`/v1/users`: one's own account, and nobody else's."""

from fastapi import Request, Response

from api.deps import Tools, make_router
from api.representations import CHANGED, READ, VERSIONED_READ, if_match, merge_patch_body, represent
from tools import users
from tools.schemas import UserOut, UserPatch

router = make_router("/v1/users", tag="users")


@router.get("/me", response_model=UserOut, responses=READ, openapi_extra=VERSIONED_READ)
async def get_own_account(tools: Tools, request: Request) -> Response:
    """Read your account."""
    return represent(request, await users.get_user(tools.session, tools.user_id))


@router.patch(
    "/me", response_model=UserOut, responses=CHANGED, openapi_extra=merge_patch_body(UserPatch)
)
async def update_own_account(patch: UserPatch, tools: Tools, request: Request) -> Response:
    """Change your name, and what is kept with your account; `metadata` is merged."""
    changed = await users.update_user(tools, patch, if_match=if_match(request))
    return represent(request, changed)
