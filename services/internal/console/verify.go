package console

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/stella-ops/stella/attest/attesthttp"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
)

// verifyView is what came of verifying a file.
type verifyView struct {
	Subject  string
	Evidence bool
	Logged   bool
	Wrong    string // why nothing was verified

	Name     string // of the file
	Done     *attesthttp.Verification
	Refused  *refusal // of the file as a whole
	Lines    []verifiedLine
	Unlooked int // lines that were not looked at by themselves
	Command  string
}

// refusal is why something is not verified.
type refusal struct{ Code, Text string }

// verifiedLine is a line: verified, or refused by name.
type verifiedLine struct {
	Number  int
	Proof   *attesthttp.Proof
	Refused *refusal
	Says    *statementView // what it claims, nil where that cannot be read
}

// maxAlone bounds the lines that are verified by themselves, where the file as a whole is
// refused.
const maxAlone = 50

func verifyForm(v *visit) error {
	return v.show(http.StatusOK, "verify", "Verify", &verifyView{Subject: v.form("subject")})
}

// verifyUpload has a file verified by whom the tenant trusts. Where it is refused, each line
// is looked at by itself, so that the ones that are wrong have a name.
func verifyUpload(v *visit) error {
	d := &verifyView{}
	text, err := d.upload(v)
	if err != nil {
		d.Wrong = err.Error()
		return v.show(http.StatusBadRequest, "verify", "Verify", d)
	}
	lines := linesOf(text)
	check := &attesthttp.Check{Lines: len(lines) > 1 || d.Evidence, Evidence: d.Evidence, Logged: d.Logged}
	if d.Subject != "" {
		check.Subjects = []string{d.Subject}
	}
	d.Command = d.command()
	d.Done, err = v.api.proofs.Verify(v.ctx(), text, check)
	if err == nil {
		for i := range d.Done.Lines {
			d.Lines = append(d.Lines, verifiedLine{Number: i + 1, Proof: &d.Done.Lines[i], Says: claimOf(line(lines, text, i))})
		}
		return v.show(http.StatusOK, "verify", "Verified: "+d.Name, d)
	}
	if d.Refused = refusalOf(err); d.Refused == nil {
		return err
	}
	if err := d.alone(v, lines, check); err != nil {
		return err
	}
	return v.show(http.StatusUnprocessableEntity, "verify", "Refused: "+d.Name, d)
}

var errNoFile = &pageError{http.StatusBadRequest, "There is no file: choose one, or drop it on the form."}

// upload reads the form, which is multipart.
func (d *verifyView) upload(v *visit) ([]byte, error) {
	const inMemory = 8 << 20
	if err := v.r.ParseMultipartForm(inMemory); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, &pageError{http.StatusRequestEntityTooLarge, "The file is larger than " + byteCount(maxUpload) + "."}
		}
		return nil, errNoFile
	}
	defer v.r.MultipartForm.RemoveAll()
	d.Subject, d.Evidence, d.Logged = v.form("subject"), v.form("evidence") != "", v.form("logged") != ""
	f, header, err := v.r.FormFile("file")
	if err != nil {
		return nil, errNoFile
	}
	defer f.Close()
	d.Name = header.Filename
	text, err := io.ReadAll(f)
	if err != nil || len(text) == 0 {
		return nil, &pageError{http.StatusBadRequest, "The file is empty, or broke off."}
	}
	return text, nil
}

// command is how the same is asked for in a shell, without believing this installation.
func (d *verifyView) command() string {
	out := "stella verify ./" + plain(cmp.Or(d.Name, "bundle.jsonl")) + " --trust-root trust.json"
	if d.Subject != "" {
		out += " --subject " + plainDigest(d.Subject)
	}
	if d.Logged {
		out += " --logged"
	}
	if d.Evidence {
		out += " --type evidence"
	}
	return out
}

// plainDigest keeps of a digest what no shell misreads.
func plainDigest(s string) string {
	algorithm, hex, _ := strings.Cut(s, ":")
	return plain(algorithm) + ":" + plain(hex)
}

// alone verifies lines one by one.
func (d *verifyView) alone(v *visit, lines [][]byte, check *attesthttp.Check) error {
	if len(lines) < 2 {
		return nil
	}
	one := *check
	one.Lines, one.Evidence = false, false
	for i, text := range lines {
		if i == maxAlone {
			d.Unlooked = len(lines) - maxAlone
			return nil
		}
		row := verifiedLine{Number: i + 1, Says: claimOf(text)}
		done, err := v.api.proofs.Verify(v.ctx(), text, &one)
		if err == nil {
			row.Proof = &done.Lines[0]
		} else if row.Refused = refusalOf(err); row.Refused == nil {
			return err
		}
		d.Lines = append(d.Lines, row)
	}
	return nil
}

// refusalOf is why the service does not vouch for something, nil where it could not say.
func refusalOf(err error) *refusal {
	code := attesthttp.Code(err)
	lines, _, ok := said(err)
	if !ok && code == "" {
		return nil
	}
	if code == "" {
		code = string(fault.KindOf(err))
	}
	return &refusal{code, strings.Join(lines, "; ")}
}

// linesOf splits a text into its lines that are not empty. A text of one document over many
// lines is one.
func linesOf(text []byte) (out [][]byte) {
	for l := range bytes.Lines(text) {
		if l = bytes.TrimSpace(l); len(l) == 0 {
			continue
		}
		if l[0] != '{' || l[len(l)-1] != '}' {
			return [][]byte{text}
		}
		out = append(out, l)
	}
	return out
}

// line is the text of a line, the whole where there is one.
func line(lines [][]byte, text []byte, i int) []byte {
	if i < len(lines) {
		return lines[i]
	}
	return text
}

// claimOf reads what a bundle or an envelope claims, nil where it is neither.
func claimOf(text []byte) *statementView {
	if b, err := bundle.Decode(text); err == nil {
		if b.Envelope == nil {
			return nil
		}
		return statementOf(b.Envelope)
	}
	if e, err := dsse.Decode(text); err == nil {
		return statementOf(e)
	}
	return nil
}
