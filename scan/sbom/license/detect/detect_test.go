package detect

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom/license"
	"github.com/stella-ops/stella/scan/sbom/license/detect/internal/words"
)

const mit = `The MIT License (MIT)

Copyright (c) 2014 Jane Doe
Copyright (c) 2015 John Doe <john@example.com>

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software
is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES
OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE
LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR
IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`

const bsdHead = `Redistribution and use in source and binary forms, with or without modification, are permitted provided that the
following conditions are met:

  1. Redistributions of source code must retain the above copyright notice, this list of conditions and the following disclaimer.
  2. Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the following
     disclaimer in the documentation and/or other materials provided with the distribution.
`

const bsdThird = `  3. Neither the name of Example Corporation nor the names of its contributors may be used to endorse or promote products
     derived from this software without specific prior written permission.
`

const bsdTail = `
THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT
NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL
THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES
(INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS
INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE
OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
`

const apacheNotice = `Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
`

const gplNotice = `This program is free software; you can redistribute it and/or modify it under the terms of the GNU General Public
License as published by the Free Software Foundation; either version 2 of the License, or (at your option) any later version.

This program is distributed in the hope that it will be useful, but WITHOUT ANY WARRANTY; without even the implied warranty of
MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE. See the GNU General Public License for more details.

You should have received a copy of the GNU General Public License along with this program; if not, write to the Free Software
Foundation, Inc., 51 Franklin Street, Fifth Floor, Boston, MA 02110-1301, USA.
`

