// Package all lists every analyzer of the SDK.
package all

import (
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/apk"
	"github.com/stella-ops/stella/scan/analyzer/dpkg"
	"github.com/stella-ops/stella/scan/analyzer/gobinary"
	"github.com/stella-ops/stella/scan/analyzer/java"
	"github.com/stella-ops/stella/scan/analyzer/npm"
	"github.com/stella-ops/stella/scan/analyzer/osrelease"
	"github.com/stella-ops/stella/scan/analyzer/pypi"
	"github.com/stella-ops/stella/scan/analyzer/rpm"
	"github.com/stella-ops/stella/scan/analyzer/unread"
)

// Default returns the analyzers in the order in which they see a file and
// their packages are joined: the distribution first, then what installs
// operating system packages, then languages.
func Default() []analyzer.Analyzer {
	return []analyzer.Analyzer{
		osrelease.Analyzer{}, dpkg.Analyzer{}, apk.Analyzer{}, rpm.Analyzer{},
		gobinary.Analyzer{}, npm.Analyzer{}, pypi.Analyzer{}, java.Analyzer{}, unread.Analyzer{},
	}
}

// Set returns the default analyzers ready for a scan.
func Set() *analyzer.Set { return analyzer.NewSet(Default()...) }
