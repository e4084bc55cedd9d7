package memo_test

import (
	"errors"
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/memo"
)

func TestMap(t *testing.T) {
	made := 0
	m := memo.New[string, string](10)
	get := func(key string, weight int64) string {
		v, err := m.Get(key, func() (string, int64, error) { made++; return "v" + key, weight, nil })
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, step := range []struct {
		rule, key string
		weight    int64
		made      int
	}{
		{"the first is made", "a", 4, 1},
		{"and remembered", "a", 4, 1},
		{"beside another", "b", 6, 2},
		{"both fit", "a", 4, 2},
		{"one too many forgets all", "c", 1, 3},
		{"as the first shows", "a", 4, 4},
		{"what never fits is made", "d", 11, 5},
		{"each time", "d", 11, 6},
		{"and costs nobody his place", "c", 1, 6},
	} {
		if got := get(step.key, step.weight); got != "v"+step.key || made != step.made {
			t.Errorf("%s: %q, made %d times in all, want %d", step.rule, got, made, step.made)
		}
	}
	broken := errors.New("broken")
	if _, err := m.Get("e", func() (string, int64, error) { return "", 1, broken }); err != broken {
		t.Errorf("err = %v", err)
	}
	if got := get("e", 1); got != "ve" {
		t.Errorf("an error was remembered: %q", got)
	}
}
