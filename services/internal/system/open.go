package system

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/advisory/ingest"
	"github.com/stella-ops/stella/advisory/sources"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/netguard"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/channels"
	"github.com/stella-ops/stella/notify/timeline/folder"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/scan/pullsecret"
	"github.com/stella-ops/stella/services/internal/config"
	"github.com/stella-ops/stella/services/internal/vexsource"
	"github.com/stella-ops/stella/store"
	vexingest "github.com/stella-ops/stella/vex/ingest"
	"github.com/stella-ops/stella/vex/trust"
)

// Open opens what a configuration names beside the engines: keys, doors, sources.
// w has the engines.
func (w *World) Open(ctx context.Context, c *config.Config) error {
	w.Data, w.Tool = c.Data, cmp.Or(w.Tool, "devel")
	s := &w.Settings
	s.Lease, s.Parallel, s.Formats, s.TempDir = c.Worker.Lease, c.Worker.Parallel, c.Scanner.Formats, c.Worker.Temp
	s.Retention = &store.Retention{Scans: c.Retention.Scans, Keys: c.Retention.Keys, Events: c.Retention.Events, Notices: c.Retention.Notices, Samples: c.Retention.Samples}
	s.Images, s.Registries = images(c), registries(c.Network.Registries)
	for _, r := range c.Network.Registries {
		if r.PlainHTTP {
			s.PlainHTTP = append(s.PlainHTTP, r.Host)
		}
	}
	s.Quota, s.StoreLayers = scan.Quota{Open: c.Scanner.Quota.Queued, Daily: c.Scanner.Quota.PerDay}, c.Scanner.StoreLayers
	if secret := c.Scanner.PullKey.Reveal(); secret != "" {
		k, err := Key256(secret)
		if err == nil {
			s.Pull, err = pullsecret.New(k)
		}
		if err != nil {
			return fmt.Errorf("scanner.pull_key: %w", err)
		}
	}
	secrets := folderSecrets(c.Notifier.Secrets)
	return errors.Join(
		w.openAdvisories(c), w.openVEX(c), w.openSigning(ctx, c, secrets), w.openNotify(c, secrets), w.openCheckpoints(ctx, c),
	)
}

// images is how registries are reached.
func images(c *config.Config) *image.Network {
	n := &image.Network{Policy: image.NetworkService, Allow: c.Network.Allow}
	if c.Profile == config.AirGap {
		n.Policy = image.NetworkAirGap
	}
	for _, r := range c.Network.Registries {
		if r.CA != "" {
			n.CAFiles = append(n.CAFiles, r.CA)
		}
	}
	return n
}

// registries presents what is configured for a registry and a tenant, and nothing of the
// account that the process runs as. What is for one tenant is for no other.
func registries(list []config.Registry) func(tenant string) image.Credentials {
	return func(tenant string) image.Credentials {
		return func(_ context.Context, registry, _ string) (image.Credential, error) {
			var out image.Credential
			for _, r := range list {
				if strings.EqualFold(r.Host, registry) && (r.Tenant == tenant && tenant != "" || r.Tenant == "" && out == (image.Credential{})) {
					out = image.Credential{Username: r.Username, Password: r.Password.Reveal()}
				}
			}
			return out, nil
		}
	}
}

