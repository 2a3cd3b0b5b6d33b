package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/jwks"
	"github.com/stella-ops/stella/services/internal/app"
	"github.com/stella-ops/stella/services/internal/config"
	"github.com/stella-ops/stella/services/internal/system"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/account"
)

// TestPlatformScripts runs the command lines of testdata/platform against the whole platform
// in this process, as "stella serve" runs it: at SERVER, which has a client "ops" with the key
// client.pem that may do everything. REGISTRY has the images app:1 and app:2, whose package
// bolt is one that the platform's advisories name. "assign NAME FILE" sets a variable,
// "eventually CODE stella ARG..." runs a
// command until it exits so.
func TestPlatformScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs the platform")
	}
	images := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(images.Close)
	host := strings.TrimPrefix(images.URL, "http://")
	for tag, version := range map[string]string{"1": "1.8-r0", "2": "2.0-r0"} {
		pushFiles(t, t.TempDir(), host+"/app:"+tag,
			imagetest.File{Name: "etc/os-release", Data: "ID=wolfi\nNAME=Wolfi\nVERSION_ID=20230201\n"},
			imagetest.File{Name: "lib/apk/db/installed", Data: "P:bolt\nV:" + version + "\nA:x86_64\n\n"})
	}
	url, key := startPlatform(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/platform",
		Setup: func(env *testscript.Env) error {
			for name, value := range map[string]string{
				"XDG_CONFIG_HOME": filepath.Join(env.WorkDir, "config"), "XDG_CACHE_HOME": filepath.Join(env.WorkDir, "cache"), "XDG_DATA_HOME": filepath.Join(env.WorkDir, "data"),
				"SERVER": url, "REGISTRY": host, "STELLA_CLIENT_ID": "ops", "STELLA_CLIENT_KEY_FILE": filepath.Join(env.WorkDir, "client.pem"),
			} {
				env.Setenv(name, value)
			}
			return os.WriteFile(filepath.Join(env.WorkDir, "client.pem"), key, 0o600)
		},
		Cmds:            map[string]func(*testscript.TestScript, bool, []string){"exit": exitCode, "eventually": eventually, "assign": assign},
		ContinueOnError: true,
	})
}

// assign sets a variable to the first line of a file: "assign NAME FILE".
func assign(ts *testscript.TestScript, _ bool, args []string) {
	value, _, _ := strings.Cut(ts.ReadFile(args[1]), "\n")
	if value == "" {
		ts.Fatalf("%s is empty", args[1])
	}
	ts.Setenv(args[0], value)
}

// eventually runs "eventually CODE stella ARG..." until it exits so.
func eventually(ts *testscript.TestScript, _ bool, args []string) {
	got := ""
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if got = "0"; err != nil {
			got = strings.TrimPrefix(err.Error(), "exit status ")
		}
		if got == args[0] {
			return
		}
	}
	ts.Fatalf("exit code %s, want %s: %s", got, args[0], fmt.Sprint(args[1:]))
}

// startPlatform runs the platform on a folder of its own, and returns its address and the
// private key of its client "ops".
func startPlatform(t *testing.T) (url string, key []byte) {
	t.Helper()
	dir := t.TempDir()
	mirror := filepath.Join(dir, "mirror", "packages.wolfi.dev", "os")
	if err := os.MkdirAll(mirror, 0o755); err != nil {
		t.Fatal(err)
	}
	says := `{"apkurl":"{{urlprefix}}","archs":["x86_64"],"reponame":"os","urlprefix":"https://packages.wolfi.dev","packages":[{"pkg":{"name":"bolt","secfixes":{"1.9-r3":["CVE-2024-10001"]}}}]}`
	if err := os.WriteFile(filepath.Join(mirror, "security.json"), []byte(says), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url = "http://" + l.Addr().String()
	file, data := filepath.Join(dir, "stella.yaml"), filepath.Join(dir, "data")
	settings := "url: " + url + "\ndata: " + data + "\nnetwork: {allow: [127.0.0.1]}\nmanagement: {listen: \"\"}\n" +
		"concelier: {sources: {wolfi: 1h}, mirror: " + filepath.Join(dir, "mirror") + "}\nnotifier: {allow: [127.0.0.1]}\nexporter: {formats: [spdx]}\n"
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(config.Input{Systems: config.Systems, File: file})
	if err == nil {
		err = system.Local(c)
	}
	if err != nil {
		t.Fatal(err)
	}
	prog := app.Program("stella", c)
	started := make(chan struct{})
	prog.Listener, prog.Log, prog.Started = l, t.Output(), func(net.Addr, net.Addr) { close(started) }
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- prog.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the platform: %v", err)
		}
	})
	select {
	case <-started:
	case err := <-ended:
		ended <- nil
		t.Fatalf("the platform ended: %v", err)
	case <-time.After(2 * time.Minute):
		t.Fatal("the platform does not start")
	}
	return url, registerClient(t, filepath.Join(data, "stella.db"))
}

// registerClient makes a client that may do everything, and returns its private key.
func registerClient(t *testing.T, db string) []byte {
	t.Helper()
	root, err := store.Open(t.Context(), "sqlite:"+db)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set, err := jwks.New(jwks.Key{Public: &key.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	everything := []string{
		auth.ScannerRead, auth.ScannerScan, auth.ScannerExport, auth.ExportOperate, auth.AdvisoryRead, auth.AdvisoryManage, auth.VEXRead, auth.VEXIngest, auth.VEXAdmin, auth.PolicyRead,
		auth.PolicyAuthor, auth.ExceptionWrite, auth.AttestSign, auth.AttestRead, auth.NotifyViewer, auth.NotifyOperator, auth.NotifyPayloads, auth.TimelineRead, auth.SchedulerRead, auth.SchedulerWrite,
	}
	ops := &account.Client{ID: "ops", Tenant: "default", Keys: set.Marshal(), Scopes: everything, Grants: []string{"client_credentials"}}
	if err := root.Accounts().PutClient(t.Context(), ops, "test"); err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
