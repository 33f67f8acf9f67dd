-- record_text(id, is_alone): a job's whole record as text, parted by \31: created ms, due ms while delayed or '', then
-- name, value, name, value …, as in '1760000000101\031\031spec\031{"v":1,…}\031state\031ready'; '' where there is no
-- such job. Unless the record is asked for alone, two names more stand there as if they were fields, where there is
-- something: `edges`, of a job that waits for others (edges_text), and `then`: the ids, parted by commas, of the jobs
-- that wait for its end, or were told of it.
-- WHY pcall: an index that somebody broke costs the text a time, and not the job.
local function score_in(index, id)
  local found = redis.pcall('ZSCORE', base .. index, id)
  return type(found) == 'string' and found or ''
end

-- edges_text(id): '<rule><mark><parent> <name>' (edges.lua) of the job's edges c e f, parted by commas.
local function edges_text(id)
  local edges = redis.pcall('HGETALL', base .. 'parents:' .. id)
  local texts = {}
  for at = 1, edges.err and 0 or #edges, 2 do
    local rule, mark, name = string.match(edges[at + 1], '^([cef])(.)(.*)')
    if rule then texts[#texts + 1] = rule .. mark .. edges[at] .. ' ' .. name end
  end
  return table.concat(texts, ',')
end

local is_any_followed  -- Does any job of this queue have followers? nil before this call has asked.
local function followers_of(id)
  if is_any_followed == nil then is_any_followed = redis.pcall('EXISTS', base .. 'followers') == 1 end
  local ids = is_any_followed and redis.pcall('HGET', base .. 'followers', id)
  return type(ids) == 'string' and ids or nil
end

-- Add the two that are no fields to names and values.
local function add_graph(id, fields)
  local waits, followed
  for at = 1, #fields, 2 do
    if fields[at] == 'waits' then waits = true end
    if fields[at] == 'followed' then followed = fields[at + 1] end
  end
  local ids = followers_of(id) or followed
  if waits then
    fields[#fields + 1] = 'edges'
    fields[#fields + 1] = edges_text(id)
  end
  if ids then
    fields[#fields + 1] = 'then'
    fields[#fields + 1] = ids
  end
end

local function record_text(id, is_alone)
  local fields = redis.pcall('HGETALL', base .. 'job:' .. id)
  if fields.err or #fields == 0 then return '' end
  if not is_alone then add_graph(id, fields) end
  -- WHY: a spec that a person wrote by hand may hold the separator. The other fields are to be read all the same.
  for at = 2, #fields, 2 do fields[at] = (string.gsub(fields[at], '\31', ' ')) end
  return score_in('all', id) .. '\31' .. score_in('delayed', id) .. '\31' .. table.concat(fields, '\31')
end
