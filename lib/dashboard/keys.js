// Keys: of the frame, of the page that is shown, and of its rows; and a click on such a row. No key works in a field
// that is typed into, or with Control, Alt or Meta; single letters can be switched off in the help (WCAG 2.1.4).
//
// A table of keys: {t: ["light or dark", act, isThere?]}. `g` and the first letter of a place, or its data-key where
// another place has that letter, goes there.

import { h, showDialog } from "./kit.js";

const OFF = "waybill-letter-keys";
const PATIENCE_MS = 1500;
const NAMES = { " ": "Space", X: "Shift x" };
/** Pages that have no place in the navigation. */
const ELSEWHERE = { e: ["Errors", "#/errors"] };
const ROW_KEYS = { j: 1, k: -1 };

let asked_ms = 0;

/** Listen. placesOf() gives the links of the navigation that are there. */
export function takeKeys(frameKeys, keysOfPage, placesOf) {
  for (const kind of ["click", "auxclick"]) document.addEventListener(kind, openRow);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    if (event.target.closest("input:not(.box), textarea, select, dialog, [contenteditable]")) return;
    const isLetter = /^[a-z]$/i.test(event.key);
    if (isLetter && localStorage.getItem(OFF)) return;
    // Space on a button presses it, and turns a box.
    if (event.key === " " && event.target.closest("button, a, summary, input, [role=button]")) return;
    if (act(event.key, { ...frameKeys, ...keysOfPage() }, placesOf)) event.preventDefault();
  });
}

function act(key, table, placesOf) {
  const isGoing = Date.now() - asked_ms < PATIENCE_MS;
  asked_ms = 0;
  if (isGoing) {
    const hash = placesOf().find((one) => letterOf(one) === key)?.hash ?? ELSEWHERE[key]?.[1];
    if (hash) location.hash = hash;
    return Boolean(hash);
  }
  if (key === "g") {
    asked_ms = Date.now();
    return true;
  }
  if (ROW_KEYS[key]) return step(ROW_KEYS[key]);
  const [, does, isThere = () => true] = table[key] ?? [];
  if (!does || !isThere()) return false;
  does();
  return true;
}

/** A click on a row, beside what is a link or a button itself, is one on its first link, with Control or the wheel
 * too. */
function openRow(event) {
  const { target, type, button } = event;
  if (button > 1 || target.closest("a, button, input, .pick") || !getSelection().isCollapsed) return;
  target.closest("main .go")?.querySelector("a")?.dispatchEvent(new MouseEvent(type, event));
}

const letterOf = (place) => place.dataset.key ?? place.textContent.trim().charAt(0).toLowerCase();

/** To the next row of the page, or the one before: its link gets the focus, and Enter opens it. */
function step(by) {
  const rows = [...document.querySelectorAll("main .go")].filter((row) => row.checkVisibility());
  if (!rows.length) return false;
  const at = rows.findIndex((row) => row.classList.contains("at"));
  const next = rows[Math.max(0, Math.min(rows.length - 1, at + by))];
  rows[at]?.classList.remove("at");
  next.classList.add("at");
  const focused = next.querySelector("a") ?? next;
  if (focused === next) next.tabIndex = -1;
  focused.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  return true;
}

/** The help: every key that there is now. mine: a button that signs out, or nothing. */
export function showHelp(frameKeys, keysOfPage, places, mine) {
  const rows = Object.entries({ ...frameKeys, ...keysOfPage }).filter(([, [, , isThere]]) => !isThere || isThere());
  const going = places.map((one) => [`g ${letterOf(one)}`, `to ${one.querySelector("span").textContent}`]);
  for (const [key, [name]] of Object.entries(ELSEWHERE)) going.push([`g ${key}`, `to ${name}`]);
  const all = [...rows.map(([key, [what]]) => [NAMES[key] ?? key, what]), ...going];
  all.push(["j k", "next row, row before"], ["Enter", "open the row"], ["Esc", "close"]);
  const shown = all.map(([keys, what]) => [
    h("dt", {}, keys.split(" ").map((key) => [h("kbd", {}, key), " "])), h("dd", { class: "soft" }, what),
  ]);
  const box = h("input", { type: "checkbox", class: "box", id: "letters", checked: !localStorage.getItem(OFF) });
  box.addEventListener("change", () => (box.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "off")));
  const letters = h("label", { class: "soft", for: "letters" }, box, " Single letters work as keys");
  const close = h("button", { class: "button main", type: "button", on: { click: () => dialog.close() } }, "Close");
  const docs = h("a", { class: "button", href: "docs" }, "The API");
  const acts = h("div", { class: "acts" }, docs, mine, close);
  const dialog = showDialog("Keys", h("h2", {}, "Keys"), h("dl", { class: "keys" }, shown), letters, acts);
  if (mine) mine.addEventListener("click", () => dialog.close());
}
