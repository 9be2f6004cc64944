// The pictures that every tile has: scenes, the map, and the dialog that saves them.

import * as server from "./server.js";
import { Scenes } from "./scenes.js";
import { Sharing } from "./sharing.js";
import { alone, key } from "./tile.js";

export function attachPictures(designer) {
  const { stage } = designer;
  const picture = async (kind, tile, signal) => (await server.picture(kind, key(alone(tile)), signal)).blob;

  const scenes = new Scenes(designer);
  designer.addView({ name: "colormap", draw: (tile, signal) => picture("colormap", tile, signal) });

  const saves = (tile) => {
    const name = (what, ending) => `${tile.seed}-${what}.${ending}`;
    const list = [
      ["save_final", name("final", "png"), () => designer.final(tile)],
      ["save_preview", name("preview", "png"), () => picture("preview", tile)],
      ["save_colormap", name("colormap", "png"), () => picture("colormap", tile)],
      ["save_scene", name(scenes.chosen, "jpg"), () => scenes.draw(tile)],
      ...designer.saves.filter(({ offered }) => offered()).map(({ word, what, ending, make }) => [word, name(what, ending), () => make(tile)]),
    ];
    // With the surface in it, the request's final picture is its plan.
    if (tile.surface) list.push(["save_plan", name("plan", "png"), async () => (await server.picture("final", key(tile))).blob]);
    if (!stage.has("photograph")) return list;
    const word = stage.kind("photograph") === "final" ? "save_photograph" : "save_photograph_preview";
    return [[word, name("photograph", "png"), async () => stage.blob("photograph")], ...list];
  };
  const sharing = new Sharing(saves, designer);
  designer.subscribe(() => sharing.retell());
}
