"""Latency from the question for a snapshot to the last permit on Ray, beside a bare fan-out of that shape."""

import argparse
import sys
from contextlib import redirect_stdout

from benchmarks.ground import machine, show
from tg_actors.runtime.cluster import require_token


def main() -> None:
    """Start one desk and one bare fan-out in the same cluster; let them take turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=10.0, help="cycles a second")
    parser.add_argument("--cycles", type=int, default=1_000, help="at most 1000")
    args = parser.parse_args()
    before = machine()
    require_token()
    from benchmarks.fan_out import measure

    with redirect_stdout(sys.stderr):  # Ray prints warnings of its own; ours is one JSON object
        figures = measure(args.rate, args.cycles)
    show("cycle", before, figures)


if __name__ == "__main__":
    main()
