package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/simulate"
)

// printReport shows a run: figures and charts for people, all figures for programs.
func printReport(env *Env, r *simulate.Report) error {
	if env.output().kind != "table" {
		return printOne(env, r)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d services, concurrency %d, %v of virtual time\n\n", r.Trace, r.Services, r.Concurrency, virtual(r.Length))
	b.Write(layout(reportRequests(r), 0))
	b.WriteString("\n")
	b.Write(layout(reportTimes(r), 0))
	b.WriteString("\n")
	b.Write(layout(reportInstances(r), 0))
	fmt.Fprintf(&b, "\n%s\n", reportVerdict(r))
	width := chartWidth
	if env.StdoutTTY && env.Width > 0 {
		width = min(env.Width, 2*chartWidth)
	}
	for _, c := range reportCharts(r) {
		b.WriteString("\n")
		c.write(&b, width)
	}
	return write(env.Stdout, []byte(b.String()))
}

// virtual is a number of seconds as people say it.
func virtual(s float64) time.Duration {
	return simulate.Round(time.Duration(s * float64(time.Second)))
}

func reportRequests(r *simulate.Report) [][]string {
	row := func(name string, n int64, why string) []string { return []string{name, fmt.Sprint(n), why} }
	return [][]string{
		{"REQUESTS", "", ""},
		row("arrived", r.Arrived, ""),
		row("served", r.Served, fmt.Sprintf("%d waited for a boot, %d were repeated", r.ColdStarts, r.Retried)),
		row("turned away", r.Shed, reasons(r.ShedWhy)),
		row("failed", r.Failed, "not safe to repeat, and the instance died"),
		row("lost", r.Lost, "safe to repeat, and the instance died each time"),
	}
}

// reasons lists why requests were turned away, the most frequent first.
func reasons(n map[string]int64) string {
	var out []string
	for why, k := range n {
		out = append(out, fmt.Sprintf("%s %d", why, k))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func reportTimes(r *simulate.Report) [][]string {
	row := func(name string, s simulate.Spread) []string {
		return []string{name, virtual(s.P50).String(), virtual(s.P90).String(), virtual(s.P99).String(), virtual(s.Max).String()}
	}
	return [][]string{{"TIME", "P50", "P90", "P99", "MAX"}, row("waiting", r.Wait), row("in all", r.Latency)}
}

func reportInstances(r *simulate.Report) [][]string {
	s, o := r.Seconds, r.Optimum
	all := o.Unfrozen()
	row := func(name string, sunya, optimum float64) []string {
		over := ""
		if all > 0 {
			over = fmt.Sprintf("%+.1f%%", 100*(sunya-optimum)/all)
		}
		return []string{name, fmt.Sprintf("%.0f", sunya), fmt.Sprintf("%.0f", optimum), over}
	}
	return [][]string{
		{"INSTANCE-SECONDS", "SUNYA", "OPTIMUM", "OVER"},
		row("booting", s.Booting, o.Booting),
		row("with requests", s.Busy, o.Serving),
		row("before the freeze", s.Idle, 0),
		row("heartbeats", s.Heartbeats, 0),
		row("unfrozen", s.Unfrozen(), all),
		{"frozen", fmt.Sprintf("%.0f", s.Frozen), "", ""},
		{"(boots, stops, deaths, thaws)", fmt.Sprintf("%d, %d, %d, %d", r.Boots, r.Stops, r.Kills, r.Thaws), "", ""},
	}
}

func reportVerdict(r *simulate.Report) string {
	broken := "no rule broken"
	if r.Violations.Any() {
		broken = fmt.Sprintf("RULES BROKEN: %+v", r.Violations)
	}
	over := fmt.Sprintf("%.1f %% above the optimum", 100*r.Over())
	if r.Shed+r.Failed+r.Lost > 0 {
		over += fmt.Sprintf(", which serves the other %d requests, too", r.Shed+r.Failed+r.Lost)
	}
	return fmt.Sprintf("%s; %s; longest wait in the queue %v", over, broken, virtual(r.LongestWait))
}

func reportCharts(r *simulate.Report) []chart {
	of := func(f func(simulate.Point) float64) (all []float64, most float64) {
		for _, p := range r.Series.Points {
			all = append(all, f(p))
			most = max(most, f(p))
		}
		return all, most
	}
	arrivals, rate := of(func(p simulate.Point) float64 { return p.Arrivals })
	unfrozen, instances := of(simulate.Point.Unfrozen)
	optimum, _ := of(func(p simulate.Point) float64 { return p.Optimum })
	queue, waiting := of(func(p simulate.Point) float64 { return p.Queue })
	waits, longest := of(func(p simulate.Point) float64 { return p.Waiting.Seconds() })
	return []chart{
		{title: "Requests arriving", most: fmt.Sprintf("%.1f a second", rate), area: arrivals},
		{title: "Instances unfrozen (dots: optimum)", most: fmt.Sprintf("%.1f", instances), area: unfrozen, dots: optimum},
		{title: "Requests waiting", most: fmt.Sprintf("%.1f", waiting), area: queue},
		{title: "Wait of the 99th of 100 requests", most: virtual(longest).String(), area: waits},
	}
}
