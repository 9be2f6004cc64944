// Requests to the designer's server. All errors are a Fault, except AbortError.

export class Fault extends Error {
  /**
   * code: key of the sentence in the dictionary. values: for its {places}. detail: more, in English.
   * details: the same by language, where it can be said in each.
   */
  constructor(code, detail = "", values = {}, details = null) {
    super(`${code} ${detail}`);
    this.code = code;
    this.detail = detail;
    this.details = details;
    this.values = values;
  }
}

const faultIn = (body) => new Fault(body.fault ?? "server_strange", body.detail, body.values, body.details);

async function answered(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    throw error.name === "AbortError" ? error : new Fault("server_away");
  }
  if (response.ok) return response;
  let body;
  try {
    body = await response.json();
  } catch {
    body = {};
  }
  throw faultIn(body);
}

const posted = (path, body, signal, type = "application/json") =>
  answered(path, { method: "POST", body, signal, headers: { "Content-Type": type } });

export const start = async () => (await answered("start")).json();

/** Ask whether a photograph could be taken now: null, or the Fault that says why not. */
export async function photographer() {
  const fault = await (await answered("photographer")).json();
  return fault && faultIn(fault);
}

/** Parse a request: its recipe as the server writes it, and texts to share. */
export const read = async (text) => (await posted("recipe", text)).json();

/** Read what was typed or pasted: {color} or {recipe}, and {understood}, what each word was read as. */
export const typed = async (text) => (await posted("typed", text, undefined, "text/plain")).json();

/** Say what a text that is being typed would be read as: {kind}, "color" with hex, "recipe" with count, "begun", "nothing". */
export const typing = async (text, signal) => (await posted("typing", text, signal, "text/plain")).json();

/** RAL Classic: [{name, hex, code, nearest, distance}]. */
export const ral = async () => (await answered("colors/ral")).json();

/** What is known of a colour by its hex: {name, nearest, distance}; name: its number of RAL, or "". */
export const color = async (hex) => (await answered(`colors/${hex.slice(1)}`)).json();

/** Read a company's colours from a CSV file: {colors, faults}. */
export const colors = async (file) => (await posted("colors", file, undefined, "text/csv")).json();

/** Read the recipe in a PNG file, or in an offer as HTML; the same. */
export const dropped = async (file) => (await posted("dropped", file, undefined, "image/png")).json();

/** Draw a picture: {blob, shown}, see shown.js; shown is null for a draft. kind: draft, preview, final, colormap. */
export async function picture(kind, text, signal) {
  const response = await posted(kind === "draft" ? "draft" : `pictures/${kind}`, text, signal);
  const shown = response.headers.get("Plitka-Shares");
  return { blob: await content(response), shown: shown && JSON.parse(shown) };
}

/** Draw the surface of a request from above: {blob, zones}; zones: area in m² and line in m of each mix. */
export async function plan(text, signal) {
  const response = await posted("plan", text, signal);
  return { blob: await content(response), zones: JSON.parse(response.headers.get("Plitka-Zones")) };
}

/** Draw a scene of a request as text, or of a photograph as PNG. */
export const scene = async (name, source, signal) =>
  content(await posted(`scene/${name}`, source, signal, source instanceof Blob ? "image/png" : undefined));

/** Draw a scene's thumbnail in the mean colour of a request's mix. */
export const smallScene = async (name, text, signal) => content(await posted(`scene/${name}/small`, text, signal));

/** Read one's own photo: a JPEG, upright, sRGB, without EXIF. */
export const ownPhoto = async (file, signal) => content(await posted("own-photo", file, signal, "application/octet-stream"));

/** Lay a floor into one's own photo, a JPEG. asked: recipe, corners, sides and so on. */
export const laidPhoto = async (asked, photo, signal) =>
  content(await posted("own-photo/laid", new Blob([JSON.stringify(asked), "\n", photo]), signal, "application/octet-stream"));

async function content(response) {
  try {
    return await response.blob();
  } catch (error) {
    throw error.name === "AbortError" ? error : new Fault("server_away");
  }
}

/** Reckon kilograms: {order, names, hexes}; order is null without an area. asked: as text. */
export const order = async (asked, signal) => (await posted("order", asked, signal)).json();

/** Get a file to save, {blob, file}. path: offer.pdf, offer.html or order.csv. */
export async function file(path, asked) {
  const response = await posted(path, JSON.stringify(asked));
  const named = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "");
  return { blob: await content(response), file: named?.[1] ?? path };
}

/** Make a chosen picture a logo: {logo}, a PNG in base64. */
export const logo = async (picture) => (await posted("logo", picture, undefined, "application/octet-stream")).json();

/**
 * Make a texture: {recipe, size, granule_mm, side_mm}. received(bytes) is called as it comes. Returns its
 * file's name and content, a Blob.
 */
export async function texture(order, signal, received) {
  const response = await posted("texture", JSON.stringify(order), signal);
  const name = decodeURIComponent(/''(.*)$/.exec(response.headers.get("Content-Disposition"))[1]);
  const reader = response.body.getReader();
  const parts = [];
  for (let bytes = 0; ; received(bytes)) {
    const { done, value } = await reader.read().catch((error) => {
      throw error.name === "AbortError" ? error : new Fault("server_away");
    });
    if (done) return { name, blob: new Blob(parts, { type: "application/zip" }) };
    parts.push(value);
    bytes += value.length;
  }
}

/** Make a photograph; yields progress {stage, step, steps} and pictures {kind, blob, shown}. */
export async function* photograph(text, signal) {
  const response = await posted("photograph", text, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = "";
  for (;;) {
    const { done, value } = await reader.read().catch((error) => {
      throw error.name === "AbortError" ? error : new Fault("server_away");
    });
    if (done) return;
    const lines = (pending + value).split("\n");
    pending = lines.pop();
    for (const line of lines) yield await event(JSON.parse(line));
  }
}

async function event(body) {
  if (body.fault) throw faultIn(body);
  if (!body.png) return body;
  const bytes = Uint8Array.from(atob(body.png), (letter) => letter.charCodeAt(0));
  return { kind: body.kind, blob: new Blob([bytes], { type: "image/png" }), shown: body.shown };
}
