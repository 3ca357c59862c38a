import pickle
from pathlib import Path

import pytest

from tests.venue_words import SENTINEL_KEY, SENTINEL_SECRET
from tg_actors.domain.errors import UserError
from tg_actors.runtime.keys import keys_folder, read_key, write_key


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TG_HOME", str(tmp_path / "home"))


def test_a_key_is_written_privately_and_read_back() -> None:
    path = write_key("kraken", SENTINEL_KEY, SENTINEL_SECRET, "read")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    key = read_key("kraken")
    assert (key.api_key, key.secret, key.permissions) == (SENTINEL_KEY, SENTINEL_SECRET, "read")
    write_key("kraken", "another", "one")
    assert read_key("kraken").api_key == "another"
    assert [file.name for file in keys_folder().iterdir()] == ["kraken.yaml"]


def test_a_key_of_digits_is_text() -> None:
    (keys_folder() / "k.yaml").write_text("api_key: 0123\nsecret: 12:30\n")
    (keys_folder() / "k.yaml").chmod(0o600)
    assert (read_key("k").api_key, read_key("k").secret) == ("0123", "12:30")


def test_a_key_shows_itself_nowhere() -> None:
    write_key("kraken", SENTINEL_KEY, SENTINEL_SECRET)
    key = read_key("kraken")
    for text in (repr(key), str(key), f"{key}", f"{[key]}"):
        assert SENTINEL_SECRET not in text
        assert SENTINEL_KEY not in text
    with pytest.raises(TypeError, match="must not leave"):
        pickle.dumps(key)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666])
def test_a_key_that_others_may_read_is_refused(mode: int) -> None:
    write_key("kraken", SENTINEL_KEY, SENTINEL_SECRET).chmod(mode)
    with pytest.raises(UserError, match="chmod 600"):
        read_key("kraken")


@pytest.mark.parametrize(
    "content",
    [
        f"api_key: {SENTINEL_KEY}\n",
        f"api_key: {SENTINEL_KEY}\nsecret: {SENTINEL_SECRET}\nsecrt: {SENTINEL_SECRET}\n",
        f"api_key: {SENTINEL_KEY}\nsecret: [{SENTINEL_SECRET}]\n",
        f"api_key: {SENTINEL_KEY}\nsecret: {SENTINEL_SECRET}\npermissions: {SENTINEL_SECRET}\n",
        f"{SENTINEL_SECRET}: [\n",
        f"{SENTINEL_SECRET}\n",
        "",
    ],
    ids=["no secret", "unknown", "no text", "permissions", "no yaml", "no table", "empty"],
)
def test_a_wrong_key_file_is_one_sentence_without_the_secret(content: str) -> None:
    path = keys_folder() / "kraken.yaml"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(UserError) as caught:
        read_key("kraken")
    said = str(caught.value)
    assert str(path) in said
    assert "\n" not in said
    assert SENTINEL_SECRET not in said
    assert SENTINEL_KEY not in said
    assert caught.value.__cause__ is None


def test_a_missing_key_says_where_to_write_it() -> None:
    with pytest.raises(UserError, match=r"no key 'kraken'.*kraken\.yaml"):
        read_key("kraken")


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "x" * 65])
def test_a_name_is_no_path(name: str) -> None:
    with pytest.raises(UserError, match="no name of a key"):
        read_key(name)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = write_key("elsewhere", SENTINEL_KEY, SENTINEL_SECRET)
    (keys_folder() / "kraken.yaml").symlink_to(elsewhere)
    with pytest.raises(UserError, match="plain file"):
        read_key("kraken")
