"""plitka bench: work counted exactly, and both sides run on the same weights."""

import json
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from plitka.bench import baseline, chart, compare, flops, random_models, tables
from plitka.cli import main
from plitka.engines.sdxl.options import EVERYWHERE, PLAIN, Interval, Options, SdxlSettings
from plitka.engines.sdxl.turbo_preset import list_presets
from plitka.request.plan import Plan, make_plan
from plitka.request.recipe import Recipe
from plitka.weights.prompt_parts import read_turbo_kind
from plitka.weights.settings import read_weights_settings
from tests.support.marks import long
from tests.support.recipes import parse, request

Json = dict[str, Any]
SCALE = 0.75  # of the LoRA


def asked(angle: float = 0, **overrides: object) -> Recipe:
    body = json.loads(request({"red": 60, "white": 40}, angle))
    return parse(json.dumps({**body, "overrides": overrides}))


def planned(angle: float = 0, **overrides: object) -> Plan:
    return make_plan(asked(angle, **overrides))


# Work, counted


@pytest.mark.parametrize(
    ("pixels", "of_unet", "of_decoder"), [long(512, 1.59, 2.5), (1024, 6.76, 10.5)]
)
def test_one_forward_of_the_published_configuration_is_the_published_work(
    pixels: int, of_unet: float, of_decoder: float
) -> None:
    assert flops.count_unet("full", pixels, 1) == pytest.approx(of_unet, abs=0.005)
    assert flops.count_decode("full", pixels) == pytest.approx(of_decoder, abs=0.05)
    assert flops.count_unet("full", pixels, 2) == pytest.approx(
        2 * flops.count_unet("full", pixels, 1), rel=1e-3
    )


def test_the_old_procedure_is_85_guided_steps_and_2_pictures_decoded() -> None:
    old = flops.count_old_prediction("full", planned())
    unet = 2 * (35 * flops.count_unet("full", 512, 1) + 50 * flops.count_unet("full", 1024, 1))
    decoded = flops.count_decode("full", 512) + flops.count_decode("full", 1024)
    assert old.unet == pytest.approx(unet, rel=1e-3)
    assert old.controlnet == 0
    assert old.vae == pytest.approx(decoded)


def test_standard_takes_half_of_the_old_unet_work_and_three_quarters_with_a_controlnet() -> None:
    flat, turned = (
        compare.count_work(asked(angle), Options())["work_of_sdxl"] for angle in (0, 45)
    )
    assert flat["denoising_ratio"] <= 0.5
    assert flat["new"]["controlnet"] == 0
    assert turned["denoising_ratio"] <= 0.75
    assert turned["new"]["controlnet"] > 0


def test_fast_takes_less_than_a_fifth_of_the_old_unet_work() -> None:
    fast, turned = (
        compare.count_work(replace(asked(angle), quality="fast"), Options())["work_of_sdxl"]
        for angle in (0, 45)
    )
    assert fast["new"]["unet"] <= 0.19 * fast["old"]["unet"]
    assert fast["new"]["unet"] == turned["new"]["unet"]
    assert turned["denoising_ratio"] <= 0.28
    assert fast["old"] == compare.count_work(asked(), Options())["work_of_sdxl"]["old"]


@pytest.mark.parametrize(
    ("name", "ratio"),
    [
        ("sdxl_lightning_8step_lora.safetensors", 0.042),
        ("Hyper-SDXL-8steps-CFG-lora.safetensors", 0.084),
        ("Hyper-SDXL-12steps-CFG-lora.safetensors", 0.126),
    ],
)
def test_turbo_takes_the_work_of_what_its_lora_was_trained_for(name: str, ratio: float) -> None:
    absent = {"PLITKA_BASE": "absent", "PLITKA_TURBO_LORA": f"absent/{name}"}
    settings = read_weights_settings(absent)
    presets = list_presets(read_turbo_kind(settings))
    recipe = replace(asked(0), quality="turbo")
    work = compare.count_work(recipe, Options(), presets)["work_of_sdxl"]
    assert work["denoising_ratio"] == pytest.approx(ratio, abs=0.0005)


def test_from_text_with_every_step_guided_the_work_is_the_old_procedures() -> None:
    new = flops.count_prediction("full", planned(color_control="prompt"), PLAIN)
    old = flops.count_old_prediction("full", planned())
    assert new.denoising == pytest.approx(old.denoising, rel=0.012)  # text keys once a picture
    assert new.vae == pytest.approx(old.vae)


@pytest.mark.long
def test_the_steps_that_are_counted_are_those_that_the_options_leave() -> None:
    guided = Options(guidance=EVERYWHERE)
    fewer = flops.count_prediction("small", planned(45), Options())
    every = flops.count_prediction("small", planned(45), guided)
    early = replace(guided, controlnet=Interval(0, 0.5))
    half = flops.count_prediction("small", planned(45), early)
    assert fewer.unet < every.unet
    assert half.controlnet < 0.6 * every.controlnet
    assert half.unet == pytest.approx(every.unet, rel=0.01)


