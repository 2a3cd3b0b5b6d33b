package sarif

import (
	"fmt"
	"slices"

	"github.com/stella-ops/stella/scan/sbom"
)

// notify adds a notification and, once, its descriptor.
func (w *writer) notify(id, level, text string, at []location) {
	index := slices.IndexFunc(w.notes, func(d descriptor) bool { return d.ID == id })
	if index < 0 {
		index = len(w.notes)
		w.notes = append(w.notes, descriptor{ID: id, Name: "Notice", ShortDescription: &message{Text: "Something that the results do not say."}})
	}
	w.notifications = append(w.notifications, notification{Descriptor: reference{id, index}, Level: level, Message: message{Text: said(text)}, Locations: at})
}

// gaps notifies of what was not assessed.
func (w *writer) gaps() {
	if !w.trace.Assessed {
		w.notify("stella/no-data", "error", "There was no advisory data: nothing was assessed.", nil)
	}
	for _, g := range w.trace.Gaps {
		w.notify("stella/gap/"+segment(string(g.Code)), gapLevel(g), fmt.Sprintf("Not assessed: '%s': %s", g.Where, g.What), []location{{PhysicalLocation: physical{artifact{w.gapPath(g)}, region{1, 1, 1, 1}}}})
	}
}

func gapLevel(g sbom.Gap) string {
	if g.Blocking {
		return "error"
	}
	return "note"
}

func (w *writer) gapPath(g sbom.Gap) string {
	if p := relative(g.Where); p != "" {
		return p
	}
	return w.standIn()
}
