"""Progress bars: what a cancelled one leaves behind."""

import io
import threading

import pytest

from plitka.runtime.progress import ProgressBar


class Cancelled(BaseException):
    """As Cog's CancellationException."""


class Cancelling(io.StringIO):
    """A log in which writing is cancelled."""

    def write(self, _: str) -> int:
        raise Cancelled


def test_a_bar_that_was_cancelled_while_it_is_written_holds_up_no_other_thread() -> None:
    with pytest.raises(Cancelled):
        ProgressBar(total=2, file=Cancelling())
    shown = io.StringIO()

    def show() -> None:
        with ProgressBar(total=2, file=shown, mininterval=0) as bar:
            bar.update(2)

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert "100%" in shown.getvalue()
