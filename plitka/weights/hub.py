"""Repositories of the Hugging Face hub: which of their files are needed, cached or missing."""

import errno
import glob
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from plitka.errors import WeightsError, extract_first_line
from plitka.weights.header import (
    PICKLE_SUFFIXES,
    WEIGHTS_SUFFIXES,
    Header,
    refuse_odd_names,
)
from plitka.weights.home import expand_home

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_OF_THE_CACHE = frozenset(  # what goes wrong with the folder that is written to
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
    | {errno.ENOENT, errno.ENOTDIR}
)

Wanted: TypeAlias = Mapping[str, str]
"""Folder in a repository -> stem of the weights in it; "" takes the folder's config alone."""

BASE: Wanted = {
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "text_encoder": "model",
    "text_encoder_2": "model",
}
BASE_WITHOUT_VAE: Wanted = {folder: stem for folder, stem in BASE.items() if folder != "vae"}
BASE_CONFIGS: Wanted = dict.fromkeys(BASE, "")
MODEL: Wanted = {"": "diffusion_pytorch_model"}


@dataclass(frozen=True)
class Remote:
    """A repository with files that are not here yet.

    files: all that are needed. missing: those of them to be fetched, missing_bytes in all.
    """

    repository: str
    files: tuple[str, ...]
    missing: tuple[str, ...]
    missing_bytes: int


def is_repository(text: str) -> bool:
    """Whether a setting names a repository of the hub and not a path on this machine."""
    return not expand_home(text).exists() and _is_repository_name(text)


def split_address(text: str) -> tuple[str, str] | None:
    """Take "owner/name" or "owner/name/path/in/it.safetensors" apart: the repository and its file.

    The file is "" where none is named. None for what can only be a path on this machine.
    """
    parts = text.split("/")
    repository, file = "/".join(parts[:2]), "/".join(parts[2:])
    if file and (not file.lower().endswith(WEIGHTS_SUFFIXES) or ".." in parts or "" in parts):
        return None
    return (repository, file) if _is_repository_name(repository) else None


def _is_repository_name(text: str) -> bool:
    """Whether the hub allows the name; none is that of a file of weights."""
    if not _REPOSITORY.fullmatch(text) or text.lower().endswith(
        (*WEIGHTS_SUFFIXES, *PICKLE_SUFFIXES)
    ):
        return False
    from huggingface_hub.errors import HFValidationError  # a second: only where it may be one
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(text)
    except HFValidationError:
        return False
    return True


def find_source(text: str, setting: str, wanted: Wanted) -> Path | Remote:
    """Find what a setting names: a path here, a repository's folder in the cache, or a repository.

    Raises WeightsError where there is no such path, and for a repository that is neither cached
    nor on the hub.
    """
    if not is_repository(text):
        path = expand_home(text)
        if not path.exists():
            raise WeightsError(
                f"{path}: no such file or folder, nor the name of a repository; set {setting} to"
                " what is there, or to owner/name on the hub"
            )
        return path
    listed = list_files(text)
    if listed is None:
        cached = _find_cached(text, "model_index.json" if "unet" in wanted else "config.json")
        if cached is None:
            raise WeightsError(
                f"{text}: no folder here, not in the cache, and the hub cannot be reached or has"
                f" no such repository; check the connection and the name, or set {setting} to a"
                " folder"
            )
        return cached
    chosen = choose_files(list(listed), wanted)
    missing = tuple(name for name in chosen if not listed[name][1])
    if not chosen:
        raise WeightsError(f"{text}: the repository holds no such model; set {setting} to another")
    remote = Remote(text, tuple(chosen), missing, sum(listed[name][0] for name in missing))
    return remote if missing else fetch_remote(remote, setting)  # which only looks up the folder


def fetch_remote(remote: Remote, setting: str) -> Path:
    """Fetch what is missing, with progress bars, and return the folder that holds all of it."""
    import httpx2  # what huggingface_hub speaks through, and some of its errors are
    from huggingface_hub import snapshot_download

    allowed = [glob.escape(name) for name in remote.files]
    try:
        return Path(snapshot_download(remote.repository, allow_patterns=allowed))
    except (OSError, httpx2.HTTPError) as error:
        _refuse_cache(remote.repository, error)
        raise WeightsError(
            f"{remote.repository}: could not be fetched ({extract_first_line(error)}); try again,"
            f" or set {setting} to a folder"
        ) from error


def _refuse_cache(repository: str, error: Exception) -> None:
    """Raise WeightsError where an error is not the hub's but of the folder it is written to."""
    from huggingface_hub import constants

    if isinstance(error, OSError) and error.errno in _OF_THE_CACHE:
        raise WeightsError(
            f"{repository}: cannot be kept in {constants.HF_HUB_CACHE} ({error.strerror}); make"
            " room there, or name another folder with HF_HOME"
        ) from error


