"""What a training step of the full SDXL keeps for its backward pass, counted on shapes alone.

    python -m benchmarks.training_memory [--rank 16]

Bytes that autograd keeps, in the dtype bfloat16, with and without checkpointing, by batch and
pixels, beside what the memory plans reckon with; then what each plan needs in all.
"""

import argparse
from functools import partial

import torch

from benchmarks.report import print_table
from plitka.bench.activations import count_encoders, count_unet, make_unet_on_meta
from plitka.bench.flops import count_parameters
from plitka.training.sdxl.lora_layers import attach_lora
from plitka.training.sdxl.memory import (
    TRAINING_PLANS,
    TrainingNeeds,
    TrainingPlan,
    compute_training_needs,
)

BATCHES = (1, 4)
PLANS: tuple[TrainingPlan, ...] = ("fast", "checkpointed")
PIXELS = (512, 768, 1024)
PARTS = ("unet", "vae", "text_encoder", "text_encoder_2")
TOKENS = 154  # two chunks


def compute_needs(parameters: dict[str, int], trainable: int, pixels: int) -> TrainingNeeds:
    return compute_training_needs(parameters, trainable, "bfloat16", pixels)


def format_mib(count: int) -> str:
    return f"{count / 2**20:,.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Count what a training step keeps.")
    parser.add_argument("--rank", type=int, default=16, help="of the LoRA (default: 16)")
    rank: int = parser.parse_args().rank

    unet = make_unet_on_meta(torch.bfloat16, partial(attach_lora, rank=rank, seed=0))
    trained = sum(one.numel() for one in unet.parameters() if one.requires_grad)
    parameters = {part: count_parameters("full", part) for part in PARTS}
    print(f"{trained:,} numbers are trained\n")
    rows = []
    for pixels in PIXELS:
        needs = compute_needs(parameters, trained, pixels)
        for batch in BATCHES:
            encoders = count_encoders(torch.bfloat16, 2 * batch)
            for plan in PLANS:
                counted = count_unet(unet, batch, pixels, TOKENS, plan != "fast")
                rows.append(
                    [
                        f"{pixels} px, batch {batch}, {plan}",
                        format_mib(counted.kept),
                        format_mib(counted.recomputed),
                        format_mib(encoders),
                        format_mib(needs.count_kept(plan, batch)),
                    ]
                )
    print_table(["MiB", "UNet keeps", "recomputed block", "encoders keep", "plan"], rows)
    print()
    needed = [
        [
            f"{pixels} px, batch {batch}",
            *(
                f"{compute_needs(parameters, trained, pixels).of(plan, batch) / 2**30:.1f}"
                for plan in TRAINING_PLANS
            ),
        ]
        for pixels in PIXELS
        for batch in BATCHES
    ]
    print_table(["GiB in all", *TRAINING_PLANS], needed)


if __name__ == "__main__":
    main()
