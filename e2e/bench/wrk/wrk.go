// Package wrk loads a server with wrk, on one thread, and reads what it says.
package wrk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Load is what wrk shall do: keep-alive connections, each with a request as soon
// as the last one is answered.
type Load struct {
	URL  string
	Host string // the Host header; empty: that of the URL
	// Fields are further header fields, NAME: VALUE.
	Fields []string
	Conns  int
	// Seconds is how long: wrk knows no less.
	Seconds int
}

// Result is what came of it.
type Result struct {
	RequestsPerSecond, BytesPerSecond float64
	P50, P99                          time.Duration
	Requests                          int64
}

// script makes wrk say its figures in a line that can be read.
const script = `done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("figures %d %d %d %d %d %d %d %d %d %d\n",
    summary.duration, summary.requests, summary.bytes, latency:percentile(50), latency:percentile(99),
    e.connect, e.read, e.write, e.status, e.timeout))
end
`

// Installed reports whether there is a wrk.
func Installed() bool {
	_, err := exec.LookPath("wrk")
	return err == nil
}

// Run loads a server. An answer that is not a success, or none, is an error:
// what it would have cost to do the work is not known then.
func Run(ctx context.Context, l Load) (Result, error) {
	dir, err := os.MkdirTemp("", "sunya-wrk-")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "figures.lua")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(l.Seconds)*time.Second+30*time.Second)
	defer cancel()
	args := []string{"-t1", fmt.Sprintf("-c%d", l.Conns), fmt.Sprintf("-d%d", l.Seconds), "--timeout", "10s", "-s", file}
	if l.Host != "" {
		args = append(args, "-H", "Host: "+l.Host)
	}
	for _, f := range l.Fields {
		args = append(args, "-H", f)
	}
	cmd := exec.CommandContext(ctx, "wrk", append(args, l.URL)...)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return Result{}, fmt.Errorf("wrk: %w: %s", err, strings.TrimSpace(problem.String()))
	}
	return parse(out.String())
}

// parse reads the line of the script.
func parse(out string) (Result, error) {
	_, rest, ok := strings.Cut(out, "figures ")
	line, _, closed := strings.Cut(rest, "\n")
	fields := strings.Fields(line)
	if !ok || !closed || len(fields) != 10 {
		return Result{}, errors.New("wrk said nothing of its figures: " + strings.TrimSpace(out))
	}
	var n [10]int64
	for i, f := range fields {
		v, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return Result{}, fmt.Errorf("wrk: %w", err)
		}
		n[i] = v
	}
	if bad := n[5] + n[6] + n[7] + n[8] + n[9]; bad > 0 {
		return Result{}, fmt.Errorf("of %d requests failed: %d to connect, %d to read, %d to write, %d with an error's status, %d in time", n[1], n[5], n[6], n[7], n[8], n[9])
	}
	if n[0] <= 0 || n[2] <= 0 { // of a large answer there may be bytes and no end
		return Result{}, fmt.Errorf("wrk: %d bytes in %d us", n[2], n[0])
	}
	seconds := float64(n[0]) / 1e6
	return Result{
		RequestsPerSecond: float64(n[1]) / seconds, BytesPerSecond: float64(n[2]) / seconds,
		P50: time.Duration(n[3]) * time.Microsecond, P99: time.Duration(n[4]) * time.Microsecond,
		Requests: n[1],
	}, nil
}