def read_remote_header(repository: str, file: str, setting: str) -> Header:
    """Read the header of a file on the hub, by range requests. Its path is the repository's."""
    import httpx2
    from huggingface_hub import parse_safetensors_file_metadata
    from huggingface_hub.errors import SafetensorsParsingError

    try:
        header = parse_safetensors_file_metadata(repository, file)
    except (OSError, httpx2.HTTPError, SafetensorsParsingError) as error:
        raise _explain_unread(repository, file, setting, error) from error
    refuse_odd_names(f"{repository}/{file}", header.tensors)
    return Header(
        path=Path(file),
        title=f"{repository}/{file}",
        shapes={name: tuple(tensor.shape) for name, tensor in header.tensors.items()},
        dtypes={name: str(tensor.dtype) for name, tensor in header.tensors.items()},
        metadata=header.metadata,
    )


def read_remote_text(repository: str, file: str, setting: str, most: int) -> str:
    """Read a small text file on the hub, without putting it into the cache. most: bytes."""
    import httpx2
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    try:
        response = get_session().get(
            hf_hub_url(repository, file),
            headers={**build_hf_headers(), "range": f"bytes=0-{most - 1}"},
        )
        response.raise_for_status()
        return response.content.decode("utf-8")
    except (OSError, UnicodeDecodeError, httpx2.HTTPError) as error:
        raise _explain_unread(repository, file, setting, error) from error


def _explain_unread(repository: str, file: str, setting: str, error: Exception) -> WeightsError:
    return WeightsError(
        f"{repository}: {file} could not be read ({extract_first_line(error)}); try again, or set"
        f" {setting} to a folder"
    )


def list_files(repository: str) -> dict[str, tuple[int, bool]] | None:
    """List a repository's files: name -> (bytes, whether it is cached).

    None where the hub does not answer. Raises WeightsError for a cache that cannot be used.
    """
    import httpx2
    from huggingface_hub import constants, snapshot_download

    if constants.HF_HUB_CACHE.startswith("~"):
        raise WeightsError(
            f"{repository}: cannot be kept, for this user has no home with a cache; name a folder"
            " for it with HF_HOME"
        )

    try:
        files = snapshot_download(repository, dry_run=True)
    except (OSError, httpx2.HTTPError) as error:
        _refuse_cache(repository, error)
        return None
    return {file.filename: (file.file_size or 0, file.is_cached) for file in files}


def _find_cached(repository: str, mark: str) -> Path | None:
    """Find the cached folder of a repository by one file that is in it."""
    from huggingface_hub import try_to_load_from_cache

    file = try_to_load_from_cache(repository, mark)
    return Path(file).parent if isinstance(file, str) else None


def find_cached_folder(repository: str) -> Path | None:
    """Find the cached folder of a repository, with those of its files that were fetched."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        # Without patterns, only where all of the repository's files are there.
        return Path(snapshot_download(repository, local_files_only=True, allow_patterns=[]))
    except LocalEntryNotFoundError:
        return None


def find_here(text: str, wanted: Wanted) -> Path | None:
    """Find what a setting names on this machine, without a word to the hub.

    None for a repository of whose weights nothing is in the cache. What is found may still lack
    something; a path that is not there is returned as it is, for who loads it to tell.
    """
    if not is_repository(text):
        return expand_home(text)
    folder = find_cached_folder(text)
    return folder if folder is not None and any(list_weights(folder, wanted)) else None


def list_weights(folder: Path, wanted: Wanted) -> Iterator[Path]:
    """List the files of weights in a folder of this machine that are loaded."""
    names = [
        path.relative_to(folder).as_posix()
        for inner in wanted
        for path in (folder / inner).glob("*")
    ]
    for name in choose_files(names, wanted):
        if name.endswith(WEIGHTS_SUFFIXES):
            yield folder / name


def find_cached_file(repository: str, file: str) -> Path | None:
    """Find a file of a repository in the cache."""
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(repository, file)
    return Path(path) if isinstance(path, str) else None


def choose_files(names: Sequence[str], wanted: Wanted) -> list[str]:
    """Choose the files of a repository that are loaded: no pickles, fp16 where there is any."""
    chosen: list[str] = []
    for folder, stem in wanted.items():
        inside = {name for name in names if str(Path(name).parent) == (folder or ".")}
        chosen += sorted(name for name in inside if Path(name).name == "config.json")
        part = rf"{re.escape(stem)}(-\d+-of-\d+)?"
        for pattern in (
            rf"{part}\.fp16(-\d+-of-\d+)?\.safetensors|{re.escape(stem)}\.safetensors\.index\.fp16\.json",
            rf"{part}\.safetensors|{re.escape(stem)}\.safetensors\.index\.json",
        ):
            weights = sorted(n for n in inside if re.fullmatch(pattern, Path(n).name))
            if weights:
                chosen += weights
                break
    if "unet" in wanted:
        texts = ("tokenizer", "tokenizer_2", "scheduler")
        chosen += sorted(
            name
            for name in names
            if name == "model_index.json"
            or (str(Path(name).parent) in texts and name.endswith((".json", ".txt")))
        )
    return chosen
