package template_test

import (
	"fmt"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/template"
)

// A tenant's text replaces the default of a part. What a message holds cannot mention
// anybody, whatever the text is.
func ExampleParse() {
	parts := []template.Part{{Name: "text", Escape: template.Mrkdwn, Max: 3000, Text: "*{{.Title}}*"}}
	set, err := template.Parse(parts, map[string]string{
		"text": `{{emoji .Severity}} *{{.Title}}*{{range first 3 .Notices}}` + "\n• `{{.Image}}` has {{.Vulnerability}}{{end}}",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, _, err := set.Render(&notify.Message{
		Title: "New <!channel>", Severity: "critical", Total: 1,
		Notices: []notify.Notice{{Image: "acme/my_shop:1", Vulnerability: "CVE-2026-1234"}},
	})
	fmt.Println(out["text"], err)
	// Output:
	// 🔴 *New &lt;!channel&gt;*
	// • `acme/my_shop:1` has CVE-2026-1234 <nil>
}

// All that is wrong with a text is said at once, with its place.
func ExampleParse_wrong() {
	_, err := template.Parse([]template.Part{{Name: "subject", Escape: template.Line, Text: "{{.Titel}} for {{len .Notices | sum 1}}"}}, nil)
	fmt.Println(err)
	// Output:
	// subject:1:3: there is no field "Titel" in a message; did you mean "Title"?
	//   | {{.Titel}} for {{len .Notices | sum 1}}
	//   |   ^
	// subject:1:33: function "sum" is not allowed
	//   | {{.Titel}} for {{len .Notices | sum 1}}
	//   |                                 ^
}
