// node streams.mjs CLIENT URL: follows a stream and prints {"event", "data", "lastId"}, a line each, for what it is handed.
import { fetchEventSource } from "@microsoft/fetch-event-source";
import { EventSource } from "eventsource";
import launchdarkly from "launchdarkly-eventsource";

const [client, url] = process.argv.slice(2);
const tell = (event, data, lastId) => console.log(JSON.stringify({ event, data, lastId }));

if (client === "@microsoft/fetch-event-source") {
  // Made for browsers; Node lacks these two.
  globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
  globalThis.window = globalThis;
  await fetchEventSource(url, {
    fetch,
    openWhenHidden: true,
    onmessage: (message) => tell(message.event || "message", message.data, message.id),
    onclose: () => { throw new Error("closed: come back"); },
    onerror: () => 100,
  });
} else {
  const Source = client === "eventsource" ? EventSource : (launchdarkly.EventSource ?? launchdarkly);
  const source = new Source(url);
  for (const event of ["message", "reset", "bookmark"]) {
    source.addEventListener(event, (message) => tell(event, message.data, message.lastEventId));
  }
  source.onerror = () => {};
}
