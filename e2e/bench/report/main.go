// Command report shows what the benchmarks have measured: one table on stdout,
// pictures, and the tables of the page on performance.
//
//	report -results FILE [-pictures DIR] [-page FILE]
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sunya-cloud/sunya/e2e/bench/render"
	"github.com/sunya-cloud/sunya/e2e/bench/results"
)

func main() {
	file := flag.String("results", "docs/performance/results.json", "what was measured")
	pictures := flag.String("pictures", "", "directory for one picture a part; empty: none")
	page := flag.String("page", "", "page with markers between which the tables are written; empty: none")
	flag.Parse()
	if err := report(*file, *pictures, *page); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func report(file, pictures, page string) error {
	f, err := results.Read(file)
	if err != nil {
		return err
	}
	if len(f.Figures) == 0 {
		return fmt.Errorf("%s holds no figures: run make bench", file)
	}
	if err := render.Head(os.Stdout, f); err != nil {
		return err
	}
	if err := render.Text(os.Stdout, f.Figures); err != nil {
		return err
	}
	if pictures != "" {
		if err := draw(pictures, f); err != nil {
			return err
		}
	}
	if page == "" {
		return nil
	}
	return write(page, pictures, f)
}

func draw(dir string, f results.File) error {
	for part, picture := range render.Pictures(f.Figures) {
		if err := os.WriteFile(filepath.Join(dir, part+".svg"), picture, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func write(page, pictures string, f results.File) error {
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	at, err := filepath.Rel(filepath.Dir(page), pictures)
	if err != nil {
		return err
	}
	text, err := render.Page(string(old), f, filepath.ToSlash(at))
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	return os.WriteFile(page, []byte(text), 0o644)
}
