-- Turns: which group's line is served next, and how many of its jobs may start (lines.lua says what a line is).
-- @use claiming clock hand_out lines rate claim_fields quarantine group_room ready_list
-- started(group): how many of its jobs this call has started. has_room(group): may one more start?
local function started(group) return group_starts[group] and #group_starts[group] or 0 end

local function has_room(group)
  local room, count = room_of(group), started(group)
  return room.slots > count and room.starts > count
end

-- stop(groups, is_noted): these groups, which have no room, lose their turns: they are full, or rest for their rate.
-- is_noted: their starts of this call are in their rates already. has_rested: does any rest that had a turn?
local has_rested = false
local function stop(groups, is_noted)
  local full = {}
  for _, group in ipairs(groups) do
    local room = room_of(group)
    if room.slots <= started(group) then
      full[#full + 1] = group
    else
      local rest_ms = room.rest_ms
      if is_noted then rest_ms = select(2, rate_room(base .. 'rate:' .. group, room.rate_limit, room.rate_ms)) end
      lines().rest(group, now_ms + (rest_ms or 1))
      has_rested = true
    end
  end
  if #full > 0 then lines().stop_full(full) end
end

-- has_turns(priority): has any line of this priority a turn; without a priority, of any.
local function has_turns(priority)
  if priority then return redis.call('EXISTS', base .. 'turns:' .. priority) == 1 end
  return redis.call('EXISTS', base .. 'turns:high', base .. 'turns:normal', base .. 'turns:low') > 0
end

-- has_stopped_groups(): is any group full, or does any rest?
local function has_stopped_groups() return redis.call('EXISTS', base .. 'full', base .. 'resting') > 0 end

-- next_of(list): the id that is next in a line goes to the active list; nil where the line is empty.
local function next_of(list)
  local id = redis.pcall('RPOPLPUSH', base .. list, active_list)
  if type(id) == 'string' then return id end
  if id then
    redis.call('RENAME', base .. list, base .. 'broken')
    quarantine(list, 'this key was no list; what it held is in the key `broken`')
  end
end

-- insert_turn(groups, scores, first, last, group, score): the group's place in a row that is sorted from `first` to
-- `last`; behind those of the same score.
local function insert_turn(groups, scores, first, last, group, score)
  local place = last
  while place >= first and scores[place] > score do
    groups[place + 1], scores[place + 1] = groups[place], scores[place]
    place = place - 1
  end
  groups[place + 1], scores[place + 1] = group, score
end

-- The lines of one priority that are next, as {group, group …} and {score, score …}, without those that this call has
-- passed: group -> true. Returns also whether these are all that have a turn.
local function next_turns(priority, most, passed)
  for _ in pairs(passed) do most = most + 1 end
  local row = redis.call('ZRANGE', base .. 'turns:' .. priority, '0', digits(most - 1), 'WITHSCORES')
  local groups, scores = {}, {}
  for i = 1, #row, 2 do
    local group = row[i]
    if not passed[group] then
      insert_turn(groups, scores, 1, #groups, group, tonumber(row[i + 1]) + started(group) * LOAD)
    end
  end
  return groups, scores, #row < 2 * most
end

-- serve_row(priority, most, ids, bytes, turn, scores_now, passed): hand out jobs of the lines that are next, until none
-- of them has a job that may start or `most` jobs are handed out in all. The group that runs least is served, then its
-- score is one job more, and so on. scores_now: group -> its score by now, of the groups that were served and keep
-- their turn, less the jobs that this call has started. passed: the groups that have a turn and start no job more.
-- ids, bytes: as in start_list. Returns what is left of them, and whether all lines were looked at.
local function serve_row(priority, most, ids, bytes, turn, scores_now, passed)
  local groups, scores, are_all = next_turns(priority, math.min(most - handed_out, MOST_UNFIT) + 1, passed)
  local at, count = 1, #groups
  while at <= count and handed_out < most and ids > 0 do
    local group, score = groups[at], scores[at]
    at = at + 1
    local list = ready_list(priority, nil, group)
    -- id: false where the group may start no job now, nil where its line is empty.
    local id = has_room(group) and next_of(list)
    if id == false and started(group) > 0 then
      -- What this call has started is not noted in its rate yet: keep_turns stops it.
      scores_now[group], passed[group] = score - started(group) * LOAD, true
    elseif not id then
      scores_now[group] = nil
      if group == '' then
        passed[group] = true
      else
        ids = ids - 1
        if id == false then
          stop({group})
        else
          redis.call('ZREM', base .. 'turns:' .. priority, group)
        end
      end
    else
      ids = ids - 1
      local before, f = handed_out, read_for_claim(id)
      bytes = bytes - #(f[SPEC] or '')
      start_one(id, list, false, f, group)
      if handed_out > before then score = (math.floor(score / LOAD) + 1) * LOAD + turn end
      scores_now[group] = score - started(group) * LOAD
      insert_turn(groups, scores, at, count, group, score)
      count = count + 1
      if bytes <= 0 then ids = 0 end
    end
  end
  return ids, bytes, are_all
end

-- serve(priority, most, ids, bytes, turn): hand out jobs of the lines of one priority, as start_list does of a list.
-- Returns ids and bytes, and scores_now of serve_row.
-- WHY `passed`: groups that this call has filled keep their turns until its end, in front of others or not. A row may
-- have none but such groups, of which it takes no id: those behind them are still to be looked at.
local function serve(priority, most, ids, bytes, turn)
  local scores_now, passed, are_all = {}, {}, nil
  repeat
    ids, bytes, are_all = serve_row(priority, most, ids, bytes, turn, scores_now, passed)
  until are_all or ids <= 0 or handed_out >= most
  return ids, bytes, scores_now
end

-- note_starts(has_lines, served): the jobs of this call run from now on, and count in the rates of their groups, and in
-- the turns of the priorities that did not serve the group. served: priority -> scores_now. Returns how many jobs more
-- of each group run: a job whose claim was lost has run before.
local function note_starts(has_lines, served)
  local loads = {}
  for group, ids in pairs(group_starts) do
    local added = (group ~= '' or has_lines) and redis.pcall('SADD', base .. 'running:' .. group, unpack(ids))
    loads[group] = type(added) == 'number' and added or 0
    local rate_ms = room_of(group).rate_ms
    if rate_ms then rate_take(base .. 'rate:' .. group, rate_ms, #ids) end
  end
  if has_lines then lines().add_load(loads, served) end
  return loads
end

-- keep_turns(priority, scores_now, loads): write the turns of the groups that were served. A group whose line is empty
-- by now, or that may start no job any more, loses its turn. loads: of note_starts.
local function keep_turns(priority, scores_now, loads)
  local turns, groups, full, scores = base .. 'turns:' .. priority, {}, {}, {}
  for group in pairs(scores_now) do
    if group ~= '' then groups[#groups + 1] = group end
  end
  local waiting, over = lines().by_jobs(priority, groups)
  if scores_now[''] then waiting[#waiting + 1] = '' end
  for _, group in ipairs(waiting) do
    if has_room(group) then
      scores[#scores + 1] = digits(scores_now[group] + (loads[group] or 0) * LOAD)
      scores[#scores + 1] = group
    else
      full[#full + 1] = group
    end
  end
  stop(full, true)
  if #over > 0 then redis.call('ZREM', turns, unpack(over)) end
  if #scores > 0 then redis.call('ZADD', turns, unpack(scores)) end
  -- The jobs of no group need no turn where no other line has one.
  if redis.call('ZCARD', turns) == 1 and redis.call('ZSCORE', turns, '') then redis.call('UNLINK', turns) end
end
