-- Turns: which group's line is served next, and how many of its jobs may start (lines.lua says what a line is).
-- @use claiming clock hand_out lines rate stop_group claim_fields quarantine
local group_concurrency, group_rate  -- The limits of each group of the queue; set by ration.lua.
local has_own_limits  -- Whether some group has limits of its own; nil before that was asked.
local rooms = {}  -- group -> what `room_of` found in this call.

-- limits_of(group): its concurrency and its rate, as texts or nil, and whether the group is paused.
-- `limits` holds what was set for the group alone, '5|100/60000|1': concurrency, rate, paused. An empty part is the
-- queue's.
local function limits_of(group)
  if has_own_limits == nil then has_own_limits = redis.call('EXISTS', base .. 'limits') == 1 end
  local own = has_own_limits and redis.pcall('HGET', base .. 'limits', group)
  if type(own) ~= 'string' then return group_concurrency, group_rate, false end
  local concurrency, rate, paused = string.match(own, '^(%d*)|([^|]*)|(.*)$')
  return concurrency ~= '' and concurrency or group_concurrency, rate ~= '' and rate or group_rate, paused == '1'
end

-- room_of(group): how many of its jobs may start, less those that this call has started: `slots` by its concurrency and
-- `starts` by its rate; where `starts` is 0, `rest_ms` until the next start; and its rate as rate_limit, rate_ms.
local function room_of(group)
  local room = rooms[group]
  if room then return room end
  room = {slots = math.huge, starts = math.huge}
  rooms[group] = room
  if group == '' then return room end
  local concurrency, rate, is_paused = limits_of(group)
  if is_paused then
    room.slots = 0
  elseif tonumber(concurrency) then
    room.slots = tonumber(concurrency) - (tonumber(redis.pcall('SCARD', base .. 'running:' .. group)) or 0)
  end
  local rate_limit, rate_ms = rate_in(rate)
  if rate_limit then
    room.rate_limit, room.rate_ms = rate_limit, rate_ms
    room.starts, room.rest_ms = rate_room(base .. 'rate:' .. group, rate_limit, rate_ms)
  end
  return room
end

local function started(group) return group_starts[group] and #group_starts[group] or 0 end

local function has_room(group)
  local room, count = room_of(group), started(group)
  return room.slots > count and room.starts > count
end

-- stop_if_full(group): a group that may start no job now loses its turn. Returns whether that was so.
-- is_noted: its starts of this call are in its rate already.
local function stop_if_full(group, is_noted)
  if has_room(group) then return false end
  local room = room_of(group)
  if room.slots <= started(group) then
    stop_group(group)
  else
    local rest_ms = room.rest_ms
    if is_noted then rest_ms = select(2, rate_room(base .. 'rate:' .. group, room.rate_limit, room.rate_ms)) end
    stop_group(group, now_ms + (rest_ms or 1))
  end
  return true
end

-- has_turns(priority): has any line of this priority a turn; without a priority, of any.
local function has_turns(priority)
  if priority then return redis.call('EXISTS', base .. 'turns:' .. priority) == 1 end
  return redis.call('EXISTS', base .. 'turns:high', base .. 'turns:normal', base .. 'turns:low') > 0
end

-- next_of(list): the id that is next in a line goes to the active list; nil where the line is empty.
local function next_of(list)
  local id = redis.pcall('RPOPLPUSH', base .. list, active_list)
  if type(id) == 'string' then return id end
  if id then
    redis.call('RENAME', base .. list, base .. 'broken')
    quarantine(list, 'this key was no list; what it held is in the key `broken`')
  end
end

