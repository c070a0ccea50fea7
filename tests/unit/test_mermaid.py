"""A plan as a picture."""

from orchestrator.compiler import compile_definition
from orchestrator.definition.loader import load_mapping
from orchestrator.definition.mermaid import to_mermaid


def test_a_picture_has_shapes_conditions_and_bounds() -> None:
    definition = load_mapping(
        {
            "name": "picture",
            "inputs": {"n": {"type": "integer"}},
            "nodes": [
                {"id": "ask", "type": "UserInput", "config": {"question": "?"}},
                {"id": "call", "type": "HttpRequest", "config": {"url": "http://localhost"}, "join": "any"},
                {
                    "id": "r",
                    "type": "Router",
                    "config": {"routes": [{"when": "inputs.n > 1", "to": "call", "max_visits": 3}], "otherwise": "end"},
                },
                {"id": "end", "type": "Format", "config": {"template": "x"}},
            ],
            "edges": [
                {"from": "ask", "to": "call", "when": 'inputs.n != 7 && "<b>|]" != "' + "x" * 60 + '"'},
                {"from": "call", "to": "r"},
            ],
        }
    )

    assert to_mermaid(compile_definition(definition)).splitlines() == [
        "flowchart TD",
        '    n0{{"ask<br/><small>UserInput</small>"}}',
        '    n1["call<br/><small>HttpRequest</small><br/>join: any"]',
        '    n2{"r<br/><small>Router</small>"}',
        '    n3("end<br/><small>Format</small>")',
        f'    n0 -->|"inputs.n #33;= 7 #38;#38; #34;#60;b#62;#124;#93;#34; #33;= #34;{"x" * 30}…"| n1',
        "    n1 --> n2",
        '    n2 -.->|"inputs.n #62; 1<br/>at most 3"| n1',
        '    n2 -->|"otherwise"| n3',
    ]


def test_ways_aside_graphs_within_and_what_runs_aside_are_drawn() -> None:
    hello = load_mapping({"name": "hello", "nodes": [{"id": "a", "type": "Format", "config": {"template": "x"}}]})
    definition = load_mapping(
        {
            "name": "picture",
            "finally": ["f", "g"],
            "nodes": [
                {
                    "id": "e",
                    "type": "ForEach",
                    "config": {"items": [1], "do": {"nodes": [{"id": "w", "type": "Wait", "config": {"for": 1}}]}},
                    "on_error": "b",
                    "compensate": "u",
                },
                {"id": "b", "type": "Subworkflow", "config": {"definition": "hello"}},
                {"id": "c", "type": "Subworkflow", "config": {"definition": "hello"}},
                {"id": "d", "type": "Subworkflow", "config": {"definition": "hello", "mode": "child"}},
                {"id": "u", "type": "Format", "config": {"template": "x"}},
                {"id": "f", "type": "Format", "config": {"template": "x"}},
                {"id": "g", "type": "Format", "config": {"template": "x"}},
            ],
            "edges": [{"from": "e", "to": "c"}, {"from": "c", "to": "d"}],
        }
    )

    assert to_mermaid(compile_definition(definition, lambda _name: hello)).splitlines() == [
        "flowchart TD",
        '    n0{{"e<br/><small>ForEach</small>"}}',
        '    n1{{"b<br/><small>Subworkflow</small>"}}',
        '    n2{{"c<br/><small>Subworkflow</small>"}}',
        '    n3{{"d<br/><small>Subworkflow</small><br/>child run of hello"}}',
        '    n4("u<br/><small>Format</small>")',
        '    subgraph nf["finally"]',
        '        n5("f<br/><small>Format</small>")',
        '        n6("g<br/><small>Format</small>")',
        "        n5 --> n6",
        "    end",
        "    n0 --> n2",
        "    n2 --> n3",
        '    n0 -.->|"on error"| n1',
        '    n0 -.-|"undone by"| n4',
        '    subgraph n0b["e"]',
        '        n0_0{{"w<br/><small>Wait</small>"}}',
        "    end",
        '    n0 ==>|"for each item"| n0b',
        '    subgraph n1b["hello 1.0.0"]',
        '        n1_0("a<br/><small>Format</small>")',
        "    end",
        '    n1 ==>|"runs"| n1b',
        '    n2 ==>|"runs"| n1b',
    ]
