-- kill(ids, error_text, by): jobs that no runner holds are dead. error_text: JSON, the `error` of each of them.
-- killed: the ids, for the log of whoever called the script.
-- @use conclude
local killed = {}
local function kill(ids, error_text, by)
  local fields = {}
  for _, id in ipairs(ids) do
    fields[id] = {'error', error_text}
    killed[#killed + 1] = id
  end
  conclude('dead', ids, by, fields)
end

-- The error of a job that was to begin before a certain time, and has not begun.
local EXPIRED = '{"type":"expired","message":"it had not begun when its expires_in_s was over"}'
