// The designer: one tile, its history, the pictures of it, and the places where features hang.
//
// A feature's module exports attach(designer), listed in features.js. It may use
//   designer.told                       what the server said at the start
//   designer.tile, change(), show()     the tile, and how it is changed
//   designer.subscribe(listener)        listener(state) after each change, and in another language
//   designer.addView(view)              a view of the stage
//   designer.addSave(save)              a picture that the dialog saves
//   designer.addAction(action)          a button below the picture
//   designer.addSection(tab, section)   a section of the panel, and of the phone's sheet
//   designer.stage.overlay              an element over the picture, for scales and handles
//   designer.tell(), designer.fault()   what is said to people
//   openDialog() of dialogs.js, attachSlider() of slider.js, say() of words.js

import { at, make } from "./dom.js";
import { History } from "./history.js";
import { icon } from "./icons.js";
import * as notices from "./notices.js";
import { Renderer } from "./renderer.js";
import { offBy } from "./shown.js";
import { Stage } from "./stage.js";
import { Store } from "./store.js";
import { key, link } from "./tile.js";
import * as words from "./words.js";

const { say } = words;

export class Designer {
  told = null;
  stage;
  #store = new Store({ tile: null, shown: null, view: "drawing", swap: null, canUndo: false, canRedo: false });
  #tile = null;
  #history = new History();
  #renderer;
  #settled = null; // the tile after the last finished change, to which undo goes back
  #shown = { drawing: null, photograph: null }; // what the pictures show of their colours
  #drawing = false; // whether the tile's drawing is under way
  #looking = null; // AbortController of the request for the chosen view
  #actions = [];
  saves = []; // of features, see addSave

