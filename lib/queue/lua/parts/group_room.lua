-- The limits of a group, and what they leave.
-- limits_of(group): its concurrency and its rate, as texts or nil, and whether the group is paused. `limits` holds what
-- was set for the group alone (limit_group.lua); the settings of the queue hold what is left out there. The concurrency
-- of a group that has strikes is 1; what it is else is returned as well, or ''.
-- room_of(group): `slots`, `starts`, `rest_ms`, `rate_limit` and `rate_ms` as in queue_room.lua, as the call found
-- them. A paused group has no slots. '' stands for the jobs of no group, which have no limit of this kind.
-- @use queue_settings rate strikes
local of_all  -- The limits of all groups as a claim begins; nil before they are read.
local rooms = {}  -- group -> its room.

local function limits_of(group)
  if not of_all then
    local concurrency, rate = queue_settings('group_concurrency', 'group_rate')
    local are_all = redis.call('EXISTS', base .. 'limits', base .. 'strikes') == 0
    of_all = {concurrency = concurrency, rate = rate, are_all = are_all}
  end
  if of_all.are_all then return of_all.concurrency, of_all.rate, false end
  local of_struck = strikes_of(group) and '1'
  local own = redis.pcall('HGET', base .. 'limits', group)
  local usual = of_struck and (of_all.concurrency or '')
  if type(own) ~= 'string' then return of_struck or of_all.concurrency, of_all.rate, false, usual end
  local concurrency, rate, paused = string.match(own, '^(%d*)|([^|]*)|(.*)$')
  if concurrency == '' then concurrency = of_all.concurrency end
  usual = of_struck and (concurrency or '')
  return of_struck or concurrency, rate ~= '' and rate or of_all.rate, paused == '1', usual
end

-- Does a runner have a job of the group?
-- WHY the runners' lists, and not the group's own set: ten thousand jobs of it may be outside.
local function runs_here(group)
  for _, runner in ipairs(redis.call('HKEYS', base .. 'workers')) do
    local ids = redis.call('LRANGE', base .. 'active:' .. runner, '0', '-1')
    local run = #ids > 0 and redis.pcall('SMISMEMBER', base .. 'running:' .. group, unpack(ids)) or {}
    for i = 1, run.err and 0 or #run do
      if run[i] == 1 then return true end
    end
  end
  return false
end

-- WHY a group that has strikes may start a job although others of it are outside: these may be out for hours, and say
-- nothing of whether anybody answers.
local function room_of(group)
  local room = rooms[group]
  if room then return room end
  room = {slots = math.huge, starts = math.huge}
  rooms[group] = room
  if group == '' then return room end
  local concurrency, rate, is_paused, usual = limits_of(group)
  local most = tonumber(usual or concurrency)
  if is_paused then
    room.slots = 0
  elseif most then
    room.slots = most - (tonumber(redis.pcall('SCARD', base .. 'running:' .. group)) or 0)
  end
  if usual then room.slots = math.min(room.slots, runs_here(group) and 0 or 1) end
  room.rate_limit, room.rate_ms = rate_in(rate)
  if room.rate_limit then
    room.starts, room.rest_ms = rate_room(base .. 'rate:' .. group, room.rate_limit, room.rate_ms)
  end
  return room
end
