// Package timeline draws what ran over time: the requests of a service as an
// area, and below it one bar an instance, coloured by its state.
package timeline

import (
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
	"time"
)

// Lane is one service.
type Lane struct {
	Title   string
	Samples []Sample // in the order of time
}

// Sample is a service at one moment.
type Sample struct {
	At        time.Duration // from the beginning
	Instances []Instance
}

// Instance is one of its instances.
type Instance struct {
	ID       string
	State    string // starting, ready, frozen, draining
	InFlight int
}

// Mark is something that was done to a lane.
type Mark struct {
	At   time.Duration
	Text string
}

// The picture, in pixels.
const (
	width     = 900
	left      = 20
	right     = 20
	titleBand = 26
	areaBand  = 36
	rowHeight = 11
	gap       = 24
	axisBand  = 34
	legend    = 30
	markBand  = 20 // between legend and lanes
)

var colours = []struct{ state, fill string }{
	{"starting", "#f2b134"},
	{"ready", "#2e8b57"},
	{"frozen", "#9cc3e6"},
	{"draining", "#b0b0b0"},
}

// picture is a drawing under way.
type picture struct {
	w     io.Writer
	total time.Duration
	err   error
}

// Draw writes lanes as an SVG document.
func Draw(w io.Writer, lanes []Lane, marks []Mark) error {
	p := &picture{w: w, total: length(lanes)}
	height := legend + markBand + axisBand
	for _, l := range lanes {
		height += titleBand + areaBand + rowHeight*len(rows(l)) + gap
	}
	p.printf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n", width, height)
	p.printf("<title>Instances by state over time</title>\n<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", width, height)
	p.legend()
	y := legend + markBand
	for _, l := range lanes {
		y = p.lane(l, y)
	}
	p.marks(marks, y)
	p.axis(y)
	p.printf("</svg>\n")
	return p.err
}

func length(lanes []Lane) time.Duration {
	total := time.Second
	for _, l := range lanes {
		if n := len(l.Samples); n > 0 {
			total = max(total, l.Samples[n-1].At)
		}
	}
	return total
}

func (p *picture) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// x is where a moment is drawn.
func (p *picture) x(at time.Duration) float64 {
	return left + float64(width-left-right)*float64(at)/float64(p.total)
}

func (p *picture) legend() {
	x := left
	for _, c := range colours {
		p.printf("<rect x=\"%d\" y=\"10\" width=\"14\" height=\"10\" fill=\"%s\"/><text x=\"%d\" y=\"19\" fill=\"#333333\">%s</text>\n", x, c.fill, x+19, c.state)
		x += 92
	}
	p.printf("<rect x=\"%d\" y=\"10\" width=\"14\" height=\"10\" fill=\"#d9534f\" fill-opacity=\"0.55\"/><text x=\"%d\" y=\"19\" fill=\"#333333\">requests in flight</text>\n", x, x+19)
}

// lane draws one service and returns where the next begins.
func (p *picture) lane(l Lane, y int) int {
	p.printf("<text x=\"%d\" y=\"%d\" font-weight=\"bold\" fill=\"#222222\">%s</text>\n", left, y+17, html.EscapeString(l.Title))
	y += titleBand
	p.area(l, y)
	y += areaBand
	for _, row := range rows(l) {
		for _, b := range row {
			p.printf("<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", p.x(b.from), y, p.x(b.to)-p.x(b.from), rowHeight-2, fill(b.state))
		}
		y += rowHeight
	}
	return y + gap
}

func fill(state string) string {
	for _, c := range colours {
		if c.state == state {
			return c.fill
		}
	}
	return "#000000"
}

// area draws the requests in flight; the most of them are as high as its band.
func (p *picture) area(l Lane, y int) {
	most := 1
	for _, s := range l.Samples {
		most = max(most, s.inFlight())
	}
	base := float64(y + areaBand - 4)
	var points strings.Builder
	fmt.Fprintf(&points, "%d,%.1f", left, base)
	for _, s := range l.Samples {
		fmt.Fprintf(&points, " %.1f,%.1f", p.x(s.At), base-float64(areaBand-12)*float64(s.inFlight())/float64(most))
	}
	fmt.Fprintf(&points, " %.1f,%.1f", p.x(p.total), base)
	p.printf("<polygon points=\"%s\" fill=\"#d9534f\" fill-opacity=\"0.55\"/>\n", points.String())
	p.printf("<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#cccccc\"/>\n", left, base, width-right, base)
	p.printf("<text x=\"%d\" y=\"%d\" text-anchor=\"end\" fill=\"#777777\" font-size=\"10\">at most %d in flight</text>\n", width-right, y, most)
}

func (s Sample) inFlight() int {
	n := 0
	for _, i := range s.Instances {
		n += i.InFlight
	}
	return n
}

// bar is a time that an instance spent in one state.
type bar struct {
	id, state string
	from, to  time.Duration
}

// rows are the bars of a lane: an instance stays in its row, and a row whose
// instance has ended is used again.
func rows(l Lane) [][]bar {
	var out [][]bar
	for n, s := range l.Samples {
		until := s.At
		if n+1 < len(l.Samples) {
			until = l.Samples[n+1].At
		}
		taken := map[int]bool{}
		for _, i := range s.Instances {
			taken[rowOf(&out, i.ID, s.At)] = true
		}
		for _, i := range s.Instances {
			r := rowOf(&out, i.ID, s.At)
			if r < 0 {
				r = freeRow(&out, taken)
				taken[r] = true
			}
			out[r] = extend(out[r], bar{i.ID, i.State, s.At, until})
		}
	}
	return out
}

// rowOf finds the row in which an instance was until now, -1 for none.
func rowOf(rows *[][]bar, id string, now time.Duration) int {
	return slices.IndexFunc(*rows, func(row []bar) bool {
		last := row[len(row)-1]
		return last.id == id && last.to >= now
	})
}

func freeRow(rows *[][]bar, taken map[int]bool) int {
	for r := range *rows {
		if !taken[r] {
			return r
		}
	}
	*rows = append(*rows, nil)
	return len(*rows) - 1
}

func extend(row []bar, b bar) []bar {
	if n := len(row); n > 0 && row[n-1].id == b.id && row[n-1].state == b.state && row[n-1].to == b.from {
		row[n-1].to = b.to
		return row
	}
	return append(row, b)
}

func (p *picture) marks(marks []Mark, bottom int) {
	for _, m := range marks {
		x := p.x(m.At)
		p.printf("<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#555555\" stroke-dasharray=\"3 3\"/>\n", x, legend, x, bottom-gap/2)
		p.printf("<text x=\"%.1f\" y=\"%d\" fill=\"#555555\" font-size=\"11\">%s</text>\n", x+3, legend+markBand/2+4, html.EscapeString(m.Text))
	}
}

func (p *picture) axis(y int) {
	p.printf("<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"#333333\"/>\n", left, y, width-right, y)
	step := 2 * time.Second
	for p.total/step > 20 {
		step *= 2
	}
	for at := time.Duration(0); at <= p.total; at += step {
		x := p.x(at)
		p.printf("<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#333333\"/>", x, y, x, y+4)
		p.printf("<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" fill=\"#333333\">%d s</text>\n", x, y+18, int(at.Seconds()))
	}
}
