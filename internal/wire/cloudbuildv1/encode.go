package cloudbuildv1

import (
	"fmt"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sunya-cloud/sunya/internal/core/cloudbuild"
)

// encode shows a build: as it was sent, with what has become of it.
func encode(b *cloudbuild.Build) (*cloudbuildpb.Build, error) {
	out := &cloudbuildpb.Build{}
	if len(b.Document) > 0 {
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(b.Document, out); err != nil {
			return nil, fmt.Errorf("read stored build %s: %w", b.ID, err)
		}
	}
	out.Name = b.Name()
	out.Id, out.ProjectId = b.ID, b.Project
	out.Status, out.StatusDetail = statusOf(b.Status), b.Detail
	out.Images, out.Tags, out.Substitutions = b.Images, b.Tags, b.Substitutions
	out.Timeout, out.QueueTtl = durationpb.New(b.Timeout), durationpb.New(b.QueueTTL)
	out.CreateTime, out.StartTime, out.FinishTime = stamp(b.CreateTime), stamp(b.StartTime), stamp(b.FinishTime)
	out.LogsBucket, out.LogUrl = "gs://"+b.LogsBucket, logURL(b)
	if b.Source != nil {
		out.Source = &cloudbuildpb.Source{Source: &cloudbuildpb.Source_StorageSource{StorageSource: &cloudbuildpb.StorageSource{
			Bucket: b.Source.Bucket, Object: b.Source.Object, Generation: b.Source.Generation,
		}}}
	}
	out.Steps = encodeSteps(b)
	if b.Status.Done() {
		out.Results = results(b)
		out.Timing = map[string]*cloudbuildpb.TimeSpan{"BUILD": span(b.StartTime, b.FinishTime)}
	}
	if b.Failure != "" {
		out.FailureInfo = &cloudbuildpb.Build_FailureInfo{
			Type: cloudbuildpb.Build_FailureInfo_FailureType(cloudbuildpb.Build_FailureInfo_FailureType_value[string(b.Failure)]), Detail: b.Detail,
		}
	}
	return out, nil
}

func encodeSteps(b *cloudbuild.Build) []*cloudbuildpb.BuildStep {
	var steps []*cloudbuildpb.BuildStep
	for i := range b.Steps {
		s := &b.Steps[i]
		step := &cloudbuildpb.BuildStep{
			Id: s.ID, Name: s.Name, Entrypoint: s.Entrypoint, Args: s.Args, Script: s.Script, Env: s.Env, Dir: s.Dir, WaitFor: s.WaitFor,
			AllowFailure: s.AllowFailure, Status: statusOf(s.Status), ExitCode: int32(s.ExitCode), Timing: span(s.StartTime, s.FinishTime),
		}
		if s.Timeout > 0 {
			step.Timeout = durationpb.New(s.Timeout)
		}
		for _, v := range s.Volumes {
			step.Volumes = append(step.Volumes, &cloudbuildpb.Volume{Name: v.Name, Path: v.Path})
		}
		for _, code := range s.AllowExitCodes {
			step.AllowExitCodes = append(step.AllowExitCodes, int32(code))
		}
		steps = append(steps, step)
	}
	return steps
}

func results(b *cloudbuild.Build) *cloudbuildpb.Results {
	out := &cloudbuildpb.Results{BuildStepImages: b.StepImages}
	for _, i := range b.Results {
		out.Images = append(out.Images, &cloudbuildpb.BuiltImage{Name: i.Name, Digest: i.Digest, PushTiming: span(b.StartTime, b.FinishTime)})
	}
	return out
}

func statusOf(s cloudbuild.Status) cloudbuildpb.Build_Status {
	return cloudbuildpb.Build_Status(cloudbuildpb.Build_Status_value[string(s)])
}

func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func span(start, end time.Time) *cloudbuildpb.TimeSpan {
	if start.IsZero() {
		return nil
	}
	return &cloudbuildpb.TimeSpan{StartTime: stamp(start), EndTime: stamp(end)}
}
