"""script/openapi_schema.py writes what `cog build` would write, or says why it cannot."""

import inspect
import json
from pathlib import Path

import pytest

import train
from plitka.training import options
from script import openapi_schema
from script.openapi_schema import SchemaError, schema, training_schema

# Written by Cog's own command line for PREDICT.
FROM_COG = Path(__file__).with_name("openapi_schema.json")
PREDICT = """
from collections.abc import Iterator
from cog import BasePredictor, Input, Path, streaming
class Predictor(BasePredictor):
    def setup(self, weights: Path | None = None) -> None: ...
    @streaming
    def predict(
        self, params_json: str = Input(description="JSON object of parameters")
    ) -> Iterator[Path]: ...
"""


def with_inputs(inputs: str, returns: str = "Path") -> str:
    return f"""
from cog import BasePredictor, Input, Path
class Predictor(BasePredictor):
    def predict(self, {inputs}) -> {returns}: ...
"""


def test_equals_what_cogs_command_line_writes() -> None:
    assert schema(PREDICT) == json.loads(FROM_COG.read_text())


def test_predict_py_has_one_required_string_and_streams(tmp_path: Path) -> None:
    written = tmp_path / ".cog" / "openapi_schema.json"
    openapi_schema.write(written)
    document = json.loads(written.read_text())

    inputs = document["components"]["schemas"]["Input"]
    assert list(inputs["properties"]) == inputs["required"] == ["params_json"]
    assert inputs["properties"]["params_json"]["type"] == "string"
    assert document["paths"]["/predictions"]["post"]["x-cog-streaming"] is True


def test_constraints_defaults_and_choices() -> None:
    schemas = schema(
        with_inputs(
            'seed: int = Input(description="seed", default=-1, ge=-1, le=9), '
            'quality: str = Input(choices=["low", "high"], default="low"), '
            "mask: Path | None = None, scale: float = Input(default=None)"
        )
    )["components"]["schemas"]

    assert schemas["Input"] == {
        "properties": {
            "seed": {
                "default": -1,
                "description": "seed",
                "maximum": 9,
                "minimum": -1,
                "title": "Seed",
                "type": "integer",
                "x-order": 0,
            },
            "quality": {
                "allOf": [{"$ref": "#/components/schemas/quality"}],
                "default": "low",
                "x-order": 1,
            },
            "mask": {
                "default": None,
                "format": "uri",
                "nullable": True,
                "title": "Mask",
                "type": "string",
                "x-order": 2,
            },
            "scale": {"title": "Scale", "type": "number", "x-order": 3},
        },
        "required": ["scale"],
        "title": "Input",
        "type": "object",
    }
    assert schemas["quality"] == {
        "description": "An enumeration.",
        "enum": ["low", "high"],
        "title": "quality",
        "type": "string",
    }
    assert schemas["Output"] == {"format": "uri", "title": "Output", "type": "string"}


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (PREDICT.replace("Input, Path", "Input as In, Path"), "under its own name"),
        (PREDICT.replace("Input, Path", "Path"), "from cog import Input"),
        (PREDICT.replace('"JSON', 'f"JSON'), "no f-string"),
        (PREDICT.replace('"JSON object', '"JSON" " object'), "one piece"),
        (PREDICT.replace("JSON object", r"a \"JSON\" object"), "one piece"),
        (PREDICT.replace("description=", ""), "by keyword only"),
        (PREDICT.replace("description=", "**"), "not handled"),
        (PREDICT.replace("Iterator[Path]", "Generator[Path, None, None]"), "return type"),
        (PREDICT.replace("Iterator[Path]", "list[Path]"), "@streaming needs"),
        (PREDICT.replace("params_json: str", "params_json"), "type of params_json"),
        (PREDICT.replace("class Predictor", "class Other"), "no class Predictor"),
        (with_inputs("quality: str = Input(choices=list(QUALITIES))"), "list of literals"),
        (with_inputs("quality: str = Input(choices=[LOW])"), "no f-string, name or call"),
        (with_inputs("quality: str = cog.Input()"), "must be Input(...)"),
        (with_inputs("*, quality: str"), "plain parameters"),
    ],
)
def test_what_cog_drops_or_refuses_is_an_error(source: str, complaint: str) -> None:
    with pytest.raises(SchemaError) as error:
        schema(source)
    assert complaint in str(error.value)


