// The start of the dashboard: routes, focus, titles, search, sign-in and -out. frame.js is what each page gets of it.
//
// HOW A PAGE IS ADDED
// 1. pages/queue.js, a module of its own, loaded when it is first seen:
//
//        import { h } from "../kit.js";
//        export function page(frame, params) {            // #/queues/email?tab=types
//          const element = h("div", { class: "stack" }, h("h1", {}, params.queue));
//          frame.repeat(async (signal) => show(await get(`api/queues/${params.queue}`, { signal })), { busy_s: 5 });
//          return { title: params.queue, element };       // at once: what is read comes in later
//        }
//
//    element has one h1, which gets the focus. params has the variables of the pattern, decoded, and `query`, a
//    URLSearchParams. The page may also return stop(), called when it is left, and keys: {p: ["pause", () => …]},
//    which the help (?) then lists. #/queues/a and #/queues/b are two pages: the first is left before the other comes.
// 2. A row of ROUTES below, and in index.html, for a place of the navigation, its `hidden` taken away.
// 3. A row in ROUTES of tests/browser/test_pages.py: audit, sizes and complaints are tested by that.
// New icons are symbols of index.html. Styles of one page go into pages.css; those of schedules and workflows stand in
// plans.css.

import { pause } from "./api.js";
import { banner, forgetRecent, setTheme, tellCaller, tellDead, tellOf, tellRecent, turnTheme } from "./bar.js";
import { forgetDrafts, Frame } from "./frame.js";
import { button, h, hollow } from "./kit.js";
import { showHelp, takeKeys } from "./keys.js";
import { Live } from "./live.js";
import { forgetSearches, hashOf, keepSearch, WORDS } from "./search.js";
import { signIn, signInAgain, signOut } from "./signin.js";

/** Hash -> the file in pages/ that shows it. */
const ROUTES = [
  ["/", "overview"],
  ["/jobs", "jobs"],
  ["/jobs/new", "new_job"],
  ["/jobs/{id}", "job"],
  ["/jobs/{id}/edit", "new_job"],
  ["/requests/{id}", "request"],
  ["/queues", "queues"],
  ["/queues/{queue}", "queue"],
  ["/workflows", "workflows"],
  ["/workflows/{id}", "workflow"],
  ["/schedules", "schedules"],
  ["/schedules/+new", "schedule_edit"],
  ["/schedules/{name}", "schedule"],
  ["/schedules/{name}/edit", "schedule_edit"],
  ["/workers", "workers"],
  ["/hosts", "hosts"],
  ["/errors", "errors"],
];

/** Pages that have no place in the navigation -> the one from which they are reached. */
const BELOW = { __proto__: null, errors: "", requests: "jobs", hosts: "queues" };

const main = document.getElementById("main");
const live = new Live();
let caller = null;
let shown = null;
let searching = null; // The newest search.

