"""Validates requests and writes answers by botocore's service model of CodeArtifact.

botocore validates types, required members and minima. This module checks maxima, enums and
patterns, as the service does.
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
    from collections.abc import Mapping

    from botocore.model import OperationModel, ServiceModel, Shape

    Document = dict[str, Any]

_FAULTS = {429: "ThrottlingException", 500: "InternalServerException"}
_FORBIDDEN = 403
# Python equivalents of the model's Java character classes. Before matching, characters of
# Unicode's category C, except white space, are replaced by NUL.
_JAVA_CLASSES = (
    (r"[\P{C}\s]", r"[^\0]"),
    (r"\P{C}", r"[^\0\t-\r\x1c-\x1f\x85]"),
    (r"\p{C}", r"\0"),
    (r"\p{IsWhitespace}", r"\s"),
)


def find_operation(method: str, path: str) -> OperationModel | None:
    """Return the operation of a request, or None if CodeArtifact has no such route."""
    name = _routes().get((method, path))
    return None if name is None else _service().operation_model(name)


def read_request(operation: OperationModel, query: Mapping[str, str], data: bytes) -> Document:
    """Return an operation's input by the names of the model.

    Raises:
        ServiceError: the body is not a JSON object, or a member is invalid.
    """
    from botocore.validate import ParamValidator

    body, shape = _parse(data), operation.input_shape
    found = {name: _sent(name, member, query, body) for name, member in shape.members.items()}
    given = {name: value for name, value in found.items() if value is not None}
    errors = ParamValidator().validate(given, shape)
    if errors.has_errors():
        raise invalid(errors.generate_report(), "FIELD_VALIDATION_FAILED")
    _check("", shape, given)
    return given


def write_answer(document: Document) -> Response:
    """Return the answer to an operation; clients treat null like a missing member."""
    return _respond(200, document)


def write_error(error: ServiceError) -> Response:
    """Return an error in the rest-json format."""
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
    """Return the answer to an injected status: a modelled error or plain text."""
    if status in _FAULTS:
        return write_error(ServiceError(_FAULTS[status], "Service unavailable."))
    return Response("Service unavailable.\n", status, content_type="text/plain")


@cache
def _service() -> ServiceModel:
    from botocore.loaders import create_loader
    from botocore.model import ServiceModel

    return ServiceModel(
        create_loader().load_service_model("codeartifact", "service-2"), "codeartifact"
    )


@cache
def _routes() -> dict[tuple[str, str], str]:
    # CodeArtifact's URI templates have no labels.
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
        raise invalid("The request body cannot be parsed.", "CANNOT_PARSE")
    return document


def _sent(name: str, shape: Shape, query: Mapping[str, str], body: Document) -> object:
    if shape.serialization.get("location") != "querystring":
        return body.get(name)
    text = query.get(shape.serialization["name"])
    if text is None or shape.type_name == "string":
        return text
    if re.fullmatch("-?[0-9]{1,18}", text) is None:
        raise misfit(name, text, "be a number")
    return int(text)


def _check(name: str, shape: Any, value: Any) -> None:
    if shape.type_name == "structure":
        for member, each in value.items():
            _check(member, shape.members[member], each)
    elif shape.type_name == "list":
        for each in value:
            _check(name, shape.member, each)
    elif shape.type_name == "map":
        for key, each in value.items():
            _check(name, shape.key, key)
            _check(name, shape.value, each)
    elif shape.type_name == "string":
        _check_text(name, shape, value)
    highest, measured = shape.metadata.get("max"), value if isinstance(value, int) else len(value)
    if highest is not None and measured > highest:
        raise misfit(name, value, f"have a size less than or equal to {highest}")


def _check_text(name: str, shape: Any, value: str) -> None:
    if shape.enum and value not in shape.enum:
        raise misfit(name, value, f"satisfy enum value set: [{', '.join(shape.enum)}]")
    pattern = shape.metadata.get("pattern")
    if pattern is not None and not _fits(pattern, value):
        raise misfit(name, value, f"satisfy regular expression pattern: {pattern}")


def _fits(pattern: str, value: str) -> bool:
    for java, python in _JAVA_CLASSES:
        pattern = pattern.replace(java, python)
    plain = (
        "\0" if unicodedata.category(each).startswith("C") and not each.isspace() else each
        for each in value
    )
    return re.fullmatch(pattern, "".join(plain)) is not None