# Trainings

TRAIN = """
from cog import BaseModel, Input, Path
class TrainingOutput(BaseModel):
    weights: Path
def train(images: Path = Input(description="Photographs"), steps: int = 0) -> TrainingOutput: ...
"""


def test_a_training_is_described_as_cogs_generator_does() -> None:
    """pkg/schema/openapi_spec.go of replicate/cog at 6110c91: names, titles, what is required."""
    document = training_schema(TRAIN)
    schemas = document["components"]["schemas"]
    assert schemas["TrainingInput"] == {
        "properties": {
            "images": {
                "description": "Photographs",
                "format": "uri",
                "title": "Images",
                "type": "string",
                "x-order": 0,
            },
            "steps": {"default": 0, "title": "Steps", "type": "integer", "x-order": 1},
        },
        "required": ["images"],
        "title": "TrainingInput",
        "type": "object",
    }
    assert schemas["TrainingOutput"] == {
        "properties": {"weights": {"format": "uri", "title": "Weights", "type": "string"}},
        "required": ["weights"],
        "title": "Output",
        "type": "object",
    }
    reference = {"$ref": "#/components/schemas/TrainingInput"}
    assert schemas["TrainingRequest"]["properties"]["input"] == reference
    assert schemas["TrainingResponse"]["properties"]["input"] == reference
    post = document["paths"]["/trainings"]["post"]
    assert (post["summary"], post["operationId"]) == ("Train", "train_trainings_post")
    assert post["description"] == "Run a single training on the model"
    cancel = document["paths"]["/trainings/{training_id}/cancel"]["post"]
    assert cancel["operationId"] == "cancel_trainings__training_id__cancel_post"
    assert cancel["parameters"][0]["schema"] == {"title": "Training Id", "type": "string"}


def test_both_are_merged_and_what_predictions_say_stays(tmp_path: Path) -> None:
    written = tmp_path / "openapi_schema.json"
    openapi_schema.write(written)
    merged = json.loads(written.read_text())
    alone = schema(openapi_schema.PREDICTOR.read_text())
    assert list(merged) == sorted(merged)
    for part, whole in (
        (alone["paths"], merged["paths"]),
        (alone["components"]["schemas"], merged["components"]["schemas"]),
    ):
        assert part.items() <= whole.items()
    assert set(merged["paths"]) - set(alone["paths"]) == {
        "/trainings",
        "/trainings/{training_id}/cancel",
    }


def test_train_py_says_of_each_input_what_it_takes() -> None:
    document = training_schema(openapi_schema.TRAINER.read_text())
    inputs = document["components"]["schemas"]["TrainingInput"]["properties"]
    assert list(inputs) == list(inspect.signature(train.train).parameters)
    assert inputs["rank"]["maximum"] == options.MOST_RANK
    assert inputs["augment"]["maximum"] == options.MOST_AUGMENTED
    assert inputs["steps"]["maximum"] <= options.MOST_STEPS
    captions = document["components"]["schemas"]["captions"]
    assert captions["enum"] == list(options.CAPTIONS)
    usual = options.TrainingOptions()
    for name in ("steps", "seed", "rank", "captions", "augment"):
        assert inputs[name]["default"] == getattr(usual, name), name


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (TRAIN.replace("def train", "def learn"), "no function train"),
        (TRAIN.replace("(BaseModel)", ""), "must be a BaseModel"),
        (TRAIN.replace("weights: Path", "weights: Path = 1"), "a field of TrainingOutput"),
        (TRAIN.replace("weights: Path", "weights: list[Path]"), "a field of TrainingOutput"),
        (TRAIN.replace("import BaseModel, ", "import "), "from cog import BaseModel"),
        (TRAIN.replace("-> TrainingOutput", "-> Other"), "return type"),
    ],
)
def test_what_cog_would_drop_of_a_training_is_an_error(source: str, complaint: str) -> None:
    with pytest.raises(SchemaError) as error:
        training_schema(source)
    assert complaint in str(error.value)
