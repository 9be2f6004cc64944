"""Writes the README.md of a package: what it is, and how it is used, here and elsewhere."""

from plitka import __version__
from plitka.request.prompt import build_prompt
from plitka.request.recipe import Recipe
from plitka.request.shares import ColorShare
from plitka.training.inspection import Inspection
from plitka.training.record import TrainingFacts

_TEXT = """\
# A LoRA of your rubber tiles

Trained by Plitka {version} on {count} photographs, {steps} steps; what is packed is the state of
step {chosen}. report.html shows how it went.

| file | what it is |
|---|---|
| lora.safetensors | the LoRA, for the UNet of SDXL base 1.0: rank {rank}, half precision |
| embeddings.safetensors | {vectors} vectors for each text encoder: {tokens} |
| special_params.json | the trigger word and its tokens |
{palette}\
| training.json | settings, photographs with their captions, curve, evaluations |
| samples/ | pictures of the evaluations, as the model drew them, and the photographs beside them |

## Plitka

    python -m plitka make --weights trained_model.tar --out tile --color red=60 --color blue=40
    python -m plitka check --weights trained_model.tar
    python -m plitka bake --weights trained_model.tar FOLDER

or `COG_WEIGHTS=` its address where Cog serves. The LoRA is fused at the scale {scale:g}, which was
the best of those that were tried; PLITKA_LORA_SCALE sets another.

## diffusers

    pipe.load_lora_weights("lora.safetensors")
    pipe.fuse_lora(lora_scale={scale:g})

The vectors are `clip_l` for `pipe.tokenizer` and `pipe.text_encoder`, `clip_g` for those with
`_2`: `pipe.load_textual_inversion(vectors, token=[{listed}], ...)`.

## ComfyUI

lora.safetensors belongs into models/loras, strength {scale:g}; embeddings.safetensors into
models/embeddings, under a name such as tile.safetensors.

## Prompt

    {prompt}

In ComfyUI the tokens are `embedding:tile`: `{comfy}`
"""

_PALETTE = "| palette.csv | your colours, as they were measured on one-colour photographs |\n"


def write_guide(facts: TrainingFacts, inspection: Inspection) -> str:
    """Write README.md; the prompt in it is of the maker's own colours."""
    subject = facts.subject
    prompt = build_prompt(choose_example(inspection), subject)
    return _TEXT.format(
        version=__version__,
        count=len(inspection.photographs) - len(inspection.held_out),
        steps=facts.steps,
        chosen=facts.chosen,
        rank=facts.options.rank,
        vectors=subject.vectors,
        tokens=", ".join(f"`{token}`" for token in subject.tokens),
        listed=", ".join(f'"{token}"' for token in subject.tokens),
        palette=_PALETTE if inspection.palette_rows else "",
        scale=facts.scale,
        prompt=prompt,
        comfy=prompt.replace("".join(subject.tokens), "embedding:tile"),
    )


def choose_example(inspection: Inspection) -> Recipe:
    """Choose the mixture of a photograph, in whole percent; one colour where there is none."""
    one = max(inspection.photographs, key=lambda photograph: min(len(photograph.colors), 2))
    return Recipe(
        tuple(
            ColorShare(color, color.phrase, round(100 * share) / 100)
            for color, share in zip(one.colors, one.shares, strict=True)
        )
    )
