"""Fuzzing target: a safetensors file. Its header is whole and told what it is, or refused."""

import json
import math
import struct
from contextlib import suppress

from plitka.errors import WeightsError
from plitka.weights import adapter_files, embeddings, lora_file, trigger
from plitka.weights.header import Header, find_bytes, read_header
from plitka.weights.identification import explain_wrong_file, identify
from plitka.weights.settings import BASE, EMBEDDINGS, LORA, VAE
from tests.fuzz.target import Target, is_sentence, open_workplace, refuse_warnings

_WIDTHS = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "BOOL": 1, "U8": 1, "I8": 1}
_MOST_DATA = 2**16  # bytes that `repair` lets a file have


def check(content: bytes) -> bool:
    path = open_workplace() / "weights.safetensors"
    path.write_bytes(content)
    with refuse_warnings():
        try:
            header = read_header(path, "copy it again")
        except WeightsError as refusal:
            _check_refusal(refusal)
            return False
        _check_header(header, len(content))
        _check_verdicts(header)
        try:
            adapter_files.read_single_package(path, str(path))
        except WeightsError as refusal:
            _check_refusal(refusal)
        return True


def _check_header(header: Header, size: int) -> None:
    """Assert that each tensor's bytes are in the file, and as many as its shape says."""
    places = find_bytes(header)
    assert places.keys() == header.shapes.keys() == header.dtypes.keys()
    for name, (first, last) in places.items():
        assert 8 <= first <= last <= size, (name, first, last)
        width = _WIDTHS.get(header.dtypes[name])
        if width is not None:
            assert last - first == width * math.prod(header.shapes[name]), name
    assert all(isinstance(note, str) for note in header.metadata.values())


def _check_verdicts(header: Header) -> None:
    """Assert that whatever asks what the file is gets an answer, or a sentence."""
    identity = identify(header)
    assert identity is None or is_sentence(identity.title)
    for setting in (LORA, EMBEDDINGS, VAE, BASE):
        _check_refusal(explain_wrong_file(header, "a file", setting))
    trigger.read_notes(header)
    trigger.hint_at_trigger(header)
    with suppress(WeightsError):
        embeddings.check_embeddings([header])
    with suppress(WeightsError):
        lora_file.resolve_lora(header, None, None)


def _check_refusal(refusal: WeightsError) -> None:
    assert is_sentence(str(refusal)), str(refusal)


def repair(content: bytes) -> bytes:
    """Let the header end at its last brace, and the data where its last tensor ends."""
    body = content[8:]
    end = body.rfind(b"}") + 1
    head, data = body[:end], body[end:]
    try:
        tensors = json.loads(head)
        offsets = [tensor["data_offsets"][1] for tensor in tensors.values() if "dtype" in tensor]
        size = max([0, *(offset for offset in offsets if isinstance(offset, int))])
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        size = len(data)
    data = data[:size].ljust(min(size, _MOST_DATA), b"\0")
    return struct.pack("<Q", len(head)) + head + data


TARGET = Target(
    "safetensors_header",
    check,
    tokens=(
        *(b'"__metadata__":{', b'"dtype":"F32"', b'"dtype":"F16"', b'"dtype":"BF16"', b'"U8"'),
        *(
            b'"dtype":"F8_E4M3"',
            b'"shape":[',
            b'"data_offsets":[0,4]',
            b'"modelspec.architecture":"',
        ),
        *(
            b'"ss_tag_frequency":"',
            b'"ss_base_model_version":"sdxl_base_v1-0"',
            b'"clip_l"',
            b'"clip_g"',
        ),
        *(
            b"lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q.lora_down.weight",
        ),
        *(
            b"unet.mid_block.attentions.0.proj_in.lora_A.weight",
            b".alpha",
            b".dora_scale",
            b".lokr_w1",
        ),
        *(b".hada_w1_a", b".oft_blocks", b"bundle_emb.x.clip_l", b"text_encoders_0", b"emb_params"),
        *(
            b"model.diffusion_model.input_blocks.0.0.weight",
            b"first_stage_model.decoder.conv_in.weight",
        ),
        *(
            b"conditioner.embedders.1.model.ln_final.weight",
            b"controlnet_cond_embedding.conv_in.weight",
        ),
        *(
            b"attn2.to_k.weight",
            b"double_blocks.0.img_attn.qkv.weight",
            b"\\u0000",
            b"\\n",
            b"\\ud800",
        ),
        *(
            b"18446744073709551615",
            b"9223372036854775808",
            b"version https://git-lfs",
            b"PK\x03\x04",
        ),
    ),
    repair=repair,
    longest=8192,
)
