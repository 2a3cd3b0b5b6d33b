package provider_test

import (
	"path"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/csaf/provider"
)

func FuzzMetadata(f *testing.F) {
	f.Add(published(f, "simple-rolie-provider/provider-metadata.json"))
	f.Add(published(f, "simple-directory-provider/provider-metadata.json"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if m, err := provider.ParseMetadata(text, nil); err == nil && (m.CanonicalURL == "" || m.Publisher.Namespace == "") {
			t.Fatalf("%+v", m)
		}
	})
}

func FuzzFeed(f *testing.F) {
	f.Add(published(f, "simple-rolie-provider/white/white-feed.json"))
	f.Add(example(f, "ROLIE/example-01-feed-tlp-white.json"))
	f.Fuzz(func(t *testing.T, text []byte) {
		feed, err := provider.ParseFeed(text, nil)
		if err != nil {
			return
		}
		for _, e := range feed.Entries {
			if e.URL() == "" || strings.Contains(e.Name(), "/") && e.Name() != "/" {
				t.Fatalf("%+v", e)
			}
		}
	})
}

func FuzzService(f *testing.F) {
	f.Add(published(f, "simple-rolie-provider/service.json"))
	f.Fuzz(func(t *testing.T, text []byte) { provider.ParseService(text, nil) })
}

func FuzzAggregator(f *testing.F) {
	f.Add(example(f, "aggregator/example-03-aggregator.json"))
	f.Fuzz(func(t *testing.T, text []byte) { provider.ParseAggregator(text, nil) })
}

func FuzzLists(f *testing.F) {
	f.Add([]byte("2020/a.json\n"))
	f.Add([]byte("\"2020/a.json\",\"2020-01-01T00:00:00Z\"\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		names, _ := provider.ParseIndex(text, nil)
		changes, _ := provider.ParseChanges(text, nil)
		for _, c := range changes {
			names = append(names, c.Path)
		}
		for _, name := range names {
			u, err := provider.Join("https://a.example/white/index.txt", name)
			if err != nil || !strings.HasPrefix(u, "https://a.example/white/") || path.IsAbs(name) || strings.Contains(u, "/../") {
				t.Fatalf("%q gives %q, %v", name, u, err)
			}
		}
	})
}

func FuzzHash(f *testing.F) {
	f.Add("a.json.sha256", []byte(strings.Repeat("ab", 32)+"  a.json\n"))
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		h, err := provider.ParseHash(name, text)
		if err == nil && h.Verify(path.Base(h.Name), nil) == nil {
			t.Skip("the digest of nothing")
		}
	})
}

func FuzzSecurityTxt(f *testing.F) {
	f.Add([]byte("CSAF: https://a.example/provider-metadata.json\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		urls, _ := provider.ParseSecurityTxt(text, nil)
		for _, u := range urls {
			if !strings.HasPrefix(u, "https://") {
				t.Fatal(u)
			}
		}
	})
}
