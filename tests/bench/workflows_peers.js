// BullMQ's flows for flow_contenders.py: node workflows_peers.js work SLOTS | node workflows_peers.js add
// `add` takes commands from its input, `fan 1000 PATH` or `chain 1000 PATH`, and answers each with `done`.
// A part returns its number. The last job appends the time and the sum of what its children returned to the file PATH.
const fs = require("fs");
const readline = require("readline");
const { FlowProducer, Worker } = require("bullmq");
const [what, slots] = process.argv.slice(2);
const connection = { path: process.env.REDIS_SOCKET, maxRetriesPerRequest: null };
const queueName = "bench";

async function run(job) {
  if (job.name === "part") {
    if (job.data.number < 0) throw new Error("this part fails");
    return job.data.number;
  }
  const sum = Object.values(await job.getChildrenValues()).reduce((a, b) => a + b, 0);
  fs.appendFileSync(job.data.path, `${(performance.timeOrigin + performance.now()) / 1000} ${sum}\n`);
}

const part = (number, children) => ({ name: "part", queueName, data: { number }, children });
const total = (path, children) => ({ name: "total", queueName, data: { path }, children });

const FLOWS = {
  fan: (jobs, path) => total(path, Array.from({ length: jobs - 1 }, (_, number) => part(number))),
  chain: (jobs, path) => {
    let children;
    for (let number = 0; number < jobs - 1; number++) children = [part(number, children)];
    return total(path, children);
  },
};

async function obey() {
  const flows = new FlowProducer({ connection });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [name, jobs, path] = line.split(" ");
    await flows.add(FLOWS[name](Number(jobs), path));
    console.log("done");
  }
  process.exit(0);
}

if (what === "add") obey();
else {
  const worker = new Worker(queueName, run, { connection, concurrency: Number(slots) });
  worker.waitUntilReady().then(() => console.log("started"));
}
