package version

import "strings"

// maven orders Maven versions as the current ComparableVersion does: items
// after dots and hyphens and between digits and letters; numbers, known
// qualifiers (alpha, beta, milestone, rc, snapshot, the release, sp) and after
// them all others; a hyphen opens a list, which precedes a number in its place
// and follows a qualifier; what is missing counts as 0 or as the release.
//
// Source: Maven POM reference, "Version Order Specification"; Maven 4,
// ComparableVersion (unchanged in order since 3.9.3: MNG-7644, MNG-7714).
var maven = rules{
	name:    "maven",
	parse:   func(s string) ([]byte, string) { return mavenKey(nil, s) },
	order:   func(v, w Version) int { return compareMavenKeys(v.key, w.key) },
	compare: compareMaven,
}

func compareMaven(a, b string) (int, bool) {
	var abuf, bbuf [keySize]byte
	x, why := mavenKey(abuf[:0], a)
	if why != "" {
		return 0, false
	}
	y, why := mavenKey(bbuf[:0], b)
	if why != "" {
		return 0, false
	}
	return compareMavenKeys(x, y), true
}

// mavenKind is the kind of an item. Where two versions differ in it, the later
// kind is the greater, save that a qualifier and a combination compare.
type mavenKind byte

const (
	mavenQualifier   mavenKind = iota + 1 // letters
	mavenCombination                      // letters and a number: rc1, rc-1
	mavenList                             // opens a list that holds all items after it
	mavenNumber
)

// mavenItem is one item of a version. A version's lists nest only at their end,
// so that a flat sequence with marks where lists open holds all of it.
type mavenItem struct {
	kind    mavenKind
	letters string // of a qualifier or combination
	digits  string // of a number or combination
	dropped bool   // by normalization
}

func mavenKey(key []byte, s string) ([]byte, string) {
	switch {
	case s == "":
		return nil, whyEmpty
	case hasControl(s):
		return nil, whyControl
	}
	var buf [16]mavenItem // room on the stack for a usual version
	p := mavenParser{text: s, items: buf[:0], listEmpty: true}
	p.parse()
	dropMavenNulls(p.items)
	for _, item := range p.items {
		if !item.dropped {
			key = item.appendKey(key)
		}
	}
	return key, ""
}

// appendKey encodes an item: its kind, then the rank of its letters and, where
// that does not say all, the letters, then its number.
func (m mavenItem) appendKey(key []byte) []byte {
	key = append(key, byte(m.kind))
	if m.kind == mavenQualifier || m.kind == mavenCombination {
		rank := mavenRank(m)
		key = append(key, rank)
		if rank == mavenUnknown {
			key = append(appendFold(key, m.letters), 0)
		}
	}
	if m.kind == mavenNumber || m.kind == mavenCombination {
		key = appendNumber(key, m.digits)
	}
	return key
}

// Ranks of qualifiers, in their order.
const (
	mavenAlpha = iota
	mavenBeta
	mavenMilestone
	mavenRC
	mavenSnapshot
	mavenRelease
	mavenSP
	mavenUnknown
)

// maxMavenQualifier is the length of the longest known qualifier, milestone.
const maxMavenQualifier = 9

func mavenRank(m mavenItem) byte {
	if len(m.letters) > maxMavenQualifier {
		return mavenUnknown
	}
	var buf [maxMavenQualifier]byte
	letters := appendFold(buf[:0], m.letters)
	switch string(letters) {
	case "alpha":
		return mavenAlpha
	case "beta":
		return mavenBeta
	case "milestone":
		return mavenMilestone
	case "rc", "cr":
		return mavenRC
	case "snapshot":
		return mavenSnapshot
	case "", "ga", "final", "release":
		return mavenRelease
	case "sp":
		return mavenSP
	}
	if m.kind == mavenCombination && len(letters) == 1 { // a1, b1 and m1 are short forms
		switch letters[0] {
		case 'a':
			return mavenAlpha
		case 'b':
			return mavenBeta
		case 'm':
			return mavenMilestone
		}
	}
	return mavenUnknown
}

// dropMavenNulls normalizes the lists of a version, the innermost first: a zero
// or an empty list goes where it is at the end of its list or has a qualifier,
// or a list that starts with letters, right after it.
func dropMavenNulls(items []mavenItem) {
	// next is the kind of the item that was kept last in the current list, and
	// first that of the first item of the list, where next is a list.
	var next, first mavenKind
	for i := len(items) - 1; i >= 0; i-- {
		m := &items[i]
		if m.kind == mavenList {
			if m.dropped = next == 0; !m.dropped {
				next, first = mavenList, next
			}
			continue
		}
		if m.kind == mavenNumber && trimZeros(m.digits) == "" {
			m.dropped = next == 0 || next == mavenQualifier ||
				next == mavenList && (first == mavenQualifier || first == mavenCombination)
		}
		if !m.dropped {
			next = m.kind
		}
	}
}

// mavenParser splits a version into items.
type mavenParser struct {
	text  string
	items []mavenItem
	start int // of the current item
	// listEmpty is true while the current list has no item.
	isDigit, isCombination, listEmpty bool
}

func (p *mavenParser) parse() {
	if !isASCII(p.text) {
		p.text = strings.ToLower(p.text)
	}
	for i := range len(p.text) {
		switch c := p.text[i]; {
		case c == '.':
			p.end(i)
			p.start, p.isCombination = i+1, false
		case c == '-':
			if p.joinsNumber(i) {
				p.isCombination = true
				continue
			}
			p.end(i)
			p.start, p.isCombination = i+1, false
			p.open()
		case isDigit(c):
			if !p.isDigit && i > p.start {
				p.isCombination = true
				p.open()
			}
			p.isDigit = true
		default:
			if p.isDigit && i > p.start {
				p.end(i)
				p.start, p.isCombination = i, false
				p.open()
			}
			p.isDigit = false
		}
	}
	if p.start < len(p.text) {
		if !p.isDigit {
			p.open()
		}
		p.end(len(p.text))
	}
}

// joinsNumber reports whether the hyphen at i only joins letters to a number.
func (p *mavenParser) joinsNumber(i int) bool {
	return i > p.start && !p.isDigit && i+1 < len(p.text) && isDigit(p.text[i+1])
}

// open starts a list in the current one, unless that is still empty.
func (p *mavenParser) open() {
	if !p.listEmpty {
		p.items = append(p.items, mavenItem{kind: mavenList})
		p.listEmpty = true
	}
}

// end adds the item that ends before i; one without text is zero.
func (p *mavenParser) end(i int) {
	text := p.text[p.start:i]
	item := mavenItem{kind: mavenQualifier, letters: text}
	switch {
	case text == "":
		item = mavenItem{kind: mavenNumber}
	case p.isCombination:
		n := 0
		for n < len(text) && !isDigit(text[n]) {
			n++
		}
		letters := strings.TrimSuffix(text[:n], "-")
		item = mavenItem{kind: mavenCombination, letters: letters, digits: text[n:]}
	case p.isDigit:
		item = mavenItem{kind: mavenNumber, digits: text}
	}
	p.items = append(p.items, item)
	p.listEmpty = false
}
