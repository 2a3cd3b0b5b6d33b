package attesthttp

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/fault"
)

// allow refuses a place that nothing may be pushed to. Whoever connects judges its
// address again.
func (h *ExportHandler) allow(c *call, d *export.Destination) error {
	if err := checkTarget(d); err != nil {
		return err
	}
	if h.Allow != nil {
		if err := h.Allow(c.r.Context(), c.who.Tenant, d); err != nil {
			return fmt.Errorf("%s: %w", clip(err.Error()), kindOr(err, fault.Forbidden))
		}
		return nil
	}
	if strings.HasPrefix(d.URL, "file:") {
		return fmt.Errorf("nothing is pushed to folders of this machine: %w", fault.Forbidden)
	}
	return nil
}

// kindOr is an error's kind, or another one.
func kindOr(err error, other fault.Kind) fault.Kind {
	if k := fault.KindOf(err); k != "" {
		return k
	}
	return other
}

// checkTarget refuses what has not the form of a place. What it answers repeats nothing
// of a URL that may hold a secret.
func checkTarget(d *export.Destination) error {
	if strings.IndexFunc(d.Name, func(c rune) bool { return c < ' ' || c > '~' }) >= 0 {
		return fmt.Errorf("name: want printable ASCII characters: %w", fault.Invalid)
	}
	u, err := url.Parse(d.URL)
	if err != nil || strings.IndexFunc(d.URL, func(c rune) bool { return c <= ' ' || c > '~' || c == '\\' }) >= 0 {
		return fmt.Errorf("url: it is none: %w", fault.Invalid)
	}
	switch u.Scheme {
	case "file":
		if u.Host != "" || u.RawQuery != "" {
			return fmt.Errorf("url: want file: and a path, and no host or query: %w", fault.Invalid)
		}
	case "https", "s3", "oci":
		if u.Host == "" || u.Opaque != "" {
			return fmt.Errorf("url: want %s://HOST/…: %w", u.Scheme, fault.Invalid)
		}
	default:
		return fmt.Errorf("url: scheme %.20q: want https, s3, oci or file: %w", u.Scheme, fault.Invalid)
	}
	if u.User != nil || u.Fragment != "" {
		return fmt.Errorf("url: credentials are named by secret, and there is no fragment: %w", fault.Invalid)
	}
	if s := d.Secret; s != "" {
		kind, name, ok := strings.Cut(s, ":")
		if !ok || kind == "" || name == "" || len(s) > 256 || strings.IndexFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }) >= 0 {
			return fmt.Errorf("secret: want a reference such as env:NAME, and never the secret: %w", fault.Invalid)
		}
	}
	return nil
}
