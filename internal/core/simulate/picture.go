package simulate

import (
	"fmt"
	"strconv"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/svg"
)

// The picture, in pixels.
const (
	pictureWidth = 760.0
	left         = 54.0
	right        = 12.0
	head         = 50.0
	panelHeight  = 84.0
	panelGap     = 34.0
	foot         = 26.0
)

// line is one quantity over time.
type line struct {
	name  string
	class svg.Class
	of    func(Point) float64
}

// panel is a chart of the picture.
type panel struct {
	title string
	unit  string
	lines []line
}

func seconds(d time.Duration) float64 { return d.Seconds() }

var panels = []panel{
	{"Requests arriving", "/s", []line{{"", svg.Series(3), func(p Point) float64 { return p.Arrivals }}}},
	{"Instances unfrozen", "", []line{
		{"optimum", svg.Series(2), func(p Point) float64 { return p.Optimum }},
		{"Sunya", svg.Series(0), Point.Unfrozen},
	}},
	{"Requests waiting", "", []line{{"", svg.Series(5), func(p Point) float64 { return p.Queue }}}},
	{"99th of 100 requests", " s", []line{
		{"latency", svg.Series(1), func(p Point) float64 { return seconds(p.Latency) }},
		{"of it waiting", svg.Series(5), func(p Point) float64 { return seconds(p.Waiting) }},
	}},
}

// Picture draws a run as an SVG document, the optimum beside it.
func (r *Report) Picture() []byte {
	p := svg.New("A simulated run over time, beside the optimum")
	p.Text(left, 18, svg.Start, svg.Strong, fmt.Sprintf("%s: %d requests, %d services, concurrency %d", r.Trace, r.Arrived, r.Services, r.Concurrency))
	p.Text(left, 34, svg.Start, svg.Muted, fmt.Sprintf("unfrozen instance-seconds %.1f %% above an optimum that knows the future; waits of 99 in 100 below %s",
		100*r.Over(), time.Duration(r.Wait.P99*float64(time.Second)).Round(100*time.Microsecond)))
	y := head
	for _, panel := range panels {
		y = r.Series.draw(p, panel, y+panelGap)
	}
	r.Series.axis(p, y)
	return p.Bytes(pictureWidth, y+foot)
}

// draw draws a panel below y and returns where it ends.
func (s Series) draw(p *svg.Picture, c panel, y float64) float64 {
	most := s.most(c)
	p.Text(left, y-6, svg.Start, svg.Plain, c.title)
	p.Text(left-6, y+9, svg.End, svg.Muted, number(most)+c.unit)
	p.Text(left-6, y+panelHeight, svg.End, svg.Muted, "0")
	p.Line(left, y, pictureWidth-right, y, svg.Grid)
	p.Line(left, y+panelHeight, pictureWidth-right, y+panelHeight, svg.Axis)
	at := pictureWidth - right
	for _, l := range c.lines {
		p.Polyline(s.points(l.of, most, y), l.class.Stroke())
		if l.name == "" {
			continue
		}
		width := float64(6*len(l.name) + 26)
		at -= width
		p.Rect(at, y-14, 10, 8, l.class, "")
		p.Text(at+14, y-6, svg.Start, svg.Muted, l.name)
	}
	return y + panelHeight
}

func (s Series) most(c panel) float64 {
	most := 0.0
	for _, l := range c.lines {
		for _, at := range s.Points {
			most = max(most, l.of(at))
		}
	}
	return most
}

// points is a line as steps; those that go on as before are left out.
func (s Series) points(of func(Point) float64, most, y float64) []svg.Point {
	width := (pictureWidth - left - right) / float64(max(len(s.Points), 1))
	var out []svg.Point
	for i, at := range s.Points {
		v := y + panelHeight
		if most > 0 {
			v -= panelHeight * of(at) / most
		}
		x := left + float64(i)*width
		if n := len(out); n > 1 && out[n-1].Y == v && out[n-2].Y == v {
			out[n-1].X = x + width
			continue
		}
		out = append(out, svg.Point{X: x, Y: v}, svg.Point{X: x + width, Y: v})
	}
	return out
}

// axis writes the time below the panels.
func (s Series) axis(p *svg.Picture, y float64) {
	length := s.Slice * time.Duration(len(s.Points))
	for i := range 5 {
		at := svg.Middle
		switch i {
		case 0:
			at = svg.Start
		case 4:
			at = svg.End
		}
		x := left + (pictureWidth-left-right)*float64(i)/4
		p.Text(x, y+16, at, svg.Muted, Round(length*time.Duration(i)/4).String())
	}
}

// number writes a figure with three digits.
func number(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// Round shortens a time to what people want to know of it.
func Round(d time.Duration) time.Duration {
	switch {
	case d >= 10*time.Minute:
		return d.Round(time.Minute)
	case d >= time.Minute:
		return d.Round(time.Second)
	case d >= time.Second:
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(100 * time.Microsecond)
}
