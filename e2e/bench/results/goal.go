package results

import "math"

// Goal is a limit that a subject shall keep.
type Goal struct {
	Subject  string  `json:"subject"`
	Quantile float64 `json:"quantile,omitempty"` // of the subject's samples; 0 stands for the median
	As       As      `json:"as"`
	Over     string  `json:"over,omitempty"` // what it is compared with, at its median
	Limit    float64 `json:"limit"`
	AtLeast  bool    `json:"atLeast,omitempty"` // the limit is the least; else the most
}

// As is how a subject is held against a limit.
type As string

// The ways.
const (
	AsRatio      As = "ratio"      // subject / over
	AsDifference As = "difference" // subject - over
	AsValue      As = "value"
)

// Value is what is held against the limit; NaN where something was not measured.
func (g Goal) Value(f *Figure) float64 {
	q := g.Quantile
	if q == 0 {
		q = 0.5
	}
	v, over := Quantile(f.Of(g.Subject), q), Median(f.Of(g.Over))
	switch g.As {
	case AsRatio:
		return v / over
	case AsDifference:
		return v - over
	default:
		return v
	}
}

// Verdict is what became of a goal.
type Verdict int

// The verdicts.
const (
	Unknown Verdict = iota // a subject is missing
	Met
	Missed
)

// Verdict judges a figure.
func (g Goal) Verdict(f *Figure) Verdict {
	v := g.Value(f)
	switch {
	case math.IsNaN(v):
		return Unknown
	case g.AtLeast && v >= g.Limit, !g.AtLeast && v <= g.Limit:
		return Met
	default:
		return Missed
	}
}
