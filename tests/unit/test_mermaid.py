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
