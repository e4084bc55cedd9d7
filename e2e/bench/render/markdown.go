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
	for _, g := range groups(figures) {
		for i := range g.figures {
			f := &g.figures[i]
			if f.Failed != "" {
				rows = append(rows, row(f.Title, "", "", "**failed**"))
				continue
			}
			for _, o := range outcomes(f) {
				verdict := words(o.verdict)
				if o.verdict != results.Met {
					verdict = "**" + verdict + "**"
				}
				rows = append(rows, row(f.Title, o.what, o.measured, verdict))
			}
		}
	}
	if len(rows) == 0 {
		return
	}
	w.WriteString("\n### Goals\n\n" + row("figure", "goal", "measured", "") + row("---", "---", "---", "---"))
	w.WriteString(strings.Join(rows, ""))
}

func section(w *strings.Builder, g group, pictures string) {
	fmt.Fprintf(w, "\n### %s\n\n", g.title)
	if drawn(g) {
		fmt.Fprintf(w, "![%s](%s/%s.svg)\n\n", g.title, pictures, g.id)
	}
	w.WriteString(row("figure", "", "median", "spread", "p99", "ratio", "in pairs") + row("---", "---", "---:", "---", "---:", "---:", "---"))
	var notes []string
	for i := range g.figures {
		f := &g.figures[i]
		title := f.Title
		for _, l := range lines(f) {
			w.WriteString(row(title, l.subject, l.median, l.spread, l.tail, l.ratio, l.paired))
			title = ""
		}
		if len(f.Subjects) == 0 {
			w.WriteString(row(title, "", "", "", "", "", ""))
		}
		for _, r := range remarks(f) {
			notes = append(notes, fmt.Sprintf("- %s: %s\n", f.Title, oneLine(r)))
		}
	}
	if len(notes) > 0 {
		w.WriteString("\n" + strings.Join(notes, ""))
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
