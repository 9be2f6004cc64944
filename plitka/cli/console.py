"""The terminal that tables and bars are printed on."""

from rich import console


class Console(console.Console):
    """A console that leaves the cursor as it is: who is killed could not show it again."""

    def show_cursor(self, show: bool = True) -> bool:
        return False
