"""Tokens: known by their hash alone, private, revoked at once, never two of a name."""

import stat
from pathlib import Path

import pytest

from tests.cli_words import Tg, home, tg  # noqa: F401 - fixtures
from tg_actors.domain.errors import UserError
from tg_actors.runtime.tokens import Scope, TokenFile, hash_of


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "serve" / "tokens.json")


def test_a_token_is_known_and_kept_nowhere(file: TokenFile, tmp_path: Path) -> None:
    token = file.create("laptop", (Scope.READ, Scope.TRADE), 7)
    text = (tmp_path / "serve" / "tokens.json").read_text()
    assert token not in text
    assert hash_of(token) in text
    grant = file.owner_of(token)
    assert grant is not None
    assert (grant.name, grant.scopes, grant.created_ns) == ("laptop", (Scope.READ, Scope.TRADE), 7)
    assert file.owner_of(token[:-1]) is None
    assert file.owner_of("") is None
    assert file.owner_of(hash_of(token)) is None


def test_another_process_sees_it_at_once(file: TokenFile, tmp_path: Path) -> None:
    reader = TokenFile(tmp_path / "serve" / "tokens.json")
    assert reader.list() == ()
    token = file.create("a", (Scope.READ,), 1)
    assert reader.owner_of(token) is not None
    file.revoke("a")
    assert reader.owner_of(token) is None


def test_the_file_and_its_folder_are_private(file: TokenFile, tmp_path: Path) -> None:
    file.create("a", (Scope.READ,), 1)
    path = tmp_path / "serve" / "tokens.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    file.list()
    path.chmod(0o644)
    for reader in (file, TokenFile(path)):  # one that has read it before as well
        with pytest.raises(UserError, match="chmod 600"):
            reader.list()


def test_wrong_words_are_refused(file: TokenFile, tmp_path: Path) -> None:
    file.create("a", (Scope.READ,), 1)
    with pytest.raises(UserError, match="already"):
        file.create("a", (Scope.TRADE,), 1)
    with pytest.raises(UserError, match="cannot be a token's name"):
        file.create("../x", (Scope.TRADE,), 1)
    with pytest.raises(UserError, match="no scope"):
        file.create("b", (), 1)
    with pytest.raises(UserError, match="there is a"):
        file.revoke("b")
    (tmp_path / "serve" / "tokens.json").write_text('{"grants": [{"name": "a"}]}')
    with pytest.raises(UserError, match="no file of tokens"):
        file.list()


def test_the_command_line_makes_lists_and_revokes(home: Path, tg: Tg) -> None:  # noqa: F811 - fixtures
    made = tg("serve", "tokens", "create", "laptop", "--scope", "read", "--scope", "models")
    assert made.code == 0
    token = made.out.strip()
    grant = TokenFile(home / "serve" / "tokens.json").owner_of(token)
    assert grant is not None
    assert grant.scopes == (Scope.READ, Scope.MODELS)
    listed = tg("serve", "tokens", "list", "--json")
    assert '"laptop"' in listed.out
    assert token not in listed.out + tg("serve", "tokens", "list").out
    assert tg("serve", "tokens", "revoke", "laptop").code == 0
    assert tg("serve", "tokens", "list", "--json").out.strip() == "[]"
    wrong = tg("serve", "tokens", "create", "x", "--scope", "everything")
    assert (wrong.code, wrong.out) == (2, "")
    assert "use read, trade, models" in wrong.err
