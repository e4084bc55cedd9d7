package instance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/probe"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// assemble starts the containers of an instance and returns them as one. On an
// error nothing of them is left, and lines are the last that the container to
// blame has printed.
func (m *Manager) assemble(ctx context.Context, rev *sunya.Revision, id string) (box sandbox.Sandbox, lines []string, err error) {
	if len(rev.Sidecars) == 0 {
		spec, err := m.spec(rev, &rev.Container, id, "")
		if err != nil {
			return nil, nil, err
		}
		box, err := m.launch(ctx, spec)
		return box, nil, err
	}
	order, err := startOrder(rev)
	if err != nil {
		return nil, nil, err
	}
	g := &group{}
	for _, c := range order {
		if err := m.addTo(ctx, g, rev, c, id); err != nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace+stopSlack)
			defer cancel()
			lines := g.lastLines(c)
			if stopErr := g.Stop(ctx, 0); stopErr != nil {
				m.log.Error("stop containers", "instance", id, "err", stopErr)
			}
			return nil, lines, inContainer(c, err)
		}
	}
	return g, nil, nil
}

// lastLines are what a sidecar has printed last.
func (g *group) lastLines(c *sunya.Container) []string {
	for _, s := range g.sidecars {
		if s.c == c {
			if ended(s.box) {
				s.out.wait(outputWait)
			}
			return s.out.lines()
		}
	}
	return nil
}

// inContainer says which container an error is of.
func inContainer(c *sunya.Container, err error) error {
	var e *sunya.Error
	if errors.As(err, &e) {
		own := *e
		own.Message = fmt.Sprintf("container %q: %s", c.ContainerName, e.Public())
		return &own
	}
	return fmt.Errorf("container %q: %w", c.ContainerName, err)
}

// addTo starts a container of an instance on the network of the first, and waits
// until it is well where somebody counts on it.
func (m *Manager) addTo(ctx context.Context, g *group, rev *sunya.Revision, c *sunya.Container, id string) error {
	network := ""
	if all := g.all(); len(all) > 0 {
		network = cmp.Or(all[0].Spec().NetworkOf, all[0].Spec().ID)
	}
	spec, err := m.spec(rev, c, id, network)
	if err != nil {
		return err
	}
	box, err := m.launch(ctx, spec)
	if err != nil {
		return err
	}
	if c == &rev.Container {
		g.Sandbox = box
		if isAwaited(rev, c) {
			return awaitContainer(ctx, rev, box, firstQuestion(rev))
		}
		return nil // the instance waits for it
	}
	g.sidecars = append(g.sidecars, &sidecar{c: c, box: box, out: m.carryOutput(rev, id, c.ContainerName, box)})
	if c.Startup != nil {
		return probe.Await(ctx, box, c.Startup, 0)
	}
	return nil
}

// isAwaited reports whether another container starts only when c is ready.
func isAwaited(rev *sunya.Revision, c *sunya.Container) bool {
	return slices.ContainsFunc(containers(rev), func(o *sunya.Container) bool {
		return slices.Contains(o.DependsOn, c.ContainerName)
	})
}

// containers are all of a revision, the one that answers requests first.
func containers(rev *sunya.Revision) []*sunya.Container {
	out := []*sunya.Container{&rev.Container}
	for i := range rev.Sidecars {
		out = append(out, &rev.Sidecars[i])
	}
	return out
}

// startOrder puts every container after those that it depends on, and otherwise
// leaves them as they are listed.
func startOrder(rev *sunya.Revision) ([]*sunya.Container, error) {
	var order []*sunya.Container
	left := containers(rev)
	for len(left) > 0 {
		n := slices.IndexFunc(left, func(c *sunya.Container) bool {
			return !slices.ContainsFunc(left, func(o *sunya.Container) bool {
				return slices.Contains(c.DependsOn, o.ContainerName)
			})
		})
		if n < 0 {
			return nil, sunya.Errorf(sunya.InvalidArgument, rev.Name, "its containers depend on each other in a circle")
		}
		order = append(order, left[n])
		left = slices.Delete(left, n, n+1)
	}
	return order, nil
}

// boxID names the sandbox of a container: that which answers requests has the
// instance's own id.
func boxID(rev *sunya.Revision, c *sunya.Container, id string) string {
	for n, o := range containers(rev) {
		if o == c && n > 0 {
			return id + "-" + strconv.Itoa(n)
		}
	}
	return id
}

// memoryBytes is the memory of all containers of an instance.
func memoryBytes(rev *sunya.Revision) int64 {
	var sum int64
	for _, c := range containers(rev) {
		sum += c.MemoryBytes
	}
	return sum
}

// watch ends the instance when a sidecar has failed: the others count on it. One
// that has done its work and ends well is not missed.
func (i *Instance) watch(s *sidecar) {
	select {
	case <-i.box.Done():
		return
	case <-s.box.Done():
	}
	exit := s.box.Exit()
	how := fmt.Sprintf("container %q %s", s.c.ContainerName, exitMessage(s.c, exit))
	i.mu.Lock()
	over := exit.Code != 0 && (i.state == sunya.InstanceReady || i.state == sunya.InstanceFrozen)
	i.killed = i.killed || over
	i.mu.Unlock()
	if !over {
		i.m.logSidecar(i, how)
		return
	}
	i.kill(context.Background(), "sidecar", errors.New(how))
}
