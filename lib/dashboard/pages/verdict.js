// The verdict: what needs somebody, from the warnings of /api/health and the troubles of queues.
//
//   thingsOf(health, queues)  ->  [{kind: "dead", title: "Nobody serves the queue reports", text: "128 …", link}]
//   link: [{queue: "reports", state: "ready"}, "Show jobs"], of #/jobs?…; none where nothing is to be shown

import { clockOrDay, counted, number, plural } from "../kit.js";

/** Trouble's code -> how bad it is (dead: red, retried: amber), its title, and the state of the jobs that are in it. */
const TROUBLES = {
  unserved: ["dead", (queue) => `Nobody serves the queue ${queue}`, "ready"],
  dying: ["dead", (queue) => `Jobs of ${queue} die`, "dead"],
  failing: ["retried", (queue) => `Attempts of ${queue} fail`, "delayed,dead"],
  backlog: ["retried", (queue) => `${queue} falls behind`, "ready"],
  paused: ["retried", (queue) => `${queue} is paused`, "ready"],
};

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export function thingsOf(health, queues) {
  const told = new Set(health.warnings.filter((one) => one.code === "queue_unserved").map((one) => one.queue));
  const isTold = ({ name, trouble }) => ["unserved", "paused"].includes(trouble.code) && told.has(name);
  const troubled = queues
    .filter((queue) => queue.trouble && !isTold(queue))
    .map(({ name, trouble }) => troubleOf(name, trouble));
  // "dead" < "retried": red first.
  return [...health.warnings.map(thingOf), ...troubled].sort((a, b) => a.kind.localeCompare(b.kind));
}

/** A queue's trouble in words: {kind, title, text, link}. */
export function troubleOf(queue, { code, text }) {
  const [kind, title, state] = TROUBLES[code] ?? ["retried", (name) => `Something is wrong with ${name}`];
  return { kind, title: title(queue), text: `${capital(text)}.`, link: linkTo(queue, state) };
}

function linkTo(queue, state) {
  const word = state === "dead" ? "Show dead jobs" : "Show jobs";
  return queue && [{ queue, ...(state ? { state } : {}) }, word];
}

function thingOf({ code, severity, text, what_to_do, queue, since }) {
  const isUnserved = code === "queue_unserved";
  const begun = since ? ` Since ${clockOrDay(since)}.` : "";
  return {
    kind: severity === "error" ? "dead" : "retried",
    title: isUnserved ? TROUBLES.unserved[1](queue) : capital(text),
    text: `${isUnserved ? `${capital(text)}. ` : ""}${capital(what_to_do)}.${begun}`,
    link: linkTo(queue, isUnserved && "ready"),
  };
}

export function heading(things) {
  return things.length ? `${counted(things.length, "thing needs", "things need")} you` : "Nothing needs you";
}

/** The sentence below: what goes on beside. */
export function remainder(things, health, page, active) {
  const troubled = page.items.filter((queue) => queue.trouble).length;
  const fine = troubled
    ? `${number(page.total - troubled)} of ${plural(page.total, "queue")} keep up`
    : page.total === 1 ? "the one queue keeps up" : `all ${number(page.total)} queues keep up`;
  const queues = page.total ? fine : "no queue yet";
  const runs = [plural(health.workers ?? 0, "worker"), `${plural(active, "job")} in hand`, queues];
  return `${things.length ? "Everything else runs" : "All runs"}: ${runs.join(", ")}.`;
}
