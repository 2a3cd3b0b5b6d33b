package npm

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

const nodeModules = "node_modules/"

// readPackageLock reads package-lock.json, npm-shrinkwrap.json and
// node_modules/.package-lock.json
// (https://docs.npmjs.com/cli/configuring-npm/package-lock-json). Version 1
// lists packages as a tree ("dependencies"), version 3 by folder ("packages"),
// version 2 both ways, of which npm reads the second.
func readPackageLock(l *lockfile, data []byte) error {
	p := packageLock{lockfile: l, r: newReader(data)}
	err := p.r.document(func() {
		if p.r.peek() != '{' {
			p.r.fail("expected an object")
			return
		}
		p.r.object(p.member)
	})
	if !p.byFolder {
		l.entries, l.at = p.tree.entries, p.tree.at
		p.wanted = p.treeWanted
		if p.name != "" {
			err = cmpErr(err, l.put(entry{name: p.name, version: p.version, project: true, from: source{local, "."}}))
		}
	}
	p.connect()
	if err == nil && p.lockVersion != "" && !strings.Contains("123", p.lockVersion) {
		err = fmt.Errorf("lockfileVersion %s: %w", p.lockVersion, fault.Unsupported)
	}
	return err
}
