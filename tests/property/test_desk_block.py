"""A decision's block: what goes in comes out, and equal decisions have equal bytes."""

from dataclasses import fields, replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tg_actors.desk.block import DecisionBlock, block_hash, decode, encode
from tg_actors.domain.blocks import F64, Abstention, Opinions
from tg_actors.domain.decisions import Targets

numbers = st.floats(allow_nan=True, allow_infinity=False, width=64)


def arrays(*shape: int) -> st.SearchStrategy[F64]:
    return npst.arrays(np.float64, shape, elements=numbers)


@st.composite
def blocks(draw: st.DrawFn) -> DecisionBlock:
    n = draw(st.integers(1, 4))
    agents = tuple(draw(st.lists(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), max_size=3, unique=True)))
    memories = {agent: draw(arrays(n, draw(st.integers(0, 2)))) for agent in agents}
    cycle = draw(st.integers(0, 10**9))
    return DecisionBlock(
        symbols=tuple(f"C{i}/USDT" for i in range(n)),
        mid=draw(arrays(n)),
        opinions=tuple(_opinions(draw, agent, cycle, n, memories[agent]) for agent in agents),
        memories=memories,
        targets=Targets(
            cycle=cycle,
            regime=draw(st.sampled_from(["range", "trend_up"])),
            agents=agents,
            weights=tuple(draw(st.floats(0, 1)) for _ in agents),
            exposure=draw(arrays(n)),
            confidence=draw(arrays(n)),
            shares=draw(arrays(n, len(agents))),
        ),
    )


def _opinions(draw: st.DrawFn, agent: str, cycle: int, n: int, memory: F64) -> Opinions:
    names = tuple(draw(st.lists(st.sampled_from(["ema", "rsi", "adx"]), max_size=3, unique=True)))
    return Opinions(
        agent=agent,
        cycle=cycle,
        horizon_bars=draw(st.integers(1, 100)),
        direction=draw(arrays(n)),
        confidence=draw(arrays(n)),
        evidence_names=names,
        evidence=draw(arrays(n, len(names))),
        memory=memory,
        abstained=tuple(draw(st.sampled_from([None, *Abstention])) for _ in range(n)),
    )


def _same(ours: object, theirs: object) -> bool:
    """Field by field, NaN equal to NaN."""
    if isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray):
        return ours.shape == theirs.shape and np.array_equal(ours, theirs, equal_nan=True)
    if isinstance(ours, DecisionBlock | Opinions | Targets):
        return all(_same(getattr(ours, f.name), getattr(theirs, f.name)) for f in fields(ours))
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(_same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, tuple) and isinstance(theirs, tuple):
        return len(ours) == len(theirs) and all(map(_same, ours, theirs))
    return ours == theirs


@given(blocks())
def test_what_is_decoded_is_what_was_encoded(block: DecisionBlock) -> None:
    assert _same(block, decode(encode(block)))


@given(blocks())
def test_equal_blocks_have_equal_bytes(block: DecisionBlock) -> None:
    data = encode(block)
    assert encode(decode(data)) == data
    backwards = replace(block, memories=dict(reversed(block.memories.items())))
    assert encode(backwards) == data, "the order in which agents were recalled is not part of a decision"


@given(blocks(), st.integers(0, 10**6))
def test_any_other_number_gives_another_hash(block: DecisionBlock, row: int) -> None:
    mid = block.mid.copy()
    mid[row % len(mid)] = 1.0 if np.isnan(mid[row % len(mid)]) else np.nan
    assert block_hash(encode(replace(block, mid=mid))) != block_hash(encode(block))
