package console

import (
	"fmt"
	"slices"
	"strings"
)

// chart is a picture as a page draws it: shapes in a box of its own units, with a table of
// the same numbers for those who do not see it. Classes name what a shape means; the style
// gives it a colour and a pattern.
type chart struct {
	Title         string
	Width, Height int
	Shapes        []shape
	Lines         []gridLine
	Labels        []chartLabel
	Legend        []string // names of classes
	Head          []string
	Rows          []chartRow
}

// shape is a rectangle, or a polygon where it has points.
type shape struct {
	Class      string
	X, Y, W, H int
	Points     string
	Title      string // shown where the pointer rests
	Text       string // drawn inside, where it fits
	Link       string
}

type gridLine struct {
	Y     int
	Value string
}

type chartLabel struct {
	X, Y   int
	Text   string
	Anchor string // start, middle, end
}

type chartRow struct {
	Name   string
	Values []string
}

// series are counts of several names over time.
type series struct {
	Names  []string
	labels []string
	values [][]int
}

func (s *series) add(label string, values ...int) {
	s.labels, s.values = append(s.labels, label), append(s.values, values)
}

// The box of charts over time, and the room for labels.
const (
	chartWidth, chartHeight = 640, 200
	chartLeft, chartBottom  = 48, 24
	chartTop                = 8
)

// stacked draws counts over time, one on top of the other, the first name at the bottom.
func stacked(title string, s *series) *chart {
	c := &chart{Title: title, Width: chartWidth, Height: chartHeight, Legend: s.Names, Head: append([]string{"Time"}, s.Names...)}
	most := 1
	for _, v := range s.values {
		sum := 0
		for _, n := range v {
			sum += n
		}
		most = max(most, sum)
	}
	top := niceCeil(most)
	inner := chartHeight - chartBottom - chartTop
	y := func(n int) int { return chartTop + inner - n*inner/top }
	c.grid(top, y)
	slot := float64(chartWidth-chartLeft) / float64(len(s.values))
	for i, v := range s.values {
		x := chartLeft + int(float64(i)*slot)
		w := max(chartLeft+int(float64(i+1)*slot)-x-gapOf(slot), 1)
		below := 0
		row := chartRow{Name: s.labels[i]}
		for k, n := range v {
			row.Values = append(row.Values, fmt.Sprint(n))
			if n == 0 {
				continue
			}
			c.Shapes = append(c.Shapes, shape{Class: s.Names[k], X: x, Y: y(below + n), W: w, H: max(y(below)-y(below+n), 1), Title: fmt.Sprintf("%s: %s %d", s.labels[i], words(s.Names[k]), n)})
			below += n
		}
		c.Rows = append(c.Rows, row)
	}
	c.ends(s.labels)
	return c
}

// gapOf is the room between two bars.
func gapOf(slot float64) int {
	if slot < 4 {
		return 0
	}
	return 1
}

// ends labels the first and the last moment.
func (c *chart) ends(labels []string) {
	c.Labels = append(c.Labels, chartLabel{chartLeft, chartHeight - 6, labels[0], "start"})
	if len(labels) > 1 {
		c.Labels = append(c.Labels, chartLabel{chartWidth, chartHeight - 6, labels[len(labels)-1], "end"})
	}
}

func (c *chart) grid(top int, y func(int) int) {
	for _, n := range []int{0, top / 2, top} {
		if n == 0 || top > 1 || n == top {
			c.Lines = append(c.Lines, gridLine{y(n), short(n)})
		}
	}
	c.Lines = slices.CompactFunc(c.Lines, func(a, b gridLine) bool { return a.Y == b.Y })
}

type bar struct {
	Name  string
	Count int
}

// bars draws counts beside their names.
func bars(title string, list []bar) *chart {
	const line, left = 26, 130
	c := &chart{Title: title, Width: chartWidth, Height: len(list)*line + 4, Head: []string{"", "Count"}}
	most := 1
	for _, b := range list {
		most = max(most, b.Count)
	}
	for i, b := range list {
		w := b.Count * (chartWidth - left - 70) / most
		if b.Count > 0 {
			c.Shapes = append(c.Shapes, shape{Class: "plain", X: left, Y: i*line + 4, W: max(w, 1), H: line - 8, Title: fmt.Sprintf("%s: %d", b.Name, b.Count)})
		}
		c.Labels = append(c.Labels, chartLabel{left - 8, i*line + 20, b.Name, "end"}, chartLabel{left + w + 6, i*line + 20, short(b.Count), "start"})
		c.Rows = append(c.Rows, chartRow{b.Name, []string{fmt.Sprint(b.Count)}})
	}
	return c
}

