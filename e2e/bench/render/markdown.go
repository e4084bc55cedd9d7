package render

import (
	"fmt"
	"strings"

	"github.com/sunya-cloud/sunya/e2e/bench/results"
)

// The markers between which a page holds what is generated.
const (
	begin = "<!-- begin of what make bench-report writes -->"
	end   = "<!-- end of what make bench-report writes -->"
)

// Page puts the results into a page, between its markers. pictures is where the
// page finds the pictures.
func Page(page string, f results.File, pictures string) (string, error) {
	before, rest, ok := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", fmt.Errorf("the page lacks the lines %q and %q", begin, end)
	}
	return before + begin + "\n" + Markdown(f, pictures) + end + after, nil
}

// Markdown is all results as sections of a page.
func Markdown(f results.File, pictures string) string {
	var w strings.Builder
	fmt.Fprintf(&w, "\nMachine: %s.\nCompared with: %s.\nTaken %s.\n", machine(f.Machine), versions(f.Machine), taken(f.Figures))
	summary(&w, f.Figures)
	for _, g := range groups(f.Figures) {
		section(&w, g, pictures)
	}
	w.WriteString("\n")
	return w.String()
}

// summary lists every goal and what became of it.
func summary(w *strings.Builder, figures []results.Figure) {
	var rows []string
	met := 0
	for _, g := range groups(figures) {
		for i := range g.figures {
			f := &g.figures[i]
			if f.Failed != "" {
				rows = append(rows, row(f.Title, "", "", "**failed**"))
				continue
			}
			for _, o := range outcomes(f) {
				verdict := words(o.verdict)
				if o.verdict == results.Met {
					met++
				} else {
					verdict = "**" + verdict + "**"
				}
				rows = append(rows, row(f.Title, o.what, o.measured, verdict))
			}
		}
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(w, "\n### Goals\n\n%d of %d are met.\n\n", met, len(rows))
	w.WriteString(row("figure", "goal", "measured", "") + row("---", "---", "---", "---"))
	w.WriteString(strings.Join(rows, ""))
}

func section(w *strings.Builder, g group, pictures string) {
	fmt.Fprintf(w, "\n### %s\n\n", g.title)
	if drawn(g) {
		fmt.Fprintf(w, "![%s](%s/%s.svg)\n\n", g.title, pictures, g.id)
	}
	tails := false
	for i := range g.figures {
		tails = tails || hasTail(lines(&g.figures[i]))
	}
	table(w, g, tails)
	var notes []string
	for i := range g.figures {
		f := &g.figures[i]
		for _, r := range remarks(f) {
			notes = append(notes, fmt.Sprintf("- %s: %s\n", f.Title, oneLine(r)))
		}
	}
	if len(notes) > 0 {
		w.WriteString("\n" + strings.Join(notes, ""))
	}
}

// table writes the subjects of all figures of a part; tails is whether any has a
// 99th percentile.
func table(w *strings.Builder, g group, tails bool) {
	line := func(title, subject, median, spread, tail, ratio, paired string) {
		cells := []string{title, subject, median, spread}
		if tails {
			cells = append(cells, tail)
		}
		w.WriteString(row(append(cells, ratio, paired)...))
	}
	line("figure", "", "median", "spread", "p99", "ratio", "in pairs")
	line("---", "---", "---:", "---", "---:", "---:", "---")
	for i := range g.figures {
		f := &g.figures[i]
		title := f.Title
		for _, l := range lines(f) {
			line(title, l.subject, l.median, l.spread, l.tail, l.ratio, l.paired)
			title = ""
		}
		if len(f.Subjects) == 0 {
			line(title, "", "", "", "", "", "")
		}
	}
}

// row is a line of a table.
func row(cells ...string) string {
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(oneLine(c), "|", "\\|")
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
