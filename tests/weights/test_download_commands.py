"""The commands of docs/weights.md that fetch the models, against a hub on this machine."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.support.hub import hub

PAGE = Path(__file__).resolve().parents[2] / "docs" / "weights.md"
PARTS = ("unet", "text_encoder", "text_encoder_2")
WANTED = {
    "stabilityai/stable-diffusion-xl-base-1.0": {
        "model_index.json",
        "scheduler/scheduler_config.json",
        "tokenizer/vocab.json",
        "tokenizer_2/vocab.json",
        "vae/config.json",
        *(f"{part}/config.json" for part in PARTS),
        *(f"{part}/model.fp16.safetensors" for part in PARTS),
    },
    "madebyollin/sdxl-vae-fp16-fix": {"config.json", "diffusion_pytorch_model.safetensors"},
    "diffusers/controlnet-canny-sdxl-1.0": {
        "config.json",
        "diffusion_pytorch_model.fp16.safetensors",
    },
    "SargeZT/controlnet-sd-xl-1.0-softedge-dexined": {
        "config.json",
        "diffusion_pytorch_model.safetensors",
    },
}
OTHERS = ("README.md", "sd_xl_base_1.0.safetensors", "unet/model.safetensors", "vae_1_0/big.bin")
RUN = (
    "import json, sys; from huggingface_hub.cli.hf import app\n"
    "for command in json.load(sys.stdin): app(command[1:], standalone_mode=False)"
)


def list_commands() -> list[list[str]]:
    text = PAGE.read_text(encoding="utf-8").replace("\\\n", " ")
    return [shlex.split(line) for line in re.findall(r"^ *(hf download .*)$", text, re.MULTILINE)]


def test_the_commands_fetch_what_is_needed_and_nothing_else(tmp_path: Path) -> None:
    repositories = {name: tmp_path / "hub" / name for name in WANTED}
    for name, folder in repositories.items():
        for file in (*WANTED[name], *OTHERS):
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}")
    commands = list_commands()
    assert {command[2] for command in commands} == set(WANTED)
    with hub(repositories) as server:
        environment = {
            **os.environ,
            "HF_ENDPOINT": server.address,
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
        }
        done = subprocess.run(
            [sys.executable, "-c", RUN], input=json.dumps(commands),
            cwd=tmp_path, env=environment, capture_output=True, text=True,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(server.fetched) == {f"{name}/{file}" for name in WANTED for file in WANTED[name]}
    for command in commands:
        folder = tmp_path / command[command.index("--local-dir") + 1]
        assert all((folder / file).is_file() for file in WANTED[command[2]])
