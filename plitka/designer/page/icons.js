// Line icons of 20 by 20, drawn in the colour of the text.

const PATHS = {
  undo: "M8 5 4 9l4 4M4 9h8a4 4 0 0 1 0 8H9",
  redo: "m12 5 4 4-4 4m4-4H8a4 4 0 0 0 0 8h3",
  gallery: "M3.500 3.500h5v5h-5zM11.500 3.500h5v5h-5zM3.500 11.500h5v5h-5zM11.500 11.500h5v5h-5z",
  zoom: "M9 14.500a5.500 5.500 0 1 0 0-11 5.500 5.500 0 0 0 0 11zM13 13l4 4",
  theme: "M10 3a7 7 0 1 0 0 14zM10 3a7 7 0 0 1 0 14",
  dice: "M5 3h10a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zM7 7h.01M13 7h.01M10 10h.01M7 13h.01M13 13h.01",
  share: "M10 12V3m0 0L6.5 6.5M10 3l3.500 3.500M4 11v5h12v-5",
  camera: "M3 6.500h3l1.500-2h5l1.500 2h3v9.500H3zM10 14a2.800 2.800 0 1 0 0-5.600 2.800 2.800 0 0 0 0 5.600z",
  more: "M4.500 10h.01M10 10h.01M15.500 10h.01",
  tick: "m4.500 10.500 4 4 7-9",
  up: "M10 16V4.500M5 9l5-5 5 5",
  down: "M10 4v11.500M5 11l5 5 5-5",
  copy: "M7 7h9.500v9.500H7zM4 13H3.500V3.500H13V4",
  removal: "m5 5 10 10M15 5 5 15",
  offer: "M5 2.500h7l3.500 3.500v11.500H5zM12 2.500V6h3.500M8 10h5M8 13.500h5",
  texture: "M3 3h14v14H3zM3 10h14M10 3v14M6 6.500h.01M13.500 6h.01M6 13.500h.01M14 14h.01",
  close: "m5 5 10 10M15 5 5 15",
  locked: "M5 9h10v8H5zM7 9V6.500a3 3 0 0 1 6 0V9",
  unlocked: "M5 9h10v8H5zM7 9V6.500a3 3 0 0 1 5.800-1",
};

export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("viewBox", "0 0 20 20");
  drawing.setAttribute("class", "drawn");
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", PATHS[name]);
  drawing.append(path);
  return drawing;
}
