// The button "Photograph": requests one, shows its progress, and cancels it.

import { at } from "./dom.js";
import { icon } from "./icons.js";
import { Photographer } from "./photographer.js";
import { Fault, photograph } from "./server.js";
import { alone, key } from "./tile.js";
import { say } from "./words.js";

/** Make the button work, and add the view of what it takes. */
export function attachPhotograph(designer) {
  designer.addView({ name: "photograph", caption: designer.photographCaption });
  const camera = new Camera(designer);
  new Photographer(designer);
  designer.subscribe(() => camera.fill());
}

class Camera {
  #designer;
  #stop = null;
  #shown = null; // {stage, step, steps}: the progress that is shown

  constructor(designer) {
    this.#designer = designer;
    at("take").addEventListener("click", () => this.take(designer.tile));
    at("cancel").addEventListener("click", () => this.#stop?.abort());
  }

  get busy() {
    return this.#stop !== null;
  }

  async take(tile) {
    if (this.busy) return;
    this.#stop = new AbortController();
    at("take").disabled = true;
    at("shooting").hidden = false;
    this.#progress({ stage: "starting", step: 0, steps: 0 });
    at("cancel").focus();
    try {
      let last = null;
      for await (const event of photograph(key(alone(tile)), this.#stop.signal)) {
        if (event.stage) this.#progress(event);
        else if (event.kind !== "colormap") {
          last = event.kind;
          this.#designer.photographed({ ...event, tile });
          this.#progress(event.kind === "preview" ? { stage: "final", step: 0, steps: 0 } : { stage: "finishing", step: 1, steps: 1 });
        }
      }
      if (last !== "final") throw new Fault("photograph_strange");
      this.#designer.tell(() => say("photograph_done"));
    } catch (error) {
      if (error.name === "AbortError") this.#designer.tell(() => say("photograph_cancelled"), true);
      else this.#designer.fault(error, () => this.take(tile));
    } finally {
      this.#stop = null;
      at("take").disabled = false;
      at("shooting").hidden = true;
      if (document.activeElement === document.body) (at("take").checkVisibility() ? at("take") : at("more")).focus();
    }
  }

  /** Write the button and the progress again. */
  fill() {
    at("take").replaceChildren(icon("camera"), say(this.#designer.stage.has("photograph") ? "photograph_again" : "photograph"));
    if (this.#shown) this.#progress(this.#shown);
  }

  #progress(progress) {
    this.#shown = progress;
    const { stage, step, steps } = progress;
    const counted = steps > 0 && (stage === "preview" || stage === "final");
    const where = this.#designer.told.photographer.title || say("here");
    at("shooting-stage").textContent = say(counted ? `stage_${stage}_steps` : `stage_${stage}`, { step, steps, where });
    const bar = at("shooting-bar");
    if (steps > 0) bar.value = step / steps;
    else bar.removeAttribute("value");
  }
}
