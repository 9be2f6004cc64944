"""The parts of Cog's OpenAPI document that are the same for every predictor and trainer."""

from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


def make_title(name: str) -> str:
    """Make the title of a name, as Cog does: "params_json" is "Params Json"."""
    return " ".join(part[:1].upper() + part[1:] for part in name.split("_"))


@dataclass(frozen=True)
class Mode:
    """How Cog names what a prediction, or a training, has in its document.

    what: "prediction". verb: "predict". prefix: of Input and Output.
    """

    what: str
    verb: str
    prefix: str

    @property
    def title(self) -> str:
        """What names of schemas begin with."""
        return self.what.capitalize()


PREDICTION = Mode("prediction", "predict", "")
TRAINING = Mode("training", "train", "Training")


def write_document(
    mode: Mode, inputs: Json, output: Json, enums: Json, *, streaming: bool = False
) -> Json:
    """The parts of the document that are the same for every predictor, around those that are not.

    The order of the keys is Cog's.
    """
    input_name, output_name = f"{mode.prefix}Input", f"{mode.prefix}Output"
    run: Json = {
        "description": f"Run a single {mode.what} on the model",
        "operationId": f"{mode.verb}_{mode.what}s_post",
        "requestBody": {"content": _json_content(_ref(f"{mode.title}Request"))},
        "responses": {
            "200": _response(_ref(f"{mode.title}Response")),
            "422": _response(_ref("HTTPValidationError"), "Validation Error"),
        },
        "summary": mode.verb.capitalize(),
    }
    if streaming:
        run["x-cog-streaming"] = True
    identifier = f"{mode.what}_id"
    cancel: Json = {
        "operationId": f"cancel_{mode.what}s__{identifier}__cancel_post",
        "parameters": [
            {
                "in": "path",
                "name": identifier,
                "required": True,
                "schema": _string(make_title(identifier)),
            }
        ],
        "responses": {
            "200": _response({}),
            "422": _response(_ref("HTTPValidationError"), "Validation Error"),
        },
        "summary": "Cancel",
    }
    return {
        "components": {
            "schemas": {
                input_name: dict(sorted({**inputs, "title": input_name}.items())),
                output_name: output,
                **enums,
                **_common_schemas(mode, input_name, output_name),
            }
        },
        "info": {"title": "Cog", "version": "dev"},
        "openapi": "3.0.2",
        "paths": {
            "/": {"get": _get("root__get", "Root")},
            "/health-check": {"get": _get("healthcheck_health_check_get", "Healthcheck")},
            f"/{mode.what}s": {"post": run},
            f"/{mode.what}s/{{{identifier}}}/cancel": {"post": cancel},
        },
    }


def _common_schemas(mode: Mode, input_name: str, output_name: str) -> Json:
    response = {
        "completed_at": {"format": "date-time", **_string("Completed At")},
        "created_at": {"format": "date-time", **_string("Created At")},
        "error": _string("Error"),
        "id": _string("Id"),
        "input": _ref(input_name),
        "logs": _string("Logs"),
        "metrics": {"title": "Metrics", "type": "object"},
        "output": _ref(output_name),
        "started_at": {"format": "date-time", **_string("Started At")},
        "status": _string("Status"),
        "version": _string("Version"),
    }
    error = {
        "loc": {
            "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            "title": "Location",
            "type": "array",
        },
        "msg": _string("Message"),
        "type": _string("Error Type"),
    }
    detail = {"items": _ref("ValidationError"), "title": "Detail", "type": "array"}
    return {
        f"{mode.title}Request": _object(
            f"{mode.title}Request", {"id": _string("Id"), "input": _ref(input_name)}
        ),
        f"{mode.title}Response": _object(f"{mode.title}Response", response),
        "Status": {
            "description": "An enumeration.",
            "enum": ["starting", "processing", "succeeded", "canceled", "failed"],
            **_string("Status"),
        },
        "HTTPValidationError": _object("HTTPValidationError", {"detail": detail}),
        "ValidationError": {
            "properties": error,
            "required": ["loc", "msg", "type"],
            "title": "ValidationError",
            "type": "object",
        },
    }


def _string(title: str) -> Json:
    return {"title": title, "type": "string"}


def _object(title: str, properties: Json) -> Json:
    return {"properties": properties, "title": title, "type": "object"}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _json_content(content: Json) -> Json:
    return {"application/json": {"schema": content}}


def _response(content: Json, description: str = "Successful Response") -> Json:
    return {"content": _json_content(content), "description": description}


def _get(operation: str, summary: str) -> Json:
    return {"operationId": operation, "responses": {"200": _response({})}, "summary": summary}
