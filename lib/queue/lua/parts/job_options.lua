-- read_options(text): what a new job asks for beside its priority and its spec, as a table of the names below. An
-- option that is not asked for is nil. The text has a letter and a value for each option, with a \29 behind the value;
-- a letter that is not known here is passed over.
-- Example: 'd+60000\29ureport-7\29' is due in a minute, under the unique key report-7.
-- Of these the table holds: due_ms, ms since 1970, nil where the job is due at once; is_due_by_delay; is_group_alone,
-- true where the job asks for nothing but a group.
-- @use clock
-- WHY the names are made when they are first needed: most calls of enqueue.lua need none of them.
local option_names
local function read_options(text)
  local group = string.match(text, '^g([^\29]*)\29$')
  if group then return {group = group, is_group_alone = true} end
  option_names = option_names
    or {
      d = 'due',  -- when the job is due: ms since 1970, or + and the ms from now
      e = 'expires',  -- ms until it expires
      u = 'unique_key',
      t = 'unique_ttl',  -- ms for which it holds that key; of debounce: ms for which it is put off at most
      m = 'unique_mode',  -- t: throttle | r: replace | d: debounce; left out for keep
      i = 'idempotency_key',
      f = 'fingerprint',  -- of the request
      r = 'retain',  -- ms for which the record is kept when the job has ended
      p = 'patience',  -- ms after its due time at which the job is given up
      g = 'group',
      a = 'tags',  -- parted by commas
      b = 'edges',  -- '<rule><parent> <name>' (edges.lua), parted by commas
      l = 'followers',  -- ids, parted by commas, of jobs that wait for its end
      o = 'opens',  -- the same, of jobs that wait for the word that it is open
      j = 'is_workflow',  -- 1
      c = 'calls_back',  -- !: its end is sent to the callback_url of its spec (notices.lua)
    }
  local options = {}
  for letter, value in string.gmatch(text, '(%a)([^\29]*)\29') do
    local name = option_names[letter]
    if name then options[name] = value end
  end
  local due = options.due
  if due then
    options.is_due_by_delay = string.sub(due, 1, 1) == '+'
    local due_ms = options.is_due_by_delay and now_ms + tonumber(due) or tonumber(due)
    options.due_ms = due_ms > now_ms and due_ms or nil
  end
  return options
end
