"""Write the OpenAPI schema that `cog build` derives from predict.py and train.py, without Cog.

    python -m script.openapi_schema .cog/openapi_schema.json

Cog's server reads that file from its working directory. Without it a missing input is no error
and nothing streams. Like `cog build`, this reads the source and never imports it. Where Cog
leaves out, without a word, what it cannot read (a computed description, an aliased import),
this raises SchemaError.
"""

import argparse
import ast
import json
from pathlib import Path

from script.cog_document import PREDICTION, TRAINING, Json, make_title, write_document

PREDICTOR = Path(__file__).resolve().parents[1] / "predict.py"
TRAINER = PREDICTOR.with_name("train.py")

_SCALARS: dict[str, Json] = {
    "bool": {"type": "boolean"},
    "float": {"type": "number"},
    "int": {"type": "integer"},
    "str": {"type": "string"},
    "Path": {"format": "uri", "type": "string"},
}
# Arguments of Input() -> names in the schema; `default` and `choices` are handled apart.
_CONSTRAINTS = {
    "description": "description",
    "ge": "minimum",
    "le": "maximum",
    "max_length": "maxLength",
    "min_length": "minLength",
    "regex": "pattern",
}


class SchemaError(ValueError):
    """A source says something that `cog build` would refuse or silently leave out."""

    def __init__(self, node: ast.AST, message: str) -> None:
        line = getattr(node, "lineno", None)
        super().__init__(message if line is None else f"line {line}: {message}")


def schema(source: str, class_name: str = "Predictor") -> Json:
    """The OpenAPI document for the predictor class in `source`, the text of predict.py."""
    module = ast.parse(source)
    predictor = _find_class(module, class_name)
    method = _find_method(predictor)
    _check_imports(module, {n.id for n in ast.walk(predictor) if isinstance(n, ast.Name)})

    inputs, enums = _inputs(source, method, skipped=1)
    output = _output(module, method)
    streaming = any(_is_streaming(decorator) for decorator in method.decorator_list)
    if streaming and "x-cog-array-type" not in output:
        raise SchemaError(method, "@streaming needs the return type Iterator[...]")
    return write_document(PREDICTION, inputs, output, enums, streaming=streaming)


def training_schema(source: str, function_name: str = "train") -> Json:
    """The OpenAPI document for the function in `source`, the text of train.py."""
    module = ast.parse(source)
    function = _find_function(module, function_name)
    used = {node.id for node in ast.walk(module) if isinstance(node, ast.Name)}
    _check_imports(module, used)
    inputs, enums = _inputs(source, function)
    return write_document(TRAINING, inputs, _output(module, function), enums)


def merge(prediction: Json, training: Json) -> Json:
    """One document of both, as Cog merges them: what both have is the prediction's."""
    schemas = training["components"]["schemas"] | prediction["components"]["schemas"]
    paths = training["paths"] | prediction["paths"]
    return {**prediction, "components": {"schemas": schemas}, "paths": paths}


