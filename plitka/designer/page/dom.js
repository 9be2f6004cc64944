// Elements of the document: finding, making, radio buttons, numbers in fields.

export const at = (id) => document.getElementById(id);

/** Make an element: make("li", {class: "row"}, "text", another). Handlers go by on…: {onclick: …}. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/**
 * Fill a group with radio buttons, which look like buttons in a row. options: [[value, label]]. Buttons
 * that are there already stay, so that none loses the focus.
 */
export function radios(group, name, options, chosen, choose) {
  const values = [...group.children].map((label) => label.firstChild.value);
  if (values.join() !== options.map(([value]) => value).join())
    group.replaceChildren(...options.map(([value]) =>
      make("label", {}, make("input", { type: "radio", name, value }), make("span"))));
  for (const [index, [value, text]] of options.entries()) {
    const [input, words] = group.children[index].children;
    input.onchange = () => choose(value);
    input.checked = value === chosen;
    if (words.textContent !== text) words.textContent = text;
  }
}

/**
 * Fill a field that is committed when it is left. What somebody types into it stays until then, and is
 * dropped by undo: `data-commits` holds what the field showed before.
 */
export function fillField(field, text) {
  if (document.activeElement !== field || field.dataset.commits !== text) field.value = text;
  field.dataset.commits = text;
}

/** Parse a number with a decimal comma or point, with or without % or °; NaN for anything else. */
export function number(text) {
  const plain = text.trim().replace(/\s/g, "").replace(/[%°]$/, "").replace(",", ".");
  return /^-?\d*\.?\d+$|^-?\d+\.$/.test(plain) ? Number(plain) : NaN;
}

/** Parse a length in millimetres, with its unit or without; NaN for anything else. */
export const millimetres = (text) => number(text.replace(/\s*(mm|мм)$/i, ""));
