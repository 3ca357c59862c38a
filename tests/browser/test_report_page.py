"""The report page in a real browser: it fits a phone and a screen, draws its charts, and prints."""

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.chromium import CHROMIUM, browse
from tests.desk_words import Scene, flipping, simulated
from tg_actors.reports.page import render
from tg_actors.reports.sheet import read_sheet

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")

#: A window is never narrower than 500 pixels: the page stands in a frame, and the frame's owner looks in.
FRAME = """<iframe id=f width={width} height=900 srcdoc="{page}"></iframe><script>
f.onload = () => {{
  const d = f.contentDocument, w = f.contentWindow, box = (e) => e.getBoundingClientRect();
  document.title = JSON.stringify({{
    inner: w.innerWidth,
    wide: d.documentElement.scrollWidth - w.innerWidth,
    lines: [...d.querySelectorAll('.plot svg path')].map((p) => Math.round(box(p).width)),
    far: [...d.querySelectorAll('body *')].filter((e) => !e.closest('.wide') && box(e).right > w.innerWidth)
      .map((e) => e.tagName + '.' + e.className),
    outside: [...d.querySelectorAll('.y, .x span, figcaption, h1')]
      .filter((e) => box(e).right > w.innerWidth)
      .map((e) => e.className + ' ' + e.textContent),
  }});
}};
</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("browser")
    with Scene(feed=simulated(), script=flipping(5)).open(folder) as desk:
        desk.run(120)
        name = "a-run-with-a-name-that-is-rather-long-as-names-of-runs-are"
        return render(read_sheet(name, desk.journal), "Tearsheet")


def measured(page: str, folder: Path, width: int) -> dict[str, Any]:
    file = folder / "frame.html"
    file.write_text(FRAME.format(width=width, page=html.escape(page)), encoding="utf-8")
    told = browse(file, folder / "profile", "--virtual-time-budget=5000", "--dump-dom", width=1400)
    found = re.search(r"<title>(\{.*?\})</title>", told)
    assert found is not None
    told_title: dict[str, Any] = json.loads(html.unescape(found[1]))
    return told_title


@pytest.mark.parametrize("width", [360, 1200])
def test_it_fits_the_screen_and_draws(page: str, tmp_path: Path, width: int) -> None:
    found = measured(page, tmp_path, width)
    assert found["inner"] == width
    assert found["far"] == []
    assert found["wide"] <= 0
    assert found["outside"] == []
    assert len(found["lines"]) >= 4
    assert min(found["lines"]) > 100


def test_it_prints(page: str, tmp_path: Path) -> None:
    file, paper = tmp_path / "page.html", tmp_path / "page.pdf"
    file.write_text(page, encoding="utf-8")
    browse(file, tmp_path / "profile", f"--print-to-pdf={paper}")
    assert paper.read_bytes().startswith(b"%PDF")
    assert paper.stat().st_size > 20_000
