// Whose key it is, and the key's way from tab to tab. The key lies in sessionStorage: each tab forgets it when it
// closes. A new tab asks the others of this origin for it over a BroadcastChannel. It is never in an address, a cookie
// or a log.

import { get, hasKey, news, setKey } from "./api.js";
import { button, h, now_ms, setText, showDialog } from "./kit.js";

const PATH = new URL(".", document.baseURI).pathname;
const NAME = PATH === "/" ? "waybill-key" : `waybill-key ${PATH}`; // Below a prefix there may be another Waybill.
const SINCE = `${NAME} since`; // When this tab has signed in; and when a tab has signed out, for all to see:
const OUT = `${NAME} out`; // 1796021593412 here
const ANSWER_MS = 500; // A tab that is hidden, on a busy machine, takes some tenths of a second.
const ASKS = "This Waybill asks for a key.";
const channel = new BroadcastChannel(NAME);

let isAsking = false; // GET /api/caller is under way: its 401 is no news.
let isOpen = false; // The dialog.
let onSignOut = null;

/** The caller that GET /api/caller names, {name, scope, expires_at, asks_for_key}: at once, with the key of another
 * tab, or when somebody has signed in. signedOut(by) is called when the key is gone. by: "here" or "elsewhere", the tab
 * where somebody has signed out; "" where the key was refused. */
export async function signIn(signedOut) {
  onSignOut = signedOut;
  if (isOut()) forget();
  setKey(sessionStorage.getItem(NAME));
  return (await caller()) ?? (await fromOtherTab()) ?? ask(ASKS);
}

/** Forget the key, here and in all other tabs. */
export const signOut = () => out("here");

/** Ask for a key again, after a sign-out, or for the first time, where none was asked for until now. */
export function signInAgain({ asks_for_key, expires_at: expires }, by) {
  if (!asks_for_key) return ask(ASKS);
  if (by) return ask("You are signed out, in all tabs.", by);
  const isOver = expires && Date.parse(expires) < now_ms() + 30_000; // So far apart may the clocks be.
  return ask(`Your key ${isOver ? "has expired" : "is not good any more"}. Sign in with another one.`);
}

channel.addEventListener("message", ({ data }) => {
  const key = sessionStorage.getItem(NAME);
  if (data.kind === "ask" && key) channel.postMessage({ kind: "key", key });
  if (data.kind === "out") hearOut(data.by);
});

function hearOut(by) {
  if (!hasKey() || isOpen) return; // Who is signing in has a key that nobody has signed out.
  forget();
  if (!isAsking) onSignOut(by && "elsewhere");
}

news.addEventListener("signed-out", () => {
  if (!isAsking && !isOpen && onSignOut) out("");
});

/** WHY the time too: a page that was left for another one, and that the browser keeps for whoever goes back, hears of
 * nothing meanwhile. */
function out(by) {
  if (hasKey()) {
    localStorage.setItem(OUT, `${Date.now()} ${by}`);
    channel.postMessage({ kind: "out", by });
  }
  forget();
  onSignOut(by);
}
const isOut = () => parseInt(localStorage.getItem(OUT)) > Number(sessionStorage.getItem(SINCE));

// The time may reach a page that comes back later than the page itself.
for (const event of ["pageshow", "storage"]) {
  addEventListener(event, () => isOut() && hearOut(localStorage.getItem(OUT).split(" ")[1]));
}

function forget() {
  sessionStorage.removeItem(NAME);
  setKey(null);
}

/** Who the key is; null where it is not good, or there is none and one is needed. */
async function caller() {
  isAsking = true;
  try {
    const found = await get("api/caller");
    // Another tab may have signed out meanwhile.
    return found.asks_for_key && !hasKey() ? null : found;
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    return null;
  } finally {
    isAsking = false;
  }
}

async function fromOtherTab() {
  const key = await new Promise((resolve) => {
    const heard = ({ data }) => data.kind === "key" && resolve(data.key);
    channel.addEventListener("message", heard);
    channel.postMessage({ kind: "ask" });
    setTimeout(() => {
      channel.removeEventListener("message", heard);
      resolve(null);
    }, ANSWER_MS);
  });
  return key ? use(key) : null;
}

async function use(key) {
  setKey(key);
  const found = await caller();
  if (!found) setKey(null);
  else for (const [name, value] of [[NAME, key], [SINCE, Date.now()]]) sessionStorage.setItem(name, value);
  return found;
}

/** The dialog. It stays until a key is good: one that is typed here; or, unless somebody has signed out here, the key
 * of another tab where somebody signs in. */
function ask(why, by) {
  const told = h("p", { class: "dead small", role: "alert" });
  const props = { type: "password", class: "mono", placeholder: "wb_…", autocomplete: "off", spellcheck: "false" };
  const input = h("input", { id: "key", ...props, required: true, "aria-describedby": "key-hint" });
  const enter = button("Sign in", { kind: "main", type: "submit" });
  const hint = "python server.py --new-key dash --scope read makes one; a key of scope read is enough to look.";
  const field = h("div", { class: "field" },
    h("label", { for: "key" }, "Key"), input, h("p", { class: "hint", id: "key-hint" }, hint));
  const form = h("form", { class: "form" }, field, told, h("div", { class: "acts" }, enter));
  const about = `${why} The key stays in this browser's open tabs, and is forgotten when the last one closes.`;
  isOpen = true;
  const dialog = showDialog("Sign in", h("h2", {}, "Sign in with a key"), h("p", { class: "soft" }, about), form);
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.addEventListener("close", () => {
    if (!isOpen) return;
    document.body.append(dialog); // Escape, where nobody has touched the page before, is not to be prevented.
    dialog.showModal();
  });
  return new Promise((resolve) => {
    const attempt = async (key, refused) => {
      if (enter.disabled) return;
      enter.disabled = true; // One key at a time is tried.
      const found = await use(key).catch((problem) => problem);
      enter.disabled = false;
      if (!found || found instanceof Error) return refused(found);
      isOpen = false;
      channel.removeEventListener("message", heard);
      channel.postMessage({ kind: "key", key });
      resolve(found);
      dialog.close();
    };
    const heard = ({ data }) => data.kind === "key" && by !== "here" && attempt(data.key, () => {});
    channel.addEventListener("message", heard);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      attempt(input.value.trim(), (problem) => {
        setText(told, problem ? problem.sentence : "This key is not known here, or it has expired.");
        input.select();
      });
    });
  });
}
