"""The engine's own loop: with nothing left out it is diffusers' pipelines, to the bit."""

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from plitka.bench import random_models
from plitka.cli import main
from plitka.engines.sdxl import sampling
from plitka.engines.sdxl.guidance import Step, plan_steps
from plitka.engines.sdxl.options import EVERYWHERE, PLAIN, Interval, Options, read_options
from plitka.engines.sdxl.text_encoding import PromptEmbeddings
from plitka.engines.sdxl.text_keys import keep_text_keys
from plitka.errors import EngineError
from plitka.request.plan import Plan, make_plan
from plitka.tile.layout import lay
from tests.conftest import LoadSdxl
from tests.support.drawing import draw
from tests.support.recipes import parse, request
from tests.support.settings import load_engine
from tests.support.small_sdxl import SmallSdxl

SIZE, STEPS = 128, 6
PIPELINES = {
    (False, False): diffusers.StableDiffusionXLPipeline,
    (False, True): diffusers.StableDiffusionXLImg2ImgPipeline,
    (True, False): diffusers.StableDiffusionXLControlNetPipeline,
    (True, True): diffusers.StableDiffusionXLControlNetImg2ImgPipeline,
}


@pytest.fixture(scope="module")
def engine(small_sdxl: SmallSdxl) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in small_sdxl.settings().items():
            patch.setenv(name, value)
        return load_engine("sdxl")


def planned(angle: float = 0, **over: object) -> Plan:
    body = json.loads(request({"red": 60, "white": 40}, angle))
    return make_plan(parse(json.dumps({**body, "overrides": over})))


def drawn(engine: Any, settled: Plan, options: Options = PLAIN) -> Any:
    engine.options = options
    return draw(engine, settled, SIZE, STEPS)


def by_diffusers(engine: Any, settled: Plan, **more: object) -> NDArray[np.uint8]:
    """The same picture by the library's own pipeline, of the same modules."""
    guides = engine.make_guides(settled, lay(settled.recipe), SIZE)
    components = dict(engine.pipe.components)
    controlled = settled.control.kind is not None
    arguments: dict[str, Any] = {}
    if controlled:
        assert settled.control.kind is not None
        components["controlnet"] = engine.controlnets.get(settled.control.kind, "cpu")
        name = "image" if settled.strength is None else "control_image"
        arguments[name] = Image.fromarray(guides.edges)
        arguments["controlnet_conditioning_scale"] = settled.controlnet_scale
    if settled.strength is None:
        arguments.update(height=SIZE, width=SIZE)
    else:
        arguments.update(image=Image.fromarray(guides.init), strength=settled.strength)
    embedded = engine._prompt_encoder.encode(settled.prompt, settled.negative_prompt, nullcontext())
    pipe = PIPELINES[controlled, settled.strength is not None](**components, add_watermarker=False)
    pipe.set_progress_bar_config(disable=True)
    image = pipe(
        prompt_embeds=embedded.prompt,
        negative_prompt_embeds=embedded.negative,
        pooled_prompt_embeds=embedded.pooled,
        negative_pooled_prompt_embeds=embedded.negative_pooled,
        guidance_scale=settled.guidance_scale,
        num_inference_steps=STEPS,
        generator=torch.Generator("cpu").manual_seed(settled.recipe.seed),
        output_type="np",
        **arguments,
        **more,
    ).images[0]
    return np.asarray(np.rint(image * 255), np.uint8)


