package system

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/rekor/rekorclient"
	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/internal/config"
	"github.com/stella-ops/stella/store/blob"
)

// LogInStore is where attestor.log keeps a log that all processes share: its head in the
// store, its tiles among the objects.
const LogInStore = "store"

// openSigning opens keys, log and authority, and the trust root that names them.
func (w *World) openSigning(ctx context.Context, c *config.Config, secrets func(context.Context, string, string) ([]byte, error)) error {
	s := &w.Settings.Signing
	s.Secret, s.Parallel = secrets, c.Exporter.Parallel
	if c.Attestor.Roots != "" {
		text, err := os.ReadFile(c.Attestor.Roots)
		if err != nil {
			return fmt.Errorf("attestor.roots: %w", err)
		}
		if s.Root, err = attest.DecodeRoot(text); err != nil {
			return fmt.Errorf("attestor.roots: %w", err)
		}
	}
	keys, err := openKeys(ctx, c, s.Root)
	if err != nil {
		return err
	}
	if keys != nil {
		s.Keys = keys
		if s.Root == nil { // nobody else signs here
			s.Root = &attest.Root{Keys: keys.ring()}
		}
	}
	if s.Root != nil {
		if err := w.openLog(ctx, c); err != nil {
			return fmt.Errorf("attestor.log: %w", err)
		}
	}
	if c.Attestor.Timestamp != "" && s.Root != nil {
		s.Stamper = &attest.Authority{Client: &timestamp.Client{URL: c.Attestor.Timestamp, Authorities: s.Root.Authorities}}
	}
	signs := s.Keys != nil || s.Root != nil // here or elsewhere: what is configured is the same for all processes
	s.Defaults, err = exportDefaults(c, signs, c.Attestor.Log != "")
	return err
}

// openLog opens the log that is configured, and has the trust root know it.
func (w *World) openLog(ctx context.Context, c *config.Config) error {
	s := &w.Settings.Signing
	switch {
	case c.Attestor.Log == "":
		return nil
	case isAddress(c.Attestor.Log):
		source, err := tlog.NewHTTPSource(c.Attestor.Log+"/api/v2", &tlog.HTTPOptions{Transport: http.DefaultTransport})
		if err != nil {
			return err
		}
		s.Log = &rekorclient.Log{Client: &rekorclient.Client{URL: c.Attestor.Log}, Reader: tlog.NewReader(source, &s.Root.Logs)}
		return nil
	}
	if c.Attestor.LogKey == "" {
		return nil // this process reads and verifies; another one has the log
	}
	k, err := key.Open(ctx, c.Attestor.LogKey, nil)
	if err != nil {
		return err
	}
	signer, err := tlog.NewLogSigner(c.Attestor.LogOrigin, k.Public(), k)
	if err != nil {
		return err
	}
	storage, closer, err := w.logStorage(ctx, c)
	if err != nil {
		return err
	}
	w.closers = append(w.closers, closer)
	log, err := tlog.Open(ctx, storage, signer, &tlog.Options{Report: w.report("attestor")})
	if err != nil {
		return err
	}
	w.closers = append(w.closers, log.Close)
	s.Log = &attest.Embedded{Log: log}
	if !slices.ContainsFunc(s.Root.Logs.Logs, func(l tlog.LogKey) bool { return l.Key.String() == log.Key().String() }) {
		s.Root.Logs.Logs = append(slices.Clip(s.Root.Logs.Logs), tlog.LogKey{Key: log.Key()})
	}
	return nil
}

func (w *World) logStorage(ctx context.Context, c *config.Config) (tlog.Storage, func() error, error) {
	if c.Attestor.Log != LogInStore {
		s, closer, err := tlog.NewDir(c.Attestor.Log)
		if err != nil {
			return s, nil, err
		}
		return s, closer.Close, nil
	}
	head, err := w.Store.LogHead(c.Attestor.LogOrigin)
	if err != nil {
		return tlog.Storage{}, nil, err
	}
	where := c.Bucket.Reveal()
	if where == "" {
		where = "file:" + filepath.Join(c.Data, "artifacts")
	}
	d, err := blob.OpenDriver(ctx, where)
	if err != nil {
		return tlog.Storage{}, nil, err
	}
	return tlog.Storage{Files: tlog.NewFiles(d, "+log/"+c.Attestor.LogOrigin+"/"), Head: head}, d.Close, nil
}

// keys has the keys of tenants. It is an attest.Keys.
type keys struct {
	tenants map[string]*attest.Held
	others  *attest.Held // nil: nothing is signed for those who have no key
}

// openKeys opens the configured keys; nil without one.
func openKeys(ctx context.Context, c *config.Config, root *attest.Root) (*keys, error) {
	if len(c.Signer.Keys) == 0 {
		return nil, nil
	}
	out := &keys{tenants: map[string]*attest.Held{}}
	for _, k := range c.Signer.Keys {
		password := k.Password.Reveal()
		opened, err := key.Open(ctx, k.Ref, &key.Options{Password: func(context.Context, string) ([]byte, error) {
			if password == "" {
				return nil, fmt.Errorf("the key is encrypted and has no password: %w", fault.Invalid)
			}
			return []byte(password), nil
		}})
		if err != nil {
			return nil, fmt.Errorf("signer.keys: %s: %w", k.Name, err)
		}
		ring := key.Ring{Members: []key.Member{{Key: opened.Public(), From: time.Unix(0, 0).UTC(), Purposes: []string{key.AnyPurpose}}}}
		if root != nil {
			ring = root.Keys
		}
		held := func(have *attest.Held) *attest.Held {
			if have == nil {
				return &attest.Held{Ring: ring, Open: []attest.Key{opened}, Now: time.Now}
			}
			have.Open = append(have.Open, opened)
			if root == nil {
				have.Ring.Members = append(have.Ring.Members, ring.Members...)
			}
			return have
		}
		for _, t := range k.Tenants {
			out.tenants[t] = held(out.tenants[t])
		}
		if k.Name == c.Signer.Default {
			out.others = held(out.others)
		}
	}
	return out, nil
}

func (k *keys) of(tenant string) (*attest.Held, error) {
	if h := k.tenants[tenant]; h != nil {
		return h, nil
	}
	if k.others == nil {
		return nil, fmt.Errorf("a key of tenant %.80q: none is configured: %w", tenant, fault.NotFound)
	}
	return k.others, nil
}

// Current is that of attest.Keys.
func (k *keys) Current(ctx context.Context, tenant, predicateType string) (string, error) {
	h, err := k.of(tenant)
	if err != nil {
		return "", err
	}
	return h.Current(ctx, tenant, predicateType)
}

// Key is that of attest.Keys.
func (k *keys) Key(ctx context.Context, tenant, id, predicateType string) (attest.Key, error) {
	h, err := k.of(tenant)
	if err != nil {
		return nil, err
	}
	return h.Key(ctx, tenant, id, predicateType)
}

// ring is the public keys of all.
func (k *keys) ring() key.Ring {
	var out key.Ring
	seen := map[string]bool{}
	add := func(h *attest.Held) {
		if h == nil {
			return
		}
		for _, m := range h.Ring.Members {
			if !seen[m.Key.KeyID()] {
				seen[m.Key.KeyID()] = true
				out.Members = append(out.Members, m)
			}
		}
	}
	add(k.others)
	for _, h := range k.tenants {
		add(h)
	}
	slices.SortFunc(out.Members, func(a, b key.Member) int { return cmp.Compare(a.Key.KeyID(), b.Key.KeyID()) })
	return out
}
