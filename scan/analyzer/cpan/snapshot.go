package cpan

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
)

// maxNames bounds the modules that one snapshot provides and requires.
const maxNames = 1_000_000

// snapshot reads a cpanfile.snapshot (Carton, Carton::Snapshot::Emitter): distributions two
// blanks in, what is said of each four, and modules with their versions six. Perl itself and
// modules that come with it are required and provided by none.
type snapshot struct {
	locked.File
	id      string // of the distribution that is being read; "" before the first
	entry   locked.Entry
	section string
	names   int
}

func readSnapshot(_ string, data []byte) ([]analyzer.Fact, error) {
	var s snapshot
	n, started := 0, false
	for raw := range bytes.Lines(data) {
		n++
		line := strings.TrimRight(jsontext.Clean(raw), " \t\r\n")
		text := strings.TrimLeft(line, " ")
		switch {
		case text == "":
		case text[0] == '#':
			if _, version, ok := strings.Cut(text, "carton snapshot format: version "); ok && version != "1.0" {
				s.Odd(fmt.Errorf("line %d: snapshot format %.20q: %w", n, version, fault.Unsupported))
			}
		case line == "DISTRIBUTIONS":
			started = true
		case !started:
			s.Odd(fmt.Errorf("line %d: expected DISTRIBUTIONS: %w", n, fault.Invalid))
		default:
			if err := s.line(len(line)-len(text), text); err != nil {
				s.Odd(fmt.Errorf("line %d: %w", n, err))
			}
		}
	}
	s.flush()
	return s.Facts(nil)
}

func (s *snapshot) line(indent int, text string) error {
	switch {
	case indent == 2:
		s.flush()
		s.id, s.section = text, ""
		s.entry = locked.Entry{Key: text, Package: parseDistribution(text).describe()}
		return nil
	case s.id == "":
	case indent == 4:
		name, value, _ := strings.Cut(text, ":")
		s.section = name
		if name == "pathname" {
			s.entry.Package = parseDistribution(strings.TrimSpace(value)).describe()
		}
		return nil
	case indent == 6 && s.section != "":
		module, _, _ := strings.Cut(text, " ")
		if s.names++; s.names > maxNames {
			return &fault.LimitError{What: "modules of a snapshot", Where: s.id, Max: maxNames, Seen: maxNames + 1}
		}
		switch s.section {
		case "provides":
			s.entry.Also = append(s.entry.Also, "module "+module)
		case "requirements":
			s.entry.Wants = append(s.entry.Wants, "module "+module)
		}
		return nil
	}
	return fmt.Errorf("unexpected indentation of %.60q: %w", text, fault.Invalid)
}

func (s *snapshot) flush() {
	if s.id != "" {
		s.entry.Package.Name = cmp.Or(s.entry.Package.Name, s.id)
		s.Put(s.entry)
	}
}
