package builder

import (
	"context"
	"errors"
	"regexp"
	"strings"

	gwpb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/errdefs"

	"github.com/sunya-cloud/sunya/internal/core/cloudbuild/plan"
)

// describe turns the end of a step into what a user should read.
func describe(ctx context.Context, i int, err error) *plan.Failure {
	f := &plan.Failure{Step: i, Kind: plan.KindStep}
	var full *diskFull
	var late errStepTimeout
	var refused *refusal
	switch cause := context.Cause(ctx); {
	case errors.As(cause, &full):
		f.Kind, f.Message = plan.KindDisk, full.Error()
		return f
	case errors.As(cause, &late):
		f.Kind, f.Message = plan.KindTimeout, late.Error()
		return f
	case errors.As(err, &refused):
		f.Kind, f.Message = plan.KindRefused, refused.message
		return f
	}
	f.Message = message(err)
	f.Detail = sourceLines(err)
	return f
}

// message is the text of an error without what only BuildKit's own users know.
func message(err error) string {
	text := err.Error()
	for _, prefix := range []string{"failed to solve: ", "failed to build: ", "rpc error: code = Unknown desc = "} {
		text = strings.TrimPrefix(text, prefix)
	}
	if m := missingImage.FindStringSubmatch(text); m != nil {
		return "the image " + m[1] + " cannot be had: " + strings.TrimPrefix(lastLine(m[2]), m[1]+": ") +
			" (push it to this registry, make it with \"sunya images bootstrap\", or name a mirror with --registry-mirror)"
	}
	if strings.Contains(text, "lchown") && strings.Contains(text, "invalid argument") {
		text += " (files of the image belong to users that do not exist here: builds have more than one only where the server is started as root)"
	}
	return text
}

// missingImage is what BuildKit says of an image that it cannot look up.
var missingImage = regexp.MustCompile(`(?s)failed to resolve source metadata for ([^ ]+): (.*)$`)

// lastLine is where the registry's own words are.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// sourceLines are the lines of the Dockerfile that the error is about.
func sourceLines(err error) string {
	var b strings.Builder
	for _, s := range errdefs.Sources(err) {
		_ = s.Print(&b)
	}
	return strings.TrimSpace(b.String())
}

// exitCode is that of the program that failed, or 1.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	var exit *gwpb.ExitError
	if errors.As(err, &exit) {
		return int(exit.ExitCode)
	}
	return 1
}
