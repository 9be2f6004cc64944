"""Finds the files of a LoRA and of embeddings: in a folder, a package or a repository of the hub.

Which file is which is told by the tensors in it. Where a trainer left its intermediate states, the
final one is taken, and none of a folder such as `checkpoint-500`. Of two others none is chosen.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeAlias

from plitka.errors import WeightsError
from plitka.weights import hub
from plitka.weights.adapter_config import CONFIG_FILE
from plitka.weights.copies import are_copies
from plitka.weights.embeddings import find_half, is_embeddings
from plitka.weights.header import (
    PICKLE_SUFFIXES,
    WEIGHTS_SUFFIXES,
    Header,
    list_names,
    read_header,
)
from plitka.weights.hub import Remote
from plitka.weights.identification import Identity, explain_wrong_file, identify
from plitka.weights.json_text import parse_json
from plitka.weights.lora_file import is_lora
from plitka.weights.places import Folder, Place, Repository, is_hidden, list_folder
from plitka.weights.settings import EMBEDDINGS, LORA, WeightsSettings
from plitka.weights.trigger import Trigger, read_special_params

Kind: TypeAlias = Literal["LoRA", "embeddings"]

SPECIAL_PARAMS = "special_params.json"

_LIBRARY_NAMES = (  # of diffusers and PEFT; beside a copy in another form, the file itself
    "pytorch_lora_weights.safetensors",
    "adapter_model.safetensors",
    "learned_embeds.safetensors",
)
# Folders of intermediate states: diffusers' checkpoint-500, and what others call theirs.
_CHECKPOINT = re.compile(
    r"(checkpoint|ckpt|epoch|step|iter|save|backup|state|sample)s?[-_.= ]?\d[\w.= -]*"
    r"|last|checkpoints?|backups?|saves?|samples?|state"
    r"|.+-state",  # kohya's tile-000004-state and tile-state
    re.IGNORECASE,
)
# Of an intermediate state: diffusers', kohya's by step and by epoch, ai-toolkit's.
_STEPS = re.compile(r"(-steps-\d+|-step\d+|-0\d{5}|_0\d{8})$")
_STATES = re.compile(r"(optimizer|scheduler|random_states|rng_state|scaler|training_args)[\w.-]*")
_SETTINGS: Mapping[str, Kind] = {LORA: "LoRA", EMBEDDINGS: "embeddings"}
_WANTED: Mapping[Kind, str] = {"LoRA": "a LoRA for SDXL", "embeddings": "SDXL embeddings"}
_MOST_HEADERS = 100  # that are read of one folder or repository
_MOST_NAMES = 20  # in a sentence
_EXAMPLE = "{example}"  # in a remedy, for the first of the files


@dataclass(frozen=True)
class AdapterFiles:
    """The files of a LoRA or of embeddings.

    headers: of its file; of both where embeddings are a pair. config: PEFT's adapter_config.json
    that lies beside it. trigger: what special_params.json beside it says. remote: what is to be
    fetched first; the headers' paths are then those in the repository. bundled: whether the file
    holds both, a LoRA and embeddings.
    """

    headers: tuple[Header, ...]
    config: Mapping[str, Any] | None = None
    trigger: Trigger | None = None
    remote: Remote | None = None
    bundled: bool = False

    @property
    def title(self) -> str:
        """What sentences call the files."""
        return " and ".join(header.title for header in self.headers)


@dataclass(frozen=True)
class Package:
    """What `setup(weights)` was given. title: what sentences call it. None for what is not in it.

    pickles: names of the files in it that are never loaded.
    """

    title: str
    lora: AdapterFiles | None
    embeddings: AdapterFiles | None
    pickles: tuple[str, ...] = ()


# What setup(weights) was given


def find_package(folder: Folder) -> Package:
    """Find the LoRA and the embeddings in a package. Raises WeightsError for any other weights."""
    kinds: tuple[Kind, ...] = ("LoRA", "embeddings")
    members = _find_members(folder, kinds)
    for member in members:
        _refuse_foreign(member, "leave it out of the package")
    lora, embeddings = (_choose(folder, kind, members, "leave one of them") for kind in kinds)
    pickles = _list_pickles((*folder.names, *folder.passed_over))
    if lora is None and embeddings is None:
        state = f" (only {list_names(pickles)}, which is never loaded)" if pickles else ""
        raise WeightsError(
            f"{folder.title}: holds neither a LoRA nor embeddings as .safetensors{state}; put them"
            " into it"
        )
    return Package(folder.title, lora, embeddings, pickles)


def read_single_package(path: Path, title: str) -> Package:
    """Take one file as a package: a LoRA, embeddings, or both in one. title: for sentences."""
    folder = replace(_list_around(path, "download it again"), alone=title)
    member = _read_member(folder, path.name)
    _refuse_foreign(member, "give a folder, .tar, .zip or file with these")
    files = _gather(folder, _list_parts(folder, member))
    return Package(
        title,
        files if "LoRA" in member.kinds else None,
        files if "embeddings" in member.kinds else None,
    )


def _list_pickles(names: Iterable[str]) -> tuple[str, ...]:
    """The files that may hold weights which are never loaded."""
    return tuple(
        name
        for name in names
        if PurePosixPath(name).suffix.lower() in PICKLE_SUFFIXES
        and not _STATES.fullmatch(PurePosixPath(name).name)
        and not is_checkpoint(name)
    )


# What the settings name


def find_lora(settings: WeightsSettings, package: Package) -> AdapterFiles | None:
    """Find the LoRA that is fused: the package's, else the one that the setting names."""
    if package.lora is not None or settings.lora is None:
        return package.lora
    return find_adapter(settings.lora, "LoRA", LORA)


