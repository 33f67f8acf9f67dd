// With the client of openapi-generator's `typescript-fetch`: node typescript_fetch.js WAYBILL STRANGER.
import { Configuration, JobsApi, ProblemFromJSON, ResponseError } from "./client";
import * as story from "./story";

const jobs = new JobsApi(new Configuration({ basePath: story.waybill }));
const other = new JobsApi(new Configuration({ basePath: story.stranger }));

async function refused(call: Promise<unknown>) {
  try {
    await call;
  } catch (fault) {
    if (fault instanceof ResponseError) return ProblemFromJSON(await fault.response.json());
    throw fault;
  }
  throw new Error("it was not refused");
}

story.told({
  mail: () => jobs.createJob({ newJob: { type: "email", payload: story.texts }, idempotencyKey: "m-1" }),
  order: () =>
    jobs.createJob({
      newJob: { type: "ship", payload: story.order, delayS: 1.5, unique: { key: "order-4711" } },
    }),
  mailWithoutSubject: () => refused(jobs.createJob({ newJob: { type: "email", payload: story.subjectless } })),
  async batch() {
    const batchJob = [
      { type: "email", payload: story.texts, idempotencyKey: "b-1" },
      { type: "ship", payload: story.noOrder, idempotencyKey: "b-2" },
      { type: "ship", payload: story.numberless, idempotencyKey: "b-3" },
    ];
    return (await jobs.createJobs({ batchJob })).items;
  },
  waited: (jobId) => jobs.readJob({ jobId, wait: 30 }),
  async page(cursor) {
    const page = await jobs.listJobs({ queue: "orders", limit: 1, cursor });
    return { jobs: page.items.length, next: page.nextCursor };
  },
  unknown: (jobId) => refused(other.readJob({ jobId })),
});
