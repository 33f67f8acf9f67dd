-- Lines: a ready job of a group stands in a list of that group alone, `line:<priority>:<group>`, and not in ready:*.
-- A group with waiting jobs has a turn in `turns:<priority>` for each priority in which jobs wait. Claims serve the
-- turns in the order of their scores: jobs that run * 2^43 + the number of the claim that served the group last. So the
-- group that runs least is next, and among equals the one that has waited longest. Example: two jobs of tenant-42 run,
-- and claim 17 was the last to serve it: its score is 2 * 2^43 + 17. The member '' stands for ready:<priority>: the
-- jobs of no group are one line together. `running:<group>` holds the ids of the jobs that run.
-- A group that may not run has no turn, so that no claim looks at it: it is in `full` until a job of its own ends (or
-- for as long as it is paused), or in `resting` until its rate allows a start, or until the end of a hold.
-- `groups` is the index of all groups that have or lately had jobs. What somebody broke is put right by mend.lua.
-- lines() gives the functions that write these keys; turns.lua, mend.lua and mend_group.lua beside it do, and no other
-- file but remove.lua, when the queue goes.
-- WHY they are made when the first of them is needed: to make a function costs a call on one job 1 % of its time, and
-- most calls need none of these.
-- WHY pcall here: where somebody broke one of these keys, the jobs stand in their line all the same, and ends count.
-- @use bell clock quarantine queue_settings
local LOAD = 8796093022208  -- 2^43: so many claims take 28 years at 10,000 a second.
local lines_made  -- nil where this call has needed none of them.
local function lines()
  if lines_made then return lines_made end
  local PRIORITIES = {'high', 'normal', 'low'}
  local turn, are_stopped  -- The newest turn, and whether any group is stopped; nil before they were asked.
  local used_priorities  -- Those in which groups have turns, most often one; nil before that was asked.

  -- use_rations(): from now on runners call ration.lua for this queue. mend.lua takes that back.
  local function use_rations() redis.pcall('HSETNX', base .. 'meta', 'rationed', '1') end

  -- next_turn(): the number of the claim that asks.
  -- WHY not a claim that fails: somebody wrote words there.
  local function next_turn()
    local number = redis.pcall('HINCRBY', base .. 'meta', 'turn', 1)
    if type(number) == 'number' then return number end
    redis.call('HSET', base .. 'meta', 'turn', '1')
    return 1
  end

  -- How many jobs run of each of these groups: group -> number.
  local function running_of(groups)
    local keys, counts = {}, {}
    for i, group in ipairs(groups) do keys[i] = base .. 'running:' .. group end
    local any = redis.call('EXISTS', unpack(keys))
    for i, group in ipairs(groups) do
      counts[group] = any > 0 and tonumber(redis.pcall('SCARD', keys[i])) or 0
    end
    return counts
  end

  -- give_turns(waiting): a turn for groups that have none: {priority -> groups}. Returns whether any is new.
  local function give_turns(waiting)
    turn = turn or tonumber(queue_settings('turn') or 0) or 0
    local is_new = false
    for priority, groups in pairs(waiting) do
      groups[#groups + 1] = ''
      local running, entries = running_of(groups), {}
      for _, group in ipairs(groups) do
        entries[#entries + 1] = digits(running[group] * LOAD + turn)
        entries[#entries + 1] = group
      end
      local added = redis.pcall('ZADD', base .. 'turns:' .. priority, 'NX', unpack(entries))
      is_new = is_new or (type(added) == 'number' and added > 0)
    end
    return is_new
  end

  -- by_jobs(priority, groups): the groups that have a job in their line of this priority, and those that have none.
  -- WHY all lines at once first: most often each of them is there, or none is.
  local function by_jobs(priority, groups)
    local keys, waiting, others = {}, {}, {}
    for i, group in ipairs(groups) do keys[i] = base .. 'line:' .. priority .. ':' .. group end
    local count = #keys > 0 and redis.call('EXISTS', unpack(keys)) or 0
    for i, group in ipairs(groups) do
      local is_there = count == #keys or (count > 0 and redis.call('EXISTS', keys[i]) == 1)
      table.insert(is_there and waiting or others, group)
    end
    return waiting, others
  end

  -- resume(groups): groups that were stopped have their turns again wherever their jobs wait. Returns whether any is
  -- new. The caller has taken them out of `full` and `resting`, and rings.
  local function resume(groups)
    local waiting = {}
    for _, priority in ipairs(PRIORITIES) do
      local found = by_jobs(priority, groups)
      if #found > 0 then waiting[priority] = found end
    end
    return next(waiting) ~= nil and give_turns(waiting)
  end

  local function is_stopped(group)
    if are_stopped == nil then are_stopped = redis.call('EXISTS', base .. 'full', base .. 'resting') > 0 end
    if not are_stopped then return false end
    return redis.pcall('SISMEMBER', base .. 'full', group) == 1
      or type(redis.pcall('ZSCORE', base .. 'resting', group)) == 'string'
  end

  -- push(command, ids_of): LPUSH or RPUSH ids of ready jobs, list -> ids, to lines. Returns whether a group has a turn
  -- from now on that it had not.
  -- WHY a line that is no list is put aside: a group's broken key must not stop what the script does to other jobs.
  -- What somebody wrote there stays in `broken`, for a person to look at.
  local function push(command, ids_of)
    local names, waiting = {}, {}
    for list, ids in pairs(ids_of) do
      local length = redis.pcall(command, base .. list, unpack(ids))
      if type(length) ~= 'number' then
        redis.call('RENAME', base .. list, base .. 'broken')
        quarantine(list, 'this key was no list; what it held is in the key `broken`')
        length = redis.call(command, base .. list, unpack(ids))
      end
      local priority, group = string.match(list, '^line:(%a+):(.*)$')
      if length == #ids then
        names[#names + 1] = '0'
        names[#names + 1] = group
        if not is_stopped(group) then
          waiting[priority] = waiting[priority] or {}
          table.insert(waiting[priority], group)
        end
      end
    end
    if #names == 0 then return false end
    use_rations()
    redis.pcall('ZADD', base .. 'groups', 'NX', unpack(names))
    return give_turns(waiting)
  end

  -- WHY asked once: a call takes turns away from the groups that it found there.
  local function priorities_with_turns()
    if not used_priorities then
      local others = redis.call('EXISTS', base .. 'turns:high', base .. 'turns:low')
      used_priorities = others > 0 and PRIORITIES or {'normal'}
    end
    return used_priorities
  end

  -- stop_full(groups): these groups have no turn any more until a job of theirs ends.
  local function stop_full(groups)
    for _, priority in ipairs(priorities_with_turns()) do
      redis.pcall('ZREM', base .. 'turns:' .. priority, unpack(groups))
    end
    redis.pcall('SADD', base .. 'full', unpack(groups))
  end

  -- rest(group, until_ms): the group has no turn any more until then.
  local function rest(group, until_ms)
    for _, priority in ipairs(priorities_with_turns()) do redis.pcall('ZREM', base .. 'turns:' .. priority, group) end
    redis.pcall('SREM', base .. 'full', group)
    redis.pcall('ZADD', base .. 'resting', 'GT', digits(until_ms), group)
  end

  -- hold(group, until_ms, id): the group rests until then, for its job `id` has said so; where it is held for longer
  -- already, nothing changes. A job of no group holds nobody.
  local function hold(group, until_ms, id)
    if not group or group == '' then return end
    local held_until = string.match(tostring(redis.pcall('HGET', base .. 'held', group)), '^%d+')
    if held_until and tonumber(held_until) >= until_ms then return end
    redis.pcall('HSET', base .. 'held', group, digits(until_ms) .. ' ' .. id)
    rest(group, until_ms)
  end

  -- resume_full(groups): those of the groups that were full have their turns again. Returns whether any is new.
  local function resume_full(groups)
    local are_full, to_resume = redis.pcall('SMISMEMBER', base .. 'full', unpack(groups)), {}
    for i, group in ipairs(groups) do
      if are_full[i] == 1 then to_resume[#to_resume + 1] = group end
    end
    if #to_resume == 0 then return false end
    redis.call('SREM', base .. 'full', unpack(to_resume))
    return resume(to_resume)
  end

  -- start(group): a group that was stopped may perhaps run again: it has its turns, and a runner is woken. A claim that
  -- looks at it stops it again where it may not.
  local function start(group)
    redis.pcall('SREM', base .. 'full', group)
    redis.pcall('ZREM', base .. 'resting', group)
    if resume({group}) then ring() end
  end

  -- wake_rested(most): up to `most` groups whose rest is over have their turns again.
  local function wake_rested(most)
    local groups = redis.call('ZRANGEBYSCORE', base .. 'resting', '-inf', now, 'LIMIT', 0, most)
    if #groups == 0 then return end
    redis.call('ZREM', base .. 'resting', unpack(groups))
    redis.call('HDEL', base .. 'held', unpack(groups))
    if resume(groups) then ring() end
  end

  -- wake(most): a limit is another one. Up to `most` groups that are full, and as many that rest for their rate, have
  -- their turns again; a group that its job holds rests on. mend.lua wakes those beyond them.
  local function wake(most)
    local groups = redis.call('SPOP', base .. 'full', most)
    for _, group in ipairs(redis.call('ZRANGE', base .. 'resting', '0', most - 1)) do
      if redis.call('HEXISTS', base .. 'held', group) == 0 then
        redis.call('ZREM', base .. 'resting', group)
        groups[#groups + 1] = group
      end
    end
    resume(groups)
  end

  -- add_load(loads, but): in their turns, these groups run so many jobs more, or less: group -> number. but: nil, or
  -- priority -> a table of the groups whose turns the caller writes.
  local function add_load(loads, but)
    for _, priority in ipairs(priorities_with_turns()) do
      local groups, entries, apart = {}, {}, but and but[priority]
      for group, load in pairs(loads) do
        if load ~= 0 and not (apart and apart[group]) then groups[#groups + 1] = group end
      end
      local scores = #groups > 0 and redis.pcall('ZMSCORE', base .. 'turns:' .. priority, unpack(groups)) or {}
      for i, group in ipairs(groups) do
        if scores[i] then
          entries[#entries + 1] = digits(tonumber(scores[i]) + loads[group] * LOAD)
          entries[#entries + 1] = group
        end
      end
      if #entries > 0 then redis.call('ZADD', base .. 'turns:' .. priority, 'XX', unpack(entries)) end
    end
  end

  -- free(left): jobs run no more, group -> ids. A group that was full has its turns, and a runner is woken for it, or
  -- for the slot of a queue that has a concurrency of its own.
  -- WHY a set of ids and no counter: a job that leaves twice is counted once.
  local function free(left)
    local concurrency, rate = queue_settings('concurrency', 'rate')
    note_limits(concurrency, rate)
    local has_full, loads, groups = redis.call('EXISTS', base .. 'full') == 1, {}, {}
    for group, ids in pairs(left) do
      local gone = redis.pcall('SREM', base .. 'running:' .. group, unpack(ids))
      loads[group] = type(gone) == 'number' and -gone or 0
      groups[#groups + 1] = group
    end
    add_load(loads)
    local is_new = has_full and resume_full(groups)
    if is_new or concurrency then ring() end
  end

  -- depth(group): how many jobs of the group are ready: the ids in its lines, less the stale ones.
  local function depth(group)
    local count = 0
    for _, priority in ipairs(PRIORITIES) do
      local line = 'line:' .. priority .. ':' .. group
      local length = redis.pcall('LLEN', base .. line)
      if type(length) == 'number' and length > 0 then
        local stale = tonumber(redis.pcall('HGET', base .. 'stale', line) or nil)
        count = count + math.max(0, length - (stale or 0))
      end
    end
    return count
  end

  lines_made = {
    PRIORITIES = PRIORITIES, use_rations = use_rations, next_turn = next_turn, by_jobs = by_jobs, resume = resume,
    push = push, stop_full = stop_full, rest = rest, hold = hold, start = start, wake_rested = wake_rested, wake = wake,
    add_load = add_load, free = free, depth = depth,
  }
  return lines_made
end

-- push(command, list, id …): LPUSH or RPUSH ids of ready jobs. Returns whether a runner is to be woken for them: one
-- that is idle blocks on ready:normal, and sees what comes there by itself.
local function push(command, list, ...)
  if string.sub(list, 1, 5) == 'line:' then return lines().push(command, {[list] = {...}}) end
  redis.call(command, base .. list, ...)
  return list ~= 'ready:normal'
end
