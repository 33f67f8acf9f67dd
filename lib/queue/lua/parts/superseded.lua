-- A job is superseded where a later one took its place under their unique key: no further attempt of it is made. Its
-- field `superseded` says when, and which job that is: '1795955797333 emails-01a3…'.
-- superseded_by(id): the value for a job whose place the job `id` takes now.
-- superseded_error(superseded, cause): the error, JSON, of a job that ends so. cause: that of its last attempt or nil.
-- @use clock
local function superseded_by(id) return now .. ' ' .. id end

local function superseded_error(superseded, cause)
  local by = string.match(superseded, ' ([a-z0-9_-]+)$') or 'another'
  local more = cause and string.sub(cause, 1, 1) == '{' and ',"cause":' .. cause or ''
  return '{"type":"superseded","message":"the job ' .. by .. ' took its place"' .. more .. '}'
end
