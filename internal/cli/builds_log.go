package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"
)

// readLog reads the log of a build from a byte on, as gcloud does. A log that
// is not there yet, or has nothing new, is empty.
func (a *buildsAPI) readLog(ctx context.Context, b *cloudbuildpb.Build, from int64) ([]byte, error) {
	svc, err := storage.NewService(ctx, option.WithHTTPClient(a.client.http), option.WithEndpoint(a.client.base.String()+"/storage/v1/"))
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	bucket, prefix, _ := strings.Cut(strings.TrimPrefix(b.GetLogsBucket(), "gs://"), "/")
	call := svc.Objects.Get(bucket, path.Join(prefix, "log-"+b.GetId()+".txt")).Context(ctx)
	call.Header().Set("Range", fmt.Sprintf("bytes=%d-", from))
	resp, err := call.Download()
	if hasStatus(err, http.StatusNotFound, http.StatusRequestedRangeNotSatisfiable) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	return io.ReadAll(resp.Body)
}

func hasStatus(err error, codes ...int) bool {
	var e *googleapi.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, c := range codes {
		if e.Code == c {
			return true
		}
	}
	return false
}
