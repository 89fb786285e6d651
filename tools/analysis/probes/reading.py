"""Read calls as Python's syntax trees, and literals as values, whichever language they are in."""

import ast
from typing import Any

from tools.analysis.examples.expressions import parse_expression


def parse_call(text: str, *, javascript: bool) -> ast.expr | None:
    """Return the tree of an expression, `new` left out; None where Python cannot read it so."""
    node = parse_expression(text.replace("new ", "") if javascript else text)
    return _AsPython().visit(node) if javascript and node is not None else node


def value_of(node: ast.expr) -> Any:
    """Return the value of a literal. Raises ValueError for anything else."""
    try:
        return ast.literal_eval(node)
    except (TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(str(error)) from error


class _AsPython(ast.NodeTransformer):
    """Reads JavaScript's words and the keys of its objects as Python's; the rest is alike."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Turn `true`, `false` and `null` into constants."""
        words = {"true": True, "false": False, "null": None}
        return ast.Constant(words[node.id]) if node.id in words else node

    def visit_Dict(self, node: ast.Dict) -> ast.expr:
        """Put quotes around bare keys."""
        keys = [ast.Constant(key.id) if isinstance(key, ast.Name) else key for key in node.keys]
        return ast.Dict(keys, [self.visit(value) for value in node.values])
