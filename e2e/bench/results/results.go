// Package results holds what benchmarks have measured: figures, each with the
// samples of all its subjects, in one file to which every run adds its own.
// Everything else (medians, ratios, verdicts) is computed from the samples.
package results

import (
	"slices"
	"time"
)

// File is everything that is known about one machine.
type File struct {
	Machine Machine  `json:"machine"`
	Figures []Figure `json:"figures"`
}

// Machine is where the figures were taken.
type Machine struct {
	CPU       string            `json:"cpu"`
	Cores     int               `json:"cores"`
	MemoryMiB int64             `json:"memoryMiB"`
	System    string            `json:"system"` // distribution
	Kernel    string            `json:"kernel"`
	Cgroups   string            `json:"cgroups"`  // v1, v2 or hybrid
	Versions  map[string]string `json:"versions"` // of the programs compared, by name
}

// Figure is one thing measured on several subjects in turns, in one run.
type Figure struct {
	ID     string `json:"id"` // part/what/detail; a later run replaces the figure of the same ID
	Title  string `json:"title"`
	Unit   string `json:"unit"`             // ms, s, req/s, MB/s, MiB, %
	Higher bool   `json:"higher,omitempty"` // more is better
	Base   string `json:"base,omitempty"`   // the subject over which the others are shown; empty for none

	Subjects []Subject `json:"subjects"`
	Goals    []Goal    `json:"goals,omitempty"`
	Checks   []Check   `json:"checks,omitempty"`
	Note     string    `json:"note,omitempty"`
	Undrawn  bool      `json:"undrawn,omitempty"` // it has no place in the picture of its part

	Date   time.Time `json:"date"`
	Commit string    `json:"commit"`
	Busy   float64   `json:"busy,omitempty"`   // share of the machine that others used just before, 0 to 1
	Failed string    `json:"failed,omitempty"` // why there is no figure
}

// Subject is what was measured. Samples of the same index, of subjects with
// equally many, were taken in the same round.
type Subject struct {
	Name    string    `json:"name"`
	Samples []float64 `json:"samples"` // in the figure's unit
}

// Check is something that was true of the run or not.
type Check struct {
	What   string `json:"what"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// Add notes a sample of a subject.
func (f *Figure) Add(subject string, value float64) {
	i := slices.IndexFunc(f.Subjects, func(s Subject) bool { return s.Name == subject })
	if i < 0 {
		i = len(f.Subjects)
		f.Subjects = append(f.Subjects, Subject{Name: subject})
	}
	f.Subjects[i].Samples = append(f.Subjects[i].Samples, significant(value))
}

// Check notes whether something held.
func (f *Figure) Check(what string, ok bool, detail string) {
	f.Checks = append(f.Checks, Check{what, ok, detail})
}

// Fail takes a subject out, and says why it was not measured to the end.
func (f *Figure) Fail(subject string, why error) {
	f.Subjects = slices.DeleteFunc(f.Subjects, func(s Subject) bool { return s.Name == subject })
	f.Check(answers(subject), false, why.Error())
}

// HasFailed reports whether Fail was called for a subject.
func (f *Figure) HasFailed(subject string) bool {
	return slices.ContainsFunc(f.Checks, func(c Check) bool { return c.What == answers(subject) && !c.OK })
}

func answers(subject string) string { return subject + " answers every request" }

// Of returns the samples of a subject, nil for an unknown one.
func (f *Figure) Of(subject string) []float64 {
	for _, s := range f.Subjects {
		if s.Name == subject {
			return s.Samples
		}
	}
	return nil
}

// Part is the first element of the figure's ID.
func (f *Figure) Part() string { return part(f.ID) }

// Put takes a figure in. It replaces the one of the same ID in its place; a new
// one comes after the others of its part.
func (f *File) Put(fig Figure) {
	at := len(f.Figures)
	for i := range f.Figures {
		if f.Figures[i].ID == fig.ID {
			f.Figures[i] = fig
			return
		}
		if f.Figures[i].Part() == fig.Part() {
			at = i + 1
		}
	}
	f.Figures = slices.Insert(f.Figures, at, fig)
}

// Drop forgets the figure of an ID.
func (f *File) Drop(id string) {
	f.Figures = slices.DeleteFunc(f.Figures, func(fig Figure) bool { return fig.ID == id })
}

// Same reports whether figures of two machines may stand in one table.
func (m Machine) Same(other Machine) bool {
	return m.CPU == other.CPU && m.Cores == other.Cores
}
