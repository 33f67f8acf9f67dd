// The graph of a workflow: which jobs are drawn as one node, and where each node and edge lies. Pure; draws nothing.
//
//   nodesOf([{id: "q-1", name: "fetch", type: "fetch", after: [], …}, …])
//     -> {nodes: [{key: "q-1", ids: ["q-1"], layer: 0}, …], edges: [{from: "q-1", to: "q-2", pairs: [["q-2", 0]]}, …]}
//   placed(nodes, edges, SIZE)
//     -> {width: 428, height: 44, at: Map {"q-1" -> {x: 0, y: 0}, …}, ways: [[[184, 22], [244, 22]], …]}, a way an edge

/** More jobs than these are drawn in groups. */
export const MOST_NODES = 60;
/** So many columns has a graph that no likeness of its jobs makes small. */
const BANDS = 12;
/** Every step makes groups smaller, and all groups are soon found. */
const MOST_ROUNDS = 8;
/** px: of a node, between two columns, between two rows, and of the gap by which an edge passes a column. */
export const SIZE = { width: 172, height: 46, apart: 60, gap: 14, slim: 4 };

/** Each sweep goes by the places of those before a node, or behind it. */
const SWEEPS = ["before", "behind", "before", "behind", "before"];

const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
const into = (map, key, make) => {
  if (!map.has(key)) map.set(key, make());
  return map.get(key);
};

/** Nodes in the order of the jobs, and an edge between two of them for all pairs of their jobs, each as the waiting
 * job's id and the number of the entry in its `after`. A node has one job, or those that are alike: of one type, behind
 * and before the same groups; or, where that is not enough, of one type and about as deep. Where a job stands does not
 * depend on its state, so that nothing moves while jobs end. */
export function nodesOf(jobs, most = MOST_NODES) {
  const depths = depthsOf(jobs, edgesUp(jobs));
  let [keys, layers] = [new Map(jobs.map(({ id }) => [id, id])), depths];
  if (jobs.length > most) keys = alike(jobs, depths, most);
  if (new Set(keys.values()).size > most) {
    const band = Math.ceil((Math.max(...depths.values()) + 1) / BANDS);
    layers = new Map([...depths].map(([id, depth]) => [id, Math.floor(depth / band)]));
    keys = new Map(jobs.map(({ id, type }) => [id, `${layers.get(id)} ${type}`]));
    if (new Set(keys.values()).size > most) keys = layers;
  }
  return joined(jobs, keys, layers);
}

/** Job -> ids of the jobs of this workflow that it waits for. */
function edgesUp(jobs) {
  const known = new Set(jobs.map(({ id }) => id));
  return new Map(jobs.map(({ id, after }) => [id, after.map(({ job }) => job).filter((one) => known.has(one))]));
}

/** Job -> the most steps that lead to it. */
function depthsOf(jobs, up) {
  const depths = new Map();
  const depthOf = (id) => {
    if (!depths.has(id)) {
      depths.set(id, 0); // Only what somebody wrote by hand into Redis waits for itself.
      for (const parent of up.get(id)) depths.set(id, Math.max(depths.get(id), depthOf(parent) + 1));
    }
    return depths.get(id);
  };
  for (const { id } of jobs) depthOf(id);
  return depths;
}

/** Job -> the name of its group. Groups are parted until all jobs of one have parents and children in the same ones. */
function alike(jobs, depths, most) {
  const up = edgesUp(jobs);
  const down = new Map(jobs.map(({ id }) => [id, []]));
  for (const [id, parents] of up) for (const parent of parents) down.get(parent).push(id);
  const heights = depthsOf([...jobs].reverse(), down);
  let names = new Map(
    jobs.map(({ id, type, optional }) => [id, [type, optional, depths.get(id), heights.get(id)].join(" ")]),
  );
  for (let round = 0, count = 0; round < MOST_ROUNDS; round += 1) {
    const groups = new Map();
    const groupsOf = (ids) => [...new Set(ids.map((one) => names.get(one)))].sort();
    const next = new Map();
    for (const { id, after } of jobs) {
      const rules = [...new Set(after.map((one) => `${one.on} ${names.get(one.job)}`))].sort();
      const text = JSON.stringify([names.get(id), rules, groupsOf(down.get(id))]);
      next.set(id, into(groups, text, () => groups.size));
    }
    names = next;
    if (groups.size === count || groups.size > most) break;
    count = groups.size;
  }
  return names;
}

