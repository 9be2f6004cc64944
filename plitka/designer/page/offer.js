// The dialog "Save for a customer": one HTML file or a PDF, with whose offer it is and for whom.

import { openDialog } from "./dialogs.js";
import { at, make } from "./dom.js";
import { onFigures } from "./figures.js";
import { asOrder, makeFigure, wrongFigure } from "./order.js";
import { saveBlob } from "./saving.js";
import * as server from "./server.js";
import { Fault } from "./server.js";
import { current, kept, remember, say } from "./words.js";

const KEPT = "plitka.company";
const TEXTS = ["project", "name", "contact"];

export function attachOffer(designer) {
  const offer = new Offer(designer);
  designer.addAction({ id: "open-offer", word: "save_offer", short: "save", icon: "offer", primary: true, run: () => offer.open() });
  designer.subscribe(() => offer.fill());
}

class Offer {
  #designer;
  #company; // {name, contact, logo}: as it is remembered; logo in base64, or null
  #project = "";
  #language = "";

  constructor(designer) {
    this.#designer = designer;
    const usual = designer.told.offer.company;
    this.#company = { ...usual, ...recalled() };
    document.body.append(this.#dialog());
    onFigures(() => this.#mark(null));
  }

  #dialog() {
    const save = (kind, name) => make("button", { type: "button", class: "file", id: `save-${kind}`, "data-kind": kind, onclick: (event) => this.#save(kind, event.currentTarget) },
      make("b", { "data-word": `${name}` }), make("small", { "data-word": `${name}_note` }));
    const text = (name, properties = {}, tag = "input") => {
      const field = make(tag, { id: `offer-${name}`, maxlength: this.#designer.told.offer.longest[name], autocomplete: "off", oninput: () => this.#typed(name), ...properties });
      return make("div", { class: "pair" }, make("label", { for: `offer-${name}`, "data-word": `offer_${name}` }), field);
    };
    const logo = make("div", { class: "pair logo" }, make("span", { id: "logo-label", "data-word": "offer_logo" }),
      make("span", { class: "logo-tools" },
        make("img", { id: "logo-shown", alt: "", hidden: true }),
        make("label", { class: "choose", id: "choose-logo" }, make("input", { type: "file", id: "logo-file", class: "unseen", accept: "image/png,image/jpeg,image/webp", "aria-labelledby": "logo-label", onchange: () => this.#choose() }), make("span", { "data-word": "choose_logo" })),
        make("button", { type: "button", class: "quiet small", id: "drop-logo", hidden: true, "data-word": "drop_logo", onclick: () => this.#set({ logo: null }) })));
    return make("dialog", { id: "offer", "aria-labelledby": "offer-title" },
      make("div", { class: "heading" }, make("h2", { id: "offer-title", "data-word": "save_offer" }),
        make("button", { type: "button", class: "quiet icon", "data-close": "", "data-label": "close", "data-icon": "close" })),
      make("div", { class: "files" }, save("pdf", "offer_pdf"), save("html", "offer_html")),
      make("p", { class: "note", "data-word": "offer_note" }),
      make("div", { class: "floor" }, make("span", { class: "floor-title", id: "offer-floor-title" }), make("div", { class: "floor", id: "offer-floor" })),
      make("p", { class: "note", id: "offer-wrong", role: "status" }),
      make("div", { class: "texts" }, text("project", { type: "text" }), text("name", { type: "text" }), text("contact", { rows: 2 }, "textarea"), logo),
      make("p", { class: "note", "data-word": "company_note" }));
  }

  open() {
    this.#language = "";
    this.fill();
    for (const name of TEXTS) at(`offer-${name}`).value = name === "project" ? this.#project : this.#company[name];
    openDialog(at("offer"));
    at("save-pdf").focus();
  }

  /** Write what is said in the dialog, in the language of now. */
  fill() {
    this.#logo();
    at("offer").classList.toggle("measured", Boolean(this.#designer.tile?.surface));
    at("offer-floor-title").textContent = say(this.#designer.tile?.surface ? "with_zones" : "with_kilograms");
    if (this.#language === current()) return;
    this.#language = current();
    at("offer-floor").replaceChildren(
      makeFigure("area", "figure_area"), make("span", { class: "times", "aria-hidden": "true" }, "×"), makeFigure("thickness", "figure_thickness"));
    this.#mark(null);
  }

  #typed(name) {
    const text = at(`offer-${name}`).value;
    if (name === "project") this.#project = text;
    else this.#set({ [name]: text });
  }

  #set(parts) {
    this.#company = { ...this.#company, ...parts };
    remember(JSON.stringify(this.#company), KEPT);
    this.#logo();
  }

  #logo() {
    const { logo } = this.#company;
    at("logo-shown").hidden = at("drop-logo").hidden = !logo;
    if (logo) showPng(at("logo-shown"), logo);
  }

  async #choose() {
    const [file] = at("logo-file").files;
    at("logo-file").value = "";
    if (!file) return;
    try {
      this.#set(await server.logo(file));
    } catch (error) {
      this.#designer.fault(error);
    }
  }

  async #save(kind, button) {
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    try {
      const { name, contact, logo } = this.#company;
      const asked = { ...asOrder(this.#designer.tile), date: today(), project: this.#project, company: { name, contact, ...(logo ? { logo } : {}) } };
      saveBlob(await server.file(`offer.${kind}`, asked), this.#designer);
    } catch (error) {
      if (error instanceof Fault && error.code === "order") this.#mark(error.values);
      else this.#designer.fault(error, () => this.#save(kind, button));
    } finally {
      button.removeAttribute("aria-busy");
    }
  }

  /** Say which figure is wrong; null: none. */
  #mark(wrong) {
    at("offer-wrong").textContent = wrong ? wrongFigure(wrong) : "";
    at("offer-wrong").classList.toggle("wrong", Boolean(wrong));
    for (const field of at("offer-floor").querySelectorAll("input"))
      field.setAttribute("aria-invalid", String(wrong?.field === field.dataset.figure));
  }
}

function recalled() {
  try {
    const { name, contact, logo } = JSON.parse(kept(KEPT) ?? "{}");
    return {
      ...(typeof name === "string" ? { name } : {}),
      ...(typeof contact === "string" ? { contact } : {}),
      ...(typeof logo === "string" || logo === null ? { logo } : {}),
    };
  } catch {
    return {}; // what is kept is not this page's
  }
}

/** Show a PNG in base64: the page may show its own pictures and blobs, and no others. */
function showPng(image, base64) {
  if (image.dataset.shown === base64) return;
  image.dataset.shown = base64;
  try {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    URL.revokeObjectURL(image.src);
    image.src = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
  } catch {
    image.hidden = true;
  }
}

/** The day here, as 2026-11-30. */
function today() {
  const now = new Date();
  return [now.getFullYear(), now.getMonth() + 1, now.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
}
