"""docs/outputs.md names what a stack exports, all of it and nothing else."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAMED = "<>"  # one of the system's own names


def declared(node: ast.expr, functions: dict[str, ast.FunctionDef], path: str = "") -> Iterator[str]:
    """The paths of a dictionary display, also where a function of the module makes it.

    A comprehension's keys are names that only the settings know.
    """
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions:
        node = returned(functions[node.func.id])
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            assert isinstance(key, ast.Constant), f"{path or 'of'}: write each output's name as text"
            yield from declared(value, functions, f"{path}.{key.value}" if path else str(key.value))
    elif isinstance(node, ast.DictComp):
        yield from declared(node.value, functions, f"{path}.{NAMED}")
    else:
        yield path


def returned(function: ast.FunctionDef) -> ast.expr:
    """What it returns in the end; before that, it may return nothing or less."""
    returns = [node for node in ast.walk(function) if isinstance(node, ast.Return)]
    last = max(returns, key=lambda node: node.lineno).value
    assert last is not None
    return last


def exported(source: str) -> list[str]:
    functions = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    answer = returned(functions["of"])
    assert isinstance(answer, ast.Dict), "wiring/outputs.py: `of` returns one dictionary display"
    return list(declared(answer, functions))


def rows(text: str) -> dict[str, list[str]]:
    """The table's other cells by path, names in angle brackets made alike."""
    found: dict[str, list[str]] = {}
    for line in re.findall(r"^\| `.+$", text, flags=re.MULTILINE):
        path, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        found[re.sub(r"<[^>]+>", NAMED, path.strip("`"))] = cells
    return found


EXPORTED = exported((ROOT / "wiring" / "outputs.py").read_text(encoding="utf-8"))
ROWS = rows((ROOT / "docs" / "outputs.md").read_text(encoding="utf-8"))


def test_every_output_is_documented_in_the_order_of_the_code_and_nothing_else_is():
    assert list(ROWS) == EXPORTED


@pytest.mark.parametrize("path", ROWS)
def test_a_row_says_shape_and_user(path):
    assert len(ROWS[path]) == 2
    assert all(ROWS[path])


def test_paths_are_read_from_displays_and_comprehensions():
    source = (
        'def of(x):\n    return {"a": x, "b": {"c": x}, "d": {k: {"e": k, "f": [k]} for k in x}, "g": []}'
    )
    assert exported(source) == ["a", "b.c", "d.<>.e", "d.<>.f", "g"]


def test_a_function_of_the_module_is_looked_into():
    source = (
        'def _d(x):\n    if not x:\n        return {}\n    return {"b": x}\n\n\n'
        'def of(x):\n    return {"a": _d(x), "c": str(x)}'
    )
    assert exported(source) == ["a.b", "c"]


def test_an_output_whose_name_is_not_text_is_refused():
    with pytest.raises(AssertionError, match="write each output's name as text"):
        exported("def of(x):\n    return {**x}")
