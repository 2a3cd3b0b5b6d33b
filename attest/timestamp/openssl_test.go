package timestamp_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/timestamp/timestamptest"
)

// openssl runs the openssl on PATH in a folder, or skips the test.
func openssl(t *testing.T, dir string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("there is no openssl on PATH")
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("openssl %s: %v: %s", args, err, out)
	}
	return string(out)
}

func write(t *testing.T, dir, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestOpenSSLAgrees: openssl verifies what we keep.
func TestOpenSSLAgrees(t *testing.T) {
	dir := t.TempDir()
	tsa := authority(t, nil)
	der, _, err := client(tsa, tsa).Stamp(context.Background(), message)
	if err != nil {
		t.Fatal(err)
	}
	certs := tsa.Certificates()
	write(t, dir, "message", message)
	write(t, dir, "response", der)
	write(t, dir, "root.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certs[2].Raw}))
	if out := openssl(t, dir, "ts", "-verify", "-data", "message", "-in", "response", "-CAfile", "root.pem", "-attime", "1801396800"); !strings.Contains(out, "Verification: OK") {
		t.Error(out)
	}
}

const tsConfig = `[ tsa ]
default_tsa = one
[ one ]
serial = serial
default_policy = 1.2.3.4.1
other_policies = 1.2.3.4.5
digests = sha256, sha384, sha512
signer_digest = sha384
accuracy = secs:1, millisecs:500, microsecs:100
clock_precision_digits = 3
ordering = yes
tsa_name = yes
ess_cert_id_chain = yes
ess_cert_id_alg = %s
`

// TestOpenSSLAuthority verifies what openssl's own authority makes, asked by our
// client: with fractions, ordering, its name, and both ways to name its
// certificate.
func TestOpenSSLAuthority(t *testing.T) {
	for _, alg := range []string{"sha1", "sha256", "sha512"} {
		t.Run(alg, func(t *testing.T) {
			dir := t.TempDir()
			key := signer(t, "RSA 2048")
			tsa := authority(t, &timestamptest.Options{Key: key})
			var chain bytes.Buffer
			for _, c := range tsa.Certificates()[1:] {
				pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
			}
			private, err := x509.MarshalPKCS8PrivateKey(key)
			if err != nil {
				t.Fatal(err)
			}
			write(t, dir, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
			write(t, dir, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tsa.Certificates()[0].Raw}))
			write(t, dir, "chain.pem", chain.Bytes())
			write(t, dir, "ts.cnf", []byte(strings.Replace(tsConfig, "%s", alg, 1)))
			write(t, dir, "serial", []byte("2A"))
			c := client(tsa, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				query, _ := io.ReadAll(r.Body)
				write(t, dir, "query", query)
				openssl(t, dir, "ts", "-reply", "-config", "ts.cnf", "-queryfile", "query", "-signer", "cert.pem", "-inkey", "key.pem", "-chain", "chain.pem", "-out", "reply")
				der, err := os.ReadFile(filepath.Join(dir, "reply"))
				if err != nil {
					t.Error(err)
				}
				w.Header().Set("Content-Type", "application/timestamp-reply")
				w.Write(der)
			}))
			c.Now, c.Hash, c.Policy = nil, crypto.SHA512, "1.2.3.4.5"
			der, s, err := c.Stamp(context.Background(), message)
			if err != nil {
				t.Fatal(err)
			}
			if s.Policy != "1.2.3.4.5" || s.Accuracy != 1500*time.Millisecond+100*time.Microsecond || s.Serial != "43" || s.Hash != crypto.SHA512 {
				t.Errorf("%+v", s)
			}
			if _, err := timestamp.Verify(der, []byte("another"), c.Authorities); timestamp.ReasonOf(err) != timestamp.ReasonImprint {
				t.Error(err)
			}
			write(t, dir, "kept", der)
			openssl(t, dir, "ts", "-reply", "-in", "kept", "-text")
		})
	}
}
