"""The same calls give the same bytes in every process, whatever its hash seed."""

import os
import subprocess
import sys

_SCRIPT = """
import hashlib
from tests.marketplace_words import *
place = Place(costs(margin=MARGIN, funding=FUNDING), AccountKind.MARGIN)
for row in range(40):
    mid = 100 + row * 7 % 13
    place.show(f"{mid}x2 {mid - 1}x9", f"{mid + 1}x2 {mid + 2}x9")
    for account in "ab":
        side, leverage = (BUY, SELL)[row % 2], D(1 + row % 3)
        order_ = order(f"{account}{row}", side, MARKET, "0.5", leverage=leverage)
        place.market.submit(account, order_, place.tick())
        rest = order(f"r{row}", side, LIMIT, limit_price=str(mid), expires_at_ns=place.now_ns + 9 * S)
        place.market.submit(account, rest, place.tick())
        place.market.submit(account, order(f"s{row}", side, STOP, stop_price="104"), place.tick())
    place.print(str(mid), "3", (SELL, BUY)[row % 2])
sha = hashlib.sha256(repr(place.market.drain()).encode())
for account in "ab":
    sha.update(place.market.dump(account))
sha.update(place.market.dump_market())
print(len(place.market.trades("a")), sha.hexdigest())
"""


def test_equal_calls_give_equal_bytes_in_processes_with_other_hash_seeds() -> None:
    answers = {
        subprocess.run(
            [sys.executable, "-c", _SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    (answer,) = answers
    assert int(answer.split()[0]) > 30, "the script trades"
