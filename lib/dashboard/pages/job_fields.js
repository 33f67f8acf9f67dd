// The fields of a request for a job beside type and payload, as form.js shows them, and what another job has there.
// kind: how a field is typed where its schema does not say it; none: what an empty one says.

const PRIORITY = { title: "Priority", enum: ["high", "normal", "low"], default: "normal" };
const ATTEMPTS = { title: "Attempts at most", type: "integer" };
const TAGS = { title: "Tags", kind: "words", description: "Words to find it by, with blanks between them." };
const TIME = { kind: "time", description: "In your time zone." };

/** Of a new job. */
export const newFields = {
  properties: {
    queue: { title: "Queue", type: "string", description: "A new name makes a new queue." },
    priority: PRIORITY,
    delay_s: { title: "Delay, in seconds", type: "number" },
    run_at: { title: "Not before", ...TIME },
    max_attempts: ATTEMPTS,
    timeout_s: { title: "Time-out of an attempt, in seconds", type: "number" },
    unique: { title: "Unique key", kind: "key", description: "No second job with it until this one has ended." },
    tags: TAGS,
    group: { title: "Group", type: "string", description: "Whose job it is, such as a tenant." },
  },
};

/** Of a job that waits. */
export const changeFields = {
  properties: {
    priority: PRIORITY,
    run_at: { title: "Not before", ...TIME, none: "null", description: "In your time zone; empty: now." },
    max_attempts: ATTEMPTS,
    tags: { ...TAGS, none: "[]" },
  },
};

const OF_TYPE = ["queue", "max_attempts", "timeout_s", "backoff", "retain_s", "give_up_after_s"];
const USUAL = { priority: "normal" };

/** What a new job takes over from this one: what differs from the defaults of its type. type: a row of /api/types, or
 * nothing. A group that the type names itself is left out, for another payload may be of another group. */
export function likeOf(job, type = {}) {
  const usual = { ...Object.fromEntries(OF_TYPE.map((name) => [name, type[name]])), ...USUAL };
  const rows = [...OF_TYPE, "priority", "callback_url"].map((name) => [name, job[name]]);
  const kept = rows.filter(([name, value]) => value != null && JSON.stringify(value) !== JSON.stringify(usual[name]));
  const isNamed = type.group || type.group_by || job.type === "webhook";
  if (job.tags.length) kept.push(["tags", job.tags]);
  if (job.group && !isNamed) kept.push(["group", job.group]);
  return Object.fromEntries(kept);
}

/** What a job that waits has. The time of a ready one is past. */
export const changeOf = ({ priority, state, run_at, max_attempts, tags }) =>
  ({ priority, run_at: state === "ready" ? null : run_at, max_attempts, tags: tags.length ? tags : null });
