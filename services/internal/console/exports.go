package console

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/attest/attesthttp"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/services/auth"
)

var exportRoutes = []route{
	{pattern: "GET scans/{scan}/exports", serve: exportsPage},
	{pattern: "POST scans/{scan}/exports", serve: requestExport},
	{pattern: "GET scans/{scan}/exports/{format}", serve: downloadExport},
}

// exportsView is how the exports of a scan stand.
type exportsView struct {
	Job     *scan.Job
	List    section[[]attesthttp.Standing]
	Formats []export.Format
}

func exportsPage(v *visit) error {
	job, err := v.api.scans.Job(v.ctx(), v.r.PathValue("scan"))
	if err != nil {
		return err
	}
	d := &exportsView{Job: job, Formats: export.Formats()}
	read(v, &d.List, func(ctx context.Context) ([]attesthttp.Standing, error) { return v.api.proofs.Exports(ctx, job.ID) })()
	return v.show(http.StatusOK, "exports", "Exports of "+job.Image, d)
}

// knownFormat reads the name of a format.
func knownFormat(name string) (export.Format, error) {
	f := export.Format(name)
	if !f.Known() {
		return "", fmt.Errorf("format %.40q: there is none of this name: %w", name, fault.NotFound)
	}
	return f, nil
}

// requestExport asks for a format, or for those of the settings where none is named.
func requestExport(v *visit) error {
	id := v.r.PathValue("scan")
	var formats []export.Format
	if name := v.form("format"); name != "" {
		f, err := knownFormat(name)
		if err != nil {
			return err
		}
		formats = append(formats, f)
	}
	if _, err := v.api.proofs.Request(v.ctx(), id, formats...); err != nil {
		return err
	}
	v.redirect(link("scans", id, "exports") + "?done=asked")
	return nil
}

// downloadExport gives out what was made: the document, or the signed statements.
func downloadExport(v *visit) error {
	f, err := knownFormat(v.r.PathValue("format"))
	if err != nil {
		return err
	}
	name, accept := f.FileName(), f.MediaType()
	if v.form("signed") != "" {
		name, accept = string(f)+".jsonl", attesthttp.TypeLines
	}
	return v.stream(name, func(w io.Writer) error {
		_, err := v.api.proofs.Export(v.ctx(), v.r.PathValue("scan"), f, w, &attesthttp.Download{Accept: accept})
		return err
	})
}

// exportSettingsView is what is exported of each scan, and where to.
type exportSettingsView struct {
	*export.Settings
	Text     string
	Revision int64
	Wrong    []string
	Operator bool
	Formats  []export.Format
}

func exportSettings(v *visit) error {
	s, err := v.api.proofs.Settings(v.ctx())
	if err != nil {
		return err
	}
	return v.exportSettings(http.StatusOK, s, s.Number, prettyOf(wished(s)), nil)
}

func (v *visit) exportSettings(status int, s *export.Settings, number int64, text string, wrong []string) error {
	d := &exportSettingsView{Settings: s, Text: text, Revision: number, Wrong: wrong, Operator: v.Can(auth.ExportOperate), Formats: export.Formats()}
	return v.show(status, "exportsettings", "What is exported", d)
}

// exportWishes is what a person sets of the settings.
type exportWishes struct {
	Mode    export.Mode          `json:"mode"`
	Formats []export.Format      `json:"formats"`
	Targets []export.Destination `json:"targets,omitempty"`
}

func wished(s *export.Settings) *exportWishes {
	return &exportWishes{s.Mode, slices.Clone(s.Formats), s.Targets}
}

// setExportSettings keeps what the text says, in place of the revision that the form names.
func setExportSettings(v *visit) error {
	text := v.r.FormValue("text")
	number, err := strconv.ParseInt(v.form("number"), 10, 64)
	if err != nil || number < 0 {
		return &pageError{http.StatusBadRequest, "The form does not say what it changes. Please load the page again."}
	}
	var w exportWishes
	body, err := jsonOf(text)
	if err == nil {
		if e := json.Unmarshal(body, &w, json.RejectUnknownMembers(true)); e != nil {
			err = fmt.Errorf("%v: %w", e, fault.Invalid)
		}
	}
	if err == nil {
		_, err = v.api.proofs.SetSettings(v.ctx(), &export.Settings{Mode: w.Mode, Formats: w.Formats, Targets: w.Targets, Number: number})
	}
	if err != nil {
		lines, status, ok := said(err)
		if !ok {
			return err
		}
		s, err := v.api.proofs.Settings(v.ctx())
		if err != nil {
			return err
		}
		return v.exportSettings(status, s, number, text, lines)
	}
	v.redirect(link("proofs", "exports") + "?done=set")
	return nil
}
