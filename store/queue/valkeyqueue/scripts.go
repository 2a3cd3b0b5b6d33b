package valkeyqueue

import (
	_ "embed"

	"github.com/redis/go-redis/v9"
)

// Each script is one atomic step of the server. A message's state is
// "receipt attempts"; what has none was delivered once: "1 1". A receipt grows
// with each delivery and with what ends one, so only the latest holder can
// settle, and only once.
var (
	//go:embed receive.lua
	receiveLua    string
	receiveScript = redis.NewScript(receiveLua)

	//go:embed settle.lua
	settleLua    string
	settleScript = redis.NewScript(settleLua)

	//go:embed trim.lua
	trimLua    string
	trimScript = redis.NewScript(trimLua)

	// subscribeScript makes a group that reads from the beginning; what its
	// predecessor left goes. Where it makes one though the incarnation is still
	// the given one, the incarnation changes. It returns the incarnation.
	subscribeScript = redis.NewScript(`
		redis.call('SET', KEYS[4], ARGV[3], 'NX')
		local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
		if not made.err then
			redis.call('DEL', KEYS[2], KEYS[3])
			if redis.call('GET', KEYS[4]) == ARGV[2] then
				redis.call('SET', KEYS[4], ARGV[3])
			end
		elseif not string.find(made.err, 'BUSYGROUP', 1, true) then
			return made
		end
		return redis.call('GET', KEYS[4])`)

	// incarnationScript returns the incarnation and a number that grows with
	// each call. The incarnation is new when there is none, and when it is what
	// the caller saw last though the number has gone back.
	incarnationScript = redis.NewScript(`
		redis.call('SET', KEYS[1], ARGV[1], 'NX')
		local tick = redis.call('INCR', KEYS[2])
		if tick <= tonumber(ARGV[2]) and redis.call('GET', KEYS[1]) == ARGV[3] then
			redis.call('SET', KEYS[1], ARGV[1])
		end
		return {redis.call('GET', KEYS[1]), tick}`)
)
