// Recipes from elsewhere: in the address, typed, pasted, or in the PNG of a tile.

import { at } from "./dom.js";
import { isDialogOpen } from "./dialogs.js";
import * as server from "./server.js";
import { fromLink, fromRecipe, link } from "./tile.js";
import { colorName, hexOf, say } from "./words.js";

export class Opening {
  #designer;
  #mixer;

  constructor(designer, mixer) {
    this.#designer = designer;
    this.#mixer = mixer;
    at("file").addEventListener("change", () => {
      if (at("file").files.length > 0) this.#restore([...at("file").files]);
      at("file").value = "";
    });
    addEventListener("hashchange", () => {
      if (location.hash !== link(designer.tile)) this.openLink();
    });
    addEventListener("paste", (event) => {
      const text = event.clipboardData?.getData("text/plain").trim();
      if (text && !event.target.matches?.("input, textarea") && !isDialogOpen()) this.read(text);
    });
    this.#drops();
  }

  show = (recipe) => this.#designer.show(fromRecipe(recipe, hexOf));

  /** Open the tile in the address. False if there is none, or none that is valid. */
  async openLink() {
    try {
      const text = fromLink(location.hash) ?? fromLink(location.search);
      return text !== null && (await this.#open(text));
    } catch (error) {
      this.#designer.fault(error);
      return false;
    }
  }

  async #open(text) {
    const before = this.#designer.tile;
    try {
      const { recipe } = await server.read(text);
      this.show(recipe);
      this.#designer.tell(() => say("link_opened"));
      return true;
    } catch (error) {
      const told = error.code === "recipe" ? new server.Fault("link", error.detail, {}, error.details) : error;
      // What somebody has mixed since is not thrown away for a link of before.
      this.#designer.fault(told, () => (this.#designer.tile === before || !before ? this.#open(text) : this.#designer.retry()));
      return false;
    }
  }

  /** Take what was typed or pasted: a colour by any of its names, or a whole recipe. False if it is neither. */
  read = async (text) => {
    try {
      const { color, recipe, understood } = await server.typed(text);
      if (color) this.#mixer.take(color);
      else this.show(recipe);
      const told = understood.filter((said) => said.nearest && said.source !== "hex");
      const words = () => [
        ...(recipe ? [say("recipe_read")] : []),
        ...told.map(({ word, hex, nearest }) => say("understood", { word, hex, nearest: nearest.map(colorName).join(", ") })),
      ].join(" ");
      if (words()) this.#designer.tell(words, true);
      return true;
    } catch (error) {
      this.#designer.fault(error);
      return false;
    }
  };

  async #restore(files) {
    if (files.length !== 1) {
      this.#designer.fault(new server.Fault("picture_one"));
      return;
    }
    try {
      const { recipe } = await server.dropped(files[0]);
      this.show(recipe);
      this.#designer.tell(() => say("restored"), true);
    } catch (error) {
      this.#designer.fault(error);
    }
  }

  #drops() {
    const files = (event) => event.dataTransfer?.types.includes("Files");
    addEventListener("dragover", (event) => {
      if (!files(event)) return;
      event.preventDefault();
      at("dropping").hidden = false;
    });
    addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) at("dropping").hidden = true;
    });
    addEventListener("drop", (event) => {
      if (!files(event)) return;
      event.preventDefault();
      at("dropping").hidden = true;
      this.#restore([...event.dataTransfer.files]);
    });
  }
}
