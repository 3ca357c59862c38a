"""The page of a running desk in a real browser: it fits, it is live, it halts, and text stays text."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from serving.ingress.api import build_api
from tests.api_words import RUN, scripted_desk, served, services_of
from tests.chromium import CHROMIUM, browse
from tests.desk_words import Desk, flipping
from tests.page_words import Framed
from tg_actors.domain.orders import TradingState
from tg_actors.runtime.tokens import Scope, TokenFile

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")

DRAWN = "d.querySelector('#decisions details') && d.querySelector('.plot path') && d.querySelector('meter')"
MEASURED = """{
  inner: w.innerWidth,
  wide: d.documentElement.scrollWidth - w.innerWidth,
  line: d.querySelector('.plot path').getBoundingClientRect().width,
  far: [...d.querySelectorAll('body *')].filter((e) => !e.closest('.wide') && e.getClientRects().length
    && e.getBoundingClientRect().right > w.innerWidth + 0.5).map((e) => e.tagName + '.' + e.className),
  run: d.querySelector('#run').textContent,
  agents: [...d.querySelectorAll('.agents .name span:first-child')].map((e) => e.textContent),
  images: d.querySelectorAll('img').length,
}"""
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Desk, str]]:
    """The address of a page that shows a desk, the desk, and a token for the kill switch."""
    home = tmp_path_factory.mktemp("home")
    tokens = TokenFile(home / "serve" / "tokens.json")
    reads, trades = tokens.create("r", (Scope.READ,), 1), tokens.create("t", (Scope.TRADE,), 1)
    with scripted_desk(home, cycles=40, others={"momentum": flipping(7)}) as desk:
        actor = {"name": f"TechnicalActor:{EVIL}", "health": "alive", "deaths": 0, "weight": 0.5}
        status = {"cycle": 39, "at_ns": 1, "agents": [{**actor, "opinion": EVIL}]}
        (home / "runs" / RUN / "status.json").write_text(json.dumps(status))
        with served(Framed(build_api(services_of(home)), reads)) as url:
            yield url, desk, trades


def looked_at(url: str, profile: Path, **asked: str | int) -> Any:
    told = browse(f"{url}/frame?{urlencode(asked)}", profile, "--dump-dom", width=1400)
    found = re.search(r"<title>(.*?)</title>", told)
    assert found is not None
    return json.loads(html.unescape(found[1]))


@pytest.mark.parametrize("width", [360, 500, 1280])
def test_it_fits_the_screen_and_draws(page: tuple[str, Desk, str], tmp_path: Path, width: int) -> None:
    found = looked_at(page[0], tmp_path, width=width, ready=DRAWN, told=MEASURED)
    assert found["inner"] == width
    assert found["far"] == []
    assert found["wide"] <= 0
    assert found["line"] > 150
    assert found["run"] == RUN


def test_a_desk_that_does_not_run_is_not_called_live(page: tuple[str, Desk, str], tmp_path: Path) -> None:
    told = "{live: d.querySelector('#live').textContent, decided: d.querySelector('#decided').textContent}"
    found = looked_at(page[0], tmp_path, width=500, ready=DRAWN, told=told)
    assert found["live"] == "desk not running"
    assert re.fullmatch(r"decided \d+ (s|min) ago", found["decided"])


def test_where_there_is_no_desk_the_page_says_why(tmp_path: Path) -> None:
    token = TokenFile(tmp_path / "serve" / "tokens.json").create("r", (Scope.READ,), 1)
    with served(Framed(build_api(services_of(tmp_path)), token)) as url:
        ready, told = "!d.querySelector('#told').hidden", "d.querySelector('#told').textContent"
        said = looked_at(url, tmp_path / "profile", width=500, ready=ready, told=told)
    assert said.startswith("no desk has run yet")


def test_what_came_from_outside_is_text(page: tuple[str, Desk, str], tmp_path: Path) -> None:
    found = looked_at(page[0], tmp_path, width=500, ready=DRAWN, told=MEASURED)
    assert found["agents"] == [f"TechnicalActor:{EVIL}"]
    assert found["images"] == 0


def test_a_decision_opens_with_its_evidence(page: tuple[str, Desk, str], tmp_path: Path) -> None:
    ready = f"{DRAWN} && (d.querySelector('details').open = true) && d.querySelector('td.evidence')"
    told = "[...d.querySelectorAll('details table tr')].map((e) => e.textContent)"
    rows = looked_at(page[0], tmp_path, width=900, ready=ready, told=told)
    assert any("BTC/USDT" in row and "momentum" in row for row in rows)


def test_a_wrong_token_is_asked_for_again(page: tuple[str, Desk, str], tmp_path: Path) -> None:
    ready, told = "!d.querySelector('#refused').hidden", "d.querySelector('#refused').textContent"
    said = looked_at(page[0], tmp_path, width=500, token="nobody's", ready=ready, told=told)  # noqa: S106 - a wrong one
    assert said == "this needs a token that is good"


def test_the_halt_button_asks_and_halts_and_the_page_shows_it(
    page: tuple[str, Desk, str], tmp_path: Path
) -> None:
    url, desk, trades = page
    press = f"""(w.pressed || (w.pressed = (() => {{
      d.querySelector('#halt').click();
      d.querySelector('#trade').value = {json.dumps(trades)};
      d.querySelector('#stopping').requestSubmit();  // not sure yet: the form stays open
      w.stayed = d.querySelector('#stop').open;
      d.querySelector('#sure').checked = true;
      d.querySelector('#stopping').requestSubmit();
      return true;
    }})()))"""
    ready = f"{DRAWN} && {press} && !d.querySelector('#told').hidden"
    told = "[w.stayed, d.querySelector('#state').textContent, d.querySelector('#told').textContent]"
    stayed, state, sentence = looked_at(url, tmp_path, width=500, ready=ready, told=told)
    assert stayed
    assert state == "halted"
    assert sentence == "halted by t (http): halted on the page"
    assert desk.journal.trading_state() is TradingState.HALTED
