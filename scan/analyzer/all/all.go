// Package all lists every analyzer of the SDK.
package all

import (
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/apk"
	"github.com/stella-ops/stella/scan/analyzer/binaries"
	"github.com/stella-ops/stella/scan/analyzer/bottlerocket"
	"github.com/stella-ops/stella/scan/analyzer/cargo"
	"github.com/stella-ops/stella/scan/analyzer/cocoapods"
	"github.com/stella-ops/stella/scan/analyzer/composer"
	"github.com/stella-ops/stella/scan/analyzer/conan"
	"github.com/stella-ops/stella/scan/analyzer/conda"
	"github.com/stella-ops/stella/scan/analyzer/cpan"
	"github.com/stella-ops/stella/scan/analyzer/cran"
	"github.com/stella-ops/stella/scan/analyzer/deno"
	"github.com/stella-ops/stella/scan/analyzer/dpkg"
	"github.com/stella-ops/stella/scan/analyzer/elfnote"
	"github.com/stella-ops/stella/scan/analyzer/flatpak"
	"github.com/stella-ops/stella/scan/analyzer/githubactions"
	"github.com/stella-ops/stella/scan/analyzer/gobinary"
	"github.com/stella-ops/stella/scan/analyzer/gomod"
	"github.com/stella-ops/stella/scan/analyzer/hackage"
	"github.com/stella-ops/stella/scan/analyzer/hex"
	"github.com/stella-ops/stella/scan/analyzer/homebrew"
	"github.com/stella-ops/stella/scan/analyzer/java"
	"github.com/stella-ops/stella/scan/analyzer/jenkins"
	"github.com/stella-ops/stella/scan/analyzer/julia"
	"github.com/stella-ops/stella/scan/analyzer/kernel"
	"github.com/stella-ops/stella/scan/analyzer/licenses"
	"github.com/stella-ops/stella/scan/analyzer/luarocks"
	"github.com/stella-ops/stella/scan/analyzer/nix"
	"github.com/stella-ops/stella/scan/analyzer/npm"
	"github.com/stella-ops/stella/scan/analyzer/nuget"
	"github.com/stella-ops/stella/scan/analyzer/opam"
	"github.com/stella-ops/stella/scan/analyzer/opkg"
	"github.com/stella-ops/stella/scan/analyzer/osrelease"
	"github.com/stella-ops/stella/scan/analyzer/packagefile"
	"github.com/stella-ops/stella/scan/analyzer/pacman"
	"github.com/stella-ops/stella/scan/analyzer/pear"
	"github.com/stella-ops/stella/scan/analyzer/portage"
	"github.com/stella-ops/stella/scan/analyzer/programs"
	"github.com/stella-ops/stella/scan/analyzer/pub"
	"github.com/stella-ops/stella/scan/analyzer/pypi"
	"github.com/stella-ops/stella/scan/analyzer/rpm"
	"github.com/stella-ops/stella/scan/analyzer/rubygems"
	"github.com/stella-ops/stella/scan/analyzer/snap"
	"github.com/stella-ops/stella/scan/analyzer/swift"
	"github.com/stella-ops/stella/scan/analyzer/swipl"
	"github.com/stella-ops/stella/scan/analyzer/terraform"
	"github.com/stella-ops/stella/scan/analyzer/unread"
	"github.com/stella-ops/stella/scan/analyzer/vcpkg"
	"github.com/stella-ops/stella/scan/analyzer/vendored"
	"github.com/stella-ops/stella/scan/analyzer/wordpress"
)

// Default returns the analyzers in the order in which they see a file and
// their packages are joined: the distribution first, then what installs
// operating system packages, then languages, then what no package manager
// tells of. Plugins of Jenkins come before other Java archives.
func Default() []analyzer.Analyzer {
	return []analyzer.Analyzer{
		osrelease.Analyzer{},
		dpkg.Analyzer{}, apk.Analyzer{}, rpm.Analyzer{}, pacman.Analyzer{}, portage.Analyzer{}, opkg.Analyzer{}, bottlerocket.Analyzer{},
		homebrew.Analyzer{}, snap.Analyzer{}, flatpak.Analyzer{}, nix.Analyzer{},
		gobinary.Analyzer{}, gomod.Analyzer{}, npm.Analyzer{}, pypi.Analyzer{}, jenkins.Analyzer{}, java.Analyzer{}, cargo.Analyzer{}, rubygems.Analyzer{}, composer.Analyzer{}, pear.Analyzer{}, nuget.Analyzer{},
		pub.Analyzer{}, hex.Analyzer{}, swift.Analyzer{}, cocoapods.Analyzer{}, conan.Analyzer{}, vcpkg.Analyzer{}, hackage.Analyzer{}, cran.Analyzer{},
		julia.Analyzer{}, luarocks.Analyzer{}, opam.Analyzer{}, cpan.Analyzer{}, deno.Analyzer{}, conda.Analyzer{}, wordpress.Analyzer{}, githubactions.Analyzer{}, swipl.Analyzer{}, terraform.Analyzer{},
		vendored.Analyzer{}, kernel.Analyzer{}, binaries.Analyzer{}, elfnote.Analyzer{}, packagefile.Analyzer{}, unread.Analyzer{}, programs.Analyzer{}, licenses.Analyzer{},
	}
}

// Set returns the default analyzers ready for a scan.
func Set() *analyzer.Set { return analyzer.NewSet(Default()...) }
