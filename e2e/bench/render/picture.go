package render

import (
	"fmt"
	"strings"

	"github.com/sunya-cloud/sunya/e2e/bench/results"
	"github.com/sunya-cloud/sunya/internal/core/svg"
)

// The picture, in pixels.
const (
	width     = 720.0
	left      = 190.0 // of the bars; the subjects' names stand before
	right     = 150.0 // after the bars, for the figures
	barHeight = 14.0
	barGap    = 4.0
	titleBand = 24.0
	figureGap = 14.0
)

// Pictures draws the figures of each part that compares something; by part.
func Pictures(figures []results.Figure) map[string][]byte {
	out := map[string][]byte{}
	for _, g := range groups(figures) {
		if drawn(g) {
			out[g.id] = bars(g)
		}
	}
	return out
}

// drawn reports whether a part has a picture.
func drawn(g group) bool {
	for i := range g.figures {
		if compared(&g.figures[i]) {
			return true
		}
	}
	return false
}

func compared(f *results.Figure) bool {
	return f.Failed == "" && !f.Undrawn && f.Base != "" && len(f.Of(f.Base)) > 0 && len(f.Subjects) > 1
}

// bars draws one block of bars a figure, each on a scale of its own.
func bars(g group) []byte {
	p, y := svg.New(g.title), 20.0
	p.Text(10, y, svg.Start, svg.Strong, g.title)
	for i := range g.figures {
		if f := &g.figures[i]; compared(f) {
			y = block(p, f, y+figureGap)
		}
	}
	p.Text(10, y+18, svg.Start, svg.Muted, "Medians; thin lines: spread; dashed: the goal. Ratios over the grey bar.")
	return p.Bytes(width, y+28)
}

func block(p *svg.Picture, f *results.Figure, y float64) float64 {
	better := "less is better"
	if f.Higher {
		better = "more is better"
	}
	p.Text(10, y+15, svg.Start, svg.Plain, f.Title)
	p.Text(width-10, y+15, svg.End, svg.Muted, fmt.Sprintf("%s, %s", f.Unit, better))
	y += titleBand
	scale, top := (width-left-right)/most(f), y
	for i, l := range lines(f) {
		s := f.Subjects[i]
		spread := results.SpreadOf(s.Samples)
		bar(p, y, scale, reach(f, s.Name, spread), spread, colour(f, s.Name), l)
		for _, g := range f.Goals {
			if at, ok := place(f, g); ok && g.Subject == s.Name {
				p.Line(left+at*scale, y-barGap/2, left+at*scale, y+barHeight+barGap/2, svg.Goal)
			}
		}
		y += barHeight + barGap
	}
	p.Line(left, top-2, left, y-barGap+2, svg.Axis)
	return y
}

// bar draws a subject; end is where its label begins, behind the spread and the
// goals.
func bar(p *svg.Picture, y, scale, end float64, s results.Spread, c svg.Class, l line) {
	p.Text(left-8, y+11, svg.End, svg.Plain, l.subject)
	p.Rect(left, y, s.Median*scale, barHeight, c, l.subject+": "+l.median)
	p.Line(left+s.Low*scale, y+barHeight/2, left+s.High*scale, y+barHeight/2, svg.Axis)
	label := l.median
	if l.ratio != "" {
		label += " · " + l.ratio
	}
	p.Text(left+end*scale+6, y+11, svg.Start, svg.Muted, label)
}

// reach is the largest value that is shown of a subject.
func reach(f *results.Figure, subject string, s results.Spread) float64 {
	top := max(s.Median, s.High)
	for _, g := range f.Goals {
		if at, ok := place(f, g); ok && g.Subject == subject {
			top = max(top, at)
		}
	}
	return top
}

// most is the largest value that a figure shows.
func most(f *results.Figure) float64 {
	top := 0.0
	for _, s := range f.Subjects {
		top = max(top, reach(f, s.Name, results.SpreadOf(s.Samples)))
	}
	if top <= 0 {
		return 1
	}
	return top
}

// place is where a goal lies on the scale of medians. One of a quantile lies
// nowhere on it.
func place(f *results.Figure, g results.Goal) (at float64, ok bool) {
	over := results.Median(f.Of(g.Over))
	switch {
	case g.Quantile != 0 || g.Verdict(f) == results.Unknown:
		return 0, false
	case g.As == results.AsRatio:
		return g.Limit * over, true
	case g.As == results.AsDifference:
		return g.Limit + over, true
	default:
		return g.Limit, true
	}
}

// colour tells Sunya, what it is measured against, and others.
func colour(f *results.Figure, subject string) svg.Class {
	switch {
	case subject == f.Base:
		return svg.Series(1)
	case strings.HasPrefix(subject, "Sunya"):
		return svg.Series(0)
	default:
		return svg.Series(2)
	}
}
