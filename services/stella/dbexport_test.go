package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// carrier exports into zips and loads them elsewhere.
type carrier struct {
	*bench
	records int
}

// newCarrier makes keys in a folder that nothing is published in.
func newCarrier(t *testing.T) *carrier {
	c := &carrier{bench: &bench{dir: t.TempDir()}}
	c.change(t)
	c.must(t, "own", "db", "export", c.at("unused"), "--keys", c.at("keys"), "--new-keys", "--everything")
	return c
}

// change gives the data a record more.
func (c *carrier) change(t *testing.T) {
	t.Helper()
	dir := c.at("records")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`{"id":"X-%d","modified":"2024-05-20T16:03:47Z","affected":[{"package":{"ecosystem":"npm","name":"p"},"versions":["1.0"]}]}`, c.records)
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(c.records, ".json")), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c.records++
	c.must(t, "own", "db", "import", dir)
}

// export changes the data and exports them to a file.
func (c *carrier) export(t *testing.T, file string, more ...string) string {
	t.Helper()
	c.change(t)
	return c.must(t, "own", append([]string{"db", "export", c.at(file), "--keys", c.at("keys"), "--everything"}, more...)...)
}

// load takes over a file, which must make the newest data the current.
func (c *carrier) load(t *testing.T, db, file string) {
	t.Helper()
	c.must(t, db, "db", "update", "--from", c.at(file), "--root", filepath.Join(c.at("keys"), "root.json"))
	if c.current(t, db) != c.current(t, "own") {
		t.Errorf("%s has other data than %s", db, file)
	}
}

// TestExportAgain: the zip that takes the place of one is the next release.
func TestExportAgain(t *testing.T) {
	t.Parallel()
	c := newCarrier(t)
	for version := 1; version <= 3; version++ {
		out := c.export(t, "kit.zip")
		if !strings.Contains(out, fmt.Sprintf(", version %d,", version)) || strings.Contains(out, "note:") != (version == 1) {
			t.Error(out)
		}
		c.load(t, "site", "kit.zip")
	}
	z, err := zip.OpenReader(c.at("kit.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var names []string
	for _, f := range z.File {
		if !strings.HasPrefix(f.Name, "sha256/") {
			names = append(names, f.Name)
		}
	}
	if got := strings.Join(names, " "); got != "1.root.json 3.targets.json 3.snapshot.json timestamp.json" {
		t.Error(got)
	}
}

// TestExportPublisher: zips of other names go on from the folder of the publisher, which
// may be one that is served.
func TestExportPublisher(t *testing.T) {
	t.Parallel()
	c := newCarrier(t)
	if code, out := c.run("own", "db", "export", c.at("www"), "--keys", c.at("keys"), "--publisher", c.at("state")); code != exitUsage {
		t.Errorf("exit code %d: %s", code, out)
	}
	c.export(t, "monday.zip")
	c.load(t, "site", "monday.zip")
	alone := c.export(t, "tuesday.zip")
	if !strings.Contains(alone, "refuses it") || !strings.Contains(alone, "--publisher") {
		t.Error(alone)
	}
	if code, out := c.run("site", "db", "update", "--from", c.at("tuesday.zip")); code != exitVerification || !strings.Contains(out, "equivocation") {
		t.Errorf("exit code %d: %s", code, out)
	}
	// The release before is found in the file that is replaced, and from then on in the folder.
	if out := c.export(t, "monday.zip", "--publisher", c.at("state")); !strings.Contains(out, "version 2") {
		t.Error(out)
	}
	c.load(t, "site", "monday.zip")
	for version, file := range []string{3: "wednesday.zip", 4: "thursday.zip"} {
		if file == "" {
			continue
		}
		if out := c.export(t, file, "--publisher", c.at("state")); !strings.Contains(out, fmt.Sprintf("version %d", version)) || strings.Contains(out, "note:") {
			t.Error(out)
		}
		c.load(t, "site", file)
	}
	// An older file is no reason to go back, and what was released twice is none to guess.
	if out := c.export(t, "monday.zip", "--publisher", c.at("state")); !strings.Contains(out, "version 5") {
		t.Error(out)
	}
	c.load(t, "site", "monday.zip")
	c.change(t)
	before, err := os.ReadFile(c.at("tuesday.zip"))
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"state": "", "unused": "two releases of one version"} {
		code, out := c.run("own", "db", "export", c.at("tuesday.zip"), "--keys", c.at("keys"), "--everything", "--publisher", c.at(file))
		if (code == 0) != (want == "") || !strings.Contains(out, want) {
			t.Errorf("--publisher %s: exit code %d: %s", file, code, out)
		}
		if err := os.WriteFile(c.at("tuesday.zip"), before, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestExportRefused: what cannot be gone on from is not replaced either.
func TestExportRefused(t *testing.T) {
	t.Parallel()
	c := newCarrier(t)
	c.export(t, "kit.zip")
	kit, err := os.ReadFile(c.at("kit.zip"))
	if err != nil {
		t.Fatal(err)
	}
	c.must(t, "own", "db", "export", c.at("theirs.zip"), "--keys", c.at("their-keys"), "--new-keys", "--feed", "theirs", "--everything")
	theirs, err := os.ReadFile(c.at("theirs.zip"))
	if err != nil {
		t.Fatal(err)
	}
	var empty bytes.Buffer
	if err := zip.NewWriter(&empty).Close(); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		text []byte
		code int
		want string
	}{
		"cut":          {kit[:len(kit)/2], exitError, "remove it"},
		"no zip":       {[]byte("my only copy"), exitError, "remove it"},
		"empty":        {empty.Bytes(), exitVerification, "of another feed, or damaged"},
		"another feed": {theirs, exitVerification, "of another feed, or damaged"},
	} {
		file := c.at(name + ".zip")
		if err := os.WriteFile(file, tt.text, 0o644); err != nil {
			t.Fatal(err)
		}
		code, out := c.run("own", "db", "export", file, "--keys", c.at("keys"), "--everything")
		if code != tt.code || !strings.Contains(out, tt.want) {
			t.Errorf("%s: exit code %d: %s", name, code, out)
		}
		if is, err := os.ReadFile(file); err != nil || !bytes.Equal(is, tt.text) {
			t.Errorf("%s: the file is another: %v", name, err)
		}
	}
}
