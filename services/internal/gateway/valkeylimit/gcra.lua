-- KEYS: one limit. ARGV: cost, nanoseconds of one, burst. By the server's clock.
-- Kept is the theoretical arrival time (GCRA) in microseconds since 1970, which a double holds.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local every = tonumber(ARGV[2]) / 1000
local span = every * tonumber(ARGV[3])
local tat = tonumber(redis.call('GET', KEYS[1]) or '0')
if tat < now then tat = now end
local next = tat + every * tonumber(ARGV[1])
if next - now > span then
  return {0, string.format('%.0f', next - now - span)}
end
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', string.format('%.0f', math.ceil((next - now) / 1000)))
return {1, '0'}
