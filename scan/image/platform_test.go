package image

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stella-ops/stella/internal/imagetest"
)

func TestParsePlatform(t *testing.T) {
	for in, want := range map[string]platform{
		"linux/amd64": {"linux", "amd64", ""}, "Linux/X86_64": {"linux", "amd64", ""}, "linux/amd64/v1": {"linux", "amd64", ""},
		"linux/amd64/v3": {"linux", "amd64", "v3"}, "linux/arm64/v8": {"linux", "arm64", ""}, "linux/aarch64": {"linux", "arm64", ""},
		"linux/arm": {"linux", "arm", "v7"}, "linux/arm/6": {"linux", "arm", "v6"}, "linux/armhf": {"linux", "arm", "v7"}, "windows/amd64": {"windows", "amd64", ""},
	} {
		if got, err := parsePlatform(in); err != nil || got != want {
			t.Errorf("%q: got %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "/", "linux", "linux/", "/amd64", "linux/amd64/", "a/b/c/d", "linux/amd 64", "linux/\x00", strings.Repeat("a", 65) + "/b"} {
		if got, err := parsePlatform(in); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: got %v, %v", in, got, err)
		}
	}
}

func TestFit(t *testing.T) {
	for _, tc := range []struct {
		want, offers, choice string
	}{
		{"linux/amd64", "linux/arm64 linux/amd64", "linux/amd64"},
		{"linux/amd64", "linux/amd64/v3 linux/amd64", "linux/amd64"},
		{"linux/amd64/v3", "linux/amd64 linux/amd64/v2 linux/amd64/v4", "linux/amd64/v2"},
		{"linux/arm/v7", "linux/arm/v5 linux/arm/v6 linux/arm64", "linux/arm/v6"},
		{"linux/arm/v6", "linux/arm/v7 linux/arm/v5", "linux/arm/v5"},
		{"linux/arm", "linux/arm/v6 linux/arm/v7", "linux/arm/v7"},
		{"linux/arm64", "linux/arm/v7 linux/arm64/v8", "linux/arm64/v8"},
		{"linux/arm64", "linux/arm64/v9", ""},
		{"linux/arm64/v9.2", "linux/arm64 linux/arm64/v9 linux/arm64/v9.4", "linux/arm64/v9"},
		{"linux/386", "linux/amd64", ""},
		{"windows/amd64", "linux/amd64", ""},
		{"linux/mips/softfloat", "linux/mips/hardfloat", ""},
	} {
		want, err := parsePlatform(tc.want)
		if err != nil {
			t.Fatal(err)
		}
		var all []candidate
		for s := range strings.SplitSeq(tc.offers, " ") {
			p := append(strings.Split(s, "/"), "")
			all = append(all, candidate{descriptor{MediaType: typeOCIManifest}, platform{p[0], p[1], p[2]}})
		}
		got := ""
		if i, _ := bestFit(want, all); i >= 0 {
			got = all[i].platform.String()
		}
		if got != tc.choice {
			t.Errorf("%s of %s: got %q, want %q", tc.want, tc.offers, got, tc.choice)
		}
	}
}

// The choice does not depend on the order of different platforms, and the first
// of equals wins.
func TestBestFitIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gen := rapid.Custom(func(t *rapid.T) platform {
			return platform{
				rapid.SampledFrom([]string{"linux", "windows"}).Draw(t, "os"),
				rapid.SampledFrom([]string{"amd64", "arm", "arm64"}).Draw(t, "arch"),
				rapid.SampledFrom([]string{"", "v5", "v6", "v7", "v8", "v2"}).Draw(t, "variant"),
			}
		})
		want := gen.Draw(t, "want")
		offers := rapid.SliceOfN(gen, 0, 8).Draw(t, "offers")
		list := func(ps []platform) (out []candidate) {
			for _, p := range ps {
				out = append(out, candidate{descriptor{MediaType: typeOCIManifest}, p})
			}
			return out
		}
		i, n := bestFit(want, list(offers))
		if i < 0 {
			for _, p := range offers {
				if fit(want, p) > 0 {
					t.Fatalf("%v fits %v, but was not taken", p, want)
				}
			}
			return
		}
		for j, p := range offers {
			if f := fit(want, p); f > fit(want, offers[i]) || f == fit(want, offers[i]) && j < i {
				t.Fatalf("took %v, %v is better or first", offers[i], p)
			}
		}
		back := make([]platform, len(offers))
		for j, p := range offers {
			back[len(offers)-1-j] = p
		}
		if j, m := bestFit(want, list(back)); m != n || back[j].canonical() != offers[i].canonical() {
			t.Fatalf("backwards: %v of %d, forwards %v of %d", back[j], m, offers[i], n)
		}
	})
}