function joined(jobs, keys, layers) {
  const nodes = new Map();
  const keyOf = (id) => String(keys.get(id));
  for (const { id } of jobs) {
    into(nodes, keyOf(id), () => ({ key: keyOf(id), ids: [], layer: layers.get(id) })).ids.push(id);
  }
  const edges = new Map();
  for (const { id, after } of jobs) {
    after.forEach(({ job }, number) => {
      if (!keys.has(job) || layers.get(job) >= layers.get(id)) return;
      const [from, to] = [keyOf(job), keyOf(id)];
      into(edges, `${from}\n${to}`, () => ({ from, to, pairs: [] })).pairs.push([id, number]);
    });
  }
  return { nodes: [...nodes.values()], edges: [...edges.values()] };
}

/** Where each node lies, from left to right by layers: near the mean of those before it and behind it. An edge that
 * passes a layer has a place of its own there, so that it runs beside the nodes and not below them. */
export function placed(nodes, edges, size) {
  const columns = [];
  const add = (key, layer, height) => {
    const one = { key, layer, height, before: [], behind: [], y: 0 };
    (columns[layer] ??= []).push(one);
    return one;
  };
  const spots = new Map(nodes.map(({ key, layer }) => [key, add(key, layer, size.height)]));
  const stops = edges.map(({ from, to }) => stopsOf(spots.get(from), spots.get(to), spots, add, size));
  for (const way of stops) for (let at = 1; at < way.length; at += 1) link(way[at - 1], way[at]);
  for (const column of columns) settle(column, () => 0, size.gap);
  for (const side of SWEEPS) {
    const wanted = (one) => (one[side].length ? mean(one[side].map(({ y }) => y)) : one.y);
    for (const column of side === "before" ? columns : columns.toReversed()) settle(column, wanted, size.gap);
  }
  return drawn(nodes, stops, spots, columns, size);
}

/** The places through which an edge goes. Edges of one node share those that pass a layer. */
function stopsOf(from, to, spots, add, size) {
  const stops = [from];
  for (let layer = from.layer + 1; layer < to.layer; layer += 1) {
    stops.push(into(spots, `${from.key}\n${layer}`, () => add("", layer, size.slim)));
  }
  return [...stops, to];
}

function link(one, next) {
  if (one.behind.includes(next)) return;
  one.behind.push(next);
  next.before.push(one);
}

/** Put the middles of a column where they are wanted, as near as their heights let them: in the order of what they
 * want, those that would touch as one block around the mean of it. */
function settle(column, wantedOf, gap) {
  const wanted = new Map(column.map((one) => [one, wantedOf(one)]));
  column.sort((a, b) => wanted.get(a) - wanted.get(b));
  const blocks = [];
  let offset = 0;
  column.forEach((one, at) => {
    if (at) offset += (column[at - 1].height + one.height) / 2 + gap;
    one.offset = offset;
    let block = { sum: wanted.get(one) - offset, count: 1, of: [one] };
    while (blocks.length && blocks.at(-1).sum / blocks.at(-1).count >= block.sum / block.count) {
      const above = blocks.pop();
      block = { sum: above.sum + block.sum, count: above.count + block.count, of: [...above.of, ...block.of] };
    }
    blocks.push(block);
  });
  for (const { sum, count, of } of blocks) for (const one of of) one.y = sum / count + one.offset;
}

function drawn(nodes, stops, spots, columns, { width, height, apart }) {
  const all = columns.flat();
  const top = Math.min(...all.map((one) => one.y - one.height / 2), 0);
  const bottom = Math.max(...all.map((one) => one.y + one.height / 2), 0);
  const xOf = ({ layer }) => layer * (width + apart);
  const yOf = ({ y }) => Math.round(y - top);
  const at = new Map(nodes.map(({ key }) => [key, { x: xOf(spots.get(key)), y: yOf(spots.get(key)) - height / 2 }]));
  const ways = stops.map((way) => way.flatMap((one, index) => {
    const [left, right] = [[xOf(one), yOf(one)], [xOf(one) + width, yOf(one)]];
    return index === 0 ? [right] : index === way.length - 1 ? [left] : [left, right];
  }));
  return { width: Math.max(0, columns.length * (width + apart) - apart), height: Math.round(bottom - top), at, ways };
}

/** The nodes with jobs that are next (their ids), and how many jobs wait behind these; the most first. */
export function heldUpBy(nodes, jobs, isNext, isWaiting) {
  const behind = new Map(jobs.map(({ id }) => [id, []]));
  for (const { id, after } of jobs) for (const { job } of after) behind.get(job)?.push(id);
  const waitingBehind = (ids) => {
    const seen = new Set(ids);
    for (const one of seen) for (const next of behind.get(one)) seen.add(next);
    return [...seen].filter((one) => !ids.includes(one) && isWaiting(one)).length;
  };
  const held = nodes.map(({ ids }) => ids.filter(isNext)).filter((ids) => ids.length);
  return held.map((ids) => ({ ids, waiting: waitingBehind(ids) })).sort((a, b) => b.waiting - a.waiting);
}
