"""How a model was trained to see noise: what it predicts of it, and whether to the end of it.

A model that predicts v and is drawn as one that predicts the noise gives gray mush, without an
error. Folders say it in scheduler_config.json; checkpoints by tensors without content, `v_pred` and
`ztsnr`, which ComfyUI and A1111 read as well, or in their notes (ModelSpec's prediction_type).
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from plitka.errors import WeightsError
from plitka.weights.header import Header
from plitka.weights.sdxl_architecture import NOISE_SCHEDULE, Config

Prediction: TypeAlias = Literal["epsilon", "v_prediction"]


@dataclass(frozen=True)
class Noise:
    """What a model predicts, and whether its noisiest step is noise alone (zero-terminal SNR).

    marks: the tensors of a checkpoint that say so.
    """

    prediction: Prediction = "epsilon"
    is_zero_terminal: bool = False
    marks: tuple[str, ...] = ()


_V, _ZERO_TERMINAL = "v_pred", "ztsnr"


def read_marks(header: Header, configured: Noise, remedy: str) -> Noise:
    """Read what a checkpoint says of itself. configured: what is beside it says.

    Raises WeightsError for marks that contradict each other.
    """
    marks = tuple(name for name in (_V, _ZERO_TERMINAL) if name in header.shapes)
    noted = {
        header.metadata.get(name, "").lower()
        for name in ("modelspec.prediction_type", "modelspec.predict_key", "prediction_type")
    }
    predicts_v = _V in marks or bool(noted & {"v", "v_prediction", "v-prediction"})
    return _make_noise(
        "v_prediction" if predicts_v else configured.prediction,
        _ZERO_TERMINAL in marks or configured.is_zero_terminal,
        marks,
        header.title,
        remedy,
    )


def read_scheduler(config: Config, title: str, remedy: str) -> Noise:
    """Read a scheduler's configuration: what of it is the model's, and not the sampler's.

    Raises WeightsError for noise that SDXL's sampler does not follow.
    """
    kind = str(config.get("_class_name", ""))
    if "EDM" in kind or "FlowMatch" in kind or config.get("use_flow_sigmas"):
        raise WeightsError(
            f"{title}: a {kind}, for models such as Playground 2.5 and CosXL, which are not drawn;"
            f" {remedy}"
        )
    for name, expected in NOISE_SCHEDULE.items():
        if config.get(name, expected) != expected:
            raise WeightsError(
                f"{title}: {name} is {config[name]}, and SDXL's is {expected}, so it would draw"
                f" something else; {remedy}"
            )
    prediction = config.get("prediction_type", "epsilon")
    if prediction not in ("epsilon", "v_prediction"):
        raise WeightsError(
            f"{title}: prediction_type is {prediction}, and epsilon and v_prediction are drawn;"
            f" {remedy}"
        )
    is_zero_terminal = bool(config.get("rescale_betas_zero_snr"))
    return _make_noise(prediction, is_zero_terminal, (), title, remedy)


def _make_noise(
    prediction: Prediction,
    is_zero_terminal: bool,
    marks: tuple[str, ...],
    title: str,
    remedy: str,
) -> Noise:
    """Raises WeightsError where the two cannot go together: noise alone tells nothing of itself."""
    if is_zero_terminal and prediction == "epsilon":
        raise WeightsError(
            f"{title}: says zero-terminal SNR ({_ZERO_TERMINAL}, rescale_betas_zero_snr) without"
            f" v-prediction, and only with both a model can draw from noise alone; {remedy}"
        )
    return Noise(prediction, is_zero_terminal, marks)