class Calls:
    """Counts the samples that a module is called with, call by call."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.samples: list[int] = []
        self._hook = network.register_forward_pre_hook(self._count)

    def _count(self, _: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self.samples.append(len(inputs[0]))

    def end(self) -> list[int]:
        self._hook.remove()
        return self.samples


# With nothing left out


@pytest.mark.parametrize("over", [{}, {"color_control": "prompt"}, {"guidance_scale": 1}])
@pytest.mark.parametrize("angle", [0, 45, 90])
def test_with_nothing_left_out_pictures_are_those_of_diffusers_pipelines(
    engine: Any, angle: float, over: dict[str, object]
) -> None:
    settled = planned(angle, **over)
    picture = drawn(engine, settled)
    assert np.array_equal(picture.image, by_diffusers(engine, settled))
    assert picture.image.std() > 5


def test_a_stock_vae_in_half_precision_works_in_float32_as_in_diffusers(engine: Any) -> None:
    """On the CPU the networks stay as they are; only the VAE says that it is as the stock one."""
    vae = engine.pipe.vae
    vae.register_to_config(force_upcast=True)
    settled = planned(45)
    try:
        assert np.array_equal(drawn(engine, settled).image, by_diffusers(engine, settled))
    finally:
        vae.register_to_config(force_upcast=False)


# Guidance in an interval


def test_guidance_outside_its_interval_halves_the_batch_with_a_controlnet_too(engine: Any) -> None:
    settled = planned(45, strength=1)
    engine.controlnets.get("softedge", "cpu")
    unet = Calls(engine.pipe.unet.conv_in)
    control = Calls(engine.controlnets.loaded["softedge"].conv_in)
    picture = drawn(engine, settled, Options(guidance=Interval(0.28, 5.42)))
    samples = unet.end()
    assert samples == control.end()
    assert samples == [1, 1, 2, 2, 1, 1]
    assert picture.metrics["guided_steps"] == 2


def test_by_default_the_start_of_the_schedule_stays_as_it_was(engine: Any) -> None:
    unet = Calls(engine.pipe.unet.conv_in)
    drawn(engine, planned(strength=1), Options())
    assert unet.end() == [2, 2, 2, 2, 1, 1]


def test_unguided_steps_are_those_of_a_scale_of_1(engine: Any) -> None:
    """Never guided is what the plain pipeline draws without guidance, to rounding."""
    never = drawn(engine, planned(45), Options(guidance=Interval(1e6, 1e7)))
    without = by_diffusers(engine, planned(45, guidance_scale=1))
    assert np.array_equal(never.image, without)


def test_a_step_guided_or_not_sees_the_right_half(engine: Any) -> None:
    """Guided only at first is diffusers with a callback that drops the other half."""

    def drop(pipe: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        if step == 3:  # the last guided one
            pipe._guidance_scale = 1.0
            return {name: tensor.chunk(2)[-1] for name, tensor in tensors.items()}
        return tensors

    settled = planned(strength=1)
    theirs = by_diffusers(
        engine,
        settled,
        callback_on_step_end=drop,
        callback_on_step_end_tensor_inputs=["prompt_embeds", "add_text_embeds", "add_time_ids"],
    )
    assert np.array_equal(drawn(engine, settled, Options()).image, theirs)


# What does not change from step to step


@pytest.mark.parametrize("options", [PLAIN, Options()])
def test_the_texts_keys_and_the_edges_embedding_are_computed_once_for_each_size_of_batch(
    engine: Any, options: Options
) -> None:
    """Guided steps have two samples, the others one; each of them has its own, to the bit."""
    drawn(engine, planned(45))
    controlnet = engine.controlnets.loaded["softedge"]
    names = [name for name, _ in engine.pipe.unet.named_modules() if name.endswith("attn2.to_v")]
    calls = [Calls(engine.pipe.unet.get_submodule(names[0]))]
    calls += [Calls(controlnet.get_submodule(names[0]))]
    calls += [Calls(controlnet.controlnet_cond_embedding.conv_in)]
    picture = drawn(engine, planned(45, strength=1), options)
    expected = [2] if picture.metrics["guided_steps"] == STEPS else [1, 2]
    assert [call.end() for call in calls] == [expected] * 3


# The ControlNet in an interval


def test_outside_its_interval_the_controlnet_is_not_called_and_the_picture_is_diffusers(
    engine: Any,
) -> None:
    settled = planned(45, strength=1)
    theirs = by_diffusers(engine, settled, control_guidance_end=0.5)
    control = Calls(engine.controlnets.loaded["softedge"].conv_in)
    ours = drawn(engine, settled, Options(guidance=EVERYWHERE, controlnet=Interval(0, 0.5)))
    assert control.end() == [2, 2, 2]
    assert ours.metrics["controlnet_steps"] == 3
    assert np.array_equal(ours.image, theirs)


# The loop and its device


@pytest.mark.parametrize("turbo", [False, True])
def test_the_loop_never_waits_for_its_device(turbo: bool, engine: Any) -> None:
    """On torch's meta device whatever asks for a number (.item(), .cpu(), an if) is an error."""
    small = random_models.ARCHITECTURES["small"]
    with torch.device("meta"):
        unet, controlnet = random_models.make_unet(small), random_models.make_controlnet(small)
        keep_text_keys(unet)
        keep_text_keys(controlnet)
        text, pooled = torch.empty(1, 77, 2048), torch.empty(1, 1280)
        latents = torch.empty(1, 4, 16, 16)
    scheduler = engine._turbo_scheduler if turbo else engine.pipe.scheduler
    chosen = sampling.make_schedule(scheduler, 4, 4, "cpu")
    scheduler.timesteps = chosen.timesteps.to("meta")  # where the device's are
    edges = np.zeros((128, 128), np.uint8)
    with torch.inference_mode():
        drawn = sampling.denoise(
            unet,
            replace(chosen, timesteps=scheduler.timesteps),
            [Step(guided, controlled) for guided in (True, False) for controlled in (True, False)],
            latents,
            sampling.make_condition(
                PromptEmbeddings(text, text, pooled, pooled), 128, 6.5, controlnet, edges, 0.5
            ),
            lambda: None,
        )
    assert drawn.is_meta
    assert drawn.shape == latents.shape


