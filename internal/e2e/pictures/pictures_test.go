package pictures

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/email"
	"github.com/stella-ops/stella/notify/opsgenie"
	"github.com/stella-ops/stella/notify/pagerduty"
	"github.com/stella-ops/stella/notify/slack"
	"github.com/stella-ops/stella/notify/teams"
	"github.com/stella-ops/stella/notify/template"
	"github.com/stella-ops/stella/notify/webhook"
)

var update = flag.Bool("update", false, "make the pages and images anew")

const (
	folder   = "../../../docs/notify"
	width    = 720
	maxImage = 150 << 10 // bytes
)

// channels are those of the SDK. Those without a page are read by machines: two messages
// are shown as they are sent, and there is no image.
func channels(t *testing.T) []shown {
	t.Helper()
	token := map[string]string{"token": "ref"}
	open := func(c notify.Channel, err error) notify.Channel {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	return []shown{
		{"slack", "Slack", open(slack.Open(&notify.Endpoint{Type: "slack", To: "#security", Secrets: token}, nil, nil)), slackPage},
		{"teams", "Microsoft Teams", open(teams.Open(&notify.Endpoint{Type: "teams", To: "fbe2bf47/19:4a95f7d8@thread.tacv2", Secrets: token}, nil, nil)), teamsPage},
		{"email", "e-mail", open(email.Open(&notify.Endpoint{Type: "email", URL: "smtps://mail.example.com", To: "security@acme.example",
			Options: map[string]string{"from": "Stella <stella@acme.example>"}}, nil, nil)), emailPage},
		{"webhook", "a webhook", open(webhook.Open(&notify.Endpoint{Type: "webhook", URL: "https://acme.example/in", Secrets: map[string]string{"signing": "ref"}}, nil, nil)), nil},
		{"pagerduty", "PagerDuty", open(pagerduty.Open(&notify.Endpoint{Type: "pagerduty", Secrets: map[string]string{"routing_key": "ref"}}, nil, nil)), nil},
		{"opsgenie", "Opsgenie", open(opsgenie.Open(&notify.Endpoint{Type: "opsgenie", Secrets: map[string]string{"api_key": "ref"}}, nil, nil)), nil},
	}
}

type shown struct {
	name, title string
	channel     notify.Channel
	page        func(t *testing.T, body []byte) string
}

// samples are the messages that are shown: all that mean no harm.
func samples() []*notify.Message {
	all := template.Samples()
	for _, m := range all {
		if m.Kind == notify.KindAlert && m.AckLink == "" && m.Total == 1 {
			m.AckLink = "https://stella.example.com/ack/sample-token"
		}
	}
	return all[:len(all)-1]
}

func TestPages(t *testing.T) {
	for _, c := range channels(t) {
		var b strings.Builder
		fmt.Fprintf(&b, "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Default messages in %s</title>\n<style>%s</style>\n<body>\n", html.EscapeString(c.title), style)
		for _, m := range samples() {
			if m.To = ""; c.page == nil && m.Kind != notify.KindEscalation && m.Kind != notify.KindDigest {
				continue
			}
			p, err := c.channel.Render(m)
			if err != nil {
				t.Fatal(err)
			}
			if c.page == nil {
				b.WriteString(jsonPage(t, p.Body) + "\n")
				continue
			}
			b.WriteString(c.page(t, p.Body) + "\n")
		}
		file := filepath.Join(folder, c.name+".html")
		if *update {
			if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
			if c.page != nil {
				picture(t, file)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), b.String()); diff != "" {
			t.Errorf("%s is not what is rendered now; run the test with -update: -want +got\n%.2000s", file, diff)
		}
		if i, err := os.Stat(strings.TrimSuffix(file, ".html") + ".png"); err == nil && i.Size() > maxImage {
			t.Errorf("the image of %s has %d bytes", file, i.Size())
		}
	}
}

func jsonPage(t *testing.T, body []byte) string {
	t.Helper()
	text := jsontext.Value(bytes.Clone(body))
	if err := text.Indent(jsontext.WithIndent("  ")); err != nil {
		t.Fatal(err)
	}
	return "<pre>" + html.EscapeString(string(text)) + "</pre>"
}

var bodyHeight = regexp.MustCompile(`data-height="(\d+)"`)

// picture makes an image of a page, where there is a Chromium.
func picture(t *testing.T, file string) {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Log("no Chromium: no images")
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	measured := filepath.Join(dir, "page.html")
	text = append(text, `<script>document.body.dataset.height = document.body.getBoundingClientRect().height | 0</script>`...)
	if err := os.WriteFile(measured, text, 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) []byte {
		args = append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--user-data-dir=" + filepath.Join(dir, "profile")}, args...)
		cmd := exec.CommandContext(ctx, chromium, append(args, "file://"+measured)...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("chromium: %v", err)
		}
		return out
	}
	m := bodyHeight.FindSubmatch(run("--dump-dom", fmt.Sprintf("--window-size=%d,1000", width)))
	if m == nil {
		t.Fatal("the page was not measured")
	}
	height, _ := strconv.Atoi(string(m[1]))
	raw := filepath.Join(dir, "page.png")
	run("--screenshot="+raw, fmt.Sprintf("--window-size=%d,%d", width, height))
	small(t, raw, strings.TrimSuffix(file, ".html")+".png")
}

// small writes an image with the 256 colours that it has most of.
func small(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[color.RGBA]int{}
	bounds := img.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[rgba(img.At(x, y))]++
		}
	}
	var most []color.RGBA
	for c := range counts {
		most = append(most, c)
	}
	slices.SortFunc(most, func(a, b color.RGBA) int {
		if d := counts[b] - counts[a]; d != 0 {
			return d
		}
		return int(a.R)<<16 + int(a.G)<<8 + int(a.B) - (int(b.R)<<16 + int(b.G)<<8 + int(b.B))
	})
	var palette color.Palette
	for _, c := range most[:min(len(most), 64)] {
		palette = append(palette, c)
	}
	out := image.NewPaletted(bounds, palette)
	index := map[color.RGBA]uint8{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := rgba(img.At(x, y))
			i, ok := index[c]
			if !ok {
				i = uint8(palette.Index(c))
				index[c] = i
			}
			out.SetColorIndex(x, y, i)
		}
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, out); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func rgba(c color.Color) color.RGBA { return color.RGBAModel.Convert(c).(color.RGBA) }
