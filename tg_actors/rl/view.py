"""One row of the batch as a Gymnasium environment. It loads gymnasium: import it where one trains."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from tg_actors.rl.accounts import EpisodeRules
from tg_actors.rl.episodes import ACTIONS, OBSERVED_MAX, Episodes
from tg_actors.rl.market import F32, LearningMarket
from tg_actors.rl.presets import DEFAULT_REWARD


class TradingView(gymnasium.Env[F32, Any]):
    """Episodes of one instrument; it steps the batch with one row, so there is one arithmetic.

    ``reset(options={"start": bar})`` begins on a bar of choice. Terminated: liquidated. Truncated: time is
    up.
    """

    def __init__(self, market: LearningMarket, rules: EpisodeRules, reward: str = DEFAULT_REWARD) -> None:
        self._episodes = Episodes(market, rules, 1, 0, reward)
        shape = (len(self._episodes.names),)
        self.observation_space = spaces.Box(-OBSERVED_MAX, OBSERVED_MAX, shape, np.float32)
        self.action_space = spaces.MultiDiscrete(list(ACTIONS))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[F32, dict[str, Any]]:
        """Begin an episode of full length.

        Raises:
            ValueError: no whole episode begins on the bar that was asked for.
        """
        super().reset(seed=seed)
        if seed is not None:
            self._episodes.seed(seed)
        observed = self._episodes.reset((options or {}).get("start"), staggered=False)
        return observed[0], {"equity": self._episodes.rules.cash}

    def step(self, action: Any) -> tuple[F32, float, bool, bool, dict[str, Any]]:
        """Act on this bar's close; the info tells equity and bar after the step."""
        stepped = self._episodes.step(np.asarray(action, dtype=np.int64)[np.newaxis])
        over = len(stepped.ended) > 0
        observed = stepped.last[0] if over else stepped.observed[0]
        info = {"equity": float(stepped.passage.after[0])}
        return (
            observed,
            float(stepped.reward[0]),
            bool(stepped.terminated[0]),
            bool(stepped.truncated[0]),
            info,
        )
