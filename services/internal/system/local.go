package system

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/services/internal/config"
)

// Local fills in what an embedded installation need not be told: it makes keys of its own
// in its data folder at the first start, and has them used where nothing else is
// configured. Whatever is configured stays.
func Local(c *config.Config) error {
	if c.Profile == config.Distributed {
		return nil
	}
	dir := filepath.Join(c.Data, "keys")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keys of the installation: %w", err)
	}
	l := &local{dir: dir}
	if c.Authority.SealKey.Reveal() == "" {
		c.Authority.SealKey = config.NewSecret(l.text("seal", 32))
	}
	if c.Scanner.PullKey.Reveal() == "" {
		c.Scanner.PullKey = config.NewSecret(l.text("pull", 32))
	}
	if c.Notifier.AckKey.Reveal() == "" {
		c.Notifier.AckKey = config.NewSecret(l.text("links", 32))
	}
	if len(c.Signer.Keys) == 0 && c.Attestor.Roots == "" {
		c.Signer.Keys = []config.SigningKey{{Name: "local", Ref: l.key("signing")}}
		c.Signer.Default = "local"
	}
	if c.Attestor.Log == "" && c.Attestor.Roots == "" {
		c.Attestor.Log, c.Attestor.LogKey = filepath.Join(c.Data, "log"), l.key("log")
		c.Attestor.LogOrigin = "log-" + l.text("log-name", 4) + ".stella.internal"
	}
	if c.Timeline.Checkpoints == "" {
		c.Timeline.Checkpoints, c.Timeline.Key = filepath.Join(c.Data, "checkpoints"), l.key("checkpoints")
	}
	return l.err
}

// local makes what is missing in a folder.
type local struct {
	dir string
	err error // the first
}

// text returns the random bytes of a name, in hex.
func (l *local) text(name string, n int) string {
	secret := make([]byte, n)
	rand.Read(secret)
	return string(bytes.TrimSpace(l.file(name+".key", func() ([]byte, error) { return []byte(hex.EncodeToString(secret) + "\n"), nil })))
}

// key returns the file of a signing key.
func (l *local) key(name string) string {
	l.file(name+".pem", func() ([]byte, error) {
		k, err := key.Generate(key.P256)
		if err != nil {
			return nil, err
		}
		return k.PEM()
	})
	return filepath.Join(l.dir, name+".pem")
}

// file returns what is in a file, which is made where it is missing.
func (l *local) file(name string, content func() ([]byte, error)) []byte {
	path := filepath.Join(l.dir, name)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if text, err = content(); err == nil {
			err = key.WriteFile(path, text)
		}
		if errors.Is(err, key.ErrConflict) { // another process was first
			text, err = os.ReadFile(path)
		}
	}
	if err != nil && l.err == nil {
		l.err = fmt.Errorf("keys of the installation: %w", err)
	}
	return text
}
