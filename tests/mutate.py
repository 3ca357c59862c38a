"""``make mutate``: break the rules that money depends on, one at a time, and see whether a test notices.

mutmut mutates bodies of functions only and our rules are tables at module level; cosmic-ray writes into
the sources it tests. So this is a small mutator of our own: a mutant lives in memory only, in a process
forked off one that has its libraries loaded, and its focused tests decide. What survives is printed.
"""

import argparse
import ast
import copy
import importlib.abc
import importlib.util
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
#: A mutant that takes longer has lost its way, which a person would notice too.
_PATIENCE_S = 60
_GOAL_FRAC = 0.9


@dataclass(frozen=True)
class Target:
    """One module, the tests that guard it, and the functions in question; none: all of it."""

    module: str
    tests: tuple[str, ...]
    only: frozenset[str] = frozenset()

    @property
    def path(self) -> Path:
        return ROOT / (self.module.replace(".", "/") + ".py")


TARGETS = (
    Target("tg_actors.execution.permits", ("tests/unit/test_execution_permits.py",)),
    Target("tg_actors.execution.machine", ("tests/unit/test_execution_machine.py",)),
    Target("tg_actors.execution.ledger", ("tests/unit/test_execution_ledger.py",)),
    Target("tg_actors.execution.approvals", ("tests/unit/test_execution_approval_rules.py",)),
    Target("tg_actors.domain.approvals", ("tests/unit/test_execution_approval_rules.py",)),
    Target("tg_actors.domain.money", ("tests/unit/test_domain_money.py",)),
    Target(
        "tg_actors.journal.transaction",
        ("tests/unit/test_journal_fence.py",),
        frozenset(
            {
                "require_lease",
                "grant_lease",
                "control",
                "trading_state",
                "set_trading_state",
                "permit_exists",
                "insert_permit",
                "save_order",
                "approval",
                "request_approval",
                "move_approval",
                "_file_that_halts",
                "_approved",
                "_put_approval",
                "_exists",
            }
        ),
    ),
    Target("tg_actors.journal.halt_file", ("tests/unit/test_journal_fence.py",)),
)

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.BitOr: ast.BitAnd,
}

#: Changes one node in place; None when it does not concern it.
Edit = Callable[[ast.AST], None]


