package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/advisory/sources"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/netguard"
	"github.com/stella-ops/stella/internal/suggest"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// check runs the checks that tags name on every value, then those of several keys.
func (l *loader) check() {
	l.walk(func(path string, v any, f field) {
		is := f.tag.Get("is")
		if is == "" || l.origins[path] == "url" {
			return // what was taken from url is checked there
		}
		run := l.checks()[is]
		if run == nil {
			panic("config: no check is called " + is)
		}
		text := ""
		switch v := v.(type) {
		case string:
			text = v
		case URL:
			text = v.Reveal()
		case Secret:
			text = v.Reveal()
		}
		if err := run(text); err != nil {
			switch f.typ {
			case secretType:
				text = ""
			case urlType:
				text = shownURL(text)
			default:
				text = shown(text)
			}
			l.bad(path, l.origin(path), text, "%v", err)
		}
	})
	for _, f := range fields() {
		if f.typ.Kind() == reflect.Map {
			l.names(f)
		}
	}
	l.across()
}

// origin is where a path, or what it is in, was given.
func (l *loader) origin(path string) string {
	for p := path; p != ""; {
		if s := l.origins[p]; s != "" {
			return s
		}
		i := strings.LastIndexAny(p, ".[")
		if i < 0 {
			break
		}
		p = p[:i]
	}
	return ""
}

// names checks the names of a map.
func (l *loader) names(f field) {
	known := Systems
	if f.tag.Get("keys") == "source" {
		known = nil
		for _, s := range sources.All() {
			known = append(known, s.Describe().Name)
		}
	}
	for _, key := range l.out.at(f.index).MapKeys() {
		if name := key.String(); !slices.Contains(known, name) {
			l.bad(join(f.key, name), l.origin(join(f.key, name)), "", "no %s is called that%s", f.tag.Get("keys"), hint(name, known))
		}
	}
}

// checks are the checks of single values, by the name that tags have for them.
func (l *loader) checks() map[string]func(string) error {
	return map[string]func(string) error{
		"name": func(s string) error {
			if !nameForm.MatchString(s) {
				return fmt.Errorf("want 1 to 64 letters, digits, '-', '_' and '.'")
			}
			return nil
		},
		"address": address,
		"host":    host,
		"prefix":  func(s string) error { _, err := Prefix(s); return err },
		"origin":  webOrigin,
		"service": func(s string) error { return l.web(s, false) },
		"outward": func(s string) error { return l.web(s, true) },
		"log": func(s string) error {
			if s == "store" {
				return nil
			}
			if strings.Contains(s, "://") {
				return l.web(s, true)
			}
			return folder(s)
		},
		"outward or folder": func(s string) error {
			if strings.Contains(s, "://") {
				return l.web(s, true)
			}
			return folder(s)
		},
		"folder": folder, "file": regular, "key": privateKey, "ed25519 key": ed25519Key, "trust folder": trustFolder,
		"key256": key256,
		"store":  func(s string) error { return backend(s, "sqlite", "postgres", "postgresql") },
		"owner":  func(s string) error { return backend(s, "postgres", "postgresql") },
		"queue":  func(s string) error { return backend(s, "valkey", "valkeys", "redis", "rediss", "nats", "tls", "mem") },
		"cache":  func(s string) error { return backend(s, "valkey", "valkeys", "redis", "rediss", "mem") },
		"bucket": func(s string) error { return backend(s, "file", "s3", "mem") },
		"sbom format": func(s string) error {
			if !format.CanEncode(s) {
				return fmt.Errorf("want a format that is written, such as %s%s", strings.Join(format.Writable(), ", "), suggest.Phrase(s, format.Writable()))
			}
			return nil
		},
		"export format": func(s string) error {
			if !slices.Contains(export.Formats(), export.Format(s)) {
				return fmt.Errorf("want one of %v", export.Formats())
			}
			return nil
		},
		"vex source":    l.vexSource,
		"key reference": keyReference,
	}
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// address accepts where something listens.
func address(s string) error {
	h, port, err := net.SplitHostPort(s)
	n, number := strconv.ParseUint(port, 10, 16)
	if err != nil || number != nil || port != strconv.FormatUint(n, 10) || strings.ContainsAny(h, "/@ ") {
		return fmt.Errorf("want HOST:PORT, such as 127.0.0.1:8443 or :8443")
	}
	return nil
}

func host(s string) error {
	if _, err := netguard.Service(s).Door(); err != nil || s == "" {
		return fmt.Errorf("want a host, HOST:PORT, *.DOMAIN, an address or a prefix such as 10.0.0.0/8")
	}
	return nil
}

// Prefix reads an address or a prefix of addresses.
func Prefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() || p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("want an address, or a prefix such as 10.0.0.0/8")
	}
	return p, nil
}

