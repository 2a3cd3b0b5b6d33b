package secrets

// keywords finds all words of a bundle in one pass over a text, without regard to ASCII
// case (Aho and Corasick, "Efficient string matching", 1975): an automaton with a full
// table, one look-up for each byte, whatever the text and however many words.
type keywords struct {
	class [256]uint8 // bytes that no word has are one class
	next  []uint32   // [state<<shift | class]: the next state, shifted; its lowest bit says that words end there
	shift uint8
	ends  [][]int32 // by state: the words that end there, the longest first
	sizes []int     // of the words
	rules [][]int32 // by word: the rules that have it, ascending
}

const endsHere = 1

// newKeywords builds the automaton of the words, none of which is empty. rules has, for each
// word, what it stands for.
func newKeywords(words []string, rules [][]int32) *keywords {
	k := &keywords{rules: rules}
	classes := k.classify(words)
	for 1<<k.shift < classes {
		k.shift++
	}
	k.shift++ // room for endsHere
	width := 1 << (k.shift - 1)
	trie := [][]int32{make([]int32, width)} // by state and class; 0 is none, which is the root
	k.ends = [][]int32{nil}
	for w, word := range words {
		at := int32(0)
		for i := 0; i < len(word); i++ {
			c := k.class[word[i]]
			if trie[at][c] == 0 {
				trie = append(trie, make([]int32, width))
				k.ends = append(k.ends, nil)
				trie[at][c] = int32(len(trie) - 1)
			}
			at = trie[at][c]
		}
		k.ends[at] = append(k.ends[at], int32(w))
		k.sizes = append(k.sizes, len(word))
	}
	k.link(trie)
	return k
}

// classify gives each byte of the words a class; both cases of a letter have one.
func (k *keywords) classify(words []string) int {
	n := 1
	for _, word := range words {
		for i := 0; i < len(word); i++ {
			c := lower(word[i])
			if k.class[c] == 0 {
				k.class[c] = uint8(n)
				n++
			}
			if 'a' <= c && c <= 'z' {
				k.class[c-'a'+'A'] = k.class[c]
			}
		}
	}
	return n
}

// link completes the trie, breadth first: where a word cannot go on, the longest end of
// what was read that begins a word does.
func (k *keywords) link(trie [][]int32) {
	fail := make([]int32, len(trie))
	queue := make([]int32, 0, len(trie))
	for _, to := range trie[0] {
		if to != 0 {
			queue = append(queue, to)
		}
	}
	for i := 0; i < len(queue); i++ {
		at := queue[i]
		k.ends[at] = append(k.ends[at], k.ends[fail[at]]...)
		for c, to := range trie[at] {
			if to == 0 {
				trie[at][c] = trie[fail[at]][c]
				continue
			}
			fail[to] = trie[fail[at]][c]
			queue = append(queue, to)
		}
	}
	k.next = make([]uint32, len(trie)<<(k.shift-1))
	for at, row := range trie {
		for c, to := range row {
			s := uint32(to) << k.shift
			if len(k.ends[to]) > 0 {
				s |= endsHere
			}
			k.next[at<<(k.shift-1)|c] = s
		}
	}
}

// scan reads text from a state on, up to the first place where words end. It returns how
// many bytes it read and the state; no word ended where all were read and the state
// says so (see at).
func (k *keywords) scan(state uint32, text []byte) (int, uint32) {
	class, next := &k.class, k.next
	for i, c := range text {
		state = next[state>>1|uint32(class[c])]
		if state&endsHere != 0 {
			return i + 1, state
		}
	}
	return len(text), state
}

// at returns the words that end in a state.
func (k *keywords) at(state uint32) []int32 {
	if state&endsHere == 0 {
		return nil
	}
	return k.ends[state>>k.shift]
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
