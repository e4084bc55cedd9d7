package cli

import (
	"fmt"
	"math"
	"strings"
)

// chart draws figures over time with the characters of a terminal: an area, and a
// second line as dots where there is one.
type chart struct {
	title string
	most  string // of what the highest is, in words
	area  []float64
	dots  []float64
}

// The measures of a chart, in characters.
const (
	chartRows   = 4
	chartMargin = 2
	chartWidth  = 72
)

// eighths fill a character from below.
var eighths = []rune(" ▁▂▃▄▅▆▇█")

func (c chart) write(b *strings.Builder, width int) {
	area, dots := resample(c.area, width-chartMargin), resample(c.dots, width-chartMargin)
	most := 0.0
	for _, v := range append(append([]float64(nil), area...), dots...) {
		most = max(most, v)
	}
	fmt.Fprintf(b, "%s, at most %s\n", c.title, c.most)
	for row := chartRows - 1; row >= 0; row-- {
		line := strings.Repeat(" ", chartMargin)
		for i, v := range area {
			level := fill(v, most, row)
			if dots != nil && dots[i] > 0 && level == 0 && row == rowOf(dots[i], most) {
				line += "·"
				continue
			}
			line += string(eighths[level])
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// fill is how many eighths of a row are filled; what is not nothing is seen.
func fill(v, most float64, row int) int {
	if most <= 0 || v <= 0 {
		return 0
	}
	n := max(int(math.Round(v/most*chartRows*8)), 1) - row*8
	return min(max(n, 0), 8)
}

// rowOf is the row in which a value lies.
func rowOf(v, most float64) int {
	if most <= 0 {
		return 0
	}
	return min(int(v/most*chartRows), chartRows-1)
}

// resample makes n values of any number of them: the highest of those that fall
// together.
func resample(values []float64, n int) []float64 {
	if len(values) == 0 || n <= 0 {
		return nil
	}
	out := make([]float64, n)
	for i := range out {
		from, to := i*len(values)/n, max((i+1)*len(values)/n, i*len(values)/n+1)
		for _, v := range values[from:to] {
			out[i] = max(out[i], v)
		}
	}
	return out
}
