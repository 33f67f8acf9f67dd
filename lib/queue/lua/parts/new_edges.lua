-- write_edges(id, text): the edges (edges.lua) of a new job. text: '<rule><parent> <name>' for each, parted by commas,
-- as in 'cemails-01a2… fetch,eimages-01a3… '. Returns how many of them ask for a job of others, and how many for one of
-- the workflow's own (rules m and n).
-- WHY apart from edges.lua: that makes tables, and enqueue.lua, which may need this, is called for every job.
-- @use clock
local function write_edges(id, text)
  local key, fields, counts = base .. 'parents:' .. id, {}, {['#'] = 0, ['@'] = 0}
  for rule, parent, name in string.gmatch(text, '(%l)([^ ,]+) ([^,]*)') do
    local sign = (rule == 'm' or rule == 'n') and '@' or '#'
    counts[sign] = counts[sign] + 1
    fields[#fields + 1] = parent
    fields[#fields + 1] = rule .. '.' .. name
  end
  for at = 1, #fields, 1000 do redis.call('HSET', key, unpack(fields, at, math.min(at + 999, #fields))) end
  for sign, count in pairs(counts) do
    if count > 0 then redis.call('HSET', key, sign .. 'open', digits(count)) end
  end
  return counts['#'], counts['@']
end
