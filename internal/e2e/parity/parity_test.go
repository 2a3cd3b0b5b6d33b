package main

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNormalize(t *testing.T) {
	for text, want := range map[string]id{
		"pkg:golang/github.com/BurntSushi/toml@v1.4.0":                {"golang", "github.com/burntsushi/toml", "1.4.0"},
		"pkg:pypi/ruamel.yaml@0.18":                                   {"pypi", "ruamel-yaml", "0.18"},
		"pkg:rpm/centos/bind@32:9.11.4-26?arch=x86_64&epoch=32":       {"rpm", "bind", "9.11.4-26"},
		"pkg:rpm/rhel/bind@9.11.4-26?arch=x86_64&epoch=32":            {"rpm", "bind", "9.11.4-26"},
		"pkg:maven/org.slf4j/slf4j-api@1.7.25?type=jar":               {"maven", "org.slf4j:slf4j-api", "1.7.25"},
		"pkg:npm/%40babel/core@7.0.0":                                 {"npm", "@babel/core", "7.0.0"},
		"pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?distro=debian-12":      {"deb", "libc6", "2.36-9+deb12u4"},
		"pkg:cocoapods/AFNetworking/Serialization@4.0.1":              {"cocoapods", "AFNetworking", "4.0.1"},
		"pkg:golang/stdlib@1.21.3":                                    {"golang", "stdlib", "1.21.3"},
		"pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20": {"apk", "musl", "1.2.5-r0"},
	} {
		if got, ok := fromPURL(text); !ok || got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
	for _, c := range []struct{ name, version, ecosystem string }{{"a", "1", "Debian:12"}, {"a", "0:1", "deb"}} {
		if got := fromOSV(c.name, c.version, c.ecosystem); got != (id{"deb", "a", "1"}) {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}

func TestReport(t *testing.T) {
	theirs, err := readCycloneDX([]byte(`{"components":[{"type":"library","name":"a","purl":"pkg:npm/a@1","components":[{"purl":"pkg:npm/b@2"}]},{"type":"library","name":"c","version":"3"},{"type":"file","name":"f"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	others, err := readOSV([]byte(`{"results":[{"packages":[{"package":{"name":"A","version":"1","ecosystem":"npm"}}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	report(&out, "x", []tool{{name: "stella"}, {name: "p"}, {name: "q"}}, []set{{{"npm", "a", "1"}: true, {"npm", "d", "4"}: true}, theirs, others}, 1)
	want := `x | no package URL | stella 0 p 1 q 0
  p has and we do not (1): c@3
x | npm | stella 2 p 2 q 1
  p has and we do not (1): b@2
  we have and p does not (1): d@4
  we have and q does not (1): d@4
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
