"""Resolves an adapter's file (a LoRA and its kin) against a base model: what each tensor changes.

Every tensor must have a place and fit there; what is accepted here can be fused. diffusers only
warns of tensors that find no module.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from plitka.errors import WeightsError
from plitka.weights import adapter_methods
from plitka.weights.adapter_config import (
    CONFIG_FILE,
    AdapterConfig,
    Scale,
    find_config,
)
from plitka.weights.adapter_methods import BIASES, METHODS
from plitka.weights.embeddings import is_embedding_tensor
from plitka.weights.header import FLOATS, Header, Shape, count_parameters, format_shape, list_names
from plitka.weights.identification import explain_wrong_file, identify
from plitka.weights.json_text import show
from plitka.weights.lora import Change, Lora
from plitka.weights.lora_keys import Key, list_candidates, parse_key
from plitka.weights.lora_targets import Modules, Target
from plitka.weights.patterns import PatternError, fits
from plitka.weights.sdxl_architecture import WIDTHS
from plitka.weights.settings import LORA, TURBO_LORA

_WANTED = "a LoRA for SDXL"
_MOST_TERMS = 64  # of the series by which an OFT turns; PEFT takes 5
_SINGLE: Mapping[str, tuple[str, ...] | None] = {
    "alpha": (*FLOATS, "I16", "I32", "I64"),
    "on_input": None,
    "scaled_oft": None,
}
"""Parts that are one number each, and of which types; None for any."""

_EVEN = ("alpha", "dora_scale", "magnitude", "rescale", "scaled_oft", "up_bias")
"""Parts that change what the others of a module mean."""


def _is_unused(key: Key) -> bool:
    """Whether a tensor is of the first text encoder's projection: ComfyUI's extracts have one.

    SDXL reads no pooled output of that encoder, and its model has no such module.
    """
    return key.component == "text_encoder" and key.module.endswith("text_projection")


def is_lora(header: Header) -> bool:
    """Whether any tensor has a name as adapters' tensors have, readable ones or not."""
    return any(_is_telling(name) for name in header.shapes)


def _is_telling(name: str) -> bool:
    key = parse_key(name)
    telling = key is not None and adapter_methods.is_telling(key.part)
    return telling or adapter_methods.name_unread(name) is not None


def resolve_lora(
    header: Header,
    config: Mapping[str, Any] | None,
    modules: Modules | None,
    setting: str = LORA,
) -> Lora:
    """Find the module that each tensor of an adapter changes, and how.

    config: PEFT's, where there is one beside the file. modules: the base model's; None where they
    are not known, and then only the file itself is checked. setting: the variable that names the
    file. Tensors of bundled embeddings are passed over. Raises WeightsError for what is no adapter
    for SDXL, and for tensors that have no place or do not fit.
    """
    return _Resolver(header, config, modules, setting).resolve()


def resolve_turbo(
    header: Header, config: Mapping[str, Any] | None, modules: Modules | None
) -> Lora:
    """As `resolve_lora`, for the distilled LoRA: a plain one, and of the UNet alone."""
    lora = resolve_lora(header, config, modules, TURBO_LORA)
    bundled = [name for name in header.shapes if is_embedding_tensor(name)]
    remedy = f"set {TURBO_LORA} to a plain LoRA such as SDXL-Lightning's or Hyper-SD's"
    if bundled:
        raise WeightsError(
            f"{header.title}: holds embeddings too ({list_names(bundled)}), and a distilled LoRA"
            f" must hold none; {remedy}"
        )
    for change in lora.changes:
        if change.component != "unet":
            raise WeightsError(
                f"{header.title}: changes the {change.component} too, and a distilled LoRA must"
                f" change the UNet alone; {remedy}"
            )
        extra = sorted(change.parts.keys() - {"down", "up", "mid", "alpha"})
        if extra:
            raise WeightsError(
                f"{header.title}: {change.parts[extra[0]]} is more than up times down, and a"
                f" distilled LoRA must be just that; {remedy}"
            )
    return lora


