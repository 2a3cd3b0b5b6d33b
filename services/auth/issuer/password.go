package issuer

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/stella-ops/stella/internal/fault"
)

// The bounds of a password: of characters at least (NIST SP 800-63B asks for 8, we for
// more), and of bytes at most.
const (
	MinPassword = 12
	MaxPassword = 1024
)

// The cost of a hash: the least that OWASP recommends of argon2id. Hashes that are kept
// with other costs are verified with theirs, within bounds.
const (
	argonMemory  = 19 << 10 // KiB
	argonTime    = 2
	argonThreads = 1
	argonSalt    = 16
	argonKey     = 32

	maxArgonMemory = 256 << 10
	maxArgonTime   = 10
)

// maxHashWait is how many callers may wait for their turn to hash.
const maxHashWait = 64

// hasher hashes passwords, a few at a time: each takes 19 MiB.
type hasher struct {
	once  sync.Once
	turns chan struct{}
	queue chan struct{}
	dummy string // a hash that nothing fits, as costly as others
}

func (h *hasher) prepare() {
	h.turns = make(chan struct{}, runtime.GOMAXPROCS(0))
	h.queue = make(chan struct{}, maxHashWait)
	salt := make([]byte, argonSalt)
	rand.Read(salt)
	h.dummy = phc(salt, make([]byte, argonKey))
}

// turn waits until there is room for one more hash. The error wraps ErrUnavailable.
func (h *hasher) turn(ctx context.Context) (done func(), err error) {
	h.once.Do(h.prepare)
	select {
	case h.queue <- struct{}{}:
	default:
		return nil, fmt.Errorf("check a password: too many are checked at once: %w", fault.Unavailable)
	}
	defer func() { <-h.queue }()
	select {
	case h.turns <- struct{}{}:
		return func() { <-h.turns }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("check a password: %w: %w", ctx.Err(), fault.Unavailable)
	}
}

// hash returns the hash of a password in PHC form.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	if n := utf8.RuneCountInString(password); n < MinPassword || len(password) > MaxPassword || !utf8.ValidString(password) {
		return "", fmt.Errorf("password: want %d characters to %d bytes of UTF-8: %w", MinPassword, MaxPassword, fault.Invalid)
	}
	done, err := h.turn(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	salt := make([]byte, argonSalt)
	rand.Read(salt)
	return phc(salt, argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, argonKey)), nil
}

// fits reports whether a password has a hash. "" is a hash that nothing fits, and takes
// as long as others, so that nobody learns whether there is one.
func (h *hasher) fits(ctx context.Context, password, hash string) (bool, error) {
	if len(password) > MaxPassword {
		password = "" // is hashed all the same
	}
	done, err := h.turn(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	none := hash == ""
	if none {
		hash = h.dummy
	}
	p, err := parsePHC(hash)
	if err != nil {
		return false, err
	}
	got := argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.threads, uint32(len(p.key)))
	return subtle.ConstantTimeCompare(got, p.key) == 1 && !none && password != "", nil
}

func phc(salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

type argonParams struct {
	memory, time uint32
	threads      uint8
	salt, key    []byte
}

// parsePHC reads a hash. The error, which wraps Mismatch, does not repeat it.
func parsePHC(s string) (p argonParams, err error) {
	bad := func(what string) (argonParams, error) {
		return argonParams{}, fmt.Errorf("a kept password hash: %s: %w", what, fault.Mismatch)
	}
	part := strings.Split(s, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != "v="+strconv.Itoa(argon2.Version) {
		return bad("want $argon2id$v=19$m=…,t=…,p=…$salt$hash")
	}
	cost := strings.Split(part[3], ",")
	if len(cost) != 3 {
		return bad("its costs")
	}
	var n [3]uint64
	for i, name := range []string{"m=", "t=", "p="} {
		text, ok := strings.CutPrefix(cost[i], name)
		if n[i], err = strconv.ParseUint(text, 10, 32); !ok || err != nil {
			return bad("its costs")
		}
	}
	if n[0] < 8 || n[0] > maxArgonMemory || n[1] < 1 || n[1] > maxArgonTime || n[2] < 1 || n[2] > 16 {
		return bad("its costs are out of bounds")
	}
	p = argonParams{memory: uint32(n[0]), time: uint32(n[1]), threads: uint8(n[2])}
	strict := base64.RawStdEncoding.Strict()
	if p.salt, err = strict.DecodeString(part[4]); err != nil || len(p.salt) < 8 || len(p.salt) > 64 {
		return bad("its salt")
	}
	if p.key, err = strict.DecodeString(part[5]); err != nil || len(p.key) < 16 || len(p.key) > 64 {
		return bad("its hash")
	}
	return p, nil
}
