package cli

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// table says which columns people see of a list.
type table[T any] []column[T]

// column is one of them.
type column[T any] struct {
	header string
	cell   func(T) string
}

// minColumn is the width below which no column is cut.
const minColumn = 4

// write prints the rows, cut to the width of the terminal and never elsewhere.
func (t table[T]) write(env *Env, items []T) error {
	if len(items) == 0 {
		fmt.Fprintln(env.Stderr, "Listed 0 items.")
		return nil
	}
	rows := make([][]string, 0, len(items)+1)
	header := make([]string, len(t))
	for i, c := range t {
		header[i] = c.header
	}
	rows = append(rows, header)
	for _, item := range items {
		row := make([]string, len(t))
		for i, c := range t {
			row[i] = strings.ReplaceAll(printable(c.cell(item)), "\n", " ")
		}
		rows = append(rows, row)
	}
	limit := 0
	if env.StdoutTTY {
		limit = env.Width
	}
	return write(env.Stdout, layout(rows, limit))
}

// layout aligns the columns. A limit above 0 is the width of a line; the widest
// columns give way first.
func layout(rows [][]string, limit int) []byte {
	widths := widest(rows)
	if limit > 0 {
		shrink(widths, limit-2*(len(widths)-1))
	}
	var out bytes.Buffer
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			cell = truncate(cell, widths[i])
			line.WriteString(cell)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return out.Bytes()
}

func widest(rows [][]string) []int {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

func shrink(widths []int, limit int) {
	for {
		total, wide := 0, 0
		for i, w := range widths {
			total += w
			if w > widths[wide] {
				wide = i
			}
		}
		if total <= limit || widths[wide] <= minColumn {
			return
		}
		widths[wide]--
	}
}

// ago is a time as people say it.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := now.Sub(t)
	switch {
	case d < 0, d < time.Second:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%ds ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh ago", int(d.Hours()))
	}
	return fmt.Sprintf("%dd ago", int(d.Hours()/24))
}

// seconds is a duration as progress shows it.
func seconds(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f s", d.Seconds())
}
