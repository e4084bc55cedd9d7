package unpack

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/unpack/report"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// removeBatch is how many directories one sandbox empties.
const removeBatch = 32

// Empty implements layers.Remover.
func (u *Unpacker) Empty(ctx context.Context, dirs []string) error {
	for batch := range slices.Chunk(dirs, removeBatch) {
		if err := u.empty(ctx, batch); err != nil {
			return fmt.Errorf("remove files of layers: %w", err)
		}
	}
	return nil
}

func (u *Unpacker) empty(ctx context.Context, dirs []string) error {
	var targets []string
	var mounts []sandbox.Mount
	for i, dir := range dirs {
		target := "/remove/" + strconv.Itoa(i)
		targets = append(targets, target)
		mounts = append(mounts, sandbox.Mount{Source: dir, Target: target, Writable: true, Owned: true})
	}
	spec := u.spec("remove", append([]string{report.Remove}, targets...)...)
	spec.Mounts = append(spec.Mounts, mounts...)
	box, err := u.cfg.Engine.Start(ctx, spec)
	if err != nil {
		return err
	}
	result, err := finish(ctx, box)
	if err == nil && result.Code != 0 {
		err = sunya.Errorf(sunya.Code(result.Code), "", "%s", result.Error)
	}
	return err
}
