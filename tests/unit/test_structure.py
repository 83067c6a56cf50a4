"""The shape of the code: circles, names, lengths, parameters and attributes, over the package."""

from __future__ import annotations

import ast
import functools
import statistics
from collections import Counter
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from support.rooms import NAME, PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

# test_public_api.py states the parameters of these.
PUBLIC = {"sandbox.sandbox.__init__", "sandbox.wheels.make_sdist"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@functools.cache
def modules() -> dict[str, ast.Module]:
    """Return all modules; not when this file is imported, as each worker of a run does."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = ast.parse(path.read_text("utf-8"))
    return found


def imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield module and name of each import of this package, inside functions and for types too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name in modules())
        elif isinstance(node, ast.ImportFrom) and node.module in modules():
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield (whole, "") if whole in modules() else (node.module, alias.name)


@functools.cache
def definitions() -> list[tuple[str, Function | ast.ClassDef]]:
    """Return all functions and classes, each with its module and name."""
    return [
        (f"{module.removeprefix(f'{NAME}.')}.{node.name}", node)
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, Function | ast.ClassDef)
    ]


def classes() -> list[tuple[str, ast.ClassDef]]:
    return [(name, node) for name, node in definitions() if isinstance(node, ast.ClassDef)]


def functions() -> list[tuple[str, Function]]:
    return [(name, node) for name, node in definitions() if isinstance(node, Function)]


def attributes(node: ast.ClassDef) -> set[str]:
    """Return the names that a class declares with a type, or that its methods set on ``self``."""
    declared = {ast.unparse(line.target) for line in node.body if isinstance(line, ast.AnnAssign)}
    return declared | {
        each.attr
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store)
        if ast.unparse(each.value) == "self"
    }


def length(function: Function) -> int:
    """Return the lines of a body, without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def parameters(function: Function) -> int:
    given = function.args
    names = {each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)}
    return len(names - {"self", "cls"})


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    graph = {name: {module for module, _ in imports(tree)} for name, tree in modules().items()}
    TopologicalSorter(graph).prepare()


def test_no_module_imports_a_private_name_of_another() -> None:
    named = [each for tree in modules().values() for each in imports(tree)]
    assert [each for each in named if each[1].startswith("_") and each[1][-2:] != "__"] == []


def test_no_two_classes_have_the_same_name() -> None:
    names = Counter(node.name for _, node in classes())
    assert [name for name, count in names.items() if count > 1] == []


def test_classes_outside_the_sandbox_have_at_most_eight_attributes() -> None:
    found = [(name, len(attributes(node))) for name, node in classes() if "sandbox" not in name]
    assert [each for each in found if each[1] > 8] == []


def test_functions_have_at_most_fifty_lines_and_six_parameters() -> None:
    assert [name for name, node in functions() if length(node) > 50] == []
    found = [(name, parameters(node)) for name, node in functions() if name not in PUBLIC]
    assert [each for each in found if each[1] > 6] == []


def test_half_of_the_functions_are_below_8_lines_and_nine_in_ten_below_20() -> None:
    lengths = sorted(length(node) for _, node in functions())
    assert statistics.median(lengths) < 8
    assert lengths[len(lengths) * 9 // 10] < 20
