package render

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/sunya-cloud/sunya/e2e/bench/results"
)

// Text writes figures as one table for a terminal.
func Text(w io.Writer, figures []results.Figure) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, g := range groups(figures) {
		fmt.Fprintf(t, "\n%s\n", g.title)
		for i := range g.figures {
			figure(t, &g.figures[i])
		}
	}
	return t.Flush()
}

func figure(t io.Writer, f *results.Figure) {
	over := ""
	if f.Base != "" {
		over = "of " + f.Base
	}
	all := lines(f)
	tail := ""
	if hasTail(all) {
		tail = "p99"
	}
	pairs := ""
	if f.Base != "" {
		pairs = "in pairs"
	}
	fmt.Fprintf(t, "  %s\tmedian\tspread\t%s\t%s\t%s\n", f.Title, tail, over, pairs)
	for _, l := range all {
		fmt.Fprintf(t, "    %s\t%s\t%s\t%s\t%s\t%s\n", l.subject, l.median, l.spread, l.tail, l.ratio, l.paired)
	}
	for _, o := range outcomes(f) {
		fmt.Fprintf(t, "    %s\n", o)
	}
	for _, r := range remarks(f) {
		fmt.Fprintf(t, "    (%s)\n", r)
	}
}

// Head writes on which machine and when figures were taken.
func Head(w io.Writer, f results.File) error {
	_, err := fmt.Fprintf(w, "%s\n%s\ntaken %s\n", machine(f.Machine), versions(f.Machine), taken(f.Figures))
	return err
}
