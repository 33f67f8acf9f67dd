-- An edge says that a job, the follower, waits for what becomes of another one, its parent. parents:<follower> holds
-- the edges of a job: the parent's id -> '<rule><mark><name>', as in 'ccfetch'.
-- rule: what the follower waits for. c: the parent has completed | e: it has ended | f: it has failed
--   | o: the parent is its workflow, and is open | a: the parent is the anchor of its graph, and is there
--   | and what a workflow asks of its own jobs: m: the job must complete | n: it need not
-- mark: what the follower was told. . nothing | c completed | d dead | x cancelled, for a parent of its own failed
--   | k cancelled by a person | s skipped | g gone: nobody knows the parent | o open
-- What the parent said, its result or its error, stands in said:<follower>: the parent's id -> JSON, or '!' where it
-- was too much to keep. Of its own jobs a workflow keeps nothing: no handler reads it.
-- WHY two hashes: a thousand parents may say 64 KiB each, and a script that looks at all edges would read it all.
-- Beside the edges stand counts of them by class: '#open' '#lost' '#cut' '#bad' '#off' of the rules c e f o a,
-- '@open' … of m and n. Edges of the class ok are not counted.
local CLASSES = {
  c = {c = 'ok', d = 'bad', x = 'bad', k = 'cut', s = 'off'},
  e = {c = 'ok', d = 'ok', x = 'ok', k = 'ok', s = 'ok'},
  f = {c = 'off', d = 'ok', x = 'ok', k = 'off', s = 'off'},
  o = {o = 'ok', k = 'cut', s = 'off'},
}
CLASSES.a, CLASSES.m, CLASSES.n = CLASSES.o, CLASSES.c, CLASSES.e
-- A word counts where its class has a higher rank than that of the mark which stands.
local RANKS = {open = 0, lost = 1, cut = 2, bad = 3, off = 4, ok = 5}

local function class_of(rule, mark)
  if mark == '.' then return 'open' end
  if mark == 'g' then return 'lost' end
  return CLASSES[rule] and CLASSES[rule][mark] or 'bad'
end

local function parents_of(id) return base .. 'parents:' .. id end
local function said_to(id) return base .. 'said:' .. id end

-- is_for_open(rule): is this the wait for the word that a workflow is open, or that an anchor is there?
local function is_for_open(rule) return rule == 'o' or rule == 'a' end

-- is_of_own_job(rule): does a workflow ask this of one of its own jobs?
local function is_of_own_job(rule) return rule == 'm' or rule == 'n' end

-- count_name(rule, class): the field that counts such edges, as '#open'.
local function count_name(rule, class) return (is_of_own_job(rule) and '@' or '#') .. class end

-- split_edge(edge): rule, mark, name.
local function split_edge(edge) return string.match(edge, '^(.)(.)(.*)$') end

-- each_edge(id): an iterator over the job's edges: parent, rule, mark, name.
local function each_edge(id)
  local edges, at = redis.call('HGETALL', parents_of(id)), -1
  return function()
    repeat at = at + 2 until not edges[at] or not string.find(edges[at], '^[#@]')
    if not edges[at] then return nil end
    return edges[at], split_edge(edges[at + 1])
  end
end