func isAddress(s string) bool {
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

// door is how publishers of advisories and VEX are reached: mirrors first, and in a closed
// installation nobody else.
func door(c *config.Config) (advisory.Door, error) {
	mirror, closed := c.Concelier.Mirror, c.Profile == config.AirGap
	if closed && !isAddress(mirror) {
		return feed.Dir(mirror), nil
	}
	o := &feed.Options{Network: feed.Network{Allow: c.Network.Allow}, MirrorsOnly: closed}
	if isAddress(mirror) {
		o.Mirrors = []feed.Mirror{{Base: mirror}}
	}
	client, err := feed.NewClient(o)
	if err != nil || mirror == "" || isAddress(mirror) {
		return client, err
	}
	return feed.Chain{feed.Dir(mirror), client}, nil
}

func (w *World) openAdvisories(c *config.Config) error {
	var names []string
	for n := range c.Concelier.Sources {
		names = append(names, n)
	}
	if len(names) == 0 {
		return nil
	}
	list, err := sources.Named(names...)
	if err != nil {
		return fmt.Errorf("concelier.sources: %w", err)
	}
	for _, s := range list {
		w.Settings.Advisories.Sources = append(w.Settings.Advisories.Sources, ingest.Scheduled{Source: s, Every: c.Concelier.Sources[s.Describe().Name]})
	}
	w.Settings.Advisories.Door, err = door(c)
	return err
}

func (w *World) openVEX(c *config.Config) (err error) {
	s := &w.Settings.VEX
	if c.Excititor.Trust != "" {
		text, err := os.ReadFile(c.Excititor.Trust)
		if err != nil {
			return fmt.Errorf("excititor.trust: %w", err)
		}
		doc, err := trust.Parse(filepath.Base(c.Excititor.Trust), text)
		if err != nil {
			return fmt.Errorf("excititor.trust: %w", err)
		}
		s.Trust, s.Verifier = doc.Trust(), doc.Verifier(&trust.Options{At: time.Now()})
	}
	for _, name := range c.Excititor.Sources {
		source, err := vexsource.Named(name, "", &image.Options{Network: w.Settings.Images, Credentials: w.Settings.Registries("")})
		if err != nil {
			return fmt.Errorf("excititor.sources: %w", err)
		}
		s.Sources = append(s.Sources, vexingest.Scheduled{Source: source, Every: c.Excititor.Interval})
	}
	if len(s.Sources) > 0 {
		s.Door, err = door(c)
	}
	return err
}

// folderSecrets gives what a tenant's reference file:NAME stands for: the file TENANT/NAME
// of a folder.
func folderSecrets(dir string) func(ctx context.Context, tenant, ref string) ([]byte, error) {
	return func(_ context.Context, tenant, ref string) ([]byte, error) {
		rest, ok := strings.CutPrefix(ref, "file:")
		name := tenant + "/" + rest
		if !ok || dir == "" || tenant == "" || strings.Contains(tenant, "/") || !fs.ValidPath(name) {
			return nil, fmt.Errorf("secret %.80q of tenant %.80q: there is none of that name: %w", ref, tenant, fault.NotFound)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, fmt.Errorf("secrets: %v: %w", err, fault.Unavailable)
		}
		defer root.Close()
		text, err := root.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("secret %.80q of tenant %.80q: there is none of that name: %w", ref, tenant, fault.NotFound)
		}
		return []byte(strings.TrimRight(string(text), "\r\n")), nil
	}
}

func (w *World) openNotify(c *config.Config, secrets func(context.Context, string, string) ([]byte, error)) error {
	n := &w.Settings.Notify
	n.BaseURL, n.Parallel = cmp.Or(c.Notifier.BaseURL, c.URL), c.Notifier.Parallel
	n.Lease = c.Notifier.Lease
	n.Channels = channels.Options{Secret: secrets, Allow: c.Notifier.Allow}
	if c.Profile == config.AirGap { // nothing is reached but what is listed
		door, err := netguard.AirGap(append(slices.Clone(c.Network.Allow), c.Notifier.Allow...)...).Door()
		if err != nil {
			return fmt.Errorf("notifier.allow: %w", err)
		}
		transport, err := door.Transport(nil)
		if err != nil {
			return fmt.Errorf("notifier.allow: %w", err)
		}
		n.Channels.Transport, n.Channels.DialContext = transport, door.DialContext
	}
	if secret := c.Notifier.AckKey.Reveal(); secret != "" {
		key, err := Key256(secret)
		if err == nil {
			n.Ack, err = notify.NewAckKey(key)
		}
		if err != nil {
			return fmt.Errorf("notifier.ack_key: %w", err)
		}
	}
	return nil
}

func (w *World) openCheckpoints(ctx context.Context, c *config.Config) error {
	if c.Timeline.Checkpoints == "" || c.Timeline.Key == "" {
		return nil // another process signs
	}
	k, err := key.Open(ctx, c.Timeline.Key, nil)
	if err != nil {
		return fmt.Errorf("timeline.key: %w", err)
	}
	sink, err := folder.New(c.Timeline.Checkpoints)
	if err != nil {
		return fmt.Errorf("timeline.checkpoints: %w", err)
	}
	w.Settings.Checkpoints = Checkpoints{Key: k, Sink: sink, Every: c.Timeline.Every, Trust: dsse.Trust{Threshold: 1, Keys: []dsse.Verifier{k.Public()}}}
	return nil
}

// Key256 reads 32 bytes in hex or base64.
func Key256(text string) ([]byte, error) {
	for _, decode := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString, base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString} {
		if b, err := decode(text); err == nil && len(b) == 32 {
			return b, nil
		}
	}
	return nil, fmt.Errorf("want 32 bytes in base64 or hex: %w", fault.Invalid)
}

// defaults of exports: what is made of each scan for tenants without settings of their own.
func exportDefaults(c *config.Config, signs, logs bool) (export.Settings, error) {
	s := export.Settings{Mode: export.Off}
	switch {
	case signs && logs:
		s.Mode = export.SignLog
	case signs:
		s.Mode = export.Sign
	}
	for _, f := range c.Exporter.Formats {
		s.Formats = append(s.Formats, export.Format(f))
	}
	return s, s.Check()
}
