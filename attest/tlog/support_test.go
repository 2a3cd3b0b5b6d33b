package tlog_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/tlog"
)

const origin = "log.example/one"

var ctx = context.Background()

// key makes an Ed25519 key of a name.
func key(name string) *dsse.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	k, err := dsse.NewPrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		panic(err)
	}
	return k
}

// logSigner makes the signer of a log by its name.
func logSigner(name string) *tlog.Signer {
	k := key(name)
	s, err := tlog.NewLogSigner(name, k.Public(), k)
	if err != nil {
		panic(err)
	}
	return s
}

func witnessSigner(name string) *tlog.Signer {
	k := key(name)
	s, err := tlog.NewWitnessSigner(name, k.Public(), k)
	if err != nil {
		panic(err)
	}
	return s
}

// trusting is the policy that knows one log.
func trusting(name string) *tlog.Policy {
	return &tlog.Policy{Logs: []tlog.LogKey{{Key: logSigner(name).Key()}}}
}

func open(t testing.TB, s tlog.Storage, opt *tlog.Options) *tlog.Log {
	t.Helper()
	l, err := tlog.Open(ctx, s, logSigner(origin), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// quick are options without waiting.
func quick() *tlog.Options { return &tlog.Options{MaxDelay: -1} }

func dir(t testing.TB, path string) tlog.Storage {
	t.Helper()
	s, c, err := tlog.NewDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return s
}

func submit(t testing.TB, l *tlog.Log, entry string) *tlog.Receipt {
	t.Helper()
	r, err := l.Submit(ctx, []byte(entry))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func entry(i int) string { return fmt.Sprintf("entry %d", i) }

// line is a signature line over a note's text, by the C2SP specification.
func line(k *tlog.Key, private *dsse.PrivateKey, text string, at int64) string {
	message, sig := text, binary.BigEndian.AppendUint32(nil, k.ID())
	if k.Type() == tlog.TypeCosignature {
		message = fmt.Sprintf("cosignature/v1\ntime %d\n%s", at, text)
		sig = binary.BigEndian.AppendUint64(sig, uint64(at))
	}
	s, err := private.Sign(ctx, []byte(message))
	if err != nil {
		panic(err)
	}
	return "— " + k.Name() + " " + base64.StdEncoding.EncodeToString(append(sig, s...)) + "\n"
}

// logLine and witnessLine are lines of the keys of those names.
func logLine(name, text string) string { return line(logSigner(name).Key(), key(name), text, 0) }

func witnessLine(name, text string) string {
	return line(witnessSigner(name).Key(), key(name), text, 1700000000)
}

// body is the text of a checkpoint.
func body(origin string, size int64, root tlog.Hash) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, size, root)
}

func witnesses(names ...string) (out []*tlog.Key) {
	for _, n := range names {
		out = append(out, witnessSigner(n).Key())
	}
	return out
}

// files is a source in a map.
type files map[string][]byte

func (f files) Checkpoint(context.Context) ([]byte, error) { return f["checkpoint"], nil }

func (f files) Get(_ context.Context, path string, max int) ([]byte, error) {
	b, ok := f[path]
	switch {
	case !ok:
		return nil, fmt.Errorf("%s: %w", path, tlog.ErrNotFound)
	case len(b) > max:
		return nil, fmt.Errorf("%s: %w", path, tlog.ErrLimit)
	}
	return b, nil
}
