"""Writes the seeds of all targets to tests/fuzz/corpus: python -m tests.fuzz.seeds

Names that begin with `sound` are of content that must be read.
"""

import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image, PngImagePlugin
from safetensors.numpy import save

from plitka.images import png
from plitka.images.matrix_profile import ADOBE_RGB, write_profile
from tests.support.recipes import TILE

_FULL = {
    "colors": [
        {"name": "dark green", "proportion": 50},
        {"hex": "#1e90ff", "percentage": 30},
        {"color": "TERCOT", "percent": 20},
    ],
    "angle": 45.5,
    "quality": "high",
    "seed": 7,
    "overrides": {
        "use_controlnet": True,
        "guidance_scale": 7,
        "num_inference_steps": 30,
        "num_inference_steps_preview": 4,
        "num_inference_steps_final": 50,
        "negative_prompt": "шум",
        "color_control": "prompt",
        "strength": 0.5,
        "controlnet_scale": 0.5,
        "lora_scale": 1.5,
    },
}


def make_requests() -> Mapping[str, bytes]:
    full = json.dumps(_FULL)
    alike = [{"name": "violet", "proportion": 0.3}, {"name": "purple", "proportion": 0.7}]
    return {
        "sound": TILE.encode(),
        "sound-full": full.encode(),
        "sound-wrapped": json.dumps({"params_json": full}).encode(),
        "sound-string": json.dumps(json.dumps({"params_json": TILE})).encode(),
        "sound-alike": json.dumps({"colors": alike}).encode(),
        "faults": json.dumps({"colors": [{"name": "rde"}, {"hex": "#ff"}], "angel": 400}).encode(),
        "numbers": b'{"colors": [{"name": "red", "proportion": 1e999}], "seed": NaN}',
        "sound-sentence": b"60% black, 40% white, 45 degrees, seed 7",
        "sound-russian": "красный 60%, белый 40%, угол 45°, сид 7, высокое качество".encode(),
        "sound-words": b"40% of RAL 9005 and 30% navy, 1/4 #1e90ff + 5% sky blue; turbo",
        "sound-rest": b"half dark green\nthe rest beige",
        "sound-equal": "поровну красный, синий и белый".encode(),
        "sound-texts": json.dumps(
            {
                "colors": [
                    {"name": "tomato", "proportion": "60%"},
                    {"color": "#fff", "percent": "40"},
                ]
            }
            | {"angle": "45°", "seed": "7"}
        ).encode(),
        "no-json": b"{'colors': [{'name': 'red', 'percent': 100}]}",
        "two-things": b"60-70% light blue, 40, black or white, seed 7, seed 8",
    }


def make_pngs() -> Mapping[str, bytes]:
    image = np.zeros((128, 128, 3), np.uint8)
    image[::16] = 200
    record = {"request": json.loads(TILE), "engine": "render"}
    tile = png.encode_png(image, record)
    text = PngImagePlugin.PngInfo()
    text.add_text(png.TEXT_KEY, json.dumps(record), zip=True)
    out: dict[str, bytes] = {
        "sound": tile,
        "sound-full": png.encode_png(image, {"request": _FULL}),
    }
    for mode in ("1", "L", "LA", "P", "RGBA", "I;16"):
        file = io.BytesIO()
        picture = (
            Image.fromarray(image[..., 0].astype(np.uint16))
            if mode == "I;16"
            else (Image.fromarray(image).convert(mode))
        )
        picture.save(file, "PNG", pnginfo=text, dpi=(72, 72))
        out[f"sound-{mode.replace(';', '')}"] = file.getvalue()
    frames = [Image.fromarray(image), Image.fromarray(255 - image)]
    file = io.BytesIO()
    frames[0].save(file, "PNG", pnginfo=text, save_all=True, append_images=frames[1:], gamma=0.45)
    return {
        **out,
        "sound-animated": file.getvalue(),
        "cut": tile[:200],
        "no-png": b"GIF89a\x01\0\x01\0",
    }


