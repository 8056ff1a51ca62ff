"""The schemas themselves, and the page that is made of them."""

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from conformance import jsonschemas
from conformance.jsonschemas import load_schema, schema_names, validator
from conformance.submission.violations import explained_keywords

ROOT = Path(__file__).parents[1]
OURS = (
    *("common", "dataset", "method", "metric", "model", "sample", "submission", "vectors"),
    "waiver",
)
ANNOTATIONS = {
    *("$schema", "$id", "$defs", "$ref", "title", "description", "examples", "default"),
    *("properties", "patternProperties", "items", "if", "then", "allOf"),
}


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object schema inside of `schema`, apart from conditions."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for key, value in schema.items():
            if key not in {"if", "then", "examples", "default"}:
                yield from objects(value)
    if isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def subschemas(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema inside of `schema`, conditions included."""
    yield schema
    for key in ("properties", "$defs"):
        for value in schema.get(key, {}).values():
            yield from subschemas(value)
    for key in ("items", "if", "then", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from subschemas(schema[key])


def test_all_schemas_are_there():
    assert set(OURS) <= set(schema_names())


@pytest.mark.parametrize("name", OURS)
def test_schema_is_valid_against_the_meta_schema(name):
    schema = load_schema(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:nnr-conformance:schema:{name}:1.0"


@pytest.mark.parametrize("name", OURS)
def test_every_property_has_a_description_and_valid_examples(name):
    base = load_schema(name)
    for schema in objects(base):
        assert schema["additionalProperties"] is False
        assert set(schema["required"]) <= set(schema["properties"])
        for key, field in schema["properties"].items():
            assert field["description"].endswith("."), key
            assert field["examples"], key
            inline = validator(name).evolve(schema=field)
            for example in field["examples"]:
                assert not list(inline.iter_errors(example)), (key, example)


@pytest.mark.parametrize("name", OURS)
def test_every_keyword_that_can_be_breached_can_be_explained(name):
    for schema in subschemas(load_schema(name)):
        keywords = set(schema) - ANNOTATIONS
        if isinstance(schema.get("additionalProperties"), dict):
            keywords -= {"additionalProperties"}
        assert keywords <= explained_keywords()


@pytest.mark.parametrize(
    ("name", "field", "item"),
    [
        ("submission", "models", "items 1 and 5"),
        ("submission", "use_cases", "item 1"),
        ("submission", "metrics", "item 4"),
        ("submission", "samples", "item 5"),
        ("model", "files", "item 1"),
        ("model", "training_data", "item 2"),
        ("model", "test_data", "item 3"),
        ("metric", "description", "item 4"),
        ("sample", "method", "item 5"),
        ("sample", "files", "item 5"),
    ],
)
def test_what_the_call_asks_for_is_required_and_says_so(name, field, item):
    schema = load_schema(name)
    conditions = [each["then"].get("required", []) for each in schema.get("allOf", [])]
    assert field in [*schema["required"], *(name for names in conditions for name in names)]
    assert f"Call §Required test data, {item}." in schema["properties"][field]["description"]


@pytest.mark.parametrize("field", ["models", "datasets", "metrics", "vectors", "samples"])
def test_sections_that_the_call_asks_for_may_not_be_empty(field):
    assert load_schema("submission")["properties"][field]["minItems"] == 1


def test_an_unknown_name_is_a_key_error():
    with pytest.raises(KeyError, match="nothing"):
        load_schema("nothing")
    with pytest.raises(KeyError, match="nothing"):
        validator("nothing")


def test_a_path_is_not_a_name():
    with pytest.raises(KeyError):
        load_schema("../schemas/submission")


def test_validators_are_cached():
    assert validator("submission") is validator("submission")


def test_the_library_is_imported_late():
    code = "import sys, conformance.jsonschemas as j; j.load_schema('model'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "jsonschema" not in done.stdout.split()


@pytest.mark.parametrize(
    "text",
    [
        *("https://example.org", "http://example.org:80/a?b#c", "HTTPS://Example.org./x"),
        *("https://[::1]/a", "https://例え.jp/", "http://localhost/a@b"),
    ],
)
def test_addresses(text):
    assert validator("common").evolve(schema={"format": "uri"}).is_valid(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "example.org", "/a/b", "//example.org", "a:", "http:example.org", "https://"),
        *("https:///x", "https://:80/", "https://.", "https://a..b/", "https://user@/", "http://["),
        *("javascript:alert(1)", "javascript://example.org/%0aalert(1)", "data:text/html,x"),
        *("file:///etc/passwd", "ftp://a/b", "doi:10.1/2", "urn:isbn:0", "mailto:a@example.org"),
        *(
            "http://a b",
            "https://a\tb",
            "https://example.org/\u202e",
            "\x01https://a",
            "https://a\n",
        ),
        *("https://a:x/", "https://a:99999/", "https://a:0/", "https://example.org@evil.example/"),
    ],
)
def test_what_is_no_address(text):
    assert not validator("common").evolve(schema={"format": "uri"}).is_valid(text)


def definitions(schema: Any, name: str) -> Iterator[str]:
    """The path of every field that refers to the shared definition `name`."""
    reference = f"urn:nnr-conformance:schema:common:1.0#/$defs/{name}"
    for key, value in schema.items() if isinstance(schema, dict) else ():
        if isinstance(value, dict) and reference in (
            value.get("$ref"),
            value.get("items", {}).get("$ref"),
        ):
            yield key
        yield from definitions(value, name)


def test_every_field_that_is_an_address_has_the_form_of_one():
    fields = {
        (each, key)
        for each in OURS
        for schema in objects(load_schema(each))
        for key in schema["properties"]
        if key in {"url", "link", "uri", "homepage", "address", "href"}
    }
    known = {(each, key) for each in OURS for key in definitions(load_schema(each), "uri")}
    assert fields == known == {("dataset", "url"), ("method", "url"), ("waiver", "link")}


BLANK = ["", " ", "\t\n", "\x00\x07", "\x1b", "\xa0", "\u200b", "\u2060\ufeff", "\u202e", "\u3164"]


@pytest.mark.parametrize("text", BLANK)
@pytest.mark.parametrize("name", ["text", "spdx"])
def test_a_text_without_a_visible_character_is_no_text(name, text):
    definition = load_schema("common")["$defs"][name]
    assert not validator("common").evolve(schema=definition).is_valid(text)
    for visible in ("x", "語", "-"):
        assert validator("common").evolve(schema=definition).is_valid(f"{text}{visible}{text}")


@pytest.mark.parametrize(
    ("format", "text", "valid"),
    [
        ("date", "2018-07-13", True),
        ("date", "2018-7-13T", False),
        ("date", "13.7.2018", False),
        ("date", "2018-02-30", False),
        ("date-time", "2018-07-13T12:00:00Z", True),
        ("date-time", "2018-07-13T12:00:00", False),
        ("date-time", "noon", False),
    ],
)
def test_dates(format, text, valid):
    assert validator("common").evolve(schema={"format": format}).is_valid(text) is valid


@pytest.mark.parametrize("text", ["digits\n", "Digits", "", "-a", "a b", "a" * 65, "ä"])
def test_what_is_no_id(text):
    schema = load_schema("common")["$defs"]["id"]
    assert not validator("common").evolve(schema=schema).is_valid(text)


@pytest.mark.parametrize("text", ["", "A" * 64, "0" * 63, "0" * 65, "0" * 64 + "\n"])
def test_what_is_no_digest(text):
    schema = load_schema("common")["$defs"]["sha256"]
    assert not validator("common").evolve(schema=schema).is_valid(text)


@pytest.mark.parametrize("text", ["", "  ", "<fill in: a title>", "My <fill in: name> net"])
def test_a_human_text_refuses_blanks(text):
    schema = load_schema("common")["$defs"]["text"]
    assert not validator("common").evolve(schema=schema).is_valid(text)


def test_schemas_are_found_in_an_installed_package(monkeypatch, tmp_path):
    installed = tmp_path / "schemas"
    installed.mkdir()
    for path in (ROOT / "schemas").iterdir():
        (installed / path.name).write_bytes(path.read_bytes())
    (installed / "own.schema.json").write_text('{"title": "installed"}')
    monkeypatch.setattr(jsonschemas, "FOLDERS", (installed, tmp_path / "nowhere"))
    assert load_schema("own")["title"] == "installed"
    assert load_schema("model")["title"] == "model"


def test_the_page_of_fields_is_up_to_date():
    spec = importlib.util.spec_from_file_location("fields", ROOT / "docs" / "generate_fields.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = module.PAGE.read_text("utf-8")
    assert text == module.page(), "run: python docs/generate_fields.py"
    for name in OURS:
        for schema in objects(load_schema(name)):
            assert all(f"| `{key}` |" in text for key in schema["properties"])
