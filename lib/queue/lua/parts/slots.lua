-- A job that runs no more gives its slot back: to its group, and to a queue that has a concurrency of its own.
-- leave(id, group): the job runs no more, whatever becomes of it. group: the job's field; '' where ration.lua has
-- handed out a job of no group, false where claim.lua has, and then nothing is to be given back.
-- give_slots_back(): to be called once, behind the last `leave`.
-- @use lines
local left
local function leave(id, group)
  if not group then return end
  left = left or {}
  local ids = left[group]
  if ids then ids[#ids + 1] = id else left[group] = {id} end
end

local function give_slots_back()
  if left then lines().free(left) end
end
