package image

import (
	"bufio"
	"errors"
	"fmt"
	"io"
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

// pseudo are the file systems that have no files on a disk, by the number
// statfs(2) gives them (linux/magic.h). File systems in memory are among them:
// what is in /run or /dev/shm was not installed.
var pseudo = map[int64]bool{
	0x9fa0:     true, // proc
	0x62656572: true, // sysfs
	0x01021994: true, // tmpfs, devtmpfs
	0x858458f6: true, // ramfs
	0x1cd1:     true, // devpts
	0x27e0eb:   true, // cgroup
	0x63677270: true, // cgroup2
	0x64626720: true, // debugfs
	0x74726163: true, // tracefs
	0x73636673: true, // securityfs
	0xf97cff8c: true, // selinuxfs
	0x5a3c69f0: true, // apparmorfs
	0x6165676c: true, // pstorefs
	0xde5e81e4: true, // efivarfs
	0xcafe4a11: true, // bpf
	0x19800202: true, // mqueue
	0x958458f6: true, // hugetlbfs
	0x62656570: true, // configfs
	0x65735543: true, // fusectl
	0x42494e4d: true, // binfmt_misc
	0x0187:     true, // autofs
	0x67596969: true, // rpc_pipefs
	0x6e736673: true, // nsfs
}

// wellKnown are looked at where the table of mounts cannot be read.
var wellKnown = []string{"proc", "sys", "dev", "run"}

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
	var own syscall.Stat_t
	if err := syscall.Stat(dir, &own); err != nil {
		return nil, err
	}
	below, err := mountsBelow(dir)
	if err != nil {
		return nil, err
	}
	var skip []string
	slices.Sort(below)
	for _, rel := range slices.Compact(below) {
		inside := slices.ContainsFunc(skip, func(s string) bool { return strings.HasPrefix(rel, s+"/") })
		if !inside && isPseudo(filepath.Join(dir, rel), own.Dev) {
			skip = append(skip, rel)
		}
	}
	return skip, nil
}

// isPseudo reports whether path is a folder on another, pseudo, file system.
func isPseudo(path string, own uint64) bool {
	var st syscall.Stat_t
	var fs syscall.Statfs_t
	if syscall.Lstat(path, &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFDIR || st.Dev == own {
		return false
	}
	return syscall.Statfs(path, &fs) == nil && pseudo[int64(uint32(fs.Type))]
}

// mountsBelow lists the mount points below dir, relative to it.
func mountsBelow(dir string) ([]string, error) {
	f, err := os.Open(mountTable)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		return wellKnown, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := &io.LimitedReader{R: f, N: maxMounts}
	mounts, err := parseMounts(r, dir)
	if err == nil && r.N == 0 {
		err = &fault.LimitError{What: "bytes", Where: mountTable, Max: maxMounts}
	}
	return mounts, err
}

// parseMounts reads the fifth field of each line, the mount point.
func parseMounts(r io.Reader, dir string) ([]string, error) {
	prefix := strings.TrimSuffix(dir, "/") + "/"
	var out []string
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			continue
		}
		if rel, ok := strings.CutPrefix(unescapeMount(fields[4]), prefix); ok && rel != "" {
			out = append(out, rel)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", mountTable, err)
	}
	return out, nil
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
