// BullMQ and groupmq, for contenders.py: node limits_peers.js PEER work STAMPS SLOTS | node limits_peers.js PEER add
// `work` runs jobs, so many at a time. A job has the data {name, lasts_ms, sent_s}; where lasts_ms is not 0 it takes that
// long, and then appends a line to the file STAMPS: "sent_s begun_s ended_s name".
// `add` takes commands from its input, a JSON array a line, and answers each with a line when it is done.
const fs = require("fs");
const Redis = require("ioredis");
const readline = require("readline");
const [peer, what, stamps, slots] = process.argv.slice(2);
const path = process.env.REDIS_SOCKET;
const BITE = 500;

const now_s = () => (performance.timeOrigin + performance.now()) / 1000;

async function run(job) {
  const { name, lasts_ms, sent_s } = job.data;
  if (!lasts_ms) return;
  const begun_s = now_s();
  await new Promise((resolve) => setTimeout(resolve, lasts_ms));
  fs.appendFileSync(stamps, `${sent_s} ${begun_s} ${now_s()} ${name}\n`);
}

const PEERS = {
  bullmq: () => {
    const { Queue, Worker } = require("bullmq");
    const connection = { path, maxRetriesPerRequest: null };
    if (what === "work") return new Worker("bench", run, { connection, concurrency: Number(slots) });
    const queue = new Queue("bench", { connection });
    return {
      add: (jobs) => queue.addBulk(jobs.map((data) => ({ name: "bench", data }))),
      concurrency: (most) => queue.setGlobalConcurrency(most),
      rate: (limit, per_ms) => queue.setGlobalRateLimit(limit, per_ms),
      pause: () => queue.pause(),
      resume: () => queue.resume(),
    };
  },
  groupmq: () => {
    const { Queue, Worker } = require("groupmq");
    const redis = new Redis({ path, maxRetriesPerRequest: null });
    const queue = new Queue({ redis, namespace: "bench", keepCompleted: 100000 });
    if (what === "work") return new Worker({ queue, handler: run, concurrency: Number(slots) }).run();
    return {
      add: (jobs) => Promise.all(jobs.map((data) => queue.add({ groupId: data.name, data }))),
      pause: () => queue.pause(),
      resume: () => queue.resume(),
    };
  },
};

async function obey(commands) {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [name, ...values] = JSON.parse(line);
    if (name === "add") {
      const jobs = values[0].map((job) => ({ ...job, sent_s: now_s() }));
      for (let first = 0; first < jobs.length; first += BITE) await commands.add(jobs.slice(first, first + BITE));
    } else await commands[name](...values);
    console.log("done");
  }
  process.exit(0);
}

const made = PEERS[peer]();
if (what === "add") obey(made);
else console.log("started");
