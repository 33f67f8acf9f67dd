-- The indexes of tags: `tag:<tag>` holds the ids of the jobs that have the tag, id -> ms at which the job was created.
-- by_tag: tag -> what one command writes there. tags: a job's field of this name, as 'eu,order-17'.
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

-- index_tags(by_tag): of ms, id, ms, id …
local function index_tags(by_tag)
  for tag, entries in pairs(by_tag) do redis.pcall('ZADD', base .. 'tag:' .. tag, unpack(entries)) end
end

-- unindex_tags(by_tag): of ids.
local function unindex_tags(by_tag)
  for tag, ids in pairs(by_tag) do redis.pcall('ZREM', base .. 'tag:' .. tag, unpack(ids)) end
end
