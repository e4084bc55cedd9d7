package instance

import (
	"context"
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya"
)

// stopSlack is what a stop may take beyond the grace period.
const stopSlack = 10 * time.Second

func (i *Instance) stopTimeout() time.Duration { return grace + stopSlack }

// Stop ends the instance: the last request of its Lifecycle, SIGTERM, the grace
// period, SIGKILL. It returns when
// nothing is left of it. The caller has made sure that no request is in it,
// or does not care. Stopping twice is not an error.
func (i *Instance) Stop(ctx context.Context, why string) error {
	i.mu.Lock()
	first := i.state != sunya.InstanceDraining && i.state != sunya.InstanceStopped
	serves := i.state == sunya.InstanceReady || i.state == sunya.InstanceFrozen
	if first {
		i.state = sunya.InstanceDraining
		i.look(ctx)
	}
	i.mu.Unlock()
	if first {
		i.m.logStop(i, why)
	}
	if first && serves {
		i.farewell(ctx)
	}
	if err := i.box.Stop(ctx, grace); err != nil {
		return fmt.Errorf("stop %s: %w", i.ID(), err)
	}
	select {
	case <-i.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// supervise waits for the end of the program and takes away what is left.
func (i *Instance) supervise() {
	<-i.box.Done()
	i.mu.Lock()
	asked := i.state == sunya.InstanceDraining || i.killed
	i.state = sunya.InstanceStopped
	i.told.Ended(i.m.now(), i.used)
	i.mu.Unlock()
	i.m.remove(i)
	i.out.wait(outputWait)
	if !asked {
		i.m.logExit(i)
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopSlack)
	defer cancel()
	if err := i.box.Stop(ctx, 0); err != nil {
		i.m.log.Error("clean up instance", "instance", i.ID(), "err", err)
	}
	i.m.endTemplate(ctx, i.rev)
	i.transport.CloseIdleConnections()
	i.upstream.Close()
	close(i.done)
}
