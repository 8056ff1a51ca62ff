"""Write ``docs/fields.md``: every field of ``submission.json``, from the schemas.

::

    python docs/generate_fields.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from conformance.jsonschemas import load_schema
from conformance.verdicts import Json

PAGE = Path(__file__).parent / "fields.md"

_INTRODUCTION = """\
# The fields of submission.json

This page is written by `docs/generate_fields.py` from the JSON Schemas in `schemas/`; change those
and run it again. `nnr-conformance schema NAME` prints a schema.

A submission is a folder with one file `submission.json` and the files that it lists. All keys are
given below; a key that begins with `x_` is yours to use anywhere. Ids consist of lower-case
letters, digits, `.`, `_` and `-`, and are unique within their section. A text
`<fill in: ...>`, as `nnr-conformance init` writes it, is refused until it is replaced. A text has
at least one visible character; a web address begins with `http://` or `https://` and names a host.
"""

_PARTS = ("submission", "model", "dataset", "metric", "vectors", "sample", "method")
_SHARED = ("file", "port", "tolerance", "metric_value")
_TYPES = {
    "array": "list",
    "boolean": "true or false",
    "integer": "integer",
    "null": "null",
    "number": "number",
    "object": "object",
    "string": "string",
}


def page() -> str:
    """Return the text of the page."""
    common = load_schema("common")["$defs"]
    objects = [
        *(found for name in _PARTS for found in _objects(load_schema(name))),
        *(found for name in _SHARED for found in _objects(common[name])),
        *_objects(load_schema("waiver")),
    ]
    return "\n".join([_INTRODUCTION, *(line for each in objects for line in _section(each))])


def _objects(schema: Json) -> Iterator[Json]:
    """Yield an object schema and those written inside it."""
    yield schema
    for inner in schema["properties"].values():
        body = inner.get("items", inner)
        if "properties" in body:
            yield from _objects(body)


def _section(schema: Json) -> Iterator[str]:
    yield f"## {schema['title']}\n"
    yield f"{schema['description']}\n"
    yield "| field | required | type | description | example |"
    yield "|---|---|---|---|---|"
    for name, field in schema["properties"].items():
        required = "yes" if name in schema["required"] else _default(field)
        row = [f"`{name}`", required, _type(field), field["description"], _example(field)]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
    yield ""


def _example(field: Json) -> str:
    """Return an example; of what has its own section, only where to find one."""
    kind = _type(field)
    if "](#" in kind:
        return f"see {kind.removeprefix('list of ')}"
    return f"`{json.dumps(field['examples'][0], ensure_ascii=False)}`"


def _default(field: Json) -> str:
    return f"no, default `{json.dumps(field['default'])}`" if "default" in field else "no"


def _type(field: Json) -> str:
    if "enum" in field:
        return " or ".join(f"`{json.dumps(each)}`" for each in field["enum"])
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "$ref" in field:
        return _link(_target(field["$ref"]))
    if field["type"] == "array":
        return f"list of {_type_of_items(field['items'])}"
    if field["type"] == "object" and "properties" in field:
        return _link(field)
    names = field["type"] if isinstance(field["type"], list) else [field["type"]]
    return " or ".join(_TYPES[name] for name in names)


def _type_of_items(items: Json) -> str:
    return _link(items) if "properties" in items else _type(items)


def _target(reference: str) -> Json:
    """Return the schema that a reference such as ``urn:...:common:1.0#/$defs/id`` leads to."""
    urn, _, pointer = reference.partition("#")
    schema = load_schema(urn.split(":")[3])
    for part in pointer.split("/")[1:]:
        schema = schema[part]
    return schema


def _link(schema: Json) -> str:
    title = schema["title"]
    return f"[{title}](#{title.replace(' ', '-')})" if "properties" in schema else title


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    print(f"wrote {PAGE}")
