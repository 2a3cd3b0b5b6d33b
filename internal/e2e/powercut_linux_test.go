package e2e

import (
	"bufio"
	"cmp"
	"database/sql"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store/sqlite"
)

// TestPowerCutTraced is what TestPowerCut traces: it submits jobs and says which
// were acknowledged.
func TestPowerCutTraced(t *testing.T) {
	dir := os.Getenv(tracedVariable)
	if dir == "" {
		t.Skip("it is run by TestPowerCut")
	}
	root, err := sqlite.Open(t.Context(), filepath.Join(dir, "stella.db"))
	if err != nil {
		t.Fatal(err)
	}
	acme, err := root.Tenant("acme")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 15 {
		j, _, err := acme.Scans().Submit(t.Context(), scan.Request{Image: fmt.Sprint("image-", i)}, fmt.Sprint("key-", i))
		if err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 {
			if _, err := acme.Scans().Cancel(t.Context(), j.ID, "traced"); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Println("ACK " + j.ID)
	}
}

// fileOp is one change of a file, in the order of the trace.
type fileOp struct {
	file string
	at   int64
	data []byte // nil: cut to length at, or remove where at is below 0
}

// folder stands for the folder itself; syncing it makes removals durable.
const folder = "."

// step is a point of the trace: what was changed, what was made durable, or what
// was acknowledged.
type step struct {
	op     *fileOp
	synced string
	ack    string
}

// TestPowerCut takes the power away at many points: what was synced stays, of the
// rest each write is there, missing or torn. Every acknowledged job must be there,
// and the file must be sound.
func TestPowerCut(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not on PATH")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	log := filepath.Join(t.TempDir(), "log")
	cmd := exec.Command(strace, "-f", "-y", "-xx", "-s", "70000", "-o", log, "-e", "trace=write,pwrite64,fsync,fdatasync,ftruncate,unlink,unlinkat", self, "-test.run=^TestPowerCutTraced$")
	cmd.Env = append(os.Environ(), tracedVariable+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("strace does not work here: %v: %s", err, out)
	}
	steps := readTrace(t, log, dir)
	cuts := 60
	if testing.Short() {
		cuts = 15
	}
	random := rand.New(rand.NewPCG(3, 1))
	lost := 0
	for range cuts {
		at := random.IntN(len(steps) + 1)
		lost += afterCut(t, steps[:at], random)
	}
	if lost == 0 {
		t.Error("no cut lost anything that was not synced: the test does not reach what it is about")
	}
}

var removed = regexp.MustCompile(`^\d+ +unlink(?:at)?\([^"]*"([^"]*)"[^)]*\) += 0`)

var traced = regexp.MustCompile(`^\d+ +(pwrite64|write|fsync|fdatasync|ftruncate)\(\d+<([^>]*)>(?:, "([^"]*)")?(?:\.\.\.)?(?:, (\d+))?(?:, (\d+))?\) += (\d+)`)

func readTrace(t *testing.T, log, dir string) (steps []step) {
	t.Helper()
	f, err := os.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	waiting := map[string]string{} // calls of a thread that another one interrupted
	for lines.Scan() {
		line := lines.Text()
		pid, _, _ := strings.Cut(line, " ")
		if head, ok := strings.CutSuffix(line, " <unfinished ...>"); ok {
			waiting[pid] = head
			continue
		}
		if _, tail, ok := strings.Cut(line, " resumed>"); ok {
			line = waiting[pid] + tail
		}
		if m := removed.FindStringSubmatch(line); m != nil {
			if file, ok := strings.CutPrefix(unquote(t, m[1]), dir+"/"); ok {
				steps = append(steps, step{op: &fileOp{file: file, at: -1}})
			}
			continue
		}
		m := traced.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		name := unquote(t, m[2])
		data := unquote(t, m[3])
		inside := name == dir || strings.HasPrefix(name, dir+"/")
		file := strings.TrimPrefix(strings.TrimPrefix(name, dir), "/") // "" is the folder
		number := func(s string) int64 { n, _ := strconv.ParseInt(s, 10, 64); return n }
		switch {
		case !inside && m[1] == "write" && strings.HasPrefix(data, "ACK "):
			steps = append(steps, step{ack: strings.TrimSpace(data[4:])})
		case !inside || strings.HasSuffix(file, "-shm"): // made anew after a crash
		case m[1] == "pwrite64":
			if int64(len(data)) != number(m[6]) {
				t.Fatalf("%s: %d bytes of %s are in the trace", file, len(data), m[6])
			}
			steps = append(steps, step{op: &fileOp{file, number(m[5]), []byte(data)}})
		case m[1] == "ftruncate":
			steps = append(steps, step{op: &fileOp{file: file, at: number(m[4])}})
		case m[1] == "write":
			t.Fatalf("%s is written without a place", file)
		default:
			steps = append(steps, step{synced: cmp.Or(file, folder)})
		}
	}
	if err := lines.Err(); err != nil || !slices.ContainsFunc(steps, func(s step) bool { return s.ack != "" }) {
		t.Fatalf("the trace has no acknowledgements: %v", err)
	}
	return steps
}

// unquote reads \x61\x62.
func unquote(t *testing.T, s string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))
	if err != nil {
		return s // -y prints some names plainly
	}
	return string(b)
}

