"""TripleGain: an AI trading desk made of Ray actors, the same in backtest, paper and live."""