// tile is one part of a treemap.
type tile struct {
	Name  string
	Count int
	Class string
	Link  string
}

// treemap draws parts of a whole as areas (squarified treemaps, Bruls, Huizing and van Wijk,
// 2000). The largest tiles come first; what is too small to see is drawn as one.
func treemap(title string, list []tile) *chart {
	const width, height = 640, 260
	c := &chart{Title: title, Width: width, Height: height, Head: []string{"", "Count"}}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b tile) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Name, b.Name)
	})
	total := 0
	for _, t := range list {
		total += t.Count
	}
	if total == 0 {
		return nil
	}
	if len(list) > maxTiles {
		rest := tile{Name: fmt.Sprintf("%d others", len(list)-maxTiles+1), Class: "rest"}
		for _, t := range list[maxTiles-1:] {
			rest.Count += t.Count
		}
		list = append(list[:maxTiles-1:maxTiles-1], rest)
		slices.SortStableFunc(list, func(a, b tile) int { return b.Count - a.Count })
	}
	for _, t := range list {
		c.Rows = append(c.Rows, chartRow{t.Name, []string{fmt.Sprint(t.Count)}})
	}
	box := rect{0, 0, width, height}
	scale := float64(width*height) / float64(total)
	for len(list) > 0 {
		n := box.row(list, scale)
		box = box.lay(c, list[:n], scale)
		list = list[n:]
	}
	return c
}

const maxTiles = 60

type rect struct{ x, y, w, h float64 }

// row is how many tiles go beside each other at the shorter side, so that they are as square
// as can be.
func (r rect) row(list []tile, scale float64) int {
	side := min(r.w, r.h)
	best, sum := 0.0, 0.0
	for i, t := range list {
		sum += float64(t.Count) * scale
		if side <= 0 || sum <= 0 {
			return len(list)
		}
		thick := sum / side
		worst := 0.0
		for _, o := range list[:i+1] {
			long := float64(o.Count) * scale / thick
			worst = max(worst, long/thick, thick/long)
		}
		if i > 0 && worst > best {
			return i
		}
		best = worst
	}
	return len(list)
}

// lay draws a row, and returns the box that is left.
func (r rect) lay(c *chart, list []tile, scale float64) rect {
	sum := 0.0
	for _, t := range list {
		sum += float64(t.Count) * scale
	}
	across := r.w >= r.h // the row is a column at the left
	side := min(r.w, r.h)
	thick := sum / max(side, 1)
	at := 0.0
	for _, t := range list {
		long := float64(t.Count) * scale / max(thick, 1e-9)
		x, y, w, h := r.x+at, r.y, long, thick
		if across {
			x, y, w, h = r.x, r.y+at, thick, long
		}
		at += long
		s := shape{Class: t.Class, X: int(x), Y: int(y), Link: t.Link, Title: fmt.Sprintf("%s: %d", t.Name, t.Count)}
		s.W, s.H = int(x+w)-s.X-1, int(y+h)-s.Y-1
		if s.W < 1 || s.H < 1 {
			continue
		}
		if s.H >= 16 && s.W >= 8*min(len([]rune(t.Name)), 6) {
			s.Text = fitting(t.Name, s.W/8)
		}
		c.Shapes = append(c.Shapes, s)
	}
	if across {
		return rect{r.x + thick, r.y, r.w - thick, r.h}
	}
	return rect{r.x, r.y + thick, r.w, r.h - thick}
}

// fitting is as much of a text as has room for n signs.
func fitting(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	if n < 2 {
		return ""
	}
	return string(runes[:n-1]) + "…"
}

// niceCeil is a round number that is not less than n.
func niceCeil(n int) int {
	for step := 1; ; step *= 10 {
		for _, m := range []int{1, 2, 4, 5, 10} {
			if m*step >= n {
				return m * step
			}
		}
	}
}

// short writes a count in few signs.
func short(n int) string {
	switch {
	case n >= 10_000_000:
		return fmt.Sprintf("%d M", n/1_000_000)
	case n >= 10_000:
		return fmt.Sprintf("%d k", n/1000)
	}
	return fmt.Sprint(n)
}

// words writes the name of a class for people.
func words(class string) string {
	return strings.ReplaceAll(strings.ReplaceAll(class, "-", " "), "_", " ")
}
