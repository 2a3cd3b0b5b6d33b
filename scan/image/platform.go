package image

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// platform is what an image was built for (OCI image-spec, config.md).
type platform struct{ OS, Architecture, Variant string }

// String is os/architecture[/variant]; "" where nothing is known.
func (p platform) String() string {
	s := p.OS + "/" + p.Architecture
	if s == "/" {
		return ""
	}
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// known reports whether the platform says what it is: attestations are put into
// indexes for "unknown/unknown".
func (p platform) known() bool {
	return p.OS != "" && p.OS != "unknown" && p.Architecture != "" && p.Architecture != "unknown"
}

// check accepts short plain names: a platform is printed and compared.
func (p platform) check() error {
	for _, s := range []string{p.OS, p.Architecture, p.Variant} {
		if len(s) > 64 || strings.IndexFunc(s, func(c rune) bool { return !isAlnum(c) && !strings.ContainsRune("._+-", c) }) >= 0 {
			return fmt.Errorf("platform %q: %q is not a name", p.String(), clip(s))
		}
	}
	return nil
}

// hostPlatform is linux on this machine's architecture: containers elsewhere
// run in a linux machine of the same architecture.
func hostPlatform() platform {
	return platform{OS: "linux", Architecture: runtime.GOARCH}.canonical()
}

// parsePlatform reads what a user asks for.
func parsePlatform(s string) (platform, error) {
	parts := strings.Split(s, "/")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" || parts[len(parts)-1] == "" {
		return platform{}, fmt.Errorf("platform %q is not os/architecture or os/architecture/variant, such as linux/arm64: %w", clip(s), fault.Invalid)
	}
	p := platform{OS: strings.ToLower(parts[0]), Architecture: strings.ToLower(parts[1])}
	if len(parts) == 3 {
		p.Variant = strings.ToLower(parts[2])
	}
	if err := p.check(); err != nil {
		return platform{}, fmt.Errorf("%w: %w", err, fault.Invalid)
	}
	return p.canonical(), nil
}

// canonical gives one name to what has several, and leaves out the variant that
// an architecture means by itself.
func (p platform) canonical() platform {
	switch p.Architecture {
	case "x86_64", "x86-64":
		p.Architecture = "amd64"
	case "aarch64":
		p.Architecture = "arm64"
	case "i386", "i686":
		p.Architecture = "386"
	case "armhf":
		p.Architecture, p.Variant = "arm", "v7"
	case "armel":
		p.Architecture, p.Variant = "arm", "v6"
	}
	switch {
	case p.Architecture == "arm" && p.Variant == "":
		p.Variant = "v7"
	case p.Architecture == "arm" && !strings.HasPrefix(p.Variant, "v") && version(p.Variant) > 0:
		p.Variant = "v" + p.Variant
	case p.Architecture == "arm64" && (p.Variant == "v8" || p.Variant == "8"):
		p.Variant = ""
	case p.Architecture == "amd64" && p.Variant == "v1":
		p.Variant = ""
	}
	return p
}

// fit says how well an image for have runs on want: 0 not at all, more is
// better. Within an architecture a machine runs its own variant and lower ones.
func fit(want, have platform) int {
	want, have = want.canonical(), have.canonical()
	if want.OS != have.OS || want.Architecture != have.Architecture {
		return 0
	}
	if want.Variant == have.Variant {
		return 1 << 20
	}
	w, h := variantOf(want), variantOf(have)
	if w == 0 || h == 0 || h > w {
		return 0
	}
	return h
}

// variantOf is the variant as a number that grows with what a machine can run,
// 0 where it is not of that form.
func variantOf(p platform) int {
	if p.Variant == "" {
		switch p.Architecture {
		case "arm64":
			return version("v8")
		case "amd64":
			return version("v1")
		}
		return 0
	}
	return version(p.Variant)
}

// version reads "v8" or "v8.2".
func version(s string) int {
	major, minor, _ := strings.Cut(strings.TrimPrefix(s, "v"), ".")
	a, err := strconv.ParseUint(major, 10, 8)
	if err != nil {
		return 0
	}
	b, err := strconv.ParseUint(minor, 10, 8)
	if err != nil && minor != "" {
		return 0
	}
	return int(a)<<8 + int(b)
}
