from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import Field

from tg_actors.cli.planning import check_desk
from tg_actors.desk.config import DeskConfig, load_agents, load_desk
from tg_actors.desk.files import configs_folder, find_config, load, read_yaml
from tg_actors.desk.plan import plan_market
from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.market.config import RecordedSource


class Inner(Message):
    limit_frac: Decimal = Field(default=Decimal("0.1"), gt=0, lt=1)


class Outer(Message):
    name: str
    count: int = 0
    inner: Inner = Inner()


def _file(folder: Path, text: str) -> Path:
    path = folder / "x.yaml"
    path.write_text(text)
    return path


#: What YAML 1.1 would have turned into something else: read as what stands there.
PLAIN: dict[str, Any] = {
    "12:30": "12:30",
    "010": "010",
    "no": "no",
    "yes": "yes",
    "on": "on",
    "2024-01-01": "2024-01-01",
    "1e3": "1e3",
    "0x10": "0x10",
    "1_000": "1_000",
    ".nan": ".nan",
    ".inf": ".inf",
    "true": True,
    "null": None,
    "~": None,
    "10": 10,
    "-3": -3,
    "0.5": 0.5,
    '"0.5"': "0.5",
}


@pytest.mark.parametrize("text", PLAIN)
def test_yaml_has_no_surprises(text: str, tmp_path: Path) -> None:
    value = read_yaml(_file(tmp_path, f"a: {text}"))["a"]
    assert value == PLAIN[text]
    assert type(value) is type(PLAIN[text])


def test_an_ordinary_loader_would_have_surprised(tmp_path: Path) -> None:
    text = {"12:30": 750, "010": 8, "no": False}
    assert {key: yaml.safe_load(key) for key in text} == text


#: A wrong file, and words that its one sentence must have.
WRONG = {
    "name: a\nname: b": ["x.yaml", "name", "twice", "2"],
    "name: a\ninner: {limit_frac: '0.1', limit_frac: '0.2'}": ["limit_frac", "twice"],
    "nmae: a": ["nmae", "name", "did you mean"],
    "name: a\ninner: {limit_farc: '0.1'}": ["inner.limit_farc", "limit_frac"],
    "name: a\nsomething: 1": ["something", "count"],
    "name: 3": ["name", "3"],
    "count: 1": ["name"],
    "name: a\ncount: no": ["count", "no"],
    "name: a\ncount: 1.5": ["count", "1.5"],
    "name: a\ninner: {limit_frac: .nan}": ["limit_frac", ".nan"],
    "name: a\ninner: {limit_frac: '2'}": ["limit_frac", "less than 1"],
    "name: [": ["x.yaml", "not valid YAML"],
    "- a": ["x.yaml"],
    "": ["name"],
}


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_is_one_clear_sentence(text: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        load(Outer, _file(tmp_path, text))
    sentence = str(error.value)
    assert "\n" not in sentence
    for word in WRONG[text]:
        assert word in sentence


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"x\.yaml"):
        read_yaml(path)


def test_a_missing_file_suggests_the_nearest() -> None:
    with pytest.raises(UserError, match=r"laptop-paper\.yaml"):
        find_config("configs/desks/laptop-papre.yaml")


def test_a_path_as_given_wins_over_the_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = configs_folder() / "desks" / "laptop-paper.yaml"
    assert find_config("configs/desks/laptop-paper.yaml") == shipped
    mine = tmp_path / "configs" / "desks" / "laptop-paper.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("name: mine")
    assert find_config("configs/desks/laptop-paper.yaml").resolve() == mine


@pytest.mark.parametrize("path", sorted((configs_folder() / "desks").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_desk_is_sound(path: Path) -> None:
    config = load_desk(str(path))
    assert {agent.name for agent in load_agents(config)} == set(config.agents)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("agents", "[trend, trend]", ["trend", "twice", "agents"]),
        ("instruments", "[BTC/USDT, BTC/USDT]", ["BTC/USDT", "twice"]),
        ("agents", "[trendy]", ["trendy"]),
        ("venue", "practise", ["practise", "practice"]),
        ("name", "My Desk", ["name"]),
    ],
)
def test_a_desk_that_contradicts_itself_is_refused(
    key: str, value: str, words: list[str], tmp_path: Path
) -> None:
    shipped = read_yaml(find_config("configs/desks/laptop-paper.yaml"))
    path = _file(tmp_path, yaml.safe_dump(shipped | {key: yaml.safe_load(value)}))
    with pytest.raises(UserError) as error:
        load_desk(str(path))
    for word in words:
        assert word in str(error.value)


def test_the_research_desk_has_fifty_pairs_all_agents_and_no_folder() -> None:
    config = load_desk("research")
    assert len(config.instruments) == 50
    assert config.agents == load_desk("laptop-paper").agents
    assert isinstance(config.market.source, RecordedSource)
    assert not config.market.source.data, "a path of one machine is no default"
    assert check_desk("research") == config
    with pytest.raises(UserError, match="--data DIR"):
        plan_market(config)


def test_a_desk_reads_back_as_itself() -> None:
    config = load_desk("configs/desks/laptop-paper.yaml")
    assert DeskConfig.model_validate_json(config.model_dump_json()) == config


def test_a_bare_name_is_a_shipped_desk() -> None:
    assert find_config("laptop-paper").resolve() == find_config("configs/desks/laptop-paper.yaml").resolve()
