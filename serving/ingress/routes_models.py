"""Models over HTTP: what there is, what they answer, and who answers from now on."""

import asyncio
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Header, Path, Request
from fastapi.responses import Response

from serving.ingress.body import as_json, body_of, schema_of
from serving.ingress.errors import Refused
from serving.ingress.guard import needs
from serving.ingress.mutations import IdempotencyKey, actor_of, once
from serving.ingress.room import Room, the_room, to_json
from tg_actors.backtest import model_comparison
from tg_actors.client.words import Prediction, PredictRequest, Promotion, PromotionAnswer
from tg_actors.domain.errors import UserError
from tg_actors.rl.acts import Role
from tg_actors.rl.manifest import Manifest, model_id
from tg_actors.rl.registry import ModelRegistry
from tg_actors.runtime.clock import wall_ns
from tg_actors.runtime.tokens import Grant, Scope

router = APIRouter(prefix="/v1", tags=["models"])

TheRoom = Annotated[Room, Depends(the_room)]
Name = Annotated[str, Path(max_length=64)]
RequestId = Annotated[
    str, Header(alias="X-Request-Id", max_length=128, description="Who meets a canary depends on it.")
]


@router.get("/models", dependencies=[Depends(needs(Scope.READ))])
async def models(room: TheRoom) -> Response:
    """Every model: its versions with their evidence, its roles, and what the replicas serve."""
    serving = dict(await room.services.swaps.status())
    listed = await asyncio.to_thread(_listed, room.registry)
    return as_json(to_json({"models": listed, "serving": serving}))


@router.post(
    "/policies/{name}:predict",
    dependencies=[Depends(needs(Scope.READ))],
    responses={200: {"model": Prediction}},
    openapi_extra=schema_of(PredictRequest),
)
async def predict(
    name: Name,
    room: TheRoom,
    asked: Annotated[PredictRequest, Depends(body_of(PredictRequest))],
    request_id: RequestId = "",
) -> Response:
    """Actions of a policy by name (the version in force) or by version, such as ``rl-aggressive@7``."""
    if len({len(row) for row in asked.observed}) > 1:
        raise Refused(
            422, "bad_request", "observed: the rows are of different lengths", "send one column a feature"
        )
    observed = np.array(asked.observed, dtype=np.float32)
    answer = await room.services.policies.predict(name, observed, request_id)
    return as_json(
        Prediction(
            model=model_id(answer["model"], answer["version"]),
            role=answer["role"],
            actions=tuple((int(move), int(size)) for move, size in answer["actions"]),
        )
    )


@router.post(
    "/models/{name}:promote", responses={200: {"model": PromotionAnswer}}, openapi_extra=schema_of(Promotion)
)
async def promote(
    name: Name,
    room: TheRoom,
    request: Request,
    grant: Annotated[Grant, Depends(needs(Scope.MODELS))],
    wish: Annotated[Promotion, Depends(body_of(Promotion))],
    key: IdempotencyKey,
) -> Response:
    """Give a version a role, once it has answered a probe; replicas and desks follow by themselves."""
    return await once(room, request, grant, key, wish, lambda: _promoted(room.registry, name, wish, grant))


def _promoted(registry: ModelRegistry, name: str, wish: Promotion, grant: Grant) -> PromotionAnswer:
    act = model_comparison.promote(
        registry,
        name,
        wish.version,
        Role(wish.role),
        reason=wish.reason,
        actor=actor_of(grant),
        at_ns=wall_ns(),
        share_frac=wish.share_frac,
        override=wish.override,
        how="the field override",
    )
    return PromotionAnswer(
        model=act.model,
        version=wish.version,
        role=act.role.value,
        share_frac=act.share_frac,
        reason=act.reason,
        actor=act.actor,
        at_ns=act.at_ns,
    )


def _listed(registry: ModelRegistry) -> list[dict[str, Any]]:
    roles = registry.all_roles()
    return [
        {
            "name": name,
            "roles": one.model_dump(mode="json"),
            "versions": [_version(registry, name, version) for version in registry.versions(name)],
        }
        for name, one in roles.items()
    ]


def _version(registry: ModelRegistry, name: str, version: int) -> dict[str, Any]:
    """A version, or why it cannot be read: a damaged one hides no other."""
    try:
        return _shown(registry.manifest(name, version))
    except UserError as error:
        return {"id": model_id(name, version), "name": name, "version": version, "error": str(error)}


def _shown(manifest: Manifest) -> dict[str, Any]:
    """A version without what only a trainer needs: the daily returns of its evidence stay in its manifest."""
    said = manifest.model_dump(mode="json", exclude={"evidence", "trainer"})
    found = manifest.evidence
    evidence = None if found is None else found.model_dump(mode="json", exclude={"returns_frac"})
    return {**said, "id": manifest.id, "evidence": evidence, "days": None if found is None else found.days}
