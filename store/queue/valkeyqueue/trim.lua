-- KEYS: stream. Trims what every group has acknowledged, forgets consumers that
-- have been away for an hour and hold nothing, and gives messages a due time
-- that were read without one for ten minutes, as by a foreign consumer.
local stream = KEYS[1]
local groups = redis.pcall('XINFO', 'GROUPS', stream)
if groups.err or #groups == 0 then return 0 end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function map(flat)
  local m = {}
  for i = 1, #flat, 2 do m[flat[i]] = flat[i + 1] end
  return m
end

local function before(a, b)
  local am, as = string.match(a, '^(%d+)-(%d+)$')
  local bm, bs = string.match(b, '^(%d+)-(%d+)$')
  am, as, bm, bs = tonumber(am), tonumber(as), tonumber(bm), tonumber(bs)
  return am < bm or am == bm and as < bs
end

local keep
for _, g in ipairs(groups) do
  local group = map(g)
  local first = group['last-delivered-id']
  local pending = redis.call('XPENDING', stream, group['name'])
  if pending[1] > 0 then
    if before(pending[2], first) then first = pending[2] end
    for _, p in ipairs(redis.call('XPENDING', stream, group['name'], 'IDLE', 600000, '-', '+', 1000)) do
      redis.call('ZADD', '{' .. stream .. '}' .. group['name'] .. '/due', 'NX', now, p[1])
    end
  end
  for _, c in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group['name'])) do
    local consumer = map(c)
    if consumer['pending'] == 0 and consumer['idle'] > 3600000 then
      redis.call('XGROUP', 'DELCONSUMER', stream, group['name'], consumer['name'])
    end
  end
  if not keep or before(first, keep) then keep = first end
end
return redis.call('XTRIM', stream, 'MINID', '~', keep)
