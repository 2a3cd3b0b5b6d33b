package suggest

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"severity", "severities", "kev", "epss", "vex", "package", "path"}
	for _, tt := range []struct{ name, want string }{
		{"severty", "severity"},
		{"sevreity", "severity"},
		{"kve", "kev"},
		{"vec", "vex"},
		{"pakage", "package"},
		{"zzz", ""},
		{"", ""},
		{"colour", ""},
	} {
		if got := Nearest(tt.name, names); got != tt.want {
			t.Errorf("Nearest(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := Phrase("pth", names); got != `; did you mean "path"?` {
		t.Errorf("Phrase: %s", got)
	}
	if got := Phrase("zzzz", names); got != "" {
		t.Errorf("Phrase of nothing near: %s", got)
	}
}