def test_the_middle_model_has_50_to_100_million_parameters_in_its_unet() -> None:
    assert 50e6 <= flops.count_parameters("middle", "unet") <= 100e6
    assert flops.count_parameters("full", "unet") == 2_567_463_684  # the published one's


# Both sides


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> random_models.Files:
    return random_models.write_model(tmp_path_factory.mktemp("bench"), "small")


def test_random_weights_lie_in_the_form_of_the_published_files(files: random_models.Files) -> None:
    unet = files.base / "unet/diffusion_pytorch_model.fp16.safetensors"
    assert {tensor.dtype for tensor in load_file(unet).values()} == {torch.float16}
    pipe = diffusers.StableDiffusionXLPipeline.from_pretrained(files.base, variant="fp16")
    pipe.load_lora_weights(files.lora.parent, weight_name=files.lora.name)
    assert pipe.get_active_adapters()


def test_the_old_procedure_guides_every_step_with_its_lora_beside_the_weights_or_in_them(
    files: random_models.Files, tmp_path: Path
) -> None:
    weights = replace(read_weights_settings(files.environment()), lora_scale=SCALE)
    fused = baseline.load_baseline(SdxlSettings(weights), None)
    beside = baseline.load_baseline(SdxlSettings(replace(weights, lora=None)), files.lora)
    assert not hasattr(fused.pipe.unet, "peft_config")
    assert beside.pipe.get_active_adapters()
    samples: list[int] = []
    beside.pipe.unet.register_forward_pre_hook(lambda _, given: samples.append(len(given[0])))
    settled = planned(num_inference_steps_preview=2, num_inference_steps_final=1)
    assert settled.strength is not None  # which the old procedure knows nothing of
    beside.make(settled, tmp_path)
    assert samples == [2, 2, 2]
    assert {path.name for path in tmp_path.iterdir()} == {"preview.png", "final.png"}


@pytest.fixture(scope="module")
def told(files: random_models.Files) -> Json:
    """Two short pairs at 45 degrees, with the LoRA as a package."""
    settings = SdxlSettings(read_weights_settings(files.environment()))
    short = asked(45, num_inference_steps_preview=3, num_inference_steps_final=3, strength=1)
    begun: list[str] = []
    found = compare.compare("small", settings, short, 2, source=files.lora, tell=begun.append)
    return {**found, "begun": begun}


@pytest.mark.long
def test_ratios_are_medians_of_pairs(told: Json) -> None:
    pairs = [(pair["old"]["seconds"], pair["new"]["seconds"]) for pair in told["runs"]]
    assert len(pairs) == 2
    ratio = statistics.median(new / old for old, new in pairs)
    assert told["seconds"]["ratio"] == pytest.approx(ratio, rel=0.02)  # of rounded seconds


@pytest.mark.long
def test_what_begins_is_told_for_it_takes_minutes(told: Json) -> None:
    old, new = "the old procedure draws", "Plitka draws"
    pairs = ["pair 1 of 2", old, new, "pair 2 of 2", new, old]
    assert told["begun"][:2] == ["loading both procedures", "warming up"]
    assert told["begun"][2:8] == pairs
    assert told["begun"][8:] == ["timing steps, and the work around the networks"]


@pytest.mark.long
def test_each_run_tells_its_stages_and_what_goes_on_around_the_networks(told: Json) -> None:
    for pair in told["runs"]:
        assert {"preview", "final"} <= set(pair["old"]["stages"])
        assert {"layout", "match_final", "save_final", "final_denoise"} <= set(
            pair["new"]["stages"]
        )
        assert pair["new"]["peak_mb"] > 0
    around = told["around_the_networks"]
    assert around["processor_seconds"] > 0
    assert 0 < around["overlapping_share"] < 1
    assert not any("denoise" in part for part in around["seconds"])


@pytest.mark.long
def test_single_steps_are_told_by_size_and_guidance_with_their_share_of_the_ceiling(
    told: Json,
) -> None:
    rows = told["speed"]["steps"]
    assert [row["pixels"] for row in rows] == sorted(row["pixels"] for row in rows)
    assert {row["samples"] for row in rows} == {1, 2}
    assert all(row["controlnet"] for row in rows)
    ceiling = told["speed"]["ceiling_tflop_per_second"]
    for row in rows:
        speed = row["tflop"] / row["milliseconds"] * 1000
        assert row["share_of_ceiling"] == pytest.approx(speed / ceiling)


@pytest.mark.long
def test_tables_and_chart_are_made_of_what_was_measured(
    told: Json, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables.show(told)
    assert "share that overlaps" in capsys.readouterr().out
    chart.draw(told, tmp_path / "bench.png")
    with Image.open(tmp_path / "bench.png") as picture:
        assert min(picture.size) > 300


def test_a_chart_of_a_kind_that_cannot_be_drawn_is_refused_before_any_work(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.main(["bench", "--chart", "bench.txt"]) == main.FAILED
    assert capsys.readouterr().err == (
        "--chart: got bench.txt; allowed: a file ending in .svg, .png, .pdf\n"
    )
