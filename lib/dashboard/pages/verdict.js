// The verdict: what needs somebody, from the warnings of /api/health and the troubles of queues.
//
//   thingsOf(health, queues)  ->  [{kind: "dead", title: "Nobody serves the queue reports", text: "128 …", link}]
//   link: ["#/jobs?queue=reports&state=ready", "Show jobs", "Show jobs of reports"]; none where nothing is to be shown

import { capital, clockOrDay, counted, number, plural } from "../kit.js";

/** Trouble's code -> how bad it is (dead: red, retried: amber), its title, that of many queues at once, and the state
 * of the jobs that are in it. */
const TROUBLES = {
  unserved: ["dead", (queue) => `Nobody serves the queue ${queue}`, (queues) => `Nobody serves ${queues}`, "ready"],
  dying: ["dead", (queue) => `Jobs of ${queue} die`, (queues) => `Jobs of ${queues} die`, "dead"],
  failing: [
    "retried", (queue) => `Attempts of ${queue} fail`, (queues) => `Attempts of ${queues} fail`, "delayed,dead",
  ],
  backlog: ["retried", (queue) => `${queue} falls behind`, (queues) => `${queues} fall behind`, "ready"],
  paused: ["retried", (queue) => `${queue} is paused`, (queues) => `${queues} are paused`, "ready"],
};
const MOST_ALIKE = 3; // So many queues with one trouble are told one by one; more of them together.

export function thingsOf(health, queues) {
  const told = new Set(health.warnings.filter((one) => one.code === "queue_unserved").map((one) => one.queue));
  const isTold = ({ name, trouble }) => ["unserved", "paused"].includes(trouble.code) && told.has(name);
  const troubled = queues
    .filter((queue) => queue.trouble && !isTold(queue))
    .map(({ name, trouble }) => troubleOf(name, trouble));
  const alike = Map.groupBy([...health.warnings.map(thingOf), ...troubled], ({ code }) => code);
  const things = [...alike].flatMap(([code, group]) =>
    TROUBLES[code] && group.length > MOST_ALIKE ? [manyOf(code, group.map(({ queue }) => queue))] : group);
  // "dead" < "retried": red first.
  return things.sort((a, b) => a.kind.localeCompare(b.kind));
}

/** A queue's trouble in words: {code, kind, title, text, queue, link}. */
export function troubleOf(queue, { code, text }) {
  const [kind, title, , state] = TROUBLES[code] ?? ["retried", (name) => `Something is wrong with ${name}`];
  return { code, kind, title: title(queue), text: `${capital(text)}.`, queue, link: linkTo(queue, state) };
}

function manyOf(code, names) {
  const [kind, , title] = TROUBLES[code];
  const text = `${names.slice(0, MOST_ALIKE).join(", ")} and ${plural(names.length - MOST_ALIKE, "other")}.`;
  return { kind, title: title(plural(names.length, "queue")), text, link: ["#/queues", "Show queues"] };
}

function linkTo(queue, state) {
  const word = state === "dead" ? "Show dead jobs" : "Show jobs";
  return queue && [`#/jobs?${new URLSearchParams({ queue, ...(state && { state }) })}`, word, `${word} of ${queue}`];
}

function thingOf({ code, severity, text, what_to_do, queue, since }) {
  const isUnserved = code === "queue_unserved";
  const begun = since ? ` Since ${clockOrDay(since)}.` : "";
  return {
    code: isUnserved ? "unserved" : null,
    kind: severity === "error" ? "dead" : "retried",
    title: isUnserved ? TROUBLES.unserved[1](queue) : capital(text),
    text: `${isUnserved ? `${capital(text)}. ` : ""}${capital(what_to_do)}.${begun}`,
    queue,
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