def _edits(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    """Every way to break one node."""
    for kind, edits in _BREAKERS.items():
        if isinstance(node, kind):
            yield from edits(node)


def _break_compare(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    operator = node.ops[0]  # type: ignore[attr-defined]  # called for Compare only
    if type(operator) in _COMPARISONS:
        other = _COMPARISONS[type(operator)]
        yield f"{_name(operator)} -> {other.__name__}", lambda n: _put(n, "ops", 0, other())


def _break_arithmetic(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    operator = node.op  # type: ignore[attr-defined]  # called for BinOp only
    if type(operator) in _OPERATORS:
        other = _OPERATORS[type(operator)]
        yield f"{_name(operator)} -> {other.__name__}", lambda n: setattr(n, "op", other())


def _break_logic(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    other = ast.Or if isinstance(node.op, ast.And) else ast.And  # type: ignore[attr-defined]  # BoolOp only
    yield f"-> {other.__name__}", lambda n: setattr(n, "op", other())


def _break_number(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    value = node.value  # type: ignore[attr-defined]  # called for Constant only
    if isinstance(value, bool):
        yield f"{value} -> {not value}", lambda n: setattr(n, "value", not value)
    elif isinstance(value, int):
        yield f"{value} -> {value + 1}", lambda n: setattr(n, "value", value + 1)


def _break_condition(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    def negate(n: ast.AST) -> None:
        n.test = ast.UnaryOp(ast.Not(), n.test)  # type: ignore[attr-defined]  # If and IfExp only

    yield "condition negated", negate


def _break_container(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    for index in range(len(node.elts)):  # type: ignore[attr-defined]  # Set, Tuple, List only
        yield f"element {index} left out", lambda n, index=index: n.elts.pop(index)  # type: ignore[misc]


def _break_table(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    def leave_out(n: ast.AST, index: int) -> None:
        n.keys.pop(index)  # type: ignore[attr-defined]  # Dict only
        n.values.pop(index)  # type: ignore[attr-defined]  # likewise

    for index in range(len(node.keys)):  # type: ignore[attr-defined]  # Dict only
        yield f"row {index} left out", lambda n, index=index: leave_out(n, index)  # type: ignore[misc]


def _break_statement(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    """Leave out a call whose answer nobody takes."""
    if isinstance(node.value, ast.Call):  # type: ignore[attr-defined]  # Expr only
        yield "call left out", lambda n: setattr(n, "value", ast.Constant(None))


def _break_return(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    value = node.value  # type: ignore[attr-defined]  # Return only
    if value is not None and not (isinstance(value, ast.Constant) and value.value is None):
        yield "returns None", lambda n: setattr(n, "value", ast.Constant(None))


_BREAKERS: dict[type[ast.AST], Callable[[ast.AST], Iterator[tuple[str, Edit]]]] = {
    ast.Compare: _break_compare,
    ast.BinOp: _break_arithmetic,
    ast.BoolOp: _break_logic,
    ast.Constant: _break_number,
    ast.If: _break_condition,
    ast.IfExp: _break_condition,
    ast.Set: _break_container,
    ast.Tuple: _break_container,
    ast.Dict: _break_table,
    ast.Expr: _break_statement,
    ast.Return: _break_return,
}


def _name(node: ast.AST) -> str:
    return type(node).__name__


def _put(node: ast.AST, field: str, index: int, new: ast.AST) -> None:
    getattr(node, field)[index] = new


@dataclass(frozen=True)
class Mutant:
    """One broken version of a module."""

    target: Target
    line: int
    what: str
    source: str


def mutants_of(target: Target) -> Iterator[Mutant]:
    """Every mutant of a module, in the order of its lines; annotations and type aliases are left alone."""
    tree = ast.parse(target.path.read_text())
    for position, node in enumerate(_rules(tree, target.only)):
        for number, (what, _) in enumerate(_edits(node)):
            broken = copy.deepcopy(tree)
            twin = list(_rules(broken, target.only))[position]
            list(_edits(twin))[number][1](twin)
            ast.fix_missing_locations(broken)
            yield Mutant(target, getattr(node, "lineno", 0), what, ast.unparse(broken))


def _rules(tree: ast.Module, only: frozenset[str]) -> list[ast.AST]:
    """The nodes worth breaking: no type annotations, no subscripts of types, only functions in question."""
    found: list[ast.AST] = []

    def walk(node: ast.AST, *, inside: bool) -> None:
        if isinstance(node, ast.FunctionDef):
            inside = inside or node.name in only
        if inside:
            found.append(node)
        for name, field in ast.iter_fields(node):
            if name in {"annotation", "returns", "decorator_list", "slice"}:
                continue
            for child in field if isinstance(field, list) else [field]:
                if isinstance(child, ast.AST):
                    walk(child, inside=inside)

    walk(tree, inside=not only)
    return found


class _Impostor(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the mutant in the place of its module."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name != self._mutant.target.module:
            return None
        return importlib.util.spec_from_loader(name, self, origin=str(self._mutant.target.path))

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._mutant.source, str(self._mutant.target.path), "exec"), module.__dict__)  # noqa: S102 - our own source


def _start(mutant: Mutant | None, tests: Sequence[str]) -> int:
    """Fork a process that runs the tests on a mutant; it ends with 0 when nobody noticed."""
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(_PATIENCE_S)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    if mutant is not None:
        sys.meta_path.insert(0, _Impostor(mutant))
    status = 1
    try:
        import pytest

        options = ["-q", "-x", "-n0", "-p", "no:cacheprovider", "--assert=plain", "--hypothesis-seed=0"]
        status = int(pytest.main([*options, *(str(ROOT / test) for test in tests)]) != 0)
    finally:
        os._exit(status)  # whatever happened, this process never goes on as its parent


def survivors(mutants: Sequence[Mutant], workers: int, progress: Callable[[int], None]) -> list[Mutant]:
    """Run every mutant against its tests, a few at a time; returns those that nobody noticed."""
    waiting, running, alive = list(reversed(mutants)), dict[int, Mutant](), list[Mutant]()
    while waiting or running:
        while waiting and len(running) < workers:
            mutant = waiting.pop()
            running[_start(mutant, mutant.target.tests)] = mutant
        pid, status = os.wait()
        mutant = running.pop(pid)
        if status == 0:
            alive.append(mutant)
        progress(len(mutants) - len(waiting) - len(running))
    return alive


def _load_libraries() -> None:
    """Import what every mutant needs and none changes, so that a fork begins with it."""
    import alembic.command
    import hypothesis
    import hypothesis.strategies
    import numpy as np
    import pydantic
    import pytest
    import sqlalchemy.dialects.sqlite

    del alembic, hypothesis, np, pydantic, pytest, sqlalchemy


def main() -> int:
    """Print how many mutants were noticed, per module and in all; 1 when they are too few."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--only", default="", help="modules whose name holds this")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    asked = parser.parse_args()
    began = time.monotonic()
    _load_libraries()
    targets = [target for target in TARGETS if asked.only in target.module]
    for target in targets:
        if os.waitpid(_start(None, target.tests), 0)[1]:
            sys.stderr.write(f"{target.tests} fail without any mutant: nothing can be measured\n")
            return 1
    mutants = [mutant for target in targets for mutant in mutants_of(target)]
    alive = survivors(mutants, asked.workers, lambda done: _show(done, len(mutants)))
    rows = [
        {
            "module": target.module,
            "mutants": (of := sum(m.target == target for m in mutants)),
            "killed": of - sum(m.target == target for m in alive),
        }
        for target in targets
    ]
    killed_frac = 1 - len(alive) / len(mutants)
    report = {
        "mutants": len(mutants),
        "killed": len(mutants) - len(alive),
        "killed_frac": round(killed_frac, 4),
        "seconds": round(time.monotonic() - began, 1),
        "modules": rows,
        "survivors": [{"module": m.target.module, "line": m.line, "what": m.what} for m in alive],
    }
    _print(report, as_json=asked.json)
    return int(killed_frac < _GOAL_FRAC)


def _show(done: int, of: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done}/{of} ")


def _print(report: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(report) + "\n")
        return
    for mutant in report["survivors"]:  # type: ignore[attr-defined]  # a list of ours
        sys.stdout.write(f"survived: {mutant['module']}:{mutant['line']} {mutant['what']}\n")
    for row in report["modules"]:  # type: ignore[attr-defined]  # likewise
        sys.stdout.write(f"{row['module']}: {row['killed']} of {row['mutants']}\n")
    figures = f"{report['killed']} of {report['mutants']} mutants killed"
    sys.stdout.write(f"{figures} ({report['killed_frac']:.1%}) in {report['seconds']} s\n")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
