// What stands on paper below the picture: the mix as a table, and the recipe.

import { at, make } from "./dom.js";
import { link } from "./tile.js";
import { codeOf, colorName, figure, percent, say } from "./words.js";

export function attachPrint(designer) {
  designer.subscribe(({ tile }) => {
    const head = ["print_color", "print_code", "print_hex", "print_share"].map((word) => make("th", { scope: "col" }, say(word)));
    const rows = tile.colors.filter((color) => color.share > 0).map((color) => {
      const swatch = make("span", { class: "swatch" });
      swatch.style.background = color.hex;
      return make("tr", {}, make("td", {}, swatch, " ", colorName(color.name)), make("td", {}, codeOf(color.name)),
        make("td", {}, color.hex), make("td", {}, percent(color.share / tile.whole)));
    });
    const recipe = say("print_recipe", { angle: figure(tile.angle, 6), seed: tile.seed, quality: say(`quality_${tile.quality}`) });
    at("print").replaceChildren(
      make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)),
      make("p", {}, recipe), make("p", { class: "address" }, link(tile)));
  });
}
