package alarm_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/internal/alarm"
	"github.com/stella-ops/stella/notify/notifytest"
)

func TestImage(t *testing.T) {
	one := notifytest.Message("delivery-1")
	one.Notices, one.Total = one.Notices[:1], 1
	more := notifytest.Message("delivery-1")
	more.Notices, more.Total = more.Notices[:1], 2
	for _, c := range []struct {
		name, want string
		m          *notify.Message
	}{
		{"one", "alpine:latest", one},
		{"two", "", notifytest.Message("delivery-1")},
		{"one that is listed", "", more},
		{"none", "", &notify.Message{}},
	} {
		if got := alarm.Image(c.m); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestLines: each image is in a line or counted, and the list is bounded.
func TestLines(t *testing.T) {
	for _, n := range []int{1, 100, notify.MaxListed, 5 * notify.MaxListed} {
		m := notifytest.Message("delivery-1")
		m.Notices = m.Notices[:1]
		for i := 1; i < n; i++ {
			one := m.Notices[0]
			one.Image = fmt.Sprintf("%s/service-%d:1", strings.Repeat("long-name-", n/100), i)
			m.Notices = append(m.Notices, one)
		}
		m.Total = n + 7
		lines, more := alarm.Lines(m)
		size := len(strings.Join(lines, ""))
		if len(lines)+more != n+7 || len(lines) > alarm.MaxLines || size > alarm.MaxBytes || !strings.HasPrefix(lines[0], "alpine:latest: CVE-2024-1234") {
			t.Errorf("%d images: %d lines of %d bytes, %d more, %.60q first", n, len(lines), size, more, lines[0])
		}
	}
}

// TestKey: what differs in group or tenant is another alert, even where both run together
// to the same text.
func TestKey(t *testing.T) {
	seen := map[string]string{}
	for _, m := range []notify.Message{
		{ID: "1", Tenant: "a", GroupKey: "bc"}, {ID: "1", Tenant: "ab", GroupKey: "c"}, {ID: "1", Tenant: "a"}, {ID: "2", Tenant: "a"},
		{ID: "1", Tenant: "a", GroupKey: "1"}, {ID: "3", Tenant: "a", GroupKey: "bc", Kind: notify.KindTest},
	} {
		name, key := fmt.Sprintf("%+v", m), alarm.Key(&m)
		if other, ok := seen[key]; ok || len(key) > 255 {
			t.Errorf("%s and %s are one alert, %s", name, other, key)
		}
		seen[key] = name
	}
}