func summary(t *testing.T, text string) string {
	t.Helper()
	matches, err := Find([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, m := range matches {
		list = append(list, fmt.Sprintf("%s %s %d", m.Kind, m.Expression, m.Score))
	}
	return strings.Join(list, ", ")
}

func comment(prefix, text string) string {
	return prefix + strings.ReplaceAll(text, "\n", "\n"+prefix)
}

func TestFind(t *testing.T) {
	typeset := strings.NewReplacer(`"`, "“", "AS IS", "AS IS”", "and/or", "and / or").Replace(mit)
	tests := map[string]struct{ text, want string }{
		"nothing":               {"", ""},
		"prose":                 {"This program prints a line for each file that it finds. Have fun!", ""},
		"text":                  {mit, "text MIT 1000"},
		"in a comment":          {"/*\n" + comment(" * ", mit) + "\n */\npackage x\n", "text MIT 1000"},
		"hash comments":         {comment("# ", mit), "text MIT 1000"},
		"typography":            {typeset, "text MIT 1000"},
		"capitals and spelling": {strings.ReplaceAll(strings.ToUpper(mit), "SUBLICENSE", "SUB-LICENCE"), "text MIT 1000"},
		"one line":              {strings.Join(strings.Fields(mit), " "), "text MIT 1000"},
		"two conditions":        {bsdHead + bsdTail, "text BSD-2-Clause 1000"},
		"three conditions":      {bsdHead + bsdThird + bsdTail, "text BSD-3-Clause 1000"},
		"two texts":             {bsdHead + bsdThird + bsdTail + "\n--- third party ---\n\n" + mit, "text BSD-3-Clause 1000, text MIT 1000"},
		"a word more":           {strings.Replace(mit, "without restriction", "without any restriction", 1), "text MIT 993"},
		"half":                  {mit[:len(mit)/2], "name MIT 1000"},
		"other terms":           {strings.Replace(mit[22:], "to permit persons", "to permit persons who do not work for a government, an army or a tobacco company, nor for one of their suppliers, and who have asked the author in writing at least a month before the first use", 1), ""},
		"notice":                {apacheNotice, "notice Apache-2.0 1000"},
		"notice in a comment":   {comment("// ", apacheNotice), "notice Apache-2.0 1000"},
		"notice of the GPL":     {gplNotice, "notice GPL-2.0-or-later 1000"},
		"tag":                   {"// SPDX-License-Identifier: (MIT OR Apache-2.0) AND BSD-3-Clause\n", "tag (MIT OR Apache-2.0) AND BSD-3-Clause 1000"},
		"tag in C":              {"/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */", "tag GPL-2.0-only WITH Linux-syscall-note 1000"},
		"tag of nonsense":       {"SPDX-License-Identifier: whatever you like", ""},
		"tag on the next line":  {"SPDX-License-Identifier:\nMIT", ""},
		"name":                  {"It is licensed under the Apache License, Version 2.0.", "name Apache-2.0 1000"},
		"two names":             {"Licensed under either of the Apache License, Version 2.0 or the MIT license, at your option.", "name Apache-2.0 OR MIT 1000"},
		"name across lines":     {"# released under the\n# terms of the BSD 3-Clause\n# License\n", "name BSD-3-Clause 1000"},
		"title":                 {"\nEclipse Public License - v 2.0\n\nsee there\n", "name EPL-2.0 1000"},
		"field":                 {"Name: x\nLicense: ISC\n", "name ISC 1000"},
		"ambiguous name":        {"Licensed under the BSD license.", ""},
		"not under":             {"This is not under the MIT license.", ""},
		"name of the text":      {"Licensed under the MIT license:\n\n" + mit, "text MIT 1000"},
		"name beside a text":    {bsdHead + bsdTail + "\nParts are under the MIT license.", "text BSD-2-Clause 1000, name MIT 1000"},
		"invalid UTF-8":         {"\xff\xfe\x00" + mit + "\x80", "text MIT 1000"},
		"carriage returns":      {strings.ReplaceAll(mit, "\n", "\r\n"), "text MIT 1000"},
		"bullets within a line": {"Copyright 2020 Jane Doe. " + strings.Join(strings.Fields(bsdHead+bsdTail), " "), "text BSD-2-Clause 989"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := summary(t, tt.text); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPlace(t *testing.T) {
	before := "Third party notices\n===================\n\n"
	matches, err := Find([]byte(before + mit + "\nThe end of it all, my friend, and of much more than that.\n"))
	if err != nil || len(matches) != 1 {
		t.Fatalf("%v, %v", matches, err)
	}
	m := matches[0]
	text := before + mit
	if got := text[m.Start:m.End]; !strings.HasPrefix(got, "Permission is") && !strings.HasPrefix(got, "The MIT") && !strings.HasPrefix(got, "MIT") || !strings.HasSuffix(got, "IN THE SOFTWARE") {
		t.Errorf("it is at %q", got)
	}
}

func TestLimit(t *testing.T) {
	if _, err := Find(make([]byte, MaxBytes)); err != nil {
		t.Error(err)
	}
	if _, err := Find(make([]byte, MaxBytes+1)); !errors.Is(err, ErrLimit) || fault.KindOf(err) != fault.Limit {
		t.Errorf("error %v", err)
	}
}

func TestExpressions(t *testing.T) {
	for _, tt := range []struct {
		name    string
		matches []Match
		want    []string
	}{
		{"nothing", nil, nil},
		{"names alone", []Match{{Kind: Name, Expression: "MIT"}, {Kind: Name, Expression: "Apache-2.0"}}, []string{"Apache-2.0", "MIT"}},
		{"names beside a text", []Match{{Kind: Text, Expression: "MIT"}, {Kind: Name, Expression: "Apache-2.0"}}, []string{"MIT"}},
		{"a text twice", []Match{{Kind: Text, Expression: "MIT"}, {Kind: Text, Expression: "MIT"}}, []string{"MIT"}},
		{"which one a notice says", []Match{{Kind: Notice, Expression: "GPL-2.0-or-later"}, {Kind: Text, Expression: "GPL-2.0-only", Also: []string{"GPL-2.0-or-later"}}}, []string{"GPL-2.0-or-later"}},
		{"no notice", []Match{{Kind: Text, Expression: "GPL-2.0-only", Also: []string{"GPL-2.0-or-later"}}}, []string{"GPL-2.0-only"}},
		{"exception behind", []Match{{Kind: Text, Expression: "Apache-2.0"}, {Kind: Text, Expression: "LLVM-exception", Exception: true}, {Kind: Text, Expression: "NCSA"}}, []string{"Apache-2.0 WITH LLVM-exception", "NCSA"}},
		{"exception before", []Match{{Kind: Text, Expression: "Classpath-exception-2.0", Exception: true}, {Kind: Text, Expression: "GPL-2.0-only"}}, []string{"GPL-2.0-only WITH Classpath-exception-2.0"}},
		{"exception alone", []Match{{Kind: Text, Expression: "LLVM-exception", Exception: true}}, nil},
		{"exception to an expression", []Match{{Kind: Tag, Expression: "MIT OR ISC"}, {Kind: Text, Expression: "LLVM-exception", Exception: true}}, []string{"MIT OR ISC WITH LLVM-exception"}},
	} {
		if diff := cmp.Diff(tt.want, Expressions(tt.matches)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// TestTemplates: every template is found in its own words, as its own or as one
// that says more, and the short way gives what the long one does.
func TestTemplates(t *testing.T) {
	l := library()
	if len(l.templates) < 700 {
		t.Fatalf("%d templates", len(l.templates))
	}
	for i := range l.templates {
		tm := &l.templates[i]
		found := false
		for _, a := range l.align2(t, tm.Words) {
			found = found || a.template == i
		}
		if !found {
			t.Errorf("%s (kind %d) is not found in its own words", tm.ID, tm.Kind)
		}
		if license.Parse(tm.ID) != nil && license.Parse("MIT WITH "+tm.ID) != nil {
			t.Errorf("%s is no identifier of list %s", tm.ID, license.ListVersion)
		}
	}
	if ListVersion != license.ListVersion {
		t.Errorf("the templates are of list %s, package license has %s", ListVersion, license.ListVersion)
	}
}

// align2 returns the alignments of all candidates.
func (l *lib) align2(t *testing.T, doc []uint32) (out []alignment) {
	for _, c := range l.candidates(doc) {
		if a, ok := l.align(doc, c); ok {
			if s := a.score(&l.templates[a.template]); s > 1000 || a.start < 0 || a.end > len(doc) {
				t.Errorf("%+v scores %d", a, s)
			}
			out = append(out, a)
		}
	}
	return out
}

// TestWhole: what is found the short way is what the long way finds.
func TestWhole(t *testing.T) {
	l := library()
	short := 0
	for i := range l.templates {
		doc := l.templates[i].Words
		a, ok := l.whole(doc)
		if !ok {
			continue
		}
		short++
		long := l.choose(l.align2(t, doc))
		if len(long) == 0 || !slices.ContainsFunc(long, func(b alignment) bool { return l.templates[b.template].ID == l.templates[a.template].ID }) && long[0].worth() > a.worth() {
			t.Errorf("%s: %s the short way, %v the long way", l.templates[i].ID, l.templates[a.template].ID, long)
		}
	}
	if short < len(l.templates)/2 {
		t.Errorf("the short way works for %d of %d templates", short, len(l.templates))
	}
}

func TestWords(t *testing.T) {
	for _, tt := range []struct{ a, b string }{
		{"The Licence", "the license"}, {"a–b", "a b"}, {"Copyright (c) 2020 X\ntext", "text"}, {"© 2020 X\ntext", "text"},
		{"  * 1. one\n  * (a) two\n  iv) three", "one two three"}, {"sub-license", "sublicense"}, {"https://x", "http://x"},
		{"the\ncopyright notice", "the copyright notice"}, {"Foo. All Rights Reserved. Y", "Foo Y"}, {"this & that", "this and that"},
		{"Copyright Jane Doe\nz", "z"}, {"copyrighted works", "copyrighted works"}, {"copyright owner", "copyright holder"},
		{"License,\n  v. 2.0. If", "License v 2 0 If"}, {"Version\n2.0. If", "Version 2 0 If"}, {"\n2.1. Grants", "Grants"},
	} {
		hashes := func(s string) (out []uint32) {
			for _, w := range words.Split(nil, []byte(s)) {
				out = append(out, w.Hash)
			}
			return out
		}
		if a, b := hashes(tt.a), hashes(tt.b); !slices.Equal(a, b) {
			t.Errorf("%q and %q differ: %x %x", tt.a, tt.b, a, b)
		}
	}
}
