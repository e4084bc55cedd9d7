package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// keyPause is how often, in ms, the reading of keys looks for the end.
const keyPause = 200

// keys calls press with each key until ctx ends, whose cause it returns. Where
// standard input is not a terminal, or another program's, it only waits. Ctrl-C
// remains what it is.
func keys(ctx context.Context, env *Env, press func(byte)) error {
	f, ok := env.Stdin.(*os.File)
	if !ok || !env.StdinTTY || !foreground(f) {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	restore, err := unbuffered(int(f.Fd()))
	if err != nil {
		env.warnf("keys are not read: %v", err)
		<-ctx.Done()
		return context.Cause(ctx)
	}
	defer restore()
	one := make([]byte, 1)
	for ctx.Err() == nil {
		ready := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
		n, err := unix.Poll(ready, keyPause)
		if n < 1 || errors.Is(err, unix.EINTR) {
			continue
		}
		if n, err := unix.Read(int(f.Fd()), one); n < 1 || err != nil {
			<-ctx.Done() // the terminal is gone; the session need not be
			break
		}
		press(one[0])
	}
	return context.Cause(ctx)
}

// foreground reports whether the terminal's keys are for this process: reading
// them in the background would stop it.
func foreground(f *os.File) bool {
	group, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// unbuffered makes a terminal hand over each key at once, without showing it,
// and returns what undoes it.
func unbuffered(fd int) (restore func(), err error) {
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("ask the terminal: %w", err)
	}
	now := *before
	now.Lflag &^= unix.ICANON | unix.ECHO
	now.Cc[unix.VMIN], now.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &now); err != nil {
		return nil, fmt.Errorf("set the terminal: %w", err)
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, before) }, nil
}
