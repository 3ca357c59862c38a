"""What tests of language models stand on: configuration, a scene, a vendor on loopback, a wire to it."""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from tg_actors.cli.llm_checks import with_own_model
from tg_actors.desk.files import load
from tg_actors.domain.keys import Key
from tg_actors.llm.budget import BudgetLimits
from tg_actors.llm.cassette import Cassette, CassetteMode
from tg_actors.llm.catalogue import ModelsConfig
from tg_actors.llm.deciding import Decider
from tg_actors.llm.live import Clocks, LiveWire
from tg_actors.llm.prompts import Prompt, read_prompt
from tg_actors.llm.providers.spec import Dialect
from tg_actors.llm.rehearsal.faults import MemoryPurse
from tg_actors.llm.rehearsal.scene import answer, answer_text, observation
from tg_actors.llm.rehearsal.vendor import Act, Behaviour, Vendor, reply_text
from tg_actors.llm.wires.opening import ClosingSender, open_sender

ROOT = Path(__file__).parents[1]
KEY = "sk-sentinel-7f3a9c21"
CLOCKS = Clocks(time.time_ns, time.monotonic_ns)
#: The five of the roadmap and one of an own server.
MODELS = ("claude-sonnet-4-5", "gpt-4o", "grok-4", "deepseek-v3", "qwen-2.5-7b", "own-model")
T = TypeVar("T")


def models(**changes: Any) -> ModelsConfig:
    """The shipped models and an own one, patient enough for a busy machine."""
    shipped = with_own_model(load(ModelsConfig, ROOT / "configs" / "models.yaml"))
    return shipped.model_copy(update={"deadline_s": 30.0, **changes})


def prompt_text(name: str = "signal") -> str:
    return (ROOT / "configs" / "prompts" / f"{name}.md").read_text(encoding="utf-8")


def prompt(name: str = "signal") -> Prompt:
    return read_prompt(prompt_text(name), name)


def saying(text: str | None = None, served: str = "served-model", **more: Any) -> Behaviour:
    """A vendor that always answers the same."""
    said = answer_text(observation()) if text is None else text
    return lambda dialect, _, __: Act(200, reply_text(dialect, served, said, **more))


def bad_at(symbol: str) -> str:
    """An answer that is sound but for one instrument."""
    shown = observation()
    content = answer(shown)
    for item in content["decisions"]:
        if item["symbol"] == symbol:
            item["conviction"] = 62
    return json.dumps(content)


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """A vendor that does one thing after the other, the last one for ever."""
    return lambda dialect, number, body: behaviours[min(number, len(behaviours)) - 1](dialect, number, body)


def failing(status: int, text: str = "{}", headers: dict[str, str] | None = None, **more: Any) -> Behaviour:
    return lambda *_: Act(status, text, headers or {}, **more)


class Bench:
    """One model at one vendor on loopback."""

    def __init__(self, vendor: Vendor, sender: ClosingSender, config: ModelsConfig, model: str) -> None:
        spec = config.model(model)
        self.vendor = vendor
        self.config = config
        self.model = model
        self.purse = MemoryPurse(config.budget)
        self.wire = LiveWire(spec.row, model, sender, self.purse, CLOCKS, config.prices)

    def decider(
        self, mode: CassetteMode = CassetteMode.LIVE, path: Path | None = None, asked: Prompt | None = None
    ) -> Decider:
        return Decider(self.model, self.config, asked or prompt(), Cassette(mode, path, self.wire))

    @property
    def dialect(self) -> Dialect:
        return self.config.model(self.model).row.dialect


@asynccontextmanager
async def bench(model: str, behave: Behaviour, config: ModelsConfig | None = None) -> Any:
    """A vendor, a sender and a wire for one model; all closed afterwards."""
    config = config or models()
    spec = config.model(model)
    key = Key(spec.provider, KEY, "") if spec.row.needs_key else None
    async with Vendor(behave, spec.provider, None if key is None else KEY) as vendor:
        sender = open_sender(spec.row, vendor.base_url(spec.row.dialect), key)
        try:
            yield Bench(vendor, sender, config, model)
        finally:
            await sender.close()


def at_bench(
    model: str,
    behave: Behaviour,
    work: Callable[[Bench], Awaitable[T]],
    config: ModelsConfig | None = None,
) -> T:
    """Run some work at a bench and return what it returns."""

    async def run() -> T:
        async with bench(model, behave, config) as made:
            return await work(made)

    return asyncio.run(run())


def replaying(path: Path, asked: Prompt | None = None, **changes: Any) -> Decider:
    """A decider that has nothing but a recording."""
    return Decider("gpt-4o", models(**changes), asked or prompt(), Cassette(CassetteMode.REPLAY, path))


def budget(per_model: str = "5", whole: str = "20") -> BudgetLimits:
    return BudgetLimits(usd_per_model_day_max=Decimal(per_model), usd_per_day_max=Decimal(whole))


@contextmanager
def vendor_beside(behave: Behaviour, provider: str) -> Iterator[Vendor]:
    """A vendor in a thread of its own, for commands that run their own loop."""
    loop = asyncio.new_event_loop()
    vendor = Vendor(behave, provider)
    ready = threading.Event()

    async def serve() -> None:
        async with vendor:
            ready.set()
            await stop.wait()

    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert ready.wait(30)
        yield vendor
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()
