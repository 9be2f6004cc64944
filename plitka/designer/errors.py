"""What goes wrong, in a form that the page can say in the user's language."""

from plitka.messages.message import LANGUAGES, Language, SpokenError
from plitka.request.recipe import RecipeError


class Fault(Exception):
    """An error that the page shows.

    code: key of the sentence in the page's dictionary. values: for the sentence's placeholders.
    detail: more about it, in English, from the engine or a server; shown under the sentence. An
    error that can be said in each language is. status: of the HTTP response.
    """

    def __init__(
        self,
        code: str,
        detail: str | SpokenError = "",
        status: int = 400,
        **values: str | int,
    ) -> None:
        super().__init__(f"{code} {values} {detail}".strip())
        self.code = code
        self.detail = str(detail)
        self.details: dict[Language, str] = {}
        if isinstance(detail, SpokenError):
            self.details = {language: detail.say(language) for language in LANGUAGES}
        self.status = status
        self.values = values

    def as_json(self) -> dict[str, object]:
        told: dict[str, object] = {"fault": self.code, "detail": self.detail, "values": self.values}
        return {**told, "details": self.details} if self.details else told


def make_recipe_fault(error: RecipeError) -> Fault:
    """Make the fault for a request that is no recipe."""
    return Fault("recipe", error, status=422)
