package locked

import "testing"

func TestAnonymous(t *testing.T) {
	for in, want := range map[string]string{
		"https://gems.example/": "https://gems.example/", "https://user:secret@gems.example/x@y": "https://gems.example/x@y",
		"https://token@gems.example": "https://gems.example", "git+https://a:b@h/x": "git+https://h/x", "https://a@b@c": "https://c",
		"ssh://git@host/x": "ssh://git@host/x", "ssh://git:secret@host/x": "ssh://git@host/x", "git@host:x": "git@host:x", "../x": "../x",
		"https://host/x?user=a@b": "https://host/x?user=a@b", "https://user:pa#ss@host": "https://user:pa#ss@host", "": "",
	} {
		if got := Anonymous(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestVCS(t *testing.T) {
	for in, want := range map[string]string{
		"https://host/x.git": "git+https://host/x.git@1f", "git://host/x": "git://host/x@1f", "git+https://host/x": "git+https://host/x@1f",
		"git@host.example:x/y.git": "git+ssh://git@host.example/x/y.git@1f", "host:/srv/x": "git+ssh://host/srv/x@1f",
		"https://a:b@host/x": "git+https://host/x@1f", "file:///srv/x": "git+file:///srv/x@1f",
		"/srv/x": "", "../x": "", `C:\x`: "", "": "", "./a:b": "", "host:": "",
	} {
		if got := VCS("git", in, "1f"); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := VCS("hg", "https://host/x", ""); got != "hg+https://host/x" {
		t.Error(got)
	}
}
