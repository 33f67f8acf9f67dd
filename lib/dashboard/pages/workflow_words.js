// What is said of a workflow: how it is and because of what, and what will happen if it is run again or cancelled.

import { get } from "../api.js";
import { heldUpBy } from "../graph.js";
import { capital, h, number, pageOf, plural, seconds, state, visible, zoned } from "../kit.js";
import { OPEN } from "./workflow_graph.js";

const LOST = ["dead", "cancelled"];
const MOST_NAMED = 3;
const MOST_EXPLAINED = 5;
const MOST_LINES = 3;
/** Reasons for which a job waits until somebody does something. */
const STUCK = ["no_worker", "queue_paused", "group_paused", "unknown_type"];

/** A workflow's state. `blocked` is what it is while its jobs run; tone: "dead" if one has failed by then. */
export const pill = (how, tone) => how === "blocked"
  ? state(tone || "active", { pill: true, word: tone ? "failing" : "running" }) : state(how, { pill: true });

/** Why a job does not run, or how it ended; null where it is gone. */
export async function explained(id, signal) {
  try {
    return await get(`api/jobs/${id}/explain`, { signal });
  } catch (problem) {
    if (signal.aborted) throw problem;
    return null; // The rest of the page is as good without it.
  }
}

/** Links to the first of these jobs, and how many more they are, in an element. */
function named(frame, jobs) {
  const link = (job, at) => [at ? ", " : "", frame.link(pageOf(job), { class: "link" }, visible(job.name))];
  const more = jobs.length - MOST_NAMED;
  return h("span", {}, jobs.slice(0, MOST_NAMED).map(link), more > 0 && ` and ${plural(more, "other job")}`);
}

/** How it is, and because of what: {tone, strong, text, list}. jobs: Map id -> job; nodes: those of its graph. */
export async function sentence(workflow, jobs, nodes, frame) {
  const { id, state: how, counts, created_at, finished_at, cancel_requested_at, after, error } = workflow;
  const all = [...jobs.values()];
  if (how === "completed") {
    const failed = all.filter((one) => one.optional && one.state !== "completed");
    const took = seconds((Date.parse(finished_at) - Date.parse(created_at)) / 1000);
    const text = failed.length ? ["Without what is optional: ", named(frame, failed), "."] : [];
    return { strong: `Completed, ${took} after it was started.`, text };
  }
  if (how === "cancelled") return { strong: "Cancelled.", text: zoned(capital(error?.message ?? "")) };
  if (how === "dead") return culprits(workflow, all, frame);
  if (after.some(({ outcome }) => outcome === null)) {
    const why = await explained(id, frame.signal);
    return { strong: "It has not begun.", text: why ? zoned(`${capital(why.detail)}.`) : "" };
  }
  const ended = counts.jobs - OPEN.reduce((count, name) => count + counts[name], 0);
  const have = `${number(ended)} of ${plural(counts.jobs, "job")} ${ended === 1 ? "has" : "have"} ended.`;
  const list = await holdUps(jobs, nodes, frame);
  if (cancel_requested_at) return { strong: "It is being cancelled.", list };
  const lost = all.filter((one) => !one.optional && LOST.includes(one.state));
  if (!lost.length) return { strong: have, list };
  const dead = lost.filter((one) => one.state === "dead");
  const text = [named(frame, dead.length ? dead : lost), " did not complete. It can be run again when all have ended."];
  return { tone: "dead", strong: `It fails. ${have}`, text, list };
}

async function culprits({ id, counts }, all, frame) {
  const dead = all.filter((one) => one.state === "dead" && !one.optional);
  const why = await explained(dead[0]?.id ?? id, frame.signal);
  const text = [dead.length > 0 && [named(frame, dead), " failed. "], why && zoned(`${capital(why.detail)}.`)];
  return { tone: "dead", strong: `Dead: ${counts.completed} of ${plural(counts.jobs, "job")} completed.`, text };
}

/** What holds it up, as lines: what will not go on by itself first, then that for which most jobs wait. */
async function holdUps(jobs, nodes, frame) {
  const of = (id) => jobs.get(id);
  const isOpen = (id) => OPEN.includes(of(id).state);
  // A blocked job that has begun waits for a call from outside.
  const isNext = (id) => isOpen(id) && (of(id).state !== "blocked" || of(id).started_at !== null);
  const held = heldUpBy(nodes, [...jobs.values()], isNext, isOpen);
  const explain = async (one) => ({ ...one, why: await explained(one.ids[0], frame.signal) });
  const some = await Promise.all(held.slice(0, MOST_EXPLAINED).map(explain));
  const isStuck = ({ why }) => STUCK.includes(why?.reason);
  some.sort((a, b) => isStuck(b) - isStuck(a) || b.waiting - a.waiting);
  const line = ({ ids, waiting, why }) => {
    const them = ids.length === 1 ? "it" : "them";
    const wait = waiting > 0 && ` (${plural(waiting, "job waits", "jobs wait")} for ${them})`;
    return h("li", {}, named(frame, ids.map(of)), wait, why && [": ", zoned(why.detail), "."]);
  };
  const more = held.length - MOST_LINES;
  const rest = more > 0 && h("li", {}, `and ${number(more)} more`);
  return h("ul", { class: "why" }, some.slice(0, MOST_LINES).map(line), rest);
}

/** What may be done to it as it is: [{name, …}] for `ask` of actions.js. */
export function actionsOf({ id, state: how, counts, cancel_requested_at: isAsked }) {
  const path = `api/workflows/${id}`;
  const jobs = (count, one, many) => `${plural(count, "job")} ${count === 1 ? one : many}`;
  if (how === "dead" || how === "cancelled") {
    const again = jobs(counts.dead + counts.cancelled, "that failed or was cancelled runs",
      "that failed or were cancelled run");
    const kept = jobs(counts.completed, "that has completed stays as it is, with its result",
      "that have completed stay as they are, with their results");
    const words = `${again} again, each after those that it waits for. ${kept}.`;
    return [{ name: "retry", word: "Run again", glyph: "retried", kind: how === "dead" ? "main" : "", words,
      title: "Run the workflow again?", label: "Run it again", path: `${path}/retry` }];
  }
  if (how !== "blocked" || isAsked) return [];
  const waits = jobs(counts.blocked + counts.ready + counts.delayed, "waits, and does not run any more",
    "wait, and do not run any more");
  const runs = jobs(counts.active, "runs, and is asked to stop", "run, and are asked to stop");
  return [{ name: "cancel", word: "Cancel", glyph: "cancelled", words: `${waits}. ${runs}.`,
    title: "Cancel the workflow?", label: "Cancel the workflow", path: `${path}/cancel` }];
}
