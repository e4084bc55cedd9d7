package unpack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/unpack/report"
	"github.com/sunya-cloud/sunya/internal/core/layers"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// unpack makes the layer of an archive, or nothing.
func (u *Unpacker) unpack(ctx context.Context, a layers.Archive) (sunya.Layer, error) {
	select {
	case u.slots <- struct{}{}:
		defer func() { <-u.slots }()
	case <-ctx.Done():
		return sunya.Layer{}, context.Cause(ctx)
	}
	stage, err := u.cfg.Store.StageUnpacked(ctx)
	if err != nil {
		return sunya.Layer{}, err
	}
	result, err := u.fill(ctx, stage, a)
	if err == nil {
		var l sunya.Layer
		l, err = u.cfg.Store.CommitUnpacked(ctx, stage, sunya.Layer{Digest: a.DiffID, Target: "/", Bytes: result.Bytes})
		if err == nil {
			return l, nil
		}
	}
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
	defer cancel()
	return sunya.Layer{}, errors.Join(err, u.cfg.Store.DiscardUnpacked(clean, stage))
}

// cleanUp is how long it may take to remove what a failure left.
const cleanUp = 5 * time.Minute

// fill runs the program on an archive and checks both digests.
func (u *Unpacker) fill(ctx context.Context, stage layers.Stage, a layers.Archive) (report.Result, error) {
	pipe := filepath.Join(stage.Dir, "archive")
	if err := unix.Mkfifo(pipe, 0o644); err != nil {
		return report.Result{}, fmt.Errorf("unpack layer %s: make pipe: %w", a.Digest, err)
	}
	spec := u.spec(a.DiffID[len("sha256:"):][:12], report.Unpack, strconv.FormatInt(u.cfg.MaxBytes, 10), strconv.Itoa(u.cfg.MaxFiles))
	spec.Mounts = append(spec.Mounts,
		sandbox.Mount{Source: pipe, Target: report.Archive},
		sandbox.Mount{Source: stage.Files, Target: report.Layer, Writable: true, Owned: true})
	begin := time.Now()
	box, err := u.cfg.Engine.Start(ctx, spec)
	if err != nil {
		return report.Result{}, fmt.Errorf("unpack layer %s: %w", a.Digest, err)
	}
	fed := make(chan feedResult, 1)
	go func() { fed <- feed(ctx, box, pipe, a) }()
	result, runErr := finish(ctx, box)
	sent := <-fed
	if err := verdict(a, result, runErr, sent); err != nil {
		return report.Result{}, err
	}
	u.cfg.Log.Info("unpacked layer", "digest", a.Digest, "bytes", result.Bytes, "files", result.Files, "took", time.Since(begin))
	return result, os.Remove(pipe)
}

// verdict says what came of it: first what is wrong with the archive as a whole.
func verdict(a layers.Archive, result report.Result, runErr error, sent feedResult) error {
	switch {
	case sent.err != nil:
		return fmt.Errorf("read layer %s: %w", a.Digest, sent.err)
	case sent.digest != a.Digest:
		return sunya.Errorf(sunya.InvalidArgument, a.Digest, "layer %s: what was read has the digest %s", a.Digest, sent.digest)
	case runErr != nil:
		return fmt.Errorf("unpack layer %s: %w", a.Digest, runErr)
	case result.Code != 0:
		return sunya.Errorf(sunya.Code(result.Code), a.Digest, "layer %s: %s", a.Digest, result.Error)
	case result.DiffID != a.DiffID:
		return sunya.Errorf(sunya.InvalidArgument, a.Digest,
			"layer %s: unpacked it has the digest %s, the image's configuration says %s", a.Digest, result.DiffID, a.DiffID)
	}
	return nil
}

// feedResult is what was read of an archive.
type feedResult struct {
	digest string
	err    error
}

// feed writes the archive to the pipe and takes its digest. A program that ends
// early does not end the reading: the digest tells whose fault it is.
func feed(ctx context.Context, box sandbox.Sandbox, pipe string, a layers.Archive) feedResult {
	archive, err := a.Open(ctx)
	if err != nil {
		closePipe(ctx, box, pipe)
		return feedResult{err: err}
	}
	defer archive.Close()
	hash := sha256.New()
	in := io.TeeReader(&contextReader{ctx, archive}, hash)
	w, err := openPipe(box, pipe)
	if err == nil {
		_, err = io.Copy(pipeWriter{w}, in)
		_ = w.Close()
	}
	if err == nil || errors.Is(err, errPipe) {
		_, err = io.Copy(io.Discard, in)
	}
	return feedResult{"sha256:" + hex.EncodeToString(hash.Sum(nil)), err}
}

// errPipe says that the program reads no more.
var errPipe = errors.New("the program reads no more")

// pipeWriter tells errors of the pipe from those of the archive.
type pipeWriter struct{ f *os.File }

func (w pipeWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	if err != nil {
		err = errPipe
	}
	return n, err
}

// contextReader ends with its context: an archive may come from far away.
type contextReader struct {
	ctx context.Context // of the one Unpack that this value lives in
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}

// openPipe opens the pipe for writing, which waits until the program has opened
// it for reading: written before, a short archive would be gone.
func openPipe(box sandbox.Sandbox, pipe string) (*os.File, error) {
	opened := make(chan struct{})
	released := make(chan struct{})
	go func() {
		defer close(released)
		select {
		case <-opened:
		case <-box.Done(): // nobody will: be the reader, for a moment
			if r, err := os.OpenFile(pipe, os.O_RDONLY|unix.O_NONBLOCK, 0); err == nil {
				<-opened
				_ = r.Close()
			}
		}
	}()
	w, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	close(opened)
	<-released
	if err != nil {
		return nil, fmt.Errorf("open pipe: %w", errors.Join(errPipe, err))
	}
	return w, nil
}

// closePipe lets a program that waits for an archive find its end.
func closePipe(_ context.Context, box sandbox.Sandbox, pipe string) {
	if w, err := openPipe(box, pipe); err == nil {
		_ = w.Close()
	}
}

// resultBytes bounds what the program says.
const resultBytes = 64 << 10

// finish waits for the program and returns what it said at the end. With ctx it
// is ended; nothing of it is left.
func finish(ctx context.Context, box sandbox.Sandbox) (report.Result, error) {
	stop := context.AfterFunc(ctx, func() { _ = box.Stop(context.WithoutCancel(ctx), 0) })
	defer stop()
	stdout, stderr := box.Output()
	errText := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(io.LimitReader(stderr, resultBytes))
		_, _ = io.Copy(io.Discard, stderr)
		_ = stderr.Close()
		errText <- string(text)
	}()
	text, readErr := io.ReadAll(io.LimitReader(stdout, resultBytes))
	_ = stdout.Close()
	said := <-errText
	<-box.Done()
	exit := box.Exit()
	if err := box.Stop(context.WithoutCancel(ctx), 0); err != nil {
		return report.Result{}, err
	}
	if ctx.Err() != nil {
		return report.Result{}, context.Cause(ctx)
	}
	if exit.OOMKilled {
		return report.Result{}, sunya.Errorf(sunya.ResourceExhausted, "", "unpacking it takes more than %v of memory", sunya.Bytes(memory))
	}
	var result report.Result
	if err := errors.Join(readErr, json.Unmarshal(text, &result)); err != nil {
		return report.Result{}, fmt.Errorf("the unpacker ended with status %d: %.300s", exit.Code, said)
	}
	return result, nil
}