  constructor() {
    this.stage = new Stage((view) => this.turn(view));
    this.#renderer = new Renderer(
      (made) => this.#drawn(made),
      (error) => {
        this.#drawing = false;
        this.#fill();
        this.fault(error, () => this.retry());
      },
    );
    this.addView({
      name: "drawing",
      caption: (kind, tile) => this.#captioned(say(`caption_${kind}`, { size: kind === "final" ? 1024 : 512 }), tile, this.#shown.drawing),
    });
  }

  get tile() {
    return this.#tile;
  }

  get state() {
    return this.#store.state;
  }

  /**
   * listener(state) is called after each change of {tile, shown, view, swap, canUndo, canRedo}, and when
   * the language has changed. shown: what the picture on the stage shows of its colours, see shown.js.
   * swap: name of the colour in whose place the next one is put, or null.
   */
  subscribe(listener) {
    this.#store.subscribe(listener);
  }

  /** Say everything again, in another language. */
  retell() {
    for (const action of this.#actions) action.fill();
    notices.retell();
    this.#fill();
  }

  // What is said

  /**
   * Announce a text to screen readers. text: or a function that returns it, since the language may
   * change. seen: show it on the page as well, as a passing note.
   */
  tell(text, seen = false) {
    notices.announce(text);
    if (seen) notices.note(text);
  }

  /** Show an error, with a button "try again" that calls `again` where it may help. */
  fault(error, again) {
    notices.fault(error, again);
  }

  // The tile

  /** Change parts of the tile. done: false while a slider is dragged. */
  change(parts, done = true) {
    this.show({ ...this.tile, ...parts }, done);
  }

  /** Show another tile. kept: whether undo goes back to the one before. */
  show(next, done = true, kept = true) {
    const before = this.tile;
    const other = before === null || key(next) !== key(before);
    this.#tile = next;
    if (done) {
      if (kept && this.#settled !== null && key(this.#settled) !== key(next)) this.#history.keep(this.#settled);
      this.#settled = next;
      this.address();
    }
    if (other) {
      this.#shown = { drawing: null, photograph: null };
      this.stage.drop("photograph");
      if (before) notices.clear(); // what is said of a broken link stays beside the first tile
    }
    if (other || (done && !this.stage.shows("drawing", "final", link(next)))) this.#draw(done);
    this.#fill();
    if (done) this.look();
  }

  /** Put the next colour that is chosen in the place of this one; null: add it. */
  swap(name) {
    this.#store.set({ swap: name });
  }

  /** Write the tile into the address. */
  address() {
    if (this.tile) globalThis.history.replaceState(globalThis.history.state, "", link(this.tile));
  }

  undo = () => this.#go(this.#history.undo(this.tile));
  redo = () => this.#go(this.#history.redo(this.tile));

  #go(next) {
    if (next) this.show({ ...next }, true, false);
  }

  // Its pictures

  /**
   * Add a view of the stage.
   *
   * name: its words are view_NAME, alt_NAME ({mix}, {angle}), caption_NAME and busy_NAME.
   * draw(tile, signal): makes its picture, a promise of a Blob. caption(kind, tile): in place of
   * caption_NAME. wide: whether the picture is 1.6 times as wide as high. more: whether it is chosen in
   * the list behind the first views. tools: an element shown below the picture while the view is chosen.
   */
  addView(view) {
    const mix = (tile) => ({ mix: words.mixed(tile), angle: words.figure(tile.angle, 6) });
    this.stage.add({
      caption: (_, tile) => say(`caption_${view.name}`, mix(tile)),
      alt: (tile) => say(`alt_${view.name}`, mix(tile)),
      ...view,
    });
    if (this.tile) this.#fill();
  }

  /** Choose a view. */
  turn(view) {
    this.stage.turn(view);
    this.#fill();
    this.look();
  }

  /** Draw a view's picture anew, though the tile is the same: something else in it has changed. */
  redraw(name) {
    this.stage.age(name);
    this.#fill();
    if (this.stage.view === name) this.look();
  }

  /** Request all that is not shown as it should be, after an error. */
  retry() {
    if (!this.stage.shows("drawing", "final", link(this.tile))) this.#draw(true);
    this.#fill();
    this.look();
  }

  /** Request the picture of the chosen view, unless it has the one of this tile. */
  async look() {
    this.#looking?.abort();
    this.#looking = null;
    const view = this.stage.chosen;
    const of = this.tile;
    if (!view.draw || this.stage.isCurrent(link(of))) return this.#fill();
    const looking = (this.#looking = new AbortController());
    this.#fill();
    try {
      const blob = await view.draw(of, looking.signal);
      if (this.#looking !== looking) return;
      this.stage.put(view.name, blob, view.name, of);
    } catch (error) {
      if (error.name !== "AbortError") this.fault(error, () => this.retry());
    }
    if (this.#looking !== looking) return;
    this.#looking = null;
    this.#fill();
  }

  /** Get the final picture of a tile as Blob: the one that is kept, or a new one. */
  final = (tile) => this.#renderer.final(tile);

  /** Show a photograph: {kind, blob, shown, tile}. */
  photographed({ kind, blob, shown, tile }) {
    if (key(tile) !== key(this.tile)) return; // the tile has changed since
    this.#shown.photograph = shown;
    this.stage.put("photograph", blob, kind, tile);
    this.stage.age("scene");
    this.turn("photograph");
  }

  photographCaption = (kind, tile) =>
    this.#captioned(say("caption_photograph", { size: kind === "final" ? 1024 : 512, seed: tile.seed }), tile, this.#shown.photograph);

  #captioned = (text, tile, shown) => (shown && key(tile) === key(this.tile) ? `${text}, ${offBy(tile, shown)}` : text);

  #draw(done) {
    this.#drawing = true;
    this.#renderer.draw(this.tile, done);
  }

  #drawn({ kind, blob, shown, tile }) {
    const current = key(tile) === key(this.tile);
    if (!current && kind !== "draft") return;
    if (current) this.#drawing = false;
    if (shown) this.#shown.drawing = shown;
    this.stage.put("drawing", blob, kind, tile);
    this.#fill();
    if (kind === "final") notices.announce(`${words.mixed(tile)}. ${offBy(tile, shown)}`);
  }

  #fill() {
    const { tile } = this;
    if (!tile) return;
    const pending = this.stage.view === "drawing" ? this.#drawing : this.#looking !== null;
    this.stage.fill(tile, link(tile), pending);
    this.#store.set({
      tile,
      swap: tile.colors.some(({ name }) => name === this.state.swap) ? this.state.swap : null,
      view: this.stage.view,
      shown: this.#shown.photograph && this.stage.view === "photograph" ? this.#shown.photograph : this.#shown.drawing,
      canUndo: this.#history.canUndo,
      canRedo: this.#history.canRedo,
    });
  }

  // Where features hang

  /**
   * Add a button below the picture; returns it. word: key of its text. short: of a shorter one, for a
   * phone. run(tile): called when it is pressed. primary: the page's one primary button, which stands
   * last; others are in a menu on a phone.
   */
  addAction({ id, word, short = word, icon: name, primary = false, run }) {
    const button = make("button", { type: "button", id, class: primary ? "primary" : null, onclick: () => run(this.tile) });
    const fill = () => button.replaceChildren(...(name ? [icon(name)] : []),
      make("span", { class: primary ? "long" : null }, say(word)), ...(primary ? [make("span", { class: "short" }, say(short))] : []));
    fill();
    this.#actions.push({ fill });
    at(primary ? "primary" : "secondary").append(button);
    if (!primary) return button;
    at("open-share").classList.remove("primary");
    at("secondary").append(at("open-share"));
    return button;
  }

  /**
   * Add a picture to those that the dialog saves. word: key of its text. what, ending: of the file's
   * name. make(tile): a promise of a Blob. offered(): whether there is such a picture.
   */
  addSave(save) {
    this.saves.push(save);
  }

  /**
   * Add a section to the panel, at the end of one of its parts: "samples", "mix", "colors", "laying". On
   * a phone these are the tabs of the sheet. Settings for experts stay last.
   */
  addSection(tab, section) {
    const group = document.querySelector(`.group[data-tab="${tab}"]`);
    const last = group.querySelector(":scope > .experts");
    group.insertBefore(section, last);
  }
}
