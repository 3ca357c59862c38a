"""The volume-profile agent, pure: where the market traded says where it may turn, where it may run."""

import numpy as np

from tg_actors.domain.blocks import F64, Abstention, MarketSnapshot, Opinions, Window
from tg_actors.institutional.volume_profile_signs import SIGNS, distances
from tg_actors.institutional.volume_profile_spec import VolumeProfileSpec
from tg_actors.institutional.volume_profile_view import Grid, ProfileView, session_ns_of
from tg_actors.institutional.weighing import Mask, first_reasons, weigh

#: Evidence behind the signs: where the levels lie.
LEVEL_NAMES = ("poc", "vah", "val", "support", "resistance", "thin_above", "thin_below", "whole_poc")


class VolumeProfileAgent:
    """Profile the window, weigh the signs, speak or abstain; all instruments at once, and without memory.

    The signs and their sources are in ``volume_profile_signs``. With their weighted mean ``S`` and agreement
    ``A`` (``weighing``) the agent speaks where ``|S| >= enter_score`` and ``A >= agreement_min``: direction
    ``S``, confidence ``sqrt(|S| A)``. It abstains otherwise:

    * STALE_MARKET: the newest bar is not of this cycle;
    * NO_SOURCE: the desk's snapshots carry no window of bars;
    * WARMING_UP: the window is too short yet, or half of the composite's bars are missing;
    * NO_CONVICTION: the score or the agreement is too low.

    Evidence: the score of each sign, then the levels as ``distances`` of ``volume_profile_signs``. It depends
    on nothing but the newest ``window_bars`` bars; memory is empty.
    """

    def __init__(self, spec: VolumeProfileSpec, symbols: tuple[str, ...], bar_ns: int) -> None:
        """Set up.

        Raises:
            UserError: the window is too short for sessions of such bars.
        """
        self._spec = spec
        self._n = len(symbols)
        self._names = tuple(sign.name for sign in spec.signs)
        self._weights = np.array([sign.weight for sign in spec.signs])
        self._grid = Grid(
            session_ns=session_ns_of(bar_ns, spec.window_bars),
            bins=spec.bins,
            value_frac=spec.value_frac,
            composite_sessions=spec.composite_sessions,
            naked_sessions=spec.naked_sessions,
            node_high_min=spec.node_high_min,
            node_low_min=spec.node_low_min,
        )

    @property
    def name(self) -> str:
        """The agent's name, as opinions and journal carry it."""
        return self._spec.name

    def recall(self, memory: F64 | None) -> None:
        """Take back what was never kept.

        Raises:
            ValueError: not the memory of this agent.
        """
        if memory is not None and memory.shape != (self._n, 0):
            raise ValueError(f"agent {self.name}: it remembers nothing, but was handed a memory")

    def opine(self, snapshot: MarketSnapshot) -> Opinions:
        """Return the opinions on this cycle; equal bars give equal opinions, whatever went before."""
        evidence = np.full((len(self._names) + len(LEVEL_NAMES), self._n), np.nan)
        window = self._own(snapshot.window)
        known = np.zeros(self._n, dtype=np.bool_)
        if window is not None:
            view = ProfileView.of(window, self._grid)
            known = view.is_known
            found = [SIGNS[name](view) for name in self._names]
            levels = distances(view)
            evidence = np.where(known, np.array([*found, *(levels[name] for name in LEVEL_NAMES)]), np.nan)
        return self._say(snapshot, evidence, known)

    def _say(self, snapshot: MarketSnapshot, evidence: F64, known: Mask) -> Opinions:
        weighed = weigh(self._weights, evidence[: len(self._names)])
        convinced = np.abs(weighed.score) >= self._spec.enter_score
        convinced &= weighed.agreement >= self._spec.agreement_min
        speaking = snapshot.is_fresh & known & convinced
        return Opinions(
            agent=self.name,
            cycle=snapshot.cycle,
            horizon_bars=self._spec.horizon_bars,
            direction=np.where(speaking, weighed.score, np.nan),
            confidence=np.where(speaking, weighed.conviction, np.nan),
            evidence_names=(*self._names, *LEVEL_NAMES),
            evidence=np.ascontiguousarray(evidence.T),
            memory=np.zeros((self._n, 0)),
            abstained=first_reasons(
                self._n,
                (
                    (Abstention.STALE_MARKET, ~snapshot.is_fresh),
                    (Abstention.NO_SOURCE, np.full(self._n, snapshot.window is None)),
                    (Abstention.WARMING_UP, ~known),
                    (Abstention.NO_CONVICTION, ~convinced),
                ),
            ),
        )

    def _own(self, window: Window | None) -> Window | None:
        """The newest ``window_bars``, however many more others asked for; None while there are fewer."""
        if window is None or len(window.ohlcv) < self._spec.window_bars:
            return None
        return Window(window.bar_ns, window.end_ns, window.names, window.ohlcv[-self._spec.window_bars :])
