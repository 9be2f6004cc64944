"""What goes wrong, in a form that the page can say in the user's language."""

from plitka.request.recipe import RecipeError


class Fault(Exception):
    """An error that the page shows.

    code: key of the sentence in the page's dictionary. values: for the sentence's placeholders.
    detail: more about it in English, from the engine or a server; shown under the sentence.
    status: of the HTTP response.
    """

    def __init__(self, code: str, detail: str = "", status: int = 400, **values: str | int) -> None:
        super().__init__(f"{code} {values} {detail}".strip())
        self.code = code
        self.detail = detail
        self.status = status
        self.values = values

    def as_json(self) -> dict[str, object]:
        return {"fault": self.code, "detail": self.detail, "values": self.values}


def make_recipe_fault(error: RecipeError) -> Fault:
    """Make the fault for a request that is no recipe."""
    return Fault("recipe", str(error), status=422)
