"""From the table of messages to classes that protocol buffers can parse text into."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

from conformance.runtimes.caffe.schema import ENUMS, MESSAGES

_PACKAGE = "caffe"
_FIELD = re.compile(r"(?P<name>\w+):(?P<type>\w+)(?P<many>\*?)(?:=(?P<default>\S+))?")
_SCALARS = {
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "float": FieldDescriptorProto.TYPE_FLOAT,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "string": FieldDescriptorProto.TYPE_STRING,
    "uint32": FieldDescriptorProto.TYPE_UINT32,
}


def new_message(name: str) -> Any:
    """Return an empty message of the schema."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{_PACKAGE}.{name}"))()


def label_of(message: Any, field: str) -> str:
    """Return the name of the value that ``message`` has for a field of an enumeration."""
    values = message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number
    return str(values[getattr(message, field)].name)


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    """Return a separate pool: another package may have registered Caffe's messages too."""
    file = FileDescriptorProto(name="caffe.proto", package=_PACKAGE, syntax="proto2")
    for name, values in ENUMS.items():
        # Values are named in the scope around an enumeration, and several share names.
        enum = file.message_type.add(name=_scope_of(name)).enum_type.add(name=name)
        for value in values.split():
            label, _, number = value.partition("=")
            enum.value.add(name=label, number=int(number))
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for place, field in enumerate(_FIELD.finditer(fields), start=1):
            message.field.append(_field(field, place))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _field(field: re.Match[str], number: int) -> FieldDescriptorProto:
    kind, default = field["type"], field["default"]
    made = FieldDescriptorProto(name=field["name"], number=number)
    made.label = (
        FieldDescriptorProto.LABEL_REPEATED
        if field["many"]
        else FieldDescriptorProto.LABEL_OPTIONAL
    )
    if kind in _SCALARS:
        made.type = _SCALARS[kind]
    elif kind in ENUMS:
        made.type = FieldDescriptorProto.TYPE_ENUM
        made.type_name = f".{_PACKAGE}.{_scope_of(kind)}.{kind}"
    else:
        made.type = FieldDescriptorProto.TYPE_MESSAGE
        made.type_name = f".{_PACKAGE}.{kind}"
    if default is not None:
        made.default_value = default
    return made


def _scope_of(enum: str) -> str:
    return f"{enum}Scope"
