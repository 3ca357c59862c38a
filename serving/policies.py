"""Trained policies of one replica: held by version, batched, swapped under load without a dropped request."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from serving.batching import Batcher
from serving.choice import PINNED, Choice, choose
from serving.ports import Prediction
from serving.shelf import Shelf
from serving.swap import Orders, Report, Table, missing
from tg_actors.domain.errors import OutsideError, UserError
from tg_actors.rl.manifest import Manifest, parse_model_id
from tg_actors.rl.market import F32
from tg_actors.rl.policy import NumpyPolicy

_log = logging.getLogger(__name__)

#: Rows of one request; fifty instruments of eighty desks.
ROWS_MAX = 4096
_RETRY_S = 0.5
#: A replica that could not find out in this time what is in force does not begin to answer.
_READY_S = 20.0


class Library(Protocol):
    """Where versions come from: the registry."""

    def probe(self, name: str, version: int) -> Manifest:
        """Check that a version answers a fixed block with numbers."""
        ...

    def load(self, name: str, version: int) -> tuple[NumpyPolicy, Manifest]:
        """Return a version."""
        ...


Sync = Callable[[Report, Orders | None], Awaitable[Orders]]


class PolicyReplica:
    """One replica's policies, and its side of a swap.

    Once running it tells the board of models what it holds and hears what to hold and what is in force. The
    version that answers a request is resolved once, when the request comes in.
    """

    def __init__(self, name: str, library: Library, sync: Sync, kept_max: int, pid: int = 0) -> None:
        self._name, self._pid, self._library, self._sync = name, pid, library, sync
        self._shelf, self._batcher = Shelf(kept_max), Batcher()
        self._columns: dict[str, tuple[str, ...]] = {}
        self._failed: dict[str, str] = {}
        self._answered: dict[str, int] = {}
        self._agreed: dict[str, tuple[int, int]] = {}
        self._shadows: set[asyncio.Task[None]] = set()
        self._orders: Orders | None = None

    @property
    def table(self) -> Table:
        """What is in force here."""
        return Table(board="") if self._orders is None else self._orders.table

    async def follow_once(self) -> None:
        """Say what is held, hear what to do, do it."""
        orders = await self._sync(self._report(), self._orders)
        self._shelf.want(orders.wanted)
        self._failed = {i: why for i, why in self._failed.items() if i in orders.wanted}
        self._orders = orders
        for model_id in missing(orders, self._shelf.ids(), self._failed):
            try:
                await self._hold(model_id)
            except UserError as error:
                self._failed[model_id] = str(error)
                _log.warning("%s is refused: %s", model_id, error)
            else:
                self._failed.pop(model_id, None)

    async def follow(self) -> None:
        """Follow the board of models for as long as this process lives."""
        while True:
            try:
                await self.follow_once()
            except OutsideError as error:
                _log.warning("the board of models is away, what is in force stays: %s", error)
                await asyncio.sleep(_RETRY_S)

    async def get_ready(self) -> None:
        """Follow until everything that is in force is held here.

        Raises:
            OutsideError: that took too long; the replica must not answer.
        """
        try:
            async with asyncio.timeout(_READY_S):
                while self._orders is None or missing(self._orders, self._shelf.ids(), self._failed):
                    await self.follow_once()
                await self.follow_once()
        except TimeoutError as error:
            reasons = "; ".join(f"{i}: {why}" for i, why in sorted(self._failed.items())) or "no orders came"
            raise OutsideError(f"this replica is not ready to answer ({reasons})", retryable=True) from error

    async def predict(self, model: str, observed: NDArray[np.float32], request_id: str = "") -> Prediction:
        """Return the actions of observations ``(n, features)`` and who gave them.

        Without an id the observations themselves decide who meets a canary.

        Raises:
            UserError: no such version, or observations that no policy could take.
        """
        rows = checked(observed)
        choice = choose(model, self.table, request_id or rows.tobytes().hex())
        policy = self._shelf.get(choice.id) or await self._hold(choice.id)
        try:
            actions = await self._batcher.act(policy, rows)
        except ValueError as error:
            raise UserError(f"{choice.id}: {error}") from error
        self._answered[choice.id] = self._answered.get(choice.id, 0) + 1
        self._ask_shadow(choice, rows, actions)
        name, version = parse_model_id(choice.id)
        return Prediction(model=name, version=version, role=choice.role, actions=actions)

    async def _hold(self, model_id: str) -> NumpyPolicy:
        """Load and probe a version beside the event loop, then hold it."""
        policy, manifest = await asyncio.to_thread(self._proved, model_id)
        self._check_columns(manifest)
        self._columns[model_id] = manifest.features
        self._shelf.put(model_id, policy)
        self._columns = {i: c for i, c in self._columns.items() if i in self._shelf}
        return policy

    def _proved(self, model_id: str) -> tuple[NumpyPolicy, Manifest]:
        name, version = parse_model_id(model_id)
        self._library.probe(name, version)
        return self._library.load(name, version)

    def _check_columns(self, manifest: Manifest) -> None:
        """Refuse what is to follow a champion and takes other columns: its callers would all fail."""
        place = self.table.places.get(manifest.name)
        if place is None or place.champion is None or self._orders is None:
            return
        champion = f"{manifest.name}@{place.champion}"
        before = self._columns.get(champion, manifest.features)
        if manifest.id in self._orders.wanted and manifest.features != before:
            raise UserError(
                f"{manifest.id} takes other columns ({len(manifest.features)}) than {champion} in force "
                f"({len(before)}): callers must change first, then 'tg serve deploy' again"
            )

    def _ask_shadow(self, choice: Choice, rows: F32, actions: NDArray[np.int64]) -> None:
        shadow = None if choice.shadow is None else self._shelf.get(choice.shadow)
        if shadow is None or choice.role == PINNED:
            return
        task = asyncio.get_running_loop().create_task(self._compare(choice, shadow, rows, actions))
        self._shadows.add(task)
        task.add_done_callback(self._shadows.discard)

    async def _compare(
        self, choice: Choice, shadow: NumpyPolicy, rows: F32, actions: NDArray[np.int64]
    ) -> None:
        try:
            others = await self._batcher.act(shadow, rows)
        except ValueError:
            return  # it takes other columns than the one that answered
        pair = f"{choice.id}|{choice.shadow}"
        same, seen = self._agreed.get(pair, (0, 0))
        self._agreed[pair] = (same + int((others == actions).all(axis=1).sum()), seen + len(rows))

    def _report(self) -> Report:
        # What nobody has asked us to keep may leave the shelf before the answer comes: it is no promise.
        wanted = () if self._orders is None else self._orders.wanted
        return Report(
            replica=self._name,
            pid=self._pid,
            loaded=tuple(i for i in self._shelf.ids() if i in wanted),
            failed=dict(self._failed),
            answered=dict(self._answered),
            agreed=dict(self._agreed),
        )


def checked(observed: NDArray[np.float32]) -> F32:
    """Return observations as a policy takes them.

    Raises:
        UserError: they are no table of finite numbers, or too many.
    """
    rows: F32 = np.asarray(observed, dtype=np.float32)
    if rows.ndim != 2 or not rows.size or len(rows) > ROWS_MAX:  # noqa: PLR2004 - rows and columns
        raise UserError(f"observations are 1 to {ROWS_MAX} rows of equal length, not {rows.shape}")
    if not np.isfinite(rows).all():
        raise UserError("an observation is not a finite number: leave that row out")
    return rows