def _ones(**shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {name: np.ones(shape, np.float16) for name, shape in shapes.items()}


def make_weights() -> Mapping[str, bytes]:
    kohya = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"
    peft = "unet.mid_block.attentions.0.proj_in"
    lora = _ones(**{f"{peft}.lora_A.weight": (2, 8), f"{peft}.lora_B.weight": (8, 2)})
    named = _ones(
        **{
            f"{kohya}.lora_down.weight": (2, 8),
            f"{kohya}.lora_up.weight": (8, 2),
            f"{kohya}.alpha": (),
        }
    )
    notes = {
        "ss_base_model_version": "sdxl_base_v1-0",
        "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
        "ss_tag_frequency": '{"1_tile": {"tile": 1}}',
        "lora_adapter_metadata": '{"unet.r": 2, "unet.lora_alpha": 2}',
    }
    return {
        "sound-lora": save(lora),
        "sound-lora-with-notes": save(named, notes),
        "sound-lokr": save(_ones(**{f"{kohya}.lokr_w1": (2, 2), f"{kohya}.lokr_w2": (4, 4)})),
        "sound-embeddings": save(_ones(clip_l=(1, 768), clip_g=(1, 1280))),
        "sound-bundle": save({**lora, **_ones(**{"bundle_emb.x.clip_l": (1, 768)})}),
        "sound-half": save(_ones(**{"<tile>": (768,)})),
        "sound-vae": save(_ones(**{"decoder.conv_in.weight": (4, 4, 1, 1)})),
        "sound-controlnet": save(
            _ones(**{"controlnet_cond_embedding.conv_in.weight": (2, 3, 1, 1)})
        ),
        "sound-checkpoint": save(
            _ones(
                **{
                    "model.diffusion_model.input_blocks.0.0.weight": (2, 4, 1, 1),
                    "conditioner.embedders.1.model.ln_final.weight": (8,),
                    "first_stage_model.decoder.conv_in.weight": (4, 4, 1, 1),
                }
            )
        ),
        "sound-flux": save(_ones(**{"double_blocks.0.img_attn.qkv.weight": (6, 2)})),
        "sound-empty": save({}),
        "pickle": b"\x80\x04\x95\x08\0\0\0\0\0\0\0\x8c\x04abcd.",
        "page": b"<!doctype html><title>404</title>",
        "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    }


def make_archives() -> Mapping[str, bytes]:
    weights = make_weights()
    files = {
        "trained/lora.safetensors": weights["sound-lora"],
        "trained/embeddings.pti": weights["sound-embeddings"],
        "trained/special_params.json": b'{"TOK": "<s0><s1>"}',
        "trained/notes.txt": b"not kept",
    }
    tar = _pack_tar(files, tarfile.USTAR_FORMAT)
    named = {"trained/" + "x" * 120 + "/lora.safetensors": weights["sound-lora"]}
    strays = dict.fromkeys(("../a.json", "/b.json", "a/../../c.json"), weights["sound-lora"])
    return {
        "sound.tar": tar,
        "sound-gnu.tar": _pack_tar(named, tarfile.GNU_FORMAT),
        "sound-pax.tar": _pack_tar({**named, "плитка.json": b"{}"}, tarfile.PAX_FORMAT),
        "sound.tar.gz": gzip.compress(tar, mtime=0),
        "sound.tar.xz": lzma.compress(tar),
        "sound.zip": _pack_zip(files, zipfile.ZIP_DEFLATED),
        "sound-stored.zip": _pack_zip(files, zipfile.ZIP_STORED),
        "lzma.zip": _pack_zip(files, zipfile.ZIP_LZMA),
        "bzip2.zip": _pack_zip(files, zipfile.ZIP_BZIP2),
        "out.tar": _pack_tar(strays, tarfile.USTAR_FORMAT),
        "out.zip": _pack_zip(strays, zipfile.ZIP_STORED),
        "link.tar": _pack_tar({}, tarfile.USTAR_FORMAT, link="/etc/passwd"),
    }


def _pack_tar(files: Mapping[str, bytes], form: int, link: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as packed:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
        if link:
            entry = tarfile.TarInfo("lora.safetensors")
            entry.type, entry.linkname = tarfile.SYMTYPE, link
            packed.addfile(entry)
    return out.getvalue()


def _pack_zip(files: Mapping[str, bytes], method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as packed:
        for name, content in files.items():
            packed.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return out.getvalue()


def make_photographs() -> Mapping[str, bytes]:
    rng = np.random.default_rng(1)
    picture = Image.fromarray(rng.integers(0, 255, (8, 16, 3), np.uint8))
    gray = picture.convert("L")
    deep = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    profile = write_profile(ADOBE_RGB)
    upside = Image.Exif()
    upside[0x0112] = 6
    made: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "sound.png": (picture, "PNG", {"icc_profile": profile}),
        "sound-palette.png": (picture.quantize(8), "PNG", {"transparency": 3}),
        "sound-alpha.png": (picture.convert("RGBA"), "PNG", {}),
        "sound-deep.png": (deep, "PNG", {}),
        "sound.jpg": (picture, "JPEG", {"exif": upside, "icc_profile": profile}),
        "sound-gray.jpg": (gray, "JPEG", {"progressive": True}),
        "strange-cmyk.jpg": (picture.convert("CMYK"), "JPEG", {}),
        "sound.webp": (picture, "WEBP", {"icc_profile": profile}),
        "sound-alpha.webp": (picture.convert("RGBA"), "WEBP", {"lossless": True}),
        "sound.tif": (picture, "TIFF", {"exif": upside, "compression": "tiff_deflate"}),
        "sound-lzw.tif": (gray, "TIFF", {"compression": "tiff_lzw"}),
        "sound-deep.tif": (deep, "TIFF", {}),
        "sound.bmp": (picture, "BMP", {}),
        "sound.avif": (picture, "AVIF", {"icc_profile": profile}),
        "strange.gif": (gray, "GIF", {}),
    }
    out: dict[str, bytes] = {}
    for name, (source, kind, options) in made.items():
        file = io.BytesIO()
        source.save(file, kind, **options)
        out[name] = file.getvalue()
    file = io.BytesIO()
    heif = pillow_heif.from_pillow(picture.resize((64, 64)))
    heif.save(file, icc_profile=profile)
    out["sound.heic"] = file.getvalue()
    return {**out, "cut.jpg": out["sound.jpg"][:-40], "strange.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n"}


def make_captions() -> Mapping[str, bytes]:
    text = b"tile\0"
    return {
        "sound-name": b"REDp60_BLUEp40_2",
        "sound-one": b"DKGREEN",
        "sound-decimals": b"REDp59.5_WHITEp40.5",
        "sound-text": text + b"60% red, 40% blue",
        "sound-words": text + b"a tile of rubber, 50% of dark green rubber and 50% beige\r\n",
        "sound-mark": text + b"\xef\xbb\xbf100% light grey",
        "sum": text + b"60% red, 60% blue",
        "sound-russian": text + "60% красный, 40% blue".encode("cp1251"),
        "unknown": text + "60% бордовый, 40% blue".encode("cp1251"),
        "sound-wide": text + "60% red, 40% blue".encode("utf-16"),
        "sound-comma": text + b"59,5% red, 40,5% blue",
        "nothing": text,
    }


SEEDS = {
    "request_text": make_requests,
    "png_recipe": make_pngs,
    "safetensors_header": make_weights,
    "weights_archive": make_archives,
    "captions": make_captions,
    "photographs": make_photographs,
}


def main() -> None:
    for target, make in SEEDS.items():
        folder = Path(__file__).parent / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in make().items():
            (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
