"""All settings: read once from the environment by a face of the program, and passed in from there.

The faces are predict.py, train.py, api.py, cli/, designer/run and serving/gateway; nothing else
looks at the environment. docs/settings.md is written by it:
python -m plitka.settings > docs/settings.md

Imports: color, order, runtime, weights and engines, for the values that settings become.
"""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from plitka.color import palette
from plitka.color.palette import Packed, Palette
from plitka.engines import registry
from plitka.engines.registry import EngineChoice
from plitka.engines.sdxl import options
from plitka.engines.sdxl.options import Options, SdxlSettings
from plitka.order.errors import OrderError
from plitka.order.inputs import read_defaults
from plitka.request.prompt import DEFAULT_TRIGGER
from plitka.runtime import logs
from plitka.runtime.logs import LogSettings
from plitka.weights import lora_scale
from plitka.weights import settings as weights
from plitka.weights.settings import WeightsSettings

ENGINE, PALETTE, PACKAGE, PORT = "PLITKA_ENGINE", "PLITKA_PALETTE", "COG_WEIGHTS", "PORT"
TRAINING, QUEUE = "PLITKA_TRAINING", "PLITKA_QUEUE"
BANK, INIT = "PLITKA_BANK", "PLITKA_INIT"
PHOTOGRAPHER, PHOTOGRAPHER_TOKEN = "PLITKA_PHOTOGRAPH", "PLITKA_PHOTOGRAPH_TOKEN"
COMPANY, CONTACT, LOGO = "PLITKA_COMPANY", "PLITKA_CONTACT", "PLITKA_LOGO"
ORDER = "PLITKA_ORDER"
CACHE = "XDG_CACHE_HOME"
REPLICATE_TOKEN = "REPLICATE_API_TOKEN"
REPLICATE_ADDRESS = "REPLICATE_API_BASE_URL"  # as Replicate's own client names it

OWN_BANK = palette.OWN_FILE.with_name("bank.local")
"""Where a maker's photo bank is kept, unless the settings name another folder."""

_DEFAULT_ENGINE = "sdxl"
_DEFAULT_PORT = "5000"
_DEFAULT_QUEUE = "32"


@dataclass(frozen=True)
class PhotographerSettings:
    """Who makes the designer's photographs.

    backend: "sdxl", the address of a Cog server, or "replicate:OWNER/DEPLOYMENT". token: the Cog
    server's. replicate_address: of Replicate's API, where it is not the public one.
    """

    backend: str
    token: str | None = field(repr=False)
    replicate_token: str = field(repr=False)
    replicate_address: str | None


@dataclass(frozen=True)
class CompanySettings:
    """Who makes offers, until the page says otherwise. logo: a file, not yet read."""

    name: str
    contact: str
    logo: Path | None


