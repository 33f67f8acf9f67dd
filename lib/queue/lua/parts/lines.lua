-- Lines: a ready job of a group stands in a list of that group alone, `line:<priority>:<group>`, and not in ready:*.
-- A group with waiting jobs has a turn in `turns:<priority>` for each priority in which jobs wait. Claims serve the
-- turns in the order of their scores: jobs that run * 2^36 + the number of the claim that served the group last. So the
-- group that runs least is next, and among equals the one that has waited longest. The member '' stands for
-- ready:<priority>: the jobs of no group are one line together.
-- A group that may not run has no turn, so that no claim looks at it: it is in `full` until a job of its own ends (or
-- for as long as it is paused), or in `resting` until a time.
-- `groups` is the index of all groups that have or lately had jobs: mend.lua goes through it, and puts right what
-- somebody broke. Only lines.lua, turns.lua (claims), slots.lua (ends) and the few files that stop and wake groups
-- write these keys: tests/unit/queue/test_owners.py names them.
-- @use clock quarantine queue_settings
local LOAD = 68719476736  -- 2^36
local lined_up  -- What line_up has read in this call: {turn = the newest turn, has_stopped = some group has no turn}.

-- group_in(list): the group whose line the list is; nil for every other list.
local function group_in(list) return string.match(list, '^line:%a+:(.*)$') end

-- use_rations(): from now on runners call ration.lua for this queue. mend.lua takes that back.
local function use_rations() redis.pcall('HSETNX', base .. 'meta', 'rationed', '1') end

-- A group's score: its jobs that run, and the turn. The jobs of no group have one in each priority where a group has.
local plain_score  -- That of ''; nil before this call has needed it.
local function score_of(group, turn)
  return digits((tonumber(redis.pcall('SCARD', base .. 'running:' .. group)) or 0) * LOAD + turn)
end

-- give_turn(priority, group, turn): the group has a turn in this priority. Returns whether it had none.
local function give_turn(priority, group, turn)
  plain_score = plain_score or score_of('', turn)
  local added = redis.pcall('ZADD', base .. 'turns:' .. priority, 'NX', score_of(group, turn), group, plain_score, '')
  return type(added) == 'number' and added > 0
end

-- newest_turn(): the number of the newest claim that served groups. next_turn(): that of the claim that asks.
local function newest_turn() return tonumber(queue_settings('turn') or 0) or 0 end
local function next_turn() return redis.call('HINCRBY', base .. 'meta', 'turn', 1) end

-- has_stopped_groups(): is any group full, or does any rest?
local function has_stopped_groups() return redis.call('EXISTS', base .. 'full', base .. 'resting') > 0 end

-- line_up(list, group): jobs have come to a line that was empty. Returns whether the group has its turn from now on.
-- WHY pcall here and above: where somebody broke one of these keys, the jobs stand in their line all the same, and
-- mend.lua gives the line its turn.
local function line_up(list, group)
  if not lined_up then
    use_rations()
    lined_up = {turn = newest_turn(), has_stopped = has_stopped_groups()}
  end
  redis.pcall('ZADD', base .. 'groups', 'NX', '0', group)
  if lined_up.has_stopped then
    if redis.pcall('SISMEMBER', base .. 'full', group) == 1 then return false end
    if type(redis.pcall('ZSCORE', base .. 'resting', group)) == 'string' then return false end
  end
  return give_turn(string.match(list, '^line:(%a+)'), group, lined_up.turn)
end

-- push(command, list, id …): LPUSH or RPUSH ids of ready jobs. Returns whether a runner is to be woken for them: one
-- that is idle blocks on ready:normal, and sees what comes there by itself.
-- WHY a line that is no list is put aside: a group's broken key must not stop what the script does to other jobs. What
-- somebody wrote there stays in `broken`, for a person to look at.
local function push(command, list, ...)
  local group = string.sub(list, 1, 5) == 'line:' and group_in(list)
  if not group then
    redis.call(command, base .. list, ...)
    return list ~= 'ready:normal'
  end
  local length = redis.pcall(command, base .. list, ...)
  if type(length) ~= 'number' then
    redis.call('RENAME', base .. list, base .. 'broken')
    quarantine(list, 'this key was no list; what it held is in the key `broken`')
    length = redis.call(command, base .. list, ...)
  end
  return length == select('#', ...) and line_up(list, group)
end
