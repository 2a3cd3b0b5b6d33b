package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// Certificates are read from files, and again when those change: a certificate is replaced
// without a restart. Make them with OpenCertificates. They are safe for concurrent use.
type Certificates struct {
	files   CertificateFiles
	report  func(error)
	mu      sync.Mutex
	looked  time.Time
	stamp   [3]stamp
	current *tls.Config
}

// CertificateFiles name PEM files.
type CertificateFiles struct {
	Certificate, Key string
	// ClientCAs, where it is not "", has clients show a certificate that these have signed.
	ClientCAs string
	// MinVersion is the oldest version of TLS; 0 is TLS 1.2.
	MinVersion uint16
}

// stamp tells a file from the one that was read before.
type stamp struct {
	changed time.Time
	size    int64
}

// lookEvery bounds how often files are looked at.
const lookEvery = time.Second

// OpenCertificates reads the files. Later, where they cannot be read or do not belong
// together, those from before stay, and report is told, each time.
func OpenCertificates(files CertificateFiles, report func(error)) (*Certificates, error) {
	c := &Certificates{files: files, report: report}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

// config is what a listener uses: each handshake has a look at the files.
func (c *Certificates) config() *tls.Config {
	base := c.latest().Clone()
	base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.latest(), nil }
	return base
}

// latest returns the configuration of the files as they are.
func (c *Certificates) latest() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= lookEvery {
		c.looked = now
		if c.stamp != c.stamps() {
			if err := c.load(); err != nil && c.report != nil {
				c.report(err)
			}
		}
	}
	return c.current
}

func (c *Certificates) stamps() (out [3]stamp) {
	for i, name := range []string{c.files.Certificate, c.files.Key, c.files.ClientCAs} {
		if info, err := os.Stat(name); name != "" && err == nil {
			out[i] = stamp{changed: info.ModTime(), size: info.Size()}
		}
	}
	return out
}

// load reads the files. What is read while files are replaced does not belong together, and
// is read again at the next look.
func (c *Certificates) load() error {
	before := c.stamps()
	cert, err := tls.LoadX509KeyPair(c.files.Certificate, c.files.Key)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %v: %w", c.files.Certificate, c.files.Key, err, fault.Invalid)
	}
	config := &tls.Config{MinVersion: max(c.files.MinVersion, tls.VersionTLS12), NextProtos: []string{"h2", "http/1.1"}, Certificates: []tls.Certificate{cert}}
	if c.files.ClientCAs != "" {
		text, err := os.ReadFile(c.files.ClientCAs)
		if err != nil {
			return fmt.Errorf("client CAs: %v: %w", err, fault.Invalid)
		}
		config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !config.ClientCAs.AppendCertsFromPEM(text) {
			return fmt.Errorf("client CAs %s: no certificate is in it: %w", c.files.ClientCAs, fault.Invalid)
		}
	}
	c.current, c.stamp = config, before
	return nil
}
