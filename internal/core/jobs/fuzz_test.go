package jobs_test

import (
	"testing"
)

// FuzzTaskIndex: a name that is accepted is the name of that task.
func FuzzTaskIndex(f *testing.F) {
	for _, id := range []string{"work-abcde-task0", "work-abcde-task12", "work-abcde-task01", "work-abcde-task-1", "work-abcde-task+1", "x", ""} {
		f.Add(id)
	}
	k := key("work").Execution("work-abcde")
	f.Fuzz(func(t *testing.T, id string) {
		if n, err := k.TaskIndex(id); err == nil && k.TaskID(n) != id {
			t.Errorf("TaskIndex(%q) = %d, which is called %q", id, n, k.TaskID(n))
		}
	})
}
