package blob_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/crashpoint"
)

// A test binary with this variable is a child that puts objects until it dies:
// "folder point", where an empty point means that its parent kills it.
const childVariable = "STELLA_BLOB_CHILD"

func TestMain(m *testing.M) {
	if v := os.Getenv(childVariable); v != "" {
		putUntilDeath(context.Background(), v)
	}
	os.Exit(m.Run())
}

// childObject is what the child puts: large, so that a kill finds it writing.
func childObject(i int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%08d", i), 300_000)
}

func putUntilDeath(ctx context.Context, v string) {
	dir, point, _ := strings.Cut(v, " ")
	crashpoint.Set(func(p crashpoint.Point) {
		if string(p) == point {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	b, err := blob.Open(ctx, "file:"+dir)
	fmt.Println("begin")
	for i := 0; err == nil; i++ {
		if _, err = b.Put(ctx, bytes.NewReader(childObject(i))); err == nil {
			fmt.Println("put")
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

// killed runs a child on dir and returns how many objects it said to have put.
func killed(t *testing.T, dir, point string, after time.Duration) (said int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childVariable+"="+dir+" "+point)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		switch lines.Text() {
		case "begin":
			if point == "" {
				time.AfterFunc(after, func() { cmd.Process.Kill() })
			}
		case "put":
			said++
		default:
			t.Errorf("the child says: %s", lines.Text())
		}
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child was not killed: %v", err)
	}
	return said
}

// whole counts the objects that are visible, and checks that each is whole.
func whole(t *testing.T, dir string) (n int) {
	t.Helper()
	b, err := blob.Open(t.Context(), "file:"+dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for info, err := range b.Verify(t.Context()) {
		if err != nil {
			t.Fatalf("%s: %v", info.Key, err)
		}
		n++
	}
	return n
}

func temporaries(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "~tmp", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestKilledAtPoints: a put that dies before its object has its name leaves
// nothing visible; one that dies after leaves all of it.
func TestKilledAtPoints(t *testing.T) {
	for point, want := range map[crashpoint.Point]int{crashpoint.BlobWritten: 0, crashpoint.BlobSynced: 0, crashpoint.BlobNamed: 1} {
		dir := t.TempDir()
		if said := killed(t, dir, string(point), 0); said != 0 {
			t.Errorf("%s: it went on", point)
		}
		if got := whole(t, dir); got != want {
			t.Errorf("%s: %d objects, want %d", point, got, want)
		}
		left := temporaries(t, dir)
		if len(left) != 1-want {
			t.Errorf("%s: %d temporary files, want %d", point, len(left), 1-want)
		}
		for _, f := range left { // young ones may be somebody's
			if err := os.Chtimes(f, time.Time{}, time.Now().Add(-25*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		whole(t, dir) // opening sweeps
		if left := temporaries(t, dir); len(left) > 0 {
			t.Errorf("%s: not swept: %v", point, left)
		}
	}
}

// TestKilledAnywhere kills at random times: what was said to be put is there, and
// all that is visible is whole.
func TestKilledAnywhere(t *testing.T) {
	kills := 12
	if testing.Short() {
		kills = 3
	}
	r := rand.New(rand.NewPCG(1, 2))
	inside := 0
	// A slow machine needs more of them, and later ones.
	for i := 0; i < kills || inside == 0 && i < 100; i++ {
		dir := t.TempDir()
		said := killed(t, dir, "", time.Duration(r.IntN(150_000+20_000*i))*time.Microsecond)
		if got := whole(t, dir); got < said || got > said+1 {
			t.Errorf("kill %d: %d objects, %d were said to be put", i, got, said)
		}
		inside += len(temporaries(t, dir))
	}
	t.Logf("%d kills, %d of them while a file was written", kills, inside)
	if inside == 0 {
		t.Error("no kill met a write")
	}
}

func TestCollectionRemovesOldTemporaries(t *testing.T) {
	dir := t.TempDir()
	b, err := blob.Open(t.Context(), "file:"+dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	old, young := filepath.Join(dir, "~tmp", "old"), filepath.Join(dir, "~tmp", "young")
	for _, f := range []string{old, young} {
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Collect(t.Context(), nobody{}, time.Hour); err != nil {
		t.Fatal(err)
	}
	if left := temporaries(t, dir); len(left) != 1 || left[0] != young {
		t.Errorf("left: %v", left)
	}
}

type nobody struct{}

func (nobody) Condemn(context.Context, string) (bool, error) { return true, nil }
func (nobody) Forget(context.Context, string) error          { return nil }

// TestCollectionsPoints: the points of a collection are passed, each once.
func TestCollectionsPoints(t *testing.T) {
	b := blob.New(blob.NewMem(0))
	if _, err := b.Put(t.Context(), strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Millisecond)
	var passed []crashpoint.Point
	before := crashpoint.Set(func(p crashpoint.Point) { passed = append(passed, p) })
	defer crashpoint.Set(before)
	if _, err := b.Collect(t.Context(), nobody{}, 1); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(passed); got != "[blob.collect.listed blob.collect.checked]" {
		t.Errorf("passed %s", got)
	}
}

// TestLinksAreNotFollowed: symbolic links in the folder lead nowhere.
func TestLinksAreNotFollowed(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	secret := filepath.Join(outside, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := blob.NewFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := os.WriteFile(filepath.Join(dir, "inside"), []byte("inside"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"file": secret, "relative": "inside", "folder": outside, "here": ".", "dangling": filepath.Join(outside, "made")} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	for _, key := range []string{"file", "relative", "folder/secret", "here/inside", "dangling", "folder/new"} {
		if r, err := d.Open(ctx, key, 0, -1); err == nil {
			r.Close()
			t.Errorf("open %s followed a link", key)
		}
		if _, err := d.Stat(ctx, key); err == nil {
			t.Errorf("stat %s followed a link", key)
		}
		if strings.Contains(key, "/") {
			if err := d.Create(ctx, key, strings.NewReader("x"), 1); err == nil {
				t.Errorf("create %s followed a link", key)
			}
			if d.Delete(ctx, key) == nil && key == "folder/secret" {
				t.Errorf("delete %s followed a link", key)
			}
		}
	}
	for info, err := range d.List(ctx, "") {
		if err != nil || info.Key != "inside" {
			t.Errorf("listed %s, %v", info.Key, err)
		}
	}
	// Creating replaces a link and leaves its target alone.
	if err := d.Create(ctx, "file", strings.NewReader("mine"), 4); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(secret); err != nil || string(b) != "secret" {
		t.Errorf("the target of a link is %q, %v", b, err)
	}
	if _, err := os.Stat(filepath.Join(outside, "made")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a file was made outside")
	}
}

// TestFoldersThatVanish: somebody removes empty folders while the bucket is open.
func TestFoldersThatVanish(t *testing.T) {
	dir := t.TempDir()
	d, err := blob.NewFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for range 2 {
		if err := d.Create(t.Context(), "a/b/c", strings.NewReader("x"), 1); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(dir, "a")); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOneKeyAsFolderOfAnother is the one thing that a folder cannot keep.
func TestOneKeyAsFolderOfAnother(t *testing.T) {
	d, err := blob.NewFile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Create(t.Context(), "a/b", strings.NewReader("x"), 1); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "a/b/c"} {
		if err := d.Create(t.Context(), key, strings.NewReader("x"), 1); !errors.Is(err, blob.ErrConflict) {
			t.Errorf("create %s beside a/b: %v", key, err)
		}
	}
}
