package image

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/stella-ops/stella/internal/fault"
)

// mountTable lists the mounts of this process (proc(5), mountinfo).
const mountTable = "/proc/self/mountinfo"

const maxMounts = 16 << 20 // bytes of the table

// pseudo are the types of file systems that have no files on a disk. Those in
// memory are among them: what is in /run or /dev/shm was not installed. The type
// is the kernel's word in the table; a file system that hangs is never asked.
var pseudo = map[string]bool{
	"proc": true, "sysfs": true, "devtmpfs": true, "devpts": true, "tmpfs": true, "ramfs": true,
	"cgroup": true, "cgroup2": true, "cpuset": true, "debugfs": true, "tracefs": true, "securityfs": true,
	"selinuxfs": true, "apparmorfs": true, "smackfs": true, "pstore": true, "efivarfs": true, "bpf": true,
	"mqueue": true, "hugetlbfs": true, "configfs": true, "fusectl": true, "binfmt_misc": true, "autofs": true,
	"rpc_pipefs": true, "nsfs": true, "nfsd": true, "resctrl": true, "dax": true, "functionfs": true,
}

// mount is a line of the table.
type mount struct {
	point string
	dev   uint64
	kind  string
}

// pseudoMounts lists the pseudo file systems mounted below dir, relative to it,
// outermost only, in order. The file system that dir itself lies on is never
// one: who names a folder in memory wants it read.
func pseudoMounts(dir string) ([]string, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, reason(err)
	}
	own, ok := deviceOf(dir)
	if !ok {
		return nil, fmt.Errorf("%s went away: %w", dir, fault.NotFound)
	}
	mounts, err := readMounts()
	if err != nil {
		return nil, err
	}
	if mounts == nil {
		return unlisted(dir, own), nil
	}
	return outermost(dir, own, mounts), nil
}

// outermost takes the mounts below dir that are pseudo, not on dir's own device,
// and not hidden by another mount.
func outermost(dir string, own uint64, mounts []mount) []string {
	prefix := strings.TrimSuffix(dir, "/") + "/"
	top := map[string]mount{} // the last mount on a point covers the others
	for _, m := range mounts {
		if rel, ok := strings.CutPrefix(m.point, prefix); ok && rel != "" {
			top[rel] = m
		}
	}
	var skip []string
	for _, rel := range slices.Sorted(maps.Keys(top)) {
		m := top[rel]
		if !pseudo[m.kind] || m.dev == own || slices.ContainsFunc(skip, func(s string) bool { return strings.HasPrefix(rel, s+"/") }) {
			continue
		}
		if dev, ok := deviceOf(m.point); ok && dev == m.dev {
			skip = append(skip, rel)
		}
	}
	return skip
}

// unlisted is for a machine without a table of mounts: the well-known folders
// that are file systems of their own.
func unlisted(dir string, own uint64) []string {
	var skip []string
	for _, rel := range []string{"dev", "proc", "run", "sys"} {
		if dev, ok := deviceOf(filepath.Join(dir, rel)); ok && dev != own {
			skip = append(skip, rel)
		}
	}
	return skip
}

// deviceOf is the device that a folder lies on.
func deviceOf(path string) (uint64, bool) {
	var st syscall.Stat_t
	if syscall.Lstat(path, &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFDIR {
		return 0, false
	}
	return uint64(st.Dev), true
}

// readMounts reads the table; nil where there is none.
func readMounts() ([]mount, error) {
	f, err := os.Open(mountTable)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := &io.LimitedReader{R: f, N: maxMounts}
	mounts, err := parseMounts(r)
	if err == nil && r.N == 0 {
		err = &fault.LimitError{What: "bytes", Where: mountTable, Max: maxMounts}
	}
	return mounts, err
}

// parseMounts reads "id parent major:minor root point options [tags] - type …".
func parseMounts(r io.Reader) ([]mount, error) {
	out := []mount{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		head, tail, _ := strings.Cut(lines.Text(), " - ")
		fields, kind := strings.Fields(head), strings.Fields(tail)
		if len(fields) < 5 || len(kind) == 0 {
			continue
		}
		dev, ok := parseDevice(fields[2])
		if ok {
			out = append(out, mount{unescapeMount(fields[4]), dev, kind[0]})
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", mountTable, err)
	}
	return out, nil
}

// parseDevice turns "major:minor" into the form of st_dev (makedev(3)).
func parseDevice(s string) (uint64, bool) {
	a, b, _ := strings.Cut(s, ":")
	major, err := strconv.ParseUint(a, 10, 32)
	minor, err2 := strconv.ParseUint(b, 10, 32)
	dev := major&0xfff<<8 | major&^0xfff<<32 | minor&0xff | minor&^0xff<<12
	return dev, err == nil && err2 == nil
}

// unescapeMount replaces the octal escapes of white space and backslash.
func unescapeMount(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