@dataclass(frozen=True)
class Settings:
    """The environment as it was when the program started.

    Each part is parsed when it is first asked for, so that a fault in what a command has no use
    for does not stop it. An empty variable counts as one that is not there.
    """

    variables: Mapping[str, str] = field(repr=False)  # with tokens among them

    @property
    def engine(self) -> str:
        """The engine's name, not yet checked."""
        return self.variables.get(ENGINE) or _DEFAULT_ENGINE

    @cached_property
    def weights(self) -> WeightsSettings:
        """Raises WeightsError for a value that is not allowed."""
        return weights.read_weights_settings(self.variables)

    @cached_property
    def options(self) -> Options:
        """Raises EngineError for a value that is not allowed."""
        return options.read_options(self.variables)

    @property
    def memory_fraction(self) -> float:
        """Of a GPU's memory. Raises EngineError for a value that is not allowed."""
        return options.read_memory_fraction(self.variables)

    @property
    def device(self) -> str | None:
        """The device that shall draw. Raises EngineError for a value that is not allowed."""
        return options.read_device(self.variables)

    @cached_property
    def sdxl(self) -> SdxlSettings:
        """What the sdxl engine is loaded by. Raises EngineError for a value that is not allowed."""
        return SdxlSettings(
            weights=self.weights,
            options=self.options,
            memory_fraction=self.memory_fraction,
            device=self.device,
        )

    @cached_property
    def log(self) -> LogSettings:
        """Raises LogError for a value that is not allowed."""
        return logs.read_log_settings(self.variables)

    @property
    def palette_file(self) -> Path | None:
        """The file of the maker's own colours: the one named, else OWN_FILE where it exists."""
        named = self.variables.get(PALETTE)
        if named:
            return Path(named)
        return palette.OWN_FILE if palette.OWN_FILE.is_file() else None

    @property
    def named_bank(self) -> Path | None:
        """The folder of the maker's photo bank, where one is named."""
        named = self.variables.get(BANK)
        return Path(named) if named else None

    @property
    def bank_folder(self) -> Path | None:
        """The folder of the maker's photo bank: the one named, else OWN_BANK where it exists."""
        return self.named_bank or (OWN_BANK if OWN_BANK.is_dir() else None)

    @property
    def init(self) -> str:
        """Which engine paints what sdxl starts from, not yet checked."""
        return self.variables.get(INIT) or registry.DEFAULT_INIT

    def choose_engine(self, package: Path | str | None, name: str | None = None) -> EngineChoice:
        """Choose the engine of this name, or else of the setting's.

        package: as setup() takes it. Raises EngineError for a name or a value that is not allowed.
        """
        chosen = registry.check_name(name or self.engine)
        sdxl = None if chosen in registry.WITHOUT_WEIGHTS else self.sdxl
        return EngineChoice(chosen, package, sdxl, self.init, self.bank_folder)

    def load_palette(self, package: Path | str | None, engine: str | None = None) -> Palette:
        """Load the palette: the built-in one, with the weights' colours, with the maker's own file.

        package: as setup() takes it; what PLITKA_BASE names may be a snapshot with colours, too.
        engine: which draws, in place of the setting's; some read no weights. Raises
        WeightsError, PaletteError, OSError.
        """
        return palette.load(self.palette_file, self.read_packed_palette(package, engine))

    def read_packed_palette(
        self, package: Path | str | None, engine: str | None = None
    ) -> Packed | None:
        """Read the palette that came with the weights, None where none did. Raises WeightsError."""
        has_weights = bool(package) or bool(self.variables.get(weights.BASE))
        if (engine or self.engine) in registry.WITHOUT_WEIGHTS or not has_weights:
            return None
        from plitka.weights import packed_palette  # only weights wait for it

        return packed_palette.read_packed_palette(self.weights, package)

    @property
    def training_folder(self) -> Path:
        """Where trainings under Cog keep their states, each in a folder of its own."""
        named = self.variables.get(TRAINING)
        return Path(named) if named else Path(tempfile.gettempdir()) / "plitka-training"

    @property
    def package(self) -> str | None:
        """A folder, an archive, a file or its address, with a LoRA and embeddings in it."""
        return self.variables.get(PACKAGE) or None

    @property
    def photographer(self) -> PhotographerSettings:
        return PhotographerSettings(
            backend=self.variables.get(PHOTOGRAPHER, "").strip() or "sdxl",
            token=self.variables.get(PHOTOGRAPHER_TOKEN, "").strip() or None,
            replicate_token=self.variables.get(REPLICATE_TOKEN, "").strip(),
            replicate_address=self.variables.get(REPLICATE_ADDRESS, "").strip() or None,
        )

    @property
    def company(self) -> CompanySettings:
        named = self.variables.get(LOGO)
        return CompanySettings(
            name=self.variables.get(COMPANY, "").strip(),
            contact=self.variables.get(CONTACT, "").strip().replace("\\n", "\n"),
            logo=Path(named) if named else None,
        )

    @property
    def order(self) -> Mapping[str, str]:
        """What orders are reckoned from where nothing else is said. Raises OrderError."""
        try:
            return read_defaults(self.variables.get(ORDER, ""))
        except OrderError as fault:
            raise OrderError(f"{ORDER}: {fault}", fault.field) from None

    @property
    def port(self) -> str:
        """The gateway's, not yet checked."""
        return self.variables.get(PORT) or _DEFAULT_PORT

    @property
    def queue(self) -> str:  # not yet checked either
        return self.variables.get(QUEUE) or _DEFAULT_QUEUE


