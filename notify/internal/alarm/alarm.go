// Package alarm is what the channels that wake people have in common: what makes two
// messages one alert, what it is about, and what of it concerns whom.
package alarm

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/internal/chat"
)

// The bounds of a list: of its lines, and of its bytes.
const (
	MaxLines = notify.MaxListed
	MaxBytes = 64 << 10
)

// Key is what messages about the same thing have in common, so that they are one alert
// while it is open: the same for each attempt and each message of a group. Each test is
// an alert of its own.
func Key(m *notify.Message) string {
	about := m.GroupKey
	if m.Kind == notify.KindTest || about == "" {
		about = "\x00" + m.ID
	}
	sum := sha256.Sum256([]byte(m.Tenant + "\x00" + about))
	return "stella-" + hex.EncodeToString(sum[:16])
}

// Image is the one image that a message is about, "" where it is about several, or none.
func Image(m *notify.Message) string {
	if len(m.Notices) == 0 || m.More() > 0 {
		return ""
	}
	image := m.Notices[0].Image
	for i := range m.Notices {
		if m.Notices[i].Image != image {
			return ""
		}
	}
	text, _ := chat.Line(image, 255)
	return text
}

// Lines is what a message lists, a line for each image, the worst first, and how many
// notices are in none of them.
func Lines(m *notify.Message) (lines []string, more int) {
	groups, _ := chat.Groups(m)
	size, items := 0, 0
	for _, g := range groups {
		items += len(g.Items)
		about := strings.Join(append([]string{g.Name}, g.Marks...), ", ")
		for _, it := range g.Items {
			line, _ := chat.Line(text(it.Name, about, it.Note), 500)
			if len(lines) >= MaxLines || size+len(line) > MaxBytes {
				continue
			}
			lines = append(lines, line)
			size += len(line)
		}
	}
	return lines, items - len(lines) + m.More()
}

func text(name, about, note string) string {
	if name == "" {
		name = "—"
	}
	name += ": " + about
	if note != "" {
		name += " — " + note
	}
	return name
}
