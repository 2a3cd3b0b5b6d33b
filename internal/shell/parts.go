package shell

import "strings"

// Kind says what a part of a word is.
type Kind uint8

// The kinds of parts.
const (
	Text    Kind = iota // stands for itself
	Args                // all arguments
	Param               // Text is the name of a variable, or the number of an argument
	Array               // Text is the name of an array: all its elements
	Default             // Param, or Word where it is not set
	Instead             // Word where Param is set, or nothing
	Dir                 // the folder of Word
	Name                // any text without a slash
	Any                 // any text
)

// Part is a part of a word.
type Part struct {
	Kind Kind
	Text string
	Word string // encoded, too
}

// Split takes a word of a command apart. Parts of kind Text are not empty and do not
// follow each other. What is no word of [Commands] gives Any where it is not understood.
func Split(word string) []Part {
	var out []Part
	var text strings.Builder
	add := func(p Part) {
		if text.Len() > 0 {
			out = append(out, Part{Kind: Text, Text: text.String()})
			text.Reset()
		}
		out = append(out, p)
	}
	for word != "" {
		i := strings.IndexByte(word, '$')
		if i < 0 {
			text.WriteString(word)
			break
		}
		text.WriteString(word[:i])
		word = word[i+1:]
		switch {
		case word == "":
			add(Part{Kind: Any})
		case word[0] == '$':
			text.WriteByte('$')
			word = word[1:]
		case word[0] == '@':
			add(Part{Kind: Args})
			word = word[1:]
		case word[0] >= '0' && word[0] <= '9':
			add(Part{Kind: Param, Text: word[:1]})
			word = word[1:]
		case strings.HasPrefix(word, "[]"):
			add(Part{Kind: Name})
			word = word[2:]
		case word[0] == '{':
			end := closing(word)
			add(braced(word[1:end]))
			word = word[min(end+1, len(word)):]
		default:
			add(Part{Kind: Any})
		}
	}
	if text.Len() > 0 {
		out = append(out, Part{Kind: Text, Text: text.String()})
	}
	return out
}

// closing finds the brace that closes the one that s begins with, or the end.
func closing(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(s)
}

func braced(s string) Part {
	if of, ok := strings.CutPrefix(s, "dir "); ok {
		return Part{Kind: Dir, Word: of}
	}
	if name, ok := strings.CutSuffix(s, "[@]"); ok && named(name) {
		return Part{Kind: Array, Text: name}
	}
	name, rest, _ := strings.Cut(s, ":")
	switch {
	case !named(name):
		return Part{Kind: Any}
	case rest == "" && name == s:
		return Part{Kind: Param, Text: name}
	case strings.HasPrefix(rest, "-"):
		return Part{Kind: Default, Text: name, Word: rest[1:]}
	case strings.HasPrefix(rest, "+"):
		return Part{Kind: Instead, Text: name, Word: rest[1:]}
	}
	return Part{Kind: Any}
}

// Static returns the text of a word that is known, and whether it is.
func Static(word string) (string, bool) {
	parts := Split(word)
	switch {
	case len(parts) == 0:
		return "", true
	case len(parts) == 1 && parts[0].Kind == Text:
		return parts[0].Text, true
	}
	return "", false
}

// Quote returns the word that stands for a text itself.
func Quote(text string) string {
	var e encoder
	e.text(text)
	return e.b.String()
}

// shells are names of shells whose scripts Commands reads.
var shells = map[string]bool{"sh": true, "bash": true, "dash": true, "ash": true, "ksh": true, "mksh": true, "rbash": true, "ksh93": true}

// IsShell reports whether a program of this name, without its folder, is a shell whose
// scripts [Commands] reads.
func IsShell(name string) bool { return shells[name] }

// Invocation is how a shell is told what to do.
type Invocation struct {
	Text  string   // the script of -c
	File  string   // the script by name, where there is no -c
	Args  []string // $0 and the arguments after -c, or the arguments of the file
	Inner bool     // Text is set: -c was given
	Login bool     // it reads profiles first
}

// Invoked takes the words after the name of a shell apart, as the shell form of CMD in a
// Dockerfile has them: "/bin/sh -c text". All of its texts are words of [Commands]; those of
// an image's configuration go through [Quote] first. With neither Text nor File the shell
// reads what it is given when it runs.
func Invoked(words []string) Invocation {
	var in Invocation
	for len(words) > 0 {
		w := words[0]
		if len(w) < 2 || w[0] != '-' && w[0] != '+' {
			break
		}
		words = words[1:]
		if w == "--" {
			break
		}
		if strings.HasPrefix(w, "--") {
			in.Login = in.Login || w == "--login"
			if w == "--rcfile" || w == "--init-file" {
				words = words[min(1, len(words)):]
			}
			continue
		}
		for _, c := range w[1:] {
			switch c {
			case 'c':
				in.Inner = true
			case 'l':
				in.Login = true
			case 'o', 'O':
				words = words[min(1, len(words)):]
			case 's':
				return Invocation{Args: words, Login: in.Login}
			}
		}
	}
	if len(words) == 0 {
		in.Inner = false
		return in
	}
	if in.Inner {
		in.Text, in.Args = words[0], words[1:]
	} else {
		in.File, in.Args = words[0], words[1:]
	}
	return in
}
