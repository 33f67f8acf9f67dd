-- The value of a unique key is the id of the job that holds it; behind it stands the id of a job that ran when the
-- holder came, and for whose end the holder waits: 'emails-01a3… emails-01a2…' (replace.lua).
-- living_holder(key, id): the id of the first living job that stands under the unique key `key`; nil for none. The job
-- `id` itself does not count.
-- WHY the second counts where the first has ended: somebody may have cancelled that while the second runs on.
-- WHY the blank is looked for first: most keys have one holder, and a search costs less than a pattern.
-- @use find states text_at type_of_job unique_key
local function lives_beside(holder, id)
  return holder ~= id and LIVES[redis.pcall('HGET', base .. 'job:' .. holder, 'state')]
end

local function living_holder(key, id)
  local holders = text_at(key)
  if holders == '' then return nil end
  local blank = find(holders, ' ', 1, true)
  if not blank then return lives_beside(holders, id) and holders or nil end
  local first, second = string.sub(holders, 1, blank - 1), string.sub(holders, blank + 1)
  return lives_beside(first, id) and first or lives_beside(second, id) and second or nil
end

-- unique_place(name, type_name, id): the Redis key under which job `id` of this type may stand for the unique key
-- `name`, and the id of the job of its type that lives there already, or nil.
local function unique_place(name, type_name, id)
  local first, beside = unique_keys(name, type_name)
  local holder = living_holder(first, id)
  if holder and type_of_job(base .. 'job:' .. holder) == type_name then return first, holder end
  local other = living_holder(beside, id)
  return (holder or other) and beside or first, other
end

-- throttle_place(name, type_name, id): the Redis key under which job `id` of this type may stand for its whole time,
-- and the id of the job that stands there already, or nil. That job may have ended, and its record may be gone.
local function throttle_place(name, type_name, id)
  local _, _, place = unique_keys(name, type_name)
  local holder = text_at(place)
  return place, holder ~= '' and holder ~= id and holder or nil
end