_Updates: TypeAlias = dict[tuple[str, str], dict[str, tuple[str, Key]]]
"""(component, module) -> part -> name of its tensor, and the name taken apart."""


class _Resolver:
    """Resolves one file; a class for what all its steps and sentences need."""

    def __init__(
        self,
        header: Header,
        beside: Mapping[str, Any] | None,
        modules: Modules | None,
        setting: str,
    ) -> None:
        self._header = header
        self._beside = beside
        self._config: AdapterConfig | None = None
        self._modules = modules
        self._setting = setting
        self._names = [name for name in header.shapes if not is_embedding_tensor(name)]
        widths = {size for name in self._names for size in header.shapes[name]}
        self._encoder = "text_encoder_2" if WIDTHS["clip_g"] in widths else "text_encoder"

    def resolve(self) -> Lora:
        if not any(_is_telling(name) for name in self._names):
            raise explain_wrong_file(self._header, _WANTED, self._setting)
        self._config = find_config(self._header, self._beside)
        if self._config is not None:
            self._config.refuse_unread()
        updates, strays = self._group_tensors()
        if strays:
            raise self._explain_strays(strays)
        if self._modules is None and self._is_for_another_family():
            raise explain_wrong_file(self._header, _WANTED, self._setting)
        changes = tuple(
            self._make_change(component, module, parts)
            for (component, module), parts in updates.items()
        )
        self._check_evenness(changes)
        shapes = {name: self._header.shapes[name] for name in self._names}
        return Lora(self._header, self._beside, changes, count_parameters(shapes))

    # Which module

    def _group_tensors(self) -> tuple[_Updates, list[str]]:
        """The tensors of each module, and those that belong nowhere."""
        updates: _Updates = {}
        strays: list[str] = []
        adapters: set[str] = set()
        for name in self._names:
            key = self._parse_key(name)
            if key is not None and _is_unused(key):
                continue
            module = None if key is None else self._find_module(key)
            if key is None or module is None:
                strays.append(name)
                continue
            parts = updates.setdefault((key.component, module), {})
            if key.part in parts:
                raise self._make_error(
                    f"{parts[key.part][0]} and {name} are for the same part of the same module"
                )
            parts[key.part] = name, key
            if key.part not in ("alpha", "dora_scale"):
                adapters.add(key.adapter)
        if len(adapters - {""}) > 1:
            raise self._make_error(
                f"holds more than one adapter: {list_names(sorted(adapters - {''}))}",
                "save one of them alone",
            )
        return updates, strays

    def _parse_key(self, name: str) -> Key | None:
        """Take a name apart; where PEFT saved a text encoder alone, the widths tell which."""
        key = parse_key(name)
        if key is not None and key.component == "unet" and key.module.startswith("text_model_"):
            return key._replace(component=self._encoder)
        return key

    def _find_module(self, key: Key) -> str | None:
        if self._modules is None:
            return key.module
        known = self._modules[key.component]
        return next((module for module in list_candidates(key) if module in known), None)

    def _explain_strays(self, strays: list[str]) -> WeightsError:
        for name in strays:
            if unread := adapter_methods.name_unread(name):
                return self._make_unread_error(unread, name)
        state = (
            f"{len(strays)} of its {len(self._header.shapes)} tensors find no module in the base"
            f" model: {list_names(strays)}"
        )
        if all(parse_key(name) is not None for name in strays):
            return self._make_error(
                state, "set PLITKA_BASE to the model that it was trained on, or take a whole file"
            )
        return self._make_error(state)

    # How it changes

    def _make_change(
        self, component: str, module: str, named: Mapping[str, tuple[str, Key]]
    ) -> Change:
        parts = {part: name for part, (name, _) in named.items()}
        shapes = {part: self._header.shapes[name] for part, name in parts.items()}
        target = None if self._modules is None else self._modules[component][module]
        self._check_types(parts)
        method = self._find_method(parts)
        self._check_bias(component, module, parts, target)
        if method is None:
            return Change(component, module, None, parts, None, None, False, {})
        if target is not None:
            self._check_fit(component, module, method, parts, target.weight)
        rank = _find_rank(method, shapes, None if target is None else target.weight)
        scale = self._find_scale(method, rank, named)
        options = self._find_options(component, method, named, target)
        if scale is None:
            return Change(component, module, method, parts, rank, None, False, options)
        rank = rank or scale.rank
        return Change(component, module, method, parts, rank, scale.alpha, scale.by_root, options)

    def _check_types(self, parts: Mapping[str, str]) -> None:
        for part, name in parts.items():
            dtype, shape = self._header.dtypes[name], self._header.shapes[name]
            if part in _SINGLE and math.prod(shape) != 1:
                raise self._make_error(f"{name} ({format_shape(shape)}) is not one number")
            types = _SINGLE.get(part, FLOATS)
            if types is not None and dtype not in types:
                raise self._make_error(f"{name} holds {dtype} numbers, not floating-point ones")

    def _find_method(self, parts: Mapping[str, str]) -> str | None:
        """The one method of a module's weight; None where only the bias changes."""
        there = frozenset(parts)
        methods = adapter_methods.find_methods(there)
        if len(methods) > 1:
            names = " and ".join(METHODS[method].name for method in methods)
            raise self._make_error(f"{next(iter(parts.values()))} and others mix {names}")
        known = frozenset(() if methods == ["peft_ia3"] else BIASES)  # (IA)3 changes it as well
        if methods:
            method = METHODS[methods[0]]
            lacking = method.list_lacking(there)
            if lacking:
                raise self._make_error(
                    f"{next(iter(parts.values()))} lacks its {lacking[0]} half"
                    if methods[0] == "lora"
                    else f"{next(iter(parts.values()))} lacks {', '.join(lacking)} beside it"
                )
            known |= method.list_parts()
        extra = sorted(there - known)
        if "weight" in extra:
            raise self._make_unread_error("a whole module (modules_to_save)", parts["weight"])
        if extra:
            raise self._make_error(f"{parts[extra[0]]} belongs to no method that is known")
        if {"dora_scale", "magnitude"} <= there:
            raise self._make_error(
                f"{parts['dora_scale']} and {parts['magnitude']} are for the same module"
            )
        return methods[0] if methods else None

    def _check_bias(
        self, component: str, module: str, parts: Mapping[str, str], target: Target | None
    ) -> None:
        biases = [part for part in BIASES if part in parts]
        if len(biases) > 1:
            raise self._make_error(
                f"{' and '.join(parts[part] for part in biases)} are for one bias"
            )
        if not biases or target is None:
            return
        name = parts[biases[0]]
        shape = self._header.shapes[name]
        if not target.bias:
            raise WeightsError(
                f"{self._header.title}: {name} changes a bias that SDXL has not; set"
                f" {self._setting} to a file without it, or to none"
            )
        if shape != target.weight[:1]:
            raise self._explain_misfit(component, module, {biases[0]: name}, target.weight[:1])

    def _check_fit(
        self, component: str, module: str, method: str, parts: Mapping[str, str], weight: Shape
    ) -> None:
        shapes = {part: self._header.shapes[name] for part, name in parts.items()}
        if method == "glora" and adapter_methods.find_glora_form(shapes, weight) == "either":
            raise self._make_error(
                f"the factors of {component} {module} are square, so that it cannot be told which"
                " version of GLoRA they are of"
            )
        fits = METHODS[method].fits(shapes, weight)
        if fits and "dora_scale" in shapes:
            fits = adapter_methods.find_dora_axis(shapes["dora_scale"], weight) is not None
        if fits and "magnitude" in shapes:
            fits = adapter_methods.fits_magnitude(shapes["magnitude"], weight)
        if not fits:
            raise self._explain_misfit(component, module, parts, weight)

    def _check_evenness(self, changes: tuple[Change, ...]) -> None:
        """Trainers write a part for all modules of a kind or for none: some have lost theirs."""
        kinds: dict[tuple[str, str | None], list[Change]] = {}
        for change in changes:
            kinds.setdefault((change.component, change.method), []).append(change)
        for kind in kinds.values():
            for part in _EVEN:
                self._check_part(part, kind)
            self._check_rotations(kind)

    def _check_part(self, part: str, kind: Sequence[Change]) -> None:
        lacking = [change for change in kind if part not in change.parts]
        if 0 < len(lacking) < len(kind):
            first = next(iter(lacking[0].parts.values()))
            raise self._make_error(
                f"{first} has no {part} beside it, as {len(kind) - len(lacking)} other modules of"
                " its kind have"
            )

    def _check_rotations(self, kind: Sequence[Change]) -> None:
        """PEFT's rotations have as many stages in all modules, and share a block in all or none."""
        stages = {
            self._header.shapes[change.parts["boft_R"]][0]: change.parts["boft_R"]
            for change in kind
            if "boft_R" in change.parts
        }
        shares: dict[bool, str] = {}
        for change in kind:
            if "oft_R" in change.parts and self._modules is not None:
                rows, elements = self._header.shapes[change.parts["oft_R"]]
                weight = self._modules[change.component][change.module].weight
                if math.prod(weight[1:]) > adapter_methods.find_oft_size(elements):
                    shares[rows == 1] = change.parts["oft_R"]
        for counts in (stages, shares):
            if len(counts) > 1:
                raise self._make_error(f"{' and '.join(counts.values())} do not go together")

    def _find_scale(
        self, method: str, rank: int | None, named: Mapping[str, tuple[str, Key]]
    ) -> Scale | None:
        """Alpha and rank by PEFT's configuration; None where the file or nothing says them."""
        name = METHODS[method].peft
        if name is None or self._config is None or "alpha" in named:
            return None
        first, key = next(iter(named.values()))
        scale = self._config.find_scale(key.component, key.layer, name)
        if scale is None:
            return None
        if rank is None and scale.rank is None:
            raise self._make_error(f"the configuration of {first} says nothing of its rank")
        if rank is not None and scale.rank not in (None, rank):
            raise self._make_error(
                f"{first} is of rank {rank}, and its configuration says {scale.rank}"
            )
        if name == "LORA":
            self._check_dora(key.component, named)
        return scale

    def _check_dora(self, component: str, named: Mapping[str, tuple[str, Key]]) -> None:
        assert self._config is not None
        fields = self._config.list_fields(component)
        for field, part, what in (
            ("use_dora", "magnitude", "magnitudes"),
            ("lora_bias", "up_bias", "a bias"),
        ):
            if field in fields and bool(fields[field]) != (part in named):
                first = next(iter(named.values()))[0]
                state = "has" if part in named else "lacks"
                raise self._make_error(
                    f"{first} {state} {what}, and its configuration says {field}={fields[field]}"
                )

    def _find_options(
        self,
        component: str,
        method: str,
        named: Mapping[str, tuple[str, Key]],
        target: Target | None,
    ) -> Mapping[str, Any]:
        """What the algebra needs besides the tensors, from PEFT's configuration."""
        fields = {} if self._config is None else self._config.list_fields(component)
        if method == "peft_ia3" and target is not None:
            name, key = named["ia3_l"]
            forms = adapter_methods.find_ia3_forms(self._header.shapes[name], target.weight)
            said = self._find_ia3_axis(fields.get("feedforward_modules"), key.layer)
            axes = [axis for axis in forms if said in (None, axis)]
            if len(axes) != 1:
                raise self._make_error(
                    f"{name} is for the {' or the '.join(forms)} of a module, and no"
                    " adapter_config.json says the same",
                    f"put {CONFIG_FILE} beside the file as PEFT saved it",
                )
            return {"axis": axes[0]}
        if method == "peft_oft":
            return self._find_oft_options(fields, named["oft_R"][0], target)
        if method == "peft_boft" and "boft_n_butterfly_factor" in fields:
            name = named["boft_R"][0]
            if self._header.shapes[name][:1] != (fields["boft_n_butterfly_factor"],):
                raise self._make_error(
                    f"{name} has not as many stages as boft_n_butterfly_factor in"
                    " adapter_config.json says"
                )
        return {}

    def _find_ia3_axis(self, said: object, layer: str | None) -> str | None:
        """What PEFT's feedforward_modules say of one layer; None where there are none."""
        if said is None or layer is None:
            return None
        try:
            if isinstance(said, str):
                return "inputs" if fits(said, layer) else "outputs"
        except PatternError:
            said = None
        if not isinstance(said, list):
            raise self._make_error("its configuration has no list as feedforward_modules")
        return "inputs" if any(layer.endswith(str(end)) for end in said) else "outputs"

    def _find_oft_options(
        self, fields: Mapping[str, Any], name: str, target: Target | None
    ) -> dict[str, Any]:
        """How PEFT turns oft_R into rotations."""
        if not fields and not name.startswith("base_model."):
            # OneTrainer's copy of PEFT's OFT knows one way, and saves no configuration.
            return {"neumann": True, "terms": 5, "eps": None, "turns_kernels": True}
        if "use_cayley_neumann" not in fields or "oft_block_size" not in fields:
            raise self._make_error(
                f"{name} is an OFT of PEFT, and no adapter_config.json says use_cayley_neumann and"
                " oft_block_size",
                f"put {CONFIG_FILE} beside the file as PEFT saved it",
            )
        rows, elements = self._header.shapes[name]
        size = adapter_methods.find_oft_size(elements)
        is_parted = target is not None and math.prod(target.weight[1:]) > size
        if rows == 1 and is_parted and not fields.get("block_share"):
            raise self._make_error(f"{name} has one block, and its configuration says more")
        terms, eps = fields.get("num_cayley_neumann_terms", 5), fields.get("eps", 6e-5)
        if not (isinstance(terms, int) and 0 <= terms <= _MOST_TERMS) or not (
            isinstance(eps, int | float) and 0 <= eps <= 1
        ):
            raise self._make_error(
                f"its configuration says {show(terms)} terms and eps={show(eps)}"
            )
        neumann = bool(fields["use_cayley_neumann"])
        eps = eps if fields.get("coft") else None
        return {"neumann": neumann, "terms": terms, "eps": eps, "turns_kernels": False}

    # Sentences

    def _explain_misfit(
        self, component: str, module: str, parts: Mapping[str, str], weight: Shape
    ) -> WeightsError:
        names = [name for part, name in parts.items() if part != "alpha"]
        shown = [f"{name} ({format_shape(self._header.shapes[name])})" for name in names]
        verb = "does" if len(shown) == 1 else "do"
        return self._make_error(
            f"{list_names(shown)} {verb} not fit {component} {module} ({format_shape(weight)})"
        )

    def _make_error(
        self, state: str, remedy: str = "copy or download it again as its trainer wrote it"
    ) -> WeightsError:
        """The error for an adapter with a fault: where it is of another family, that is said."""
        if self._is_for_another_family():
            return explain_wrong_file(self._header, _WANTED, self._setting)
        return WeightsError(f"{self._header.title}: {state}; {remedy}, or set {self._setting}=none")

    def _make_unread_error(self, kind: str, name: str) -> WeightsError:
        """The error for what a sound file holds, and is not read."""
        return WeightsError(
            f"{self._header.title}: {kind}, which is not read ({name}); set {self._setting} to"
            f" {_WANTED} of another kind, or to none"
        )

    def _is_for_another_family(self) -> bool:
        identity = identify(self._header)
        return identity is not None and identity.setting != LORA


def _find_rank(method: str, shapes: Mapping[str, Shape], weight: Shape | None) -> int | None:
    if method == "glora" and weight is not None:
        form = adapter_methods.find_glora_form(shapes, weight)
        return shapes["b1"][1 if form == "new" else 0]
    part, axis = next(((p, a) for p, a in METHODS[method].ranks if p in shapes), ("", 0))
    shape = shapes.get(part, ())
    return shape[axis] if axis < len(shape) else None
