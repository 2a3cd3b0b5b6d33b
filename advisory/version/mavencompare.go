package version

import "bytes"

// compareMavenKeys compares two sequences of items. Where both open a list, the
// lists are compared, which is to go on: they hold all that is left.
func compareMavenKeys(a, b []byte) int {
	for len(a) > 0 && len(b) > 0 {
		var x, y mavenKeyItem
		x, a = cutMavenItem(a)
		y, b = cutMavenItem(b)
		if c := x.compare(y); c != 0 {
			return c
		}
	}
	if len(a) > 0 {
		return compareMavenRest(a)
	}
	return -compareMavenRest(b)
}

// compareMavenRest compares the items that only one version has with nothing.
func compareMavenRest(key []byte) int {
	for len(key) > 0 {
		var m mavenKeyItem
		m, key = cutMavenItem(key)
		switch m.kind {
		case mavenNumber:
			if m.number[0] > 1 {
				return 1
			}
		case mavenQualifier, mavenCombination:
			if c := int(m.rank) - mavenRelease; c != 0 {
				return c
			}
		}
	}
	return 0
}

// mavenKeyItem is an item as encoded in a key.
type mavenKeyItem struct {
	kind    mavenKind
	rank    byte
	letters []byte
	number  []byte
}

func (m mavenKeyItem) compare(n mavenKeyItem) int {
	if m.kind == mavenList && n.kind == mavenList {
		return 0
	}
	if m.kind > mavenCombination || n.kind > mavenCombination {
		if m.kind != n.kind {
			return int(m.kind) - int(n.kind)
		}
		return bytes.Compare(m.number, n.number)
	}
	if m.rank != n.rank {
		return int(m.rank) - int(n.rank)
	}
	if c := bytes.Compare(m.letters, n.letters); c != 0 {
		return c
	}
	if m.kind != n.kind { // rc precedes rc1
		return int(m.kind) - int(n.kind)
	}
	return bytes.Compare(m.number, n.number)
}

// cutMavenItem decodes the item that key starts with.
func cutMavenItem(key []byte) (m mavenKeyItem, rest []byte) {
	m.kind, key = mavenKind(key[0]), key[1:]
	if m.kind == mavenQualifier || m.kind == mavenCombination {
		m.rank, key = key[0], key[1:]
		if m.rank == mavenUnknown {
			i := bytes.IndexByte(key, 0)
			m.letters, key = key[:i], key[i+1:]
		}
	}
	if m.kind == mavenNumber || m.kind == mavenCombination {
		m.number, key = cutNumber(key)
	}
	return m, key
}