def find_embeddings(
    settings: WeightsSettings, package: Package, lora: AdapterFiles | None
) -> AdapterFiles | None:
    """Find the embeddings: the package's, else those that the setting names.

    Beside the LoRA of a package, and in place of embeddings that are bundled with the LoRA, only
    those that the environment names: the default ones are of another training. lora: as find_lora
    gives it.
    """
    if package.embeddings is not None or settings.embeddings is None:
        return package.embeddings
    if EMBEDDINGS not in settings.named:
        if package.lora is not None:
            return None
        if lora is not None and lora.bundled:
            return lora
    return find_adapter(settings.embeddings, "embeddings", EMBEDDINGS)


def find_adapter(path: Path, kind: Kind, setting: str) -> AdapterFiles:
    """Find what a setting names: a file, a folder, a repository of the hub or a file in one.

    path: as the setting writes it. Raises WeightsError where there is none, or more than one.
    """
    default = _SETTINGS.get(setting) == kind
    remedy = (
        f"put the {kind} there, name {'it' if kind == 'LoRA' else 'them'} with {setting}, or set"
        f" {setting}=none to run without{' one' if kind == 'LoRA' else ' them'}"
        if default
        else f"set {setting} to what is there, or to none"
    )
    if path.is_dir():
        folder = list_folder(path, remedy=remedy)
        return _find_in(folder, kind, setting, f"name one with {setting}")
    address = None if path.exists() or path.is_symlink() else hub.split_address(path.as_posix())
    if address is None:
        ends = (*WEIGHTS_SUFFIXES, *PICKLE_SUFFIXES)
        if path.suffix.lower() not in ends and not path.exists() and not path.is_symlink():
            raise WeightsError(
                f"{path}: no such file or folder, nor the name of a repository; {remedy}"
            )
        return _take_file(_list_around(path, remedy), path.name, kind)
    repository, file = address
    place = _open_repository(repository, setting, remedy)
    if not file:
        example = f"{setting}={repository}/{_EXAMPLE}"
        return _find_in(place, kind, setting, f"name one of them, such as {example}")
    if file not in place.names:
        raise WeightsError(
            f"{path.as_posix()}: no such file here, and none of that name in {place.title};"
            f" {remedy}"
        )
    return _take_file(place, file, kind)


class UnreachableError(WeightsError):
    """A repository that is not in the cache, and of which the hub says nothing."""


def _open_repository(repository: str, setting: str, remedy: str) -> Place:
    listed = hub.list_files(repository)
    if listed is not None:
        wanted = {name: listed[name] for name in sorted(listed) if _is_ours(name)}
        return Repository(repository, wanted, setting)
    cached = hub.find_cached_folder(repository)
    if cached is None:
        raise UnreachableError(
            f"{repository}: no file or folder here, not in the cache, and the hub cannot be reached"
            f" or has no such repository; check the connection and the name, or {remedy}"
        )
    return list_folder(cached, remedy=remedy)