// Without a platform asked for, an index gives this machine's, or the only one.
func TestDefaultPlatform(t *testing.T) {
	host := "linux/" + runtime.GOARCH
	opt := &Options{Credentials: NoCredentials}
	m := mustOpen(t, "oci:"+manyPlatforms("plan9/mips", host).dir(t), opt)
	if !strings.HasPrefix(m.Source.PlatformChoice, host+"; this machine is "+host+"; the index has ") {
		t.Errorf("choice %q", m.Source.PlatformChoice)
	}
	m = mustOpen(t, "oci:"+manyPlatforms("plan9/mips").dir(t), opt)
	if m.Source.PlatformChoice != "plan9/mips, the only image; this machine is "+hostPlatform().String() {
		t.Errorf("choice %q", m.Source.PlatformChoice)
	}
	err := pull("oci:"+manyPlatforms("plan9/mips", "plan9/386").dir(t), opt, false)
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "the index has plan9/386, plan9/mips") {
		t.Errorf("neither: %v", err)
	}
	m = mustOpen(t, "oci:"+manyPlatforms(host, host).dir(t), opt)
	if !strings.Contains(m.Source.PlatformChoice, "the first of 2 equals") {
		t.Errorf("choice %q", m.Source.PlatformChoice)
	}
}

func TestIndexAndConfigDisagree(t *testing.T) {
	f := &fixture{topType: typeOCIIndex}
	d := f.desc(typeOCIManifest, marshal(f.addImage("linux/arm64", imagetest.Gzip)))
	d["platform"] = obj{"os": "linux", "architecture": "amd64"}
	f.top = marshal(obj{"schemaVersion": 2, "manifests": []obj{d}})
	m := mustOpen(t, "oci:"+f.dir(t), anonymous())
	if m.Subject.Platform != "linux/arm64" || !strings.HasSuffix(m.Source.PlatformChoice, "its config says linux/arm64") {
		t.Errorf("%s, choice %q", m.Subject.Platform, m.Source.PlatformChoice)
	}
}

func TestPlatformOfASingleImage(t *testing.T) {
	dir := oneImage().dir(t)
	for _, p := range []string{"", "linux/amd64", "linux/amd64/v2"} {
		mustOpen(t, "oci:"+dir, &Options{Platform: p})
	}
	for _, p := range []string{"linux/arm64", "windows/amd64"} {
		err := pull("oci:"+dir, &Options{Platform: p}, false)
		if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "there is only linux/amd64") {
			t.Errorf("%s: %v", p, err)
		}
	}
	if err := pull("oci:"+dir, &Options{Platform: "linux"}, false); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

func TestNestedIndex(t *testing.T) {
	f := manyPlatforms("linux/amd64", "linux/arm64")
	inner := f.desc(typeOCIIndex, f.top)
	windows := f.desc(typeOCIIndex, []byte("not read: it is for another platform"))
	windows["platform"] = obj{"os": "windows", "architecture": "amd64"}
	f.top = marshal(obj{"schemaVersion": 2, "manifests": []obj{windows, inner}})
	m := mustOpen(t, "oci:"+f.dir(t), anonymous())
	if m.Subject.Platform != "linux/amd64" || m.Source.Index != imagetest.Digest(f.top) {
		t.Errorf("%s of %s", m.Subject.Platform, m.Source.Index)
	}
	opt := anonymous()
	opt.Platform = "linux/s390x"
	if err := pull("oci:"+f.dir(t), opt, false); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "windows/amd64") {
		t.Error(err)
	}
}
