package system

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
)

// TestFolderSecrets: a reference leads to files of its tenant's folder and nowhere else.
func TestFolderSecrets(t *testing.T) {
	dir := t.TempDir()
	for path, text := range map[string]string{"secrets/acme/hook": "ours\n", "secrets/acme/deep/hook": "deep", "secrets/rival/hook": "theirs", "secrets/hook": "nobody's", "outside": "outside"} {
		file := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"out": "../../outside", "absolute": filepath.Join(dir, "outside"), "folder": dir} {
		if err := os.Symlink(to, filepath.Join(dir, "secrets", "acme", name)); err != nil {
			t.Skip(err)
		}
	}
	secret := folderSecrets(filepath.Join(dir, "secrets"))
	for _, ref := range []string{
		"file:../rival/hook", "file:../hook", "file:../../outside", "file:./hook", "file:deep/../hook", "file:/etc/passwd", "file:" + filepath.Join(dir, "outside"), "file:", "file:.", "file:..", "file:deep", "file:deep//hook",
		"file:out", "file:absolute", "file:folder/outside", "file:hook/", "file:hook\x00", "file:none", "hook", "env:HOME", "FILE:hook", "file:%2e%2e/rival/hook", `file:..\rival\hook`, "file:" + strings.Repeat("a", 5000), "",
	} {
		got, err := secret(t.Context(), "acme", ref)
		if !errors.Is(err, fault.NotFound) || got != nil || err != nil && strings.Contains(err.Error(), dir) && !strings.Contains(ref, dir) {
			t.Errorf("%.80q: %q, %v", ref, got, err)
		}
	}
	for _, tenant := range []string{"", ".", "..", "acme/deep", "acme/../rival", "/acme"} {
		if got, err := secret(t.Context(), tenant, "file:hook"); !errors.Is(err, fault.NotFound) {
			t.Errorf("tenant %q: %q, %v", tenant, got, err)
		}
	}
	for ref, want := range map[string]string{"file:hook": "ours", "file:deep/hook": "deep"} {
		if got, err := secret(t.Context(), "acme", ref); string(got) != want || err != nil {
			t.Errorf("%s: %q, %v", ref, got, err)
		}
	}
	if got, err := folderSecrets("")(t.Context(), "acme", "file:hook"); !errors.Is(err, fault.NotFound) {
		t.Errorf("without a folder: %q, %v", got, err)
	}
}
