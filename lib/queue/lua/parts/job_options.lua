-- read_options(text): what a new job asks for beside its priority and its spec, as a table.
-- text: eight parts with \29 between them, each of which may be '': when the job is due (ms since 1970, or + and the ms
-- from now), ms until it expires, its unique key, ms for which the job holds that key, the idempotency key, the
-- fingerprint of the request, ms for which the record is kept when the job has ended, ms after its due time at which
-- the job is given up.
-- Example: '+60000\29\29report-7\29\29\29\29\29' is due in a minute, under the unique key report-7.
-- due_ms of the table is nil where the job is due at once.
-- @use clock
local OPTIONS = '^([^\29]*)\29([^\29]*)\29([^\29]*)\29([^\29]*)\29([^\29]*)\29([^\29]*)\29([^\29]*)\29([^\29]*)$'
local function read_options(text)
  local options = {}
  local due
  due, options.expires, options.unique_key, options.unique_ttl, options.idempotency_key, options.fingerprint,
    options.retain, options.patience = string.match(text, OPTIONS)
  options.is_due_by_delay = string.sub(due, 1, 1) == '+'
  local due_ms = due ~= '' and (options.is_due_by_delay and now_ms + tonumber(due) or tonumber(due))
  options.due_ms = due_ms and due_ms > now_ms and due_ms or nil
  return options
end
