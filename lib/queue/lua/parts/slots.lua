-- A job that runs no more gives its slot back: to its group, and to a queue that has a concurrency of its own.
-- leave(id, group): the job runs no more, whatever becomes of it. group: the job's field; '' where ration.lua has
-- handed out a job of no group, false where claim.lua has, and then nothing is to be given back.
-- give_slots_back(): to be called once, behind the last `leave`. Gives a group that was full its turn, and rings.
-- WHY a set of ids and no counter: a job that leaves twice is counted once.
-- WHY pcall: a key that somebody broke must not keep attempts from ending. mend.lua puts right what is missing then.
-- @use clock bell lines queue_settings resume
local left
local function leave(id, group)
  if not group then return end
  left = left or {}
  local ids = left[group]
  if ids then ids[#ids + 1] = id else left[group] = {id} end
end

local function give_slots_back()
  if not left then return end
  local concurrency, rate = queue_settings('concurrency', 'rate')
  note_limits(concurrency, rate)
  local is_bell_needed = concurrency and true or false
  local has_full, priorities = redis.call('EXISTS', base .. 'full') == 1, nil
  for group, ids in pairs(left) do
    local gone = redis.pcall('SREM', base .. 'running:' .. group, unpack(ids))
    if type(gone) == 'number' and gone > 0 then
      priorities = priorities or priorities_with_turns()
      for _, priority in ipairs(priorities) do
        redis.pcall('ZADD', base .. 'turns:' .. priority, 'XX', 'INCR', digits(-gone * LOAD), group)
      end
    end
    if has_full and redis.pcall('SREM', base .. 'full', group) == 1 then
      is_bell_needed = resume(group) or is_bell_needed
    end
  end
  if is_bell_needed then ring() end
end
