// The overview where no job was ever posted: three steps, from a worker to a job that has run. What is done of them is
// read every 3 s, until the first job is there.

import { curlBox, curlOf } from "../actions.js";
import { get } from "../api.js";
import { button, copier, h, icon, plural, put } from "../kit.js";
import { firstOf, payloadOf } from "../schema.js";

const LOOK_S = 3;
const NEW_KEY = "python server.py --new-key NAME --scope write";
const NO_TYPE = "This server knows no type of job. Name Python modules that have some in JOB_MODULES.";
const OUTBOX = "A mail needs no mail server: where no SMTP_URL is set, it becomes a file in OUTBOX_DIR.";

/** Show the steps in place. */
export function showFirstJob(frame, place) {
  const worker = h("li", {});
  const post = h("li", {});
  const see = h("li", {}, mark("jobs"), h("div", {}, h("h3", {}, "See it run"), h("p", { class: "soft" },
    "This page shows it by itself. The job's own page has its attempts, its log, and what came of it.")));
  place.append(h("section", { class: "panel", "aria-label": "The first job" },
    h("header", {}, h("h2", {}, "No jobs so far")), h("ol", { class: "steps" }, worker, post, see)));
  let told;
  frame.repeat(async (signal) => {
    if (told !== undefined && !place.isConnected) return;
    const { workers } = await get("api/health", { signal });
    if (told === undefined) put(post, postStep(frame, firstOf((await get("api/types", { signal })).items)));
    if (workers !== told) put(worker, workerStep(workers));
    told = workers;
  }, { busy_s: LOOK_S, calm_s: LOOK_S });
}

const mark = (name) => h("span", { class: `state pill ${name === "completed" ? name : "ready"}` }, icon(name));

function workerStep(workers) {
  if (workers) {
    const runs = `${plural(workers, "worker")} ${workers === 1 ? "runs" : "run"}.`;
    return [mark("completed"), h("div", {}, h("h3", {}, "A worker runs jobs"), h("p", { class: "soft" }, runs))];
  }
  const command = h("code", {}, "python worker.py");
  return [mark("workers"), h("div", {}, h("h3", {}, "Start a worker"),
    h("p", { class: "soft" }, "None runs, so jobs would wait. In Waybill's folder:"),
    h("p", { class: "command" }, command, copier(command)))];
}

function postStep(frame, type) {
  if (!type) return [mark("plus"), h("div", {}, h("h3", {}, "Name your jobs"), h("p", { class: "soft" }, NO_TYPE))];
  const body = JSON.stringify({ type: type.name, payload: payloadOf(type) });
  const key = frame.caller.asks_for_key &&
    h("p", { class: "small soft" }, "KEY is a key of scope write; ", h("code", {}, NEW_KEY), " makes one.");
  const go = button("Post a job", { glyph: "plus", kind: "main", href: "#/jobs/new" });
  const may = frame.can("write") ? h("div", { class: "acts" }, go)
    : h("p", { class: "soft" }, "Your key may only read. A key of scope write may post one, here or so:");
  const mail = type.name === "email" && h("p", { class: "soft" }, OUTBOX);
  return [mark("plus"), h("div", { class: "form" }, h("h3", {}, "Post a job"), mail, may,
    curlBox(curlOf(frame, "POST", "api/jobs", body)), key)];
}
