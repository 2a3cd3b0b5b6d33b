package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/stella-ops/stella/internal/imagetest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"stella": main})
}

// TestScripts runs the command lines of testdata/script and compares what they
// print. "layout DIR COMPRESSION ROOT..." makes an OCI layout whose layers are
// the folders ROOT, "archive FILE ROOT..." a docker-archive; "forge DIR OTHER"
// exchanges a layer under its old name. "damage FILE OTHER" copies a file with one bit
// changed, "truncate FILE OTHER" without its end.
func TestScripts(t *testing.T) {
	_, registry := startRegistry(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "cache"))
			env.Setenv("XDG_DATA_HOME", filepath.Join(env.WorkDir, "data"))
			env.Setenv("REGISTRY", registry) // its repositories are for the scripts to share out
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"layout":   makeLayout,
			"archive":  makeArchive,
			"exit":     exitCode,
			"forge":    forge,
			"damage":   damage,
			"truncate": truncate,
		},
		UpdateScripts: os.Getenv("UPDATE") != "",
	})
}

func makeLayout(ts *testscript.TestScript, _ bool, args []string) {
	var tars [][]byte
	for _, root := range args[2:] {
		tars = append(tars, treeTar(ts, root))
	}
	imagetest.Layout(ts.MkAbs(args[0]), imagetest.Compression(args[1]), tars...)
}

func makeArchive(ts *testscript.TestScript, _ bool, args []string) {
	var tars [][]byte
	for _, root := range args[1:] {
		tars = append(tars, treeTar(ts, root))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), imagetest.Archive("test:latest", tars...), 0o644))
}

// treeTar packs a folder. A file whose content is "-> target" becomes a link.
func treeTar(ts *testscript.TestScript, root string) []byte {
	var files []imagetest.File
	base := ts.MkAbs(root)
	ts.Check(filepath.Walk(base, func(p string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		rel, _ := filepath.Rel(base, p)
		f := imagetest.File{Name: filepath.ToSlash(rel), Data: string(data)}
		if target, ok := strings.CutPrefix(f.Data, "-> "); ok {
			f.Data, f.Link = "", strings.TrimSpace(target)
		}
		files = append(files, f)
		return err
	}))
	return imagetest.Tar(files...)
}

// forge puts the largest layer of one layout under the name of the other's.
func forge(ts *testscript.TestScript, _ bool, args []string) {
	layerOf := func(dir string) string {
		list, err := filepath.Glob(filepath.Join(ts.MkAbs(dir), "blobs", "sha256", "*"))
		ts.Check(err)
		for _, name := range list {
			data, err := os.ReadFile(name)
			ts.Check(err)
			if strings.HasPrefix(string(data), "\x1f\x8b") {
				return name
			}
		}
		ts.Fatalf("%s has no gzip layer", dir)
		return ""
	}
	data, err := os.ReadFile(layerOf(args[1]))
	ts.Check(err)
	ts.Check(os.WriteFile(layerOf(args[0]), data, 0o644))
}

// exitCode runs "exit CODE stella ARG..." and demands the code.
func exitCode(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s: %s", got, args[0], fmt.Sprint(args[1:]))
	}
}

func damage(ts *testscript.TestScript, _ bool, args []string) {
	text := []byte(ts.ReadFile(args[0]))
	text[len(text)*2/3] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o644))
}

func truncate(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text[:len(text)-700]), 0o644))
}
