"""The operations of Transform: what each does, and which options of the config it needs or takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["OPERATIONS", "Operation"]


@dataclass(frozen=True, slots=True)
class Operation:
    """What an operation does, the options it must have, and those it may have."""

    summary: str
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


_EXPRESSIONS = {
    "expression": Operation("Computes a CEL expression over `input`.", needs=("expression",)),
    "filter": Operation("Keeps the items for which the CEL expression `where` is true.", needs=("where",)),
    "map": Operation("Computes the CEL expression `expression` for each item.", needs=("expression",)),
}
_LISTS = {
    "average": Operation("The mean of a list of numbers, or of the field `by` of its maps.", takes=("by",)),
    "chunk": Operation(
        "Cuts text, or a list, into pieces of `size` characters or items; each begins with the last `overlap` of the "
        "one before.",
        needs=("size",),
        takes=("overlap",),
    ),
    "combine": Operation(
        "Makes one list of a list of lists of maps: maps with the same value in the field `by` become one.",
        needs=("by",),
    ),
    "compact": Operation("Leaves out the nulls of a list or map."),
    "concat": Operation("Puts a list of lists, or of texts, one after the other."),
    "count": Operation("How many items a list or map has, or characters a text."),
    "first": Operation("The first item of a list; null if it is empty."),
    "flatten": Operation(
        "Puts the items of lists within a list in their place, `depth` levels deep.", takes=("depth",)
    ),
    "group": Operation("Makes a list of `{key, items}` of the items with the same value in the field `by`.", ("by",)),
    "index": Operation("Makes a map of a list of maps, by the text in their field `by`; the last one counts.", ("by",)),
    "last": Operation("The last item of a list; null if it is empty."),
    "max": Operation("The largest of numbers or texts, or of the field `by` of maps.", takes=("by",)),
    "min": Operation("The smallest of numbers or texts, or of the field `by` of maps.", takes=("by",)),
    "reverse": Operation("Turns a list or text round."),
    "slice": Operation(
        "The part of a list or text from `start` up to, not with, `end`; both count from 0, below 0 from the end.",
        takes=("start", "end"),
    ),
    "sort": Operation("Sorts a list, by the field `by` where it holds maps.", takes=("by", "descending")),
    "sum": Operation("The sum of a list of numbers, or of the field `by` of its maps.", takes=("by",)),
    "unique": Operation("Keeps the first of equal items, or of those equal in the field `by`.", takes=("by",)),
    "zip": Operation(
        "Of several lists of one length, the first items together, the second, and so on: as lists, or as maps with "
        "`fields`.",
        takes=("fields",),
    ),
}
_MAPS = {
    "entries": Operation("Makes a list of `{key, value}` of a map."),
    "from_entries": Operation("Makes a map of a list of `{key, value}`; where two have a key, the later one counts."),
    "get": Operation("What is at `path`, such as `orders.0.id`; `default` if nothing is.", ("path",), ("default",)),
    "keys": Operation("The keys of a map."),
    "merge": Operation(
        "Makes one map of a list of maps; where two have a key, the later one counts. `deep`: maps within them are "
        "merged as well.",
        takes=("deep",),
    ),
    "pick": Operation("Keeps only `fields` of a map, or of each map in a list.", needs=("fields",)),
    "remove": Operation("Leaves out `fields` of a map, or of each map in a list.", needs=("fields",)),
    "rename": Operation("Gives fields of a map, or of each map in a list, the new `names`.", needs=("names",)),
    "set": Operation("Sets the fields in `values` in a map, or in each map of a list.", needs=("values",)),
    "values": Operation("The values of a map."),
}
_TEXTS = {
    "extract": Operation(
        "What the first match of the regular expression `pattern` holds: a map of its named groups, its group, a list "
        "of its groups, or all of it; null without a match.",
        needs=("pattern",),
    ),
    "extract_all": Operation("The same for every match, as a list.", needs=("pattern",)),
    "join": Operation("Makes one text of a list, `separator` between its items.", takes=("separator",)),
    "lines": Operation("The lines of a text."),
    "lowercase": Operation("Puts text in lower case."),
    "matches": Operation("Whether the regular expression `pattern` matches somewhere in a text.", needs=("pattern",)),
    "replace": Operation("Puts `replacement` in the place of every `find`.", needs=("find", "replacement")),
    "replace_pattern": Operation(
        r"Puts `replacement` in the place of every match of the regular expression `pattern`; `\1` in it is a group.",
        needs=("pattern", "replacement"),
    ),
    "slug": Operation("Makes text fit for an address: `Crème brûlée!` becomes `creme-brulee`."),
    "split": Operation("Cuts text at each `separator`, or at blanks.", takes=("separator",)),
    "title": Operation("Puts the first letter of each word in upper case, the others in lower case."),
    "trim": Operation("Takes blanks off both ends of text."),
    "truncate": Operation(
        "Cuts text to `length` characters, `ending` among them.", needs=("length",), takes=("ending",)
    ),
    "uppercase": Operation("Puts text in upper case."),
    "word_count": Operation("How many words, divided by blanks, a text has."),
}
_FORMATS = {
    "base64_decode": Operation("Reads text from base64."),
    "base64_encode": Operation("Writes text (its UTF-8) as base64."),
    "csv_dump": Operation(
        "Writes a list of maps (the columns are `fields`, or all of theirs) or of lists as CSV text.",
        takes=("fields", "separator", "header"),
    ),
    "csv_parse": Operation(
        "Reads CSV text as a list of maps by its first line, or as lists with `header: false`; each value is text.",
        takes=("separator", "header"),
    ),
    "html_decode": Operation("Reads `&amp;` and the like as what they stand for."),
    "html_encode": Operation("Writes `&`, `<`, `>` and quotes as `&amp;` and the like."),
    "json_dump": Operation("Writes a value as JSON text.", takes=("indent",)),
    "json_extract": Operation("Reads the first JSON map or list that stands in a text, such as a model's answer."),
    "json_parse": Operation("Reads JSON text."),
    "sha256": Operation(
        "SHA-256 of text (its UTF-8), or of the JSON of any other value with its keys in order, in hex."
    ),
    "strip_tags": Operation("The text of HTML, without its tags, scripts and comments."),
    "to_boolean": Operation("Reads `true`, `yes`, `on`, `1` and their opposites as true or false."),
    "to_number": Operation("Reads text as a number."),
    "to_text": Operation("Text as it is; anything else as its JSON."),
    "url_decode": Operation("Reads `%20` and the like as what they stand for."),
    "url_encode": Operation("Writes text fit for a part of an address, or a map as a query."),
}

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    dict(sorted((_EXPRESSIONS | _LISTS | _MAPS | _TEXTS | _FORMATS).items()))
)
"""Every operation by name."""
