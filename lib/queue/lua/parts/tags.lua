-- The indexes of tags: `tag:<tag>` holds the ids of the jobs that have the tag, id -> ms at which the job was created.
-- by_tag: tag -> what one command writes there. tags: a job's field of this name, as 'eu,order-17'.
-- @use clock
-- WHY pcall: where somebody broke an index, it lacks the entry, and the job is as any other.

-- add_by_tag(by_tag, tags, first, second): first, and second if there is one, come into the list of each of the tags.
local function add_by_tag(by_tag, tags, first, second)
  for tag in string.gmatch(tags, '[^,]+') do
    local items = by_tag[tag] or {}
    items[#items + 1] = first
    items[#items + 1] = second
    by_tag[tag] = items
  end
end

-- write_tags(command, by_tag): 'ZADD' of ms, id, ms, id …, or 'ZREM' of ids.
local function write_tags(command, by_tag)
  for tag, items in pairs(by_tag) do redis.pcall(command, base .. 'tag:' .. tag, unpack(items)) end
end

-- change_tags(id, old, new): the job stands in the indexes of the tags `new`, and no more in those of `old`; either is
-- a field `tags`, or nil. The caller writes the field.
local function change_tags(id, old, new)
  local created, before, after = redis.pcall('ZSCORE', base .. 'all', id), {}, {}
  if old then add_by_tag(before, old, id) end
  if new then add_by_tag(after, new, type(created) == 'string' and created or now, id) end
  write_tags('ZREM', before)
  write_tags('ZADD', after)
end
