package netguard

import (
	"compress/gzip"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// open is a client through a door that this machine lies behind.
func open(t *testing.T, opt *TransportOptions) *http.Client {
	t.Helper()
	d, err := (&Policy{Reach: ReachAll}).Door()
	if err != nil {
		t.Fatal(err)
	}
	tr, err := d.Transport(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return Client(tr)
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

const canary = "Bearer canary"

func send(c *http.Client, target string) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", canary)
	req.Header.Set("Cookie", "canary")
	return c.Do(req)
}

func TestCredentialsStayWithTheirOrigin(t *testing.T) {
	for _, code := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			var leaked []string
			var last string
			other := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				last = "other" + r.URL.Path
				for _, h := range []string{"Authorization", "Cookie", "Referer"} {
					if v := r.Header.Get(h); v != "" {
						leaked = append(leaked, h+"="+v)
					}
				}
			})
			var back string
			origin := serve(t, func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/away":
					http.Redirect(w, r, other+"/blob", code)
				case "/near":
					http.Redirect(w, r, "/there", code)
				case "/there":
					back = r.Header.Get("Authorization")
				}
			})
			c := open(t, nil)
			for _, path := range []string{"/away", "/near"} {
				resp, err := send(c, origin+path)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
			}
			if last != "other/blob" || len(leaked) != 0 {
				t.Errorf("the other port, asked for %q, saw %q", last, leaked)
			}
			if back != canary {
				t.Errorf("the same origin saw %q, want the credentials", back)
			}
		})
	}
}

func TestCredentialsDoNotComeBack(t *testing.T) {
	var seen []string
	var origin string
	other := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, origin+"/end", http.StatusFound) })
	origin = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/start" {
			http.Redirect(w, r, other, http.StatusFound)
			return
		}
		seen = append(seen, r.Header.Get("Authorization"))
	})
	resp, err := send(open(t, nil), origin+"/start")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if len(seen) != 1 || seen[0] != "" {
		t.Errorf("after a detour the origin saw %q, want no credentials", seen)
	}
}

func TestRedirectsRefused(t *testing.T) {
	for _, tc := range []struct {
		name, to string
		kind     error
		say      string
	}{
		{"file", "file:///etc/passwd", fault.Forbidden, `scheme "file"`},
		{"ftp", "ftp://example.org/x", fault.Forbidden, `scheme "ftp"`},
		{"gopher", "gopher://127.0.0.1:70/x", fault.Forbidden, `scheme "gopher"`},
		{"no host", "http:///x", fault.Invalid, "without a host"},
		{"user information", "http://me:canary@127.0.0.1:9/", fault.Forbidden, "user information"},
		{"metadata", "http://169.254.169.254/latest/meta-data", fault.Forbidden, "never reached"},
		{"itself", "/", fault.Limit, "redirects"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", tc.to)
				w.WriteHeader(http.StatusFound)
			})
			_, err := send(open(t, nil), at)
			var ue interface{ Unwrap() error }
			if !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.say) {
				t.Fatalf("got %v, want %v saying %q", err, tc.kind, tc.say)
			}
			if errors.As(err, &ue) && strings.Contains(ue.Unwrap().Error(), "canary") {
				t.Errorf("%v shows the password", err)
			}
		})
	}
}

func TestRedirectFromEncryptionRefused(t *testing.T) {
	plain := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("reached without encryption") })
	s := httptest.NewTLSServer(http.RedirectHandler(plain, http.StatusFound))
	defer s.Close()
	c := open(t, &TransportOptions{CAFiles: []string{caFile(t, s)}})
	if _, err := send(c, s.URL); !errors.Is(err, fault.Forbidden) || !strings.Contains(err.Error(), "leave encryption") {
		t.Fatalf("got %v", err)
	}
}

func TestRedirectKeepsBodyHome(t *testing.T) {
	other := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the body went to another origin") })
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other, http.StatusTemporaryRedirect)
	})
	_, err := open(t, nil).Post(at, "text/plain", strings.NewReader("refresh_token=canary"))
	if !errors.Is(err, fault.Forbidden) {
		t.Fatalf("got %v", err)
	}
}

func caFile(t *testing.T, s *httptest.Server) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ca.pem")
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	if _, err := open(t, nil).Get(s.URL); err == nil {
		t.Error("an unknown authority was trusted")
	}
	c := open(t, &TransportOptions{CAFiles: []string{caFile(t, s)}})
	resp, err := c.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()

	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.StartTLS()
	defer old.Close()
	if _, err := open(t, &TransportOptions{CAFiles: []string{caFile(t, old)}}).Get(old.URL); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1: got %v", err)
	}
}

func TestBadCAFiles(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(t.TempDir(), "large.pem")
	if err := os.WriteFile(large, make([]byte, maxCABytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	d, _ := (&Policy{}).Door()
	for name, kind := range map[string]error{empty: fault.Invalid, large: fault.Limit, "/does/not/exist": os.ErrNotExist} {
		if _, err := d.Transport(&TransportOptions{CAFiles: []string{name}}); !errors.Is(err, kind) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A body is passed on as it is stored: nothing unfolds inside the transport.
func TestBodiesStayCompressed(t *testing.T) {
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if v := r.Header.Get("Accept-Encoding"); v != "" {
			t.Errorf("asked for encoding %q", v)
		}
		w.Header().Set("Content-Encoding", "gzip")
		zw := gzip.NewWriter(w)
		zw.Write(make([]byte, 10<<20))
		zw.Close()
	})
	resp, err := open(t, nil).Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n > 20<<10 {
		t.Fatalf("read %d bytes, %v", n, err)
	}
}

func TestHugeHeaderRefused(t *testing.T) {
	at := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := range 40 {
			w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("a", 10<<10))
		}
	})
	if _, err := open(t, nil).Get(at); err == nil {
		t.Fatal("an endless header was accepted")
	}
}

func TestSlowAnswers(t *testing.T) {
	stop := make(chan struct{})
	wait := func(d time.Duration) bool {
		select {
		case <-stop:
			return false
		case <-time.After(d):
			return true
		}
	}
	drip := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for wait(5 * time.Millisecond) {
			if _, err := w.Write([]byte{'x'}); err != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
	})
	stall := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("x"))
		w.(http.Flusher).Flush()
		wait(time.Minute)
	})
	silent := serve(t, func(http.ResponseWriter, *http.Request) { wait(time.Minute) })
	t.Cleanup(func() { close(stop) }) // before the servers wait for their handlers
	c := open(t, &TransportOptions{HeaderTimeout: 100 * time.Millisecond, MinRate: 1 << 20, RateWindow: 100 * time.Millisecond})
	for _, at := range []string{drip, stall} {
		resp, err := c.Get(at)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if !errors.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "slower than") {
			t.Errorf("got %v", err)
		}
	}
	if _, err := c.Get(silent); err == nil || !strings.Contains(err.Error(), "timeout awaiting response headers") {
		t.Errorf("got %v", err)
	}
}

// Time the caller takes between reads is not the server's slowness.
func TestSlowReaderIsNotASlowServer(t *testing.T) {
	at := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 64<<10)) })
	c := open(t, &TransportOptions{MinRate: 1 << 20, RateWindow: 50 * time.Millisecond})
	resp, err := c.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	buf := make([]byte, 16<<10)
	total := 0
	for err == nil {
		var n int
		n, err = resp.Body.Read(buf)
		total += n
		time.Sleep(30 * time.Millisecond)
	}
	if err != io.EOF || total != 64<<10 {
		t.Fatalf("read %d bytes, %v", total, err)
	}
}
