// Package render shows results: as a table on a terminal, as Markdown and as
// pictures. It computes nothing that package results does not.
package render

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya/e2e/bench/results"
)

// parts has the parts of the benchmark in the order in which they are shown.
// Figures of a part that is not here come last, under its name.
var parts = []struct{ id, title string }{
	{"cold", "Cold start: no process, to the first byte"},
	{"template", "Cold start from a template"},
	{"thaw", "Thaw: a frozen instance, to the first byte"},
	{"warm", "Warm requests to a Go program"},
	{"python", "Warm requests to a Python program"},
	{"burst", "Bursts"},
	{"density", "Density: frozen Flask instances"},
	{"idle", "The idle platform"},
	{"redeploy", "Deploy and redeploy"},
	{"pubsub", "Pub/Sub: messages"},
	{"static", "Static files"},
	{"registry", "Container images"},
	{"storage", "Objects"},
	{"dockerfile", "Dockerfiles"},
}

// group is a part and its figures.
type group struct {
	id, title string
	figures   []results.Figure
}

// groups orders figures by part.
func groups(figures []results.Figure) []group {
	var out []group
	for _, p := range parts {
		out = append(out, group{id: p.id, title: p.title})
	}
	for _, f := range figures {
		i := slices.IndexFunc(out, func(g group) bool { return g.id == f.Part() })
		if i < 0 {
			i = len(out)
			out = append(out, group{id: f.Part(), title: f.Part()})
		}
		out[i].figures = append(out[i].figures, f)
	}
	return slices.DeleteFunc(out, func(g group) bool { return len(g.figures) == 0 })
}

// line is a subject of a figure as it is shown.
type line struct {
	subject, median, spread, tail, ratio, paired string
}

// manySamples is from how many samples on the 99th percentile says something.
const manySamples = 100

// lines are the subjects of a figure.
func lines(f *results.Figure) []line {
	var out []line
	for _, s := range f.Subjects {
		spread := results.SpreadOf(s.Samples)
		l := line{subject: s.Name, median: number(spread.Median) + " " + f.Unit}
		if len(s.Samples) > 1 {
			l.spread = span(spread.Low, spread.High, number)
		}
		if len(s.Samples) >= manySamples {
			l.tail = number(results.Quantile(s.Samples, 0.99)) + " " + f.Unit
		}
		if base := f.Of(f.Base); f.Base != "" && s.Name != f.Base && len(base) > 0 {
			r := results.Over(s.Samples, base)
			l.ratio = ratio(r.OfMedians)
			if len(s.Samples) > 1 && len(base) == len(s.Samples) {
				l.paired = span(r.Paired.Low, r.Paired.High, ratio)
			}
		}
		out = append(out, l)
	}
	return out
}

// hasTail reports whether any subject has a 99th percentile.
func hasTail(list []line) bool {
	return slices.ContainsFunc(list, func(l line) bool { return l.tail != "" })
}

// span shows from where to where something goes.
func span(low, high float64, show func(float64) string) string {
	return show(low) + " to " + show(high)
}

// number shows a figure as exactly as it is worth: three digits, more where they
// stand before the point.
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "none"
	case a >= 1000:
		return thousands(int64(math.Round(v)))
	case a >= 100, v == 0:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 0.1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case a < 0.001:
		return "0.000"
	default:
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
}

func thousands(n int64) string {
	if n < 0 {
		return "-" + thousands(-n)
	}
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// ratio shows a ratio: hundredths decide near 1.
func ratio(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "none"
	case v >= 9.95:
		return number(v)
	case v < 0.1:
		return strconv.FormatFloat(v, 'f', 3, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}

// outcome is a goal or a check in words.
type outcome struct {
	what, measured string
	verdict        results.Verdict
}

func (o outcome) String() string {
	return o.what + ": " + strings.TrimPrefix(o.measured+", ", ", ") + words(o.verdict)
}

func words(v results.Verdict) string {
	switch v {
	case results.Met:
		return "met"
	case results.Missed:
		return "missed"
	default:
		return "not measured"
	}
}

// outcomes are the goals and checks of a figure.
func outcomes(f *results.Figure) []outcome {
	var out []outcome
	for _, g := range f.Goals {
		out = append(out, goal(f, g))
	}
	for _, c := range f.Checks {
		verdict := results.Missed
		if c.OK {
			verdict = results.Met
		}
		out = append(out, outcome{c.What, c.Detail, verdict})
	}
	return out
}

func goal(f *results.Figure, g results.Goal) outcome {
	which := g.Subject
	if g.Quantile != 0 {
		which = fmt.Sprintf("p%g of %s", g.Quantile*100, g.Subject)
	}
	bound := "at most"
	if g.AtLeast {
		bound = "at least"
	}
	v := g.Value(f)
	o := outcome{verdict: g.Verdict(f)}
	switch g.As {
	case results.AsRatio:
		o.what, o.measured = fmt.Sprintf("%s %s %s of %s", which, bound, ratio(g.Limit), g.Over), ratio(v)
	case results.AsDifference:
		o.what, o.measured = fmt.Sprintf("%s %s %s %s over %s", which, bound, number(g.Limit), f.Unit, g.Over), number(v)+" "+f.Unit
	default:
		o.what, o.measured = fmt.Sprintf("%s %s %s %s", which, bound, number(g.Limit), f.Unit), number(v)+" "+f.Unit
	}
	if o.verdict == results.Unknown {
		o.measured = ""
	}
	return o
}

// loud is from which share of the machine's time on others disturb a figure.
const loud = 0.05

// remarks are what a reader of a figure must know.
func remarks(f *results.Figure) []string {
	var out []string
	if f.Failed != "" {
		out = append(out, "failed: "+f.Failed)
	}
	if f.Busy > loud {
		out = append(out, fmt.Sprintf("taken while others used %.0f %% of the machine", f.Busy*100))
	}
	if f.Note != "" {
		out = append(out, f.Note)
	}
	return out
}

// versions lists the programs compared.
func versions(m results.Machine) string {
	var list []string
	for name, version := range m.Versions {
		list = append(list, name+" "+version)
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Compare(strings.ToLower(a), strings.ToLower(b)) })
	return strings.Join(list, ", ")
}

// machine is one line on the machine.
func machine(m results.Machine) string {
	return fmt.Sprintf("%s, %d cores, %.0f GiB, %s, Linux %s, cgroups %s", m.CPU, m.Cores, float64(m.MemoryMiB)/1024, m.System, m.Kernel, m.Cgroups)
}

// taken says of which commits and days figures are.
func taken(figures []results.Figure) string {
	var list []string
	for _, f := range figures {
		if s := f.Date.Format("2006-01-02") + " at " + f.Commit; !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