/** A route as {file, params}; null where there is none. */
function find(hash) {
  const [path, query = ""] = (hash.replace(/^#/, "") || "/").split(/\?(.*)/s);
  for (const [pattern, file] of ROUTES) {
    const params = fit(pattern.split("/"), path.split("/"));
    if (params) return { file, params: { ...params, query: new URLSearchParams(query) } };
  }
  return null;
}

const has = (hash) => find(hash) !== null;

function fit(pattern, path) {
  if (pattern.length !== path.length) return null;
  const params = {};
  for (const [at, part] of pattern.entries()) {
    if (part.startsWith("{") && path[at]) params[part.slice(1, -1)] = decoded(path[at]);
    else if (part !== path[at]) return null;
  }
  return params;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // A hash that somebody typed: 100%.
  }
}

/** Leave the page that is shown, with the dialogs that stand over it. */
function leave() {
  shown?.stop();
  shown = null;
  for (const one of document.querySelectorAll("dialog")) one.close();
}

/** Show the page of the address. */
async function route() {
  leave();
  const had = document.activeElement;
  const controller = new AbortController();
  const mine = (shown = { stop: () => controller.abort(), keys: {} });
  const found = find(location.hash);
  let made;
  try {
    const module = found ? await import(`./pages/${found.file}.js`) : { page: missing };
    if (shown !== mine) return;
    made = module.page(new Frame(controller, { live, caller, has }), found?.params);
    if (found?.file === "queue") tellRecent(found.params.queue);
  } catch (fault) {
    if (shown !== mine) return;
    console.warn(fault);
    made = unloaded();
  }
  mine.keys = made.keys ?? {};
  mine.stop = () => {
    controller.abort();
    made.stop?.();
  };
  put(made, had);
}

/** had: what had the focus when the page was asked for. */
function put({ title, element }, had) {
  const isFirst = !main.querySelector("h1");
  main.replaceChildren(element);
  document.title = `${title} · Waybill`;
  const first = location.hash.split(/[/?]/)[1] ?? "";
  const place = `#/${BELOW[first] ?? first}`;
  for (const one of document.querySelectorAll(".places a")) {
    if (one.getAttribute("href") === place) one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  }
  if (isFirst) return; // Who has just come begins at the top of the document, with the link to the page.
  // Who types into the search field already, before the page's script has come, must not type into the page.
  if (![had, document.body].includes(document.activeElement)) return;
  const heading = main.querySelector("h1");
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
  scrollTo(0, 0);
}

const alone = (title, ...inside) => ({
  title,
  element: h("div", { class: "stack" }, h("h1", {}, title), h("section", { class: "panel" }, inside)),
});

function missing() {
  const back = h("div", { class: "acts" }, button("Overview", { href: "#/", kind: "tiny" }));
  const told = hollow("search", "Nothing is at this address", location.hash.slice(0, 200), back);
  return alone("There is no page here", told);
}

function unloaded() {
  const again = button("Load again", { kind: "tiny", on: { click: () => location.reload() } });
  const why = "A part of the page did not come from the server, or it is from another version than the rest.";
  return alone("This page did not load", hollow("warn", "Something is missing", why, again));
}

async function search(event) {
  event.preventDefault();
  const text = event.target.elements.find.value.trim();
  const where = { isQueue: (name) => live.queues.has(name), hasRequests: has("#/requests/a") };
  if (text) keepSearch(text);
  const [from, mine] = [shown, (searching = Symbol(text))];
  const hash = text ? await hashOf(text, where) : "#/jobs";
  // Whoever has gone elsewhere meanwhile is left there, and of two searches the newer one counts.
  if (shown === from && searching === mine) location.hash = hash;
}

/** What the search field offers is loaded when somebody goes there for the first time; it can be used without. */
function offer({ target }) {
  import("./suggest.js").then(({ suggest }) => suggest(target, () => live.queues.keys()), () => {});
}

/** Another key, or none, is used from now on: what the old one has shown goes. by: as signin.js tells it. Drafts stay
 * for the same caller, unless somebody has signed out. */
async function signedOut(by) {
  const before = caller;
  caller = null; // No page is shown meanwhile, wherever the browser's history leads.
  live.stop();
  leave();
  main.replaceChildren();
  live.queues.clear();
  tellDead();
  forgetSearches();
  forgetRecent();
  tellCaller(null);
  if (by) forgetDrafts();
  caller = await signInAgain(before, by);
  if (caller.name !== before.name) forgetDrafts();
  begin();
}

function begin() {
  tellCaller(caller, signOut);
  live.start();
  route();
}

const frameKeys = {
  "/": [`find an id, a request, a text, or ${WORDS}`,
    () => document.getElementById("find").focus(), () => has("#/jobs")],
  "?": ["this help", () => help()],
  t: ["light or dark", turnTheme],
  " ": ["freeze the page: nothing moves until pressed again", () => live.freeze(!live.isFrozen)],
};

const places = () => [...document.querySelectorAll(".places a:not([hidden])")];

function help() {
  const mine = caller?.asks_for_key && button("Sign out", { on: { click: signOut } });
  showHelp(frameKeys, shown?.keys ?? {}, places(), mine);
}

async function start() {
  main.replaceChildren(); // The words that stand there until a script runs.
  setTheme();
  tellOf(live);
  document.getElementById("theme").addEventListener("click", turnTheme);
  document.getElementById("help").addEventListener("click", help);
  document.getElementById("finder").addEventListener("submit", search);
  document.getElementById("find").addEventListener("focus", offer, { once: true });
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault(); // The address is the route, so the link can't be one.
    main.focus();
  });
  takeKeys(frameKeys, () => shown?.keys ?? {}, places);
  addEventListener("hashchange", () => caller && route());
  const wanted = find(location.hash);
  if (wanted) import(`./pages/${wanted.file}.js`).catch(() => {}); // It comes while the key is asked about.
  for (;;) {
    try {
      caller = await signIn(signedOut);
      break;
    } catch (problem) {
      const told = h("strong", {}, "Nothing can be shown yet.");
      banner("away", "dead", h("span", { role: "status" }, told, ` ${problem.sentence} Trying again.`));
      await pause(2000);
    }
  }
  banner("away");
  begin();
}

start();
