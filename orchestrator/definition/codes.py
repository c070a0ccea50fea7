"""The codes of validation: stable, and listed with the same words in ``docs/authoring.md``."""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["CODES"]

CODES: Mapping[str, str] = MappingProxyType(
    {
        "DEF001": "the text is not YAML or JSON, or holds more than plain data in one document",
        "DEF002": "too large: bytes, values, nesting, nodes or edges",
        "DEF003": "a key stands twice, or is not text",
        "DEF004": "a number that JSON or 64 bits cannot hold",
        "DEF005": "the document is not a mapping",
        "DEF006": "a control character",
        "DEF007": "more problems than are listed",
        "DEF010": "a field is missing",
        "DEF011": "a field is unknown",
        "DEF012": "a value has the wrong type, or is not one of those allowed",
        "DEF013": "a name, node id or version is not well formed",
        "DEF014": "a limit, time or retry setting makes no sense",
        "DEF015": "a file is named otherwise than the definition in it",
        "DEF016": "two files claim the same version of a definition",
        "DEF020": "a node type is unknown",
        "DEF021": "a value in a node's config does not fit its type",
        "DEF022": "a field is missing in a node's config",
        "DEF023": "a field in a node's config is unknown",
        "DEF024": "a model is unknown",
        "DEF030": "two nodes have the same id",
        "DEF031": "an edge or a route names a node that is not there",
        "DEF032": "the same edge stands twice",
        "DEF033": "a node leads to itself without `max_visits`",
        "DEF034": "a cycle has no bound",
        "DEF035": "`max_visits` on an edge that closes no loop",
        "DEF036": "two loops overlap and neither holds the other, or each waits for the other to end",
        "DEF037": "a `join: any` node inside a loop is fed from inside and from outside of it",
        "DEF038": "edges are written for a node whose config declares its ways out",
        "DEF039": "nothing leads to a node, and it leads nowhere",
        "DEF040": "`cancel_others` without `join: any`",
        "DEF050": "a template cannot be read",
        "DEF051": "an expression cannot be read",
        "DEF052": "an expression has the wrong type",
        "DEF053": "a reference to something that is not there",
        "DEF054": "a reference to an output field that the node does not have",
        "DEF055": "a reference to what is not always there by then, without a guard",
        "DEF056": "a node refers to its own output",
        "DEF060": "a JSON Schema cannot be used",
        "DEF061": "an input's default does not fit its own schema",
        "DEF062": "an output has no `value`",
        "DEF063": "text for an output or a channel whose type takes none",
        "DEF070": "a write into a channel that is not there",
        "DEF071": "a reducer does not work on the type of its channel",
        "DEF072": "a channel's initial value is not of its type",
        "DEF073": "a write in a node that decides its ways out",
        "DEF080": "a secret stands in clear",
    }
)
