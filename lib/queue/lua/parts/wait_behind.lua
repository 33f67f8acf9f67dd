-- wait_behind(id, parent, options): a new job, which take_in is to make next, waits for the end of a job of this queue
-- that lives, however that ends: by an edge of rule e (edges.lua). options: of read_options.
-- WHY an hour until the job asks: it is told by this queue itself, which loses the word only together with the end.
-- @use add_follower clock
local ASK_MS = 3600000
local function wait_behind(id, parent, options)
  options.edges = (options.edges and options.edges .. ',' or '') .. 'e' .. parent .. ' '
  options.ask_ms = now_ms + ASK_MS
  options.is_group_alone = nil
  add_follower(parent, id)
end
