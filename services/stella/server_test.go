package main

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestServerScripts runs the command lines of testdata/server against a server in this
// process, at SERVER. CLIENT_KEY is the text of the key of its client "ci", client.pem a file
// with it.
func TestServerScripts(t *testing.T) {
	server, key := startServer(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/server",
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "cache"))
			env.Setenv("XDG_DATA_HOME", filepath.Join(env.WorkDir, "data"))
			env.Setenv("SERVER", server.url)
			env.Setenv("CLIENT_KEY", string(key))
			return os.WriteFile(filepath.Join(env.WorkDir, "client.pem"), key, 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"layout": makeLayout, "exit": exitCode, "private": private,
		},
		UpdateScripts: os.Getenv("UPDATE") != "",
	})
}

// private demands that nobody else may read what is in a folder.
func private(ts *testscript.TestScript, _ bool, args []string) {
	if runtime.GOOS == "windows" {
		return
	}
	n := 0
	ts.Check(filepath.Walk(ts.MkAbs(args[0]), func(name string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			ts.Fatalf("%s has mode %v", name, info.Mode())
		}
		n++
		return err
	}))
	if n < 2 {
		ts.Fatalf("%s is empty", args[0])
	}
}
