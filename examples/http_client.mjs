// A client of Plitka over HTTP, to copy into a program of yours. It runs in Node 18 or newer, and needs nothing else.
//
//     node examples/http_client.mjs "60% black, 40% white, seed 7" tile
//
// A request is a sentence, or an object of the form that docs/params_json.schema.json describes.

export const PICTURES = ["preview", "final", "colormap"]; // what comes, in this order
const ENDS = ["succeeded", "failed", "canceled"];
const BUSY = [429, 503]; // the queue is full; the server is starting or being stopped
const MOST_LOST = 3; // connections in a row, or answers 404 to who looks, before that counts as an end
const crypto = globalThis.crypto ?? (await import("node:crypto")).webcrypto; // Node 18
const sleep = (seconds) => new Promise((wake) => setTimeout(wake, 1000 * seconds));

// A request that was refused, or that no picture came of. status: of HTTP, 200 for a prediction that failed or was
// cancelled, undefined where no answer came. faults: what the server says, a text for each.
export class PlitkaError extends Error {
  constructor(status, faults, pause = 1) {
    super(faults.join("\n"));
    Object.assign(this, { status, faults, pause });
  }
}

export class Plitka {
  // token: for a proxy in front. patience: seconds in which a server that is full or restarts is asked again.
  constructor(address = "http://127.0.0.1:5000", { token, patience = 600, pause = sleep } = {}) {
    Object.assign(this, { address, patience, pause });
    this.headers = token ? { Authorization: `Bearer ${token}` } : {};
  }

  // Wait for all pictures; returns the prediction, with `output` and `metrics`.
  async make(request) {
    const id = newId();
    for (let left = MOST_LOST; ; left--) {
      const answer = await this.#ask(id, request, { Prefer: "wait=60" }); // fetch gives up after 300 seconds
      if (answer.status === 200) return check(answer.told);
      try {
        return await this.wait(id);
      } catch (fault) {
        if (fault.status !== 404 || left === 1) throw fault; // it went with a connection that was lost
      }
    }
  }

  // Give each picture as soon as it is ready: [what it shows, the picture]. Who stops reading cancels the prediction.
  async *stream(request) {
    const stop = new AbortController();
    try {
      const answer = await this.#ask(newId(), request, { Accept: "text/event-stream" }, stop.signal);
      const names = PICTURES.values();
      for await (const [event, data] of readEvents(answer.body)) {
        if (event === "output") yield [names.next().value, data.chunk];
        if (event === "completed") check(data);
      }
    } catch (fault) {
      throw fault instanceof TypeError ? noAnswer(fault) : fault;
    } finally {
      stop.abort();
    }
  }

  // Have pictures made without waiting for them; returns the prediction's id.
  async start(request) {
    const id = newId();
    await this.#ask(id, request, { Prefer: "respond-async" });
    return id;
  }

  // Look how far a prediction is: its `status`, and its `place` while it waits.
  async look(id) {
    return (await this.#send("GET", `/predictions/${id}`)).told;
  }

  // Look every second until a prediction has ended; returns it, with its pictures.
  async wait(id) {
    for (let lost = 0; ; await this.pause(1)) {
      try {
        const told = await this.look(id);
        if (ENDS.includes(told.status)) return check(told);
        lost = 0;
      } catch (fault) {
        if (![404, undefined].includes(fault.status) || ++lost === MOST_LOST) throw fault;
      }
    }
  }

  // Cancel a prediction that waits or runs; false where there is none.
  async cancel(id) {
    try {
      await this.#send("POST", `/predictions/${id}/cancel`);
      return true;
    } catch (fault) {
      if (fault.status === 404) return false;
      throw fault;
    }
  }

  // With an id of one's own, a request that is repeated is not drawn twice at a time.
  async #ask(id, request, headers, signal) {
    const written = typeof request === "string" ? request : JSON.stringify(request);
    const given = { body: JSON.stringify({ input: { params_json: written } }), headers, signal };
    for (let left = this.patience, lost = 0; ; ) {
      try {
        return await this.#send("PUT", `/predictions/${id}`, given);
      } catch (fault) {
        if (fault.status === undefined) lost++;
        const isOver = lost === MOST_LOST || fault.pause > left;
        if (isOver || ![undefined, ...BUSY].includes(fault.status)) throw fault;
        left -= fault.pause;
        await this.pause(fault.pause);
      }
    }
  }

  async #send(method, place, { headers, ...given } = {}) {
    const all = { "Content-Type": "application/json", ...this.headers, ...headers };
    try {
      const answer = await fetch(this.address + place, { method, headers: all, ...given });
      if (answer.ok && all.Accept) return answer;
      const text = await answer.text();
      if (answer.ok) return { status: answer.status, told: JSON.parse(text) };
      throw new PlitkaError(answer.status, listFaults(text), Number(answer.headers.get("Retry-After") ?? 10));
    } catch (fault) {
      throw fault instanceof TypeError ? noAnswer(fault) : fault;
    }
  }
}

// An id that nobody guesses: who knows it may look at the prediction, and cancel it.
const newId = () => `tile-${crypto.randomUUID()}`;

async function* readEvents(body) {
  const decoder = new TextDecoder();
  let [text, name] = ["", ""];
  for await (const piece of body) {
    const lines = (text + decoder.decode(piece, { stream: true })).split("\n");
    text = lines.pop();
    for (const line of lines) {
      if (line.startsWith("event: ")) name = line.slice(7);
      if (line.startsWith("data: ")) yield [name, JSON.parse(line.slice(6))];
    }
  }
}

// fetch throws TypeError where no answer comes, or where it is cut.
const noAnswer = (fault) => new PlitkaError(undefined, [`no answer (${fault.cause?.message ?? fault.message})`]);

function check(prediction) {
  if (prediction.status === "succeeded") return prediction;
  const error = prediction.error ?? prediction.status;
  throw new PlitkaError(200, error.split("ValueError: ").at(-1).split("\n"));
}

function listFaults(text) {
  try {
    return JSON.parse(text).detail.map(({ loc, msg }) => `${loc.join(".")}: ${msg}`);
  } catch {
    return [text.slice(0, 200)]; // of a proxy in between
  }
}

// The bytes of a PNG: of a data URI, or of its address where the server uploads pictures.
export const read = async (picture) => new Uint8Array(await (await fetch(picture)).arrayBuffer());

if (globalThis.process?.argv[1]?.endsWith("http_client.mjs")) {
  const { mkdir, writeFile } = await import("node:fs/promises");
  const [request, folder] = process.argv.slice(2);
  try {
    await mkdir(folder, { recursive: true });
    for await (const [name, picture] of new Plitka(process.env.PLITKA_SERVER).stream(request)) {
      await writeFile(`${folder}/${name}.png`, await read(picture));
      console.log(`${folder}/${name}.png`);
    }
  } catch (fault) {
    if (!(fault instanceof PlitkaError)) throw fault;
    console.error(fault.message);
    process.exitCode = 1;
  }
}
