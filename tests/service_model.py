"""Holds a request that the emulator recorded against AWS's published service model, the JSON that botocore ships.

Checked are the operation, method and path, the query's names, and of every member that is sent: whether the operation
knows it, whether required ones are there, type, enum, length or range, pattern, and that a union holds one member.
Headers are not recorded, so members that travel in headers are not checked.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
import json
import re
import urllib.parse
from collections.abc import Iterator

import botocore.session
import cbor2
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

# The service by IAM's name, as the emulator records it; Bedrock has two models, told apart by operation.
MODELS = {
    "apigateway": ("apigateway",),
    "bedrock": ("bedrock-runtime", "bedrock"),
    "cloudwatch": ("cloudwatch",),
    "lambda": ("lambda",),
    "logs": ("logs",),
    "s3": ("s3",),
    "servicequotas": ("service-quotas",),
    "sns": ("sns",),
    "ssm": ("ssm",),
    "sts": ("sts",),
}
NUMBERS = {"integer", "long", "float", "double"}
LOADED: dict[str, ServiceModel] = {}


class Unreadable(ValueError):
    """The request has no operation, or its parts cannot be read at all."""


@dataclasses.dataclass(frozen=True)
class Wire:
    """How a protocol writes times and bytes."""

    timestamps: type | tuple[type, ...]
    blobs: type


JSON = Wire(timestamps=(int, float), blobs=str)
CBOR = Wire(timestamps=datetime.datetime, blobs=bytes)
TEXT = Wire(timestamps=str, blobs=str)


def offences(request: dict) -> list[str]:
    """Gives what the service model does not allow in a recorded request, each with its path; nothing if all is well."""
    try:
        model, operation = _operation(request)
        method, _, target = request["target"].partition(" ")
        if method != operation.http["method"]:
            raise Unreadable(f"method {method} instead of {operation.http['method']}")
        sent, wire = _members(request, model, operation, target)
    except Unreadable as error:
        return [f"{request['service']}:{request['action']}: {error}"]
    shape = operation.input_shape
    found = [] if shape is None else list(_offences(shape, sent, f"{model.service_name}:{operation.name}", wire))
    if shape is None and sent:
        found.append(f"{model.service_name}:{operation.name}: it takes no input")
    return found


def _operation(request: dict) -> tuple[ServiceModel, OperationModel]:
    if request["service"] not in MODELS:
        raise Unreadable("no service of AWS that is known here")
    for name in MODELS[request["service"]]:
        if name not in LOADED:
            loader = botocore.session.get_session().get_component("data_loader")
            LOADED[name] = ServiceModel(loader.load_service_model(name, "service-2"), name)
        if request["action"] in LOADED[name].operation_names:
            return LOADED[name], LOADED[name].operation_model(request["action"])
    raise Unreadable("no operation of the service")


def _members(request: dict, model: ServiceModel, operation: OperationModel, target: str) -> tuple[dict, Wire]:
    protocol = model.metadata["protocol"]
    path, _, query = target.partition("?")
    if request.get("cbor") is not None:
        if "smithy-rpc-v2-cbor" not in model.metadata.get("protocols", []):
            raise Unreadable("the service does not speak CBOR")
        wanted = f"/service/{model.metadata['targetPrefix']}/operation/{operation.name}"
        if target != wanted:
            raise Unreadable(f"path {target} instead of {wanted}")
        return _object(_decoded(bytes.fromhex(request["cbor"]))), CBOR
    if protocol == "json":
        if target != "/":
            raise Unreadable(f"path {target} instead of /")
        return _object(_parsed(request["body"])), JSON
    if protocol == "query":
        return _form(request["body"], model, operation), TEXT
    if protocol == "rest-json":
        return _rest(request["body"], operation, path, query), JSON
    if protocol == "rest-xml":
        return _object_store(request["body"], operation, path, query), TEXT
    raise Unreadable(f"protocol {protocol} is not read here")


def _object_store(body: str, operation: OperationModel, path: str, query: str) -> dict:
    """Reads a request of S3, whose bodies are the objects themselves. Its SDKs add the operation's name as `x-id`."""
    fixed = operation.http["requestUri"].partition("?")[2]
    parameters = [pair for pair in query.split("&") if pair and pair != fixed and not pair.startswith("x-id=")]
    # An SDK ends the path of a bucket with a slash.
    bare = path if path.count("/") > 1 and not path.endswith("/") else path.rstrip("/")
    sent = _rest("", operation, bare, "&".join(parameters))
    payload = operation.input_shape.serialization.get("payload")
    if body and payload is None:
        raise Unreadable("a body of an operation that takes none")
    return sent | ({payload: body} if body else {})


