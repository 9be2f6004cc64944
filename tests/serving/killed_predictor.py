"""The real predictor, killed as the system kills it, in the moment when a picture is all written.

It dies where the file named by KILL is there, before the picture's file gets its name.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import predict

ORDER = Path(os.environ["KILL"])


def kill(event: str, given: tuple[Any, ...]) -> None:
    if event == "os.rename" and str(given[0]).endswith(".part") and ORDER.exists():
        os.kill(os.getpid(), signal.SIGKILL)


sys.addaudithook(kill)


class Predictor(predict.Predictor):
    pass
