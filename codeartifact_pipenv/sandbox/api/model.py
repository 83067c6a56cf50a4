"""Requests read and answers written as botocore's service model of CodeArtifact says.

Clients check little of the model themselves (of the constraints of a text only its shortest
length), so AWS does, and the sandbox too.
"""

from __future__ import annotations

import json
import re
import unicodedata
import uuid
from functools import cache
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Response

from codeartifact_pipenv.sandbox.api.errors import ServiceError, invalid, misfit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from botocore.model import OperationModel, ServiceModel, Shape

    Document = dict[str, Any]

_FAULTS = {429: "ThrottlingException", 500: "InternalServerException"}
_FORBIDDEN = 403
# Java's character classes in the model's patterns, for texts in which every character of
# Unicode's category C that is not white space was replaced by NUL.
_JAVA_CLASSES = (
    (r"[\P{C}\s]", r"[^\0]"),
    (r"\P{C}", r"[^\0\t-\r\x1c-\x1f\x85]"),
    (r"\p{C}", r"\0"),
    (r"\p{IsWhitespace}", r"\s"),
)


def find_operation(method: str, path: str) -> OperationModel | None:
    """Return the operation of a request; None if CodeArtifact has none there."""
    name = _routes().get((method, path))
    return None if name is None else _service().operation_model(name)


def read_request(operation: OperationModel, query: Mapping[str, str], data: bytes) -> Document:
    """Return the members of an operation's input by their names in the model.

    Args:
        operation: what is asked for.
        query: the query's parameters.
        data: the body.

    Raises:
        ServiceError: the body is not a JSON object, or a member breaks the model.
    """
    body, given = _parse(data), {}
    shape = operation.input_shape
    for name, member in shape.members.items():
        if member.serialization.get("location") == "querystring":
            value = _from_text(name, member, query.get(member.serialization["name"]))
        else:
            value = body.get(name)
        if value is not None:
            given[name] = _check(name, member, value)
        elif name in shape.required_members:
            raise misfit(name, None, "not be null")
    return given


def write_answer(operation: OperationModel, document: Document) -> Response:
    """Return the answer to an operation; members that the model does not know are left out."""
    return _respond(200, _write(operation.output_shape, document))


def write_error(error: ServiceError) -> Response:
    """Return an error in the wire form of a rest-json service."""
    known = error.code in _service().shape_names
    shape: Any = _service().shape_for(error.code) if known else None
    status = shape.metadata["error"]["httpStatusCode"] if known else _FORBIDDEN
    headers = {
        shape.members[name].serialization["name"]: str(value)
        for name, value in error.members.items()
        if shape.members[name].serialization.get("location") == "header"
    }
    body = {"message": error.message, **(error.members if not headers else {})}
    answer = _respond(status, body)
    answer.headers["x-amzn-errortype"] = error.code
    answer.headers.extend(headers)
    return answer


def write_fault(status: int) -> Response:
    """Return what a service in trouble answers: its own error, or a bare status."""
    if status in _FAULTS:
        return write_error(ServiceError(_FAULTS[status], "The service is in trouble."))
    return Response("The service is in trouble.\n", status, content_type="text/plain")


@cache
def _service() -> ServiceModel:
    from botocore.loaders import create_loader
    from botocore.model import ServiceModel

    return ServiceModel(
        create_loader().load_service_model("codeartifact", "service-2"), "codeartifact"
    )


@cache
def _routes() -> dict[tuple[str, str], str]:
    # (None of CodeArtifact's URI templates has a label.)
    operations = map(_service().operation_model, _service().operation_names)
    return {(one.http["method"], one.http["requestUri"]): one.name for one in operations}


def _respond(status: int, document: Document) -> Response:
    answer = Response(json.dumps(document), status, content_type="application/json")
    answer.headers["x-amzn-RequestId"] = str(uuid.uuid4())
    return answer


def _parse(data: bytes) -> Document:
    try:
        document = json.loads(data or b"{}")
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise invalid("The request's body cannot be parsed.", "CANNOT_PARSE")
    return document


def _from_text(name: str, shape: Shape, text: str | None) -> object:
    if text is None or shape.type_name == "string":
        return text
    if shape.type_name == "boolean":
        return text == "true"
    if re.fullmatch("-?[0-9]{1,18}", text) is None:
        raise misfit(name, text, "be a number")
    return int(text)


def _check(name: str, shape: Any, value: Any) -> Any:
    """Return a member's value; members of structures that the model does not know are dropped."""
    kind, check = _KINDS[shape.type_name]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise misfit(name, value, f"be a {shape.type_name}")
    return check(name, shape, value)


def _check_text(name: str, shape: Any, value: str) -> str:
    about = shape.metadata
    if shape.enum and value not in shape.enum:
        raise misfit(name, value, f"satisfy enum value set: [{', '.join(shape.enum)}]")
    _check_bounds(name, shape, value, len(value), "length")
    pattern = about.get("pattern")
    if pattern is not None and not _fits(pattern, value):
        raise misfit(name, value, f"satisfy regular expression pattern: {pattern}")
    return value


def _check_number(name: str, shape: Any, value: int) -> int:
    _check_bounds(name, shape, value, value, "value")
    return value


def _check_list(name: str, shape: Any, value: list[Any]) -> list[Any]:
    _check_bounds(name, shape, value, len(value), "length")
    return [_check(name, shape.member, each) for each in value]


def _check_map(name: str, shape: Any, value: Document) -> Document:
    return {
        _check(name, shape.key, key): _check(name, shape.value, each) for key, each in value.items()
    }


def _check_structure(name: str, shape: Any, value: Document) -> Document:
    for required in shape.required_members:
        if value.get(required) is None:
            raise misfit(f"{name}.{required}", None, "not be null")
    return {
        each: _check(each, member, value[each])
        for each, member in shape.members.items()
        if value.get(each) is not None
    }


def _check_bounds(name: str, shape: Any, value: object, measured: int, what: str) -> None:
    lowest, highest = shape.metadata.get("min"), shape.metadata.get("max")
    if lowest is not None and measured < lowest:
        raise misfit(name, value, f"have {what} greater than or equal to {lowest}")
    if highest is not None and measured > highest:
        raise misfit(name, value, f"have {what} less than or equal to {highest}")


_KINDS: dict[str, tuple[type, Callable[[str, Any, Any], Any]]] = {
    "string": (str, _check_text),
    "integer": (int, _check_number),
    "long": (int, _check_number),
    "boolean": (bool, lambda _name, _shape, value: value),
    "list": (list, _check_list),
    "map": (dict, _check_map),
    "structure": (dict, _check_structure),
}


def _fits(pattern: str, value: str) -> bool:
    for java, python in _JAVA_CLASSES:
        pattern = pattern.replace(java, python)
    plain = (
        "\0" if unicodedata.category(each).startswith("C") and not each.isspace() else each
        for each in value
    )
    return re.fullmatch(pattern, "".join(plain)) is not None


def _write(shape: Any, value: Any) -> Any:
    if shape.type_name == "structure":
        return {
            name: _write(shape.members[name], each)
            for name, each in value.items()
            if each is not None and name in shape.members
        }
    if shape.type_name == "list":
        return [_write(shape.member, each) for each in value]
    if shape.type_name == "map":
        return {key: _write(shape.value, each) for key, each in value.items()}
    return value
