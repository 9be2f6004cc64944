"""The house: which room may import which, read from the source, lazy imports included."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "plitka").rglob("*.py"))
}

FACES = ("predict", "train")
SOURCES |= {face: ROOT / f"{face}.py" for face in FACES}

# Each room -> the rooms that it may import directly; what those may import, it may as well.
# CONTRIBUTING.md shows the same arrows.
ARROWS = {
    "predict.py": {"pipeline", "serving", "settings"},
    "train.py": {"training", "settings"},
    "__main__": {"cli"},
    "cli": {"bench", "catalogue", "designer", "training", "settings"},
    "api": {"pipeline", "settings"},
    "catalogue": {"pipeline", "pdf"},
    "bench": {"pipeline"},
    "training": {"pipeline"},
    "designer": {"pipeline", "offer", "scene", "settings", "texture"},
    "offer": {"ground", "images", "order", "pdf"},
    "scene": {"ground", "images"},
    "serving": {"engines", "runtime", "images", "errors", "settings"},
    "settings": {"color", "engines", "order", "runtime", "weights"},
    "pipeline": {"engines", "ground", "matching"},
    "engines": {"bank", "weights"},
    "bank": {"matching", "request", "errors"},
    "matching": {"tile", "measure", "color"},
    "texture": {"tile", "images"},
    "measure": {"color", "images", "runtime"},
    "ground": {"tile"},
    "tile": {"request"},
    "request": {"color"},
    "weights": {"runtime", "errors"},
    "color": {"arrays", "messages"},
    "images": {"whole_file"},
    "whole_file": {"printable"},
    "pdf": {"errors"},
    "order": {"messages"},
    "runtime": set(),
    "errors": {"messages"},
    "messages": set(),
    "printable": set(),
    "arrays": set(),
}
HEAVY = {"torch", "diffusers", "transformers", "accelerate", "peft", "safetensors.torch"}
ENVIRONMENT = ("environ", "environb", "getenv", "getenvb")
MAY_BE_HEAVY = ("plitka.engines.sdxl.", "plitka.training.sdxl.", "plitka.bench.")


def imports(module: str) -> Iterator[str]:
    """The modules, of the project and of others, that a module names anywhere in it."""
    for node in ast.walk(ast.parse(SOURCES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            name = str(node.module)
            within = [f"{name}.{alias.name}" for alias in node.names]
            yield from (full if full in SOURCES else name for full in within)


def room(module: str) -> str:
    """The folder or the module right below plitka/, "" for the package itself."""
    if module in FACES:
        return f"{module}.py"
    return [*module.split("."), ""][1]


@cache
def below(name: str) -> set[str]:
    return ARROWS[name] | set().union(*(below(lower) for lower in ARROWS[name]))


def own_imports(module: str) -> set[str]:
    return {name for name in imports(module) if name in SOURCES and name not in (module, "plitka")}


def test_every_room_is_known() -> None:
    assert {room(module) for module in SOURCES} - {""} == set(ARROWS)


def test_contributing_shows_these_arrows() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown: dict[str, set[str]] = {}
    for chain in re.findall(r"\S+(?: -> (?:\{[^}]+\}|\S+))+", text.partition("the arrows:")[2]):
        ends = [set(re.findall(r"[\w]+(?:\.py)?", end)) - {"base"} for end in chain.split(" -> ")]
        for upper, lower in pairwise(ends):
            shown.setdefault(upper.pop(), set()).update(lower)
    assert shown == {name: lower for name, lower in ARROWS.items() if lower}


def test_no_room_imports_one_that_is_not_below_it() -> None:
    upward = [
        f"{module} imports {name}"
        for module in SOURCES
        if room(module)
        for name in sorted(own_imports(module))
        if room(name) not in {room(module), *below(room(module))}
    ]
    assert upward == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    order = TopologicalSorter({module: own_imports(module) for module in SOURCES})
    try:
        order.prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


def test_the_model_libraries_are_imported_where_sdxl_draws_trains_or_is_measured_alone() -> None:
    strays = [
        f"{module} imports {name}"
        for module in SOURCES
        if not module.startswith(MAY_BE_HEAVY)
        for name in imports(module)
        if name.split(".")[0] in HEAVY or name in HEAVY
    ]
    assert strays == []


def test_serving_knows_of_engines_no_more_than_their_protocol() -> None:
    known = {
        name for module in SOURCES if room(module) == "serving" for name in own_imports(module)
    }
    assert {name for name in known if room(name) == "engines"} <= {"plitka.engines.base"}


def test_packages_hold_a_docstring_and_nothing_else() -> None:
    for path in SOURCES.values():
        if path.name == "__init__.py" and path.parent != ROOT / "plitka":
            (statement,) = ast.parse(path.read_text(encoding="utf-8")).body
            assert isinstance(statement, ast.Expr), path
            assert isinstance(statement.value, ast.Constant), path


def test_the_environment_is_read_in_one_place() -> None:
    readers = {
        module
        for module, path in SOURCES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT)
        or (isinstance(node, ast.alias) and node.name in ENVIRONMENT)
    }
    assert readers == {"plitka.settings"}
