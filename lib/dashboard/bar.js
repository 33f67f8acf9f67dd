// What stands around each page: the state of the link, banners, who looks, the number of dead jobs, light or dark.

import { news } from "./api.js";
import { button, h, icon, number, seconds, setText, sum, tellTime } from "./kit.js";

const RECENT = "waybill-queues";
const MOST_RECENT = 5;

let live = null;

/** Tell from now on what `source`, a Live, says of the link. */
export function tellOf(source) {
  live = source;
  live.addEventListener("state", tellState);
  live.addEventListener("queues", tellDead);
  live.addEventListener("queues", tellVersion);
  live.addEventListener("queues", () => tellRecent());
  live.addEventListener("upgraded", () => {
    const reload = button("Reload", { kind: "tiny", on: { click: () => location.reload() } });
    const told = h("span", { role: "alert" }, "Waybill was upgraded.");
    banner("upgraded", "active", told, h("span", { class: "gap" }), reload);
  });
  let waits = 0; // Several requests may be asked to wait at a time.
  news.addEventListener("waiting", ({ detail }) => {
    waits += 1;
    banner("busy", "retried", h("span", { role: "status" }, `Too many requests: waiting for ${detail} s.`));
  });
  news.addEventListener("going-on", () => (waits -= 1) || banner("busy"));
  setInterval(tellTimes, 1000);
}

/** A line above the page, in place of the one with that id; without content: none. kind: dead, retried, active. */
export function banner(id, kind, ...content) {
  document.getElementById(id)?.remove();
  if (!content.length) return;
  const glyph = h("span", { class: kind }, icon(kind === "dead" ? "away" : "info"));
  document.getElementById("banners").append(h("div", { class: "banner", id }, glyph, content));
}

function tellState() {
  const { word, kind } = live.state;
  setText(document.getElementById("live"), word);
  document.getElementById("dot").className = `dot ${kind}`;
  if (!live.isAway) return banner("away");
  if (!document.getElementById("away-what")) {
    // The words alone are an alert: a screen reader must not read the seconds that pass.
    const what = h("strong", { id: "away-what", role: "alert" });
    const now = button("Try now", { kind: "tiny", on: { click: () => live.hurry() } });
    const text = h("span", {}, what, " ", h("span", { id: "away-more" }));
    banner("away", "dead", text, h("span", { class: "gap" }), now);
  }
  const who = live.name === "redis" ? "Redis" : "The server";
  setText(document.getElementById("away-what"), `${who} does not answer.`);
  tellAway();
}

function tellAway() {
  const place = document.getElementById("away-more");
  if (!place) return;
  const { tries_at_ms } = live.state;
  const at = new Date(live.heard_ms).toLocaleTimeString("en-GB");
  const means = live.name === "redis" ? " Jobs that run go on; new ones are refused with 503." : "";
  const next = Math.max(0, Math.ceil((tries_at_ms - Date.now()) / 1000));
  const age = seconds(Math.max(1, Math.round((Date.now() - live.heard_ms) / 1000)));
  setText(place, `What you see is from ${at}, ${age} ago.${means} Trying again in ${next} s.`);
}

function tellTimes() {
  tellTime();
  tellAway();
  const age_s = Math.round((Date.now() - live.heard_ms) / 1000);
  setText(document.getElementById("heard"), live.name === "live" || live.name === "polling" ? `· ${age_s} s ago` : "");
}

/** How many jobs are dead, beside the place where they are listed. */
export function tellDead() {
  const link = document.querySelector('.places a[href="#/jobs"]');
  const dead = sum([...live.queues.values()].map((queue) => queue.counts.dead));
  link.querySelector(".count")?.remove();
  if (dead) link.append(h("span", { class: "count hot num", title: `${number(dead)} dead jobs` }, number(dead)));
}

/** The queues whose pages were opened last, in the side, each with the number of its jobs that wait. `name`: one that
 * is opened now. This tab keeps them until it is closed or somebody signs out. */
export function tellRecent(name) {
  const kept = JSON.parse(sessionStorage.getItem(RECENT) ?? "[]");
  const names = name ? [name, ...kept.filter((one) => one !== name)].slice(0, MOST_RECENT) : kept;
  if (name) sessionStorage.setItem(RECENT, JSON.stringify(names));
  const shown = names.filter((one) => live.queues.has(one));
  const list = document.getElementById("recent");
  list.hidden = !shown.length;
  const links = [...list.querySelectorAll("a")];
  if (links.map((one) => one.dataset.queue).join() !== shown.join()) {
    const count = () => h("span", { class: "count num" });
    const link = (one) => h("a", { href: `#/queues/${one}`, "data-queue": one }, h("span", {}, one), count());
    list.replaceChildren(list.firstElementChild, ...shown.map(link));
  }
  for (const one of list.querySelectorAll("a")) {
    const { ready } = live.queues.get(one.dataset.queue).counts;
    setText(one.lastChild, ready ? number(ready) : "");
    one.title = ready ? `${number(ready)} wait` : "";
  }
}
export const forgetRecent = () => {
  sessionStorage.removeItem(RECENT);
  tellRecent();
};

/** Who looks, in the side; null: nobody. */
export function tellCaller(caller, signOut) {
  const who = caller && (caller.asks_for_key ? `${caller.name} · ${caller.scope} key` : "No key is asked for");
  const out = caller?.asks_for_key && button("Sign out", { kind: "tiny", on: { click: signOut } });
  const which = h("span", { class: "num", id: "which" }, "Waybill");
  document.getElementById("foot").replaceChildren(...[who && h("span", {}, who), which, out].filter(Boolean));
}

function tellVersion() {
  const which = document.getElementById("which");
  if (which?.textContent === "Waybill" && live.version) setText(which, `Waybill ${live.version}`);
}

/** Which Waybill this is, in the side. health: as GET /api/health has it. */
export function tellHealth({ version, redis }) {
  setText(document.getElementById("which"), `Waybill ${version} · ${redis.name} ${redis.version}`);
}

// Light or dark, as the reader's system has it until they say otherwise.

export function setTheme(theme = localStorage.getItem("waybill-theme")) {
  if (theme) document.documentElement.dataset.theme = theme;
}
export function turnTheme() {
  const now = document.documentElement.dataset.theme;
  const isDark = now ? now === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  localStorage.setItem("waybill-theme", isDark ? "light" : "dark");
  setTheme(isDark ? "light" : "dark");
}