def _parsed(text: str):
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Unreadable(f"the body is no JSON: {error}") from error


def _decoded(body: bytes):
    try:
        return cbor2.loads(body)
    except (cbor2.CBORDecodeError, ValueError) as error:
        raise Unreadable(f"the body is no CBOR: {error}") from error


def _object(value) -> dict:
    if not isinstance(value, dict):
        raise Unreadable("the body is no object")
    return value


def _rest(body: str, operation: OperationModel, path: str, query: str) -> dict:
    shape = operation.input_shape
    members = {} if shape is None else shape.members
    sent = {} if not body else dict(_object(_parsed(body)))
    placed = {name: member.serialization for name, member in members.items() if "location" in member.serialization}
    for name in placed:
        if name in sent:
            raise Unreadable(f"{name} belongs into the {placed[name]['location']}, not into the body")
    names = {member.serialization.get("name", name): name for name, member in members.items() if name not in placed}
    unknown = [name for name in sent if name not in names]
    # An unknown member keeps its name, so that the check of the structure tells it.
    sent = {names.get(name, name): value for name, value in sent.items()}
    if unknown and shape is None:
        raise Unreadable(f"members {unknown} of an operation without input")
    pattern, uri = [], operation.http["requestUri"].partition("?")[0]
    for part in re.split(r"(\{[^}]+\})", uri):
        label = part.strip("{}+")
        greedy = ".+" if part.endswith("+}") else "[^/]+"
        pattern.append(f"(?P<{label}>{greedy})" if part.startswith("{") else re.escape(part))
    fits = re.fullmatch("".join(pattern), path)
    if not fits:
        raise Unreadable(f"path {path} instead of {uri}")
    labels = {by["name"]: name for name, by in placed.items() if by["location"] == "uri"}
    for label, value in fits.groupdict().items():
        sent[labels[label]] = _read(members[labels[label]], urllib.parse.unquote(value))
    parameters = {by["name"]: name for name, by in placed.items() if by["location"] == "querystring"}
    for name, value in urllib.parse.parse_qsl(query, keep_blank_values=True):
        if name not in parameters:
            raise Unreadable(f"query parameter {name} is not known")
        member = parameters[name]
        if isinstance(members[member], ListShape):
            sent.setdefault(member, []).append(_read(members[member].member, value))
        else:
            sent[member] = _read(members[member], value)
    return sent


def _read(shape: Shape, text: str):
    """Reads what a path, a query or a form holds as text into the type that the model names, where it can be."""
    if shape.type_name in NUMBERS:
        try:
            return int(text) if shape.type_name in ("integer", "long") else float(text)
        except ValueError:
            return text
    if shape.type_name == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return text


def _form(body: str, model: ServiceModel, operation: OperationModel) -> dict:
    fields = dict(urllib.parse.parse_qsl(body, keep_blank_values=True))
    if fields.pop("Action", None) != operation.name:
        raise Unreadable("the form names another action")
    if fields.pop("Version", None) != model.api_version:
        raise Unreadable(f"the form is of another version than {model.api_version}")
    shape = operation.input_shape
    if shape is None or not isinstance(shape, StructureShape):
        return fields
    sent = _structure(shape, fields, "")
    if fields:
        raise Unreadable(f"fields {sorted(fields)} are not known")
    return sent


def _structure(shape: StructureShape, fields: dict[str, str], prefix: str) -> dict:
    """Takes a structure's fields out of a form; what is left over at the end is not known to the model."""
    sent = {}
    for name, member in shape.members.items():
        place = f"{prefix}{member.serialization.get('name', name)}"
        value = _field(member, fields, place)
        if value is not None:
            sent[name] = value
    return sent


