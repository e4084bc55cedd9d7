// Package svg writes pictures of figures: a few shapes, in colours that read on
// light and on dark ground alike. The picture follows what its reader prefers.
package svg

import (
	"bytes"
	"fmt"
	"html"
	"strings"
)

// Class is the look of a shape.
type Class string

// The looks. Series are filled shapes, Stroke makes lines of them.
const (
	Strong Class = "strong" // text: titles
	Plain  Class = "plain"  // text: labels
	Muted  Class = "muted"  // text: remarks
	Axis   Class = "axis"   // line
	Grid   Class = "grid"   // line
	Goal   Class = "goal"   // line: a limit that shall be kept
)

// series is how many colours there are for what is compared. The first is for
// what the picture is about.
const series = 6

// Series is the fill of the nth thing compared, from 0.
func Series(n int) Class { return Class(fmt.Sprintf("s%d", n%series)) }

// Stroke is the same colour for a line.
func (c Class) Stroke() Class { return c + "l" }

const style = `<style>
text{font-family:system-ui,sans-serif;font-size:12px}
.strong{font-weight:600;fill:#1f2328}.plain{fill:#1f2328}.muted{fill:#59636e;font-size:11px}
.axis{stroke:#59636e}.grid{stroke:#d1d9e0}.goal{stroke:#1f2328;stroke-width:2;stroke-dasharray:4 2}
.s0{fill:#1a7f64}.s1{fill:#9aa4b0}.s2{fill:#4c7fc4}.s3{fill:#c7892b}.s4{fill:#8f6bb5}.s5{fill:#c4604c}
.s0l{stroke:#1a7f64}.s1l{stroke:#9aa4b0}.s2l{stroke:#4c7fc4}.s3l{stroke:#c7892b}.s4l{stroke:#8f6bb5}.s5l{stroke:#c4604c}
polyline{fill:none;stroke-width:1.5}
@media (prefers-color-scheme:dark){
.strong,.plain{fill:#e6edf3}.muted{fill:#9198a1}.axis{stroke:#9198a1}.grid{stroke:#3d444d}.goal{stroke:#f0f6fc}
.s0{fill:#3fb68f}.s1{fill:#7d8590}.s2{fill:#6aa3ee}.s3{fill:#dda34a}.s4{fill:#b18fd6}.s5{fill:#e5806b}
.s0l{stroke:#3fb68f}.s1l{stroke:#7d8590}.s2l{stroke:#6aa3ee}.s3l{stroke:#dda34a}.s4l{stroke:#b18fd6}.s5l{stroke:#e5806b}
}
</style>
`

// Picture is a document under way. Its measures are pixels.
type Picture struct {
	title string
	body  bytes.Buffer
}

// New begins a picture; title is what a reader hears who does not see it.
func New(title string) *Picture { return &Picture{title: title} }

// Anchor is which end of a text stands at its place.
type Anchor string

// The anchors.
const (
	Start  Anchor = "start"
	Middle Anchor = "middle"
	End    Anchor = "end"
)

// Text writes a line.
func (p *Picture) Text(x, y float64, at Anchor, c Class, text string) {
	fmt.Fprintf(&p.body, "<text x=\"%s\" y=\"%s\" text-anchor=\"%s\" class=\"%s\">%s</text>\n", num(x), num(y), at, c, html.EscapeString(text))
}

// Rect draws a filled rectangle; its title is shown where a pointer rests on it.
func (p *Picture) Rect(x, y, width, height float64, c Class, title string) {
	fmt.Fprintf(&p.body, "<rect x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\" class=\"%s\"", num(x), num(y), num(width), num(height), c)
	if title == "" {
		p.body.WriteString("/>\n")
		return
	}
	fmt.Fprintf(&p.body, "><title>%s</title></rect>\n", html.EscapeString(title))
}

// Line draws a line.
func (p *Picture) Line(x1, y1, x2, y2 float64, c Class) {
	fmt.Fprintf(&p.body, "<line x1=\"%s\" y1=\"%s\" x2=\"%s\" y2=\"%s\" class=\"%s\"/>\n", num(x1), num(y1), num(x2), num(y2), c)
}

// Point is a place in the picture.
type Point struct{ X, Y float64 }

// Polyline joins points; c is a Stroke.
func (p *Picture) Polyline(points []Point, c Class) {
	list := make([]string, len(points))
	for i, at := range points {
		list[i] = num(at.X) + "," + num(at.Y)
	}
	fmt.Fprintf(&p.body, "<polyline points=\"%s\" class=\"%s\"/>\n", strings.Join(list, " "), c)
}

// Bytes is the document, of this size.
func (p *Picture) Bytes(width, height float64) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %s %s\" role=\"img\">\n<title>%s</title>\n", num(width), num(height), html.EscapeString(p.title))
	out.WriteString(style)
	out.Write(p.body.Bytes())
	out.WriteString("</svg>\n")
	return out.Bytes()
}

// num writes a measure to a tenth of a pixel.
func num(v float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
}
