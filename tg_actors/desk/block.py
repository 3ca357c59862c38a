"""One cycle's opinions, evidence and targets as bytes: what the journal keeps beside a decision."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tg_actors.domain.blocks import F64, Abstention, Opinions
from tg_actors.domain.decisions import Targets

_LENGTH = 4  # bytes of the header's length
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)


@dataclass(frozen=True, slots=True, eq=False)
class DecisionBlock:
    """Everything a decision was made from. ``mid (n,)`` are the marks of its snapshot.

    ``memories`` holds the newest memory of every agent, also of those that did not answer.
    """

    symbols: tuple[str, ...]
    mid: F64
    opinions: tuple[Opinions, ...]
    memories: dict[str, F64]
    targets: Targets


def encode(block: DecisionBlock) -> bytes:
    """Return canonical bytes: a JSON header, then the arrays in its order. Equal blocks, equal bytes."""
    arrays: list[F64] = [block.mid, block.targets.exposure, block.targets.confidence, block.targets.shares]
    heard = []
    for opinions in block.opinions:
        arrays += [opinions.direction, opinions.confidence, opinions.evidence]
        heard.append(
            {
                "agent": opinions.agent,
                "horizon_bars": opinions.horizon_bars,
                "evidence_names": opinions.evidence_names,
                "abstained": opinions.abstained,
            }
        )
    memories = dict(sorted(block.memories.items()))
    arrays += list(memories.values())
    header = {
        "cycle": block.targets.cycle,
        "symbols": block.symbols,
        "regime": block.targets.regime,
        "agents": block.targets.agents,
        "weights": block.targets.weights,
        "opinions": heard,
        "memories": list(memories),
        "shapes": [array.shape for array in arrays],
    }
    text = _ENCODER.encode(header).encode()
    raw = b"".join(np.ascontiguousarray(array, dtype="<f8").tobytes() for array in arrays)
    return len(text).to_bytes(_LENGTH, "big") + text + raw


def decode(data: bytes) -> DecisionBlock:
    """Rebuild a block from :func:`encode`'s bytes."""
    end = _LENGTH + int.from_bytes(data[:_LENGTH], "big")
    header = json.loads(data[_LENGTH:end])
    arrays = iter(_split(data[end:], header["shapes"]))
    mid, exposure, confidence, shares = (next(arrays) for _ in range(4))
    heard = [_opinions(header["cycle"], row, [next(arrays) for _ in range(3)]) for row in header["opinions"]]
    memories = {agent: next(arrays) for agent in header["memories"]}
    return DecisionBlock(
        symbols=tuple(header["symbols"]),
        mid=mid,
        opinions=tuple(replace(opinions, memory=memories[opinions.agent]) for opinions in heard),
        memories=memories,
        targets=Targets(
            cycle=header["cycle"],
            regime=header["regime"],
            agents=tuple(header["agents"]),
            weights=tuple(header["weights"]),
            exposure=exposure,
            confidence=confidence,
            shares=shares,
        ),
    )


def decode_mid(data: bytes, n: int) -> F64:
    """Return the marks alone of a block of ``n`` instruments, ``(n,)``: a report reads thousands of them."""
    return np.frombuffer(data, dtype="<f8", count=n, offset=_LENGTH + int.from_bytes(data[:_LENGTH], "big"))


def block_hash(data: bytes) -> str:
    """Hex SHA-256 of an encoded block, as the decision carries it."""
    return hashlib.sha256(data).hexdigest()


def _split(raw: bytes, shapes: Sequence[Sequence[int]]) -> list[F64]:
    arrays, at = [], 0
    for shape in shapes:
        count = int(np.prod(shape))
        arrays.append(np.frombuffer(raw, dtype="<f8", count=count, offset=at).reshape(shape))
        at += count * 8
    return arrays


def _opinions(cycle: int, row: Mapping[str, Any], arrays: Sequence[F64]) -> Opinions:
    direction, confidence, evidence = arrays
    return Opinions(
        agent=row["agent"],
        cycle=cycle,
        horizon_bars=row["horizon_bars"],
        direction=direction,
        confidence=confidence,
        evidence_names=tuple(row["evidence_names"]),
        evidence=evidence,
        memory=np.empty((len(direction), 0)),
        abstained=tuple(None if why is None else Abstention(why) for why in row["abstained"]),
    )