-- The lines of one priority that are next, as {group, group …} and {score, score …}.
local function next_turns(priority, most)
  local row = redis.call('ZRANGE', base .. 'turns:' .. priority, '0', digits(most - 1), 'WITHSCORES')
  local groups, scores = {}, {}
  for i = 1, #row, 2 do
    groups[#groups + 1], scores[#scores + 1] = row[i], tonumber(row[i + 1])
    -- Jobs that claim.lua has handed out, before the queue had groups, run and are not in the score.
    if row[i] == '' then
      scores[#scores] = (tonumber(redis.pcall('SCARD', base .. 'running:')) or 0) * LOAD + scores[#scores] % LOAD
    end
  end
  return groups, scores
end

-- serve_row(priority, most, ids, bytes, turn, scores_now): hand out jobs of the lines that are next, until none of them
-- has a job that may start or `most` jobs are handed out in all. The group that runs least is served, then its score is
-- one job more, and so on. scores_now: group -> its score by now, of the groups that were served and keep their turn.
-- ids, bytes: as in start_list.
local function serve_row(priority, most, ids, bytes, turn, scores_now)
  local groups, scores = next_turns(priority, math.min(most - handed_out, MOST_UNFIT) + 1)
  local at, count = 1, #groups
  while at <= count and handed_out < most and ids > 0 do
    local group, score = groups[at], scores[at]
    at = at + 1
    local list = group == '' and 'ready:' .. priority or 'line:' .. priority .. ':' .. group
    local id = not stop_if_full(group) and next_of(list)
    if id or group ~= '' then ids = ids - 1 end
    if not id then
      scores_now[group] = nil
      if id == nil and group ~= '' then redis.call('ZREM', base .. 'turns:' .. priority, group) end
    else
      local before, f = handed_out, read_for_claim(id)
      bytes = bytes - #(f[SPEC] or '')
      start_one(id, list, false, f, group)
      if handed_out > before then score = (math.floor(score / LOAD) + 1) * LOAD + turn end
      scores_now[group] = score
      local place = count
      while place >= at and scores[place] > score do
        groups[place + 1], scores[place + 1] = groups[place], scores[place]
        place = place - 1
      end
      groups[place + 1], scores[place + 1] = group, score
      count = count + 1
      if bytes <= 0 then ids = 0 end
    end
  end
  return ids, bytes
end

-- serve(priority, most, ids, bytes, turn): hand out jobs of the lines of one priority, as start_list does of a list.
-- Returns ids and bytes, and scores_now of serve_row.
local function serve(priority, most, ids, bytes, turn)
  local scores_now, before = {}, nil
  repeat
    before = ids
    ids, bytes = serve_row(priority, most, ids, bytes, turn, scores_now)
  until ids == before or ids <= 0 or handed_out >= most
  return ids, bytes, scores_now
end

-- keep_turns(priority, scores_now): write the scores of the groups that were served. A group whose line is empty by now,
-- or that may start no job any more, loses its turn. To be called behind note_starts.
local function keep_turns(priority, scores_now)
  local turns, groups, lines, scores = base .. 'turns:' .. priority, {}, {}, {}
  for group in pairs(scores_now) do
    groups[#groups + 1] = group
    lines[#lines + 1] = base .. (group == '' and 'ready:' or 'line:') .. priority .. (group == '' and '' or ':' .. group)
  end
  local has_empty = #lines > 0 and redis.call('EXISTS', unpack(lines)) < #lines
  for i, group in ipairs(groups) do
    if has_empty and group ~= '' and redis.call('EXISTS', lines[i]) == 0 then
      redis.call('ZREM', turns, group)
    elseif not stop_if_full(group, true) then
      scores[#scores + 1] = digits(scores_now[group])
      scores[#scores + 1] = group
    end
  end
  if #scores > 0 then redis.call('ZADD', turns, unpack(scores)) end
  -- The jobs of no group need no turn where no other line has one.
  if redis.call('ZCARD', turns) == 1 and redis.call('ZSCORE', turns, '') then redis.call('DEL', turns) end
end

-- note_starts(has_lines): the jobs of this call run from now on, and count in the rates of their groups.
local function note_starts(has_lines)
  for group, ids in pairs(group_starts) do
    if group ~= '' then
      redis.pcall('SADD', base .. 'running:' .. group, unpack(ids))
      local rate_ms = room_of(group).rate_ms
      if rate_ms then rate_take(base .. 'rate:' .. group, rate_ms, #ids) end
    elseif has_lines then
      redis.pcall('SADD', base .. 'running:', unpack(ids))
    end
  end
end
