"""The rules a definition must keep. Each generates issues; all run, so that an author sees every problem."""

from collections.abc import Callable, Iterator

from orchestrator.definition.draft import Draft
from orchestrator.definition.rules import edges, loops, nodes, patience, secrets, texts, values
from orchestrator.errors import Issue

__all__ = ["RULES", "broken_rules"]

RULES: tuple[Callable[[Draft], Iterator[Issue]], ...] = (
    nodes.ids_are_unique,
    nodes.types_are_known,
    nodes.config_fits,
    nodes.models_are_known,
    nodes.joins_make_sense,
    patience.defaults_make_sense,
    patience.settings_make_sense,
    edges.edges_lead_somewhere,
    edges.edges_are_unique,
    edges.edges_are_allowed,
    edges.nothing_stands_alone,
    loops.cycles_have_bounds,
    loops.back_edges_close_loops,
    loops.loops_nest,
    loops.joins_in_loops_are_clear,
    texts.texts_are_sound,
    values.inputs_fit,
    values.outputs_have_values,
    values.texts_fit_types,
    values.answers_have_schemas,
    values.channels_fit,
    values.writes_have_channels,
    values.writes_have_outputs,
    secrets.no_secrets_in_clear,
)


def broken_rules(draft: Draft) -> list[Issue]:
    """Every issue of every rule."""
    return [issue for rule in RULES for issue in rule(draft)]
