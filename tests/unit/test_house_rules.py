"""Rules of the house that no linter knows. Each rule is a function from a file to what breaks it."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN_NAMES = {"utils", "util", "helpers", "common", "manager", "misc", "core"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def house_files() -> list[Path]:
    """Python files of the repository, relative to its root."""
    folders = ("tg_actors", "serving", "tests", "benchmarks")
    return sorted(path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*.py"))


def remote_methods_are_marked(path: Path, tree: ast.Module) -> Iterator[str]:
    """Without ``ray.method`` mypy knows neither argument nor answer of a remote call."""
    if path.name != "actor.py":
        return
    for cls in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        for method in (node for node in cls.body if isinstance(node, FUNCTIONS)):
            decorators = {ast.unparse(decorator).split("(")[0] for decorator in method.decorator_list}
            if not method.name.startswith("_") and "ray.method" not in decorators:
                yield f"{cls.name}.{method.name} lacks @ray.method"


def shells_are_thin(path: Path, tree: ast.Module) -> Iterator[str]:
    """A shell delivers; what decides belongs to a core beside it."""
    if path.name == "actor.py" and _lines(tree) > 120:
        yield f"{_lines(tree)} lines, at most 120"


def files_are_short(path: Path, tree: ast.Module) -> Iterator[str]:
    """Past this size two modules are clearer."""
    if _lines(tree) > 400:
        yield f"{path.name} has {_lines(tree)} lines, at most 400"


def functions_are_short(path: Path, tree: ast.Module) -> Iterator[str]:
    """The docstring counts: a function that needs a page of words needs parts."""
    if "migrations" in path.parts:  # one list of tables
        return
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS) and _length(node) > 60:
            yield f"{node.name} has {_length(node)} lines, at most 60"


def names_say_something(path: Path, _: ast.Module) -> Iterator[str]:
    """A drawer called *utils* collects what nobody found a place for."""
    if forbidden := FORBIDDEN_NAMES.intersection([path.stem, *path.parts[:-1]]):
        yield f"no module is called {min(forbidden)}"


def pure_tests_never_sleep(path: Path, tree: ast.Module) -> Iterator[str]:
    """A test that sleeps is slow on a good day and wrong on a busy one."""
    if path.parts[:2] not in {("tests", "unit"), ("tests", "property")}:
        return
    for node in ast.walk(tree):
        names = {
            ast.Attribute: lambda found: [found.attr],
            ast.Name: lambda found: [found.id],
            ast.ImportFrom: lambda found: [alias.name for alias in found.names],
        }.get(type(node), lambda _: [])(node)
        if "sleep" in names:
            yield f"line {node.lineno} sleeps"  # type: ignore[attr-defined]  # only nodes with lines have names


def packages_say_what_they_are(path: Path, tree: ast.Module) -> Iterator[str]:
    """``help(tg_actors.risk)`` answers with one line of meaning."""
    if path.name == "__init__.py" and not ast.get_docstring(tree):
        yield "the package has no docstring"


RULES: list[Callable[[Path, ast.Module], Iterator[str]]] = [
    remote_methods_are_marked,
    shells_are_thin,
    files_are_short,
    functions_are_short,
    names_say_something,
    pure_tests_never_sleep,
    packages_say_what_they_are,
]

_LONG = "\n".join(["x = 1"] * 401)
_LONG_FUNCTION = "def f() -> None:\n" + "    x = 1\n" * 60
#: For every rule a file that breaks it and one, just inside, that keeps it.
PLANTED = {
    "remote_methods_are_marked": (
        ("tg_actors/risk/actor.py", "class A:\n def judge(self): ..."),
        (
            "tg_actors/risk/actor.py",
            "class A:\n def __init__(self): ...\n @ray.method(x=0)\n def judge(self): ...",
        ),
    ),
    "shells_are_thin": (
        ("tg_actors/risk/actor.py", "x = 1\n" * 121),
        ("tg_actors/risk/limits.py", "x = 1\n" * 121),
    ),
    "files_are_short": (("tg_actors/risk/limits.py", _LONG), ("tg_actors/risk/limits.py", _LONG[6:])),
    "functions_are_short": (
        ("tg_actors/risk/limits.py", _LONG_FUNCTION),
        ("tg_actors/risk/limits.py", _LONG_FUNCTION[:-10]),
    ),
    "names_say_something": (("tg_actors/risk/utils.py", ""), ("tg_actors/risk/limits.py", "")),
    "pure_tests_never_sleep": (
        ("tests/unit/test_x.py", "import time\ntime.sleep(1)"),
        ("tests/chaos/test_x.py", "import time\ntime.sleep(1)"),
    ),
    "packages_say_what_they_are": (
        ("tg_actors/risk/__init__.py", ""),
        ("tg_actors/risk/__init__.py", '"""Risk."""'),
    ),
}


def _lines(tree: ast.Module) -> int:
    return max((node.end_lineno or 0 for node in tree.body), default=0)


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps(rule: Callable[[Path, ast.Module], Iterator[str]]) -> None:
    files = house_files()
    assert Path("tg_actors/domain/message.py") in files
    broken = [
        f"{path}: {what}" for path in files for what in rule(path, ast.parse((ROOT / path).read_text()))
    ]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_planted_file_breaks(rule: Callable[[Path, ast.Module], Iterator[str]]) -> None:
    (bad_path, bad_code), (good_path, good_code) = PLANTED[rule.__name__]
    assert list(rule(Path(bad_path), ast.parse(bad_code)))
    assert not list(rule(Path(good_path), ast.parse(good_code)))


def test_every_room_is_a_package() -> None:
    """A folder without ``__init__.py`` would escape the import contracts; Alembic's scripts are no room."""
    modules = [path for path in house_files() if path.parts[0] in {"tg_actors", "serving"}]
    folders = {path.parent for path in modules if "migrations" not in path.parts}
    assert sorted(str(folder) for folder in folders if not (ROOT / folder / "__init__.py").exists()) == []


def test_readme_can_be_read_in_one_go() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
