"""A run's state for another plan: the same as if the run had gone by it from the start, or refused."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import InputError, MigrationError
from orchestrator.graph.index import Graph
from orchestrator.graph.scope import Scope
from orchestrator.graph.translation import moved_inputs, translated
from tests.unit.playing import Sketch, changed, graph_of, play, played_again, sketches, standing

CALM = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])


@CALM
@given(sketches(), st.data())
def test_the_same_plan_changes_nothing(sketch: Sketch, data: st.DataObject) -> None:
    graph = sketch.graph()
    dumped = play(graph, data).dump()

    assert translated(dumped, graph, sketch.graph()) == dumped


@CALM
@given(sketches(), st.data())
def test_what_fits_stands_as_if_it_had_gone_by_the_new_plan_from_the_start(sketch: Sketch, data: st.DataObject) -> None:
    old, new = sketch.graph(), data.draw(changed(sketch)).graph("2.0.0")
    played = play(old, data, asked=new)
    try:
        moved = translated(played.dump(), old, new)
    except MigrationError as error:
        assert {"node", "reason"} <= error.details.keys()
        return
    rehearsal, misfits = played_again(new, played.happenings)

    assert misfits == []
    assert standing(new, moved) == standing(new, rehearsal.root.dump())
