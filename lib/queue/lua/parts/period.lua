-- note_period(): this period of five minutes has numbers, which rollup.lua is to keep. A period's number is that of its
-- first minute since 1970, divided by five. It is rolled up a minute after its end, for census.lua shows the last
-- minute as well.
-- @use clock
local function note_period()
  local period = math.floor(now_ms / 300000)
  redis.pcall('ZADD', base .. 'rollups', digits((period + 1) * 300000 + 60000), digits(period))
end
