"""The rooms of the package, and which of them imports which.

A room is a folder of the package, or a module beside the folders. Run as a program, it draws
the picture in CONTRIBUTING.md again.
"""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import codeartifact_pipenv

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PACKAGE = Path(codeartifact_pipenv.__file__).parent
NAME = PACKAGE.name
DOCUMENT = Path(__file__).parent.parent.parent / "CONTRIBUTING.md"
PICTURE = re.compile(r"(?<=<!-- rooms -->\n```mermaid\n).*?(?=```\n<!-- /rooms -->)", re.DOTALL)


def arrows() -> dict[str, set[str]]:
    """Return which rooms each room imports."""
    graph: dict[str, set[str]] = {}
    for name, tree in _modules():
        graph.setdefault(_room_of(name), set()).update(map(_room_of, _imported(tree)))
    return {room: used - {room} for room, used in graph.items()}


def reached(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return which rooms each room imports, directly or through others; from the ground up."""
    below: dict[str, set[str]] = {}
    ordered = {room: sorted(used) for room, used in sorted(graph.items())}
    for room in TopologicalSorter(ordered).static_order():
        below[room] = graph[room].union(*(below[other] for other in graph[room]))
    return below


def picture() -> str:
    """Draw the rooms in Mermaid: an arrow for each import that does not follow from others."""
    graph = arrows()
    below = reached(graph)
    lines = ["flowchart TD"]
    for room in reversed(below):
        used = graph[room] - {"__init__"}
        direct = used.difference(*(below[other] for other in used))
        if room != "__init__":
            lines.append(f'    {_node(room)}["{_label(room)}"]')
            lines += [f"    {_node(room)} --> {_node(other)}" for other in sorted(direct)]
    return "\n".join(lines) + "\n"


def _node(room: str) -> str:
    return room.strip("_")


def _label(room: str) -> str:
    return f"{room}/" if (PACKAGE / room).is_dir() else f"{room}.py"


def _room_of(name: str) -> str:
    """Return the room of a module, or of what is imported from one, by its dotted name."""
    top = name.partition(".")[0]
    is_room = (PACKAGE / top).is_dir() or (PACKAGE / f"{top}.py").is_file()
    return top if top and is_room else "__init__"


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield what a module imports of this package, inside functions and for types too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            # `from package import name` may name a module.
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            first, _, rest = name.partition(".")
            if first == NAME:
                yield rest


if __name__ == "__main__":
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(PICTURE.sub(lambda _: picture(), text), encoding="utf-8")