def read_settings() -> Settings:
    """Read the environment. A face calls this once, before it loads an engine."""
    # Else transformers warns, when it is imported, of packages that nothing here uses.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    return Settings(MappingProxyType(dict(os.environ)))


# The page of all settings


@dataclass(frozen=True)
class Variable:
    """One environment variable. default: as somebody would write it. effect: in Markdown."""

    name: str
    kind: str
    default: str
    effect: str


VARIABLES = (
    Variable(
        ENGINE,
        "`sdxl`, `render` or `photo`",
        _DEFAULT_ENGINE,
        "The engine that draws. `sdxl` needs weights and a GPU. `render` needs neither. `photo` "
        "needs a [photo bank](photo-bank.md).",
    ),
    Variable(
        PALETTE,
        "file",
        "`refs/palette.local.csv`, if it is there",
        "A CSV file of your own colours, as `python -m plitka calibrate` writes it. Plitka adds "
        "them to the built-in colours; a colour of yours replaces a built-in one with the same "
        "code.",
    ),
    Variable(
        BANK,
        "folder",
        "`refs/bank.local`, if it is there",
        "The photo bank, made by `python -m plitka calibrate`: granules from your own "
        "photographs. The engine `photo` draws with them.",
    ),
    Variable(
        INIT,
        "`render` or `photo`",
        registry.DEFAULT_INIT,
        "The picture that `sdxl` starts from: the layout's render, or a tile of the photo bank.",
    ),
    Variable(
        weights.BASE,
        "repository, folder or `.safetensors` file",
        weights.SDXL,
        "The SDXL base model: a repository of the Hugging Face hub, a folder in diffusers' form, "
        "a single checkpoint, or a snapshot from `python -m plitka bake`.",
    ),
    Variable(
        weights.VAE,
        "file, folder or repository, or `base`",
        weights.SDXL_VAE,
        "The VAE. `base` takes the base model's own.",
    ),
    Variable(
        weights.LORA,
        "file, folder or repository, or `none`",
        f"`model_files/{weights.DEFAULT_LORA.name}`",
        "The LoRA that is fused into the base model: a file, a folder as a trainer saves one, "
        "`owner/name` on the hub, or `owner/name/file.safetensors`. `none` draws without a LoRA.",
    ),
    Variable(
        weights.LORA_SCALE,
        "number, -10 to 10",
        f"what the LoRA's note `{lora_scale.NOTE}` says, else {lora_scale.DEFAULT_SCALE:g}",
        "How strongly the LoRA is fused. A LoRA trained with Plitka has a note with the best scale "
        "that its training found.",
    ),
    Variable(
        weights.EMBEDDINGS,
        "file, folder or repository, or `none`",
        f"`model_files/{weights.DEFAULT_EMBEDDINGS.name}`",
        "The textual inversion for the prompt's `<s0><s1>`: 1 to 8 vectors. It takes the same "
        "forms as `PLITKA_LORA`. `none` leaves these tokens out of the prompt.",
    ),
    Variable(
        weights.TRIGGER,
        f"one line, at most {weights.LONGEST_TRIGGER} characters",
        f"what the LoRA's package or notes say, else `{DEFAULT_TRIGGER}`",
        "The trigger word that prompts begin with.",
    ),
    Variable(
        weights.CONTROLNET_SETTINGS["canny"],
        "file, folder or repository",
        weights.CONTROLNETS["canny"],
        "The Canny ControlNet. It is loaded when a picture first needs it.",
    ),
    Variable(
        weights.CONTROLNET_SETTINGS["softedge"],
        "file, folder or repository",
        weights.CONTROLNETS["softedge"],
        "The SoftEdge ControlNet. It is loaded when a picture first needs it.",
    ),
    Variable(
        weights.TURBO_LORA,
        "file, folder or repository, or `none`",
        "none",
        "A distilled LoRA (SDXL-Lightning, Hyper-SD, LCM, TCD, DMD2) for the quality `turbo`.",
    ),
    Variable(
        weights.TURBO_GUIDANCE,
        "number, 1 to 20",
        "6.5 for a LoRA made for guidance, else 1 (no guidance)",
        "The guidance of the quality `turbo`. Plitka recognizes published LoRAs by their content, "
        "and others by `CFG` in their name. Set this for a file that it does not recognize.",
    ),
    Variable(
        PACKAGE,
        "folder, `.tar`, `.zip` or `.safetensors` file, or the https address of one",
        "none",
        "A LoRA with its embeddings, in place of `PLITKA_LORA` and `PLITKA_EMBEDDINGS`. Cog "
        "passes it to `setup()`. For `make`, `plan`, `bench`, `check`, `bake` and `design` it is "
        "the default of `--weights`. A file at an address is fetched once.",
    ),
    Variable(
        TRAINING,
        "folder",
        "`plitka-training` in the folder for temporary files",
        "The folder for trainings through Cog. Each training keeps its states and output in a new "
        "folder there. The folder stays, so a training that ended early can continue.",
    ),
    Variable(
        CACHE,
        "folder",
        "`~/.cache`",
        "Plitka keeps weights from addresses in the folder `plitka/weights` below this one. "
        "Without a home folder it uses the folder for temporary files, and refuses files there "
        "that other users may have written.",
    ),
    Variable(
        options.COMPILE,
        f"`1`, `0`, or {', '.join(f'`{backend}`' for backend in options.BACKENDS)}",
        "0",
        "Compile the blocks of UNet and ControlNets and the VAE's decoder with torch.compile. "
        "Loading then takes minutes longer, and each picture less time. A snapshot keeps the "
        "compiled code.",
    ),
    Variable(
        options.CUDA_GRAPHS,
        "`1` or `0`",
        "1",
        "Record the steps as CUDA graphs when the engine is loaded, and replay them. This needs a "
        "CUDA card with enough free memory. The pictures are the same.",
    ),
    Variable(
        options.GUIDANCE_INTERVAL,
        "two noise levels, or `off`",
        f"{options.GUIDED.low},{options.GUIDED.high}",
        "Compute guidance only in the steps whose noise level (sigma) lies in this interval. "
        "`off` guides every step.",
    ),
    Variable(
        options.DEEP_CACHE,
        "`2`, `3` or `off`",
        "by quality",
        "Run all of UNet and ControlNet only in every second (`2`) or third (`3`) step, and only "
        "their highest resolution in the other steps. `off` runs all in every step. By default "
        "the quality `fast` uses `2` and the others `off`. `turbo` is always `off`.",
    ),
    Variable(
        options.OVERLAP,
        "`1` or `0`",
        "1",
        "Draw the next picture while the last one is matched and written. The pictures are the "
        "same.",
    ),
    Variable(
        options.DEVICE,
        "`cuda`, a card such as `cuda:1`, `mps` or `cpu`",
        "the card with the most free memory, else `mps`, else `cpu`",
        "The device that draws and trains. If there is an NVIDIA card that torch cannot use "
        "(because its driver is old, for instance), Plitka stops with an error unless this is "
        "`cpu`.",
    ),
    Variable(
        options.VISIBLE_CARDS,
        "list of cards, as CUDA takes it",
        "all cards",
        "The cards that `cuda:0`, `cuda:1` … refer to. -1 hides all cards, and Plitka then uses "
        "the CPU, as with `PLITKA_DEVICE=cpu`.",
    ),
    Variable(
        options.MEMORY_FRACTION,
        "number above 0, at most 1",
        "1",
        "The share of a GPU's memory that this process may use.",
    ),
    Variable(
        logs.LEVEL,
        ", ".join(f"`{level}`" for level in logs.LEVELS),
        "`INFO` under Cog and with `--verbose`, else `WARNING`",
        "The least severe messages that are logged. Libraries log from WARNING on.",
    ),
    Variable(
        logs.FORMAT,
        " or ".join(f"`{form}`" for form in logs.FORMATS),
        "text",
        "`text` writes lines of text. `json` writes each line as a JSON object, and shows no "
        "progress bars.",
    ),
    Variable(
        PHOTOGRAPHER,
        "`sdxl`, address, or `replicate:OWNER/DEPLOYMENT`",
        "sdxl",
        "Where the designer's photographs are made: in this process, on a Cog server, or in a "
        "deployment on Replicate. An address has scheme, host, port and path. It may have a user.",
    ),
    Variable(
        PHOTOGRAPHER_TOKEN,
        "token",
        "none",
        "Bearer token for the Cog server of `PLITKA_PHOTOGRAPH`. Not allowed if that address has "
        "a user.",
    ),
    Variable(
        REPLICATE_TOKEN,
        "token",
        "none",
        "Replicate's API token, for a deployment in `PLITKA_PHOTOGRAPH` and for `catalogue "
        "--replicate`.",
    ),
    Variable(
        REPLICATE_ADDRESS,
        "address",
        "Replicate's",
        "Another address of Replicate's API. Replicate's own client reads the same variable.",
    ),
    Variable(COMPANY, "text", "none", "Your company's name, on [offers](offer.md)."),
    Variable(
        CONTACT,
        "text",
        "none",
        "Address, telephone and so on, printed below the name; `\\n` begins another line.",
    ),
    Variable(
        LOGO,
        "file",
        "none",
        "Your company's logo: PNG, JPEG or another picture that Plitka reads.",
    ),
    Variable(
        ORDER,
        "figures by name",
        "none",
        "Figures from which [orders](offer.md#kilograms) are calculated, in place of the "
        "defaults: `thickness=15; density=950; loss=3; bag=20`.",
    ),
    Variable(PORT, "number", _DEFAULT_PORT, "The port of the gate in front of Cog's server."),
    Variable(
        QUEUE,
        "number, 0 to 1024",
        _DEFAULT_QUEUE,
        "How many requests may wait at the gate. It answers 429 to any more. Trainings do not "
        "queue.",
    ),
)
"""Every variable that the program reads."""


def write_page() -> str:
    """docs/settings.md: every variable with its type, default and effect."""
    rows = [f"| `{v.name}` | {v.kind} | {_as_code(v.default)} | {v.effect} |" for v in VARIABLES]
    return "\n".join([_HEAD, *rows, "", _FOOT])


def _as_code(default: str) -> str:
    plain = "`" not in default and " " not in default and "'" not in default
    return f"`{default}`" if plain and default != "none" else default


_HEAD = """\
# Settings

Plitka reads these environment variables once, when the program starts. An empty variable counts as
unset. `python -m plitka.settings` writes this page.

| variable | type | default | effect |
|---|---|---|---|"""

_FOOT = """\
Secrets of 6 characters or more never reach the log. A secret is the value of a variable whose name
ends in TOKEN, SECRET, PASSWORD, PASSPHRASE, CREDENTIALS or SIGNATURE, or in API_KEY, ACCESS_KEY,
SECRET_KEY or PRIVATE_KEY. A password in an address counts as a secret too.

The hub's own client reads `HF_HOME`, `HF_TOKEN` and `HF_HUB_OFFLINE`. Python reads `TMPDIR`, the
folder for temporary files: the pictures of predictions lie there until they have been read."""


if __name__ == "__main__":
    print(write_page())
