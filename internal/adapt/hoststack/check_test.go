package hoststack

import (
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/health"
)

func TestCheck(t *testing.T) {
	rt := func(language, version string) build.Runtime {
		return build.Runtime{Language: language, Version: version}
	}
	h := &Host{machine: build.Machine{Runtimes: []build.Runtime{
		rt("python", "3.11.2"), rt("nodejs", "20.1.0"), rt("python", "3.12.1"), rt("python", "3.11.2"), rt("uv", "")}}}
	if c := h.Check(t.Context())[0]; c.Status != health.OK || c.Detail != "python 3.11.2, 3.12.1; nodejs 20.1.0" {
		t.Errorf("%+v", c)
	}
	if c := (&Host{}).Check(t.Context())[0]; c.Status != health.Warning || c.Fix == "" {
		t.Errorf("%+v", c)
	}
}
