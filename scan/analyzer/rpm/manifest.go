package rpm

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/rpmdb"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/distro"
)

// maxLine bounds one line of a manifest, in bytes.
const maxLine = 64 << 10

// readManifest returns the packages of a manifest, one a line.
func readManifest(f *analyzer.File, parse func(string) (rpmdb.Package, error)) ([]analyzer.Fact, error) {
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	var facts []analyzer.Fact
	broken := failures{where: f.Path}
	n := 0
	for lines.Scan() {
		n++
		line := strings.ToValidUTF8(strings.TrimRight(lines.Text(), "\r"), "\uFFFD")
		if line == "" {
			continue
		}
		p, err := parse(line)
		if err != nil {
			if broken.add(fmt.Errorf("line %d: %w", n, err)) == maxBroken {
				return facts, broken.err()
			}
			continue
		}
		if p.Name == keyPackage {
			continue
		}
		if limit := f.Budget.Limits.Facts; int64(len(facts)) >= limit {
			return facts, &fault.LimitError{What: "packages", Where: f.Path, Max: limit}
		}
		facts = append(facts, packageFact(&p))
	}
	if err := lines.Err(); err == bufio.ErrTooLong {
		broken.add(&fault.LimitError{What: "bytes of a line", Where: fmt.Sprintf("line %d", n+1), Max: maxLine})
	} else if err != nil {
		return facts, fmt.Errorf("read %s: %w", f.Path, err)
	}
	return facts, broken.err()
}

// longLine reads a line of container-manifest-2: name, version-release, install
// time, build time, vendor, epoch (always "(none)"), size, architecture, epoch
// as a number (0 for none), file name of the source package; with tabs between.
func longLine(line string) (rpmdb.Package, error) {
	col := strings.Split(line, "\t")
	if len(col) < 10 {
		return rpmdb.Package{}, fmt.Errorf("%d columns, not 10: %w", len(col), fault.Invalid)
	}
	for i, c := range col {
		if c == "(none)" {
			col[i] = ""
		}
	}
	p := rpmdb.Package{Name: col[0], Arch: col[7], Vendor: col[4], SourceRPM: col[9]}
	if p.Version, p.Release, _ = strings.Cut(col[1], "-"); p.Name == "" || p.Version == "" || p.Release == "" {
		return p, fmt.Errorf("name %q with version %q: %w", p.Name, col[1], fault.Invalid)
	}
	for _, c := range []string{col[5], col[8]} {
		if c == "" {
			continue
		}
		epoch, err := strconv.ParseUint(c, 10, 32)
		if err != nil {
			return p, fmt.Errorf("package %s has epoch %q: %w", p.Name, c, fault.Invalid)
		}
		if epoch > 0 {
			p.Epoch, p.HasEpoch = uint32(epoch), true
		}
	}
	return p, nil
}

// nameLine reads a line of container-manifest-1: name-version-release.arch, as
// rpm -qa prints it, without an epoch.
func nameLine(line string) (rpmdb.Package, error) {
	full, arch := strings.TrimSpace(line), ""
	if !strings.HasPrefix(full, keyPackage+"-") { // keys have no architecture
		dot := strings.LastIndexByte(full, '.')
		if dot < 0 || dot == len(full)-1 {
			return rpmdb.Package{}, fmt.Errorf("%q names no architecture: %w", line, fault.Invalid)
		}
		full, arch = full[:dot], full[dot+1:]
	}
	name, version, ok := distro.SplitRPM(full)
	if !ok {
		return rpmdb.Package{}, fmt.Errorf("%q is not name-version-release.arch: %w", line, fault.Invalid)
	}
	p := rpmdb.Package{Name: name, Arch: arch}
	p.Version, p.Release, _ = strings.Cut(version, "-")
	return p, nil
}
