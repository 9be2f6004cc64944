"""The terminal that tables and bars are printed on."""

from rich import console
from rich.progress import ProgressColumn, Task
from rich.text import Text


class Console(console.Console):
    """A console that leaves the cursor as it is: who is killed could not show it again."""

    def show_cursor(self, show: bool = True) -> bool:
        return False


class RateColumn(ProgressColumn):
    """How many steps a minute are done."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{60 * speed:.1f}/min")
