"""What may stand in a template: everything whose work and size are bounded, and nothing else."""

from jinja2 import nodes as tree

from orchestrator.templating.filters import FILTER_NAMES, TEST_NAMES

__all__ = ["refusal"]

_ALLOWED: tuple[type[tree.Node], ...] = (
    tree.Add, tree.And, tree.Call, tree.Compare, tree.Concat, tree.CondExpr, tree.Const, tree.Dict, tree.Div,
    tree.Filter, tree.FloorDiv, tree.For, tree.Getattr, tree.Getitem, tree.If, tree.Keyword, tree.List, tree.Mod,
    tree.Name, tree.Neg, tree.Not, tree.Operand, tree.Or, tree.Output, tree.Pair, tree.Pos, tree.Slice, tree.Sub,
    tree.Template, tree.TemplateData, tree.Test,
)  # fmt: skip
_CONSTANT: tuple[type[tree.Node], ...] = (tree.Const, tree.List, tree.Dict, tree.Pair, tree.Neg)
_BLOCK_NAMES: dict[type[tree.Node], str] = {
    tree.Assign: "set",
    tree.AssignBlock: "set",
    tree.CallBlock: "call",
    tree.FilterBlock: "filter",
    tree.FromImport: "import",
}
_COMPUTE_ELSEWHERE = "compute it with an expression in a Transform node"


def refusal(node: tree.Node) -> str | None:
    """Why ``node`` may not stand in a template; none when it may."""
    match node:
        case tree.Mul() | tree.Pow():
            reason = f"`{node.operator}` is not available in templates: {_COMPUTE_ELSEWHERE}"
        case tree.Filter() | tree.Test() | tree.Call():
            reason = _refused_call(node)
        case tree.List() | tree.Dict() if not _is_constant(node):
            reason = f"a list or map written in a template may hold constants only: {_COMPUTE_ELSEWHERE}"
        case tree.CondExpr(expr2=None):
            reason = "an inline `if` needs an `else`"
        case tree.For(recursive=True):
            reason = "a loop in a template cannot be recursive"
        case tree.Getattr() if node.attr.startswith("_"):
            reason = f"a name that begins with an underscore needs brackets: [{node.attr!r}]"
        case _ if not isinstance(node, _ALLOWED):
            name = _BLOCK_NAMES.get(type(node), type(node).__name__.lower())
            reason = f"`{name}` is not available in templates; only if, for and raw blocks are"
        case _:
            reason = None
    return reason


def _refused_call(node: tree.Filter | tree.Test | tree.Call) -> str | None:
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        return "`*` and `**` arguments are not available in templates"
    if isinstance(node, tree.Filter):
        return None if node.name in FILTER_NAMES else _unknown("filter", node.name, FILTER_NAMES)
    if isinstance(node, tree.Test):
        return None if node.name in TEST_NAMES else _unknown("test", node.name, TEST_NAMES)
    if isinstance(node.node, tree.Name) and node.node.name == "range":
        return None
    return f"the only function in templates is range: use a filter ({{{{ text | upper }}}}), or {_COMPUTE_ELSEWHERE}"


def _unknown(kind: str, name: str, known: frozenset[str]) -> str:
    return f"unknown {kind} {name!r}; there are: {', '.join(sorted(known))}"


def _is_constant(node: tree.Node) -> bool:
    return isinstance(node, _CONSTANT) and all(_is_constant(child) for child in node.iter_child_nodes())
