// Adds so many jobs with that payload to a BullMQ queue, a thousand at a time: node bull_add.js JOBS PAYLOAD
const { Queue } = require("bullmq");
const [jobs, payload] = [Number(process.argv[2]), JSON.parse(process.argv[3])];

(async () => {
  const queue = new Queue("bench", { connection: { host: "127.0.0.1", port: Number(process.env.RPORT) } });
  for (let left = jobs; left > 0; left -= 1000)
    await queue.addBulk(Array.from({ length: Math.min(1000, left) }, () => ({ name: "email", data: payload })));
  await queue.close();
})();
