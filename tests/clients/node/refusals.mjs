// node refusals.mjs URL CONTENT_TYPE BYTES TIMES: what each client makes of a refusal while it sends so many bytes.
// Prints {client: [status or error, ...]}.
import http from "node:http";
import { Readable } from "node:stream";
import axios from "axios";
import got from "got";
import { request } from "undici";

const [url, type, bytes, times] = process.argv.slice(2);
const body = "x".repeat(Number(bytes));
const headers = { "content-type": type };

function* pieces() {
  for (let at = 0; at < body.length; at += 65536) yield Buffer.from(body.slice(at, at + 65536));
}

function plainHttp() {
  return new Promise((resolve, reject) => {
    const sent = http.request(url, { method: "POST", headers }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer.statusCode));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const streamed = () => fetch(url, { method: "POST", headers, body: Readable.toWeb(Readable.from(pieces())), duplex: "half" });
const clients = {
  "node fetch, string": async () => (await fetch(url, { method: "POST", headers, body })).status,
  "node fetch, stream": async () => (await streamed()).status,
  "node http": plainHttp,
  axios: async () => (await axios.post(url, body, { headers, validateStatus: () => true, maxBodyLength: Infinity })).status,
  got: async () => (await got.post(url, { body, headers, throwHttpErrors: false, retry: { limit: 0 } })).statusCode,
  undici: async () => {
    const answer = await request(url, { method: "POST", headers, body });
    await answer.body.dump();
    return answer.statusCode;
  },
};

const found = {};
for (const [name, call] of Object.entries(clients)) {
  found[name] = [];
  for (let n = 0; n < Number(times); n++) {
    try {
      found[name].push(await call());
    } catch (fault) {
      found[name].push(String(fault.cause?.code ?? fault.code ?? fault));
    }
  }
}
console.log(JSON.stringify(found));
process.exit(0);
