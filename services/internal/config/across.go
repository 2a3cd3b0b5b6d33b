package config

import (
	"net"
	"slices"
	"strings"
	"time"
)

// across checks what several keys say together.
func (l *loader) across() {
	l.ports()
	l.transport()
	l.storage()
	l.closedSite()
	l.proof()
	l.people()
	l.needs()
}

// about notes a mistake about a key.
func (l *loader) about(key, format string, args ...any) {
	l.bad(key, l.origin(key), "", format, args...)
}

func (l *loader) ports() {
	c := l.out
	if c.Listen == "" {
		l.about("listen", "it is empty: want HOST:PORT")
	}
	if address(c.Listen) != nil || c.Management.Listen == "" || address(c.Management.Listen) != nil {
		return
	}
	h1, p1, _ := net.SplitHostPort(c.Listen)
	h2, p2, _ := net.SplitHostPort(c.Management.Listen)
	if p1 == p2 && p1 != "0" && (h1 == h2 || anywhere(h1) || anywhere(h2) || loopback(h1) && loopback(h2)) {
		l.about("management.listen", "%s is where the API listens as well: give each a port", c.Management.Listen)
	}
	if c.Management.Pprof && !loopback(h2) {
		l.about("management.pprof", "it shows the memory of the process at %s: listen at 127.0.0.1", c.Management.Listen)
	}
}

func anywhere(host string) bool { return host == "" || host == "0.0.0.0" || host == "::" }

func (l *loader) transport() {
	c, t := l.out, l.out.TLS
	h, _, _ := net.SplitHostPort(c.Listen)
	switch {
	case t.Cert == "" && t.Key != "":
		l.about("tls.cert", "it is missing beside tls.key")
	case t.Cert != "" && t.Key == "":
		l.about("tls.key", "it is missing beside tls.cert")
	case t.Cert != "" && t.Off:
		l.about("tls.off", "a certificate is given as well: want one of both")
	case t.Cert == "" && !t.Off && address(c.Listen) == nil && !loopback(h):
		l.about("listen", "%s can be reached from elsewhere: give tls.cert and tls.key, or say tls.off where something in front does TLS", c.Listen)
	}
	if t.Cert != "" && t.Key != "" && regular(t.Cert) == nil {
		if err := certificates(t.Cert, t.Key, time.Now()); err != nil {
			l.about("tls.cert", "%v", err)
		}
	}
	if t.ClientCA != "" && regular(t.ClientCA) == nil {
		if err := authorities(t.ClientCA); err != nil {
			l.about("tls.client_ca", "%v", err)
		}
		if t.Cert == "" {
			l.about("tls.client_ca", "there are no client certificates without TLS: give tls.cert and tls.key")
		}
	}
	if c.Gateway.Rate.Burst < c.Gateway.Rate.PerSecond {
		l.about("gateway.rate.burst", "%d is below gateway.rate.per_second, which is %d", c.Gateway.Rate.Burst, c.Gateway.Rate.PerSecond)
	}
	if c.Scanner.Quota.Queued > c.Scanner.Quota.PerDay {
		l.about("scanner.quota.queued", "%d is over scanner.quota.per_day, which is %d", c.Scanner.Quota.Queued, c.Scanner.Quota.PerDay)
	}
}

// storage refuses what several processes cannot share.
func (l *loader) storage() {
	c := l.out
	if c.Profile != Distributed || len(l.in.Systems) > 0 && !slices.ContainsFunc(l.in.Systems, Stores) { // they have neither store nor objects
		return
	}
	if s := c.Store.Scheme(); s != "postgres" && s != "postgresql" {
		l.about("store", "the profile is distributed: want postgres://LOGIN@HOST/DATABASE")
	}
	if c.Queue.Scheme() == "mem" {
		l.about("queue", "the profile is distributed, and no other process can reach mem:")
	}
	if c.Cache.Scheme() == "mem" {
		l.about("cache", "the profile is distributed, and no other process can reach mem:")
	}
	path := strings.TrimPrefix(c.Bucket.Reveal(), "file:")
	switch s := c.Bucket.Scheme(); {
	case s == "":
		l.about("bucket", "the profile is distributed: want s3://…, or file:/FOLDER where all processes share that folder")
	case s == "mem":
		l.about("bucket", "the profile is distributed, and no other process can reach mem:")
	case s == "file" && !strings.HasPrefix(path, "/"):
		l.about("bucket", "the profile is distributed, and %s is relative to each process: want s3://… or file:/FOLDER", c.Bucket)
	}
}

// closedSite refuses what a closed installation cannot ask.
func (l *loader) closedSite() {
	c := l.out
	if c.Profile != AirGap {
		return
	}
	if len(c.Concelier.Sources) > 0 && c.Concelier.Mirror == "" {
		l.about("concelier.sources", "the installation is closed, and sources are online: give concelier.mirror, or carry what they say in an offline kit")
	}
	for _, u := range []struct {
		key string
		URL
	}{{"store", c.Store}, {"queue", c.Queue}, {"cache", c.Cache}, {"bucket", c.Bucket}} {
		if u.Scheme() == "s3" && !strings.Contains(u.Reveal(), "endpoint=") {
			l.about(u.key, "the installation is closed, and this is Amazon's: give an endpoint")
		}
	}
	for i, r := range c.Network.Registries {
		h, port, err := net.SplitHostPort(r.Host)
		if err != nil {
			h, port = r.Host, ""
		}
		if !loopback(h) && !listed(c.Network.Allow, h, port) {
			l.about("network.registries["+itoa(i)+"].host", "the installation is closed: list %s in network.allow, or leave it out", h)
		}
	}
}