// afterCut makes the files as the disk may have them and opens the store. It
// returns how many writes were lost.
func afterCut(t *testing.T, steps []step, random *rand.Rand) (lost int) {
	t.Helper()
	files := map[string][]byte{}
	var pending []fileOp
	var acks []string
	apply := func(op fileOp) {
		b := files[op.file]
		if op.at < 0 {
			delete(files, op.file)
			return
		}
		if op.data == nil {
			files[op.file] = append(b[:min(int64(len(b)), op.at):min(int64(len(b)), op.at)], make([]byte, max(0, op.at-int64(len(b))))...)
			return
		}
		if grow := op.at + int64(len(op.data)) - int64(len(b)); grow > 0 {
			b = append(b, make([]byte, grow)...)
		}
		copy(b[op.at:], op.data)
		files[op.file] = b
	}
	for _, s := range steps {
		switch {
		case s.op != nil:
			pending = append(pending, *s.op)
		case s.synced != "":
			rest := pending[:0:0]
			for _, op := range pending {
				if op.file == s.synced || op.at < 0 && s.synced == folder {
					apply(op)
				} else {
					rest = append(rest, op)
				}
			}
			pending = rest
		default:
			acks = append(acks, s.ack)
		}
	}
	for _, op := range pending {
		switch random.IntN(3) {
		case 0:
			lost++
		case 1:
			if len(op.data) > 512 { // torn at a sector
				op.data = op.data[:512*(1+random.IntN(len(op.data)/512))]
			}
			apply(op)
		default:
			apply(op)
		}
	}
	dir := t.TempDir()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	checkAfterCut(t, filepath.Join(dir, "stella.db"), acks)
	return lost
}

func checkAfterCut(t *testing.T, path string, acks []string) {
	t.Helper()
	root, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Errorf("after a cut with %d acknowledged jobs: %v", len(acks), err)
		return
	}
	acme, err := root.Tenant("acme")
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range acks {
		j, err := acme.Scans().Job(t.Context(), id)
		if err != nil || (i%3 == 0) != (j.State == scan.Cancelled) {
			t.Errorf("job %d of %d that were acknowledged: %v, %v", i, len(acks), j, err)
		}
	}
	if err := root.Close(); err != nil {
		t.Error(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var sound string
	var loose int
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&sound); err != nil || sound != "ok" {
		t.Errorf("the file is damaged: %s, %v", sound, err)
	}
	err = db.QueryRow(`SELECT count(*) FROM scanner_scan_jobs j WHERE NOT EXISTS (SELECT 1 FROM transport_outbox o WHERE o.event_id = j.job_id || '/job/1')
		OR NOT EXISTS (SELECT 1 FROM scanner_scan_keys k WHERE k.job_id = j.job_id)`).Scan(&loose)
	if err != nil || loose != 0 {
		t.Errorf("%d jobs without their key or message, %v", loose, err)
	}
}
