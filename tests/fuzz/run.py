"""Fuzzes one target with atheris.

    script/fuzz TARGET [SECONDS]

Starts from the seeds in tests/fuzz/corpus and from what was found before. What breaks a target goes
to fuzz/TARGET/, and new content that reached new code to fuzz/TARGET/corpus/. libFuzzer ends at the
first that breaks, that takes longer than 10 s, or 2 GiB of memory.
"""

import argparse
import random
from pathlib import Path

import atheris

FOLDER = Path("fuzz")
INSTRUMENTED = ("plitka", "json", "tarfile", "zipfile", "PIL")
"""Packages whose new code the fuzzer looks for: ours, and what reads for us in Python."""


def main() -> None:
    with atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
        from tests.fuzz.targets import TARGETS, list_found, list_seeds
    parser = argparse.ArgumentParser(
        prog="script/fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("seconds", type=int, nargs="?", default=3600, help="default: 3600")
    options = parser.parse_args()
    target = TARGETS[options.target]

    folder = FOLDER / target.name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for place, file in enumerate((*list_seeds(target), *list_found(target))):
        if file.stat().st_size <= target.longest:
            (corpus / f"seed-{place}").write_bytes(file.read_bytes())
    tokens = folder / "tokens"
    tokens.write_text(
        "".join(
            '"' + "".join(f"\\x{byte:02x}" for byte in token) + '"\n' for token in target.tokens
        )
    )

    def mutate(content: bytes, longest: int, seed: int) -> bytes:
        changed = atheris.Mutate(content, longest)
        # One in eight stays broken: what refuses that is to be tried as well.
        return target.repair(changed)[:longest] if random.Random(seed).randrange(8) else changed

    def check(content: bytes) -> None:
        target.check(content)

    atheris.Setup(
        [
            "fuzz",
            f"-dict={tokens}",
            f"-artifact_prefix={folder}/",
            f"-max_len={target.longest}",
            f"-max_total_time={options.seconds}",
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
            str(corpus),
        ],
        check,
        custom_mutator=mutate,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
