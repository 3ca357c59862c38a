"""What the nemesis does and when: drawn from a seed, pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class Deed(StrEnum):
    """What a nemesis can do."""

    KILL = "kill"
    HALT = "halt"
    LOCK = "lock"
    EXCHANGE = "exchange"
    ZOMBIE = "zombie"
    RAYLET = "raylet"
    DRIVER = "driver"
    HEAD = "head"


#: Deeds that change which nodes there are, the rarest first; they are done one after the other.
TOPOLOGY = (Deed.HEAD, Deed.DRIVER, Deed.RAYLET, Deed.ZOMBIE)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A deed every so many seconds on average, not before ``after_s``, at most so often."""

    every_s: float
    after_s: float = 0.0
    most: int | None = None


#: So that fifteen minutes on two cores see more than 300 kills, 30 zombies and 5 dead raylets.
RHYTHMS: dict[Deed, Rhythm] = {
    # Several at once, then time to trade: who is killed while it recovers proves little.
    Deed.KILL: Rhythm(7.0),
    Deed.HALT: Rhythm(30.0),
    Deed.LOCK: Rhythm(60.0),
    Deed.EXCHANGE: Rhythm(90.0, after_s=20.0),
    Deed.ZOMBIE: Rhythm(22.0),
    Deed.RAYLET: Rhythm(80.0, after_s=10.0),
    Deed.DRIVER: Rhythm(300.0, after_s=180.0),
    Deed.HEAD: Rhythm(300.0, after_s=120.0, most=1),
}


@dataclass(frozen=True, slots=True)
class Stroke:
    """One deed: seconds after the start, and two numbers in [0, 1) for whom it hits and how hard."""

    at_s: float
    deed: Deed
    whom: float
    extent: float


def schedule(seed: int, seconds: float) -> tuple[Stroke, ...]:
    """Return all strokes of a run, in order; the same seed gives the same ones."""
    strokes = [
        stroke
        for number, (deed, rhythm) in enumerate(RHYTHMS.items())
        for stroke in _strokes(deed, rhythm, seconds, np.random.default_rng([seed, number]))
    ]
    return tuple(sorted(strokes, key=lambda stroke: stroke.at_s))


def _strokes(deed: Deed, rhythm: Rhythm, seconds: float, rng: np.random.Generator) -> Iterator[Stroke]:
    at_s, done = rhythm.after_s, 0
    while rhythm.most is None or done < rhythm.most:
        # Never two at once, never none for long: half to one and a half of the average.
        at_s += rhythm.every_s * float(rng.uniform(0.5, 1.5))
        if at_s >= seconds:
            return
        yield Stroke(at_s, deed, float(rng.random()), float(rng.random()))
        done += 1
