// What went wrong, in words, until it is dismissed; and short notes that pass.

import { at, make } from "./dom.js";
import { icon } from "./icons.js";
import { Fault } from "./server.js";
import { knows, say } from "./words.js";

const PASSING = 6000; // ms

/** Show a fault. again: what may be tried once more. It says it in the language chosen now. */
export function fault(error, again) {
  const told = error instanceof Fault ? error : new Fault("page_broken", String(error));
  if (told !== error) console.error(error);
  const word = knows(`f_${told.code}`) ? `f_${told.code}` : "f_server_strange";
  const values = { where: "Plitka", number: "?", megabytes: "?", size: "?", ...told.values };
  show(say(word, values), told.detail, again, "fault");
}

/** A note that goes by itself. */
export function note(words) {
  show(words, "", undefined, "passing");
}

/** Take away what was said before. */
export const clear = () => at("faults").replaceChildren();

function show(words, detail, again, kind) {
  const notice = make("div", { class: `notice ${kind}` },
    make("p", {}, words),
    again ? make("button", { type: "button", onclick: () => (notice.remove(), again()) }, say("try_again")) : null,
    make("button", { type: "button", class: "quiet icon", "aria-label": say("dismiss"), title: say("dismiss"), onclick: () => notice.remove() }, icon("close")),
    detail ? make("pre", { lang: "en" }, detail) : null);
  at("faults").replaceChildren(notice);
  if (kind === "passing") setTimeout(() => notice.remove(), PASSING);
}