def _is_ours(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in (*WEIGHTS_SUFFIXES, *PICKLE_SUFFIXES, ".json")


def _list_around(path: Path, remedy: str) -> Folder:
    """List one file, and what may belong to it in its folder."""
    beside = (CONFIG_FILE, SPECIAL_PARAMS, _name_partner(path.name))
    names = [name for name in beside if name != path.name and (path.parent / name).is_file()]
    return Folder(path.parent, (path.name, *names), remedy=remedy)


def _take_file(place: Place, name: str, kind: Kind) -> AdapterFiles:
    """Take the file that is named, whatever else lies beside it."""
    member = _read_member(place, name)
    return _gather(place, _list_parts(place, member) if kind == "embeddings" else (member,))


def _find_in(place: Place, kind: Kind, setting: str, remedy: str) -> AdapterFiles:
    """Find the one LoRA, or the one set of embeddings, of a folder or a repository."""
    members = _find_members(place, [kind])
    chosen = _choose(place, kind, members, remedy)
    if chosen is not None:
        return chosen
    if members:
        raise explain_wrong_file(members[0].header, _WANTED[kind], setting)
    pickles = _list_pickles(place.names)
    state = f" (only {list_names(pickles)}, which is never loaded)" if pickles else ""
    raise WeightsError(
        f"{place.title}: {place.kind}, not a file, and holds no .safetensors{state}; set"
        f" {setting} to {_WANTED[kind]}"
    )


# What the files are


@dataclass(frozen=True)
class _Member:
    """One file of weights. kinds: what is in it; none for what is no adapter for this model.

    half: the text encoder of a file that holds the embeddings of one alone.
    """

    name: str
    header: Header
    kinds: frozenset[Kind]
    identity: Identity | None = None
    half: str | None = None


def _find_members(place: Place, wanted: Iterable[Kind]) -> list[_Member]:
    """Read the headers of files of weights: of all that are no intermediate states.

    Of these only where a kind that is wanted is not there, and what is of that kind; all of them
    where there are no others.
    """
    names = [
        name
        for name in place.names
        if PurePosixPath(name).suffix.lower() in WEIGHTS_SUFFIXES and not is_hidden(name)
    ]
    final = _read_members(place, [name for name in names if not is_checkpoint(name)])
    missing = set(wanted).difference(*(member.kinds for member in final))
    if final and not missing:
        return final
    states = _read_members(place, [name for name in names if is_checkpoint(name)])
    return [*final, *(member for member in states if not final or member.kinds & missing)]


def _read_members(place: Place, names: Sequence[str]) -> list[_Member]:
    if len(names) > _MOST_HEADERS:
        raise WeightsError(
            f"{place.title}: holds {len(names)} files of weights; name the one that is meant"
        )
    return [_read_member(place, name) for name in names]


def is_checkpoint(name: str) -> bool:
    """Whether a file lies in a folder of intermediate states."""
    return any(_CHECKPOINT.fullmatch(part) for part in PurePosixPath(name).parts[:-1])


def _read_member(place: Place, name: str) -> _Member:
    header = place.read_header(name)
    half = find_half(header)
    if half is not None:
        return _Member(name, header, frozenset({"embeddings"}), half=half)
    identity = identify(header)
    if identity is not None and identity.setting not in _SETTINGS:
        return _Member(name, header, frozenset(), identity)
    kinds: set[Kind] = set()
    if identity is not None and identity.setting is not None:
        kinds.add(_SETTINGS[identity.setting])
    if is_embeddings(header):
        kinds.add("embeddings")
    if is_lora(header):
        kinds.add("LoRA")
    return _Member(name, header, frozenset(kinds), identity)


def _refuse_foreign(member: _Member, remedy: str) -> None:
    """Raise WeightsError for weights in a package that are neither a LoRA nor embeddings."""
    if member.kinds:
        return
    identity = member.identity
    what = f"holds {list_names(member.header.shapes)}" if identity is None else identity.title
    setting = None if identity is None else identity.setting
    named = f"name it with {setting}, and {remedy}" if setting else remedy
    raise WeightsError(
        f"{member.header.title}: {what}, and weights are a LoRA and embeddings for SDXL, nothing"
        f" else; {named}"
    )


# Which of them is taken


def _choose(
    place: Place, kind: Kind, members: Sequence[_Member], remedy: str
) -> AdapterFiles | None:
    """Choose the files of one kind, None where there are none.

    Raises WeightsError for two, whose remedy it is.
    """
    candidates = [
        member
        for member in members
        if kind in member.kinds
        and not (member.half == "clip_g" and _find_partner(member, members) is not None)
    ]
    candidates = [m for m in candidates if not is_checkpoint(m.name)] or candidates
    names = {member.name for member in candidates}
    final = [
        member
        for member in candidates
        if _name_final(member.name) == member.name or _name_final(member.name) not in names
    ]
    original = [m for m in final if PurePosixPath(m.name).name in _LIBRARY_NAMES]
    if len(original) == 1 and _are_copies(place, final):
        final = original
    if not final:
        return None
    if len(final) > 1:
        raise _explain_several(place, kind, [member.name for member in final], remedy)
    partner = _find_partner(final[0], members) if final[0].half else None
    return _gather(place, final[:1] if partner is None else (final[0], partner))


def _name_final(name: str) -> str:
    """The name that a trainer gives to the final state of a file of an intermediate one."""
    path = PurePosixPath(name)
    return str(path.with_name(_STEPS.sub("", path.stem) + path.suffix))


def _are_copies(place: Place, members: Sequence[_Member]) -> bool:
    """Whether these files are all here, and hold the same numbers in different forms."""
    is_here = place.plan_fetching(member.name for member in members) is None
    return is_here and are_copies([member.header for member in members])


def _explain_several(place: Place, kind: Kind, names: Sequence[str], remedy: str) -> WeightsError:
    count = "two" if len(names) == 2 else str(len(names))
    listed = " and ".join(names) if len(names) == 2 else ", ".join(names[:_MOST_NAMES])
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    article = "a LoRA" if kind == "LoRA" else "embeddings"
    return WeightsError(
        f"{place.title}: holds {count} files of {article}, {listed}{more};"
        f" {remedy.replace(_EXAMPLE, names[0])}"
    )


def _name_partner(name: str) -> str:
    """The name of a pair's other file: learned_embeds.safetensors, learned_embeds_2.safetensors.

    Between the two, `-steps-500` of an intermediate state stays at the end.
    """
    path = PurePosixPath(name)
    steps = _STEPS.search(path.stem)
    end = steps[0] if steps else ""
    stem = path.stem.removesuffix(end)
    other = stem.removesuffix("_2") if stem.endswith("_2") else f"{stem}_2"
    return str(path.with_name(f"{other}{end}{path.suffix}"))


def _find_partner(member: _Member, members: Sequence[_Member]) -> _Member | None:
    """Find the file with the other half of embeddings: by its name, else the only one beside it."""
    halves = [
        other
        for other in members
        if other.half not in (None, member.half)
        and PurePosixPath(other.name).parent == PurePosixPath(member.name).parent
        and set(other.header.shapes) == set(member.header.shapes)
    ]
    named = [other for other in halves if other.name == _name_partner(member.name)]
    return (named or halves)[0] if len(named or halves) == 1 else None


def _list_parts(place: Place, member: _Member) -> tuple[_Member, ...]:
    """The file, and its other half where it is one file of a pair."""
    name = _name_partner(member.name)
    if member.half is None or name not in place.names:
        return (member,)
    partner = _find_partner(member, [_read_member(place, name)])
    return (member,) if partner is None else (member, partner)


def _gather(place: Place, members: Sequence[_Member]) -> AdapterFiles:
    """Read what lies beside the chosen files, and sum up what is to be fetched."""
    folder = PurePosixPath(members[0].name).parent
    config, params = str(folder / CONFIG_FILE), str(folder / SPECIAL_PARAMS)
    if params not in place.names and SPECIAL_PARAMS in place.names:
        params = SPECIAL_PARAMS
    beside = [name for name in (config, params) if name in place.names]
    return AdapterFiles(
        headers=tuple(member.header for member in members),
        bundled=len(members[0].kinds) > 1,
        config=_read_json(place, config) if config in beside else None,
        trigger=(
            read_special_params(_read_json(place, params), place.name_member(params))
            if params in beside
            else None
        ),
        remote=place.plan_fetching([*(member.name for member in members), *beside]),
    )


def _read_json(place: Place, name: str) -> Mapping[str, Any]:
    try:
        values = parse_json(place.read_text(name))
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise WeightsError(f"{place.name_member(name)}: not a JSON object; copy it again")
    return values


def fetch_adapter(files: AdapterFiles, setting: str) -> AdapterFiles:
    """Fetch what is not here yet, and read its headers anew."""
    if files.remote is None:
        return files
    folder = hub.fetch_remote(files.remote, setting)
    headers = tuple(
        read_header(folder / header.path, "fetch it again", header.title)
        for header in files.headers
    )
    return replace(files, headers=headers, remote=None)
