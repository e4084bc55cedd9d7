package cli

import (
	"github.com/sunya-cloud/sunya/internal/core/svg"
)

// The measures of a picture, in pixels.
const (
	pictureWidth  = 720
	pictureChart  = 110 // of one chart with its title
	pictureLeft   = 10
	pictureHeight = 70 // of the drawing itself
)

// metricsPicture draws the charts one below the other.
func metricsPicture(title string, m *metricsAnswer) []byte {
	p := svg.New(title)
	p.Text(pictureLeft, 20, svg.Start, svg.Strong, title)
	y := 40.0
	for _, c := range metricsCharts(m) {
		c.draw(p, y)
		y += pictureChart
	}
	return p.Bytes(pictureWidth, y)
}

// draw draws the chart as two lines, its upper edge at y.
func (c chart) draw(p *svg.Picture, y float64) {
	p.Text(pictureLeft, y+12, svg.Start, svg.Plain, c.title+", at most "+c.most)
	base := y + 20 + pictureHeight
	p.Line(pictureLeft, base, pictureWidth-pictureLeft, base, svg.Axis)
	most := 0.0
	for _, v := range append(append([]float64(nil), c.area...), c.dots...) {
		most = max(most, v)
	}
	for n, values := range [][]float64{c.area, c.dots} {
		if most == 0 || len(values) < 2 {
			continue
		}
		points := make([]svg.Point, len(values))
		for i, v := range values {
			points[i] = svg.Point{
				X: pictureLeft + float64(i)*(pictureWidth-2*pictureLeft)/float64(len(values)-1),
				Y: base - v/most*pictureHeight,
			}
		}
		p.Polyline(points, svg.Series(3*n).Stroke())
	}
}
