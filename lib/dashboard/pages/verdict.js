// The verdict: what needs somebody, from the warnings of /api/health and the troubles of queues.
//
//   thingsOf(health, queues)  ->  [{kind: "dead", title: "Nobody serves the queue reports", text: "128 …", link}]
//   link: ["#/jobs?queue=reports&state=ready", "Show jobs", "Show jobs of reports"]; none where nothing is to be shown

import { capital, clockOrDay, counted, number, plural } from "../kit.js";

/** Trouble's code, the worst first -> how bad it is (dead: red, retried: amber), the title for one queue (s: "s") or
 * for many ("12 queues"; s: ""), the state of the jobs that are in it, and the unit of its amount. */
const TROUBLES = {
  unserved: ["dead", (them, s) => `Nobody serves ${s && "the queue "}${them}`, "ready", " waiting"],
  dying: ["dead", (them) => `Jobs of ${them} die`, "dead", " dead"],
  failing: ["retried", (them) => `Attempts of ${them} fail`, "delayed,dead", " %"],
  backlog: ["retried", (them, s) => `${them} fall${s} behind`, "ready", " s"],
  paused: ["retried", (them, s) => `${them} ${s ? "is" : "are"} paused`, "ready", " waiting"],
};
const CODES = Object.keys(TROUBLES);
const rankOf = (one, none) => (one ? CODES.indexOf(one.code) : none);
const MOST_ALIKE = 3; // So many queues with one trouble are told one by one; more of them together.

/** The order of queues by trouble, as the API has it: by the code, the amount, the name. */
export const worstFirst = ({ name: a, trouble: one }, { name: b, trouble: two }) =>
  rankOf(one, CODES.length) - rankOf(two, CODES.length) || (two?.amount ?? 0) - (one?.amount ?? 0) || (a < b ? -1 : 1);

export function thingsOf(health, queues, failing) {
  const told = new Set(health.warnings.filter((one) => one.code === "queue_unserved").map((one) => one.queue));
  const isTold = ({ name, trouble }) => ["unserved", "paused"].includes(trouble.code) && told.has(name);
  const troubled = queues
    .filter((queue) => queue.trouble && !isTold(queue))
    .map(({ name, trouble }) => troubleOf(name, trouble, failing.whyOf(name)));
  const amounts = new Map(queues.map(({ name, trouble }) => [name, trouble?.amount]));
  const all = [...health.warnings.map(thingOf), ...troubled].map((one) => ({ amount: amounts.get(one.queue), ...one }));
  // "dead" < "retried": red first. What is of no queue, as that no worker is there, comes before what is.
  all.sort((a, b) => a.kind.localeCompare(b.kind) || rankOf(a) - rankOf(b) || (b.amount ?? 0) - (a.amount ?? 0));
  return [...Map.groupBy(all, ({ kind, code }) => code ?? kind).values()].flatMap((group) =>
    TROUBLES[group[0].code] && group.length > MOST_ALIKE ? [manyOf(group)] : group);
}

/** A queue's trouble in words: {code, kind, title, text, queue, link}. why: a sentence, for jobs that fail. */
export function troubleOf(queue, { code, text }, why) {
  const [kind, title, state] = TROUBLES[code] ?? ["retried", (name) => `Something is wrong with ${name}`];
  const whole = `${capital(text)}.${state?.includes("dead") ? why : ""}`;
  return { code, kind, title: title(queue, "s"), text: whole, queue, link: linkTo(queue, state) };
}

function manyOf(group) {
  const [kind, title, , unit] = TROUBLES[group[0].code];
  const worst = group.slice(0, MOST_ALIKE).map(({ queue, amount }) => `${queue} (${number(amount ?? 0)}${unit})`);
  const text = `${worst.join(", ")} and ${plural(group.length - MOST_ALIKE, "other")}.`;
  return { kind, title: title(plural(group.length, "queue"), ""), text, link: ["#/queues", "Show queues"] };
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
    title: isUnserved ? TROUBLES.unserved[1](queue, "s") : capital(text),
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
  if (health.workers === 0) return "Nothing runs: there is no worker.";
  const troubled = page.items.filter((queue) => queue.trouble).length;
  const fine = troubled
    ? `${number(page.total - troubled)} of ${plural(page.total, "queue")} keep up`
    : page.total === 1 ? "the one queue keeps up" : `all ${number(page.total)} queues keep up`;
  const queues = page.total ? fine : "no queue yet";
  const runs = [plural(health.workers ?? 0, "worker"), `${plural(active, "job")} in hand`, queues];
  return `${things.length ? "Everything else runs" : "All runs"}: ${runs.join(", ")}.`;
}