# What the switches say


def test_steps_are_guided_between_two_noise_levels_and_controlled_in_a_part() -> None:
    chosen = Options(guidance=Interval(1, 10), controlnet=Interval(0.25, 1))
    assert plan_steps((14, 10, 3, 1), 6.5, 0.5, chosen) == (
        Step(guided=False, controlled=False),
        Step(guided=True, controlled=True),
        Step(guided=True, controlled=True),
        Step(guided=False, controlled=True),
    )
    assert not any(step.guided for step in plan_steps((14, 10, 3, 1), 1, 0.5, chosen))
    assert not any(step.controlled for step in plan_steps((14, 10, 3, 1), 6.5, 0, chosen))


def test_the_switches_are_read_from_the_environment() -> None:
    assert read_options({}) == Options()
    assert read_options({"PLITKA_GUIDANCE_INTERVAL": "0.3, 5"}).guidance == Interval(0.3, 5)
    off = {"PLITKA_GUIDANCE_INTERVAL": "off", "PLITKA_COMPILE": "", "PLITKA_OVERLAP": "0"}
    assert read_options(off) == Options(guidance=EVERYWHERE, overlap=False)
    for text, interval in (("off", 1), ("1", 1), ("2", 2), ("3", 3)):
        assert read_options({"PLITKA_DEEP_CACHE": text}) == Options(deep_interval=interval)
    assert read_options({"PLITKA_COMPILE": "1"}).compile == "inductor"
    assert read_options({"PLITKA_COMPILE": "aot_eager"}).compile == "aot_eager"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PLITKA_GUIDANCE_INTERVAL", "5"),
        ("PLITKA_GUIDANCE_INTERVAL", "5,0.3"),
        ("PLITKA_GUIDANCE_INTERVAL", "nan,1"),
        ("PLITKA_DEEP_CACHE", "4"),
        ("PLITKA_OVERLAP", "perhaps"),
        ("PLITKA_COMPILE", "maybe"),
    ],
)
def test_a_switch_that_says_nothing_known_is_one_clear_error(name: str, value: str) -> None:
    with pytest.raises(EngineError, match=f"^{name}: got '{value}'; allowed: [^\n]+$"):
        read_options({name: value})


def test_with_every_switch_off_an_engine_draws_what_diffusers_pipelines_draw(
    load_sdxl: LoadSdxl, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = load_sdxl(options=PLAIN)
    assert plain.options == PLAIN
    for angle in (0, 45):
        settled = planned(angle)
        picture = draw(plain, settled, SIZE, STEPS)
        assert np.array_equal(picture.image, by_diffusers(plain, settled))


def test_prompts_that_are_not_kept_are_encoded_each_time_to_the_same(load_sdxl: LoadSdxl) -> None:
    keeping = load_sdxl()
    other = load_sdxl(options=Options(keep_prompts=False))
    encoded = {engine: Calls(engine.pipe.text_encoder) for engine in (keeping, other)}
    settled = planned()
    pictures = [
        draw(engine, settled, SIZE, STEPS).image for engine in (keeping, keeping, other, other)
    ]
    assert all(np.array_equal(picture, pictures[0]) for picture in pictures)
    assert [len(encoded[engine].end()) for engine in (keeping, other)] == [2, 4]


def test_equal_settings_give_equal_files_run_to_run(load_sdxl: LoadSdxl, tmp_path: Path) -> None:
    load_sdxl()  # for its settings
    steps = {"num_inference_steps_preview": 6, "num_inference_steps_final": 8}
    tile = {**json.loads(request({"red": 60, "white": 40}, 45)), "overrides": steps}
    for name in ("one", "other"):
        out = ["--out", str(tmp_path / name)]
        assert main.main(["make", "--engine", "sdxl", json.dumps(tile), *out]) == 0
    for kind in ("preview", "final", "colormap"):
        one, other = (tmp_path / name / f"{kind}.png" for name in ("one", "other"))
        assert one.read_bytes() == other.read_bytes()


def test_a_wrong_switch_stops_setup(load_sdxl: LoadSdxl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLITKA_GUIDANCE_INTERVAL", "much")
    with pytest.raises(EngineError, match="PLITKA_GUIDANCE_INTERVAL"):
        load_sdxl()
