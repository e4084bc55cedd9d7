// Package jobstest is what stands in for the parts of jobs in tests.
package jobstest

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
)

// Store is a jobs.Store in memory, which keeps operations, too. What it returns
// is nobody else's: as a database does, it keeps documents.
type Store struct {
	mu         sync.Mutex
	uids       map[string]int
	jobs       map[jobs.Key]document
	executions map[jobs.ExecutionKey]document
	tasks      map[task]document
	operations map[string]sunya.Operation
	fail       error
}

type task struct {
	jobs.ExecutionKey
	index int
}

type document []byte

// NewStore returns an empty Store.
func NewStore() *Store {
	return &Store{
		uids: map[string]int{}, jobs: map[jobs.Key]document{}, executions: map[jobs.ExecutionKey]document{},
		tasks: map[task]document{}, operations: map[string]sunya.Operation{},
	}
}

var _ jobs.Store = (*Store)(nil)

// Fail makes every later call fail with err; nil ends that.
func (s *Store) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// Operation returns an operation that was written.
func (s *Store) Operation(name string) (sunya.Operation, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	op, ok := s.operations[name]
	return op, ok
}

func encode(v any) document {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func decode[T any](d document) *T {
	v := new(T)
	if err := json.Unmarshal(d, v); err != nil {
		panic(err)
	}
	return v
}

// locked runs f, unless the store is to fail.
func (s *Store) locked(f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	return f()
}

func (s *Store) job(k jobs.Key) *jobs.Job {
	d, ok := s.jobs[k]
	if !ok {
		return nil
	}
	j := decode[jobs.Job](d)
	j.UIDRange = s.uids[j.Project+" "+j.Name()]
	return j
}

// GetJob implements jobs.Store.
func (s *Store) GetJob(_ context.Context, k jobs.Key) (j *jobs.Job, err error) {
	err = s.locked(func() error {
		if j = s.job(k); j == nil {
			return sunya.Errorf(sunya.NotFound, k.Name(), "the job does not exist")
		}
		return nil
	})
	return j, err
}

func page[T any](all []T, limit int) []T {
	if limit > 0 && len(all) > limit {
		return all[:limit]
	}
	return all
}

// ListJobs implements jobs.Store.
func (s *Store) ListJobs(_ context.Context, project, location, after string, limit int) (out []jobs.Job, err error) {
	place := func(k jobs.Key) string { return k.Location + "\x00" + k.ID }
	from := strings.Replace(after, "/", "\x00", 1)
	err = s.locked(func() error {
		for k := range s.jobs {
			if (project == "" || k.Project == project) && (location == "" || k.Location == location) && place(k) > from {
				out = append(out, *s.job(k))
			}
		}
		slices.SortFunc(out, func(a, b jobs.Job) int { return cmp.Compare(place(a.Key), place(b.Key)) })
		out = page(out, limit)
		return nil
	})
	return out, err
}

// PreparingJobs implements jobs.Store.
func (s *Store) PreparingJobs(ctx context.Context) ([]jobs.Job, error) {
	all, err := s.ListJobs(ctx, "", "", "", 0)
	return slices.DeleteFunc(all, func(j jobs.Job) bool { return j.Next == nil }), err
}

// GetExecution implements jobs.Store.
func (s *Store) GetExecution(_ context.Context, k jobs.ExecutionKey) (e *jobs.Execution, err error) {
	err = s.locked(func() (err error) {
		e, err = s.execution(k)
		return err
	})
	return e, err
}

func (s *Store) execution(k jobs.ExecutionKey) (*jobs.Execution, error) {
	d, ok := s.executions[k]
	if !ok {
		return nil, sunya.Errorf(sunya.NotFound, k.Name(), "the execution does not exist")
	}
	return decode[jobs.Execution](d), nil
}

// newest returns the executions that match, the newest first. mu is held.
func (s *Store) newest(match func(*jobs.Execution) bool) (out []jobs.Execution) {
	for _, d := range s.executions {
		if e := decode[jobs.Execution](d); match(e) {
			out = append(out, *e)
		}
	}
	slices.SortFunc(out, func(a, b jobs.Execution) int {
		return cmp.Or(b.CreateTime.Compare(a.CreateTime), cmp.Compare(b.Location, a.Location), cmp.Compare(b.ID, a.ID), cmp.Compare(b.Execution, a.Execution))
	})
	return out
}

// ListExecutions implements jobs.Store.
func (s *Store) ListExecutions(_ context.Context, k jobs.Key, after string, limit int) (out []jobs.Execution, err error) {
	err = s.locked(func() error {
		out = s.newest(func(e *jobs.Execution) bool {
			return e.Project == k.Project && (k.Location == "" || e.Location == k.Location) && (k.ID == "" || e.ID == k.ID)
		})
		if after == "" {
			return nil
		}
		i := slices.IndexFunc(out, func(e jobs.Execution) bool { return e.Location+"/"+e.ID+"/"+e.Execution == after })
		if i < 0 {
			return sunya.Invalid("pageToken", "the execution where the last page ended is gone")
		}
		out = out[i+1:]
		return nil
	})
	return page(out, limit), err
}

// OpenExecutions implements jobs.Store.
func (s *Store) OpenExecutions(context.Context) (out []jobs.ExecutionKey, err error) {
	err = s.locked(func() error {
		for _, e := range s.newest(func(e *jobs.Execution) bool { return !e.Done() }) {
			out = append(out, e.ExecutionKey)
		}
		slices.Reverse(out)
		return nil
	})
	return out, err
}

// OldExecutions implements jobs.Store.
func (s *Store) OldExecutions(_ context.Context, k jobs.Key, keep int) (out []string, err error) {
	err = s.locked(func() error {
		for i, e := range s.newest(func(e *jobs.Execution) bool { return e.Key == k }) {
			if i >= keep && e.Done() {
				out = append(out, e.Execution)
			}
		}
		return nil
	})
	return out, err
}

// GetTask implements jobs.Store.
func (s *Store) GetTask(_ context.Context, k jobs.ExecutionKey, index int) (t *jobs.Task, err error) {
	err = s.locked(func() (err error) {
		t, err = s.task(k, index)
		return err
	})
	return t, err
}

func (s *Store) task(k jobs.ExecutionKey, index int) (*jobs.Task, error) {
	d, ok := s.tasks[task{k, index}]
	if !ok {
		return nil, sunya.Errorf(sunya.NotFound, k.TaskName(index), "the task does not exist")
	}
	return decode[jobs.Task](d), nil
}

// tasksOf returns the tasks of an execution that match, in order. mu is held.
func (s *Store) tasksOf(k jobs.ExecutionKey, match func(*jobs.Task) bool) (out []jobs.Task) {
	for key, d := range s.tasks {
		if t := decode[jobs.Task](d); key.ExecutionKey == k && match(t) {
			out = append(out, *t)
		}
	}
	slices.SortFunc(out, func(a, b jobs.Task) int { return cmp.Compare(a.Index, b.Index) })
	return out
}

// ListTasks implements jobs.Store.
func (s *Store) ListTasks(_ context.Context, k jobs.ExecutionKey, from, limit int) (out []jobs.Task, err error) {
	err = s.locked(func() error {
		out = s.tasksOf(k, func(t *jobs.Task) bool { return t.Index >= from })
		return nil
	})
	return page(out, limit), err
}

// OpenTasks implements jobs.Store.
func (s *Store) OpenTasks(_ context.Context, k jobs.ExecutionKey) (out []jobs.Task, err error) {
	err = s.locked(func() error {
		out = s.open(k)
		return nil
	})
	return out, err
}

func (s *Store) open(k jobs.ExecutionKey) []jobs.Task {
	return s.tasksOf(k, func(t *jobs.Task) bool { return !t.State.Ended() })
}

// UpdateJob implements jobs.Store.
func (s *Store) UpdateJob(_ context.Context, k jobs.Key, f func(*jobs.Job) (jobs.Change, error)) error {
	return s.locked(func() error {
		c, err := f(s.job(k))
		if err != nil {
			return err
		}
		return s.apply(k, c)
	})
}

// DeleteJob implements jobs.Store.
func (s *Store) DeleteJob(_ context.Context, k jobs.Key, f func(*jobs.Job, []jobs.Execution) (jobs.Change, error)) error {
	return s.locked(func() error {
		open := s.newest(func(e *jobs.Execution) bool { return e.Key == k && !e.Done() })
		slices.Reverse(open)
		c, err := f(s.job(k), open)
		if err != nil {
			return err
		}
		return s.apply(k, c)
	})
}

// UpdateExecution implements jobs.Store.
func (s *Store) UpdateExecution(_ context.Context, k jobs.ExecutionKey, f func(*jobs.Execution, []jobs.Task) (jobs.Change, error)) error {
	return s.locked(func() error {
		e, err := s.execution(k)
		if err != nil {
			return err
		}
		c, err := f(e, s.open(k))
		if err != nil {
			return err
		}
		return s.apply(k.Key, c)
	})
}

// UpdateTask implements jobs.Store.
func (s *Store) UpdateTask(_ context.Context, k jobs.ExecutionKey, index int, f func(*jobs.Execution, *jobs.Task) (jobs.Change, error)) error {
	return s.locked(func() error {
		e, err := s.execution(k)
		if err != nil {
			return err
		}
		t, err := s.task(k, index)
		if err != nil {
			return err
		}
		c, err := f(e, t)
		if err != nil {
			return err
		}
		return s.apply(k.Key, c)
	})
}

// apply writes a change of a job. mu is held.
func (s *Store) apply(k jobs.Key, c jobs.Change) error {
	if n := c.NewExecution; n != nil && s.executions[n.ExecutionKey] != nil {
		return sunya.Errorf(sunya.AlreadyExists, n.Name(), "the execution exists already")
	}
	if c.DeleteJob {
		delete(s.jobs, k)
		s.deleteExecutions(func(e jobs.ExecutionKey) bool { return e.Key == k })
	}
	s.deleteExecutions(func(e jobs.ExecutionKey) bool { return e.Key == k && slices.Contains(c.DeleteExecutions, e.Execution) })
	if c.Job != nil {
		if name := c.Job.Project + " " + c.Job.Name(); s.uids[name] == 0 {
			s.uids[name] = sunya.LayersRange + 1 + len(s.uids)
		}
		s.jobs[c.Job.Key] = encode(c.Job)
	}
	for _, e := range []*jobs.Execution{c.Execution, c.NewExecution} {
		if e == nil {
			continue
		}
		s.executions[e.ExecutionKey] = encode(e)
		for _, t := range c.Tasks {
			s.tasks[task{e.ExecutionKey, t.Index}] = encode(t)
		}
	}
	for _, op := range c.Operations {
		s.operations[op.Name] = op
	}
	return nil
}

func (s *Store) deleteExecutions(which func(jobs.ExecutionKey) bool) {
	for k := range s.executions {
		if which(k) {
			delete(s.executions, k)
		}
	}
	for k := range s.tasks {
		if which(k.ExecutionKey) {
			delete(s.tasks, k)
		}
	}
}
