// The verdict: what needs somebody, from the warnings of /api/health and the troubles of queues.
//
//   thingsOf(health, queues)  ->  [{kind: "dead", title: "Nobody serves the queue reports", text: "128 …", queue}]

import { capital, clockOrDay, counted, number, plural } from "../kit.js";

/** Trouble's code -> how bad it is (dead: red, retried: amber), and its title. */
const TROUBLES = {
  unserved: ["dead", (queue) => `Nobody serves the queue ${queue}`],
  dying: ["dead", (queue) => `Jobs of ${queue} die`],
  failing: ["retried", (queue) => `Attempts of ${queue} fail`],
  backlog: ["retried", (queue) => `${queue} falls behind`],
  paused: ["retried", (queue) => `${queue} is paused`],
};

export function thingsOf(health, queues) {
  const told = new Set(health.warnings.filter((one) => one.code === "queue_unserved").map((one) => one.queue));
  const isTold = ({ name, trouble }) => ["unserved", "paused"].includes(trouble.code) && told.has(name);
  const troubled = queues
    .filter((queue) => queue.trouble && !isTold(queue))
    .map(({ name, trouble }) => troubleOf(name, trouble));
  // "dead" < "retried": red first.
  return [...health.warnings.map(thingOf), ...troubled].sort((a, b) => a.kind.localeCompare(b.kind));
}

/** A queue's trouble in words: {kind, title, text, queue}. */
export function troubleOf(queue, { code, text }) {
  const [kind, title] = TROUBLES[code] ?? ["retried", (name) => `Something is wrong with ${name}`];
  return { kind, title: title(queue), text: `${capital(text)}.`, queue };
}

function thingOf({ code, severity, text, what_to_do, queue, since }) {
  const isUnserved = code === "queue_unserved";
  const begun = since ? ` Since ${clockOrDay(since)}.` : "";
  return {
    kind: severity === "error" ? "dead" : "retried",
    title: isUnserved ? TROUBLES.unserved[1](queue) : capital(text),
    text: `${isUnserved ? `${capital(text)}. ` : ""}${capital(what_to_do)}.${begun}`,
    queue,
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