def _field(shape: Shape, fields: dict[str, str], place: str):
    if isinstance(shape, StructureShape):
        return _structure(shape, fields, f"{place}.") if _begins(fields, f"{place}.") else None
    if isinstance(shape, MapShape):
        stem = place if shape.serialization.get("flattened") else f"{place}.entry"
        key = shape.key.serialization.get("name", "key")
        value = shape.value.serialization.get("name", "value")
        entries = {}
        for number in _numbers(fields, stem):
            name = _field(shape.key, fields, f"{stem}.{number}.{key}")
            entries[name] = _field(shape.value, fields, f"{stem}.{number}.{value}")
        return entries or None
    if isinstance(shape, ListShape):
        stem = place if shape.serialization.get("flattened") else f"{place}.{shape.member.serialization.get('name', 'member')}"
        return [_field(shape.member, fields, f"{stem}.{number}") for number in _numbers(fields, stem)] or None
    text = fields.pop(place, None)
    return None if text is None else _read(shape, text)


def _begins(fields: dict[str, str], prefix: str) -> bool:
    return any(name.startswith(prefix) for name in fields)


def _numbers(fields: dict[str, str], stem: str) -> list[int]:
    found = {int(match[1]) for name in fields if (match := re.match(re.escape(stem) + r"\.(\d+)(?:\.|$)", name))}
    return sorted(found)


def _offences(shape: Shape, value, path: str, wire: Wire) -> Iterator[str]:
    if getattr(shape, "is_document_type", False):
        # A document is any JSON value.
        return
    if isinstance(shape, StructureShape):
        yield from _of_structure(shape, value, path, wire)
    elif isinstance(shape, ListShape):
        if not isinstance(value, list):
            yield f"{path}: {_shown(value)} is no list"
            return
        yield from _of_range(shape, len(value), path, "members")
        for index, item in enumerate(value):
            yield from _offences(shape.member, item, f"{path}[{index}]", wire)
    elif isinstance(shape, MapShape):
        if not isinstance(value, dict):
            yield f"{path}: {_shown(value)} is no map"
            return
        yield from _of_range(shape, len(value), path, "entries")
        for key, item in value.items():
            yield from _offences(shape.key, key, f"{path}.{key} (key)", wire)
            yield from _offences(shape.value, item, f"{path}.{key}", wire)
    else:
        yield from _of_scalar(shape, value, path, wire)


def _of_structure(shape: StructureShape, value, path: str, wire: Wire) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {_shown(value)} is no structure"
        return
    for name in shape.required_members:
        if name not in value:
            yield f"{path}.{name}: it is required and not there"
    if shape.is_tagged_union and len(value) != 1:
        yield f"{path}: a union of exactly one member has {sorted(value)}"
    for name, member in value.items():
        if name in shape.members:
            yield from _offences(shape.members[name], member, f"{path}.{name}", wire)
        else:
            yield f"{path}.{name}: no such member"


def _of_scalar(shape: Shape, value, path: str, wire: Wire) -> Iterator[str]:
    kind = shape.type_name
    if kind in ("string", "character"):
        if not isinstance(value, str):
            yield f"{path}: {_shown(value)} is no text"
            return
        if shape.metadata.get("enum") and value not in shape.metadata["enum"]:
            yield f"{path}: {_shown(value)} is none of {shape.metadata['enum']}"
        yield from _of_range(shape, len(value), path, "characters")
        pattern = shape.metadata.get("pattern")
        # The models' patterns are Java's; one that Python cannot read raises, so that none is passed over.
        if pattern and not re.fullmatch(pattern, value):
            yield f"{path}: {_shown(value)} does not match {pattern}"
    elif kind == "boolean":
        if not isinstance(value, bool):
            yield f"{path}: {_shown(value)} is no boolean"
    elif kind in NUMBERS:
        whole = kind in ("integer", "long")
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            yield f"{path}: {_shown(value)} is no {kind}"
            return
        yield from _of_range(shape, value, path, "")
    elif kind == "timestamp":
        if isinstance(value, bool) or not isinstance(value, wire.timestamps):
            yield f"{path}: {_shown(value)} is no time in this protocol"
    elif kind == "blob":
        if not isinstance(value, wire.blobs):
            yield f"{path}: {_shown(value)} is no blob"
            return
        try:
            is_encoded = isinstance(value, str) and wire is not TEXT
            data = base64.b64decode(value, validate=True) if is_encoded else value
        except binascii.Error:
            yield f"{path}: it is no base64"
            return
        yield from _of_range(shape, len(data), path, "bytes")
    else:
        yield f"{path}: a shape of type {kind} is not checked here"


def _of_range(shape: Shape, size: float, path: str, unit: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield f"{path}: {size} {unit} are fewer than {least}".replace("  ", " ")
    if most is not None and size > most:
        yield f"{path}: {size} {unit} are more than {most}".replace("  ", " ")


def _shown(value) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
