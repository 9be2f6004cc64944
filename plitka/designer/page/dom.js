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

/** Fill a group with radio buttons, which look like buttons in a row. options: [[value, label]]. */
export function radios(group, name, options, chosen, choose) {
  const held = group.contains(document.activeElement) ? document.activeElement.value : null;
  group.replaceChildren(
    ...options.map(([value, text]) =>
      make("label", {},
        make("input", { type: "radio", name, value, checked: value === chosen, onchange: () => choose(value) }),
        make("span", {}, text)),
    ),
  );
  if (held !== null) group.querySelector(`input[value="${CSS.escape(held)}"]`)?.focus();
}

/** Parse a number with a decimal comma or point, with or without % or °; NaN for anything else. */
export function number(text) {
  const plain = text.trim().replace(/\s/g, "").replace(/[%°]$/, "").replace(",", ".");
  return /^-?\d*\.?\d+$|^-?\d+\.$/.test(plain) ? Number(plain) : NaN;
}
