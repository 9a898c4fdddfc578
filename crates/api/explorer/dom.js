// Elements from values. Every value becomes a text node: nothing on the chain is ever markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat(3).filter((child) => child != null && child !== false));
  return element;
}

/** An HTML element. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Makes the children of `parent` those of `items`, and keeps the elements of known keys. */
export function reconcile(parent, items, keyOf, make) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let element = known.get(key);
    known.delete(key);
    if (!element) {
      element = make(item);
      element.dataset.key = key;
    }
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const gone of known.values()) gone.remove();
}

/** Changes a text only when it differs: a selection in it survives. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** An id by its end, whole on hover, with a link and a button that copies it. */
export function id(full, href, { whole = false } = {}) {
  const shown = whole ? full : full.slice(-8);
  const text = href ? h("a", { href }, shown) : shown;
  return h("span", { class: whole ? "id whole" : "id", title: full }, text, copyButton(full));
}

function copyButton(full) {
  const button = h("button", { type: "button", class: "copy", "aria-label": `Copy ${full}` }, icon("copyicon"));
  button.addEventListener("click", async () => {
    const copied = await copy(full);
    button.replaceChildren(icon(copied ? "done" : "copyicon"));
    setTimeout(() => button.replaceChildren(icon("copyicon")), 1200);
  });
  return button;
}

const PATHS = { copyicon: "M5 5V2h9v9h-3M2 5h9v9H2Z", done: "M3 8.5l3.5 3.5L13 4" };

function icon(name) {
  return svg("svg", { viewBox: "0 0 16 16", width: 14, height: 14, class: name, "aria-hidden": "true" },
    svg("path", { d: PATHS[name] }));
}

async function copy(text) {
  if (navigator.clipboard) {
    return navigator.clipboard.writeText(text).then(() => true, () => false);
  }
  // A page over plain HTTP from another host has no clipboard.
  const area = h("textarea", { class: "hidden" });
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  return copied;
}

export const blockLink = (number) => `#/block/${number}`;
export const txnLink = (hex) => `#/txn/${hex}`;
export const accountLink = (hex) => `#/account/${hex}`;

export const count = (number) => number.toLocaleString("en");
export const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
export const coins = (amount) => plural(amount, "coin");

/** How long ago, in words; `data-since` keeps it right. */
export function ago(time) {
  return h("time", { datetime: time, title: time, "data-since": time }, since(time));
}

export function since(time) {
  const seconds = Math.max(0, (Date.now() - Date.parse(time)) / 1000);
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.floor(seconds)} s`;
  if (seconds < 6000) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}

/** The colour of a miner, by its place among the miners. */
export function mark(place) {
  return h("i", { class: place === undefined ? "mark none" : `mark m${place % 8}`, "aria-hidden": "true" });
}

/** A miner: its colour and its address. */
export function miner(address, places) {
  if (/^0+$/.test(address)) return h("span", { class: "muted" }, "none: block 1");
  return h("span", { class: "miner" }, mark(places.get(address)), id(address, accountLink(address)));
}

/** Rows under headings that scroll by themselves where they are too wide; `>` starts the heading of numbers. */
export function table(headings, rows, empty) {
  if (rows.length === 0) return h("p", { class: "muted" }, empty);
  const head = headings.map((text) =>
    h("th", { scope: "col", class: text.startsWith(">") ? "end" : null }, text.replace(/^>/, "")));
  return h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows)));
}
