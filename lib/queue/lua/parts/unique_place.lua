-- living_holder(key, id): the id of the living job that stands under the unique key `key`; nil for none, and for `id`.
-- @use states text_at type_of_job unique_key
local function living_holder(key, id)
  local holder = text_at(key)
  if holder == '' or holder == id then return nil end
  return LIVES[redis.pcall('HGET', base .. 'job:' .. holder, 'state')] and holder or nil
end

-- unique_place(name, type_name, id): the Redis key under which job `id` of this type may stand for the unique key
-- `name`, and the id of the job of its type that lives there already, or nil.
local function unique_place(name, type_name, id)
  local first, beside = unique_keys(name, type_name)
  local holder = living_holder(first, id)
  if holder and type_of_job(base .. 'job:' .. holder) == type_name then return first, holder end
  return holder and beside or first, living_holder(beside, id)
end

-- throttle_place(name, type_name, id): the Redis key under which job `id` of this type may stand for its whole time,
-- and the id of the job that stands there already, or nil. That job may have ended, and its record may be gone.
local function throttle_place(name, type_name, id)
  local _, _, place = unique_keys(name, type_name)
  local holder = text_at(place)
  return place, holder ~= '' and holder ~= id and holder or nil
end