def write(path: Path, predictor: Path = PREDICTOR, trainer: Path | None = TRAINER) -> None:
    """Write the schema of the file `predictor` to `path`, compact as Cog writes it.

    trainer: the file of the function train, None for a model that is not trained; with it, Cog
    writes indented, and the names sorted.
    """
    document = schema(predictor.read_text(encoding="utf-8"))
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    if trainer is not None:
        merged = merge(document, training_schema(trainer.read_text(encoding="utf-8")))
        text = json.dumps(merged, indent=2, sort_keys=True, ensure_ascii=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _find_class(module: ast.Module, name: str) -> ast.ClassDef:
    for node in module.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node
    raise SchemaError(module, f"no class {name} at the top level")


def _find_method(predictor: ast.ClassDef) -> ast.FunctionDef:
    methods = [
        node
        for node in predictor.body
        if isinstance(node, ast.FunctionDef) and node.name in {"predict", "run"}
    ]
    if len(methods) != 1:
        raise SchemaError(predictor, f"{predictor.name} needs one method, predict or run")
    return methods[0]


def _find_function(module: ast.Module, name: str) -> ast.FunctionDef:
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node
    raise SchemaError(module, f"no function {name} at the top level")


def _check_imports(module: ast.Module, used: set[str]) -> None:
    """Cog's names must come from `from cog import ...` at the top level, under their own name."""
    imported: set[str] = set()
    for node in module.body:
        if isinstance(node, ast.ImportFrom) and node.module == "cog":
            for alias in node.names:
                if alias.asname is not None:
                    raise SchemaError(node, f"import {alias.name} under its own name")
                imported.add(alias.name)
    known = {"BaseModel", "BasePredictor", "Input", "Path", "streaming"}
    for name in sorted(known & used - imported):
        raise SchemaError(module, f"{name} must be imported by `from cog import {name}`")


def _inputs(source: str, method: ast.FunctionDef, skipped: int = 0) -> tuple[Json, Json]:
    """The schema of the inputs and one component for each input with choices.

    skipped: parameters that are none: self.
    """
    arguments = method.args
    if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs:
        raise SchemaError(method, "inputs must be plain parameters: no *, ** or /")
    names = arguments.args[skipped:]
    without_default = len(names) - len(arguments.defaults)

    properties: Json = {}
    required: list[str] = []
    enums: Json = {}
    for order, name in enumerate(names):
        call = arguments.defaults[order - without_default] if order >= without_default else None
        kind, nullable = _input_type(name)
        options = {} if call is None else _options(source, call)

        entry: Json = {"x-order": order}
        if "choices" in options:
            reference = {"$ref": f"#/components/schemas/{name.arg}"}
            entry["allOf"] = [reference]
            enums[name.arg] = {
                "description": "An enumeration.",
                "enum": options["choices"],
                "title": name.arg,
                "type": kind["type"],
            }
        else:
            entry |= kind | {"title": make_title(name.arg)}
        if nullable:
            entry["nullable"] = True
        # To Cog, None as the default of an input that cannot be None means "no default".
        if "default" in options and (nullable or options["default"] is not None):
            entry["default"] = options["default"]
        elif not nullable:
            required.append(name.arg)
        entry |= {_CONSTRAINTS[key]: options[key] for key in _CONSTRAINTS if key in options}
        properties[name.arg] = dict(sorted(entry.items()))

    inputs: Json = {"properties": properties, "type": "object"}
    if required:
        inputs["required"] = required
    return inputs, enums


def _input_type(argument: ast.arg) -> tuple[Json, bool]:
    """The schema of a parameter's type, and whether it may be None (`X | None`)."""
    annotation = argument.annotation
    nullable = False
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        sides = [annotation.left, annotation.right]
        rest = [s for s in sides if not (isinstance(s, ast.Constant) and s.value is None)]
        nullable = len(rest) == 1
        annotation = rest[0] if nullable else annotation
    if not isinstance(annotation, ast.Name) or annotation.id not in _SCALARS:
        known = ", ".join(_SCALARS)
        raise SchemaError(argument, f"type of {argument.arg}: one of {known}, or one `| None`")
    return _SCALARS[annotation.id], nullable


def _options(source: str, default: ast.expr) -> Json:
    """What the default of a parameter says: the arguments of Input(), or a plain value."""
    if not isinstance(default, ast.Call):
        return {"default": _literal(source, default)}
    if not isinstance(default.func, ast.Name) or default.func.id != "Input":
        raise SchemaError(default, "a default must be Input(...) or a literal")
    if default.args:
        raise SchemaError(default, "Cog reads the arguments of Input() by keyword only")
    options: Json = {}
    for keyword in default.keywords:
        if keyword.arg == "choices":
            if not isinstance(keyword.value, ast.List):
                raise SchemaError(keyword.value, "choices must be a list of literals")
            options["choices"] = [_literal(source, item) for item in keyword.value.elts]
        elif keyword.arg == "default" or keyword.arg in _CONSTRAINTS:
            options[keyword.arg] = _literal(source, keyword.value)
        else:
            raise SchemaError(default, f"Input() with {keyword.arg or '**'} is not handled here")
    return options


def _literal(source: str, node: ast.expr) -> str | int | float | bool | None:
    """The value of a literal that Cog reads as Python does."""
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node, sign = node.operand, -1
        if not (isinstance(node, ast.Constant) and type(node.value) in {int, float}):
            raise SchemaError(node, "only a number can be negative")
    if not isinstance(node, ast.Constant):
        raise SchemaError(node, "Cog drops what is not a literal: no f-string, name or call")
    value = node.value
    if isinstance(value, str):
        # Cog copies what stands between the quotes, escapes and all.
        written = ast.get_source_segment(source, node)
        if written is None or written[1:-1] != value:
            raise SchemaError(
                node, "a string must be one piece: no escapes, prefix or triple quotes"
            )
        return value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return sign * value
    raise SchemaError(node, f"a {type(value).__name__} has no place in a schema")


def _output(module: ast.Module, method: ast.FunctionDef) -> Json:
    annotation = method.returns
    if isinstance(annotation, ast.Name) and annotation.id not in _SCALARS:
        for node in module.body:
            if isinstance(node, ast.ClassDef) and node.name == annotation.id:
                return _model(node)
    if isinstance(annotation, ast.Name) and annotation.id in _SCALARS:
        return dict(sorted({**_SCALARS[annotation.id], "title": "Output"}.items()))
    if (
        isinstance(annotation, ast.Subscript)
        and isinstance(annotation.value, ast.Name)
        and annotation.value.id in {"Iterator", "list"}
        and isinstance(annotation.slice, ast.Name)
        and annotation.slice.id in _SCALARS
    ):
        output: Json = {"items": _SCALARS[annotation.slice.id], "title": "Output", "type": "array"}
        if annotation.value.id == "Iterator":
            output["x-cog-array-type"] = "iterator"
        return output
    raise SchemaError(
        annotation or method, f"return type of {method.name}: Iterator[X], list[X] or X"
    )


def _model(model: ast.ClassDef) -> Json:
    """The schema of a class of Cog's BaseModel with plain fields."""
    bases = [base.id for base in model.bases if isinstance(base, ast.Name)]
    if bases != ["BaseModel"]:
        raise SchemaError(model, f"{model.name} must be a BaseModel, and nothing else")
    properties: Json = {}
    for node in model.body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # the docstring
        if (
            not isinstance(node, ast.AnnAssign)
            or not isinstance(node.target, ast.Name)
            or not isinstance(node.annotation, ast.Name)
            or node.annotation.id not in _SCALARS
            or node.value is not None
        ):
            raise SchemaError(node, f"a field of {model.name}: NAME: TYPE, one of the plain types")
        name = node.target.id
        properties[name] = {**_SCALARS[node.annotation.id], "title": make_title(name)}
    return {
        "properties": properties,
        "required": list(properties),
        "title": "Output",
        "type": "object",
    }


def _is_streaming(decorator: ast.expr) -> bool:
    name = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(name, ast.Name) and name.id == "streaming"


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Write the OpenAPI schema that `cog build` derives of predict.py and train.py."
    )
    parser.add_argument("path", type=Path, help="where to, .cog/openapi_schema.json for the server")
    write(parser.parse_args().path)


if __name__ == "__main__":
    main()