// webURL reads an address of http or https that has no password.
func webURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Opaque != "" || u.Host == "" || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("want https://HOST")
	case u.User != nil:
		return nil, fmt.Errorf("it has a user or a password, which this address must not have")
	case u.Fragment != "" || u.RawFragment != "":
		return nil, fmt.Errorf("it has a fragment (#…), which is not sent")
	}
	return u, nil
}

// loopback reports whether a host is this machine.
func loopback(host string) bool {
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && a.Unmap().IsLoopback()
}

// webOrigin accepts an origin: where clients find something.
func webOrigin(s string) error {
	u, err := webURL(s)
	if err != nil {
		return err
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return fmt.Errorf("want an origin alone, without path and query")
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return fmt.Errorf("want https: tokens travel to it")
	}
	return nil
}

// web accepts where something is asked.
func (l *loader) web(s string, outward bool) error {
	u, err := webURL(s)
	if err != nil {
		return err
	}
	port := u.Port()
	if u.Scheme == "http" && !loopback(u.Hostname()) && !listed(l.out.Network.PlainHTTP, u.Hostname(), port) {
		return fmt.Errorf("want https, or %s in network.plain_http", u.Host)
	}
	if outward && l.out.Profile == AirGap && !loopback(u.Hostname()) && !listed(l.out.Network.Allow, u.Hostname(), port) {
		return fmt.Errorf("the installation is closed: list %s in network.allow, or leave it out", u.Hostname())
	}
	return nil
}

// listed reports whether a list of hosts has one. Names are not looked up.
func listed(list []string, host, port string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	a, err := netip.ParseAddr(host)
	for _, entry := range list {
		entry = strings.ToLower(entry)
		if p, e := netip.ParsePrefix(entry); e == nil {
			if err == nil && p.Contains(a.Unmap()) {
				return true
			}
			continue
		}
		if h, p, e := net.SplitHostPort(entry); e == nil {
			if p != port {
				continue
			}
			entry = h
		}
		if domain, ok := strings.CutPrefix(entry, "*."); ok && strings.HasSuffix(host, "."+domain) || strings.Trim(entry, "[]") == host {
			return true
		}
	}
	return false
}

// backend accepts the URL of a store, a queue, a cache or a bucket, as far as that can be
// said without asking it.
func backend(s string, schemes ...string) error {
	u, err := url.Parse(s)
	if err != nil {
		return fmt.Errorf("the URL cannot be parsed: write special characters of user and password as %%XX")
	}
	if !slices.Contains(schemes, u.Scheme) {
		return fmt.Errorf("scheme %q: want one of %s", u.Scheme, strings.Join(schemes, ", "))
	}
	switch u.Scheme {
	case "mem":
		if u.Host != "" || u.Path != "" || u.Opaque != "" {
			return fmt.Errorf("memory has no address: want mem: alone")
		}
	case "sqlite", "file":
		if u.Opaque == "" && u.Path == "" {
			return fmt.Errorf("want %s:PATH", u.Scheme)
		}
	case "s3":
		if u.Host == "" {
			return fmt.Errorf("want s3://KEY:SECRET@BUCKET?endpoint=URL")
		}
		if e := u.Query().Get("endpoint"); e != "" {
			if _, err := webURL(e); err != nil {
				return fmt.Errorf("endpoint: %w", err)
			}
		}
	default:
		if u.Hostname() == "" && u.Query().Get("host") == "" {
			return fmt.Errorf("it has no host")
		}
	}
	return nil
}

// vexSource accepts a source of VEX.
func (l *loader) vexSource(s string) error {
	kind, address, found := strings.Cut(s, ":")
	want := fmt.Errorf("want vexhub, rancher, redhat, suse, repository:URL, csaf:URL or image:REFERENCE%s", suggest.Phrase(kind, []string{"vexhub", "rancher", "redhat", "suse", "repository", "csaf", "image"}))
	switch kind {
	case "vexhub", "rancher", "redhat", "suse":
		if found {
			return want
		}
		if l.out.Profile == AirGap {
			return fmt.Errorf("the installation is closed, and this source is online: carry what it says in an offline kit")
		}
	case "repository", "csaf":
		if err := l.web(address, true); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	case "image":
		name, _, _ := strings.Cut(address, "/")
		if address == "" {
			return want
		}
		if h := (&url.URL{Host: name}).Hostname(); l.out.Profile == AirGap && !listed(l.out.Network.Allow, h, (&url.URL{Host: name}).Port()) {
			return fmt.Errorf("the installation is closed: list %s in network.allow, or leave it out", h)
		}
	default:
		return want
	}
	return nil
}

// folder accepts one that exists.
func folder(s string) error {
	info, err := os.Stat(s)
	switch {
	case err != nil:
		return plain(err)
	case !info.IsDir():
		return fmt.Errorf("it is not a folder")
	}
	return nil
}
