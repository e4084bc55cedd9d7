package trace

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The limits of a file. A request takes some 24 bytes of memory.
const (
	maxServices = 100_000
	maxRequests = 50_000_000
	maxName     = 200
	maxLength   = 366 * 24 * time.Hour
	maxWork     = 24 * time.Hour
)

// FileError is a line of a file that cannot be understood.
type FileError struct {
	Line   int    // from 1
	Column string // time, service, duration, safe; empty: the line as a whole
	Reason string // with the value, and what is right
}

func (e *FileError) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
	}
	return fmt.Sprintf("line %d, %s: %s", e.Line, e.Column, e.Reason)
}

// columns of a file. The last may be left out.
var columns = []string{"time", "service", "duration", "safe"}

// Read reads a trace of comma-separated values, one request a line: its time (RFC
// 3339, or seconds from any beginning), its service, how long it took (seconds, or
// 250ms) and, if there is a fourth, whether it may be sent again (true or false;
// without it, o.Safe says it). A first line with the names of the columns is
// passed over. Lines may be in any order; the first request comes at 0. Errors in
// the text are a *FileError.
func Read(r io.Reader, o Options) (*Trace, error) {
	f := file{reader: csv.NewReader(r), options: o, index: map[string]int{}}
	f.reader.FieldsPerRecord = -1
	f.reader.ReuseRecord = true
	f.reader.TrimLeadingSpace = true
	if err := f.read(); err != nil {
		return nil, err
	}
	return f.trace()
}

// file is a trace under way.
type file struct {
	reader   *csv.Reader
	options  Options
	index    map[string]int // of services
	services []recorded
	requests int
	absolute bool // the first time is one of day
}

// recorded are the requests of a service, as they were read.
type recorded struct {
	name     string
	requests []Request
}

func (f *file) read() error {
	for {
		record, err := f.reader.Read()
		var broken *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &broken):
			return &FileError{Line: broken.Line, Reason: broken.Err.Error()}
		case err != nil:
			return fmt.Errorf("read trace: %w", err)
		}
		line, _ := f.reader.FieldPos(0)
		if f.requests == 0 && line == 1 && isHeader(record) {
			continue
		}
		if err := f.add(line, record); err != nil {
			return err
		}
	}
}

func isHeader(record []string) bool {
	return len(record) >= 3 && len(record) <= len(columns) && slices.Equal(record, columns[:len(record)])
}

func (f *file) add(line int, record []string) error {
	if len(record) < 3 || len(record) > len(columns) {
		return &FileError{Line: line, Reason: fmt.Sprintf("%d columns; there must be time, service, duration and, if wanted, safe", len(record))}
	}
	f.requests++
	if f.requests > maxRequests {
		return &FileError{Line: line, Reason: fmt.Sprintf("more than %d requests: cut the file", maxRequests)}
	}
	var (
		q   Request
		err error
	)
	if q.At, err = f.time(record[0]); err != nil {
		return &FileError{line, "time", err.Error()}
	}
	if q.Work, err = work(record[2]); err != nil {
		return &FileError{line, "duration", err.Error()}
	}
	if q.Safe, err = f.safe(record); err != nil {
		return &FileError{line, "safe", err.Error()}
	}
	if err := f.put(record[1], q); err != nil {
		return &FileError{line, "service", err.Error()}
	}
	return nil
}

// time reads a time as nanoseconds of its own beginning; all lines are to have the
// same form.
func (f *file) time(s string) (time.Duration, error) {
	at, err := time.Parse(time.RFC3339Nano, s)
	absolute := err == nil
	if f.requests == 1 {
		f.absolute = absolute
	}
	switch {
	case absolute && !f.absolute:
		return 0, fmt.Errorf("%q is a time of day, and the first line has seconds: use one form", s)
	case absolute && (at.Year() < 1970 || at.Year() > 2200):
		return 0, fmt.Errorf("%q is not between 1970 and 2200", s)
	case absolute:
		return time.Duration(at.UnixNano()), nil
	case f.absolute:
		return 0, fmt.Errorf("%q is not in RFC 3339, as the first line is: write 2026-11-30T12:00:00.5Z", s)
	}
	d, ok := seconds(s)
	if !ok || d < 0 {
		return 0, fmt.Errorf("%q is neither RFC 3339 (2026-11-30T12:00:00.5Z) nor seconds from 0 on (12.5)", s)
	}
	return d, nil
}

// seconds reads a number of seconds of less than a hundred years.
func seconds(s string) (time.Duration, bool) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.Abs(v) > 100*366*24*3600 {
		return 0, false
	}
	return time.Duration(math.Round(v * 1e9)), true
}

func work(s string) (time.Duration, error) {
	d, ok := seconds(s)
	if !ok {
		var err error
		d, err = time.ParseDuration(s)
		ok = err == nil
	}
	switch {
	case !ok:
		return 0, fmt.Errorf("%q is neither seconds (0.25) nor a duration (250ms)", s)
	case d < 0 || d > maxWork:
		return 0, fmt.Errorf("%q is not between 0 and %v", s, maxWork)
	}
	return d, nil
}

// safe reads the fourth column; without one, the dice of the options say it, by the
// place of the request in the file.
func (f *file) safe(record []string) (bool, error) {
	if len(record) < len(columns) {
		return random(f.options.Seed, f.requests).Float64() < f.options.Safe, nil
	}
	switch record[3] {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", record[3])
}

func (f *file) put(name string, q Request) error {
	i, ok := f.index[name]
	if !ok {
		switch {
		case name == "" || len(name) > maxName:
			return fmt.Errorf("a name has 1 to %d bytes, not %d", maxName, len(name))
		case strings.ContainsFunc(name, unicode.IsControl):
			return fmt.Errorf("%q has control characters", name)
		case len(f.services) >= maxServices:
			return fmt.Errorf("more than %d services: cut the file", maxServices)
		}
		i = len(f.services)
		name = strings.Clone(name) // it lies in the reader's buffer
		f.index[name] = i
		f.services = append(f.services, recorded{name: name})
	}
	f.services[i].requests = append(f.services[i].requests, q)
	return nil
}

// trace puts the requests in order, and the first at 0.
func (f *file) trace() (*Trace, error) {
	if f.requests == 0 {
		return nil, &FileError{Line: 1, Reason: "no request in it"}
	}
	first, last := time.Duration(math.MaxInt64), time.Duration(math.MinInt64)
	for _, s := range f.services {
		slices.SortStableFunc(s.requests, func(a, b Request) int { return int(min(max(a.At-b.At, -1), 1)) })
		first = min(first, s.requests[0].At)
		last = max(last, s.requests[len(s.requests)-1].At)
	}
	if last-first > maxLength {
		return nil, &FileError{Line: 1, Reason: fmt.Sprintf("the file spans %.0f days; more than %.0f are not replayed: are all times of one form?",
			(last-first).Hours()/24, maxLength.Hours()/24)}
	}
	t := &Trace{Name: "file", Length: last - first}
	for _, s := range f.services {
		t.Services = append(t.Services, Service{
			Name: s.name, Boot: f.options.Boot, MemoryBytes: f.options.Memory,
			Requests: &replay{requests: s.requests, first: first},
		})
	}
	return t, nil
}

// replay is what was recorded.
type replay struct {
	requests []Request
	first    time.Duration
}

func (r *replay) Next() (Request, bool) {
	if len(r.requests) == 0 {
		return Request{}, false
	}
	q := r.requests[0]
	r.requests = r.requests[1:]
	q.At -= r.first
	return q, true
}
