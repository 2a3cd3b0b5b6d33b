package main

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
)

// newKits makes a kit of the data in "own", and one after a change of it.
func newKits(t *testing.T) *bench {
	b := newBench(t)
	b.publish(t, 10, "--new-keys")
	key := b.at("keys/root.pem")
	b.must(t, "own", "bundle", "root", b.at("kits.json"), "--feed", "kits.example", "--key", key)
	create := func(name string, more ...string) {
		b.must(t, "own", append([]string{"bundle", "create", b.at(name), "--publisher", b.at("feed"), "--key", key, "--everything"}, more...)...)
	}
	create("one.tar", "--root", b.at("kits.json"))
	b.publish(t, 11)
	create("two.tar")
	return b
}

// move pushes or pulls a kit.
func (b *bench) move(t *testing.T, args ...string) *movedKit {
	t.Helper()
	out := new(movedKit)
	if err := json.Unmarshal([]byte(b.must(t, "own", append([]string{"bundle"}, append(args, "-o", "json")...)...)), out); err != nil {
		t.Fatal(err)
	}
	return out
}

func same(t *testing.T, one, two string) {
	t.Helper()
	a, err := os.ReadFile(one)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(two)
	if err != nil || string(a) != string(b) {
		t.Errorf("%s is not %s: %v", two, one, err)
	}
	for _, suffix := range []string{partSuffix, oldSuffix} {
		if _, err := os.Stat(two + suffix); err == nil {
			t.Errorf("%s%s is still there", two, suffix)
		}
	}
}

// TestKitRegistry: a kit arrives as the same bytes, and the next one brings what changed.
func TestKitRegistry(t *testing.T) {
	b := newKits(t)
	_, host, _ := strings.Cut("/"+b.ref, "/")
	kits := strings.TrimSuffix(host, "advisories") + "kits"
	for _, ref := range []string{kits, "oci:" + b.at("carry")} {
		file := b.at("pulled.tar")
		os.Remove(file)
		one := b.move(t, "push", b.at("one.tar"), ref)
		if got := b.move(t, "pull", ref, file); got.Kit != one.Kit || got.Moved != got.Size || got.Reference != one.Reference {
			t.Errorf("pushed %+v, pulled %+v", one, got)
		}
		same(t, b.at("one.tar"), file)
		if two := b.move(t, "push", b.at("two.tar"), ref); two.Moved*3 > two.Size {
			t.Errorf("sent %+v", two)
		}
		if got := b.move(t, "pull", ref, file); got.Moved*3 > got.Size {
			t.Errorf("read %+v", got)
		}
		same(t, b.at("two.tar"), file)
		if got := b.move(t, "pull", ref, file); got.Moved != 0 {
			t.Errorf("nothing is new: read %+v", got)
		}
		b.move(t, "pull", ref+":1", file)
		same(t, b.at("one.tar"), file)
		b.must(t, "own", "bundle", "verify", file, "--root", b.at("kits.json"))
	}
	b.must(t, "own", "db", "pull", b.ref, "--root", b.at("keys/root.json"))
	for _, tt := range []struct {
		code int
		text string
		args []string
	}{
		{exitVerification, "kit.json: truncated", []string{"push", b.at("keys/root.pem"), kits}},
		{exitError, "no offline kit but", []string{"pull", b.ref, b.at("x.tar")}},
		{exitError, "was \"stella bundle push\" there?", []string{"pull", kits + ":none", b.at("x.tar")}},
		{exitError, "refused by the air-gap network policy", []string{"pull", kits, b.at("x.tar"), "--offline"}},
		{exitUsage, "accepts 2 arg(s)", []string{"pull", kits}},
	} {
		if code, out := b.run("own", append([]string{"bundle"}, tt.args...)...); code != tt.code || !strings.Contains(out, tt.text) {
			t.Errorf("%q: exit code %d: %s", tt.args, code, out)
		}
	}
}

// TestKitCut: what was interrupted goes on with what is there; the file that was there
// stays until the new one is whole, and what a registry exchanges is not taken.
func TestKitCut(t *testing.T) {
	b := newKits(t)
	kits := strings.TrimSuffix(b.ref, "advisories") + "kits"
	file := b.at("pulled.tar")
	b.move(t, "push", b.at("one.tar"), kits)
	b.move(t, "pull", kits, file)
	b.move(t, "push", b.at("two.tar"), kits)
	for nth := 1; ; nth++ {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		blobs := 0
		b.answer = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/blobs/") {
				blobs++
			}
			if blobs == nth {
				w.WriteHeader(http.StatusForbidden)
			}
			return blobs == nth
		}
		code, out := b.run("own", "bundle", "pull", kits, file)
		b.answer = nil
		if code == 0 {
			if nth < 5 {
				t.Errorf("only %d blobs", blobs)
			}
			same(t, b.at("two.tar"), file)
			break
		}
		if _, err := os.Stat(file); code != exitError || err == nil {
			t.Fatalf("blob %d: exit code %d: %s", nth, code, out)
		}
		b.log = nil
		got := b.move(t, "pull", kits, file)
		same(t, b.at("two.tar"), file)
		if nth > 2 && got.Moved >= got.Size {
			t.Errorf("blob %d: all was read again: %+v", nth, got)
		}
	}
	for name, blob := range b.files {
		if strings.Contains(name, "/kits/blobs/") {
			b.files[name] = append([]byte{1}, blob[1:]...)
		}
	}
	fresh := b.at("fresh.tar")
	code, out := b.run("own", "bundle", "pull", kits, fresh)
	if _, err := os.Stat(fresh); code != exitVerification || err == nil {
		t.Errorf("other bytes: exit code %d: %s", code, out)
	}
}
