// #/hosts: the receivers of webhooks: which of them rest, why and until when; and what makes one go on, or stop.

import { ask } from "../actions.js";
import { get } from "../api.js";
import {
  button, clockWithSeconds, ghosts, h, heads, hollow, number, plural, setText, trouble, visible, when,
} from "../kit.js";

const MOST = 200;
const WHY = {
  retry_after: "it asked for a pause", strikes: "it does not answer", rate: "as many were sent as may",
  paused: "it is paused",
};
const RELEASE = "Webhooks go to it again at once, and its failures are forgotten.";
const PAUSE = "No webhook goes to it until it is resumed. New ones are taken in, and wait.";
const RESUME = "What waits for it is sent, in its order.";

export function page(frame) {
  const hosts = new Hosts(frame);
  return { title: "Receivers", element: hosts.element };
}

class Hosts {
  constructor(frame) {
    this.frame = frame;
    this.note = h("p", { class: "soft" }, "Looking…");
    this.place = h("div", {}, ghosts(4));
    const above = h("nav", { class: "crumbs", "aria-label": "Above" }, frame.link("#/queues/webhook", {}, "webhook"));
    const head = h("div", { class: "head" }, h("div", {}, above, h("h1", {}, "Receivers"), this.note));
    this.element = h("div", { class: "stack" }, head,
      h("section", { class: "panel", "aria-label": "Receivers of webhooks" }, this.place));
    const failed = (problem) => this.place.replaceChildren(trouble(problem));
    this.again = frame.repeat((signal) => this._read(signal), { busy_s: 2, calm_s: 10, failed });
  }

  async _read(signal) {
    const { items, next_cursor } = await get(`api/hosts?limit=${MOST}`, { signal }).catch((problem) => {
      if (problem.slug === "queue-not-found") return { items: [], next_cursor: null };
      throw problem;
    });
    const resting = items.filter((one) => one.reason).length;
    const first = next_cursor ? "The first " : "";
    const rest = resting ? `${number(resting)} rest${resting === 1 ? "s" : ""}` : "none rests";
    setText(this.note, `${first}${plural(items.length, "host")}, ${rest}.`);
    const text = JSON.stringify(items);
    if (text === this.text) return; // A button may have the focus.
    this.text = text;
    const focused = document.activeElement?.dataset.host;
    const columns = [["Host"], ["Waiting", "n"], ["Running", "n"], ["Failed in a row", "n"], ["State"],
      [h("span", { class: "unseen" }, "Actions")]];
    const none = hollow("inbox", "No webhook so far", "A host stands here from its first webhook on.");
    this.place.replaceChildren(!items.length ? none : h("div", { class: "scroll" }, h("table", { class: "cards stats" },
      heads(columns), h("tbody", {}, items.map((one) => this._row(one))))));
    if (focused) this.place.querySelector(`[data-host="${CSS.escape(focused)}"]`)?.focus();
  }

  _row({ host, waiting, running, strikes, last_failure: failure, held_until: until, reason }) {
    const cell = (label, n, bad = "") =>
      h("td", { class: `n ${n ? bad : "zero"}`, "data-label": label }, number(n));
    const why = reason && `Rests: ${WHY[reason] ?? reason}${until ? `, until ${clockWithSeconds(until)}` : ""}.`;
    const at = failure?.at && when(failure.at);
    const last = failure && h("p", { class: "small soft" }, visible(failure.error), " ", at);
    const state = h("span", { class: reason ? "retried" : "" }, why ?? "Takes what comes.");
    return h("tr", {}, h("td", { class: "full" }, h("strong", {}, visible(host))), cell("waiting", waiting),
      cell("running", running), cell("failed in a row", strikes, "dead"), h("td", { class: "full" }, state, last),
      h("td", { class: "full" }, this.frame.can("admin") && this._acts(host, reason, strikes)));
  }

  _acts(host, reason, strikes) {
    const path = `api/queues/webhook/groups/${encodeURIComponent(host)}`;
    const done = () => this.again();
    const act = (label, how) => {
      const click = () => ask(this.frame, { title: `${label}: ${host}?`, label, done, ...how });
      return button(label, { kind: "tiny", "data-host": host, on: { click } });
    };
    const paused = reason === "paused";
    const turn = { method: "PATCH", path, body: JSON.stringify({ paused: !paused }), words: paused ? RESUME : PAUSE };
    const isHeld = strikes > 0 || reason === "retry_after";
    return h("div", { class: "acts end" }, isHeld && act("Let it go on", { path: `${path}/release`, words: RELEASE }),
      act(paused ? "Resume" : "Pause", turn));
  }
}
