"""Judges a network's configuration, field by field, by what was published for SDXL."""

from collections.abc import Iterable
from typing import Any

from plitka.errors import WeightsError
from plitka.weights.families import FAMILIES
from plitka.weights.sdxl_architecture import (
    CROSS_ATTENTION,
    PUBLISHED,
    SD15_SCALING,
    WIDTHS,
    Config,
    Part,
)

_NAMES: dict[Part, str] = {
    "unet": "a UNet",
    "vae": "a VAE",
    "text_encoder": "a text encoder",
    "text_encoder_2": "a text encoder",
    "controlnet": "a ControlNet",
}
_LARGEST = 2**17  # of any size; the largest published one is the vocabulary, 49,408


def complete_config(part: Part, config: Config, title: str, remedy: str) -> dict[str, Any]:
    """Check a configuration, and complete it to what the network is built by.

    title: what sentences call the file; remedy ends them. Raises WeightsError for a network of
    another kind, and for one that would draw another picture with the same tensors.
    """
    published = PUBLISHED[part]
    _refuse_other_class(part, config, title, remedy)
    _refuse_other_family(part, config, title, remedy)
    for name, expected in published.fixed.items():
        found = config[name] if name in config else published.absent.get(name, expected)
        if not _is_same(found, expected):
            state = "is" if name in config else "is not there, which means"
            raise WeightsError(
                f"{title}: {name} {state} {_write(found)}, and SDXL's is {_write(expected)}, so it"
                f" would draw something else; {remedy}"
            )
    sizes = {name: _read_size(config, name, part, title, remedy) for name in published.sizes}
    order = config.get("controlnet_conditioning_channel_order", "rgb")
    if part == "controlnet" and order not in ("rgb", "bgr"):  # the edges are gray, so both do
        raise WeightsError(
            f"{title}: controlnet_conditioning_channel_order is {order}, and not rgb or bgr;"
            f" {remedy}"
        )
    if "addition_time_embed_dim" in sizes:
        _check_time_ids(sizes, title, remedy)
    if sizes.get("block_out_channels") == published.sizes.get("block_out_channels"):
        for name in published.with_widths:
            if not _is_same(sizes[name], published.sizes[name]):
                raise WeightsError(
                    f"{title}: {name} is {_write(sizes[name])}, and SDXL's is"
                    f" {_write(published.sizes[name])}, so it would draw something else; {remedy}"
                )
    free = {
        name: bool(config[name]) if config.get(name) is not None else usual
        for name, usual in published.free.items()
    }
    return {**published.fixed, **sizes, **free, **published.forced}


def _check_time_ids(sizes: Config, title: str, remedy: str) -> None:
    """Check that what the UNet reads beside the text has the width that it is read with."""
    width, whole = (
        sizes[name] for name in ("addition_time_embed_dim", "projection_class_embeddings_input_dim")
    )
    if not width or whole != WIDTHS["clip_g"] + 6 * width:
        raise WeightsError(
            f"{title}: addition_time_embed_dim {_write(width)} and"
            f" projection_class_embeddings_input_dim {_write(whole)} do not belong together;"
            f" {remedy}"
        )


def _refuse_other_class(part: Part, config: Config, title: str, remedy: str) -> None:
    wanted = PUBLISHED[part].class_name
    if part.startswith("text_encoder"):
        classes = config.get("architectures") or [wanted]
        found = str(classes[0]) if isinstance(classes, list) and classes else str(classes)
    else:
        found = str(config.get("_class_name"))
    if found != wanted:
        raise WeightsError(f"{title}: {_add_article(found)}, not {_add_article(wanted)}; {remedy}")


def _refuse_other_family(part: Part, config: Config, title: str, remedy: str) -> None:
    """Name the family of a network that is known by its configuration."""
    family = None
    if part in ("unet", "controlnet"):
        if config.get("encoder_hid_dim") == 4096:
            family = "Kolors"
        elif config.get("time_cond_proj_dim"):
            family = "LCM, distilled with its guidance in it"
        else:
            width = config.get("cross_attention_dim")
            if isinstance(width, int) and width != CROSS_ATTENTION:
                family = FAMILIES.get(width)
    if part == "vae":
        if config.get("latents_mean") or config.get("latents_std"):
            family = "Playground 2.5, with latents of its own"
        elif config.get("latent_channels", 4) != 4:
            family = "another model"
        elif config.get("scaling_factor", SD15_SCALING) == SD15_SCALING:
            family = "SD 1.5 or SD 2"
    if family is None:
        return
    missing = part == "vae" and "scaling_factor" not in config and family.startswith("SD 1.5")
    why = f" (its config.json has no scaling_factor, which means {SD15_SCALING})" if missing else ""
    by = "for" if part == "controlnet" else "of"
    raise WeightsError(f"{title}: {_NAMES[part]} {by} {family}, not {by} SDXL{why}; {remedy}")


def _read_size(config: Config, name: str, part: Part, title: str, remedy: str) -> Any:
    """Read a size, or names of blocks; it must be one, since a network is built by it."""
    published = PUBLISHED[part]
    usual = published.sizes[name]
    value = config[name] if name in config else published.absent.get(name, usual)
    is_named = any(isinstance(leaf, str) for leaf in _list_leaves(usual))
    if not all(_is_name(leaf) if is_named else _is_size(leaf) for leaf in _list_leaves(value)):
        raise WeightsError(f"{title}: {name} is {_write(value)}, which is no size; {remedy}")
    return value


def _list_leaves(value: Any) -> Iterable[Any]:
    if isinstance(value, list | tuple):
        for part in value:
            yield from _list_leaves(part)
    else:
        yield value


def _is_name(value: Any) -> bool:
    return value is None or isinstance(value, str)  # there may be no block in the middle


def _is_size(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int):
        return value is None
    return 0 <= value <= _LARGEST


def _is_same(found: Any, expected: Any) -> bool:
    """Whether two values mean the same; false and nothing do."""
    if found is None or found is False:
        return expected is None or expected is False
    if isinstance(found, list | tuple) and isinstance(expected, list | tuple):
        return list(found) == list(expected)
    return bool(found == expected)


def _write(value: Any) -> str:
    return "nothing" if value is None else str(value)


def _add_article(name: str) -> str:
    return f"{'an' if name[:1] in 'AEIO' else 'a'} {name}"
