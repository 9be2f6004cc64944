// Whether photographs can be taken: the button is there where somebody takes them, else a line that says how.

import { openDialog } from "./dialogs.js";
import { at, make } from "./dom.js";
import { icon } from "./icons.js";
import { faultInWords } from "./notices.js";
import { photographer } from "./server.js";
import { narrow } from "./sheet.js";
import { say } from "./words.js";

// What is set before the designer is started, and the words that tell more.
const WAYS = [
  ["PLITKA_PHOTOGRAPH=http://127.0.0.1:5000", "way_cog"],
  ["PLITKA_PHOTOGRAPH=replicate:OWNER/DEPLOYMENT", "way_replicate"],
  ["PLITKA_PHOTOGRAPH=sdxl", "way_here"],
];

export class Photographer {
  #designer;
  #missing = null; // the Fault that says why there is none; null while nobody knows
  #asking = false;
  #button = make("button", { type: "button", class: "link", id: "photographer-open", onclick: () => this.#open() });
  #why = make("p", {});
  #detail = make("pre", { lang: "en", tabindex: 0, role: "group" });
  #again = make("button", { type: "button", class: "primary", onclick: () => this.#look() });
  #line = make("p", { class: "note no-photographer", id: "no-photographer", hidden: true }, make("span", {}), " ", this.#button);

  constructor(designer) {
    this.#designer = designer;
    document.body.append(this.#dialog());
    designer.subscribe(() => this.#fill());
    narrow.addEventListener("change", () => this.#place());
    // A server that was still loading its model may answer when somebody comes back to the page.
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.#missing !== null) this.#look();
    });
    this.#place();
    this.#look();
  }

  #dialog() {
    return make("dialog", { id: "photographer", "aria-labelledby": "photographer-title" },
      make("div", { class: "heading" }, make("h2", { id: "photographer-title", "data-word": "photographer_title" }),
        make("button", { type: "button", class: "quiet icon", "data-close": "", "data-label": "close" }, icon("close"))),
      this.#why, this.#detail,
      make("p", { class: "note", "data-word": "photographer_set" }),
      make("dl", { class: "ways" }, ...WAYS.flatMap(([set, word]) => [make("dt", {}, make("code", {}, set)), make("dd", { class: "note", "data-word": word })])),
      make("p", { class: "note", "data-word": "photographer_docs" }),
      make("div", { class: "photographer-end" }, this.#again));
  }

  /** Below the caption; on a phone in the menu, where the button would be. */
  #place() {
    if (narrow.matches) at("secondary").append(this.#line);
    else at("caption").after(this.#line);
  }

  #open() {
    openDialog(at("photographer"));
    this.#again.focus();
  }

  async #look() {
    if (this.#asking) return;
    this.#asking = true;
    this.#fill();
    let missing;
    try {
      missing = await photographer();
    } catch (fault) {
      missing = fault;
    }
    this.#asking = false;
    this.#missing = missing;
    at("take").hidden = missing !== null;
    this.#fill();
    if (missing !== null || !at("photographer").open) return;
    at("photographer").close();
    this.#designer.tell(() => say("photographer_found"), true);
  }

  #fill() {
    const missing = this.#missing;
    this.#line.hidden = missing === null;
    this.#line.firstChild.textContent = say("no_photographer");
    this.#button.textContent = say("photographer_how");
    this.#again.textContent = say(this.#asking ? "photographer_asking" : "photographer_again");
    this.#again.setAttribute("aria-busy", String(this.#asking));
    this.#why.textContent = missing ? faultInWords(missing) : "";
    this.#detail.textContent = missing?.detail ?? "";
    this.#detail.hidden = !missing?.detail;
    this.#detail.setAttribute("aria-label", say("fault_detail"));
  }
}
