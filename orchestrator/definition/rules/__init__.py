"""The rules a definition must keep. Each generates issues; all run, so that an author sees every problem."""

from collections.abc import Callable, Iterator

from orchestrator.definition.draft import Draft
from orchestrator.definition.named import MOST_NESTED, nested_too_deep
from orchestrator.definition.reading import read_body
from orchestrator.definition.rules import aside, edges, loops, models, nodes, patience, secrets, texts, values
from orchestrator.errors import Issue

__all__ = ["RULES", "broken_rules"]

RULES: tuple[Callable[[Draft], Iterator[Issue]], ...] = (
    nodes.ids_are_unique,
    nodes.types_are_known,
    nodes.config_fits,
    models.models_are_known,
    models.models_can_stand_in,
    nodes.joins_make_sense,
    patience.settings_make_sense,
    edges.edges_lead_somewhere,
    edges.edges_are_unique,
    edges.edges_are_allowed,
    edges.nothing_stands_alone,
    aside.aside_nodes_exist,
    aside.ways_aside_lead_on,
    aside.aside_nodes_have_no_ways,
    aside.nodes_run_aside_once,
    aside.aside_nodes_are_simple,
    loops.cycles_have_bounds,
    loops.back_edges_close_loops,
    loops.loops_nest,
    loops.joins_in_loops_are_clear,
    texts.texts_are_sound,
    values.outputs_have_values,
    values.texts_fit_types,
    values.answers_have_schemas,
    values.channels_fit,
    values.writes_have_channels,
    values.writes_have_outputs,
)
"""For every graph."""

WHOLE: tuple[Callable[[Draft], Iterator[Issue]], ...] = (
    patience.defaults_make_sense,
    values.inputs_fit,
    secrets.no_secrets_in_clear,
)
"""For the definition as a whole."""


def broken_rules(draft: Draft) -> list[Issue]:
    """Every issue of every rule, in the definition and in the graphs within it."""
    rules = RULES if draft.depth else (*RULES, *WHOLE)
    issues = [issue for rule in rules for issue in rule(draft)]
    for number in range(len(draft.definition.nodes)):
        body = read_body(draft, number)
        if body is None:
            continue
        if body[0].depth > MOST_NESTED:
            issues.append(nested_too_deep(draft, (*draft.node_path(number), "config", "do")))
            continue
        issues += body[1]
        issues += broken_rules(body[0])
    return issues