// proof checks what is signed and verified.
func (l *loader) proof() {
	a, s, t := l.out.Attestor, l.out.Signer, l.out.Timeline
	if (a.Log != "" || a.Timestamp != "") && a.Roots == "" {
		l.about("attestor.roots", "it is empty, so nothing that a log or an authority answers would be believed: stella attest trust makes one")
	}
	local := a.Log != "" && !strings.Contains(a.Log, "://")
	if local && a.LogOrigin == "" {
		l.about("attestor.log_origin", "it is missing: attestor.log is one of your own")
	}
	if local && a.LogKey == "" && slices.Contains(l.in.Systems, "attestor") {
		l.about("attestor.log_key", "it is missing: attestor.log is one of your own")
	}
	if !local && (a.LogKey != "" || a.LogOrigin != "") {
		l.about("attestor.log_key", "it is for a log of your own, and attestor.log names none")
	}
	seen, owner := map[string]bool{}, map[string]string{}
	for i, k := range s.Keys {
		at := "signer.keys[" + itoa(i) + "]"
		if seen[k.Name] {
			l.about(at+".name", "two keys are called %s", k.Name)
		}
		seen[k.Name] = true
		for _, tenant := range k.Tenants {
			if other := owner[tenant]; other != "" {
				l.about(at+".tenants", "tenant %s has a key already, %s", tenant, other)
			}
			owner[tenant] = k.Name
		}
	}
	if s.Default != "" && !seen[s.Default] {
		l.about("signer.default", "no key of signer.keys is called %s", s.Default)
	}
	if t.Checkpoints == "" && t.Key != "" || t.Checkpoints != "" && t.Key == "" && slices.Contains(l.in.Systems, "timeline") {
		l.about("timeline.checkpoints", "want both of timeline.checkpoints and timeline.key, or none")
	}
	if e := l.out.Excititor; len(e.Sources) > 0 && e.Trust == "" {
		l.about("excititor.trust", "it is empty, so nothing that the sources say would count: write a trust document")
	}
}

// people checks lists of hosts and issuers.
func (l *loader) people() {
	hosts := map[string]bool{}
	for i, r := range l.out.Network.Registries {
		at := "network.registries[" + itoa(i) + "]"
		if key := strings.ToLower(r.Host) + " " + r.Tenant; hosts[key] {
			l.about(at+".host", "%s is there twice for the same tenant", r.Host)
		} else {
			hosts[key] = true
		}
		if (r.Username == "") != (r.Password.Reveal() == "") {
			l.about(at+".username", "want both of username and password, or none")
		}
	}
	seen := map[string]bool{}
	for i, f := range l.out.Authority.Federation {
		at := "authority.federation[" + itoa(i) + "]"
		if key := f.Issuer + " " + f.Audience; seen[key] {
			l.about(at+".issuer", "the issuer is there twice for the same audience")
		} else {
			seen[key] = true
		}
		if f.Issuer == l.out.Authority.Issuer && f.Issuer != "" {
			l.about(at+".issuer", "it is the authority's own")
		}
	}
}

// known checks that processes can know each other.
func (l *loader) known(runs func(string) bool) {
	c := l.out
	asks := runs("gateway") || runs("worker") && c.Worker.Callbacks || (runs("scanner") || runs("exporter")) && c.Services["signer"] != "" && !runs("signer")
	if asks && c.Identity.Key == "" {
		l.about("identity.key", "it is missing: this process asks others, who must know who it is")
	}
	serves := slices.ContainsFunc(l.in.Systems, func(s string) bool { return s != "worker" && Stores(s) })
	if serves && c.Identity.Trust == "" {
		l.about("identity.trust", "it is missing: this process serves others, and must know whom to believe")
	}
}

// needs checks what the systems of this process cannot do without.
func (l *loader) needs() {
	c := l.out
	runs := func(system string) bool { return slices.Contains(l.in.Systems, system) }
	for _, s := range l.in.Systems {
		if !slices.Contains(Systems, s) {
			l.bad("", "this program", "", "it runs %q, which is no system", s)
		}
	}
	if c.Profile == Distributed {
		l.known(runs)
		if (runs("gateway") || runs("authority")) && c.URL == "" {
			l.about("url", "it is missing: tokens and proofs are made for the origin that clients use")
		}
		if runs("authority") && c.Authority.SealKey.Reveal() == "" {
			l.about("authority.seal_key", "it is missing: all processes of the authority must open the same signing keys")
		}
	}
	if runs("worker") && c.Worker.Callbacks && c.Services["scanner"] == "" {
		l.about("worker.callbacks", "services.scanner is missing: where is the job reported?")
	}
	for name := range c.Gateway.Upstreams {
		if runs("gateway") && runs(name) {
			l.about("gateway.upstreams."+name, "%s runs in this process: leave it out", name)
		}
	}
}
