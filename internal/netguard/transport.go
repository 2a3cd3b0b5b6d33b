package netguard

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

const (
	dialTimeout      = 30 * time.Second
	tlsTimeout       = 15 * time.Second
	headerTimeout    = 60 * time.Second
	idleTimeout      = 60 * time.Second
	maxHeaderBytes   = 256 << 10 // of one answer
	maxOnceHeader    = 64 << 10  // of one answer where nothing but its status matters
	maxCABytes       = 4 << 20   // of one file of certificates
	maxIdle, perHost = 32, 8     // idle connections kept, in all and to one host
)

// TransportOptions are the details of a door's HTTP transport; the zero value
// is good.
type TransportOptions struct {
	// CAFiles are PEM files of certificate authorities that are trusted beside
	// the system's.
	CAFiles []string
	// HeaderTimeout bounds the wait for the header of an answer; 0 means a minute.
	HeaderTimeout time.Duration
	// MinRate is the least average speed of a body while it is being waited for,
	// in bytes per second, measured over RateWindow. 0 means 1 KiB/s over 30 s.
	MinRate    int64
	RateWindow time.Duration
	// Once gives every request a connection of its own, in HTTP/1.1, so that none is
	// sent again over another one.
	Once bool
	// DialContext replaces the door's own dialling, and with it the check of
	// addresses.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
}

// Transport is an [http.RoundTripper] through a door: TLS 1.2 or later, proxies
// as the policy says, bounded headers, bodies never decompressed and never
// slower than a least speed. It does not follow redirects; see [Client].
type Transport struct {
	door *Door
	base *http.Transport
	rate rate
}

// Transport returns a transport through the door.
func (d *Door) Transport(opt *TransportOptions) (*Transport, error) {
	if opt == nil {
		opt = &TransportOptions{}
	}
	roots, err := roots(opt.CAFiles)
	if err != nil {
		return nil, err
	}
	t := &Transport{door: d, rate: rate{min: opt.MinRate, window: opt.RateWindow}}
	if t.rate.min <= 0 {
		t.rate.min = 1 << 10
	}
	if t.rate.window <= 0 {
		t.rate.window = 30 * time.Second
	}
	t.base = &http.Transport{
		Proxy:                  d.proxyFor,
		DialContext:            d.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    tlsTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    perHost,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true, // bytes stay as they are stored, and no body can unfold
		ForceAttemptHTTP2:      true,
	}
	if opt.Once {
		t.base.ForceAttemptHTTP2 = false
		t.base.DisableKeepAlives = true
		t.base.MaxResponseHeaderBytes = maxOnceHeader
	}
	if opt.HeaderTimeout > 0 {
		t.base.ResponseHeaderTimeout = opt.HeaderTimeout
	}
	if opt.DialContext != nil {
		t.base.DialContext = opt.DialContext
	}
	return t, nil
}

// RoundTrip sends one request. Only http and https are spoken. The errors of
// refused connections are of type [*Refusal].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := checkTarget(req.URL); err != nil {
		return nil, err
	}
	if err := t.door.CheckURL(req.URL); err != nil {
		return nil, err
	}
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		var r *Refusal
		if errors.As(err, &r) {
			return nil, r
		}
		return nil, err
	}
	resp.Body = t.rate.guard(resp.Body, req.URL.Host)
	return resp, nil
}

// CloseIdleConnections closes connections that are not in use.
func (t *Transport) CloseIdleConnections() { t.base.CloseIdleConnections() }

// proxyFor asks the policy for a proxy and notes it as one that may be dialled.
// The policy's error is not shown: it can carry the proxy's password.
func (d *Door) proxyFor(req *http.Request) (*url.URL, error) {
	if d.policy.Proxy == nil {
		return nil, nil
	}
	u, err := d.policy.Proxy(req)
	if err != nil {
		return nil, fmt.Errorf("proxy for %s: the setting is not a proxy's address: %w", req.URL.Host, fault.Invalid)
	}
	if u != nil {
		d.proxy.Store(proxyAddr(u), true)
	}
	return u, nil
}

// proxyAddr is the address that net/http dials a proxy at.
func proxyAddr(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(canonicalHost(u.Hostname()), port)
}

// roots reads certificate files; no files mean the system's roots alone.
func roots(files []string) (*x509.CertPool, error) {
	if len(files) == 0 {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's certificate authorities: %w", err)
	}
	for _, name := range files {
		pem, err := readFile(name)
		if err != nil {
			return nil, fmt.Errorf("read certificate authorities: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("certificate authorities %s: no PEM certificate inside: %w", name, fault.Invalid)
		}
	}
	return pool, nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxCABytes+1))
	if err == nil && len(b) > maxCABytes {
		err = &fault.LimitError{What: "bytes of certificates", Where: name, Max: maxCABytes}
	}
	return b, err
}
