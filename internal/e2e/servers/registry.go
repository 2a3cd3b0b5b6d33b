package servers

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

const (
	registryVariable = "STELLA_TEST_REGISTRY"
	registry         = "github.com/distribution/distribution/v3/cmd/registry"
	registryVersion  = "v3.0.0"
)

// StartRegistry starts a registry of the CNCF Distribution project that a test may
// hurt. Its Addr is where it is spoken to, without encryption. It has no referrers
// API. Kill and Restart keep what was pushed. The program is the one that
// STELLA_TEST_REGISTRY names, else "registry" on PATH, else one that is built, once.
// That takes more than five minutes on a small machine, so it is done where
// STELLA_LONG=1 asks for it, and the test is skipped otherwise.
func StartRegistry(t testing.TB) *Server {
	t.Helper()
	p, err := findRegistry()
	if err != nil && os.Getenv("STELLA_LONG") == "" {
		t.Skipf("no registry: %v", err)
	}
	if err != nil {
		missing(t, "registry", registryVariable, err)
	}
	dir, err := tempDir("registry")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{How: p.how, dir: dir}
	err = begin(s, func(port int) {
		config := filepath.Join(dir, "config.yml")
		s.URL = "http://" + s.Addr
		s.command = func() *exec.Cmd {
			text := fmt.Sprintf("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %q}}\nhttp: {addr: %q}\n", filepath.Join(dir, "data"), "127.0.0.1:"+strconv.Itoa(port))
			os.WriteFile(config, []byte(text), 0o600) // without it, the start fails
			cmd := exec.Command(p.path, "serve", config)
			cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
			return cmd
		}
		s.ready = func(ctx context.Context) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/v2/", nil)
			if err != nil {
				return err
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return err
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("it answers %s", resp.Status)
			}
			return nil
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	t.Logf("registry from %s", s.How)
	return s
}

func findRegistry() (program, error) {
	if p := os.Getenv(registryVariable); p != "" {
		_, err := os.Stat(p)
		return program{path: p, how: registryVariable + " " + p}, err
	}
	if p := lookUp("registry"); p != "" {
		return program{path: p, how: p}, nil
	}
	dir, err := fetch("registry-"+registryVersion, func(dir string) error {
		if os.Getenv("STELLA_LONG") == "" {
			return fmt.Errorf("STELLA_LONG=1 builds one, which takes minutes")
		}
		return run(dir, []string{"GOBIN=" + dir, "GOWORK=off"}, "go", "install", "-ldflags=-s -w", registry+"@"+registryVersion)
	})
	if err != nil {
		return program{}, err
	}
	return program{path: filepath.Join(dir, "registry"), how: "go install in " + dir}, nil
}
