// What changes a job: each is a dialog that says in words what will happen, has the same as curl, and one button.

import { call } from "./api.js";
import { button, copier, escaped, h, quoted, showDialog } from "./kit.js";

/** A request as curl; $KEY stands for the key, which is not shown. path: "api/jobs", below the page. body: as text.
 * headers: more fields of it. */
export function curlOf(frame, method, path, body, headers = {}) {
  const way = method === (body === undefined ? "GET" : "POST") ? "" : `-X ${method} `;
  const lines = [`curl -i ${way}${quoted(new URL(path, document.baseURI).href)}`];
  if (frame.caller.asks_for_key) lines.push(`-H "Authorization: Bearer $KEY"`);
  for (const [name, value] of Object.entries(headers)) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (body !== undefined) lines.push("-H 'Content-Type: application/json'", `-d ${quoted(escaped(body))}`);
  return lines.join(" \\\n  ");
}

/** A curl with a button that copies it. */
export function curlBox(text) {
  const shown = h("pre", { class: "curl", tabindex: "0", "aria-label": "The same as curl" }, text);
  const title = h("h3", {}, "The same as curl");
  const head = h("div", { class: "curl-bar" }, title, h("span", { class: "gap" }), copier(shown));
  return [head, shown];
}

/** Show a curl alone. */
export function showCurl(title, text, note) {
  const close = button("Close", { on: { click: () => dialog.close() } });
  const dialog = showDialog(title, h("h2", {}, title), note && h("p", { class: "soft" }, note), curlBox(text),
    h("div", { class: "acts" }, close));
}

/** Ask before a request is sent. words: what will happen, texts or elements. done(answer) is called after it. */
export function ask(frame, { title, words, label, kind = "main", method = "POST", path, body, done }) {
  const told = h("p", { class: "dead", role: "alert" });
  const close = () => dialog.close();
  const act = async () => {
    go.disabled = true;
    try {
      const answer = await call(method, path, { body, signal: frame.signal });
      close();
      done(answer);
    } catch (problem) {
      if (frame.signal.aborted) return;
      told.textContent = problem.sentence;
      go.disabled = false;
    }
  };
  const go = button(label, { kind, on: { click: act } });
  const back = button("Leave it", { on: { click: close } });
  const dialog = showDialog(title, h("h2", {}, title), h("div", { class: "soft" }, words),
    curlBox(curlOf(frame, method, path, body)), told, h("div", { class: "acts" }, back, go));
  frame.signal.addEventListener("abort", close);
  go.focus();
}

const ENDED = ["completed", "dead", "cancelled"];
export const hasEnded = (job) => ENDED.includes(job.state);

const RETRY = "Its attempts begin at 0 again; its history is kept, its result and its error are not.";
const CANCEL = {
  active: "It runs: its handler is asked to stop. Once that has ended, the job is cancelled, or " +
    "completed if its work was done by then.",
  other: "It does not run any more. Jobs that wait for it are told.",
};

/** What may be done to a job as it is: [{name, label, glyph, …}] of `ask`. */
export function actionsOf(job) {
  const path = `api/jobs/${job.id}`;
  if (!hasEnded(job)) {
    const isAsked = job.state === "active" && job.cancel_requested_at;
    const force = "It was asked to stop, and still runs. It is ended within some seconds, wherever its handler is.";
    const words = isAsked ? force : (CANCEL[job.state] ?? CANCEL.other);
    const label = isAsked ? "End the job now" : "Cancel the job";
    const way = { path: `${path}/cancel${isAsked ? "?force=true" : ""}`, words, title: `${label}?`, label };
    return [{ name: "cancel", word: isAsked ? "End now" : "Cancel", glyph: "cancelled", ...way }];
  }
  const word = job.state === "completed" ? "Run again" : "Retry now";
  const isAgain = job.state === "completed" ? "It has completed before, and does its work a second time. " : "";
  const words = `The job becomes ready in ${job.queue}. ${isAgain}${RETRY}`;
  const gone = "Its record, history and log are gone for good. No job that was queued by it is touched.";
  return [
    { name: "retry", word, glyph: "retried", path: `${path}/retry`, words, title: "Run the job again?", label: word },
    { name: "delete", word: "Delete", glyph: "trash", kind: "danger", method: "DELETE", path, words: gone,
      title: "Delete the job?", label: "Delete the job" },
  ];
}
