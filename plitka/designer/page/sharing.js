// The dialog for sharing a tile: its link, its pictures, and texts for other programs.

import { openDialog } from "./dialogs.js";
import { at, make } from "./dom.js";
import { key, link } from "./tile.js";
import { read } from "./server.js";
import { current, say } from "./words.js";

const TEXTS = ["params_json", "command", "cog", "curl", "curl_replicate", "python"];

export class Sharing {
  #designer;
  #pictures;
  #tile = null;
  #language = "";
  #texts = {};
  #name = "plitka"; // that files begin with: the mix, once the server has told it
  #text = TEXTS[0];

  /** pictures(tile): lists what can be saved, [[word, end of the file's name, async () => Blob]]. */
  constructor(pictures, designer) {
    this.#pictures = pictures;
    this.#designer = designer;
    at("open-share").addEventListener("click", () => this.open(designer.tile));
    at("copy-link").addEventListener("click", () => this.#copy(at("link"), at("copy-link")));
    at("copy-code").addEventListener("click", () => this.#copy(at("code"), at("copy-code")));
    at("tabs").addEventListener("keydown", (event) => this.#arrow(event));
  }

  async open(tile) {
    this.#tile = tile;
    this.#texts = {};
    this.#name = "plitka";
    this.fill();
    openDialog(at("share"));
    try {
      ({ texts: this.#texts, name: this.#name } = await read(key(tile)));
      this.#write(); // not `fill`: a click on a button is lost when the button is replaced
    } catch (error) {
      this.#designer.fault(error, () => this.open(tile));
    }
  }

  /** Write the dialog again, in another language. */
  retell() {
    if (this.#language !== current()) this.fill();
  }

  fill() {
    if (!this.#tile) return;
    this.#language = current();
    at("link").value = new URL(link(this.#tile), location.href).href;
    for (const button of [at("copy-link"), at("copy-code")]) button.textContent = say("copy");
    at("saves").replaceChildren(...this.#pictures(this.#tile).map(([word, end, made]) =>
      make("button", { type: "button", "data-save": word, onclick: (event) => this.#save(event.target, end, made) }, say(word))));
    at("tabs").replaceChildren(...TEXTS.map((text) =>
      make("button", {
        type: "button", role: "tab", id: `tab-${text}`, "aria-selected": String(text === this.#text), "aria-controls": "code-panel",
        tabindex: text === this.#text ? 0 : -1, onclick: () => this.#turn(text),
      }, say(`t_${text}`))));
    at("code-panel").setAttribute("aria-labelledby", `tab-${this.#text}`);
    at("code-note").textContent = say(`n_${this.#text}`);
    this.#write();
  }

  #write() {
    at("code").value = this.#texts[this.#text] ?? "";
  }

  #turn(text) {
    this.#text = text;
    this.fill();
    at(`tab-${text}`).focus();
  }

  #arrow(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    this.#turn(TEXTS[(TEXTS.indexOf(this.#text) + step + TEXTS.length) % TEXTS.length]);
  }

  async #copy(field, button) {
    try {
      await navigator.clipboard.writeText(field.value);
      button.textContent = say("copied");
      this.#designer.tell(() => say("copied"));
    } catch {
      field.focus();
      field.select();
      this.#designer.tell(() => say("copy_failed"), true);
    }
  }

  async #save(button, end, made) {
    button.disabled = true;
    try {
      const url = URL.createObjectURL(await made());
      const file = `${this.#name}-${end}`;
      make("a", { href: url, download: file }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser reads it after the click
      this.#designer.tell(() => say("saved", { file }));
    } catch (error) {
      this.#designer.fault(error);
    } finally {
      button.disabled = false;
    }
  }
}
