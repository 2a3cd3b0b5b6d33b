package client

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/durable"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/filelock"
	"github.com/stella-ops/stella/services/auth/dpop"
)

// maxSession bounds the file of a session, in bytes.
const maxSession = 256 << 10

// Session is a login at one server.
type Session struct {
	Server string // its address
	Issuer string
	Client string // its id
	Tenant string // "" where nobody said
	// Key is what tokens are bound to.
	Key *dpop.Key
	// ClientKey is the file of the client's own key, where it acts for itself; "" where a
	// person logged in.
	ClientKey string
	// Token holds the refresh token; nil for a client that acts for itself.
	Token *Token
}

// kept is a session in its file.
type kept struct {
	Version   int    `json:"version"`
	Server    string `json:"server"`
	Issuer    string `json:"issuer"`
	Client    string `json:"client_id"`
	Tenant    string `json:"tenant,omitempty"`
	Key       []byte `json:"key"` // PKCS #8
	ClientKey string `json:"client_key_file,omitempty"`
	Token     *Token `json:"token,omitempty"`
}

// Folder keeps sessions in files of a folder that its owner alone reads. It is safe for
// concurrent use, by several processes too. A file that others may read is refused.
type Folder struct {
	Path string
}

// name is the file of a server's session.
func (f *Folder) name(server string) string {
	sum := sha256.Sum256([]byte(server))
	host := "server"
	if u, err := url.Parse(server); err == nil && u.Hostname() != "" {
		host = strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
				return r
			}
			return '_'
		}, strings.ToLower(u.Hostname()))
	}
	return filepath.Join(f.Path, "session-"+host[:min(len(host), 80)]+"-"+hex.EncodeToString(sum[:6])+".json")
}

// Read returns the session at a server. Where there is none the error wraps ErrNotFound.
func (f *Folder) Read(server string) (*Session, error) {
	s, err := readSession(f.name(server))
	if err == nil && s.Server != server {
		err = &fault.MismatchError{What: "server of a session", Want: server, Got: clip(s.Server)}
	}
	if err != nil {
		return nil, fmt.Errorf("session at %s: %w", server, err)
	}
	return s, nil
}

func readSession(name string) (*Session, error) {
	file, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is none: %w", fault.NotFound)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s may be read by others (mode %04o): log in again, and make it 0600: %w", name, info.Mode().Perm(), fault.Forbidden)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxSession+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSession {
		return nil, &fault.LimitError{What: "bytes of a session", Where: name, Max: maxSession}
	}
	return decodeSession(text, name)
}

// decodeSession reads a session. What is wrong is not quoted: it may be a key.
func decodeSession(text []byte, name string) (*Session, error) {
	bad := fmt.Errorf("%s is no session of this release: log in again: %w", name, fault.Invalid)
	var k kept
	if json.Unmarshal(text, &k) != nil || k.Version != 1 || k.Issuer == "" || k.Client == "" {
		return nil, bad
	}
	private, err := x509.ParsePKCS8PrivateKey(k.Key)
	signer, ok := private.(crypto.Signer)
	if err != nil || !ok {
		return nil, bad
	}
	key, err := dpop.NewKey(signer)
	if err != nil {
		return nil, bad
	}
	return &Session{Server: k.Server, Issuer: k.Issuer, Client: k.Client, Tenant: k.Tenant, Key: key, ClientKey: k.ClientKey, Token: k.Token}, nil
}

// Write keeps a session, in place of another one at the same server.
func (f *Folder) Write(ctx context.Context, s *Session) error {
	unlock, err := f.lock(ctx, s.Server)
	if err != nil {
		return err
	}
	defer unlock()
	return f.write(s)
}

func (f *Folder) write(s *Session) error {
	key, err := x509.MarshalPKCS8PrivateKey(s.Key.Signer())
	if err != nil {
		return fmt.Errorf("keep the session at %s: its key: %w", s.Server, fault.Invalid)
	}
	text, err := json.Marshal(kept{1, s.Server, s.Issuer, s.Client, s.Tenant, key, s.ClientKey, s.Token}, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("keep the session at %s: %w", s.Server, err)
	}
	// Its temporary file is its owner's alone from the beginning, as os.CreateTemp makes it.
	if err := durable.Replace(f.name(s.Server), durable.Bytes(text)); err != nil {
		return fmt.Errorf("keep the session at %s: %w", s.Server, err)
	}
	return nil
}

// Remove forgets the session at a server. It is no error where there is none.
func (f *Folder) Remove(ctx context.Context, server string) error {
	unlock, err := f.lock(ctx, server)
	if err != nil {
		return err
	}
	defer unlock()
	if err := os.Remove(f.name(server)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("forget the session at %s: %w", server, err)
	}
	return nil
}

// Servers lists the servers that there are sessions at, sorted. Files that are no sessions
// are left out.
func (f *Folder) Servers() ([]string, error) {
	names, err := filepath.Glob(filepath.Join(f.Path, "session-*.json"))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range names {
		if s, err := readSession(name); err == nil {
			out = append(out, s.Server)
		}
	}
	slices.Sort(out)
	return out, nil
}

// Vault keeps the token of the session at a server, so that all processes that use it
// share each refresh.
func (f *Folder) Vault(server string) Vault { return &vault{f, server} }

type vault struct {
	folder *Folder
	server string
}

// Update implements Vault.
func (v *vault) Update(ctx context.Context, f func(*Token) (*Token, error)) (*Token, error) {
	unlock, err := v.folder.lock(ctx, v.server)
	if err != nil {
		return nil, err
	}
	defer unlock()
	s, err := v.folder.Read(v.server)
	if err != nil {
		return nil, err
	}
	t, err := f(s.Token)
	if err != nil || t == s.Token {
		return t, err
	}
	s.Token = t
	if err := v.folder.write(s); err != nil {
		return nil, err
	}
	return t, nil
}

// lockPause is how long to wait before a lock is tried again.
const lockPause = 20 * time.Millisecond

// lock keeps other processes away from a session.
func (f *Folder) lock(ctx context.Context, server string) (unlock func(), err error) {
	wrap := func(err error) error { return fmt.Errorf("lock the session at %s: %w", server, err) }
	if err := os.MkdirAll(f.Path, 0o700); err != nil {
		return nil, wrap(err)
	}
	file, err := os.OpenFile(f.name(server)+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, wrap(err)
	}
	for {
		err := filelock.Try(file)
		if err == nil || errors.Is(err, filelock.ErrUnsupported) {
			return func() { file.Close() }, nil
		}
		if !errors.Is(err, filelock.ErrHeld) {
			file.Close()
			return nil, wrap(err)
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, wrap(context.Cause(ctx))
		case <-time.After(lockPause):
		}
	}
}
