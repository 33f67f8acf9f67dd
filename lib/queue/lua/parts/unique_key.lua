-- holder_at(key, id): the job that stands under the key and lives, unless it is `id` itself.
-- @use tally text_at
local function holder_at(key, id)
  local holder = text_at(key)
  if holder == '' or holder == id then return nil end
  local state = redis.pcall('HGET', base .. 'job:' .. holder, 'state')
  return (state == 'ready' or state == 'delayed' or state == 'active') and holder or nil
end

-- unique_keys(name, kind): where a job of this type may stand for the unique key `name`.
-- WHY two: a unique key is one type's own, and versions before that was so know `unique:<name>` alone. The type that came
-- first stands there, where they see it; another type's job beside it, under `unique:<name>\28<type>`.
local function unique_keys(name, kind)
  local first = base .. 'unique:' .. name
  return first, first .. '\28' .. kind
end

-- unique_place(name, kind, id): the Redis key under which job `id` of this type may stand for the unique key `name`, and
-- the job of its type that lives there already.
local function unique_place(name, kind, id)
  local first, beside = unique_keys(name, kind)
  local holder = holder_at(first, id)
  if holder and kind_of(base .. 'job:' .. holder) == kind then return first, holder end
  return holder and beside or first, holder_at(beside, id)
end
