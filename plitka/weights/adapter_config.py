"""PEFT's configuration of an adapter: alphas and ranks, which its tensors do not hold.

PEFT writes it as adapter_config.json beside the file; diffusers writes it into the file's notes, a
set of fields for each component.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plitka.errors import WeightsError
from plitka.weights.header import Header
from plitka.weights.json_text import parse_json, show
from plitka.weights.patterns import PatternError, fits

CONFIG_FILE = "adapter_config.json"
_NOTES = "lora_adapter_metadata"
_ON_THE_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Ways to begin a LoRA that change the base's own weights, which its file does not hold."""
_UNREAD = (
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "layer_replication",
    "modules_to_save",
    "monteclora_config",
    "target_parameters",
    "trainable_token_indices",
    "use_bdlora",
    "use_qalora",
    "velora_config",
)
_MOST_ALPHA = 1e6
_ALPHA = {"LORA": "lora_alpha", "LOHA": "alpha", "LOKR": "alpha"}


@dataclass(frozen=True)
class Scale:
    """What a configuration says of one module: alpha / rank, or by the root of the rank.

    rank: None where it does not say it.
    """

    alpha: float
    rank: int | None
    by_root: bool


@dataclass(frozen=True)
class AdapterConfig:
    """The configuration of a whole file. by_component: whether fields begin with a component."""

    title: str
    values: Mapping[str, Any]
    by_component: bool

    def list_fields(self, component: str) -> Mapping[str, Any]:
        """The fields for one component; none where the configuration is not about it."""
        if not self.by_component:
            return self.values
        prefix = f"{component}."
        return {
            name.removeprefix(prefix): value
            for name, value in self.values.items()
            if name.startswith(prefix)
        }

    def find_scale(self, component: str, layer: str | None, method: str) -> Scale | None:
        """The scale of one module; None where the configuration is not about its component.

        layer: the module as PEFT knew it. method: PEFT's name, LORA, LOHA or LOKR. Raises
        WeightsError for a configuration of another method, or without the fields.
        """
        fields = self.list_fields(component)
        if not fields:
            return None
        said = fields.get("peft_type", method)
        if said != method:
            raise self._make_error(f"says {show(said)}, and the file is a {method}")
        alpha = self._find(fields, _ALPHA[method], "alpha_pattern", layer)
        if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not _is_sane(alpha):
            raise self._make_error(f"says {show(alpha)} as {_ALPHA[method]}, not a number")
        rank = self._find(fields, "r", "rank_pattern", layer)
        if rank is not None and (isinstance(rank, bool) or not isinstance(rank, int) or rank < 1):
            raise self._make_error(f"says {show(rank)} as its rank")
        return Scale(float(alpha), rank, bool(fields.get("use_rslora")))

    def _find(
        self, fields: Mapping[str, Any], name: str, patterns_name: str, layer: str | None
    ) -> Any:
        """The value for one layer: of the first pattern that fits, as in PEFT, else for all."""
        patterns = fields.get(patterns_name) or {}
        if not isinstance(patterns, dict):
            raise self._make_error(f"has {show(patterns)} as {patterns_name}")
        if patterns and layer is None:
            raise self._make_error(f"has {patterns_name}, and the file's names are not PEFT's")
        for pattern, own in patterns.items():
            try:
                if fits(rf"(.*\.)?({pattern})", layer or ""):
                    return own
            except PatternError:
                raise self._make_error(
                    f"has {show(pattern)} in {patterns_name}, which is no pattern"
                ) from None
        return fields.get(name)

    def refuse_unread(self) -> None:
        """Raise WeightsError for what PEFT can do and is not read here."""
        for name, value in self.values.items():
            field = name.rpartition(".")[2]
            if field in _UNREAD and value:
                raise self._make_error(f"sets {field}, which is not read")
            if field == "init_lora_weights" and str(value).lower().startswith(_ON_THE_BASE):
                raise self._make_error(
                    f"says {show(value)}, which changes the base model's own weights as well"
                )

    def _make_error(self, state: str) -> WeightsError:
        return WeightsError(
            f"{self.title}: its configuration {state}; take {CONFIG_FILE} and the file as PEFT"
            " saved them together, converted to a plain LoRA where it is none"
        )


def _is_sane(number: float) -> bool:
    """Whether a number can be an alpha: an integer may be too large for any float."""
    return abs(number) <= _MOST_ALPHA  # NaN is not, either


def find_config(header: Header, beside: Mapping[str, Any] | None) -> AdapterConfig | None:
    """The configuration of a file: in its own notes, or beside it; None where there is none."""
    notes = header.metadata.get(_NOTES)
    if notes is None:
        return None if beside is None else AdapterConfig(header.title, beside, False)
    try:
        values = parse_json(notes)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise WeightsError(f"{header.title}: its notes ({_NOTES}) are not JSON; copy it again")
    return AdapterConfig(header.title, values, True)
